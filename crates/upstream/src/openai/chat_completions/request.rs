//! What is sent to `POST {base}/chat/completions`.

use std::{borrow::Cow, num::NonZeroU32};

use engine::ports::{ModelRequest, Parameters};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{calls::EXTRA, thoughts::Remembered};
use crate::openai::{
    Mark, RequestOptions, SystemRole,
    history::{self, Entry, Part, Results},
    refused::{Demand, EMPTY_CONTENT, NEIGHBOURS, Refused, SYSTEM, THOUGHT, TOOLS},
};

/// What the model is taken to have said where a user writes right after a tool's result. Servers that want
/// something there refuse an empty text.
const BETWEEN: &str = "OK.";
/// What stands before a conversation that the application has begun.
const BEFORE: &str = "(You begin the conversation.)";

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
    parallel_tool_calls: Option<bool>,
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
    tool_call_id: Option<Cow<'a, str>>,
    /// The tool's, where a result has to say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    /// What the model thought, in the fields in which it came.
    #[serde(flatten)]
    thoughts: Map<String, Value>,
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
    InputAudio { input_audio: InputAudio },
}

#[derive(Serialize)]
struct InputAudio {
    data: String,
    format: &'static str,
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
            name: None,
            thoughts: Map::new(),
        }
    }

    /// Puts more of the same role behind what is there.
    fn add(&mut self, more: Content<'a>) {
        self.content = Some(match (self.content.take(), more) {
            (None, more) => more,
            (Some(Content::Text(text)), Content::Text(more)) => {
                Content::Text(format!("{text}\n\n{more}").into())
            }
            (Some(first), more) => {
                let mut parts = first.into_parts();
                parts.extend(more.into_parts());
                Content::Parts(parts)
            }
        });
    }
}

impl<'a> Content<'a> {
    fn into_parts(self) -> Vec<ContentPart<'a>> {
        match self {
            Self::Text(text) => vec![ContentPart::Text { text }],
            Self::Parts(parts) => parts,
        }
    }
}

#[derive(Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    function: CallFunction<'a>,
    #[serde(skip_serializing_if = "Value::is_null")]
    extra_content: Value,
}

#[derive(Serialize)]
struct CallFunction<'a> {
    name: Cow<'a, str>,
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
    // Some refuse an empty one.
    #[serde(skip_serializing_if = "str::is_empty")]
    description: Cow<'a, str>,
    parameters: &'a Parameters,
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
        options: RequestOptions,
        refused: &Refused,
        output: &str,
        mark: &Mark,
    ) -> Self {
        Self {
            model: &request.model,
            messages: messages(request, options, refused, mark),
            tools: history::offered(request, refused)
                .map(|tool| Tool {
                    r#type: "function",
                    function: ToolFunction {
                        name: tool.name,
                        description: tool.description,
                        parameters: tool.parameters,
                    },
                })
                .collect(),
            tool_choice: history::tool_choice(request, refused).map(|name| ToolChoice {
                r#type: "function",
                function: ToolChoiceFunction { name },
            }),
            stream: !refused.has("stream"),
            stream_options: (!refused.has("stream_options") && !refused.has("stream")).then_some(
                StreamOptions {
                    include_usage: true,
                },
            ),
            parallel_tool_calls: options.parallel_tool_calls.filter(|_| {
                let has_tools = !request.tools.is_empty() && !refused.has(TOOLS);
                has_tools && !refused.has("parallel_tool_calls")
            }),
            max_tokens: request.max_output_tokens.filter(|_| output == "max_tokens"),
            max_completion_tokens: request
                .max_output_tokens
                .filter(|_| output == "max_completion_tokens"),
            user: history::end_user(request, refused, "user"),
        }
    }
}

