//! `vestibule key`: server keys, for servers that know their users themselves.

use std::io::Read;

use anyhow::{Context, ensure};
use auth::ports::ServerKeyRecord;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    commands::{
        output::table,
        workplace::{EnvironmentArgument, Workplace, date, only_for_test, pages_of},
    },
    compose::now,
    telemetry::say,
};

/// More than any key has; what is longer is refused as one.
const MAX_INPUT_BYTES: u64 = 1024;

/// What to do with server keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    /// Makes a server key and prints it, once
    #[command(
        after_help = "Examples:\n  vestibule key create --label \"shop backend\"\n  vestibule key create --env test          # while the page is on localhost\n  vestibule key create --project shop"
    )]
    Create {
        /// What it is for, in your words
        #[arg(long, default_value = "")]
        label: String,
        /// Keys of one project see the same users
        #[arg(long, default_value = "default")]
        project: String,
        /// Which pages its sessions are for: live ones that people use, or those under development (all of localhost)
        #[arg(long, default_value = "live")]
        env: EnvironmentArgument,
    },
    /// Takes in a key that was made elsewhere, read from standard input, so that a server that holds
    /// it changes nothing but the address
    #[command(
        after_help = "Examples:\n  vestibule key import --label \"shop backend\" < key.txt\n  printenv OPENAI_API_KEY | vestibule key import\n  echo changeme | vestibule key import --weak --env test"
    )]
    Import {
        /// What it is for, in your words
        #[arg(long, default_value = "")]
        label: String,
        /// Keys of one project see the same users
        #[arg(long, default_value = "default")]
        project: String,
        /// Which pages its sessions are for: live ones that people use, or those under development (all of localhost)
        #[arg(long, default_value = "live")]
        env: EnvironmentArgument,
        /// Takes a key that could be guessed, for trying out only
        #[arg(long)]
        weak: bool,
    },
    /// Lists server keys by their first characters
    #[command(after_help = "Examples:\n  vestibule key list\n  vestibule key list --json")]
    List,
    /// Revokes a key; the sessions that it opened end at once
    #[command(after_help = "Example:\n  vestibule key revoke key_…")]
    Revoke {
        /// The id as it is listed, `key_…`
        id: String,
    },
}

/// Carries it out.
pub(crate) async fn run(command: Key, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let operator = workplace.operator().await?;
    match command {
        Key::Create {
            label,
            project,
            env,
        } => {
            let created = operator.create_key(&label, &project, env.into(), now());
            let (key, record) = created.await?;
            let mut value = describe(&record);
            value["key"] = json!(key.expose_secret());
            workplace
                .output
                .print(&value, |_| key.expose_secret().to_owned())?;
            if !workplace.output.is_json() {
                let environment = record.environment;
                say(&format!(
                    "a {environment} key of the project {}: its sessions are for {}",
                    record.project,
                    pages_of(environment)
                ));
            }
            Ok(())
        }
        Key::Import {
            label,
            project,
            env,
            weak,
        } => {
            if weak {
                only_for_test("--weak", env)?;
            }
            let key = read_key(std::io::stdin().lock())?;
            let record = if weak {
                let imported = operator.import_weak_key(&key, &label, &project, now());
                imported.await?
            } else {
                let imported = operator.import_key(&key, &label, &project, env.into(), now());
                imported.await?
            };
            workplace.output.print(&describe(&record), |_| {
                let environment = record.environment;
                format!(
                    "imported {} as {}, a {environment} key: its sessions are for {}",
                    record.hint,
                    record.id,
                    pages_of(environment)
                )
            })
        }
        Key::List => {
            let records = operator.keys().await?;
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
            let is_revoked = operator.revoke_key(&id, now()).await?;
            anyhow::ensure!(
                is_revoked,
                "there is no live key {id}; see `vestibule key list`"
            );
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
    ensure!(
        !line.trim().is_empty(),
        "nothing came in on standard input; give the key there: `printenv OPENAI_API_KEY | vestibule key import` (is the \
         variable set?), or `vestibule key import < key.txt`"
    );
    Ok(line.strip_suffix('\r').unwrap_or(line).into())
}

fn describe(key: &ServerKeyRecord) -> Value {
    json!({
        "id": key.id,
        "hint": key.hint,
        "label": key.label,
        "project": key.project,
        "environment": key.environment,
        "for": pages_of(key.environment),
        "created_at": date(key.created_at),
        "revoked_at": key.revoked_at.map(date),
    })
}
