//! What a model's server has refused, and is not sent any more.
//!
//! Servers that are only compatible refuse parameters that OpenAI's has, and OpenAI's refuses some that others want. All
//! of these are sent of our own accord, so a question goes without them rather than not at all: a refusal that names
//! one of them as unknown, or a tool whose schema the server does not take, leaves it out and asks again. What has helped
//! is remembered for that model, for a while: servers are mended, and several may stand behind one address.

use std::hash::{DefaultHasher, Hash, Hasher};

use engine::ports::{ModelError, ToolSpec};
use serde_json::Value;

use super::failure::{self, Complaint};

/// Lists in place of texts for the results of tools, which some servers of the Responses API do not know.
pub(super) const OUTPUT_LISTS: &str = "lists in results";

/// Tools of any kind, of which some servers and some models know nothing.
pub(super) const TOOLS: &str = "tools";
/// Calls of tools in the conversation where no tools are offered with it.
pub(super) const CALLS: &str = "calls without tools";
/// The ids of calls as models gave them.
pub(super) const IDS: &str = "ids of calls";
/// Instructions in a message of their own role.
pub(super) const SYSTEM: &str = "instructions as such";
/// An empty text beside calls.
pub(super) const EMPTY_CONTENT: &str = "an empty text";
/// Neighbours of other roles than a chat template wants.
pub(super) const NEIGHBOURS: &str = "roles that do not alternate";
/// Descriptions of tools that are longer than some servers take.
pub(super) const DESCRIPTIONS: &str = "long descriptions of tools";
/// What a schema has inside: some servers make a grammar of all of them together, and fail without a word of which.
pub(super) const SCHEMAS: &str = "schemas of tools";

/// The names under which an answer's length is asked for, each of which some servers refuse.
pub(super) const OUTPUT_FIELDS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// Parameters that may be left out, beside [`OUTPUT_FIELDS`], of which one always stays: what an answer may cost is not
/// for the server to say.
const OPTIONAL: [&str; 13] = [
    // The model then chooses by itself, which is better than no answer.
    "tool_choice",
    "stream_options",
    "parallel_tool_calls",
    "user",
    "safety_identifier",
    "include",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "thinking_blocks",
    "extra_content",
    "store",
    "strict",
];

/// What stands for a model's thoughts: what asks for them, and where they are given back.
pub(super) const THOUGHTS: [&str; 6] = [
    "include",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "extra_content",
];

/// Names that are words of English, too: they are taken for a parameter's name only where they stand as one.
const WORDS: [&str; 5] = ["user", "include", "reasoning", "store", "strict"];

/// The field of a call's message that some servers demand.
pub(super) const THOUGHT: &str = "reasoning_content";
/// The same in the words of the Responses API.
const THOUGHT_TEXT: &str = "reasoning_text";
/// How a refusal says that something is not there, in lower case.
const MISSING: [&str; 5] = [
    "missing",
    "required",
    "must be passed",
    "must include",
    "must be provided",
];
/// How a refusal names Gemini's signature of a call, in lower case.
const SIGNATURE: [&str; 2] = ["thought_signature", "thought signature"];
/// How a refusal says that a result lacks the name of its tool, in lower case.
const RESULT_NAME: [&str; 2] = ["function_response.name", "functionresponse.name"];

/// How a refusal says that a parameter is not known, rather than that its value is wrong, in lower case.
const UNKNOWN: [&str; 18] = [
    "unsupported",
    "not supported",
    "not support",
    "unrecognized",
    "unknown",
    "unexpected",
    "extra inputs",
    "extra_forbidden",
    "extra fields",
    "not permitted",
    "not allowed",
    "n't support",
    "not a valid",
    "should not exist",
    "不支持",
    "incompatible",
    "may not be enabled",
    "instead",
];

/// What is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refused {
    parameters: Vec<&'static str>,
    /// Names and schemas, as one number: a schema that has changed is tried again.
    tools: Vec<u64>,
    /// What has to be there.
    demands: Vec<Demand>,
    /// Whether a thought of this question cannot be read, so that it has to go without any: what sealed it may have been
    /// another account, or be gone.
    has_bad_thought: bool,
    /// Kinds of files.
    kinds: Vec<Kind>,
    /// Whether a file of this question cannot be read, so that it has to go without any.
    has_bad_file: bool,
    /// What was left out of this question in vain.
    vain: Vec<&'static str>,
}

