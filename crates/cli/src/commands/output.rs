//! What commands print: tables and sentences for people, one JSON document with `--json`.
//!
//! Much of it was written by others: labels, user ids, origins of strangers' pages. On a terminal none
//! of that may move the cursor, change the direction of writing, or pretend to be a line of ours.

use std::{
    borrow::Cow,
    error::Error,
    fmt,
    io::{ErrorKind, Write},
};

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The widest cell of a table but the last of a row, in columns of a terminal. What is cut is whole in `--json`.
const WIDEST_CELL: usize = 60;

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

/// Why a command failed, as `--json` says it: the shape of the server's errors, on one line.
pub(crate) fn error_document(kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind}})
}

/// Standard output was closed by its reader (`| head`), who has what they wanted: nothing is wrong, and nothing more
/// is to be done.
#[derive(Debug)]
pub(crate) struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("standard output was closed")
    }
}

impl Error for ReaderLeft {}

/// Prints one line to standard output; [`ReaderLeft`] when nobody reads it any more.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    write(format!("{text}\n").as_bytes())
}

/// Writes to standard output; [`ReaderLeft`] when nobody reads it any more.
pub(crate) fn write(text: &[u8]) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderLeft.into()),
        written => written.context("failed to write the result"),
    }
}

/// A text that others wrote, as a terminal may have it: on one line, and nothing in it but what can be seen.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unseen(character) {
            plain.extend(character.escape_unicode());
        } else {
            plain.push(character);
        }
    }
    Cow::Owned(plain)
}

/// Whether a character does something else than stand there: controls, line ends, marks of direction,
/// and what has no width. (Marks that combine with the letter before them stay: languages need them.)
fn is_unseen(character: char) -> bool {
    let is_mark_of_direction = matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let has_no_width = matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    let is_line_end = matches!(character, '\u{2028}' | '\u{2029}');
    character.is_control() || is_line_end || is_mark_of_direction || has_no_width
}

/// A cell: plain, and no wider than a table can bear.
fn cell(text: &str) -> String {
    let text = plain(text);
    if text.width() <= WIDEST_CELL {
        return text.into_owned();
    }
    let mut cut = String::new();
    let mut width = 0;
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width >= WIDEST_CELL {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

/// A row's cells. The last one is whole: nothing stands beside it, and it may be what there is to do.
fn cells<const N: usize>(row: [String; N]) -> [String; N] {
    let mut column = 0;
    row.map(|text| {
        column += 1;
        if column == N {
            plain(&text).into_owned()
        } else {
            cell(&text)
        }
    })
}

/// One row that stands alone, as `audit --follow` prints it.
pub(crate) fn row_line<const N: usize>(row: [String; N]) -> String {
    cells(row).join("  ")
}

/// Columns that line up, with a heading; `empty` when there are no rows.
pub(crate) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    empty: &str,
) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().map(cells).collect();
    if rows.is_empty() {
        return empty.to_owned();
    }
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.chain([heading[column].len()]).max().unwrap_or(0)
    });
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, width) in cells.into_iter().zip(widths) {
            line.push_str(cell);
            let padding = width + 2 - cell.width();
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
            ["東京".to_owned(), "22".to_owned()],
        ];
        assert_eq!(
            table(["name", "n"], rows, "none"),
            "name      n\nÅngström  1\n東京      22"
        );
        assert_eq!(table(["name"], [], "none"), "none");
    }

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal() {
        for (hostile, shown) in [
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\nID  fake", "a\\u{a}ID  fake"),
            ("live\u{202e}tset", "live\\u{202e}tset"),
            ("ad\u{200b}a", "ad\\u{200b}a"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("é e\u{301} 東京 🙂", "é e\u{301} 東京 🙂"),
        ] {
            assert_eq!(plain(hostile), shown);
            let shown = table(["A"], [[hostile.to_owned()]], "");
            assert_eq!(shown.lines().count(), 2, "{shown:?}");
            assert!(!shown.contains('\u{1b}'), "{shown:?}");
        }
    }

    #[test]
    fn the_last_cell_of_a_row_is_whole_and_still_does_nothing_to_a_terminal() {
        let long = format!("{}\u{1b}", "x".repeat(200));
        let whole = format!("{}\\u{{1b}}", "x".repeat(200));
        let row = || ["y".repeat(61), long.clone()];
        let shown = table(["A", "B"], [row()], "");
        assert!(shown.ends_with(&whole), "{shown}");
        assert!(!shown.contains(&"y".repeat(61)), "{shown}");
        assert!(row_line(row()).ends_with(&whole));
    }

    #[test]
    fn long_cells_are_cut_to_their_width_and_show_it() {
        for long in ["x".repeat(61), "東".repeat(40), "\u{1b}".repeat(100)] {
            let shown = cell(&long);
            assert!(shown.width() <= WIDEST_CELL, "{shown}");
            assert!(shown.ends_with('…'), "{shown}");
        }
        let fits = "x".repeat(60);
        assert_eq!(cell(&fits), fits);
    }
}
