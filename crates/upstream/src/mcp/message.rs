//! What servers say, made into messages that the MCP library reads.
//!
//! The library holds a message against a type, so that one field which is not as it should be costs the whole message,
//! or the session. Here a message that it does not take is looked at field by field: what is known to mean something is
//! written as the protocol has it, and what is not needed is left out. What a tool answered is not touched; that is
//! [`reading`](super::reading)'s.

use std::borrow::Cow;

use rmcp::model::{
    JsonRpcMessage, NumberOrString, ProgressToken, RequestId, ServerJsonRpcMessage,
    ServerNotification, ServerResult,
};
use serde::Deserialize;
use serde_json::{Deserializer, Map, Value, json};

use crate::json;

/// The revision that is spoken with a server which does not say which; the protocol has clients and servers assume it.
const UNSAID_VERSION: &str = "2025-03-26";
/// The code of an error whose own code is no number: an error of the server, of no kind that JSON-RPC names.
const SERVER_ERROR: i32 = -32000;
/// What is said instead of a message that is too long.
const TOO_LARGE: &str = "the result is too large to be read; ask for less at once";
/// As many places of a text are looked at for the beginning of a message.
const MAX_BEGINNINGS: usize = 64;
/// How servers report of a call that goes on.
const PROGRESS: &str = "notifications/progress";

/// What messages may be the answer to.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    /// `None` where that is not known, or where nothing was asked.
    pub(super) id: Option<RequestId>,
    /// Whether it asks who the server is, and what it speaks.
    pub(super) is_handshake: bool,
    /// The name under which its progress is reported, where all that is reported is about it.
    pub(super) progress: Option<ProgressToken>,
}

/// What came.
#[derive(Debug)]
enum Said {
    /// A message as it should be.
    Message(Box<ServerJsonRpcMessage>),
    /// Messages that had to be mended: several, where they came in one list.
    Mended(Vec<Mended>),
    /// No message.
    Nothing,
}

#[derive(Debug)]
struct Mended {
    message: ServerJsonRpcMessage,
    /// Whether it says itself what it answers, if it is an answer.
    is_addressed: bool,
}

/// What is to be passed on as text, one for each message.
#[derive(Debug, Default)]
pub(super) struct Passed<'a> {
    /// What says what it answers, or is no answer: as it came, where that is as it should be.
    pub(super) messages: Vec<Cow<'a, [u8]>>,
    /// What may be an answer and does not say to what, with the number of the question.
    pub(super) unaddressed: Option<Vec<u8>>,
}

/// Reads what came in answer to a question, or by itself.
fn read(data: &[u8], question: &Question) -> Said {
    if let Ok(message) = serde_json::from_slice::<ServerJsonRpcMessage>(data)
        && !is_odd(&message, data, question)
    {
        return Said::Message(Box::new(message));
    }
    let said = match json::read(data) {
        Some(Value::Array(messages)) => messages,
        Some(message @ Value::Object(_)) => vec![message],
        Some(_) => return Said::Nothing,
        None => scattered(data),
    };
    let mended: Vec<_> = said
        .into_iter()
        .filter_map(|message| match message {
            Value::Object(message) => acceptable(message, question),
            _ => None,
        })
        .collect();
    if mended.is_empty() {
        Said::Nothing
    } else {
        Said::Mended(mended)
    }
}