/// What some servers want with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// A thought with each call, those of earlier turns as well, whose thoughts are gone.
    Thoughts,
    /// A signature of each call, those of other models and of earlier rounds as well.
    Signatures,
    /// The name of its tool in each result.
    Names,
}

impl Demand {
    /// What is refused where it is not there.
    const fn name(self) -> &'static str {
        match self {
            Self::Thoughts => "calls without `reasoning_content`",
            Self::Signatures => "calls without a signature",
            Self::Names => "results without a name",
        }
    }
}

/// What a model may not be able to take in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Document,
    Sound,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Image, Self::Document, Self::Sound];

    /// The types of its parts in both APIs.
    const fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["image_url", "input_image"],
            Self::Document => &["file", "input_file"],
            Self::Sound => &["input_audio"],
        }
    }

    /// How refusals speak of it, in lower case.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Image => &[
                "image",
                "vision",
                "multimodal",
                "multi-modal",
                "multi modal",
            ],
            Self::Document => &[
                "pdf",
                "document",
                "input_file",
                "file_data",
                "'file'",
                "`file`",
                "\"file\"",
                "file input",
                "file content",
            ],
            Self::Sound => &["audio", "sound"],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Document => "documents",
            Self::Sound => "sounds",
        }
    }
}

/// How a refusal names the id of a call, in lower case.
const CALL_ID: [&str; 6] = [
    "tool call id",
    "tool_call_id",
    "tool_use.id",
    "tool_use_id",
    "call_id",
    "].id",
];

/// How a refusal says that nothing is streamed, in lower case.
const NO_STREAM: [&str; 4] = [
    "verified to stream",
    "in streaming mode",
    "when streaming",
    "tools with stream",
];

/// How a chat template says that it knows no role for instructions, in lower case.
const TWO_ROLES: [&str; 3] = [
    "only user and assistant roles",
    "'user' or 'assistant'",
    "`user` or `assistant`",
];

/// How a refusal says that messages do not follow each other as a server wants it, in lower case.
const ORDER: [&str; 5] = [
    "roles must alternate",
    "roles should be alternating",
    "should alternate with",
    "after role 'tool'",
    "after role \"tool\"",
];

/// How a refusal names the role of instructions, in lower case.
const SYSTEM_ROLE: [&str; 10] = [
    "system role",
    "'system'",
    "\"system\"",
    "`system`",
    "system message",
    "system prompt",
    "'developer'",
    "\"developer\"",
    "developer instruction",
    "developer message",
];

/// How a refusal says that no tools are taken, in lower case.
const NO_TOOLS: [&str; 19] = [
    "param: tools",
    "'tools' is not",
    "tools is not supported",
    "--jinja",
    "argument supplied: tools",
    "\"body\",\"tools\"]",
    "'body', 'tools')",
    "tool call is not",
    "tool calls are not",
    "tool calling is not",
    "tool calling` is not",
    "function calling is not",
    "support tools",
    "support tool use",
    "support tool call",
    "support function call",
    "tools are not supported",
    "tool use is not supported",
    "\"auto\" tool choice requires",
];

/// How a refusal names a thought that was given back and cannot be read, in lower case.
const BAD_THOUGHT: [&str; 7] = [
    "encrypted content",
    "encrypted_content",
    "'rs_",
    "'reasoning'",
    "thinking` block",
    "signature",
    "content and thinking",
];

/// How a refusal says that a text is empty, in lower case.
const IS_EMPTY: [&str; 4] = ["empty", "blank", "non-whitespace", "at least 1 character"];

/// How a refusal speaks of what is inside of schemas, in lower case.
const OF_SCHEMAS: [&str; 2] = ["grammar", "schema"];

/// How a refusal says that it wants a text where a list of parts is, in lower case.
const WANTS_TEXT: [&str; 8] = [
    "must be a string",
    "valid string",
    "expected a string",
    "expected string",
    "to be a string",
    "value must be a string",
    "content type",
    "unknown variant",
];

/// How a refusal says that this one file is wrong, rather than that no file is taken, in lower case.
const BAD_FILE: [&str; 12] = [
    "invalid image",
    "invalid base64",
    "invalid pdf",
    "invalid file",
    "could not process",
    "unable to process",
    "cannot identify",
    "corrupt",
    "too large",
    "too many",
    "exceed",
    "failed to decode",
];

impl Refused {
    /// Leaves a parameter out from the beginning.
    pub(super) fn add(&mut self, name: &'static str) {
        if !self.parameters.contains(&name) {
            self.parameters.push(name);
        }
    }

