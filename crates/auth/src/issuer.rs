//! Issuers: who is believed about users, and under which conditions.
//!
//! An [`Issuer`] is one row of the configuration; [`Issuers`] is the checked set, and turns a token
//! into an identity.
//! What a token says about itself never widens what the configuration allows: the issuer's row is
//! chosen by an exact comparison of `iss`, and everything else is checked against that row.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use moka::sync::Cache;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    claims::{Audience, ClaimRule, ClaimRules},
    encoding::{JsonProblem, parse_json_object},
    error::Error,
    foreign::maker_of,
    identity::{Environment, Identity, is_valid_issuer},
    introspection::{IntrospectionRule, OpaqueTokens, is_opaque},
    jwks::{KeyAddress, KeyCache, KeyCacheLimits, KeyHealth, KeySet, NoKey},
    jws::{Algorithm, CompactJws, Header, MAX_TOKEN_BYTES},
    ports::{Digest, KeyFetch, Random, SignOut, TokenIntrospection},
    rejection::{Reason, Rejection, quote},
    session::SessionRule,
    sha256,
    time::{Now, UnixTime},
};

pub mod preset;

/// The longest time by which clocks may differ.
pub const MAX_LEEWAY: Duration = Duration::from_mins(5);
/// How long a verified token is believed without another look at its signature.
const VERIFIED_FOR: Duration = Duration::from_mins(1);
/// How much memory verified tokens may take, in bytes.
const VERIFIED_BYTES: u64 = 64 * 1024 * 1024;

/// Where an issuer's keys come from.
#[derive(Debug)]
pub enum Keys {
    /// The configuration.
    Configured(KeySet),
    /// A JWK set at this address.
    Jwks(Url),
    /// The JWK set that the issuer's discovery document names.
    Discovery,
    /// Certificates at this address: a JSON object from key id to PEM.
    X509Map(Url),
}

/// Which `typ` a token may have in its header. Compared without regard to case and to
/// `application/` (RFC 7515 §4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypRule {
    /// None, or `JWT`: what issuers give to their own front ends.
    AbsentOrJwt,
    /// `at+jwt`: OAuth access tokens (RFC 9068 §2.1).
    AccessToken,
    /// None, `JWT` or `at+jwt`: issuers whose tokens have either, told apart by other claims.
    JwtOrAccessToken,
    /// Exactly this one.
    Exactly(String),
}

impl TypRule {
    pub(crate) fn check(&self, typ: Option<&str>) -> Result<(), Rejection> {
        let is = |expected: &str| typ.is_some_and(|typ| media_type(typ) == media_type(expected));
        let is_plain = typ.is_none() || is("jwt");
        let (is_expected, expected) = match self {
            Self::AbsentOrJwt => (is_plain, "none or JWT (`token_type = \"jwt\"`)"),
            Self::AccessToken => (is(ACCESS_TOKEN), "at+jwt (`token_type = \"at+jwt\"`)"),
            Self::JwtOrAccessToken => (
                is_plain || is(ACCESS_TOKEN),
                "none, JWT or at+jwt (`token_type = \"either\"`)",
            ),
            Self::Exactly(expected) => (is(expected), expected.as_str()),
        };
        if is_expected {
            return Ok(());
        }
        let came = typ.map_or_else(|| "none".to_owned(), quote);
        let advice = match self {
            Self::AbsentOrJwt if is(ACCESS_TOKEN) => {
                "; if the issuer's access tokens are meant, set `token_type = \"either\"` for it"
            }
            Self::AccessToken if is_plain => "; an ID token is not meant for this server",
            _ => "",
        };
        let detail = format!("its `typ` is {came}, expected {expected}{advice}");
        Err(Rejection::new(Reason::WrongType).with_detail(detail))
    }
}

/// The `typ` of OAuth access tokens (RFC 9068 §2.1).
const ACCESS_TOKEN: &str = "at+jwt";

fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/")
        .map(str::to_owned)
        .unwrap_or(typ)
}

