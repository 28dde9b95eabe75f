//! What a conversation needs, in one place, and what its requests are answered with.

use std::sync::Arc;

use protocol::{
    Attachment, Page, RunId, Thread, ThreadItem,
    request::{SyncCustomActionResponse, TranscriptionResult},
};
use tokio_util::task::TaskTracker;

use crate::{
    attachments::Attachments,
    nodes::Nodes,
    ports::{Clock, Ids, Store},
    runs::{Reader, Runs},
    workflow::Workflows,
};

/// What a conversation needs; put together once, by the composition root.
#[derive(Clone)]
pub struct Engine {
    /// Where threads are kept.
    pub store: Arc<dyn Store>,
    /// Files that people send.
    pub attachments: Attachments,
    /// What can answer.
    pub workflows: Arc<Workflows>,
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Where runs live, and files are removed; shutdown waits for it.
    pub tasks: TaskTracker,
    /// The runs of this process; at most one lives in each thread.
    pub runs: Runs,
    /// The runs of other processes over the same store.
    pub nodes: Nodes,
    /// Most bytes that one person's messages may take in the store, with the answers to them.
    pub max_message_bytes: u64,
}

/// The answer to a request.
pub enum Reply {
    /// A single JSON document.
    Json(Answer),
    /// A run: what it says, as it does.
    Stream(Reader),
}

/// The documents that requests without a stream are answered with.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A thread with a page of items.
    Thread(Box<LoadedThread>),
    /// A page of threads, without their items.
    Threads(Page<Thread>),
    /// A page of items.
    Items(Page<ThreadItem>),
    /// An announced file.
    Attachment(Box<Attachment>),
    /// What an action has changed.
    Acted(Box<SyncCustomActionResponse>),
    /// What was said.
    Transcribed(TranscriptionResult),
    /// `{}`.
    Done {},
}

impl Answer {
    /// The run that lives in the thread that it tells.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Thread(loaded) => loaded.run.as_ref(),
            _ => None,
        }
    }
}

/// A thread as it was read.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LoadedThread {
    /// The thread.
    #[serde(flatten)]
    pub thread: Thread,
    /// The run that lives in it.
    #[serde(skip)]
    pub run: Option<RunId>,
}
