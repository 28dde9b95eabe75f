//! What is known about attachments, in PostgreSQL: the engine's `AttachmentStore` port.

use async_trait::async_trait;
use engine::Owner;
use engine::ports::{
    Announced, AttachmentRecord, AttachmentStore, FileId, Kept, Quota, StoreError,
};
use protocol::{AttachmentId, Timestamp};
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::change::Check;
use crate::postgres::pool::{Batch, Transaction, params};
use crate::postgres::{Postgres, name};
use crate::rows::change::EncodedItem;
use crate::rows::{self, Description, Stored};

/// Rows that are removed in one step, and files that are named in one answer.
const BATCH: i64 = 100;

#[async_trait]
impl AttachmentStore for Postgres {
    async fn announce(
        &self,
        owner: &Owner,
        record: &AttachmentRecord,
        quota: Quota,
    ) -> Result<Announced, StoreError> {
        let description = rows::encode(&Description {
            name: record.name.clone(),
            media_type: record.media_type.clone(),
        })?;
        let data = (owner.clone(), record.clone(), description, quota);
        let announced = self.write(data, |transaction, (owner, record, description, quota)| {
            Box::pin(announce(transaction, owner, record, description, *quota))
        });
        Ok(announced.await?)
    }

    async fn attachment(
        &self,
        owner: &Owner,
        id: &AttachmentId,
    ) -> Result<AttachmentRecord, StoreError> {
        let (_owner, record) = find(self, id, Some(owner)).await?;
        Ok(record)
    }

    async fn linked_attachment(
        &self,
        id: &AttachmentId,
    ) -> Result<(Owner, AttachmentRecord), StoreError> {
        Ok(find(self, id, None).await?)
    }

    async fn complete(
        &self,
        owner: &Owner,
        id: &AttachmentId,
        kept: Kept,
    ) -> Result<(), StoreError> {
        let data = (owner.clone(), id.clone(), kept);
        let completed = self.write(data, |transaction, (owner, id, kept)| {
            Box::pin(async move {
                let batch = Batch::of(
                    "UPDATE attachments SET size = $3, sha256 = $4
                     WHERE owner = $1 AND id = $2 AND sha256 IS NULL",
                    params![
                        owner.as_str(),
                        id.as_str(),
                        bytes(kept.size),
                        kept.sha256.as_slice()
                    ],
                );
                finish_one(transaction, batch).await
            })
        });
        Ok(completed.await?)
    }

    async fn discard(&self, owner: &Owner, id: &AttachmentId) -> Result<(), StoreError> {
        let data = (owner.clone(), id.clone());
        let discarded = self.write(data, |transaction, (owner, id)| {
            Box::pin(async move {
                let batch = Batch::of(
                    "DELETE FROM attachments
                     WHERE owner = $1 AND id = $2 AND item IS NULL AND queued IS NULL",
                    params![owner.as_str(), id.as_str()],
                );
                finish_one(transaction, batch).await
            })
        });
        Ok(discarded.await?)
    }

    async fn purge_unsent(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let batch = self.write(before, |transaction, before| {
                Box::pin(async move {
                    // Another process may be at the same rows; it counts them.
                    let removed = transaction.finish(Batch::of(
                        "DELETE FROM attachments WHERE key IN
                             (SELECT key FROM attachments
                              WHERE item IS NULL AND queued IS NULL AND created_at < $1
                              LIMIT $2 FOR UPDATE SKIP LOCKED)",
                        params![before.as_microsecond(), BATCH],
                    ));
                    Ok(removed.await?.first().map_or(0, |outcome| outcome.count))
                })
            });
            match batch.await? {
                0 => return Ok(purged),
                count => purged += count,
            }
        }
    }

    async fn removed_files(&self, after: Option<FileId>) -> Result<Vec<FileId>, StoreError> {
        let after = after.map(|file| file.to_string()).unwrap_or_default();
        let rows = self
            .read(
                "SELECT file FROM removed_files WHERE file > $1 ORDER BY file LIMIT $2",
                params![after, BATCH],
            )
            .await?;
        let mut files = Vec::with_capacity(rows.len());
        for row in &rows {
            let file: &str = row.try_get(0).map_err(Error::from)?;
            files.push(file.parse().map_err(Error::internal)?);
        }
        Ok(files)
    }

    async fn forget_removed_files(&self, files: &[FileId]) -> Result<(), StoreError> {
        let files: Vec<String> = files.iter().map(FileId::to_string).collect();
        let forgotten = self.write(files, |transaction, files| {
            Box::pin(async move {
                let batch = Batch::of(
                    "DELETE FROM removed_files WHERE file = ANY($1)",
                    params![files],
                );
                transaction.finish(batch).await?;
                Ok(())
            })
        });
        Ok(forgotten.await?)
    }
}

