//! `vestibule signing-key`: the keys that this server signs with. None is ever printed.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use auth::{
    Operator, SigningKeys, UnixTime,
    signing_key::{KeptKeys, KeptSeed, KeyState, LEAD, OVERLAP, Rotation, id_of},
};
use serde_json::{Value, json};

use crate::{
    commands::{
        output::table,
        workplace::{Workplace, date},
    },
    compose::{
        now,
        signing::{self, Place},
    },
    telemetry::say,
};

/// What to do with signing keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SigningKey {
    /// Lists the keys by their names in the key set (`kid`), with what each is good for
    #[command(
        after_help = "Examples:\n  vestibule signing-key list\n  vestibule signing-key list --json"
    )]
    List,
    /// Makes a key in the database, which all servers publish at once, sign with after ten minutes, and put in the place of
    /// the one before it, which is believed for two hours more; nothing is started again
    #[command(
        after_help = "Examples:\n  vestibule signing-key rotate\n  vestibule signing-key rotate --forget-others   # one has leaked, or the secret is lost"
    )]
    Rotate {
        /// Signs at once, and removes all others, whether they can be read or not: addresses of files and tokens for MCP
        /// servers that were handed out before then end, and pages get new ones when they are loaded again
        #[arg(long)]
        forget_others: bool,
    },
    /// Puts the key of a file into the database, so that servers go on with it without the file
    #[command(
        after_help = "Example:\n  vestibule signing-key import data/signing.key\n\nThen take signing_key_file out of the configuration, move the file away at each node, and start it again."
    )]
    Import {
        /// The file that held the key so far
        file: PathBuf,
    },
}

/// Carries it out.
pub(crate) async fn run(command: SigningKey, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    match command {
        SigningKey::List => list(workplace).await,
        SigningKey::Rotate { forget_others } => rotate(forget_others, workplace).await,
        SigningKey::Import { file } => import(file, workplace).await,
    }
}

/// The keys in the database, and whoever is at work on them.
async fn in_database(workplace: &Workplace<'_>) -> anyhow::Result<(Operator, SigningKeys)> {
    let database = workplace.database().await?;
    let keys = signing::kept(&workplace.config, workplace.variables, &database)?;
    Ok((workplace.operator().await?, keys))
}

async fn list(workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let config = &workplace.config;
    let place = match signing::place(config) {
        Place::Database => {
            let (_, keys) = in_database(workplace).await?;
            return print(&describe_kept(&keys.kept().await?), workplace);
        }
        Place::Variable(name) => format!("the variable {name}"),
        Place::File { path, .. } => path.display().to_string(),
    };
    let mut keys = Vec::new();
    if let Some(seeds) = signing::read(config, workplace.variables)? {
        for (seed, state) in std::iter::once((&seeds.first, "signs"))
            .chain(seeds.others.iter().map(|seed| (seed, "believed")))
        {
            keys.push(json!({
                "id": id_of(seed)?, "state": state, "place": place, "encrypted": false,
            }));
        }
    }
    print(&keys, workplace)
}

fn describe_kept(kept: &KeptKeys) -> Vec<Value> {
    let keys = kept.keys.iter().map(|key| {
        let mut value = json!({
            "id": key.id,
            "place": "the database",
            "encrypted": matches!(key.seed, KeptSeed::Sealed(_)),
        });
        let (state, time) = match kept.state(key) {
            KeyState::Signs => ("signs", None),
            KeyState::Next { from_ms } => ("next", Some(("signs_from", from_ms))),
            KeyState::Believed { until_ms } => ("believed", Some(("believed_until", until_ms))),
            KeyState::Over => ("over", None),
        };
        value["state"] = state.into();
        if let Some((name, at)) = time {
            value[name] = date(UnixTime::from_seconds(at.div_euclid(1_000))).into();
        }
        value
    });
    keys.collect()
}

fn print(keys: &[Value], workplace: &Workplace<'_>) -> anyhow::Result<()> {
    workplace.output.print(&json!({ "keys": keys }), |_| {
        table(
            ["ID", "STATE", "ENCRYPTED", "PLACE"],
            keys.iter().map(|key| {
                let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
                let state = match text("state") {
                    state if state == "next" => format!("next, signs from {}", text("signs_from")),
                    state if key["believed_until"].is_string() => {
                        format!("{state} until {}", text("believed_until"))
                    }
                    state => state,
                };
                let is_encrypted = key["encrypted"] == true;
                let encrypted = if is_encrypted { "yes" } else { "no" };
                [text("id"), state, encrypted.to_owned(), text("place")]
            }),
            "There is no signing key yet; the first `vestibule serve` makes it.",
        )
    })
}

async fn rotate(forget_others: bool, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    match signing::place(&workplace.config) {
        Place::Database => {}
        Place::Variable(name) => bail!(
            "the key is in the variable {name}, and is replaced there: \"old,new\", then \"new,old\", then \"new\" two hours \
             later, each with a restart (docs/nodes.md)"
        ),
        Place::File { path, .. } => bail!(
            "the key is in {}, and is replaced there: the new one on a line below it, then above it, then alone two hours \
             later, each with a restart (docs/nodes.md)",
            path.display()
        ),
    }
    let (operator, keys) = in_database(workplace).await?;
    let rotation = if forget_others {
        Rotation::ForgetOthers
    } else {
        Rotation::Gentle
    };
    let id = operator.rotate_signing_key(&keys, rotation, now()).await?;
    let kept = describe_kept(&keys.kept().await?);
    workplace
        .output
        .print(&json!({ "id": id, "keys": kept }), |_| id.clone())?;
    if !workplace.output.is_json() {
        let minutes = |duration: Duration| duration.as_secs() / 60;
        say(&match rotation {
            Rotation::Gentle => format!(
                "all servers know it within seconds, and sign with it in {} min; the one before it is believed for {} min after \
                 that",
                minutes(LEAD),
                minutes(OVERLAP)
            ),
            Rotation::ForgetOthers => {
                "all servers sign with it within seconds; what the others signed has ended"
                    .to_owned()
            }
        });
    }
    Ok(())
}

async fn import(file: PathBuf, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let seeds = signing::read_file(&file)?;
    let seeds = seeds.with_context(|| format!("there is no file {}", file.display()))?;
    ensure!(
        seeds.others.is_empty(),
        "{} holds several keys: leave only the one that signs, once the others are not needed any more",
        file.display()
    );
    let (operator, keys) = in_database(workplace).await?;
    let id = operator
        .import_signing_key(&keys, &seeds.first, now())
        .await?;
    let is_encrypted = keys.has_secret();
    let value = json!({ "id": id, "encrypted": is_encrypted });
    workplace.output.print(&value, |_| id.clone())?;
    if !workplace.output.is_json() {
        let how = match signing::place(&workplace.config) {
            Place::Database => "a server that starts now signs with it".to_owned(),
            Place::Variable(_) => "take server.signing_key_env out of the configuration".to_owned(),
            Place::File { path, .. } => format!(
                "move {} away at each node, take server.signing_key_file out of the configuration where it is there, and start \
                 the servers again",
                path.display()
            ),
        };
        say(&format!("it is in the database; {how}"));
    }
    Ok(())
}
