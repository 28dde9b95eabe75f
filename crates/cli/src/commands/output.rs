//! What commands print: tables and sentences for people, one JSON document with `--json`.

use std::io::Write;

use anyhow::Context;
use serde::Serialize;

/// Where a command's result goes, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    is_json: bool,
}

impl Output {
    /// JSON for programs, or text for people.
    pub(crate) fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.is_json
    }

    /// Prints the result: `value` as JSON, or what `text` says about it.
    pub(crate) fn print<T: Serialize + ?Sized>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        let printed = if self.is_json {
            serde_json::to_string_pretty(value).context("failed to write JSON")?
        } else {
            text(value)
        };
        line(&printed)
    }
}

/// Prints one line to standard output; a reader that closed it (`| head`) is an error that ends the command.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("failed to write the result")
}

/// Columns that line up, with a heading; `empty` when there are no rows.
pub(crate) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    empty: &str,
) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    if rows.is_empty() {
        return empty.to_owned();
    }
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or(0)
    });
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, width) in cells.into_iter().zip(widths) {
            line.push_str(cell);
            let padding = width + 2 - cell.chars().count();
            line.extend(std::iter::repeat_n(' ', padding));
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(heading)];
    lines.extend(
        rows.iter()
            .map(|row| line(std::array::from_fn(|column| row[column].as_str()))),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_script() {
        let rows = [
            ["Ångström".to_owned(), "1".to_owned()],
            ["b".to_owned(), "22".to_owned()],
        ];
        assert_eq!(
            table(["name", "n"], rows, "none"),
            "name      n\nÅngström  1\nb         22"
        );
        assert_eq!(table(["name"], [], "none"), "none");
    }
}
