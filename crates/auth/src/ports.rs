//! Everything this crate needs from outside, as traits: a place to keep credentials, three calls to
//! issuers, and chance.
//!
//! `store` implements [`CredentialStore`] in SQL, `upstream` implements [`KeyFetch`], [`SessionLookup`]
//! and [`TokenIntrospection`] over HTTP.
//! Records are plain data; the rules about them live in the modules that use the port.
//! No record holds a usable secret: what is secret is kept as SHA-256 only.

use std::{error::Error as StdError, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    identity::{Environment, Identity},
    time::UnixTime,
};

/// SHA-256 of a credential's full text: what is stored instead of it, and what it is looked up by.
pub type Digest = [u8; 32];

/// A cause from the other side of a port, kept for the log.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// What can go wrong in a [`CredentialStore`], by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row with this id, digest or origin is there already.
    #[error("the record exists already")]
    Conflict,
    /// The database cannot answer now; the same call may work later.
    #[error("the credential store is unavailable")]
    Unavailable(#[source] Cause),
    /// The database answered something that cannot be right; trying again does not help.
    #[error("the credential store is broken")]
    Internal(#[source] Cause),
    /// There is no room left to write; the operator has to make some.
    #[error("the credential store is full")]
    Full(#[source] Cause),
    /// The database that was opened has been removed or replaced.
    #[error("the credential store was removed or replaced while it was in use")]
    Lost(#[source] Cause),
}

/// What opened a chat session; revoking it ends the sessions that it opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum OpenedBy {
    /// A user's own login (JWT or session cookie).
    User,
    /// A visitor through the public token with this id.
    PublicToken(String),
    /// A server through the server key with this id.
    ServerKey(String),
}

/// Why a chat session takes no more requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Cancelled or revoked on purpose, or the credential that opened it was.
    Revoked,
    /// A client secret was presented for rotation again after its replay window: it has leaked.
    Reused,
    /// The user opened more sessions than the limit, and this was the oldest.
    Displaced,
    /// The user signed in anew, and a rule, or a workflow that is closed to them by now, kept them out.
    Denied,
}

/// How and when a chat session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When it ended.
    pub at: UnixTime,
    /// Why it ended.
    pub reason: EndReason,
}

/// A chat session: the family of client secrets that replace one another, and what they are bound
/// to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatSessionRecord {
    /// Public id, `cksess_…`; unique.
    pub id: String,
    /// The identity's issuer.
    pub issuer: String,
    /// The identity's subject.
    pub subject: String,
    /// The identity's claims, as far as tools and agents may see them.
    pub claims: Map<String, Value>,
    /// Which environment the session acts in.
    pub environment: Environment,
    /// The workflow that answers, `wf_…`.
    pub workflow: String,
    /// Serialised origins that may use it; empty when the allowlist alone decides.
    pub origins: Vec<String>,
    /// Whatever the opener bound to the session (state variables, feature switches, limits); opaque
    /// to this crate.
    pub state: Map<String, Value>,
    /// What opened it.
    pub opened_by: OpenedBy,
    /// When it was opened.
    pub created_at: UnixTime,
    /// When the whole family ends, however often its secret is rotated.
    pub ends_at: UnixTime,
    /// Set once, when it was ended before its time; never cleared.
    pub ended: Option<End>,
}

impl ChatSessionRecord {
    /// Whether an identity is the one that the session acts for.
    pub fn is_of(&self, identity: &Identity) -> bool {
        self.issuer == identity.issuer()
            && self.subject == identity.subject()
            && self.environment == identity.environment()
    }

    /// The session after its user signed in anew: what the login says takes the place of what the
    /// earlier one did, and the session moves to `workflow`, where one is named.
    #[must_use]
    pub fn renewed(mut self, login: &Identity, workflow: Option<&str>) -> Self {
        self.claims.clone_from(login.claims());
        if let Some(workflow) = workflow {
            workflow.clone_into(&mut self.workflow);
        }
        self
    }

