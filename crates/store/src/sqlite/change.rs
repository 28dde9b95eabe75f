//! A change to a thread, written in one transaction.

use engine::Owner;
use engine::ports::Epoch;
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::rows::Stored;
use crate::rows::change::{EncodedChange, EncodedItem};
use crate::sqlite::threads::{ThreadKey, edit_thread, truncate_after_item};
use crate::sqlite::{attachments, runs};

impl EncodedChange {
    /// Whether it is written already, because it began the run that the thread has.
    pub(in crate::sqlite) fn has_begun(
        &self,
        connection: &Connection,
        thread: ThreadKey,
    ) -> Result<bool, Error> {
        match &self.begin {
            Some(begin) => runs::has_begun(connection, thread, begin),
            None => Ok(false),
        }
    }

    /// Writes all of it, in the order that [`Change`](engine::ports::Change) promises, and tells the epoch afterwards.
    pub(in crate::sqlite) fn apply(
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
        if let Some((message, fate)) = self.unqueued() {
            runs::unqueue(connection, thread, message, fate)?;
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

impl EncodedItem {
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
