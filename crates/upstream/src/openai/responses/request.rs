//! What is sent to `POST {base}/responses`.

use std::{borrow::Cow, num::NonZeroU32};

use engine::ports::{ModelRequest, Parameters};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::ResponsesOptions;
use crate::openai::{
    Mark,
    history::{self, Entry, Part, Results},
    refused::{Demand, Refused, TOOLS},
};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: Cow<'a, str>,
    input: Vec<Input<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<NonZeroU32>,
    /// What is told besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    safety_identifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    stream: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Input<'a> {
    Item(InputItem<'a>),
    /// As it came.
    Thought(Box<RawValue>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum InputItem<'a> {
    Message {
        role: &'static str,
        content: Content<'a>,
    },
    FunctionCall {
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: Content<'a>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<InputPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum InputPart<'a> {
    #[serde(rename = "input_text")]
    Text { text: Cow<'a, str> },
    #[serde(rename = "input_image")]
    Image {
        image_url: String,
        detail: &'static str,
    },
    #[serde(rename = "input_file")]
    File {
        filename: Cow<'a, str>,
        file_data: String,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Tool<'a> {
    Ours(Function<'a>),
    /// As it stands in the configuration.
    Builtin(&'a Value),
}

#[derive(Serialize)]
struct Function<'a> {
    r#type: &'static str,
    name: &'a str,
    // Some refuse an empty one.
    #[serde(skip_serializing_if = "str::is_empty")]
    description: Cow<'a, str>,
    parameters: &'a Parameters,
    // Strict mode refuses schemas that MCP servers commonly have (optional properties).
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct ToolChoice<'a> {
    r#type: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
struct Reasoning {
    summary: &'static str,
}

impl<'a> Body<'a> {
    pub(super) fn new(
        request: &'a ModelRequest,
        options: &'a ResponsesOptions,
        parallel_tool_calls: Option<bool>,
        refused: &Refused,
        mark: &Mark,
    ) -> Self {
        let has_tools = !request.tools.is_empty() && !refused.has(TOOLS);
        let builtins: &[Value] = if request.may_use_builtins {
            &options.builtin_tools
        } else {
            &[]
        };
        Self {
            model: &request.model,
            instructions: mark.instructions(request),
            input: {
                let entries = history::entries(request, Results::Lists, refused, mark);
                let takes_thoughts = !refused.has("include");
                let items = entries
                    .into_iter()
                    .filter(|entry| takes_thoughts || !matches!(entry, Entry::Thought(_)))
                    .filter_map(input_item);
                if refused.demands(Demand::Thoughts) {
                    thoughtful(items)
                } else {
                    items.collect()
                }
            },
            tools: history::offered(request, refused)
                .map(|tool| Function {
                    r#type: "function",
                    name: tool.name,
                    description: tool.description,
                    parameters: tool.parameters,
                    strict: (!refused.has("strict")).then_some(false),
                })
                .map(Tool::Ours)
                // Last, so that a refusal that counts tools counts ours.
                .chain(builtins.iter().map(Tool::Builtin))
                .collect(),
            tool_choice: history::tool_choice(request, refused).map(|name| ToolChoice {
                r#type: "function",
                name,
            }),
            parallel_tool_calls: parallel_tool_calls
                .filter(|_| has_tools && !refused.has("parallel_tool_calls")),
            reasoning: (options.wants_reasoning_summary && !refused.has("reasoning"))
                .then_some(Reasoning { summary: "auto" }),
            max_output_tokens: request.max_output_tokens,
            include: if refused.has("include") {
                Vec::new()
            } else {
                include(has_tools, builtins)
            },
            safety_identifier: history::end_user(request, refused, "safety_identifier"),
            store: (!refused.has("store")).then_some(false),
            stream: !refused.has("stream"),
        }
    }
}

/// With a thought right before each call, where none is. A blank: nothing at all counts as missing.
fn thoughtful<'a>(items: impl Iterator<Item = Input<'a>>) -> Vec<Input<'a>> {
    let mut told: Vec<Input<'a>> = Vec::new();
    for item in items {
        let is_call = matches!(item, Input::Item(InputItem::FunctionCall { .. }));
        if is_call && !matches!(told.last(), Some(Input::Thought(_))) {
            let text = json!([{ "type": "reasoning_text", "text": " " }]);
            let blank = json!({ "type": "reasoning", "summary": [], "content": text });
            told.extend(serde_json::value::to_raw_value(&blank).map(Input::Thought));
        }
        told.push(item);
    }
    told
}

/// What is told besides: the model's thoughts, sealed, so that they can be given back with its calls, and what the
/// provider's tools have found.
fn include(has_tools: bool, builtins: &[Value]) -> Vec<&'static str> {
    let found = [
        ("web_search", "web_search_call.action.sources"),
        ("file_search", "file_search_call.results"),
        ("code_interpreter", "code_interpreter_call.outputs"),
    ];
    let has = |kind: &str| builtins.iter().any(|tool| tool["type"] == kind);
    let found = found.into_iter().filter(|(kind, _)| has(kind));
    has_tools
        .then_some("reasoning.encrypted_content")
        .into_iter()
        .chain(found.map(|(_, name)| name))
        .collect()
}

fn input_item(entry: Entry<'_>) -> Option<Input<'_>> {
    Some(Input::Item(match entry {
        Entry::Message { role, text, files } => InputItem::Message {
            role,
            content: content(history::parts(text, files)),
        },
        Entry::Thought(text) => {
            return RawValue::from_string(text.into_owned())
                .ok()
                .map(Input::Thought);
        }
        Entry::Call {
            call_id,
            given_id: _,
            name,
            arguments,
        } => InputItem::FunctionCall {
            call_id,
            name,
            arguments,
        },
        Entry::Output {
            call_id,
            output,
            mut files,
        } => InputItem::FunctionCallOutput {
            call_id,
            output: {
                files.insert(0, Part::Text(output));
                content(files)
            },
        },
    }))
}

/// A text alone is no list.
fn content(mut parts: Vec<Part<'_>>) -> Content<'_> {
    if let [Part::Text(text)] = parts.as_mut_slice() {
        return Content::Text(std::mem::take(text));
    }
    let parts = parts.into_iter().filter_map(|part| match part {
        Part::Text(text) => Some(InputPart::Text { text }),
        Part::Image { url } => Some(InputPart::Image {
            image_url: url,
            detail: "auto",
        }),
        Part::Document { name, url } => Some(InputPart::File {
            filename: name,
            file_data: url,
        }),
        // The API has no word for it, and none is made for it.
        Part::Sound { .. } => None,
    });
    Content::Parts(parts.collect())
}
