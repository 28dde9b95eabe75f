//! The task of a run: plays a [`Turn`] against the ports, and writes what it says to the run's log.
//!
//! Nobody has to read it. Text gathers for a moment before it is handed to the readers
//! (docs/decisions/0015); what has been said is saved as it grows, once a second at least.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream, FuturesUnordered, SelectAll},
};
use protocol::{AttachmentId, Cursor, Event, ItemId, ThreadId};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep},
};

use crate::{
    answers::deed,
    context::{Owner, RequestContext},
    engine::Engine,
    ports::{
        AgentError, AgentRequest, AgentStream, Change, Epoch, GeneratedImage, Model, ModelError,
        ModelEvent, ModelRequest, ModelStream, Moment, RunEnd, Store, StoreError, ToolCall,
        ToolEvent, ToolStream,
    },
    runs::{Asked, Call, Mouth, Place},
    title,
    turn::{Effect, Input, NotSaved, Start, Turn, Why},
    workflow::Workflow,
};

/// How often and how patiently a save is tried again while the store is busy.
const SAVE_RETRIES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// How long text may be said before it is saved.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// What a run is begun with, once it is its turn.
pub(crate) struct Task {
    pub(crate) engine: Engine,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) context: Arc<RequestContext>,
    pub(crate) place: Place,
    pub(crate) epoch: Epoch,
    /// How many tokens files of earlier messages may take.
    pub(crate) file_tokens: u64,
    pub(crate) stops: Stops,
    /// Calls that go on instead of beginning, by their places among those that the run begins with.
    pub(crate) answered: BTreeMap<usize, ToolStream>,
}

/// What may end a run. In a set, which polls only what has something to say: polled with every token,
/// each would take its lock.
pub(crate) type Stops = FuturesUnordered<BoxFuture<'static, Why>>;

struct Running {
    task: Task,
    turn: Turn,
    /// What the turn wants done and is not done yet.
    effects: VecDeque<Effect>,
    work: Work,
    title: Option<BoxFuture<'static, Option<String>>>,
    checkpoint: Option<BoxFuture<'static, Result<Epoch, StoreError>>>,
    last_checkpoint: Instant,
    deadline: Pin<Box<Sleep>>,
    /// Whether the deadline is the title's.
    is_titling: bool,
    /// When what waits is handed out, or what was said is saved.
    timer: Pin<Box<Sleep>>,
    mouth: Mouth,
    /// Calls that wait for the person, whose forms nobody has been told of yet.
    asked: Vec<Asked>,
    /// How the run has ended, where the store could not be told.
    owed: Option<RunEnd>,
    /// Who wanted it to end while something was being saved, which the turn is still to hear.
    stopped: Option<Why>,
}

