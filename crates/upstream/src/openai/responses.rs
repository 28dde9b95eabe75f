//! OpenAI's Responses API (`POST {base}/responses`), streamed.
//!
//! Source: the "Responses" and "Streaming events" pages of OpenAI's API reference. Nothing is kept
//! at the provider (`store: false`): the conversation is ours, and is sent whole every time.

mod builtin;
mod calls;
mod reasoning;
mod request;
mod text;

use std::{borrow::Cow, num::NonZeroU32};

use async_trait::async_trait;
use engine::ports::{Model, ModelError, ModelEvent, ModelRequest, ModelStream, Usage};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use tokio::sync::OnceCell;

use self::{
    builtin::Builtins,
    calls::Calls,
    reasoning::Reasoning,
    request::Body,
    text::{Place, Text},
};
use super::{
    Provider, ProviderConfig, Secrets, failure, lenient,
    refused::Refused,
    stream::{self, Decode, Events, MAX_EVENT_BYTES},
};
use crate::{error::Error, json::Documents, sse::Event};

/// The largest event of an answer with pictures: the last one has all of them again.
const MAX_PICTURE_EVENT_BYTES: usize = 32 * 1024 * 1024;

/// A provider that speaks the Responses API.
#[derive(Debug, Clone)]
pub struct Responses {
    provider: Provider,
    options: ResponsesOptions,
}

/// How the events begin that say that the model has begun; those before them say that it was asked.
const BEGINNINGS: [&str; 5] = [
    "response.output_",
    "response.content_",
    "response.reasoning",
    "response.refusal",
    "response.function_call",
];
/// What only some models understand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponsesOptions {
    /// Asks for summaries of the model's reasoning; models that do not reason refuse it, and are not asked again.
    pub wants_reasoning_summary: bool,
    /// Tools that the provider runs by itself, as it is told of them: objects with a `type`.
    pub builtin_tools: Vec<Value>,
}

impl ResponsesOptions {
    /// Whether the provider may use a tool of this type by itself.
    fn has(&self, kind: &str) -> bool {
        self.builtin_tools.iter().any(|tool| tool["type"] == kind)
    }
}

impl Responses {
    /// Prepares the provider; nothing is sent yet.
    pub fn new(mut config: ProviderConfig, options: ResponsesOptions) -> Result<Self, Error> {
        if !options.builtin_tools.is_empty() {
            // Nothing is said while the provider draws or computes.
            let patience = &mut config.patience;
            patience.silence = patience.silence.max(patience.first_token);
        }
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
        let parallel = self.provider.options.parallel_tool_calls;
        let texts = OnceCell::new();
        let body = |request, refused: &Refused| {
            Body::new(request, &self.options, parallel, refused, &mark)
        };
        let decoder = || Decoder {
            draws: self.options.has("image_generation"),
            gives_back: !request.tools.is_empty(),
            ..Decoder::new(self.provider.secrets().clone(), request.max_output_tokens)
        };
        let asked = self
            .provider
            .ask("responses", &request, &texts, body, decoder);
        asked.await
    }
}

/// Reads the events of an answer.
pub(super) struct Decoder {
    secrets: Secrets,
    documents: Documents,
    text: Text,
    calls: Calls,
    reasoning: Reasoning,
    builtins: Builtins,
    has_begun: bool,
    /// How many tokens the answer may have.
    limit: Option<NonZeroU32>,
    /// Whether there may be pictures in the answer.
    draws: bool,
    /// Whether calls of our tools may follow, which what the provider's have done is given back with.
    gives_back: bool,
}

impl Decoder {
    pub(super) fn new(secrets: Secrets, limit: Option<NonZeroU32>) -> Self {
        Self {
            secrets,
            limit,
            documents: Documents::default(),
            text: Text::default(),
            calls: Calls::default(),
            reasoning: Reasoning::default(),
            builtins: Builtins::default(),
            has_begun: false,
            draws: false,
            gives_back: true,
        }
    }

    /// A part of a message that is complete.
    fn part(&mut self, place: &Place, part: &Value, events: &mut Events) {
        if is_text(part) {
            self.text.whole(place.clone(), part, events);
            self.text.citations(place, part, events);
        }
    }

