//! A model server for tests: real HTTP and real server-sent events, scripted answers.
//!
//! It speaks OpenAI's Responses and Chat Completions formats, remembers every request, and
//! refuses (400) what a real provider would refuse: orphan tool outputs, unknown roles, unknown
//! parameters. Give [`FakeModel::base_url`] to the client as the provider's base URL.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testkit::fake_model::{FakeModel, Reply};
//! let model = FakeModel::scripted([Reply::text(["Hel", "lo"])]).await?;
//! // … run a turn against model.base_url() …
//! assert_eq!(model.requests().len(), 1);
//! model.assert_all_used();
//! # Ok(()) }
//! ```

mod check;
mod completions;
mod responses;
mod script;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use script::Reply;

/// Requests above this are refused with 413; a conversation of a test is far below.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Which provider format a request used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/chat/completions`.
    ChatCompletions,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct CapturedRequest {
    /// The format that was asked for.
    pub api: Api,
    /// All headers.
    pub headers: HeaderMap,
    /// The JSON body.
    pub body: Value,
    /// The rules that this request breaks; see the module's description.
    pub violations: Vec<String>,
}

impl CapturedRequest {
    /// The bearer token of the request.
    pub fn bearer(&self) -> Option<&str> {
        self.headers
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")
    }

    /// The messages or input items.
    pub fn items(&self) -> &[Value] {
        let list = match self.api {
            Api::Responses => &self.body["input"],
            Api::ChatCompletions => &self.body["messages"],
        };
        list.as_array().map_or(&[], Vec::as_slice)
    }

    /// The names of the function tools on offer.
    pub fn tool_names(&self) -> Vec<&str> {
        let tools = self.body["tools"].as_array().into_iter().flatten();
        tools
            .filter_map(|tool| match self.api {
                Api::Responses => tool["name"].as_str(),
                Api::ChatCompletions => tool["function"]["name"].as_str(),
            })
            .collect()
    }

    /// The text of the last message with this role, its parts joined.
    pub fn last_text(&self, role: &str) -> Option<String> {
        if role == "user"
            && let Some(text) = self.body["input"].as_str()
        {
            return Some(text.to_owned());
        }
        let message = self
            .items()
            .iter()
            .rev()
            .find(|item| item["role"] == role)?;
        Some(match &message["content"] {
            Value::String(text) => text.clone(),
            parts => {
                let parts = parts.as_array().into_iter().flatten();
                parts.filter_map(|part| part["text"].as_str()).collect()
            }
        })
    }

    /// The result that was given for a tool call.
    pub fn tool_output(&self, call_id: &str) -> Option<&Value> {
        self.items().iter().find_map(|item| match self.api {
            Api::Responses
                if item["type"] == "function_call_output" && item["call_id"] == call_id =>
            {
                Some(&item["output"])
            }
            Api::ChatCompletions if item["role"] == "tool" && item["tool_call_id"] == call_id => {
                Some(&item["content"])
            }
            _ => None,
        })
    }
}

type Rule = Box<dyn Fn(&CapturedRequest) -> Option<Reply> + Send + Sync>;

/// A running model server; it stops when it is dropped.
pub struct FakeModel {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
    // Dropping the set aborts the server.
    _server: JoinSet<()>,
}

struct Shared {
    script: Mutex<VecDeque<Reply>>,
    rules: Mutex<Vec<Rule>>,
    requests: watch::Sender<Vec<CapturedRequest>>,
    left_early: watch::Sender<usize>,
    gate: Arc<Semaphore>,
}

