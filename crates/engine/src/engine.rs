//! The engine's front: one request in, one reply out.

use std::sync::Arc;

use protocol::{Page, Request, Thread, ThreadItem};
use tokio_util::task::TaskTracker;

use crate::{
    context::RequestContext,
    error::Error,
    ports::{Clock, Ids, Store},
    run::TurnStream,
    workflow::Workflows,
};

/// What a conversation needs; put together once, by the composition root.
#[derive(Clone)]
pub struct Engine {
    /// Where threads are kept.
    pub store: Arc<dyn Store>,
    /// What can answer.
    pub workflows: Arc<Workflows>,
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Where a turn that lost its browser is saved; shutdown waits for it.
    pub tasks: TaskTracker,
}

/// The answer to a request.
pub enum Reply {
    /// A single JSON document.
    Json(Answer),
    /// A turn: events as they happen. Dropping it is the user's "Stop".
    Turn(TurnStream),
}

/// The documents that requests without a stream are answered with.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A thread with a page of items.
    Thread(Box<Thread>),
    /// A page of threads, without their items.
    Threads(Page<Thread>),
    /// A page of items.
    Items(Page<ThreadItem>),
    /// `{}`.
    Done {},
}

impl Engine {
    /// Carries out a request. What can be refused is refused here, before a stream begins; after
    /// that, failures are `error` events of the stream.
    pub async fn handle(&self, context: RequestContext, request: Request) -> Result<Reply, Error> {
        todo!()
    }
}
