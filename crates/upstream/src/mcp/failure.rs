//! What went wrong with a tool server, for the log, and nothing of what the server said.
//!
//! The library's errors repeat bodies, messages and answers, and all of that may be a person's data.
//! So each error is told in words of ours: what kind it is, a status, a number.

use std::{error::Error, fmt};

use reqwest::StatusCode;
use rmcp::{
    ServiceError, service::ClientInitializeError,
    transport::streamable_http_client::StreamableHttpError,
};

use super::{
    result::cut,
    transport::{self, TransportError, Unsent},
};

/// The longest address that is told, in characters.
const MAX_ADDRESS_CHARS: usize = 300;

/// What went wrong, in words that hold nothing of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    words: String,
}

/// What an operator can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It wants a credential, or another one (401).
    Unauthorized,
    /// It does not answer at this path, or not to a message.
    NotThere,
    /// What answers is something else.
    NotMcp,
    /// It speaks the transport that streamable HTTP has replaced.
    OldTransport,
    /// Nothing answers at this address.
    Unreachable,
    /// Its program cannot be started, or ends at once.
    Program,
    /// It took too long.
    TimedOut,
    /// A user's own token would be needed, or another one.
    NeedsUser,
    /// Anything else.
    Other,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words)
    }
}

impl Failure {
    fn new(kind: FailureKind, words: impl Into<String>) -> Self {
        Self {
            kind,
            words: words.into(),
        }
    }

    fn other(words: impl Into<String>) -> Self {
        Self::new(FailureKind::Other, words)
    }

    /// A program that is of no use.
    pub(super) fn program(words: impl Into<String>) -> Self {
        Self::new(FailureKind::Program, words)
    }

    /// The transport of the revision of 2024-11-05: a stream of events that names another address to post to.
    pub(super) fn old_transport() -> Self {
        Self::new(
            FailureKind::OldTransport,
            "that is the old HTTP+SSE transport, which is not spoken here; use the server's address for streamable \
             HTTP, most often …/mcp",
        )
    }

    /// Whether whatever else is asked would come to the same: nobody is there, or our credential is not taken.
    pub(super) fn is_of_everything(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Unauthorized | FailureKind::Unreachable
        )
    }

    /// Whether an address that something else answers at may be one of the old transport.
    pub(super) fn may_be_old_transport(&self) -> bool {
        matches!(self.kind, FailureKind::NotThere | FailureKind::NotMcp)
    }
}

/// Why a call or a list failed.
pub(super) fn of_service(error: &ServiceError) -> Failure {
    match error {
        ServiceError::McpError(error) => of_answer(error.code.0),
        ServiceError::TransportSend(error) => of_transport(error.error.as_ref()),
        ServiceError::TransportClosed => Failure::other("the connection was closed"),
        ServiceError::UnexpectedResponse => {
            Failure::other("the answer belongs to another question")
        }
        ServiceError::Timeout { timeout } => Failure::new(
            FailureKind::TimedOut,
            format!("no answer within {} s", timeout.as_secs_f32()),
        ),
        ServiceError::Cancelled { .. } => Failure::other("it was cancelled"),
        _ => Failure::other(UNKNOWN),
    }
}

