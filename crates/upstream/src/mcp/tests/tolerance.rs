//! Servers that are not quite as the protocol has it, speaking it by hand.

use axum::{
    Json,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};

use super::*;

/// A server that answers with JSON.
pub(super) struct Odd {
    pub(super) url: Url,
    shared: Arc<OddShared>,
    _tasks: JoinSet<()>,
}

struct OddShared {
    tools: Value,
    /// Calls that were carried out.
    calls: watch::Sender<usize>,
    sessions: watch::Sender<usize>,
    /// How it answers a request of a session that it has forgotten.
    forgets: Forgets,
    /// Sessions up to this number are forgotten.
    forgotten: SyncMutex<usize>,
}

/// The answer to a request with this id.
pub(super) type Forgets = fn(&Value) -> Response;

impl Odd {
    pub(super) async fn start(tools: Value, forgets: Forgets) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let shared = Arc::new(OddShared {
            tools,
            calls: watch::Sender::default(),
            sessions: watch::Sender::default(),
            forgets,
            forgotten: SyncMutex::default(),
        });
        let for_all = Arc::clone(&shared);
        let router = Router::new().route(
            "/mcp",
            post(move |headers: HeaderMap, Json(body): Json<Value>| {
                let shared = Arc::clone(&for_all);
                async move { shared.answer(&headers, &body) }
            }),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url: url.parse().unwrap(),
            shared,
            _tasks: tasks,
        }
    }

    fn tools(&self) -> McpTools {
        tools(vec![McpServer {
            identity: ForwardedIdentity::None,
            ..McpServer::new("odd", self.url.clone())
        }])
    }

    fn forget(&self) {
        *self.shared.forgotten.lock().unwrap() = *self.shared.sessions.borrow();
    }

    fn calls(&self) -> usize {
        *self.shared.calls.borrow()
    }
}

impl OddShared {
    fn answer(&self, headers: &HeaderMap, body: &Value) -> Response {
        let id = &body["id"];
        let method = body["method"].as_str().unwrap_or_default();
        let result = |result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
        if method == "initialize" {
            self.sessions.send_modify(|count| *count += 1);
            let session = self.sessions.borrow().to_string();
            let version = &body["params"]["protocolVersion"];
            let answer = result(
                json!({ "protocolVersion": version, "capabilities": { "tools": {} },
                "serverInfo": { "name": "odd", "version": "1" } }),
            );
            return ([("mcp-session-id", session)], Json(answer)).into_response();
        }
        let session = headers
            .get("mcp-session-id")
            .and_then(|session| session.to_str().ok());
        let session: usize = session
            .and_then(|session| session.parse().ok())
            .unwrap_or(0);
        if session <= *self.forgotten.lock().unwrap() {
            return (self.forgets)(id);
        }
        match method {
            "tools/list" => Json(result(json!({ "tools": self.tools }))).into_response(),
            "tools/call" => {
                self.calls.send_modify(|count| *count += 1);
                if body["params"]["name"] == "login" {
                    let error = json!({ "code": -32603, "message": "your session at the bank has expired" });
                    return Json(json!({ "jsonrpc": "2.0", "id": id, "error": error }))
                        .into_response();
                }
                let text = json!([{ "type": "text", "text": "done" }]);
                Json(result(json!({ "content": text }))).into_response()
            }
            _ => StatusCode::ACCEPTED.into_response(),
        }
    }
}

/// Two tools with nothing to say about their arguments.
fn plain() -> Value {
    let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
    json!([tool("s"), tool("login")])
}

fn error(status: u16, id: &Value, message: &str, code: i32) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

