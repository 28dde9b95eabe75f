//! The one error of this crate, by what the caller can do about it.

use std::time::Duration;

use crate::{
    bearer::BearerError,
    origin_refusal::OriginRefusal,
    ports::{Cause, RandomError, StoreError},
    rejection::{Reason, Rejection},
};

/// Why somebody may not enter, or why that cannot be decided.
///
/// The texts of the first four are meant for whoever sent the request; the others are for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request presents its credentials in a way that cannot be understood (400).
    #[error(transparent)]
    Malformed(#[from] BearerError),
    /// The credential is not accepted; another one might be (401).
    #[error("{0}")]
    Invalid(Box<Rejection>),
    /// The credential is good, but not for this (403).
    #[error("{0}")]
    Forbidden(Box<Refusal>),
    /// It cannot be decided now; the same request may work after the pause (503).
    #[error("sign-in cannot be checked at the moment; try again in {} s", .retry_after.as_secs().max(1))]
    Unavailable {
        /// What happened, for the log.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The caller asked for something that cannot be: a wrong value in a command or in the
    /// configuration.
    #[error("{0}")]
    Unusable(String),
    /// Something is broken on this side (500).
    #[error("the credential cannot be checked or made")]
    Internal(#[source] Cause),
    /// Nothing can be written down any more: [`StoreError::Full`] or [`StoreError::Lost`].
    #[error(transparent)]
    Storage(StoreError),
}

/// Why a good credential may not be used for this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The page that sent the request may not use this server.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// `X-User-Id` names somebody else than the credential.
    #[error(
        "X-User-Id does not name the user of the credential; leave the header out, or send the token's subject"
    )]
    UserIdMismatch,
    /// A rule of the configuration keeps this login out; the sentence is the operator's.
    #[error("{0}")]
    Denied(String),
    /// A page sent a server key.
    #[error(
        "server keys must never be used in a browser; revoke this one, make another, and keep it on the server"
    )]
    ServerKeyInBrowser,
}

impl From<OriginRefusal> for Error {
    fn from(refusal: OriginRefusal) -> Self {
        Refusal::Origin(refusal).into()
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::Invalid(Box::new(reason.into()))
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Invalid(Box::new(rejection))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Forbidden(Box::new(refusal))
    }
}

impl From<RandomError> for Error {
    fn from(error: RandomError) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Unavailable {
                message: format!("the credential store is unavailable: {cause}"),
                retry_after: Duration::from_secs(1),
            },
            StoreError::Full(_) | StoreError::Lost(_) => Self::Storage(error),
            StoreError::Conflict | StoreError::Internal(_) => Self::Internal(Box::new(error)),
        }
    }
}
