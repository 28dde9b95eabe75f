//! JSON as servers write it that put it together by hand, or cut a text in the middle of a character.
//!
//! What is JSON is read as such. Only what is none is looked at again: a byte order mark, numbers that JSON does not
//! have (`NaN`, `Infinity`) or that are too large to be read (`1e400`), line breaks inside a text, bytes that are no UTF-8, and half a surrogate pair (`"\ud83d"`),
//! which JavaScript writes where it has cut a text inside an emoji. None of that may cost anybody the rest.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::{openai::lenient::Reader, sse::BYTE_ORDER_MARK};

/// The numbers that JSON does not have, the longest first.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Reads one document after the other, and joins characters that were cut between two of them.
#[derive(Debug, Default)]
pub(crate) struct Documents(Reader);

impl Documents {
    /// The document, if it is one in any way; what is none is counted.
    pub(crate) fn read(&mut self, data: &[u8]) -> Option<Value> {
        if let Ok(value) = serde_json::from_slice(data) {
            self.0.forget();
            return Some(value);
        }
        self.0.read(&tidied(data))
    }

    /// The last document came whole, and was read without this.
    pub(crate) fn forget(&mut self) {
        self.0.forget();
    }

    /// How many were none.
    pub(crate) fn skipped(&self) -> u32 {
        self.0.skipped()
    }
}

/// Whether all of this is one document.
pub(crate) fn is_one(data: &[u8]) -> bool {
    let is_one = |data: &[u8]| serde_json::from_slice::<IgnoredAny>(data).is_ok();
    is_one(data) || is_one(&tidied(data))
}

/// One document by itself, if it is one in any way.
pub(crate) fn read(data: &[u8]) -> Option<Value> {
    Documents::default().read(data)
}

/// The same as what is expected; the error is about the document as it came.
pub(crate) fn from_slice<T: DeserializeOwned>(data: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(data).or_else(|error| {
        let value = read(data).ok_or(error)?;
        serde_json::from_value(value)
    })
}

/// The document without what JSON does not have: between its texts `null` takes the place of a number that is none,
/// and inside them an escape that of a line break.
fn tidied(data: &[u8]) -> Cow<'_, [u8]> {
    let data = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data);
    let is_suspect = data.iter().any(|byte| *byte < b' ')
        || NO_NUMBERS
            .iter()
            .any(|number| memchr::memmem::find(data, number).is_some())
        || data
            .windows(2)
            .any(|pair| matches!(pair, [b'0'..=b'9', b'e' | b'E']));
    if !is_suspect {
        return Cow::Borrowed(data);
    }
    let mut tidy = Vec::with_capacity(data.len());
    let mut rest = data;
    let mut is_text = false;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'\\' if is_text => {
                let (escape, after) = rest.split_at(rest.len().min(2));
                tidy.extend_from_slice(escape);
                rest = after;
                continue;
            }
            b'"' => is_text = !is_text,
            0..b' ' if is_text => {
                tidy.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                rest = after;
                continue;
            }
            b'N' | b'I' | b'-' if !is_text => {
                let number = NO_NUMBERS.iter().find_map(|name| rest.strip_prefix(*name));
                if let Some(after) = number {
                    tidy.extend_from_slice(b"null");
                    rest = after;
                    continue;
                }
            }
            b'0'..=b'9' if !is_text => {
                let (number, after) = rest.split_at(number_length(rest));
                if is_too_large(number) {
                    // Its sign goes with it.
                    tidy.pop_if(|before| *before == b'-');
                    tidy.extend_from_slice(b"null");
                } else {
                    tidy.extend_from_slice(number);
                }
                rest = after;
                continue;
            }
            _ => {}
        }
        tidy.push(byte);
        rest = after;
    }
    Cow::Owned(tidy)
}

/// How many bytes belong to the number that these begin with.
fn number_length(data: &[u8]) -> usize {
    let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    data.iter().take_while(|byte| is_of_number(byte)).count()
}

fn is_too_large(number: &[u8]) -> bool {
    let number = std::str::from_utf8(number).ok();
    number
        .and_then(|number| number.parse::<f64>().ok())
        .is_some_and(f64::is_infinite)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_nearly_json_is_read() {
        for (data, expected) in [
            (&b"{\"a\":1}"[..], json!({"a": 1})),
            (b"\xef\xbb\xbf{\"a\":1}", json!({"a": 1})),
            (b"\xef\xbb\xbf \r\n[NaN]\n", json!([null])),
            (
                br#"{"a":NaN,"b":[-Infinity,Infinity],"c":-1}"#,
                json!({"a": null, "b": [null, null], "c": -1}),
            ),
            (
                br#"{"a":"NaN \"Infinity\" \\","b":NaN}"#,
                json!({"a": "NaN \"Infinity\" \\", "b": null}),
            ),
            (
                br#"{"a":1e400,"b":[-2.5E+999,-3e2,1e-400,7],"c":"1e400 \"1e400"}"#,
                json!({"a": null, "b": [null, -300.0, 0.0, 7], "c": "1e400 \"1e400"}),
            ),
            (
                b"{\"a\":\"one\ntwo\tthree\"}",
                json!({"a": "one\ntwo\tthree"}),
            ),
            (br#"{"a":"x\ud83d y"}"#, json!({"a": "x\u{fffd} y"})),
            (br#"{"a":"x\ud83d","b":"y"}"#, json!({"a": "x", "b": "y"})),
            (b"{\"a\":\"x\xff y\"}", json!({"a": "x\u{fffd} y"})),
            (
                b"{\"a\":\"x\xff\",\"b\":NaN,\"c\":\"\\ud83d.\"}",
                json!({"a": "x", "b": null, "c": "\u{fffd}."}),
            ),
        ] {
            let shown = String::from_utf8_lossy(data);
            assert_eq!(read(data), Some(expected), "{shown}");
        }
        for data in [
            &b""[..],
            b"hello",
            b"<html>",
            b"{\"a\":",
            b"{\"a\":NaNs}",
            b"\"\\",
        ] {
            let shown = String::from_utf8_lossy(data);
            assert_eq!(read(data), None, "{shown}");
        }
    }

    #[test]
    fn a_type_is_read_as_well() {
        let read: Vec<Option<f64>> = from_slice(b"[1,NaN]").unwrap();
        assert_eq!(read, [Some(1.0), None]);
        let error = from_slice::<Vec<u8>>(b"hello").unwrap_err();
        assert!(error.is_syntax(), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_json_is_read_as_it_is(value in "(NaN|Infinity|[a-z\"\\\\\n]){0,8}", number in -9_i64..9) {
            let document = json!({ value.clone(): [value, number] });
            let text = serde_json::to_vec_pretty(&document).unwrap();
            proptest::prop_assert_eq!(read(&text), Some(document));
        }

        #[test]
        fn no_bytes_are_too_odd(data in proptest::collection::vec(0_u8.., 0..40)) {
            let _ = read(&data);
        }
    }
}
