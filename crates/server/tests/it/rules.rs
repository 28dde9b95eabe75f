//! `[[rule]]`: what a login's claims decide at the doors.

use std::{sync::Arc, time::Duration};

use auth::{
    Environment, Identity,
    client_secret::NewChatSession,
    ports::{ChatSessionFilter, OpenedBy},
    rule::{Condition, EntryRule, Outcome, Terms, Test},
};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use server::{Rate, Rates};

use crate::harness::{GOOD_COOKIE, ISSUER, Options, TestApp, new_message, session_server};

fn rule(claim: &str, value: Value, outcome: Outcome) -> EntryRule {
    EntryRule {
        name: claim.to_owned(),
        issuer: None,
        conditions: vec![Condition {
            path: vec![claim.to_owned()],
            test: Test::OneOf(vec![value]),
        }],
        outcome,
    }
}

async fn with(rules: Vec<EntryRule>) -> TestApp {
    let options = Options {
        rules,
        ..Options::default()
    };
    TestApp::with(options).await
}

async fn start(app: &TestApp, claims: Value, body: Value) -> (u16, Value) {
    let token = app.token_with(claims);
    let request = app
        .post("/api/chatkit/start")
        .bearer_auth(token)
        .json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_rule_keeps_people_out_of_every_door_with_its_sentence() {
    let sentence = "ask your administrator for the chat";
    let deny = Outcome::Deny(sentence.to_owned());
    let app = with(vec![rule("role", json!("guest"), deny)]).await;
    let guest = json!({ "sub": "eve", "role": "guest" });
    let (status, body) = start(&app, guest.clone(), json!({})).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &json!("entry_denied"))
    );
    assert_eq!(body["error"]["message"], sentence);
    let token = app.token_with(guest);
    for path in ["/api/chat", "/chatkit"] {
        let request = app
            .post(path)
            .bearer_auth(&token)
            .json(&new_message("hello"));
        assert_eq!(request.send().await.unwrap().status(), 403, "{path}");
    }
    assert_eq!(
        start(&app, json!({ "role": "member" }), json!({})).await.0,
        200
    );
    assert_eq!(start(&app, json!({}), json!({})).await.0, 200);
}

#[tokio::test]
async fn a_rule_holds_for_sessions_that_are_open_and_for_cookies() {
    let deny = || Outcome::Deny("no".to_owned());
    let options = Options {
        rules: vec![
            rule("role", json!("guest"), deny()),
            rule("name", json!("Ada"), deny()),
        ],
        sessions: Some(session_server().await),
        ..Options::default()
    };
    let app = TestApp::with(options).await;
    // Opened before there was a rule: by now the doors would not.
    let now = app.state.now().wall;
    let open = async |role: &str| {
        let claims = json!({ "role": role }).as_object().unwrap().clone();
        let until = now.plus(Duration::from_mins(10));
        let live = Environment::Live;
        let identity = Identity::new(ISSUER, "eve", Arc::new(claims), live, until).unwrap();
        let new = NewChatSession {
            identity: &identity,
            workflow: "wf_test".to_owned(),
            origins: Vec::new(),
            state: Map::new(),
            opened_by: OpenedBy::User,
            secret_lifetime: Duration::from_mins(5),
            is_renewable: true,
        };
        app.state
            .client_secrets
            .open(new, now)
            .await
            .unwrap()
            .secret
    };
    for (role, expected) in [("guest", 403), ("member", 200)] {
        let secret = open(role).await;
        let request = app
            .get("/api/chatkit/me")
            .bearer_auth(secret.expose_secret());
        assert_eq!(request.send().await.unwrap().status(), expected, "{role}");
    }
    let cookie = app.get("/api/chatkit/me").header("cookie", GOOD_COOKIE);
    assert_eq!(cookie.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_rule_chooses_the_workflow_and_there_is_no_other_for_them() {
    let staff = Outcome::Enter(Terms {
        workflow: Some("wf_test".to_owned()),
        ..Terms::default()
    });
    let app = with(vec![rule("role", json!("staff"), staff)]).await;
    let staff = || json!({ "role": "staff" });
    assert_eq!(start(&app, staff(), json!({})).await.0, 200);
    assert_eq!(
        start(&app, staff(), json!({ "workflow": "wf_test" }))
            .await
            .0,
        200
    );
    let (status, body) = start(&app, staff(), json!({ "workflow": "wf_other" })).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (404, &json!("workflow_not_found"))
    );
    let sessions = app
        .state
        .credentials
        .list_chat_sessions(&ChatSessionFilter::default(), 10)
        .await;
    assert!(
        sessions
            .unwrap()
            .iter()
            .all(|session| session.workflow == "wf_test")
    );
}

#[tokio::test]
async fn a_rule_sets_the_quota_and_the_rest_keeps_the_usual_one() {
    let few = Outcome::Enter(Terms {
        turns_per_minute: Some(2),
        ..Terms::default()
    });
    let none = Outcome::Enter(Terms {
        turns_at_once: Some(1),
        turns_per_minute: Some(0),
        ..Terms::default()
    });
    let options = Options {
        rules: vec![
            rule("plan", json!("free"), few),
            rule("plan", json!("paid"), none),
        ],
        rates: Rates {
            turns_per_user: Rate::per_minute(3),
            ..Options::default().rates
        },
        ..Options::default()
    };
    let app = TestApp::with(options).await;
    for (user, plan, allowed) in [
        ("ada", json!("free"), 2),
        ("grace", json!(null), 3),
        ("eve", json!("paid"), 5),
    ] {
        let token = app.token_with(json!({ "sub": user, "plan": plan }));
        for turn in 0..5 {
            let request = app
                .post("/api/chat")
                .bearer_auth(&token)
                .json(&new_message("hello"));
            let answer = request.send().await.unwrap();
            let expected = if turn < allowed { 200 } else { 429 };
            assert_eq!(answer.status(), expected, "{user} {turn}");
            answer.text().await.unwrap();
        }
    }
}
