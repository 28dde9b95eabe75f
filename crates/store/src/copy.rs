//! Moves a whole installation from one database to another, of either engine, and the bytes of files with it.
//!
//! Rows are read in the order of their keys and keep them, so a copy that was broken off goes on behind the last row that
//! arrived. At the end both databases are read once more: what is told to be copied has the same number of rows, and the
//! same SHA-256 over all of them, on both sides.

mod postgres;
mod sqlite;

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::digest;
use engine::ports::{FileId, Files, FilesError, Interrupted};
use futures::StreamExt;

use crate::address::Address;
use crate::error::Error;

/// Rows that are held at a time.
const BATCH: usize = 200;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Bool,
    Text,
    /// A text that an issuer made up, which may hold a NUL; see `postgres::name`.
    Name,
    Bytes,
}

/// A table that both engines have.
struct Table {
    name: &'static str,
    /// The first ones, as many as `keys`, tell its rows apart, and say in which order they come.
    columns: &'static [(&'static str, Kind)],
    keys: usize,
    /// Whether numbers are given to new rows.
    is_numbered: bool,
}

use Kind::{Bool, Bytes, Int, Name, Text};

/// In an order in which no row refers to one that is not there yet.
#[rustfmt::skip]
const TABLES: &[Table] = &[
    Table { name: "threads", keys: 1, is_numbered: true, columns: &[("key", Int), ("owner", Text), ("id", Text), ("created_at", Int), ("epoch", Int), ("workflow", Text), ("active_at", Int), ("version", Int), ("data", Text)] },
    Table { name: "items", keys: 1, is_numbered: true, columns: &[("key", Int), ("thread", Int), ("id", Text), ("version", Int), ("data", Text)] },
    Table { name: "feedback", keys: 1, is_numbered: false, columns: &[("item", Int), ("kind", Text), ("at", Int)] },
    Table { name: "queued_messages", keys: 1, is_numbered: true, columns: &[("key", Int), ("thread", Int), ("id", Text), ("version", Int), ("data", Text)] },
    Table { name: "runs", keys: 1, is_numbered: false, columns: &[("thread", Int), ("id", Text), ("answers", Text), ("is_interrupted", Bool)] },
    Table { name: "requests", keys: 2, is_numbered: false, columns: &[("owner", Text), ("key", Text), ("fingerprint", Text), ("thread", Int), ("item", Text), ("at", Int)] },
    Table { name: "attachments", keys: 1, is_numbered: true, columns: &[("key", Int), ("owner", Text), ("id", Text), ("file", Text), ("item", Int), ("queued", Int), ("session", Text), ("size", Int), ("sha256", Bytes), ("created_at", Int), ("version", Int), ("data", Text)] },
    Table { name: "removed_files", keys: 1, is_numbered: false, columns: &[("file", Text)] },
    Table { name: "chat_sessions", keys: 1, is_numbered: true, columns: &[("key", Int), ("id", Text), ("issuer", Text), ("subject", Text), ("environment", Text), ("opened_by", Text), ("opened_by_id", Text), ("created_at", Int), ("ends_at", Int), ("ended_at", Int), ("ended_because", Text), ("login", Name), ("version", Int), ("data", Text)] },
    Table { name: "client_secrets", keys: 1, is_numbered: false, columns: &[("digest", Bytes), ("session", Int), ("created_at", Int), ("expires_at", Int), ("rotated_at", Int), ("rotation_nonce", Bytes), ("rotation_next", Bytes)] },
    Table { name: "used_tokens", keys: 1, is_numbered: false, columns: &[("digest", Bytes), ("until", Int)] },
    Table { name: "public_tokens", keys: 1, is_numbered: true, columns: &[("key", Int), ("id", Text), ("digest", Bytes), ("revoked_at", Int), ("version", Int), ("data", Text)] },
    Table { name: "server_keys", keys: 1, is_numbered: true, columns: &[("key", Int), ("id", Text), ("digest", Bytes), ("revoked_at", Int), ("version", Int), ("data", Text)] },
    Table { name: "visitors", keys: 1, is_numbered: false, columns: &[("id", Text), ("public_token_id", Text), ("resume_digest", Bytes), ("created_at", Int), ("last_seen_at", Int), ("resume_since", Int), ("earlier_digest", Bytes), ("earlier_nonce", Bytes), ("earlier_until", Int)] },
    Table { name: "domains", keys: 2, is_numbered: false, columns: &[("origin", Text), ("environment", Text), ("key", Text), ("created_at", Int)] },
    Table { name: "refusals", keys: 1, is_numbered: true, columns: &[("key", Int), ("origin", Text), ("environment", Text), ("count", Int), ("first_seen_at", Int), ("last_seen_at", Int)] },
    Table { name: "audit_parties", keys: 1, is_numbered: true, columns: &[("key", Int), ("subject", Text), ("issuer", Text), ("address", Text)] },
    Table { name: "audit_log", keys: 1, is_numbered: true, columns: &[("key", Int), ("at", Int), ("kind", Text), ("door", Text), ("session_id", Text), ("party", Int), ("version", Int), ("data", Text)] },
];

