//! What is written in a thread in one step, and what goes on in it besides what was said.

use std::sync::Arc;

use protocol::{ItemId, RunId, ThreadId, ThreadItem, ThreadPatch, Timestamp};

use super::Node;
use crate::context::{Owner, WorkflowId};

/// What one step of a run writes. A store applies the whole of it or nothing, in one transaction.
///
/// An answer may be lost where the change was not, and then it is applied once more, which changes nothing: a run that has
/// begun is known by its id, and a message that is out of the queue by the item that it has become.
///
/// The parts are applied in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Only while this is the thread's epoch; else [`StoreError::Fenced`](super::StoreError::Fenced). The statement that finds the thread checks it.
    pub epoch: Option<Epoch>,
    /// Begins a run: the thread's next epoch, which fences whatever ran there before. Where this very run is the thread's
    /// already, all of the change is written, and the epoch is told.
    pub begin: Option<BeginRun>,
    /// Takes this message out of the queue. Where it is not in it (any more): [`StoreError::NotFound`](super::StoreError::NotFound),
    /// unless it is put, is an item already, and no run begins with it.
    pub unqueue: Option<ItemId>,
    /// Removes every item that comes after this one.
    pub truncate_after: Option<ItemId>,
    /// Removes these items; one that is already gone is no error.
    pub remove: Vec<ItemId>,
    /// Adds items at the end, or replaces the item of the same id where it stands.
    pub put: Vec<ThreadItem>,
    /// Changes these fields of the thread, and no other: whoever read the thread, changed it and wrote it back would undo
    /// what others changed meanwhile.
    pub patch: ThreadPatch,
    /// Names the thread, unless somebody has named it by now.
    pub title_if_none: Option<String>,
    /// Remembers which message a request brought, see [`Store::request`](super::Store::request). A key that is there already: [`StoreError::Exists`](super::StoreError::Exists).
    pub request: Option<RequestRecord>,
    /// Ends the run that lives.
    pub end: Option<RunEnd>,
}

/// How often a run has begun in a thread. Of two that write, the one with the greater epoch is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// A run that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeginRun {
    /// Its id.
    pub run: RunId,
    /// The person's message that it answers.
    pub answers: ItemId,
    /// What answers.
    pub workflow: WorkflowId,
    /// When.
    pub at: Timestamp,
    /// The run of another process, whose process does not answer, that it takes the thread from. With any other that lives:
    /// [`StoreError::Elsewhere`](super::StoreError::Elsewhere).
    pub overtakes: Option<RunId>,
    /// Whether it goes before messages that wait: all of them, or those that came before its own, where its own waits. Else
    /// [`StoreError::Behind`](super::StoreError::Behind).
    pub goes_first: bool,
}

/// When a thread was used last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// The store's own number for the thread.
    pub number: i64,
    /// Whose it is.
    pub owner: Owner,
    /// The thread.
    pub thread: ThreadId,
    /// What answered in it last, where that is known.
    pub workflow: Option<WorkflowId>,
    /// When a run began in it last, or else when it was made.
    pub at: Timestamp,
}

/// How a run ended, as far as a thread remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// With an answer, or with words about why there is none.
    Ended,
    /// Without a word: the process ended. The thread says so until the next run begins.
    Interrupted,
}

/// The last run of a thread, where it lives or was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its id.
    pub run: RunId,
    /// The person's message that it answers.
    pub answers: ItemId,
    /// The thread's epoch since it began.
    pub epoch: Epoch,
    /// Whether the process that ran it has ended.
    pub is_interrupted: bool,
    /// Which other process plays it, where one does.
    pub node: Option<Node>,
}

/// What goes on in a thread besides what was said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The run that lives, or was interrupted.
    pub run: Option<RunRecord>,
    /// Messages that wait for their turn, oldest first.
    pub queued: Vec<ThreadItem>,
}

/// A request that a client may send again without doing it again (`Idempotency-Key`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// The client's name for it, unique for one owner.
    pub key: Arc<str>,
    /// Tells its body from others.
    pub fingerprint: Arc<str>,
    /// The person's message that it brought, or had answered again.
    pub item: ItemId,
    /// When; a store forgets it after [`RequestRecord::KEPT`].
    pub at: Timestamp,
}

impl RequestRecord {
    /// How long a request is remembered.
    pub const KEPT: std::time::Duration = std::time::Duration::from_hours(24);
}

impl Change {
    /// Adds these items, or replaces those of the same ids.
    pub fn of(items: &[ThreadItem]) -> Self {
        Self {
            put: items.to_vec(),
            ..Self::default()
        }
    }

    /// Whether applying this would change nothing.
    pub fn is_empty(&self) -> bool {
        let epoch = self.epoch;
        *self
            == Self {
                epoch,
                ..Self::default()
            }
    }
}
