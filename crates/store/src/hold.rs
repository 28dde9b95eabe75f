//! One server at a time for a database that is a file.
//!
//! Two would each take the other's answers for ones that were cut off, and answer what waits twice. Commands may work beside
//! a server; so it is no lock on the database itself, but on a file beside it, which the system lets go when the process
//! ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::durable;
use crate::error::Error;
use crate::sqlite::beside;

/// How often it is looked whether the other server has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// No other server has the database while this is there.
#[derive(Debug)]
pub struct Hold {
    /// None where the database is for several servers, and where there is no such file to be had.
    _file: Option<File>,
}

/// Takes the database that an address names for this server. Where another one has it, `waits` is told of the file, and the
/// other one has some time to end; then it fails with [`Error::Held`].
pub async fn hold(url: &str, patience: Duration, waits: impl FnOnce(&Path)) -> Result<Hold, Error> {
    let Some(database) = crate::file_of(url)? else {
        return Ok(Hold { _file: None });
    };
    let file = match open(&database) {
        Ok(file) => file,
        Err(error) => return Ok(unknown(&database, &error)),
    };
    let until = Instant::now() + patience;
    let mut waits = Some(waits);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Hold { _file: Some(file) }),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                if let Some(waits) = waits.take() {
                    waits(&database);
                }
                sleep(PAUSE).await;
            }
            Err(TryLockError::WouldBlock) => return Err(Error::Held { file: database }),
            Err(TryLockError::Error(error)) => return Ok(unknown(&database, &error)),
        }
    }
}

/// Where the folder cannot be written, or knows no locks, nobody can tell; opening the database says what else is wrong.
fn unknown(database: &Path, error: &std::io::Error) -> Hold {
    tracing::warn!(
        database = %database.display(),
        %error,
        "it cannot be told whether another server has the database"
    );
    Hold { _file: None }
}

fn open(database: &Path) -> std::io::Result<File> {
    durable::make_folder(database.parent().unwrap_or_else(|| Path::new("")))?;
    let path: PathBuf = beside(database, "-server");
    let mut file = OpenOptions::new();
    file.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        file.mode(0o600);
    }
    file.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_server_has_a_file_and_the_next_one_when_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/vestibule.db");
        let url = format!("sqlite://{}", file.display());
        let take = async |patience| {
            let mut has_waited = false;
            let held = hold(&url, patience, |_| has_waited = true).await;
            (held, has_waited)
        };
        let (first, has_waited) = take(Duration::ZERO).await;
        let first = first.unwrap();
        assert!(!has_waited);
        let (refused, has_waited) = take(2 * PAUSE).await;
        let refused = refused.unwrap_err();
        assert!(has_waited);
        assert!(refused.to_string().contains("vestibule.db"), "{refused}");
        // Commands open it all the same.
        crate::connect(&url, crate::Options::default())
            .await
            .unwrap();
        let ((second, _), ()) = tokio::join!(take(Duration::from_mins(1)), async { drop(first) });
        second.unwrap();
        let both = [
            hold("sqlite::memory:", Duration::ZERO, |_| {}).await,
            hold("sqlite::memory:", Duration::ZERO, |_| {}).await,
        ];
        assert!(both.iter().all(Result::is_ok));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn where_nothing_can_be_locked_nobody_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        // A file in the place of the folder.
        let place = folder.path().join("file");
        std::fs::write(&place, "").unwrap();
        let url = format!("sqlite://{}", place.join("vestibule.db").display());
        hold(&url, Duration::ZERO, |_| {}).await.unwrap();
    }
}
