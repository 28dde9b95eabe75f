//! The engine's only doors to the outside: where threads are kept, what answers, what acts.
//!
//! Each port is a trait object, so that the composition root (the `cli` crate) decides what stands
//! behind it and the turn can be tested without a network. Time and chance are ports too.

mod agent;
mod asking;
mod buckets;
mod change;
mod files;
mod parameters;
mod peers;

use std::{num::NonZeroU32, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use protocol::{
    AttachmentId, ItemId, JsonObject, Page, ThreadId, ThreadItem, ThreadMetadata, Timestamp,
    request::{FeedbackKind, Order},
};

use crate::{
    context::{Owner, Project, RequestContext},
    search::Wanted,
};

pub use agent::{
    Agent, AgentCall, AgentError, AgentEvent, AgentRequest, AgentStream, Speech, Transcriber,
};
pub use asking::{Asking, Choice, Field, FieldKind, PATIENCE, Reply, TextFormat, Waiting};
pub use buckets::{BucketRate, Buckets};
pub use change::{BeginRun, Change, Epoch, LastUse, RequestRecord, RunEnd, RunRecord, Standing};
pub use files::{
    Announced, AttachmentRecord, AttachmentStore, BytesIn, BytesOut, FileId, Files, FilesError,
    Interrupted, InvalidFileId, Kept, Links, Quota,
};
pub use parameters::Parameters;
pub use peers::{Done, Handed, Node, Peers, Taken, Word};

/// Which part of a list is wanted. `after` is the id of the last entry of the page before.
///
/// With both `after` and `before`: entries that follow the one and precede the other, beginning
/// behind `after`. With `before` alone: the entries right before it. Entries are always in `order`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// At most this many entries, 1 to [`PageQuery::MAX_LIMIT`]. A page also ends, with `has_more`, before it takes more
    /// than [`PageQuery::MAX_BYTES`]; it always has one entry, where there is one.
    pub limit: u32,
    /// Oldest first or newest first.
    pub order: Order,
    /// Entries that follow this one, in the given order. An unknown id gives [`StoreError::NotFound`]; but the id of a
    /// thread or an item that is gone still says where it stood, to the millisecond.
    pub after: Option<String>,
    /// Entries that precede this one, in the given order. Otherwise as `after`.
    pub before: Option<String>,
}

impl PageQuery {
    /// What the official SDK uses where the client names no limit.
    pub const DEFAULT_LIMIT: u32 = 20;
    /// The official element asks for 9,999 threads at once; it gets this many and `has_more`.
    pub const MAX_LIMIT: u32 = 100;
    /// How much a page may take in the store's own form: a hundred of the longest messages would be 25 MB.
    pub const MAX_BYTES: u64 = 4 << 20;

    /// Whether the page is the one right before a place: then more entries lie before it.
    pub const fn is_backwards(&self) -> bool {
        self.after.is_none() && self.before.is_some()
    }
}

/// How much of a thread is read at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// At most this many items.
    pub items: u32,
    /// At most this many bytes, in the form in which the store keeps them.
    pub bytes: u64,
}

/// The newest items of a thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Newest {
    /// The items, oldest first.
    pub items: Vec<ThreadItem>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// A thread in which what a person looked for was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The thread.
    pub thread: ThreadMetadata,
    /// What stands around the words, where they are in a message; `None` where they are in the title.
    pub excerpt: Option<String>,
}

