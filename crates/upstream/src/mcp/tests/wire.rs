//! What servers send that is not quite the protocol, over real HTTP: each of their answers is given as bytes.

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::mcp::FailureKind;

/// A server that answers calls, or all that it is asked, in ways of its own.
pub(super) struct Raw {
    address: SocketAddr,
    pub(super) shared: Arc<RawShared>,
    _tasks: JoinSet<()>,
}

pub(super) struct RawShared {
    answer: SyncMutex<Box<Answering>>,
    /// The path and the credential of each request.
    seen: SyncMutex<Vec<(String, Option<String>)>>,
    /// The cookies of each message.
    cookies: SyncMutex<Vec<Option<String>>>,
    /// The revision that each handshake offered.
    offered: SyncMutex<Vec<String>>,
    /// What the tool was called with last.
    pub(super) arguments: SyncMutex<Value>,
}

/// The answer to this method with this id, at this path; `None` leaves it to the server.
pub(super) type Answering = dyn Fn(&str, &Value, &Uri) -> Option<Response> + Send;

impl Raw {
    pub(super) async fn start(
        answer: impl Fn(&str, &Value, &Uri) -> Option<Response> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(RawShared {
            answer: SyncMutex::new(Box::new(answer)),
            seen: SyncMutex::default(),
            cookies: SyncMutex::default(),
            offered: SyncMutex::default(),
            arguments: SyncMutex::default(),
        });
        let router = Router::new()
            .fallback(answered)
            .with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    /// One that answers calls with these bytes.
    async fn calling(
        kind: Option<&'static str>,
        body: impl Fn(&Value) -> Vec<u8> + Send + 'static,
    ) -> Self {
        Self::start(move |method, id, _| (method == "tools/call").then(|| bytes(kind, body(id))))
            .await
    }

    pub(super) fn tools(&self) -> McpTools {
        tools(vec![McpServer {
            identity: ForwardedIdentity::AnyToken,
            ..McpServer::new(
                "raw",
                format!("http://{}/mcp", self.address).parse().unwrap(),
            )
        }])
    }

    /// What the call of its one tool comes to.
    pub(super) async fn called(&self) -> (String, bool) {
        let (tools, ada) = (self.tools(), user("ada"));
        let calling = run(&tools, &ada, "s", "{}");
        let called = tokio::time::timeout(Duration::from_secs(20), calling).await;
        let (_, output, is_error) = called.expect("nobody waits for the time-out");
        (output, is_error)
    }

    pub(super) fn offered(&self) -> Vec<String> {
        self.shared.offered.lock().unwrap().clone()
    }

    pub(super) fn cookies(&self) -> Vec<Option<String>> {
        self.shared.cookies.lock().unwrap().clone()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().map(|(path, _)| path.clone()).collect()
    }
}

async fn answered(State(shared): State<Arc<RawShared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let token = parts.headers.get("authorization");
    let token = token.map(|token| token.to_str().unwrap().to_owned());
    let path = parts.uri.path().to_owned();
    shared.seen.lock().unwrap().push((path, token));
    if parts.method != "POST" {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let (method, id) = (asked["method"].as_str().unwrap_or_default(), &asked["id"]);
    let cookies = parts.headers.get("cookie");
    let cookies = cookies.map(|cookies| cookies.to_str().unwrap().to_owned());
    shared.cookies.lock().unwrap().push(cookies);
    if let Some(version) = asked["params"]["protocolVersion"].as_str() {
        shared.offered.lock().unwrap().push(version.to_owned());
    }
    if method == "tools/call" {
        *shared.arguments.lock().unwrap() = asked["params"]["arguments"].clone();
    }
    if let Some(answer) = (shared.answer.lock().unwrap())(method, id, &parts.uri) {
        return answer;
    }
    let result = match method {
        "initialize" => json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
            "serverInfo": { "name": "raw", "version": "1" } }),
        "tools/list" => json!({ "tools": [{ "name": "s", "inputSchema": { "type": "object" } }] }),
        "tools/call" => ok(),
        "server/discover" => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            let answer = json!({ "jsonrpc": "2.0", "id": id, "error": error });
            return bytes(Some("application/json"), answer.to_string().into());
        }
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    bytes(Some("application/json"), answer.to_string().into())
}

fn ok() -> Value {
    json!({ "content": [{ "type": "text", "text": "ok" }] })
}

pub(super) fn bytes(kind: Option<&'static str>, body: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert("content-type", kind.parse().unwrap());
    }
    (headers, Body::from(Bytes::from(body))).into_response()
}

