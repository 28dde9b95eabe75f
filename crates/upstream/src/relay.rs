//! The plain relay: Chat Completions messages in, the model's Chat Completions stream out.
//!
//! Nothing is stored and nothing is added. A provider that speaks Chat Completions is passed on
//! frame by frame, unread; for every other model the same frames are made from its events, so that
//! the relay works whatever is configured.

mod request;

use std::{num::NonZeroU32, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use engine::ports::{Model, ModelError, ModelEvent, ModelInput, ModelRequest, ModelStream};
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Sleep, sleep, timeout};

pub use self::request::RelayLimits;
use self::request::{Fields, OUTPUT_FIELDS, check};
use crate::{
    openai::{ChatCompletions, Place},
    sse::FrameSplitter,
};

/// An unfinished frame that is longer than this ends the stream.
const MAX_FRAME_BYTES: usize = 1024 * 1024;
const DONE_MARK: &[u8] = b"[DONE]";
const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// What answers behind the relay.
#[derive(Clone)]
pub enum Relay {
    /// A provider whose stream is passed on.
    PassOn(ChatCompletions),
    /// A model whose events are written as Chat Completions chunks.
    Translate(Arc<dyn Model>),
}

/// What the server knows about a relayed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayContext {
    /// The provider's name of the configured model.
    pub model: String,
    /// A stable name for the end user; the provider is sent a hash of it.
    pub end_user: String,
    /// A fresh id for the answer, `chatcmpl-…`; unused where the provider gives one.
    pub answer_id: String,
    /// Now, in Unix seconds.
    pub created_at: i64,
    /// How long the whole answer may take.
    pub duration: Duration,
    /// How much the request may ask for.
    pub limits: RelayLimits,
}

/// A relayed answer: whole frames of an event stream. One that breaks off says so in its last frame,
/// `data: {"error":{…}}`, and has no `[DONE]`.
pub type Frames = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Why a request was not relayed.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The client has to change its request.
    #[error("{message}")]
    Invalid {
        /// What to change, in words.
        message: String,
        /// The field that is wrong.
        param: Option<String>,
    },
    /// The model did not answer.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl RelayError {
    fn invalid(message: impl Into<String>, param: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            param: Some(param.into()),
        }
    }
}

impl Relay {
    /// Relays a request's JSON body, once: what fails after the answer has begun is told and never tried
    /// again, because nobody here can know how much of it the provider has already done.
    pub async fn answer(&self, context: &RelayContext, body: &[u8]) -> Result<Frames, RelayError> {
        let fields = check(body, context.limits)?;
        let mut late = Box::pin(sleep(context.duration));
        let frames = tokio::select! {
            frames = self.begin(context, fields) => frames?,
            () = &mut late => return Err(ModelError::TimedOut.into()),
        };
        Ok(until(late, frames))
    }

    async fn begin(&self, context: &RelayContext, fields: Fields) -> Result<Frames, RelayError> {
        match self {
            Self::PassOn(model) => pass_on(model, context, fields).await,
            Self::Translate(model) => {
                let request = translate(context, fields)?;
                let events = model.respond(request).await?;
                Ok(Box::pin(written(context.clone(), events)))
            }
        }
    }
}

async fn pass_on(
    model: &ChatCompletions,
    context: &RelayContext,
    mut fields: Fields,
) -> Result<Frames, RelayError> {
    fields.insert("model".to_owned(), context.model.as_str().into());
    fields.insert("stream".to_owned(), true.into());
    fields.remove("user");
    if model.takes_end_user(&context.model) {
        let user = crate::openai::opaque_user(&context.end_user);
        fields.insert("user".to_owned(), user.into());
    }
    if !OUTPUT_FIELDS.iter().any(|name| fields.contains_key(*name)) {
        let name = model.output_field(&context.model).to_owned();
        fields.insert(name, context.limits.max_tokens.into());
    }
    let patience = model.provider().patience();
    let place = model.provider().enter().await?;
    let asked = model.provider().post("chat/completions", &fields);
    let asked = timeout(patience.first_token, asked).await;
    let answer = asked.unwrap_or(Err(ModelError::TimedOut));
    let response = answer.map_err(|error| {
        if crate::openai::is_of_request(&error) {
            // The rest of the request is ours, so it is the messages or their options.
            tracing::info!(
                error = &error as &dyn std::error::Error,
                "a relayed request was refused"
            );
            return RelayError::invalid(
                "the model did not accept the messages; check their roles, contents and options",
                "messages",
            );
        }
        RelayError::Model(error)
    })?;
    let state = Some(Passing {
        body: Box::pin(response.bytes_stream()),
        splitter: FrameSplitter::new(MAX_FRAME_BYTES),
        is_complete: false,
        patience: patience.first_token,
        silence: patience.silence,
        _place: place,
    });
    Ok(Box::pin(stream::unfold(state, |state| async move {
        let mut passing = state?;
        let (frames, is_last) = passing.next().await?;
        Some((frames, (!is_last).then_some(passing)))
    })))
}

