//! Chat sessions and their client secrets.

use auth::identity::Identity;
use auth::ports::{
    ChatSessionFilter, ChatSessionRecord, ClientSecretRecord, Digest, End, EndReason, OpenedBy,
    OpeningOutcome, Rotation, RotationOutcome, SignOut, UsedToken,
};
use auth::time::UnixTime;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::credentials::{keys, read_digest, read_optional_time, read_time};
use crate::postgres::pool::{Batch, Transaction, params};
use crate::postgres::{Postgres, name};
use crate::rows;
use crate::rows::session::{EncodedSession, login_of, opener, reason_from_name, reason_name};

/// Sessions that one call of [`purge_some`] removes.
const PURGE_BATCH: i64 = 500;
/// Used tokens that are forgotten with each new one.
const FORGET_BATCH: i64 = 16;

/// One owner's sessions are opened one after the other, so that they are counted right.
pub(super) async fn insert(
    transaction: &mut Transaction,
    session: &EncodedSession,
    secret: &ClientSecretRecord,
    limit: u32,
) -> Result<OpeningOutcome, Error> {
    let environment = session.environment.as_str();
    let mut batch = Batch::default();
    let openers = keys::lock_opener(&mut batch, &session.opened_by, &session.subject);
    batch.add(
        "SELECT pg_advisory_xact_lock(hashtextextended(concat('sessions ', $1::text, ' ', $2::text, ' ', $3::text), 0))",
        params![environment, name(&session.issuer), name(&session.subject)],
    );
    let (opened_by, opened_by_id) = opener(&session.opened_by);
    let inserted = batch.add(
        "INSERT INTO chat_sessions (id, issuer, subject, environment, opened_by, opened_by_id,
             created_at, ends_at, login, version, data)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING key",
        params![
            name(&session.id),
            name(&session.issuer),
            name(&session.subject),
            environment,
            opened_by,
            opened_by_id.map(name),
            session.created_at.seconds(),
            session.ends_at.seconds(),
            session.login.as_deref().map(name),
            session.stored.version,
            session.stored.data.as_str(),
        ],
    );
    batch.add(
        "INSERT INTO client_secrets (digest, session, created_at, expires_at)
         VALUES ($1, (SELECT key FROM chat_sessions WHERE id = $2), $3, $4)",
        params![
            secret.digest.as_slice(),
            name(&session.id),
            secret.created_at.seconds(),
            secret.expires_at.seconds()
        ],
    );
    // Nearly everybody has a few; to see that, one look at an index is enough.
    let counted = batch.add(
        "SELECT count(*) FROM chat_sessions
         WHERE issuer = $1 AND subject = $2 AND environment = $3 AND ended_at IS NULL",
        params![name(&session.issuer), name(&session.subject), environment],
    );
    let outcomes = transaction.run(batch).await?;
    let row = |step: usize| outcomes.get(step).and_then(|outcome| outcome.rows.first());
    if openers.into_iter().any(|step| row(step).is_none()) {
        transaction.undo().await?;
        return Ok(OpeningOutcome::OpenerGone);
    }
    let newest: i64 = row(inserted).ok_or(Error::NotFound)?.try_get(0)?;
    let not_ended: i64 = row(counted).ok_or(Error::NotFound)?.try_get(0)?;
    if not_ended <= i64::from(limit) {
        return Ok(OpeningOutcome::Opened { displaced: 0 });
    }
    let now = session.created_at.seconds();
    // All live ones but the newest, the last one that was opened first; those beyond the limit go. No secret outlives its
    // session, so a live secret says enough.
    let displaced = transaction
        .query(
            "UPDATE chat_sessions SET ended_at = $5, ended_because = $7 WHERE key IN (
                 SELECT key FROM chat_sessions AS session
                 WHERE issuer = $1 AND subject = $2 AND environment = $3 AND key <> $4
                   AND ended_at IS NULL
                   AND EXISTS (SELECT 1 FROM client_secrets
                               WHERE session = session.key AND expires_at > $5)
                 ORDER BY key DESC OFFSET $6)
             AND ended_at IS NULL",
            params![
                name(&session.issuer),
                name(&session.subject),
                environment,
                newest,
                now,
                i64::from(limit.saturating_sub(1)),
                reason_name(EndReason::Displaced),
            ],
        )
        .await?;
    Ok(OpeningOutcome::Opened {
        displaced: u32::try_from(displaced.count).map_err(Error::internal)?,
    })
}

