//! What the browser asks: ChatKit's sixteen requests and three of our own, one address.
//!
//! [`Envelope::parse`] is the only way in. It reads strictly, within [`Limits`], and its errors say
//! which field is wrong.

use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::JsonObject;
use crate::action::Action;
use crate::cursor::Cursor;
use crate::error::RequestError;
use crate::id::{AttachmentId, ItemId, ThreadId};
use crate::item::{InferenceOptions, StructuredAnswer, UserContent};
use crate::json;

mod limits;
#[cfg(test)]
mod tests;

pub use crate::request::limits::Limits;

/// A request with what the application sent along.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    pub request: Request,
    /// Notes of the application's page. They come from the browser: do not trust them.
    pub metadata: JsonObject,
}

/// Declares the requests once: their wire name, their parameters, and whether the answer streams.
///
/// A new request is one entry here and its parameters below; the compiler then names the places that
/// must treat it, and lists made from [`RequestKind::ALL`] grow by themselves.
macro_rules! requests {
    ($($(#[$doc:meta])* $Kind:ident($Params:ident) = $name:literal, $answer:ident;)*) => {
        #[derive(Debug, Clone, PartialEq)]
        pub enum Request {$(
            $(#[$doc])*
            $Kind($Params),
        )*}

        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RequestKind {$(
            $(#[$doc])*
            $Kind,
        )*}

        impl RequestKind {
            pub const ALL: &[Self] = &[$(Self::$Kind,)*];

            /// Its `type` on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$Kind => $name,)*}
            }

            /// Whether the answer is a stream of events; otherwise it is one JSON value.
            pub const fn is_streaming(self) -> bool {
                match self {$(Self::$Kind => requests!(@is_streaming $answer),)*}
            }

            /// The request of that `type`.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$Kind),)*
                    _ => None,
                }
            }
        }

        impl Request {
            /// The `type` of every request.
            pub const TYPES: &[&str] = &[$($name,)*];

            /// Which request it is.
            pub const fn kind(&self) -> RequestKind {
                match self {$(Self::$Kind(_) => RequestKind::$Kind,)*}
            }

            fn from_params(kind: RequestKind, params: Value) -> Result<Self, RequestError> {
                match kind {$(RequestKind::$Kind => read_below(params, "params").map(Self::$Kind),)*}
            }

            /// Writes the `params` of the envelope.
            fn serialize_params<S: SerializeStruct>(&self, envelope: &mut S) -> Result<(), S::Error> {
                match self {$(Self::$Kind(params) => envelope.serialize_field("params", params),)*}
            }
        }
    };
    (@is_streaming stream) => { true };
    (@is_streaming value) => { false };
}

requests! {
    /// A first message: makes a thread and answers.
    ThreadsCreate(ThreadsCreate) = "threads.create", stream;
    ThreadsAddUserMessage(ThreadsAddUserMessage) = "threads.add_user_message", stream;
    /// What a tool of the page has answered.
    ThreadsAddClientToolOutput(ThreadsAddClientToolOutput) = "threads.add_client_tool_output", stream;
    /// Answers to the questions of a structured input.
    ThreadsAddStructuredInput(ThreadsAddStructuredInput) = "threads.add_structured_input", stream;
    /// Answer again after a message of the user; what came after it is dropped.
    ThreadsRetryAfterItem(ThreadsRetryAfterItem) = "threads.retry_after_item", stream;
    /// An action of a widget, answered by a stream.
    ThreadsCustomAction(CustomAction) = "threads.custom_action", stream;
    /// An action of a widget, answered by one item.
    ThreadsSyncCustomAction(CustomAction) = "threads.sync_custom_action", value;
    /// Follow a run that goes on, from any place. An extension: ChatKit knows no such request.
    ThreadsResume(ThreadsResume) = "threads.resume", stream;
    /// Stop the run of a thread, or take back a message that waits for it. An extension.
    ThreadsCancel(ThreadsCancel) = "threads.cancel", value;
    ThreadsGetById(ThreadsGetById) = "threads.get_by_id", value;
    ThreadsList(ThreadsList) = "threads.list", value;
    /// Look for words in the user's threads. An extension.
    ThreadsSearch(ThreadsSearch) = "threads.search", value;
    ThreadsUpdate(ThreadsUpdate) = "threads.update", value;
    /// Delete a thread with all its items.
    ThreadsDelete(ThreadsDelete) = "threads.delete", value;
    ItemsList(ItemsList) = "items.list", value;
    ItemsFeedback(ItemsFeedback) = "items.feedback", value;
    /// Announce a file, in order to send it.
    AttachmentsCreate(AttachmentsCreate) = "attachments.create", value;
    /// Delete a file that no message holds yet.
    AttachmentsDelete(AttachmentsDelete) = "attachments.delete", value;
    InputTranscribe(InputTranscribe) = "input.transcribe", value;
}

impl Request {
    /// Whether the answer is a stream of events; otherwise it is one JSON value.
    pub const fn is_streaming(&self) -> bool {
        self.kind().is_streaming()
    }

    /// How long it is what its sender says, or has their page say, and a model may be told: texts, quotations, what tags
    /// and actions carry, answers to questions, what a tool of the page has answered. In bytes of UTF-8; JSON as it is
    /// written.
    pub fn said_bytes(&self) -> usize {
        match self {
            Self::ThreadsCreate(ThreadsCreate { input })
            | Self::ThreadsAddUserMessage(ThreadsAddUserMessage { input, .. }) => {
                let quoted = input.quoted_text.as_deref().map_or(0, str::len);
                quoted
                    + input
                        .content
                        .iter()
                        .map(UserContent::said_bytes)
                        .sum::<usize>()
            }
            Self::ThreadsAddClientToolOutput(params) => json::written_bytes(&params.result),
            Self::ThreadsAddStructuredInput(params) => {
                let answers = params.input.answers.values();
                let values = answers.flat_map(|answer| &answer.values);
                values.map(String::len).sum()
            }
            Self::ThreadsCustomAction(params) | Self::ThreadsSyncCustomAction(params) => {
                let Action { name, payload } = &params.action;
                name.len() + payload.as_ref().map_or(0, json::written_bytes)
            }
            Self::ThreadsRetryAfterItem(_)
            | Self::ThreadsResume(_)
            | Self::ThreadsCancel(_)
            | Self::ThreadsGetById(_)
            | Self::ThreadsList(_)
            | Self::ThreadsSearch(_)
            | Self::ThreadsUpdate(_)
            | Self::ThreadsDelete(_)
            | Self::ItemsList(_)
            | Self::ItemsFeedback(_)
            | Self::AttachmentsCreate(_)
            | Self::AttachmentsDelete(_)
            | Self::InputTranscribe(_) => 0,
        }
    }

    /// Where that stands.
    pub const fn said_at(&self) -> &'static str {
        match self {
            Self::ThreadsCreate(_) | Self::ThreadsAddUserMessage(_) => "params.input",
            Self::ThreadsAddClientToolOutput(_) => "params.result",
            Self::ThreadsAddStructuredInput(_) => "params.input.answers",
            Self::ThreadsCustomAction(_) | Self::ThreadsSyncCustomAction(_) => "params.action",
            _ => "params",
        }
    }

    /// The thread it is about, when it is about one that exists.
    pub const fn thread_id(&self) -> Option<&ThreadId> {
        match self {
            Self::ThreadsAddUserMessage(params) => Some(&params.thread_id),
            Self::ThreadsAddClientToolOutput(params) => Some(&params.thread_id),
            Self::ThreadsAddStructuredInput(params) => Some(&params.thread_id),
            Self::ThreadsRetryAfterItem(params) => Some(&params.thread_id),
            Self::ThreadsCustomAction(params) | Self::ThreadsSyncCustomAction(params) => {
                Some(&params.thread_id)
            }
            Self::ThreadsResume(params) => Some(&params.thread_id),
            Self::ThreadsCancel(params) => Some(&params.thread_id),
            Self::ThreadsGetById(params) => Some(&params.thread_id),
            Self::ThreadsUpdate(params) => Some(&params.thread_id),
            Self::ThreadsDelete(params) => Some(&params.thread_id),
            Self::ItemsList(params) => Some(&params.thread_id),
            Self::ItemsFeedback(params) => Some(&params.thread_id),
            Self::ThreadsCreate(_)
            | Self::ThreadsList(_)
            | Self::ThreadsSearch(_)
            | Self::AttachmentsCreate(_)
            | Self::AttachmentsDelete(_)
            | Self::InputTranscribe(_) => None,
        }
    }
}

