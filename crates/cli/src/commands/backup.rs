//! `vestibule backup` and `vestibule restore`: everything that the server keeps, in a folder, and back.

use std::{iter, path::PathBuf};

use anyhow::Context;
use serde_json::json;
use store::LocalFiles;

use crate::{commands::workplace::Workplace, compose::now};

/// Options of `backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  vestibule backup /backups/2026-11-29\n\nThe signing key is not part of it: a stolen backup opens nothing. Keep it as you keep other secrets, or let a new one be made."
)]
pub(crate) struct Backup {
    /// A new folder
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
}

/// Options of `restore`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vestibule restore /backups/2026-11-29")]
pub(crate) struct Restore {
    /// The folder that `backup` made
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
    /// Moves what is there aside, under another name; otherwise nothing is done where something is
    #[arg(long)]
    force: bool,
}

/// Makes a backup. Whether all files could be read.
pub(crate) async fn run(command: &Backup, workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let database = workplace.database().await?;
    let files = LocalFiles::new(&workplace.config.storage.files);
    let backup = store::backup(&*database, &files, &command.to)
        .await
        .context("no backup was made")?;
    let is_whole = backup.damaged.is_empty();
    let value = json!({ "folder": command.to, "ok": is_whole, "backup": backup });
    workplace.output.print(&value, |_| {
        let mut text = format!(
            "{} holds {} conversations with {} messages and {} files; all of it was read back",
            command.to.display(),
            backup.threads,
            backup.items,
            backup.files
        );
        if !is_whole {
            text.push_str("\nmissing or spoiled where the server keeps files, and so not in it: ");
            text.push_str(&backup.damaged.join(", "));
        }
        text
    })?;
    Ok(is_whole)
}

/// Puts a backup in its place.
pub(crate) async fn restore(command: &Restore, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let storage = &workplace.config.storage;
    let aside = format!(".replaced-{}", now().seconds());
    let aside = command.force.then_some(&*aside);
    let restored = store::restore(&command.from, &storage.url, &storage.files, aside)
        .await
        .context("nothing was restored")?;
    let value = json!({ "backup": restored.backup, "moved": restored.moved });
    workplace.output.print(&value, |_| {
        let done = format!(
            "restored {} conversations with {} messages and {} files; start the server",
            restored.backup.threads, restored.backup.items, restored.backup.files
        );
        let moved = restored
            .moved
            .iter()
            .map(|moved| format!("what was there before is {}", moved.display()));
        iter::once(done).chain(moved).collect::<Vec<_>>().join("\n")
    })
}
