//! What a provider's refusals and broken connections mean for the conversation.
//!
//! Sources: OpenAI's "Error codes" guide for statuses and codes; compatible servers differ in the
//! shape of the body, so it is read leniently and only for its code and message.

use std::{fmt, time::Duration};

use engine::ports::ModelError;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{lenient, stream::NoAnswer};
use crate::{
    http::{describe, read_prefix, retry_after},
    sse::Event,
};

/// Enough for any error object; the rest of a longer body is not read.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The longest code that is taken for one.
const MAX_CODE_BYTES: usize = 64;
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
    /// The answer as it came, for whoever looks what it refuses; not for the log.
    words: Words,
    /// How long the provider wants to be left alone.
    retry_after: Option<Duration>,
}

/// Words that may repeat what somebody wrote.
struct Words(String);

impl fmt::Debug for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

impl Refusal {
    /// A provider's words are kept where they are about our key, the model's name or a limit. Others
    /// may repeat what somebody wrote, so of those there is the code alone, if it looks like one.
    fn new(
        status: Option<StatusCode>,
        code: &str,
        message: &str,
        secrets: &[SecretString],
    ) -> Self {
        let is_about_us = matches!(
            status,
            Some(
                StatusCode::UNAUTHORIZED
                    | StatusCode::FORBIDDEN
                    | StatusCode::NOT_FOUND
                    | StatusCode::TOO_MANY_REQUESTS
            )
        );
        let is_name = code.len() <= MAX_CODE_BYTES
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        Self {
            status,
            code: if is_name {
                mask(code, secrets)
            } else {
                String::new()
            },
            detail: if is_about_us {
                mask(message, secrets)
            } else {
                String::new()
            },
            words: Words(String::new()),
            retry_after: None,
        }
    }

    /// The status, or the one that an error inside the stream has for a code.
    fn number(&self) -> Option<u16> {
        self.status
            .map_or_else(|| self.code.parse().ok(), |status| Some(status.as_u16()))
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
    refusal_of_request(error).is_some()
}

fn refusal_of_request(error: &ModelError) -> Option<&Refusal> {
    let (ModelError::Misconfigured(source) | ModelError::Unavailable(source)) = error else {
        return None;
    };
    let refusal = source.downcast_ref::<Refusal>()?;
    let is_of_request = match refusal.number() {
        Some(400 | 422) => true,
        // What has another status, or none inside a stream.
        None | Some(404 | 500) => {
            let words = refusal.words.0.to_ascii_lowercase();
            OF_REQUEST.iter().any(|text| words.contains(text))
        }
        Some(_) => false,
    };
    is_of_request.then_some(refusal)
}

/// How servers say with another status than 400 that the request is wrong, in lower case.
const OF_REQUEST: [&str; 14] = [
    "param: tools",         // llama.cpp (500)
    "tools with stream",    // llama.cpp (500)
    "image input",          // OpenRouter (404), llama.cpp, Ollama (500)
    "audio input",          // OpenRouter (404), llama.cpp (500)
    "support tool use",     // OpenRouter (404)
    "support tools",        // llama.cpp (500)
    "--jinja",              // llama.cpp (500)
    "jinja exception",      // llama.cpp (500): what the chat template says
    "jinja template",       // LM Studio, in the stream
    "grammar",              // llama.cpp (400, 500), xgrammar behind vLLM
    "schema",               // llama.cpp (500)
    "tool call id",         // mlx-lm (404), omlx (500)
    "content and thinking", // gpt-oss's template
    "not persisted",        // OpenAI (404): a thought that it does not know
];

/// What the provider found wrong with the request, in lower case.
pub(super) struct Complaint {
    /// Its code, its type and its message.
    pub(super) words: String,
    /// The parameter, where one is named.
    pub(super) param: String,
}

/// What the provider said when it found the request itself wrong. What it repeats of the request is left out, where it
/// can be told apart.
pub(super) fn complaint(error: &ModelError) -> Option<Complaint> {
    let refusal = refusal_of_request(error)?;
    let body = refusal.words.0.to_ascii_lowercase();
    let value = document(body.as_bytes()).unwrap_or_default();
    let mut words = Vec::new();
    said(&value, &mut words);
    let param = value.pointer("/error/param").or(value.get("param"));
    let mut param = param.and_then(Value::as_str).unwrap_or_default();
    // Xiaomi says there what is wrong.
    if param.contains(' ') {
        words.push(std::mem::take(&mut param).to_owned());
    }
    Some(Complaint {
        param: param.to_owned(),
        words: if words.is_empty() {
            body
        } else {
            words.join(" ")
        },
    })
}

/// What an error says, in any of the shapes that are about; not the `input` that some repeat.
fn said(error: &Value, words: &mut Vec<String>) {
    match error {
        Value::String(text) => words.push(text.clone()),
        Value::Array(errors) => errors.iter().for_each(|error| said(error, words)),
        Value::Object(fields) => {
            for field in [
                "error", "errors", "code", "type", "loc", "message", "msg", "detail",
            ] {
                match fields.get(field) {
                    // As it would stand in a text: `["body","stream_options"]`.
                    Some(place @ Value::Array(_)) if field == "loc" => {
                        words.push(place.to_string());
                    }
                    Some(value) => said(value, words),
                    None => {}
                }
            }
            if let Some(other) = passed_on(error) {
                said(&other, words);
            }
        }
        _ => {}
    }
}

/// What the provider behind a gateway said, where that says beside it that somebody has refused the request
/// (OpenRouter): a document, as text or as it is, or words.
fn passed_on(error: &Value) -> Option<Value> {
    match &error["metadata"]["raw"] {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => {
            Some(document(text.as_bytes()).unwrap_or_else(|| text.as_str().into()))
        }
        other => other.is_object().then(|| other.clone()),
    }
}

/// Whether asking again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    Soon,
    /// The provider wants to be left alone for so long.
    After(Duration),
}

