//! The tools port before real MCP servers, over real HTTP.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex as SyncMutex};

use auth::ports::ClientAuthMethod;
use axum::{Router, http::request::Parts};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engine::{
    SessionRules, User,
    ports::{FileContent, Model, ModelEvent, ModelInput, ModelRequest, ToolFile},
};
use futures::StreamExt;
use protocol::Timestamp;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
        PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
        ToolAnnotations,
    },
    service::RequestContext as McpContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::{local::LocalSessionManager, never::NeverSessionManager},
    },
};
use secrecy::SecretBox;
use serde_json::json;
use testkit::oidc::{self, OidcServer};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::*;

mod consent;
mod habits;
mod results;
mod speed;
mod tolerance;
mod wire;

/// A server with a few tools that say what was done to it.
struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    tools: SyncMutex<Vec<&'static str>>,
    /// What each page of the list names as the next one.
    cursor: SyncMutex<Option<String>>,
    listings: watch::Sender<usize>,
    waiting: watch::Sender<usize>,
    gate: watch::Sender<bool>,
    cancelled: watch::Sender<usize>,
    /// What the tool `answer` answers.
    answer: SyncMutex<Value>,
}

impl Shared {
    fn new(tools: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            tools: SyncMutex::new(tools.to_vec()),
            cursor: SyncMutex::default(),
            listings: watch::Sender::default(),
            waiting: watch::Sender::default(),
            gate: watch::Sender::default(),
            cancelled: watch::Sender::default(),
            answer: SyncMutex::default(),
        })
    }

    /// The MCP endpoint over this.
    fn router(self: &Arc<Self>) -> Router {
        let handler = Handler(Arc::clone(self));
        let service = StreamableHttpService::new(
            move || Ok(handler.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        Router::new().nest_service("/mcp", service)
    }
}

#[derive(Clone)]
struct Handler(Arc<Shared>);

impl Server {
    async fn start(tools: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::new(tools);
        let router = shared.router();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            tasks,
        }
    }

    fn url(&self) -> Url {
        format!("http://{}/mcp", self.address).parse().unwrap()
    }

    fn config(&self, name: &str, identity: ForwardedIdentity) -> McpServer {
        McpServer {
            identity,
            ..McpServer::new(name, self.url())
        }
    }

    fn listings(&self) -> usize {
        *self.shared.listings.borrow()
    }

    /// Nobody listens any more afterwards.
    async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(
            ServerCapabilities::builder()
                .enable_tools()
                .enable_tool_list_changed()
                .build(),
        )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: McpContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.0.listings.send_modify(|count| *count += 1);
        let schema = json!({"type": "object", "properties": {"size": {"type": "integer"}}});
        let schema = Arc::new(schema.as_object().cloned().unwrap());
        let tools = self.0.tools.lock().unwrap();
        let tools = tools.iter().map(|name| {
            let tool = Tool::new(*name, format!("The tool {name}."), Arc::clone(&schema));
            let hints = ToolAnnotations::new().destructive(*name == "wipe");
            tool.with_annotations(hints)
        });
        let mut page = ListToolsResult::with_all_items(tools.collect());
        page.next_cursor.clone_from(&self.0.cursor.lock().unwrap());
        Ok(page)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: McpContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = match &*request.name {
            "whoami" => {
                let parts = context.extensions.get::<Parts>().unwrap();
                let token = parts.headers.get("authorization");
                token.map_or_else(
                    || "nobody".to_owned(),
                    |token| token.to_str().unwrap().to_owned(),
                )
            }
            "steps" => {
                for step in 1..=3 {
                    let token = context.meta.get_progress_token().unwrap();
                    let progress = ProgressNotificationParam::new(token, f64::from(step))
                        .with_total(3.0)
                        .with_message(format!("step\n{step}"));
                    context.peer.notify_progress(progress).await.unwrap();
                }
                "all steps done".to_owned()
            }
            "big" => {
                let size = request.arguments.as_ref().unwrap()["size"]
                    .as_u64()
                    .unwrap();
                "é".repeat(usize::try_from(size).unwrap())
            }
            "wait" => {
                self.0.waiting.send_modify(|count| *count += 1);
                context.ct.cancelled().await;
                self.0.cancelled.send_modify(|count| *count += 1);
                "cancelled".to_owned()
            }
            "gate" => {
                self.0.waiting.send_modify(|count| *count += 1);
                let mut gate = self.0.gate.subscribe();
                gate.wait_for(|is_open| *is_open).await.unwrap();
                "through the gate".to_owned()
            }
            "grow" => {
                self.0.tools.lock().unwrap().push("grown");
                context.peer.notify_tool_list_changed().await.unwrap();
                "there is one more".to_owned()
            }
            "fail" => {
                return Ok(CallToolResult::error(vec![ContentBlock::text("no such task")]).into());
            }
            "answer" => {
                let answer = self.0.answer.lock().unwrap().clone();
                let answer: CallToolResult = serde_json::from_value(answer).unwrap();
                return Ok(answer.into());
            }
            "refuse" => {
                let arguments = request.arguments.as_ref();
                let data = arguments.and_then(|arguments| arguments.get("data").cloned());
                return Err(ErrorData::invalid_params("size must be even", data));
            }
            other => format!("{other} of {}", self.0.tools.lock().unwrap().len()),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(1_795_343_497_000_000).unwrap()
    }
}

