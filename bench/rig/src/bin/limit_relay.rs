//! The limit line: what a `ChatKit` server costs when it does nothing but its work.
//!
//! It parses each Chat Completions chunk, emits `ChatKit` thread events, and keeps the user's message and
//! the answer in `SQLite` (one writer, group commit). It checks no identity, knows no limits, cannot resume
//! and calls no tools: a bar to be measured against, not a server to run.

use std::borrow::Cow;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::{BufMut as _, Bytes, BytesMut};
use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

/// The least that a `ChatKit` server must do.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on.
    #[arg(long)]
    port: u16,
    /// Base URL of the model, for example `http://127.0.0.1:9000/v1`.
    #[arg(long)]
    upstream: String,
    /// The database file.
    #[arg(long)]
    database: PathBuf,
}

struct App {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    threads: AtomicU64,
    writer: Sender<Write>,
}

/// One item to keep, and whom to tell when it is on disk.
struct Write {
    thread: String,
    item: String,
    json: String,
    done: oneshot::Sender<()>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let database = open(&arguments.database)?;
    let (writer, writes) = channel();
    std::thread::spawn(move || write_all(&database, &writes));
    let app = Arc::new(App {
        client: Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1024)
            .http1_max_buf_size(16 * 1024)
            .build(connector),
        url: format!("{}/chat/completions", arguments.upstream),
        threads: AtomicU64::new(0),
        writer,
    });
    let router = Router::new()
        .route("/chatkit", post(chat))
        .route("/healthz", get(async || "ok"))
        .with_state(app);
    let listener = rig::listen::bind(arguments.port)?;
    // Not `axum::serve`: HTTP/1.1 alone takes 7 KiB a connection less, and this is the limit line.
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
        tokio::spawn(async move {
            // The client may go away at any time; there is nobody to tell.
            let _ = serving.await;
        });
    }
}

fn open(path: &PathBuf) -> Result<Connection> {
    let database = Connection::open(path).context("open the database")?;
    database.execute_batch(
        "pragma journal_mode = wal;
         pragma synchronous = normal;
         create table items (id text primary key, thread text not null, json text not null);
         create index items_by_thread on items (thread, id);",
    )?;
    Ok(database)
}

/// Writes until nobody can ask any more; whatever waits together is committed together.
fn write_all(database: &Connection, writes: &Receiver<Write>) -> Result<()> {
    const GROUP: usize = 256;
    while let Ok(first) = writes.recv() {
        let transaction = database.unchecked_transaction()?;
        let mut waiting = Vec::new();
        {
            let mut insert = transaction.prepare_cached("insert into items values (?, ?, ?)")?;
            for write in std::iter::once(first).chain(writes.try_iter()).take(GROUP) {
                insert.execute(params![write.item, write.thread, write.json])?;
                waiting.push(write.done);
            }
        }
        transaction.commit()?;
        for done in waiting {
            // Whoever asked may have left.
            let _ = done.send(());
        }
    }
    Ok(())
}

impl App {
    async fn keep(&self, thread: &str, item: &str, json: &str) -> Result<()> {
        let (done, kept) = oneshot::channel();
        self.writer.send(Write {
            thread: thread.to_owned(),
            item: item.to_owned(),
            json: json.to_owned(),
            done,
        })?;
        Ok(kept.await?)
    }

    async fn ask(&self, model: &str, text: &str) -> Result<Incoming> {
        let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": text}]});
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        Ok(self.client.request(request).await?.into_body())
    }
}

#[derive(Deserialize)]
struct Create {
    params: CreateParams,
}

#[derive(Deserialize)]
struct CreateParams {
    input: Input,
}

#[derive(Deserialize)]
struct Input {
    content: Vec<InputText>,
    inference_options: InferenceOptions,
}

#[derive(Deserialize)]
struct InputText {
    text: String,
}

#[derive(Deserialize)]
struct InferenceOptions {
    model: String,
}

