//! Agents of the application's own, asked over HTTP: a signed `POST` of ChatKit's shapes, answered by ChatKit's events.
//!
//! Closing the connection is how an agent learns that nobody waits any more. A call is made once: an agent acts, so what
//! may have reached it is not sent again.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::{digest, hmac};
use data_encoding::HEXLOWER;
use engine::{
    RequestContext,
    ports::{
        Agent, AgentCall, AgentError, AgentEvent, AgentRequest, AgentStream, Clock, Speech,
        Transcriber,
    },
};
use futures::{Stream, StreamExt, stream};
use protocol::{
    Event, ItemId, ThreadItem, ThreadMetadata, ThreadPatch,
    action::Action,
    request::{FeedbackKind, SyncCustomActionResponse, TranscriptionResult},
};
use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::Error,
    http::{self, HttpClient, HttpPolicy},
    json::{self, Documents},
    sse::{EventParser, TooLong},
};

/// Under which a call is signed: `t=<Unix seconds>,v1=<hexadecimal HMAC-SHA-256 of "t.body">`.
pub const SIGNATURE: &str = "x-vestibule-signature";
/// The largest event that is read.
const MAX_EVENT_BYTES: usize = 4 << 20;
/// How much an agent may say in one turn.
const MAX_STREAM_BYTES: usize = 64 << 20;
/// The largest document that is read.
const MAX_DOCUMENT_BYTES: usize = 4 << 20;
/// How much of a refusal goes into the log.
const MAX_REFUSAL_BYTES: usize = 2_000;

/// An agent of the application's own.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Where it is called.
    pub url: Url,
    /// What calls are signed with; unsigned without one.
    pub secret: Option<SecretString>,
    /// Which workflow it answers in, as it is told.
    pub workflow: String,
    /// Longest silence before its first event, and between two; comments count as words.
    pub silence: Duration,
    /// How long it may take to answer with a document.
    pub document: Duration,
    /// Whether it may be called by plain `http://` on another machine.
    pub allow_insecure_http: bool,
}

/// An agent, ready to be asked.
pub struct HttpAgent {
    config: AgentConfig,
    http: HttpClient,
    key: Option<hmac::Key>,
    clock: Arc<dyn Clock>,
}

impl HttpAgent {
    /// An agent at this address, which has to be one that may be called.
    pub fn new(config: AgentConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let http = HttpClient::new(&HttpPolicy {
            idle_timeout: None,
            allow_insecure_http: config.allow_insecure_http,
            // An agent's server may close an idle connection at the moment it is used again; whether the call has
            // reached the agent nobody could say then.
            reuse_connections: false,
            ..HttpPolicy::STREAM
        })?;
        http.check(&config.url)?;
        let key = config
            .secret
            .as_ref()
            .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()));
        Ok(Self {
            config,
            http,
            key,
            clock,
        })
    }

    /// Sends a call and takes the head of its answer.
    async fn call(
        &self,
        context: &RequestContext,
        call: Call<'_>,
        accept: &'static str,
    ) -> Result<Response, AgentError> {
        let body = serde_json::to_vec(&Envelope {
            call,
            user: CallUser {
                id: &context.user.id,
                issuer: &context.user.issuer,
                claims: &context.user.claims,
            },
            locale: context.locale.as_deref(),
            workflow: &self.config.workflow,
            state_variables: &context.state_variables,
        })
        .map_err(|error| AgentError::Malformed(error.into()))?;
        let mut request = self
            .http
            .request(Method::POST, &self.config.url)
            .map_err(|error| AgentError::Refused(error.into()))?
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, accept);
        if let Some(locale) = &context.locale
            && let Ok(value) = HeaderValue::from_str(locale)
        {
            request = request.header(ACCEPT_LANGUAGE, value);
        }
        if let Some(key) = &self.key {
            let now = self.clock.now().as_microsecond() / 1_000_000;
            request = request.header(SIGNATURE, sign(key, now, &body));
        }
        let response = request
            .body(body)
            .send()
            .await
            .map_err(|error| AgentError::Unavailable(http::describe(error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let prefix = http::read_prefix(response, MAX_REFUSAL_BYTES).await;
        let said = format!("{status}: {}", String::from_utf8_lossy(&prefix));
        Err(
            if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
                AgentError::Unavailable(said.into())
            } else {
                AgentError::Refused(said.into())
            },
        )
    }

    /// Makes a call that is answered with a document. An empty answer is an empty object.
    async fn document<T: DeserializeOwned>(
        &self,
        context: &RequestContext,
        call: Call<'_>,
    ) -> Result<T, AgentError> {
        let asking = async {
            let response = self.call(context, call, "application/json").await?;
            let body = http::read_body(response, MAX_DOCUMENT_BYTES)
                .await
                .map_err(|error| AgentError::Malformed(error.into()))?;
            let body: &[u8] = if body.trim_ascii().is_empty() {
                b"{}"
            } else {
                &body
            };
            json::from_slice(body).map_err(|error| AgentError::Malformed(error.into()))
        };
        tokio::time::timeout(self.config.document, asking)
            .await
            .map_err(|_| AgentError::TimedOut)?
    }
}

