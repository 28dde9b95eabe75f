//! Who calls: from the headers of a request to a [`Caller`], and from there to the engine's context.
//!
//! This is the only way in. [`admit`] runs in the router's guard, in front of every handler that is
//! not public; a handler that needs to know who calls takes a [`Caller`], which nobody else can make.

mod server;

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use auth::{
    Error, Identity, InHand, Now, Origin, Refusal,
    access::Pass,
    audit::Door,
    bearer::{BearerError, bearer, check_user_id, settle},
    client_secret::ChatSession,
    credential::{Kind, classify},
    origin_refusal::OriginRefusal,
    ports::{ChatSessionRecord, OpenedBy, PublicTokenRecord},
    rule::{EntryRules, Terms},
};
use axum::extract::{FromRequestParts, Request};
use engine::{Owner, RequestContext, User, Words, Workflow};
use http::{Extensions, HeaderMap, HeaderName, Method, header, request::Parts};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use crate::caller::server::ServerCaller;
use crate::{
    address::Takes,
    app::App,
    body::{self, Form},
    client_ip::ClientIp,
    cookie,
    cors::PageOrigin,
    error::ApiError,
    in_hand, locale,
    session_settings::SessionSettings,
    token_exchange::TokenExchange,
};

/// What a person reads whose session is bound to a workflow that is closed to them by now.
pub(crate) const CLOSED: Words = Words::AssistantNotOpen;
const X_USER_ID: HeaderName = HeaderName::from_static("x-user-id");

/// Proof that a request may act for an identity. Made by [`admit`] only.
#[derive(Clone)]
pub(crate) struct Caller {
    identity: Arc<Identity>,
    entry: Entry,
    terms: Terms,
}

/// By which credential the caller came in.
#[derive(Clone)]
pub(crate) enum Entry {
    /// A user's own JWT; it stays in the request's headers, where it came.
    UserToken,
    /// The issuer's session cookie.
    SessionCookie,
    /// A client secret of doors 1 or 2, and the session that it belongs to.
    ClientSecret(Arc<OpenSession>),
    /// A public token with a visitor's cookie.
    Visitor(Arc<PublicTokenRecord>),
}

/// What is written down about a caller: no credential is part of it.
#[derive(Clone)]
pub(crate) struct Trace {
    pub(crate) identity: Arc<Identity>,
    /// Where the credential says it; a login is taken by two doors.
    pub(crate) door: Option<Door>,
    pub(crate) session: Option<Arc<OpenSession>>,
}

/// A chat session that a presented secret belongs to.
pub(crate) struct OpenSession {
    /// Its record; `state` has moved into the settings.
    pub(crate) record: ChatSessionRecord,
    /// What it may do and what it knows.
    pub(crate) settings: SessionSettings,
}

/// Proof that a login holds, with what the rules say about it. Only a route that takes a
/// [`Takes::DeniedLogin`] meets one whose verdict is a refusal.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) identity: Arc<Identity>,
    pub(crate) verdict: Result<Terms, Refusal>,
}

/// Proof that a page of an allowed origin presented a public token; not a person yet.
#[derive(Clone)]
pub(crate) struct PublicTokenCaller(pub(crate) Arc<PublicTokenRecord>);

impl Caller {
    fn new(identity: Arc<Identity>, entry: Entry) -> Self {
        Self {
            identity,
            entry,
            terms: Terms::default(),
        }
    }

    /// A caller whose issuer has spoken: the rules say whether they may enter, and on which terms.
    fn admitted(identity: Arc<Identity>, entry: Entry, rules: &EntryRules) -> Result<Self, Error> {
        let terms = rules.admit(&identity)?;
        Ok(Self {
            terms,
            ..Self::new(identity, entry)
        })
    }

    /// On which terms the rules let the caller in.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The value of the store's owner column; also what limits of a person are counted by.
    pub(crate) fn owner(&self) -> &Arc<str> {
        self.identity.shared_owner_key()
    }

