//! JSON from outside, read strictly: one meaning, a bounded depth, no character that a store refuses.

use std::cell::Cell;
use std::{fmt, io};

use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::RequestError;

/// The most characters of the input that an error repeats.
const EXCERPT: usize = 64;

/// Reads one JSON value that nests at most `max_depth` levels of objects and lists, and in which no
/// object names a member twice: parsers disagree about which one counts.
///
/// # Errors
///
/// [`RequestError::NotJson`], [`RequestError::TooDeep`], [`RequestError::DuplicateKey`], or
/// [`RequestError::Invalid`] for the character U+0000.
pub fn parse(text: &str, max_depth: usize) -> Result<Value, RequestError> {
    // serde's errors are text; the cell carries the fault itself past them.
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict {
        depth: 0,
        max_depth,
        fault: &fault,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value))
    .map_err(|error| {
        fault.take().unwrap_or(RequestError::NotJson {
            line: error.line(),
            column: error.column(),
        })
    })
}

/// How long a value is where it is written as JSON, in bytes.
pub fn written_bytes(value: &impl Serialize) -> usize {
    struct Count(usize);

    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // JSON that was read can be written.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// The beginning of a text that a client sent, fit for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    let mut excerpt: String = text
        .chars()
        .take(EXCERPT)
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect();
    if excerpt.len() < text.len() && text.chars().count() > EXCERPT {
        excerpt.push('…');
    }
    excerpt
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    max_depth: usize,
    fault: &'a Cell<Option<RequestError>>,
}

impl Strict<'_> {
    fn fail<E: de::Error>(self, fault: RequestError) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == self.max_depth {
            return Err(self.fail(RequestError::TooDeep {
                limit: self.max_depth,
            }));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    /// PostgreSQL keeps no NUL in text or JSON; refusing it here keeps every store the same.
    fn without_nul<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(self.fail(RequestError::Invalid {
                path: "body".to_owned(),
                reason: "text must not contain the character U+0000".to_owned(),
            }));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
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

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.without_nul(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        self.without_nul(&text)?;
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(inner)? {
            list.push(entry);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.without_nul(&key)?;
            if object.contains_key(&key) {
                return Err(self.fail(RequestError::DuplicateKey { key: excerpt(&key) }));
            }
            let value = entries.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
