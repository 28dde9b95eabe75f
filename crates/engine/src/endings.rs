//! Runs that have ended, and whose threads do not know it yet: those of processes that are gone, and those whose end could
//! not be saved.

use std::time::Duration;

use protocol::ThreadId;
use tracing::Instrument;

use crate::{
    engine::Engine,
    ports::{Change, Epoch, RunEnd, StoreError},
    runs::Run,
    transcript,
};

/// How many threads are looked at in one go when the server starts.
const LEFT_BEHIND: u32 = 100;
/// How long it is waited before an end is noted again, where that could not be done: at first, and at the most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Engine {
    /// Marks what other processes left behind: threads whose answer was cut off when one ended. Called before anything
    /// runs, and then as often as [`Store::lease`](crate::ports::Store::lease) says. Gives how many.
    pub async fn mark_interrupted(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let left_behind = self.store.left_behind(LEFT_BEHIND).await?;
            if left_behind.is_empty() {
                return Ok(count);
            }
            for (owner, thread, run) in left_behind {
                let change = self.end_of(&thread, run.epoch, RunEnd::Interrupted);
                match self.store.apply(&owner, &thread, &change).await {
                    Ok(_epoch) => count += 1,
                    // It was deleted, or has gone on, meanwhile.
                    Err(StoreError::NotFound | StoreError::Fenced) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Has the thread know that a run has ended, as soon as it can be told: without that, it would go on to say that the run
    /// lives, to other processes as well, until this one ends.
    pub(crate) fn end_later(&self, run: &Run, epoch: Epoch, end: RunEnd) {
        let (owner, thread) = (run.owner.clone(), run.thread.clone());
        let change = self.end_of(&thread, epoch, end);
        let engine = self.clone();
        let ending = async move {
            let mut pause = FIRST_PAUSE;
            // Whoever starts next finds what this process leaves behind.
            while !engine.runs.is_closing() {
                match engine.store.apply(&owner, &thread, &change).await {
                    // A newer run has the thread, or nobody has it any more.
                    Ok(_) | Err(StoreError::Fenced | StoreError::NotFound) => return,
                    Err(error) => tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "failed to note the end of a run; trying again"
                    ),
                }
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        };
        self.tasks.spawn(ending.in_current_span());
    }

    /// What a thread is told of the end of its run.
    fn end_of(&self, thread: &ThreadId, epoch: Epoch, end: RunEnd) -> Change {
        let note = || transcript::note(thread, transcript::INTERRUPTED, self.moment());
        Change {
            epoch: Some(epoch),
            put: match end {
                RunEnd::Interrupted => vec![note()],
                RunEnd::Ended => Vec::new(),
            },
            end: Some(end),
            ..Change::default()
        }
    }
}
