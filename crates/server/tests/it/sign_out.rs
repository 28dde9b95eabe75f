//! Back-channel logout: who has signed out at the issuer is signed out here.

use auth::ports::ChatSessionFilter;
use reqwest::header;
use serde_json::{Value, json};

use testkit::fake_model::{FakeModel, Reply};

use crate::harness::{Options, TestApp, events, new_message};

const PATH: &str = "/api/chatkit/backchannel-logout";

async fn sign_out(app: &TestApp, token: &str) -> (u16, String) {
    let answer = app
        .post(PATH)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("logout_token={token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn secret(app: &TestApp, claims: Value) -> String {
    let answer = app
        .post("/api/chatkit/start")
        .bearer_auth(app.token_with(claims))
        .send()
        .await
        .unwrap();
    let body: Value = answer.json().await.unwrap();
    body["client_secret"].as_str().unwrap().to_owned()
}

async fn status(app: &TestApp, secret: &str) -> (u16, Value) {
    let answer = app
        .get("/api/chatkit/me")
        .bearer_auth(secret)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["error"]["code"].clone())
}

#[tokio::test]
async fn a_login_that_has_ended_ends_its_chat_sessions_at_once() {
    let app = TestApp::start().await;
    let one = secret(&app, json!({ "sub": "ada", "sid": "1" })).await;
    let two = secret(&app, json!({ "sub": "ada", "sid": "2" })).await;
    let grace = secret(&app, json!({ "sub": "grace", "sid": "3" })).await;
    let token = app.logout_token(&json!({ "sub": "ada", "sid": "1" }));
    assert_eq!(sign_out(&app, &token).await, (200, String::new()));
    assert_eq!(status(&app, &one).await, (401, json!("revoked")));
    assert_eq!(status(&app, &two).await.0, 200);
    // The same one again does nothing.
    let (code, body) = sign_out(&app, &token).await;
    assert_eq!(code, 400);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"], "invalid_request");
    assert!(
        body["error_description"]
            .as_str()
            .unwrap()
            .contains("used before")
    );

    let everywhere = app.logout_token(&json!({ "sub": "ada", "jti": "2" }));
    assert_eq!(sign_out(&app, &everywhere).await.0, 200);
    assert_eq!(status(&app, &two).await, (401, json!("revoked")));
    assert_eq!(status(&app, &grace).await.0, 200);
    // Whoever signs in again may come again.
    let again = secret(&app, json!({ "sub": "ada", "sid": "4" })).await;
    assert_eq!(status(&app, &again).await.0, 200);
}

#[tokio::test]
async fn what_is_no_logout_token_ends_nothing() {
    let app = TestApp::start().await;
    let one = secret(&app, json!({ "sub": "ada", "sid": "1" })).await;
    for token in [
        app.token("ada"),
        app.logout_token(&json!({ "sub": "ada", "aud": "other" })),
        app.logout_token(&json!({ "sub": "ada", "nonce": "n" })),
        app.logout_token(&json!({ "sub": "ada", "iss": "https://other.example" })),
        one.clone(),
        String::new(),
        "a.b.c".to_owned(),
    ] {
        let (code, body) = sign_out(&app, &token).await;
        assert_eq!(code, 400, "{body}");
        assert!(token.len() < 9 || !body.contains(&token), "{body}");
    }
    for request in [
        app.post(PATH).json(&json!({ "logout_token": "x" })),
        app.post(PATH)
            .bearer_auth(app.logout_token(&json!({ "sub": "ada" }))),
        app.post(PATH)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("logout_token=x&logout_token=x"),
    ] {
        assert!(request.send().await.unwrap().status().is_client_error());
    }
    assert_eq!(app.get(PATH).send().await.unwrap().status(), 405);
    let filter = ChatSessionFilter::default();
    let sessions = app.store.list_chat_sessions(&filter, 10).await.unwrap();
    assert!(sessions.iter().all(|session| session.ended.is_none()));
    assert_eq!(status(&app, &one).await.0, 200);
}

#[tokio::test]
async fn s11_a_sign_out_at_the_issuer_ends_the_answers_that_are_being_written() {
    let model = FakeModel::scripted([Reply::text(["a"]).and_hold()])
        .await
        .unwrap();
    let options = Options {
        model: Some(model.base_url()),
        ..Options::default()
    };
    let app = TestApp::with(options).await;
    let secret = secret(&app, json!({ "sub": "ada", "sid": "1" })).await;
    let request = app.post("/v1/chatkit/conversation").bearer_auth(&secret);
    let answer = request.json(&new_message("hi")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let token = app.logout_token(&json!({ "sid": "1" }));
    assert_eq!(sign_out(&app, &token).await.0, 200);
    app.state.revocations.look(&*app.state.credentials).await;
    let found = events(&answer.text().await.unwrap());
    assert_eq!(found.last().unwrap()["type"], "error");
}

#[cfg(unix)]
#[tokio::test]
async fn a_sign_out_that_could_not_be_kept_may_be_sent_again() {
    let app = TestApp::start().await;
    if !app.is_sqlite() {
        return; // It is about a file.
    }
    let one = secret(&app, json!({ "sub": "ada", "sid": "1" })).await;
    let token = app.logout_token(&json!({ "sub": "ada", "sid": "1" }));
    let (file, away) = (app.folder().join("test.db"), app.folder().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    let (code, answer) = sign_out(&app, &token).await;
    assert!(code >= 500, "{code} {answer}");
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(sign_out(&app, &token).await, (200, String::new()));
    assert_eq!(status(&app, &one).await, (401, json!("revoked")));
    // What was done is not done again.
    assert_eq!(sign_out(&app, &token).await.0, 400);
}
