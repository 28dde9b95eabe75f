//! One user's session with one MCP server.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex as SyncMutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::ports::{Parameters, Reply};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData as McpError, RoleClient,
    ServiceError,
    model::{
        ClientCapabilities, ClientConfig, ClientRequest, ElicitRequestParams, ElicitResult,
        ElicitationCreateRequestMethod, ErrorCode, Implementation, JsonObject, ListToolsRequest,
        PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion, ServerPeerInfo,
        ServerResult, Tool,
    },
    service::{ClientInitializeError, NotificationContext, RunningService},
    transport::{
        StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

use super::{
    LeftOut, McpServer, Place, Trouble,
    asking::{self, Askers},
    failure::{self, Failure},
    program::Running as Process,
    progress::Progress,
    result::cut,
    schema::{self, Unusable},
    transport::{self, Transport},
};
use crate::http::HttpClient;

/// How long opening a session or listing its tools may take: a turn waits for it.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a program may take until it can be spoken to: it may have to be downloaded first (`npx`, `uvx`). A turn
/// waits as long as for others, unless it is the one that starts it.
const PROGRAM_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a server may take to say whether it knows the revision of 2026-07-28, before it is offered a handshake.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a server that wants a handshake is not asked again whether it does.
const ERA_FOR: Duration = Duration::from_hours(1);
/// How long a list of tools is good for, unless the server says that it changed.
const LIST_AGE: Duration = Duration::from_mins(1);
/// More tools of one server than this are not offered.
const MAX_TOOLS: usize = 256;
/// Of so many tools of one server it is told why they are left out.
const MAX_LEFT_OUT: usize = 1_000;
/// Every list comes in pages, of any size, and a server may have no end of them.
const MAX_PAGES: usize = 256;
/// The longest message that is read from a server, in bytes. A result may be longer than what a model
/// is told of it, so that it can be cut; what is longer than this is not read at all.
pub(super) const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// The longest description of a tool that a model is told, in characters.
const MAX_DESCRIPTION_CHARS: usize = 4_000;

/// A tool as its server names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct McpTool {
    pub(super) name: String,
    pub(super) description: String,
    /// As it came.
    pub(super) schema: Arc<JsonObject>,
    /// As models are told.
    pub(super) parameters: Parameters,
    /// See [`schema::dropped`].
    pub(super) dropped: Vec<String>,
    /// See [`schema::rename`].
    pub(super) renamed: BTreeMap<String, String>,
    /// Whether it says of itself that it destroys something.
    pub(super) is_destructive: bool,
}

impl McpTool {
    /// The arguments under the names that the server has for them.
    pub(super) fn arguments(&self, given: JsonObject) -> JsonObject {
        if self.renamed.is_empty() {
            return given;
        }
        let given = given.into_iter();
        let named = given.map(|(name, value)| match self.renamed.get(&name) {
            Some(own) => (own.clone(), value),
            None => (name, value),
        });
        named.collect()
    }
}

/// A server's tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Listing {
    pub(super) tools: Arc<[McpTool]>,
    pub(super) left_out: Arc<[LeftOut]>,
}

/// An open session. It closes when nobody holds it any more; a call that runs holds it.
pub(super) struct Session {
    pub(super) service: RunningService<RoleClient, Listener>,
    pub(super) has_handshake: bool,
    listing: Mutex<Option<(Instant, Listing)>>,
    /// Set when the server says that it does not know it, or does not answer.
    is_gone: AtomicBool,
    /// Set when the server misses a handshake that it had said it needs none of.
    wants_handshake: AtomicBool,
    pub(super) opened_at: Instant,
    /// Where the server is a program.
    process: Option<Process>,
}

type Service = RunningService<RoleClient, Listener>;

/// Whether a server is known to want a handshake: until a while after it was asked, because servers are renewed.
#[derive(Debug, Default)]
pub(super) struct Era(SyncMutex<Option<Instant>>);

