//! How a turn ends before its answer is whole: what the person reads, and what the model is told the next time.

use protocol::{
    Event,
    event::{ErrorCode, ErrorEvent, NoticeEvent, NoticeLevel},
};

use super::Effect;
use crate::ports::{AgentError, ModelError, StoreError};

/// What the model is told of an answer that failed half-way.
pub(super) const FAILED_NOTE: &str =
    "The answer above broke off because of a failure; it is not complete.";

/// Why somebody or something ended a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The user pressed Stop, or closed a page that knows no other way to say so.
    Stopped,
    /// Nobody has come back for it.
    Abandoned,
    /// A newer message, or another answer to the same one, takes its place.
    Interrupted,
    /// The server shuts down.
    Shutdown,
    /// The credential that began it was revoked.
    Revoked,
    /// The thread was deleted.
    Deleted,
}

impl Why {
    /// What the model is told the next time.
    pub(super) const fn note(self) -> &'static str {
        match self {
            Self::Stopped => {
                "The user stopped the answer above. Do not continue it unless asked to."
            }
            Self::Abandoned => {
                "The user left before the answer above was complete. Do not continue it unless asked to."
            }
            Self::Interrupted => {
                "The user sent another message before the answer above was complete. Answer that one."
            }
            Self::Shutdown | Self::Revoked | Self::Deleted => {
                "The answer above was cut off by the server; the user did not stop it."
            }
        }
    }

    /// The last event of a message that waited for its turn.
    pub(crate) fn words_of_waiting(self) -> Event {
        match self {
            Self::Shutdown => error(
                "The server is being restarted. Your message is kept, and answered when you come back.",
                false,
            ),
            _ => self.words(false),
        }
    }

    /// The last event of the stream.
    pub(crate) fn words(self, has_text: bool) -> Event {
        match (self, has_text) {
            (Self::Stopped, true) => notice("You stopped the answer. What came so far is kept."),
            (Self::Stopped, false) => {
                notice("You stopped the answer before it began. Ask again whenever you like.")
            }
            (Self::Abandoned, _) => notice(
                "The answer was ended because nobody was waiting for it. What came so far is kept.",
            ),
            (Self::Interrupted, true) => {
                notice("A newer message took the place of this answer. What came so far is kept.")
            }
            (Self::Interrupted, false) => {
                notice("A newer message took the place of this answer before it began.")
            }
            (Self::Shutdown, _) => error(
                "The server is being restarted. What came so far is kept; try again in a moment.",
                true,
            ),
            (Self::Revoked, _) => error(
                "this chat session was ended; reload the page to start a new one",
                false,
            ),
            (Self::Deleted, _) => error("This conversation was deleted.", false),
        }
    }
}

/// The last event of a message that was taken back.
pub(crate) fn taken_back() -> Event {
    notice("The message was taken back.")
}

/// The last event of a stream whose answer ended before anything of it was kept.
pub(crate) fn unanswered() -> Event {
    error(
        "The answer was interrupted before it began. Ask again whenever you like.",
        true,
    )
}

/// The last event for a reader who came too late for the run that took up the message.
pub(crate) fn read_elsewhere() -> Event {
    notice("The answer has ended. Reload the conversation to see it.")
}

/// The last event of a message of which nobody can say what became of it.
pub(crate) fn lost_from_queue() -> Event {
    notice("This message does not wait here any more. Reload the conversation to see where it is.")
}

fn notice(message: &str) -> Event {
    Event::Notice(NoticeEvent {
        level: NoticeLevel::Info,
        message: message.to_owned(),
        title: None,
    })
}

fn error(message: &str, allow_retry: bool) -> Event {
    Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some(message.to_owned()),
        allow_retry,
    })
}

/// Why something could not be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSaved {
    /// There is no room left.
    StorageFull,
    /// The thread is gone.
    Deleted,
    /// A newer run has the thread.
    Fenced,
    /// Anything else.
    Failed,
}

impl From<&StoreError> for NotSaved {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::StorageFull,
            StoreError::NotFound => Self::Deleted,
            StoreError::Fenced => Self::Fenced,
            StoreError::Busy(_)
            | StoreError::Internal(_)
            | StoreError::Lost(_)
            | StoreError::Exists => Self::Failed,
        }
    }
}

