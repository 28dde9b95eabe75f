//! The hosted API's items: each golden item of a thread (`item/NAME.json`) and how the API shows it
//! (`hosted_item/NAME.json`), both ways.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ThreadItem, hosted};
use serde_json::{Value, json};

use crate::golden::golden_files;

/// Stored items by file name, each with its hosted form where there is one.
fn pairs() -> BTreeMap<String, (Value, Option<Value>)> {
    let mut pairs = BTreeMap::new();
    let mut shown = BTreeMap::new();
    for file in golden_files() {
        let name = file.name.rsplit('/').next().expect("a name").to_owned();
        match file.kind.as_str() {
            "item" => drop(pairs.insert(name, (file.value, None))),
            "hosted_item" => drop(shown.insert(name, file.value)),
            _ => {}
        }
    }
    for (name, value) in shown {
        let pair = pairs.get_mut(&name).expect("an item of the same name");
        pair.1 = Some(value);
    }
    pairs
}

/// JSON inside of a string, as a value: the order of its keys says nothing.
fn unfolded(mut item: Value) -> Value {
    for name in ["widget", "arguments", "output"] {
        if let Some(text) = item[name].as_str() {
            item[name] = text.parse().expect("JSON in a string");
        }
    }
    item
}

#[test]
fn every_item_is_shown_as_its_golden_file_or_left_out() {
    let mut left_out = BTreeSet::new();
    for (name, (stored, expected)) in pairs() {
        let item: ThreadItem = serde_json::from_value(stored.clone()).expect("an item");
        let Some(shown) = hosted::ThreadItem::from_stored(&item) else {
            assert_eq!(expected, None, "{name}");
            left_out.insert(stored["type"].as_str().expect("a type").to_owned());
            continue;
        };
        let shown = serde_json::to_value(shown).expect("writable");
        let expected = expected.unwrap_or_else(|| panic!("{name} has no hosted form"));
        assert_eq!(unfolded(shown), unfolded(expected), "{name}");
    }
    // These have no form there; the last three are nobody's to see.
    let expected = [
        "generated_image",
        "structured_input",
        "end_of_turn",
        "hidden_context_item",
        "sdk_hidden_context",
    ];
    assert_eq!(left_out, BTreeSet::from(expected.map(ToOwned::to_owned)));
}

/// The fields, as dotted paths, in which two values differ.
fn differences(path: &str, one: &Value, other: &Value, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys()) {
                let missing = Value::Null;
                differences(
                    &format!("{path}.{key}"),
                    one.get(key).unwrap_or(&missing),
                    other.get(key).unwrap_or(&missing),
                    found,
                );
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (one, other) in one.iter().zip(other) {
                differences(path, one, other, found);
            }
        }
        _ if one == other => {}
        _ => drop(found.insert(path.trim_start_matches('.').to_owned())),
    }
}

/// What of an item does not come back from its hosted form. What is not listed here does.
#[test]
fn what_does_not_come_back_is_listed() {
    // Below a second, no time comes back.
    let always = "created_at";
    let listed = json!({
        "assistant_message.json": [
            "content.annotations.index", "content.annotations.source.attribution",
            "content.annotations.source.description", "content.annotations.source.group",
            "content.annotations.source.timestamp", "content.annotations.source.title",
        ],
        // Entities have no form there, and are left out of the list.
        "assistant_message.file.json": ["content.annotations"],
        "client_tool_call.json": [],
        "client_tool_call.minimal.json": [],
        "client_tool_call.completed.json": [],
        "task.json": ["task.icon"],
        "task.thought.json": ["task.status_indicator"],
        "user_message.image.json": [],
        // Tags become text; how to upload a file that is there already is forgotten.
        "user_message.json": [
            "attachments.thread_id", "attachments.upload_descriptor", "content.data", "content.group",
            "content.id", "content.interactive", "content.type",
        ],
        "user_message.minimal.json": [
            "content.data", "content.group", "content.id", "content.interactive", "content.type",
        ],
        "widget.json": ["copy_text"],
        "widget.minimal.json": [],
        // A workflow is a group of tasks there, and a search one of the application's tasks.
        "workflow.json": [
            "workflow.expanded", "workflow.summary", "workflow.tasks.content", "workflow.tasks.icon",
            "workflow.tasks.queries", "workflow.tasks.sources", "workflow.tasks.title_query",
            "workflow.tasks.type",
        ],
        "workflow.reasoning.json": [],
    });
    let mut seen = serde_json::Map::new();
    for (name, (stored, shown)) in pairs() {
        let Some(shown) = shown else { continue };
        let shown: hosted::ThreadItem = serde_json::from_value(shown).expect("a hosted item");
        let back = shown
            .into_stored()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let back = serde_json::to_value(back).expect("writable");
        let mut lost = BTreeSet::new();
        differences("", &stored, &back, &mut lost);
        assert!(lost.remove(always), "{name}: {back}");
        assert_eq!(back["created_at"], "2026-01-23T16:15:25.000000Z");
        seen.insert(name, json!(lost));
    }
    assert_eq!(Value::Object(seen), listed);
}

#[test]
fn what_is_not_the_json_it_should_be_is_not_stored() {
    for (kind, field) in [
        (json!({"type": "chatkit.widget", "widget": "{"}), "widget"),
        (
            json!({"type": "chatkit.client_tool_call", "status": "completed", "call_id": "c", "name": "n",
                "arguments": "[]", "output": null}),
            "arguments",
        ),
        (
            json!({"type": "chatkit.client_tool_call", "status": "completed", "call_id": "c", "name": "n",
                "arguments": "{}", "output": "not JSON"}),
            "output",
        ),
    ] {
        let mut item = kind;
        item["id"] = json!("cti_1");
        item["object"] = json!("chatkit.thread_item");
        item["thread_id"] = json!("cthr_1");
        item["created_at"] = json!(0);
        let item: hosted::ThreadItem = serde_json::from_value(item).expect("a hosted item");
        assert!(item.into_stored().is_err(), "{field}");
    }
}
