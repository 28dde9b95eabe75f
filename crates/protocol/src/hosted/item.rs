//! Items as the hosted API shows them, and the one conversion between them and what is stored.
//!
//! The hosted API knows six kinds of item, a thread has eleven: images, questions, markers and hidden
//! context have no form there and are left out. What else does not come back is listed, item by
//! item, in `tests/wire/hosted.rs`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attachment::{Attachment, FileAttachment, ImageAttachment};
use crate::hosted::seconds;
use crate::id::{AttachmentId, ItemId, ThreadId};
use crate::item::{self, AssistantContent, ToolCallStatus, ToolChoice};
use crate::source::{FileSource, Source, UrlSource};
use crate::task::{self, CustomTask, StatusIndicator, Task, ThoughtTask, Workflow, WorkflowKind};
use crate::time::Timestamp;

/// One entry of a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "object", rename = "chatkit.thread_item")]
pub struct ThreadItem {
    pub id: ItemId,
    /// When it was made, in Unix seconds.
    pub created_at: i64,
    pub thread_id: ThreadId,
    #[serde(flatten)]
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ItemKind {
    #[serde(rename = "chatkit.user_message")]
    UserMessage {
        /// Its parts: what it quotes, then what was typed.
        content: Vec<UserContent>,
        /// Files and images that came with it.
        attachments: Vec<AttachmentView>,
        /// What the user chose in the composer; absent when nothing.
        inference_options: Option<InferenceOptions>,
    },
    #[serde(rename = "chatkit.assistant_message")]
    AssistantMessage {
        /// Its parts, in order.
        content: Vec<OutputText>,
    },
    #[serde(rename = "chatkit.widget")]
    Widget {
        /// The tree of components, as JSON.
        widget: String,
    },
    /// Something that the page is asked to do.
    #[serde(rename = "chatkit.client_tool_call")]
    ClientToolCall {
        /// Whether the page has answered.
        status: CallStatus,
        /// The model's name for this call.
        call_id: String,
        name: String,
        /// What the tool is given, as JSON.
        arguments: String,
        /// What the page answered, as JSON.
        output: Option<String>,
    },
    #[serde(rename = "chatkit.task")]
    Task {
        task_type: TaskKind,
        heading: Option<String>,
        summary: Option<String>,
    },
    #[serde(rename = "chatkit.task_group")]
    TaskGroup {
        /// In the order they began.
        tasks: Vec<TaskView>,
    },
}

/// A part of what the user said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserContent {
    /// Something typed, or the name of something picked.
    InputText { text: String },
    /// The part of an answer that it refers to.
    QuotedText { text: String },
}

/// A file or an image of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentView {
    #[serde(rename = "type")]
    pub kind: AttachmentKind,
    pub id: AttachmentId,
    /// File name, as the user knows it.
    pub name: String,
    /// Media type, as the browser named it.
    pub mime_type: String,
    /// Address of the thumbnail; images have one.
    pub preview_url: Option<String>,
}

/// What an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachmentKind {
    Image,
    File,
}

/// What the user chose in the composer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferenceOptions {
    pub tool_choice: Option<ToolChoice>,
    pub model: Option<String>,
}

/// A part of what the assistant said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "output_text")]
pub struct OutputText {
    /// Markdown.
    pub text: String,
    pub annotations: Vec<Annotation>,
}

/// A reference from the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Annotation {
    File { source: FileName },
    Url { source: WebAddress },
}

/// A file that is referred to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "file")]
pub struct FileName {
    pub filename: String,
}

/// A web page that is referred to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "url")]
pub struct WebAddress {
    pub url: String,
}

/// Whether the page has answered a tool call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    InProgress,
    Completed,
}

/// Whose a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    Custom,
    Thought,
}

/// A task of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    #[serde(rename = "type")]
    pub kind: TaskKind,
    pub heading: Option<String>,
    pub summary: Option<String>,
}

