//! Messages over HTTP, as the MCP library has them sent, with answers understood that the library's own client does not
//! take.
//!
//! A server that has forgotten a session should answer 404, and the library then opens a new one and sends the request
//! again. Many answer 400 instead, with an error that belongs to no request (its id is null, or a word), for which the
//! library would wait until the time-out. Such an error was given before anybody looked at the request, so nothing can
//! have been done, and sending it again is safe. An internal error says nothing of the kind, nor does a tool's own
//! error, whatever session it speaks of.

mod answer;
mod cookies;
mod events;

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION},
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
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use self::{answer::Asked, cookies::Cookies, events::Events};
use super::{failure, message::Question};
use crate::http::HttpClient;

/// The code that several SDKs have for a session that is not there.
const SESSION_NOT_FOUND: ErrorCode = ErrorCode(-32001);

/// How long a notification may take: nothing is waited for but that it has arrived.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stream that the server speaks on by itself has to last, for the next one to be opened at once.
const STEADY: Duration = Duration::from_secs(30);
/// The shortest and the longest pause before a stream that does not last is opened again.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(5)];

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
pub(super) struct Transport {
    http: HttpClient,
    pace: Arc<SyncMutex<Pace>>,
    cookies: Arc<SyncMutex<Cookies>>,
}

/// How often the stream is opened that a server speaks on by itself. Some end it as soon as it is there, and would be
/// asked for it once a second for as long as the session lives.
#[derive(Debug, Default)]
struct Pace {
    opened_at: Option<Instant>,
    pause: Duration,
}

impl Pace {
    /// How long to wait before it is opened once more.
    fn next(&mut self, now: Instant) -> Duration {
        let [shortest, longest] = PAUSES;
        let lasted = self
            .opened_at
            .map(|opened_at| now.saturating_duration_since(opened_at));
        self.pause = match lasted {
            Some(lasted) if lasted < STEADY => (self.pause * 2).clamp(shortest, longest),
            _ => Duration::ZERO,
        };
        self.opened_at = Some(now + self.pause);
        self.pause
    }
}

/// The status and the words of a refusal that is no MCP.
pub(super) fn refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<(u16, &'a str)> {
    let error = error.downcast_ref::<TransportError>()?;
    let StreamableHttpError::UnexpectedServerResponse(text) = error else {
        return None;
    };
    let text = text.strip_prefix("HTTP ")?;
    let (status, words) = text.split_once(": ").unwrap_or((text, ""));
    Some((status.get(..3)?.parse().ok()?, words.trim()))
}

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
    pub(super) fn new(http: HttpClient) -> Self {
        Self {
            http,
            pace: Arc::default(),
            cookies: Arc::default(),
        }
    }

    /// Posts a message that is not answered. Whether the server likes it does not matter: what stands in the way of
    /// more than that, the next question meets as well.
    async fn notify(&self, sending: impl Future<Output = Answer> + Send) -> Answer {
        match timeout(NOTIFICATION_TIMEOUT, sending).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(
                error = %failure::of_transport(&error),
                "a tool server did not take a notification"
            ),
            Err(_) => tracing::debug!("a tool server did not answer to a notification"),
        }
        Ok(StreamableHttpPostResponse::Accepted)
    }

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
        if let Some(cookies) = lock(&self.cookies).header() {
            request = request.header(COOKIE, cookies);
        }
        let response = self.http.follow(request).await.map_err(unsent)?;
        lock(&self.cookies).take(response.headers());
        if response.status().is_redirection() {
            return Err(StreamableHttpError::Client(Unsent::Moved {
                status: response.status(),
                to: pointed_to(&response),
            }));
        }
        Ok(response)
    }

    fn request(&self, method: Method, uri: &str) -> RequestBuilder {
        self.http.inner().request(method, uri)
    }
}

fn lock<T>(shared: &SyncMutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
        let is_notification = matches!(message, JsonRpcMessage::Notification(_));
        let body = serde_json::to_vec(&message)?;
        let asked = Asked::new(&message, session_id.is_some());
        let request = self
            .request(Method::POST, &uri)
            .header(ACCEPT, [EVENT_STREAM_MIME_TYPE, JSON_MIME_TYPE].join(", "))
            .header(CONTENT_TYPE, JSON_MIME_TYPE)
            .body(body);
        let sending = async {
            let response = self
                .send(request, session_id.as_deref(), auth_header, custom_headers)
                .await?;
            let answer = answer::read(response, &asked, &limits).await;
            understood(answer, asked.question.id.as_ref(), asked.has_session)
        };
        if is_notification {
            self.notify(sending).await
        } else {
            sending.await
        }
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
        } else {
            let pause = lock(&self.pace).next(Instant::now());
            // Even none would take the timer a moment, in which the server may ask already.
            if !pause.is_zero() {
                sleep(pause).await;
            }
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
    fn a_stream_that_does_not_last_is_opened_less_and_less_often() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for lasts in [1, 1, 1, 30, 1, 29, 1] {
            let pause = pace.next(now);
            pauses.push(pause.as_secs());
            now += pause + seconds(lasts);
        }
        assert_eq!(pauses, [0, 2, 4, 8, 0, 2, 4]);
        for _ in 0..20 {
            now += pace.next(now);
        }
        assert_eq!(pace.next(now), PAUSES[1]);
    }

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