#[tokio::test]
async fn an_answer_is_read_in_whatever_it_is_wrapped_and_sent() {
    /// The answer to the request of this id.
    type Written = fn(&Value) -> Vec<u8>;
    const JSON: Option<&str> = Some("application/json");
    const EVENTS: Option<&str> = Some("text/event-stream");
    fn plain(id: &Value) -> Vec<u8> {
        json!({ "jsonrpc": "2.0", "id": id, "result": ok() })
            .to_string()
            .into()
    }
    fn list(id: &Value) -> Vec<u8> {
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} });
        json!([progress, { "id": id, "result": ok() }])
            .to_string()
            .into()
    }
    fn bare(id: &Value) -> Vec<u8> {
        json!({ "id": id, "result": ok(), "error": null })
            .to_string()
            .into()
    }
    fn marked(id: &Value) -> Vec<u8> {
        [b"\xef\xbb\xbf", &*plain(id)].concat()
    }
    fn no_number(id: &Value) -> Vec<u8> {
        let text = String::from_utf8(plain(id)).unwrap();
        text.replace("\"content\"", "\"_meta\":{\"a\":NaN},\"content\"")
            .into()
    }
    fn event(body: &[u8]) -> Vec<u8> {
        [
            b"id: 1\ndata:\n\nevent: ping\ndata: {}\n\ndata: hello\n\ndata: ",
            body,
            b"\n\n",
        ]
        .concat()
    }
    let ways: [(&str, Option<&'static str>, Written); 20] = [
        ("JSON", JSON, plain),
        (
            "JSON in UTF-8",
            Some("Application/JSON; charset=utf-8"),
            plain,
        ),
        ("no type", None, plain),
        ("plain text", Some("text/plain"), plain),
        ("some bytes", Some("application/octet-stream"), bare),
        ("a list", JSON, list),
        ("without its version", JSON, bare),
        ("a byte order mark", JSON, marked),
        ("no number", JSON, no_number),
        ("an event", EVENTS, |id| event(&plain(id))),
        ("an event, with a list", EVENTS, |id| event(&list(id))),
        ("an event without a version", EVENTS, |id| event(&bare(id))),
        ("JSON that is called a page", Some("text/html"), plain),
        ("JSON that is called events", EVENTS, plain),
        ("events that are called JSON", JSON, |id| event(&plain(id))),
        ("events that are called nothing", None, |id| {
            event(&plain(id))
        }),
        ("one after the other", Some("application/x-ndjson"), |id| {
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/a" }).to_string();
            [note.as_bytes(), b"\n", &plain(id)].concat()
        }),
        ("behind a warning", JSON, |id| {
            [b"<b>Warning</b>: $a in a.php\n", &*plain(id)].concat()
        }),
        ("another's number", JSON, |_| plain(&json!(999))),
        ("an event without an end", EVENTS, |id| {
            let mut whole = event(&plain(id));
            whole.truncate(whole.len() - 2);
            whole
        }),
    ];
    for (way, kind, body) in ways {
        let server = Raw::calling(kind, body).await;
        assert_eq!(server.called().await, ("ok".to_owned(), false), "{way}");
    }
}

#[tokio::test]
async fn a_text_that_was_cut_inside_a_character_costs_that_character() {
    for (text, expected) in [
        (&br"a\ud83d b"[..], "a\u{fffd} b"),
        (br"a\ude00 b", "a\u{fffd} b"),
        (b"a\xff b", "a\u{fffd} b"),
        (br"a b\ud83d", "a b"),
    ] {
        for is_stream in [false, true] {
            let server = Raw::calling(
                Some(if is_stream { "text/event-stream" } else { "application/json" }),
                move |id| {
                    let head = format!(
                        "{}{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"",
                        if is_stream { "data: " } else { "" }
                    );
                    [head.as_bytes(), text, b"\"}]}}\n\n"].concat()
                },
            )
            .await;
            let told = server.called().await;
            assert_eq!(told, (expected.to_owned(), false), "{is_stream}");
        }
    }
}

#[tokio::test]
async fn a_half_character_in_one_description_leaves_all_tools() {
    let server = Raw::start(|method, id, _| {
        let list = json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": [
            { "name": "s", "description": "half HALF", "inputSchema": { "type": "object" } },
            { "name": "t", "inputSchema": { "type": "object" } },
        ] } });
        let list = list.to_string().replace("HALF", r"\ud83d");
        (method == "tools/list").then(|| bytes(Some("application/json"), list.into()))
    })
    .await;
    let specs = server.tools().list(&user("ada")).await;
    let told: Vec<_> = specs
        .iter()
        .map(|spec| (&*spec.name, &*spec.description))
        .collect();
    assert_eq!(told, [("s", "half "), ("t", "")]);
}

