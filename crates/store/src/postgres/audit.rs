//! The audit log in PostgreSQL: `auth`'s `AuditStore` port.
//!
//! An entry is one row that nothing changes (triggers see to it). Whoever adds entries holds the row that numbers them, so
//! that they appear in the order of their numbers, whichever node wrote them, and no number is missing.

use async_trait::async_trait;
use auth::audit::{AuditEntry, AuditQuery, AuditRecord, AuditStore, Door};
use auth::ports::StoreError;
use auth::time::UnixTime;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::pool::{Batch, Transaction, params};
use crate::postgres::{Postgres, name};
use crate::rows::Stored;
use crate::rows::audit::{self, RawEntry};

/// Entries that one call of [`purge_some`] removes.
const PURGE_BATCH: i64 = 500;

#[async_trait]
impl AuditStore for Postgres {
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let rows: Vec<_> = records
            .iter()
            .map(audit::encode)
            .collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        let appended = self.write(rows, |transaction, rows| {
            Box::pin(append(transaction, rows))
        });
        Ok(appended.await?)
    }

    async fn list_audit(
        &self,
        query: &AuditQuery,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(list(self, query, limit).await?)
    }

    async fn purge_audit(&self, before: UnixTime) -> Result<u64, StoreError> {
        self.write(before, |transaction, before| {
            Box::pin(async move {
                let batch = Batch::of(
                    "UPDATE audit_state SET before = $1 WHERE before < $1",
                    params![before.seconds()],
                );
                transaction.finish(batch).await?;
                Ok(())
            })
        })
        .await?;
        // Small batches, so that nobody waits long behind one.
        let mut purged = 0;
        loop {
            let some = self.write((), |transaction, ()| Box::pin(purge_some(transaction)));
            match some.await? {
                0 => return Ok(purged),
                count => purged += count,
            }
        }
    }
}

/// All of them in one round trip.
async fn append(
    transaction: &mut Transaction,
    rows: &[(AuditRecord, Stored)],
) -> Result<(), Error> {
    fn user(record: &AuditRecord) -> (&str, &str) {
        let user = record.user.as_ref();
        user.map_or(("", ""), |user| (&user.subject, &user.issuer))
    }
    let each = || rows.iter().map(|(record, _)| record);
    let subjects: Vec<_> = each().map(|record| name(user(record).0)).collect();
    let issuers: Vec<_> = each().map(|record| name(user(record).1)).collect();
    let addresses: Vec<_> = each()
        .map(|record| name(record.address.as_deref().unwrap_or_default()))
        .collect();
    let mut batch = Batch::of(
        "UPDATE audit_state SET last = last + $1",
        params![i64::try_from(rows.len()).map_err(Error::internal)?],
    );
    batch.add(
        "INSERT INTO audit_parties (subject, issuer, address)
         SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::text[])
             AS party (subject, issuer, address)
         WHERE subject <> '' OR address <> ''
         ON CONFLICT DO NOTHING",
        params![subjects.clone(), issuers.clone(), addresses.clone()],
    );
    let times: Vec<_> = each().map(|record| record.at.seconds()).collect();
    let kinds: Vec<_> = each().map(|record| record.event.kind()).collect();
    let doors: Vec<_> = each().map(|record| record.door.map(Door::as_str)).collect();
    let sessions: Vec<_> = each()
        .map(|record| record.session_id.as_deref().map(name))
        .collect();
    let versions: Vec<_> = rows.iter().map(|(_, stored)| stored.version).collect();
    let data: Vec<_> = rows
        .iter()
        .map(|(_, stored)| stored.data.as_str())
        .collect();
    batch.add(
        "INSERT INTO audit_log (key, at, kind, door, session_id, party, version, data)
         SELECT (SELECT last FROM audit_state) - cardinality($1::bigint[]) + entry.place, entry.at,
                entry.kind, entry.door, entry.session_id, party.key, entry.version, entry.data
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],
                     $7::text[], $8::text[], $9::text[]) WITH ORDINALITY
             AS entry (at, kind, door, session_id, version, data, subject, issuer, address, place)
             LEFT JOIN audit_parties AS party
                 ON party.subject = entry.subject AND party.issuer = entry.issuer
                    AND party.address = entry.address",
        params![
            times, kinds, doors, sessions, versions, data, subjects, issuers, addresses
        ],
    );
    transaction.finish(batch).await?;
    Ok(())
}

async fn list(
    postgres: &Postgres,
    query: &AuditQuery,
    limit: u32,
) -> Result<Vec<AuditEntry>, Error> {
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
        "< $1"
    } else {
        "> $1"
    });
    let mut parameters = params![after];
    for (clause, seconds) in [
        (" AND log.at >= $", query.since),
        (" AND log.at < $", query.until),
    ] {
        if let Some(seconds) = seconds {
            parameters.extend(params![seconds.seconds()]);
            sql.extend([format!("{clause}{}", parameters.len())]);
        }
    }
    for (clause, text) in [
        (" AND log.kind = $", query.kind.as_deref()),
        (" AND log.door = $", query.door.map(Door::as_str)),
        (" AND log.session_id = $", query.session_id.as_deref()),
        (" AND party.subject = $", query.subject.as_deref()),
        (" AND party.issuer = $", query.issuer.as_deref()),
    ] {
        if let Some(text) = text {
            parameters.extend(params![name(text)]);
            sql.extend([format!("{clause}{}", parameters.len())]);
        }
    }
    parameters.extend(params![i64::from(limit)]);
    let direction = if query.is_newest_first { "DESC" } else { "" };
    sql.extend([format!(
        " ORDER BY log.key {direction} LIMIT ${}",
        parameters.len()
    )]);
    let rows = postgres.read(sql, parameters).await?;
    rows.iter().map(read_entry).collect()
}

pub(super) fn read_entry(row: &Row) -> Result<AuditEntry, Error> {
    RawEntry {
        id: row.try_get(0)?,
        at: row.try_get(1)?,
        door: row.try_get(2)?,
        session_id: row.try_get(3)?,
        version: row.try_get(4)?,
        data: row.try_get(5)?,
        subject: row.try_get(6)?,
        issuer: row.try_get(7)?,
        address: row.try_get(8)?,
    }
    .read()
}

/// Removes some of the entries that are older than the time of retention; 0 when nothing is left. Nobody adds any
/// meanwhile, so a party that no entry names stays so.
async fn purge_some(transaction: &mut Transaction) -> Result<u64, Error> {
    let mut batch = Batch::of("SELECT 1 FROM audit_state FOR NO KEY UPDATE", params![]);
    let removed = batch.add(
        "DELETE FROM audit_log WHERE key IN (
             SELECT key FROM audit_log WHERE at < (SELECT before FROM audit_state) LIMIT $1)
         RETURNING party",
        params![PURGE_BATCH],
    );
    let outcomes = transaction.run(batch).await?;
    let removed = outcomes.get(removed).ok_or(Error::NotFound)?;
    let mut parties = Vec::with_capacity(removed.rows.len());
    for row in &removed.rows {
        parties.extend(row.try_get::<_, Option<i64>>(0)?);
    }
    let batch = Batch::of(
        "DELETE FROM audit_parties WHERE key = ANY($1)
             AND NOT EXISTS (SELECT 1 FROM audit_log WHERE party = audit_parties.key)",
        params![parties],
    );
    transaction.finish(batch).await?;
    Ok(removed.count)
}
