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
    /// Takes the place in a thread, after the turn that has it now has ended.
    pub(crate) async fn enter(&self, thread: &ThreadId) -> Place {
        let former = self.lock().get(thread).cloned();
        if let Some(former) = former {
            former.stop.cancel();
            // What comes after the time is up is the former turn's loss, not this one's.
            let _ = tokio::time::timeout(PATIENCE, former.gone.cancelled()).await;
        }
        let signals = Signals::default();
        self.lock().insert(thread.clone(), signals.clone());
        Place {
            turns: self.clone(),
            thread: thread.clone(),
            signals,
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
