//! Which events leave when, and in whose company.

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
    let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
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

fn text(delta: &str) -> Event {
    Event::ItemUpdated {
        item_id: "msg_1".parse().unwrap(),
        update: ItemUpdate::TextDelta {
            content_index: 0,
            delta: delta.to_owned(),
        },
    }
}

/// A stream that is fed by hand, and its body.
fn fed() -> (futures::channel::mpsc::UnboundedSender<Event>, Body) {
    let (send, receive) = futures::channel::mpsc::unbounded();
    (send, body(receive, None))
}

/// What comes next, and how long it took on tokio's paused clock.
async fn next_after(body: &mut Body) -> (String, Duration) {
    let begun = Instant::now();
    let chunk = next(body).await.unwrap();
    (chunk, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn text_right_after_other_text_is_gathered_into_one_write() {
    let (send, mut body) = fed();
    send.unbounded_send(progress("first")).unwrap();
    next(&mut body).await.unwrap();
    for delta in ["a", "b", "c"] {
        send.unbounded_send(text(delta)).unwrap();
        let too_early = tokio::time::timeout(Duration::from_millis(1), next(&mut body));
        assert!(too_early.await.is_err(), "{delta} did not wait");
    }
    let (chunk, waited) = next_after(&mut body).await;
    assert_eq!(waited, GATHER.saturating_sub(Duration::from_millis(3)));
    assert_eq!(chunk.matches("data: ").count(), 3, "each delta is a frame");
    let places = ["a", "b", "c"].map(|delta| chunk.find(&format!("\"delta\":\"{delta}\"")));
    assert!(places.is_sorted() && places[0].is_some(), "{chunk}");
}

#[tokio::test(start_paused = true)]
async fn text_after_a_pause_leaves_at_once() {
    let (send, mut body) = fed();
    for _ in 0..3 {
        tokio::time::advance(GATHER).await;
        send.unbounded_send(text("slow")).unwrap();
        let (_, waited) = next_after(&mut body).await;
        assert_eq!(waited, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_text_leaves_at_once_and_takes_along_what_waits() {
    let (send, mut body) = fed();
    send.unbounded_send(text("waits")).unwrap();
    assert_eq!(futures::poll!(Box::pin(next(&mut body))), Poll::Pending);
    send.unbounded_send(progress("does not")).unwrap();
    let (chunk, waited) = next_after(&mut body).await;
    assert!(
        chunk.contains("waits") && chunk.contains("does not"),
        "{chunk}"
    );
    assert_eq!(waited, Duration::ZERO);

    send.unbounded_send(text("last")).unwrap();
    drop(send);
    let (chunk, waited) = next_after(&mut body).await;
    assert!(chunk.contains("last"), "{chunk}");
    assert_eq!(waited, Duration::ZERO, "the end does not wait");
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test(start_paused = true)]
async fn text_that_waits_is_bounded() {
    let (send, mut body) = fed();
    for _ in 0..100 {
        send.unbounded_send(text(&"x".repeat(1_000))).unwrap();
    }
    let (chunk, waited) = next_after(&mut body).await;
    assert!(chunk.len() < CHUNK_BYTES + 1_200, "{}", chunk.len());
    assert_eq!(waited, Duration::ZERO);
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

    let said = stream::iter([text("so far")]).chain(stream::pending());
    let mut gathering = body(said, Some(Box::pin(tokio::task::yield_now())));
    let last = next(&mut gathering).await.unwrap();
    assert!(last.contains("session was ended"), "{last}");
    assert_eq!(next(&mut gathering).await, None);
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