/// The one thing a turn waits for, besides a save or a title.
enum Work {
    Nothing,
    Asking(BoxFuture<'static, Result<ModelStream, ModelError>>),
    Answer(ModelStream),
    AskingAgent(BoxFuture<'static, Result<AgentStream, AgentError>>),
    AgentAnswer(AgentStream),
    /// The tools of one round beside each other, each with its place; `None` is the end of one.
    Tools(SelectAll<BoxStream<'static, (usize, Option<ToolEvent>)>>),
}

/// Plays a turn to its end. The place is given up with the last word.
pub(crate) fn play(task: Task, start: Start) -> impl Future<Output = ()> + Send {
    let deadline = Box::pin(tokio::time::sleep(start.limits.duration));
    let mut effects = VecDeque::new();
    let Engine { clock, ids, .. } = &task.engine;
    let moment = || Moment {
        now: clock.now(),
        id: ids.next(),
    };
    let turn = Turn::start(start, &moment, &mut effects);
    let mouth = Mouth::new(Arc::clone(task.place.run()));
    // Boxed: a future keeps room for each value that is moved into it and for where it is moved to.
    let running = Box::new(Running {
        task,
        turn,
        effects,
        work: Work::Nothing,
        title: None,
        checkpoint: None,
        last_checkpoint: Instant::now(),
        deadline,
        is_titling: false,
        timer: Box::pin(tokio::time::sleep(CHECKPOINT)),
        mouth,
        asked: Vec::new(),
        owed: None,
        stopped: None,
    });
    running.play()
}

/// What has to be waited for before the turn's next effect: [`Effect`]s of this kind, in little room, since it lies in the
/// run's future for as long as that lives.
enum Wait {
    Save(Box<Change>),
    KeepImage(ItemId, Box<GeneratedImage>),
    DropImage(AttachmentId),
    End,
}

impl Running {
    async fn play(mut self: Box<Self>) {
        loop {
            while let Some(wait) = self.perform_until_wait() {
                match wait {
                    Wait::Save(change) => self.save(*change).boxed().await,
                    Wait::KeepImage(item, image) => self.keep_image(item, *image).boxed().await,
                    Wait::DropImage(id) => self.drop_image(id).boxed().await,
                    Wait::End => {
                        let end = self.mouth.last_word();
                        metrics::counter!("vestibule_runs_total", "end" => end).increment(1);
                        if let Some(end) = self.owed {
                            let run = self.task.place.run();
                            self.task.engine.end_later(run, self.task.epoch, end);
                        }
                        return self.mouth.speak();
                    }
                }
            }
            // Many runs wait for long: they keep no room meanwhile.
            self.effects = VecDeque::new();
            if self.turn.is_titling() && !self.is_titling {
                // Only once the answer is saved: how long that takes is none of the title's time.
                self.is_titling = true;
                let patience = self.task.workflow.limits.title_duration;
                self.deadline.as_mut().reset(Instant::now() + patience);
            }
            let input = poll_fn(|context| self.poll_next(context)).await;
            self.tell(input);
        }
    }

    fn tell(&mut self, input: Input) {
        let Engine { clock, ids, .. } = &self.task.engine;
        self.turn.on(
            input,
            &|| Moment {
                now: clock.now(),
                id: ids.next(),
            },
            &mut self.effects,
        );
        if self.turn.is_titling() || self.turn.is_ended() {
            // That closes the connection to the provider: nobody pays for what is not heard.
            self.work = Work::Nothing;
        }
        if self.turn.is_ended() {
            self.title = None;
        }
    }

    /// Does what the turn wants done, up to what has to be waited for.
    fn perform_until_wait(&mut self) -> Option<Wait> {
        loop {
            let effect = self.effects.pop_front()?;
            let wait = self.perform(effect);
            if wait.is_some() {
                return wait;
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Wait> {
        match effect {
            Effect::Emit(event) => self.say(event),
            Effect::Ask(asked) => self.asked.push(*asked),
            Effect::Owe(end) => self.owed = Some(end),
            Effect::Save(change) => return Some(Wait::Save(change)),
            Effect::KeepImage(item, image) => return Some(Wait::KeepImage(item, image)),
            Effect::DropImage(id) => return Some(Wait::DropImage(id)),
            Effect::End => return Some(Wait::End),
            Effect::AskModel {
                request,
                may_use_tools,
            } => self.work = Work::Asking(self.task.ask(*request, may_use_tools).boxed()),
            Effect::AskTitle(request) => {
                let model = Arc::clone(&self.task.workflow.model);
                self.title = Some(write_title(model, *request).boxed());
            }
            Effect::AskAgent(request) => {
                self.work = Work::AskingAgent(self.task.ask_agent(*request).boxed());
            }
            Effect::CallTools {
                calls,
                are_approved,
            } => {
                let calls = calls.into_iter().enumerate();
                let answered = &mut self.task.answered;
                let goes_on = calls.map(|(place, call)| (place, call, answered.remove(&place)));
                let goes_on: Vec<_> = goes_on.collect();
                let tools = goes_on.into_iter().map(|(place, call, goes_on)| {
                    self.task.call(place, call, are_approved, goes_on)
                });
                self.work = Work::Tools(stream::select_all(tools));
            }
            Effect::Listen => self.listen(),
        }
        None
    }

    fn say(&mut self, mut event: Event) {
        let Task {
            engine, context, ..
        } = &self.task;
        engine
            .attachments
            .link_event(&context.owner, &mut event, || engine.clock.now());
        if let Event::ItemDone { item } = &event
            && let Some(place) = self.asked.iter().position(|asked| asked.form == *item.id())
        {
            engine
                .runs
                .asked
                .put(self.asked.swap_remove(place), context);
        }
        self.mouth.say(event);
    }

    /// Keeps the file of a picture, after what was said before is out.
    async fn keep_image(&mut self, item: ItemId, image: GeneratedImage) {
        self.mouth.speak();
        let Task {
            engine, context, ..
        } = &self.task;
        let moment = Moment {
            now: engine.clock.now(),
            id: engine.ids.next(),
        };
        let (attachments, context) = (engine.attachments.clone(), Arc::clone(context));
        let keeping = attachments.keep_image(&context.owner, &context.uploads, &image, moment);
        let kept = self.wait_for(keeping).await;
        self.tell(Input::ImageKept {
            item,
            is_partial: image.is_partial,
            kept,
        });
    }

    /// Removes the file of a picture.
    async fn drop_image(&mut self, id: AttachmentId) {
        let Task {
            engine, context, ..
        } = &self.task;
        engine.attachments.drop_image(&context.owner, &id).await;
    }

    /// Saves, after what was said before is out and what was being saved is.
    async fn save(&mut self, change: Change) {
        self.mouth.speak();
        // Whoever reads along has its turn before the finished message takes the place of what led to it: a model that
        // never has to be waited for would leave it none.
        tokio::task::yield_now().await;
        if let Some(checkpoint) = self.checkpoint.take() {
            report(&checkpoint.await);
        }
        let saving = self.task.save(change);
        if let Err(error) = self.wait_for(saving).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "failed to save a turn"
            );
            self.tell(Input::SaveFailed(NotSaved::from(&error)));
        }
    }

    /// Waits for what has to be done whole. Whoever ends the run meanwhile ends the model's work at once: a store that is
    /// busy, or a bucket that is slow, is no reason to pay for more.
    async fn wait_for<T>(&mut self, whole: impl Future<Output = T>) -> T {
        let mut whole = pin!(whole);
        poll_fn(|context| {
            if self.stopped.is_none()
                && let Poll::Ready(Some(why)) = self.task.stops.poll_next_unpin(context)
            {
                self.stopped = Some(why);
                self.work = Work::Nothing;
            }
            whole.as_mut().poll(context)
        })
        .await
    }

    /// Takes up what was sent to be heard now. Its senders read on here, right behind their message.
    fn listen(&mut self) {
        self.mouth.speak();
        let run = Arc::clone(self.task.place.run());
        let (messages, calls): (Vec<_>, Vec<_>) =
            self.task.engine.runs.heard(&run).into_iter().unzip();
        let mut waiting: VecDeque<_> = messages
            .iter()
            .map(|message| message.id().clone())
            .zip(calls)
            .collect();
        self.tell(Input::Heard(messages));
        let mut position = run.log.position();
        for effect in &self.effects {
            let Effect::Emit(event) = effect else {
                continue;
            };
            if !event.is_visible_to_user() {
                // The mouth does not say it.
                continue;
            }
            position.0 += event.span();
            let is_told =
                |id: &ItemId| matches!(event, Event::ItemDone { item } if item.id() == id);
            if let Some((_, call)) = waiting.pop_front_if(|(id, _)| is_told(id)) {
                let run = run.id.clone();
                // Whoever stopped waiting does not read.
                let _ = call.send(Call::Joined(Cursor { run, position }));
            }
        }
    }

    /// What comes first. Readers get what was said as soon as there is nothing else to do.
    ///
    /// By hand, since each turn of a `select!` polls all of them anew: this runs with every token.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Input> {
        if let Some(why) = self.stopped.take() {
            return Poll::Ready(Input::Cancelled(why));
        }
        if let Poll::Ready(Some(why)) = self.task.stops.poll_next_unpin(context) {
            return Poll::Ready(Input::Cancelled(why));
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Input::TimedOut);
        }
        if let Poll::Ready(input) = self.work.poll_next(context) {
            return Poll::Ready(input);
        }
        if let Some(title) = poll_some(&mut self.title, context) {
            return Poll::Ready(Input::Title(title));
        }
        loop {
            if let Some(saved) = poll_some(&mut self.checkpoint, context) {
                report(&saved);
                // A newer run has the thread, or nobody has it any more: nothing of this can be kept.
                if let Err(error @ (StoreError::Fenced | StoreError::NotFound)) = &saved {
                    return Poll::Ready(Input::SaveFailed(NotSaved::from(error)));
                }
            }
            if !self.mouth.must_speak() {
                if !self.set_timer() {
                    return Poll::Pending;
                }
                ready!(self.timer.as_mut().poll(context));
            }
            self.mouth.speak();
            self.begin_checkpoint();
        }
    }

    /// Sets the timer for what is due next; false, where nothing is.
    fn set_timer(&mut self) -> bool {
        let due = match self.mouth.due() {
            Some(due) => due,
            None if self.checkpoint.is_none() && self.turn.has_unsaved_text() => {
                self.last_checkpoint + CHECKPOINT
            }
            None => return false,
        };
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        true
    }

    /// Saves what has been said beside what goes on, where it is time.
    fn begin_checkpoint(&mut self) {
        if self.checkpoint.is_some()
            || (!self.turn.is_checkpoint_due() && self.last_checkpoint.elapsed() < CHECKPOINT)
        {
            return;
        }
        self.last_checkpoint = Instant::now();
        if let Some(change) = self.turn.checkpoint() {
            self.checkpoint = Some(self.task.save(change).boxed());
        }
    }
}

fn report(checkpoint: &Result<Epoch, StoreError>) {
    if let Err(error) = checkpoint {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "failed to save what has been said so far"
        );
    }
}

impl Task {
    /// Asks the model, with the tools that this user may use at this moment.
    fn ask(
        &self,
        mut request: ModelRequest,
        may_use_tools: bool,
    ) -> impl Future<Output = Result<ModelStream, ModelError>> + Send + 'static {
        let workflow = Arc::clone(&self.workflow);
        let context = Arc::clone(&self.context);
        let attachments = self.engine.attachments.clone();
        let file_tokens = self.file_tokens;
        async move {
            attachments
                .read_files(&context.owner, &mut request, file_tokens)
                .await;
            if may_use_tools {
                request.tools = workflow.tools.list(&context).await;
                // A tool of the page goes before a server's of the same name, here as when it is called.
                request
                    .tools
                    .retain(|tool| workflow.client_tool(&tool.name).is_none());
                request.tools.extend(workflow.client_tools.iter().cloned());
            }
            // The composer's tool may be the client's own, or gone by now.
            let is_offered = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
            request.tool_choice = request.tool_choice.take().filter(is_offered);
            workflow.model.respond(request).await
        }
    }

