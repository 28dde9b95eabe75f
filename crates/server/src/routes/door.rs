//! Doors 1 and 2: where client secrets come from.
//!
//! Each call opens or goes on with a chat session for an identity that was checked just now.
//! Answers hold a secret and are never kept by anybody (`Cache-Control: no-store`, which is what every
//! answer of this server has unless it says otherwise).

use std::fmt;

use auth::{
    Error, Identity, UnixTime,
    access::Pass,
    audit::{AuditEvent, Door},
    client_secret::{IssuedSecret, NewChatSession},
    ports::{ChatSessionRecord, EndReason, OpenedBy},
};
use axum::{
    Extension, Json,
    extract::{FromRequest, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de::Visitor};
use serde_json::Map;
use upstream::openai::sessions::{SessionRequest, SessionWorkflow};

use crate::{
    app::{App, AppState, OpenAiSessions},
    audit::Source,
    body::JsonBody,
    caller::{self, Caller, Login, PublicTokenCaller},
    client_ip::ClientIp,
    cookie,
    error::ApiError,
    session_settings::SessionSettings,
    token_exchange::{self, TokenExchange},
};

/// Unknown fields are ignored: pages in the wild send notes of their own.
#[derive(Deserialize)]
pub(crate) struct StartBody {
    #[serde(default, deserialize_with = "workflow_name")]
    workflow: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct RefreshBody {
    #[serde(rename = "currentClientSecret", alias = "current_client_secret")]
    current_client_secret: Option<SecretString>,
    #[serde(default, deserialize_with = "workflow_name")]
    workflow: Option<String>,
}

/// Reads the id of a workflow; who sends the hosted API's object `{"id": …}` is told of the text.
fn workflow_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Name;

    impl<'de> Visitor<'de> for Name {
        type Value = Option<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the workflow's id as text, such as \"wf_support\"")
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_str(self)
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }
    }

    deserializer.deserialize_option(Name)
}

#[derive(Serialize)]
struct SecretAnswer<'a> {
    client_secret: &'a str,
    /// Seconds from now.
    expires_in: u64,
    /// Unix seconds.
    expires_at: i64,
}

/// A request to start: ChatKit's own, or a token exchange that was read when the caller was admitted.
pub(crate) enum StartRequest {
    Json(StartBody),
    TokenExchange(TokenExchange),
}

impl FromRequest<AppState> for StartRequest {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, app: &AppState) -> Result<Self, ApiError> {
        if let Some(exchange) = request.extensions_mut().remove::<TokenExchange>() {
            return Ok(Self::TokenExchange(exchange));
        }
        let JsonBody(body) = JsonBody::from_request(request, app).await?;
        Ok(Self::Json(body))
    }
}

/// A client secret, made just now.
struct Minted {
    secret: SecretString,
    expires_at: UnixTime,
    now: UnixTime,
}

impl Minted {
    fn new(issued: IssuedSecret, now: UnixTime) -> Self {
        Self {
            secret: issued.secret,
            expires_at: issued.expires_at,
            now,
        }
    }

    /// Seconds.
    fn expires_in(&self) -> u64 {
        self.expires_at.since(self.now).as_secs()
    }
}

impl IntoResponse for Minted {
    fn into_response(self) -> Response {
        Json(SecretAnswer {
            client_secret: self.secret.expose_secret(),
            expires_in: self.expires_in(),
            expires_at: self.expires_at.seconds(),
        })
        .into_response()
    }
}

/// `POST /api/chatkit/start`
pub(crate) async fn start(
    State(app): State<AppState>,
    caller: Caller,
    source: Source,
    request: StartRequest,
) -> Response {
    match request {
        StartRequest::Json(body) => mint(&app, &caller, &source, body.workflow)
            .await
            .into_response(),
        StartRequest::TokenExchange(exchange) => {
            match mint(&app, &caller, &source, exchange.audience).await {
                Ok(minted) => {
                    token_exchange::answer(minted.secret.expose_secret(), minted.expires_in())
                }
                Err(error) => error.into_oauth_response(),
            }
        }
    }
}

