//! Every address of the server, in one table, with who may call it.
//!
//! The table is data: requests find their handler in it, the guard reads it, preflights are answered
//! from it, and the tests walk over it. What is not in it does not exist: a handler can only be
//! reached by a row, and a row says what it takes.

use std::{convert::Infallible, future::Future, pin::Pin};

use axum::{
    extract::{FromRequestParts, Request},
    handler::Handler,
    response::Response,
};
use http::{HeaderValue, Method, request::Parts};
use percent_encoding::percent_decode_str;

use crate::{
    app::{App, AppState},
    error::ApiError,
    routes::{
        assets, backchannel_logout, chat, dev, domain_keys, door, files, health,
        hosted::{sessions, threads},
        jwks, me, page,
    },
};

/// A kind of credential that an address takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Takes {
    /// `Authorization: Bearer` with a user's JWT of a configured issuer.
    UserToken,
    /// The same as the `subject_token` of a form (RFC 8693), in place of any other credential.
    SubjectToken,
    /// A session cookie that a configured issuer answers for.
    SessionCookie,
    /// Either of the two although a rule denies entry: for what has to end because of that.
    DeniedLogin,
    /// `Authorization: Bearer ek_…`.
    ClientSecret,
    /// `Authorization: Bearer pk_…` together with the cookie of a visitor of that token.
    Visitor,
    /// `Authorization: Bearer pk_…` alone, to become a visitor.
    PublicToken,
    /// `Authorization: Bearer` with a server key, ours or imported; never from a page.
    ServerKey,
}

/// Which pages may read the answers of an address (the CORS protocol of the Fetch standard).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Those on the domain allowlist; others are refused before anything happens.
    Allowlisted,
    /// All: the answer is the same for everybody and holds nothing private.
    Any,
    /// Only the server's own; the address is not meant for scripts of others.
    Own,
}

/// One address.
pub struct Route {
    /// The method; GET answers HEAD as well.
    pub method: Method,
    /// The path, with at most one placeholder: `{name}` for a segment, `{*name}` for the rest.
    pub path: &'static str,
    /// Credentials, any one of which opens it. Empty in the public tables only.
    pub takes: &'static [Takes],
    /// Pages that may read the answers.
    pub pages: Pages,
    /// Answers requests that were admitted.
    pub(crate) handler: fn(Request, AppState) -> Answer,
}

/// A handler at work.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler as the table holds it.
macro_rules! handler {
    ($handler:path) => {
        |request, app| call($handler, request, app)
    };
}

const START: &[Takes] = &[Takes::UserToken, Takes::SessionCookie, Takes::SubjectToken];
const REFRESH: &[Takes] = &[Takes::UserToken, Takes::SessionCookie, Takes::DeniedLogin];
const CHAT: &[Takes] = &[Takes::UserToken, Takes::SessionCookie, Takes::ClientSecret];
const HOSTED_CHAT: &[Takes] = &[Takes::ClientSecret, Takes::Visitor];
const SERVER: &[Takes] = &[Takes::ServerKey];
const ANY_PERSON: &[Takes] = &[
    Takes::UserToken,
    Takes::SessionCookie,
    Takes::ClientSecret,
    Takes::Visitor,
];