    /// Asks the application's agent.
    fn ask_agent(
        &self,
        request: AgentRequest,
    ) -> impl Future<Output = Result<AgentStream, AgentError>> + Send + 'static {
        let agent = self.workflow.agent.clone();
        let context = Arc::clone(&self.context);
        async move {
            let agent = agent.ok_or_else(|| AgentError::Refused("there is none".into()))?;
            agent.ask(&context, request).await
        }
    }

    /// What a tool reports, and then its end.
    fn call(
        &self,
        place: usize,
        call: ToolCall,
        is_approved: bool,
        goes_on: Option<ToolStream>,
    ) -> BoxStream<'static, (usize, Option<ToolEvent>)> {
        let workflow = Arc::clone(&self.workflow);
        let context = Arc::clone(&self.context);
        let called = async move {
            // They set out in the model's order, and run beside each other from there on.
            for _ in 0..place {
                tokio::task::yield_now().await;
            }
            if let Some(events) = goes_on {
                return events;
            }
            if workflow.client_tool(&call.name).is_some() {
                return stream::once(std::future::ready(for_page(&call))).boxed();
            }
            workflow.tools.call(&context, call, is_approved).await
        };
        let ended = stream::once(std::future::ready((place, None)));
        called
            .flatten_stream()
            .map(move |event| (place, Some(event)))
            .chain(ended)
            .boxed()
    }

    /// Writes a change, patiently while the store is busy, and only while the thread is this run's.
    fn save(
        &self,
        mut change: Change,
    ) -> impl Future<Output = Result<Epoch, StoreError>> + Send + 'static {
        let store = Arc::clone(&self.engine.store);
        let run = Arc::clone(self.place.run());
        change.epoch = Some(self.epoch);
        async move { apply_patiently(&*store, &run.owner, &run.thread, &change).await }
    }
}

