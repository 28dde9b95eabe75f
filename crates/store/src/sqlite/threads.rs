//! Conversations in SQLite: the engine's `Store` port.
//!
//! Every query carries the owner. A thread that belongs to somebody else is looked for in the same index, by the same
//! statement, with the same result as one that never was.

use async_trait::async_trait;
use engine::ports::{
    Change, Epoch, LastUse, Match, Newest, PageQuery, RequestRecord, Room, RunRecord, Standing,
    Store, StoreError,
};
use engine::search::Wanted;
use engine::{Owner, Project, WorkflowId};
use protocol::request::{FeedbackKind, Order};
use protocol::{ItemId, Page, ThreadId, ThreadItem, ThreadMetadata, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::rows::change::{EncodedChange, EncodedItem};
use crate::rows::page::{
    Place, Side, border_of_gone, low_and_high, neighbour_of_gone, place_of_gone, travels,
};
use crate::rows::{self, Stored};
use crate::search::Times;
use crate::sqlite::{Sqlite, removal, runs, schema, search};

#[async_trait]
impl Store for Sqlite {
    async fn create_thread(
        &self,
        owner: &Owner,
        thread: &ThreadMetadata,
        change: &Change,
    ) -> Result<Epoch, StoreError> {
        // Encoded here, on the caller's thread: the writer has nothing to do but write.
        let (owner, id, created_at) = (owner.clone(), thread.id.clone(), thread.created_at);
        let (thread, change) = (rows::encode(thread)?, EncodedChange::new(change)?);
        self.write(move |connection| {
            match insert_thread(connection, &owner, &id, created_at, &thread) {
                Ok(thread) => change.apply(connection, &owner, thread),
                Err(Error::Conflict) => {
                    let thread = find_thread(connection, &owner, &id)?;
                    if change.has_begun(connection, thread)? {
                        return Ok(thread.epoch);
                    }
                    Err(Error::Conflict)
                }
                Err(error) => Err(error),
            }
        })
        .await
        .map_err(StoreError::from)
    }

    async fn thread(&self, owner: &Owner, id: &ThreadId) -> Result<ThreadMetadata, StoreError> {
        let (owner, id) = (owner.clone(), id.clone());
        self.read(move |connection| {
            read_one(
                connection,
                "SELECT version, data FROM threads WHERE owner = ?1 AND id = ?2",
                params![owner.as_str(), id.as_str()],
            )
        })
        .await
        .map_err(StoreError::from)
    }

    async fn threads(
        &self,
        owner: &Owner,
        query: &PageQuery,
    ) -> Result<Page<ThreadMetadata>, StoreError> {
        let (owner, query) = (owner.clone(), query.clone());
        self.read(move |connection| page_of_threads(connection, &owner, &query))
            .await
            .map_err(StoreError::from)
    }

    async fn search(
        &self,
        owner: &Owner,
        wanted: &Wanted,
        query: &PageQuery,
    ) -> Result<Page<Match>, StoreError> {
        let (owner, wanted, query) = (owner.clone(), wanted.clone(), query.clone());
        Sqlite::search(self, move |connection| {
            search::search(connection, &owner, &wanted, &query, Times::default())
        })
        .await
        .map_err(StoreError::from)
    }

    async fn threads_in(
        &self,
        project: &Project,
        query: &PageQuery,
    ) -> Result<Page<(Owner, ThreadMetadata)>, StoreError> {
        let (project, query) = (project.clone(), query.clone());
        self.read(move |connection| page_of_project(connection, &project, &query))
            .await
            .map_err(StoreError::from)
    }

    async fn owner_in(&self, project: &Project, thread: &ThreadId) -> Result<Owner, StoreError> {
        let (project, thread) = (project.clone(), thread.clone());
        self.read(move |connection| {
            let owner: String = connection
                .prepare_cached("SELECT owner FROM threads WHERE project = ?1 AND id = ?2")?
                .query_row([project.as_str(), thread.as_str()], |row| row.get(0))?;
            Ok(Owner::new(owner))
        })
        .await
        .map_err(StoreError::from)
    }

    async fn items(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        query: &PageQuery,
    ) -> Result<Page<ThreadItem>, StoreError> {
        let (owner, thread, query) = (owner.clone(), thread.clone(), query.clone());
        self.read(move |connection| page_of_items(connection, &owner, &thread, &query))
            .await
            .map_err(StoreError::from)
    }

    async fn newest_items(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        before: Option<&ItemId>,
        room: Room,
    ) -> Result<Newest, StoreError> {
        let (owner, thread, before) = (owner.clone(), thread.clone(), before.cloned());
        self.read(move |connection| {
            let thread = find_thread(connection, &owner, &thread)?;
            newest_items(connection, thread, before.as_ref(), room)
        })
        .await
        .map_err(StoreError::from)
    }

    async fn item(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        item: &ItemId,
    ) -> Result<ThreadItem, StoreError> {
        let (owner, thread, item) = (owner.clone(), thread.clone(), item.clone());
        self.read(move |connection| {
            read_one(
                connection,
                "SELECT version, data FROM items
                 WHERE thread = (SELECT key FROM threads WHERE owner = ?1 AND id = ?2)
                   AND id = ?3",
                params![owner.as_str(), thread.as_str(), item.as_str()],
            )
        })
        .await
        .map_err(StoreError::from)
    }

    async fn apply(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        change: &Change,
    ) -> Result<Epoch, StoreError> {
        let (owner, id) = (owner.clone(), thread.clone());
        let change = EncodedChange::new(change)?;
        self.write(move |connection| {
            let thread = find_thread(connection, &owner, &id)?;
            if change.has_begun(connection, thread)? {
                return Ok(thread.epoch);
            }
            if let Some(begin) = &change.begin
                && !begin.goes_first
                && runs::is_behind(connection, thread, change.unqueue.as_ref())?
            {
                return Err(Error::Behind);
            }
            change.apply(connection, &owner, thread)
        })
        .await
        .map_err(StoreError::from)
    }

    async fn enqueue(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        message: &ThreadItem,
        request: Option<&RequestRecord>,
        most: u32,
    ) -> Result<(), StoreError> {
        let (owner, thread) = (owner.clone(), thread.clone());
        let (message, request) = (EncodedItem::new(message)?, request.cloned());
        self.write(move |connection| {
            let thread = find_thread(connection, &owner, &thread)?;
            runs::enqueue(connection, &owner, thread, &message, most)?;
            if let Some(request) = &request {
                runs::remember(connection, &owner, thread, request)?;
            }
            Ok(())
        })
        .await
        .map_err(StoreError::from)
    }

    async fn standing(&self, owner: &Owner, thread: &ThreadId) -> Result<Standing, StoreError> {
        let (owner, thread) = (owner.clone(), thread.clone());
        self.read(move |connection| {
            let thread = find_thread(connection, &owner, &thread)?;
            runs::standing(connection, thread)
        })
        .await
        .map_err(StoreError::from)
    }

    async fn request(
        &self,
        owner: &Owner,
        key: &str,
    ) -> Result<Option<(ThreadId, RequestRecord)>, StoreError> {
        let (owner, key) = (owner.clone(), key.to_owned());
        self.read(move |connection| runs::find_request(connection, &owner, &key))
            .await
            .map_err(StoreError::from)
    }

    async fn left_behind(
        &self,
        limit: u32,
    ) -> Result<Vec<(Owner, ThreadId, RunRecord)>, StoreError> {
        self.read(move |connection| runs::left_behind(connection, limit))
            .await
            .map_err(StoreError::from)
    }

    async fn delete_thread(&self, owner: &Owner, thread: &ThreadId) -> Result<(), StoreError> {
        Ok(self.remove_thread(owner, thread, None).await?)
    }

    async fn delete_idle_thread(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(self.remove_thread(owner, thread, Some(since)).await?)
    }

    async fn last_uses(&self, after: i64, limit: u32) -> Result<Vec<LastUse>, StoreError> {
        let read = self.read(move |connection| {
            let mut found = connection.prepare_cached(
                "SELECT key, owner, id, workflow, coalesce(active_at, created_at) FROM threads
                 WHERE key > ?1 AND gone_from IS NULL ORDER BY key LIMIT ?2",
            )?;
            let rows = found.query_and_then(params![after, limit], read_last_use)?;
            rows.collect()
        });
        Ok(read.await?)
    }

    async fn save_feedback(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        items: &[ItemId],
        kind: FeedbackKind,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (owner, thread, items) = (owner.clone(), thread.clone(), items.to_vec());
        self.write(move |connection| {
            let key = find_thread(connection, &owner, &thread)?;
            let items = items
                .iter()
                .map(|item| find_item(connection, key, item.as_str()))
                .collect::<Result<Vec<_>, _>>()?;
            for item in items {
                connection
                    .prepare_cached(
                        "INSERT INTO feedback (item, kind, at) VALUES (?1, ?2, ?3)
                         ON CONFLICT (item) DO UPDATE SET kind = excluded.kind, at = excluded.at",
                    )?
                    .execute(params![item, rows::kind_name(kind), at.as_microsecond()])?;
            }
            Ok(())
        })
        .await
        .map_err(StoreError::from)
    }

    async fn message_bytes(&self, owner: &Owner) -> Result<u64, StoreError> {
        let owner = owner.clone();
        self.read(move |connection| {
            let bytes: Option<i64> = connection
                .prepare_cached("SELECT bytes FROM message_bytes WHERE owner = ?1")?
                .query_row([owner.as_str()], |row| row.get(0))
                .optional()?;
            Ok(bytes.map_or(0, |bytes| u64::try_from(bytes).unwrap_or_default()))
        })
        .await
        .map_err(StoreError::from)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write(schema::probe).await.map_err(StoreError::from)
    }
}

impl Sqlite {
    async fn remove_thread(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        unused_since: Option<Timestamp>,
    ) -> Result<(), Error> {
        let (owner, thread) = (owner.clone(), thread.clone());
        let begun = self.write(move |connection| {
            let key = removal::take(connection, &owner, &thread, unused_since)?;
            Ok((key, removal::step(connection, key)?))
        });
        let (key, mut is_gone) = begun.await?;
        while !is_gone {
            let step = self.write(move |connection| removal::step(connection, key));
            is_gone = step.await?;
        }
        Ok(())
    }
}

fn read_last_use(row: &Row<'_>) -> Result<LastUse, Error> {
    let (owner, thread): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(LastUse {
        number: row.get(0)?,
        owner: Owner::new(owner),
        thread: thread.parse().map_err(Error::internal)?,
        workflow: row.get::<_, Option<String>>(3)?.map(WorkflowId::new),
        at: Timestamp::from_microsecond(row.get(4)?).map_err(Error::internal)?,
    })
}

/// A thread's row, had only from [`find_thread`] and [`insert_thread`], which ask for the owner.
///
/// Keys are never used twice, so whoever holds one may touch what hangs on it, even when the thread has gone meanwhile.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThreadKey {
    pub(super) key: i64,
    /// Holds for as long as the transaction does.
    pub(super) epoch: Epoch,
}