/// Addresses that need a credential.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route { method: Method::POST, path: "/api/chatkit/start",          takes: START,                  pages: Pages::Allowlisted, handler: handler!(door::start) },
    Route { method: Method::POST, path: "/api/chatkit/refresh",        takes: REFRESH,                pages: Pages::Allowlisted, handler: handler!(door::refresh) },
    Route { method: Method::POST, path: "/api/chatkit/visitor",        takes: &[Takes::PublicToken],  pages: Pages::Allowlisted, handler: handler!(door::visitor) },
    Route { method: Method::GET,  path: "/api/chatkit/me",             takes: ANY_PERSON,             pages: Pages::Allowlisted, handler: handler!(me::me) },
    Route { method: Method::POST, path: "/api/chat",                   takes: CHAT,                   pages: Pages::Allowlisted, handler: handler!(chat::chat) },
    Route { method: Method::POST, path: "/chatkit",                    takes: CHAT,                   pages: Pages::Allowlisted, handler: handler!(chat::chat) },
    Route { method: Method::POST, path: "/v1/chatkit/conversation",    takes: HOSTED_CHAT,            pages: Pages::Allowlisted, handler: handler!(chat::conversation) },
    Route { method: Method::POST, path: "/v1/chatkit/files",           takes: ANY_PERSON,             pages: Pages::Allowlisted, handler: handler!(files::upload) },
    Route { method: Method::POST, path: "/v1/chatkit/domain_keys/verify_hosted", takes: HOSTED_CHAT,  pages: Pages::Allowlisted, handler: handler!(domain_keys::verify_hosted) },
    Route { method: Method::POST, path: "/v1/chatkit/sessions",        takes: SERVER,                 pages: Pages::Own,         handler: handler!(sessions::create) },
    Route { method: Method::POST, path: "/v1/chatkit/sessions/{session_id}/cancel", takes: SERVER,    pages: Pages::Own,         handler: handler!(sessions::cancel) },
    Route { method: Method::GET,  path: "/v1/chatkit/threads",         takes: SERVER,                 pages: Pages::Own,         handler: handler!(threads::list) },
    Route { method: Method::GET,  path: "/v1/chatkit/threads/{thread_id}", takes: SERVER,             pages: Pages::Own,         handler: handler!(threads::retrieve) },
    Route { method: Method::DELETE, path: "/v1/chatkit/threads/{thread_id}", takes: SERVER,           pages: Pages::Own,         handler: handler!(threads::delete) },
    Route { method: Method::GET,  path: "/v1/chatkit/threads/{thread_id}/items", takes: SERVER,       pages: Pages::Own,         handler: handler!(threads::items) },
];

/// Addresses that everybody may call. Those of files carry their own permission.
#[rustfmt::skip]
pub const PUBLIC_ROUTES: &[Route] = &[
    Route { method: Method::POST, path: "/api/chatkit/backchannel-logout", takes: &[], pages: Pages::Own, handler: handler!(backchannel_logout::sign_out) },
    Route { method: Method::POST, path: "/v1/chatkit/domain_keys/verify", takes: &[], pages: Pages::Any, handler: handler!(domain_keys::verify) },
    Route { method: Method::GET,  path: "/v1/chatkit/files/{id}/content", takes: &[], pages: Pages::Allowlisted, handler: handler!(files::content) },
    Route { method: Method::PUT,  path: "/v1/chatkit/files/{id}/content", takes: &[], pages: Pages::Allowlisted, handler: handler!(files::receive) },
    Route { method: Method::POST, path: "/v1/chatkit/files/{id}/content", takes: &[], pages: Pages::Allowlisted, handler: handler!(files::receive) },
    Route { method: Method::GET,  path: "/chatkit.js",                 takes: &[], pages: Pages::Any, handler: handler!(assets::script) },
    Route { method: Method::GET,  path: "/chatkit/{*path}",            takes: &[], pages: Pages::Any, handler: handler!(assets::part) },
    Route { method: Method::GET,  path: "/.well-known/jwks.json",      takes: &[], pages: Pages::Any, handler: handler!(jwks::keys) },
    Route { method: Method::GET,  path: "/healthz",                    takes: &[], pages: Pages::Own, handler: handler!(health::live) },
    Route { method: Method::GET,  path: "/readyz",                     takes: &[], pages: Pages::Own, handler: handler!(health::ready) },
];

/// The demo page; there with `pages.demo`.
#[rustfmt::skip]
pub const DEMO_ROUTES: &[Route] = &[
    Route { method: Method::GET,  path: "/",                           takes: &[], pages: Pages::Own, handler: handler!(page::index) },
    Route { method: Method::GET,  path: "/demo/config.json",           takes: &[], pages: Pages::Own, handler: handler!(page::config) },
    Route { method: Method::GET,  path: "/demo/{file}",                takes: &[], pages: Pages::Own, handler: handler!(page::file) },
];

