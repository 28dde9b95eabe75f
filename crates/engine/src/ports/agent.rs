//! The port for agents of the application's own: they answer in place of a model, in ChatKit's vocabulary.

use std::pin::Pin;

use async_trait::async_trait;
use futures::Stream;
use protocol::{
    Event, ItemId, ThreadItem, ThreadMetadata, ThreadPatch,
    action::Action,
    request::{FeedbackKind, SyncCustomActionResponse, TranscriptionResult},
};

use crate::context::RequestContext;

/// What an agent is asked, with what it should know of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRequest {
    /// What it is asked.
    pub call: AgentCall,
    /// The thread, with the agent's own notes; `None` where there is none, as for speech.
    pub thread: Option<ThreadMetadata>,
    /// The newest items of the thread, oldest first, with the one that is to be answered.
    pub items: Vec<ThreadItem>,
}

/// What an agent is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentCall {
    /// Answer. The item is the person's message; absent where the page's tool or a form has answered.
    Respond {
        /// The message.
        item: Option<ThreadItem>,
    },
    /// Something that a widget or the page asks for; answered by events.
    Action {
        /// What it is. Its payload is the person's.
        action: Action,
        /// The widget; absent where the page acts.
        sender: Option<ThreadItem>,
    },
}

/// What an agent says.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// An event of ChatKit's.
    Said(Box<Event>),
    /// It changes the thread.
    Patch(ThreadPatch),
}

/// Why an agent did not answer, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Out of reach, overloaded or failing; trying again may help.
    #[error("the agent is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refused the call: the operator's to mend.
    #[error("the agent refused the call")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the person sent cannot be used; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// No word for longer than the time-out allows.
    #[error("the agent did not answer in time")]
    TimedOut,
    /// What it said cannot be read, or broke off.
    #[error("the agent's answer could not be read")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What an agent answers, as it comes. Dropping it closes the connection, which tells the agent to stop.
pub type AgentStream = Pin<Box<dyn Stream<Item = Result<AgentEvent, AgentError>> + Send>>;

/// An agent of the application's own.
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// Asks for events.
    async fn ask(
        &self,
        context: &RequestContext,
        request: AgentRequest,
    ) -> Result<AgentStream, AgentError>;

    /// Something that a widget or the page asks for, answered at once; the sender is the widget.
    async fn act(
        &self,
        context: &RequestContext,
        thread: ThreadMetadata,
        action: Action,
        sender: Option<ThreadItem>,
    ) -> Result<SyncCustomActionResponse, AgentError>;

    /// Tells what a person thinks of answers.
    async fn judge(
        &self,
        context: &RequestContext,
        thread: ThreadMetadata,
        items: Vec<ItemId>,
        kind: FeedbackKind,
    ) -> Result<(), AgentError>;
}

/// Something that writes down what people say: an agent, or a model that hears.
#[async_trait]
pub trait Transcriber: Send + Sync + 'static {
    /// Writes down what was said.
    async fn transcribe(
        &self,
        context: &RequestContext,
        speech: Speech,
    ) -> Result<TranscriptionResult, AgentError>;
}

/// A recording of somebody who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// The recording, in base64.
    pub audio_base64: String,
    /// Its media type, with parameters (`audio/webm;codecs=opus`).
    pub mime_type: String,
}
