//! A tool's schema in a form that every provider takes.
//!
//! MCP allows any JSON Schema whose root is an object. Providers take less, each something else, and one schema that
//! they do not take ends the whole chat: unions at the root, references, booleans in place of schemas, lists without
//! items, types and formats that are none. So a schema is written anew with what all of them know. It may then allow
//! more than the server does, which looks at the arguments itself.
//!
//! Sources: JSON Schema 2020-12 and its predecessors from draft 4 on; the refusals of OpenAI, Anthropic and Gemini.

mod pattern;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// The longest schema that is offered, in bytes of JSON.
const MAX_BYTES: usize = 64 * 1024;
/// How deeply references are followed; less, where that makes the schema too long.
const REFERENCE_DEPTHS: [usize; 5] = [16, 4, 2, 1, 0];
/// Deeper than this anything is allowed.
const MAX_DEPTH: usize = 24;
/// Parts of a schema after which it is too long in any case.
const MAX_PARTS: usize = 20_000;
/// A list of more values than this is left out: no provider takes it, and they are compared with each other.
const MAX_VALUES: usize = 1_000;

const TYPES: [&str; 7] = [
    "object", "array", "string", "number", "integer", "boolean", "null",
];
/// Formats of JSON Schema; others (`int64`, `binary`) are refused by some.
const FORMATS: [&str; 13] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "uuid",
    "json-pointer",
    "regex",
];
/// Keywords with a whole number that is not negative.
const COUNTS: [&str; 6] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];
/// A higher one is left out: servers that make a grammar of a schema write each of the repetitions out, and refuse all
/// tools where that becomes too long. To a model it says little.
const MAX_COUNT: u64 = 1_000;
const NUMBERS: [&str; 5] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];
/// Keywords that are switches, which say something and demand nothing.
const SWITCHES: [&str; 4] = ["deprecated", "readOnly", "writeOnly", "nullable"];
/// The longest name of a property, in characters.
const MAX_NAME: usize = 64;
const UNIONS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// Why a tool cannot be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("its arguments are not an object")]
    NoObject,
    #[error("its schema is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("its entry in the list cannot be read")]
    Unreadable,
}

/// The schema as it is offered.
pub(super) fn acceptable(schema: &Object) -> Result<Object, Unusable> {
    let root = Value::Object(schema.clone());
    for depth in REFERENCE_DEPTHS {
        let mut writer = Writer {
            root: &root,
            depth,
            parts: 0,
        };
        let written = writer.schema(&root, &mut vec!["#".to_owned()], 0);
        let Some(Value::Object(written)) = written else {
            return Err(Unusable::NoObject);
        };
        let mut written = Value::Object(as_object(written)?);
        prune(&mut written);
        if writer.parts < MAX_PARTS
            && written.to_string().len() <= MAX_BYTES
            && let Value::Object(written) = written
        {
            return Ok(written);
        }
    }
    Err(Unusable::TooLong)
}

/// Gives the arguments of an offered schema names that every provider takes (`$filter` and `projects[]` are none), and
/// says which of the server's each of those stands for. Providers look at the outermost names alone.
pub(super) fn rename(offered: &mut Object) -> BTreeMap<String, String> {
    let is_allowed =
        |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    let is_fine = |name: &str| (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_allowed);
    let mut renamed = BTreeMap::new();
    let Some(Value::Object(properties)) = offered.get_mut("properties") else {
        return renamed;
    };
    if properties.keys().all(|name| is_fine(name)) {
        return renamed;
    }
    let mut taken: HashSet<String> = properties
        .keys()
        .filter(|name| is_fine(name))
        .cloned()
        .collect();
    let mut names = BTreeMap::new();
    let old = std::mem::take(properties);
    for (name, schema) in old {
        if is_fine(&name) {
            properties.insert(name, schema);
            continue;
        }
        let spelled = name.chars().map(|character| {
            if is_allowed(character) {
                character
            } else {
                '_'
            }
        });
        let spelled: String = spelled.take(MAX_NAME).collect();
        let mut new = spelled.clone();
        let mut number = 2;
        while new.is_empty() || !taken.insert(new.clone()) {
            let ending = format!("_{number}");
            let kept = spelled.len().min(MAX_NAME - ending.len());
            new = format!("{}{ending}", spelled.get(..kept).unwrap_or_default());
            number += 1;
        }
        properties.insert(new.clone(), schema);
        names.insert(name.clone(), new.clone());
        renamed.insert(new, name);
    }
    if let Some(Value::Array(required)) = offered.get_mut("required") {
        for name in required {
            if let Some(new) = name.as_str().and_then(|name| names.get(name)) {
                *name = json!(new);
            }
        }
    }
    renamed
}

