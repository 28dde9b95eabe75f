//! What a provider's refusals and broken connections mean for the conversation.
//!
//! Sources: OpenAI's "Error codes" guide for statuses and codes; compatible servers differ in the
//! shape of the body, so it is read leniently and only for its code and message.

use engine::ports::ModelError;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::http::{describe, read_prefix};

/// Enough for any error object; the rest of a longer body is not read.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The longest code or parameter that is taken for a name.
const MAX_NAME_BYTES: usize = 64;
/// How much of a provider's own words the log gets.
const MAX_DETAIL_CHARS: usize = 500;

/// A provider's refusal, for the log.
#[derive(Debug, thiserror::Error)]
#[error("the provider answered {} `{code}`{}", place(*.status), after_colon(.detail))]
struct Refusal {
    /// The HTTP status; `None` for a refusal inside the stream.
    status: Option<StatusCode>,
    code: String,
    detail: String,
}

impl Refusal {
    /// A provider's words are kept where they are about our key, the model's name or a limit. Others
    /// may repeat what somebody wrote, so there it is the name of the parameter at most.
    fn new(status: Option<StatusCode>, said: &Said, api_key: Option<&SecretString>) -> Self {
        let is_about_us = matches!(
            status,
            Some(
                StatusCode::UNAUTHORIZED
                    | StatusCode::FORBIDDEN
                    | StatusCode::NOT_FOUND
                    | StatusCode::TOO_MANY_REQUESTS
            )
        );
        let is_name = |text: &str| {
            text.len() <= MAX_NAME_BYTES
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte))
        };
        let name = |text: &str| match is_name(text) {
            true => mask(text, api_key),
            false => String::new(),
        };
        Self {
            status,
            code: name(&said.code),
            detail: if is_about_us {
                mask(&said.message, api_key)
            } else {
                name(&said.param)
            },
        }
    }
}

fn after_colon(detail: &str) -> String {
    match detail {
        "" => String::new(),
        detail => format!(": {detail}"),
    }
}

fn place(status: Option<StatusCode>) -> String {
    status.map_or_else(|| "in the stream".to_owned(), |status| status.to_string())
}

/// Whether the provider found the request itself wrong: the mistake of whoever wrote it.
pub(super) fn is_of_request(error: &ModelError) -> bool {
    let ModelError::Misconfigured(source) = error else {
        return false;
    };
    source.downcast_ref::<Refusal>().is_some_and(|refusal| {
        matches!(
            refusal.status,
            Some(StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
        )
    })
}

/// No answer came, or it broke off.
pub(super) fn of_connection(error: reqwest::Error) -> ModelError {
    if error.is_timeout() && !error.is_connect() {
        return ModelError::TimedOut;
    }
    if error.is_body() || error.is_decode() {
        return ModelError::Malformed(describe(error));
    }
    ModelError::Unavailable(describe(error))
}

/// An answer whose status is not a success.
pub(super) async fn of_answer(response: Response, api_key: Option<&SecretString>) -> ModelError {
    let status = response.status();
    let body = read_prefix(response, MAX_BODY_BYTES).await;
    classify(Some(status), &read_error(&body), api_key)
}

/// What a refusal says, for the log.
pub(super) async fn in_words(response: Response, api_key: Option<&SecretString>) -> String {
    let status = response.status();
    let said = read_error(&read_prefix(response, MAX_BODY_BYTES).await);
    Refusal::new(Some(status), &said, api_key).to_string()
}

/// An error that was reported inside the stream.
pub(super) fn of_event(code: &str, message: &str, api_key: Option<&SecretString>) -> ModelError {
    let said = Said {
        code: code.to_owned(),
        message: message.to_owned(),
        param: String::new(),
    };
    classify(None, &said, api_key)
}

/// What a provider says about an error.
#[derive(Default)]
struct Said {
    /// The code, or the type.
    code: String,
    message: String,
    /// The parameter at fault.
    param: String,
}

/// An error body in any of the shapes that are about: `{"error":{…}}`, `{"error":"…"}`,
/// `{"message":"…"}`, `{"detail":"…"}`, or plain text.
fn read_error(body: &[u8]) -> Said {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Said {
            message: String::from_utf8_lossy(body).into_owned(),
            ..Said::default()
        };
    };
    let error = value.get("error").unwrap_or(&value);
    let text = |field: &str| match error.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let code = Some(text("code")).filter(|code| !code.is_empty());
    let message = ["message", "detail"]
        .map(text)
        .into_iter()
        .find(|message| !message.is_empty());
    Said {
        code: code.unwrap_or_else(|| text("type")),
        message: message.unwrap_or_else(|| error.as_str().unwrap_or_default().to_owned()),
        param: text("param"),
    }
}

fn classify(status: Option<StatusCode>, said: &Said, api_key: Option<&SecretString>) -> ModelError {
    let source = Box::new(Refusal::new(status, said, api_key));
    match said.code.as_str() {
        "context_length_exceeded" => return ModelError::TooLong(source),
        "content_filter" | "content_policy_violation" | "invalid_prompt" => {
            return ModelError::Declined(source);
        }
        "rate_limit_exceeded" | "insufficient_quota" => return ModelError::RateLimited(source),
        "invalid_api_key" | "model_not_found" => return ModelError::Misconfigured(source),
        _ => {}
    }
    let Some(status) = status else {
        // Inside a stream everything else is the provider's own trouble.
        return ModelError::Unavailable(source);
    };
    match status.as_u16() {
        413 => ModelError::TooLong(source),
        400 | 422 if says_too_long(&said.message) => ModelError::TooLong(source),
        429 => ModelError::RateLimited(source),
        408 | 409 | 425 | 500.. => ModelError::Unavailable(source),
        // 401, 403, 404, and whatever else the provider does not take from us; a redirect as well.
        _ => ModelError::Misconfigured(source),
    }
}

