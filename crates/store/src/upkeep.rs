//! What an operator needs of a database, beyond what the product does with it.

use async_trait::async_trait;
use auth::ports::VisitorRecord;
use engine::Owner;
use engine::ports::AttachmentRecord;
use protocol::request::FeedbackKind;
use protocol::{ItemId, ThreadId, Timestamp};

use crate::error::Error;

/// A thumb that a user gave, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackRecord {
    /// The item that was judged.
    pub item_id: ItemId,
    /// The judgement.
    pub kind: FeedbackKind,
    /// When it was given.
    pub at: Timestamp,
}

/// How much [`Upkeep::forget_user`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Threads, each with its items and feedback.
    pub threads: u64,
    /// Chat sessions, each with its client secrets.
    pub chat_sessions: u64,
    /// 1 when the user was an anonymous visitor.
    pub visitors: u64,
    /// Attachments; their bytes go with [`remove_files`](engine::attachments::remove_files).
    pub attachments: u64,
}

/// Health, and what a user may ask for by law: their data, and to be forgotten.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// Whether the database can be read and written now.
    async fn check(&self) -> Result<(), Error>;

    /// Thumbs in a thread, in the order of its items.
    async fn feedback(
        &self,
        owner: &Owner,
        thread: &ThreadId,
    ) -> Result<Vec<FeedbackRecord>, Error>;

    /// The visitor behind an owner, when it is one.
    async fn visitor(&self, owner: &Owner) -> Result<Option<VisitorRecord>, Error>;

    /// An owner's attachments in the order in which they came, some at a time, each with a number: the next ones follow
    /// after the last number.
    async fn attachments(
        &self,
        owner: &Owner,
        after: i64,
    ) -> Result<Vec<(i64, AttachmentRecord)>, Error>;

    /// Removes everything that belongs to an owner, from the files too. Credentials go first, so that nothing new is
    /// written meanwhile with an old one; threads go in small batches, so that nobody waits long. It can be repeated
    /// when it was broken off.
    async fn forget_user(&self, owner: &Owner) -> Result<Forgotten, Error>;
}