#[async_trait]
impl Agent for HttpAgent {
    async fn ask(
        &self,
        context: &RequestContext,
        request: AgentRequest,
    ) -> Result<AgentStream, AgentError> {
        let AgentRequest {
            call,
            thread,
            items,
        } = &request;
        let call = match call {
            AgentCall::Respond { item } => Call::Respond {
                thread: thread.as_ref(),
                item: item.as_ref(),
                items,
            },
            AgentCall::Action { action, sender } => Call::Action {
                thread: thread.as_ref(),
                items,
                action,
                sender: sender.as_ref(),
            },
        };
        let asking = self.call(context, call, "text/event-stream");
        let response = tokio::time::timeout(self.config.silence, asking)
            .await
            .map_err(|_| AgentError::TimedOut)??;
        // A page that somebody's login or proxy puts in the agent's place would otherwise look like silence.
        if is_page(&response) {
            return Err(AgentError::Refused(
                "it answers with text/html instead of text/event-stream".into(),
            ));
        }
        Ok(events(response.bytes_stream(), self.config.silence))
    }

    async fn act(
        &self,
        context: &RequestContext,
        thread: ThreadMetadata,
        action: Action,
        sender: Option<ThreadItem>,
    ) -> Result<SyncCustomActionResponse, AgentError> {
        let call = Call::SyncAction {
            thread: &thread,
            action: &action,
            sender: sender.as_ref(),
        };
        self.document(context, call).await
    }

    async fn judge(
        &self,
        context: &RequestContext,
        thread: ThreadMetadata,
        items: Vec<ItemId>,
        kind: FeedbackKind,
    ) -> Result<(), AgentError> {
        let call = Call::Feedback {
            thread: &thread,
            item_ids: &items,
            kind,
        };
        // What it answers is of no interest.
        self.document::<Value>(context, call).await.map(drop)
    }
}

#[async_trait]
impl Transcriber for HttpAgent {
    async fn transcribe(
        &self,
        context: &RequestContext,
        speech: Speech,
    ) -> Result<TranscriptionResult, AgentError> {
        let call = Call::Transcribe {
            audio_base64: &speech.audio_base64,
            mime_type: &speech.mime_type,
        };
        self.document(context, call).await
    }
}

/// What an agent is sent. Fields that a call does not have are absent; `item` and `sender` are `null`.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(flatten)]
    call: Call<'a>,
    user: CallUser<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    workflow: &'a str,
    state_variables: &'a Map<String, Value>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Call<'a> {
    Respond {
        thread: Option<&'a ThreadMetadata>,
        item: Option<&'a ThreadItem>,
        items: &'a [ThreadItem],
    },
    Action {
        thread: Option<&'a ThreadMetadata>,
        items: &'a [ThreadItem],
        action: &'a Action,
        sender: Option<&'a ThreadItem>,
    },
    SyncAction {
        thread: &'a ThreadMetadata,
        action: &'a Action,
        sender: Option<&'a ThreadItem>,
    },
    Feedback {
        thread: &'a ThreadMetadata,
        item_ids: &'a [ItemId],
        kind: FeedbackKind,
    },
    Transcribe {
        audio_base64: &'a str,
        mime_type: &'a str,
    },
}

#[derive(Serialize)]
struct CallUser<'a> {
    id: &'a str,
    issuer: &'a str,
    claims: &'a Map<String, Value>,
}

/// Whether a page was answered, which says so.
fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn sign(key: &hmac::Key, now: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{now}.").as_bytes());
    context.update(body);
    let tag = HEXLOWER.encode(context.sign().as_ref());
    format!("t={now},v1={tag}")
}

