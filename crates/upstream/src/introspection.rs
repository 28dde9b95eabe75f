//! Opaque tokens, taken to their issuer to ask what they are worth (RFC 7662).

use async_trait::async_trait;
use auth::ports::{ClientAuthMethod, Introspection, LookupError, TokenIntrospection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::{
    http::{HttpClient, read_body, retry_after},
    keys::in_words,
};

const MAX_BODY_BYTES: usize = 64 * 1024;

/// Asks an issuer's introspection endpoint as one of the issuer's clients.
#[derive(Debug, Clone)]
pub struct HttpTokenIntrospection {
    http: HttpClient,
}

impl HttpTokenIntrospection {
    /// Takes a client made with [`HttpPolicy::DOCUMENT`](crate::http::HttpPolicy::DOCUMENT) or a
    /// policy that is as strict.
    pub fn new(http: HttpClient) -> Self {
        Self { http }
    }
}

#[async_trait]
impl TokenIntrospection for HttpTokenIntrospection {
    async fn introspect(&self, question: Introspection<'_>) -> Result<Vec<u8>, LookupError> {
        let unavailable = |message| LookupError::Unavailable {
            message,
            retry_after: None,
        };
        let mut request = self
            .http
            .request(Method::POST, question.address)
            .map_err(|error| unavailable(error.to_string()))?
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form(&question));
        if question.auth_method == ClientAuthMethod::Basic {
            request = request.header(
                AUTHORIZATION,
                basic(question.client_id, question.client_secret),
            );
        }
        let response = request
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

/// The question (RFC 7662 §2.1), and who asks where that belongs in the body.
fn form(question: &Introspection<'_>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("token", question.token)
        .append_pair("token_type_hint", "access_token");
    if question.auth_method == ClientAuthMethod::Post {
        form.append_pair("client_id", question.client_id)
            .append_pair("client_secret", question.client_secret.expose_secret());
    }
    form.finish()
}

/// HTTP Basic credentials of an OAuth client: both halves are form-encoded first (RFC 6749 §2.3.1),
/// so that a colon in the id does no harm.
pub(crate) fn basic(client_id: &str, client_secret: &SecretString) -> HeaderValue {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!(
        "{}:{}",
        encode(client_id),
        encode(client_secret.expose_secret())
    );
    let text = format!("Basic {}", STANDARD.encode(pair));
    // Base64 is always a good header value.
    let mut value =
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}