/// Messages among other things: behind the beginning of a log's line or a warning, one after the other, or as events in
/// what does not say that it is a stream. What a server asks is not among them; it is repeated in logs.
fn scattered(data: &[u8]) -> Vec<Value> {
    let mut messages = Vec::new();
    if memchr::memmem::find(data, b"\"jsonrpc\"").is_none() {
        return messages;
    }
    let mut rest = data;
    for _ in 0..MAX_BEGINNINGS {
        let Some(start) = memchr::memchr(b'{', rest) else {
            break;
        };
        rest = rest.get(start..).unwrap_or_default();
        let mut documents = Deserializer::from_slice(rest).into_iter::<Map<String, Value>>();
        let length = match documents.next() {
            Some(Ok(message)) => {
                let length = documents.byte_offset();
                let is_request = message.contains_key("method") && message.contains_key("id");
                if message.contains_key("jsonrpc") && !is_request {
                    messages.push(Value::Object(message));
                }
                length
            }
            _ => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    messages
}

/// The one message of an answer that can hold no more: what answers the question, where several came.
pub(super) fn read_one(data: &[u8], question: &Question) -> Option<ServerJsonRpcMessage> {
    match read(data, question) {
        Said::Message(message) => Some(*message),
        Said::Mended(mut messages) => {
            let answers = |mended: &Mended| match &mended.message {
                JsonRpcMessage::Response(response) => question.is_of(&response.id),
                JsonRpcMessage::Error(refusal) => match &refusal.id {
                    Some(id) => question.is_of(id),
                    None => question.id.is_none(),
                },
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => false,
            };
            let position = messages
                .iter()
                .position(|mended| mended.is_addressed && answers(mended))
                .or_else(|| messages.iter().position(answers));
            Some(messages.swap_remove(position.unwrap_or(0)).message)
        }
        Said::Nothing => None,
    }
}

/// Reads it as well, and gives it as text.
pub(super) fn rewritten<'a>(data: &'a [u8], question: &Question) -> Passed<'a> {
    let mut passed = Passed::default();
    match read(data, question) {
        Said::Message(_) => passed.messages.push(Cow::Borrowed(data)),
        Said::Nothing => {}
        Said::Mended(messages) => {
            for mut mended in messages {
                if let JsonRpcMessage::Error(refusal) = &mut mended.message
                    && !mended.is_addressed
                {
                    refusal.id.clone_from(&question.id);
                }
                let Ok(text) = serde_json::to_vec(&mended.message) else {
                    continue;
                };
                if mended.is_addressed {
                    passed.messages.push(Cow::Owned(text));
                } else {
                    passed.unaddressed = Some(text);
                }
            }
        }
    }
    passed
}

/// Whether a message holds a result.
pub(super) fn is_result(data: &[u8]) -> bool {
    let message = serde_json::from_slice(data);
    matches!(message, Ok(ServerJsonRpcMessage::Response(_)))
}

