//! Files that people send: taken in, tied to messages, shown to browsers and models, and removed.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use protocol::{
    Attachment, AttachmentId, Page, ThreadId, ThreadItem, Timestamp,
    attachment::{FileAttachment, ImageAttachment},
    request::AttachmentsCreate,
};

use crate::{
    context::{Owner, RequestContext},
    engine::Engine,
    error::Error,
    media::{self, MediaTypes},
    ports::{
        Announced, AttachmentRecord, AttachmentStore, BytesIn, FileContent, FileId, Files,
        FilesError, Interrupted, Links, ModelFile, ModelInput, ModelRequest, Quota, StoreError,
        size_in_words,
    },
    tokens,
};

/// How much of a file is looked at to see what it is.
const HEAD_BYTES: usize = 512;
/// Longest file name that is kept, in characters.
const MAX_NAME_CHARS: usize = 200;
/// How long a file may wait for its message.
const UNSENT_FOR: Duration = Duration::from_hours(24);

/// What the engine needs for files.
#[derive(Clone)]
pub struct Attachments {
    /// What is known about them.
    pub records: Arc<dyn AttachmentStore>,
    /// Their bytes.
    pub files: Arc<dyn Files>,
    /// Addresses that carry their own permission.
    pub links: Arc<dyn Links>,
    /// Most bytes of files that a model is given at a time, newest first; the others are only named.
    pub model_bytes: u64,
}

/// Which files a caller may send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadRules {
    /// Whether any.
    pub is_enabled: bool,
    /// Largest file, in bytes.
    pub max_file_bytes: u64,
    /// Most files of one message.
    pub max_files: usize,
    /// Most bytes of all files of one owner.
    pub max_owner_bytes: u64,
    /// Which types.
    pub media_types: MediaTypes,
    /// The chat session that they come through.
    pub session: Option<String>,
    /// Most files of that session.
    pub max_session_files: Option<u32>,
    /// Most files of one owner that no message holds yet.
    pub max_unsent_files: u32,
}

/// A file that somebody wants to send, as they describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// File name; may hold anything.
    pub name: String,
    /// Media type; may be empty or wrong.
    pub media_type: String,
    /// Most bytes that will come, where that is known.
    pub size: Option<u64>,
}

impl Engine {
    /// Announces a file, to be sent to the address in the answer.
    pub(crate) async fn announce_attachment(
        &self,
        context: &RequestContext,
        params: AttachmentsCreate,
    ) -> Result<Attachment, Error> {
        let file = NewFile {
            name: params.name,
            media_type: params.mime_type,
            size: Some(params.size),
        };
        let record = self.announce(context, file).await?;
        let now = self.clock.now();
        let descriptor = self
            .attachments
            .links
            .upload(&context.owner, &record.id, now);
        let mut attachment = self.attachments.describe(&context.owner, &record, now);
        match &mut attachment {
            Attachment::File(FileAttachment {
                upload_descriptor, ..
            })
            | Attachment::Image(ImageAttachment {
                upload_descriptor, ..
            }) => {
                *upload_descriptor = Some(descriptor);
            }
        }
        Ok(attachment)
    }

    /// Takes a file in whole.
    ///
    /// Run it to its end, on a task: whoever drops it half-way leaves a file that only the daily purge removes.
    pub async fn upload(
        &self,
        context: &RequestContext,
        file: NewFile,
        bytes: &mut BytesIn<'_>,
    ) -> Result<Attachment, Error> {
        let record = self.announce(context, file).await?;
        self.receive(&context.owner, record, bytes).await
    }

    /// Takes the bytes of an announced file in. There is one attempt: what fails has to be announced again. As for
    /// [`upload`](Self::upload), run it to its end.
    pub async fn receive(
        &self,
        owner: &Owner,
        mut record: AttachmentRecord,
        bytes: &mut BytesIn<'_>,
    ) -> Result<Attachment, Error> {
        let Attachments { records, files, .. } = &self.attachments;
        let kept = match keep(&**files, &record, bytes).await {
            Ok(kept) => kept,
            // Somebody else is sending it, or has: theirs stays.
            Err(FilesError::Exists) => return Err(already_sent()),
            Err(error) => {
                self.give_up(owner, &record).await;
                return Err(error.into());
            }
        };
        if let Err(error) = records.complete(owner, &record.id, kept).await {
            self.give_up(owner, &record).await;
            return Err(error.into());
        }
        (record.size, record.sha256) = (kept.size, Some(kept.sha256));
        Ok(self.attachments.describe(owner, &record, self.clock.now()))
    }

