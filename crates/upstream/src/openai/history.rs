//! What both APIs need done to a conversation before it is sent.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::ports::{FileContent, ModelFile, ModelInput, ModelRequest, ToolSpec, UserInput};
use serde_json::{Map, Value, json};

use super::{Mark, opaque_user, refused::Refused};

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
    /// See [`engine::ports::Thought`].
    Thought(Cow<'a, str>),
    Call {
        call_id: Cow<'a, str>,
        /// The id that the model gave it.
        given_id: &'a str,
        name: &'a str,
        arguments: Cow<'a, str>,
    },
    Output {
        call_id: Cow<'a, str>,
        output: Cow<'a, str>,
    },
}

/// The conversation as it may be sent: with the user's language in front, and without tool calls
/// that have no output and outputs that have no call. Providers refuse a whole conversation for
/// one of those, and a turn that was cut short can leave one. Calls whose id another one had before
/// get an id of their own: some models count anew in each answer, and others refuse that.
///
/// Only what the application says stands between `mark`s, whatever anybody writes.
pub(super) fn entries<'a>(request: &'a ModelRequest, mark: &Mark) -> Vec<Entry<'a>> {
    let mut called = HashSet::new();
    let mut answered = HashSet::new();
    for input in &request.input {
        match input {
            ModelInput::ToolCall(call) => called.insert(call.call_id.as_str()),
            ModelInput::ToolOutput { call_id, .. } => answered.insert(call_id.as_str()),
            ModelInput::User(_)
            | ModelInput::Assistant(_)
            | ModelInput::Context(_)
            | ModelInput::Thought(_) => false,
        };
    }
    let message = |role, text| {
        let files = &[];
        Some(Entry::Message { role, text, files })
    };
    let language = request.locale.as_deref().and_then(|locale| {
        let text = format!("The user's language setting: {locale}");
        message("user", mark.context(&text).into())
    });
    let mut ids = CallIds {
        given: called.clone(),
        latest: HashMap::new(),
        made: 0,
    };
    let entries = request.input.iter().filter_map(move |input| match input {
        // A compatible server may refuse an empty message, and it says nothing anyway.
        ModelInput::Assistant(text) if text.is_empty() => None,
        ModelInput::User(said) if said.text.is_empty() && said.files.is_empty() => None,
        ModelInput::User(UserInput { text, files }) => Some(Entry::Message {
            role: "user",
            text: mark.foreign(text),
            files,
        }),
        ModelInput::Assistant(text) => message("assistant", mark.foreign(text)),
        ModelInput::Context(text) => message("user", mark.context(text).into()),
        // The number is digits, so what is JSON stays JSON without it.
        ModelInput::Thought(thought) => Some(Entry::Thought(mark.foreign(&thought.0))),
        ModelInput::ToolCall(call) => {
            answered
                .contains(call.call_id.as_str())
                .then(|| Entry::Call {
                    call_id: ids.of_call(&call.call_id),
                    given_id: &call.call_id,
                    name: &call.name,
                    arguments: mark.foreign(&call.arguments),
                })
        }
        ModelInput::ToolOutput { call_id, output } => {
            called.contains(call_id.as_str()).then(|| Entry::Output {
                call_id: ids.of_output(call_id),
                output: mark.foreign(output),
            })
        }
    });
    language.into_iter().chain(entries).collect()
}

/// Call ids, each for one call only.
struct CallIds<'a> {
    /// The ids as they came; one that is made is none of them.
    given: HashSet<&'a str>,
    /// What the latest call with this id is called.
    latest: HashMap<&'a str, Cow<'a, str>>,
    made: u32,
}

impl<'a> CallIds<'a> {
    fn of_call(&mut self, id: &'a str) -> Cow<'a, str> {
        let mut own = Cow::Borrowed(id);
        if self.latest.contains_key(id) {
            while self.given.contains(&*own) {
                self.made += 1;
                own = format!("call_{}", self.made).into();
            }
        }
        self.latest.insert(id, own.clone());
        own
    }

    /// The id of the latest call that came with this one: outputs follow their calls.
    fn of_output(&self, id: &'a str) -> Cow<'a, str> {
        self.latest.get(id).cloned().unwrap_or(Cow::Borrowed(id))
    }
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
        name: Cow<'a, str>,
        /// The bytes, as a `data:` address.
        url: String,
    },
}

/// A user's message in parts: the files, then what is said about them.
pub(super) fn parts<'a>(text: Cow<'a, str>, files: &'a [ModelFile], mark: &Mark) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = files.iter().map(|file| part(file, mark)).collect();
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// What models take differs; all take text, and images and PDF are what our two APIs take besides.
fn part<'a>(file: &'a ModelFile, mark: &Mark) -> Part<'a> {
    let ModelFile {
        name, media_type, ..
    } = file;
    let name = mark.foreign(name);
    // A name must not end the tag that it stands in.
    let tag_name = name.replace(['"', '<', '>', '&'], "_");
    match &file.content {
        Some(FileContent::Image(bytes)) => Part::Image {
            url: data_url(media_type, bytes),
        },
        Some(FileContent::Pdf(bytes)) => Part::Document {
            name,
            url: data_url(media_type, bytes),
        },
        Some(FileContent::Text(text)) => Part::Text(
            format!(
                "<file name=\"{tag_name}\" type=\"{media_type}\">\n{}\n</file>",
                mark.foreign(text)
            )
            .into(),
        ),
        None => Part::Text(
            format!("<file name=\"{tag_name}\" type=\"{media_type}\">(not shown)</file>").into(),
        ),
    }
}

fn data_url(media_type: &str, bytes: &[u8]) -> String {
    let mut url = format!("data:{media_type};base64,");
    STANDARD.encode_string(bytes, &mut url);
    url
}

/// The opaque name of the person for the parameter of this name; empty where it is refused.
pub(super) fn end_user(request: &ModelRequest, refused: &Refused, name: &str) -> String {
    if refused.has(name) {
        return String::new();
    }
    opaque_user(&request.end_user)
}

/// The tool that has to be used, where it is still offered.
pub(super) fn tool_choice<'a>(request: &'a ModelRequest, refused: &Refused) -> Option<&'a str> {
    let is_refused = |name: &str| {
        request
            .tools
            .iter()
            .any(|tool| tool.name == name && refused.has_tool(tool))
    };
    let chosen = request
        .tool_choice
        .as_deref()
        .filter(|_| !refused.has("tool_choice"));
    chosen.filter(|name| !is_refused(name))
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
