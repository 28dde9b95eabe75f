//! Two nodes over one PostgreSQL: a conversation is the same at either.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engine::{
    Answer, Busy, Error,
    ports::{Node, Peers, Word},
};
use futures::stream::BoxStream;
use protocol::{Event, ItemUpdate};
use serde_json::json;
use testkit::services::Redis;

use crate::{house::*, runs::*};

/// Nothing stands between them.
pub(crate) fn plainly(peers: Arc<dyn Peers>) -> Arc<dyn Peers> {
    peers
}

async fn two(answers: Vec<Vec<Step>>, carry: Carry) -> (House, House) {
    let first = House::shared(answers, None, carry).await;
    let second = first.beside(carry).await;
    (first, second)
}

/// All text of the answer that a reader has read.
fn text(events: &[Event]) -> String {
    let mut whole = String::new();
    for event in events {
        match event {
            Event::ItemUpdated {
                update: ItemUpdate::TextDelta { delta, .. },
                ..
            } => whole.push_str(delta),
            Event::ItemDone {
                item: protocol::ThreadItem::AssistantMessage(message),
            } => whole = message.content.iter().map(|part| &*part.text).collect(),
            _ => {}
        }
    }
    whole
}

fn slowly(count: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..count {
        steps.extend([Step::Say("word "), Step::Pause(20)]);
    }
    steps.push(Step::Done);
    steps
}

/// The same with a Redis between them, which can be taken away.
async fn two_with_redis(answers: Vec<Vec<Step>>) -> (House, House, Redis) {
    let redis = Redis::start().await.unwrap();
    let first = House::shared(answers, Some(redis.url()), plainly).await;
    let second = first.beside(plainly).await;
    (first, second, redis)
}

#[tokio::test]
async fn an_answer_is_read_at_the_other_node_from_its_beginning_and_from_its_middle() {
    let (first, second) = two(vec![slowly(60)], plainly).await;
    read_elsewhere(&first, &second).await;
}

#[tokio::test]
async fn so_it_is_with_redis() {
    let (first, second, _redis) = two_with_redis(vec![slowly(60)]).await;
    read_elsewhere(&first, &second).await;
}

#[tokio::test]
async fn an_answer_that_is_read_elsewhere_goes_on_there_when_redis_ends() {
    let (first, second, redis) = two_with_redis(vec![slowly(100), say("next")]).await;
    let (thread, mut here) = first.hanging().await;
    let mut there = second.read(resume(&thread, None)).await;
    for _ in 0..10 {
        there.next().await;
    }
    drop(redis);
    let (_, there) = tokio::join!(here.rest(), there.rest());
    assert_eq!(text(&there), "word ".repeat(100));
    let mut next = second.read(add(&thread, "two")).await;
    assert_eq!(text(&next.rest().await), "next");
}

async fn read_elsewhere(first: &House, second: &House) {
    let (thread, mut here) = first.hanging().await;

    let get = json!({"type": "threads.get_by_id", "params": {"thread_id": thread}});
    let Answer::Thread(loaded) = second.json("ada", get).await else {
        panic!("expected a thread")
    };
    assert_eq!(loaded.run, Some(here.run_id()), "it says that one lives");

    let mut there = second.read(resume(&thread, None)).await;
    assert_eq!(there.run_id(), here.run_id());
    let cursor = format!("{}:20", here.run_id());
    let mut middle = second.read(resume(&thread, Some(&cursor))).await;
    let (here, there, middle) = tokio::join!(here.rest(), there.rest(), middle.rest());
    let whole = "word ".repeat(60);
    assert_eq!(text(&there), whole);
    assert_eq!(text(&here), whole);
    assert_eq!(text(&middle), whole);
    // Whoever begins in the middle is told nothing of what was before.
    assert!(
        !middle
            .iter()
            .any(|event| matches!(event, Event::ThreadCreated { .. }))
    );
    assert_eq!(here.last(), there.last());
    first.settle().await;
    second.settle().await;
    let none = second.ask("ada", resume(&thread, None)).await;
    assert!(matches!(none, Err(Error::NoRun)), "it has ended");
}