    /// Removes what is left of an upload that failed. What cannot be removed now, the purge removes.
    async fn give_up(&self, owner: &Owner, record: &AttachmentRecord) {
        let Attachments { records, files, .. } = &self.attachments;
        match records.discard(owner, &record.id).await {
            Ok(()) => self.remove_files(),
            // It went while its bytes came, so nobody else will look for them.
            Err(StoreError::NotFound) => {
                if let Err(error) = files.delete(record.file).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, file = %record.file, "cannot remove a file");
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, id = %record.id, "cannot give up an upload");
            }
        }
    }

    async fn announce(
        &self,
        context: &RequestContext,
        file: NewFile,
    ) -> Result<AttachmentRecord, Error> {
        let rules = &context.uploads;
        if !rules.is_enabled {
            return Err(Error::UploadsDisabled);
        }
        let size = file.size.unwrap_or(rules.max_file_bytes);
        if size > rules.max_file_bytes {
            let limit = rules.max_file_bytes;
            return Err(Error::Upload(Interrupted::TooLarge { limit }));
        }
        let name = clean_name(&file.name);
        let Some(media_type) = rules.media_types.take(&file.media_type, &name) else {
            return Err(Error::Upload(Interrupted::WrongType));
        };
        let number = self.ids.next();
        let record = AttachmentRecord {
            id: AttachmentId::mint(number),
            file: FileId(number),
            name,
            media_type,
            size,
            sha256: None,
            created_at: self.clock.now(),
            session: rules.session.clone(),
            thread_id: None,
        };
        let quota = Quota {
            bytes: rules.max_owner_bytes,
            session_files: rules.max_session_files,
            unsent_files: rules.max_unsent_files,
        };
        let records = &self.attachments.records;
        match records.announce(&context.owner, &record, quota).await? {
            Announced::Accepted => Ok(record),
            Announced::NoSpace => Err(Error::UploadQuota(format!(
                "your files would take more than the {} you may keep here; delete a conversation with files first",
                size_in_words(rules.max_owner_bytes)
            ))),
            Announced::TooMany => Err(Error::UploadQuota(format!(
                "this chat session may send {} files and has; start a new session",
                rules.max_session_files.unwrap_or_default()
            ))),
            Announced::TooManyUnsent => Err(Error::UploadQuota(format!(
                "you have {} files that were never sent; send or remove some of them first",
                rules.max_unsent_files
            ))),
        }
    }

    /// Removes a file that was not sent.
    pub(crate) async fn discard_attachment(
        &self,
        owner: &Owner,
        id: &AttachmentId,
    ) -> Result<(), Error> {
        let records = &self.attachments.records;
        let record = records.attachment(owner, id).await.map_err(missing)?;
        if record.thread_id.is_some() {
            return Err(Error::Conflict(
                "this file is part of a message; delete the conversation to remove it".to_owned(),
            ));
        }
        records.discard(owner, id).await.map_err(missing)?;
        self.remove_files();
        Ok(())
    }

    /// The attachments that a message names, if it may hold all of them. The store makes sure of it once more when it
    /// saves the message.
    pub(crate) async fn message_attachments(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        ids: &[AttachmentId],
    ) -> Result<Vec<Attachment>, Error> {
        let refused = |message: String| Error::Invalid {
            message,
            param: Some("params.input.attachments".to_owned()),
        };
        let rules = &context.uploads;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        if !rules.is_enabled {
            return Err(Error::UploadsDisabled);
        }
        if ids.len() > rules.max_files {
            let most = rules.max_files;
            return Err(refused(format!("a message can hold {most} files at most")));
        }
        let mut found: Vec<Attachment> = Vec::with_capacity(ids.len());
        for id in ids {
            if found.iter().any(|other| other.id() == id) {
                return Err(refused("the same file is named twice".to_owned()));
            }
            let record = match self
                .attachments
                .records
                .attachment(&context.owner, id)
                .await
            {
                Ok(record) => record,
                Err(StoreError::NotFound) => {
                    return Err(refused(
                        "a file of this message is not there (any more); attach it again"
                            .to_owned(),
                    ));
                }
                Err(error) => return Err(error.into()),
            };
            if record.sha256.is_none() {
                return Err(refused(
                    "a file of this message is not uploaded yet; send its bytes first".to_owned(),
                ));
            }
            if record.thread_id.is_some() {
                return Err(refused(
                    "a file of this message is part of another one; attach it again".to_owned(),
                ));
            }
            let mut attachment = describe(&record, String::new());
            attachment.set_thread_id(thread.clone());
            found.push(attachment);
        }
        Ok(found)
    }

    /// Removes the bytes of attachments that are gone, beside everything else.
    pub fn remove_files(&self) {
        let Attachments { records, files, .. } = self.attachments.clone();
        self.tasks.spawn(async move {
            if let Err(error) = remove_files(&*records, &*files).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot remove files; they are tried again"
                );
            }
        });
    }

    /// Forgets files that were never sent, and removes the bytes of all that are gone. Gives how many were forgotten.
    pub async fn purge_files(&self) -> Result<u64, StoreError> {
        let Attachments { records, files, .. } = &self.attachments;
        let day = i64::try_from(UNSENT_FOR.as_micros()).unwrap_or(i64::MAX);
        let before = self.clock.now().as_microsecond().saturating_sub(day);
        let purged = match Timestamp::from_microsecond(before) {
            Ok(before) => records.purge_unsent(before).await?,
            Err(_before_all_time) => 0,
        };
        remove_files(&**records, &**files).await?;
        Ok(purged)
    }
}

