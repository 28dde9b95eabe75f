//! A stream of events in the form that the library reads, each message in it mended before.
//!
//! The format is the WHATWG HTML standard's section 9.2.6, like [`crate::sse`]'s; here the ids of events and how long to
//! wait before asking again are wanted, too, and an event that is too long costs itself and not the stream.
//!
//! The library takes the first answer of a stream for the one that it waits for. So what may be one and does not say so,
//! a sign of life for example, is kept until the stream ends without another.

use std::{collections::VecDeque, pin::Pin};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::Response;
use rmcp::transport::{
    common::client_side_sse::BoxedSseResponse, streamable_http_client::SseError,
};

use crate::{
    mcp::message::{self, Question},
    sse::BYTE_ORDER_MARK,
};

/// An event as the library has it.
type Item = <BoxedSseResponse as Stream>::Item;
type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// A stream that is read.
pub(super) struct Events {
    body: Body,
    lines: Lines,
    /// What it answers.
    question: Question,
    ready: VecDeque<Item>,
    /// What is said where the stream ends without an answer.
    kept: Option<Kept>,
    /// Whether the rest of it can be asked for again.
    is_resumable: bool,
    is_over: bool,
}

/// What may be the answer.
enum Kept {
    /// What does not say what it answers.
    Unaddressed(String),
    TooLong,
}