/// One owner's announcements are decided one after the other.
async fn announce(
    transaction: &mut Transaction,
    owner: &Owner,
    record: &AttachmentRecord,
    description: &Stored,
    quota: Quota,
) -> Result<Announced, Error> {
    let mut batch = Batch::of(
        "SELECT pg_advisory_xact_lock(hashtextextended('attachments ' || $1, 0))",
        params![owner.as_str()],
    );
    let counted = batch.add(
        "SELECT coalesce(sum(size), 0)::bigint, count(*) FILTER (WHERE session = $2),
             count(*) FILTER (WHERE item IS NULL AND queued IS NULL)
         FROM attachments WHERE owner = $1",
        params![owner.as_str(), record.session.as_deref().map(name)],
    );
    let outcomes = transaction.run(batch).await?;
    let row = outcomes
        .get(counted)
        .and_then(|outcome| outcome.rows.first());
    let row = row.ok_or(Error::NotFound)?;
    let (all, of_session, unsent): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if quota
        .session_files
        .is_some_and(|most| of_session >= i64::from(most))
    {
        return Ok(Announced::TooMany);
    }
    if all.saturating_add(bytes(record.size)) > bytes(quota.bytes) {
        return Ok(Announced::NoSpace);
    }
    if unsent >= i64::from(quota.unsent_files) {
        return Ok(Announced::TooManyUnsent);
    }
    let batch = Batch::of(
        "INSERT INTO attachments (owner, id, file, session, size, created_at, version, data)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            owner.as_str(),
            record.id.as_str(),
            record.file.to_string(),
            record.session.as_deref().map(name),
            bytes(record.size),
            record.created_at.as_microsecond(),
            description.version,
            description.data.as_str(),
        ],
    );
    transaction.finish(batch).await?;
    Ok(Announced::Accepted)
}

/// Ties attachments to a message: those of the thread's owner, uploaded, and not tied elsewhere.
pub(super) fn tie<'a>(
    batch: &mut Batch<'a>,
    checks: &mut Vec<Check>,
    owner: &'a Owner,
    thread: i64,
    item: &'a EncodedItem,
) {
    let ids = distinct(item);
    if ids.is_empty() {
        return;
    }
    let count = ids.len() as u64;
    let step = batch.add(
        "UPDATE attachments SET item = message.key
         FROM (SELECT key FROM items WHERE thread = $1 AND id = $2) AS message
         WHERE owner = $3 AND id = ANY($4) AND sha256 IS NOT NULL AND queued IS NULL
             AND (item IS NULL OR item = message.key)",
        params![thread, item.id.as_str(), owner.as_str(), ids],
    );
    checks.push(Check {
        step,
        count,
        otherwise: Error::NotFound,
    });
}

