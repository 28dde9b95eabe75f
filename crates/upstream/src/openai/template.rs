//! Marks of chat templates that a server leaves in the text: those that end a message, and GLM's box around what counts.
//!
//! Sources: the chat templates of Qwen, Llama, Gemma, Phi, Command R, `DeepSeek` and GLM.

use std::collections::VecDeque;

use engine::ports::ModelEvent;

/// They end a message. One that something follows is what the answer is about.
const ENDS: [&str; 9] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|END_OF_TURN_TOKEN|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
];
/// They stand around a part of the answer, at its edges or within it.
const BOX: [&str; 2] = ["<|begin_of_box|>", "<|end_of_box|>"];

/// Takes the marks out of an answer.
#[derive(Debug, Default)]
pub(super) struct Unmarked {
    /// What may be a mark, or the end of the answer.
    waiting: String,
}

impl Unmarked {
    /// More of the answer.
    pub(super) fn push(&mut self, text: String, events: &mut VecDeque<ModelEvent>) {
        // Nearly every piece has nothing of it.
        if self.waiting.is_empty() && memchr::memchr(b'<', text.as_bytes()).is_none() {
            return tell(text, events);
        }
        self.waiting.push_str(&text);
        if BOX.iter().any(|mark| self.waiting.contains(mark)) {
            let [begin, end] = BOX;
            self.waiting = self.waiting.replace(begin, "").replace(end, "");
        }
        let mut places = self.waiting.match_indices('<').map(|(at, _)| at);
        let end = places.find(|at| self.waiting.get(*at..).is_some_and(may_be_end));
        let waiting = self.waiting.split_off(end.unwrap_or(self.waiting.len()));
        tell(std::mem::replace(&mut self.waiting, waiting), events);
    }

    /// The answer has ended, or a thought: what waited is told, unless it is a mark.
    pub(super) fn finish(&mut self, events: &mut VecDeque<ModelEvent>) {
        let waiting = std::mem::take(&mut self.waiting);
        if !ENDS.iter().any(|mark| waiting.starts_with(mark)) {
            tell(waiting, events);
        }
    }
}

/// Whether nothing but marks and blanks is here, the last one perhaps begun.
fn may_be_end(text: &str) -> bool {
    let text = text.trim_start();
    let marks = || ENDS.iter().chain(&BOX);
    match ENDS.iter().find_map(|mark| text.strip_prefix(mark)) {
        Some(rest) => may_be_end(rest),
        None => marks().any(|mark| mark.starts_with(text)),
    }
}

fn tell(text: String, events: &mut VecDeque<ModelEvent>) {
    if !text.is_empty() {
        events.push_back(ModelEvent::TextDelta(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_at_the_end_and_boxes_are_no_part_of_the_answer() {
        for (text, expected) in [
            ("fine<|im_end|>", "fine"),
            ("fine<end_of_turn>\n", "fine"),
            ("fine\n<|eot_id|><|im_end|>\n", "fine\n"),
            ("<|begin_of_box|>42<|end_of_box|>", "42"),
            ("It is <|begin_of_box|>42<|end_of_box|>.", "It is 42."),
            ("fine<｜end▁of▁sentence｜>", "fine"),
            // What the answer is about.
            ("Put <|im_end|> at the end.", "Put <|im_end|> at the end."),
            ("It ends with `<|im_end|>`", "It ends with `<|im_end|>`"),
            ("a <b>c</b> <|im", "a <b>c</b> <|im"),
            ("1 < 2 <", "1 < 2 <"),
            ("<", "<"),
        ] {
            for size in [1, 2, 5, 100] {
                let (mut unmarked, mut events) = (Unmarked::default(), VecDeque::new());
                let characters: Vec<char> = text.chars().collect();
                for piece in characters.chunks(size) {
                    unmarked.push(piece.iter().collect(), &mut events);
                }
                unmarked.finish(&mut events);
                let told: String = events
                    .into_iter()
                    .map(|event| match event {
                        ModelEvent::TextDelta(text) => text,
                        other => unreachable!("{other:?}"),
                    })
                    .collect();
                assert_eq!(told, expected, "{text} by {size}");
            }
        }
    }
}
