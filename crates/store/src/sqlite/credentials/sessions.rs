//! Chat sessions and their client secrets.

use auth::identity::Identity;
use auth::ports::{
    ChatSessionFilter, ChatSessionRecord, ClientSecretRecord, Digest, End, EndReason, OpenedBy,
    OpeningOutcome, Rotation, RotationOutcome, SignOut, UsedToken,
};
use auth::time::UnixTime;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::error::Error;
use crate::rows;
use crate::rows::session::{EncodedSession, login_of, opener, reason_from_name, reason_name};
use crate::sqlite::credentials::{keys, read_optional_time, read_time};

/// Sessions that one call of [`purge_some`] removes.
const PURGE_BATCH: u32 = 500;

pub(super) fn insert(
    connection: &Connection,
    session: &EncodedSession,
    secret: &ClientSecretRecord,
    limit: u32,
) -> Result<OpeningOutcome, Error> {
    if !keys::is_opener_there(connection, &session.opened_by, &session.subject)? {
        return Ok(OpeningOutcome::OpenerGone);
    }
    let (opened_by, opened_by_id) = opener(&session.opened_by);
    let key = connection
        .prepare_cached(
            "INSERT INTO chat_sessions (id, issuer, subject, environment, opened_by, opened_by_id,
                 created_at, ends_at, login, version, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .insert(params![
            session.id,
            session.issuer,
            session.subject,
            session.environment.as_str(),
            opened_by,
            opened_by_id,
            session.created_at.seconds(),
            session.ends_at.seconds(),
            session.login,
            session.stored.version,
            session.stored.data,
        ])?;
    insert_secret(connection, key, secret)?;
    Ok(OpeningOutcome::Opened {
        displaced: displace(connection, session, key, limit)?,
    })
}

/// Ends the oldest of a user's live sessions, so that no more than `limit` are left. How many ended.
fn displace(
    connection: &Connection,
    newest: &EncodedSession,
    newest_key: i64,
    limit: u32,
) -> Result<u32, Error> {
    let (issuer, subject) = (&newest.issuer, &newest.subject);
    let environment = newest.environment.as_str();
    // Nearly everybody has a few; to see that, one look at an index is enough.
    let not_ended: u32 = connection
        .prepare_cached(
            "SELECT count(*) FROM chat_sessions
             WHERE issuer = ?1 AND subject = ?2 AND environment = ?3 AND ended_at IS NULL",
        )?
        .query_row(params![issuer, subject, environment], |row| row.get(0))?;
    if not_ended <= limit {
        return Ok(0);
    }
    let now = newest.created_at.seconds();
    // All live ones but the newest, the last one that was opened first; those beyond the limit go. No secret outlives its
    // session, so a live secret says enough, and indexes hold all that is asked for.
    let surplus: Vec<i64> = connection
        .prepare_cached(
            "SELECT key FROM chat_sessions AS session
             WHERE issuer = ?1 AND subject = ?2 AND environment = ?3 AND key <> ?4
               AND ended_at IS NULL
               AND EXISTS (SELECT 1 FROM client_secrets
                           WHERE session = session.key AND expires_at > ?5)
             ORDER BY key DESC LIMIT -1 OFFSET ?6",
        )?
        .query_map(
            params![
                issuer,
                subject,
                environment,
                newest_key,
                now,
                limit.saturating_sub(1),
            ],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    let mut end = connection.prepare_cached(
        "UPDATE chat_sessions SET ended_at = ?2, ended_because = ?3 WHERE key = ?1",
    )?;
    for key in &surplus {
        end.execute(params![key, now, reason_name(EndReason::Displaced)])?;
    }
    u32::try_from(surplus.len()).map_err(Error::internal)
}

pub(super) fn find_secret(
    connection: &Connection,
    digest: &Digest,
) -> Result<Option<(ClientSecretRecord, ChatSessionRecord)>, Error> {
    let found = find_secret_and_key(connection, digest)?;
    Ok(found.map(|(secret, session, _)| (secret, session)))
}

/// The same with the key of the session.
fn find_secret_and_key(
    connection: &Connection,
    digest: &Digest,
) -> Result<Option<(ClientSecretRecord, ChatSessionRecord, i64)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT session.version, session.data, session.ended_at, session.ended_because, session.key,
                secret.created_at, secret.expires_at, secret.rotated_at, secret.rotation_nonce,
                secret.rotation_next
         FROM client_secrets AS secret JOIN chat_sessions AS session ON session.key = secret.session
         WHERE secret.digest = ?1",
    )?;
    let mut rows = statement.query(params![digest])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let session = read_session(row)?;
    let rotation = match (row.get(7)?, row.get(8)?, row.get(9)?) {
        (Some(at), Some(nonce), Some(next)) => Some(Rotation {
            at: UnixTime::from_seconds(at),
            nonce,
            next,
        }),
        _ => None,
    };
    let secret = ClientSecretRecord {
        digest: *digest,
        session_id: session.id.clone(),
        created_at: read_time(row, 5)?,
        expires_at: read_time(row, 6)?,
        rotation,
    };
    Ok(Some((secret, session, row.get(4)?)))
}

