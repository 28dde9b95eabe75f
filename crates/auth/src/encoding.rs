//! Strict forms of the two encodings that tokens are made of: base64url without padding, and JSON
//! without duplicates.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, error::Category};

/// Decodes base64url as RFC 7515 §2 wants it: no padding, no other characters, no stray bits in the
/// last one.
pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Encodes base64url without padding.
pub(crate) fn encode_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Why a text is not acceptable as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonProblem {
    /// Not one JSON value in UTF-8, or nested deeper than 128 levels, or a number that is not
    /// finite.
    Malformed,
    /// An object names a member twice, at any level: parsers disagree about which one counts (RFC
    /// 7519 §4).
    Duplicate,
}

/// Parses JSON, and refuses an object that names a member twice, at any level.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Value, JsonProblem> {
    serde_json::from_slice::<Strict>(bytes)
        .map(|strict| strict.0)
        .map_err(|error| match error.classify() {
            // Any value is acceptable data except a duplicate, so a data error can mean nothing
            // else.
            Category::Data => JsonProblem::Duplicate,
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

/// A `Value` whose objects have no duplicate members.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without duplicate members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(object))
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
