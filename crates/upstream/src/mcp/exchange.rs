//! Token exchange (RFC 8693): the user's token is taken to the issuer that made it, and comes back as
//! another one that is meant for a tool server and for nobody else.

use std::{collections::HashMap, time::Duration};

use auth::ports::ClientAuthMethod;
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::OnceCell, time::Instant};
use url::{Url, form_urlencoded::Serializer};

use crate::{
    http::{HttpClient, read_body},
    introspection::basic,
    keys::in_words,
};

const MAX_BODY_BYTES: usize = 256 * 1024;
/// How long a token is used whose issuer does not say how long it lives.
const UNSAID_LIFETIME: Duration = Duration::from_mins(1);
/// A token is not used in the last moments of its life, so that no call begins with one that ends.
const RESERVE: Duration = Duration::from_secs(30);
/// Nobody's rights stay as they were for longer than this, whatever the issuer says.
const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// The client that exchanges the tokens of one issuer.
#[derive(Debug, Clone)]
pub struct ExchangeClient {
    /// The token endpoint; `None` asks the issuer's discovery document for it.
    pub address: Option<Url>,
    /// Its name at the issuer.
    pub client_id: String,
    /// Its secret there.
    pub client_secret: SecretString,
    /// Where the two are put.
    pub auth_method: ClientAuthMethod,
    /// How the issuer is called.
    pub http: HttpClient,
}

/// Exchanges users' tokens at the issuers that made them.
#[derive(Debug, Default)]
pub struct TokenExchange {
    issuers: HashMap<String, Issuer>,
}

#[derive(Debug)]
struct Issuer {
    name: String,
    client: ExchangeClient,
    /// The token endpoint that discovery named.
    found: OnceCell<Url>,
}

/// What a token is wanted for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// The address of the server (RFC 8707).
    Resource(&'a Url),
    /// The name that the issuer knows the server by.
    Audience(&'a str),
}

/// A token for one user and one server.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) token: SecretString,
    /// Until when it is used.
    pub(super) until: Instant,
}

/// Why there is no token for a server; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error(
        "tokens of {0} cannot be exchanged; set `exchange_client_id` and its secret in its [[issuers]]"
    )]
    NoClient(String),
    #[error("{0}; name the issuer's token endpoint by `exchange_url`")]
    Discovery(String),
    #[error("the issuer refused to exchange the user's token (`{code}`); {advice}")]
    Refused { code: String, advice: &'static str },
    #[error("{0}")]
    Unavailable(String),
    #[error("the issuer answered the exchange with something else than a bearer token")]
    Unusable,
}

#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    token_type: String,
    expires_in: Option<u64>,
}

impl TokenExchange {
    /// Adds the client for one issuer, by what its tokens have in `iss`.
    pub fn add(&mut self, issuer: impl Into<String>, client: ExchangeClient) {
        let name = issuer.into();
        let issuer = Issuer {
            name: name.clone(),
            client,
            found: OnceCell::new(),
        };
        self.issuers.insert(name, issuer);
    }

    /// Whether there is no issuer whose tokens can be exchanged.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// A token of the user for one server. The user's own is shown to nobody but its issuer.
    pub(super) async fn exchange(
        &self,
        issuer: &str,
        subject_token: &SecretString,
        target: Target<'_>,
    ) -> Result<Exchanged, ExchangeError> {
        let issuer = self
            .issuers
            .get(issuer)
            .ok_or_else(|| ExchangeError::NoClient(issuer.to_owned()))?;
        issuer.exchange(subject_token, target).await
    }
}