/// A secret and its session, as they were at one moment.
const FIND_SECRET: &str =
    "SELECT session.version, session.data, session.ended_at, session.ended_because,
            secret.digest, secret.created_at, secret.expires_at, secret.rotated_at,
            secret.rotation_nonce, secret.rotation_next, session.key
     FROM client_secrets AS secret JOIN chat_sessions AS session ON session.key = secret.session
     WHERE secret.digest = $1";

pub(super) async fn find_secret(
    postgres: &Postgres,
    digest: &Digest,
) -> Result<Option<(ClientSecretRecord, ChatSessionRecord)>, Error> {
    let row = postgres.read_first(FIND_SECRET, params![digest.as_slice()]);
    row.await?.as_ref().map(read_secret).transpose()
}

fn read_secret(row: &Row) -> Result<(ClientSecretRecord, ChatSessionRecord), Error> {
    let session = read_session(row)?;
    let rotation = match (
        read_optional_time(row, 7)?,
        read_digest(row, 8)?,
        read_digest(row, 9)?,
    ) {
        (Some(at), Some(nonce), Some(next)) => Some(Rotation { at, nonce, next }),
        _ => None,
    };
    let secret = ClientSecretRecord {
        digest: read_digest(row, 4)?.ok_or(Error::NotFound)?,
        session_id: session.id.clone(),
        created_at: read_time(row, 5)?,
        expires_at: read_time(row, 6)?,
        rotation,
    };
    Ok((secret, session))
}

/// A rotation that is asked for.
pub(super) struct Wanted {
    pub(super) current: Digest,
    pub(super) owner: Identity,
    pub(super) workflow: Option<String>,
    pub(super) rotation: Rotation,
    pub(super) expires_at: UnixTime,
}

/// The session's row is locked first; then both are read as whoever held it before left them.
pub(super) async fn rotate(
    transaction: &mut Transaction,
    wanted: &Wanted,
) -> Result<RotationOutcome, Error> {
    let Wanted {
        current,
        owner,
        workflow,
        rotation,
        expires_at,
    } = wanted;
    let mut batch = Batch::of(
        "SELECT key FROM chat_sessions
         WHERE key = (SELECT session FROM client_secrets WHERE digest = $1) FOR UPDATE",
        params![current.as_slice()],
    );
    let found = batch.add(FIND_SECRET, params![current.as_slice()]);
    let outcomes = transaction.run(batch).await?;
    let row = outcomes.get(found).and_then(|outcome| outcome.rows.first());
    let Some(row) = row else {
        return Ok(RotationOutcome::NotFound);
    };
    let (secret, session) = read_secret(row)?;
    if !session.may_rotate(&secret, owner, *expires_at) {
        return Ok(RotationOutcome::Unchanged(Box::new((secret, session))));
    }
    let key: i64 = row.try_get(10)?;
    let replacement = secret.replacement(rotation, *expires_at);
    let renewed = session.clone().renewed(owner, workflow.as_deref());
    let mut batch = Batch::of(
        "UPDATE client_secrets SET rotated_at = $2, rotation_nonce = $3, rotation_next = $4
         WHERE digest = $1",
        params![
            current.as_slice(),
            rotation.at.seconds(),
            rotation.nonce.as_slice(),
            rotation.next.as_slice()
        ],
    );
    batch.add(
        "INSERT INTO client_secrets (digest, session, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
        params![
            replacement.digest.as_slice(),
            key,
            replacement.created_at.seconds(),
            replacement.expires_at.seconds()
        ],
    );
    // Most logins say the same again, and then there is nothing to write.
    if renewed != session {
        write_renewed(&mut batch, &renewed)?;
    }
    transaction.finish(batch).await?;
    Ok(RotationOutcome::Rotated(Box::new(renewed)))
}