/// Keywords that say nothing about the arguments.
const SILENT: [&str; 4] = ["$schema", "$id", "$comment", "id"];

/// Words of a schema that are not in what is offered: what some provider would refuse. Sorted, without repetition.
pub(super) fn dropped(schema: &Object, offered: &Object) -> Vec<String> {
    fn collect<'a>(value: &'a Value, words: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    words.insert(name);
                    collect(value, words);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
            _ => {}
        }
    }
    let collected = |schema: &Object| {
        let mut words = BTreeSet::new();
        for (name, value) in schema {
            words.insert(name.as_str());
            collect(value, &mut words);
        }
        words
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let mut words = collected(schema);
    let kept = collected(offered);
    words.retain(|word| !kept.contains(word) && !SILENT.contains(&word.as_str()));
    words.into_iter().collect()
}

/// Writes schemas anew, references replaced by what they refer to.
struct Writer<'a> {
    root: &'a Value,
    depth: usize,
    parts: usize,
}

impl Writer<'_> {
    /// `None` for `false`, which allows nothing. `within` are the references that are being followed.
    fn schema(&mut self, schema: &Value, within: &mut Vec<String>, level: usize) -> Option<Value> {
        self.parts += 1;
        let fields = match schema {
            Value::Bool(false) => return None,
            Value::Object(fields) if level < MAX_DEPTH && self.parts < MAX_PARTS => fields,
            // `true` allows anything; what is no schema at all says nothing.
            _ => return Some(json!({})),
        };
        let mut written = self.fields(fields, within, level);
        if let Some(reference) = reference(fields) {
            let target = self.target(&reference, within, level);
            for (name, value) in target {
                written.entry(name).or_insert(value);
            }
        }
        Some(Value::Object(written))
    }

    /// What a reference refers to; of what refers to itself, or is too deep, its kind alone.
    fn target(&mut self, reference: &str, within: &mut Vec<String>, level: usize) -> Object {
        let root = self.root;
        let Some(target) = find(root, reference) else {
            return Object::new();
        };
        if within.len() > self.depth || within.iter().any(|other| other == reference) {
            let mut kind = Object::new();
            for name in ["type", "description"] {
                if let Some(value) = keyword(name, &target[name]) {
                    kind.insert(name.to_owned(), value);
                }
            }
            if kind.get("type").is_some_and(|kind| kind == "array") {
                kind.insert("items".to_owned(), json!({}));
            }
            return kind;
        }
        within.push(reference.to_owned());
        let written = self.schema(target, within, level + 1);
        within.pop();
        match written {
            Some(Value::Object(written)) => written,
            _ => Object::new(),
        }
    }

    fn fields(&mut self, fields: &Object, within: &mut Vec<String>, level: usize) -> Object {
        let mut written = Object::new();
        let mut put = |name: &str, value: Value| written.insert(name.to_owned(), value);
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("properties" | "patternProperties", Value::Object(schemas)) => {
                    let is_pattern = name == "patternProperties";
                    let schemas = schemas.iter().filter_map(|(name, schema)| {
                        if is_pattern && !pattern::is_common(name) {
                            return None;
                        }
                        let schema = self.schema(schema, within, level + 1)?;
                        Some((name.clone(), schema))
                    });
                    let schemas: Object = schemas.collect();
                    put(name, Value::Object(schemas));
                }
                ("additionalProperties", Value::Bool(_)) => {
                    put(name, value.clone());
                }
                ("additionalProperties", Value::Object(_)) => {
                    let schema = self.schema(value, within, level + 1);
                    put(name, schema.unwrap_or(Value::Bool(false)));
                }
                // A schema for each place was the way up to draft 2019-09; no provider knows it.
                ("items" | "prefixItems", Value::Array(places)) => {
                    if name == "items" || !fields.contains_key("items") {
                        let any = self.list(places, within, level);
                        put("items", any_of(any));
                    }
                }
                ("items", schema) => {
                    let schema = self.schema(schema, within, level + 1);
                    put(name, schema.unwrap_or_else(|| json!({})));
                }
                ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                    let schemas = self.list(schemas, within, level);
                    if !schemas.is_empty() {
                        put(name, Value::Array(schemas));
                    }
                }
                ("const", value) if !fields.contains_key("enum") => {
                    put("enum", json!([value]));
                }
                (name, value) => {
                    if let Some(value) = keyword(name, value) {
                        put(name, value);
                    }
                }
            }
        }
        if is_kind(&written, "array") {
            written.entry("items").or_insert_with(|| json!({}));
        }
        // What goes by a pattern that is left out has to be allowed.
        if let Some(Value::Object(patterns)) = fields.get("patternProperties")
            && !patterns.keys().all(|pattern| pattern::is_common(pattern))
        {
            written.remove("additionalProperties");
        }
        // What the type forbids nobody can give, and some providers look at that.
        if let Some(kinds) = written.get("type").cloned()
            && let Some(Value::Array(values)) = written.get_mut("enum")
        {
            values.retain(|value| is_of(value, &kinds));
            if values.is_empty() {
                written.remove("enum");
            }
        }
        written
    }

    fn list(&mut self, schemas: &[Value], within: &mut Vec<String>, level: usize) -> Vec<Value> {
        schemas
            .iter()
            .filter_map(|schema| self.schema(schema, within, level + 1))
            .collect()
    }
}

