//! The configuration as it is written: the shape of `vestibule.toml`, with its defaults.
//!
//! Every table refuses unknown keys. `config.default.toml` documents these keys for people; a test
//! holds the two together.

mod metrics;
mod model;
mod outgoing;
mod workflow;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::FilesPlace;

pub(crate) use self::metrics::RawMetrics;
pub(crate) use self::model::{
    ModelKind, ModelPreset, RawBuiltinTool, RawHeader, RawMaxTokens, RawModel, RawPdf,
    RawSystemRole,
};
pub(crate) use self::outgoing::RawOutgoing;
pub(crate) use self::workflow::{
    RawAction, RawAgent, RawAgentProtocol, RawBusy, RawClientTool, RawModelChoices, RawTitles,
    RawWorkflow,
};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[schemars(title = "Vestibule configuration")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawConfig {
    pub(crate) server: RawServer,
    pub(crate) storage: RawStorage,
    pub(crate) outgoing: RawOutgoing,
    pub(crate) runs: RawRuns,
    pub(crate) log: RawLog,
    pub(crate) issuers: Vec<RawIssuer>,
    pub(crate) rule: Vec<RawRule>,
    pub(crate) projects: Vec<RawProject>,
    pub(crate) doors: RawDoors,
    pub(crate) models: Vec<RawModel>,
    pub(crate) workflows: Vec<RawWorkflow>,
    pub(crate) mcp_servers: Vec<RawMcpServer>,
    pub(crate) uploads: RawUploads,
    pub(crate) limits: RawLimits,
    pub(crate) audit: RawAudit,
    pub(crate) metrics: RawMetrics,
    pub(crate) pages: RawPages,
    pub(crate) dev: RawDev,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawServer {
    pub(crate) listen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
    pub(crate) base_path: String,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) head_timeout_seconds: u64,
    pub(crate) idle_seconds: u64,
    pub(crate) write_timeout_seconds: u64,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_ip: u32,
    pub(crate) grace_seconds: u64,
    pub(crate) drain_seconds: u64,
    pub(crate) keep_alive_seconds: u64,
    pub(crate) signing_key_env: Option<String>,
    pub(crate) signing_key_file: Option<PathBuf>,
    pub(crate) signing_key_secret_env: Option<String>,
    /// Where the key's file is when nothing names one; nobody writes it down.
    #[serde(skip)]
    pub(crate) usual_key_file: PathBuf,
}

impl RawServer {
    /// The signing key's file, where the key is in one.
    pub(crate) fn key_file(&self) -> &Path {
        let named = self.signing_key_file.as_ref();
        named.unwrap_or(&self.usual_key_file)
    }
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            public_url: None,
            base_path: String::new(),
            trusted_proxies: Vec::new(),
            head_timeout_seconds: 30,
            idle_seconds: 75,
            write_timeout_seconds: 60,
            max_connections: 10_000,
            max_connections_per_ip: 256,
            grace_seconds: 5,
            drain_seconds: 20,
            keep_alive_seconds: 15,
            signing_key_env: None,
            signing_key_file: None,
            signing_key_secret_env: None,
            usual_key_file: PathBuf::from("./data/signing.key"),
        }
    }
}

/// `[storage]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawStorage {
    /// Printed without its password.
    #[serde(serialize_with = "without_password")]
    pub(crate) url: String,
    /// Printed without its password.
    #[serde(serialize_with = "without_any_password")]
    pub(crate) redis_url: Option<String>,
    pub(crate) pool_size: usize,
    /// A folder, or `s3://BUCKET/PREFIX`.
    #[schemars(with = "String")]
    pub(crate) files: FilesPlace,
    pub(crate) durability: Durability,
}

fn without_password<S: serde::Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&store::describe(url))
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn without_any_password<S: serde::Serializer>(
    url: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    url.as_deref()
        .map(store::describe_redis)
        .serialize(serializer)
}

/// What a saved message survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Durability {
    /// A power cut.
    Power,
    /// The end of the process.
    Process,
}

impl Default for RawStorage {
    fn default() -> Self {
        Self {
            url: "sqlite://./data/vestibule.db".to_owned(),
            redis_url: None,
            pool_size: 16,
            files: FilesPlace::Folder(PathBuf::from("./data/files")),
            durability: Durability::Power,
        }
    }
}

/// `[runs]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRuns {
    pub(crate) detached_seconds: u64,
    pub(crate) on_disconnect: OnDisconnect,
    pub(crate) finished_seconds: u64,
    pub(crate) recover: bool,
    pub(crate) recover_attempts: u32,
}