impl Era {
    fn is_old(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn remember_old(&self) {
        let until = Instant::now() + ERA_FOR;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Why no session was opened.
enum NotOpened {
    /// It refuses this kind of beginning.
    Refused {
        failure: Failure,
        /// The revision that it would take.
        wanted: Option<ProtocolVersion>,
    },
    Failed(Failure),
}

impl From<ClientInitializeError> for NotOpened {
    fn from(error: ClientInitializeError) -> Self {
        let failure = failure::of_opening(&error);
        let wanted = wanted_version(&error);
        match error {
            ClientInitializeError::JsonRpcError(_) => Self::Refused { failure, wanted },
            _ if wanted.is_some() => Self::Refused { failure, wanted },
            _ => Self::Failed(failure),
        }
    }
}

/// The newest revision with a handshake that a refusal speaks of; the first one, where it says no more than that it is
/// about the revision.
fn wanted_version(refusal: &ClientInitializeError) -> Option<ProtocolVersion> {
    let words = match refusal {
        ClientInitializeError::JsonRpcError(error) => {
            let data = error.data.as_ref().map(Value::to_string);
            format!("{} {}", error.message, data.unwrap_or_default())
        }
        ClientInitializeError::TransportError { error, .. } => {
            transport::refusal(error.error.as_ref())
                .filter(|(status, _)| *status == 400)?
                .1
                .to_owned()
        }
        _ => return None,
    };
    let offered = ProtocolVersion::LATEST_WITH_INITIALIZE;
    // They are sorted.
    let mut older = ProtocolVersion::KNOWN_VERSIONS
        .iter()
        .filter(|version| **version < offered);
    let named = older
        .clone()
        .rfind(|version| words.contains(version.as_str()));
    let is_about_it = words.to_ascii_lowercase().contains("version");
    named
        .or_else(|| older.next().filter(|_| is_about_it))
        .cloned()
}

/// What the server may say by itself.
pub(super) struct Listener {
    pub(super) progress: Progress,
    has_changed_tools: AtomicBool,
    /// The operator's name of the server.
    server: String,
    /// The revision that a handshake offers.
    version: ProtocolVersion,
    elicitation: Elicitation,
    pub(super) askers: Askers,
}

/// How a server may ask the person something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elicitation {
    Off,
    /// As the result of a call.
    AsResult,
    /// By a request of its own.
    AsRequest,
}

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.progress.report(params);
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.has_changed_tools.store(true, Ordering::Release);
    }

    fn get_info(&self) -> ClientConfig {
        let implementation = Implementation::new("vestibule", env!("CARGO_PKG_VERSION"));
        let mut capabilities = ClientCapabilities::default();
        if self.elicitation != Elicitation::Off {
            capabilities.elicitation = Some(asking::capability());
        }
        ClientConfig::new(capabilities, implementation).with_protocol_version(self.version.clone())
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        context: rmcp::service::RequestContext<RoleClient>,
    ) -> Result<ElicitResult, McpError> {
        if self.elicitation != Elicitation::AsRequest {
            return Err(McpError::method_not_found::<ElicitationCreateRequestMethod>());
        }
        let asking = asking::read(&self.server, &params).map_err(|error| {
            tracing::warn!(
                server = self.server,
                error = &error as &dyn std::error::Error,
                "a tool server asked something that cannot be put to a person"
            );
            McpError::invalid_params(error.to_string(), None)
        })?;
        tokio::select! {
            reply = self.askers.ask(asking) => Ok(asking::result(reply)),
            () = context.ct.cancelled() => Ok(asking::result(Reply::Cancel)),
        }
    }
}

