//! What is known about attachments, in SQLite: the engine's `AttachmentStore` port.

use async_trait::async_trait;
use engine::Owner;
use engine::ports::{
    Announced, AttachmentRecord, AttachmentStore, FileId, Kept, Quota, StoreError,
};
use protocol::{AttachmentId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Error;
use crate::rows::{self, Description, Stored};
use crate::sqlite::Sqlite;

/// Rows that are removed in one step, and files that are named in one answer.
const BATCH: u32 = 100;

#[async_trait]
impl AttachmentStore for Sqlite {
    async fn announce(
        &self,
        owner: &Owner,
        record: &AttachmentRecord,
        quota: Quota,
    ) -> Result<Announced, StoreError> {
        let (owner, record) = (owner.clone(), record.clone());
        let description = rows::encode(&Description {
            name: record.name.clone(),
            media_type: record.media_type.clone(),
        })?;
        let announced = self
            .write(move |connection| announce(connection, &owner, &record, &description, quota));
        Ok(announced.await?)
    }

    async fn attachment(
        &self,
        owner: &Owner,
        id: &AttachmentId,
    ) -> Result<AttachmentRecord, StoreError> {
        let (owner, id) = (owner.clone(), id.clone());
        let found = self.read(move |connection| find(connection, &id, Some(&owner)));
        let (_owner, record) = found.await?;
        Ok(record)
    }

    async fn linked_attachment(
        &self,
        id: &AttachmentId,
    ) -> Result<(Owner, AttachmentRecord), StoreError> {
        let id = id.clone();
        let found = self.read(move |connection| find(connection, &id, None));
        Ok(found.await?)
    }

    async fn complete(
        &self,
        owner: &Owner,
        id: &AttachmentId,
        kept: Kept,
    ) -> Result<(), StoreError> {
        let (owner, id) = (owner.clone(), id.clone());
        let completed = self.write(move |connection| {
            let rows = connection
                .prepare_cached(
                    "UPDATE attachments SET size = ?3, sha256 = ?4
                     WHERE owner = ?1 AND id = ?2 AND sha256 IS NULL",
                )?
                .execute(params![
                    owner.as_str(),
                    id.as_str(),
                    bytes(kept.size),
                    kept.sha256
                ])?;
            require_one(rows)
        });
        Ok(completed.await?)
    }

    async fn discard(&self, owner: &Owner, id: &AttachmentId) -> Result<(), StoreError> {
        let (owner, id) = (owner.clone(), id.clone());
        let discarded = self.write(move |connection| {
            let rows = connection
                .prepare_cached(
                    "DELETE FROM attachments
                     WHERE owner = ?1 AND id = ?2 AND item IS NULL AND queued IS NULL",
                )?
                .execute(params![owner.as_str(), id.as_str()])?;
            require_one(rows)
        });
        Ok(discarded.await?)
    }

    async fn purge_unsent(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let batch = self.write(move |connection| {
                let rows = connection
                    .prepare_cached(
                        "DELETE FROM attachments WHERE key IN
                             (SELECT key FROM attachments
                              WHERE item IS NULL AND queued IS NULL AND created_at < ?1
                              LIMIT ?2)",
                    )?
                    .execute(params![before.as_microsecond(), BATCH])?;
                Ok(rows as u64)
            });
            match batch.await? {
                0 => return Ok(purged),
                count => purged += count,
            }
        }
    }

    async fn removed_files(&self, after: Option<FileId>) -> Result<Vec<FileId>, StoreError> {
        let after = after.map(|file| file.to_string()).unwrap_or_default();
        let files = self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT file FROM removed_files WHERE file > ?1 ORDER BY file LIMIT ?2",
                )?
                .query_and_then(params![after, BATCH], read_file_id)?
                .collect()
        });
        Ok(files.await?)
    }

    async fn forget_removed_files(&self, files: &[FileId]) -> Result<(), StoreError> {
        let files = files.to_vec();
        let forgotten = self.write(move |connection| {
            let mut forget =
                connection.prepare_cached("DELETE FROM removed_files WHERE file = ?1")?;
            for file in &files {
                forget.execute([file.to_string()])?;
            }
            Ok(())
        });
        Ok(forgotten.await?)
    }
}

fn announce(
    connection: &Connection,
    owner: &Owner,
    record: &AttachmentRecord,
    description: &Stored,
    quota: Quota,
) -> Result<Announced, Error> {
    let (all, of_session, unsent): (i64, i64, i64) = connection
        .prepare_cached(
            "SELECT coalesce(sum(size), 0), count(*) FILTER (WHERE session = ?2),
                 count(*) FILTER (WHERE item IS NULL AND queued IS NULL)
             FROM attachments WHERE owner = ?1",
        )?
        .query_row(params![owner.as_str(), record.session], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
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
    connection
        .prepare_cached(
            "INSERT INTO attachments (owner, id, file, session, size, created_at, version, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            owner.as_str(),
            record.id.as_str(),
            record.file.to_string(),
            record.session,
            bytes(record.size),
            record.created_at.as_microsecond(),
            description.version,
            description.data,
        ])?;
    Ok(Announced::Accepted)
}

