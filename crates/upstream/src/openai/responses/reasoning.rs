//! What a model says of its thoughts, in paragraphs; and its thoughts themselves, to be given back.

use std::collections::HashSet;

use engine::ports::{ModelEvent, Thought};
use serde_json::{Map, Value};

use super::text::Place;
use crate::openai::{lenient, stream::Events};

/// Fields of a reasoning item that are given back; others may be refused in a question.
const FIELDS: [&str; 5] = ["type", "id", "summary", "content", "encrypted_content"];

/// What has been told of a model's thoughts.
#[derive(Debug, Default)]
pub(super) struct Reasoning {
    /// The part that was last told of. A summary's parts count apart from those of the thoughts themselves.
    part: Option<(Place, bool)>,
    /// What is given back, by what tells one from another.
    thoughts: HashSet<String>,
}

impl Reasoning {
    /// More of a summary (`summary_index`), or of the thoughts themselves (`content_index`).
    pub(super) fn delta(&mut self, is_summary: bool, event: &Value, events: &mut Events) {
        let text = lenient::text(&event["delta"]).into_owned();
        let mut place = Place::of(event);
        if is_summary {
            place.content = lenient::number(&event["summary_index"]);
        }
        self.tell(place, is_summary, text, events);
    }

    /// A part of either that is complete. Some servers tell it nowhere else (LM Studio).
    pub(super) fn whole(&mut self, is_summary: bool, event: &Value, events: &mut Events) {
        if self.part.is_none() {
            let text = lenient::text(&event["text"]).into_owned();
            self.tell(Place::of(event), is_summary, text, events);
        }
    }

    fn tell(&mut self, place: Place, is_summary: bool, text: String, events: &mut Events) {
        if text.is_empty() {
            return;
        }
        // The thoughts themselves have one part; some servers count the pieces of it (vLLM).
        let is_next = |(last, was_summary): &(Place, bool)| {
            let has_other = last.content.zip(place.content).is_some_and(|(a, b)| a != b);
            *was_summary != is_summary
                || (is_summary && has_other)
                || last.is_same_item(&place) == Some(false)
        };
        let is_next = self.part.as_ref().is_some_and(is_next);
        let text = if is_next { format!("\n\n{text}") } else { text };
        self.part = Some((place, is_summary));
        events.push_back(ModelEvent::ReasoningDelta(text));
    }

    /// A reasoning item that is complete. What was not streamed is told now.
    pub(super) fn item(&mut self, place: &Place, item: &Value, events: &mut Events) {
        if self.part.is_none() {
            for (is_summary, name) in [(true, "summary"), (false, "content")] {
                for (index, part) in (0..).zip(lenient::list(&item[name])) {
                    let text = lenient::text(&part["text"]).into_owned();
                    self.tell(place.part(index), is_summary, text, events);
                }
            }
        }
        // Nothing is kept at the provider, so only what holds the thought itself can be given back: sealed, or in words.
        let is_sealed = item["encrypted_content"]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        if is_sealed || !lenient::list(&item["content"]).is_empty() {
            self.give_back(item, &FIELDS, events);
        }
    }

    /// These fields of an item are to be given back with the calls that follow.
    pub(super) fn give_back(&mut self, item: &Value, fields: &[&str], events: &mut Events) {
        let mut thought = Map::new();
        for name in fields {
            match &item[name] {
                Value::Null => {}
                value => {
                    thought.insert((*name).to_owned(), value.clone());
                }
            }
        }
        if item["type"] == "reasoning" {
            let summary = thought.entry("summary");
            summary.or_insert_with(|| Value::Array(Vec::new()));
        }
        let text = Value::Object(thought).to_string();
        let id = item["id"].as_str().unwrap_or(&text).to_owned();
        if self.thoughts.insert(id) {
            events.push_back(ModelEvent::Thought(Thought(text)));
        }
    }
}