impl Default for RawRuns {
    fn default() -> Self {
        Self {
            detached_seconds: 120,
            on_disconnect: OnDisconnect::Stop,
            finished_seconds: 60,
            recover: false,
            recover_attempts: 2,
        }
    }
}

/// What closing a connection means, where the client knows no way to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnDisconnect {
    /// The answer ends.
    Stop,
    /// It goes on to its end.
    Continue,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLog {
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// People.
    Text,
    /// Machines.
    Json,
}

/// `[[issuers]]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file, by its own name"
)]
pub(crate) struct RawIssuer {
    pub(crate) preset: Option<IssuerPreset>,
    pub(crate) url: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) pool: Option<String>,
    pub(crate) tenants: Vec<String>,
    pub(crate) client_ids: Vec<String>,
    pub(crate) authorized_parties: Vec<String>,
    pub(crate) hosted_domains: Vec<String>,
    pub(crate) token_use: RawTokenUse,
    pub(crate) issuer: Option<String>,
    pub(crate) environment: EnvironmentName,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) discovery: bool,
    pub(crate) hmac_secret_env: Option<String>,
    pub(crate) hmac_secret_file: Option<PathBuf>,
    pub(crate) audience_claim: String,
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Vec<String>,
    pub(crate) required_claims: BTreeMap<String, serde_json::Value>,
    pub(crate) subject_claim: String,
    pub(crate) token_type: Option<TokenType>,
    pub(crate) machine_tokens: bool,
    pub(crate) leeway_seconds: u64,
    pub(crate) max_token_age_seconds: u64,
    pub(crate) kid_required: bool,
    pub(crate) logout_audience: Vec<String>,
    pub(crate) introspection_url: Option<String>,
    pub(crate) introspection_client_id: Option<String>,
    pub(crate) introspection_client_secret_env: Option<String>,
    pub(crate) introspection_client_secret_file: Option<PathBuf>,
    pub(crate) introspection_auth_method: RawClientAuthMethod,
    pub(crate) introspection_audience_claim: String,
    pub(crate) introspection_audience: Vec<String>,
    pub(crate) introspection_seconds: u64,
    pub(crate) opaque_token_prefix: String,
    pub(crate) introspect_unprefixed: bool,
    pub(crate) exchange_client_id: Option<String>,
    pub(crate) exchange_client_secret_env: Option<String>,
    pub(crate) exchange_client_secret_file: Option<PathBuf>,
    pub(crate) exchange_auth_method: RawClientAuthMethod,
    pub(crate) exchange_url: Option<String>,
    pub(crate) allow_insecure_http: bool,
}

impl Default for RawIssuer {
    fn default() -> Self {
        Self {
            preset: None,
            url: None,
            domain: None,
            project: None,
            pool: None,
            tenants: Vec::new(),
            client_ids: Vec::new(),
            authorized_parties: Vec::new(),
            hosted_domains: Vec::new(),
            token_use: RawTokenUse::Access,
            issuer: None,
            environment: EnvironmentName::Live,
            jwks_uri: None,
            discovery: false,
            hmac_secret_env: None,
            hmac_secret_file: None,
            audience_claim: "aud".to_owned(),
            audience: Vec::new(),
            algorithms: Vec::new(),
            required_claims: BTreeMap::new(),
            subject_claim: "sub".to_owned(),
            token_type: None,
            machine_tokens: false,
            leeway_seconds: 30,
            max_token_age_seconds: 0,
            kid_required: false,
            logout_audience: Vec::new(),
            introspection_url: None,
            introspection_client_id: None,
            introspection_client_secret_env: None,
            introspection_client_secret_file: None,
            introspection_auth_method: RawClientAuthMethod::Basic,
            introspection_audience_claim: "aud".to_owned(),
            introspection_audience: Vec::new(),
            introspection_seconds: 30,
            opaque_token_prefix: String::new(),
            introspect_unprefixed: false,
            exchange_client_id: None,
            exchange_client_secret_env: None,
            exchange_client_secret_file: None,
            exchange_auth_method: RawClientAuthMethod::Basic,
            exchange_url: None,
            allow_insecure_http: false,
        }
    }
}

