//! Rules about the claims of a token (RFC 7519 §4.1), as each issuer is configured.
//!
//! Every rule is closed: a claim of the wrong JSON type counts as missing, and what is missing is
//! refused.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    identity::is_valid_subject,
    rejection::{Reason, Rejection, quote},
    time::UnixTime,
};

/// What `events` of a logout token names (OIDC Back-Channel Logout 1.0 §2.4).
pub(crate) const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Claims that say something about a person who signed in (OIDC Core §2 and §5.1, RFC 7662 §2.2).
const USER_CLAIMS: &[&str] = &[
    "sid",
    "auth_time",
    "username",
    "preferred_username",
    "nickname",
    "name",
    "given_name",
    "family_name",
    "email",
    "phone_number",
];
/// The latest time stamp that is accepted: the end of the year 9999.
const LATEST_SECONDS: f64 = 253_402_300_799.0;

/// For whom tokens must be meant. There is no way to skip this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// The claim that says it: `aud`, or `azp` or `client_id` for issuers that leave `aud` out.
    pub claim: String,
    /// The values of which the token must name at least one.
    pub any_of: Vec<String>,
}

impl Audience {
    /// The usual claim, `aud`.
    pub fn aud<T: Into<String>>(any_of: impl IntoIterator<Item = T>) -> Self {
        Self::in_claim("aud", any_of)
    }

    /// Another claim than `aud`.
    pub fn in_claim<T: Into<String>>(claim: &str, any_of: impl IntoIterator<Item = T>) -> Self {
        Self {
            claim: claim.to_owned(),
            any_of: any_of.into_iter().map(Into::into).collect(),
        }
    }
}

/// A demand on one claim.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimRule {
    /// The claim is there and not null.
    Present(String),
    /// The claim has one of these values.
    OneOf(String, Vec<Value>),
    /// The claim is missing, or has another value than this.
    Not(String, Value),
    /// The claim is a time (seconds since 1970) that is not in the future.
    InPast(String),
}

/// What an issuer's tokens must say.
#[derive(Debug, Clone)]
pub(crate) struct ClaimRules<'issuer> {
    pub(crate) audience: &'issuer Audience,
    pub(crate) required: &'issuer [ClaimRule],
    /// Whether the header says that this is an access token (RFC 9068).
    pub(crate) is_access_token: bool,
    /// Whether clients may enter with tokens of their own.
    pub(crate) are_machines_taken: bool,
    pub(crate) subject_claim: &'issuer str,
    pub(crate) leeway: Duration,
    pub(crate) max_token_age: Option<Duration>,
}

/// What is taken from claims that passed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted<'claims> {
    pub(crate) subject: &'claims str,
    pub(crate) expires_at: UnixTime,
}