#[tokio::test]
async fn a_list_of_tools_may_lack_what_goes_around_it() {
    let server = Raw::start(|method, id, _| {
        let tools = json!([{ "name": "s", "inputSchema": { "type": "object" } }, 7]);
        let list = json!({ "jsonrpc": "2.0", "id": id, "result": tools });
        (method == "tools/list").then(|| bytes(Some("application/json"), list.to_string().into()))
    })
    .await;
    assert_eq!(names(&server.tools(), &user("ada")).await, ["s"]);
}

#[tokio::test]
async fn results_of_any_shape_are_read() {
    for (result, expected) in [
        (json!("ok"), "ok"),
        (
            json!(null),
            "The tool has done its work and answered nothing.",
        ),
        (json!({ "success": true }), r#"{"success":true}"#),
        // What has the shape of the answer to something else.
        (json!({ "tools": [] }), r#"{"tools":[]}"#),
        (json!({ "contents": [] }), r#"{"contents":[]}"#),
        (
            json!({ "content": [{ "type": "chart" }, { "type": "text", "text": "ok" }] }),
            "{\"type\":\"chart\"}\nok",
        ),
        (
            json!({ "content": [{ "type": "text", "text": "ok" }], "structuredContent": null }),
            "ok",
        ),
    ] {
        let shown = result.clone();
        let server = Raw::calling(Some("application/json"), move |id| {
            let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
            answer.to_string().into()
        })
        .await;
        let (output, is_error) = server.called().await;
        assert!(!is_error, "{shown}");
        let same = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert!(
            output == expected || (same(&output).is_some() && same(&output) == same(expected)),
            "{shown}: {output}"
        );
    }
    for kind in ["task", "input_required"] {
        let server = Raw::calling(Some("application/json"), move |id| {
            let result = json!({ "resultType": kind, "content": 7 });
            json!({ "jsonrpc": "2.0", "id": id, "result": result })
                .to_string()
                .into()
        })
        .await;
        assert!(server.called().await.1, "{kind}");
    }
}

#[tokio::test]
async fn what_is_beside_a_result_does_not_take_its_place() {
    for (beside, value) in [
        ("method", json!("tools/call")),
        ("error", json!({})),
        ("error", json!("")),
        ("error", json!({ "code": 0, "message": "" })),
    ] {
        let shown = value.clone();
        let server = Raw::calling(Some("application/json"), move |id| {
            let mut answer = json!({ "jsonrpc": "2.0", "id": id, "result": ok() });
            answer[beside] = value.clone();
            answer.to_string().into()
        })
        .await;
        let told = server.called().await;
        assert_eq!(told, ("ok".to_owned(), false), "{beside}: {shown}");
    }
}

#[tokio::test]
async fn a_result_that_looks_like_a_handshake_is_told_as_it_is() {
    for result in [
        json!({ "serverInfo": { "name": "db", "up": true }, "capabilities": { "cpu": 4 }, "rows": [1, 2] }),
        json!({ "protocolVersion": "x", "temperature": 5 }),
        json!({ "supportedVersions": ["a"], "rows": [1] }),
    ] {
        for kind in ["application/json", "text/event-stream"] {
            let answer = result.clone();
            let server = Raw::calling(Some(kind), move |id| {
                let answer = json!({ "jsonrpc": "2.0", "id": id, "result": answer }).to_string();
                let is_stream = kind == "text/event-stream";
                let event = if is_stream {
                    format!("data: {answer}\n\n")
                } else {
                    answer
                };
                event.into()
            })
            .await;
            let (output, is_error) = server.called().await;
            assert!(!is_error, "{output}");
            let told: Value = serde_json::from_str(&output).unwrap();
            assert_eq!(told, result, "{kind}");
        }
    }
}

#[tokio::test]
async fn what_a_stream_says_by_the_way_is_not_the_answer() {
    let note = |length: usize| {
        let params = json!({ "level": "info", "data": "x".repeat(length) });
        json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params }).to_string()
    };
    let answered = |id: &Value| json!({ "jsonrpc": "2.0", "id": id, "result": ok() }).to_string();
    let ways = [
        ("a sign of life", "data: {\"result\":\"alive\"}".to_owned()),
        (
            "an error of nothing",
            "data: {\"id\":null,\"error\":{\"code\":0,\"message\":\"note\"}}".to_owned(),
        ),
        (
            "a whole error of nothing",
            "data: {\"jsonrpc\":\"2.0\",\"error\":{\"code\":0,\"message\":\"note\"}}".to_owned(),
        ),
        ("a long note", format!("data: {}", note(9 << 20))),
        ("a long comment", format!(": {}", "x".repeat(9 << 20))),
    ];
    for (way, before) in ways {
        let server = Raw::calling(Some("text/event-stream"), move |id| {
            format!("{before}\n\ndata: {}\n\n", answered(id)).into()
        })
        .await;
        assert_eq!(server.called().await, ("ok".to_owned(), false), "{way}");
    }
}

#[tokio::test]
async fn what_a_stream_says_to_nobody_is_the_answer_where_it_says_nothing_else() {
    for (said, expected) in [
        (json!({ "result": ok() }), "ok"),
        (
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": 1, "message": "it is broken" } }),
            "The tool failed: it is broken",
        ),
    ] {
        let server = Raw::calling(Some("text/event-stream"), move |_| {
            format!(": hello\n\ndata: {said}\n\n").into()
        })
        .await;
        assert_eq!(server.called().await.0, expected);
    }
}

#[tokio::test]
async fn an_error_is_told_whatever_is_around_it() {
    for (status, error) in [
        (
            200,
            json!({ "code": "E_QUOTA", "message": "quota used up" }),
        ),
        (200, json!("quota used up")),
        (400, json!({ "code": null, "message": "quota used up" })),
        (500, json!({ "message": "quota used up" })),
    ] {
        let server = Raw::start(move |method, id, _| {
            let answer = json!({ "jsonrpc": "2.0", "id": id, "result": null, "error": error });
            let status = StatusCode::from_u16(status).unwrap();
            (method == "tools/call").then(|| {
                (
                    status,
                    bytes(Some("application/json"), answer.to_string().into()),
                )
                    .into_response()
            })
        })
        .await;
        let (output, is_error) = server.called().await;
        assert_eq!(
            (&*output, is_error),
            ("The tool failed: quota used up", true),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_handshake_that_says_little_opens_a_session() {
    for result in [
        json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} } }),
        json!({ "protocolVersion": "2025-06-18", "serverInfo": { "name": "x" } }),
        json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": true, "resources": null, "logging": [] },
            "serverInfo": { "name": "x", "version": 1 } }),
    ] {
        let shown = result.clone();
        let server = Raw::start(move |method, id, _| {
            let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
            (method == "initialize")
                .then(|| bytes(Some("application/json"), answer.to_string().into()))
        })
        .await;
        assert_eq!(server.called().await, ("ok".to_owned(), false), "{shown}");
        let examined = server.tools().examine("raw", &user("ada")).await;
        let server = examined.unwrap().unwrap().server;
        let name = shown["serverInfo"]["name"].as_str();
        assert_eq!(server.map(|(name, _)| name).as_deref(), name, "{shown}");
    }
}

