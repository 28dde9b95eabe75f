//! Requests about threads and items that are answered at once: read, list, rename, judge, delete.

use protocol::{
    Page, Thread, ThreadId, ThreadItem, ThreadPatch,
    request::{ItemsFeedback, ItemsList, Order, ThreadsList, ThreadsSearch},
};
use serde_json::json;

use crate::{
    context::{Owner, RequestContext},
    engine::{Answer, Engine, LoadedThread},
    error::Error,
    ports::{Change, Match, PageQuery},
    search::Wanted,
    turn::Why,
    words::Words,
};

/// Longest title a person may give, in characters.
const MAX_TITLE_CHARS: usize = 200;
/// What a thread's metadata says, beside the application's own: the run that lives…
const RUN: &str = "vestibule_run";
/// …the messages that wait for it…
const QUEUED: &str = "vestibule_queued";
/// …the message whose answer was interrupted…
const INTERRUPTED: &str = "vestibule_interrupted";
/// …and, of a thread that was looked for, what stands around the words in one of its messages.
const EXCERPT: &str = "vestibule_excerpt";

impl Engine {
    /// A thread with its first page of items, and what goes on in it.
    pub(crate) async fn load_thread(
        &self,
        context: &RequestContext,
        id: &ThreadId,
    ) -> Result<Answer, Error> {
        let owner = &context.owner;
        // Before the items: what is said after this is in the run, what was said before it in the items.
        let here = self.runs.live(owner, id).map(|run| run.id.clone());
        let thread = self.store.thread(owner, id).await?;
        let standing = self.store.standing(owner, id).await?;
        let elsewhere = standing.run.as_ref().filter(|run| run.node.is_some());
        let run = here.or_else(|| elsewhere.map(|run| run.run.clone()));
        let first = page_query::<ThreadId>(None, Order::Asc, None);
        let items = self.store.items(owner, id, &first).await?;
        let mut thread = Thread::for_client(thread, self.with_links(context, items));
        let notes = &mut thread.thread.metadata;
        if let Some(run) = &run {
            notes.insert(RUN.to_owned(), json!(run));
        } else if let Some(last) = standing.run.filter(|last| last.is_interrupted) {
            notes.insert(INTERRUPTED.to_owned(), json!(last.answers));
        }
        if !standing.queued.is_empty() {
            let mut queued = standing.queued;
            self.attachments.show(owner, &mut queued, self.clock.now());
            notes.insert(QUEUED.to_owned(), json!(queued));
        }
        Ok(Answer::Thread(Box::new(LoadedThread { thread, run })))
    }

    pub(crate) async fn list_threads(
        &self,
        context: &RequestContext,
        params: ThreadsList,
    ) -> Result<Answer, Error> {
        let query = page_query(params.limit, params.order, params.after.as_ref());
        let page = self.visible_threads(context, &query).await?;
        let bare = |thread| Thread::for_client(thread, Page::default());
        Ok(Answer::Threads(Page {
            data: page.data.into_iter().map(bare).collect(),
            has_more: page.has_more,
            after: page.after,
        }))
    }

    pub(crate) async fn search_threads(
        &self,
        context: &RequestContext,
        params: ThreadsSearch,
    ) -> Result<Answer, Error> {
        let wanted = Wanted::parse(&params.query).ok_or_else(|| Error::Invalid {
            message: Words::NothingToSearchFor.into(),
            param: Some("params.query".to_owned()),
        })?;
        let query = page_query(params.limit, Order::Desc, params.after.as_ref());
        let page = self.visible_matches(context, &wanted, &query).await?;
        let shown = |Match { thread, excerpt }| {
            let mut thread = Thread::for_client(thread, Page::default());
            if let Some(excerpt) = excerpt {
                let notes = &mut thread.thread.metadata;
                notes.insert(EXCERPT.to_owned(), json!(excerpt));
            }
            thread
        };
        Ok(Answer::Threads(Page {
            data: page.data.into_iter().map(shown).collect(),
            has_more: page.has_more,
            after: page.after,
        }))
    }

    pub(crate) async fn list_items(
        &self,
        context: &RequestContext,
        params: ItemsList,
    ) -> Result<Answer, Error> {
        let query = page_query(params.limit, params.order, params.after.as_ref());
        let page = self
            .store
            .items(&context.owner, &params.thread_id, &query)
            .await?;
        Ok(Answer::Items(self.with_links(context, page.for_client())))
    }

    pub(crate) async fn judge_items(
        &self,
        context: &RequestContext,
        params: ItemsFeedback,
    ) -> Result<Answer, Error> {
        let owner = &context.owner;
        let ItemsFeedback {
            thread_id,
            item_ids,
            kind,
        } = params;
        self.store
            .save_feedback(owner, &thread_id, &item_ids, kind, self.clock.now())
            .await?;
        if let Some(agent) = &self.workflow_of(context)?.agent {
            let thread = self.store.thread(owner, &thread_id).await?;
            // It is kept here, whatever becomes of it there.
            if let Err(error) = agent.judge(context, thread, item_ids, kind).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to tell the agent of feedback"
                );
            }
        }
        Ok(Answer::Done {})
    }

    pub(crate) async fn rename_thread(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        title: &str,
    ) -> Result<Answer, Error> {
        let title = title.trim();
        if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS {
            return Err(Error::Invalid {
                message: Words::TitleLength {
                    most: MAX_TITLE_CHARS,
                }
                .into(),
                param: Some("params.title".to_owned()),
            });
        }
        let change = Change {
            patch: ThreadPatch {
                title: Some(title.to_owned()),
                ..ThreadPatch::default()
            },
            ..Change::default()
        };
        self.store.apply(&context.owner, thread, &change).await?;
        let thread = self.store.thread(&context.owner, thread).await?;
        Ok(Answer::Thread(Box::new(LoadedThread {
            thread: Thread::for_client(thread, Page::default()),
            run: None,
        })))
    }

    /// Removes a thread and everything in it, whoever asks. What runs there ends.
    pub(crate) async fn delete_thread(
        &self,
        owner: &Owner,
        thread: &ThreadId,
    ) -> Result<(), Error> {
        let (engine, owner, thread) = (self.clone(), owner.clone(), thread.clone());
        self.to_the_end(async move {
            engine.store.delete_thread(&owner, &thread).await?;
            engine.runs.cancel_all(&thread, Why::Deleted);
            engine.remove_files();
            Ok(())
        })
        .await
    }

    /// Items as their owner's browser is told.
    fn with_links(&self, context: &RequestContext, page: Page<ThreadItem>) -> Page<ThreadItem> {
        self.attachments
            .show_page(&context.owner, page, self.clock.now())
    }
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
