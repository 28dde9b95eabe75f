//! A turn's events as an HTTP body: `data: <json>` frames, whole, several in one write.
//!
//! The body is pulled: hyper asks for bytes when the socket takes them, the body asks the turn.
//! There is no task and no channel per stream, and a browser that reads slowly slows its own turn
//! down instead of filling memory. When the browser goes away, hyper drops the body, which drops
//! the turn: that is the user's "Stop".
//!
//! A write costs more than everything else that is done for a token, so text that follows right
//! after other text waits a few milliseconds for company ([`GATHER`], docs/decisions/0015).

mod frame;

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, future::BoxFuture};
use http::{HeaderValue, header};
use http_body::Frame;
use protocol::{
    Event, ItemUpdate,
    event::{ErrorCode, ErrorEvent},
};
use tokio::time::{Instant, Sleep};

use self::frame::FrameWriter;
use crate::{error::ApiError, limits::RunningTurn};

/// Events that are ready together go out together, up to about this many bytes: fewer writes.
const CHUNK_BYTES: usize = 16 * 1024;
/// How long after a write further text is gathered before the next one. Text that comes after a
/// longer pause than this leaves at once, and so does everything that is not text, taking along what
/// waits: a slow model's tokens, the first token and the end of an answer are never late.
const GATHER: Duration = Duration::from_millis(8);
/// A comment line, which every event-stream parser skips (WHATWG HTML §9.2.6). It keeps proxies
/// from closing a silent connection, and makes us notice that the browser is gone.
const KEEP_ALIVE_FRAME: &[u8] = b": keep-alive\n\n";

/// What a stream of events is made of.
pub(crate) struct EventStream<S> {
    /// The turn.
    pub(crate) events: S,
    /// After this much silence a comment is sent.
    pub(crate) keep_alive: Duration,
    /// Resolves when the credential that started the stream was revoked; the stream then ends with
    /// an `error` event.
    pub(crate) revoked: Option<BoxFuture<'static, ()>>,
    /// Counts the turn for as long as its body is there.
    pub(crate) running: Option<RunningTurn>,
}

impl<S: Stream<Item = Event> + Send + 'static> IntoResponse for EventStream<S> {
    fn into_response(self) -> Response {
        event_stream(Body::new(EventBody {
            events: Some(Box::pin(self.events)),
            frames: FrameWriter::default(),
            waiting: Vec::new(),
            revoked: self.revoked,
            _running: self.running,
            gathered: None,
            silence: Box::pin(tokio::time::sleep(self.keep_alive)),
            keep_alive: self.keep_alive,
            last_write: Instant::now(),
        }))
    }
}

/// An answer to a streaming request that failed before its first event, as a stream of one `error`
/// event. ChatKit's client would answer a 5xx by silently running the turn again.
pub(crate) fn failed(error: ApiError) -> Response {
    let event = Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some(error.message().to_owned()),
        allow_retry: true,
    });
    let mut frame = Vec::new();
    FrameWriter::default().write(&event, &mut frame);
    let mut response = event_stream(Body::from(frame));
    response.extensions_mut().insert(error.into_report());
    response
}

/// Gives a body the headers of an event stream that no proxy buffers, changes or keeps.
pub(crate) fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct EventBody<S> {
    /// `None` once the stream has ended.
    events: Option<Pin<Box<S>>>,
    frames: FrameWriter,
    /// Whole frames for the next write; empty again when [`http_body::Body::poll_frame`] is ready.
    waiting: Vec<u8>,
    revoked: Option<BoxFuture<'static, ()>>,
    _running: Option<RunningTurn>,
    /// Fires when `waiting` has waited long enough; a stream that is never fast has none.
    gathered: Option<Pin<Box<Sleep>>>,
    silence: Pin<Box<Sleep>>,
    keep_alive: Duration,
    /// Neither timer is set anew for each frame, which would cost more than the frame; they look at
    /// this when they fire.
    last_write: Instant,
}

impl<S: Stream<Item = Event>> EventBody<S> {
    /// Takes everything the turn has ready now; true when it must not wait for more.
    fn poll_events(&mut self, context: &mut Context<'_>) -> bool {
        let mut is_pressing = false;
        while let Some(events) = &mut self.events {
            match events.as_mut().poll_next(context) {
                Poll::Ready(Some(event)) => {
                    is_pressing |= !is_text(&event);
                    self.frames.write(&event, &mut self.waiting);
                }
                Poll::Ready(None) => self.events = None,
                Poll::Pending => return is_pressing,
            }
            if self.waiting.len() >= CHUNK_BYTES {
                return true;
            }
        }
        true
    }

    /// Whether the last write is long enough ago for the next one.
    fn poll_gathered(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let due = self.last_write + GATHER;
        if due <= Instant::now() {
            return Poll::Ready(());
        }
        let timer = self
            .gathered
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(context)
    }

    fn poll_revoked(&mut self, context: &mut Context<'_>) -> bool {
        self.revoked
            .as_mut()
            .is_some_and(|revoked| revoked.as_mut().poll(context).is_ready())
    }

    fn write(&mut self) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.last_write = Instant::now();
        let chunk = std::mem::take(&mut self.waiting);
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }
}

impl<S: Stream<Item = Event>> http_body::Body for EventBody<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.events.is_none() {
            return Poll::Ready(None);
        }
        // First, so that a turn which always has something ready cannot outrun its revocation.
        if this.poll_revoked(context) {
            this.events = None;
            this.frames.write(&session_ended(), &mut this.waiting);
            return this.write();
        }
        let is_pressing = this.poll_events(context);
        if !this.waiting.is_empty() {
            if !is_pressing {
                ready!(this.poll_gathered(context));
            }
            return this.write();
        }
        if this.events.is_none() {
            return Poll::Ready(None);
        }
        loop {
            ready!(this.silence.as_mut().poll(context));
            let due = this.last_write + this.keep_alive;
            if due <= Instant::now() {
                this.waiting.extend_from_slice(KEEP_ALIVE_FRAME);
                return this.write();
            }
            this.silence.as_mut().reset(due);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.events.is_none()
    }
}

impl<S> Unpin for EventBody<S> {}

/// Whether it is the event of which there are as many as tokens, and which may wait a moment.
fn is_text(event: &Event) -> bool {
    let Event::ItemUpdated { update, .. } = event else {
        return false;
    };
    matches!(update, ItemUpdate::TextDelta { .. })
}

fn session_ended() -> Event {
    Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some("this chat session was ended; reload the page to start a new one".to_owned()),
        allow_retry: false,
    })
}

#[cfg(test)]
mod tests;
