//! The keys that this server signs with: in a variable or a file where the configuration names one, in the database where
//! several nodes share it, else in a file that is made.

use std::{fs, io::ErrorKind, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use auth::{
    Seeds, Signing, SigningKeys,
    signing_key::{KnownKeys, SealingSecret, Seed},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use store::Database;
use tokio::time::{Instant, sleep};

use crate::{
    compose::{random, system::new_seed},
    config::{self, RawConfig, Variables},
    rights,
    telemetry::say,
};

/// Most keys that are believed at a time: two while one is replaced, and room for a mistake.
const MOST_KEYS: usize = 4;
/// How often a node looks for keys that were added: long before anybody signs with them.
const LOOK: Duration = Duration::from_secs(5);

/// Where the keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'config> {
    /// In the variable of this name.
    Variable(&'config str),
    /// In this file.
    File {
        path: &'config Path,
        /// Nothing names it: it is from before the database held keys.
        is_from_before: bool,
    },
    /// In the database, for all nodes.
    Database,
}

/// Where the configuration has the keys. A file that is there stays in force: what it signed is believed by no other key.
pub(crate) fn place(config: &RawConfig) -> Place<'_> {
    let server = &config.server;
    if let Some(name) = &server.signing_key_env {
        return Place::Variable(name);
    }
    if let Some(path) = &server.signing_key_file {
        return Place::File {
            path,
            is_from_before: false,
        };
    }
    let path = &server.usual_key_file;
    let is_shared = store::is_shared(&config.storage.url);
    // One that cannot be looked at is read, which says why.
    if is_shared && !path.try_exists().unwrap_or(true) {
        return Place::Database;
    }
    Place::File {
        path,
        is_from_before: is_shared,
    }
}

/// What to do about a file that nothing names, beside a database that could hold the key.
pub(crate) fn how_to_move(path: &Path) -> String {
    format!(
        "the signing key is in {0}, from before the database held it, and other nodes need the same file: `vestibule signing-key \
         import {0}` puts it into the database, then move the file away at each node and start it again; to keep the file, \
         name it in server.signing_key_file",
        path.display()
    )
}

/// Reads the keys that are not in the database, and makes the one in a file; for those in the database, stands in with one
/// that nobody knows, until [`open`].
pub(crate) fn at_start(config: &RawConfig, variables: &Variables) -> anyhow::Result<Signing> {
    let seeds = match place(config) {
        Place::Variable(_) => read(config, variables)?,
        Place::File {
            path,
            is_from_before,
        } => {
            if is_from_before {
                tracing::warn!("{}", how_to_move(path));
            }
            match read_file(path)? {
                Some(seeds) => Some(seeds),
                None => Some(make_file(path)?),
            }
        }
        Place::Database => {
            secret(config, variables)?;
            None
        }
    };
    let seeds = seeds.map_or_else(|| throwaway().map(Seeds::alone), Ok)?;
    Ok(Signing::new(&seeds)?)
}

/// Goes on with the keys of the database, where they are there; what is returned keeps them up to date.
pub(crate) async fn open(
    signing: &Signing,
    config: &RawConfig,
    variables: &Variables,
    store: &Arc<dyn Database>,
) -> anyhow::Result<Option<Follower>> {
    if place(config) != Place::Database {
        return Ok(None);
    }
    let keys = kept(config, variables, store)?;
    let began = Instant::now();
    let (known, is_new) = keys.start().await?;
    if is_new {
        say("made a new signing key in the database, for all nodes");
    }
    let mut follower = Follower {
        keys,
        signing: signing.clone(),
        known,
        read_at: began,
        in_force: Vec::new(),
    };
    follower.apply()?;
    Ok(Some(follower))
}

/// The keys in the database.
pub(crate) fn kept(
    config: &RawConfig,
    variables: &Variables,
    store: &Arc<dyn Database>,
) -> anyhow::Result<SigningKeys> {
    let secret = secret(config, variables)?;
    let store = Arc::clone(store).signing_keys();
    let store = store.context("this database holds no signing keys: PostgreSQL does")?;
    Ok(SigningKeys::new(store, random(), secret))
}

/// The secret that encrypts keys in the database, where the configuration names one.
fn secret(config: &RawConfig, variables: &Variables) -> anyhow::Result<Option<SealingSecret>> {
    let name = config.server.signing_key_secret_env.as_deref();
    let secret = config::secret("server.signing_key_secret", variables, name, None)?;
    let secret = secret.map(SealingSecret::new).transpose();
    secret.context(
        "the secret in the variable that server.signing_key_secret_env names cannot be used",
    )
}

/// Keeps the keys of a running server those of the database.
pub(crate) struct Follower {
    keys: SigningKeys,
    signing: Signing,
    known: KnownKeys,
    read_at: Instant,
    /// The ids of the keys that the server works with, the one that signs first.
    in_force: Vec<String>,
}

impl Follower {
    /// Runs for ever. While the database cannot be read, or holds what cannot be, the keys that are known go on, and take
    /// their turns when it is time.
    pub(crate) async fn run(mut self) {
        let mut is_failing = false;
        loop {
            sleep(LOOK).await;
            let began = Instant::now();
            let trouble = match self.keys.read().await {
                Ok(Some(known)) => {
                    (self.known, self.read_at) = (known, began);
                    None
                }
                Ok(None) => Some("there is none in the database any more".to_owned()),
                Err(error) => Some(format!("{:#}", anyhow::Error::from(error))),
            };
            match &trouble {
                Some(trouble) if !is_failing => {
                    tracing::warn!(
                        trouble,
                        "the signing keys cannot be read; those that are known go on"
                    );
                }
                None if is_failing => tracing::info!("the signing keys can be read again"),
                Some(_) | None => {}
            }
            is_failing = trouble.is_some();
            if let Err(error) = self.apply() {
                let error: &dyn std::error::Error = &error;
                tracing::error!(
                    error,
                    "the signing keys cannot be used; those from before go on"
                );
            }
        }
    }

    /// Works with what signs, and what is believed, by now.
    fn apply(&mut self) -> Result<(), auth::Error> {
        let Some((ids, seeds)) = self.known.seeds_after(self.read_at.elapsed()) else {
            return Ok(());
        };
        if ids == self.in_force {
            return Ok(());
        }
        self.signing.replace(&seeds)?;
        if !self.in_force.is_empty() {
            tracing::info!(signs = ids[0], believed = ?ids[1..], "the signing keys have changed");
        }
        self.in_force = ids.into_iter().map(str::to_owned).collect();
        Ok(())
    }
}

/// Reads the keys of the environment or of a file, where they are; none where there is no file, or they are in the database.
/// Says what to do about what is no key.
pub(crate) fn read(config: &RawConfig, variables: &Variables) -> anyhow::Result<Option<Seeds>> {
    let name = match place(config) {
        Place::Variable(name) => name,
        Place::File { path, .. } => return read_file(path),
        Place::Database => return Ok(None),
    };
    let value = variables.get(name).with_context(|| {
        format!("server.signing_key_env names {name}, which is not set: `openssl rand -hex 32` makes a key")
    })?;
    let seeds = parse(value).with_context(|| {
        format!("{name}, which server.signing_key_env names, holds no signing key")
    });
    seeds.map(Some)
}

/// The keys as they can be read now, wherever they are; none is made.
pub(crate) async fn at_hand(
    config: &RawConfig,
    variables: &Variables,
    store: Option<&Arc<dyn Database>>,
) -> anyhow::Result<Option<Seeds>> {
    let Some(store) = store.filter(|_| place(config) == Place::Database) else {
        return read(config, variables);
    };
    let known = kept(config, variables, store)?.read().await?;
    Ok(known.and_then(|known| Some(known.seeds_after(Duration::ZERO)?.1)))
}

/// A key for trying things out, which is kept nowhere.
pub(crate) fn throwaway() -> anyhow::Result<Seed> {
    Ok(Seed::new(Box::new(new_seed()?)))
}

/// Makes a seed in a file, unless another server was faster: then its key is the one that stays.
fn make_file(path: &Path) -> anyhow::Result<Seeds> {
    let seed = new_seed()?;
    match store::write_new_file(path, format!("{}\n", HEXLOWER.encode(&seed)).as_bytes()) {
        Ok(()) => Ok(Seeds::alone(Seed::new(Box::new(seed)))),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read_file(path)?.context("the signing key was there and is gone")
        }
        Err(error) => Err(error)
            .with_context(|| format!("failed to write {}{}", path.display(), advice(path))),
    }
}