    /// Shows no files of a kind from the beginning.
    pub(super) fn add_kind(&mut self, kind: Kind) {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    /// Whether a parameter is left out.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parameters.contains(&name)
    }

    /// Whether files of a kind may be shown.
    pub(super) fn takes(&self, kind: Kind) -> bool {
        !self.has_bad_file && !self.kinds.contains(&kind)
    }

    /// The same for the next question, whose files are others.
    pub(super) fn lasting(self) -> Self {
        Self {
            has_bad_file: false,
            has_bad_thought: false,
            vain: Vec::new(),
            ..self
        }
    }

    /// What was so before a parameter was left out for nothing; it is not tried again with this question. Only a parameter
    /// is taken back: where a tool is left out, the next one that is refused stands in its place, and is so in its words;
    /// and files that may not stand in a result may not stand beside it either.
    pub(super) fn without_change(self, before: Self) -> Self {
        if self.parameters == before.parameters
            || self.has(OUTPUT_LISTS) != before.has(OUTPUT_LISTS)
        {
            return self;
        }
        let known = &before.parameters;
        let vain = self.parameters.iter().filter(|name| !known.contains(name));
        Self {
            vain: before.vain.iter().chain(vain).copied().collect(),
            ..before
        }
    }

    /// Whether this has to be there.
    pub(super) fn demands(&self, what: Demand) -> bool {
        self.demands.contains(&what)
    }

    /// Whether the model is given back what it thought.
    pub(super) fn takes_thoughts(&self) -> bool {
        !self.has_bad_thought
    }

    /// Whether a tool is left out.
    pub(super) fn has_tool(&self, tool: &ToolSpec) -> bool {
        !self.tools.is_empty() && self.tools.contains(&fingerprint(tool))
    }