impl Issuer {
    async fn exchange(
        &self,
        subject_token: &SecretString,
        target: Target<'_>,
    ) -> Result<Exchanged, ExchangeError> {
        let client = &self.client;
        let address = match &client.address {
            Some(address) => address,
            None => self.found.get_or_try_init(|| self.discover()).await?,
        };
        let asked_at = Instant::now();
        let mut request = client
            .http
            .request(Method::POST, address)
            .map_err(|error| ExchangeError::Unavailable(error.to_string()))?
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(subject_token, target));
        if client.auth_method == ClientAuthMethod::Basic {
            request = request.header(
                AUTHORIZATION,
                basic(&client.client_id, &client.client_secret),
            );
        }
        let response = request
            .send()
            .await
            .map_err(|error| ExchangeError::Unavailable(in_words(error)))?;
        let status = response.status();
        let body = read_body(response, MAX_BODY_BYTES)
            .await
            .map_err(|error| ExchangeError::Unavailable(error.to_string()))?;
        match status {
            StatusCode::OK => usable(&body, asked_at),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(refused(&body))
            }
            status => Err(ExchangeError::Unavailable(format!(
                "the issuer answered the exchange with {status}"
            ))),
        }
    }

    /// The question (RFC 8693 §2.1), and who asks where that belongs in the body.
    fn form(&self, subject_token: &SecretString, target: Target<'_>) -> String {
        const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
        let mut form = Serializer::new(String::new());
        form.append_pair(
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        )
        .append_pair("subject_token", subject_token.expose_secret())
        .append_pair("subject_token_type", ACCESS_TOKEN)
        .append_pair("requested_token_type", ACCESS_TOKEN);
        match target {
            Target::Resource(url) => form.append_pair("resource", url.as_str()),
            Target::Audience(name) => form.append_pair("audience", name),
        };
        if self.client.auth_method == ClientAuthMethod::Post {
            form.append_pair("client_id", &self.client.client_id)
                .append_pair("client_secret", self.client.client_secret.expose_secret());
        }
        form.finish()
    }

    /// The token endpoint in the issuer's discovery document (OIDC Discovery §4), which must be about
    /// this issuer. What was asked over TLS names an address over TLS: a secret is sent there.
    async fn discover(&self) -> Result<Url, ExchangeError> {
        let failed = ExchangeError::Discovery;
        let name = self.name.trim_end_matches('/');
        let address = Url::parse(&format!("{name}/.well-known/openid-configuration"))
            .map_err(|_| failed("the issuer's name is no address".to_owned()))?;
        let response = self
            .client
            .http
            .request(Method::GET, &address)
            .map_err(|error| failed(error.to_string()))?
            .header(ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| failed(in_words(error)))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(failed(format!("the issuer's discovery answered {status}")));
        }
        let body = read_body(response, MAX_BODY_BYTES)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let document: Value = serde_json::from_slice(&body)
            .map_err(|_| failed("the discovery document is no JSON".to_owned()))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(self.name.as_str()) {
            let message = "the discovery document is about another issuer";
            return Err(failed(message.to_owned()));
        }
        let endpoint = text("token_endpoint")
            .and_then(|text| Url::parse(text).ok())
            .ok_or_else(|| failed("the discovery document has no `token_endpoint`".to_owned()))?;
        if address.scheme() == "https" && endpoint.scheme() != "https" {
            let message = "the discovery document names a `token_endpoint` that is not https";
            return Err(failed(message.to_owned()));
        }
        Ok(endpoint)
    }
}

/// The token in an answer (RFC 8693 §2.2.1). Only a bearer token can be put into a header as it is.
fn usable(body: &[u8], asked_at: Instant) -> Result<Exchanged, ExchangeError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| ExchangeError::Unusable)?;
    let token = answer.access_token.expose_secret();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token || !answer.token_type.eq_ignore_ascii_case("bearer") {
        return Err(ExchangeError::Unusable);
    }
    let lifetime = answer
        .expires_in
        .map_or(UNSAID_LIFETIME, Duration::from_secs)
        .min(MAX_LIFETIME);
    // Half of a life that is too short for the reserve.
    let used_for = lifetime.saturating_sub(RESERVE).max(lifetime / 2);
    Ok(Exchanged {
        token: answer.access_token,
        until: asked_at + used_for,
    })
}

/// A refusal (RFC 6749 §5.2). Only its code is kept: a description may repeat what was sent.
fn refused(body: &[u8]) -> ExchangeError {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code: String = answer
        .get("error")
        .and_then(Value::as_str)
        .unwrap_or("no reason was given")
        .chars()
        .filter(|mark| mark.is_ascii_lowercase() || " _".contains(*mark))
        .take(64)
        .collect();
    let advice = match code.as_str() {
        "invalid_client" => "check `exchange_client_id` and its secret",
        "invalid_target" => {
            "let this client have tokens for the server, or write the server's `audience` as the \
             issuer knows it"
        }
        "unauthorized_client" | "access_denied" | "unsupported_grant_type" => {
            "allow token exchange to this client at the issuer"
        }
        _ => "the issuer's own log says more",
    };
    ExchangeError::Refused { code, advice }
}
