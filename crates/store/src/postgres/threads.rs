//! Conversations in PostgreSQL: the engine's `Store` port.
//!
//! Every query carries the owner. A thread that belongs to somebody else is looked for in the same index, by the same
//! statement, with the same result as one that never was.

use async_trait::async_trait;
use engine::ports::{
    BeginRun, Change, Epoch, LastUse, Match, Newest, PageQuery, RequestRecord, Room, RunRecord,
    Standing, Store, StoreError,
};
use engine::search::Wanted;
use engine::{Owner, Project, WorkflowId};
use protocol::request::{FeedbackKind, Order};
use protocol::{ItemId, Page, ThreadId, ThreadItem, ThreadMetadata, Timestamp};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::change::{self, Check, Locked};
use crate::postgres::nodes::LEASE;
use crate::postgres::pool::{Batch, Outcome, Param, Repeated, Transaction, params};
use crate::postgres::{Postgres, name, removal, runs, schema, search};
use crate::rows::change::{EncodedChange, EncodedItem};
use crate::rows::page::{
    Place, Side, border_of_gone, low_and_high, neighbour_of_gone, place_of_gone, travels,
};
use crate::rows::{self, Stored};

#[async_trait]
impl Store for Postgres {
    async fn create_thread(
        &self,
        owner: &Owner,
        thread: &ThreadMetadata,
        change: &Change,
    ) -> Result<Epoch, StoreError> {
        let data = (
            owner.clone(),
            thread.id.clone(),
            thread.created_at,
            rows::encode(thread)?,
            EncodedChange::new(change)?,
            self.node_for(change).await?,
        );
        // Nobody else asks for it once more: there is no thread yet to ask in. It is known by the run that it begins.
        self.write_durably(
            Repeated::IsTheSame,
            self.durability,
            data,
            |transaction, (owner, id, created_at, stored, change, node)| {
                Box::pin(async move {
                    let inserted = transaction.query(
                        "INSERT INTO threads (owner, id, created_at, version, data)
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (owner, id) DO NOTHING RETURNING key",
                        params![
                            owner.as_str(),
                            id.as_str(),
                            created_at.as_microsecond(),
                            stored.version,
                            stored.data.as_str(),
                        ],
                    );
                    let inserted = inserted.await?;
                    let Some(row) = inserted.rows.first() else {
                        return begun_in(transaction, owner, id, change).await;
                    };
                    let thread = Locked {
                        key: row.try_get(0)?,
                        epoch: Epoch(0),
                        metadata: stored.clone(),
                    };
                    change::apply(transaction, owner, &thread, change, *node).await
                })
            },
        )
        .await
        .map_err(StoreError::from)
    }

    async fn thread(&self, owner: &Owner, id: &ThreadId) -> Result<ThreadMetadata, StoreError> {
        let row = self
            .read_first(
                "SELECT version, data FROM threads WHERE owner = $1 AND id = $2",
                params![owner.as_str(), id.as_str()],
            )
            .await?;
        Ok(read_stored(&row.ok_or(Error::NotFound)?)?)
    }

    async fn threads(
        &self,
        owner: &Owner,
        query: &PageQuery,
    ) -> Result<Page<ThreadMetadata>, StoreError> {
        let rows = page_of_threads(self, "owner", owner.as_str(), query).await?;
        Ok(read_page(query, &rows, read_stored)?)
    }

    async fn search(
        &self,
        owner: &Owner,
        wanted: &Wanted,
        query: &PageQuery,
    ) -> Result<Page<Match>, StoreError> {
        Ok(search::search(self, owner, wanted, query).await?)
    }

    async fn threads_in(
        &self,
        project: &Project,
        query: &PageQuery,
    ) -> Result<Page<(Owner, ThreadMetadata)>, StoreError> {
        let rows = page_of_threads(self, "project", project.as_str(), query).await?;
        let page = read_page(query, &rows, |row| {
            let owner: &str = row.try_get("owner")?;
            Ok((Owner::new(owner), read_stored(row)?))
        });
        Ok(page?)
    }

    async fn owner_in(&self, project: &Project, thread: &ThreadId) -> Result<Owner, StoreError> {
        let row = self
            .read_first(
                "SELECT owner FROM threads WHERE project = $1 AND id = $2",
                params![name(project.as_str()), thread.as_str()],
            )
            .await?;
        let row = row.ok_or(Error::NotFound)?;
        let owner: &str = row.try_get(0).map_err(Error::from)?;
        Ok(Owner::new(owner))
    }

