//! An engine over a real store (SQLite, or PostgreSQL with `VESTIBULE_TEST_STORE=postgresql`), with a model and tools that follow a script, and readers of its streams.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engine::{
    Answer, Attachments, Busy, Engine, Error, Following, ModelChoices, Nodes, Owner, Reader, Reply,
    RequestContext, RunSettings, Runs, SessionRules, Titles, TurnLimits, User, Workflow,
    WorkflowId, Workflows,
    ports::{
        Clock, Ids, Links, Model, ModelError, ModelEvent, ModelRequest, ModelStream, Peers,
        ToolCall, ToolEvent, ToolSpec, ToolStream, Tools,
    },
};
use futures::{StreamExt, stream};
use protocol::{
    AttachmentId, Event, ItemId, ThreadId, ThreadItem, ThreadMetadata, Timestamp,
    attachment::{UploadDescriptor, UploadMethod},
    task::WorkflowSummary,
};
use serde_json::{Map, Value, json};
use store::Database;
use testkit::services::PostgreSqlDatabase;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// One step of a model's script.
#[derive(Clone)]
pub(crate) enum Step {
    Say(&'static str),
    Call(&'static str),
    Done,
    Fail,
    /// Says nothing for so many milliseconds.
    Pause(u64),
    /// Says nothing more, ever.
    Hang,
}

/// A model that plays one script an answer, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Vec<Step>>>,
    asked: Mutex<Vec<ModelRequest>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Vec<Step>>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self {
            answers,
            asked: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> Vec<ModelRequest> {
        lock(&self.asked).clone()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Model for Script {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        lock(&self.asked).push(request);
        let steps = lock(&self.answers).pop_front().unwrap_or_default();
        let hangs = steps.iter().any(|step| matches!(step, Step::Hang));
        let events = stream::iter(steps).filter_map(async |step| match step {
            Step::Say(text) => Some(Ok(ModelEvent::TextDelta(text.to_owned()))),
            Step::Call(name) => Some(Ok(ModelEvent::ToolCall(ToolCall {
                call_id: format!("call-{name}"),
                name: name.to_owned(),
                arguments: "{}".to_owned(),
            }))),
            Step::Done => Some(Ok(ModelEvent::Completed {
                is_truncated: false,
                usage: None,
            })),
            Step::Fail => Some(Err(ModelError::Unavailable("connection refused".into()))),
            Step::Pause(milliseconds) => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                None
            }
            Step::Hang => None,
        });
        if hangs {
            return Ok(Box::pin(events.chain(stream::pending())));
        }
        Ok(Box::pin(events))
    }
}

/// Tools that answer with who asked for what.
pub(crate) struct Echo;

#[async_trait]
impl Tools for Echo {
    async fn list(&self, _context: &RequestContext) -> Vec<ToolSpec> {
        vec![ToolSpec {
            name: "whoami".to_owned(),
            description: "says who asks".to_owned(),
            parameters: json!({"type": "object"}).into(),
        }]
    }

    async fn call(
        &self,
        context: &RequestContext,
        call: ToolCall,
        _is_approved: bool,
    ) -> ToolStream {
        let output = format!("{} asked for {}", context.user.id, call.name);
        let events = [
            ToolEvent::Progress("looking".to_owned()),
            ToolEvent::done(output, false),
        ];
        Box::pin(stream::iter(events))
    }
}

/// A second passes whenever somebody looks.
pub(crate) struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        let seconds = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_microsecond(
            1_795_000_000_000_000 + i64::try_from(seconds).expect("small") * 1_000_000,
        )
        .expect("a time")
    }
}

pub(crate) struct Counting(AtomicU64);

impl Ids for Counting {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Nobody follows them here.
pub(crate) struct NoLinks;

impl Links for NoLinks {
    fn preview(&self, _owner: &Owner, _id: &AttachmentId, _now: Timestamp) -> String {
        String::new()
    }

