//! What the server streams: twelve events, one of which carries ten kinds of update.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::JsonObject;
use crate::icon::IconName;
use crate::id::ItemId;
use crate::item::{Annotation, AssistantContent, GeneratedImage, ThreadItem};
use crate::task::Task;
use crate::thread::Thread;
use crate::widget::{Widget, WidgetRoot};

/// One event of a stream.
///
/// Item events differ in what lasts: `added` announces, `done` and `replaced` are what is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    #[serde(rename = "thread.created")]
    ThreadCreated { thread: Thread },
    /// Title, status or the like have changed.
    #[serde(rename = "thread.updated")]
    ThreadUpdated { thread: Thread },
    #[serde(rename = "thread.item.added")]
    ItemAdded { item: ThreadItem },
    /// An item that has begun goes on.
    #[serde(rename = "thread.item.updated")]
    ItemUpdated { item_id: ItemId, update: ItemUpdate },
    /// An item is complete. It may come without `added`.
    #[serde(rename = "thread.item.done")]
    ItemDone { item: ThreadItem },
    #[serde(rename = "thread.item.removed")]
    ItemRemoved { item_id: ItemId },
    /// An item takes the place of the one with the same id.
    #[serde(rename = "thread.item.replaced")]
    ItemReplaced { item: ThreadItem },
    /// What the user may do while the stream runs.
    #[serde(rename = "stream_options")]
    StreamOptions { stream_options: StreamOptions },
    /// A short-lived note about what is going on.
    #[serde(rename = "progress_update")]
    ProgressUpdate {
        #[serde(skip_serializing_if = "Option::is_none")]
        icon: Option<IconName>,
        text: String,
    },
    /// Something the page should do, without an answer.
    #[serde(rename = "client_effect")]
    ClientEffect {
        name: String,
        #[serde(default)]
        data: JsonObject,
    },
    #[serde(rename = "error")]
    Error(ErrorEvent),
    #[serde(rename = "notice")]
    Notice(NoticeEvent),
}

impl Event {
    /// Whether a browser may see it: events about hidden items stay inside.
    pub const fn is_visible_to_user(&self) -> bool {
        match self {
            Self::ItemAdded { item } | Self::ItemDone { item } | Self::ItemReplaced { item } => {
                item.is_visible_to_user()
            }
            Self::ThreadCreated { .. }
            | Self::ThreadUpdated { .. }
            | Self::ItemUpdated { .. }
            | Self::ItemRemoved { .. }
            | Self::StreamOptions { .. }
            | Self::ProgressUpdate { .. }
            | Self::ClientEffect { .. }
            | Self::Error(_)
            | Self::Notice(_) => true,
        }
    }
}

impl From<ErrorEvent> for Event {
    fn from(error: ErrorEvent) -> Self {
        Self::Error(error)
    }
}

impl From<NoticeEvent> for Event {
    fn from(notice: NoticeEvent) -> Self {
        Self::Notice(notice)
    }
}

/// What the user may do while a stream runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    /// Whether there is a stop button.
    pub allow_cancel: bool,
}

/// The turn has failed.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorEvent {
    /// What to show: the message, or a text of the element's own.
    #[serde(default)]
    pub code: ErrorCode,
    /// A sentence for the user that says what to do next.
    pub message: Option<String>,
    /// Whether there is a retry button.
    #[serde(default)]
    pub allow_retry: bool,
}

/// What an error event shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ErrorCode {
    #[default]
    #[serde(rename = "custom")]
    Custom,
    /// A localised text of the element's.
    #[serde(rename = "stream.error")]
    StreamError,
    /// A code of a later version; the SDK's list is open.
    #[serde(untagged)]
    Other(String),
}

/// A banner.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeEvent {
    pub level: NoticeLevel,
    /// Markdown.
    pub message: String,
    pub title: Option<String>,
}

/// How serious a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeLevel {
    Info,
    /// Something may go wrong.
    Warning,
    Danger,
}

