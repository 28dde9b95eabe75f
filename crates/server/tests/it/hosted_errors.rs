//! The hosted API's errors: what its SDKs' users know, word for word where it is documented.

use auth::Environment;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    harness::{APP_ORIGIN, TestApp},
    hosted::{call, key_of, open},
};

#[tokio::test]
async fn what_a_server_is_told() {
    let app = TestApp::start().await;
    let session =
        |body: Value| call(&app, &app.server_key, Method::POST, "/v1/chatkit/sessions").json(&body);
    let get = |path: &str| call(&app, &app.server_key, Method::GET, path);
    let good = json!({ "user": "ada", "workflow": { "id": "wf_test" } });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (request, status, param, code, message) in [
        (
            app.post("/v1/chatkit/sessions")
                .bearer_auth(&app.server_key)
                .json(&good),
            400,
            None,
            Some("invalid_beta"),
            "You must provide the 'OpenAI-Beta' header to access the Chatkit API. Please try again by setting the header 'OpenAI-Beta: chatkit_beta=v1'.",
        ),
        (
            app.get("/v1/chatkit/threads")
                .bearer_auth(&app.server_key)
                .header("openai-beta", "assistants=v2"),
            400,
            None,
            Some("invalid_beta"),
            "You must provide the 'OpenAI-Beta' header",
        ),
        (
            session(json!({ "workflow": { "id": "wf_test" } })),
            400,
            Some("user"),
            Some("missing_required_parameter"),
            "Missing required parameter: 'user'.",
        ),
        (
            session(json!({ "user": "ada" })),
            400,
            Some("workflow"),
            Some("missing_required_parameter"),
            "Missing required parameter: 'workflow'.",
        ),
        (
            session(with("workflow", json!({}))),
            400,
            Some("workflow.id"),
            Some("missing_required_parameter"),
            "Missing required parameter: 'workflow.id'.",
        ),
        (
            session(with("workflow", json!({ "id": "wf_none" }))),
            404,
            None,
            None,
            "Workflow with id 'wf_none' not found.",
        ),
        (
            session(with("user", json!(7))),
            400,
            Some("user"),
            Some("invalid_type"),
            "Invalid type for 'user': expected a string, but got an integer instead.",
        ),
        (
            session(with(
                "expires_after",
                json!({ "anchor": "created_at", "seconds": 601 }),
            )),
            400,
            Some("expires_after.seconds"),
            Some("integer_above_max_value"),
            "Expected a value <= 600, but got 601 instead.",
        ),
        (
            session(with("expires_in_seconds", json!(3600))),
            400,
            Some("expires_in_seconds"),
            Some("unknown_parameter"),
            "Unknown parameter: 'expires_in_seconds'.",
        ),
        (
            call(
                &app,
                &app.server_key,
                Method::POST,
                "/v1/chatkit/sessions/id/cancel",
            ),
            400,
            Some("session_id"),
            Some("invalid_value"),
            "Invalid 'session_id': 'id'. Expected an ID that begins with 'cksess'.",
        ),
        (
            call(
                &app,
                &app.server_key,
                Method::POST,
                "/v1/chatkit/sessions/cksess_404/cancel",
            ),
            404,
            None,
            None,
            "Chatkit Session with id 'cksess_404' not found.",
        ),
        (
            get("/v1/chatkit/threads/id"),
            400,
            Some("thread_id"),
            Some("invalid_value"),
            "Invalid 'thread_id': 'id'. Expected an ID that begins with 'cthr'.",
        ),
        (
            get("/v1/chatkit/threads/%ff"),
            404,
            None,
            Some("unknown_path"),
            "there is nothing at this address",
        ),
        (
            get("/v1/chatkit/threads/cthr_404"),
            404,
            None,
            None,
            "Thread with id 'cthr_404' not found.",
        ),
        (
            get("/v1/chatkit/threads/cthr_404/items"),
            404,
            None,
            None,
            "Thread with id 'cthr_404' not found.",
        ),
        (
            get("/v1/chatkit/threads/cthr_404/items?limit=0"),
            404,
            None,
            None,
            "Thread with id 'cthr_404' not found.",
        ),
        (
            call(
                &app,
                &app.server_key,
                Method::DELETE,
                "/v1/chatkit/threads/cthr_404",
            ),
            404,
            None,
            None,
            "Thread with id 'cthr_404' not found.",
        ),
        (
            get("/v1/chatkit/threads?limit=101"),
            400,
            Some("limit"),
            Some("integer_above_max_value"),
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        ),
        (
            get("/v1/chatkit/threads?order=up"),
            400,
            Some("order"),
            Some("invalid_value"),
            "'asc' and 'desc'",
        ),
        (
            get("/v1/chatkit/threads?user="),
            400,
            Some("user"),
            Some("empty_string"),
            "minimum length 1",
        ),
        (
            get("/v1/chatkit/threads?user=%00"),
            400,
            Some("user"),
            Some("invalid_value"),
            "control characters",
        ),
        (
            get("/v1/chatkit/threads?usr=ada"),
            400,
            Some("usr"),
            Some("unknown_parameter"),
            "Unknown parameter: 'usr'.",
        ),
        (
            get("/v1/chatkit/threads?after=cthr_404"),
            400,
            Some("after"),
            Some("invalid_value"),
            "Invalid 'after'",
        ),
        (
            get("/v1/chatkit/threads?before=cthr_404"),
            400,
            Some("before"),
            Some("invalid_value"),
            "Invalid 'before'",
        ),
    ] {
        let answer = request.send().await.unwrap();
        let found_status = answer.status();
        let body: Value = answer.json().await.unwrap();
        let error = &body["error"];
        assert_eq!(found_status, status, "{message}: {body}");
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!(param), &json!(code)),
            "{body}"
        );
        assert!(
            error["message"].as_str().unwrap().contains(message),
            "{body}"
        );
    }
}

