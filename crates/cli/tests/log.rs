//! What the real binary writes to its log while people talk, tools work and everything fails: the names
//! that are needed to find a request, and nothing of what anybody said.
#![cfg(test)]
#![expect(
    deprecated,
    reason = "tool servers of today send log messages, though MCP gives them up"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use axum::Router;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
        LoggingLevel, LoggingMessageNotificationParam, PaginatedRequestParams,
        ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::fake_model::{FakeModel, Reply};
use tokio::{net::TcpListener, task::JoinSet};

/// Part of everything that people, models and tools say here.
const SAID: &str = "my-diary";
/// Where client secrets are taken.
const HOSTED: &str = "/v1/chatkit/conversation";

/// Tools that work, fail and refuse, and talk all the while.
#[derive(Clone)]
struct Talkative;

impl ServerHandler for Talkative {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_logging();
        ServerConfig::new(capabilities.build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(json!({ "type": "object" }).as_object().cloned().unwrap());
        let tools = ["work", "fail", "refuse"]
            .map(|name| Tool::new(name, format!("{name} {SAID}"), Arc::clone(&schema)));
        Ok(ListToolsResult::with_all_items(tools.to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let token = context.meta.get_progress_token().unwrap();
        let progress = ProgressNotificationParam::new(token, 1.0).with_message(SAID);
        context.peer.notify_progress(progress).await.unwrap();
        let log = LoggingMessageNotificationParam::new(LoggingLevel::Error, json!(SAID));
        context.peer.notify_logging_message(log).await.unwrap();
        let text = vec![ContentBlock::text(SAID)];
        match &*request.name {
            "work" => Ok(CallToolResult::success(text).into()),
            "fail" => Ok(CallToolResult::error(text).into()),
            _ => Err(ErrorData::invalid_params(SAID, Some(json!(SAID)))),
        }
    }
}

/// Addresses of a good tool server, and of one that answers everything with what was said.
async fn tool_servers(tasks: &mut JoinSet<()>) -> [String; 2] {
    let service = StreamableHttpService::new(
        || Ok(Talkative),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let babble = Router::new().fallback(|| async { format!("{{\"{SAID}\":\"{SAID}\"}}") });
    let mut addresses = Vec::new();
    for router in [Router::new().nest_service("/mcp", service), babble] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        addresses.push(format!("http://{address}/mcp"));
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    }
    addresses.try_into().unwrap()
}

/// A running binary, and all that it has written.
struct Server {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
    client: reqwest::Client,
    folder: TempDir,
}

impl Server {
    fn start(config: &str, filter: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("vestibule.toml"), config).unwrap();
        let mut command = Self::command(&folder, &["serve", "--dev", "--listen", "127.0.0.1:0"]);
        command.envs(filter.map(|filter| ("RUST_LOG", filter)));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::<Mutex<String>>::default();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            log.lock().unwrap().extend([line.as_str(), "\n"]);
            if let Some((_, address)) = line.split_once("is ready: ") {
                break address.trim().to_owned();
            }
        };
        let kept = log.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().extend([line.as_str(), "\n"]);
            }
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "a bare client, as any page has one"
        )]
        let client = reqwest::Client::new();
        Self {
            child,
            address,
            log,
            reader,
            client,
            folder,
        }
    }

    fn command(folder: &TempDir, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .args(arguments)
            .current_dir(folder.path())
            .env_clear();
        command
    }

    /// A request with a bearer token: the answer's `x-request-id` and its body.
    async fn post(&self, path: &str, bearer: &str, body: &str) -> (String, String) {
        let answer = self
            .client
            .post(format!("{}{path}", self.address))
            .header("content-type", "application/json")
            .header("openai-beta", "chatkit_beta=v1")
            .bearer_auth(bearer)
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        (id, answer.text().await.unwrap())
    }

    async fn say(&self, path: &str, bearer: &str) -> (String, String) {
        let message = json!({ "type": "threads.create", "params": { "input": {
            "content": [{ "type": "input_text", "text": SAID }],
            "attachments": [], "inference_options": {} } } });
        self.post(path, bearer, &message.to_string()).await
    }

    /// A user's token of the development issuer.
    async fn token(&self) -> String {
        let (_, body) = self.post("/dev/token", "", r#"{"user":"ada"}"#).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        body["token"].as_str().unwrap().to_owned()
    }

    /// The client secret of a session that leaves no trace.
    async fn untraced_secret(&self) -> String {
        let key = Self::command(&self.folder, &["key", "create", "--label", "test"])
            .output()
            .unwrap();
        let key = String::from_utf8(key.stdout).unwrap();
        let session = json!({ "user": "untraced-person",
            "workflow": { "id": "wf_talk", "tracing": { "enabled": false } } });
        let (_, body) = self
            .post("/v1/chatkit/sessions", key.trim(), &session.to_string())
            .await;
        let body: Value = serde_json::from_str(&body).unwrap();
        body["client_secret"].as_str().unwrap().to_owned()
    }

    /// Ends it, and gives all that it has written.
    fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.join().unwrap();
        self.log.lock().unwrap().clone()
    }
}