impl Events {
    /// The events of a body, each of at most `most` bytes.
    pub(super) fn of(response: Response, most: usize, question: Question) -> BoxedSseResponse {
        let events = Self {
            body: Box::pin(response.bytes_stream()),
            lines: Lines::new(most),
            question,
            ready: VecDeque::new(),
            kept: None,
            is_resumable: false,
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
            let mut broken = None;
            match self.body.next().await {
                Some(Ok(piece)) => self.lines.feed(&piece, &mut found),
                Some(Err(error)) => {
                    self.is_over = true;
                    broken = Some(error);
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
            if !self.is_over {
                continue;
            }
            if let Some(message) = self.last_resort() {
                self.ready.push_back(item(Some(message), &Event::default()));
            } else if let Some(error) = broken {
                return Some(Err(SseError::Body(error.into())));
            }
        }
    }

    /// What answers where the stream has ended and nothing else did.
    fn last_resort(&mut self) -> Option<String> {
        match self.kept.take()? {
            Kept::TooLong => self.question.id.as_ref().map(message::too_large),
            // The answer may be in the rest.
            Kept::Unaddressed(_) if self.is_resumable => None,
            Kept::Unaddressed(message) => Some(message),
        }
    }

    fn pass_on(&mut self, event: &Event) {
        let is_message = match &event.data {
            // Some give the event a name of their own.
            Data::Bytes(data) if !matches!(&*event.name, b"" | b"message") => {
                memchr::memmem::find(data, b"\"jsonrpc\"").is_some()
            }
            Data::None | Data::Bytes(_) => true,
            Data::TooLong => matches!(&*event.name, b"" | b"message"),
        };
        let mut messages = Vec::new();
        match &event.data {
            Data::Bytes(data) if is_message => {
                let passed = message::rewritten(data, &self.question);
                let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
                messages.extend(passed.messages.iter().map(|message| Some(text(message))));
                if let Some(message) = &passed.unaddressed {
                    self.kept = Some(Kept::Unaddressed(text(message)));
                }
            }
            // It may have been anything; only the end of the stream shows that it was the answer.
            Data::TooLong if is_message => self.kept = Some(Kept::TooLong),
            Data::None | Data::Bytes(_) | Data::TooLong => {}
        }
        self.is_resumable |= event.id.is_some();
        if messages.is_empty() {
            // What it says of the stream counts all the same.
            messages.push(None);
        }
        let items = messages.into_iter().map(|message| item(message, event));
        self.ready.extend(items);
    }
}

/// An event as the library has it.
fn item(message: Option<String>, event: &Event) -> Item {
    let mut item: Item = Ok(blank());
    if let Ok(told) = &mut item {
        told.data = message;
        told.id.clone_from(&event.id);
        told.retry = event.retry;
    }
    item
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
        let is_comment = self.line.first().or(part.first()) == Some(&b':');
        if is_comment || self.event.data == Data::TooLong {
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
        let (name, value) = match (memchr::memchr(b':', line), line) {
            // No field begins so: it is a document that is no event, or that has its lines one below the other.
            (_, [b' ' | b'\t' | b'"' | b'{' | b'}' | b'[' | b']', ..]) => (&b"data"[..], line),
            (Some(colon), _) => {
                let (name, value) = line.split_at(colon);
                let value = value.strip_prefix(b":").unwrap_or(value);
                (name, value.strip_prefix(b" ").unwrap_or(value))
            }
            (None, _) => (line, &[][..]),
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
        // Nor is a long one.
        for size in [1, 7, 1_000] {
            let text = format!(": {long}\ndata: b\n:{long}\r\n\r\n: {long}\n\ndata: c\n\n");
            let found = events(100, text.as_bytes(), size);
            assert_eq!(found, [event("", "b"), event("", "c")], "{size}");
        }
    }

    /// What the library is told of a stream with these pieces, the last of which may be a break.
    async fn told(pieces: &[&str], is_broken: bool) -> Vec<String> {
        let pieces = pieces.iter().map(|piece| Ok((*piece).to_owned()));
        let mut pieces: Vec<std::io::Result<String>> = pieces.collect();
        if is_broken {
            pieces.push(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        let body = reqwest::Body::wrap_stream(stream::iter(pieces));
        let response = Response::from(axum::http::Response::new(body));
        let question = Question {
            id: Some(rmcp::model::RequestId::Number(7)),
            ..Question::default()
        };
        let items = Events::of(response, 200, question)
            .collect::<Vec<_>>()
            .await;
        let items = items.into_iter();
        let told = items.map(|item| item.map_or(Some("broken".to_owned()), |item| item.data));
        told.flatten().collect()
    }

    #[tokio::test]
    async fn what_may_be_the_answer_is_it_where_the_stream_ends_without_another() {
        let right = r#"{"jsonrpc":"2.0","id":7,"result":{"a":1}}"#;
        let alive = "data: {\"result\":\"alive\"}\n\n";
        let broken = "data: {\"id\":null,\"error\":{\"code\":1,\"message\":\"a\"}}\n\n";
        let long = format!("data: {}\n\n", "x".repeat(300));
        let answer = format!("data: {right}\n\n");
        for (said, is_broken, expected) in [
            // It stays the last thing, so that what comes before it is read.
            (
                vec![alive, broken, &long, &answer],
                false,
                vec![right, "too large"],
            ),
            (
                vec![alive],
                false,
                vec![r#"{"jsonrpc":"2.0","id":7,"result":"alive"}"#],
            ),
            (
                vec![alive],
                true,
                vec![r#"{"jsonrpc":"2.0","id":7,"result":"alive"}"#],
            ),
            (
                vec![alive, broken],
                false,
                vec![r#""id":7,"error":{"code":1,"message":"a"}"#],
            ),
            (vec![alive, &long], false, vec!["too large"]),
            (vec![&long, alive], false, vec!["alive"]),
            (vec!["event: ping\n", &long], false, vec![]),
            // The rest may still come.
            (vec!["id: 1\n", alive], false, vec![]),
            (vec!["id: 1\n", alive], true, vec!["broken"]),
            (vec![], true, vec!["broken"]),
            // The number of another question.
            (
                vec!["data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1}}\n\n"],
                false,
                vec![right],
            ),
        ] {
            let told = told(&said, is_broken).await;
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            assert_eq!(told.len(), expected.len(), "{told:?}, not {expected:?}");
            for (told, expected) in told.iter().zip(expected) {
                assert!(told.contains(expected), "{told}, not {expected}");
            }
        }
    }

    #[tokio::test]
    async fn a_message_is_read_whatever_its_event_is_called_and_without_one() {
        let right = r#"{"jsonrpc":"2.0","id":7,"result":{"a":1}}"#;
        let pretty =
            "{\n  \"jsonrpc\": \"2.0\",\n  \"id\": 7,\n  \"result\": {\n    \"a\": 1\n  }\n}\n";
        for said in [
            format!("event: response\ndata: {right}\n\n"),
            right.to_owned(),
            format!("{right}\n\n"),
            pretty.to_owned(),
            format!("data: {pretty}\n"),
            format!("event: ping\ndata: {{}}\n\n: hello\n\nevent: result\ndata: {right}"),
        ] {
            let told = told(&[&said], false).await;
            let [told] = &told[..] else {
                panic!("{said}: {told:?}")
            };
            let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(same(told), same(right), "{said}");
        }
        for said in [
            "event: error\ndata: {\"message\":\"a\"}\n\n",
            "event: ping\ndata: {}\n\n",
        ] {
            assert_eq!(told(&[said], false).await, [""; 0], "{said}");
        }
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
