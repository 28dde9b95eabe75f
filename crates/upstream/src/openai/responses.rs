//! OpenAI's Responses API (`POST {base}/responses`), streamed.
//!
//! Source: the "Responses" and "Streaming events" pages of OpenAI's API reference. Nothing is kept
//! at the provider (`store: false`): the conversation is ours, and is sent whole every time.

mod request;

use std::{borrow::Cow, collections::HashSet};

use async_trait::async_trait;
use engine::ports::{Model, ModelError, ModelEvent, ModelRequest, ModelStream, ToolCall, Usage};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::request::Body;
use super::{
    Provider, ProviderConfig, failure,
    stream::{self, Decode, Events},
};
use crate::{error::Error, sse::Event};

/// More calls than this in one answer are taken for a defect of the provider.
const MAX_TOOL_CALLS: usize = 128;

/// A provider that speaks the Responses API.
#[derive(Debug, Clone)]
pub struct Responses {
    provider: Provider,
    options: ResponsesOptions,
}

/// What only some models understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponsesOptions {
    /// Asks for summaries of the model's reasoning; models that do not reason refuse it.
    pub wants_reasoning_summary: bool,
}

impl Responses {
    /// Prepares the provider; nothing is sent yet.
    pub fn new(config: ProviderConfig, options: ResponsesOptions) -> Result<Self, Error> {
        Ok(Self {
            provider: Provider::new(config)?,
            options,
        })
    }
}

#[async_trait]
impl Model for Responses {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let mark = self.provider.mark(&request.end_user);
        let body = Body::new(&request, self.options, &mark);
        let response = self.provider.post("responses", &body).await?;
        Ok(stream::of(
            response,
            Decoder::new(self.provider.api_key().cloned()),
        ))
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct TextEvent<'a> {
    #[serde(borrow)]
    delta: Cow<'a, str>,
    #[serde(default)]
    output_index: u32,
    #[serde(default)]
    content_index: u32,
}

#[derive(Deserialize)]
struct AnnotationEvent<'a> {
    #[serde(borrow)]
    annotation: AnnotationBody<'a>,
    #[serde(default)]
    output_index: u32,
    #[serde(default)]
    content_index: u32,
}

#[derive(Deserialize)]
struct AnnotationBody<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(default)]
    end_index: Option<u32>,
}

#[derive(Deserialize)]
struct ItemDone<'a> {
    #[serde(borrow)]
    item: &'a RawValue,
}

#[derive(Deserialize)]
struct FunctionCall<'a> {
    #[serde(borrow)]
    call_id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Cow<'a, str>,
}

/// The last event; of the answer that it repeats only the calls are looked at.
#[derive(Deserialize)]
struct Finished<'a> {
    #[serde(borrow)]
    response: FinishedBody<'a>,
}

#[derive(Deserialize)]
struct FinishedBody<'a> {
    #[serde(borrow, default)]
    output: Vec<&'a RawValue>,
    #[serde(default)]
    usage: Option<UsageBody>,
    #[serde(borrow, default)]
    incomplete_details: Option<IncompleteDetails<'a>>,
    #[serde(borrow, default)]
    error: Option<ErrorBody<'a>>,
}

#[derive(Deserialize)]
struct UsageBody {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

#[derive(Deserialize)]
struct IncompleteDetails<'a> {
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

/// Some servers put the error's fields into the event, some into an `error` object in it.
#[derive(Deserialize)]
struct ErrorEvent<'a> {
    #[serde(borrow, default)]
    error: Option<ErrorBody<'a>>,
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

pub(super) struct Decoder {
    api_key: Option<SecretString>,
    /// Ids of the calls that were handed on.
    calls: HashSet<String>,
    /// Characters of the answer so far.
    characters: u32,
    /// The content part that text was last added to, and where it starts in the answer. The
    /// provider counts citations within a part, we count them within the answer.
    part: (u32, u32),
    part_start: u32,
}

impl Decoder {
    pub(super) fn new(api_key: Option<SecretString>) -> Self {
        Self {
            api_key,
            calls: HashSet::new(),
            characters: 0,
            part: (0, 0),
            part_start: 0,
        }
    }

    fn text(&mut self, delta: TextEvent<'_>, events: &mut Events) {
        let part = (delta.output_index, delta.content_index);
        if part != self.part {
            self.part = part;
            self.part_start = self.characters;
        }
        let characters = u32::try_from(delta.delta.chars().count()).unwrap_or(u32::MAX);
        self.characters = self.characters.saturating_add(characters);
        if !delta.delta.is_empty() {
            events.push_back(ModelEvent::TextDelta(delta.delta.into_owned()));
        }
    }

