//! Tells other processes what a run says that lives here, while they want to hear it.

use std::{sync::Arc, time::Duration};

use protocol::{Position, RunId};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tracing::Instrument;

use super::{Shared, TELL, lock};
use crate::{
    engine::Engine,
    ports::{Node, Word},
    runs::{Audience, Next, Run},
};

/// For how long is gathered what is said, after something was told: each word costs more than what is in it.
const GATHER: Duration = Duration::from_millis(25);
/// How long is listened for who has missed the end.
const LINGER: Duration = Duration::from_secs(1);
/// How much is told at once, about.
const MOST_BYTES: usize = 64 * 1024;

impl Engine {
    /// Tells a process what a run says, from a position on, or on from where it was told.
    pub(super) fn tell(&self, shared: &Arc<Shared>, run: RunId, to: Node, after: Option<Position>) {
        let key = (run, to);
        let mut told = lock(&shared.told);
        if let Some(wishes) = told.get(&key)
            && !wishes.is_closed()
        {
            // One wish too many is one that comes again.
            let _ = wishes.try_send(after);
            return;
        }
        let (wishes, wished) = mpsc::channel(8);
        let run = self.runs.by_id(&key.0);
        if run.is_some() {
            told.insert(key.clone(), wishes);
        }
        drop(told);
        let shared = Arc::clone(shared);
        let telling = async move {
            let Some(run) = run else {
                let word = Word::Ended {
                    run: key.0,
                    at: None,
                };
                return shared.peers.say(to, word).await;
            };
            tell(&shared, &run, to, after, wished).await;
            let mut told = lock(&shared.told);
            if told.get(&key).is_some_and(mpsc::Sender::is_closed) {
                told.remove(&key);
            }
        };
        self.tasks.spawn(telling.in_current_span());
    }
}

/// Tells one process for as long as it wants to hear.
async fn tell(
    shared: &Shared,
    run: &Arc<Run>,
    to: Node,
    after: Option<Position>,
    mut wished: mpsc::Receiver<Option<Position>>,
) {
    let _audience = Audience::of(run);
    let mut position = after.unwrap_or_else(|| run.log.position());
    let mut until = Instant::now() + TELL;
    // Whoever asks is answered, that they know that somebody is there.
    let mut is_asked = true;
    loop {
        let changed = run.log.changed();
        let (frames, end, next) = gather(run, position);
        if end > position || (is_asked && matches!(next, Next::Nothing)) {
            is_asked = false;
            let word = Word::Said {
                run: run.id.clone(),
                start: position,
                end,
                frames,
            };
            shared.peers.say(to, word).await;
            position = end;
            sleep(GATHER).await;
            // What was said meanwhile is there already; and so is what is wished.
            while let Ok(wish) = wished.try_recv() {
                is_asked = true;
                until = Instant::now() + TELL;
                position = wish.unwrap_or(position);
            }
            continue;
        }
        let is_over = matches!(next, Next::End(_) | Next::Joined(_));
        if is_over {
            let word = Word::Ended {
                run: run.id.clone(),
                at: Some(position),
            };
            shared.peers.say(to, word).await;
            until = Instant::now() + LINGER;
        }
        tokio::select! {
            () = changed, if !is_over => {}
            wish = wished.recv() => {
                let Some(wish) = wish else { return };
                is_asked = true;
                until = Instant::now() + TELL;
                position = wish.unwrap_or(position);
            }
            () = sleep_until(until) => return,
        }
    }
}

/// What comes after a position, as far as it is there and fits into one word, and what comes then.
fn gather(run: &Run, from: Position) -> (String, Position, Next) {
    let mut frames = String::new();
    let mut position = from;
    loop {
        match run.log.after(&run.id, position) {
            Next::Frames(more, end) if frames.len() < MOST_BYTES => {
                // JSON is UTF-8, and so are the lines around it.
                frames.push_str(&String::from_utf8_lossy(&more));
                position = end;
            }
            next => return (frames, position, next),
        }
    }
}
