//! A message that is to be answered, from its place in the thread's line to the first word of the answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use protocol::{
    Cursor, Event, ItemId, Position, RunId, ThreadId, ThreadItem, ThreadMetadata,
    event::{ErrorCode, ErrorEvent},
    item::InferenceOptions,
};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::deed::{Deed, Next};
use crate::{
    context::RequestContext,
    engine::Engine,
    error::Error,
    history,
    ports::{
        AgentCall, AgentRequest, BeginRun, Change, Epoch, ModelInput, ModelRequest, Newest,
        RequestRecord, RunEnd, RunRecord, StoreError, ToolEvent, ToolStream,
    },
    run::{self, Stops, Task},
    runs::{Call, Entered, MOST_WAITING, Mouth, Permit, Place, Run, Runs, Settled},
    title::Titles,
    turn::{self, Display, Question, Start, Why},
    words::{Language, Words},
    workflow::{Busy, Workflow},
};

/// How long an earlier message that waits at another process is given each time, and how often, before it is answered here.
const BEHIND: Duration = Duration::from_millis(50);
const MOST_LOOKS: u32 = 40;

/// What is to be answered, for whom, by what.
pub(super) struct Ask {
    pub(super) engine: Engine,
    pub(super) context: Arc<RequestContext>,
    pub(super) workflow: Arc<Workflow>,
    pub(super) message: ThreadItem,
    /// What it does where the thread is another run's.
    pub(super) busy: Busy,
    pub(super) begins: Begins,
    pub(super) request: Option<RequestRecord>,
}

/// How a run comes about.
pub(super) enum Begins {
    /// With a new thread.
    Thread(ThreadMetadata),
    /// With a new message.
    Message,
    /// With a message that waits in the store.
    Queued,
    /// With a message that was answered before; what came after it goes away.
    Again,
    /// With something that was done instead of writing.
    Deed(Deed),
    /// With a message whose answer was interrupted; what was done for it stands.
    Anew {
        /// The text that the new answer takes the place of.
        cut_off: Option<ItemId>,
    },
}

impl Begins {
    /// Whether what it brings is in the store while it waits.
    const fn is_kept(&self) -> bool {
        matches!(self, Self::Message | Self::Queued)
    }
}

/// A message is in the store.
pub(super) struct Accepted {
    /// Whether it waits for its turn.
    pub(super) waits: bool,
}

/// The thread is a run's, and what it answers is read.
struct Begun {
    epoch: Epoch,
    start: Start,
    /// What is left of the budget, for files.
    file_tokens: u64,
    /// Calls that go on, by their places.
    answered: BTreeMap<usize, ToolStream>,
}

/// Why a run has not begun.
enum NotBegun {
    /// An earlier message waits.
    Behind,
    /// Another process's run lives in the thread.
    Elsewhere(Box<RunRecord>),
    Failed(Error),
}

impl From<Error> for NotBegun {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for NotBegun {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Elsewhere(run) => Self::Elsewhere(run),
            StoreError::Behind => Self::Behind,
            error => Self::Failed(taken(error)),
        }
    }
}

/// Tells once whether a message was accepted.
type Accept = oneshot::Sender<Result<Accepted, Error>>;
/// Where that is heard.
pub(super) type IsAccepted = oneshot::Receiver<Result<Accepted, Error>>;

