//! Public tokens and their visitors, and server keys.

use auth::ports::{
    Digest, EarlierResume, End, EndReason, OpenedBy, PublicTokenRecord, ServerKeyRecord,
    VisitorRecord,
};
use auth::time::UnixTime;
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::credentials::{read_digest, read_optional_time, read_time, sessions};
use crate::postgres::pool::{Batch, Transaction, params};
use crate::postgres::{Postgres, name};
use crate::rows;

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
                " (id, digest, version, data) VALUES ($1, $2, $3, $4)"
            );
            const FIND: &str = concat!(
                "SELECT version, data, revoked_at FROM ",
                $table,
                " WHERE digest = $1"
            );
            const LIST: &str = concat!(
                "SELECT version, data, revoked_at FROM ",
                $table,
                " ORDER BY key DESC"
            );
            const REVOKE: &str = concat!(
                "UPDATE ",
                $table,
                " SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
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

pub(super) async fn insert<K: Key + Sync>(
    transaction: &mut Transaction,
    key: &K,
) -> Result<(), Error> {
    let stored = rows::encode(key)?;
    let batch = Batch::of(
        K::INSERT,
        params![
            name(key.id()),
            key.digest().as_slice(),
            stored.version,
            stored.data.as_str()
        ],
    );
    transaction.finish(batch).await?;
    Ok(())
}

pub(super) async fn find<K: Key>(postgres: &Postgres, digest: &Digest) -> Result<Option<K>, Error> {
    let row = postgres.read_first(K::FIND, params![digest.as_slice()]);
    row.await?.as_ref().map(read_key).transpose()
}

pub(super) async fn list<K: Key>(postgres: &Postgres) -> Result<Vec<K>, Error> {
    let rows = postgres.read(K::LIST, params![]);
    rows.await?.iter().map(read_key).collect()
}

/// A session that is just being opened holds the row until it is there (see [`lock_opener`]), and then it is ended here.
pub(super) async fn revoke<K: Key>(
    transaction: &mut Transaction,
    id: &str,
    now: UnixTime,
) -> Result<bool, Error> {
    let by = K::opener(id.to_owned());
    let end = End {
        at: now,
        reason: EndReason::Revoked,
    };
    let mut batch = Batch::of(K::REVOKE, params![name(id), now.seconds()]);
    sessions::end_all_opened_by(&mut batch, &by, end);
    let outcomes = transaction.run(batch).await?;
    Ok(outcomes.first().is_some_and(|outcome| outcome.count > 0))
}

/// Asks for the places, from 1, of the public tokens that were revoked, or are not there.
pub(super) fn revoked_among<'a>(batch: &mut Batch<'a>, digests: &'a [Digest]) -> usize {
    let digests: Vec<&[u8]> = digests.iter().map(Digest::as_slice).collect();
    batch.add(
        "SELECT asked.place FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (digest, place)
             LEFT JOIN public_tokens AS token
                 ON token.digest = asked.digest AND token.revoked_at IS NULL
         WHERE token.key IS NULL",
        params![digests],
    )
}

/// Asks whether what opens a session may still do so, and keeps it from being revoked or removed until the session is
/// there. As many rows as are asked for have to come.
pub(super) fn lock_opener<'a>(
    batch: &mut Batch<'a>,
    opened_by: &'a OpenedBy,
    subject: &'a str,
) -> Vec<usize> {
    match opened_by {
        OpenedBy::User => Vec::new(),
        OpenedBy::PublicToken(id) => vec![
            batch.add(
                "SELECT 1 FROM public_tokens WHERE id = $1 AND revoked_at IS NULL FOR SHARE",
                params![name(id)],
            ),
            batch.add(
                "SELECT 1 FROM visitors WHERE id = $1 AND public_token_id = $2 FOR KEY SHARE",
                params![name(subject), name(id)],
            ),
        ],
        OpenedBy::ServerKey(id) => vec![batch.add(
            "SELECT 1 FROM server_keys WHERE id = $1 AND revoked_at IS NULL FOR SHARE",
            params![name(id)],
        )],
    }
}

fn read_key<K: Key>(row: &Row) -> Result<K, Error> {
    let mut key: K = rows::decode(row.try_get(0)?, row.try_get(1)?)?;
    key.set_revoked_at(read_optional_time(row, 2)?);
    Ok(key)
}

