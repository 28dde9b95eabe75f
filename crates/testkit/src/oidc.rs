//! A local login provider: it serves whatever documents an issuer would, over real HTTP, and signs
//! tokens in any shape.
//!
//! Issuers have addresses of their own (`https://tenant.auth0.com/…`), which tests must not call.
//! [`OidcServer::reroute`] wraps a client so that each address is asked for at this server, under
//! `/host/path`; a document at a wrong address is not found, as it would be in earnest.

mod key;

use std::{
    borrow::Cow,
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use async_trait::async_trait;
use auth::ports::{
    ClientAuthMethod, FetchError, FetchedKeys, Introspection, KeyFetch, LookupError,
    TokenIntrospection,
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use url::{Url, form_urlencoded};

pub use key::SigningKey;

#[derive(Default)]
struct Shelves {
    /// What is served, by path.
    documents: HashMap<String, String>,
    /// What is said about opaque tokens, by token.
    tokens: HashMap<String, Value>,
    /// How often each path was asked for.
    asked: HashMap<String, usize>,
    /// Which servers tokens are exchanged for, and how long the new ones live.
    targets: Vec<String>,
    exchanged_for: Option<u64>,
    exchanges: usize,
    /// Where the client's id and secret are looked for.
    clients: ClientAuthMethod,
    /// What every request is answered with instead, and its `Retry-After`.
    failure: Option<(u16, u32)>,
}

/// A running provider; it ends when it is dropped.
pub struct OidcServer {
    address: SocketAddr,
    shelves: Arc<Mutex<Shelves>>,
    serving: JoinHandle<()>,
}

/// The client that is allowed to ask about opaque tokens.
pub const CLIENT_ID: &str = "vestibule:test";
/// Its secret.
pub const CLIENT_SECRET: &str = "a secret with spaces & signs";

impl OidcServer {
    /// Starts a provider that serves nothing yet.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shelves = Arc::<Mutex<Shelves>>::default();
        let router = Router::new().fallback(answer).with_state(shelves.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "a server for tests ends with its guard"
        )]
        let serving = tokio::spawn(async move {
            // It fails only when the listener does, and then every request of the test fails too.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            shelves,
            serving,
        })
    }

    /// `http://127.0.0.1:<port>`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves a document at the place of this address: `https://host/path` is kept at `/host/path`.
    pub fn publish(&self, address: &str, document: &Value) -> anyhow::Result<()> {
        let path = place(&Url::parse(address).context("documents have addresses")?);
        self.with(|shelves| shelves.documents.insert(path, document.to_string()));
        Ok(())
    }

    /// What will be said about an opaque token.
    pub fn know(&self, token: &str, answer: Value) {
        self.with(|shelves| shelves.tokens.insert(token.to_owned(), answer));
    }

    /// Exchanges the tokens that are known for tokens of these servers (RFC 8693), which live for so
    /// many seconds, or for as long as nobody says.
    pub fn exchange_for(&self, targets: &[&str], seconds: Option<u64>) {
        self.with(|shelves| {
            shelves.targets = targets.iter().map(|target| (*target).to_owned()).collect();
            shelves.exchanged_for = seconds;
        });
    }

    /// Where the client that asks about tokens has to say who it is; in the header at first.
    pub fn take_clients(&self, method: ClientAuthMethod) {
        self.with(|shelves| shelves.clients = method);
    }

    /// From now on every request is answered with this status and `Retry-After`; `None` ends it.
    pub fn fail(&self, failure: Option<(u16, u32)>) {
        self.with(|shelves| shelves.failure = failure);
    }

    /// How often an address was asked for.
    pub fn asked(&self, address: &str) -> usize {
        let path = Url::parse(address)
            .map(|url| place(&url))
            .unwrap_or_default();
        self.with(|shelves| shelves.asked.get(&path).copied().unwrap_or_default())
    }

    /// How often anything was asked for.
    pub fn asked_in_all(&self) -> usize {
        self.with(|shelves| shelves.asked.values().sum())
    }

    /// Sends every request of a client to this server.
    pub fn reroute<T>(&self, inner: T) -> Rerouted<T> {
        Rerouted {
            inner,
            base: self.base_url(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shelves) -> T) -> T {
        act(&mut self.shelves.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for OidcServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Where the document of an address is kept.
fn place(url: &Url) -> String {
    format!("/{}{}", url.host_str().unwrap_or_default(), url.path())
}

async fn answer(
    State(shelves): State<Arc<Mutex<Shelves>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut shelves = shelves.lock().unwrap_or_else(PoisonError::into_inner);
    *shelves.asked.entry(uri.path().to_owned()).or_default() += 1;
    if let Some((status, retry_after)) = shelves.failure {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return (status, [(header::RETRY_AFTER, retry_after.to_string())]).into_response();
    }
    if method == Method::POST {
        return answer_client(&mut shelves, &headers, &body);
    }
    match shelves.documents.get(uri.path()) {
        Some(document) => (
            [(header::CONTENT_TYPE, "application/json")],
            document.clone(),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What only the client is answered: an exchange (RFC 8693), or what a token is worth (RFC 7662 §2),
/// where an unknown one is not active.
fn answer_client(shelves: &mut Shelves, headers: &HeaderMap, body: &[u8]) -> Response {
    let form: HashMap<_, _> = form_urlencoded::parse(body).collect();
    let header = headers.get(header::AUTHORIZATION);
    let is_client = match shelves.clients {
        // Both halves are form-encoded before they are joined (RFC 6749 §2.3.1).
        ClientAuthMethod::Basic => header.is_some_and(|value| {
            value == "Basic dmVzdGlidWxlJTNBdGVzdDphK3NlY3JldCt3aXRoK3NwYWNlcyslMjYrc2lnbnM="
        }),
        ClientAuthMethod::Post => {
            let is = |name, expected| form.get(name).is_some_and(|text| text == expected);
            header.is_none() && is("client_id", CLIENT_ID) && is("client_secret", CLIENT_SECRET)
        }
    };
    if !is_client {
        let refusal = axum::Json(json!({ "error": "invalid_client" }));
        return (StatusCode::UNAUTHORIZED, refusal).into_response();
    }
    if form.contains_key("grant_type") {
        return exchange(shelves, &form);
    }
    let token = form.get("token");
    let known = token.and_then(|token| shelves.tokens.get(token.as_ref()).cloned());
    axum::Json(known.unwrap_or_else(|| json!({ "active": false }))).into_response()
}

fn exchange(shelves: &mut Shelves, form: &HashMap<Cow<'_, str>, Cow<'_, str>>) -> Response {
    const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    let field = |name: &str| form.get(name).map(AsRef::as_ref);
    // The description repeats what was sent, as some do.
    let refuse = |code: &str| {
        let refusal = json!({ "error": code, "error_description": format!("{form:?}") });
        (StatusCode::BAD_REQUEST, axum::Json(refusal)).into_response()
    };
    if field("grant_type") != Some("urn:ietf:params:oauth:grant-type:token-exchange")
        || field("subject_token_type") != Some(ACCESS_TOKEN)
    {
        return refuse("invalid_request");
    }
    let subject = field("subject_token").unwrap_or_default();
    if !shelves.tokens.contains_key(subject) {
        return refuse("invalid_grant");
    }
    let target = field("resource").or_else(|| field("audience"));
    let Some(target) = target.filter(|name| shelves.targets.iter().any(|known| known == name))
    else {
        return refuse("invalid_target");
    };
    shelves.exchanges += 1;
    axum::Json(json!({
        "access_token": format!("{subject}/{target}/{}", shelves.exchanges),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": shelves.exchanged_for,
    }))
    .into_response()
}

/// A client whose requests all go to the local provider.
#[derive(Debug, Clone)]
pub struct Rerouted<T> {
    inner: T,
    base: String,
}

impl<T> Rerouted<T> {
    fn address(&self, url: &Url) -> Result<Url, String> {
        Url::parse(&format!("{}{}", self.base, place(url))).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl<T: KeyFetch> KeyFetch for Rerouted<T> {
    async fn fetch(&self, url: &Url) -> Result<FetchedKeys, FetchError> {
        let address = self.address(url).map_err(|message| FetchError {
            message,
            retry_after: None,
        })?;
        self.inner.fetch(&address).await
    }
}

#[async_trait]
impl<T: TokenIntrospection> TokenIntrospection for Rerouted<T> {
    async fn introspect(&self, question: Introspection<'_>) -> Result<Vec<u8>, LookupError> {
        let address =
            self.address(question.address)
                .map_err(|message| LookupError::Unavailable {
                    message,
                    retry_after: None,
                })?;
        self.inner
            .introspect(Introspection {
                address: &address,
                ..question
            })
            .await
    }
}
