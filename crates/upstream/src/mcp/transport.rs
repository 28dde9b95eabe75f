//! The MCP library's HTTP client, with its answers about lost sessions understood.
//!
//! A server that has forgotten a session should answer 404, and the library then opens a new one and sends the request
//! again. Many answer 400 instead, with an error that belongs to no request (its id is null, or a word), for which the
//! library would wait until the time-out. Such an error was given before anybody looked at the request, so nothing can
//! have been done, and sending it again is safe. An internal error says nothing of the kind, nor does a tool's own
//! error, whatever session it speaks of.

use std::{collections::HashMap, sync::Arc};

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::{
    model::{ClientJsonRpcMessage, ErrorCode, JsonRpcError, JsonRpcMessage, RequestId},
    transport::{
        common::client_side_sse::BoxedSseResponse,
        streamable_http_client::{
            StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
            StreamableHttpResponseLimits,
        },
    },
};

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

type Answer = Result<StreamableHttpPostResponse, StreamableHttpError<reqwest::Error>>;

/// Posts messages, and tells the library what has become of the session.
#[derive(Clone)]
pub(super) struct Transport(pub(super) reqwest::Client);

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

impl StreamableHttpClient for Transport {
    type Error = reqwest::Error;

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
        let id = match &message {
            JsonRpcMessage::Request(request) => Some(request.id.clone()),
            _ => None,
        };
        let has_session = session_id.is_some();
        let answer = self
            .0
            .post_message_with_response_limits(
                uri,
                message,
                session_id,
                auth_header,
                custom_headers,
                limits,
            )
            .await;
        understood(answer, id.as_ref(), has_session)
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), StreamableHttpError<Self::Error>> {
        let client = &self.0;
        client
            .delete_session(uri, session_id, auth_header, custom_headers)
            .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxedSseResponse, StreamableHttpError<Self::Error>> {
        let client = &self.0;
        client
            .get_stream(uri, session_id, last_event_id, auth_header, custom_headers)
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
    ) -> Result<BoxedSseResponse, StreamableHttpError<Self::Error>> {
        let client = &self.0;
        client
            .get_stream_with_max_sse_event_size(
                uri,
                session_id,
                last_event_id,
                auth_header,
                custom_headers,
                max_sse_event_size,
            )
            .await
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
