//! Which processes answer, as the others know it: each renews a row of its own for as long as it has the database open.
//!
//! A run names the process that plays it. When that process was not seen for the length of a lease, or has said that it
//! ends, its runs were left behind. The clock is the database's. A process that was only slow finds out by its epoch, which
//! the next run in the thread has taken.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::Durability;
use crate::error::Error;
use crate::postgres::pool::{Batch, Connections, Repeated, params};

/// After how long without a sign a process is taken to have ended.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// How often it gives one.
const SIGN: Duration = Duration::from_secs(4);

/// This process, once it has begun a run.
pub(super) struct Node {
    /// Connections of its own: a pool that is exhausted is no reason to be taken for dead.
    connections: Arc<Connections>,
    tasks: TaskTracker,
    registered: OnceCell<(i64, DropGuard)>,
}

impl Node {
    pub(super) fn new(connections: Connections, tasks: TaskTracker) -> Self {
        Self {
            connections: Arc::new(connections),
            tasks,
            registered: OnceCell::new(),
        }
    }

    /// Its number. The first call writes it down, and has it renewed from then on.
    pub(super) async fn key(&self) -> Result<i64, Error> {
        let registered = self.registered.get_or_try_init(|| self.register()).await?;
        Ok(registered.0)
    }

    /// Its number, where it has begun a run.
    pub(super) fn known_key(&self) -> Option<i64> {
        self.registered.get().map(|(key, _)| *key)
    }

    async fn register(&self) -> Result<(i64, DropGuard), Error> {
        let key = self
            .connections
            .write(
                Repeated::MayBeWrong,
                Durability::Process,
                &(),
                |transaction, ()| {
                    Box::pin(async move {
                        // Rows of processes that ended without a word, a while after it was of any interest.
                        let mut batch = Batch::of(
                            "DELETE FROM nodes WHERE key IN (
                             SELECT key FROM nodes
                             WHERE seen_at < clock_timestamp() - interval '1 day'
                             FOR UPDATE SKIP LOCKED)",
                            params![],
                        );
                        let added =
                            batch.add("INSERT INTO nodes DEFAULT VALUES RETURNING key", params![]);
                        let outcomes = transaction.finish(batch).await?;
                        let row = outcomes.get(added).and_then(|outcome| outcome.rows.first());
                        Ok(row.ok_or(Error::NotFound)?.try_get(0)?)
                    })
                },
            )
            .await?;
        let ends = CancellationToken::new();
        let renewing = renew(Arc::clone(&self.connections), key, ends.clone());
        self.tasks.spawn(renewing);
        Ok((key, ends.drop_guard()))
    }
}

async fn renew(connections: Arc<Connections>, key: i64, ends: CancellationToken) {
    let mut signs = interval(SIGN);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while ends.run_until_cancelled(signs.tick()).await.is_some() {
        let seen = connections
            .write(
                Repeated::MayBeWrong,
                Durability::Process,
                &key,
                |transaction, key| {
                    Box::pin(async move {
                        transaction
                            .finish(Batch::of(
                                "INSERT INTO nodes (key) VALUES ($1)
                             ON CONFLICT (key) DO UPDATE SET seen_at = clock_timestamp()",
                                params![*key],
                            ))
                            .await
                    })
                },
            )
            .await;
        if let Err(error) = seen {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the database was not told that this process lives");
        }
    }
    let gone = connections
        .write(
            Repeated::MayBeWrong,
            Durability::Process,
            &key,
            |transaction, key| {
                Box::pin(async move {
                    transaction
                        .finish(Batch::of("DELETE FROM nodes WHERE key = $1", params![*key]))
                        .await
                })
            },
        )
        .await;
    if let Err(error) = gone {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(error, "the database was not told that this process ends");
    }
    connections.close();
}
