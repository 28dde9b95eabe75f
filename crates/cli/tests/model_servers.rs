//! Whole turns of the real binary with a model server that nobody here wrote: llama.cpp's, asked in both of its APIs.
//!
//! `VESTIBULE_MODEL_SERVERS` is the folder of a Python environment with it; `make test` sets it up. Without it this
//! test says so and passes.
#![cfg(test)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use axum::Router;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use testkit::services::ModelServers;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

/// A light that can be switched, and who hears of it.
#[derive(Clone)]
struct Light(mpsc::UnboundedSender<Value>);

impl ServerHandler for Light {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({
            "type": "object", "properties": { "on": { "type": "boolean" } }, "required": ["on"],
        });
        let schema = Arc::new(schema.as_object().cloned().unwrap());
        let tool = Tool::new("light", "Switches the light.", schema);
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.send(json!(request.arguments)).unwrap();
        Ok(CallToolResult::success(vec![ContentBlock::text("It is on.")]).into())
    }
}

/// The address of the light, and what it is told.
async fn light(tasks: &mut JoinSet<()>) -> (String, mpsc::UnboundedReceiver<Value>) {
    let (told, heard) = mpsc::unbounded_channel();
    let service = StreamableHttpService::new(
        move || Ok(Light(told.clone())),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().nest_service("/mcp", service);
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}/mcp"), heard)
}

/// A running binary.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(folder: &Path, config: &str) -> (Running, String) {
    fs::write(folder.join("vestibule.toml"), config).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["serve", "--dev", "--listen", "127.0.0.1:0"])
        .current_dir(folder)
        .env_clear()
        .stderr(Stdio::piped())
        .spawn();
    let mut running = Running(child.unwrap());
    let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, address)) = line.split_once("is ready: ") {
            break address.trim().to_owned();
        }
    };
    // What is not read fills a pipe, and then the binary waits.
    std::thread::spawn(move || lines.count());
    (running, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_with_a_tool_goes_through_a_real_model_server() {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the servers live differs by machine"
    )]
    let Ok(environment) = std::env::var("VESTIBULE_MODEL_SERVERS") else {
        eprintln!("SKIPPED: set VESTIBULE_MODEL_SERVERS to what conformance/models/setup makes");
        return;
    };
    let model = ModelServers::start(Path::new(&environment), false).unwrap();
    let mut tasks = JoinSet::new();
    let (tools, mut heard) = light(&mut tasks).await;
    #[expect(
        clippy::disallowed_methods,
        reason = "a bare client, as any page has one"
    )]
    let client = reqwest::Client::new();
    for kind in ["chat-completions", "openai-responses"] {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            r#"
            [[models]]
            id = "llama"
            kind = "{kind}"
            base_url = "{}"
            model = "{}"

            [[mcp_servers]]
            name = "house"
            url = "{tools}"

            [[workflows]]
            id = "wf_light"
            instructions = "Be kind."
            max_output_tokens = 64
            tools = ["house"]
            titles = "off"
            "#,
            model.llama(),
            ModelServers::MODEL,
        );
        let (_running, address) = serve(folder.path(), &config);
        let post = async |path: &str, bearer: &str, body: Value| {
            let request = client.post(format!("{address}{path}")).json(&body);
            let answer = request.bearer_auth(bearer).send().await.unwrap();
            answer.text().await.unwrap()
        };
        let token = post("/dev/token", "", json!({ "user": "ada" })).await;
        let token: Value = token.parse().unwrap();
        let token = token["token"].as_str().unwrap();
        let message = json!({ "type": "threads.create", "params": { "input": {
            "content": [{ "type": "input_text", "text": "Light, please!" }],
            "attachments": [], "inference_options": {} } } });
        let answer = post("/api/chat", token, message).await;
        // The whole answer stands in the item that was saved.
        let said = format!("\"text\":\"{}\"", ModelServers::ANSWER);
        let is_done = |line: &&str| line.contains("thread.item.done") && line.contains(&said);
        assert_eq!(
            answer.lines().filter(is_done).count(),
            1,
            "{kind}: {answer}"
        );
        assert_eq!(heard.try_recv().unwrap(), json!({ "on": true }), "{kind}");
        assert!(heard.try_recv().is_err(), "{kind}: the light is told once");
    }
}