/// One issuer as the operator configured it.
#[derive(Debug)]
pub struct Issuer {
    /// What `iss` must be, byte by byte; also the issuer's half of the identity.
    pub issuer: String,
    /// What else `iss` may be: other spellings that the same issuer uses for the same users.
    pub aliases: Vec<String>,
    /// Where the keys come from.
    pub keys: Keys,
    /// Which algorithms the issuer may use.
    pub algorithms: Vec<Algorithm>,
    /// For whom its tokens must be meant.
    pub audience: Audience,
    /// What else its tokens must say.
    pub required_claims: Vec<ClaimRule>,
    /// Which `typ` its tokens may have.
    pub typ: TypRule,
    /// Whether its clients may enter with tokens of their own, which name no person.
    pub are_machines_taken: bool,
    /// The claim that names the user.
    pub subject_claim: String,
    /// By how much the clocks may differ; at most [`MAX_LEEWAY`].
    pub leeway: Duration,
    /// How long ago a token may have been issued, and how long it may live.
    pub max_token_age: Option<Duration>,
    /// Whether a token must name its key.
    pub is_key_id_required: bool,
    /// Which environment its users act in.
    pub environment: Environment,
    /// How its session cookies are checked, if they are accepted.
    pub session: Option<SessionRule>,
    /// Which clients its logout tokens may name; empty when it does not sign users out here.
    pub logout_audience: Vec<String>,
    /// How its opaque tokens are checked, if they are accepted.
    pub introspection: Option<IntrospectionRule>,
}

impl Issuer {
    /// An issuer with the usual rules: `typ` absent or `JWT`, subject in `sub`, 30 s leeway, live
    /// users.
    pub fn new(
        issuer: impl Into<String>,
        keys: Keys,
        algorithms: &[Algorithm],
        audience: Audience,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            aliases: Vec::new(),
            keys,
            algorithms: algorithms.to_vec(),
            audience,
            required_claims: Vec::new(),
            typ: TypRule::AbsentOrJwt,
            are_machines_taken: false,
            subject_claim: "sub".to_owned(),
            leeway: Duration::from_secs(30),
            max_token_age: None,
            is_key_id_required: false,
            environment: Environment::Live,
            session: None,
            logout_audience: Vec::new(),
            introspection: None,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |problem: &str| Err(ConfigError::new(&self.issuer, problem));
        if !is_valid_issuer(&self.issuer) || !self.aliases.iter().all(|name| is_valid_issuer(name))
        {
            return refuse("`issuer` must have 1 to 512 bytes without spaces");
        }
        if self.algorithms.is_empty() {
            return refuse("`algorithms` is empty; name those that the issuer signs with");
        }
        let symmetric = self
            .algorithms
            .iter()
            .filter(|algorithm| algorithm.is_symmetric())
            .count();
        if symmetric != 0 && symmetric != self.algorithms.len() {
            return refuse(
                "`algorithms` mixes shared secrets (HS…) with public keys; an issuer uses one or the other",
            );
        }
        if self.audience.claim.is_empty()
            || self.audience.any_of.is_empty()
            || self.audience.any_of.contains(&String::new())
        {
            return refuse(
                "`audience` is empty; name whom the tokens are meant for, because others' tokens would pass",
            );
        }
        if self.subject_claim.is_empty() {
            return refuse("`subject_claim` is empty; the usual one is `sub`");
        }
        if self.leeway > MAX_LEEWAY {
            return refuse("`leeway` is longer than 300 s");
        }
        if let Some(rule) = &self.introspection {
            rule.check()
                .map_err(|problem| ConfigError::new(&self.issuer, problem))?;
        }
        match &self.keys {
            Keys::Configured(set) if set.keys().is_empty() => refuse("there is no usable key"),
            Keys::Configured(set)
                if set
                    .keys()
                    .iter()
                    .any(|key| !self.algorithms.contains(&key.algorithm())) =>
            {
                refuse("a key is for an algorithm that is not in `algorithms`")
            }
            Keys::X509Map(_) if self.algorithms.len() != 1 => {
                refuse("certificates name no algorithm, so `algorithms` must name exactly one")
            }
            Keys::Jwks(_) | Keys::Discovery | Keys::X509Map(_) if symmetric != 0 => {
                refuse("shared secrets (HS…) come from the configuration, never from an address")
            }
            _ => Ok(()),
        }
    }

    /// Where the keys are fetched from, if they are.
    pub fn key_address(&self) -> Result<Option<Url>, ConfigError> {
        Ok(match &self.keys {
            Keys::Configured(_) => None,
            Keys::Jwks(address) | Keys::X509Map(address) => Some(address.clone()),
            Keys::Discovery => Some(self.discovery_address()?),
        })
    }

    fn discovery_address(&self) -> Result<Url, ConfigError> {
        let address = format!(
            "{}/.well-known/openid-configuration",
            self.issuer.trim_end_matches('/')
        );
        Url::parse(&address)
            .map_err(|_| ConfigError::new(&self.issuer, "an issuer with discovery must be a URL"))
    }
}

