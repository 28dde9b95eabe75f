//! A change to a thread, encoded on its caller's thread.

use engine::attachments::held_by;
use engine::ports::{BeginRun, Change, Epoch, RequestRecord, RunEnd};
use protocol::{AttachmentId, ItemId, ThreadItem, ThreadPatch};

use crate::error::Error;
use crate::rows::{self, Stored};

/// A [`Change`] that is ready to be written.
pub(crate) struct EncodedChange {
    pub(crate) epoch: Option<Epoch>,
    pub(crate) begin: Option<BeginRun>,
    pub(crate) unqueue: Option<ItemId>,
    pub(crate) truncate_after: Option<ItemId>,
    pub(crate) remove: Vec<ItemId>,
    pub(crate) put: Vec<EncodedItem>,
    pub(crate) patch: ThreadPatch,
    pub(crate) title_if_none: Option<String>,
    pub(crate) request: Option<RequestRecord>,
    pub(crate) end: Option<RunEnd>,
}

impl EncodedChange {
    pub(crate) fn new(change: &Change) -> Result<Self, Error> {
        let Change {
            epoch,
            begin,
            unqueue,
            truncate_after,
            remove,
            put,
            patch,
            title_if_none,
            request,
            end,
        } = change.clone();
        Ok(Self {
            epoch,
            begin,
            unqueue,
            truncate_after,
            remove,
            put: put.iter().map(EncodedItem::new).collect::<Result<_, _>>()?,
            patch,
            title_if_none,
            request,
            end,
        })
    }

    /// The message that is taken out of the queue, and what becomes of it.
    pub(crate) fn unqueued(&self) -> Option<(&ItemId, Unqueued)> {
        let message = self.unqueue.as_ref()?;
        let becomes_item = self.put.iter().any(|put| put.id == *message);
        let fate = match &self.begin {
            _ if !becomes_item => Unqueued::TakenBack,
            Some(_) => Unqueued::Begins,
            None => Unqueued::Heard,
        };
        Some((message, fate))
    }
}

/// What becomes of a message that is taken out of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unqueued {
    /// It is gone, and its files with it.
    TakenBack,
    /// A run begins with it. It has to be in the queue: otherwise another run has taken it from there, and answers it.
    Begins,
    /// The run that lives hears it. It may be an item already, where the answer to this change was lost.
    Heard,
}

/// An item that is ready to be written.
pub(crate) struct EncodedItem {
    pub(crate) id: ItemId,
    pub(crate) stored: Stored,
    /// What a user's message brings along, or an image shows.
    pub(crate) attachments: Vec<AttachmentId>,
}

impl EncodedItem {
    pub(crate) fn new(item: &ThreadItem) -> Result<Self, Error> {
        Ok(Self {
            id: item.id().clone(),
            stored: rows::encode(item)?,
            attachments: held_by(item),
        })
    }
}
