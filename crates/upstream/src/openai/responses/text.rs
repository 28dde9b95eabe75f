//! The text of an answer, put together from events that say it more than once.
//!
//! Events name the message and the part that they belong to by an index, an id, both or neither, and some servers make a new
//! id for each event. So two places are one unless something says that they differ and nothing that they agree.

use std::collections::HashSet;

use engine::ports::ModelEvent;
use serde_json::Value;

use crate::openai::{lenient, stream::Events, think::Splitter};

/// Where in an answer something stands, as far as an event says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The index of the output item.
    pub(super) output: Option<u64>,
    /// Its id.
    pub(super) item: Option<String>,
    /// The index of the part within it.
    pub(super) content: Option<u64>,
}

impl Place {
    /// Where the thing is that an event is about.
    pub(super) fn of(event: &Value) -> Self {
        let id = event["item_id"].as_str().or(event["item"]["id"].as_str());
        Self {
            output: lenient::number(&event["output_index"]),
            item: id.filter(|id| !id.is_empty()).map(str::to_owned),
            content: lenient::number(&event["content_index"]),
        }
    }

    /// The same item's part of this index.
    pub(super) fn part(&self, content: u64) -> Self {
        Self {
            content: Some(content),
            ..self.clone()
        }
    }

    /// Whether both are in the same item; `None` where nothing tells.
    pub(super) fn is_same_item(&self, other: &Self) -> Option<bool> {
        let by_index = self.output.zip(other.output).map(|(a, b)| a == b);
        let by_id = self
            .item
            .as_ref()
            .zip(other.item.as_ref())
            .map(|(a, b)| a == b);
        match (by_index, by_id) {
            (Some(index), Some(id)) => Some(index || id),
            (one, other) => one.or(other),
        }
    }

    fn is_same_part(&self, other: &Self) -> Option<bool> {
        let is_same_content = self.content.zip(other.content).map(|(a, b)| a == b);
        match (self.is_same_item(other), is_same_content) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (None, _) => None,
            (Some(true), _) => Some(true),
        }
    }

    fn learn(&mut self, more: Self) {
        self.output = more.output.or(self.output);
        self.content = more.content.or(self.content);
        self.item = more.item.or(self.item.take());
    }
}

/// What has been said of an answer.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// Tells reasoning from the answer where a server leaves it in the text.
    split: Splitter,
    /// Characters so far.
    characters: u32,
    /// The part that text was last added to, and where it starts in the answer. The provider counts citations within a
    /// part, we count them within the answer.
    place: Place,
    start: u32,
    /// All that has been said, and where in it that part begins.
    said: String,
    part: usize,
    /// How many parts came before that one.
    parts_before: usize,
    /// Whether text comes in deltas. Servers that do not stream send it in the closing events only, where the others
    /// repeat it.
    has_deltas: bool,
    /// Whether a message was announced since: only then does another id alone mean another message.
    is_announced: bool,
    /// Parts that came whole.
    whole: Vec<(Place, String)>,
    /// Parts of other messages than the one at hand that came whole where text comes in deltas: the last event has them
    /// again, if it has anything.
    unheard: Vec<(Place, String)>,
    /// What was cited, so that each is once, however often it is announced.
    cited: HashSet<String>,
}

impl Text {
    pub(super) fn is_empty(&self) -> bool {
        self.characters == 0
    }

    /// A piece that is certainly of the part at hand, as nearly every one is.
    pub(super) fn is_here(&self, output: u64, content: u64) -> bool {
        self.place.output == Some(output) && self.place.content == Some(content)
    }

    /// More of a part.
    pub(super) fn delta(&mut self, place: Place, text: String, events: &mut Events) {
        if !text.is_empty() {
            self.has_deltas = true;
            self.go_to(place, events);
            self.say(text, events);
        }
    }

    /// More of the part at hand.
    pub(super) fn more(&mut self, text: String, events: &mut Events) {
        if !text.is_empty() {
            self.has_deltas = true;
            self.say(text, events);
        }
    }

    /// A part that a closing event has whole.
    pub(super) fn whole(&mut self, place: Place, text: &Value, events: &mut Events) {
        let text = lenient::text(text).into_owned();
        if self.has_deltas {
            // Ids alone prove nothing here: some are new with each event.
            let is_other = self.place.output.is_some()
                && place.output.is_some()
                && place.is_same_item(&self.place) == Some(false);
            let is_noted = self.unheard.iter().any(|(_, noted)| *noted == text);
            if !self.rest(&place, &text, events) && is_other && !is_noted {
                self.unheard.push((place, text));
            }
            return;
        }
        let is_told = |(told, said): &(Place, String)| {
            place.is_same_part(told).unwrap_or_else(|| *said == text)
        };
        if text.is_empty() || self.whole.iter().any(is_told) {
            return;
        }
        self.whole.push((place.clone(), text.clone()));
        self.go_to(place, events);
        self.say(text, events);
    }

