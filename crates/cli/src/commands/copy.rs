//! `vestibule copy`: moves a whole installation from one database to another, of either engine.

use serde_json::json;
use store::{CopyOptions, FilesPlace};
use tokio_util::task::TaskTracker;

use crate::{commands::workplace::Workplace, compose, telemetry::say};

/// Between two words about how far it is, in rows.
const TOLD_EVERY: u64 = 10_000;

/// Options of `copy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  DATABASE_URL=postgres://vestibule:PASSWORD@db.example.com/vestibule vestibule copy --from sqlite://data/vestibule.db\n  vestibule copy --from postgres://vestibule:PASSWORD@db.example.com/vestibule --to sqlite://new/vestibule.db --files-from data/files --files-to new/files\n\nStop the servers of both first. Then name the new address in storage.url or DATABASE_URL, and start again. The source is left as it is."
)]
pub(crate) struct Copy {
    /// The database that is copied; that of the configuration, where it is left out
    #[arg(long, value_name = "URL", required_unless_present = "to")]
    from: Option<String>,
    /// An empty database, whose tables are made, as a SQLite file is; that of the configuration, where it is left out
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The folder of files (storage.files), or `s3://BUCKET/PREFIX`, where they are to be in another place
    #[arg(long, value_name = "PLACE", requires = "files_to")]
    files_from: Option<FilesPlace>,
    /// The folder that it is to be, or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "PLACE", requires = "files_from")]
    files_to: Option<FilesPlace>,
    /// Goes on with a copy of the same source that was broken off
    #[arg(long)]
    resume: bool,
}

/// Carries it out. Whether all files could be read.
pub(crate) async fn run(command: &Copy, workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let tasks = TaskTracker::new();
    let open = |place: &Option<FilesPlace>| {
        let open = |place| compose::files_at(place, workplace.variables, &tasks);
        place.as_ref().map(open).transpose()
    };
    let places = open(&command.files_from)?.zip(open(&command.files_to)?);
    let configured = &*workplace.config.storage.url;
    let options = CopyOptions {
        from: command.from.as_deref().unwrap_or(configured),
        to: command.to.as_deref().unwrap_or(configured),
        files: places.as_ref().map(|(from, to)| (&**from, &**to)),
        resume: command.resume,
    };
    let (mut told_about, mut told) = ("", 0);
    let copied = store::copy(options, |table, rows| {
        if table != told_about || rows >= told + TOLD_EVERY {
            (told_about, told) = (table, rows);
            say(&format!("{table}: {rows}"));
        }
    })
    .await?;
    let is_whole = copied.damaged.is_empty();
    let value = json!({ "ok": is_whole, "copied": copied });
    workplace.output.print(&value, |_| {
        let rows = |name| {
            let found = copied.tables.iter().find(|(table, _)| *table == name);
            found.map_or(0, |(_, rows)| *rows)
        };
        let mut text = format!(
            "copied {} conversations with {} messages, {} sessions, {} keys and tokens, {} audit entries and {} files; both \
             databases were read again and hold the same",
            rows("threads"),
            rows("items"),
            rows("chat_sessions"),
            rows("server_keys") + rows("public_tokens"),
            rows("audit_log"),
            copied.files,
        );
        if !is_whole {
            text.push_str("\nmissing or spoiled where they were kept, and so not copied: ");
            text.push_str(&copied.damaged.join(", "));
        }
        text
    })?;
    Ok(is_whole)
}
