//! Domain keys: an element asks on load whether its page may use this server, so that a refusal is
//! seen at once and in words.
//!
//! This protects nothing by itself (the key is public, and an element can be told not to ask); the
//! allowlist is enforced on every request.

use auth::{InHand, Origin, Refusal};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::{App, AppState},
    body::JsonBody,
    caller::Caller,
    error::ApiError,
    in_hand,
};

#[derive(Deserialize)]
pub(crate) struct VerifyBody {
    domain_key: Option<String>,
    /// The page's public token, so that the advice fits it.
    client_token: Option<String>,
    domain: Option<String>,
}

/// `POST /v1/chatkit/domain_keys/verify`
pub(crate) async fn verify(
    State(app): State<AppState>,
    JsonBody(body): JsonBody<VerifyBody>,
) -> Result<Response, ApiError> {
    let domain = domain(&body)?;
    let Some(key) = body.domain_key.as_deref() else {
        // A page of the hosted doors has no key. When the server refuses it, the browser keeps the
        // reason from it; this address answers every page, so here it can be asked for.
        return match check_page(&app, body.client_token.as_deref(), domain).await {
            Ok(()) => Ok(verified()),
            Err(error) => Err(refused(error)),
        };
    };
    // On the developer's machine any key will do, as with the hosted service.
    let is_local = Origin::parse(domain).is_ok_and(|origin| origin.is_local());
    if is_local && !key.starts_with("dk_") {
        return Ok(Json(json!({
            "verified": true,
            "dev_local_warning": "pages on this machine need no domain key; elsewhere they do",
        }))
        .into_response());
    }
    match app.domains.verify_key(key, &[domain], app.now().wall).await {
        Ok(_environment) => Ok(verified()),
        Err(error) => Err(refused(error)),
    }
}

/// `POST /v1/chatkit/domain_keys/verify_hosted`
pub(crate) async fn verify_hosted(
    State(app): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<VerifyBody>,
) -> Result<Response, ApiError> {
    let domain = domain(&body)?;
    let in_hand = in_hand::of(&caller);
    match app.domains.check(&[domain], &in_hand, app.now().wall).await {
        Ok(_origin) => Ok(verified()),
        Err(error) => Err(refused(error)),
    }
}

/// Whether a page may use this server, with its public token if it has one.
async fn check_page(app: &App, token: Option<&str>, domain: &str) -> Result<(), auth::Error> {
    let (page, now) = (&[domain][..], app.now().wall);
    if let Some(token) = token {
        return app
            .public_tokens
            .authenticate(token, page, now)
            .await
            .map(drop);
    }
    match app.domains.check_preflight(page).await {
        Err(auth::Error::Forbidden(_)) => {
            let in_hand = InHand::Nothing(app.settings.environment);
            app.domains.check(page, &in_hand, now).await.map(drop)
        }
        checked => checked.map(drop),
    }
}

fn domain(body: &VerifyBody) -> Result<&str, ApiError> {
    body.domain.as_deref().ok_or_else(|| missing("domain"))
}

fn missing(param: &'static str) -> ApiError {
    ApiError::bad_request(format!("name the page's {param} in the body"))
        .with_code("missing_required_parameter")
        .with_param(param)
}

fn verified() -> Response {
    Json(json!({ "verified": true })).into_response()
}

/// Elements read a refusal as 400, whatever the reason; a store that is away stays a 503.
fn refused(error: auth::Error) -> ApiError {
    let message = error.to_string();
    let unverified = ApiError::bad_request(message)
        .with_code("domain_not_verified")
        .with_param("domain");
    match error {
        auth::Error::Forbidden(refusal) => match *refusal {
            Refusal::Origin(refusal) => unverified.with_origin(refusal),
            _ => unverified,
        },
        auth::Error::Invalid(_) | auth::Error::Malformed(_) => unverified,
        error => error.into(),
    }
}
