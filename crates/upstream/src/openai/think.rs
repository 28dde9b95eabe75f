//! `<think>…</think>` at the head of an answer: models put their reasoning into the text where nothing takes it out.

use std::collections::VecDeque;

use engine::ports::ModelEvent;

use super::{
    harmony::{self, Header},
    template::Unmarked,
};

/// How reasoning begins and how it ends. Those in lower case count in any case.
const TAGS: [(&str, &str); 7] = [
    ("<think>", "</think>"),
    ("<seed:think>", "</seed:think>"), // Seed-OSS
    ("[THINK]", "[/THINK]"),           // Magistral
    ("◁think▷", "◁/think▷"),           // Kimi
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"), // Gemini
    ("<reasoning>", "</reasoning>"),
];
/// Those that an answer may begin with, too: where they are not closed, all of it is the answer.
const WORDS: [&str; 3] = ["<thinking>", "<thought>", "<reasoning>"];

/// Tells the reasoning at the head of an answer from the answer.
#[derive(Debug)]
pub(super) struct Splitter {
    state: State,
    answer: Unmarked,
}

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
        /// All of it with its tag, where it may turn out to be the answer.
        kept: Option<String>,
    },
    /// Within a message of Harmony, of which nothing but the last one `is_answer`. What could be the beginning of its end
    /// waits.
    Harmony {
        is_answer: bool,
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
        Self {
            state: State::Head {
                text: String::new(),
                is_behind: false,
            },
            answer: Unmarked::default(),
        }
    }
}

impl Splitter {
    /// More text of the model; what it is goes to the end of `events`.
    pub(super) fn push(&mut self, text: String, events: &mut VecDeque<ModelEvent>) {
        let mut more = Some(text);
        while let Some(text) = more {
            more = self.step(text, events);
        }
    }

    /// Reads a text as what is at hand, and gives what follows that.
    fn step(&mut self, text: String, events: &mut VecDeque<ModelEvent>) -> Option<String> {
        match &mut self.state {
            State::Head {
                text: head,
                is_behind,
            } => {
                head.push_str(&text);
                let begun = head.trim_start();
                let header = harmony::header(begun);
                if let Header::Whole { is_answer, rest } = header {
                    let rest = rest.to_owned();
                    self.state = State::Harmony {
                        is_answer,
                        waiting: String::new(),
                    };
                    Some(rest)
                } else if let Some((begin, end)) =
                    TAGS.iter().find(|(begin, _)| begins(begun, begin))
                {
                    let (tag, rest) = begun.split_at(begin.len());
                    let (tag, rest) = (tag.to_owned(), rest.to_owned());
                    self.state = State::Inside {
                        end,
                        waiting: String::new(),
                        kept: WORDS.contains(begin).then_some(tag),
                    };
                    Some(rest)
                } else if let Some((_, end)) = TAGS.iter().find(|(_, end)| begins(begun, end)) {
                    // Its reasoning came in a field of its own.
                    let rest = begun.get(end.len()..).unwrap_or_default().to_owned();
                    self.state = behind();
                    Some(rest)
                } else if header == Header::Begun
                    || TAGS
                        .iter()
                        .any(|(begin, end)| begins(begin, begun) || begins(end, begun))
                {
                    None
                } else {
                    let (state, text) = if *is_behind {
                        (State::Answer, begun.to_owned())
                    } else {
                        (unsure(), std::mem::take(head))
                    };
                    self.state = state;
                    Some(text)
                }
            }
            State::Inside { end, waiting, kept } => {
                waiting.push_str(&text);
                if let Some(kept) = kept {
                    kept.push_str(&text);
                }
                if let Some((reasoning, rest)) = split_once(waiting, end) {
                    let (reasoning, rest) = (reasoning.to_owned(), rest.to_owned());
                    self.state = behind();
                    tell_reasoning(reasoning, events);
                    Some(rest)
                } else {
                    let text = split_begun(waiting, &[*end]);
                    tell_reasoning(text, events);
                    None
                }
            }
            State::Harmony {
                is_answer: true,
                waiting,
            } => {
                waiting.push_str(&text);
                let tail = waiting.split_off(harmony::answer(waiting).len());
                self.answer.push(std::mem::replace(waiting, tail), events);
                None
            }
            State::Harmony { waiting, .. } => {
                waiting.push_str(&text);
                let (thought, rest) = harmony::thought(waiting);
                let (length, rest) = (thought.len(), rest.map(str::to_owned));
                let tail = waiting.split_off(length);
                tell_reasoning(std::mem::replace(waiting, tail), events);
                if rest.is_some() {
                    self.state = behind();
                }
                rest
            }
            State::Unsure {
                waiting,
                is_line_start,
            } => {
                // Nearly every piece has nothing of it.
                if waiting.is_empty() && memchr::memchr(b'<', text.as_bytes()).is_none() {
                    tell_text(text, is_line_start, &mut self.answer, events);
                    return None;
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
                    self.state = State::Answer;
                    Some(text)
                } else if let Some(at) = end {
                    let mut text = std::mem::take(waiting);
                    let rest = text.split_off(at).split_off(LONE_END.len());
                    tell_text(text, is_line_start, &mut self.answer, events);
                    self.answer.finish(events);
                    events.push_back(ModelEvent::ThoughtEnd(LONE_END));
                    self.state = behind();
                    Some(rest)
                } else {
                    let text = split_begun(waiting, &[LONE_END, "<think>"]);
                    tell_text(text, is_line_start, &mut self.answer, events);
                    None
                }
            }
            State::Answer => {
                self.answer.push(text, events);
                None
            }
        }
    }

