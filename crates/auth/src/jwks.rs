//! An issuer's key set, kept at hand: a key that is known costs neither a lock nor a request.
//!
//! An unknown key id makes us ask the issuer, because issuers rotate keys without notice (some sign
//! with a new key before anybody could have seen it). A forger can make key ids up, so we ask one
//! question at a time and within a budget, and remember for a while that there is no such key.
//! A signature that does not match makes us ask, too, within the same budget: some issuers replace a
//! key under its old name, or give their keys no names.
//! When an issuer fails, its old keys stay in use until an age limit. Until it has given keys once,
//! it is asked every few seconds, so that this server may start before the login server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use moka::sync::Cache;
use tokio::sync::Mutex;
use url::Url;

mod set;
mod x509;

pub use set::{KeySet, MAX_KEYS, MAX_SET_BYTES, SetProblem, SkippedKey};

use crate::{
    budget::{Bucket, Rate},
    encoding::{parse_json_object, without_mark},
    jwk::{Key, KeyProblem},
    jws::{Algorithm, Header},
    ports::{FetchError, FetchedKeys, KeyFetch, Random},
    rejection::{Reason, quote},
    time::Now,
};

/// How long keys are kept, and how often an issuer is asked.
#[derive(Debug, Clone, Copy)]
pub struct KeyCacheLimits {
    /// A set is fetched again after its `max-age`, but not before this.
    pub shortest_ttl: Duration,
    /// A set is fetched again after its `max-age`, but not after this.
    pub longest_ttl: Duration,
    /// A set without `max-age` is fetched again after this.
    pub default_ttl: Duration,
    /// Keys older than this verify nothing, whatever the issuer's state.
    pub max_age: Duration,
    /// How many questions about unknown key ids may be asked at once.
    pub unknown_burst: u32,
    /// After this, one more question may be asked.
    pub unknown_refill: Duration,
    /// A set that has been here for less than this is what the issuer has, whatever a signature says.
    pub fresh_for: Duration,
    /// How long a key id that the issuer does not have is remembered.
    pub missing_ttl: Duration,
    /// How many such key ids are remembered.
    pub missing_entries: u64,
    /// The longest pause after failures.
    pub longest_backoff: Duration,
    /// The same for an issuer that has never given any keys: until then nobody of it can sign in.
    pub longest_first_backoff: Duration,
}

impl KeyCacheLimits {
    fn unknown_keys(&self) -> Rate {
        Rate {
            burst: self.unknown_burst,
            refill: self.unknown_refill,
        }
    }
}

/// How often a failure that goes on is logged again.
const LOGGED_AGAIN_AFTER: Duration = Duration::from_mins(1);

impl Default for KeyCacheLimits {
    fn default() -> Self {
        Self {
            shortest_ttl: Duration::from_mins(1),
            longest_ttl: Duration::from_mins(15),
            default_ttl: Duration::from_mins(10),
            max_age: Duration::from_hours(24),
            unknown_burst: 6,
            unknown_refill: Duration::from_secs(10),
            fresh_for: Duration::from_secs(10),
            missing_ttl: Duration::from_secs(30),
            missing_entries: 1_024,
            longest_backoff: Duration::from_mins(1),
            longest_first_backoff: Duration::from_secs(5),
        }
    }
}

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAddress {
    /// The address of the JWK set.
    Jwks(Url),
    /// The address of the discovery document (OIDC Discovery §4), which names the address of the
    /// JWK set.
    Discovery(Url),
    /// The address of a map of certificates.
    X509Map(Url),
}

/// Why there is no key for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The token is to blame.
    Refused(Reason),
    /// The issuer cannot be asked now.
    Unavailable {
        message: String,
        retry_after: Duration,
    },
}

/// The state of an issuer's keys, for readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHealth {
    /// How many keys can be used now.
    pub keys: usize,
    /// The keys that cannot, and why.
    pub skipped: Vec<SkippedKey>,
    /// How long ago the set was fetched; absent when it never was, zero for keys from the
    /// configuration.
    pub age: Option<Duration>,
    /// Why the last fetch failed, when it did.
    pub last_error: Option<String>,
}

