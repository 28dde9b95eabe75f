//! Liveness and readiness, for whoever watches the process.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{app::AppState, error::ApiError};

/// `GET /healthz`: the process answers.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can also do its work, as far as that can be told without doing any.
pub(crate) async fn ready(State(app): State<AppState>) -> Result<Response, ApiError> {
    app.credentials.list_refusals().await?;
    Ok(Json(json!({ "status": "ready" })).into_response())
}
