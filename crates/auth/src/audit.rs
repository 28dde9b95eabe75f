//! What the audit log holds: who came in by which door, what was minted, refused, ended, revoked and changed.
//!
//! An entry tells *that* something happened, never what was said: there is no field for a credential or for the text of
//! a message, and free text from outside (an origin, a user's id) has passed the checks of its own kind before.
//! Entries are never changed. Whom an entry is about is kept beside it ([`AuditRecord::user`] and
//! [`AuditRecord::address`]), so that a person can be forgotten and the event stays.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    identity::Environment,
    ports::{EndReason, StoreError},
    time::UnixTime,
};

/// What happened. As JSON, `kind` says which it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AuditEvent {
    /// A user's login was accepted by door 3 for the first time.
    Entered,
    /// A chat session was opened, and its first client secret minted.
    SessionOpened {
        /// The workflow that answers.
        workflow: String,
        /// How many older sessions of the same user ended for it.
        displaced: u32,
    },
    /// A public token has a new visitor.
    VisitorCreated {
        /// `pkt_…`
        public_token_id: String,
    },
    /// A client secret was replaced by the next one.
    SecretRotated,
    /// The same question came again in time, and got the same answer.
    SecretReplayed,
    /// A replaced secret came back too late: it was copied, and its session was ended.
    SecretReused,
    /// Chat sessions were ended before their time.
    SessionEnded {
        /// Why.
        reason: EndReason,
        /// How many.
        sessions: u64,
    },
    /// Somebody was not let in.
    Refused {
        /// The code of the refusal, as the answer had it.
        reason: String,
        /// The command that would let the page in, where it was the page that was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
    },
    /// Somebody did something more often than they may.
    LimitReached {
        /// Which limit it was, as the configuration or the token's quotas call it.
        limit: String,
    },
    /// An origin was registered.
    DomainAdded {
        /// The origin.
        domain: String,
        /// For which environment.
        environment: Environment,
    },
    /// An origin's registration was removed.
    DomainRemoved {
        /// The origin.
        domain: String,
        /// For which environment.
        environment: Environment,
    },
    /// A public token was made.
    TokenCreated {
        /// `pkt_…`
        token_id: String,
    },
    /// A public token was revoked, and what it had opened ended.
    TokenRevoked {
        /// `pkt_…`
        token_id: String,
    },
    /// A server key was made.
    KeyCreated {
        /// `key_…`
        key_id: String,
    },
    /// A server key was revoked, and what it had opened ended.
    KeyRevoked {
        /// `key_…`
        key_id: String,
    },
    /// A key to sign with was put into the database.
    SigningKeyAdded {
        /// Its `kid`.
        key_id: String,
    },
    /// Everything that is kept about a user was handed out.
    UserExported,
    /// Everything that was kept about a user was removed. Which user is part of what was removed.
    UserForgotten {
        /// How many threads went.
        threads: u64,
        /// How many chat sessions went.
        chat_sessions: u64,
    },
    /// A file was uploaded.
    FileUploaded {
        /// Its id.
        file_id: String,
    },
    /// A file was removed.
    FileDeleted {
        /// Its id.
        file_id: String,
    },
    /// More happened than could be written down; `count` says how much more.
    EventsDropped,
    /// Somebody who is not a trusted proxy forwarded a request: first sight of that address since the server's start.
    UntrustedProxy,
}

impl AuditEvent {
    /// Every kind, as it is written.
    pub const KINDS: [&'static str; 22] = [
        "entered",
        "session_opened",
        "visitor_created",
        "secret_rotated",
        "secret_replayed",
        "secret_reused",
        "session_ended",
        "refused",
        "limit_reached",
        "domain_added",
        "domain_removed",
        "token_created",
        "token_revoked",
        "key_created",
        "key_revoked",
        "user_exported",
        "user_forgotten",
        "file_uploaded",
        "file_deleted",
        "events_dropped",
        "untrusted_proxy",
        "signing_key_added",
    ];

    /// Which kind it is, as it is written.
    pub fn kind(&self) -> &'static str {
        let place = match self {
            Self::Entered => 0,
            Self::SessionOpened { .. } => 1,
            Self::VisitorCreated { .. } => 2,
            Self::SecretRotated => 3,
            Self::SecretReplayed => 4,
            Self::SecretReused => 5,
            Self::SessionEnded { .. } => 6,
            Self::Refused { .. } => 7,
            Self::LimitReached { .. } => 8,
            Self::DomainAdded { .. } => 9,
            Self::DomainRemoved { .. } => 10,
            Self::TokenCreated { .. } => 11,
            Self::TokenRevoked { .. } => 12,
            Self::KeyCreated { .. } => 13,
            Self::KeyRevoked { .. } => 14,
            Self::UserExported => 15,
            Self::UserForgotten { .. } => 16,
            Self::FileUploaded { .. } => 17,
            Self::FileDeleted { .. } => 18,
            Self::EventsDropped => 19,
            Self::UntrustedProxy => 20,
            Self::SigningKeyAdded { .. } => 21,
        };
        Self::KINDS[place]
    }

    /// The event without what the sender of a request has chosen, so that few are different.
    #[must_use]
    pub fn in_our_words(self) -> Self {
        match self {
            Self::Refused { reason, .. } => Self::Refused {
                reason,
                command: None,
            },
            event => event,
        }
    }

    /// Whether anybody can cause it as often as they like, without having been let in. Equal ones are counted instead of
    /// written one by one.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::LimitReached { .. })
    }
}

/// Which way somebody came, or tried to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Door 1: a client secret for a signed-in user.
    ClientSecret,
    /// Door 2: a public token.
    PublicToken,
    /// Door 3: a user's login on every request.
    Custom,
    /// The hosted API, for servers with a server key.
    ServerKey,
}