/// How long a store looks for threads before it says how far it came.
pub const SEARCH_TIME: std::time::Duration = std::time::Duration::from_millis(250);
/// How long it looks through the first thread of a page at most, so that every page gets on; what is older there than it came
/// to is not found.
pub const THREAD_SEARCH_TIME: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thread or item *for this owner*; that it may exist for another must not show.
    #[error("not found")]
    NotFound,
    /// The store is locked or out of reach for now; the caller may try again.
    #[error("the store is busy")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else: a defect, or a broken database.
    #[error("the store failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The thread belongs to a newer run by now; nothing was written.
    #[error("a newer run has taken over the thread")]
    Fenced,
    /// A run that another process plays lives in the thread. Who wants to begin one waits for its end; nothing was written.
    #[error("another process answers in the thread")]
    Elsewhere(Box<RunRecord>),
    /// A message waits in the thread that came before this one, and is to be answered first; nothing was written.
    #[error("an earlier message waits in the thread")]
    Behind,
    /// The request was recorded before, or as many messages wait in the thread as may.
    #[error("already there")]
    Exists,
    /// There is no room left to write; the operator has to make some.
    #[error("the storage is full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database that was opened has been removed or replaced, so nothing that is written now would be found again.
    #[error("the database was removed or replaced while it was in use")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where conversations are kept. Every method takes the [`Owner`], and every query carries it:
/// a thread of another owner is [`StoreError::NotFound`], exactly as one that never was.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds a new thread and applies a first [`Change`] to it, in one transaction.
    async fn create_thread(
        &self,
        owner: &Owner,
        thread: &ThreadMetadata,
        change: &Change,
    ) -> Result<Epoch, StoreError>;

    /// One thread's own fields.
    async fn thread(&self, owner: &Owner, id: &ThreadId) -> Result<ThreadMetadata, StoreError>;

    /// The owner's threads by time of creation. Deep pages cost what the first one costs (keyset).
    async fn threads(
        &self,
        owner: &Owner,
        query: &PageQuery,
    ) -> Result<Page<ThreadMetadata>, StoreError>;

    /// The owner's threads whose title, or one of whose messages, holds all the words that are wanted; by time of
    /// creation, newest first. Of the query, `limit` and `after` count. A page ends early after [`SEARCH_TIME`]: then it
    /// has more, and its `after` is the thread that was looked through last, whatever was in it. It has one at least, which
    /// takes no longer than [`THREAD_SEARCH_TIME`]. Nobody else's reads wait, however many search: of too many, some are
    /// told that the store is [`Busy`](StoreError::Busy).
    async fn search(
        &self,
        owner: &Owner,
        wanted: &Wanted,
        query: &PageQuery,
    ) -> Result<Page<Match>, StoreError>;

    /// The threads of everybody in a project, with whose they are; otherwise as
    /// [`threads`](Self::threads).
    async fn threads_in(
        &self,
        project: &Project,
        query: &PageQuery,
    ) -> Result<Page<(Owner, ThreadMetadata)>, StoreError>;

    /// Whose thread of a project this is. The answer opens the thread for every other method.
    async fn owner_in(&self, project: &Project, thread: &ThreadId) -> Result<Owner, StoreError>;

    /// A thread's items in the order in which they were put.
    async fn items(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        query: &PageQuery,
    ) -> Result<Page<ThreadItem>, StoreError>;

    /// The newest items of a thread that fit into this room, oldest first; of those before `before`,
    /// where one is named. What does not fit is not read into memory, however long the thread is.
    async fn newest_items(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        before: Option<&ItemId>,
        room: Room,
    ) -> Result<Newest, StoreError>;

    /// One item.
    async fn item(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        item: &ItemId,
    ) -> Result<ThreadItem, StoreError>;

    /// Applies a [`Change`] to a thread, whole or not at all, and tells the thread's epoch afterwards.
    async fn apply(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        change: &Change,
    ) -> Result<Epoch, StoreError>;

    /// Puts a message at the end of the thread's queue, where fewer than `most` wait; else
    /// [`StoreError::Exists`], as for a request that is recorded already.
    async fn enqueue(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        message: &ThreadItem,
        request: Option<&RequestRecord>,
        most: u32,
    ) -> Result<(), StoreError>;

    /// Which run lives in the thread, and what waits for it.
    async fn standing(&self, owner: &Owner, thread: &ThreadId) -> Result<Standing, StoreError>;

    /// The owner's request of this key with the thread that it was about, where it is remembered.
    async fn request(
        &self,
        owner: &Owner,
        key: &str,
    ) -> Result<Option<(ThreadId, RequestRecord)>, StoreError>;

    /// Threads whose run lives as far as the store knows, and whose process has ended, at most this many. A store that
    /// cannot tell processes apart (see [`lease`](Self::lease)) is asked before anything runs.
    async fn left_behind(
        &self,
        limit: u32,
    ) -> Result<Vec<(Owner, ThreadId, RunRecord)>, StoreError>;

    /// How long a process may give no sign of life before it is taken to have ended; then
    /// [`left_behind`](Self::left_behind) is asked again and again, because others may end while this one runs. `None`
    /// where a process has its store to itself.
    fn lease(&self) -> Option<std::time::Duration> {
        None
    }

    /// Removes a thread with its items, its queue and feedback.
    async fn delete_thread(&self, owner: &Owner, thread: &ThreadId) -> Result<(), StoreError>;

    /// The same, unless a run has begun in the thread since then: [`StoreError::NotFound`].
    async fn delete_idle_thread(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        since: Timestamp,
    ) -> Result<(), StoreError>;

    /// Threads of everybody, with when they were used last, in the order of their numbers: the next ones follow after the
    /// last number.
    async fn last_uses(&self, after: i64, limit: u32) -> Result<Vec<LastUse>, StoreError>;

    /// Records a thumb for items; the last one counts. All items must be in the thread.
    async fn save_feedback(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        items: &[ItemId],
        kind: FeedbackKind,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Bytes of all the owner's messages, questions and answers. Costs one lookup, however many there are.
    async fn message_bytes(&self, owner: &Owner) -> Result<u64, StoreError>;

    /// Whether the store can keep something now. It really writes, to the database that was opened, whose tables must be
    /// those that this build works with; for whoever asks whether the server can do its work.
    async fn probe(&self) -> Result<(), StoreError>;
}

