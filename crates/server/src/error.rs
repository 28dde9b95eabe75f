//! What clients are told when something cannot be done, and in which shape. Which error of which crate
//! means which of these is in [`map`].
//!
//! The body has the hosted API's shape, `{"error":{"message","type","param","code"}}`, so that code
//! written against the official SDKs reads it. `message` is a sentence for the person who called, and
//! `details` is for the developer of their page. The cause goes to the log, once, in [`crate::around`],
//! which also says the sentence in the person's language, where it is one of ours ([`Words`]). Bodies
//! of 5xx are constant but for that.

mod map;

use std::{error::Error as StdError, sync::Arc, time::Duration};

use auth::{
    Rejection,
    origin_refusal::{Details, OriginRefusal},
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use engine::{Language, Message, Words};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

/// A cause, kept for the log and never shown to a client.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// What a client is told when a request cannot be carried out.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: Option<&'static str>,
    /// Boxed: every handler's result would be twice as large.
    message: Box<Message>,
    param: Option<Box<str>>,
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
    refused: Option<Box<Refused>>,
}

/// What was refused, and why.
#[derive(Debug)]
enum Refused {
    Credential(Rejection),
    Page(OriginRefusal),
    /// No credential came; what would do, as a sentence.
    NoCredential(String),
}

/// What the log is told about an error; travels in the response's extensions.
#[derive(Debug, Clone)]
pub(crate) struct ErrorReport {
    /// The status as we mean it, even where the answer takes another form (OAuth always says 400).
    pub(crate) status: StatusCode,
    pub(crate) code: Option<&'static str>,
    pub(crate) message: Message,
    /// The field at fault, or the limit that was reached.
    pub(crate) param: Option<String>,
    pub(crate) cause: Option<Arc<dyn StdError + Send + Sync>>,
    /// Why a credential does not hold.
    pub(crate) rejection: Option<Arc<Rejection>>,
    /// Why a page may not use this server.
    pub(crate) origin: Option<Arc<OriginRefusal>>,
    /// What credentials the address takes, where none came.
    takes: Option<Arc<str>>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
    /// For the page's developer.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<ForDeveloper<'a>>,
}