    /// Learns from a refusal of `body`, which offered `tools` among others; what it was, for the log. `None` where
    /// asking again would change nothing.
    pub(super) fn learn(
        &mut self,
        error: &ModelError,
        body: &str,
        tools: &[ToolSpec],
    ) -> Option<String> {
        let Complaint { words, param } = failure::complaint(error)?;
        let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
        let names_thought = [THOUGHT, THOUGHT_TEXT]
            .iter()
            .any(|name| names(&words, name));
        let demands = [
            (Demand::Thoughts, names_thought && says(&MISSING)),
            (Demand::Signatures, says(&SIGNATURE) && says(&MISSING)),
            (Demand::Names, says(&RESULT_NAME) && says(&IS_EMPTY)),
        ];
        if let Some((demand, _)) = demands.into_iter().find(|(_, is_meant)| *is_meant) {
            if self.demands(demand) {
                return None;
            }
            self.demands.push(demand);
            return Some(demand.name().to_owned());
        }
        let sent = Sent::of(body);
        // What a schema has inside may have a parameter's name.
        if !is_of_schema(&words) {
            if let Some(change) = self.learn_files(&words, &sent) {
                return Some(change);
            }
            let is_learnable = |name: &&'static str| {
                let is_length = OUTPUT_FIELDS.contains(name);
                let has_other = is_length && OUTPUT_FIELDS.iter().any(|other| self.has(other));
                !self.has(name) && !self.vain.contains(name) && !has_other && sent.has(name)
            };
            let named = OPTIONAL
                .into_iter()
                .chain(OUTPUT_FIELDS)
                .filter(is_learnable)
                .filter_map(|name| Some((distance(&words, &param, name)?, name)));
            // A refusal may list what would be taken as well.
            if let Some((_, name)) = named.min_by_key(|(distance, _)| *distance) {
                self.add(name);
                return Some(format!("the parameter `{name}`"));
            }
            if let Some(feature) = self.feature(&words, &param, &sent) {
                self.add(feature);
                return Some(feature.to_owned());
            }
            let is_named = sent.is_thought(&param) || (says(&BAD_THOUGHT) && sent.has_thoughts());
            if is_named && !self.has_bad_thought {
                self.has_bad_thought = true;
                return Some("a thought of this question".to_owned());
            }
        }
        if let Some(tool) = self.learn_tool(&format!("{param} {words}"), tools) {
            return Some(tool);
        }
        let mut left = [SCHEMAS, TOOLS].into_iter();
        let is_left = |name: &&str| !self.has(name) && !self.vain.contains(name);
        let left = left
            .find(is_left)
            .filter(|_| sent.has_tools() && says(&OF_SCHEMAS))?;
        self.add(left);
        Some(left.to_owned())
    }

    /// What the server does not know at all, though nothing is wrong with it.
    fn feature(&self, words: &str, param: &str, sent: &Sent) -> Option<&'static str> {
        let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
        let is_unknown = says(&UNKNOWN) || says(&["not enabled", "requires", "no endpoints"]);
        let is_of_role = param.is_empty() || param.contains("messages") || param.contains("role");
        let known = [
            (
                CALLS,
                sent.has_calls() && !sent.has_tools() && says(&["tool"]),
            ),
            (
                IDS,
                sent.has_calls()
                    && says(&CALL_ID)
                    && says(&["length", "pattern", "too long", "must be"]),
            ),
            (
                "stream",
                sent.streams() && (says(&NO_STREAM) || (param == "stream" && is_unknown)),
            ),
            (
                TOOLS,
                sent.has_tools()
                    && is_unknown
                    && (says(&NO_TOOLS) || (param == "tools" && !says(&["too long", "maximum"]))),
            ),
            (NEIGHBOURS, says(&ORDER)),
            (
                TOOLS,
                sent.has_calls() && sent.has_tools() && says(&["roles must alternate"]),
            ),
            (
                SYSTEM,
                sent.has_system()
                    && is_of_role
                    && (says(&TWO_ROLES) || is_near(words, &SYSTEM_ROLE)),
            ),
            (
                EMPTY_CONTENT,
                sent.has_empty_content()
                    && says(&IS_EMPTY)
                    && says(&["text", "content", "'assistant'"]),
            ),
            (
                DESCRIPTIONS,
                sent.has_tools() && says(&["description"]) && says(&["too long", "maximum"]),
            ),
        ];
        let mut missing = known
            .into_iter()
            .filter(|(name, is_meant)| *is_meant && !self.has(name) && !self.vain.contains(name));
        missing.next().map(|(name, _)| name)
    }

    /// Learns which files the model does not take, or that one of them is broken.
    fn learn_files(&mut self, words: &str, sent: &Sent) -> Option<String> {
        let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
        let kinds: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|kind| sent.has_part(*kind))
            .collect();
        let named: Vec<Kind> = kinds
            .iter()
            .copied()
            .filter(|kind| says(kind.words()))
            .collect();
        let wants_text = says(&WANTS_TEXT);
        if kinds.is_empty() || (named.is_empty() && !wants_text) {
            return None;
        }
        if says(&BAD_FILE) {
            self.has_bad_file = true;
            return Some("a file of this question".to_owned());
        }
        if sent.has_output_list() {
            self.add(OUTPUT_LISTS);
            return Some("files in the results of tools".to_owned());
        }
        let refused = if named.is_empty() { kinds } else { named };
        let names: Vec<&str> = refused.iter().map(|kind| kind.name()).collect();
        self.kinds.extend(refused);
        Some(names.join(" and "))
    }

    fn learn_tool(&mut self, words: &str, tools: &[ToolSpec]) -> Option<String> {
        if !is_of_schema(words) && index(words).is_none() {
            return None;
        }
        let mut offered = tools.iter().filter(|tool| !self.has_tool(tool));
        let is_quoted = |tool: &&ToolSpec| {
            let name = tool.name.to_ascii_lowercase();
            ["'", "\"", "`", "\\\""]
                .iter()
                .any(|quote| words.contains(&format!("{quote}{name}{quote}")))
        };
        let by_name = offered.clone().find(is_quoted);
        let tool = by_name.or_else(|| offered.nth(index(words)?))?;
        self.tools.push(fingerprint(tool));
        Some(format!("the tool `{}`", tool.name))
    }
}

/// What a question has, beside what people and tools have written.
struct Sent(Value);

impl Sent {
    fn of(body: &str) -> Self {
        Self(serde_json::from_str(body).unwrap_or_default())
    }

    fn entries(&self) -> impl Iterator<Item = &Value> {
        let list = |field: &str| self.0[field].as_array().into_iter().flatten();
        list("messages").chain(list("input"))
    }

    /// Whether a file of this kind is sent.
    fn has_part(&self, kind: Kind) -> bool {
        let contents = self
            .entries()
            .flat_map(|entry| [&entry["content"], &entry["output"]]);
        let mut parts = contents.filter_map(Value::as_array).flatten();
        parts.any(|part| kind.parts().iter().any(|name| part["type"] == *name))
    }

    /// Whether the result of a tool is a list.
    fn has_output_list(&self) -> bool {
        self.entries().any(|entry| entry["output"].is_array())
    }

