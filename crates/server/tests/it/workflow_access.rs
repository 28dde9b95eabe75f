//! Which credential reaches which workflow: a workflow is open only where somebody opened it.

use std::{sync::Arc, time::Duration};

use auth::{
    Environment, Identity,
    client_secret::NewChatSession,
    ports::{OpenedBy, PublicTokenRecord, Quotas},
    public_token::NewPublicToken,
    rule::{Condition, EntryRule, Outcome, Terms, Test},
    server_key::user_of,
};
use reqwest::{Response, header};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::harness::{
    APP_ORIGIN, GOOD_COOKIE, ISSUER, Options, TestApp, WORKFLOWS, new_message, session_server,
};

const LOCAL_PAGE: &str = "http://localhost:3000";

/// The whole matrix. The columns are the workflows of the harness: the default one, one that is open,
/// one that a rule adds for experts and that is all the project `bound` lists, one that a rule pins for
/// staff, one that nobody gives, and one that does not exist.
const EXPECTED: &str = "
                          default open added pinned closed unknown
start_by_token            ok      ok   no    no     no     no
start_by_cookie           ok      ok   no    no     no     no
start_by_exchange         ok      ok   no    no     no     no
start_of_an_expert        ok      ok   ok    no     no     no
exchange_of_an_expert     ok      ok   ok    no     no     no
start_of_staff            no      no   no    ok     no     no
exchange_of_staff         no      no   no    ok     no     no
session_of_a_user         ok      ok   no    no     no     no
session_of_an_expert      ok      ok   ok    no     no     no
session_of_staff          no      no   no    ok     no     no
token_that_names_it       ok      ok   ok    ok     ok     no
session_of_a_visitor      ok      no   no    no     no     no
server_key                ok      ok   ok    ok     ok     no
server_key_of_a_bound_one   no      no   ok    no     no     no
session_of_a_key          ok      ok   ok    ok     ok     no
session_of_a_bound_key      no      no   ok    no     no     no
";

#[tokio::test]
async fn every_credential_reaches_the_workflows_that_are_opened_to_it_and_no_other() {
    let app = with_rules().await;
    let columns = [&WORKFLOWS[..], &["wf_unknown"]].concat();
    for line in EXPECTED.lines().map(str::trim).skip(2) {
        let mut cells = line.split_whitespace();
        let Some(row) = cells.next() else { continue };
        for (workflow, expected) in columns.iter().zip(cells) {
            let status = ask(&app, row, workflow).await.status().as_u16();
            let found = if status == 200 { "ok" } else { "no" };
            assert_eq!(found, expected, "{row} {workflow}: {status}");
            assert!(status < 500, "{row} {workflow}: {status}");
        }
    }
}

#[tokio::test]
async fn no_answer_tells_a_closed_workflow_from_one_that_never_was() {
    let app = with_rules().await;
    let rows = EXPECTED.lines().skip(2);
    for row in rows.filter_map(|line| line.split_whitespace().next()) {
        // The names are equally long, so that nothing but the name itself may differ.
        let (closed, never) = ("wf_closed", "wf_nobody");
        if ask(&app, row, closed).await.status() == 200 {
            continue;
        }
        let observe = async |workflow: &str| {
            let answer = ask(&app, row, workflow).await;
            let status = answer.status().as_u16();
            let headers: Vec<String> = answer
                .headers()
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"))
                .map(|(name, value)| format!("{name}: {value:?}"))
                .collect();
            let body = answer.text().await.unwrap();
            (status, headers, body.replace(workflow, "…"))
        };
        assert_eq!(observe(closed).await, observe(never).await, "{row}");
    }
}

#[tokio::test]
async fn door_three_answers_with_the_workflow_that_a_rule_pins_and_its_models_only() {
    let app = with_rules().await;
    // No workflow of the harness offers a model beside its own, so no pick opens another one.
    for role in ["staff", "expert", "member"] {
        let mut message = new_message("hello");
        message["params"]["input"]["inference_options"] = json!({ "model": "of-another-workflow" });
        let answer = app
            .post("/api/chat")
            .bearer_auth(app.token_with(json!({ "role": role })))
            .json(&message)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{role}");
    }
}

#[tokio::test]
async fn a_session_whose_workflow_is_closed_by_now_is_told_so_and_sent_to_the_door() {
    let app = with_rules().await;
    let answer = ask(&app, "session_of_a_user", "wf_closed").await;
    assert_eq!(answer.status(), 401);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], "workflow_closed");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("start a new chat"), "{message}");
}

async fn with_rules() -> TestApp {
    TestApp::with(Options {
        rules: rules(),
        sessions: Some(session_server().await),
        ..Options::default()
    })
    .await
}

/// Staff has one workflow and no other; experts have one beside those that everybody has.
pub(crate) fn rules() -> Vec<EntryRule> {
    let rule = |role: &str, terms| EntryRule {
        name: role.to_owned(),
        issuer: None,
        conditions: vec![Condition {
            path: vec!["role".to_owned()],
            test: Test::OneOf(vec![json!(role)]),
        }],
        outcome: Outcome::Enter(terms),
    };
    let pinned = Terms {
        workflow: Some("wf_pinned".to_owned()),
        ..Terms::default()
    };
    let added = Terms {
        workflows: vec!["wf_added".to_owned()],
        ..Terms::default()
    };
    vec![rule("staff", pinned), rule("expert", added)]
}

