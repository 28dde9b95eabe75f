//! Threads go in steps, so that nobody who writes meanwhile waits for a long one.
//!
//! The first step takes a thread from its owner, together with as many of its items as fit: from then on it is gone for
//! everybody. A process that ends before the last step leaves the rest to the next one that opens the database.

use engine::Owner;
use protocol::{ThreadId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Error;

/// Items that are removed in one step: a few milliseconds.
const STEP: u32 = 500;
/// Threads that are removed in one step at most.
const THREADS: u64 = 20;

/// Takes a thread from its owner, unless it was used since then, and tells its key.
pub(super) fn take(
    connection: &Connection,
    owner: &Owner,
    id: &ThreadId,
    unused_since: Option<Timestamp>,
) -> Result<i64, Error> {
    let unused_since = unused_since.map(Timestamp::as_microsecond);
    let key = connection
        .prepare_cached(
            "SELECT key FROM threads
             WHERE owner = ?1 AND id = ?2 AND (?3 IS NULL OR coalesce(active_at, created_at) < ?3)",
        )?
        .query_row(params![owner.as_str(), id.as_str(), unused_since], |row| {
            row.get(0)
        })?;
    hide(connection, key)?;
    Ok(key)
}

fn hide(connection: &Connection, key: i64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE threads SET gone_from = owner, owner = ' ' || key, run = NULL
             WHERE key = ?1 AND gone_from IS NULL",
        )?
        .execute([key])?;
    Ok(())
}

/// Removes some of a thread that was taken, and tells whether it is whole gone.
pub(super) fn step(connection: &Connection, key: i64) -> Result<bool, Error> {
    Ok(remove(connection, key, STEP)? < STEP)
}

/// Removes at most so many items, and the thread where that is all; tells how many.
fn remove(connection: &Connection, key: i64, most: u32) -> Result<u32, Error> {
    let removed = connection
        .prepare_cached(
            "DELETE FROM items WHERE key IN
                 (SELECT key FROM items WHERE thread = ?1 ORDER BY key DESC LIMIT ?2)",
        )?
        .execute(params![key, most])?;
    // Never more than were asked for.
    let removed = u32::try_from(removed).unwrap_or(most);
    if removed < most {
        // What else hangs on it goes with it (ON DELETE CASCADE).
        connection
            .prepare_cached("DELETE FROM threads WHERE key = ?1")?
            .execute([key])?;
    }
    Ok(removed)
}

/// Removes some of an owner's threads, and tells how many of them are whole gone; `None` where there are none.
pub(super) fn forget_some(connection: &Connection, owner: &Owner) -> Result<Option<u64>, Error> {
    let (mut gone, mut room) = (None, STEP);
    while room > 0 && gone.unwrap_or(0) < THREADS {
        let key = connection
            .prepare_cached(
                "SELECT key FROM threads WHERE owner = ?1
                 UNION ALL SELECT key FROM threads WHERE gone_from = ?1 LIMIT 1",
            )?
            .query_row([owner.as_str()], |row| row.get(0))
            .optional()?;
        let Some(key) = key else {
            break;
        };
        hide(connection, key)?;
        let removed = remove(connection, key, room)?;
        *gone.get_or_insert(0) += u64::from(removed < room);
        room -= removed;
    }
    Ok(gone)
}

/// Removes what an earlier process has left.
pub(crate) fn finish(connection: &Connection) -> Result<(), Error> {
    let next = "SELECT key FROM threads WHERE gone_from IS NOT NULL LIMIT 1";
    while let Some(key) = connection
        .query_row(next, [], |row| row.get(0))
        .optional()?
    {
        while !step(connection, key)? {}
    }
    Ok(())
}
