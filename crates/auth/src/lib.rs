//! Who may enter: credentials, issuers, identities and the domain allowlist.

pub mod identity;
pub mod ports;
pub mod time;
