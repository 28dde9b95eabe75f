//! The runs of other processes over the same store.
//!
//! What such a run says is copied here for as long as somebody here reads it, or waits for its end: the copy is a
//! [`Run`] like any other, lives in its thread's line, and is followed, stopped and waited for in the same ways.
//!
//! - `nodes/copying.rs`: copying a run that lives elsewhere
//! - `nodes/handing.rs`: going on with calls that wait elsewhere
//! - `nodes/telling.rs`: telling others what a run says that lives here

mod copying;
mod handing;
mod telling;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use protocol::{Position, RunId, ThreadId};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

use self::copying::Copying;
pub(crate) use self::handing::Handing;
use crate::{
    context::Owner,
    engine::Engine,
    ports::{Node, Peers, RunRecord, StoreError, Taken, Word},
    runs::{Call, Place, Run},
    turn::Why,
    words::Language,
};

/// How often a process says that it still wants to hear a run.
const ASK: Duration = Duration::from_secs(2);
/// How long one is told after it has said so.
const TELL: Duration = Duration::from_secs(7);
/// How many words about one run may wait to be heard. What does not fit is asked for again.
const MOST_UNHEARD: usize = 256;
/// How many runs are remembered whose processes did not answer.
const MOST_SILENT: usize = 256;

/// What this process shares with the others; nothing, where it is alone.
#[derive(Clone, Default)]
pub struct Nodes {
    shared: Option<Arc<Shared>>,
}

/// Where it goes from which position on somebody wants to be told; without one, on from where they are.
type Wishes = mpsc::Sender<Option<Position>>;

struct Shared {
    peers: Arc<dyn Peers>,
    /// Runs that are copied, with where it goes what is heard of them.
    copied: Mutex<HashMap<RunId, mpsc::Sender<Heard>>>,
    /// Who is told of which runs, with where it goes what they want to be told.
    told: Mutex<HashMap<(RunId, Node), Wishes>>,
    /// Runs whose processes did not answer, the last of them.
    silent: Mutex<VecDeque<RunId>>,
    /// Runs that another process is to begin, with where it goes what the others answer.
    handed: Mutex<HashMap<RunId, mpsc::Sender<(Node, Taken)>>>,
    /// Runs that are beginning here for others.
    taking: Mutex<HashSet<RunId>>,
}

/// What is heard of a run.
enum Heard {
    Said {
        start: Position,
        end: Position,
        frames: String,
    },
    Ended(Option<Position>),
}

impl Nodes {
    /// With others, who are reached in this way.
    pub fn new(peers: Arc<dyn Peers>) -> Self {
        Self {
            shared: Some(Arc::new(Shared {
                peers,
                copied: Mutex::default(),
                told: Mutex::default(),
                silent: Mutex::default(),
                handed: Mutex::default(),
                taking: Mutex::default(),
            })),
        }
    }
}

impl Engine {
    /// Hears what other processes say, and does it, until the process ends. Where there are no others, it ends at once.
    pub async fn attend_to_others(&self) {
        let Some(shared) = &self.nodes.shared else {
            return;
        };
        let mut words = shared.peers.hear().await;
        while let Some((from, word)) = words.next().await {
            match word {
                Word::Follow { run, after } => self.tell(shared, run, from, after),
                Word::Said {
                    run,
                    start,
                    end,
                    frames,
                } => shared.heard(&run, Heard::Said { start, end, frames }),
                Word::Ended { run, at } => shared.heard(&run, Heard::Ended(at)),
                Word::Hand(handed) => self.take_over(shared, *handed, from),
                Word::Taken { run, taken } => {
                    if let Some(asks) = lock(&shared.handed).get(&run) {
                        // Who has heard enough listens no more.
                        let _ = asks.try_send((from, taken));
                    }
                }
                Word::Stop {
                    run,
                    is_interruption,
                } => {
                    if let Some(run) = self.runs.by_id(&run) {
                        run.cancel(if is_interruption {
                            Why::Interrupted
                        } else {
                            Why::Stopped
                        });
                    }
                    // Whoever wants it to end waits for that.
                    self.tell(shared, run, from, None);
                }
            }
        }
    }

    /// The copy of the run that lives in a thread, where another process plays it.
    pub(crate) async fn find_elsewhere(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        language: Language,
    ) -> Result<Option<Arc<Run>>, StoreError> {
        if self.nodes.shared.is_none() {
            return Ok(None);
        }
        let standing = self.store.standing(owner, thread).await?;
        let record = standing.run.as_ref();
        Ok(record.and_then(|record| self.copy_in_line(owner, thread, record, language)))
    }

    /// A copy of a run that lives elsewhere, where nothing lives in the thread here; else what does.
    pub(crate) fn copy_in_line(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        record: &RunRecord,
        language: Language,
    ) -> Option<Arc<Run>> {
        let (node, shared) = (record.node?, self.nodes.shared.as_ref()?);
        let (copy, stopped) = Run::copy_of(record, owner, thread, language);
        match self.runs.enter_copy(&copy) {
            Ok(place) => {
                self.copy(shared, place, node, stopped);
                Some(copy)
            }
            Err(live) => (live.owner == *owner).then_some(live),
        }
    }

    /// Has a run that cannot begin yet wait for the end of one that lives elsewhere, before all others that wait here: gives
    /// the copy of that one, and what calls it. The place comes back where that one is not to be waited for, because its
    /// process has not answered, or cannot be asked.
    pub(crate) fn wait_for(
        &self,
        place: Place,
        record: &RunRecord,
    ) -> Result<(Arc<Run>, oneshot::Receiver<Call>), Place> {
        let (Some(node), Some(shared)) = (record.node, &self.nodes.shared) else {
            return Err(place);
        };
        if lock(&shared.silent).contains(&record.run) {
            return Err(place);
        }
        let run = place.run();
        let (copy, stopped) = Run::copy_of(record, &run.owner, &run.thread, run.language);
        let (place, called) = place.give_way(&copy);
        self.copy(shared, place, node, stopped);
        Ok((copy, called))
    }

    fn copy(
        &self,
        shared: &Arc<Shared>,
        place: Place,
        node: Node,
        stopped: oneshot::Receiver<Why>,
    ) {
        let copying = Copying::new(self, shared, place, node, stopped);
        self.tasks.spawn(copying.run().in_current_span());
    }
}

impl Shared {
    fn note_silence(&self, run: &RunId) {
        let mut silent = lock(&self.silent);
        if silent.len() >= MOST_SILENT {
            silent.pop_front();
        }
        silent.push_back(run.clone());
    }

    fn heard(&self, run: &RunId, heard: Heard) {
        if let Some(copy) = lock(&self.copied).get(run) {
            // Whoever cannot keep up finds that something is missing, and asks for it.
            let _ = copy.try_send(heard);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
