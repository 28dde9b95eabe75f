//! Threads go in steps, so that nobody who writes meanwhile waits for a long one: not the others, and not its owner, whose
//! bytes are counted in one row.
//!
//! The first step takes a thread from its owner, together with as many of its items as fit: from then on it is gone for
//! everybody. What a process leaves that ends before the last step, the next one that opens the database removes.

use engine::Owner;
use protocol::{ThreadId, Timestamp};

use crate::error::Error;
use crate::postgres::pool::{Batch, Outcome, Transaction, params};

/// Items that are removed in one step: some milliseconds.
const STEP: i64 = 500;
/// Threads that are removed in one step at most.
const THREADS: u64 = 20;

/// Takes a thread from its owner, unless it was used since then, and tells its key.
pub(super) async fn take(
    transaction: &mut Transaction,
    owner: &Owner,
    id: &ThreadId,
    unused_since: Option<Timestamp>,
) -> Result<i64, Error> {
    let found = transaction.query(
        "UPDATE threads SET gone_from = owner, owner = ' ' || key
         WHERE owner = $1 AND id = $2
           AND ($3::bigint IS NULL OR coalesce(active_at, created_at) < $3)
         RETURNING key",
        params![
            owner.as_str(),
            id.as_str(),
            unused_since.map(Timestamp::as_microsecond),
        ],
    );
    first_key(&found.await?)?.ok_or(Error::NotFound)
}

/// Removes some of a thread that was taken, and tells whether it is whole gone.
pub(super) async fn step(transaction: &mut Transaction, key: i64) -> Result<bool, Error> {
    Ok(remove(transaction, key, STEP).await? < STEP)
}

/// Removes at most so many items, and the thread where that is all; tells how many.
async fn remove(transaction: &mut Transaction, key: i64, most: i64) -> Result<i64, Error> {
    let removed = transaction.query(
        "DELETE FROM items WHERE key IN
             (SELECT key FROM items WHERE thread = $1 ORDER BY key DESC LIMIT $2)",
        params![key, most],
    );
    let removed = i64::try_from(removed.await?.count).map_err(Error::internal)?;
    if removed < most {
        // What else hangs on it goes with it (ON DELETE CASCADE).
        let rest = Batch::of("DELETE FROM threads WHERE key = $1", params![key]);
        transaction.run(rest).await?;
    }
    Ok(removed)
}

/// Removes some of an owner's threads, and tells how many of them are whole gone; `None` where there are none.
///
/// A thread's row is held before anything of it goes: whoever writes to it holds the row before counting bytes, too.
pub(super) async fn forget_some(
    transaction: &mut Transaction,
    owner: &Owner,
) -> Result<Option<u64>, Error> {
    let (mut gone, mut room) = (None, STEP);
    while room > 0 && gone.unwrap_or(0) < THREADS {
        let next = transaction.query(
            "UPDATE threads SET gone_from = coalesce(gone_from, owner), owner = ' ' || key
             WHERE key = (SELECT key FROM threads WHERE owner = $1 OR gone_from = $1
                          ORDER BY key LIMIT 1 FOR UPDATE)
             RETURNING key",
            params![owner.as_str()],
        );
        let Some(key) = first_key(&next.await?)? else {
            break;
        };
        let removed = remove(transaction, key, room).await?;
        *gone.get_or_insert(0) += u64::from(removed < room);
        room -= removed;
    }
    Ok(gone)
}

/// Removes some of what an ended process has left, and tells whether there may be more.
pub(super) async fn finish_some(transaction: &mut Transaction) -> Result<bool, Error> {
    let next = transaction.query(
        "SELECT key FROM threads WHERE gone_from IS NOT NULL LIMIT 1 FOR UPDATE SKIP LOCKED",
        params![],
    );
    let Some(key) = first_key(&next.await?)? else {
        return Ok(false);
    };
    step(transaction, key).await?;
    Ok(true)
}

fn first_key(found: &Outcome) -> Result<Option<i64>, Error> {
    Ok(found.rows.first().map(|row| row.try_get(0)).transpose()?)
}
