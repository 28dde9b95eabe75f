//! The Chat Completions API (`POST {base}/chat/completions`), streamed: the form that nearly every
//! model server understands.
//!
//! Source: the "Chat Completions" pages of OpenAI's API reference. Compatible servers differ in every
//! field, so chunks are read leniently: text, tool calls and the end have to be there, in any of the
//! forms that are about; nothing else can fail an answer.

mod calls;
mod finish;
mod request;
mod sources;
mod text_chunk;
mod thoughts;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use async_trait::async_trait;
use engine::ports::{
    BuiltinEvent, BuiltinState, BuiltinWork, Model, ModelError, ModelEvent, ModelRequest,
    ModelStream, Usage,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::{
    calls::Calls, finish::Finish, request::Body, sources::Sources, text_chunk::TextChunks,
    thoughts::Thoughts,
};
use super::{
    Provider, ProviderConfig, Secrets, failure, lenient, pictures,
    refused::{OUTPUT_FIELDS, Refused},
    stream::{self, Decode, Events},
    think::Splitter,
};
use crate::{error::Error, json::Documents, sse::Event};

/// The longest event that is read, in bytes: a picture comes in one.
const MAX_EVENT_BYTES: usize = 24 << 20;
/// More pictures of one answer than this are not told.
const MAX_PICTURES: usize = 64;
/// A piece that begins with all that was said says it again, if that is so many bytes: "ha" may be followed by "haha".
const SURELY_REPEATED: usize = 16;

/// A provider that speaks Chat Completions.
#[derive(Debug, Clone)]
pub struct ChatCompletions {
    provider: Arc<Provider>,
}

impl ChatCompletions {
    /// Prepares the provider; nothing is sent yet.
    pub fn new(config: ProviderConfig) -> Result<Self, Error> {
        let provider = Arc::new(Provider::new(config)?);
        Ok(Self { provider })
    }

    /// The provider itself, for the relay, which passes its answers on unread.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The parameter that bounds an answer. OpenAI's newer models refuse `max_tokens`; many other
    /// servers know nothing else.
    pub(crate) fn output_field(&self, model: &str) -> &'static str {
        self.output_field_without(&self.provider.refused(model))
    }

    /// Whether the server is told who asks.
    pub(crate) fn takes_end_user(&self, model: &str) -> bool {
        !self.provider.refused(model).has("user")
    }

    fn output_field_without(&self, refused: &Refused) -> &'static str {
        let host = self.provider.base_url.host_str().unwrap_or_default();
        let is_newer = host == "api.openai.com" || host.ends_with(".openai.azure.com");
        let [mut first, mut other] = OUTPUT_FIELDS;
        if is_newer {
            std::mem::swap(&mut first, &mut other);
        }
        if refused.has(first) { other } else { first }
    }
}

#[async_trait]
impl Model for ChatCompletions {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let mark = self.provider.mark(&request.end_user);
        let texts = OnceCell::new();
        let body = |request, refused: &Refused| {
            let output = self.output_field_without(refused);
            Body::new(request, self.provider.options, refused, output, &mark)
        };
        let decoder = || {
            let tools = request.tools.iter().map(|tool| tool.name.clone());
            Decoder {
                calls: Calls::new(tools.collect()),
                ..Decoder::new(self.provider.secrets().clone())
            }
        };
        let asked = self
            .provider
            .ask("chat/completions", &request, &texts, body, decoder);
        asked.await
    }
}