/// One thing said or done so far, as a model is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelInput {
    /// What the person wrote, and the files that came with it.
    User(UserInput),
    /// What the assistant answered.
    Assistant(String),
    /// A picture that the assistant has drawn.
    Drawn(ModelFile),
    /// What the application wants the model to know, not to obey: lower than instructions.
    Context(String),
    /// What the model thought before the calls that follow.
    Thought(Thought),
    /// A tool the model asked for.
    ToolCall(ToolCall),
    /// What the tool gave back for the call of this id.
    ToolOutput {
        /// The id of the [`ToolCall`].
        call_id: String,
        /// Text; an error is told as text too.
        output: String,
        /// What else there is to see or hear, in the turn that called the tool.
        files: Vec<ToolFile>,
    },
}

/// A file that a tool gave back, as a model is shown it. It is not kept with the thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolFile {
    /// What it is called.
    pub name: String,
    /// Media type; one that the bytes agree with.
    pub media_type: String,
    /// What is in it.
    pub content: FileContent,
}

impl ToolFile {
    /// How many bytes it takes.
    pub fn len(&self) -> usize {
        match &self.content {
            FileContent::Text(text) => text.len(),
            FileContent::Image(bytes) | FileContent::Pdf(bytes) | FileContent::Audio(bytes) => {
                bytes.len()
            }
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a person wrote, and the files that came with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserInput {
    /// The text; may be empty when there are files.
    pub text: String,
    /// Files, in the person's order.
    pub files: Vec<ModelFile>,
}

impl<T: Into<String>> From<T> for UserInput {
    /// A text without files.
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            files: Vec::new(),
        }
    }
}

/// A file as a model is told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Which one.
    pub id: AttachmentId,
    /// File name.
    pub name: String,
    /// Media type; for [`FileContent::Image`] and [`FileContent::Pdf`] one that the bytes agree with.
    pub media_type: String,
    /// Bytes, where that is known.
    pub size: Option<u64>,
    /// What is in it; `None` where the model is told its name only.
    pub content: Option<FileContent>,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// Text.
    Text(String),
    /// PNG, JPEG, GIF or `WebP`.
    Image(Bytes),
    /// A PDF document.
    Pdf(Bytes),
    /// WAV or MP3.
    Audio(Bytes),
}

/// What a model thought before it called tools, in a form that only its adapter reads. While a turn goes on it is
/// given back with the calls, because some providers demand it and others think anew without it. It is neither shown
/// nor kept with the thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thought(pub String);

