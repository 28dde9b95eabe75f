//! `[[models]]`

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[[models]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the file"
)]
pub(crate) struct RawModel {
    pub(crate) id: String,
    pub(crate) preset: Option<ModelPreset>,
    pub(crate) kind: ModelKind,
    pub(crate) base_url: Option<String>,
    pub(crate) api_key_env: Option<String>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) api_key_header: String,
    pub(crate) headers: BTreeMap<String, RawHeader>,
    pub(crate) model: String,
    pub(crate) connect_timeout_seconds: u64,
    pub(crate) first_token_timeout_seconds: u64,
    pub(crate) idle_timeout_seconds: u64,
    pub(crate) retries: u32,
    pub(crate) fallback: Vec<String>,
    pub(crate) max_concurrency: u32,
    pub(crate) max_waiting: u32,
    pub(crate) waiting_seconds: u64,
    pub(crate) stream_options: bool,
    pub(crate) end_user: bool,
    pub(crate) return_reasoning: bool,
    pub(crate) parallel_tool_calls: Option<bool>,
    pub(crate) pdf: Option<RawPdf>,
    pub(crate) pdf_characters: usize,
    pub(crate) system_role: RawSystemRole,
    pub(crate) max_tokens_parameter: Option<RawMaxTokens>,
    pub(crate) alternating_roles: bool,
    pub(crate) reasoning_summary: bool,
    pub(crate) builtin_tools: Vec<RawBuiltinTool>,
    pub(crate) allow_insecure_http: bool,
    /// Where the preset looks for a key that the server may want.
    #[serde(skip)]
    pub(crate) optional_key_env: Option<&'static str>,
    /// What the preset has set, as lines of the file.
    #[serde(skip)]
    pub(crate) preset_sets: Vec<String>,
}

impl Default for RawModel {
    fn default() -> Self {
        Self {
            id: String::new(),
            preset: None,
            kind: ModelKind::OpenAiResponses,
            base_url: None,
            api_key_env: None,
            api_key_file: None,
            api_key_header: "Authorization".to_owned(),
            headers: BTreeMap::new(),
            model: String::new(),
            connect_timeout_seconds: 10,
            first_token_timeout_seconds: 120,
            idle_timeout_seconds: 60,
            retries: 2,
            fallback: Vec::new(),
            max_concurrency: 0,
            max_waiting: 64,
            waiting_seconds: 60,
            stream_options: true,
            end_user: true,
            return_reasoning: true,
            parallel_tool_calls: None,
            pdf: None,
            pdf_characters: 100_000,
            system_role: RawSystemRole::System,
            max_tokens_parameter: None,
            alternating_roles: false,
            reasoning_summary: true,
            builtin_tools: Vec::new(),
            allow_insecure_http: false,
            optional_key_env: None,
            preset_sets: Vec::new(),
        }
    }
}

/// What a model speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModelKind {
    /// OpenAI's Responses API.
    #[serde(rename = "openai-responses")]
    OpenAiResponses,
    /// The Chat Completions API of any server.
    ChatCompletions,
    /// The built-in assistant.
    Demo,
}

/// A provider whose address and habits are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModelPreset {
    /// Mistral's own API.
    Mistral,
    /// A resource at Azure.
    AzureOpenai,
    /// Groq's own API.
    Groq,
    /// The API of `DeepSeek` itself.
    Deepseek,
    /// Ollama on this machine.
    Ollama,
    /// A vLLM server.
    Vllm,
    /// A `LiteLLM` proxy.
    Litellm,
    /// The API of `OpenRouter` itself.
    Openrouter,
}

/// A tool that the provider runs by itself: its name, or a table with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a name such as \"web_search\", or { type = \"file_search\", vector_store_ids = [\"vs_…\"] }"
)]
pub(crate) enum RawBuiltinTool {
    /// `"web_search"`
    Name(String),
    /// `{ type = "web_search", … }`
    Table(BTreeMap<String, serde_json::Value>),
}

/// The value of a header: a text, or where it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a text, { env = \"VARIABLE\" } or { file = \"/path\" }"
)]
pub(crate) enum RawHeader {
    /// `"text"`
    Text(String),
    /// `{ env = "VARIABLE" }`
    Env(RawHeaderEnv),
    /// `{ file = "/path" }`
    File(RawHeaderFile),
}

/// `{ env = "VARIABLE" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHeaderEnv {
    pub(crate) env: String,
}

/// `{ file = "/path" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHeaderFile {
    pub(crate) file: PathBuf,
}

/// `pdf`: how documents go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawPdf {
    /// `"file"`
    File,
    /// `"text"`
    Text,
}

/// `system_role`: how a Chat Completions server calls instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawSystemRole {
    /// `"system"`
    System,
    /// `"developer"`
    Developer,
}

/// `max_tokens_parameter`: how a Chat Completions server calls the length of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawMaxTokens {
    /// `"max_tokens"`
    MaxTokens,
    /// `"max_completion_tokens"`
    MaxCompletionTokens,
}