/// Why an item of the hosted API cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum NotStorable {
    /// A widget, arguments or an output are not the JSON that they ought to be.
    #[error("the item holds text that is not the JSON it should be")]
    NotJson(#[from] serde_json::Error),
    /// The time cannot be represented.
    #[error("the item's time is out of range")]
    OutOfTime(#[from] crate::time::InvalidTimestamp),
}

impl ThreadItem {
    /// A stored item as the hosted API shows it; `None` for kinds that it has no form for, and for
    /// those that a user must not see.
    pub fn from_stored(stored: &crate::ThreadItem) -> Option<Self> {
        use crate::ThreadItem as Stored;
        let kind = match stored {
            Stored::UserMessage(message) => user_message(message),
            Stored::AssistantMessage(message) => ItemKind::AssistantMessage {
                content: message.content.iter().map(output_text).collect(),
            },
            Stored::Widget(widget) => ItemKind::Widget {
                widget: serde_json::to_string(&widget.widget).ok()?,
            },
            Stored::ClientToolCall(call) => ItemKind::ClientToolCall {
                status: match call.status {
                    ToolCallStatus::Pending => CallStatus::InProgress,
                    ToolCallStatus::Completed => CallStatus::Completed,
                },
                call_id: call.call_id.clone(),
                name: call.name.clone(),
                arguments: serde_json::to_string(&call.arguments).ok()?,
                output: call.output.as_ref().map(Value::to_string),
            },
            Stored::Task(item) => {
                let TaskView {
                    kind,
                    heading,
                    summary,
                } = TaskView::from_stored(&item.task);
                ItemKind::Task {
                    task_type: kind,
                    heading,
                    summary,
                }
            }
            Stored::Workflow(item) => ItemKind::TaskGroup {
                tasks: item
                    .workflow
                    .tasks
                    .iter()
                    .map(TaskView::from_stored)
                    .collect(),
            },
            Stored::GeneratedImage(_)
            | Stored::StructuredInput(_)
            | Stored::EndOfTurn(_)
            | Stored::HiddenContext(_)
            | Stored::SdkHiddenContext(_) => return None,
        };
        Some(Self {
            id: stored.id().clone(),
            created_at: seconds(stored.created_at()),
            thread_id: stored.thread_id().clone(),
            kind,
        })
    }

    /// The item as it is stored, for whoever brings threads along from the hosted backend.
    pub fn into_stored(self) -> Result<crate::ThreadItem, NotStorable> {
        let Self {
            id,
            created_at,
            thread_id,
            kind,
        } = self;
        let created_at = Timestamp::from_microsecond(created_at.saturating_mul(1_000_000))?;
        Ok(match kind {
            ItemKind::UserMessage {
                content,
                attachments,
                inference_options,
            } => {
                let (content, quoted_text) = stored_content(content);
                item::UserMessageItem {
                    content,
                    attachments: attachments
                        .into_iter()
                        .map(|view| view.into_stored(&thread_id))
                        .collect(),
                    quoted_text,
                    inference_options: inference_options.map_or_else(
                        item::InferenceOptions::default,
                        |InferenceOptions { tool_choice, model }| item::InferenceOptions {
                            tool_choice,
                            model,
                        },
                    ),
                    id,
                    thread_id,
                    created_at,
                }
                .into()
            }
            ItemKind::AssistantMessage { content } => item::AssistantMessageItem {
                id,
                thread_id,
                created_at,
                content: content.into_iter().map(OutputText::into_stored).collect(),
            }
            .into(),
            ItemKind::Widget { widget } => item::WidgetItem {
                id,
                thread_id,
                created_at,
                widget: serde_json::from_str(&widget)?,
                copy_text: None,
            }
            .into(),
            ItemKind::ClientToolCall {
                status,
                call_id,
                name,
                arguments,
                output,
            } => item::ClientToolCallItem {
                id,
                thread_id,
                created_at,
                status: match status {
                    CallStatus::InProgress => ToolCallStatus::Pending,
                    CallStatus::Completed => ToolCallStatus::Completed,
                },
                call_id,
                name,
                arguments: serde_json::from_str(&arguments)?,
                output: output.as_deref().map(serde_json::from_str).transpose()?,
            }
            .into(),
            ItemKind::Task {
                task_type: kind,
                heading,
                summary,
            } => {
                let view = TaskView {
                    kind,
                    heading,
                    summary,
                };
                item::TaskItem {
                    id,
                    thread_id,
                    created_at,
                    task: view.into_stored(),
                }
                .into()
            }
            ItemKind::TaskGroup { tasks } => {
                let is_reasoning = tasks.iter().all(|task| task.kind == TaskKind::Thought);
                item::WorkflowItem {
                    id,
                    thread_id,
                    created_at,
                    workflow: Workflow {
                        kind: if is_reasoning {
                            WorkflowKind::Reasoning
                        } else {
                            WorkflowKind::Custom
                        },
                        tasks: tasks.into_iter().map(TaskView::into_stored).collect(),
                        summary: None,
                        expanded: false,
                    },
                }
                .into()
            }
        })
    }
}

fn user_message(message: &item::UserMessageItem) -> ItemKind {
    let quoted = message.quoted_text.clone().filter(|text| !text.is_empty());
    let typed = message.content.iter().map(|part| UserContent::InputText {
        text: part.text().to_owned(),
    });
    let item::InferenceOptions { tool_choice, model } = message.inference_options.clone();
    ItemKind::UserMessage {
        content: quoted
            .map(|text| UserContent::QuotedText { text })
            .into_iter()
            .chain(typed)
            .collect(),
        attachments: message.attachments.iter().map(AttachmentView::of).collect(),
        inference_options: (tool_choice.is_some() || model.is_some())
            .then_some(InferenceOptions { tool_choice, model }),
    }
}

/// What was typed, and what was quoted.
fn stored_content(content: Vec<UserContent>) -> (Vec<item::UserContent>, Option<String>) {
    let mut typed = Vec::with_capacity(content.len());
    let mut quoted: Option<String> = None;
    for part in content {
        match part {
            UserContent::InputText { text } => typed.push(item::UserContent::Text { text }),
            UserContent::QuotedText { text } => match &mut quoted {
                Some(quoted) => {
                    quoted.push('\n');
                    quoted.push_str(&text);
                }
                None => quoted = Some(text),
            },
        }
    }
    (typed, quoted)
}

impl AttachmentView {
    fn of(attachment: &Attachment) -> Self {
        let (kind, preview_url) = match attachment {
            Attachment::File(_) => (AttachmentKind::File, None),
            Attachment::Image(image) => (AttachmentKind::Image, Some(image.preview_url.clone())),
        };
        Self {
            kind,
            id: attachment.id().clone(),
            name: attachment.name().to_owned(),
            mime_type: attachment.mime_type().to_owned(),
            preview_url,
        }
    }

    fn into_stored(self, thread_id: &ThreadId) -> Attachment {
        let Self {
            kind,
            id,
            name,
            mime_type,
            preview_url,
        } = self;
        match kind {
            AttachmentKind::File => Attachment::File(FileAttachment {
                id,
                name,
                mime_type,
                upload_descriptor: None,
                thread_id: Some(thread_id.clone()),
                metadata: None,
            }),
            AttachmentKind::Image => Attachment::Image(ImageAttachment {
                id,
                name,
                mime_type,
                preview_url: preview_url.unwrap_or_default(),
                upload_descriptor: None,
                thread_id: Some(thread_id.clone()),
                metadata: None,
            }),
        }
    }
}

fn output_text(content: &AssistantContent) -> OutputText {
    let shown = |annotation: &item::Annotation| match &annotation.source {
        Source::File(file) => Some(Annotation::File {
            source: FileName {
                filename: file.filename.clone(),
            },
        }),
        Source::Url(page) => Some(Annotation::Url {
            source: WebAddress {
                url: page.url.clone(),
            },
        }),
        Source::Entity(_) => None,
    };
    OutputText {
        text: content.text.clone(),
        annotations: content.annotations.iter().filter_map(shown).collect(),
    }
}

impl OutputText {
    fn into_stored(self) -> AssistantContent {
        let stored = |annotation| item::Annotation {
            index: None,
            source: match annotation {
                Annotation::File {
                    source: FileName { filename },
                } => Source::File(FileSource {
                    title: filename.clone(),
                    description: None,
                    timestamp: None,
                    group: None,
                    filename,
                }),
                Annotation::Url {
                    source: WebAddress { url },
                } => Source::Url(UrlSource {
                    title: url.clone(),
                    description: None,
                    timestamp: None,
                    group: None,
                    url,
                    attribution: None,
                }),
            },
        };
        AssistantContent {
            annotations: self.annotations.into_iter().map(stored).collect(),
            text: self.text,
        }
    }
}

impl TaskView {
    fn from_stored(task: &Task) -> Self {
        let (kind, heading, summary) = match task {
            Task::Custom(task) => (TaskKind::Custom, &task.title, task.content.clone()),
            Task::Thought(task) => (TaskKind::Thought, &task.title, Some(task.content.clone())),
            Task::WebSearch(task) => {
                let searched = (!task.queries.is_empty()).then(|| task.queries.join("\n"));
                let heading = if task.title.is_some() {
                    &task.title
                } else {
                    &task.title_query
                };
                (TaskKind::Custom, heading, searched)
            }
            Task::File(task::FileTask { title, .. })
            | Task::Image(task::ImageTask { title, .. }) => (TaskKind::Custom, title, None),
        };
        Self {
            kind,
            heading: heading.clone(),
            summary,
        }
    }

    fn into_stored(self) -> Task {
        let (status_indicator, title) = (StatusIndicator::None, self.heading);
        match self.kind {
            TaskKind::Custom => CustomTask {
                status_indicator,
                title,
                icon: None,
                content: self.summary,
            }
            .into(),
            TaskKind::Thought => ThoughtTask {
                status_indicator,
                title,
                content: self.summary.unwrap_or_default(),
            }
            .into(),
        }
    }
}
