//! The composition root: from the configuration to a running server's parts.
//!
//! Nothing below this crate reads a file, the environment or the system's clock; all of it comes in here.

mod banner;
mod development;
mod files;
mod issuers;
mod models;
pub(crate) mod outgoing;
mod rules;
pub(crate) mod signing;
mod system;

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use auth::{
    ClientSecrets, Domains, Environment, Issuer, LoginSessions, Origin, PublicTokens, Seeds,
    ServerKeys, Signer, Signing,
    client_secret::ClientSecretLimits,
    ports::{CredentialStore, Random, SystemRandom},
};
use engine::{Attachments, CallerLimits, Engine, MediaTypes, Nodes, RunSettings};
use ipnet::IpNet;
use server::{
    App, AppState, Audit, BasePath, BodyLimits, Demo, Doors, FileAddresses, Limits, OpenAiSessions,
    Rate, Rates, Revocations, ServeOptions, Settings, UploadSettings,
};
use store::{Database, Hold};
use tokio_util::task::TaskTracker;
use upstream::{HttpPolicy, McpTools, openai::sessions::SessionsApi};
use url::Url;

pub(crate) use crate::compose::{
    files::{files, files_at},
    issuers::{client_of as issuer_client, issuers_of, key_fetch, rules as issuer_rules},
    models::{BuiltModels, build as build_models, raw_workflows},
    rules::{access as workflow_access, build as build_rules, check_workflow},
    system::{SystemClock, SystemIds, now},
};
use crate::{
    compose::{development::DevelopmentParts, signing::Follower},
    config::{
        self, Durability, EnvironmentName, OnDisconnect, RawClientSecret, RawConfig, RawLimits,
        RawPublicToken, RawRuns, RawUploads, SecretIssuer, Variables,
    },
    rights,
    telemetry::say,
};

/// What `serve` runs.
pub(crate) struct Composed {
    /// The server's parts.
    pub(crate) app: AppState,
    /// Bounds of its listener.
    pub(crate) serve_options: ServeOptions,
    /// What to tell the person who started it.
    pub(crate) banner: String,
    /// The tools of each workflow, to be looked at.
    pub(crate) tools: Vec<Arc<McpTools>>,
    /// Keeps the signing keys up to date, where they are in the database.
    pub(crate) keys: Option<Follower>,
    /// Keeps other servers from the database; until the process ends, because that is when nothing writes any more.
    pub(crate) hold: Hold,
}

/// The file of the database that the configuration names, when there is none yet.
pub(crate) fn missing_database(config: &RawConfig) -> anyhow::Result<Option<PathBuf>> {
    let url = &config.storage.url;
    let file = store::file_of(url).with_context(|| failed_to_open(url))?;
    let Some(file) = file else { return Ok(None) };
    let file = std::path::absolute(file)?;
    Ok((!file.try_exists()?).then_some(file))
}

/// Opens the database that the configuration names, and makes it, in words, when there is none.
pub(crate) async fn make_store(config: &RawConfig) -> anyhow::Result<Arc<dyn Database>> {
    let missing = missing_database(config)?;
    // SQLite opens what it may only read, and fails with the first person.
    if let Some(obstacle) = obstacle(config) {
        bail!("{}: {obstacle}", failed_to_open(&config.storage.url));
    }
    let store = open_store(config).await?;
    if let Some(file) = missing {
        say(&format!("made a new database: {}", file.display()));
    }
    Ok(store)
}

/// Opens the database that the configuration names; whoever wants none to be made looks first.
pub(crate) async fn open_store(config: &RawConfig) -> anyhow::Result<Arc<dyn Database>> {
    let url = &config.storage.url;
    let opened = store::connect(url, store_options(config)).await;
    opened.with_context(|| match obstacle(config) {
        Some(obstacle) => format!("{}: {obstacle}", failed_to_open(url)),
        None => failed_to_open(url),
    })
}

/// What this user may not do with the file of the database, and what to do.
pub(crate) fn obstacle(config: &RawConfig) -> Option<String> {
    let file = store::file_of(&config.storage.url).ok().flatten()?;
    rights::obstacle(&file)
}

/// Has no other server work with a database that is for one. One that is just being replaced has the time that it takes to
/// end.
async fn hold(config: &RawConfig) -> anyhow::Result<Hold> {
    const SPARE: u64 = 5;
    let server = &config.server;
    let seconds = server.grace_seconds + server.drain_seconds + SPARE;
    let url = &config.storage.url;
    store::hold(url, Duration::from_secs(seconds), |database| {
        say(&format!(
            "another Vestibule serves from {}: waiting for its end, {seconds} s at most",
            database.display()
        ));
    })
    .await
    .with_context(|| failed_to_open(url))
}

