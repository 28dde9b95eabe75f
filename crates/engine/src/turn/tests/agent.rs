//! Turns that an agent of the application's own answers.

use protocol::{ThreadPatch, item::AssistantMessageItem};
use serde_json::{Value, json};

use super::*;
use crate::ports::AgentCall;

fn start_of(call: AgentCall, items: Vec<ThreadItem>) -> Start {
    Start {
        question: Question::Agent(Box::new(AgentRequest {
            call,
            thread: Some(thread()),
            items,
        })),
        is_new: false,
        ..start(Titles::Off)
    }
}

fn responds() -> Play {
    Play::of(start_of(AgentCall::Respond { item: None }, Vec::new()))
}

/// Events as an agent writes them: under names and times of its own.
fn says(mut play: Play, events: &[Value]) -> Play {
    for event in events {
        let event = serde_json::from_value(event.clone()).expect("an event");
        play = play.on(Input::Agent(AgentEvent::Said(Box::new(event))));
    }
    play
}

fn item(kind: &str, id: &str, fields: &Value) -> Value {
    let mut item = json!({"type": kind, "id": id, "thread_id": "thr_of_the_agent",
        "created_at": "2026-11-23T12:00:00.123456"});
    for (name, value) in fields.as_object().expect("fields") {
        item[name] = value.clone();
    }
    item
}

fn message(id: &str, text: &str) -> Value {
    let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
    let content = if text.is_empty() { json!([]) } else { content };
    item("assistant_message", id, &json!({"content": content}))
}

fn delta(id: &str, text: &str) -> Value {
    json!({"type": "thread.item.updated", "item_id": id, "update": {
        "type": "assistant_message.content_part.text_delta", "content_index": 0, "delta": text}})
}

fn added(item: &Value) -> Value {
    json!({"type": "thread.item.added", "item": item})
}

fn done(item: &Value) -> Value {
    json!({"type": "thread.item.done", "item": item})
}

