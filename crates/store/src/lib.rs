//! Where everything that must survive a restart is kept. The only crate that knows SQL.
//!
//! [`connect`] opens the database that an address names. What it gives is the engine's
//! [`Store`](engine::ports::Store) (conversations) and [`AttachmentStore`](engine::ports::AttachmentStore), `auth`'s
//! [`CredentialStore`](auth::ports::CredentialStore) (what lets people in), and [`Upkeep`] (what an operator needs)
//! in one. Another engine is a module beside `sqlite` and one line in [`connect`]; nobody else can tell which one it is.
//! The bytes of files are beside it, in [`LocalFiles`] or a [`Bucket`].

mod address;
mod backup;
mod copy;
mod durable;
mod error;
mod export;
mod files;
mod hold;
mod people;
mod postgres;
mod redis;
mod rows;
mod search;
mod sqlite;
mod upkeep;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth::signing_key::SigningKeyStore;
use engine::ports::{Buckets, Peers};

use crate::address::Address;
pub use crate::backup::{Backup, BackupError, Restored, backup, restore};
pub use crate::copy::{Copied, CopyError, CopyOptions, Which, copy};
pub use crate::durable::{NewFile, write_new_file};
pub use crate::error::Error;
pub use crate::export::{Kind, Record, Rows, Unreadable, export_user};
pub use crate::files::{Bucket, BucketError, BucketPlace, FilesPlace, InvalidPlace, LocalFiles};
pub use crate::hold::{Hold, hold};
pub use crate::people::People;
use crate::postgres::Postgres;
use crate::redis::Channels;
use crate::sqlite::Sqlite;
pub use crate::upkeep::{Forgotten, Upkeep};

/// How to open a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What to do about tables of an older build.
    pub migrations: MigrationPolicy,
    /// What an answered write survives.
    pub durability: Durability,
    /// How long a call waits while another process (the command line, a backup) has the database locked, or too much
    /// work is waiting, before it fails with [`Error::Busy`].
    pub patience: Duration,
    /// How many connections to a database server there are at most, one more for this process's signs of life left
    /// aside. For a database that is a file, it means nothing.
    pub pool_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            migrations: MigrationPolicy::default(),
            durability: Durability::default(),
            patience: Duration::from_secs(5),
            pool_size: 16,
        }
    }
}

/// What to do about tables of an older build. Tables of a newer one are never touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MigrationPolicy {
    /// Bring them up to date. Two processes may try at once.
    #[default]
    Apply,
    /// Refuse with [`Error::Outdated`].
    Require,
}

/// What an answered write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Durability {
    /// The end of this process, however sudden. A power cut may take the last moments of conversations with it, but never
    /// spoils what is older (SQLite in WAL mode: `synchronous = NORMAL`). What lets people in, what shuts them out, and
    /// what they had forgotten survive it all the same.
    Process,
    /// A power cut too: every commit waits for the disk (`synchronous = FULL`). What it costs is in
    /// docs/decisions/0023.
    #[default]
    Power,
}

/// A database: conversations, attachments, credentials, the audit log and upkeep in one.
pub trait Database:
    engine::ports::Store
    + engine::ports::AttachmentStore
    + auth::ports::CredentialStore
    + auth::audit::AuditStore
    + Upkeep
{
    /// What the processes over this database share, with the Redis at an address where there is one; `None` where there is
    /// one process. It takes two connections more.
    fn shared(&self, _redis: Option<&str>) -> Result<Option<Shared>, Error> {
        Ok(None)
    }

    /// The keys that the processes over this database sign with; `None` where there is one process, whose key is in a file
    /// beside it.
    fn signing_keys(self: Arc<Self>) -> Option<Arc<dyn SigningKeyStore>> {
        None
    }
}

impl Database for Sqlite {}
impl Database for Postgres {
    fn signing_keys(self: Arc<Self>) -> Option<Arc<dyn SigningKeyStore>> {
        Some(self)
    }

