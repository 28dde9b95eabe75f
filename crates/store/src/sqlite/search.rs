//! Looking for words in an owner's threads.

use std::time::Instant;

use engine::Owner;
use engine::ports::{Match, PageQuery, SEARCH_TIME, THREAD_SEARCH_TIME};
use engine::search::Wanted;
use protocol::{Page, ThreadItem, ThreadMetadata};
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::search::pattern;
use crate::sqlite::threads::{read_stored, threads_before};

/// Looks through the owner's threads, newest first, until the page is full or the time is over.
pub(super) fn search(
    connection: &Connection,
    owner: &Owner,
    wanted: &Wanted,
    query: &PageQuery,
) -> Result<Page<Match>, Error> {
    let began = Instant::now();
    let pattern = pattern(wanted.longest());
    let (range, (high_at, high_id)) = threads_before(connection, owner, query.after.as_deref())?;
    let sql = format!(
        "SELECT version, data, key, id, data LIKE ?4 ESCAPE '^' FROM threads WHERE owner = ?1 {range}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![owner.as_str(), high_at, high_id, pattern])?;
    let mut page = Page::empty();
    let limit = query.limit.clamp(1, PageQuery::MAX_LIMIT) as usize;
    while let Some(row) = rows.next()? {
        if page.data.len() == limit || (page.after.is_some() && began.elapsed() > SEARCH_TIME) {
            page.has_more = true;
            return Ok(page);
        }
        page.after = Some(row.get("id")?);
        let read = || read_stored::<ThreadMetadata>(row);
        if row.get(4)? {
            let thread = read()?;
            if thread
                .title
                .as_deref()
                .is_some_and(|title| wanted.is_in(title))
            {
                page.data.push(Match {
                    thread,
                    excerpt: None,
                });
                continue;
            }
        }
        if let Some(excerpt) = find_message(connection, row.get("key")?, wanted, &pattern)? {
            page.data.push(Match {
                thread: read()?,
                excerpt: Some(excerpt),
            });
        }
    }
    page.after = None;
    Ok(page)
}

/// What the newest message of a thread that holds the words says around them, as far as the time goes.
fn find_message(
    connection: &Connection,
    thread: i64,
    wanted: &Wanted,
    pattern: &str,
) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT version, data FROM items WHERE thread = ?1 AND data LIKE ?2 ESCAPE '^' ORDER BY key DESC",
    )?;
    let mut rows = statement.query(params![thread, pattern])?;
    let began = Instant::now();
    while let Some(row) = rows.next()? {
        let item: ThreadItem = read_stored(row)?;
        let excerpt = wanted.find(&item);
        if excerpt.is_some() || began.elapsed() > THREAD_SEARCH_TIME {
            return Ok(excerpt);
        }
    }
    Ok(None)
}