    /// Whether `secret`, which belongs to the chat session, may be replaced for `owner` by one that
    /// ends at `expires_at`: what [`CredentialStore::rotate_client_secret`] demands.
    pub fn may_rotate(
        &self,
        secret: &ClientSecretRecord,
        owner: &Identity,
        expires_at: UnixTime,
    ) -> bool {
        secret.rotation.is_none()
            && self.ended.is_none()
            && expires_at <= self.ends_at
            && self.is_of(owner)
    }
}

/// What replaced a client secret.
///
/// The replacement's text is not kept: it is derived again from the old secret, which only its
/// holder has, and this nonce (see the `client_secret` module).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// When the secret was replaced; starts the replay window.
    pub at: UnixTime,
    /// Random input to the derivation of the replacement.
    pub nonce: [u8; 32],
    /// Digest of the replacement.
    pub next: Digest,
}

/// One client secret of a chat session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecretRecord {
    /// SHA-256 of the secret's text; primary key.
    pub digest: Digest,
    /// The session that it belongs to.
    pub session_id: String,
    /// When it was minted.
    pub created_at: UnixTime,
    /// When it ends by itself.
    pub expires_at: UnixTime,
    /// Set once, by the rotation that replaced it.
    pub rotation: Option<Rotation>,
}

impl ClientSecretRecord {
    /// The secret that a rotation puts in this one's place.
    #[must_use]
    pub fn replacement(&self, rotation: &Rotation, expires_at: UnixTime) -> Self {
        Self {
            digest: rotation.next,
            session_id: self.session_id.clone(),
            created_at: rotation.at,
            expires_at,
            rotation: None,
        }
    }
}

/// How [`CredentialStore::insert_chat_session`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningOutcome {
    /// The session is there, and this many older ones of the same owner ended for it.
    Opened {
        /// How many were [`EndReason::Displaced`].
        displaced: u32,
    },
    /// What opens it is gone: the token or key is unknown or revoked, or its visitor was removed.
    /// Nothing was written.
    OpenerGone,
}

/// How [`CredentialStore::rotate_client_secret`] went.
#[derive(Debug, Clone, PartialEq)]
pub enum RotationOutcome {
    /// This call replaced the secret; the session that both belong to.
    Rotated(Box<ChatSessionRecord>),
    /// It may not be replaced in this way; nothing was written. Both records as they are now.
    Unchanged(Box<(ClientSecretRecord, ChatSessionRecord)>),
    /// There is no such secret.
    NotFound,
}

/// Somebody who has signed out at their issuer: a user, or one of a user's logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOut {
    /// The identity's issuer.
    pub issuer: String,
    /// The identity's subject; absent when the issuer named the login only.
    pub subject: Option<String>,
    /// The login's `sid`; absent when all of the user's logins have ended.
    pub session: Option<String>,
}

/// A token that works once, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedToken {
    /// Tells it from all others.
    pub digest: Digest,
    /// Until when it has to be remembered: after that it is refused for its age.
    pub until: UnixTime,
}

/// Which chat sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatSessionFilter {
    /// Only those of one identity: issuer and subject.
    pub owner: Option<(String, String)>,
    /// Only those that can still be used at this time.
    pub live_at: Option<UnixTime>,
    /// Only those that come after this id in the listing (newest first).
    pub after: Option<String>,
}

/// How much a public token's visitors may do, so that a copied token is not an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)] // A token keeps working when a later version knows one more quota.
pub struct Quotas {
    /// New visitors per hour from one IP address (IPv6: one /64).
    pub visitors_per_ip_per_hour: u32,
    /// New visitors per hour through the whole token: whoever owns many addresses is still one token.
    pub visitors_per_token_per_hour: u32,
    /// Messages per hour from one visitor.
    pub messages_per_visitor_per_hour: u32,
    /// Messages per day from one IP address (IPv6: one /64); a tenth of the token's day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_per_ip_per_day: Option<u32>,
    /// Messages per day through the whole token.
    pub messages_per_token_per_day: u32,
}

impl Default for Quotas {
    /// Enough for a person who tries a demo, tight for a script.
    fn default() -> Self {
        Self {
            visitors_per_ip_per_hour: 30,
            visitors_per_token_per_hour: 1_000,
            messages_per_visitor_per_hour: 60,
            messages_per_ip_per_day: None,
            messages_per_token_per_day: 5_000,
        }
    }
}

