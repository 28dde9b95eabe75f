//! What an HTTP answer means: a message, a stream of them, or why there is none.
//!
//! The statuses are read as the library's own client reads them. What a body is, it says itself where its type does not:
//! servers that leave the type out, or call JSON a plain text, mean what they say all the same.

use std::borrow::Cow;

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use rmcp::{
    model::{
        ClientJsonRpcMessage, ClientRequest, ErrorCode, ErrorData, GetMeta, JsonRpcMessage,
        ServerJsonRpcMessage,
    },
    transport::{
        common::http_header::{EVENT_STREAM_MIME_TYPE, HEADER_SESSION_ID, JSON_MIME_TYPE},
        streamable_http_client::{
            AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpError,
            StreamableHttpPostResponse, StreamableHttpResponseLimits,
        },
    },
};

use super::{Answer, Events, TransportError, Unsent};
use crate::{
    http::{BodyError, read_body, read_prefix},
    mcp::message::{self, Question},
};

/// What an answer is the answer to.
pub(super) struct Asked {
    /// Without an id for what is not answered.
    pub(super) question: Question,
    pub(super) has_session: bool,
    /// Whether it is the question which revision the server speaks.
    is_probe: bool,
}

impl Asked {
    pub(super) fn new(message: &ClientJsonRpcMessage, has_session: bool) -> Self {
        let (question, is_probe) = match message {
            JsonRpcMessage::Request(request) => {
                let is_probe = matches!(request.request, ClientRequest::DiscoverRequest(_));
                let is_handshake =
                    is_probe || matches!(request.request, ClientRequest::InitializeRequest(_));
                let question = Question {
                    id: Some(request.id.clone()),
                    is_handshake,
                    progress: request.request.get_meta().get_progress_token(),
                };
                (question, is_probe)
            }
            _ => (Question::default(), false),
        };
        Self {
            question,
            has_session,
            is_probe,
        }
    }
}

/// What a body says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Events,
    Json,
    Page,
    /// Nothing, or something that JSON is sent as now and then.
    Unsaid,
}

fn kind(response: &Response) -> Kind {
    let Some(kind) = response.headers().get(CONTENT_TYPE) else {
        return Kind::Unsaid;
    };
    let kind = kind.as_bytes().split(|byte| *byte == b';').next();
    let kind = kind.unwrap_or_default().trim_ascii();
    if kind.eq_ignore_ascii_case(EVENT_STREAM_MIME_TYPE.as_bytes()) {
        Kind::Events
    } else if kind.eq_ignore_ascii_case(JSON_MIME_TYPE.as_bytes()) {
        Kind::Json
    } else if kind.eq_ignore_ascii_case(b"text/html") {
        Kind::Page
    } else {
        Kind::Unsaid
    }
}

/// Reads the answer to a message.
pub(super) async fn read(
    response: Response,
    asked: &Asked,
    limits: &StreamableHttpResponseLimits,
) -> Answer {
    check_credential(&response)?;
    let status = response.status();
    if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        return Ok(StreamableHttpPostResponse::Accepted);
    }
    if status == StatusCode::NOT_FOUND && asked.has_session {
        return Err(StreamableHttpError::SessionExpired);
    }
    if !status.is_success() {
        return refused(response, asked, limits).await;
    }
    let session = response.headers().get(HEADER_SESSION_ID);
    let session = session.and_then(|id| id.to_str().ok()).map(str::to_owned);
    let kind = kind(&response);
    let is_awaited = asked.question.id.is_some();
    if !is_awaited && kind != Kind::Json {
        return Ok(StreamableHttpPostResponse::Accepted);
    }
    if kind == Kind::Events {
        let events = Events::of(response, limits.max_sse_event_size, asked.question.clone());
        return Ok(StreamableHttpPostResponse::Sse(events, session));
    }
    let unexpected = unexpected(&response);
    let body = bounded(response, limits.max_json_response_size).await?;
    // A page may show what messages look like; what PHP sends without a type is called a page as well.
    if kind == Kind::Page && !matches!(body.trim_ascii_start(), [b'{' | b'[', ..]) {
        return Err(unexpected);
    }
    match message::read_one(&body, &asked.question) {
        Some(message) => Ok(StreamableHttpPostResponse::Json(message, session)),
        None if !is_awaited => Ok(StreamableHttpPostResponse::Accepted),
        None if kind != Kind::Json => Err(unexpected),
        None => Err(StreamableHttpError::UnexpectedServerResponse(
            Cow::Borrowed("it is no JSON-RPC message"),
        )),
    }
}

