//! The hosted API: sessions, threads and items, as a server that holds a key sees them.

use auth::Environment;
use base64::Engine as _;
use protocol::{ItemId, ThreadId, item};
use reqwest::{Method, RequestBuilder, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use server::{Takes, router::ROUTES};

use crate::harness::{APP_ORIGIN, START, TestApp, events, new_message};

/// A request with a key and the beta header.
pub(crate) fn call(app: &TestApp, key: &str, method: Method, path: &str) -> RequestBuilder {
    app.request(method, path)
        .bearer_auth(key)
        .header("openai-beta", "chatkit_beta=v1")
}

async fn read(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

async fn get(app: &TestApp, path: &str) -> (u16, Value) {
    read(call(app, &app.server_key, Method::GET, path)).await
}

/// Opens a session with these fields over the least that is needed.
pub(crate) async fn open(app: &TestApp, key: &str, user: &str, fields: Value) -> Value {
    let mut body = json!({ "user": user, "workflow": { "id": "wf_test" } });
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let request = call(app, key, Method::POST, "/v1/chatkit/sessions").json(&body);
    let (status, session) = read(request).await;
    assert_eq!(status, 200, "{session}");
    session
}

/// One ChatKit request with a client secret.
pub(crate) async fn converse(app: &TestApp, secret: &Value, body: &Value) -> (u16, String) {
    let answer = app
        .post("/v1/chatkit/conversation")
        .bearer_auth(secret.as_str().unwrap())
        .json(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Begins a thread for a user; gives its id.
pub(crate) async fn thread_of(app: &TestApp, key: &str, user: &str, text: &str) -> String {
    let session = open(app, key, user, json!({})).await;
    let (status, stream) = converse(app, &session["client_secret"], &new_message(text)).await;
    assert_eq!(status, 200, "{stream}");
    let events = events(&stream);
    events[0]["thread"]["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn key_of(app: &TestApp, project: &str, environment: Environment) -> String {
    let keys = &app.state.server_keys;
    let made = keys.create("", project, environment, app.state.now().wall);
    made.await.unwrap().0.expose_secret().to_owned()
}

#[tokio::test]
async fn a_session_has_every_field_and_its_documented_default() {
    let app = TestApp::start().await;
    let session = open(&app, &app.server_key, "customer 7", json!({})).await;
    let (id, secret) = (session["id"].clone(), session["client_secret"].clone());
    assert!(id.as_str().unwrap().starts_with("cksess_"), "{session}");
    assert_eq!(
        session,
        json!({
            "id": id, "object": "chatkit.session", "expires_at": START + 600,
            "client_secret": secret,
            "workflow": {
                "id": "wf_test", "version": null, "state_variables": null,
                "tracing": { "enabled": true },
            },
            "user": "customer 7",
            "rate_limits": { "max_requests_per_1_minute": 10 },
            "max_requests_per_1_minute": 10,
            "status": "active",
            "chatkit_configuration": {
                "automatic_thread_titling": { "enabled": true },
                "file_upload": { "enabled": false, "max_file_size": 512, "max_files": 10 },
                "history": { "enabled": true, "recent_threads": null },
            },
        })
    );
    // The secret carries its expiry where code that was written for the hosted one looks for it.
    let (_, expiry) = secret.as_str().unwrap().split_once("_00").unwrap();
    let expiry = base64::engine::general_purpose::STANDARD
        .decode(expiry)
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&expiry).unwrap(),
        json!({ "expires_at": START + 600 })
    );
}

#[tokio::test]
async fn a_session_keeps_what_it_was_opened_with_and_is_cancelled_with_it() {
    let app = TestApp::start().await;
    let fields = json!({
        "workflow": {
            "id": "wf_test", "state_variables": { "plan": "pro", "seats": 3 },
            "tracing": { "enabled": false },
        },
        "expires_after": { "anchor": "created_at", "seconds": 90 },
        "rate_limits": { "max_requests_per_1_minute": 4 },
        "chatkit_configuration": {
            "automatic_thread_titling": { "enabled": false },
            "file_upload": { "enabled": true, "max_file_size": 3, "max_files": 2 },
            "history": { "enabled": true, "recent_threads": 5 },
        },
    });
    let session = open(&app, &app.server_key, "ada", fields.clone()).await;
    assert_eq!(session["expires_at"], START + 90);
    assert_eq!(session["max_requests_per_1_minute"], 4);
    for name in ["rate_limits", "chatkit_configuration"] {
        assert_eq!(session[name], fields[name]);
    }
    assert_eq!(session["workflow"]["version"], Value::Null);
    for name in ["state_variables", "tracing"] {
        assert_eq!(session["workflow"][name], fields["workflow"][name]);
    }

    let path = format!(
        "/v1/chatkit/sessions/{}/cancel",
        session["id"].as_str().unwrap()
    );
    let list = json!({ "type": "threads.list", "params": {} });
    assert_eq!(
        converse(&app, &session["client_secret"], &list).await.0,
        200
    );
    let mut expected = session.clone();
    expected["status"] = json!("cancelled");
    expected["client_secret"] = json!("");
    for _ in 0..2 {
        let cancelled = read(call(&app, &app.server_key, Method::POST, &path)).await;
        assert_eq!(cancelled, (200, expected.clone()));
    }
    let (status, text) = converse(&app, &session["client_secret"], &list).await;
    assert_eq!(status, 401, "{text}");
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_up() {
    let app = TestApp::start().await;
    let fields = json!({ "expires_after": { "anchor": "created_at", "seconds": 2 } });
    let session = open(&app, &app.server_key, "ada", fields).await;
    let list = json!({ "type": "threads.list", "params": {} });
    app.clock.advance(1);
    assert_eq!(
        converse(&app, &session["client_secret"], &list).await.0,
        200
    );
    app.clock.advance(1);
    assert_eq!(
        converse(&app, &session["client_secret"], &list).await.0,
        401
    );
    let id = session["id"].as_str().unwrap();
    let path = format!("/v1/chatkit/sessions/{id}/cancel");
    let (status, cancelled) = read(call(&app, &app.server_key, Method::POST, &path)).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("expired")));
    assert_eq!(cancelled["client_secret"], "");
}

#[tokio::test]
async fn threads_are_listed_page_by_page_and_by_user() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for (number, user) in ["ada", "grace", "ada", "grace", "ada"].iter().enumerate() {
        app.clock.advance(1);
        ids.push(thread_of(&app, &app.server_key, user, &format!("{number}")).await);
    }
    let newest_first: Vec<&String> = ids.iter().rev().collect();
    let listed = async |query: &str| -> (Vec<String>, bool) {
        let (status, list) = get(&app, &format!("/v1/chatkit/threads{query}")).await;
        assert_eq!(status, 200, "{query}: {list}");
        assert_eq!(list["object"], "list");
        let data = list["data"].as_array().unwrap();
        let ids: Vec<String> = data
            .iter()
            .map(|thread| thread["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(list["first_id"], json!(ids.first()));
        assert_eq!(list["last_id"], json!(ids.last()));
        (ids, list["has_more"].as_bool().unwrap())
    };
    let page = |numbers: &[usize]| -> Vec<String> {
        numbers.iter().map(|number| ids[*number].clone()).collect()
    };
    let (a, b) = (newest_first[1], newest_first[4]);
    for (query, numbers, has_more) in [
        (String::new(), &[4, 3, 2, 1, 0][..], false),
        ("?order=asc".to_owned(), &[0, 1, 2, 3, 4], false),
        ("?limit=2".to_owned(), &[4, 3], true),
        ("?limit=0".to_owned(), &[], false),
        (
            "?limit=0&after=nothing&before=nothing".to_owned(),
            &[],
            false,
        ),
        (format!("?limit=2&after={a}"), &[2, 1], true),
        (format!("?limit=3&after={a}"), &[2, 1, 0], false),
        (format!("?limit=2&before={b}"), &[2, 1], true),
        (format!("?limit=4&before={b}"), &[4, 3, 2, 1], false),
        (format!("?after={a}&before={b}"), &[2, 1], false),
        (format!("?limit=1&after={a}&before={b}"), &[2], true),
        (format!("?order=asc&limit=2&after={b}"), &[1, 2], true),
        (format!("?order=asc&limit=2&before={a}"), &[1, 2], true),
        ("?user=ada".to_owned(), &[4, 2, 0], false),
        ("?user=ada&limit=1".to_owned(), &[4], true),
        ("?user=grace&order=asc".to_owned(), &[1, 3], false),
        ("?user=nobody".to_owned(), &[], false),
    ] {
        assert_eq!(listed(&query).await, (page(numbers), has_more), "{query}");
    }

    let (_, thread) = get(&app, &format!("/v1/chatkit/threads/{}", ids[1])).await;
    assert_eq!(
        thread,
        json!({
            "id": ids[1], "object": "chatkit.thread", "created_at": START + 2, "title": null,
            "status": { "type": "active" }, "user": "grace",
        })
    );
    assert!(ids[1].starts_with("cthr_"), "{}", ids[1]);
}

#[tokio::test]
async fn items_are_listed_in_the_hosted_form() {
    let app = TestApp::start().await;
    let thread = thread_of(&app, &app.server_key, "ada", "hello").await;
    let (status, list) = get(
        &app,
        &format!("/v1/chatkit/threads/{thread}/items?order=asc"),
    )
    .await;
    assert_eq!(status, 200, "{list}");
    let items = list["data"].as_array().unwrap();
    assert_eq!(
        items[0],
        json!({
            "id": items[0]["id"], "object": "chatkit.thread_item", "created_at": START,
            "thread_id": thread, "type": "chatkit.user_message",
            "content": [{ "type": "input_text", "text": "hello" }],
            "attachments": [], "inference_options": null,
        })
    );
    assert!(items[0]["id"].as_str().unwrap().starts_with("cti_"));
    let answer = items.last().unwrap();
    assert_eq!(answer["type"], "chatkit.assistant_message");
    assert_eq!(answer["content"][0]["type"], "output_text");
    assert_eq!(answer["content"][0]["annotations"], json!([]));
    for item in items {
        assert!(
            item["type"].as_str().unwrap().starts_with("chatkit."),
            "{item}"
        );
    }
    assert_eq!(list["last_id"], answer["id"]);
    let (status, one) = get(
        &app,
        &format!(
            "/v1/chatkit/threads/{thread}/items?limit=1&before={}&order=asc",
            items[1]["id"].as_str().unwrap()
        ),
    )
    .await;
    assert_eq!((status, &one["data"]), (200, &json!([items[0]])));
}

#[tokio::test]
async fn a_page_of_items_is_filled_up_past_what_is_not_shown() {
    let app = TestApp::start().await;
    let thread: ThreadId = "cthr_long".parse().unwrap();
    let now = app.state.engine.clock.now();
    let metadata = serde_json::from_value(json!({ "id": thread, "created_at": now })).unwrap();
    // Each fourth item is shown.
    let items: Vec<protocol::ThreadItem> = (1..=40_u128)
        .map(|number| {
            let (id, thread_id, created_at) = (ItemId::mint(number), thread.clone(), now);
            if number % 4 == 0 {
                item::AssistantMessageItem {
                    id,
                    thread_id,
                    created_at,
                    content: vec![item::AssistantContent::new(number.to_string())],
                }
                .into()
            } else {
                item::SdkHiddenContextItem {
                    id,
                    thread_id,
                    created_at,
                    content: "hidden".to_owned(),
                }
                .into()
            }
        })
        .collect();
    let owner = engine::Owner::new("key:main ada");
    let store = &app.state.engine.store;
    store
        .create_thread(&owner, &metadata, &engine::ports::Change::of(&items))
        .await
        .unwrap();

    for (order, expected) in [
        ("asc", (1..=10).map(|n| n * 4).collect::<Vec<u32>>()),
        ("desc", (1..=10).rev().map(|n| n * 4).collect()),
    ] {
        for limit in [1, 3, 10, 100] {
            for backwards in [false, true] {
                let mut found: Vec<u32> = Vec::new();
                let mut cursor = String::new();
                loop {
                    let path = format!(
                        "/v1/chatkit/threads/{thread}/items?limit={limit}&order={order}{cursor}"
                    );
                    let (status, page) = get(&app, &path).await;
                    assert_eq!(status, 200, "{page}");
                    let texts = page["data"].as_array().unwrap().iter().map(|item| {
                        let text = item["content"][0]["text"].as_str().unwrap();
                        text.parse::<u32>().unwrap()
                    });
                    if backwards && !cursor.is_empty() {
                        found.splice(0..0, texts);
                    } else {
                        found.extend(texts);
                    }
                    if !page["has_more"].as_bool().unwrap() {
                        break;
                    }
                    assert_eq!(page["data"].as_array().unwrap().len(), limit);
                    if backwards {
                        // The first page does for where to begin: everything before its last entry.
                        if cursor.is_empty() {
                            found.clear();
                            let last = ItemId::mint(if order == "asc" { 40 } else { 4 });
                            found.push(if order == "asc" { 40 } else { 4 });
                            cursor = format!("&before={last}");
                        } else {
                            cursor = format!("&before={}", page["first_id"].as_str().unwrap());
                        }
                    } else {
                        cursor = format!("&after={}", page["last_id"].as_str().unwrap());
                    }
                }
                assert_eq!(found, expected, "{order} {limit} {backwards}");
            }
        }
    }
}

#[tokio::test]
async fn a_deleted_thread_is_gone_for_everybody() {
    let app = TestApp::start().await;
    let thread = thread_of(&app, &app.server_key, "ada", "hello").await;
    let path = format!("/v1/chatkit/threads/{thread}");
    let deleted = read(call(&app, &app.server_key, Method::DELETE, &path)).await;
    assert_eq!(
        deleted,
        (
            200,
            json!({ "id": thread, "object": "chatkit.thread.deleted", "deleted": true })
        )
    );
    assert_eq!(get(&app, &path).await.0, 404);
    assert_eq!(get(&app, &format!("{path}/items")).await.0, 404);
    let again = read(call(&app, &app.server_key, Method::DELETE, &path)).await;
    assert_eq!(again.0, 404);
}

/// Every way to point to a thread or a session with a server key, and the same to one that never was.
/// The addresses are the route table's: one that points to something else is an error.
fn pointing_to(thread: &str, session: &str) -> Vec<(Method, String, String)> {
    let mut ways = vec![
        "/v1/chatkit/threads?after={thread_id}",
        "/v1/chatkit/threads?before={thread_id}&user=ada",
    ]
    .into_iter()
    .map(|path| (Method::GET, path))
    .collect::<Vec<_>>();
    let routes = ROUTES
        .iter()
        .filter(|route| route.takes.contains(&Takes::ServerKey) && route.path.contains('{'));
    ways.extend(routes.map(|route| (route.method.clone(), route.path)));
    ways.into_iter()
        .map(|(method, path)| {
            let point = |thread: &str, session: &str| {
                let path = path.replace("{thread_id}", thread);
                let path = path.replace("{session_id}", session);
                assert!(!path.contains('{'), "say how {path} points to an object");
                path
            };
            (
                method,
                point(thread, session),
                point("cthr_404", "cksess_404"),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_key_sees_its_own_project_and_environment_only() {
    let app = TestApp::start().await;
    let (shop, test) = (
        key_of(&app, "shop", Environment::Live).await,
        key_of(&app, "main", Environment::Test).await,
    );
    let thread = thread_of(&app, &app.server_key, "ada", "a secret of Ada's").await;
    let session = open(&app, &app.server_key, "ada", json!({})).await;
    let session = session["id"].as_str().unwrap();
    // A user of an issuer who has the same name, and the keys' users who have.
    app.new_thread("ada", "of the issuer's Ada").await;
    for key in [&shop, &test] {
        thread_of(&app, key, "ada", "another Ada").await;
        for (method, path, missing) in pointing_to(&thread, session) {
            let (status, found) = read(call(&app, key, method.clone(), &path)).await;
            let (expected_status, expected) = read(call(&app, key, method, &missing)).await;
            let found = found
                .to_string()
                .replace(&thread, "X")
                .replace(session, "X");
            let expected = expected
                .to_string()
                .replace("cthr_404", "X")
                .replace("cksess_404", "X");
            assert_eq!((status, &found), (expected_status, &expected), "{path}");
            assert!(matches!(status, 400 | 404), "{path}: {found}");
        }
        let (_, list) = read(call(&app, key, Method::GET, "/v1/chatkit/threads")).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    }
    let (_, list) = get(&app, "/v1/chatkit/threads").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list["data"][0]["id"], json!(thread));
    // Sessions of another door are not a server's to cancel.
    app.client_secret("ada").await;
    let filter = auth::ports::ChatSessionFilter::default();
    for other in app.state.client_secrets.list(&filter, 100).await.unwrap() {
        if other.issuer != "key:main" {
            let path = format!("/v1/chatkit/sessions/{}/cancel", other.id);
            let (status, _) = read(call(&app, &app.server_key, Method::POST, &path)).await;
            assert_eq!(status, 404, "{}", other.issuer);
        }
    }
}

#[tokio::test]
async fn pages_of_the_keys_environment_may_use_its_sessions() {
    let app = TestApp::start().await;
    let test = key_of(&app, "main", Environment::Test).await;
    let list = json!({ "type": "threads.list", "params": {} });
    for (key, origin, status) in [
        (&app.server_key, APP_ORIGIN, 200),
        (&app.server_key, "http://localhost:3000", 403),
        (&test, "http://localhost:3000", 200),
        (&test, APP_ORIGIN, 403),
        (&test, "https://evil.example", 403),
    ] {
        let session = open(&app, key, "ada", json!({})).await;
        let secret = session["client_secret"].as_str().unwrap();
        for (path, body, refusal) in [
            ("/v1/chatkit/conversation", list.clone(), status),
            (
                "/v1/chatkit/domain_keys/verify_hosted",
                json!({ "domain": origin }),
                status,
            ),
        ] {
            let request = app.post(path).bearer_auth(secret).json(&body);
            let answer = request.header(header::ORIGIN, origin).send().await.unwrap();
            assert_eq!(answer.status(), refusal, "{path} {origin}");
        }
        // From the element's own frame or a server there is no such header; the domain is checked all the same.
        let request = app.post("/v1/chatkit/domain_keys/verify_hosted");
        let request = request
            .bearer_auth(secret)
            .json(&json!({ "domain": origin }));
        let answer = request.send().await.unwrap();
        let expected = if status == 200 { 200 } else { 400 };
        assert_eq!(answer.status(), expected, "{origin}");
    }
}
