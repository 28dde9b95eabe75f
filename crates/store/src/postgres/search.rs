//! Looking for words in an owner's threads.

use engine::Owner;
use engine::ports::{Match, PageQuery, SEARCH_TIME, THREAD_SEARCH_TIME};
use engine::search::Wanted;
use protocol::{Page, ThreadItem, ThreadMetadata};
use tokio::time::Instant;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::Postgres;
use crate::postgres::pool::params;
use crate::postgres::threads::{place_of, read_stored};
use crate::rows;
use crate::search::pattern;

/// Threads that are looked through with one statement.
const THREADS: i64 = 32;
/// Messages of a thread that are read with it; there is seldom a second one.
const MESSAGES: i64 = 4;
/// Those that are read with one statement after that.
const FURTHER: i64 = 64;

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

/// Looks through the owner's threads, newest first, until the page is full or the time is over.
pub(super) async fn search(
    postgres: &Postgres,
    owner: &Owner,
    wanted: &Wanted,
    query: &PageQuery,
) -> Result<Page<Match>, Error> {
    let began = Instant::now();
    let pattern = pattern(wanted.longest());
    let mut before = match query.after.as_deref() {
        Some(after) => Some(place_of(postgres, owner, after).await?),
        None => None,
    };
    let limit = query.limit.clamp(1, PageQuery::MAX_LIMIT) as usize;
    let mut page = Page::empty();
    loop {
        let (at, id) = before.clone().unzip();
        let parameters = params![owner.as_str(), pattern.as_str(), at, id, THREADS, MESSAGES];
        let rows = postgres.read(LOOK, parameters).await?;
        let mut count = 0;
        for thread in rows.chunk_by(|one, next| key(one) == key(next)) {
            if page.data.len() == limit || (page.after.is_some() && began.elapsed() > SEARCH_TIME) {
                page.has_more = true;
                return Ok(page);
            }
            let Some(first) = thread.first() else {
                continue;
            };
            count += 1;
            let id: String = first.try_get(3)?;
            before = Some((first.try_get(4)?, id.clone()));
            page.after = Some(id);
            page.data
                .extend(look_at(postgres, wanted, &pattern, first, thread).await?);
        }
        if count < THREADS {
            page.after = None;
            return Ok(page);
        }
    }
}

/// Whether the words are in a thread, and where.
async fn look_at(
    postgres: &Postgres,
    wanted: &Wanted,
    pattern: &str,
    first: &Row,
    rows: &[Row],
) -> Result<Option<Match>, Error> {
    if first.try_get(5)? {
        let thread: ThreadMetadata = read_stored(first)?;
        let title = thread.title.as_deref();
        if title.is_some_and(|title| wanted.is_in(title)) {
            return Ok(Some(Match {
                thread,
                excerpt: None,
            }));
        }
    }
    let mut excerpt = None;
    let mut last: Option<i64> = None;
    for row in rows {
        let Some(version) = row.try_get::<_, Option<i64>>(6)? else {
            break;
        };
        let item: ThreadItem = rows::decode(version, row.try_get(7)?)?;
        last = Some(row.try_get(8)?);
        excerpt = wanted.find(&item);
        if excerpt.is_some() {
            break;
        }
    }
    // It seemed so several times, and was not: there may be more.
    let mut may_be_more = i64::try_from(rows.len()) == Ok(MESSAGES);
    let began = Instant::now();
    while may_be_more && excerpt.is_none() && began.elapsed() < THREAD_SEARCH_TIME {
        let thread: i64 = first.try_get(2)?;
        let older = postgres
            .read(
                "SELECT version, data, key FROM items
                 WHERE thread = $1 AND key < $2 AND data ILIKE $3 ESCAPE '^'
                 ORDER BY key DESC LIMIT $4",
                params![thread, last, pattern, FURTHER],
            )
            .await?;
        may_be_more = i64::try_from(older.len()) == Ok(FURTHER);
        for row in &older {
            last = Some(row.try_get(2)?);
            excerpt = wanted.find(&read_stored(row)?);
            if excerpt.is_some() {
                break;
            }
        }
    }
    let Some(excerpt) = excerpt else {
        return Ok(None);
    };
    Ok(Some(Match {
        thread: read_stored(first)?,
        excerpt: Some(excerpt),
    }))
}

fn key(row: &Row) -> Option<i64> {
    row.try_get(2).ok()
}
