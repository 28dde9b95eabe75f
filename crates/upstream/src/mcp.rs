//! Tools of MCP servers (Model Context Protocol) over streamable HTTP, and of programs over their standard input and
//! output, behind the engine's port.
//!
//! Every user has a session of their own with every server over HTTP, opened with a credential that belongs
//! to that user: [`SessionKey`] is what keeps people apart, and there is no other way to a session. A program has one
//! session, which all users share, and is told nothing of them.
//!
//! Not here yet, and where it goes: OAuth with the user's consent becomes a further [`ForwardedIdentity`].

mod asking;
mod call;
mod consent;
mod examine;
mod exchange;
mod failure;
mod identity;
mod lines;
mod message;
mod name;
mod offers;
mod pipes;
mod program;
mod progress;
mod reading;
pub(crate) mod result;
mod schema;
mod session;
mod transport;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex as SyncMutex},
    time::Duration,
};

use async_trait::async_trait;
use engine::{
    Owner, RequestContext,
    ports::{Clock, ToolCall, ToolEvent, ToolSpec, ToolStream, Tools},
};
use futures::{future::join_all, stream};
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};
use url::Url;

pub use self::{
    consent::Consent,
    examine::{Examined, FoundTool, LeftOut, Problem, offered_names},
    exchange::{ExchangeClient, TokenExchange},
    failure::FailureKind,
    identity::{IDENTITY_TYP, IdentitySigner},
    program::{Host, Program},
};
use self::{
    exchange::{ExchangeError, Exchanged, Target},
    failure::Failure,
    offers::{Lists, Offer, Offers},
    session::{Era, HANDSHAKE_TIMEOUT, Session},
};
use crate::{
    error::Error,
    http::{HttpClient, HttpPolicy},
    metered::ToolWatch,
};

/// How many tools are offered at most where nothing else is said: OpenAI refuses a question with more.
pub const MAX_TOOLS: usize = 128;
/// Sessions that are kept open; the one that was used longest ago goes first.
const MAX_SESSIONS: u64 = 1_000;
/// A session that nobody used for this long is closed.
const SESSION_IDLE: Duration = Duration::from_mins(5);
/// A server that could not be reached for a user is left alone for that user for this long.
const BACK_OFF: Duration = Duration::from_secs(15);
/// Of so many tools it is said that they are left out.
const MAX_LEFT_OUT: usize = 1_000;

/// An MCP server.
#[derive(Debug, Clone)]
pub struct McpServer {
    /// The operator's name for it; in front of its tools' names where two servers' tools collide.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// What tokens that are meant for it have in `aud`, where that is not its address. A signed
    /// identity holds it letter by letter.
    pub audience: Option<String>,
    /// How it learns who the user is.
    pub identity: ForwardedIdentity,
    /// Our own key for it, where the user's identity is not forwarded.
    pub api_key: Option<SecretString>,
    /// Which of its tools a person is asked about before they run.
    pub consent: Consent,
    /// How long a call may be silent; progress starts the time again.
    pub call_timeout: Duration,
    /// How long a call may take in all.
    pub total_timeout: Duration,
    /// How many bytes of a result the model is told.
    pub max_result_bytes: usize,
    /// Whether it may be called by plain `http://` on another machine.
    pub allow_insecure_http: bool,
}

impl McpServer {
    /// A program, with the usual limits. It is told nothing of the user.
    pub fn program(name: impl Into<String>, host: Arc<Host>) -> Self {
        Self {
            identity: ForwardedIdentity::None,
            ..Self::at(name.into(), Place::Program(host))
        }
    }

    /// A server that is told who the user is by a signed token, with the usual limits.
    pub fn new(name: impl Into<String>, url: Url) -> Self {
        Self::at(name.into(), Place::Http(url))
    }

    fn at(name: String, place: Place) -> Self {
        Self {
            name,
            place,
            audience: None,
            identity: ForwardedIdentity::Signed,
            api_key: None,
            consent: Consent::default(),
            call_timeout: Duration::from_mins(1),
            total_timeout: Duration::from_mins(5),
            max_result_bytes: 64 * 1024,
            allow_insecure_http: false,
        }
    }

