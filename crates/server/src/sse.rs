//! A turn's events as an HTTP body: `data: <json>` frames, whole, several in one write.
//!
//! The body is pulled: hyper asks for bytes when the socket takes them, the body asks the turn.
//! There is no task and no channel per stream, and a browser that reads slowly slows its own turn
//! down instead of filling memory. When the browser goes away, hyper drops the body, which drops
//! the turn: that is the user's "Stop".

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
    Event,
    event::{ErrorCode, ErrorEvent},
};
use tokio::time::{Instant, Sleep};

use crate::{error::ApiError, limits::RunningTurn};

/// Events that are ready together go out together, up to about this many bytes: fewer writes.
const CHUNK_BYTES: usize = 16 * 1024;
/// A comment line, which every event-stream parser skips (WHATWG HTML §9.2.6). It keeps proxies
/// from closing a silent connection, and makes us notice that the browser is gone.
const KEEP_ALIVE_FRAME: &[u8] = b": keep-alive\n\n";
/// What is sent in place of an event that cannot be written down.
const BROKEN_FRAME: &[u8] =
    b"data: {\"type\":\"error\",\"code\":\"stream.error\",\"allow_retry\":true}\n\n";

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
            revoked: self.revoked,
            _running: self.running,
            timer: Box::pin(tokio::time::sleep(self.keep_alive)),
            keep_alive: self.keep_alive,
            last_frame: Instant::now(),
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
    encode(&event, &mut frame);
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
    revoked: Option<BoxFuture<'static, ()>>,
    _running: Option<RunningTurn>,
    timer: Pin<Box<Sleep>>,
    keep_alive: Duration,
    /// The timer is not set anew for each frame, which would cost more than the frame; it looks at
    /// this when it fires.
    last_frame: Instant,
}

impl<S: Stream<Item = Event>> EventBody<S> {
    /// Everything the turn has ready now, as whole frames; empty when it has nothing yet.
    fn poll_events(&mut self, context: &mut Context<'_>) -> Vec<u8> {
        let mut chunk = Vec::new();
        while let Some(events) = &mut self.events
            && chunk.len() < CHUNK_BYTES
        {
            match events.as_mut().poll_next(context) {
                Poll::Ready(Some(event)) => encode(&event, &mut chunk),
                Poll::Ready(None) => self.events = None,
                Poll::Pending => break,
            }
        }
        chunk
    }

    fn poll_revoked(&mut self, context: &mut Context<'_>) -> bool {
        self.revoked
            .as_mut()
            .is_some_and(|revoked| revoked.as_mut().poll(context).is_ready())
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
            let mut frame = Vec::new();
            encode(&session_ended(), &mut frame);
            return Poll::Ready(Some(Ok(Frame::data(frame.into()))));
        }
        let chunk = this.poll_events(context);
        if !chunk.is_empty() {
            this.last_frame = Instant::now();
            return Poll::Ready(Some(Ok(Frame::data(chunk.into()))));
        }
        if this.events.is_none() {
            return Poll::Ready(None);
        }
        loop {
            ready!(this.timer.as_mut().poll(context));
            let now = Instant::now();
            let due = this.last_frame + this.keep_alive;
            if due <= now {
                this.last_frame = now;
                this.timer.as_mut().reset(now + this.keep_alive);
                let frame = Bytes::from_static(KEEP_ALIVE_FRAME);
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
            this.timer.as_mut().reset(due);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.events.is_none()
    }
}

impl<S> Unpin for EventBody<S> {}

fn session_ended() -> Event {
    Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some("this chat session was ended; reload the page to start a new one".to_owned()),
        allow_retry: false,
    })
}

/// Appends an event as one frame. JSON text holds no raw line break, so one `data:` line is enough.
fn encode(event: &Event, chunk: &mut Vec<u8>) {
    let start = chunk.len();
    chunk.extend_from_slice(b"data: ");
    match serde_json::to_writer(&mut *chunk, event) {
        Ok(()) => chunk.extend_from_slice(b"\n\n"),
        Err(error) => {
            tracing::error!(%error, "an event could not be written as JSON");
            chunk.truncate(start);
            chunk.extend_from_slice(BROKEN_FRAME);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures::{StreamExt, stream};
    use http_body::Body as _;

    use super::*;

    fn progress(text: &str) -> Event {
        Event::ProgressUpdate {
            icon: None,
            text: text.to_owned(),
        }
    }

    fn body(
        events: impl Stream<Item = Event> + Send + 'static,
        revoked: Option<BoxFuture<'static, ()>>,
    ) -> Body {
        EventStream {
            events,
            keep_alive: Duration::from_secs(15),
            revoked,
            running: None,
        }
        .into_response()
        .into_body()
    }

    async fn next(body: &mut Body) -> Option<String> {
        let frame =
            std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        let data = frame.unwrap().into_data().unwrap();
        Some(String::from_utf8(data.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn events_that_are_ready_together_share_a_chunk_of_bounded_size() {
        let small = stream::iter([progress("one"), progress("two")]);
        let mut small = body(small.chain(stream::pending()), None);
        assert_eq!(
            next(&mut small).await.unwrap(),
            "data: {\"type\":\"progress_update\",\"text\":\"one\"}\n\n\
             data: {\"type\":\"progress_update\",\"text\":\"two\"}\n\n"
        );
        let mut large = body(stream::iter(vec![progress(&"x".repeat(1_000)); 100]), None);
        let mut chunks = Vec::new();
        while let Some(chunk) = next(&mut large).await {
            assert!(chunk.ends_with("\n\n"), "frames are whole");
            assert!(chunk.len() < CHUNK_BYTES + 1_100, "{}", chunk.len());
            chunks.push(chunk);
        }
        assert_eq!(chunks.concat().matches("data: ").count(), 100);
    }

    #[tokio::test]
    async fn silence_is_broken_by_comments_until_something_is_said() {
        let (send, receive) = futures::channel::mpsc::unbounded();
        let mut body = EventStream {
            events: receive,
            keep_alive: Duration::from_millis(1),
            revoked: None,
            running: None,
        }
        .into_response()
        .into_body();
        for _ in 0..3 {
            assert_eq!(next(&mut body).await.unwrap(), ": keep-alive\n\n");
        }
        send.unbounded_send(progress("late")).unwrap();
        drop(send);
        assert!(next(&mut body).await.unwrap().contains("late"));
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test]
    async fn s11_a_revoked_credential_ends_the_stream_with_an_error_event() {
        let revoked = Box::pin(tokio::task::yield_now());
        let mut silent = body(stream::pending(), Some(revoked));
        let last = next(&mut silent).await.unwrap();
        assert!(
            last.contains("\"type\":\"error\"") && last.contains("session was ended"),
            "{last}"
        );
        assert_eq!(next(&mut silent).await, None);

        let busy = stream::repeat_with(|| progress("more"));
        let mut busy = body(busy, Some(Box::pin(std::future::ready(()))));
        assert!(next(&mut busy).await.unwrap().contains("session was ended"));
        assert_eq!(next(&mut busy).await, None);
    }

    #[tokio::test]
    async fn a_failure_before_the_stream_is_a_stream_of_one_error_event() {
        let response = failed(ApiError::internal("secret detail"));
        assert_eq!(response.status(), 200);
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.starts_with("data: {\"type\":\"error\""), "{text}");
        assert!(!text.contains("secret detail"), "{text}");
    }
}
