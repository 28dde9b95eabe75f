//! What went wrong with a tool server, for the log, and nothing of what the server said.
//!
//! The library's errors repeat bodies, messages and answers, and all of that may be a person's data.
//! So each error is told in words of ours: what kind it is, a status, a number.

use std::error::Error;

use rmcp::{
    ServiceError, service::ClientInitializeError,
    transport::streamable_http_client::StreamableHttpError,
};

/// Why a call or a list failed.
pub(super) fn of_service(error: &ServiceError) -> String {
    match error {
        ServiceError::McpError(error) => of_answer(error.code.0),
        ServiceError::TransportSend(error) => of_transport(error.error.as_ref()),
        ServiceError::TransportClosed => "the connection was closed".to_owned(),
        ServiceError::UnexpectedResponse => "the answer belongs to another question".to_owned(),
        ServiceError::Timeout { timeout } => {
            format!("no answer within {} s", timeout.as_secs_f32())
        }
        ServiceError::Cancelled { .. } => "it was cancelled".to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// Why a session could not be opened.
pub(super) fn of_opening(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::ExpectedInitResponse(_)
        | ClientInitializeError::ExpectedInitResult(_)
        | ClientInitializeError::ConflictInitResponseId(..)
        | ClientInitializeError::UncorrelatedErrorResponse { .. } => NOT_MCP.to_owned(),
        ClientInitializeError::ConnectionClosed(_) => "the connection was closed".to_owned(),
        ClientInitializeError::TransportError { error, .. } => of_transport(error.error.as_ref()),
        ClientInitializeError::JsonRpcError(error) => of_answer(error.code.0),
        ClientInitializeError::NoCompatibleProtocolVersion { .. } => {
            "it speaks no version of MCP that is known here".to_owned()
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => of_opening(fallback),
        _ => UNKNOWN.to_owned(),
    }
}

/// Whether these are the words for the status 401.
pub(super) fn is_unauthorized(text: &str) -> bool {
    text == UNAUTHORIZED
}

const NOT_MCP: &str = "its answer is not MCP over streamable HTTP; is the `url` right?";
const UNAUTHORIZED: &str = "it does not take the credential that it was shown (401)";
const UNKNOWN: &str = "the connection failed";

fn of_answer(code: i32) -> String {
    format!("it answered with the JSON-RPC error {code}")
}

fn of_transport(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let Some(error) = error.downcast_ref::<StreamableHttpError<reqwest::Error>>() else {
        return UNKNOWN.to_owned();
    };
    match error {
        StreamableHttpError::Client(error) => of_connection(error),
        StreamableHttpError::HttpStatus(answer) if answer.status == 401 => UNAUTHORIZED.to_owned(),
        StreamableHttpError::HttpStatus(answer) => format!("it answered {}", answer.status),
        StreamableHttpError::AuthRequired(_) => UNAUTHORIZED.to_owned(),
        // A 401 that does not say what it wants (`WWW-Authenticate`) comes as text, which begins with the status.
        StreamableHttpError::UnexpectedServerResponse(text) if text.starts_with("HTTP 401") => {
            UNAUTHORIZED.to_owned()
        }
        StreamableHttpError::InsufficientScope(_) => {
            "the credential that it was shown may not do this (403)".to_owned()
        }
        StreamableHttpError::Io(error) => format!("the connection failed: {}", error.kind()),
        StreamableHttpError::ResponseBodyTooLarge { .. } => "its answer is too long".to_owned(),
        StreamableHttpError::SessionExpired => "it has ended the session (404)".to_owned(),
        StreamableHttpError::UnexpectedServerResponse(_)
        | StreamableHttpError::UnexpectedContentType(_)
        | StreamableHttpError::Deserialize(_)
        | StreamableHttpError::Sse(_)
        | StreamableHttpError::ServerDoesNotSupportSse => NOT_MCP.to_owned(),
        StreamableHttpError::UnexpectedEndOfStream
        | StreamableHttpError::TransportChannelClosed => "the connection was closed".to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// The causes of a failed request; its own words hold the address, which may hold a credential.
fn of_connection(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    if let Some(status) = error.status() {
        return format!("it answered {status}");
    }
    let mut text = "it could not be reached".to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
