//! Everything that is kept about one user, record by record.

use auth::audit::AuditEntry;
use auth::ports::ChatSessionRecord;
use auth::time::UnixTime;
use data_encoding::HEXLOWER;
use engine::Owner;
use engine::ports::{AttachmentRecord, FileId, StoreError};
use protocol::request::FeedbackKind;
use protocol::{AttachmentId, ItemId, ThreadId, ThreadItem, ThreadMetadata, Timestamp};
use serde::Serialize;

use crate::Database;
use crate::error::Error;

/// One record of an export. As JSON, `record` says which kind it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The user is an anonymous visitor. (What the browser keeps to come back is not told.)
    Visitor {
        /// `vis_…`
        id: String,
        /// The public token that it came through.
        public_token_id: String,
        /// When it first came.
        created_at: UnixTime,
        /// When it last came back.
        last_seen_at: UnixTime,
    },
    /// A chat session.
    ChatSession {
        /// The session with the claims that it was opened with.
        session: ChatSessionRecord,
    },
    /// An attachment. Its bytes are a file of their own.
    Attachment {
        /// `cfile_…`
        id: AttachmentId,
        /// File name, as the user knows it.
        name: String,
        /// Media type.
        media_type: String,
        /// Bytes.
        size: u64,
        /// SHA-256 of the bytes in hexadecimal digits; none while they have not come.
        sha256: Option<String>,
        /// When it was announced.
        created_at: Timestamp,
        /// The chat session that it came through.
        session: Option<String>,
        /// The thread whose message holds it.
        thread_id: Option<ThreadId>,
        /// Where the bytes are.
        #[serde(skip)]
        file: FileId,
    },
    /// Something that the user did, or that was done about them, as the audit log has it.
    Audit {
        /// The entry.
        entry: AuditEntry,
    },
    /// A thread; its items and feedback follow.
    Thread {
        /// Its own fields.
        thread: ThreadMetadata,
    },
    /// An item of the thread before.
    Item {
        /// The item, hidden ones too.
        item: ThreadItem,
    },
    /// A thumb for an item of the thread before.
    Feedback {
        /// The thread.
        thread_id: ThreadId,
        /// The item.
        item_id: ItemId,
        /// The judgement.
        kind: FeedbackKind,
        /// When it was given.
        at: Timestamp,
    },
}

/// Which records of a user are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Chat sessions.
    ChatSessions,
    /// Attachments.
    Attachments,
    /// Entries of the audit log.
    Audit,
    /// Threads, without their items.
    Threads,
    /// The items of a thread, named by the number of its row.
    Items {
        /// The number.
        thread: i64,
    },
    /// The messages of a thread that wait for their turn.
    Queued {
        /// The number of the thread's row.
        thread: i64,
    },
    /// Thumbs for those items.
    Feedback {
        /// The number.
        thread: i64,
    },
}

/// A record that is there and cannot be read: spoiled, or of a form that only a newer build knows.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the {what} {name} cannot be read")]
pub struct Unreadable {
    /// What it is.
    pub what: &'static str,
    /// Its id.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub cause: Error,
}

/// Records, each with the number of its row.
pub type Rows = Vec<(i64, Result<Record, Unreadable>)>;

impl From<AttachmentRecord> for Record {
    fn from(attachment: AttachmentRecord) -> Self {
        Self::Attachment {
            id: attachment.id,
            name: attachment.name,
            media_type: attachment.media_type,
            size: attachment.size,
            sha256: attachment.sha256.map(|hash| HEXLOWER.encode(&hash)),
            created_at: attachment.created_at,
            session: attachment.session,
            thread_id: attachment.thread_id,
            file: attachment.file,
        }
    }
}

/// Hands over everything that is kept about a user, oldest threads first, without ever holding all of it. A record that
/// cannot be read is handed over as such, and the next ones follow.
///
/// Stops at the first error of `take`.
pub async fn export_user<E: From<Error>>(
    database: &dyn Database,
    owner: &Owner,
    mut take: impl FnMut(Result<Record, Unreadable>) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(visitor) = database.visitor(owner).await? {
        take(Ok(Record::Visitor {
            id: visitor.id,
            public_token_id: visitor.public_token_id,
            created_at: visitor.created_at,
            last_seen_at: visitor.last_seen_at,
        }))?;
    }
    for kind in [Kind::ChatSessions, Kind::Attachments, Kind::Audit] {
        export_rows(database, owner, kind, &mut take).await?;
    }
    let mut after = i64::MIN;
    loop {
        let threads = database.records(owner, Kind::Threads, after).await?;
        let Some((last, _)) = threads.last() else {
            return Ok(());
        };
        after = *last;
        for (thread, record) in threads {
            take(record)?;
            export_rows(database, owner, Kind::Items { thread }, &mut take).await?;
            export_rows(database, owner, Kind::Queued { thread }, &mut take).await?;
            export_rows(database, owner, Kind::Feedback { thread }, &mut take).await?;
        }
    }
}

async fn export_rows<E: From<Error>>(
    database: &dyn Database,
    owner: &Owner,
    kind: Kind,
    take: &mut impl FnMut(Result<Record, Unreadable>) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = i64::MIN;
    loop {
        let rows = database.records(owner, kind, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after = *last;
        for (_, record) in rows {
            take(record)?;
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Fenced => Self::Fenced,
            StoreError::Exists => Self::Conflict,
            StoreError::Elsewhere(run) => Self::Elsewhere(run),
            StoreError::Behind => Self::Behind,
            StoreError::Busy(cause) => Self::Busy(cause.into()),
            StoreError::Internal(cause) | StoreError::Lost(cause) => Self::Internal(cause.into()),
            StoreError::Full(cause) => Self::Full(cause.into()),
        }
    }
}

impl From<auth::ports::StoreError> for Error {
    fn from(error: auth::ports::StoreError) -> Self {
        match error {
            auth::ports::StoreError::Conflict => Self::Conflict,
            auth::ports::StoreError::Unavailable(cause) => Self::Busy(cause.into()),
            auth::ports::StoreError::Internal(cause) | auth::ports::StoreError::Lost(cause) => {
                Self::Internal(cause.into())
            }
            auth::ports::StoreError::Full(cause) => Self::Full(cause.into()),
        }
    }
}