impl Quotas {
    /// Messages per day from one address. Without a number of its own it is a part of the token's
    /// day, so that no address can use that up alone.
    pub fn messages_per_ip_per_day(&self) -> u32 {
        self.messages_per_ip_per_day
            .unwrap_or_else(|| self.messages_per_token_per_day.div_ceil(10))
    }
}

/// A public token, `pk_…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicTokenRecord {
    /// Public id, `pkt_…`; unique.
    pub id: String,
    /// SHA-256 of the token's text; unique.
    pub digest: Digest,
    /// The first characters of the token, so that a person can tell which one it is.
    pub hint: String,
    /// What it is for, in the operator's words; may be empty.
    pub label: String,
    /// Which environment its visitors act in.
    pub environment: Environment,
    /// Serialised origins that may use it; never empty for `live`.
    pub origins: Vec<String>,
    /// The workflow that answers; the configured default when absent.
    pub workflow: Option<String>,
    /// What its visitors may do.
    pub quotas: Quotas,
    /// When it was made.
    pub created_at: UnixTime,
    /// Set once, when it was revoked.
    pub revoked_at: Option<UnixTime>,
}

/// An anonymous visitor of one public token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitorRecord {
    /// Public id, `vis_…`; unique; the subject of the visitor's identity.
    pub id: String,
    /// The public token that it came through.
    pub public_token_id: String,
    /// SHA-256 of the resume token that the browser keeps; unique.
    pub resume_digest: Digest,
    /// When that token took the place of the one before.
    pub resume_since: UnixTime,
    /// The one before, while the browser may still send it.
    pub earlier: Option<EarlierResume>,
    /// When it first came.
    pub created_at: UnixTime,
    /// When it last came back.
    pub last_seen_at: UnixTime,
}

/// A resume token that has been replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierResume {
    /// SHA-256 of its text; unique.
    pub digest: Digest,
    /// Random input to the derivation of its replacement, so that the same one can be given again.
    pub nonce: [u8; 32],
    /// When it ends; absent until the replacement has come back.
    pub until: Option<UnixTime>,
}

/// A server key, `sk_…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerKeyRecord {
    /// Public id, `key_…`; unique.
    pub id: String,
    /// SHA-256 of the key's text; unique.
    pub digest: Digest,
    /// The first characters of the key, so that a person can tell which one it is.
    pub hint: String,
    /// What it is for, in the operator's words; may be empty.
    pub label: String,
    /// Keys of one project see the same users: the identity's issuer is `key:<project>`.
    pub project: String,
    /// Which environment its sessions act in.
    pub environment: Environment,
    /// When it was made.
    pub created_at: UnixTime,
    /// Set once, when it was revoked.
    pub revoked_at: Option<UnixTime>,
}

/// A registered origin and its domain key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRecord {
    /// Serialised origin, `https://app.example.com`; unique together with the environment.
    pub origin: String,
    /// Which environment it is registered for.
    pub environment: Environment,
    /// The domain key, `dk_…`, in clear: it is public, and says only which origin a page is.
    /// Unique.
    pub key: String,
    /// When it was registered.
    pub created_at: UnixTime,
}

/// An origin that was refused, kept so that an operator can add it with one click.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalRecord {
    /// The serialised origin that came; unique together with the environment.
    pub origin: String,
    /// The environment that it was refused for.
    pub environment: Environment,
    /// How often it came.
    pub count: u64,
    /// When it first came.
    pub first_seen_at: UnixTime,
    /// When it last came.
    pub last_seen_at: UnixTime,
}

/// What lets somebody in for as long as it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Openings {
    /// Chat sessions, by their ids.
    pub sessions: Vec<String>,
    /// Public tokens, by what they are looked up by.
    pub public_tokens: Vec<Digest>,
}

