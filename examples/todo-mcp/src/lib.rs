//! A task list as an MCP server: tools that act for the person who is signed in to the chat.
//!
//! A request comes in at [`router`], [`identity`] finds out whose it is, [`tools`] is what the
//! model sees, [`page`] is what a page of the app sees, and [`tasks`] keeps the lists apart.

pub mod identity;
pub mod page;
pub mod tasks;
pub mod tools;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::identity::{Verifier, authenticate};
use crate::tasks::Tasks;
use crate::tools::TodoTools;

/// Largest MCP request, in bytes; the longest task is a small part of it.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The whole server: MCP at `/mcp` for tokens of Vestibule, `/healthz`, and `/tasks` for tokens of
/// the app's own login, when it is given.
///
/// `host` is the `host:port` that clients use; MCP requests for other hosts are refused, so that a
/// web page cannot reach a server on this machine by way of a name of its own (DNS rebinding).
pub fn router(
    tasks: Arc<Tasks>,
    vestibule: Verifier,
    login: Option<Verifier>,
    host: &str,
) -> Router {
    let config = StreamableHttpServerConfig::default()
        // No sessions: every request proves on its own who asks.
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts([host])
        .enforce_origin_validation()
        .with_max_request_body_bytes(MAX_REQUEST_BYTES);
    let mcp = StreamableHttpService::new(
        {
            let tasks = Arc::clone(&tasks);
            move || Ok(TodoTools::new(Arc::clone(&tasks)))
        },
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let behind = |verifier| from_fn_with_state(Arc::new(verifier), authenticate);
    let mut router = Router::new()
        .nest_service("/mcp", mcp)
        .layer(behind(vestibule));
    if let Some(login) = login {
        router = router.route(
            "/tasks",
            get(page::list).layer(behind(login)).with_state(tasks),
        );
    }
    router.route("/healthz", get(|| async { "ok" }))
}
