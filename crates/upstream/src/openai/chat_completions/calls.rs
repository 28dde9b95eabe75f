//! Tool calls, put together from their pieces.

use std::collections::HashSet;

use engine::ports::{ModelError, ToolCall};
use serde_json::{Map, Value};

use crate::openai::{call, lenient};

/// More calls than this in one answer are taken for a defect of the provider.
const MAX_TOOL_CALLS: usize = 128;
/// All arguments of one answer together, in bytes.
const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;
/// No name comes in more pieces than this.
const MAX_NAME_PIECES: usize = 64;

/// The field of a call that Gemini signs it in.
pub(super) const EXTRA: &str = "extra_content";

/// The calls of one answer.
///
/// The API tells them apart by `index`. Servers that are only compatible leave it out, or number
/// every call 0, or give each piece an id of its own; so index, id, name and whether a call is
/// complete are looked at together. A name may come in pieces, too.
#[derive(Debug, Default)]
pub(super) struct Calls {
    begun: Vec<Call>,
    argument_bytes: usize,
    /// The names of the tools that were offered.
    tools: Vec<String>,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    /// What came as the name before the arguments: the name once or more often, or its pieces.
    names: Vec<String>,
    arguments: String,
    /// What the server wants to be given back with the call.
    extra: Value,
}

impl Call {
    fn is_complete(&self) -> bool {
        call::is_object(&self.arguments)
    }

    /// The name. Some servers send it in pieces, others all of it with each piece of the call, and some all of it so far:
    /// only the tools that were offered tell these apart.
    fn name(&self, tools: &[String]) -> String {
        let is_offered = |name: &str| tools.iter().any(|tool| tool == call::name(name));
        let joined = self.names.concat();
        if is_offered(&joined) && !self.names.iter().all(|name| is_offered(name)) {
            return joined;
        }
        let offered = self.names.iter().find(|name| is_offered(name));
        let name = offered.or(self.names.first());
        name.cloned().unwrap_or_default()
    }
}

impl Calls {
    /// For an answer to a question that offered the tools of these names.
    pub(super) fn new(tools: Vec<String>) -> Self {
        Self {
            tools,
            ..Self::default()
        }
    }

    /// Whether no call has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    /// Adds a piece: an entry of `tool_calls`.
    pub(super) fn push(&mut self, piece: &Value) -> Result<(), ModelError> {
        // Some leave the function's fields in the call itself.
        let function = piece
            .get("function")
            .filter(|function| function.is_object())
            .unwrap_or(piece);
        let index = lenient::number(&piece["index"]);
        let id = lenient::text(&piece["id"]);
        let name = lenient::text(&function["name"]);
        // As models' own templates call them.
        let names = ["arguments", "parameters", "input"];
        let arguments = names.iter().find_map(|name| function.get(name));
        let arguments = match arguments.unwrap_or(&Value::Null) {
            // Some write them out as the object that they are.
            object @ Value::Object(_) => object.to_string(),
            other => lenient::text(other).into_owned(),
        };
        let extra = &piece[EXTRA];
        if id.is_empty() && name.is_empty() && arguments.is_empty() && !extra.is_object() {
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
            && let Some(known) = position.and_then(|position| self.begun.get(position))
            && known.is_complete()
            && !call::is_empty(&known.arguments)
        {
            // Some repeat each call whole at the end.
            if !id.is_empty() && call::are_same(&known.arguments, &arguments) {
                return Ok(());
            }
            position = None;
        }
        let is_repeated = |call: &Call| {
            call.id == id && call.is_complete() && call::are_same(&call.arguments, &arguments)
        };
        if position.is_none() && is_whole && !id.is_empty() && self.begun.iter().any(is_repeated) {
            return Ok(());
        }
        let position = match position {
            Some(position) => position,
            None if self.begun.len() >= MAX_TOOL_CALLS => {
                return Err(ModelError::Malformed("too many tool calls".into()));
            }
            None => {
                self.begun.push(Call {
                    index,
                    ..Call::default()
                });
                self.begun.len() - 1
            }
        };
        let Some(call) = self.begun.get_mut(position) else {
            return Ok(());
        };
        call.index = call.index.or(index);
        if call.id.is_empty() {
            call.id.push_str(&id);
        }
        let may_go_on = call.arguments.is_empty() && call.names.len() < MAX_NAME_PIECES;
        if !name.is_empty() && (may_go_on || call.names.is_empty()) {
            call.names.push(name.into_owned());
        }
        // Some send all of the arguments so far with each piece: within an object no second one begins at once.
        let is_all = call.arguments.starts_with('{') && arguments.starts_with(&call.arguments);
        if is_all || (call::is_empty(&call.arguments) && !arguments.is_empty()) {
            call.arguments.clear();
        }
        call.arguments.push_str(&arguments);
        if extra.is_object() {
            call.extra = extra.clone();
        }
        Ok(())
    }

    /// The call that a piece belongs to; `None` for a new one.
    fn position(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let is_named = |call: &Call| !id.is_empty() && call.id == id;
        let is_at = |call: &Call| index.is_none() || call.index.is_none() || call.index == index;
        let mut begun = self.begun.iter();
        let by_both = begun.rposition(|call| is_named(call) && is_at(call));
        // What has no name goes on with the call of its id, whatever its number.
        let by_id = by_both.or_else(|| {
            let mut begun = self.begun.iter();
            begun.rposition(|call| name.is_empty() && is_named(call))
        });
        if by_id.is_some() {
            return by_id;
        }
        let last = self.begun.len().checked_sub(1);
        let position = match index {
            Some(_) => {
                let by_index = self.begun.iter().rposition(|call| call.index == index);
                // What has no name begins nothing, unless it says that it is another than the last one.
                let is_last = |last: &usize| {
                    let has_no_index = self
                        .begun
                        .get(*last)
                        .is_some_and(|call| call.index.is_none());
                    name.is_empty() && (id.is_empty() || has_no_index)
                };
                by_index.or(last.filter(is_last))
            }
            None => last,
        }?;
        let call = self.begun.get(position)?;
        let has_other_id = !id.is_empty() && !call.id.is_empty();
        let begins_anew = if has_other_id {
            // An id of its own on each piece, without a name, is still the same call.
            !name.is_empty() || call.is_complete()
        } else {
            !name.is_empty() && !call.names.is_empty() && call.is_complete()
        };
        (!begins_anew).then_some(position)
    }

    /// The calls, whole now, each with an id of its own; and by these ids what is to be given back with them.
    pub(super) fn finish(&mut self) -> Result<(Vec<ToolCall>, Map<String, Value>), ModelError> {
        let calls = std::mem::take(&mut self.begun);
        let tools = &self.tools;
        let mut extras = Map::new();
        let mut taken: HashSet<String> = calls.iter().map(|call| call.id.clone()).collect();
        let mut used = HashSet::new();
        let calls: Result<_, _> = calls
            .into_iter()
            .map(|call| {
                let name = call.name(tools);
                let name = call::name(&name);
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
mod tests;
