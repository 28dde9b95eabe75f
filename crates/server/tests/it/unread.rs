//! Requests that are answered before they are read: whoever still sends gets the answer, and not a reset.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{Options, TestApp};

/// More than what fits between two sockets.
const LONG: usize = 12 << 20;

/// Sends all of a request and only then reads its answer, as simple clients do.
async fn exchange(app: &TestApp, head: &str, body: &[u8]) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(app.address).await?;
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn head(path: &str, lines: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
}

#[tokio::test]
async fn a_refusal_is_read_by_clients_that_send_everything_first() {
    let app = TestApp::start().await;
    let good = format!("Authorization: Bearer {}\r\n", app.token("ada"));
    let bad = "Authorization: Bearer eyJx.y.z\r\n";
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: multipart/form-data; boundary=b\r\n";
    let length = format!("Content-Length: {LONG}\r\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (path, credential, kind, framing, status) in [
        ("/api/chat", bad, json, &*length, "401"),
        ("/api/chat", bad, json, chunked, "401"),
        ("/api/chat", &*good, json, &*length, "413"),
        ("/api/chat", &*good, json, chunked, "413"),
        ("/api/chatkit/start", bad, json, &*length, "401"),
        ("/v1/chatkit/files", bad, form, &*length, "401"),
        ("/v1/chatkit/files", &*good, form, &*length, "413"),
        ("/v1/chatkit/files", &*good, form, chunked, "400"),
        ("/v1/chatkit/files/atc_1/content", "", form, &*length, "404"),
        ("/nothing", "", json, &*length, "404"),
        ("/healthz", "", json, &*length, "405"),
    ] {
        let body = if framing == chunked {
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).into_bytes();
            [chunk.repeat(LONG >> 16), b"0\r\n\r\n".to_vec()].concat()
        } else {
            vec![b'x'; LONG]
        };
        let head = head(path, &format!("{credential}{kind}{framing}"));
        let answer = exchange(&app, &head, &body).await;
        let what = format!("{path} {credential} {framing}");
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what}: {answer}"
        );
        assert!(answer.contains("\"error\""), "{what}: {answer}");
        // Or else a proxy sends the next request into it.
        assert!(
            answer.contains("\r\nconnection: close\r\n"),
            "{what}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_told_so() {
    let app = TestApp::start().await;
    let head = head("/api/chat", &format!("X-Long: {}\r\n", "x".repeat(LONG)));
    let answer = exchange(&app, &head, b"").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn who_asks_first_need_not_send_what_is_not_wanted() {
    let app = TestApp::start().await;
    let lines = format!(
        "Authorization: Bearer eyJx.y.z\r\nContent-Type: application/json\r\n\
         Content-Length: {LONG}\r\nExpect: 100-continue\r\n"
    );
    let answer = exchange(&app, &head("/api/chat", &lines), b"").await;
    let answer = answer.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn r01_who_never_stops_sending_is_cut_off() {
    let app = TestApp::with(Options {
        max_unread_bytes: 1 << 20,
        ..Options::default()
    })
    .await;
    let mut socket = TcpStream::connect(app.address).await.unwrap();
    let head = head("/nothing", "Content-Length: 100000000000\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let bytes = vec![0; 1 << 20];
    let mut sent = 0;
    while socket.write_all(&bytes).await.is_ok() {
        sent += 1;
        assert!(sent < 1_000, "it is read without end");
    }
}

#[tokio::test]
async fn r01_who_still_sends_what_nobody_wants_makes_room_for_others() {
    let app = TestApp::with(Options {
        max_connections: 4,
        max_connections_per_ip: 0,
        ..Options::default()
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut socket = TcpStream::connect(app.address).await.unwrap();
        let head = head("/nothing", "Content-Length: 100000\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        held.push(socket);
    }
    let answer = app.get("/healthz").send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// A connection that has had one answer.
async fn after_one_answer(app: &TestApp) -> TcpStream {
    let mut socket = TcpStream::connect(app.address).await.unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    socket
}

#[tokio::test]
async fn idle_connections_and_half_heads_have_limits_of_their_own() {
    let (short, long) = (Duration::from_millis(200), Duration::from_mins(10));
    let app = TestApp::with(Options {
        kept_for: short,
        head_timeout: long,
        ..Options::default()
    })
    .await;
    let mut idle = after_one_answer(&app).await;
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);

    let app = TestApp::with(Options {
        kept_for: long,
        head_timeout: short,
        ..Options::default()
    })
    .await;
    let mut in_a_head = after_one_answer(&app).await;
    in_a_head.write_all(b"GET /healthz").await.unwrap();
    assert_eq!(in_a_head.read(&mut [0]).await.unwrap(), 0);
    let mut silent = TcpStream::connect(app.address).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
}
