//! What lets people in, in PostgreSQL: `auth`'s `CredentialStore` port. The SQL is in the modules below.

mod domains;
pub(super) mod keys;
pub(super) mod sessions;

use async_trait::async_trait;
use auth::identity::{Environment, Identity};
use auth::ports::{
    ChatSessionFilter, ChatSessionRecord, ClientSecretRecord, CredentialStore, Digest,
    DomainRecord, End, OpeningOutcome, Openings, PublicTokenRecord, RefusalRecord, Rotation,
    RotationOutcome, ServerKeyRecord, SignOut, StoreError, UsedToken, VisitorRecord,
};
use auth::time::UnixTime;
use tokio_postgres::Row;

use crate::error::Error;
use crate::postgres::Postgres;
use crate::postgres::pool::{Batch, Outcome};
use crate::postgres::upkeep::{self, PurgeStep};
use crate::rows::session::EncodedSession;

#[async_trait]
impl CredentialStore for Postgres {
    async fn insert_chat_session(
        &self,
        session: &ChatSessionRecord,
        secret: &ClientSecretRecord,
        limit: u32,
    ) -> Result<OpeningOutcome, StoreError> {
        let data = (EncodedSession::new(session)?, secret.clone(), limit);
        let outcome = self.write_for_good(data, |transaction, (session, secret, limit)| {
            Box::pin(sessions::insert(transaction, session, secret, *limit))
        });
        Ok(outcome.await?)
    }

    async fn find_client_secret(
        &self,
        digest: &Digest,
    ) -> Result<Option<(ClientSecretRecord, ChatSessionRecord)>, StoreError> {
        Ok(sessions::find_secret(self, digest).await?)
    }

    async fn rotate_client_secret(
        &self,
        current: &Digest,
        owner: &Identity,
        workflow: Option<&str>,
        rotation: &Rotation,
        expires_at: UnixTime,
    ) -> Result<RotationOutcome, StoreError> {
        let data = sessions::Wanted {
            current: *current,
            owner: owner.clone(),
            workflow: workflow.map(str::to_owned),
            rotation: rotation.clone(),
            expires_at,
        };
        let outcome = self.write_for_good(data, |transaction, wanted| {
            Box::pin(sessions::rotate(transaction, wanted))
        });
        Ok(outcome.await?)
    }

    async fn renew_chat_session(
        &self,
        id: &str,
        login: &Identity,
        workflow: Option<&str>,
    ) -> Result<bool, StoreError> {
        let data = (id.to_owned(), login.clone(), workflow.map(str::to_owned));
        let renewed = self.write(data, |transaction, (id, login, workflow)| {
            Box::pin(sessions::renew(transaction, id, login, workflow.as_deref()))
        });
        Ok(renewed.await?)
    }

    async fn find_chat_session(&self, id: &str) -> Result<Option<ChatSessionRecord>, StoreError> {
        Ok(sessions::find(self, id).await?)
    }

    async fn ended_among(&self, asked: &Openings) -> Result<Openings, StoreError> {
        let mut batch = Batch::default();
        let sessions = sessions::ended_among(&mut batch, &asked.sessions);
        let tokens = keys::revoked_among(&mut batch, &asked.public_tokens);
        let found = self.read_all(batch).await?;
        Ok(Openings {
            sessions: at_places(&asked.sessions, found.get(sessions))?,
            public_tokens: at_places(&asked.public_tokens, found.get(tokens))?,
        })
    }

    async fn list_chat_sessions(
        &self,
        filter: &ChatSessionFilter,
        limit: u32,
    ) -> Result<Vec<ChatSessionRecord>, StoreError> {
        Ok(sessions::list(self, filter, limit).await?)
    }

    async fn end_chat_session(&self, id: &str, end: End) -> Result<bool, StoreError> {
        let ended = self.write_for_good((id.to_owned(), end), |transaction, (id, end)| {
            Box::pin(sessions::end(transaction, id, *end))
        });
        Ok(ended.await?)
    }

