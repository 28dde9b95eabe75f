//! Drives a turn.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::Stream;
use protocol::ThreadStreamEvent;

/// A turn's events as they happen. Dropping it is the user's "Stop": what stands so far is saved.
pub struct TurnStream {}

impl Stream for TurnStream {
    type Item = ThreadStreamEvent;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        todo!()
    }
}
