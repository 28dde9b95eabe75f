//! Model providers that speak one of OpenAI's two APIs, at OpenAI or at any compatible server.
//!
//! The provider's own shapes, ids and error bodies end in this folder: what leaves it are the
//! engine's `ModelEvent`s and `ModelError`s. A provider's error text goes into the error's source,
//! for the log, with credentials masked; the user is told something in our own words.

mod ask;
mod call;
pub mod chat_completions;
mod documents;
mod failure;
mod gate;
mod harmony;
mod history;
pub(crate) mod lenient;
mod marks;
mod pictures;
mod refused;
pub mod responses;
pub mod sessions;
mod stream;
mod template;
mod think;
mod transcriptions;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use engine::ports::ModelError;
use moka::sync::Cache;
use reqwest::{
    Method, RequestBuilder, Response,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap,
        HeaderName, HeaderValue, TRANSFER_ENCODING,
    },
    multipart::Form,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use marks::Mark;
use refused::{Kind, OUTPUT_FIELDS, Refused, THOUGHTS};

pub use ask::Retries;
pub use chat_completions::ChatCompletions;
pub use documents::{PdfAs, PdfTexts};
pub use gate::Gate;
pub(crate) use gate::Place;
pub use marks::MarkKey;
pub use responses::Responses;
pub use transcriptions::Transcriptions;

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
    /// Sent with every request besides our own; they win over the key.
    pub headers: Vec<(String, SecretString)>,
    /// What the server is sent beyond the question itself.
    pub options: RequestOptions,
    /// How long an answer is waited for.
    pub patience: Patience,
    /// How often a question is asked again before its answer has begun.
    pub retries: Retries,
    /// How many questions are asked at once; clones of this configuration share it.
    pub gate: Option<Gate>,
    /// Tells PDF documents as text, where the server takes no files; without it, they are named then.
    pub pdf: Option<PdfTexts>,
}

impl ProviderConfig {
    /// A provider that is asked without a key, in the usual way.
    pub fn new(base_url: Url, marks: MarkKey) -> Self {
        Self {
            base_url,
            api_key: None,
            // Silence is timed by what has been said, see `Patience`.
            http: HttpPolicy {
                idle_timeout: None,
                ..HttpPolicy::STREAM
            },
            marks,
            headers: Vec::new(),
            options: RequestOptions::default(),
            patience: Patience::default(),
            retries: Retries::default(),
            gate: None,
            pdf: None,
        }
    }
}

/// What not every server takes. What one refuses by its name is left out by itself from then on; this spares it the
/// first refusal, and is for servers that refuse without saying what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration"
)]
pub struct RequestOptions {
    /// Asks for token counts by `stream_options`.
    pub stream_options: bool,
    /// Sends an opaque name of the person (`user`, `safety_identifier`).
    pub end_user: bool,
    /// Gives back what the model thought before it called tools.
    pub thoughts: bool,
    /// Says whether the model may call several tools in one answer; `None` says nothing.
    pub parallel_tool_calls: Option<bool>,
    /// Puts a word of the other side between two messages of Chat Completions that some servers and chat
    /// templates do not take after each other: a user's right after a tool's, and the model's before any user's.
    pub alternating_roles: bool,
    /// How PDF documents go out.
    pub pdf: PdfAs,
    /// The role of the instructions in Chat Completions.
    pub system_role: SystemRole,
    /// The parameter for the length of an answer in Chat Completions; `None` goes by the address.
    pub output_field: Option<OutputField>,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            stream_options: true,
            end_user: true,
            thoughts: true,
            parallel_tool_calls: None,
            alternating_roles: false,
            pdf: PdfAs::File,
            system_role: SystemRole::System,
            output_field: None,
        }
    }
}

impl RequestOptions {
    /// What is left out from the beginning.
    fn refused(self) -> Refused {
        let mut refused = Refused::default();
        let switches: [(bool, &[&'static str]); 3] = [
            (self.stream_options, &["stream_options"]),
            (self.end_user, &["user", "safety_identifier"]),
            (self.thoughts, &THOUGHTS),
        ];
        for (_, names) in switches.iter().filter(|(is_on, _)| !is_on) {
            names.iter().for_each(|name| refused.add(name));
        }
        if self.pdf == PdfAs::Text {
            refused.add_kind(Kind::Document);
        }
        match self.output_field {
            Some(OutputField::MaxTokens) => refused.add(OUTPUT_FIELDS[1]),
            Some(OutputField::MaxCompletionTokens) => refused.add(OUTPUT_FIELDS[0]),
            None => {}
        }
        refused
    }
}

/// The role under which a Chat Completions server takes instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemRole {
    /// `system`, which every server knows.
    System,
    /// `developer`, OpenAI's newer name.
    Developer,
}

/// The parameter by which a Chat Completions server is told how long an answer may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputField {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
}

/// How long an answer is waited for. How long a connection may take is the [`HttpPolicy`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the question to the first sign that the model has begun.
    pub first_token: Duration,
    /// Between two signs of life afterwards.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_token: Duration::from_mins(2),
            silence: Duration::from_mins(1),
        }
    }
}

/// Models of one provider whose refusals are remembered; the page may ask for any name.
const MAX_KNOWN_MODELS: u64 = 256;
/// How long they are: then a server that was mended meanwhile is sent everything once more.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// A header's value of fewer characters is no secret, and hiding it would hide half of every message.
const MIN_SECRET_CHARS: usize = 8;

