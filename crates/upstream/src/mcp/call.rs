//! A call of a tool, from its request to its end: what it reports, what its server asks the person on the way, and how
//! long it may take.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use engine::ports::{Asking, Reply, ToolEvent, ToolStream, Waiting};
use futures::{FutureExt, stream};
use rmcp::{
    Peer, RoleClient, ServiceError,
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResult, CancelledNotification,
        CancelledNotificationParam, ClientRequest, InputRequest, InputRequiredResult, JsonObject,
        ProgressNotificationParam, RequestId, ServerResult,
    },
    service::PeerRequestOptions,
};
use serde_json::Value;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    McpServer, Place,
    asking::{self, MAX_QUESTIONS, MayAsk},
    failure,
    progress::Reports,
    reading,
    result::{self, cut},
    session::Session,
    transport::{self, TransportError, Unsent},
};

/// The longest line of progress that a user is shown, in characters.
const MAX_PROGRESS_CHARS: usize = 200;
/// How often a call is made again because its server wants something first.
const MAX_ROUNDS: usize = 10;
/// How long a server is left alone that wants nothing but to be called again, at first; each time twice as long.
const PAUSE: Duration = Duration::from_millis(100);
/// What the model is told where a server wants what it was not offered.
const UNEXPECTED: &str = "The tool answered with something that this client did not ask for.";
/// What it is told where a call never came to its server.
const UNREACHABLE: &str =
    "The tool could not be reached. Go on without it, or tell the user to try again later.";
/// What it is told where a connection ended on which the answer was to come.
const BROKEN: &str = "The connection to the tool ended before its result was there. It may still have done its work.";
const FORBIDDEN: &str = "The tool's server does not let the user do this";
const GO_ON: &str = "Go on without it, or tell the user.";
/// What it is told where a server asks in a way that nobody can be asked.
const UNASKABLE: &str =
    "The tool asked for more than can be asked here, so it has not done its work.";

impl Session {
    /// Starts a call; what it reports comes as a stream, and dropping that cancels the call.
    pub(super) async fn call(
        self: &Arc<Self>,
        server: &McpServer,
        tool: String,
        arguments: JsonObject,
    ) -> Result<ToolStream, String> {
        let params = CallToolRequestParams::new(tool).with_arguments(arguments);
        let may_ask = self.service.service().askers.enter();
        let sent = self
            .send(params.clone())
            .await
            .map_err(|error| told(server, &error))?;
        let now = Instant::now();
        let running = Running {
            sent,
            params,
            may_ask,
            wanted: None,
            questions: 0,
            rounds: 0,
            silent_until: now + server.call_timeout,
            until: now + server.total_timeout,
            server: server.clone(),
            session: Arc::clone(self),
        };
        Ok(running.report())
    }

    async fn send(&self, params: CallToolRequestParams) -> Result<Sent, ServiceError> {
        let peer = self.service.peer();
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        // How long it may take is counted here: not while a person is asked.
        let options = PeerRequestOptions::no_options();
        let handle = peer.send_cancellable_request(request, options).await?;
        let progress = &self.service.service().progress;
        Ok(Sent {
            progress: progress.listen(handle.progress_token.clone()),
            guard: CancelOnDrop {
                peer: peer.clone(),
                id: Some(handle.id.clone()),
            },
            answer: Box::pin(handle.await_response()),
        })
    }
}

/// A call that has not ended.
struct Running {
    sent: Sent,
    /// What the server is called with.
    params: CallToolRequestParams,
    may_ask: MayAsk,
    /// What the server wants before it is called again.
    wanted: Option<Wanted>,
    /// How many questions it has asked as results.
    questions: usize,
    rounds: usize,
    /// When it has said nothing for too long.
    silent_until: Instant,
    /// When it has taken too long in all.
    until: Instant,
    server: McpServer,
    /// Kept open until the end, even if another session has taken its place in the meantime.
    session: Arc<Session>,
}

