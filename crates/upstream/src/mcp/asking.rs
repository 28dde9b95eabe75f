//! What a server asks the person in the middle of a call: read from its schema, bounded, and handed to the call that it
//! is about.
//!
//! Before the revision of 2026-07-28 a server sends a request of its own (`elicitation/create`), which does not say which
//! call it belongs to. A session over HTTP is one person's, so it can only be a call of theirs: the oldest that runs and
//! has not asked yet. A program is shared by all users and could ask one of them what another's call needs, so there this
//! form is not offered. In the newer form the question is the result of its call.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use engine::ports::{Asking, Choice, Field, FieldKind, PATIENCE, Reply, TextFormat};
use rmcp::model::{
    ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability, ElicitationSchema,
    FormElicitationCapability,
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::result::cut;

/// How many questions one call may ask.
pub(super) const MAX_QUESTIONS: usize = 5;
/// How many fields a question may have.
const MAX_FIELDS: usize = 20;
/// How many choices a field may have.
const MAX_CHOICES: usize = 50;
/// How long what the server says may be, in characters; what is longer is cut.
const MAX_MESSAGE_CHARS: usize = 2_000;
const MAX_TITLE_CHARS: usize = 200;
const MAX_DESCRIPTION_CHARS: usize = 500;
/// Names and values are given back as they came, so they are not cut.
const MAX_NAME_BYTES: usize = 200;
/// How long a program or server is waited for beyond the person, so that it is the engine that gives up first.
const GRACE: Duration = Duration::from_secs(5);

/// What is said in the handshake, or with each request: forms, and no addresses to open.
pub(super) fn capability() -> ElicitationCapability {
    let form = FormElicitationCapability::new().with_schema_validation(true);
    ElicitationCapability::new().with_form(form)
}

/// Why a question cannot be put to a person; for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unaskable {
    #[error("only forms can be shown (mode `form`)")]
    Mode,
    #[error("a form has at most {MAX_FIELDS} fields")]
    TooManyFields,
    #[error("a field has at most {MAX_CHOICES} choices, each there once")]
    Choices,
    #[error("a field's name or value is longer than {MAX_NAME_BYTES} bytes")]
    TooLong,
    #[error("a field is neither a text, a number, a boolean nor a choice")]
    Kind,
}

/// A question, and where its answer goes.
pub(super) struct Asked {
    pub(super) asking: Asking,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// The calls of a session that may ask.
#[derive(Debug, Default)]
pub(super) struct Askers {
    calls: Arc<Mutex<Vec<Asker>>>,
    next: AtomicU64,
    /// How many questions nobody has answered yet.
    open: AtomicUsize,
}

#[derive(Debug)]
struct Asker {
    id: u64,
    questions: usize,
    ask: mpsc::UnboundedSender<Asked>,
}

/// A call among those that may ask, and where it is asked.
pub(super) struct MayAsk {
    calls: Arc<Mutex<Vec<Asker>>>,
    id: u64,
    pub(super) asked: mpsc::UnboundedReceiver<Asked>,
}

impl Drop for MayAsk {
    fn drop(&mut self) {
        lock(&self.calls).retain(|call| call.id != self.id);
    }
}

impl Askers {
    /// Lets a call ask for as long as what it gets is kept.
    pub(super) fn enter(&self) -> MayAsk {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (ask, asked) = mpsc::unbounded_channel();
        lock(&self.calls).push(Asker {
            id,
            questions: 0,
            ask,
        });
        MayAsk {
            calls: Arc::clone(&self.calls),
            id,
            asked,
        }
    }

    /// Puts a question to the call that it is about, and waits for the answer.
    pub(super) async fn ask(&self, asking: Asking) -> Reply {
        let (reply, replied) = oneshot::channel();
        let is_put = {
            let mut calls = lock(&self.calls);
            let free = calls
                .iter_mut()
                .filter(|call| call.questions < MAX_QUESTIONS)
                .min_by_key(|call| call.questions);
            free.is_some_and(|call| {
                call.questions += 1;
                call.ask.send(Asked { asking, reply }).is_ok()
            })
        };
        if !is_put {
            return Reply::Cancel;
        }
        let _open = Open::of(&self.open);
        match tokio::time::timeout(PATIENCE + GRACE, replied).await {
            Ok(Ok(reply)) => reply,
            // Nobody waits for the call any more, or nobody has answered.
            Ok(Err(_)) | Err(_) => Reply::Cancel,
        }
    }

