//! What the server says to a person: every sentence by its id, in each language that we speak.
//!
//! An id is a variant of [`Words`], and a language is a function over all of them: a sentence that is missing, or that
//! forgets a parameter, does not compile. (Fluent and its like check that at run time, and bring a parser.)
//!
//! In English stays what no person reads: what a model is told, what the log says, what a page's developer got wrong
//! ([`Message::AsItIs`]), and refusals of credentials, which the page answers by getting another one.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod ja;
mod pt;
mod zh;

use std::{borrow::Cow, fmt, time::Duration};

/// A language that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    German,
    French,
    Spanish,
    Portuguese,
    Japanese,
    /// In simplified characters.
    Chinese,
    Arabic,
}

impl Language {
    /// What somebody with this BCP 47 tag reads best of what we speak: their language in whatever form we have it, or
    /// English.
    pub fn of(tag: Option<&str>) -> Self {
        const SPOKEN: [(&str, Language); 7] = [
            ("de", Language::German),
            ("fr", Language::French),
            ("es", Language::Spanish),
            ("pt", Language::Portuguese),
            ("ja", Language::Japanese),
            ("zh", Language::Chinese),
            ("ar", Language::Arabic),
        ];
        let wanted = tag.and_then(|tag| tag.split('-').next()).unwrap_or("en");
        SPOKEN
            .into_iter()
            .find(|(code, _)| wanted.eq_ignore_ascii_case(code))
            .map_or(Self::English, |(_, language)| language)
    }
}

/// Something that is said to whoever called.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A sentence of ours for a person.
    Ours(Words),
    /// What stays as it is: words of an application or an operator, and what tells a page's developer what to change.
    AsItIs(Cow<'static, str>),
}

impl Message {
    /// The sentence in this language, where it is ours.
    pub fn text(&self, language: Language) -> Cow<'_, str> {
        match self {
            Self::Ours(words) => words.text(language),
            Self::AsItIs(text) => Cow::Borrowed(text),
        }
    }
}

impl From<Words> for Message {
    fn from(words: Words) -> Self {
        Self::Ours(words)
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::AsItIs(Cow::Borrowed(text))
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::AsItIs(Cow::Owned(text))
    }
}

/// In English, for the log and for callers of whom no language is known.
impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(Language::English))
    }
}