/// What is being done when the database cannot be opened, without its password.
fn failed_to_open(url: &str) -> String {
    format!("failed to open storage.url `{}`", store::describe(url))
}

/// How the configuration wants the database to be opened.
pub(crate) fn store_options(config: &RawConfig) -> store::Options {
    store::Options {
        durability: match config.storage.durability {
            Durability::Power => store::Durability::Power,
            Durability::Process => store::Durability::Process,
        },
        pool_size: config.storage.pool_size,
        ..store::Options::default()
    }
}

/// The domain allowlist over a store; `own` are this server's own addresses.
pub(crate) fn domains(store: &Arc<dyn Database>, own: Vec<Origin>) -> Arc<Domains> {
    Arc::new(Domains::new(credentials(store), random(), own, None))
}

/// The store as the keeper of credentials.
pub(crate) fn credentials(store: &Arc<dyn Database>) -> Arc<dyn CredentialStore> {
    store.clone()
}

/// Chance.
pub(crate) fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom)
}

/// How long secrets and sessions live, checked.
pub(crate) fn secret_limits(raw: &RawClientSecret) -> anyhow::Result<ClientSecretLimits> {
    let family = raw.family_lifetime_seconds;
    ensure!(
        family >= raw.lifetime_seconds,
        "doors.client_secret.family_lifetime_seconds ({family}) must be at least lifetime_seconds ({})",
        raw.lifetime_seconds
    );
    ensure!(
        raw.sessions_per_user > 0,
        "doors.client_secret.sessions_per_user must be at least 1"
    );
    Ok(ClientSecretLimits {
        session_lifetime: Duration::from_secs(family),
        sessions_per_user: raw.sessions_per_user,
        ..ClientSecretLimits::default()
    })
}

/// Builds everything that a server at this address needs.
pub(crate) async fn compose(
    config: RawConfig,
    address: SocketAddr,
    variables: &Variables,
) -> anyhow::Result<Composed> {
    let public_url = public_url(&config, address)?;
    let own = Origin::parse(&public_url.origin().ascii_serialization())
        .context("server.public_url is not an origin")?;
    let clock = Arc::new(SystemClock);
    let signing = signing::at_start(&config, variables)?;
    let Signing { signer, links } = signing.clone();
    let file_addresses = Arc::new(FileAddresses::new(links, &public_url));
    let development = config
        .dev
        .enabled
        .then(|| development::issuer(&own))
        .transpose()?;

    let issuers = issuers::build(&config.issuers, development.as_ref(), variables)?;
    let rules = rules::build(&config, &issuers.set)?;
    let access = rules::access(&config)?;
    let shared_clock: Arc<dyn engine::ports::Clock> = clock.clone();
    let models = models::build(
        &config,
        site(&public_url),
        &signer,
        &shared_clock,
        variables,
    )?;
    let door = &config.doors.client_secret;
    let secret_limits = secret_limits(door)?;
    let openai_sessions = openai_sessions(door, variables)?;
    let settings = settings(&config, &public_url)?;
    let tasks = TaskTracker::new();
    let files = files(&config, variables, &tasks)?;
    // After all that the configuration can be refused for, so that no database is made for a bad one.
    let hold = hold(&config).await?;
    let store = make_store(&config).await?;
    let way = store.check_way().await;
    way.with_context(|| failed_to_open(&config.storage.url))?;
    let keys = signing::open(&signing, &config, variables, &store).await?;
    let domains = domains(&store, vec![own.clone()]);
    let public_tokens = PublicTokens::new(credentials(&store), random(), domains.clone());
    let demo = demo(&config, &own, &domains, &public_tokens).await?;
    let tokens = public_tokens.list().await?;
    let has_token = tokens.iter().any(|token| token.revoked_at.is_none());
    let banner = banner::banner(
        &config,
        site(&public_url),
        &models,
        development.is_some(),
        has_token,
        variables,
    );
    let shared = store.shared(config.storage.redis_url.as_deref())?;
    let (peers, buckets) =
        shared.map_or((None, None), |shared| (Some(shared.peers), shared.buckets));
    let app = App {
        engine: Engine {
            store: store.clone(),
            attachments: Attachments {
                records: store.clone(),
                files,
                links: file_addresses.clone(),
                model_bytes: config.uploads.model_bytes,
            },
            workflows: Arc::new(models.workflows),
            clock,
            ids: Arc::new(SystemIds),
            tasks,
            nodes: peers.map_or_else(Nodes::default, Nodes::new),
            runs: engine::Runs::new(run_settings(&config.runs)),
            max_message_bytes: config.limits.message_bytes_per_user,
        },
        credentials: credentials(&store),
        logins: LoginSessions::new(issuers.set.clone(), issuers.sessions),
        issuers: issuers.set,
        client_secrets: ClientSecrets::new(credentials(&store), random(), secret_limits),
        public_tokens,
        server_keys: ServerKeys::new(credentials(&store), random()),
        domains,
        file_addresses,
        revocations: Revocations::default(),
        signer,
        openai_sessions,
        relay: models.relay,
        demo,
        development: development.map(DevelopmentParts::into_issuer),
        rules,
        access,
        limits: Limits::new(rates(&config.limits), buckets),
        audit: Audit::new(store.clone()),
        readiness: server::Readiness::default(),
        settings,
    };
    let trusted_proxies = app.settings.trusted_proxies.clone();
    Ok(Composed {
        app: AppState::new(app),
        serve_options: ServeOptions {
            head_timeout: Duration::from_secs(config.server.head_timeout_seconds.max(1)),
            idle_timeout: Duration::from_secs(config.server.idle_seconds.max(1)),
            // A whole file with its form, so that who sends one learns that their session has ended.
            max_unread_bytes: ServeOptions::default()
                .max_unread_bytes
                .max(config.uploads.max_file_bytes.saturating_add(1 << 20)),
            write_timeout: Duration::from_secs(config.server.write_timeout_seconds.max(1)),
            max_connections: config.server.max_connections.max(1),
            max_connections_per_ip: config.server.max_connections_per_ip,
            base_path: base_path(&config)?,
            trusted_proxies,
            grace: if config.dev.enabled {
                Duration::ZERO
            } else {
                Duration::from_secs(config.server.grace_seconds)
            },
            drain: Duration::from_secs(config.server.drain_seconds),
        },
        banner,
        tools: models.tools.into_iter().map(|(_, tools)| tools).collect(),
        keys,
        hold,
    })
}

