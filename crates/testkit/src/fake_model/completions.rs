//! A reply in the wire format of Chat Completions (`POST /v1/chat/completions`).
//!
//! Source: the Chat Completions streaming reference; frames have no `event:` line and the stream
//! ends with `data: [DONE]`.

use serde_json::{Value, json};

use super::script::{Ending, Part, Reply};
use super::stream::{Chunk, pieces_of_arguments};

/// Compatible servers are known to use one id for every answer: so does this one.
const ID: &str = "chatcmpl-fake";

/// The whole stream of one reply. `usage_wanted` is the request's `stream_options.include_usage`.
pub(super) fn stream(reply: &Reply, model: &str, usage_wanted: bool) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let bare = reply
        .parts
        .iter()
        .all(|part| matches!(part, Part::Raw(_) | Part::Hold))
        && matches!(reply.ending, Ending::Missing);
    if !bare {
        chunks.push(delta(model, &json!({ "role": "assistant", "content": "" })));
    }
    let mut call_index = 0;
    for part in &reply.parts {
        match part {
            Part::Text(deltas) => {
                chunks.extend(
                    deltas
                        .iter()
                        .map(|text| delta(model, &json!({ "content": text }))),
                );
            }
            Part::Reasoning(deltas) => {
                chunks.extend(
                    deltas
                        .iter()
                        .map(|text| delta(model, &json!({ "reasoning_content": text }))),
                );
            }
            Part::Refusal(text) => chunks.push(delta(model, &json!({ "refusal": text }))),
            Part::ToolCall {
                call_id,
                name,
                arguments,
            } => {
                chunks.push(delta(
                    model,
                    &json!({ "tool_calls": [{ "index": call_index, "id": call_id, "type": "function",
                        "function": { "name": name, "arguments": "" } }] }),
                ));
                for piece in pieces_of_arguments(arguments) {
                    chunks.push(delta(
                        model,
                        &json!({ "tool_calls": [{ "index": call_index, "function": { "arguments": piece } }] }),
                    ));
                }
                call_index += 1;
            }
            Part::Raw(bytes) => chunks.push(Chunk::Bytes(bytes.clone())),
            Part::Hold => chunks.push(Chunk::Hold),
        }
    }
    let finish = match &reply.ending {
        Ending::Complete => Some(if call_index > 0 { "tool_calls" } else { "stop" }),
        Ending::OutOfTokens => Some("length"),
        Ending::Failed { code, message } => {
            chunks.push(frame(
                &json!({ "error": { "message": message, "type": "server_error",
                "param": null, "code": code } }),
            ));
            None
        }
        Ending::Missing => None,
        Ending::Broken => {
            chunks.push(Chunk::Break);
            None
        }
    };
    if let Some(reason) = finish {
        chunks.push(frame(&chunk(
            model,
            &json!([
            { "index": 0, "delta": {}, "logprobs": null, "finish_reason": reason }]),
        )));
        if usage_wanted {
            let mut last = chunk(model, &json!([]));
            last["usage"] = usage();
            chunks.push(frame(&last));
        }
        chunks.push(Chunk::Bytes(b"data: [DONE]\n\n".to_vec()));
    }
    chunks
}

/// The same reply as one JSON object, for a request without `stream`.
pub(super) fn object(reply: &Reply, model: &str) -> Value {
    let mut message = json!({ "role": "assistant", "content": null, "refusal": null });
    let mut calls = Vec::new();
    for part in &reply.parts {
        match part {
            Part::Text(deltas) => {
                let text =
                    message["content"].as_str().unwrap_or_default().to_owned() + &deltas.concat();
                message["content"] = text.into();
            }
            Part::Refusal(text) => message["refusal"] = text.as_str().into(),
            Part::ToolCall {
                call_id,
                name,
                arguments,
            } => calls.push(json!({ "id": call_id,
                "type": "function", "function": { "name": name, "arguments": arguments } })),
            Part::Reasoning(_) | Part::Raw(_) | Part::Hold => {}
        }
    }
    let reason = if calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    };
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({ "id": ID, "object": "chat.completion", "created": 1_795_343_497, "model": model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": reason }],
        "usage": usage() })
}

fn chunk(model: &str, choices: &Value) -> Value {
    json!({ "id": ID, "object": "chat.completion.chunk", "created": 1_795_343_497, "model": model,
        "system_fingerprint": null, "choices": choices })
}

fn delta(model: &str, delta: &Value) -> Chunk {
    frame(&chunk(
        model,
        &json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": null }]),
    ))
}

fn frame(data: &Value) -> Chunk {
    Chunk::Bytes(format!("data: {data}\n\n").into_bytes())
}

fn usage() -> Value {
    json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 })
}
