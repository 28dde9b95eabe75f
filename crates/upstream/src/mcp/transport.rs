//! Messages over HTTP, as the MCP library has them sent, with answers understood that the library's own client does not
//! take.
//!
//! A server that has forgotten a session should answer 404, and the library then opens a new one and sends the request
//! again. Many answer 400 instead, with an error that belongs to no request (its id is null, or a word), for which the
//! library would wait until the time-out. Such an error was given before anybody looked at the request, so nothing can
//! have been done, and sending it again is safe. An internal error says nothing of the kind, nor does a tool's own
//! error, whatever session it speaks of.

mod answer;
mod events;

use std::{collections::HashMap, sync::Arc};

use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION},
};
use rmcp::{
    model::{ClientJsonRpcMessage, ErrorCode, JsonRpcError, JsonRpcMessage, RequestId},
    transport::{
        common::{
            client_side_sse::BoxedSseResponse,
            http_header::{
                EVENT_STREAM_MIME_TYPE, HEADER_LAST_EVENT_ID, HEADER_SESSION_ID, JSON_MIME_TYPE,
            },
        },
        streamable_http_client::{
            StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
            StreamableHttpResponseLimits,
        },
    },
};
use url::Url;

use self::{answer::Asked, events::Events};
use super::message::Question;
use crate::http::HttpClient;

/// The code that several SDKs have for a session that is not there.
const SESSION_NOT_FOUND: ErrorCode = ErrorCode(-32001);

/// How servers say that a session is not there (any more), in lower case.
const GONE: [&str; 13] = [
    "not found",
    "no valid",
    "invalid",
    "unknown",
    "expired",
    "terminated",
    "not exist",
    "no longer",
    "missing",
    "required",
    "closed",
    "no active",
    "not active",
];

/// Why a message has not arrived.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsent {
    #[error("no whole answer came")]
    Http(#[from] reqwest::Error),
    /// The server points to another address, which we do not go to.
    #[error("the server has moved")]
    Moved {
        /// With which status.
        status: StatusCode,
        /// Where to, without what may be secret in it; `None` where it does not say.
        to: Option<String>,
    },
}

/// How the library is told that something went wrong.
pub(super) type TransportError = StreamableHttpError<Unsent>;

type Answer = Result<StreamableHttpPostResponse, TransportError>;

/// Posts messages, and tells the library what has become of the session.
#[derive(Clone)]
pub(super) struct Transport(pub(super) HttpClient);

/// Whether a server's words say that it does not know the session.
pub(super) fn says_gone(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("session") && GONE.iter().any(|gone| words.contains(gone))
        // What a server says that was restarted and sees a request before the handshake.
        || words.contains("not initialized")
}

/// What an answer to a request of this id means; `has_session` says whether the request named a session.
fn understood(answer: Answer, id: Option<&RequestId>, has_session: bool) -> Answer {
    match answer {
        Ok(StreamableHttpPostResponse::Json(JsonRpcMessage::Error(refusal), session)) => {
            let is_of_request = refusal.id.as_ref() == id;
            let (code, words) = (refusal.error.code, &refusal.error.message);
            let is_gone = says_gone(words)
                && if is_of_request {
                    code == SESSION_NOT_FOUND && words.to_ascii_lowercase().starts_with("session")
                } else {
                    code != ErrorCode::INTERNAL_ERROR
                };
            if has_session && is_gone {
                return Err(StreamableHttpError::SessionExpired);
            }
            // Nobody would wait for the answer to a request that there was not.
            let refusal = JsonRpcError::new(id.cloned().or(refusal.id), refusal.error);
            let message = JsonRpcMessage::Error(refusal);
            Ok(StreamableHttpPostResponse::Json(message, session))
        }
        // In plain text.
        Err(StreamableHttpError::UnexpectedServerResponse(words))
            if has_session
                && ["HTTP 400", "HTTP 404", "HTTP 410"]
                    .iter()
                    .any(|status| words.starts_with(status))
                && says_gone(&words) =>
        {
            Err(StreamableHttpError::SessionExpired)
        }
        answer => answer,
    }
}

