//! One event as one frame: `data: <json>` and an empty line. JSON text holds no raw line break, so one
//! `data:` line is enough.

use protocol::{Event, ItemId, ItemUpdate, event::TextDelta};
use serde::Serialize;

/// Room for an event as most of them are: text of a few letters.
const FRAME_BYTES: usize = 256;
/// How the frame of a text ends, after the text.
const ENDING: &[u8] = b"}}\n\n";
/// The JSON of an empty text.
const NO_TEXT: &[u8] = b"\"\"";
/// What is sent in place of an event that cannot be written down.
const BROKEN_FRAME: &[u8] =
    b"data: {\"type\":\"error\",\"code\":\"stream.error\",\"allow_retry\":true}\n\n";

/// Writes the events of one stream.
///
/// Nearly all of them are text of the same message, and differ in nothing but the text. So what comes
/// before it is written once for each message: escaping it anew would cost more than the text.
#[derive(Default)]
pub(super) struct FrameWriter {
    /// The message and the part that `opening` is for.
    part: Option<(ItemId, u32)>,
    opening: Vec<u8>,
}

impl FrameWriter {
    /// Appends an event to `out`.
    pub(super) fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        out.reserve(FRAME_BYTES);
        let start = out.len();
        if let Err(error) = self.try_write(event, out) {
            tracing::error!(%error, "an event could not be written as JSON");
            out.truncate(start);
            out.extend_from_slice(BROKEN_FRAME);
        }
    }

    fn try_write(&mut self, event: &Event, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let Event::ItemUpdated { item_id, update } = event else {
            return encode(event, out);
        };
        let ItemUpdate::TextDelta {
            content_index,
            delta,
        } = update
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
        let (mut written, mut expected) = (Vec::new(), Vec::new());
        let mut frames = FrameWriter::default();
        for event in &events {
            frames.write(event, &mut written);
            encode(event, &mut expected).unwrap();
        }
        assert_eq!(
            String::from_utf8(written).unwrap(),
            String::from_utf8(expected).unwrap()
        );
    }
}
