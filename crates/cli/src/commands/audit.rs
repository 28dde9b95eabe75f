//! `vestibule audit`: who came in, what was refused, and who changed what.

use std::{num::NonZero, time::Duration};

use anyhow::Context;
use auth::{
    Operator, UnixTime,
    audit::{Actor, AuditEntry, AuditEvent, AuditQuery, Door},
};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use crate::{
    commands::{
        output::{line, row_line, table},
        workplace::{Workplace, date},
    },
    compose::now,
};

/// Entries that are read at a time.
const PAGE: u32 = 500;
/// Entries that a person is shown unless they say how many.
const SHOWN: usize = 100;
/// How often `--follow` looks for new entries.
const LOOK: Duration = Duration::from_millis(500);

/// Which entries to show.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  vestibule audit --since 24h --kind refused\n  vestibule audit --user 42 --issuer https://id.example.com\n  vestibule audit --json > audit.jsonl\n  vestibule audit --follow"
)]
pub(crate) struct Audit {
    /// Only entries since then: a time like 2026-11-30T12:00:00Z, or how long ago, like 30m, 24h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only entries from before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only entries of this kind
    #[arg(long, value_parser = PossibleValuesParser::new(AuditEvent::KINDS), hide_possible_values = true)]
    kind: Option<String>,
    /// Only entries about this user (`sub`; for a visitor `vis_…`)
    #[arg(long, value_name = "SUBJECT")]
    user: Option<String>,
    /// Only users of this issuer (`iss`; for visitors `visitor:<token id>`)
    #[arg(long, requires = "user")]
    issuer: Option<String>,
    /// Only what came by this door
    #[arg(long, value_parser = PossibleValuesParser::new(Door::ALL.map(Door::as_str)))]
    door: Option<String>,
    /// Only what concerns this chat session, `cksess_…`
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The newest so many; by default 100, and with --json all
    #[arg(long, value_name = "N")]
    limit: Option<NonZero<usize>>,
    /// Goes on with new entries as they come, until it is stopped
    #[arg(long)]
    follow: bool,
}

/// Carries it out.
pub(crate) async fn run(command: Audit, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let operator = workplace.operator().await?;
    let is_json = workplace.output.is_json();
    let mut query = query(&command)?;
    if is_json && command.limit.is_none() {
        print_rest(&operator, &mut query, is_json).await?;
    } else {
        let limit = command.limit.map_or(SHOWN, NonZero::get);
        let entries = newest(&operator, &query, limit).await?;
        query.after = entries.last().map(|entry| entry.id);
        if is_json {
            print_each(&entries, is_json)?;
        } else {
            line(&table(
                HEADING,
                entries.iter().map(row),
                "No entry matches.",
            ))?;
        }
    }
    if command.follow {
        loop {
            tokio::time::sleep(LOOK).await;
            print_rest(&operator, &mut query, is_json).await?;
        }
    }
    Ok(())
}

fn query(command: &Audit) -> anyhow::Result<AuditQuery> {
    let time = |text: &Option<String>| text.as_deref().map(point_in_time).transpose();
    Ok(AuditQuery {
        since: time(&command.since)?,
        until: time(&command.until)?,
        kind: command.kind.clone(),
        door: Door::ALL
            .into_iter()
            .find(|door| command.door.as_deref() == Some(door.as_str())),
        issuer: command.issuer.clone(),
        subject: command.user.clone(),
        session_id: command.session.clone(),
        is_newest_first: false,
        after: None,
    })
}

/// A time as RFC 3339 writes it, or a number of seconds, minutes, hours or days ago.
fn point_in_time(text: &str) -> anyhow::Result<UnixTime> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(UnixTime::from_seconds(time.as_second()));
    }
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    units
        .into_iter()
        .find_map(|(unit, seconds)| {
            let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
            Some(now().minus(Duration::from_secs(u64::from(count) * seconds)))
        })
        .with_context(|| {
            format!("`{text}` is no time; give one like 2026-11-30T12:00:00Z, or 30m, 24h, 7d")
        })
}

