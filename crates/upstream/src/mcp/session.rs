//! One user's session with one MCP server.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{
        Arc, Mutex as SyncMutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::ports::{Parameters, ToolEvent, ToolStream};
use futures::{FutureExt, StreamExt, stream};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, Peer, RoleClient, ServiceError,
    handler::client::progress::{ProgressDispatcher, ProgressSubscriber},
    model::{
        CallToolRequest, CallToolRequestParams, CancelledNotification, CancelledNotificationParam,
        ClientCapabilities, ClientConfig, ClientRequest, Implementation, JsonObject,
        ListToolsRequest, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
        RequestId, ServerPeerInfo, ServerResult, Tool,
    },
    service::{ClientInitializeError, NotificationContext, PeerRequestOptions, RunningService},
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

use super::{
    LeftOut, McpServer, Place, Trouble,
    failure::{self, Failure},
    program::Running as Process,
    result::{self, cut},
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
/// Every list comes in pages, and a server may have no end of them.
const MAX_PAGES: usize = 16;
/// The longest message that is read from a server, in bytes. A result may be longer than what a model
/// is told of it, so that it can be cut; what is longer than this is not read at all.
pub(super) const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// The longest line of progress that a user is shown, in characters.
const MAX_PROGRESS_CHARS: usize = 200;
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
    /// Whether it says of itself that it destroys something.
    pub(super) is_destructive: bool,
}

/// A server's tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Listing {
    pub(super) tools: Arc<[McpTool]>,
    pub(super) left_out: Arc<[LeftOut]>,
}

/// An open session. It closes when nobody holds it any more; a call that runs holds it.
pub(super) struct Session {
    service: RunningService<RoleClient, Listener>,
    pub(super) has_handshake: bool,
    listing: Mutex<Option<(Instant, Listing)>>,
    /// Set when the server says that it does not know it, or does not answer.
    is_gone: AtomicBool,
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

    fn remember_old(&self) {
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
    Refused(Failure),
    Failed(Failure),
}

/// What the server may say by itself.
struct Listener {
    progress: ProgressDispatcher,
    has_changed_tools: AtomicBool,
}

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.progress.handle_notification(params).await;
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.has_changed_tools.store(true, Ordering::Release);
    }

    fn get_info(&self) -> ClientConfig {
        let implementation = Implementation::new("vestibule", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), implementation)
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
    ) -> Result<Arc<Self>, Trouble> {
        let mut has_handshake = true;
        let opening = async {
            let is_http = matches!(server.place, Place::Http(_));
            let mut is_asked = false;
            if is_http && !era.is_old() {
                is_asked = true;
                let asking = begin(server, http, credential, without_handshake());
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
            match begin(server, http, credential, handshake).await {
                Err(NotOpened::Refused(refusal)) if is_asked => Err(refusal),
                Err(NotOpened::Refused(refusal)) => {
                    let opened = begin(server, http, credential, without_handshake()).await;
                    has_handshake = false;
                    era.forget();
                    // What it said to the handshake tells more than that it knows nothing else.
                    opened.map_err(|_| refusal)
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
        }))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
            || self.service.is_closed()
            || self.service.peer().is_transport_closed()
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
                .await
                .map_err(|error| Trouble::Listing(failure::of_service(&error)))?;
            let page = Page::of(answer)?;
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
            // Some servers end with an empty cursor, or with the one they were just given.
            let next = page.next_cursor.filter(|next| !next.is_empty());
            if next.is_none() || next == cursor || tools.len() >= MAX_TOOLS {
                break;
            }
            cursor = next;
        }
        Ok(Listing {
            tools: tools.into(),
            left_out: left_out.into(),
        })
    }

    /// Starts a call; what it reports comes as a stream, and dropping that cancels the call.
    pub(super) async fn call(
        self: &Arc<Self>,
        server: &McpServer,
        tool: String,
        arguments: JsonObject,
    ) -> Result<ToolStream, String> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(
            CallToolRequestParams::new(tool).with_arguments(arguments),
        ));
        let options = PeerRequestOptions::with_timeout(server.call_timeout)
            .reset_timeout_on_progress()
            .with_max_total_timeout(server.total_timeout);
        let peer = self.service.peer();
        let handle = peer
            .send_cancellable_request(request, options)
            .await
            .map_err(|error| told(server, &error))?;
        let listener = self.service.service();
        let progress = listener.progress.subscribe(handle.progress_token.clone());
        let running = Running {
            progress: progress.await,
            guard: CancelOnDrop {
                peer: peer.clone(),
                id: Some(handle.id.clone()),
            },
            answer: Box::pin(handle.await_response()),
            server: server.clone(),
            session: Arc::clone(self),
        };
        Ok(Box::pin(stream::unfold(Some(running), |running| async {
            let mut running = running?;
            match running.next().await {
                event @ ToolEvent::Progress(_) => Some((event, Some(running))),
                event => Some((event, None)),
            }
        })))
    }
}