    async fn items(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        query: &PageQuery,
    ) -> Result<Page<ThreadItem>, StoreError> {
        let rows = page_of_items(self, owner, thread, query).await?;
        Ok(read_page(query, &rows, read_stored)?)
    }

    async fn newest_items(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        before: Option<&ItemId>,
        room: Room,
    ) -> Result<Newest, StoreError> {
        Ok(newest_items(self, owner, thread, before, room).await?)
    }

    async fn item(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        item: &ItemId,
    ) -> Result<ThreadItem, StoreError> {
        let row = self
            .read_first(
                "SELECT items.version, items.data
                 FROM threads JOIN items ON items.thread = threads.key
                 WHERE threads.owner = $1 AND threads.id = $2 AND items.id = $3",
                params![owner.as_str(), thread.as_str(), item.as_str()],
            )
            .await?;
        Ok(read_stored(&row.ok_or(Error::NotFound)?)?)
    }

    async fn apply(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        change: &Change,
    ) -> Result<Epoch, StoreError> {
        let data = (
            owner.clone(),
            thread.clone(),
            EncodedChange::new(change)?,
            self.node_for(change).await?,
        );
        self.write(data, |transaction, (owner, id, change, node)| {
            Box::pin(async move {
                let thread = match (&change.begin, node) {
                    (Some(begin), Some(node)) => {
                        match lock_for_run(transaction, (owner, id), change, (begin, *node)).await?
                        {
                            ForRun::Free(thread) => thread,
                            ForRun::HasBegun(epoch) => return Ok(epoch),
                        }
                    }
                    _ => lock_thread(transaction, owner, id).await?,
                };
                change::apply(transaction, owner, &thread, change, *node).await
            })
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
        let data = (
            owner.clone(),
            thread.clone(),
            EncodedItem::new(message)?,
            request.cloned(),
            most,
        );
        self.write(data, |transaction, (owner, id, message, request, most)| {
            Box::pin(async move {
                let thread = lock_thread(transaction, owner, id).await?.key;
                let request = request.as_ref();
                runs::enqueue(transaction, owner, thread, message, request, *most).await
            })
        })
        .await
        .map_err(StoreError::from)
    }

    async fn standing(&self, owner: &Owner, thread: &ThreadId) -> Result<Standing, StoreError> {
        Ok(runs::standing(self, owner, thread).await?)
    }

    async fn request(
        &self,
        owner: &Owner,
        key: &str,
    ) -> Result<Option<(ThreadId, RequestRecord)>, StoreError> {
        Ok(runs::find_request(self, owner, key).await?)
    }

    async fn left_behind(
        &self,
        limit: u32,
    ) -> Result<Vec<(Owner, ThreadId, RunRecord)>, StoreError> {
        Ok(runs::left_behind(self, limit).await?)
    }

    fn lease(&self) -> Option<std::time::Duration> {
        Some(LEASE)
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
        let rows = self.read(
            "SELECT key, owner, id, workflow, coalesce(active_at, created_at) FROM threads
             WHERE key > $1 AND gone_from IS NULL ORDER BY key LIMIT $2",
            params![after, i64::from(limit)],
        );
        let rows = rows.await?;
        Ok(rows.iter().map(read_last_use).collect::<Result<_, _>>()?)
    }

    async fn save_feedback(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        items: &[ItemId],
        kind: FeedbackKind,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut items = items.to_vec();
        items.sort_unstable();
        items.dedup();
        let data = (owner.clone(), thread.clone(), items, kind, at);
        self.write(data, |transaction, (owner, thread, items, kind, at)| {
            Box::pin(async move {
                let thread = lock_thread(transaction, owner, thread).await?;
                let ids: Vec<&str> = items.iter().map(ItemId::as_str).collect();
                let mut batch = Batch::default();
                let step = batch.add(
                    "INSERT INTO feedback (item, kind, at)
                     SELECT key, $3, $4 FROM items WHERE thread = $1 AND id = ANY($2)
                     ON CONFLICT (item) DO UPDATE SET kind = excluded.kind, at = excluded.at",
                    params![thread.key, ids, rows::kind_name(*kind), at.as_microsecond()],
                );
                let outcomes = transaction.run(batch).await?;
                let is_whole = Check {
                    step,
                    count: items.len() as u64,
                    otherwise: Error::NotFound,
                };
                Check::all(vec![is_whole], &outcomes)
            })
        })
        .await
        .map_err(StoreError::from)
    }

    async fn message_bytes(&self, owner: &Owner) -> Result<u64, StoreError> {
        let row = self
            .read_first(
                "SELECT bytes FROM message_bytes WHERE owner = $1",
                params![owner.as_str()],
            )
            .await?;
        let bytes: i64 = match row {
            Some(row) => row.try_get(0).map_err(Error::from)?,
            None => 0,
        };
        Ok(u64::try_from(bytes).unwrap_or_default())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(probe(self).await?)
    }
}

impl Postgres {
    async fn remove_thread(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        unused_since: Option<Timestamp>,
    ) -> Result<(), Error> {
        let data = (owner.clone(), thread.clone(), unused_since);
        let begun = self.write(data, |transaction, (owner, thread, unused_since)| {
            Box::pin(async move {
                let key = removal::take(transaction, owner, thread, *unused_since).await?;
                Ok((key, removal::step(transaction, key).await?))
            })
        });
        let (key, mut is_gone) = begun.await?;
        while !is_gone {
            let step = self.write(key, |transaction, key| {
                Box::pin(removal::step(transaction, *key))
            });
            is_gone = step.await?;
        }
        Ok(())
    }

    /// The number of this process, where the change begins a run.
    async fn node_for(&self, change: &Change) -> Result<Option<i64>, Error> {
        match change.begin {
            Some(_) => Ok(Some(self.node.key().await?)),
            None => Ok(None),
        }
    }
}

fn read_last_use(row: &Row) -> Result<LastUse, Error> {
    let thread: &str = row.try_get(2)?;
    Ok(LastUse {
        number: row.try_get(0)?,
        owner: Owner::new(row.try_get::<_, &str>(1)?),
        thread: thread.parse().map_err(Error::internal)?,
        workflow: row.try_get::<_, Option<&str>>(3)?.map(WorkflowId::new),
        at: Timestamp::from_microsecond(row.try_get(4)?).map_err(Error::internal)?,
    })
}

/// Writes, and looks at the tables' version, which must be the one of this build.
pub(super) async fn probe(postgres: &Postgres) -> Result<(), Error> {
    postgres.connections.measure();
    let written = postgres.write_for_good((), |transaction, ()| {
        Box::pin(async move {
            let written = transaction.finish(Batch::of(
                "UPDATE probe SET at = clock_timestamp()
                 RETURNING (SELECT max(version) FROM vestibule_schema),
                     (SELECT max(works_from) FROM vestibule_schema)",
                params![],
            ));
            let written = written.await?;
            let row = written.first().and_then(|outcome| outcome.rows.first());
            schema::Version::read(row.ok_or(Error::NotFound)?)
        })
    });
    written.await?.check()
}

/// Finds a thread and locks its row until the end of the transaction: whatever else changes it waits.
async fn lock_thread(
    transaction: &mut Transaction,
    owner: &Owner,
    thread: &ThreadId,
) -> Result<Locked, Error> {
    let found = transaction.run(locking(owner, thread)).await?;
    read_locked(&found)
}

/// The epoch of a thread that is there, where this change has made it; else it is somebody else's.
async fn begun_in(
    transaction: &mut Transaction,
    owner: &Owner,
    thread: &ThreadId,
    change: &EncodedChange,
) -> Result<Epoch, Error> {
    let begin = change.begin.as_ref().ok_or(Error::Conflict)?;
    let mut batch = Batch::default();
    let begun = runs::begun(&mut batch, owner, thread, begin);
    let found = transaction.run(batch).await?;
    read_begun(&found, begun)?.ok_or(Error::Conflict)
}

fn read_begun(found: &[Outcome], step: usize) -> Result<Option<Epoch>, Error> {
    let row = found.get(step).and_then(|outcome| outcome.rows.first());
    let epoch = row.map(|row| row.try_get::<_, i64>(0)).transpose()?;
    Ok(epoch.map(|epoch| Epoch(epoch.unsigned_abs())))
}

/// A thread in which a run is to begin.
enum ForRun {
    /// It may.
    Free(Locked),
    /// It has, since this epoch.
    HasBegun(Epoch),
}

/// The same for a run that is to begin, unless one lives that another process plays, or an earlier message waits.
async fn lock_for_run(
    transaction: &mut Transaction,
    (owner, thread): (&Owner, &ThreadId),
    change: &EncodedChange,
    (begin, node): (&BeginRun, i64),
) -> Result<ForRun, Error> {
    let mut batch = locking(owner, thread);
    let begun = runs::begun(&mut batch, owner, thread, begin);
    let overtaken = begin.overtakes.as_ref();
    let elsewhere = runs::elsewhere(&mut batch, (owner, thread), node, overtaken);
    let before = (!begin.goes_first)
        .then(|| runs::before(&mut batch, owner, thread, change.unqueue.as_ref()));
    let found = transaction.run(batch).await?;
    let locked = read_locked(&found)?;
    if let Some(epoch) = read_begun(&found, begun)? {
        return Ok(ForRun::HasBegun(epoch));
    }
    let lives = found
        .get(elsewhere)
        .and_then(|outcome| outcome.rows.first());
    if let Some(row) = lives {
        return Err(Error::Elsewhere(Box::new(runs::read_run(row, 0)?)));
    }
    let is_behind = before.and_then(|step| found.get(step));
    if is_behind.is_some_and(|outcome| !outcome.rows.is_empty()) {
        return Err(Error::Behind);
    }
    Ok(ForRun::Free(locked))
}

fn locking<'a>(owner: &'a Owner, thread: &'a ThreadId) -> Batch<'a> {
    Batch::of(
        "SELECT key, epoch, version, data FROM threads
         WHERE owner = $1 AND id = $2 FOR NO KEY UPDATE",
        params![owner.as_str(), thread.as_str()],
    )
}

fn read_locked(found: &[Outcome]) -> Result<Locked, Error> {
    let row = found.first().and_then(|outcome| outcome.rows.first());
    let row = row.ok_or(Error::NotFound)?;
    Ok(Locked {
        key: row.try_get(0)?,
        epoch: Epoch(row.try_get::<_, i64>(1)?.unsigned_abs()),
        metadata: Stored {
            version: row.try_get(2)?,
            data: row.try_get(3)?,
        },
    })
}

/// How much of a page's rows is told: as many as fit, the first one in any case, and the one after them without what is in
/// it.
///
/// Sizes are known without reading what was stored.
fn within_bytes(columns: &str, page: &str, order: &str, bytes: usize) -> String {
    format!(
        "SELECT version, CASE WHEN total <= ${bytes} OR place = 1 THEN data END AS data, id{columns}
         FROM (SELECT *, octet_length(data) AS size, row_number() OVER (ORDER BY {order}) AS place,
                   sum(octet_length(data)) OVER (ORDER BY {order}) AS total
               FROM ({page} ORDER BY {order} LIMIT ${limit}) AS page) AS sized
         WHERE total - size <= ${bytes} OR place = 2 ORDER BY place",
        limit = bytes + 1,
    )
}

/// Pages begin right after a row that the index finds, so page one thousand costs what page one costs. `scope` is the
/// column that says whose threads are wanted.
async fn page_of_threads(
    postgres: &Postgres,
    scope: &'static str,
    whose: &str,
    query: &PageQuery,
) -> Result<Vec<Row>, Error> {
    let (low, high) = low_and_high(query.order, &query.after, &query.before);
    let mut places = Batch::default();
    for id in [low, high].into_iter().flatten() {
        places.add(
            format!("SELECT created_at, id FROM threads WHERE {scope} = $1 AND id = $2"),
            params![name(whose), name(id)],
        );
    }
    let has_bounds = low.is_some() || high.is_some();
    let mut found = if has_bounds {
        postgres.read_all(places).await?.into_iter()
    } else {
        Vec::new().into_iter()
    };
    let mut bound = |id: &Option<String>, rounded_up| match id {
        Some(id) => place(found.next().as_ref(), id, rounded_up).map(Some),
        None => Ok(None),
    };
    let (low, high) = (bound(low, 0)?, bound(high, 1)?);
    let mut parameters = params![name(whose)];
    let mut page =
        format!("SELECT version, data, id, owner, created_at FROM threads WHERE {scope} = $1");
    for (place, sign) in [(low, '>'), (high, '<')] {
        if let Some((at, id)) = place {
            let next = parameters.len() + 1;
            page.extend([format!(
                " AND (created_at, id) {sign} (${next}, ${})",
                next + 1
            )]);
            parameters.extend(params![at, id]);
        }
    }
    let order = match travels(query) {
        Order::Asc => "created_at, id",
        Order::Desc => "created_at DESC, id DESC",
    };
    let sql = within_bytes(", owner", &page, order, parameters.len() + 1);
    parameters.extend(bounds_of_page(query));
    postgres.read(sql, parameters).await
}

/// Where an owner's thread of this id stands, or stood.
pub(super) async fn place_of(postgres: &Postgres, owner: &Owner, id: &str) -> Result<Place, Error> {
    let found = postgres.read_all(Batch::of(
        "SELECT created_at, id FROM threads WHERE owner = $1 AND id = $2",
        params![owner.as_str(), name(id)],
    ));
    place(found.await?.first(), id, 1)
}

/// The last two parameters of a page: its bytes, and one row more than wanted, to see whether there are more.
fn bounds_of_page(query: &PageQuery) -> Vec<Param<'static>> {
    let bytes = i64::try_from(PageQuery::MAX_BYTES).unwrap_or(i64::MAX);
    params![bytes, i64::from(limit_of(query)) + 1]
}

fn limit_of(query: &PageQuery) -> u32 {
    query.limit.clamp(1, PageQuery::MAX_LIMIT)
}

fn place(found: Option<&Outcome>, id: &str, rounded_up: i64) -> Result<Place, Error> {
    match found.and_then(|found| found.rows.first()) {
        Some(row) => Ok((row.try_get(0)?, row.try_get(1)?)),
        None => place_of_gone(id, rounded_up).ok_or(Error::NotFound),
    }
}

/// A thread and places in it, and the rows of a statement about them, asked for together.
async fn page_of_items(
    postgres: &Postgres,
    owner: &Owner,
    thread: &ThreadId,
    query: &PageQuery,
) -> Result<Vec<Row>, Error> {
    let (low, high) = low_and_high(query.order, &query.after, &query.before);
    let named = |id: &Option<String>| id.as_deref().map(|id| name(id).into_owned());
    let (low, high) = (named(low), named(high));
    let mut batch = find_places(owner, thread, low.clone(), high.clone());
    let bound = |id: &Option<String>| id.clone().map_or(Bound::None, Bound::Item);
    let (sql, parameters) = items_between(owner, thread, query, [bound(&low), bound(&high)]);
    batch.add(sql, parameters);
    let mut outcomes = postgres.read_all(batch).await?;
    let rows = outcomes.pop().map_or_else(Vec::new, |page| page.rows);
    let [found_low, found_high] = read_places(&outcomes)?;
    if (low.is_none() || found_low.is_some()) && (high.is_none() || found_high.is_some()) {
        return Ok(rows);
    }
    let bounds = [
        bound_of_items(postgres, owner, thread, (low, found_low), Side::Behind).await?,
        bound_of_items(postgres, owner, thread, (high, found_high), Side::Before).await?,
    ];
    let (sql, parameters) = items_between(owner, thread, query, bounds);
    postgres.read(sql, parameters).await
}

/// Where a page of items ends, on one side.
enum Bound {
    None,
    /// At an item of this id.
    Item(String),
    Key(i64),
}

/// The statement for the items between two places.
fn items_between<'a>(
    owner: &'a Owner,
    thread: &'a ThreadId,
    query: &PageQuery,
    bounds: [Bound; 2],
) -> (String, Vec<Param<'a>>) {
    let mut parameters = params![owner.as_str(), thread.as_str()];
    let mut page = format!("SELECT key, version, data, id FROM items WHERE {OF_THREAD}");
    for (bound, sign) in bounds.into_iter().zip(['>', '<']) {
        let key = match bound {
            Bound::None => continue,
            Bound::Item(id) => {
                parameters.extend(params![id]);
                key_of(parameters.len())
            }
            Bound::Key(key) => {
                parameters.extend(params![key]);
                format!("${}", parameters.len())
            }
        };
        page.extend([format!(" AND key {sign} {key}")]);
    }
    let order = match travels(query) {
        Order::Asc => "key",
        Order::Desc => "key DESC",
    };
    let sql = within_bytes("", &page, order, parameters.len() + 1);
    parameters.extend(bounds_of_page(query));
    (sql, parameters)
}

