//! Threads of the hosted API: a server reads those of its project, and may delete them.

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use engine::{Error, ports::PageQuery};
use protocol::{
    ThreadId,
    hosted::{ItemQuery, List, ListQuery, Thread, ThreadQuery, check_id},
};
use url::form_urlencoded;

use crate::{
    app::AppState,
    caller::ServerCaller,
    error::ApiError,
    path::Path,
    routes::hosted::{Beta, not_found},
};

/// What a thread's id may begin with: ours, and what an earlier build made.
const PREFIXES: &[&str] = &[ThreadId::PREFIX, "thr"];

/// `GET /v1/chatkit/threads`
pub(crate) async fn list(
    State(app): State<AppState>,
    caller: ServerCaller,
    _beta: Beta,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let ThreadQuery { list, user } = ThreadQuery::parse(form_urlencoded::parse(query.as_bytes()))?;
    let page = match (page_query(list), user) {
        (None, _) => List::<Thread>::empty(),
        (Some(query), None) => {
            let page = app.engine.threads_of_project(caller.project(), &query);
            page.await.map_err(|error| refused(error, None))?
        }
        (Some(query), Some(user)) => {
            let owner = caller.owner(&user, app.now().wall)?;
            let page = app.engine.threads_of_user(&owner, &query);
            page.await.map_err(|error| refused(error, None))?
        }
    };
    Ok(Json(page).into_response())
}

/// `GET /v1/chatkit/threads/{thread_id}`
pub(crate) async fn retrieve(
    State(app): State<AppState>,
    caller: ServerCaller,
    _beta: Beta,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let thread = thread_id(&id)?;
    let found = app.engine.thread_of_project(caller.project(), &thread);
    let found = found.await.map_err(|error| refused(error, Some(&thread)))?;
    Ok(Json(found).into_response())
}

/// `GET /v1/chatkit/threads/{thread_id}/items`
pub(crate) async fn items(
    State(app): State<AppState>,
    caller: ServerCaller,
    _beta: Beta,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let thread = thread_id(&id)?;
    let query = query.unwrap_or_default();
    let query = ItemQuery::parse(form_urlencoded::parse(query.as_bytes()))?;
    let page = app
        .engine
        .items_of_project(caller.project(), &thread, page_query(query))
        .await
        .map_err(|error| refused(error, Some(&thread)))?;
    Ok(Json(page).into_response())
}

/// `DELETE /v1/chatkit/threads/{thread_id}`
pub(crate) async fn delete(
    State(app): State<AppState>,
    caller: ServerCaller,
    _beta: Beta,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let thread = thread_id(&id)?;
    let deleted = app
        .engine
        .delete_thread_of_project(caller.project(), thread.clone())
        .await
        .map_err(|error| refused(error, Some(&thread)))?;
    Ok(Json(deleted).into_response())
}

fn thread_id(id: &str) -> Result<ThreadId, ApiError> {
    check_id("thread_id", id, PREFIXES)?;
    id.parse().map_err(ApiError::internal)
}

/// The store's question; `None` when nothing is wanted, which is then not asked for.
fn page_query(query: ListQuery) -> Option<PageQuery> {
    (query.limit > 0).then_some(PageQuery {
        limit: query.limit,
        order: query.order,
        after: query.after,
        before: query.before,
    })
}

fn refused(error: Error, thread: Option<&ThreadId>) -> ApiError {
    match (error, thread) {
        (Error::NotFound, Some(id)) => not_found(format!("Thread with id '{id}' not found.")),
        (error @ Error::Invalid { .. }, _) => ApiError::from(error).with_code("invalid_value"),
        (error, _) => error.into(),
    }
}