fn tools(servers: Vec<McpServer>) -> McpTools {
    let seed = SecretBox::new(Box::new([7; 32]));
    let signer = Arc::new(auth::Signer::from_seed(&seed).unwrap());
    let random = Arc::new(auth::ports::SystemRandom);
    let signer = IdentitySigner::new(signer, random, "https://chat.example.com");
    let http = HttpClient::new(&HTTP_POLICY).unwrap();
    McpTools::new(servers, http, Some(signer), Arc::new(FixedClock)).unwrap()
}

fn user(id: &str) -> RequestContext {
    RequestContext {
        owner: Owner::new(format!("https://id.example.com {id}")),
        user: User {
            id: id.to_owned(),
            issuer: "https://id.example.com".to_owned(),
            claims: Arc::default(),
            token: Some(format!("token-of-{id}").into()),
        },
        workflow: None,
        state_variables: Arc::default(),
        rules: SessionRules::default(),
        uploads: engine::UploadRules::default(),
        limits: engine::CallerLimits::default(),
        locale: None,
    }
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        call_id: "call_1".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    }
}

async fn names(tools: &McpTools, context: &RequestContext) -> Vec<String> {
    let specs = tools.list(context).await;
    specs.into_iter().map(|spec| spec.name).collect()
}

/// The lines of progress, the output, and whether it is an error.
async fn run(
    tools: &McpTools,
    context: &RequestContext,
    name: &str,
    arguments: &str,
) -> (Vec<String>, String, bool) {
    let (progress, output, is_error, _) = run_with_files(tools, context, name, arguments).await;
    (progress, output, is_error)
}