    async fn end_chat_sessions_of(
        &self,
        issuer: &str,
        subject: &str,
        end: End,
    ) -> Result<u64, StoreError> {
        let data = (issuer.to_owned(), subject.to_owned(), end);
        let ended = self.write_for_good(data, |transaction, (issuer, subject, end)| {
            Box::pin(sessions::end_all_of(transaction, issuer, subject, *end))
        });
        Ok(ended.await?)
    }

    async fn end_chat_sessions_of_login(
        &self,
        sign_out: &SignOut,
        token: UsedToken,
        end: End,
    ) -> Result<u64, StoreError> {
        let data = (sign_out.clone(), token, end);
        let ended = self.write_for_good(data, |transaction, (sign_out, token, end)| {
            Box::pin(async move {
                sessions::use_up(transaction, *token, end.at).await?;
                sessions::end_all_of_login(transaction, sign_out, *end).await
            })
        });
        Ok(ended.await?)
    }

    async fn purge_chat_sessions(&self, before: UnixTime) -> Result<u64, StoreError> {
        // Small batches, so that nobody waits long behind one.
        let mut purged = 0;
        loop {
            let batch = self.write(before, |transaction, before| {
                Box::pin(sessions::purge_some(transaction, *before))
            });
            match batch.await? {
                0 => return Ok(purged),
                count => purged += count,
            }
        }
    }

    async fn insert_public_token(&self, token: &PublicTokenRecord) -> Result<(), StoreError> {
        let inserted = self.write_for_good(token.clone(), |transaction, token| {
            Box::pin(keys::insert(transaction, token))
        });
        Ok(inserted.await?)
    }

    async fn find_public_token(
        &self,
        digest: &Digest,
    ) -> Result<Option<PublicTokenRecord>, StoreError> {
        Ok(keys::find(self, digest).await?)
    }

    async fn list_public_tokens(&self) -> Result<Vec<PublicTokenRecord>, StoreError> {
        Ok(keys::list(self).await?)
    }

    async fn revoke_public_token(&self, id: &str, now: UnixTime) -> Result<bool, StoreError> {
        let revoked = self.write_for_good((id.to_owned(), now), |transaction, (id, now)| {
            Box::pin(keys::revoke::<PublicTokenRecord>(transaction, id, *now))
        });
        Ok(revoked.await?)
    }

    async fn insert_visitor(&self, visitor: &VisitorRecord) -> Result<(), StoreError> {
        let inserted = self.write_for_good(visitor.clone(), |transaction, visitor| {
            Box::pin(keys::insert_visitor(transaction, visitor))
        });
        Ok(inserted.await?)
    }

    async fn find_visitor(
        &self,
        resume_digest: &Digest,
    ) -> Result<Option<VisitorRecord>, StoreError> {
        Ok(keys::find_visitor(self, resume_digest).await?)
    }

    async fn replace_resume(
        &self,
        current: &Digest,
        nonce: &[u8; 32],
        next: &Digest,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let data = (*current, *nonce, *next, now);
        let replaced = self.write(data, |transaction, (current, nonce, next, now)| {
            Box::pin(keys::replace_resume(
                transaction,
                current,
                nonce,
                next,
                *now,
            ))
        });
        Ok(replaced.await?)
    }

    async fn end_earlier_resume(
        &self,
        present: &Digest,
        until: UnixTime,
    ) -> Result<(), StoreError> {
        let noted = self.write((*present, until), |transaction, (present, until)| {
            Box::pin(keys::end_earlier_resume(transaction, present, *until))
        });
        Ok(noted.await?)
    }

    async fn touch_visitor(&self, id: &str, now: UnixTime) -> Result<(), StoreError> {
        let touched = self.write((id.to_owned(), now), |transaction, (id, now)| {
            Box::pin(keys::touch_visitor(transaction, id, *now))
        });
        Ok(touched.await?)
    }

    async fn remove_visitor(&self, id: &str) -> Result<bool, StoreError> {
        let removed = self.write_for_good(id.to_owned(), |transaction, id| {
            Box::pin(keys::remove_visitor(transaction, id))
        });
        Ok(removed.await?)
    }

