//! What lets people in, in SQLite: `auth`'s `CredentialStore` port. The SQL is in the modules below.

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
use rusqlite::Row;

use crate::rows::session::EncodedSession;
use crate::sqlite::Sqlite;
use crate::sqlite::upkeep::{self, PurgeStep};

#[async_trait]
impl CredentialStore for Sqlite {
    async fn insert_chat_session(
        &self,
        session: &ChatSessionRecord,
        secret: &ClientSecretRecord,
        limit: u32,
    ) -> Result<OpeningOutcome, StoreError> {
        let (session, secret) = (EncodedSession::new(session)?, secret.clone());
        let outcome = self.write_for_good(move |connection| {
            sessions::insert(connection, &session, &secret, limit)
        });
        Ok(outcome.await?)
    }

    async fn find_client_secret(
        &self,
        digest: &Digest,
    ) -> Result<Option<(ClientSecretRecord, ChatSessionRecord)>, StoreError> {
        let digest = *digest;
        let found = self.read(move |connection| sessions::find_secret(connection, &digest));
        Ok(found.await?)
    }

    async fn rotate_client_secret(
        &self,
        current: &Digest,
        owner: &Identity,
        workflow: Option<&str>,
        rotation: &Rotation,
        expires_at: UnixTime,
    ) -> Result<RotationOutcome, StoreError> {
        let (current, owner, rotation) = (*current, owner.clone(), rotation.clone());
        let workflow = workflow.map(str::to_owned);
        let outcome = self.write_for_good(move |connection| {
            sessions::rotate(
                connection,
                &current,
                &owner,
                workflow.as_deref(),
                &rotation,
                expires_at,
            )
        });
        Ok(outcome.await?)
    }

    async fn renew_chat_session(
        &self,
        id: &str,
        login: &Identity,
        workflow: Option<&str>,
    ) -> Result<bool, StoreError> {
        let (id, login, workflow) = (id.to_owned(), login.clone(), workflow.map(str::to_owned));
        let renewed = self
            .write(move |connection| sessions::renew(connection, &id, &login, workflow.as_deref()));
        Ok(renewed.await?)
    }

    async fn find_chat_session(&self, id: &str) -> Result<Option<ChatSessionRecord>, StoreError> {
        let id = id.to_owned();
        let found = self.read(move |connection| sessions::find(connection, &id));
        Ok(found.await?)
    }

    async fn ended_among(&self, asked: &Openings) -> Result<Openings, StoreError> {
        let asked = asked.clone();
        let ended = self.read(move |connection| {
            Ok(Openings {
                sessions: sessions::ended_among(connection, &asked.sessions)?,
                public_tokens: keys::revoked_among(connection, &asked.public_tokens)?,
            })
        });
        Ok(ended.await?)
    }

    async fn list_chat_sessions(
        &self,
        filter: &ChatSessionFilter,
        limit: u32,
    ) -> Result<Vec<ChatSessionRecord>, StoreError> {
        let filter = filter.clone();
        let list = self.read(move |connection| sessions::list(connection, &filter, limit));
        Ok(list.await?)
    }

