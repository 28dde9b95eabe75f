//! A thread's items as a model is told them, and tool calls as a thread keeps them.

use protocol::{
    ItemId, ThreadId, ThreadItem,
    item::{HiddenContextItem, ToolCallStatus, UserMessageItem},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ports::{ModelFile, ModelInput, ToolCall, UserInput},
    turn::Moment,
};

/// What a tool call leaves in the thread: a hidden item that holds the call *and* its output, so
/// that a history cut anywhere never has one without the other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Record {
    #[serde(rename = "vestibule.tool_call")]
    ToolCall {
        call: ToolCall,
        output: String,
        is_error: bool,
    },
}

/// The hidden item for a tool call that ended.
pub(crate) fn tool_record(
    thread: &ThreadId,
    moment: Moment,
    call: &ToolCall,
    output: &str,
    is_error: bool,
) -> ThreadItem {
    let record = Record::ToolCall {
        call: call.clone(),
        output: output.to_owned(),
        is_error,
    };
    HiddenContextItem {
        id: ItemId::mint(moment.id),
        thread_id: thread.clone(),
        created_at: moment.now,
        // A struct of strings and a bool always has a JSON form.
        content: serde_json::to_value(record).unwrap_or(Value::Null),
    }
    .into()
}

/// What the model is told about `items`, oldest first. Items that only show something (tasks,
/// images, markers) are left out.
pub(crate) fn model_input(items: &[ThreadItem]) -> Vec<ModelInput> {
    let mut input = Vec::with_capacity(items.len());
    for item in items {
        match item {
            ThreadItem::UserMessage(message) => input.push(ModelInput::User(user_input(message))),
            ThreadItem::AssistantMessage(message) => {
                let text: Vec<&str> = message
                    .content
                    .iter()
                    .map(|part| part.text.as_str())
                    .collect();
                input.push(ModelInput::Assistant(text.join("\n\n")));
            }
            ThreadItem::HiddenContext(hidden) => {
                match serde_json::from_value::<Record>(hidden.content.clone()) {
                    Ok(Record::ToolCall { call, output, .. }) => {
                        let call_id = call.call_id.clone();
                        input.push(ModelInput::ToolCall(call));
                        input.push(ModelInput::ToolOutput { call_id, output });
                    }
                    Err(_other_context) => {
                        input.push(ModelInput::Context(text_of(&hidden.content)));
                    }
                }
            }
            ThreadItem::SdkHiddenContext(hidden) => {
                input.push(ModelInput::Context(hidden.content.clone()));
            }
            ThreadItem::ClientToolCall(call) if call.status == ToolCallStatus::Completed => {
                input.push(ModelInput::ToolCall(ToolCall {
                    call_id: call.call_id.clone(),
                    name: call.name.clone(),
                    arguments: Value::Object(call.arguments.clone()).to_string(),
                }));
                input.push(ModelInput::ToolOutput {
                    call_id: call.call_id.clone(),
                    output: call.output.as_ref().map(text_of).unwrap_or_default(),
                });
            }
            ThreadItem::Widget(widget) => {
                if let Some(text) = &widget.copy_text {
                    input.push(ModelInput::Assistant(text.clone()));
                }
            }
            ThreadItem::ClientToolCall(_)
            | ThreadItem::GeneratedImage(_)
            | ThreadItem::StructuredInput(_)
            | ThreadItem::Workflow(_)
            | ThreadItem::Task(_)
            | ThreadItem::EndOfTurn(_) => {}
        }
    }
    input
}

/// A user's message; its files are named, and read when the model is asked.
fn user_input(message: &UserMessageItem) -> UserInput {
    let files = message.attachments.iter().map(|attachment| ModelFile {
        id: attachment.id().clone(),
        name: attachment.name().to_owned(),
        media_type: attachment.mime_type().to_owned(),
        size: None,
        content: None,
    });
    UserInput {
        text: user_text(message),
        files: files.collect(),
    }
}

/// A user's message as text: what it quotes comes first.
fn user_text(message: &UserMessageItem) -> String {
    let text: String = message
        .content
        .iter()
        .map(protocol::item::UserContent::text)
        .collect();
    match message.quoted_text.as_deref().map(str::trim) {
        None | Some("") => text,
        Some(quoted) => {
            let quoted = quoted.replace('\n', "\n> ");
            format!("> {quoted}\n\n{text}")
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