/// Declares the ids with their parameters, each with a value that tests say it with.
macro_rules! catalogue {
    ($($(#[$about:meta])* $id:ident $({ $($parameter:ident: $kind:ty = $sample:expr),+ })?,)+) => {
        /// A sentence, or a word on a button, for a person. How it reads is in `words/en.rs`, and in its other forms
        /// beside it.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Words {
            $($(#[$about])* $id $({ $($parameter: $kind),+ })?,)+
        }

        #[cfg(test)]
        impl Words {
            fn samples() -> Vec<Self> {
                vec![$(Self::$id $({ $($parameter: $sample),+ })?),+]
            }
        }
    };
}

catalogue! {
    // How an answer ends before it is whole.
    Stopped,
    StoppedBeforeItBegan,
    Abandoned,
    Superseded,
    SupersededBeforeItBegan,
    Restarting,
    /// The message waits in the store.
    RestartingWhileWaiting,
    SessionEnded,
    ConversationDeleted,
    TakenBack,
    Unanswered,
    AnsweredElsewhere,
    LostFromQueue,
    BrokenOff,
    EmptyAnswer,
    /// All that the model may write went into thinking.
    NoRoomToAnswer,
    /// There is no text.
    ToolsUsedUp,
    /// There is text.
    EndedByToolLimit,
    CutOff,
    TooLongAnswer,
    TooSlowAnswer,
    NotSaved,
    NotSavedForWantOfSpace,
    /// Said in the stream of the answer before it.
    AnotherAnswerHasBegun,
    ModelUnavailable,
    ModelOverloaded,
    ModelMisconfigured,
    ModelDeclined,
    ModelTimedOut,
    ConversationTooLong,
    AgentSilent,
    AgentUnavailable,
    AgentRefused,
    AgentTimedOut,

    // What goes on.
    Waiting,
    UsedTools { names: Vec<String> = vec!["find".to_owned(), "read".to_owned()], more: usize = 7 },
    Took { time: Duration = Duration::from_millis(2_500) },
    FailedAfter { time: Duration = Duration::from_millis(2_500) },
    WebSearch,
    FileSearch,
    CodeInterpreter,
    ImageGeneration,

    // Consent to a tool.
    RunTool { name: String = "delete_file".to_owned() },
    Allow,
    Refuse,
    Allowed,
    Refused,

    // What a tool asks the person.
    ServerAsks { server: String = "github".to_owned() },
    NoPasswords,
    Agree,
    Yes,
    No,
    Required,
    DefaultIs { value: String = "main".to_owned() },
    DoesNotFit { answer: String = "x".to_owned() },
    ExpectEmail,
    ExpectUri,
    ExpectDate,
    ExpectDateTime,
    ExpectNumber,
    ExpectWholeNumber,
    ExpectChoice,
    AtLeast { least: String = "17".to_owned() },
    AtMost { most: String = "18".to_owned() },
    CharactersAtLeast { count: usize = 19 },
    CharactersAtMost { count: usize = 19 },
    ChoicesAtLeast { count: usize = 19 },
    ChoicesAtMost { count: usize = 19 },
    ToolStoppedWaiting,

    // Why something cannot be done.
    NotFound,
    NoRun,
    NotQueued,
    RequestInProgress,
    AssistantUnavailable,
    AssistantTimedOut,
    AssistantUnable,
    StoreBusy,
    /// Said in a stream.
    InternalError,
    /// Said outside of a stream; its answer has an `x-request-id`.
    ServerError,
    StorageFull,
    StorageLost,
    /// As the credentials' store says it.
    NoRoomForSession,
    NoDatabaseForSession,
    MessagesTakeAllRoom { limit: u64 = 26_214_400 },
    StillAnswering,
    /// Said to a request that comes too late.
    AnsweredByAnother,
    TooManyWaiting { most: u32 = 8 },
    Locked { reason: Option<String> = Some("audit".to_owned()) },
    Closed { reason: Option<String> = None },
    EmptyMessage,
    MessageTooLong { limit: u64 = 2_048 },
    TitleLength { most: usize = 200 },
    NothingToSearchFor,
    NoToolWaits,
    DecidedAlready,
    FormAnsweredAlready,
    ActionFailed,
    ActionIncomplete,

    // Files.
    UploadsDisabled,
    FileTypeRefused,
    FileTooLarge { limit: u64 = 1_610_612_736 },
    FileTooSlow,
    FileBrokenOff,
    FilesTakeAllRoom { limit: u64 = 900 },
    TooManySessionFiles { most: u32 = 12 },
    TooManyUnsentFiles { most: u32 = 13 },
    TooManyFiles { most: usize = 14 },
    NoSuchFile,
    FileSentAlready,
    FileIsPartOfMessage,
    FileOfMessageIsGone,
    FileOfMessageIsUsed,
    /// One that a model has drawn.
    PictureNotKept,

    // Limits.
    BodyTooSlow,
    TooManyOpenRequests,
    TooManyRequests,
    TooManySessions,
    TooManyAnswersForPerson,
    TooManyAnswersForAddress,
    TooManyAnswersInAll,
    TooManyMessages,
    SessionMessagesPerMinute { most: u32 = 15 },
    TooManyVisitorsOfAddress,
    TooManyVisitorsOfChat,
    TooManyMessagesOfVisitor,
    TooManyMessagesOfAddress,
    TooManyMessagesOfChat,

    // Who may come in.
    NotSignedIn,
    AssistantNotOpen,
    SignInUnchecked { seconds: u64 = 16 },
}

impl Words {
    /// The sentence in this language.
    pub fn text(&self, language: Language) -> Cow<'static, str> {
        match language {
            Language::English => en::say(self),
            Language::German => de::say(self),
            Language::French => fr::say(self),
            Language::Spanish => es::say(self),
            Language::Portuguese => pt::say(self),
            Language::Japanese => ja::say(self),
            Language::Chinese => zh::say(self),
            Language::Arabic => ar::say(self),
        }
    }
}

/// In English.
impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(Language::English))
    }
}

/// How a language writes numbers. Digits are the same in all of them.
struct Numbers {
    point: &'static str,
    bytes: &'static str,
    /// Thousands of bytes, and so on, in steps of 1024.
    units: [&'static str; 4],
}

impl Numbers {
    /// With one digit behind the point, and no unit.
    fn seconds(&self, time: Duration) -> String {
        format!("{:.1}", time.as_secs_f64()).replace('.', self.point)
    }

    /// A number of bytes as people say it: "25 MB", "1.5 GB". Rounded down, so that nobody is promised more than there
    /// is.
    fn size(&self, bytes: u64) -> String {
        const STEP: u64 = 1024;
        let mut unit = STEP;
        for name in self.units {
            let (whole, tenths) = (bytes / unit, bytes % unit * 10 / unit);
            match (whole, tenths) {
                (0, _) => break,
                (STEP.., _) => unit *= STEP,
                (whole, 0) => return format!("{whole} {name}"),
                (whole, tenths) => return format!("{whole}{}{tenths} {name}", self.point),
            }
        }
        format!("{bytes} {}", self.bytes)
    }
}

#[cfg(test)]
mod tests;
