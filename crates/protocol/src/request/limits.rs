//! How much one request may hold.

use crate::error::RequestError;
use crate::item::{InferenceOptions, StructuredAnswer, UserContent};
use crate::request::{
    Request, RequestKind, StructuredInputSubmission, ThreadsAddUserMessage, ThreadsCreate,
    UserMessageInput,
};

/// How much one request may hold. Lengths are in bytes of UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole body, except of `input.transcribe`.
    pub request_bytes: usize,
    /// The whole body of `input.transcribe`; base64 makes audio a third larger.
    pub audio_request_bytes: usize,
    pub depth: usize,
    /// What one request [says](Request::said_bytes).
    pub message_bytes: usize,
    pub content_parts: usize,
    pub attachments: usize,
    /// Answers of one submission, values of one answer, and items of one feedback.
    pub entries: usize,
    /// Titles, names, media types and the like.
    pub name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 2 << 20,
            audio_request_bytes: 34 << 20,
            depth: 64,
            message_bytes: 256 << 10,
            content_parts: 256,
            attachments: 32,
            entries: 256,
            name_bytes: 1024,
        }
    }
}

impl Limits {
    /// The most bytes that the body of a request may have.
    pub const fn bytes_of(&self, kind: RequestKind) -> usize {
        match kind {
            RequestKind::InputTranscribe => self.audio_request_bytes,
            _ => self.request_bytes,
        }
    }

    /// Checks what can only be checked once the request is read.
    pub(super) fn check(&self, request: &Request) -> Result<(), RequestError> {
        // What a tool of the page answers is as long as the body may be.
        if !matches!(request, Request::ThreadsAddClientToolOutput(_)) {
            no_longer(request.said_at(), request.said_bytes(), self.message_bytes)?;
        }
        match request {
            Request::ThreadsCreate(ThreadsCreate { input })
            | Request::ThreadsAddUserMessage(ThreadsAddUserMessage { input, .. }) => {
                self.check_message(input)
            }
            Request::ThreadsAddStructuredInput(params) => self.check_submission(&params.input),
            Request::ThreadsCustomAction(params) | Request::ThreadsSyncCustomAction(params) => {
                self.check_name("params.action.type", &params.action.name)
            }
            Request::ThreadsUpdate(params) => self.check_name("params.title", &params.title),
            Request::ThreadsSearch(params) => self.check_name("params.query", &params.query),
            Request::ItemsFeedback(params) => {
                at_most("params.item_ids", params.item_ids.len(), self.entries)
            }
            Request::AttachmentsCreate(params) => {
                self.check_name("params.name", &params.name)?;
                self.check_name("params.mime_type", &params.mime_type)
            }
            Request::InputTranscribe(params) => {
                self.check_name("params.mime_type", &params.mime_type)
            }
            Request::ThreadsAddClientToolOutput(_)
            | Request::ThreadsRetryAfterItem(_)
            | Request::ThreadsResume(_)
            | Request::ThreadsCancel(_)
            | Request::ThreadsGetById(_)
            | Request::ThreadsList(_)
            | Request::ThreadsDelete(_)
            | Request::ItemsList(_)
            | Request::AttachmentsDelete(_) => Ok(()),
        }
    }

    fn check_message(&self, input: &UserMessageInput) -> Result<(), RequestError> {
        at_most(
            "params.input.content",
            input.content.len(),
            self.content_parts,
        )?;
        at_most(
            "params.input.attachments",
            input.attachments.len(),
            self.attachments,
        )?;
        for part in &input.content {
            if let UserContent::Tag(tag) = part {
                self.check_name("params.input.content", &tag.id)?;
            }
        }
        let InferenceOptions { tool_choice, model } = &input.inference_options;
        if let Some(tool) = tool_choice {
            self.check_name("params.input.inference_options.tool_choice.id", &tool.id)?;
        }
        if let Some(model) = model {
            self.check_name("params.input.inference_options.model", model)?;
        }
        Ok(())
    }

    fn check_submission(&self, input: &StructuredInputSubmission) -> Result<(), RequestError> {
        at_most("params.input.answers", input.answers.len(), self.entries)?;
        for StructuredAnswer { values, .. } in input.answers.values() {
            at_most("params.input.answers", values.len(), self.entries)?;
        }
        Ok(())
    }

    fn check_name(&self, path: &str, name: &str) -> Result<(), RequestError> {
        no_longer(path, name.len(), self.name_bytes)
    }
}

fn at_most(path: &str, entries: usize, limit: usize) -> Result<(), RequestError> {
    if entries > limit {
        return Err(RequestError::TooMany {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(())
}

fn no_longer(path: &str, bytes: usize, limit: usize) -> Result<(), RequestError> {
    if bytes > limit {
        return Err(RequestError::TooLong {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(())
}
