//! What an operator needs, in PostgreSQL.

use std::path::Path;

use async_trait::async_trait;
use auth::ports::VisitorRecord;
use auth::time::UnixTime;
use engine::Owner;
use tokio::time::timeout;

use crate::error::Error;
use crate::export::{Kind, Rows};
use crate::postgres::credentials::keys;
use crate::postgres::pool::{Batch, Transaction, params};
use crate::postgres::trouble::Trouble;
use crate::postgres::{Postgres, attachments, export, name, removal, schema, threads};
use crate::upkeep::{Forgotten, Upkeep, visitor_of};

#[async_trait]
impl Upkeep for Postgres {
    async fn check(&self) -> Result<(), Error> {
        self.check_way().await?;
        self.read("SELECT 1 FROM threads LIMIT 1", params![])
            .await?;
        threads::probe(self).await
    }

    async fn check_way(&self) -> Result<(), Error> {
        let looked = timeout(self.options.patience, schema::refuse_pooler(&self.server));
        match looked.await {
            Ok(Err(error @ Error::Pooled)) => Err(error),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    error,
                    "it cannot be told whether a pooler keeps sessions apart"
                );
                Ok(())
            }
            Err(_elapsed) => {
                tracing::warn!(
                    "the database gives less than three connections in time: {}",
                    Trouble::Unserved
                );
                Ok(())
            }
        }
    }

    async fn visitor(&self, owner: &Owner) -> Result<Option<VisitorRecord>, Error> {
        match visitor_of(owner) {
            Some((token, id)) => keys::find_visitor_of(self, token, id).await,
            None => Ok(None),
        }
    }

    async fn records(&self, owner: &Owner, kind: Kind, after: i64) -> Result<Rows, Error> {
        export::some_rows(self, owner, kind, after).await
    }

    async fn copy_to(&self, _file: &Path) -> Result<(), Error> {
        Err(Error::Address(
            "PostgreSQL has its own backups: `pg_dump --format=custom` of the database, and beside it a copy of the \
             folder that storage.files names, made after the dump (files in a bucket stay there)",
        ))
    }

    async fn forget_user(&self, owner: &Owner) -> Result<Forgotten, Error> {
        let mut forgotten = self
            .write_for_good(owner.clone(), |transaction, owner| {
                Box::pin(forget_credentials(transaction, owner))
            })
            .await?;
        loop {
            let removed = self.write_for_good(owner.clone(), |transaction, owner| {
                Box::pin(attachments::forget_some(transaction, owner))
            });
            match removed.await? {
                0 => break,
                count => forgotten.attachments += count,
            }
        }
        loop {
            let removed = self.write_for_good(owner.clone(), |transaction, owner| {
                Box::pin(removal::forget_some(transaction, owner))
            });
            match removed.await? {
                None => return Ok(forgotten),
                Some(count) => forgotten.threads += count,
            }
        }
    }
}

/// What [`purge_visitor_step`] did.
pub(super) enum PurgeStep {
    /// No visitor has been away for so long, or another process is at it.
    Nothing,
    /// Some of a visitor's threads or attachments went.
    Part,
    /// A visitor went, with what was left.
    Visitor,
}

/// Removes some of what belongs to the visitor that has been away longest, or the visitor itself when nothing is left.
///
/// Each step looks for the visitor anew: one that has come back meanwhile is not found any more.
pub(super) async fn purge_visitor_step(
    transaction: &mut Transaction,
    before: UnixTime,
) -> Result<PurgeStep, Error> {
    let Some(visitor) = keys::lock_stale_visitor(transaction, before).await? else {
        return Ok(PurgeStep::Nothing);
    };
    let issuer = format!("visitor:{}", visitor.public_token_id);
    let owner = Owner::new(auth::identity::owner_key(&issuer, &visitor.id));
    let is_part = attachments::forget_some(transaction, &owner).await? > 0
        || removal::forget_some(transaction, &owner).await?.is_some();
    if is_part {
        return Ok(PurgeStep::Part);
    }
    forget_credentials(transaction, &owner).await?;
    Ok(PurgeStep::Visitor)
}

/// The visitor goes first: a session that it is just opening holds its row, and is there to be removed then.
async fn forget_credentials(
    transaction: &mut Transaction,
    owner: &Owner,
) -> Result<Forgotten, Error> {
    let mut batch = Batch::default();
    let visitors = visitor_of(owner).map(|(token, id)| {
        batch.add(
            "DELETE FROM visitors WHERE id = $1 AND public_token_id = $2",
            params![name(id), name(token)],
        )
    });
    let sessions = owner.as_str().split_once(' ').map(|(issuer, subject)| {
        // Entries of the audit log stay, and name nobody any more.
        batch.add(
            "DELETE FROM audit_parties WHERE subject = $1 AND issuer = $2",
            params![name(subject), name(issuer)],
        );
        // Client secrets go with it (ON DELETE CASCADE).
        batch.add(
            "DELETE FROM chat_sessions WHERE issuer = $1 AND subject = $2",
            params![name(issuer), name(subject)],
        )
    });
    let outcomes = transaction.run(batch).await?;
    let count = |step: Option<usize>| {
        let outcome = step.and_then(|step| outcomes.get(step));
        outcome.map_or(0, |outcome| outcome.count)
    };
    Ok(Forgotten {
        chat_sessions: count(sessions),
        visitors: count(visitors),
        ..Forgotten::default()
    })
}