/// Puts a new login in the place of the one that a session was opened or last refreshed with.
pub(super) async fn renew(
    transaction: &mut Transaction,
    id: &str,
    login: &Identity,
    workflow: Option<&str>,
) -> Result<bool, Error> {
    let found = transaction
        .query(
            "SELECT version, data, ended_at, ended_because FROM chat_sessions WHERE id = $1 FOR UPDATE",
            params![name(id)],
        )
        .await?;
    match found.rows.first().map(read_session).transpose()? {
        Some(session) if session.ended.is_none() => {
            let renewed = session.renewed(login, workflow);
            let mut batch = Batch::default();
            write_renewed(&mut batch, &renewed)?;
            transaction.finish(batch).await?;
            Ok(true)
        }
        Some(_) | None => Ok(false),
    }
}

fn write_renewed<'a>(batch: &mut Batch<'a>, session: &'a ChatSessionRecord) -> Result<(), Error> {
    let stored = rows::encode(session)?;
    batch.add(
        "UPDATE chat_sessions SET login = $2, version = $3, data = $4 WHERE id = $1",
        params![
            name(&session.id),
            login_of(session).map(name),
            stored.version,
            stored.data
        ],
    );
    Ok(())
}

pub(super) async fn find(
    postgres: &Postgres,
    id: &str,
) -> Result<Option<ChatSessionRecord>, Error> {
    let row = postgres.read_first(
        "SELECT version, data, ended_at, ended_because FROM chat_sessions WHERE id = $1",
        params![name(id)],
    );
    row.await?.as_ref().map(read_session).transpose()
}

/// Asks for the places, from 1, of those that have ended, or are not there.
pub(super) fn ended_among<'a>(batch: &mut Batch<'a>, ids: &'a [String]) -> usize {
    let ids: Vec<_> = ids.iter().map(|id| name(id)).collect();
    batch.add(
        "SELECT asked.place FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
             LEFT JOIN chat_sessions AS session ON session.id = asked.id AND session.ended_at IS NULL
         WHERE session.key IS NULL",
        params![ids],
    )
}

pub(super) async fn list(
    postgres: &Postgres,
    filter: &ChatSessionFilter,
    limit: u32,
) -> Result<Vec<ChatSessionRecord>, Error> {
    let mut sql = String::from(
        "SELECT version, data, ended_at, ended_because FROM chat_sessions AS session WHERE true",
    );
    let mut parameters = params![];
    if let Some(after) = &filter.after {
        parameters.extend(params![name(after)]);
        // Nothing comes after a session that is not there.
        sql.push_str(" AND key < (SELECT key FROM chat_sessions WHERE id = $1)");
    }
    if let Some((issuer, subject)) = &filter.owner {
        let next = parameters.len() + 1;
        parameters.extend(params![name(issuer), name(subject)]);
        sql.extend([format!(" AND issuer = ${next} AND subject = ${}", next + 1)]);
    }
    if let Some(live_at) = filter.live_at {
        let next = parameters.len() + 1;
        parameters.extend(params![live_at.seconds()]);
        sql.extend([format!(
            " AND ended_at IS NULL AND ends_at > ${next}
              AND EXISTS (SELECT 1 FROM client_secrets
                          WHERE session = session.key AND expires_at > ${next})"
        )]);
    }
    let next = parameters.len() + 1;
    parameters.extend(params![i64::from(limit)]);
    sql.extend([format!(" ORDER BY key DESC LIMIT ${next}")]);
    let rows = postgres.read(sql, parameters).await?;
    rows.iter().map(read_session).collect()
}

pub(super) async fn end(transaction: &mut Transaction, id: &str, end: End) -> Result<bool, Error> {
    let ended = transaction
        .query(
            "UPDATE chat_sessions SET ended_at = $2, ended_because = $3
             WHERE id = $1 AND ended_at IS NULL",
            params![name(id), end.at.seconds(), reason_name(end.reason)],
        )
        .await?;
    Ok(ended.count > 0)
}