/// Kept by triggers of either engine from what is written to others; compared, and not copied.
#[rustfmt::skip]
const DERIVED: Table = Table { name: "message_bytes", keys: 1, is_numbered: false, columns: &[("owner", Text), ("bytes", Int)] };

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

type Row = Vec<Value>;

/// One of the two databases.
#[async_trait]
trait Side: Send {
    /// Some rows of a table after the one of this key, in the order of their keys.
    async fn read(&mut self, table: &Table, after: Option<&[Value]>) -> Result<Vec<Row>, Error>;
    /// The key of the last row.
    async fn last(&mut self, table: &Table) -> Result<Option<Row>, Error>;
    /// Adds rows, those that are there left as they are.
    async fn write(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), Error>;
    /// The greatest number that was ever given to a row.
    async fn number(&mut self, table: &Table) -> Result<i64, Error>;
    /// Gives no number up to this one to another row.
    async fn set_number(&mut self, table: &Table, number: i64) -> Result<(), Error>;
    /// The time before which audit entries may be removed, in seconds since 1970.
    async fn retention(&mut self) -> Result<i64, Error>;
    async fn set_retention(&mut self, before: i64) -> Result<(), Error>;
}

/// How to copy.
#[derive(Clone, Copy)]
pub struct CopyOptions<'a> {
    /// The database that is copied.
    pub from: &'a str,
    /// The database that it is copied to; made where it is a file that is not there.
    pub to: &'a str,
    /// Where files are and are to be, where that is not the same.
    pub files: Option<(&'a dyn Files, &'a dyn Files)>,
    /// Whether the target may hold what an earlier copy brought.
    pub resume: bool,
}

/// What was copied, and found to be the same on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Each table with its rows.
    pub tables: Vec<(&'static str, u64)>,
    /// Files that were copied; those that were there already are not counted.
    pub files: u64,
    /// Attachments whose bytes are missing or spoiled where they were kept.
    pub damaged: Vec<String>,
}

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Both addresses are the same.
    #[error("the source and the target are the same database")]
    Same,
    /// A server works on one of them.
    #[error("{0} is in use: stop every server that has it open first")]
    InUse(String),
    /// The target holds something.
    #[error(
        "{0} is not empty: name an empty database, or say --resume where an earlier copy of the same source was broken off"
    )]
    NotEmpty(String),
    /// What arrived is not what was sent.
    #[error(
        "{table} differs: {from} rows in the source and {to} in the target, or not the same ones; the source has changed \
         since the copy began, or the target held something else: empty the target and copy anew"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Rows in the source.
        from: u64,
        /// Rows in the target.
        to: u64,
    },
    /// A database failed.
    #[error("failed to copy {0}")]
    Database(Which, #[source] Error),
    /// A file could not be copied.
    #[error("failed to copy the file {0} {1}")]
    File(FileId, Which, #[source] FilesError),
}

/// One of the two databases, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The source.
    Source,
    /// The target.
    Target,
}

impl fmt::Display for Which {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Source => "from the source",
            Self::Target => "to the target",
        })
    }
}