    fn shared(&self, redis: Option<&str>) -> Result<Option<Shared>, Error> {
        let notifications = self.peers()?;
        Ok(Some(match redis {
            Some(url) => {
                let channels = Arc::new(Channels::new(url, notifications)?);
                Shared {
                    buckets: Some(Arc::clone(&channels) as Arc<dyn Buckets>),
                    peers: channels,
                }
            }
            None => Shared {
                peers: notifications,
                buckets: None,
            },
        }))
    }
}

/// What several processes share besides the database.
pub struct Shared {
    /// How they talk to each other.
    pub peers: Arc<dyn Peers>,
    /// What they count together, where there is a Redis.
    pub buckets: Option<Arc<dyn Buckets>>,
}

/// Opens the database that an address names, and makes it when it is not there.
///
/// Addresses: `sqlite://data/vestibule.db` (below the working directory), `sqlite:///var/lib/vestibule.db` (absolute),
/// `sqlite::memory:` (gone when it is closed; for tests), and `postgres://user:password@host:5432/database`, which has to
/// be there; its tables are made.
pub async fn connect(url: &str, options: Options) -> Result<Arc<dyn Database>, Error> {
    let database = match Address::parse(url)? {
        Address::SqliteFile(path) => open_sqlite(move || Sqlite::open_file(&path, options)).await?,
        Address::SqliteMemory => open_sqlite(move || Sqlite::open_memory(options)).await?,
        Address::Postgres(server) => Arc::new(Postgres::open(&server, options).await?),
    };
    Ok(database)
}

async fn open_sqlite(
    open: impl FnOnce() -> Result<Sqlite, Error> + Send + 'static,
) -> Result<Arc<dyn Database>, Error> {
    let opened = tokio::task::spawn_blocking(open);
    let database = opened.await.map_err(Error::internal)??;
    Ok(Arc::new(database))
}

/// An address as it may be shown: without its password. One that cannot be read is not shown at all.
pub fn describe(url: &str) -> String {
    match Address::parse(url) {
        Ok(Address::Postgres(server)) => server.to_string(),
        Ok(Address::SqliteFile(_) | Address::SqliteMemory) => url.trim().to_owned(),
        Err(_) => "an address that cannot be read".to_owned(),
    }
}

/// An address of Redis as it may be shown: without its password. One that cannot be read is not shown at all.
pub fn describe_redis(url: &str) -> String {
    redis::describe(url).unwrap_or_else(|| "an address that cannot be read".to_owned())
}

/// Whether an address is one of Redis. Nobody is asked.
pub fn check_redis(url: &str) -> Result<(), Error> {
    redis::check(url)
}

/// Whether the Redis at this address can be talked and listened to.
pub async fn look_at_redis(url: &str) -> Result<(), Error> {
    redis::look(url).await
}

/// Whether several processes may have the database that an address names open at the same time, as nodes.
pub fn is_shared(url: &str) -> bool {
    matches!(Address::parse(url), Ok(Address::Postgres(_)))
}

/// Whether somebody on the way to the database server could pose as it, because of what the address leaves unchecked.
pub fn may_be_another(url: &str) -> bool {
    matches!(Address::parse(url), Ok(Address::Postgres(server)) if server.may_be_another())
}

/// The file that an address names; `None` for a database that is no file.
pub fn file_of(url: &str) -> Result<Option<PathBuf>, Error> {
    Ok(match Address::parse(url)? {
        Address::SqliteFile(path) => Some(path),
        Address::SqliteMemory | Address::Postgres(_) => None,
    })
}

/// The defects of the database that an address names, in its own words; none when it is sound. Reads all of it, changes
/// nothing, and makes nothing that is not there.
pub async fn examine(url: &str, options: Options) -> Result<Vec<String>, Error> {
    let Some(path) = file_of(url)? else {
        return Ok(Vec::new());
    };
    tokio::task::spawn_blocking(move || sqlite::examine(&path, options.patience))
        .await
        .map_err(Error::internal)?
}