/// Reads the chunks of an answer.
pub(super) struct Decoder {
    secrets: Secrets,
    documents: Documents,
    texts: TextChunks,
    text: Splitter,
    calls: Calls,
    thoughts: Thoughts,
    sources: Sources,
    /// Fingerprints of the pictures that have come; of all that are none, one.
    pictures: Vec<Option<u64>>,
    has_begun: bool,
    /// The text so far, and how many bytes of it are the first piece.
    said: String,
    first: usize,
    /// Whether each piece is all of the text so far (`DashScope`), and not only what is new of it.
    is_all: bool,
    /// A piece that may be that: too little has been said to tell.
    unsure: Option<String>,
    /// The field in which the answer comes, once there is something of it: what comes in another one repeats it.
    said_in: Option<Field>,
    /// Set by `finish_reason`: what follows it is the token count, and can fail nothing any more.
    finish: Option<Finish>,
    /// Whether more of the answer has come behind a reason to finish. Such a server says one with each chunk, or before
    /// its calls, so that only the end of the stream is an end.
    is_going_on: bool,
    usage: Option<Usage>,
}

/// Where in a choice an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Delta,
    Message,
    Text,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Message => "message",
            Self::Text => "text",
        }
    }
}

impl Decoder {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            documents: Documents::default(),
            texts: TextChunks::default(),
            text: Splitter::default(),
            calls: Calls::default(),
            thoughts: Thoughts::default(),
            sources: Sources::default(),
            pictures: Vec::new(),
            has_begun: false,
            said: String::new(),
            first: 0,
            is_all: false,
            unsure: None,
            said_in: None,
            finish: None,
            is_going_on: false,
            usage: None,
        }
    }

    /// One entry of `choices`: a `delta`, or the whole `message` from a server that does not stream.
    fn choice(&mut self, choice: &mut Value, events: &mut Events) -> Result<(), ModelError> {
        let finish = finish::of_choice(choice);
        let field = if choice["delta"].is_object() {
            Field::Delta
        } else if choice["message"].is_object() {
            Field::Message
        } else {
            // As the API before this one had it.
            Field::Text
        };
        // Servers that stream may repeat the whole message at the end.
        let is_repeated = match self.said_in {
            Some(said_in) => said_in != field,
            None => field == Field::Message && !self.calls.is_empty(),
        };
        if let Some(value) = choice.get_mut(field.name())
            && (field == Field::Delta || !is_repeated)
        {
            if field == Field::Text {
                let text = lenient::take_text(value);
                self.say(text, field, events);
            } else {
                self.part(value, field, events)?;
            }
        }
        match finish {
            // A whole message needs no word that it is over.
            None if field == Field::Message => {
                self.finish.get_or_insert(Finish::Whole);
            }
            None => {}
            // What was cut off stays cut off, whatever is said after it.
            Some(Ok(_)) if self.finish == Some(Finish::Truncated) => {}
            Some(Ok(finish)) => self.finish = Some(finish),
            Some(Err(code)) => return Err(failure::of_event(code, "", &[])),
        }
        Ok(())
    }

    fn part(
        &mut self,
        part: &mut Value,
        field: Field,
        events: &mut Events,
    ) -> Result<(), ModelError> {
        let mut reasoning = self.thoughts.push(part);
        if reasoning.is_empty() {
            reasoning = lenient::thinking(&part["content"]);
        }
        if !reasoning.is_empty() {
            events.push_back(ModelEvent::ReasoningDelta(reasoning.into_owned()));
        }
        // A refusal is the model's own words to the user, in a field of its own.
        for name in ["content", "refusal"] {
            let text = part
                .get_mut(name)
                .map(lenient::take_text)
                .unwrap_or_default();
            self.say(text, field, events);
        }
        for annotation in lenient::list(&part["annotations"]) {
            let citation = annotation.get("url_citation").unwrap_or(annotation);
            let url = lenient::text(&citation["url"]);
            if !url.is_empty() {
                self.sources.cite(&url);
                events.push_back(ModelEvent::UrlCitation {
                    url: url.into_owned(),
                    title: lenient::text(&citation["title"]).into_owned(),
                    index: lenient::number(&citation["end_index"])
                        .and_then(|index| index.try_into().ok()),
                });
            }
        }
        // Models that draw while they speak (Gemini and others behind OpenRouter).
        for image in lenient::list(&part["images"]) {
            // What is drawn is an answer, which a whole message at the end only repeats.
            self.said_in.get_or_insert(field);
            // An address of another server is not asked: it would learn who sees the picture, and when.
            let image = pictures::read(&image["image_url"]["url"], false);
            let fingerprint = image.as_ref().map(|image| {
                let mut hasher = DefaultHasher::new();
                image.bytes.hash(&mut hasher);
                hasher.finish()
            });
            // Some tell all pictures so far with each new one.
            if self.pictures.len() < MAX_PICTURES && !self.pictures.contains(&fingerprint) {
                self.go_on();
                self.pictures.push(fingerprint);
                events.push_back(ModelEvent::Builtin(BuiltinEvent {
                    id: format!("image_{}", self.pictures.len()),
                    state: BuiltinState::Done,
                    work: BuiltinWork::ImageGeneration { image },
                }));
            }
        }
        let calls = match &part["tool_calls"] {
            call @ Value::Object(_) => std::slice::from_ref(call),
            calls => lenient::list(calls),
        };
        for call in calls {
            self.go_on();
            self.calls.push(call)?;
        }
        // As it was before there were several.
        if calls.is_empty() && part["function_call"].is_object() {
            self.go_on();
            let call = json!({ "index": 0, "function": part["function_call"] });
            self.calls.push(&call)?;
        }
        Ok(())
    }

    fn say(&mut self, text: String, field: Field, events: &mut Events) {
        // Some say all of it again behind the end.
        if text.is_empty() || (self.finish.is_some() && text == self.said) {
            return;
        }
        // So that a whole message is what it says it is.
        self.is_all |= field == Field::Message;
        let Some(text) = self.new_of(text, events) else {
            return;
        };
        self.add(text, field, events);
    }

    /// Whether a piece begins with all that was said, which hardly any does: all but the first ones are shorter.
    fn repeats(&self, text: &str) -> bool {
        text.len() >= self.said.len() && text.starts_with(&self.said) && !self.said.is_empty()
    }

    /// What is new of a piece; `None` where nothing is, or where that shows in the next piece.
    fn new_of(&mut self, text: String, events: &mut Events) -> Option<String> {
        if let Some(unsure) = self.unsure.take() {
            if text.len() > unsure.len() && text.starts_with(&unsure) {
                self.is_all = true;
            } else {
                self.add(unsure, Field::Delta, events);
            }
        }
        let is_repeated = self.repeats(&text);
        // A line of dashes may be a token, and a longer one the next.
        let is_long = is_repeated
            && self.said.len() >= SURELY_REPEATED
            && self.said.contains(char::is_alphanumeric);
        // All of several pieces again, in one. One line may well follow the same one.
        if is_long && text == self.said && self.said.len() > self.first {
            return None;
        }
        if is_repeated && !self.is_all && self.said.len() < text.len() {
            if !is_long {
                self.unsure = Some(text);
                return None;
            }
            self.is_all = true;
        }
        let rest = text
            .get(self.said.len()..)
            .filter(|_| is_repeated && self.is_all);
        match rest {
            Some("") => None,
            Some(rest) => Some(rest.to_owned()),
            None => Some(text),
        }
    }

    fn add(&mut self, text: String, field: Field, events: &mut Events) {
        if self.said.is_empty() {
            self.first = text.len();
        }
        if !text.trim().is_empty() {
            self.go_on();
        }
        self.said.push_str(&text);
        self.said_in = Some(field);
        self.text.push(text, events);
    }

    /// There is more of the answer.
    fn go_on(&mut self) {
        self.is_going_on |= self.finish.is_some();
    }

    /// The error that a chunk is, wherever it says so.
    fn error(&self, chunk: &Value, event: Event<'_>) -> Option<ModelError> {
        let first = lenient::list(&chunk["choices"]).first();
        failure::in_event(&chunk["error"], &self.secrets)
            .or_else(|| failure::in_event(&first?["error"], &self.secrets))
            .or_else(|| failure::in_base(chunk, &self.secrets))
            .or_else(|| {
                let is_chunk = chunk.get("choices").is_some();
                (!is_chunk)
                    .then(|| failure::in_document(chunk, &self.secrets))
                    .flatten()
            })
            .or_else(|| {
                let is_named = event.name == b"error";
                is_named
                    .then(|| failure::in_event(chunk, &self.secrets))
                    .flatten()
            })
    }

    /// The calls, whole now, and the end.
    fn complete(&mut self, finish: Finish, events: &mut Events) -> Result<(), ModelError> {
        if let Some(unsure) = self.unsure.take() {
            self.add(unsure, Field::Delta, events);
        }
        self.text.finish(events);
        self.sources.finish(events);
        let (calls, extras) = self.calls.finish()?;
        if !calls.is_empty() {
            events.extend(self.thoughts.finish(extras).map(ModelEvent::Thought));
        }
        events.extend(calls.into_iter().map(ModelEvent::ToolCall));
        events.push_back(ModelEvent::Completed {
            is_truncated: finish == Finish::Truncated,
            usage: self.usage,
        });
        Ok(())
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: Event<'_>, events: &mut Events) -> Result<(), ModelError> {
        let data = event.data.trim_ascii();
        if let Some(text) = self.texts.read(data) {
            let text = text.into_owned();
            self.documents.forget();
            self.has_begun |= !text.is_empty();
            let is_next = self.said_in == Some(Field::Delta) && self.unsure.is_none();
            if self.finish.is_none() && is_next && !self.repeats(&text) {
                self.said.push_str(&text);
                self.text.push(text, events);
                return Ok(());
            }
            self.say(text, Field::Delta, events);
            return Ok(());
        }
        if stream::is_done(event) {
            // An end is an end, also after an answer that gave no reason for it.
            let finish = self.finish.unwrap_or(Finish::Whole);
            return self.complete(finish, events);
        }
        let Some(mut chunk) = self.documents.read(data) else {
            if let Some(data) = stream::behind_mark(data) {
                return self.event(Event { data, ..event }, events);
            }
            // Keep-alives: empty data, `ping` and their like.
            let error = failure::in_words_of(event, &self.secrets);
            return error.filter(|_| !self.is_finished()).map_or(Ok(()), Err);
        };
        self.usage = usage_of(&chunk).or(self.usage);
        self.sources.read(&chunk);
        if !self.is_finished()
            && let Some(error) = self.error(&chunk, event)
        {
            return Err(error);
        }
        let Some(choices) = chunk.get_mut("choices").and_then(Value::as_array_mut) else {
            return Ok(());
        };
        // One answer was asked for; others are not ours to mix in.
        for choice in choices
            .iter_mut()
            .filter(|choice| lenient::number(&choice["index"]).unwrap_or(0) == 0)
        {
            self.choice(choice, events)?;
        }
        // A chunk that only says whose answer it is says nothing of it, nor does one that only ends it.
        self.has_begun |= self.said_in.is_some() || !self.calls.is_empty() || !events.is_empty();
        Ok(())
    }

    fn end(&mut self, events: &mut Events) -> Result<(), ModelError> {
        if let Some(finish) = self.finish {
            return self.complete(finish, events);
        }
        if let Some(unsure) = self.unsure.take() {
            self.add(unsure, Field::Delta, events);
        }
        self.text.finish(events);
        Err(stream::cut_off(self.documents.skipped()))
    }

    fn longest_event(&self) -> usize {
        MAX_EVENT_BYTES
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some() && !self.is_going_on
    }
}

/// Token counts, wherever a server puts them.
fn usage_of(chunk: &Value) -> Option<Usage> {
    let first = &lenient::list(&chunk["choices"])
        .first()
        .unwrap_or(&Value::Null)["usage"];
    [&chunk["usage"], first, &chunk["x_groq"]["usage"]]
        .into_iter()
        .find_map(lenient::usage)
}
