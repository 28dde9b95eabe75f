//! What opens a chat session, and the session as it is answered.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::hosted::parameter::{Fields, ParameterError, check_length, check_user, type_name};
use crate::json;

/// How long a session may live, in seconds; also how long it lives when nothing is said.
const MAX_SECONDS: u32 = 600;
/// Requests in a minute when nothing is said.
const DEFAULT_REQUESTS: u32 = 10;
/// The largest file in megabytes; also the limit when nothing is said.
const MAX_FILE_SIZE: u32 = 512;
/// Files of a session when nothing is said.
const DEFAULT_FILES: u32 = 10;
/// The longest id or version of a workflow, in characters.
const MAX_NAME: usize = 256;
/// Bounds of the state variables: how many, the longest key, and the longest text, in characters.
const MAX_VARIABLES: usize = 64;
const MAX_VARIABLE_KEY: usize = 64;
const MAX_VARIABLE_TEXT: usize = 10_485_760;
/// Levels of objects in a body; the deepest field lies on the third.
const MAX_DEPTH: usize = 8;

/// What a server asks for: every default is filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRequest {
    pub workflow: WorkflowRequest,
    /// Whose session it is, in the server's own words.
    pub user: String,
    /// How long it lives, 1 to 600 seconds from now.
    pub expires_after_seconds: u32,
    /// How often it may ask.
    pub rate_limits: RateLimits,
    pub configuration: ChatKitConfiguration,
}

/// The workflow that a server asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowRequest {
    pub id: String,
    /// Which version of it; the default one when absent.
    pub version: Option<String>,
    /// Values for the workflow: texts, numbers and booleans.
    pub state_variables: Option<Map<String, Value>>,
    /// Whether its turns may be traced.
    pub tracing: Enabled,
}

impl SessionRequest {
    /// Reads a request's body.
    pub fn parse(body: &[u8]) -> Result<Self, ParameterError> {
        let text = std::str::from_utf8(body).map_err(|error| {
            ParameterError::not_json(&crate::RequestError::NotUtf8 {
                position: error.valid_up_to(),
            })
        })?;
        let text = if text.is_empty() { "{}" } else { text };
        let value =
            json::parse(text, MAX_DEPTH).map_err(|error| ParameterError::not_json(&error))?;
        let mut body = Fields::of(String::new(), value)?;
        let workflow = body.object("workflow")?;
        let workflow = read_workflow(body.required("workflow", workflow)?)?;
        let user = body.string("user", &(0..=usize::MAX))?;
        let user = body.required("user", user)?;
        check_user("user", &user)?;
        let expires_after_seconds = read_expiry(body.object("expires_after")?)?;
        let rate_limits = read_rate_limits(body.object("rate_limits")?)?;
        let configuration = read_configuration(body.object("chatkit_configuration")?)?;
        body.finish()?;
        Ok(Self {
            workflow,
            user,
            expires_after_seconds,
            rate_limits,
            configuration,
        })
    }
}

fn read_workflow(mut fields: Fields) -> Result<WorkflowRequest, ParameterError> {
    let id = fields.string("id", &(1..=MAX_NAME))?;
    let id = fields.required("id", id)?;
    let version = fields.string("version", &(1..=MAX_NAME))?;
    let path = fields.path("state_variables");
    let state_variables = fields.map("state_variables", MAX_VARIABLES)?;
    for (key, value) in state_variables.iter().flatten() {
        check_length(&path, key, &(0..=MAX_VARIABLE_KEY))?;
        let path = format!("{path}.{}", json::excerpt(key));
        match value {
            Value::String(text) => check_length(&path, text, &(0..=MAX_VARIABLE_TEXT))?,
            Value::Bool(_) | Value::Number(_) => {}
            other => {
                return Err(ParameterError::wrong_type(
                    &path,
                    "a string, an integer, a number or a boolean",
                    type_name(other),
                ));
            }
        }
    }
    let tracing = read_enabled(fields.object("tracing")?, true)?;
    fields.finish()?;
    Ok(WorkflowRequest {
        id,
        version,
        state_variables,
        tracing,
    })
}