/// The way to begin that knows no handshake.
fn without_handshake() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::LATEST],
    }
}

/// Opens a session in one of the two ways.
async fn begin(
    server: &McpServer,
    http: &HttpClient,
    credential: Option<&SecretString>,
    lifecycle: ClientLifecycleMode,
) -> Result<(Service, Option<Process>), NotOpened> {
    let url = match &server.place {
        Place::Http(url) => url,
        Place::Program(host) => {
            let (transport, process) = host.start(&server.name).map_err(NotOpened::Failed)?;
            let opened = Box::pin(listener().serve_with_lifecycle(transport, lifecycle)).await;
            return match opened {
                Ok(service) => Ok((service, Some(process))),
                Err(refusal @ ClientInitializeError::JsonRpcError(_)) => {
                    Err(NotOpened::Refused(failure::of_opening(&refusal)))
                }

                Err(error) => Err(NotOpened::Failed(match process.end().await {
                    Some(end) => Failure::program(format!("its program has ended ({end})")),
                    None => failure::of_opening(&error),
                })),
            };
        }
    };
    let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
        .max_sse_event_size(MAX_MESSAGE_BYTES)
        .max_json_response_size(MAX_MESSAGE_BYTES);
    if let Some(credential) = credential {
        config = config.auth_header(credential.expose_secret());
    }
    let transport = StreamableHttpClientTransport::with_client(Transport(http.inner()), config);
    let opened = Box::pin(listener().serve_with_lifecycle(transport, lifecycle)).await;
    match opened {
        Ok(service) => Ok((service, None)),
        Err(refusal @ ClientInitializeError::JsonRpcError(_)) => {
            Err(NotOpened::Refused(failure::of_opening(&refusal)))
        }

        Err(error) => Err(NotOpened::Failed(failure::of_opening(&error))),
    }
}

fn listener() -> Listener {
    Listener {
        progress: ProgressDispatcher::new(),
        has_changed_tools: AtomicBool::new(false),
    }
}

