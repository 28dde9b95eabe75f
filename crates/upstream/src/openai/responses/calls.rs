//! Calls of our tools, each once, however often it is announced.

use std::borrow::Cow;

use engine::ports::{ModelError, ModelEvent, ToolCall};
use serde_json::Value;

use super::text::Place;
use crate::openai::{lenient, stream::Events};

/// More calls than this in one answer are taken for a defect of the provider.
const MAX_TOOL_CALLS: usize = 128;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Known>);

#[derive(Debug)]
struct Known {
    /// As the provider gave it; may be empty.
    call_id: String,
    place: Place,
    call: ToolCall,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A call that is complete. `is_repeated` where the response as a whole has it, after some were told: then whatever
    /// agrees makes it one of those.
    pub(super) fn tell(
        &mut self,
        place: Place,
        item: &Value,
        is_repeated: bool,
        events: &mut Events,
    ) -> Result<(), ModelError> {
        let given = lenient::text(&item["call_id"]).into_owned();
        let name = lenient::text(&item["name"]).into_owned();
        let arguments = match &item["arguments"] {
            object @ Value::Object(_) => object.to_string(),
            other => lenient::text(other).into_owned(),
        };
        let is_told = |known: &Known| {
            let has_ids = !known.call_id.is_empty() && !given.is_empty();
            let is_same_id = has_ids && known.call_id == given;
            let is_same_item = known.place.is_same_item(&place) == Some(true);
            let has_same_words = || known.call.name == name && known.call.arguments == arguments;
            if is_repeated {
                is_same_id || is_same_item || has_same_words()
            } else {
                is_same_id || (!has_ids && is_same_item)
            }
        };
        if self.0.iter().any(is_told) {
            return Ok(());
        }
        if name.is_empty() {
            return Err(ModelError::Malformed("a tool call has no name".into()));
        }
        if self.0.len() >= MAX_TOOL_CALLS {
            return Err(ModelError::Malformed("too many tool calls".into()));
        }
        let id = [Cow::Borrowed(given.as_str()), lenient::text(&item["id"])];
        let call = ToolCall {
            call_id: id
                .into_iter()
                .find(|id| !id.is_empty())
                .map_or_else(|| format!("call_{}", self.0.len()), Cow::into_owned),
            name,
            arguments,
        };
        events.push_back(ModelEvent::ToolCall(call.clone()));
        self.0.push(Known {
            call_id: given,
            place,
            call,
        });
        Ok(())
    }
}
