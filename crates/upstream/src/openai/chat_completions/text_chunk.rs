//! A chunk with more of the text and nothing else, as nearly every chunk is: read at a small part of the cost of any other
//! one. Whatever it does not know makes it none of these.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

/// What stands around a text is kept up to this many bytes; it is some two hundred.
const MAX_FRAME_BYTES: usize = 1024;

/// Reads such chunks of one answer.
#[derive(Default)]
pub(super) struct TextChunks {
    /// From the second one with words on: the first often names a role as well, and many answers are waited for right behind
    /// it, which then keep no room for this.
    last: Option<Box<Frame>>,
    has_words: bool,
}

/// A chunk without its text.
#[derive(Default)]
struct Frame {
    bytes: Vec<u8>,
    text_at: usize,
}

impl TextChunks {
    /// The text of such a chunk.
    pub(super) fn read<'a>(&mut self, data: &'a [u8]) -> Option<Cow<'a, str>> {
        if let Some(text) = self.last.as_ref().and_then(|last| last.text_of(data)) {
            return Some(Cow::Borrowed(text));
        }
        let chunk: TextChunk<'a> = serde_json::from_slice(data).ok()?;
        let [choice] = chunk.choices;
        let text = choice.delta.content;
        if self.has_words
            && let Cow::Borrowed(text) = text
        {
            self.last.get_or_insert_default().be_that_of(data, text);
        }
        self.has_words |= !text.is_empty();
        Some(text)
    }
}

impl Frame {
    /// The text of a chunk that differs from this one in its text alone, and in that has nothing that JSON writes in another
    /// way.
    fn text_of<'a>(&self, data: &'a [u8]) -> Option<&'a str> {
        let (before, after) = self.bytes.split_at_checked(self.text_at)?;
        if before.is_empty() {
            return None;
        }
        let text = data.strip_prefix(before)?.strip_suffix(after)?;
        let is_plain = |byte: &u8| !matches!(byte, 0..0x20 | b'"' | b'\\');
        if !text.iter().all(is_plain) {
            return None;
        }
        str::from_utf8(text).ok()
    }

    fn be_that_of(&mut self, data: &[u8], text: &str) {
        self.text_at = 0;
        self.bytes.clear();
        // The text is a part of the data.
        let start = text.as_ptr().addr().checked_sub(data.as_ptr().addr());
        let Some((before, rest)) = start.and_then(|start| data.split_at_checked(start)) else {
            return;
        };
        let Some(after) = rest.get(text.len()..) else {
            return;
        };
        if before.len() + after.len() <= MAX_FRAME_BYTES {
            self.text_at = before.len();
            self.bytes.extend_from_slice(before);
            self.bytes.extend_from_slice(after);
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "named, so that they may be there")]
struct TextChunk<'a> {
    #[serde(borrow)]
    choices: [TextChoice<'a>; 1],
    id: Option<IgnoredAny>,
    object: Option<IgnoredAny>,
    created: Option<IgnoredAny>,
    model: Option<IgnoredAny>,
    service_tier: Option<IgnoredAny>,
    system_fingerprint: Option<IgnoredAny>,
    obfuscation: Option<IgnoredAny>,
    usage: Option<()>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "named, so that they may be there")]
struct TextChoice<'a> {
    index: First,
    #[serde(borrow)]
    delta: TextDelta<'a>,
    finish_reason: Option<()>,
    logprobs: Option<()>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "named, so that they may be there")]
struct TextDelta<'a> {
    role: Option<IgnoredAny>,
    #[serde(borrow)]
    content: Cow<'a, str>,
    refusal: Option<()>,
}

/// The index of the first choice.
#[derive(Deserialize)]
#[serde(try_from = "u8")]
struct First;

impl TryFrom<u8> for First {
    type Error = &'static str;

