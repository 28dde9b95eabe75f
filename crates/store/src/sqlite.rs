//! SQLite: the database inside the binary, one file, for one node.
//!
//! - `sqlite/queue.rs`: the threads that speak with the database
//! - `sqlite/threads.rs`: conversations
//! - `sqlite/attachments.rs`: what is known about files
//! - `sqlite/credentials.rs`: what lets people in, with the SQL in the modules below it
//! - `sqlite/audit.rs`: what happened, append-only
//! - `sqlite/examine.rs`: whether a file is sound
//! - `sqlite/upkeep.rs`: what an operator needs
//! - `sqlite/schema.rs`, `migrations/sqlite/`: the tables

mod attachments;
mod audit;
mod credentials;
mod examine;
mod queue;
mod schema;
mod threads;
mod upkeep;

#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, OpenOptions};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::error::Error;
pub(crate) use crate::sqlite::examine::examine;
use crate::sqlite::queue::{Readers, Writer};
use crate::{Durability, Options};

/// Reading threads beyond this many gain nothing: pages come from memory.
const MAX_READERS: usize = 4;
/// Every statement of this crate fits, so that none is ever prepared twice on a connection.
const STATEMENT_CACHE: usize = 128;

/// How many pages of 4 KiB the log of recent writes has before they are copied to their places. Pages that many writes
/// touch are copied once for all of them, and what is waited for is the disk; four times SQLite's own number.
const CHECKPOINT_PAGES: u32 = 4_000;

/// A SQLite database.
pub(crate) struct Sqlite {
    writer: Writer,
    /// None for a database in memory, which is one connection's own: the writer reads for everybody.
    readers: Option<Readers>,
}

impl Sqlite {
    /// Opens a file, and makes it with its folder when it is not there. Blocks.
    pub(crate) fn open_file(path: &Path, options: Options) -> Result<Self, Error> {
        create_privately(path).map_err(Error::internal)?;
        let mut writer = connect(path, options)?;
        schema::prepare(&mut writer, options.migrations)?;
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let readers = (0..count.min(MAX_READERS))
            .map(|_| {
                let reader = connect(path, options)?;
                reader.pragma_update(None, "query_only", true)?;
                Ok(reader)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            writer: Writer::start(writer, options.patience)?,
            readers: Some(Readers::start(readers, options.patience)?),
        })
    }

    /// Opens an empty database that is gone when it is closed.
    pub(crate) fn open_memory(options: Options) -> Result<Self, Error> {
        let mut connection = Connection::open_in_memory()?;
        configure(&connection, options)?;
        schema::prepare(&mut connection, options.migrations)?;
        Ok(Self {
            writer: Writer::start(connection, options.patience)?,
            readers: None,
        })
    }

    /// Runs work that may change something; see [`Writer::run`].
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer.run(work).await
    }

    /// Runs work that only reads; see [`Readers::run`].
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match &self.readers {
            Some(readers) => readers.run(work).await,
            None => self.writer.run(work).await,
        }
    }
}

/// Makes the file and its folder for this user only: it holds conversations.
/// What exists keeps the rights that the operator gave it.
fn create_privately(path: &Path) -> std::io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    let mut file = OpenOptions::new();
    file.write(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent() {
        folder.create(parent)?;
    }
    file.open(path).map(drop)
}

fn connect(path: &Path, options: Options) -> Result<Connection, Error> {
    // The path is a path: `file:` and `?` mean nothing in it.
    let path: PathBuf = std::path::absolute(path).map_err(Error::internal)?;
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE
        | rusqlite::OpenFlags::SQLITE_OPEN_CREATE
        | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    #[cfg(test)]
    tests::record_statements_of(&connection);
    configure(&connection, options)?;
    enter_wal_mode(&connection, options.patience)?;
    Ok(connection)
}

/// In WAL mode readers and the writer do not wait for one another. The file remembers the mode.
///
/// Where two processes make a file at once, SQLite answers busy at once instead of waiting as it does elsewhere.
fn enter_wal_mode(connection: &Connection, patience: Duration) -> Result<(), Error> {
    const PAUSE: Duration = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        let entered = connection.pragma_update(None, "journal_mode", "wal");
        match entered.map_err(Error::from) {
            Err(Error::Busy(_)) if waited < patience => {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            entered => return entered,
        }
    }
}

fn configure(connection: &Connection, options: Options) -> Result<(), Error> {
    connection.busy_timeout(options.patience)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What replaces a row removes it, and triggers that guard rows see that.
    connection.pragma_update(None, "recursive_triggers", true)?;
    // What a user deletes is overwritten, not only unlinked. Deleting is rare, so it may cost a little.
    connection.pragma_update(None, "secure_delete", true)?;
    // Sorts, and the pages that a savepoint could bring back: in a file, they took more writes than the data itself.
    connection.pragma_update(None, "temp_store", "memory")?;
    let synchronous = match options.durability {
        Durability::Process => "normal",
        Durability::Power => "full",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    Ok(())
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound,
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::busy(error),
                _ if is_duplicate(failure.extended_code) => Self::Conflict,
                _ => Self::internal(error),
            },
            _ => Self::internal(error),
        }
    }
}

fn is_duplicate(code: i32) -> bool {
    code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        || code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
}
