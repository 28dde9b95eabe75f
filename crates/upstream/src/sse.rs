//! Server-sent events: bytes in, events out; no I/O.
//!
//! The format is the WHATWG HTML standard's section 9.2.6, "Interpreting an event stream". Two
//! things are wanted from it here: [`EventParser`] for reading a provider's answer, and
//! [`FrameSplitter`] for passing one on unread but never cut inside a frame.
//!
//! The parser copies nothing while a whole event lies within one chunk, which is how providers
//! send tokens; only what a chunk cuts in two is kept until the next one.

use bytes::{Bytes, BytesMut};

/// Buffers that grew beyond this for one large event are given back afterwards.
const KEEP_BYTES: usize = 16 * 1024;
/// U+FEFF in UTF-8, which a stream may begin with.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event, borrowed from the chunk that completed it wherever possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; empty where the stream named none, which means `message`.
    pub name: &'a [u8],
    /// The `data` lines, joined by line feeds. Not checked to be UTF-8: the JSON parser does that.
    pub data: &'a [u8],
}

/// An event is longer than the parser's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server-sent event is longer than {limit} bytes")]
pub struct TooLong {
    /// The limit in bytes.
    pub limit: usize,
}

/// Turns chunks of an event stream into events, wherever the chunks are cut.
///
/// The fields `id` and `retry` are read over: nothing here reconnects. An event that is not
/// finished by an empty line is dropped at the end of the stream, as the standard says.
#[derive(Debug)]
pub struct EventParser {
    /// A line that the last chunk left unfinished.
    line: Vec<u8>,
    /// Data lines of the unfinished event that came in earlier chunks or in several lines.
    data: Vec<u8>,
    has_data: bool,
    name: Vec<u8>,
    /// The last chunk ended with a carriage return; a line feed that follows belongs to it.
    is_after_carriage_return: bool,
    /// How much of a byte order mark has been seen; `None` once the start is behind us.
    mark: Option<usize>,
    limit: usize,
}

impl EventParser {
    /// A parser for one stream whose events hold at most `limit` bytes of lines.
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            name: Vec::new(),
            is_after_carriage_return: false,
            mark: Some(0),
            limit,
        }
    }

    /// Reads a chunk and hands every event that it completes to `on_event`, in order.
    ///
    /// Stops at the first error of `on_event`; the parser is of no use after any error.
    pub fn feed<E: From<TooLong>>(
        &mut self,
        chunk: &[u8],
        mut on_event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = self.skip_byte_order_mark(chunk);
        // Borrowed parts of the event at hand; moved into `self` when the chunk ends before it does.
        let mut data: Option<&[u8]> = None;
        let mut name: Option<&[u8]> = None;
        if self.is_after_carriage_return && !rest.is_empty() {
            self.is_after_carriage_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (line, ending) = rest.split_at(end);
            rest = match ending {
                [b'\r'] => {
                    self.is_after_carriage_return = true;
                    &[]
                }
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => &[],
            };
            if !self.line.is_empty() {
                // The line began in an earlier chunk, so its parts must be copied anyway.
                self.grow_line(line)?;
                let line = std::mem::take(&mut self.line);
                if let Some(value) = field(&line, b"data") {
                    self.push_data(value)?;
                } else if let Some(value) = field(&line, b"event") {
                    value.clone_into(&mut self.name);
                }
                self.line = line;
                self.line.clear();
            } else if line.is_empty() {
                if self.has_data {
                    let event = Event {
                        name: name.take().unwrap_or(&self.name),
                        data: &self.data,
                    };
                    on_event(event)?;
                } else if let Some(data) = data.take() {
                    let event = Event {
                        name: name.take().unwrap_or(&self.name),
                        data,
                    };
                    on_event(event)?;
                }
                // An event without data is none (and its name does not last).
                name = None;
                self.reset_event();
            } else if let Some(value) = field(line, b"data") {
                if value.len() > self.limit {
                    return Err(TooLong { limit: self.limit }.into());
                }
                if let Some(first) = data.take() {
                    self.push_data(first)?;
                }
                if self.has_data {
                    self.push_data(value)?;
                } else {
                    data = Some(value);
                }
            } else if let Some(value) = field(line, b"event") {
                name = Some(value);
            }
        }
        if let Some(data) = data {
            self.push_data(data)?;
        }
        if let Some(name) = name {
            if name.len() > self.limit {
                return Err(TooLong { limit: self.limit }.into());
            }
            name.clone_into(&mut self.name);
        }
        self.grow_line(rest)?;
        Ok(())
    }

    fn skip_byte_order_mark<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let Some(seen) = self.mark else { return chunk };
        let left = BYTE_ORDER_MARK.get(seen..).unwrap_or_default();
        let matching = left.iter().zip(chunk).take_while(|(a, b)| a == b).count();
        if matching == left.len() {
            self.mark = None;
        } else if matching == chunk.len() {
            self.mark = Some(seen + matching);
        } else {
            // No mark after all: what looked like one is the start of the first line.
            self.mark = None;
            let start = BYTE_ORDER_MARK.get(..seen).unwrap_or_default();
            self.line.extend_from_slice(start);
            return chunk;
        }
        chunk.get(matching..).unwrap_or_default()
    }

    fn grow_line(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + part.len() > self.limit {
            return Err(TooLong { limit: self.limit });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn push_data(&mut self, value: &[u8]) -> Result<(), TooLong> {
        if self.data.len() + value.len() > self.limit {
            return Err(TooLong { limit: self.limit });
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
        Ok(())
    }

    fn reset_event(&mut self) {
        self.data.clear();
        self.data.shrink_to(KEEP_BYTES);
        self.line.shrink_to(KEEP_BYTES);
        self.name.clear();
        self.has_data = false;
    }
}

/// The value of a line if it is of this field: after the colon and one space, if there is one.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

/// Cuts a stream between frames only, without looking inside them.
///
/// Chunks that end with a frame, as they nearly always do, pass through uncopied.
#[derive(Debug)]
pub struct FrameSplitter {
    carry: BytesMut,
    limit: usize,
}

impl FrameSplitter {
    /// A splitter that holds back at most `limit` bytes of an unfinished frame.
    pub fn new(limit: usize) -> Self {
        Self {
            carry: BytesMut::new(),
            limit,
        }
    }

    /// Takes a chunk; gives back all frames that are whole now, if there are any.
    pub fn push(&mut self, chunk: Bytes) -> Result<Option<Bytes>, TooLong> {
        if self.carry.is_empty() && frames_end(&chunk) == chunk.len() {
            return Ok((!chunk.is_empty()).then_some(chunk));
        }
        self.carry.extend_from_slice(&chunk);
        let end = frames_end(&self.carry);
        let whole = (end > 0).then(|| self.carry.split_to(end).freeze());
        if self.carry.len() > self.limit {
            return Err(TooLong { limit: self.limit });
        }
        Ok(whole)
    }

    /// What is left at the end of the stream: an unfinished frame, or nothing.
    pub fn take_rest(&mut self) -> Bytes {
        self.carry.split().freeze()
    }
}

/// Where the last whole frame ends, 0 for nowhere.
fn frames_end(bytes: &[u8]) -> usize {
    if bytes.ends_with(b"\n\n") {
        return bytes.len();
    }
    [&b"\n\n"[..], b"\r\n\r\n", b"\n\r\n", b"\r\r"]
        .into_iter()
        .filter_map(|ending| Some(memchr::memmem::rfind(bytes, ending)? + ending.len()))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
