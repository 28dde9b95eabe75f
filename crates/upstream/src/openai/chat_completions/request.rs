//! What is sent to `POST {base}/chat/completions`.

use std::{borrow::Cow, num::NonZeroU32};

use engine::ports::{ModelFile, ModelRequest};
use serde::Serialize;
use serde_json::Value;

use super::ChatCompletionsOptions;
use crate::openai::{
    Mark,
    history::{self, Entry, Part},
    opaque_user,
};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    user: String,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: ImageUrl },
    File { file: File<'a> },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

#[derive(Serialize)]
struct File<'a> {
    filename: Cow<'a, str>,
    file_data: String,
}

impl<'a> Message<'a> {
    fn new(role: &'static str, content: impl Into<Option<Cow<'a, str>>>) -> Self {
        Self {
            role,
            content: content.into().map(Content::Text),
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CallFunction<'a>,
}

#[derive(Serialize)]
struct CallFunction<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: ToolFunction<'a>,
}

#[derive(Serialize)]
struct ToolFunction<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Value,
}

#[derive(Serialize)]
struct ToolChoice<'a> {
    r#type: &'static str,
    function: ToolChoiceFunction<'a>,
}

#[derive(Serialize)]
struct ToolChoiceFunction<'a> {
    name: &'a str,
}

impl<'a> Body<'a> {
    /// `output` says by which parameter this server is told how long an answer may get.
    pub(super) fn new(
        request: &'a ModelRequest,
        options: ChatCompletionsOptions,
        output: &str,
        mark: &Mark,
    ) -> Self {
        Self {
            model: &request.model,
            messages: messages(request, mark),
            tools: request
                .tools
                .iter()
                .map(|tool| Tool {
                    r#type: "function",
                    function: ToolFunction {
                        name: &tool.name,
                        description: &tool.description,
                        parameters: history::parameters(tool),
                    },
                })
                .collect(),
            tool_choice: request.tool_choice.as_deref().map(|name| ToolChoice {
                r#type: "function",
                function: ToolChoiceFunction { name },
            }),
            stream: true,
            stream_options: options.wants_usage.then_some(StreamOptions {
                include_usage: true,
            }),
            max_tokens: request.max_output_tokens.filter(|_| output == "max_tokens"),
            max_completion_tokens: request
                .max_output_tokens
                .filter(|_| output == "max_completion_tokens"),
            user: opaque_user(&request.end_user),
        }
    }
}

/// Instructions first, then the conversation; calls that belong together become one message, as
/// this API wants each call answered right after the message that holds it.
fn messages<'a>(request: &'a ModelRequest, mark: &Mark) -> Vec<Message<'a>> {
    let mut messages = Vec::with_capacity(request.input.len() + 2);
    let instructions = mark.instructions(request);
    if !instructions.is_empty() {
        messages.push(Message::new("system", instructions));
    }
    for entry in history::entries(request, mark) {
        match entry {
            Entry::Message { role, text, files } => messages.push(match files {
                [] => Message::new(role, text),
                files => Message {
                    content: Some(content_parts(text, files, mark)),
                    ..Message::new(role, None)
                },
            }),
            Entry::Call {
                call_id,
                name,
                arguments,
            } => {
                let call = Call {
                    id: call_id,
                    r#type: "function",
                    function: CallFunction { name, arguments },
                };
                match messages.last_mut() {
                    Some(last) if last.role == "assistant" => last.tool_calls.push(call),
                    _ => {
                        let mut message = Message::new("assistant", None);
                        message.tool_calls.push(call);
                        messages.push(message);
                    }
                }
            }
            Entry::Output { call_id, output } => {
                let mut message = Message::new("tool", output);
                message.tool_call_id = Some(call_id);
                messages.push(message);
            }
        }
    }
    messages
}

fn content_parts<'a>(text: Cow<'a, str>, files: &'a [ModelFile], mark: &Mark) -> Content<'a> {
    let parts = history::parts(text, files, mark).into_iter();
    Content::Parts(
        parts
            .map(|part| match part {
                Part::Text(text) => ContentPart::Text { text },
                Part::Image { url } => ContentPart::ImageUrl {
                    image_url: ImageUrl { url },
                },
                Part::Document { name, url } => ContentPart::File {
                    file: File {
                        filename: name,
                        file_data: url,
                    },
                },
            })
            .collect(),
    )
}
