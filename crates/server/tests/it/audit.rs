//! What is written down about everybody who comes, and what never is.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
};

use auth::audit::{AuditEntry, AuditEvent, Door};
use reqwest::header;
use serde_json::{Value, json};
use server::{Rate, Rates};
use testkit::fake_model::{FakeModel, Reply};

use crate::{
    credentials::visitor_cookie,
    harness::{
        APP_ORIGIN, FOREIGN_ORIGIN, GOOD_COOKIE, ISSUER, Options, TestApp, new_message,
        session_server,
    },
};

const QUESTION: &str = "a question that nobody else asks";
const ANSWER: &str = "an answer that nobody else gives";
const LOCAL_PAGE: &str = "http://localhost:3000";

/// Everything that is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

fn kinds(entries: &[AuditEntry]) -> BTreeSet<&'static str> {
    entries
        .iter()
        .map(|entry| entry.record.event.kind())
        .collect()
}

async fn refresh(app: &TestApp, user: &str, secret: &str) -> Option<String> {
    let answer = app
        .post("/api/chatkit/refresh")
        .bearer_auth(app.token(user))
        .json(&json!({ "currentClientSecret": secret }))
        .send()
        .await
        .unwrap();
    let body: Value = answer.json().await.unwrap();
    body["client_secret"].as_str().map(str::to_owned)
}

async fn status(app: &TestApp, path: &str, bearer: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = app
        .post(path)
        .bearer_auth(bearer)
        .json(&new_message(QUESTION));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    answer.text().await.unwrap();
    status
}

