//! `GET /tasks`: the signed-in person's list as JSON, for a page that shows it beside the chat.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use crate::identity::Caller;
use crate::tasks::{Filter, Tasks};

/// `{"tasks":[…]}` in the order of their numbers.
pub(crate) async fn list(
    State(tasks): State<Arc<Tasks>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    match tokio::task::spawn_blocking(move || tasks.list(caller.owner(), Filter::All)).await {
        Ok(Ok(tasks)) => (
            [(header::CACHE_CONTROL, "no-store")],
            Json(json!({ "tasks": tasks })),
        )
            .into_response(),
        Ok(Err(error)) => {
            tracing::error!(?error, "the database failed");
            (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