/// Its last words come at once, and right after them it is said whole.
#[tokio::test]
async fn a_long_answer_is_read_at_the_other_node_to_its_last_word() {
    const WORD: &str = "a word of forty letters, and some more. ";
    let mut steps = vec![Step::Say(WORD)];
    for _ in 0..60 {
        steps.extend([WORD; 10].map(Step::Say));
        steps.push(Step::Pause(10));
    }
    steps.extend([WORD; 10].map(Step::Say));
    steps.push(Step::Done);
    let (first, second) = two(vec![steps], plainly).await;
    let (thread, mut here) = first.hanging().await;
    let mut there = second.read(resume(&thread, None)).await;
    let (_, there) = tokio::join!(here.rest(), there.rest());
    let deltas = there.iter().filter_map(|event| match event {
        Event::ItemUpdated {
            update: ItemUpdate::TextDelta { delta, .. },
            ..
        } => Some(&**delta),
        _ => None,
    });
    assert_eq!(deltas.collect::<String>(), WORD.repeat(611));
}

#[tokio::test]
async fn nobody_else_reads_it_at_either_node() {
    let (first, second) = two(vec![hang("secret")], plainly).await;
    let (thread, _here) = first.hanging().await;
    for request in [resume(&thread, None), cancel(&thread, None)] {
        let refused = second.ask("grace", request).await;
        assert!(matches!(refused, Err(Error::NotFound)));
    }
}

#[tokio::test]
async fn stop_at_the_other_node_stops_it() {
    let (first, second) = two(vec![hang("so far")], plainly).await;
    let (thread, mut here) = first.hanging().await;
    let begun = Instant::now();
    second.json("ada", cancel(&thread, None)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "it waits for the end"
    );
    let words = last_words(&here.rest().await);
    assert!(words.contains("stopped"), "{words}");
    assert_eq!(first.engine.runs.count(), 0);
}

#[tokio::test]
async fn a_message_at_the_other_node_waits_for_the_answer_and_is_answered_there() {
    let answers = vec![slowly(30), say("second answer")];
    let (first, second) = two(answers, plainly).await;
    let (thread, mut here) = first.hanging().await;
    let mut there = second.read(add(&thread, "two")).await;
    assert!(there.queued().is_some(), "it is kept, and waits");
    let (_, there) = tokio::join!(here.rest(), there.rest());
    assert_eq!(text(&there), "second answer");
    let long = format!("assistant: {}", "word ".repeat(30));
    assert_eq!(
        first.shown(&thread).await,
        ["user: one", &long, "user: two", "assistant: second answer"]
    );
}

#[tokio::test]
async fn messages_at_both_nodes_are_answered_one_after_the_other_and_each_once() {
    let answers = (0..9).map(|_| slowly(3)).collect();
    let (first, second) = two(answers, plainly).await;
    let thread = crate::created(&first.turn("ada", create("zero")).await).id;
    let mut readings = Vec::new();
    for number in 0..8 {
        let node = [&first, &second][number % 2];
        readings.push(node.read(add(&thread, &format!("m{number}"))).await);
    }
    for mut reading in readings {
        assert_eq!(text(&reading.rest().await), "word word word ");
    }
    let shown = first.shown(&thread).await;
    assert_eq!(shown.len(), 18, "{shown:?}");
    for pair in shown.chunks(2) {
        assert!(pair[0].starts_with("user: "), "{shown:?}");
        assert_eq!(pair[1], "assistant: word word word ");
    }
    // Each was acknowledged before the next one was sent.
    let said: Vec<_> = shown.iter().step_by(2).skip(1).cloned().collect();
    let expected: Vec<_> = (0..8).map(|number| format!("user: m{number}")).collect();
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_message_at_the_other_node_interrupts_or_is_refused_where_the_workflow_says_so() {
    let (first, second) = two(vec![hang("never ends"), say("at once")], plainly).await;
    let (thread, mut here) = first.hanging().await;
    let second = second.busy(Busy::Reject);
    let refused = second.ask("ada", add(&thread, "two")).await;
    assert!(matches!(refused, Err(Error::ThreadBusy(_))));
    let second = second.busy(Busy::Interrupt);
    let mut there = second.read(add(&thread, "three")).await;
    let (here, there) = tokio::join!(here.rest(), there.rest());
    assert!(!last_words(&here).is_empty());
    assert_eq!(text(&there), "at once");
    assert_eq!(
        first.shown(&thread).await.last().unwrap(),
        "assistant: at once"
    );
}

/// Loses one word of three, and says one of three twice.
struct Lossy {
    peers: Arc<dyn Peers>,
    said: AtomicU64,
}

pub(crate) fn lossily(peers: Arc<dyn Peers>) -> Arc<dyn Peers> {
    Arc::new(Lossy {
        peers,
        said: AtomicU64::new(0),
    })
}

#[async_trait]
impl Peers for Lossy {
    async fn say(&self, to: Node, word: Word) {
        let times = self.said.fetch_add(1, Ordering::Relaxed) % 3;
        for _ in 0..times {
            self.peers.say(to, word.clone()).await;
        }
    }

    async fn others(&self) -> Vec<Node> {
        self.peers.others().await
    }

    async fn hear(&self) -> BoxStream<'static, (Node, Word)> {
        self.peers.hear().await
    }
}

