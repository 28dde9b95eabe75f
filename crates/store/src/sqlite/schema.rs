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
    M::up(include_str!(
        "../../migrations/sqlite/0009_cheaper_sessions.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0010_visitor_resume.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0011_message_bytes.sql"
    )),
    M::up(include_str!("../../migrations/sqlite/0012_runs.sql")),
    M::up(include_str!(
        "../../migrations/sqlite/0013_gone_threads.sql"
    )),
    M::up(include_str!("../../migrations/sqlite/0014_retention.sql")),
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

/// Writes the tables' version that is there, which must be the one of this build: a real write that changes nothing.
pub(super) fn probe(connection: &Connection) -> Result<(), Error> {
    let found: u32 = connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?;
    let version = found;
    let found = version as usize;
    match found.cmp(&LATEST) {
        Ordering::Greater => Err(Error::TooNew {
            found,
            known: LATEST,
        }),
        Ordering::Less => Err(Error::Outdated {
            found,
            needed: LATEST,
        }),
        Ordering::Equal => Ok(connection.pragma_update(None, "user_version", version)?),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_messages_that_were_there_before_the_upgrade_are_counted() {
        let mut connection = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut connection, 10).unwrap();
        connection
            .execute_batch(
                "INSERT INTO threads (key, owner, id, created_at, version, data)
                 VALUES (1, 'ada', 'a', 0, 1, '{}'), (2, 'ada', 'b', 0, 1, '{}'), (3, 'bob', 'a', 0, 1, '{}');
                 INSERT INTO items (thread, id, version, data)
                 VALUES (1, 'a', 1, '12345'), (1, 'b', 1, 'ää'), (2, 'a', 1, '1'), (3, 'a', 1, '12');",
            )
            .unwrap();
        prepare(&mut connection, MigrationPolicy::Apply).unwrap();
        let bytes: Vec<(String, i64)> = connection
            .prepare("SELECT owner, bytes FROM message_bytes ORDER BY owner")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(bytes, [("ada".to_owned(), 10), ("bob".to_owned(), 2)]);
    }

    #[test]
    fn threads_that_were_there_before_the_upgrade_count_as_used_with_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut connection, 13).unwrap();
        let insert = "INSERT INTO threads (owner, id, created_at, version, data) VALUES ('ada', ?1, 0, 1, '{}')";
        connection.execute(insert, ["old"]).unwrap();
        prepare(&mut connection, MigrationPolicy::Apply).unwrap();
        connection.execute(insert, ["new"]).unwrap();
        let age = |id: &str| -> Option<i64> {
            let sql = "SELECT unixepoch() - active_at / 1000000 FROM threads WHERE id = ?1";
            connection.query_row(sql, [id], |row| row.get(0)).unwrap()
        };
        assert!(age("old").is_some_and(|seconds| seconds < 60));
        assert_eq!(age("new"), None, "until somebody uses it");
    }

    #[test]
    fn logins_of_open_sessions_are_found_after_the_upgrade() {
        let mut connection = Connection::open_in_memory().unwrap();
        MIGRATIONS.to_version(&mut connection, 7).unwrap();
        for (id, claims) in [
            ("1", r#"{"sid":"a login"}"#),
            ("2", "{}"),
            ("3", r#"{"sid":7}"#),
        ] {
            let sql = "INSERT INTO chat_sessions
                (id, issuer, subject, environment, opened_by, created_at, ends_at, version, data)
                VALUES (?1, 'issuer', 'ada', 'live', 'user', 0, 9, 1, json_object('claims', json(?2)))";
            connection.execute(sql, [id, claims]).unwrap();
        }
        prepare(&mut connection, MigrationPolicy::Apply).unwrap();
        let logins: Vec<Option<String>> = connection
            .prepare("SELECT login FROM chat_sessions ORDER BY id")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(logins, [Some("a login".to_owned()), None, None]);
    }
}
