//! Reading what providers send, strict about what a person reads and about nothing else.
//!
//! The fields of a chunk are null, numbers, lists or missing at one server or another, and none of
//! that may cost anybody an answer. So events are read as [`Value`]s and asked for what is wanted,
//! instead of being held against a type.

use std::borrow::Cow;

use engine::ports::Usage;
use serde_json::Value;

/// The text of a field: a string, or a list of parts whose texts follow each other (Mistral and
/// others). Whatever else it is, there is no text in it.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().concat().into(),
        Value::Object(part) if !is_thinking(value) => ["text", "content", "refusal"]
            .into_iter()
            .filter_map(|name| part.get(name))
            .map(text)
            .find(|text| !text.is_empty())
            .unwrap_or_default(),
        _ => Cow::Borrowed(""),
    }
}

/// The same, without a copy where it is a string.
pub(super) fn take_text(value: &mut Value) -> String {
    match value {
        Value::String(text) => std::mem::take(text),
        other => text(other).into_owned(),
    }
}

/// The reasoning among the parts of a field, which is not for the answer.
pub(super) fn thinking(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Array(parts) => parts
            .iter()
            .map(thinking)
            .collect::<Vec<_>>()
            .concat()
            .into(),
        Value::Object(part) if is_thinking(value) => ["thinking", "reasoning", "text", "summary"]
            .into_iter()
            .filter_map(|name| part.get(name))
            .map(text)
            .find(|text| !text.is_empty())
            .unwrap_or_default(),
        _ => Cow::Borrowed(""),
    }
}

fn is_thinking(part: &Value) -> bool {
    matches!(
        part["type"].as_str(),
        Some("thinking" | "reasoning" | "reasoning_text" | "summary_text")
    )
}

/// A whole number, also one that is written as text, or as a fraction of none (`12.0`).
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().or_else(|| {
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            format!("{number:.0}").parse().ok()
        }),
    }
}

/// Token counts, under the names of either API. Some do not count what was thought with what was written (xAI, Gemini),
/// though it is a part of the whole, and of the bill.
pub(super) fn usage(usage: &Value) -> Option<Usage> {
    let count = |names: &[&str]| names.iter().find_map(|name| number(&usage[name]));
    let input_tokens = count(&["prompt_tokens", "input_tokens"]).unwrap_or(0);
    let written = count(&["completion_tokens", "output_tokens"]).unwrap_or(0);
    let all = count(&["total_tokens"]).unwrap_or(0);
    usage.is_object().then(|| Usage {
        input_tokens,
        output_tokens: written.max(all.saturating_sub(input_tokens)),
    })
}

/// The entries of a list; of anything else none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Reads events as JSON, and joins characters that a provider cut between two of them: tokens end
/// where they like, and some servers put half a character into each of two JSON strings, as bytes or
/// as halves of a surrogate pair.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// First bytes of a character, from the end of the last event's text.
    bytes: Vec<u8>,
    /// The first half of a surrogate pair, as four hexadecimal digits.
    surrogate: Option<[u8; 4]>,
    /// How many events were no JSON.
    skipped: u32,
}

impl Reader {
    /// The event as JSON; `None` for what is none, which is counted.
    pub(crate) fn read(&mut self, data: &[u8]) -> Option<Value> {
        if let Ok(value) = serde_json::from_slice(data) {
            self.forget();
            return Some(value);
        }
        let whole = self.join_bytes(data);
        let mended = self.join_surrogates(&whole);
        let value = serde_json::from_slice(&mended).ok();
        if value.is_none() {
            self.skipped += 1;
        }
        value
    }

    /// An event came whole: half a character from the one before has no other half.
    pub(crate) fn forget(&mut self) {
        (self.bytes, self.surrogate) = (Vec::new(), None);
    }

    /// How many events were no JSON.
    pub(crate) fn skipped(&self) -> u32 {
        self.skipped
    }

