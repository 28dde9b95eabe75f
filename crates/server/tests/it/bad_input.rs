//! Whatever a client sends: a 4xx that says what to do, never a 5xx, never a hang-up.

use std::time::Duration;

use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use server::BodyLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{Options, TestApp, events, new_message};

fn deep(levels: usize) -> String {
    format!(
        r#"{{"type":"threads.list","params":{{"x":{}1{}}}}}"#,
        "[".repeat(levels),
        "]".repeat(levels)
    )
}

#[tokio::test]
async fn a_person_is_refused_in_their_language() {
    let app = TestApp::start().await;
    for (languages, empty, signed_out) in [
        (
            "de-CH",
            "Die Nachricht ist leer; schreiben Sie zuerst etwas.",
            "Sie sind nicht angemeldet; melden Sie sich an, und versuchen Sie es noch einmal.",
        ),
        (
            "ja",
            "メッセージが空です。まず何か入力してください。",
            "サインインしていません。サインインして、もう一度お試しください。",
        ),
        // Not one tag, or none that we speak.
        (
            "de, en;q=0.5",
            "the message is empty; write something first",
            "you are not signed in; sign in and try again",
        ),
        (
            "tlh",
            "the message is empty; write something first",
            "you are not signed in; sign in and try again",
        ),
    ] {
        let ask = async |token: Option<String>| {
            let mut request = app
                .post("/api/chat")
                .header(header::ACCEPT_LANGUAGE, languages)
                .json(&new_message(" "));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let body: Value = request.send().await.unwrap().json().await.unwrap();
            body["error"].clone()
        };
        let refused = ask(Some(app.token("ada"))).await;
        assert_eq!(refused["message"], empty, "{languages}");
        assert_eq!(refused["code"], "invalid_request");
        assert_eq!(refused["param"], "params.input.content");
        let refused = ask(None).await;
        assert_eq!(refused["message"], signed_out, "{languages}");
        let takes = refused["details"]["takes"].as_str().unwrap();
        assert!(takes.starts_with("this address needs"), "{takes}");
    }
}

#[tokio::test]
async fn a_body_that_is_compressed_is_told_so_wherever_it_comes() {
    let app = TestApp::start().await;
    let (json, form) = ("application/json", "multipart/form-data; boundary=b");
    for (path, kind, coding, status) in [
        ("/api/chat", json, "gzip", 415),
        ("/api/chat", json, "identity, br", 415),
        ("/api/chat", json, "Identity", 400),
        ("/v1/chatkit/domain_keys/verify", json, "gzip", 415),
        ("/v1/chatkit/files", form, "gzip", 415),
    ] {
        let request = app.post(path).bearer_auth(app.token("ada"));
        let request = request
            .header(header::CONTENT_TYPE, kind)
            .header(header::CONTENT_ENCODING, coding);
        let answer = request.body(&b"\x1f\x8b\x08"[..]).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} {coding}");
        if status == 415 {
            let body: Value = answer.json().await.unwrap();
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains("Content-Encoding"), "{message}");
            assert_eq!(body["error"]["param"], "content-encoding");
        }
    }
}

