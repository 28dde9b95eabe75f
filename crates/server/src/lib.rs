//! HTTP in, engine calls, HTTP out: the only crate that knows status codes.
//!
//! Follow a request: [`serve`](serve()) accepts the connection, [`Service`] names it, finds its
//! address in the table of [`router`], counts it and checks it against the domain allowlist, `caller`
//! turns its credential into an identity, a handler in `routes` asks the engine, and `sse` or
//! [`ApiError`] answers.

pub mod app;
mod audit;
mod background;
mod body;
mod caller;
mod client_ip;
mod cookie;
mod cors;
mod error;
mod files;
mod gather;
mod in_hand;
mod limits;
mod locale;
mod revocation;
pub mod router;
mod routes;
mod serve;
mod service;
mod session_settings;
mod sse;
mod token_exchange;
mod untraced;

pub use crate::{
    app::{App, AppState, Doors, Settings},
    audit::Audit,
    background::{background, purge_once},
    body::BodyLimits,
    error::ApiError,
    files::{FileAddresses, UploadSettings},
    limits::{Limits, Rate, Rates},
    revocation::Revocations,
    routes::{
        dev::{Development, DevelopmentUser},
        door::HostedSessions,
        page::Demo,
        relay::RelayTarget,
    },
    serve::{ServeOptions, serve},
    service::Service,
};
