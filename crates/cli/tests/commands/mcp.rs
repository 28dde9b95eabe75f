//! `mcp check` before real MCP servers, over real HTTP.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{StatusCode, request::Parts},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
        ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{House, errors};

/// A server with these tools; what they are called says what they do.
#[derive(Clone)]
struct Server(Vec<(&'static str, Value)>);

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("todo-server", "4.2.0"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.0.iter().map(|(name, schema)| {
            let schema = Arc::new(schema.as_object().cloned().unwrap());
            Tool::new(*name, format!("does {name}"), schema)
        });
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let shown = || {
            let parts = context.extensions.get::<Parts>().unwrap();
            let token = parts.headers.get("authorization")?.to_str().ok()?;
            Some(token.strip_prefix("Bearer ").unwrap().to_owned())
        };
        let content = match &*request.name {
            "who.am.i" => ContentBlock::text(shown().unwrap_or_else(|| "nobody".to_owned())),
            "draw" => ContentBlock::image("iVBORw0KGgo=", "image/png"),
            "fail" => {
                return Ok(CallToolResult::error(vec![ContentBlock::text("no paper")]).into());
            }
            _ => {
                if let Some(token) = context.meta.get_progress_token() {
                    let progress =
                        ProgressNotificationParam::new(token, 1.0).with_message("half way");
                    context.peer.notify_progress(progress).await.unwrap();
                    // What is said together with the result may come after it, and is then not shown.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                ContentBlock::text(format!(
                    "added {:?}",
                    request.arguments.unwrap_or_default()["title"]
                ))
            }
        };
        Ok(CallToolResult::success(vec![content]).into())
    }
}

