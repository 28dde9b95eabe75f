//! The tables' version: brings a database up to date, or says why it cannot be used.

use std::cmp::Ordering;

use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::{M, Migrations};

use crate::MigrationPolicy;
use crate::error::Error;

/// In order, and never changed once released. The tables' version is how many of them have run.
const STEPS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/sqlite/0001_threads.sql")),
    M::up(include_str!("../../migrations/sqlite/0002_credentials.sql")),
    M::up(include_str!("../../migrations/sqlite/0003_attachments.sql")),
    M::up(include_str!("../../migrations/sqlite/0004_projects.sql")),
    M::up(include_str!("../../migrations/sqlite/0005_visitors.sql")),
    M::up(include_str!("../../migrations/sqlite/0006_logins.sql")),
    M::up(include_str!("../../migrations/sqlite/0007_audit.sql")),
    M::up(include_str!("../../migrations/sqlite/0008_sessions.sql")),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);
const LATEST: usize = STEPS.len();

/// Checks the version, and migrates where that is wanted.
pub(super) fn prepare(connection: &mut Connection, policy: MigrationPolicy) -> Result<(), Error> {
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    loop {
        let found = version(connection)?;
        match (found.cmp(&LATEST), policy) {
            (Ordering::Equal, _) => return Ok(()),
            (Ordering::Greater, _) => {
                return Err(Error::TooNew {
                    found,
                    known: LATEST,
                });
            }
            (Ordering::Less, MigrationPolicy::Require) => {
                return Err(Error::Outdated {
                    found,
                    needed: LATEST,
                });
            }
            (Ordering::Less, MigrationPolicy::Apply) => migrate(connection, found)?,
        }
    }
}

fn migrate(connection: &mut Connection, found: usize) -> Result<(), Error> {
    match MIGRATIONS.to_latest(connection) {
        Ok(()) => tracing::info!(from = found, to = LATEST, "database migrated"),
        // Another process was faster: what we tried to make is there. The version is looked at again.
        Err(_) if version(connection)? != found => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn version(connection: &Connection) -> Result<usize, Error> {
    Ok(MIGRATIONS.current_version(connection)?.into())
}

impl From<rusqlite_migration::Error> for Error {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
            other => Self::internal(other),
        }
    }
}