/// A set and when it came.
struct Current {
    set: KeySet,
    fetched: Option<Fetched>,
    /// Changes with every fetch, so that a waiter sees that another one has asked meanwhile.
    version: u64,
    /// Changes when a key was removed: everything verified before has to be verified again.
    epoch: u64,
}

#[derive(Clone, Copy)]
struct Fetched {
    at: Instant,
    due: Instant,
}

/// State of the fetcher, behind its lock.
#[derive(Default)]
struct Fetching {
    jwks_address: Option<Url>,
    failures: u32,
    not_before: Option<Instant>,
    last_error: Option<String>,
    logged_at: Option<Instant>,
    unknown_keys: Bucket,
}

/// The cached keys of one issuer.
pub(crate) struct KeyCache {
    issuer: String,
    address: Option<KeyAddress>,
    allowed: Vec<Algorithm>,
    limits: KeyCacheLimits,
    fetch: Arc<dyn KeyFetch>,
    random: Arc<dyn Random>,
    current: ArcSwap<Current>,
    fetching: Mutex<Fetching>,
    missing: Cache<String, Instant>,
}

impl KeyCache {
    /// Keys that are fetched from the issuer. Nothing is fetched yet.
    pub(crate) fn fetched(
        issuer: &str,
        address: KeyAddress,
        allowed: &[Algorithm],
        limits: KeyCacheLimits,
        fetch: Arc<dyn KeyFetch>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            issuer: issuer.to_owned(),
            address: Some(address),
            allowed: allowed.to_vec(),
            limits,
            fetch,
            random,
            current: ArcSwap::from_pointee(Current {
                set: KeySet::default(),
                fetched: None,
                version: 0,
                epoch: 0,
            }),
            fetching: Mutex::default(),
            missing: Cache::new(limits.missing_entries),
        }
    }

    /// Keys from the configuration, which never change.
    pub(crate) fn configured(
        issuer: &str,
        set: KeySet,
        limits: KeyCacheLimits,
        fetch: Arc<dyn KeyFetch>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            issuer: issuer.to_owned(),
            address: None,
            allowed: Vec::new(),
            limits,
            fetch,
            random,
            current: ArcSwap::from_pointee(Current {
                set,
                fetched: None,
                version: 0,
                epoch: 0,
            }),
            fetching: Mutex::default(),
            missing: Cache::new(0),
        }
    }

    /// Changes when a key went away.
    pub(crate) fn epoch(&self) -> u64 {
        self.current.load().epoch
    }

    /// The key for a token with this header.
    pub(crate) async fn key(
        &self,
        header: &Header,
        is_id_required: bool,
        now: Now,
    ) -> Result<Arc<Key>, NoKey> {
        let seen = {
            let current = self.current.load();
            match self.find(&current, header, is_id_required, now) {
                Err(Reason::UnknownKey) if self.is_worth_asking(&current, header, now) => {
                    current.version
                }
                known => return known.map_err(NoKey::Refused),
            }
        };
        let mut fetching = self.fetching.lock().await;
        if self.current.load().version == seen {
            fetching.take_question(&self.limits, now)?;
            self.refresh(&mut fetching, now).await?;
        }
        let found = self.find(&self.current.load(), header, is_id_required, now);
        if let (Err(Reason::UnknownKey), Some(key_id)) = (&found, &header.key_id) {
            self.missing.insert(key_id.clone(), now.monotonic);
        }
        found.map_err(NoKey::Refused)
    }

    /// The key that the issuer has by now in the place of one that did not make a token's signature.
    /// `None` where it is still the same.
    ///
    /// Anybody can send a wrong signature, so this asks no more often than about unknown key ids.
    pub(crate) async fn successor(
        &self,
        of: &Key,
        header: &Header,
        is_id_required: bool,
        now: Now,
    ) -> Option<Arc<Key>> {
        let other = |current: &Current| {
            let found = self.find(current, header, is_id_required, now).ok();
            found.filter(|key| !key.is_twin(of))
        };
        let seen = {
            let current = self.current.load();
            let key = other(&current);
            let age = now.monotonic.saturating_duration_since(current.fetched?.at);
            // Somebody else has asked just now.
            if key.is_some() || age < self.limits.fresh_for {
                return key;
            }
            current.version
        };
        let mut fetching = self.fetching.lock().await;
        if self.current.load().version == seen {
            fetching.take_question(&self.limits, now).ok()?;
            self.refresh(&mut fetching, now).await.ok()?;
        }
        other(&self.current.load())
    }

    /// Fetches the keys when they are due, and says when to come back.
    pub(crate) async fn refresh_due(&self, now: Now) -> Option<Duration> {
        self.address.as_ref()?;
        let mut fetching = self.fetching.lock().await;
        let due = self
            .current
            .load()
            .fetched
            .map_or(now.monotonic, |fetched| fetched.due);
        let due = fetching
            .not_before
            .map_or(due, |not_before| due.max(not_before));
        if due <= now.monotonic {
            // A failure starts a pause, which is what comes next.
            let _ = self.refresh(&mut fetching, now).await;
        }
        let due = self
            .current
            .load()
            .fetched
            .map_or(now.monotonic, |fetched| fetched.due);
        let due = fetching
            .not_before
            .map_or(due, |not_before| due.max(not_before));
        Some(
            due.saturating_duration_since(now.monotonic)
                .max(Duration::from_secs(1)),
        )
    }

    /// How the keys are.
    pub(crate) fn health(&self, now: Now) -> KeyHealth {
        // Whoever holds the lock may be waiting for the issuer, and nobody who only asks how the keys are
        // waits for it, too. The keys are looked at after that: they may have come just now.
        let last_error = self
            .fetching
            .try_lock()
            .ok()
            .and_then(|fetching| fetching.last_error.clone());
        let current = self.current.load_full();
        let age = match (&self.address, current.fetched) {
            (None, _) => Some(Duration::ZERO),
            (Some(_), fetched) => {
                fetched.map(|fetched| now.monotonic.saturating_duration_since(fetched.at))
            }
        };
        let keys = if self.is_usable(&current, now) {
            current.set.keys().len()
        } else {
            0
        };
        KeyHealth {
            keys,
            skipped: current.set.skipped().to_vec(),
            age,
            last_error,
        }
    }

    fn is_usable(&self, current: &Current, now: Now) -> bool {
        let is_young = |fetched: Fetched| {
            now.monotonic.saturating_duration_since(fetched.at) <= self.limits.max_age
        };
        self.address.is_none() || current.fetched.is_some_and(is_young)
    }

    fn find(
        &self,
        current: &Current,
        header: &Header,
        is_id_required: bool,
        now: Now,
    ) -> Result<Arc<Key>, Reason> {
        if !self.is_usable(current, now) {
            return Err(Reason::UnknownKey);
        }
        current.set.find(header, is_id_required).cloned()
    }

    /// Whether the issuer could have a key that the set at hand lacks.
    fn is_worth_asking(&self, current: &Current, header: &Header, now: Now) -> bool {
        if self.address.is_none() {
            return false;
        }
        // Without keys, or with keys too old to be used, every key is missing and nothing can be
        // concluded.
        if !self.is_usable(current, now) {
            return true;
        }
        header.key_id.as_ref().is_some_and(|key_id| {
            let asked_at = self.missing.get(key_id);
            asked_at.is_none_or(|at| {
                now.monotonic.saturating_duration_since(at) >= self.limits.missing_ttl
            })
        })
    }

    /// Asks the issuer. A failure leaves the old keys in place and starts a pause.
    async fn refresh(&self, fetching: &mut Fetching, now: Now) -> Result<(), NoKey> {
        match self.fetch_set(fetching, now).await {
            Ok((set, max_age)) => {
                let ttl = max_age
                    .unwrap_or(self.limits.default_ttl)
                    .clamp(self.limits.shortest_ttl, self.limits.longest_ttl);
                self.replace(set, now, self.jittered(ttl));
                if fetching.last_error.is_some() {
                    tracing::info!(issuer = %self.issuer, "the issuer's keys are here again");
                }
                *fetching = Fetching {
                    jwks_address: fetching.jwks_address.take(),
                    unknown_keys: std::mem::take(&mut fetching.unknown_keys),
                    ..Fetching::default()
                };
                Ok(())
            }
            Err(error) => {
                fetching.failures = fetching.failures.saturating_add(1);
                let had_keys = self.current.load().fetched.is_some();
                let longest = if had_keys {
                    self.limits.longest_backoff
                } else {
                    self.limits.longest_first_backoff
                };
                let pause = Duration::from_secs(1 << fetching.failures.min(6)).min(longest);
                // An issuer may ask for patience, but not for so much that its own rotation goes
                // unnoticed.
                let asked = error
                    .retry_after
                    .unwrap_or_default()
                    .min(self.limits.longest_ttl);
                let pause = self.jittered(pause).max(asked);
                fetching.not_before = Some(now.monotonic + pause);
                if fetching.is_news(&error.message, now) {
                    let until_then = if had_keys {
                        "the keys of before are used until then"
                    } else {
                        "until then nobody can sign in with its tokens"
                    };
                    tracing::warn!(
                        "failed to fetch the keys of issuer {}: {}; it is asked again in {} s, and {until_then}",
                        self.issuer,
                        error.message,
                        pause.as_secs().max(1)
                    );
                }
                fetching.last_error = Some(error.message.clone());
                Err(NoKey::Unavailable {
                    message: error.message,
                    retry_after: pause,
                })
            }
        }
    }

    fn replace(&self, set: KeySet, now: Now, ttl: Duration) {
        for skipped in set
            .skipped()
            .iter()
            .filter(|skipped| skipped.problem == KeyProblem::PrivateParts)
        {
            tracing::error!(issuer = %self.issuer, index = skipped.index, "{}", skipped.problem);
        }
        let old = self.current.load();
        // Said once, not with every refresh.
        if !set.skipped().is_empty() && set.skipped() != old.set.skipped() {
            if set.skipped().iter().any(|key| key.problem.is_mistake()) {
                tracing::warn!(issuer = %self.issuer, "keys of the issuer are not used: {}", set.reasons());
            } else {
                tracing::info!(issuer = %self.issuer, "keys of the issuer are not used: {}", set.reasons());
            }
        }
        let epoch = if old.set.is_kept_by(&set) {
            old.epoch
        } else {
            old.epoch + 1
        };
        let fetched = Some(Fetched {
            at: now.monotonic,
            due: now.monotonic + ttl,
        });
        let version = old.version + 1;
        self.current.store(Arc::new(Current {
            set,
            fetched,
            version,
            epoch,
        }));
    }

    async fn fetch_set(
        &self,
        fetching: &mut Fetching,
        now: Now,
    ) -> Result<(KeySet, Option<Duration>), FetchError> {
        let address = match &self.address {
            Some(KeyAddress::Jwks(address) | KeyAddress::X509Map(address)) => address.clone(),
            Some(KeyAddress::Discovery(address)) => self.discover(address, fetching).await?,
            None => return Err(failure("the keys come from the configuration")),
        };
        let FetchedKeys { body, max_age } = self.fetch.fetch(&address).await?;
        let set = match (&self.address, &self.allowed[..]) {
            (Some(KeyAddress::X509Map(_)), [algorithm]) => {
                KeySet::parse_x509_map(&body, *algorithm, now.wall)
            }
            _ => KeySet::parse_published(&self.issuer, &body, &self.allowed),
        };
        let set = set.map_err(|problem| failure(problem.to_string()))?;
        if set.keys().is_empty() {
            let reasons = set.reasons();
            return Err(failure(format!(
                "the key set has no key that can be used ({reasons})"
            )));
        }
        Ok((set, max_age))
    }

    /// Asks for the address of the key set; the last good answer stands in when that fails.
    async fn discover(&self, address: &Url, fetching: &mut Fetching) -> Result<Url, FetchError> {
        let answer = self.fetch.fetch(address).await;
        match answer.and_then(|document| jwks_address(&document.body, &self.issuer, address)) {
            Ok(found) => {
                fetching.jwks_address = Some(found.clone());
                Ok(found)
            }
            Err(error) => fetching.jwks_address.clone().ok_or(error),
        }
    }

    /// 80 to 100 % of a duration, so that nodes which started together do not ask together.
    fn jittered(&self, duration: Duration) -> Duration {
        let mut byte = [0];
        // Without chance there is no jitter, which is no reason to fail.
        let _ = self.random.fill(&mut byte);
        duration.mul_f64(1.0 - f64::from(byte[0]) / 255.0 * 0.2)
    }
}