/// A request whose answer is not there.
struct Sent {
    progress: Reports,
    answer: Pin<Box<dyn Future<Output = Result<ServerResult, ServiceError>> + Send>>,
    guard: CancelOnDrop,
}

/// What a result asks for instead of telling the end.
struct Wanted {
    questions: VecDeque<(String, Asking)>,
    answers: BTreeMap<String, Value>,
    state: Option<String>,
}

/// Where the person's answer goes.
enum Answering {
    /// To the request of the server, which waits for it.
    Request(oneshot::Sender<Reply>),
    /// Into the call that is made again.
    Again(String),
}

/// What happens next in a call.
enum Happened {
    Progress(String),
    Asks(Asking, Answering),
    Over(ToolEvent),
}

impl Running {
    fn report(self) -> ToolStream {
        Box::pin(stream::unfold(Some(self), |running| async {
            let mut running = running?;
            Some(match running.next().await {
                Happened::Progress(line) => (ToolEvent::Progress(line), Some(running)),
                Happened::Asks(asking, answering) => {
                    let waiting = running.wait_for(answering);
                    (ToolEvent::Asks(Box::new(asking), waiting), None)
                }
                Happened::Over(event) => (event, None),
            })
        }))
    }

    /// Goes on when the person has answered. Their time is not the tool's.
    fn wait_for(mut self, answering: Answering) -> Waiting {
        let asked_at = Instant::now();
        Waiting::new(move |reply| {
            let now = Instant::now();
            self.until += now - asked_at;
            self.silent_until = now + self.server.call_timeout;
            match answering {
                // A server that has stopped waiting says what came of that.
                Answering::Request(to) => drop(to.send(reply)),
                Answering::Again(key) => {
                    let answer = serde_json::to_value(asking::result(reply)).unwrap_or_default();
                    if let Some(wanted) = &mut self.wanted {
                        wanted.answers.insert(key, answer);
                    }
                }
            }
            self.report()
        })
    }

    async fn next(&mut self) -> Happened {
        loop {
            if let Some(wanted) = &mut self.wanted {
                if let Some((key, asking)) = wanted.questions.pop_front() {
                    return Happened::Asks(asking, Answering::Again(key));
                }
                if let Err(error) = self.call_again().await {
                    return Happened::Over(ToolEvent::done(told(&self.server, &error), true));
                }
            }
            let (due, patience) = if self.silent_until < self.until {
                (self.silent_until, self.server.call_timeout)
            } else {
                (self.until, self.server.total_timeout)
            };
            let answer = tokio::select! {
                biased;
                Some(progress) = self.sent.progress.next() => {
                    self.silent_until = Instant::now() + self.server.call_timeout;
                    match progress_line(progress) {
                        Some(line) => return Happened::Progress(line),
                        None => continue,
                    }
                }
                Some(asked) = self.may_ask.asked.recv() => {
                    return Happened::Asks(asked.asking, Answering::Request(asked.reply));
                }
                answer = &mut self.sent.answer => answer,
                () = sleep_until(due) => {
                    if self.session.service.service().askers.is_asking() {
                        let now = Instant::now();
                        self.until = self.until.max(now + self.server.call_timeout);
                        self.silent_until = now + self.server.call_timeout;
                        continue;
                    }
                    // Dropped with its guard, it is cancelled.
                    let timeout = ServiceError::Timeout { timeout: patience };
                    return Happened::Over(ToolEvent::done(told(&self.server, &timeout), true));
                }
            };
            self.sent.guard.id = None;
            match answer {
                Ok(ServerResult::InputRequiredResult(result)) => match self.wants(result) {
                    Ok(wanted) => self.wanted = Some(wanted),
                    Err(words) => return Happened::Over(ToolEvent::done(words, true)),
                },
                Ok(result) => return Happened::Over(self.done(result)),
                Err(error) => {
                    // It may have come from the tool itself, so the call is not repeated; the next one has a new session,
                    // and where there are others, a new credential.
                    let is_gone = match &error {
                        ServiceError::McpError(error) => transport::says_gone(&error.message),
                        error => is_of_credential(error),
                    };
                    if is_gone {
                        self.session.give_up();
                    }
                    return Happened::Over(ToolEvent::done(told(&self.server, &error), true));
                }
            }
        }
    }