impl Ask {
    /// Waits for its turn where it has to, then answers. The permit is kept until then.
    pub(super) async fn run(
        self: Box<Self>,
        run: Arc<Run>,
        entered: Entered,
        mut stops: Stops,
        accept: Accept,
        _permit: Option<Permit>,
    ) {
        let runs = self.engine.runs.clone();
        let mut accept = Some(accept);
        let mut entered = entered;
        let mut overtakes = None;
        let mut looks = 0;
        let (place, begun) = loop {
            let place = match entered {
                Entered::Now(place) => place,
                Entered::Later(called) => {
                    let waiting = self.wait(&run, called, &mut stops, accept.take()).boxed();
                    match waiting.await {
                        Some(place) => place,
                        None => return,
                    }
                }
            };
            let starting = self.start(&place, accept.is_none(), overtakes.clone());
            let starting = starting.boxed();
            let error = match starting.await {
                Ok(begun) => break (place, begun),
                Err(NotBegun::Behind) => {
                    looks += 1;
                    entered = self.let_oldest_pass(place, looks).boxed().await;
                    continue;
                }
                Err(NotBegun::Elsewhere(record)) => {
                    looks = 0;
                    if self.busy == Busy::Reject {
                        Error::ThreadBusy(Words::StillAnswering)
                    } else {
                        entered = match self.engine.wait_for(place, &record) {
                            Ok((copy, called)) => {
                                if self.is_answered_by(&copy) && runs.withdraw(&run).is_some() {
                                    // It was waiting in the store, and another process has taken it from there.
                                    let position = Position(0);
                                    run.log.join(Cursor {
                                        run: record.run,
                                        position,
                                    });
                                    runs.retire(&run);
                                    return;
                                }
                                if self.busy == Busy::Interrupt {
                                    copy.cancel(Why::Interrupted);
                                }
                                Entered::Later(called)
                            }
                            Err(place) => {
                                overtakes = Some(record.run);
                                Entered::Now(place)
                            }
                        };
                        continue;
                    }
                }
                Err(NotBegun::Failed(error)) => error,
            };
            match accept {
                Some(accept) => {
                    Runs::refuse(&run, failure(&error, run.language));
                    drop(accept.send(Err(error)));
                }
                None => say_failure(&run, &error),
            }
            return;
        };
        if let Some(accept) = accept {
            // Who asked may have gone meanwhile.
            let _ = accept.send(Ok(Accepted { waits: false }));
        }
        self.play(place, begun, stops).await;
    }

    /// Has the oldest message that waits in the thread answered first: by the run that waits with it here, else by another
    /// process, where there are any, else by a run of its own.
    async fn let_oldest_pass(&self, place: Place, looks: u32) -> Entered {
        let run = Arc::clone(place.run());
        let standing = self.engine.store.standing(&run.owner, &run.thread).await;
        let oldest = standing.ok().and_then(|standing| {
            let oldest = standing.queued.into_iter().next();
            oldest.filter(|oldest| *oldest.id() != run.message)
        });
        let (place, message) = match oldest {
            Some(message) => match place.let_pass(message.id()) {
                Ok(called) => return Entered::Later(called),
                Err(place) => (place, Some(message)),
            },
            None => (place, None),
        };
        let is_alone = self.engine.store.lease().is_none();
        let Some(message) = message.filter(|_| is_alone || looks > MOST_LOOKS) else {
            tokio::time::sleep(BEHIND).await;
            return Entered::Now(place);
        };
        let (older, stopped) = Run::new(
            RunId::mint(self.engine.ids.next()),
            run.owner.clone(),
            (run.thread.clone(), message.id().clone()),
            None,
            run.language,
            self.engine.runs.settings(),
        );
        let (place, called) = place.give_way(&older);
        let ask = Self {
            engine: self.engine.clone(),
            context: Arc::clone(&self.context),
            workflow: Arc::clone(&self.workflow),
            message,
            busy: Busy::Queue,
            begins: Begins::Queued,
            request: None,
        };
        let (accept, _accepted) = oneshot::channel();
        let task = ask.task(older, place, run::stops(stopped, None), accept);
        self.engine.tasks.spawn(task.in_current_span());
        Entered::Later(called)
    }