    fn citation(&self, event: AnnotationEvent<'_>, events: &mut Events) {
        let annotation = event.annotation;
        let Some(url) = annotation
            .url
            .filter(|_| annotation.r#type == "url_citation")
        else {
            return;
        };
        let is_of_this_part = (event.output_index, event.content_index) == self.part;
        let index = annotation.end_index.filter(|_| is_of_this_part);
        events.push_back(ModelEvent::UrlCitation {
            title: annotation.title.unwrap_or_default().into_owned(),
            url: url.into_owned(),
            index: index.map(|index| self.part_start.saturating_add(index).min(self.characters)),
        });
    }

    fn item(&mut self, item: &RawValue, events: &mut Events) -> Result<(), ModelError> {
        let item = item.get().as_bytes();
        if read::<Head<'_>>(item)?.r#type != "function_call" {
            return Ok(());
        }
        let call: FunctionCall<'_> = read(item)?;
        if self.calls.contains(&*call.call_id) {
            return Ok(());
        }
        if self.calls.len() >= MAX_TOOL_CALLS {
            return Err(ModelError::Malformed("too many tool calls".into()));
        }
        self.calls.insert(call.call_id.to_string());
        events.push_back(ModelEvent::ToolCall(ToolCall {
            call_id: call.call_id.into_owned(),
            name: call.name.into_owned(),
            arguments: call.arguments.into_owned(),
        }));
        Ok(())
    }

    /// `response.completed` and `response.incomplete`.
    fn finish(
        &mut self,
        finished: FinishedBody<'_>,
        events: &mut Events,
    ) -> Result<(), ModelError> {
        let reason = finished.incomplete_details.map(|details| details.reason);
        if reason.as_deref() == Some("content_filter") {
            return Err(failure::of_event("content_filter", "", None));
        }
        // Some servers announce a call only here.
        for item in finished.output {
            self.item(item, events)?;
        }
        events.push_back(ModelEvent::Completed {
            is_truncated: reason.is_some(),
            usage: finished.usage.map(|usage| Usage {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
            }),
        });
        Ok(())
    }

    fn failed(&self, error: Option<ErrorBody<'_>>) -> ModelError {
        let (code, message) = error.map_or((None, None), |error| (error.code, error.message));
        failure::of_event(
            code.as_deref().unwrap_or_default(),
            message.as_deref().unwrap_or_default(),
            self.api_key.as_ref(),
        )
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: Event<'_>, events: &mut Events) -> Result<(), ModelError> {
        // The name saves reading the data twice, or at all; compatible servers may leave it out.
        let head: Head<'_>;
        let kind = match event.name {
            [] if event.data == b"[DONE]" => return Ok(()),
            [] => {
                head = read(event.data)?;
                head.r#type.as_bytes()
            }
            name => name,
        };
        match kind {
            b"response.output_text.delta" | b"response.refusal.delta" => {
                self.text(read(event.data)?, events);
            }
            b"response.reasoning_summary_text.delta" | b"response.reasoning_text.delta" => {
                let delta: TextEvent<'_> = read(event.data)?;
                if !delta.delta.is_empty() {
                    events.push_back(ModelEvent::ReasoningDelta(delta.delta.into_owned()));
                }
            }
            b"response.output_text.annotation.added" => self.citation(read(event.data)?, events),
            b"response.output_item.done" => {
                let done: ItemDone<'_> = read(event.data)?;
                self.item(done.item, events)?;
            }
            b"response.completed" | b"response.incomplete" => {
                let finished: Finished<'_> = read(event.data)?;
                self.finish(finished.response, events)?;
            }
            b"response.failed" => {
                let finished: Finished<'_> = read(event.data)?;
                return Err(self.failed(finished.response.error));
            }
            b"error" => {
                let ErrorEvent {
                    error,
                    code,
                    message,
                } = read(event.data)?;
                return Err(self.failed(error.or(Some(ErrorBody { code, message }))));
            }
            // Starts, ends and tools of the provider's own: nothing that the answer needs.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _events: &mut Events) -> Result<(), ModelError> {
        Err(ModelError::Malformed(
            "the answer ended before its last event".into(),
        ))
    }
}

/// One JSON text, borrowed where possible.
fn read<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, ModelError> {
    serde_json::from_slice(data).map_err(|error| ModelError::Malformed(error.into()))
}
