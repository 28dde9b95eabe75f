//! Whether the files that were opened are still the ones at their place.
//!
//! A file that was deleted or replaced can still be written by whoever has it open, and what is written is gone when they
//! close it. SQLite does not notice, so the writer looks before each commit.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// What SQLite has open of one database: the file, the log of recent writes, and that log's index.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// The files of one open database, and which ones they were.
#[derive(Debug, Default)]
pub(super) struct Place {
    files: Vec<(PathBuf, Identity)>,
}

impl Place {
    /// The files as they are now. Call it once SQLite has made them; they stay the same until the last connection closes.
    pub(super) fn of(database: &Path) -> Result<Self, Error> {
        let mut files = Vec::with_capacity(SUFFIXES.len());
        for suffix in SUFFIXES {
            let path = beside(database, suffix);
            match Identity::of(&path) {
                Ok(identity) => files.push((path, identity)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::internal(error)),
            }
        }
        Ok(Self { files })
    }

    /// Fails with [`Error::Lost`] when one of the files is gone, or another one is in its place.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (path, opened) in &self.files {
            if !Identity::of(path).is_ok_and(|found| found == *opened) {
                return Err(Error::Lost { file: path.clone() });
            }
        }
        Ok(())
    }
}

/// A path with something behind its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Tells a file from others that had or will have its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// Elsewhere, a file that is open can neither be removed nor replaced.
    #[cfg(not(unix))]
    fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|_metadata| Self {})
    }
}
