//! The hosted API under `/v1/chatkit`, for the operator's own servers: what the official SDKs call.
//!
//! Shapes, bounds and errors are OpenAI's (`protocol::hosted`); a key sees its project and nothing
//! else.

pub(crate) mod sessions;
pub(crate) mod threads;

use axum::extract::FromRequestParts;
use http::{HeaderName, request::Parts};

use crate::error::ApiError;

const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");
/// Which beta this is. The header may name others beside it.
const CHATKIT_BETA: &str = "chatkit_beta=v1";

/// The header by which callers of the hosted API say that they know its form may change.
pub(crate) struct Beta;

impl<S: Sync> FromRequestParts<S> for Beta {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let is_named = parts
            .headers
            .get_all(OPENAI_BETA)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|beta| beta.trim() == CHATKIT_BETA);
        if is_named {
            return Ok(Self);
        }
        Err(ApiError::bad_request(
            "You must provide the 'OpenAI-Beta' header to access the Chatkit API. Please try again by setting the \
             header 'OpenAI-Beta: chatkit_beta=v1'.",
        )
        .with_code("invalid_beta"))
    }
}

/// 404 in the hosted API's words, which have no code.
fn not_found(message: String) -> ApiError {
    ApiError::not_found(message).with_code(None)
}
