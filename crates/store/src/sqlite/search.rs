//! Looking for words in an owner's threads.

use std::time::Instant;

use engine::Owner;
use engine::ports::{Match, PageQuery};
use engine::search::Wanted;
use protocol::{Page, ThreadItem, ThreadMetadata};
use rusqlite::{Connection, ErrorCode, params};

use crate::error::Error;
use crate::search::{Found, Times, pattern};
use crate::sqlite::threads::{read_stored, threads_before};

/// After how many of its instructions SQLite asks whether there is still time: those for about ten messages.
const INSTRUCTIONS: i32 = 100;

/// Looks through the owner's threads, newest first, until the page is full or the time is over.
pub(super) fn search(
    connection: &Connection,
    owner: &Owner,
    wanted: &Wanted,
    query: &PageQuery,
    times: Times,
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
        let is_first = page.after.is_none();
        let left = times.left(is_first, began.elapsed());
        if page.data.len() == limit || (!is_first && left.is_zero()) {
            page.has_more = true;
            return Ok(page);
        }
        let thread = || read_stored::<ThreadMetadata>(row);
        let is_in_title = row.get(4)? && {
            let title = thread()?.title;
            title.is_some_and(|title| wanted.is_in(&title))
        };
        let found = if is_in_title {
            Found::Here(None)
        } else {
            let until = Instant::now() + left;
            find_message(connection, row.get("key")?, wanted, &pattern, until)?
        };
        match found {
            Found::Here(excerpt) => page.data.push(Match {
                thread: thread()?,
                excerpt,
            }),
            Found::TimeIsUp if !is_first => {
                page.has_more = true;
                return Ok(page);
            }
            Found::Nowhere | Found::TimeIsUp => {}
        }
        page.after = Some(row.get("id")?);
    }
    page.after = None;
    Ok(page)
}

/// What the newest message of a thread that holds the words says around them.
fn find_message(
    connection: &Connection,
    thread: i64,
    wanted: &Wanted,
    pattern: &str,
    until: Instant,
) -> Result<Found<Option<String>>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT version, data FROM items WHERE thread = ?1 AND data LIKE ?2 ESCAPE '^' ORDER BY key DESC",
    )?;
    let mut rows = statement.query(params![thread, pattern])?;
    let _deadline = Deadline::set(connection, until)?;
    loop {
        let row = match rows.next() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                return Ok(Found::TimeIsUp);
            }
            row => row?,
        };
        let Some(row) = row else {
            return Ok(Found::Nowhere);
        };
        let item: ThreadItem = read_stored(row)?;
        if let Some(excerpt) = wanted.find(&item) {
            return Ok(Found::Here(Some(excerpt)));
        }
        if Instant::now() >= until {
            return Ok(Found::TimeIsUp);
        }
    }
}

/// Has SQLite break off what a connection runs, until this is dropped.
struct Deadline<'connection>(&'connection Connection);

impl<'connection> Deadline<'connection> {
    fn set(connection: &'connection Connection, until: Instant) -> Result<Self, Error> {
        connection.progress_handler(INSTRUCTIONS, Some(move || Instant::now() >= until))?;
        Ok(Self(connection))
    }
}

impl Drop for Deadline<'_> {
    fn drop(&mut self) {
        // It fails for connections only that others have made.
        let _ = self.0.progress_handler(0, None::<fn() -> bool>);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::ThreadId;
    use protocol::request::Order;
    use testkit::store_contract::sample::{item, owner, thread};

    use super::*;
    use crate::MigrationPolicy;
    use crate::rows;
    use crate::sqlite::schema;

    const NONE: Times = Times {
        page: Duration::ZERO,
        first: Duration::ZERO,
    };

    /// Three threads with a word in each; in the second one, many messages came after it.
    fn connection() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::prepare(&mut connection, MigrationPolicy::Apply).unwrap();
        let ada = owner("ada");
        for number in 1..=3 {
            let stored = rows::encode(&thread(number)).unwrap();
            let key = connection
                .prepare("INSERT INTO threads (owner, id, created_at, version, data) VALUES (?1, ?2, ?3, ?4, ?5)")
                .unwrap()
                .insert(params![
                    ada.as_str(),
                    thread(number).id.as_str(),
                    i64::try_from(number).unwrap(),
                    stored.version,
                    stored.data
                ])
                .unwrap();
            let put = |id: &str, text: &str, count: i64| {
                let stored = rows::encode(&item(number, 1, text)).unwrap();
                connection
                    .execute(
                        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?5)
                         INSERT INTO items (thread, id, version, data) SELECT ?1, ?2 || n, ?3, ?4 FROM numbers",
                        params![key, id, stored.version, stored.data, count],
                    )
                    .unwrap();
            };
            put("needle", "a needle", 1);
            if number == 2 {
                put("hay", "hay", 2_000);
            }
        }
        connection
    }

    fn page(
        connection: &Connection,
        after: Option<u128>,
        times: Times,
    ) -> (Vec<ThreadId>, Option<String>, bool) {
        let query = PageQuery {
            limit: 10,
            order: Order::Desc,
            after: after.map(|number| thread(number).id.to_string()),
            before: None,
        };
        let wanted = Wanted::parse("needle").unwrap();
        let page = search(connection, &owner("ada"), &wanted, &query, times).unwrap();
        let found = page.data.into_iter().map(|found| found.thread.id).collect();
        (found, page.after, page.has_more)
    }

    fn told(found: &[u128], after: Option<u128>) -> (Vec<ThreadId>, Option<String>, bool) {
        (
            found.iter().map(|number| thread(*number).id).collect(),
            after.map(|number| thread(number).id.to_string()),
            after.is_some(),
        )
    }

    #[test]
    fn a_thread_is_read_no_longer_than_there_is_time() {
        let connection = connection();
        let whole = told(&[3, 2, 1], None);
        assert_eq!(page(&connection, None, Times::default()), whole);
        // Each page gets on by a thread, though it has no time; what is too long is passed over.
        assert_eq!(page(&connection, None, NONE), told(&[3], Some(3)));
        assert_eq!(page(&connection, Some(3), NONE), told(&[], Some(2)));
        assert_eq!(page(&connection, Some(2), NONE), told(&[1], None));
        // Nothing is left that breaks off what others run.
        assert_eq!(page(&connection, None, Times::default()), whole);
    }

    #[test]
    fn the_clock_is_looked_at_while_nothing_is_found() {
        let connection = connection();
        let wanted = Wanted::parse("nowhere").unwrap();
        let look = |until| find_message(&connection, 2, &wanted, "%nowhere%", until).unwrap();
        assert!(matches!(look(Instant::now()), Found::TimeIsUp));
        let later = Instant::now() + Duration::from_mins(1);
        assert!(matches!(look(later), Found::Nowhere));
    }
}
