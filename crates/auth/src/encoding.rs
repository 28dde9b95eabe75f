//! The two encodings that tokens are made of, read strictly: base64url without padding, and JSON
//! without duplicate members.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{RequestError, json};
use serde_json::{Map, Value};

/// Decodes base64url as RFC 7515 §2 wants it: no padding, no other characters, no stray bits in the
/// last one.
pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes what was meant as base64url and may be padded, or have the letters of plain base64: so some issuers write the numbers
/// of their keys. Never for tokens, in which a text has one spelling.
pub(crate) fn decode_loose_base64(text: &str) -> Option<Vec<u8>> {
    decode_base64url(
        &text
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_"),
    )
}

/// A document without the byte order mark that some servers put in front of it (RFC 8259 §8.1 lets readers pass over it).
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(document)
}

/// Encodes base64url without padding.
pub(crate) fn encode_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Why a text is not acceptable as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonProblem {
    /// Not one JSON value in UTF-8, or nested deeper than 100 levels, or with a number that is not
    /// finite or the character U+0000.
    Malformed,
    /// An object names a member twice, at any level: parsers disagree about which one counts (RFC
    /// 7519 §4).
    Duplicate,
}

/// How deep JSON may nest.
const MAX_DEPTH: usize = 100;

/// Parses JSON strictly: see [`JsonProblem`] for what is refused.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Value, JsonProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonProblem::Malformed)?;
    json::parse(text, MAX_DEPTH).map_err(|error| match error {
        RequestError::DuplicateKey { .. } => JsonProblem::Duplicate,
        _ => JsonProblem::Malformed,
    })
}

/// Parses JSON that has to be an object, with the rules of [`parse_json`].
pub(crate) fn parse_json_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonProblem> {
    match parse_json(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonProblem::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn t04_duplicates_are_refused_at_every_level() {
        for (text, expected) in [
            (r#"{"a":1,"a":2}"#, JsonProblem::Duplicate),
            (r#"{"a":{"b":1,"b":1}}"#, JsonProblem::Duplicate),
            (r#"[{"a":[{"b":1,"\u0062":1}]}]"#, JsonProblem::Duplicate),
            ("\u{feff}{}", JsonProblem::Malformed),
            ("{} {}", JsonProblem::Malformed),
            (r#"{"a":1e999}"#, JsonProblem::Malformed),
            (r#"{"a":"\ud800"}"#, JsonProblem::Malformed),
            ("", JsonProblem::Malformed),
            (&"[".repeat(100_000), JsonProblem::Malformed),
        ] {
            assert_eq!(parse_json(text.as_bytes()), Err(expected), "{text:.40}");
        }
        assert_eq!(parse_json(b"{\"a\":\"\xff\"}"), Err(JsonProblem::Malformed));
        let good = r#"{"a":{"b":[1,-2,1.5,null,true,"x"]},"b":{}}"#;
        assert_eq!(
            parse_json(good.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(good).unwrap()
        );
    }

    #[test]
    fn t02_t03_base64url_has_one_spelling() {
        for bad in ["YQ==", "YQ=", "+_8", "/_8", "Y Q", "YQ\n", "Y?", "YR", "Y"] {
            assert_eq!(decode_base64url(bad), None, "{bad:?}");
        }
        assert_eq!(decode_base64url("YQ").as_deref(), Some(b"a".as_slice()));
    }

    #[test]
    fn numbers_of_keys_are_read_in_either_alphabet_and_padded() {
        for text in ["-_8", "-_8=", "+/8=", "+_8", "-/8=="] {
            assert_eq!(
                decode_loose_base64(text).as_deref(),
                Some(b"\xfb\xff".as_slice()),
                "{text:?}"
            );
        }
        for bad in ["=-_8", "-_9", "- 8", "-_8\n", "-_8=x", "A"] {
            assert_eq!(decode_loose_base64(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn t03_what_decodes_encodes_to_the_same_text(text in "[A-Za-z0-9_-]{0,40}") {
            if let Some(bytes) = decode_base64url(&text) {
                prop_assert_eq!(encode_base64url(bytes), text);
            }
        }

        #[test]
        fn t04_strict_agrees_with_lenient_where_nothing_is_duplicated(names in prop::collection::hash_set("[a-c]{0,3}", 0..6)) {
            let object: Map<String, Value> = names.into_iter().map(|name| (name.clone(), Value::String(name))).collect();
            let text = serde_json::to_vec(&object).unwrap();
            prop_assert_eq!(parse_json_object(&text), Ok(object));
        }
    }
}