/// The key beyond which items lie on one side of the one that is named, also when it is gone.
async fn bound_of_items(
    postgres: &Postgres,
    owner: &Owner,
    thread: &ThreadId,
    (id, found): (Option<String>, Option<i64>),
    side: Side,
) -> Result<Bound, Error> {
    if let Some(key) = found {
        return Ok(Bound::Key(key));
    }
    let Some(id) = id else {
        return Ok(Bound::None);
    };
    let border = border_of_gone(&id, side).ok_or(Error::NotFound)?;
    let sql = neighbour_of_gone(OF_THREAD, "$3", side);
    let parameters = params![owner.as_str(), thread.as_str(), border];
    let rows = postgres.read(sql, parameters).await?;
    let key: Option<i64> = rows.first().ok_or(Error::NotFound)?.try_get(0)?;
    Ok(key.map_or(Bound::None, Bound::Key))
}

/// The items of the thread that `$1` and `$2` name.
const OF_THREAD: &str = "thread = (SELECT key FROM threads WHERE owner = $1 AND id = $2)";

/// The key of the item that a parameter names; no row is beyond one that is not there.
fn key_of(parameter: usize) -> String {
    format!("(SELECT key FROM items WHERE {OF_THREAD} AND id = ${parameter})")
}

/// Looks for a thread and two places in it.
fn find_places<'a>(
    owner: &'a Owner,
    thread: &'a ThreadId,
    low: Option<String>,
    high: Option<String>,
) -> Batch<'a> {
    Batch::of(
        "SELECT low.key, high.key FROM threads
             LEFT JOIN items AS low ON low.thread = threads.key AND low.id = $3
             LEFT JOIN items AS high ON high.thread = threads.key AND high.id = $4
         WHERE threads.owner = $1 AND threads.id = $2",
        params![owner.as_str(), thread.as_str(), low, high],
    )
}