/// The comparison and the swap are one transaction, and the writer is alone.
pub(super) fn rotate(
    connection: &Connection,
    current: &Digest,
    owner: &Identity,
    workflow: Option<&str>,
    rotation: &Rotation,
    expires_at: UnixTime,
) -> Result<RotationOutcome, Error> {
    let Some((secret, session, key)) = find_secret_and_key(connection, current)? else {
        return Ok(RotationOutcome::NotFound);
    };
    if !session.may_rotate(&secret, owner, expires_at) {
        return Ok(RotationOutcome::Unchanged(Box::new((secret, session))));
    }
    connection
        .prepare_cached(
            "UPDATE client_secrets SET rotated_at = ?2, rotation_nonce = ?3, rotation_next = ?4
             WHERE digest = ?1",
        )?
        .execute(params![
            current,
            rotation.at.seconds(),
            rotation.nonce,
            rotation.next
        ])?;
    insert_secret(connection, key, &secret.replacement(rotation, expires_at))?;
    let renewed = session.clone().renewed(owner, workflow);
    // Most logins say the same again, and then there is nothing to write.
    if renewed != session {
        write_renewed(connection, &renewed)?;
    }
    Ok(RotationOutcome::Rotated(Box::new(renewed)))
}

/// Puts a new login in the place of the one that a session was opened or last refreshed with.
pub(super) fn renew(
    connection: &Connection,
    id: &str,
    login: &Identity,
    workflow: Option<&str>,
) -> Result<bool, Error> {
    match find(connection, id)? {
        Some(session) if session.ended.is_none() => {
            write_renewed(connection, &session.renewed(login, workflow))?;
            Ok(true)
        }
        Some(_) | None => Ok(false),
    }
}

fn write_renewed(connection: &Connection, session: &ChatSessionRecord) -> Result<(), Error> {
    let stored = rows::encode(session)?;
    connection
        .prepare_cached(
            "UPDATE chat_sessions SET login = ?2, version = ?3, data = ?4 WHERE id = ?1",
        )?
        .execute(params![
            session.id,
            login_of(session),
            stored.version,
            stored.data
        ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, id: &str) -> Result<Option<ChatSessionRecord>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT version, data, ended_at, ended_because FROM chat_sessions WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(read_session).transpose()
}

/// Those that have ended, or are not there.
pub(super) fn ended_among(connection: &Connection, ids: &[String]) -> Result<Vec<String>, Error> {
    let mut lasts = connection
        .prepare_cached("SELECT 1 FROM chat_sessions WHERE id = ?1 AND ended_at IS NULL")?;
    let mut ended = Vec::new();
    for id in ids {
        if !lasts.exists([id])? {
            ended.push(id.clone());
        }
    }
    Ok(ended)
}

pub(super) fn list(
    connection: &Connection,
    filter: &ChatSessionFilter,
    limit: u32,
) -> Result<Vec<ChatSessionRecord>, Error> {
    let before: i64 = match &filter.after {
        None => i64::MAX,
        Some(after) => {
            let key = connection
                .prepare_cached("SELECT key FROM chat_sessions WHERE id = ?1")?
                .query_row([after], |row| row.get(0))
                .optional()?;
            match key {
                Some(key) => key,
                None => return Ok(Vec::new()), // Nothing comes after a session that is not there.
            }
        }
    };
    let mut sql = String::from(
        "SELECT version, data, ended_at, ended_because FROM chat_sessions AS session
         WHERE key < :before",
    );
    let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":before", &before), (":limit", &limit)];
    if let Some((issuer, subject)) = &filter.owner {
        sql.push_str(" AND issuer = :issuer AND subject = :subject");
        parameters.extend([
            (":issuer", issuer as &dyn ToSql),
            (":subject", subject as &dyn ToSql),
        ]);
    }
    let live_at = filter.live_at.map(UnixTime::seconds);
    if let Some(live_at) = &live_at {
        sql.push_str(
            " AND ended_at IS NULL AND ends_at > :live_at
              AND EXISTS (SELECT 1 FROM client_secrets
                          WHERE session = session.key AND expires_at > :live_at)",
        );
        parameters.push((":live_at", live_at));
    }
    sql.push_str(" ORDER BY key DESC LIMIT :limit");
    connection
        .prepare_cached(&sql)?
        .query_and_then(&*parameters, read_session)?
        .collect()
}