/// Whether asking again may help. Sources: OpenAI's "Error codes" guide, and RFC 9110 §10.2.3.
pub(super) fn again(error: &ModelError) -> Again {
    let source = match error {
        ModelError::Unavailable(source)
        | ModelError::RateLimited(source)
        | ModelError::Malformed(source) => source,
        ModelError::Misconfigured(_)
        | ModelError::TooLong(_)
        | ModelError::Declined(_)
        | ModelError::TimedOut => return Again::Never,
    };
    if let Some(broken) = source.downcast_ref::<reqwest::Error>() {
        return if broken.is_timeout() {
            Again::Never
        } else {
            Again::Soon
        };
    }
    if source.is::<NoAnswer>() {
        return Again::Soon;
    }
    let Some(refusal) = source.downcast_ref::<Refusal>() else {
        return Again::Never;
    };
    // Waiting pays no bill.
    let is_limit = matches!(error, ModelError::RateLimited(_))
        && refusal.code != "insufficient_quota"
        && !refusal.words.0.contains("insufficient_quota");
    // From 520 on, Cloudflare's words for a server that it does not reach.
    let is_busy = matches!(refusal.number(), Some(429 | 502..=504 | 520..=523 | 529))
        && !matches!(error, ModelError::RateLimited(_));
    let is_overloaded = refusal.code.contains("overloaded");
    let is_slip = refusal.code == "tool_use_failed";
    match refusal.retry_after {
        _ if !(is_limit || is_busy || is_overloaded || is_slip) => Again::Never,
        None => Again::Soon,
        Some(pause) => Again::After(pause),
    }
}

