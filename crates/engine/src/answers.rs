//! Requests that are answered by a run: begun, waited for, followed, stopped, taken up again.

mod action;
mod ask;
pub(crate) mod deed;

use std::sync::Arc;

use futures::FutureExt;
use protocol::{
    Cursor, Event, ItemId, JsonObject, Page, Position, RunId, Thread, ThreadId, ThreadItem,
    ThreadMetadata, ThreadStatus,
    item::UserMessageItem,
    request::{
        Order, ThreadsAddUserMessage, ThreadsCancel, ThreadsResume, ThreadsRetryAfterItem,
        UserMessageInput,
    },
};
use tokio::sync::oneshot;
use tracing::{Instrument, instrument::WithSubscriber, subscriber::NoSubscriber};

use self::ask::{Accepted, Ask, Begins, IsAccepted};
use crate::{
    context::{Owner, RequestContext},
    engine::{Answer, Engine},
    error::Error,
    history,
    ports::{Change, Moment, PageQuery, RequestRecord, RunRecord, StoreError},
    run,
    runs::{Call, Client, Following, MOST_WAITING, Mouth, Reader, Refused, RequestKey, Run},
    transcript,
    turn::{self, Why},
    words::Words,
    workflow::{Busy, Workflow},
};

/// How long a Stop waits for what it stops, so that who asks next finds the thread free. It is a courtesy: the run ends
/// in any case.
const STOPPED_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

impl Engine {
    pub(crate) async fn create_thread(
        &self,
        context: RequestContext,
        input: UserMessageInput,
        following: Following,
    ) -> Result<Reader, Error> {
        if let Some(reader) = self.known(&context, &following.client, true).await? {
            return Ok(reader);
        }
        let workflow = self.workflow_for(&context, &input)?;
        let thread = ThreadMetadata {
            id: ThreadId::mint(self.ids.next()),
            title: None,
            created_at: self.clock.now(),
            status: ThreadStatus::Active,
            allowed_image_domains: None,
            metadata: JsonObject::new(),
        };
        // Whoever called has named the request in a span, and could not know this yet.
        tracing::Span::current().record("thread", tracing::field::display(&thread.id));
        self.check_room(&context).await?;
        let message = self.user_message(&context, &thread.id, input).await?;
        self.begin(
            context,
            workflow,
            message,
            Begins::Thread(thread),
            following,
        )
        .await
    }

    pub(crate) async fn add_user_message(
        &self,
        context: RequestContext,
        params: ThreadsAddUserMessage,
        following: Following,
    ) -> Result<Reader, Error> {
        if let Some(reader) = self.known(&context, &following.client, false).await? {
            return Ok(reader);
        }
        let ThreadsAddUserMessage { thread_id, input } = params;
        let thread = self.store.thread(&context.owner, &thread_id).await?;
        check_open(&thread.status)?;
        let workflow = self.workflow_for(&context, &input)?;
        self.check_room(&context).await?;
        let message = self.user_message(&context, &thread_id, input).await?;
        self.wake(&context, &workflow, &thread_id).await?;
        self.begin(context, workflow, message, Begins::Message, following)
            .await
    }

    pub(crate) async fn retry_after_item(
        &self,
        context: RequestContext,
        params: ThreadsRetryAfterItem,
        following: Following,
    ) -> Result<Reader, Error> {
        if let Some(reader) = self.known(&context, &following.client, false).await? {
            return Ok(reader);
        }
        let owner = &context.owner;
        let thread = self.store.thread(owner, &params.thread_id).await?;
        let item = self.store.item(owner, &thread.id, &params.item_id).await?;
        check_open(&thread.status)?;
        let workflow = Arc::clone(self.workflow_of(&context)?);
        if let ThreadItem::UserMessage(message) = &item {
            workflow.pick_model(message.inference_options.model.as_deref())?;
        } else if !self
            .is_cut_answer(owner, &workflow, &thread.id, &item)
            .await?
        {
            return Err(Error::Invalid {
                message: "only a user's message can be answered again; name one in `item_id`"
                    .into(),
                param: Some("params.item_id".to_owned()),
            });
        }
        self.begin(context, workflow, item, Begins::Again, following)
            .await
    }

    /// Whether the answer to something that a person did, and did not write, was interrupted, and can be given again.
    async fn is_cut_answer(
        &self,
        owner: &Owner,
        workflow: &Workflow,
        thread: &ThreadId,
        item: &ThreadItem,
    ) -> Result<bool, Error> {
        let run = self.store.standing(owner, thread).await?.run;
        let is_cut = run.is_some_and(|run| run.is_interrupted && run.answers == *item.id());
        Ok(is_cut && is_repeatable(workflow, item))
    }

