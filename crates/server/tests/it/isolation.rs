//! A thread belongs to one identity, and nobody else can see that it exists.
//!
//! The matrix is generated from the protocol's own list of requests: a new one that is forgotten here
//! fails the test.

use protocol::Request;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::harness::{TestApp, input};

/// What a request points to.
struct Target {
    thread: String,
    item: String,
    attachment: String,
}

/// Requests of one type, each pointing to the target in another way. Empty for those that point to
/// nothing of anybody's. A type that is not listed is an error.
fn requests(name: &str, target: &Target) -> Vec<Value> {
    let Target {
        thread,
        item,
        attachment,
    } = target;
    let params = match name {
        "threads.create" => vec![json!({
            "input": {
                "content": [{ "type": "input_text", "text": "see this file" }],
                "attachments": [attachment],
                "inference_options": {},
            },
        })],
        "threads.list" => vec![json!({ "after": thread })],
        "threads.search" => vec![
            json!({ "query": "secret" }),
            json!({ "query": "see", "after": thread }),
        ],
        "attachments.create" | "input.transcribe" => vec![],
        "threads.add_user_message" => vec![
            json!({ "thread_id": thread, "input": input("hi") }),
            json!({
                "thread_id": thread,
                "input": {
                    "content": [], "attachments": [attachment], "inference_options": {},
                },
            }),
        ],
        "threads.add_client_tool_output" => vec![json!({ "thread_id": thread, "result": {} })],
        "threads.add_structured_input" => vec![json!({
            "thread_id": thread, "item_id": item, "input": { "status": "skipped", "answers": {} },
        })],
        "threads.retry_after_item" => vec![json!({ "thread_id": thread, "item_id": item })],
        "threads.custom_action" | "threads.sync_custom_action" => vec![
            json!({ "thread_id": thread, "item_id": item, "action": { "type": "x", "payload": {} } }),
            json!({ "thread_id": thread, "action": { "type": "x", "payload": {} } }),
        ],
        "threads.resume" => vec![
            json!({ "thread_id": thread }),
            json!({ "thread_id": thread, "after": "run_1:0" }),
        ],
        "threads.cancel" => vec![
            json!({ "thread_id": thread }),
            json!({ "thread_id": thread, "item_id": item }),
        ],
        "threads.get_by_id" | "threads.delete" => vec![json!({ "thread_id": thread })],
        "threads.update" => vec![json!({ "thread_id": thread, "title": "mine" })],
        "items.list" => vec![
            json!({ "thread_id": thread }),
            json!({ "thread_id": thread, "after": item }),
        ],
        "items.feedback" => vec![json!({
            "thread_id": thread, "item_ids": [item], "kind": "positive",
        })],
        "attachments.delete" => vec![json!({ "attachment_id": attachment })],
        other => panic!("say how `{other}` points to an object"),
    };
    params
        .into_iter()
        .map(|params| json!({ "type": name, "params": params }))
        .collect()
}

/// Everything of an answer that could tell one from another.
async fn observe(app: &TestApp, user: &str, body: &Value) -> (u16, Vec<(String, String)>, String) {
    let answer = app
        .post("/api/chat")
        .bearer_auth(app.token(user))
        .json(body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let headers = comparable(answer.headers());
    (status, headers, answer.text().await.unwrap())
}

fn comparable(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

#[tokio::test]
async fn no_request_tells_anothers_object_from_one_that_never_was() {
    let app = TestApp::start().await;
    let (thread, item, _) = app.new_thread("ada", "a secret of Ada's").await;
    let (own_thread, ..) = app.new_thread("grace", "Grace's own").await;
    let before = app.chat("ada", &page_of(&thread)).await;
    let attachment = app.picture("ada").await;
    let foreign = Target {
        thread: thread.clone(),
        item: item.clone(),
        attachment: attachment.clone(),
    };
    let missing = Target {
        thread: "cthr_0000000000000000000000000000ffff".to_owned(),
        item: "cti_0000000000000000000000000000ffff".to_owned(),
        attachment: "cfile_0000000000000000000000000000ffff".to_owned(),
    };
    // Another's item in one's own thread.
    let mixed = Target {
        thread: own_thread.clone(),
        item,
        attachment,
    };
    let mixed_missing = Target {
        thread: own_thread,
        item: missing.item.clone(),
        attachment: missing.attachment.clone(),
    };
    for name in Request::TYPES {
        let pairs = requests(name, &foreign)
            .into_iter()
            .zip(requests(name, &missing))
            .map(|pair| (pair, true));
        let own_pairs = requests(name, &mixed)
            .into_iter()
            .zip(requests(name, &mixed_missing))
            .filter(|(one, other)| one != other)
            .map(|pair| (pair, false));
        for ((foreign, missing), is_whole_thread) in pairs.chain(own_pairs) {
            let found = observe(&app, "grace", &foreign).await;
            let expected = observe(&app, "grace", &missing).await;
            assert_eq!(found, expected, "{foreign}");
            let is_refused = found.0 == 404 || (*name == "threads.create" && found.0 == 400);
            assert!(is_refused || !is_whole_thread, "{foreign} gave {found:?}");
            assert!(!found.2.contains("secret"), "{found:?}");
        }
    }
    // And nothing of it was changed; the file is still Ada's to send.
    assert_eq!(app.chat("ada", &page_of(&thread)).await, before);
    let own = requests("threads.create", &foreign).remove(0);
    assert_eq!(app.chat("ada", &own).await.0, 200);
}

fn page_of(thread: &str) -> Value {
    json!({ "type": "threads.get_by_id", "params": { "thread_id": thread } })
}

#[tokio::test]
async fn lists_hold_ones_own_threads_only_whatever_the_door_and_the_workflow() {
    let app = TestApp::start().await;
    let (ada, ..) = app.new_thread("ada", "from Ada").await;
    let (grace, ..) = app.new_thread("grace", "from Grace").await;
    let list = json!({ "type": "threads.list", "params": { "limit": 9999 } });
    for (user, own, other) in [("ada", &ada, &grace), ("grace", &grace, &ada)] {
        let secret = app.client_secret(user).await;
        let in_another_workflow = app
            .post("/api/chatkit/start")
            .bearer_auth(app.token(user))
            .json(&json!({ "workflow": "wf_open" }))
            .send()
            .await
            .unwrap();
        let started: Value = in_another_workflow.json().await.unwrap();
        let other_secret = started["client_secret"].as_str().unwrap().to_owned();
        for (path, credential) in [
            ("/api/chat", app.token(user)),
            ("/api/chat", secret.clone()),
            ("/api/chat", other_secret.clone()),
            ("/v1/chatkit/conversation", secret),
            ("/v1/chatkit/conversation", other_secret),
        ] {
            let text = app
                .post(path)
                .bearer_auth(credential)
                .json(&list)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            assert!(
                text.contains(own) && !text.contains(other),
                "{user} {path}: {text}"
            );
        }
    }
}
