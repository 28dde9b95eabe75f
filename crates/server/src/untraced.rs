//! Turns that leave no trace: what `tracing.enabled = false` of a session means here.
//!
//! Nothing that the model, the tools or the turn itself report goes to the log; the client is told of
//! failures as ever. The request itself is logged like any other: its address, status and code.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::Stream;
use tracing::Dispatch;

/// A stream whose reports go nowhere, unless it may be traced.
pub(crate) struct Untraced<S> {
    pub(crate) stream: S,
    pub(crate) is_traced: bool,
}

impl<S: Stream + Unpin> Stream for Untraced<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Self { stream, is_traced } = self.get_mut();
        let mut poll = || Pin::new(&mut *stream).poll_next(context);
        if *is_traced {
            poll()
        } else {
            tracing::dispatcher::with_default(&Dispatch::none(), poll)
        }
    }
}
