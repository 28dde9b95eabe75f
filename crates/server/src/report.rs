//! What a turn reports to the log: every line under the names of its request, or no line at all.
//!
//! A line about a model, a tool or the store is of use only to somebody who knows which request it
//! belongs to, so the work is done inside a span that says it. The person is in it as a hash, the one
//! that model providers are told too. The span is made once for a turn, at the level of errors: a
//! filter that shows a line shows its names.
//!
//! `tracing.enabled = false` of a session means that nothing which the model, the tools or the turn
//! itself report goes to the log; the client is told of failures as ever. The request is logged like
//! any other: its address, status and code.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use axum::extract::FromRequestParts;
use engine::WorkflowId;
use futures::Stream;
use http::request::Parts;
use protocol::ThreadId;
use tracing::{Dispatch, Span, field};

use crate::caller::Caller;

/// What a request is called in the log and in the `x-request-id` of its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestName(pub(crate) Arc<str>);

impl<S: Sync> FromRequestParts<S> for RequestName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Where the reports of one turn go.
#[derive(Clone)]
pub(crate) enum Report {
    /// To the log, under these names.
    Under(Span),
    /// Nowhere.
    Nowhere,
}

impl Report {
    /// For a request of this caller. The thread of a new conversation is added by the engine, once it
    /// has a name.
    pub(crate) fn of(
        request: &RequestName,
        caller: &Caller,
        workflow: &WorkflowId,
        thread: Option<&ThreadId>,
    ) -> Self {
        if !caller.settings().tracing {
            return Self::Nowhere;
        }
        Self::Under(tracing::error_span!(
            "chat",
            request = &*request.0,
            user = upstream::openai::opaque_user(caller.owner()),
            %workflow,
            thread = thread.map(field::display),
        ))
    }

    /// The names, for lines that are written elsewhere.
    pub(crate) fn span(&self) -> Option<&Span> {
        match self {
            Self::Under(span) => Some(span),
            Self::Nowhere => None,
        }
    }

    fn scope<T>(&self, act: impl FnOnce() -> T) -> T {
        match self {
            Self::Under(span) => span.in_scope(act),
            Self::Nowhere => tracing::dispatcher::with_default(&Dispatch::none(), act),
        }
    }

    /// Waits for something whose reports are the turn's.
    pub(crate) async fn on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| self.scope(|| future.as_mut().poll(context))).await
    }
}

/// A stream whose reports are the turn's, to its last word: what is done when it is dropped as well.
pub(crate) struct Reported<S> {
    /// Taken when it is dropped.
    stream: Option<S>,
    report: Report,
}

impl<S> Reported<S> {
    pub(crate) fn new(stream: S, report: Report) -> Self {
        Self {
            stream: Some(stream),
            report,
        }
    }
}

impl<S: Stream + Unpin> Stream for Reported<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Self { stream, report } = self.get_mut();
        match stream {
            Some(stream) => report.scope(|| Pin::new(stream).poll_next(context)),
            None => Poll::Ready(None),
        }
    }
}

impl<S> Drop for Reported<S> {
    fn drop(&mut self) {
        let stream = self.stream.take();
        self.report.scope(|| drop(stream));
    }
}
