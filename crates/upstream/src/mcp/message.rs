//! What servers say, made into messages that the MCP library reads.
//!
//! The library holds a message against a type, so that one field which is not as it should be costs the whole message,
//! or the session. Here a message that it does not take is looked at field by field: what is known to mean something is
//! written as the protocol has it, and what is not needed is left out. What a tool answered is not touched; that is
//! [`reading`](super::reading)'s.

use std::borrow::Cow;

use rmcp::model::{JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult};
use serde_json::{Map, Value, json};

use crate::json;

/// The revision that is spoken with a server which does not say which; the protocol has clients and servers assume it.
const UNSAID_VERSION: &str = "2025-03-26";
/// The code of an error whose own code is no number: an error of the server, of no kind that JSON-RPC names.
const SERVER_ERROR: i32 = -32000;
/// What is said instead of a message that is too long.
const TOO_LARGE: &str = "the result is too large to be read; ask for less at once";

/// What came.
#[derive(Debug)]
pub(super) enum Said {
    /// A message as it should be.
    Message(Box<ServerJsonRpcMessage>),
    /// Messages that had to be mended: several, where they came in one list.
    Mended(Vec<ServerJsonRpcMessage>),
    /// No message.
    Nothing,
}

/// Reads what came in answer to the request of this id, or by itself.
pub(super) fn read(data: &[u8], id: Option<&RequestId>) -> Said {
    if let Ok(message) = serde_json::from_slice::<ServerJsonRpcMessage>(data)
        && !is_odd(&message)
    {
        return Said::Message(Box::new(message));
    }
    let said = match json::read(data) {
        Some(Value::Array(messages)) => messages,
        Some(message @ Value::Object(_)) => vec![message],
        _ => return Said::Nothing,
    };
    let mended: Vec<_> = said
        .into_iter()
        .filter_map(|message| match message {
            Value::Object(message) => acceptable(message, id),
            _ => None,
        })
        .collect();
    if mended.is_empty() {
        Said::Nothing
    } else {
        Said::Mended(mended)
    }
}

/// The one message of an answer that can hold no more: what answers the request, where several came.
pub(super) fn read_one(data: &[u8], id: Option<&RequestId>) -> Option<ServerJsonRpcMessage> {
    match read(data, id) {
        Said::Message(message) => Some(*message),
        Said::Mended(mut messages) => {
            let answers = |message: &ServerJsonRpcMessage| match message {
                JsonRpcMessage::Response(response) => Some(&response.id) == id,
                JsonRpcMessage::Error(refusal) => refusal.id.as_ref() == id,
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => false,
            };
            let position = messages.iter().position(answers).unwrap_or(0);
            Some(messages.swap_remove(position))
        }
        Said::Nothing => None,
    }
}

/// The same as text, one for each message: as it came, where that is as it should be.
pub(super) fn rewritten<'a>(data: &'a [u8], id: Option<&RequestId>) -> Vec<Cow<'a, [u8]>> {
    match read(data, id) {
        Said::Message(_) => vec![Cow::Borrowed(data)],
        Said::Nothing => Vec::new(),
        Said::Mended(messages) => messages
            .iter()
            .filter_map(|message| Some(Cow::Owned(serde_json::to_vec(message).ok()?)))
            .collect(),
    }
}

/// What is said, instead of a message that is too long, to whoever waits for the answer of this id.
pub(super) fn too_large(id: &RequestId) -> String {
    let error = json!({ "code": SERVER_ERROR, "message": TOO_LARGE });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

/// Whether it can be read, and yet not be used: a handshake that is not as it should be passes for something else.
fn is_odd(message: &ServerJsonRpcMessage) -> bool {
    let JsonRpcMessage::Response(response) = message else {
        return false;
    };
    match &response.result {
        ServerResult::CustomResult(result) => result.0.as_object().is_some_and(is_introduction),
        _ => false,
    }
}

/// The message as the library takes it.
fn acceptable(
    mut message: Map<String, Value>,
    id: Option<&RequestId>,
) -> Option<ServerJsonRpcMessage> {
    if message.get("id").is_some_and(|id| !is_id(id)) {
        message.remove("id");
    }
    let is_addressed = message.contains_key("jsonrpc") || message.contains_key("id");
    message.insert("jsonrpc".to_owned(), json!("2.0"));
    if message.get("method").is_some_and(Value::is_string) {
        message.remove("result");
        message.remove("error");
        if !matches!(message.get("params"), Some(Value::Object(_))) {
            message.remove("params");
        }
    } else {
        message.remove("method");
        match message.remove("error") {
            None | Some(Value::Null | Value::Bool(false)) => {
                // A result that does not say whose it is belongs to what was asked.
                if !message.contains_key("id")
                    && let Some(id) = id
                {
                    message.insert("id".to_owned(), json!(id));
                }
                if let Some(Value::Object(result)) = message.get_mut("result")
                    && is_introduction(result)
                {
                    introduce(result);
                }
            }
            // So does somebody speak who knows nothing of JSON-RPC.
            Some(error) if !is_addressed && !error.is_object() => return None,
            Some(error) => {
                message.remove("result");
                message.insert("error".to_owned(), refusal(error));
            }
        }
    }
    serde_json::from_value(Value::Object(message)).ok()
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