impl Attachments {
    /// An attachment as its owner's browser is told: with a link that works for a while.
    pub fn describe(&self, owner: &Owner, record: &AttachmentRecord, now: Timestamp) -> Attachment {
        let mut attachment = describe(record, self.links.preview(owner, &record.id, now));
        if let Some(thread) = &record.thread_id {
            attachment.set_thread_id(thread.clone());
        }
        attachment
    }

    /// Items as their owner's browser is told: with links that work for a while. Links are never stored.
    pub fn show<'a>(
        &self,
        owner: &Owner,
        items: impl IntoIterator<Item = &'a mut ThreadItem>,
        now: Timestamp,
    ) {
        for item in items {
            if let ThreadItem::UserMessage(message) = item {
                for attachment in &mut message.attachments {
                    let id = attachment.id().clone();
                    attachment.set_preview_url(|| self.links.preview(owner, &id, now));
                }
            }
        }
    }

    /// The same page with links that work for a while.
    pub(crate) fn show_page(
        &self,
        owner: &Owner,
        mut page: Page<ThreadItem>,
        now: Timestamp,
    ) -> Page<ThreadItem> {
        self.show(owner, &mut page.data, now);
        page
    }

    /// Gives a model the bytes of the files in its input, the newest first, as many as it may have:
    /// all of them within [`model_bytes`](Self::model_bytes), those of messages before the question
    /// also within `earlier_tokens`. The others are only named.
    pub(crate) async fn read_files(
        &self,
        owner: &Owner,
        request: &mut ModelRequest,
        earlier_tokens: u64,
    ) {
        let mut room = FileRoom {
            bytes: self.model_bytes,
            tokens: None,
        };
        for input in request.input.iter_mut().rev() {
            let ModelInput::User(message) = input else {
                continue;
            };
            for file in &mut message.files {
                if let Err(error) = self.read(owner, file, &mut room).await {
                    // The answer goes on without it: the model is told its name.
                    tracing::warn!(error = &*error, id = %file.id, "cannot read an attachment");
                }
            }
            room.tokens.get_or_insert(earlier_tokens);
        }
    }

    /// Reads a file for a model, unless there is no room for it or it is nothing that models take.
    async fn read(
        &self,
        owner: &Owner,
        file: &mut ModelFile,
        room: &mut FileRoom,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let is_text = media::is_text(&file.media_type);
        let is_image = media::SHOWN_IMAGES.contains(&&*file.media_type);
        let is_pdf = file.media_type == media::PDF;
        let record = self.records.attachment(owner, &file.id).await?;
        file.size = Some(record.size);
        let tokens = tokens::of_file(file, record.size);
        if !(is_text || is_image || is_pdf) || !room.take(record.size, tokens) {
            return Ok(());
        }
        let chunks = self.files.get(record.file).await?;
        let bytes: BytesMut = chunks
            .try_fold(BytesMut::new(), async |mut all, chunk| {
                all.extend_from_slice(&chunk);
                Ok(all)
            })
            .await?;
        file.content = if is_text {
            // Text in another encoding is named only.
            String::from_utf8(bytes.into()).ok().map(FileContent::Text)
        } else if is_image {
            Some(FileContent::Image(bytes.freeze()))
        } else {
            Some(FileContent::Pdf(bytes.freeze()))
        };
        Ok(())
    }
}

