//! What a tool's server asks the person in the middle of a call (MCP calls it elicitation), and the call that waits for
//! the answer.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use protocol::JsonObject;
use serde_json::Value;

use super::ToolStream;

/// How long a call waits for a person. What comes later finds nobody who waits.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// What a person is asked: a form with one question for each field.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// The operator's name for the server that asks.
    pub server: String,
    /// What the server says about it.
    pub message: String,
    /// Without any, the person agrees or does not.
    pub fields: Vec<Field>,
}

/// One thing that is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The server's name for it; each is there once.
    pub name: String,
    /// What the person reads instead, where there is something.
    pub title: Option<String>,
    /// What else there is to say about it.
    pub description: Option<String>,
    /// Whether there is no answer without it.
    pub is_required: bool,
    /// What may be answered.
    pub kind: FieldKind,
    /// What counts where the person says nothing; it is one of the answers that the kind allows.
    pub default: Option<Value>,
}

/// What may be answered.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// A text with so many characters.
    Text {
        /// What it has to be.
        format: Option<TextFormat>,
        /// At least.
        shortest: usize,
        /// At most.
        longest: Option<usize>,
    },
    /// A number.
    Number {
        /// Whether it has no fraction.
        is_whole: bool,
        /// At least.
        least: Option<f64>,
        /// At most.
        most: Option<f64>,
    },
    /// Yes or no.
    Truth,
    /// One of these.
    Choice(Vec<Choice>),
    /// Some of these.
    Choices {
        /// What there is to choose from.
        choices: Vec<Choice>,
        /// At least so many.
        fewest: usize,
        /// At most so many.
        most: Option<usize>,
    },
}

/// What a text has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// An e-mail address.
    Email,
    /// An address with a scheme (URI).
    Uri,
    /// A day: `2026-11-30`.
    Date,
    /// A day and a time (RFC 3339).
    DateTime,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the server is told.
    pub value: String,
    /// What the person reads; no two choices of a field read the same.
    pub title: String,
}

/// What a server is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// What the person answered, by the names of the fields.
    Accept(JsonObject),
    /// The person does not want to answer.
    Decline,
    /// Nobody has answered.
    Cancel,
}

impl Asking {
    /// The answer of somebody who takes what is offered: every default, where nothing without one is required.
    pub fn defaults(&self) -> Reply {
        let is_missing = |field: &Field| field.is_required && field.default.is_none();
        if self.fields.is_empty() || self.fields.iter().any(is_missing) {
            return Reply::Decline;
        }
        let given = |field: &Field| Some((field.name.clone(), field.default.clone()?));
        Reply::Accept(self.fields.iter().filter_map(given).collect())
    }
}

type GoOn = Box<dyn FnOnce(Reply) -> ToolStream + Send>;

/// A call that waits for what a person answers. Dropped, it is cancelled.
#[derive(Clone)]
pub struct Waiting(Arc<Mutex<Option<GoOn>>>);

impl Waiting {
    /// A call that goes on like this.
    pub fn new(go_on: impl FnOnce(Reply) -> ToolStream + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(go_on)))))
    }

    /// Goes on with the call; nothing, where it has gone on already.
    pub fn answer(&self, reply: Reply) -> Option<ToolStream> {
        let go_on = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        go_on.map(|go_on| go_on(reply))
    }

    /// The same call, with something around what it reports from here on.
    #[must_use]
    pub fn map(self, around: impl FnOnce(ToolStream) -> ToolStream + Send + 'static) -> Self {
        Self::new(move |reply| match self.answer(reply) {
            Some(events) => around(events),
            None => Box::pin(futures::stream::empty()),
        })
    }
}

/// The same one.
impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Waiting")
    }
}