fn find_thread(
    connection: &Connection,
    owner: &Owner,
    thread: &ThreadId,
) -> Result<ThreadKey, Error> {
    let found = connection
        .prepare_cached("SELECT key, epoch FROM threads WHERE owner = ?1 AND id = ?2")?
        .query_row(params![owner.as_str(), thread.as_str()], |row| {
            Ok(ThreadKey {
                key: row.get(0)?,
                epoch: runs::epoch(row, 1)?,
            })
        })?;
    Ok(found)
}

fn insert_thread(
    connection: &Connection,
    owner: &Owner,
    id: &ThreadId,
    created_at: Timestamp,
    thread: &Stored,
) -> Result<ThreadKey, Error> {
    let key = connection
        .prepare_cached(
            "INSERT INTO threads (owner, id, created_at, version, data) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![
            owner.as_str(),
            id.as_str(),
            created_at.as_microsecond(),
            thread.version,
            thread.data,
        ])?;
    Ok(ThreadKey {
        key,
        epoch: Epoch(0),
    })
}

pub(super) fn find_item(
    connection: &Connection,
    thread: ThreadKey,
    item: &str,
) -> Result<i64, Error> {
    let key = connection
        .prepare_cached("SELECT key FROM items WHERE thread = ?1 AND id = ?2")?
        .query_row(params![thread.key, item], |row| row.get(0))?;
    Ok(key)
}

