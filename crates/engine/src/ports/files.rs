//! The ports for files: what is known about an attachment, where its bytes are, and links to them.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, stream::BoxStream};
use protocol::{AttachmentId, ThreadId, Timestamp, attachment::UploadDescriptor};

use super::StoreError;
use crate::{
    context::Owner,
    words::{Language, Words},
};

/// Names a file's bytes. It is a number of ours, so that no place for a file can be made from what
/// somebody sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u128);

/// Always 32 hexadecimal digits.
impl fmt::Display for FileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// What is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 hexadecimal digits")]
pub struct InvalidFileId;

impl FromStr for FileId {
    type Err = InvalidFileId;

    fn from_str(text: &str) -> Result<Self, InvalidFileId> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidFileId);
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| InvalidFileId)
    }
}

/// What is known about an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentRecord {
    /// Its name in requests.
    pub id: AttachmentId,
    /// Its bytes.
    pub file: FileId,
    /// File name, as the user knows it; for people only, never a path.
    pub name: String,
    /// Media type in lower case, without parameters.
    pub media_type: String,
    /// Bytes; as announced until they have come.
    pub size: u64,
    /// SHA-256 of the bytes; `None` until they have come.
    pub sha256: Option<[u8; 32]>,
    /// When it was announced.
    pub created_at: Timestamp,
    /// The chat session that it came through, where there was one.
    pub session: Option<String>,
    /// The thread whose message holds it; `None` until one is sent. Only the store sets it.
    pub thread_id: Option<ThreadId>,
}

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of all files of the owner, announced ones included.
    pub bytes: u64,
    /// Files that came through the record's session.
    pub session_files: Option<u32>,
    /// Files of the owner that no message holds yet, announced ones included.
    pub unsent_files: u32,
}

/// What became of an announced file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// Its bytes may come.
    Accepted,
    /// The owner's files would take more than [`Quota::bytes`].
    NoSpace,
    /// The session has sent [`Quota::session_files`].
    TooMany,
    /// The owner has [`Quota::unsent_files`] that were never sent.
    TooManyUnsent,
}

/// What is known about attachments. As everywhere, one of another owner is [`StoreError::NotFound`].
///
/// A store that saves a user's message ties the attachments that it names to it: each must be the
/// owner's, uploaded, and not tied to another message; else nothing is saved, and the answer is
/// [`StoreError::NotFound`]. They go when their message goes. Of every attachment that goes, for
/// whatever reason, the [`FileId`] is kept until its bytes are gone too.
#[async_trait]
pub trait AttachmentStore: Send + Sync + 'static {
    /// Adds an attachment whose bytes are still to come, if the quota allows; in one transaction.
    async fn announce(
        &self,
        owner: &Owner,
        record: &AttachmentRecord,
        quota: Quota,
    ) -> Result<Announced, StoreError>;

    /// One attachment.
    async fn attachment(
        &self,
        owner: &Owner,
        id: &AttachmentId,
    ) -> Result<AttachmentRecord, StoreError>;

    /// One attachment and whose it is, for the holder of a link, who does not say who they are. The
    /// link has to be checked against the owner.
    async fn linked_attachment(
        &self,
        id: &AttachmentId,
    ) -> Result<(Owner, AttachmentRecord), StoreError>;

    /// Its bytes have come. [`StoreError::NotFound`] also when they had come before.
    async fn complete(
        &self,
        owner: &Owner,
        id: &AttachmentId,
        kept: Kept,
    ) -> Result<(), StoreError>;

    /// Removes an attachment. One that a message holds is [`StoreError::NotFound`]: it goes with the
    /// message.
    async fn discard(&self, owner: &Owner, id: &AttachmentId) -> Result<(), StoreError>;

    /// Removes attachments of all owners that were announced before a time and never sent. Gives
    /// their number.
    async fn purge_unsent(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Some files whose attachments are gone, and whose bytes are to go: the first ones after this one, in their order.
    async fn removed_files(&self, after: Option<FileId>) -> Result<Vec<FileId>, StoreError>;

    /// Their bytes are gone.
    async fn forget_removed_files(&self, files: &[FileId]) -> Result<(), StoreError>;
}

/// A file's bytes on their way in. The stream ends early with [`Interrupted`].
pub type BytesIn<'a> = dyn Stream<Item = Result<Bytes, Interrupted>> + Send + Unpin + 'a;
/// A file's bytes on their way out.
pub type BytesOut = BoxStream<'static, std::io::Result<Bytes>>;

/// Why bytes end early. The texts are for the person who sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// The connection ended, or what came was no file.
    BrokeOff,
    /// It took longer than it may.
    TooSlow,
    /// More came than may.
    TooLarge {
        /// Most bytes.
        limit: u64,
    },
    /// The type is not taken here, or the bytes are something else than they are called.
    WrongType,
}

impl Interrupted {
    /// What the person who sent it reads.
    pub fn words(self) -> Words {
        match self {
            Self::BrokeOff => Words::FileBrokenOff,
            Self::TooSlow => Words::FileTooSlow,
            Self::TooLarge { limit } => Words::FileTooLarge { limit },
            Self::WrongType => Words::FileTypeRefused,
        }
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words().text(Language::English))
    }
}

/// What was kept of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Bytes.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// Why a file could not be kept or given back.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There are no bytes under this name.
    #[error("the file is not there")]
    NotFound,
    /// There are bytes under this name already, or they are just coming.
    #[error("the file is there already")]
    Exists,
    /// The bytes ended early, and nothing was kept.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A storage that is out of order.
    #[error("the file storage failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no room left for its bytes; the operator has to make some.
    #[error("the file storage is full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where bytes are kept: a folder, or an object store behind the same three calls.
#[async_trait]
pub trait Files: Send + Sync + 'static {
    /// Keeps bytes as they come, without ever holding many of them. They are there whole and for
    /// good, or not at all.
    async fn put(&self, file: FileId, bytes: &mut BytesIn<'_>) -> Result<Kept, FilesError>;

    /// Gives bytes back.
    async fn get(&self, file: FileId) -> Result<BytesOut, FilesError>;

    /// Removes bytes, also those of a [`put`](Self::put) that was broken off. No error when there
    /// are none.
    async fn delete(&self, file: FileId) -> Result<(), FilesError>;
}

/// Addresses that carry their own permission: whoever holds one may use it, for a while.
pub trait Links: Send + Sync + 'static {
    /// Where an attachment's bytes can be had.
    fn preview(&self, owner: &Owner, id: &AttachmentId, now: Timestamp) -> String;

    /// Where and how the bytes of an announced attachment can be sent.
    fn upload(&self, owner: &Owner, id: &AttachmentId, now: Timestamp) -> UploadDescriptor;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_a_number_and_nothing_else() {
        let file = FileId(0xabc);
        assert_eq!(file.to_string(), format!("{:0>32}", "abc"));
        assert_eq!(file.to_string().parse(), Ok(file));
        for text in [
            "",
            "abc",
            "../../../../../../../../etc/pass",
            &"g".repeat(32),
            &"+".repeat(32),
        ] {
            assert_eq!(text.parse::<FileId>(), Err(InvalidFileId), "{text}");
        }
    }
}
