//! The runs of threads, the messages that wait for them, and the requests that brought those.

use engine::Owner;
use engine::ports::{BeginRun, Epoch, RequestRecord, RunEnd, RunRecord, Standing};
use protocol::{ItemId, RunId, ThreadId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Error;
use crate::rows::change::{EncodedItem, Unqueued};
use crate::sqlite::attachments;
use crate::sqlite::threads::{ThreadKey, find_item, read_stored};

/// Old requests that are forgotten with each new one.
const FORGET_BATCH: u32 = 16;

/// Begins a run in the thread's next epoch.
pub(super) fn begin(
    connection: &Connection,
    thread: ThreadKey,
    begin: &BeginRun,
) -> Result<Epoch, Error> {
    let next = connection
        .prepare_cached(
            "UPDATE threads
             SET epoch = epoch + 1, run = ?2, run_answers = ?3, run_interrupted = 0, workflow = ?4,
                 active_at = ?5
             WHERE key = ?1 RETURNING epoch",
        )?
        .query_row(
            params![
                thread.key,
                begin.run.as_str(),
                begin.answers.as_str(),
                begin.workflow.as_str(),
                begin.at.as_microsecond(),
            ],
            |row| epoch(row, 0),
        )?;
    Ok(next)
}

/// Whether this very run is the thread's: then what began it is written, and was asked for once more because its answer was
/// lost.
pub(super) fn has_begun(
    connection: &Connection,
    thread: ThreadKey,
    begin: &BeginRun,
) -> Result<bool, Error> {
    let has_begun = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM threads WHERE key = ?1 AND run = ?2)")?
        .query_row(params![thread.key, begin.run.as_str()], |row| row.get(0))?;
    Ok(has_begun)
}

/// Whether a message waits before this one: any, where this one does not wait.
pub(super) fn is_behind(
    connection: &Connection,
    thread: ThreadKey,
    message: Option<&ItemId>,
) -> Result<bool, Error> {
    let is_behind = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM queued_messages WHERE thread = ?1 AND (?2 IS NULL OR key <
                 (SELECT key FROM queued_messages WHERE thread = ?1 AND id = ?2)))",
        )?
        .query_row(params![thread.key, message.map(ItemId::as_str)], |row| {
            row.get(0)
        })?;
    Ok(is_behind)
}

/// Ends the thread's run.
pub(super) fn end(connection: &Connection, thread: ThreadKey, end: RunEnd) -> Result<(), Error> {
    let sql = match end {
        RunEnd::Ended => "UPDATE threads SET run = NULL, run_answers = NULL WHERE key = ?1",
        RunEnd::Interrupted => "UPDATE threads SET run_interrupted = 1 WHERE key = ?1",
    };
    connection.prepare_cached(sql)?.execute([thread.key])?;
    Ok(())
}

/// Puts a message at the end of the queue, unless as many wait as may.
pub(super) fn enqueue(
    connection: &Connection,
    owner: &Owner,
    thread: ThreadKey,
    message: &EncodedItem,
    most: u32,
) -> Result<(), Error> {
    let waiting: u32 = connection
        .prepare_cached("SELECT count(*) FROM queued_messages WHERE thread = ?1")?
        .query_row([thread.key], |row| row.get(0))?;
    if waiting >= most {
        return Err(Error::Conflict);
    }
    let queued = connection
        .prepare_cached(
            "INSERT INTO queued_messages (thread, id, version, data) VALUES (?1, ?2, ?3, ?4)",
        )?
        .insert(params![
            thread.key,
            message.id.as_str(),
            message.stored.version,
            message.stored.data,
        ])?;
    attachments::tie_queued(connection, owner, queued, &message.attachments)
}

/// Takes a message out of the queue. What becomes an item keeps its files; what is taken back loses them.
pub(super) fn unqueue(
    connection: &Connection,
    thread: ThreadKey,
    message: &ItemId,
    fate: Unqueued,
) -> Result<(), Error> {
    let key: Option<i64> = connection
        .prepare_cached("SELECT key FROM queued_messages WHERE thread = ?1 AND id = ?2")?
        .query_row(params![thread.key, message.as_str()], |row| row.get(0))
        .optional()?;
    let Some(key) = key else {
        if fate != Unqueued::Heard {
            return Err(Error::NotFound);
        }
        find_item(connection, thread, message.as_str())?;
        return Ok(());
    };
    if fate != Unqueued::TakenBack {
        attachments::untie_queued(connection, key)?;
    }
    connection
        .prepare_cached("DELETE FROM queued_messages WHERE key = ?1")?
        .execute([key])?;
    Ok(())
}