/// Instructions first, then the conversation; calls that belong together become one message, as
/// this API wants each call answered right after the message that holds it.
fn messages<'a>(
    request: &'a ModelRequest,
    options: RequestOptions,
    refused: &Refused,
    mark: &Mark,
) -> Vec<Message<'a>> {
    let mut messages = Vec::with_capacity(request.input.len() + 2);
    let instructions = mark.instructions(request);
    if !instructions.is_empty() {
        let role = match options.system_role {
            _ if refused.has(SYSTEM) => "user",
            SystemRole::System => "system",
            SystemRole::Developer => "developer",
        };
        messages.push(Message::new(role, instructions));
    }
    let mut remembered = Remembered::default();
    for entry in history::entries(request, Results::Texts, refused, mark) {
        match entry {
            Entry::Message { role, text, files } => {
                let content = content(history::parts(text, files));
                match messages.last_mut() {
                    // Many chat templates want the roles to alternate.
                    Some(last) if last.role == role && last.tool_calls.is_empty() => {
                        last.add(content);
                    }
                    _ => messages.push(Message {
                        content: Some(content),
                        ..Message::new(role, None)
                    }),
                }
            }
            Entry::Thought(text) => {
                remembered = Remembered::read(&text);
                remembered.message.retain(|name, _| !refused.has(name));
                if refused.has(EXTRA) {
                    remembered.calls.clear();
                }
            }
            Entry::Call {
                call_id,
                given_id,
                name,
                arguments,
            } => {
                let extra = remembered.calls.remove(given_id);
                let call = Call {
                    id: call_id,
                    r#type: "function",
                    function: CallFunction { name, arguments },
                    extra_content: extra.unwrap_or_default(),
                };
                if messages.last().is_none_or(|last| last.role != "assistant") {
                    // Some servers demand the field, others refuse `null` in it, and some an empty text.
                    let content = (!refused.has(EMPTY_CONTENT)).then_some(Cow::Borrowed(""));
                    messages.push(Message::new("assistant", content));
                }
                if let Some(last) = messages.last_mut() {
                    last.tool_calls.push(call);
                    last.thoughts.append(&mut remembered.message);
                }
            }
            // Their files are in a message of their own.
            Entry::Output {
                call_id,
                output,
                files: _,
            } => {
                let mut message = Message::new("tool", output);
                message.name = refused
                    .demands(Demand::Names)
                    .then(|| name_of(&messages, &call_id));
                message.tool_call_id = Some(call_id);
                messages.push(message);
            }
        }
    }
    if options.alternating_roles || refused.has(NEIGHBOURS) {
        alternate(&mut messages);
    }
    if refused.demands(Demand::Thoughts) {
        let calls = messages
            .iter_mut()
            .filter(|message| !message.tool_calls.is_empty());
        for message in calls {
            // A blank: nothing at all counts as missing.
            let thought = message.thoughts.entry(THOUGHT);
            thought.or_insert_with(|| " ".into());
        }
    }
    if refused.demands(Demand::Signatures) && !refused.has(EXTRA) {
        messages.iter_mut().for_each(sign);
    }
    messages
}

/// The name of the tool whose call has this id.
fn name_of<'a>(messages: &[Message<'a>], id: &str) -> Cow<'a, str> {
    let mut calls = messages
        .iter()
        .rev()
        .flat_map(|message| &message.tool_calls);
    let call = calls.find(|call| call.id == id);
    call.map(|call| call.function.name.clone())
        .unwrap_or_default()
}

/// Signs the calls of a message that nothing signs: one signature for all of them, as Gemini gives it. These words stand
/// for one that is gone, or was never there (source: Google's page on thought signatures).
fn sign(message: &mut Message<'_>) {
    let is_signed = |call: &Call<'_>| !call.extra_content["google"]["thought_signature"].is_null();
    if message.tool_calls.iter().any(is_signed) {
        return;
    }
    if let Some(first) = message.tool_calls.first_mut() {
        first.extra_content =
            json!({ "google": { "thought_signature": "skip_thought_signature_validator" } });
    }
}

/// See [`RequestOptions::alternating_roles`]; neighbours of one role are one message already.
fn alternate(messages: &mut Vec<Message<'_>>) {
    let is_said = |message: &Message<'_>| matches!(message.role, "user" | "assistant");
    if let Some(first) = messages.iter().position(is_said)
        && messages
            .get(first)
            .is_some_and(|first| first.role != "user")
    {
        messages.insert(first, Message::new("user", Cow::Borrowed(BEFORE)));
    }
    let mut place = 1;
    while let (Some(before), Some(message)) = (messages.get(place - 1), messages.get(place)) {
        if before.role == "tool" && message.role == "user" {
            messages.insert(place, Message::new("assistant", Cow::Borrowed(BETWEEN)));
        }
        place += 1;
    }
}