pub(super) fn truncate_after_item(
    connection: &Connection,
    thread: ThreadKey,
    item: &ItemId,
) -> Result<(), Error> {
    let item = find_item(connection, thread, item.as_str())?;
    connection
        .prepare_cached("DELETE FROM items WHERE thread = ?1 AND key > ?2")?
        .execute(params![thread.key, item])?;
    Ok(())
}

/// Changes what is known about a thread. Nobody comes between: the writer is alone.
pub(super) fn edit_thread(
    connection: &Connection,
    thread: ThreadKey,
    edit: impl FnOnce(&mut ThreadMetadata),
) -> Result<(), Error> {
    let sql = "SELECT version, data FROM threads WHERE key = ?1";
    let mut metadata: ThreadMetadata = read_one(connection, sql, params![thread.key])?;
    edit(&mut metadata);
    let Stored { version, data } = rows::encode(&metadata)?;
    connection
        .prepare_cached("UPDATE threads SET version = ?2, data = ?3 WHERE key = ?1")?
        .execute(params![thread.key, version, data])?;
    Ok(())
}

/// Pages begin right after a row that the index finds, so page one thousand costs what page one costs.
pub(super) fn page_of_threads(
    connection: &Connection,
    owner: &Owner,
    query: &PageQuery,
) -> Result<Page<ThreadMetadata>, Error> {
    let (low, high) = thread_bounds(query, |id| place_of_owned(connection, owner, id))?;
    let sql = format!(
        "SELECT version, data, id FROM threads WHERE owner = ?1 {}",
        range_of_threads(low.as_ref(), high.as_ref(), travels(query))
    );
    let ((low_at, low_id), (high_at, high_id)) =
        (low.unwrap_or_default(), high.unwrap_or_default());
    let params = params![owner.as_str(), low_at, low_id, high_at, high_id];
    read_page(connection, &sql, query, params, read_stored)
}

