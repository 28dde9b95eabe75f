//! The domain allowlist: which pages may use this server, and how they are told when they may not.
//!
//! One list answers the domain-key check, the `Origin` check and CORS, and says who may frame a page.
//! Every answer is read from the store, so that a change works on the next request.
//!
//! An `Origin` header is only as honest as the program that sends it: browsers are, others need not
//! be.
//! The allowlist keeps other people's pages from using a visitor's browser against this server; it
//! does not keep programs out. Against those stand credentials, quotas and rate limits.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::ExposeSecret;
use url::{Host, Url};

use crate::{
    credential::{self, Kind},
    error::Error,
    identity::Environment,
    origin_refusal::{InHand, OriginCause, OriginRefusal},
    ports::{CredentialStore, DomainRecord, Random, RefusalRecord},
    rejection::{Reason, quote},
    time::UnixTime,
};

/// The longest origin that is looked at, in bytes: a host name has 253 at most.
const MAX_ORIGIN_BYTES: usize = 300;
/// How many refused origins are kept for the operator.
const REFUSALS_KEPT: u32 = 50;
/// How many refused origins are written down in one second.
const REFUSALS_NOTED_PER_SECOND: u32 = 20;

/// A serialised web origin: scheme, host, and the port unless it is the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    is_local: bool,
}

/// Why a text is not an origin that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Longer than any origin.
    #[error("this is longer than any origin")]
    TooLong,
    /// A pattern; each origin is registered by itself.
    #[error(
        "patterns are not supported; register each subdomain by itself, like https://app.example.com"
    )]
    Wildcard,
    /// Not a web address.
    #[error("this is not a web address; give one like https://app.example.com")]
    NotAnAddress,
    /// Another scheme than `http` and `https`.
    #[error("only http and https origins can be registered, like https://app.example.com")]
    OtherScheme,
    /// A host with a dot at its end, which browsers treat as another origin.
    #[error("the host must not end with a dot; did you mean {0}?")]
    TrailingDot(String),
    /// More than an origin, or an origin in another spelling.
    #[error("an origin is only scheme, host and port, in lower case; did you mean {0}?")]
    NotSerialised(String),
}