async fn listen(router: Router, tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn serve(tools: Vec<(&'static str, Value)>, tasks: &mut JoinSet<()>) -> SocketAddr {
    let service = StreamableHttpService::new(
        move || Ok(Server(tools.clone())),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    listen(Router::new().nest_service("/mcp", service), tasks).await
}

fn object() -> Value {
    json!({"type": "object"})
}

fn several() -> Vec<(&'static str, Value)> {
    let title = json!({"type": "object", "properties": {"title": {"$ref": "#/$defs/t"}},
        "$defs": {"t": {"type": "string"}}});
    vec![
        ("add_task", title),
        ("who.am.i", object()),
        ("draw", object()),
        ("fail", object()),
        ("words", json!({"type": "string"})),
    ]
}

/// One `[[mcp_servers]]` table.
fn table(name: &str, address: SocketAddr, more: &str) -> String {
    format!("[[mcp_servers]]\nname = \"{name}\"\nurl = \"http://{address}/mcp\"\n{more}\n")
}

const NONE: &str = "identity = \"none\"";

fn house(configuration: &str) -> House {
    let house = House::empty();
    fs::write(house.path("vestibule.toml"), configuration).unwrap();
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_offers_and_why_not_is_told() {
    let mut tasks = JoinSet::new();
    let todo = serve(several(), &mut tasks).await;
    let more = serve(vec![("add_task", object()), ("last", object())], &mut tasks).await;
    let house = house(&format!(
        "{}{}[[workflows]]\nid = \"wf_a\"\ntools = [\"todo\", \"more\"]\nmax_tools = 5\n",
        table("todo", todo, NONE),
        table("more", more, NONE),
    ));
    let text = house.run(&["mcp", "check"]);
    for part in [
        "ok  todo: streamable HTTP at http://127.0.0.1:",
        "todo-server 4.2.0, MCP 2026-07-28 without a handshake",
        "offered without $defs, $ref",
        "left out: its arguments are not an object",
        "workflow wf_a: 5 of at most 5 tools are offered",
        "todo/who.am.i is called who_am_i",
        "more/add_task is called more_add_task",
        "no room for: more/last",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // One server alone stands where it stands among the others.
    let one = house.json(&["mcp", "check", "more"]);
    assert_eq!(one["servers"].as_array().unwrap().len(), 1);
    let [tool, last] = &one["servers"][0]["tools"].as_array().unwrap()[..] else {
        panic!("{one}")
    };
    assert_eq!(
        (&tool["name"], &last["name"]),
        (&json!("add_task"), &json!("last"))
    );
    assert_eq!(tool["description"], "does add_task");
    assert_eq!(
        one["workflows"][0]["renamed"]["more/add_task"],
        "more_add_task"
    );
    assert_eq!(one["workflows"][0]["left_out"], json!(["more/last"]));
    assert_eq!(one["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_and_its_result_told_as_a_model_would_be() {
    let mut tasks = JoinSet::new();
    let todo = serve(several(), &mut tasks).await;
    let house = house(&table("todo", todo, NONE));
    let call = |tool: &str, arguments: &str| {
        let call = [
            "mcp",
            "check",
            "todo",
            "--call",
            tool,
            "--arguments",
            arguments,
        ];
        house.run_with(&call, "{\"title\":\"bread\"}")
    };
    let printed = |tool, arguments| String::from_utf8(call(tool, arguments).stdout).unwrap();
    let text = printed("add_task", "{\"title\":\"milk\"}");
    assert!(
        text.contains("add_task answered; a model is told:\nadded String(\"milk\")"),
        "{text}"
    );
    assert!(printed("add_task", "-").contains("bread"));
    let shown = errors(&call("add_task", "{\"title\":\"milk\"}"));
    assert!(shown.contains("… half way"), "{shown}");
    let text = printed("draw", "{}");
    assert!(
        text.contains("and shown: image (image/png, 8 bytes)"),
        "{text}"
    );
    // By either name.
    for name in ["who.am.i", "who_am_i"] {
        assert!(printed(name, "{}").contains("nobody"), "{name}");
    }
    let failed = call("fail", "{}");
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&failed.stdout).contains("fail failed; a model is told:\nno paper")
    );
    let unknown = call("gone", "{}");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(errors(&unknown).contains("offers no tool `gone`; there are: add_task, who.am.i"));
    let wrong = call("add_task", "[1]");
    assert!(errors(&wrong).contains("--arguments must be a JSON object"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_named_by_a_signature_or_by_their_own_token() {
    let mut tasks = JoinSet::new();
    let todo = serve(several(), &mut tasks).await;
    let url = format!("http://{todo}/mcp");
    let house = house(&format!(
        "{}{}",
        table("signed", todo, ""),
        table("own", todo, "identity = \"token\""),
    ));
    let refused = house.run_with(&["mcp", "check", "signed"], "");
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stdout).unwrap();
    assert!(
        text.contains("not tried: there is no signing key yet"),
        "{text}"
    );
    house.serve(&[]).stop();

    let who = [
        "mcp",
        "check",
        "signed",
        "--call",
        "who.am.i",
        "--issuer",
        "https://id.example.com",
        "--subject",
        "42",
        "--json",
    ];
    let told: Value = serde_json::from_str(&house.run(&who)).unwrap();
    let token = told["call"]["output"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], "https://id.example.com 42");
    assert_eq!(claims["aud"], url);

    let text = house.run_with(&["mcp", "check", "own"], "").stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("--token-file FILE"), "{text}");
    let token = |claims: Value| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let call = [
        "mcp",
        "check",
        "own",
        "--call",
        "who.am.i",
        "--token-file",
        "-",
    ];
    let meant = token(json!({"iss": "https://id.example.com", "sub": "42", "aud": url}));
    let told = house.run_with(&call, &format!("{meant}\n"));
    assert!(String::from_utf8_lossy(&told.stdout).contains(&meant));
    let other = house.run_with(&call, &token(json!({"sub": "42", "aud": "elsewhere"})));
    assert_eq!(other.status.code(), Some(1));
    let text = String::from_utf8(other.stdout).unwrap();
    assert!(text.contains("is not meant for it"), "{text}");
    assert!(!text.contains("e30."), "no token is printed: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_server_is_told_with_what_to_do() {
    let mut tasks = JoinSet::new();
    let greeting = "event: endpoint\ndata: /messages?sessionId=1\n\n";
    let old = get(move || async move { ([("content-type", "text/event-stream")], greeting) });
    let router = Router::new()
        .route("/sse", old.clone())
        .route("/old", old)
        .route("/page", post(|| async { "hello" }))
        .route("/closed", post(|| async { StatusCode::UNAUTHORIZED }));
    let address = listen(router, &mut tasks).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    let at = |path: &str| format!("http://{address}{path}");
    let cases = [
        (
            at("/sse"),
            "old HTTP+SSE transport",
            format!("try `url = \"http://{address}/mcp\"`"),
        ),
        (
            at("/old"),
            "old HTTP+SSE transport",
            "streamable HTTP".to_owned(),
        ),
        (
            at("/page"),
            "is not MCP",
            "most servers speak MCP at /mcp".to_owned(),
        ),
        (
            at("/nothing"),
            "404",
            "most servers speak MCP at /mcp".to_owned(),
        ),
        (at("/closed"), "401", "api_key_env".to_owned()),
        (
            format!("http://{nobody}/mcp"),
            "could not be reached",
            "runs at its `url`".to_owned(),
        ),
    ];
    for (url, problem, advice) in cases {
        let house = house(&format!(
            "[[mcp_servers]]\nname = \"todo\"\nurl = \"{url}\"\n{NONE}\n"
        ));
        let output = house.run_with(&["mcp", "check", "--json"], "");
        assert_eq!(output.status.code(), Some(1), "{url}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let server = &told["servers"][0];
        let said = server["problem"].as_str().unwrap();
        assert!(said.contains(problem), "{url}: {said}");
        let said = server["advice"].as_str().unwrap();
        assert!(said.contains(&advice), "{url}: {said}");
    }
    let empty = House::empty();
    let said = empty.refuse(&["mcp", "check"]);
    assert!(said.contains("no tool server is configured"), "{said}");
    let one = house(&table("todo", address, NONE));
    let said = one.refuse(&["mcp", "check", "todos"]);
    assert!(
        said.contains("`todos` is not one of [[mcp_servers]]; there are: todo"),
        "{said}"
    );
}

/// A table for FastMCP as a program, whose environment holds this mark.
fn fast(mark: &str) -> String {
    let script = testkit::services::mcp_folder().unwrap().join("fast.py");
    let python = testkit::services::mcp_python().unwrap();
    format!(
        "[[mcp_servers]]\nname = \"fast\"\ncommand = \"{python}\"\nargs = [\"{}\", \"stdio\"]\n\
         env = {{ KEY = {{ env = \"SECRET\" }}, MARK = \"{mark}\" }}\ncwd = \"inside\"\n{NONE}\n",
        script.display()
    )
}

#[test]
fn a_program_is_given_what_is_named_and_little_else() {
    let house = house(&fast("given"));
    fs::create_dir(house.path("inside")).unwrap();
    let told = |tool: &str| {
        let mut command = house.command(&["mcp", "check", "fast", "--call", tool, "--json"]);
        let variables = [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", "/home/x"),
            ("LANG", "C.UTF-8"),
            ("SECRET", "s3"),
            ("OTHER", "o"),
        ];
        let output = command.envs(variables).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["servers"][0]["transport"], "stdio");
        told["call"]["output"].as_str().unwrap().to_owned()
    };
    let environment = told("environment");
    let mut names: Vec<&str> = environment.split(' ').collect();
    names.retain(|pair| !pair.starts_with("LC_CTYPE="));
    assert_eq!(
        names,
        [
            "HOME=/home/x",
            "KEY=s3",
            "LANG=C.UTF-8",
            "MARK=given",
            "PATH=/usr/bin:/bin"
        ]
    );
    let folder = fs::canonicalize(house.path("inside")).unwrap();
    assert_eq!(told("folder"), folder.to_str().unwrap());
}

#[test]
fn a_program_that_cannot_work_is_refused_with_what_to_do() {
    for (table, said) in [
        ("command = \"x\"", "identity = \"none\""),
        (
            "command = \"x\"\nidentity = \"token\"",
            "identity = \"none\"",
        ),
        (
            "command = \"x\"\nurl = \"http://127.0.0.1:1/mcp\"\nidentity = \"none\"",
            "and not both",
        ),
        ("identity = \"none\"", "needs a `url`, or a `command`"),
        (
            "url = \"http://127.0.0.1:1/mcp\"\nargs = [\"a\"]",
            "mean nothing without `command`",
        ),
        (
            "command = \"x\"\nidentity = \"none\"\napi_key_env = \"KEY\"",
            "gets its keys by `env`",
        ),
        (
            "command = \"x\"\nidentity = \"none\"\nenv = { A = { env = \"GONE\" } }",
            "the variable GONE is not set",
        ),
    ] {
        let house = house(&format!("[[mcp_servers]]\nname = \"x\"\n{table}\n"));
        let refused = house.run_with(&["config", "check"], "");
        assert!(!refused.status.success(), "{table}");
        let words = errors(&refused) + &String::from_utf8_lossy(&refused.stdout);
        assert!(words.contains(said), "{table}: {words}");
    }
}

/// Processes with this mark in their environment.
fn marked(mark: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|pair| pair == format!("MARK={mark}").as_bytes())
        })
        .count()
}

fn until(what: &str, is_true: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_true() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{what}");
}

#[test]
fn a_program_is_there_with_the_server_and_gone_with_it() {
    for signal in ["TERM", "KILL"] {
        let mark = format!("of-{signal}-{}", std::process::id());
        // Two workflows, one process.
        let house = house(&format!(
            "[server]\ngrace_seconds = 0\n{}[[workflows]]\nid = \"wf_a\"\ntools = [\"fast\"]\n\
             [[workflows]]\nid = \"wf_b\"\ntools = [\"fast\"]\n",
            fast(&mark).replace("SECRET", "PATH")
        ));
        fs::create_dir(house.path("inside")).unwrap();
        let mut command = house.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut server = command.env("PATH", "/usr/bin:/bin").spawn().unwrap();
        until("it starts", || marked(&mark) > 0);
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(marked(&mark), 1);
        let id = server.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &id])
            .status();
        assert!(sent.unwrap().success());
        server.wait().unwrap();
        until("it ends", || marked(&mark) == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_what_is_left_out_when_the_server_starts() {
    let mut tasks = JoinSet::new();
    let todo = serve(several(), &mut tasks).await;
    let house = house(&format!(
        "{}[[workflows]]\nid = \"wf_a\"\ntools = [\"todo\"]\nmax_tools = 2\n",
        table("todo", todo, NONE)
    ));
    let lines = house.log_until(
        &["serve", "--listen", "127.0.0.1:0"],
        "more tools than may be offered",
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("words") && line.contains("a tool is left out")),
        "{lines:?}"
    );
    let last = lines.last().unwrap();
    assert!(last.contains("draw, fail"), "{last}");
}
