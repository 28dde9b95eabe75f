//! Calls whose server has asked the person something, between the run that called and the one that goes on with the
//! answer. They are in memory alone, because what waits is a connection: the thread has the form and the record of the
//! call, and says what became of it when nothing waits here any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{ItemId, ThreadId};
use tokio::time::Instant;

use crate::{
    asking::{Filled, Verdict},
    context::RequestContext,
    ports::{Asking, PATIENCE, Reply, ToolStream, Waiting},
    words::Language,
};

/// How many calls may wait for people; the one that has waited the longest is cancelled.
const MOST: usize = 1_000;
/// How many may wait for one person, so that nobody's push out everybody's.
const MOST_OF_ONE: usize = 20;

/// A call that waits for an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) thread: ThreadId,
    /// The form that is to be answered.
    pub(crate) form: ItemId,
    /// The record of the call.
    pub(crate) record: ItemId,
    pub(crate) asking: Asking,
    pub(crate) filled: Filled,
    /// In which its choices are worded.
    pub(crate) language: Language,
    pub(crate) waiting: Waiting,
}

/// What was done about a form.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) form: ItemId,
    pub(crate) verdict: Verdict,
    /// The form that asks once more, where one does.
    pub(crate) next: Option<ItemId>,
}

struct Held {
    asked: Asked,
    /// Who has called.
    caller: Arc<RequestContext>,
    reply: Option<Reply>,
    until: Instant,
}

/// All calls of this process that wait for people.
#[derive(Clone, Default)]
pub(crate) struct AskedCalls(Arc<Mutex<Vec<Held>>>);

impl AskedCalls {
    pub(crate) fn put(&self, asked: Asked, caller: &Arc<RequestContext>) {
        let mut held = self.lock();
        let is_own = |other: &Held| other.caller.owner == caller.owner;
        if held.iter().filter(|held| is_own(held)).count() >= MOST_OF_ONE
            && let Some(oldest) = held.iter().position(is_own)
        {
            held.remove(oldest);
        }
        if held.len() >= MOST {
            held.remove(0);
        }
        held.push(Held {
            asked,
            caller: Arc::clone(caller),
            reply: None,
            until: Instant::now() + PATIENCE,
        });
    }

    /// The call that waits for the answers of this form.
    pub(crate) fn of_form(&self, form: &ItemId) -> Option<Asked> {
        let held = self.lock();
        let found = held.iter().find(|held| held.asked.form == *form)?;
        Some(found.asked.clone())
    }

    /// Whether the call of this record waits here.
    pub(crate) fn has(&self, record: &ItemId) -> bool {
        self.lock().iter().any(|held| held.asked.record == *record)
    }

    /// Who has made these calls, where one of them waits here.
    pub(crate) fn caller(&self, records: &[ItemId]) -> Option<Arc<RequestContext>> {
        let held = self.lock();
        let found = held
            .iter()
            .find(|held| records.contains(&held.asked.record));
        found.map(|held| Arc::clone(&held.caller))
    }

    /// Notes what the answers of a form mean.
    pub(crate) fn settle(&self, settled: Settled) {
        let mut held = self.lock();
        let Some(found) = held.iter_mut().find(|held| held.asked.form == settled.form) else {
            return;
        };
        match settled.verdict {
            Verdict::Reply(reply) => found.reply = Some(reply),
            Verdict::Again(filled) => found.asked.filled = filled,
        }
        if let Some(next) = settled.next {
            found.asked.form = next;
        }
    }

    /// Goes on with a call whose server is answered; nothing, where it does not wait any more.
    pub(crate) fn go_on(&self, record: &ItemId) -> Option<ToolStream> {
        let found = {
            let mut held = self.lock();
            let place = held.iter().position(|held| held.asked.record == *record)?;
            held.remove(place)
        };
        found.asked.waiting.answer(found.reply?)
    }

    /// Cancels what waits in a thread.
    pub(crate) fn forget(&self, thread: &ThreadId) {
        self.lock().retain(|held| held.asked.thread != *thread);
    }

    /// Those that still wait; what has waited too long is cancelled.
    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        held.retain(|held| now < held.until);
        held
    }
}
