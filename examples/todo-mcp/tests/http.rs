//! The whole server over real HTTP, asked by the official MCP client: tools, isolation, refusals.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use auth::Signer;
use axum::Router;
use axum::routing::get;
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use secrecy::SecretBox;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use testkit::services::{Account, BetterAuth, BetterAuthOptions};
use todo_mcp::identity::Verifier;
use todo_mcp::tasks::Tasks;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use upstream::mcp::IDENTITY_TYP;
use url::Url;

/// A Vestibule's key on a server of its own, and the task server that believes it.
struct World {
    signer: Signer,
    issuer: String,
    mcp_url: String,
    _folder: TempDir,
    _servers: JoinSet<()>,
}

impl World {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    async fn start_with(login: Option<Verifier>) -> Self {
        let signer =
            Signer::from_seed(&SecretBox::new(Box::new([7; 32]))).expect("a seed makes a key");
        let mut servers = JoinSet::new();
        let keys = signer.jwks().to_string();
        let vestibule = Router::new().route("/.well-known/jwks.json", get(|| async move { keys }));
        let issuer = format!("http://{}", serve(&mut servers, vestibule).await);

        let folder = TempDir::new().expect("a folder");
        let tasks = Tasks::open(&folder.path().join("todo.db")).expect("a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mcp_url = format!("http://{address}/mcp");
        let verifier = Verifier::vestibule(&Url::parse(&issuer).expect("a URL"), &mcp_url)
            .expect("a verifier");
        let router = todo_mcp::router(Arc::new(tasks), verifier, login, &address.to_string());
        servers.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self {
            signer,
            issuer,
            mcp_url,
            _folder: folder,
            _servers: servers,
        }
    }

    /// A token as Vestibule makes it; `changes` replaces claims.
    fn token(&self, subject: &str, changes: &Value) -> String {
        let mut claims = json!({ "iss": self.issuer, "aud": self.mcp_url, "sub": format!("https://app.example.com {subject}"), "iat": now(), "exp": now() + 60, "jti": "1" });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let claims: Map<String, Value> = serde_json::from_value(claims).expect("an object");
        self.sign(&claims, Some(IDENTITY_TYP))
    }

    fn sign(&self, claims: &Map<String, Value>, typ: Option<&str>) -> String {
        self.signer.sign(claims, typ).expect("it signs")
    }

    async fn client(&self, subject: &str) -> Client {
        let config = StreamableHttpClientTransportConfig::with_uri(self.mcp_url.as_str())
            .auth_header(self.token(subject, &json!({})));
        let transport = StreamableHttpClientTransport::from_config(config);
        Client(().serve(transport).await.expect("the MCP handshake"))
    }

    /// A bare MCP request; returns status and body.
    async fn post(&self, authorization: Option<&str>) -> (u16, String) {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        let mut request = bare_client()
            .post(&self.mcp_url)
            .header("accept", "application/json, text/event-stream")
            .json(&body);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.expect("an answer");
        (
            response.status().as_u16(),
            response.text().await.expect("a body"),
        )
    }
}

async fn serve(servers: &mut JoinSet<()>, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    servers.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    address
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test stands outside: its clock is the real one"
)]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bare client, to send what a correct one would not"
)]
fn bare_client() -> reqwest::Client {
    reqwest::Client::new()
}

struct Client(RunningService<RoleClient, ()>);

impl Client {
    async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        let arguments = serde_json::from_value(arguments).expect("an object");
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.0.call_tool(request).await.expect("the tool answers")
    }

    /// The text of a call that must succeed.
    async fn text(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
        text_of(&result)
    }

    /// The text of a call that must fail as a tool, not as a protocol.
    async fn error(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{result:?}");
        text_of(&result)
    }
}

fn text_of(result: &CallToolResult) -> String {
    result
        .content
        .iter()
        .filter_map(|block| block.as_text())
        .map(|block| block.text.as_str())
        .collect()
}