/// Reads the body of an answer.
fn events<B>(body: B, silence: Duration) -> AgentStream
where
    B: Stream<Item = reqwest::Result<bytes::Bytes>> + Send + 'static,
{
    let reading = Reading {
        body: Box::pin(body),
        parser: EventParser::new(MAX_EVENT_BYTES),
        documents: Documents::default(),
        events: VecDeque::new(),
        bytes: 0,
        skipped: 0,
        silence,
        is_over: false,
    };
    Box::pin(stream::unfold(reading, |mut reading| async {
        let event = reading.next().await?;
        Some((event, reading))
    }))
}

struct Reading<B> {
    body: std::pin::Pin<Box<B>>,
    parser: EventParser,
    documents: Documents,
    events: VecDeque<AgentEvent>,
    bytes: usize,
    skipped: u32,
    silence: Duration,
    is_over: bool,
}

impl<B: Stream<Item = reqwest::Result<bytes::Bytes>>> Reading<B> {
    async fn next(&mut self) -> Option<Result<AgentEvent, AgentError>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Ok(event));
            }
            if self.is_over {
                if self.skipped > 0 {
                    tracing::warn!(
                        skipped = self.skipped,
                        "an agent said what is no event that is known; the level debug says what is wrong with each"
                    );
                }
                return None;
            }
            let read = match tokio::time::timeout(self.silence, self.body.next()).await {
                Err(_) => Err(AgentError::TimedOut),
                Ok(Some(Err(error))) => Err(AgentError::Malformed(http::describe(error))),
                Ok(Some(Ok(chunk))) => self.read(&chunk),
                // A last event without an empty line behind it is one.
                Ok(None) => {
                    let read = self.read(b"\n\n");
                    self.is_over = true;
                    read
                }
            };
            if let Err(error) = read {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }

    fn read(&mut self, chunk: &[u8]) -> Result<(), AgentError> {
        self.bytes += chunk.len();
        if self.bytes > MAX_STREAM_BYTES {
            return Err(AgentError::Malformed("it has said too much".into()));
        }
        let Self {
            parser,
            documents,
            events,
            skipped,
            is_over,
            ..
        } = self;
        parser
            .feed(chunk, |event| {
                match event.data.trim_ascii() {
                    b"[DONE]" => *is_over = true,
                    b"" => {}
                    _ if *is_over => {}
                    data => match read(documents, data) {
                        Some(event) => events.push_back(event),
                        None => *skipped += 1,
                    },
                }
                Ok::<(), TooLong>(())
            })
            .map_err(|error| AgentError::Malformed(error.into()))
    }
}

/// One event, also one that is not quite JSON, such as a text that was cut in the middle of a character.
fn read(documents: &mut Documents, data: &[u8]) -> Option<AgentEvent> {
    let event = parse(data);
    if event.is_some() || serde_json::from_slice::<Value>(data).is_ok() {
        documents.forget();
        return event;
    }
    let mended = documents.read(data)?;
    parse(mended.to_string().as_bytes())
}

/// One event; nothing, where it is none that is known.
fn parse(data: &[u8]) -> Option<AgentEvent> {
    #[derive(Deserialize)]
    struct Patch {
        patch: ThreadPatch,
    }
    #[derive(Deserialize)]
    struct Kind<'a> {
        r#type: &'a str,
    }
    if let Ok(Kind {
        r#type: "thread.patch",
    }) = serde_json::from_slice(data)
    {
        let Patch { patch } = serde_json::from_slice(data).ok()?;
        return Some(AgentEvent::Patch(patch));
    }
    let event = serde_json::from_slice(data).or_else(|error| renamed(data).ok_or(error));
    let event: Event = event
        .inspect_err(|error| tracing::debug!(%error, "an agent's event cannot be read"))
        .ok()?;
    Some(AgentEvent::Said(Box::new(event)))
}

/// The event under names that are identifiers: an agent may call its items whatever it likes, it gets other names anyway.
fn renamed(data: &[u8]) -> Option<Event> {
    let mut event: Value = serde_json::from_slice(data).ok()?;
    rename(&mut event, "item_id");
    if let Some(item) = event.get_mut("item") {
        rename(item, "id");
        rename(item, "thread_id");
    }
    serde_json::from_value(event).ok()
}

/// The same name for the same text, and another one for another.
fn rename(named: &mut Value, field: &str) {
    if let Some(Value::String(name)) = named.get_mut(field)
        && name.parse::<ItemId>().is_err()
    {
        let digest = digest::digest(&digest::SHA256, name.as_bytes());
        *name = format!("agent_{}", HEXLOWER.encode(digest.as_ref()));
    }
}

#[cfg(test)]
mod tests;
