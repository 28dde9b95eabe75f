//! Looks at a database file without changing it: is every page what it should be?

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::Error;

/// How many defects are told.
const MOST: u32 = 10;

/// The defects of a file, in SQLite's words; none when it is sound. Reads the whole file. Blocks.
pub(crate) fn examine(path: &Path, patience: std::time::Duration) -> Result<Vec<String>, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    let mut check = connection.prepare(&format!("PRAGMA quick_check({MOST})"))?;
    let lines = check.query_map([], |row| row.get(0))?;
    let mut defects = lines.collect::<Result<Vec<String>, _>>()?;
    defects.retain(|line| line != "ok");
    Ok(defects)
}
