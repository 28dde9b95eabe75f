//! Door 1 over HTTP: start, refresh, rotation, and OpenAI as the one who mints.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use reqwest::header;
use serde_json::{Value, json};
use server::OpenAiSessions;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use upstream::{HttpPolicy, openai::sessions::SessionsApi};

use crate::harness::{Options, START, TestApp};

async fn refresh(app: &TestApp, user: &str, secret: &str) -> (u16, Value) {
    let answer = app
        .post("/api/chatkit/refresh")
        .bearer_auth(app.token_with(json!({ "sub": user, "exp": START + 900_000 })))
        .json(&json!({ "currentClientSecret": secret }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn is_open(app: &TestApp, secret: &str) -> bool {
    let answer = app
        .get("/api/chatkit/me")
        .bearer_auth(secret)
        .send()
        .await
        .unwrap();
    answer.status() == 200
}

#[tokio::test]
async fn start_takes_the_bodies_that_pages_send() {
    let app = TestApp::start().await;
    let start = || app.post("/api/chatkit/start").bearer_auth(app.token("ada"));
    for (request, status) in [
        (start(), 200),
        (start().json(&json!({})), 200),
        (start().json(&json!({ "agent_id": "x" })), 200),
        (start().json(&json!({ "workflow": "wf_test" })), 200),
        (start().json(&json!({ "workflow": "wf_unknown" })), 404),
        (start().json(&json!({ "workflow": 1 })), 400),
        (start().body("{}"), 415),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let body: Value = answer.json().await.unwrap();
        if status == 200 {
            assert!(body["client_secret"].as_str().unwrap().starts_with("ek_"));
            assert_eq!(body["expires_in"], 60);
            assert_eq!(body["expires_at"], START + 60);
        }
    }
}

#[tokio::test]
async fn curl_may_start_with_the_content_type_that_it_sends_by_itself() {
    let app = TestApp::start().await;
    let start = |body: &'static str| {
        app.post("/api/chatkit/start")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
    };
    for (body, status) in [
        ("", 200),
        ("{}", 200),
        (" {}\n", 200),
        ("{\"workflow\":\"wf_test\"}", 400),
        ("{\"a\":\"b=c\"}", 400),
    ] {
        let request = start(body).bearer_auth(app.token("ada"));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
        let text = answer.text().await.unwrap();
        let is_told = text.contains("send `Content-Type: application/json`");
        assert_eq!(is_told, status == 400, "{body}: {text}");
        assert!(!text.contains("RFC 8693"), "{body}: {text}");
    }
    // Without a credential it is refused as any start is, and not as a token exchange.
    let answer = start("{}").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], "missing_credentials");
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_so_and_the_developer_what_the_address_takes() {
    let app = TestApp::start().await;
    for request in [
        app.post("/api/chatkit/start"),
        app.post("/api/chatkit/refresh"),
        app.post("/api/chat"),
        app.post("/v1/chatkit/conversation"),
        app.get("/api/chatkit/me"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let address = answer.url().path().to_owned();
        let body: Value = answer.json().await.unwrap();
        let error = &body["error"];
        assert_eq!(
            error["message"], "you are not signed in; sign in and try again",
            "{address}"
        );
        let takes = error["details"]["takes"].as_str().unwrap();
        assert!(takes.starts_with("this address needs "), "{takes}");
    }
    // Who calls with a server key is a developer.
    let answer = app.post("/v1/chatkit/sessions").send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.contains("this address needs a server key"), "{text}");
}

#[tokio::test]
async fn a_body_is_refused_by_the_name_of_the_field_at_fault() {
    let app = TestApp::start().await;
    for (body, param, words) in [
        (
            json!({ "workflow": { "id": "wf_news" } }),
            json!("workflow"),
            "`workflow` has to be the workflow's id as text, such as \"wf_support\" (",
        ),
        (
            json!({ "workflow": 77 }),
            json!("workflow"),
            "`workflow` has to be the workflow's id as text",
        ),
        (json!([]), Value::Null, "the request body is a list"),
        (json!(7), Value::Null, "the request body does not have"),
    ] {
        let answer = app
            .post("/api/chatkit/start")
            .bearer_auth(app.token("ada"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{body}");
        let answer: Value = answer.json().await.unwrap();
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["param"], param, "{message}");
        assert!(message.starts_with(words), "{message}");
        assert!(
            !message.contains("wf_news") && !message.contains("77"),
            "{message}"
        );
    }
    // A page without a preference may say so.
    let answer = app
        .post("/api/chatkit/start")
        .bearer_auth(app.token("ada"))
        .json(&json!({ "workflow": null }));
    assert_eq!(answer.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn s06_refresh_is_rotation_with_an_honest_retry() {
    let app = TestApp::start().await;
    let first = app.client_secret("ada").await;
    let (status, body) = refresh(&app, "ada", &first).await;
    assert_eq!(status, 200);
    let second = body["client_secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    // The answer was lost: the same question gets the same answer.
    app.clock.advance(29);
    assert_eq!(
        refresh(&app, "ada", &first).await,
        (200, {
            let mut body = body.clone();
            body["expires_in"] = json!(60 - 29);
            body
        })
    );
    assert!(is_open(&app, &second).await);
    // After the window it has been copied: the family ends.
    app.clock.advance(2);
    let (status, body) = refresh(&app, "ada", &first).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("already_rotated"))
    );
    assert!(!is_open(&app, &second).await);
    assert!(!is_open(&app, &first).await);
}

#[tokio::test]
async fn s06_parallel_refreshes_agree() {
    let app = TestApp::start().await;
    let first = app.client_secret("ada").await;
    let answers = futures::future::join_all((0..8).map(|_| refresh(&app, "ada", &first))).await;
    for answer in &answers {
        assert_eq!(answer.0, 200, "{answer:?}");
        assert_eq!(answer.1["client_secret"], answers[0].1["client_secret"]);
    }
}

#[tokio::test]
async fn s08_refresh_needs_the_same_users_login() {
    let app = TestApp::start().await;
    let secret = app.client_secret("ada").await;
    let (status, body) = refresh(&app, "grace", &secret).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("other_user"))
    );
    let alone = app
        .post("/api/chatkit/refresh")
        .bearer_auth(&secret)
        .json(&json!({ "currentClientSecret": secret }))
        .send()
        .await
        .unwrap();
    assert_eq!(alone.status(), 401, "a secret cannot mint a secret");
    let missing = app
        .post("/api/chatkit/refresh")
        .bearer_auth(app.token("ada"))
        .send()
        .await
        .unwrap();
    assert_eq!(missing.status(), 400);
    let snake = app
        .post("/api/chatkit/refresh")
        .bearer_auth(app.token("ada"))
        .json(&json!({ "current_client_secret": secret }))
        .send()
        .await
        .unwrap();
    assert_eq!(snake.status(), 200);
}

#[tokio::test]
async fn an_expired_secret_is_refused_and_can_be_refreshed() {
    let app = TestApp::start().await;
    let secret = app.client_secret("ada").await;
    app.clock.advance(60);
    assert!(!is_open(&app, &secret).await);
    let (status, body) = refresh(&app, "ada", &secret).await;
    assert_eq!(status, 200);
    assert!(is_open(&app, body["client_secret"].as_str().unwrap()).await);
}

#[tokio::test]
async fn s02_no_secret_is_at_rest() {
    let app = TestApp::start().await;
    let secret = app.client_secret("ada").await;
    let (_, body) = refresh(&app, "ada", &secret).await;
    let second = body["client_secret"].as_str().unwrap().to_owned();
    app.stop().await;
    let bytes = app.stored();
    for text in [&secret, &second, &app.public_token, &app.server_key] {
        let random = text.rsplit('_').nth(1).unwrap_or(text);
        let random = random.get(..40).unwrap_or(random);
        assert!(
            !bytes
                .windows(random.len())
                .any(|window| window == random.as_bytes()),
            "{random} is in the database"
        );
    }
}

/// OpenAI's sessions API as far as door 1 needs it: what was asked, and a scripted answer.
#[derive(Clone)]
struct SessionsServer {
    asked: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    status: StatusCode,
}

async fn create_session(
    State(server): State<SessionsServer>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    server.asked.lock().unwrap().push((headers, body.clone()));
    if server.status != StatusCode::OK {
        let error = json!({ "error": { "message": "no", "type": "server_error", "code": null, "param": null } });
        return (server.status, Json(error));
    }
    let session = json!({
        "id": "cksess_1", "object": "chatkit.session", "status": "active",
        "client_secret": "ek_minted_by_openai", "expires_at": START + 600,
        "user": body["user"], "workflow": body["workflow"],
    });
    (StatusCode::OK, Json(session))
}

async fn sessions_server(status: StatusCode) -> (SocketAddr, SessionsServer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = SessionsServer {
        asked: Arc::default(),
        status,
    };
    let router = Router::new()
        .route("/v1/chatkit/sessions", post(create_session))
        .with_state(server.clone());
    TaskTracker::new().spawn(async move {
        axum::serve(listener, router).await.unwrap();
    });
    (address, server)
}

async fn hosted(status: StatusCode) -> (TestApp, SessionsServer) {
    let (address, server) = sessions_server(status).await;
    let base = format!("http://{address}/v1").parse().unwrap();
    let api = SessionsApi::new(base, "sk-openai".to_owned().into(), &HttpPolicy::DOCUMENT).unwrap();
    let app = TestApp::with(Options {
        hosted: Some(OpenAiSessions {
            api,
            workflow: "wf_hosted".to_owned(),
        }),
        ..Options::default()
    })
    .await;
    (app, server)
}

#[tokio::test]
async fn with_openai_as_the_issuer_the_verified_user_is_who_the_session_is_for() {
    let (app, server) = hosted(StatusCode::OK).await;
    let answer = app
        .post("/api/chatkit/start")
        .bearer_auth(app.token("ada"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body,
        json!({ "client_secret": "ek_minted_by_openai", "expires_in": 600, "expires_at": START + 600 })
    );
    let (headers, asked) = server.asked.lock().unwrap()[0].clone();
    assert_eq!(headers["authorization"], "Bearer sk-openai");
    assert_eq!(headers["openai-beta"], "chatkit_beta=v1");
    assert_eq!(asked["workflow"]["id"], "wf_hosted");
    assert_eq!(asked["user"], "https://id.example.com ada");
    let refused = app.post("/api/chatkit/start").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(
        server.asked.lock().unwrap().len(),
        1,
        "nobody is asked for a stranger"
    );
}

#[tokio::test]
async fn a_failure_at_openai_is_told_in_words() {
    for (theirs, ours) in [(401, 502), (404, 502), (429, 429), (500, 503)] {
        let (app, _server) = hosted(StatusCode::from_u16(theirs).unwrap()).await;
        let answer = app
            .post("/api/chatkit/start")
            .bearer_auth(app.token("ada"))
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, ours, "{theirs}: {text}");
        assert!(!text.contains("sk-openai"), "{text}");
    }
}
