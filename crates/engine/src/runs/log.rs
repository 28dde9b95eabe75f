//! What a run has said so far, for readers that come at any time and read at any speed.
//!
//! What was said last is kept as it goes out, encoded once for all who keep up. Everything is kept as events as well, in
//! which text that belongs together is one piece and what a later event replaces is left out: that is what a late reader
//! gets, so a log takes the memory of an answer and not of its tokens.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use protocol::{
    Cursor, Event, ItemId, ItemUpdate, Position, RunId, ThreadItem,
    event::{ErrorCode, ErrorEvent, TextDelta},
    frame::FrameWriter,
    json,
};
use tokio::sync::{Notify, futures::Notified};

/// How much is kept as it went out; a reader that is further behind is given events anew.
const RECENT_BYTES: usize = 16 * 1024;
/// What an event counts of that at most, unless it is a piece of text. An answer that ends is said whole, twice; who has
/// still to read its last words would find them gone.
const MOST_COUNTED: usize = RECENT_BYTES / 4;
/// How many bytes stand around a piece of text, at most.
const FRAME_BYTES: usize = 256;
/// How much a late reader is given at a time.
const CHUNK_BYTES: usize = 32 * 1024;
/// What an event takes besides its text, for the count of what finished runs hold.
const EVENT_BYTES: usize = 512;

/// What a run says, in the order in which it does. One writer, any number of readers.
#[derive(Default)]
pub(crate) struct RunLog {
    said: Mutex<Said>,
    changed: Notify,
}

#[derive(Default)]
struct Said {
    /// All of it, by position.
    events: Vec<Entry>,
    /// The last of it, as it went out.
    recent: VecDeque<Batch>,
    /// What that counts, see [`MOST_COUNTED`].
    recent_count: usize,
    end: Position,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    /// Goes on in another run's log, from there.
    Joined(Cursor),
    /// Ended; with these frames where they are no part of the run, for whoever reads to here.
    Ended(Option<Bytes>),
}

/// An event between two positions.
struct Entry {
    start: Position,
    end: Position,
    event: Box<Event>,
}

/// Events that went out together.
#[derive(Clone)]
struct Batch {
    start: Position,
    end: Position,
    frames: Bytes,
    counts: usize,
}

/// What comes after a position.
pub(crate) enum Next {
    /// These frames, up to there.
    Frames(Bytes, Position),
    /// Nothing yet.
    Nothing,
    /// What another run says, from there.
    Joined(Cursor),
    /// Nothing any more, or these frames and then nothing, wherever one stands.
    End(Option<Bytes>),
}

impl RunLog {
    /// Adds events that were encoded together.
    pub(crate) fn append(&self, events: Vec<Event>, frames: Bytes) {
        let mut said = self.lock();
        if !matches!(said.state, State::Open) {
            // The process is ending, and has said so: see `Runs::give_up`.
            return;
        }
        let start = said.end;
        let counts = counted(&events, &frames);
        for event in events {
            let start = said.end;
            said.end = Position(start.0 + event.span());
            let end = said.end;
            let event = Box::new(event);
            fold(&mut said.events, Entry { start, end, event });
        }
        let end = said.end;
        said.keep(Batch {
            start,
            end,
            frames,
            counts,
        });
        drop(said);
        self.changed.notify_waiters();
    }

    /// Adds what another process's log says, up to a position. Events that are left out there are left out here.
    pub(crate) fn copy(&self, events: Vec<(Event, Position)>, end: Position, frames: Bytes) {
        let mut said = self.lock();
        let start = said.end;
        let counts = counted(events.iter().map(|(event, _)| event), &frames);
        for (event, end) in events {
            let start = Position(end.0.saturating_sub(event.span()));
            let event = Box::new(event);
            fold(&mut said.events, Entry { start, end, event });
        }
        said.end = end;
        said.keep(Batch {
            start,
            end,
            frames,
            counts,
        });
        drop(said);
        self.changed.notify_waiters();
    }

