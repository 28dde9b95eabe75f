//! The driver: plays a [`Turn`] against the ports, pulled by whoever reads the stream.
//!
//! A turn has no task and no channel of its own. The reader polls, the driver polls the model, the
//! tool, the title and the store, and a slow reader slows the model down. When the reader goes
//! away, the stream is dropped: everything in flight is dropped with it (which closes the connection
//! to the provider), and what stands so far is saved on the task tracker.

use std::{
    collections::VecDeque,
    iter,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{FutureExt, Stream, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use protocol::{Event, ThreadId};
use tokio::{
    runtime::Handle,
    time::{Instant, Sleep},
};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Instrument;

use crate::{
    context::RequestContext,
    engine::Engine,
    ports::{
        Change, Model, ModelError, ModelEvent, ModelRequest, ModelStream, StoreError, ToolCall,
        ToolStream,
    },
    title,
    turn::{Effect, Input, Moment, Start, Turn},
    turns::Place,
    workflow::Workflow,
};

/// How often and how patiently a save is tried again while the store is busy.
const SAVE_RETRIES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// A turn's events as they happen. Dropping it is the user's "Stop": what stands so far is saved.
pub struct TurnStream(Box<Running>);

struct Running {
    engine: Engine,
    workflow: Arc<Workflow>,
    context: Arc<RequestContext>,
    thread: ThreadId,
    turn: Turn,
    /// What the turn wants done and is not done yet.
    effects: VecDeque<Effect>,
    work: Work,
    saving: Option<BoxFuture<'static, Result<(), StoreError>>>,
    title: Option<BoxFuture<'static, Option<String>>>,
    deadline: Pin<Box<Sleep>>,
    /// Comes when a newer turn wants the thread. In a set, which polls it only when it has something
    /// to say: polled with every token, it would take two locks each time.
    stop: FuturesUnordered<WaitForCancellationFutureOwned>,
    /// Given up when the last save is done.
    place: Option<Place>,
    /// How many tokens files of earlier messages may take.
    file_tokens: u64,
    /// Counts inputs, see [`Running::poll_input`].
    polls: u8,
    /// Where the last save runs: a body may be dropped outside of the runtime that polled it.
    runtime: Handle,
}

/// The one thing a turn waits for, besides a save or a title.
enum Work {
    Nothing,
    Asking(BoxFuture<'static, Result<ModelStream, ModelError>>),
    Answer(ModelStream),
    Calling(BoxFuture<'static, ToolStream>),
    Tool(ToolStream),
}

impl TurnStream {
    pub(crate) fn start(
        engine: &Engine,
        workflow: &Arc<Workflow>,
        context: RequestContext,
        start: Start,
        file_tokens: u64,
        place: Place,
    ) -> Self {
        let thread = start.thread.id.clone();
        let deadline = Box::pin(tokio::time::sleep(start.limits.duration));
        let mut effects = VecDeque::with_capacity(4);
        let turn = Turn::start(start, &mut effects);
        Self(Box::new(Running {
            engine: engine.clone(),
            workflow: Arc::clone(workflow),
            context: Arc::new(context),
            thread,
            turn,
            effects,
            work: Work::Nothing,
            saving: None,
            title: None,
            deadline,
            stop: iter::once(place.stop().cancelled_owned()).collect(),
            place: Some(place),
            file_tokens,
            polls: 0,
            runtime: Handle::current(),
        }))
    }
}

impl Stream for TurnStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_event(cx)
    }
}

impl Running {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(saving) = &mut self.saving {
                let result = ready!(saving.poll_unpin(cx));
                self.saving = None;
                if let Err(error) = result {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "failed to save a turn"
                    );
                    let is_storage_full = matches!(error, StoreError::Full(_));
                    self.tell(Input::SaveFailed { is_storage_full });
                }
                continue;
            }
            match self.effects.pop_front() {
                Some(Effect::Emit(event)) => return Poll::Ready(Some(event)),
                Some(Effect::End) => {
                    self.work = Work::Nothing;
                    self.title = None;
                    self.place = None;
                    return Poll::Ready(None);
                }
                Some(effect) => self.perform(effect),
                None if self.turn.is_ended() => return Poll::Ready(None),
                None => {
                    let input = ready!(self.poll_input(cx));
                    self.tell(input);
                }
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let Engine { clock, ids, .. } = &self.engine;
        let was_titling = self.turn.is_titling();
        self.turn.on(
            input,
            &|| Moment {
                now: clock.now(),
                id: ids.next(),
            },
            &mut self.effects,
        );
        if self.turn.is_titling() && !was_titling {
            // What the model still has to say would not be heard any more.
            self.work = Work::Nothing;
            let patience = self.workflow.limits.title_duration;
            self.deadline.as_mut().reset(Instant::now() + patience);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Save(change) => self.saving = Some(self.save(change).boxed()),
            Effect::AskModel {
                request,
                may_use_tools,
            } => {
                self.work = Work::Asking(self.ask(*request, may_use_tools).boxed());
            }
            Effect::AskTitle(request) => {
                let model = Arc::clone(&self.workflow.model);
                self.title = Some(write_title(model, *request).boxed());
            }
            Effect::CallTool(call) => {
                self.work = Work::Calling(self.call(call).boxed());
            }
            // Both are dealt with where effects are taken from the queue.
            Effect::Emit(_) | Effect::End => {}
        }
    }

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
            }
            // The composer's tool may be the client's own, or gone by now.
            let is_offered = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
            request.tool_choice = request.tool_choice.take().filter(is_offered);
            workflow.model.respond(request).await
        }
    }

    fn call(&self, call: ToolCall) -> impl Future<Output = ToolStream> + Send + 'static {
        let tools = Arc::clone(&self.workflow.tools);
        let context = Arc::clone(&self.context);
        async move { tools.call(&context, call).await }
    }

    /// Writes a change, patiently while the store is busy.
    fn save(
        &self,
        change: Change,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + 'static {
        let store = Arc::clone(&self.engine.store);
        let owner = self.context.owner.clone();
        let thread = self.thread.clone();
        async move {
            for pause in SAVE_RETRIES {
                match store.apply(&owner, &thread, &change).await {
                    Err(StoreError::Busy(_)) => tokio::time::sleep(pause).await,
                    result => return result,
                }
            }
            store.apply(&owner, &thread, &change).await
        }
    }

    /// Waits for whatever comes first. Only called while no save runs and no effect waits.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        // A model that always has something to say must not keep the clock from being looked at.
        self.polls = self.polls.wrapping_add(1);
        if self.polls == 0
            && let Poll::Ready(input) = self.poll_end(cx)
        {
            return Poll::Ready(input);
        }
        loop {
            match &mut self.work {
                Work::Asking(asking) => match asking.poll_unpin(cx) {
                    Poll::Ready(Ok(answer)) => {
                        self.work = Work::Answer(answer);
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(self.model_failed(error)),
                    Poll::Pending => {}
                },
                Work::Answer(answer) => match answer.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(event))) => {
                        if matches!(event, ModelEvent::Completed { .. }) {
                            self.work = Work::Nothing;
                        }
                        return Poll::Ready(Input::Model(event));
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(self.model_failed(error)),
                    Poll::Ready(None) => {
                        self.work = Work::Nothing;
                        return Poll::Ready(Input::ModelEnded);
                    }
                    Poll::Pending => {}
                },
                Work::Calling(calling) => {
                    if let Poll::Ready(tool) = calling.poll_unpin(cx) {
                        self.work = Work::Tool(tool);
                        continue;
                    }
                }
                Work::Tool(tool) => match tool.poll_next_unpin(cx) {
                    Poll::Ready(Some(event)) => return Poll::Ready(Input::Tool(event)),
                    Poll::Ready(None) => {
                        self.work = Work::Nothing;
                        return Poll::Ready(Input::ToolEnded);
                    }
                    Poll::Pending => {}
                },
                Work::Nothing => {}
            }
            break;
        }
        if let Some(writing) = &mut self.title
            && let Poll::Ready(title) = writing.poll_unpin(cx)
        {
            self.title = None;
            return Poll::Ready(Input::Title(title));
        }
        self.poll_end(cx)
    }

    /// Whether it is time to end: another turn wants the thread, or this one took too long.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        if self.stop.poll_next_unpin(cx) == Poll::Ready(Some(())) {
            return Poll::Ready(Input::Cancelled);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Input::TimedOut)
    }

    fn model_failed(&mut self, error: ModelError) -> Input {
        self.work = Work::Nothing;
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "failed to get an answer from the model"
        );
        Input::ModelFailed(error)
    }
}

