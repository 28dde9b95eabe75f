//! A refresh is a new sign-in: what the fresh login says takes the place of what the session knew.

use auth::{
    ports::EndReason,
    rule::{Condition, EntryRule, Outcome, Test},
};
use engine::ports::Clock;
use reqwest::header;
use serde_json::{Value, json};
use testkit::fake_model::{FakeModel, Reply};

use crate::{
    harness::{Options, TestApp, new_message},
    workflow_access::rules,
};

const DENIED: &str = "your chat has ended; ask your administrator";

/// The rules of the workflow matrix, and one that keeps out who has lost everything.
async fn app() -> TestApp {
    TestApp::with(options()).await
}

fn options() -> Options {
    let deny = EntryRule {
        name: "gone".to_owned(),
        issuer: None,
        conditions: vec![Condition {
            path: vec!["role".to_owned()],
            test: Test::OneOf(vec![json!("gone")]),
        }],
        outcome: Outcome::Deny(DENIED.to_owned()),
    };
    let mut rules = rules();
    rules.push(deny);
    Options {
        rules,
        ..Options::default()
    }
}

async fn start(app: &TestApp, claims: Value, body: Value) -> String {
    let answer = app
        .post("/api/chatkit/start")
        .bearer_auth(app.token_with(claims))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    secret_of(&answer.json().await.unwrap())
}

fn secret_of(body: &Value) -> String {
    body["client_secret"].as_str().unwrap().to_owned()
}

