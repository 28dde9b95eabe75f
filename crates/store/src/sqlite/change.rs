//! A change to a thread: encoded by the caller, written in one transaction.

use engine::Owner;
use engine::attachments::held_by;
use engine::ports::{BeginRun, Change, Epoch, RequestRecord, RunEnd};
use protocol::{AttachmentId, ItemId, ThreadItem, ThreadPatch};
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::rows::{self, Stored};
use crate::sqlite::threads::{ThreadKey, edit_thread, truncate_after_item};
use crate::sqlite::{attachments, runs};

/// A [`Change`] that is ready to be written.
pub(super) struct EncodedChange {
    epoch: Option<Epoch>,
    begin: Option<BeginRun>,
    unqueue: Option<ItemId>,
    truncate_after: Option<ItemId>,
    remove: Vec<ItemId>,
    put: Vec<EncodedItem>,
    patch: ThreadPatch,
    title_if_none: Option<String>,
    request: Option<RequestRecord>,
    end: Option<RunEnd>,
}

impl EncodedChange {
    pub(super) fn new(change: &Change) -> Result<Self, Error> {
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

    /// Writes all of it, in the order that [`Change`] promises, and tells the epoch afterwards.
    pub(super) fn apply(
        &self,
        connection: &Connection,
        owner: &Owner,
        mut thread: ThreadKey,
    ) -> Result<Epoch, Error> {
        if self.epoch.is_some_and(|epoch| epoch != thread.epoch) {
            return Err(Error::Fenced);
        }
        if let Some(begin) = &self.begin {
            thread.epoch = runs::begin(connection, thread, begin)?;
        }
        if let Some(item) = &self.unqueue {
            let becomes_item = self.put.iter().any(|put| put.id == *item);
            runs::unqueue(connection, thread, item, becomes_item)?;
        }
        if let Some(item) = &self.truncate_after {
            truncate_after_item(connection, thread, item)?;
        }
        for item in &self.remove {
            connection
                .prepare_cached("DELETE FROM items WHERE thread = ?1 AND id = ?2")?
                .execute(params![thread.key, item.as_str()])?;
        }
        for item in &self.put {
            item.put(connection, thread)?;
        }
        if !self.patch.is_empty() || self.title_if_none.is_some() {
            edit_thread(connection, thread, |metadata| {
                metadata.apply(self.patch.clone());
                let title = metadata.title.take().or_else(|| self.title_if_none.clone());
                metadata.title = title;
            })?;
        }
        if let Some(request) = &self.request {
            runs::remember(connection, owner, thread, request)?;
        }
        if let Some(end) = self.end {
            runs::end(connection, thread, end)?;
        }
        Ok(thread.epoch)
    }
}

/// An item that is ready to be written.
pub(super) struct EncodedItem {
    pub(super) id: ItemId,
    pub(super) stored: Stored,
    /// What a user's message brings along, or an image shows.
    pub(super) attachments: Vec<AttachmentId>,
}

impl EncodedItem {
    pub(super) fn new(item: &ThreadItem) -> Result<Self, Error> {
        Ok(Self {
            id: item.id().clone(),
            stored: rows::encode(item)?,
            attachments: held_by(item),
        })
    }

    /// Adds it at the end, or replaces the item of the same id where it stands.
    fn put(&self, connection: &Connection, thread: ThreadKey) -> Result<(), Error> {
        let Stored { version, data } = &self.stored;
        connection
            .prepare_cached(
                "INSERT INTO items (thread, id, version, data) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (thread, id) DO UPDATE
                     SET version = excluded.version, data = excluded.data",
            )?
            .execute(params![thread.key, self.id.as_str(), version, data])?;
        attachments::tie(connection, thread.key, self.id.as_str(), &self.attachments)
    }
}