/// A keyword that holds no schema; `None` for what is left out.
fn keyword(name: &str, value: &Value) -> Option<Value> {
    match (name, value) {
        ("type", value) => kinds(value),
        ("enum", Value::Array(values)) => {
            if values.len() > MAX_VALUES {
                return None;
            }
            let mut different: Vec<Value> = Vec::new();
            for value in values {
                if !different.contains(value) {
                    different.push(value.clone());
                }
            }
            (!different.is_empty()).then_some(Value::Array(different))
        }
        ("required", Value::Array(names)) => {
            let mut known = HashSet::new();
            let names = names.iter().filter(|name| name.is_string());
            let names: Vec<Value> = names.filter(|name| known.insert(*name)).cloned().collect();
            Some(Value::Array(names))
        }
        ("format", Value::String(format)) => {
            FORMATS.contains(&format.as_str()).then(|| value.clone())
        }
        // llama.cpp makes a grammar of those alone that are about the whole text.
        ("pattern", Value::String(text)) => {
            let is_whole = text.starts_with('^') && text.ends_with('$');
            (is_whole && pattern::is_common(text)).then(|| value.clone())
        }
        ("title" | "description" | "contentMediaType", Value::String(_))
        | ("uniqueItems", Value::Bool(_))
        | ("examples", Value::Array(_))
        | ("default", _) => Some(value.clone()),
        (name, Value::Number(number)) if COUNTS.contains(&name) => {
            let is_fine = number.as_u64().is_some_and(|count| count <= MAX_COUNT);
            is_fine.then(|| value.clone())
        }
        ("multipleOf", Value::Number(number)) if number.as_f64() <= Some(0.0) => None,
        (name, Value::Number(_)) if NUMBERS.contains(&name) => Some(value.clone()),
        (name, Value::Bool(_)) if SWITCHES.contains(&name) => Some(value.clone()),
        _ => None,
    }
}

