//! Tool calls, put together from their pieces.

use std::collections::HashSet;

use engine::ports::{ModelError, ToolCall};
use serde_json::{Map, Value};

use crate::openai::{call, lenient};

/// More calls than this in one answer are taken for a defect of the provider.
const MAX_TOOL_CALLS: usize = 128;
/// All arguments of one answer together, in bytes.
const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;

/// The field of a call that Gemini signs it in.
pub(super) const EXTRA: &str = "extra_content";

/// The calls of one answer.
///
/// The API tells them apart by `index`. Servers that are only compatible leave it out, or number
/// every call 0, or give each piece an id of its own; so index, id, name and whether a call is
/// complete are looked at together.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    argument_bytes: usize,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    /// What the server wants to be given back with the call.
    extra: Value,
}

impl Call {
    fn is_complete(&self) -> bool {
        call::is_object(&self.arguments)
    }
}

impl Calls {
    /// Whether no call has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Adds a piece: an entry of `tool_calls`.
    pub(super) fn push(&mut self, piece: &Value) -> Result<(), ModelError> {
        let function = &piece["function"];
        let index = lenient::number(&piece["index"]);
        let id = lenient::text(&piece["id"]);
        let name = lenient::text(&function["name"]);
        let arguments = match &function["arguments"] {
            // Some write them out as the object that they are.
            object @ Value::Object(_) => object.to_string(),
            other => lenient::text(other).into_owned(),
        };
        if id.is_empty() && name.is_empty() && arguments.is_empty() {
            return Ok(());
        }
        self.argument_bytes += arguments.len();
        if self.argument_bytes > MAX_ARGUMENT_BYTES {
            return Err(ModelError::Malformed(
                "the arguments of the tool calls are too long".into(),
            ));
        }
        let is_whole = call::is_object(&arguments) && !call::is_empty(&arguments);
        let mut position = self.position(index, &id, &name);
        if is_whole
            && let Some(known) = position.and_then(|position| self.calls.get(position))
            && known.is_complete()
            && !call::is_empty(&known.arguments)
        {
            // Some repeat each call whole at the end.
            if !id.is_empty() && call::are_same(&known.arguments, &arguments) {
                return Ok(());
            }
            position = None;
        }
        let position = match position {
            Some(position) => position,
            None if self.calls.len() >= MAX_TOOL_CALLS => {
                return Err(ModelError::Malformed("too many tool calls".into()));
            }
            None => {
                self.calls.push(Call {
                    index,
                    ..Call::default()
                });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(position) else {
            return Ok(());
        };
        call.index = call.index.or(index);
        if call.id.is_empty() {
            call.id.push_str(&id);
        }
        if call.name.is_empty() {
            call.name.push_str(&name);
        }
        if call::is_empty(&call.arguments) && !arguments.is_empty() {
            call.arguments.clear();
        }
        call.arguments.push_str(&arguments);
        if piece[EXTRA].is_object() {
            call.extra = piece[EXTRA].clone();
        }
        Ok(())
    }

    /// The call that a piece belongs to; `None` for a new one.
    fn position(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let is_named = |call: &Call| !id.is_empty() && call.id == id;
        let by_id = self.calls.iter().rposition(|call| {
            is_named(call) && (index.is_none() || call.index.is_none() || call.index == index)
        });
        if by_id.is_some() {
            return by_id;
        }
        let last = self.calls.len().checked_sub(1);
        let position = match index {
            Some(_) => {
                let by_index = self.calls.iter().rposition(|call| call.index == index);
                // What has no name begins nothing, unless it says that it is another than the last one.
                let is_last = |last: &usize| {
                    let has_no_index = self
                        .calls
                        .get(*last)
                        .is_some_and(|call| call.index.is_none());
                    name.is_empty() && (id.is_empty() || has_no_index)
                };
                by_index.or(last.filter(is_last))
            }
            None => last,
        }?;
        let call = self.calls.get(position)?;
        let has_other_id = !id.is_empty() && !call.id.is_empty();
        let begins_anew = if has_other_id {
            // An id of its own on each piece, without a name, is still the same call.
            !name.is_empty() || call.is_complete()
        } else {
            !name.is_empty() && !call.name.is_empty() && call.is_complete()
        };
        (!begins_anew).then_some(position)
    }

    /// The calls, whole now, each with an id of its own; and by these ids what is to be given back with them.
    pub(super) fn finish(&mut self) -> Result<(Vec<ToolCall>, Map<String, Value>), ModelError> {
        let calls = std::mem::take(&mut self.calls);
        let mut extras = Map::new();
        let mut taken: HashSet<String> = calls.iter().map(|call| call.id.clone()).collect();
        let mut used = HashSet::new();
        let calls: Result<_, _> = calls
            .into_iter()
            .map(|call| {
                let name = call::name(&call.name);
                if name.is_empty() {
                    return Err(ModelError::Malformed("a tool call has no name".into()));
                }
                let mut call_id = call.id;
                let mut number = used.len();
                while call_id.is_empty() || !used.insert(call_id.clone()) {
                    call_id = format!("call_{number}");
                    number += 1;
                    if !taken.insert(call_id.clone()) {
                        call_id.clear();
                    }
                }
                if !call.extra.is_null() {
                    extras.insert(call_id.clone(), call.extra);
                }
                Ok(ToolCall {
                    call_id,
                    name: name.to_owned(),
                    arguments: call::arguments(call.arguments),
                })
            })
            .collect();
        Ok((calls?, extras))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn put_together(pieces: &[Value]) -> Vec<(String, String, String)> {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.push(piece).unwrap();
        }
        calls
            .finish()
            .unwrap()
            .0
            .into_iter()
            .map(|call| (call.call_id, call.name, call.arguments))
            .collect()
    }

    macro_rules! piece {
        ($index:tt, $id:tt, $name:tt, $arguments:tt $(,)?) => {
            json!({ "index": $index, "id": $id, "function": { "name": $name, "arguments": $arguments } })
        };
    }

    fn expected(calls: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        calls
            .iter()
            .map(|(id, name, arguments)| {
                (
                    (*id).to_owned(),
                    (*name).to_owned(),
                    (*arguments).to_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn parallel_calls_are_told_apart_however_they_are_numbered() {
        let (rome, oslo) = (r#"{"city":"Rome"}"#, r#"{"city":"Oslo"}"#);
        let two = expected(&[("a", "weather", rome), ("b", "weather", oslo)]);
        for pieces in [
            // As the API has it.
            vec![
                piece!(0, "a", "weather", rome),
                piece!(1, "b", "weather", ""),
                piece!(1, null, null, oslo),
            ],
            // All of them number 0 (Gemini).
            vec![
                piece!(0, "a", "weather", rome),
                piece!(0, "b", "weather", oslo),
            ],
            // Numbers as text, arguments as objects.
            vec![
                piece!(
                    "0",
                    "a",
                    "weather",
                    { "city": "Rome" },
                ),
                piece!(
                    "1",
                    "b",
                    "weather",
                    { "city": "Oslo" },
                ),
            ],
            // No numbers, id and name on each piece.
            vec![
                piece!(null, "a", "weather", r#"{"city":"#,),
                piece!(null, "a", "weather", r#""Rome"}"#,),
                piece!(null, "b", "weather", oslo),
            ],
            // In turns.
            vec![
                piece!(0, "a", "weather", ""),
                piece!(1, "b", "weather", ""),
                piece!(0, null, null, rome),
                piece!(1, null, null, oslo),
            ],
        ] {
            assert_eq!(put_together(&pieces), two, "{pieces:?}");
        }
    }

    #[test]
    fn every_call_gets_an_id_of_its_own() {
        let calls = put_together(&[
            piece!(0, "", "x", "{}"),
            piece!(0, "", "x", "{}"),
            piece!(1, "call_0", "x", "{}"),
            piece!(2, "call_0", "x", "{}"),
        ]);
        let ids: HashSet<&str> = calls.iter().map(|(id, ..)| id.as_str()).collect();
        assert_eq!((calls.len(), ids.len()), (4, 4), "{calls:?}");
        assert!(ids.contains("call_0"));
    }

    #[test]
    fn a_piece_without_a_name_goes_on_with_the_last_call() {
        for pieces in [
            [
                piece!(null, null, "x", "{\"n\":"),
                piece!(0, "a", null, "1}"),
            ],
            [piece!(0, "a", "x", "{\"n\":"), piece!(1, null, null, "1}")],
        ] {
            let calls = put_together(&pieces);
            assert_eq!(
                (calls.len(), calls[0].2.as_str()),
                (1, "{\"n\":1}"),
                "{calls:?}"
            );
        }
    }

    #[test]
    fn an_empty_object_that_comes_first_is_no_beginning_of_the_arguments() {
        for pieces in [
            [
                piece!(0, "a", "x", "{}"),
                piece!(0, null, null, "{\"n\":1}"),
            ],
            [
                piece!(null, "a", "x", "{}"),
                piece!(null, "a", "", "{\"n\":1}"),
            ],
        ] {
            assert_eq!(put_together(&pieces), expected(&[("a", "x", "{\"n\":1}")]));
        }
    }

    #[test]
    fn a_call_that_is_repeated_at_the_end_is_one_call() {
        assert_eq!(
            put_together(&[
                piece!(0, "a", "x", "{\"n\":"),
                piece!(0, null, null, "1}"),
                piece!(0, "a", "x", "{ \"n\": 1 }"),
            ]),
            expected(&[("a", "x", "{\"n\":1}")])
        );
        // Two that differ are two.
        let two = put_together(&[
            piece!(0, "a", "x", "{\"n\":1}"),
            piece!(0, "a", "x", "{\"n\":2}"),
        ]);
        assert_eq!(two.len(), 2, "{two:?}");
    }

    #[test]
    fn pieces_with_an_id_each_are_one_call() {
        assert_eq!(
            put_together(&[
                piece!(0, "a", "x", ""),
                piece!(0, "b", null, "{\"n\":"),
                piece!(0, "c", "", "1}"),
            ]),
            expected(&[("a", "x", "{\"n\":1}")])
        );
    }
}
