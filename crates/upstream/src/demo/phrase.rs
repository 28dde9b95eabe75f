//! From plain words to a tool call: which tool is meant, and which words are its arguments.
//!
//! A tool's name says what it does (`add_task`), so a phrase means a tool if it holds the verb, or
//! one like it, and the nouns. The arguments are fitted to the tool's JSON schema: a number goes to
//! the integer, the text behind the colon to the string.

use engine::ports::ToolSpec;
use serde_json::{Map, Value};

/// A verb in tool names, and what people say for it.
const VERBS: &[(&str, &[&str])] = &[
    ("add", &["add", "create", "new", "remember"]),
    ("create", &["create", "add", "new", "make"]),
    ("list", &["list", "show", "what", "which"]),
    ("get", &["get", "show", "read"]),
    ("search", &["search", "find"]),
    ("complete", &["complete", "finish", "done", "tick"]),
    ("update", &["update", "change", "rename", "edit"]),
    ("delete", &["delete", "remove", "drop"]),
];

/// String properties that take the text of a phrase before others do.
const TEXT_NAMES: &[&str] = &["title", "text", "name", "query", "message", "content"];

/// A phrase with several commands has them between these.
const SEPARATORS: [char; 2] = [';', '\n'];

/// What a phrase turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Understood {
    /// A tool is to be called.
    Call {
        /// The tool's name.
        name: String,
        /// JSON text.
        arguments: String,
    },
    /// A tool is meant, but something is missing; what, in words.
    Unclear(String),
}

/// The tools that a text asks for; none if any part of it means none.
pub(super) fn understand(text: &str, tools: &[ToolSpec], chosen: Option<&str>) -> Vec<Understood> {
    if let Some(rest) = text.trim().strip_prefix("use ") {
        return vec![used_by_name(rest.trim(), tools)];
    }
    if let Some(tool) = chosen.and_then(|name| tools.iter().find(|tool| tool.name == name)) {
        let phrase = Phrase::new(text.trim());
        return vec![fit(tool, phrase.number(), &phrase.text_after(&[]))];
    }
    let mut understood = Vec::new();
    for part in text.split(SEPARATORS).map(str::trim) {
        if part.is_empty() {
            continue;
        }
        let phrase = Phrase::new(part);
        let Some((tool, nouns)) = tools
            .iter()
            .find_map(|tool| Some((tool, phrase.means(tool)?)))
        else {
            return Vec::new();
        };
        understood.push(fit(tool, phrase.number(), &phrase.text_after(&nouns)));
    }
    understood
}

/// `use <tool> {json}`: any tool, as it is.
fn used_by_name(text: &str, tools: &[ToolSpec]) -> Understood {
    let (name, arguments) = text.split_once(char::is_whitespace).unwrap_or((text, "{}"));
    let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
        return Understood::Unclear(format!(
            "There is no tool `{name}` here. Write `tools` to see which there are."
        ));
    };
    if serde_json::from_str::<Map<String, Value>>(arguments).is_err() {
        return Understood::Unclear(format!(
            "What follows `{name}` is not a JSON object. Write for instance `use {name} {{}}`."
        ));
    }
    Understood::Call {
        name: tool.name.clone(),
        arguments: arguments.to_owned(),
    }
}

/// A command in words.
struct Phrase<'a> {
    /// In front of the first colon.
    head: &'a str,
    /// Behind it.
    tail: Option<&'a str>,
}

impl<'a> Phrase<'a> {
    fn new(text: &'a str) -> Self {
        match text.split_once(':') {
            Some((head, tail)) => Self {
                head,
                tail: Some(tail.trim()),
            },
            None => Self {
                head: text,
                tail: None,
            },
        }
    }

    /// The nouns of the tool's name, if this phrase means the tool: one of its verbs among the
    /// first words, and every noun somewhere in the head.
    fn means(&self, tool: &ToolSpec) -> Option<Vec<String>> {
        let name = parts(&tool.name);
        let (position, said) = name.iter().enumerate().find_map(|(position, part)| {
            let (_, said) = VERBS.iter().find(|(verb, _)| verb == part)?;
            Some((position, said))
        })?;
        let nouns = name.get(position + 1..).unwrap_or_default();
        let words: Vec<_> = self.head.split_whitespace().map(bare).collect();
        let is_verb_said = words
            .iter()
            .take(4)
            .any(|word| said.contains(&word.as_str()));
        let are_nouns_said = nouns
            .iter()
            .all(|noun| words.iter().any(|word| singular(word) == singular(noun)));
        (is_verb_said && are_nouns_said && !nouns.is_empty()).then(|| nouns.to_vec())
    }

