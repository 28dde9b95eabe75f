//! The real clock, the real chance, and the signing key on disk.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, ensure};
use auth::{
    Signer, UnixTime,
    ports::{Random, SystemRandom},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use engine::ports::{Clock, Ids};
use protocol::Timestamp;
use secrecy::SecretBox;

use crate::config::{RawConfig, Variables};

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everything else takes as an argument"
        )]
        let now = jiff::Timestamp::now();
        now.into()
    }
}

/// Now, in seconds, for commands.
pub(crate) fn now() -> UnixTime {
    UnixTime::from_seconds(SystemClock.now().as_jiff().as_second())
}

/// UUIDs of version 7: they begin with the time, and are never the same twice.
pub(crate) struct SystemIds;

impl Ids for SystemIds {
    fn next(&self) -> u128 {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the source that everything else takes as an argument"
        )]
        let id = uuid::Uuid::now_v7();
        id.as_u128()
    }
}

/// The seed of this server's own signatures.
pub(crate) type Seed = SecretBox<[u8; 32]>;

/// What this server signs with, and what else it believes.
pub(crate) struct Seeds {
    pub(crate) first: Seed,
    pub(crate) others: Vec<Seed>,
}

/// Most keys that are believed at a time: two while one is replaced, and room for a mistake.
const MOST_KEYS: usize = 4;

/// Reads the seed of the key that signs identities for MCP servers, and of the one that signs addresses of files; makes
/// it when it is missing.
pub(crate) fn signing_seeds(config: &RawConfig, variables: &Variables) -> anyhow::Result<Seeds> {
    match read_seeds(config, variables)? {
        Some(seeds) => Ok(seeds),
        None => make_seed(&config.server.signing_key_file),
    }
}

/// Makes a seed, unless another server was faster: then its key is the one that stays.
fn make_seed(path: &Path) -> anyhow::Result<Seeds> {
    let seed = new_seed()?;
    match store::write_new_file(path, format!("{}\n", HEXLOWER.encode(&seed)).as_bytes()) {
        Ok(()) => Ok(Seeds {
            first: SecretBox::new(Box::new(seed)),
            others: Vec::new(),
        }),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read_file(path)?.context("the signing key was there and is gone")
        }
        Err(error) => Err(error).with_context(|| format!("failed to write {}", path.display())),
    }
}

/// Reads the seeds from the environment, where the configuration names a variable, else from its file; none where there is
/// no file. Says what to do about what is no key.
pub(crate) fn read_seeds(
    config: &RawConfig,
    variables: &Variables,
) -> anyhow::Result<Option<Seeds>> {
    let Some(name) = &config.server.signing_key_env else {
        return read_file(&config.server.signing_key_file);
    };
    let value = variables.get(name).with_context(|| {
        format!("server.signing_key_env names {name}, which is not set: `openssl rand -hex 32` makes a key")
    })?;
    let seeds = parse(value).with_context(|| {
        format!("{name}, which server.signing_key_env names, holds no signing key")
    });
    seeds.map(Some)
}

fn read_file(path: &Path) -> anyhow::Result<Option<Seeds>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| {
            format!("failed to read server.signing_key_file {}", path.display())
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

/// A key for trying things out, which is kept nowhere.
pub(crate) fn throwaway_key() -> anyhow::Result<Signer> {
    Ok(Signer::from_seed(&SecretBox::new(Box::new(new_seed()?)))?)
}

/// 32 random bytes.
pub(crate) fn new_seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRandom.fill(&mut seed)?;
    Ok(seed)
}

fn from_hex(text: &str) -> anyhow::Result<Seed> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let seed = bytes.and_then(|bytes| bytes.try_into().ok());
    let seed = seed.context("a key is 64 hexadecimal digits")?;
    Ok(SecretBox::new(Box::new(seed)))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_signing_key_is_made_once_and_stays() {
        let signing_key = |config: &RawConfig| {
            let seeds = signing_seeds(config, &Variables::from_iter([]))?;
            Signer::from_seed(&seeds.first).map_err(anyhow::Error::from)
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/signing.key");
        let mut config = RawConfig::default();
        config.server.signing_key_file = path.clone();
        let first = signing_key(&config).unwrap();
        let second = signing_key(&config).unwrap();
        assert_eq!(first.key_id(), second.key_id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
        for (content, expected) in [("rubbish", "64 hexadecimal digits"), ("", "is empty")] {
            fs::write(&path, content).unwrap();
            let error = signing_key(&config).err().unwrap();
            let error = format!("{error:#}");
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_signing_key_of_the_environment_is_the_same_everywhere() {
        let mut config = RawConfig::default();
        config.server.signing_key_env = Some("KEY".to_owned());
        let key = |value: Option<&str>| {
            let variables = value.map(|value| ("KEY".to_owned(), value.to_owned()));
            let variables = variables.into_iter().collect();
            read_seeds(&config, &variables)
        };
        let digits = "0123456789abcdef".repeat(4);
        let show = |seed: &Seed| HEXLOWER.encode(seed.expose_secret());
        let seeds = key(Some(&format!(" {digits}\n"))).unwrap().unwrap();
        assert_eq!(show(&seeds.first), digits);
        assert!(seeds.others.is_empty());
        // While it is replaced.
        let next = "f".repeat(64);
        for between in [",", " , ", "\n", "\r\n"] {
            let seeds = key(Some(&format!("{next}{between}{digits}\n")));
            let seeds = seeds.unwrap().unwrap();
            assert_eq!(show(&seeds.first), next);
            assert_eq!(
                seeds.others.iter().map(show).collect::<Vec<_>>(),
                std::slice::from_ref(&digits)
            );
        }
        let missing = key(None).err().unwrap().to_string();
        assert!(missing.contains("openssl rand -hex 32"), "{missing}");
        for value in [
            "hunter2",
            ",",
            &format!("{digits},hunter2"),
            &format!("{digits} ").repeat(5),
        ] {
            let wrong = key(Some(value)).err().unwrap();
            let wrong = format!("{wrong:#} {wrong:?}");
            let says_why = ["64 hexadecimal digits", "more than 4 keys"];
            assert!(says_why.iter().any(|why| wrong.contains(why)), "{wrong}");
            assert!(
                !wrong.contains("hunter2") && !wrong.contains(&digits),
                "{wrong}"
            );
        }
    }
}