fn run_settings(raw: &RawRuns) -> RunSettings {
    RunSettings {
        detached: Duration::from_secs(raw.detached_seconds),
        goes_on_unread: raw.on_disconnect == OnDisconnect::Continue,
        readable: Duration::from_secs(raw.finished_seconds),
        recoveries: if raw.recover { raw.recover_attempts } else { 0 },
    }
}

/// The rules of everybody who may vouch for users, as a command next to the server can go by them: those that are
/// configured, and the development issuer when it is on.
pub(crate) fn all_issuer_rules(
    config: &RawConfig,
    variables: &Variables,
) -> anyhow::Result<Vec<Issuer>> {
    let mut rules = issuer_rules(&config.issuers, variables)?;
    if config.dev.enabled {
        let public_url = public_url(config, listen_address(config)?)?;
        let own = Origin::parse(&public_url.origin().ascii_serialization())?;
        rules.push(development::rules_from_outside(&own)?);
    }
    Ok(rules)
}

fn listen_address(config: &RawConfig) -> anyhow::Result<SocketAddr> {
    let listen = &config.server.listen;
    listen
        .parse()
        .with_context(|| format!("server.listen `{listen}` is not ADDRESS:PORT"))
}

/// Builds what can be built without a port and a database, to see whether the configuration is good.
pub(crate) fn check(config: &RawConfig, variables: &Variables) -> anyhow::Result<BuiltModels> {
    let public_url = public_url(config, listen_address(config)?)?;
    if let Some(url) = &config.storage.redis_url {
        // Not repeated: there may be a password in it.
        store::check_redis(url).context("storage.redis_url (or REDIS_URL)")?;
    }
    let issuers = issuers::build(&config.issuers, None, variables)?;
    rules::build(config, &issuers.set)?;
    rules::access(config)?;
    secret_limits(&config.doors.client_secret)?;
    openai_sessions(&config.doors.client_secret, variables)?;
    settings(config, &public_url)?;
    files(config, variables, &TaskTracker::new())?;
    // What is wrong with the key is told by whoever needs it.
    let seeds = signing::read(config, variables).ok().flatten();
    let signer = signer_of(seeds.as_ref())?;
    let clock: Arc<dyn engine::ports::Clock> = Arc::new(SystemClock);
    build_models(config, site(&public_url), &signer, &clock, variables)
}

