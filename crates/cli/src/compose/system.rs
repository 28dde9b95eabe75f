//! The real clock, the real chance, and the signing key on disk.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::Context;
use auth::{
    Signer, UnixTime,
    ports::{Random, SystemRandom},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use engine::ports::{Clock, Ids};
use protocol::Timestamp;
use secrecy::SecretBox;

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
pub(crate) fn signing_seed(path: &Path) -> anyhow::Result<Seed> {
    let seed = match fs::read_to_string(path) {
        Ok(text) => read_seed(text.trim()).with_context(|| {
            format!(
                "server.signing_key_file {} is not 64 hexadecimal digits",
                path.display()
            )
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed = new_seed()?;
            write_privately(path, &HEXLOWER.encode(&seed))
                .with_context(|| format!("failed to write {}", path.display()))?;
            seed
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!("failed to read server.signing_key_file {}", path.display())
            });
        }
    };
    Ok(SecretBox::new(Box::new(seed)))
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

/// Writes a new file that only this user can read, with its folder.
pub(crate) fn write_privately(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    Ok(())
}

fn read_seed(text: &str) -> anyhow::Result<[u8; 32]> {
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
        let signing_key =
            |path: &Path| Signer::from_seed(&signing_seed(path)?).map_err(anyhow::Error::from);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/signing.key");
        let first = signing_key(&path).unwrap();
        let second = signing_key(&path).unwrap();
        assert_eq!(first.key_id(), second.key_id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
        fs::write(&path, "rubbish").unwrap();
        assert!(signing_key(&path).is_err());
    }
}
