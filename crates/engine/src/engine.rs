//! The engine's front: one request in, one reply out.

use std::sync::Arc;

use protocol::{
    Attachment, ItemId, JsonObject, Page, Request, Thread, ThreadId, ThreadItem, ThreadMetadata,
    ThreadStatus,
    item::{InferenceOptions, UserMessageItem},
    request::{Order, UserMessageInput},
};
use tokio_util::task::TaskTracker;

use crate::{
    attachments::Attachments,
    context::{Owner, RequestContext},
    error::Error,
    history,
    ports::{
        Change, Clock, Ids, ModelInput, ModelRequest, Newest, PageQuery, Store, size_in_words,
    },
    run::TurnStream,
    turn::Start,
    turns::{Place, Turns},
    workflow::{Titles, Workflow, Workflows},
};

/// Longest title a person may give, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// What a conversation needs; put together once, by the composition root.
#[derive(Clone)]
pub struct Engine {
    /// Where threads are kept.
    pub store: Arc<dyn Store>,
    /// Files that people send.
    pub attachments: Attachments,
    /// What can answer.
    pub workflows: Arc<Workflows>,
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Where a turn that lost its browser is saved; shutdown waits for it.
    pub tasks: TaskTracker,
    /// The turns that run now; at most one in each thread.
    pub turns: Turns,
    /// Most bytes that one person's messages may take in the store, with the answers to them.
    pub max_message_bytes: u64,
}

/// The answer to a request.
pub enum Reply {
    /// A single JSON document.
    Json(Answer),
    /// A turn: events as they happen. Dropping it is the user's "Stop".
    Turn(TurnStream),
}

/// The documents that requests without a stream are answered with.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A thread with a page of items.
    Thread(Box<Thread>),
    /// A page of threads, without their items.
    Threads(Page<Thread>),
    /// A page of items.
    Items(Page<ThreadItem>),
    /// An announced file.
    Attachment(Box<Attachment>),
    /// `{}`.
    Done {},
}

impl Engine {
    /// Carries out a request. What can be refused is refused here, before a stream begins; after
    /// that, failures are `error` events of the stream.
    ///
    /// A new kind of request is a compile error here until it is dealt with.
    pub async fn handle(&self, context: RequestContext, request: Request) -> Result<Reply, Error> {
        self.check_reach(&context, request.thread_id()).await?;
        match request {
            Request::ThreadsCreate(params) => self.create_thread(context, params.input).await,
            Request::ThreadsAddUserMessage(params) => {
                self.add_user_message(context, &params.thread_id, params.input)
                    .await
            }
            Request::ThreadsRetryAfterItem(params) => {
                self.retry_after_item(context, &params.thread_id, &params.item_id)
                    .await
            }
            Request::ThreadsGetById(params) => {
                let thread = self.store.thread(&context.owner, &params.thread_id).await?;
                let first = page_query::<ThreadId>(None, Order::Asc, None);
                let items = self
                    .store
                    .items(&context.owner, &params.thread_id, &first)
                    .await?;
                let items = self.with_links(&context, items);
                Ok(thread_reply(Thread::for_client(thread, items)))
            }
            Request::ThreadsList(params) => {
                let query = page_query(params.limit, params.order, params.after.as_ref());
                let page = self.visible_threads(&context, &query).await?;
                let bare = |thread| Thread::for_client(thread, Page::default());
                Ok(Reply::Json(Answer::Threads(Page {
                    data: page.data.into_iter().map(bare).collect(),
                    has_more: page.has_more,
                    after: page.after,
                })))
            }
            Request::ThreadsUpdate(params) => {
                self.rename_thread(&context, &params.thread_id, &params.title)
                    .await
            }
            Request::ThreadsDelete(params) => {
                self.delete_thread(&context.owner, &params.thread_id)
                    .await?;
                Ok(Reply::Json(Answer::Done {}))
            }
            Request::ItemsList(params) => {
                let query = page_query(params.limit, params.order, params.after.as_ref());
                let page = self
                    .store
                    .items(&context.owner, &params.thread_id, &query)
                    .await?;
                let page = self.with_links(&context, page.for_client());
                Ok(Reply::Json(Answer::Items(page)))
            }
            Request::ItemsFeedback(params) => {
                let now = self.clock.now();
                self.store
                    .save_feedback(
                        &context.owner,
                        &params.thread_id,
                        &params.item_ids,
                        params.kind,
                        now,
                    )
                    .await?;
                Ok(Reply::Json(Answer::Done {}))
            }
            // Known to the protocol, served by a later version. Whose thread it is comes first, so
            // that the answer never tells whether another's thread exists.
            Request::ThreadsAddClientToolOutput(params) => {
                self.not_yet(
                    &context,
                    &params.thread_id,
                    "threads.add_client_tool_output",
                )
                .await
            }
            Request::ThreadsAddStructuredInput(params) => {
                self.store
                    .item(&context.owner, &params.thread_id, &params.item_id)
                    .await?;
                Err(Error::Unsupported("threads.add_structured_input"))
            }
            Request::ThreadsCustomAction(params) => {
                self.not_yet(&context, &params.thread_id, "threads.custom_action")
                    .await
            }
            Request::ThreadsSyncCustomAction(params) => {
                self.not_yet(&context, &params.thread_id, "threads.sync_custom_action")
                    .await
            }
            Request::AttachmentsCreate(params) => {
                let attachment = self.announce_attachment(&context, params).await?;
                Ok(Reply::Json(Answer::Attachment(Box::new(attachment))))
            }
            Request::AttachmentsDelete(params) => {
                self.discard_attachment(&context.owner, &params.attachment_id)
                    .await?;
                Ok(Reply::Json(Answer::Done {}))
            }
            Request::InputTranscribe(_) => Err(Error::Unsupported("input.transcribe")),
        }
    }

