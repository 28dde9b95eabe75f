//! What the tests of several modules share: keys that sign, ports that are scripted, and a store in
//! memory.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use aws_lc_rs::{
    hmac,
    rand::SystemRandom as Rng,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    },
};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    encoding::encode_base64url,
    identity::{Environment, Identity},
    jws::Algorithm,
    ports::{
        ChatSessionFilter, ChatSessionRecord, ClientSecretRecord, CredentialStore, Digest,
        DomainRecord, EarlierResume, End, EndReason, FetchError, FetchedKeys, KeyFetch, OpenedBy,
        OpeningOutcome, PublicTokenRecord, Random, RandomError, RefusalRecord, Rotation,
        RotationOutcome, ServerKeyRecord, SignOut, StoreError, VisitorRecord,
    },
    time::{Now, UnixTime},
};

/// The moment at which most tests happen.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// That moment on both clocks.
pub(crate) fn now() -> Now {
    Now::new(NOW, Instant::now())
}

/// A key that signs, of any algorithm.
pub(crate) enum TestKey {
    Rsa(Arc<RsaKeyPair>, Algorithm),
    Ec(EcdsaKeyPair, Algorithm),
    Ed(Ed25519KeyPair),
    Hmac(Vec<u8>, Algorithm),
}

impl TestKey {
    pub(crate) fn ed25519() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// A new key; RSA keys are made once, because that takes long.
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        static RSA: std::sync::LazyLock<Arc<RsaKeyPair>> =
            std::sync::LazyLock::new(|| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => Self::Rsa(Arc::clone(&RSA), algorithm),
            Algorithm::Es256 => Self::Ec(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
                algorithm,
            ),
            Algorithm::Es384 => Self::Ec(
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
                algorithm,
            ),
            Algorithm::Es512 => Self::Ec(
                EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap(),
                algorithm,
            ),
            Algorithm::EdDsa => Self::ed25519(),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                Self::Hmac((0..64).collect(), algorithm)
            }
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_, algorithm) | Self::Ec(_, algorithm) | Self::Hmac(_, algorithm) => {
                *algorithm
            }
            Self::Ed(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn sign_bytes(&self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair, algorithm) => {
                let padding: &dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &Rng::new(), input, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&Rng::new(), input).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(input).as_ref().to_vec(),
            Self::Hmac(secret, algorithm) => {
                let hash = match algorithm {
                    Algorithm::Hs256 => hmac::HMAC_SHA256,
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(hash, secret), input)
                    .as_ref()
                    .to_vec()
            }
        }
    }

    /// A token with exactly this header.
    pub(crate) fn token_with(&self, header: &Value, payload: impl AsRef<[u8]>) -> String {
        self.raw_token(header.to_string().as_bytes(), payload)
    }

    /// A token with exactly these bytes as its header.
    pub(crate) fn raw_token(&self, header: &[u8], payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", encode_base64url(header), encode_base64url(payload));
        let signature = encode_base64url(self.sign_bytes(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// A token with the usual header.
    pub(crate) fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with(
            &json!({ "alg": self.algorithm().name(), "kid": kid }),
            claims.to_string(),
        )
    }

    /// The public key (or the secret) as a JWK.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(pair, _) => json!({
                "kty": "RSA",
                "n": encode_base64url(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": encode_base64url(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Self::Ec(pair, algorithm) => {
                let (x, y) =
                    pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                let crv = match algorithm {
                    Algorithm::Es256 => "P-256",
                    Algorithm::Es384 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": crv, "x": encode_base64url(x), "y": encode_base64url(y) })
            }
            Self::Ed(pair) => json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": encode_base64url(pair.public_key().as_ref()),
            }),
            Self::Hmac(secret, _) => json!({ "kty": "oct", "k": encode_base64url(secret) }),
        };
        jwk["kid"] = kid.into();
        jwk["alg"] = self.algorithm().name().into();
        jwk
    }
}

/// A JWK set.
pub(crate) fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// Claims that pass everywhere in these tests.
pub(crate) fn good_claims() -> Value {
    json!({
        "iss": "https://issuer.example",
        "aud": "https://chat.example",
        "sub": "user-1",
        "iat": NOW.seconds() - 10,
        "exp": NOW.seconds() + 900,
    })
}

/// Good claims with one of them replaced, or removed by null.
pub(crate) fn claims_with(name: &str, value: Value) -> Map<String, Value> {
    let Value::Object(mut claims) = good_claims() else {
        unreachable!()
    };
    if value.is_null() {
        claims.remove(name);
    } else {
        claims.insert(name.to_owned(), value);
    }
    claims
}

type Answer = Result<FetchedKeys, (String, Option<Duration>)>;

/// An issuer with scripted answers; the last one stays.
#[derive(Default)]
pub(crate) struct TestFetch {
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    pub(crate) count: AtomicUsize,
}

impl TestFetch {
    fn push(&self, url: &str, answer: Answer) {
        self.answers
            .lock()
            .unwrap()
            .entry(url.to_owned())
            .or_default()
            .push_back(answer);
    }

    pub(crate) fn answer(&self, url: &str, body: impl Into<Vec<u8>>) {
        self.push(
            url,
            Ok(FetchedKeys {
                body: body.into(),
                max_age: None,
            }),
        );
    }

    pub(crate) fn answer_for(&self, url: &str, body: impl Into<Vec<u8>>, max_age: Duration) {
        self.push(
            url,
            Ok(FetchedKeys {
                body: body.into(),
                max_age: Some(max_age),
            }),
        );
    }

    pub(crate) fn fail(&self, url: &str, retry_after: Option<Duration>) {
        self.push(url, Err(("answered 503".to_owned(), retry_after)));
    }

    /// Forgets what was scripted for an address and scripts this.
    pub(crate) fn replace(&self, url: &str, body: impl Into<Vec<u8>>) {
        self.answers.lock().unwrap().remove(url);
        self.answer(url, body);
    }

    pub(crate) fn fetches(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeyFetch for TestFetch {
    async fn fetch(&self, url: &Url) -> Result<FetchedKeys, FetchError> {
        self.count.fetch_add(1, Ordering::SeqCst);
        // Lets every other task run first, as a real request would.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let mut answers = self.answers.lock().unwrap();
        let failure = |message: String, retry_after| FetchError {
            message,
            retry_after,
        };
        let Some(queue) = answers.get_mut(url.as_str()) else {
            return Err(failure(format!("nothing at {url}"), None));
        };
        let answer = if queue.len() > 1 {
            queue.pop_front().unwrap()
        } else {
            queue[0].clone()
        };
        answer.map_err(|(message, retry_after)| failure(message, retry_after))
    }
}

/// Chance that repeats itself: every fill is a different, known block.
#[derive(Default)]
pub(crate) struct TestRandom(AtomicU64);

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        let block = crate::sha256(&self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        for (byte, random) in bytes.iter_mut().zip(block.iter().cycle()) {
            *byte = *random;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Tables {
    sessions: Vec<ChatSessionRecord>,
    secrets: HashMap<Digest, ClientSecretRecord>,
    tokens: Vec<PublicTokenRecord>,
    visitors: Vec<VisitorRecord>,
    keys: Vec<ServerKeyRecord>,
    domains: Vec<DomainRecord>,
    refusals: Vec<RefusalRecord>,
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
        workflow: &str,
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
        workflow: &str,
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
        end: End,
    ) -> Result<u64, StoreError> {
        Ok(self.tables().end(end, |session| {
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
