//! `vestibule user`: what a person may ask for by law, their data and to be forgotten.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use auth::identity::owner_key;
use engine::{
    Owner,
    ports::{FileId, Files},
};
use futures::TryStreamExt;
use protocol::AttachmentId;
use serde_json::json;
use store::{NewFile, Record};
use tokio_util::task::TaskTracker;

use crate::{
    commands::{
        output::{line, plain},
        workplace::{PersonArguments, Workplace},
    },
    compose::{self, now},
    telemetry::say,
};

/// What to do with a person's data.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum User {
    /// Prints everything that is kept about a person, one JSON record a line
    #[command(
        after_help = "Example:\n  vestibule user export --issuer https://id.example.com --subject 42 > ada.jsonl"
    )]
    Export {
        #[command(flatten)]
        person: PersonArguments,
        /// Also writes the files that the person sent into this folder, each under its attachment's id
        #[arg(long, value_name = "FOLDER")]
        files: Option<PathBuf>,
    },
    /// Removes everything that is kept about a person, at once and for good
    #[command(
        after_help = "Example:\n  vestibule user forget --issuer https://id.example.com --subject 42 --yes"
    )]
    Forget {
        #[command(flatten)]
        person: PersonArguments,
        /// Says that you mean it: there is no way back
        #[arg(long)]
        yes: bool,
    },
}

/// Carries it out.
/// Whether all of it could be read.
pub(crate) async fn run(command: User, workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let operator = workplace.operator().await?;
    match command {
        User::Export { person, files } => {
            let person = person.person();
            let database = workplace.database().await?;
            let owner = Owner::new(owner_key(person.issuer, person.subject));
            let mut attachments = Vec::new();
            let mut is_known = false;
            let mut unreadable = 0_u32;
            store::export_user(&*database, &owner, |record| -> anyhow::Result<()> {
                is_known = true;
                let record = match record {
                    Ok(record) => record,
                    Err(error) => {
                        unreadable += 1;
                        say(&format!("skipped: {:#}", anyhow::Error::from(error)));
                        return Ok(());
                    }
                };
                if let Record::Attachment {
                    id,
                    file,
                    sha256: Some(_),
                    ..
                } = &record
                {
                    attachments.push((id.clone(), *file));
                }
                line(&serde_json::to_string(&record)?)
            })
            .await?;
            // Nobody is written down only because somebody asked for them.
            if is_known {
                operator.exported(person, now()).await?;
            } else {
                say(&format!(
                    "Nothing is kept about {} of {}.",
                    plain(person.subject),
                    plain(person.issuer)
                ));
            }
            if let Some(folder) = files {
                let files =
                    compose::files(&workplace.config, workplace.variables, &TaskTracker::new())?;
                unreadable += write_files(&*files, &attachments, &folder).await?;
            }
            if unreadable > 0 {
                say(&format!(
                    "{unreadable} records or files could not be read and were left out; all others are there"
                ));
            }
            Ok(unreadable == 0)
        }
        User::Forget { person, yes } => {
            ensure!(
                yes,
                "this cannot be undone; say --yes to do it, or `user export` first"
            );
            let forgotten = operator.forget(person.person(), now()).await?;
            let value = json!({
                "attachments": forgotten.attachments,
                "files": forgotten.files,
                "threads": forgotten.threads,
                "chat_sessions": forgotten.chat_sessions,
                "visitors": forgotten.visitors,
            });
            workplace.output.print(&value, |_| {
                format!(
                    "removed {} threads, {} attachments and {} chat sessions",
                    forgotten.threads, forgotten.attachments, forgotten.chat_sessions
                )
            })?;
            Ok(true)
        }
    }
}

/// Copies files into a folder. Their names are ours: what a person called a file is in its record. Says how many are left
/// out: they could not be read, or others have their names.
async fn write_files(
    files: &dyn Files,
    attachments: &[(AttachmentId, FileId)],
    folder: &Path,
) -> anyhow::Result<u32> {
    let mut left_out = 0;
    for (id, file) in attachments {
        let path = folder.join(id.as_str());
        let copied = copy(files, *file, &path).await;
        let reason = copied.with_context(|| format!("failed to write {}", path.display()))?;
        let Some(reason) = reason else { continue };
        left_out += 1;
        say(&format!("skipped: the bytes of {}: {reason}", id.as_str()));
    }
    Ok(left_out)
}

/// Copies one file; why it is left out, where it is. Fails where the next one would, too.
async fn copy(files: &dyn Files, file: FileId, path: &Path) -> io::Result<Option<String>> {
    let is_there = || format!("there is a file {} already", path.display());
    if path.try_exists()? {
        return Ok(Some(is_there()));
    }
    let mut output = NewFile::begin(path)?;
    let mut bytes = match files.get(file).await {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Some(error.to_string())),
    };
    loop {
        match bytes.try_next().await {
            Ok(Some(chunk)) => output.write_all(&chunk)?,
            Ok(None) => break,
            Err(error) => return Ok(Some(error.to_string())),
        }
    }
    match output.publish() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Some(is_there())),
        published => published.map(|()| None),
    }
}