/// How much of files a model may still be given.
struct FileRoom {
    bytes: u64,
    /// `None` for the files of the question itself, which only their bytes bound.
    tokens: Option<u64>,
}

impl FileRoom {
    /// Takes the room for a file, if there is enough.
    fn take(&mut self, bytes: u64, tokens: u64) -> bool {
        let has_room = bytes <= self.bytes && self.tokens.is_none_or(|left| tokens <= left);
        if has_room {
            self.bytes -= bytes;
            self.tokens = self.tokens.map(|left| left - tokens);
        }
        has_room
    }
}

/// Puts bytes where they belong while looking at them: no more than announced, and of the type that was named.
async fn keep(
    files: &dyn Files,
    record: &AttachmentRecord,
    bytes: &mut BytesIn<'_>,
) -> Result<crate::ports::Kept, FilesError> {
    let mut head = BytesMut::new();
    while head.len() < HEAD_BYTES
        && let Some(chunk) = bytes.next().await
    {
        head.extend_from_slice(&chunk?);
    }
    if !media::agrees(&record.media_type, &head) {
        return Err(Interrupted::WrongType.into());
    }
    let is_text = media::is_text(&record.media_type);
    let limit = record.size;
    let mut left = limit;
    let head = stream::iter([Ok(head.freeze())]);
    let mut looked_at = head
        .chain(bytes)
        .map(move |chunk: Result<Bytes, Interrupted>| {
            let chunk = chunk?;
            left = left
                .checked_sub(chunk.len() as u64)
                .ok_or(Interrupted::TooLarge { limit })?;
            if is_text && media::has_nul(&chunk) {
                return Err(Interrupted::WrongType);
            }
            Ok(chunk)
        });
    files.put(record.file, &mut looked_at).await
}

/// Removes the bytes of every attachment that is gone. Gives how many files that were.
///
/// It may run several times at once, and be broken off anywhere.
pub async fn remove_files(
    records: &dyn AttachmentStore,
    files: &dyn Files,
) -> Result<u64, StoreError> {
    let mut removed = 0;
    loop {
        let some = records.removed_files().await?;
        if some.is_empty() {
            return Ok(removed);
        }
        for file in &some {
            files
                .delete(*file)
                .await
                .map_err(|error| StoreError::Internal(Box::new(error)))?;
        }
        records.forget_removed_files(&some).await?;
        removed += some.len() as u64;
    }
}

fn describe(record: &AttachmentRecord, preview_url: String) -> Attachment {
    let (id, name, mime_type) = (
        record.id.clone(),
        record.name.clone(),
        record.media_type.clone(),
    );
    if media::SHOWN_IMAGES.contains(&&*record.media_type) {
        Attachment::Image(ImageAttachment {
            id,
            name,
            mime_type,
            preview_url,
            upload_descriptor: None,
            thread_id: None,
            metadata: None,
        })
    } else {
        Attachment::File(FileAttachment {
            id,
            name,
            mime_type,
            upload_descriptor: None,
            thread_id: None,
            metadata: None,
        })
    }
}

/// The last part of what may be a path, without what no file name has.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|character| !character.is_control())
        .take(MAX_NAME_CHARS)
        .collect();
    match clean.trim() {
        "" | "." | ".." => "file".to_owned(),
        clean => clean.to_owned(),
    }
}

fn missing(error: StoreError) -> Error {
    match error {
        StoreError::NotFound => Error::NoSuchFile,
        error => error.into(),
    }
}

fn already_sent() -> Error {
    Error::Conflict(
        "this file was sent already, or is just being sent; announce it again".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_no_path() {
        for (name, clean) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ada\\März 1.csv", "März 1.csv"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("", "file"),
            ("..", "file"),
            ("dir/", "file"),
        ] {
            assert_eq!(clean_name(name), clean, "{name}");
        }
        assert_eq!(clean_name(&"ä".repeat(300)).chars().count(), MAX_NAME_CHARS);
    }
}
