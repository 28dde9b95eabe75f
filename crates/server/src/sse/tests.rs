//! What a body sends of what its reader gets, and what it adds.

use axum::body::to_bytes;
use futures::{StreamExt, stream};
use http_body::Body as _;

use super::*;
use crate::error::ErrorReport;

fn body(
    frames: impl Stream<Item = Bytes> + Send + 'static,
    revoked: Option<BoxFuture<'static, ()>>,
) -> Body {
    EventStream {
        frames,
        keep_alive: Duration::from_secs(15),
        revoked,
        language: Language::English,
    }
    .into_response()
    .into_body()
}

async fn next(body: &mut Body) -> Option<String> {
    let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    let data = frame.unwrap().into_data().unwrap();
    Some(String::from_utf8(data.to_vec()).unwrap())
}

fn said(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn frames_leave_as_they_come_and_the_end_is_the_end() {
    let mut body = body(stream::iter([said("one"), said("two")]), None);
    assert!(!body.is_end_stream());
    assert_eq!(next(&mut body).await.as_deref(), Some("one"));
    assert_eq!(next(&mut body).await.as_deref(), Some("two"));
    assert_eq!(next(&mut body).await, None);
    assert!(body.is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_comments_until_something_is_said() {
    let (send, receive) = futures::channel::mpsc::unbounded();
    let mut body = body(receive, None);
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(next(&mut body).await.unwrap(), ": keep-alive\n\n");
        assert_eq!(begun.elapsed().as_secs(), 15);
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    send.unbounded_send(said("late")).unwrap();
    assert_eq!(next(&mut body).await.unwrap(), "late");
    let begun = Instant::now();
    assert_eq!(next(&mut body).await.unwrap(), ": keep-alive\n\n");
    assert_eq!(begun.elapsed().as_secs(), 15, "counted from the last word");
    drop(send);
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

    let busy = stream::repeat(said("more"));
    let mut busy = body(busy, Some(Box::pin(std::future::ready(()))));
    assert!(next(&mut busy).await.unwrap().contains("session was ended"));
    assert_eq!(next(&mut busy).await, None);

    let first = stream::iter([said("so far")]).chain(stream::pending());
    let mut first = body(first, Some(Box::pin(tokio::task::yield_now())));
    assert_eq!(next(&mut first).await.unwrap(), "so far");
    assert!(
        next(&mut first)
            .await
            .unwrap()
            .contains("session was ended")
    );
}

#[tokio::test]
async fn what_is_said_in_a_stream_is_said_in_the_readers_language() {
    let never = stream::pending();
    let mut ended = EventStream {
        frames: never,
        keep_alive: Duration::from_secs(15),
        revoked: Some(Box::pin(std::future::ready(()))),
        language: Language::Japanese,
    }
    .into_response()
    .into_body();
    let last = next(&mut ended).await.unwrap();
    assert!(
        last.contains("このチャットのセッションは終了しました"),
        "{last}"
    );

    let error = ApiError::internal("secret detail");
    let response = failed(error, Language::German);
    let report = response.extensions().get::<ErrorReport>().unwrap();
    assert!(
        report
            .message
            .to_string()
            .starts_with("the server had an error"),
        "the log speaks English"
    );
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        text.contains("ist auf dem Server ein Fehler aufgetreten"),
        "{text}"
    );
}

#[tokio::test]
async fn a_failure_before_the_stream_is_a_stream_of_one_error_event() {
    let response = failed(ApiError::internal("secret detail"), Language::English);
    assert_eq!(response.status(), 200);
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.starts_with("data: {\"type\":\"error\""), "{text}");
    assert!(!text.contains("secret detail"), "{text}");
}