pub(super) fn end(connection: &Connection, id: &str, end: End) -> Result<bool, Error> {
    let ended = connection
        .prepare_cached(
            "UPDATE chat_sessions SET ended_at = ?2, ended_because = ?3
             WHERE id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![id, end.at.seconds(), reason_name(end.reason)])?;
    Ok(ended > 0)
}

pub(super) fn end_all_of(
    connection: &Connection,
    issuer: &str,
    subject: &str,
    end: End,
) -> Result<u64, Error> {
    let ended = connection
        .prepare_cached(
            "UPDATE chat_sessions SET ended_at = ?3, ended_because = ?4
             WHERE issuer = ?1 AND subject = ?2 AND ended_at IS NULL",
        )?
        .execute(params![
            issuer,
            subject,
            end.at.seconds(),
            reason_name(end.reason)
        ])?;
    Ok(ended as u64)
}

/// Ends what a login that has ended has opened.
pub(super) fn end_all_of_login(
    connection: &Connection,
    sign_out: &SignOut,
    end: End,
) -> Result<u64, Error> {
    let (issuer, at, reason) = (&sign_out.issuer, end.at.seconds(), reason_name(end.reason));
    let ended = match (&sign_out.subject, &sign_out.session) {
        (Some(subject), session) => connection
            .prepare_cached(
                "UPDATE chat_sessions SET ended_at = ?2, ended_because = ?3
                 WHERE issuer = ?1 AND subject = ?4 AND ended_at IS NULL
                   AND (?5 IS NULL OR coalesce(login, ?5) = ?5)",
            )?
            .execute(params![issuer, at, reason, subject, session])?,
        (None, Some(session)) => connection
            .prepare_cached(
                "UPDATE chat_sessions SET ended_at = ?2, ended_because = ?3
                 WHERE issuer = ?1 AND login = ?4 AND ended_at IS NULL",
            )?
            .execute(params![issuer, at, reason, session])?,
        (None, None) => 0,
    };
    Ok(ended as u64)
}

/// Remembers a token that was used, and forgets those that would be refused for their age. [`Error::Conflict`] where it was used
/// before.
pub(super) fn use_up(
    connection: &Connection,
    token: UsedToken,
    now: UnixTime,
) -> Result<(), Error> {
    connection
        .prepare_cached("DELETE FROM used_tokens WHERE until < ?1")?
        .execute([now.seconds()])?;
    let used = connection
        .prepare_cached(
            "INSERT INTO used_tokens (digest, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![token.digest, token.until.seconds()])?;
    if used == 0 {
        return Err(Error::Conflict);
    }
    Ok(())
}

/// Ends what a public token or a server key has opened.
pub(super) fn end_all_opened_by(
    connection: &Connection,
    by: &OpenedBy,
    end: End,
) -> Result<(), Error> {
    let (opened_by, opened_by_id) = opener(by);
    connection
        .prepare_cached(
            "UPDATE chat_sessions SET ended_at = ?3, ended_because = ?4
             WHERE opened_by = ?1 AND opened_by_id = ?2 AND ended_at IS NULL",
        )?
        .execute(params![
            opened_by,
            opened_by_id,
            end.at.seconds(),
            reason_name(end.reason)
        ])?;
    Ok(())
}

/// Removes some of the sessions that are over; 0 when nothing is left. Their secrets go with them
/// (`ON DELETE CASCADE`), and none before.
pub(super) fn purge_some(connection: &Connection, before: UnixTime) -> Result<u64, Error> {
    let sessions = connection
        .prepare_cached(
            "DELETE FROM chat_sessions WHERE key IN (
                 SELECT key FROM chat_sessions WHERE ends_at < ?1 LIMIT ?2)",
        )?
        .execute(params![before.seconds(), PURGE_BATCH])?;
    Ok(sessions as u64)
}

fn insert_secret(
    connection: &Connection,
    session: i64,
    secret: &ClientSecretRecord,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO client_secrets (digest, session, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            secret.digest,
            session,
            secret.created_at.seconds(),
            secret.expires_at.seconds(),
        ])?;
    Ok(())
}

/// Reads a row that begins with `version`, `data`, `ended_at` and `ended_because`.
pub(in crate::sqlite) fn read_session(row: &Row<'_>) -> Result<ChatSessionRecord, Error> {
    let mut session: ChatSessionRecord = rows::decode(row.get(0)?, &row.get::<_, String>(1)?)?;
    let reason = row.get::<_, Option<String>>(3)?;
    if let (Some(at), Some(reason)) = (read_optional_time(row, 2)?, reason) {
        let reason = reason_from_name(&reason)?;
        session.ended = Some(End { at, reason });
    }
    Ok(session)
}
