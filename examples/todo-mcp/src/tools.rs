//! The six tools, as a model is told about them.
//!
//! A tool never takes the user as an argument: a model could be talked into naming another one.
//! Who asks comes from the verified token of the HTTP request.

use std::fmt::Write as _;
use std::sync::Arc;

use rmcp::handler::server::tool::InputResponses;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ElicitResult, ElicitationAction,
    Implementation, InputRequest, InputRequests, InputRequiredResult, ServerCapabilities,
    ServerConfig,
};
use rmcp::schemars::JsonSchema;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;
use serde_json::json;

use crate::identity::Caller;
use crate::tasks::{Filter, Task, TaskError, Tasks};

/// The MCP server of one HTTP request.
#[derive(Clone)]
pub struct TodoTools {
    tasks: Arc<Tasks>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct AddTask {
    /// What is to be done, in a few words.
    title: String,
    /// More about it.
    #[serde(default)]
    description: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct ListTasks {
    /// Which tasks to list; all when absent.
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(rename_all = "snake_case")]
enum Status {
    #[default]
    All,
    Open,
    Completed,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct TaskId {
    /// The task's number in the user's list.
    task_id: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct UpdateTask {
    /// The task's number in the user's list.
    task_id: u32,
    /// The new title; the old one stays when absent.
    title: Option<String>,
    /// The new description; the old one stays when absent.
    description: Option<String>,
}

/// Under which the question of `plan_task` is asked and answered.
const PLAN: &str = "plan";

/// What the user has answered to it.
#[derive(Debug, Deserialize)]
struct Plan {
    due: Option<String>,
    importance: String,
}

/// The question of `plan_task`: the result of a call that has not done its work yet (MCP, revision of 2026-07-28).
fn question() -> Result<CallToolResponse, ErrorData> {
    let request: InputRequest = serde_json::from_value(json!({
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": "When is it due, and how important is it?",
            "requestedSchema": {
                "type": "object",
                "properties": {
                    "due": {"type": "string", "title": "Due", "format": "date"},
                    "importance": {
                        "type": "string",
                        "title": "Importance",
                        "oneOf": [
                            {"const": "low", "title": "It can wait"},
                            {"const": "normal", "title": "As any other"},
                            {"const": "high", "title": "Before all others"},
                        ],
                        "default": "normal",
                    },
                },
                "required": ["importance"],
            },
        },
    }))
    .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let requests = InputRequests::from([(PLAN.to_owned(), request)]);
    Ok(InputRequiredResult::from_input_requests(requests).into())
}

#[tool_router]
impl TodoTools {
    /// Tools over this list.
    pub fn new(tasks: Arc<Tasks>) -> Self {
        Self { tasks }
    }

    #[tool(
        description = "Add a task to the user's own task list.",
        annotations(destructive_hint = false)
    )]
    async fn add_task(
        &self,
        Parameters(AddTask { title, description }): Parameters<AddTask>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        self.with_list(&context, move |tasks, owner| {
            let task = tasks.add(owner, &title, &description)?;
            Ok((
                format!("Added task {}: {}", task.task_id, task.title),
                vec![task],
            ))
        })
        .await
    }

    #[tool(
        description = "List the user's own tasks with their numbers.",
        annotations(read_only_hint = true)
    )]
    async fn list_tasks(
        &self,
        Parameters(ListTasks { status }): Parameters<ListTasks>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let filter = match status {
            Status::All => Filter::All,
            Status::Open => Filter::Open,
            Status::Completed => Filter::Completed,
        };
        self.with_list(&context, move |tasks, owner| {
            let tasks = tasks.list(owner, filter)?;
            Ok((as_text(&tasks, filter), tasks))
        })
        .await
    }

    #[tool(
        description = "Mark one of the user's tasks as done.",
        annotations(destructive_hint = false, idempotent_hint = true)
    )]
    async fn complete_task(
        &self,
        Parameters(TaskId { task_id }): Parameters<TaskId>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        self.with_list(&context, move |tasks, owner| {
            let task = tasks.complete(owner, task_id)?;
            Ok((
                format!("Completed task {}: {}", task.task_id, task.title),
                vec![task],
            ))
        })
        .await
    }

    #[tool(
        description = "Change the title or the description of one of the user's tasks.",
        annotations(destructive_hint = true, idempotent_hint = true)
    )]
    async fn update_task(
        &self,
        Parameters(UpdateTask {
            task_id,
            title,
            description,
        }): Parameters<UpdateTask>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        self.with_list(&context, move |tasks, owner| {
            let task = tasks.update(owner, task_id, title.as_deref(), description.as_deref())?;
            Ok((
                format!("Changed task {}: {}", task.task_id, task.title),
                vec![task],
            ))
        })
        .await
    }

    #[tool(
        description = "Delete one of the user's tasks for good.",
        annotations(destructive_hint = true)
    )]
    async fn delete_task(
        &self,
        Parameters(TaskId { task_id }): Parameters<TaskId>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        self.with_list(&context, move |tasks, owner| {
            let task = tasks.delete(owner, task_id)?;
            Ok((
                format!("Deleted task {}: {}", task.task_id, task.title),
                vec![task],
            ))
        })
        .await
    }

    #[tool(
        description = "Ask the user when one of their tasks is due and how important it is, and note that with the task.",
        annotations(destructive_hint = false)
    )]
    async fn plan_task(
        &self,
        Parameters(TaskId { task_id }): Parameters<TaskId>,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(answer) = answers.and_then(|mut answers| answers.remove(PLAN)) else {
            let may_ask = context
                .client_capabilities()
                .is_some_and(|capabilities| capabilities.elicitation.is_some());
            if may_ask {
                return question();
            }
            let words = "The user cannot be asked here. Ask them yourself, and use update_task.";
            return Ok(CallToolResult::error(vec![ContentBlock::text(words)]).into());
        };
        let invalid = |error: serde_json::Error| ErrorData::invalid_params(error.to_string(), None);
        let answer: ElicitResult = serde_json::from_value(answer).map_err(invalid)?;
        if answer.action != ElicitationAction::Accept {
            let words = "The user did not want to say. Nothing was changed.";
            return Ok(CallToolResult::success(vec![ContentBlock::text(words)]).into());
        }
        let plan: Plan =
            serde_json::from_value(answer.content.unwrap_or_default()).map_err(invalid)?;
        let noted = match plan.due {
            Some(due) => format!("due {due}, importance {}", plan.importance),
            None => format!("importance {}", plan.importance),
        };
        let changed = self.with_list(&context, move |tasks, owner| {
            let task = tasks.update(owner, task_id, None, Some(&noted))?;
            Ok((
                format!("Planned task {}: {} ({noted})", task.task_id, task.title),
                vec![task],
            ))
        });
        Ok(changed.await?.into())
    }

    /// Runs `work` with the caller's owner key on a thread that may wait for the database.
    ///
    /// A [`TaskError`] becomes a result with `isError`, which the model reads and can act on; a
    /// protocol error would only stop it.
    async fn with_list(
        &self,
        context: &RequestContext<RoleServer>,
        work: impl FnOnce(&Tasks, &str) -> Result<(String, Vec<Task>), TaskError> + Send + 'static,
    ) -> Result<CallToolResult, ErrorData> {
        let caller = context
            .extensions
            .get::<axum::http::request::Parts>()
            .and_then(|parts| parts.extensions.get::<Caller>())
            .cloned()
            .ok_or_else(|| ErrorData::internal_error("the request has no verified caller", None))?;
        let tasks = Arc::clone(&self.tasks);
        let done = tokio::task::spawn_blocking(move || work(&tasks, caller.owner())).await;
        match done {
            Ok(Ok((text, tasks))) => {
                let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
                result.structured_content = Some(serde_json::json!({ "tasks": tasks }));
                Ok(result)
            }
            Ok(Err(error)) => {
                if let TaskError::Database(cause) = &error {
                    tracing::error!(%cause, "the database failed");
                }
                Ok(CallToolResult::error(vec![ContentBlock::text(
                    error.to_string(),
                )]))
            }
            Err(_) => Err(ErrorData::internal_error(
                "the tool stopped unexpectedly",
                None,
            )),
        }
    }
}

#[tool_handler]
impl ServerHandler for TodoTools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("todo-mcp", env!("CARGO_PKG_VERSION")))
            .with_instructions("The signed-in user's own task list. Numbers come from list_tasks.")
    }
}

/// The list as people and models read it. Not as a numbered Markdown list: that would be counted
/// anew, and after the first deletion every number would be wrong.
fn as_text(tasks: &[Task], filter: Filter) -> String {
    if tasks.is_empty() {
        return match filter {
            Filter::All => "The list is empty.",
            Filter::Open => "Nothing is left to do.",
            Filter::Completed => "Nothing is done yet.",
        }
        .to_owned();
    }
    let mut text = String::new();
    for Task {
        task_id,
        title,
        description,
        completed,
    } in tasks
    {
        let _ = write!(text, "- Task {task_id}: {title}");
        if !description.is_empty() {
            let _ = write!(text, " ({description})");
        }
        text.push_str(if *completed { ", done\n" } else { "\n" });
    }
    text
}
