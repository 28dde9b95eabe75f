//! A stream of events in the form that the library reads, each message in it mended before.
//!
//! The format is the WHATWG HTML standard's section 9.2.6, like [`crate::sse`]'s; here the ids of events and how long to
//! wait before asking again are wanted, too, and an event that is too long costs itself and not the stream.

use std::{collections::VecDeque, pin::Pin};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::Response;
use rmcp::{
    model::RequestId,
    transport::{common::client_side_sse::BoxedSseResponse, streamable_http_client::SseError},
};

use crate::{mcp::message, sse::BYTE_ORDER_MARK};

/// An event as the library has it.
type Item = <BoxedSseResponse as Stream>::Item;
type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// A stream that is read.
pub(super) struct Events {
    body: Body,
    lines: Lines,
    /// Which request it answers.
    id: Option<RequestId>,
    ready: VecDeque<Item>,
    is_over: bool,
}

impl Events {
    /// The events of a body, each of at most `most` bytes.
    pub(super) fn of(response: Response, most: usize, id: Option<RequestId>) -> BoxedSseResponse {
        let events = Self {
            body: Box::pin(response.bytes_stream()),
            lines: Lines::new(most),
            id,
            ready: VecDeque::new(),
            is_over: false,
        };
        let next = |mut events: Self| async { Some((events.next().await?, events)) };
        Box::pin(stream::unfold(events, next))
    }

    async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.is_over {
                return None;
            }
            let mut found = Vec::new();
            match self.body.next().await {
                Some(Ok(piece)) => self.lines.feed(&piece, &mut found),
                Some(Err(error)) => {
                    self.is_over = true;
                    return Some(Err(SseError::Body(error.into())));
                }
                // The last event may lack its empty line.
                None => {
                    self.is_over = true;
                    self.lines.feed(b"\n\n", &mut found);
                }
            }
            for event in &found {
                self.pass_on(event);
            }
        }
    }

    fn pass_on(&mut self, event: &Event) {
        let is_message = matches!(&*event.name, b"" | b"message");
        let mut messages: Vec<Option<String>> = match (&event.data, &self.id) {
            (Data::TooLong, Some(id)) => vec![Some(message::too_large(id))],
            (Data::Bytes(data), id) if is_message => message::rewritten(data, id.as_ref())
                .iter()
                .map(|text| Some(String::from_utf8_lossy(text).into_owned()))
                .collect(),
            _ => Vec::new(),
        };
        if messages.is_empty() {
            // What it says of the stream counts all the same.
            messages.push(None);
        }
        for message in messages {
            let mut item: Item = Ok(blank());
            if let Ok(told) = &mut item {
                told.data = message;
                told.id.clone_from(&event.id);
                told.retry = event.retry;
            }
            self.ready.push_back(item);
        }
    }
}

/// An event that says nothing. The library does not export its type, so that it is named by what it is used for.
fn blank<T: Default>() -> T {
    T::default()
}

/// An event as it came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: Vec<u8>,
    data: Data,
    id: Option<String>,
    retry: Option<u64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Data {
    #[default]
    None,
    Bytes(Vec<u8>),
    TooLong,
}

/// Takes a stream apart.
#[derive(Debug)]
struct Lines {
    most: usize,
    line: Vec<u8>,
    event: Event,
    /// How much of the event is kept.
    kept: usize,
    is_after_carriage_return: bool,
    is_first: bool,
}

