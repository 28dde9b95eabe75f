//! A tool call as models write it, made into one that can be run and told again.
//!
//! Templates leak into names, and arguments come encoded twice or with raw line breaks in their strings. Whatever can
//! only mean one thing is taken for it.

use std::{borrow::Cow, collections::HashMap};

use serde_json::{Value, value::RawValue};

/// What stands before the name where a model writes it as a member of a namespace.
const NAMESPACES: [&str; 4] = ["functions.", "functions:", "default_api.", "default_api:"];

/// Whether these are arguments: a JSON object.
pub(super) fn is_object(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{')
        && serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(arguments).is_ok()
}

/// The name without what a template has left around it.
pub(super) fn name(name: &str) -> &str {
    // `search<|channel|>commentary`
    let name = name.split("<|").next().unwrap_or_default().trim();
    NAMESPACES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(name)
}

/// The arguments as an object, where they can be read as one; else as they came, to be told to the model as such.
pub(super) fn arguments(text: String) -> String {
    if is_object(&text) {
        return text;
    }
    match serde_json::from_str(&text) {
        Ok(Value::Null) => return String::new(),
        Ok(Value::String(inner)) if is_object(&inner) => return inner,
        Ok(_) => return text,
        Err(_) => {}
    }
    let escaped = with_escapes(&text);
    if is_object(&escaped) {
        return escaped;
    }
    lone_object(&escaped).unwrap_or(text)
}

/// The one object in a text that a model or its template has written something around: a fence, a mark, a brace too many,
/// an empty object before it, or the same one again.
fn lone_object(text: &str) -> Option<String> {
    let text = text.trim();
    let fenced = text
        .strip_prefix("```")
        .map(|rest| rest.strip_prefix("json").unwrap_or(rest));
    let text = fenced.unwrap_or(text).trim_start();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok().filter(Value::is_object)?;
    let (object, rest) = text.split_at_checked(values.byte_offset())?;
    let rest = rest.trim();
    let is_noise = rest.starts_with("<|") || rest.chars().all(|mark| "}` \r\n\t".contains(mark));
    if is_noise || (is_object(rest) && are_same(object, rest)) {
        return Some(object.to_owned());
    }
    let is_begun = value.as_object().is_some_and(serde_json::Map::is_empty);
    (is_begun && is_object(rest)).then(|| rest.to_owned())
}

/// The text with the control characters inside its strings written as JSON wants them.
fn with_escapes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let (mut is_string, mut is_escape) = (false, false);
    for character in text.chars() {
        match character {
            '\n' if is_string => escaped.push_str("\\n"),
            '\r' if is_string => escaped.push_str("\\r"),
            '\t' if is_string => escaped.push_str("\\t"),
            other => escaped.push(other),
        }
        is_string ^= character == '"' && !is_escape;
        is_escape = character == '\\' && !is_escape;
    }
    escaped
}

/// The arguments as any provider takes them back: an object, whatever the model wrote.
pub(super) fn told_arguments(arguments: &str) -> &str {
    if is_object(arguments) {
        arguments
    } else {
        "{}"
    }
}

/// The longest name of a tool that OpenAI takes.
const MAX_NAME: usize = 64;

/// The name as any provider takes it back: letters, digits, `_` and `-`, 64 at most.
pub(super) fn told_name(name: &str) -> Cow<'_, str> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(fits) {
        return name.into();
    }
    let told: String = name
        .chars()
        .take(MAX_NAME)
        .map(|character| if fits(character) { character } else { '_' })
        .collect();
    if told.is_empty() {
        "unknown".into()
    } else {
        told.into()
    }
}

/// Whether these arguments are an object of no fields. Some begin with one, and then send the arguments.
pub(super) fn is_empty(arguments: &str) -> bool {
    let inside = arguments.trim().strip_prefix('{');
    inside
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|rest| rest.trim().is_empty())
}

/// Whether both are the same object, however it is written.
pub(super) fn are_same(left: &str, right: &str) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    left == right || read(left).is_some_and(|left| Some(left) == read(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_can_only_mean_one_object_are_that_object() {
        for (text, expected) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (" {\n\"a\": \"x\\n\"}\n", " {\n\"a\": \"x\\n\"}\n"),
            ("", ""),
            ("null", ""),
            (r#""{\"a\":1}""#, r#"{"a":1}"#),
            ("{\"a\":\"one\ntwo\t\\\"\n\"}", r#"{"a":"one\ntwo\t\"\n"}"#),
            ("```json\n{\"a\":1}\n```", r#"{"a":1}"#),
            (r#"{"a":1}}"#, r#"{"a":1}"#),
            (r#"{"a":1}<|im_end|>"#, r#"{"a":1}"#),
            (r#"{}{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1}{"a": 1}"#, r#"{"a":1}"#),
            // Nothing says what these mean.
            (r#"{"a":1}, or so"#, r#"{"a":1}, or so"#),
            (r#"{"a":"#, r#"{"a":"#),
            ("[1]", "[1]"),
            (r#"{"a":1}{"a":2}"#, r#"{"a":1}{"a":2}"#),
            ("{'a':1}", "{'a':1}"),
            ("\"just words\"", "\"just words\""),
        ] {
            assert_eq!(arguments(text.to_owned()), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_what_stands_between_a_templates_marks() {
        for (text, expected) in [
            ("search", "search"),
            (" search \n", "search"),
            ("search<|channel|>commentary", "search"),
            ("functions.search", "search"),
            ("functions:search", "search"),
            ("default_api.search", "search"),
            ("default_api:search", "search"),
            ("functions.", "functions."),
            ("multi_tool_use.parallel", "multi_tool_use.parallel"),
            ("<|x|>", ""),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_told_again_is_what_every_provider_takes() {
        for bad in [
            "",
            "null",
            "[1]",
            r#"{"a":"#,
            r#"{"a":1}{"a":2}"#,
            "{'a':1}",
        ] {
            assert_eq!(told_arguments(bad), "{}", "{bad}");
        }
        assert_eq!(told_arguments(r#"{"a":[1]}"#), r#"{"a":[1]}"#);
        assert_eq!(told_name("get-it_2"), "get-it_2");
        assert_eq!(told_name("wetter_für.x"), "wetter_f_r_x");
        assert_eq!(told_name(&"x".repeat(80)).len(), 64);
        assert_eq!(told_name(""), "unknown");
    }

    #[test]
    fn an_empty_object_is_told_from_what_follows_it() {
        for empty in ["{}", "{ }\n"] {
            assert!(is_empty(empty), "{empty:?}");
        }
        for full in ["", "{", r#"{"a":1}"#, "null"] {
            assert!(!is_empty(full), "{full:?}");
        }
    }
}