    fn upload(&self, _owner: &Owner, _id: &AttachmentId, _now: Timestamp) -> UploadDescriptor {
        UploadDescriptor {
            url: String::new(),
            method: UploadMethod::Put,
            headers: BTreeMap::new(),
        }
    }
}

pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) model: Arc<Script>,
    /// None: SQLite in memory.
    database: Option<Arc<PostgreSqlDatabase>>,
    /// Hears other nodes.
    pub(crate) attending: Option<AbortOnDropHandle<()>>,
    /// How it speaks to them.
    peers: Option<Arc<dyn Peers>>,
    redis: Option<String>,
}

/// What stands between a node and what it says to others.
pub(crate) type Carry = fn(Arc<dyn Peers>) -> Arc<dyn Peers>;

/// Opens a database as a process of its own.
async fn open(database: Option<&PostgreSqlDatabase>) -> Arc<dyn Database> {
    let url = match database {
        Some(database) => database.url(),
        None => "sqlite::memory:".to_owned(),
    };
    let options = store::Options {
        pool_size: 4,
        ..store::Options::default()
    };
    store::connect(&url, options).await.expect("a store")
}

impl House {
    pub(crate) async fn new(answers: impl IntoIterator<Item = Vec<Step>>) -> Self {
        Self::with(answers, Titles::Off).await
    }

    pub(crate) async fn with(answers: impl IntoIterator<Item = Vec<Step>>, titles: Titles) -> Self {
        Self::within(answers, titles, TurnLimits::default()).await
    }

    pub(crate) async fn running(
        answers: impl IntoIterator<Item = Vec<Step>>,
        settings: RunSettings,
    ) -> Self {
        let mut house = Self::new(answers).await;
        house.engine.runs = Runs::new(settings);
        house
    }

    /// The same house with another answer to messages that come meanwhile.
    pub(crate) fn busy(self, busy: Busy) -> Self {
        self.with_workflow(|workflow| Workflow { busy, ..workflow })
    }

    /// The same house with other tools.
    pub(crate) fn tools(self, tools: Arc<dyn Tools>) -> Self {
        self.with_workflow(|workflow| Workflow { tools, ..workflow })
    }

    /// The same house some time later.
    pub(crate) fn later(mut self, by: Duration) -> Self {
        self.engine.clock = Arc::new(Ticking(AtomicU64::new(by.as_secs())));
        self
    }

    pub(crate) fn with_workflow(mut self, change: impl FnOnce(Workflow) -> Workflow) -> Self {
        let workflow = self.engine.workflows.get(None).expect("one workflow");
        let workflow = change(Workflow::clone(workflow));
        self.engine.workflows = Arc::new(Workflows::new(vec![workflow]).expect("one workflow"));
        self
    }

    /// Another process over the same store and the same model. This one is taken to have ended.
    pub(crate) async fn restarted(&self) -> Self {
        let mut engine = Engine {
            nodes: Nodes::default(),
            runs: Runs::new(self.settings()),
            tasks: TaskTracker::new(),
            ..self.engine.clone()
        };
        if let Some(database) = &self.database {
            let store = open(Some(database)).await;
            engine.store = store.clone();
            engine.attachments.records = store;
            database.sql("DELETE FROM nodes").expect("no signs of life");
        }
        Self {
            engine,
            model: Arc::clone(&self.model),
            database: self.database.clone(),
            attending: None,
            peers: None,
            redis: None,
        }
    }

    /// What it says to other nodes, nothing of which is lost.
    pub(crate) fn peers(&self) -> Arc<dyn Peers> {
        Arc::clone(self.peers.as_ref().expect("others"))
    }

    /// Whether no server is asked.
    pub(crate) fn is_alone(&self) -> bool {
        self.database.is_none()
    }

    fn settings(&self) -> RunSettings {
        self.engine.runs.settings()
    }

    /// Waits until nothing runs any more.
    pub(crate) async fn settle(&self) {
        self.engine.tasks.close();
        self.engine.tasks.wait().await;
        self.engine.tasks.reopen();
    }

    pub(crate) async fn within(
        answers: impl IntoIterator<Item = Vec<Step>>,
        titles: Titles,
        limits: TurnLimits,
    ) -> Self {
        let database = PostgreSqlDatabase::where_wanted().await.map(Arc::new);
        Self::over(database, answers, titles, limits).await
    }

