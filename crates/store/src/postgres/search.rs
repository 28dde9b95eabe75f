//! Looking for words in an owner's threads.

use std::sync::Arc;
use std::time::Duration;

use engine::Owner;
use engine::ports::{Match, PageQuery};
use engine::search::Wanted;
use protocol::{Page, ThreadItem, ThreadMetadata};
use tokio::time::Instant;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::Postgres;
use crate::postgres::pool::{Batch, Connections, params};
use crate::postgres::threads::{place_of, read_stored};
use crate::postgres::trouble::Trouble;
use crate::rows;
use crate::rows::page::Place;
use crate::search::{Found, Times, pattern};

/// Threads that are looked through with one statement, at most.
const THREADS: u32 = 32;
/// Messages of a thread that are read with it; there is seldom a second one.
const MESSAGES: i64 = 4;
/// Those that are read with one statement after that.
const FURTHER: i64 = 64;
/// How long it may take to read a title.
const TITLE: Duration = Duration::from_secs(1);

/// Some threads, newest first, each with its newest messages that may hold the words; a row for each of these.
const LOOK: &str =
    "SELECT threads.version, threads.data, threads.key, threads.id, threads.created_at,
        threads.data ILIKE $2 ESCAPE '^', message.version, message.data, message.key
     FROM (SELECT * FROM threads
           WHERE owner = $1 AND ($3::bigint IS NULL OR (created_at, id) < ($3, $4::text))
           ORDER BY created_at DESC, id DESC LIMIT $5) AS threads
         LEFT JOIN LATERAL (
             SELECT version, data, key FROM items
             WHERE thread = threads.key AND data ILIKE $2 ESCAPE '^'
             ORDER BY key DESC LIMIT $6) AS message ON true
     ORDER BY threads.created_at DESC, threads.id DESC, message.key DESC";

/// Looks through the owner's threads, newest first, until the page is full or the time is over; as soon as there is a place
/// for it, and from then on whether the caller waits or not: nobody else gets the place while the server still looks.
pub(super) async fn search(
    postgres: &Postgres,
    owner: &Owner,
    wanted: &Wanted,
    query: &PageQuery,
) -> Result<Page<Match>, Error> {
    let before = match query.after.as_deref() {
        Some(after) => Some(place_of(postgres, owner, after).await?),
        None => None,
    };
    let search = Search {
        connections: Arc::clone(&postgres.connections),
        owner: owner.clone(),
        wanted: wanted.clone(),
        pattern: pattern(wanted.longest()),
        limit: query.limit.clamp(1, PageQuery::MAX_LIMIT) as usize,
        times: Times::default(),
    };
    let place = postgres.searches.enter().await?;
    let looking = async move {
        let page = search.run(before).await;
        drop(place);
        page
    };
    let page = postgres.tasks.spawn(looking);
    page.await.map_err(Error::internal)?
}

/// A search for a page.
struct Search {
    connections: Arc<Connections>,
    owner: Owner,
    wanted: Wanted,
    pattern: String,
    limit: usize,
    times: Times,
}

