//! What a model thought, as it wants to hear it again with its calls.
//!
//! Chat Completions has no form of its own for this. Servers send it in `reasoning_content` (as most of them do)
//! or `reasoning`, some a second time in `reasoning_details`, and Gemini signs each call in its `extra_content`. All of them want it back where it came from; some refuse a call without it.

use std::borrow::Cow;

use engine::ports::Thought;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::openai::lenient;

/// More than this is not given back, in bytes.
const MAX_BYTES: usize = 512 * 1024;

/// The fields of an assistant's message in which a model's thoughts are, the commoner one first.
pub(super) const FIELDS: [&str; 2] = ["reasoning_content", "reasoning"];
const DETAILS: &str = "reasoning_details";
/// The same from Anthropic's models behind `LiteLLM`, which refuse a call without them.
const BLOCKS: &str = "thinking_blocks";

/// A thought between an answer and the next question.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// Fields of the assistant's message.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) message: Map<String, Value>,
    /// The `extra_content` of calls, by their ids.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) calls: Map<String, Value>,
}

impl Remembered {
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// Collects what an answer's chunks say of it.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    field: &'static str,
    text: String,
    details: Vec<Value>,
    blocks: Vec<Value>,
    bytes: usize,
}

impl Thoughts {
    /// Takes what is in a delta, and gives the text of it.
    pub(super) fn push<'a>(&mut self, part: &'a Value) -> Cow<'a, str> {
        let mut of_details = String::new();
        for detail in lenient::list(&part[DETAILS]) {
            self.detail(detail);
            for field in ["text", "summary"] {
                of_details.push_str(&lenient::text(&detail[field]));
            }
        }
        for block in lenient::list(&part[BLOCKS]) {
            self.block(block);
        }
        // A server that sends several of these fields says the same thing in each.
        for field in FIELDS {
            let text = lenient::text(&part[field]);
            if !text.is_empty() {
                if self.has_room(text.len()) {
                    self.field = field;
                    self.text.push_str(&text);
                }
                return text;
            }
        }
        of_details.into()
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.bytes <= MAX_BYTES
    }

    /// Details come in pieces, which are told apart by type and index.
    fn detail(&mut self, piece: &Value) {
        let Value::Object(piece) = piece else {
            return;
        };
        let texts = ["text", "summary", "data"];
        let size = |name| piece.get(name).and_then(Value::as_str).map_or(0, str::len);
        if !self.has_room(64 + texts.into_iter().map(size).sum::<usize>()) {
            return;
        }
        let is_same = |last: &Map<String, Value>| {
            piece.get("index").is_some()
                && ["type", "index"]
                    .iter()
                    .all(|name| last.get(*name) == piece.get(*name))
        };
        let last = self.details.last_mut().and_then(Value::as_object_mut);
        let Some(last) = last.filter(|last| is_same(last)) else {
            self.details.push(Value::Object(piece.clone()));
            return;
        };
        for (name, value) in piece.iter().filter(|(_, value)| !value.is_null()) {
            match (last.get_mut(name), value) {
                (Some(Value::String(text)), Value::String(more))
                    if texts.contains(&name.as_str()) =>
                {
                    text.push_str(more);
                }
                _ => {
                    last.insert(name.clone(), value.clone());
                }
            }
        }
    }

    /// A block's text comes in pieces; what signs it is its end.
    fn block(&mut self, piece: &Value) {
        let text = |value: &Value, name: &str| lenient::text(&value[name]).into_owned();
        let size = ["thinking", "signature", "data"].map(|name| text(piece, name).len());
        if !piece.is_object() || !self.has_room(64 + size.iter().sum::<usize>()) {
            return;
        }
        let is_open = |last: &&mut Value| {
            let is_thinking = |block: &Value| block["type"] == "thinking";
            is_thinking(last) && is_thinking(piece) && text(last, "signature").is_empty()
        };
        match self.blocks.last_mut().filter(is_open) {
            Some(last) => {
                last["thinking"] = (text(last, "thinking") + &text(piece, "thinking")).into();
                last["signature"] = piece["signature"].clone();
            }
            None => self.blocks.push(piece.clone()),
        }
    }

    /// What is to be given back with these calls; nothing, where nothing was thought, or more than there is room for:
    /// half a thought would be refused.
    pub(super) fn finish(&mut self, calls: Map<String, Value>) -> Option<Thought> {
        let Self {
            field,
            text,
            details,
            blocks,
            bytes,
        } = std::mem::take(self);
        let mut message = Map::new();
        if bytes <= MAX_BYTES {
            if !text.is_empty() {
                message.insert(field.to_owned(), text.into());
            }
            if !details.is_empty() {
                message.insert(DETAILS.to_owned(), details.into());
            }
            if !blocks.is_empty() {
                message.insert(BLOCKS.to_owned(), blocks.into());
            }
        }
        if message.is_empty() && calls.is_empty() {
            return None;
        }
        let remembered = Remembered { message, calls };
        serde_json::to_string(&remembered).ok().map(Thought)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn collected(parts: &[Value]) -> Option<Value> {
        let mut thoughts = Thoughts::default();
        for part in parts {
            thoughts.push(part);
        }
        let thought = thoughts.finish(Map::new())?;
        Some(serde_json::from_str(&thought.0).unwrap())
    }

    #[test]
    fn thoughts_go_back_in_the_field_that_they_came_in() {
        for field in FIELDS {
            assert_eq!(
                collected(&[
                    json!({ field: "I need " }),
                    json!({ "content": "" }),
                    json!({ field: "it" })
                ]),
                Some(json!({ "message": { field: "I need it" } }))
            );
        }
        assert_eq!(collected(&[json!({ "content": "hi" })]), None);
    }

    #[test]
    fn details_are_put_together_as_they_were() {
        let piece = |more: Value| {
            let mut piece = json!({ "type": "reasoning.text", "index": 0 });
            piece
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            json!({ "reasoning_details": [piece] })
        };
        let sealed = json!({ "type": "reasoning.encrypted", "index": 1, "data": "x" });
        assert_eq!(
            collected(&[
                piece(json!({ "text": "I need ", "signature": null })),
                piece(json!({ "text": "it" })),
                piece(json!({ "signature": "s" })),
                json!({ "reasoning_details": [sealed] }),
            ]),
            Some(json!({ "message": { "reasoning_details": [
                { "type": "reasoning.text", "index": 0, "text": "I need it", "signature": "s" },
                sealed,
            ] } }))
        );
    }

    #[test]
    fn blocks_are_put_together_up_to_what_signs_them() {
        let piece = |text: &str, signature: Value| json!({ "thinking_blocks": [{ "type": "thinking", "thinking": text, "signature": signature }] });
        let sealed = json!({ "type": "redacted_thinking", "data": "x" });
        let block = |text: &str, signature: &str| json!({ "type": "thinking", "thinking": text, "signature": signature });
        assert_eq!(
            collected(&[
                piece("I need ", Value::Null),
                piece("it", Value::Null),
                piece("", json!("s")),
                json!({ "thinking_blocks": [sealed] }),
                piece("So.", json!("t")),
            ]),
            Some(
                json!({ "message": { "thinking_blocks": [block("I need it", "s"), sealed, block("So.", "t")] } })
            )
        );
    }

    #[test]
    fn more_than_there_is_room_for_is_not_given_back_in_part() {
        let much = "x".repeat(300 * 1024);
        let part = json!({ "reasoning": much });
        assert!(collected(std::slice::from_ref(&part)).is_some());
        assert_eq!(collected(&[part.clone(), part]), None);
    }
}
