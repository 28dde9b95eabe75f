//! The order in which messages are answered, where the line in memory and the queue in the store differ.

use engine::Owner;
use protocol::{
    Event, ItemId, ThreadId, ThreadItem, Timestamp,
    item::{InferenceOptions, UserContent, UserMessageItem},
};

use crate::house::*;
use crate::runs::{add, cancel, hang, resume, say};

/// A message that a former process left in the queue.
async fn leave(house: &House, thread: &ThreadId, number: u128, text: &str) {
    let message: ThreadItem = UserMessageItem {
        id: ItemId::mint(number),
        thread_id: thread.clone(),
        created_at: "2026-11-29T12:00:00Z".parse::<Timestamp>().unwrap(),
        content: vec![UserContent::Text {
            text: text.to_owned(),
        }],
        attachments: Vec::new(),
        quoted_text: None,
        inference_options: InferenceOptions::default(),
    }
    .into();
    let owner = Owner::new("https://id.test ada");
    let queued = house
        .engine
        .store
        .enqueue(&owner, thread, &message, None, 8);
    queued.await.expect("a place");
}

fn answered(messages: &[&str]) -> Vec<String> {
    let shown = messages
        .iter()
        .map(|text| [format!("user: {text}"), "assistant: so".to_owned()]);
    shown.flatten().collect()
}

/// A message may be left in the queue with nobody waiting for it: its answer could not begin when its turn came.
#[tokio::test]
async fn a_message_that_nobody_waits_with_is_answered_before_a_later_one() {
    let house = House::new([hang("half"), say("so"), say("so"), say("so")]).await;
    let (thread, mut first) = house.hanging().await;
    leave(&house, &thread, 1000, "two").await;
    let mut three = house.read(add(&thread, "three")).await;
    leave(&house, &thread, 1001, "four").await;
    house.json("ada", cancel(&thread, None)).await;
    first.rest().await;
    let events = three.rest().await;
    assert!(matches!(events.last(), Some(Event::ItemDone { .. })));
    assert_eq!(house.shown(&thread).await[2..], answered(&["two", "three"]));
    // Nobody has it answered until somebody comes.
    house.read(resume(&thread, None)).await.rest().await;
    assert_eq!(
        house.shown(&thread).await[2..],
        answered(&["two", "three", "four"])
    );
}
