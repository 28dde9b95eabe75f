//! A credential store in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use serde_json::json;

use crate::{
    identity::{Environment, Identity},
    ports::{
        ChatSessionFilter, ChatSessionRecord, ClientSecretRecord, CredentialStore, Digest,
        DomainRecord, EarlierResume, End, EndReason, OpenedBy, OpeningOutcome, Openings,
        PublicTokenRecord, RefusalRecord, Rotation, RotationOutcome, ServerKeyRecord, SignOut,
        StoreError, UsedToken, VisitorRecord,
    },
    time::UnixTime,
};

#[derive(Default)]
struct Tables {
    sessions: Vec<ChatSessionRecord>,
    secrets: HashMap<Digest, ClientSecretRecord>,
    tokens: Vec<PublicTokenRecord>,
    visitors: Vec<VisitorRecord>,
    keys: Vec<ServerKeyRecord>,
    domains: Vec<DomainRecord>,
    refusals: Vec<RefusalRecord>,
    used_tokens: Vec<Digest>,
}

/// A credential store in memory; one lock makes every call atomic.
#[derive(Default)]
pub(crate) struct MemoryStore {
    tables: Mutex<Tables>,
    /// How many calls there were.
    pub(crate) calls: AtomicUsize,
    /// A rotation by somebody else, which gets in just before the next one.
    pub(crate) overtaken_by: Mutex<Option<(Digest, Rotation, ClientSecretRecord)>>,
}

impl MemoryStore {
    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.tables.lock().unwrap()
    }

    /// Everything that is stored, as text.
    pub(crate) fn dump(&self) -> String {
        let tables = self.tables.lock().unwrap();
        let secrets: Vec<_> = tables.secrets.values().collect();
        let all = json!([
            tables.sessions,
            secrets,
            tables.tokens,
            tables.visitors,
            tables.keys,
            tables.domains
        ]);
        all.to_string()
    }
}

impl Tables {
    fn renew(&mut self, renewed: &ChatSessionRecord) {
        for session in &mut self.sessions {
            if session.id == renewed.id {
                session.clone_from(renewed);
            }
        }
    }

    fn end(&mut self, end: End, is_meant: impl Fn(&ChatSessionRecord) -> bool) -> u64 {
        let live = self
            .sessions
            .iter_mut()
            .filter(|session| session.ended.is_none() && is_meant(session));
        live.map(|session| session.ended = Some(end)).count() as u64
    }
}

#[async_trait]
impl CredentialStore for MemoryStore {
    async fn insert_chat_session(
        &self,
        session: &ChatSessionRecord,
        secret: &ClientSecretRecord,
        limit: u32,
    ) -> Result<OpeningOutcome, StoreError> {
        let mut tables = self.tables();
        let is_opener_there = match &session.opened_by {
            OpenedBy::User => true,
            OpenedBy::PublicToken(id) => {
                tables
                    .tokens
                    .iter()
                    .any(|token| token.id == *id && token.revoked_at.is_none())
                    && tables
                        .visitors
                        .iter()
                        .any(|visitor| visitor.id == session.subject)
            }
            OpenedBy::ServerKey(id) => tables
                .keys
                .iter()
                .any(|key| key.id == *id && key.revoked_at.is_none()),
        };
        if !is_opener_there {
            return Ok(OpeningOutcome::OpenerGone);
        }
        if tables.secrets.contains_key(&secret.digest)
            || tables.sessions.iter().any(|other| other.id == session.id)
        {
            return Err(StoreError::Conflict);
        }
        let live: Vec<String> = tables
            .sessions
            .iter()
            .filter(|other| other.issuer == session.issuer && other.subject == session.subject)
            .filter(|other| other.environment == session.environment && other.ended.is_none())
            .filter(|other| other.ends_at > session.created_at)
            .filter(|other| {
                let mut secrets = tables.secrets.values();
                secrets.any(|secret| {
                    secret.session_id == other.id && secret.expires_at > session.created_at
                })
            })
            .map(|other| other.id.clone())
            .collect();
        let surplus = (live.len() + 1).saturating_sub(limit as usize);
        let end = End {
            at: session.created_at,
            reason: EndReason::Displaced,
        };
        let ended = tables.end(end, |other| live[..surplus].contains(&other.id));
        tables.sessions.push(session.clone());
        tables.secrets.insert(secret.digest, secret.clone());
        Ok(OpeningOutcome::Opened {
            displaced: u32::try_from(ended).unwrap(),
        })
    }

