//! The development issuer: who can sign in with a click, and the key that vouches for them.

use std::sync::Arc;

use auth::Signer;
use serde::Serialize;

/// An issuer for trying things out.
pub struct Development {
    /// Its key.
    pub signer: Arc<Signer>,
    /// Its `iss`.
    pub issuer: String,
    /// Its `aud`.
    pub audience: String,
    /// Who can sign in.
    pub users: Vec<DevelopmentUser>,
}

/// A made-up person.
#[derive(Debug, Clone, Serialize)]
pub struct DevelopmentUser {
    /// Their `sub`.
    pub id: &'static str,
    /// What they are called.
    pub name: &'static str,
    /// Their address, which nobody reads.
    pub email: &'static str,
}

impl DevelopmentUser {
    /// The two people of every development issuer.
    pub fn both() -> Vec<Self> {
        vec![
            Self {
                id: "ada",
                name: "Ada",
                email: "ada@example.com",
            },
            Self {
                id: "grace",
                name: "Grace",
                email: "grace@example.com",
            },
        ]
    }
}
