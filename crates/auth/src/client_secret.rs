//! Door 1: client secrets, the short-lived credentials that a page holds for its user's chat.
//!
//! A chat session is a family of secrets. Each is replaced by the next before it expires, and each
//! can be replaced once.
//! A lost answer must not lock an honest page out, so within 30 s the same question gets the same
//! answer; a secret that comes back later has been copied, and ends the family (RFC 9700 §4.14.2).
//!
//! # How the same answer is given without keeping it
//!
//! Only hashes are at rest, so a repeated answer cannot be read back; it is made again.
//! The next secret is `HMAC-SHA256(key = text of the old secret, nonce, expiry)`, and the store
//! keeps the nonce with the old secret's record.
//! Whoever has the store has the nonce but no secret to use as the key.
//! Whoever has an old secret can only ask, and is answered only within the window and with the
//! user's own login.
//! Two requests at once, on two nodes, agree, because the store lets one nonce win.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::{
    credential::{self, Kind},
    error::Error,
    identity::{Identity, is_subject_of, is_valid_issuer},
    ports::{
        ChatSessionFilter, ChatSessionRecord, ClientSecretRecord, CredentialStore, End, EndReason,
        OpenedBy, OpeningOutcome, Random, Rotation, RotationOutcome,
    },
    rejection::{Reason, Rejection},
    time::UnixTime,
};

/// How many sessions one listing has at most.
pub const MAX_LISTED: u32 = 100;
/// How long a session is kept once it is over.
const KEPT_AFTER_END: Duration = Duration::from_hours(24);
/// How many origins a session may be bound to.
const MAX_ORIGINS: usize = 20;

/// How long secrets and sessions live, and how many a user may have.
#[derive(Debug, Clone, Copy)]
pub struct ClientSecretLimits {
    /// How long a replaced secret still gives the same answer, and still works.
    pub replay_window: Duration,
    /// How long a family may go on by rotation.
    pub session_lifetime: Duration,
    /// How many live sessions one user may have; the oldest gives way.
    pub sessions_per_user: u32,
}

impl Default for ClientSecretLimits {
    fn default() -> Self {
        Self {
            replay_window: Duration::from_secs(30),
            session_lifetime: Duration::from_hours(24),
            sessions_per_user: 20,
        }
    }
}

/// What a new session is bound to.
#[derive(Debug, Clone)]
pub struct NewChatSession<'identity> {
    /// Whose session it is.
    pub identity: &'identity Identity,
    /// The workflow that answers.
    pub workflow: String,
    /// Serialised origins that may use it; empty when the allowlist alone decides.
    pub origins: Vec<String>,
    /// What else is bound to it.
    pub state: Map<String, Value>,
    /// What opened it.
    pub opened_by: OpenedBy,
    /// How long its first secret lives.
    pub secret_lifetime: Duration,
    /// Whether the secret can be replaced by another one; if not, the session ends with it.
    pub is_renewable: bool,
}

/// A secret on its way to the page: the only moment at which its text exists here.
#[derive(Debug)]
pub struct IssuedSecret {
    /// The secret's text.
    pub secret: SecretString,
    /// When it ends.
    pub expires_at: UnixTime,
    /// Its session.
    pub session: ChatSessionRecord,
    /// How it came about.
    pub issuance: Issuance,
}

/// How a secret came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuance {
    /// A session was opened with it.
    Opened {
        /// How many older sessions of the same user ended for it.
        displaced: u32,
    },
    /// It replaced another one.
    Rotated,
    /// It had replaced another one before, and the same question came again.
    Replayed,
}

/// A chat session that a presented secret belongs to.
#[derive(Debug, Clone)]
pub struct ChatSession {
    /// Whose it is. Its expiry is the secret's.
    pub identity: Arc<Identity>,
    /// What it is bound to. Its claims have moved into the identity.
    pub record: ChatSessionRecord,
}

/// Makes, checks, replaces and ends client secrets.
#[derive(Clone)]
pub struct ClientSecrets {
    store: Arc<dyn CredentialStore>,
    random: Arc<dyn Random>,
    limits: ClientSecretLimits,
}

