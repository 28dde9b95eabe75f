//! The only place that builds HTTP clients, so that every call out has limits.
//!
//! What all clients share: no redirects (a redirect could carry a credential elsewhere), no
//! cookies, the operator's proxies and certificates ([`Outgoing`]), `https` only except for
//! loopback, `TCP_NODELAY`, and a time-out for connecting. Where a server sends a request on within
//! its own origin, [`HttpClient::follow`] goes there, for who wants that. Bodies are read through
//! [`read_body`], which stops at a limit. Addresses come from the operator's configuration, or from
//! the discovery document of an issuer in it, never from a user or a token, so private networks are
//! not filtered here.
//!
//! Why `reqwest` and not hyper's client, although tokens pass here: measured side by side on one
//! core with 1,000 open streams and 600,000 chunks, both held 17.4 KiB a stream and took 0.9 to
//! 1.0 µs a chunk. The MCP library uses it too, so there is one client and one policy.

use std::{net::IpAddr, sync::OnceLock, time::Duration};

use reqwest::{
    Certificate, ClientBuilder, Method, NoProxy, Proxy, RequestBuilder, Response, StatusCode,
    header::{DATE, LOCATION, RETRY_AFTER},
};
use url::{Host, Url};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::error::{Cause, Error};

const USER_AGENT: &str = concat!("vestibule/", env!("CARGO_PKG_VERSION"));

/// Connections to one host that wait for the next request.
const MAX_IDLE_CONNECTIONS: usize = 512;

/// How often a request is sent on.
const MAX_REDIRECTS: usize = 3;

/// What a client may do and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPolicy {
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest silence, while waiting for the head and between two reads of the body.
    pub idle_timeout: Option<Duration>,
    /// Longest time for the whole exchange; `None` for streams, which end when they end.
    pub total_timeout: Option<Duration>,
    /// Whether `http://` is taken for hosts other than loopback, for private networks.
    pub allow_insecure_http: bool,
    /// Whether a connection is kept for the next request.
    pub reuse_connections: bool,
    /// Whether answers may come packed (gzip), and are unpacked.
    pub unpacks_bodies: bool,
}

impl HttpPolicy {
    /// For small documents that many requests wait for, such as key sets: 2 s to connect, 5 s in all.
    pub const DOCUMENT: Self = Self {
        connect_timeout: Duration::from_secs(2),
        idle_timeout: None,
        total_timeout: Some(Duration::from_secs(5)),
        allow_insecure_http: false,
        reuse_connections: true,
        unpacks_bodies: true,
    };

    /// For streams: no limit in all, but silence of at most 120 s.
    pub const STREAM: Self = Self {
        connect_timeout: Duration::from_secs(10),
        idle_timeout: Some(Duration::from_mins(2)),
        total_timeout: None,
        allow_insecure_http: false,
        reuse_connections: true,
        unpacks_bodies: true,
    };

    /// For bytes of files in an object store, at most some megabytes a request: no limit in all, but silence of at most
    /// 30 s, and bytes as they are kept there.
    pub const BYTES: Self = Self {
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Some(Duration::from_secs(30)),
        total_timeout: None,
        allow_insecure_http: false,
        reuse_connections: true,
        unpacks_bodies: false,
    };
}

/// How calls leave this machine: through which proxies, and whose certificates are believed beside the system's.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    proxies: Vec<Proxy>,
    certificates: Vec<Certificate>,
}

/// Of the whole process, because every call leaves the same machine, and a client that forgot to ask would leave
/// another way.
static OUTGOING: OnceLock<Outgoing> = OnceLock::new();

/// Never asked of a proxy, which would look for them on its own machine: this one, and what its cloud tells it about itself,
/// as the role that an object store knows it by.
const ON_THIS_MACHINE: &str = "localhost,.localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::/32";

impl Outgoing {
    /// Calls by `https://` go through this proxy (CONNECT), but for these hosts: names, domains with a dot in front, and
    /// networks in CIDR form, with commas between them. This machine is never asked for there.
    pub fn through_for_https(self, proxy: &str, no_proxy: &str) -> Result<Self, Error> {
        self.through(Proxy::https(proxy), no_proxy)
    }

    /// The same for calls by `http://`.
    pub fn through_for_http(self, proxy: &str, no_proxy: &str) -> Result<Self, Error> {
        self.through(Proxy::http(proxy), no_proxy)
    }

    fn through(mut self, proxy: reqwest::Result<Proxy>, no_proxy: &str) -> Result<Self, Error> {
        // Its address may hold a password, so it is not repeated.
        let proxy = proxy.map_err(|error| Error::Configuration {
            message: format!("the proxy's address is not one: {}", error.without_url()),
        })?;
        let except = NoProxy::from_string(&format!("{ON_THIS_MACHINE},{no_proxy}"));
        self.proxies.push(proxy.no_proxy(except));
        Ok(self)
    }

