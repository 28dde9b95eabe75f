//! What a session of the hosted API was opened with is kept to.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::{Method, header};
use serde_json::{Value, json};
use testkit::fake_model::{FakeModel, Reply};

use crate::{
    harness::{Options, TestApp, answer_text, events, input, new_message},
    hosted::{call, converse, open, thread_of},
};

async fn with_model(replies: impl IntoIterator<Item = Reply>) -> (TestApp, FakeModel) {
    let model = FakeModel::scripted(replies).await.unwrap();
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        ..Options::default()
    })
    .await;
    (app, model)
}

/// A client secret of a session with this configuration.
async fn secret_with(app: &TestApp, configuration: Value) -> Value {
    let fields = json!({ "chatkit_configuration": configuration });
    let session = open(app, &app.server_key, "ada", fields).await;
    session["client_secret"].clone()
}

async fn listed(app: &TestApp, secret: &Value, params: Value) -> (Vec<String>, Value) {
    let body = json!({ "type": "threads.list", "params": params });
    let (status, text) = converse(app, secret, &body).await;
    assert_eq!(status, 200, "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    let threads = page["data"].as_array().unwrap().iter();
    let ids = threads
        .map(|thread| thread["id"].as_str().unwrap().to_owned())
        .collect();
    (ids, page["after"].clone())
}

#[tokio::test]
async fn a_session_without_history_lists_nothing_and_goes_on_with_what_its_page_has() {
    let app = TestApp::start().await;
    let thread = thread_of(&app, &app.server_key, "ada", "hello").await;
    let secret = secret_with(&app, json!({ "history": { "enabled": false } })).await;
    let (ids, after) = listed(&app, &secret, json!({})).await;
    assert_eq!((ids, after), (vec![], Value::Null));
    let more = json!({
        "type": "threads.add_user_message",
        "params": { "thread_id": thread, "input": input("and then?") },
    });
    assert_eq!(converse(&app, &secret, &more).await.0, 200);
    let with_history = secret_with(&app, json!({})).await;
    assert_eq!(listed(&app, &with_history, json!({})).await.0, [thread]);
}

#[tokio::test]
async fn a_session_with_recent_threads_sees_those_and_no_older_ones() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        app.clock.advance(1);
        ids.push(thread_of(&app, &app.server_key, "ada", &format!("{number}")).await);
    }
    let recent = json!({ "history": { "recent_threads": 3 } });
    let secret = secret_with(&app, recent).await;
    let page = |numbers: &[usize]| -> Vec<String> {
        numbers.iter().map(|number| ids[*number].clone()).collect()
    };
    for (params, numbers, after) in [
        (json!({}), &[4, 3, 2][..], None),
        (json!({ "limit": 9999 }), &[4, 3, 2], None),
        (json!({ "order": "asc" }), &[2, 3, 4], None),
        (json!({ "limit": 2 }), &[4, 3], Some(3)),
        (json!({ "limit": 2, "after": ids[3] }), &[2], None),
        (
            json!({ "order": "asc", "limit": 1, "after": ids[2] }),
            &[3],
            Some(3),
        ),
    ] {
        let after = after.map_or(Value::Null, |number: usize| json!(ids[number]));
        let found = listed(&app, &secret, params.clone()).await;
        assert_eq!(found, (page(numbers), after), "{params}");
    }
    // What lies further back is not there, whatever is asked about it.
    for (thread, status) in [(&ids[2], 200), (&ids[1], 404), (&ids[0], 404)] {
        for (kind, fields) in [
            ("threads.get_by_id", json!({})),
            ("items.list", json!({})),
            ("threads.add_user_message", json!({ "input": input("hi") })),
            ("threads.update", json!({ "title": "mine" })),
        ] {
            let mut body = json!({ "type": kind, "params": fields });
            body["params"]["thread_id"] = json!(thread);
            let (found, text) = converse(&app, &secret, &body).await;
            assert_eq!(found, status, "{kind} {thread}: {text}");
        }
    }
    let beyond = json!({ "type": "threads.list", "params": { "after": ids[0] } });
    assert_eq!(converse(&app, &secret, &beyond).await.0, 404);
}

#[tokio::test]
async fn titles_are_written_only_where_the_session_wants_them() {
    let app = TestApp::start().await;
    for (enabled, title) in [(true, json!("hello")), (false, Value::Null)] {
        let fields = json!({
            "workflow": { "id": "wf_test", "version": "2" },
            "chatkit_configuration": { "automatic_thread_titling": { "enabled": enabled } },
        });
        let session = open(&app, &app.server_key, "ada", fields).await;
        let (_, stream) = converse(&app, &session["client_secret"], &new_message("hello")).await;
        let id = events(&stream)[0]["thread"]["id"].clone();
        let path = format!("/v1/chatkit/threads/{}", id.as_str().unwrap());
        let thread = call(&app, &app.server_key, Method::GET, &path).send().await;
        let thread: Value = thread.unwrap().json().await.unwrap();
        assert_eq!(thread["title"], title, "{enabled}");
    }
}

