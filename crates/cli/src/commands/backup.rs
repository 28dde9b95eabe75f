//! `vestibule backup` and `vestibule restore`: everything that the server keeps, in a folder, and back.

use std::{fmt::Write, iter, path::PathBuf};

use anyhow::Context;
use serde_json::json;
use store::{FilesPlace, LocalFiles};

use crate::{commands::workplace::Workplace, compose::now};

/// Options of `backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  vestibule backup /backups/2026-11-29\n\nThe signing key is not part of it: a stolen backup opens nothing. Keep it as you keep other secrets, or let a new one be made. Files in a bucket (storage.files = \"s3://…\") stay there and are not part of it either."
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
    let place = &workplace.config.storage.files;
    let files = place.folder().map(LocalFiles::new);
    let backup = store::backup(&*database, files.as_ref(), &command.to)
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
        if let FilesPlace::Bucket(bucket) = place {
            let _ = write!(
                text,
                "\nfiles are in {bucket} and not in this backup: switch on the bucket's versioning, or copy it with tools of \
                 its own after each backup"
            );
        }
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
    let files = storage.files.folder().map(PathBuf::as_path);
    let restored = store::restore(&command.from, &storage.url, files, aside)
        .await
        .context("nothing was restored")?;
    let value = json!({ "backup": restored.backup, "moved": restored.moved });
    workplace.output.print(&value, |_| {
        let held = &restored.backup;
        let files = match &storage.files {
            FilesPlace::Folder(_) => format!(" and {} files", held.files),
            FilesPlace::Bucket(_) => String::new(),
        };
        let mut done = format!(
            "restored {} conversations with {} messages{files}; start the server",
            held.threads, held.items
        );
        if let FilesPlace::Bucket(bucket) = &storage.files
            && held.files > 0
        {
            let _ = write!(
                done,
                "\nthe {} files of the backup were left where they are: put all that is in {} into {bucket}, under the same \
                 names (`aws s3 sync`, `rclone copy`)",
                held.files,
                command.from.join("files").display()
            );
        }
        let moved = restored
            .moved
            .iter()
            .map(|moved| format!("what was there before is {}", moved.display()));
        iter::once(done).chain(moved).collect::<Vec<_>>().join("\n")
    })
}
