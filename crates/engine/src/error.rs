//! Why the engine could not do what was asked, by what the caller can do about it.

use crate::ports::{AgentError, FilesError, Interrupted, StoreError, size_in_words};

/// One error for the whole crate. The text of every variant but `Storage` and `Internal` may be shown to the
/// person who asked: it says what to do next and holds nothing of anybody else.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thread, item or attachment is not there for this owner.
    #[error("this conversation or message does not exist; start a new chat or reload the list")]
    NotFound,
    /// The request cannot be carried out as it is. `param` names the field, where there is one.
    #[error("{message}")]
    Invalid {
        /// A sentence for the person who sent it.
        message: String,
        /// The field that is at fault, as a dotted path.
        param: Option<String>,
    },
    /// The request does not fit what the thread is doing (locked, closed, an item that is not
    /// pending any more).
    #[error("{0}")]
    Conflict(String),
    /// A message came while another one is answered, and may not wait.
    #[error("{0}")]
    ThreadBusy(String),
    /// There is nothing to follow.
    #[error(
        "no answer is running here that could be followed from there; load the conversation to see what it says"
    )]
    NoRun,
    /// The message does not wait for its turn.
    #[error(
        "this message does not wait any more: it is being answered, or was taken back; load the conversation to see it"
    )]
    NotQueued,
    /// A client used its name for a request (`Idempotency-Key`) for another one.
    #[error(
        "this Idempotency-Key was used for another request; send each request under a key of its own"
    )]
    KeyReused,
    /// The same request was sent at the same moment.
    #[error("the same request is being carried out already; send it again in a moment")]
    KeyTaken,
    /// The workflow of the credential or the request is not configured.
    #[error(
        "workflow with id '{id}'{} not found; name one that is configured and open to you",
        of_version(.version.as_deref())
    )]
    UnknownWorkflow {
        /// Its id.
        id: String,
        /// The version that it does not have, when it has others.
        version: Option<String>,
    },
    /// The protocol knows this request, and nothing is configured here that could serve it.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The tool that an action is mapped to did not do it.
    #[error("this did not work; try again, or ask for it in a message")]
    ActionFailed,
    /// The application's agent, or whatever writes down speech, did not do what it was asked.
    #[error("{}", of_agent(.0))]
    Agent(#[source] AgentError),
    /// Files cannot be sent here. The text is the hosted API's.
    #[error("File uploads are disabled for this session.")]
    UploadsDisabled,
    /// A file was not taken.
    #[error(transparent)]
    Upload(Interrupted),
    /// There is no space for a file, or there were too many.
    #[error("{0}")]
    UploadQuota(String),
    /// The file is not there for this owner.
    #[error("this file does not exist (any more); attach it again")]
    NoSuchFile,
    /// The store cannot take it now.
    #[error("the store is busy; try again in a moment")]
    Busy(#[source] StoreError),
    /// The storage of files is out of order.
    #[error("an internal error occurred")]
    Storage(#[source] FilesError),
    /// A defect, or a broken store.
    #[error("an internal error occurred")]
    Internal(#[source] StoreError),
    /// The person's conversations take all the room that one person may have.
    #[error(
        "your conversations take more than the {} you may keep here; delete some of them, then send this again",
        size_in_words(*.limit)
    )]
    MessageQuota {
        /// Most bytes.
        limit: u64,
    },
    /// Neither messages nor files can be kept, until the operator makes room.
    #[error(
        "the server's storage is full, so nothing can be saved; tell whoever runs this chat, and try again later"
    )]
    StorageFull(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database was taken away under the running server.
    #[error(
        "the server has lost its database, so nothing can be saved; tell whoever runs this chat, and try again later"
    )]
    StorageLost(#[source] StoreError),
}

impl From<AgentError> for Error {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Invalid(message) => Self::Invalid {
                message,
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
            StoreError::Fenced => Self::ThreadBusy(
                "another answer has begun in this conversation; load it to see how it goes on"
                    .to_owned(),
            ),
            StoreError::Exists => Self::KeyTaken,
            StoreError::Busy(_) => Self::Busy(error),
            StoreError::Internal(_) => Self::Internal(error),
            StoreError::Full(_) => Self::StorageFull(Box::new(error)),
            StoreError::Lost(_) => Self::StorageLost(error),
        }
    }
}

fn of_agent(error: &AgentError) -> &'static str {
    match error {
        AgentError::Unavailable(_) | AgentError::Invalid(_) => {
            "the assistant cannot be reached at the moment; try again in a little while"
        }
        AgentError::TimedOut => "the assistant did not answer in time; try again in a little while",
        AgentError::Refused(_) | AgentError::Malformed(_) => {
            "the assistant does not do this, or not in a way that can be understood; tell whoever runs this chat"
        }
    }
}

fn of_version(version: Option<&str>) -> String {
    version.map_or_else(String::new, |version| format!(" and version '{version}'"))
}