#[tokio::test]
async fn a_session_is_bound_to_its_workflows_version_and_state_variables() {
    let (app, model) = with_model([Reply::text(["one"]), Reply::text(["two"])]).await;
    for (workflow, instructions, is_told) in [
        (json!({ "id": "wf_test" }), "Be brief.", false),
        (
            json!({ "id": "wf_test", "version": "2", "state_variables": { "plan": "pro" } }),
            "Be long.",
            true,
        ),
    ] {
        let fields = json!({ "workflow": workflow });
        let session = open(&app, &app.server_key, "ada", fields).await;
        assert_eq!(session["workflow"]["version"], workflow["version"]);
        converse(&app, &session["client_secret"], &new_message("hi")).await;
        let asked = model.requests().last().unwrap().body.to_string();
        assert!(asked.contains(instructions), "{asked}");
        assert_eq!(asked.contains("Plan: pro"), is_told, "{asked}");
    }
    let unknown = json!({ "user": "ada", "workflow": { "id": "wf_test", "version": "3" } });
    let request = call(&app, &app.server_key, Method::POST, "/v1/chatkit/sessions");
    let answer = request.json(&unknown).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body["error"]["message"],
        "Workflow with id 'wf_test' and version '3' not found."
    );
    assert_eq!(body["error"]["code"], Value::Null);
}

#[tokio::test]
async fn r01_a_session_takes_as_many_messages_as_it_was_opened_for() {
    let app = TestApp::start().await;
    let fields = json!({ "rate_limits": { "max_requests_per_1_minute": 2 } });
    let session = open(&app, &app.server_key, "ada", fields.clone()).await;
    let say = async |session: &Value| {
        let secret = session["client_secret"].as_str().unwrap().to_owned();
        let request = app.post("/v1/chatkit/conversation").bearer_auth(secret);
        request.json(&new_message("hi")).send().await.unwrap()
    };
    for _ in 0..2 {
        assert_eq!(say(&session).await.status(), 200);
    }
    let refused = say(&session).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"]["type"], "rate_limit_error");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("2 messages in a minute"), "{message}");
    // Reading goes on, and another session has a count of its own.
    let list = json!({ "type": "threads.list", "params": {} });
    for _ in 0..5 {
        let read = converse(&app, &session["client_secret"], &list).await;
        assert_eq!(read.0, 200);
    }
    let other = open(&app, &app.server_key, "ada", fields).await;
    assert_eq!(say(&other).await.status(), 200);
}

/// Ends the stream of a session in one of several ways, and gives how it ended.
async fn stream_ended_by(end: impl AsyncFnOnce(&TestApp, &Value)) -> (TestApp, Value, Value) {
    let (app, model) = with_model([Reply::text(["a"]).and_hold()]).await;
    let session = open(&app, &app.server_key, "ada", json!({})).await;
    let secret = session["client_secret"].as_str().unwrap().to_owned();
    let request = app.post("/v1/chatkit/conversation").bearer_auth(&secret);
    let answer = request.json(&new_message("hi")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    end(&app, &session).await;
    app.state.revocations.look(&*app.state.credentials).await;
    let found = events(&answer.text().await.unwrap());
    model.release();
    (app, session, found.last().unwrap().clone())
}

#[tokio::test]
async fn s11_cancelling_a_session_ends_its_streams_and_refuses_new_requests() {
    let (app, session, last) = stream_ended_by(async |app, session| {
        let id = session["id"].as_str().unwrap();
        let path = format!("/v1/chatkit/sessions/{id}/cancel");
        let request = call(app, &app.server_key, Method::POST, &path);
        assert_eq!(request.send().await.unwrap().status(), 200);
    })
    .await;
    assert_eq!(
        (&last["type"], &last["allow_retry"]),
        (&json!("error"), &json!(false))
    );
    let (status, text) = converse(&app, &session["client_secret"], &new_message("hi")).await;
    assert_eq!(status, 401, "{text}");
}

#[tokio::test]
async fn s11_revoking_a_key_ends_the_streams_of_the_sessions_it_opened() {
    let (app, session, last) = stream_ended_by(async |app, _session| {
        let now = app.state.now().wall;
        for key in app.state.server_keys.list().await.unwrap() {
            app.state.server_keys.revoke(&key.id, now).await.unwrap();
        }
    })
    .await;
    assert_eq!(
        (&last["type"], &last["allow_retry"]),
        (&json!("error"), &json!(false))
    );
    let (status, text) = converse(&app, &session["client_secret"], &new_message("hi")).await;
    assert_eq!(status, 401, "{text}");
    let threads = call(&app, &app.server_key, Method::GET, "/v1/chatkit/threads");
    assert_eq!(threads.send().await.unwrap().status(), 401);
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_session_without_tracing_leaves_no_trace_of_its_turns() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let model = FakeModel::scripted((0..8).map(|_| Reply::text(["a"]).and_hold()))
        .await
        .unwrap();
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        idle_timeout: Duration::from_millis(100),
        ..Options::default()
    })
    .await;
    for (enabled, traces) in [(true, 1), (false, 1), (true, 2)] {
        let fields = json!({ "workflow": { "id": "wf_test", "tracing": { "enabled": enabled } } });
        let session = open(&app, &app.server_key, "ada", fields).await;
        let (_, stream) = converse(&app, &session["client_secret"], &new_message("hi")).await;
        assert_eq!(answer_text(&events(&stream)), "a", "{stream}");
        assert_eq!(events(&stream).last().unwrap()["type"], "error", "{stream}");
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let found = text
            .matches("failed to get an answer from the model")
            .count();
        assert_eq!(found, traces, "{text}");
    }
}
