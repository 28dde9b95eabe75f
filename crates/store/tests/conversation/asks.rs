//! Tools whose servers ask the person something in the middle of a call.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine::{
    RequestContext,
    ports::{
        Asking, Field, FieldKind, ModelInput, Reply, TextFormat, ToolCall, ToolEvent, ToolSpec,
        ToolStream, Tools, Waiting,
    },
};
use futures::stream;
use protocol::{
    Event, ItemId, ThreadId, ThreadItem,
    item::{StructuredInput, StructuredInputItem, StructuredInputStatus},
};
use serde_json::{Value, json};

use crate::{created, house::*};

/// Tools that ask where to send something, and hear what is answered.
#[derive(Default)]
pub(crate) struct Curious(pub(crate) Arc<Heard>);

#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) calls: Mutex<Vec<String>>,
    pub(crate) replies: Mutex<Vec<Reply>>,
    pub(crate) dropped: Mutex<u32>,
}

/// Counts a call that nobody has answered.
struct Noticed(Arc<Heard>, bool);

impl Drop for Noticed {
    fn drop(&mut self) {
        if !self.1 {
            *lock(&self.0.dropped) += 1;
        }
    }
}

#[async_trait]
impl Tools for Curious {
    async fn list(&self, _context: &RequestContext) -> Vec<ToolSpec> {
        Vec::new()
    }

    async fn call(
        &self,
        _context: &RequestContext,
        call: ToolCall,
        is_approved: bool,
    ) -> ToolStream {
        if call.name == "delete" && !is_approved {
            return Box::pin(stream::iter([ToolEvent::NeedsApproval]));
        }
        lock(&self.0.calls).push(call.name.clone());
        if call.name == "delete" {
            return Box::pin(stream::iter([ToolEvent::done("deleted", false)]));
        }
        let asking = Asking {
            server: "post".to_owned(),
            message: "Where shall it go?".to_owned(),
            fields: vec![Field {
                name: "mail".to_owned(),
                title: Some("Address".to_owned()),
                description: None,
                is_required: true,
                kind: FieldKind::Text {
                    format: Some(TextFormat::Email),
                    shortest: 1,
                    longest: None,
                },
                default: None,
            }],
        };
        let mut noticed = Noticed(Arc::clone(&self.0), false);
        let waiting = Waiting::new(move |reply| {
            noticed.1 = true;
            let output = format!("{reply:?}");
            lock(&noticed.0.replies).push(reply);
            Box::pin(stream::iter([ToolEvent::done(output, false)]))
        });
        Box::pin(stream::iter([ToolEvent::Asks(Box::new(asking), waiting)]))
    }
}

pub(crate) fn answer(thread: &ThreadId, form: &ItemId, words: &str) -> Value {
    json!({"type": "threads.add_structured_input", "params": {
        "thread_id": thread, "item_id": form,
        "input": {"status": "answered", "answers": {"mail": {"values": [words]}}},
    }})
}

pub(crate) fn skip(thread: &ThreadId, form: &ItemId) -> Value {
    json!({"type": "threads.add_structured_input", "params": {
        "thread_id": thread, "item_id": form, "input": {"status": "skipped", "answers": {}},
    }})
}

/// Allows the call that waits for consent.
pub(crate) fn allow(thread: &ThreadId, items: &[ThreadItem]) -> Value {
    let (card, action) = items
        .iter()
        .find_map(|item| {
            let shown = serde_json::to_value(item).ok()?;
            let action = shown["widget"].get("confirm")?["action"].clone();
            Some((item.id().clone(), action))
        })
        .expect("a card");
    json!({"type": "threads.custom_action", "params": {
        "thread_id": thread, "item_id": card,
        "action": {"type": action["type"], "payload": action["payload"]},
    }})
}

fn forms(items: &[ThreadItem]) -> Vec<StructuredInputItem> {
    let form = |item: &ThreadItem| match item {
        ThreadItem::StructuredInput(form) => Some(form.clone()),
        _ => None,
    };
    items.iter().filter_map(form).collect()
}

pub(crate) fn pending(items: &[ThreadItem]) -> Vec<ItemId> {
    let forms = forms(items).into_iter();
    forms
        .filter(|form| form.status == StructuredInputStatus::Pending)
        .map(|form| form.id)
        .collect()
}

/// What the model was told of its calls, when it was asked last.
pub(crate) fn told(house: &House) -> Vec<String> {
    let asked = house.model.asked();
    let input = asked.last().map(|request| request.input.clone());
    let output = |input: ModelInput| match input {
        ModelInput::ToolOutput { output, .. } => Some(output),
        _ => None,
    };
    input
        .unwrap_or_default()
        .into_iter()
        .filter_map(output)
        .collect()
}

