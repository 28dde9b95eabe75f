//! `GET /.well-known/jwks.json`: the public half of the key that signs the users' identity for MCP
//! servers.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::app::AppState;

/// `GET /.well-known/jwks.json`
pub(crate) async fn keys(State(app): State<AppState>) -> Response {
    let mut response = Json(app.signer.jwks()).into_response();
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    response
}
