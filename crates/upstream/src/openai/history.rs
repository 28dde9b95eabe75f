//! What both APIs need done to a conversation before it is sent.

use std::{borrow::Cow, collections::HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::ports::{
    FileContent, ModelFile, ModelInput, ModelRequest, ToolCall, ToolSpec, UserInput,
};
use serde_json::{Map, Value, json};

/// One entry of the conversation in the words that both APIs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Message {
        /// `user` or `assistant`; instructions travel apart.
        role: &'static str,
        text: Cow<'a, str>,
        /// A user's only.
        files: &'a [ModelFile],
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
    let message = |role, text| {
        let files = &[];
        Some(Entry::Message { role, text, files })
    };
    let language = request.locale.as_deref().and_then(|locale| {
        let text = format!("The user's language setting: {locale}");
        message("user", context(&text).into())
    });
    let entries = request.input.iter().filter_map(|input| match input {
        // A compatible server may refuse an empty message, and it says nothing anyway.
        ModelInput::Assistant(text) if text.is_empty() => None,
        ModelInput::User(said) if said.text.is_empty() && said.files.is_empty() => None,
        ModelInput::User(UserInput { text, files }) => Some(Entry::Message {
            role: "user",
            text: text.into(),
            files,
        }),
        ModelInput::Assistant(text) => message("assistant", text.into()),
        ModelInput::Context(text) => message("user", context(text).into()),
        ModelInput::ToolCall(call) => answered
            .contains(call.call_id.as_str())
            .then_some(Entry::Call(call)),
        ModelInput::ToolOutput { call_id, output } => called
            .contains(call_id.as_str())
            .then_some(Entry::Output { call_id, output }),
    });
    language.into_iter().chain(entries).collect()
}

/// Context is sent with the user's rank, marked: it informs, and has no say over instructions.
fn context(text: &str) -> String {
    format!("<context>\n{text}\n</context>")
}

/// A part of a user's message that has files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(Cow<'a, str>),
    Image {
        /// The bytes, as a `data:` address.
        url: String,
    },
    Document {
        name: &'a str,
        /// The bytes, as a `data:` address.
        url: String,
    },
}

/// A user's message in parts: the files, then what is said about them.
pub(super) fn parts<'a>(text: Cow<'a, str>, files: &'a [ModelFile]) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = files.iter().map(part).collect();
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// What models take differs; all take text, and images and PDF are what our two APIs take besides.
fn part(file: &ModelFile) -> Part<'_> {
    let ModelFile {
        name, media_type, ..
    } = file;
    // A name must not end the mark that it stands in.
    let mark = name.replace(['"', '<', '>', '&'], "_");
    match &file.content {
        Some(FileContent::Image(bytes)) => Part::Image {
            url: data_url(media_type, bytes),
        },
        Some(FileContent::Pdf(bytes)) => Part::Document {
            name,
            url: data_url(media_type, bytes),
        },
        Some(FileContent::Text(text)) => Part::Text(
            format!("<file name=\"{mark}\" type=\"{media_type}\">\n{text}\n</file>").into(),
        ),
        None => Part::Text(
            format!("<file name=\"{mark}\" type=\"{media_type}\">(not shown)</file>").into(),
        ),
    }
}

fn data_url(media_type: &str, bytes: &[u8]) -> String {
    let mut url = format!("data:{media_type};base64,");
    STANDARD.encode_string(bytes, &mut url);
    url
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