/// How a statement about an owner's threads, newest first, goes on so that it begins behind the one of this id: `?2` and
/// `?3` are that one's place.
pub(super) fn threads_before(
    connection: &Connection,
    owner: &Owner,
    after: Option<&str>,
) -> Result<(&'static str, Place), Error> {
    let Some(after) = after else {
        return Ok(("ORDER BY created_at DESC, id DESC", Place::default()));
    };
    let place = place_of(after, 1, |id| place_of_owned(connection, owner, id))?;
    let range = "AND (created_at, id) < (?2, ?3) ORDER BY created_at DESC, id DESC";
    Ok((range, place))
}

/// See [`page_of_threads`].
fn page_of_project(
    connection: &Connection,
    project: &Project,
    query: &PageQuery,
) -> Result<Page<(Owner, ThreadMetadata)>, Error> {
    let (low, high) = thread_bounds(query, |id| {
        connection
            .prepare_cached("SELECT created_at, id FROM threads WHERE project = ?1 AND id = ?2")?
            .query_row([project.as_str(), id], read_place)
    })?;
    let sql = format!(
        "SELECT version, data, id, owner FROM threads WHERE project = ?1 {}",
        range_of_threads(low.as_ref(), high.as_ref(), travels(query))
    );
    let ((low_at, low_id), (high_at, high_id)) =
        (low.unwrap_or_default(), high.unwrap_or_default());
    let params = params![project.as_str(), low_at, low_id, high_at, high_id];
    read_page(connection, &sql, query, params, |row| {
        let owner = row.get::<_, String>("owner")?;
        Ok((Owner::new(owner), read_stored(row)?))
    })
}

/// See [`page_of_threads`].
pub(super) fn page_of_items(
    connection: &Connection,
    owner: &Owner,
    thread: &ThreadId,
    query: &PageQuery,
) -> Result<Page<ThreadItem>, Error> {
    let thread = find_thread(connection, owner, thread)?;
    let bound = |id: &Option<String>, side| match id {
        Some(id) => bound_of_items(connection, thread, id, side),
        None => Ok(None),
    };
    let (low, high) = low_and_high(query.order, &query.after, &query.before);
    let low = bound(low, Side::Behind)?.unwrap_or(i64::MIN);
    let high = bound(high, Side::Before)?.unwrap_or(i64::MAX);
    let sql = match travels(query) {
        Order::Asc => {
            "SELECT version, data, id FROM items WHERE thread = ?1 AND key > ?2 AND key < ?3
             ORDER BY key LIMIT ?4"
        }
        Order::Desc => {
            "SELECT version, data, id FROM items WHERE thread = ?1 AND key > ?2 AND key < ?3
             ORDER BY key DESC LIMIT ?4"
        }
    };
    let params = params![thread.key, low, high];
    read_page(connection, sql, query, params, read_stored)
}

/// The key beyond which items lie on one side of this one, also when it is gone; `None` where all of them do.
fn bound_of_items(
    connection: &Connection,
    thread: ThreadKey,
    id: &str,
    side: Side,
) -> Result<Option<i64>, Error> {
    match find_item(connection, thread, id) {
        Err(Error::NotFound) => {
            let border = border_of_gone(id, side).ok_or(Error::NotFound)?;
            let sql = neighbour_of_gone("thread = ?1", "?2", side);
            let neighbour = connection
                .prepare_cached(&sql)?
                .query_row(params![thread.key, border], |row| row.get(0))?;
            Ok(neighbour)
        }
        found => found.map(Some),
    }
}