/// What the user reads when a turn fails: what happened, and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    message: &'static str,
    allow_retry: bool,
}

impl Failure {
    pub(super) const BROKEN_OFF: Self = Self {
        message: "The answer broke off. What came so far is kept; try again.",
        allow_retry: true,
    };
    pub(super) const EMPTY: Self = Self {
        message: "The model gave an empty answer. Try again, or put the question differently.",
        allow_retry: true,
    };
    /// Models that think before they write can use up all they may write by thinking.
    pub(super) const NO_ROOM: Self = Self {
        message: "The model reached its length limit before it could answer. Put the question more \
                  narrowly, or ask for one part of it.",
        allow_retry: false,
    };
    /// Trying again would do once more what the tools have done.
    pub(super) const NO_ROUNDS: Self = Self {
        message: "The model has used its tools as often as it may in one answer, without coming to an \
                  end. What was done so far is kept; ask to go on, or for less at once.",
        allow_retry: false,
    };
    pub(super) const TOO_LONG: Self = Self {
        message: "The answer has grown longer than it may. What came so far is kept.",
        allow_retry: false,
    };
    pub(super) const SILENT_AGENT: Self = Self {
        message: "The assistant gave no answer. Try again, or put the question differently.",
        allow_retry: true,
    };
    pub(super) const TOO_SLOW: Self = Self {
        message: "The answer took longer than it may. What came so far is kept; try again.",
        allow_retry: true,
    };
    const NOT_SAVED: Self = Self {
        message: "The answer could not be saved. Copy what you need, and try again in a moment.",
        allow_retry: true,
    };
    const STORAGE_FULL: Self = Self {
        message: "The answer could not be saved: the server's storage is full. Copy what you need, and tell whoever runs this chat.",
        allow_retry: false,
    };
    const DELETED: Self = Self {
        message: "This conversation was deleted.",
        allow_retry: false,
    };
    const FENCED: Self = Self {
        message: "Another answer has begun in this conversation. Reload it to see how it goes on.",
        allow_retry: false,
    };

    pub(super) fn event(&self) -> Effect {
        Effect::Emit(error(self.message, self.allow_retry))
    }
}

impl From<NotSaved> for Failure {
    fn from(why: NotSaved) -> Self {
        match why {
            NotSaved::StorageFull => Self::STORAGE_FULL,
            NotSaved::Deleted => Self::DELETED,
            NotSaved::Fenced => Self::FENCED,
            NotSaved::Failed => Self::NOT_SAVED,
        }
    }
}

impl From<&AgentError> for Failure {
    fn from(error: &AgentError) -> Self {
        let (message, allow_retry) = match error {
            AgentError::Unavailable(_) => (
                "The assistant cannot be reached at the moment. Try again in a little while.",
                true,
            ),
            AgentError::Refused(_) | AgentError::Invalid(_) => (
                "The assistant refused this server's request. Please tell whoever runs this chat.",
                false,
            ),
            AgentError::TimedOut => (
                "The assistant did not answer in time. What came so far is kept; try again.",
                true,
            ),
            AgentError::Malformed(_) => return Self::BROKEN_OFF,
        };
        Self {
            message,
            allow_retry,
        }
    }
}

impl From<&ModelError> for Failure {
    fn from(error: &ModelError) -> Self {
        let (message, allow_retry) = match error {
            ModelError::Unavailable(_) => (
                "The model cannot be reached at the moment. Try again in a little while.",
                true,
            ),
            ModelError::RateLimited(_) => (
                "The model is receiving too many requests. Wait a minute, then try again.",
                true,
            ),
            ModelError::Misconfigured(_) => (
                "The model refused this server's configuration. Please tell whoever runs this chat.",
                false,
            ),
            ModelError::TooLong(_) => (
                "This conversation has grown too long for the model. Start a new chat to go on.",
                false,
            ),
            ModelError::Declined(_) => (
                "The model declined to answer this. Put the question differently.",
                false,
            ),
            ModelError::TimedOut => (
                "The model did not answer in time. What came so far is kept; try again.",
                true,
            ),
            ModelError::Malformed(_) => return Self::BROKEN_OFF,
        };
        Self {
            message,
            allow_retry,
        }
    }
}
