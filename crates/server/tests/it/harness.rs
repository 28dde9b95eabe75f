//! A whole server on a free port, and what a test needs to talk to it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use auth::{
    ClientSecrets, Domains, Environment, FileLinks, Issuer, Issuers, LoginSessions, Origin,
    PublicTokens, ServerKeys, Signer, UnixTime, WorkflowAccess,
    audit::{AuditEntry, AuditQuery},
    claims::Audience,
    client_secret::ClientSecretLimits,
    issuer::Keys,
    jwk::KeySource,
    jwks::{KeyCacheLimits, KeySet},
    jws::Algorithm,
    ports::{CredentialStore, KeyFetch, Quotas, Random, SystemRandom},
    public_token::NewPublicToken,
    rule::{EntryRule, EntryRules},
    session::SessionRule,
};
use engine::{
    Attachments, CallerLimits, Engine, MediaTypes, ModelChoices, Nodes, Titles, TurnLimits,
    Workflow, WorkflowId, Workflows,
    ports::{Clock, Ids, Model},
};
use protocol::Timestamp;
use reqwest::{
    Method, RequestBuilder, header,
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret, SecretBox};
use serde_json::{Map, Value, json};
use server::{
    App, AppState, Audit, BodyLimits, Demo, Development, DevelopmentUser, Doors, FileAddresses,
    Limits, OpenAiSessions, Rate, Rates, RelayTakes, RelayTarget, RelayTargets, Revocations,
    ServeOptions, Settings, UploadSettings,
};
use store::{Database, LocalFiles};
use tempfile::TempDir;
use testkit::services::PostgreSqlDatabase;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use upstream::{
    ChatCompletions, HttpClient, HttpKeyFetch, HttpPolicy, HttpSessionLookup, McpTools,
    ProviderConfig, Relay, Responses,
    mcp::HTTP_POLICY,
    openai::{MarkKey, Patience, Retries, responses::ResponsesOptions},
    relay::RelayLimits,
};
use url::Url;

/// The `iss` of live users.
pub(crate) const ISSUER: &str = "https://id.example.com";
/// The `iss` of users of the test environment.
pub(crate) const TEST_ISSUER: &str = "https://id.test";
/// The `aud` of both.
pub(crate) const AUDIENCE: &str = "https://chat.example.com";
/// A registered live origin.
pub(crate) const APP_ORIGIN: &str = "https://app.example.com";
/// An origin that nobody registered.
pub(crate) const FOREIGN_ORIGIN: &str = "https://evil.example";
/// The value of a session cookie that the issuer knows as the user `ada`.
pub(crate) const GOOD_COOKIE: &str = "better-auth.session_token=good";
/// The workflows that are configured: the default one, one that is open to all who sign in, two that a
/// test's rules may give, and one that nobody gives.
pub(crate) const WORKFLOWS: [&str; 5] =
    ["wf_test", "wf_open", "wf_added", "wf_pinned", "wf_closed"];
/// When every test begins: 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600;

/// The beginning of a picture; nobody looks further.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and then some";

/// A clock that stands still until a test moves it.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let seconds = self.0.load(Ordering::SeqCst);
        Timestamp::from_microsecond(seconds * 1_000_000).unwrap()
    }
}

struct TestIds(AtomicU64);

