//! Copies what a run says that another process plays, until its end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::frame;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{ASK, Heard, MOST_UNHEARD, Shared, lock};
use crate::{
    engine::Engine,
    ports::{Node, StoreError, Word},
    runs::{Place, Run},
    turn::{self, Why},
};

/// After how long without an answer the process is taken to have ended, before its lease has.
const SILENCE: Duration = Duration::from_secs(6);
/// How often the store has to say that a run has ended whose end was not heard.
const MOST_MISSES: u32 = 2;

pub(super) struct Copying {
    engine: Engine,
    shared: Arc<Shared>,
    place: Place,
    node: Node,
    stopped: oneshot::Receiver<Why>,
    heard: mpsc::Receiver<Heard>,
    heard_at: Instant,
}

/// How a copy ends.
enum Ended {
    /// With the last word of the run.
    Whole,
    /// Nobody here knows how the run ended.
    Unheard,
    /// This process ends.
    Shutdown,
}

impl Copying {
    pub(super) fn new(
        engine: &Engine,
        shared: &Arc<Shared>,
        place: Place,
        node: Node,
        stopped: oneshot::Receiver<Why>,
    ) -> Self {
        let (tell, heard) = mpsc::channel(MOST_UNHEARD);
        // From now on, so that nothing that is asked for goes by.
        lock(&shared.copied).insert(place.run().id.clone(), tell);
        Self {
            engine: engine.clone(),
            shared: Arc::clone(shared),
            place,
            node,
            stopped,
            heard,
            heard_at: Instant::now(),
        }
    }

    /// Copies to the end. Then whoever waits behind it is called.
    pub(super) async fn run(mut self) {
        let ended = self.copy().await;
        let run = self.place.run();
        self.heard.close();
        let mut copied = lock(&self.shared.copied);
        // A later copy of the same run may have its own there by now.
        if copied.get(&run.id).is_some_and(mpsc::Sender::is_closed) {
            copied.remove(&run.id);
        }
        drop(copied);
        let words = match ended {
            Ended::Whole => return,
            Ended::Unheard => turn::read_elsewhere(run.language),
            Ended::Shutdown => Why::Shutdown.words(true, run.language),
        };
        run.end_in(words);
    }

    async fn copy(&mut self) -> Ended {
        let run = Arc::clone(self.place.run());
        let mut asks = interval(ASK);
        asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut why = None;
        let mut misses = 0;
        self.ask(&run, true).await;
        asks.reset();
        loop {
            tokio::select! {
                biased;
                Ok(reason) = &mut self.stopped, if why.is_none() => {
                    if reason == Why::Shutdown {
                        return Ended::Shutdown;
                    }
                    why = Some(reason);
                    self.stop(&run, reason).await;
                }
                Some(heard) = self.heard.recv() => {
                    if !matches!(heard, Heard::Ended(None)) {
                        self.heard_at = Instant::now();
                    }
                    if self.on(&run, heard).await {
                        return Ended::Whole;
                    }
                }
                _ = asks.tick() => {
                    if let Some(reason) = why {
                        self.stop(&run, reason).await;
                    }
                    let silence = self.heard_at.elapsed();
                    let is_silent = silence >= ASK;
                    if self.engine.runs.is_awaited(&run) {
                        if silence >= SILENCE {
                            self.shared.note_silence(&run.id);
                            return Ended::Unheard;
                        }
                        self.ask(&run, is_silent).await;
                    }
                    if is_silent && !self.lives(&run).await {
                        misses += 1;
                        if misses >= MOST_MISSES {
                            return Ended::Unheard;
                        }
                    }
                }
            }
        }
    }

    /// Takes in what was heard; true at the end of the run.
    async fn on(&self, run: &Run, heard: Heard) -> bool {
        let at = run.log.position();
        match heard {
            Heard::Said { end, .. } if end <= at => {}
            // Whoever keeps up reads it as it is, also what only a newer version understands.
            Heard::Said { start, end, frames } if start == at => {
                let events: Vec<_> = frame::read(&frames).collect();
                run.log.copy(events, end, Bytes::from(frames));
            }
            Heard::Ended(Some(end)) if end > at => self.ask(run, true).await,
            Heard::Ended(Some(_)) => return true,
            // Something was lost on the way.
            Heard::Said { .. } => self.ask(run, true).await,
            // The store tells: whoever does not know it has not heard of its beginning, or of its end any more.
            Heard::Ended(None) => {}
        }
        false
    }

    async fn ask(&self, run: &Run, from_here: bool) {
        let word = Word::Follow {
            run: run.id.clone(),
            after: from_here.then(|| run.log.position()),
        };
        self.shared.peers.say(self.node, word).await;
    }

    async fn stop(&self, run: &Run, why: Why) {
        let word = Word::Stop {
            run: run.id.clone(),
            is_interruption: why == Why::Interrupted,
        };
        self.shared.peers.say(self.node, word).await;
    }

    /// Whether the store says that it lives where it did. While the store cannot be asked, it does.
    async fn lives(&self, run: &Run) -> bool {
        let standing = self.engine.store.standing(&run.owner, &run.thread).await;
        match standing {
            Ok(standing) => standing
                .run
                .is_some_and(|record| record.run == run.id && record.node == Some(self.node)),
            Err(StoreError::NotFound) => false,
            Err(_) => true,
        }
    }
}
