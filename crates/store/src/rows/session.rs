//! Chat sessions as rows.

use auth::identity::Environment;
use auth::ports::{ChatSessionRecord, EndReason, OpenedBy};
use auth::time::UnixTime;
use serde_json::Value;

use crate::error::Error;
use crate::rows::{self, Stored};

/// A session that is ready to be written.
pub(crate) struct EncodedSession {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) environment: Environment,
    pub(crate) opened_by: OpenedBy,
    pub(crate) created_at: UnixTime,
    pub(crate) ends_at: UnixTime,
    /// The issuer's `sid`.
    pub(crate) login: Option<String>,
    pub(crate) stored: Stored,
}

impl EncodedSession {
    pub(crate) fn new(session: &ChatSessionRecord) -> Result<Self, Error> {
        let login = login_of(session);
        Ok(Self {
            id: session.id.clone(),
            issuer: session.issuer.clone(),
            subject: session.subject.clone(),
            environment: session.environment,
            opened_by: session.opened_by.clone(),
            created_at: session.created_at,
            ends_at: session.ends_at,
            login: login.map(str::to_owned),
            stored: rows::encode(session)?,
        })
    }
}

/// The issuer's `sid`, by which it says later that this login has ended.
pub(crate) fn login_of(session: &ChatSessionRecord) -> Option<&str> {
    session.claims.get("sid").and_then(Value::as_str)
}

/// What opened a session, as two columns.
pub(crate) fn opener(by: &OpenedBy) -> (&'static str, Option<&str>) {
    match by {
        OpenedBy::User => ("user", None),
        OpenedBy::PublicToken(id) => ("public_token", Some(id)),
        OpenedBy::ServerKey(id) => ("server_key", Some(id)),
    }
}

/// A reason's name.
pub(crate) const fn reason_name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Revoked => "revoked",
        EndReason::Reused => "reused",
        EndReason::Displaced => "displaced",
        EndReason::Denied => "denied",
    }
}

/// A reason by its name.
pub(crate) fn reason_from_name(name: &str) -> Result<EndReason, Error> {
    match name {
        "revoked" => Ok(EndReason::Revoked),
        "reused" => Ok(EndReason::Reused),
        "displaced" => Ok(EndReason::Displaced),
        "denied" => Ok(EndReason::Denied),
        _ => Err(Error::internal(UnknownReason)),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a session ended for a reason that only a newer build knows")]
struct UnknownReason;