impl Search {
    /// One thread first, without which the page would not get on; then as many at once as there seems to be time for.
    async fn run(&self, mut before: Option<Place>) -> Result<Page<Match>, Error> {
        let began = Instant::now();
        let mut looked_through = 0;
        let mut page = Page::empty();
        loop {
            let is_first = page.after.is_none();
            let left = self.times.left(is_first, began.elapsed());
            let count = if is_first {
                1
            } else {
                as_many(looked_through, began.elapsed(), left)
            };
            if !is_first && left.is_zero() {
                page.has_more = true;
                return Ok(page);
            }
            let (rows, is_whole) = match self.look(before.as_ref(), left, count, MESSAGES).await? {
                Some(rows) => (rows, true),
                // It is passed over, but for its title.
                None if is_first => {
                    let title = self.look(before.as_ref(), TITLE, 1, 0).await?;
                    let title = title.ok_or_else(|| Error::busy(Trouble::Silent))?;
                    (title, false)
                }
                None => {
                    page.has_more = true;
                    return Ok(page);
                }
            };
            let mut found = 0;
            for thread in rows.chunk_by(|one, next| key(one) == key(next)) {
                let Some(first) = thread.first() else {
                    continue;
                };
                let is_first = page.after.is_none();
                let left = self.times.left(is_first, began.elapsed());
                if page.data.len() == self.limit || (!is_first && left.is_zero()) {
                    page.has_more = true;
                    return Ok(page);
                }
                match self.look_at(first, thread, left).await? {
                    Found::Here(here) => page.data.push(here),
                    Found::TimeIsUp if !is_first => {
                        page.has_more = true;
                        return Ok(page);
                    }
                    Found::Nowhere | Found::TimeIsUp => {}
                }
                found += 1;
                let id: String = first.try_get(3)?;
                before = Some((first.try_get(4)?, id.clone()));
                page.after = Some(id);
            }
            looked_through += found;
            if is_whole && found < count {
                page.after = None;
                return Ok(page);
            }
        }
    }

    /// The next threads; nothing where that takes too long.
    async fn look(
        &self,
        before: Option<&Place>,
        time: Duration,
        threads: u32,
        messages: i64,
    ) -> Result<Option<Vec<Row>>, Error> {
        let (at, id) = before.cloned().unzip();
        let look = Batch::of(
            LOOK,
            params![
                self.owner.as_str(),
                self.pattern.as_str(),
                at,
                id,
                i64::from(threads),
                messages
            ],
        );
        self.read(time, look).await
    }

    async fn read(&self, time: Duration, batch: Batch<'_>) -> Result<Option<Vec<Row>>, Error> {
        let outcomes = self.connections.read_within(time, &batch).await?;
        Ok(outcomes.map(|outcomes| outcomes.into_iter().flat_map(|one| one.rows).collect()))
    }

    /// Whether the words are in a thread, and where.
    async fn look_at(
        &self,
        first: &Row,
        rows: &[Row],
        time: Duration,
    ) -> Result<Found<Match>, Error> {
        let until = Instant::now() + time;
        let found = |excerpt| {
            let thread = read_stored(first)?;
            Ok(Found::Here(Match { thread, excerpt }))
        };
        if first.try_get(5)? {
            let thread: ThreadMetadata = read_stored(first)?;
            let title = thread.title.as_deref();
            if title.is_some_and(|title| self.wanted.is_in(title)) {
                return found(None);
            }
        }
        let mut last: Option<i64> = None;
        for row in rows {
            let Some(version) = row.try_get::<_, Option<i64>>(6)? else {
                return Ok(Found::Nowhere);
            };
            let item: ThreadItem = rows::decode(version, row.try_get(7)?)?;
            if let Some(excerpt) = self.wanted.find(&item) {
                return found(Some(excerpt));
            }
            last = Some(row.try_get(8)?);
        }
        // It seemed so several times, and was not: there may be more.
        let mut may_be_more = i64::try_from(rows.len()) == Ok(MESSAGES);
        while may_be_more {
            let thread: i64 = first.try_get(2)?;
            let older = Batch::of(
                "SELECT version, data, key FROM items
                 WHERE thread = $1 AND key < $2 AND data ILIKE $3 ESCAPE '^'
                 ORDER BY key DESC LIMIT $4",
                params![thread, last, self.pattern.as_str(), FURTHER],
            );
            let left = until.saturating_duration_since(Instant::now());
            let older = match self.read(left, older).await? {
                Some(older) if !left.is_zero() => older,
                _ => return Ok(Found::TimeIsUp),
            };
            may_be_more = i64::try_from(older.len()) == Ok(FURTHER);
            for row in &older {
                last = Some(row.try_get(2)?);
                if let Some(excerpt) = self.wanted.find(&read_stored(row)?) {
                    return found(Some(excerpt));
                }
            }
        }
        Ok(Found::Nowhere)
    }
}