impl Session {
    /// Opens a session in which every request carries this credential. A server over HTTP is asked first whether it
    /// speaks the revision of 2026-07-28, which knows no handshake, unless it is known not to. A program is offered the
    /// handshake first: one that knows nothing else may end at what it does not know, and would have to be started twice.
    pub(super) async fn open(
        server: &McpServer,
        http: &HttpClient,
        credential: Option<&SecretString>,
        era: &Era,
        may_ask: bool,
    ) -> Result<Arc<Self>, Trouble> {
        let mut has_handshake = true;
        let opening = async {
            let is_http = matches!(server.place, Place::Http(_));
            let mut is_asked = false;
            if is_http && !era.is_old() {
                is_asked = true;
                let asking = begin(server, http, credential, without_handshake(), may_ask);
                match tokio::time::timeout(PROBE_TIMEOUT, asking).await {
                    Ok(Ok(opened)) => {
                        has_handshake = false;
                        return Ok(opened);
                    }
                    // It would say the same to a handshake.
                    Ok(Err(NotOpened::Failed(failure))) if failure.is_of_everything() => {
                        return Err(failure);
                    }
                    Ok(Err(_)) | Err(_) => {}
                }
            }
            let handshake = ClientLifecycleMode::Initialize;
            match begin(server, http, credential, handshake, may_ask).await {
                Err(NotOpened::Refused { failure, .. }) if is_asked => Err(failure),
                Err(NotOpened::Refused { failure, .. }) => {
                    let opened =
                        begin(server, http, credential, without_handshake(), may_ask).await;
                    has_handshake = false;
                    era.forget();
                    // What it said to the handshake tells more than that it knows nothing else.
                    opened.map_err(|_| failure)
                }
                Err(NotOpened::Failed(failure)) => Err(failure),
                Ok(opened) => {
                    if is_asked {
                        era.remember_old();
                    }
                    Ok(opened)
                }
            }
        };
        let patience = match &server.place {
            Place::Http(_) => HANDSHAKE_TIMEOUT,
            Place::Program(_) => PROGRAM_TIMEOUT,
        };
        let (service, process) = tokio::time::timeout(patience, opening)
            .await
            .map_err(|_| Trouble::TimedOut)?
            .map_err(|failure| {
                let is_old = failure.may_be_old_transport()
                    && matches!(&server.place, Place::Http(url) if url.path().ends_with("/sse"));
                Trouble::Opening(if is_old {
                    Failure::old_transport()
                } else {
                    failure
                })
            })?;
        Ok(Arc::new(Self {
            service,
            process,
            opened_at: Instant::now(),
            has_handshake,
            listing: Mutex::new(None),
            is_gone: AtomicBool::new(false),
            wants_handshake: AtomicBool::new(false),
        }))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
            || self.service.is_closed()
            || self.service.peer().is_transport_closed()
    }

    pub(super) fn wants_handshake(&self) -> bool {
        self.wants_handshake.load(Ordering::Acquire)
    }

    /// Makes it one that is not used any more, as its server does not answer.
    pub(super) fn give_up(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    /// Ends a session with a program, and the program.
    pub(super) async fn close(&self) {
        self.give_up();
        if let Some(process) = &self.process {
            self.service.cancellation_token().cancel();
            process.stop().await;
        }
    }

    /// Ends a program at once.
    pub(super) fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    /// Who answers, as far as it says.
    pub(super) fn peer_info(&self) -> Option<Arc<ServerPeerInfo>> {
        self.service.peer().peer_info()
    }

    /// The server's tools, from memory if that is fresh enough. What is listed anew is kept as `shared` gives it back.
    pub(super) async fn tools(
        &self,
        is_refresh: bool,
        shared: impl FnOnce(Listing) -> Listing + Send,
    ) -> Result<Listing, Trouble> {
        let mut kept = self.listing.lock().await;
        let listener = self.service.service();
        let has_changed = listener.has_changed_tools.swap(false, Ordering::AcqRel);
        if let Some((since, listing)) = &*kept
            && !is_refresh
            && !has_changed
            && since.elapsed() < LIST_AGE
        {
            return Ok(listing.clone());
        }
        let listing = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.list());
        let listing = shared(listing.await.map_err(|_| Trouble::TimedOut)??);
        *kept = Some((Instant::now(), listing.clone()));
        Ok(listing)
    }

