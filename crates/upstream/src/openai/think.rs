//! `<think>…</think>` at the head of an answer: local models put their reasoning into the text.

use std::collections::VecDeque;

use engine::ports::ModelEvent;

/// How reasoning begins and how it ends.
const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];

/// Tells the reasoning at the head of an answer from the answer.
#[derive(Debug)]
pub(super) struct Splitter(State);

#[derive(Debug)]
enum State {
    /// All that came so far could be the beginning of a tag.
    Head(String),
    /// Within reasoning; what could be the beginning of its end waits.
    Inside {
        end: &'static str,
        waiting: String,
    },
    /// Behind reasoning: blank lines there are no part of the answer.
    Behind,
    Answer,
}

impl Default for Splitter {
    fn default() -> Self {
        Self(State::Head(String::new()))
    }
}

impl Splitter {
    /// More text of the model; what it is goes to the end of `events`.
    pub(super) fn push(&mut self, text: String, events: &mut VecDeque<ModelEvent>) {
        match &mut self.0 {
            State::Head(head) => {
                head.push_str(&text);
                let begun = head.trim_start();
                if let Some((end, rest)) = TAGS
                    .iter()
                    .find_map(|(begin, end)| Some((*end, begun.strip_prefix(begin)?.to_owned())))
                {
                    self.0 = State::Inside {
                        end,
                        waiting: String::new(),
                    };
                    self.push(rest, events);
                } else if !TAGS.iter().any(|(begin, _)| begin.starts_with(begun)) {
                    let text = std::mem::take(head);
                    self.0 = State::Answer;
                    self.push(text, events);
                }
            }
            State::Inside { end, waiting } => {
                waiting.push_str(&text);
                if let Some((reasoning, rest)) = waiting.split_once(*end) {
                    let (reasoning, rest) = (reasoning.to_owned(), rest.to_owned());
                    self.0 = State::Behind;
                    tell_reasoning(reasoning, events);
                    self.push(rest, events);
                } else {
                    let kept = (1..end.len())
                        .rev()
                        .find(|length| waiting.ends_with(&end[..*length]))
                        .unwrap_or(0);
                    let tail = waiting.split_off(waiting.len() - kept);
                    tell_reasoning(std::mem::replace(waiting, tail), events);
                }
            }
            State::Behind => {
                let text = text.trim_start();
                if !text.is_empty() {
                    self.0 = State::Answer;
                    self.push(text.to_owned(), events);
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
            State::Head(text) => self.push(text, events),
            State::Inside { waiting, .. } => tell_reasoning(waiting, events),
            State::Behind | State::Answer => {}
        }
    }
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