#[tokio::test]
async fn a_session_that_is_gone_is_opened_again_however_that_is_told() {
    let ways: [(&str, Forgets); 8] = [
        ("404", |_| StatusCode::NOT_FOUND.into_response()),
        ("400, no id", |_| {
            error(
                400,
                &Value::Null,
                "Bad Request: No valid session ID provided",
                -32000,
            )
        }),
        ("400, an id of nobody", |_| {
            error(
                400,
                &json!("server-error"),
                "Bad Request: Session not found",
                -32600,
            )
        }),
        ("200, no id", |_| {
            error(200, &Value::Null, "Session terminated", -32000)
        }),
        ("200, its own code", |id| {
            error(200, id, "Session not found", -32001)
        }),
        ("400, plain text", |_| {
            (StatusCode::BAD_REQUEST, "Invalid session ID").into_response()
        }),
        ("400, JSON of another form", |_| {
            let body = json!({ "error": "Session not found" });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }),
        ("400, an error without a code", |_| {
            let error = json!({ "message": "Session not found" });
            let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }),
    ];
    for (way, forgets) in ways {
        let server = Odd::start(plain(), forgets).await;
        let tools = server.tools();
        let ada = user("ada");
        run(&tools, &ada, "s", "{}").await;
        server.forget();
        let again = run(&tools, &ada, "s", "{}");
        let (_, output, is_error) = tokio::time::timeout(Duration::from_secs(20), again)
            .await
            .expect(way);
        assert_eq!((&*output, is_error), ("done", false), "{way}");
        assert_eq!(server.calls(), 2, "{way}: each call was carried out once");
        assert_eq!(*server.shared.sessions.borrow(), 2, "{way}");
    }
}

#[tokio::test]
async fn an_error_that_belongs_to_no_request_is_not_waited_for() {
    let server = Odd::start(plain(), |_| {
        error(400, &Value::Null, "Bad Request: try another server", -32000)
    })
    .await;
    let tools = server.tools();
    let ada = user("ada");
    run(&tools, &ada, "s", "{}").await;
    server.forget();
    let told = run(&tools, &ada, "s", "{}");
    let (_, output, is_error) = tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .expect("no wait");
    assert!(
        is_error && output.contains("try another server"),
        "{output}"
    );
}

#[tokio::test]
async fn a_call_that_may_have_run_is_not_made_again() {
    let ways: [(&str, Forgets); 2] = [
        ("an internal error", |_| {
            let words = "Error handling POST request: session is closed";
            error(500, &json!("server-error"), words, -32603)
        }),
        ("a tool's own session", |id| {
            error(200, id, "browser session not found", -32001)
        }),
    ];
    for (way, forgets) in ways {
        let server = Odd::start(plain(), forgets).await;
        let tools = server.tools();
        let ada = user("ada");
        run(&tools, &ada, "s", "{}").await;
        server.forget();
        let told = run(&tools, &ada, "s", "{}");
        let (_, _, is_error) = tokio::time::timeout(Duration::from_secs(20), told)
            .await
            .expect(way);
        assert!(is_error, "{way}");
        assert_eq!(
            *server.shared.sessions.borrow(),
            1,
            "{way}: nothing is sent again"
        );
    }
}

#[tokio::test]
async fn what_a_tool_says_of_a_session_of_its_own_is_told_and_not_done_again() {
    let server = Odd::start(plain(), |_| StatusCode::NOT_FOUND.into_response()).await;
    let tools = server.tools();
    let (_, output, is_error) = run(&tools, &user("ada"), "login", "{}").await;
    assert!(is_error && output.contains("at the bank"), "{output}");
    assert_eq!(server.calls(), 1);
    let (_, output, _) = run(&tools, &user("ada"), "s", "{}").await;
    assert_eq!(output, "done");
}