/// Where credentials are kept.
///
/// "Atomic" below means: seen by every other caller, on every node, either not at all or as a
/// whole. A change is visible to every later call on every node, because revocation has to take
/// effect at once.
#[async_trait]
pub trait CredentialStore: Send + Sync + 'static {
    /// Adds a session with its first secret and keeps the number of the owner's live sessions
    /// within `limit`.
    ///
    /// Atomic: what opens the session (`session.opened_by`) is there and not revoked, for a visitor
    /// the visitor as well, so that no session outlives the revocation of its opener, however close
    /// the two are; both rows are inserted; and when the owner (issuer, subject, environment) then
    /// has more than `limit` live sessions, the oldest others end with [`EndReason::Displaced`].
    /// Live: not ended, and at least one secret with `expires_at` after `session.created_at`. The
    /// caller sees to it that the secret does not end after its session.
    /// [`StoreError::Conflict`] when the id or the digest exists.
    async fn insert_chat_session(
        &self,
        session: &ChatSessionRecord,
        secret: &ClientSecretRecord,
        limit: u32,
    ) -> Result<OpeningOutcome, StoreError>;

    /// The secret with this digest and its session, expired or ended ones included; one consistent
    /// read.
    ///
    /// Called on every request of doors 1 and 2.
    async fn find_client_secret(
        &self,
        digest: &Digest,
    ) -> Result<Option<(ClientSecretRecord, ChatSessionRecord)>, StoreError>;

    /// Replaces a secret by the next one of its family: compare-and-swap.
    ///
    /// Atomic: only while the secret `current` has no rotation, and its session is `owner`'s, has
    /// not ended and lasts until `expires_at`, is its `rotation` set, the replacement inserted, which
    /// ends at `expires_at`, and the session [renewed](ChatSessionRecord::renewed) by `owner`, the
    /// login that asks, and `workflow`. Of several callers at once exactly one gets
    /// [`RotationOutcome::Rotated`]; the others get the records as the winner left them.
    async fn rotate_client_secret(
        &self,
        current: &Digest,
        owner: &Identity,
        workflow: Option<&str>,
        rotation: &Rotation,
        expires_at: UnixTime,
    ) -> Result<RotationOutcome, StoreError>;

    /// [Renews](ChatSessionRecord::renewed) a session that has not ended, without a new secret. Atomic.
    /// Whether it was there. The caller sees to it that the login is the session's owner.
    async fn renew_chat_session(
        &self,
        id: &str,
        login: &Identity,
        workflow: Option<&str>,
    ) -> Result<bool, StoreError>;

    /// One session by its id.
    async fn find_chat_session(&self, id: &str) -> Result<Option<ChatSessionRecord>, StoreError>;

    /// Which of these have ended, were revoked, or are not there (any more). One read, however many they are: the caller
    /// sees to it that they are not too many.
    async fn ended_among(&self, asked: &Openings) -> Result<Openings, StoreError>;

    /// Sessions that match, the last one that was opened first, at most `limit`.
    async fn list_chat_sessions(
        &self,
        filter: &ChatSessionFilter,
        limit: u32,
    ) -> Result<Vec<ChatSessionRecord>, StoreError>;

    /// Ends one session. Atomic; the first end stays. Whether this call ended it.
    async fn end_chat_session(&self, id: &str, end: End) -> Result<bool, StoreError>;

    /// Ends every session of an identity, in both environments. Atomic. How many this call ended.
    async fn end_chat_sessions_of(
        &self,
        issuer: &str,
        subject: &str,
        end: End,
    ) -> Result<u64, StoreError>;

    /// Ends every session that was opened by a login which has ended, in both environments. Atomic.
    /// How many this call ended.
    ///
    /// By subject, or by the `sid` among the session's claims, or by both: then also the subject's
    /// sessions without a `sid`, because nobody can tell which login they came from.
    ///
    /// The token that says so is used up by this. [`StoreError::Conflict`] when it was used before;
    /// then nothing ends.
    async fn end_chat_sessions_of_login(
        &self,
        sign_out: &SignOut,
        token: UsedToken,
        end: End,
    ) -> Result<u64, StoreError>;

    /// Removes sessions whose `ends_at` is before `before`, each with all of its secrets. A secret
    /// never goes alone: while its session lasts, an expired one can still be replaced, and a
    /// replaced one must be known when it comes back. How many sessions went.
    async fn purge_chat_sessions(&self, before: UnixTime) -> Result<u64, StoreError>;

    /// Adds a public token. [`StoreError::Conflict`] when the id or the digest exists.
    async fn insert_public_token(&self, token: &PublicTokenRecord) -> Result<(), StoreError>;

    /// The public token with this digest, revoked ones included.
    async fn find_public_token(
        &self,
        digest: &Digest,
    ) -> Result<Option<PublicTokenRecord>, StoreError>;

    /// All public tokens, newest first, revoked ones included.
    async fn list_public_tokens(&self) -> Result<Vec<PublicTokenRecord>, StoreError>;

    /// Revokes a public token and ends every session that it opened ([`EndReason::Revoked`]).
    /// Atomic. Whether this call revoked it.
    async fn revoke_public_token(&self, id: &str, now: UnixTime) -> Result<bool, StoreError>;

    /// Adds a visitor. [`StoreError::Conflict`] when the id or the digest exists.
    async fn insert_visitor(&self, visitor: &VisitorRecord) -> Result<(), StoreError>;

    /// The visitor with this resume digest, or with this earlier one.
    async fn find_visitor(
        &self,
        resume_digest: &Digest,
    ) -> Result<Option<VisitorRecord>, StoreError>;

    /// Replaces the resume token `current`, which becomes the earlier one, by `next`. Atomic, and only
    /// while `current` is not replaced; of several callers at once one does it.
    async fn replace_resume(
        &self,
        current: &Digest,
        nonce: &[u8; 32],
        next: &Digest,
        now: UnixTime,
    ) -> Result<(), StoreError>;

    /// Notes when the earlier resume token of a visitor ends, whose present one came back. What was
    /// noted first stays.
    async fn end_earlier_resume(&self, present: &Digest, until: UnixTime)
    -> Result<(), StoreError>;

    /// Notes that a visitor came back; never moves `last_seen_at` backwards.
    async fn touch_visitor(&self, id: &str, now: UnixTime) -> Result<(), StoreError>;

    /// Removes a visitor (its sessions and threads are ended and removed by their own calls).
    /// Whether it was there.
    async fn remove_visitor(&self, id: &str) -> Result<bool, StoreError>;

    /// Removes visitors whose `last_seen_at` is before `before`, with all that is theirs: sessions,
    /// secrets and conversations. A visitor goes last and only while it is still that old, so that
    /// what was broken off is found again, and one that comes back meanwhile stays. How many
    /// visitors went.
    async fn purge_visitors(&self, before: UnixTime) -> Result<u64, StoreError>;

    /// Adds a server key. [`StoreError::Conflict`] when the id or the digest exists.
    async fn insert_server_key(&self, key: &ServerKeyRecord) -> Result<(), StoreError>;

    /// The server key with this digest, revoked ones included.
    async fn find_server_key(&self, digest: &Digest)
    -> Result<Option<ServerKeyRecord>, StoreError>;

    /// All server keys, newest first, revoked ones included.
    async fn list_server_keys(&self) -> Result<Vec<ServerKeyRecord>, StoreError>;

    /// Revokes a server key and ends every session that it opened ([`EndReason::Revoked`]). Atomic.
    /// Whether this call revoked it.
    async fn revoke_server_key(&self, id: &str, now: UnixTime) -> Result<bool, StoreError>;

    /// Registers an origin, and forgets refusals of that origin and environment. Atomic.
    ///
    /// When it is registered already, the existing record is returned and nothing changes, so that
    /// adding an origin twice gives the same key.
    async fn insert_domain(&self, domain: &DomainRecord) -> Result<DomainRecord, StoreError>;

    /// The registration of exactly this serialised origin for this environment. Called on every
    /// browser request.
    async fn find_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<Option<DomainRecord>, StoreError>;

    /// The registration that this domain key belongs to.
    async fn find_domain_by_key(&self, key: &str) -> Result<Option<DomainRecord>, StoreError>;

    /// All registered origins, by origin, then environment.
    async fn list_domains(&self) -> Result<Vec<DomainRecord>, StoreError>;

    /// Removes a registration. Whether it was there.
    async fn remove_domain(
        &self,
        origin: &str,
        environment: Environment,
    ) -> Result<bool, StoreError>;

    /// Notes that an origin was refused, and for which environment last. Of more than `keep` origins
    /// those go that came least often, then those that were not seen for longest; the one that just
    /// came stays. Atomic: counts are exact.
    async fn record_refusal(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
        keep: u32,
    ) -> Result<(), StoreError>;

    /// Refused origins, most recently seen first.
    async fn list_refusals(&self) -> Result<Vec<RefusalRecord>, StoreError>;
}