    /// What tokens that are meant for it have in `aud`.
    fn audience(&self) -> &str {
        let name = match &self.place {
            Place::Http(url) => url.as_str(),
            Place::Program(_) => &self.name,
        };
        self.audience.as_deref().unwrap_or(name)
    }

    /// Whether a token with these claims is meant for this server.
    fn is_meant_by(&self, claims: &serde_json::Map<String, Value>) -> bool {
        let own = canonical(self.audience());
        let is_own = |value: &Value| value.as_str().is_some_and(|name| canonical(name) == own);
        match claims.get("aud") {
            Some(Value::Array(names)) => names.iter().any(is_own),
            Some(name) => is_own(name),
            None => false,
        }
    }
}

/// An audience in the one form that two spellings of an address share (RFC 8707 §2, and "Canonical
/// Server URI" of MCP's authorization): scheme and host in lower case, no default port, no slash at
/// the end. What is no web address is itself.
fn canonical(audience: &str) -> String {
    match Url::parse(audience) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let text = url.as_str();
            text.strip_suffix('/').unwrap_or(text).to_owned()
        }
        _ => audience.to_owned(),
    }
}

/// Where a server is.
#[derive(Debug, Clone)]
pub enum Place {
    /// At the address of its streamable HTTP endpoint.
    Http(Url),
    /// It is a program of this machine, whose process all users share.
    Program(Arc<Host>),
}

/// What a server is told about the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedIdentity {
    /// Nothing; all users are one to it.
    None,
    /// The user's own token, where its `aud` names the server; the server is left out for users whose
    /// token does not, and behind doors 1 and 2, where there is none.
    Token,
    /// The user's own token, whomever it is meant for: a token passthrough, which the security guides
    /// of MCP and OAuth forbid, because the server can then act for the user everywhere else.
    AnyToken,
    /// A token for this server alone, for which the user's own is exchanged at its issuer.
    Exchanged,
    /// A short-lived token that we sign for this server alone.
    Signed,
}

/// The HTTP policy for MCP servers: their streams may be silent, so time-outs are set by call.
pub const HTTP_POLICY: HttpPolicy = HttpPolicy {
    connect_timeout: Duration::from_secs(5),
    idle_timeout: None,
    total_timeout: None,
    allow_insecure_http: false,
    reuse_connections: true,
    unpacks_bodies: true,
};

/// The tools of all configured MCP servers.
pub struct McpTools {
    servers: Vec<McpServer>,
    http: HttpClient,
    signer: Option<IdentitySigner>,
    exchange: TokenExchange,
    clock: Arc<dyn Clock>,
    sessions: Cache<SessionKey, Arc<Slot>>,
    max_tools: usize,
    /// Whether somebody answers what servers ask in the middle of a call.
    has_audience: bool,
    /// What is known of each server's age.
    eras: Vec<Era>,
    lists: Lists,
    /// The tools of which it was said that they are left out.
    left_out: SyncMutex<HashSet<String>>,
}

/// Which user's session with which server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SessionKey {
    owner: Owner,
    /// Position in [`McpTools::servers`].
    server: usize,
}

/// A place for one session. A slot belongs to one [`SessionKey`] for good, and its credential
/// never changes: a new credential makes a new slot.
struct Slot {
    /// What the session is opened with, or what is exchanged for that.
    credential: Option<SecretString>,
    /// What came for it, where it is exchanged; kept while the server cannot be reached.
    exchanged: OnceCell<Exchanged>,
    /// When the credential is too old to be used; a signed one is renewed by then.
    deadline: Option<Instant>,
    session: OnceCell<Arc<Session>>,
    failed_until: Mutex<Option<Instant>>,
}

