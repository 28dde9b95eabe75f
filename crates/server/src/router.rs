//! Every address of the server, in one table, with who may call it.
//!
//! The table is data: axum's router is built from it, the guard reads it, preflights are answered
//! from it, and the tests walk over it. What is not in it does not exist: a handler can only be
//! reached by a row, and a row says what it takes.

use std::sync::Arc;

use axum::{
    handler::Handler,
    middleware::from_fn_with_state,
    routing::{MethodFilter, MethodRouter, on},
};
use http::{Method, Uri};

use crate::{
    address::{Address, Pages, Takes},
    app::{App, AppState},
    around::{Entrance, Guard, around, guard},
    error::ApiError,
    routes::{
        assets, backchannel_logout, chat, dev, domain_keys, door, files, health,
        hosted::{sessions, threads},
        jwks, me, page, welcome,
    },
};

/// One address.
pub struct Route {
    /// The method; GET answers HEAD as well.
    pub method: Method,
    /// The path as axum writes it: `{name}` for a segment, `{*name}` for the rest.
    pub path: &'static str,
    /// Credentials, any one of which opens it. Empty in the public tables only.
    pub takes: &'static [Takes],
    /// Pages that may read the answers.
    pub pages: Pages,
    /// Answers requests that were admitted.
    pub(crate) handler: fn(MethodFilter) -> MethodRouter<AppState>,
}

/// A handler as the table holds it.
macro_rules! handler {
    ($handler:path) => {
        |method| on(method, $handler)
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

/// What is at `/` where the demo page is not.
#[rustfmt::skip]
pub const WELCOME_ROUTES: &[Route] = &[
    Route { method: Method::GET,  path: "/",                           takes: &[], pages: Pages::Own, handler: handler!(welcome::index) },
];

/// There with `--dev`: the development issuer, for callers on this machine only, and the gallery.
#[rustfmt::skip]
pub const DEVELOPMENT_ROUTES: &[Route] = &[
    Route { method: Method::GET,  path: "/chatkit/gallery",            takes: &[], pages: Pages::Own, handler: handler!(page::gallery) },
    Route { method: Method::POST, path: "/dev/token",                  takes: &[], pages: Pages::Own, handler: handler!(dev::token) },
    Route { method: Method::GET,  path: "/dev/jwks.json",              takes: &[], pages: Pages::Own, handler: handler!(dev::keys) },
];

/// The routes of this server, as it is configured.
pub(crate) fn routes(app: &App) -> impl Iterator<Item = &'static Route> {
    let demo = if app.demo.is_some() {
        DEMO_ROUTES
    } else {
        WELCOME_ROUTES
    };
    let development = if app.development.is_some() {
        DEVELOPMENT_ROUTES
    } else {
        &[]
    };
    [ROUTES, PUBLIC_ROUTES, demo, development]
        .into_iter()
        .flatten()
}

/// The table as an axum router: a guard in front of each handler, and [`around`] in front of each
/// path, the unknown ones included. Layers of others go on top of it.
pub fn router(app: &AppState) -> axum::Router {
    let mut by_path: Vec<(&'static str, Vec<&'static Route>)> = Vec::new();
    for route in routes(app) {
        match by_path.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, routes)) => routes.push(route),
            None => by_path.push((route.path, vec![route])),
        }
    }
    let entrance = |address| {
        let app = app.clone();
        from_fn_with_state(Entrance { app, address }, around)
    };
    let known: Arc<[&str]> = by_path.iter().map(|(path, _)| *path).collect();
    let nowhere = async move |uri: Uri| ApiError::unknown_path(meant(&known, uri.path()));
    let nowhere = nowhere.layer(entrance(None));
    let mut router = axum::Router::new().fallback_service(nowhere.with_state(()));
    for (path, routes) in by_path {
        let listed: Vec<&Method> = routes.iter().map(|route| &route.method).collect();
        // One path has one kind of pages, whatever the method.
        let pages = routes.first().map_or(Pages::Own, |route| route.pages);
        let address = Arc::new(Address::new(path, pages, &listed));
        let refused = address.clone();
        let methods = routes
            .into_iter()
            .map(|route| guarded(app, route))
            .fold(MethodRouter::new(), MethodRouter::merge)
            .fallback(move || async move { refused.unknown_method() })
            .layer(entrance(Some(address)));
        router = router.route(path, methods);
    }
    router.with_state(app.clone())
}

/// The path of the table that was meant, where only its slashes are wrong. It is named and not served: a proxy that lets
/// nobody to a path would be gone around by another way to write it.
fn meant(known: &[&'static str], path: &str) -> Option<&'static str> {
    let segments = |path| str::split(path, '/').filter(|segment: &&str| !segment.is_empty());
    known.iter().copied().find(|known| {
        let is_same = |(known, asked): (&str, &str)| known == asked || known.starts_with('{');
        segments(known).count() == segments(path).count()
            && segments(known).zip(segments(path)).all(is_same)
            && !known.contains("{*")
    })
}

/// A row's handler behind its guard.
fn guarded(app: &AppState, route: &'static Route) -> MethodRouter<AppState> {
    let Ok(method) = MethodFilter::try_from(route.method.clone()) else {
        // A method that axum does not route reaches nothing; the test that walks the table sees it.
        return MethodRouter::new();
    };
    let app = app.clone();
    let takes = route.takes;
    (route.handler)(method).route_layer(from_fn_with_state(Guard { app, takes }, guard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_whose_slashes_are_wrong_is_known() {
        let known = [
            "/",
            "/api/chat",
            "/v1/chatkit/threads/{thread_id}",
            "/chatkit/{*path}",
        ];
        for (asked, expected) in [
            ("/api/chat/", Some("/api/chat")),
            ("//api/chat", Some("/api/chat")),
            ("/api//chat//", Some("/api/chat")),
            ("//", Some("/")),
            (
                "/v1/chatkit/threads/thr_1/",
                Some("/v1/chatkit/threads/{thread_id}"),
            ),
            ("/api/chats", None),
            ("/api", None),
            ("/api/chat/x", None),
            ("/chatkit//x", None),
        ] {
            assert_eq!(meant(&known, asked), expected, "{asked}");
        }
    }
}