    /// Says that nothing more will come here.
    pub(crate) fn end(&self) {
        self.end_with(None);
    }

    /// The same; whoever reads to the end is given these frames, which have no place in the run.
    pub(crate) fn end_with(&self, words: Option<Bytes>) {
        let mut said = self.lock();
        if matches!(said.state, State::Open) {
            said.state = State::Ended(words);
        }
        drop(said);
        self.changed.notify_waiters();
    }

    /// Says that another run's log goes on from here.
    pub(crate) fn join(&self, cursor: Cursor) {
        self.lock().state = State::Joined(cursor);
        self.changed.notify_waiters();
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> Position {
        self.lock().end
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let said = self.lock();
        let text: usize = said.events.iter().map(|entry| bytes_of(&entry.event)).sum();
        let recent: usize = said.recent.iter().map(|batch| batch.frames.len()).sum();
        recent + text + EVENT_BYTES * said.events.len()
    }

    /// Resolves at the next change after this call.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// What comes after a position. A position inside of what is now one event is read to that event's end.
    pub(crate) fn after(&self, run: &RunId, position: Position) -> Next {
        let said = self.lock();
        if position >= said.end {
            return match &said.state {
                State::Open => Next::Nothing,
                State::Joined(cursor) => Next::Joined(cursor.clone()),
                State::Ended(words) => Next::End(words.clone()),
            };
        }
        if let Ok(index) = said
            .recent
            .binary_search_by_key(&position, |batch| batch.start)
            && let Some(batch) = said.recent.get(index)
        {
            return Next::Frames(batch.frames.clone(), batch.end);
        }
        let (frames, end) = said.again(run, position);
        Next::Frames(frames, end)
    }

    /// Lets go of what went out up to there, which all readers have read. Who comes later is given events anew.
    pub(crate) fn release(&self, position: Position) {
        let mut said = self.lock();
        while said
            .recent
            .front()
            .is_some_and(|batch| batch.end <= position)
        {
            said.let_go();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    /// Keeps the last of what went out.
    fn keep(&mut self, batch: Batch) {
        self.recent_count += batch.counts;
        self.recent.push_back(batch);
        while self.recent_count > RECENT_BYTES && self.recent.len() > 1 {
            self.let_go();
        }
    }

    /// Keeps the oldest of what went out no longer.
    fn let_go(&mut self) {
        let oldest = self.recent.pop_front();
        self.recent_count -= oldest.map_or(0, |batch| batch.counts);
    }

    /// Encodes what comes after a position anew, about as much as fits into a chunk.
    fn again(&self, run: &RunId, position: Position) -> (Bytes, Position) {
        let mut frames = Vec::new();
        let mut writer = FrameWriter::new(run);
        let from = self.events.partition_point(|entry| entry.end <= position);
        for Entry { start, end, event } in self.events.iter().skip(from) {
            let Some((item_id, content_index, text)) = text_of(event) else {
                write(&mut writer, event, *end, &mut frames);
                if frames.len() >= CHUNK_BYTES {
                    return (frames.into(), *end);
                }
                continue;
            };
            // Readers stand between letters, unless somebody made their position up.
            let read = position.0.saturating_sub(start.0).min(text.len() as u64);
            let mut at = text.floor_char_boundary(usize::try_from(read).unwrap_or(usize::MAX));
            while at < text.len() {
                let to = text.ceil_char_boundary((at + CHUNK_BYTES).min(text.len()));
                let piece = TextDelta {
                    item_id,
                    content_index,
                    delta: text.get(at..to).unwrap_or_default(),
                };
                at = to;
                let end = Position(start.0 + at as u64);
                write(&mut writer, &piece.into(), end, &mut frames);
                if frames.len() >= CHUNK_BYTES {
                    return (frames.into(), end);
                }
            }
        }
        (frames.into(), self.end)
    }
}

/// What frames count of what is kept.
fn counted<'a>(events: impl IntoIterator<Item = &'a Event>, frames: &Bytes) -> usize {
    let counts = events.into_iter().map(|event| match text_of(event) {
        Some((_, _, text)) => text.len() + FRAME_BYTES,
        None => MOST_COUNTED,
    });
    counts.sum::<usize>().min(frames.len())
}

/// Encodes an event. One that cannot be written down, which would be a defect, is told of as an error.
pub(crate) fn write(writer: &mut FrameWriter, event: &Event, end: Position, out: &mut Vec<u8>) {
    if let Err(error) = writer.write(event, end, out) {
        tracing::error!(%error, "an event could not be written as JSON");
        let unwritten = Event::Error(ErrorEvent {
            code: ErrorCode::StreamError,
            message: None,
            allow_retry: true,
        });
        // This one has no part that could fail.
        let _ = writer.write(&unwritten, end, out);
    }
}

/// Adds an event to what happened before it: text to the text that it follows, and in the place of what it replaces.
fn fold(events: &mut Vec<Entry>, entry: Entry) {
    match &*entry.event {
        Event::ItemUpdated { .. } => {
            if let Some((item, part, delta)) = text_of(&entry.event)
                && let Some(last) = events.last_mut()
                && let Event::ItemUpdated { item_id, update } = &mut *last.event
                && let ItemUpdate::TextDelta {
                    content_index,
                    delta: text,
                } = update
                && (&*item_id, *content_index) == (item, part)
            {
                text.push_str(delta);
                last.end = entry.end;
                return;
            }
        }
        Event::ProgressUpdate { .. } => {
            events.retain(|before| !matches!(*before.event, Event::ProgressUpdate { .. }));
        }
        Event::ThreadUpdated { .. } => {
            events.retain(|before| !matches!(*before.event, Event::ThreadUpdated { .. }));
        }
        Event::ItemDone { item } | Event::ItemReplaced { item } => {
            let is_past = |event: &Event| {
                item_of(event) == Some(item.id()) || matches!(event, Event::ProgressUpdate { .. })
            };
            events.retain(|before| !is_past(&before.event));
        }
        // Who has seen the item needs to hear this; who has not need not hear of it before.
        Event::ItemRemoved { item_id } => {
            events.retain(|before| item_of(&before.event) != Some(item_id));
        }
        Event::ThreadCreated { .. }
        | Event::ItemAdded { .. }
        | Event::StreamOptions { .. }
        | Event::ClientEffect { .. }
        | Event::Error(_)
        | Event::Notice(_) => {}
    }
    events.push(entry);
}

/// The item that an event is about.
fn item_of(event: &Event) -> Option<&ItemId> {
    match event {
        Event::ItemAdded { item } | Event::ItemDone { item } | Event::ItemReplaced { item } => {
            Some(item.id())
        }
        Event::ItemUpdated { item_id, .. } | Event::ItemRemoved { item_id } => Some(item_id),
        _ => None,
    }
}

/// The text that an event adds: to which part of which message.
fn text_of(event: &Event) -> Option<(&ItemId, u32, &str)> {
    let Event::ItemUpdated { item_id, update } = event else {
        return None;
    };
    let ItemUpdate::TextDelta {
        content_index,
        delta,
    } = update
    else {
        return None;
    };
    Some((item_id, *content_index, delta))
}

/// About how much an event holds.
fn bytes_of(event: &Event) -> usize {
    match event {
        Event::ItemUpdated { .. } => {
            text_of(event).map_or_else(|| json::written_bytes(event), |(_, _, text)| text.len())
        }
        Event::ItemAdded { item } | Event::ItemDone { item } | Event::ItemReplaced { item } => {
            match item {
                ThreadItem::AssistantMessage(message) => {
                    message.content.iter().map(|part| part.text.len()).sum()
                }
                ThreadItem::UserMessage(message) => {
                    message.content.iter().map(|part| part.text().len()).sum()
                }
                item => json::written_bytes(item),
            }
        }
        Event::ClientEffect { .. } => json::written_bytes(event),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