    async fn list(&self) -> Result<Listing, Trouble> {
        let mut tools = Vec::new();
        let mut left_out = Vec::new();
        let mut names = HashSet::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut params = PaginatedRequestParams::default();
            params.cursor.clone_from(&cursor);
            let request = ListToolsRequest::with_param(params);
            let answer = self
                .service
                .send_request(ClientRequest::ListToolsRequest(request))
                .await;
            let page = match answer {
                Ok(answer) => Page::of(answer)?,
                // It has none.
                Err(ServiceError::McpError(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                    break;
                }
                // What there is before a page that cannot be had is worth more than nothing.
                Err(ServiceError::McpError(error)) if cursor.is_some() => {
                    tracing::warn!(
                        server = self.service.service().server,
                        error = %failure::of_service(&ServiceError::McpError(error)),
                        "a tool server lists a part of its tools only"
                    );
                    break;
                }
                Err(error) => {
                    let is_missed = matches!(&error, ServiceError::McpError(error) if transport::says_gone(&error.message));
                    if is_missed && !self.has_handshake {
                        self.wants_handshake.store(true, Ordering::Release);
                    }
                    return Err(Trouble::Listing(failure::of_service(&error)));
                }
            };
            let known = names.len();
            let is_empty = page.tools.is_empty();
            for tool in page.tools {
                if !names.insert(tool.name.clone()) {
                    continue;
                }
                let name = tool.name.clone();
                let reason = match tool.offered() {
                    Ok(tool) if tools.len() < MAX_TOOLS => {
                        tools.push(tool);
                        continue;
                    }
                    Ok(_) => format!("the server has more than {MAX_TOOLS} tools"),
                    Err(error) => error.to_string(),
                };
                if left_out.len() < MAX_LEFT_OUT {
                    left_out.push(LeftOut { name, reason });
                }
            }
            // Some servers end with an empty cursor, or with the one they were just given, or begin again.
            let next = page.next_cursor.filter(|next| !next.is_empty());
            let is_repeated = !is_empty && names.len() == known;
            if next.is_none() || next == cursor || is_repeated || tools.len() >= MAX_TOOLS {
                break;
            }
            cursor = next;
        }
        Ok(Listing {
            tools: tools.into(),
            left_out: left_out.into(),
        })
    }
}

/// The way to begin that knows no handshake.
fn without_handshake() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::LATEST],
    }
}

/// Opens a session in one of the two ways. A server that answers a handshake with an error about its revision, where it
/// should have named one of its own, is offered that.
async fn begin(
    server: &McpServer,
    http: &HttpClient,
    credential: Option<&SecretString>,
    lifecycle: ClientLifecycleMode,
    may_ask: bool,
) -> Result<(Service, Option<Process>), NotOpened> {
    let has_handshake = matches!(lifecycle, ClientLifecycleMode::Initialize);
    let version = ProtocolVersion::LATEST_WITH_INITIALIZE;
    let opened = begin_with(
        server,
        http,
        credential,
        lifecycle.clone(),
        version,
        may_ask,
    )
    .await;
    match opened {
        Err(NotOpened::Refused {
            wanted: Some(version),
            ..
        }) if has_handshake => {
            begin_with(server, http, credential, lifecycle, version, may_ask).await
        }
        opened => opened,
    }
}

async fn begin_with(
    server: &McpServer,
    http: &HttpClient,
    credential: Option<&SecretString>,
    lifecycle: ClientLifecycleMode,
    version: ProtocolVersion,
    may_ask: bool,
) -> Result<(Service, Option<Process>), NotOpened> {
    let has_handshake = matches!(lifecycle, ClientLifecycleMode::Initialize);
    let mut listener = listener(
        server,
        match (&server.place, has_handshake) {
            _ if !may_ask => Elicitation::Off,
            (_, false) => Elicitation::AsResult,
            (Place::Http(_), true) => Elicitation::AsRequest,
            // Whom of all its users it asks, nobody could say.
            (Place::Program(_), true) => Elicitation::Off,
        },
    );
    listener.version = version;
    let url = match &server.place {
        Place::Http(url) => url,
        Place::Program(host) => {
            let (transport, process) = host.start(&server.name).map_err(NotOpened::Failed)?;
            let opened = Box::pin(listener.serve_with_lifecycle(transport, lifecycle)).await;
            return match opened {
                Ok(service) => Ok((service, Some(process))),
                Err(error) => Err(match NotOpened::from(error) {
                    NotOpened::Failed(failure) => {
                        let end = process.end().await;
                        NotOpened::Failed(end.map_or(failure, |end| {
                            Failure::program(format!("its program has ended ({end})"))
                        }))
                    }
                    refused @ NotOpened::Refused { .. } => refused,
                }),
            };
        }
    };
    let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
        .max_sse_event_size(MAX_MESSAGE_BYTES)
        .max_json_response_size(MAX_MESSAGE_BYTES);
    if let Some(credential) = credential {
        config = config.auth_header(credential.expose_secret());
    }
    let transport =
        StreamableHttpClientTransport::with_client(Transport::new(http.clone()), config);
    let opened = Box::pin(listener.serve_with_lifecycle(transport, lifecycle)).await;
    match opened {
        Ok(service) => Ok((service, None)),
        Err(error) => Err(error.into()),
    }
}

