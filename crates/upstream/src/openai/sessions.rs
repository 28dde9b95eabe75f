//! Door 1 with OpenAI behind it: client secrets minted by OpenAI's ChatKit sessions API, for a
//! user whom we have verified.
//!
//! Source: `POST /v1/chatkit/sessions` in OpenAI's API description (beta `chatkit_beta=v1`).

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::{failure, join};
use crate::{
    error::Error,
    http::{HttpClient, HttpPolicy, describe, read_body, retry_after},
};

const MAX_BODY_BYTES: usize = 1024 * 1024;

/// OpenAI's sessions API, ready to be asked.
#[derive(Debug, Clone)]
pub struct SessionsApi {
    http: HttpClient,
    base_url: Url,
    api_key: SecretString,
}

/// Which session to open, and for whom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionRequest {
    /// The workflow that answers.
    pub workflow: SessionWorkflow,
    /// The verified identity; threads are seen by sessions of the same `user` only.
    pub user: String,
    /// When it ends, if sooner than OpenAI's ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<ExpiresAfter>,
}

/// A workflow of OpenAI's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionWorkflow {
    /// `wf_…`.
    pub id: String,
    /// A version other than the one that is deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Values for the workflow's variables.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub state_variables: Map<String, Value>,
}

/// How long a session lasts from its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ExpiresAfter {
    anchor: &'static str,
    seconds: u32,
}

impl ExpiresAfter {
    /// OpenAI takes 1 to 600 seconds; others are moved to the nearest of those.
    pub fn seconds(seconds: u32) -> Self {
        Self {
            anchor: "created_at",
            seconds: seconds.clamp(1, 600),
        }
    }
}

/// A session that OpenAI has opened.
#[derive(Debug, Clone)]
pub struct MintedSession {
    /// `ek_…`, for the browser.
    pub client_secret: SecretString,
    /// When it ends, in Unix seconds.
    pub expires_at: i64,
}

#[derive(Deserialize)]
struct SessionAnswer {
    client_secret: String,
    expires_at: i64,
}

impl SessionsApi {
    /// Prepares the API at `base_url`, which ends with the version: `https://api.openai.com/v1`.
    /// Takes a policy with a total time-out, such as [`HttpPolicy::DOCUMENT`] or a longer one.
    pub fn new(base_url: Url, api_key: SecretString, policy: &HttpPolicy) -> Result<Self, Error> {
        let http = HttpClient::new(policy)?;
        http.check(&base_url)?;
        Ok(Self {
            http,
            base_url,
            api_key,
        })
    }