/// A conversation in which a tool has asked.
async fn asked(more: Vec<Vec<Step>>) -> (House, Arc<Heard>, ThreadId, ItemId) {
    let tools = Arc::new(Curious::default());
    let heard = Arc::clone(&tools.0);
    let mut answers = vec![vec![Step::Call("send"), Step::Done]];
    answers.extend(more);
    let house = House::new(answers).await.tools(tools);
    let thread = created(&house.turn("ada", create("send it")).await).id;
    let items = house.items("ada", &thread).await;
    let shown = serde_json::to_string(&items).expect("json");
    for words in ["“post” asks you", "Where shall it go?", "Address"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let [form] = &pending(&items)[..] else {
        panic!("one form: {items:?}")
    };
    let form = form.clone();
    (house, heard, thread, form)
}

pub(crate) fn accepted(mail: &str) -> Reply {
    let content = json!({"mail": mail});
    Reply::Accept(content.as_object().expect("an object").clone())
}

#[tokio::test]
async fn a_call_goes_on_with_what_the_person_answers() {
    let (house, heard, thread, form) = asked(vec![vec![Step::Say("Sent."), Step::Done]]).await;
    let request = answer(&thread, &form, "ada@example.com");
    let events = house.turn("ada", request.clone()).await;
    assert_eq!(*lock(&heard.replies), [accepted("ada@example.com")]);
    assert_eq!(*lock(&heard.calls), ["send"], "it was not called anew");
    let told = told(&house);
    assert!(told[0].contains("ada@example.com"), "{told:?}");
    let Some(Event::ItemDone { item }) = events.last() else {
        panic!("an answer: {events:?}")
    };
    assert_eq!(texts(std::slice::from_ref(item)), ["assistant: Sent."]);
    assert!(house.ask("ada", request).await.is_err(), "once");
    assert_eq!(*lock(&heard.dropped), 0);
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_again_and_what_is_skipped_is_declined() {
    let (house, heard, thread, form) = asked(vec![vec![Step::Say("Fine."), Step::Done]]).await;
    house.turn("ada", answer(&thread, &form, "nowhere")).await;
    let items = house.items("ada", &thread).await;
    let [again] = &pending(&items)[..] else {
        panic!("asked again: {items:?}")
    };
    let [_, second] = &forms(&items)[..] else {
        panic!("two forms: {items:?}")
    };
    let StructuredInput::Freeform(question) = &second.inputs[0] else {
        panic!("in words: {second:?}")
    };
    let why = question.description.as_deref().unwrap_or_default();
    assert!(why.contains("“nowhere” does not fit"), "{why}");
    assert!(lock(&heard.replies).is_empty());
    house.turn("ada", skip(&thread, again)).await;
    assert_eq!(*lock(&heard.replies), [Reply::Decline]);
    assert_eq!(told(&house), ["Decline"]);
}

#[tokio::test]
async fn after_a_restart_an_answer_is_kept_and_everybody_hears_that_nothing_waits_for_it() {
    let more = vec![vec![Step::Say("Shall I send it again?"), Step::Done]];
    let (house, _, thread, form) = asked(more).await;
    let house = house.restarted().await;
    let events = house
        .turn("ada", answer(&thread, &form, "ada@example.com"))
        .await;
    let notice = events.iter().find_map(|event| match event {
        Event::Notice(notice) => Some(notice.message.as_str()),
        _ => None,
    });
    let notice = notice.expect("a sentence");
    assert!(notice.contains("does not wait for an answer"), "{notice}");
    let told = told(&house);
    assert!(told[0].contains("stopped waiting"), "{told:?}");
    let items = house.items("ada", &thread).await;
    assert!(pending(&items).is_empty(), "the form is closed");
    let kept = serde_json::to_string(&items).expect("json");
    assert!(kept.contains("ada@example.com"), "nothing is lost");
}

#[tokio::test]
async fn a_message_instead_of_an_answer_cancels_the_call() {
    let more = vec![
        vec![Step::Say("Never mind, then."), Step::Done],
        vec![Step::Say("Too late."), Step::Done],
    ];
    let (house, heard, thread, form) = asked(more).await;
    let message = json!({"type": "threads.add_user_message", "params": {
        "thread_id": thread, "input": input("leave it"),
    }});
    house.turn("ada", message).await;
    assert_eq!(*lock(&heard.dropped), 1);
    assert!(told(&house)[0].contains("they have not answered"));
    let late = house
        .turn("ada", answer(&thread, &form, "ada@example.com"))
        .await;
    assert!(
        late.iter().any(|event| matches!(event, Event::Notice(_))),
        "{late:?}"
    );
    assert!(lock(&heard.replies).is_empty());
}

#[tokio::test]
async fn deleting_the_conversation_cancels_the_call() {
    let (house, heard, thread, _) = asked(Vec::new()).await;
    let delete = json!({"type": "threads.delete", "params": {"thread_id": thread}});
    house.json("ada", delete).await;
    assert_eq!(*lock(&heard.dropped), 1);
}

#[tokio::test]
async fn a_call_that_asks_and_one_that_takes_consent_go_on_together() {
    let tools = Arc::new(Curious::default());
    let heard = Arc::clone(&tools.0);
    let house = House::new([
        vec![Step::Call("send"), Step::Call("delete"), Step::Done],
        vec![Step::Say("Both."), Step::Done],
    ])
    .await
    .tools(tools);
    let thread = created(&house.turn("ada", create("both")).await).id;
    let items = house.items("ada", &thread).await;
    let form = pending(&items).remove(0);
    house
        .turn("ada", answer(&thread, &form, "ada@example.com"))
        .await;
    assert!(lock(&heard.replies).is_empty(), "the other is not decided");
    let items = house.items("ada", &thread).await;
    house.turn("ada", allow(&thread, &items)).await;
    assert_eq!(*lock(&heard.replies), [accepted("ada@example.com")]);
    assert_eq!(*lock(&heard.calls), ["send", "delete"]);
    let told = told(&house);
    assert!(told[0].contains("ada@example.com"), "{told:?}");
    assert_eq!(told[1], "deleted");
}