    /// Reads on in a run. Where none lives, messages that were left waiting are answered now, and an answer that was
    /// interrupted is asked for anew, if that is wanted.
    pub(crate) async fn resume(
        &self,
        context: RequestContext,
        params: ThreadsResume,
        mut following: Following,
    ) -> Result<Reader, Error> {
        // Nobody else asks for this.
        following.client.reads_ids = true;
        let ThreadsResume { thread_id, after } = params;
        let owner = &context.owner;
        let thread = self.store.thread(owner, &thread_id).await?;
        if let Some(after) = after.or(following.client.after.clone()) {
            return self
                .read_on(&context, Some(&thread_id), &after, &following.client)
                .await;
        }
        if let Some(run) = self.live(&context, &thread_id).await? {
            return Ok(self.read(&run, &following.client));
        }
        check_open(&thread.status)?;
        let workflow = Arc::clone(self.workflow_of(&context)?);
        if self.wake(&context, &workflow, &thread_id).await?
            && let Some(run) = self.runs.live(owner, &thread_id)
        {
            return Ok(self.read(&run, &following.client));
        }
        let standing = self.store.standing(owner, &thread_id).await?;
        let interrupted = standing.run.filter(|run| run.is_interrupted);
        let Some(RunRecord { answers, .. }) = interrupted else {
            return Err(Error::NoRun);
        };
        let cut_off = self.recoverable(&context, &thread_id, &answers).await?;
        let message = self.store.item(owner, &thread_id, &answers).await?;
        if !is_repeatable(&workflow, &message) {
            return Err(Error::NoRun);
        }
        self.begin(
            context,
            workflow,
            message,
            Begins::Anew { cut_off },
            following,
        )
        .await
    }

    /// Stops the run of a thread, or takes back a message that waits for it. Nothing to stop is no error: it may have
    /// ended at this moment.
    pub(crate) async fn cancel(
        &self,
        context: &RequestContext,
        params: ThreadsCancel,
    ) -> Result<Answer, Error> {
        let ThreadsCancel { thread_id, item_id } = params;
        let owner = &context.owner;
        self.store.thread(owner, &thread_id).await?;
        if let Some(item) = item_id {
            let engine = self.clone();
            let owner = owner.clone();
            self.to_the_end(async move { engine.take_back(&owner, &thread_id, item).await })
                .await?;
        } else if let Some(run) = self.live(context, &thread_id).await? {
            run.cancel(Why::Stopped);
            // Who does not see the end of it within this time sees it in the stream.
            let _ = tokio::time::timeout(STOPPED_WITHIN, run.ended.cancelled()).await;
        }
        Ok(Answer::Done {})
    }

    async fn take_back(&self, owner: &Owner, thread: &ThreadId, item: ItemId) -> Result<(), Error> {
        let waits = |run: &Run| run.message == item && !run.ended.is_cancelled();
        let call = match self.runs.find(owner, Some(thread), waits) {
            // From here on nobody else takes it up.
            Some(run) => Some(self.runs.withdraw(&run).ok_or(Error::NotQueued)?),
            // A former process has left it.
            None => None,
        };
        let change = Change {
            unqueue: Some(item),
            ..Change::default()
        };
        match self.store.apply(owner, thread, &change).await {
            Ok(_epoch) => {}
            Err(StoreError::NotFound) => return Err(Error::NotQueued),
            Err(error) => return Err(error.into()),
        }
        if let Some(call) = call {
            // Who sent it may have stopped waiting.
            let _ = call.send(Call::TakenBack);
        }
        self.remove_files();
        Ok(())
    }

