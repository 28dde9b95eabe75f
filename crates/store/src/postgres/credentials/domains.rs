//! The domain allowlist, and the origins that were refused by it.

use auth::identity::Environment;
use auth::ports::{DomainRecord, RefusalRecord};
use auth::time::UnixTime;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::credentials::read_time;
use crate::postgres::pool::{Batch, Transaction, params};
use crate::postgres::{Postgres, name};

pub(super) async fn insert(
    transaction: &mut Transaction,
    domain: &DomainRecord,
) -> Result<DomainRecord, Error> {
    let mut batch = Batch::of(
        "INSERT INTO domains (origin, environment, key, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (origin, environment) DO NOTHING",
        params![
            name(&domain.origin),
            domain.environment.as_str(),
            name(&domain.key),
            domain.created_at.seconds(),
        ],
    );
    let found = batch.add(
        "SELECT origin, environment, key, created_at FROM domains
         WHERE origin = $1 AND environment = $2",
        params![name(&domain.origin), domain.environment.as_str()],
    );
    batch.add(
        "DELETE FROM refusals WHERE origin = $1 AND environment = $2",
        params![name(&domain.origin), domain.environment.as_str()],
    );
    let outcomes = transaction.run(batch).await?;
    let row = outcomes.get(found).and_then(|outcome| outcome.rows.first());
    read_domain(row.ok_or(Error::NotFound)?)
}

pub(super) async fn find(
    postgres: &Postgres,
    origin: &str,
    environment: Environment,
) -> Result<Option<DomainRecord>, Error> {
    let row = postgres.read_first(
        "SELECT origin, environment, key, created_at FROM domains
         WHERE origin = $1 AND environment = $2",
        params![name(origin), environment.as_str()],
    );
    row.await?.as_ref().map(read_domain).transpose()
}

pub(super) async fn find_by_key(
    postgres: &Postgres,
    key: &str,
) -> Result<Option<DomainRecord>, Error> {
    let row = postgres.read_first(
        "SELECT origin, environment, key, created_at FROM domains WHERE key = $1",
        params![name(key)],
    );
    row.await?.as_ref().map(read_domain).transpose()
}

pub(super) async fn list(postgres: &Postgres) -> Result<Vec<DomainRecord>, Error> {
    let rows = postgres.read(
        "SELECT origin, environment, key, created_at FROM domains ORDER BY origin, environment",
        params![],
    );
    rows.await?.iter().map(read_domain).collect()
}

pub(super) async fn remove(
    transaction: &mut Transaction,
    origin: &str,
    environment: Environment,
) -> Result<bool, Error> {
    let removed = transaction
        .query(
            "DELETE FROM domains WHERE origin = $1 AND environment = $2",
            params![name(origin), environment.as_str()],
        )
        .await?;
    Ok(removed.count > 0)
}

/// One refusal after the other, on all nodes: there is one row for an origin, and so many in all.
pub(super) async fn record_refusal(
    transaction: &mut Transaction,
    origin: &str,
    environment: Environment,
    now: UnixTime,
    keep: u32,
) -> Result<(), Error> {
    let now = now.seconds();
    let mut batch = Batch::of(
        "SELECT pg_advisory_xact_lock(hashtextextended('refusals', 0))",
        params![],
    );
    // Taken out and put in again, so that its key is the highest.
    batch.add(
        "WITH earlier AS (DELETE FROM refusals WHERE origin = $1 RETURNING *)
         INSERT INTO refusals (origin, environment, count, first_seen_at, last_seen_at)
         SELECT $1, $2, coalesce(sum(count), 0)::bigint + 1, coalesce(min(first_seen_at), $3),
                greatest(coalesce(max(last_seen_at), $3), $3)
         FROM earlier",
        params![name(origin), environment.as_str(), now],
    );
    // What came once makes room before what keeps coming; the newest stays in any case.
    batch.add(
        "DELETE FROM refusals WHERE key IN
             (SELECT key FROM refusals WHERE key < (SELECT max(key) FROM refusals)
              ORDER BY count, key
              LIMIT greatest(0, (SELECT count(*) FROM refusals) - $1))",
        params![i64::from(keep)],
    );
    transaction.finish(batch).await?;
    Ok(())
}

pub(super) async fn list_refusals(postgres: &Postgres) -> Result<Vec<RefusalRecord>, Error> {
    let rows = postgres.read(
        "SELECT origin, environment, count, first_seen_at, last_seen_at FROM refusals
         ORDER BY key DESC",
        params![],
    );
    let read = |row: &Row| {
        Ok(RefusalRecord {
            origin: row.try_get(0)?,
            environment: read_environment(row, 1)?,
            count: row.try_get::<_, i64>(2)?.unsigned_abs(),
            first_seen_at: read_time(row, 3)?,
            last_seen_at: read_time(row, 4)?,
        })
    };
    rows.await?.iter().map(read).collect()
}

fn read_domain(row: &Row) -> Result<DomainRecord, Error> {
    Ok(DomainRecord {
        origin: row.try_get(0)?,
        environment: read_environment(row, 1)?,
        key: row.try_get(2)?,
        created_at: read_time(row, 3)?,
    })
}

fn read_environment(row: &Row, column: usize) -> Result<Environment, Error> {
    let name: &str = row.try_get(column)?;
    name.parse().map_err(Error::internal)
}