    async fn find_client_secret(
        &self,
        digest: &Digest,
    ) -> Result<Option<(ClientSecretRecord, ChatSessionRecord)>, StoreError> {
        let tables = self.tables();
        Ok(tables.secrets.get(digest).map(|secret| {
            let session = tables
                .sessions
                .iter()
                .find(|session| session.id == secret.session_id)
                .unwrap();
            (secret.clone(), session.clone())
        }))
    }

    async fn rotate_client_secret(
        &self,
        current: &Digest,
        owner: &Identity,
        workflow: Option<&str>,
        rotation: &Rotation,
        expires_at: UnixTime,
    ) -> Result<RotationOutcome, StoreError> {
        let mut tables = self.tables();
        let find = |tables: &Tables| {
            let secret = tables.secrets.get(current).cloned()?;
            let mut sessions = tables.sessions.iter();
            let session = sessions.find(|session| session.id == secret.session_id)?;
            Some((secret, session.clone()))
        };
        let is_free = find(&tables)
            .is_some_and(|(secret, session)| session.may_rotate(&secret, owner, expires_at));
        // The other node is faster than a rotation that would have gone through.
        if is_free && let Some((digest, rotation, next)) = self.overtaken_by.lock().unwrap().take()
        {
            tables.secrets.get_mut(&digest).unwrap().rotation = Some(rotation);
            tables.secrets.insert(next.digest, next);
        }
        let Some((secret, session)) = find(&tables) else {
            return Ok(RotationOutcome::NotFound);
        };
        if !session.may_rotate(&secret, owner, expires_at) {
            return Ok(RotationOutcome::Unchanged(Box::new((secret, session))));
        }
        tables.secrets.get_mut(current).unwrap().rotation = Some(rotation.clone());
        let next = secret.replacement(rotation, expires_at);
        tables.secrets.insert(next.digest, next);
        let session = session.renewed(owner, workflow);
        tables.renew(&session);
        Ok(RotationOutcome::Rotated(Box::new(session)))
    }

    async fn renew_chat_session(
        &self,
        id: &str,
        login: &Identity,
        workflow: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let mut sessions = tables.sessions.iter();
        let found = sessions.find(|session| session.id == id && session.ended.is_none());
        let Some(session) = found.cloned() else {
            return Ok(false);
        };
        tables.renew(&session.renewed(login, workflow));
        Ok(true)
    }

    async fn find_chat_session(&self, id: &str) -> Result<Option<ChatSessionRecord>, StoreError> {
        Ok(self
            .tables()
            .sessions
            .iter()
            .find(|session| session.id == id)
            .cloned())
    }

    async fn ended_among(&self, asked: &Openings) -> Result<Openings, StoreError> {
        let tables = self.tables();
        let mut ended = asked.clone();
        ended.sessions.retain(|id| {
            let lasts = |session: &ChatSessionRecord| session.id == *id && session.ended.is_none();
            !tables.sessions.iter().any(lasts)
        });
        ended.public_tokens.retain(|digest| {
            let holds =
                |token: &PublicTokenRecord| token.digest == *digest && token.revoked_at.is_none();
            !tables.tokens.iter().any(holds)
        });
        Ok(ended)
    }

    async fn list_chat_sessions(
        &self,
        filter: &ChatSessionFilter,
        limit: u32,
    ) -> Result<Vec<ChatSessionRecord>, StoreError> {
        let tables = self.tables();
        let is_owned = |session: &&ChatSessionRecord| {
            filter.owner.as_ref().is_none_or(|(issuer, subject)| {
                session.issuer == *issuer && session.subject == *subject
            })
        };
        Ok(tables
            .sessions
            .iter()
            .rev()
            .filter(is_owned)
            .take(limit as usize)
            .cloned()
            .collect())
    }

    async fn end_chat_session(&self, id: &str, end: End) -> Result<bool, StoreError> {
        Ok(self.tables().end(end, |session| session.id == id) > 0)
    }