/// The tools of these MCP servers, without a port and a model; the seeds are those of the server, where they are needed.
pub(crate) fn mcp_tools(
    config: &RawConfig,
    variables: &Variables,
    names: &[String],
    seeds: Option<&Seeds>,
) -> anyhow::Result<McpTools> {
    let public_url = public_url(config, listen_address(config)?)?;
    let signer = signer_of(seeds)?;
    let clock = Arc::new(SystemClock);
    models::tools(config, site(&public_url), &signer, clock, variables, names)
}

/// The server's own keys, where they are at hand, so that whoever is asked knows them; else one that nobody knows.
fn signer_of(seeds: Option<&Seeds>) -> anyhow::Result<Arc<Signer>> {
    Ok(Arc::new(match seeds {
        Some(seeds) => Signer::from_seeds(seeds)?,
        None => Signer::from_seed(&signing::throwaway()?)?,
    }))
}

/// The server's address without a slash at the end, as it names itself.
fn site(public_url: &Url) -> &str {
    public_url.as_str().trim_end_matches('/')
}

/// Where browsers reach this server. Behind `0.0.0.0` nobody can be reached, so `localhost` stands
/// for it until the operator says better.
fn public_url(config: &RawConfig, address: SocketAddr) -> anyhow::Result<Url> {
    let text = match &config.server.public_url {
        Some(url) => url.clone(),
        None if address.ip().is_unspecified() => format!("http://localhost:{}", address.port()),
        None => format!("http://{address}"),
    };
    let url = Url::parse(&text)
        .with_context(|| format!("server.public_url `{text}` is not a web address"))?;
    let base = base_path(config)?;
    ensure!(
        matches!(url.scheme(), "http" | "https") && url.query().is_none(),
        "server.public_url `{text}` must be http or https, like https://chat.example.com"
    );
    let path = url.path().trim_end_matches('/');
    ensure!(
        path.is_empty() || path == base.as_str(),
        "server.public_url `{text}` has a path; set server.base_path = \"{path}\" as well, so that the server answers there"
    );
    Ok(url.join(&format!("{}/", base.as_str()))?)
}

/// The path below which the server is.
fn base_path(config: &RawConfig) -> anyhow::Result<BasePath> {
    let text = &config.server.base_path;
    text.parse()
        .with_context(|| format!("failed to use server.base_path `{text}`"))
}

fn settings(config: &RawConfig, public_url: &Url) -> anyhow::Result<Settings> {
    let mut trusted_proxies = Vec::new();
    for block in &config.server.trusted_proxies {
        trusted_proxies.push(block.parse::<IpNet>().with_context(|| {
            format!("server.trusted_proxies: `{block}` is not a CIDR block like 10.0.0.0/8")
        })?);
    }
    let mut workflows = config.workflows.iter();
    let is_spoken_to = workflows.any(|raw| raw.transcription.is_some() || raw.agent.is_some());
    let doors = &config.doors;
    Ok(Settings {
        doors: open_doors(config),
        secret_lifetime: lifetime(
            "doors.client_secret.lifetime_seconds",
            doors.client_secret.lifetime_seconds,
        )?,
        visitor_secret_lifetime: lifetime(
            "doors.public_token.lifetime_seconds",
            doors.public_token.lifetime_seconds,
        )?,
        audit_kept: days(config.audit.retention_days),
        visitors_kept: days(doors.public_token.forget_visitors_after_days),
        environment: users_environment(config),
        is_secure: public_url.scheme() == "https",
        body: BodyLimits {
            bytes: config.limits.request_bytes,
            speech_bytes: if is_spoken_to {
                config.limits.speech_bytes
            } else {
                0
            },
            duration: Duration::from_secs(config.limits.request_seconds.max(1)),
        },
        uploads: uploads(&config.uploads, &config.limits)?,
        visitor_limits: visitor_limits(&doors.public_token),
        keep_alive: Duration::from_secs(config.server.keep_alive_seconds.max(1)),
        trusted_proxies,
    })
}

/// Which doors the configuration opens.
fn open_doors(config: &RawConfig) -> Doors {
    let doors = &config.doors;
    Doors {
        client_secret: doors.client_secret.enabled,
        public_token: doors.public_token.enabled,
        custom: doors.custom.enabled,
    }
}

fn uploads(raw: &RawUploads, limits: &RawLimits) -> anyhow::Result<UploadSettings> {
    for media_type in &raw.media_types {
        let is_whole = media_type
            .split_once('/')
            .is_some_and(|(family, name)| !family.is_empty() && !name.is_empty());
        ensure!(
            is_whole,
            "uploads.media_types: `{media_type}` is not a media type like image/png or text/*"
        );
    }
    Ok(UploadSettings {
        is_enabled: raw.enabled,
        visitors: raw.visitors,
        max_file_bytes: raw.max_file_bytes,
        max_files: raw.max_files,
        max_bytes_per_user: raw.max_bytes_per_user,
        max_unsent_files: limits.unsent_files_per_user,
        media_types: MediaTypes::new(raw.media_types.clone()),
        duration: Duration::from_secs(raw.seconds.max(1)),
    })
}