/// The development issuer; there with `--dev`, and for callers on this machine only.
#[rustfmt::skip]
pub const DEVELOPMENT_ROUTES: &[Route] = &[
    Route { method: Method::POST, path: "/dev/token",                  takes: &[], pages: Pages::Own, handler: handler!(dev::token) },
    Route { method: Method::GET,  path: "/dev/jwks.json",              takes: &[], pages: Pages::Own, handler: handler!(dev::keys) },
];

/// The routes of this server, as it is configured.
pub(crate) fn routes(app: &App) -> impl Iterator<Item = &'static Route> {
    let demo = if app.demo.is_some() { DEMO_ROUTES } else { &[] };
    let development = if app.development.is_some() {
        DEVELOPMENT_ROUTES
    } else {
        &[]
    };
    [ROUTES, PUBLIC_ROUTES, demo, development]
        .into_iter()
        .flatten()
}

/// One path of the table, with all that it takes to answer for it.
pub(crate) struct Address {
    /// The path as it is in the table.
    pub(crate) path: &'static str,
    /// Pages that may read its answers.
    pub(crate) pages: Pages,
    /// Its methods, as the `Allow` header names them.
    pub(crate) methods: HeaderValue,
    routes: Vec<&'static Route>,
}

impl Address {
    fn new(path: &'static str, routes: Vec<&'static Route>) -> Self {
        let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        Self {
            path,
            // One path has one kind of pages, whatever the method.
            pages: routes.first().map_or(Pages::Own, |route| route.pages),
            // Names of methods are text that a header may hold.
            methods: HeaderValue::try_from(methods.join(", "))
                .unwrap_or(HeaderValue::from_static("OPTIONS")),
            routes,
        }
    }

    /// The route of this method.
    pub(crate) fn route(&self, method: &Method) -> Option<&'static Route> {
        let method = match *method {
            Method::HEAD => &Method::GET,
            ref method => method,
        };
        self.routes
            .iter()
            .find(|route| route.method == method)
            .copied()
    }

    /// The refusal of a method that is not there.
    pub(crate) fn unknown_method(&self) -> ApiError {
        let methods = self.methods.to_str().unwrap_or_default();
        ApiError::method_not_allowed(format!("this address takes {methods} only"))
    }
}

/// The routes of this server, found by path.
pub(crate) struct Addresses(matchit::Router<Address>);

impl Addresses {
    /// The table, as the server is configured.
    pub(crate) fn of(app: &App) -> Self {
        let mut by_path: Vec<(&'static str, Vec<&'static Route>)> = Vec::new();
        for route in routes(app) {
            match by_path.iter_mut().find(|(path, _)| *path == route.path) {
                Some((_, routes)) => routes.push(route),
                None => by_path.push((route.path, vec![route])),
            }
        }
        let mut addresses = matchit::Router::new();
        for (path, routes) in by_path {
            if let Err(error) = addresses.insert(path, Address::new(path, routes)) {
                // Two rows that could mean the same; a test walks over the whole table.
                tracing::error!(%error, path, "an address of the route table cannot be reached");
            }
        }
        Self(addresses)
    }

    /// The address that a path belongs to, and what stands at its placeholder if it has one.
    pub(crate) fn find(&self, path: &str) -> Option<(&Address, Option<Placeholder>)> {
        let found = self.0.at(path).ok()?;
        let placeholder = found.params.iter().next().map(|(_, text)| {
            let decoded = percent_decode_str(text).decode_utf8();
            Placeholder(decoded.map(Into::into).unwrap_or_default())
        });
        Some((found.value, placeholder))
    }
}

/// What stands at the placeholder of a path, decoded. Empty, which names nothing anywhere, when it is
/// not text, and where a path has no placeholder.
#[derive(Clone, Default)]
pub(crate) struct Placeholder(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for Placeholder {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.remove().unwrap_or_default())
    }
}

/// The answer to a path that does not exist.
pub(crate) fn unknown_path() -> ApiError {
    ApiError::not_found("there is nothing at this address; the README lists the server's addresses")
        .with_code("unknown_path")
}

fn call<T, H>(handler: H, request: Request, app: AppState) -> Answer
where
    H: Handler<T, AppState, Future = Answer>,
{
    handler.call(request, app)
}
