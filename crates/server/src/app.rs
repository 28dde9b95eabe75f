//! What every request needs, put together once by the composition root.

use std::{collections::HashMap, ops::Deref, sync::Arc, time::Instant};

use auth::{
    ClientSecrets, Domains, Issuers, LoginSessions, Now, PublicTokens, ServerKeys, Signer,
    UnixTime, WorkflowAccess, access::Pass, ports::CredentialStore, rule::EntryRules,
};
use engine::{Engine, Workflow, WorkflowId};
use ipnet::IpNet;
use upstream::{
    openai::sessions::SessionsApi,
    relay::{Relay, RelayLimits},
};

use crate::{
    audit::Audit,
    body::BodyLimits,
    development::Development,
    error::ApiError,
    files::{FileAddresses, UploadSettings},
    limits::Limits,
    revocation::Revocations,
};

/// The parts of a running server.
pub struct App {
    /// Conversations.
    pub engine: Engine,
    /// Where credentials are kept.
    pub credentials: Arc<dyn CredentialStore>,
    /// Whose user tokens are believed.
    pub issuers: Arc<Issuers>,
    /// Session cookies of those issuers.
    pub logins: LoginSessions,
    /// Door 1's secrets.
    pub client_secrets: ClientSecrets,
    /// Door 2's tokens and visitors.
    pub public_tokens: PublicTokens,
    /// The operator's own servers.
    pub server_keys: ServerKeys,
    /// Which pages may ask.
    pub domains: Arc<Domains>,
    /// Addresses of files.
    pub file_addresses: Arc<FileAddresses>,
    /// Tells streams that their session was ended.
    pub revocations: Revocations,
    /// Signs the users' identity for MCP servers; its public half is served.
    pub signer: Arc<Signer>,
    /// Mints door 1's secrets elsewhere (`issuer = "openai"`).
    pub openai_sessions: Option<OpenAiSessions>,
    /// Where a body with `messages` goes.
    pub relay: Option<RelayTargets>,
    /// The demo page.
    pub demo: Option<Demo>,
    /// The development issuer.
    pub development: Option<Development>,
    /// What logins' claims decide.
    pub rules: EntryRules,
    /// Which workflows are open to whom.
    pub access: WorkflowAccess,
    /// Rate limits.
    pub limits: Limits,
    /// What happened, for those who ask later.
    pub audit: Audit,
    /// Whether the server can do its work.
    pub readiness: crate::readiness::Readiness,
    /// The rest of the configuration.
    pub settings: Settings,
}

/// OpenAI's sessions API as the one who mints door 1's secrets.
pub struct OpenAiSessions {
    /// The client for that API.
    pub api: SessionsApi,
    /// The workflow at OpenAI.
    pub workflow: String,
}

/// Where bodies with `messages` go, and how much they may ask for.
pub struct RelayTargets {
    /// What answers in the place of each workflow's first version, which is the one that logins get.
    pub by_workflow: HashMap<WorkflowId, RelayTarget>,
    /// How long one answer may take.
    pub duration: std::time::Duration,
    /// How much one request may ask for.
    pub limits: RelayLimits,
}

/// The model of one workflow, behind the relay.
pub struct RelayTarget {
    /// What answers.
    pub relay: Relay,
    /// The provider's name of the model.
    pub model: String,
    /// Whose messages it takes.
    pub takes: RelayTakes,
}

/// Whose plain messages a workflow takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTakes {
    /// Nobody's.
    Nobody,
    /// Those of people whom no rule pins to a workflow. Whoever is pinned was meant to get that
    /// workflow's instructions and tools, and the relay has neither.
    Unpinned,
    /// Everybody's whom the workflow answers.
    Everybody,
}

/// What the demo page is told.
#[derive(Debug, Clone, Default)]
pub struct Demo {
    /// The public token for door 2; without one the door says how to make one.
    pub public_token: Option<String>,
    /// The domain key for door 3.
    pub domain_key: Option<String>,
}

