//! How a turn ends before its answer is whole: what the person reads, and what the model is told the next time.

use protocol::{
    Event,
    event::{ErrorCode, ErrorEvent, NoticeEvent, NoticeLevel},
};

use super::Effect;
use crate::{
    ports::{AgentError, ModelError, StoreError},
    words::{Language, Words},
};

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
    pub(crate) fn words_of_waiting(self, language: Language) -> Event {
        match self {
            Self::Shutdown => error(&Words::RestartingWhileWaiting, false, language),
            _ => self.words(false, language),
        }
    }

    /// The last event of the stream.
    pub(crate) fn words(self, has_text: bool, language: Language) -> Event {
        let words = match (self, has_text) {
            (Self::Stopped, true) => Words::Stopped,
            (Self::Stopped, false) => Words::StoppedBeforeItBegan,
            (Self::Abandoned, _) => Words::Abandoned,
            (Self::Interrupted, true) => Words::Superseded,
            (Self::Interrupted, false) => Words::SupersededBeforeItBegan,
            (Self::Shutdown, _) => return error(&Words::Restarting, true, language),
            (Self::Revoked, _) => return error(&Words::SessionEnded, false, language),
            (Self::Deleted, _) => return error(&Words::ConversationDeleted, false, language),
        };
        notice(NoticeLevel::Info, &words, language)
    }
}

/// The last event of a message that was taken back.
pub(crate) fn taken_back(language: Language) -> Event {
    notice(NoticeLevel::Info, &Words::TakenBack, language)
}

/// The last event of a stream whose answer ended before anything of it was kept.
pub(crate) fn unanswered(language: Language) -> Event {
    error(&Words::Unanswered, true, language)
}

/// The last event for a reader who came too late for the run that took up the message.
pub(crate) fn read_elsewhere(language: Language) -> Event {
    notice(NoticeLevel::Info, &Words::AnsweredElsewhere, language)
}

/// The last event of a message of which nobody can say what became of it.
pub(crate) fn lost_from_queue(language: Language) -> Event {
    notice(NoticeLevel::Info, &Words::LostFromQueue, language)
}

/// What a person should know of an answer that goes on or stands.
pub(super) fn notice(level: NoticeLevel, words: &Words, language: Language) -> Event {
    Event::Notice(NoticeEvent {
        level,
        message: words.text(language).into_owned(),
        title: None,
    })
}

fn error(words: &Words, allow_retry: bool, language: Language) -> Event {
    Event::Error(ErrorEvent {
        code: ErrorCode::Custom,
        message: Some(words.text(language).into_owned()),
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
            | StoreError::Elsewhere(_)
            | StoreError::Behind
            | StoreError::Exists => Self::Failed,
        }
    }
}

/// What the user reads when a turn fails: what happened, and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    words: Words,
    allow_retry: bool,
}

impl Failure {
    pub(super) const BROKEN_OFF: Self = Self::new(Words::BrokenOff, true);
    pub(super) const EMPTY: Self = Self::new(Words::EmptyAnswer, true);
    /// Models that think before they write can use up all they may write by thinking.
    pub(super) const NO_ROOM: Self = Self::new(Words::NoRoomToAnswer, false);
    /// Trying again would do once more what the tools have done.
    pub(super) const NO_ROUNDS: Self = Self::new(Words::ToolsUsedUp, false);
    pub(super) const TOO_LONG: Self = Self::new(Words::TooLongAnswer, false);
    pub(super) const SILENT_AGENT: Self = Self::new(Words::AgentSilent, true);
    pub(super) const TOO_SLOW: Self = Self::new(Words::TooSlowAnswer, true);

    const fn new(words: Words, allow_retry: bool) -> Self {
        Self { words, allow_retry }
    }

    pub(super) fn event(&self, language: Language) -> Effect {
        Effect::Emit(error(&self.words, self.allow_retry, language))
    }
}

impl From<NotSaved> for Failure {
    fn from(why: NotSaved) -> Self {
        match why {
            NotSaved::StorageFull => Self::new(Words::NotSavedForWantOfSpace, false),
            NotSaved::Deleted => Self::new(Words::ConversationDeleted, false),
            NotSaved::Fenced => Self::new(Words::AnotherAnswerHasBegun, false),
            NotSaved::Failed => Self::new(Words::NotSaved, true),
        }
    }
}

impl From<&AgentError> for Failure {
    fn from(error: &AgentError) -> Self {
        match error {
            AgentError::Unavailable(_) => Self::new(Words::AgentUnavailable, true),
            AgentError::Refused(_) | AgentError::Invalid(_) => {
                Self::new(Words::AgentRefused, false)
            }
            AgentError::TimedOut => Self::new(Words::AgentTimedOut, true),
            AgentError::Malformed(_) => Self::BROKEN_OFF,
        }
    }
}

impl From<&ModelError> for Failure {
    fn from(error: &ModelError) -> Self {
        match error {
            ModelError::Unavailable(_) => Self::new(Words::ModelUnavailable, true),
            ModelError::RateLimited(_) => Self::new(Words::ModelOverloaded, true),
            ModelError::Misconfigured(_) => Self::new(Words::ModelMisconfigured, false),
            ModelError::TooLong(_) => Self::new(Words::ConversationTooLong, false),
            ModelError::Declined(_) => Self::new(Words::ModelDeclined, false),
            ModelError::TimedOut => Self::new(Words::ModelTimedOut, true),
            ModelError::Malformed(_) => Self::BROKEN_OFF,
        }
    }
}