#[tokio::test]
async fn one_event_that_is_too_large_does_not_end_the_session() {
    let server = Raw::start({
        let calls = std::sync::atomic::AtomicUsize::new(0);
        move |method, id, _| {
            let call = || calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            (method == "tools/call" && call() == 0).then(|| {
                let long = "x".repeat(9 << 20);
                let result = json!({ "content": [{ "type": "text", "text": long }] });
                let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
                bytes(
                    Some("text/event-stream"),
                    format!("data: {answer}\n\n").into(),
                )
            })
        }
    })
    .await;
    let tools = server.tools();
    let (_, output, is_error) = run(&tools, &user("ada"), "s", "{}").await;
    assert!(is_error && output.contains("too large"), "{output}");
    let (_, output, _) = run(&tools, &user("ada"), "s", "{}").await;
    assert_eq!(output, "ok");
    let handshakes = server.paths().len();
    assert!(handshakes < 8, "{handshakes}: there is one session");
}

fn moved(status: u16, to: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("location", to.to_owned())]).into_response()
}

#[tokio::test]
async fn a_server_that_sends_on_within_itself_is_followed() {
    for status in [307, 308] {
        for is_whole in [false, true] {
            let at = SyncMutex::new(String::new());
            let at = Arc::new(at);
            let own = Arc::clone(&at);
            let server = Raw::start(move |_, _, uri| {
                let to = format!("{}/mcp/", own.lock().unwrap());
                (uri.path() == "/mcp").then(|| moved(status, &to))
            })
            .await;
            if is_whole {
                *at.lock().unwrap() = format!("http://{}", server.address);
            }
            assert_eq!(server.called().await, ("ok".to_owned(), false), "{status}");
            let seen = server.shared.seen.lock().unwrap();
            let posted = seen.iter().filter(|(path, _)| path == "/mcp/");
            let tokens: Vec<_> = posted.map(|(_, token)| token.as_deref()).collect();
            assert!(tokens.len() > 2);
            assert!(
                tokens
                    .iter()
                    .all(|token| *token == Some("Bearer token-of-ada")),
                "{tokens:?}"
            );
        }
    }
}

