//! The engine's front: one request in, one reply out.

use protocol::{Request, ThreadId};

use crate::{
    context::RequestContext,
    engine::{Answer, Engine, Reply},
    error::Error,
    runs::Following,
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
            Request::ItemsFeedback(params) => self.judge_items(&context.owner, params).await?,
            // Known to the protocol, served by a later version. Whose thread it is comes first, so
            // that the answer never tells whether another's thread exists.
            Request::ThreadsAddClientToolOutput(params) => {
                self.not_yet(
                    &context,
                    &params.thread_id,
                    "threads.add_client_tool_output",
                )
                .await?
            }
            Request::ThreadsAddStructuredInput(params) => {
                self.store
                    .item(&context.owner, &params.thread_id, &params.item_id)
                    .await?;
                return Err(Error::Unsupported("threads.add_structured_input"));
            }
            Request::ThreadsCustomAction(params) => {
                self.not_yet(&context, &params.thread_id, "threads.custom_action")
                    .await?
            }
            Request::ThreadsSyncCustomAction(params) => {
                self.not_yet(&context, &params.thread_id, "threads.sync_custom_action")
                    .await?
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
            Request::InputTranscribe(_) => return Err(Error::Unsupported("input.transcribe")),
        };
        Ok(Reply::Json(answer))
    }

    async fn not_yet(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        name: &'static str,
    ) -> Result<Answer, Error> {
        self.store.thread(&context.owner, thread).await?;
        Err(Error::Unsupported(name))
    }
}