impl FakeModel {
    /// Starts a server on a free port of the loopback interface that gives these replies in
    /// order. A request after the last reply is answered with 400 and counts as a violation.
    pub async fn scripted(replies: impl IntoIterator<Item = Reply>) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::new(replies.into_iter().collect()),
            rules: Mutex::default(),
            requests: watch::Sender::default(),
            left_early: watch::Sender::default(),
            gate: Arc::new(Semaphore::new(0)),
        });
        let router = Router::new()
            .route("/v1/responses", post(respond))
            .route("/v1/chat/completions", post(complete))
            .route("/v1/models", get(models))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            // The listener only fails when it is gone, and then the test sees refused connections.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            shared,
            _server: server,
        })
    }

    /// The provider's base URL, `http://127.0.0.1:<port>/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Adds a reply to the end of the script.
    pub fn push(&self, reply: Reply) {
        lock(&self.shared.script).push_back(reply);
    }

    /// Answers requests for which `rule` returns a reply, before the script is looked at: for
    /// calls whose order is not fixed, such as titles.
    pub fn answer_when(
        &self,
        rule: impl Fn(&CapturedRequest) -> Option<Reply> + Send + Sync + 'static,
    ) {
        lock(&self.shared.rules).push(Box::new(rule));
    }

    /// Lets one [`Reply::and_hold`] go on.
    pub fn release(&self) {
        self.shared.gate.add_permits(1);
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<CapturedRequest> {
        self.shared.requests.borrow().clone()
    }

    /// Waits until at least `count` requests have arrived, then returns all of them.
    pub async fn wait_for_requests(&self, count: usize) -> Vec<CapturedRequest> {
        let mut receiver = self.shared.requests.subscribe();
        match receiver.wait_for(|requests| requests.len() >= count).await {
            Ok(requests) => requests.clone(),
            Err(_) => self.requests(),
        }
    }

    /// Waits until `count` streams have been left by the client before their end.
    pub async fn wait_for_disconnects(&self, count: usize) {
        let mut receiver = self.shared.left_early.subscribe();
        let _ = receiver.wait_for(|left| *left >= count).await;
    }

    /// How many streams the client left before their end.
    pub fn disconnects(&self) -> usize {
        *self.shared.left_early.borrow()
    }

    /// Every broken rule of every request.
    pub fn violations(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .flat_map(|request| request.violations)
            .collect()
    }

    /// Asserts that the script was used up and that no request broke a rule.
    pub fn assert_all_used(&self) {
        let violations = self.violations();
        let left = lock(&self.shared.script).len();
        assert!(
            violations.is_empty() && left == 0,
            "fake model: {left} replies of the script are left, broken rules: {violations:#?}"
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn models() -> axum::Json<Value> {
    axum::Json(json!({ "object": "list", "data": [
        { "id": "fake", "object": "model", "created": 1_795_343_497, "owned_by": "testkit" }] }))
}

async fn respond(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&shared, Api::Responses, headers, &body)
}

async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&shared, Api::ChatCompletions, headers, &body)
}

fn answer(shared: &Shared, api: Api, headers: HeaderMap, body: &Bytes) -> Response {
    let parsed = serde_json::from_slice(body).unwrap_or(Value::Null);
    let mut request = CapturedRequest {
        api,
        headers,
        violations: check::violations(api, &parsed),
        body: parsed,
    };
    let ruled = lock(&shared.rules).iter().find_map(|rule| rule(&request));
    let reply = match ruled {
        Some(reply) => Some(reply),
        None => lock(&shared.script).pop_front(),
    };
    if reply.is_none() {
        request
            .violations
            .push("the script has no reply left for this request".to_owned());
    }
    let violations = request.violations.clone();
    let number = shared.requests.borrow().len();
    let stream_wanted = request.body["stream"] == true;
    let usage_wanted = request.body["stream_options"]["include_usage"] == true;
    let sealed_wanted = request.body["include"].as_array().is_some_and(|names| {
        names
            .iter()
            .any(|name| name == "reasoning.encrypted_content")
    });
    let model = request.body["model"].as_str().unwrap_or("fake").to_owned();
    shared
        .requests
        .send_modify(|requests| requests.push(request));

    let Some(reply) = reply.filter(|_| violations.is_empty()) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            &violations.join("; "),
            None,
        );
    };
    if let Some(refusal) = &reply.refusal {
        let mut response = refuse(
            refusal.status,
            &refusal.code,
            &refusal.message,
            refusal.param.as_deref(),
        );
        if let Some(delay) = refusal.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, delay.as_secs().into());
        }
        return response;
    }
    if !stream_wanted {
        return axum::Json(match api {
            Api::Responses => responses::object(&reply, &model, number, sealed_wanted),
            Api::ChatCompletions => completions::object(&reply, &model),
        })
        .into_response();
    }
    let mut chunks = match api {
        Api::Responses => responses::stream(&reply, &model, number, sealed_wanted),
        Api::ChatCompletions => completions::stream(&reply, &model, usage_wanted),
    };
    if let Some(length) = reply.piece_length {
        chunks = stream::cut(chunks, length);
    }
    let body = stream::body(chunks, Arc::clone(&shared.gate), shared.left_early.clone());
    (
        [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")],
        body,
    )
        .into_response()
}

/// An error in the shape that OpenAI uses.
fn refuse(status: StatusCode, code: &str, message: &str, param: Option<&str>) -> Response {
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    let body =
        json!({ "error": { "message": message, "type": kind, "param": param, "code": code } });
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        Body::from(body.to_string()),
    )
        .into_response()
}