/// Whether the server closed a connection that was there without a byte of an answer.
pub(super) fn is_hung_up(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
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
pub(super) async fn of_answer(response: Response, secrets: &[SecretString]) -> ModelError {
    let status = response.status();
    let retry_after = retry_after(&response);
    let body = read_prefix(response, MAX_BODY_BYTES).await;
    let (code, message) = read_error(&body);
    let refusal = Refusal {
        words: Words(String::from_utf8_lossy(&body).into_owned()),
        retry_after,
        ..Refusal::new(Some(status), &code, &message, secrets)
    };
    classified(refusal, &code, &message)
}

/// What a refusal says, for the log.
pub(super) async fn in_words(response: Response, secrets: &[SecretString]) -> String {
    let status = response.status();
    let (code, message) = read_error(&read_prefix(response, MAX_BODY_BYTES).await);
    Refusal::new(Some(status), &code, &message, secrets).to_string()
}

/// An error that was reported inside the stream.
pub(super) fn of_event(code: &str, message: &str, secrets: &[SecretString]) -> ModelError {
    classify(None, code, message, secrets)
}

/// An error that an event, or a document in place of a stream, has under `error`: an object, or the
/// message alone. `None` where there is no error.
pub(super) fn in_event(error: &Value, secrets: &[SecretString]) -> Option<ModelError> {
    let is_error = match error {
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    };
    if let Value::Array(list) = error {
        return in_event(list.first()?, secrets);
    }
    is_error.then(|| {
        let (code, message) = code_and_message(error);
        let refusal = Refusal {
            words: Words(error.to_string()),
            ..Refusal::new(None, &code, &message, secrets)
        };
        classified(refusal, &code, &message)
    })
}

/// The error that `MiniMax` gives with the status 200 and no answer.
pub(super) fn in_base(chunk: &Value, secrets: &[SecretString]) -> Option<ModelError> {
    let base = &chunk["base_resp"];
    let number = lenient::number(&base["status_code"]).filter(|number| *number != 0)?;
    let code = number.to_string();
    let meaning = match number {
        1002 | 1039 | 1041 => "rate_limit_exceeded",
        1004 | 2049 => "invalid_api_key",
        1026 | 1027 => "content_filter",
        _ => code.as_str(),
    };
    let message = lenient::text(&base["status_msg"]);
    let refusal = Refusal::new(None, &code, &message, secrets);
    Some(classified(refusal, meaning, &message))
}

/// The error that a whole event or document is, where it has none under `error`: it says so, or it says what went wrong
/// and nothing else. `None` where it is no error.
pub(super) fn in_document(value: &Value, secrets: &[SecretString]) -> Option<ModelError> {
    let value = match value.as_array().map(Vec::as_slice) {
        Some([first, ..]) => first,
        _ => value,
    };
    let is_named = value["object"] == "error" || value["type"] == "error";
    let is_detail = match &value["detail"] {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    // Progress has words and numbers as well.
    let is_failure = ["code", "status"].into_iter().any(|field| {
        let value = &value[field];
        lenient::number(value).is_some_and(|number| number >= 400)
            || value.as_str().is_some_and(|word| word.contains("error"))
    });
    let has_words = value["message"].is_string() || value["msg"].is_string();
    let is_told = is_detail || (has_words && is_failure);
    let listed = || in_event(&value["errors"], secrets);
    in_event(&value["error"], secrets)
        .or_else(listed)
        .or_else(|| {
            (is_named || is_told)
                .then(|| in_event(value, secrets))
                .flatten()
        })
}

/// The error that an event is which is called one and holds plain text.
pub(super) fn in_words_of(event: Event<'_>, secrets: &[SecretString]) -> Option<ModelError> {
    (event.name == b"error" && !event.data.trim_ascii().is_empty())
        .then(|| of_event("", &String::from_utf8_lossy(event.data), secrets))
}

/// The code (or type) and the message of an error body, in any of the shapes that are about:
/// `{"error":{…}}`, `[{"error":{…}}]`, `{"error":"…"}`, `{"message":"…"}`, `{"detail":"…"}`, or plain
/// text.
fn read_error(body: &[u8]) -> (String, String) {
    let Some(value) = document(body) else {
        return (String::new(), String::from_utf8_lossy(body).into_owned());
    };
    let value = value
        .as_array()
        .and_then(|list| list.first())
        .unwrap_or(&value);
    let mut errors = ["error", "errors"]
        .iter()
        .filter_map(|name| value.get(name));
    let error = errors.find(|error| !error.is_null()).unwrap_or(value);
    code_and_message(
        error
            .as_array()
            .and_then(|list| list.first())
            .unwrap_or(error),
    )
}

/// The document that a body is, or the first event of a stream, in which some put an error as well.
fn document(body: &[u8]) -> Option<Value> {
    let event = || {
        let text = std::str::from_utf8(body).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("data:"))?;
        serde_json::from_str(line).ok()
    };
    serde_json::from_slice(body).ok().or_else(event)
}

fn code_and_message(error: &Value) -> (String, String) {
    let text = |field: &str| match error.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let first = |fields: &[&str]| {
        fields
            .iter()
            .map(|field| text(field))
            .find(|text| !text.is_empty())
    };
    // A number says less than a name beside it.
    let code = Some(text("code")).filter(|code| code.parse::<u16>().is_err() && !code.is_empty());
    let is_event = error.get("type").is_some_and(|kind| kind == "error");
    let kind = || {
        first(if is_event {
            &["status"]
        } else {
            &["status", "type"]
        })
    };
    let other = passed_on(error).map(|other| {
        let error = other.get("error").filter(|error| !error.is_null());
        code_and_message(error.unwrap_or(&other)).1
    });
    (
        match (code, text("code")) {
            (Some(code), _) => code,
            (None, number) if !number.is_empty() => number,
            (None, _) => kind().unwrap_or_default(),
        },
        other
            .filter(|other| !other.is_empty())
            .or_else(|| first(&["message", "detail", "msg"]))
            .unwrap_or_else(|| error.as_str().unwrap_or_default().to_owned()),
    )
}

fn classify(
    status: Option<StatusCode>,
    code: &str,
    message: &str,
    secrets: &[SecretString],
) -> ModelError {
    classified(Refusal::new(status, code, message, secrets), code, message)
}

fn classified(refusal: Refusal, code: &str, message: &str) -> ModelError {
    let status = refusal.status;
    let source = Box::new(refusal);
    // Inside a stream, some servers give the status as the code.
    let number = status.map_or_else(|| code.parse().ok(), |status| Some(status.as_u16()));
    match code.to_ascii_lowercase().as_str() {
        // Also where it counts the tokens of a minute (Groq): what does not fit into one never will.
        _ if number == Some(413) => return ModelError::TooLong(source),
        "context_length_exceeded"
        | "model_context_window_exceeded"
        | "model_max_prompt_tokens_exceeded" => {
            return ModelError::TooLong(source);
        }
        "content_filter"
        | "content_policy_violation"
        | "invalid_prompt"
        | "data_inspection_failed"
        | "1301" => {
            return ModelError::Declined(source);
        }
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "insufficient_quota"
        | "resource_exhausted"
        | "too_many_requests" => return ModelError::RateLimited(source),
        // The model's own slip, of which nobody has heard: Groq's name for a call that cannot be read.
        "tool_use_failed" => return ModelError::Malformed(source),
        "invalid_api_key" | "authentication_error" | "model_not_found" => {
            return ModelError::Misconfigured(source);
        }
        _ => {}
    }
    match number {
        None | Some(400 | 422 | 500..) if says(TOO_LONG, message) => ModelError::TooLong(source),
        None | Some(400 | 403 | 422) if says(DECLINED, message) => ModelError::Declined(source),
        Some(429) => ModelError::RateLimited(source),
        // Inside a stream everything else is the provider's own trouble.
        None | Some(408 | 409 | 425 | 500..) => ModelError::Unavailable(source),
        Some(_) if status.is_none() => ModelError::Unavailable(source),
        // 401, 403, 404, and whatever else the provider does not take from us; a redirect as well.
        Some(_) => ModelError::Misconfigured(source),
    }
}

/// How providers say in words that the conversation does not fit, in lower case.
const TOO_LONG: &[&str] = &[
    "context length",                    // OpenAI, vLLM, SGLang, OpenRouter
    "context window",                    // llama.cpp, LM Studio, Groq
    "context size",                      // llama.cpp
    "too many tokens",                   // Cohere, Hugging Face TGI
    "prompt is too long",                // Anthropic
    "input is too long",                 // Amazon Bedrock
    "maximum number of tokens",          // Gemini
    "maximum prompt length",             // xAI
    "max_seq_len",                       // SGLang, LightLLM
    "max_model_len",                     // vLLM
    "maximum allowed length",            // Mistral, DashScope
    "range of input length",             // DashScope
    "longer than the maximum",           // TensorRT-LLM, Ray Serve
    "exceeds the token limit",           // GitHub Models, Azure AI Foundry
    "tokens_limit_reached",              // GitHub Models
    "`inputs` must have less than",      // Hugging Face TGI
    "too many input tokens",             // Amazon Bedrock
    "prompt exceeds max length",         // Z.ai
    "exceeded model token limit",        // Moonshot
    "exceed context limit",              // Anthropic
    "reduce the length",                 // OpenAI, Cerebras
    "prompt token count of",             // GitHub Copilot
    "maximum input length",              // DeepInfra
    "inputs` tokens + `max_new_tokens",  // Hugging Face TGI
    "input tokens exceeded",             // Amazon Bedrock
    "maximum supported sequence length", // MosaicML, Databricks
    "token limit exceeded",              // gateways
    "prompt 超长",                       // Zhipu
    "exceed max message tokens",         // Volcengine Ark
    "maximum length 1048576",            // OpenAI, Azure: of one message; ids have other bounds
];

/// How providers say in words that they do not answer this, in lower case.
const DECLINED: &[&str] = &[
    "content exists risk",       // DeepSeek
    "violates usage guidelines", // xAI
    "requires moderation",       // OpenRouter
    "content management policy", // Azure, behind gateways that keep its words alone
    "敏感内容",                  // Zhipu
];

fn says(texts: &[&str], message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    texts.iter().any(|words| message.contains(words))
}

/// Shortens a provider's text for the log and hides what looks like a credential: providers like
/// to repeat the key that they refuse.
fn mask(text: &str, secrets: &[SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(ExposeSecret::expose_secret) {
        if !secret.is_empty() {
            text = text.replace(secret, "[hidden]");
        }
    }
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

/// A refusal that asks for a pause.
#[cfg(test)]
pub(super) fn limited_for(pause: Duration) -> ModelError {
    let refusal = Refusal {
        retry_after: Some(pause),
        ..Refusal::new(Some(StatusCode::TOO_MANY_REQUESTS), "", "", &[])
    };
    classified(refusal, "", "")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn kind(status: u16, body: &str) -> &'static str {
        let (code, message) = read_error(body.as_bytes());
        name(&classify(
            StatusCode::from_u16(status).ok(),
            &code,
            &message,
            &[],
        ))
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
            (
                400,
                r#"{"error":{"code":"tool_use_failed","failed_generation":"{}"}}"#,
                "malformed",
            ),
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
        assert_eq!(name(&of_event("server_error", "", &[])), "unavailable");
        assert_eq!(
            name(&of_event("rate_limit_exceeded", "", &[])),
            "rate limited"
        );
    }

    #[test]
    fn an_error_inside_a_stream_is_told_apart_as_one_outside() {
        for (error, expected) in [
            (
                r#"{"message":"Provider returned error","code":429}"#,
                "rate limited",
            ),
            (r#"{"message":"busy","code":"429"}"#, "rate limited"),
            (
                r#"{"status":"RESOURCE_EXHAUSTED","message":"quota"}"#,
                "rate limited",
            ),
            (
                r#"{"message":"This model's maximum context length is 4096 tokens","type":"BadRequestError","code":400}"#,
                "too long",
            ),
            (
                r#"{"type":"overloaded_error","message":"Overloaded"}"#,
                "unavailable",
            ),
            (r#""model runner has unexpectedly stopped""#, "unavailable"),
            (r#"{"code":401,"message":"no"}"#, "unavailable"),
        ] {
            let value = serde_json::from_str(error).unwrap();
            assert_eq!(name(&in_event(&value, &[]).unwrap()), expected, "{error}");
        }
        for none in ["null", "{}", "\"\"", "false"] {
            assert!(
                in_event(&serde_json::from_str(none).unwrap(), &[]).is_none(),
                "{none}"
            );
        }
    }

    #[test]
    fn every_providers_way_to_say_too_long_is_known() {
        for body in [
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"maximum context length is 8192 tokens\"}}"}}}"#,
            r#"{"message":"Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192"}"#,
            r#"{"error":{"message":"prompt token count of 130000 exceeds the limit of 128000","code":"model_max_prompt_tokens_exceeded"}}"#,
            r#"{"error":{"message":"Requested input length 9000 exceeds maximum input length 8191"}}"#,
            r#"{"error":["Input validation error: `inputs` must have less than 1024 tokens. Given: 2000"]}"#,
            r#"{"error":{"code":"InvalidParameter","message":"Total tokens of image and text exceed max message tokens."}}"#,
            r#"{"error":{"code":"string_above_max_length","message":"Invalid 'messages[1].content': string too long. Expected a string with maximum length 1048576"}}"#,
            r#"{"error":{"message":"prompt is too long: 202095 tokens > 200000 maximum","type":"invalid_request_error","code":null}}"#,
            r#"{"error":{"message":"Input validation error: `inputs` must have less than 4096 tokens. Given: 5000","type":"validation"}}"#,
            r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000 `inputs` tokens and 0 `max_new_tokens`","error_type":"validation"}"#,
            r#"{"error":{"message":"Requested generation length 512 is not possible! The maximum supported sequence length is just 4096!"}}"#,
            r#"{"error":{"message":"Input token limit exceeded"}}"#,
            r#"{"detail":"ValidationException: Input Tokens Exceeded: Number of input tokens exceeds maximum length."}"#,
            r#"{"success":false,"errors":[{"code":5021,"message":"AiError: exceeded this model context window limit (8192)."}]}"#,
            r#"{"error":{"code":"1261","message":"Prompt 超长"}}"#,
            r#"{"message":"Too many input tokens. Max input tokens: 8192"}"#,
            r#"{"error":{"code":"1261","message":"Prompt exceeds max length"}}"#,
            r#"{"error":{"message":"Invalid request: Your request exceeded model token limit: 8192","type":"invalid_request_error"}}"#,
            r#"{"error":{"message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
            r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
            r#"{"object":"error","message":"length of prompt_tokens (163280) must be less than max_seq_len (32768).","code":400}"#,
        ] {
            assert_eq!(kind(400, body), "too long", "{body}");
        }
    }

    #[test]
    fn a_question_that_is_declined_is_no_fault_of_the_configuration() {
        for (status, body) in [
            (
                403,
                r#"{"code":"The caller does not have permission to execute the specified operation","error":"Content violates usage guidelines. Team: t, Model: grok-4, Failed check: SAFETY_CHECK_TYPE_BIO"}"#,
            ),
            (
                400,
                r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
            ),
            (400, r#"{"detail":"Content Exists Risk"}"#),
            (
                403,
                r#"{"error":{"code":403,"message":"gpt-4o requires moderation on OpenRouter. Your input was flagged for \"violence\".","metadata":{"reasons":["violence"]}}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"litellm.ContentPolicyViolationError: The response was filtered due to the prompt triggering Azure OpenAI's content management policy","code":"400"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":"1301","message":"系统检测到输入或生成内容可能包含不安全或敏感内容"}}"#,
            ),
        ] {
            assert_eq!(kind(status, body), "declined", "{body}");
        }
        assert_eq!(
            kind(403, r#"{"error":"this key may not do that"}"#),
            "misconfigured"
        );
    }

    #[test]
    fn an_error_is_found_under_every_name_that_it_is_given() {
        for (body, expected) in [
            (
                r#"{"success":false,"errors":[{"code":7009,"message":"Upstream service unavailable"}],"result":null}"#,
                Some("unavailable"),
            ),
            (
                r#"{"success":false,"errors":[{"code":5021,"message":"exceeded this model context window limit (8192)."}]}"#,
                Some("too long"),
            ),
            (
                r#"{"status":"449","msg":"You exceeded your current rate limit","body":null}"#,
                Some("unavailable"),
            ),
            (r#"{"success":true,"errors":[],"result":{}}"#, None),
            (r#"{"status":"200","msg":"soon"}"#, None),
        ] {
            let value = serde_json::from_str(body).unwrap();
            let error = in_document(&value, &[]);
            assert_eq!(error.as_ref().map(name), expected, "{body}");
        }
    }

    #[test]
    fn an_error_in_place_of_a_stream_may_come_as_an_event() {
        let body = r#"{"error": {"message": "slow down", "type": "throttling_error", "code": "rate_limit_exceeded"}}"#;
        let event = format!("event: error\ndata: {body}\n\ndata: [DONE]\n\n");
        assert_eq!(kind(400, &event), "rate limited");
        assert_eq!(read_error(event.as_bytes()), read_error(body.as_bytes()));
    }

    #[test]
    fn neither_the_message_nor_the_log_repeats_a_key() {
        let key = SecretString::from("a-key-of-our-own-12345");
        let message = "Incorrect API key: sk-proj-abcdef. Or \"eyJhbGciOi\",\nkey=sk_1, \
                       a-key-of-our-own-12345?";
        let error = classify(
            Some(StatusCode::UNAUTHORIZED),
            "invalid_api_key",
            message,
            &[key],
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
        let body = r#"{"error":{"code":"invalid_value","message":"Invalid value: 'my diary'"}}"#;
        let log = |status| {
            let (code, message) = read_error(body.as_bytes());
            let status = StatusCode::from_u16(status).unwrap();
            let error = classify(Some(status), &code, &message, &[]);
            error.source().unwrap().to_string()
        };
        for status in [400, 413, 422, 500, 529] {
            let text = log(status);
            assert!(text.ends_with("`invalid_value`"), "{text}");
        }
        assert!(log(404).contains("diary"), "about the name of the model");
        let told = of_event("my diary", "my diary", &[]);
        assert!(!told.source().unwrap().to_string().contains("diary"));
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(mask(&"ü".repeat(2000), &[]).chars().count(), 501);
    }
}
