//! The engine's front: one request in, one reply out.

use protocol::{Request, request::InputTranscribe};

use crate::{
    context::RequestContext,
    engine::{Answer, Engine, Reply},
    error::Error,
    ports::Speech,
    runs::Following,
    words::Words,
};

impl Engine {
    /// Carries out a request. What can be refused is refused here, before a stream begins; after
    /// that, failures are `error` events of the stream.
    ///
    /// A new kind of request is a compile error here until it is dealt with.
    pub async fn handle(
        &self,
        context: RequestContext,
        request: Request,
        following: Following,
    ) -> Result<Reply, Error> {
        check_said(&context, &request)?;
        self.check_reach(&context, request.thread_id()).await?;
        let answer = match request {
            Request::ThreadsCreate(params) => {
                let reader = self.create_thread(context, params.input, following).await?;
                return Ok(Reply::Stream(reader));
            }
            Request::ThreadsAddUserMessage(params) => {
                let reader = self.add_user_message(context, params, following).await?;
                return Ok(Reply::Stream(reader));
            }
            Request::ThreadsRetryAfterItem(params) => {
                let reader = self.retry_after_item(context, params, following).await?;
                return Ok(Reply::Stream(reader));
            }
            Request::ThreadsResume(params) => {
                let reader = self.resume(context, params, following).await?;
                return Ok(Reply::Stream(reader));
            }
            Request::ThreadsCancel(params) => self.cancel(&context, params).await?,
            Request::ThreadsGetById(params) => {
                self.load_thread(&context, &params.thread_id).await?
            }
            Request::ThreadsList(params) => self.list_threads(&context, params).await?,
            Request::ThreadsSearch(params) => self.search_threads(&context, params).await?,
            Request::ThreadsUpdate(params) => {
                self.rename_thread(&context, &params.thread_id, &params.title)
                    .await?
            }
            Request::ThreadsDelete(params) => {
                self.delete_thread(&context.owner, &params.thread_id)
                    .await?;
                Answer::Done {}
            }
            Request::ItemsList(params) => self.list_items(&context, params).await?,
            Request::ItemsFeedback(params) => self.judge_items(&context, params).await?,
            Request::ThreadsAddClientToolOutput(params) => {
                let reader = self
                    .add_client_tool_output(context, params, following)
                    .await?;
                return Ok(Reply::Stream(reader));
            }
            Request::ThreadsAddStructuredInput(params) => {
                let reader = self
                    .add_structured_input(context, params, following)
                    .await?;
                return Ok(Reply::Stream(reader));
            }
            Request::ThreadsCustomAction(params) => {
                let reader = self.custom_action(context, params, following).await?;
                return Ok(Reply::Stream(reader));
            }
            Request::ThreadsSyncCustomAction(params) => {
                self.sync_custom_action(context, params).await?
            }
            Request::AttachmentsCreate(params) => {
                let attachment = self.announce_attachment(&context, params).await?;
                Answer::Attachment(Box::new(attachment))
            }
            Request::AttachmentsDelete(params) => {
                self.discard_attachment(&context.owner, &params.attachment_id)
                    .await?;
                Answer::Done {}
            }
            Request::InputTranscribe(params) => self.transcribe(&context, params).await?,
        };
        Ok(Reply::Json(answer))
    }

    /// Has somebody write down what was said.
    async fn transcribe(
        &self,
        context: &RequestContext,
        params: InputTranscribe,
    ) -> Result<Answer, Error> {
        let workflow = self.workflow_of(context)?;
        let transcriber = workflow.transcriber.as_ref().ok_or(Error::Unsupported(
            "dictation is not set up for this chat; name a `transcription` model in the workflow, or an agent that does it",
        ))?;
        let InputTranscribe {
            audio_base64,
            mime_type,
        } = params;
        let speech = Speech {
            audio_base64,
            mime_type,
        };
        let text = transcriber.transcribe(context, speech).await?;
        Ok(Answer::Transcribed(text))
    }
}

/// Refuses a request that says more than its caller may.
fn check_said(context: &RequestContext, request: &Request) -> Result<(), Error> {
    match context.limits.said_bytes(request) {
        Some(most) if request.said_bytes() > most => Err(Error::Invalid {
            message: Words::MessageTooLong { limit: most as u64 }.into(),
            param: Some(request.said_at().to_owned()),
        }),
        _ => Ok(()),
    }
}
