//! `[[workflows]]` as they are written.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `[[workflows]]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawWorkflow {
    pub(crate) id: String,
    pub(crate) version: Option<String>,
    pub(crate) open: bool,
    pub(crate) instructions: String,
    pub(crate) user_context: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) models: RawModelChoices,
    pub(crate) tools: Vec<String>,
    pub(crate) client_tools: Vec<RawClientTool>,
    pub(crate) widgets: BTreeMap<String, PathBuf>,
    pub(crate) actions: BTreeMap<String, RawAction>,
    pub(crate) agent: Option<RawAgent>,
    pub(crate) transcription: Option<String>,
    pub(crate) relay: Option<bool>,
    pub(crate) titles: RawTitles,
    pub(crate) busy: RawBusy,
    pub(crate) retention_days: u32,
    pub(crate) history_items: u32,
    pub(crate) history_tokens: u32,
    pub(crate) max_tools: usize,
    pub(crate) tool_rounds: u32,
    pub(crate) tool_bytes: usize,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) answer_bytes: usize,
    pub(crate) turn_seconds: u64,
}

impl Default for RawWorkflow {
    fn default() -> Self {
        Self {
            id: String::new(),
            version: None,
            open: false,
            instructions: String::new(),
            user_context: None,
            model: None,
            models: RawModelChoices::These(Vec::new()),
            tools: Vec::new(),
            client_tools: Vec::new(),
            widgets: BTreeMap::new(),
            actions: BTreeMap::new(),
            agent: None,
            transcription: None,
            relay: None,
            titles: RawTitles::Model,
            busy: RawBusy::Queue,
            retention_days: 0,
            history_items: 200,
            history_tokens: 32_000,
            max_tools: 128,
            tool_rounds: 10,
            tool_bytes: 1 << 20,
            max_output_tokens: None,
            answer_bytes: 1 << 20,
            turn_seconds: 600,
        }
    }
}

/// `models`: a list of names, or `"any"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "expected a list of model names, or \"any\"")]
pub(crate) enum RawModelChoices {
    /// `"any"`
    Any(AnyModel),
    /// `["name", …]`
    These(Vec<String>),
}

/// The word `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnyModel {
    /// `"any"`
    Any,
}

/// Where titles come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawTitles {
    /// The model writes one.
    Model,
    /// The first words of the first message.
    FirstMessage,
    /// Nowhere.
    Off,
}

/// What becomes of a message that comes while another one is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawBusy {
    /// It waits.
    Queue,
    /// It ends the answer that runs.
    Interrupt,
    /// It is heard in the answer that runs.
    Steer,
    /// It is refused.
    Reject,
}

/// `agent`: an agent of the application's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAgent {
    pub(crate) url: String,
    pub(crate) protocol: RawAgentProtocol,
    pub(crate) secret_env: Option<String>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) timeout_seconds: u64,
    pub(crate) document_timeout_seconds: u64,
    pub(crate) transcribes: bool,
    pub(crate) allow_insecure_http: bool,
}

impl Default for RawAgent {
    fn default() -> Self {
        Self {
            url: String::new(),
            protocol: RawAgentProtocol::Chatkit,
            secret_env: None,
            secret_file: None,
            timeout_seconds: 120,
            document_timeout_seconds: 30,
            transcribes: false,
            allow_insecure_http: false,
        }
    }
}

/// What an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawAgentProtocol {
    /// ChatKit's own shapes.
    Chatkit,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAction {
    pub(crate) tool: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) answer: bool,
}

impl Default for RawAction {
    fn default() -> Self {
        Self {
            tool: String::new(),
            arguments: Map::new(),
            answer: true,
        }
    }
}

/// A tool that the page runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawClientTool {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parameters: Map<String, Value>,
}
