//! Threads and pages.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::JsonObject;
use crate::id::ThreadId;
use crate::item::ThreadItem;
use crate::time::Timestamp;

/// A thread without its items.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadMetadata {
    pub id: ThreadId,
    pub title: Option<String>,
    pub created_at: Timestamp,
    /// Whether the user can write to it.
    #[serde(default)]
    pub status: ThreadStatus,
    /// Hosts that images in answers may come from; absent means the element's own rule.
    pub allowed_image_domains: Option<Vec<String>>,
    /// The application's notes. Not for the browser: see [`Thread::for_client`].
    #[serde(default)]
    pub metadata: JsonObject,
}

/// A thread with its first page of items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    #[serde(flatten)]
    pub thread: ThreadMetadata,
    /// The first page of items, oldest first.
    pub items: Page<ThreadItem>,
}

impl Thread {
    /// A thread as the browser may see it: without hidden items and without the application's notes.
    pub fn for_client(thread: ThreadMetadata, items: Page<ThreadItem>) -> Self {
        Self {
            thread: ThreadMetadata {
                metadata: JsonObject::new(),
                ..thread
            },
            items: items.for_client(),
        }
    }
}

/// What changes about a thread; what is absent stays as it is.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ThreadPatch {
    pub title: Option<String>,
    /// All of the application's notes: they take the place of the ones before.
    pub metadata: Option<JsonObject>,
    pub status: Option<ThreadStatus>,
    /// All of the hosts; none allows no image.
    pub allowed_image_domains: Option<Vec<String>>,
}

impl ThreadPatch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over what `later` says.
    pub fn extend(&mut self, later: Self) {
        let Self {
            title,
            metadata,
            status,
            allowed_image_domains,
        } = later;
        self.title = title.or(self.title.take());
        self.metadata = metadata.or(self.metadata.take());
        self.status = status.or(self.status.take());
        self.allowed_image_domains = allowed_image_domains.or(self.allowed_image_domains.take());
    }
}

impl ThreadMetadata {
    /// Changes what the patch names.
    pub fn apply(&mut self, patch: ThreadPatch) {
        let ThreadPatch {
            title,
            metadata,
            status,
            allowed_image_domains,
        } = patch;
        self.title = title.or(self.title.take());
        if let Some(metadata) = metadata {
            self.metadata = metadata;
        }
        if let Some(status) = status {
            self.status = status;
        }
        self.allowed_image_domains = allowed_image_domains.or(self.allowed_image_domains.take());
    }
}

/// Whether the user can write to a thread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ThreadStatus {
    #[default]
    Active,
    /// Not now: the composer is shown but disabled.
    Locked {
        /// Shown in place of the composer's placeholder.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Never again: the composer is gone.
    Closed {
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// One page of a list.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries, in the order that was asked for.
    #[serde(default = "Vec::new")]
    pub data: Vec<T>,
    /// Whether there are entries after these.
    #[serde(default)]
    pub has_more: bool,
    /// The id to send as `after` to get the next page.
    pub after: Option<String>,
}

impl<T> Page<T> {
    /// A page without entries, and nothing after it.
    pub const fn empty() -> Self {
        Self {
            data: Vec::new(),
            has_more: false,
            after: None,
        }
    }
}

impl Page<ThreadItem> {
    /// The same page without the items that a user must not see.
    #[must_use]
    pub fn for_client(mut self) -> Self {
        self.data.retain(ThreadItem::is_visible_to_user);
        self
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_client_sees_neither_hidden_items_nor_notes() {
        let item = |kind: &str, id: &str| {
            json!({"type": kind, "id": id, "thread_id": "thr_1",
                "created_at": "2026-01-23T16:15:25Z", "content": "x"})
        };
        let thread: Thread = serde_json::from_value(json!({
            "id": "thr_1",
            "created_at": "2026-01-23T16:15:25",
            "metadata": {"note": "internal"},
            "items": {
                "data": [
                    item("hidden_context_item", "msg_1"),
                    item("sdk_hidden_context", "shcx_2"),
                    item("end_of_turn", "msg_3"),
                ],
                "has_more": true,
                "after": "msg_3",
            },
        }))
        .expect("a thread");
        assert_eq!(
            serde_json::to_value(Thread::for_client(thread.thread, thread.items)).expect("json"),
            json!({
                "id": "thr_1",
                "created_at": "2026-01-23T16:15:25.000000Z",
                "status": {"type": "active"},
                "metadata": {},
                "items": {
                    "data": [{"type": "end_of_turn", "id": "msg_3", "thread_id": "thr_1",
                        "created_at": "2026-01-23T16:15:25.000000Z"}],
                    "has_more": true,
                    "after": "msg_3",
                },
            })
        );
    }
}
