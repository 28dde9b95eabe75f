//! The Chat Completions API (`POST {base}/chat/completions`), streamed: the form that nearly every
//! model server understands.
//!
//! Source: the "Chat Completions" pages of OpenAI's API reference. Where compatible servers are
//! known to differ, the lenient reading is taken: no `[DONE]`, no `index` or `id` on tool calls,
//! reasoning under `reasoning_content` or `reasoning`.

mod request;

use std::borrow::Cow;

use async_trait::async_trait;
use engine::ports::{Model, ModelError, ModelEvent, ModelRequest, ModelStream, ToolCall, Usage};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use self::request::Body;
use super::{
    Provider, ProviderConfig, failure,
    stream::{self, Decode, Events},
};
use crate::{error::Error, sse::Event};

/// More calls than this in one answer are taken for a defect of the provider.
const MAX_TOOL_CALLS: usize = 128;
/// All arguments of one answer together, in bytes.
const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;

/// A provider that speaks Chat Completions.
#[derive(Debug, Clone)]
pub struct ChatCompletions {
    provider: Provider,
    options: ChatCompletionsOptions,
}

/// What not every compatible server understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatCompletionsOptions {
    /// Asks for token counts by `stream_options`; a few servers refuse the parameter.
    pub wants_usage: bool,
}

impl Default for ChatCompletionsOptions {
    fn default() -> Self {
        Self { wants_usage: true }
    }
}

impl ChatCompletions {
    /// Prepares the provider; nothing is sent yet.
    pub fn new(config: ProviderConfig, options: ChatCompletionsOptions) -> Result<Self, Error> {
        Ok(Self {
            provider: Provider::new(config)?,
            options,
        })
    }

    /// The provider itself, for the relay, which passes its answers on unread.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The parameter that bounds an answer. OpenAI's newer models refuse `max_tokens`; many other
    /// servers know nothing else.
    pub(crate) fn output_field(&self) -> &'static str {
        let host = self.provider.base_url.host_str().unwrap_or_default();
        if host == "api.openai.com" || host.ends_with(".openai.azure.com") {
            "max_completion_tokens"
        } else {
            "max_tokens"
        }
    }
}

#[async_trait]
impl Model for ChatCompletions {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let body = Body::new(&request, self.options);
        let response = self.provider.post("chat/completions", &body).await?;
        Ok(stream::of(
            response,
            Decoder::new(self.provider.api_key().cloned()),
        ))
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    #[serde(default)]
    usage: Option<UsageBody>,
    #[serde(borrow, default)]
    error: Option<ErrorBody<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    delta: Delta<'a>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallDelta<'a>>>,
    #[serde(borrow, default)]
    annotations: Option<Vec<Annotation<'a>>>,
}

#[derive(Deserialize)]
struct CallDelta<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<CallFunctionDelta<'a>>,
}

#[derive(Deserialize)]
struct CallFunctionDelta<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Annotation<'a> {
    #[serde(borrow, default)]
    url_citation: Option<UrlCitation<'a>>,
}

#[derive(Deserialize)]
struct UrlCitation<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(default)]
    end_index: Option<u32>,
}

#[derive(Deserialize)]
struct UsageBody {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    /// A string at OpenAI, a number at some servers.
    #[serde(default)]
    code: Option<Value>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

struct PartialCall {
    index: Option<u32>,
    id: String,
    name: String,
    arguments: String,
}

pub(super) struct Decoder {
    api_key: Option<SecretString>,
    calls: Vec<PartialCall>,
    argument_bytes: usize,
    /// `finish_reason`, once it has come: what follows it is only the token count.
    finish: Option<Finish>,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    Whole,
    Truncated,
}

impl Decoder {
    pub(super) fn new(api_key: Option<SecretString>) -> Self {
        Self {
            api_key,
            calls: Vec::new(),
            argument_bytes: 0,
            finish: None,
            usage: None,
        }
    }