    /// Answering as a task of its own, whose type is known here.
    fn task(
        self,
        run: Arc<Run>,
        place: Place,
        stops: Stops,
        accept: Accept,
    ) -> BoxFuture<'static, ()> {
        let entered = Entered::Now(place);
        Box::new(self)
            .run(run, entered, stops, accept, None)
            .boxed()
    }

    /// Whether a run answers the same message, which waits in the store.
    fn is_answered_by(&self, other: &Run) -> bool {
        self.begins.is_kept() && other.message == *self.message.id()
    }

    /// Answers. What was asked is not kept meanwhile.
    fn play(
        self: Box<Self>,
        place: Place,
        begun: Box<Begun>,
        stops: Stops,
    ) -> impl Future<Output = ()> + Send {
        let task = Task {
            engine: self.engine,
            workflow: self.workflow,
            context: self.context,
            place,
            epoch: begun.epoch,
            file_tokens: begun.file_tokens,
            stops,
            answered: begun.answered,
        };
        run::play(task, begun.start)
    }

    /// Keeps the message in the store's queue until it is its turn.
    async fn wait(
        &self,
        run: &Arc<Run>,
        mut called: oneshot::Receiver<Call>,
        stops: &mut Stops,
        accept: Option<Accept>,
    ) -> Option<Place> {
        let Engine { store, runs, .. } = &self.engine;
        if matches!(self.begins, Begins::Message) && accept.is_some() {
            let request = self.request.as_ref();
            let queued = store
                .enqueue(
                    &run.owner,
                    &run.thread,
                    &self.message,
                    request,
                    MOST_WAITING,
                )
                .await;
            if let Err(error) = queued {
                runs.withdraw(run);
                let error = taken(error);
                Runs::refuse(run, failure(&error, run.language));
                if let Some(accept) = accept {
                    drop(accept.send(Err(error)));
                }
                return None;
            }
        }
        let mut mouth = Mouth::new(Arc::clone(run));
        let waits = self.is_new();
        if waits && accept.is_some() {
            mouth.say(Event::ItemDone {
                item: self.shown_message(),
            });
            mouth.say(turn::stream_options());
            let text = Words::Waiting.text(run.language).into_owned();
            mouth.say(Event::ProgressUpdate { icon: None, text });
            mouth.speak();
        }
        if let Some(accept) = accept {
            drop(accept.send(Ok(Accepted { waits })));
        }
        let mut stopped = None;
        loop {
            tokio::select! {
                biased;
                Some(why) = stops.next(), if stopped.is_none() => {
                    stopped = Some(why);
                    // The message stays, whoever stops waiting for the answer, until the thread or the process goes.
                    if matches!(why, Why::Shutdown | Why::Deleted) {
                        mouth.say(if self.begins.is_kept() {
                            why.words_of_waiting(run.language)
                        } else {
                            why.words(false, run.language)
                        });
                        mouth.speak();
                        if runs.withdraw(run).is_some() {
                            runs.retire(run);
                            return None;
                        }
                    }
                }
                call = &mut called => return match call {
                    // It stays in the queue for the next process, or is gone with its thread.
                    Ok(Call::Begin(_)) if matches!(stopped, Some(Why::Shutdown | Why::Deleted)) => None,
                    Ok(Call::Begin(place)) => {
                        // Its turn has come, and it ends there.
                        if let Some(why) = stopped {
                            stops.push(std::future::ready(why).boxed());
                        }
                        Some(place)
                    }
                    Ok(Call::Joined(cursor)) => {
                        run.log.join(cursor);
                        runs.retire(run);
                        None
                    }
                    Ok(Call::TakenBack) => {
                        mouth.say(Event::ItemRemoved { item_id: run.message.clone() });
                        mouth.say(turn::taken_back(run.language));
                        mouth.speak();
                        runs.retire(run);
                        None
                    }
                    // Who withdrew it could not say what became of it.
                    Err(_) => {
                        mouth.say(turn::lost_from_queue(run.language));
                        mouth.speak();
                        runs.retire(run);
                        None
                    }
                },
            }
        }
    }

    /// Takes the thread in the store, then reads what the model is to be told: nothing else of it changes any more.
    async fn start(
        &self,
        place: &Place,
        waited: bool,
        overtakes: Option<RunId>,
    ) -> Result<Box<Begun>, NotBegun> {
        let Engine { store, .. } = &self.engine;
        let run = place.run();
        let (owner, message) = (&run.owner, &self.message);
        let is_in_queue = matches!(self.begins, Begins::Queued)
            || (waited && matches!(self.begins, Begins::Message));
        let mut change = Change {
            begin: Some(BeginRun {
                run: run.id.clone(),
                answers: run.message.clone(),
                workflow: self.workflow.id.clone(),
                at: self.engine.clock.now(),
                overtakes,
                goes_first: self.busy == Busy::Interrupt
                    || matches!(self.begins, Begins::Anew { .. }),
            }),
            // A message that waited is known by its request already.
            request: self.request.clone().filter(|_| !is_in_queue),
            unqueue: is_in_queue.then(|| run.message.clone()),
            ..Change::default()
        };
        let mut told = Vec::new();
        let mut settled = None;
        let mut next = Next::answer();
        match &self.begins {
            Begins::Thread(_) | Begins::Message | Begins::Queued => {
                change.put.push(message.clone());
            }
            Begins::Again => change.truncate_after = Some(run.message.clone()),
            Begins::Anew { cut_off } => change.remove.extend(cut_off.clone()),
            Begins::Deed(deed) => {
                let planning = self
                    .engine
                    .plan(&self.context, &self.workflow, &run.thread, deed)
                    .boxed();
                let plan = planning.await?;
                change.put = plan.put;
                change.remove = plan.remove;
                told = plan.told;
                next = plan.next;
                settled = plan.settled;
            }
        }
        let (epoch, thread) = if let Begins::Thread(thread) = &self.begins {
            let epoch = store.create_thread(owner, thread, &change).await;
            (epoch?, Some(thread.clone()))
        } else {
            let epoch = run::apply_patiently(&**store, owner, &run.thread, &change).await;
            (epoch?, None)
        };
        let answered = self.go_on(&run.thread, settled, &next);
        if matches!(self.begins, Begins::Again) {
            self.engine.remove_files();
        }
        let asking = async {
            let thread = match thread {
                Some(thread) => thread,
                None => store.thread(owner, &run.thread).await?,
            };
            super::check_open(&thread.status)?;
            let (question, file_tokens) = self.question(run, &thread, next).await?;
            Ok::<_, Error>((thread, question, file_tokens))
        };
        let (thread, question, file_tokens) = match asking.await {
            Ok(asked) => asked,
            Err(error) => {
                // The run has the thread, and will not answer.
                let end = RunEnd::Interrupted;
                self.engine.end_later(run, epoch, end);
                return Err(error.into());
            }
        };
        let is_told = waited && self.is_new();
        if self.is_new() && !is_told {
            told.push(Event::ItemDone {
                item: self.shown_message(),
            });
        }
        let start = Start {
            is_new: matches!(self.begins, Begins::Thread(_)),
            told,
            thread,
            question,
            titles: if self.context.rules.automatic_titles {
                self.workflow.titles
            } else {
                Titles::Off
            },
            limits: self.workflow.limits.for_caller(&self.context.limits),
            language: run.language,
        };
        Ok(Box::new(Begun {
            epoch,
            start,
            file_tokens,
            answered,
        }))
    }

    /// The calls that go on with what the person has answered. Who says or asks something else instead has passed over
    /// what calls wait for.
    fn go_on(
        &self,
        thread: &ThreadId,
        settled: Option<Settled>,
        next: &Next,
    ) -> BTreeMap<usize, ToolStream> {
        let asked = &self.engine.runs.asked;
        if !matches!(self.begins, Begins::Deed(_)) {
            asked.forget(thread);
        }
        if let Some(settled) = settled {
            asked.settle(settled);
        }
        let Next::Answer { calls, resumed, .. } = next else {
            return BTreeMap::new();
        };
        let calls = calls.iter().enumerate();
        calls
            .filter(|(_, call)| resumed.contains(&call.record))
            .map(|(place, call)| {
                let gone = || stream::iter([ToolEvent::done(history::GONE, true)]).boxed();
                (place, asked.go_on(&call.record).unwrap_or_else(gone))
            })
            .collect()
    }

    /// Who is asked what. With it, what is left of the budget, for files.
    async fn question(
        &self,
        run: &Run,
        thread: &ThreadMetadata,
        next: Next,
    ) -> Result<(Question, u64), Error> {
        let (call, calls, display) = match next {
            Next::Nobody => return Ok((Question::Nobody, 0)),
            Next::Act { action, sender } => {
                let call = AgentCall::Action { action, sender };
                (call, Vec::new(), Display::default())
            }
            Next::Answer { calls, display, .. } => {
                let message = &self.message;
                let is_said = matches!(message, ThreadItem::UserMessage(_));
                let item = is_said.then(|| self.shown_message());
                (AgentCall::Respond { item }, calls, display)
            }
        };
        if self.workflow.agent.is_some() && calls.is_empty() {
            let request = self.agent_request(run, thread, call).await?;
            return Ok((Question::Agent(Box::new(request)), 0));
        }
        let (request, file_tokens) = self.model_request(run).await?;
        let question = Question::Model {
            request: Box::new(request),
            calls,
            display: Display {
                widgets: Arc::clone(&self.workflow.widgets),
                ..display
            },
        };
        Ok((question, file_tokens))
    }

    /// What the application's agent is asked: it gets the newest items as they are, with links to their files.
    async fn agent_request(
        &self,
        run: &Run,
        thread: &ThreadMetadata,
        call: AgentCall,
    ) -> Result<AgentRequest, Error> {
        let limits = self.workflow.limits.for_caller(&self.context.limits);
        let Engine {
            store,
            attachments,
            clock,
            ..
        } = &self.engine;
        let room = history::room(&limits);
        let newest = store.newest_items(&run.owner, &run.thread, None, room);
        let mut items = newest.await?.items;
        items.retain(|item| !history::is_record(item));
        attachments.show(&run.owner, &mut items, clock.now());
        Ok(AgentRequest {
            call,
            thread: Some(thread.clone()),
            items,
        })
    }

    /// What the model is asked: the conversation as far as the limits allow, and the message. Nothing else of the thread
    /// is read. With it, what is left of the budget, for files.
    async fn model_request(&self, run: &Run) -> Result<(ModelRequest, u64), Error> {
        let Self {
            workflow, context, ..
        } = self;
        let limits = workflow.limits.for_caller(&context.limits);
        let room = history::room(&limits);
        let store = &self.engine.store;
        let (earlier, message) = match self.begins {
            Begins::Thread(_) => (Newest::default(), Some(&self.message)),
            Begins::Message | Begins::Queued | Begins::Again => {
                let before = Some(&run.message);
                let newest = store.newest_items(&run.owner, &run.thread, before, room);
                (newest.await?, Some(&self.message))
            }
            // What is answered stands among them.
            Begins::Anew { .. } | Begins::Deed(_) => {
                let newest = store.newest_items(&run.owner, &run.thread, None, room);
                (newest.await?, None)
            }
        };
        let told = history::tell(&earlier, limits.history_tokens);
        let mut input = Vec::new();
        input.extend(
            workflow
                .fill_user_context(&context.state_variables)
                .map(ModelInput::Context),
        );
        input.extend(told.input);
        input.extend(history::model_input(
            message.map_or(&[], std::slice::from_ref),
        ));
        let options = match &self.message {
            ThreadItem::UserMessage(message) => message.inference_options.clone(),
            _ => InferenceOptions::default(),
        };
        let request = ModelRequest {
            model: workflow.pick_model(options.model.as_deref())?,
            instructions: workflow.instructions.clone(),
            input,
            tools: Vec::new(),
            tool_choice: options.tool_choice.map(|choice| choice.id),
            max_output_tokens: limits.max_output_tokens,
            locale: context.locale.clone(),
            end_user: context.owner.as_str().to_owned(),
            may_use_builtins: true,
        };
        Ok((request, told.tokens_left))
    }

    /// Whether the message is one that its sender waits to see saved.
    fn is_new(&self) -> bool {
        matches!(
            self.begins,
            Begins::Thread(_) | Begins::Message | Begins::Queued
        )
    }

    /// The message as its owner's browser is told.
    fn shown_message(&self) -> ThreadItem {
        let mut message = self.message.clone();
        let Engine {
            attachments, clock, ..
        } = &self.engine;
        let owner = &self.context.owner;
        attachments.show(owner, std::iter::once(&mut message), clock.now());
        message
    }
}

/// What is there already when a message is written is its request.
fn taken(error: StoreError) -> Error {
    match error {
        StoreError::Exists => Error::KeyTaken,
        other => other.into(),
    }
}

/// Ends a run that has waited and cannot begin.
fn say_failure(run: &Arc<Run>, error: &Error) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "failed to begin a run"
    );
    let mut mouth = Mouth::new(Arc::clone(run));
    mouth.say(failure(error, run.language));
    mouth.speak();
}

fn failure(error: &Error, language: Language) -> Event {
    Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some(error.message().text(language).into_owned()),
        allow_retry: true,
    })
}
