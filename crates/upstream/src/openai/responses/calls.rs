//! Calls of our tools, each once, however often it is announced.

use std::borrow::Cow;

use engine::ports::{ModelError, ModelEvent, ToolCall};
use serde_json::Value;

use super::text::Place;
use crate::openai::{call, lenient, stream::Events};

/// More calls than this in one answer are taken for a defect of the provider.
const MAX_TOOL_CALLS: usize = 128;

/// All arguments of one answer together, in bytes.
const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    told: Vec<Known>,
    /// Announced, and not told yet.
    begun: Vec<Begun>,
    argument_bytes: usize,
}

/// A call whose arguments come in events of their own.
#[derive(Debug)]
struct Begun {
    place: Place,
    item: Value,
    arguments: String,
}

#[derive(Debug)]
struct Known {
    /// As the provider gave it; may be empty.
    call_id: String,
    place: Place,
    call: ToolCall,
}

impl Calls {
    /// Whether no call has been told.
    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// A call is announced.
    pub(super) fn begin(&mut self, place: Place, item: &Value) {
        if self.begun.len() < MAX_TOOL_CALLS {
            self.begun.push(Begun {
                place,
                item: item.clone(),
                arguments: String::new(),
            });
        }
    }

    /// Whether the call at this place is announced or told.
    pub(super) fn is_begun(&self, place: &Place) -> bool {
        let begun = self.begun.iter().map(|begun| &begun.place);
        let told = self.told.iter().map(|known| &known.place);
        let mut places = begun.chain(told);
        places.any(|known| known.is_same_item(place) != Some(false))
    }

    /// More arguments of a call, or all of them where `is_whole`.
    pub(super) fn arguments(
        &mut self,
        place: &Place,
        text: &Value,
        is_whole: bool,
    ) -> Result<(), ModelError> {
        let is_meant = |begun: &&mut Begun| begun.place.is_same_item(place) != Some(false);
        let Some(begun) = self.begun.iter_mut().rev().find(is_meant) else {
            return Ok(());
        };
        let text = lenient::text(text);
        if text.is_empty() {
            return Ok(());
        }
        if is_whole {
            begun.arguments.clear();
        }
        self.argument_bytes += text.len();
        if self.argument_bytes > 2 * MAX_ARGUMENT_BYTES {
            return Err(ModelError::Malformed(
                "the arguments of the tool calls are too long".into(),
            ));
        }
        begun.arguments.push_str(&text);
        Ok(())
    }

    /// Tells the calls that were announced and have all their arguments, where nothing has said that they are over.
    pub(super) fn finish(&mut self, events: &mut Events) -> Result<(), ModelError> {
        for Begun {
            place,
            mut item,
            arguments,
        } in std::mem::take(&mut self.begun)
        {
            let has_all = call::is_object(&arguments);
            if has_all {
                item["arguments"] = arguments.into();
            }
            if has_all || call::is_object(&lenient::text(&item["arguments"])) {
                self.tell(place, &item, true, events)?;
            }
        }
        Ok(())
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
        let name = call::name(&lenient::text(&item["name"])).to_owned();
        let mut arguments = match &item["arguments"] {
            object @ Value::Object(_) => object.to_string(),
            other => lenient::text(other).into_owned(),
        };
        let is_begun = |begun: &Begun| begun.place.is_same_item(&place) == Some(true);
        if let Some(at) = self.begun.iter().position(is_begun) {
            let begun = self.begun.remove(at);
            // Some leave them out of the call when it is over.
            if arguments.is_empty() || call::is_empty(&arguments) && !begun.arguments.is_empty() {
                arguments = begun.arguments;
            }
        }
        let arguments = call::arguments(arguments);
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
        if self.told.iter().any(is_told) {
            return Ok(());
        }
        if name.is_empty() {
            return Err(ModelError::Malformed("a tool call has no name".into()));
        }
        if self.told.len() >= MAX_TOOL_CALLS {
            return Err(ModelError::Malformed("too many tool calls".into()));
        }
        let id = [Cow::Borrowed(given.as_str()), lenient::text(&item["id"])];
        let call = ToolCall {
            call_id: id
                .into_iter()
                .find(|id| !id.is_empty())
                .map_or_else(|| format!("call_{}", self.told.len()), Cow::into_owned),
            name,
            arguments,
        };
        events.push_back(ModelEvent::ToolCall(call.clone()));
        self.told.push(Known {
            call_id: given,
            place,
            call,
        });
        Ok(())
    }
}
