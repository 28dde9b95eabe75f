//! Attachments: files and images that belong to a user message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::JsonObject;
use crate::id::{AttachmentId, ThreadId};

/// A file or an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Attachment {
    File(FileAttachment),
    Image(ImageAttachment),
}

/// A file that the browser shows as a card.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileAttachment {
    pub id: AttachmentId,
    /// File name, as the user knows it.
    pub name: String,
    /// Media type, as the browser named it; not to be trusted.
    pub mime_type: String,
    /// Where to send the bytes; gone once they are there.
    pub upload_descriptor: Option<UploadDescriptor>,
    /// The thread it belongs to; set when its message is saved.
    pub thread_id: Option<ThreadId>,
    /// Notes of the application. Read, but never written: it must not reach a browser.
    #[serde(skip_serializing)]
    pub metadata: Option<JsonObject>,
}

/// An image that the browser shows as a thumbnail.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageAttachment {
    pub id: AttachmentId,
    /// File name, as the user knows it.
    pub name: String,
    /// Media type, as the browser named it; not to be trusted.
    pub mime_type: String,
    /// Address of the thumbnail. It works for a while only, so it is made anew whenever a browser is told; at rest it is
    /// empty.
    pub preview_url: String,
    /// Where to send the bytes; gone once they are there.
    pub upload_descriptor: Option<UploadDescriptor>,
    /// The thread it belongs to; set when its message is saved.
    pub thread_id: Option<ThreadId>,
    /// Notes of the application. Read, but never written: it must not reach a browser.
    #[serde(skip_serializing)]
    pub metadata: Option<JsonObject>,
}

/// How the browser sends the bytes of an attachment that it has announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadDescriptor {
    pub url: String,
    pub method: UploadMethod,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// The method of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum UploadMethod {
    /// `POST`.
    Post,
    /// `PUT`, which some object stores want.
    Put,
}

impl Attachment {
    /// Its name in requests.
    pub fn id(&self) -> &AttachmentId {
        match self {
            Self::File(file) => &file.id,
            Self::Image(image) => &image.id,
        }
    }

    /// File name, as the user knows it.
    pub fn name(&self) -> &str {
        match self {
            Self::File(file) => &file.name,
            Self::Image(image) => &image.name,
        }
    }

    /// Media type, as the browser named it.
    pub fn mime_type(&self) -> &str {
        match self {
            Self::File(file) => &file.mime_type,
            Self::Image(image) => &image.mime_type,
        }
    }

    /// The thread it belongs to, if its message is saved.
    pub fn thread_id(&self) -> Option<&ThreadId> {
        match self {
            Self::File(file) => file.thread_id.as_ref(),
            Self::Image(image) => image.thread_id.as_ref(),
        }
    }

    /// Says where an image's thumbnail is; a file has none.
    pub fn set_preview_url(&mut self, url: impl FnOnce() -> String) {
        match self {
            Self::File(_) => {}
            Self::Image(image) => image.preview_url = url(),
        }
    }

    /// Makes it belong to a thread.
    pub fn set_thread_id(&mut self, thread_id: ThreadId) {
        match self {
            Self::File(file) => file.thread_id = Some(thread_id),
            Self::Image(image) => image.thread_id = Some(thread_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn notes_of_the_application_are_read_but_never_written() {
        for kind in ["file", "image"] {
            let mut attachment: Attachment = serde_json::from_value(json!({
                "type": kind, "id": "atc_1", "name": "a", "mime_type": "image/png",
                "preview_url": "https://example.com/a.png", "metadata": {"key": "internal"},
            }))
            .expect("an attachment");
            let (Attachment::File(FileAttachment { metadata, .. })
            | Attachment::Image(ImageAttachment { metadata, .. })) = &attachment;
            assert!(
                metadata
                    .as_ref()
                    .is_some_and(|notes| notes.contains_key("key"))
            );
            attachment.set_thread_id("thr_1".parse().expect("an id"));
            let written = serde_json::to_value(&attachment).expect("json");
            assert_eq!(written.get("metadata"), None);
            assert_eq!(written["thread_id"], "thr_1");
        }
    }
}
