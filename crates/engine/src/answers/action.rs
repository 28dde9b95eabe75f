//! Actions of widgets and pages that are answered at once, and the tools that actions are mapped to.

use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    ItemId, ThreadId, ThreadItem,
    action::Action,
    item::WidgetItem,
    request::{CustomAction, SyncCustomActionResponse},
};
use serde_json::{Value, json};

use super::{check_open, deed::not_a_widget};
use crate::{
    context::RequestContext,
    engine::{Answer, Engine},
    error::Error,
    history,
    ports::{Change, Moment, ToolCall, ToolEvent},
    turn::{self, Display, Kept, Outcome},
    words::Words,
    workflow::{ActionRule, Workflow},
};

impl Engine {
    /// An action that is answered at once, also while an answer runs.
    pub(crate) async fn sync_custom_action(
        &self,
        context: RequestContext,
        params: CustomAction,
    ) -> Result<Answer, Error> {
        let engine = self.clone();
        // What it does elsewhere is done, and is kept, whether or not the page is there to hear of it.
        self.to_the_end(async move { engine.act(&context, params).await })
            .await
    }

    async fn act(&self, context: &RequestContext, params: CustomAction) -> Result<Answer, Error> {
        let owner = &context.owner;
        let thread = self.store.thread(owner, &params.thread_id).await?;
        let CustomAction {
            item_id, action, ..
        } = params;
        let sender = match &item_id {
            None => None,
            Some(item) => match self.store.item(owner, &thread.id, item).await? {
                ThreadItem::Widget(widget) => Some(widget),
                _ => return Err(not_a_widget()),
            },
        };
        check_open(&thread.status)?;
        self.check_room(context).await?;
        let workflow = self.workflow_of(context)?;
        let Some(agent) = &workflow.agent else {
            return self
                .act_at_once(context, workflow, &thread.id, (action, sender))
                .await;
        };
        let sender: Option<ThreadItem> = sender.map(Into::into);
        let acted = agent
            .act(context, thread.clone(), action, sender.clone())
            .await?;
        // The agent speaks of the widget that acted, by whatever name.
        let updated_item = match (acted.updated_item, sender) {
            (Some(mut item), Some(sender)) if matches!(item, ThreadItem::Widget(_)) => {
                let created_at = sender.created_at();
                item.set_identity(sender.id().clone(), thread.id.clone(), created_at);
                let change = Change::of(std::slice::from_ref(&item));
                self.store.apply(owner, &thread.id, &change).await?;
                Some(item)
            }
            _ => None,
        };
        let response = SyncCustomActionResponse { updated_item };
        Ok(Answer::Acted(Box::new(response)))
    }

    /// What an action without a stream does where no agent answers: the tool that it is mapped to runs. The model hears of
    /// it when it is asked the next time.
    async fn act_at_once(
        &self,
        context: &RequestContext,
        workflow: &Workflow,
        thread: &ThreadId,
        (action, sender): (Action, Option<WidgetItem>),
    ) -> Result<Answer, Error> {
        let owner = &context.owner;
        let record = history::action_record(thread, self.moment(), &action, sender.as_ref());
        let mut change = Change::of(&[record]);
        let mut response = SyncCustomActionResponse::default();
        let mut has_failed = false;
        if let Some(rule) = workflow.actions.get(&action.name) {
            let Moment { now, id } = self.moment();
            let kept = Kept {
                call: self.call_of(context, rule, (thread, &action, sender.as_ref()))?,
                record: ItemId::mint(id),
                at: now,
                round: None,
            };
            let begun = history::tool_record(thread, &kept, &Outcome::unknown());
            change.put.push(begun);
            // That it is about to run is known before it does.
            self.store.apply(owner, thread, &change).await?;
            let running = run_to_its_end(workflow, context, kept.call.clone());
            let outcome = tokio::time::timeout(workflow.limits.duration, running)
                .await
                .unwrap_or_else(|_| Outcome {
                    output: "the tool took longer than it may".to_owned(),
                    ..Outcome::unknown()
                });
            change = Change::of(&[history::tool_record(thread, &kept, &outcome)]);
            let display = Display {
                widgets: Arc::clone(&workflow.widgets),
                ..Display::default()
            };
            if let Some(sender) = sender
                && let Some(widget) = turn::widget(&display, &kept, &outcome)
            {
                let item = ThreadItem::from(WidgetItem { widget, ..sender });
                change.put.push(item.clone());
                response.updated_item = Some(item);
            }
            has_failed = outcome.is_error;
        }
        self.store.apply(owner, thread, &change).await?;
        if has_failed {
            return Err(Error::ActionFailed);
        }
        Ok(Answer::Acted(Box::new(response)))
    }

    /// The call that an action stands for.
    pub(super) fn call_of(
        &self,
        context: &RequestContext,
        rule: &ActionRule,
        (thread, action, sender): (&ThreadId, &Action, Option<&WidgetItem>),
    ) -> Result<ToolCall, Error> {
        let data = json!({
            "payload": action.payload,
            "sender": sender.map(|widget| json!({"id": widget.id, "copy_text": widget.copy_text})),
            "user": {"id": context.user.id},
            "thread": {"id": thread},
            "state": &*context.state_variables,
        });
        let arguments = rule.arguments.fill(&data).map_err(|error| {
            tracing::warn!(
                action = action.name,
                error = &error as &dyn std::error::Error,
                "an action does not bring what its tool needs"
            );
            Error::Invalid {
                message: Words::ActionIncomplete.into(),
                param: Some("params.action.payload".to_owned()),
            }
        })?;
        Ok(ToolCall {
            call_id: format!("action_{:032x}", self.ids.next()),
            name: rule.tool.clone(),
            arguments: Value::Object(arguments).to_string(),
        })
    }
}

/// Runs a tool that a person has asked for by a click.
async fn run_to_its_end(workflow: &Workflow, context: &RequestContext, call: ToolCall) -> Outcome {
    let mut events = workflow.tools.call(context, call, true).await;
    while let Some(event) = events.next().await {
        if let ToolEvent::Done {
            output, is_error, ..
        } = event
        {
            return Outcome {
                output,
                is_error,
                awaits: None,
            };
        }
    }
    Outcome::unknown()
}
