//! Reads request bodies: bounded in size and time, JSON only.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use serde::de::DeserializeOwned;

use crate::{app::AppState, caller, error::ApiError};

/// The bytes of a JSON body: within the configured limits, and with a JSON content type.
///
/// The content type is not a formality: a page of another origin can send `text/plain` without a
/// preflight, `application/json` it cannot.
pub(crate) struct JsonBytes(pub(crate) Bytes);

impl FromRequest<AppState> for JsonBytes {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        read_json(request, app.settings.body).await.map(Self)
    }
}

/// The same for a conversation, in which speech may take more than other requests.
pub(crate) struct ConversationBytes(pub(crate) Bytes);

impl FromRequest<AppState> for ConversationBytes {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let limits = app.settings.body;
        let with_speech = BodyLimits {
            bytes: limits.bytes.max(limits.speech_bytes),
            ..limits
        };
        read_json(request, with_speech).await.map(Self)
    }
}

async fn read_json(request: Request, limits: BodyLimits) -> Result<Bytes, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read(&parts.headers, body, limits.for_sender(&parts)).await?;
    if !bytes.is_empty() && !is_json(&parts.headers) {
        return Err(ApiError::unsupported_media_type());
    }
    Ok(without_mark(bytes))
}

/// A small JSON document; no body at all reads as `{}`.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let JsonBytes(bytes) = JsonBytes::from_request(request, app).await?;
        let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        parse(bytes).map(Self)
    }
}

/// Reads a document; an error names the field at fault and never repeats what was in it.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Serde reads a list as the fields in their order, which is no form that anybody was told of.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let refusal = ApiError::bad_request("the request body is a list; send an object");
        return Err(refusal.with_code("invalid_json"));
    }
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let path = error.path().to_string();
        (error.into_inner(), (path != ".").then_some(path))
    });
    let read = read.and_then(|value| match document.end() {
        Ok(()) => Ok(value),
        Err(error) => Err((error, None)),
    });
    read.map_err(|(error, field)| refuse(&error, field))
}

fn refuse(error: &serde_json::Error, field: Option<String>) -> ApiError {
    let place = format!("line {}, column {}", error.line(), error.column());
    let refusal = if !error.is_data() {
        ApiError::bad_request(format!("the request body is not valid JSON ({place})"))
    } else if let Some(field) = field {
        let text = error.to_string();
        let message = match expected(&text) {
            Some(expected) => format!("`{field}` has to be {expected} ({place})"),
            None => format!("`{field}` is not as this address takes it ({place})"),
        };
        ApiError::bad_request(message).with_param(field)
    } else if let Some(field) = missing(&error.to_string()) {
        ApiError::bad_request(format!("the request body has no `{field}`")).with_param(field)
    } else {
        ApiError::bad_request(format!(
            "the request body does not have the fields this address takes ({place})"
        ))
    };
    refusal.with_code("invalid_json")
}

/// What serde expected, without the value it got: that may be a secret.
fn expected(message: &str) -> Option<&str> {
    let (_, expected) = message.rsplit_once(", expected ")?;
    let (expected, _place) = expected.rsplit_once(" at line ")?;
    Some(expected)
}

/// The field that serde missed; its name is ours.
fn missing(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("missing field `")?;
    rest.split_once('`').map(|(field, _)| field)
}

/// Somebody who has shown no credential says what fits in here, or nothing; it is held in memory
/// while it arrives.
const STRANGERS_BYTES: usize = 4 * 1024;
/// The same for a token exchange, which has the longest token in it that is read, and a few words.
const EXCHANGE_BYTES: usize = 20 * 1024;
/// How long either may take to arrive.
const STRANGERS_DURATION: Duration = Duration::from_secs(10);