fn read_expiry(fields: Option<Fields>) -> Result<u32, ParameterError> {
    let Some(mut fields) = fields else {
        return Ok(MAX_SECONDS);
    };
    let anchor = fields.string("anchor", &(0..=MAX_NAME))?;
    if fields.required("anchor", anchor)? != "created_at" {
        return Err(ParameterError::invalid_value(
            &fields.path("anchor"),
            "Supported values are: 'created_at'.",
        ));
    }
    let seconds = fields.integer("seconds", 1..=MAX_SECONDS)?;
    let seconds = fields.required("seconds", seconds)?;
    fields.finish()?;
    Ok(seconds)
}

fn read_rate_limits(fields: Option<Fields>) -> Result<RateLimits, ParameterError> {
    let mut limits = RateLimits {
        max_requests_per_1_minute: DEFAULT_REQUESTS,
    };
    if let Some(mut fields) = fields {
        if let Some(requests) = fields.integer("max_requests_per_1_minute", 1..=u32::MAX)? {
            limits.max_requests_per_1_minute = requests;
        }
        fields.finish()?;
    }
    Ok(limits)
}

fn read_configuration(fields: Option<Fields>) -> Result<ChatKitConfiguration, ParameterError> {
    let mut configuration = ChatKitConfiguration::default();
    let Some(mut fields) = fields else {
        return Ok(configuration);
    };
    configuration.automatic_thread_titling =
        read_enabled(fields.object("automatic_thread_titling")?, true)?;
    if let Some(mut upload) = fields.object("file_upload")? {
        let usual = FileUpload::default();
        configuration.file_upload = FileUpload {
            enabled: upload.boolean("enabled")?.unwrap_or(usual.enabled),
            max_file_size: upload
                .integer("max_file_size", 1..=MAX_FILE_SIZE)?
                .or(usual.max_file_size),
            max_files: upload
                .integer("max_files", 1..=u32::MAX)?
                .or(usual.max_files),
        };
        upload.finish()?;
    }
    if let Some(mut history) = fields.object("history")? {
        let usual = History::default();
        configuration.history = History {
            enabled: history.boolean("enabled")?.unwrap_or(usual.enabled),
            recent_threads: history.integer("recent_threads", 1..=u32::MAX)?,
        };
        history.finish()?;
    }
    fields.finish()?;
    Ok(configuration)
}

fn read_enabled(fields: Option<Fields>, usual: bool) -> Result<Enabled, ParameterError> {
    let mut enabled = usual;
    if let Some(mut fields) = fields {
        enabled = fields.boolean("enabled")?.unwrap_or(usual);
        fields.finish()?;
    }
    Ok(Enabled { enabled })
}

/// Something that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Enabled {
    pub enabled: bool,
}

/// How often a session may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RateLimits {
    pub max_requests_per_1_minute: u32,
}

/// What a session's page can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChatKitConfiguration {
    /// Whether new threads get a title by themselves.
    pub automatic_thread_titling: Enabled,
    /// Which files it may send.
    pub file_upload: FileUpload,
    /// Which earlier threads it may see.
    pub history: History,
}

impl Default for ChatKitConfiguration {
    fn default() -> Self {
        Self {
            automatic_thread_titling: Enabled { enabled: true },
            file_upload: FileUpload::default(),
            history: History::default(),
        }
    }
}

/// Which files a session may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileUpload {
    /// Whether it may send any.
    pub enabled: bool,
    /// Largest file in megabytes.
    pub max_file_size: Option<u32>,
    pub max_files: Option<u32>,
}

impl Default for FileUpload {
    fn default() -> Self {
        Self {
            enabled: false,
            max_file_size: Some(MAX_FILE_SIZE),
            max_files: Some(DEFAULT_FILES),
        }
    }
}

/// Which earlier threads a session may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct History {
    pub enabled: bool,
    /// How many of the newest; all when absent.
    pub recent_threads: Option<u32>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            enabled: true,
            recent_threads: None,
        }
    }
}

