//! Models that stand in for one that cannot answer.
//!
//! Until the first token nobody has heard anything, so another model may be asked; after it, none is. A model that would
//! not answer is different: one that declines has answered.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use engine::ports::{
    Model, ModelError, ModelEvent, ModelInput, ModelRequest, ModelStream, Thought,
};
use futures::StreamExt as _;
use tokio::time::Instant;

use crate::openai;

/// How long a model that could not answer is asked last: whoever comes next does not wait for it again.
const REST: Duration = Duration::from_secs(30);

/// A model, and others that answer where it cannot.
pub struct Fallback {
    first: Entry,
    others: Vec<Entry>,
}

/// One of the models.
struct Entry {
    /// What it is called in the configuration.
    id: Arc<str>,
    model: Arc<dyn Model>,
    /// The provider's name of it; a question names the first one's.
    name: String,
    rests_until: Mutex<Option<Instant>>,
}

impl Entry {
    fn new(id: &str, model: Arc<dyn Model>, name: String) -> Self {
        Self {
            id: id.into(),
            model,
            name,
            rests_until: Mutex::default(),
        }
    }

    fn rests(&self) -> bool {
        let until = self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until > Instant::now())
    }

    fn rest(&self, until: Option<Instant>) {
        *self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Fallback {
    /// A model without others; `id` is what the configuration calls it.
    pub fn new(id: &str, model: Arc<dyn Model>) -> Self {
        Self {
            first: Entry::new(id, model, String::new()),
            others: Vec::new(),
        }
    }

    /// Adds the next one, with the provider's name of it.
    #[must_use]
    pub fn or(mut self, id: &str, model: Arc<dyn Model>, name: String) -> Self {
        self.others.push(Entry::new(id, model, name));
        self
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The models as they are asked: the one whose thoughts this turn has, then those that do not rest.
    fn order(&self, request: &ModelRequest) -> Vec<&Entry> {
        let thought = request.input.iter().rev().find_map(|input| match input {
            ModelInput::Thought(thought) => Some(thought.0.as_str()),
            _ => None,
        });
        let is_thinking =
            |entry: &Entry| thought.is_some_and(|text| unsigned(text, &entry.id).is_some());
        let mut entries: Vec<&Entry> = self.entries().collect();
        entries.sort_by_key(|entry| (!is_thinking(entry), entry.rests()));
        entries
    }
}

#[async_trait]
impl Model for Fallback {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let mut failure = None;
        for entry in self.order(&request) {
            let error = match entry.model.respond(self.question(entry, &request)).await {
                Ok(answer) => {
                    entry.rest(None);
                    return Ok(signed(answer, entry.id.clone()));
                }
                Err(error) => error,
            };
            if matches!(error, ModelError::Declined(_)) {
                return Err(error);
            }
            if is_ill(&error) {
                entry.rest(Some(Instant::now() + REST));
            }
            tracing::warn!(
                model = &*entry.id,
                error = &error as &dyn std::error::Error,
                "a model cannot answer; the next one is asked, where there is one"
            );
            // What the first one said is told, where none can.
            failure.get_or_insert(error);
        }
        Err(failure.unwrap_or(ModelError::TimedOut))
    }
}

impl Fallback {
    /// The question as this one is asked: by its own name, and with its own thoughts alone.
    fn question(&self, entry: &Entry, request: &ModelRequest) -> ModelRequest {
        let input = request.input.iter().filter_map(|input| match input {
            ModelInput::Thought(thought) => {
                let text = unsigned(&thought.0, &entry.id)?;
                Some(ModelInput::Thought(Thought(text.to_owned())))
            }
            other => Some(other.clone()),
        });
        let model = if std::ptr::eq(entry, &raw const self.first) {
            request.model.clone()
        } else {
            entry.name.clone()
        };
        ModelRequest {
            input: input.collect(),
            model,
            ..request.clone()
        }
    }
}

/// Whether the next question would fare no better.
fn is_ill(error: &ModelError) -> bool {
    match error {
        ModelError::Unavailable(_) | ModelError::TimedOut => true,
        ModelError::RateLimited(_) => !openai::is_busy(error),
        ModelError::Misconfigured(_) => !openai::is_of_request(error),
        ModelError::TooLong(_) | ModelError::Declined(_) | ModelError::Malformed(_) => false,
    }
}

/// An answer whose thoughts say whose they are.
fn signed(answer: ModelStream, id: Arc<str>) -> ModelStream {
    Box::pin(answer.map(move |event| match event {
        Ok(ModelEvent::Thought(Thought(text))) => {
            Ok(ModelEvent::Thought(Thought(format!("{id}\n{text}"))))
        }
        other => other,
    }))
}

/// A thought of this model, without the signature.
fn unsigned<'a>(text: &'a str, id: &str) -> Option<&'a str> {
    let (owner, text) = text.split_once('\n')?;
    (owner == id).then_some(text)
}

#[cfg(test)]
mod tests;