/// A provider's stream on its way through.
struct Passing<S> {
    body: S,
    splitter: FrameSplitter,
    /// Whether the provider has said that the answer is complete.
    is_complete: bool,
    /// How long the next chunk is waited for.
    patience: Duration,
    /// How long every one after it is.
    silence: Duration,
    /// Among the questions that are asked at once.
    _place: Place,
}

impl<S: Stream<Item = reqwest::Result<Bytes>> + Unpin> Passing<S> {
    /// The next whole frames, and whether they are the last.
    async fn next(&mut self) -> Option<(Bytes, bool)> {
        let failure = loop {
            let Ok(read) = timeout(self.patience, self.body.next()).await else {
                break ModelError::TimedOut;
            };
            self.patience = self.silence;
            match read {
                Some(Ok(chunk)) => match self.splitter.push(chunk) {
                    Ok(None) => {}
                    Ok(Some(frames)) => {
                        self.is_complete = self.is_complete || says_complete(&frames);
                        return Some((frames, false));
                    }
                    Err(error) => break ModelError::Malformed(error.into()),
                },
                Some(Err(error)) => break crate::openai::connection_failure(error),
                None => {
                    let rest = self.splitter.take_rest();
                    if rest.trim_ascii().ends_with(DONE_MARK) {
                        return Some((DONE, true)); // Some servers forget the last empty line.
                    }
                    if self.is_complete && rest.trim_ascii().is_empty() {
                        return None;
                    }
                    // Half a frame could not be read by anybody.
                    break ModelError::Malformed("the answer broke off".into());
                }
            }
        };
        Some((broken_off(&failure), true))
    }
}

/// Whether frames hold the end of an answer: `[DONE]`, or the reason why it is finished, for servers
/// that leave `[DONE]` out. Within a text of the answer, quotes have a backslash in front.
fn says_complete(frames: &[u8]) -> bool {
    const REASON: &[u8] = b"\"finish_reason\":";
    frames.trim_ascii_end().ends_with(DONE_MARK)
        || memchr::memmem::find_iter(frames, REASON).any(|place| {
            let after = frames.get(place + REASON.len()..).unwrap_or_default();
            after.trim_ascii_start().starts_with(b"\"")
        })
}

/// The frames that come before it is late; then the stream breaks off.
fn until(late: Pin<Box<Sleep>>, frames: Frames) -> Frames {
    Box::pin(stream::unfold(Some((frames, late)), |state| async move {
        let (mut frames, mut late) = state?;
        tokio::select! {
            biased; // A provider that always has something ready does not outrun the deadline.
            () = &mut late => Some((broken_off(&ModelError::TimedOut), None)),
            frame = frames.next() => frame.map(|frame| (frame, Some((frames, late)))),
        }
    }))
}

/// The last frame of a stream that cannot go on.
fn broken_off(error: &ModelError) -> Bytes {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "a relayed answer broke off"
    );
    let error = json!({ "error": { "message": format!("{error}; try again"),
        "type": "server_error", "param": null, "code": "stream_error" } });
    Bytes::from(format!("data: {error}\n\n"))
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Deserialize)]
struct ContentPart {
    #[serde(default)]
    text: Option<String>,
}