fn texts(play: &Play) -> Vec<String> {
    let items = play.saved().into_iter();
    items
        .filter_map(|item| match item {
            ThreadItem::AssistantMessage(message) => Some(message.content[0].text.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn items_are_kept_under_our_names_before_they_are_called_done() {
    let play = says(
        responds(),
        &[
            added(&message("__fake_id__", "")),
            delta("__fake_id__", "Hel"),
            delta("__fake_id__", "lo"),
            done(&message("__fake_id__", "Hello")),
            // Some name all their items alike.
            done(&message("__fake_id__", "Again")),
        ],
    )
    .on(Input::AgentEnded);
    assert_eq!(
        play.line(),
        "options ask-agent added delta delta save[assistant_message] done \
         save[assistant_message] done save[+end] end"
    );
    assert_eq!(texts(&play), ["Hello", "Again"]);
    let saved = play.saved();
    assert_ne!(saved[0].id(), saved[1].id());
    for item in saved {
        assert_eq!(*item.thread_id(), thread().id);
        assert_eq!(item.created_at(), thread().created_at);
        assert_ne!(item.id().as_ref(), "__fake_id__");
    }
}

#[test]
fn what_stands_in_the_thread_can_be_replaced_and_removed_and_nothing_else() {
    let old = AssistantMessageItem {
        id: ItemId::mint(3),
        thread_id: thread().id,
        created_at: thread().created_at,
        content: Vec::new(),
    };
    let id = old.id.to_string();
    let call = AgentCall::Respond { item: None };
    let play = says(
        Play::of(start_of(call, vec![old.into()])),
        &[
            json!({"type": "thread.item.replaced", "item": message(&id, "New")}),
            json!({"type": "thread.item.replaced", "item": message("of_another", "no")}),
            json!({"type": "thread.item.removed", "item_id": id}),
            json!({"type": "thread.item.removed", "item_id": "of_another"}),
            delta("of_another", "no"),
        ],
    )
    .on(Input::AgentEnded);
    assert_eq!(
        play.line(),
        "options ask-agent save[assistant_message] other removed save[] save[+end] end"
    );
    assert_eq!(*play.saved()[0].id(), ItemId::mint(3));
}

/// A widget with one word in it, whose word may grow.
fn card(id: &str, word: &str) -> Value {
    item(
        "widget",
        id,
        &json!({"widget": {"type": "Card", "children": [{"type": "Text", "id": "t", "value": word}]}}),
    )
}

fn redrawn(id: &str, word: &str) -> Value {
    let widget = card(id, word)["widget"].clone();
    json!({"type": "thread.item.updated", "item_id": id,
        "update": {"type": "widget.root.updated", "widget": widget}})
}

#[test]
fn a_widget_that_stands_changes_for_good_and_is_not_done_again() {
    let old: ThreadItem = serde_json::from_value(card("w_old", "Old")).expect("a widget");
    let call = AgentCall::Action {
        action: serde_json::from_value(json!({"type": "press"})).expect("an action"),
        sender: Some(old),
    };
    let play = says(
        Play::of(start_of(call, Vec::new())),
        &[
            redrawn("w_old", "New"),
            done(&card("w_own", "Own")),
            redrawn("w_own", "Mine"),
        ],
    )
    .on(Input::AgentEnded);
    assert_eq!(
        play.line(),
        "options ask-agent other-update save[widget,widget] done other-update save[widget,widget+end] end"
    );
    let words: Vec<Value> = play
        .saved()
        .iter()
        .map(|item| {
            serde_json::to_value(item).expect("JSON")["widget"]["children"][0]["value"].clone()
        })
        .collect();
    assert_eq!(words, ["New", "Mine"]);
}

#[test]
fn a_patch_is_an_answer() {
    let mut play = responds();
    let patch = ThreadPatch {
        title: Some("Named".to_owned()),
        ..ThreadPatch::default()
    };
    play = play
        .on(Input::Agent(AgentEvent::Patch(patch)))
        .on(Input::AgentEnded);
    assert!(!play.line().contains("error"), "{}", play.line());
    let nothing = responds()
        .on(Input::Agent(AgentEvent::Patch(ThreadPatch::default())))
        .on(Input::AgentEnded);
    assert!(nothing.line().contains("error"), "{}", nothing.line());
}

#[test]
fn people_speak_for_themselves() {
    let theirs = item(
        "user_message",
        "u",
        &json!({"content": [], "attachments": [], "inference_options": {}}),
    );
    let play = says(responds(), &[done(&theirs), done(&message("m", "Hi"))]).on(Input::AgentEnded);
    assert_eq!(texts(&play), ["Hi"]);
    assert_eq!(play.saved().len(), 1);
}

#[test]
fn a_patch_changes_the_thread_and_is_told() {
    let patch = ThreadPatch {
        title: Some("Milk".to_owned()),
        status: Some(ThreadStatus::Locked { reason: None }),
        ..ThreadPatch::default()
    };
    let play = responds().on(Input::Agent(AgentEvent::Patch(patch.clone())));
    let play = says(play, &[done(&message("m", "Hi"))]).on(Input::AgentEnded);
    assert_eq!(
        play.line(),
        "options ask-agent save[] thread save[assistant_message] done save[+end] end"
    );
    let saved = play.effects.iter().find_map(|effect| match effect {
        Effect::Save(change) => Some(&change.patch),
        _ => None,
    });
    assert_eq!(saved, Some(&patch));
}

#[test]
fn a_cut_keeps_what_was_said_and_drops_what_is_half_made() {
    let card = item(
        "widget",
        "w",
        &json!({"widget": {"type": "Card", "children": []}}),
    );
    let play = says(
        responds(),
        &[
            added(&message("m", "")),
            delta("m", "half"),
            added(&card),
            added(&message("blank", "")),
        ],
    )
    .on(Input::Cancelled(Why::Stopped));
    assert_eq!(texts(&play), ["half"]);
    assert!(
        play.line().ends_with(
            "removed removed part-done save[assistant_message,sdk_hidden_context+end] done notice end"
        ),
        "{}",
        play.line()
    );
}

#[test]
fn what_goes_on_inside_is_passed_on_as_it_comes() {
    let play = says(
        responds(),
        &[
            json!({"type": "stream_options", "stream_options": {"allow_cancel": false}}),
            json!({"type": "progress_update", "text": "Looking…"}),
            json!({"type": "client_effect", "name": "paint", "data": {"colour": "red"}}),
            json!({"type": "notice", "level": "info", "message": "Hm."}),
        ],
    )
    .on(Input::AgentEnded);
    assert_eq!(
        play.line(),
        "options ask-agent options progress other notice save[+end] end"
    );
}

#[test]
fn silence_and_failure_end_in_words() {
    let silent = responds().on(Input::AgentEnded);
    assert!(silent.line().ends_with("save[+end] error end"));
    let own = says(
        responds(),
        &[
            added(&message("m", "")),
            delta("m", "half"),
            json!({"type": "error", "code": "custom", "message": "My own words.", "allow_retry": false}),
        ],
    );
    assert_eq!(texts(&own), ["half"]);
    let error = own.error().expect("an error");
    assert_eq!(error.message.as_deref(), Some("My own words."));
    for (failure, retry) in [
        (AgentError::Unavailable("x".into()), true),
        (AgentError::Refused("x".into()), false),
        (AgentError::TimedOut, true),
        (AgentError::Malformed("x".into()), true),
    ] {
        let play = responds().on(Input::AgentFailed(failure));
        assert_eq!(play.error().expect("an error").allow_retry, retry);
    }
    // A click may come to nothing that is told.
    let action = serde_json::from_value(json!({"type": "count"})).expect("an action");
    let call = AgentCall::Action {
        action,
        sender: None,
    };
    let quiet = Play::of(start_of(call, Vec::new())).on(Input::AgentEnded);
    assert_eq!(quiet.line(), "options ask-agent save[+end] end");
}

#[test]
fn an_answer_and_the_number_of_items_are_bounded() {
    let long = says(
        responds(),
        &[added(&message("m", "")), delta("m", &"x".repeat(65))],
    );
    assert!(long.error().expect("an error").message.is_some());
    let mut many = responds();
    for _ in 0..600 {
        many = says(many, &[done(&message("m", "Hi"))]);
    }
    assert_eq!(many.saved().len(), 500);
}
