//! Session cookies, taken to their issuer to ask whose they are.

use async_trait::async_trait;
use auth::ports::{LookupError, SessionLookup};
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, COOKIE, HeaderValue},
};
use url::Url;

use crate::{
    http::{HttpClient, read_body, retry_after},
    keys::in_words,
};

const MAX_BODY_BYTES: usize = 64 * 1024;

/// Asks an issuer's get-session endpoint; sends the cookie and nothing else of the request.
#[derive(Debug, Clone)]
pub struct HttpSessionLookup {
    http: HttpClient,
}

impl HttpSessionLookup {
    /// Takes a client made with [`HttpPolicy::DOCUMENT`](crate::http::HttpPolicy::DOCUMENT) or a
    /// policy that is as strict.
    pub fn new(http: HttpClient) -> Self {
        Self { http }
    }
}

#[async_trait]
impl SessionLookup for HttpSessionLookup {
    async fn lookup(&self, url: &Url, cookie: &str) -> Result<Vec<u8>, LookupError> {
        let unavailable = |message| LookupError::Unavailable {
            message,
            retry_after: None,
        };
        // What cannot be a header cannot be anybody's cookie.
        let mut cookie = HeaderValue::from_str(cookie).map_err(|_| LookupError::Refused)?;
        cookie.set_sensitive(true);
        let response = self
            .http
            .request(Method::GET, url)
            .map_err(|error| unavailable(error.to_string()))?
            .header(ACCEPT, "application/json")
            .header(COOKIE, cookie)
            .send()
            .await
            .map_err(|error| unavailable(in_words(error)))?;
        match response.status() {
            StatusCode::OK => read_body(response, MAX_BODY_BYTES)
                .await
                .map_err(|error| unavailable(error.to_string())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(LookupError::Refused),
            status => Err(LookupError::Unavailable {
                message: format!("the issuer answered {status}"),
                retry_after: retry_after(&response),
            }),
        }
    }
}
