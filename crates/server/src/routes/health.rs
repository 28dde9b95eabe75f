//! Liveness and readiness, for whoever watches the process.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Version, header};
use serde_json::json;

use crate::{app::AppState, client_ip::is_on_this_machine, readiness::Found};

/// `GET /healthz`: the process answers.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can also do its work. What is wrong is told to this machine only: it names issuers and files.
pub(crate) async fn ready(
    State(app): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    version: Version,
    headers: HeaderMap,
) -> Response {
    let Found { problems, remarks } = app.readiness.found(&app).await;
    let (status, mut body) = if problems.is_empty() {
        (StatusCode::OK, json!({ "status": "ready" }))
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "not ready" }),
        )
    };
    if is_on_this_machine(peer.ip(), version, &headers) {
        for (name, words) in [("problems", problems), ("remarks", remarks)] {
            if !words.is_empty() {
                body[name] = json!(words);
            }
        }
    }
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        http::HeaderValue::from_static("no-store"),
    );
    response
}