impl Fetching {
    /// Takes one question about an unknown key from the budget.
    fn take_question(&mut self, limits: &KeyCacheLimits, now: Now) -> Result<(), NoKey> {
        if let Some(wait) = self
            .not_before
            .map(|not_before| not_before.saturating_duration_since(now.monotonic))
            && !wait.is_zero()
        {
            let message = self.last_error.clone().unwrap_or_default();
            return Err(NoKey::Unavailable {
                message,
                retry_after: wait,
            });
        }
        if let Some(retry_after) = self.unknown_keys.wait(limits.unknown_keys(), now.monotonic) {
            let message =
                "too many tokens with unknown keys; the issuer is asked again soon".to_owned();
            return Err(NoKey::Unavailable {
                message,
                retry_after,
            });
        }
        self.unknown_keys.take(limits.unknown_keys(), now.monotonic);
        Ok(())
    }

    /// Whether a failure is worth a line in the log: it is another one than before, or has gone on
    /// for a while.
    fn is_news(&mut self, message: &str, now: Now) -> bool {
        let is_same = self.last_error.as_deref() == Some(message);
        let is_recent = self
            .logged_at
            .is_some_and(|at| now.monotonic.saturating_duration_since(at) < LOGGED_AGAIN_AFTER);
        let is_news = !(is_same && is_recent);
        if is_news {
            self.logged_at = Some(now.monotonic);
        }
        is_news
    }
}

