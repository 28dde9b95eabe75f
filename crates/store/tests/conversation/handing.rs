//! Calls whose servers have asked the person at one node, and answers that come to another.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engine::ports::{Done, Handed, Reply, Word};
use protocol::{Event, ItemId, RunId, ThreadId, request::ThreadsAddStructuredInput};
use serde_json::Value;

use crate::{
    asks::{Curious, Heard, accepted, allow, answer, pending, skip, told},
    created,
    house::*,
    nodes::{lossily, plainly},
    runs::{add, keyed, last_words},
};

/// A conversation at the first of two nodes, in which tools have been called; one of them asks.
struct Asked {
    first: House,
    second: House,
    heard: Arc<Heard>,
    thread: ThreadId,
    form: ItemId,
}

impl Asked {
    async fn new(calls: Vec<Step>, more: Vec<Vec<Step>>, carry: Carry) -> Self {
        let tools = Arc::new(Curious::default());
        let heard = Arc::clone(&tools.0);
        let answers = std::iter::once(calls).chain(more);
        let house = House::shared(answers, None, carry).await.tools(tools);
        // What attends to others has the tools as well.
        let first = house.beside(carry).await;
        let second = first.beside(carry).await;
        let thread = created(&first.turn("ada", create("send it")).await).id;
        let form = pending(&first.items("ada", &thread).await).remove(0);
        Self {
            first,
            second,
            heard,
            thread,
            form,
        }
    }

    fn replies(&self) -> Vec<Reply> {
        lock(&self.heard.replies).clone()
    }

    fn answer(&self, words: &str) -> Value {
        answer(&self.thread, &self.form, words)
    }
}

fn send() -> Vec<Step> {
    vec![Step::Call("send"), Step::Done]
}

fn says(text: &'static str) -> Vec<Step> {
    vec![Step::Say(text), Step::Done]
}

fn said(events: &[Event]) -> Vec<String> {
    match events.last() {
        Some(Event::ItemDone { item }) => texts(std::slice::from_ref(item)),
        other => panic!("an answer: {other:?}"),
    }
}