#[tokio::test]
async fn a_task_is_added_listed_changed_completed_and_deleted() {
    let world = World::start().await;
    let ada = world.client("ada").await;
    assert_eq!(
        ada.text("list_tasks", json!({})).await,
        "The list is empty."
    );
    assert_eq!(
        ada.text("add_task", json!({ "title": "buy milk" })).await,
        "Added task 1: buy milk"
    );
    ada.text(
        "add_task",
        json!({ "title": "call Bob", "description": "about Friday" }),
    )
    .await;
    assert_eq!(
        ada.text("list_tasks", json!({})).await,
        "- Task 1: buy milk\n- Task 2: call Bob (about Friday)\n"
    );
    assert_eq!(
        ada.text("complete_task", json!({ "task_id": 1 })).await,
        "Completed task 1: buy milk"
    );
    let renamed = ada
        .text(
            "update_task",
            json!({ "task_id": 2, "title": "write to Bob" }),
        )
        .await;
    assert_eq!(renamed, "Changed task 2: write to Bob");
    assert_eq!(
        ada.text("list_tasks", json!({ "status": "completed" }))
            .await,
        "- Task 1: buy milk, done\n"
    );
    assert_eq!(
        ada.text("delete_task", json!({ "task_id": 1 })).await,
        "Deleted task 1: buy milk"
    );
    let listed = ada.call("list_tasks", json!({ "status": "open" })).await;
    assert_eq!(
        listed.structured_content,
        Some(json!({ "tasks": [
            { "task_id": 2, "title": "write to Bob", "description": "about Friday", "completed": false }] }))
    );
}

#[tokio::test]
async fn the_tools_are_described() {
    let world = World::start().await;
    let tools = world
        .client("ada")
        .await
        .0
        .list_all_tools()
        .await
        .expect("tools");
    let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "add_task",
            "complete_task",
            "delete_task",
            "list_tasks",
            "plan_task",
            "update_task"
        ]
    );
    for tool in &tools {
        assert!(
            tool.description.is_some(),
            "{} has no description",
            tool.name
        );
        assert!(
            !format!("{:?}", tool.input_schema).contains("owner"),
            "{} takes the owner",
            tool.name
        );
    }
}

#[tokio::test]
async fn one_users_tasks_do_not_exist_for_another() {
    let world = World::start().await;
    let (ada, bob) = (world.client("ada").await, world.client("bob").await);
    ada.text("add_task", json!({ "title": "hers" })).await;
    assert_eq!(
        bob.text("list_tasks", json!({})).await,
        "The list is empty."
    );
    for (tool, arguments) in [
        ("complete_task", json!({ "task_id": 1 })),
        ("update_task", json!({ "task_id": 1, "title": "his" })),
        ("delete_task", json!({ "task_id": 1 })),
    ] {
        assert!(
            bob.error(tool, arguments)
                .await
                .contains("there is no task 1")
        );
    }
    assert_eq!(
        bob.text("add_task", json!({ "title": "his" })).await,
        "Added task 1: his"
    );
    assert_eq!(ada.text("list_tasks", json!({})).await, "- Task 1: hers\n");
}

#[tokio::test]
async fn the_same_subject_of_another_issuer_is_another_user() {
    let world = World::start().await;
    world
        .client("ada")
        .await
        .text("add_task", json!({ "title": "hers" }))
        .await;
    let config = StreamableHttpClientTransportConfig::with_uri(world.mcp_url.as_str())
        .auth_header(world.token("ada", &json!({ "sub": "https://other.example.com ada" })));
    let transport = StreamableHttpClientTransport::from_config(config);
    let other = Client(().serve(transport).await.expect("the MCP handshake"));
    assert_eq!(
        other.text("list_tasks", json!({})).await,
        "The list is empty."
    );
}

#[tokio::test]
async fn mistakes_are_told_to_the_model() {
    let world = World::start().await;
    let ada = world.client("ada").await;
    assert!(
        ada.error("add_task", json!({ "title": "  " }))
            .await
            .contains("needs a title")
    );
    assert!(
        ada.error("add_task", json!({ "title": "x".repeat(201) }))
            .await
            .contains("200 characters")
    );
    assert!(
        ada.error("complete_task", json!({ "task_id": 9 }))
            .await
            .contains("there is no task 9")
    );
    assert!(
        ada.error("update_task", json!({ "task_id": 9 }))
            .await
            .contains("nothing to change")
    );
}