/// An issuer that needs no further description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IssuerPreset {
    /// A Better Auth server with its `jwt` plugin.
    BetterAuth,
    /// A Better Auth server with its OAuth provider.
    BetterAuthOauth,
    /// Auth0.
    Auth0,
    /// Clerk.
    Clerk,
    /// Supabase with signing keys.
    Supabase,
    /// Supabase with the legacy JWT secret.
    SupabaseLegacy,
    /// Firebase Authentication.
    Firebase,
    /// A Keycloak realm.
    Keycloak,
    /// An Amazon Cognito user pool.
    Cognito,
    /// Tenants of Microsoft Entra ID.
    Entra,
    /// Google's ID tokens.
    Google,
    /// Auth.js, which cannot be supported; known, so that the reason can be told.
    Authjs,
}

/// Which of its tokens a Cognito application sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawTokenUse {
    /// The access token.
    Access,
    /// The ID token.
    Id,
}

/// Where an OAuth client says who it is, by the names of RFC 7591 §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum RawClientAuthMethod {
    /// In the `Authorization` header.
    #[serde(rename = "client_secret_basic")]
    Basic,
    /// In the body.
    #[serde(rename = "client_secret_post")]
    Post,
}

/// `[[rule]]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRule {
    pub(crate) name: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) when: Vec<RawCondition>,
    pub(crate) deny: Option<String>,
    pub(crate) workflow: Option<String>,
    pub(crate) workflows: Vec<String>,
    pub(crate) turns_per_minute: Option<u32>,
    pub(crate) turns_at_once: Option<usize>,
}

/// `[[projects]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawProject {
    pub(crate) name: String,
    pub(crate) workflows: Vec<String>,
}

/// One of `when`: a claim, and exactly one test.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawCondition {
    pub(crate) claim: RawClaim,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) one_of: Option<Vec<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contains: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) present: Option<bool>,
}

/// A claim's name, or the way to a claim inside others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a claim's name, or a list of names that leads to it"
)]
pub(crate) enum RawClaim {
    /// `"role"`
    Name(String),
    /// `["realm_access", "roles"]`
    Path(Vec<String>),
}

impl Default for RawClaim {
    fn default() -> Self {
        Self::Path(Vec::new())
    }
}

/// Which set of origins belongs to an issuer's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentName {
    /// Registered origins only.
    Live,
    /// Pages on this machine too.
    Test,
}

/// The `typ` that a token may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum TokenType {
    /// None, or `JWT`.
    #[serde(rename = "jwt")]
    Jwt,
    /// RFC 9068 access tokens.
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// Either.
    #[serde(rename = "either")]
    Either,
}

/// `[doors.*]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[schemars(title = "Vestibule configuration")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDoors {
    pub(crate) client_secret: RawClientSecret,
    pub(crate) public_token: RawPublicToken,
    pub(crate) custom: RawCustom,
}

/// `[doors.client_secret]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawClientSecret {
    pub(crate) enabled: bool,
    pub(crate) issuer: SecretIssuer,
    pub(crate) lifetime_seconds: u64,
    pub(crate) family_lifetime_seconds: u64,
    pub(crate) sessions_per_user: u32,
    pub(crate) openai_workflow: Option<String>,
    pub(crate) openai_api_key_env: Option<String>,
    pub(crate) openai_api_key_file: Option<PathBuf>,
    pub(crate) openai_base_url: Option<String>,
}

impl Default for RawClientSecret {
    fn default() -> Self {
        Self {
            enabled: true,
            issuer: SecretIssuer::Vestibule,
            lifetime_seconds: 3_600,
            family_lifetime_seconds: 86_400,
            sessions_per_user: 32,
            openai_workflow: None,
            openai_api_key_env: None,
            openai_api_key_file: None,
            openai_base_url: None,
        }
    }
}

/// Who mints door 1's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretIssuer {
    /// This server.
    Vestibule,
    /// OpenAI's sessions API, after our check.
    OpenAi,
}

/// `[doors.public_token]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawPublicToken {
    pub(crate) enabled: bool,
    pub(crate) lifetime_seconds: u64,
    pub(crate) forget_visitors_after_days: u32,
    pub(crate) message_bytes: usize,
    pub(crate) history_tokens: u32,
    pub(crate) max_output_tokens: u32,
}

impl Default for RawPublicToken {
    fn default() -> Self {
        Self {
            enabled: true,
            lifetime_seconds: 3_600,
            forget_visitors_after_days: 90,
            message_bytes: 8 << 10,
            history_tokens: 8_000,
            max_output_tokens: 2_048,
        }
    }
}

/// `[doors.custom]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawCustom {
    pub(crate) enabled: bool,
    pub(crate) relay: bool,
    pub(crate) relay_seconds: u64,
    pub(crate) relay_max_tokens: u64,
    pub(crate) relay_choices: u64,
}