/// What is said, instead of a message that is too long, to whoever waits for the answer of this id.
pub(super) fn too_large(id: &RequestId) -> String {
    let error = json!({ "code": SERVER_ERROR, "message": TOO_LARGE });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

/// Whether two numbers are the same, also where one is written as a text.
pub(super) fn is_same(one: &RequestId, other: &RequestId) -> bool {
    one == other || one.to_string() == other.to_string()
}

impl Question {
    /// Whether this number is the question's, also where it is written as a text.
    fn is_of(&self, id: &RequestId) -> bool {
        self.id.as_ref().is_some_and(|own| is_same(own, id))
    }

    /// Whether this number is that of another question.
    fn is_of_another(&self, id: &RequestId) -> bool {
        self.id.is_some() && !self.is_of(id)
    }
}

/// Whether it can be read, and yet not be used: it passes for something else.
fn is_odd(message: &ServerJsonRpcMessage, data: &[u8], question: &Question) -> bool {
    match message {
        JsonRpcMessage::Response(response) => {
            question.is_of_another(&response.id)
                || match &response.result {
                    ServerResult::CustomResult(result) if question.is_handshake => {
                        result.0.as_object().is_some_and(is_introduction)
                    }
                    _ => false,
                }
        }
        JsonRpcMessage::Error(refusal) => {
            let id = refusal.id.as_ref();
            id.is_none_or(|id| question.is_of_another(id)) || refusal.error.message.is_empty()
        }
        JsonRpcMessage::Request(_) => [&b"\"result\""[..], b"\"error\""]
            .iter()
            .any(|field| memchr::memmem::find(data, field).is_some()),
        JsonRpcMessage::Notification(message) => match &message.notification {
            ServerNotification::ProgressNotification(report) => {
                let token = &report.params.progress_token;
                matches!(token.0, NumberOrString::String(_))
                    || question
                        .progress
                        .as_ref()
                        .is_some_and(|known| known != token)
            }
            ServerNotification::CustomNotification(other) => other.method == PROGRESS,
            _ => false,
        },
    }
}

/// The message as the library takes it.
fn acceptable(mut message: Map<String, Value>, question: &Question) -> Option<Mended> {
    if message.get("id").is_some_and(|id| !is_id(id)) {
        message.remove("id");
    }
    let asked = question.id.as_ref().map(|id| json!(id));
    // What a program prints may be a line of a log that happens to have the same fields.
    let is_rpc =
        message.contains_key("jsonrpc") || (asked.is_some() && message.get("id") == asked.as_ref());
    let mut is_addressed = true;
    message.insert("jsonrpc".to_owned(), json!("2.0"));
    if message.get("method").is_some_and(Value::is_string)
        && !(is_rpc && is_answer(&message, asked.as_ref()))
    {
        message.remove("result");
        message.remove("error");
        let is_report = message.get("method").is_some_and(|name| name == PROGRESS);
        match message.get_mut("params") {
            Some(Value::Object(params)) if is_report => report(params, question),
            Some(Value::Object(_)) => {}
            _ => drop(message.remove("params")),
        }
    } else {
        message.remove("method");
        message.remove("params");
        // On what answers one question there is no other's answer: some servers give all of theirs one number.
        let id = message.get("id").map(RequestId::deserialize);
        if matches!(id, Some(Ok(id)) if question.is_of_another(&id)) {
            message.remove("id");
        }
        is_addressed = message.contains_key("id");
        let has_result = message
            .get("result")
            .is_some_and(|result| !result.is_null());
        let error = message.remove("error");
        match error.filter(|error| is_said(error) && !(has_result && says_nothing(error))) {
            // So does somebody speak who knows nothing of JSON-RPC.
            Some(error) if !is_rpc && !error.is_object() => return None,
            Some(error) => {
                message.remove("result");
                message.insert("error".to_owned(), refusal(error));
            }
            None => {
                // A result that does not say whose it is belongs to what was asked.
                if !is_addressed && let Some(id) = asked {
                    message.insert("id".to_owned(), id);
                }
                if question.is_handshake
                    && let Some(Value::Object(result)) = message.get_mut("result")
                    && is_introduction(result)
                {
                    introduce(result);
                }
            }
        }
    }
    let message = serde_json::from_value(Value::Object(message)).ok()?;
    Some(Mended {
        message,
        is_addressed,
    })
}

/// Makes a report of progress one that the library reads. That it came matters more than what it says: it shows that the
/// call goes on.
fn report(params: &mut Map<String, Value>, question: &Question) {
    let number = |value: Option<Value>| match value {
        Some(Value::Number(number)) => Some(Value::Number(number)),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok().map(Value::from),
        _ => None,
    };
    let progress = number(params.remove("progress"));
    params.insert("progress".to_owned(), progress.unwrap_or_else(|| json!(0)));
    if let Some(total) = number(params.remove("total")) {
        params.insert("total".to_owned(), total);
    }
    match params.remove("message") {
        None | Some(Value::Null) => {}
        Some(message) => drop(params.insert("message".to_owned(), words(message).into())),
    }
    let token = match (&question.progress, params.get("progressToken")) {
        (Some(token), _) => json!(token),
        // Ours are numbers.
        (None, Some(Value::String(text))) => match text.parse::<u64>() {
            Ok(number) => json!(number),
            Err(_) => return,
        },
        (None, _) => return,
    };
    params.insert("progressToken".to_owned(), token);
}

/// Whether what names a method is an answer all the same, which repeats what it answers.
fn is_answer(message: &Map<String, Value>, asked: Option<&Value>) -> bool {
    let is_asked = match asked {
        Some(_) => message.get("id") == asked,
        None => message.contains_key("id") && !message.contains_key("params"),
    };
    let has = |field: &str| message.get(field).is_some_and(is_said);
    is_asked && (has("result") || has("error"))
}

/// Whether a field holds more than a word for nothing.
fn is_said(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// Whether an error is one in form only, as some write it beside each result.
fn says_nothing(error: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    };
    match error {
        Value::Object(fields) => fields.values().all(is_empty),
        other => is_empty(other),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

/// An error with a number for its code and a text for its message.
fn refusal(error: Value) -> Value {
    let Value::Object(mut error) = error else {
        return json!({ "code": SERVER_ERROR, "message": words(error) });
    };
    let code = match error.get("code") {
        Some(Value::String(code)) => code.trim().parse().ok(),
        Some(code) => code.as_i64().and_then(|code| i32::try_from(code).ok()),
        None => None,
    };
    let message = match error.remove("message") {
        None | Some(Value::Null) => {
            let whole = Value::Object(error.clone());
            words(whole)
        }
        Some(message) => words(message),
    };
    let mut refusal = json!({ "code": code.unwrap_or(SERVER_ERROR), "message": message });
    if let Some(data) = error.remove("data") {
        refusal["data"] = data;
    }
    refusal
}

/// A text as it is, and anything else as JSON.
fn words(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Whether a result is one of a handshake, or says what a server speaks that knows none.
fn is_introduction(result: &Map<String, Value>) -> bool {
    result.contains_key("protocolVersion")
        || result.contains_key("supportedVersions")
        || (result.contains_key("serverInfo") && result.contains_key("capabilities"))
}

/// Makes such a result one that the library takes: what a server leaves out of it, or writes in a way of its own, says
/// nothing about its tools.
fn introduce(result: &mut Map<String, Value>) {
    let capabilities = match result.remove("capabilities") {
        Some(Value::Object(capabilities)) => capabilities,
        _ => Map::new(),
    };
    let capabilities: Map<_, _> = capabilities.into_iter().filter_map(capability).collect();
    result.insert("capabilities".to_owned(), Value::Object(capabilities));
    for (field, is_fine) in [
        ("instructions", Value::is_string as fn(&Value) -> bool),
        ("_meta", Value::is_object),
    ] {
        if result.get(field).is_some_and(|value| !is_fine(value)) {
            result.remove(field);
        }
    }
    if result.contains_key("supportedVersions") {
        let missing = [
            ("resultType", json!("complete")),
            ("ttlMs", json!(0)),
            ("cacheScope", json!("private")),
        ];
        for (field, value) in missing {
            result.entry(field).or_insert(value);
        }
        return;
    }
    if !result.get("protocolVersion").is_some_and(Value::is_string) {
        result.insert("protocolVersion".to_owned(), json!(UNSAID_VERSION));
    }
    let named = match result.remove("serverInfo") {
        Some(Value::Object(info)) => info,
        Some(Value::String(name)) => Map::from_iter([("name".to_owned(), Value::String(name))]),
        _ => Map::new(),
    };
    let said = |field: &str| match named.get(field) {
        None | Some(Value::Null) => String::new(),
        Some(value) => words(value.clone()),
    };
    let info = json!({ "name": said("name"), "version": said("version") });
    result.insert("serverInfo".to_owned(), info);
}

/// A capability with the settings that mean something; nothing for one that the server does not have.
fn capability((name, value): (String, Value)) -> Option<(String, Value)> {
    let settings = match value {
        Value::Object(settings) => settings,
        // `[]` is what PHP makes of an object without fields.
        Value::Bool(true) | Value::Array(_) => Map::new(),
        Value::Null | Value::Bool(false) | Value::Number(_) | Value::String(_) => return None,
    };
    // The one kind has settings of any kind under names of the server's, the other has switches.
    let is_fine = match name.as_str() {
        "experimental" | "extensions" => Value::is_object,
        _ => Value::is_boolean,
    };
    let settings = settings.into_iter().filter(|(_, value)| is_fine(value));
    Some((name, Value::Object(settings.collect())))
}

#[cfg(test)]
mod tests;
