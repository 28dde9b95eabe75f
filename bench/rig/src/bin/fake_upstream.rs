//! The model and the identity provider of a run.
//!
//! | address | answers |
//! |---|---|
//! | `POST /v1/chat/completions` | Chat Completions, streamed or whole |
//! | `POST /v1/responses` | the Responses API, streamed |
//! | `GET /jwks`, `GET /token?subject=…&audience=…` | the key set, and a token signed with it |
//! | `GET /tokens?kind=…&count=…&audience=…` | so many tokens of different users, one a line |
//! | `GET /stats` | `{"requests":…,"open_streams":…,"key_fetches":…}` |
//!
//! The model's name says what is played (see [`rig::script`]); every token carries its send time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use bytes::Bytes;
use clap::Parser;
use futures::Stream;
use rig::clock::now_micros;
use rig::issuer::{Issuer, Kind};
use rig::script::Script;
use rig::token;
use serde::Deserialize;
use serde_json::{Value, json};

/// The most tokens in one answer: about 50 MB.
const MAX_TOKENS: u32 = 100_000;

/// Plays the model and the identity provider on loopback.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on.
    #[arg(long)]
    port: u16,
}

struct App {
    issuer: Issuer,
    requests: AtomicU64,
    open_streams: AtomicI64,
    /// How often the key set was asked for.
    key_fetches: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let app = Arc::new(App {
        issuer: Issuer::generate(format!("http://127.0.0.1:{}", arguments.port))?,
        requests: AtomicU64::new(0),
        open_streams: AtomicI64::new(0),
        key_fetches: AtomicU64::new(0),
    });
    let router = Router::new()
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/responses", post(responses))
        .route("/jwks", get(jwks))
        .route("/token", get(new_token))
        .route("/tokens", get(new_tokens))
        .route("/stats", get(stats))
        .with_state(app);
    let listener = rig::listen::bind(arguments.port)?.tap_io(|connection| {
        // A connection that is gone already shows itself at the first write.
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn jwks(State(app): State<Arc<App>>) -> Json<Value> {
    app.key_fetches.fetch_add(1, Ordering::Relaxed);
    Json(app.issuer.jwks())
}

#[derive(Deserialize)]
struct TokenQuery {
    subject: String,
    audience: String,
}

async fn new_token(State(app): State<Arc<App>>, Query(query): Query<TokenQuery>) -> String {
    app.issuer
        .token(&query.subject, &query.audience, now_seconds())
}

#[derive(Deserialize)]
struct TokensQuery {
    kind: Kind,
    count: u32,
    audience: String,
}

async fn new_tokens(State(app): State<Arc<App>>, Query(query): Query<TokensQuery>) -> String {
    let now = now_seconds();
    let mut lines = String::new();
    for number in 0..query.count.min(MAX_TOKENS) {
        // Never the same token twice in a run, even within one second.
        let subject = format!("user-{}-{number}", now_micros());
        lines += &app
            .issuer
            .token_of(query.kind, &subject, &query.audience, now);
        lines.push('\n');
    }
    lines
}

fn now_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

async fn stats(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "requests": app.requests.load(Ordering::Relaxed),
        "open_streams": app.open_streams.load(Ordering::Relaxed),
        "key_fetches": app.key_fetches.load(Ordering::Relaxed),
    }))
}

#[derive(Deserialize)]
struct Call {
    model: String,
    #[serde(default)]
    stream: bool,
}

fn unknown_model(model: &str) -> Response {
    let message =
        format!("no model is called {model}: use fake-<tokens>-<delay_us>[-<stall_after>]");
    let error = json!({"error": {"message": message, "type": "invalid_request_error", "param": "model", "code": "model_not_found"}});
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}

/// Counts a stream as open until it is dropped, however it ends.
struct OpenStream(Arc<App>);

impl OpenStream {
    fn new(app: Arc<App>) -> Self {
        app.requests.fetch_add(1, Ordering::Relaxed);
        app.open_streams.fetch_add(1, Ordering::Relaxed);
        Self(app)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open_streams.fetch_sub(1, Ordering::Relaxed);
    }
}