/// An issuer that cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("issuer {issuer}: {problem}")]
pub struct ConfigError {
    issuer: String,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(issuer: &str, problem: &str) -> Self {
        Self {
            issuer: quote(issuer),
            problem: problem.to_owned(),
        }
    }
}

/// An issuer that passed its checks, with its keys.
pub(crate) struct CheckedIssuer {
    pub(crate) rules: Issuer,
    pub(crate) keys: KeyCache,
}

impl CheckedIssuer {
    pub(crate) fn claim_rules(&self, header: &Header) -> ClaimRules<'_> {
        let typ = header.typ.as_deref();
        ClaimRules {
            audience: &self.rules.audience,
            required: &self.rules.required_claims,
            is_access_token: typ.is_some_and(|typ| media_type(typ) == ACCESS_TOKEN),
            are_machines_taken: self.rules.are_machines_taken,
            subject_claim: &self.rules.subject_claim,
            leeway: self.rules.leeway,
            max_token_age: self.rules.max_token_age,
        }
    }

    pub(crate) fn check_header(&self, header: &Header) -> Result<(), Rejection> {
        if !self.rules.algorithms.contains(&header.algorithm) {
            return Err(Reason::AlgorithmNotAllowed.into());
        }
        self.rules.typ.check(header.typ.as_deref())
    }
}

/// A token that passed, until it has to be looked at again.
#[derive(Clone)]
struct Verified {
    identity: Arc<Identity>,
    issuer: Arc<CheckedIssuer>,
    epoch: u64,
    at: Instant,
    /// How much memory it takes, in bytes.
    weight: u32,
}

impl Verified {
    fn is_good(&self, now: Now) -> bool {
        now.wall < self.identity.expires_at()
            && now.monotonic.saturating_duration_since(self.at) < VERIFIED_FOR
            && self.issuer.keys.epoch() == self.epoch
    }
}

/// Every issuer that is believed.
pub struct Issuers {
    by_name: HashMap<String, Arc<CheckedIssuer>>,
    by_alias: HashMap<String, Arc<CheckedIssuer>>,
    verified: Cache<Digest, Verified>,
    opaque: Option<OpaqueTokens>,
}

impl fmt::Debug for Issuers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Issuers")
            .field("by_name", &self.by_name.keys())
            .finish_non_exhaustive()
    }
}

impl Issuers {
    /// Checks the rows. Fetches nothing, so that an issuer which is down does not keep the server
    /// from starting.
    pub fn new(
        issuers: Vec<Issuer>,
        limits: KeyCacheLimits,
        fetch: &Arc<dyn KeyFetch>,
        random: &Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        let mut by_name: HashMap<String, Arc<CheckedIssuer>> = HashMap::new();
        let mut by_alias: HashMap<String, Arc<CheckedIssuer>> = HashMap::new();
        for mut rules in issuers {
            rules.check()?;
            let name = rules.issuer.clone();
            let (fetch, random) = (Arc::clone(fetch), Arc::clone(random));
            // The set moves into the cache; what stays in the row is only where it came from.
            let address = match std::mem::replace(&mut rules.keys, Keys::Discovery) {
                Keys::Configured(set) => Err(set),
                Keys::Jwks(address) => Ok(KeyAddress::Jwks(address)),
                Keys::X509Map(address) => Ok(KeyAddress::X509Map(address)),
                Keys::Discovery => Ok(KeyAddress::Discovery(rules.discovery_address()?)),
            };
            let keys = match address {
                Ok(address) => {
                    KeyCache::fetched(&name, address, &rules.algorithms, limits, fetch, random)
                }
                Err(set) => KeyCache::configured(&name, set, limits, fetch, random),
            };
            let aliases = rules.aliases.clone();
            let issuer = Arc::new(CheckedIssuer { rules, keys });
            for alias in aliases {
                by_alias.insert(alias, Arc::clone(&issuer));
            }
            if by_name.insert(name.clone(), issuer).is_some() {
                return Err(ConfigError::new(&name, "it is configured twice"));
            }
        }
        let verified = Cache::builder()
            .max_capacity(VERIFIED_BYTES)
            .weigher(|_: &Digest, verified: &Verified| verified.weight)
            .build();
        if let Some(name) = by_alias.keys().find(|name| by_name.contains_key(*name)) {
            return Err(ConfigError::new(name, "it is configured twice"));
        }
        Ok(Self {
            by_name,
            by_alias,
            verified,
            opaque: None,
        })
    }