    fn has_tools(&self) -> bool {
        self.0["tools"]
            .as_array()
            .is_some_and(|tools| !tools.is_empty())
    }

    fn has_calls(&self) -> bool {
        let is_call =
            |entry: &Value| entry["tool_calls"].is_array() || entry["type"] == "function_call";
        self.entries().any(is_call)
    }

    fn has_thoughts(&self) -> bool {
        let is_thought = |entry: &Value| {
            let calls = entry["tool_calls"].as_array().into_iter().flatten();
            let mut places = std::iter::once(entry).chain(calls);
            entry["type"] == "reasoning"
                || places.any(|place| THOUGHTS.iter().any(|field| place.get(field).is_some()))
        };
        self.entries().any(is_thought)
    }

    /// Whether a thought is at this place, or around it: `input[1].id`.
    fn is_thought(&self, place: &str) -> bool {
        let number = place
            .strip_prefix("input[")
            .and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
        number.is_some_and(|number| self.0["input"][number]["type"] == "reasoning")
    }

    fn has_system(&self) -> bool {
        let is_system =
            |entry: &Value| matches!(entry["role"].as_str(), Some("system" | "developer"));
        self.entries().any(is_system)
    }

    fn has_empty_content(&self) -> bool {
        self.entries().any(|entry| entry["content"] == "")
    }

    fn streams(&self) -> bool {
        self.0["stream"] == true
    }

    /// Whether something is sent under this name: in the question itself, in a message or its calls, or about a tool.
    fn has(&self, name: &str) -> bool {
        let list = |field: &str| self.0[field].as_array().into_iter().flatten();
        let calls = self
            .entries()
            .filter_map(|message| message["tool_calls"].as_array())
            .flatten();
        let tools = list("tools").flat_map(|tool| [tool, &tool["function"]]);
        std::iter::once(&self.0)
            .chain(self.entries())
            .chain(calls)
            .chain(tools)
            .any(|value| value.get(name).is_some())
    }
}

/// Whether a refusal is about a tool's schema.
fn is_of_schema(words: &str) -> bool {
    [
        "schema",
        "function_parameters",
        "function.parameters",
        "\"parameters\"",
    ]
    .iter()
    .any(|word| words.contains(word))
}

/// How far from the words that say so a parameter is named that a server does not know; `None` where it is not, or is
/// not said to be unknown.
fn distance(words: &str, param: &str, name: &str) -> Option<usize> {
    let unknown = || {
        let found = UNKNOWN.iter().flat_map(|text| words.match_indices(text));
        found.map(|(at, _)| at)
    };
    if name == "include" && words.contains("encrypted content") {
        return unknown().next();
    }
    // All that is in it is ours.
    if name == "include" && param.starts_with(name) {
        return Some(0);
    }
    // Summaries may be refused to an account rather than by a model.
    let is_denied = || name == "reasoning" && words.contains("must be verified");
    let is_param = param == name
        || param
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'));
    if is_param && (unknown().next().is_some() || is_denied()) {
        return Some(0);
    }
    // Proxies refuse what they have made of it.
    let other = if name == "reasoning" {
        "reasoning_effort"
    } else {
        name
    };
    places(words, name)
        .chain(places(words, other))
        .filter_map(|place| unknown().map(|at| at.abs_diff(place)).min())
        .min()
}

/// Whether one of these is called unknown, and not something else that is named beside it.
fn is_near(words: &str, texts: &[&str]) -> bool {
    const NEAR: usize = 40;
    let unknown = UNKNOWN.iter().flat_map(|text| words.match_indices(text));
    let unknown: Vec<usize> = unknown.map(|(at, _)| at).collect();
    let mut places = texts.iter().flat_map(|text| words.match_indices(text));
    places.any(|(at, _)| unknown.iter().any(|place| place.abs_diff(at) <= NEAR))
}

/// Whether a refusal, in lower case, names a parameter.
fn names(words: &str, name: &str) -> bool {
    places(words, name).next().is_some()
}