    async fn end_chat_session(&self, id: &str, end: End) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let ended = self.write_for_good(move |connection| sessions::end(connection, &id, end));
        Ok(ended.await?)
    }

    async fn end_chat_sessions_of(
        &self,
        issuer: &str,
        subject: &str,
        end: End,
    ) -> Result<u64, StoreError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        let ended = self.write_for_good(move |connection| {
            sessions::end_all_of(connection, &issuer, &subject, end)
        });
        Ok(ended.await?)
    }

    async fn end_chat_sessions_of_login(
        &self,
        sign_out: &SignOut,
        token: UsedToken,
        end: End,
    ) -> Result<u64, StoreError> {
        let sign_out = sign_out.clone();
        let ended = self.write_for_good(move |connection| {
            sessions::use_up(connection, token, end.at)?;
            sessions::end_all_of_login(connection, &sign_out, end)
        });
        Ok(ended.await?)
    }

    async fn purge_chat_sessions(&self, before: UnixTime) -> Result<u64, StoreError> {
        // Small batches, so that nobody waits long behind one.
        let mut purged = 0;
        loop {
            let batch = self.write(move |connection| sessions::purge_some(connection, before));
            match batch.await? {
                0 => return Ok(purged),
                count => purged += count,
            }
        }
    }

    async fn insert_public_token(&self, token: &PublicTokenRecord) -> Result<(), StoreError> {
        let token = token.clone();
        let inserted = self.write_for_good(move |connection| keys::insert(connection, &token));
        Ok(inserted.await?)
    }

    async fn find_public_token(
        &self,
        digest: &Digest,
    ) -> Result<Option<PublicTokenRecord>, StoreError> {
        let digest = *digest;
        let found = self.read(move |connection| keys::find(connection, &digest));
        Ok(found.await?)
    }

    async fn list_public_tokens(&self) -> Result<Vec<PublicTokenRecord>, StoreError> {
        Ok(self.read(keys::list).await?)
    }

    async fn revoke_public_token(&self, id: &str, now: UnixTime) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let revoked = self.write_for_good(move |connection| {
            keys::revoke::<PublicTokenRecord>(connection, &id, now)
        });
        Ok(revoked.await?)
    }

    async fn insert_visitor(&self, visitor: &VisitorRecord) -> Result<(), StoreError> {
        let visitor = visitor.clone();
        let inserted =
            self.write_for_good(move |connection| keys::insert_visitor(connection, &visitor));
        Ok(inserted.await?)
    }

    async fn find_visitor(
        &self,
        resume_digest: &Digest,
    ) -> Result<Option<VisitorRecord>, StoreError> {
        let digest = *resume_digest;
        let found = self.read(move |connection| keys::find_visitor(connection, &digest));
        Ok(found.await?)
    }

    async fn replace_resume(
        &self,
        current: &Digest,
        nonce: &[u8; 32],
        next: &Digest,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let (current, nonce, next) = (*current, *nonce, *next);
        let replaced = self.write(move |connection| {
            keys::replace_resume(connection, &current, &nonce, &next, now)
        });
        Ok(replaced.await?)
    }

    async fn end_earlier_resume(
        &self,
        present: &Digest,
        until: UnixTime,
    ) -> Result<(), StoreError> {
        let present = *present;
        let noted =
            self.write(move |connection| keys::end_earlier_resume(connection, &present, until));
        Ok(noted.await?)
    }

    async fn touch_visitor(&self, id: &str, now: UnixTime) -> Result<(), StoreError> {
        let id = id.to_owned();
        let touched = self.write(move |connection| keys::touch_visitor(connection, &id, now));
        Ok(touched.await?)
    }

    async fn remove_visitor(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let removed = self.write_for_good(move |connection| keys::remove_visitor(connection, &id));
        Ok(removed.await?)
    }

    async fn purge_visitors(&self, before: UnixTime) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let step = self.write(move |connection| upkeep::purge_visitor_step(connection, before));
            match step.await? {
                PurgeStep::Nothing => return Ok(purged),
                PurgeStep::Part => {}
                PurgeStep::Visitor => purged += 1,
            }
        }
    }

    async fn insert_server_key(&self, key: &ServerKeyRecord) -> Result<(), StoreError> {
        let key = key.clone();
        let inserted = self.write_for_good(move |connection| keys::insert(connection, &key));
        Ok(inserted.await?)
    }

    async fn find_server_key(
        &self,
        digest: &Digest,
    ) -> Result<Option<ServerKeyRecord>, StoreError> {
        let digest = *digest;
        let found = self.read(move |connection| keys::find(connection, &digest));
        Ok(found.await?)
    }

    async fn list_server_keys(&self) -> Result<Vec<ServerKeyRecord>, StoreError> {
        Ok(self.read(keys::list).await?)
    }

    async fn revoke_server_key(&self, id: &str, now: UnixTime) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let revoked = self.write_for_good(move |connection| {
            keys::revoke::<ServerKeyRecord>(connection, &id, now)
        });
        Ok(revoked.await?)
    }

    async fn insert_domain(&self, domain: &DomainRecord) -> Result<DomainRecord, StoreError> {
        let domain = domain.clone();
        let registered =
            self.write_for_good(move |connection| domains::insert(connection, &domain));
        Ok(registered.await?)
    }

    async fn find_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<Option<DomainRecord>, StoreError> {
        let origin = origin.to_owned();
        let found = self.read(move |connection| domains::find(connection, &origin, environment));
        Ok(found.await?)
    }

    async fn find_domain_by_key(&self, key: &str) -> Result<Option<DomainRecord>, StoreError> {
        let key = key.to_owned();
        let found = self.read(move |connection| domains::find_by_key(connection, &key));
        Ok(found.await?)
    }

    async fn list_domains(&self) -> Result<Vec<DomainRecord>, StoreError> {
        Ok(self.read(domains::list).await?)
    }

    async fn remove_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<bool, StoreError> {
        let origin = origin.to_owned();
        let removed = self
            .write_for_good(move |connection| domains::remove(connection, &origin, environment));
        Ok(removed.await?)
    }

    async fn record_refusal(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
        keep: u32,
    ) -> Result<(), StoreError> {
        let origin = origin.to_owned();
        let recorded = self.write(move |connection| {
            domains::record_refusal(connection, &origin, environment, now, keep)
        });
        Ok(recorded.await?)
    }

    async fn list_refusals(&self) -> Result<Vec<RefusalRecord>, StoreError> {
        Ok(self.read(domains::list_refusals).await?)
    }
}

fn read_time(row: &Row<'_>, column: usize) -> rusqlite::Result<UnixTime> {
    row.get(column).map(UnixTime::from_seconds)
}

fn read_optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixTime>> {
    let seconds: Option<i64> = row.get(column)?;
    Ok(seconds.map(UnixTime::from_seconds))
}
