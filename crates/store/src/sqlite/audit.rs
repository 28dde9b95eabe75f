//! The audit log in SQLite: `auth`'s `AuditStore` port.
//!
//! An entry is one row that nothing changes (triggers see to it). Whom it is about and where they came from is a row of
//! `audit_parties`, which is all that has to go when a person is forgotten.

use async_trait::async_trait;
use auth::audit::{AuditEntry, AuditQuery, AuditRecord, AuditStore, AuditUser, Door};
use auth::ports::StoreError;
use auth::time::UnixTime;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::error::Error;
use crate::rows::audit::RawEntry;
use crate::rows::{self, Stored};
use crate::sqlite::Sqlite;

/// Entries that one call of [`purge_some`] removes.
const PURGE_BATCH: u32 = 500;

#[async_trait]
impl AuditStore for Sqlite {
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let rows: Vec<_> = records
            .iter()
            .map(rows::audit::encode)
            .collect::<Result<_, _>>()?;
        let appended = self.write(move |connection| {
            let mut rows = rows.iter();
            rows.try_for_each(|(record, stored)| append(connection, record, stored))
        });
        Ok(appended.await?)
    }

    async fn list_audit(
        &self,
        query: &AuditQuery,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let query = query.clone();
        let listed = self.read(move |connection| list(connection, &query, limit));
        Ok(listed.await?)
    }

    async fn purge_audit(&self, before: UnixTime) -> Result<u64, StoreError> {
        self.write(move |connection| move_retention(connection, before))
            .await?;
        // Small batches, so that nobody waits long behind one.
        let mut purged = 0;
        loop {
            match self.write(purge_some).await? {
                0 => return Ok(purged),
                count => purged += count,
            }
        }
    }
}

fn append(connection: &Connection, record: &AuditRecord, stored: &Stored) -> Result<(), Error> {
    let party = find_or_add_party(connection, record.user.as_ref(), record.address.as_deref())?;
    connection
        .prepare_cached(
            "INSERT INTO audit_log (at, kind, door, session_id, party, version, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            record.at.seconds(),
            record.event.kind(),
            record.door.map(Door::as_str),
            record.session_id,
            party,
            stored.version,
            stored.data,
        ])?;
    Ok(())
}

fn find_or_add_party(
    connection: &Connection,
    user: Option<&AuditUser>,
    address: Option<&str>,
) -> Result<Option<i64>, Error> {
    let (subject, issuer) = user.map_or(("", ""), |user| (&user.subject, &user.issuer));
    let address = address.unwrap_or_default();
    if subject.is_empty() && address.is_empty() {
        return Ok(None);
    }
    let found = connection
        .prepare_cached(
            "SELECT key FROM audit_parties WHERE subject = ?1 AND issuer = ?2 AND address = ?3",
        )?
        .query_row([subject, issuer, address], |row| row.get(0))
        .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let added = connection
        .prepare_cached("INSERT INTO audit_parties (subject, issuer, address) VALUES (?1, ?2, ?3)")?
        .insert([subject, issuer, address])?;
    Ok(Some(added))
}

fn list(connection: &Connection, query: &AuditQuery, limit: u32) -> Result<Vec<AuditEntry>, Error> {
    let after = match query.after {
        Some(after) => i64::try_from(after).unwrap_or(i64::MAX),
        None if query.is_newest_first => i64::MAX,
        None => 0,
    };
    let mut sql = String::from(
        "SELECT log.key, log.at, log.door, log.session_id, log.version, log.data,
                party.subject, party.issuer, party.address
         FROM audit_log AS log LEFT JOIN audit_parties AS party ON party.key = log.party
         WHERE log.key ",
    );
    sql.push_str(if query.is_newest_first {
        "< :after"
    } else {
        "> :after"
    });
    let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":after", &after), (":limit", &limit)];
    let (since, until) = (
        query.since.map(UnixTime::seconds),
        query.until.map(UnixTime::seconds),
    );
    let door = query.door.map(Door::as_str);
    // The plus keeps SQLite from looking for rows by time and sorting them: they are wanted in the order of their keys,
    // which is nearly that of time, and a page ends early.
    let filters: [(&str, &str, Option<&dyn ToSql>); 7] = [
        (" AND +log.at >= :since", ":since", value(since.as_ref())),
        (" AND +log.at < :until", ":until", value(until.as_ref())),
        (" AND log.kind = :kind", ":kind", value(query.kind.as_ref())),
        (" AND log.door = :door", ":door", value(door.as_ref())),
        (
            " AND log.session_id = :session",
            ":session",
            value(query.session_id.as_ref()),
        ),
        (
            " AND party.subject = :subject",
            ":subject",
            value(query.subject.as_ref()),
        ),
        (
            " AND party.issuer = :issuer",
            ":issuer",
            value(query.issuer.as_ref()),
        ),
    ];
    for (clause, name, value) in filters {
        if let Some(value) = value {
            sql.push_str(clause);
            parameters.push((name, value));
        }
    }
    sql.push_str(if query.is_newest_first {
        " ORDER BY log.key DESC LIMIT :limit"
    } else {
        " ORDER BY log.key LIMIT :limit"
    });
    connection
        .prepare_cached(&sql)?
        .query_and_then(&*parameters, read_entry)?
        .collect()
}

fn value<T: ToSql>(value: Option<&T>) -> Option<&dyn ToSql> {
    value.map(|value| value as &dyn ToSql)
}

pub(super) fn read_entry(row: &Row<'_>) -> Result<AuditEntry, Error> {
    RawEntry {
        id: row.get(0)?,
        at: row.get(1)?,
        door: row.get(2)?,
        session_id: row.get(3)?,
        version: row.get(4)?,
        data: row.get(5)?,
        subject: row.get(6)?,
        issuer: row.get(7)?,
        address: row.get(8)?,
    }
    .read()
}

/// Drops the person: entries stay, and name nobody any more.
pub(super) fn forget(connection: &Connection, issuer: &str, subject: &str) -> Result<(), Error> {
    connection
        .prepare_cached("DELETE FROM audit_parties WHERE subject = ?1 AND issuer = ?2")?
        .execute([subject, issuer])?;
    Ok(())
}

fn move_retention(connection: &Connection, before: UnixTime) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE audit_retention SET before = ?1 WHERE only_row = 1 AND before < ?1",
        )?
        .execute([before.seconds()])?;
    Ok(())
}

/// Removes some of the entries that are older than the time of retention; 0 when nothing is left.
fn purge_some(connection: &Connection) -> Result<u64, Error> {
    let parties = connection
        .prepare_cached(
            "DELETE FROM audit_log WHERE key IN (
                 SELECT key FROM audit_log
                 WHERE at < (SELECT before FROM audit_retention WHERE only_row = 1) LIMIT ?1)
             RETURNING party",
        )?
        .query_map([PURGE_BATCH], |row| row.get(0))?
        .collect::<Result<Vec<Option<i64>>, _>>()?;
    let mut forget = connection.prepare_cached(
        "DELETE FROM audit_parties WHERE key = ?1
             AND NOT EXISTS (SELECT 1 FROM audit_log WHERE party = ?1)",
    )?;
    for party in parties.iter().flatten() {
        forget.execute([party])?;
    }
    Ok(parties.len() as u64)
}
