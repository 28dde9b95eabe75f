//! `POST /api/chatkit/start` in the form of OAuth's token exchange (RFC 8693), for callers who have a
//! library for that: the user's token comes as `subject_token`, the client secret goes as
//! `access_token`.
//!
//! It is the same door with the same checks; only the spelling of request, answer and errors is
//! another (RFC 8693 §2, RFC 6749 §5.2).

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde::Serialize;

use crate::{body::Form, error::ApiError};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What a user's token may be called; which tokens are believed is the issuers' configuration.
const SUBJECT_TOKEN_TYPES: [&str; 3] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
    ACCESS_TOKEN,
];

/// A request that was understood.
#[derive(Clone)]
pub(crate) struct TokenExchange {
    /// The user's token.
    pub(crate) subject_token: SecretString,
    /// The workflow that is asked for.
    pub(crate) audience: Option<String>,
}

impl TokenExchange {
    /// Reads the fields of a form.
    pub(crate) fn parse(form: &Form) -> Result<Self, ApiError> {
        if form.looks_like_json() {
            return Err(ApiError::bad_request(
                "this body looks like JSON and is called a form; send `Content-Type: application/json`",
            ));
        }
        let required = |name: &'static str| {
            form.get(name)?.ok_or_else(|| {
                ApiError::bad_request(format!("`{name}` is missing (RFC 8693 §2.1)"))
                    .with_param(name)
            })
        };
        if required("grant_type")? != GRANT_TYPE {
            return Err(
                ApiError::bad_request(format!("`grant_type` must be {GRANT_TYPE}"))
                    .with_code("unsupported_grant_type"),
            );
        }
        if !SUBJECT_TOKEN_TYPES.contains(&required("subject_token_type")?) {
            return Err(ApiError::bad_request(format!(
                "`subject_token_type` must be one of {}",
                SUBJECT_TOKEN_TYPES.join(", ")
            )));
        }
        if form
            .get("requested_token_type")?
            .is_some_and(|kind| kind != ACCESS_TOKEN)
        {
            return Err(ApiError::bad_request(format!(
                "`requested_token_type` can be {ACCESS_TOKEN} only"
            )));
        }
        if form.get("actor_token")?.is_some() {
            return Err(ApiError::bad_request(
                "`actor_token` is not supported: a chat session belongs to one user",
            ));
        }
        if form.get("resource")?.is_some() {
            return Err(ApiError::bad_request(
                "`resource` is not supported; name the workflow as `audience`, or leave both out",
            )
            .with_code("invalid_target"));
        }
        Ok(Self {
            subject_token: required("subject_token")?.to_owned().into(),
            audience: form.get("audience")?.map(str::to_owned),
        })
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    issued_token_type: &'static str,
    token_type: &'static str,
    /// Seconds from now.
    expires_in: u64,
}

/// The answer with a client secret (RFC 8693 §2.2.1).
pub(crate) fn answer(client_secret: &str, expires_in: u64) -> Response {
    Json(Answer {
        access_token: client_secret,
        issued_token_type: ACCESS_TOKEN,
        token_type: "Bearer",
        expires_in,
    })
    .into_response()
}