/// The same, and the files that the model is shown.
async fn run_with_files(
    tools: &McpTools,
    context: &RequestContext,
    name: &str,
    arguments: &str,
) -> (Vec<String>, String, bool, Vec<ToolFile>) {
    let mut events = tools.call(context, call(name, arguments), false).await;
    let mut progress = Vec::new();
    loop {
        match events.next().await.unwrap() {
            ToolEvent::Progress(line) => progress.push(line),
            ToolEvent::Done {
                output,
                is_error,
                files,
            } => {
                assert_eq!(events.next().await, None);
                return (progress, output, is_error, files);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The claims of a token that is known to be good: its signature is `auth`'s to test.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn tools_are_listed_and_called() {
    let server = Server::start(&["whoami", "steps"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    let specs = tools.list(&user("ada")).await;
    assert_eq!(specs[0].name, "whoami");
    assert_eq!(specs[0].description, "The tool whoami.");
    assert_eq!(specs[0].parameters["properties"]["size"]["type"], "integer");
    assert_eq!(
        run(&tools, &user("ada"), "whoami", "").await,
        (vec![], "nobody".to_owned(), false)
    );
    // Discovery is cached for the user.
    names(&tools, &user("ada")).await;
    assert_eq!(server.listings(), 1);
}

#[tokio::test]
async fn a_list_that_never_ends_is_read_once() {
    for (cursor, listings) in [("", 1), ("again", 2)] {
        let server = Server::start(&["whoami", "steps"]).await;
        *server.shared.cursor.lock().unwrap() = Some(cursor.to_owned());
        let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
        assert_eq!(names(&tools, &user("ada")).await, ["whoami", "steps"]);
        assert_eq!(server.listings(), listings, "{cursor:?}");
    }
}

#[tokio::test]
async fn servers_without_sessions_work_as_well() {
    let handler = Handler(Shared::new(&["whoami", "steps"]));
    let service = StreamableHttpService::new(
        move || Ok(handler.clone()),
        Arc::new(NeverSessionManager::default()),
        StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = Router::new().nest_service("/mcp", service);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let tools = tools(vec![McpServer {
        identity: ForwardedIdentity::AnyToken,
        ..McpServer::new("todo", url.parse().unwrap())
    }]);
    let (_, output, _) = run(&tools, &user("ada"), "whoami", "{}").await;
    assert_eq!(output, "Bearer token-of-ada");
    let (progress, output, _) = run(&tools, &user("ada"), "steps", "{}").await;
    assert_eq!((progress.len(), output.as_str()), (3, "all steps done"));
}

#[tokio::test]
async fn progress_reaches_the_user() {
    let server = Server::start(&["steps"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    assert_eq!(
        run(&tools, &user("ada"), "steps", "{}").await,
        (
            vec![
                "step 1".to_owned(),
                "step 2".to_owned(),
                "step 3".to_owned()
            ],
            "all steps done".to_owned(),
            false
        )
    );
}

#[tokio::test]
async fn each_user_is_told_apart_even_when_all_call_at_once() {
    let server = Server::start(&["whoami"]).await;
    for identity in [ForwardedIdentity::AnyToken, ForwardedIdentity::Signed] {
        let tools = tools(vec![server.config("todo", identity)]);
        let people: Vec<_> = (0..8)
            .map(|number| user(&format!("user-{number}")))
            .collect();
        for _ in 0..3 {
            let calls = people
                .iter()
                .map(|person| run(&tools, person, "whoami", "{}"));
            for (person, (_, output, is_error)) in people.iter().zip(join_all(calls).await) {
                assert!(!is_error, "{output}");
                let token = output.strip_prefix("Bearer ").unwrap();
                match identity {
                    ForwardedIdentity::AnyToken => {
                        assert_eq!(token, format!("token-of-{}", person.user.id));
                    }
                    _ => assert_eq!(claims(token)["sub"], person.owner.as_str()),
                }
            }
        }
        assert_eq!(tools.sessions.iter().count(), people.len());
    }
}

/// The token that a server is shown.
async fn shown(tools: &McpTools, context: &RequestContext) -> String {
    let (_, output, is_error) = run(tools, context, "whoami", "{}").await;
    assert!(!is_error, "{output}");
    output.strip_prefix("Bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_identity_is_for_one_server_and_for_minutes() {
    let server = Server::start(&["whoami"]).await;
    let signing = || tools(vec![server.config("todo", ForwardedIdentity::Signed)]);
    let token = shown(&signing(), &user("ada")).await;
    let mut told = claims(&token);
    let id = told.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(
        told,
        json!({
            "iss": "https://chat.example.com", "aud": server.url().as_str(),
            "sub": "https://id.example.com ada",
            "user": {"id": "ada", "issuer": "https://id.example.com"},
            "iat": 1_795_343_497, "exp": 1_795_344_097,
        })
    );
    // 128 bits, and others each time.
    assert_eq!(id.as_str().unwrap().len(), 22);
    assert_ne!(claims(&shown(&signing(), &user("ada")).await)["jti"], id);
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["typ"], "vestibule-mcp+jwt");
    // Whatever the server calls itself.
    let named = McpServer {
        audience: Some("urn:example:todo".to_owned()),
        ..server.config("todo", ForwardedIdentity::Signed)
    };
    let token = shown(&tools(vec![named]), &user("ada")).await;
    assert_eq!(claims(&token)["aud"], "urn:example:todo");
}

#[test]
fn a_token_is_meant_for_the_server_that_its_audience_names() {
    let server = |audience: Option<&str>| McpServer {
        audience: audience.map(str::to_owned),
        ..McpServer::new("todo", "https://Todo.example.com:443/mcp/".parse().unwrap())
    };
    for (audience, aud, is_meant) in [
        (None, json!("https://todo.example.com/mcp"), true),
        (None, json!("HTTPS://todo.EXAMPLE.com:443/mcp/"), true),
        (
            None,
            json!(["https://chat.example.com", "https://todo.example.com/mcp"]),
            true,
        ),
        (None, json!("https://todo.example.com"), false),
        (None, json!("https://todo.example.com/MCP"), false),
        (None, json!("https://todo.example.com/mcp/admin"), false),
        (None, json!("https://todo.example.com:8443/mcp"), false),
        (None, json!("http://todo.example.com/mcp"), false),
        (None, json!("https://chat.example.com"), false),
        (None, json!(null), false),
        (None, json!({}), false),
        (None, json!([]), false),
        (Some("todo"), json!(["todo"]), true),
        (Some("todo"), json!("Todo"), false),
        (Some("todo"), json!("https://todo.example.com/mcp"), false),
    ] {
        let claims = json!({ "aud": aud });
        let answer = server(audience).is_meant_by(claims.as_object().unwrap());
        assert_eq!(answer, is_meant, "{audience:?} {aud}");
    }
    assert!(!server(None).is_meant_by(&serde_json::Map::new()));
}

#[tokio::test]
async fn a_token_that_is_meant_for_others_stays_here() {
    let server = Server::start(&["whoami"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::Token)]);
    let with_audience = |aud: &str| {
        let mut ada = user("ada");
        ada.user.claims = Arc::new(json!({ "aud": aud }).as_object().unwrap().clone());
        ada
    };
    let ada = with_audience(server.url().as_str());
    assert_eq!(shown(&tools, &ada).await, "token-of-ada");
    // An open session does not stand in for it.
    let ada = with_audience("https://chat.example.com");
    assert_eq!(names(&tools, &ada).await, Vec::<String>::new());
    let refused = tools.offer(0, &ada, false).await.err().unwrap().to_string();
    assert!(refused.contains("identity = \"exchange\""), "{refused}");
}

/// A person of a real issuer, and tools that exchange their token there.
struct Exchanging {
    issuer: OidcServer,
    tools: McpTools,
    ada: RequestContext,
}

impl Exchanging {
    async fn at(server: McpServer, method: ClientAuthMethod) -> Self {
        let issuer = OidcServer::start().await.unwrap();
        issuer.take_clients(method);
        let name = format!("{}/id", issuer.base_url());
        let document = json!({ "issuer": name, "token_endpoint": format!("{name}/token") });
        issuer
            .publish("http://id/.well-known/openid-configuration", &document)
            .unwrap();
        issuer.know("token-of-ada", json!({ "active": true }));
        let mut exchange = TokenExchange::default();
        let client = ExchangeClient {
            address: None,
            client_id: oidc::CLIENT_ID.to_owned(),
            client_secret: oidc::CLIENT_SECRET.into(),
            auth_method: method,
            http: HttpClient::new(&HttpPolicy::DOCUMENT).unwrap(),
        };
        exchange.add(&name, client);
        let mut ada = user("ada");
        ada.user.issuer = name;
        Self {
            issuer,
            tools: tools(vec![server]).with_exchange(exchange),
            ada,
        }
    }

    fn asked(&self) -> usize {
        self.issuer.asked("http://id/token")
    }

    /// Why the server is of no use to somebody, with all causes.
    async fn trouble(&self, context: &RequestContext) -> String {
        let error = self.tools.offer(0, context, false).await.err().unwrap();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    }
}

#[tokio::test]
async fn a_token_is_exchanged_once_for_each_user_and_server() {
    let server = Server::start(&["whoami"]).await;
    let url = server.url().to_string();
    for method in [ClientAuthMethod::Basic, ClientAuthMethod::Post] {
        let config = server.config("todo", ForwardedIdentity::Exchanged);
        let mut world = Exchanging::at(config, method).await;
        world.issuer.exchange_for(&[&url], Some(300));
        let calls = (0..8).map(|_| shown(&world.tools, &world.ada));
        for token in join_all(calls).await {
            assert_eq!(token, format!("token-of-ada/{url}/1"));
        }
        assert_eq!(world.asked(), 1);
        // Another token may stand for other rights.
        world.issuer.know("newer", json!({ "active": true }));
        world.ada.user.token = Some("newer".into());
        assert_eq!(
            shown(&world.tools, &world.ada).await,
            format!("newer/{url}/2")
        );
        // Without one there is nothing to exchange, and nothing of before is used.
        world.ada.user.token = None;
        assert!(names(&world.tools, &world.ada).await.is_empty());
        assert_eq!(world.asked(), 2);
    }
}

#[tokio::test]
async fn an_exchanged_token_is_replaced_before_it_ends() {
    let server = Server::start(&["whoami"]).await;
    let config = McpServer {
        audience: Some("todo".to_owned()),
        ..server.config("todo", ForwardedIdentity::Exchanged)
    };
    let world = Exchanging::at(config, ClientAuthMethod::Basic).await;
    world.issuer.exchange_for(&["todo"], Some(0));
    assert_eq!(shown(&world.tools, &world.ada).await, "token-of-ada/todo/1");
    assert_eq!(shown(&world.tools, &world.ada).await, "token-of-ada/todo/2");
    world.issuer.exchange_for(&["todo"], None);
    assert_eq!(shown(&world.tools, &world.ada).await, "token-of-ada/todo/3");
    assert_eq!(shown(&world.tools, &world.ada).await, "token-of-ada/todo/3");
}

#[tokio::test]
async fn an_exchange_that_fails_says_what_to_do_and_repeats_nothing() {
    let server = Server::start(&["whoami"]).await;
    let world = || {
        let config = server.config("todo", ForwardedIdentity::Exchanged);
        Exchanging::at(config, ClientAuthMethod::Basic)
    };
    let refused = world().await;
    let trouble = refused.trouble(&refused.ada).await;
    assert!(
        trouble.contains("invalid_target") && trouble.contains("`audience`"),
        "{trouble}"
    );
    assert!(!trouble.contains("token-of-ada"), "{trouble}");
    let asked = refused.asked();
    assert!(refused.tools.list(&refused.ada).await.is_empty());
    assert_eq!(refused.asked(), asked, "it is left alone for a while");

    let stranger = world().await;
    stranger.issuer.take_clients(ClientAuthMethod::Post);
    let trouble = stranger.trouble(&stranger.ada).await;
    assert!(
        trouble.contains("invalid_client") && trouble.contains("secret"),
        "{trouble}"
    );

    let away = world().await;
    away.issuer.fail(Some((503, 1)));
    let trouble = away.trouble(&away.ada).await;
    assert!(
        trouble.contains("503") && trouble.contains("exchange_url"),
        "{trouble}"
    );

    let elsewhere = world().await;
    let trouble = elsewhere.trouble(&user("ada")).await;
    assert!(trouble.contains("exchange_client_id"), "{trouble}");
    assert_eq!(elsewhere.issuer.asked_in_all(), 0);

    let other = world().await;
    let document =
        json!({ "issuer": "https://id.example.com", "token_endpoint": "https://a.example" });
    other
        .issuer
        .publish("http://id/.well-known/openid-configuration", &document)
        .unwrap();
    let trouble = other.trouble(&other.ada).await;
    assert!(trouble.contains("another issuer"), "{trouble}");
}

/// What passes through the library and what a server says in its errors is people's.
#[test]
fn what_went_wrong_is_told_without_what_was_said() {
    let error = ErrorData::invalid_params("my diary", Some(json!("my diary")));
    let said = [
        failure::of_service(&rmcp::ServiceError::McpError(error.clone())),
        failure::of_opening(&rmcp::service::ClientInitializeError::JsonRpcError(error)),
        failure::of_opening(&rmcp::service::ClientInitializeError::ConnectionClosed(
            "my diary".to_owned(),
        )),
    ];
    for text in said {
        let text = text.to_string();
        assert!(!text.is_empty() && !text.contains("diary"), "{text}");
    }
}

#[tokio::test]
async fn a_new_token_takes_the_place_of_the_old_one() {
    let server = Server::start(&["whoami"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::AnyToken)]);
    let mut ada = user("ada");
    run(&tools, &ada, "whoami", "{}").await;
    ada.user.token = Some("a-newer-token".into());
    let (_, output, _) = run(&tools, &ada, "whoami", "{}").await;
    assert_eq!(output, "Bearer a-newer-token");
    // Behind doors 1 and 2 there is no token, and an open session does not stand in for it.
    ada.user.token = None;
    assert_eq!(names(&tools, &ada).await, Vec::<String>::new());
    let (_, output, is_error) = run(&tools, &ada, "whoami", "{}").await;
    assert!(is_error && !output.contains("token"), "{output}");
}

#[tokio::test]
async fn colliding_names_get_their_servers_in_front() {
    let first = Server::start(&["whoami", "steps"]).await;
    let second = Server::start(&["whoami", "a", "b"]).await;
    let tools = tools(vec![
        first.config("one", ForwardedIdentity::None),
        second.config("two", ForwardedIdentity::AnyToken),
    ]);
    let ada = user("ada");
    assert_eq!(
        names(&tools, &ada).await,
        ["one_whoami", "steps", "two_whoami", "a", "b"]
    );
    let (_, output, _) = run(&tools, &ada, "one_whoami", "{}").await;
    assert_eq!(output, "nobody");
    let (_, output, _) = run(&tools, &ada, "two_whoami", "{}").await;
    assert_eq!(output, "Bearer token-of-ada");
}

#[tokio::test]
async fn failures_are_told_to_the_model() {
    let server = Server::start(&["fail", "refuse", "whoami"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    for (name, arguments, said) in [
        ("fail", "{}", "no such task"),
        ("refuse", "{}", "The tool failed: size must be even"),
        (
            "refuse",
            r#"{"data":"it is 3"}"#,
            "The tool failed: size must be even\nit is 3",
        ),
        (
            "refuse",
            r#"{"data":{"path":["size",3]}}"#,
            "The tool failed: size must be even\n{\"path\":[\"size\",3]}",
        ),
        ("unknown", "{}", "There is no tool of this name."),
        ("whoami", "[1]", "not a JSON object"),
        ("whoami", "{\"size\":", "not a JSON object"),
    ] {
        let (_, output, is_error) = run(&tools, &user("ada"), name, arguments).await;
        assert!(is_error && output.contains(said), "{name}: {output}");
    }
}

#[tokio::test]
async fn a_large_result_is_cut_and_says_so() {
    let server = Server::start(&["big"]).await;
    let mut config = server.config("todo", ForwardedIdentity::None);
    config.max_result_bytes = 101;
    let tools = tools(vec![config]);
    let (_, output, is_error) = run(&tools, &user("ada"), "big", r#"{"size":1000}"#).await;
    assert!(!is_error);
    assert_eq!(
        output,
        format!("{}\n[cut off here: 1900 more bytes]", "é".repeat(50))
    );
}

#[tokio::test]
async fn a_result_of_several_megabytes_is_cut_and_one_that_cannot_be_read_is_told() {
    let server = Server::start(&["big", "whoami"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    let (_, output, is_error) = run(&tools, &user("ada"), "big", r#"{"size":2500000}"#).await;
    assert!(!is_error && output.len() < 70_000);
    assert!(output.ends_with("more bytes]"), "{}", output.len());

    let (_, output, is_error) = run(&tools, &user("ada"), "big", r#"{"size":4500000}"#).await;
    assert!(is_error && output.contains("too large"), "{output}");
    let (_, output, is_error) = run(&tools, &user("ada"), "whoami", "{}").await;
    assert_eq!((&*output, is_error), ("nobody", false), "the session lives");
}

#[tokio::test]
async fn a_slow_tool_is_given_up_and_cancelled() {
    let server = Server::start(&["wait"]).await;
    let mut config = server.config("todo", ForwardedIdentity::None);
    config.call_timeout = Duration::from_millis(500);
    let tools = tools(vec![config]);
    let (_, output, is_error) = run(&tools, &user("ada"), "wait", "{}").await;
    assert!(
        is_error && output.contains("within 0.5 seconds"),
        "{output}"
    );
    let mut cancelled = server.shared.cancelled.subscribe();
    cancelled.wait_for(|count| *count == 1).await.unwrap();
}

#[tokio::test]
async fn dropping_the_call_cancels_it() {
    let server = Server::start(&["wait"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    let mut events = tools.call(&user("ada"), call("wait", "{}"), false).await;
    let mut waiting = server.shared.waiting.subscribe();
    tokio::select! {
        event = events.next() => panic!("{event:?} came too early"),
        arrived = waiting.wait_for(|count| *count == 1) => { arrived.unwrap(); }
    }
    drop(events);
    let mut cancelled = server.shared.cancelled.subscribe();
    cancelled.wait_for(|count| *count == 1).await.unwrap();
}

#[tokio::test]
async fn a_call_outlives_the_session_that_takes_its_place() {
    let server = Server::start(&["gate", "whoami"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::AnyToken)]);
    let mut ada = user("ada");
    let mut events = tools.call(&ada, call("gate", "{}"), false).await;
    let mut waiting = server.shared.waiting.subscribe();
    tokio::select! {
        event = events.next() => panic!("{event:?} came too early"),
        arrived = waiting.wait_for(|count| *count == 1) => { arrived.unwrap(); }
    }
    ada.user.token = Some("a-newer-token".into());
    run(&tools, &ada, "whoami", "{}").await;
    tools.sessions.invalidate_all();
    tools.sessions.run_pending_tasks();
    server.shared.gate.send_replace(true);
    let done = ToolEvent::done("through the gate", false);
    assert_eq!(events.next().await, Some(done));
}

#[tokio::test]
async fn a_list_that_changed_is_asked_for_again() {
    let server = Server::start(&["grow"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    let ada = user("ada");
    assert_eq!(names(&tools, &ada).await, ["grow"]);
    run(&tools, &ada, "grow", "{}").await;
    // Whether the news has come by now or not: an unknown name asks again.
    let (_, output, _) = run(&tools, &ada, "grown", "{}").await;
    assert_eq!(output, "grown of 2");
    assert_eq!(names(&tools, &ada).await, ["grow", "grown"]);
}

#[tokio::test]
async fn a_server_that_is_down_is_left_out_and_not_asked_at_once_again() {
    let gone = Server::start(&["whoami"]).await;
    let up = Server::start(&["steps"]).await;
    let tools = tools(vec![
        gone.config("gone", ForwardedIdentity::None),
        up.config("up", ForwardedIdentity::None),
    ]);
    gone.stop().await;
    let ada = user("ada");
    assert_eq!(names(&tools, &ada).await, ["steps"]);
    let (_, output, is_error) = run(&tools, &ada, "whoami", "{}").await;
    assert!(is_error && output.contains("cannot be reached"), "{output}");
    let error = tools.offer(0, &ada, false).await.err().unwrap();
    assert!(matches!(error, Trouble::BackingOff), "{error}");
}

#[tokio::test]
async fn a_server_that_forgot_its_sessions_is_met_again() {
    let server = Server::start(&["whoami"]).await;
    let address = server.address;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    let ada = user("ada");
    assert_eq!(names(&tools, &ada).await, ["whoami"]);
    // The same address with a new process behind it.
    server.stop().await;
    let router = Shared::new(&["whoami", "new"]).router();
    let listener = TcpListener::bind(address).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let (_, output, is_error) = run(&tools, &ada, "new", "{}").await;
    assert!(!is_error, "{output}");
    assert_eq!(output, "new of 2");
}

#[tokio::test]
async fn the_demo_assistant_uses_them() {
    let server = Server::start(&["add_task", "list_tasks"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::Signed)]);
    let ada = user("ada");
    let mut request = ModelRequest {
        model: "demo".to_owned(),
        instructions: String::new(),
        input: vec![ModelInput::User("list my tasks".into())],
        tools: tools.list(&ada).await,
        tool_choice: None,
        max_output_tokens: None,
        locale: None,
        end_user: String::new(),
        may_use_builtins: true,
    };
    let demo = crate::Demo::new(Duration::ZERO);
    let first: Vec<_> = demo.respond(request.clone()).await.unwrap().collect().await;
    let asked = first.into_iter().find_map(|event| match event {
        Ok(ModelEvent::ToolCall(call)) => Some(call),
        _ => None,
    });
    let asked = asked.unwrap();
    let (_, output, _) = run(&tools, &ada, &asked.name, &asked.arguments).await;
    let call_id = asked.call_id.clone();
    request.input.push(ModelInput::ToolCall(asked));
    request.input.push(ModelInput::ToolOutput {
        call_id,
        output,
        files: Vec::new(),
    });
    let second = demo.respond(request).await.unwrap();
    let text = second.filter_map(|event| async {
        match event {
            Ok(ModelEvent::TextDelta(text)) => Some(text),
            _ => None,
        }
    });
    let text: String = text.collect().await;
    assert!(text.starts_with("list_tasks of 2"), "{text}");
}

#[test]
fn plain_http_that_one_server_may_use_is_no_siblings() {
    let server = |name: &str, is_allowed| McpServer {
        allow_insecure_http: is_allowed,
        identity: ForwardedIdentity::None,
        ..McpServer::new(
            name,
            format!("http://{name}.example.com/mcp").parse().unwrap(),
        )
    };
    let build = |servers| {
        let http = HttpClient::new(&HTTP_POLICY).unwrap();
        McpTools::new(servers, http, None, Arc::new(FixedClock)).err()
    };
    assert!(build(vec![server("one", true)]).is_none());
    for servers in [
        vec![server("one", true), server("two", false)],
        vec![server("two", false), server("one", true)],
    ] {
        let message = build(servers).unwrap().to_string();
        assert!(message.contains("two.example.com"), "{message}");
    }
}

#[test]
fn a_server_that_cannot_be_called_is_refused_at_once() {
    let http = || HttpClient::new(&HTTP_POLICY).unwrap();
    let server = |url: &str| McpServer::new("todo", url.parse().unwrap());
    let build = |url| McpTools::new(vec![server(url)], http(), None, Arc::new(FixedClock));
    let messages: BTreeMap<_, _> = [
        "http://tools.example.com/mcp",
        "https://tools.example.com/mcp",
    ]
    .into_iter()
    .map(|url| (url, build(url).err().map(|error| error.to_string())))
    .collect();
    assert!(
        messages["http://tools.example.com/mcp"]
            .as_ref()
            .unwrap()
            .contains("https")
    );
    assert!(
        messages["https://tools.example.com/mcp"]
            .as_ref()
            .unwrap()
            .contains("signing key")
    );
}