/// Compatible servers say it in words only.
fn says_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "context length",
        "context window",
        "context size",
        "too many tokens",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Shortens a provider's text for the log and hides what looks like a credential: providers like
/// to repeat the key that they refuse.
fn mask(text: &str, api_key: Option<&SecretString>) -> String {
    let text = match api_key.map(ExposeSecret::expose_secret) {
        Some(key) if !key.is_empty() => text.replace(key, "[hidden]"),
        _ => text.to_owned(),
    };
    let is_part_of_word =
        |character: char| character.is_ascii_alphanumeric() || "-_.*".contains(character);
    let is_secret = |word: &str| {
        ["sk-", "sk_", "ek_", "pk_", "eyJ"]
            .iter()
            .any(|prefix| word.starts_with(prefix))
    };
    let mut masked = String::new();
    for piece in text.split_inclusive(|character| !is_part_of_word(character)) {
        let word = piece.trim_end_matches(|character| !is_part_of_word(character));
        let after = piece.get(word.len()..).unwrap_or_default();
        masked.push_str(if is_secret(word) { "[hidden]" } else { word });
        // One line in the log, whatever the provider sends.
        masked.extend(
            after
                .chars()
                .map(|mark| if mark.is_control() { ' ' } else { mark }),
        );
    }
    if let Some((end, _)) = masked.char_indices().nth(MAX_DETAIL_CHARS) {
        masked.truncate(end);
        masked.push('…');
    }
    masked
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn kind(status: u16, body: &str) -> &'static str {
        let said = read_error(body.as_bytes());
        name(&classify(StatusCode::from_u16(status).ok(), &said, None))
    }

    fn name(error: &ModelError) -> &'static str {
        match error {
            ModelError::Unavailable(_) => "unavailable",
            ModelError::RateLimited(_) => "rate limited",
            ModelError::Misconfigured(_) => "misconfigured",
            ModelError::TooLong(_) => "too long",
            ModelError::Declined(_) => "declined",
            ModelError::TimedOut => "timed out",
            ModelError::Malformed(_) => "malformed",
        }
    }

    #[test]
    fn statuses_and_codes_are_told_apart_by_what_can_be_done() {
        let cases = [
            (
                401,
                r#"{"error":{"code":"invalid_api_key","message":"no"}}"#,
                "misconfigured",
            ),
            (403, "{}", "misconfigured"),
            (
                404,
                r#"{"error":{"code":"model_not_found"}}"#,
                "misconfigured",
            ),
            (302, "", "misconfigured"),
            (
                400,
                r#"{"error":{"code":"unsupported_parameter"}}"#,
                "misconfigured",
            ),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded"}}"#,
                "too long",
            ),
            (
                400,
                r#"{"error":"the request exceeds the available context size"}"#,
                "too long",
            ),
            (
                422,
                r#"{"detail":"maximum context length is 4096"}"#,
                "too long",
            ),
            (413, "<html>", "too long"),
            (400, r#"{"error":{"code":"content_filter"}}"#, "declined"),
            (400, r#"{"error":{"code":"invalid_prompt"}}"#, "declined"),
            (
                429,
                r#"{"error":{"code":"rate_limit_exceeded"}}"#,
                "rate limited",
            ),
            (
                429,
                r#"{"error":{"type":"insufficient_quota","code":null}}"#,
                "rate limited",
            ),
            (500, "oops", "unavailable"),
            (503, "", "unavailable"),
            (
                529,
                r#"{"error":{"type":"overloaded_error"}}"#,
                "unavailable",
            ),
        ];
        for (status, body, expected) in cases {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
        assert_eq!(name(&of_event("server_error", "", None)), "unavailable");
        assert_eq!(
            name(&of_event("rate_limit_exceeded", "", None)),
            "rate limited"
        );
    }

    #[test]
    fn neither_the_message_nor_the_log_repeats_a_key() {
        let key = SecretString::from("a-key-of-our-own-12345");
        let message = "Incorrect API key: sk-proj-abcdef. Or \"eyJhbGciOi\",\nkey=sk_1, \
                       a-key-of-our-own-12345?";
        let error = classify(
            Some(StatusCode::UNAUTHORIZED),
            &Said {
                code: "invalid_api_key".to_owned(),
                message: message.to_owned(),
                param: String::new(),
            },
            Some(&key),
        );
        assert_eq!(
            error.to_string(),
            "the model provider refused the configuration"
        );
        assert_eq!(
            error.source().unwrap().to_string(),
            "the provider answered 401 Unauthorized `invalid_api_key`: Incorrect API key: [hidden] \
             Or \"[hidden]\", key=[hidden], [hidden]?"
        );
    }

    #[test]
    fn words_that_may_repeat_the_conversation_are_not_for_the_log() {
        let body = r#"{"error":{"code":"invalid_value","param":"messages[0].content",
            "message":"Invalid value: 'my diary'"}}"#;
        let log = |status| {
            let status = StatusCode::from_u16(status).unwrap();
            let error = classify(Some(status), &read_error(body.as_bytes()), None);
            error.source().unwrap().to_string()
        };
        for status in [400, 413, 422, 500, 529] {
            let text = log(status);
            assert!(!text.contains("diary"), "{text}");
            assert!(
                text.ends_with("`invalid_value`: messages[0].content"),
                "{text}"
            );
        }
        assert!(log(404).contains("diary"), "about the name of the model");
        let told = of_event("my diary", "my diary", None);
        assert!(!told.source().unwrap().to_string().contains("diary"));
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(mask(&"ü".repeat(2000), None).chars().count(), 501);
    }
}