impl ClaimRules<'_> {
    /// Checks everything except `iss`, by which these rules were chosen.
    pub(crate) fn check<'claims>(
        &self,
        claims: &'claims Map<String, Value>,
        now: UnixTime,
    ) -> Result<Accepted<'claims>, Rejection> {
        check_use(claims)?;
        self.check_audience(claims)?;
        let expires_at = self.check_times(claims, now)?;
        self.check_profile(claims)?;
        for rule in self.required {
            self.check_rule(rule, claims, now)?;
        }
        if claims.contains_key("cnf") {
            return Err(Reason::SenderConstrained.into());
        }
        self.check_person(claims)?;
        let subject = self.subject(claims)?;
        Ok(Accepted {
            subject,
            expires_at,
        })
    }

    /// The user's name, as the issuer's subject claim has it.
    pub(crate) fn subject<'claims>(
        &self,
        claims: &'claims Map<String, Value>,
    ) -> Result<&'claims str, Rejection> {
        let name = self.subject_claim;
        let claim = claims.get(name);
        let subject = claim.and_then(Value::as_str);
        subject
            .filter(|subject| is_valid_subject(subject))
            .ok_or_else(|| match claim {
                // Which digits it has is a question of who reads it: 1, 1.0 and 1e0 are equal numbers and different texts.
                Some(Value::Number(_)) => Rejection::new(Reason::BadSubject).with_detail(format!(
                    "`{name}` is a number; have the issuer write it as a string (RFC 7519 §4.1.2)"
                )),
                _ => Reason::BadSubject.into(),
            })
    }

    pub(crate) fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Rejection> {
        let claim = &self.audience.claim;
        let named: Option<Vec<&str>> = match claims.get(claim) {
            Some(Value::String(one)) => Some(vec![one]),
            Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let named = named
            .filter(|named| !named.is_empty() && named.iter().all(|name| !name.is_empty()))
            .ok_or_else(|| {
                let detail = match claims.get(claim) {
                    Some(Value::Array(list)) if !list.is_empty() => {
                        format!("`{claim}` is a list with something else in it than names")
                    }
                    _ => format!("`{claim}` is needed"),
                };
                Rejection::new(Reason::MissingAudience).with_detail(detail)
            })?;
        if named
            .iter()
            .any(|name| self.audience.any_of.iter().any(|expected| expected == name))
        {
            return Ok(());
        }
        let came = named
            .iter()
            .take(3)
            .map(|name| quote(name))
            .collect::<Vec<_>>()
            .join(", ");
        let expected = self
            .audience
            .any_of
            .iter()
            .map(|name| quote(name))
            .collect::<Vec<_>>()
            .join(" or ");
        Err(Rejection::new(Reason::WrongAudience)
            .with_detail(format!("`{claim}` is {came}, expected {expected}")))
    }

    pub(crate) fn check_times(
        &self,
        claims: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<UnixTime, Rejection> {
        let expires_at = numeric_date(claims.get("exp")).ok_or(Reason::MissingExpiry)?;
        if now >= expires_at.plus(self.leeway) {
            let ago = now.since(expires_at).as_secs();
            return Err(Rejection::new(Reason::Expired).with_detail(format!(
                "by this server's clock it expired {ago} s ago, and {} s are allowed",
                self.leeway.as_secs()
            )));
        }
        let soonest = now.plus(self.leeway);
        let past = |name: &str, reason: Reason| match claims.get(name) {
            None => Ok(None),
            Some(claim) => match numeric_date(Some(claim)) {
                Some(time) if time <= soonest => Ok(Some(time)),
                Some(time) => Err(Rejection::new(reason).with_detail(format!(
                    "`{name}` is {} s ahead of this server's clock, and {} s are allowed",
                    time.since(now).as_secs(),
                    self.leeway.as_secs()
                ))),
                None => Err(Rejection::new(Reason::BadTime).with_detail(match claim {
                    Value::Null => format!("`{name}` is null; leave it out, or say when"),
                    _ => format!("`{name}` is not a usable number of seconds"),
                })),
            },
        };
        past("nbf", Reason::NotYetValid)?;
        let issued_at = past("iat", Reason::IssuedInFuture)?;
        if let Some(limit) = self.max_token_age {
            let issued_at = issued_at.ok_or(Reason::TooOld)?;
            let oldest = now.minus(limit).minus(self.leeway);
            if issued_at < oldest || expires_at.since(issued_at) > limit {
                let limit = limit.as_secs();
                return Err(
                    Rejection::new(Reason::TooOld).with_detail(format!("the limit is {limit} s"))
                );
            }
        }
        Ok(expires_at)
    }

    /// What every access token must have, whatever the configuration asks for (RFC 9068 §2.2);
    /// `aud` and `exp` have checks of their own. Some issuers name the client in `azp` (OIDC Core §2)
    /// instead, and leave out `jti`, which nothing here depends on.
    pub(crate) fn check_profile(&self, claims: &Map<String, Value>) -> Result<(), Rejection> {
        if !self.is_access_token {
            return Ok(());
        }
        let is_text = |name: &str| {
            let text = claims.get(name).and_then(Value::as_str);
            text.is_some_and(|text| !text.is_empty())
        };
        let mut texts = ["iss", "sub", "client_id"].into_iter();
        let missing = texts.find(|name| {
            let stands_in = *name == "client_id" && !claims.contains_key(*name) && is_text("azp");
            !is_text(name) && !stands_in
        });
        let missing = missing.or(numeric_date(claims.get("iat")).is_none().then_some("iat"));
        missing.map_or(Ok(()), |name| {
            let detail = format!("an access token (at+jwt) needs `{name}`");
            Err(Rejection::new(Reason::WrongClaim).with_detail(detail))
        })
    }

    /// A token that a client got for itself is nobody's login.
    pub(crate) fn check_person(&self, claims: &Map<String, Value>) -> Result<(), Rejection> {
        if self.are_machines_taken || !is_of_client(claims, self.subject_claim) {
            return Ok(());
        }
        Err(Reason::MachineToken.into())
    }

    pub(crate) fn check_rule(
        &self,
        rule: &ClaimRule,
        claims: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<(), Rejection> {
        let refuse = |text: String| Err(Rejection::new(Reason::WrongClaim).with_detail(text));
        match rule {
            ClaimRule::Present(name) if claims.get(name).is_none_or(Value::is_null) => {
                refuse(format!("`{name}` is missing"))
            }
            ClaimRule::OneOf(name, values)
                if !claims.get(name).is_some_and(|value| values.contains(value)) =>
            {
                let values = values
                    .iter()
                    .map(Value::to_string)
                    .collect::<Vec<_>>()
                    .join(" or ");
                refuse(format!("`{name}` must be {values}"))
            }
            ClaimRule::Not(name, value) if claims.get(name) == Some(value) => {
                refuse(format!("`{name}` must not be {value}"))
            }
            ClaimRule::InPast(name)
                if numeric_date(claims.get(name))
                    .is_none_or(|time| time > now.plus(self.leeway)) =>
            {
                refuse(format!("`{name}` must be a time in the past"))
            }
            ClaimRule::Present(_)
            | ClaimRule::OneOf(..)
            | ClaimRule::Not(..)
            | ClaimRule::InPast(_) => Ok(()),
        }
    }
}

/// Refuses what an issuer signs with the same keys to say something else than who somebody is: logout
/// tokens, and every other security event (RFC 8417 §2.2), whose `events` are named by URIs.
pub(crate) fn check_use(claims: &Map<String, Value>) -> Result<(), Rejection> {
    let events = claims.get("events").and_then(Value::as_object);
    let names: Vec<&String> = events
        .map(|events| events.keys().collect())
        .unwrap_or_default();
    if !names.iter().any(|name| name.contains(':')) {
        return Ok(());
    }
    let what = if names.iter().any(|name| *name == LOGOUT_EVENT) {
        "it is a logout token, which goes to POST /api/chatkit/backchannel-logout"
    } else {
        "it reports a security event (`events`)"
    };
    Err(Rejection::new(Reason::WrongType).with_detail(what))
}

/// Whether a client is its own subject, with nothing said about a person (RFC 9068 §2.2: without a
/// resource owner, `sub` is the client), or the issuer says so in its own way.
fn is_of_client(claims: &Map<String, Value>, subject_claim: &str) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let clients = || ["client_id", "azp"].into_iter().filter_map(text);
    let is_client = |subject: &str| {
        // Auth0 has a suffix there.
        let subject = subject.strip_suffix("@clients").unwrap_or(subject);
        clients().any(|client| client == subject)
    };
    let is_own_subject = [subject_claim, "sub"]
        .into_iter()
        .filter_map(text)
        .any(is_client)
        && !USER_CLAIMS.iter().any(|name| claims.contains_key(*name));
    // Keycloak makes a user for each such client, and Entra ID an object, with ids of their own.
    let is_service_account = text("preferred_username")
        .and_then(|name| name.strip_prefix("service-account-"))
        .is_some_and(|name| clients().any(|client| client.eq_ignore_ascii_case(name)));
    let is_marked = text("gty") == Some("client-credentials") || text("idtyp") == Some("app");
    is_own_subject || is_service_account || is_marked
}

/// A `NumericDate`: a number, not negative, before the year 10000; parts of a second are cut off.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first, and the fraction is meant to go"
)]
fn numeric_date(claim: Option<&Value>) -> Option<UnixTime> {
    let seconds = claim?.as_f64()?;
    (0.0..=LATEST_SECONDS)
        .contains(&seconds)
        .then(|| UnixTime::from_seconds(seconds as i64))
}

#[cfg(test)]
mod tests;
