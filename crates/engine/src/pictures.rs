//! Pictures that a model has drawn: kept as attachments are, tied to the item that shows them, and told to the model
//! again.
//!
//! A picture that is not finished is a file that no item holds: the next form of it takes its place, and what a process
//! that ended left behind goes with the files that were never sent.

use bytes::Bytes;
use protocol::{
    AttachmentId, Event, ItemUpdate, ThreadItem, Timestamp,
    item::{GeneratedImage as ShownImage, GeneratedImageItem},
};

use crate::{
    attachments::{Attachments, remove_files},
    context::{Owner, UploadRules},
    media,
    ports::{Announced, AttachmentRecord, FileId, GeneratedImage, Moment, Quota},
    uploads,
    words::Words,
};

/// The largest picture that is kept, in bytes.
pub(crate) const MAX_IMAGE_BYTES: u64 = 16 << 20;

/// Why a picture is not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    TooLarge,
    /// The person's files take all the room that they may.
    NoSpace {
        limit: u64,
    },
    /// It is no picture, or the storage is out of order; the log knows.
    Failed,
}

impl NotKept {
    /// What the person reads.
    pub(crate) fn words(&self) -> Words {
        match self {
            Self::NoSpace { limit } => Words::FilesTakeAllRoom { limit: *limit },
            Self::TooLarge | Self::Failed => Words::PictureNotKept,
        }
    }
}

/// The file that an item shows, where we keep it: its item then has no address, because ours end after a while.
pub fn kept_in(item: &ThreadItem) -> Option<AttachmentId> {
    match item {
        ThreadItem::GeneratedImage(GeneratedImageItem {
            image: Some(image), ..
        }) => ours(image),
        _ => None,
    }
}

fn ours(image: &ShownImage) -> Option<AttachmentId> {
    if image.url.is_empty() {
        image.id.parse().ok()
    } else {
        None
    }
}

/// A file of ours as an item names it.
pub(crate) fn shown(id: &AttachmentId) -> ShownImage {
    ShownImage {
        id: id.to_string(),
        url: String::new(),
    }
}

/// Takes out of what an agent says the pictures that would be ours: its own have an address.
pub(crate) fn disown(event: &mut Event) {
    match event {
        Event::ItemAdded { item } | Event::ItemDone { item } | Event::ItemReplaced { item } => {
            if let ThreadItem::GeneratedImage(item) = item
                && item
                    .image
                    .as_ref()
                    .is_some_and(|image| ours(image).is_some())
            {
                item.image = None;
            }
        }
        Event::ItemUpdated {
            update: ItemUpdate::GeneratedImageUpdated { image, .. },
            ..
        } if ours(image).is_some() => {
            // No address, and no name of ours either.
            image.id.clear();
        }
        _ => {}
    }
}

impl Attachments {
    /// Gives a picture of ours an address that works for a while.
    pub(crate) fn link(&self, owner: &Owner, image: &mut ShownImage, now: Timestamp) {
        if let Some(id) = ours(image) {
            image.url = self.links.preview(owner, &id, now);
        }
    }

    /// The same in what a run says.
    pub(crate) fn link_event(&self, owner: &Owner, event: &mut Event, now: impl Fn() -> Timestamp) {
        let image = match event {
            Event::ItemAdded {
                item: ThreadItem::GeneratedImage(item),
            }
            | Event::ItemDone {
                item: ThreadItem::GeneratedImage(item),
            }
            | Event::ItemReplaced {
                item: ThreadItem::GeneratedImage(item),
            } => item.image.as_mut(),
            Event::ItemUpdated {
                update: ItemUpdate::GeneratedImageUpdated { image, .. },
                ..
            } => Some(image),
            _ => None,
        };
        if let Some(image) = image {
            self.link(owner, image, now());
        }
    }

    /// Keeps a picture as a file of the owner's, which an item has still to take.
    pub(crate) async fn keep_image(
        &self,
        owner: &Owner,
        rules: &UploadRules,
        image: &GeneratedImage,
        Moment { now, id: number }: Moment,
    ) -> Result<AttachmentId, NotKept> {
        let size = image.bytes.len() as u64;
        if size > MAX_IMAGE_BYTES {
            return Err(NotKept::TooLarge);
        }
        let record = AttachmentRecord {
            id: AttachmentId::mint(number),
            file: FileId(number),
            name: format!("image.{}", media::extension(image.media_type)),
            media_type: image.media_type.to_owned(),
            size,
            sha256: None,
            created_at: now,
            // What a session may send is about what a person sends.
            session: None,
            thread_id: None,
        };
        let quota = Quota {
            bytes: rules.max_owner_bytes,
            session_files: None,
            unsent_files: u32::MAX,
        };
        match self.records.announce(owner, &record, quota).await {
            Ok(Announced::Accepted) => {}
            Ok(Announced::NoSpace | Announced::TooMany | Announced::TooManyUnsent) => {
                return Err(NotKept::NoSpace {
                    limit: rules.max_owner_bytes,
                });
            }
            Err(error) => return Err(failed(&error)),
        }
        let bytes: Bytes = image.bytes.clone();
        let mut bytes = futures::stream::iter([Ok(bytes)]);
        let kept = match uploads::keep(&*self.files, &record, &mut bytes).await {
            Ok(kept) => self
                .records
                .complete(owner, &record.id, kept)
                .await
                .map_err(|error| failed(&error)),
            Err(error) => Err(failed(&error)),
        };
        if let Err(error) = kept {
            self.drop_image(owner, &record.id).await;
            return Err(error);
        }
        Ok(record.id)
    }

    /// Removes a picture that no item has taken. What cannot be removed now, the purge removes.
    pub(crate) async fn drop_image(&self, owner: &Owner, id: &AttachmentId) {
        let dropped = match self.records.discard(owner, id).await {
            Ok(()) => remove_files(&*self.records, &*self.files).await.map(|_| ()),
            Err(error) => Err(error),
        };
        if let Err(error) = dropped {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                %id,
                "cannot remove a picture that was not finished"
            );
        }
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> NotKept {
    tracing::warn!(error, "a picture that a model has drawn cannot be kept");
    NotKept::Failed
}
