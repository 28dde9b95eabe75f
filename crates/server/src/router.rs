//! Every address of the server, in one table, with who may call it.
//!
//! The table is data: the router is built from it, the guard reads it, preflights are answered from
//! it, and the tests walk over it. What is not in it does not exist: the guard refuses any path that
//! found a handler without being listed here.

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    handler::Handler,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use http::{HeaderValue, Method, header};

use crate::{
    app::{App, AppState},
    body,
    caller::{self, Caller},
    error::{ApiError, ErrorReport},
    middleware,
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
    /// The path, with axum's placeholders.
    pub path: &'static str,
    /// Credentials, any one of which opens it. Empty in the public tables only.
    pub takes: &'static [Takes],
    /// Pages that may read the answers.
    pub pages: Pages,
    handler: fn() -> MethodRouter<AppState>,
}

const START: &[Takes] = &[Takes::UserToken, Takes::SessionCookie, Takes::SubjectToken];
const LOGIN: &[Takes] = &[Takes::UserToken, Takes::SessionCookie];
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
    Route { method: Method::POST, path: "/api/chatkit/start",          takes: START,                  pages: Pages::Allowlisted, handler: || post(door::start) },
    Route { method: Method::POST, path: "/api/chatkit/refresh",        takes: LOGIN,                  pages: Pages::Allowlisted, handler: || post(door::refresh) },
    Route { method: Method::POST, path: "/api/chatkit/visitor",        takes: &[Takes::PublicToken],  pages: Pages::Allowlisted, handler: || post(door::visitor) },
    Route { method: Method::GET,  path: "/api/chatkit/me",             takes: ANY_PERSON,             pages: Pages::Allowlisted, handler: || get(me::me) },
    Route { method: Method::POST, path: "/api/chat",                   takes: CHAT,                   pages: Pages::Allowlisted, handler: || post(chat::chat) },
    Route { method: Method::POST, path: "/chatkit",                    takes: CHAT,                   pages: Pages::Allowlisted, handler: || post(chat::chat) },
    Route { method: Method::POST, path: "/v1/chatkit/conversation",    takes: HOSTED_CHAT,            pages: Pages::Allowlisted, handler: || post(chat::conversation) },
    Route { method: Method::POST, path: "/v1/chatkit/files",           takes: ANY_PERSON,             pages: Pages::Allowlisted, handler: || post(files::upload) },
    Route { method: Method::POST, path: "/v1/chatkit/domain_keys/verify_hosted", takes: HOSTED_CHAT,  pages: Pages::Allowlisted, handler: || post(domain_keys::verify_hosted) },
    Route { method: Method::POST, path: "/v1/chatkit/sessions",        takes: SERVER,                 pages: Pages::Own,         handler: || post(sessions::create) },
    Route { method: Method::POST, path: "/v1/chatkit/sessions/{session_id}/cancel", takes: SERVER,    pages: Pages::Own,         handler: || post(sessions::cancel) },
    Route { method: Method::GET,  path: "/v1/chatkit/threads",         takes: SERVER,                 pages: Pages::Own,         handler: || get(threads::list) },
    Route { method: Method::GET,  path: "/v1/chatkit/threads/{thread_id}", takes: SERVER,             pages: Pages::Own,         handler: || get(threads::retrieve) },
    Route { method: Method::DELETE, path: "/v1/chatkit/threads/{thread_id}", takes: SERVER,           pages: Pages::Own,         handler: || delete(threads::delete) },
    Route { method: Method::GET,  path: "/v1/chatkit/threads/{thread_id}/items", takes: SERVER,       pages: Pages::Own,         handler: || get(threads::items) },
];

/// Addresses that everybody may call. Those of files carry their own permission.
#[rustfmt::skip]
pub const PUBLIC_ROUTES: &[Route] = &[
    Route { method: Method::POST, path: "/api/chatkit/backchannel-logout", takes: &[], pages: Pages::Own, handler: || post(backchannel_logout::sign_out) },
    Route { method: Method::POST, path: "/v1/chatkit/domain_keys/verify", takes: &[], pages: Pages::Any, handler: || post(domain_keys::verify) },
    Route { method: Method::GET,  path: "/v1/chatkit/files/{id}/content", takes: &[], pages: Pages::Allowlisted, handler: || get(files::content) },
    Route { method: Method::PUT,  path: "/v1/chatkit/files/{id}/content", takes: &[], pages: Pages::Allowlisted, handler: || put(files::receive) },
    Route { method: Method::POST, path: "/v1/chatkit/files/{id}/content", takes: &[], pages: Pages::Allowlisted, handler: || post(files::receive) },
    Route { method: Method::GET,  path: "/chatkit.js",                 takes: &[], pages: Pages::Any, handler: || get(assets::script) },
    Route { method: Method::GET,  path: "/chatkit/{*path}",            takes: &[], pages: Pages::Any, handler: || get(assets::part) },
    Route { method: Method::GET,  path: "/.well-known/jwks.json",      takes: &[], pages: Pages::Any, handler: || get(jwks::keys) },
    Route { method: Method::GET,  path: "/healthz",                    takes: &[], pages: Pages::Own, handler: || get(health::live) },
    Route { method: Method::GET,  path: "/readyz",                     takes: &[], pages: Pages::Own, handler: || get(health::ready) },
];