/// How an item goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ItemUpdate {
    #[serde(rename = "assistant_message.content_part.added")]
    ContentPartAdded {
        /// Which part, from 0.
        content_index: u32,
        content: AssistantContent,
    },
    /// A part of a message gets more text. For writing these, see [`TextDelta`].
    #[serde(rename = "assistant_message.content_part.text_delta")]
    TextDelta {
        /// Which part, from 0.
        content_index: u32,
        delta: String,
    },
    /// A part of a message gets a reference.
    #[serde(rename = "assistant_message.content_part.annotation_added")]
    AnnotationAdded {
        /// Which part, from 0.
        content_index: u32,
        /// Which reference of that part, from 0.
        annotation_index: u32,
        /// Boxed: it would make every event twice as large.
        annotation: Box<Annotation>,
    },
    /// A part of a message is complete.
    #[serde(rename = "assistant_message.content_part.done")]
    ContentPartDone {
        /// Which part, from 0.
        content_index: u32,
        content: AssistantContent,
    },
    /// A streaming text of a widget gets more text.
    #[serde(rename = "widget.streaming_text.value_delta")]
    WidgetTextDelta {
        /// The `id` of the component.
        component_id: String,
        delta: String,
        /// Whether that was all of it.
        done: bool,
    },
    /// A component of a widget is replaced.
    #[serde(rename = "widget.component.updated")]
    WidgetComponentUpdated {
        /// The `id` of the component.
        component_id: String,
        component: Widget,
    },
    #[serde(rename = "widget.root.updated")]
    WidgetRootUpdated { widget: WidgetRoot },
    #[serde(rename = "workflow.task.added")]
    TaskAdded {
        /// Its place, from 0.
        task_index: u32,
        task: Task,
    },
    /// A task of a workflow is replaced.
    #[serde(rename = "workflow.task.updated")]
    TaskUpdated {
        /// Its place, from 0.
        task_index: u32,
        task: Task,
    },
    /// A generated image gets clearer.
    #[serde(rename = "generated_image.updated")]
    GeneratedImageUpdated {
        image: GeneratedImage,
        /// How far it has come, from 0 to 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        progress: Option<f64>,
    },
}

/// The event that comes once for each token: text added to a message.
///
/// Writes the same bytes as [`Event::ItemUpdated`] with [`ItemUpdate::TextDelta`], but borrows what
/// it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextDelta<'a> {
    pub item_id: &'a ItemId,
    /// Which part of the message, from 0.
    pub content_index: u32,
    pub delta: &'a str,
}

impl Serialize for TextDelta<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(tag = "type", rename = "thread.item.updated")]
        struct Outer<'a> {
            item_id: &'a ItemId,
            update: Inner<'a>,
        }
        #[derive(Serialize)]
        #[serde(tag = "type", rename = "assistant_message.content_part.text_delta")]
        struct Inner<'a> {
            content_index: u32,
            delta: &'a str,
        }
        let Self {
            item_id,
            content_index,
            delta,
        } = *self;
        Outer {
            item_id,
            update: Inner {
                content_index,
                delta,
            },
        }
        .serialize(serializer)
    }
}

impl From<TextDelta<'_>> for Event {
    fn from(delta: TextDelta<'_>) -> Self {
        Self::ItemUpdated {
            item_id: delta.item_id.clone(),
            update: ItemUpdate::TextDelta {
                content_index: delta.content_index,
                delta: delta.delta.to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_borrowed_delta_writes_the_same_bytes_as_the_event() {
        let item_id: ItemId = "msg_1".parse().expect("an id");
        let delta = TextDelta {
            item_id: &item_id,
            content_index: 2,
            delta: "\"é\"\n",
        };
        let bytes = serde_json::to_string(&delta).expect("json");
        assert_eq!(
            bytes,
            serde_json::to_string(&Event::from(delta)).expect("json")
        );
        assert_eq!(
            bytes,
            concat!(
                r#"{"type":"thread.item.updated","item_id":"msg_1","update":{"#,
                r#""type":"assistant_message.content_part.text_delta","#,
                r#""content_index":2,"delta":"\"é\"\n"}}"#
            )
        );
    }

    #[test]
    fn a_later_error_code_is_kept() {
        let later = json!({"type": "error", "code": "rate_limited", "allow_retry": true});
        let event: Event = serde_json::from_value(later.clone()).expect("an event");
        let Event::Error(error) = &event else {
            panic!("another event")
        };
        assert_eq!(error.code, ErrorCode::Other("rate_limited".to_owned()));
        assert_eq!(serde_json::to_value(event).expect("json"), later);
    }

    #[test]
    fn events_about_hidden_items_stay_inside() {
        let hidden = json!({"type": "sdk_hidden_context", "id": "shcx_1", "thread_id": "thr_1",
            "created_at": "2026-01-23T16:15:25Z", "content": "for the model"});
        for kind in [
            "thread.item.added",
            "thread.item.done",
            "thread.item.replaced",
        ] {
            let event: Event =
                serde_json::from_value(json!({"type": kind, "item": hidden})).expect("an event");
            assert!(!event.is_visible_to_user(), "{kind}");
        }
    }

    #[test]
    fn unknown_types_are_refused_with_the_known_ones() {
        let read = |value| {
            serde_json::from_value::<Event>(value)
                .expect_err("refused")
                .to_string()
        };
        let error = read(json!({"type": "thread.exploded"}));
        assert!(
            error.contains("unknown variant `thread.exploded`"),
            "{error}"
        );
        assert!(error.contains("`thread.created`"), "{error}");
        let error = read(json!({"type": "thread.item.done", "item": {"type": "poem"}}));
        assert!(error.contains("`user_message`"), "{error}");
    }
}