    /// Begins a run, or has it wait for its turn, and reads it from the start.
    async fn begin(
        &self,
        context: RequestContext,
        workflow: Arc<Workflow>,
        message: ThreadItem,
        begins: Begins,
        following: Following,
    ) -> Result<Reader, Error> {
        let client = following.client.clone();
        let is_new = matches!(begins, Begins::Thread(_));
        let busy = match (&begins, workflow.busy) {
            // It may have been asked for by an answer whose title is still missing.
            (Begins::Deed(_), _) => Busy::Queue,
            // Of two who ask anew at the same moment, one does.
            (_, Busy::Reject) | (Begins::Anew { .. }, _) => Busy::Reject,
            // What it answers once more is what runs, or comes before it.
            (Begins::Again, _) => Busy::Interrupt,
            (_, busy) => busy,
        };
        let ask = Ask {
            engine: self.clone(),
            context: Arc::new(context),
            workflow,
            busy,
            request: client.key.as_ref().map(|key| self.record(key, &message)),
            message,
            begins,
        };
        let context = Arc::clone(&ask.context);
        let (run, accepted) = self.launch(ask, busy, following)?;
        let mut reader = self.read(&run, &client);
        match accepted.await {
            Ok(Ok(Accepted { waits })) => {
                reader.set_queued(waits.then(|| run.message.clone()));
                Ok(reader)
            }
            // Somebody sent the same request at the same moment, and was faster.
            Ok(Err(Error::KeyTaken)) if client.key.is_some() => {
                let known = self.known(&context, &client, is_new).await?;
                known.ok_or_else(queue_is_full)
            }
            Ok(Err(Error::KeyTaken)) => Err(queue_is_full()),
            Ok(Err(error)) => Err(error),
            Err(_the_task_is_gone) => {
                tracing::error!("a run ended before it began");
                Err(Error::NoRun)
            }
        }
    }

    /// Takes a place in the thread and begins the task that keeps it. `busy` is about what lives here.
    fn launch(
        &self,
        ask: Ask,
        busy: Busy,
        following: Following,
    ) -> Result<(Arc<Run>, IsAccepted), Error> {
        let Following {
            client,
            permit,
            revoked,
            is_unreported,
            run,
        } = following;
        let place = (ask.message.thread_id().clone(), ask.message.id().clone());
        let (run, stopped) = Run::new(
            run.unwrap_or_else(|| RunId::mint(self.ids.next())),
            ask.context.owner.clone(),
            place,
            client.key.map(|key| key.key),
            ask.context.language(),
            self.runs.settings(),
        );
        let entered =
            self.runs
                .enter(&run, busy, &ask.message)
                .map_err(|refused| match refused {
                    Refused::Busy => Error::ThreadBusy(Words::StillAnswering),
                    Refused::Full => queue_is_full(),
                })?;
        let (accept, accepted) = oneshot::channel();
        let stops = run::stops(stopped, revoked);
        // Boxed, like what is played later: see there.
        let task = Box::new(ask).run(Arc::clone(&run), entered, stops, accept, permit);
        if is_unreported {
            self.tasks.spawn(task.with_subscriber(NoSubscriber::new()));
        } else {
            self.tasks.spawn(task.in_current_span());
        }
        Ok((run, accepted))
    }

