//! `<think>…</think>` at the head of an answer: models put their reasoning into the text where nothing takes it out.

use std::collections::VecDeque;

use engine::ports::ModelEvent;

/// How reasoning begins and how it ends. Those in lower case count in any case. Words that somebody may begin a sentence
/// about are none: an answer would be taken for a thought.
const TAGS: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<seed:think>", "</seed:think>"), // Seed-OSS
    ("[THINK]", "[/THINK]"),           // Magistral
    ("◁think▷", "◁/think▷"),           // Kimi
];

/// Tells the reasoning at the head of an answer from the answer.
#[derive(Debug)]
pub(super) struct Splitter(State);

#[derive(Debug)]
enum State {
    /// All that came so far could be the beginning of a tag. `is_behind` reasoning: blank lines are no part of the
    /// answer there.
    Head {
        text: String,
        is_behind: bool,
    },
    /// Within reasoning; what could be the beginning of its end waits.
    Inside {
        end: &'static str,
        waiting: String,
    },
    /// Nothing was thought so far, and it may turn out that all of it was: chat templates begin a thought in the question,
    /// and then the answer has its end alone. What could be the beginning of that waits.
    Unsure {
        waiting: String,
        is_line_start: bool,
    },
    Answer,
}

/// The one end of a thought that models are known to write without its beginning.
const LONE_END: &str = "</think>";

impl Default for Splitter {
    fn default() -> Self {
        Self(State::Head {
            text: String::new(),
            is_behind: false,
        })
    }
}

impl Splitter {
    /// More text of the model; what it is goes to the end of `events`.
    pub(super) fn push(&mut self, text: String, events: &mut VecDeque<ModelEvent>) {
        match &mut self.0 {
            State::Head {
                text: head,
                is_behind,
            } => {
                head.push_str(&text);
                let begun = head.trim_start();
                if let Some((begin, end)) = TAGS.iter().find(|(begin, _)| begins(begun, begin)) {
                    let rest = begun.get(begin.len()..).unwrap_or_default().to_owned();
                    self.0 = State::Inside {
                        end,
                        waiting: String::new(),
                    };
                    self.push(rest, events);
                } else if let Some((_, end)) = TAGS.iter().find(|(_, end)| begins(begun, end)) {
                    // Its reasoning came in a field of its own.
                    let rest = begun.get(end.len()..).unwrap_or_default().to_owned();
                    self.0 = behind();
                    self.push(rest, events);
                } else if !TAGS
                    .iter()
                    .any(|(begin, end)| begins(begin, begun) || begins(end, begun))
                {
                    let (state, text) = if *is_behind {
                        (State::Answer, begun.to_owned())
                    } else {
                        (unsure(), std::mem::take(head))
                    };
                    self.0 = state;
                    self.push(text, events);
                }
            }
            State::Inside { end, waiting } => {
                waiting.push_str(&text);
                if let Some((reasoning, rest)) = split_once(waiting, end) {
                    let (reasoning, rest) = (reasoning.to_owned(), rest.to_owned());
                    self.0 = behind();
                    tell_reasoning(reasoning, events);
                    self.push(rest, events);
                } else {
                    let text = split_begun(waiting, &[*end]);
                    tell_reasoning(text, events);
                }
            }
            State::Unsure {
                waiting,
                is_line_start,
            } => {
                // Nearly every piece has nothing of it.
                if waiting.is_empty() && memchr::memchr(b'<', text.as_bytes()).is_none() {
                    return tell_text(text, is_line_start, events);
                }
                waiting.push_str(&text);
                let begins_line = |at: &usize| match *at {
                    0 => *is_line_start,
                    at => waiting.as_bytes().get(at - 1) == Some(&b'\n'),
                };
                let mut places = waiting.match_indices(LONE_END).map(|(at, _)| at);
                let end = places.find(begins_line);
                if waiting.contains("<think>") {
                    // Somebody explains the tags.
                    let text = std::mem::take(waiting);
                    self.0 = State::Answer;
                    self.push(text, events);
                } else if let Some(at) = end {
                    let mut text = std::mem::take(waiting);
                    let rest = text.split_off(at).split_off(LONE_END.len());
                    tell_text(text, is_line_start, events);
                    events.push_back(ModelEvent::ThoughtEnd(LONE_END));
                    self.0 = behind();
                    self.push(rest, events);
                } else {
                    let text = split_begun(waiting, &[LONE_END, "<think>"]);
                    tell_text(text, is_line_start, events);
                }
            }
            State::Answer => {
                if !text.is_empty() {
                    events.push_back(ModelEvent::TextDelta(text));
                }
            }
        }
    }

    /// The answer has ended: what waited was no tag.
    pub(super) fn finish(&mut self, events: &mut VecDeque<ModelEvent>) {
        match std::mem::replace(&mut self.0, State::Answer) {
            State::Head { text, is_behind } if is_behind => {
                self.push(text.trim_start().to_owned(), events);
            }
            State::Head { text, .. } => self.push(text, events),
            State::Inside { waiting, .. } => tell_reasoning(waiting, events),
            State::Unsure { waiting, .. } => self.push(waiting, events),
            State::Answer => {}
        }
    }
}

/// Where reasoning is over, and more of it or the answer may follow.
fn behind() -> State {
    State::Head {
        text: String::new(),
        is_behind: true,
    }
}