impl fmt::Debug for ClientSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientSecrets")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl ClientSecrets {
    /// Secrets kept in this store.
    pub fn new(
        store: Arc<dyn CredentialStore>,
        random: Arc<dyn Random>,
        limits: ClientSecretLimits,
    ) -> Self {
        Self {
            store,
            random,
            limits,
        }
    }

    /// Opens a session and mints its first secret.
    pub async fn open(
        &self,
        new: NewChatSession<'_>,
        now: UnixTime,
    ) -> Result<IssuedSecret, Error> {
        if new.origins.len() > MAX_ORIGINS {
            return Err(Error::Unusable(format!(
                "a session can be bound to {MAX_ORIGINS} origins at most"
            )));
        }
        let mut ends_at = now.plus(self.limits.session_lifetime);
        let expires_at = now.plus(new.secret_lifetime).min(ends_at);
        if !new.is_renewable {
            ends_at = expires_at;
        }
        let secret = self.mint(expires_at)?;
        let session = ChatSessionRecord {
            id: credential::public_id("cksess_", now, &*self.random)?,
            issuer: new.identity.issuer().to_owned(),
            subject: new.identity.subject().to_owned(),
            claims: (**new.identity.claims()).clone(),
            environment: new.identity.environment(),
            workflow: new.workflow,
            origins: new.origins,
            state: new.state,
            opened_by: new.opened_by,
            created_at: now,
            ends_at,
            ended: None,
        };
        let record = secret_record(&secret, &session.id, now, expires_at);
        let outcome = self
            .store
            .insert_chat_session(&session, &record, self.limits.sessions_per_user)
            .await?;
        match outcome {
            OpeningOutcome::Opened { displaced } => Ok(IssuedSecret {
                secret,
                expires_at,
                session,
                issuance: Issuance::Opened { displaced },
            }),
            OpeningOutcome::OpenerGone => Err(Reason::Revoked.into()),
        }
    }

    /// Whose chat a presented secret opens. One read; a secret with a typo costs none.
    ///
    /// A replaced secret works on through the replay window, so that requests which are under way
    /// do not fail.
    pub async fn authenticate(&self, presented: &str, now: UnixTime) -> Result<ChatSession, Error> {
        let (secret, mut session) = self.find(presented).await?;
        self.check_session(&session, now)?;
        if now >= secret.expires_at {
            return Err(Reason::Expired.into());
        }
        if let Some(rotation) = &secret.rotation
            && now.since(rotation.at) > self.limits.replay_window
        {
            let detail = "use the secret that replaced it";
            return Err(Rejection::new(Reason::Revoked).with_detail(detail).into());
        }
        let identity = Identity::new(
            session.issuer.clone(),
            session.subject.clone(),
            Arc::new(std::mem::take(&mut session.claims)),
            session.environment,
            secret.expires_at,
        )
        .map_err(|error| Error::Internal(Box::new(error)))?;
        Ok(ChatSession {
            identity: Arc::new(identity),
            record: session,
        })
    }

    /// The session that a presented secret belongs to, where it is this user's. The secret may have
    /// expired or been replaced; the session is live.
    pub async fn session_of(
        &self,
        presented: &str,
        identity: &Identity,
        now: UnixTime,
    ) -> Result<ChatSessionRecord, Error> {
        let (_, session) = self.find(presented).await?;
        if !session.is_of(identity) {
            return Err(Reason::OtherUser.into());
        }
        self.check_session(&session, now)?;
        Ok(session)
    }

    /// Ends one session at once because its user, who signed in anew, may not go on with it. Whether it
    /// was live.
    pub async fn deny(&self, session_id: &str, now: UnixTime) -> Result<bool, Error> {
        let end = End {
            at: now,
            reason: EndReason::Denied,
        };
        Ok(self.store.end_chat_session(session_id, end).await?)
    }

    /// Replaces a secret, for the user it belongs to, and renews its session.
    ///
    /// The identity comes from a login that was checked just now, and what it says takes the place of
    /// what the session knew: a refresh is a new sign-in. Without that, neither a sign-out at the
    /// issuer nor a role that was lost there would ever reach a page that keeps refreshing. `workflow`
    /// is the one that the login is bound to; without one, the session keeps its own, and the caller
    /// [denies](Self::deny) it where the login may not use that. A secret that has expired can still be
    /// replaced while its session lasts, because a page that was asleep is not an attack.
    pub async fn rotate(
        &self,
        presented: &str,
        identity: &Identity,
        workflow: Option<&str>,
        secret_lifetime: Duration,
        now: UnixTime,
    ) -> Result<IssuedSecret, Error> {
        credential::demand(presented, |kind| kind == Kind::ClientSecret)?;
        let current = credential::digest(presented);
        let mut nonce = [0; 32];
        self.random.fill(&mut nonce)?;
        // The store refuses what may not be, and says what is there instead. Refusals queue behind
        // writes, then; how often a person may ask is limited before this.
        let mut expires_at = now.plus(secret_lifetime);
        // Twice at most: the second time, the secret ends with its session.
        loop {
            let secret = derive(presented, &nonce, expires_at)?;
            let rotation = Rotation {
                at: now,
                nonce,
                next: credential::digest(secret.expose_secret()),
            };
            let outcome = self
                .store
                .rotate_client_secret(&current, identity, workflow, &rotation, expires_at);
            let (old, session) = match outcome.await? {
                RotationOutcome::Rotated(session) => {
                    return Ok(IssuedSecret {
                        secret,
                        expires_at,
                        session: *session,
                        issuance: Issuance::Rotated,
                    });
                }
                RotationOutcome::NotFound => return Err(Reason::UnknownCredential.into()),
                RotationOutcome::Unchanged(records) => *records,
            };
            if !session.is_of(identity) {
                return Err(Reason::OtherUser.into());
            }
            self.check_session(&session, now)?;
            if let Some(rotation) = old.rotation {
                let login = (identity, workflow);
                return self.replay(presented, &rotation, session, login, now).await;
            }
            if expires_at <= session.ends_at {
                return Err(Error::Internal(
                    "the store did not replace a secret, and nothing is in the way".into(),
                ));
            }
            // The session ends before the new secret would.
            expires_at = session.ends_at;
        }
    }

    /// Answers a repeated rotation as the first one was answered, or ends the family.
    async fn replay(
        &self,
        presented: &str,
        rotation: &Rotation,
        session: ChatSessionRecord,
        (identity, workflow): (&Identity, Option<&str>),
        now: UnixTime,
    ) -> Result<IssuedSecret, Error> {
        if now.since(rotation.at) > self.limits.replay_window {
            let end = End {
                at: now,
                reason: EndReason::Reused,
            };
            let is_ended = self.store.end_chat_session(&session.id, end).await?;
            let rejection = Rejection::new(Reason::AlreadyRotated);
            return Err(if is_ended {
                rejection.with_ended_session(session.id)
            } else {
                rejection
            }
            .into());
        }
        let found = self.store.find_client_secret(&rotation.next).await?;
        let (next, _) = found.ok_or(Reason::UnknownCredential)?;
        let secret = derive(presented, &rotation.nonce, next.expires_at)?;
        if credential::digest(secret.expose_secret()) != rotation.next {
            return Err(Error::Internal(
                "a derived client secret does not match its record".into(),
            ));
        }
        // The same secret, but perhaps a later login, and that one counts from now on. An earlier one,
        // of a request that was overtaken, changes nothing.
        let renewed = if issued_at(identity.claims()) < issued_at(&session.claims) {
            session.clone()
        } else {
            session.clone().renewed(identity, workflow)
        };
        if renewed != session
            && !self
                .store
                .renew_chat_session(&session.id, identity, workflow)
                .await?
        {
            return Err(Reason::Revoked.into());
        }
        Ok(IssuedSecret {
            secret,
            expires_at: next.expires_at,
            session: renewed,
            issuance: Issuance::Replayed,
        })
    }

    /// Ends one session at once. Whether it was live; an unknown id is no error (RFC 7009 §2.2).
    pub async fn end(&self, session_id: &str, now: UnixTime) -> Result<bool, Error> {
        Ok(self
            .store
            .end_chat_session(
                session_id,
                End {
                    at: now,
                    reason: EndReason::Revoked,
                },
            )
            .await?)
    }

    /// Ends every session of a user at once. How many were live.
    pub async fn end_all(&self, issuer: &str, subject: &str, now: UnixTime) -> Result<u64, Error> {
        if !is_valid_issuer(issuer) || !is_subject_of(issuer, subject) {
            return Err(Error::Unusable(
                "give the issuer and the subject of the user".to_owned(),
            ));
        }
        let end = End {
            at: now,
            reason: EndReason::Revoked,
        };
        Ok(self
            .store
            .end_chat_sessions_of(issuer, subject, end)
            .await?)
    }

    /// One session by its id.
    pub async fn get(&self, session_id: &str) -> Result<Option<ChatSessionRecord>, Error> {
        Ok(self.store.find_chat_session(session_id).await?)
    }

    /// Sessions that match, newest first, at most [`MAX_LISTED`]. Secrets are never listed.
    pub async fn list(
        &self,
        filter: &ChatSessionFilter,
        limit: u32,
    ) -> Result<Vec<ChatSessionRecord>, Error> {
        Ok(self
            .store
            .list_chat_sessions(filter, limit.clamp(1, MAX_LISTED))
            .await?)
    }

    /// Removes sessions that have been over for a day, with their secrets. Until then a page that
    /// slept is told that its session has ended rather than that nobody knows its secret. How many
    /// sessions went.
    pub async fn purge(&self, now: UnixTime) -> Result<u64, Error> {
        let before = now.minus(KEPT_AFTER_END);
        Ok(self.store.purge_chat_sessions(before).await?)
    }

    async fn find(
        &self,
        presented: &str,
    ) -> Result<(ClientSecretRecord, ChatSessionRecord), Error> {
        credential::demand(presented, |kind| kind == Kind::ClientSecret)?;
        let found = self
            .store
            .find_client_secret(&credential::digest(presented))
            .await?;
        Ok(found.ok_or(Reason::UnknownCredential)?)
    }

    #[expect(
        clippy::unused_self,
        reason = "belongs to the rules of this type, and reads as one of its steps"
    )]
    fn check_session(&self, session: &ChatSessionRecord, now: UnixTime) -> Result<(), Error> {
        match &session.ended {
            Some(End {
                reason: EndReason::Reused,
                ..
            }) => Err(Reason::AlreadyRotated.into()),
            Some(_) => Err(Reason::Revoked.into()),
            None if now >= session.ends_at => Err(Reason::SessionExpired.into()),
            None => Ok(()),
        }
    }

    fn mint(&self, expires_at: UnixTime) -> Result<SecretString, Error> {
        loop {
            let mut bytes = [0; 32];
            self.random.fill(&mut bytes)?;
            if let Some(secret) = credential::client_secret(&bytes, expires_at) {
                return Ok(secret);
            }
        }
    }
}