/// A session as it is answered.
///
/// It is only ever written: while it exists, the secret's text is borrowed from whoever minted it.
#[derive(Clone, Serialize)]
#[serde(tag = "object", rename = "chatkit.session")]
pub struct ChatSession<'secret> {
    /// Its name in requests, `cksess_…`.
    pub id: String,
    /// When it ends, in Unix seconds.
    pub expires_at: i64,
    /// What its page shows; empty in every answer but the first.
    pub client_secret: &'secret str,
    pub workflow: SessionWorkflow,
    pub user: String,
    /// How often it may ask.
    pub rate_limits: RateLimits,
    /// The same again, where older code looks for it.
    pub max_requests_per_1_minute: u32,
    pub status: SessionStatus,
    pub chatkit_configuration: ChatKitConfiguration,
}

/// The workflow of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionWorkflow {
    pub id: String,
    pub version: Option<String>,
    pub state_variables: Option<Map<String, Value>>,
    /// Whether its turns may be traced.
    pub tracing: Enabled,
}

/// Whether a session can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    Active,
    Expired,
    Cancelled,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &Value) -> Result<SessionRequest, ParameterError> {
        SessionRequest::parse(body.to_string().as_bytes())
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let request = parse(&json!({"user": "ada", "workflow": {"id": "wf_1"}})).unwrap();
        assert_eq!(request.expires_after_seconds, 600);
        assert_eq!(request.rate_limits.max_requests_per_1_minute, 10);
        assert!(request.workflow.tracing.enabled);
        assert_eq!(
            serde_json::to_value(request.configuration).unwrap(),
            json!({
                "automatic_thread_titling": {"enabled": true},
                "file_upload": {"enabled": false, "max_file_size": 512, "max_files": 10},
                "history": {"enabled": true, "recent_threads": null},
            })
        );
        let nulls = parse(&json!({
            "user": "ada", "workflow": {"id": "wf_1", "version": null, "tracing": null},
            "expires_after": null, "rate_limits": null, "chatkit_configuration": {"history": null},
        }));
        assert_eq!(nulls.unwrap(), request);
    }

    #[test]
    fn everything_said_is_taken() {
        let request = parse(&json!({
            "user": "ü".repeat(512),
            "workflow": {
                "id": "wf_1", "version": "2",
                "state_variables": {"plan": "pro", "seats": 3, "ratio": 0.5, "beta": true},
                "tracing": {"enabled": false},
            },
            "expires_after": {"anchor": "created_at", "seconds": 1},
            "rate_limits": {"max_requests_per_1_minute": 1},
            "chatkit_configuration": {
                "automatic_thread_titling": {"enabled": false},
                "file_upload": {"enabled": true, "max_file_size": 1, "max_files": 1},
                "history": {"enabled": false, "recent_threads": 1},
            },
        }))
        .unwrap();
        assert_eq!(request.workflow.version.as_deref(), Some("2"));
        assert_eq!(request.workflow.state_variables.unwrap().len(), 4);
        assert!(!request.workflow.tracing.enabled);
        assert_eq!(request.expires_after_seconds, 1);
        assert_eq!(
            serde_json::to_value(request.configuration).unwrap(),
            json!({
                "automatic_thread_titling": {"enabled": false},
                "file_upload": {"enabled": true, "max_file_size": 1, "max_files": 1},
                "history": {"enabled": false, "recent_threads": 1},
            })
        );
    }

    /// A body with one value put at a dotted path.
    fn body_with(path: &str, value: Value) -> Value {
        let mut body = json!({
            "user": "ada", "workflow": {"id": "wf_1"},
            "expires_after": {"anchor": "created_at", "seconds": 60},
        });
        let mut place = &mut body;
        for name in path.split('.') {
            if place.is_null() {
                *place = json!({});
            }
            place = &mut place[name];
        }
        *place = value;
        body
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many: Map<String, Value> = (0..65).map(|n| (n.to_string(), json!(1))).collect();
        let long_key = json!({"k".repeat(65): 1});
        for (path, value, param, code) in [
            ("user", Value::Null, "user", "missing_required_parameter"),
            ("user", json!(""), "user", "empty_string"),
            (
                "user",
                json!("x".repeat(513)),
                "user",
                "string_above_max_length",
            ),
            ("user", json!("a\nb"), "user", "invalid_value"),
            ("user", json!({"id": "ada"}), "user", "invalid_type"),
            (
                "workflow",
                Value::Null,
                "workflow",
                "missing_required_parameter",
            ),
            ("workflow", json!("wf_1"), "workflow", "invalid_type"),
            (
                "workflow.id",
                Value::Null,
                "workflow.id",
                "missing_required_parameter",
            ),
            (
                "workflow.version",
                json!(1),
                "workflow.version",
                "invalid_type",
            ),
            (
                "workflow.state_variables",
                json!(many),
                "workflow.state_variables",
                "object_above_max_properties",
            ),
            (
                "workflow.state_variables",
                long_key,
                "workflow.state_variables",
                "string_above_max_length",
            ),
            (
                "workflow.state_variables.plan",
                json!(["pro"]),
                "workflow.state_variables.plan",
                "invalid_type",
            ),
            (
                "workflow.state_variables.plan",
                Value::Null,
                "workflow.state_variables.plan",
                "invalid_type",
            ),
            (
                "workflow.tracing.enabled",
                json!("no"),
                "workflow.tracing.enabled",
                "invalid_type",
            ),
            (
                "workflow.trace",
                json!(1),
                "workflow.trace",
                "unknown_parameter",
            ),
            (
                "expires_after.anchor",
                json!("now"),
                "expires_after.anchor",
                "invalid_value",
            ),
            (
                "expires_after.anchor",
                Value::Null,
                "expires_after.anchor",
                "missing_required_parameter",
            ),
            (
                "expires_after.seconds",
                Value::Null,
                "expires_after.seconds",
                "missing_required_parameter",
            ),
            (
                "expires_after.seconds",
                json!(0),
                "expires_after.seconds",
                "integer_below_min_value",
            ),
            (
                "expires_after.seconds",
                json!(-5),
                "expires_after.seconds",
                "integer_below_min_value",
            ),
            (
                "expires_after.seconds",
                json!(601),
                "expires_after.seconds",
                "integer_above_max_value",
            ),
            (
                "expires_after.seconds",
                json!(u64::MAX),
                "expires_after.seconds",
                "integer_above_max_value",
            ),
            (
                "expires_after.seconds",
                json!(60.5),
                "expires_after.seconds",
                "invalid_type",
            ),
            (
                "expires_after.seconds",
                json!("60"),
                "expires_after.seconds",
                "invalid_type",
            ),
            (
                "rate_limits.max_requests_per_1_minute",
                json!(0),
                "rate_limits.max_requests_per_1_minute",
                "integer_below_min_value",
            ),
            (
                "chatkit_configuration.file_upload.max_file_size",
                json!(513),
                "chatkit_configuration.file_upload.max_file_size",
                "integer_above_max_value",
            ),
            (
                "chatkit_configuration.file_upload.max_files",
                json!(0),
                "chatkit_configuration.file_upload.max_files",
                "integer_below_min_value",
            ),
            (
                "chatkit_configuration.history.recent_threads",
                json!(0),
                "chatkit_configuration.history.recent_threads",
                "integer_below_min_value",
            ),
            (
                "chatkit_configuration.theme",
                json!("dark"),
                "chatkit_configuration.theme",
                "unknown_parameter",
            ),
            (
                "expires_in_seconds",
                json!(3600),
                "expires_in_seconds",
                "unknown_parameter",
            ),
        ] {
            let error = parse(&body_with(path, value.clone())).unwrap_err();
            assert_eq!(
                (error.param(), error.code()),
                (Some(param), code),
                "{path} = {value}: {error}"
            );
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_told_so() {
        for (body, code) in [
            (&b"{"[..], "invalid_json"),
            (b"\xff", "invalid_json"),
            (br#"{"user":"a","user":"b"}"#, "invalid_json"),
            (b"[]", "invalid_type"),
            (b"", "missing_required_parameter"),
        ] {
            let error = SessionRequest::parse(body).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
    }
}
