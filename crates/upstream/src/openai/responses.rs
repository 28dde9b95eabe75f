//! OpenAI's Responses API (`POST {base}/responses`), streamed.
//!
//! Source: the "Responses" and "Streaming events" pages of OpenAI's API reference. Nothing is kept
//! at the provider (`store: false`): the conversation is ours, and is sent whole every time.

mod request;

use std::{borrow::Cow, collections::HashSet, num::NonZeroU32};

use async_trait::async_trait;
use engine::ports::{
    Model, ModelError, ModelEvent, ModelRequest, ModelStream, Thought, ToolCall, Usage,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use self::request::Body;
use super::{
    Provider, ProviderConfig, Secrets, failure,
    lenient::{self, Reader},
    refused::Refused,
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

/// How the events begin that say that the model has begun; those before them say that it was asked.
const BEGINNINGS: [&[u8]; 5] = [
    b"response.output_",
    b"response.content_",
    b"response.reasoning",
    b"response.refusal",
    b"response.function_call",
];
/// Fields of a reasoning item that are given back; others may be refused in a question.
const THOUGHT_FIELDS: [&str; 5] = ["type", "id", "summary", "content", "encrypted_content"];

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
        let parallel = self.provider.options.parallel_tool_calls;
        let body = |refused: &Refused| Body::new(&request, self.options, parallel, refused, &mark);
        let decoder = || Decoder::new(self.provider.secrets().clone(), request.max_output_tokens);
        let asked = self.provider.ask("responses", &request, body, decoder);
        asked.await
    }
}

/// Reads the events of an answer.
pub(super) struct Decoder {
    secrets: Secrets,
    reader: Reader,
    /// Calls that were handed on, so that each is once, however often it is announced.
    calls: HashSet<String>,
    /// The same for what the model thought.
    thoughts: HashSet<String>,
    /// Characters of the answer so far.
    characters: u32,
    /// The content part that text was last added to, and where it starts in the answer. The
    /// provider counts citations within a part, we count them within the answer.
    part: Part,
    part_start: u32,
    /// Parts whose text has come.
    told: HashSet<Part>,
    /// Whether text comes in deltas. Servers that do not stream send it in the closing events only,
    /// where the others repeat it.
    has_deltas: bool,
    has_begun: bool,
    /// How many tokens the answer may have.
    limit: Option<NonZeroU32>,
}

/// A part of the answer: the index of the output item, and of the content within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Part {
    output: u64,
    content: u64,
}

impl Part {
    fn of(event: &Value) -> Self {
        Self {
            output: lenient::number(&event["output_index"]).unwrap_or(0),
            content: lenient::number(&event["content_index"]).unwrap_or(0),
        }
    }
}

impl Decoder {
    pub(super) fn new(secrets: Secrets, limit: Option<NonZeroU32>) -> Self {
        Self {
            secrets,
            limit,
            reader: Reader::default(),
            calls: HashSet::new(),
            thoughts: HashSet::new(),
            characters: 0,
            part: Part::default(),
            part_start: 0,
            told: HashSet::new(),
            has_deltas: false,
            has_begun: false,
        }
    }

    fn text(&mut self, part: Part, text: String, events: &mut Events) {
        if text.is_empty() {
            return;
        }
        if part != self.part {
            // Two messages of one response are two paragraphs: a heading stays a heading.
            if part.output != self.part.output && self.characters > 0 {
                self.say("\n\n".to_owned(), events);
            }
            self.part = part;
            self.part_start = self.characters;
        }
        self.told.insert(part);
        self.say(text, events);
    }

    fn say(&mut self, text: String, events: &mut Events) {
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        self.characters = self.characters.saturating_add(characters);
        events.push_back(ModelEvent::TextDelta(text));
    }

    /// Text that a closing event has whole.
    fn whole_text(&mut self, part: Part, text: &Value, events: &mut Events) {
        if !self.has_deltas && !self.told.contains(&part) {
            self.text(part, lenient::text(text).into_owned(), events);
        }
    }

    fn citation(&self, event: &Value, events: &mut Events) {
        let annotation = &event["annotation"];
        let url = lenient::text(&annotation["url"]);
        if url.is_empty() || annotation["type"] != "url_citation" {
            return;
        }
        let index = lenient::number(&annotation["end_index"])
            .filter(|_| Part::of(event) == self.part)
            .and_then(|index| u32::try_from(index).ok());
        events.push_back(ModelEvent::UrlCitation {
            title: lenient::text(&annotation["title"]).into_owned(),
            url: url.into_owned(),
            index: index.map(|index| self.part_start.saturating_add(index).min(self.characters)),
        });
    }

