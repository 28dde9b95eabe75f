//! The plain relay: a Chat Completions body goes to the configured model and its event stream comes
//! back, frames whole, after the same check of the caller. Nothing is stored.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use engine::WorkflowId;
use futures::StreamExt;
use upstream::relay::RelayContext;

use crate::{
    app::{App, RelayTakes, RelayTarget, RelayTargets},
    audit::Source,
    caller::Caller,
    error::ApiError,
    report::{Report, Reported, RequestName},
    routes::chat,
    sse,
};

impl RelayTargets {
    /// What answers this caller: the model of the workflow that would hold a conversation with them.
    fn of(&self, app: &App, caller: &Caller) -> Result<(&WorkflowId, &RelayTarget), ApiError> {
        let is_pinned = caller.terms().workflow.is_some();
        self.by_workflow
            .get_key_value(&caller.workflow(app)?.id)
            .filter(|(_, target)| match target.takes {
                RelayTakes::Nobody => false,
                RelayTakes::Unpinned => !is_pinned,
                RelayTakes::Everybody => true,
            })
            .ok_or_else(|| {
                ApiError::forbidden(
                    "relay_off",
                    "the workflow that answers you takes no plain messages; send ChatKit requests \
                     instead, or ask the operator for `relay = true` in its [[workflows]]",
                )
            })
    }
}

/// Answers a body with `messages`.
pub(crate) async fn answer(
    app: &App,
    caller: &Caller,
    source: &Source,
    request: &RequestName,
    body: Bytes,
) -> Result<Response, ApiError> {
    let targets = app.relay.as_ref().ok_or_else(|| {
        ApiError::forbidden(
            "relay_off",
            "this server relays no plain messages; the operator switches it on with `doors.custom.relay`",
        )
    })?;
    let (workflow, target) = targets.of(app, caller)?;
    let most = app.settings.body.bytes;
    if body.len() > most {
        return Err(ApiError::too_large(most));
    }
    let running = chat::count_turn(app, caller, source).await?;
    let context = RelayContext {
        model: target.model.clone(),
        end_user: caller.owner().to_string(),
        answer_id: format!("chatcmpl-{:032x}", app.engine.ids.next()),
        created_at: app.now().wall.seconds(),
        duration: targets.duration,
        limits: targets.limits,
    };
    let report = Report::of(request, caller, workflow, None);
    let frames = report.on(target.relay.answer(&context, &body)).await?;
    let frames = Reported::new(frames, report).map(move |frame| {
        let _counts = &running; // The turn counts until its frames are dropped.
        Ok::<Bytes, std::convert::Infallible>(frame)
    });
    Ok(sse::event_stream(Body::from_stream(frames)))
}