async fn refresh(app: &TestApp, claims: Value, secret: &str) -> (u16, Value) {
    let answer = app
        .post("/api/chatkit/refresh")
        .bearer_auth(app.token_with(claims))
        .json(&json!({ "currentClientSecret": secret }))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn status(app: &TestApp, secret: &str) -> u16 {
    let me = app.get("/api/chatkit/me").bearer_auth(secret);
    me.send().await.unwrap().status().as_u16()
}

async fn sign_out(app: &TestApp, sid: &str) {
    let token = app.logout_token(&json!({ "sub": "ada", "sid": sid, "jti": sid }));
    let answer = app
        .post("/api/chatkit/backchannel-logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("logout_token={token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn the_sign_out_of_the_latest_login_ends_the_session_and_that_of_an_earlier_one_does_not() {
    let app = app().await;
    let first = start(&app, json!({ "sid": "1" }), json!({})).await;
    let (code, body) = refresh(&app, json!({ "sid": "2" }), &first).await;
    assert_eq!(code, 200, "{body}");
    let second = secret_of(&body);
    sign_out(&app, "1").await;
    assert_eq!(status(&app, &second).await, 200);
    sign_out(&app, "2").await;
    assert_eq!(status(&app, &second).await, 401);
}

#[tokio::test]
async fn a_retry_gets_the_same_answer_and_its_login_counts_as_the_latest() {
    let app = app().await;
    let first = start(&app, json!({ "sid": "1" }), json!({})).await;
    let (_, one) = refresh(&app, json!({ "sid": "2" }), &first).await;
    app.clock.advance(29);
    let (code, again) = refresh(&app, json!({ "sid": "3" }), &first).await;
    assert_eq!((code, secret_of(&again)), (200, secret_of(&one)));
    sign_out(&app, "2").await;
    assert_eq!(status(&app, &secret_of(&one)).await, 200);
    sign_out(&app, "3").await;
    assert_eq!(status(&app, &secret_of(&one)).await, 401);
}

#[tokio::test]
async fn a_request_that_was_overtaken_brings_no_earlier_login_back() {
    let app = app().await;
    let now = app.clock.now().as_jiff().as_second();
    let login = |sid: &str, age: i64| json!({ "sid": sid, "iat": now - age });
    let first = start(&app, login("1", 20), json!({})).await;
    let (_, one) = refresh(&app, login("2", 10), &first).await;
    let (code, again) = refresh(&app, login("1", 20), &first).await;
    assert_eq!((code, secret_of(&again)), (200, secret_of(&one)));
    sign_out(&app, "1").await;
    assert_eq!(status(&app, &secret_of(&one)).await, 200);
    sign_out(&app, "2").await;
    assert_eq!(status(&app, &secret_of(&one)).await, 401);
}

#[tokio::test]
async fn a_role_that_is_lost_is_lost_at_the_next_refresh() {
    let app = app().await;
    let added = json!({ "workflow": "wf_added" });
    for is_retry in [false, true] {
        let secret = start(&app, json!({ "role": "expert" }), added.clone()).await;
        if is_retry {
            let (code, body) = refresh(&app, json!({ "role": "expert" }), &secret).await;
            assert_eq!(code, 200, "{body}");
            // The same question comes once more, and between the two the role went.
        }
        let (code, body) = refresh(&app, json!({ "role": "member" }), &secret).await;
        let code = (code, &body["error"]["code"]);
        assert_eq!(code, (403, &json!("workflow_closed")));
        assert_eq!(status(&app, &secret).await, 401, "the family has ended");
        // Nor does the role come back to it with a login that still says so.
        let (code, _) = refresh(&app, json!({ "role": "expert" }), &secret).await;
        assert_eq!(code, 401);
    }
}

#[tokio::test]
async fn the_fresh_claims_are_what_rules_and_tools_see_from_then_on() {
    let app = app().await;
    let first = start(&app, json!({ "role": "member" }), json!({})).await;
    // A role that pins a workflow moves the session to it.
    let (code, body) = refresh(&app, json!({ "role": "staff" }), &first).await;
    assert_eq!(code, 200, "{body}");
    let filter = auth::ports::ChatSessionFilter::default();
    let sessions = app.store.list_chat_sessions(&filter, 10).await.unwrap();
    assert_eq!(sessions[0].workflow, "wf_pinned");
    assert_eq!(sessions[0].claims["role"], "staff");
    assert_eq!(status(&app, &secret_of(&body)).await, 200);
    // With the role goes the workflow.
    let (code, body) = refresh(&app, json!({ "role": "expert" }), &secret_of(&body)).await;
    assert_eq!(
        (code, &body["error"]["code"]),
        (403, &json!("workflow_closed"))
    );
}

#[tokio::test]
async fn a_rule_that_denies_ends_the_family_with_its_sentence() {
    let app = app().await;
    let first = start(&app, json!({}), json!({})).await;
    let (_, body) = refresh(&app, json!({}), &first).await;
    let second = secret_of(&body);
    for (secret, expected) in [(&second, 401), (&first, 401)] {
        let (code, body) = refresh(&app, json!({ "role": "gone" }), secret).await;
        assert_eq!(
            (code, &body["error"]["code"]),
            (403, &json!("entry_denied"))
        );
        assert_eq!(body["error"]["message"], DENIED);
        assert_eq!(status(&app, secret).await, expected);
    }
    let (code, _) = refresh(&app, json!({}), &second).await;
    assert_eq!(code, 401, "the family has ended");
    let entries = app.audit().await;
    let ends: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.record.event {
            auth::audit::AuditEvent::SessionEnded { reason, sessions } => {
                Some((*reason, *sessions))
            }
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(EndReason::Denied, 1)]);
}

#[tokio::test]
async fn a_denied_person_ends_no_session_of_somebody_else() {
    let app = app().await;
    let grace = start(&app, json!({ "sub": "grace" }), json!({})).await;
    let (code, body) = refresh(&app, json!({ "sub": "eve", "role": "gone" }), &grace).await;
    assert_eq!(
        (code, &body["error"]["code"]),
        (403, &json!("entry_denied"))
    );
    assert_eq!(status(&app, &grace).await, 200);
}

#[tokio::test]
async fn a_denied_refresh_ends_the_answers_that_are_being_written() {
    let model = FakeModel::scripted([Reply::text(["a"]).and_hold()])
        .await
        .unwrap();
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        ..options()
    })
    .await;
    let secret = start(&app, json!({}), json!({})).await;
    let answer = app
        .post("/v1/chatkit/conversation")
        .bearer_auth(&secret)
        .json(&new_message("hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let (code, _) = refresh(&app, json!({ "role": "gone" }), &secret).await;
    assert_eq!(code, 403);
    app.state.revocations.look(&*app.state.credentials).await;
    let stream = answer.text().await.unwrap();
    assert!(stream.contains("\"type\":\"error\""), "{stream}");
}
