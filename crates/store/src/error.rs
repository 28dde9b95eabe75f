//! What can go wrong in a store, by what the caller can do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use engine::ports::RunRecord;

/// The engine's own error, kept for the log. Shared, because one failed commit is told to many callers.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a database could not be opened, or could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address names no database that this build can open; the configuration has to change.
    ///
    /// The address itself is not repeated, because it may hold a password.
    #[error("{0}")]
    Address(&'static str),
    /// A parameter of the address is not what this build can go by; the configuration has to change.
    #[error("the parameter `{name}` of the database address {what}")]
    Parameter {
        /// A name that is known; another one may be a part of a password.
        name: &'static str,
        /// What is wrong with it, and what to do.
        what: &'static str,
    },
    /// Nobody knows this parameter of the address.
    #[error(
        "the database address has a parameter that Vestibule does not know, at place {place} after the `?`: take it out \
         (characters like ? & = in a password are written as %3F %26 %3D)"
    )]
    UnknownParameter {
        /// Which one, from 1: its name may be a part of a password.
        place: usize,
    },
    /// A newer build has changed the tables; going on could spoil its data.
    #[error(
        "the database has schema version {found}, and this build knows versions up to {known}: \
         start the newer vestibule again, or restore a backup from before the upgrade"
    )]
    TooNew {
        /// The version of the tables.
        found: usize,
        /// The newest version that this build knows.
        known: usize,
    },
    /// The tables are from an older build and were not to be changed.
    #[error(
        "the database has schema version {found}, and this build needs {needed}: run `vestibule migrate`"
    )]
    Outdated {
        /// The version of the tables; 0 for an empty database.
        found: usize,
        /// The version that this build works with.
        needed: usize,
    },
    /// There is no such row for this owner.
    #[error("not found")]
    NotFound,
    /// A row with this id, digest or origin is there already.
    #[error("the record exists already")]
    Conflict,
    /// A newer run has the thread.
    #[error("a newer run has taken over the thread")]
    Fenced,
    /// A run of another process lives in the thread.
    #[error("another process answers in the thread")]
    Elsewhere(Box<RunRecord>),
    /// A message that came earlier waits in the thread.
    #[error("an earlier message waits in the thread")]
    Behind,
    /// The database server cannot be reached.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Cause),
    /// The database server takes neither this user nor this password, or gives the user too few rights, or knows no such
    /// database.
    #[error("the database refuses us")]
    Refused(#[source] Cause),
    /// Something on the way to the database server gives one of its sessions to several of ours.
    #[error(
        "a pooler on the way to the database hands a connection to another client after each transaction, and Vestibule \
         needs connections of its own: set `pool_mode = session` where it is PgBouncer, or name its port for sessions, or \
         the server itself, in the address"
    )]
    Pooled,
    /// Locked by another process, or more work than it can do; the same call may work later.
    #[error("the database is busy")]
    Busy(#[source] Cause),
    /// A defect or a broken database; trying again does not help.
    #[error("the database failed")]
    Internal(#[source] Cause),
    /// The disk, or what this user may have of it, is full.
    #[error("the storage is full: make room where the database is")]
    Full(#[source] Cause),
    /// A file of the open database was removed, or another one has taken its place.
    #[error(
        "{} was removed or replaced while it was in use, and nothing is saved any more: stop the server, put the \
         database back or restore a backup, then start the server again",
        .file.display()
    )]
    Lost {
        /// Which file.
        file: PathBuf,
    },
    /// Another server has the database, which is for one.
    #[error(
        "another Vestibule serves from {}: stop it first, or give this one a database of its own by storage.url",
        .file.display()
    )]
    Held {
        /// The database.
        file: PathBuf,
    },
    /// Beside a database that has no log of recent writes of its own, there is one of another database. SQLite would
    /// write its pages into this one.
    #[error(
        "{} belongs to another database than {}, which was put in its place: move that file away, and the one that ends \
         in -shm, then start again",
        .log.display(),
        .database.display()
    )]
    ForeignLog {
        /// The database.
        database: PathBuf,
        /// The log beside it.
        log: PathBuf,
    },
}

impl Error {
    /// Whether the file of the database is broken, or none.
    pub fn is_corruption(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let Self::Internal(cause) = self else {
            return false;
        };
        let error = cause.downcast_ref::<rusqlite::Error>();
        let code = error.and_then(rusqlite::Error::sqlite_error_code);
        matches!(code, Some(DatabaseCorrupt | NotADatabase))
    }

    pub(crate) fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Arc::new(cause))
    }

    /// What the system says about a file.
    pub(crate) fn from_io(error: io::Error) -> Self {
        if crate::durable::is_full(&error) {
            Self::Full(Arc::new(error))
        } else {
            Self::internal(error)
        }
    }

    pub(crate) fn busy(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Busy(Arc::new(cause))
    }
}

impl From<Error> for engine::ports::StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::NotFound,
            Error::Fenced => Self::Fenced,
            Error::Conflict => Self::Exists,
            Error::Elsewhere(run) => Self::Elsewhere(run),
            Error::Behind => Self::Behind,
            Error::Busy(cause) | Error::Unreachable(cause) => Self::Busy(Box::new(cause)),
            Error::Internal(cause) => Self::Internal(Box::new(cause)),
            Error::Full(cause) => Self::Full(Box::new(cause)),
            lost @ Error::Lost { .. } => Self::Lost(Box::new(lost)),
            other @ (Error::ForeignLog { .. }
            | Error::Refused(_)
            | Error::Held { .. }
            | Error::Pooled
            | Error::Address(_)
            | Error::Parameter { .. }
            | Error::UnknownParameter { .. }
            | Error::TooNew { .. }
            | Error::Outdated { .. }) => Self::Internal(Box::new(other)),
        }
    }
}

impl From<Error> for auth::ports::StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::Conflict => Self::Conflict,
            Error::Busy(cause) | Error::Unreachable(cause) => Self::Unavailable(Box::new(cause)),
            Error::Internal(cause) => Self::Internal(Box::new(cause)),
            Error::Full(cause) => Self::Full(Box::new(cause)),
            lost @ Error::Lost { .. } => Self::Lost(Box::new(lost)),
            other @ (Error::NotFound
            | Error::Fenced
            | Error::Elsewhere(_)
            | Error::Behind
            | Error::Refused(_)
            | Error::Held { .. }
            | Error::Pooled
            | Error::ForeignLog { .. }
            | Error::Address(_)
            | Error::Parameter { .. }
            | Error::UnknownParameter { .. }
            | Error::TooNew { .. }
            | Error::Outdated { .. }) => Self::Internal(Box::new(other)),
        }
    }
}
