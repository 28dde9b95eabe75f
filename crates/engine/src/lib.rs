//! What happens in a conversation: no HTTP, no SQL, no environment.
//!
//! [`Engine::handle`] takes a [`protocol::Request`] for a [`RequestContext`] and gives a [`Reply`].
//! What a model or tool answers is a run: a pure state machine (`turn`, over what it adds to the thread, `transcript`)
//! that a task (`run`) plays against the [`ports`], the only doors to the outside. `runs` knows which ones there are,
//! and any number of readers may follow each; `nodes` knows how to follow those of other processes.

mod answers;
mod approval;
mod asking;
pub mod attachments;
pub mod context;
mod endings;
pub mod engine;
pub mod error;
mod handle;
mod history;
mod hosted;
pub mod limits;
pub mod media;
pub mod nodes;
pub mod pictures;
pub mod ports;
mod reach;
mod retention;
mod run;
pub mod runs;
pub mod search;
pub mod template;
mod threads;
mod title;
mod tokens;
mod transcript;
mod turn;
mod uploads;
pub mod words;
pub mod workflow;

pub use attachments::Attachments;
pub use context::{
    HistoryAccess, Owner, Project, RequestContext, SessionRules, UploadRules, User, WorkflowId,
};
pub use engine::{Answer, Engine, LoadedThread, Reply};
pub use error::Error;
pub use limits::{CallerLimits, TurnLimits};
pub use media::MediaTypes;
pub use nodes::Nodes;
pub use runs::{Client, Following, Permit, Reader, RequestKey, RunSettings, Runs};
pub use title::Titles;
pub use uploads::NewFile;
pub use words::{Language, Message, Words};
pub use workflow::{ActionRule, Busy, ModelChoices, Workflow, Workflows};