fn event_stream(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let frames = futures::StreamExt::map(frames, Ok::<_, std::convert::Infallible>);
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

/// Waits until the token at `position` is due.
async fn tick(script: Script, position: u32) {
    if script.stall_after.is_some_and(|stall| position >= stall) {
        std::future::pending::<()>().await;
    }
    if script.delay == Duration::ZERO {
        // Each token is a write of its own, also without a pause.
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(script.delay).await;
    }
}

async fn chat_completions(State(app): State<Arc<App>>, Json(call): Json<Call>) -> Response {
    let Some(script) = Script::parse(&call.model) else {
        return unknown_model(&call.model);
    };
    if !call.stream {
        app.requests.fetch_add(1, Ordering::Relaxed);
        return whole_completion(&call.model, script).await;
    }
    let open = OpenStream::new(app);
    event_stream(async_stream::stream! {
        let _open = open;
        let model = call.model;
        yield chunk(&model, r#"{"role":"assistant","content":"","refusal":null}"#, "null");
        let mut delta = String::new();
        for position in 0..script.tokens {
            tick(script, position).await;
            delta.clear();
            delta.push_str(r#"{"content":""#);
            token::write(&mut delta, now_micros(), position);
            delta.push_str(r#""}"#);
            yield chunk(&model, &delta, "null");
        }
        yield chunk(&model, "{}", r#""stop""#);
        yield Bytes::from_static(b"data: [DONE]\n\n");
    })
}

async fn whole_completion(model: &str, script: Script) -> Response {
    let mut text = String::new();
    for position in 0..script.tokens {
        tick(script, position).await;
        token::write(&mut text, now_micros(), position);
    }
    Json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_763_800_000, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": script.tokens, "total_tokens": script.tokens + 5},
    }))
    .into_response()
}

/// One chunk with the fields, and so the length, that the real API sends.
fn chunk(model: &str, delta: &str, finish_reason: &str) -> Bytes {
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-9f3kX0aZb1c2d3e4f5g6h7i8j9k0\",\"object\":\"chat.completion.chunk\",\
         \"created\":1763800000,\"model\":\"{model}\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_0123456789\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
         \"logprobs\":null,\"finish_reason\":{finish_reason}}}],\"usage\":null}}\n\n"
    ))
}

async fn responses(State(app): State<Arc<App>>, Json(call): Json<Call>) -> Response {
    let Some(script) = Script::parse(&call.model) else {
        return unknown_model(&call.model);
    };
    let open = OpenStream::new(app);
    event_stream(async_stream::stream! {
        let _open = open;
        let mut events = ResponseEvents { model: call.model, tokens: script.tokens, sequence: 0 };
        yield events.frame("response.created", json!({"response": events.response("in_progress", json!([]))}));
        yield events.frame("response.output_item.added", json!({"output_index": 0, "item": message("in_progress", json!([]))}));
        yield events.frame("response.content_part.added", json!({"item_id": "msg_1", "output_index": 0, "content_index": 0, "part": part("")}));
        let mut text = String::new();
        for position in 0..script.tokens {
            tick(script, position).await;
            let start = text.len();
            token::write(&mut text, now_micros(), position);
            yield events.frame("response.output_text.delta", json!({
                "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": &text[start..],
                "logprobs": [], "obfuscation": "abcdefgh",
            }));
        }
        let item = message("completed", json!([part(&text)]));
        yield events.frame("response.output_text.done", json!({"item_id": "msg_1", "output_index": 0, "content_index": 0, "text": text, "logprobs": []}));
        yield events.frame("response.content_part.done", json!({"item_id": "msg_1", "output_index": 0, "content_index": 0, "part": part(&text)}));
        yield events.frame("response.output_item.done", json!({"output_index": 0, "item": item}));
        yield events.frame("response.completed", json!({"response": events.response("completed", json!([item]))}));
    })
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message(status: &str, content: Value) -> Value {
    let mut message =
        json!({"id": "msg_1", "type": "message", "status": status, "role": "assistant"});
    message["content"] = content;
    message
}

struct ResponseEvents {
    model: String,
    tokens: u32,
    sequence: u64,
}

impl ResponseEvents {
    fn frame(&mut self, kind: &str, mut event: Value) -> Bytes {
        event["type"] = kind.into();
        event["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        Bytes::from(format!("event: {kind}\ndata: {event}\n\n"))
    }

    fn response(&self, status: &str, output: Value) -> Value {
        let usage = (status == "completed").then(|| {
            json!({
                "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": self.tokens, "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": self.tokens + 5,
            })
        });
        let mut response = json!({
            "id": "resp_1", "object": "response", "created_at": 1_763_800_000, "status": status,
            "model": self.model, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
            "error": null, "incomplete_details": null, "instructions": null, "metadata": {},
            "temperature": 1.0, "top_p": 1.0, "usage": usage,
        });
        response["output"] = output;
        response
    }
}
