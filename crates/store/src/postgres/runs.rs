//! The runs of threads, the messages that wait for them, and the requests that brought those.

use engine::Owner;
use engine::ports::{BeginRun, Epoch, Node, RequestRecord, RunRecord, Standing};
use protocol::{ItemId, RunId, ThreadId, Timestamp};
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::attachments;
use crate::postgres::change::Check;
use crate::postgres::nodes::LEASE;
use crate::postgres::pool::{Batch, Transaction, params};
use crate::postgres::threads::read_stored;
use crate::postgres::{Postgres, name};
use crate::rows::change::{EncodedItem, Unqueued};

/// Old requests that are forgotten with each new one.
const FORGET_BATCH: i64 = 16;

/// Begins a run; whoever holds the thread's row counts the epoch.
pub(super) fn begin<'a>(batch: &mut Batch<'a>, thread: i64, begin: &'a BeginRun, node: i64) {
    batch.add(
        "INSERT INTO runs (thread, node, id, answers) VALUES ($1, $2, $3, $4)
         ON CONFLICT (thread) DO UPDATE
             SET node = excluded.node, id = excluded.id, answers = excluded.answers,
                 is_interrupted = false",
        params![thread, node, begin.run.as_str(), begin.answers.as_str()],
    );
}

/// Puts a message at the end of the queue, unless as many wait as may. The thread's row is locked.
pub(super) async fn enqueue(
    transaction: &mut Transaction,
    owner: &Owner,
    thread: i64,
    message: &EncodedItem,
    request: Option<&RequestRecord>,
    most: u32,
) -> Result<(), Error> {
    let mut batch = Batch::default();
    let mut checks = Vec::new();
    let step = batch.add(
        "INSERT INTO queued_messages (thread, id, version, data)
         SELECT $1, $2, $3, $4
         WHERE (SELECT count(*) FROM queued_messages WHERE thread = $1) < $5",
        params![
            thread,
            message.id.as_str(),
            message.stored.version,
            message.stored.data.as_str(),
            i64::from(most),
        ],
    );
    checks.push(Check {
        step,
        count: 1,
        otherwise: Error::Conflict,
    });
    attachments::tie_queued(&mut batch, &mut checks, owner, thread, message);
    if let Some(request) = request {
        remember(&mut batch, &mut checks, owner, thread, request);
    }
    let outcomes = transaction.run(batch).await?;
    Check::all(checks, &outcomes)
}

/// Takes a message out of the queue. What becomes an item keeps its files; what is taken back loses them.
pub(super) fn unqueue<'a>(
    batch: &mut Batch<'a>,
    checks: &mut Vec<Check>,
    thread: i64,
    message: &'a ItemId,
    fate: Unqueued,
) {
    if fate != Unqueued::TakenBack {
        batch.add(
            "UPDATE attachments SET queued = NULL
             WHERE queued = (SELECT key FROM queued_messages WHERE thread = $1 AND id = $2)",
            params![thread, message.as_str()],
        );
    }
    let sql = if fate == Unqueued::Heard {
        "WITH taken AS (DELETE FROM queued_messages WHERE thread = $1 AND id = $2 RETURNING 1)
         SELECT 1 FROM taken UNION ALL SELECT 1 FROM items WHERE thread = $1 AND id = $2"
    } else {
        "DELETE FROM queued_messages WHERE thread = $1 AND id = $2"
    };
    let step = batch.add(sql, params![thread, message.as_str()]);
    checks.push(Check {
        step,
        count: 1,
        otherwise: Error::NotFound,
    });
}