    /// What a result wants, where it can be had.
    fn wants(&mut self, result: InputRequiredResult) -> Result<Wanted, &'static str> {
        let requests = result.input_requests.unwrap_or_default();
        self.rounds += 1;
        self.questions += requests.len();
        if self.rounds > MAX_ROUNDS || self.questions > MAX_QUESTIONS {
            return Err(UNASKABLE);
        }
        let mut questions = VecDeque::with_capacity(requests.len());
        for (key, request) in requests {
            let InputRequest::Elicitation(request) = request else {
                return Err(UNEXPECTED);
            };
            let asking = asking::read(&self.server.name, &request.params).map_err(|error| {
                tracing::warn!(
                    server = self.server.name,
                    error = &error as &dyn std::error::Error,
                    "a tool server asked something that cannot be put to a person"
                );
                UNASKABLE
            })?;
            questions.push_back((key, asking));
        }
        Ok(Wanted {
            questions,
            answers: BTreeMap::new(),
            state: result.request_state,
        })
    }

    /// Calls the tool with what it wanted.
    async fn call_again(&mut self) -> Result<(), ServiceError> {
        let Some(Wanted { answers, state, .. }) = self.wanted.take() else {
            return Ok(());
        };
        if answers.is_empty() {
            let doublings = u32::try_from(self.rounds.saturating_sub(1)).unwrap_or(u32::MAX);
            tokio::time::sleep(PAUSE * 2_u32.saturating_pow(doublings)).await;
        }
        self.params.input_responses = (!answers.is_empty()).then_some(answers);
        self.params.request_state = state;
        self.sent = self.session.send(self.params.clone()).await?;
        self.silent_until = Instant::now() + self.server.call_timeout;
        Ok(())
    }

    fn done(&self, result: ServerResult) -> ToolEvent {
        let odd = match result {
            ServerResult::CallToolResult(result) => return self.tell(&result),
            // Tasks that run on are not offered.
            ServerResult::CreateTaskResult(_) => return ToolEvent::done(UNEXPECTED, true),
            ServerResult::CustomResult(result) => result.0,
            // A tool may answer with what has the shape of something else.
            other => serde_json::to_value(&other).unwrap_or_default(),
        };
        match reading::read(odd) {
            Some(result) => self.tell(&result),
            None => ToolEvent::done(UNEXPECTED, true),
        }
    }

    fn tell(&self, result: &CallToolResult) -> ToolEvent {
        let (output, files) = result::told(result, self.server.max_result_bytes);
        ToolEvent::Done {
            output,
            is_error: result.is_error.unwrap_or(false),
            files,
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
        ServiceError::McpError(error) => {
            let mut words = format!("The tool failed: {}", cut(&error.message, 1_000));
            // Which argument was wrong, and how, often stands only here.
            match &error.data {
                None | Some(Value::Null) => {}
                Some(Value::String(data)) => words.extend(["\n", &cut(data, 1_000)]),
                Some(data) => words.extend(["\n", &cut(&data.to_string(), 1_000)]),
            }
            words
        }
        ServiceError::Timeout { timeout } => format!(
            "The tool did not answer within {} seconds. It may still have done its work.",
            timeout.as_secs_f32()
        ),
        error if is_too_large(error) => {
            "The tool's result is too large to be read. Ask it for less at once.".to_owned()
        }
        ServiceError::TransportSend(error) => {
            let error = error.error.as_ref();
            tracing::warn!(
                server = server.name,
                error = %failure::of_transport(error),
                "a tool call failed"
            );
            match error.downcast_ref() {
                Some(error) => unanswered(error),
                None => UNREACHABLE.to_owned(),
            }
        }
        ServiceError::TransportClosed if matches!(server.place, Place::Program(_)) => {
            "The tool's program ended before its result was there. It may still have done its work; it is started anew \
             for the next call."
                .to_owned()
        }
        ServiceError::TransportClosed => {
            tracing::warn!(
                server = server.name,
                "a tool server's connection ended during a call"
            );
            BROKEN.to_owned()
        }
        error => {
            tracing::warn!(
                server = server.name,
                error = %failure::of_service(error),
                "a tool call failed"
            );
            UNREACHABLE.to_owned()
        }
    }
}

