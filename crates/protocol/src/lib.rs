//! The ChatKit vocabulary: every request, event, thread, item, widget and attachment as a type.
//!
//! These types are at once the domain types of the product and the shapes on the wire
//! (docs/decisions/0001), so a reader of any crate sees the same names as a reader of a network log.
//! The oracle is the official Python package `openai-chatkit`: `tests/wire/oracle.rs` asks it.
//!
//! Rules that hold for all of them:
//! - absent and `null` mean the same when read; absent values are left out when written;
//! - fields that ChatKit always writes (`annotations: []`, `interactive: false`) are always written;
//! - unknown fields are ignored, except in widgets, where they are kept;
//! - an unknown `type` is an error that names the known ones.
//!
//! Nothing here does I/O, reads a clock or draws a random number.

pub mod action;
mod apply;
pub mod attachment;
pub mod cursor;
pub mod error;
pub mod event;
pub mod frame;
pub mod hosted;
pub mod icon;
pub mod id;
pub mod item;
pub mod json;
pub mod request;
pub mod source;
pub mod task;
pub mod thread;
pub mod time;
pub mod widget;

pub use crate::apply::NotApplicable;
pub use crate::attachment::Attachment;
pub use crate::cursor::{Cursor, Position};
pub use crate::error::RequestError;
pub use crate::event::{Event, ItemUpdate};
pub use crate::icon::IconName;
pub use crate::id::{AttachmentId, ItemId, RunId, ThreadId};
pub use crate::item::ThreadItem;
pub use crate::request::{Envelope, Limits, Request, RequestKind};
pub use crate::thread::{Page, Thread, ThreadMetadata, ThreadPatch, ThreadStatus};
pub use crate::time::Timestamp;
pub use crate::widget::{Widget, WidgetRoot};

/// A JSON object whose fields the protocol does not prescribe.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;
