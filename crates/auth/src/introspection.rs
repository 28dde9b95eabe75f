//! Opaque access tokens: their issuer is asked what they are worth (RFC 7662).
//!
//! A token goes to the issuer that its prefix names and to nobody else: whoever is asked about a
//! token could use it. JWTs, this server's own credentials and keys of known other makers are never
//! sent, and what has no prefix only where the operator says so.
//! Answers are cached briefly, refusals more briefly, and concurrent requests with one token share a
//! single question.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::future::Cache;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    budget::{Busy, Questions},
    claims::{Audience, ClaimRules},
    encoding::parse_json_object,
    error::Error,
    foreign::maker_of,
    identity::Identity,
    issuer::{CheckedIssuer, ConfigError},
    ports::{ClientAuthMethod, Digest, Introspection, LookupError, SignOut, TokenIntrospection},
    rejection::{Reason, Rejection, quote},
    sha256,
    sign_outs::SignOuts,
    time::{Now, UnixTime},
};

/// The longest time that an answer may be believed.
pub const MAX_BELIEVED_FOR: Duration = Duration::from_mins(5);
/// How long a token that was refused is refused without asking again.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// How many questions may be asked at once.
const MAX_QUESTIONS: usize = 32;
/// How many requests may wait for their question, the running ones included. More than that is
/// answered with 503, so that a flood of made-up tokens neither piles up here nor hits the issuer.
const MAX_WAITING: usize = 512;
/// How much memory answers may take, in bytes.
const ANSWER_BYTES: u64 = 32 * 1024 * 1024;

/// Which texts may be an issuer's opaque tokens, and are shown to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpaqueShape {
    /// Those that begin with this.
    Prefix(String),
    /// All that are no JWT and no key of a known other maker. One issuer alone can have this.
    Any,
}

impl OpaqueShape {
    fn prefix(&self) -> &str {
        match self {
            Self::Prefix(prefix) => prefix,
            Self::Any => "",
        }
    }
}

/// How an issuer's opaque tokens are checked.
#[derive(Debug)]
pub struct IntrospectionRule {
    /// The issuer's introspection endpoint.
    pub address: Url,
    /// Who asks.
    pub client_id: String,
    /// The secret of who asks.
    pub client_secret: SecretString,
    /// Where the issuer expects the two.
    pub auth_method: ClientAuthMethod,
    /// For whom the tokens must be meant; opaque tokens often name their client only.
    pub audience: Audience,
    /// Which tokens it is asked about.
    pub shape: OpaqueShape,
    /// How long an answer is believed; revocation takes that long to be seen here.
    pub believed_for: Duration,
}

impl IntrospectionRule {
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.audience.claim.is_empty()
            || self.audience.any_of.is_empty()
            || self.audience.any_of.contains(&String::new())
        {
            return Err(
                "introspection has no audience; name whom the tokens are meant for, because others' tokens would pass",
            );
        }
        if self.client_id.is_empty() {
            return Err("introspection needs the id of a client of the issuer");
        }
        if let OpaqueShape::Prefix(prefix) = &self.shape {
            if prefix.is_empty() {
                return Err("the prefix of its opaque tokens is empty");
            }
            if maker_of(prefix).is_some() {
                return Err(
                    "the prefix of its opaque tokens is what keys of another service begin with, and those are \
                     shown to no issuer",
                );
            }
        }
        if self.believed_for > MAX_BELIEVED_FOR {
            return Err("an introspection's answer is believed for 300 s at most");
        }
        Ok(())
    }
}

/// Whether a text can be an opaque token. Two dots make a JWT and four an encrypted one; both are
/// judged by what they are, and never sent to anybody.
pub(crate) fn is_opaque(token: &str) -> bool {
    !token.starts_with('{') && !matches!(token.matches('.').count(), 2 | 4)
}

/// What an issuer said about a token, and when.
#[derive(Clone)]
struct Answer {
    outcome: Result<Arc<Identity>, Box<Rejection>>,
    believed_for: Duration,
    at: Instant,
    /// How many sign-outs had come when it was asked for.
    sign_outs: u64,
    weight: u32,
}

impl Answer {
    fn is_good(&self, now: Now) -> bool {
        let is_fresh = now.monotonic.saturating_duration_since(self.at) < self.believed_for;
        let is_alive = |identity: &Arc<Identity>| now.wall < identity.expires_at();
        is_fresh && self.outcome.as_ref().map_or(true, is_alive)
    }
}

