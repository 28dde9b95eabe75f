//! The real clock, the real chance, and the signing key on disk.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, anyhow, ensure};
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

/// Reads the seed of the key that signs identities for MCP servers, and of the one that signs addresses of files; makes
/// it when it is missing.
pub(crate) fn signing_seed(config: &RawConfig, variables: &Variables) -> anyhow::Result<Seed> {
    let seed = match read_seed(config, variables)? {
        Some(seed) => seed,
        None => make_seed(&config.server.signing_key_file)?,
    };
    Ok(SecretBox::new(Box::new(seed)))
}

/// Makes a seed, unless another server was faster: then its key is the one that stays.
fn make_seed(path: &Path) -> anyhow::Result<[u8; 32]> {
    let seed = new_seed()?;
    match store::write_new_file(path, format!("{}\n", HEXLOWER.encode(&seed)).as_bytes()) {
        Ok(()) => Ok(seed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read_file(path)?.context("the signing key was there and is gone")
        }
        Err(error) => Err(error).with_context(|| format!("failed to write {}", path.display())),
    }
}

/// Reads the seed from the environment, where the configuration names a variable, else from its file; none where there is no
/// file. Says what to do about what is no key.
pub(crate) fn read_seed(
    config: &RawConfig,
    variables: &Variables,
) -> anyhow::Result<Option<[u8; 32]>> {
    let Some(name) = &config.server.signing_key_env else {
        return read_file(&config.server.signing_key_file);
    };
    let value = variables.get(name).with_context(|| {
        format!("server.signing_key_env names {name}, which is not set: `openssl rand -hex 32` makes a key")
    })?;
    let seed = from_hex(value.trim());
    // What it is instead is not repeated: it may be a key of something else.
    let seed = seed.map_err(|_| {
        anyhow!("{name}, which server.signing_key_env names, is not 64 hexadecimal digits")
    });
    seed.map(Some)
}

fn read_file(path: &Path) -> anyhow::Result<Option<[u8; 32]>> {
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
    from_hex(text.trim()).map(Some).with_context(|| {
        format!(
            "server.signing_key_file {} is not 64 hexadecimal digits: put it back from a copy, or remove it, and a new key \
             is made",
            path.display()
        )
    })
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

fn from_hex(text: &str) -> anyhow::Result<[u8; 32]> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes())?;
    bytes
        .try_into()
        .map_err(|_| anyhow::anyhow!("the length is wrong"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signing_key_is_made_once_and_stays() {
        let signing_key = |config: &RawConfig| {
            Signer::from_seed(&signing_seed(config, &Variables::from_iter([]))?)
                .map_err(anyhow::Error::from)
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
            let error = signing_key(&config).err().unwrap().to_string();
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
            read_seed(&config, &variables)
        };
        let digits = "0123456789abcdef".repeat(4);
        let seed = key(Some(&format!(" {digits}\n"))).unwrap().unwrap();
        assert_eq!(HEXLOWER.encode(&seed), digits);
        let missing = key(None).unwrap_err().to_string();
        assert!(missing.contains("openssl rand -hex 32"), "{missing}");
        let wrong = key(Some("hunter2")).unwrap_err();
        let wrong = format!("{wrong:#} {wrong:?}");
        assert!(wrong.contains("64 hexadecimal digits"), "{wrong}");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }
}