/// A text alone is no list.
fn content(mut parts: Vec<Part<'_>>) -> Content<'_> {
    if let [Part::Text(text)] = parts.as_mut_slice() {
        return Content::Text(std::mem::take(text));
    }
    let parts = parts.into_iter();
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
                Part::Sound { data, format } => ContentPart::InputAudio {
                    input_audio: InputAudio { data, format },
                },
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::MarkKey;
    use engine::ports::{ModelInput, ToolCall};

    fn sent(input: Vec<ModelInput>) -> Value {
        sent_with(RequestOptions::default(), input)
    }

    fn sent_with(options: RequestOptions, input: Vec<ModelInput>) -> Value {
        let request = ModelRequest {
            model: "m".to_owned(),
            instructions: String::new(),
            input,
            tools: Vec::new(),
            tool_choice: None,
            max_output_tokens: None,
            locale: None,
            end_user: String::new(),
            may_use_builtins: true,
        };
        let mark = MarkKey::new(&[7; 32]).mark("");
        let messages = messages(&request, options, &Refused::default(), &mark);
        serde_json::to_value(messages).unwrap()
    }

    fn call(call_id: &str) -> [ModelInput; 2] {
        [
            ModelInput::ToolCall(ToolCall {
                call_id: call_id.to_owned(),
                name: "look".to_owned(),
                arguments: "{}".to_owned(),
            }),
            ModelInput::ToolOutput {
                call_id: call_id.to_owned(),
                output: "seen".to_owned(),
                files: Vec::new(),
            },
        ]
    }

    #[test]
    fn neighbours_of_one_role_are_one_message() {
        let said = |text: &str| ModelInput::User(text.into());
        let told = |text: &str| ModelInput::Assistant(text.to_owned());
        let sent = sent(vec![said("a"), said("b"), told("c"), told("d"), said("e")]);
        let expected = [("user", "a\n\nb"), ("assistant", "c\n\nd"), ("user", "e")];
        for (message, (role, content)) in sent.as_array().unwrap().iter().zip(expected) {
            assert_eq!(message, &json!({ "role": role, "content": content }));
        }
        assert_eq!(sent.as_array().unwrap().len(), expected.len());
    }

    #[test]
    fn each_call_has_a_content_and_an_id_of_its_own() {
        let turns = [call("0"), call("call_1"), call("0"), call("functions.x:0")].concat();
        let sent = sent(turns);
        let ids: Vec<&str> = sent
            .as_array()
            .unwrap()
            .iter()
            .map(|message| match message["tool_calls"][0]["id"].as_str() {
                Some(id) => {
                    assert_eq!(message["content"], "", "{message}");
                    id
                }
                None => message["tool_call_id"].as_str().unwrap(),
            })
            .collect();
        let expected = ["0", "call_1", "call_2", "functions.x:0"];
        assert_eq!(
            ids,
            expected
                .iter()
                .flat_map(|id| [*id, *id])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn calls_of_one_answer_with_one_id_have_an_output_each() {
        let [first, seen] = call("0");
        let sent = sent(vec![first.clone(), first, seen.clone(), seen]);
        let messages = sent.as_array().unwrap();
        assert_eq!(messages.len(), 3, "{sent}");
        let calls = messages[0]["tool_calls"].as_array().unwrap();
        let ids: Vec<&Value> = calls.iter().map(|call| &call["id"]).collect();
        assert_eq!(ids, ["0", "call_1"]);
        assert_eq!(messages[1]["tool_call_id"], "0");
        assert_eq!(messages[2]["tool_call_id"], "call_1");
    }

    #[test]
    fn what_a_model_wrote_is_told_again_as_any_provider_takes_it() {
        let [ModelInput::ToolCall(mut call), seen] = call("a") else {
            unreachable!("a call and its output");
        };
        (call.name, call.arguments) = ("wetter_für.x".to_owned(), "{\"q\":".to_owned());
        let blank = ModelInput::Assistant("\n\n".to_owned());
        let sent = sent(vec![blank, ModelInput::ToolCall(call), seen]);
        assert_eq!(sent[0]["content"], "");
        let function = &sent[0]["tool_calls"][0]["function"];
        assert_eq!(function["name"], "wetter_f_r_x");
        assert_eq!(function["arguments"], "{}");
    }

    #[test]
    fn roles_alternate_where_a_server_wants_it() {
        let said = |text: &str| ModelInput::User(text.into());
        let told = |text: &str| ModelInput::Assistant(text.to_owned());
        let mut input = vec![told("Welcome."), said("look")];
        input.extend(call("a"));
        input.extend([said("and?"), told("Seen.")]);
        let roles = |sent: Value| {
            let messages = sent.as_array().unwrap().iter();
            let roles = messages.map(|message| message["role"].as_str().unwrap().to_owned());
            roles.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            roles(sent(input.clone())),
            "assistant user assistant tool user assistant"
        );
        let options = RequestOptions {
            alternating_roles: true,
            ..RequestOptions::default()
        };
        let sent = sent_with(options, input);
        assert_eq!(sent[0]["content"], BEFORE);
        assert_eq!(sent[5]["content"], BETWEEN);
        assert_eq!(
            roles(sent),
            "user assistant user assistant tool assistant user assistant"
        );
    }
}