    /// An output item that is complete. `is_repeated` where it may have been told before.
    fn item(
        &mut self,
        place: Place,
        item: &Value,
        is_repeated: bool,
        events: &mut Events,
    ) -> Result<(), ModelError> {
        match item["type"].as_str() {
            Some("message") => {
                for (content, part) in (0..).zip(lenient::list(&item["content"])) {
                    self.part(&place.part(content), part, events);
                }
            }
            Some("function_call") => self.calls.tell(place, item, is_repeated, events)?,
            Some("reasoning") => self.reasoning.item(&place, item, events),
            _ => {
                self.builtins.item(&place, item, true, events);
                if let Some(fields) = builtin::fields(item).filter(|_| self.gives_back) {
                    self.reasoning.give_back(item, fields, events);
                }
            }
        }
        Ok(())
    }

    /// `response.completed` and `response.incomplete`, or the response of a server that does not
    /// stream.
    fn finish(&mut self, response: &Value, events: &mut Events) -> Result<(), ModelError> {
        if let Some(error) = self.failed(response) {
            return Err(error);
        }
        let reason = lenient::text(&response["incomplete_details"]["reason"]);
        if reason == "content_filter" {
            return Err(failure::of_event("content_filter", "", &[]));
        }
        // Some servers announce text and calls only here.
        let is_silent = self.text.is_empty();
        self.calls.finish(events)?;
        let is_repeated = !self.calls.is_empty();
        let output = lenient::list(&response["output"]);
        let has_more = text_parts(output).count() > self.text.parts();
        for (output, item) in (0..).zip(output) {
            let place = Place {
                output: Some(output),
                item: item["id"].as_str().map(str::to_owned),
                content: None,
            };
            if is_silent || item["type"] != "message" {
                self.item(place, item, is_repeated, events)?;
                continue;
            }
            for (content, part) in (0..).zip(lenient::list(&item["content"])) {
                let place = place.part(content);
                if is_text(part) {
                    self.text.last(place.clone(), part, has_more, events);
                }
                self.text.citations(&place, part, events);
            }
        }
        if output.iter().all(|item| item["type"] != "message") {
            self.text.unheard(events);
        }
        if self.text.is_empty() {
            // A shorthand that the SDKs make; some servers send nothing else.
            self.text
                .whole(Place::default(), &response["output_text"], events);
        }
        self.text.finish(events);
        let usage = lenient::usage(&response["usage"]);
        events.push_back(ModelEvent::Completed {
            is_truncated: !reason.is_empty()
                || response["status"] == "incomplete"
                || self.is_used_up(usage),
            usage,
        });
        Ok(())
    }

    /// Whether the answer has all the tokens that it may have: some servers call it completed then (llama.cpp). Calls
    /// are whole in it or were not announced.
    fn is_used_up(&self, usage: Option<Usage>) -> bool {
        let (Some(usage), Some(limit)) = (usage, self.limit) else {
            return false;
        };
        self.calls.is_empty() && usage.output_tokens >= u64::from(limit.get())
    }

    /// Why a response failed, if it did.
    fn failed(&self, response: &Value) -> Option<ModelError> {
        let failed = matches!(response["status"].as_str(), Some("failed" | "cancelled"));
        failure::in_event(&response["error"], &self.secrets)
            .or_else(|| failed.then(|| failure::of_event("error", "", &[])))
    }
}

/// Whether a part of a message is for a person to read. Others are thoughts.
fn is_text(part: &Value) -> bool {
    let kind = part["type"].as_str();
    kind.is_none_or(|kind| ["output_text", "text", "refusal"].contains(&kind))
}

/// The parts of all messages that have words in them.
fn text_parts(output: &[Value]) -> impl Iterator<Item = &Value> {
    let messages = output.iter().filter(|item| item["type"] == "message");
    messages
        .flat_map(|message| lenient::list(&message["content"]))
        .filter(|part| is_text(part) && !lenient::text(part).trim_start().is_empty())
}

/// An event with more of the text, read at a quarter of the cost of any other one. Whatever it does not
/// know makes it none of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "named, so that they may be there")]
struct TextEvent<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    delta: Cow<'a, str>,
    output_index: u64,
    content_index: u64,
    item_id: Option<&'a str>,
    sequence_number: Option<IgnoredAny>,
    logprobs: Option<IgnoredAny>,
    obfuscation: Option<IgnoredAny>,
}