#[tokio::test]
async fn a_call_goes_on_with_what_is_answered_at_the_other_node() {
    for carry in [plainly as Carry, lossily] {
        let asked = Asked::new(send(), vec![says("Sent.")], carry).await;
        let request = asked.answer("ada@example.com");
        let reading = asked.second.follow(request.clone(), keyed("k", "body"));
        let mut reading = Reading::of(stream(reading.await));
        let events = reading.rest().await;
        assert_eq!(said(&events), ["assistant: Sent."]);
        assert_eq!(asked.replies(), [accepted("ada@example.com")]);
        assert_eq!(
            *lock(&asked.heard.calls),
            ["send"],
            "it was not called anew"
        );
        assert!(told(&asked.first)[0].contains("ada@example.com"));
        assert_eq!(*lock(&asked.heard.dropped), 0);
        for node in [&asked.first, &asked.second] {
            assert!(node.ask("ada", request.clone()).await.is_err(), "once");
            let again = node.follow(request.clone(), keyed("k", "body")).await;
            assert_eq!(
                said(&Reading::of(stream(again)).rest().await),
                said(&events)
            );
        }
        asked.first.settle().await;
        asked.second.settle().await;
        assert_eq!(asked.second.engine.runs.count(), 0);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_again_and_declined_at_whatever_node() {
    let asked = Asked::new(send(), vec![says("Fine.")], plainly).await;
    asked.second.turn("ada", asked.answer("nowhere")).await;
    let items = asked.second.items("ada", &asked.thread).await;
    let again = pending(&items).remove(0);
    assert_ne!(again, asked.form);
    assert!(asked.replies().is_empty());
    let events = asked.second.turn("ada", skip(&asked.thread, &again)).await;
    assert_eq!(said(&events), ["assistant: Fine."]);
    assert_eq!(asked.replies(), [Reply::Decline]);
}

#[tokio::test]
async fn consent_at_one_node_and_an_answer_at_the_other_go_on_together() {
    let calls = vec![Step::Call("send"), Step::Call("delete"), Step::Done];
    let asked = Asked::new(calls, vec![says("Both.")], plainly).await;
    let request = asked.answer("ada@example.com");
    asked.first.turn("ada", request).await;
    assert!(asked.replies().is_empty(), "the other is not decided");
    let items = asked.first.items("ada", &asked.thread).await;
    let events = asked.second.turn("ada", allow(&asked.thread, &items)).await;
    assert_eq!(said(&events), ["assistant: Both."]);
    assert_eq!(asked.replies(), [accepted("ada@example.com")]);
    assert_eq!(*lock(&asked.heard.calls), ["send", "delete"]);
}

fn is_told_that_nothing_waits(events: &[Event]) -> bool {
    events.iter().any(|event| match event {
        Event::Notice(notice) => notice.message.contains("does not wait for an answer"),
        _ => false,
    })
}

#[tokio::test]
async fn a_message_at_the_other_node_passes_the_call_over() {
    let more = vec![says("Never mind, then."), says("Too late.")];
    let asked = Asked::new(send(), more, plainly).await;
    let message = add(&asked.thread, "leave it");
    asked.second.turn("ada", message).await;
    let events = asked.second.turn("ada", asked.answer("ada@example.com"));
    let events = events.await;
    assert!(is_told_that_nothing_waits(&events), "{events:?}");
    assert!(asked.replies().is_empty());
    assert_eq!(*lock(&asked.heard.dropped), 1, "it is cancelled");
}

#[tokio::test]
async fn an_answer_whose_call_waited_at_a_node_that_is_gone_is_kept_and_the_person_is_told() {
    let mut asked = Asked::new(send(), vec![says("Shall I send it again?")], plainly).await;
    // It does not answer, and its lease has not ended.
    asked.first.attending = None;
    let begun = Instant::now();
    let events = asked.second.turn("ada", asked.answer("ada@example.com"));
    let events = events.await;
    assert!(is_told_that_nothing_waits(&events), "{events:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{begun:?}");
    let kept = asked.second.items("ada", &asked.thread).await;
    let kept = serde_json::to_string(&kept).expect("json");
    assert!(kept.contains("ada@example.com"), "nothing is lost");
}

#[tokio::test]
async fn nobody_answers_for_somebody_else() {
    let asked = Asked::new(send(), vec![says("Sent.")], plainly).await;
    let request = asked.answer("eve@example.com");
    assert!(asked.second.ask("eve", request).await.is_err());
    // Not even a node that says so.
    let peers = asked.second.peers();
    let others = peers.others().await;
    let records = asked.first.items("ada", &asked.thread).await;
    let answered: ThreadsAddStructuredInput =
        serde_json::from_value(asked.answer("eve@example.com")["params"].clone()).unwrap();
    for node in others {
        let handed = Handed {
            run: RunId::mint(77),
            owner: "https://id.test eve".to_owned(),
            calls: records.iter().map(|item| item.id().clone()).collect(),
            done: Done::Form(answered.clone()),
            key: None,
        };
        peers.say(node, Word::Hand(Box::new(handed))).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(asked.replies().is_empty());
    assert_eq!(*lock(&asked.heard.dropped), 0, "it waits");
}

#[tokio::test]
async fn stop_at_the_other_node_stops_what_goes_on() {
    let more = vec![vec![Step::Say("Well"), Step::Hang]];
    let asked = Asked::new(send(), more, plainly).await;
    let request = asked.answer("ada@example.com");
    let mut reading = asked.second.read(request).await;
    while !matches!(reading.next().await, Some(Event::ItemUpdated { .. })) {}
    let stop = crate::runs::cancel(&asked.thread, None);
    asked.second.json("ada", stop).await;
    assert!(last_words(&reading.rest().await).contains("stopped"));
}