/// Why a server is of no use, and what was asked of it.
async fn problem(answer: impl Fn() -> Response + Send + 'static) -> (String, FailureKind, usize) {
    let server = Raw::start(move |_, _, _| Some(answer())).await;
    let examined = server.tools().examine("raw", &user("ada")).await;
    let problem = examined.unwrap().unwrap_err();
    (problem.words, problem.kind, server.paths().len())
}

#[tokio::test]
async fn a_server_that_sends_elsewhere_is_not_followed_and_the_address_is_told() {
    let other = Raw::start(|_, _, _| None).await;
    let there = format!("http://{}/mcp", other.address);
    for status in [301, 302, 307, 308] {
        let to = there.replace("http://", "http://ada:s3cret@") + "?key=s3cret#s3cret";
        let (words, _, _) = problem(move || moved(status, &to)).await;
        assert!(
            words.contains(&format!("it answered {status} and points to {there}, ")),
            "{words}"
        );
        assert!(
            words.contains("make it the `url`") && !words.contains("s3cret"),
            "{words}"
        );
    }
    assert!(other.paths().is_empty(), "nothing was sent there");
    let (words, _, _) = problem(|| StatusCode::TEMPORARY_REDIRECT.into_response()).await;
    assert!(words.contains("does not say where to"), "{words}");
    // Within itself, but as another question.
    let (words, _, _) = problem(|| moved(301, "/mcp/")).await;
    assert!(words.contains("/mcp/, "), "{words}");
}

#[tokio::test]
async fn a_server_that_sends_in_circles_is_given_up() {
    let (words, _, asked) = problem(|| moved(307, "/mcp")).await;
    assert!(words.contains("it answered 307"), "{words}");
    // Four times for each of two questions, and for each of the two attempts to open a session.
    assert!(asked <= 16, "{asked}");
}

#[tokio::test]
async fn a_server_that_hangs_up_at_what_it_does_not_know_is_offered_the_handshake() {
    let server = Raw::start(|_, _, _| None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let behind = server.address;
    let mut tasks = JoinSet::new();
    // In front of it is somebody who hangs up at `server/discover`.
    tasks.spawn(async move {
        let mut clients = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            clients.spawn(async move {
                let mut server = tokio::net::TcpStream::connect(behind).await.unwrap();
                let (mut piece, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
                loop {
                    tokio::select! {
                        read = client.read(&mut piece) => {
                            let Ok(length @ 1..) = read else { return };
                            if memchr::memmem::find(&piece[..length], b"server/discover").is_some() {
                                return;
                            }
                            server.write_all(&piece[..length]).await.unwrap();
                        }
                        read = server.read(&mut answer) => {
                            let Ok(length @ 1..) = read else { return };
                            client.write_all(&answer[..length]).await.unwrap();
                        }
                    }
                }
            });
        }
    });
    let tools = tools(vec![McpServer {
        identity: ForwardedIdentity::None,
        ..McpServer::new("raw", format!("http://{address}/mcp").parse().unwrap())
    }]);
    let (_, output, is_error) = run(&tools, &user("ada"), "s", "{}").await;
    assert_eq!((&*output, is_error), ("ok", false));
}

#[tokio::test]
async fn a_page_or_a_text_is_no_answer() {
    for (kind, body) in [
        (Some("text/html"), "<html>"),
        (Some("text/plain"), "hello"),
        (None, ""),
        (Some("application/json"), "{}"),
    ] {
        let (words, kind, _) = problem(move || bytes(kind, body.into())).await;
        assert_eq!(kind, FailureKind::NotMcp, "{body}: {words}");
    }
    for body in [
        "",
        "{\"error\":\"Not Found\"}",
        "{\"error\":{\"message\":\"Not Found\",\"code\":404}}",
    ] {
        let answer = move || {
            let answer = bytes(Some("application/json"), body.into());
            (StatusCode::NOT_FOUND, answer).into_response()
        };
        let (words, kind, _) = problem(answer).await;
        assert_eq!(kind, FailureKind::NotThere, "{body}: {words}");
    }
}