#[tokio::test]
async fn every_letter_is_read_once_whatever_is_lost_between_the_nodes() {
    let (first, second) = two(vec![slowly(150)], lossily).await;
    let (thread, mut here) = first.hanging().await;
    let mut there = second.read(resume(&thread, None)).await;
    let mut deltas = String::new();
    let mut whole = None;
    while let Some(event) = there.next().await {
        match &event {
            Event::ItemUpdated {
                update: ItemUpdate::TextDelta { delta, .. },
                ..
            } => deltas.push_str(delta),
            Event::ItemDone { .. } => whole = Some(text(std::slice::from_ref(&event))),
            _ => {}
        }
    }
    here.rest().await;
    assert_eq!(whole.unwrap(), "word ".repeat(150));
    // What was not told before the message was done is told with it, and nothing is told twice.
    assert!("word ".repeat(150).starts_with(&deltas), "{deltas}");
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_overtaken_before_its_lease_has_ended() {
    let (mut first, second) = two(vec![hang("and then"), say("here instead")], plainly).await;
    let (thread, _here) = first.hanging().await;
    first.attending = None;
    let begun = Instant::now();
    let mut there = second.read(add(&thread, "still there?")).await;
    assert!(there.queued().is_some());
    assert_eq!(text(&there.rest().await), "here instead");
    let taken = begun.elapsed();
    assert!(taken > Duration::from_secs(4), "{taken:?}");
    assert!(taken < Duration::from_secs(12), "{taken:?}");
}

/// Somebody who comes back at another node while the first does not answer. Nothing of the run is known there, and its
/// reader has come further than to its beginning.
async fn comes_back() -> (House, House, Reading) {
    let (mut first, second) = two(vec![hang("and then")], plainly).await;
    let (thread, here) = first.hanging().await;
    first.attending = None;
    let cursor = format!("{}:5", here.run_id());
    let there = second.read(resume(&thread, Some(&cursor))).await;
    (first, second, there)
}

#[tokio::test]
async fn whoever_comes_back_at_another_node_is_told_in_words_that_the_first_is_gone() {
    let (_first, _second, mut there) = comes_back().await;
    assert!(!last_words(&there.rest().await).is_empty());
}

#[tokio::test]
async fn so_is_whoever_came_back_at_a_node_that_ends() {
    let (_first, second, mut there) = comes_back().await;
    second.engine.runs.shut_down();
    let words = last_words(&there.rest().await);
    assert!(words.contains("restart"), "{words}");
}

#[tokio::test]
async fn a_position_that_the_run_never_had_is_answered_in_words() {
    let (first, second) = two(vec![slowly(10)], plainly).await;
    let (thread, mut here) = first.hanging().await;
    let cursor = format!("{}:100000", here.run_id());
    let mut there = second.read(resume(&thread, Some(&cursor))).await;
    let (_, there) = tokio::join!(here.rest(), there.rest());
    assert!(!last_words(&there).is_empty());
}

#[tokio::test]
async fn a_message_that_waited_at_a_node_that_is_gone_is_answered_before_later_ones() {
    let answers = vec![slowly(20), say("first"), say("second")];
    let (first, second) = two(answers, plainly).await;
    let (thread, mut here) = first.hanging().await;
    // As a node leaves it that is gone: in the queue of the store, and nowhere else.
    let waits = second.beside(plainly).await;
    let lost = waits.read(add(&thread, "two")).await;
    assert!(lost.queued().is_some());
    waits.engine.runs.shut_down();
    let mut there = second.read(add(&thread, "three")).await;
    let (_, there) = tokio::join!(here.rest(), there.rest());
    assert_eq!(text(&there), "second");
    assert_eq!(
        first.shown(&thread).await[2..],
        [
            "user: two",
            "assistant: first",
            "user: three",
            "assistant: second"
        ]
    );
}