    async fn end_chat_sessions_of(
        &self,
        issuer: &str,
        subject: &str,
        end: End,
    ) -> Result<u64, StoreError> {
        Ok(self.tables().end(end, |session| {
            session.issuer == issuer && session.subject == subject
        }))
    }

    async fn end_chat_sessions_of_login(
        &self,
        sign_out: &SignOut,
        token: UsedToken,
        end: End,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        if tables.used_tokens.contains(&token.digest) {
            return Err(StoreError::Conflict);
        }
        tables.used_tokens.push(token.digest);
        Ok(tables.end(end, |session| {
            let until = session.ends_at;
            let claims = Arc::new(session.claims.clone());
            let (issuer, subject) = (session.issuer.clone(), session.subject.clone());
            let identity = Identity::new(issuer, subject, claims, session.environment, until);
            identity.is_ok_and(|identity| sign_out.is_of(&identity))
        }))
    }

    async fn purge_chat_sessions(&self, before: UnixTime) -> Result<u64, StoreError> {
        let tables = &mut *self.tables();
        let count = tables.sessions.len();
        tables.sessions.retain(|session| session.ends_at >= before);
        let sessions = &tables.sessions;
        tables.secrets.retain(|_, secret| {
            sessions
                .iter()
                .any(|session| session.id == secret.session_id)
        });
        Ok((count - sessions.len()) as u64)
    }

    async fn insert_public_token(&self, token: &PublicTokenRecord) -> Result<(), StoreError> {
        self.tables().tokens.push(token.clone());
        Ok(())
    }

    async fn find_public_token(
        &self,
        digest: &Digest,
    ) -> Result<Option<PublicTokenRecord>, StoreError> {
        Ok(self
            .tables()
            .tokens
            .iter()
            .find(|token| token.digest == *digest)
            .cloned())
    }

    async fn list_public_tokens(&self) -> Result<Vec<PublicTokenRecord>, StoreError> {
        Ok(self.tables().tokens.iter().rev().cloned().collect())
    }

