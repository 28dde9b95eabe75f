//! One event as one frame of an event stream: its `id`, `data: <json>`, and an empty line.
//!
//! JSON text holds no raw line break, so one `data:` line is enough. Parsers that know only `data:` skip the id
//! (WHATWG HTML §9.2.6); whoever keeps it can go on from there.

use std::io::Write as _;

use serde::Serialize;

use crate::cursor::{Cursor, Position};
use crate::event::{Event, ItemUpdate, TextDelta};
use crate::id::{ItemId, RunId};

/// Room for an event as most of them are: text of a few letters.
const FRAME_BYTES: usize = 256;
/// How the frame of a text ends, after the text.
const ENDING: &[u8] = b"}}\n\n";
/// The JSON of an empty text.
const NO_TEXT: &[u8] = b"\"\"";

/// Writes the events of one run.
///
/// Nearly all of them are text of the same message, and differ in nothing but the text. So what comes
/// before it is written once for each message: escaping it anew would cost more than the text.
pub struct FrameWriter {
    /// How each id begins, up to the position.
    id: Vec<u8>,
    /// The message and the part that `opening` is for.
    part: Option<(ItemId, u32)>,
    opening: Vec<u8>,
}

impl FrameWriter {
    pub fn new(run: &RunId) -> Self {
        Self {
            id: format!("id: {run}:").into_bytes(),
            part: None,
            opening: Vec::new(),
        }
    }

    /// Appends an event to `out`; `end` is the position after it. On an error nothing is appended.
    pub fn write(
        &mut self,
        event: &Event,
        end: Position,
        out: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        out.reserve(FRAME_BYTES);
        let start = out.len();
        out.extend_from_slice(&self.id);
        // Writing to a vector cannot fail.
        let _ = writeln!(out, "{}", end.0);
        let written = self.write_event(event, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write_event(&mut self, event: &Event, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let Event::ItemUpdated {
            item_id,
            update:
                ItemUpdate::TextDelta {
                    content_index,
                    delta,
                },
        } = event
        else {
            return encode(event, out);
        };
        let is_same = |(id, index): &(ItemId, u32)| id == item_id && index == content_index;
        if !self.part.as_ref().is_some_and(is_same) {
            self.part = Some((item_id.clone(), *content_index));
            self.opening = opening(item_id, *content_index)?;
        }
        out.extend_from_slice(&self.opening);
        serde_json::to_writer(&mut *out, delta)?;
        out.extend_from_slice(ENDING);
        Ok(())
    }
}

/// The same frames without their ids, as the official server writes them.
pub fn without_ids(frames: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(frames.len());
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', frames).map(|newline| newline + 1);
    for end in ends.chain([frames.len()]) {
        let line = frames.get(start..end).unwrap_or_default();
        if !line.starts_with(b"id: ") {
            plain.extend_from_slice(line);
        }
        start = end;
    }
    plain
}

/// Reads frames of a run as [`FrameWriter`] writes them: each event, with the position after it. What is no such frame, or
/// no event that this build knows, is left out.
pub fn read(frames: &str) -> impl Iterator<Item = (Event, Position)> {
    frames.split_terminator("\n\n").filter_map(|frame| {
        let (id, data) = frame.strip_prefix("id: ")?.split_once("\ndata: ")?;
        let cursor: Cursor = id.parse().ok()?;
        Some((serde_json::from_str(data).ok()?, cursor.position))
    })
}

/// Appends an event that belongs to no run, such as the refusal of one.
pub fn write_alone(event: &Event, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let start = out.len();
    let written = encode(event, out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// The frame of a text up to the text, taken from the frame of an empty one.
fn opening(item_id: &ItemId, content_index: u32) -> serde_json::Result<Vec<u8>> {
    let mut frame = Vec::new();
    let empty = TextDelta {
        item_id,
        content_index,
        delta: "",
    };
    encode(&empty, &mut frame)?;
    frame.truncate(frame.len() - NO_TEXT.len() - ENDING.len());
    Ok(frame)
}

fn encode(event: &impl Serialize, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut *out, event)?;
    out.extend_from_slice(b"\n\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(item_id: &str, content_index: u32, delta: &str) -> Event {
        Event::ItemUpdated {
            item_id: item_id.parse().unwrap(),
            update: ItemUpdate::TextDelta {
                content_index,
                delta: delta.to_owned(),
            },
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_only_others_know_is_left_out() {
        let run = RunId::mint(1);
        let events = [
            text("msg_1", 0, "one\n\ndata: two"),
            Event::ProgressUpdate {
                icon: None,
                text: "id: between".to_owned(),
            },
            text("msg_1", 0, "\u{2028}語"),
        ];
        let mut frames = Vec::new();
        let mut writer = FrameWriter::new(&run);
        let mut end = Position(5);
        let mut written = Vec::new();
        for event in events {
            end.0 += event.span();
            writer.write(&event, end, &mut frames).unwrap();
            written.push((event, end));
        }
        let frames = String::from_utf8(frames).unwrap();
        assert_eq!(read(&frames).collect::<Vec<_>>(), written);
        let newer = format!("id: {run}:6\ndata: {{\"type\":\"thread.item.sung\"}}\n\n");
        let plain = "data: {}\n\n: comment\n\nid: rubbish\ndata: {}\n\n";
        let mixed = format!("{newer}{plain}{frames}");
        assert_eq!(read(&mixed).collect::<Vec<_>>(), written);
    }

    #[test]
    fn text_is_written_as_any_other_event_is() {
        let events = [
            text("msg_1", 0, "one"),
            text("msg_1", 0, ""),
            text("msg_1", 0, "\"\n\u{1f600}\\"),
            text("msg_1", 1, "another part"),
            text("msg_2", 1, "another message"),
            Event::ProgressUpdate {
                icon: None,
                text: "between".to_owned(),
            },
            text("msg_1", 0, "and back"),
        ];
        let run = RunId::mint(1);
        let mut plain = Vec::new();
        let (mut written, mut expected) = (Vec::new(), Vec::new());
        let mut frames = FrameWriter::new(&run);
        let mut end = 0;
        for event in &events {
            end += event.span();
            frames.write(event, Position(end), &mut written).unwrap();
            writeln!(expected, "id: {run}:{end}").unwrap();
            encode(event, &mut expected).unwrap();
            encode(event, &mut plain).unwrap();
        }
        assert_eq!(without_ids(&written), plain);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            String::from_utf8(expected).unwrap()
        );
    }
}
