//! `vestibule key`: server keys, for servers that know their users themselves.

use std::io::Read;

use anyhow::Context;
use auth::{audit::AuditEvent, ports::ServerKeyRecord};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    commands::{
        output::table,
        workplace::{EnvironmentArgument, Workplace, date},
    },
    compose::now,
};

/// More than any key has; what is longer is refused as one.
const MAX_INPUT_BYTES: u64 = 1024;

/// What to do with server keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    /// Makes a server key and prints it, once
    #[command(
        after_help = "Examples:\n  vestibule key create --label \"shop backend\"\n  vestibule key create --project shop --env test"
    )]
    Create {
        /// What it is for, in your words
        #[arg(long, default_value = "")]
        label: String,
        /// Keys of one project see the same users
        #[arg(long, default_value = "default")]
        project: String,
        /// Which environment it is for
        #[arg(long, default_value = "live")]
        env: EnvironmentArgument,
    },
    /// Takes in a key that was made elsewhere, read from standard input, so that a server that holds
    /// it changes nothing but the address
    #[command(
        after_help = "Examples:\n  vestibule key import --label \"shop backend\" < key.txt\n  printenv OPENAI_API_KEY | vestibule key import"
    )]
    Import {
        /// What it is for, in your words
        #[arg(long, default_value = "")]
        label: String,
        /// Keys of one project see the same users
        #[arg(long, default_value = "default")]
        project: String,
        /// Which environment it is for
        #[arg(long, default_value = "live")]
        env: EnvironmentArgument,
    },
    /// Lists server keys by their first characters
    List,
    /// Revokes a key; the sessions that it opened end at once
    Revoke {
        /// The id as it is listed, `key_…`
        id: String,
    },
}

/// Carries it out.
pub(crate) async fn run(command: Key, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let keys = workplace.keys().await?;
    match command {
        Key::Create {
            label,
            project,
            env,
        } => {
            let (key, record) = keys.create(&label, &project, env.into(), now()).await?;
            workplace.record_event(created(&record)).await?;
            let mut value = describe(&record);
            value["key"] = json!(key.expose_secret());
            workplace
                .output
                .print(&value, |_| key.expose_secret().to_owned())
        }
        Key::Import {
            label,
            project,
            env,
        } => {
            let key = read_key(std::io::stdin().lock())?;
            let record = keys
                .import(&key, &label, &project, env.into(), now())
                .await?;
            workplace.record_event(created(&record)).await?;
            workplace.output.print(&describe(&record), |_| {
                format!("imported {} as {}", record.hint, record.id)
            })
        }
        Key::List => {
            let records = keys.list().await?;
            let value = json!({"keys": records.iter().map(describe).collect::<Vec<_>>()});
            workplace.output.print(&value, |_| {
                table(
                    ["ID", "KEY", "PROJECT", "ENV", "STATE", "LABEL"],
                    records.iter().map(|key| {
                        [
                            key.id.clone(),
                            key.hint.clone(),
                            key.project.clone(),
                            key.environment.to_string(),
                            if key.revoked_at.is_some() { "revoked" } else { "live" }.to_owned(),
                            key.label.clone(),
                        ]
                    }),
                    "There is no server key. Make one:\n  vestibule key create --label \"my backend\"",
                )
            })
        }
        Key::Revoke { id } => {
            let is_revoked = keys.revoke(&id, now()).await?;
            anyhow::ensure!(
                is_revoked,
                "there is no live key {id}; see `vestibule key list`"
            );
            workplace
                .record_event(AuditEvent::KeyRevoked { key_id: id.clone() })
                .await?;
            workplace
                .output
                .print(&json!({"id": id, "revoked": true}), |_| {
                    format!("revoked {id}")
                })
        }
    }
}

/// Reads the key from one line. Never from the arguments: other users of the machine can see those.
fn read_key(input: impl Read) -> anyhow::Result<SecretString> {
    let mut text = String::new();
    input
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut text)
        .context("failed to read the key from standard input")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).into())
}

fn created(key: &ServerKeyRecord) -> AuditEvent {
    AuditEvent::KeyCreated {
        key_id: key.id.clone(),
    }
}

fn describe(key: &ServerKeyRecord) -> Value {
    json!({
        "id": key.id,
        "hint": key.hint,
        "label": key.label,
        "project": key.project,
        "environment": key.environment,
        "created_at": date(key.created_at),
        "revoked_at": key.revoked_at.map(date),
    })
}