    /// An output item that is complete.
    fn item(&mut self, output: u64, item: &Value, events: &mut Events) -> Result<(), ModelError> {
        match item["type"].as_str() {
            Some("message") => {
                for (content, part) in (0..).zip(lenient::list(&item["content"])) {
                    self.whole_text(Part { output, content }, part, events);
                }
                Ok(())
            }
            Some("function_call") => self.call(item, events),
            Some("reasoning") => {
                self.thought(item, events);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Nothing is kept at the provider, so only what holds the thought itself can be given back: sealed, or in words.
    fn thought(&mut self, item: &Value, events: &mut Events) {
        let is_sealed = item["encrypted_content"]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        if !is_sealed && lenient::list(&item["content"]).is_empty() {
            return;
        }
        let mut thought = serde_json::Map::new();
        for name in THOUGHT_FIELDS {
            match &item[name] {
                Value::Null => {}
                value => {
                    thought.insert(name.to_owned(), value.clone());
                }
            }
        }
        thought
            .entry("summary")
            .or_insert_with(|| Value::Array(Vec::new()));
        let text = Value::Object(thought).to_string();
        let id = item["id"].as_str().unwrap_or(&text).to_owned();
        if self.thoughts.insert(id) {
            events.push_back(ModelEvent::Thought(Thought(text)));
        }
    }

    fn call(&mut self, call: &Value, events: &mut Events) -> Result<(), ModelError> {
        let name = lenient::text(&call["name"]);
        if name.is_empty() {
            return Err(ModelError::Malformed("a tool call has no name".into()));
        }
        let id = ["call_id", "id"]
            .map(|name| lenient::text(&call[name]))
            .into_iter()
            .find(|id| !id.is_empty());
        let id = id.map_or_else(|| format!("call_{}", self.calls.len()), Cow::into_owned);
        if self.calls.contains(&id) {
            return Ok(());
        }
        if self.calls.len() >= MAX_TOOL_CALLS {
            return Err(ModelError::Malformed("too many tool calls".into()));
        }
        self.calls.insert(id.clone());
        events.push_back(ModelEvent::ToolCall(ToolCall {
            call_id: id,
            name: name.into_owned(),
            arguments: match &call["arguments"] {
                object @ Value::Object(_) => object.to_string(),
                other => lenient::text(other).into_owned(),
            },
        }));
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
        let is_silent = self.characters == 0;
        for (output, item) in (0..).zip(lenient::list(&response["output"])) {
            if is_silent || item["type"] != "message" {
                self.item(output, item, events)?;
            }
        }
        let usage = &response["usage"];
        let usage = usage.is_object().then(|| Usage {
            input_tokens: lenient::number(&usage["input_tokens"]).unwrap_or(0),
            output_tokens: lenient::number(&usage["output_tokens"]).unwrap_or(0),
        });
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
    item_id: Option<IgnoredAny>,
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
            let part = Part {
                output: event.output_index,
                content: event.content_index,
            };
            self.reader.forget();
            self.has_begun = true;
            self.has_deltas |= !event.delta.is_empty();
            self.text(part, event.delta.into_owned(), events);
            return Ok(());
        }
        if data.starts_with(b"[DONE]") {
            return Ok(());
        }
        let Some(mut body) = self.reader.read(data) else {
            return Ok(());
        };
        let kind = body["type"]
            .as_str()
            .map_or(event.name, str::as_bytes)
            .to_vec();
        // That a model begins to think is told at once, and then some say nothing for long.
        let begins_to_think =
            kind == b"response.output_item.added" && body["item"]["type"] == "reasoning";
        self.has_begun |=
            !begins_to_think && BEGINNINGS.iter().any(|start| kind.starts_with(start));
        match kind.as_slice() {
            b"response.output_text.delta" | b"response.refusal.delta" => {
                let text = body.get_mut("delta").map(lenient::take_text);
                let text = text.unwrap_or_default();
                self.has_deltas |= !text.is_empty();
                self.text(Part::of(&body), text, events);
            }
            b"response.output_text.done" => self.whole_text(Part::of(&body), &body["text"], events),
            b"response.refusal.done" => self.whole_text(Part::of(&body), &body["refusal"], events),
            b"response.content_part.done" => {
                self.whole_text(Part::of(&body), &body["part"], events);
            }
            b"response.reasoning_summary_text.delta" | b"response.reasoning_text.delta" => {
                let text = lenient::text(&body["delta"]);
                if !text.is_empty() {
                    events.push_back(ModelEvent::ReasoningDelta(text.into_owned()));
                }
            }
            b"response.output_text.annotation.added" => self.citation(&body, events),
            b"response.output_item.done" => {
                self.item(Part::of(&body).output, &body["item"], events)?;
            }
            b"response.completed" | b"response.incomplete" => {
                self.finish(&body["response"], events)?;
            }
            b"response.failed" => {
                let failed = self.failed(&body["response"]);
                return Err(failed.unwrap_or_else(|| failure::of_event("error", "", &[])));
            }
            b"error" => {
                // The error's fields stand in the event, or in an object of it.
                let error = failure::in_event(&body["error"], &self.secrets)
                    .or_else(|| failure::in_event(&body, &self.secrets));
                return Err(error.unwrap_or_else(|| failure::of_event("error", "", &[])));
            }
            // No event but the response itself, from a server that does not stream, or an error.
            b"" if body["output"].is_array() || body["error"].is_object() => {
                self.finish(&body, events)?;
            }
            // Starts, ends and tools of the provider's own: nothing that the answer needs.
            _ => {}
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn end(&mut self, _events: &mut Events) -> Result<(), ModelError> {
        Err(stream::cut_off(self.reader.skipped()))
    }
}
