//! What was looked at, by `doctor` and `config check --online`: what was found, why it matters, what to do.

use std::{fmt::Write as _, future::Future, time::Duration};

use serde::Serialize;

use crate::{
    commands::output::{Output, plain},
    telemetry::say,
};

/// A look that takes longer says what it waits for.
const LONG: Duration = Duration::from_secs(1);
/// No look takes longer.
const TOO_LONG: Duration = Duration::from_secs(20);

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    ok: bool,
    /// What was found.
    detail: String,
    /// Why that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Findings {
    all: Vec<Finding>,
    #[serde(skip)]
    output: Output,
}

impl Findings {
    /// None yet.
    pub(crate) fn new(output: Output) -> Self {
        Self {
            all: Vec::new(),
            output,
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn are_good(&self) -> bool {
        self.all.iter().all(|finding| finding.ok)
    }

    /// Something is as it should be.
    pub(crate) fn good(&mut self, name: impl Into<String>, detail: impl Into<String>) {
        self.all.push(Finding {
            name: name.into(),
            ok: true,
            detail: detail.into(),
            why: None,
            advice: None,
        });
    }

    /// Something is wrong: what, why it matters, and what to do.
    pub(crate) fn wrong(
        &mut self,
        name: impl Into<String>,
        detail: impl Into<String>,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.all.push(Finding {
            name: name.into(),
            ok: false,
            detail: detail.into(),
            why: Some(why.into()),
            advice: Some(advice.into()),
        });
    }

    /// Waits for a look, and tells people for what when it takes long. `None` when it takes too long.
    pub(crate) async fn wait<T>(&self, what: &str, look: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(look);
        if let Ok(found) = tokio::time::timeout(LONG, &mut look).await {
            return Some(found);
        }
        if !self.output.is_json() {
            say(&format!("still waiting for {what} …"));
        }
        tokio::time::timeout(TOO_LONG, look).await.ok()
    }

    /// As text, the last line without a line break.
    pub(crate) fn describe(&self) -> String {
        let width = self.all.iter().map(|finding| finding.name.chars().count());
        let width = width.max().unwrap_or(0);
        let mut text = String::new();
        for finding in &self.all {
            let mark = if finding.ok { "ok  " } else { "FAIL" };
            let (name, detail) = (plain(&finding.name), plain(&finding.detail));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{mark}  {name:width$}  {detail}");
            for (word, more) in [("why", &finding.why), ("do ", &finding.advice)] {
                if let Some(more) = more {
                    let _ = writeln!(text, "      {:width$}  {word}  {}", "", plain(more));
                }
            }
        }
        text.push_str(if self.are_good() {
            "everything is well"
        } else {
            "mend what failed, then run the command again"
        });
        text
    }
}
