//! What an operator does: domains, public tokens, server keys, chat sessions, and people's data.
//!
//! [`Operator`] is one person at work, at the command line or in a console. Every change is made
//! and then written into the audit log under that person's name, here and nowhere else, so that no
//! front end can forget to. What the words around it are (tables, pages, hints at commands) is the
//! front end's business.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

use crate::{
    audit::{Actor, AuditEntry, AuditEvent, AuditQuery, AuditRecord, AuditStore},
    domain::Domains,
    error::Error,
    identity::Environment,
    ports::{
        Cause, ChatSessionFilter, ChatSessionRecord, CredentialStore, DomainRecord, End, EndReason,
        PublicTokenRecord, Random, RefusalRecord, ServerKeyRecord, StoreError,
    },
    public_token::{NewPublicToken, PublicTokens},
    server_key::ServerKeys,
    signing_key::{Rotation, Seed, SigningKeys},
    time::UnixTime,
};

/// A person, by who vouches for them and under which name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'name> {
    /// The issuer of their tokens; for a visitor `visitor:<token id>`.
    pub issuer: &'name str,
    /// The issuer's name for them; for a visitor `vis_…`.
    pub subject: &'name str,
}

/// How much was removed when a person was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Threads, each with its items and feedback.
    pub threads: u64,
    /// Chat sessions, each with its client secrets.
    pub chat_sessions: u64,
    /// 1 when the person was an anonymous visitor.
    pub visitors: u64,
    /// Attachments.
    pub attachments: u64,
    /// Files whose bytes went.
    pub files: u64,
}

/// What is kept about people, which this crate knows nothing of.
#[async_trait]
pub trait PersonalData: Send + Sync + 'static {
    /// Removes everything that belongs to a person, the bytes of their files included. It can be
    /// repeated when it was broken off.
    async fn forget(&self, person: Person<'_>) -> Result<Forgotten, StoreError>;
}

/// What an [`Operator`] works on.
#[derive(Clone)]
pub struct Ports {
    /// Where credentials are kept.
    pub credentials: Arc<dyn CredentialStore>,
    /// Where it is written down who did what.
    pub audit: Arc<dyn AuditStore>,
    /// What is kept about people.
    pub people: Arc<dyn PersonalData>,
    /// Chance, for what is made.
    pub random: Arc<dyn Random>,
}

/// Why something was not done, or not written down.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// It cannot be done as it was asked for; the text says what to change.
    #[error("{0}")]
    Unusable(String),
    /// The database cannot answer now; the same call may work later.
    #[error("the database cannot answer now; try again in a moment")]
    Unavailable(#[source] Cause),
    /// Nothing can be written down any more: [`StoreError::Full`] or [`StoreError::Lost`].
    #[error(transparent)]
    Storage(StoreError),
    /// It was done, and the audit log does not say so.
    #[error("it was done, but could not be written into the audit log")]
    NotRecorded(#[source] StoreError),
    /// Something is broken on this side; trying again does not help.
    #[error("the database failed")]
    Internal(#[source] Cause),
}

impl From<StoreError> for OperatorError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            StoreError::Internal(cause) => Self::Internal(cause),
            StoreError::Full(_) | StoreError::Lost(_) => Self::Storage(error),
            StoreError::Conflict => Self::Internal(Box::new(error)),
        }
    }
}

impl From<Error> for OperatorError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unusable(text) => Self::Unusable(text),
            Error::Unavailable { message, .. } => Self::Unavailable(message.into()),
            Error::Storage(error) => error.into(),
            Error::Internal(cause) => Self::Internal(cause),
            // These are about credentials that somebody presents; an operator presents none.
            Error::Malformed(_) | Error::Invalid(_) | Error::Forbidden(_) => {
                Self::Internal(Box::new(error))
            }
        }
    }
}

/// One person at work.
pub struct Operator {
    credentials: Arc<dyn CredentialStore>,
    audit: Arc<dyn AuditStore>,
    people: Arc<dyn PersonalData>,
    domains: Arc<Domains>,
    tokens: PublicTokens,
    keys: ServerKeys,
    name: String,
}