impl Envelope {
    /// Reads a request body.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, RequestError> {
        let most = limits.audio_request_bytes.max(limits.request_bytes);
        if body.len() > most {
            return Err(RequestError::TooLarge { limit: most });
        }
        let text = std::str::from_utf8(body).map_err(|error| RequestError::NotUtf8 {
            position: error.valid_up_to(),
        })?;
        // serde would take a list for a struct, field by field.
        let object @ Value::Object(_) = json::parse(text, limits.depth)? else {
            return Err(RequestError::Invalid {
                path: "body".to_owned(),
                reason: "expected an object".to_owned(),
            });
        };
        let envelope: RawEnvelope = read_below(object, "")?;
        let Some(kind) = RequestKind::from_name(&envelope.kind) else {
            return Err(RequestError::UnknownType {
                found: json::excerpt(&envelope.kind),
            });
        };
        if body.len() > limits.bytes_of(kind) {
            return Err(RequestError::TooLarge {
                limit: limits.bytes_of(kind),
            });
        }
        let request = Request::from_params(kind, Value::Object(envelope.params))?;
        limits.check(&request)?;
        Ok(Self {
            request,
            metadata: envelope.metadata,
        })
    }
}

impl From<Request> for Envelope {
    /// A request to which the page added nothing.
    fn from(request: Request) -> Self {
        Self {
            request,
            metadata: JsonObject::new(),
        }
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut envelope = serializer.serialize_struct("Envelope", 3)?;
        envelope.serialize_field("type", self.request.kind().as_str())?;
        self.request.serialize_params(&mut envelope)?;
        envelope.serialize_field("metadata", &self.metadata)?;
        envelope.end()
    }
}

