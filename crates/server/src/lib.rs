//! HTTP in, engine calls, HTTP out: the only crate that knows status codes.
//!
//! Follow a request: [`serve`](serve()) accepts the connection, the table of [`router`] has its
//! address, `around` names it, counts it and checks it against the domain allowlist, `caller` turns
//! its credential into an identity, a handler in `routes` asks the engine, and `sse` or [`ApiError`]
//! answers.

mod address;
pub mod app;
mod around;
mod audit;
mod background;
mod base_path;
mod body;
mod caller;
mod client_ip;
mod connections;
mod cookie;
mod cors;
mod development;
mod error;
mod file_name;
mod files;
mod following;
mod host;
mod in_hand;
mod limits;
mod locale;
mod metrics;
mod path;
mod readiness;
mod refused_origins;
mod report;
mod requested_headers;
mod revocation;
pub mod router;
mod routes;
mod seldom;
mod serve;
mod session_settings;
mod socket;
mod sse;
mod token_exchange;

pub use crate::{
    address::{Pages, Takes},
    app::{
        App, AppState, Demo, Doors, OpenAiSessions, RelayTakes, RelayTarget, RelayTargets, Settings,
    },
    audit::Audit,
    background::{background, purge_once},
    base_path::{BasePath, InvalidBasePath},
    body::BodyLimits,
    development::{Development, DevelopmentUser},
    error::ApiError,
    files::{FileAddresses, UploadSettings},
    limits::{Limits, Rate, Rates},
    metrics::Metrics,
    readiness::Readiness,
    revocation::Revocations,
    serve::{ServeOptions, Served, serve},
};