/// The messages as a question for any model. What a client calls a system message comes from a
/// browser, so it is told as what it is: something that the user wrote.
fn translate(context: &RelayContext, mut fields: Fields) -> Result<ModelRequest, RelayError> {
    if fields.contains_key("tools") {
        return Err(RelayError::invalid(
            "this workflow's model cannot take `tools` through the relay; leave them out",
            "tools",
        ));
    }
    let asked = OUTPUT_FIELDS
        .iter()
        .filter_map(|name| fields.get(*name)?.as_u64())
        .min()
        .unwrap_or(context.limits.max_tokens);
    let messages = fields.remove("messages").unwrap_or_default();
    let messages: Vec<Message> = serde_json::from_value(messages).map_err(|_| {
        RelayError::invalid(
            "each message needs a `role` and a `content` of text",
            "messages",
        )
    })?;
    let input = messages.into_iter().map(|message| {
        let text = match message.content {
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => parts
                .into_iter()
                .map(|part| {
                    part.text.ok_or_else(|| {
                        RelayError::invalid("messages can only hold text here", "messages")
                    })
                })
                .collect::<Result<String, _>>()?,
            None => String::new(),
        };
        match message.role.as_str() {
            "user" | "system" | "developer" => Ok(ModelInput::User(text.into())),
            "assistant" => Ok(ModelInput::Assistant(text)),
            _ => Err(RelayError::invalid(
                "a message's `role` must be user, assistant or system",
                "messages",
            )),
        }
    });
    Ok(ModelRequest {
        model: context.model.clone(),
        instructions: String::new(),
        input: input.collect::<Result<_, _>>()?,
        tools: Vec::new(),
        tool_choice: None,
        max_output_tokens: NonZeroU32::new(asked.try_into().unwrap_or(u32::MAX)),
        locale: None,
        end_user: context.end_user.clone(),
        may_use_builtins: false,
    })
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: [Choice<'a>; 1],
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
}

/// A model's events as Chat Completions frames, from the first chunk to `[DONE]`.
fn written(context: RelayContext, events: ModelStream) -> impl Stream<Item = Bytes> + Send {
    let first = frame(
        &context,
        Delta {
            role: Some("assistant"),
            content: Some(""),
            ..Delta::default()
        },
        None,
    );
    let rest = stream::unfold(Some(events), move |events| {
        let context = context.clone();
        async move {
            let mut events = events?;
            loop {
                let frames = match events.next().await {
                    Some(Ok(ModelEvent::TextDelta(text))) => {
                        let delta = Delta {
                            content: Some(&text),
                            ..Delta::default()
                        };
                        return Some((frame(&context, delta, None), Some(events)));
                    }
                    Some(Ok(ModelEvent::ReasoningDelta(text))) => {
                        let delta = Delta {
                            reasoning_content: Some(&text),
                            ..Delta::default()
                        };
                        return Some((frame(&context, delta, None), Some(events)));
                    }
                    // What came before it has been passed on.
                    Some(Ok(ModelEvent::ThoughtEnd(tag))) => {
                        let delta = Delta {
                            content: Some(tag),
                            ..Delta::default()
                        };
                        return Some((frame(&context, delta, None), Some(events)));
                    }
                    // No tools were offered, and this form has no place for citations.
                    Some(Ok(
                        ModelEvent::ToolCall(_)
                        | ModelEvent::Thought(_)
                        | ModelEvent::UrlCitation { .. }
                        | ModelEvent::FileCitation { .. }
                        | ModelEvent::Builtin(_),
                    )) => continue,
                    Some(Ok(ModelEvent::Completed { is_truncated, .. })) => {
                        let reason = if is_truncated { "length" } else { "stop" };
                        let last = frame(&context, Delta::default(), Some(reason));
                        Bytes::from([last, DONE].concat())
                    }
                    Some(Err(error)) => broken_off(&error),
                    None => broken_off(&ModelError::Malformed("the answer broke off".into())),
                };
                return Some((frames, None));
            }
        }
    });
    stream::once(async move { first }).chain(rest)
}

fn frame(context: &RelayContext, delta: Delta<'_>, finish_reason: Option<&'static str>) -> Bytes {
    let chunk = Chunk {
        id: &context.answer_id,
        object: "chat.completion.chunk",
        created: context.created_at,
        model: &context.model,
        choices: [Choice {
            index: 0,
            delta,
            finish_reason,
        }],
    };
    let mut frame = b"data: ".to_vec();
    // Strings and numbers always have a JSON form, and a vector takes all of it.
    let _ = serde_json::to_writer(&mut frame, &chunk);
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

#[cfg(test)]
mod tests;