/// Opens a session for whoever was admitted, here or at OpenAI.
async fn mint(
    app: &App,
    caller: &Caller,
    source: &Source,
    workflow: Option<String>,
) -> Result<Minted, ApiError> {
    app.settings.doors.check_client_secret()?;
    app.limits.secret(caller.owner()).await?;
    if let Some(hosted) = &app.openai_sessions {
        return mint_at_openai(app, hosted, caller.identity(), source, workflow).await;
    }
    let workflow = app.workflow(caller.pass(), workflow.as_deref(), None)?;
    let new = NewChatSession {
        identity: caller.identity(),
        workflow: workflow.id.to_string(),
        origins: Vec::new(),
        state: Map::new(),
        opened_by: OpenedBy::User,
        secret_lifetime: app.settings.secret_lifetime,
        is_renewable: true,
    };
    let now = app.now().wall;
    let issued = app.client_secrets.open(new, now).await?;
    app.audit
        .issued(source, Door::ClientSecret, caller.identity(), &issued);
    Ok(Minted::new(issued, now))
}

/// `POST /api/chatkit/refresh`
pub(crate) async fn refresh(
    State(app): State<AppState>,
    login: Login,
    source: Source,
    JsonBody(body): JsonBody<RefreshBody>,
) -> Result<Response, ApiError> {
    app.settings.doors.check_client_secret()?;
    app.limits.secret(login.identity.shared_owner_key()).await?;
    let current = body.current_client_secret.ok_or_else(|| {
        ApiError::bad_request("name the secret to replace as `currentClientSecret`")
            .with_param("currentClientSecret")
    })?;
    let Login { identity, verdict } = login;
    if let Some(hosted) = &app.openai_sessions {
        verdict.map_err(Error::from)?;
        // OpenAI has no rotation: another secret is minted, for the user who was checked just now.
        let minted = mint_at_openai(&app, hosted, &identity, &source, body.workflow).await?;
        return Ok(minted.into_response());
    }
    let now = app.now().wall;
    let current = current.expose_secret();
    let terms = match verdict {
        Ok(terms) => terms,
        Err(refusal) => {
            let session = app.client_secrets.session_of(current, &identity, now).await;
            // Otherwise nothing is open that would have to end.
            if let Ok(session) = session {
                end_denied(&app, &source, &identity, &session).await?;
            }
            return Err(Error::from(refusal).into());
        }
    };
    let pinned = terms.workflow.as_deref();
    let lifetime = app.settings.secret_lifetime;
    let rotated = app
        .client_secrets
        .rotate(current, &identity, pinned, lifetime, now)
        .await;
    if let Err(Error::Invalid(rejection)) = &rotated
        && let Some(session) = rejection.ended_session()
    {
        let record = source.note(AuditEvent::SecretReused, Door::ClientSecret, &identity);
        app.audit.record(record.in_session(session));
    }
    let issued = rotated?;
    // Only the session says what it was opened for. Nobody has heard of its next secret yet.
    let workflow = Some(issued.session.workflow.as_str());
    if app.workflow(Pass::Login(&terms), workflow, None).is_err() {
        end_denied(&app, &source, &identity, &issued.session).await?;
        return Err(ApiError::forbidden("workflow_closed", caller::CLOSED));
    }
    app.audit
        .issued(&source, Door::ClientSecret, &identity, &issued);
    Ok(Minted::new(issued, now).into_response())
}

/// Ends the family of secrets of somebody who may not go on; its streams end with it.
async fn end_denied(
    app: &App,
    source: &Source,
    identity: &Identity,
    session: &ChatSessionRecord,
) -> Result<(), ApiError> {
    let now = app.now().wall;
    if app.client_secrets.deny(&session.id, now).await? {
        let event = AuditEvent::SessionEnded {
            reason: EndReason::Denied,
            sessions: 1,
        };
        let record = source.note(event, Door::ClientSecret, identity);
        app.audit.record(record.in_session(session.id.as_str()));
    }
    Ok(())
}

