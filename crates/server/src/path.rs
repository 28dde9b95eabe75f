//! What stands at the placeholders of a path.

use axum::extract::{FromRequestParts, Path as AxumPath};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// axum's `Path`, with a refusal in our form. What is no text, or not of the wanted type, names
/// nothing that is here.
pub(crate) struct Path<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        AxumPath::from_request_parts(parts, state)
            .await
            .map(|AxumPath(names)| Self(names))
            .map_err(|rejection| ApiError::unknown_path(None).with_cause(rejection))
    }
}