impl McpTools {
    /// Prepares the servers; none is called yet. The signer is needed where a server's identity is
    /// [`ForwardedIdentity::Signed`].
    pub fn new(
        servers: Vec<McpServer>,
        http: HttpClient,
        signer: Option<IdentitySigner>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        for server in &servers {
            match &server.place {
                Place::Http(url) => http
                    .with_insecure_http(server.allow_insecure_http)
                    .check(url)?,
                Place::Program(_) if server.identity == ForwardedIdentity::None => {}
                Place::Program(_) => {
                    return Err(Error::Configuration {
                        message: format!(
                            "the tool server `{}` is a program, which all users share, so it cannot know who the user \
                             is: set `identity = \"none\"`, or run it as a server of its own and set `url`",
                            server.name
                        ),
                    });
                }
            }
            if server.identity == ForwardedIdentity::Signed && signer.is_none() {
                return Err(Error::Configuration {
                    message: format!(
                        "the tool server `{}` wants a signed identity, but no signing key is \
                         configured",
                        server.name
                    ),
                });
            }
        }
        Ok(Self {
            eras: servers.iter().map(|_| Era::default()).collect(),
            servers,
            http,
            signer,
            exchange: TokenExchange::default(),
            clock,
            sessions: Cache::builder()
                .max_capacity(MAX_SESSIONS)
                .time_to_idle(SESSION_IDLE)
                .build(),
            max_tools: MAX_TOOLS,
            has_audience: false,
            lists: Lists::default(),
            left_out: SyncMutex::default(),
        })
    }

    /// Offers at most this many tools of all servers together, in their order.
    #[must_use]
    pub fn with_max_tools(self, max_tools: usize) -> Self {
        Self { max_tools, ..self }
    }

    /// Lets servers ask the person something in the middle of a call: whoever calls deals with [`ToolEvent::Asks`].
    #[must_use]
    pub fn with_audience(self) -> Self {
        Self {
            has_audience: true,
            ..self
        }
    }

    /// Where tokens are exchanged for servers that want [`ForwardedIdentity::Exchanged`].
    #[must_use]
    pub fn with_exchange(self, exchange: TokenExchange) -> Self {
        Self { exchange, ..self }
    }

    /// How many tools are offered at most.
    pub fn max_tools(&self) -> usize {
        self.max_tools
    }

    /// Ends the programs, with everything that they have started.
    pub async fn close(&self) {
        let closing = self
            .servers
            .iter()
            .filter_map(|server| match &server.place {
                Place::Program(host) => Some(host.close()),
                Place::Http(_) => None,
            });
        join_all(closing).await;
    }

    /// Ends them at once.
    pub fn kill(&self) {
        for server in &self.servers {
            if let Place::Program(host) = &server.place {
                host.kill();
            }
        }
    }

    /// The user's slot for a server: the one at hand if it can still be used, else a fresh one.
    fn slot(&self, server: usize, context: &RequestContext) -> Result<Arc<Slot>, Trouble> {
        let config = self.servers.get(server).ok_or(Trouble::Gone)?;
        if let Place::Program(host) = &config.place {
            return Ok(host.slot(Instant::now()));
        }
        let token = match config.identity {
            ForwardedIdentity::Token
            | ForwardedIdentity::AnyToken
            | ForwardedIdentity::Exchanged => {
                let token = context.user.token.clone().ok_or(Trouble::NoToken)?;
                if config.identity == ForwardedIdentity::Token
                    && !config.is_meant_by(&context.user.claims)
                {
                    return Err(Trouble::NotMeant);
                }
                Some(token)
            }
            ForwardedIdentity::None => config.api_key.clone(),
            ForwardedIdentity::Signed => None,
        };
        let key = SessionKey {
            owner: context.owner.clone(),
            server,
        };
        let now = Instant::now();
        if let Some(slot) = self.sessions.get(&key)
            && slot.is_usable(now)
            // A signed credential is ours: as long as it is not too old it is the right one.
            && (config.identity == ForwardedIdentity::Signed || slot.has(token.as_ref()))
        {
            return Ok(slot);
        }
        let (credential, deadline) = match (&self.signer, config.identity) {
            (Some(signer), ForwardedIdentity::Signed) => {
                let seconds = self.clock.now().as_jiff().as_second();
                let token = signer.sign(context, config.audience(), seconds)?;
                (Some(token), Some(now + identity::RENEW_AFTER))
            }
            _ => (token, None),
        };
        let slot = Arc::new(Slot {
            credential,
            deadline,
            ..Slot::shared(None)
        });
        self.sessions.insert(key, Arc::clone(&slot));
        Ok(slot)
    }