    /// Whether a person has a question before them: which call waits for it, the server does not say.
    pub(super) fn is_asking(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }
}

/// A question that is open, until this is dropped.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reply as the server reads it.
pub(super) fn result(reply: Reply) -> ElicitResult {
    match reply {
        Reply::Accept(content) => {
            ElicitResult::new(ElicitationAction::Accept).with_content(Value::Object(content))
        }
        Reply::Decline => ElicitResult::new(ElicitationAction::Decline),
        Reply::Cancel => ElicitResult::new(ElicitationAction::Cancel),
    }
}

/// What a server asks, as far as it can be put to a person.
pub(super) fn read(server: &str, params: &ElicitRequestParams) -> Result<Asking, Unaskable> {
    let ElicitRequestParams::FormElicitationParams {
        message,
        requested_schema,
        ..
    } = params
    else {
        return Err(Unaskable::Mode);
    };
    Ok(Asking {
        server: server.to_owned(),
        message: cut(message, MAX_MESSAGE_CHARS),
        fields: fields(requested_schema)?,
    })
}

fn fields(schema: &ElicitationSchema) -> Result<Vec<Field>, Unaskable> {
    if schema.properties.len() > MAX_FIELDS {
        return Err(Unaskable::TooManyFields);
    }
    let order: Vec<&String> = match &schema.property_order {
        Some(order) => order.iter().collect(),
        None => schema.properties.keys().collect(),
    };
    let is_required = |name: &String| {
        schema
            .required
            .as_ref()
            .is_some_and(|all| all.contains(name))
    };
    let fields = order.into_iter().filter_map(|name| {
        let property = schema.properties.get(name)?;
        let property = serde_json::to_value(property).unwrap_or_default();
        Some(field(name, &property, is_required(name)))
    });
    fields.collect()
}

fn field(name: &str, property: &Value, is_required: bool) -> Result<Field, Unaskable> {
    if name.len() > MAX_NAME_BYTES {
        return Err(Unaskable::TooLong);
    }
    let kind = kind(property)?;
    let words = |key: &str, most| {
        let text = property[key].as_str().map(str::trim);
        text.filter(|text| !text.is_empty())
            .map(|text| cut(text, most))
    };
    Ok(Field {
        name: name.to_owned(),
        title: words("title", MAX_TITLE_CHARS),
        description: words("description", MAX_DESCRIPTION_CHARS),
        is_required,
        // One that its own server would not take is none.
        default: property
            .get("default")
            .filter(|value| kind.allows(value))
            .cloned(),
        kind,
    })
}

fn kind(property: &Value) -> Result<FieldKind, Unaskable> {
    let number = |key: &str| property[key].as_f64();
    let count = |key: &str| {
        property[key]
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
    };
    match property["type"].as_str() {
        Some("string") if property.get("enum").is_some() || property.get("oneOf").is_some() => {
            Ok(FieldKind::Choice(choices(property, "oneOf")?))
        }
        Some("string") => Ok(FieldKind::Text {
            format: match property["format"].as_str() {
                Some("email") => Some(TextFormat::Email),
                Some("uri") => Some(TextFormat::Uri),
                Some("date") => Some(TextFormat::Date),
                Some("date-time") => Some(TextFormat::DateTime),
                _ => None,
            },
            shortest: count("minLength").unwrap_or(0),
            longest: count("maxLength"),
        }),
        Some(name @ ("number" | "integer")) => Ok(FieldKind::Number {
            is_whole: name == "integer",
            least: number("minimum"),
            most: number("maximum"),
        }),
        Some("boolean") => Ok(FieldKind::Truth),
        Some("array") => Ok(FieldKind::Choices {
            choices: choices(&property["items"], "anyOf")?,
            fewest: count("minItems").unwrap_or(0),
            most: count("maxItems"),
        }),
        _ => Err(Unaskable::Kind),
    }
}

/// What there is to choose: values with titles in `titled`, or values, with names beside them in an older form.
fn choices(property: &Value, titled: &str) -> Result<Vec<Choice>, Unaskable> {
    let mut pairs: Vec<(Option<&str>, Option<&str>)> = Vec::new();
    if let Some(entries) = property[titled].as_array() {
        let entries = entries.iter();
        pairs.extend(entries.map(|entry| (entry["const"].as_str(), entry["title"].as_str())));
    } else if let Some(values) = property["enum"].as_array() {
        let names = &property["enumNames"];
        let values = values.iter().enumerate();
        pairs.extend(values.map(|(place, value)| (value.as_str(), names[place].as_str())));
    }
    if pairs.is_empty() {
        return Err(Unaskable::Kind);
    }
    if pairs.len() > MAX_CHOICES {
        return Err(Unaskable::Choices);
    }
    let mut found: Vec<Choice> = Vec::with_capacity(pairs.len());
    for (value, title) in pairs {
        let value = value.ok_or(Unaskable::Kind)?;
        if value.len() > MAX_NAME_BYTES {
            return Err(Unaskable::TooLong);
        }
        if found.iter().any(|choice| choice.value == value) {
            return Err(Unaskable::Choices);
        }
        let title = title.map(str::trim).filter(|title| !title.is_empty());
        let mut title = cut(title.unwrap_or(value), MAX_TITLE_CHARS);
        if found.iter().any(|choice| choice.title == title) {
            title = format!("{title} ({value})");
        }
        found.push(Choice {
            value: value.to_owned(),
            title,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