impl Ids for TestIds {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// What a test wants to be different from the usual.
pub(crate) struct Options {
    pub(crate) rates: Rates,
    pub(crate) doors: Doors,
    pub(crate) body: BodyLimits,
    pub(crate) keep_alive: Duration,
    pub(crate) quotas: Quotas,
    pub(crate) hosted: Option<OpenAiSessions>,
    pub(crate) development: bool,
    pub(crate) secure: bool,
    /// The address of a model server; without one the demo model answers.
    pub(crate) model: Option<String>,
    /// Whether it is asked by the Responses API, and may draw.
    pub(crate) draws: bool,
    /// Where session cookies are looked up.
    pub(crate) sessions: Option<SocketAddr>,
    pub(crate) idle_timeout: Duration,
    pub(crate) write_timeout: Duration,
    /// How long a connection is kept for its next request, and how long that one's head may take.
    pub(crate) kept_for: Duration,
    pub(crate) head_timeout: Duration,
    pub(crate) max_unread_bytes: u64,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_ip: u32,
    /// Blocks of proxies whose word about their clients is taken.
    pub(crate) trusted_proxies: Vec<&'static str>,
    pub(crate) relay_duration: Duration,
    pub(crate) relay_takes: RelayTakes,
    pub(crate) rules: Vec<EntryRule>,
    pub(crate) access: WorkflowAccess,
    pub(crate) uploads: UploadSettings,
    pub(crate) turn_limits: TurnLimits,
    pub(crate) runs: engine::RunSettings,
    pub(crate) busy: engine::Busy,
    pub(crate) visitor_limits: CallerLimits,
    /// Where the database and the files are; a new folder when absent.
    pub(crate) folder: Option<std::path::PathBuf>,
    pub(crate) max_message_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        let off = Rate::per_minute(0);
        Self {
            rates: Rates {
                requests_per_ip: off,
                secrets_per_user: off,
                turns_per_user: off,
                ..Rates::default()
            },
            doors: Doors {
                client_secret: true,
                public_token: true,
                custom: true,
            },
            body: BodyLimits::default(),
            keep_alive: Duration::from_secs(15),
            quotas: Quotas::default(),
            hosted: None,
            development: false,
            secure: false,
            model: None,
            draws: false,
            sessions: None,
            idle_timeout: Duration::from_secs(5),
            write_timeout: ServeOptions::default().write_timeout,
            kept_for: ServeOptions::default().idle_timeout,
            head_timeout: ServeOptions::default().head_timeout,
            max_unread_bytes: ServeOptions::default().max_unread_bytes,
            max_connections: ServeOptions::default().max_connections,
            max_connections_per_ip: ServeOptions::default().max_connections_per_ip,
            trusted_proxies: Vec::new(),
            relay_duration: Duration::from_mins(10),
            relay_takes: RelayTakes::Unpinned,
            rules: Vec::new(),
            access: WorkflowAccess::new("wf_test", ["wf_open".to_owned()])
                .with_project("bound", ["wf_added".to_owned()]),
            uploads: UploadSettings {
                is_enabled: true,
                visitors: true,
                max_file_bytes: 1_000_000,
                max_files: 3,
                max_bytes_per_user: 3_000_000,
                max_unsent_files: 100,
                media_types: MediaTypes::new(
                    ["image/png", "application/pdf", "text/*"].map(str::to_owned),
                ),
                duration: Duration::from_secs(30),
            },
            turn_limits: TurnLimits::default(),
            runs: engine::RunSettings::default(),
            busy: engine::Busy::Queue,
            visitor_limits: CallerLimits {
                message_bytes: Some(8 << 10),
                ..CallerLimits::default()
            },
            folder: None,
            max_message_bytes: u64::MAX,
        }
    }
}

/// A running server.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) state: AppState,
    pub(crate) store: Arc<dyn Database>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) client: reqwest::Client,
    pub(crate) public_token: String,
    pub(crate) live_public_token: String,
    pub(crate) domain_key: String,
    pub(crate) server_key: String,
    signer: Arc<Signer>,
    stop: CancellationToken,
    tasks: TaskTracker,
    folder: TempDir,
    /// The database, where it is not a file in that folder.
    database: Option<PostgreSqlDatabase>,
}

