//! Rows that were written by a released build must be read by every later one.
//!
//! The texts below are rows of form 1. When a change to a record breaks this test, do not change the texts: add a form
//! in `rows.rs` and teach it to read this one. (The form of threads and items is pinned by the golden files of the
//! `protocol` crate, which are the wire's as well.)

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use auth::ports::{ChatSessionRecord, OpenedBy, PublicTokenRecord, Quotas, ServerKeyRecord};
use auth::{Environment, UnixTime};
use engine::Owner;
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};
use store::{Options, connect};

const THREAD: &str = r#"{"id":"thr_1","title":"Fruit","created_at":"2026-01-23T16:15:25.515839Z","status":{"type":"locked","reason":"lunch"},"allowed_image_domains":["images.example"],"metadata":{"note":1}}"#;

const ITEM: &str = r#"{"type":"assistant_message","id":"msg_1","thread_id":"thr_1","created_at":"2026-01-23T16:15:25.515839Z","content":[{"type":"output_text","text":"Apples","annotations":[]}]}"#;

const SESSION: &str = r#"{"id":"cksess_1","issuer":"https://issuer.example","subject":"ada","claims":{"name":"Ada"},"environment":"live","workflow":"wf_demo","origins":["https://app.example"],"state":{"plan":"gold"},"opened_by":{"kind":"public_token","id":"pkt_1"},"created_at":1,"ends_at":100,"ended":null}"#;

const PUBLIC_TOKEN: &str = r#"{"id":"pkt_1","digest":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"hint":"pk_live_ab","label":"shop","environment":"live","origins":["https://shop.example"],"workflow":null,"quotas":{"visitors_per_ip_per_hour":30,"messages_per_visitor_per_hour":60,"messages_per_token_per_day":5000},"created_at":1,"revoked_at":null}"#;

const SERVER_KEY: &str = r#"{"id":"key_1","digest":[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2],"hint":"sk_ab","label":"","project":"default","environment":"test","created_at":1,"revoked_at":null}"#;

fn session() -> ChatSessionRecord {
    ChatSessionRecord {
        id: "cksess_1".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        subject: "ada".to_owned(),
        claims: Map::from_iter([("name".to_owned(), json!("Ada"))]),
        environment: Environment::Live,
        workflow: "wf_demo".to_owned(),
        origins: vec!["https://app.example".to_owned()],
        state: Map::from_iter([("plan".to_owned(), json!("gold"))]),
        opened_by: OpenedBy::PublicToken("pkt_1".to_owned()),
        created_at: UnixTime::from_seconds(1),
        ends_at: UnixTime::from_seconds(100),
        ended: None,
    }
}

fn public_token() -> PublicTokenRecord {
    PublicTokenRecord {
        id: "pkt_1".to_owned(),
        digest: [1; 32],
        hint: "pk_live_ab".to_owned(),
        label: "shop".to_owned(),
        environment: Environment::Live,
        origins: vec!["https://shop.example".to_owned()],
        workflow: None,
        quotas: Quotas::default(),
        created_at: UnixTime::from_seconds(1),
        revoked_at: None,
    }
}

fn server_key() -> ServerKeyRecord {
    ServerKeyRecord {
        id: "key_1".to_owned(),
        digest: [2; 32],
        hint: "sk_ab".to_owned(),
        label: String::new(),
        project: "default".to_owned(),
        environment: Environment::Test,
        created_at: UnixTime::from_seconds(1),
        revoked_at: None,
    }
}

#[tokio::test]
async fn rows_of_form_1_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let url = format!("sqlite://{}", path.display());
    drop(connect(&url, Options::default()).await.unwrap());
    let raw = Connection::open(&path).unwrap();
    for (sql, data) in [
        (
            "INSERT INTO threads (key, owner, id, created_at, version, data)
             VALUES (1, 'https://issuer.example ada', 'thr_1', 1, 1, ?1)",
            THREAD,
        ),
        (
            "INSERT INTO items (thread, id, version, data) VALUES (1, 'msg_1', 1, ?1)",
            ITEM,
        ),
        (
            "INSERT INTO chat_sessions (id, issuer, subject, environment, opened_by, opened_by_id,
                 created_at, ends_at, version, data)
             VALUES ('cksess_1', 'https://issuer.example', 'ada', 'live', 'public_token', 'pkt_1',
                 1, 100, 1, ?1)",
            SESSION,
        ),
        (
            "INSERT INTO public_tokens (id, digest, version, data)
             VALUES ('pkt_1', x'0101010101010101010101010101010101010101010101010101010101010101',
                 1, ?1)",
            PUBLIC_TOKEN,
        ),
        (
            "INSERT INTO server_keys (id, digest, version, data)
             VALUES ('key_1', x'0202020202020202020202020202020202020202020202020202020202020202',
                 1, ?1)",
            SERVER_KEY,
        ),
    ] {
        raw.execute(sql, params![data]).unwrap();
    }

    let database = connect(&url, Options::default()).await.unwrap();
    let owner = Owner::new("https://issuer.example ada");
    let thread = database
        .thread(&owner, &"thr_1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(as_json(&thread), parsed(THREAD));
    let item = database
        .item(&owner, &thread.id, &"msg_1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(as_json(&item), parsed(ITEM));
    let found = database.find_chat_session("cksess_1").await.unwrap();
    assert_eq!(found, Some(session()));
    let found = database.find_public_token(&[1; 32]).await.unwrap();
    assert_eq!(found, Some(public_token()));
    let found = database.find_server_key(&[2; 32]).await.unwrap();
    assert_eq!(found, Some(server_key()));
}

/// When this fails and the test above does not, old rows are still read, but new ones look different: an older build
/// that is started again after an upgrade could not read them. Decide on a new form.
#[test]
fn what_is_written_today_is_form_1() {
    assert_eq!(as_json(&session()), parsed(SESSION));
    // An older build skips this field, and without it a newer one takes the default.
    let mut token = parsed(PUBLIC_TOKEN);
    token["quotas"]["visitors_per_token_per_hour"] = json!(1_000);
    assert_eq!(as_json(&public_token()), token);
    assert_eq!(as_json(&server_key()), parsed(SERVER_KEY));
}

fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