fn listener(server: &McpServer, elicitation: Elicitation) -> Listener {
    Listener {
        progress: Progress::default(),
        has_changed_tools: AtomicBool::new(false),
        server: server.name.clone(),
        version: ProtocolVersion::LATEST_WITH_INITIALIZE,
        elicitation,
        askers: Askers::default(),
    }
}

/// A page of a server's tools.
#[derive(Default)]
struct Page {
    tools: Vec<Listed>,
    next_cursor: Option<String>,
}

/// A tool as it stands in a list.
struct Listed {
    name: String,
    description: String,
    schema: Result<Arc<JsonObject>, Unusable>,
    is_destructive: bool,
}

impl Page {
    /// One entry that is not as it should be does not make the others unreadable.
    fn of(answer: ServerResult) -> Result<Self, Trouble> {
        match answer {
            ServerResult::ListToolsResult(page) => Ok(Self {
                tools: page.tools.into_iter().map(Listed::of).collect(),
                next_cursor: page.next_cursor,
            }),
            ServerResult::EmptyResult(_) => Ok(Self::default()),
            ServerResult::CustomResult(answer) => {
                // Some give the list without what goes around it.
                let tools = match &answer.0 {
                    Value::Array(tools) => Some(tools.as_slice()),
                    // `null` is what Go makes of a list in which there is nothing.
                    Value::Object(page) if page.get("tools").is_some_and(Value::is_null) => {
                        Some(&[][..])
                    }
                    page => page["tools"].as_array().map(Vec::as_slice),
                };
                let Some(tools) = tools else {
                    return Err(Trouble::Listing(failure::of_service(
                        &ServiceError::UnexpectedResponse,
                    )));
                };
                Ok(Self {
                    tools: tools.iter().filter_map(Listed::of_entry).collect(),
                    next_cursor: match &answer.0["nextCursor"] {
                        Value::String(cursor) => Some(cursor.clone()),
                        Value::Number(cursor) => Some(cursor.to_string()),
                        _ => None,
                    },
                })
            }
            _ => Err(Trouble::Listing(failure::of_service(
                &ServiceError::UnexpectedResponse,
            ))),
        }
    }
}

impl Listed {
    fn of(tool: Tool) -> Self {
        Self {
            name: tool.name.into_owned(),
            description: tool.description.unwrap_or_default().into_owned(),
            schema: Ok(tool.input_schema),
            is_destructive: tool
                .annotations
                .is_some_and(|hints| hints.destructive_hint == Some(true)),
        }
    }

    /// An entry of a list that could not be read as a whole; nothing, where it has no name.
    fn of_entry(entry: &Value) -> Option<Self> {
        let schema = match &entry["inputSchema"] {
            Value::Object(schema) => Ok(Arc::new(schema.clone())),
            // Nothing is said about the arguments. `[]` is what PHP makes of an object without fields.
            Value::Null | Value::Bool(true) => Ok(Arc::default()),
            Value::Array(fields) if fields.is_empty() => Ok(Arc::default()),
            // Written as JSON twice.
            Value::String(text) => serde_json::from_str(text).map_err(|_| Unusable::Unreadable),
            _ => Err(Unusable::Unreadable),
        };
        Some(Self {
            name: entry["name"].as_str()?.to_owned(),
            description: entry["description"].as_str().unwrap_or_default().to_owned(),
            schema,
            is_destructive: entry["annotations"]["destructiveHint"] == Value::Bool(true),
        })
    }

    /// The tool as models are told about it. One that no provider would take is left out, as it would end every chat.
    fn offered(self) -> Result<McpTool, Unusable> {
        let schema = self.schema?;
        let mut acceptable = schema::acceptable(&schema)?;
        let dropped = schema::dropped(&schema, &acceptable);
        let renamed = schema::rename(&mut acceptable);
        Ok(McpTool {
            name: self.name,
            description: cut(&self.description, MAX_DESCRIPTION_CHARS),
            dropped,
            renamed,
            is_destructive: self.is_destructive,
            schema,
            parameters: Value::Object(acceptable).into(),
        })
    }
}