/// The run that lives, or was interrupted, and what waits.
pub(super) fn standing(connection: &Connection, thread: ThreadKey) -> Result<Standing, Error> {
    let run = connection
        .prepare_cached(
            "SELECT run, run_answers, epoch, run_interrupted FROM threads
             WHERE key = ?1 AND run IS NOT NULL",
        )?
        .query_row([thread.key], |row| Ok(read_run(row, 0)))
        .optional()?
        .transpose()?;
    let mut statement = connection.prepare_cached(
        "SELECT version, data FROM queued_messages WHERE thread = ?1 ORDER BY key",
    )?;
    let mut rows = statement.query([thread.key])?;
    let mut queued = Vec::new();
    while let Some(row) = rows.next()? {
        queued.push(read_stored(row)?);
    }
    Ok(Standing { run, queued })
}

/// Threads whose run lives, as far as their rows tell.
pub(super) fn left_behind(
    connection: &Connection,
    limit: u32,
) -> Result<Vec<(Owner, ThreadId, RunRecord)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT owner, id, run, run_answers, epoch, run_interrupted FROM threads
         WHERE run IS NOT NULL AND run_interrupted = 0 ORDER BY key LIMIT ?1",
    )?;
    let mut rows = statement.query([limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (owner, thread): (String, String) = (row.get(0)?, row.get(1)?);
        let thread: ThreadId = thread.parse().map_err(Error::internal)?;
        found.push((Owner::new(owner), thread, read_run(row, 2)?));
    }
    Ok(found)
}

/// Remembers a request, and forgets some that are old.
pub(super) fn remember(
    connection: &Connection,
    owner: &Owner,
    thread: ThreadKey,
    request: &RequestRecord,
) -> Result<(), Error> {
    let kept = i64::try_from(RequestRecord::KEPT.as_micros()).unwrap_or(i64::MAX);
    let before = request.at.as_microsecond().saturating_sub(kept);
    connection
        .prepare_cached(
            "DELETE FROM requests WHERE (owner, key) IN
                 (SELECT owner, key FROM requests WHERE at <= ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute(params![before, FORGET_BATCH])?;
    // Its own, however many older ones there are.
    connection
        .prepare_cached("DELETE FROM requests WHERE owner = ?1 AND key = ?2 AND at <= ?3")?
        .execute(params![owner.as_str(), &*request.key, before])?;
    let remembered = connection
        .prepare_cached(
            "INSERT INTO requests (owner, key, fingerprint, thread, item, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            owner.as_str(),
            &*request.key,
            &*request.fingerprint,
            thread.key,
            request.item.as_str(),
            request.at.as_microsecond(),
        ])?;
    if remembered == 0 {
        return Err(Error::Conflict);
    }
    Ok(())
}

/// A request by its key, with its thread.
pub(super) fn find_request(
    connection: &Connection,
    owner: &Owner,
    key: &str,
) -> Result<Option<(ThreadId, RequestRecord)>, Error> {
    let found: Option<(String, String, String, String, i64)> = connection
        .prepare_cached(
            "SELECT threads.id, requests.key, requests.fingerprint, requests.item, requests.at
             FROM requests JOIN threads ON threads.key = requests.thread
             WHERE requests.owner = ?1 AND requests.key = ?2 AND threads.owner = ?1",
        )?
        .query_row([owner.as_str(), key], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        })
        .optional()?;
    let Some((thread, key, fingerprint, item, at)) = found else {
        return Ok(None);
    };
    let thread = thread.parse().map_err(Error::internal)?;
    let request = RequestRecord {
        key: key.into(),
        fingerprint: fingerprint.into(),
        item: item.parse().map_err(Error::internal)?,
        at: Timestamp::from_microsecond(at).map_err(Error::internal)?,
    };
    Ok(Some((thread, request)))
}

/// Reads a row that has, from a column on: id, message, epoch, whether it was interrupted.
fn read_run(row: &Row<'_>, from: usize) -> Result<RunRecord, Error> {
    let (run, answers): (String, String) = (row.get(from)?, row.get(from + 1)?);
    let run: RunId = run.parse().map_err(Error::internal)?;
    Ok(RunRecord {
        run,
        answers: answers.parse().map_err(Error::internal)?,
        epoch: epoch(row, from + 2)?,
        is_interrupted: row.get(from + 3)?,
        node: None,
    })
}

/// Reads an epoch; SQLite has only signed numbers.
pub(super) fn epoch(row: &Row<'_>, column: usize) -> rusqlite::Result<Epoch> {
    let epoch: i64 = row.get(column)?;
    Ok(Epoch(epoch.unsigned_abs()))
}