    /// Believes servers whose certificates these authorities have signed: PEM, one or several.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, Error> {
        let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(Error::Configuration {
                message: "there is no certificate in PEM form in it".to_owned(),
            });
        }
        self.certificates.extend(certificates);
        Ok(self)
    }

    /// Has every client that is made from now on leave this way. Only the first call counts.
    pub fn apply(self) {
        let _ = OUTGOING.set(self);
    }
}

/// A client for outgoing calls; clones share its connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    allow_insecure_http: bool,
}

impl HttpClient {
    /// Builds a client that keeps to the policy.
    pub fn new(policy: &HttpPolicy) -> Result<Self, Error> {
        let client = builder(policy)
            .build()
            .or_else(|error| {
                // A bare container may have no CA certificates; without them not even a client
                // that only speaks to loopback could be built.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no CA certificates of the system, Mozilla's are used instead"
                );
                builder(policy).tls_certs_only(mozilla_roots()?).build()
            })
            .map_err(|error| Error::Configuration {
                message: format!("the HTTP client cannot be built: {error}"),
            })?;
        Ok(Self {
            client,
            allow_insecure_http: policy.allow_insecure_http,
        })
    }

    /// The same client and connections, under another rule about `http://` for other hosts than
    /// loopback: what one address is allowed is no other's.
    #[must_use]
    pub fn with_insecure_http(&self, is_allowed: bool) -> Self {
        Self {
            client: self.client.clone(),
            allow_insecure_http: is_allowed,
        }
    }

    /// A request to this address, once the address is allowed.
    pub(crate) fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Error> {
        self.check(url)?;
        Ok(self.client.request(method, url.clone()))
    }

    /// Whether this client may call the address; said when the configuration is read, and again
    /// on every call.
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        check_url(url, self.allow_insecure_http)
    }

    /// What a server calls its time (the `Date` of its answer, whatever that is), to compare clocks with.
    pub async fn date(&self, url: &Url) -> Result<Option<String>, Error> {
        let sent = self.request(Method::GET, url)?.send().await;
        let response = sent.map_err(|error| Error::Unavailable(describe(error)))?;
        let date = response.headers().get(DATE);
        Ok(date.and_then(|date| date.to_str().ok()).map(str::to_owned))
    }

    /// Sends a request, and sends it again to where the same origin says that it should go instead (307 or 308): a slash
    /// more at the end, most often. Other redirects would leave its body behind (301 to 303), or carry its credential
    /// elsewhere; they come back as they are.
    pub(crate) async fn follow(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let mut request = request.build()?;
        for _ in 0..MAX_REDIRECTS {
            let again = request.try_clone();
            let response = self.client.execute(request).await?;
            let (Some(mut again), Some(url)) = (again, sent_on(&response)) else {
                return Ok(response);
            };
            *again.url_mut() = url;
            request = again;
        }
        self.client.execute(request).await
    }

    /// The bare client, for a library that sends requests itself. Check the address first.
    pub fn inner(&self) -> reqwest::Client {
        self.client.clone()
    }
}

fn builder(policy: &HttpPolicy) -> ClientBuilder {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that the lint points to"
    )]
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(policy.connect_timeout)
        // Shorter than what servers and balancers keep, so that we hang up first; and a burst
        // of streams does not leave thousands of connections behind.
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(if policy.reuse_connections {
            MAX_IDLE_CONNECTIONS
        } else {
            0
        })
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_mins(1))
        .http2_keep_alive_interval(Duration::from_secs(30));
    if let Some(idle) = policy.idle_timeout {
        builder = builder.read_timeout(idle);
    }
    if let Some(total) = policy.total_timeout {
        builder = builder.timeout(total);
    }
    if !policy.unpacks_bodies {
        builder = builder.no_gzip();
    }
    // What the environment says is in `Outgoing`, if at all.
    builder = builder.no_proxy();
    if let Some(Outgoing {
        proxies,
        certificates,
    }) = OUTGOING.get()
    {
        builder = builder.tls_certs_merge(certificates.iter().cloned());
        for proxy in proxies {
            builder = builder.proxy(proxy.clone());
        }
    }
    builder
}

fn mozilla_roots() -> reqwest::Result<Vec<Certificate>> {
    TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|certificate| Certificate::from_der(certificate))
        .collect()
}

