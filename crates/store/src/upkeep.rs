//! What an operator needs of a database, beyond what the product does with it.

use std::path::Path;

use async_trait::async_trait;
use auth::ports::VisitorRecord;
use engine::Owner;

use crate::error::Error;
use crate::export::{Kind, Rows};

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

    /// Whether the way to the database is such that it can be worked with: no pooler on it mixes sessions. Looks at it once,
    /// and says nothing where it cannot tell in time.
    async fn check_way(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The visitor behind an owner, when it is one.
    async fn visitor(&self, owner: &Owner) -> Result<Option<VisitorRecord>, Error>;

    /// An owner's records of a kind in the order in which they came, some at a time, each with a number: the next ones
    /// follow after the last number.
    async fn records(&self, owner: &Owner, kind: Kind, after: i64) -> Result<Rows, Error>;

    /// Writes a copy of the whole database, as it is at one moment, into a new SQLite file. Others go on working.
    async fn copy_to(&self, file: &Path) -> Result<(), Error>;

    /// Removes everything that belongs to an owner, from the files too. Credentials go first, so that nothing new is
    /// written meanwhile with an old one; threads go in small batches, so that nobody waits long. It can be repeated
    /// when it was broken off.
    async fn forget_user(&self, owner: &Owner) -> Result<Forgotten, Error>;
}

/// Public token and visitor, when the owner is a visitor.
pub(crate) fn visitor_of(owner: &Owner) -> Option<(&str, &str)> {
    let (issuer, subject) = owner.as_str().split_once(' ')?;
    Some((issuer.strip_prefix("visitor:")?, subject))
}