/// A call that the page is to run, where its arguments can be given to it.
fn for_page(call: &ToolCall) -> ToolEvent {
    deed::arguments(&call.arguments).map_or_else(
        || {
            let words = "not run: the arguments are no JSON object; call it again with one";
            ToolEvent::done(words, true)
        },
        ToolEvent::ForPage,
    )
}

/// Applies a change, again and again for a while where the store is busy.
pub(crate) async fn apply_patiently(
    store: &dyn Store,
    owner: &Owner,
    thread: &ThreadId,
    change: &Change,
) -> Result<Epoch, StoreError> {
    for pause in SAVE_RETRIES {
        match store.apply(owner, thread, change).await {
            Err(StoreError::Busy(_)) => tokio::time::sleep(pause).await,
            result => return result,
        }
    }
    store.apply(owner, thread, change).await
}

impl Work {
    /// What comes next; nothing, where nothing is going on.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Input> {
        let input = loop {
            match self {
                Self::Nothing => return Poll::Pending,
                Self::Asking(asking) => match ready!(asking.poll_unpin(context)) {
                    Ok(answer) => *self = Self::Answer(answer),
                    Err(error) => break self.model_failed(error),
                },
                Self::Answer(answer) => match ready!(answer.poll_next_unpin(context)) {
                    Some(Ok(event)) => {
                        if matches!(event, ModelEvent::Completed { .. }) {
                            *self = Self::Nothing;
                        }
                        break Input::Model(event);
                    }
                    Some(Err(error)) => break self.model_failed(error),
                    None => {
                        *self = Self::Nothing;
                        break Input::ModelEnded;
                    }
                },
                Self::AskingAgent(asking) => match ready!(asking.poll_unpin(context)) {
                    Ok(answer) => *self = Self::AgentAnswer(answer),
                    Err(error) => break self.agent_failed(error),
                },
                Self::AgentAnswer(answer) => match ready!(answer.poll_next_unpin(context)) {
                    Some(Ok(event)) => break Input::Agent(event),
                    Some(Err(error)) => break self.agent_failed(error),
                    None => {
                        *self = Self::Nothing;
                        break Input::AgentEnded;
                    }
                },
                Self::Tools(tools) => match ready!(tools.poll_next_unpin(context)) {
                    Some((place, Some(event))) => break Input::Tool(place, event),
                    Some((place, None)) => break Input::ToolEnded(place),
                    None => *self = Self::Nothing,
                },
            }
        };
        Poll::Ready(input)
    }

    fn agent_failed(&mut self, error: AgentError) -> Input {
        *self = Self::Nothing;
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "failed to get an answer from the agent"
        );
        Input::AgentFailed(error)
    }

    fn model_failed(&mut self, error: ModelError) -> Input {
        *self = Self::Nothing;
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "failed to get an answer from the model"
        );
        Input::ModelFailed(error)
    }
}