    /// The first number of the head, or a number behind the colon that stands alone.
    fn number(&self) -> Option<i64> {
        let digits = |word: &str| {
            word.trim_matches(|mark: char| !mark.is_ascii_digit())
                .parse()
        };
        self.head
            .split_whitespace()
            .find_map(|word| digits(word).ok())
            .or_else(|| self.tail?.parse().ok())
    }

    /// What the command is about: all behind the colon, or behind the last noun.
    fn text_after(&self, nouns: &[String]) -> String {
        if let Some(tail) = self.tail {
            return tail.to_owned();
        }
        let words: Vec<_> = self.head.split_whitespace().collect();
        let is_noun = |word: &&str| {
            nouns
                .iter()
                .any(|noun| singular(&bare(word)) == singular(noun))
        };
        let start = words.iter().position(is_noun).map_or(0, |place| place + 1);
        let rest = words.get(start..).unwrap_or_default();
        let filler = ["to", "called", "named"];
        let rest = match rest {
            [first, rest @ ..] if filler.contains(first) => rest,
            rest => rest,
        };
        rest.join(" ")
    }
}

/// The call of a tool with these values, as far as its schema has places for them.
fn fit(tool: &ToolSpec, number: Option<i64>, text: &str) -> Understood {
    let empty = Map::new();
    let properties = tool.parameters["properties"].as_object().unwrap_or(&empty);
    let required: Vec<&str> = tool.parameters["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut arguments = Map::new();
    if let Some(number) = number
        && let Some(name) =
            pick(properties, &required, "integer").or_else(|| pick(properties, &required, "number"))
    {
        arguments.insert(name.to_owned(), number.into());
    }
    if !text.is_empty()
        // A number that has found its place is not a text as well.
        && (arguments.is_empty() || text.parse::<i64>().is_err())
        && let Some(name) = pick(properties, &required, "string")
    {
        arguments.insert(name.to_owned(), text.into());
    }
    let missing: Vec<_> = required
        .iter()
        .filter(|name| !arguments.contains_key(**name))
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        return Understood::Unclear(format!(
            "For `{}` I need {} as well. Try for instance *add a task: buy milk* or \
             *complete task 2*, or give JSON: `use {} {{…}}`.",
            tool.name,
            missing.join(" and "),
            tool.name
        ));
    }
    Understood::Call {
        name: tool.name.clone(),
        arguments: Value::Object(arguments).to_string(),
    }
}

/// The property of this type that a value goes to: a required one, then one with a likely name,
/// then any.
fn pick<'a>(properties: &'a Map<String, Value>, required: &[&str], kind: &str) -> Option<&'a str> {
    let rank = |name: &str| {
        let likely = TEXT_NAMES.iter().position(|known| *known == name);
        (!required.contains(&name), likely.unwrap_or(usize::MAX))
    };
    properties
        .iter()
        .filter(|(_, schema)| has_type(schema, kind) && schema.get("enum").is_none())
        .map(|(name, _)| name.as_str())
        .min_by_key(|name| rank(name))
}

/// `"type": "string"` or `"type": ["string", "null"]`.
fn has_type(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(name) => name == kind,
        Value::Array(names) => names.iter().any(|name| name == kind),
        _ => false,
    }
}

/// The words of a tool's name: `addTask`, `add_task` and `add-task` alike.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for character in name.chars() {
        let is_boundary = !character.is_ascii_alphanumeric() || character.is_ascii_uppercase();
        if is_boundary && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(String::new());
        }
        if character.is_ascii_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.push(character.to_ascii_lowercase());
        }
    }
    parts
}

/// A word without the marks around it, in lower case.
fn bare(word: &str) -> String {
    word.trim_matches(|mark: char| !mark.is_alphanumeric())
        .to_lowercase()
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}