/// Where the answer has begun, or a thought whose beginning nobody has told.
fn unsure() -> State {
    State::Unsure {
        waiting: String::new(),
        is_line_start: false,
    }
}

fn tell_text(text: String, is_line_start: &mut bool, events: &mut VecDeque<ModelEvent>) {
    if !text.is_empty() {
        *is_line_start = text.ends_with('\n');
        events.push_back(ModelEvent::TextDelta(text));
    }
}

/// Whether `text` begins with `start`, in any case where `start` or `text` is a tag in lower case.
fn begins(text: &str, start: &str) -> bool {
    let head = text.as_bytes().get(..start.len());
    head.is_some_and(|head| is_same(head, start.as_bytes()))
}

fn is_same(text: &[u8], tag: &[u8]) -> bool {
    text == tag || (!tag.starts_with(b"[") && text.eq_ignore_ascii_case(tag))
}

/// Takes the text out of `waiting`, and leaves there what may be the beginning of one of these tags.
fn split_begun(waiting: &mut String, tags: &[&str]) -> String {
    let begun = |tag: &str| {
        let mut lengths = (1..tag.len()).rev();
        lengths.find(|length| tag.get(..*length).is_some_and(|begun| ends(waiting, begun)))
    };
    let kept = tags.iter().filter_map(|tag| begun(tag)).max().unwrap_or(0);
    let tail = waiting.split_off(waiting.len() - kept);
    std::mem::replace(waiting, tail)
}

/// Whether `text` ends with `end`, whatever their case.
fn ends(text: &str, end: &str) -> bool {
    let start = text.len().checked_sub(end.len());
    start.is_some_and(|start| {
        text.as_bytes()
            .get(start..)
            .is_some_and(|tail| is_same(tail, end.as_bytes()))
    })
}

/// The text before and after a tag, whatever its case.
fn split_once<'a>(text: &'a str, tag: &str) -> Option<(&'a str, &'a str)> {
    let at = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| text.get(*at..).is_some_and(|rest| begins(rest, tag)))?;
    Some((text.get(..at)?, text.get(at + tag.len()..)?))
}

fn tell_reasoning(text: String, events: &mut VecDeque<ModelEvent>) {
    if !text.is_empty() {
        events.push_back(ModelEvent::ReasoningDelta(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer and the reasoning of a text that comes in pieces of `size` characters.
    fn split(text: &str, size: usize) -> (String, String) {
        let (mut splitter, mut events) = (Splitter::default(), VecDeque::new());
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(size) {
            splitter.push(piece.iter().collect(), &mut events);
        }
        splitter.finish(&mut events);
        let (mut answer, mut reasoning) = (String::new(), String::new());
        for event in events {
            match event {
                ModelEvent::TextDelta(text) => answer.push_str(&text),
                ModelEvent::ThoughtEnd(_) => reasoning.push_str(&std::mem::take(&mut answer)),
                ModelEvent::ReasoningDelta(text) => reasoning.push_str(&text),
                other => unreachable!("{other:?}"),
            }
        }
        (answer, reasoning)
    }

    #[test]
    fn only_a_block_at_the_head_is_reasoning() {
        for (text, answer, reasoning) in [
            ("Hello", "Hello", ""),
            ("", "", ""),
            ("<think>hm</think>\n\nHello", "Hello", "hm"),
            (
                "\n<think>\nhm </thin k>\n</think>Hello",
                "Hello",
                "\nhm </thin k>\n",
            ),
            ("<thinking>hm</think></thinking> Hi", "Hi", "hm</think>"),
            ("<think>never closed", "", "never closed"),
            ("<think></think>Hello", "Hello", ""),
            ("<think>a</think>\n<think>b</think>\nHello", "Hello", "ab"),
            ("</think>\n\nHello", "Hello", ""),
            ("<THINK>hm</Think>Hello", "Hello", "hm"),
            ("[THINK]hm[/THINK]Hello", "Hello", "hm"),
            ("◁think▷hm ◁/ x◁/think▷Hello", "Hello", "hm ◁/ x"),
            ("[think] of it as a box", "[think] of it as a box", ""),
            ("<thought>s fly", "<thought>s fly", ""),
            ("[this](https://x.example)", "[this](https://x.example)", ""),
            ("</p> is a tag", "</p> is a tag", ""),
            ("Hm.\nSo.\n</think>\n\nHello", "Hello", "Hm.\nSo.\n"),
            (
                "Hm <b>.\n\n</thin\n</think>Hello</think>",
                "Hello</think>",
                "Hm <b>.\n\n</thin\n",
            ),
            ("The tag </think> ends it", "The tag </think> ends it", ""),
            (
                "From <think> to\n</think>: a thought",
                "From <think> to\n</think>: a thought",
                "",
            ),
            ("Never\n</thin", "Never\n</thin", ""),
            ("<thi", "<thi", ""),
            ("<thin ice>", "<thin ice>", ""),
            ("Use <think>x</think> here", "Use <think>x</think> here", ""),
            ("  Hello", "  Hello", ""),
        ] {
            for size in [1, 2, 3, 7, 100] {
                let expected = (answer.to_owned(), reasoning.to_owned());
                assert_eq!(split(text, size), expected, "{text:?} by {size}");
            }
        }
    }
}
