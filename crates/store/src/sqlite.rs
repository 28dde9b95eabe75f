//! SQLite: the database inside the binary, one file, for one node.
//!
//! - `sqlite/queue.rs`: the threads that speak with the database
//! - `sqlite/threads.rs`: conversations
//! - `sqlite/search.rs`: looking for words in them
//! - `sqlite/removal.rs`: how they go
//! - `sqlite/attachments.rs`: what is known about files
//! - `sqlite/credentials.rs`: what lets people in, with the SQL in the modules below it
//! - `sqlite/audit.rs`: what happened, append-only
//! - `sqlite/examine.rs`: whether a file is sound
//! - `sqlite/upkeep.rs`: what an operator needs
//! - `sqlite/schema.rs`, `migrations/sqlite/`: the tables

mod attachments;
mod audit;
mod change;
mod checkpoint;
mod credentials;
mod examine;
mod export;
mod place;
mod queue;
mod removal;
mod runs;
mod schema;
mod search;
mod threads;
mod upkeep;

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::durable;
use crate::error::Error;
use crate::search::Searches;
use crate::sqlite::checkpoint::Checkpointer;
pub(crate) use crate::sqlite::examine::examine;
use crate::sqlite::place::Place;
pub(crate) use crate::sqlite::place::beside;
use crate::sqlite::queue::{Readers, Writer};
pub(crate) use crate::sqlite::removal::finish as finish_removals;
use crate::{Durability, MigrationPolicy, Options};

/// Reading threads beyond this many gain nothing: pages come from memory.
const MAX_READERS: usize = 4;
/// Every statement of this crate fits, so that none is ever prepared twice on a connection.
const STATEMENT_CACHE: usize = 128;

/// How many pages of 4 KiB the log of recent writes has before the writer itself copies what the [`Checkpointer`] has not,
/// and the log begins anew: while something is written all the time, nobody else can have it do that.
const LOG_PAGES: u32 = 16_000;

/// A SQLite database.
pub(crate) struct Sqlite {
    /// None for a database in memory, which is one connection's own: the writer reads for everybody.
    /// Before the writer, so that they close first: the last connection finishes off the log, and two
    /// that close at once would each leave that to the other.
    readers: Option<Readers>,
    /// Looks for words, one search after the other: it takes long, and no other read is to wait for it.
    searcher: Option<Readers>,
    searches: Searches,
    writer: Writer,
    /// None for a database in memory.
    checkpointer: Option<Checkpointer>,
    /// What conversations survive; everything else survives a power cut.
    durability: Durability,
    /// Where it is; nowhere for a database in memory.
    path: Option<PathBuf>,
}

impl Sqlite {
    /// Opens a file, and makes it with its folder when it is not there. Blocks.
    pub(crate) fn open_file(path: &Path, options: Options) -> Result<Self, Error> {
        create_privately(path).map_err(Error::from_io)?;
        refuse_foreign_log(path)?;
        let mut writer = connect(path, options)?;
        schema::prepare(&mut writer, options.migrations)?;
        if options.migrations == MigrationPolicy::Apply {
            removal::finish(&writer)?;
        }
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let connect_reader = || {
            let reader = connect(path, options)?;
            reader.pragma_update(None, "query_only", true)?;
            Ok::<_, Error>(reader)
        };
        let readers = (0..count.min(MAX_READERS))
            .map(|_| connect_reader())
            .collect::<Result<_, _>>()?;
        Ok(Self {
            writer: Writer::start(writer, Place::of(path)?, options.patience)?,
            checkpointer: Some(Checkpointer::start(connect(path, options)?)?),
            readers: Some(Readers::start(readers, options.patience)?),
            searcher: Some(Readers::start(vec![connect_reader()?], options.patience)?),
            searches: Searches::new(1, options.patience),
            durability: options.durability,
            path: Some(path.to_owned()),
        })
    }