#[tokio::test]
async fn a_server_that_knows_no_handshake_is_asked_without_one() {
    /// As the revision of 2026-07-28 has it: no handshake, no session, and each request says what it needs.
    async fn modern(headers: HeaderMap, Json(body): Json<Value>) -> Response {
        let id = &body["id"];
        let method = body["method"].as_str().unwrap_or_default();
        let meta = &body["params"]["_meta"];
        let result = match method {
            "initialize" => return error(400, &Value::Null, "Rejected 2025-era request", -32600),
            _ if headers
                .get("mcp-protocol-version")
                .is_none_or(|version| version != "2026-07-28") =>
            {
                return error(400, id, "no version", -32600);
            }
            "server/discover" => {
                json!({ "resultType": "complete", "supportedVersions": ["2026-07-28"],
                "capabilities": { "tools": {} }, "ttlMs": 0, "cacheScope": "private" })
            }
            "tools/list" => {
                json!({ "resultType": "complete", "tools": plain(), "ttlMs": 0, "cacheScope": "private" })
            }
            _ => {
                let text = format!("{method} {}", meta.is_object());
                json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
            }
        };
        Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response()
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = Router::new().route("/mcp", post(modern));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let tools = tools(vec![McpServer {
        identity: ForwardedIdentity::None,
        ..McpServer::new("modern", url.parse().unwrap())
    }]);
    let ada = user("ada");
    assert_eq!(names(&tools, &ada).await, ["s", "login"]);
    let (_, output, is_error) = run(&tools, &ada, "s", "{}").await;
    assert_eq!((&*output, is_error), ("tools/call true", false));
}

#[tokio::test]
async fn one_tool_that_cannot_be_offered_leaves_the_others() {
    let list = json!([
        { "name": "good", "inputSchema": { "type": "object", "properties": { "a": { "type": "array" } } } },
        { "name": "no_object", "inputSchema": { "type": "string" } },
        { "name": "anything", "inputSchema": true },
        { "name": "silent" },
        { "name": "nothing", "inputSchema": false },
        { "name": "a_word", "inputSchema": "object" },
        { "description": "no name" },
        7,
    ]);
    let server = Odd::start(list, |_| StatusCode::NOT_FOUND.into_response()).await;
    let tools = server.tools();
    let ada = user("ada");
    let offered = tools.list(&ada).await;
    let names: Vec<&str> = offered.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["good", "anything", "silent"]);
    let listing = tools.offer(0, &ada, true).await.ok().unwrap().listing;
    let left_out: Vec<&str> = listing
        .left_out
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(left_out, ["no_object", "nothing", "a_word"]);
    let news = tools.news(&tools.servers[0], &listing.left_out);
    assert!(
        news.is_empty(),
        "{news:?}: each is told once, however often it is listed"
    );
    let other = LeftOut {
        name: "good".to_owned(),
        reason: "it has changed".to_owned(),
    };
    assert_eq!(tools.news(&tools.servers[0], &[other]).len(), 1);
    assert_eq!(
        *offered[0].parameters,
        json!({ "type": "object", "properties": { "a": { "type": "array", "items": {} } } })
    );
    assert_eq!(
        *offered[1].parameters,
        json!({ "type": "object", "properties": {} })
    );
    let (_, output, is_error) = run(&tools, &ada, "good", "{}").await;
    assert_eq!((&*output, is_error), ("done", false));
}

#[tokio::test]
async fn more_tools_than_may_be_offered_are_left_out_from_the_end() {
    let first = Server::start(&["a", "b", "same"]).await;
    let second = Server::start(&["same", "c"]).await;
    let all = || {
        tools(vec![
            first.config("one", ForwardedIdentity::None),
            second.config("two", ForwardedIdentity::None),
        ])
    };
    let ada = user("ada");
    let every = ["a", "b", "one_same", "two_same", "c"];
    assert_eq!(names(&all(), &ada).await, every);
    for most in 0..=5 {
        let tools = all().with_max_tools(most);
        assert_eq!(names(&tools, &ada).await, every[..most]);
        let told = tools.left_out.lock().unwrap().clone();
        assert_eq!(
            told,
            every[most..].iter().map(|&name| name.to_owned()).collect()
        );
        let (_, output, is_error) = run(&tools, &ada, "two_same", "{}").await;
        assert_eq!(is_error, most < 4, "{most}: {output}");
    }
}