/// How many threads fit into half of the time that is left, if they take as long as those before them.
fn as_many(looked_through: u32, took: Duration, left: Duration) -> u32 {
    let each = took / looked_through.max(1);
    let fit = left.as_micros() / (2 * each.as_micros().max(1));
    u32::try_from(fit).unwrap_or(THREADS).clamp(1, THREADS)
}

fn key(row: &Row) -> Option<i64> {
    row.try_get(2).ok()
}

#[cfg(test)]
mod tests {
    use engine::ports::{Change, Store};
    use testkit::services::PostgreSqlDatabase;
    use testkit::store_contract::sample::{item, owner, thread};

    use super::*;
    use crate::Options;
    use crate::address::Address;

    #[test]
    fn as_many_threads_are_looked_through_at_once_as_there_is_time_for() {
        let (milli, left) = (Duration::from_millis(1), Duration::from_millis(100));
        assert_eq!(as_many(1, milli, left), THREADS);
        assert_eq!(as_many(1, Duration::ZERO, left), THREADS);
        assert_eq!(as_many(1, 10 * milli, left), 5);
        assert_eq!(as_many(10, 100 * milli, left), 5);
        assert_eq!(as_many(1, left, milli), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_thread_is_read_no_longer_than_there_is_time() {
        let database = PostgreSqlDatabase::new().await.unwrap();
        let Address::Postgres(server) = Address::parse(&database.url()).unwrap() else {
            panic!("an address of PostgreSQL");
        };
        let postgres = Postgres::open(&server, Options::default()).await.unwrap();
        let ada = owner("ada");
        for number in 1..=3 {
            let change = Change::of(&[item(number, number, "a needle")]);
            postgres
                .create_thread(&ada, &thread(number), &change)
                .await
                .unwrap();
        }
        // Many in the second one, which come after it.
        database
            .sql(
                "INSERT INTO items (thread, id, version, data)
                 SELECT key, 'cti_' || n, 1, repeat('hay', 1000) FROM threads, generate_series(1, 20000) AS n
                 WHERE created_at = (SELECT created_at FROM threads ORDER BY created_at OFFSET 1 LIMIT 1)",
            )
            .unwrap();
        let mut search = Search {
            connections: Arc::clone(&postgres.connections),
            owner: ada,
            wanted: Wanted::parse("needle").unwrap(),
            pattern: pattern("needle"),
            limit: 10,
            times: Times {
                page: Duration::ZERO,
                first: Duration::from_millis(5),
            },
        };
        let after = |number| {
            Some((
                thread(number).created_at.as_microsecond(),
                thread(number).id.to_string(),
            ))
        };
        let told = async |search: &Search, before| {
            let page = search.run(before).await.unwrap();
            let found: Vec<_> = page.data.into_iter().map(|found| found.thread.id).collect();
            assert_eq!(page.has_more, page.after.is_some());
            (found, page.after)
        };
        let id = |number| thread(number).id;
        let place = |number| Some(thread(number).id.to_string());
        // Each page gets on by a thread; what is too long is passed over.
        assert_eq!(told(&search, after(3)).await, (vec![], place(2)));
        search.times.first = Duration::from_secs(20);
        assert_eq!(told(&search, None).await, (vec![id(3)], place(3)));
        assert_eq!(told(&search, after(3)).await, (vec![id(2)], place(2)));
        // What is too long for this page is left to the next one.
        search.times.page = Duration::from_millis(20);
        let (found, stopped_at) = told(&search, None).await;
        assert_eq!((found, stopped_at), (vec![id(3)], place(3)));
        search.times = Times {
            page: Duration::from_secs(20),
            ..search.times
        };
        let all = (vec![id(3), id(2), id(1)], None);
        assert_eq!(told(&search, None).await, all);
    }
}