/// Why there is no answer.
#[derive(Clone)]
struct NoAnswer {
    message: String,
    retry_after: Duration,
}

impl From<Busy> for NoAnswer {
    fn from(busy: Busy) -> Self {
        Self {
            message: busy.message.to_owned(),
            retry_after: busy.retry_after,
        }
    }
}

/// Turns opaque tokens into identities.
pub(crate) struct OpaqueTokens {
    issuers: Vec<Arc<CheckedIssuer>>,
    port: Arc<dyn TokenIntrospection>,
    answers: Cache<Digest, Answer>,
    sign_outs: SignOuts,
    questions: Questions,
}

impl fmt::Debug for OpaqueTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpaqueTokens")
            .finish_non_exhaustive()
    }
}

impl OpaqueTokens {
    /// `None` when no issuer has opaque tokens.
    pub(crate) fn new(
        mut issuers: Vec<Arc<CheckedIssuer>>,
        port: Arc<dyn TokenIntrospection>,
    ) -> Result<Option<Self>, ConfigError> {
        // The longest prefix first: it says the most. Equal ones stand side by side.
        issuers.sort_by(|one, other| {
            let (one, other) = (prefix(one), prefix(other));
            (other.len(), one).cmp(&(one.len(), other))
        });
        for pair in issuers.windows(2) {
            if prefix(&pair[0]) == prefix(&pair[1]) {
                return Err(ConfigError::new(
                    &pair[1].rules.issuer,
                    "two issuers have opaque tokens; give each an `opaque_token_prefix` of its own, \
                     so that no issuer is asked about another one's token",
                ));
            }
        }
        if issuers.is_empty() {
            return Ok(None);
        }
        let answers = Cache::builder()
            .max_capacity(ANSWER_BYTES)
            .weigher(|_: &Digest, answer: &Answer| answer.weight)
            .build();
        Ok(Some(Self {
            issuers,
            port,
            answers,
            sign_outs: SignOuts::default(),
            questions: Questions::new(MAX_QUESTIONS, MAX_WAITING),
        }))
    }

    pub(crate) async fn authenticate(
        &self,
        client: Option<IpAddr>,
        token: &str,
        digest: Digest,
        now: Now,
    ) -> Result<Arc<Identity>, Error> {
        let issuer = self.issuer_of(token).ok_or(Reason::NotCompact)?;
        let sign_outs = self.sign_outs.count();
        let mut was_good = false;
        loop {
            if let Some(answer) = self.answers.get(&digest).await {
                if answer.is_good(now) && !self.is_from_before(&answer, sign_outs) {
                    return answer.outcome.map_err(Error::Invalid);
                }
                was_good = answer.outcome.is_ok();
                self.answers.invalidate(&digest).await;
            }
            let question = self.ask(issuer, client, token, &digest, was_good, now);
            let answer = self.answers.try_get_with(digest, question).await;
            let answer = answer.map_err(|problem| Error::Unavailable {
                message: format!(
                    "no answer about an opaque token from issuer {}: {}",
                    issuer.rules.issuer, problem.message
                ),
                retry_after: problem.retry_after,
            })?;
            // Somebody else's question may be from before; the next one is not.
            if !self.is_from_before(&answer, sign_outs) {
                return answer.outcome.map_err(Error::Invalid);
            }
        }
    }

    /// Whether an answer was asked for before its person signed out, as far as so many sign-outs tell.
    fn is_from_before(&self, answer: &Answer, sign_outs: u64) -> bool {
        let is_out = |identity| self.sign_outs.have(identity, answer.sign_outs, sign_outs);
        answer
            .outcome
            .as_ref()
            .is_ok_and(|identity| is_out(identity))
    }

    /// The issuer whose prefix the token has.
    pub(crate) fn issuer_of(&self, token: &str) -> Option<&Arc<CheckedIssuer>> {
        self.issuers
            .iter()
            .find(|issuer| token.starts_with(prefix(issuer)))
    }

