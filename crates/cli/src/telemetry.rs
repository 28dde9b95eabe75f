//! The log, and the lines that a command prints for people.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use crate::config::{LogFormat, RawLog};

/// The crates of this project, which print nothing that people say to each other, to models or to tools.
const OWN_CRATES: &[&str] = &[
    "auth",
    "engine",
    "protocol",
    "server",
    "store",
    "upstream",
    "vestibule",
];
/// Libraries that print what passes through them at every level.
const TALKATIVE_CRATES: &[&str] = &["rmcp"];

/// Starts the log on standard error, so that standard output stays free for what commands print.
pub(crate) fn start_log(log: &RawLog) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .with_context(|| format!("failed to understand log.filter `{}`", log.filter))?;
    let named = named_targets(&log.filter);
    let discreet =
        filter_fn(move |line| may_be_shown(line.target(), (*line.level()).into(), &named));
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    registry()
        .with(filter)
        .with(discreet)
        .with(lines)
        .try_init()
        .context("failed to start the log")
}

/// Whether a line may be shown at all, whatever level the filter asks for: libraries' warnings and
/// errors, and more than that only of those that the filter names. So `debug` on its own shows what
/// this server does and nothing of what people say.
fn may_be_shown(target: &str, level: LevelFilter, named: &[String]) -> bool {
    let of = |name: &str| {
        target
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    OWN_CRATES.iter().any(|name| of(name))
        || named.iter().any(|name| of(name))
        || (level <= LevelFilter::WARN && !TALKATIVE_CRATES.iter().any(|name| of(name)))
}

/// The targets that a filter's directives name, such as `rmcp` of `info,rmcp::service=debug`.
fn named_targets(filter: &str) -> Vec<String> {
    filter
        .split(',')
        .filter_map(|directive| {
            let end = directive.find(['=', '[']).unwrap_or(directive.len());
            let target = directive.get(..end)?.trim();
            let is_level = target.is_empty() || target.parse::<LevelFilter>().is_ok();
            (!is_level).then(|| target.to_owned())
        })
        .collect()
}

/// Prints a line for the person at the terminal, on standard error.
///
/// A closed terminal is no reason to fail, so an error is let go.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_opens_no_librarys_mouth() {
        for filter in [
            "info",
            "debug",
            "trace",
            "",
            "warn,server=trace",
            "[turn]=trace",
        ] {
            let named = named_targets(filter);
            let shown = |target, level| may_be_shown(target, level, &named);
            assert!(shown("server::around", LevelFilter::TRACE), "{filter}");
            assert!(shown("hyper::proto", LevelFilter::WARN), "{filter}");
            assert!(!shown("hyper::proto", LevelFilter::INFO), "{filter}");
            assert!(!shown("servers", LevelFilter::INFO), "{filter}");
            assert!(!shown("rmcp::service", LevelFilter::ERROR), "{filter}");
        }
    }

    #[test]
    fn a_library_that_is_named_is_shown() {
        let named = named_targets("info, rmcp::service=debug,hyper,h2[stream]=trace");
        assert_eq!(named, ["rmcp::service", "hyper", "h2"]);
        assert!(may_be_shown(
            "rmcp::service::client",
            LevelFilter::DEBUG,
            &named
        ));
        assert!(!may_be_shown("rmcp::transport", LevelFilter::ERROR, &named));
    }
}