fn secret_record(
    secret: &SecretString,
    session_id: &str,
    now: UnixTime,
    expires_at: UnixTime,
) -> ClientSecretRecord {
    ClientSecretRecord {
        digest: credential::digest(secret.expose_secret()),
        session_id: session_id.to_owned(),
        created_at: now,
        expires_at,
        rotation: None,
    }
}

/// The secret that replaces `presented`; see the head of this file.
fn derive(presented: &str, nonce: &[u8; 32], expires_at: UnixTime) -> Result<SecretString, Error> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, presented.as_bytes());
    // One in 4,000 tries gives digits that cannot be used; 256 in a row is a number without a name.
    for attempt in 0..=u8::MAX {
        let mut context = hmac::Context::with_key(&key);
        context.update(b"vestibule client secret rotation\0");
        context.update(nonce);
        context.update(&expires_at.seconds().to_be_bytes());
        context.update(&[attempt]);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        if let Some(secret) = credential::client_secret(&bytes, expires_at) {
            return Ok(secret);
        }
    }
    Err(Error::Internal("no client secret could be derived".into()))
}

/// When a login was, as its issuer says (`iat`); `None`, which is before every other, where it does not.
fn issued_at(claims: &Map<String, Value>) -> Option<i64> {
    claims.get("iat")?.as_i64()
}

#[cfg(test)]
mod tests;