/// Copies everything, and compares. `tell` hears of each batch: the table, and how many of its rows have come so far.
///
/// The audit log, credentials and their numbers come along. Answers that were being written count as cut off, as after the
/// end of their process.
pub async fn copy(
    options: CopyOptions<'_>,
    mut tell: impl FnMut(&'static str, u64),
) -> Result<Copied, CopyError> {
    let parse = |url, which| Address::parse(url).map_err(|error| CopyError::Database(which, error));
    let addresses = (
        parse(options.from, Which::Source)?,
        parse(options.to, Which::Target)?,
    );
    if addresses.0 == addresses.1 {
        return Err(CopyError::Same);
    }
    let mut from = open(&addresses.0, options.from, Which::Source).await?;
    let mut to = open(&addresses.1, options.to, Which::Target).await?;
    let source = |error| CopyError::Database(Which::Source, error);
    let target = |error| CopyError::Database(Which::Target, error);
    if !options.resume {
        for table in TABLES {
            if to.last(table).await.map_err(target)?.is_some() {
                return Err(CopyError::NotEmpty(crate::describe(options.to)));
            }
        }
    }
    for table in TABLES {
        let mut after = to.last(table).await.map_err(target)?;
        let mut count = 0;
        loop {
            let rows = from.read(table, after.as_deref()).await.map_err(source)?;
            let Some(last) = rows.last() else { break };
            after = last.get(..table.keys).map(<[Value]>::to_vec);
            count += rows.len() as u64;
            to.write(table, rows).await.map_err(target)?;
            tell(table.name, count);
        }
        if table.is_numbered {
            let number = from.number(table).await.map_err(source)?;
            to.set_number(table, number).await.map_err(target)?;
        }
    }
    let retention = from.retention().await.map_err(source)?;
    to.set_retention(retention).await.map_err(target)?;

    let mut copied = Copied::default();
    for table in TABLES.iter().chain([&DERIVED]) {
        let sent = sum(&mut *from, table).await.map_err(source)?;
        let arrived = sum(&mut *to, table).await.map_err(target)?;
        if sent != arrived {
            return Err(CopyError::Differs {
                table: table.name,
                from: sent.0,
                to: arrived.0,
            });
        }
        copied.tables.push((table.name, sent.0));
    }
    if let Some((kept, wanted)) = options.files {
        copy_files(&mut *from, kept, wanted, &mut copied, &mut tell).await?;
    }
    Ok(copied)
}

async fn open(address: &Address, url: &str, which: Which) -> Result<Box<dyn Side>, CopyError> {
    let opened: Result<Option<Box<dyn Side>>, Error> = match address {
        Address::SqliteFile(path) => sqlite::open(path, url, which).await,
        Address::SqliteMemory => Err(Error::Address("a database in memory cannot be copied")),
        Address::Postgres(server) => postgres::open(server, which).await,
    };
    match opened {
        Ok(Some(side)) => Ok(side),
        Ok(None) => Err(CopyError::InUse(crate::describe(url))),
        Err(error) => Err(CopyError::Database(which, error)),
    }
}

/// How many rows a table has, and the SHA-256 of all of them.
async fn sum(side: &mut dyn Side, table: &Table) -> Result<(u64, Vec<u8>), Error> {
    let mut sha256 = digest::Context::new(&digest::SHA256);
    let mut count = 0;
    let mut after: Option<Row> = None;
    loop {
        let rows = side.read(table, after.as_deref()).await?;
        let Some(last) = rows.last() else {
            return Ok((count, sha256.finish().as_ref().to_vec()));
        };
        after = last.get(..table.keys).map(<[Value]>::to_vec);
        count += rows.len() as u64;
        for value in rows.iter().flatten() {
            let (tag, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Int(number) => (1, &number.to_le_bytes()),
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes),
            };
            sha256.update(&[tag]);
            sha256.update(&(bytes.len() as u64).to_le_bytes());
            sha256.update(bytes);
        }
    }
}

/// Copies the bytes of all attachments that have come; those that are there already are left as they are.
async fn copy_files(
    from: &mut dyn Side,
    kept: &dyn Files,
    wanted: &dyn Files,
    copied: &mut Copied,
    tell: &mut impl FnMut(&'static str, u64),
) -> Result<(), CopyError> {
    let source = |error| CopyError::Database(Which::Source, error);
    let Some(table) = TABLES.iter().find(|table| table.name == "attachments") else {
        return Ok(());
    };
    let mut after: Option<Row> = None;
    loop {
        let rows = from.read(table, after.as_deref()).await.map_err(source)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.get(..table.keys).map(<[Value]>::to_vec);
        for row in &rows {
            let (Some(Value::Text(id)), Some(Value::Text(file)), Some(Value::Bytes(sha256))) =
                (row.get(2), row.get(3), row.get(8))
            else {
                continue;
            };
            let file = file
                .parse()
                .map_err(|error| source(Error::internal(error)))?;
            let sha256 = <[u8; 32]>::try_from(sha256.as_slice())
                .map_err(|error| source(Error::internal(error)))?;
            match copy_file(kept, wanted, file, &sha256).await? {
                Arrived::Now => copied.files += 1,
                Arrived::Before => {}
                Arrived::Damaged => copied.damaged.push(id.clone()),
            }
        }
        tell("files", copied.files);
    }
}

/// What came of a file.
enum Arrived {
    Now,
    Before,
    /// It is missing where it was kept, or is not what it was.
    Damaged,
}

async fn copy_file(
    kept: &dyn Files,
    wanted: &dyn Files,
    file: FileId,
    sha256: &[u8; 32],
) -> Result<Arrived, CopyError> {
    let source = |error| CopyError::File(file, Which::Source, error);
    let target = |error| CopyError::File(file, Which::Target, error);
    match wanted.get(file).await {
        Ok(_) => return Ok(Arrived::Before),
        Err(FilesError::NotFound) => {}
        Err(error) => return Err(target(error)),
    }
    let bytes = match kept.get(file).await {
        Ok(bytes) => bytes,
        Err(FilesError::NotFound) => return Ok(Arrived::Damaged),
        Err(error) => return Err(source(error)),
    };
    let mut unreadable = None;
    let mut bytes = bytes.map(|chunk| {
        chunk.map_err(|error| {
            unreadable = Some(error);
            Interrupted::BrokeOff
        })
    });
    let put = wanted.put(file, &mut bytes).await;
    if let Some(error) = unreadable {
        return Err(source(FilesError::Internal(Box::new(error))));
    }
    match put {
        Ok(put) if put.sha256 == *sha256 => Ok(Arrived::Now),
        Ok(_) => {
            wanted.delete(file).await.map_err(target)?;
            Ok(Arrived::Damaged)
        }
        Err(FilesError::Exists) => Ok(Arrived::Before),
        Err(error) => Err(target(error)),
    }
}
