//! Entries of the audit log as rows.

use auth::audit::{Actor, AuditEntry, AuditEvent, AuditRecord, AuditUser, Door};
use auth::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rows::{self, Stored};

/// What a row keeps beside its columns and its party.
#[derive(Serialize, Deserialize)]
struct Details {
    #[serde(flatten)]
    event: AuditEvent,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
}

/// A record, with what its row keeps beside its columns.
pub(crate) fn encode(record: &AuditRecord) -> Result<(AuditRecord, Stored), Error> {
    let stored = rows::encode(&Details {
        event: record.event.clone(),
        count: record.count,
        origin: record.origin.clone(),
        actor: record.actor.clone(),
    })?;
    Ok((record.clone(), stored))
}

/// An entry as an engine reads it.
pub(crate) struct RawEntry {
    pub(crate) id: i64,
    /// Seconds since 1970.
    pub(crate) at: i64,
    pub(crate) door: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) version: i64,
    pub(crate) data: String,
    /// `""` is nobody.
    pub(crate) subject: Option<String>,
    pub(crate) issuer: Option<String>,
    /// `""` is nowhere.
    pub(crate) address: Option<String>,
}

impl RawEntry {
    /// Puts it together.
    pub(crate) fn read(self) -> Result<AuditEntry, Error> {
        let details: Details = rows::decode(self.version, &self.data)?;
        let door = self.door.map(|name| {
            let mut doors = Door::ALL.into_iter();
            doors
                .find(|door| door.as_str() == name)
                .ok_or_else(|| Error::internal(UnknownDoor))
        });
        let is_told = |text: &String| !text.is_empty();
        Ok(AuditEntry {
            id: self.id.unsigned_abs(),
            record: AuditRecord {
                at: UnixTime::from_seconds(self.at),
                event: details.event,
                count: details.count,
                door: door.transpose()?,
                user: self
                    .subject
                    .filter(is_told)
                    .zip(self.issuer)
                    .map(|(subject, issuer)| AuditUser { issuer, subject }),
                session_id: self.session_id,
                origin: details.origin,
                address: self.address.filter(is_told),
                actor: details.actor,
            },
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("an audit entry has a door that only a newer build knows")]
struct UnknownDoor;