/// Ties attachments to a message that waits, as [`tie`] does to one that is an item.
pub(super) fn tie_queued<'a>(
    batch: &mut Batch<'a>,
    checks: &mut Vec<Check>,
    owner: &'a Owner,
    thread: i64,
    message: &'a EncodedItem,
) {
    let ids = distinct(message);
    if ids.is_empty() {
        return;
    }
    let count = ids.len() as u64;
    let step = batch.add(
        "UPDATE attachments SET queued = message.key
         FROM (SELECT key FROM queued_messages WHERE thread = $1 AND id = $2) AS message
         WHERE owner = $3 AND id = ANY($4) AND sha256 IS NOT NULL AND item IS NULL
             AND queued IS NULL",
        params![thread, message.id.as_str(), owner.as_str(), ids],
    );
    checks.push(Check {
        step,
        count,
        otherwise: Error::NotFound,
    });
}

fn distinct(item: &EncodedItem) -> Vec<&str> {
    let mut ids: Vec<&str> = item.attachments.iter().map(AttachmentId::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Removes an owner's attachments, some at a time; those of messages too.
pub(super) async fn forget_some(
    transaction: &mut Transaction,
    owner: &Owner,
) -> Result<u64, Error> {
    let removed = transaction
        .query(
            "DELETE FROM attachments WHERE key IN
                 (SELECT key FROM attachments WHERE owner = $1 ORDER BY key LIMIT $2 FOR UPDATE)",
            params![owner.as_str(), BATCH],
        )
        .await?;
    Ok(removed.count)
}

/// An attachment's columns, and where they come from.
macro_rules! select_attachment {
    ($more:literal, $condition:literal) => {
        concat!(
            "SELECT a.owner, a.id, a.file, a.session, a.size, a.sha256, a.created_at, a.version,
                 a.data, threads.id",
            $more,
            " FROM attachments a LEFT JOIN items ON items.key = a.item
                 LEFT JOIN queued_messages ON queued_messages.key = a.queued
                 LEFT JOIN threads ON threads.key = coalesce(items.thread, queued_messages.thread)
             WHERE ",
            $condition
        )
    };
}
pub(super) use select_attachment;

/// Without an owner for the holder of a link only.
async fn find(
    postgres: &Postgres,
    id: &AttachmentId,
    owner: Option<&Owner>,
) -> Result<(Owner, AttachmentRecord), Error> {
    let row = postgres
        .read_first(
            select_attachment!("", "a.id = $1 AND ($2::text IS NULL OR a.owner = $2)"),
            params![id.as_str(), owner.map(Owner::as_str)],
        )
        .await?;
    read_record(&row.ok_or(Error::NotFound)?)
}

pub(super) fn read_record(row: &Row) -> Result<(Owner, AttachmentRecord), Error> {
    let id: &str = row.try_get(1)?;
    let file: &str = row.try_get(2)?;
    let size: i64 = row.try_get(4)?;
    let sha256: Option<&[u8]> = row.try_get(5)?;
    let thread: Option<&str> = row.try_get(9)?;
    let Description { name, media_type } = rows::decode(row.try_get(7)?, row.try_get(8)?)?;
    let record = AttachmentRecord {
        id: id.parse().map_err(Error::internal)?,
        file: file.parse().map_err(Error::internal)?,
        name,
        media_type,
        size: u64::try_from(size).map_err(Error::internal)?,
        sha256: sha256
            .map(<[u8; 32]>::try_from)
            .transpose()
            .map_err(Error::internal)?,
        created_at: Timestamp::from_microsecond(row.try_get(6)?).map_err(Error::internal)?,
        session: row.try_get(3)?,
        thread_id: thread
            .map(str::parse)
            .transpose()
            .map_err(Error::internal)?,
    };
    Ok((Owner::new(row.try_get::<_, &str>(0)?), record))
}

/// Carries out a statement that has to find its row.
async fn finish_one(transaction: &mut Transaction, batch: Batch<'_>) -> Result<(), Error> {
    match transaction.finish(batch).await?.first() {
        Some(outcome) if outcome.count > 0 => Ok(()),
        _ => Err(Error::NotFound),
    }
}

/// A size as PostgreSQL keeps it. No file is as large as that.
fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