impl Default for RawCustom {
    fn default() -> Self {
        Self {
            enabled: true,
            relay: true,
            relay_seconds: 600,
            relay_max_tokens: 16_384,
            relay_choices: 1,
        }
    }
}

/// `[[mcp_servers]]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawMcpServer {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) command: Option<String>,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, RawHeader>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) identity: RawMcpIdentity,
    pub(crate) audience: Option<String>,
    pub(crate) passthrough: Option<RawPassthrough>,
    pub(crate) api_key_env: Option<String>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) approve: RawApprove,
    pub(crate) timeout_seconds: u64,
    pub(crate) total_timeout_seconds: u64,
    pub(crate) result_bytes: usize,
    pub(crate) allow_insecure_http: bool,
}

impl Default for RawMcpServer {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            identity: RawMcpIdentity::Signed,
            audience: None,
            passthrough: None,
            api_key_env: None,
            api_key_file: None,
            approve: RawApprove::Word(RawApproveWord::Destructive),
            timeout_seconds: 60,
            total_timeout_seconds: 300,
            result_bytes: 65_536,
            allow_insecure_http: false,
        }
    }
}

/// `approve`: a word, or a list of names of tools.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected \"destructive\", \"always\", \"never\", or a list of tools such as [\"delete_*\"]"
)]
pub(crate) enum RawApprove {
    /// For which of them.
    Word(RawApproveWord),
    /// `["name", …]`
    These(Vec<String>),
}

/// Which tools a person is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawApproveWord {
    /// Those that say that they destroy something.
    Destructive,
    /// All.
    Always,
    /// None.
    Never,
}

/// How the user's identity travels to an MCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawMcpIdentity {
    /// A short-lived token, signed by us.
    Signed,
    /// The user's own token.
    Token,
    /// A token that the issuer gives for the user's own.
    Exchange,
    /// Not at all.
    None,
}

/// `passthrough`: that the operator knows what it means to give away tokens that are meant for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawPassthrough {
    /// `"i-know"`
    IKnow,
}

/// `[uploads]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawUploads {
    pub(crate) enabled: bool,
    pub(crate) visitors: bool,
    pub(crate) max_file_bytes: u64,
    pub(crate) max_files: usize,
    pub(crate) max_bytes_per_user: u64,
    pub(crate) media_types: Vec<String>,
    pub(crate) seconds: u64,
    pub(crate) model_bytes: u64,
}

impl Default for RawUploads {
    fn default() -> Self {
        let media_types = [
            "image/png",
            "image/jpeg",
            "image/gif",
            "image/webp",
            "application/pdf",
            "application/json",
            "text/*",
        ];
        Self {
            enabled: true,
            visitors: false,
            max_file_bytes: 32 << 20,
            max_files: 10,
            max_bytes_per_user: 512 << 20,
            media_types: media_types.map(str::to_owned).to_vec(),
            seconds: 300,
            model_bytes: 20 << 20,
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLimits {
    pub(crate) request_bytes: usize,
    pub(crate) speech_bytes: usize,
    pub(crate) request_seconds: u64,
    pub(crate) requests_per_ip_per_minute: u32,
    pub(crate) secrets_per_user_per_minute: u32,
    pub(crate) turns_per_user_per_minute: u32,
    pub(crate) turns_per_user_at_once: usize,
    pub(crate) turns_per_ip_at_once: usize,
    pub(crate) turns_at_once: usize,
    pub(crate) message_bytes_per_user: u64,
    pub(crate) unsent_files_per_user: u32,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            request_bytes: 1 << 20,
            speech_bytes: 10 << 20,
            request_seconds: 30,
            requests_per_ip_per_minute: 1_200,
            secrets_per_user_per_minute: 30,
            turns_per_user_per_minute: 60,
            turns_per_user_at_once: 16,
            turns_per_ip_at_once: 256,
            turns_at_once: 4_000,
            message_bytes_per_user: 256 << 20,
            unsent_files_per_user: 100,
        }
    }
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAudit {
    pub(crate) retention_days: u32,
}

impl Default for RawAudit {
    fn default() -> Self {
        Self { retention_days: 90 }
    }
}

/// `[pages]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawPages {
    pub(crate) demo: Option<bool>,
    pub(crate) public_token: Option<String>,
    pub(crate) domain_key: Option<String>,
}

/// `[dev]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDev {
    pub(crate) enabled: bool,
}
