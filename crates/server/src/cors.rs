//! Which pages may ask, and which may read the answer: the CORS protocol of the Fetch standard, driven by
//! the domain allowlist and the route table.
//!
//! A page that is not on the list is refused before anything happens, and gets no
//! `Access-Control-Allow-Origin`. Nothing is ever answered with `*` together with credentials.

use axum::{extract::Request, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    address::{Address, Pages},
    app::App,
    error::ApiError,
    in_hand, requested_headers,
};

/// What a page needs in order to understand a refusal.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "www-authenticate, retry-after, x-request-id, vestibule-run, vestibule-queued",
);
/// How long a browser keeps a preflight's answer, in seconds. Short, because a change of the
/// allowlist works on the next request.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("60");
/// By which a browser asks whether a page of the internet may reach a server of a private network
/// (<https://wicg.github.io/private-network-access/>), and the answer.
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// The `Origin` headers of a request that passed the allowlist; empty when it does not come from a
/// page of another origin. A handler that needs a page asks for it here.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageOrigin(Vec<String>);

impl PageOrigin {
    /// The header's values, as the allowlist takes them.
    pub(crate) fn values(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// Whether a page sent the request.
    pub(crate) fn is_present(&self) -> bool {
        !self.0.is_empty()
    }
}

/// One request's question to the allowlist, and what came of it.
pub(crate) struct PageCheck {
    /// The matched path of the route table.
    path: Option<&'static str>,
    pages: Pages,
    origin: PageOrigin,
    /// The method that a preflight asks about.
    is_preflight: bool,
    allowed: Option<HeaderValue>,
}

impl PageCheck {
    /// Takes what is needed from a request to this address, where there is one.
    pub(crate) fn of(address: Option<&Address>, request: &Request) -> Self {
        let headers = request.headers();
        Self {
            path: address.map(|address| address.path),
            pages: address.map_or(Pages::Own, |address| address.pages),
            origin: PageOrigin(header_values(headers, &header::ORIGIN)),
            is_preflight: headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
            allowed: None,
        }
    }

    /// The page as it named itself.
    pub(crate) fn page(&self) -> &PageOrigin {
        &self.origin
    }

    /// The matched path of the route table.
    pub(crate) fn path(&self) -> Option<&'static str> {
        self.path
    }

    /// Refuses pages that may not use this server. Which environment a page belongs to is decided
    /// once the credential is known; here it must belong to one at all.
    pub(crate) async fn check(&mut self, app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
        match self.pages {
            // Who has the path wrong is not refused, but told, and a page can read it only when it may.
            _ if self.path.is_none() => {
                if self.origin.is_present() {
                    self.allowed = self.listed(app).await;
                }
            }
            Pages::Any => self.allowed = Some(HeaderValue::from_static("*")),
            Pages::Allowlisted if self.origin.is_present() => {
                let values = self.origin.values();
                let checked = match app.domains.check_preflight(&values).await {
                    // Asked again for the credential in hand, so that the refusal gives the right
                    // advice and is listed for the right environment.
                    Err(auth::Error::Forbidden(_)) => {
                        let in_hand = in_hand::find(app, self.path, headers).await;
                        app.domains.check(&values, &in_hand).await
                    }
                    checked => checked,
                };
                self.allowed = HeaderValue::from_str(checked?.as_str()).ok();
            }
            Pages::Allowlisted | Pages::Own => {}
        }
        Ok(())
    }

    /// The page's origin, if it is on the list.
    async fn listed(&self, app: &App) -> Option<HeaderValue> {
        let checked = app.domains.check_preflight(&self.origin.values()).await;
        HeaderValue::from_str(checked.ok()?.as_str()).ok()
    }

    /// Puts the headers on an answer that let the page read it, if it may.
    pub(crate) fn finish(&self, headers: &mut HeaderMap) {
        if self.pages == Pages::Allowlisted || self.path.is_none() {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let Some(allowed) = &self.allowed else { return };
        if allowed != "*" {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
}

/// Answers `OPTIONS` from the route table: which methods there are, and to a page that may ask, that it
/// may send the headers it wants to.
pub(crate) async fn answer_options(
    app: &App,
    page_check: &mut PageCheck,
    address: &Address,
    preflight: &HeaderMap,
) -> Result<Response, ApiError> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    if page_check.is_preflight {
        page_check.check(app, preflight).await?;
    }
    let headers = response.headers_mut();
    if page_check.is_preflight && page_check.allowed.is_some() {
        permit(app, page_check, &address.methods, preflight, headers).await?;
    }
    headers.insert(header::ALLOW, address.methods.clone());
    Ok(response)
}

/// Answers a preflight for a path where nothing is, so that a page that may ask goes on to its request
/// and reads the 404. `None` for everybody else.
pub(crate) async fn answer_preflight_of_nowhere(
    app: &App,
    page_check: &mut PageCheck,
    preflight: &HeaderMap,
) -> Result<Option<Response>, ApiError> {
    let Some(method) = preflight.get(header::ACCESS_CONTROL_REQUEST_METHOD) else {
        return Ok(None);
    };
    page_check.check(app, preflight).await?;
    if page_check.allowed.is_none() {
        return Ok(None);
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    permit(app, page_check, method, preflight, response.headers_mut()).await?;
    Ok(Some(response))
}

/// Tells a page what it may send.
async fn permit(
    app: &App,
    page_check: &PageCheck,
    methods: &HeaderValue,
    preflight: &HeaderMap,
    headers: &mut HeaderMap,
) -> Result<(), ApiError> {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        requested_headers::allowed(preflight)?,
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    // What every page may read is still not reached through somebody's browser by every page.
    if preflight
        .get(REQUEST_PRIVATE_NETWORK)
        .is_some_and(|value| value == "true")
        && page_check.listed(app).await.is_some()
    {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    Ok(())
}

/// All values of a header as text; one that is not text becomes `null`'s equal: refused.
pub(crate) fn header_values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}
