//! A whole turn of 200 tokens: the model's bytes come over loopback, the frames end in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use engine::ports::{Clock, Ids, Links, ToolCall, ToolSpec, ToolStream, Tools};
use engine::{
    Attachments, Busy, CallerLimits, Engine, Following, ModelChoices, Nodes, Owner, Reply,
    RequestContext, Runs, SessionRules, Titles, TurnLimits, UploadRules, User, Workflow,
    WorkflowId, Workflows,
};
use protocol::attachment::{UploadDescriptor, UploadMethod};
use protocol::request::{Envelope, Limits};
use protocol::{AttachmentId, Timestamp};
use rig::fidelity::{Format, Transcript};
use serde_json::{Map, json};
use store::LocalFiles;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use upstream::openai::MarkKey;
use upstream::{ChatCompletions, ProviderConfig};

const TOKENS: u32 = 200;

/// Plays the turn from request body to frames, in a task, as a connection does: what a runtime blocks on is polled last,
/// and would now and then read nothing before the answer is whole.
pub(crate) async fn run(iterations: u32) -> Result<()> {
    tokio::spawn(turns(iterations)).await?
}

async fn turns(iterations: u32) -> Result<()> {
    let engine = engine(serve(answer()).await?).await?;
    let request = json!({"type": "threads.create", "params": {"input": {
        "content": [{"type": "input_text", "text": "hello"}],
        "attachments": [], "inference_options": {},
    }}})
    .to_string();
    let mut frames = Vec::new();
    for _ in 0..iterations {
        frames.clear();
        let envelope = Envelope::parse(request.as_bytes(), &Limits::default())?;
        let reply = engine
            .handle(context(), envelope.request, Following::default())
            .await?;
        let Reply::Stream(mut reader) = reply else {
            bail!("the reply is no stream");
        };
        while let Some(more) = reader.next().await {
            frames.extend_from_slice(&more);
        }
    }
    if iterations > 0 {
        let mut transcript = Transcript::new(Format::Chatkit);
        transcript.read(&mut frames, |_| ())?;
        transcript.finish(TOKENS)?;
    }
    Ok(())
}

/// The bytes of one answer, head and all, as a model server would send them.
fn answer() -> Vec<u8> {
    let mut body = String::new();
    for position in 0..TOKENS {
        let mut text = String::new();
        rig::token::write(&mut text, 0, position);
        body += &chunk(&json!({"content": text}), None);
    }
    body += &chunk(&json!({}), Some("stop"));
    body += "data: [DONE]\n\n";
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn chunk(delta: &serde_json::Value, finish_reason: Option<&str>) -> String {
    let chunk = json!({
        "id": "chatcmpl-9f3kX0aZb1c2d3e4f5g6h7i8j9k0", "object": "chat.completion.chunk",
        "created": 1_763_800_000, "model": "model", "service_tier": "default",
        "system_fingerprint": "fp_0123456789", "usage": null,
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}],
    });
    format!("data: {chunk}\n\n")
}

/// Answers every request with the same bytes, on connections that stay open.
async fn serve(answer: Vec<u8>) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let answer: Arc<[u8]> = answer.into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, Arc::clone(&answer)));
        }
    });
    Ok(address)
}

async fn converse(mut stream: TcpStream, answer: Arc<[u8]>) -> Result<()> {
    let mut request = Vec::new();
    loop {
        request.clear();
        // The body is one JSON document and the last thing that comes.
        while !request.ends_with(b"}") {
            ensure!(stream.read_buf(&mut request).await? > 0, "the client left");
        }
        stream.write_all(&answer).await?;
    }
}

async fn engine(model: SocketAddr) -> Result<Engine> {
    let base_url = format!("http://{model}/v1").parse()?;
    let config = ProviderConfig::new(base_url, MarkKey::new(&[7; 32]));
    let workflow = Workflow {
        id: WorkflowId::new("wf_count"),
        version: None,
        instructions: "Answer briefly.".to_owned(),
        user_context: None,
        model: Arc::new(ChatCompletions::new(config)?),
        agent: None,
        transcriber: None,
        client_tools: Vec::new(),
        widgets: Arc::default(),
        actions: std::collections::HashMap::new(),
        model_name: "model".to_owned(),
        model_choices: ModelChoices::Any,
        tools: Arc::new(NoTools),
        titles: Titles::FirstMessage,
        limits: TurnLimits::default(),
        busy: Busy::Queue,
        kept: None,
    };
    let workflows = Workflows::new(vec![workflow]).context("there is no workflow")?;
    let store = store::connect("sqlite::memory:", store::Options::default()).await?;
    Ok(Engine {
        nodes: Nodes::default(),
        attachments: Attachments {
            records: store.clone(),
            // The turn has none, so the folder is never made.
            files: Arc::new(LocalFiles::new("never-made")),
            links: Arc::new(NoLinks),
            model_bytes: 0,
        },
        store,
        workflows: Arc::new(workflows),
        clock: Arc::new(FixedClock(Timestamp::from_microsecond(
            1_800_000_000_000_000,
        )?)),
        ids: Arc::new(Counter(AtomicU32::new(0))),
        tasks: TaskTracker::new(),
        runs: Runs::default(),
        max_message_bytes: u64::MAX,
    })
}

fn context() -> RequestContext {
    RequestContext {
        owner: Owner::new("owner"),
        user: User {
            id: "user".to_owned(),
            issuer: "https://id.example.com".to_owned(),
            claims: Arc::new(Map::new()),
            token: None,
        },
        workflow: None,
        state_variables: Arc::new(Map::new()),
        rules: SessionRules::default(),
        uploads: UploadRules::default(),
        limits: CallerLimits::default(),
        locale: None,
    }
}

/// The turn has no files, so nobody asks.
struct NoLinks;

impl Links for NoLinks {
    fn preview(&self, _: &Owner, _: &AttachmentId, _: Timestamp) -> String {
        String::new()
    }

    fn upload(&self, _: &Owner, _: &AttachmentId, _: Timestamp) -> UploadDescriptor {
        UploadDescriptor {
            url: String::new(),
            method: UploadMethod::Put,
            headers: BTreeMap::new(),
        }
    }
}

struct NoTools;

#[async_trait]
impl Tools for NoTools {
    async fn list(&self, _: &RequestContext) -> Vec<ToolSpec> {
        Vec::new()
    }

    async fn call(&self, _: &RequestContext, _: ToolCall, _: bool) -> ToolStream {
        Box::pin(futures::stream::empty())
    }
}

struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

struct Counter(AtomicU32);

impl Ids for Counter {
    fn next(&self) -> u128 {
        self.0.fetch_add(1, Ordering::Relaxed).into()
    }
}