/// What to do where rights are in the way, behind the name of a file.
fn advice(path: &Path) -> String {
    rights::obstacle(path).map_or_else(String::new, |advice| format!(" ({advice})"))
}

/// Reads the keys of a file; none where there is none.
pub(crate) fn read_file(path: &Path) -> anyhow::Result<Option<Seeds>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| {
            format!(
                "failed to read server.signing_key_file {}{}",
                path.display(),
                advice(path)
            )
        })?,
    };
    ensure!(
        !text.trim().is_empty(),
        "server.signing_key_file {} is empty: put it back from a copy, or remove it, and a new key is made (addresses of \
         files and tokens for MCP servers that were handed out before then end)",
        path.display()
    );
    parse(&text).map(Some).with_context(|| {
        format!(
            "server.signing_key_file {} holds no signing key: put it back from a copy, or remove it, and a new key is made",
            path.display()
        )
    })
}

/// Reads keys with spaces, commas or ends of lines between them. What is wrong is not repeated: it may be a key of something
/// else.
fn parse(text: &str) -> anyhow::Result<Seeds> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',');
    let mut seeds = words.filter(|word| !word.is_empty()).map(from_hex);
    let first = seeds.next().unwrap_or_else(|| from_hex(""))?;
    let others = seeds.collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(
        others.len() < MOST_KEYS,
        "there are more than {MOST_KEYS} keys: leave out those that nothing was signed with for a day"
    );
    Ok(Seeds { first, others })
}

fn from_hex(text: &str) -> anyhow::Result<Seed> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let seed = bytes.and_then(|bytes| bytes.try_into().ok());
    let seed = seed.context("a key is 64 hexadecimal digits")?;
    Ok(Seed::new(Box::new(seed)))
}

#[cfg(test)]
mod tests;
