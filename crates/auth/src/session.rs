//! Session cookies: who is signed in at the issuer, found out by asking the issuer.
//!
//! Only the session's own cookies are passed on, never the rest of the header.
//! An answer of 200 proves nothing: an issuer may well say 200 and `null` to a forged cookie.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use moka::sync::Cache;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    bearer::BearerError,
    budget::Questions,
    cookie,
    encoding::{JsonProblem, parse_json},
    error::Error,
    identity::{Environment, Identity},
    issuer::{Issuer, Issuers},
    ports::{Digest, LookupError, SessionLookup, SignOut},
    rejection::{Reason, Rejection},
    sha256,
    sign_outs::SignOuts,
    time::{Now, UnixTime},
};

/// The most pieces that one cookie may be cut into.
pub const MAX_COOKIE_CHUNKS: usize = 8;
/// The longest `Cookie` header that is looked at, in bytes.
pub const MAX_COOKIE_BYTES: usize = 16 * 1024;
/// How many questions may be asked at once, over all issuers.
const MAX_LOOKUPS: usize = 16;
/// How many requests may wait for their question, the running ones included.
const MAX_WAITING: usize = 256;
/// How many sessions are remembered, and how many refusals.
const MAX_REMEMBERED: u64 = 10_000;
/// How long a cookie that the issuer did not know is refused without asking again, so that the same
/// forged cookie does not become a question to the issuer each time.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// How an issuer's session cookies are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRule {
    /// Where to ask; Better Auth's `get-session`.
    pub address: Url,
    /// The names that the cookie may have, the most trusted first.
    pub cookie_names: Vec<String>,
    /// How long an answer is believed; sign-out takes that long to be seen here.
    pub believed_for: Duration,
}

impl SessionRule {
    /// Better Auth's session cookie under its default names, believed for 10 s.
    pub fn better_auth(address: Url) -> Self {
        let name = "better-auth.session_token";
        Self {
            address,
            cookie_names: vec![format!("__Secure-{name}"), name.to_owned()],
            believed_for: Duration::from_secs(10),
        }
    }
}

#[derive(Clone)]
struct Remembered {
    identity: Arc<Identity>,
    at: Instant,
    /// How many sign-outs had come when it was asked for.
    sign_outs: u64,
}

/// Turns session cookies into identities.
pub struct LoginSessions {
    issuers: Arc<Issuers>,
    lookup: Arc<dyn SessionLookup>,
    remembered: Cache<Digest, Remembered>,
    /// When each cookie was refused.
    refused: Cache<Digest, Instant>,
    sign_outs: SignOuts,
    questions: Questions,
}

impl fmt::Debug for LoginSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoginSessions")
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}

impl LoginSessions {
    /// Session cookies of those of these issuers that have a session rule.
    pub fn new(issuers: Arc<Issuers>, lookup: Arc<dyn SessionLookup>) -> Self {
        Self {
            issuers,
            lookup,
            remembered: Cache::new(MAX_REMEMBERED),
            refused: Cache::new(MAX_REMEMBERED),
            sign_outs: SignOuts::default(),
            questions: Questions::new(MAX_LOOKUPS, MAX_WAITING),
        }
    }

