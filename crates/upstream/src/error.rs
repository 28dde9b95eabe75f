//! Why a call to another service failed, by what the caller can do about it.
//!
//! Models and tools have error types of their own in the engine's ports; this one is for the rest:
//! building clients, checking addresses, and minting sessions elsewhere.

use std::time::Duration;

/// The cause of a failure, for the log only.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a call to another service failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator has to change the configuration; the message says what.
    #[error("{message}")]
    Configuration {
        /// What to change, in words; never holds a credential.
        message: String,
    },
    /// The other side refuses this request, and would refuse it again.
    #[error("{message}")]
    Refused {
        /// What was refused, in words; never holds a credential.
        message: String,
    },
    /// The other side asks us to slow down.
    #[error("the service's rate limit was reached; try again later")]
    RateLimited {
        /// How long to wait, where the service said so.
        retry_after: Option<Duration>,
    },
    /// Out of reach, too slow or failing; trying again may help.
    #[error("the service is unavailable; try again later")]
    Unavailable(#[source] Cause),
    /// The answer was not what the service promises.
    #[error("the service's answer could not be read")]
    Malformed(#[source] Cause),
}
