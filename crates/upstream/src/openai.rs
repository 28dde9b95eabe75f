//! Model providers that speak one of OpenAI's two APIs, at OpenAI or at any compatible server.
//!
//! The provider's own shapes, ids and error bodies end in this folder: what leaves it are the
//! engine's `ModelEvent`s and `ModelError`s. A provider's error text goes into the error's source,
//! for the log, with credentials masked; the user is told something in our own words.

pub mod chat_completions;
mod failure;
mod history;
mod lenient;
mod marks;
pub mod responses;
pub mod sessions;
mod stream;
mod think;

use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use engine::ports::ModelError;
use reqwest::{
    Method, Response,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use marks::Mark;

pub use chat_completions::ChatCompletions;
pub use marks::MarkKey;
pub use responses::Responses;

use crate::{
    error::Error,
    http::{HttpClient, HttpPolicy},
};

/// Where a provider is and how it is asked.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The address in front of `/responses` or `/chat/completions`, such as
    /// `https://api.openai.com/v1`.
    pub base_url: Url,
    /// Sent as a bearer token; servers on the own machine may need none.
    pub api_key: Option<SecretString>,
    /// Time-outs and which addresses are allowed.
    pub http: HttpPolicy,
    /// Keeps what the application tells the model apart from what users write.
    pub marks: MarkKey,
}

/// A provider that is ready to be asked; clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    http: HttpClient,
    base_url: Arc<Url>,
    api_key: Option<SecretString>,
    marks: MarkKey,
}

impl Provider {
    pub(crate) fn new(config: ProviderConfig) -> Result<Self, Error> {
        let http = HttpClient::new(&config.http)?;
        http.check(&config.base_url)?;
        Ok(Self {
            http,
            base_url: Arc::new(config.base_url),
            api_key: config.api_key,
            marks: config.marks,
        })
    }

    /// Asks for a stream; the answer's status is a success, and its body has not been read.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Response, ModelError> {
        let url = join(&self.base_url, path);
        let mut request = self
            .http
            .request(Method::POST, &url)
            .map_err(|error| ModelError::Misconfigured(error.into()))?
            .header(ACCEPT, "text/event-stream")
            // Compressed, tokens would wait for each other; a server that compresses all the same is
            // understood.
            .header(ACCEPT_ENCODING, "identity")
            .json(body);
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(failure::of_connection)?;
        if !response.status().is_success() {
            return Err(failure::of_answer(response, self.api_key.as_ref()).await);
        }
        if response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/html"))
        {
            // A web page: no server that is meant to be here.
            return Err(ModelError::Malformed(
                "the answer is not an event stream; is the base URL right?".into(),
            ));
        }
        Ok(response)
    }

    /// The mark for the context of one end user.
    fn mark(&self, end_user: &str) -> Mark {
        self.marks.mark(end_user)
    }

    /// What is masked in a text that goes to the log.
    pub(crate) fn api_key(&self) -> Option<&SecretString> {
        self.api_key.as_ref()
    }
}

/// What a connection that broke off means.
pub(crate) fn connection_failure(error: reqwest::Error) -> ModelError {
    failure::of_connection(error)
}

/// The name under which a provider and the log know a person: always the same for one person, and
/// nothing that says who it is. 32 hexadecimal digits; OpenAI takes 64 characters at most.
pub fn opaque_user(name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    HEXLOWER.encode(&hash.as_ref()[..16])
}

/// Whether the provider found the request itself wrong.
pub(crate) fn is_of_request(error: &ModelError) -> bool {
    failure::is_of_request(error)
}

/// `base` and `path` with one slash between them; a query of the base (API versions) is kept.
fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let joined = format!("{}/{path}", base.path().trim_end_matches('/'));
    url.set_path(&joined);
    url
}

#[cfg(test)]
mod tests;