    /// Who is signed in by these `Cookie` header values; `None` when there is no session cookie
    /// among them. `client` is the address that sent them, by which limits go: an IPv6 address
    /// stands for its /64, and `None` is this machine itself.
    pub async fn authenticate(
        &self,
        client: Option<IpAddr>,
        headers: &[impl AsRef<str>],
        now: Now,
    ) -> Result<Option<Arc<Identity>>, Error> {
        if headers.is_empty() {
            return Ok(None);
        }
        let mut refused = None;
        for (issuer, rule) in self.issuers.with_sessions() {
            let Some(cookie) = first_cookie(headers, &rule.cookie_names)? else {
                continue;
            };
            match self.ask(issuer, rule, client, &cookie, now).await {
                // Two issuers may give their cookies the same name; the next one may know it.
                Err(error @ Error::Invalid(_)) => refused = Some(error),
                outcome => return outcome.map(Some),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// The issuer that a session cookie among these belongs to by its name, and its environment. Nobody is asked.
    pub fn issuer_of(&self, headers: &[impl AsRef<str>]) -> Option<(&str, Environment)> {
        let issuers = self.issuers.with_sessions().into_iter();
        issuers
            .filter(|(_, rule)| matches!(first_cookie(headers, &rule.cookie_names), Ok(Some(_))))
            .map(|(issuer, _)| (issuer.issuer.as_str(), issuer.environment))
            .next()
    }

    /// Whether one of the cookies is a session's by its name. Nobody is asked; what cannot be read counts.
    pub fn are_any(&self, headers: &[impl AsRef<str>]) -> bool {
        self.issuers
            .with_sessions()
            .iter()
            .any(|(_, rule)| !matches!(first_cookie(headers, &rule.cookie_names), Ok(None)))
    }

    /// Forgets the cookies of somebody who has signed out, so that their issuer is asked again, also where
    /// an answer is under way.
    pub fn forget(&self, sign_out: &SignOut) {
        self.sign_outs.add(sign_out.clone());
    }

    async fn ask(
        &self,
        issuer: &Issuer,
        rule: &SessionRule,
        client: Option<IpAddr>,
        cookie: &str,
        now: Now,
    ) -> Result<Arc<Identity>, Error> {
        // The issuer is part of the key, so that no answer counts for another issuer.
        let digest = sha256(format!("{}\n{cookie}", issuer.issuer).as_bytes());
        let remembered = self.remembered.get(&digest);
        let was_good = remembered.is_some();
        if let Some(remembered) = remembered
            && now.wall < remembered.identity.expires_at()
            && now.monotonic.saturating_duration_since(remembered.at) < rule.believed_for
            && !self.sign_outs.have(
                &remembered.identity,
                remembered.sign_outs,
                self.sign_outs.count(),
            )
        {
            return Ok(remembered.identity);
        }
        if let Some(at) = self.refused.get(&digest)
            && now.monotonic.saturating_duration_since(at) < REFUSED_FOR
        {
            return Err(Reason::NoSession.into());
        }
        let unavailable = |message: String, retry_after: Option<Duration>| Error::Unavailable {
            message: format!(
                "no answer about a session from issuer {}: {message}",
                issuer.issuer
            ),
            retry_after: retry_after.unwrap_or(Duration::from_secs(1)),
        };
        let place = self
            .questions
            .place(client, was_good, now.monotonic)
            .await
            .map_err(|busy| unavailable(busy.message.to_owned(), Some(busy.retry_after)))?;
        let is_nobody = || {
            self.remembered.invalidate(&digest);
            self.refused.insert(digest, now.monotonic);
            place.was_in_vain(now.monotonic);
        };
        let sign_outs = self.sign_outs.count();
        let body = match self.lookup.lookup(&rule.address, cookie).await {
            Ok(body) => body,
            Err(LookupError::Refused) => {
                is_nobody();
                return Err(Reason::NoSession.into());
            }
            Err(LookupError::Unavailable {
                message,
                retry_after,
            }) => return Err(unavailable(message, retry_after)),
        };
        let identity = Arc::new(read_session(&body, issuer, now.wall).map_err(|reason| {
            if reason == Reason::NoSession {
                is_nobody();
            }
            Rejection::new(reason).with_token(&digest, None, Some(&issuer.issuer))
        })?);
        self.remembered.insert(
            digest,
            Remembered {
                identity: Arc::clone(&identity),
                at: now.monotonic,
                sign_outs,
            },
        );
        Ok(identity)
    }
}

/// Reads `{"session":{"expiresAt","userId"},"user":{"id",…}}`; `null` means that nobody is signed
/// in.
fn read_session(body: &[u8], issuer: &Issuer, now: UnixTime) -> Result<Identity, Reason> {
    let answer = match parse_json(body) {
        Ok(Value::Null) => return Err(Reason::NoSession),
        Ok(Value::Object(answer)) => answer,
        Ok(_) | Err(JsonProblem::Malformed | JsonProblem::Duplicate) => {
            return Err(Reason::MalformedSession);
        }
    };
    let object = |name: &str| {
        answer
            .get(name)
            .and_then(Value::as_object)
            .ok_or(Reason::MalformedSession)
    };
    let (session, user) = (object("session")?, object("user")?);
    let subject = user
        .get("id")
        .and_then(Value::as_str)
        .ok_or(Reason::MalformedSession)?;
    if session
        .get("userId")
        .is_some_and(|owner| owner.as_str() != Some(subject))
    {
        return Err(Reason::MalformedSession);
    }
    let expires_at = session
        .get("expiresAt")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Timestamp>().ok())
        .map(|timestamp| UnixTime::from_seconds(timestamp.as_second()))
        .ok_or(Reason::MalformedSession)?;
    if expires_at <= now {
        return Err(Reason::SessionExpired);
    }
    // The claims have the names that the same user's token has, so that tools need not know which
    // way was taken.
    let mut claims: Map<String, Value> = user.clone();
    claims.insert("sub".to_owned(), Value::String(subject.to_owned()));
    Identity::new(
        issuer.issuer.clone(),
        subject,
        Arc::new(claims),
        issuer.environment,
        expires_at,
    )
    .map_err(|_| Reason::MalformedSession)
}

fn first_cookie(headers: &[impl AsRef<str>], names: &[String]) -> Result<Option<String>, Error> {
    for name in names {
        if let Some(cookie) = session_cookie(headers, name)? {
            return Ok(Some(cookie));
        }
    }
    Ok(None)
}

/// The pieces of one cookie as a `Cookie` header of their own, exactly as they came.
///
/// Large cookies come in pieces called `name.0`, `name.1` and so on. Refused are a header that is
/// too long, pieces that do not follow one another, and two different values under one name: which
/// of them counts depends on who reads them (RFC 6265 §4.2.2), so one of them may have been
/// planted.
pub fn session_cookie(headers: &[impl AsRef<str>], name: &str) -> Result<Option<String>, Error> {
    let headers = headers.iter().map(AsRef::as_ref);
    let ambiguous = || BearerError::AmbiguousCookie;
    if headers.clone().map(str::len).sum::<usize>() > MAX_COOKIE_BYTES {
        return Err(BearerError::CookieTooLong.into());
    }
    // Place 0 is the plain name, place n + 1 is piece n.
    let mut pieces: [Option<&str>; MAX_COOKIE_CHUNKS + 1] = [None; MAX_COOKIE_CHUNKS + 1];
    for (found, value) in cookie::pairs(headers) {
        let place = match found.strip_prefix(name) {
            Some("") => 0,
            Some(rest) => match rest
                .strip_prefix('.')
                .and_then(|number| number.parse::<usize>().ok())
            {
                Some(number) if number < MAX_COOKIE_CHUNKS && rest == format!(".{number}") => {
                    number + 1
                }
                Some(_) => return Err(ambiguous().into()),
                None => continue,
            },
            None => continue,
        };
        if pieces[place]
            .replace(value)
            .is_some_and(|earlier| earlier != value)
        {
            return Err(ambiguous().into());
        }
    }
    let count = pieces[1..]
        .iter()
        .take_while(|piece| piece.is_some())
        .count();
    if pieces[1..].iter().flatten().count() != count || (count > 0 && pieces[0].is_some()) {
        return Err(ambiguous().into());
    }
    if let Some(value) = pieces[0] {
        return Ok((!value.is_empty()).then(|| format!("{name}={value}")));
    }
    let chunks: Vec<String> = pieces[1..]
        .iter()
        .flatten()
        .enumerate()
        .map(|(number, value)| format!("{name}.{number}={value}"))
        .collect();
    Ok((!chunks.is_empty()).then(|| chunks.join("; ")))
}

#[cfg(test)]
mod tests;
