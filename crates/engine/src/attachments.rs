//! Files that people sent: shown to browsers and models, and removed.

use std::sync::Arc;

use bytes::BytesMut;
use futures::TryStreamExt;
use protocol::{
    Attachment, AttachmentId, Page, ThreadItem, Timestamp,
    attachment::{FileAttachment, ImageAttachment},
};

use crate::{
    context::Owner,
    media, pictures,
    ports::{
        AttachmentRecord, AttachmentStore, FileContent, Files, FilesError, Links, ModelFile,
        ModelInput, ModelRequest, StoreError,
    },
    tokens,
};

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
            match item {
                ThreadItem::UserMessage(message) => {
                    for attachment in &mut message.attachments {
                        let id = attachment.id().clone();
                        attachment.set_preview_url(|| self.links.preview(owner, &id, now));
                    }
                }
                ThreadItem::GeneratedImage(item) => {
                    if let Some(image) = &mut item.image {
                        self.link(owner, image, now);
                    }
                }
                _ => {}
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
            let (files, is_message) = match input {
                ModelInput::User(message) => (message.files.as_mut_slice(), true),
                ModelInput::Drawn(file) => (std::slice::from_mut(file), false),
                _ => continue,
            };
            for file in files {
                if let Err(error) = self.read(owner, file, &mut room).await {
                    // The answer goes on without it: the model is told its name.
                    tracing::warn!(error = &*error, id = %file.id, "cannot read an attachment");
                }
            }
            if is_message {
                room.tokens.get_or_insert(earlier_tokens);
            }
        }
    }

    /// Reads a file for a model, unless there is no room for it or it is nothing that models take.
    async fn read(
        &self,
        owner: &Owner,
        file: &mut ModelFile,
        room: &mut FileRoom,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let record = self.records.attachment(owner, &file.id).await?;
        file.size = Some(record.size);
        if file.media_type.is_empty() {
            // The item that shows a picture does not say.
            (file.name, file.media_type) = (record.name, record.media_type);
        }
        let is_text = media::is_text(&file.media_type);
        let is_image = media::SHOWN_IMAGES.contains(&&*file.media_type);
        let is_pdf = file.media_type == media::PDF;
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
            media::text(bytes.into()).map(FileContent::Text)
        } else if is_image {
            Some(FileContent::Image(bytes.freeze()))
        } else {
            Some(FileContent::Pdf(bytes.freeze()))
        };
        Ok(())
    }
}

/// The attachments that an item holds: they are tied to it when it is saved, and go when it goes.
pub fn held_by(item: &ThreadItem) -> Vec<AttachmentId> {
    match item {
        ThreadItem::UserMessage(message) => {
            let attachments = message.attachments.iter();
            attachments.map(|one| one.id().clone()).collect()
        }
        item => pictures::kept_in(item).into_iter().collect(),
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

/// Files that cannot be removed now, and are tried again the next time.
#[derive(Debug, thiserror::Error)]
#[error("{count} files of what was deleted could not be removed yet, and will be tried again")]
struct FilesLeft {
    count: u64,
    /// Why the first of them could not be.
    #[source]
    first: FilesError,
}

/// Removes the bytes of every attachment that is gone. Gives how many files that were. One that cannot be removed is in the
/// way of no other.
///
/// It may run several times at once, and be broken off anywhere.
///
/// # Errors
///
/// [`StoreError::Internal`] where some are left, once all the others are gone.
pub async fn remove_files(
    records: &dyn AttachmentStore,
    files: &dyn Files,
) -> Result<u64, StoreError> {
    let mut removed = 0;
    let mut left: Option<FilesLeft> = None;
    let mut last = None;
    loop {
        let mut some = records.removed_files(last).await?;
        let Some(end) = some.last().copied() else {
            return match left {
                None => Ok(removed),
                Some(left) => Err(StoreError::Internal(Box::new(left))),
            };
        };
        last = Some(end);
        let mut stay = Vec::new();
        for file in &some {
            if let Err(first) = files.delete(*file).await {
                stay.push(*file);
                left.get_or_insert(FilesLeft { count: 0, first }).count += 1;
            }
        }
        some.retain(|file| !stay.contains(file));
        records.forget_removed_files(&some).await?;
        removed += some.len() as u64;
    }
}

pub(crate) fn describe(record: &AttachmentRecord, preview_url: String) -> Attachment {
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