    /// Whether each issuer answers, by its name.
    pub(crate) async fn health(&self, now: Now) -> Vec<(String, Result<(), Error>)> {
        let mut all = Vec::with_capacity(self.issuers.len());
        for issuer in &self.issuers {
            let token = format!("{}vestibule-asks-whether-you-are-there", prefix(issuer));
            let digest = sha256(token.as_bytes());
            let answer = match self.authenticate(None, &token, digest, now).await {
                Err(Error::Invalid(_)) | Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            all.push((issuer.rules.issuer.clone(), answer));
        }
        all
    }

    /// Forgets what was said about the tokens of somebody who has signed out, and what is being said.
    pub(crate) fn forget(&self, sign_out: &SignOut) {
        self.sign_outs.add(sign_out.clone());
    }

    async fn ask(
        &self,
        issuer: &CheckedIssuer,
        client: Option<IpAddr>,
        token: &str,
        digest: &Digest,
        was_good: bool,
        now: Now,
    ) -> Result<Answer, NoAnswer> {
        let unavailable = |message: String, retry_after: Option<Duration>| NoAnswer {
            message,
            retry_after: retry_after.unwrap_or(Duration::from_secs(1)),
        };
        let Some(rule) = &issuer.rules.introspection else {
            return Err(unavailable("it has no introspection".to_owned(), None));
        };
        let place = self
            .questions
            .place(client, was_good, now.monotonic)
            .await?;
        let sign_outs = self.sign_outs.count();
        let question = Introspection {
            address: &rule.address,
            client_id: &rule.client_id,
            client_secret: &rule.client_secret,
            auth_method: rule.auth_method,
            token,
        };
        let body = self
            .port
            .introspect(question)
            .await
            .map_err(|error| match error {
                LookupError::Refused => unavailable(
                    "it does not take our client id and secret for introspection".to_owned(),
                    None,
                ),
                LookupError::Unavailable {
                    message,
                    retry_after,
                } => unavailable(message, retry_after),
            })?;
        let Ok(members) = parse_json_object(&body) else {
            return Err(unavailable(
                "it did not answer with a JSON object".to_owned(),
                None,
            ));
        };
        let outcome = read_answer(members, issuer, rule, now.wall)
            .map(Arc::new)
            .map_err(|rejection| {
                Box::new(rejection.with_token(digest, None, Some(&issuer.rules.issuer)))
            });
        if outcome.is_err() {
            place.was_in_vain(now.monotonic);
        }
        Ok(Answer {
            believed_for: if outcome.is_ok() {
                rule.believed_for
            } else {
                REFUSED_FOR
            },
            outcome,
            at: now.monotonic,
            sign_outs,
            weight: u32::try_from(body.len() * 4 + 1024).unwrap_or(u32::MAX),
        })
    }
}

fn prefix(issuer: &CheckedIssuer) -> &str {
    let rule = issuer.rules.introspection.as_ref();
    rule.map_or("", |rule| rule.shape.prefix())
}

/// Reads an answer (RFC 7662 §2.2) by the same rules as the claims of a token.
fn read_answer(
    answer: Map<String, Value>,
    issuer: &CheckedIssuer,
    rule: &IntrospectionRule,
    now: UnixTime,
) -> Result<Identity, Rejection> {
    if answer.get("active") != Some(&Value::Bool(true)) {
        return Err(Reason::Inactive.into());
    }
    let refuse = |text: String| Err(Rejection::new(Reason::WrongClaim).with_detail(text));
    if let Some(name) = answer.get("iss")
        && !name.as_str().is_some_and(|name| issuer.is_named(name))
    {
        return refuse(format!(
            "the answer about the token names the issuer {name}"
        ));
    }
    // Servers that answer for refresh tokens, too, say here which kind this is.
    if let Some(kind) = answer.get("token_type") {
        let is_bearer = |kind: &str| {
            kind.eq_ignore_ascii_case("bearer") || kind.eq_ignore_ascii_case("access_token")
        };
        if !kind.as_str().is_some_and(is_bearer) {
            let kind = quote(kind.as_str().unwrap_or_default());
            return refuse(format!("the token is of the type {kind}, not Bearer"));
        }
    }
    let rules = ClaimRules {
        audience: &rule.audience,
        required: &issuer.rules.required_claims,
        is_access_token: false,
        are_machines_taken: issuer.rules.are_machines_taken,
        subject_claim: &issuer.rules.subject_claim,
        leeway: issuer.rules.leeway,
        max_token_age: issuer.rules.max_token_age,
    };
    let accepted = rules.check(&answer, now)?;
    let (subject, expires_at) = (accepted.subject.to_owned(), accepted.expires_at);
    Ok(issuer.identity(subject, answer, expires_at)?)
}

#[cfg(test)]
mod tests;
