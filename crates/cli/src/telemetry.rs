//! The log, and the lines that a command prints for people.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, RawLog};

/// Starts the log on standard error, so that standard output stays free for what commands print.
pub(crate) fn start_log(log: &RawLog) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .with_context(|| format!("failed to understand log.filter `{}`", log.filter))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error).context("failed to start the log"))
}

/// Prints a line for the person at the terminal, on standard error.
///
/// A closed terminal is no reason to fail, so an error is let go.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