fn replies() -> Vec<Reply> {
    let call = |name: &str| Reply::tool_call("call_1", name, &json!({ "text": SAID }));
    let echo = || Reply::http_error(400, "invalid_value", &format!("Invalid value: '{SAID}'"));
    let turn = || {
        [
            call("work"),
            call("fail"),
            call("refuse"),
            Reply::text([SAID]),
        ]
    };
    let mut replies = Vec::new();
    replies.extend(turn()); // Ada's first message
    replies.push(echo()); // and her second
    replies.push(Reply::text(["an"]).failed("server_error", SAID)); // and her third
    replies.push(echo()); // what she relays
    replies.push(Reply::text([SAID]).broken()); // once more
    replies.extend(turn()); // the session without a trace
    replies.push(echo()); // and its failure
    replies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_anybody_says_is_in_the_log_and_every_failure_has_its_names() {
    let mut tasks = JoinSet::new();
    let [tools, babble] = tool_servers(&mut tasks).await;
    for filter in [None, Some("debug"), Some("trace")] {
        let model = FakeModel::scripted(replies()).await.unwrap();
        let config = format!(
            r#"
            [[models]]
            id = "fake"
            kind = "chat-completions"
            base_url = "{}"
            model = "fake"

            [[mcp_servers]]
            name = "tools"
            url = "{tools}"

            [[mcp_servers]]
            name = "babble"
            url = "{babble}"

            [[workflows]]
            id = "wf_talk"
            instructions = "{SAID}"
            tools = ["tools", "babble"]
            titles = "off"
            "#,
            model.base_url()
        );
        let server = Server::start(&config, filter);
        let ada = server.token().await;
        let (_, talk) = server.say("/api/chat", &ada).await;
        assert!(
            talk.contains(SAID) && talk.contains("thread.item.done"),
            "{talk}"
        );
        let (failed, _) = server.say("/api/chat", &ada).await;
        let (broken, _) = server.say("/api/chat", &ada).await;
        let relayed = json!({ "messages": [{ "role": "user", "content": SAID }] }).to_string();
        server.post("/api/chat", &ada, &relayed).await;
        let (relay, answer) = server.post("/api/chat", &ada, &relayed).await;
        assert!(answer.contains("stream_error"), "{answer}");
        for malformed in [
            format!(r#"{{"messages":[{{"role":"{SAID}","content":5}}]}}"#),
            format!(r#"{{"type":"{SAID}"}}"#),
            format!(r#"{{"type":"threads.create","params":{{"{SAID}":"{SAID}"}}}}"#),
            format!(r#"{{"type":"threads.create","params":{{"input":"{SAID}"}}}}"#),
            format!(r#"{{"type":"threads.create","params":{{"input":{SAID}}}"#),
        ] {
            server.post("/api/chat", &ada, &malformed).await;
        }
        let secret = server.untraced_secret().await;
        let (_, talk) = server.say(HOSTED, &secret).await;
        assert!(talk.contains(SAID), "{talk}");
        server.say(HOSTED, &secret).await;
        model.assert_all_used();

        let log = server.stop();
        assert!(!log.contains(SAID), "{filter:?}: {log}");
        assert!(!log.contains("untraced-person"), "{filter:?}: {log}");
        for (request, said) in [
            (failed, "failed to get an answer from the model"),
            (broken, "failed to get an answer from the model"),
            (relay, "a relayed answer broke off"),
        ] {
            let line = log
                .lines()
                .find(|line| line.contains(&request) && line.contains(said))
                .unwrap_or_else(|| panic!("{filter:?}: no line about {request}: {log}"));
            assert!(line.contains("workflow=wf_talk"), "{line}");
            // As a word: an id in hexadecimal digits may well hold these letters.
            let mut words = line.split(|mark: char| !mark.is_ascii_alphanumeric());
            assert!(!words.any(|word| word == "ada"), "{line}");
            let user = line.split_once("user=\"").unwrap().1;
            let user = user.split_once('"').unwrap().0;
            assert!(
                user.len() == 32 && user.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{line}"
            );
            // The relay has no threads.
            assert!(
                line.contains("relayed") || line.contains("thread="),
                "{line}"
            );
        }
        // Once when the server starts, for nobody, and then for whoever asks.
        let mut left_out = log
            .lines()
            .filter(|line| line.contains("the tool server is left out"));
        let left_out = left_out.find(|line| line.contains("request=")).unwrap();
        for name in ["request=", "user=", "workflow=", "thread=", "babble"] {
            assert!(left_out.contains(name), "{left_out}");
        }
    }
}