/// A question for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRequest {
    /// The provider's name of the model.
    pub model: String,
    /// The operator's instructions. Nothing a user can influence goes in here.
    pub instructions: String,
    /// The conversation, oldest first.
    pub input: Vec<ModelInput>,
    /// Tools the model may ask for.
    pub tools: Vec<ToolSpec>,
    /// The tool the user picked in the composer, which the model must use.
    pub tool_choice: Option<String>,
    /// How many tokens the model may write, thoughts included; `None` leaves it to the provider.
    pub max_output_tokens: Option<NonZeroU32>,
    /// BCP 47 tag of the user's language, where known.
    pub locale: Option<String>,
    /// A stable name for the end user, for the provider's abuse checks; adapters send a hash of it.
    pub end_user: String,
    /// Whether the model may use tools that its provider runs by itself, at a price: not for a title.
    pub may_use_builtins: bool,
}

/// What a model says while it answers.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelEvent {
    /// More of the answer's text; never empty.
    TextDelta(String),
    /// More of a summary of what the model thinks; may never come. Parts of a summary are paragraphs, with a blank line
    /// between them.
    ReasoningDelta(String),
    /// A tag that ends a thought, where none had begun: the text since the last call, where it reads as one, was thought.
    ThoughtEnd(&'static str),
    /// A link the answer cites, at this character position of the answer so far.
    UrlCitation {
        /// Where it points.
        url: String,
        /// What it is called.
        title: String,
        /// Position in characters; `None` for the end of the text so far.
        index: Option<u32>,
    },
    /// A file the answer cites.
    FileCitation {
        /// The provider's id of it.
        file_id: String,
        /// What it is called.
        name: String,
        /// The provider's container that it lies in, for a file that the model has made itself.
        container_id: Option<String>,
        /// Position in characters; `None` for the end of the text so far.
        index: Option<u32>,
    },
    /// How far a tool is that the provider runs by itself.
    Builtin(BuiltinEvent),
    /// What the model wants to be told again with the calls that follow.
    Thought(Thought),
    /// A complete request for a tool.
    ToolCall(ToolCall),
    /// The end of the answer. A stream that ends without it was cut off.
    Completed {
        /// Whether the answer stopped at the length limit.
        is_truncated: bool,
        /// Tokens read and written, where the provider says so.
        usage: Option<Usage>,
    },
}

/// How far a tool of the provider's own is. Nobody asks for it and nobody has to answer: it is there to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltinEvent {
    /// The provider's id of the call, the same in all its events.
    pub id: String,
    /// How far it is. Some calls tell nothing but their end.
    pub state: BuiltinState,
    /// What is known of it; a later event of the same call knows as much or more, except of a picture, which comes once
    /// for each of its forms.
    pub work: BuiltinWork,
}

/// How far a tool of the provider's own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltinState {
    /// At work.
    Working,
    /// Ended well.
    Done,
    /// Failed; the model goes on by itself.
    Failed,
}

/// What a tool of the provider's own does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuiltinWork {
    /// Searches the web, opens a page, or looks for something in it.
    WebSearch {
        /// What is looked for.
        queries: Vec<String>,
        /// Pages that were found or opened.
        sources: Vec<WebSource>,
    },
    /// Searches files that the operator has put at the provider.
    FileSearch {
        /// What is looked for.
        queries: Vec<String>,
        /// Names of files in which something was found, each once.
        files: Vec<String>,
    },
    /// Writes a program and runs it.
    CodeInterpreter {
        /// The program; empty until it is written.
        code: String,
        /// What it printed, where the provider tells.
        logs: Vec<String>,
    },
    /// Draws.
    ImageGeneration {
        /// The picture, or what it looks like so far; none also where what came is no picture.
        image: Option<GeneratedImage>,
    },
}

/// A page of the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSource {
    /// Where it is.
    pub url: String,
    /// What it is called; often empty.
    pub title: String,
}