    async fn create_thread(
        &self,
        context: RequestContext,
        input: UserMessageInput,
    ) -> Result<Reply, Error> {
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
        self.store
            .create_thread(&context.owner, &thread, std::slice::from_ref(&message))
            .await?;
        let place = self.turns.enter(&thread.id).await;
        let question = Question {
            message,
            earlier: Newest::default(),
            begins: Begins::NewThread,
        };
        self.respond(context, &workflow, thread, question, place)
    }

    async fn add_user_message(
        &self,
        context: RequestContext,
        thread: &ThreadId,
        input: UserMessageInput,
    ) -> Result<Reply, Error> {
        let thread = self.store.thread(&context.owner, thread).await?;
        check_open(&thread.status)?;
        let workflow = self.workflow_for(&context, &input)?;
        self.check_room(&context).await?;
        let message = self.user_message(&context, &thread.id, input).await?;
        let place = self.turns.enter(&thread.id).await;
        let earlier = self.earlier(&context, &workflow, &thread.id, None).await?;
        let change = Change {
            put: vec![message.clone()],
            ..Change::default()
        };
        self.store
            .apply(&context.owner, &thread.id, &change)
            .await?;
        let question = Question {
            message,
            earlier,
            begins: Begins::NewMessage,
        };
        self.respond(context, &workflow, thread, question, place)
    }

    async fn retry_after_item(
        &self,
        context: RequestContext,
        thread: &ThreadId,
        item: &ItemId,
    ) -> Result<Reply, Error> {
        let thread = self.store.thread(&context.owner, thread).await?;
        let item = self.store.item(&context.owner, &thread.id, item).await?;
        let ThreadItem::UserMessage(message) = &item else {
            return Err(Error::Invalid {
                message: "only a user's message can be answered again; name one in `item_id`"
                    .to_owned(),
                param: Some("params.item_id".to_owned()),
            });
        };
        check_open(&thread.status)?;
        let workflow = Arc::clone(self.workflow_of(&context)?);
        workflow.pick_model(message.inference_options.model.as_deref())?;
        let place = self.turns.enter(&thread.id).await;
        let change = Change {
            truncate_after: Some(item.id().clone()),
            ..Change::default()
        };
        self.store
            .apply(&context.owner, &thread.id, &change)
            .await?;
        self.remove_files();
        let earlier = self.earlier(&context, &workflow, &thread.id, Some(item.id()));
        let question = Question {
            earlier: earlier.await?,
            message: item,
            begins: Begins::Again,
        };
        self.respond(context, &workflow, thread, question, place)
    }

    async fn rename_thread(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        title: &str,
    ) -> Result<Reply, Error> {
        let title = title.trim();
        if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS {
            return Err(Error::Invalid {
                message: format!("a title has 1 to {MAX_TITLE_CHARS} characters"),
                param: Some("params.title".to_owned()),
            });
        }
        let change = Change {
            title: Some(title.to_owned()),
            ..Change::default()
        };
        self.store.apply(&context.owner, thread, &change).await?;
        let thread = self.store.thread(&context.owner, thread).await?;
        Ok(thread_reply(Thread::for_client(thread, Page::default())))
    }

    /// Removes a thread and everything in it, whoever asks.
    pub(crate) async fn delete_thread(
        &self,
        owner: &Owner,
        thread: &ThreadId,
    ) -> Result<(), Error> {
        self.store.delete_thread(owner, thread).await?;
        self.remove_files();
        Ok(())
    }

    async fn not_yet(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        name: &'static str,
    ) -> Result<Reply, Error> {
        self.store.thread(&context.owner, thread).await?;
        Err(Error::Unsupported(name))
    }