    /// What one server offers. A session that turns out to be dead is opened once more, and a server that gives no list
    /// even then is left alone for a while, as one is that opens no session.
    async fn offer(
        &self,
        server: usize,
        context: &RequestContext,
        is_refresh: bool,
    ) -> Result<Offer, Trouble> {
        let mut is_second_try = false;
        let began_at = Instant::now();
        loop {
            let slot = self.slot(server, context)?;
            let config = self.servers.get(server).ok_or(Trouble::Gone)?;
            let era = self.eras.get(server).ok_or(Trouble::Gone)?;
            let session = slot.session(self, config, era, context).await?;
            let shared = |listing| self.lists.share(server, listing);
            match session.tools(is_refresh, shared).await {
                Ok(listing) => {
                    self.tell_left_out(config, &listing.left_out);
                    return Ok(Offer {
                        server,
                        slot,
                        listing,
                    });
                }
                Err(error) => {
                    session.give_up();
                    self.sessions.invalidate(&SessionKey {
                        owner: context.owner.clone(),
                        server,
                    });
                    if session.wants_handshake() {
                        era.remember_old();
                    }
                    // The person waits. What is slow in a session that is new is so in the next one.
                    let is_slow =
                        matches!(error, Trouble::TimedOut) && session.opened_at >= began_at;
                    if is_second_try || is_slow {
                        let next = self.slot(server, context)?;
                        *next.failed_until.lock().await = Some(Instant::now() + BACK_OFF);
                        return Err(error);
                    }
                    is_second_try = true;
                }
            }
        }
    }

    async fn offers(&self, context: &RequestContext, is_refresh: bool) -> Offers {
        let asked = (0..self.servers.len()).map(|server| self.offer(server, context, is_refresh));
        let mut offers = Vec::new();
        let mut is_partial = false;
        for (server, answer) in self.servers.iter().zip(join_all(asked).await) {
            match answer {
                Ok(offer) => offers.push(offer),
                Err(Trouble::NoToken) => {
                    tracing::debug!(
                        server = server.name,
                        "left out: the user came without a token"
                    );
                }
                Err(Trouble::BackingOff) => {
                    // The reason was told when it failed.
                    is_partial = true;
                    tracing::debug!(server = server.name, "left alone for a while");
                }
                Err(error) => {
                    is_partial = true;
                    tracing::warn!(
                        server = server.name,
                        error = &error as &dyn std::error::Error,
                        "the tool server is left out"
                    );
                }
            }
        }
        Offers { offers, is_partial }
    }

    /// Starts a call, or says to the model why not.
    async fn start(
        &self,
        context: &RequestContext,
        call: &ToolCall,
        is_approved: bool,
    ) -> Result<ToolStream, String> {
        let arguments = match call.arguments.trim() {
            "" => serde_json::Map::new(),
            text => serde_json::from_str(text)
                .map_err(|error| format!("The arguments are not a JSON object: {error}."))?,
        };
        let offers = self.offers(context, false).await;
        let mut found = self.find(&offers.offers, &call.name);
        let mut is_partial = offers.is_partial;
        if found.is_none() {
            // The model may know of a tool that is newer than the list at hand.
            let offers = self.offers(context, true).await;
            found = self.find(&offers.offers, &call.name);
            is_partial = offers.is_partial;
        }
        let Some((server, slot, tool)) = found else {
            return Err(if is_partial {
                "This tool cannot be reached at the moment. Go on without it, or tell the user to \
                 try again later."
                    .to_owned()
            } else {
                "There is no tool of this name.".to_owned()
            });
        };
        match (self.servers.get(server), slot.session.get()) {
            (Some(config), Some(_)) if !is_approved && config.consent.is_needed(&tool) => {
                Ok(Box::pin(stream::iter([ToolEvent::NeedsApproval])))
            }
            (Some(config), Some(session)) => {
                let watch = ToolWatch::begin(&config.name);
                let arguments = tool.arguments(arguments);
                let answer = session.call(config, tool.name, arguments).await;
                Ok(watch.until_done(answer?))
            }
            _ => Err("There is no tool of this name.".to_owned()),
        }
    }
}