    /// Makes UTF-8 of the event: what is cut at the end of a string waits for the next event, and
    /// other bytes that are no text become replacement characters.
    fn join_bytes(&mut self, data: &[u8]) -> Vec<u8> {
        let mut begun = std::mem::take(&mut self.bytes);
        let mut whole = Vec::with_capacity(data.len() + 4);
        let mut rest = data;
        for chunk in data.utf8_chunks() {
            whole.extend_from_slice(chunk.valid().as_bytes());
            let invalid = chunk.invalid();
            rest = rest
                .get(chunk.valid().len() + invalid.len()..)
                .unwrap_or_default();
            if invalid.is_empty() {
                continue;
            }
            let is_continuation = invalid.iter().all(|byte| byte & 0xc0 == 0x80);
            if !begun.is_empty() && is_continuation && (whole.ends_with(b"\"") || begun.len() > 1) {
                begun.extend_from_slice(invalid);
                if std::str::from_utf8(&begun).is_ok() {
                    whole.append(&mut begun);
                }
            } else if !is_continuation && rest.starts_with(b"\"") {
                self.bytes = invalid.to_vec();
            } else {
                whole.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        whole
    }

    /// The same for escapes (`\ud83d` in one string, `\ude00` in the next).
    fn join_surrogates(&mut self, data: &[u8]) -> Vec<u8> {
        let mut begun = self.surrogate.take();
        let mut whole = Vec::with_capacity(data.len() + 6);
        let mut rest = data;
        while let Some(start) = memchr::memchr(b'\\', rest) {
            let (before, escape) = rest.split_at(start);
            whole.extend_from_slice(before);
            let Some((digits, after)) = unicode_escape(escape) else {
                let (escape, after) = escape.split_at(escape.len().min(2));
                whole.extend_from_slice(escape);
                rest = after;
                continue;
            };
            rest = after;
            let put = |whole: &mut Vec<u8>, digits: [u8; 4]| {
                whole.extend_from_slice(b"\\u");
                whole.extend_from_slice(&digits);
            };
            match digits.map(|digit| digit.to_ascii_lowercase()) {
                [b'd', b'8'..=b'b', ..] => match unicode_escape(rest) {
                    Some((low @ [b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..], after)) => {
                        put(&mut whole, digits);
                        put(&mut whole, low);
                        rest = after;
                    }
                    _ if rest.starts_with(b"\"") => self.surrogate = Some(digits),
                    _ => put(&mut whole, *b"fffd"),
                },
                [b'd', b'c'..=b'f', ..] => match begun.take() {
                    Some(high) if whole.ends_with(b"\"") => {
                        put(&mut whole, high);
                        put(&mut whole, digits);
                    }
                    _ => put(&mut whole, *b"fffd"),
                },
                _ => put(&mut whole, digits),
            }
        }
        whole.extend_from_slice(rest);
        whole
    }
}

/// The digits of a `\uXXXX` at the start, and what follows it.
fn unicode_escape(text: &[u8]) -> Option<([u8; 4], &[u8])> {
    let (digits, after) = text.strip_prefix(b"\\u")?.split_first_chunk::<4>()?;
    digits
        .iter()
        .all(u8::is_ascii_hexdigit)
        .then_some((*digits, after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_found_in_every_form_it_is_sent_in() {
        for (value, expected_text, expected_thinking) in [
            (json!("a"), "a", ""),
            (json!(null), "", ""),
            (json!(12), "", ""),
            (json!({ "type": "text", "text": "a" }), "a", ""),
            (json!([{ "type": "text", "text": "a" }, "b"]), "ab", ""),
            (
                json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }, { "type": "text", "text": "a" }]),
                "a",
                "hm",
            ),
            (
                json!([{ "type": "output_text", "text": "a", "annotations": null }]),
                "a",
                "",
            ),
        ] {
            assert_eq!(text(&value), expected_text, "{value}");
            assert_eq!(thinking(&value), expected_thinking, "{value}");
        }
    }

    #[test]
    fn what_was_thought_counts_as_what_was_written() {
        for (usage, input, output) in [
            (
                json!({ "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135, "completion_tokens_details": { "reasoning_tokens": 94 } }),
                32,
                103,
            ),
            (
                json!({ "prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81 }),
                21,
                60,
            ),
            (
                json!({ "prompt_tokens": 21, "completion_tokens": 60, "total_tokens": 81 }),
                21,
                60,
            ),
            (
                json!({ "input_tokens": "7", "output_tokens": 5.0, "total_tokens": null }),
                7,
                5,
            ),
            (
                json!({ "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 0 }),
                7,
                5,
            ),
            (json!({}), 0, 0),
        ] {
            let counted = super::usage(&usage).unwrap();
            assert_eq!(
                (counted.input_tokens, counted.output_tokens),
                (input, output),
                "{usage}"
            );
        }
        assert_eq!(super::usage(&json!(null)), None);
        assert_eq!(number(&json!(1.5)), None);
    }

    fn joined(events: &[&[u8]]) -> String {
        let mut reader = Reader::default();
        events
            .iter()
            .filter_map(|event| reader.read(event))
            .map(|value| value["t"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn a_character_that_was_cut_between_two_events_is_one_character() {
        for cut in 1..4 {
            let (first, second) = "😀".as_bytes().split_at(cut);
            let events = [
                [b"{\"t\":\"a", first, b"\"}"].concat(),
                [b"{\"t\":\"", second, b"b\"}"].concat(),
            ];
            assert_eq!(joined(&[&events[0], &events[1]]), "a😀b", "{cut}");
        }
        assert_eq!(
            joined(&[br#"{"t":"a\ud83d"}"#, br#"{"t":"\ude00b"}"#]),
            "a😀b"
        );
        assert_eq!(
            joined(&[
                br#"{"t":"\\ud83d\ud83d\uDE00\ud83d"}"#,
                br#"{"t":"\uDE00"}"#
            ]),
            "\\ud83d😀😀"
        );
        // A half that nothing follows is lost, or seen to be broken; what is beside it stays.
        assert_eq!(joined(&[br#"{"t":"a\ud83d"}"#, br#"{"t":"b"}"#]), "ab");
        assert_eq!(joined(&[br#"{"t":"a\ud83db"}"#]), "a\u{fffd}b");
        assert_eq!(joined(&[b"{\"t\":\"a\xffb\"}"]), "a\u{fffd}b");
    }

    #[test]
    fn what_is_no_json_is_counted() {
        let mut reader = Reader::default();
        assert_eq!(reader.read(b"ping"), None);
        assert_eq!(reader.skipped(), 1);
    }

    proptest::proptest! {
        #[test]
        fn text_survives_any_cut_of_its_bytes(text in "[a-zé日😀]{0,12}", at in 0usize..48) {
            let at = at.min(text.len());
            let (first, second) = text.as_bytes().split_at(at);
            let events = [
                [b"{\"t\":\"", first, b"\"}"].concat(),
                [b"{\"t\":\"", second, b"\"}"].concat(),
            ];
            proptest::prop_assert_eq!(joined(&[&events[0], &events[1]]), text);
        }
    }
}
