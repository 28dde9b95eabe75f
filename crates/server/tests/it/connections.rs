//! Connections that are held open, and requests that never end: nobody shuts the others out.

use std::net::{IpAddr, SocketAddr};

use reqwest::{Client, Method, header};
use serde_json::{Value, json};
use server::{BodyLimits, Rate, Rates};
use testkit::fake_model::{FakeModel, Reply};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{APP_ORIGIN, Options, TestApp, new_message};

const PROBES: [&str; 2] = ["/healthz", "/readyz"];

async fn open(app: &TestApp, bytes: &str) -> TcpStream {
    let mut socket = TcpStream::connect(app.address).await.unwrap();
    socket.write_all(bytes.as_bytes()).await.unwrap();
    socket
}

/// A client whose connections are its own, from this address.
fn client_at(address: [u8; 4]) -> Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the client's side, which the server's policy does not bind"
    )]
    Client::builder()
        .no_proxy()
        .local_address(IpAddr::from(address))
        .build()
        .unwrap()
}

/// A model that begins so many answers and ends none of them.
async fn endless(answers: usize) -> FakeModel {
    FakeModel::scripted((0..answers).map(|_| Reply::text(["once upon"]).and_hold()))
        .await
        .unwrap()
}

/// A turn of a person that is being written; the proxy that passes it on names this client.
async fn turn(app: &TestApp, client: &Client, forwarded: &str) -> reqwest::Response {
    let answer = client
        .post(format!("http://{}/api/chat", app.address))
        .bearer_auth(app.token("ada"))
        .header("x-forwarded-for", forwarded)
        .json(&new_message("tell me a story"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

async fn status(client: &Client, app: &TestApp, path: &str, forwarded: &str) -> (u16, Value) {
    let answer = client
        .get(format!("http://{}{path}", app.address))
        .header("x-forwarded-for", forwarded)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn r01_probes_are_answered_when_every_connection_is_held_and_silent() {
    let app = TestApp::with(Options {
        max_connections: 12,
        max_connections_per_ip: 0,
        ..Options::default()
    })
    .await;
    let half_a_body = "POST /v1/chatkit/domain_keys/verify HTTP/1.1\r\nHost: x\r\n\
                       Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"domain\":";
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(open(&app, "").await);
        held.push(open(&app, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await);
        held.push(open(&app, half_a_body).await);
    }
    for path in PROBES {
        let answer = client_at([127, 0, 0, 1]).get(format!("http://{}{path}", app.address));
        assert_eq!(answer.send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn r01_more_clients_than_places_are_all_answered_though_none_of_them_leaves() {
    let app = TestApp::with(Options {
        max_connections: 16,
        max_connections_per_ip: 0,
        ..Options::default()
    })
    .await;
    let mut sockets = Vec::new();
    for _ in 0..64 {
        sockets.push(open(&app, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await);
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).await.unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n", "client {number}");
    }
}

#[tokio::test]
async fn r01_an_address_that_has_its_share_is_told_so_and_others_and_probes_are_served() {
    let model = endless(2).await;
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        max_connections_per_ip: 2,
        ..Options::default()
    })
    .await;
    let client = client_at([127, 0, 0, 1]);
    let turns = [turn(&app, &client, "").await, turn(&app, &client, "").await];

    let (refused, body) = status(&client, &app, "/api/chatkit/me", "").await;
    assert_eq!(refused, 429, "{body}");
    assert_eq!(body["error"]["param"], "max_connections_per_ip");
    for path in PROBES {
        assert_eq!(status(&client, &app, path, "").await.0, 200, "{path}");
    }
    let neighbour = client_at([127, 0, 0, 2]);
    let (asked, _) = status(&neighbour, &app, "/api/chatkit/me", "").await;
    assert_eq!(asked, 401, "as on any other day");
    // Naming another address helps nobody who is no trusted proxy.
    let (named, _) = status(&client, &app, "/api/chatkit/me", "203.0.113.7").await;
    assert_eq!(named, 429);

    drop(turns);
    model.wait_for_disconnects(2).await;
    // The connections end a moment after their answers: until then there is no room.
    loop {
        let (again, _) = status(&client, &app, "/api/chatkit/me", "").await;
        if again == 401 {
            break;
        }
        assert_eq!(again, 429);
    }
}

#[tokio::test]
async fn r01_behind_a_trusted_proxy_each_client_has_a_share_of_requests() {
    let model = endless(3).await;
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        max_connections_per_ip: 2,
        trusted_proxies: vec!["127.0.0.0/8"],
        ..Options::default()
    })
    .await;
    let proxy = client_at([127, 0, 0, 1]);
    let (ada, grace) = ("203.0.113.7:50001", "203.0.113.8");
    let turns = [
        turn(&app, &proxy, ada).await,
        turn(&app, &proxy, ada).await,
        turn(&app, &proxy, grace).await,
    ];
    let ask = async |client: &str| status(&proxy, &app, "/api/chatkit/me", client).await.0;
    assert_eq!(ask(ada).await, 429);
    assert_eq!(ask(grace).await, 401);
    assert_eq!(ask("203.0.113.9").await, 401);
    for path in PROBES {
        assert_eq!(status(&proxy, &app, path, ada).await.0, 200, "{path}");
    }
    drop(turns);
    model.wait_for_disconnects(3).await;
    while ask(ada).await != 401 {}
}

#[tokio::test]
async fn r01_probes_are_never_counted_and_preflights_have_a_bucket_of_their_own() {
    let app = TestApp::with(Options {
        rates: Rates {
            requests_per_ip: Rate::per_hour(2),
            ..Options::default().rates
        },
        ..Options::default()
    })
    .await;
    let preflight = async || {
        let request = app
            .request(Method::OPTIONS, "/api/chat")
            .header(header::ORIGIN, APP_ORIGIN)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        request.send().await.unwrap().status().as_u16()
    };
    let ask = async || {
        let request = app.get("/api/chatkit/me");
        request.send().await.unwrap().status().as_u16()
    };
    let preflights = [preflight().await, preflight().await, preflight().await];
    assert_eq!(preflights, [204, 204, 429]);
    assert_eq!([ask().await, ask().await, ask().await], [401, 401, 429]);
    for path in PROBES.into_iter().cycle().take(20) {
        assert_eq!(app.get(path).send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn strangers_say_what_fits_into_4_kib() {
    let app = TestApp::start().await;
    let padded = |bytes: usize| {
        let body = json!({ "domain": "http://localhost:3000", "domain_key": "local-dev" });
        let body = body.to_string();
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    let verify = "/v1/chatkit/domain_keys/verify";
    let logout = "/api/chatkit/backchannel-logout";
    let form = "application/x-www-form-urlencoded";
    for (path, kind, body, status) in [
        (verify, "application/json", padded(4_096), 200),
        (verify, "application/json", padded(4_097), 413),
        (
            logout,
            form,
            format!("logout_token={}", "x".repeat(5_000)),
            413,
        ),
        (
            "/api/chatkit/start",
            form,
            format!("subject_token={}", "x".repeat(30_000)),
            400,
        ),
    ] {
        let request = app.post(path).header(header::CONTENT_TYPE, kind);
        let length = body.len();
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} with {length} bytes");
        if status != 200 {
            let text = answer.text().await.unwrap();
            assert!(text.contains("bytes this address takes"), "{path}: {text}");
        }
    }
    // Whoever shows a credential first may say more.
    let long = new_message(&"long ".repeat(2_000));
    assert_eq!(app.chat("ada", &long).await.0, 200);
}

#[tokio::test]
async fn a_strangers_body_is_refused_by_its_announced_length_before_it_is_read() {
    let app = TestApp::with(Options {
        body: BodyLimits::default(),
        ..Options::default()
    })
    .await;
    let head = "POST /v1/chatkit/domain_keys/verify HTTP/1.1\r\nHost: x\r\n\
                Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
    let mut socket = open(&app, head).await;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// One exchange by hand: the whole answer.
async fn exchange(address: SocketAddr, bytes: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    let mut socket = socket.connect(address).await.unwrap();
    socket.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let app = TestApp::start().await;
    for (line, hosts, status) in [
        ("GET /healthz HTTP/1.1", "Host: a.example\r\n", 200),
        ("GET /healthz HTTP/1.1", "", 400),
        (
            "GET /healthz HTTP/1.1",
            "Host: a.example\r\nHost: b.example\r\n",
            400,
        ),
        (
            "GET /healthz HTTP/1.1",
            "Host: a.example\r\nHost: a.example\r\n",
            400,
        ),
        (
            "GET /nothing HTTP/1.1",
            "Host: a.example, b.example\r\n",
            400,
        ),
        ("GET /healthz HTTP/1.0", "", 200),
    ] {
        let request = format!("{line}\r\n{hosts}Connection: close\r\n\r\n");
        let answer = exchange(app.address, &request).await;
        let begin = format!("HTTP/1.{} {status}", &line[line.len() - 1..]);
        assert!(answer.starts_with(&begin), "{line} {hosts:?}: {answer}");
        if status == 400 {
            assert!(answer.contains("invalid_host"), "{answer}");
        }
    }
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_https_where_they_come_by_it() {
    for (secure, expected) in [(true, Some("max-age=31536000")), (false, None)] {
        let app = TestApp::with(Options {
            secure,
            ..Options::default()
        })
        .await;
        for path in ["/healthz", "/nothing", "/api/chatkit/me"] {
            let answer = app.get(path).send().await.unwrap();
            let found = answer.headers().get(header::STRICT_TRANSPORT_SECURITY);
            let found = found.map(|value| value.to_str().unwrap());
            assert_eq!(found, expected, "{path}");
        }
    }
}