impl Door {
    /// All doors.
    pub const ALL: [Self; 4] = [
        Self::ClientSecret,
        Self::PublicToken,
        Self::Custom,
        Self::ServerKey,
    ];

    /// The word used in the log and in commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecret => "client_secret",
            Self::PublicToken => "public_token",
            Self::Custom => "custom",
            Self::ServerKey => "server_key",
        }
    }
}

/// Who did it, where it is not the user of the entry themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// A person at the command line, by their name on that machine.
    Operator(String),
    /// A server, by the id of its key.
    ServerKey(String),
    /// An issuer that told us, by its name.
    Issuer(String),
}

/// Whom an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditUser {
    /// The identity's issuer.
    pub issuer: String,
    /// The identity's subject.
    pub subject: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When; of several that were counted, the last.
    pub at: UnixTime,
    /// What.
    #[serde(flatten)]
    pub event: AuditEvent,
    /// How often, where equal ones were counted instead of written one by one.
    pub count: u32,
    /// By which door.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub door: Option<Door>,
    /// The user that it is about; gone when the user was forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<AuditUser>,
    /// The chat session, `cksess_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The page, as its origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The network address as limits count it: IPv6 by its /64. Forgotten together with the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

impl AuditRecord {
    /// Something that happened once; the rest is added by those who know it.
    pub fn new(at: UnixTime, event: AuditEvent) -> Self {
        Self {
            at,
            event,
            count: 1,
            door: None,
            user: None,
            session_id: None,
            origin: None,
            address: None,
            actor: None,
        }
    }

    /// Says whom it is about.
    #[must_use]
    pub fn about(mut self, issuer: &str, subject: &str) -> Self {
        self.user = Some(AuditUser {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        });
        self
    }

    /// Says who did it.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Says by which door.
    #[must_use]
    pub fn through(mut self, door: Option<Door>) -> Self {
        self.door = door;
        self
    }

    /// Says which chat session it concerns.
    #[must_use]
    pub fn in_session(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Rises with each entry, without gaps: a number that is missing is an entry that was removed, or never committed.
    pub id: u64,
    /// What happened.
    #[serde(flatten)]
    pub record: AuditRecord,
}

/// Which entries are wanted; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// At or after this time.
    pub since: Option<UnixTime>,
    /// Before this time.
    pub until: Option<UnixTime>,
    /// Of this kind; see [`AuditEvent::KINDS`].
    pub kind: Option<String>,
    /// By this door.
    pub door: Option<Door>,
    /// About users of this issuer.
    pub issuer: Option<String>,
    /// About users of this subject, whoever vouches for them.
    pub subject: Option<String>,
    /// About this chat session.
    pub session_id: Option<String>,
    /// Newest first; else in the order in which they were written.
    pub is_newest_first: bool,
    /// Only entries that follow this one, in that order.
    pub after: Option<u64>,
}

/// Where the audit log is kept. Entries can be added, read, and removed once they are old; nothing changes one.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Adds entries in this order. Atomic.
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError>;

    /// Entries that match, at most `limit` of them.
    async fn list_audit(
        &self,
        query: &AuditQuery,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// Removes entries from before this time, with the users that no entry names any more. From then on nothing else can
    /// be removed that is younger. How many entries went.
    async fn purge_audit(&self, before: UnixTime) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_kind_is_called_the_same_in_the_list_and_in_json() {
        let id = String::new;
        let environment = Environment::Live;
        let samples = [
            AuditEvent::Entered,
            AuditEvent::SessionOpened {
                workflow: id(),
                displaced: 0,
            },
            AuditEvent::VisitorCreated {
                public_token_id: id(),
            },
            AuditEvent::SecretRotated,
            AuditEvent::SecretReplayed,
            AuditEvent::SecretReused,
            AuditEvent::SessionEnded {
                reason: EndReason::Revoked,
                sessions: 1,
            },
            AuditEvent::Refused {
                reason: id(),
                command: Some(id()),
            },
            AuditEvent::LimitReached { limit: id() },
            AuditEvent::DomainAdded {
                domain: id(),
                environment,
            },
            AuditEvent::DomainRemoved {
                domain: id(),
                environment,
            },
            AuditEvent::TokenCreated { token_id: id() },
            AuditEvent::TokenRevoked { token_id: id() },
            AuditEvent::KeyCreated { key_id: id() },
            AuditEvent::KeyRevoked { key_id: id() },
            AuditEvent::UserExported,
            AuditEvent::UserForgotten {
                threads: 0,
                chat_sessions: 0,
            },
            AuditEvent::FileUploaded { file_id: id() },
            AuditEvent::FileDeleted { file_id: id() },
            AuditEvent::EventsDropped,
            AuditEvent::UntrustedProxy,
            AuditEvent::SigningKeyAdded { key_id: id() },
        ];
        let kinds: HashSet<_> = samples.iter().map(AuditEvent::kind).collect();
        assert_eq!(kinds, HashSet::from(AuditEvent::KINDS));
        for event in samples {
            let record = AuditRecord::new(UnixTime::from_seconds(1), event);
            let json = serde_json::to_value(&record).unwrap();
            assert_eq!(json["kind"], record.event.kind());
            assert_eq!(serde_json::from_value::<AuditRecord>(json).unwrap(), record);
        }
    }

    #[test]
    fn a_door_is_called_the_same_everywhere() {
        for door in Door::ALL {
            assert_eq!(serde_json::to_value(door).unwrap(), door.as_str());
        }
    }
}
