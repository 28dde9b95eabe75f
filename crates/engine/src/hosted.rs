//! What the hosted API asks about threads: a server looks at those of its whole project.
//!
//! Whose thread it is is found once, within the project; from there on every query carries that
//! owner, like any other.

use protocol::{
    Page, ThreadId, ThreadMetadata,
    hosted::{DeletedThread, List, Thread, ThreadItem},
};

use crate::{
    context::{Owner, Project},
    engine::Engine,
    error::Error,
    ports::{PageQuery, StoreError},
};

impl Engine {
    /// A page of the project's threads, whoever they belong to.
    pub async fn threads_of_project(
        &self,
        project: &Project,
        query: &PageQuery,
    ) -> Result<List<Thread>, Error> {
        let page = self.store.threads_in(project, query).await;
        let page = page.map_err(|error| unknown_cursor(error, query))?;
        let shown = |(owner, thread): (Owner, ThreadMetadata)| show(thread, &owner);
        Ok(list(page, shown))
    }

    /// A page of one user's threads.
    pub async fn threads_of_user(
        &self,
        owner: &Owner,
        query: &PageQuery,
    ) -> Result<List<Thread>, Error> {
        let page = self.store.threads(owner, query).await;
        let page = page.map_err(|error| unknown_cursor(error, query))?;
        Ok(list(page, |thread| show(thread, owner)))
    }

    /// One thread of the project.
    pub async fn thread_of_project(
        &self,
        project: &Project,
        thread: &ThreadId,
    ) -> Result<Thread, Error> {
        let owner = self.store.owner_in(project, thread).await?;
        let thread = self.store.thread(&owner, thread).await?;
        Ok(show(thread, &owner))
    }

    /// A page of the items of a thread of the project; `None` is a page of none.
    ///
    /// What has no form in the hosted API is passed over, and the page is filled up with what comes
    /// next: a client takes a page without entries for the end of the list.
    pub async fn items_of_project(
        &self,
        project: &Project,
        thread: &ThreadId,
        query: Option<PageQuery>,
    ) -> Result<List<ThreadItem>, Error> {
        let owner = self.store.owner_in(project, thread).await?;
        let Some(mut query) = query else {
            return Ok(List::empty());
        };
        let wanted = query.limit as usize;
        let is_backwards = query.is_backwards();
        let mut found: Vec<ThreadItem> = Vec::new();
        loop {
            let page = self.store.items(&owner, thread, &query).await;
            let mut page = page.map_err(|error| unknown_cursor(error, &query))?;
            self.attachments
                .show(&owner, &mut page.data, self.clock.now());
            let shown = page.data.iter().filter_map(ThreadItem::from_stored);
            if is_backwards {
                found.splice(0..0, shown);
                query.before = page.data.first().map(|item| item.id().to_string());
            } else {
                found.extend(shown);
                query.after = page.data.last().map(|item| item.id().to_string());
            }
            if !page.has_more || found.len() > wanted {
                break;
            }
        }
        let has_more = found.len() > wanted;
        if is_backwards {
            found.drain(..found.len().saturating_sub(wanted));
        } else {
            found.truncate(wanted);
        }
        Ok(List::new(found, has_more, |item| item.id.to_string()))
    }

    /// Removes a thread of the project with everything in it.
    pub async fn delete_thread_of_project(
        &self,
        project: &Project,
        thread: ThreadId,
    ) -> Result<DeletedThread, Error> {
        let owner = self.store.owner_in(project, &thread).await?;
        self.delete_thread(&owner, &thread).await?;
        Ok(DeletedThread {
            id: thread,
            deleted: true,
        })
    }
}

/// Whose list it is is known, so what is not found is the place in it.
fn unknown_cursor(error: StoreError, query: &PageQuery) -> Error {
    match error {
        StoreError::NotFound => {
            let param = if query.is_backwards() {
                "before"
            } else {
                "after"
            };
            Error::Invalid {
                message: format!(
                    "Invalid '{param}': this list has no such entry. Send the `first_id` or `last_id` of a page."
                )
                .into(),
                param: Some(param.to_owned()),
            }
        }
        error => error.into(),
    }
}

fn show(thread: ThreadMetadata, owner: &Owner) -> Thread {
    Thread::from_stored(thread, owner.subject())
}

fn list<T>(page: Page<T>, show: impl Fn(T) -> Thread) -> List<Thread> {
    let threads = page.data.into_iter().map(show).collect();
    List::new(threads, page.has_more, |thread: &Thread| {
        thread.id.to_string()
    })
}
