//! What a thread is made of: the eleven kinds of item.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use crate::JsonObject;
use crate::attachment::Attachment;
use crate::id::{ItemId, ThreadId};
use crate::json;
use crate::source::Source;
use crate::task::{Task, Workflow};
use crate::time::Timestamp;
use crate::widget::WidgetRoot;

/// Declares the kinds of item once: their wire name, their type, and what they have in common.
///
/// A new kind is one entry here; the compiler then names the places that must treat it.
macro_rules! items {
    ($($(#[$doc:meta])* $Kind:ident($Item:ident) = $name:literal {
        $($(#[$field_doc:meta])* $field:ident: $Type:ty,)*
    })*) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type")]
        pub enum ThreadItem {$(
            $(#[$doc])*
            #[serde(rename = $name)]
            $Kind($Item),
        )*}

        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ItemKind {$(
            $(#[$doc])*
            $Kind,
        )*}

        impl ItemKind {
            pub const ALL: &[Self] = &[$(Self::$Kind,)*];

            /// The kind's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$Kind => $name,)*}
            }
        }

        impl ThreadItem {
            /// Its name in requests.
            pub const fn id(&self) -> &ItemId {
                match self {$(Self::$Kind(item) => &item.id,)*}
            }

            /// The thread it belongs to.
            pub const fn thread_id(&self) -> &ThreadId {
                match self {$(Self::$Kind(item) => &item.thread_id,)*}
            }

            /// When it was made.
            pub const fn created_at(&self) -> Timestamp {
                match self {$(Self::$Kind(item) => item.created_at,)*}
            }

            /// Which of the kinds it is.
            pub const fn kind(&self) -> ItemKind {
                match self {$(Self::$Kind(_) => ItemKind::$Kind,)*}
            }

            /// Puts another identity and time in place of its own: those that an outside agent chose
            /// are its own affair.
            pub fn set_identity(&mut self, id: ItemId, thread_id: ThreadId, created_at: Timestamp) {
                match self {$(Self::$Kind(item) => {
                    item.id = id;
                    item.thread_id = thread_id;
                    item.created_at = created_at;
                })*}
            }
        }

        $(
            $(#[$doc])*
            #[skip_serializing_none]
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub struct $Item {
                pub id: ItemId,
                pub thread_id: ThreadId,
                pub created_at: Timestamp,
                $($(#[$field_doc])* pub $field: $Type,)*
            }

            impl From<$Item> for ThreadItem {
                fn from(item: $Item) -> Self {
                    Self::$Kind(item)
                }
            }
        )*
    };
}

items! {
    UserMessage(UserMessageItem) = "user_message" {
        /// Text and tags, in order.
        content: Vec<UserContent>,
        /// Files and images that came with it.
        #[serde(default)]
        attachments: Vec<Attachment>,
        /// The part of an answer that it refers to.
        quoted_text: Option<String>,
        /// What the user chose in the composer.
        inference_options: InferenceOptions,
    }

    AssistantMessage(AssistantMessageItem) = "assistant_message" {
        /// Its parts, in order.
        content: Vec<AssistantContent>,
    }

    /// Something that the page is asked to do.
    ClientToolCall(ClientToolCallItem) = "client_tool_call" {
        /// Whether the page has answered.
        #[serde(default)]
        status: ToolCallStatus,
        /// The model's name for this call.
        call_id: String,
        name: String,
        arguments: JsonObject,
        /// What the page answered.
        output: Option<Value>,
    }

    Widget(WidgetItem) = "widget" {
        widget: WidgetRoot,
        copy_text: Option<String>,
    }

    GeneratedImage(GeneratedImageItem) = "generated_image" {
        image: Option<GeneratedImage>,
    }

    /// Questions to the user, shown in place of the composer.
    StructuredInput(StructuredInputItem) = "structured_input" {
        /// Whether the user has answered.
        #[serde(default)]
        status: StructuredInputStatus,
        inputs: Vec<StructuredInput>,
    }

    /// A list of tasks that the user can unfold.
    Workflow(WorkflowItem) = "workflow" {
        workflow: Workflow,
    }

    Task(TaskItem) = "task" {
        task: Task,
    }

    /// Context for the model that the application wrote. The user never sees it.
    HiddenContext(HiddenContextItem) = "hidden_context_item" {
        /// Whatever the application wrote.
        content: Value,
    }

    /// Context for the model that the server wrote. The user never sees it.
    SdkHiddenContext(SdkHiddenContextItem) = "sdk_hidden_context" {
        content: String,
    }

    /// The assistant has finished its turn.
    EndOfTurn(EndOfTurnItem) = "end_of_turn" {}
}

impl ThreadItem {
    /// Whether a browser may be told that this item exists.
    pub const fn is_visible_to_user(&self) -> bool {
        match self {
            Self::HiddenContext(_) | Self::SdkHiddenContext(_) => false,
            Self::UserMessage(_)
            | Self::AssistantMessage(_)
            | Self::ClientToolCall(_)
            | Self::Widget(_)
            | Self::GeneratedImage(_)
            | Self::StructuredInput(_)
            | Self::Workflow(_)
            | Self::Task(_)
            | Self::EndOfTurn(_) => true,
        }
    }
}

/// A part of what the user said.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum UserContent {
    #[serde(rename = "input_text")]
    Text { text: String },
    /// Something the user picked from a list, such as a customer or a document.
    #[serde(rename = "input_tag")]
    Tag(UserTag),
}

impl UserContent {
    /// What it says, as the user reads it.
    pub fn text(&self) -> &str {
        match self {
            Self::Text { text } | Self::Tag(UserTag { text, .. }) => text,
        }
    }

    /// How long it is what a model may be told of it, in bytes: of a tag, that is more than the user reads.
    pub(crate) fn said_bytes(&self) -> usize {
        match self {
            Self::Text { text } => text.len(),
            Self::Tag(tag) => {
                let group = tag.group.as_deref().map_or(0, str::len);
                tag.text.len() + tag.id.len() + group + json::written_bytes(&tag.data)
            }
        }
    }
}

/// Something the user picked from a list.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserTag {
    /// The application's own name for it.
    pub id: String,
    pub text: String,
    /// What the application attached to it. It comes from the browser: do not trust it.
    pub data: JsonObject,
    pub group: Option<String>,
    /// Whether a click reaches the application.
    #[serde(default)]
    pub interactive: bool,
}

/// What the user chose in the composer.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InferenceOptions {
    pub tool_choice: Option<ToolChoice>,
    /// The model to answer with, by the application's name for it.
    pub model: Option<String>,
}

/// A tool the user chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolChoice {
    pub id: String,
}

/// A part of what the assistant said: text, with references.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "type", rename = "output_text", from = "TaggedContent")]
pub struct AssistantContent {
    /// References from places in the text.
    pub annotations: Vec<Annotation>,
    /// Markdown.
    pub text: String,
}

impl AssistantContent {
    /// Text without references.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            annotations: Vec::new(),
            text: text.into(),
        }
    }
}

