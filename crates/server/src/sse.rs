//! A run as an HTTP body: whole frames as its reader gets them, comments into its silence, and a last word when the
//! credential that reads is revoked.
//!
//! The body is pulled: hyper asks for bytes when the socket takes them, the body asks the reader, and a browser that
//! reads slowly keeps nobody but itself waiting. When the browser goes away, hyper drops the body and the reader with it;
//! what that means for the run, the engine knows.

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
use engine::{Language, Words};
use futures::{Stream, future::BoxFuture};
use http::{HeaderValue, header};
use http_body::Frame;
use protocol::{
    Event,
    event::{ErrorCode, ErrorEvent},
    frame,
};
use tokio::time::{Instant, Sleep};

use crate::error::ApiError;

/// A comment line, which every event-stream parser skips (WHATWG HTML §9.2.6). It keeps proxies
/// from closing a silent connection, and makes us notice that the browser is gone.
const KEEP_ALIVE_FRAME: &[u8] = b": keep-alive\n\n";

/// What a stream of events is made of.
pub(crate) struct EventStream<S> {
    /// Whole frames.
    pub(crate) frames: S,
    /// After this much silence a comment is sent.
    pub(crate) keep_alive: Duration,
    /// Resolves when the credential that reads the stream was revoked; the stream then ends with
    /// an `error` event.
    pub(crate) revoked: Option<BoxFuture<'static, ()>>,
    /// What its reader reads.
    pub(crate) language: Language,
}

impl<S: Stream<Item = Bytes> + Send + 'static> IntoResponse for EventStream<S> {
    fn into_response(self) -> Response {
        event_stream(Body::new(EventBody {
            frames: Some(Box::pin(self.frames)),
            revoked: self.revoked,
            language: self.language,
            silence: Box::pin(tokio::time::sleep(self.keep_alive)),
            keep_alive: self.keep_alive,
            last_write: Instant::now(),
        }))
    }
}

/// An answer to a streaming request that failed before its first event, as a stream of one `error`
/// event. ChatKit's client would answer a 5xx by silently running the turn again.
pub(crate) fn failed(error: ApiError, language: Language) -> Response {
    let event = Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some(error.message().text(language).into_owned()),
        allow_retry: true,
    });
    let mut response = event_stream(Body::from(alone(&event)));
    // It is told: what is left is for the log.
    response
        .extensions_mut()
        .insert(error.into_english().into_report());
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
    frames: Option<Pin<Box<S>>>,
    revoked: Option<BoxFuture<'static, ()>>,
    language: Language,
    silence: Pin<Box<Sleep>>,
    keep_alive: Duration,
    /// The timer is not set anew for each frame, which would cost more than the frame; it looks at
    /// this when it fires.
    last_write: Instant,
}

impl<S> EventBody<S> {
    fn poll_revoked(&mut self, context: &mut Context<'_>) -> bool {
        self.revoked
            .as_mut()
            .is_some_and(|revoked| revoked.as_mut().poll(context).is_ready())
    }

    fn write(&mut self, frames: Bytes) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.last_write = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(frames))))
    }
}

impl<S: Stream<Item = Bytes>> http_body::Body for EventBody<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(frames) = &mut this.frames else {
            return Poll::Ready(None);
        };
        let next = frames.as_mut().poll_next(context);
        // A run that always has something to say must not outrun the end of the credential.
        if this.poll_revoked(context) {
            this.frames = None;
            return this.write(alone(&session_ended(this.language)).into());
        }
        match next {
            Poll::Ready(Some(frames)) => return this.write(frames),
            Poll::Ready(None) => {
                this.frames = None;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        loop {
            ready!(this.silence.as_mut().poll(context));
            let due = this.last_write + this.keep_alive;
            if due <= Instant::now() {
                return this.write(Bytes::from_static(KEEP_ALIVE_FRAME));
            }
            this.silence.as_mut().reset(due);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_none()
    }
}

impl<S> Unpin for EventBody<S> {}

/// The frame of an event that belongs to no run.
fn alone(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    // Errors are made of texts and a flag, which always have a JSON form.
    let _ = frame::write_alone(event, &mut out);
    out
}

fn session_ended(language: Language) -> Event {
    Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some(Words::SessionEnded.text(language).into_owned()),
        allow_retry: false,
    })
}

#[cfg(test)]
mod tests;
