//! A set of keys by name (RFC 7517 §5), read so that one bad key does no harm to the others.

use std::{collections::HashMap, fmt, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    encoding::{parse_json_object, without_mark},
    jwk::{Key, KeyProblem, KeySource},
    jws::{Algorithm, Header, MAX_KEY_ID_BYTES},
    rejection::Reason,
};

/// The most keys that a set may have.
pub const MAX_KEYS: usize = 100;
/// The longest key set that is read, in bytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;
/// How many skipped keys a line of the log tells about.
const TOLD_KEYS: usize = 5;

/// A key of a set that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Its name, when it has a readable one.
    pub key_id: Option<String>,
    /// Why it is not used.
    pub problem: KeyProblem,
}

/// As a log names it; its name comes from elsewhere and is quoted.
impl fmt::Display for SkippedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key_id {
            Some(key_id) => write!(formatter, "key {key_id:?}: {}", self.problem),
            None => write!(
                formatter,
                "key {} of the set: {}",
                self.index + 1,
                self.problem
            ),
        }
    }
}

/// A key set that cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetProblem {
    /// The document is longer than 256 KiB.
    #[error("the key set is longer than {MAX_SET_BYTES} bytes")]
    TooLarge,
    /// The document is not a JSON object with one list called `keys`.
    #[error("the key set is not a JSON object with a list called `keys`")]
    Malformed,
    /// The list has more than 100 keys.
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooMany,
    /// The configuration puts secrets and public keys into one set.
    #[error("the key set mixes shared secrets and public keys; an issuer uses one or the other")]
    Mixed,
    /// The list is empty: no issuer means that.
    #[error("the key set is empty")]
    Empty,
}

/// Keys by name, ready for use.
#[derive(Debug, Default)]
pub struct KeySet {
    by_id: HashMap<String, Vec<Arc<Key>>>,
    keys: Vec<Arc<Key>>,
    pub(super) skipped: Vec<SkippedKey>,
}

#[derive(Deserialize)]
struct RawSet<'body> {
    #[serde(borrow)]
    keys: Vec<&'body RawValue>,
}

impl KeySet {
    /// A set of keys from the configuration.
    pub fn from_keys(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut set = Self::default();
        keys.into_iter().for_each(|key| set.insert(key));
        set
    }

    /// Reads a JWK set (RFC 7517 §5), or a single JWK when the source is the configuration.
    ///
    /// Keys that cannot be used are set aside with the reason, and do no harm to the others.
    pub fn parse(
        body: &[u8],
        allowed: &[Algorithm],
        source: KeySource,
    ) -> Result<Self, SetProblem> {
        Self::parse_for(None, body, allowed, source)
    }

    /// Reads the JWK set of one issuer: a key that says whose it is (the member `issuer`, which
    /// Entra ID's keys have) is used for no other. `{tenantid}` in it stands for any one tenant.
    pub(crate) fn parse_published(
        issuer: &str,
        body: &[u8],
        allowed: &[Algorithm],
    ) -> Result<Self, SetProblem> {
        Self::parse_for(Some(issuer), body, allowed, KeySource::Fetched)
    }