#[tokio::test]
async fn b02_a_wrong_key_is_told_so_and_never_repeated() {
    let app = TestApp::start().await;
    let revoked = key_of(&app, "gone", Environment::Live).await;
    let keys = app.state.server_keys.list().await.unwrap();
    let record = keys.iter().find(|key| key.project == "gone").unwrap();
    let now = app.state.now().wall;
    app.state.server_keys.revoke(&record.id, now).await.unwrap();
    let (rest, last) = app.server_key.split_at(app.server_key.len() - 1);
    let typo = format!("{rest}{}", if last == "x" { "y" } else { "x" });
    for key in ["sk-proj-0123456789", "My API Key", &typo, &revoked] {
        let answer = call(&app, key, Method::GET, "/v1/chatkit/threads")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(
            answer.headers()[header::WWW_AUTHENTICATE],
            "Bearer realm=\"vestibule\", error=\"invalid_token\""
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains("Incorrect API key provided"), "{text}");
        assert!(text.contains("\"code\":\"invalid_api_key\""), "{text}");
        assert!(!text.contains(key), "{text}");
    }
    let answer = app.get("/v1/chatkit/threads").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.headers()[header::WWW_AUTHENTICATE],
        "Bearer realm=\"vestibule\""
    );
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], Value::Null);
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Missing bearer or basic authentication in header"));
}

#[tokio::test]
async fn s09_a_page_never_uses_a_server_key() {
    let app = TestApp::start().await;
    for key in [app.server_key.as_str(), "sk-proj-0123456789"] {
        let request = call(&app, key, Method::GET, "/v1/chatkit/threads");
        let answer = request
            .header(header::ORIGIN, APP_ORIGIN)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 403);
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "server_key_in_browser");
    }
    let preflight = app
        .request(Method::OPTIONS, "/v1/chatkit/threads")
        .header(header::ORIGIN, APP_ORIGIN)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .send()
        .await
        .unwrap();
    assert!(
        !preflight
            .headers()
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn a_key_from_elsewhere_works_on_servers_addresses_and_nowhere_else() {
    let app = TestApp::start().await;
    let now = app.state.now().wall;
    for key in ["sk-proj-0123456789abcdef", "My API Key"] {
        let keys = &app.state.server_keys;
        keys.import_weak(&key.into(), "", "moved", now)
            .await
            .unwrap();
        open(&app, key, "ada", json!({})).await;
        let threads = call(&app, key, Method::GET, "/v1/chatkit/threads");
        assert_eq!(threads.send().await.unwrap().status(), 200);
        for path in [
            "/api/chat",
            "/v1/chatkit/conversation",
            "/api/chatkit/start",
        ] {
            let body = json!({ "type": "threads.list", "params": {} });
            let answer = app
                .post(path)
                .bearer_auth(key)
                .json(&body)
                .send()
                .await
                .unwrap();
            assert!(matches!(answer.status().as_u16(), 400 | 401), "{path}");
        }
    }
}
