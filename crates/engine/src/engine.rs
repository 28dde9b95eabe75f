//! What a conversation needs, in one place, and what its requests are answered with.

use std::sync::Arc;

use protocol::{
    Attachment, Page, RunId, Thread, ThreadItem,
    request::{SyncCustomActionResponse, TranscriptionResult},
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{
    attachments::Attachments,
    error::Error,
    nodes::Nodes,
    ports::{Clock, Ids, Store, StoreError},
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

impl Engine {
    /// Does something on a task of its own, so that it is done whole when whoever asked for it has gone: for all that
    /// writes more than once, or writes after something was done elsewhere.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.tasks.spawn(work.in_current_span()).await;
        done.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process is ending.
            Err(error) => Err(Error::Busy(StoreError::Busy(Box::new(error)))),
        })
    }
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
