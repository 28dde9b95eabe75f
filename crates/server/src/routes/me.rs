//! `GET /api/chatkit/me`: who the server thinks you are. For debugging a sign-in, and for pages
//! that want to show it.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::caller::Caller;

#[derive(Serialize)]
struct Me<'a> {
    issuer: &'a str,
    user_id: &'a str,
    environment: &'a str,
    /// Unix seconds at which the credential ends.
    expires_at: i64,
}

/// `GET /api/chatkit/me`
pub(crate) async fn me(caller: Caller) -> Response {
    let identity = caller.identity();
    Json(Me {
        issuer: identity.issuer(),
        user_id: identity.subject(),
        environment: identity.environment().as_str(),
        expires_at: identity.expires_at().seconds(),
    })
    .into_response()
}
