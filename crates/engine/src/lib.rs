//! What happens in a conversation: no HTTP, no SQL, no environment.
//!
//! [`Engine::handle`] takes a [`protocol::Request`] for a [`RequestContext`] and gives a [`Reply`].
//! A turn is a pure state machine (`turn`) that a driver (`run`) plays against the [`ports`], the
//! only doors to the outside.

pub mod attachments;
pub mod context;
pub mod engine;
pub mod error;
mod history;
mod hosted;
pub mod limits;
pub mod media;
pub mod ports;
mod reach;
pub mod run;
mod title;
mod tokens;
mod turn;
pub mod turns;
pub mod workflow;

pub use attachments::{Attachments, NewFile, UploadRules};
pub use context::{HistoryAccess, Owner, Project, RequestContext, SessionRules, User};
pub use engine::{Answer, Engine, Reply};
pub use error::Error;
pub use limits::{CallerLimits, TurnLimits};
pub use media::MediaTypes;
pub use run::TurnStream;
pub use turns::Turns;
pub use workflow::{ModelChoices, Titles, Workflow, WorkflowId, Workflows};
