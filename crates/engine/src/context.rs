//! Who a request is for: the owner that every query carries, and the person behind it.

use std::{fmt, num::NonZeroU32, sync::Arc};

use secrecy::SecretString;

use crate::{limits::CallerLimits, media::MediaTypes, words::Language};

/// What the store's owner column holds: one person at one issuer, or one visitor of one token.
///
/// Made in one place only, from a verified identity (the server's `caller`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// Takes an identity's key, `"{issuer} {subject}"`.
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(key.into())
    }

    /// The key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Owner {
    /// The identity's issuer.
    pub fn issuer(&self) -> &str {
        self.0
            .split_once(' ')
            .map_or("", |(issuer, _subject)| issuer)
    }

    /// The issuer's name for the person.
    pub fn subject(&self) -> &str {
        self.0
            .split_once(' ')
            .map_or("", |(_issuer, subject)| subject)
    }
}

/// Everybody whom one project of server keys speaks for: what the hosted API may look at.
///
/// Made in one place only, from a verified server key (the server's `caller`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Project(Arc<str>);

impl Project {
    /// Takes the issuer that the project is to its users: what stands before the space in the keys
    /// of their [`Owner`]s.
    pub fn new(issuer: impl Into<Arc<str>>) -> Self {
        Self(issuer.into())
    }

    /// The issuer as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A workflow's id, as clients and sessions name it: `wf_…`. (Items of type `workflow` have ids that
/// begin the same; they are [`protocol::ItemId`]s.)
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WorkflowId(Arc<str>);

impl WorkflowId {
    /// Takes any name; whether it is configured shows when it is looked up.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as it is configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The person a turn speaks with, as tools and agents are told.
#[derive(Debug, Clone)]
pub struct User {
    /// The issuer's name for the person (`sub`).
    pub id: String,
    /// Who vouches for that name (`iss`).
    pub issuer: String,
    /// The verified claims.
    pub claims: Arc<serde_json::Map<String, serde_json::Value>>,
    /// The token that came in, for tools that are configured to get it. Absent behind doors 1 and 2.
    pub token: Option<SecretString>,
}

/// Everything a turn knows about the request it answers.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Whose data this is.
    pub owner: Owner,
    /// Who that is.
    pub user: User,
    /// The workflow the credential is bound to; `None` for the default one.
    pub workflow: Option<WorkflowId>,
    /// Values for the `{{placeholders}}` of the workflow's user context.
    pub state_variables: Arc<serde_json::Map<String, serde_json::Value>>,
    /// What the session may do.
    pub rules: SessionRules,
    /// Which files may be sent.
    pub uploads: UploadRules,
    /// What this caller gets less of than the workflow allows.
    pub limits: CallerLimits,
    /// BCP 47 tag from `Accept-Language`, where the client sent a single valid one.
    pub locale: Option<String>,
}

impl RequestContext {
    /// The language in which the person is spoken to.
    pub fn language(&self) -> Language {
        Language::of(self.locale.as_deref())
    }
}

/// What a session may do; by default, everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRules {
    /// The version of the workflow that the session is bound to; the workflow's first one when absent.
    pub workflow_version: Option<Arc<str>>,
    /// Whether new threads get a title by themselves.
    pub automatic_titles: bool,
    /// Which of the user's threads the session may see.
    pub history: HistoryAccess,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            workflow_version: None,
            automatic_titles: true,
            history: HistoryAccess::All,
        }
    }
}

/// Which of a user's threads a session may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryAccess {
    /// All of them.
    All,
    /// The newest ones, this many.
    Recent(NonZeroU32),
    /// None is listed. A thread whose id the page holds already goes on: a conversation outlives the
    /// short sessions in which it is held.
    Unlisted,
}

/// Which files a caller may send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadRules {
    /// Whether any.
    pub is_enabled: bool,
    /// Largest file, in bytes.
    pub max_file_bytes: u64,
    /// Most files of one message.
    pub max_files: usize,
    /// Most bytes of all files of one owner.
    pub max_owner_bytes: u64,
    /// Which types.
    pub media_types: MediaTypes,
    /// The chat session that they come through.
    pub session: Option<String>,
    /// Most files of that session.
    pub max_session_files: Option<u32>,
    /// Most files of one owner that no message holds yet.
    pub max_unsent_files: u32,
}