/// `error.details`.
#[derive(Serialize)]
#[serde(untagged)]
enum ForDeveloper<'a> {
    Page(Details<'a>),
    NoCredential { takes: &'a str },
}

/// Challenges of RFC 6750 §3: without credentials there is no error code.
const CHALLENGE: &str = "Bearer realm=\"vestibule\"";
const CHALLENGE_INVALID_TOKEN: &str = "Bearer realm=\"vestibule\", error=\"invalid_token\"";
const CHALLENGE_INVALID_REQUEST: &str = "Bearer realm=\"vestibule\", error=\"invalid_request\"";
const CHALLENGE_INSUFFICIENT: &str = "Bearer realm=\"vestibule\", error=\"insufficient_scope\"";

impl ApiError {
    /// An error with a sentence for the caller.
    fn new(status: StatusCode, message: impl Into<Message>) -> Self {
        Self {
            status,
            code: None,
            message: Box::new(message.into()),
            param: None,
            challenge: None,
            retry_after: None,
            cause: None,
            refused: None,
        }
    }

    /// 400: the request cannot be understood or carried out as it is.
    pub fn bad_request(message: impl Into<Message>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message).with_code("invalid_request")
    }

    /// 400 about the `Authorization` header itself (RFC 6750 §3.1 `invalid_request`).
    pub fn bad_credentials_request(message: impl Into<Message>) -> Self {
        Self {
            challenge: Some(CHALLENGE_INVALID_REQUEST),
            ..Self::bad_request(message)
        }
    }

    /// 401: no credential came.
    pub fn unauthenticated(message: impl Into<Message>) -> Self {
        Self {
            challenge: Some(CHALLENGE),
            ..Self::new(StatusCode::UNAUTHORIZED, message).with_code("missing_credentials")
        }
    }

    /// 401: the credential that came does not hold.
    pub fn invalid_credential(message: impl Into<Message>) -> Self {
        Self {
            challenge: Some(CHALLENGE_INVALID_TOKEN),
            ..Self::new(StatusCode::UNAUTHORIZED, message).with_code("invalid_credential")
        }
    }

    /// 401: a credential of one kind came where another is expected.
    pub fn wrong_credential_kind(message: impl Into<Message>) -> Self {
        Self::invalid_credential(message).with_code("wrong_credential_kind")
    }

    /// 403: the caller is known and may not do this.
    pub fn forbidden(code: &'static str, message: impl Into<Message>) -> Self {
        Self {
            challenge: Some(CHALLENGE_INSUFFICIENT),
            ..Self::new(StatusCode::FORBIDDEN, message).with_code(code)
        }
    }

    /// 403: the operator keeps this door closed; `door` is its name in the configuration.
    pub fn door_closed(door: &str) -> Self {
        Self::forbidden(
            "door_closed",
            format!(
                "this door is closed on this server; the operator opens it with `doors.{door}.enabled`"
            ),
        )
    }

    /// 403: the calling page is not on the allowlist.
    pub fn origin_refused(message: impl Into<Message>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message).with_code("origin_not_allowed")
    }

    /// 404: it does not exist, or not for this caller; the two look the same.
    pub fn not_found(message: impl Into<Message>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message).with_code("not_found")
    }

    /// 404 for a path that is not in the route table; `meant` is one that is, and differs by its slashes.
    pub fn unknown_path(meant: Option<&str>) -> Self {
        match meant {
            Some(meant) => Self::not_found(format!(
                "there is nothing at this address; the path is `{meant}`, with these slashes and no others"
            )),
            None => Self::not_found("there is nothing at this address; check the path (pages use /api/chatkit/… and /api/chat, servers /v1/chatkit/…)"),
        }
        .with_code("unknown_path")
    }

    /// 401 for whoever reads metrics without the token for it.
    pub(crate) fn metrics_token_needed() -> Self {
        Self {
            challenge: Some(CHALLENGE),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "metrics are read with the token of `metrics.token_env`, as `Authorization: Bearer …`",
            )
        }
        .with_code("invalid_token")
    }

    /// 405 for a path that takes other methods.
    pub fn method_not_allowed(message: impl Into<Message>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message).with_code("method_not_allowed")
    }

    /// 409: the state of things no longer fits the request.
    pub fn conflict(message: impl Into<Message>) -> Self {
        Self::new(StatusCode::CONFLICT, message).with_code("conflict")
    }

    /// 422: what is asked contradicts what was asked before.
    pub fn unprocessable(message: impl Into<Message>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message).with_code("unprocessable")
    }

    /// 413: larger than this server accepts.
    pub fn too_large(limit_bytes: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request body is larger than the {limit_bytes} bytes this address takes"),
        )
        .with_code("request_too_large")
    }

    /// 413 about a file.
    pub fn file_too_large(message: impl Into<Message>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message).with_code("chatkit.file_upload_too_large")
    }

    /// 408: the body did not arrive in time.
    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, Words::BodyTooSlow).with_code("request_timeout")
    }

    /// 415: not `application/json`.
    pub fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the body as JSON, with the header `Content-Type: application/json`",
        )
        .with_code("unsupported_media_type")
    }

    /// 415: the body is compressed.
    pub fn unsupported_content_encoding() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this server takes no compressed bodies; send the body as it is, without the header `Content-Encoding`",
        )
        .with_code("unsupported_content_encoding")
        .with_param("content-encoding")
    }

    /// 429, with the time after which trying again makes sense.
    pub fn too_many(message: impl Into<Message>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, message).with_code("rate_limit_exceeded")
        }
    }

    /// 424: the application's agent did not do what it was asked. No 5xx, which clients send again by themselves: the
    /// agent may have acted, and would act once more.
    pub fn agent_failed(message: impl Into<Message>, cause: impl Into<Cause>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(StatusCode::FAILED_DEPENDENCY, message).with_code("agent_failed")
        }
    }

    /// 502: a service that we called gave no usable answer.
    pub fn bad_gateway(message: impl Into<Message>, cause: impl Into<Cause>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(StatusCode::BAD_GATEWAY, message).with_code("upstream_error")
        }
    }

    /// 503: it may work in a moment.
    pub fn unavailable(message: impl Into<Message>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message).with_code("unavailable")
        }
    }

    /// 507: there is nothing wrong with the request, and nowhere to keep what it brings.
    fn cannot_store(
        code: &'static str,
        message: impl Into<Message>,
        cause: impl Into<Cause>,
    ) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(StatusCode::INSUFFICIENT_STORAGE, message).with_code(code)
        }
    }

    /// 500: a defect of ours. The client learns nothing more.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, Words::ServerError)
                .with_code("internal_error")
        }
    }

    /// The code by which programs tell errors apart; some errors of the hosted API have none.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Option<&'static str>>) -> Self {
        self.code = code.into();
        self
    }

    /// The field at fault, as a dotted path.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into().into());
        self
    }

    fn with_optional_param(self, param: Option<impl Into<String>>) -> Self {
        match param {
            Some(param) => self.with_param(param),
            None => self,
        }
    }

    /// The cause, for the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Why the credential does not hold, for the log.
    #[must_use]
    pub(crate) fn with_rejection(mut self, rejection: Rejection) -> Self {
        self.refused = Some(Box::new(Refused::Credential(rejection)));
        self
    }

    /// Why the page may not use this server, for its developer and the log.
    #[must_use]
    pub(crate) fn with_origin(mut self, refusal: OriginRefusal) -> Self {
        self.refused = Some(Box::new(Refused::Page(refusal)));
        self
    }

    /// What the address takes, for the page's developer, where the message is for a person.
    #[must_use]
    pub(crate) fn with_takes(mut self, takes: String) -> Self {
        self.refused = Some(Box::new(Refused::NoCredential(takes)));
        self
    }

    /// The same error, whose words are not said again in another language.
    #[must_use]
    pub(crate) fn into_english(self) -> Self {
        Self {
            message: Box::new(self.message.to_string().into()),
            ..self
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// What the log is told, cause included.
    pub(crate) fn into_report(self) -> ErrorReport {
        let (mut rejection, mut origin, mut takes) = (None, None, None);
        match self.refused.map(|refused| *refused) {
            Some(Refused::Credential(refusal)) => rejection = Some(Arc::new(refusal)),
            Some(Refused::Page(refusal)) => origin = Some(Arc::new(refusal)),
            Some(Refused::NoCredential(wanted)) => takes = Some(wanted.into()),
            None => {}
        }
        ErrorReport {
            rejection,
            origin,
            takes,
            code: self.code,
            status: self.status,
            message: *self.message,
            param: self.param.map(String::from),
            cause: self.cause.map(Arc::from),
        }
    }
}

impl ApiError {
    /// The error in OAuth's form (RFC 6749 §5.2, RFC 8693 §2.2.2), where every fault of the request
    /// is a 400.
    pub(crate) fn into_oauth_response(mut self) -> Response {
        let error = match (self.code, self.status) {
            (Some(code @ ("unsupported_grant_type" | "invalid_target")), _) => code,
            (Some("workflow_not_found"), _) => "invalid_target",
            (_, StatusCode::FORBIDDEN) => "access_denied",
            (_, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                "temporarily_unavailable"
            }
            (_, status) if status.is_server_error() => "server_error",
            _ => "invalid_request",
        };
        let status = self.status;
        if self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS {
            self.status = StatusCode::BAD_REQUEST;
            self.challenge = None;
        }
        let body = json!({ "error": error, "error_description": self.message.to_string() });
        let response = (self.status, Json(body)).into_response();
        // This form has no place for details; its callers are servers, not pages. They read English.
        self = self.into_english();
        self.refused
            .take_if(|refused| matches!(**refused, Refused::Page(_)));
        let mut response = self.put_headers(response);
        if let Some(report) = response.extensions_mut().get_mut::<ErrorReport>() {
            report.status = status;
        }
        response
    }

    /// The headers of every error.
    fn put_headers(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        if let Some(duration) = self.retry_after {
            // Whole seconds (RFC 9110 §10.2.3), rounded up so that a client is never early.
            let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response.extensions_mut().insert(self.into_report());
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(Body {
            error: Detail {
                message: &self.message.text(Language::English),
                r#type: type_of(self.status),
                param: self.param.as_deref(),
                code: self.code,
                details: match self.refused.as_deref() {
                    Some(Refused::Page(refusal)) => {
                        Some(ForDeveloper::Page(refusal.details(false)))
                    }
                    Some(Refused::NoCredential(takes)) => {
                        Some(ForDeveloper::NoCredential { takes })
                    }
                    Some(Refused::Credential(_)) | None => None,
                },
            },
        });
        let response = (self.status, body).into_response();
        self.put_headers(response)
    }
}

fn type_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

/// Says an error again as its reader should have it: a person in their language, the operator with what only they may
/// read, which pages are registered.
pub(crate) fn retell(response: &mut Response, language: Language, is_operator: bool) {
    let Some(report) = response.extensions().get::<ErrorReport>() else {
        return;
    };
    let is_translated = language != Language::English && matches!(report.message, Message::Ours(_));
    let has_more = is_operator && report.origin.is_some();
    if !is_translated && !has_more {
        return;
    }
    let body = Json(Body {
        error: Detail {
            message: &report.message.text(language),
            r#type: type_of(report.status),
            param: report.param.as_deref(),
            code: report.code,
            details: match (&report.origin, &report.takes) {
                (Some(refusal), _) => Some(ForDeveloper::Page(refusal.details(is_operator))),
                (None, Some(takes)) => Some(ForDeveloper::NoCredential { takes }),
                (None, None) => None,
            },
        },
    });
    *response.body_mut() = body.into_response().into_body();
}
