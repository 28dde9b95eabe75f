//! Public tokens and their visitors, and server keys.

use auth::ports::{
    Digest, EarlierResume, End, EndReason, OpenedBy, PublicTokenRecord, ServerKeyRecord,
    VisitorRecord,
};
use auth::time::UnixTime;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::Error;
use crate::rows;
use crate::sqlite::credentials::{read_optional_time, read_time, sessions};

/// What public tokens and server keys have in common: made once, found by digest, revoked once, and then every session
/// that they opened ends.
pub(super) trait Key: Serialize + DeserializeOwned {
    const INSERT: &str;
    const FIND: &str;
    const LIST: &str;
    const REVOKE: &str;

    fn id(&self) -> &str;
    fn digest(&self) -> &Digest;
    fn set_revoked_at(&mut self, at: Option<UnixTime>);
    fn opener(id: String) -> OpenedBy;
}

macro_rules! key {
    ($Record:ident in $table:literal opens $opener:expr) => {
        impl Key for $Record {
            const INSERT: &str = concat!(
                "INSERT INTO ",
                $table,
                " (id, digest, version, data) VALUES (?1, ?2, ?3, ?4)"
            );
            const FIND: &str = concat!(
                "SELECT version, data, revoked_at FROM ",
                $table,
                " WHERE digest = ?1"
            );
            const LIST: &str = concat!(
                "SELECT version, data, revoked_at FROM ",
                $table,
                " ORDER BY key DESC"
            );
            const REVOKE: &str = concat!(
                "UPDATE ",
                $table,
                " SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL"
            );

            fn id(&self) -> &str {
                &self.id
            }

            fn digest(&self) -> &Digest {
                &self.digest
            }

            fn set_revoked_at(&mut self, at: Option<UnixTime>) {
                self.revoked_at = at;
            }

            fn opener(id: String) -> OpenedBy {
                $opener(id)
            }
        }
    };
}

key!(PublicTokenRecord in "public_tokens" opens OpenedBy::PublicToken);
key!(ServerKeyRecord in "server_keys" opens OpenedBy::ServerKey);

pub(super) fn insert<K: Key>(connection: &Connection, key: &K) -> Result<(), Error> {
    let stored = rows::encode(key)?;
    connection.prepare_cached(K::INSERT)?.execute(params![
        key.id(),
        key.digest(),
        stored.version,
        stored.data
    ])?;
    Ok(())
}

pub(super) fn find<K: Key>(connection: &Connection, digest: &Digest) -> Result<Option<K>, Error> {
    let mut statement = connection.prepare_cached(K::FIND)?;
    let mut rows = statement.query([digest])?;
    rows.next()?.map(read_key).transpose()
}

pub(super) fn list<K: Key>(connection: &Connection) -> Result<Vec<K>, Error> {
    connection
        .prepare_cached(K::LIST)?
        .query_and_then([], read_key)?
        .collect()
}

pub(super) fn revoke<K: Key>(
    connection: &Connection,
    id: &str,
    now: UnixTime,
) -> Result<bool, Error> {
    let revoked = connection
        .prepare_cached(K::REVOKE)?
        .execute(params![id, now.seconds()])?;
    let end = End {
        at: now,
        reason: EndReason::Revoked,
    };
    sessions::end_all_opened_by(connection, &K::opener(id.to_owned()), end)?;
    Ok(revoked > 0)
}

/// Those public tokens that were revoked, or are not there.
pub(super) fn revoked_among(
    connection: &Connection,
    digests: &[Digest],
) -> Result<Vec<Digest>, Error> {
    let mut holds = connection
        .prepare_cached("SELECT 1 FROM public_tokens WHERE digest = ?1 AND revoked_at IS NULL")?;
    let mut revoked = Vec::new();
    for digest in digests {
        if !holds.exists([digest])? {
            revoked.push(*digest);
        }
    }
    Ok(revoked)
}

/// Whether what opens a session may still do so.
pub(super) fn is_opener_there(
    connection: &Connection,
    opened_by: &OpenedBy,
    subject: &str,
) -> Result<bool, Error> {
    let (sql, id) = match opened_by {
        OpenedBy::User => return Ok(true),
        OpenedBy::PublicToken(id) => (
            "SELECT EXISTS (SELECT 1 FROM public_tokens WHERE id = ?1 AND revoked_at IS NULL)
                AND EXISTS (SELECT 1 FROM visitors WHERE id = ?2 AND public_token_id = ?1)",
            id,
        ),
        OpenedBy::ServerKey(id) => (
            "SELECT EXISTS (SELECT 1 FROM server_keys WHERE id = ?1 AND revoked_at IS NULL)
                AND ?2 IS NOT NULL",
            id,
        ),
    };
    let is_there = connection
        .prepare_cached(sql)?
        .query_row([id, subject], |row| row.get(0))?;
    Ok(is_there)
}