#[tokio::test]
async fn requests_without_a_good_token_are_refused() {
    let world = World::start().await;
    let stranger =
        Signer::from_seed(&SecretBox::new(Box::new([8; 32]))).expect("a seed makes a key");
    let forged = json!({ "iss": world.issuer, "aud": world.mcp_url, "sub": "ada", "exp": now() + 60, "jti": "1" });
    let good = forged.as_object().expect("an object");
    // As good as the others, but not made for an MCP server.
    let other_kinds = [None, Some("JWT"), Some("at+jwt")].map(|typ| world.sign(good, typ));
    let forged = stranger.sign(good, Some(IDENTITY_TYP)).expect("it signs");
    let cases = [
        (None, 401),
        (Some("Basic YTpi".to_owned()), 400),
        (Some("Bearer not-a-token".to_owned()), 401),
        (Some(format!("Bearer {forged}")), 401),
        (
            Some(format!(
                "Bearer {}",
                world.token("ada", &json!({ "exp": now() - 120 }))
            )),
            401,
        ),
        (
            Some(format!(
                "Bearer {}",
                world.token("ada", &json!({ "aud": "http://127.0.0.1:1/mcp" }))
            )),
            401,
        ),
        (
            Some(format!(
                "Bearer {}",
                world.token("ada", &json!({ "iss": "https://elsewhere.example.com" }))
            )),
            401,
        ),
        (
            Some(format!(
                "Bearer {}",
                world.token("ada", &json!({ "jti": null }))
            )),
            401,
        ),
        (
            Some(format!(
                "Bearer {}",
                world.token("ada", &json!({ "sub": 5 }))
            )),
            401,
        ),
    ];
    let others = other_kinds.map(|token| (Some(format!("Bearer {token}")), 401));
    for (authorization, expected) in cases.into_iter().chain(others) {
        let (status, body) = world.post(authorization.as_deref()).await;
        assert_eq!(status, expected, "{authorization:?} gave {body}");
        assert!(!body.contains("add_task"));
    }
}

#[tokio::test]
async fn a_page_of_any_origin_and_a_foreign_host_are_refused() {
    let world = World::start().await;
    let request = |name: &'static str, value: &'static str| {
        bare_client()
            .post(&world.mcp_url)
            .bearer_auth(world.token("ada", &json!({})))
            .header("accept", "application/json, text/event-stream")
            .header(name, value)
            .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }))
            .send()
    };
    assert_eq!(
        request("origin", "https://evil.example.com")
            .await
            .expect("an answer")
            .status(),
        403
    );
    assert_eq!(
        request("host", "evil.example.com")
            .await
            .expect("an answer")
            .status(),
        403
    );
}

#[tokio::test]
async fn a_page_reads_the_list_of_the_person_who_is_signed_in_to_the_app() {
    let login = BetterAuth::start(&BetterAuthOptions::default())
        .await
        .expect("a login server");
    let base_url = Url::parse(login.base_url()).expect("a URL");
    let world =
        World::start_with(Some(Verifier::better_auth(&base_url).expect("a verifier"))).await;
    let (ada, bob) = (
        login.sign_up("ada").await.expect("a user"),
        login.sign_up("bob").await.expect("a user"),
    );
    let said_by =
        |user: &Account| json!({ "sub": format!("{} {}", login.base_url(), user.user_id) });
    let talking = StreamableHttpClientTransport::from_config(
        StreamableHttpClientTransportConfig::with_uri(world.mcp_url.as_str())
            .auth_header(world.token("", &said_by(&ada))),
    );
    let talking = Client(().serve(talking).await.expect("the MCP handshake"));
    talking
        .text("add_task", json!({ "title": "buy milk" }))
        .await;

    let address = world.mcp_url.replace("/mcp", "/tasks");
    let read = |token: String| bare_client().get(&address).bearer_auth(token).send();
    let hers = read(login.token(&ada).await.expect("a token"))
        .await
        .expect("an answer");
    assert_eq!(hers.headers()["cache-control"], "no-store");
    let hers: Value = hers.json().await.expect("JSON");
    assert_eq!(hers["tasks"][0]["title"], "buy milk");
    let his = read(login.token(&bob).await.expect("a token"))
        .await
        .expect("an answer");
    assert_eq!(
        his.json::<Value>().await.expect("JSON"),
        json!({ "tasks": [] })
    );

    // Each door takes its own kind of token only.
    assert_eq!(
        read(world.token("", &said_by(&ada)))
            .await
            .expect("an answer")
            .status(),
        401
    );
    let (status, _) = world
        .post(Some(&format!(
            "Bearer {}",
            login.token(&ada).await.expect("a token")
        )))
        .await;
    assert_eq!(status, 401);
    assert_eq!(
        bare_client()
            .get(&address)
            .send()
            .await
            .expect("an answer")
            .status(),
        401
    );
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_not_the_users_fault() {
    let world = World::start().await;
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("an address");
    let verifier = Verifier::vestibule(
        &Url::parse(&format!("http://{gone}")).expect("a URL"),
        "here",
    )
    .expect("a verifier");
    let tasks = Tasks::open(Path::new(":memory:")).expect("a database");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = todo_mcp::router(Arc::new(tasks), verifier, None, &address.to_string());
    let mut servers = JoinSet::new();
    servers.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    let token = world.token(
        "ada",
        &json!({ "iss": format!("http://{gone}"), "aud": "here" }),
    );
    let response = bare_client()
        .post(format!("http://{address}/mcp"))
        .bearer_auth(token)
        .json(&json!({}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 503);
}