async fn ask(app: &TestApp, row: &str, workflow: &str) -> Response {
    let start = |role: &str| {
        app.post("/api/chatkit/start")
            .bearer_auth(app.token_with(json!({ "role": role })))
            .json(&json!({ "workflow": workflow }))
    };
    let request = match row {
        "start_by_token" => start("member"),
        "start_of_an_expert" => start("expert"),
        "start_of_staff" => start("staff"),
        "start_by_cookie" => app
            .post("/api/chatkit/start")
            .header(header::COOKIE, GOOD_COOKIE)
            .header(header::ORIGIN, APP_ORIGIN)
            .json(&json!({ "workflow": workflow })),
        "start_by_exchange" => exchange(app, "member", workflow),
        "exchange_of_an_expert" => exchange(app, "expert", workflow),
        "exchange_of_staff" => exchange(app, "staff", workflow),
        "session_of_a_user" => me(app, &session_of(app, "member", workflow).await),
        "session_of_an_expert" => me(app, &session_of(app, "expert", workflow).await),
        "session_of_staff" => me(app, &session_of(app, "staff", workflow).await),
        "token_that_names_it" => {
            let (text, _) = public_token(app, Some(workflow)).await;
            app.post("/api/chatkit/visitor")
                .bearer_auth(text)
                .header(header::ORIGIN, LOCAL_PAGE)
        }
        "session_of_a_visitor" => {
            let (_, token) = public_token(app, None).await;
            me(app, &session_of_visitor(app, &token, workflow).await)
        }
        "server_key" => session_by_key(app, "main", workflow).await,
        "server_key_of_a_bound_one" => session_by_key(app, "bound", workflow).await,
        "session_of_a_key" => me(app, &session_of_key(app, "main", workflow).await),
        "session_of_a_bound_key" => me(app, &session_of_key(app, "bound", workflow).await),
        other => panic!("{other} is not a row"),
    };
    request.send().await.unwrap()
}

fn exchange(app: &TestApp, role: &str, workflow: &str) -> reqwest::RequestBuilder {
    let token = app.token_with(json!({ "role": role }));
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("subject_token", &token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("audience", workflow),
        ])
        .finish();
    app.post("/api/chatkit/start")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body)
}

fn me(app: &TestApp, secret: &str) -> reqwest::RequestBuilder {
    app.get("/api/chatkit/me").bearer_auth(secret)
}

/// A session as it may have been opened under another configuration.
async fn open(app: &TestApp, identity: &Identity, workflow: &str, opened_by: OpenedBy) -> String {
    let new = NewChatSession {
        identity,
        workflow: workflow.to_owned(),
        origins: Vec::new(),
        state: Map::new(),
        opened_by,
        secret_lifetime: Duration::from_mins(5),
        is_renewable: true,
    };
    let now = app.state.now().wall;
    let issued = app.state.client_secrets.open(new, now).await.unwrap();
    issued.secret.expose_secret().to_owned()
}

async fn session_of(app: &TestApp, role: &str, workflow: &str) -> String {
    let claims = json!({ "role": role }).as_object().unwrap().clone();
    let until = app.state.now().wall.plus(Duration::from_mins(5));
    let identity =
        Identity::new(ISSUER, "ada", Arc::new(claims), Environment::Live, until).unwrap();
    open(app, &identity, workflow, OpenedBy::User).await
}

async fn session_of_visitor(app: &TestApp, token: &PublicTokenRecord, workflow: &str) -> String {
    let now = app.state.now().wall;
    let until = now.plus(Duration::from_mins(5));
    let tokens = &app.state.public_tokens;
    let visitor = tokens.visit(token, None, until, now).await.unwrap();
    let by = OpenedBy::PublicToken(token.id.clone());
    open(app, &visitor.identity, workflow, by).await
}

async fn session_of_key(app: &TestApp, project: &str, workflow: &str) -> String {
    let now = app.state.now().wall;
    let keys = &app.state.server_keys;
    let created = keys.create("test", project, Environment::Live, now).await;
    let (_, key) = created.unwrap();
    let identity = user_of(&key, "customer-7", now.plus(Duration::from_mins(5))).unwrap();
    open(app, &identity, workflow, OpenedBy::ServerKey(key.id)).await
}

async fn session_by_key(app: &TestApp, project: &str, workflow: &str) -> reqwest::RequestBuilder {
    let now = app.state.now().wall;
    let keys = &app.state.server_keys;
    let created = keys.create("test", project, Environment::Live, now).await;
    let (key, _) = created.unwrap();
    app.post("/v1/chatkit/sessions")
        .bearer_auth(key.expose_secret())
        .header("OpenAI-Beta", "chatkit_beta=v1")
        .json(&json!({ "user": "customer-7", "workflow": { "id": workflow } }))
}

async fn public_token(app: &TestApp, workflow: Option<&str>) -> (String, PublicTokenRecord) {
    let new = NewPublicToken {
        label: "test".to_owned(),
        environment: Environment::Test,
        origins: Vec::new(),
        workflow: workflow.map(str::to_owned),
        quotas: Quotas::default(),
    };
    let now = app.state.now().wall;
    let created = app.state.public_tokens.create(new, now).await;
    let (text, record) = created.unwrap();
    (text.expose_secret().to_owned(), record)
}
