//! What a database server says, by what the caller can do about it.
//!
//! What it says beside the message (its `DETAIL`) may quote rows, which are what people wrote; so that is left out.

use std::sync::Arc;

use deadpool_postgres::{HookError, PoolError};
use tokio_postgres::error::SqlState;

use crate::error::Error;

/// Why the server, or the way to it, failed; kept for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The server said so.
    #[error("{message} (SQLSTATE {}){}", .code.code(), advice(.code))]
    Said {
        /// SQLSTATE.
        code: SqlState,
        /// Its message, without details.
        message: String,
    },
    /// The connection ended, and with it whatever was under way.
    #[error("the connection to the database server was lost")]
    Lost(#[source] tokio_postgres::Error),
    /// A connection cannot be made.
    #[error("the database server cannot be reached")]
    Unreachable(#[source] tokio_postgres::Error),
    /// A connection was made, and nothing was answered on it.
    #[error(
        "the database server took a connection and answered nothing on it; a pooler on the way may have fewer \
         connections than `storage.pool_size` asks for"
    )]
    Unserved,
    /// The texts of a new database would not be kept as they are.
    #[error(
        "the database keeps texts as {0}, and not as UTF-8: make one by CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// No answer came, although the server should have broken off by itself before.
    #[error("the database server did not answer in time")]
    Silent,
    /// Nobody gave a connection back in time.
    #[error(
        "all connections of the pool are in use; a larger `storage.pool_size` or a faster database would help"
    )]
    Crowded,
}

/// What an operator can do about what the server said, where its words do not tell.
fn advice(code: &SqlState) -> &'static str {
    match code.code() {
        "42501" => {
            "; the role of the address needs rights that its owner gives: `ALTER DATABASE … OWNER TO …` gives all of them, or \
             `GRANT USAGE, CREATE ON SCHEMA public TO …` those for `vestibule migrate` and `serve`"
        }
        "3F000" => {
            "; no schema of the search path is there: make it by `CREATE SCHEMA … AUTHORIZATION …`, or correct `search_path`"
        }
        "42P07" => {
            "; another application has tables of these names here: give Vestibule a database of its own, or a schema of its \
             own (`CREATE SCHEMA vestibule AUTHORIZATION …`) and `?options=-c%20search_path%3Dvestibule` in the address"
        }
        "22P05" | "22021" => {
            "; the database does not keep texts as UTF-8: make one by `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
        }
        "26000" => {
            "; a pooler on the way may not keep connections apart: it needs `pool_mode = session`"
        }
        _ => "",
    }
}

/// Whether the same call may be made again, on another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It would go no better.
    No,
    /// The server has undone it all, and says that it is worth it.
    Undone,
    /// The connection is gone: only where nothing can have been committed.
    Unless,
}

/// Whether a call that failed like this is worth another attempt.
pub(super) fn again(error: &Error) -> Again {
    let (Error::Busy(cause) | Error::Unreachable(cause)) = error else {
        return Again::No;
    };
    match cause.downcast_ref() {
        Some(Trouble::Said { code, .. }) => match code {
            // The last two: a statement was prepared before the tables changed, or by another connection of a pooler.
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::FEATURE_NOT_SUPPORTED
            | &SqlState::INVALID_SQL_STATEMENT_NAME => Again::Undone,
            code if is_end(code) => Again::Unless,
            _ => Again::No,
        },
        Some(Trouble::Lost(_)) => Again::Unless,
        Some(
            Trouble::Unreachable(_)
            | Trouble::Unserved
            | Trouble::Encoding(_)
            | Trouble::Silent
            | Trouble::Crowded,
        )
        | None => Again::No,
    }
}

/// Whether a connection with this trouble is of no more use.
pub(super) fn spoils_connection(error: &Error) -> bool {
    let (Error::Busy(cause) | Error::Internal(cause)) = error else {
        return false;
    };
    match cause.downcast_ref() {
        Some(Trouble::Said { code, .. }) => {
            is_end(code)
                || *code == SqlState::FEATURE_NOT_SUPPORTED
                || *code == SqlState::INVALID_SQL_STATEMENT_NAME
        }
        Some(_) => true,
        None => false,
    }
}

/// Whether the server broke a statement off, because its time was over.
pub(super) fn is_broken_off(error: &Error) -> bool {
    let Error::Busy(cause) = error else {
        return false;
    };
    matches!(cause.downcast_ref(), Some(Trouble::Said { code, .. }) if *code == SqlState::QUERY_CANCELED)
}

/// The server ends the connection, or takes none.
fn is_end(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || code.code().starts_with("57P")
        || *code == SqlState::TOO_MANY_CONNECTIONS
        || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        // A server that has become the second one of two.
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => {
                let (code, message) = (said.code().clone(), said.message().to_owned());
                from_code(Trouble::Said { code, message })
            }
            None if is_lost(&error) => Self::busy(Trouble::Lost(error)),
            None => Self::internal(error),
        }
    }
}

fn from_code(said: Trouble) -> Error {
    let Trouble::Said { code, .. } = &said else {
        return Error::internal(said);
    };
    match code.code() {
        "23505" => Error::Conflict,
        "53100" => Error::Full(Arc::new(said)),
        // No such database or schema, no right, no login, and tables of another application.
        "3D000" | "3F000" | "42501" | "42P07" | "28000" | "28P01" => Error::Refused(Arc::new(said)),
        // Names of statements are ours: only another client of the same session can have used one.
        "42P05" => Error::Pooled,
        // Undone by itself, stopped by a time-out, out of memory or of connections, a stale statement.
        "40001" | "40P01" | "57014" | "55P03" | "25P03" | "25006" | "0A000" | "26000" => {
            Error::busy(said)
        }
        class
            if ["08", "53", "57P"]
                .iter()
                .any(|start| class.starts_with(start)) =>
        {
            Error::busy(said)
        }
        _ => Error::internal(said),
    }
}

/// Whether it is the connection that failed, and not what was asked.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    error.is_closed()
}

/// Why no connection could be had.
pub(super) fn from_pool(error: PoolError) -> Error {
    match error {
        PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Error::busy(Trouble::Crowded),
        PoolError::Timeout(_) => Error::Unreachable(Arc::new(Trouble::Silent)),
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            match error.as_db_error() {
                Some(_) => error.into(),
                None => Error::Unreachable(Arc::new(Trouble::Unreachable(error))),
            }
        }
        // The only thing that our hook says by itself.
        PoolError::PostCreateHook(HookError::Message(_)) => {
            Error::Unreachable(Arc::new(Trouble::Unserved))
        }
        PoolError::Closed | PoolError::NoRuntimeSpecified => Error::internal(error),
    }
}

/// Whether a connection may be had a little later: the server starts, or has none left.
pub(super) fn may_connect_later(error: &Error) -> bool {
    match error {
        Error::Unreachable(_) => true,
        Error::Busy(cause) => !matches!(cause.downcast_ref(), Some(Trouble::Crowded)),
        _ => false,
    }
}