/// How content is read: with its `type` checked.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum TaggedContent {
    #[serde(rename = "output_text")]
    OutputText {
        #[serde(default)]
        annotations: Vec<Annotation>,
        text: String,
    },
}

impl From<TaggedContent> for AssistantContent {
    fn from(TaggedContent::OutputText { annotations, text }: TaggedContent) -> Self {
        Self { annotations, text }
    }
}

/// A reference from a place in the text to a source.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "annotation", from = "TaggedAnnotation")]
pub struct Annotation {
    pub source: Source,
    /// The character of the text it belongs to, from 0.
    pub index: Option<u32>,
}

/// How an annotation is read: with its `type` checked.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum TaggedAnnotation {
    Annotation { source: Source, index: Option<u32> },
}

impl From<TaggedAnnotation> for Annotation {
    fn from(TaggedAnnotation::Annotation { source, index }: TaggedAnnotation) -> Self {
        Self { source, index }
    }
}

/// Whether the page has answered a tool call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolCallStatus {
    #[default]
    Pending,
    Completed,
}

/// An image made by a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedImage {
    pub id: String,
    pub url: String,
}

/// Whether the user has answered the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StructuredInputStatus {
    #[default]
    Pending,
    Answered,
    Skipped,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StructuredInput {
    /// One to be answered by choosing.
    MultipleChoice(MultipleChoiceInput),
    /// One to be answered in words.
    Freeform(FreeformInput),
}

/// A question to be answered by choosing; an answer in one's own words is always possible.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultipleChoiceInput {
    pub id: String,
    pub question: String,
    pub answer: Option<StructuredAnswer>,
    pub options: Vec<ChoiceOption>,
    /// Whether more than one may be chosen.
    #[serde(default)]
    pub multiple: bool,
}

/// A question to be answered in words.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeformInput {
    pub id: String,
    pub question: String,
    pub answer: Option<StructuredAnswer>,
    pub description: Option<String>,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// What the user reads, and what comes back.
    pub value: String,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StructuredAnswer {
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether the question was passed over.
    #[serde(default)]
    pub skipped: bool,
}
