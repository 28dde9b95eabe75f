//! Threads that were kept for as long as their workflow says, and go.

use std::time::Duration;

use protocol::Timestamp;

use crate::{
    context::WorkflowId,
    engine::Engine,
    error::Error,
    ports::{LastUse, StoreError},
    workflow::Workflows,
};

/// Threads that are looked at in one step.
const STEP: u32 = 1_000;

impl Engine {
    /// Whether some threads are not kept for good.
    pub fn has_retention(&self) -> bool {
        self.workflows.all().any(|workflow| workflow.kept.is_some())
    }

    /// Removes the threads that nobody has used for as long as their workflow keeps them, and tells how many. In small steps,
    /// so that nobody waits; one that is used meanwhile stays.
    pub async fn remove_idle_threads(&self) -> Result<u64, Error> {
        let (now, mut after, mut removed) = (self.clock.now(), 0, 0);
        loop {
            let uses = self.store.last_uses(after, STEP).await?;
            let Some(last) = uses.last() else {
                self.remove_files();
                return Ok(removed);
            };
            after = last.number;
            for used in uses {
                let kept = kept(&self.workflows, used.workflow.as_ref());
                let Some(since) = kept.and_then(|kept| before(now, kept)) else {
                    continue;
                };
                if used.at < since && self.remove_idle_thread(&used, since).await? {
                    removed += 1;
                }
            }
        }
    }

    async fn remove_idle_thread(&self, used: &LastUse, since: Timestamp) -> Result<bool, Error> {
        let LastUse { owner, thread, .. } = used;
        match self.store.delete_idle_thread(owner, thread, since).await {
            Ok(()) => Ok(true),
            // Somebody has used or removed it just now.
            Err(StoreError::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// How long a thread of this workflow is kept. Where nobody knows which one it was: for as long as any of them keeps one.
fn kept(workflows: &Workflows, id: Option<&WorkflowId>) -> Option<Duration> {
    let of_id = |workflow: &&std::sync::Arc<crate::workflow::Workflow>| id == Some(&workflow.id);
    let mut known = workflows.all().filter(of_id).peekable();
    if known.peek().is_some() {
        longest(known.map(|workflow| workflow.kept))
    } else {
        longest(workflows.all().map(|workflow| workflow.kept))
    }
}

/// The longest of them; one that is not limited is longer than all.
fn longest(all: impl Iterator<Item = Option<Duration>>) -> Option<Duration> {
    all.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)))?
}

fn before(now: Timestamp, kept: Duration) -> Option<Timestamp> {
    let kept = i64::try_from(kept.as_micros()).ok()?;
    Timestamp::from_microsecond(now.as_microsecond().checked_sub(kept)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wins_and_for_good_is_longest() {
        let days = |days: u64| Some(Duration::from_hours(24 * days));
        for (all, expected) in [
            (vec![days(3)], days(3)),
            (vec![days(3), days(30), days(7)], days(30)),
            (vec![days(3), None, days(7)], None),
            (vec![], None),
        ] {
            assert_eq!(longest(all.into_iter()), expected);
        }
    }
}
