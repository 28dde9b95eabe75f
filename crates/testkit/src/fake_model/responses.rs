//! A reply in the wire format of OpenAI's Responses API (`POST /v1/responses`).
//!
//! Source: the event reference "Streaming events" of the Responses API; every event carries its
//! name twice (`event:` and `type`) and a growing `sequence_number`.

use serde_json::{Value, json};

use super::script::{Ending, Part, Reply};
use super::stream::{Chunk, pieces_of_arguments};

/// The whole stream of one reply; `number` makes its ids different from other replies' ids, and
/// `is_sealed` sends reasoning along in a form that can be given back.
pub(super) fn stream(reply: &Reply, model: &str, number: usize, is_sealed: bool) -> Vec<Chunk> {
    let mut writer = Writer {
        is_sealed,
        chunks: Vec::new(),
        sequence: 0,
        output: Vec::new(),
        number,
    };
    let head = writer.response(model, "in_progress", &Value::Null);
    writer.event("response.created", json!({ "response": head.clone() }));
    writer.event("response.in_progress", json!({ "response": head }));
    for part in &reply.parts {
        match part {
            Part::Text(deltas) => writer.message(deltas),
            Part::Reasoning(deltas) => writer.reasoning(deltas),
            Part::ToolCall {
                call_id,
                name,
                arguments,
            } => writer.tool_call(call_id, name, arguments),
            Part::Refusal(text) => writer.refusal(text),
            Part::Raw(bytes) => writer.chunks.push(Chunk::Bytes(bytes.clone())),
            Part::Hold => writer.chunks.push(Chunk::Hold),
        }
    }
    match &reply.ending {
        Ending::Complete => {
            let response = writer.response(model, "completed", &usage());
            writer.event("response.completed", json!({ "response": response }));
        }
        Ending::OutOfTokens => {
            let mut response = writer.response(model, "incomplete", &usage());
            response["incomplete_details"] = json!({ "reason": "max_output_tokens" });
            writer.event("response.incomplete", json!({ "response": response }));
        }
        Ending::Failed { code, message } => {
            let mut response = writer.response(model, "failed", &Value::Null);
            response["error"] = json!({ "code": code, "message": message });
            writer.event("response.failed", json!({ "response": response }));
        }
        Ending::Missing => {}
        Ending::Broken => writer.chunks.push(Chunk::Break),
    }
    // A reply of bare bytes stands for itself: no event is put around it.
    if reply
        .parts
        .iter()
        .all(|part| matches!(part, Part::Raw(_) | Part::Hold))
        && matches!(reply.ending, Ending::Missing)
    {
        writer.chunks.drain(..2);
    }
    writer.chunks
}

/// The same reply as one JSON object, for a request without `stream`.
pub(super) fn object(reply: &Reply, model: &str, number: usize, is_sealed: bool) -> Value {
    let mut writer = Writer {
        is_sealed,
        chunks: Vec::new(),
        sequence: 0,
        output: Vec::new(),
        number,
    };
    for part in &reply.parts {
        match part {
            Part::Text(deltas) => writer.message(deltas),
            Part::Reasoning(deltas) => writer.reasoning(deltas),
            Part::ToolCall {
                call_id,
                name,
                arguments,
            } => writer.tool_call(call_id, name, arguments),
            Part::Refusal(text) => writer.refusal(text),
            Part::Raw(_) | Part::Hold => {}
        }
    }
    writer.response(model, "completed", &usage())
}

struct Writer {
    /// Whether reasoning is sent along in a form that can be given back.
    is_sealed: bool,
    chunks: Vec<Chunk>,
    sequence: u64,
    output: Vec<Value>,
    number: usize,
}

