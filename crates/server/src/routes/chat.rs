//! The conversation: door 3's `/api/chat` and `/chatkit`, and the hosted doors'
//! `/v1/chatkit/conversation`. All of them end in the same engine.

use auth::{audit::AuditEvent, ports::OpenedBy};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use engine::{Following, Reply};
use futures::future::BoxFuture;
use http::HeaderMap;
use protocol::{Envelope, Limits, Request};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    app::{App, AppState},
    audit::Source,
    body::ConversationBytes,
    caller::{Caller, Entry},
    error::ApiError,
    following,
    limits::RunningTurn,
    report::{Report, RequestName},
    routes::relay,
    sse::{self, EventStream},
};

/// `POST /api/chat` and `POST /chatkit`
pub(crate) async fn chat(
    State(app): State<AppState>,
    caller: Caller,
    source: Source,
    request: RequestName,
    headers: HeaderMap,
    ConversationBytes(body): ConversationBytes,
) -> Result<Response, ApiError> {
    caller.check_custom_door(&app)?;
    if caller.is_by_login() {
        app.audit.entered(&source, &caller);
    }
    if caller.is_by_login() && is_relay(&body) {
        return relay::answer(&app, &caller, &source, &request, body).await;
    }
    converse(&app, &caller, (&source, &request), &headers, &body).await
}

/// `POST /v1/chatkit/conversation`
pub(crate) async fn conversation(
    State(app): State<AppState>,
    caller: Caller,
    source: Source,
    request: RequestName,
    headers: HeaderMap,
    ConversationBytes(body): ConversationBytes,
) -> Result<Response, ApiError> {
    converse(&app, &caller, (&source, &request), &headers, &body).await
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
    (source, name): (&Source, &RequestName),
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, ApiError> {
    let bounds = app.settings.body;
    let limits = Limits {
        request_bytes: bounds.bytes,
        audio_request_bytes: bounds.bytes.max(bounds.speech_bytes),
        ..Limits::default()
    };
    let request = Envelope::parse(body, &limits)?.request;
    let is_streaming = request.is_streaming();
    let removed_file = match &request {
        Request::AttachmentsDelete(params) => Some(params.attachment_id.as_str().to_owned()),
        _ => None,
    };
    let mut following = Following::default();
    if is_streaming {
        following.client = following::read(headers, body)?;
    }
    let counted = count(app, caller, source, cost_of(&request)).await?;
    let context = caller.context(app, headers)?;
    let language = context.language();
    let workflow = context.workflow.clone();
    let workflow = workflow
        .as_ref()
        .unwrap_or_else(|| app.engine.workflows.default_id());
    let thread = request.thread_id().cloned();
    let report = || Report::of(name, caller, workflow, thread.as_ref());
    let (reply, report) = if is_streaming {
        let report = report();
        following.permit = counted.map(|running| Box::new(running) as _);
        following.revoked = revoked(app, caller);
        following.is_unreported = report.span().is_none();
        let handled = app.engine.handle(context, request, following);
        (report.on(handled).await, report)
    } else {
        let reply = app.engine.handle(context, request, following).await;
        drop(counted);
        // Most of these requests are small and have nothing to report.
        let report = reply
            .as_ref()
            .map_or_else(|_| report(), |_| Report::Nowhere);
        (reply, report)
    };
    if let (Ok(_), Some(file_id)) = (&reply, removed_file) {
        app.audit
            .done(source, caller, AuditEvent::FileDeleted { file_id });
    }
    match reply {
        Ok(Reply::Json(answer)) => {
            let run = answer.run().cloned();
            let mut response = Json(answer).into_response();
            if let Some(run) = run {
                following::name_live_run(response.headers_mut(), &run);
            }
            Ok(response)
        }
        Ok(Reply::Stream(reader)) => {
            let mut names = HeaderMap::new();
            following::name_run(&mut names, &reader);
            let mut response = EventStream {
                frames: reader.into_stream(),
                keep_alive: app.settings.keep_alive,
                revoked: revoked(app, caller),
                language,
            }
            .into_response();
            response.headers_mut().extend(names);
            Ok(response)
        }
        Err(error) => {
            let error = ApiError::from(error);
            let mut response = if is_streaming && error.status().is_server_error() {
                sse::failed(error, language)
            } else {
                error.into_response()
            };
            if let Some(span) = report.span() {
                response.extensions_mut().insert(span.clone());
            }
            Ok(response)
        }
    }
}

/// Resolves when the credential of a request is revoked; nothing where it cannot be.
fn revoked(app: &App, caller: &Caller) -> Option<BoxFuture<'static, ()>> {
    match caller.entry() {
        Entry::ClientSecret(session) => Some(app.revocations.of_session(&session.record.id)),
        Entry::Visitor(token) => Some(app.revocations.of_public_token(token)),
        Entry::UserToken | Entry::SessionCookie => None,
    }
}