impl Slot {
    /// A place without a credential, which nobody tries to open before this moment.
    fn shared(failed_until: Option<Instant>) -> Self {
        Self {
            credential: None,
            exchanged: OnceCell::new(),
            deadline: None,
            session: OnceCell::new(),
            failed_until: Mutex::new(failed_until),
        }
    }

    fn is_usable(&self, now: Instant) -> bool {
        let until = self.exchanged.get().map(|exchanged| exchanged.until);
        self.deadline.is_none_or(|deadline| now < deadline)
            && until.is_none_or(|until| now < until)
            && self
                .session
                .get()
                .is_none_or(|session| !session.is_closed())
    }

    fn has(&self, credential: Option<&SecretString>) -> bool {
        self.credential.as_ref().map(ExposeSecret::expose_secret)
            == credential.map(ExposeSecret::expose_secret)
    }

    /// The session, opened on first use. Several requests at once wait for one attempt, and after
    /// a failed one nobody tries again for a while.
    async fn session(
        &self,
        tools: &McpTools,
        config: &McpServer,
        era: &Era,
        context: &RequestContext,
    ) -> Result<&Arc<Session>, Trouble> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        // Whoever opens it may take longer, and go on with that.
        let waiting = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.failed_until.lock());
        let mut failed_until = waiting.await.map_err(|_| Trouble::TimedOut)?;
        if failed_until.is_some_and(|until| Instant::now() < until) {
            return Err(Trouble::BackingOff);
        }
        let opened = self
            .session
            .get_or_try_init(|| async {
                let credential = self.credential(tools, config, context).await?;
                Session::open(config, &tools.http, credential, era, tools.has_audience).await
            })
            .await;
        *failed_until = opened.is_err().then(|| Instant::now() + BACK_OFF);
        opened
    }

    /// What the server is shown.
    async fn credential(
        &self,
        tools: &McpTools,
        config: &McpServer,
        context: &RequestContext,
    ) -> Result<Option<&SecretString>, Trouble> {
        let Some(own) = &self.credential else {
            return Ok(None);
        };
        if config.identity != ForwardedIdentity::Exchanged {
            return Ok(Some(own));
        }
        let target = match (&config.audience, &config.place) {
            (Some(name), _) => Target::Audience(name),
            (None, Place::Http(url)) => Target::Resource(url),
            (None, Place::Program(_)) => Target::Audience(&config.name),
        };
        let asking = || tools.exchange.exchange(&context.user.issuer, own, target);
        let exchanged = self.exchanged.get_or_try_init(asking).await?;
        Ok(Some(&exchanged.token))
    }
}

#[async_trait]
impl Tools for McpTools {
    async fn list(&self, context: &RequestContext) -> Vec<ToolSpec> {
        let offers = self.offers(context, false).await.offers;
        self.offered(&offers).specs.clone()
    }

    async fn call(
        &self,
        context: &RequestContext,
        call: ToolCall,
        is_approved: bool,
    ) -> ToolStream {
        match self.start(context, &call, is_approved).await {
            Ok(events) => events,
            Err(output) => Box::pin(stream::iter([ToolEvent::done(output, true)])),
        }
    }
}

/// Why a server is of no use to a user now; for the log.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("there is no such server")]
    Gone,
    #[error("the user came without a token of their own")]
    NoToken,
    #[error(
        "the user's token is not meant for it: set `identity = \"exchange\"`, or have the issuer \
         name the server in the tokens' `aud`"
    )]
    NotMeant,
    #[error("no token for it could be had")]
    Exchange(#[from] ExchangeError),
    #[error("it failed a moment ago and is left alone for a while")]
    BackingOff,
    #[error("the user's identity could not be signed")]
    Signing(#[source] auth::Error),
    #[error("it did not answer in time")]
    TimedOut,
    #[error("no session could be opened: {0}")]
    Opening(Failure),
    #[error("its tools could not be listed: {0}")]
    Listing(Failure),
}

#[cfg(test)]
mod tests;
