//! Whether a streamed answer is the one that was sent: every delta once, in order, and the finished
//! message the sum of them.

use std::borrow::Cow;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::token;

/// What the server under test speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Chat Completions chunks, ended by `[DONE]`: raw relays and the upstream itself.
    Chunks,
    /// `ChatKit` thread events.
    Chatkit,
}

/// One answer as it comes in.
#[derive(Debug)]
pub struct Transcript {
    format: Format,
    /// The deltas so far; the tail that is not a whole token yet is included.
    text: String,
    /// How many bytes of `text` were checked.
    checked: usize,
    tokens: u32,
    finished: bool,
}

impl Transcript {
    /// An answer of which nothing came yet.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
            checked: 0,
            tokens: 0,
            finished: false,
        }
    }

    /// How many tokens came.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Takes every complete frame from the start of `body`, and calls `on_token` with each token's send
    /// time. Returns how many frames there were.
    pub fn read(&mut self, body: &mut Vec<u8>, mut on_token: impl FnMut(u64)) -> Result<u64> {
        let mut position = 0;
        let mut frames = 0;
        while let Some((frame, length)) = frame(&body[position..]) {
            if let Some(data) = data(frame) {
                self.event(data, &mut on_token)?;
                frames += 1;
            }
            position += length;
        }
        body.drain(..position);
        Ok(frames)
    }

    /// Checks that the answer is complete and has `tokens` tokens.
    pub fn finish(&self, tokens: u32) -> Result<()> {
        ensure!(
            self.checked == self.text.len(),
            "the answer ends inside a token"
        );
        ensure!(
            self.tokens == tokens,
            "{} tokens came, {tokens} were sent",
            self.tokens
        );
        ensure!(self.finished, "the answer was not finished");
        Ok(())
    }

    fn event(&mut self, data: &[u8], on_token: &mut impl FnMut(u64)) -> Result<()> {
        match self.format {
            Format::Chunks => {
                if data == b"[DONE]" {
                    self.finished = true;
                    return Ok(());
                }
                let chunk: Chunk<'_> = serde_json::from_slice(data).context("not a chunk")?;
                let delta = chunk
                    .choices
                    .into_iter()
                    .next()
                    .and_then(|choice| choice.delta.content);
                self.delta(&delta.unwrap_or_default(), on_token)
            }
            Format::Chatkit => {
                let event: Event<'_> =
                    serde_json::from_slice(data).context("not a thread event")?;
                match (&*event.kind, event.update, event.item) {
                    ("thread.item.updated", Some(update), _) if update.kind == TEXT_DELTA => {
                        self.delta(&update.delta.unwrap_or_default(), on_token)
                    }
                    ("thread.item.done", _, Some(item)) => self.done(item),
                    ("error", _, _) => {
                        bail!("the server says: {}", event.message.unwrap_or_default())
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn delta(&mut self, delta: &str, on_token: &mut impl FnMut(u64)) -> Result<()> {
        self.text.push_str(delta);
        while let Some(text) = self
            .text
            .as_bytes()
            .get(self.checked..self.checked + token::LENGTH)
        {
            let (sent, position) = token::parse(text).context("a delta is not what was sent")?;
            ensure!(
                position == self.tokens,
                "token {position} came where {} was due",
                self.tokens
            );
            self.checked += token::LENGTH;
            self.tokens += 1;
            on_token(sent);
        }
        Ok(())
    }

    fn done(&mut self, item: &RawValue) -> Result<()> {
        let item: Item<'_> = serde_json::from_str(item.get()).context("not an item")?;
        if item.kind != "assistant_message" {
            return Ok(());
        }
        let sum: String = item.content.iter().map(|part| part.text.as_ref()).collect();
        ensure!(
            sum == self.text,
            "the finished message is not the sum of its deltas"
        );
        ensure!(!self.finished, "the message was finished twice");
        self.finished = true;
        Ok(())
    }
}

/// The first frame of `body` and its length with the blank line, if it is complete.
fn frame(body: &[u8]) -> Option<(&[u8], usize)> {
    for end in memchr::memchr_iter(b'\n', body) {
        match &body[end + 1..] {
            [b'\n', ..] => return Some((&body[..end], end + 2)),
            [b'\r', b'\n', ..] => return Some((&body[..end], end + 3)),
            _ => {}
        }
    }
    None
}

/// The value of a frame's only `data` field; comments and other fields have none.
fn data(frame: &[u8]) -> Option<&[u8]> {
    frame.split(|byte| *byte == b'\n').find_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let value = line.strip_prefix(b"data:")?;
        Some(value.strip_prefix(b" ").unwrap_or(value))
    })
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
}

const TEXT_DELTA: &str = "assistant_message.content_part.text_delta";

/// Flat instead of one variant a type: serde would copy a tagged enum before it reads it, and the client
/// must not become the limit.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    update: Option<Update<'a>>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    delta: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Vec<Part<'a>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
}

#[cfg(test)]
mod tests;