    /// Also takes opaque tokens, of those issuers that have an introspection rule.
    pub fn with_introspection(
        mut self,
        port: Arc<dyn TokenIntrospection>,
    ) -> Result<Self, ConfigError> {
        let rules = self
            .by_name
            .values()
            .filter(|issuer| issuer.rules.introspection.is_some());
        self.opaque = OpaqueTokens::new(rules.cloned().collect(), port)?;
        Ok(self)
    }

    /// Who a token speaks for, where this machine itself wants to know.
    pub async fn authenticate(&self, token: &str, now: Now) -> Result<Arc<Identity>, Error> {
        self.authenticate_for(None, token, now).await
    }

    /// Who a token speaks for. `client` is the address that brought it, by which limits go: an IPv6
    /// address stands for its /64. A token that was verified within the last minute costs one hash
    /// and one look-up.
    pub async fn authenticate_for(
        &self,
        client: Option<IpAddr>,
        token: &str,
        now: Now,
    ) -> Result<Arc<Identity>, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TooLarge.into());
        }
        let digest = sha256(token.as_bytes());
        if let Some(verified) = self.verified.get(&digest)
            && verified.is_good(now)
        {
            return Ok(verified.identity);
        }
        if let Some(maker) = maker_of(token).filter(|_| is_opaque(token)) {
            let rejection = Rejection::new(Reason::ForeignKey)
                .with_detail(format!("it begins like a key of {maker}"));
            return Err(rejection.with_token(&digest, None, None).into());
        }
        if let Some(opaque) = self.opaque_for(token) {
            // Boxed: this future is rare, and three times the size of the usual one.
            return Box::pin(opaque.authenticate(client, token, digest, now)).await;
        }
        let verified = self.verify(token, &digest, now).await?;
        let identity = Arc::clone(&verified.identity);
        // Only what passed is kept: forged tokens cannot push anything out.
        self.verified.insert(digest, verified);
        Ok(identity)
    }

    async fn verify(&self, token: &str, digest: &Digest, now: Now) -> Result<Verified, Error> {
        let token_only = |reason: Reason| Rejection::new(reason).with_token(digest, None, None);
        let jws = CompactJws::parse(token).map_err(token_only)?;
        let claims = parse_claims(jws.payload()).map_err(token_only)?;
        let key_id = jws.header().key_id.as_deref();
        let issuer = self.choose(&claims).map_err(|rejection| {
            rejection.with_token(digest, key_id, claims.get("iss").and_then(Value::as_str))
        })?;
        let refuse =
            |rejection: Rejection| rejection.with_token(digest, key_id, Some(&issuer.rules.issuer));
        // Cheap checks first: finding the key and checking the signature cost the most.
        issuer.check_header(jws.header()).map_err(refuse)?;
        let accepted = issuer
            .claim_rules(jws.header())
            .check(&claims, now.wall)
            .map_err(refuse)?;
        let (subject, expires_at) = (accepted.subject.to_owned(), accepted.expires_at);
        let epoch = issuer.keys.epoch();
        issuer.verify_signature(&jws, now, refuse).await?;
        let identity = issuer.identity(subject, claims, expires_at)?;
        // Parsed claims take a few times the memory of their text.
        let weight = u32::try_from(token.len() * 4 + 1024).unwrap_or(u32::MAX);
        Ok(Verified {
            identity: Arc::new(identity),
            issuer: Arc::clone(issuer),
            epoch,
            at: now.monotonic,
            weight,
        })
    }

    /// Forgets what an issuer said about somebody who has signed out, so that it is asked again. A JWT
    /// stands by itself: there is nobody to ask, and it stays good until it expires.
    pub(crate) fn forget(&self, sign_out: &SignOut) {
        if let Some(opaque) = &self.opaque {
            opaque.forget(sign_out);
        }
    }

    /// Who is asked about a token that is not a JWT. JWTs are never sent anywhere: what cannot be
    /// verified here may be another issuer's.
    pub(crate) fn opaque_for(&self, token: &str) -> Option<&OpaqueTokens> {
        let opaque = self.opaque.as_ref()?;
        (is_opaque(token) && opaque.issuer_of(token).is_some()).then_some(opaque)
    }

    /// The row for these claims: an exact match of `iss`, before anything else is believed.
    pub(crate) fn choose(
        &self,
        claims: &Map<String, Value>,
    ) -> Result<&Arc<CheckedIssuer>, Rejection> {
        let name = claims
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(Reason::MissingIssuer)?;
        let issuer = self.by_name.get(name).or_else(|| self.by_alias.get(name));
        issuer.ok_or_else(|| {
            let mut known: Vec<_> = self.by_name.keys().map(|known| quote(known)).collect();
            known.sort_unstable();
            known.truncate(5);
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            Rejection::new(Reason::UnknownIssuer)
                .with_detail(format!("`iss` is {}, configured: {known}", quote(name)))
        })
    }

    /// The names of all issuers, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The session rules of all issuers that accept cookies, by the issuer's name.
    pub(crate) fn with_sessions(&self) -> Vec<(&Issuer, &SessionRule)> {
        let rules = self.by_name.values().map(|issuer| &issuer.rules);
        let mut all: Vec<_> = rules
            .filter_map(|rules| Some((rules, rules.session.as_ref()?)))
            .collect();
        all.sort_unstable_by(|one, other| one.0.issuer.cmp(&other.0.issuer));
        all
    }

    /// Fetches the keys that are due and says when to call again. The server calls this in a loop
    /// of its own, so that no request waits for a refresh; without the loop, keys stay until their
    /// age limit.
    pub async fn refresh_due(&self, now: Now) -> Duration {
        // At once, so that an issuer which does not answer keeps no other waiting.
        let issuers = self.by_name.values();
        let due = join_all(issuers.map(|issuer| issuer.keys.refresh_due(now))).await;
        let longest = Duration::from_hours(1);
        due.into_iter().flatten().fold(longest, Duration::min)
    }

    /// Asks each issuer that has opaque tokens about one that nobody has ever made, by name: whether
    /// it can be asked at all.
    pub async fn introspection_health(&self, now: Now) -> Vec<(String, Result<(), Error>)> {
        match &self.opaque {
            Some(opaque) => opaque.health(now).await,
            None => Vec::new(),
        }
    }

    /// How the keys of each issuer are, by name. Asks and waits for nobody.
    pub fn health(&self, now: Now) -> Vec<(String, KeyHealth)> {
        let mut all = Vec::with_capacity(self.by_name.len());
        for (name, issuer) in &self.by_name {
            all.push((name.clone(), issuer.keys.health(now)));
        }
        all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        all
    }
}