    /// The workflow that the caller's credential is bound to.
    fn workflow_of(&self, context: &RequestContext) -> Result<&Arc<Workflow>, Error> {
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
                message: "the message is empty; write something first".to_owned(),
                param: Some("params.input.content".to_owned()),
            });
        }
        let quoted = input.quoted_text.as_deref().map_or(0, str::len);
        let said: usize = input.content.iter().map(|part| part.text().len()).sum();
        if let Some(most) = context.limits.message_bytes
            && quoted + said > most
        {
            return Err(Error::Invalid {
                message: format!(
                    "the message is longer than the {} it may have here; send a shorter one",
                    size_in_words(most as u64)
                ),
                param: Some("params.input".to_owned()),
            });
        }
        let workflow = self.workflow_of(context)?;
        workflow.pick_model(input.inference_options.model.as_deref())?;
        Ok(Arc::clone(workflow))
    }

    /// Refuses a new message of a person whose conversations take all the room that one person may have. Messages that come
    /// at the same moment may go a little beyond it.
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

    /// Items as their owner's browser is told.
    fn with_links(&self, context: &RequestContext, page: Page<ThreadItem>) -> Page<ThreadItem> {
        self.attachments
            .show_page(&context.owner, page, self.clock.now())
    }

    /// What came before a question (the newest item of the thread where it is not named), as far as
    /// the limits allow. Nothing else of the thread is read.
    async fn earlier(
        &self,
        context: &RequestContext,
        workflow: &Workflow,
        thread: &ThreadId,
        question: Option<&ItemId>,
    ) -> Result<Newest, Error> {
        let limits = workflow.limits.for_caller(&context.limits);
        let room = history::room(&limits);
        let newest = self
            .store
            .newest_items(&context.owner, thread, question, room);
        Ok(newest.await?)
    }

    /// Begins the stream that answers a question, which is in the store.
    fn respond(
        &self,
        context: RequestContext,
        workflow: &Arc<Workflow>,
        thread: ThreadMetadata,
        question: Question,
        place: Place,
    ) -> Result<Reply, Error> {
        let Question {
            message,
            earlier,
            begins,
        } = question;
        let options = match &message {
            ThreadItem::UserMessage(message) => message.inference_options.clone(),
            _ => InferenceOptions::default(),
        };
        let limits = workflow.limits.for_caller(&context.limits);
        let told = history::tell(&earlier, limits.history_tokens);
        let mut input = Vec::new();
        input.extend(
            workflow
                .fill_user_context(&context.state_variables)
                .map(ModelInput::Context),
        );
        input.extend(told.input);
        input.extend(history::model_input(std::slice::from_ref(&message)));
        let request = ModelRequest {
            model: workflow.pick_model(options.model.as_deref())?,
            instructions: workflow.instructions.clone(),
            input,
            tools: Vec::new(),
            tool_choice: options.tool_choice.map(|choice| choice.id),
            max_output_tokens: limits.max_output_tokens,
            locale: context.locale.clone(),
            end_user: context.owner.as_str().to_owned(),
        };
        let start = Start {
            is_new: matches!(begins, Begins::NewThread),
            message: match begins {
                Begins::NewThread | Begins::NewMessage => {
                    let mut message = Some(message);
                    self.attachments
                        .show(&context.owner, &mut message, self.clock.now());
                    message
                }
                Begins::Again => None,
            },
            thread,
            request,
            titles: if context.rules.automatic_titles {
                workflow.titles
            } else {
                Titles::Off
            },
            limits,
        };
        Ok(Reply::Turn(TurnStream::start(
            self,
            workflow,
            context,
            start,
            told.tokens_left,
            place,
        )))
    }
}

/// A message that is to be answered, with what came before it.
struct Question {
    message: ThreadItem,
    earlier: Newest,
    begins: Begins,
}

/// How a turn came about.
#[derive(Clone, Copy)]
enum Begins {
    NewThread,
    NewMessage,
    Again,
}

fn thread_reply(thread: Thread) -> Reply {
    Reply::Json(Answer::Thread(Box::new(thread)))
}

/// A client's page, within our limits: the official element asks for 9,999 threads at once.
fn page_query<Id: ToString>(limit: Option<u32>, order: Order, after: Option<&Id>) -> PageQuery {
    let limit = match limit {
        None | Some(0) => PageQuery::DEFAULT_LIMIT,
        Some(limit) => limit.min(PageQuery::MAX_LIMIT),
    };
    PageQuery {
        limit,
        order,
        after: after.map(ToString::to_string),
        before: None,
    }
}

fn check_open(status: &ThreadStatus) -> Result<(), Error> {
    let (state, reason) = match status {
        ThreadStatus::Active => return Ok(()),
        ThreadStatus::Locked { reason } => ("locked", reason),
        ThreadStatus::Closed { reason } => ("closed", reason),
    };
    let reason = reason
        .as_deref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    Err(Error::Conflict(format!(
        "this conversation is {state}{reason}; start a new chat to go on"
    )))
}