/// A page of a server's tools.
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
            ServerResult::CustomResult(answer) => {
                let Some(tools) = answer.0["tools"].as_array() else {
                    return Err(Trouble::Listing(failure::of_service(
                        &ServiceError::UnexpectedResponse,
                    )));
                };
                Ok(Self {
                    tools: tools.iter().filter_map(Listed::of_entry).collect(),
                    next_cursor: answer.0["nextCursor"].as_str().map(str::to_owned),
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
            // Nothing is said about the arguments.
            Value::Null | Value::Bool(true) => Ok(Arc::default()),
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
        let acceptable = schema::acceptable(&schema)?;
        Ok(McpTool {
            name: self.name,
            description: cut(&self.description, MAX_DESCRIPTION_CHARS),
            dropped: schema::dropped(&schema, &acceptable),
            is_destructive: self.is_destructive,
            schema,
            parameters: Value::Object(acceptable).into(),
        })
    }
}

/// A call that has not ended.
struct Running {
    progress: ProgressSubscriber,
    answer: Pin<Box<dyn Future<Output = Result<ServerResult, ServiceError>> + Send>>,
    guard: CancelOnDrop,
    server: McpServer,
    /// Kept open until the end, even if another session has taken its place in the meantime.
    session: Arc<Session>,
}

impl Running {
    async fn next(&mut self) -> ToolEvent {
        loop {
            let answer = tokio::select! {
                biased;
                Some(progress) = self.progress.next() => match progress_line(progress) {
                    Some(line) => return ToolEvent::Progress(line),
                    None => continue,
                },
                answer = &mut self.answer => answer,
            };
            self.guard.id = None;
            if let Err(ServiceError::McpError(error)) = &answer
                && transport::says_gone(&error.message)
            {
                // It may have come from the tool itself, so the call is not repeated; the next one has a new session.
                self.session.is_gone.store(true, Ordering::Release);
            }
            return match answer {
                Ok(result) => self.done(result),
                Err(error) => ToolEvent::done(told(&self.server, &error), true),
            };
        }
    }

    fn done(&self, result: ServerResult) -> ToolEvent {
        match result {
            ServerResult::CallToolResult(result) => {
                let (output, files) = result::told(&result, self.server.max_result_bytes);
                ToolEvent::Done {
                    output,
                    is_error: result.is_error.unwrap_or(false),
                    files,
                }
            }
            ServerResult::EmptyResult(_) => ToolEvent::done(result::NOTHING, false),
            // Questions to the user and tasks that run on are not offered in the handshake.
            _ => ToolEvent::done(
                "The tool answered with something that this client did not ask for.",
                true,
            ),
        }
    }
}

/// Tells the server that nobody waits for the call any more.
struct CancelOnDrop {
    peer: Peer<RoleClient>,
    /// `None` once the call has ended.
    id: Option<RequestId>,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let reason = "nobody waits for the answer any more".to_owned();
        let params = CancelledNotificationParam::new(Some(id), Some(reason));
        let cancelled = CancelledNotification::new(params);
        // The first poll puts the message into the session's queue; its delivery needs no waiting.
        let _ = self.peer.send_notification(cancelled.into()).now_or_never();
    }
}

/// What is said to the model when a call fails; the rest goes to the log.
fn told(server: &McpServer, error: &ServiceError) -> String {
    match error {
        ServiceError::McpError(error) => format!("The tool failed: {}", cut(&error.message, 1_000)),
        ServiceError::Timeout { timeout } => format!(
            "The tool did not answer within {} seconds. It may still have done its work.",
            timeout.as_secs_f32()
        ),
        error if is_too_large(error) => {
            "The tool's result is too large to be read. Ask it for less at once.".to_owned()
        }
        ServiceError::TransportClosed if matches!(server.place, Place::Program(_)) => {
            "The tool's program ended before its result was there. It may still have done its work; it is started anew \
             for the next call."
                .to_owned()
        }
        // What a stream that holds too much looks like from here, among other things.
        ServiceError::TransportClosed => {
            tracing::warn!(
                server = server.name,
                "a tool server's connection ended during a call"
            );
            "The connection to the tool ended before its result was there. The result may have been \
             too large: ask for less at once, or go on without it."
                .to_owned()
        }
        error => {
            tracing::warn!(
                server = server.name,
                error = %failure::of_service(error),
                "a tool call failed"
            );
            "The tool could not be reached. Go on without it, or tell the user to try again later."
                .to_owned()
        }
    }
}

/// Whether the answer was longer than [`MAX_MESSAGE_BYTES`].
fn is_too_large(error: &ServiceError) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if matches!(
            error.downcast_ref(),
            Some(StreamableHttpError::<reqwest::Error>::ResponseBodyTooLarge { .. })
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A line for the user, if the progress says anything that a person can read.
fn progress_line(progress: ProgressNotificationParam) -> Option<String> {
    let line = match (progress.message, progress.total) {
        (Some(message), _) => message,
        (None, Some(total)) => format!("{} of {total}", progress.progress),
        (None, None) => return None,
    };
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| cut(&line, MAX_PROGRESS_CHARS))
}
