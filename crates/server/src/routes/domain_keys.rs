//! Domain keys: an element asks on load whether its page may use this server, so that a refusal is
//! seen at once and in words.
//!
//! This protects nothing by itself (the key is public, and an element can be told not to ask); the
//! allowlist is enforced on every request.

use auth::Origin;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use crate::{app::AppState, body::JsonBody, caller::Caller, error::ApiError};

#[derive(Deserialize)]
pub(crate) struct VerifyBody {
    domain_key: Option<String>,
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
        return match app.domains.check_preflight(&[domain]).await {
            Ok(_origin) => Ok(verified()),
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
    let environment = caller.identity().environment();
    match app
        .domains
        .check(&[domain], environment, app.now().wall)
        .await
    {
        Ok(_origin) => Ok(verified()),
        Err(error) => Err(refused(error)),
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
    match error {
        auth::Error::Invalid(_) | auth::Error::Forbidden(_) | auth::Error::Malformed(_) => {
            ApiError::bad_request(error.to_string())
                .with_code("domain_not_verified")
                .with_param("domain")
        }
        error => error.into(),
    }
}