async fn chat(State(app): State<Arc<App>>, Json(request): Json<Create>) -> Response {
    const NOW: &str = "2026-01-01T00:00:00Z";
    let input = request.params.input;
    let number = app.threads.fetch_add(1, Ordering::Relaxed);
    let thread = format!("thr_{number:016x}");
    let question = format!("msg_{number:016x}_0");
    let answer = format!("msg_{number:016x}_1");
    let model = input.inference_options.model;
    let text = input
        .content
        .into_iter()
        .next()
        .map(|part| part.text)
        .unwrap_or_default();
    let user = json!({
        "type": "user_message", "id": question, "thread_id": thread, "created_at": NOW,
        "content": [{"type": "input_text", "text": text}], "attachments": [],
        "inference_options": {"model": model},
    })
    .to_string();
    if app.keep(&thread, &question, &user).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let frames = async_stream::stream! {
        yield Ok::<_, Infallible>(Bytes::from(format!(
            "data: {{\"type\":\"thread.created\",\"thread\":{{\"id\":\"{thread}\",\"created_at\":\"{NOW}\",\
             \"status\":{{\"type\":\"active\"}},\"items\":{{\"data\":[],\"has_more\":false}}}}}}\n\n\
             data: {{\"type\":\"thread.item.done\",\"item\":{user}}}\n\n\
             data: {{\"type\":\"stream_options\",\"stream_options\":{{\"allow_cancel\":true}}}}\n\n"
        )));
        let Ok(mut body) = app.ask(&model, &text).await else {
            yield Ok(Bytes::from_static(b"data: {\"type\":\"error\",\"code\":\"custom\",\"message\":\"no model\",\"allow_retry\":true}\n\n"));
            return;
        };
        yield Ok(Bytes::from(format!(
            "data: {{\"type\":\"thread.item.added\",\"item\":{{\"type\":\"assistant_message\",\"id\":\"{answer}\",\
             \"thread_id\":\"{thread}\",\"created_at\":\"{NOW}\",\"content\":[]}}}}\n\n"
        )));
        let mut transform = Transform::new(&answer);
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            let out = transform.push(&data);
            if !out.is_empty() {
                yield Ok(out);
            }
        }
        let item = json!({
            "type": "assistant_message", "id": answer, "thread_id": thread, "created_at": NOW,
            "content": [{"type": "output_text", "text": transform.text, "annotations": []}],
        })
        .to_string();
        if app.keep(&thread, &answer, &item).await.is_ok() {
            yield Ok(Bytes::from(format!("data: {{\"type\":\"thread.item.done\",\"item\":{item}}}\n\n")));
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
}

/// Chat Completions bytes in, `ChatKit` frames out.
struct Transform {
    prefix: String,
    carry: BytesMut,
    text: String,
}

impl Transform {
    fn new(item: &str) -> Self {
        Self {
            prefix: format!(
                "data: {{\"type\":\"thread.item.updated\",\"item_id\":\"{item}\",\"update\":{{\"type\":\
                 \"assistant_message.content_part.text_delta\",\"content_index\":0,\"delta\":"
            ),
            carry: BytesMut::new(),
            text: String::new(),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Bytes {
        self.carry.extend_from_slice(bytes);
        let mut out = BytesMut::with_capacity(256);
        let mut position = 0;
        while let Some(end) = memchr::memmem::find(&self.carry[position..], b"\n\n") {
            let frame = &self.carry[position..position + end];
            position += end + 2;
            // `[DONE]` is no chunk and falls through.
            let chunk = frame
                .strip_prefix(b"data: ")
                .map(serde_json::from_slice::<Chunk<'_>>);
            let Some(Ok(chunk)) = chunk else { continue };
            let Some(choice) = chunk.choices.into_iter().next() else {
                continue;
            };
            let Some(delta) = choice.delta.content.filter(|delta| !delta.is_empty()) else {
                continue;
            };
            self.text.push_str(&delta);
            out.extend_from_slice(self.prefix.as_bytes());
            // Writing to memory cannot fail.
            let _ = serde_json::to_writer((&mut out).writer(), &delta);
            out.extend_from_slice(b"}}\n\n");
        }
        let _ = self.carry.split_to(position);
        out.freeze()
    }
}