#[tokio::test]
async fn s12_a_whole_journey_leaves_its_traces_and_no_secret() {
    let log = Log::start();
    let model = FakeModel::scripted(vec![Reply::text([ANSWER]); 20])
        .await
        .unwrap();
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        sessions: Some(session_server().await),
        rates: Rates {
            secrets_per_user: Rate::per_minute(6),
            ..Options::default().rates
        },
        ..Options::default()
    })
    .await;
    let mut secrets = vec![
        app.public_token.clone(),
        app.live_public_token.clone(),
        app.server_key.clone(),
        GOOD_COOKIE.split_once('=').unwrap().1.to_owned() + ";",
    ];
    let chat = "/v1/chatkit/conversation";

    // Door 1: start, speak, refresh, an honest retry, and a copy that comes back.
    let jwt = app.token("ada");
    let first = app.client_secret("ada").await;
    assert_eq!(status(&app, chat, &first, &[]).await, 200);
    let second = refresh(&app, "ada", &first).await.unwrap();
    assert_eq!(refresh(&app, "ada", &first).await, Some(second.clone()));
    app.clock.advance(40);
    assert_eq!(refresh(&app, "ada", &first).await, None);
    assert_eq!(status(&app, chat, &second, &[]).await, 401);
    secrets.extend([jwt.clone(), first, second]);

    // Door 2: a visitor who comes, speaks and comes back.
    let cookie = visitor_cookie(&app).await;
    let page = [(header::ORIGIN.as_str(), LOCAL_PAGE)];
    let with_cookie = [page[0], (header::COOKIE.as_str(), &cookie)];
    let answer = app
        .post("/api/chatkit/visitor")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, LOCAL_PAGE)
        .header(header::COOKIE, &cookie)
        .send()
        .await
        .unwrap();
    let body: Value = answer.json().await.unwrap();
    let visitors = body["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(status(&app, chat, &visitors, &page).await, 200);
    assert_eq!(
        status(&app, chat, &app.public_token, &with_cookie).await,
        200
    );
    secrets.push(visitors);
    secrets.push(cookie.split_once('=').unwrap().1.to_owned());

    // Door 3: a token twice, a cookie.
    for _ in 0..2 {
        assert_eq!(status(&app, "/api/chat", &jwt, &[]).await, 200);
    }
    let by_cookie = app
        .post("/api/chat")
        .header(header::COOKIE, GOOD_COOKIE)
        .header(header::ORIGIN, APP_ORIGIN)
        .json(&new_message(QUESTION))
        .send()
        .await
        .unwrap();
    assert_eq!(by_cookie.status(), 200);
    by_cookie.text().await.unwrap();

    // Those who are not let in.
    let forged = format!("{}AAAA", &jwt[..jwt.len() - 4]);
    let foreign = [(header::ORIGIN.as_str(), FOREIGN_ORIGIN)];
    let not_an_origin = [(header::ORIGIN.as_str(), jwt.as_str())];
    let other = [("x-user-id", "grace")];
    for (bearer, headers, expected) in [
        (forged.as_str(), &[][..], 401),
        (&app.server_key, &[], 401),
        (&jwt, &foreign, 403),
        (&jwt, &not_an_origin, 403),
        (&jwt, &other, 403),
    ] {
        assert_eq!(
            status(&app, "/api/chat", bearer, headers).await,
            expected,
            "{headers:?}"
        );
    }
    secrets.push(forged);
    // And one who asks too often.
    let mut statuses = BTreeSet::new();
    for _ in 0..8 {
        statuses.insert(status(&app, "/api/chatkit/start", &app.token("eve"), &[]).await);
    }
    assert_eq!(statuses, BTreeSet::from([200, 429]));

    let entries = app.audit().await;
    let expected = [
        "entered",
        "session_opened",
        "visitor_created",
        "secret_rotated",
        "secret_replayed",
        "secret_reused",
        "refused",
        "limit_reached",
    ];
    assert_eq!(kinds(&entries), BTreeSet::from(expected));

    // What must never be written is looked for in the log, the tables as they are, and the export.
    secrets.extend([QUESTION.to_owned(), ANSWER.to_owned()]);
    let export = serde_json::to_string(&entries).unwrap();
    let tables = app
        .rows(
            "SELECT kind || ' ' || coalesce(session_id, '') || ' ' || data FROM audit_log
             UNION ALL SELECT subject || ' ' || issuer || ' ' || address FROM audit_parties
             UNION ALL SELECT origin FROM refusals",
        )
        .join("\n");
    // The driver says what it sends, at `debug`, as other libraries do; the binary keeps them all out of its log.
    let log: String = log
        .text()
        .lines()
        .filter(|line| !line.contains("tokio_postgres"))
        .flat_map(|line| [line, "\n"])
        .collect();
    for (name, text, must_have) in [
        ("the export", &export, "secret_reused"),
        ("the tables", &tables, "bad_signature"),
        ("the log", &log, "token_hash="),
    ] {
        assert!(text.contains(must_have), "{name} is empty");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {name}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_is_one_line_of_the_log_a_minute() {
    let log = Log::start();
    let app = TestApp::start().await;
    let refuse = || async {
        let request = app.request("GET".parse().unwrap(), "/api/chatkit/me");
        let answer = request.bearer_auth("e30.e30.e30").send().await.unwrap();
        assert_eq!(answer.status(), 401);
    };
    let lines = || {
        let text = log.text();
        let news = text.lines().filter(|line| line.contains(" INFO "));
        news.filter(|line| line.contains("/api/chatkit/me")).count()
    };
    refuse().await;
    refuse().await;
    assert_eq!(lines(), 1, "{}", log.text());
    app.clock.advance(60);
    refuse().await;
    assert_eq!(lines(), 2, "{}", log.text());
}

#[tokio::test]
async fn an_entry_says_who_by_which_door_and_from_where() {
    let app = TestApp::start().await;
    let answer = app
        .post("/api/chatkit/start")
        .bearer_auth(app.token("ada"))
        .header(header::ORIGIN, APP_ORIGIN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    visitor_cookie(&app).await;
    for _ in 0..3 {
        // Once for each login, not for each request.
        app.chat("grace", &json!({ "type": "threads.list", "params": {} }))
            .await;
    }
    let entries = app.audit().await;
    assert_eq!(
        kinds(&entries),
        BTreeSet::from(["session_opened", "visitor_created", "entered"])
    );
    let find = |kind: &str, door: Door| {
        let mut found = entries
            .iter()
            .filter(|entry| entry.record.event.kind() == kind && entry.record.door == Some(door));
        let entry = found.next().unwrap();
        assert!(found.next().is_none(), "{kind} twice");
        &entry.record
    };
    let opened = find("session_opened", Door::ClientSecret);
    let user = opened.user.as_ref().unwrap();
    assert_eq!(
        (user.issuer.as_str(), user.subject.as_str()),
        (ISSUER, "ada")
    );
    assert_eq!(opened.origin.as_deref(), Some(APP_ORIGIN));
    assert_eq!(opened.address.as_deref(), Some("127.0.0.1"));
    assert!(opened.session_id.as_ref().unwrap().starts_with("cksess_"));
    let entered = find("entered", Door::Custom);
    assert_eq!(entered.user.as_ref().unwrap().subject, "grace");
    let visitor = find("session_opened", Door::PublicToken);
    let created = find("visitor_created", Door::PublicToken);
    assert_eq!(visitor.user, created.user);
    assert!(visitor.user.as_ref().unwrap().subject.starts_with("vis_"));
}

#[tokio::test]
async fn a_flood_of_refusals_is_two_entries_a_minute() {
    let app = TestApp::start().await;
    for _ in 0..50 {
        let answer = app.post("/api/chat").bearer_auth("rubbish").send().await;
        assert_eq!(answer.unwrap().status(), 401);
    }
    app.clock.advance(60);
    let entries = app.audit().await;
    let counts: Vec<u32> = entries.iter().map(|entry| entry.record.count).collect();
    assert_eq!(counts, [1, 49]);
    for entry in &entries {
        assert!(matches!(entry.record.event, AuditEvent::Refused { .. }));
        assert_eq!(entry.record.door, Some(Door::Custom));
    }
}