    async fn purge_visitors(&self, before: UnixTime) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let step = self.write(before, |transaction, before| {
                Box::pin(upkeep::purge_visitor_step(transaction, *before))
            });
            match step.await? {
                PurgeStep::Nothing => return Ok(purged),
                PurgeStep::Part => {}
                PurgeStep::Visitor => purged += 1,
            }
        }
    }

    async fn insert_server_key(&self, key: &ServerKeyRecord) -> Result<(), StoreError> {
        let inserted = self.write_for_good(key.clone(), |transaction, key| {
            Box::pin(keys::insert(transaction, key))
        });
        Ok(inserted.await?)
    }

    async fn find_server_key(
        &self,
        digest: &Digest,
    ) -> Result<Option<ServerKeyRecord>, StoreError> {
        Ok(keys::find(self, digest).await?)
    }

    async fn list_server_keys(&self) -> Result<Vec<ServerKeyRecord>, StoreError> {
        Ok(keys::list(self).await?)
    }

    async fn revoke_server_key(&self, id: &str, now: UnixTime) -> Result<bool, StoreError> {
        let revoked = self.write_for_good((id.to_owned(), now), |transaction, (id, now)| {
            Box::pin(keys::revoke::<ServerKeyRecord>(transaction, id, *now))
        });
        Ok(revoked.await?)
    }

    async fn insert_domain(&self, domain: &DomainRecord) -> Result<DomainRecord, StoreError> {
        let registered = self.write_for_good(domain.clone(), |transaction, domain| {
            Box::pin(domains::insert(transaction, domain))
        });
        Ok(registered.await?)
    }

    async fn find_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<Option<DomainRecord>, StoreError> {
        Ok(domains::find(self, origin, environment).await?)
    }

    async fn find_domain_by_key(&self, key: &str) -> Result<Option<DomainRecord>, StoreError> {
        Ok(domains::find_by_key(self, key).await?)
    }

    async fn list_domains(&self) -> Result<Vec<DomainRecord>, StoreError> {
        Ok(domains::list(self).await?)
    }

    async fn remove_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<bool, StoreError> {
        let data = (origin.to_owned(), environment);
        let removed = self.write_for_good(data, |transaction, (origin, environment)| {
            Box::pin(domains::remove(transaction, origin, *environment))
        });
        Ok(removed.await?)
    }

    async fn record_refusal(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
        keep: u32,
    ) -> Result<(), StoreError> {
        let data = (origin.to_owned(), environment, now, keep);
        let recorded = self.write(data, |transaction, (origin, environment, now, keep)| {
            let (environment, now, keep) = (*environment, *now, *keep);
            Box::pin(domains::record_refusal(
                transaction,
                origin,
                environment,
                now,
                keep,
            ))
        });
        Ok(recorded.await?)
    }

    async fn list_refusals(&self) -> Result<Vec<RefusalRecord>, StoreError> {
        Ok(domains::list_refusals(self).await?)
    }
}

/// What stands at the places, from 1, that a statement gave.
fn at_places<T: Clone>(asked: &[T], outcome: Option<&Outcome>) -> Result<Vec<T>, Error> {
    let rows = outcome.into_iter().flat_map(|outcome| &outcome.rows);
    rows.map(|row| {
        let place = usize::try_from(row.try_get::<_, i64>(0)?).map_err(Error::internal)?;
        let found = place.checked_sub(1).and_then(|index| asked.get(index));
        found.cloned().ok_or(Error::NotFound)
    })
    .collect()
}

fn read_time(row: &Row, column: usize) -> Result<UnixTime, Error> {
    Ok(UnixTime::from_seconds(row.try_get(column)?))
}

fn read_optional_time(row: &Row, column: usize) -> Result<Option<UnixTime>, Error> {
    let seconds: Option<i64> = row.try_get(column)?;
    Ok(seconds.map(UnixTime::from_seconds))
}

/// Reads 32 bytes.
fn read_digest(row: &Row, column: usize) -> Result<Option<Digest>, Error> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    bytes
        .map(Digest::try_from)
        .transpose()
        .map_err(Error::internal)
}