    /// The answer has ended: what waited was no tag.
    pub(super) fn finish(&mut self, events: &mut VecDeque<ModelEvent>) {
        match std::mem::replace(&mut self.state, State::Answer) {
            State::Head { text, is_behind } if is_behind => {
                let text = text.trim_start();
                if !harmony::is_mark(text) {
                    self.push(text.to_owned(), events);
                }
            }
            State::Head { text, .. } => self.push(text, events),
            State::Inside {
                kept: Some(all), ..
            } => self.push(all, events),
            State::Inside { waiting, .. } => tell_reasoning(waiting, events),
            State::Harmony { waiting, .. } if harmony::is_mark(&waiting) => {}
            State::Harmony {
                is_answer, waiting, ..
            } => {
                if is_answer {
                    self.push(waiting, events);
                } else {
                    tell_reasoning(waiting, events);
                }
            }
            State::Unsure { waiting, .. } => self.push(waiting, events),
            State::Answer => {}
        }
        self.answer.finish(events);
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

fn tell_text(
    text: String,
    is_line_start: &mut bool,
    answer: &mut Unmarked,
    events: &mut VecDeque<ModelEvent>,
) {
    if !text.is_empty() {
        *is_line_start = text.ends_with('\n');
        answer.push(text, events);
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
            // A word that is a tag only where it is closed.
            ("<thought>hm</thought>\n\nHello", "Hello", "hm"),
            ("\n<Reasoning>hm</think></reasoning>Hi", "Hi", "hm</think>"),
            (
                "<reasoning> never </closed",
                "<reasoning> never </closed",
                " never </closed",
            ),
            ("<thinking>hm", "<thinking>hm", "hm"),
            ("<thought", "<thought", ""),
            ("A <thought>hm</thought> b", "A <thought>hm</thought> b", ""),
            ("<think></think>Hello", "Hello", ""),
            ("<think>a</think>\n<think>b</think>\nHello", "Hello", "ab"),
            ("</think>\n\nHello", "Hello", ""),
            ("<THINK>hm</Think>Hello", "Hello", "hm"),
            ("[THINK]hm[/THINK]Hello", "Hello", "hm"),
            ("◁think▷hm ◁/ x◁/think▷Hello", "Hello", "hm ◁/ x"),
            ("[think] of it as a box", "[think] of it as a box", ""),
            ("<thoughts> fly", "<thoughts> fly", ""),
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

    #[test]
    fn thoughts_without_end_in_one_piece_are_no_burden() {
        let many = "<think></think><|channel|>analysis<|message|><|end|>".repeat(3_000);
        assert_eq!(split(&many, usize::MAX), (String::new(), String::new()));
    }

    #[test]
    fn channels_of_harmony_are_told_apart_and_their_marks_are_not_told() {
        let hm = "<|channel|>analysis<|message|>hm <| a<b<|end|>";
        let last = "<|start|>assistant<|channel|>final<|message|>";
        for (text, answer, reasoning) in [
            (format!("{hm}{last}Hello<|return|>"), "Hello", "hm <| a<b"),
            (
                format!("<|start|>assistant{hm}{last}Hello"),
                "Hello",
                "hm <| a<b",
            ),
            (
                format!("\n{hm}\n{last}Hello<|end|>\n"),
                "Hello",
                "hm <| a<b",
            ),
            (
                format!("{hm}<|channel|>final<|message|>Hello"),
                "Hello",
                "hm <| a<b",
            ),
            (format!("{hm}Hello"), "Hello", "hm <| a<b"),
            (
                format!("{hm}{hm}{last}Hello"),
                "Hello",
                "hm <| a<bhm <| a<b",
            ),
            (format!("{last}Hello<|return|>"), "Hello", ""),
            (format!("<think>a</think>{last}Hello"), "Hello", "a"),
            (
                format!("<|channel|>analysis<|message|>hm{last}Hello"),
                "Hello",
                "hm",
            ),
            (
                format!(
                    "{hm}<|start|>assistant<|channel|>commentary to=functions.x <|constrain|>json<|message|>{{}}<|call|>"
                ),
                "",
                "hm <| a<b{}",
            ),
            (
                format!(
                    "<|start|>assistant to=functions.x<|channel|>commentary json<|message|>{{}}<|call|>{last}Hi"
                ),
                "Hi",
                "{}",
            ),
            // Cut off.
            ("<|channel|>analysis<|message|>hm".to_owned(), "", "hm"),
            (
                "<|channel|>analysis<|message|>hm <|en".to_owned(),
                "",
                "hm <|en",
            ),
            (
                format!("{hm}<|start|>assistant<|channel|>fin"),
                "",
                "hm <| a<b",
            ),
            (format!("{hm}<|start|>"), "", "hm <| a<b"),
            (format!("{last}Hello<|"), "Hello<|", ""),
            // Somebody explains them.
            (
                format!("{hm}{last}`{hm}{last}x<|return|>` is one.<|return|>"),
                "`<|channel|>analysis<|message|>hm <| a<b<|end|><|start|>assistant<|channel|>final<|message|>x<|return|>` is one.",
                "hm <| a<b",
            ),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                let expected = (answer.to_owned(), reasoning.to_owned());
                assert_eq!(split(&text, size), expected, "{text:?} by {size}");
            }
        }
        let long = format!("<|channel|>final{}<|message|>x", " to".repeat(200));
        for text in [
            "<|channel|> begins a channel's name",
            "<|channel|>",
            "<|start|>user<|channel|>final<|message|>x",
            "<|channel|>other<|message|>x",
            "<|message|>x",
            "Harmony: <|channel|>analysis<|message|>hm<|end|><|return|>",
            "```\n<|channel|>final<|message|>x<|return|>\n```",
            &long,
        ] {
            for size in [1, 2, 3, 7, 1000] {
                let expected = (text.to_owned(), String::new());
                assert_eq!(split(text, size), expected, "{text:?} by {size}");
            }
        }
    }
}