/// A document fetched from an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedKeys {
    /// The body of a 200 answer, not parsed.
    pub body: Vec<u8>,
    /// `max-age` of the answer's `Cache-Control`, when it had one.
    pub max_age: Option<Duration>,
}

/// Why a document could not be fetched from an issuer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct FetchError {
    /// What happened, for the log and for `jwt check`: a status, a time-out, a refused redirect.
    pub message: String,
    /// What the issuer asked for by `Retry-After`, when it did.
    pub retry_after: Option<Duration>,
}

/// Fetches JWK sets and discovery documents.
///
/// An implementation sends one GET without cookies, follows no redirect, connects within 2 s,
/// answers within 5 s in total, reads at most 256 KiB, and takes `https` only, except for loopback
/// and where the operator allowed it.
#[async_trait]
pub trait KeyFetch: Send + Sync + 'static {
    /// The body of a 200 answer; anything else is an error.
    async fn fetch(&self, url: &Url) -> Result<FetchedKeys, FetchError>;
}

/// Why an issuer could not be asked about a session cookie.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The issuer answered 401 or 403: the cookie is worth nothing there.
    #[error("the issuer does not know the session")]
    Refused,
    /// The issuer did not answer, or answered with anything but 200, 401 and 403.
    #[error("the issuer cannot be asked about the session: {message}")]
    Unavailable {
        /// What happened, for the log.
        message: String,
        /// What the issuer asked for by `Retry-After`, when it did.
        retry_after: Option<Duration>,
    },
}