    /// A node that may have others beside it: over PostgreSQL in any case.
    pub(crate) async fn shared(
        answers: impl IntoIterator<Item = Vec<Step>>,
        redis: Option<String>,
        carry: Carry,
    ) -> Self {
        let database = PostgreSqlDatabase::new().await.expect("PostgreSQL");
        let (titles, limits) = (Titles::Off, TurnLimits::default());
        let mut house = Self::over(Some(Arc::new(database)), answers, titles, limits).await;
        house.redis = redis;
        house.beside(carry).await
    }

    /// Another node over the same database and the same model.
    pub(crate) async fn beside(&self, carry: Carry) -> Self {
        let store = open(self.database.as_deref()).await;
        let peers = store
            .shared(self.redis.as_deref())
            .expect("connections")
            .expect("others")
            .peers;
        let mut engine = Engine {
            nodes: Nodes::new(carry(Arc::clone(&peers))),
            runs: Runs::new(self.settings()),
            tasks: TaskTracker::new(),
            store: store.clone(),
            ..self.engine.clone()
        };
        engine.attachments.records = store;
        let attending = engine.clone();
        let attending = async move { attending.attend_to_others().await };
        let attending = TaskTracker::new().spawn(attending);
        Self {
            engine,
            model: Arc::clone(&self.model),
            database: self.database.clone(),
            attending: Some(AbortOnDropHandle::new(attending)),
            peers: Some(peers),
            redis: self.redis.clone(),
        }
    }

    async fn over(
        database: Option<Arc<PostgreSqlDatabase>>,
        answers: impl IntoIterator<Item = Vec<Step>>,
        titles: Titles,
        limits: TurnLimits,
    ) -> Self {
        let store = open(database.as_deref()).await;
        let model = Script::new(answers);
        let workflow = Workflow {
            id: WorkflowId::new("wf_test"),
            version: None,
            instructions: "be kind".to_owned(),
            user_context: Some("Plan: {{plan}}.".to_owned()),
            model: Arc::clone(&model) as Arc<dyn Model>,
            agent: None,
            transcriber: None,
            client_tools: Vec::new(),
            widgets: Arc::default(),
            actions: std::collections::HashMap::new(),
            model_name: "m".to_owned(),
            model_choices: ModelChoices::These(vec!["other".to_owned()]),
            tools: Arc::new(Echo),
            titles,
            limits,
            busy: Busy::Queue,
            kept: None,
        };
        let engine = Engine {
            nodes: Nodes::default(),
            store: store.clone(),
            attachments: Attachments {
                records: store,
                files: Arc::new(store::LocalFiles::new("/nonexistent")),
                links: Arc::new(NoLinks),
                model_bytes: 0,
            },
            workflows: Arc::new(Workflows::new(vec![workflow]).expect("one workflow")),
            clock: Arc::new(Ticking(AtomicU64::new(0))),
            ids: Arc::new(Counting(AtomicU64::new(1))),
            tasks: TaskTracker::new(),
            runs: Runs::default(),
            max_message_bytes: u64::MAX,
        };
        Self {
            engine,
            model,
            database,
            attending: None,
            peers: None,
            redis: None,
        }
    }

    pub(crate) async fn ask(&self, who: &str, request: Value) -> Result<Reply, Error> {
        self.ask_as(who, request, Following::default()).await
    }

    pub(crate) async fn ask_as(
        &self,
        who: &str,
        request: Value,
        following: Following,
    ) -> Result<Reply, Error> {
        self.handle(context(who), request, following).await
    }

    /// Asks as somebody whose language is known.
    pub(crate) async fn ask_in(&self, locale: &str, request: Value) -> Result<Reply, Error> {
        let context = RequestContext {
            locale: Some(locale.to_owned()),
            ..context("ada")
        };
        self.handle(context, request, Following::default()).await
    }

    async fn handle(
        &self,
        context: RequestContext,
        request: Value,
        following: Following,
    ) -> Result<Reply, Error> {
        let body = serde_json::to_vec(&request).expect("JSON");
        let envelope =
            protocol::Envelope::parse(&body, &protocol::Limits::default()).expect("a request");
        self.engine
            .handle(context, envelope.request, following)
            .await
    }