/// Why a session could not be opened.
pub(super) fn of_opening(error: &ClientInitializeError) -> Failure {
    match error {
        ClientInitializeError::ExpectedInitResponse(_)
        | ClientInitializeError::ExpectedInitResult(_)
        | ClientInitializeError::ConflictInitResponseId(..)
        | ClientInitializeError::UncorrelatedErrorResponse { .. } => {
            Failure::new(FailureKind::NotMcp, NOT_MCP)
        }
        ClientInitializeError::ConnectionClosed(_) => Failure::other("the connection was closed"),
        ClientInitializeError::TransportError { error, .. } => of_transport(error.error.as_ref()),
        ClientInitializeError::JsonRpcError(error) => of_answer(error.code.0),
        ClientInitializeError::NoCompatibleProtocolVersion { .. } => {
            Failure::other("it speaks no version of MCP that is known here")
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => of_opening(fallback),
        _ => Failure::other(UNKNOWN),
    }
}

const NOT_MCP: &str = "its answer is not MCP over streamable HTTP; is the `url` right?";
const UNAUTHORIZED: &str = "it does not take the credential that it was shown (401)";
const UNKNOWN: &str = "the connection failed";

fn of_answer(code: i32) -> Failure {
    Failure::other(format!("it answered with the JSON-RPC error {code}"))
}

fn of_status(status: u16) -> Failure {
    match status {
        401 => Failure::new(FailureKind::Unauthorized, UNAUTHORIZED),
        404 | 405 => Failure::new(
            FailureKind::NotThere,
            format!(
                "it answered {status}: nothing takes MCP messages at this path; is the `url` right?"
            ),
        ),
        status => Failure::other(format!("it answered {status}")),
    }
}

/// Why a message has not been answered.
pub(super) fn of_transport(error: &(dyn Error + Send + Sync + 'static)) -> Failure {
    let Some(error) = error.downcast_ref::<TransportError>() else {
        return Failure::other(UNKNOWN);
    };
    match error {
        StreamableHttpError::Client(Unsent::Http(error)) => of_connection(error),
        StreamableHttpError::Client(Unsent::Moved { status, to }) => {
            of_redirect(*status, to.as_deref())
        }
        StreamableHttpError::HttpStatus(answer) => of_status(answer.status),
        StreamableHttpError::AuthRequired(_) => of_status(401),
        StreamableHttpError::UnexpectedServerResponse(_) => match transport::refusal(error) {
            Some((status, _)) => of_status(status),
            None => Failure::new(FailureKind::NotMcp, NOT_MCP),
        },
        StreamableHttpError::InsufficientScope(_) => Failure::new(
            FailureKind::Unauthorized,
            "the credential that it was shown may not do this (403)",
        ),
        StreamableHttpError::Io(error) => {
            Failure::other(format!("the connection failed: {}", error.kind()))
        }
        StreamableHttpError::ResponseBodyTooLarge { .. } => {
            Failure::other("its answer is too long")
        }
        StreamableHttpError::SessionExpired => Failure::new(
            FailureKind::NotThere,
            "it does not know the session (any more)",
        ),
        StreamableHttpError::UnexpectedContentType(_)
        | StreamableHttpError::Deserialize(_)
        | StreamableHttpError::Sse(_)
        | StreamableHttpError::ServerDoesNotSupportSse => {
            Failure::new(FailureKind::NotMcp, NOT_MCP)
        }
        StreamableHttpError::UnexpectedEndOfStream
        | StreamableHttpError::TransportChannelClosed => {
            Failure::other("the connection was closed")
        }
        _ => Failure::other(UNKNOWN),
    }
}

/// A message goes to the configured address alone, because whoever is behind another one would be shown the credential.
fn of_redirect(status: StatusCode, to: Option<&str>) -> Failure {
    let status = status.as_u16();
    Failure::other(match to {
        Some(to) => format!(
            "it answered {status} and points to {}, where nothing is sent on to; if that is its address, make it the \
             `url`",
            cut(to, MAX_ADDRESS_CHARS)
        ),
        None => format!("it answered {status} and does not say where to; is the `url` right?"),
    })
}

/// The causes of a failed request; its own words hold the address, which may hold a credential.
fn of_connection(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::new(FailureKind::TimedOut, "it did not answer in time");
    }
    if let Some(status) = error.status() {
        return of_status(status.as_u16());
    }
    // Who hangs up on one question may answer another.
    let (kind, words) = if error.is_connect() {
        (FailureKind::Unreachable, "it could not be reached")
    } else {
        (FailureKind::Other, "the connection broke")
    };
    let mut text = words.to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    Failure::new(kind, text)
}