    /// Opens a session.
    pub async fn create(&self, request: &SessionRequest) -> Result<MintedSession, Error> {
        let url = join(&self.base_url, "chatkit/sessions");
        let response = self
            .http
            .request(Method::POST, &url)?
            .bearer_auth(self.api_key.expose_secret())
            .header("OpenAI-Beta", "chatkit_beta=v1")
            .json(request)
            .send()
            .await
            .map_err(|error| Error::Unavailable(describe(error)))?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            let body = read_body(response, MAX_BODY_BYTES)
                .await
                .map_err(|error| Error::Unavailable(error.into()))?;
            let session: SessionAnswer = serde_json::from_slice(&body).map_err(|error| {
                // The parser's words could repeat the secret, so only its place is told.
                let (line, column) = (error.line(), error.column());
                Error::Malformed(
                    format!("not a session, at line {line} column {column} of the answer").into(),
                )
            })?;
            return Ok(MintedSession {
                client_secret: session.client_secret.into(),
                expires_at: session.expires_at,
            });
        }
        let wait = retry_after(&response);
        let refusal = failure::in_words(response, std::slice::from_ref(&self.api_key)).await;
        tracing::warn!(%refusal, "OpenAI opened no ChatKit session");
        Err(match status {
            401 | 403 => Error::Configuration {
                message: "OpenAI refused the API key; check `OPENAI_API_KEY` and its project's \
                          access to ChatKit"
                    .to_owned(),
            },
            404 => Error::Configuration {
                message: format!(
                    "OpenAI does not know the workflow `{}`; check its id, and that it is published \
                     in the project of the API key",
                    request.workflow.id
                ),
            },
            429 => Error::RateLimited { retry_after: wait },
            400 | 422 => Error::Refused {
                message: "OpenAI did not accept the session; the log has its reason".to_owned(),
            },
            300..500 => Error::Configuration {
                message: format!(
                    "OpenAI's sessions API answered {status}; check the configured base URL"
                ),
            },
            _ => Error::Unavailable(refusal.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{BareServer, answer};

    fn request() -> SessionRequest {
        let state = json!({"plan": "pro"});
        SessionRequest {
            workflow: SessionWorkflow {
                id: "wf_68df4b13".to_owned(),
                version: None,
                state_variables: state.as_object().cloned().unwrap(),
            },
            user: "https://id.example.com user-1".to_owned(),
            expires_after: Some(ExpiresAfter::seconds(3600)),
        }
    }

    async fn create(server: &BareServer) -> Result<MintedSession, Error> {
        let base_url = server.url("/v1").parse().unwrap();
        SessionsApi::new(base_url, "sk-test-key".into(), &HttpPolicy::DOCUMENT)
            .unwrap()
            .create(&request())
            .await
    }

    #[tokio::test]
    async fn a_session_is_opened_for_the_verified_user() {
        let session = json!({
            "id": "cksess_68e8283b", "object": "chatkit.session", "expires_at": 1_760_045_715,
            "client_secret": "ek_68e8283b_00secret",
            "workflow": {"id": "wf_68df4b13", "version": null, "state_variables": null, "tracing": {"enabled": true}},
            "user": "https://id.example.com user-1", "rate_limits": {"max_requests_per_1_minute": 10},
            "max_requests_per_1_minute": 10, "status": "active",
            "chatkit_configuration": {"automatic_thread_titling": {"enabled": true},
                "file_upload": {"enabled": false, "max_file_size": null, "max_files": null},
                "history": {"enabled": true, "recent_threads": null}}
        });
        let server = BareServer::start([answer("200 OK", "", &session.to_string())]).await;
        let minted = create(&server).await.unwrap();
        assert_eq!(minted.client_secret.expose_secret(), "ek_68e8283b_00secret");
        assert_eq!(minted.expires_at, 1_760_045_715);
        assert!(!format!("{minted:?}").contains("ek_"));

        let sent = server.requests().concat();
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(
            head.starts_with("post /v1/chatkit/sessions http/1.1\r\n"),
            "{head}"
        );
        for line in [
            "openai-beta: chatkit_beta=v1",
            "authorization: bearer sk-test-key",
            "content-type: application/json",
        ] {
            assert!(head.lines().any(|sent| sent == line), "{line} in {head}");
        }
        assert_eq!(
            serde_json::from_str::<Value>(body).unwrap(),
            json!({
                "workflow": {"id": "wf_68df4b13", "state_variables": {"plan": "pro"}},
                "user": "https://id.example.com user-1",
                "expires_after": {"anchor": "created_at", "seconds": 600}
            })
        );
    }

    #[tokio::test]
    async fn refusals_say_what_to_do_and_repeat_no_key() {
        let body = |code: &str| {
            json!({"error": {"message": "Incorrect: sk-test-key", "type": "x", "param": null, "code": code}})
                .to_string()
        };
        for (status, expected) in [
            ("401 Unauthorized", "OPENAI_API_KEY"),
            ("404 Not Found", "wf_68df4b13"),
            ("400 Bad Request", "the log has its reason"),
            ("429 Too Many Requests", "rate limit"),
            ("302 Found", "base URL"),
            ("500 Internal Server Error", "try again later"),
        ] {
            let server = BareServer::start([answer(status, "", &body("some_code"))]).await;
            let error = create(&server).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{status}: {error}");
            assert!(!format!("{error:?}").contains("sk-test-key"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn rubbish_is_told_without_repeating_it() {
        for body in [
            "",
            "null",
            r#"{"client_secret":"ek_secret","expires_at":"ek_secret"}"#,
        ] {
            let server = BareServer::start([answer("200 OK", "", body)]).await;
            let error = create(&server).await.unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{error}");
            assert!(!format!("{error:?}").contains("ek_secret"), "{error:?}");
        }
    }
}