    async fn revoke_public_token(&self, id: &str, now: UnixTime) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let end = End {
            at: now,
            reason: EndReason::Revoked,
        };
        tables.end(end, |session| {
            session.opened_by == OpenedBy::PublicToken(id.to_owned())
        });
        let token = tables
            .tokens
            .iter_mut()
            .find(|token| token.id == id && token.revoked_at.is_none());
        Ok(token.map(|token| token.revoked_at = Some(now)).is_some())
    }

    async fn insert_visitor(&self, visitor: &VisitorRecord) -> Result<(), StoreError> {
        self.tables().visitors.push(visitor.clone());
        Ok(())
    }

    async fn find_visitor(
        &self,
        resume_digest: &Digest,
    ) -> Result<Option<VisitorRecord>, StoreError> {
        Ok(self
            .tables()
            .visitors
            .iter()
            .find(|visitor| {
                let earlier = visitor.earlier.as_ref().map(|earlier| &earlier.digest);
                visitor.resume_digest == *resume_digest || earlier == Some(resume_digest)
            })
            .cloned())
    }

    async fn replace_resume(
        &self,
        current: &Digest,
        nonce: &[u8; 32],
        next: &Digest,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        for visitor in &mut self.tables().visitors {
            if visitor.resume_digest == *current {
                visitor.resume_digest = *next;
                visitor.resume_since = now;
                visitor.earlier = Some(EarlierResume {
                    digest: *current,
                    nonce: *nonce,
                    until: None,
                });
            }
        }
        Ok(())
    }

    async fn end_earlier_resume(
        &self,
        present: &Digest,
        until: UnixTime,
    ) -> Result<(), StoreError> {
        for visitor in &mut self.tables().visitors {
            if visitor.resume_digest == *present
                && let Some(earlier) = &mut visitor.earlier
            {
                earlier.until.get_or_insert(until);
            }
        }
        Ok(())
    }

    async fn touch_visitor(&self, id: &str, now: UnixTime) -> Result<(), StoreError> {
        for visitor in self
            .tables()
            .visitors
            .iter_mut()
            .filter(|visitor| visitor.id == id)
        {
            visitor.last_seen_at = visitor.last_seen_at.max(now);
        }
        Ok(())
    }

    async fn remove_visitor(&self, id: &str) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let count = tables.visitors.len();
        tables.visitors.retain(|visitor| visitor.id != id);
        Ok(tables.visitors.len() < count)
    }

    async fn purge_visitors(&self, before: UnixTime) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let count = tables.visitors.len();
        tables
            .visitors
            .retain(|visitor| visitor.last_seen_at >= before);
        Ok((count - tables.visitors.len()) as u64)
    }

    async fn insert_server_key(&self, key: &ServerKeyRecord) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let is_known = |known: &ServerKeyRecord| known.id == key.id || known.digest == key.digest;
        if tables.keys.iter().any(is_known) {
            return Err(StoreError::Conflict);
        }
        tables.keys.push(key.clone());
        Ok(())
    }

    async fn find_server_key(
        &self,
        digest: &Digest,
    ) -> Result<Option<ServerKeyRecord>, StoreError> {
        Ok(self
            .tables()
            .keys
            .iter()
            .find(|key| key.digest == *digest)
            .cloned())
    }

    async fn list_server_keys(&self) -> Result<Vec<ServerKeyRecord>, StoreError> {
        Ok(self.tables().keys.iter().rev().cloned().collect())
    }

    async fn revoke_server_key(&self, id: &str, now: UnixTime) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let end = End {
            at: now,
            reason: EndReason::Revoked,
        };
        tables.end(end, |session| {
            session.opened_by == OpenedBy::ServerKey(id.to_owned())
        });
        let key = tables
            .keys
            .iter_mut()
            .find(|key| key.id == id && key.revoked_at.is_none());
        Ok(key.map(|key| key.revoked_at = Some(now)).is_some())
    }

    async fn insert_domain(&self, domain: &DomainRecord) -> Result<DomainRecord, StoreError> {
        let mut tables = self.tables();
        tables.refusals.retain(|refusal| {
            refusal.origin != domain.origin || refusal.environment != domain.environment
        });
        let is_same = |other: &&DomainRecord| {
            other.origin == domain.origin && other.environment == domain.environment
        };
        if let Some(existing) = tables.domains.iter().find(is_same) {
            return Ok(existing.clone());
        }
        tables.domains.push(domain.clone());
        Ok(domain.clone())
    }

    async fn find_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<Option<DomainRecord>, StoreError> {
        let tables = self.tables();
        let mut domains = tables.domains.iter();
        Ok(domains
            .find(|domain| domain.origin == origin && domain.environment == environment)
            .cloned())
    }

    async fn find_domain_by_key(&self, key: &str) -> Result<Option<DomainRecord>, StoreError> {
        Ok(self
            .tables()
            .domains
            .iter()
            .find(|domain| domain.key == key)
            .cloned())
    }

    async fn list_domains(&self) -> Result<Vec<DomainRecord>, StoreError> {
        let mut domains = self.tables().domains.clone();
        domains.sort_by(|one, other| {
            (&one.origin, one.environment).cmp(&(&other.origin, other.environment))
        });
        Ok(domains)
    }

    async fn remove_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let count = tables.domains.len();
        tables
            .domains
            .retain(|domain| domain.origin != origin || domain.environment != environment);
        Ok(tables.domains.len() < count)
    }

    async fn record_refusal(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
        keep: u32,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let refusals = &mut tables.refusals;
        let (earlier, others): (Vec<_>, Vec<_>) = std::mem::take(refusals)
            .into_iter()
            .partition(|refusal| refusal.origin == origin);
        let earlier = earlier.first();
        refusals.push(RefusalRecord {
            origin: origin.to_owned(),
            environment,
            count: earlier.map_or(0, |earlier| earlier.count) + 1,
            first_seen_at: earlier.map_or(now, |earlier| earlier.first_seen_at),
            last_seen_at: now,
        });
        refusals.extend(others);
        while refusals.len() > keep as usize {
            let oldest_first = refusals.iter().enumerate().skip(1).rev();
            let Some((least, _)) = oldest_first.min_by_key(|(_, refusal)| refusal.count) else {
                break;
            };
            refusals.remove(least);
        }
        Ok(())
    }

    async fn list_refusals(&self) -> Result<Vec<RefusalRecord>, StoreError> {
        Ok(self.tables().refusals.clone())
    }
}
