//! What a provider would refuse: the invariants that every captured request is held to.
//!
//! OpenAI answers these with 400, often only when a rare conversation reaches it. The fake model
//! answers 400 too and remembers the sentence, so that a test fails near the cause.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Api;

/// Parameters of `POST /v1/responses`; OpenAI refuses unknown ones.
const RESPONSES_PARAMETERS: &[&str] = &[
    "background",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Parameters of `POST /v1/chat/completions`.
const COMPLETIONS_PARAMETERS: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Every broken rule, in words; empty when the request is one that a provider would take.
pub(super) fn violations(api: Api, body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let Some(object) = body.as_object() else {
        return vec!["the body is not a JSON object".to_owned()];
    };
    if object
        .get("model")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        found.push("'model' is missing".to_owned());
    }
    let known = match api {
        Api::Responses => RESPONSES_PARAMETERS,
        Api::ChatCompletions => COMPLETIONS_PARAMETERS,
    };
    for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
        found.push(format!("unknown parameter '{name}'"));
    }
    check_tools(api, body, &mut found);
    match api {
        Api::Responses => check_input(body, &mut found),
        Api::ChatCompletions => check_messages(body, &mut found),
    }
    found
}

fn check_tools(api: Api, body: &Value, found: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        if tool["type"] != "function" {
            continue; // built-in tools of the provider have shapes of their own
        }
        let function = match api {
            Api::Responses => tool,
            Api::ChatCompletions => &tool["function"],
        };
        let name = function["name"].as_str().unwrap_or_default();
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
        if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
            found.push(format!(
                "tool name '{name}' does not match ^[a-zA-Z0-9_-]{{1,64}}$"
            ));
        }
        if !names.insert(name) {
            found.push(format!("tool name '{name}' is used twice"));
        }
        if function
            .get("parameters")
            .is_some_and(|schema| schema["type"] != "object")
        {
            found.push(format!(
                "the parameters of tool '{name}' are not an object schema"
            ));
        }
    }
}

fn check_input(body: &Value, found: &mut Vec<String>) {
    let items = match &body["input"] {
        Value::String(_) => return,
        Value::Array(items) => items,
        _ => {
            found.push("'input' is neither text nor a list".to_owned());
            return;
        }
    };
    // With these the earlier calls are kept by the provider, so an output may stand alone.
    let continues = !body["previous_response_id"].is_null() || !body["conversation"].is_null();
    let mut calls = BTreeSet::new();
    let mut outputs = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let call_id = item["call_id"].as_str().unwrap_or_default();
        match item["type"].as_str().unwrap_or("message") {
            "message" => check_input_message(index, item, found),
            "function_call" => {
                if call_id.is_empty() || item["name"].as_str().is_none_or(str::is_empty) {
                    found.push(format!(
                        "input[{index}]: a function_call needs call_id and name"
                    ));
                }
                if !item["arguments"].is_string() {
                    found.push(format!("input[{index}]: arguments are not a string"));
                }
                if !calls.insert(call_id) {
                    found.push(format!("input[{index}]: call_id '{call_id}' is used twice"));
                }
            }
            "function_call_output" => {
                if !calls.contains(call_id) && !continues {
                    found.push(format!(
                        "input[{index}]: no tool call found for output '{call_id}'"
                    ));
                }
                if !(item["output"].is_string() || item["output"].is_array()) {
                    found.push(format!("input[{index}]: output is neither text nor a list"));
                }
                if !outputs.insert(call_id) {
                    found.push(format!("input[{index}]: output '{call_id}' is given twice"));
                }
            }
            "reasoning" => {
                let next = items.get(index + 1).unwrap_or(&Value::Null);
                let is_led_on = next["type"] == "function_call"
                    || next["type"] == "reasoning"
                    || next["role"] == "assistant";
                if !is_led_on {
                    found.push(format!(
                        "input[{index}]: reasoning without the item that it led to"
                    ));
                }
                // Nothing is kept at the provider without `store`.
                let is_whole = item["encrypted_content"].is_string() || item["content"].is_array();
                if body["store"] == false && !is_whole {
                    found.push(format!("input[{index}]: reasoning was not kept"));
                }
            }
            _ => {} // item_reference and the provider's own tools are passed through
        }
    }
    for call_id in calls.difference(&outputs) {
        found.push(format!(
            "no tool output found for function call '{call_id}'"
        ));
    }
}