/// Asks an issuer whose session a cookie is.
///
/// The same limits as [`KeyFetch`], but the body may have 64 KiB at most.
#[async_trait]
pub trait SessionLookup: Send + Sync + 'static {
    /// The body of a 200 answer to a GET with exactly this `Cookie` header, not parsed.
    async fn lookup(&self, url: &Url, cookie: &str) -> Result<Vec<u8>, LookupError>;
}

/// How a client with a secret says who it is (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuthMethod {
    /// `client_secret_basic` (RFC 7591 §2): in the `Authorization` header. Every issuer has to take it.
    #[default]
    Basic,
    /// `client_secret_post`: in the body, for an issuer that does not.
    Post,
}

/// A question about one opaque token (RFC 7662 §2.1).
#[derive(Debug, Clone, Copy)]
pub struct Introspection<'question> {
    /// The issuer's introspection endpoint.
    pub address: &'question Url,
    /// Who asks.
    pub client_id: &'question str,
    /// The secret of who asks.
    pub client_secret: &'question SecretString,
    /// Where the two stand.
    pub auth_method: ClientAuthMethod,
    /// The token that is asked about.
    pub token: &'question str,
}

/// Asks an issuer about an opaque token.
///
/// The same limits as [`SessionLookup`].
#[async_trait]
pub trait TokenIntrospection: Send + Sync + 'static {
    /// The body of a 200 answer, not parsed. [`LookupError::Refused`] when the issuer does not take
    /// our own credentials.
    async fn introspect(&self, question: Introspection<'_>) -> Result<Vec<u8>, LookupError>;
}

/// The operating system could not give random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes from the operating system")]
pub struct RandomError;

/// Chance, as an argument: tests bring their own.
pub trait Random: Send + Sync + 'static {
    /// Fills the whole slice with bytes that nobody can predict.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// Random bytes from the operating system by way of `aws-lc-rs`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| RandomError)
    }
}
