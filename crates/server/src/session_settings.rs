//! What a chat session may do and what it knows: the typed form of its record's `state`.
//!
//! Whoever opens a session writes it here, whoever serves one reads it here, and nobody else looks
//! into `state`. A key that is left out means that everything is on: doors 1 and 2 open sessions
//! without restrictions of their own, the hosted API writes each key that it was asked for.

use std::{num::NonZeroU32, sync::LazyLock};

use auth::ports::{ChatSessionRecord, Quotas};
use engine::{HistoryAccess, SessionRules};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ApiError;

/// The settings of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SessionSettings {
    /// Values for the `{{placeholders}}` of the workflow's user context.
    pub(crate) state_variables: Map<String, Value>,
    /// Which version of the workflow answers; the default one when absent.
    pub(crate) workflow_version: Option<String>,
    /// Whether the log may tell of its turns.
    pub(crate) tracing: bool,
    /// Turns in a minute; no limit of the session's own when absent.
    pub(crate) max_requests_per_minute: Option<NonZeroU32>,
    /// Whether new threads get a title by themselves.
    pub(crate) automatic_titles: bool,
    /// Which files it may send.
    pub(crate) file_upload: FileUpload,
    /// Which earlier threads it may see.
    pub(crate) history: HistorySettings,
    /// The quotas of the public token that a visitor came through.
    pub(crate) quotas: Option<Quotas>,
    /// The workflow that this token names, where it names one.
    pub(crate) token_workflow: Option<String>,
}

/// Which files a session may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FileUpload {
    /// Whether it may send any.
    pub(crate) enabled: bool,
    /// Largest file in megabytes (of 1,048,576 bytes); the server's own limit when absent.
    pub(crate) max_file_size: Option<u32>,
    /// How many files the session may send; the server's own limit when absent.
    pub(crate) max_files: Option<u32>,
}

/// Which earlier threads a session may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HistorySettings {
    /// Whether threads are listed at all.
    pub(crate) enabled: bool,
    /// How many of the newest threads it may see; all when absent.
    pub(crate) recent_threads: Option<NonZeroU32>,
}

impl Default for SessionSettings {
    /// Everything on.
    fn default() -> Self {
        Self {
            state_variables: Map::new(),
            workflow_version: None,
            tracing: true,
            max_requests_per_minute: None,
            automatic_titles: true,
            file_upload: FileUpload::default(),
            history: HistorySettings::default(),
            quotas: None,
            token_workflow: None,
        }
    }
}

impl Default for FileUpload {
    fn default() -> Self {
        Self {
            enabled: true,
            max_file_size: None,
            max_files: None,
        }
    }
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            recent_threads: None,
        }
    }
}

impl SessionSettings {
    /// Everything on, for callers without a session.
    pub(crate) fn unrestricted() -> &'static Self {
        static UNRESTRICTED: LazyLock<SessionSettings> = LazyLock::new(SessionSettings::default);
        &UNRESTRICTED
    }

    /// What a session's record says. A record that cannot be read restricts nobody less than it was
    /// meant to: it is an error.
    pub(crate) fn take_from(record: &mut ChatSessionRecord) -> Result<Self, ApiError> {
        let state = std::mem::take(&mut record.state);
        serde_json::from_value(Value::Object(state)).map_err(ApiError::internal)
    }

    /// What the engine has to keep to.
    pub(crate) fn rules(&self) -> SessionRules {
        SessionRules {
            workflow_version: self.workflow_version.as_deref().map(Into::into),
            automatic_titles: self.automatic_titles,
            history: match (self.history.enabled, self.history.recent_threads) {
                (false, _) => HistoryAccess::Unlisted,
                (true, Some(count)) => HistoryAccess::Recent(count),
                (true, None) => HistoryAccess::All,
            },
        }
    }

    /// The record's `state`.
    pub(crate) fn into_state(self) -> Result<Map<String, Value>, ApiError> {
        match serde_json::to_value(self).map_err(ApiError::internal)? {
            Value::Object(state) => Ok(state),
            _ => Err(ApiError::internal("session settings are an object")),
        }
    }
}

#[cfg(test)]
mod tests {
    use auth::{
        Environment, UnixTime,
        ports::{ChatSessionRecord, OpenedBy},
    };
    use serde_json::json;

    use super::*;

    fn record(state: Value) -> ChatSessionRecord {
        ChatSessionRecord {
            id: "cksess_1".to_owned(),
            issuer: "key:main".to_owned(),
            subject: "ada".to_owned(),
            claims: Map::new(),
            environment: Environment::Live,
            workflow: "wf_test".to_owned(),
            origins: Vec::new(),
            state: serde_json::from_value(state).unwrap(),
            opened_by: OpenedBy::User,
            created_at: UnixTime::from_seconds(0),
            ends_at: UnixTime::from_seconds(1),
            ended: None,
        }
    }

    #[test]
    fn an_empty_state_restricts_nothing() {
        let settings = SessionSettings::take_from(&mut record(json!({}))).unwrap();
        assert_eq!(&settings, SessionSettings::unrestricted());
        assert!(settings.file_upload.enabled && settings.history.enabled);
    }

    #[test]
    fn what_is_written_is_read() {
        let settings = SessionSettings {
            workflow_version: Some("2".to_owned()),
            max_requests_per_minute: NonZeroU32::new(10),
            file_upload: FileUpload {
                enabled: false,
                ..FileUpload::default()
            },
            history: HistorySettings {
                enabled: true,
                recent_threads: NonZeroU32::new(3),
            },
            quotas: Some(Quotas::default()),
            ..SessionSettings::default()
        };
        let state = settings.clone().into_state().unwrap();
        let read = SessionSettings::take_from(&mut record(Value::Object(state))).unwrap();
        assert_eq!(read, settings);
    }

    #[test]
    fn a_state_that_cannot_be_read_opens_nothing() {
        for state in [
            json!({ "file_upload": "on" }),
            json!({ "history": { "recent_threads": 0 } }),
        ] {
            assert!(SessionSettings::take_from(&mut record(state)).is_err());
        }
    }
}