pub(super) async fn end_all_of(
    transaction: &mut Transaction,
    issuer: &str,
    subject: &str,
    end: End,
) -> Result<u64, Error> {
    let ended = transaction
        .query(
            "UPDATE chat_sessions SET ended_at = $3, ended_because = $4
             WHERE issuer = $1 AND subject = $2 AND ended_at IS NULL",
            params![
                name(issuer),
                name(subject),
                end.at.seconds(),
                reason_name(end.reason)
            ],
        )
        .await?;
    Ok(ended.count)
}

/// Ends what a login that has ended has opened.
pub(super) async fn end_all_of_login(
    transaction: &mut Transaction,
    sign_out: &SignOut,
    end: End,
) -> Result<u64, Error> {
    let (issuer, at, reason) = (
        name(&sign_out.issuer),
        end.at.seconds(),
        reason_name(end.reason),
    );
    let ended = match (&sign_out.subject, &sign_out.session) {
        (Some(subject), session) => transaction.query(
            "UPDATE chat_sessions SET ended_at = $2, ended_because = $3
             WHERE issuer = $1 AND subject = $4 AND ended_at IS NULL
               AND ($5::text IS NULL OR coalesce(login, $5) = $5)",
            params![
                issuer,
                at,
                reason,
                name(subject),
                session.as_deref().map(name)
            ],
        ),
        (None, Some(session)) => transaction.query(
            "UPDATE chat_sessions SET ended_at = $2, ended_because = $3
             WHERE issuer = $1 AND md5(login) = md5($4) AND login = $4 AND ended_at IS NULL",
            params![issuer, at, reason, name(session)],
        ),
        (None, None) => return Ok(0),
    };
    Ok(ended.await?.count)
}

/// Remembers a token that was used, and forgets those that would be refused for their age. [`Error::Conflict`] where it was used
/// before.
pub(super) async fn use_up(
    transaction: &mut Transaction,
    token: UsedToken,
    now: UnixTime,
) -> Result<(), Error> {
    let mut batch = Batch::of(
        "DELETE FROM used_tokens WHERE digest IN
             (SELECT digest FROM used_tokens WHERE until < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        params![now.seconds(), FORGET_BATCH],
    );
    let used = batch.add(
        "INSERT INTO used_tokens (digest, until) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        params![token.digest.as_slice(), token.until.seconds()],
    );
    let outcomes = transaction.run(batch).await?;
    if outcomes.get(used).is_none_or(|outcome| outcome.count == 0) {
        return Err(Error::Conflict);
    }
    Ok(())
}

/// Ends what a public token or a server key has opened.
pub(super) fn end_all_opened_by<'a>(batch: &mut Batch<'a>, by: &'a OpenedBy, end: End) {
    let (opened_by, opened_by_id) = opener(by);
    batch.add(
        "UPDATE chat_sessions SET ended_at = $3, ended_because = $4
         WHERE opened_by = $1 AND opened_by_id = $2 AND ended_at IS NULL",
        params![
            opened_by,
            opened_by_id.map(name),
            end.at.seconds(),
            reason_name(end.reason)
        ],
    );
}

/// Removes some of the sessions that are over; 0 when nothing is left, or another process is at the rest. Their secrets go
/// with them (`ON DELETE CASCADE`), and none before.
pub(super) async fn purge_some(
    transaction: &mut Transaction,
    before: UnixTime,
) -> Result<u64, Error> {
    let removed = transaction
        .query(
            "DELETE FROM chat_sessions WHERE key IN (
                 SELECT key FROM chat_sessions WHERE ends_at < $1 LIMIT $2
                 FOR UPDATE SKIP LOCKED)",
            params![before.seconds(), PURGE_BATCH],
        )
        .await?;
    Ok(removed.count)
}

/// Reads a row that begins with `version`, `data`, `ended_at` and `ended_because`.
pub(in crate::postgres) fn read_session(row: &Row) -> Result<ChatSessionRecord, Error> {
    let mut session: ChatSessionRecord = rows::decode(row.try_get(0)?, row.try_get(1)?)?;
    let reason: Option<&str> = row.try_get(3)?;
    if let (Some(at), Some(reason)) = (read_optional_time(row, 2)?, reason) {
        let reason = reason_from_name(reason)?;
        session.ended = Some(End { at, reason });
    }
    Ok(session)
}