    fn try_from(index: u8) -> Result<Self, Self::Error> {
        (index == 0).then_some(Self).ok_or("not the first choice")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"{"id":"a","choices":[{"index":0,"delta":{"content":""#;
    const AFTER: &str = r#""},"finish_reason":null}]}"#;

    /// What a chunk says after others and what it says by itself, which is the same.
    fn read(reader: &mut TextChunks, data: &[u8]) -> Option<String> {
        let after_others = reader.read(data).map(Cow::into_owned);
        let alone = TextChunks::default().read(data).map(Cow::into_owned);
        assert_eq!(after_others, alone, "{}", data.escape_ascii());
        alone
    }

    #[test]
    fn what_came_before_changes_nothing() {
        let texts = [
            ("one", Some("one")),
            ("", Some("")),
            ("日本語 🙂", Some("日本語 🙂")),
            (r"a\nb \u00e9 \ud83d\ude42", Some("a\nb é 🙂")),
            (r"\", None),
            ("two\nlines", None),
            ("a tab\t", None),
            ("\u{7f}\u{2028}", Some("\u{7f}\u{2028}")),
            (r#"","refusal":null},"logprobs":null}],"model":"m"}"#, None),
            (r#"first","role":"assistant"#, Some("first")),
            (r#"twice","content":"twice"#, None),
            (r#"named","other":"field"#, None),
        ];
        let mut reader = TextChunks::default();
        for (text, said) in texts {
            for _ in 0..3 {
                let chunk = format!("{BEFORE}{text}{AFTER}");
                assert_eq!(
                    read(&mut reader, chunk.as_bytes()).as_deref(),
                    said,
                    "{text}"
                );
            }
            let another = chunk("more", "b");
            assert_eq!(
                read(&mut reader, another.as_bytes()).as_deref(),
                Some("more")
            );
        }
    }

    fn chunk(text: &str, id: &str) -> String {
        format!("{BEFORE}{text}{AFTER}").replace(r#""id":"a""#, &format!(r#""id":"{id}""#))
    }

    #[test]
    fn a_chunk_is_compared_with_the_last_one_from_the_third_with_words_on() {
        let mut reader = TextChunks::default();
        let next = chunk("é 🙂", "a");
        let is_known = |reader: &TextChunks| {
            let last = reader.last.as_ref();
            last.and_then(|last| last.text_of(next.as_bytes())) == Some("é 🙂")
        };
        for (text, is_known_then) in [("", false), ("one", false), ("two", true), (r"\n", true)] {
            reader.read(chunk(text, "a").as_bytes());
            assert_eq!(is_known(&reader), is_known_then, "after {text:?}");
        }
    }

    #[test]
    fn a_chunk_of_another_form_is_read_as_what_it_is() {
        let mut reader = TextChunks::default();
        assert_eq!(
            read(&mut reader, chunk("one", "a").as_bytes()).as_deref(),
            Some("one")
        );
        let long_id = "x".repeat(2 * MAX_FRAME_BYTES);
        for (data, said) in [
            // No more than a part of the one before.
            (BEFORE.to_owned(), None),
            (AFTER.to_owned(), None),
            (
                format!("{BEFORE}{}", AFTER.get(1..).unwrap_or_default()),
                None,
            ),
            (chunk("two", "b"), Some("two")),
            (chunk("three", &long_id), Some("three")),
            (chunk("four", &long_id), Some("four")),
            (chunk("five", "b").replace("null}]", r#""stop"}]"#), None),
            (chunk("six", "b").replace("0,", "1,"), None),
            (String::new(), None),
            (chunk("seven", "b"), Some("seven")),
        ] {
            assert_eq!(
                read(&mut reader, data.as_bytes()).as_deref(),
                said,
                "{data}"
            );
        }
        let mut cut = chunk("é", "b").into_bytes();
        let place = cut.iter().position(|byte| *byte == 0xa9);
        cut.remove(place.unwrap());
        assert_eq!(read(&mut reader, &cut), None, "half a character");
    }
}