/// A picture that a model has drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedImage {
    /// The file.
    pub bytes: Bytes,
    /// Its media type, such as `image/png`.
    pub media_type: &'static str,
    /// Whether it is not finished.
    pub is_partial: bool,
}

/// Tokens as the provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// Why a model did not answer, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Out of reach, overloaded or failing; trying again may help.
    #[error("the model is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The provider's rate limit or quota.
    #[error("the model provider's rate limit was reached")]
    RateLimited(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The provider refused our key, or does not know the model: the operator's to mend.
    #[error("the model provider refused the configuration")]
    Misconfigured(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The conversation does not fit into the model.
    #[error("the conversation is too long for the model")]
    TooLong(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The provider declined to answer this content.
    #[error("the model declined to answer")]
    Declined(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No word for longer than the time-out allows.
    #[error("the model did not answer in time")]
    TimedOut,
    /// The answer was not what the API promises, or it broke off.
    #[error("the model's answer could not be read")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a model answers, as it comes. Dropping it closes the connection to the provider.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>;

/// Something that can answer: a provider, or the built-in `demo`.
#[async_trait]
pub trait Model: Send + Sync + 'static {
    /// Starts an answer. Fails before the first event where the provider refuses at once.
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError>;
}

/// A tool as the model is told about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Unique within one request, `[A-Za-z0-9_-]{1,64}`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// What it is called with.
    pub parameters: Parameters,
}

/// A model's request for a tool.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ToolCall {
    /// The provider's id of the call, given back with the output. Never used as an item's id.
    pub call_id: String,
    /// The [`ToolSpec`]'s name.
    pub name: String,
    /// JSON text as the model wrote it; it may be invalid.
    pub arguments: String,
}

/// Stands between what a tool says and the same as data, where it gives both.
pub const AS_DATA: &str = "[the answer as data:]";

/// What happens while a tool works.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolEvent {
    /// A line for the user about how far it is.
    Progress(String),
    /// The end. `is_error` is told to the model, never thrown at the user.
    Done {
        /// Text for the model, within the result limit.
        output: String,
        /// Whether the tool failed.
        is_error: bool,
        /// What else there is to see or hear; the text says so.
        files: Vec<ToolFile>,
    },
    /// The person has to allow this call first; nothing has run. It is the first and last thing said.
    NeedsApproval,
    /// The page runs this one, with these arguments. It is the first and last thing said.
    ForPage(JsonObject),
    /// The tool's server asks the person something. It is the last thing said; the call goes on with what they answer.
    Asks(Box<Asking>, Waiting),
}

impl ToolEvent {
    /// The end, with a text alone.
    pub fn done(output: impl Into<String>, is_error: bool) -> Self {
        Self::Done {
            output: output.into(),
            is_error,
            files: Vec::new(),
        }
    }
}

/// What a tool reports, as it comes; ends after [`ToolEvent::Done`] and what stands in its place. Dropping it cancels
/// the call.
pub type ToolStream = Pin<Box<dyn Stream<Item = ToolEvent> + Send>>;

/// Tools that act for a user. Every call carries who that is.
#[async_trait]
pub trait Tools: Send + Sync + 'static {
    /// The tools this user may use now. A server that is down is left out and logged, so that the
    /// conversation goes on without it.
    async fn list(&self, context: &RequestContext) -> Vec<ToolSpec>;

    /// Runs a tool. Failures of any kind (unknown name, bad arguments, time-out) are a
    /// [`ToolEvent::Done`] with `is_error`: the model is told, and can do something about it.
    ///
    /// A tool that takes the person's consent runs only where the call is approved; else [`ToolEvent::NeedsApproval`].
    async fn call(&self, context: &RequestContext, call: ToolCall, is_approved: bool)
    -> ToolStream;
}

/// Wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Fresh ids. They begin with the time, so that rows that come together lie together.
pub trait Ids: Send + Sync + 'static {
    /// 128 bits: 48 of Unix milliseconds, then random ones (UUID version 7 without its fixed bits
    /// will do). Never the same twice.
    fn next(&self) -> u128;
}

/// The time and a fresh number, for an item that begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) id: u128,
}