/// Remembers a request, and forgets some that are old.
pub(super) fn remember<'a>(
    batch: &mut Batch<'a>,
    checks: &mut Vec<Check>,
    owner: &'a Owner,
    thread: i64,
    request: &'a RequestRecord,
) {
    let kept = i64::try_from(RequestRecord::KEPT.as_micros()).unwrap_or(i64::MAX);
    let before = request.at.as_microsecond().saturating_sub(kept);
    // Others may be forgetting the same ones.
    batch.add(
        "DELETE FROM requests WHERE (owner, key) IN
             (SELECT owner, key FROM requests WHERE at <= $1 ORDER BY at LIMIT $2
              FOR UPDATE SKIP LOCKED)",
        params![before, FORGET_BATCH],
    );
    // Its own, however many older ones there are.
    batch.add(
        "DELETE FROM requests WHERE owner = $1 AND key = $2 AND at <= $3",
        params![owner.as_str(), name(&request.key), before],
    );
    let step = batch.add(
        "INSERT INTO requests (owner, key, fingerprint, thread, item, at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        params![
            owner.as_str(),
            name(&request.key),
            name(&request.fingerprint),
            thread,
            request.item.as_str(),
            request.at.as_microsecond(),
        ],
    );
    checks.push(Check {
        step,
        count: 1,
        otherwise: Error::Conflict,
    });
}

/// The run that lives, or was interrupted, and what waits: one statement, so that it is as it was at one moment.
pub(super) async fn standing(
    postgres: &Postgres,
    owner: &Owner,
    thread: &ThreadId,
) -> Result<Standing, Error> {
    let rows = postgres
        .read(
            "SELECT queued.version, queued.data, runs.id, runs.answers, threads.epoch, runs.is_interrupted, nodes.key
             FROM threads LEFT JOIN runs ON runs.thread = threads.key
                 LEFT JOIN nodes ON nodes.key = runs.node AND NOT runs.is_interrupted
                     AND nodes.key IS DISTINCT FROM $3
                     AND nodes.seen_at >= clock_timestamp() - make_interval(secs => $4)
                 LEFT JOIN queued_messages AS queued ON queued.thread = threads.key
             WHERE threads.owner = $1 AND threads.id = $2 ORDER BY queued.key",
            params![
                owner.as_str(),
                thread.as_str(),
                postgres.node.known_key(),
                LEASE.as_secs_f64()
            ],
        )
        .await?;
    let first = rows.first().ok_or(Error::NotFound)?;
    let run = match first.try_get::<_, Option<&str>>(2)? {
        Some(_) => Some(read_run(first, 2)?),
        None => None,
    };
    let mut queued = Vec::new();
    for row in &rows {
        if row.try_get::<_, Option<i64>>(0)?.is_some() {
            queued.push(read_stored(row)?);
        }
    }
    Ok(Standing { run, queued })
}

/// This very run, where it is the thread's: then what began it is written, and was asked for once more because its answer was
/// lost.
pub(super) fn begun<'a>(
    batch: &mut Batch<'a>,
    owner: &'a Owner,
    thread: &'a ThreadId,
    begin: &'a BeginRun,
) -> usize {
    batch.add(
        "SELECT threads.epoch FROM threads JOIN runs ON runs.thread = threads.key
         WHERE threads.owner = $1 AND threads.id = $2 AND runs.id = $3",
        params![owner.as_str(), thread.as_str(), begin.run.as_str()],
    )
}

/// The run that another process plays in a thread, where one does that is not overtaken. Asked for together with the lock of
/// the thread, and after it: so it is what the one who had the lock before has left.
pub(super) fn elsewhere<'a>(
    batch: &mut Batch<'a>,
    (owner, thread): (&'a Owner, &'a ThreadId),
    node: i64,
    overtaken: Option<&'a RunId>,
) -> usize {
    batch.add(
        "SELECT runs.id, runs.answers, threads.epoch, runs.is_interrupted, nodes.key
         FROM threads JOIN runs ON runs.thread = threads.key JOIN nodes ON nodes.key = runs.node
         WHERE threads.owner = $1 AND threads.id = $2 AND NOT runs.is_interrupted
           AND nodes.key <> $3 AND runs.id IS DISTINCT FROM $5
           AND nodes.seen_at >= clock_timestamp() - make_interval(secs => $4)",
        params![
            owner.as_str(),
            thread.as_str(),
            node,
            LEASE.as_secs_f64(),
            overtaken.map(RunId::as_str),
        ],
    )
}