fn address_of(database: Option<&PostgreSqlDatabase>, folder: &TempDir) -> String {
    match database {
        Some(database) => database.url(),
        None => format!("sqlite://{}/test.db", folder.path().display()),
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let folder = match &options.folder {
            Some(folder) => tempfile::tempdir_in(folder).unwrap(),
            None => tempfile::tempdir().unwrap(),
        };
        let database = PostgreSqlDatabase::where_wanted().await;
        let url = address_of(database.as_ref(), &folder);
        let small = store::Options {
            pool_size: 4,
            ..store::Options::default()
        };
        let store = store::connect(&url, small).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let own = Origin::parse(&format!("http://{address}")).unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        let seed = SecretBox::new(Box::new([7; 32]));
        let signer = Arc::new(Signer::from_seed(&seed).unwrap());
        let public_url = Url::parse(&format!("http://{address}")).unwrap();
        let file_addresses = Arc::new(FileAddresses::new(FileLinks::from_seed(&seed), &public_url));

        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let credentials: Arc<dyn CredentialStore> = store.clone();
        let domains = Arc::new(Domains::new(
            credentials.clone(),
            random.clone(),
            vec![own.clone()],
            None,
        ));
        let public_tokens = PublicTokens::new(credentials.clone(), random.clone(), domains.clone());
        let now = UnixTime::from_seconds(START);
        let domain_key = domains
            .add(APP_ORIGIN, Environment::Live, now)
            .await
            .unwrap()
            .key;
        let public_token = token(&public_tokens, Environment::Test, vec![], options.quotas).await;
        let live_public_token = token(
            &public_tokens,
            Environment::Live,
            vec![APP_ORIGIN.to_owned()],
            options.quotas,
        )
        .await;
        let server_keys = ServerKeys::new(credentials.clone(), random.clone());
        let (server_key, _) = server_keys
            .create("backend", "main", Environment::Live, now)
            .await
            .unwrap();

        let http = HttpClient::new(&HttpPolicy::DOCUMENT).unwrap();
        let fetch: Arc<dyn KeyFetch> = Arc::new(HttpKeyFetch::new(http.clone()));
        let development = options.development.then(|| Development {
            signer: signer.clone(),
            issuer: format!("{own}/dev"),
            audience: own.to_string(),
            users: DevelopmentUser::both(),
        });
        let mut rules = vec![
            issuer(
                ISSUER,
                AUDIENCE,
                Environment::Live,
                &signer,
                options.sessions,
            ),
            issuer(TEST_ISSUER, AUDIENCE, Environment::Test, &signer, None),
        ];
        if let Some(development) = &development {
            let (name, audience) = (&development.issuer, &development.audience);
            rules.push(issuer(name, audience, Environment::Test, &signer, None));
        }
        let issuers =
            Arc::new(Issuers::new(rules, KeyCacheLimits::default(), &fetch, &random).unwrap());
        let (model, relay) = model(&options);
        let trusted_proxies: Vec<_> = options
            .trusted_proxies
            .iter()
            .map(|block| block.parse().unwrap())
            .collect();
        let app = App {
            engine: Engine {
                nodes: Nodes::default(),
                store: store.clone(),
                workflows: Arc::new(workflows(&model, &clock, options.turn_limits, options.busy)),
                attachments: Attachments {
                    records: store.clone(),
                    files: Arc::new(LocalFiles::new(folder.path().join("files"))),
                    links: file_addresses.clone(),
                    model_bytes: 1_000_000,
                },
                clock: clock.clone(),
                ids: Arc::new(TestIds(AtomicU64::new(1))),
                tasks: TaskTracker::new(),
                runs: engine::Runs::new(options.runs),
                max_message_bytes: options.max_message_bytes,
            },
            credentials: credentials.clone(),
            logins: LoginSessions::new(issuers.clone(), Arc::new(HttpSessionLookup::new(http))),
            issuers,
            client_secrets: ClientSecrets::new(credentials, random, ClientSecretLimits::default()),
            public_tokens,
            server_keys,
            domains,
            file_addresses,
            revocations: Revocations::default(),
            signer: signer.clone(),
            readiness: server::Readiness::default(),
            openai_sessions: options.hosted,
            relay: Some(RelayTargets {
                by_workflow: HashMap::from([(
                    WorkflowId::new("wf_test"),
                    RelayTarget {
                        relay,
                        model: "fake".to_owned(),
                        takes: options.relay_takes,
                    },
                )]),
                duration: options.relay_duration,
                limits: RelayLimits {
                    max_tokens: 1_000,
                    choices: 1,
                },
            }),
            demo: options.development.then(|| Demo {
                public_token: Some(public_token.clone()),
                domain_key: Some(domain_key.clone()),
            }),
            development,
            rules: EntryRules::new(options.rules),
            access: options.access,
            limits: Limits::new(options.rates, None),
            audit: Audit::new(store.clone()),
            settings: Settings {
                environment: Environment::Live,
                doors: options.doors,
                secret_lifetime: Duration::from_mins(1),
                visitor_secret_lifetime: Duration::from_mins(1),
                visitor_limits: options.visitor_limits,
                audit_kept: Some(Duration::from_hours(24 * 30)),
                visitors_kept: Some(Duration::from_hours(24 * 30)),
                is_secure: options.secure,
                body: options.body,
                uploads: options.uploads,
                keep_alive: options.keep_alive,
                trusted_proxies: trusted_proxies.clone(),
            },
        };
        let state = AppState::new(app);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let serving = server::serve(
            listener,
            server::router::router(&state),
            state.engine.clone(),
            ServeOptions {
                write_timeout: options.write_timeout,
                idle_timeout: options.kept_for,
                head_timeout: options.head_timeout,
                max_unread_bytes: options.max_unread_bytes,
                max_connections: options.max_connections,
                max_connections_per_ip: options.max_connections_per_ip,
                trusted_proxies,
                grace: Duration::ZERO,
                drain: Duration::from_millis(500),
                ..ServeOptions::default()
            },
            stop.clone().cancelled_owned(),
        );
        tasks.spawn(serving);
        Self {
            address,
            state,
            store,
            clock,
            client: client(),
            public_token,
            live_public_token,
            domain_key,
            server_key: server_key.expose_secret().to_owned(),
            signer,
            stop,
            tasks,
            folder,
            database,
        }
    }

    /// A request to an address of this server.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// A user's token with these claims over the usual ones.
    pub(crate) fn token_with(&self, changes: Value) -> String {
        let mut claims: Map<String, Value> = Map::new();
        let usual = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": START, "exp": START + 900,
        });
        for object in [usual, changes] {
            claims.extend(object.as_object().unwrap().clone());
        }
        claims.retain(|_, value| !value.is_null());
        self.signer.sign(&claims, None).unwrap()
    }

    /// A logout token of the live issuer with these claims over the usual ones.
    pub(crate) fn logout_token(&self, changes: &Value) -> String {
        let usual = json!({
            "iss": ISSUER, "aud": "vestibule", "jti": "1", "iat": START, "exp": START + 120,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let mut claims = usual.as_object().unwrap().clone();
        claims.extend(changes.as_object().unwrap().clone());
        self.signer.sign(&claims, Some("logout+jwt")).unwrap()
    }

    /// A live user's token.
    pub(crate) fn token(&self, user: &str) -> String {
        self.token_with(json!({ "sub": user }))
    }

    /// A client secret of door 1.
    pub(crate) async fn client_secret(&self, user: &str) -> String {
        let answer = self
            .post("/api/chatkit/start")
            .bearer_auth(self.token(user))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        body["client_secret"].as_str().unwrap().to_owned()
    }

    /// One ChatKit request of a user, answered as text (a stream is read to its end).
    pub(crate) async fn chat(&self, user: &str, body: &Value) -> (u16, String) {
        let answer = self
            .post("/api/chat")
            .bearer_auth(self.token(user))
            .json(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Starts a thread; gives its id, the message's id and all events.
    pub(crate) async fn new_thread(&self, user: &str, text: &str) -> (String, String, Vec<Value>) {
        let (status, stream) = self.chat(user, &new_message(text)).await;
        assert_eq!(status, 200, "{stream}");
        let events = events(&stream);
        let thread = events[0]["thread"]["id"].as_str().unwrap().to_owned();
        let message = events[1]["item"]["id"].as_str().unwrap().to_owned();
        (thread, message, events)
    }

    /// Sends a file; gives the status and the answer.
    pub(crate) async fn upload(
        &self,
        credential: &str,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> (u16, Value) {
        let part = Part::bytes(bytes.to_vec())
            .file_name(name.to_owned())
            .mime_str(media_type)
            .unwrap();
        let answer = self
            .post("/v1/chatkit/files")
            .bearer_auth(credential)
            .multipart(Form::new().text("purpose", "chat").part("file", part))
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    /// Sends a picture; gives its id.
    pub(crate) async fn picture(&self, user: &str) -> String {
        let (status, answer) = self
            .upload(&self.token(user), "photo.png", "image/png", PNG)
            .await;
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// The first column of what a statement finds, which both engines understand, asked behind the server's back.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        if let Some(database) = &self.database {
            return database
                .sql(sql)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect();
        }
        let connection = rusqlite::Connection::open(self.folder.path().join("test.db")).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// All that is kept in the database, as bytes.
    pub(crate) fn stored(&self) -> Vec<u8> {
        if let Some(database) = &self.database {
            return database.dump().unwrap();
        }
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.is_file())
            .flat_map(|path| std::fs::read(path).unwrap())
            .collect()
    }

    /// Whether the database is a file.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.database.is_none()
    }

    /// The address of the database.
    pub(crate) fn database_url(&self) -> String {
        address_of(self.database.as_ref(), &self.folder)
    }

    /// The folder of the database.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The audit log so far, with what was still waiting to be written.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        self.state.audit.close().await;
        let everything = AuditQuery::default();
        self.store.list_audit(&everything, 1_000).await.unwrap()
    }

    /// Stops the server and waits until every turn is saved.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The body of a first message.
pub(crate) fn new_message(text: &str) -> Value {
    json!({ "type": "threads.create", "params": { "input": input(text) } })
}

/// What the composer sends.
pub(crate) fn input(text: &str) -> Value {
    json!({
        "content": [{ "type": "input_text", "text": text }],
        "attachments": [],
        "inference_options": {},
    })
}

/// The events of a whole stream, comments left out.
pub(crate) fn events(stream: &str) -> Vec<Value> {
    stream
        .split("\n\n")
        .filter_map(|frame| frame.lines().find_map(|line| line.strip_prefix("data: ")))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The text of the assistant in a stream's events.
pub(crate) fn answer_text(events: &[Value]) -> String {
    events
        .iter()
        .filter(|event| {
            event["type"] == "thread.item.done" && event["item"]["type"] == "assistant_message"
        })
        .filter_map(|event| event["item"]["content"][0]["text"].as_str())
        .collect()
}

fn client() -> reqwest::Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the browser's side, which the server's policy does not bind"
    )]
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

async fn token(
    tokens: &PublicTokens,
    environment: Environment,
    origins: Vec<String>,
    quotas: Quotas,
) -> String {
    let new = NewPublicToken {
        label: "test".to_owned(),
        environment,
        origins,
        workflow: None,
        quotas,
    };
    let (token, _) = tokens
        .create(new, UnixTime::from_seconds(START))
        .await
        .unwrap();
    token.expose_secret().to_owned()
}

fn issuer(
    name: &str,
    audience: &str,
    environment: Environment,
    signer: &Signer,
    sessions: Option<SocketAddr>,
) -> Issuer {
    let algorithms = [Algorithm::EdDsa];
    let keys = KeySet::parse(
        signer.jwks().to_string().as_bytes(),
        &algorithms,
        KeySource::Fetched,
    )
    .unwrap();
    let mut issuer = Issuer::new(
        name,
        Keys::Configured(keys),
        &algorithms,
        Audience::aud([audience]),
    );
    issuer.environment = environment;
    issuer.logout_audience = vec!["vestibule".to_owned()];
    issuer.session = sessions.map(|address| {
        let url = format!("http://{address}/api/auth/get-session");
        SessionRule::better_auth(Url::parse(&url).unwrap())
    });
    issuer
}

fn model(options: &Options) -> (Arc<dyn Model>, Relay) {
    let Some(base_url) = &options.model else {
        let model: Arc<dyn Model> = Arc::new(upstream::Demo::new(Duration::ZERO));
        return (model.clone(), Relay::Translate(model));
    };
    let config = ProviderConfig {
        api_key: Some("sk-upstream".to_owned().into()),
        patience: Patience {
            first_token: options.idle_timeout,
            silence: options.idle_timeout,
        },
        retries: Retries {
            pause: Duration::from_millis(1),
            ..Retries::default()
        },
        ..ProviderConfig::new(Url::parse(base_url).unwrap(), MarkKey::new(&[7; 32]))
    };
    let model = ChatCompletions::new(config.clone()).unwrap();
    let relay = Relay::PassOn(model.clone());
    if options.draws {
        let tools = ResponsesOptions {
            builtin_tools: vec![json!({ "type": "image_generation" })],
            ..ResponsesOptions::default()
        };
        return (Arc::new(Responses::new(config, tools).unwrap()), relay);
    }
    (Arc::new(model), relay)
}

/// The default workflow, and a second version of it that is told about the user and names threads.
fn workflows(
    model: &Arc<dyn Model>,
    clock: &Arc<TestClock>,
    limits: TurnLimits,
    busy: engine::Busy,
) -> Workflows {
    let first = Workflow {
        limits,
        busy,
        ..workflow(model.clone(), clock.clone())
    };
    let second = Workflow {
        version: Some("2".to_owned()),
        instructions: "Be long.".to_owned(),
        user_context: Some("Plan: {{plan}}".to_owned()),
        titles: Titles::FirstMessage,
        ..first.clone()
    };
    let others = WORKFLOWS[1..].iter().map(|id| Workflow {
        id: WorkflowId::new(*id),
        ..first.clone()
    });
    let all = [first.clone(), second].into_iter().chain(others);
    Workflows::new(all.collect()).unwrap()
}

fn workflow(model: Arc<dyn Model>, clock: Arc<dyn Clock>) -> Workflow {
    let http = HttpClient::new(&HTTP_POLICY).unwrap();
    Workflow {
        id: WorkflowId::new("wf_test"),
        version: None,
        instructions: "Be brief.".to_owned(),
        user_context: None,
        model,
        agent: None,
        transcriber: None,
        client_tools: Vec::new(),
        widgets: Arc::default(),
        actions: std::collections::HashMap::new(),
        model_name: "fake".to_owned(),
        model_choices: ModelChoices::These(Vec::new()),
        tools: Arc::new(McpTools::new(Vec::new(), http, None, clock).unwrap()),
        titles: Titles::Off,
        limits: TurnLimits::default(),
        busy: engine::Busy::Queue,
        kept: None,
    }
}

/// An issuer's `get-session`, as Better Auth answers it: 200 and `null` for everybody but one.
pub(crate) async fn session_server() -> SocketAddr {
    use axum::{Json, Router, routing::get};

    async fn get_session(headers: http::HeaderMap) -> Json<Value> {
        let cookie = headers
            .get(header::COOKIE)
            .and_then(|value| value.to_str().ok());
        Json(match cookie {
            Some(GOOD_COOKIE) => json!({
                "session": { "userId": "ada", "expiresAt": "2026-01-08T00:00:00.000Z" },
                "user": { "id": "ada", "name": "Ada" },
            }),
            _ => Value::Null,
        })
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/api/auth/get-session", get(get_session));
    TaskTracker::new().spawn(async move {
        axum::serve(listener, router).await.unwrap();
    });
    address
}
