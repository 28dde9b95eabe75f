//! The marks of Harmony, the format in which gpt-oss thinks, calls and answers, where a server leaves them in the text:
//! `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`.
//!
//! Source: "OpenAI Harmony response format" in OpenAI's cookbook.

const ROLE: &str = "<|start|>assistant";
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
/// The end of a message, of a call, and of the answer.
const ENDS: [&str; 3] = ["<|end|>", "<|call|>", "<|return|>"];

/// The channel of answers. What is in others is for nobody to read.
const FINAL: &str = "final";
const CHANNELS: [&str; 3] = ["analysis", "commentary", FINAL];

/// No header is longer than this, in bytes: it may say which tool is called, and with what.
const MAX_HEADER: usize = 256;

/// What a text begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header<'a> {
    None,
    /// What may be a header when there is more of it.
    Begun,
    /// A header, and what follows it.
    Whole {
        is_answer: bool,
        rest: &'a str,
    },
}

/// The header of a message, if the text begins with one.
pub(super) fn header(text: &str) -> Header<'_> {
    let may_begin = |mark: &str| text.starts_with(mark) || mark.starts_with(text);
    if !may_begin(CHANNEL) && !may_begin(ROLE) {
        return Header::None;
    }
    let bytes = text.as_bytes();
    let near = bytes.get(..MAX_HEADER).unwrap_or(bytes);
    let end = memchr::memmem::find(near, MESSAGE.as_bytes());
    let head = end.and_then(|at| text.get(..at)).unwrap_or(text);
    let rest = end.and_then(|at| text.get(at + MESSAGE.len()..));
    // A tool may be named before the channel, or behind it.
    let channel = head.split_once(CHANNEL).map(|(_, channel)| channel);
    match (channel, rest) {
        (Some(channel), Some(rest)) if CHANNELS.iter().any(|name| channel.starts_with(name)) => {
            let is_answer = channel.starts_with(FINAL);
            Header::Whole { is_answer, rest }
        }
        (_, Some(_)) => Header::None,
        (_, None) if text.len() > MAX_HEADER => Header::None,
        (Some(channel), None) => {
            let may_be = |name: &str| channel.starts_with(name) || name.starts_with(channel);
            if CHANNELS.into_iter().any(may_be) {
                Header::Begun
            } else {
                Header::None
            }
        }
        (None, None) => Header::Begun,
    }
}

/// The thought that a message begins with, and what follows it where it is over. What may be the beginning of its end is
/// no part of it.
pub(super) fn thought(text: &str) -> (&str, Option<&str>) {
    for (at, _) in text.match_indices('<') {
        let (thought, here) = text.split_at(at);
        if let Some(rest) = ENDS.iter().find_map(|end| here.strip_prefix(end)) {
            return (thought, Some(rest));
        }
        match header(here) {
            // Its end was forgotten.
            Header::Whole { .. } => return (thought, Some(here)),
            Header::Begun => return (thought, None),
            Header::None if ENDS.iter().any(|end| end.starts_with(here)) => return (thought, None),
            Header::None => {}
        }
    }
    (text, None)
}

/// The answer that a message is, without what may be the mark at its end. It is the last message: a mark that something
/// follows is what the answer is about.
pub(super) fn answer(text: &str) -> &str {
    let is_end = |here: &str| {
        ENDS.iter().any(|end| {
            let after = here.strip_prefix(end);
            end.starts_with(here) || after.is_some_and(|after| after.trim_start().is_empty())
        })
    };
    let mut places = text.match_indices('<').map(|(at, _)| text.split_at(at));
    let end = places.find(|(_, here)| is_end(here));
    end.map_or(text, |(answer, _)| answer)
}

/// Whether a text that goes no further begins with a mark, and so is for nobody to read.
pub(super) fn is_mark(text: &str) -> bool {
    let begin = ["<|start|>", CHANNEL];
    begin.iter().chain(&ENDS).any(|mark| text.starts_with(mark))
}