/// What something that may be going on has come to; then it goes on no longer.
fn poll_some<T>(
    going_on: &mut Option<BoxFuture<'static, T>>,
    context: &mut Context<'_>,
) -> Option<T> {
    let Poll::Ready(result) = going_on.as_mut()?.poll_unpin(context) else {
        return None;
    };
    *going_on = None;
    Some(result)
}

/// What ends a run: whoever asks it to, and the end of the credential that began it.
pub(crate) fn stops(
    stopped: oneshot::Receiver<Why>,
    revoked: Option<BoxFuture<'static, ()>>,
) -> Stops {
    let stops = Stops::new();
    let stopped = async {
        match stopped.await {
            Ok(why) => why,
            // Nobody is left who could ask.
            Err(_) => std::future::pending().await,
        }
    };
    stops.push(stopped.boxed());
    if let Some(revoked) = revoked {
        stops.push(revoked.map(|()| Why::Revoked).boxed());
    }
    stops
}

/// Collects a title from a model's answer; anything that goes wrong is no title.
async fn write_title(model: Arc<dyn Model>, request: ModelRequest) -> Option<String> {
    let mut answer = model.respond(request).await.ok()?;
    let mut text = String::new();
    while let Some(event) = answer.next().await {
        match event.ok()? {
            ModelEvent::TextDelta(delta) => text.push_str(&delta),
            ModelEvent::ThoughtEnd(_) => text.clear(),
            ModelEvent::Completed { .. } => break,
            _ => {}
        }
        if text.len() > 8 * title::MAX_CHARS {
            break;
        }
    }
    Some(text)
}