/// The types, by the names that JSON Schema has for them.
fn kinds(value: &Value) -> Option<Value> {
    let kind = |value: &Value| {
        let name = value.as_str()?.to_ascii_lowercase();
        let name = match name.as_str() {
            "str" | "text" => "string",
            "int" | "long" => "integer",
            "float" | "double" | "decimal" => "number",
            "bool" => "boolean",
            "list" | "tuple" => "array",
            "dict" | "map" | "struct" => "object",
            name => name,
        };
        TYPES.into_iter().find(|known| *known == name)
    };
    match value {
        Value::Array(values) => {
            let mut known = HashSet::new();
            let kinds = values.iter().filter_map(kind);
            let kinds: Vec<&str> = kinds.filter(|kind| known.insert(*kind)).collect();
            match kinds.as_slice() {
                [] => None,
                [kind] => Some(json!(kind)),
                kinds => Some(json!(kinds)),
            }
        }
        value => kind(value).map(Value::from),
    }
}

/// Whether a value is of this type, or of one of these.
fn is_of(value: &Value, kinds: &Value) -> bool {
    match kinds {
        Value::Array(kinds) => kinds.iter().any(|kind| is_of(value, kind)),
        kind => match kind.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("number") => value.is_number(),
            Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            Some("boolean") => value.is_boolean(),
            Some("null") => value.is_null(),
            _ => true,
        },
    }
}

/// Whether a schema's type is this, or this among others.
fn is_kind(schema: &Object, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|other| other == kind),
        Some(other) => other == kind,
        None => false,
    }
}

/// The address of another schema that stands in place of this one.
fn reference(fields: &Object) -> Option<String> {
    ["$ref", "$dynamicRef", "$recursiveRef"]
        .into_iter()
        .find_map(|name| fields.get(name)?.as_str())
        .map(str::to_owned)
}

/// A schema within the same document; others are not fetched.
fn find<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let own = root["$id"]
        .as_str()
        .or(root["id"].as_str())
        .unwrap_or_default();
    let pointer = match reference.split_once('#') {
        Some((document, pointer))
            if document.is_empty() || document == own.trim_end_matches('#') =>
        {
            pointer
        }
        Some(_) => return None,
        None => {
            let definitions = ["$defs", "definitions"];
            return definitions
                .into_iter()
                .find_map(|name| root.get(name)?.get(reference));
        }
    };
    let pointer = percent_decoded(pointer);
    root.pointer(&pointer).or_else(|| {
        // A name of its own (`$anchor`), where it stands at a definition.
        let definitions = ["$defs", "definitions"]
            .into_iter()
            .filter_map(|name| root.get(name)?.as_object());
        definitions.flat_map(Map::values).find(|schema| {
            ["$anchor", "$dynamicAnchor"]
                .iter()
                .any(|name| schema[name] == pointer.as_str())
        })
    })
}

/// Pointers in addresses have their odd characters escaped (RFC 6901 §6).
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| *first == b'%');
        let byte = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One schema that allows what any of these allows.
fn any_of(schemas: Vec<Value>) -> Value {
    let mut different: Vec<Value> = Vec::new();
    for schema in schemas {
        if !different.contains(&schema) {
            different.push(schema);
        }
    }
    match (different.pop(), different.is_empty()) {
        (None, _) => json!({}),
        (Some(only), true) => only,
        (Some(last), false) => {
            different.push(last);
            json!({ "anyOf": different })
        }
    }
}

