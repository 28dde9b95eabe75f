//! Files that people send: announced, taken in, tied to messages, and given up.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use protocol::{
    Attachment, AttachmentId, ThreadId, Timestamp,
    attachment::{FileAttachment, ImageAttachment},
    request::AttachmentsCreate,
};

use crate::{
    attachments::{Attachments, describe, remove_files},
    context::{Owner, RequestContext},
    engine::Engine,
    error::Error,
    media,
    ports::{
        Announced, AttachmentRecord, BytesIn, FileId, Files, FilesError, Interrupted, Quota,
        StoreError,
    },
    words::{Message, Words},
};

/// How much of a file is looked at to see what it is.
const HEAD_BYTES: usize = 512;
/// Longest file name that is kept, in characters.
const MAX_NAME_CHARS: usize = 200;
/// How long a file may wait for its message.
const UNSENT_FOR: Duration = Duration::from_hours(24);

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
        mut file: NewFile,
        bytes: &mut BytesIn<'_>,
    ) -> Result<Attachment, Error> {
        let head = read_head(bytes).await.map_err(Error::Upload)?;
        let types = &context.uploads.media_types;
        file.media_type = types.rename(file.media_type, &head);
        let record = self.announce(context, file).await?;
        let mut bytes = stream::iter([Ok(head)]).chain(bytes);
        self.receive(&context.owner, record, &mut bytes).await
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
            Announced::NoSpace => Err(Error::UploadQuota(Words::FilesTakeAllRoom {
                limit: rules.max_owner_bytes,
            })),
            Announced::TooMany => Err(Error::UploadQuota(Words::TooManySessionFiles {
                most: rules.max_session_files.unwrap_or_default(),
            })),
            Announced::TooManyUnsent => Err(Error::UploadQuota(Words::TooManyUnsentFiles {
                most: rules.max_unsent_files,
            })),
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
            return Err(Error::Conflict(Words::FileIsPartOfMessage));
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
        let refused = |message: Message| Error::Invalid {
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
            return Err(refused(Words::TooManyFiles { most }.into()));
        }
        let mut found: Vec<Attachment> = Vec::with_capacity(ids.len());
        for id in ids {
            if found.iter().any(|other| other.id() == id) {
                return Err(refused("the same file is named twice".into()));
            }
            let record = match self
                .attachments
                .records
                .attachment(&context.owner, id)
                .await
            {
                Ok(record) => record,
                Err(StoreError::NotFound) => {
                    return Err(refused(Words::FileOfMessageIsGone.into()));
                }
                Err(error) => return Err(error.into()),
            };
            if record.sha256.is_none() {
                return Err(refused(
                    "a file of this message is not uploaded yet; send its bytes first".into(),
                ));
            }
            if record.thread_id.is_some() {
                return Err(refused(Words::FileOfMessageIsUsed.into()));
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

/// Puts bytes where they belong while looking at them: no more than announced, and of the type that was named.
pub(crate) async fn keep(
    files: &dyn Files,
    record: &AttachmentRecord,
    bytes: &mut BytesIn<'_>,
) -> Result<crate::ports::Kept, FilesError> {
    let head = read_head(bytes).await?;
    if !media::agrees(&record.media_type, &head) {
        return Err(Interrupted::WrongType.into());
    }
    let has_no_nul = media::is_text(&record.media_type) && !media::is_utf16(&head);
    let limit = record.size;
    let mut left = limit;
    let head = stream::iter([Ok(head)]);
    let mut looked_at = head
        .chain(bytes)
        .map(move |chunk: Result<Bytes, Interrupted>| {
            let chunk = chunk?;
            left = left
                .checked_sub(chunk.len() as u64)
                .ok_or(Interrupted::TooLarge { limit })?;
            if has_no_nul && media::has_nul(&chunk) {
                return Err(Interrupted::WrongType);
            }
            Ok(chunk)
        });
    files.put(record.file, &mut looked_at).await
}

/// As much of a file as is looked at, and what came with it.
async fn read_head(bytes: &mut BytesIn<'_>) -> Result<Bytes, Interrupted> {
    let mut head = BytesMut::new();
    while head.len() < HEAD_BYTES
        && let Some(chunk) = bytes.next().await
    {
        head.extend_from_slice(&chunk?);
    }
    Ok(head.freeze())
}

/// The last part of what may be a path, without what no file name has.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|character| !character.is_control() && !turns_writing(*character))
        .take(MAX_NAME_CHARS)
        .collect();
    match clean.trim() {
        "" | "." | ".." => "file".to_owned(),
        clean => clean.to_owned(),
    }
}

/// Whether a character turns the direction of what follows, so that `a\u{202e}gpj.exe` is read as `aexe.jpg`.
fn turns_writing(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn missing(error: StoreError) -> Error {
    match error {
        StoreError::NotFound => Error::NoSuchFile,
        error => error.into(),
    }
}

fn already_sent() -> Error {
    Error::Conflict(Words::FileSentAlready)
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
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("\u{2066}a\u{2069}\u{9d}.txt", "a.txt"),
            ("", "file"),
            ("..", "file"),
            ("dir/", "file"),
        ] {
            assert_eq!(clean_name(name), clean, "{name}");
        }
        assert_eq!(clean_name(&"ä".repeat(300)).chars().count(), MAX_NAME_CHARS);
    }
}