/// The newest entries, oldest first.
async fn newest(
    operator: &Operator,
    query: &AuditQuery,
    limit: usize,
) -> anyhow::Result<Vec<AuditEntry>> {
    let mut query = AuditQuery {
        is_newest_first: true,
        ..query.clone()
    };
    let mut entries = Vec::new();
    while entries.len() < limit {
        let page = u32::try_from(limit - entries.len()).map_or(PAGE, |left| left.min(PAGE));
        let more = operator.audit(&query, page).await?;
        let Some(last) = more.last() else { break };
        query.after = Some(last.id);
        entries.extend(more);
    }
    entries.reverse();
    Ok(entries)
}

/// Prints what comes after the query's last entry, oldest first, without ever holding all of it.
async fn print_rest(
    operator: &Operator,
    query: &mut AuditQuery,
    is_json: bool,
) -> anyhow::Result<()> {
    loop {
        let entries = operator.audit(query, PAGE).await?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        query.after = Some(last.id);
        print_each(&entries, is_json)?;
    }
}

fn print_each(entries: &[AuditEntry], is_json: bool) -> anyhow::Result<()> {
    for entry in entries {
        line(&if is_json {
            describe(entry)?.to_string()
        } else {
            row_line(row(entry))
        })?;
    }
    Ok(())
}

/// An entry as one JSON object, with the time as people read it.
fn describe(entry: &AuditEntry) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(entry)?;
    value["at"] = json!(date(entry.record.at));
    Ok(value)
}

const HEADING: [&str; 7] = ["ID", "TIME", "KIND", "DOOR", "USER", "FROM", "DETAILS"];

fn row(entry: &AuditEntry) -> [String; 7] {
    let record = &entry.record;
    let from = [&record.address, &record.origin];
    [
        entry.id.to_string(),
        date(record.at),
        record.event.kind().to_owned(),
        record.door.map_or("-", Door::as_str).to_owned(),
        record.user.as_ref().map_or("-".to_owned(), |user| {
            format!("{} ({})", user.subject, user.issuer)
        }),
        match from.into_iter().flatten().cloned().collect::<Vec<_>>() {
            from if from.is_empty() => "-".to_owned(),
            from => from.join(" "),
        },
        details(entry),
    ]
}

/// The fields of the event itself, and what else there is to say.
fn details(entry: &AuditEntry) -> String {
    let record = &entry.record;
    let mut words = Vec::new();
    if let Ok(Value::Object(fields)) = serde_json::to_value(&record.event) {
        let fields = fields.into_iter().filter(|(name, _)| name != "kind");
        words.extend(fields.map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        }));
    }
    words.extend(record.session_id.as_ref().map(|id| format!("session={id}")));
    words.extend(record.actor.as_ref().map(|actor| match actor {
        Actor::Operator(name) => format!("by {name}"),
        Actor::ServerKey(id) => format!("by {id}"),
        Actor::Issuer(issuer) => format!("by {issuer}"),
    }));
    if record.count > 1 {
        words.push(format!("{} times", record.count));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_how_long_ago() {
        let date = point_in_time("1970-01-02T00:00:00Z").unwrap();
        assert_eq!(date, UnixTime::from_seconds(86_400));
        for (text, seconds) in [
            ("30s", 30),
            ("30m", 1_800),
            ("24h", 86_400),
            ("7d", 604_800),
        ] {
            let ago = now().since(point_in_time(text).unwrap()).as_secs();
            assert!((seconds..seconds + 60).contains(&ago), "{text}: {ago}");
        }
        for text in ["", "h", "-1h", "1 h", "yesterday", "1w", "99999999999d"] {
            let error = point_in_time(text).unwrap_err().to_string();
            assert!(error.contains("24h"), "{text}: {error}");
        }
    }
}