    fn delta(&mut self, delta: Delta<'_>, events: &mut Events) -> Result<(), ModelError> {
        for text in [delta.reasoning_content, delta.reasoning]
            .into_iter()
            .flatten()
        {
            if !text.is_empty() {
                events.push_back(ModelEvent::ReasoningDelta(text.into_owned()));
                // A server that sends both fields says the same thing twice.
                break;
            }
        }
        // A refusal is the model's own words to the user, in a field of its own.
        for text in [delta.content, delta.refusal].into_iter().flatten() {
            if !text.is_empty() {
                events.push_back(ModelEvent::TextDelta(text.into_owned()));
            }
        }
        let citations = delta.annotations.into_iter().flatten();
        for citation in citations.filter_map(|annotation| annotation.url_citation) {
            events.push_back(ModelEvent::UrlCitation {
                url: citation.url.into_owned(),
                title: citation.title.unwrap_or_default().into_owned(),
                index: citation.end_index,
            });
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call)?;
        }
        Ok(())
    }

    /// Adds a piece of a call to the call of the same index. Without an index, an id that has not
    /// been seen begins a call, and anything else belongs to the last one.
    fn call(&mut self, delta: CallDelta<'_>) -> Result<(), ModelError> {
        let id = delta.id.filter(|id| !id.is_empty());
        let position = match (delta.index, &id) {
            (Some(index), _) => self.calls.iter().position(|call| call.index == Some(index)),
            (None, Some(id)) => self.calls.iter().position(|call| call.id == **id),
            (None, None) => self.calls.len().checked_sub(1),
        };
        let number = self.calls.len();
        if position.is_none() {
            if number >= MAX_TOOL_CALLS {
                return Err(ModelError::Malformed("too many tool calls".into()));
            }
            self.calls.push(PartialCall {
                index: delta.index,
                id: String::new(),
                name: String::new(),
                arguments: String::new(),
            });
        }
        let Some(call) = self.calls.get_mut(position.unwrap_or(number)) else {
            return Ok(());
        };
        if call.id.is_empty()
            && let Some(id) = id
        {
            call.id = id.into_owned();
        }
        if let Some(function) = delta.function {
            if call.name.is_empty() {
                call.name = function.name.unwrap_or_default().into_owned();
            }
            let arguments = function.arguments.unwrap_or_default();
            self.argument_bytes += arguments.len();
            if self.argument_bytes > MAX_ARGUMENT_BYTES {
                return Err(ModelError::Malformed(
                    "the arguments of the tool calls are too long".into(),
                ));
            }
            call.arguments.push_str(&arguments);
        }
        Ok(())
    }

    /// The calls, whole now, and the end.
    fn complete(&mut self, finish: Finish, events: &mut Events) -> Result<(), ModelError> {
        for (number, call) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            if call.name.is_empty() {
                return Err(ModelError::Malformed("a tool call has no name".into()));
            }
            events.push_back(ModelEvent::ToolCall(ToolCall {
                call_id: if call.id.is_empty() {
                    format!("call_{number}")
                } else {
                    call.id
                },
                name: call.name,
                arguments: call.arguments,
            }));
        }
        events.push_back(ModelEvent::Completed {
            is_truncated: finish == Finish::Truncated,
            usage: self.usage,
        });
        Ok(())
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: Event<'_>, events: &mut Events) -> Result<(), ModelError> {
        if event.data == b"[DONE]" {
            return self.end(events);
        }
        let chunk: Chunk<'_> = serde_json::from_slice(event.data)
            .map_err(|error| ModelError::Malformed(error.into()))?;
        if let Some(error) = chunk.error {
            let code = match error.code {
                Some(Value::String(code)) => code,
                Some(code) => code.to_string(),
                None => String::new(),
            };
            return Err(failure::of_event(
                &code,
                error.message.as_deref().unwrap_or_default(),
                self.api_key.as_ref(),
            ));
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(Usage {
                input_tokens: usage.prompt_tokens,
                output_tokens: usage.completion_tokens,
            });
        }
        // One answer was asked for; others are not ours to mix in.
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            self.delta(choice.delta, events)?;
            match choice.finish_reason.as_deref() {
                None | Some("") => {}
                Some("length") => self.finish = Some(Finish::Truncated),
                Some("content_filter") => {
                    return Err(failure::of_event("content_filter", "", None));
                }
                Some(_) => self.finish = Some(Finish::Whole),
            }
        }
        Ok(())
    }

    fn end(&mut self, events: &mut Events) -> Result<(), ModelError> {
        match self.finish {
            Some(finish) => self.complete(finish, events),
            None => Err(ModelError::Malformed(
                "the answer ended before its last chunk".into(),
            )),
        }
    }
}
