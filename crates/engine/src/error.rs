//! Why the engine could not do what was asked, by what the caller can do about it.

use std::fmt;

use crate::{
    ports::{AgentError, FilesError, Interrupted, StoreError},
    words::{Language, Message, Words},
};

/// One error for the whole crate. What every variant but `Storage` and `Internal` says may be shown to the
/// person who asked: it says what to do next and holds nothing of anybody else.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thread, item or attachment is not there for this owner.
    NotFound,
    /// The request cannot be carried out as it is. `param` names the field, where there is one.
    Invalid {
        /// A sentence for the person who sent it.
        message: Message,
        /// The field that is at fault, as a dotted path.
        param: Option<String>,
    },
    /// The request does not fit what the thread is doing (locked, closed, an item that is not
    /// pending any more).
    Conflict(Words),
    /// A message came while another one is answered, and may not wait.
    ThreadBusy(Words),
    /// There is nothing to follow.
    NoRun,
    /// The message does not wait for its turn.
    NotQueued,
    /// A client used its name for a request (`Idempotency-Key`) for another one.
    KeyReused,
    /// The same request was sent at the same moment.
    KeyTaken,
    /// The workflow of the credential or the request is not configured.
    UnknownWorkflow {
        /// Its id.
        id: String,
        /// The version that it does not have, when it has others.
        version: Option<String>,
    },
    /// The protocol knows this request, and nothing is configured here that could serve it.
    Unsupported(&'static str),
    /// The tool that an action is mapped to did not do it.
    ActionFailed,
    /// The application's agent, or whatever writes down speech, did not do what it was asked.
    Agent(#[source] AgentError),
    /// Files cannot be sent here. The text is the hosted API's.
    UploadsDisabled,
    /// A file was not taken.
    Upload(Interrupted),
    /// There is no space for a file, or there were too many.
    UploadQuota(Words),
    /// The file is not there for this owner.
    NoSuchFile,
    /// The store cannot take it now.
    Busy(#[source] StoreError),
    /// The storage of files is out of order.
    Storage(#[source] FilesError),
    /// A defect, or a broken store.
    Internal(#[source] StoreError),
    /// The person's conversations take all the room that one person may have.
    MessageQuota {
        /// Most bytes.
        limit: u64,
    },
    /// Neither messages nor files can be kept, until the operator makes room.
    StorageFull(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database was taken away under the running server.
    StorageLost(#[source] StoreError),
}

impl Error {
    /// What the caller is told.
    pub fn message(&self) -> Message {
        let words = match self {
            Self::Invalid { message, .. } => return message.clone(),
            Self::UnknownWorkflow { id, version } => {
                let version = match version {
                    Some(version) => format!(" and version '{version}'"),
                    None => String::new(),
                };
                return format!(
                    "workflow with id '{id}'{version} not found; name one that is configured and open to you"
                )
                .into();
            }
            Self::KeyReused => {
                return "this Idempotency-Key was used for another request; send each request under a key of its own"
                    .into();
            }
            Self::Unsupported(text) => return (*text).into(),
            Self::Conflict(words) | Self::ThreadBusy(words) | Self::UploadQuota(words) => {
                words.clone()
            }
            Self::NotFound => Words::NotFound,
            Self::NoRun => Words::NoRun,
            Self::NotQueued => Words::NotQueued,
            Self::KeyTaken => Words::RequestInProgress,
            Self::Agent(AgentError::Unavailable(_) | AgentError::Invalid(_)) => {
                Words::AssistantUnavailable
            }
            Self::Agent(AgentError::TimedOut) => Words::AssistantTimedOut,
            Self::Agent(AgentError::Refused(_) | AgentError::Malformed(_)) => {
                Words::AssistantUnable
            }
            Self::UploadsDisabled => Words::UploadsDisabled,
            Self::Upload(reason) => reason.words(),
            Self::ActionFailed => Words::ActionFailed,
            Self::NoSuchFile => Words::NoSuchFile,
            Self::Busy(_) => Words::StoreBusy,
            Self::Storage(_) | Self::Internal(_) => Words::InternalError,
            Self::MessageQuota { limit } => Words::MessagesTakeAllRoom { limit: *limit },
            Self::StorageFull(_) => Words::StorageFull,
            Self::StorageLost(_) => Words::StorageLost,
        };
        words.into()
    }
}

/// In English, as the log has it.
impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message().text(Language::English))
    }
}

impl From<AgentError> for Error {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Invalid(message) => Self::Invalid {
                message: message.into(),
                param: None,
            },
            other => Self::Agent(other),
        }
    }
}

impl From<FilesError> for Error {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::NotFound => Self::NoSuchFile,
            FilesError::Interrupted(reason) => Self::Upload(reason),
            FilesError::Full(_) => Self::StorageFull(Box::new(error)),
            FilesError::Exists | FilesError::Internal(_) => Self::Storage(error),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Fenced => Self::ThreadBusy(Words::AnsweredByAnother),
            StoreError::Elsewhere(_) | StoreError::Behind => {
                Self::ThreadBusy(Words::StillAnswering)
            }
            StoreError::Exists => Self::KeyTaken,
            StoreError::Busy(_) => Self::Busy(error),
            StoreError::Internal(_) => Self::Internal(error),
            StoreError::Full(_) => Self::StorageFull(Box::new(error)),
            StoreError::Lost(_) => Self::StorageLost(error),
        }
    }
}