    /// What only closing events had, where the whole response has no message at all.
    pub(super) fn unheard(&mut self, events: &mut Events) {
        for (place, text) in std::mem::take(&mut self.unheard) {
            self.last(place, &Value::String(text), true, events);
        }
    }

    /// A part of the whole response, where parts of it have been told.
    ///
    /// Places are counted anew there, and words may be other ones. So a part counts as one that nobody has heard where
    /// there are more of them than were told (`has_more`), and its words are nowhere in what was said.
    pub(super) fn last(&mut self, place: Place, text: &Value, has_more: bool, events: &mut Events) {
        let text = lenient::text(text);
        if self.rest(&place, &text, events) || !has_more || self.said.contains(text.trim()) {
            return;
        }
        self.begin_message(events);
        self.place = place;
        self.say(text.into_owned(), events);
    }

    /// The last deltas of a part may be missing. Whether this is the part at hand.
    fn rest(&mut self, place: &Place, text: &str, events: &mut Events) -> bool {
        let is_here = place.is_same_part(&self.place) == Some(true);
        let said = self.said.get(self.part..).filter(|_| is_here);
        let Some(rest) = said.and_then(|said| text.strip_prefix(said)) else {
            return false;
        };
        if !rest.is_empty() {
            self.say(rest.to_owned(), events);
        }
        true
    }

    /// How many parts were told that have words in them.
    pub(super) fn parts(&self) -> usize {
        if self.said.trim_start().is_empty() {
            0
        } else {
            self.parts_before + 1
        }
    }

    /// A message begins.
    pub(super) fn announce(&mut self) {
        self.is_announced = true;
    }

    fn go_to(&mut self, place: Place, events: &mut Events) {
        let has_indices = self.place.output.is_some() && place.output.is_some();
        let is_other = self.place.is_same_item(&place) == Some(false);
        if is_other && (has_indices || self.is_announced) {
            self.begin_message(events);
        } else if self
            .place
            .content
            .zip(place.content)
            .is_some_and(|(a, b)| a != b)
        {
            self.begin_part();
        }
        self.is_announced = false;
        self.place.learn(place);
    }

    fn begin_message(&mut self, events: &mut Events) {
        self.split.finish(events);
        self.split = Splitter::default();
        // Two messages of one response are two paragraphs: a heading stays a heading.
        if self.characters > 0 {
            self.say("\n\n".to_owned(), events);
        }
        self.place = Place::default();
        self.begin_part();
    }

    fn begin_part(&mut self) {
        self.start = self.characters;
        self.part = self.said.len();
        self.parts_before += 1;
    }

    fn say(&mut self, text: String, events: &mut Events) {
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        self.characters = self.characters.saturating_add(characters);
        self.said.push_str(&text);
        self.split.push(text, events);
    }

    /// The answer has ended: what waited for more is told.
    pub(super) fn finish(&mut self, events: &mut Events) {
        self.split.finish(events);
    }

    /// What a part cites, when it is whole.
    pub(super) fn citations(&mut self, place: &Place, part: &Value, events: &mut Events) {
        for annotation in lenient::list(&part["annotations"]) {
            self.cite(place, annotation, events);
        }
    }

    /// Something that a part cites.
    pub(super) fn cite(&mut self, place: &Place, annotation: &Value, events: &mut Events) {
        let text = |name: &str| lenient::text(&annotation[name]).into_owned();
        // A file's is one place, a page's a stretch that it follows.
        let index =
            lenient::number(&annotation["end_index"]).or(lenient::number(&annotation["index"]));
        let index = index
            .filter(|_| place.is_same_part(&self.place) != Some(false))
            .and_then(|index| u32::try_from(index).ok())
            .map(|index| self.start.saturating_add(index).min(self.characters));
        let event = match annotation["type"].as_str() {
            Some("url_citation") if !text("url").is_empty() => ModelEvent::UrlCitation {
                url: text("url"),
                title: text("title"),
                index,
            },
            Some("file_citation" | "container_file_citation") if !text("file_id").is_empty() => {
                ModelEvent::FileCitation {
                    file_id: text("file_id"),
                    name: text("filename"),
                    container_id: Some(text("container_id")).filter(|id| !id.is_empty()),
                    index,
                }
            }
            _ => return,
        };
        let key = ["url", "file_id", "start_index", "end_index", "index"];
        let key = key.map(|name| annotation[name].to_string()).join(" ");
        if self.cited.insert(key) {
            events.push_back(event);
        }
    }
}