fn check_url(url: &Url, allow_insecure_http: bool) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::Configuration { message });
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "an address must not hold a user name or password; configure the credential apart from it"
                .to_owned(),
        );
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if allow_insecure_http || is_loopback(url) => Ok(()),
        "http" => refuse(format!(
            "`{}` is not encrypted; use https, or set `allow_insecure_http` for a private network",
            url.origin().ascii_serialization()
        )),
        other => refuse(format!("`{other}:` addresses are not supported; use https")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Where an answer sends the same request, if that is the same origin.
fn sent_on(response: &Response) -> Option<Url> {
    let (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) = response.status()
    else {
        return None;
    };
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    within_origin(response.url(), location)
}

/// An address that a server names as seen from one of its own, if that is the same origin. A server that does not know
/// that a proxy in front of it speaks TLS calls its own address `http://`; that is no reason to go there without it.
fn within_origin(from: &Url, location: &str) -> Option<Url> {
    let mut to = from.join(location).ok()?;
    if from.scheme() == "https" && to.scheme() == "http" && from.host() == to.host() {
        to.set_scheme("https").ok()?;
    }
    (to.origin() == from.origin()).then_some(to)
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is longer than the limit.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection failed before its end.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

/// Reads a body of at most `limit` bytes; never holds more than that and one chunk.
pub(crate) async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Err(BodyError::TooLong { limit });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if chunk.len() > limit - body.len() {
            return Err(BodyError::TooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The first `limit` bytes of an answer that is only wanted for the log.
pub(crate) async fn read_prefix(mut response: Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limit - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() >= limit {
            break;
        }
    }
    body
}

/// Nobody is asked to wait longer than a day, whatever a header says.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// `Retry-After` in seconds (RFC 9110 §10.2.3), OpenAI's `retry-after-ms`, or Better Auth's `X-Retry-After`; the date
/// form is rare and counts as absent.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let headers = response.headers();
    if let Some(value) = headers.get("retry-after-ms")
        && let Some(milliseconds) = value
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse().ok())
    {
        return Some(Duration::from_millis(milliseconds).min(MAX_RETRY_AFTER));
    }
    let value = headers
        .get(RETRY_AFTER)
        .or_else(|| headers.get("x-retry-after"))?;
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// What went wrong with a request, without the address: a query could hold a credential.
pub(crate) fn describe(error: reqwest::Error) -> Cause {
    Box::new(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str) -> Result<(), String> {
        check_url(&address.parse().unwrap(), false).map_err(|error| error.to_string())
    }

    #[test]
    fn https_and_loopback_pass_and_the_rest_is_refused() {
        for address in [
            "https://api.example.com/v1",
            "http://127.0.0.1:8000",
            "http://127.8.9.1",
            "http://[::1]:1",
            "http://localhost:3000",
            "http://auth.localhost",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for address in [
            "http://api.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://notlocalhost",
            "http://0.0.0.0",
            "ftp://example.com",
            "file:///etc/passwd",
        ] {
            assert!(check(address).is_err(), "{address}");
        }
        assert!(check_url(&"http://auth:3000".parse().unwrap(), true).is_ok());
    }

    #[test]
    fn a_client_can_be_built_without_certificates_of_the_system() {
        let roots = mozilla_roots().unwrap();
        assert!(roots.len() > 50, "{}", roots.len());
        builder(&HttpPolicy::DOCUMENT)
            .tls_certs_only(roots)
            .build()
            .unwrap();
    }

    #[test]
    fn a_request_is_sent_on_within_its_origin_only() {
        let to = |from: &str, location| {
            within_origin(&from.parse().unwrap(), location).map(String::from)
        };
        let from = "https://tools.example.com/mcp";
        for (location, expected) in [
            ("/mcp/", Some("https://tools.example.com/mcp/")),
            ("mcp/", Some("https://tools.example.com/mcp/")),
            (
                "//tools.example.com:443/a?b=c",
                Some("https://tools.example.com/a?b=c"),
            ),
            (
                "https://TOOLS.example.com/a",
                Some("https://tools.example.com/a"),
            ),
            // So says what stands behind a proxy that speaks TLS.
            (
                "http://tools.example.com/mcp/",
                Some("https://tools.example.com/mcp/"),
            ),
            ("http://tools.example.com:8000/mcp/", None),
            ("https://tools.example.com:8443/mcp", None),
            ("https://example.com/mcp", None),
            ("//evil.example.com/mcp", None),
            ("http://evil.example.com/mcp", None),
            ("file:///etc/passwd", None),
            ("https://", None),
        ] {
            assert_eq!(to(from, location).as_deref(), expected, "{location}");
        }
        let plain = "http://127.0.0.1:8000/mcp";
        assert_eq!(to(plain, "https://127.0.0.1:8000/mcp/"), None);
        assert_eq!(to(plain, "http://localhost:8000/mcp/"), None);
        assert_eq!(
            to(plain, "http://127.0.0.1:8000/mcp/").as_deref(),
            Some("http://127.0.0.1:8000/mcp/")
        );
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let message = check("https://ada:hunter2@example.com").unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