/// The address of the key set in a discovery document, which must be about exactly this issuer
/// (OIDC Discovery §4.3).
///
/// What was asked over TLS names keys over TLS: this machine's own addresses may be plain, and no
/// document may send us there.
fn jwks_address(document: &[u8], issuer: &str, asked_at: &Url) -> Result<Url, FetchError> {
    let members = parse_json_object(without_mark(document))
        .map_err(|_| failure("the discovery document is not a JSON object"))?;
    match members.get("issuer").and_then(|value| value.as_str()) {
        Some(named) if named == issuer => {}
        Some(named) => {
            return Err(failure(format!(
                "the discovery document is about the issuer {}, and {} is configured: they must be equal, a slash at the end \
                 included",
                quote(named),
                quote(issuer)
            )));
        }
        None => return Err(failure("the discovery document names no `issuer`")),
    }
    let address = members
        .get("jwks_uri")
        .and_then(|value| value.as_str())
        .and_then(|text| Url::parse(text).ok())
        .ok_or_else(|| failure("the discovery document has no usable `jwks_uri`"))?;
    if asked_at.scheme() == "https" && address.scheme() != "https" {
        return Err(failure(
            "the discovery document came over https and its `jwks_uri` is not https; if that is right, \
             configure the address as `jwks_uri` instead of `discovery`",
        ));
    }
    Ok(address)
}

fn failure(message: impl Into<String>) -> FetchError {
    FetchError {
        message: message.into(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;
