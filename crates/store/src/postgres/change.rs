//! A change to a thread, written in one transaction.
//!
//! The thread's row is locked by the statement that finds it; whatever else is decided, is decided under that lock. What
//! is left to write then goes to the server at once, and the end of the transaction with it where nothing can be wrong any
//! more: a turn's save is two round trips, three where it brings files or a request's name.

use engine::Owner;
use engine::ports::{Epoch, RunEnd};
use protocol::{ItemId, ThreadMetadata};

use crate::error::Error;
use crate::postgres::pool::{Batch, Outcome, Transaction, params};
use crate::postgres::{attachments, runs};
use crate::rows::change::EncodedChange;
use crate::rows::{self, Stored};

/// A thread's row, locked until the end of the transaction. Had only from a statement that asks for the owner.
pub(super) struct Locked {
    pub(super) key: i64,
    pub(super) epoch: Epoch,
    pub(super) metadata: Stored,
}

/// What the outcome of a statement has to be, or nothing is written.
pub(super) struct Check {
    /// Which statement.
    pub(super) step: usize,
    /// It must have written as many rows.
    pub(super) count: u64,
    /// Else this is what is wrong.
    pub(super) otherwise: Error,
}

impl Check {
    /// Refuses what came of a batch, where something is not as it has to be.
    pub(super) fn all(checks: Vec<Self>, outcomes: &[Outcome]) -> Result<(), Error> {
        for check in checks {
            let count = outcomes.get(check.step).map_or(0, |outcome| outcome.count);
            if count != check.count {
                return Err(check.otherwise);
            }
        }
        Ok(())
    }
}

/// Writes all of a change, in the order that [`Change`](engine::ports::Change) promises, and tells the epoch afterwards.
/// The transaction may be over then.
pub(super) async fn apply(
    transaction: &mut Transaction,
    owner: &Owner,
    thread: &Locked,
    change: &EncodedChange,
    node: Option<i64>,
) -> Result<Epoch, Error> {
    if change.epoch.is_some_and(|epoch| epoch != thread.epoch) {
        return Err(Error::Fenced);
    }
    let mut batch = Batch::default();
    let mut checks = Vec::new();
    let epoch = match &change.begin {
        Some(begin) => {
            let node = node.ok_or_else(|| Error::internal(Nameless))?;
            runs::begin(&mut batch, thread.key, begin, node);
            Epoch(thread.epoch.0 + 1)
        }
        None => thread.epoch,
    };
    if let Some((message, fate)) = change.unqueued() {
        runs::unqueue(&mut batch, &mut checks, thread.key, message, fate);
    }
    if let Some(item) = &change.truncate_after {
        let step = batch.add(
            "SELECT 1 FROM items WHERE thread = $1 AND id = $2",
            params![thread.key, item.as_str()],
        );
        checks.push(Check {
            step,
            count: 1,
            otherwise: Error::NotFound,
        });
        batch.add(
            "DELETE FROM items WHERE thread = $1
                 AND key > (SELECT key FROM items WHERE thread = $1 AND id = $2)",
            params![thread.key, item.as_str()],
        );
    }
    if !change.remove.is_empty() {
        let ids: Vec<&str> = change.remove.iter().map(ItemId::as_str).collect();
        batch.add(
            "DELETE FROM items WHERE thread = $1 AND id = ANY($2)",
            params![thread.key, ids],
        );
    }
    for item in &change.put {
        let Stored { version, data } = &item.stored;
        batch.add(
            "INSERT INTO items (thread, id, version, data) VALUES ($1, $2, $3, $4)
             ON CONFLICT (thread, id) DO UPDATE
                 SET version = excluded.version, data = excluded.data",
            params![thread.key, item.id.as_str(), *version, data.as_str()],
        );
        attachments::tie(&mut batch, &mut checks, owner, thread.key, item);
    }
    let edited = edit(thread, change)?;
    let begun = change.begin.as_ref();
    if begun.is_some() || edited.is_some() {
        let (version, data) = edited
            .map(|Stored { version, data }| (version, data))
            .unzip();
        batch.add(
            "UPDATE threads SET epoch = $2, version = coalesce($3, version), data = coalesce($4, data),
                 workflow = coalesce($5, workflow), active_at = coalesce($6, active_at)
             WHERE key = $1",
            params![
                thread.key,
                number(epoch)?,
                version,
                data,
                begun.map(|begin| begin.workflow.as_str()),
                begun.map(|begin| begin.at.as_microsecond()),
            ],
        );
    }
    if let Some(request) = &change.request {
        runs::remember(&mut batch, &mut checks, owner, thread.key, request);
    }
    match change.end {
        Some(RunEnd::Ended) => {
            batch.add("DELETE FROM runs WHERE thread = $1", params![thread.key]);
        }
        Some(RunEnd::Interrupted) => {
            let step = batch.add(
                "UPDATE runs SET is_interrupted = true WHERE thread = $1 AND NOT is_interrupted",
                params![thread.key],
            );
            if change.epoch.is_some() {
                // Another process that saw the same was faster.
                checks.push(Check {
                    step,
                    count: 1,
                    otherwise: Error::Fenced,
                });
            }
        }
        None => {}
    }
    if checks.is_empty() {
        transaction.finish(batch).await?;
    } else {
        let outcomes = transaction.run(batch).await?;
        Check::all(checks, &outcomes)?;
    }
    Ok(epoch)
}

/// What is known about the thread afterwards, where that changes. Nobody comes between: its row is locked.
fn edit(thread: &Locked, change: &EncodedChange) -> Result<Option<Stored>, Error> {
    if change.patch.is_empty() && change.title_if_none.is_none() {
        return Ok(None);
    }
    let Stored { version, data } = &thread.metadata;
    let mut metadata: ThreadMetadata = rows::decode(*version, data)?;
    metadata.apply(change.patch.clone());
    metadata.title = metadata
        .title
        .take()
        .or_else(|| change.title_if_none.clone());
    rows::encode(&metadata).map(Some)
}

#[derive(Debug, thiserror::Error)]
#[error("a run begins in a process that has no number")]
struct Nameless;

/// An epoch as PostgreSQL keeps it.
fn number(epoch: Epoch) -> Result<i64, Error> {
    i64::try_from(epoch.0).map_err(Error::internal)
}
