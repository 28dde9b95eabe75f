//! What a tool is called with: a JSON Schema that is written into every question, and so is kept as text.

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json, value::RawValue};

/// JSON Schema of a tool's arguments: always an object's, with `properties`, even if there are none, because providers
/// refuse one without. It never changes, and clones share it: a turn with a thousand tools copies and writes none of
/// their schemas.
#[derive(Clone)]
pub struct Parameters(Arc<Written>);

struct Written {
    schema: Value,
    text: Box<RawValue>,
}

impl Parameters {
    /// The schema as JSON, as it was written when the tool was listed.
    pub fn text(&self) -> &str {
        self.0.text.get()
    }
}

impl From<Value> for Parameters {
    /// What is no object says nothing about the arguments.
    fn from(schema: Value) -> Self {
        let mut schema = match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        };
        schema.entry("type").or_insert_with(|| "object".into());
        schema.entry("properties").or_insert_with(|| json!({}));
        let schema = Value::Object(schema);
        let text = RawValue::from_string(schema.to_string());
        // JSON that was just written is JSON.
        let text = text.unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self(Arc::new(Written { schema, text }))
    }
}

impl Deref for Parameters {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.schema
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.text.serialize(serializer)
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl Eq for Parameters {}

impl Hash for Parameters {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.schema, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_always_the_schema_of_an_object() {
        for (given, text) in [
            (json!(null), r#"{"properties":{},"type":"object"}"#),
            (
                json!({ "type": "object" }),
                r#"{"properties":{},"type":"object"}"#,
            ),
            (
                json!({ "properties": { "a": {} }, "required": ["a"] }),
                r#"{"properties":{"a":{}},"required":["a"],"type":"object"}"#,
            ),
        ] {
            let parameters = Parameters::from(given);
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(*parameters, expected);
            assert_eq!(serde_json::to_value(&parameters).unwrap(), expected);
            assert_eq!(
                serde_json::to_string(&parameters).unwrap(),
                parameters.text()
            );
        }
    }
}
