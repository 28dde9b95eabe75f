//! The hosted API's shapes: what a server asks about sessions and threads under `/v1/chatkit`.
//!
//! The source is OpenAI's description of its API; where its examples contradict its schema, the schema
//! holds. The shapes are not those of the stream: types are prefixed, times are Unix seconds, absent
//! values are written as `null`, and widgets and tool arguments are JSON in a string.
//!
//! - `hosted/item.rs`: the items, and the one conversion between them and what is stored
//! - `hosted/session.rs`: what opens a session, and the session
//! - `hosted/list.rs`: the questions for lists
//! - `hosted/parameter.rs`: how parameters are read, and what is wrong with them in the API's words

mod item;
mod list;
mod parameter;
mod session;

use serde::{Deserialize, Serialize};

pub use crate::hosted::item::{
    Annotation, AttachmentKind, AttachmentView, CallStatus, FileName, InferenceOptions, ItemKind,
    NotStorable, OutputText, TaskKind, TaskView, ThreadItem, UserContent, WebAddress,
};
pub use crate::hosted::list::{ItemQuery, ListQuery, ThreadQuery};
pub use crate::hosted::parameter::{ParameterError, check_id};
pub use crate::hosted::session::{
    ChatKitConfiguration, ChatSession, Enabled, FileUpload, History, RateLimits, SessionRequest,
    SessionStatus, SessionWorkflow, WorkflowRequest,
};
use crate::id::ThreadId;
use crate::thread::ThreadMetadata;
use crate::time::Timestamp;

/// A thread without its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "object", rename = "chatkit.thread")]
pub struct Thread {
    pub id: ThreadId,
    /// When it began, in Unix seconds.
    pub created_at: i64,
    pub title: Option<String>,
    /// Whether the user can write to it.
    pub status: ThreadStatus,
    /// The user it belongs to, as the server named them.
    pub user: String,
}

impl Thread {
    /// A stored thread of this user.
    pub fn from_stored(thread: ThreadMetadata, user: impl Into<String>) -> Self {
        Self {
            id: thread.id,
            created_at: seconds(thread.created_at),
            title: thread.title,
            status: thread.status.into(),
            user: user.into(),
        }
    }
}

/// Whether the user can write to a thread. Unlike in the stream, a missing reason is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ThreadStatus {
    Active,
    Locked { reason: Option<String> },
    Closed { reason: Option<String> },
}

impl From<crate::ThreadStatus> for ThreadStatus {
    fn from(status: crate::ThreadStatus) -> Self {
        match status {
            crate::ThreadStatus::Active => Self::Active,
            crate::ThreadStatus::Locked { reason } => Self::Locked { reason },
            crate::ThreadStatus::Closed { reason } => Self::Closed { reason },
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "object", rename = "list")]
pub struct List<T> {
    /// The entries, in the order that was asked for.
    pub data: Vec<T>,
    pub first_id: Option<String>,
    /// The id of the last entry; as `after`, it gives the next page.
    pub last_id: Option<String>,
    /// Whether there are entries beyond these.
    pub has_more: bool,
}

impl<T> List<T> {
    /// A page of these entries.
    pub fn new(data: Vec<T>, has_more: bool, id: impl Fn(&T) -> String) -> Self {
        Self {
            first_id: data.first().map(&id),
            last_id: data.last().map(&id),
            data,
            has_more,
        }
    }

    /// A page without entries.
    pub const fn empty() -> Self {
        Self {
            data: Vec::new(),
            first_id: None,
            last_id: None,
            has_more: false,
        }
    }
}

/// The answer to a deleted thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "object", rename = "chatkit.thread.deleted")]
pub struct DeletedThread {
    pub id: ThreadId,
    pub deleted: bool,
}

/// Unix seconds, rounded down.
fn seconds(time: Timestamp) -> i64 {
    time.as_microsecond().div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_thread_is_written_with_every_field() {
        let stored = |status| -> ThreadMetadata {
            serde_json::from_value(json!({
                "id": "cthr_1", "created_at": "2026-01-23T16:15:25.515839Z", "status": status,
                "metadata": {"note": "internal"}, "allowed_image_domains": ["a.example"],
            }))
            .unwrap()
        };
        for (status, written) in [
            (json!({"type": "active"}), json!({"type": "active"})),
            (
                json!({"type": "locked"}),
                json!({"type": "locked", "reason": null}),
            ),
            (
                json!({"type": "closed", "reason": "done"}),
                json!({"type": "closed", "reason": "done"}),
            ),
        ] {
            let thread = Thread::from_stored(stored(status), "customer 7");
            assert_eq!(
                serde_json::to_value(&thread).unwrap(),
                json!({
                    "id": "cthr_1", "object": "chatkit.thread", "created_at": 1_769_184_925,
                    "title": null, "status": written, "user": "customer 7",
                })
            );
        }
    }

    #[test]
    fn a_list_names_its_first_and_last_entry() {
        let list = List::new(vec!["a", "b", "c"], true, |id| (*id).to_owned());
        assert_eq!(
            serde_json::to_value(list).unwrap(),
            json!({"object": "list", "data": ["a", "b", "c"], "first_id": "a", "last_id": "c",
                "has_more": true})
        );
        assert_eq!(
            serde_json::to_value(List::<()>::empty()).unwrap(),
            json!({"object": "list", "data": [], "first_id": null, "last_id": null,
                "has_more": false})
        );
    }

    #[test]
    fn a_deleted_thread_says_so() {
        let deleted = DeletedThread {
            id: ThreadId::mint(1),
            deleted: true,
        };
        assert_eq!(
            serde_json::to_value(deleted).unwrap(),
            json!({"id": "cthr_00000000000000000000000000000001",
                "object": "chatkit.thread.deleted", "deleted": true})
        );
    }
}