impl Lines {
    fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            event: Event::default(),
            kept: 0,
            is_after_carriage_return: false,
            is_first: true,
        }
    }

    fn feed(&mut self, mut piece: &[u8], found: &mut Vec<Event>) {
        if self.is_after_carriage_return && !piece.is_empty() {
            self.is_after_carriage_return = false;
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        }
        while let Some(length) = memchr::memchr2(b'\n', b'\r', piece) {
            let (line, end) = piece.split_at(length);
            piece = match end {
                [b'\r'] => {
                    self.is_after_carriage_return = true;
                    &[]
                }
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => &[],
            };
            self.grow(line);
            let line = std::mem::take(&mut self.line);
            self.read(&line, found);
        }
        self.grow(piece);
    }

    /// Keeps a part of a line, where there is room for it.
    fn grow(&mut self, part: &[u8]) {
        if self.event.data == Data::TooLong {
            // Whether a line is empty is still of interest: that ends the event.
            if self.line.is_empty() {
                self.line
                    .extend_from_slice(part.get(..1).unwrap_or_default());
            }
        } else if self.kept + self.line.len() + part.len() > self.most {
            self.event.data = Data::TooLong;
            self.line.truncate(1);
            self.line.shrink_to_fit();
            self.grow(part);
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn read(&mut self, line: &[u8], found: &mut Vec<Event>) {
        let line = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(line) if self.is_first => line,
            _ => line,
        };
        self.is_first = false;
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            self.kept = 0;
            if event != Event::default() {
                found.push(event);
            }
            return;
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (name, value) = line.split_at(colon);
                let value = value.strip_prefix(b":").unwrap_or(value);
                (name, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        let event = &mut self.event;
        match (name, &mut event.data) {
            (_, Data::TooLong) => return,
            (b"data", Data::Bytes(data)) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            (b"data", data @ Data::None) => *data = Data::Bytes(value.to_vec()),
            (b"event", _) => value.clone_into(&mut event.name),
            (b"id", _) if !value.contains(&0) => {
                event.id = std::str::from_utf8(value).ok().map(str::to_owned);
            }
            (b"retry", _) => {
                let value = std::str::from_utf8(value).ok();
                event.retry = value.and_then(|value| value.trim().parse().ok());
            }
            // A comment, or nothing that is known.
            _ => return,
        }
        self.kept += line.len() + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(most: usize, text: &[u8], size: usize) -> Vec<Event> {
        let mut lines = Lines::new(most);
        let mut found = Vec::new();
        for piece in text.chunks(size.max(1)) {
            lines.feed(piece, &mut found);
        }
        lines.feed(b"\n\n", &mut found);
        found
    }

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.into(),
            data: Data::Bytes(data.into()),
            ..Event::default()
        }
    }

    #[test]
    fn events_are_found_however_their_lines_end_and_wherever_they_are_cut() {
        let text = "\u{feff}: hi\n\nid: 1\nretry: 1000\ndata:\n\nevent: ping\ndata: {}\n\nfoo: bar\nfoo\nretry: soon\n\
                    event:message\ndata:a\ndata: b\n\nid: 2\n\ndata: last";
        for ends in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', ends);
            for size in [1, 2, 3, 7, 1_000] {
                let found = events(1_000, text.as_bytes(), size);
                let first = Event {
                    id: Some("1".to_owned()),
                    retry: Some(1_000),
                    ..event("", "")
                };
                let second = Event {
                    id: Some("2".to_owned()),
                    ..Event::default()
                };
                let expected = [
                    first,
                    event("ping", "{}"),
                    event("message", "a\nb"),
                    second,
                    event("", "last"),
                ];
                assert_eq!(found, expected, "{ends:?} {size}");
            }
        }
    }

    #[test]
    fn what_is_too_long_costs_itself_only() {
        let long = "x".repeat(200);
        let lines = "data: xxxxxxxxx\n".repeat(20);
        for text in [
            format!("data: {long}\n\ndata: b\n\n"),
            format!("{lines}\ndata: b\n\n"),
            format!("id: 1\ndata: a\ndata: {long}\nretry: 1\n\ndata: b\n\n"),
        ] {
            for size in [1, 7, 1_000] {
                let found = events(100, text.as_bytes(), size);
                assert_eq!(found.len(), 2, "{found:?}");
                assert_eq!(
                    (&found[0].data, &found[1]),
                    (&Data::TooLong, &event("", "b"))
                );
            }
        }
        // A comment is nothing that is kept, however many there are.
        let text = format!("{}data: b\n\n", ": still there\n".repeat(50));
        assert_eq!(events(100, text.as_bytes(), 7), [event("", "b")]);
    }

    proptest! {
        #[test]
        fn no_stream_keeps_more_than_it_may(text in "(data|id|event|: |[a-z\n\r:]){0,400}", size in 1_usize..50) {
            let mut lines = Lines::new(50);
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                lines.feed(piece, &mut found);
                let data = match &lines.event.data {
                    Data::Bytes(data) => data.len(),
                    Data::None | Data::TooLong => 0,
                };
                prop_assert!(lines.line.len() + data <= 50);
            }
        }
    }
}