/// Where a refusal, in lower case, names a parameter.
fn places<'a>(words: &'a str, name: &'a str) -> impl Iterator<Item = usize> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let stands = move |(start, _): &(usize, &str)| {
        let start = *start;
        let before = words.get(..start).and_then(|text| text.chars().next_back());
        let after = words
            .get(start + name.len()..)
            .and_then(|text| text.chars().next());
        if WORDS.contains(&name) {
            let head = words.get(..start).unwrap_or_default();
            let is_mark = |mark: Option<char>| mark.is_some_and(|mark| "'\"`.\\[".contains(mark));
            let is_last = after.is_none() && head.ends_with(": ");
            let is_property = head.ends_with("property ");
            // `Unexpected role 'user'`
            let is_role = head.trim_end_matches(['\'', '"', '`']).ends_with("role ");
            (is_mark(before) && is_mark(after) && !is_role) || is_last || is_property
        } else {
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        }
    };
    words
        .match_indices(name)
        .filter(stands)
        .map(|(place, _)| place)
}

/// The place of the tool that a refusal is about: `tools[3]`, `tools.3`, `["body","tools",3]`.
fn index(words: &str) -> Option<usize> {
    // Gemini has one tool, in which all functions are.
    let mut places = words
        .match_indices("function_declarations")
        .chain(words.match_indices("tools"));
    places.find_map(|(start, name)| {
        let rest = words.get(start + name.len()..)?;
        let digits = rest.find(|mark: char| mark.is_ascii_digit())?;
        let between = rest.get(..digits)?;
        if between.is_empty() || !between.chars().all(|mark| "[]./\\\", ".contains(mark)) {
            return None;
        }
        let number: String = rest
            .get(digits..)?
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        number.parse().ok()
    })
}

fn fingerprint(tool: &ToolSpec) -> u64 {
    let mut hasher = DefaultHasher::new();
    tool.name.hash(&mut hasher);
    tool.parameters.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_named_where_it_stands_as_one() {
        for (words, name, expected) in [
            (
                "extra inputs are not permitted, field: 'stream_options'",
                "stream_options",
                true,
            ),
            (
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}"#,
                "stream_options",
                true,
            ),
            ("unknown parameter: stream_options", "stream_options", true),
            ("no stream_options_x here", "stream_options", false),
            (r#"{"param":"reasoning.summary"}"#, "reasoning", true),
            ("unknown field 'user'", "user", true),
            ("the user's message is empty", "user", false),
            ("unexpected role 'user' after role 'tool'", "user", false),
            ("unrecognized request argument supplied: user", "user", true),
            ("property user should not exist", "user", true),
            ("not supported: user messages", "user", false),
            ("reasoning is not what this model does", "reasoning", false),
            (
                "property 'messages.1.reasoning_content' is unsupported",
                "reasoning_content",
                true,
            ),
        ] {
            assert_eq!(names(words, name), expected, "{words}");
        }
    }

    #[test]
    fn the_parameter_that_is_called_unknown_is_the_nearest() {
        let words = "unknown `parallel_tool_calls`; allowed: tool_choice, stream_options";
        let near = |name| distance(words, "", name);
        assert!(near("parallel_tool_calls") < near("tool_choice"));
        assert_eq!(distance("no such thing as 'user'", "", "user"), None);
        assert_eq!(distance("not supported here", "store", "store"), Some(0));
        let unknown = "invalid value: 'web_search_call.action.sources'. supported values are: 'x'";
        assert_eq!(distance(unknown, "include[1]", "include"), Some(0));
        let of_proxy = "mistral does not support parameters: ['reasoning_effort']";
        assert!(distance(of_proxy, "", "reasoning").is_some());
        let sealed = "encrypted content is not supported with this model.";
        assert!(distance(sealed, "", "include").is_some());
    }

    #[test]
    fn what_people_and_schemas_say_is_not_what_is_sent() {
        let body = r#"{"user":"u","messages":[{"content":"{\"store\":1}","reasoning_content":"hm"}],
            "tools":[{"type":"function","function":{"strict":false,"parameters":{"properties":{"include":{}}}}}]}"#;
        let sent = Sent::of(body);
        for name in ["user", "reasoning_content", "strict"] {
            assert!(sent.has(name), "{name}");
        }
        for name in ["store", "include"] {
            assert!(!sent.has(name), "{name}");
        }
    }

    #[test]
    fn a_tool_is_found_by_its_place() {
        for (words, expected) in [
            ("invalid tools[3].function.parameters", Some(3)),
            ("tools.12.custom.input_schema: wrong", Some(12)),
            (r#""loc":["body","tools",0,"function"]"#, Some(0)),
            (
                "tools[0].function_declarations[2].parameters: cannot be empty",
                Some(2),
            ),
            ("tools: at most 128", None),
            ("no tool", None),
        ] {
            assert_eq!(index(words), expected, "{words}");
        }
    }
}
