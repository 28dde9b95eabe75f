//! Everything that is kept about one user, record by record.

use auth::audit::{AuditEntry, AuditQuery};
use auth::ports::{ChatSessionFilter, ChatSessionRecord};
use auth::time::UnixTime;
use data_encoding::HEXLOWER;
use engine::Owner;
use engine::ports::{FileId, PageQuery, StoreError};
use protocol::request::{FeedbackKind, Order};
use protocol::{AttachmentId, ItemId, ThreadId, ThreadItem, ThreadMetadata, Timestamp};
use serde::Serialize;

use crate::Database;
use crate::error::Error;

/// Audit entries that are read at a time.
const AUDIT_ENTRIES_AT_A_TIME: u32 = 500;
/// Sessions that are read at a time.
const SESSIONS_AT_A_TIME: u32 = 100;

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

/// Hands over everything that is kept about a user, oldest threads first, without ever holding all of it.
///
/// Stops at the first error of `take`. [`Error::NotFound`] means that threads were deleted meanwhile: begin again.
pub async fn export_user<E: From<Error>>(
    database: &dyn Database,
    owner: &Owner,
    mut take: impl FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(visitor) = database.visitor(owner).await? {
        take(Record::Visitor {
            id: visitor.id,
            public_token_id: visitor.public_token_id,
            created_at: visitor.created_at,
            last_seen_at: visitor.last_seen_at,
        })?;
    }
    export_sessions(database, owner, &mut take).await?;
    export_attachments(database, owner, &mut take).await?;
    export_audit(database, owner, &mut take).await?;

    let mut query = first_page();
    loop {
        let page = database.threads(owner, &query).await.map_err(Error::from)?;
        for thread in page.data {
            let id = thread.id.clone();
            take(Record::Thread { thread })?;
            export_items(database, owner, &id, &mut take).await?;
        }
        if !page.has_more {
            return Ok(());
        }
        query.after = page.after;
    }
}

async fn export_audit<E: From<Error>>(
    database: &dyn Database,
    owner: &Owner,
    take: &mut impl FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let Some((issuer, subject)) = owner.as_str().split_once(' ') else {
        return Ok(());
    };
    let mut query = AuditQuery {
        issuer: Some(issuer.to_owned()),
        subject: Some(subject.to_owned()),
        ..AuditQuery::default()
    };
    loop {
        let entries = database
            .list_audit(&query, AUDIT_ENTRIES_AT_A_TIME)
            .await
            .map_err(Error::from)?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        query.after = Some(last.id);
        for entry in entries {
            take(Record::Audit { entry })?;
        }
    }
}

async fn export_sessions<E: From<Error>>(
    database: &dyn Database,
    owner: &Owner,
    take: &mut impl FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let Some((issuer, subject)) = owner.as_str().split_once(' ') else {
        return Ok(());
    };
    let mut filter = ChatSessionFilter {
        owner: Some((issuer.to_owned(), subject.to_owned())),
        ..ChatSessionFilter::default()
    };
    loop {
        let sessions = database
            .list_chat_sessions(&filter, SESSIONS_AT_A_TIME)
            .await
            .map_err(Error::from)?;
        let Some(last) = sessions.last() else {
            return Ok(());
        };
        filter.after = Some(last.id.clone());
        for session in sessions {
            take(Record::ChatSession { session })?;
        }
    }
}

async fn export_attachments<E: From<Error>>(
    database: &dyn Database,
    owner: &Owner,
    take: &mut impl FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = i64::MIN;
    loop {
        let attachments = database.attachments(owner, after).await?;
        let Some((last, _)) = attachments.last() else {
            return Ok(());
        };
        after = *last;
        for (_, attachment) in attachments {
            take(Record::Attachment {
                id: attachment.id,
                name: attachment.name,
                media_type: attachment.media_type,
                size: attachment.size,
                sha256: attachment.sha256.map(|hash| HEXLOWER.encode(&hash)),
                created_at: attachment.created_at,
                session: attachment.session,
                thread_id: attachment.thread_id,
                file: attachment.file,
            })?;
        }
    }
}

async fn export_items<E: From<Error>>(
    database: &dyn Database,
    owner: &Owner,
    thread: &ThreadId,
    take: &mut impl FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut query = first_page();
    loop {
        let page = database
            .items(owner, thread, &query)
            .await
            .map_err(Error::from)?;
        for item in page.data {
            take(Record::Item { item })?;
        }
        if !page.has_more {
            break;
        }
        query.after = page.after;
    }
    for feedback in database.feedback(owner, thread).await? {
        take(Record::Feedback {
            thread_id: thread.clone(),
            item_id: feedback.item_id,
            kind: feedback.kind,
            at: feedback.at,
        })?;
    }
    Ok(())
}

fn first_page() -> PageQuery {
    PageQuery {
        limit: PageQuery::MAX_LIMIT,
        order: Order::Asc,
        after: None,
        before: None,
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Busy(cause) => Self::Busy(cause.into()),
            StoreError::Internal(cause) => Self::Internal(cause.into()),
        }
    }
}

impl From<auth::ports::StoreError> for Error {
    fn from(error: auth::ports::StoreError) -> Self {
        match error {
            auth::ports::StoreError::Conflict => Self::Conflict,
            auth::ports::StoreError::Unavailable(cause) => Self::Busy(cause.into()),
            auth::ports::StoreError::Internal(cause) => Self::Internal(cause.into()),
        }
    }
}
