//! Key sets and discovery documents of issuers, fetched over HTTP for `auth`.

use std::time::Duration;

use async_trait::async_trait;
use auth::ports::{FetchError, FetchedKeys, KeyFetch};
use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL},
};
use url::Url;

use crate::http::{HttpClient, describe, read_body, retry_after};

const MAX_BODY_BYTES: usize = 256 * 1024;

/// Fetches documents with the client's limits and at most 256 KiB.
#[derive(Debug, Clone)]
pub struct HttpKeyFetch {
    http: HttpClient,
}

impl HttpKeyFetch {
    /// Takes a client made with [`HttpPolicy::DOCUMENT`](crate::http::HttpPolicy::DOCUMENT) or a
    /// policy that is as strict.
    pub fn new(http: HttpClient) -> Self {
        Self { http }
    }
}

#[async_trait]
impl KeyFetch for HttpKeyFetch {
    async fn fetch(&self, url: &Url) -> Result<FetchedKeys, FetchError> {
        let failed = |message| FetchError {
            message,
            retry_after: None,
        };
        let response = self
            .http
            .request(Method::GET, url)
            .map_err(|error| failed(error.to_string()))?
            .header(ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| failed(in_words(error)))?;
        let status = response.status();
        if status != StatusCode::OK {
            let hint = if status.is_redirection() {
                "; redirects are not followed, configure the address that it leads to"
            } else {
                ""
            };
            return Err(FetchError {
                message: format!("the issuer answered {status}{hint}"),
                retry_after: retry_after(&response),
            });
        }
        let max_age = max_age(&response);
        let body = read_body(response, MAX_BODY_BYTES)
            .await
            .map_err(|error| failed(error.to_string()))?;
        Ok(FetchedKeys { body, max_age })
    }
}

/// `max-age` of `Cache-Control` (RFC 9111 §5.2.2.1); zero where nothing may be kept.
fn max_age(response: &Response) -> Option<Duration> {
    let mut age = None;
    for value in response.headers().get_all(CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',').map(str::trim) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            if name.eq_ignore_ascii_case("max-age") {
                age = value.trim_matches('"').parse().ok();
            } else if ["no-store", "no-cache"]
                .iter()
                .any(|other| name.eq_ignore_ascii_case(other))
            {
                return Some(Duration::ZERO);
            }
        }
    }
    age.map(Duration::from_secs)
}

/// What went wrong, with its cause: "connection refused" is what an operator needs to read.
pub(crate) fn in_words(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "the issuer did not answer in time".to_owned();
    }
    let error = describe(error);
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