/// What is said where no answer came over HTTP, or none that is MCP: whether the tool may have done its work, and what
/// its server says is wrong.
fn unanswered(error: &TransportError) -> String {
    if let Some((status, words)) = transport::refusal(error) {
        // A page is not for a model.
        let words = if words.starts_with('<') { "" } else { words };
        let words = cut(words, 1_000);
        return match (status, words.is_empty()) {
            (401 | 403, _) => format!("{FORBIDDEN} ({status}). {GO_ON}"),
            (_, true) => format!("The tool's server refused the call (HTTP {status}). {GO_ON}"),
            (_, false) => format!("The tool's server refused the call (HTTP {status}): {words}"),
        };
    }
    match error {
        TransportError::AuthRequired(_) => format!("{FORBIDDEN} (401). {GO_ON}"),
        TransportError::InsufficientScope(_) => format!("{FORBIDDEN} (403). {GO_ON}"),
        TransportError::HttpStatus(answer) if answer.status == 429 => {
            let wait = answer
                .retry_after
                .as_deref()
                .and_then(|wait| wait.parse().ok());
            let wait = wait.map_or_else(
                || "a while".to_owned(),
                |seconds: u32| format!("{seconds} seconds"),
            );
            format!(
                "The tool has been used too often (429) and has done nothing. It can be used again after {wait}."
            )
        }
        TransportError::HttpStatus(answer) => format!(
            "The tool's server failed (HTTP {}). It may still have done its work. {GO_ON}",
            answer.status
        ),
        TransportError::Client(Unsent::Http(error)) if !error.is_connect() => BROKEN.to_owned(),
        TransportError::Sse(_)
        | TransportError::Io(_)
        | TransportError::UnexpectedEndOfStream
        | TransportError::TransportChannelClosed => BROKEN.to_owned(),
        TransportError::UnexpectedContentType(_)
        | TransportError::UnexpectedServerResponse(_)
        | TransportError::Deserialize(_) => format!(
            "The tool's server answered with something that cannot be read. It may still have done its work. {GO_ON}"
        ),
        _ => UNREACHABLE.to_owned(),
    }
}

/// Whether the server did not take the credential that was good when the session was opened.
fn is_of_credential(error: &ServiceError) -> bool {
    let ServiceError::TransportSend(error) = error else {
        return false;
    };
    matches!(
        error.error.downcast_ref(),
        Some(TransportError::AuthRequired(_))
    ) || transport::refusal(error.error.as_ref()).is_some_and(|(status, _)| status == 401)
}

/// Whether the answer was longer than [`MAX_MESSAGE_BYTES`](super::session::MAX_MESSAGE_BYTES).
fn is_too_large(error: &ServiceError) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if matches!(
            error.downcast_ref::<TransportError>(),
            Some(TransportError::ResponseBodyTooLarge { .. })
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// With two digits behind the point at most.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A line for the user, if the progress says anything that a person can read.
fn progress_line(progress: ProgressNotificationParam) -> Option<String> {
    let line = match (progress.message, progress.total) {
        (Some(message), _) => message,
        (None, Some(1.0)) => format!("{:.0} %", progress.progress * 100.0),
        (None, Some(total)) => format!("{} of {}", rounded(progress.progress), rounded(total)),
        (None, None) => return None,
    };
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| cut(&line, MAX_PROGRESS_CHARS))
}