/// An answer with a status that says no. It may hold a JSON-RPC error, which says more.
async fn refused(
    response: Response,
    asked: &Asked,
    limits: &StreamableHttpResponseLimits,
) -> Answer {
    let status = response.status();
    let session = response.headers().get(HEADER_SESSION_ID);
    let session = session.and_then(|id| id.to_str().ok()).map(str::to_owned);
    let kind = kind(&response);
    let failure = failure(&response);
    // What they say does not change that the credential is not taken, and a page says nothing to us.
    let is_of_credential = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let may_be_message =
        !is_of_credential && kind != Kind::Page && status != StatusCode::TOO_MANY_REQUESTS;
    let body = match (&failure, may_be_message, kind) {
        (Some(_), false, _) => Vec::new(),
        (_, true, Kind::Json) => match bounded(response, limits.max_json_response_size).await {
            Ok(body) => body,
            Err(StreamableHttpError::Client(_)) => Vec::new(),
            Err(error) => return Err(failure.map_or(error, Into::into)),
        },
        _ => read_prefix(response, limits.max_error_response_size).await,
    };
    // Many say in JSON of another form that there is nothing at this path; then the status says more.
    let is_rpc = may_be_message && memchr::memmem::find(&body, b"\"jsonrpc\"").is_some();
    let refusal = match message::read_one(&body, &asked.question) {
        Some(ServerJsonRpcMessage::Error(refusal)) if is_rpc => Some(refusal),
        // Some servers have a status for a tool that failed.
        Some(result @ ServerJsonRpcMessage::Response(_)) if is_rpc && !asked.is_probe => {
            return Ok(StreamableHttpPostResponse::Json(result, session));
        }
        _ => None,
    };
    let is_of_probe = asked.is_probe && !asked.has_session && status.is_client_error();
    if is_of_probe && !is_of_credential && failure.is_none() {
        // It has to belong to the question, or the library does not see what it means.
        let error = refusal.map_or_else(
            || ErrorData::new(ErrorCode::INVALID_REQUEST, status.to_string(), None),
            |refusal| refusal.error,
        );
        let refusal = ServerJsonRpcMessage::error(error, asked.question.id.clone());
        return Ok(StreamableHttpPostResponse::Json(refusal, None));
    }
    if let Some(refusal) = refusal {
        let refusal = ServerJsonRpcMessage::Error(refusal);
        return Ok(StreamableHttpPostResponse::Json(refusal, session));
    }
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let words = body.get(..limits.max_error_response_size).unwrap_or(&body);
    let words = String::from_utf8_lossy(words);
    Err(StreamableHttpError::UnexpectedServerResponse(
        format!("HTTP {status}: {words}").into(),
    ))
}

/// Whether an answer to a request for a stream is one.
pub(super) fn check_stream(response: &Response) -> Result<(), TransportError> {
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return Err(StreamableHttpError::ServerDoesNotSupportSse);
    }
    check_credential(response)?;
    if let Some(failure) = failure(response) {
        return Err(failure.into());
    }
    if response.status().is_success() && kind(response) != Kind::Events {
        return Err(unexpected(response));
    }
    Ok(())
}

/// Whether a server says which credential it wants.
fn check_credential(response: &Response) -> Result<(), TransportError> {
    let status = response.status();
    let is_of_credential = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let (true, Some(wanted)) = (is_of_credential, response.headers().get(WWW_AUTHENTICATE)) else {
        return Ok(());
    };
    let wanted = String::from_utf8_lossy(wanted.as_bytes()).into_owned();
    Err(if status == StatusCode::UNAUTHORIZED {
        StreamableHttpError::AuthRequired(AuthRequiredError::new(wanted))
    } else {
        StreamableHttpError::InsufficientScope(InsufficientScopeError::new(wanted, None))
    })
}

/// An answer that says that the server is overloaded or broken.
fn failure(response: &Response) -> Option<HttpStatusError> {
    let status = response.status();
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return None;
    }
    let wait = response.headers().get(RETRY_AFTER);
    let wait = wait.and_then(|wait| wait.to_str().ok()).map(str::to_owned);
    Some(HttpStatusError::new(status.as_u16(), wait))
}

fn unexpected(response: &Response) -> TransportError {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    StreamableHttpError::UnexpectedContentType(kind)
}

async fn bounded(response: Response, most: usize) -> Result<Vec<u8>, TransportError> {
    read_body(response, most)
        .await
        .map_err(|error| match error {
            BodyError::TooLong { limit } => {
                StreamableHttpError::ResponseBodyTooLarge { max_size: limit }
            }
            BodyError::Broken(error) => StreamableHttpError::Client(Unsent::Http(error)),
        })
}
