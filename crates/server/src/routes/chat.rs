//! The conversation: door 3's `/api/chat` and `/chatkit`, and the hosted doors'
//! `/v1/chatkit/conversation`. All of them end in the same engine.

use auth::{audit::AuditEvent, ports::OpenedBy};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use engine::Reply;
use http::HeaderMap;
use protocol::{Envelope, Limits, Request, RequestError};
use serde::{Deserialize, de::IgnoredAny};
use tracing::{Dispatch, instrument::WithSubscriber};

use crate::{
    app::{App, AppState},
    audit::Source,
    body::JsonBytes,
    caller::{Caller, Entry},
    error::ApiError,
    limits::RunningTurn,
    routes::relay,
    sse::{self, EventStream},
    untraced::Untraced,
};

/// `POST /api/chat` and `POST /chatkit`
pub(crate) async fn chat(
    State(app): State<AppState>,
    caller: Caller,
    source: Source,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Response, ApiError> {
    caller.check_custom_door(&app)?;
    if caller.is_by_login() {
        app.audit.entered(&source, &caller);
    }
    if caller.is_by_login() && is_relay(&body) {
        return relay::answer(&app, &caller, &source, body).await;
    }
    converse(&app, &caller, &source, &headers, &body).await
}

/// `POST /v1/chatkit/conversation`
pub(crate) async fn conversation(
    State(app): State<AppState>,
    caller: Caller,
    source: Source,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Response, ApiError> {
    converse(&app, &caller, &source, &headers, &body).await
}

/// Whether a body is a Chat Completions request: it has `messages` and no `type`.
fn is_relay(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Shape {
        r#type: Option<IgnoredAny>,
        messages: Option<IgnoredAny>,
    }
    // The cheap look first: a conversation's body nearly always begins with its type.
    !body.starts_with(b"{\"type\"")
        && serde_json::from_slice::<Shape>(body)
            .is_ok_and(|shape| shape.r#type.is_none() && shape.messages.is_some())
}

/// One ChatKit request. Once it is clear that the answer is a stream, failures on our side are told
/// in the stream: at a 5xx the official client would silently run the turn again, five times.
async fn converse(
    app: &App,
    caller: &Caller,
    source: &Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, ApiError> {
    let request = Envelope::parse(body, &Limits::default())?.request;
    let is_streaming = request.is_streaming();
    let removed_file = match &request {
        Request::AttachmentsDelete(params) => Some(params.attachment_id.as_str().to_owned()),
        _ => None,
    };
    let running = if is_streaming {
        Some(count_turn(app, caller, source)?)
    } else {
        None
    };
    let is_traced = caller.settings().tracing;
    let handled = app.engine.handle(caller.context(app, headers)?, request);
    let reply = if is_traced {
        handled.await
    } else {
        handled.with_subscriber(Dispatch::none()).await
    };
    if let (Ok(_), Some(file_id)) = (&reply, removed_file) {
        app.audit
            .done(source, caller, AuditEvent::FileDeleted { file_id });
    }
    match reply {
        Ok(Reply::Json(answer)) => Ok(Json(answer).into_response()),
        Ok(Reply::Turn(events)) => Ok(EventStream {
            events: Untraced {
                stream: events,
                is_traced,
            },
            keep_alive: app.settings.keep_alive,
            running,
            revoked: match caller.entry() {
                Entry::ClientSecret(session) => {
                    Some(app.revocations.of_session(&session.record.id))
                }
                Entry::Visitor(token) => Some(app.revocations.of_public_token(token)),
                Entry::UserToken | Entry::SessionCookie => None,
            },
        }
        .into_response()),
        Err(error) => {
            let error = ApiError::from(error);
            if is_streaming && error.status().is_server_error() {
                Ok(sse::failed(error))
            } else {
                Err(error)
            }
        }
    }
}

/// Counts a turn against the person's limits; a visitor's also against the quotas of their token.
pub(crate) fn count_turn(
    app: &App,
    caller: &Caller,
    source: &Source,
) -> Result<RunningTurn, ApiError> {
    let running = app
        .limits
        .turn(caller.owner(), source.address(), caller.terms())?;
    if let Entry::ClientSecret(session) = caller.entry()
        && let Some(per_minute) = session.settings.max_requests_per_minute
    {
        app.limits.session_request(&session.record.id, per_minute)?;
    }
    match caller.entry() {
        Entry::Visitor(token) => {
            app.limits
                .visitor_message(caller.owner(), &token.id, &token.quotas)?;
        }
        Entry::ClientSecret(session) => match &session.record.opened_by {
            OpenedBy::PublicToken(token) => {
                let quotas = session.settings.quotas.unwrap_or_default();
                app.limits.visitor_message(caller.owner(), token, &quotas)?;
            }
            OpenedBy::User | OpenedBy::ServerKey(_) => {}
        },
        Entry::UserToken | Entry::SessionCookie => {}
    }
    Ok(running)
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let param = error.param().map(str::to_owned);
        let code = error.code();
        let error = match error {
            RequestError::TooLarge { limit } => Self::too_large(limit),
            error => Self::bad_request(error.to_string()).with_code(code),
        };
        match param {
            Some(param) => error.with_param(param),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_body_has_messages_and_no_type() {
        for (body, expected) in [
            (r#"{"model":"x","messages":[]}"#, true),
            (r#"{"messages":[],"type":"threads.list"}"#, false),
            (r#"{"type":"threads.list","params":{}}"#, false),
            (r#"{"messages":null}"#, false),
            ("[]", false),
            ("", false),
            ("{\"messages\":[", false),
        ] {
            assert_eq!(is_relay(body.as_bytes()), expected, "{body}");
        }
    }
}
