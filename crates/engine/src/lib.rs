//! What happens in a conversation: no HTTP, no SQL, no environment.
//!
//! [`ports`] are the only doors to the outside.

pub mod context;
pub mod ports;

pub use context::{Owner, RequestContext, User};