impl CheckedIssuer {
    /// Whether a text is how this issuer calls itself.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.rules.issuer == name || self.rules.aliases.iter().any(|alias| alias == name)
    }

    /// Finds the key for a token and checks the signature with it.
    pub(crate) async fn verify_signature(
        &self,
        jws: &CompactJws<'_>,
        now: Now,
        refuse: impl Fn(Rejection) -> Rejection,
    ) -> Result<(), Error> {
        let (header, is_id_required) = (jws.header(), self.rules.is_key_id_required);
        let key = self.keys.key(header, is_id_required, now).await;
        let key = key.map_err(|problem| match problem {
            NoKey::Refused(reason) => Error::from(refuse(reason.into())),
            NoKey::Unavailable {
                message,
                retry_after,
            } => Error::Unavailable {
                message: format!("no keys of issuer {}: {message}", self.rules.issuer),
                retry_after,
            },
        })?;
        let mut outcome = jws.verify(&key);
        if outcome == Err(Reason::BadSignature) {
            // Boxed: this future is rare.
            let successor = Box::pin(self.keys.successor(&key, header, is_id_required, now)).await;
            if let Some(key) = successor {
                outcome = jws.verify(&key);
            }
        }
        Ok(outcome.map_err(|reason| refuse(reason.into()))?)
    }

    pub(crate) fn identity(
        &self,
        subject: String,
        claims: Map<String, Value>,
        expires_at: UnixTime,
    ) -> Result<Identity, Reason> {
        let rules = &self.rules;
        Identity::new(
            rules.issuer.clone(),
            subject,
            Arc::new(claims),
            rules.environment,
            expires_at,
        )
        .map_err(|_| Reason::BadSubject)
    }
}

pub(crate) fn parse_claims(payload: &[u8]) -> Result<Map<String, Value>, Reason> {
    parse_json_object(payload).map_err(|problem| match problem {
        JsonProblem::Malformed => Reason::MalformedClaims,
        JsonProblem::Duplicate => Reason::DuplicateMember,
    })
}

#[cfg(test)]
mod tests;