/// The demo page; there with `pages.demo`.
#[rustfmt::skip]
pub const DEMO_ROUTES: &[Route] = &[
    Route { method: Method::GET,  path: "/",                           takes: &[], pages: Pages::Own, handler: || get(page::index) },
    Route { method: Method::GET,  path: "/demo/config.json",           takes: &[], pages: Pages::Own, handler: || get(page::config) },
    Route { method: Method::GET,  path: "/demo/{file}",                takes: &[], pages: Pages::Own, handler: || get(page::file) },
];

/// The development issuer; there with `--dev`, and for callers on this machine only.
#[rustfmt::skip]
pub const DEVELOPMENT_ROUTES: &[Route] = &[
    Route { method: Method::POST, path: "/dev/token",                  takes: &[], pages: Pages::Own, handler: || post(dev::token) },
    Route { method: Method::GET,  path: "/dev/jwks.json",              takes: &[], pages: Pages::Own, handler: || get(dev::keys) },
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

/// The whole server as one service.
pub fn build(app: &AppState) -> Router {
    guarded(app, handlers(app))
}

/// The handlers of the table, without any guard.
fn handlers(app: &AppState) -> Router<AppState> {
    routes(app).fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)())
    })
}

/// Puts the guard and the middleware around handlers, and gives everything else an answer in words.
pub fn guarded(app: &AppState, handlers: Router<AppState>) -> Router {
    let inner = handlers
        .fallback(|| async { unknown_path() })
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app.clone());
    middleware::apply(inner, app.clone())
}

/// Looks up what the matched route takes and lets nobody in who does not bring it.
async fn guard(
    State(app): State<AppState>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(path) = path else {
        return unknown_path().into_response();
    };
    let method = match *request.method() {
        Method::HEAD => &Method::GET,
        ref method => method,
    };
    let listed = routes(&app).find(|route| route.method == method && route.path == path.as_str());
    let Some(route) = listed else {
        let is_path_listed = routes(&app).any(|route| route.path == path.as_str());
        return if is_path_listed {
            unknown_method(&app, path.as_str())
        } else {
            tracing::error!(
                path = path.as_str(),
                "a handler is missing in the route table"
            );
            unknown_path().into_response()
        };
    };
    if !route.takes.is_empty()
        && let Err(error) = caller::admit(&app, route.takes, &mut request).await
    {
        let is_exchange =
            route.takes.contains(&Takes::SubjectToken) && body::is_form(request.headers());
        return if is_exchange {
            error.into_oauth_response()
        } else {
            error.into_response()
        };
    }
    let trace = request.extensions().get::<Caller>().map(Caller::trace);
    let mut response = next.run(request).await;
    if let Some(trace) = trace
        && response.extensions().get::<ErrorReport>().is_some()
    {
        response.extensions_mut().insert(trace);
    }
    response
}

/// The answer to a path that does not exist.
pub(crate) fn unknown_path() -> ApiError {
    ApiError::not_found("there is nothing at this address; the README lists the server's addresses")
        .with_code("unknown_path")
}

fn unknown_method(app: &App, path: &str) -> Response {
    let methods = allowed_methods(app, path);
    let error = ApiError::method_not_allowed(format!("this address takes {methods} only"));
    let mut response = error.into_response();
    if let Ok(methods) = HeaderValue::try_from(methods) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// The methods that a path of the table takes, as the `Allow` header names them.
pub(crate) fn allowed_methods(app: &App, path: &str) -> String {
    let mut methods: Vec<&str> = routes(app)
        .filter(|route| route.path == path)
        .map(|route| route.method.as_str())
        .collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

fn get<T: 'static, H: Handler<T, AppState>>(handler: H) -> MethodRouter<AppState> {
    on(MethodFilter::GET, handler)
}

fn post<T: 'static, H: Handler<T, AppState>>(handler: H) -> MethodRouter<AppState> {
    on(MethodFilter::POST, handler)
}

fn delete<T: 'static, H: Handler<T, AppState>>(handler: H) -> MethodRouter<AppState> {
    on(MethodFilter::DELETE, handler)
}

fn put<T: 'static, H: Handler<T, AppState>>(handler: H) -> MethodRouter<AppState> {
    on(MethodFilter::PUT, handler)
}