/// An envelope whose parameters are not read yet: their shape depends on the type.
#[derive(Deserialize)]
struct RawEnvelope {
    #[serde(rename = "type")]
    kind: String,
    params: JsonObject,
    #[serde(default)]
    metadata: JsonObject,
}

/// Reads a value; an error names the path below `root`.
fn read_below<T: DeserializeOwned>(value: Value, root: &str) -> Result<T, RequestError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let below = error.path().to_string();
        let path = match (root, below.as_str()) {
            ("", ".") => "body".to_owned(),
            ("", _) => below,
            (_, ".") => root.to_owned(),
            (_, list) if list.starts_with('[') => format!("{root}{below}"),
            _ => format!("{root}.{below}"),
        };
        RequestError::Invalid {
            path,
            reason: expectation(&error.inner().to_string()),
        }
    })
}

/// What serde expected, without the value it got: that may be a whole message, or a secret.
fn expectation(message: &str) -> String {
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        // "missing field", or a text of our own.
        return message.to_owned();
    };
    // Rust's words for JSON's things.
    let expected = match expected {
        "a map" => "an object",
        "a sequence" => "a list",
        "u32" | "u64" => "a whole number, 0 or more",
        other if other.starts_with("struct ") || other.contains("enum ") => "an object",
        other => other,
    };
    format!("expected {expected}")
}

/// What the user sends from the composer.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UserMessageInput {
    /// Text and tags, in order.
    pub content: Vec<UserContent>,
    /// Files that were announced before.
    pub attachments: Vec<AttachmentId>,
    /// The part of an answer that it refers to.
    pub quoted_text: Option<String>,
    /// What the user chose in the composer.
    pub inference_options: InferenceOptions,
}

/// A first message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadsCreate {
    pub input: UserMessageInput,
}