fn visitor_limits(raw: &RawPublicToken) -> CallerLimits {
    CallerLimits {
        message_bytes: Some(raw.message_bytes).filter(|bytes| *bytes > 0),
        history_tokens: Some(raw.history_tokens).filter(|tokens| *tokens > 0),
        max_output_tokens: NonZeroU32::new(raw.max_output_tokens),
    }
}

/// Test, when nobody else can sign in; else live.
fn users_environment(config: &RawConfig) -> Environment {
    let mut issuers = config.issuers.iter();
    let is_test = match issuers.len() {
        0 => config.dev.enabled,
        _ => issuers.all(|issuer| issuer.environment == EnvironmentName::Test),
    };
    if is_test {
        Environment::Test
    } else {
        Environment::Live
    }
}

/// So many days; 0 is for ever.
fn days(count: u32) -> Option<Duration> {
    (count > 0).then(|| Duration::from_hours(24 * u64::from(count)))
}

fn lifetime(key: &str, seconds: u64) -> anyhow::Result<Duration> {
    ensure!(
        (60..=86_400).contains(&seconds),
        "{key} is {seconds}; it must be 60 to 86400 seconds"
    );
    Ok(Duration::from_secs(seconds))
}

fn rates(raw: &RawLimits) -> Rates {
    Rates {
        requests_per_ip: Rate::per_minute(raw.requests_per_ip_per_minute),
        secrets_per_user: Rate::per_minute(raw.secrets_per_user_per_minute),
        turns_per_user: Rate::per_minute(raw.turns_per_user_per_minute),
        turns_at_once: raw.turns_per_user_at_once,
        turns_at_once_per_ip: raw.turns_per_ip_at_once,
        turns_at_once_in_all: raw.turns_at_once,
    }
}

fn openai_sessions(
    raw: &RawClientSecret,
    variables: &Variables,
) -> anyhow::Result<Option<OpenAiSessions>> {
    if raw.issuer == SecretIssuer::Vestibule {
        return Ok(None);
    }
    let Some(workflow) = raw.openai_workflow.clone() else {
        bail!(
            "doors.client_secret.issuer is \"openai\", so openai_workflow must name a workflow there"
        );
    };
    let key = config::secret(
        "doors.client_secret.openai_api_key",
        variables,
        raw.openai_api_key_env.as_deref(),
        raw.openai_api_key_file.as_deref(),
    )?;
    let Some(key) = key.or_else(|| variables.get("OPENAI_API_KEY").map(Into::into)) else {
        bail!("doors.client_secret.issuer is \"openai\", so OPENAI_API_KEY must be set");
    };
    config::check_bearer(&key).context("doors.client_secret.issuer is \"openai\"")?;
    let base = raw
        .openai_base_url
        .as_deref()
        .or_else(|| variables.get("OPENAI_BASE_URL"))
        .unwrap_or(models::OPENAI_BASE_URL);
    let base = Url::parse(base)
        .with_context(|| format!("doors.client_secret.openai_base_url `{base}`"))?;
    let policy = HttpPolicy {
        total_timeout: Some(Duration::from_secs(15)),
        ..HttpPolicy::DOCUMENT
    };
    let api = SessionsApi::new(base, key, &policy)?;
    Ok(Some(OpenAiSessions { api, workflow }))
}

/// The demo page and what it needs. With `--dev` its token and its key are real ones of this store.
async fn demo(
    config: &RawConfig,
    own: &Origin,
    domains: &Domains,
    tokens: &PublicTokens,
) -> anyhow::Result<Option<Demo>> {
    if !config.pages.demo.unwrap_or(config.dev.enabled) {
        return Ok(None);
    }
    let mut demo = Demo {
        public_token: config.pages.public_token.clone(),
        domain_key: config.pages.domain_key.clone(),
    };
    if config.dev.enabled {
        if demo.public_token.is_none() {
            let folder = config.server.key_file().parent();
            demo.public_token = Some(development::public_token(tokens, folder).await?);
        }
        if demo.domain_key.is_none() {
            demo.domain_key = Some(development::domain_key(domains, own).await?);
        }
    }
    Ok(Some(demo))
}