/// What is masked in a text that goes to the log.
pub(crate) type Secrets = Arc<[SecretString]>;

/// A provider that is ready to be asked; clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    http: HttpClient,
    base_url: Arc<Url>,
    api_key: Option<SecretString>,
    headers: HeaderMap,
    secrets: Secrets,
    marks: MarkKey,
    options: RequestOptions,
    patience: Patience,
    retries: Retries,
    gate: Option<Gate>,
    pdf: Option<PdfTexts>,
    /// What is left out for every model.
    never_sent: Refused,
    /// What is left out by model, learned from its refusals.
    known: Cache<String, Refused>,
    asked_again: Arc<AtomicU64>,
}

impl Provider {
    pub(crate) fn new(config: ProviderConfig) -> Result<Self, Error> {
        let http = HttpClient::new(&config.http)?;
        http.check(&config.base_url)?;
        let is_secret =
            |value: &SecretString| value.expose_secret().chars().count() >= MIN_SECRET_CHARS;
        // `Bearer …` is repeated by providers without its first word.
        let values = config.headers.iter().flat_map(|(_, value)| {
            let last = value.expose_secret().split_whitespace().next_back();
            [value.clone(), SecretString::from(last.unwrap_or_default())]
        });
        let secrets = values.filter(is_secret).chain(config.api_key.clone());
        Ok(Self {
            http,
            base_url: Arc::new(without_endpoint(config.base_url)),
            secrets: secrets.collect(),
            api_key: config.api_key,
            headers: headers(&config.headers)?,
            marks: config.marks,
            options: config.options,
            patience: config.patience,
            retries: config.retries,
            gate: config.gate,
            pdf: config.pdf,
            never_sent: config.options.refused(),
            known: Cache::builder()
                .max_capacity(MAX_KNOWN_MODELS)
                .time_to_live(KNOWN_FOR)
                .build(),
            asked_again: Arc::default(),
        })
    }

    /// A request with all that the provider wants to see in its head.
    fn request(&self, path: &str) -> Result<RequestBuilder, ModelError> {
        let url = join(&self.base_url, path);
        let mut request = self
            .http
            .request(Method::POST, &url)
            .map_err(|error| ModelError::Misconfigured(error.into()))?;
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        // Replaces what is there by the same name.
        Ok(request.headers(self.headers.clone()))
    }

    /// Sends a form, once; the answer's status is a success, and its body has not been read.
    async fn post_form(&self, path: &str, form: Form) -> Result<Response, ModelError> {
        let _place = self.enter().await?;
        let sent = self.request(path)?.multipart(form).send().await;
        let response = sent.map_err(failure::of_connection)?;
        if !response.status().is_success() {
            return Err(failure::of_answer(response, &self.secrets).await);
        }
        Ok(response)
    }

    /// Waits for a place among the questions that are asked at once.
    pub(crate) async fn enter(&self) -> Result<Place, ModelError> {
        match &self.gate {
            Some(gate) => gate.enter().await.map(Some),
            None => Ok(None),
        }
    }

    /// Asks for a stream; the answer's status is a success, and its body has not been read.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Response, ModelError> {
        let request = || {
            let request = self
                .request(path)?
                .header(ACCEPT, "text/event-stream")
                // Compressed, tokens would wait for each other; a server that compresses all the same is
                // understood.
                .header(ACCEPT_ENCODING, "identity");
            Ok(request.json(body))
        };
        let mut sent = request()?.send().await;
        // Some servers promise to keep a connection and close it all the same (llama.cpp). That is no trouble of theirs,
        // and by now the others that were kept are known to be closed as well.
        if sent.as_ref().is_err_and(failure::is_hung_up) {
            sent = request()?.send().await;
        }
        let response = sent.map_err(failure::of_connection)?;
        if !response.status().is_success() {
            return Err(failure::of_answer(response, &self.secrets).await);
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
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }
}

/// The operator's headers, checked.
fn headers(pairs: &[(String, SecretString)]) -> Result<HeaderMap, Error> {
    /// What says how a message is to be read is the client's to say.
    const OURS: [HeaderName; 7] = [
        ACCEPT,
        ACCEPT_ENCODING,
        CONNECTION,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        HOST,
        TRANSFER_ENCODING,
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let refuse = |what: &str| Error::Configuration {
            message: format!("the header `{name}` {what}"),
        };
        let key: HeaderName = name
            .parse()
            .map_err(|_| refuse("has a name that no header can have"))?;
        if OURS.contains(&key) {
            return Err(refuse("is set by the server itself; leave it out"));
        }
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| refuse("has a value that no header can have"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
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

/// Whether the question was not asked, because others wait.
pub(crate) fn is_busy(error: &ModelError) -> bool {
    matches!(error, ModelError::RateLimited(source) if source.is::<gate::Busy>())
}

/// The address without the endpoint that some write behind it, as the examples of many providers do.
fn without_endpoint(mut base: Url) -> Url {
    let path = base.path().trim_end_matches('/');
    let ends = ["/chat/completions", "/responses"];
    if let Some(start) = ends.iter().find_map(|end| path.strip_suffix(end)) {
        let start = start.to_owned();
        base.set_path(&start);
    }
    base
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
