//! Who may enter: credentials, issuers, identities and the domain allowlist.
//!
//! Everything here decides; nothing here talks. There is no HTTP, no SQL, no clock and no
//! environment in this crate:
//! what it needs from outside are the traits of [`ports`], and time and chance come in as
//! arguments.
//!
//! # The way of a request
//!
//! 1. [`bearer::bearer`] takes the token out of the `Authorization` header, and
//!    [`session::session_cookie`] the session out of the cookies.
//! 2. [`credential::classify`] says which kind it is, by its prefix and its check digits.
//! 3. By kind:
//!    - a JWT or an issuer's opaque token goes to [`Issuers::authenticate`], a session cookie to
//!      [`LoginSessions::authenticate`];
//!    - a client secret (door 1) goes to [`ClientSecrets::authenticate`];
//!    - a public token (door 2) goes to [`PublicTokens::authenticate`], then
//!      [`PublicTokens::visit`];
//!    - a server key goes to [`ServerKeys::authenticate`], and [`server_key::user_of`] names its
//!      user.
//! 4. [`Domains::check`] says whether the page may be here at all.
//! 5. What comes out is an [`Identity`], and [`Identity::owner_key`] is what the store keys every
//!    row by.
//!
//! What cannot enter leaves as an [`Error`]: its variants are what the caller can do, and its text
//! is for the person who sent the request. [`explain`] tells the whole story of a token.
//!
//! What lets people in is made, listed and revoked by an [`Operator`], who leaves a trace of it.

pub mod access;
pub mod audit;
pub mod bearer;
mod budget;
pub mod claims;
pub mod client_secret;
pub mod cookie;
pub mod credential;
pub mod domain;
mod encoding;
mod error;
pub mod explain;
pub mod file_link;
mod foreign;
pub mod identity;
pub mod introspection;
pub mod issuer;
pub mod jwk;
pub mod jwks;
pub mod jws;
pub mod logout;
pub mod operator;
pub mod origin_refusal;
pub mod pasted;
pub mod ports;
pub mod public_token;
pub mod rejection;
pub mod rule;
pub mod server_key;
pub mod session;
mod sign_outs;
pub mod signer;
pub mod signing_key;
mod strength;
#[cfg(test)]
mod testing;
pub mod time;

pub(crate) use credential::sha256;
pub use {
    access::WorkflowAccess,
    client_secret::ClientSecrets,
    domain::{Domains, Origin},
    error::{Error, Refusal},
    file_link::FileLinks,
    identity::{Environment, Identity},
    issuer::{Issuer, Issuers},
    operator::{Operator, OperatorError},
    origin_refusal::InHand,
    public_token::PublicTokens,
    rejection::{Reason, Rejection},
    server_key::ServerKeys,
    session::LoginSessions,
    signer::Signer,
    signing_key::{Seeds, Signing, SigningKeys},
    time::{Now, UnixTime},
};