/// Reads backwards and stops at the first item that does not fit: SQLite gives rows one at a time, so nothing else of
/// the thread is in memory.
fn newest_items(
    connection: &Connection,
    thread: ThreadKey,
    before: Option<&ItemId>,
    room: Room,
) -> Result<Newest, Error> {
    let before = before
        .map(|item| find_item(connection, thread, item.as_str()))
        .transpose()?
        .unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT version, data FROM items WHERE thread = ?1 AND key < ?2 ORDER BY key DESC",
    )?;
    let mut rows = statement.query(params![thread.key, before])?;
    let mut newest = Newest::default();
    let mut left = room.bytes;
    while let Some(row) = rows.next()? {
        let is_full = newest.items.len() >= room.items as usize;
        match left.checked_sub(stored_bytes(row)?) {
            Some(rest) if !is_full => left = rest,
            _ => {
                newest.has_more = true;
                break;
            }
        }
        newest.items.push(read_stored(row)?);
    }
    newest.items.reverse();
    Ok(newest)
}

fn place_of_owned(connection: &Connection, owner: &Owner, id: &str) -> rusqlite::Result<Place> {
    connection
        .prepare_cached("SELECT created_at, id FROM threads WHERE owner = ?1 AND id = ?2")?
        .query_row([owner.as_str(), id], read_place)
}

fn read_place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok((row.get(0)?, row.get(1)?))
}

/// Between which places the wanted threads are; both are outside.
fn thread_bounds(
    query: &PageQuery,
    place: impl Fn(&str) -> rusqlite::Result<Place>,
) -> Result<(Option<Place>, Option<Place>), Error> {
    let find = |id: &Option<String>, rounded_up| {
        id.as_deref()
            .map(|id| place_of(id, rounded_up, &place))
            .transpose()
    };
    let (low, high) = low_and_high(query.order, &query.after, &query.before);
    Ok((find(low, 0)?, find(high, 1)?))
}

/// Where a thread stands, or stood.
fn place_of(
    id: &str,
    rounded_up: i64,
    place: impl Fn(&str) -> rusqlite::Result<Place>,
) -> rusqlite::Result<Place> {
    match place(id) {
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            place_of_gone(id, rounded_up).ok_or(rusqlite::Error::QueryReturnedNoRows)
        }
        found => found,
    }
}

/// The end of a statement: the threads between two places, `(?2, ?3)` and `(?4, ?5)`, at most `?6`. A bound that is not
/// there is not asked about, which would cost a comparison for each row.
fn range_of_threads(low: Option<&Place>, high: Option<&Place>, order: Order) -> String {
    let low = low.map_or("", |_| "AND (created_at, id) > (?2, ?3)");
    let high = high.map_or("", |_| "AND (created_at, id) < (?4, ?5)");
    let order = match order {
        Order::Asc => "ORDER BY created_at, id",
        Order::Desc => "ORDER BY created_at DESC, id DESC",
    };
    format!("{low} {high} {order} LIMIT ?6")
}

/// Runs a statement whose last parameter is the limit, and reads one row more than wanted to see whether there are more.
/// A page that would take too much memory ends early; the next one goes on from there.
fn read_page<T>(
    connection: &Connection,
    sql: &str,
    query: &PageQuery,
    params: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Page<T>, Error> {
    let limit = query.limit.clamp(1, PageQuery::MAX_LIMIT);
    let one_more = limit + 1;
    let params = params.iter().copied().chain([&one_more as &dyn ToSql]);
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut page = Page::empty();
    let mut last_id: Option<String> = None;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        bytes += stored_bytes(row)?;
        let is_full = page.data.len() == limit as usize || bytes > PageQuery::MAX_BYTES;
        if is_full && !page.data.is_empty() {
            page.has_more = true;
            break;
        }
        page.data.push(read(row)?);
        last_id = Some(row.get("id")?);
    }
    if query.is_backwards() {
        page.data.reverse();
    } else if page.has_more {
        page.after = last_id;
    }
    Ok(page)
}

fn read_one<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
) -> Result<T, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.ok_or(Error::NotFound).and_then(read_stored)
}

/// What a row of `version` and `data` takes.
fn stored_bytes(row: &Row<'_>) -> Result<u64, Error> {
    let data = row.get_ref(1)?.as_bytes().map_err(Error::internal)?;
    Ok(data.len() as u64)
}

/// Reads a row that begins with `version` and `data`.
pub(super) fn read_stored<T: DeserializeOwned>(row: &Row<'_>) -> Result<T, Error> {
    rows::decode(
        row.get(0)?,
        row.get_ref(1)?.as_str().map_err(Error::internal)?,
    )
}