    /// Opens an empty database that is gone when it is closed.
    pub(crate) fn open_memory(options: Options) -> Result<Self, Error> {
        let mut connection = Connection::open_in_memory()?;
        configure(&connection, options)?;
        schema::prepare(&mut connection, options.migrations)?;
        Ok(Self {
            writer: Writer::start(connection, Place::default(), options.patience)?,
            checkpointer: None,
            readers: None,
            searcher: None,
            searches: Searches::new(1, options.patience),
            durability: options.durability,
            path: None,
        })
    }

    /// Runs work that may change something, and survives what the operator chose; see [`Writer::run`].
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_durably(self.durability, work).await
    }

    /// The same for what must survive a power cut whatever the operator chose: a key that was handed out, a revocation,
    /// a person who was forgotten.
    async fn write_for_good<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_durably(Durability::Power, work).await
    }

    async fn write_durably<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let written = self.writer.run(durability, work).await;
        metrics::histogram!("vestibule_store_seconds", "kind" => "write").record(began.elapsed());
        if let Some(checkpointer) = &self.checkpointer {
            checkpointer.ring();
        }
        written
    }

    /// Runs work that only reads; see [`Readers::run`].
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let read = self.read_with(self.readers.as_ref(), work).await;
        metrics::histogram!("vestibule_store_seconds", "kind" => "read").record(began.elapsed());
        read
    }

    /// The same for a search, as soon as there is a place for it.
    async fn search<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _place = self.searches.enter().await?;
        self.read_with(self.searcher.as_ref(), work).await
    }

    async fn read_with<T: Send + 'static>(
        &self,
        readers: Option<&Readers>,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match readers {
            Some(readers) => readers.run(work).await,
            None => self.writer.run(self.durability, work).await,
        }
    }
}

/// Makes the file and its folder for this user only: it holds conversations.
/// What exists keeps the rights that the operator gave it.
fn create_privately(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    durable::make_folder(folder)?;
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        file.mode(0o600);
    }
    match file.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(_file) => durable::sync_folder(folder),
    }
}

/// A backup has no log of recent writes, and its header says so. When somebody puts one in the place of a database whose
/// log stays behind, SQLite would write that log's pages into it.
pub(crate) fn refuse_foreign_log(path: &Path) -> Result<(), Error> {
    /// Where the header says how the file is written, and what it says of a file without a log (1; 2 is with a log).
    const WRITE_VERSION: usize = 18;
    let log = beside(path, "-wal");
    if !std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    let mut header = [0; WRITE_VERSION + 1];
    let mut file = File::open(path).map_err(Error::internal)?;
    match file.read_exact(&mut header) {
        Ok(()) if header[WRITE_VERSION] == 2 => Ok(()),
        // Another version, or an empty file: neither has a log of its own.
        Ok(()) => Err(Error::ForeignLog {
            database: path.to_owned(),
            log,
        }),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Error::ForeignLog {
            database: path.to_owned(),
            log,
        }),
        Err(error) => Err(Error::internal(error)),
    }
}

/// Fails with [`Error::Busy`] while anybody has the database open. A broken one is in nobody's use.
pub(crate) fn refuse_in_use(path: &Path) -> Result<(), Error> {
    if !path.exists() || refuse_foreign_log(path).is_err() {
        return Ok(());
    }
    let flags =
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    // Everybody who has it open holds a lock, which this one is not granted beside.
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    match connection
        .execute_batch("BEGIN EXCLUSIVE; ROLLBACK")
        .map_err(Error::from)
    {
        Err(error @ Error::Busy(_)) => Err(error),
        _ => Ok(()),
    }
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
    // The writer says for each of its commits what it survives.
    queue::set_durability(connection, Durability::Power)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(())
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound,
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::busy(error),
                _ if is_duplicate(failure.extended_code) => Self::Conflict,
                _ if is_full(failure) => Self::Full(std::sync::Arc::new(error)),
                _ => Self::internal(error),
            },
            _ => Self::internal(error),
        }
    }
}

/// Full, or no room for the index of the log. (Where the file system says that this user's share is used up, SQLite reports
/// a write that failed, like that of a broken disk.)
fn is_full(failure: rusqlite::ffi::Error) -> bool {
    failure.code == ErrorCode::DiskFull
        || failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
}

fn is_duplicate(code: i32) -> bool {
    code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        || code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
}
