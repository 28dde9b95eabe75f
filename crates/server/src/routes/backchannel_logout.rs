//! `POST /api/chatkit/backchannel-logout`: an issuer says that somebody has signed out (OIDC
//! Back-Channel Logout 1.0).
//!
//! The token is the credential, so the address is public. What it ends: the chat sessions of that
//! login, and with them their streams, and whatever is remembered about the login's tokens and
//! cookies.

use auth::{
    audit::{Actor, AuditEvent, AuditRecord},
    ports::EndReason,
};
use axum::{extract::State, response::Response};
use http::StatusCode;

use crate::{app::AppState, body::Form, error::ApiError};

/// The handler.
pub(crate) async fn sign_out(State(app): State<AppState>, form: Form) -> Response {
    match carry_out(&app, &form).await {
        Ok(()) => axum::response::IntoResponse::into_response(StatusCode::OK),
        Err(error) => error.into_oauth_response(),
    }
}

async fn carry_out(app: &AppState, form: &Form) -> Result<(), ApiError> {
    let token = form.get("logout_token")?.ok_or_else(|| {
        ApiError::bad_request("`logout_token` is missing; send it as a form field")
    })?;
    let now = app.now();
    let (sign_out, ended) = app.issuers.sign_out(token, &*app.credentials, now).await?;
    app.logins.forget(&sign_out);
    if ended > 0 {
        let event = AuditEvent::SessionEnded {
            reason: EndReason::Revoked,
            sessions: ended,
        };
        let actor = Actor::Issuer(sign_out.issuer.clone());
        app.audit
            .record(AuditRecord::new(now.wall, event).by(actor));
    }
    tracing::info!(
        issuer = sign_out.issuer,
        ended,
        "an issuer signed somebody out"
    );
    Ok(())
}
