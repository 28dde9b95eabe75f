//! What is kept about one user, row by row, for the export.
//!
//! A row that cannot be read is told as such, with its name, and does not hide the ones after it.

use engine::Owner;
use protocol::{ThreadId, Timestamp};
use tokio_postgres::Row;

use crate::error::Error;
use crate::export::{Kind, Record, Rows, Unreadable};
use crate::postgres::attachments::select_attachment;
use crate::postgres::credentials::sessions;
use crate::postgres::pool::{Param, params};
use crate::postgres::{Postgres, attachments, audit, name, threads};
use crate::rows;

/// Rows that are read at a time.
const BATCH: i64 = 100;

/// Some rows of a kind after this key, in the order of their keys.
pub(super) async fn some_rows(
    postgres: &Postgres,
    owner: &Owner,
    kind: Kind,
    after: i64,
) -> Result<Rows, Error> {
    let whose = owner.as_str();
    let (issuer, subject) = whose.split_once(' ').unwrap_or((whose, ""));
    let of_thread = |thread: i64| params![whose, thread, after, BATCH];
    match kind {
        Kind::ChatSessions => {
            let sql =
                "SELECT version, data, ended_at, ended_because, key AS row_key, id AS row_name
                 FROM chat_sessions WHERE issuer = $1 AND subject = $2 AND key > $3
                 ORDER BY key LIMIT $4";
            let parameters = params![name(issuer), name(subject), after, BATCH];
            read_rows(postgres, sql, parameters, "chat session", |row| {
                let session = sessions::read_session(row)?;
                Ok(Record::ChatSession { session })
            })
            .await
        }
        Kind::Attachments => {
            let sql = select_attachment!(
                ", a.key AS row_key, a.id AS row_name",
                "a.owner = $1 AND a.key > $2 ORDER BY a.key LIMIT $3"
            );
            let parameters = params![whose, after, BATCH];
            read_rows(postgres, sql, parameters, "attachment", |row| {
                Ok(attachments::read_record(row)?.1.into())
            })
            .await
        }
        Kind::Audit => {
            let sql = "SELECT log.key, log.at, log.door, log.session_id, log.version, log.data,
                     party.subject, party.issuer, party.address,
                     log.key AS row_key, log.key::text AS row_name
                 FROM audit_parties AS party JOIN audit_log AS log ON log.party = party.key
                 WHERE party.issuer = $1 AND party.subject = $2 AND log.key > $3
                 ORDER BY log.key LIMIT $4";
            let parameters = params![name(issuer), name(subject), after, BATCH];
            read_rows(postgres, sql, parameters, "audit entry", |row| {
                let entry = audit::read_entry(row)?;
                Ok(Record::Audit { entry })
            })
            .await
        }
        Kind::Threads => {
            let sql = "SELECT version, data, key AS row_key, id AS row_name FROM threads
                 WHERE owner = $1 AND key > $2 ORDER BY key LIMIT $3";
            let parameters = params![whose, after, BATCH];
            read_rows(postgres, sql, parameters, "conversation", |row| {
                let thread = threads::read_stored(row)?;
                Ok(Record::Thread { thread })
            })
            .await
        }
        Kind::Items { thread } => {
            let sql = "SELECT version, data, key AS row_key, id AS row_name FROM items
                 WHERE thread = (SELECT key FROM threads WHERE owner = $1 AND key = $2)
                   AND key > $3 ORDER BY key LIMIT $4";
            read_rows(postgres, sql, of_thread(thread), "message", read_item).await
        }
        Kind::Queued { thread } => {
            let sql = "SELECT version, data, key AS row_key, id AS row_name FROM queued_messages
                 WHERE thread = (SELECT key FROM threads WHERE owner = $1 AND key = $2)
                   AND key > $3 ORDER BY key LIMIT $4";
            let what = "message that waits";
            read_rows(postgres, sql, of_thread(thread), what, read_item).await
        }
        Kind::Feedback { thread } => {
            let sql =
                "SELECT items.id, feedback.kind, feedback.at, threads.id, items.key AS row_key,
                     items.id AS row_name
                 FROM threads JOIN items ON items.thread = threads.key
                     JOIN feedback ON feedback.item = items.key
                 WHERE threads.owner = $1 AND threads.key = $2 AND items.key > $3
                 ORDER BY items.key LIMIT $4";
            let what = "feedback on message";
            read_rows(postgres, sql, of_thread(thread), what, read_feedback).await
        }
    }
}

async fn read_rows(
    postgres: &Postgres,
    sql: &'static str,
    parameters: Vec<Param<'_>>,
    what: &'static str,
    read: impl Fn(&Row) -> Result<Record, Error>,
) -> Result<Rows, Error> {
    let rows = postgres.read(sql, parameters).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let record = read(row).map_err(|cause| Unreadable {
            what,
            name: row.try_get("row_name").unwrap_or_default(),
            cause,
        });
        found.push((row.try_get("row_key")?, record));
    }
    Ok(found)
}

fn read_item(row: &Row) -> Result<Record, Error> {
    let item = threads::read_stored(row)?;
    Ok(Record::Item { item })
}

fn read_feedback(row: &Row) -> Result<Record, Error> {
    let (item, kind): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
    let thread: &str = row.try_get(3)?;
    let thread_id: ThreadId = thread.parse().map_err(Error::internal)?;
    Ok(Record::Feedback {
        thread_id,
        item_id: item.parse().map_err(Error::internal)?,
        kind: rows::feedback_kind(kind)?,
        at: Timestamp::from_microsecond(row.try_get(2)?).map_err(Error::internal)?,
    })
}
