//! The handlers, one file for each group of addresses: extract, call, answer.

pub(crate) mod assets;
pub(crate) mod backchannel_logout;
pub(crate) mod chat;
pub(crate) mod dev;
pub(crate) mod domain_keys;
pub(crate) mod door;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod hosted;
pub(crate) mod jwks;
pub(crate) mod me;
pub(crate) mod page;
pub(crate) mod relay;
pub(crate) mod welcome;