/// The root: an object, and no union of several. What any of them has becomes its property, and what all of them demand
/// is demanded.
fn as_object(mut root: Object) -> Result<Object, Unusable> {
    let may_be_object = |schema: &Object| !schema.contains_key("type") || is_kind(schema, "object");
    if !may_be_object(&root) {
        return Err(Unusable::NoObject);
    }
    let mut required: Vec<Value> = names(&root);
    let mut ways = Vec::new();
    let mut properties = match root.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Object::new(),
    };
    // Unions of unions, up to a depth.
    let mut unions = take_unions(&mut root);
    for _ in 0..MAX_DEPTH {
        let mut inner = Vec::new();
        for (kind, branches) in unions {
            let branches = branches.into_iter().filter_map(|branch| match branch {
                Value::Object(branch) if may_be_object(&branch) => Some(branch),
                _ => None,
            });
            let mut branches: Vec<Object> = branches.collect();
            if branches.is_empty() {
                return Err(Unusable::NoObject);
            }
            let demands: Vec<Vec<Value>> = branches.iter().map(names).collect();
            if kind == "allOf" || demands.len() == 1 {
                required.extend(demands.into_iter().flatten());
            } else {
                let (first, others) = demands.split_first().unwrap_or((&demands[0], &[]));
                let by_all = |name: &&Value| others.iter().all(|names| names.contains(name));
                required.extend(first.iter().filter(by_all).cloned());
                ways.push(demands);
            }
            for branch in &mut branches {
                inner.extend(take_unions(branch));
                if let Some(Value::Object(more)) = branch.remove("properties") {
                    for (name, schema) in more {
                        let both = match properties.remove(&name) {
                            Some(schema) if kind == "allOf" => schema,
                            Some(other) => any_of(vec![other, schema]),
                            None => schema,
                        };
                        properties.insert(name, both);
                    }
                }
            }
        }
        unions = inner;
        if unions.is_empty() {
            break;
        }
    }
    if let Some(words) = words(&ways) {
        let text = root.get("description").and_then(Value::as_str);
        let text = text.map_or_else(|| words.clone(), |text| format!("{text}\n{words}"));
        root.insert("description".to_owned(), text.into());
    }
    root.remove("enum");
    root.insert("type".to_owned(), "object".into());
    root.insert("properties".to_owned(), properties.into());
    root.insert("required".to_owned(), {
        let mut known = HashSet::new();
        required.retain(|name| known.insert(name.clone()));
        required.into()
    });
    Ok(root)
}

fn names(schema: &Object) -> Vec<Value> {
    match schema.get("required") {
        Some(Value::Array(names)) => names.clone(),
        _ => Vec::new(),
    }
}

fn take_unions(schema: &mut Object) -> Vec<(&'static str, Vec<Value>)> {
    let unions = UNIONS
        .into_iter()
        .filter_map(|kind| match schema.remove(kind) {
            Some(Value::Array(branches)) => Some((kind, branches)),
            _ => None,
        });
    unions.collect()
}

/// What a union demanded, for the model to read.
fn words(ways: &[Vec<Vec<Value>>]) -> Option<String> {
    let lines = ways.iter().filter_map(|ways| {
        let ways = ways.iter().filter(|names| !names.is_empty()).map(|names| {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            names.join(", ")
        });
        let mut ways: Vec<String> = ways.collect();
        ways.dedup();
        (ways.len() > 1).then(|| format!("Give one of these: {}.", ways.join("; or ")))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Demands nothing that is not there to be given.
fn prune(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(names)) = fields.remove("required") {
                let properties = fields.get("properties").and_then(Value::as_object);
                let is_there = |name: &Value| {
                    properties
                        .is_some_and(|all| name.as_str().is_some_and(|name| all.contains_key(name)))
                };
                let names: Vec<Value> = names.into_iter().filter(is_there).collect();
                if !names.is_empty() {
                    fields.insert("required".to_owned(), names.into());
                }
            }
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("properties" | "patternProperties", Value::Object(schemas)) => {
                        schemas.values_mut().for_each(prune);
                    }
                    ("items" | "additionalProperties" | "anyOf" | "oneOf" | "allOf", value) => {
                        prune(value);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(prune),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
