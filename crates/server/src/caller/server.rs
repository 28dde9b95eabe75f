//! The operator's own servers: from a server key to a [`ServerCaller`].
//!
//! The errors are in the hosted API's words, because its SDKs are what calls here.

use std::sync::Arc;

use auth::{
    Error, Identity, Refusal, Rejection, UnixTime,
    bearer::server_key,
    credential::{Kind, classify},
    ports::ServerKeyRecord,
    server_key::{issuer_of, user_of},
};
use axum::extract::FromRequestParts;
use engine::{Owner, Project};
use http::{header, request::Parts};

use crate::{
    caller::{Admission, proof, texts},
    error::ApiError,
};

/// Proof that a request comes from a server of the operator. Made by [`admit`] only.
#[derive(Clone)]
pub(crate) struct ServerCaller {
    key: Arc<ServerKeyRecord>,
    project: Project,
}

impl ServerCaller {
    /// The key that was shown.
    pub(crate) fn key(&self) -> &ServerKeyRecord {
        &self.key
    }

    /// Everybody whom the key speaks for.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// One of them, by the server's own name.
    pub(crate) fn user(&self, name: &str, expires_at: UnixTime) -> Result<Identity, Error> {
        user_of(&self.key, name, expires_at)
    }

    /// Whose threads that user's are.
    pub(crate) fn owner(&self, name: &str, now: UnixTime) -> Result<Owner, Error> {
        Ok(Owner::new(self.user(name, now)?.owner_key()))
    }
}

impl<S: Sync> FromRequestParts<S> for ServerCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        proof(parts)
    }
}

/// Checks the server key of a request. What is spelled like a credential of ours has to be one; any
/// other text may have been imported, and costs one lookup.
pub(super) async fn admit(admission: &Admission<'_>) -> Result<ServerCaller, ApiError> {
    let authorization = texts(admission.headers, &header::AUTHORIZATION);
    let shown = server_key(&authorization).map_err(Error::from)?;
    let Some(shown) = shown else {
        return Err(ApiError::unauthenticated(
            "Missing bearer or basic authentication in header: this address needs a server key as `Authorization: Bearer`",
        )
        .with_code(None));
    };
    match classify(shown).map_err(|rejection| incorrect(&rejection))? {
        Kind::ServerKey | Kind::Jwt if admission.page.is_present() => {
            return Err(Error::from(Refusal::ServerKeyInBrowser).into());
        }
        Kind::ServerKey | Kind::Jwt => {}
        kind => return Err(admission.wrong_kind(kind)),
    }
    let page = admission.page.values();
    match admission.app.server_keys.authenticate(shown, &page).await {
        Ok(key) => Ok(ServerCaller {
            project: Project::new(issuer_of(&key)),
            key: Arc::new(key),
        }),
        Err(Error::Invalid(rejection)) => Err(incorrect(&rejection)),
        Err(error) => Err(error.into()),
    }
}

fn incorrect(rejection: &Rejection) -> ApiError {
    let code = rejection.reason().code();
    tracing::info!(reason = code, "a server key was refused");
    ApiError::invalid_credential(format!(
        "Incorrect API key provided: {rejection}. `vestibule key list` shows this server's keys."
    ))
    .with_code("invalid_api_key")
}