impl Writer {
    fn event(&mut self, name: &str, mut data: Value) {
        data["type"] = name.into();
        data["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        self.chunks.push(Chunk::Bytes(
            format!("event: {name}\ndata: {data}\n\n").into_bytes(),
        ));
    }

    fn response(&self, model: &str, status: &str, usage: &Value) -> Value {
        json!({
            "id": format!("resp_fake{}", self.number), "object": "response", "created_at": 1_795_343_497,
            "status": status, "error": null, "incomplete_details": null, "instructions": null,
            "model": model, "output": self.output, "parallel_tool_calls": true,
            "tool_choice": "auto", "tools": [], "usage": usage, "metadata": {},
        })
    }

    /// Ids repeat from one reply to the next on purpose for messages: a server that keeps the
    /// provider's ids as its own would overwrite its items.
    fn message(&mut self, deltas: &[String]) {
        let index = self.output.len();
        let id = format!("msg_fake{index}");
        let text = deltas.concat();
        let place = json!({ "item_id": id, "output_index": index, "content_index": 0 });
        self.event(
            "response.output_item.added",
            json!({ "output_index": index, "item":
                { "id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": [] } }),
        );
        let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
        self.event(
            "response.content_part.added",
            with(&place, "part", part("")),
        );
        for delta in deltas {
            self.event(
                "response.output_text.delta",
                with(&place, "delta", delta.as_str().into()),
            );
        }
        self.event(
            "response.output_text.done",
            with(&place, "text", text.as_str().into()),
        );
        self.event(
            "response.content_part.done",
            with(&place, "part", part(&text)),
        );
        let item = json!({ "id": id, "type": "message", "status": "completed", "role": "assistant",
            "content": [part(&text)] });
        self.finish(item);
    }

    fn refusal(&mut self, text: &str) {
        let index = self.output.len();
        let id = format!("msg_fake{index}");
        let place = json!({ "item_id": id, "output_index": index, "content_index": 0 });
        self.event(
            "response.output_item.added",
            json!({ "output_index": index, "item":
                { "id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": [] } }),
        );
        self.event(
            "response.content_part.added",
            with(&place, "part", json!({ "type": "refusal", "refusal": "" })),
        );
        self.event("response.refusal.delta", with(&place, "delta", text.into()));
        self.event(
            "response.refusal.done",
            with(&place, "refusal", text.into()),
        );
        let item = json!({ "id": id, "type": "message", "status": "completed", "role": "assistant",
            "content": [{ "type": "refusal", "refusal": text }] });
        self.finish(item);
    }

    fn reasoning(&mut self, deltas: &[String]) {
        let index = self.output.len();
        let id = format!("rs_fake{index}");
        let text = deltas.concat();
        let place = json!({ "item_id": id, "output_index": index, "summary_index": 0 });
        self.event(
            "response.output_item.added",
            json!({ "output_index": index, "item": { "id": id, "type": "reasoning", "summary": [] } }),
        );
        let part = |text: &str| json!({ "type": "summary_text", "text": text });
        self.event(
            "response.reasoning_summary_part.added",
            with(&place, "part", part("")),
        );
        for delta in deltas {
            self.event(
                "response.reasoning_summary_text.delta",
                with(&place, "delta", delta.as_str().into()),
            );
        }
        self.event(
            "response.reasoning_summary_text.done",
            with(&place, "text", text.as_str().into()),
        );
        self.event(
            "response.reasoning_summary_part.done",
            with(&place, "part", part(&text)),
        );
        let mut item = json!({ "id": id, "type": "reasoning", "summary": [part(&text)] });
        if self.is_sealed {
            item["encrypted_content"] = format!("sealed: {text}").into();
        }
        self.finish(item);
    }

    fn tool_call(&mut self, call_id: &str, name: &str, arguments: &str) {
        let index = self.output.len();
        let id = format!("fc_fake{index}");
        let item = |status: &str, arguments: &str| {
            json!({ "id": id, "type": "function_call", "status": status,
                "call_id": call_id, "name": name, "arguments": arguments })
        };
        let place = json!({ "item_id": id, "output_index": index });
        self.event(
            "response.output_item.added",
            json!({ "output_index": index, "item": item("in_progress", "") }),
        );
        for delta in pieces_of_arguments(arguments) {
            self.event(
                "response.function_call_arguments.delta",
                with(&place, "delta", delta.into()),
            );
        }
        self.event(
            "response.function_call_arguments.done",
            with(&place, "arguments", arguments.into()),
        );
        let item = item("completed", arguments);
        self.finish(item);
    }

    fn finish(&mut self, item: Value) {
        let index = self.output.len();
        self.event(
            "response.output_item.done",
            json!({ "output_index": index, "item": item.clone() }),
        );
        self.output.push(item);
    }
}

fn with(place: &Value, key: &str, value: Value) -> Value {
    let mut data = place.clone();
    data[key] = value;
    data
}

fn usage() -> Value {
    json!({ "input_tokens": 11, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 7, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 18 })
}