pub(super) async fn insert_visitor(
    transaction: &mut Transaction,
    visitor: &VisitorRecord,
) -> Result<(), Error> {
    let batch = Batch::of(
        "INSERT INTO visitors (id, public_token_id, resume_digest, created_at, last_seen_at, resume_since)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            name(&visitor.id),
            name(&visitor.public_token_id),
            visitor.resume_digest.as_slice(),
            visitor.created_at.seconds(),
            visitor.last_seen_at.seconds(),
            visitor.resume_since.seconds(),
        ],
    );
    transaction.finish(batch).await?;
    Ok(())
}

/// A visitor's columns.
macro_rules! select_visitor {
    ($rest:literal) => {
        concat!(
            "SELECT id, public_token_id, resume_digest, created_at, last_seen_at,
                    resume_since, earlier_digest, earlier_nonce, earlier_until
             FROM visitors WHERE ",
            $rest
        )
    };
}

pub(super) async fn find_visitor(
    postgres: &Postgres,
    resume_digest: &Digest,
) -> Result<Option<VisitorRecord>, Error> {
    let row = postgres.read_first(
        select_visitor!("resume_digest = $1 OR earlier_digest = $1"),
        params![resume_digest.as_slice()],
    );
    row.await?.as_ref().map(read_visitor).transpose()
}

/// The visitor of this id, when it came through this public token.
pub(in crate::postgres) async fn find_visitor_of(
    postgres: &Postgres,
    public_token_id: &str,
    id: &str,
) -> Result<Option<VisitorRecord>, Error> {
    let row = postgres.read_first(
        select_visitor!("id = $1 AND public_token_id = $2"),
        params![name(id), name(public_token_id)],
    );
    row.await?.as_ref().map(read_visitor).transpose()
}

/// The comparison and the swap are one statement: a token that has been replaced is not the present one.
pub(super) async fn replace_resume(
    transaction: &mut Transaction,
    current: &Digest,
    nonce: &[u8; 32],
    next: &Digest,
    now: UnixTime,
) -> Result<(), Error> {
    let batch = Batch::of(
        "UPDATE visitors SET resume_digest = $2, resume_since = $3, earlier_digest = $1,
             earlier_nonce = $4, earlier_until = NULL
         WHERE resume_digest = $1",
        params![
            current.as_slice(),
            next.as_slice(),
            now.seconds(),
            nonce.as_slice()
        ],
    );
    transaction.finish(batch).await?;
    Ok(())
}

pub(super) async fn end_earlier_resume(
    transaction: &mut Transaction,
    present: &Digest,
    until: UnixTime,
) -> Result<(), Error> {
    let batch = Batch::of(
        "UPDATE visitors SET earlier_until = $2
         WHERE resume_digest = $1 AND earlier_digest IS NOT NULL AND earlier_until IS NULL",
        params![present.as_slice(), until.seconds()],
    );
    transaction.finish(batch).await?;
    Ok(())
}

pub(super) async fn touch_visitor(
    transaction: &mut Transaction,
    id: &str,
    now: UnixTime,
) -> Result<(), Error> {
    let batch = Batch::of(
        "UPDATE visitors SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2",
        params![name(id), now.seconds()],
    );
    transaction.finish(batch).await?;
    Ok(())
}

pub(super) async fn remove_visitor(transaction: &mut Transaction, id: &str) -> Result<bool, Error> {
    let removed = transaction.query("DELETE FROM visitors WHERE id = $1", params![name(id)]);
    Ok(removed.await?.count > 0)
}

/// The visitor that has been away longest, when it was last seen before `before`, kept from coming back until the end of
/// the transaction. One that another process is at is passed over.
pub(in crate::postgres) async fn lock_stale_visitor(
    transaction: &mut Transaction,
    before: UnixTime,
) -> Result<Option<VisitorRecord>, Error> {
    let found = transaction.query(
        select_visitor!("last_seen_at < $1 ORDER BY last_seen_at LIMIT 1 FOR UPDATE SKIP LOCKED"),
        params![before.seconds()],
    );
    found.await?.rows.first().map(read_visitor).transpose()
}

fn read_visitor(row: &Row) -> Result<VisitorRecord, Error> {
    Ok(VisitorRecord {
        id: row.try_get(0)?,
        public_token_id: row.try_get(1)?,
        resume_digest: read_digest(row, 2)?.ok_or(Error::NotFound)?,
        created_at: read_time(row, 3)?,
        last_seen_at: read_time(row, 4)?,
        resume_since: read_time(row, 5)?,
        earlier: match (read_digest(row, 6)?, read_digest(row, 7)?) {
            (Some(digest), Some(nonce)) => Some(EarlierResume {
                digest,
                nonce,
                until: read_optional_time(row, 8)?,
            }),
            _ => None,
        },
    })
}