    fn parse_for(
        issuer: Option<&str>,
        body: &[u8],
        allowed: &[Algorithm],
        source: KeySource,
    ) -> Result<Self, SetProblem> {
        if body.len() > MAX_SET_BYTES {
            return Err(SetProblem::TooLarge);
        }
        let body = without_mark(body);
        let mut set = Self::default();
        match serde_json::from_slice::<RawSet<'_>>(body) {
            Ok(raw) if raw.keys.is_empty() => return Err(SetProblem::Empty),
            Ok(raw) if raw.keys.len() > MAX_KEYS => return Err(SetProblem::TooMany),
            Ok(raw) => {
                let mut has = [false; 2];
                for (index, text) in raw.keys.into_iter().enumerate() {
                    let text = text.get().as_bytes();
                    let is_secret = set.read(index, text, issuer, allowed, source);
                    has[usize::from(is_secret)] = true;
                }
                if source == KeySource::Configured && has == [true; 2] {
                    return Err(SetProblem::Mixed);
                }
            }
            Err(_) => match parse_json_object(body) {
                Ok(members) if source == KeySource::Configured && members.contains_key("kty") => {
                    set.read(0, body, issuer, allowed, source);
                }
                _ => return Err(SetProblem::Malformed),
            },
        }
        Ok(set)
    }

    /// Takes one key in, or sets it aside. Whether it is a shared secret.
    fn read(
        &mut self,
        index: usize,
        text: &[u8],
        issuer: Option<&str>,
        allowed: &[Algorithm],
        source: KeySource,
    ) -> bool {
        let members = parse_json_object(text);
        let member = |name: &str| members.as_ref().ok()?.get(name)?.as_str();
        let is_secret = member("kty") == Some("oct");
        let key_id = member("kid").map(|kid| kid.chars().take(MAX_KEY_ID_BYTES).collect());
        let key = members.as_ref().map_err(|_| KeyProblem::Malformed);
        let key = key.and_then(|jwk| {
            if let (Some(issuer), Some(named)) = (issuer, jwk.get("issuer"))
                && !named.as_str().is_some_and(|named| is_issuer(named, issuer))
            {
                return Err(KeyProblem::OtherIssuer);
            }
            Key::from_jwk(jwk, allowed, source)
        });
        match key {
            Ok(key) => self.insert(key),
            Err(problem) => self.skipped.push(SkippedKey {
                index,
                key_id,
                problem,
            }),
        }
        is_secret
    }

    pub(super) fn insert(&mut self, key: Key) {
        let key = Arc::new(key);
        if let Some(key_id) = key.id() {
            self.by_id
                .entry(key_id.to_owned())
                .or_default()
                .push(Arc::clone(&key));
        }
        self.keys.push(key);
    }

    /// The keys that can be used.
    pub fn keys(&self) -> &[Arc<Key>] {
        &self.keys
    }

    /// The keys that cannot be used.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Why keys of this set are not used, for one line of a log.
    pub(super) fn reasons(&self) -> String {
        let told = self.skipped.iter().take(TOLD_KEYS).map(ToString::to_string);
        let more = self.skipped.len().saturating_sub(TOLD_KEYS);
        let more = (more > 0).then(|| format!("and {more} more"));
        told.chain(more).collect::<Vec<_>>().join("; ")
    }

    /// The one key that a token with this header must be signed with.
    ///
    /// A token without `kid` gets a key only when exactly one fits its algorithm, and never where
    /// `kid` is demanded. Twins, which some issuers publish, are one key; of different keys under one
    /// name none is taken.
    pub fn find(&self, header: &Header, is_key_id_required: bool) -> Result<&Arc<Key>, Reason> {
        let (candidates, none) = match &header.key_id {
            Some(key_id) => (
                self.by_id.get(key_id).ok_or(Reason::UnknownKey)?,
                Reason::KeyMismatch,
            ),
            None if is_key_id_required => return Err(Reason::MissingKeyId),
            None => (&self.keys, Reason::UnknownKey),
        };
        // A broken key of that name may be the one that is meant.
        let is_shadowed = |skipped: &SkippedKey| {
            skipped.problem == KeyProblem::BadParts && skipped.key_id == header.key_id
        };
        if header.key_id.is_some() && self.skipped.iter().any(is_shadowed) {
            return Err(Reason::AmbiguousKey);
        }
        let mut fitting = candidates
            .iter()
            .filter(|key| key.algorithm() == header.algorithm);
        let key = fitting.next().ok_or(none)?;
        if fitting.all(|other| other.is_twin(key)) {
            Ok(key)
        } else {
            Err(Reason::AmbiguousKey)
        }
    }

    /// Whether every key of this set is still in `next`.
    pub(super) fn is_kept_by(&self, next: &Self) -> bool {
        self.keys
            .iter()
            .all(|key| next.keys.iter().any(|other| key.is_same(other)))
    }
}

/// Whether a key's `issuer` member means this issuer.
fn is_issuer(named: &str, issuer: &str) -> bool {
    let Some((before, after)) = named.split_once("{tenantid}") else {
        return named == issuer;
    };
    issuer
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
}
