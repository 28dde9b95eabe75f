//! Which of their threads a session lets its user see.

use protocol::{Page, ThreadId, ThreadMetadata, request::Order};

use crate::{
    context::{HistoryAccess, Owner, RequestContext},
    engine::Engine,
    error::Error,
    ports::{Match, PageQuery},
    search::Wanted,
};

impl Engine {
    /// Refuses a thread that is not among those the session may see, as one that is not there.
    pub(crate) async fn check_reach(
        &self,
        context: &RequestContext,
        thread: Option<&ThreadId>,
    ) -> Result<(), Error> {
        let (Some(thread), HistoryAccess::Recent(count)) = (thread, context.rules.history) else {
            return Ok(());
        };
        let recent = self.newest_threads(&context.owner, count.get()).await?;
        if recent.iter().any(|other| other.id == *thread) {
            return Ok(());
        }
        Err(Error::NotFound)
    }

    /// A page of the threads that the session may see.
    pub(crate) async fn visible_threads(
        &self,
        context: &RequestContext,
        query: &PageQuery,
    ) -> Result<Page<ThreadMetadata>, Error> {
        match context.rules.history {
            HistoryAccess::All => Ok(self.store.threads(&context.owner, query).await?),
            HistoryAccess::Unlisted => Ok(Page::empty()),
            HistoryAccess::Recent(count) => {
                let newest = self.newest_threads(&context.owner, count.get()).await?;
                cut(newest, query)
            }
        }
    }

    /// A page of the threads that the session may see and that hold what is wanted, newest first.
    pub(crate) async fn visible_matches(
        &self,
        context: &RequestContext,
        wanted: &Wanted,
        query: &PageQuery,
    ) -> Result<Page<Match>, Error> {
        let owner = &context.owner;
        let visible = match context.rules.history {
            HistoryAccess::All => return Ok(self.store.search(owner, wanted, query).await?),
            HistoryAccess::Unlisted => return Ok(Page::empty()),
            HistoryAccess::Recent(count) => self.newest_threads(owner, count.get()).await?,
        };
        let mut page = self.store.search(owner, wanted, query).await?;
        let is_visible = |id: &str| visible.iter().any(|thread| thread.id.as_str() == id);
        page.data
            .retain(|found| is_visible(found.thread.id.as_str()));
        // Older ones than the oldest that is visible need not be looked through.
        page.after = page.after.filter(|after| is_visible(after));
        page.has_more = page.after.is_some();
        Ok(page)
    }

    /// The owner's newest threads, newest first. Costs a query for each hundred.
    async fn newest_threads(
        &self,
        owner: &Owner,
        count: u32,
    ) -> Result<Vec<ThreadMetadata>, Error> {
        let mut threads = Vec::new();
        let mut query = PageQuery {
            limit: count.min(PageQuery::MAX_LIMIT),
            order: Order::Desc,
            after: None,
            before: None,
        };
        loop {
            let page = self.store.threads(owner, &query).await?;
            threads.extend(page.data);
            query.after = page.after;
            if query.after.is_none() || threads.len() >= count as usize {
                threads.truncate(count as usize);
                return Ok(threads);
            }
        }
    }
}

/// The page of a list, newest first, that is wanted.
fn cut(mut threads: Vec<ThreadMetadata>, query: &PageQuery) -> Result<Page<ThreadMetadata>, Error> {
    if query.order == Order::Asc {
        threads.reverse();
    }
    if let Some(after) = &query.after {
        let place = threads
            .iter()
            .position(|thread| thread.id.as_str() == after)
            .ok_or(Error::NotFound)?;
        threads.drain(..=place);
    }
    let limit = query.limit as usize;
    let has_more = threads.len() > limit;
    threads.truncate(limit);
    Ok(Page {
        after: threads
            .last()
            .filter(|_| has_more)
            .map(|thread| thread.id.to_string()),
        data: threads,
        has_more,
    })
}