/// Plain values of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which doors are open.
    pub doors: Doors,
    /// How long one client secret of door 1 lives.
    pub secret_lifetime: std::time::Duration,
    /// How long one client secret of a visitor lives.
    pub visitor_secret_lifetime: std::time::Duration,
    /// How long the audit log goes back; for ever when absent.
    pub audit_kept: Option<std::time::Duration>,
    /// How long a visitor who does not come back is kept; for ever when absent.
    pub visitors_kept: Option<std::time::Duration>,
    /// Which environment the configured issuers' users act in. Where no credential says which one is
    /// meant, a page that is on no list is refused for this one, so that the advice fits.
    pub environment: auth::Environment,
    /// Whether browsers reach this server over https; decides which cookies can be set.
    pub is_secure: bool,
    /// Bounds of a request body.
    pub body: BodyLimits,
    /// Which files people may send.
    pub uploads: UploadSettings,
    /// What visitors get less of than a workflow allows.
    pub visitor_limits: engine::CallerLimits,
    /// After this much silence a stream sends a comment.
    pub keep_alive: std::time::Duration,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Which doors are open. Closing one also shuts out those who came in through it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doors {
    /// `start` and `refresh`, and the secrets that they gave.
    pub client_secret: bool,
    /// `visitor`, and whoever came in through it.
    pub public_token: bool,
    /// User tokens and cookies at `/api/chat`.
    pub custom: bool,
}

impl Doors {
    /// What to say about each of the three: open, closed, or what it waits for.
    pub fn states(self, can_sign_in: bool, has_token: bool) -> [&'static str; 3] {
        let state = |is_open: bool, needs: &'static str, is_there: bool| match (is_open, is_there) {
            (false, _) => "closed in the configuration",
            (true, false) => needs,
            (true, true) => "open",
        };
        let login = "waits for a login (an issuer)";
        [
            state(self.client_secret, login, can_sign_in),
            state(self.public_token, "waits for a token", has_token),
            state(self.custom, login, can_sign_in),
        ]
    }

    /// Refuses what belongs to door 1 while it is closed.
    pub(crate) fn check_client_secret(self) -> Result<(), ApiError> {
        check_open(self.client_secret, "client_secret")
    }

    /// Refuses a user's own token or cookie while door 3 is closed.
    pub(crate) fn check_custom(self) -> Result<(), ApiError> {
        if self.custom {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "door_closed",
            "this server takes no user tokens here; start a chat session, or have the operator set `doors.custom.enabled`",
        ))
    }

    /// Refuses what belongs to door 2 while it is closed.
    pub(crate) fn check_public_token(self) -> Result<(), ApiError> {
        check_open(self.public_token, "public_token")
    }
}

fn check_open(is_open: bool, door: &str) -> Result<(), ApiError> {
    if is_open {
        Ok(())
    } else {
        Err(ApiError::door_closed(door))
    }
}

impl App {
    /// Both clocks, read together.
    pub fn now(&self) -> Now {
        let wall = self.engine.clock.now().as_jiff().as_second();
        Now::new(UnixTime::from_seconds(wall), Instant::now())
    }

    /// The workflow that somebody asks for, or their own where they name none. One that is closed to
    /// them and one that is not there are the same error, so that nobody learns which there are.
    pub(crate) fn workflow(
        &self,
        pass: Pass<'_>,
        asked: Option<&str>,
        version: Option<&str>,
    ) -> Result<&Arc<Workflow>, engine::Error> {
        match self.access.choose(pass, asked) {
            Some(id) => {
                let id = WorkflowId::new(id);
                self.engine.workflows.get_version(Some(&id), version)
            }
            None => Err(engine::Error::UnknownWorkflow {
                id: asked.unwrap_or_default().to_owned(),
                version: None,
            }),
        }
    }
}

/// A handle to the [`App`] that handlers take.
#[derive(Clone)]
pub struct AppState(Arc<App>);

impl AppState {
    /// Shares an app.
    pub fn new(app: App) -> Self {
        Self(Arc::new(app))
    }
}

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}
