//! The only map from errors of other crates to HTTP statuses: one impl for each of their error types.

use std::time::Duration;

use auth::{Reason, Refusal, Rejection};
use engine::{
    Words,
    ports::{Interrupted, ModelError},
};
use protocol::{RequestError, hosted::ParameterError};
use upstream::relay::RelayError;

use crate::error::ApiError;

/// When to try again after the store was busy.
const BUSY_RETRY: Duration = Duration::from_secs(1);

impl From<engine::Error> for ApiError {
    fn from(error: engine::Error) -> Self {
        use engine::Error;
        let message = error.message();
        match error {
            Error::NotFound | Error::NoSuchFile => Self::not_found(message),
            Error::Invalid { param, .. } => Self::bad_request(message).with_optional_param(param),
            Error::Conflict(_) => Self::conflict(message),
            Error::ActionFailed => Self::conflict(message).with_code("action_failed"),
            Error::ThreadBusy(_) => Self::conflict(message).with_code("thread_busy"),
            Error::NoRun => Self::not_found(message).with_code("run_not_found"),
            Error::NotQueued => Self::not_found(message).with_code("not_queued"),
            Error::KeyReused => Self::unprocessable(message).with_code("idempotency_key_reused"),
            Error::KeyTaken => Self::conflict(message).with_code("request_in_progress"),
            Error::UnknownWorkflow { .. } => Self::not_found(message)
                .with_code("workflow_not_found")
                .with_param("workflow"),
            Error::Unsupported(_) => Self::bad_request(message).with_code("unsupported_request"),
            Error::Agent(cause) => Self::agent_failed(message, cause),
            Error::UploadsDisabled => {
                Self::bad_request(message).with_code("chatkit.file_upload_disabled")
            }
            Error::Upload(reason) => match reason {
                Interrupted::WrongType => {
                    Self::bad_request(message).with_code("chatkit.file_upload_type_rejected")
                }
                Interrupted::TooLarge { .. } => Self::file_too_large(message),
                Interrupted::TooSlow => Self::too_slow(),
                Interrupted::BrokeOff => Self::bad_request(message),
            },
            Error::UploadQuota(_) => {
                Self::bad_request(message).with_code("chatkit.file_upload_limit_reached")
            }
            Error::Storage(cause) => Self::internal(cause),
            Error::Busy(cause) => Self::unavailable(message, BUSY_RETRY).with_cause(cause),
            Error::Internal(cause) => Self::internal(cause),
            Error::MessageQuota { .. } => {
                Self::conflict(message).with_code("storage_limit_reached")
            }
            Error::StorageFull(cause) => Self::cannot_store("storage_full", message, cause),
            Error::StorageLost(cause) => Self::cannot_store("storage_lost", message, cause),
        }
    }
}

/// A store that does not answer says nothing about the credential, so this is never a 401.
impl From<auth::ports::StoreError> for ApiError {
    fn from(error: auth::ports::StoreError) -> Self {
        use auth::ports::StoreError;
        match error {
            StoreError::Unavailable(_) => {
                Self::unavailable(Words::StoreBusy, BUSY_RETRY).with_cause(error)
            }
            StoreError::Full(_) => {
                Self::cannot_store("storage_full", Words::NoRoomForSession, error)
            }
            StoreError::Lost(_) => {
                Self::cannot_store("storage_lost", Words::NoDatabaseForSession, error)
            }
            StoreError::Conflict | StoreError::Internal(_) => Self::internal(error),
        }
    }
}

/// Statuses for the reasons of `auth`; nothing in that crate knows about HTTP.
impl From<auth::Error> for ApiError {
    fn from(error: auth::Error) -> Self {
        use auth::Error;
        let message = error.to_string();
        match error {
            Error::Malformed(_) => Self::bad_credentials_request(message),
            Error::Invalid(rejection) => refused(*rejection, message),
            Error::Forbidden(refusal) => match *refusal {
                Refusal::Origin(refusal) => Self::origin_refused(message).with_origin(refusal),
                Refusal::UserIdMismatch => Self::forbidden("user_id_mismatch", message),
                Refusal::Denied(_) => Self::forbidden("entry_denied", message),
                Refusal::ServerKeyInBrowser => Self::forbidden("server_key_in_browser", message),
            },
            Error::Unavailable {
                message: cause,
                retry_after,
            } => {
                let seconds = retry_after.as_secs().max(1);
                Self::unavailable(Words::SignInUnchecked { seconds }, retry_after).with_cause(cause)
            }
            Error::Storage(error) => error.into(),
            // What the caller of a function got wrong is our defect here: handlers pass no free text.
            Error::Unusable(_) | Error::Internal(_) => Self::internal(error),
        }
    }
}

fn refused(rejection: Rejection, message: String) -> ApiError {
    let refusal = match rejection.reason() {
        Reason::WrongKind => ApiError::wrong_credential_kind(message),
        reason => ApiError::invalid_credential(message).with_code(reason.code()),
    };
    refusal.with_rejection(rejection)
}

impl From<RelayError> for ApiError {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Invalid { message, param } => {
                Self::bad_request(message).with_optional_param(param)
            }
            RelayError::Model(error) => of_model(error),
        }
    }
}

fn of_model(error: ModelError) -> ApiError {
    let retry = Duration::from_secs(5);
    match error {
        ModelError::TooLong(_) => {
            ApiError::bad_request("the messages are too long for the model; send fewer")
        }
        ModelError::Declined(_) => ApiError::bad_request("the model declined to answer this"),
        ModelError::RateLimited(_) => ApiError::too_many(
            "the model takes no more requests for the moment; try again in a little while",
            retry,
        ),
        ModelError::Unavailable(_) | ModelError::TimedOut => {
            ApiError::unavailable("the model is out of reach; try again in a moment", retry)
        }
        ModelError::Misconfigured(_) | ModelError::Malformed(_) => ApiError::bad_gateway(
            "the model gave no usable answer; the operator finds the reason in the server's log",
            "see the cause",
        ),
    }
    .with_cause(error)
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let param = error.param().map(str::to_owned);
        let code = error.code();
        let error = match error {
            RequestError::TooLarge { limit } => Self::too_large(limit),
            error => Self::bad_request(error.to_string()).with_code(code),
        };
        error.with_optional_param(param)
    }
}

impl From<ParameterError> for ApiError {
    fn from(error: ParameterError) -> Self {
        Self::bad_request(error.to_string())
            .with_code(error.code())
            .with_optional_param(error.param())
    }
}

/// What OpenAI's sessions API said, where door 1's secrets come from there.
impl From<upstream::Error> for ApiError {
    fn from(error: upstream::Error) -> Self {
        use upstream::Error;
        let retry = Duration::from_secs(5);
        match error {
            Error::Refused { message } => Self::bad_request(message),
            Error::RateLimited { retry_after } => Self::too_many(
                "OpenAI takes no more sessions for the moment; try again later",
                retry_after.unwrap_or(retry),
            ),
            Error::Unavailable(_) => {
                Self::unavailable("OpenAI cannot be reached; try again later", retry)
                    .with_cause(error)
            }
            Error::Configuration { .. } | Error::Malformed(_) => Self::bad_gateway(
                "OpenAI did not open a session; the operator finds the reason in the server's log",
                error,
            ),
        }
    }
}