    /// Has messages answered that were left waiting when a former process ended; true, where there were any.
    async fn wake(
        &self,
        context: &RequestContext,
        workflow: &Arc<Workflow>,
        thread: &ThreadId,
    ) -> Result<bool, Error> {
        if self.runs.live(&context.owner, thread).is_some() {
            return Ok(false);
        }
        let standing = self.store.standing(&context.owner, thread).await?;
        if let Some(run) = standing.run.filter(|run| run.node.is_some()) {
            // Whoever waits there is called there; what comes now waits behind it.
            self.copy_in_line(&context.owner, thread, &run, context.language());
            return Ok(false);
        }
        let mut is_first = true;
        for message in standing.queued {
            let ask = Ask {
                engine: self.clone(),
                context: Arc::new(context.clone()),
                workflow: Arc::clone(workflow),
                busy: Busy::Queue,
                request: None,
                message,
                begins: Begins::Queued,
            };
            // Somebody else may wake them at the same moment: whoever takes the thread first wakes them all.
            let busy = if is_first { Busy::Reject } else { Busy::Queue };
            match self.launch(ask, busy, Following::default()) {
                Ok(_) => is_first = false,
                Err(Error::ThreadBusy(_)) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(!is_first)
    }

    /// What an answer that is asked for anew takes the place of, where it may be asked for once more: text that was cut
    /// off, but no result of a tool.
    async fn recoverable(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        message: &ItemId,
    ) -> Result<Option<ItemId>, Error> {
        let query = PageQuery {
            limit: PageQuery::MAX_LIMIT,
            order: Order::Asc,
            after: Some(message.to_string()),
            before: None,
        };
        let items = self.store.items(&context.owner, thread, &query).await?.data;
        let attempts = items
            .iter()
            .filter(|item| transcript::is_interruption(item));
        if attempts.count() > self.runs.settings().recoveries as usize {
            return Err(Error::NoRun);
        }
        let last = items
            .iter()
            .rev()
            .find(|item| !transcript::is_interruption(item));
        Ok(match last {
            Some(ThreadItem::AssistantMessage(text)) => Some(text.id.clone()),
            _ => None,
        })
    }

    /// A request that was sent before, or whose stream broke off: what it began is read again.
    async fn known(
        &self,
        context: &RequestContext,
        client: &Client,
        is_new: bool,
    ) -> Result<Option<Reader>, Error> {
        if let Some(after) = &client.after {
            // Some clients send the whole request again when its stream breaks off, and say where they are.
            return self.read_on(context, None, after, client).await.map(Some);
        }
        let Some(RequestKey { key, fingerprint }) = &client.key else {
            return Ok(None);
        };
        let owner = &context.owner;
        let Some((thread, record)) = self.store.request(owner, key).await? else {
            return Ok(None);
        };
        if record.fingerprint != *fingerprint {
            return Err(Error::KeyReused);
        }
        let has_key = |run: &Run| run.key.as_ref() == Some(key);
        let has_message = |run: &Run| run.message == record.item && !run.ended.is_cancelled();
        let find = |is_meant: &dyn Fn(&Run) -> bool| self.runs.find(owner, Some(&thread), is_meant);
        let mut run = find(&has_key).or_else(|| find(&has_message));
        if run.is_none() {
            let workflow = Arc::clone(self.workflow_of(context)?);
            self.wake(context, &workflow, &thread).await?;
            run = find(&has_message);
        }
        if let Some(run) = run {
            return Ok(Some(self.read(&run, client)));
        }
        self.read_stored(context, (&thread, &record), is_new, client)
            .await
            .map(Some)
    }

    /// Reads what a run has left in the thread, in a stream of its own.
    async fn read_stored(
        &self,
        context: &RequestContext,
        (thread, record): (&ThreadId, &RequestRecord),
        is_new: bool,
        client: &Client,
    ) -> Result<Reader, Error> {
        let owner = &context.owner;
        let metadata = self.store.thread(owner, thread).await?;
        let message = self.store.item(owner, thread, &record.item).await?;
        let query = PageQuery {
            limit: PageQuery::MAX_LIMIT,
            order: Order::Asc,
            after: Some(record.item.to_string()),
            before: None,
        };
        let later = self.store.items(owner, thread, &query).await?.data;
        let is_answer = |item: &ThreadItem| !matches!(item, ThreadItem::UserMessage(_));
        let mut items = vec![message];
        items.extend(later.into_iter().take_while(is_answer));
        items.retain(ThreadItem::is_visible_to_user);
        self.attachments.show(owner, &mut items, self.clock.now());
        let place = (thread.clone(), record.item.clone());
        let id = RunId::mint(self.ids.next());
        let language = context.language();
        let settings = self.runs.settings();
        let (run, _stopped) = Run::new(id, owner.clone(), place, None, language, settings);
        let mut mouth = Mouth::new(Arc::clone(&run));
        if is_new {
            mouth.say(Event::ThreadCreated {
                thread: Thread::for_client(metadata, Page::default()),
            });
        }
        let is_answered = items.len() > 1;
        for item in items {
            mouth.say(Event::ItemDone { item });
        }
        if !is_answered {
            mouth.say(turn::unanswered(language));
        }
        mouth.speak();
        run.log.end();
        run.ended.cancel();
        Ok(self.read(&run, client))
    }

    /// The run that lives in a thread, wherever it does.
    async fn live(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
    ) -> Result<Option<Arc<Run>>, Error> {
        let owner = &context.owner;
        if let Some(run) = self.runs.live(owner, thread) {
            return Ok(Some(run));
        }
        let run = self.find_elsewhere(owner, thread, context.language()).await;
        run.map_err(Error::from)
    }

    /// Reads a run from its beginning.
    fn read(&self, run: &Arc<Run>, client: &Client) -> Reader {
        Reader::new(&self.runs, run, Position(0), client)
    }

    /// Reads a run that another process has begun for this request. What holds for as long as the run lives is kept here.
    fn follow(&self, run: &Arc<Run>, following: Following) -> Reader {
        let Following {
            client,
            permit,
            revoked,
            ..
        } = following;
        let copy = Arc::clone(run);
        let keeping = async move {
            let revoked = revoked.unwrap_or_else(|| std::future::pending().boxed());
            tokio::select! {
                () = copy.ended.cancelled() => {}
                () = revoked => copy.cancel(Why::Revoked),
            }
            drop(permit);
        };
        self.tasks.spawn(keeping.in_current_span());
        self.read(run, &client)
    }

    async fn read_on(
        &self,
        context: &RequestContext,
        thread: Option<&ThreadId>,
        after: &Cursor,
        client: &Client,
    ) -> Result<Reader, Error> {
        let is_meant = |run: &Run| run.id == after.run;
        let owner = &context.owner;
        let run = match (self.runs.find(owner, thread, is_meant), thread) {
            (Some(run), _) => run,
            (None, Some(thread)) => {
                let elsewhere = self.find_elsewhere(owner, thread, context.language());
                let run = elsewhere.await?.filter(|run| is_meant(run));
                run.ok_or(Error::NoRun)?
            }
            (None, None) => return Err(Error::NoRun),
        };
        // How far one has come that lives elsewhere is not known here.
        if run.node.is_none() && after.position > run.log.position() {
            return Err(Error::Invalid {
                message: format!("the run has not come to {after} yet; name the `id` of an event")
                    .into(),
                param: Some("params.after".to_owned()),
            });
        }
        Ok(Reader::new(&self.runs, &run, after.position, client))
    }

    fn record(&self, key: &RequestKey, message: &ThreadItem) -> RequestRecord {
        RequestRecord {
            key: Arc::clone(&key.key),
            fingerprint: Arc::clone(&key.fingerprint),
            item: message.id().clone(),
            at: self.clock.now(),
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: self.clock.now(),
            id: self.ids.next(),
        }
    }

    /// The workflow that the caller's credential is bound to.
    pub(crate) fn workflow_of(&self, context: &RequestContext) -> Result<&Arc<Workflow>, Error> {
        let version = context.rules.workflow_version.as_deref();
        self.workflows
            .get_version(context.workflow.as_ref(), version)
    }

    /// The workflow of a message, after everything that can be refused about it has been looked at.
    fn workflow_for(
        &self,
        context: &RequestContext,
        input: &UserMessageInput,
    ) -> Result<Arc<Workflow>, Error> {
        let is_silent = input
            .content
            .iter()
            .all(|part| part.text().trim().is_empty());
        if is_silent && input.attachments.is_empty() {
            return Err(Error::Invalid {
                message: Words::EmptyMessage.into(),
                param: Some("params.input.content".to_owned()),
            });
        }
        let workflow = self.workflow_of(context)?;
        workflow.pick_model(input.inference_options.model.as_deref())?;
        Ok(Arc::clone(workflow))
    }

    /// Refuses more of a person whose conversations take all the room that one person may have. What comes at the same
    /// moment may go a little beyond it.
    async fn check_room(&self, context: &RequestContext) -> Result<(), Error> {
        let limit = self.max_message_bytes;
        if self.store.message_bytes(&context.owner).await? >= limit {
            return Err(Error::MessageQuota { limit });
        }
        Ok(())
    }

    async fn user_message(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        input: UserMessageInput,
    ) -> Result<ThreadItem, Error> {
        let attachments = self
            .message_attachments(context, thread, &input.attachments)
            .await?;
        let message = UserMessageItem {
            id: ItemId::mint(self.ids.next()),
            thread_id: thread.clone(),
            created_at: self.clock.now(),
            content: input.content,
            attachments,
            quoted_text: input.quoted_text,
            inference_options: input.inference_options,
        };
        Ok(message.into())
    }
}

/// Whether an answer to this item may be begun anew: what an agent, or a tool, has done for a click may have happened.
fn is_repeatable(workflow: &Workflow, item: &ThreadItem) -> bool {
    !history::is_record(item) || (workflow.agent.is_none() && history::kept_call(item).is_none())
}

fn queue_is_full() -> Error {
    Error::ThreadBusy(Words::TooManyWaiting { most: MOST_WAITING })
}

fn check_open(status: &ThreadStatus) -> Result<(), Error> {
    Err(Error::Conflict(match status {
        ThreadStatus::Active => return Ok(()),
        ThreadStatus::Locked { reason } => Words::Locked {
            reason: reason.as_deref().map(as_part),
        },
        ThreadStatus::Closed { reason } => Words::Closed {
            reason: reason.as_deref().map(as_part),
        },
    }))
}

/// A reason may be a sentence, and the one that it stands in goes on.
fn as_part(reason: &str) -> String {
    reason.trim_end_matches(['.', '。', ' ']).to_owned()
}
