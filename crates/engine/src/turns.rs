//! One turn at a time in each thread: a new one ends the one before, and waits for its last save.
//!
//! Without this, a partial answer that is saved late would land behind the next question, and the
//! model would be told that the new question had been stopped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use protocol::ThreadId;
use tokio_util::sync::CancellationToken;

/// How long a new turn waits for the one before. A reader that has stalled is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turns that run now.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<ThreadId, Signals>>>);

#[derive(Debug, Clone, Default)]
struct Signals {
    /// Tells the turn to end.
    stop: CancellationToken,
    /// Tells whoever waits that its last save is done.
    gone: CancellationToken,
}

/// A turn's place in its thread. Dropped when everything of the turn is saved.
#[derive(Debug)]
pub(crate) struct Place {
    turns: Turns,
    thread: ThreadId,
    signals: Signals,
}

impl Turns {
    /// Takes the place in a thread, after the turn that has it now has ended. Of several that wait, one
    /// takes it, and the others have that one end.
    pub(crate) async fn enter(&self, thread: &ThreadId) -> Place {
        let mut overdue = None;
        loop {
            let former = {
                let mut turns = self.lock();
                match turns.get(thread) {
                    Some(former) if overdue.as_ref() != Some(&former.gone) => former.clone(),
                    // What comes after the time is up is the former turn's loss, not this one's.
                    None | Some(_) => {
                        let signals = Signals::default();
                        turns.insert(thread.clone(), signals.clone());
                        return Place {
                            turns: self.clone(),
                            thread: thread.clone(),
                            signals,
                        };
                    }
                }
            };
            former.stop.cancel();
            let gone = tokio::time::timeout(PATIENCE, former.gone.cancelled()).await;
            overdue = gone.is_err().then_some(former.gone);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ThreadId, Signals>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Is cancelled when another turn wants the place.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.signals.stop.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut turns = self.turns.lock();
        // The place may be somebody else's by now.
        if turns
            .get(&self.thread)
            .is_some_and(|now| now.gone == self.signals.gone)
        {
            turns.remove(&self.thread);
        }
        drop(turns);
        self.signals.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn of_several_that_wait_one_takes_the_place_and_the_next_has_it_end() {
        let (turns, thread) = (Turns::default(), ThreadId::mint(1));
        let first = turns.enter(&thread).await;
        let mut one = pin!(turns.enter(&thread));
        let mut other = pin!(turns.enter(&thread));
        assert!(poll!(&mut one).is_pending() && poll!(&mut other).is_pending());
        assert!(first.stop().is_cancelled());
        drop(first);
        let one = one.await;
        assert!(!one.stop().is_cancelled());
        assert!(poll!(&mut other).is_pending());
        assert!(one.stop().is_cancelled());
        drop(one);
        assert!(!other.await.stop().is_cancelled());
        assert!(turns.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_does_not_end_is_waited_for_a_while_only() {
        let (turns, thread) = (Turns::default(), ThreadId::mint(1));
        let stalled = turns.enter(&thread).await;
        let next = turns.enter(&thread).await;
        drop(stalled);
        assert!(!next.stop().is_cancelled() && !turns.lock().is_empty());
    }
}
