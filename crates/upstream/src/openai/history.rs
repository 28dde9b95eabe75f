//! What both APIs need done to a conversation before it is sent.

use std::{borrow::Cow, collections::HashSet};

use engine::ports::{ModelInput, ModelRequest, ToolCall, ToolSpec};
use serde_json::{Map, Value, json};

/// One entry of the conversation in the words that both APIs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Message {
        /// `user` or `assistant`; instructions travel apart.
        role: &'static str,
        text: Cow<'a, str>,
    },
    Call(&'a ToolCall),
    Output {
        call_id: &'a str,
        output: &'a str,
    },
}

/// The conversation as it may be sent: with the user's language in front, and without tool calls
/// that have no output and outputs that have no call. Providers refuse a whole conversation for
/// one of those, and a turn that was cut short can leave one.
pub(super) fn entries(request: &ModelRequest) -> Vec<Entry<'_>> {
    let mut called = HashSet::new();
    let mut answered = HashSet::new();
    for input in &request.input {
        match input {
            ModelInput::ToolCall(call) => called.insert(call.call_id.as_str()),
            ModelInput::ToolOutput { call_id, .. } => answered.insert(call_id.as_str()),
            ModelInput::User(_) | ModelInput::Assistant(_) | ModelInput::Context(_) => false,
        };
    }
    let message = |role, text| Some(Entry::Message { role, text });
    let language = request.locale.as_deref().and_then(|locale| {
        let text = format!("The user's language setting: {locale}");
        message("user", context(&text).into())
    });
    let entry = |input| match input {
        // A compatible server may refuse an empty message, and it says nothing anyway.
        &ModelInput::User(ref text) | &ModelInput::Assistant(ref text) if text.is_empty() => None,
        ModelInput::User(text) => message("user", text.into()),
        ModelInput::Assistant(text) => message("assistant", text.into()),
        ModelInput::Context(text) => message("user", context(text).into()),
        ModelInput::ToolCall(call) => answered
            .contains(call.call_id.as_str())
            .then_some(Entry::Call(call)),
        ModelInput::ToolOutput { call_id, output } => called
            .contains(call_id.as_str())
            .then_some(Entry::Output { call_id, output }),
    };
    language
        .into_iter()
        .chain(request.input.iter().filter_map(entry))
        .collect()
}

/// Context is sent with the user's rank, marked: it informs, and has no say over instructions.
fn context(text: &str) -> String {
    format!("<context>\n{text}\n</context>")
}

/// A schema as the providers want it: an object schema with `properties`, even if there are none.
pub(super) fn parameters(tool: &ToolSpec) -> Value {
    let mut schema = match &tool.parameters {
        Value::Object(schema) => schema.clone(),
        _ => Map::new(),
    };
    schema.entry("type").or_insert_with(|| "object".into());
    schema.entry("properties").or_insert_with(|| json!({}));
    Value::Object(schema)
}