/// Another message of the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadsAddUserMessage {
    pub thread_id: ThreadId,
    pub input: UserMessageInput,
}

/// What a tool of the page has answered. The latest item must be the call, still pending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadsAddClientToolOutput {
    pub thread_id: ThreadId,
    /// The answer; it comes from the browser.
    pub result: Value,
}

/// Answers to the questions of a structured input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadsAddStructuredInput {
    pub thread_id: ThreadId,
    pub item_id: ItemId,
    pub input: StructuredInputSubmission,
}

/// Answers to the questions of a structured input.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StructuredInputSubmission {
    /// Whether the user answered at all.
    #[serde(default)]
    pub status: SubmissionStatus,
    /// Answers by the id of their question.
    #[serde(default)]
    pub answers: std::collections::BTreeMap<String, StructuredAnswer>,
}

/// Whether the user answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubmissionStatus {
    #[default]
    Answered,
    Skipped,
}

/// Answer again after a message of the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadsRetryAfterItem {
    pub thread_id: ThreadId,
    pub item_id: ItemId,
}

/// An action of a widget, or of the page.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomAction {
    pub thread_id: ThreadId,
    /// The widget; absent when the page acts.
    pub item_id: Option<ItemId>,
    pub action: Action,
}

/// Follow a run that goes on.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadsResume {
    pub thread_id: ThreadId,
    /// The `id` of the last event that was read; absent for everything that the thread's run has said.
    pub after: Option<Cursor>,
}

/// Stop the run of a thread, or take back a message that waits for it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadsCancel {
    pub thread_id: ThreadId,
    /// The message that is taken back.
    pub item_id: Option<ItemId>,
}

/// A thread with its first items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadsGetById {
    pub thread_id: ThreadId,
}

/// The user's threads.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ThreadsList {
    /// How many at most; the server has a limit of its own.
    pub limit: Option<u32>,
    #[serde(default)]
    pub order: Order,
    /// The last thread of the page before.
    pub after: Option<ThreadId>,
}

/// Look for words in the titles and messages of the user's threads.
///
/// The answer is a page of threads, newest first; what stands around the words in a message is in a thread's metadata,
/// under `vestibule_excerpt`. A page may hold fewer than `limit` threads, or none, and still have more behind it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadsSearch {
    /// Words with spaces between them. All of them are looked for, in any order, whatever their case.
    pub query: String,
    /// How many at most; the server has a limit of its own.
    pub limit: Option<u32>,
    /// The `after` of the page before.
    pub after: Option<ThreadId>,
}

/// Rename a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadsUpdate {
    pub thread_id: ThreadId,
    pub title: String,
}

/// Delete a thread with all its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadsDelete {
    pub thread_id: ThreadId,
}

/// The items of a thread.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemsList {
    pub thread_id: ThreadId,
    /// How many at most; the server has a limit of its own.
    pub limit: Option<u32>,
    #[serde(default)]
    pub order: Order,
    /// The last item of the page before.
    pub after: Option<ItemId>,
}

/// Thumbs up or down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemsFeedback {
    pub thread_id: ThreadId,
    /// The items of the turn that is judged.
    pub item_ids: Vec<ItemId>,
    pub kind: FeedbackKind,
}

/// A judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedbackKind {
    Positive,
    Negative,
}

/// The order of a list, by time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    Asc,
    #[default]
    Desc,
}

/// Announce a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentsCreate {
    pub name: String,
    pub size: u64,
    /// Media type, as the browser sees it.
    pub mime_type: String,
}

/// Delete a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentsDelete {
    pub attachment_id: AttachmentId,
}

/// Speech to text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputTranscribe {
    /// The recording, in base64.
    pub audio_base64: String,
    /// Its media type, with parameters (`audio/webm;codecs=opus`).
    pub mime_type: String,
}

/// The answer to `input.transcribe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptionResult {
    pub text: String,
}

/// The answer to `threads.sync_custom_action`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SyncCustomActionResponse {
    /// The item that takes the place of the one that acted.
    pub updated_item: Option<crate::ThreadItem>,
}