impl Drop for Running {
    /// The reader left: what is being written is written to its end, then what stands so far.
    fn drop(&mut self) {
        let saving = self.saving.take();
        let mut changes: Vec<BoxFuture<'static, _>> = Vec::new();
        if !self.turn.is_ended() {
            self.tell(Input::Cancelled);
        }
        for effect in std::mem::take(&mut self.effects) {
            if let Effect::Save(change) = effect {
                changes.push(self.save(change).boxed());
            }
        }
        if saving.is_none() && changes.is_empty() {
            return;
        }
        let place = self.place.take();
        let last_words = async move {
            for write in saving.into_iter().chain(changes) {
                if let Err(error) = write.await {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "failed to save a stopped turn"
                    );
                }
            }
            drop(place);
        };
        // Under the names of the request, like everything that was reported before.
        let last_words = last_words.in_current_span();
        self.engine.tasks.spawn_on(last_words, &self.runtime);
    }
}

/// Collects a title from a model's answer; anything that goes wrong is no title.
async fn write_title(model: Arc<dyn Model>, request: ModelRequest) -> Option<String> {
    let mut answer = model.respond(request).await.ok()?;
    let mut text = String::new();
    while let Some(event) = answer.next().await {
        match event.ok()? {
            ModelEvent::TextDelta(delta) => text.push_str(&delta),
            ModelEvent::Completed { .. } => break,
            _ => {}
        }
        if text.len() > 8 * title::MAX_CHARS {
            break;
        }
    }
    Some(text)
}