impl Transport {
    /// Sends a request with what each of them carries.
    async fn send(
        &self,
        request: RequestBuilder,
        session_id: Option<&str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<Response, TransportError> {
        let mut request = request;
        if let Some(token) = auth_header {
            request = request.bearer_auth(token);
        }
        for (name, value) in custom_headers {
            request = request.header(name, value);
        }
        if let Some(session_id) = session_id {
            request = request.header(HEADER_SESSION_ID, session_id);
        }
        let response = self.0.follow(request).await.map_err(unsent)?;
        if response.status().is_redirection() {
            return Err(StreamableHttpError::Client(Unsent::Moved {
                status: response.status(),
                to: pointed_to(&response),
            }));
        }
        Ok(response)
    }

    fn request(&self, method: Method, uri: &str) -> RequestBuilder {
        self.0.inner().request(method, uri)
    }
}

fn unsent(error: reqwest::Error) -> TransportError {
    StreamableHttpError::Client(Unsent::Http(error))
}

/// Where an answer points to. A query may hold a credential.
fn pointed_to(response: &Response) -> Option<String> {
    let to = response.headers().get(LOCATION)?.to_str().ok()?;
    let mut to: Url = response.url().join(to).ok()?;
    to.set_query(None);
    to.set_fragment(None);
    let without_user = to.set_username("").and_then(|()| to.set_password(None));
    without_user.ok()?;
    Some(to.into())
}

impl StreamableHttpClient for Transport {
    type Error = Unsent;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Answer {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            limits,
        )
        .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
        limits: StreamableHttpResponseLimits,
    ) -> Answer {
        let body = serde_json::to_vec(&message)?;
        let asked = Asked::new(&message, session_id.is_some());
        let request = self
            .request(Method::POST, &uri)
            .header(ACCEPT, [EVENT_STREAM_MIME_TYPE, JSON_MIME_TYPE].join(", "))
            .header(CONTENT_TYPE, JSON_MIME_TYPE)
            .body(body);
        let response = self
            .send(request, session_id.as_deref(), auth_header, custom_headers)
            .await?;
        let answer = answer::read(response, &asked, &limits).await;
        understood(answer, asked.question.id.as_ref(), asked.has_session)
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), TransportError> {
        let request = self.request(Method::DELETE, &uri);
        let response = self
            .send(request, Some(&session_id), auth_header, custom_headers)
            .await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(());
        }
        response.error_for_status().map_err(unsent)?;
        Ok(())
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxedSseResponse, TransportError> {
        let most = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            most,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
        max_sse_event_size: usize,
    ) -> Result<BoxedSseResponse, TransportError> {
        let mut request = self
            .request(Method::GET, &uri)
            .header(ACCEPT, [EVENT_STREAM_MIME_TYPE, JSON_MIME_TYPE].join(", "));
        if let Some(id) = last_event_id {
            request = request.header(HEADER_LAST_EVENT_ID, id);
        }
        let response = self
            .send(request, session_id.as_deref(), auth_header, custom_headers)
            .await?;
        answer::check_stream(&response)?;
        let response = response.error_for_status().map_err(unsent)?;
        Ok(Events::of(
            response,
            max_sse_event_size,
            Question::default(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_say_that_a_session_is_gone_is_known() {
        for words in [
            "Bad Request: No valid session ID provided",
            "Session not found",
            "Invalid or expired session ID",
            "Not Found: Session has been terminated",
            "unknown sessionId",
            "Bad Request: Mcp-Session-Id header is required",
            "Bad Request: Server not initialized",
            "session does not exist",
        ] {
            assert!(says_gone(words), "{words}");
        }
        for words in [
            "invalid params",
            "the file was not found",
            "in this session, all is well",
        ] {
            assert!(!says_gone(words), "{words}");
        }
    }
}