/// The keys of the two places, as far as they are there. Refuses when the thread is not.
fn read_places(outcomes: &[Outcome]) -> Result<[Option<i64>; 2], Error> {
    let row = outcomes.first().and_then(|found| found.rows.first());
    let row = row.ok_or(Error::NotFound)?;
    Ok([row.try_get(0)?, row.try_get(1)?])
}

/// Reads backwards, as far as the room goes and one item further, whose size alone is looked at.
async fn newest_items(
    postgres: &Postgres,
    owner: &Owner,
    thread: &ThreadId,
    before: Option<&ItemId>,
    room: Room,
) -> Result<Newest, Error> {
    let before = before.map(|item| item.as_str().to_owned());
    let mut batch = find_places(owner, thread, before.clone(), None);
    let mut parameters = params![owner.as_str(), thread.as_str()];
    let mut bound = String::new();
    if let Some(before) = before.clone() {
        parameters.extend(params![before]);
        bound = format!(" AND key < {}", key_of(parameters.len()));
    }
    let bytes = parameters.len() + 1;
    let sql = format!(
        "SELECT version, CASE WHEN total <= ${bytes} THEN data END
         FROM (SELECT *, octet_length(data) AS size, row_number() OVER (ORDER BY key DESC) AS place,
                   sum(octet_length(data)) OVER (ORDER BY key DESC) AS total
               FROM (SELECT key, version, data FROM items WHERE {OF_THREAD}{bound}
                     ORDER BY key DESC LIMIT ${items}) AS page) AS sized
         WHERE total - size <= ${bytes} ORDER BY place",
        items = bytes + 1
    );
    let most = i64::try_from(room.bytes).unwrap_or(i64::MAX);
    parameters.extend(params![most, i64::from(room.items) + 1]);
    batch.add(sql, parameters);
    let mut outcomes = postgres.read_all(batch).await?;
    let rows = outcomes.pop().map_or_else(Vec::new, |page| page.rows);
    let [place, _] = read_places(&outcomes)?;
    if before.is_some() && place.is_none() {
        return Err(Error::NotFound);
    }
    let mut newest = Newest::default();
    for row in &rows {
        let is_whole = row.try_get::<_, Option<&str>>(1)?.is_some();
        if !is_whole || newest.items.len() >= room.items as usize {
            newest.has_more = true;
            break;
        }
        newest.items.push(read_stored(row)?);
    }
    newest.items.reverse();
    Ok(newest)
}

/// Reads the rows of [`within_bytes`].
fn read_page<T>(
    query: &PageQuery,
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Page<T>, Error> {
    let limit = limit_of(query) as usize;
    let mut page = Page::empty();
    let mut last_id = None;
    for row in rows {
        let is_whole = row.try_get::<_, Option<&str>>(1)?.is_some();
        if !is_whole || page.data.len() == limit {
            page.has_more = true;
            break;
        }
        page.data.push(read(row)?);
        last_id = Some(row.try_get(2)?);
    }
    if query.is_backwards() {
        page.data.reverse();
    } else if page.has_more {
        page.after = last_id;
    }
    Ok(page)
}

/// Reads a row that begins with `version` and `data`.
pub(super) fn read_stored<T: DeserializeOwned>(row: &Row) -> Result<T, Error> {
    rows::decode(row.try_get(0)?, row.try_get(1)?)
}
