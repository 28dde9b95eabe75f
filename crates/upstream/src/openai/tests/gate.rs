//! So many questions at once, the others in their order, and a place that always comes back.

use futures::FutureExt as _;

use super::*;

fn gated(base_url: &str, places: usize, waiting: usize, patience: Duration) -> ProviderConfig {
    ProviderConfig {
        gate: Some(Gate::new(places, waiting, patience)),
        ..config(base_url)
    }
}

const LONG: Duration = Duration::from_mins(5);

#[tokio::test]
async fn questions_beyond_the_places_wait_and_those_beyond_the_queue_are_told_so() {
    let model = FakeModel::scripted([]).await.unwrap();
    let config = gated(&model.base_url(), 1, 1, LONG);
    // Both are the same model: they share its places.
    let [(_, first), (_, second)] = models(&config);
    model.push(Reply::text(["one"]).and_hold());
    let mut held = first.respond(simple_request("1")).await.unwrap();
    let mut waits = Box::pin(second.respond(simple_request("2")));
    assert!(waits.as_mut().now_or_never().is_none());
    let refused = first.respond(simple_request("3")).await.err().unwrap();
    assert!(matches!(refused, ModelError::RateLimited(_)), "{refused:?}");
    assert!(is_busy(&refused));
    assert_eq!(model.requests().len(), 1, "who waits has not asked");

    // The end of an answer frees its place, though nobody has dropped it.
    model.push(Reply::text(["two"]));
    model.release();
    while let Some(event) = held.next().await {
        if matches!(event.unwrap(), ModelEvent::Completed { .. }) {
            break;
        }
    }
    drop(waits.await.unwrap());
    // And so does dropping it, before its end.
    model.push(Reply::text(["three"]));
    assert_eq!(answer(&*first, simple_request("4")).await[0], "three");
}

#[tokio::test]
async fn a_failure_frees_the_place_and_so_does_who_gives_up_waiting() {
    let model = FakeModel::scripted([]).await.unwrap();
    let [_, (_, provider)] = models(&gated(&model.base_url(), 1, 1, LONG));
    for failure in [
        Reply::http_error(500, "server_error", "boom"),
        Reply::text(["Hel"]).broken(),
        Reply::text(["Hel"]).failed("server_error", "boom"),
    ] {
        model.push(failure);
        answer(&*provider, simple_request("hi")).await;
    }
    model.push(Reply::text(["one"]).and_hold());
    let held = provider.respond(simple_request("1")).await.unwrap();
    for _ in 0..3 {
        // Each has a place in the queue, because the one before has left it.
        let mut waits = Box::pin(provider.respond(simple_request("2")));
        assert!(waits.as_mut().now_or_never().is_none());
    }
    drop(held);
    model.push(Reply::text(["two"]));
    assert_eq!(answer(&*provider, simple_request("3")).await[0], "two");
}

#[tokio::test]
async fn who_waits_is_asked_in_order_and_told_when_it_takes_too_long() {
    let model = FakeModel::scripted([]).await.unwrap();
    let [_, (_, provider)] = models(&gated(&model.base_url(), 1, 8, LONG));
    model.push(Reply::text(["x"]).and_hold());
    let held = provider.respond(simple_request("first")).await.unwrap();
    let mut waiting = Vec::new();
    for number in 0..3 {
        model.push(Reply::text(["y"]));
        let mut waits = provider.respond(simple_request(&number.to_string()));
        assert!(waits.as_mut().now_or_never().is_none());
        waiting.push(waits);
    }
    drop(held);
    // Asked for in another order than they came.
    waiting.reverse();
    let answers = waiting
        .into_iter()
        .map(|waits| async { drop(waits.await.unwrap()) });
    futures::future::join_all(answers).await;
    let said: Vec<_> = model.requests()[1..]
        .iter()
        .map(|request| request.last_text("user").unwrap())
        .collect();
    assert_eq!(said, ["0", "1", "2"]);

    let [_, (_, hasty)] = models(&gated(&model.base_url(), 1, 8, Duration::from_millis(20)));
    model.push(Reply::text(["x"]).and_hold());
    let _held = hasty.respond(simple_request("1")).await.unwrap();
    let late = hasty.respond(simple_request("2")).await.err().unwrap();
    assert!(is_busy(&late), "{late:?}");
}