/// What a request takes of what its person may have.
#[derive(Clone, Copy)]
enum Cost {
    /// A model, which costs money.
    Turn,
    /// The application's agent or tools.
    Call,
    /// The database's time.
    Search,
    Little,
}

/// Each request has its place here, a new one as well.
const fn cost_of(request: &Request) -> Cost {
    match request {
        Request::ThreadsCreate(_)
        | Request::ThreadsAddUserMessage(_)
        | Request::ThreadsAddClientToolOutput(_)
        | Request::ThreadsAddStructuredInput(_)
        | Request::ThreadsRetryAfterItem(_)
        | Request::ThreadsCustomAction(_)
        | Request::InputTranscribe(_) => Cost::Turn,
        Request::ThreadsSyncCustomAction(_) | Request::ItemsFeedback(_) => Cost::Call,
        Request::ThreadsSearch(_) => Cost::Search,
        // Who only reads on costs nobody anything.
        Request::ThreadsResume(_)
        | Request::ThreadsCancel(_)
        | Request::ThreadsGetById(_)
        | Request::ThreadsList(_)
        | Request::ThreadsUpdate(_)
        | Request::ThreadsDelete(_)
        | Request::ItemsList(_)
        | Request::AttachmentsCreate(_)
        | Request::AttachmentsDelete(_) => Cost::Little,
    }
}

/// Counts a request against the person's limits. What it is given is kept while the request is carried out.
async fn count(
    app: &App,
    caller: &Caller,
    source: &Source,
    cost: Cost,
) -> Result<Option<RunningTurn>, ApiError> {
    Ok(Some(match cost {
        Cost::Turn => count_turn(app, caller, source).await?,
        Cost::Call => {
            let (owner, terms) = (caller.owner(), caller.terms());
            app.limits.turn(owner, source.address(), terms).await?
        }
        Cost::Search => app.limits.search(caller.owner())?,
        Cost::Little => return Ok(None),
    }))
}

/// Counts a turn against the person's limits; a visitor's also against the quotas of their token.
pub(crate) async fn count_turn(
    app: &App,
    caller: &Caller,
    source: &Source,
) -> Result<RunningTurn, ApiError> {
    let running = app
        .limits
        .turn(caller.owner(), source.address(), caller.terms())
        .await?;
    if let Entry::ClientSecret(session) = caller.entry()
        && let Some(per_minute) = session.settings.max_requests_per_minute
    {
        app.limits
            .session_request(&session.record.id, per_minute)
            .await?;
    }
    match caller.entry() {
        Entry::Visitor(token) => {
            app.limits
                .visitor_message(caller.owner(), source.address(), &token.id, &token.quotas)
                .await?;
        }
        Entry::ClientSecret(session) => match &session.record.opened_by {
            OpenedBy::PublicToken(token) => {
                let quotas = session.settings.quotas.unwrap_or_default();
                app.limits
                    .visitor_message(caller.owner(), source.address(), token, &quotas)
                    .await?;
            }
            OpenedBy::User | OpenedBy::ServerKey(_) => {}
        },
        Entry::UserToken | Entry::SessionCookie => {}
    }
    Ok(running)
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
