//! One who reads a run: from any position, at any speed.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use protocol::{ItemId, Position, RunId, frame};

use super::{Client, Run, Runs, alone, log::Next};
use crate::turn;

/// Reads a run from a position to its end. Dropping it is going away: see
/// [`RunSettings`](super::RunSettings) for what becomes of the run then.
pub struct Reader {
    runs: Runs,
    run: Arc<Run>,
    position: Position,
    can_resume: bool,
    reads_ids: bool,
    /// The message that waits for its turn, where it does.
    queued: Option<ItemId>,
    /// Whether the last word was said already.
    is_over: bool,
}

impl Reader {
    pub(crate) fn new(runs: &Runs, run: &Arc<Run>, position: Position, client: &Client) -> Self {
        run.arrive();
        Self {
            runs: runs.clone(),
            run: Arc::clone(run),
            position,
            can_resume: client.can_resume,
            reads_ids: client.reads_ids,
            queued: None,
            is_over: false,
        }
    }

    pub(crate) fn set_queued(&mut self, message: Option<ItemId>) {
        self.queued = message;
    }

    /// The run that is read.
    pub fn run_id(&self) -> &RunId {
        &self.run.id
    }

    /// The person's message that waits for the answer before it.
    pub fn queued(&self) -> Option<&ItemId> {
        self.queued.as_ref()
    }

    /// What comes next: whole frames of an event stream.
    pub async fn next(&mut self) -> Option<Bytes> {
        while !self.is_over {
            let run = Arc::clone(&self.run);
            let changed = run.log.changed();
            match run.log.after(&run.id, self.position) {
                Next::Frames(frames, position) => {
                    self.position = position;
                    if run.has_one_reader() {
                        run.log.release(position);
                    }
                    return Some(if self.reads_ids {
                        frames
                    } else {
                        frame::without_ids(&frames).into()
                    });
                }
                Next::Nothing => changed.await,
                Next::Joined(cursor) => {
                    let joined = self.runs.find(&run.owner, Some(&run.thread), |other| {
                        other.id == cursor.run
                    });
                    let Some(joined) = joined else {
                        self.is_over = true;
                        return Some(alone(&turn::read_elsewhere(run.language)));
                    };
                    joined.arrive();
                    self.run.leave(true);
                    self.run = joined;
                    self.position = cursor.position;
                }
                Next::End(words) => {
                    self.is_over = true;
                    // Only of a copy one can be ahead, by a position that somebody made up.
                    let is_ahead = self.position > run.log.position();
                    let ended = || alone(&turn::read_elsewhere(run.language));
                    return words.or_else(|| is_ahead.then(ended));
                }
            }
        }
        None
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut reader| async {
            let frames = reader.next().await?;
            Some((frames, reader))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.run.leave(self.can_resume);
    }
}
