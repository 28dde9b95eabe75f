//! Sessions of the hosted API: a server opens one for a user whom it knows, and may end it.

use std::{num::NonZeroU32, time::Duration};

use auth::{
    UnixTime,
    access::Pass,
    audit::{Actor, AuditEvent, Door},
    client_secret::NewChatSession,
    ports::{ChatSessionRecord, End, EndReason, OpenedBy},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use protocol::hosted::{
    ChatKitConfiguration, ChatSession, Enabled, FileUpload, History, RateLimits, SessionRequest,
    SessionStatus, SessionWorkflow, check_id,
};
use secrecy::ExposeSecret;

use crate::{
    app::{App, AppState},
    audit::Source,
    body::JsonBytes,
    caller::ServerCaller,
    error::ApiError,
    path::Path,
    routes::hosted::{Beta, not_found},
    session_settings::{self, SessionSettings},
};

/// `POST /v1/chatkit/sessions`
pub(crate) async fn create(
    State(app): State<AppState>,
    caller: ServerCaller,
    source: Source,
    _beta: Beta,
    JsonBytes(body): JsonBytes,
) -> Result<Response, ApiError> {
    let request = SessionRequest::parse(&body)?;
    check_workflow(&app, &caller, &request)?;
    let now = app.now().wall;
    let lifetime = Duration::from_secs(request.expires_after_seconds.into());
    let identity = caller.user(&request.user, now.plus(lifetime))?;
    app.limits.secret(identity.shared_owner_key()).await?;
    let workflow = request.workflow.id.clone();
    let issued = app
        .client_secrets
        .open(
            NewChatSession {
                identity: &identity,
                workflow,
                origins: Vec::new(),
                state: settings_of(request).into_state()?,
                opened_by: OpenedBy::ServerKey(caller.key().id.clone()),
                secret_lifetime: lifetime,
                is_renewable: false,
            },
            now,
        )
        .await?;
    app.audit
        .issued(&source, Door::ServerKey, &identity, &issued);
    answer(issued.session, issued.secret.expose_secret(), now)
}

/// `POST /v1/chatkit/sessions/{session_id}/cancel`
pub(crate) async fn cancel(
    State(app): State<AppState>,
    caller: ServerCaller,
    source: Source,
    _beta: Beta,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_id("session_id", &id, &["cksess"])?;
    let now = app.now().wall;
    let found = app.client_secrets.get(&id).await?;
    // A session of another project, or of another door, is as missing as one that never was.
    let Some(mut session) = found.filter(|session| {
        session.issuer == caller.project().as_str()
            && matches!(session.opened_by, OpenedBy::ServerKey(_))
    }) else {
        return Err(not_found(format!(
            "Chatkit Session with id '{id}' not found."
        )));
    };
    // Cancelling twice is no error, the first end stays; what is over by itself stays expired.
    if now < session.ends_at {
        let reason = EndReason::Revoked;
        if app.client_secrets.end(&id, now).await? {
            let event = AuditEvent::SessionEnded {
                reason,
                sessions: 1,
            };
            let identity = caller.user(&session.subject, now)?;
            let record = source.note(event, Door::ServerKey, &identity);
            let actor = Actor::ServerKey(caller.key().id.clone());
            app.audit.record(record.in_session(id.as_str()).by(actor));
        }
        session.ended.get_or_insert(End { at: now, reason });
    }
    answer(session, "", now)
}

fn check_workflow(
    app: &App,
    caller: &ServerCaller,
    request: &SessionRequest,
) -> Result<(), ApiError> {
    let pass = Pass::ServerKey(caller.project().as_str());
    let id = Some(request.workflow.id.as_str());
    let version = request.workflow.version.as_deref();
    match app.workflow(pass, id, version) {
        Ok(_workflow) => Ok(()),
        Err(engine::Error::UnknownWorkflow { id, version }) => Err(not_found(match version {
            None => format!("Workflow with id '{id}' not found."),
            Some(version) => format!("Workflow with id '{id}' and version '{version}' not found."),
        })),
        Err(error) => Err(error.into()),
    }
}

/// What a session of the hosted API is kept with.
fn settings_of(request: SessionRequest) -> SessionSettings {
    let ChatKitConfiguration {
        automatic_thread_titling,
        file_upload,
        history,
    } = request.configuration;
    SessionSettings {
        state_variables: request.workflow.state_variables.unwrap_or_default(),
        workflow_version: request.workflow.version,
        tracing: request.workflow.tracing.enabled,
        max_requests_per_minute: NonZeroU32::new(request.rate_limits.max_requests_per_1_minute),
        automatic_titles: automatic_thread_titling.enabled,
        file_upload: session_settings::FileUpload {
            enabled: file_upload.enabled,
            max_file_size: file_upload.max_file_size,
            max_files: file_upload.max_files,
        },
        history: session_settings::HistorySettings {
            enabled: history.enabled,
            recent_threads: history.recent_threads.and_then(NonZeroU32::new),
        },
        quotas: None,
        token_workflow: None,
        is_bound_to_token: false,
    }
}

/// A session as the hosted API shows it.
fn answer(
    mut session: ChatSessionRecord,
    client_secret: &str,
    now: UnixTime,
) -> Result<Response, ApiError> {
    let settings = SessionSettings::take_from(&mut session)?;
    let max_requests_per_1_minute = settings
        .max_requests_per_minute
        .map_or(u32::MAX, NonZeroU32::get);
    let variables = settings.state_variables;
    let status = match session.ended {
        Some(_) => SessionStatus::Cancelled,
        None if now >= session.ends_at => SessionStatus::Expired,
        None => SessionStatus::Active,
    };
    Ok(Json(ChatSession {
        id: session.id,
        expires_at: session.ends_at.seconds(),
        client_secret,
        workflow: SessionWorkflow {
            id: session.workflow,
            version: settings.workflow_version,
            state_variables: (!variables.is_empty()).then_some(variables),
            tracing: Enabled {
                enabled: settings.tracing,
            },
        },
        user: session.subject,
        rate_limits: RateLimits {
            max_requests_per_1_minute,
        },
        max_requests_per_1_minute,
        status,
        chatkit_configuration: ChatKitConfiguration {
            automatic_thread_titling: Enabled {
                enabled: settings.automatic_titles,
            },
            file_upload: FileUpload {
                enabled: settings.file_upload.enabled,
                max_file_size: settings.file_upload.max_file_size,
                max_files: settings.file_upload.max_files,
            },
            history: History {
                enabled: settings.history.enabled,
                recent_threads: settings.history.recent_threads.map(NonZeroU32::get),
            },
        },
    })
    .into_response())
}