/// `POST /api/chatkit/visitor`
pub(crate) async fn visitor(
    State(app): State<AppState>,
    PublicTokenCaller(token): PublicTokenCaller,
    Extension(client): Extension<ClientIp>,
    source: Source,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    app.settings.doors.check_public_token()?;
    let now = app.now().wall;
    let resume = cookie::visitor(&headers, app.settings.is_secure);
    let tokens = &app.public_tokens;
    let known = tokens.returning(&token, resume.as_deref(), now).await?;
    if known.is_none() {
        app.limits.visitor(&token.id, client, &token.quotas).await?;
    }
    let lifetime = app.settings.visitor_secret_lifetime;
    let visitor = tokens
        .visit(&token, resume.as_deref(), now.plus(lifetime), now)
        .await?;
    if visitor.is_new {
        let created = AuditEvent::VisitorCreated {
            public_token_id: token.id.clone(),
        };
        app.audit
            .record(source.note(created, Door::PublicToken, &visitor.identity));
    }
    app.limits
        .secret(visitor.identity.shared_owner_key())
        .await?;
    let issued = open_for_visitor(&app, &token, &visitor.identity, now).await?;
    app.audit
        .issued(&source, Door::PublicToken, &visitor.identity, &issued);
    let kept = visitor
        .resume
        .as_ref()
        .map(ExposeSecret::expose_secret)
        .or(resume.as_deref());
    let mut response = Minted::new(issued, now).into_response();
    if let Some(cookie) = kept.and_then(|text| cookie::keep_visitor(text, app.settings.is_secure)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn open_for_visitor(
    app: &App,
    token: &auth::ports::PublicTokenRecord,
    identity: &auth::Identity,
    now: UnixTime,
) -> Result<IssuedSecret, ApiError> {
    let settings = SessionSettings {
        quotas: Some(token.quotas),
        token_workflow: token.workflow.clone(),
        is_bound_to_token: true,
        ..SessionSettings::default()
    };
    let pass = Pass::PublicToken(token.workflow.as_deref());
    let new = NewChatSession {
        identity,
        workflow: app.workflow(pass, None, None)?.id.to_string(),
        origins: token.origins.clone(),
        state: settings.into_state()?,
        opened_by: OpenedBy::PublicToken(token.id.clone()),
        secret_lifetime: app.settings.visitor_secret_lifetime,
        is_renewable: true,
    };
    Ok(app.client_secrets.open(new, now).await?)
}

async fn mint_at_openai(
    app: &App,
    hosted: &OpenAiSessions,
    identity: &Identity,
    source: &Source,
    workflow: Option<String>,
) -> Result<Minted, ApiError> {
    // Workflows cost the operator money, so a page cannot name just any of theirs.
    if let Some(other) = workflow.filter(|id| *id != hosted.workflow) {
        return Err(engine::Error::UnknownWorkflow {
            id: other,
            version: None,
        }
        .into());
    }
    let request = SessionRequest {
        workflow: SessionWorkflow {
            id: hosted.workflow.clone(),
            version: None,
            state_variables: Map::new(),
        },
        user: identity.owner_key().to_owned(),
        expires_after: None,
    };
    let minted = hosted.api.create(&request).await?;
    let event = AuditEvent::SessionOpened {
        workflow: hosted.workflow.clone(),
        displaced: 0,
    };
    app.audit
        .record(source.note(event, Door::ClientSecret, identity));
    let expires_at = UnixTime::from_seconds(minted.expires_at);
    Ok(Minted {
        secret: minted.client_secret,
        expires_at,
        now: app.now().wall,
    })
}