impl fmt::Debug for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Operator")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Operator {
    /// The person whom the audit log is to call `name`. Cheap: a console makes one for each request.
    pub fn new(ports: Ports, name: String) -> Self {
        let Ports {
            credentials,
            audit,
            people,
            random,
        } = ports;
        let domains = Arc::new(Domains::new(
            credentials.clone(),
            random.clone(),
            Vec::new(),
            None,
        ));
        Self {
            tokens: PublicTokens::new(credentials.clone(), random.clone(), domains.clone()),
            keys: ServerKeys::new(credentials.clone(), random),
            credentials,
            audit,
            people,
            domains,
            name,
        }
    }

    /// Registers an origin and makes its domain key; an origin that is there already keeps its key.
    pub async fn add_domain(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<DomainRecord, OperatorError> {
        let (domain, is_new) = self.domains.register(origin, environment, now).await?;
        if is_new {
            self.record(domain_added(&domain, now)).await?;
        }
        Ok(domain)
    }

    /// Removes a registration. Whether it was there.
    pub async fn remove_domain(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<bool, OperatorError> {
        let is_removed = self.domains.remove(origin, environment).await?;
        if is_removed {
            let domain = origin.to_owned();
            let event = AuditEvent::DomainRemoved {
                domain,
                environment,
            };
            self.record(AuditRecord::new(now, event)).await?;
        }
        Ok(is_removed)
    }

    /// Registered origins.
    pub async fn domains(&self) -> Result<Vec<DomainRecord>, OperatorError> {
        Ok(self.domains.list().await?)
    }

    /// Origins that were refused lately.
    pub async fn refused_origins(&self) -> Result<Vec<RefusalRecord>, OperatorError> {
        Ok(self.domains.refusals().await?)
    }

    /// Makes a public token, and registers its origins.
    pub async fn create_token(
        &self,
        new: NewPublicToken,
        now: UnixTime,
    ) -> Result<(SecretString, PublicTokenRecord), OperatorError> {
        let created = self.tokens.create_and_tell(new, now).await?;
        let mut records: Vec<_> = created
            .new_domains
            .iter()
            .map(|domain| domain_added(domain, now))
            .collect();
        let token_id = created.record.id.clone();
        records.push(AuditRecord::new(now, AuditEvent::TokenCreated { token_id }));
        self.record_all(records).await?;
        Ok((created.token, created.record))
    }

    /// Revokes a public token, and ends its visitors' sessions at once. Whether it was live.
    pub async fn revoke_token(&self, id: &str, now: UnixTime) -> Result<bool, OperatorError> {
        let is_revoked = self.tokens.revoke(id, now).await?;
        if is_revoked {
            let token_id = id.to_owned();
            self.record(AuditRecord::new(now, AuditEvent::TokenRevoked { token_id }))
                .await?;
        }
        Ok(is_revoked)
    }

    /// Public tokens, newest first.
    pub async fn tokens(&self) -> Result<Vec<PublicTokenRecord>, OperatorError> {
        Ok(self.tokens.list().await?)
    }

    /// Makes a server key. Keys of one project see the same users.
    pub async fn create_key(
        &self,
        label: &str,
        project: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<(SecretString, ServerKeyRecord), OperatorError> {
        let (key, record) = self.keys.create(label, project, environment, now).await?;
        self.record(key_created(&record, now)).await?;
        Ok((key, record))
    }

    /// Takes in a key that was made elsewhere; what could be guessed is refused.
    pub async fn import_key(
        &self,
        key: &SecretString,
        label: &str,
        project: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<ServerKeyRecord, OperatorError> {
        let imported = self.keys.import(key, label, project, environment, now);
        let record = imported.await?;
        self.record(key_created(&record, now)).await?;
        Ok(record)
    }

    /// Takes in a key however easily it is guessed; of the test environment only.
    pub async fn import_weak_key(
        &self,
        key: &SecretString,
        label: &str,
        project: &str,
        now: UnixTime,
    ) -> Result<ServerKeyRecord, OperatorError> {
        let record = self.keys.import_weak(key, label, project, now).await?;
        self.record(key_created(&record, now)).await?;
        Ok(record)
    }

    /// Revokes a server key, and ends the sessions that it opened at once. Whether it was live.
    pub async fn revoke_key(&self, id: &str, now: UnixTime) -> Result<bool, OperatorError> {
        let is_revoked = self.keys.revoke(id, now).await?;
        if is_revoked {
            let key_id = id.to_owned();
            self.record(AuditRecord::new(now, AuditEvent::KeyRevoked { key_id }))
                .await?;
        }
        Ok(is_revoked)
    }

    /// Adds a key that all nodes are to sign with; its id.
    pub async fn rotate_signing_key(
        &self,
        keys: &SigningKeys,
        rotation: Rotation,
        now: UnixTime,
    ) -> Result<String, OperatorError> {
        let id = keys.rotate(rotation).await?;
        self.record(signing_key_added(&id, now)).await?;
        Ok(id)
    }

    /// Puts the key that nodes had elsewhere so far where all of them find it; its id.
    pub async fn import_signing_key(
        &self,
        keys: &SigningKeys,
        seed: &Seed,
        now: UnixTime,
    ) -> Result<String, OperatorError> {
        let id = keys.import(seed).await?;
        self.record(signing_key_added(&id, now)).await?;
        Ok(id)
    }

    /// Server keys, newest first.
    pub async fn keys(&self) -> Result<Vec<ServerKeyRecord>, OperatorError> {
        Ok(self.keys.list().await?)
    }

    /// Chat sessions that match, newest first, at most `limit`.
    pub async fn sessions(
        &self,
        filter: &ChatSessionFilter,
        limit: u32,
    ) -> Result<Vec<ChatSessionRecord>, OperatorError> {
        Ok(self.credentials.list_chat_sessions(filter, limit).await?)
    }

    /// Ends a chat session. Whether it was live.
    pub async fn end_session(&self, id: &str, now: UnixTime) -> Result<bool, OperatorError> {
        let is_ended = self.credentials.end_chat_session(id, revoked(now)).await?;
        if is_ended {
            let mut record = session_ended(1, now).in_session(id);
            if let Some(session) = self.credentials.find_chat_session(id).await? {
                record = record.about(&session.issuer, &session.subject);
            }
            self.record(record).await?;
        }
        Ok(is_ended)
    }

    /// Ends every chat session of a person. How many.
    pub async fn end_sessions_of(
        &self,
        person: Person<'_>,
        now: UnixTime,
    ) -> Result<u64, OperatorError> {
        let Person { issuer, subject } = person;
        let end = revoked(now);
        let sessions = self
            .credentials
            .end_chat_sessions_of(issuer, subject, end)
            .await?;
        if sessions > 0 {
            self.record(session_ended(sessions, now).about(issuer, subject))
                .await?;
        }
        Ok(sessions)
    }

    /// Removes everything that is kept about a person, at once and for good.
    pub async fn forget(
        &self,
        person: Person<'_>,
        now: UnixTime,
    ) -> Result<Forgotten, OperatorError> {
        let forgotten = self.people.forget(person).await?;
        // Not whom: that is part of what was forgotten.
        let event = AuditEvent::UserForgotten {
            threads: forgotten.threads,
            chat_sessions: forgotten.chat_sessions,
        };
        self.record(AuditRecord::new(now, event)).await?;
        Ok(forgotten)
    }

    /// Writes down that a person's data was handed out. (The data itself is read where it is kept;
    /// a person of whom nothing is kept is not written down, because then something would be.)
    pub async fn exported(&self, person: Person<'_>, now: UnixTime) -> Result<(), OperatorError> {
        let record = AuditRecord::new(now, AuditEvent::UserExported);
        self.record(record.about(person.issuer, person.subject))
            .await
    }

    /// Entries of the audit log that match, at most `limit`.
    pub async fn audit(
        &self,
        query: &AuditQuery,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, OperatorError> {
        Ok(self.audit.list_audit(query, limit).await?)
    }

    async fn record(&self, record: AuditRecord) -> Result<(), OperatorError> {
        self.record_all(vec![record]).await
    }

    async fn record_all(&self, records: Vec<AuditRecord>) -> Result<(), OperatorError> {
        let by = || Actor::Operator(self.name.clone());
        let records: Vec<_> = records.into_iter().map(|record| record.by(by())).collect();
        self.audit
            .append_audit(&records)
            .await
            .map_err(OperatorError::NotRecorded)
    }
}

fn domain_added(domain: &DomainRecord, now: UnixTime) -> AuditRecord {
    let event = AuditEvent::DomainAdded {
        domain: domain.origin.clone(),
        environment: domain.environment,
    };
    AuditRecord::new(now, event)
}

fn key_created(key: &ServerKeyRecord, now: UnixTime) -> AuditRecord {
    let key_id = key.id.clone();
    AuditRecord::new(now, AuditEvent::KeyCreated { key_id })
}

fn signing_key_added(id: &str, now: UnixTime) -> AuditRecord {
    let key_id = id.to_owned();
    AuditRecord::new(now, AuditEvent::SigningKeyAdded { key_id })
}

fn session_ended(sessions: u64, now: UnixTime) -> AuditRecord {
    let reason = EndReason::Revoked;
    AuditRecord::new(now, AuditEvent::SessionEnded { reason, sessions })
}

fn revoked(now: UnixTime) -> End {
    End {
        at: now,
        reason: EndReason::Revoked,
    }
}

#[cfg(test)]
mod tests;