/// The fields of a form (`application/x-www-form-urlencoded`), as OAuth sends them.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// A field's value; an empty one counts as absent, and one that came twice is an error (RFC 6749
    /// §3.2): which of them counts would depend on who reads it.
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(found, _)| found == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(ApiError::bad_request(format!(
                "`{name}` came more than once; send it once"
            ))
            .with_param(name)),
            (value, None) => Ok(value
                .map(|(_, value)| &**value)
                .filter(|value| !value.is_empty())),
        }
    }

    /// Whether it holds nothing, or nothing but an empty JSON object.
    pub(crate) fn is_blank(&self) -> bool {
        match &self.0[..] {
            [] => true,
            [(name, value)] => value.is_empty() && matches!(name.trim(), "" | "{}"),
            _ => false,
        }
    }

    /// Whether somebody sent JSON and called it a form: its only name begins like an object.
    pub(crate) fn looks_like_json(&self) -> bool {
        matches!(&self.0[..], [(name, _), ..] if name.trim_start().starts_with('{'))
    }

    /// Reads the body of a token exchange, whose credential is in it.
    pub(crate) async fn read_exchange(
        headers: &HeaderMap,
        body: Body,
        limits: BodyLimits,
    ) -> Result<Self, ApiError> {
        Self::read(headers, body, limits.at_most(EXCHANGE_BYTES)).await
    }

    async fn read(headers: &HeaderMap, body: Body, limits: BodyLimits) -> Result<Self, ApiError> {
        let bytes = read(headers, body, limits).await?;
        let fields = url::form_urlencoded::parse(&bytes).into_owned();
        Ok(Self(fields.collect()))
    }
}

impl FromRequest<AppState> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_form(&parts.headers) {
            return Err(ApiError::unsupported_media_type());
        }
        let limits = app.settings.body.for_sender(&parts);
        Self::read(&parts.headers, body, limits).await
    }
}

/// Whether a request says that its body is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| essence == "application/x-www-form-urlencoded")
}

/// Bounds of one request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Most bytes.
    pub bytes: usize,
    /// Most bytes of a request that brings speech, where that may be more.
    pub speech_bytes: usize,
    /// Longest time from the head to the last byte.
    pub duration: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            speech_bytes: 0,
            duration: Duration::from_secs(30),
        }
    }
}

impl BodyLimits {
    /// The limits for whoever sent this: these for those who were let in, narrow ones for others.
    fn for_sender(self, parts: &Parts) -> Self {
        if caller::is_admitted(&parts.extensions) {
            self
        } else {
            self.at_most(STRANGERS_BYTES)
        }
    }

    fn at_most(self, bytes: usize) -> Self {
        Self {
            bytes: self.bytes.min(bytes),
            speech_bytes: 0,
            duration: self.duration.min(STRANGERS_DURATION),
        }
    }
}

/// Refuses a body that is compressed: nobody here unpacks one, and its bytes would be taken for what they are not.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_plain = |value: &HeaderValue| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
    };
    if headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(is_plain)
    {
        Ok(())
    } else {
        Err(ApiError::unsupported_content_encoding())
    }
}

/// A document without the byte order mark that .NET and PowerShell begin it with: readers of JSON may ignore it
/// (RFC 8259 §8.1).
fn without_mark(mut bytes: Bytes) -> Bytes {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        let _mark = bytes.split_to(3);
    }
    bytes
}

async fn read(headers: &HeaderMap, body: Body, limits: BodyLimits) -> Result<Bytes, ApiError> {
    check_encoding(headers)?;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limits.bytes as u64) {
        return Err(ApiError::too_large(limits.bytes));
    }
    tokio::time::timeout(limits.duration, collect(body, limits.bytes))
        .await
        .map_err(|_elapsed| ApiError::too_slow())?
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut stream = body.into_data_stream();
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            ApiError::bad_request("the request body broke off; send it again").with_cause(error)
        })?;
        if chunk.len() > limit - whole.len() {
            return Err(ApiError::too_large(limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// `application/json`, or a media type with the suffix `+json` (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    essence(headers)
        .is_some_and(|essence| essence == "application/json" || essence.ends_with("+json"))
}

/// The media type without its parameters, in lower case.
fn essence(headers: &HeaderMap) -> Option<String> {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|essence| essence.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_content_types() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/plain", false),
            ("text/plain; application/json", false),
            ("application/jsonp", false),
            ("multipart/form-data", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