impl Origin {
    /// An origin as a browser sends it and as an operator registers it: exactly the serialised form
    /// (RFC 6454 §6.2).
    ///
    /// Everything else is refused, with the corrected form where there is one, so that what the
    /// list says is what is compared.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text.len() > MAX_ORIGIN_BYTES {
            return Err(OriginError::TooLong);
        }
        if text.contains('*') {
            return Err(OriginError::Wildcard);
        }
        let url = Url::parse(text).map_err(|_| OriginError::NotAnAddress)?;
        if !matches!(url.scheme(), "http" | "https") {
            // `example.com:8443` is a URL with a strange scheme, but it is easy to see what was meant.
            return Err(OriginError::OtherScheme);
        }
        let host = url.host().ok_or(OriginError::NotAnAddress)?;
        let serialised = url.origin().ascii_serialization();
        if let Host::Domain(name) = host
            && name.ends_with('.')
        {
            return Err(OriginError::TrailingDot(serialised.replacen(
                name,
                name.trim_end_matches('.'),
                1,
            )));
        }
        // The URL standard lets quotes, `$` and `;` stand in a host, but no name system does, and a
        // refusal puts the origin into a command that an operator is meant to copy.
        if let Host::Domain(name) = host
            && !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        {
            return Err(OriginError::NotAnAddress);
        }
        if serialised != text {
            return Err(OriginError::NotSerialised(serialised));
        }
        Ok(Self {
            is_local: is_local(&host),
            text: serialised,
        })
    }

    /// The serialised form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether nobody between the page and its reader can change it.
    pub(crate) fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether the page comes from this machine: `localhost`, `*.localhost`, 127.0.0.0/8 or
    /// `[::1]`.
    ///
    /// Not `0.0.0.0`, `[::]` and `[::ffff:127.0.0.1]`: those are spellings that only some systems
    /// take for it.
    pub fn is_local(&self) -> bool {
        self.is_local
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn is_local(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The allowlist, with the store behind it.
pub struct Domains {
    store: Arc<dyn CredentialStore>,
    random: Arc<dyn Random>,
    own: Vec<Origin>,
    only: Option<Environment>,
    /// How many refusals were noted in which second.
    noted: Mutex<(UnixTime, u32)>,
}

impl fmt::Debug for Domains {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Domains")
            .field("own", &self.own)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

impl Domains {
    /// The list in this store. `own` are the addresses at which this server's own pages are; they
    /// are always allowed.
    /// `only` pins a deployment to one environment, so that keys of the other are refused.
    pub fn new(
        store: Arc<dyn CredentialStore>,
        random: Arc<dyn Random>,
        own: Vec<Origin>,
        only: Option<Environment>,
    ) -> Self {
        Self {
            store,
            random,
            own,
            only,
            noted: Mutex::new((UnixTime::from_seconds(0), 0)),
        }
    }

    /// The addresses at which this server's own pages are.
    pub fn own(&self) -> &[Origin] {
        &self.own
    }

    /// Registers an origin and makes its domain key. An origin that is there already keeps its key.
    pub async fn add(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<DomainRecord, Error> {
        let (record, _is_new) = self.register(origin, environment, now).await?;
        Ok(record)
    }

    /// As [`Domains::add`], and whether the origin was not there before.
    pub(crate) async fn register(
        &self,
        origin: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<(DomainRecord, bool), Error> {
        let origin = Origin::parse(origin)
            .map_err(|error| Error::Unusable(format!("{}: {error}", quote(origin))))?;
        self.add_origin(&origin, environment, now).await
    }

    pub(crate) async fn add_origin(
        &self,
        origin: &Origin,
        environment: Environment,
        now: UnixTime,
    ) -> Result<(DomainRecord, bool), Error> {
        if environment == Environment::Live && origin.is_local() {
            let text = "pages on this machine are for trying out; register them with --env test, or not at all";
            return Err(Error::Unusable(format!("{origin}: {text}")));
        }
        if environment == Environment::Live && !origin.is_https() {
            return Err(Error::Unusable(format!(
                "{origin}: a live page has to come over https: whoever stands between could change an http page, and \
                 read what its users say and the credentials that it holds; serve it over https, or try it out with --env test"
            )));
        }
        let record = DomainRecord {
            origin: origin.as_str().to_owned(),
            environment,
            key: credential::mint(Kind::DomainKey(environment), &*self.random)?
                .expose_secret()
                .to_owned(),
            created_at: now,
        };
        let kept = self.store.insert_domain(&record).await?;
        // The key of an origin that was there already is another one.
        let is_new = kept.key == record.key;
        Ok((kept, is_new))
    }

    /// Removes a registration; its key works no more. Whether it was there.
    pub async fn remove(&self, origin: &str, environment: Environment) -> Result<bool, Error> {
        Ok(self.store.remove_domain(origin, environment).await?)
    }

    /// All registrations.
    pub async fn list(&self) -> Result<Vec<DomainRecord>, Error> {
        Ok(self.store.list_domains().await?)
    }

    /// Origins that were refused lately.
    pub async fn refusals(&self) -> Result<Vec<RefusalRecord>, Error> {
        Ok(self.store.list_refusals().await?)
    }

    /// Checks the `Origin` header values of a request against the environment of its credential.
    pub async fn check(
        &self,
        values: &[&str],
        in_hand: &InHand,
        now: UnixTime,
    ) -> Result<Origin, Error> {
        let environment = in_hand.environment();
        if self.only.is_some_and(|only| only != environment) {
            let cause = OriginCause::OtherEnvironment;
            return Err(OriginRefusal::new(cause, in_hand.clone(), Vec::new()).into());
        }
        let origin = read_header(values, in_hand)?;
        if self.is_allowed(&origin, environment).await? {
            return Ok(origin);
        }
        self.note_refusal(&origin, environment, now).await;
        self.refuse(OriginCause::NotRegistered(origin), in_hand)
            .await
    }

    /// Checks the `Origin` of a CORS preflight, in which no credential says which environment is
    /// meant: the origin passes when it is allowed in any. The request that follows is checked by
    /// [`Domains::check`].
    pub async fn check_preflight(&self, values: &[&str]) -> Result<Origin, Error> {
        let in_hand = InHand::Nothing(self.only.unwrap_or(Environment::Live));
        let origin = read_header(values, &in_hand)?;
        for environment in [Environment::Live, Environment::Test] {
            if self.only.is_none_or(|only| only == environment)
                && self.is_allowed(&origin, environment).await?
            {
                return Ok(origin);
            }
        }
        self.refuse(OriginCause::NotRegistered(origin), &in_hand)
            .await
    }

    /// Checks a domain key against the page that presents it.
    pub async fn verify_key(
        &self,
        key: &str,
        values: &[&str],
        now: UnixTime,
    ) -> Result<Environment, Error> {
        let kind = credential::demand(key, |kind| matches!(kind, Kind::DomainKey(_)))?;
        let Kind::DomainKey(environment) = kind else {
            return Err(Reason::WrongKind.into());
        };
        let record = self.store.find_domain_by_key(key).await?;
        let in_hand = InHand::DomainKey(environment);
        let origin = self.check(values, &in_hand, now).await?;
        match record {
            // A page on this machine may try out any key of the test environment.
            Some(record)
                if record.environment == environment
                    && (record.origin == origin.as_str()
                        || (origin.is_local() && environment == Environment::Test)) =>
            {
                Ok(environment)
            }
            Some(_) | None => self.refuse(OriginCause::WrongKey(origin), &in_hand).await,
        }
    }

    /// The sources of a `frame-ancestors` directive (CSP Level 3 §6.4.2): who may frame this
    /// server's pages.
    pub async fn frame_ancestors(&self) -> Result<String, Error> {
        let mut sources = vec!["'self'".to_owned()];
        for record in self.store.list_domains().await? {
            if self.only.is_none_or(|only| only == record.environment)
                && !sources.contains(&record.origin)
            {
                sources.push(record.origin);
            }
        }
        Ok(sources.join(" "))
    }

    /// Keeps a refused origin for the operator. A help, not a record: it must neither fail the
    /// request nor let a flood of made-up origins write without end.
    async fn note_refusal(&self, origin: &Origin, environment: Environment, now: UnixTime) {
        let is_within_budget = {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.0 != now {
                *noted = (now, 0);
            }
            noted.1 += 1;
            noted.1 <= REFUSALS_NOTED_PER_SECOND
        };
        if !is_within_budget {
            return;
        }
        let noted = self
            .store
            .record_refusal(origin.as_str(), environment, now, REFUSALS_KEPT);
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a refused origin could not be noted");
        }
    }

    /// Whether a page is one of this server's own.
    pub(crate) fn is_own(&self, origin: &Origin) -> bool {
        self.own.contains(origin)
    }

    async fn is_allowed(&self, origin: &Origin, environment: Environment) -> Result<bool, Error> {
        if (origin.is_local() && environment == Environment::Test) || self.is_own(origin) {
            return Ok(true);
        }
        Ok(self
            .store
            .find_domain(origin.as_str(), environment)
            .await?
            .is_some())
    }

    async fn refuse<T>(&self, cause: OriginCause, in_hand: &InHand) -> Result<T, Error> {
        let registered = self.store.list_domains().await?.into_iter();
        let registered = registered
            .filter(|record| record.environment == in_hand.environment())
            .map(|record| record.origin);
        Err(OriginRefusal::new(cause, in_hand.clone(), registered.collect()).into())
    }
}

fn read_header(values: &[&str], in_hand: &InHand) -> Result<Origin, OriginRefusal> {
    let cause = match values {
        [] => OriginCause::Missing,
        ["null"] => OriginCause::Opaque,
        [value] => match Origin::parse(value) {
            Ok(origin) => return Ok(origin),
            Err(_) => OriginCause::Malformed(quote(value)),
        },
        _ => OriginCause::Repeated,
    };
    Err(OriginRefusal::new(cause, in_hand.clone(), Vec::new()))
}

#[cfg(test)]
mod tests;
