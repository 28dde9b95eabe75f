//! Copies what was written lately to its place in the file, beside the writer.
//!
//! Commits go to the end of a log (WAL mode). SQLite copies the log's pages to their places when there are enough of
//! them, and has whoever commits at that moment wait for the disk, and everybody behind them. A thread of its own does
//! it here; readers and the writer go on meanwhile (<https://sqlite.org/wal.html>, "passive").

use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use rusqlite::Connection;

use crate::error::Error;

/// How many pages of 4 KiB wait in the log before they are copied. Pages that many writes touch are copied once for all of
/// them; four times the number that SQLite takes.
const PAGES: i64 = 4_000;
/// How often it is looked after the log while something is written. In that time the busiest writer adds fewer pages than wait
/// anyhow.
const PAUSE: Duration = Duration::from_millis(100);
/// The same after it could not be copied, on a full disk say.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// The thread.
pub(super) struct Checkpointer {
    bell: Sender<()>,
    handle: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread. The connection is its own from now on.
    pub(super) fn start(connection: Connection) -> Result<Self, Error> {
        let (bell, rung) = async_channel::bounded(1);
        let handle = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &rung))
            .map_err(Error::internal)?;
        Ok(Self {
            bell,
            handle: Some(handle),
        })
    }

    /// Says that something was committed.
    pub(super) fn ring(&self) {
        // Where it has not been heard yet, it will be.
        let _ = self.bell.try_send(());
    }
}

impl Drop for Checkpointer {
    /// Waits for its connection to close, so that the file is free.
    fn drop(&mut self) {
        self.bell.close();
        if let Some(handle) = self.handle.take()
            && handle.join().is_err()
        {
            tracing::error!("the thread that copies the log panicked");
        }
    }
}

fn run(connection: &Connection, rung: &Receiver<()>) {
    let mut pause = PAUSE;
    while rung.recv_blocking().is_ok() {
        match copy_if_due(connection) {
            Ok(()) => pause = PAUSE,
            Err(error) => {
                // The writer meets the same when its turn comes, and tells those who wait for it.
                if pause == PAUSE {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "failed to copy recent writes to their places"
                    );
                }
                pause = LONG_PAUSE;
            }
        }
        thread::sleep(pause);
    }
}

fn copy_if_due(connection: &Connection) -> Result<(), Error> {
    let waiting: i64 = connection
        .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
        .query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))?;
    if waiting >= PAGES {
        connection
            .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
            .query_row([], |_row| Ok(()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{Options, sqlite::Sqlite};

    #[tokio::test]
    async fn a_long_log_is_copied_while_the_database_stays_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vestibule.db");
        let sqlite = Sqlite::open_file(&path, Options::default()).unwrap();
        let megabytes = PAGES * 4 / 1024 + 1;
        sqlite
            .write(|connection| {
                connection.execute_batch("CREATE TABLE much (data BLOB)")?;
                Ok(())
            })
            .await
            .unwrap();
        for _ in 0..megabytes {
            sqlite
                .write(|connection| {
                    connection.execute("INSERT INTO much VALUES (zeroblob(1 << 20))", [])?;
                    Ok(())
                })
                .await
                .unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        let mebibytes = |bytes: u64| i64::try_from(bytes >> 20).unwrap();
        while mebibytes(std::fs::metadata(&path).unwrap().len()) < megabytes - 1 {
            assert!(Instant::now() < deadline, "the log was not copied");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