/// Ties attachments to a message: those of the thread's owner, uploaded, and not tied elsewhere.
pub(super) fn tie(
    connection: &Connection,
    thread: i64,
    item: &str,
    attachments: &[AttachmentId],
) -> Result<(), Error> {
    if attachments.is_empty() {
        return Ok(());
    }
    let (owner, item): (String, i64) = connection
        .prepare_cached(
            "SELECT threads.owner, items.key FROM items JOIN threads ON threads.key = items.thread
             WHERE items.thread = ?1 AND items.id = ?2",
        )?
        .query_row(params![thread, item], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut tie = connection.prepare_cached(
        "UPDATE attachments SET item = ?3
         WHERE owner = ?1 AND id = ?2 AND sha256 IS NOT NULL AND queued IS NULL
             AND (item IS NULL OR item = ?3)",
    )?;
    for id in attachments {
        require_one(tie.execute(params![owner, id.as_str(), item])?)?;
    }
    Ok(())
}

/// Ties attachments to a message that waits, as [`tie`] does to one that is an item.
pub(super) fn tie_queued(
    connection: &Connection,
    owner: &Owner,
    queued: i64,
    attachments: &[AttachmentId],
) -> Result<(), Error> {
    for id in attachments {
        let tied = connection
            .prepare_cached(
                "UPDATE attachments SET queued = ?3
                 WHERE owner = ?1 AND id = ?2 AND sha256 IS NOT NULL AND item IS NULL
                     AND queued IS NULL",
            )?
            .execute(params![owner.as_str(), id.as_str(), queued])?;
        require_one(tied)?;
    }
    Ok(())
}

/// Lets the attachments of a message go that waits no longer, so that the item that it becomes can have them.
pub(super) fn untie_queued(connection: &Connection, queued: i64) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE attachments SET queued = NULL WHERE queued = ?1")?
        .execute([queued])?;
    Ok(())
}

/// Removes an owner's attachments, some at a time; those of messages too.
pub(super) fn forget_some(connection: &Connection, owner: &Owner) -> Result<u64, Error> {
    let rows = connection
        .prepare_cached(
            "DELETE FROM attachments WHERE key IN
                 (SELECT key FROM attachments WHERE owner = ?1 LIMIT ?2)",
        )?
        .execute(params![owner.as_str(), BATCH])?;
    Ok(rows as u64)
}

/// Without an owner for the holder of a link only.
fn find(
    connection: &Connection,
    id: &AttachmentId,
    owner: Option<&Owner>,
) -> Result<(Owner, AttachmentRecord), Error> {
    connection
        .prepare_cached(
            "SELECT a.owner, a.id, a.file, a.session, a.size, a.sha256, a.created_at, a.version,
                 a.data, threads.id
             FROM attachments a LEFT JOIN items ON items.key = a.item
                 LEFT JOIN queued_messages ON queued_messages.key = a.queued
                 LEFT JOIN threads ON threads.key = coalesce(items.thread, queued_messages.thread)
             WHERE a.id = ?1 AND (?2 IS NULL OR a.owner = ?2)",
        )?
        .query_row(params![id.as_str(), owner.map(Owner::as_str)], |row| {
            Ok(read_record(row))
        })
        .optional()?
        .ok_or(Error::NotFound)?
}

pub(super) fn read_record(row: &Row<'_>) -> Result<(Owner, AttachmentRecord), Error> {
    let id: String = row.get(1)?;
    let file: String = row.get(2)?;
    let size: i64 = row.get(4)?;
    let thread: Option<String> = row.get(9)?;
    let data = row.get_ref(8)?;
    let Description { name, media_type } =
        rows::decode(row.get(7)?, data.as_str().map_err(Error::internal)?)?;
    let record = AttachmentRecord {
        id: id.parse().map_err(Error::internal)?,
        file: file.parse().map_err(Error::internal)?,
        name,
        media_type,
        size: u64::try_from(size).map_err(Error::internal)?,
        sha256: row.get(5)?,
        created_at: Timestamp::from_microsecond(row.get(6)?).map_err(Error::internal)?,
        session: row.get(3)?,
        thread_id: thread
            .map(|id| id.parse())
            .transpose()
            .map_err(Error::internal)?,
    };
    Ok((Owner::new(row.get::<_, String>(0)?), record))
}

fn read_file_id(row: &Row<'_>) -> Result<FileId, Error> {
    let file: String = row.get(0)?;
    file.parse().map_err(Error::internal)
}

fn require_one(rows: usize) -> Result<(), Error> {
    if rows == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

/// A size as SQLite keeps it. No file is as large as that.
fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
