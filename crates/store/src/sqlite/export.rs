//! What is kept about one user, row by row, for the export.
//!
//! A row that cannot be read is told as such, with its name, and does not hide the ones after it.

use engine::Owner;
use protocol::{ThreadId, Timestamp};
use rusqlite::{Connection, Row, ToSql};

use crate::error::Error;
use crate::export::{Kind, Record, Rows, Unreadable};
use crate::rows;
use crate::sqlite::credentials::sessions;
use crate::sqlite::{attachments, audit, threads};

/// Rows that are read at a time.
const BATCH: u32 = 100;

/// Some rows of a kind after this key, in the order of their keys.
pub(super) fn some_rows(
    connection: &Connection,
    owner: &Owner,
    kind: &Kind,
    after: i64,
) -> Result<Rows, Error> {
    let whose = owner.as_str();
    let (issuer, subject) = whose.split_once(' ').unwrap_or((whose, ""));
    match kind {
        Kind::ChatSessions => read_rows(
            connection,
            "SELECT version, data, ended_at, ended_because, key AS row_key, id AS row_name
             FROM chat_sessions WHERE issuer = ?1 AND subject = ?2 AND key > ?3
             ORDER BY key LIMIT ?4",
            &[&issuer, &subject, &after, &BATCH],
            "chat session",
            |row| {
                let session = sessions::read_session(row)?;
                Ok(Record::ChatSession { session })
            },
        ),
        Kind::Attachments => read_rows(
            connection,
            "SELECT a.owner, a.id, a.file, a.session, a.size, a.sha256, a.created_at, a.version,
                 a.data, threads.id, a.key AS row_key, a.id AS row_name
             FROM attachments a LEFT JOIN items ON items.key = a.item
                 LEFT JOIN queued_messages ON queued_messages.key = a.queued
                 LEFT JOIN threads ON threads.key = coalesce(items.thread, queued_messages.thread)
             WHERE a.owner = ?1 AND a.key > ?2 ORDER BY a.key LIMIT ?3",
            &[&whose, &after, &BATCH],
            "attachment",
            |row| Ok(attachments::read_record(row)?.1.into()),
        ),
        Kind::Audit => read_rows(
            connection,
            "SELECT log.key, log.at, log.door, log.session_id, log.version, log.data,
                 party.subject, party.issuer, party.address,
                 log.key AS row_key, CAST(log.key AS TEXT) AS row_name
             FROM audit_parties AS party JOIN audit_log AS log ON log.party = party.key
             WHERE party.issuer = ?1 AND party.subject = ?2 AND log.key > ?3
             ORDER BY log.key LIMIT ?4",
            &[&issuer, &subject, &after, &BATCH],
            "audit entry",
            |row| {
                let entry = audit::read_entry(row)?;
                Ok(Record::Audit { entry })
            },
        ),
        Kind::Threads => read_rows(
            connection,
            "SELECT version, data, key AS row_key, id AS row_name FROM threads
             WHERE owner = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            &[&whose, &after, &BATCH],
            "conversation",
            |row| {
                let thread = threads::read_stored(row)?;
                Ok(Record::Thread { thread })
            },
        ),
        Kind::Items { thread } => read_rows(
            connection,
            "SELECT version, data, key AS row_key, id AS row_name FROM items
             WHERE thread = (SELECT key FROM threads WHERE owner = ?1 AND key = ?2) AND key > ?3
             ORDER BY key LIMIT ?4",
            &[&whose, thread, &after, &BATCH],
            "message",
            |row| {
                let item = threads::read_stored(row)?;
                Ok(Record::Item { item })
            },
        ),
        Kind::Queued { thread } => read_rows(
            connection,
            "SELECT version, data, key AS row_key, id AS row_name FROM queued_messages
             WHERE thread = (SELECT key FROM threads WHERE owner = ?1 AND key = ?2) AND key > ?3
             ORDER BY key LIMIT ?4",
            &[&whose, thread, &after, &BATCH],
            "message that waits",
            |row| {
                let item = threads::read_stored(row)?;
                Ok(Record::Item { item })
            },
        ),
        Kind::Feedback { thread } => read_rows(
            connection,
            "SELECT items.id, feedback.kind, feedback.at, threads.id, items.key AS row_key,
                 items.id AS row_name
             FROM threads JOIN items ON items.thread = threads.key
                 JOIN feedback ON feedback.item = items.key
             WHERE threads.owner = ?1 AND threads.key = ?2 AND items.key > ?3
             ORDER BY items.key LIMIT ?4",
            &[&whose, thread, &after, &BATCH],
            "feedback on message",
            read_feedback,
        ),
    }
}

fn read_rows(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    what: &'static str,
    read: impl Fn(&Row<'_>) -> Result<Record, Error>,
) -> Result<Rows, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = read(row).map_err(|cause| Unreadable {
            what,
            name: row.get("row_name").unwrap_or_default(),
            cause,
        });
        found.push((row.get("row_key")?, record));
    }
    Ok(found)
}

fn read_feedback(row: &Row<'_>) -> Result<Record, Error> {
    let (item, kind): (String, String) = (row.get(0)?, row.get(1)?);
    let thread: String = row.get(3)?;
    let thread_id: ThreadId = thread.parse().map_err(Error::internal)?;
    Ok(Record::Feedback {
        thread_id,
        item_id: item.parse().map_err(Error::internal)?,
        kind: rows::feedback_kind(&kind)?,
        at: Timestamp::from_microsecond(row.get(2)?).map_err(Error::internal)?,
    })
}