fn check_input_message(index: usize, item: &Value, found: &mut Vec<String>) {
    let role = item["role"].as_str().unwrap_or_default();
    let allowed: &[&str] = match role {
        "user" | "system" | "developer" => {
            &["input_text", "input_image", "input_file", "input_audio"]
        }
        "assistant" => &["output_text", "refusal"],
        _ => {
            found.push(format!("input[{index}]: role '{role}' is not known"));
            return;
        }
    };
    match &item["content"] {
        Value::String(_) => {}
        Value::Array(parts) => {
            for part in parts {
                let kind = part["type"].as_str().unwrap_or_default();
                if !allowed.contains(&kind) {
                    found.push(format!(
                        "input[{index}]: a {role} message cannot hold '{kind}'"
                    ));
                }
                let is_whole = match kind {
                    "input_text" | "output_text" => part["text"].is_string(),
                    "input_image" => {
                        part["file_id"].is_string() || is_image_address(&part["image_url"])
                    }
                    "input_file" => {
                        part["file_id"].is_string()
                            || part["file_url"].is_string()
                            || is_named_file(part)
                    }
                    _ => true,
                };
                if !is_whole {
                    found.push(format!("input[{index}]: a part '{kind}' is incomplete"));
                }
            }
        }
        _ => found.push(format!(
            "input[{index}]: content is neither text nor a list"
        )),
    }
}

/// An image is had from the web, or comes along in base64.
fn is_image_address(url: &Value) -> bool {
    url.as_str().is_some_and(|url| {
        url.starts_with("https://")
            || (url.starts_with("data:image/") && url.contains(";base64,") && !url.ends_with(','))
    })
}

/// A file that comes along has a name and a `data:` address in base64.
fn is_named_file(file: &Value) -> bool {
    let is_data = |data: &str| data.starts_with("data:") && data.contains(";base64,");
    file["filename"]
        .as_str()
        .is_some_and(|name| !name.is_empty())
        && file["file_data"].as_str().is_some_and(is_data)
}

/// Parts of a Chat Completions user message that a provider would not take.
fn check_content_parts(index: usize, message: &Value, found: &mut Vec<String>) {
    for part in message["content"].as_array().into_iter().flatten() {
        let kind = part["type"].as_str().unwrap_or_default();
        let is_good = match kind {
            "text" => part["text"].is_string(),
            "image_url" => is_image_address(&part["image_url"]["url"]),
            "file" => part["file"]["file_id"].is_string() || is_named_file(&part["file"]),
            "input_audio" => part["input_audio"]["data"].is_string(),
            _ => false,
        };
        if !is_good {
            found.push(format!("messages[{index}]: a part '{kind}' is not right"));
        }
    }
}

fn check_messages(body: &Value, found: &mut Vec<String>) {
    let Some(messages) = body["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
    else {
        found.push("'messages' is missing or empty".to_owned());
        return;
    };
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role != "tool" && !open.is_empty() {
            found.push(format!(
                "messages[{index}]: tool calls {open:?} have no answer before this message"
            ));
            open.clear();
        }
        let has_content = message["content"].is_string()
            || message["content"]
                .as_array()
                .is_some_and(|parts| !parts.is_empty());
        match role {
            "system" | "developer" | "user" => {
                if !has_content {
                    found.push(format!("messages[{index}]: content is missing"));
                }
                check_content_parts(index, message, found);
            }
            "assistant" => {
                let calls = message["tool_calls"].as_array();
                if !has_content && message["refusal"].is_null() && calls.is_none_or(Vec::is_empty) {
                    found.push(format!("messages[{index}]: neither content nor tool_calls"));
                }
                for call in calls.into_iter().flatten() {
                    let id = call["id"].as_str().unwrap_or_default();
                    if id.is_empty() || !call["function"]["arguments"].is_string() {
                        found.push(format!(
                            "messages[{index}]: a tool call needs id and arguments as text"
                        ));
                    }
                    if !open.insert(id) {
                        found.push(format!("messages[{index}]: tool call '{id}' is used twice"));
                    }
                }
            }
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                if !open.remove(id) {
                    found.push(format!(
                        "messages[{index}]: no tool call found for output '{id}'"
                    ));
                }
                if !has_content {
                    found.push(format!("messages[{index}]: a tool answer needs content"));
                }
            }
            _ => found.push(format!("messages[{index}]: role '{role}' is not known")),
        }
    }
    if !open.is_empty() {
        found.push(format!("tool calls {open:?} have no answer"));
    }
}