#[tokio::test]
async fn one_byte_order_mark_before_json_is_nothing() {
    let app = TestApp::start().await;
    for (marks, status) in [(0, 200), (1, 200), (2, 400)] {
        let mut body = b"\xef\xbb\xbf".repeat(marks);
        body.extend(br#"{"type":"threads.list","params":{}}"#);
        let request = app.post("/api/chat").bearer_auth(app.token("ada"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{marks}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_carried_out() {
    let app = TestApp::start().await;
    let many: Vec<Value> = vec![json!({ "type": "input_text", "text": "x" }); 20_000];
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing", vec![], 400, "invalid_json"),
        ("not JSON", b"{".to_vec(), 400, "invalid_json"),
        ("not UTF-8", b"{\"type\":\"\xff\"}".to_vec(), 400, "invalid_utf8"),
        ("a list", b"[]".to_vec(), 400, "invalid_value"),
        ("no type", b"{\"params\":{}}".to_vec(), 400, "invalid_value"),
        ("unknown type", br#"{"type":"threads.explode","params":{}}"#.to_vec(), 400, "unknown_request_type"),
        ("type of a wrong type", br#"{"type":7,"params":{}}"#.to_vec(), 400, "invalid_value"),
        ("params of a wrong type", br#"{"type":"threads.list","params":[]}"#.to_vec(), 400, "invalid_value"),
        ("a field of a wrong type", br#"{"type":"threads.list","params":{"limit":"all"}}"#.to_vec(), 400, "invalid_value"),
        ("a missing field", br#"{"type":"threads.get_by_id","params":{}}"#.to_vec(), 400, "invalid_value"),
        ("an id that is none", br#"{"type":"threads.get_by_id","params":{"thread_id":"../x"}}"#.to_vec(), 400, "invalid_value"),
        ("duplicate keys", br#"{"type":"threads.list","type":"threads.list","params":{}}"#.to_vec(), 400, "duplicate_key"),
        ("too deep", deep(100).into_bytes(), 400, "nested_too_deeply"),
        ("much too deep", deep(100_000).into_bytes(), 400, "nested_too_deeply"),
        ("too many parts", json!({ "type": "threads.create", "params": { "input": { "content": many, "attachments": [], "inference_options": {} } } }).to_string().into_bytes(), 400, "too_many_entries"),
        ("an empty message", new_message("  ").to_string().into_bytes(), 400, "invalid_request"),
        ("too large", vec![b' '; (1 << 20) + 1], 413, "request_too_large"),
        ("an unknown model", {
            let mut body = new_message("hi");
            body["params"]["input"]["inference_options"] = json!({ "model": "gpt-99" });
            body.to_string().into_bytes()
        }, 400, "invalid_request"),
        ("not served yet", json!({ "type": "input.transcribe", "params": { "audio_base64": "", "mime_type": "audio/webm" } }).to_string().into_bytes(), 400, "unsupported_request"),
    ];
    for (name, body, status, code) in cases {
        let answer = app
            .post("/api/chat")
            .bearer_auth(app.token("ada"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        let found = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let error: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(
            (found, error["error"]["code"].as_str()),
            (status, Some(code)),
            "{name}: {text}"
        );
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.len() > 15, "{name}: {message}");
    }
}

#[tokio::test]
async fn only_json_is_taken() {
    let app = TestApp::start().await;
    for (content_type, status) in [
        (Some("application/json; charset=utf-8"), 200),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("multipart/form-data; boundary=x"), 415),
        (None, 415),
    ] {
        let mut request = app
            .post("/api/chat")
            .bearer_auth(app.token("ada"))
            .body(r#"{"type":"threads.list","params":{}}"#);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        assert_eq!(
            request.send().await.unwrap().status(),
            status,
            "{content_type:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_given_up() {
    let app = TestApp::with(Options {
        body: BodyLimits {
            bytes: 1_000,
            duration: Duration::from_millis(50),
            ..BodyLimits::default()
        },
        ..Options::default()
    })
    .await;
    let mut socket = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /api/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        app.token("ada")
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1_000];
    let length = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn credentials_are_looked_at_before_the_body() {
    let app = TestApp::start().await;
    let answer = app
        .post("/api/chat")
        .header(header::CONTENT_TYPE, "application/json")
        .body(vec![b' '; 5 << 20])
        .send()
        .await;
    // The server may answer and hang up while the client still sends.
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn rubbish_instead_of_http_is_answered_with_400_or_a_hang_up() {
    let app = TestApp::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"\r\n\r\n\r\n\r\nPOST",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(app.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good as an answer here.
        let _ = socket.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
    assert_eq!(app.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    let answer = app
        .get("/api/chatkit/me")
        .bearer_auth("x".repeat(400_000))
        .send()
        .await;
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), 431);
    }
    let long = app
        .get("/api/chatkit/me")
        .bearer_auth("x".repeat(20_000))
        .send()
        .await
        .unwrap();
    assert_eq!(long.status(), 401);
    let body: Value = long.json().await.unwrap();
    assert_eq!(body["error"]["code"], "too_large");
}

/// Another process holds the database's write lock for longer than we wait for it.
#[tokio::test]
async fn a_locked_database_is_busy_in_words_and_loses_nothing() {
    let app = TestApp::start().await;
    if !app.is_sqlite() {
        // PostgreSQL locks rows; `crates/store/tests/postgresql.rs` has what makes that one busy.
        return;
    }
    let (thread, ..) = app.new_thread("ada", "before").await;
    let other = rusqlite::Connection::open(app.folder().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let rename =
        json!({ "type": "threads.update", "params": { "thread_id": thread, "title": "new" } });
    let send = new_message("while it is locked");
    let (renamed, sent) = tokio::join!(app.chat("ada", &rename), app.chat("ada", &send));
    assert_eq!(renamed.0, 503, "{}", renamed.1);
    assert!(
        renamed
            .1
            .contains("the store is busy; try again in a moment"),
        "{}",
        renamed.1
    );
    // A stream that cannot begin is a stream that says so: at a 5xx the client would run the turn again.
    assert_eq!(sent.0, 200);
    let found = events(&sent.1);
    assert_eq!(
        (found.len(), &found[0]["type"]),
        (1, &json!("error")),
        "{}",
        sent.1
    );
    let read = json!({ "type": "threads.get_by_id", "params": { "thread_id": thread } });
    let (status, text) = app.chat("ada", &read).await;
    assert_eq!(status, 200, "reading goes on");
    assert!(text.contains("before"), "{text}");

    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(app.chat("ada", &rename).await.0, 200);
    assert_eq!(
        app.new_thread("ada", "after").await.2[0]["type"],
        "thread.created"
    );
}

#[tokio::test]
async fn speech_may_take_more_than_other_requests() {
    let app = TestApp::with(Options {
        body: BodyLimits {
            bytes: 10_000,
            speech_bytes: 20_000,
            ..BodyLimits::default()
        },
        ..Options::default()
    })
    .await;
    let speech = |length: usize| {
        json!({"type": "input.transcribe",
            "params": {"audio_base64": "A".repeat(length), "mime_type": "audio/webm"}})
    };
    let relayed = json!({"messages": [{"role": "user", "content": "x".repeat(15_000)}]});
    for (body, is_too_large) in [
        (speech(15_000), false),
        (speech(21_000), true),
        (new_message(&"x".repeat(15_000)), true),
        (relayed, true),
    ] {
        let (status, answer) = app.chat("ada", &body).await;
        assert_eq!(status == 413, is_too_large, "{status} {answer}");
    }
}