/// A message that waits before this one: any, where this one does not wait.
pub(super) fn before<'a>(
    batch: &mut Batch<'a>,
    owner: &'a Owner,
    thread: &'a ThreadId,
    message: Option<&'a ItemId>,
) -> usize {
    batch.add(
        "SELECT 1 FROM threads JOIN queued_messages AS other ON other.thread = threads.key
             LEFT JOIN queued_messages AS mine ON mine.thread = threads.key AND mine.id = $3
         WHERE threads.owner = $1 AND threads.id = $2 AND ($3::text IS NULL OR other.key < mine.key) LIMIT 1",
        params![owner.as_str(), thread.as_str(), message.map(ItemId::as_str)],
    )
}

/// Threads whose run lives, as far as their rows tell, and whose process does not. This one lives.
pub(super) async fn left_behind(
    postgres: &Postgres,
    limit: u32,
) -> Result<Vec<(Owner, ThreadId, RunRecord)>, Error> {
    let rows = postgres
        .read(
            "SELECT threads.owner, threads.id, runs.id, runs.answers, threads.epoch, runs.is_interrupted,
                 NULL::bigint
             FROM runs JOIN threads ON threads.key = runs.thread
                 LEFT JOIN nodes ON nodes.key = runs.node
             WHERE NOT runs.is_interrupted AND runs.node IS DISTINCT FROM $2
               AND (nodes.key IS NULL
                    OR nodes.seen_at < clock_timestamp() - make_interval(secs => $3))
             ORDER BY runs.thread LIMIT $1",
            params![
                i64::from(limit),
                postgres.node.known_key(),
                LEASE.as_secs_f64()
            ],
        )
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let thread: &str = row.try_get(1)?;
        let thread = thread.parse().map_err(Error::internal)?;
        found.push((
            Owner::new(row.try_get::<_, &str>(0)?),
            thread,
            read_run(row, 2)?,
        ));
    }
    Ok(found)
}

/// A request by its key, with its thread.
pub(super) async fn find_request(
    postgres: &Postgres,
    owner: &Owner,
    key: &str,
) -> Result<Option<(ThreadId, RequestRecord)>, Error> {
    let row = postgres
        .read_first(
            "SELECT threads.id, requests.fingerprint, requests.item, requests.at
             FROM requests JOIN threads ON threads.key = requests.thread
             WHERE requests.owner = $1 AND requests.key = $2 AND threads.owner = $1",
            params![owner.as_str(), name(key)],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let thread: &str = row.try_get(0)?;
    let item: &str = row.try_get(2)?;
    let request = RequestRecord {
        key: key.into(),
        fingerprint: row.try_get::<_, &str>(1)?.into(),
        item: item.parse().map_err(Error::internal)?,
        at: Timestamp::from_microsecond(row.try_get(3)?).map_err(Error::internal)?,
    };
    Ok(Some((thread.parse().map_err(Error::internal)?, request)))
}

/// Reads a row that has, from a column on: id, message, epoch, whether it was interrupted, which other process plays it.
pub(super) fn read_run(row: &Row, from: usize) -> Result<RunRecord, Error> {
    let run: &str = row.try_get(from)?;
    let answers: &str = row.try_get(from + 1)?;
    let run: RunId = run.parse().map_err(Error::internal)?;
    Ok(RunRecord {
        run,
        answers: answers.parse().map_err(Error::internal)?,
        epoch: Epoch(row.try_get::<_, i64>(from + 2)?.unsigned_abs()),
        is_interrupted: row.try_get(from + 3)?,
        node: row.try_get::<_, Option<i64>>(from + 4)?.map(Node),
    })
}