impl Decode for Decoder {
    fn event(&mut self, event: Event<'_>, events: &mut Events) -> Result<(), ModelError> {
        let data = event.data.trim_ascii();
        if let Ok(event) = serde_json::from_slice::<TextEvent<'_>>(data)
            && event.r#type == "response.output_text.delta"
        {
            self.documents.forget();
            self.has_begun = true;
            let text = event.delta.into_owned();
            if self.text.is_here(event.output_index, event.content_index) {
                self.text.more(text, events);
            } else {
                let place = Place {
                    output: Some(event.output_index),
                    item: event.item_id.map(str::to_owned),
                    content: Some(event.content_index),
                };
                self.text.delta(place, text, events);
            }
            return Ok(());
        }
        if stream::is_done(event) {
            // The API has no such word; what is over where others use it is over here.
            let has_answered = !self.text.is_empty() || !self.calls.is_empty();
            return if has_answered {
                self.finish(&Value::Null, events)
            } else {
                Ok(())
            };
        }
        let Some(mut body) = self.documents.read(data) else {
            if let Some(data) = stream::behind_mark(data) {
                return self.event(Event { data, ..event }, events);
            }
            return failure::in_words_of(event, &self.secrets).map_or(Ok(()), Err);
        };
        let name = String::from_utf8_lossy(event.name);
        let kind = body["type"].as_str().filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or(&name).to_owned();
        // That a model begins to think is told at once, and then some say nothing for long.
        let begins_to_think =
            kind == "response.output_item.added" && body["item"]["type"] == "reasoning";
        self.has_begun |=
            !begins_to_think && BEGINNINGS.iter().any(|start| kind.starts_with(start));
        match kind.as_str() {
            "response.output_text.delta" | "response.refusal.delta" => {
                let text = body.get_mut("delta").map(lenient::take_text);
                let text = text.unwrap_or_default();
                self.text.delta(Place::of(&body), text, events);
            }
            "response.output_text.done" => {
                self.text.whole(Place::of(&body), &body["text"], events);
            }
            "response.refusal.done" => {
                self.text.whole(Place::of(&body), &body["refusal"], events);
            }
            "response.content_part.done" => {
                let place = Place::of(&body);
                self.part(&place, &body["part"], events);
            }
            "response.reasoning_summary_text.delta" => {
                self.reasoning.delta(true, &body, events);
            }
            "response.reasoning_text.delta" => self.reasoning.delta(false, &body, events),
            "response.reasoning_summary_text.done" => self.reasoning.whole(true, &body, events),
            "response.reasoning_text.done" => self.reasoning.whole(false, &body, events),
            "response.output_text.annotation.added" => {
                let place = Place::of(&body);
                self.text.cite(&place, &body["annotation"], events);
            }
            "response.output_item.added" => {
                let place = Place::of(&body);
                if body["item"]["type"] == "message" {
                    self.text.announce();
                }
                if body["item"]["type"] == "function_call" {
                    self.calls.begin(place, &body["item"]);
                } else {
                    self.builtins.item(&place, &body["item"], false, events);
                }
            }
            "response.function_call_arguments.delta" => {
                self.calls
                    .arguments(&Place::of(&body), &body["delta"], false)?;
            }
            "response.function_call_arguments.done" => {
                let place = Place::of(&body);
                // Some announce a call nowhere else.
                if !self.calls.is_begun(&place) && body["name"].is_string() {
                    self.calls.begin(place.clone(), &body);
                }
                self.calls.arguments(&place, &body["arguments"], true)?;
            }
            "response.output_item.done" => {
                let place = Place::of(&body);
                self.item(place, &body["item"], false, events)?;
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                self.finish(&body["response"], events)?;
            }
            "response.failed" => {
                let failed = self.failed(&body["response"]);
                return Err(failed.unwrap_or_else(|| failure::of_event("error", "", &[])));
            }
            "error" | "response.error" => {
                // The error's fields stand in the event, or in an object of it.
                let error = failure::in_event(&body["error"], &self.secrets)
                    .or_else(|| failure::in_event(&body, &self.secrets));
                return Err(error.unwrap_or_else(|| failure::of_event("error", "", &[])));
            }
            // No event but the response itself, from a server that does not stream, or an error.
            "" if body["output"].is_array() || body["error"].is_object() => {
                self.finish(&body, events)?;
            }
            "" if let Some(error) = failure::in_document(&body, &self.secrets) => {
                return Err(error);
            }
            // Starts and ends: nothing that the answer needs.
            _ => {
                self.has_begun |= self.builtins.event(&kind, &body, events);
            }
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn longest_event(&self) -> usize {
        if self.draws {
            MAX_PICTURE_EVENT_BYTES
        } else {
            MAX_EVENT_BYTES
        }
    }

    fn end(&mut self, events: &mut Events) -> Result<(), ModelError> {
        self.text.finish(events);
        Err(stream::cut_off(self.documents.skipped()))
    }
}
