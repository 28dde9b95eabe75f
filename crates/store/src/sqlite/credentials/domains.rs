//! The domain allowlist, and the origins that were refused by it.

use auth::identity::Environment;
use auth::ports::{DomainRecord, RefusalRecord};
use auth::time::UnixTime;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Error;
use crate::sqlite::credentials::read_time;

pub(super) fn insert(
    connection: &Connection,
    domain: &DomainRecord,
) -> Result<DomainRecord, Error> {
    if let Some(registered) = find(connection, &domain.origin, domain.environment)? {
        return Ok(registered);
    }
    connection
        .prepare_cached(
            "INSERT INTO domains (origin, environment, key, created_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            domain.origin,
            domain.environment.as_str(),
            domain.key,
            domain.created_at.seconds(),
        ])?;
    connection
        .prepare_cached("DELETE FROM refusals WHERE origin = ?1 AND environment = ?2")?
        .execute(params![domain.origin, domain.environment.as_str()])?;
    Ok(domain.clone())
}

pub(super) fn find(
    connection: &Connection,
    origin: &str,
    environment: Environment,
) -> Result<Option<DomainRecord>, Error> {
    let domain = connection
        .prepare_cached(
            "SELECT origin, environment, key, created_at FROM domains
             WHERE origin = ?1 AND environment = ?2",
        )?
        .query_row(params![origin, environment.as_str()], read_domain)
        .optional()?;
    Ok(domain)
}

pub(super) fn find_by_key(
    connection: &Connection,
    key: &str,
) -> Result<Option<DomainRecord>, Error> {
    let domain = connection
        .prepare_cached("SELECT origin, environment, key, created_at FROM domains WHERE key = ?1")?
        .query_row([key], read_domain)
        .optional()?;
    Ok(domain)
}

pub(super) fn list(connection: &Connection) -> Result<Vec<DomainRecord>, Error> {
    let domains = connection
        .prepare_cached(
            "SELECT origin, environment, key, created_at FROM domains
             ORDER BY origin, environment",
        )?
        .query_map([], read_domain)?
        .collect::<Result<_, _>>()?;
    Ok(domains)
}

pub(super) fn remove(
    connection: &Connection,
    origin: &str,
    environment: Environment,
) -> Result<bool, Error> {
    let removed = connection
        .prepare_cached("DELETE FROM domains WHERE origin = ?1 AND environment = ?2")?
        .execute(params![origin, environment.as_str()])?;
    Ok(removed > 0)
}

pub(super) fn record_refusal(
    connection: &Connection,
    origin: &str,
    environment: Environment,
    now: UnixTime,
    keep: u32,
) -> Result<(), Error> {
    let now = now.seconds();
    let (count, first_seen_at, last_seen_at): (i64, i64, i64) = connection
        .prepare_cached(
            "SELECT COALESCE(SUM(count), 0), COALESCE(MIN(first_seen_at), ?2),
                    MAX(COALESCE(MAX(last_seen_at), ?2), ?2)
             FROM refusals WHERE origin = ?1",
        )?
        .query_row(params![origin, now], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    // Taken out and put in again, so that its key is the highest.
    connection
        .prepare_cached("DELETE FROM refusals WHERE origin = ?1")?
        .execute([origin])?;
    connection
        .prepare_cached(
            "INSERT INTO refusals (origin, environment, count, first_seen_at, last_seen_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            origin,
            environment.as_str(),
            count.saturating_add(1),
            first_seen_at,
            last_seen_at,
        ])?;
    // What came once makes room before what keeps coming; the newest stays in any case.
    connection
        .prepare_cached(
            "DELETE FROM refusals WHERE key IN
                 (SELECT key FROM refusals WHERE key <> last_insert_rowid() ORDER BY count, key
                  LIMIT MAX(0, (SELECT COUNT(*) FROM refusals) - ?1))",
        )?
        .execute([keep])?;
    Ok(())
}

pub(super) fn list_refusals(connection: &Connection) -> Result<Vec<RefusalRecord>, Error> {
    let refusals = connection
        .prepare_cached(
            "SELECT origin, environment, count, first_seen_at, last_seen_at FROM refusals
             ORDER BY key DESC",
        )?
        .query_map([], |row| {
            Ok(RefusalRecord {
                origin: row.get(0)?,
                environment: read_environment(row, 1)?,
                count: row.get::<_, i64>(2)?.unsigned_abs(),
                first_seen_at: read_time(row, 3)?,
                last_seen_at: read_time(row, 4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(refusals)
}

fn read_domain(row: &Row<'_>) -> rusqlite::Result<DomainRecord> {
    Ok(DomainRecord {
        origin: row.get(0)?,
        environment: read_environment(row, 1)?,
        key: row.get(2)?,
        created_at: read_time(row, 3)?,
    })
}

fn read_environment(row: &Row<'_>, column: usize) -> rusqlite::Result<Environment> {
    row.get::<_, String>(column)?.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            Type::Text,
            Box::new(FromSqlError::other(error)),
        )
    })
}
