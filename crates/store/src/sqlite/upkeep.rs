//! What an operator needs, in SQLite.

use std::path::Path;

use async_trait::async_trait;
use auth::ports::VisitorRecord;
use auth::time::UnixTime;
use engine::Owner;
use rusqlite::{Connection, OptionalExtension};

use crate::Options;
use crate::error::Error;
use crate::export::{Kind, Rows};
use crate::sqlite::Sqlite;
use crate::sqlite::attachments;
use crate::sqlite::audit;
use crate::sqlite::credentials::keys;
use crate::sqlite::export;
use crate::sqlite::removal;
use crate::sqlite::schema;
use crate::upkeep::{Forgotten, Upkeep, visitor_of};

#[async_trait]
impl Upkeep for Sqlite {
    async fn check(&self) -> Result<(), Error> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT 1 FROM threads LIMIT 1")?
                .query_row([], |_row| Ok(()))
                .optional()?;
            Ok(())
        })
        .await?;
        self.write(schema::probe).await
    }

    async fn visitor(&self, owner: &Owner) -> Result<Option<VisitorRecord>, Error> {
        let owner = owner.clone();
        self.read(move |connection| match visitor_of(&owner) {
            Some((token, id)) => keys::find_visitor_of(connection, token, id),
            None => Ok(None),
        })
        .await
    }

    async fn records(&self, owner: &Owner, kind: Kind, after: i64) -> Result<Rows, Error> {
        let owner = owner.clone();
        self.read(move |connection| export::some_rows(connection, &owner, &kind, after))
            .await
    }

    async fn copy_to(&self, file: &Path) -> Result<(), Error> {
        let (path, file) = (self.path.clone(), file.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy(path.as_deref(), &file));
        copied.await.map_err(Error::internal)?
    }

    async fn forget_user(&self, owner: &Owner) -> Result<Forgotten, Error> {
        let whose = owner.clone();
        let mut forgotten = self
            .write_for_good(move |connection| forget_credentials(connection, &whose))
            .await?;
        loop {
            let whose = owner.clone();
            let removed = self
                .write_for_good(move |connection| attachments::forget_some(connection, &whose))
                .await?;
            if removed == 0 {
                break;
            }
            forgotten.attachments += removed;
        }
        loop {
            let whose = owner.clone();
            let removed = self
                .write_for_good(move |connection| removal::forget_some(connection, &whose))
                .await?;
            let Some(threads) = removed else {
                break;
            };
            forgotten.threads += threads;
        }
        // The log of recent writes still has the text; this empties it. When somebody reads or writes all the time it
        // may not succeed now, and the next checkpoint does it.
        self.read(|connection| {
            connection
                .prepare_cached("PRAGMA wal_checkpoint(TRUNCATE)")?
                .query_row([], |_row| Ok(()))?;
            Ok(())
        })
        .await?;
        Ok(forgotten)
    }
}

/// What [`purge_visitor_step`] did.
pub(super) enum PurgeStep {
    /// No visitor has been away for so long.
    Nothing,
    /// Some of a visitor's threads or attachments went.
    Part,
    /// A visitor went, with what was left.
    Visitor,
}

/// Removes some of what belongs to the visitor that has been away longest, or the visitor itself when nothing is left.
///
/// Each step looks for the visitor anew: one that has come back meanwhile is not found any more.
pub(super) fn purge_visitor_step(
    connection: &Connection,
    before: UnixTime,
) -> Result<PurgeStep, Error> {
    let Some(visitor) = keys::find_stale_visitor(connection, before)? else {
        return Ok(PurgeStep::Nothing);
    };
    let issuer = format!("visitor:{}", visitor.public_token_id);
    let owner = Owner::new(auth::identity::owner_key(&issuer, &visitor.id));
    let is_part = attachments::forget_some(connection, &owner)? > 0
        || removal::forget_some(connection, &owner)?.is_some();
    if is_part {
        return Ok(PurgeStep::Part);
    }
    forget_credentials(connection, &owner)?;
    Ok(PurgeStep::Visitor)
}

fn forget_credentials(connection: &Connection, owner: &Owner) -> Result<Forgotten, Error> {
    let mut forgotten = Forgotten::default();
    if let Some((issuer, subject)) = owner.as_str().split_once(' ') {
        // Client secrets go with it (ON DELETE CASCADE).
        let sessions = connection
            .prepare_cached("DELETE FROM chat_sessions WHERE issuer = ?1 AND subject = ?2")?
            .execute([issuer, subject])?;
        forgotten.chat_sessions = sessions as u64;
        audit::forget(connection, issuer, subject)?;
    }
    if let Some((token, id)) = visitor_of(owner) {
        let visitors = connection
            .prepare_cached("DELETE FROM visitors WHERE id = ?1 AND public_token_id = ?2")?
            .execute([id, token])?;
        forgotten.visitors = visitors as u64;
    }
    Ok(forgotten)
}

/// On a connection of its own: it takes long, reads everything, and must write one file.
fn copy(path: Option<&Path>, file: &Path) -> Result<(), Error> {
    let path = path.ok_or(Error::Address("a database in memory cannot be copied"))?;
    let target = file.to_str().ok_or(Error::Address(
        "SQLite can write only files whose path is UTF-8",
    ))?;
    super::create_privately(file).map_err(Error::from_io)?;
    let connection = super::connect(path, Options::default())?;
    connection.execute("VACUUM INTO ?1", [target])?;
    Ok(())
}