    /// Who it is and by which door, for a refusal that comes later.
    pub(crate) fn trace(&self) -> Trace {
        let (door, session) = match &self.entry {
            Entry::ClientSecret(session) => {
                let door = match session.record.opened_by {
                    OpenedBy::User => Door::ClientSecret,
                    OpenedBy::PublicToken(_) => Door::PublicToken,
                    OpenedBy::ServerKey(_) => Door::ServerKey,
                };
                (Some(door), Some(session.clone()))
            }
            Entry::Visitor(_) => (Some(Door::PublicToken), None),
            Entry::UserToken | Entry::SessionCookie => (None, None),
        };
        Trace {
            identity: self.identity.clone(),
            door,
            session,
        }
    }

    /// What opens workflows to the caller.
    pub(crate) fn pass(&self) -> Pass<'_> {
        match &self.entry {
            Entry::UserToken | Entry::SessionCookie => Pass::Login(&self.terms),
            Entry::Visitor(token) => Pass::PublicToken(token.workflow.as_deref()),
            Entry::ClientSecret(session) => match session.record.opened_by {
                OpenedBy::User => Pass::Login(&self.terms),
                OpenedBy::PublicToken(_) => {
                    Pass::PublicToken(session.settings.token_workflow.as_deref())
                }
                OpenedBy::ServerKey(_) => Pass::ServerKey(self.identity.issuer()),
            },
        }
    }

    /// The workflow that answers the caller: their session's, or the one that is theirs without a
    /// session.
    pub(crate) fn workflow<'app>(
        &self,
        app: &'app App,
    ) -> Result<&'app Arc<Workflow>, engine::Error> {
        match &self.entry {
            Entry::ClientSecret(session) => app.workflow(
                self.pass(),
                Some(&session.record.workflow),
                session.settings.workflow_version.as_deref(),
            ),
            Entry::UserToken | Entry::SessionCookie | Entry::Visitor(_) => {
                app.workflow(self.pass(), None, None)
            }
        }
    }

    /// How the caller came in.
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Whether a login of the app itself opened the door, and not a credential of ours.
    pub(crate) fn is_by_login(&self) -> bool {
        matches!(self.entry, Entry::UserToken | Entry::SessionCookie)
    }

    /// Whether it is an anonymous visitor of a public chat, by either of the two credentials.
    pub(crate) fn is_visitor(&self) -> bool {
        match &self.entry {
            Entry::Visitor(_) => true,
            Entry::ClientSecret(session) => match session.record.opened_by {
                OpenedBy::PublicToken(_) => true,
                OpenedBy::User | OpenedBy::ServerKey(_) => false,
            },
            Entry::UserToken | Entry::SessionCookie => false,
        }
    }

    /// Refuses those who come in by door 3 while it is closed.
    pub(crate) fn check_custom_door(&self, app: &App) -> Result<(), ApiError> {
        if self.is_by_login() {
            app.settings.doors.check_custom()?;
        }
        Ok(())
    }

    /// What this caller may do and what is known about them: the session's settings, where there is
    /// a session.
    pub(crate) fn settings(&self) -> &SessionSettings {
        match &self.entry {
            Entry::ClientSecret(session) => &session.settings,
            Entry::UserToken | Entry::SessionCookie | Entry::Visitor(_) => {
                SessionSettings::unrestricted()
            }
        }
    }

    /// What the engine needs to know: the one place where an identity becomes an owner. `headers`
    /// are those of the request that the caller was admitted with.
    pub(crate) fn context(
        &self,
        app: &App,
        headers: &HeaderMap,
    ) -> Result<RequestContext, ApiError> {
        Ok(RequestContext {
            owner: Owner::new(self.owner().clone()),
            user: User {
                id: self.identity.subject().to_owned(),
                issuer: self.identity.issuer().to_owned(),
                claims: self.identity.claims().clone(),
                token: match &self.entry {
                    Entry::UserToken => token_of(headers),
                    Entry::SessionCookie | Entry::ClientSecret(_) | Entry::Visitor(_) => None,
                },
            },
            workflow: Some(self.workflow(app)?.id.clone()),
            rules: self.settings().rules(),
            state_variables: Arc::new(self.settings().state_variables.clone()),
            uploads: app.settings.uploads.rules_for(self),
            limits: if self.is_visitor() {
                app.settings.visitor_limits
            } else {
                engine::CallerLimits::default()
            },
            locale: locale::of(headers).map(str::to_owned),
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        proof(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for Login {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        proof(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for PublicTokenCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        proof(parts)
    }
}

/// A proof that the guard left. A handler behind a route that does not ask for one finds none, and
/// is refused: forgetting a credential closes the door.
fn proof<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<T, ApiError> {
    parts.extensions.get::<T>().cloned().ok_or_else(|| {
        ApiError::internal("a handler asks for a caller that its route does not take")
    })
}

/// Whether [`admit`] let somebody in with this request.
pub(crate) fn is_admitted(extensions: &Extensions) -> bool {
    extensions.get::<Caller>().is_some()
        || extensions.get::<PublicTokenCaller>().is_some()
        || extensions.get::<ServerCaller>().is_some()
}

/// Checks the credential of a request against what its route takes, and leaves the proof in the
/// request's extensions.
pub(crate) async fn admit(
    app: &App,
    takes: &[Takes],
    request: &mut Request,
) -> Result<(), ApiError> {
    if takes.contains(&Takes::SubjectToken) && body::is_form(request.headers()) {
        let body = std::mem::take(request.body_mut());
        let form = Form::read_exchange(request.headers(), body, app.settings.body).await?;
        // curl says that a body is a form unless it is told otherwise. Where the body says nothing
        // either, a plain start is meant, which takes no body; it brings its credential elsewhere.
        if form.is_blank() {
            request.headers_mut().remove(header::CONTENT_TYPE);
        } else {
            request
                .extensions_mut()
                .insert(TokenExchange::parse(&form)?);
        }
    }
    let exchange = request.extensions().get::<TokenExchange>();
    let admission = Admission {
        app,
        takes,
        now: app.now(),
        page: request
            .extensions()
            .get::<PageOrigin>()
            .cloned()
            .unwrap_or_default(),
        client: request
            .extensions()
            .get::<ClientIp>()
            .map(|client| client.address()),
        method: request.method(),
        headers: request.headers(),
        subject_token: exchange.map(|exchange| exchange.subject_token.expose_secret()),
    };
    match admission.decide().await? {
        Admitted::Person(caller) => {
            if caller.is_by_login() {
                request.extensions_mut().insert(Login {
                    identity: caller.identity.clone(),
                    verdict: Ok(caller.terms.clone()),
                });
            }
            request.extensions_mut().insert(caller).map(drop)
        }
        Admitted::Denied(login) => request.extensions_mut().insert(login).map(drop),
        Admitted::Page(token) => request.extensions_mut().insert(token).map(drop),
        Admitted::Server(caller) => request.extensions_mut().insert(caller).map(drop),
    };
    Ok(())
}

enum Admitted {
    Person(Caller),
    Denied(Login),
    Page(PublicTokenCaller),
    Server(ServerCaller),
}

/// One request at the door.
struct Admission<'request> {
    app: &'request App,
    takes: &'request [Takes],
    now: Now,
    page: PageOrigin,
    /// By whose budget issuers are asked.
    client: Option<IpAddr>,
    method: &'request Method,
    headers: &'request HeaderMap,
    /// The token of a token exchange, which has no other place than the body.
    subject_token: Option<&'request str>,
}

impl Admission<'_> {
    async fn decide(&self) -> Result<Admitted, ApiError> {
        if self.takes(Takes::ServerKey) {
            return server::admit(self).await.map(Admitted::Server);
        }
        let authorization = texts(self.headers, &header::AUTHORIZATION);
        let bearer = match bearer(&authorization) {
            // A proxy's own login, which a browser repeats to whatever is behind it.
            Err(BearerError::OtherScheme) if self.may_be_by_cookie() => None,
            bearer => bearer.map_err(Error::from)?,
        };
        let admitted = match (bearer, self.subject_token) {
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_credentials_request(
                    "the request brings two tokens; send `subject_token` without an Authorization header",
                ));
            }
            (Some(token), None) | (None, Some(token)) => self.by_bearer(token).await?,
            (None, None) => self.by_cookie().await?,
        };
        let user_ids = texts(self.headers, &X_USER_ID);
        match &admitted {
            Admitted::Person(caller) => {
                check_user_id(&user_ids, caller.identity())?;
                self.check_page(caller).await?;
            }
            Admitted::Denied(login) => {
                check_user_id(&user_ids, &login.identity)?;
                self.check_origin(&in_hand::of_login(&login.identity))
                    .await?;
            }
            // A public token names nobody, so nobody can be named beside it.
            Admitted::Page(_) if !user_ids.is_empty() => {
                return Err(Error::from(Refusal::UserIdMismatch).into());
            }
            Admitted::Page(_) | Admitted::Server(_) => {}
        }
        Ok(admitted)
    }

    /// Whether there is a session cookie, and it is the only credential that may be meant.
    fn may_be_by_cookie(&self) -> bool {
        self.takes(Takes::SessionCookie)
            && self.subject_token.is_none()
            && self
                .app
                .logins
                .are_any(&texts(self.headers, &header::COOKIE))
    }

    async fn by_bearer(&self, token: &str) -> Result<Admitted, ApiError> {
        let kind = classify(token).map_err(Error::from)?;
        let caller = match kind {
            Kind::Jwt if self.takes(Takes::UserToken) => {
                let identity = self
                    .app
                    .issuers
                    .authenticate_for(self.client, token, self.now)
                    .await?;
                self.settle_with_cookie(&identity).await?;
                return self.by_login(identity, Entry::UserToken);
            }
            Kind::ClientSecret if self.takes(Takes::ClientSecret) => {
                let ChatSession {
                    identity,
                    mut record,
                } = self
                    .app
                    .client_secrets
                    .authenticate(token, self.now.wall)
                    .await?;
                let doors = self.app.settings.doors;
                match record.opened_by {
                    OpenedBy::User => {
                        doors.check_client_secret()?;
                        self.settle_with_cookie(&identity).await?;
                    }
                    // A visitor may well be signed in elsewhere on the site; a user is the same
                    // everywhere.
                    OpenedBy::PublicToken(_) => doors.check_public_token()?,
                    OpenedBy::ServerKey(_) => {}
                }
                let settings = SessionSettings::take_from(&mut record)?;
                let is_login = record.opened_by == OpenedBy::User;
                let entry = Entry::ClientSecret(Arc::new(OpenSession { record, settings }));
                let caller = if is_login {
                    // Rules hold from the moment they are configured, for open sessions too.
                    Caller::admitted(identity, entry, &self.app.rules)?
                } else {
                    Caller::new(identity, entry)
                };
                // So do the workflows that rules, tokens and projects give.
                if caller.workflow(self.app).is_err() {
                    return Err(ApiError::invalid_credential(CLOSED).with_code("workflow_closed"));
                }
                caller
            }
            Kind::PublicToken(_) if self.takes(Takes::PublicToken) => {
                let token = self.public_token(token).await?;
                return Ok(Admitted::Page(PublicTokenCaller(token)));
            }
            Kind::PublicToken(_) if self.takes(Takes::Visitor) => self.visitor(token).await?,
            Kind::ServerKey if self.page.is_present() => {
                return Err(Error::from(Refusal::ServerKeyInBrowser).into());
            }
            kind => return Err(self.wrong_kind(kind)),
        };
        Ok(Admitted::Person(caller))
    }

    async fn public_token(&self, token: &str) -> Result<Arc<PublicTokenRecord>, ApiError> {
        let page = self.page.values();
        let tokens = &self.app.public_tokens;
        Ok(Arc::new(tokens.authenticate(token, &page).await?))
    }

    /// A public token whose visitor has come before: the cookie says which one.
    async fn visitor(&self, token: &str) -> Result<Caller, ApiError> {
        self.app.settings.doors.check_public_token()?;
        let token = self.public_token(token).await?;
        let resume = cookie::visitor(self.headers, self.app.settings.is_secure);
        let known = self
            .app
            .public_tokens
            .returning(&token, resume.as_deref(), self.now.wall)
            .await?;
        let Some(visitor) = known else {
            return Err(ApiError::unauthenticated(
                "this browser is no visitor of the public token yet; call POST /api/chatkit/visitor first",
            ));
        };
        let lifetime = self.app.settings.visitor_secret_lifetime;
        let identity =
            auth::public_token::visitor_identity(&token, &visitor, self.now.wall.plus(lifetime))?;
        Ok(Caller::new(Arc::new(identity), Entry::Visitor(token)))
    }

    /// Without a token, the issuer's session cookie. The browser sends it by itself, so a request
    /// that changes something must come from a page on the allowlist, and say so.
    async fn by_cookie(&self) -> Result<Admitted, ApiError> {
        if !self.takes(Takes::SessionCookie) {
            return Err(self.missing());
        }
        let cookies = texts(self.headers, &header::COOKIE);
        if !self.method.is_safe() && !self.page.is_present() && self.app.logins.are_any(&cookies) {
            // Before the issuer is asked: a request that is refused anyway costs nobody a question.
            let in_hand = in_hand::by_cookie(self.app, &cookies);
            self.app.domains.check(&[], &in_hand).await?;
        }
        let signed_in = self
            .app
            .logins
            .authenticate(self.client, &cookies, self.now)
            .await?;
        let identity = signed_in.ok_or_else(|| self.missing())?;
        self.by_login(identity, Entry::SessionCookie)
    }

    /// A login that holds: the rules say what becomes of it.
    fn by_login(&self, identity: Arc<Identity>, entry: Entry) -> Result<Admitted, ApiError> {
        match self.app.rules.admit(&identity) {
            Ok(terms) => Ok(Admitted::Person(Caller {
                identity,
                entry,
                terms,
            })),
            Err(refusal) if self.takes(Takes::DeniedLogin) => Ok(Admitted::Denied(Login {
                identity,
                verdict: Err(refusal),
            })),
            Err(refusal) => Err(Error::from(refusal).into()),
        }
    }

    /// With a token and a session cookie, both must be the same person. An issuer that is out of
    /// reach does not shut out a token that holds by itself.
    async fn settle_with_cookie(&self, identity: &Identity) -> Result<(), ApiError> {
        if !self.takes(Takes::SessionCookie) {
            return Ok(());
        }
        let cookies = texts(self.headers, &header::COOKIE);
        match self
            .app
            .logins
            .authenticate(self.client, &cookies, self.now)
            .await
        {
            Ok(Some(signed_in)) => Ok(settle(identity, &signed_in)?),
            Ok(None) => Ok(()),
            Err(Error::Unavailable { message, .. }) => {
                tracing::warn!(message, "a session cookie beside a token was not checked");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The page must belong to the caller's environment, and to the origins of the session.
    async fn check_page(&self, caller: &Caller) -> Result<(), ApiError> {
        if !self.page.is_present() || matches!(caller.entry, Entry::Visitor(_)) {
            return Ok(());
        }
        let in_hand = in_hand::of(caller);
        let origin = self.check_origin(&in_hand).await?;
        let (Some(origin), Entry::ClientSecret(session)) = (origin, &caller.entry) else {
            return Ok(());
        };
        let OpenSession { record, settings } = &**session;
        let is_bound_elsewhere = match &record.opened_by {
            // What a page may do with a public token, it may do with the secrets that came of it.
            OpenedBy::PublicToken(_) if settings.is_bound_to_token => !self
                .app
                .public_tokens
                .is_for_page(record.environment, &record.origins, &origin),
            OpenedBy::PublicToken(_) | OpenedBy::User | OpenedBy::ServerKey(_) => {
                !record.origins.is_empty()
                    && !record.origins.iter().any(|own| own == origin.as_str())
            }
        };
        if is_bound_elsewhere {
            let refusal = OriginRefusal::not_for_session(origin, in_hand, record.origins.clone());
            return Err(Error::from(refusal).into());
        }
        Ok(())
    }

    /// The page's origin, which must be on the allowlist of the credential's environment. `None` without
    /// a page.
    async fn check_origin(&self, in_hand: &InHand) -> Result<Option<Origin>, ApiError> {
        if !self.page.is_present() {
            return Ok(None);
        }
        let page = self.page.values();
        let domains = &self.app.domains;
        Ok(Some(domains.check(&page, in_hand).await?))
    }

    fn takes(&self, kind: Takes) -> bool {
        self.takes.contains(&kind)
    }

    fn missing(&self) -> ApiError {
        let takes = format!("this address needs {}", wanted(self.takes));
        let is_for_people = self.takes.iter().any(|kind| match kind {
            Takes::UserToken | Takes::SessionCookie | Takes::ClientSecret | Takes::Visitor => true,
            Takes::SubjectToken | Takes::DeniedLogin | Takes::PublicToken | Takes::ServerKey => {
                false
            }
        });
        if is_for_people {
            ApiError::unauthenticated(Words::NotSignedIn).with_takes(takes)
        } else {
            ApiError::unauthenticated(takes)
        }
    }

    fn wrong_kind(&self, kind: Kind) -> ApiError {
        let detail = format!(
            "this is a {}; this address needs {}",
            kind.name(),
            wanted(self.takes)
        );
        ApiError::wrong_credential_kind(detail)
    }
}

/// What a route takes, in words.
fn wanted(takes: &[Takes]) -> String {
    let words: Vec<&str> = takes
        .iter()
        .filter_map(|kind| match kind {
            Takes::UserToken => Some("the user's token as `Authorization: Bearer`"),
            Takes::SubjectToken => {
                Some("the user's token as `subject_token` of a token exchange (RFC 8693)")
            }
            Takes::SessionCookie => Some("the issuer's session cookie"),
            Takes::ClientSecret => Some("a client secret (ek_) as `Authorization: Bearer`"),
            Takes::Visitor => Some("a public token (pk_) with the cookie of its visitor"),
            Takes::PublicToken => Some("a public token (pk_) as `Authorization: Bearer`"),
            Takes::ServerKey => Some("a server key as `Authorization: Bearer`"),
            // No other credential, only another verdict.
            Takes::DeniedLogin => None,
        })
        .collect();
    words.join(", or ")
}

/// The bearer token of a request.
fn token_of(headers: &HeaderMap) -> Option<SecretString> {
    let authorization = texts(headers, &header::AUTHORIZATION);
    let token = bearer(&authorization).ok()??;
    Some(token.into())
}

/// All values of a header as text. What is not text cannot be mistaken for a good value: the
/// replacement character is in no credential.
pub(crate) fn texts<'headers>(
    headers: &'headers HeaderMap,
    name: &HeaderName,
) -> Vec<Cow<'headers, str>> {
    headers
        .get_all(name)
        .iter()
        // Valid text is seen to be so faster than the lossy way can tell.
        .map(|value| match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(value.as_bytes()),
        })
        .collect()
}