fn read_key<K: Key>(row: &Row<'_>) -> Result<K, Error> {
    let mut key: K = rows::decode(row.get(0)?, &row.get::<_, String>(1)?)?;
    key.set_revoked_at(read_optional_time(row, 2)?);
    Ok(key)
}

pub(super) fn insert_visitor(
    connection: &Connection,
    visitor: &VisitorRecord,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO visitors (id, public_token_id, resume_digest, created_at, last_seen_at,
                                   resume_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            visitor.id,
            visitor.public_token_id,
            visitor.resume_digest,
            visitor.created_at.seconds(),
            visitor.last_seen_at.seconds(),
            visitor.resume_since.seconds(),
        ])?;
    Ok(())
}

pub(super) fn find_visitor(
    connection: &Connection,
    resume_digest: &Digest,
) -> Result<Option<VisitorRecord>, Error> {
    let visitor = connection
        .prepare_cached(
            "SELECT id, public_token_id, resume_digest, created_at, last_seen_at,
                    resume_since, earlier_digest, earlier_nonce, earlier_until
             FROM visitors WHERE resume_digest = ?1 OR earlier_digest = ?1",
        )?
        .query_row([resume_digest], read_visitor)
        .optional()?;
    Ok(visitor)
}

/// The visitor of this id, when it came through this public token.
pub(in crate::sqlite) fn find_visitor_of(
    connection: &Connection,
    public_token_id: &str,
    id: &str,
) -> Result<Option<VisitorRecord>, Error> {
    let visitor = connection
        .prepare_cached(
            "SELECT id, public_token_id, resume_digest, created_at, last_seen_at,
                    resume_since, earlier_digest, earlier_nonce, earlier_until
             FROM visitors WHERE id = ?1 AND public_token_id = ?2",
        )?
        .query_row([id, public_token_id], read_visitor)
        .optional()?;
    Ok(visitor)
}

/// The comparison and the swap are one statement: a token that has been replaced is not the present one.
pub(super) fn replace_resume(
    connection: &Connection,
    current: &Digest,
    nonce: &[u8; 32],
    next: &Digest,
    now: UnixTime,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE visitors SET resume_digest = ?2, resume_since = ?3, earlier_digest = ?1,
                 earlier_nonce = ?4, earlier_until = NULL
             WHERE resume_digest = ?1",
        )?
        .execute(params![current, next, now.seconds(), nonce])?;
    Ok(())
}

pub(super) fn end_earlier_resume(
    connection: &Connection,
    present: &Digest,
    until: UnixTime,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE visitors SET earlier_until = ?2
             WHERE resume_digest = ?1 AND earlier_digest IS NOT NULL AND earlier_until IS NULL",
        )?
        .execute(params![present, until.seconds()])?;
    Ok(())
}

pub(super) fn touch_visitor(connection: &Connection, id: &str, now: UnixTime) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE visitors SET last_seen_at = ?2 WHERE id = ?1 AND last_seen_at < ?2",
        )?
        .execute(params![id, now.seconds()])?;
    Ok(())
}

pub(super) fn remove_visitor(connection: &Connection, id: &str) -> Result<bool, Error> {
    let removed = connection
        .prepare_cached("DELETE FROM visitors WHERE id = ?1")?
        .execute([id])?;
    Ok(removed > 0)
}

/// The visitor that has been away longest, when it was last seen before `before`.
pub(in crate::sqlite) fn find_stale_visitor(
    connection: &Connection,
    before: UnixTime,
) -> Result<Option<VisitorRecord>, Error> {
    let visitor = connection
        .prepare_cached(
            "SELECT id, public_token_id, resume_digest, created_at, last_seen_at,
                    resume_since, earlier_digest, earlier_nonce, earlier_until
             FROM visitors WHERE last_seen_at < ?1 ORDER BY last_seen_at LIMIT 1",
        )?
        .query_row([before.seconds()], read_visitor)
        .optional()?;
    Ok(visitor)
}

fn read_visitor(row: &Row<'_>) -> rusqlite::Result<VisitorRecord> {
    Ok(VisitorRecord {
        id: row.get(0)?,
        public_token_id: row.get(1)?,
        resume_digest: row.get(2)?,
        created_at: read_time(row, 3)?,
        last_seen_at: read_time(row, 4)?,
        resume_since: read_time(row, 5)?,
        earlier: match (row.get(6)?, row.get(7)?) {
            (Some(digest), Some(nonce)) => Some(EarlierResume {
                digest,
                nonce,
                until: read_optional_time(row, 8)?,
            }),
            _ => None,
        },
    })
}