    /// A streaming request's events, to the end.
    pub(crate) async fn turn(&self, who: &str, request: Value) -> Vec<Event> {
        match self.ask(who, request).await {
            Ok(Reply::Stream(reader)) => Reading::of(reader).rest().await,
            Ok(Reply::Json(_)) => panic!("expected a stream"),
            Err(error) => panic!("refused: {error}"),
        }
    }

    pub(crate) async fn json(&self, who: &str, request: Value) -> Answer {
        match self.ask(who, request).await {
            Ok(Reply::Json(answer)) => answer,
            Ok(Reply::Stream(_)) => panic!("expected a document"),
            Err(error) => panic!("refused: {error}"),
        }
    }

    pub(crate) async fn items(&self, who: &str, thread: &ThreadId) -> Vec<ThreadItem> {
        let request =
            json!({"type": "items.list", "params": {"thread_id": thread, "order": "asc"}});
        let Answer::Items(page) = self.json(who, request).await else {
            panic!("expected items")
        };
        page.data
    }
}

/// What a reader has read, event by event.
pub(crate) struct Reading {
    reader: Reader,
    events: VecDeque<Event>,
}

impl Reading {
    pub(crate) fn of(reader: Reader) -> Self {
        Self {
            reader,
            events: VecDeque::new(),
        }
    }

    pub(crate) fn queued(&self) -> Option<&ItemId> {
        self.reader.queued()
    }

    pub(crate) fn run_id(&self) -> protocol::RunId {
        self.reader.run_id().clone()
    }

    pub(crate) async fn next(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            let frames = self.reader.next().await?;
            let frames = std::str::from_utf8(&frames).expect("text");
            self.events
                .extend(frames.split_terminator("\n\n").map(|frame| {
                    let (_id, data) = frame.split_once("data: ").expect("data");
                    serde_json::from_str::<Event>(data).expect("an event")
                }));
        }
        self.events.pop_front()
    }

    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

pub(crate) fn stream(reply: Result<Reply, Error>) -> Reader {
    match reply {
        Ok(Reply::Stream(reader)) => reader,
        Ok(Reply::Json(_)) => panic!("expected a stream"),
        Err(error) => panic!("refused: {error}"),
    }
}

pub(crate) fn context(who: &str) -> RequestContext {
    RequestContext {
        owner: Owner::new(format!("https://id.test {who}")),
        user: User {
            id: who.to_owned(),
            issuer: "https://id.test".to_owned(),
            claims: Arc::default(),
            token: None,
        },
        workflow: None,
        state_variables: Arc::new(Map::from_iter([("plan".to_owned(), json!("gold"))])),
        rules: SessionRules::default(),
        uploads: engine::UploadRules::default(),
        limits: engine::CallerLimits::default(),
        locale: None,
    }
}

pub(crate) fn create(text: &str) -> Value {
    json!({"type": "threads.create", "params": {"input": input(text)}})
}

pub(crate) fn input(text: &str) -> Value {
    json!({
        "content": [{"type": "input_text", "text": text}],
        "attachments": [], "quoted_text": "", "inference_options": {},
    })
}

pub(crate) fn created(events: &[Event]) -> ThreadMetadata {
    match events.first() {
        Some(Event::ThreadCreated { thread }) => thread.thread.clone(),
        other => panic!("expected thread.created, got {other:?}"),
    }
}

pub(crate) fn texts(items: &[ThreadItem]) -> Vec<String> {
    items
        .iter()
        .map(|item| match item {
            ThreadItem::UserMessage(message) => format!("user: {}", message.content[0].text()),
            ThreadItem::AssistantMessage(message) => {
                format!("assistant: {}", message.content[0].text)
            }
            ThreadItem::Workflow(item) => match &item.workflow.summary {
                Some(WorkflowSummary::Custom(summary)) => format!("workflow: {}", summary.title),
                other => format!("workflow: {other:?}"),
            },
            other => other.kind().as_str().to_owned(),
        })
        .collect()
}
