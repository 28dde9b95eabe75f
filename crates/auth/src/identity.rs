//! Who a request acts for, after every check has passed.
//!
//! Subjects are only unique within their issuer (OIDC Core §2, ASVS 6.8.1), so an identity is
//! always the pair, and the pair is what the store keys every row by: see [`Identity::owner_key`].

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::UnixTime;

/// The longest subject that is accepted, in bytes (OIDC Core §2 sets 255).
pub const MAX_SUBJECT_BYTES: usize = 255;
/// The longest user name that a server may give, in bytes: what the hosted API takes (512 characters).
pub const MAX_USER_BYTES: usize = 512 * 4;
/// The longest issuer that is accepted, in bytes.
pub const MAX_ISSUER_BYTES: usize = 512;

/// What the issuer of users whom a server names begins with; its project follows.
pub(crate) const PROJECT_MARK: &str = "key:";

/// Which of the two sets of data and keys a credential belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real users; every origin has to be registered.
    Live,
    /// Trying out; pages on this machine need no registration.
    Test,
}

impl Environment {
    /// The word used in credentials, commands and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that is neither `live` nor `test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the environment must be `live` or `test`")]
pub struct UnknownEnvironment;

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(UnknownEnvironment),
        }
    }
}

/// An issuer or a subject that cannot be part of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// The issuer is empty, too long, or holds a space or a control character.
    #[error(
        "the issuer must have 1 to {MAX_ISSUER_BYTES} bytes without spaces or control characters"
    )]
    Issuer,
    /// The subject is empty, too long, or holds a control character.
    #[error("the subject must have 1 to {MAX_SUBJECT_BYTES} bytes without control characters")]
    Subject,
}

/// A verified identity: somebody at some issuer.
///
/// Only the checks of this crate make one, so code that holds one may act for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    issuer: String,
    subject: String,
    /// Computed once, because one cached identity serves many requests.
    owner_key: Arc<str>,
    claims: Arc<Map<String, Value>>,
    environment: Environment,
    expires_at: UnixTime,
}

impl Identity {
    /// An identity whose parts have been verified by the caller.
    ///
    /// Fails when the owner key would be ambiguous: the issuer may not hold a space.
    pub fn new(
        issuer: impl Into<String>,
        subject: impl Into<String>,
        claims: Arc<Map<String, Value>>,
        environment: Environment,
        expires_at: UnixTime,
    ) -> Result<Self, InvalidIdentity> {
        let (issuer, subject) = (issuer.into(), subject.into());
        if !is_valid_issuer(&issuer) {
            return Err(InvalidIdentity::Issuer);
        }
        if !is_subject_of(&issuer, &subject) {
            return Err(InvalidIdentity::Subject);
        }
        Ok(Self {
            owner_key: owner_key(&issuer, &subject).into(),
            issuer,
            subject,
            claims,
            environment,
            expires_at,
        })
    }

    /// Who vouches for the subject: a URL for JWTs, `visitor:<public token id>`, or the project of a
    /// server key (see [`issuer_of`](crate::server_key::issuer_of)).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The issuer's own name for the user.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What else the issuer said; empty for visitors and for sessions opened by a server key.
    pub fn claims(&self) -> &Arc<Map<String, Value>> {
        &self.claims
    }

    /// Which environment the identity acts in.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// When the credential behind this identity ends.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The value of the store's owner column: issuer, one space, subject.
    ///
    /// Unambiguous because an issuer holds no space.
    pub fn owner_key(&self) -> &str {
        &self.owner_key
    }

    /// The same, for those who keep it.
    pub fn shared_owner_key(&self) -> &Arc<str> {
        &self.owner_key
    }

    /// Whether two credentials speak for the same person.
    pub fn is_same_user(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.subject == other.subject
    }
}

/// See [`Identity::owner_key`].
pub fn owner_key(issuer: &str, subject: &str) -> String {
    format!("{issuer} {subject}")
}

/// Whether a text may stand before the space of an owner key.
pub(crate) fn is_valid_issuer(issuer: &str) -> bool {
    (1..=MAX_ISSUER_BYTES).contains(&issuer.len())
        && !issuer.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Whether a text may be the subject of a token.
pub(crate) fn is_valid_subject(subject: &str) -> bool {
    is_name(subject, MAX_SUBJECT_BYTES)
}

/// Whether a text may be a subject there: servers may give longer names than issuers.
pub(crate) fn is_subject_of(issuer: &str, subject: &str) -> bool {
    let most = if issuer.starts_with(PROJECT_MARK) {
        MAX_USER_BYTES
    } else {
        MAX_SUBJECT_BYTES
    };
    is_name(subject, most)
}

fn is_name(text: &str, most_bytes: usize) -> bool {
    (1..=most_bytes).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(issuer: &str, subject: &str) -> Result<Identity, InvalidIdentity> {
        Identity::new(
            issuer,
            subject,
            Arc::default(),
            Environment::Live,
            UnixTime::from_seconds(1),
        )
    }

    #[test]
    fn j05_subject_is_1_to_255_bytes_without_control_characters() {
        for good in ["a", "user 1", "ü", &"x".repeat(255)] {
            assert!(identity("https://issuer", good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "a\nb",
            "a\u{0}",
            "\u{7f}",
            "\u{85}",
            &"x".repeat(256),
            &"ü".repeat(128),
        ] {
            assert_eq!(
                identity("https://issuer", bad).unwrap_err(),
                InvalidIdentity::Subject,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn owner_key_is_unambiguous_because_issuers_hold_no_space() {
        for bad in ["", "https://a b", "a\tb", "a\u{a0}b", &"x".repeat(513)] {
            assert_eq!(
                identity(bad, "s").unwrap_err(),
                InvalidIdentity::Issuer,
                "{bad:?}"
            );
        }
        let identity = identity("https://issuer", "a b").unwrap();
        assert_eq!(identity.owner_key(), "https://issuer a b");
        assert_eq!(
            identity.owner_key().split_once(' '),
            Some(("https://issuer", "a b"))
        );
    }
}
