//! One answer as each provider streams it, whole and damaged.
//!
//! The files of `corpus` are written in the shapes that the providers document and that are known of them. All say the
//! same text and make the same call. Whatever happens to the fields beside these two, a person reads the text, whole and
//! once, and the call is made, whole and once.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::Value;

use super::*;

const TEXT: &str = "Grüße, 日本語 🙂 — **fine**.";
const CALL: (&str, &str) = ("add_task", r#"{"title":"牛乳 🥛"}"#);

/// Name, whether it is the Responses API, and what was streamed.
type Trace = (&'static str, bool, &'static str);

macro_rules! traces {
    ($is_responses:literal: $($name:literal),+ $(,)?) => {
        [$(($name, $is_responses, include_str!(concat!("../corpus/", $name, ".sse")))),+]
    };
}

const CHAT: [Trace; 16] = traces!(false:
    "anthropic", "azure", "cerebras", "deepseek", "gemini", "groq", "llama-cpp", "lm-studio", "mistral", "ollama",
    "openai-chat", "openrouter", "sglang", "together", "vllm", "xai",
);
const RESPONSES: [Trace; 3] =
    traces!(true: "llama-cpp-responses", "litellm-responses", "openai-responses");

fn all() -> Vec<Trace> {
    CHAT.into_iter().chain(RESPONSES).collect()
}

/// What was said, which calls were made, and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    text: String,
    reasoning: String,
    calls: Vec<(String, String)>,
    end: Option<bool>,
    error: Option<String>,
}

fn hear(is_responses: bool, trace: &[u8], size: usize) -> Heard {
    let events: Vec<_> = if is_responses {
        stream::told(
            responses::Decoder::new(Secrets::default(), None),
            trace,
            size,
        )
        .collect()
    } else {
        stream::told(
            chat_completions::Decoder::new(Secrets::default()),
            trace,
            size,
        )
        .collect()
    };
    let mut heard = Heard::default();
    for event in events {
        match event {
            Ok(ModelEvent::TextDelta(text)) => heard.text.push_str(&text),
            Ok(ModelEvent::ReasoningDelta(text)) => heard.reasoning.push_str(&text),
            Ok(ModelEvent::ToolCall(call)) => heard.calls.push((call.name, call.arguments)),
            Ok(ModelEvent::Completed { is_truncated, .. }) => heard.end = Some(is_truncated),
            Ok(_) => {}
            Err(error) => heard.error = Some(format!("{error:?}")),
        }
    }
    heard
}

#[test]
fn the_corpus_is_all_of_its_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/openai/corpus");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut names: Vec<String> = all()
        .iter()
        .map(|(name, ..)| format!("{name}.sse"))
        .collect();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn every_providers_answer_is_read_whole_wherever_it_is_cut() {
    for (name, is_responses, trace) in all() {
        let whole = hear(is_responses, trace.as_bytes(), usize::MAX);
        assert_eq!(whole.text, TEXT, "{name}");
        assert_eq!(
            whole.calls,
            [(CALL.0.to_owned(), CALL.1.to_owned())],
            "{name}"
        );
        assert_eq!((whole.end, &whole.error), (Some(false), &None), "{name}");
        for size in [1, 2, 3, 5, 17, 64] {
            assert_eq!(
                hear(is_responses, trace.as_bytes(), size),
                whole,
                "{name} by {size}"
            );
        }
    }
}

#[test]
fn thoughts_are_told_once_and_in_paragraphs() {
    for (name, is_responses, trace) in all() {
        let heard = hear(is_responses, trace.as_bytes(), 64);
        let expected = match name {
            "openai-responses" => "**Plan**\n\nDas ist leicht.\n\n**Check**\n\nJa.",
            "cerebras" | "deepseek" | "groq" | "mistral" | "ollama" | "openrouter" | "vllm"
            | "xai" => "Das ist leicht.",
            _ => "",
        };
        assert_eq!(heard.reasoning, expected, "{name}");
    }
}

/// JSON that remembers the order of its fields, and may have one of them twice.
#[derive(Debug, Clone)]
enum Node {
    Leaf(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(entries) => Self::List(entries.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Self::Map(fields.map(|(name, value)| (name, value.into())).collect())
            }
            leaf => Self::Leaf(leaf),
        }
    }
}

impl Node {
    fn write(&self, out: &mut String) {
        match self {
            Self::Leaf(value) => *out += &value.to_string(),
            Self::List(entries) => {
                out.push('[');
                for (place, entry) in entries.iter().enumerate() {
                    *out += if place == 0 { "" } else { "," };
                    entry.write(out);
                }
                out.push(']');
            }
            Self::Map(fields) => {
                out.push('{');
                for (place, (name, value)) in fields.iter().enumerate() {
                    *out += if place == 0 { "" } else { ", " };
                    *out += &Value::from(name.as_str()).to_string();
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The ways to all fields, as the places that lead there and the names on the way.
    fn ways(
        &self,
        places: &mut Vec<usize>,
        names: &mut Vec<String>,
        found: &mut Vec<(Vec<usize>, String)>,
    ) {
        match self {
            Self::Leaf(_) => {}
            Self::List(entries) => {
                for (place, entry) in entries.iter().enumerate() {
                    places.push(place);
                    entry.ways(places, names, found);
                    places.pop();
                }
            }
            Self::Map(fields) => {
                for (place, (name, value)) in fields.iter().enumerate() {
                    places.push(place);
                    names.push(name.clone());
                    found.push((places.clone(), names.join(".")));
                    value.ways(places, names, found);
                    places.pop();
                    names.pop();
                }
            }
        }
    }

    /// The fields of the object in which a way ends.
    fn home(&mut self, places: &[usize]) -> Option<&mut Vec<(String, Self)>> {
        match (self, places) {
            (Self::Map(fields), [_]) => Some(fields),
            (Self::Map(fields), [place, rest @ ..]) => fields.get_mut(*place)?.1.home(rest),
            (Self::List(entries), [place, rest @ ..]) => entries.get_mut(*place)?.home(rest),
            _ => None,
        }
    }
}

/// One event of a trace: the lines before its data, and the data where it is JSON.
#[derive(Debug, Clone)]
struct Frame {
    before: String,
    data: String,
    node: Option<Node>,
    /// Its type, and that of the item in it, before anything happened.
    kind: String,
    item: String,
}

fn frames(trace: &str) -> Vec<Frame> {
    let frames = trace.split("\n\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| {
            let (before, data) = frame.split_once("data: ").unwrap_or((frame, ""));
            let value = serde_json::from_str::<Value>(data).ok();
            let kind = |value: &Value| value["type"].as_str().unwrap_or_default().to_owned();
            Frame {
                before: before.to_owned(),
                data: data.to_owned(),
                kind: value.as_ref().map(kind).unwrap_or_default(),
                item: value
                    .as_ref()
                    .map(|value| kind(&value["item"]))
                    .unwrap_or_default(),
                node: value.map(Node::from),
            }
        })
        .collect()
}

/// What happens to a field.
#[derive(Debug, Clone)]
enum Harm {
    Null,
    Remove,
    /// As another type.
    Become(Value),
    /// There twice, the first time as something else.
    Double(Option<Value>),
    /// To the end of its object.
    Last,
    /// Into the event itself.
    Up,
    /// Half of it.
    Cut,
    /// With another one beside it that nobody knows.
    Neighbour(Value),
}

/// Whether the text or the call is in a field, or what ends the answer.
fn is_main(is_responses: bool, frame: &Frame, way: &str, is_cut: bool) -> bool {
    if !is_responses {
        return [
            "choices",
            "choices.delta",
            "choices.finish_reason",
            "choices.delta.refusal",
        ]
        .contains(&way)
            || way.starts_with("choices.delta.content")
            || way == "choices.delta.tool_calls"
            || way.starts_with("choices.delta.tool_calls.function");
    }
    match way {
        // The event's name says the same.
        "type" => is_cut || !frame.before.contains("event:"),
        "delta" => frame.kind == "response.output_text.delta",
        "item" | "item.type" | "item.name" | "item.arguments" => {
            frame.kind == "response.output_item.done" && frame.item == "function_call"
        }
        _ => false,
    }
}

/// Names that mean something wherever they stand.
const LOUD: [&str; 14] = [
    "arguments",
    "choices",
    "content",
    "delta",
    "error",
    "finish_reason",
    "function",
    "item",
    "name",
    "output",
    "refusal",
    "response",
    "text",
    "type",
];

fn harm(is_responses: bool, frame: &mut Frame, which: Index, harm: &Harm) {
    let Some(node) = frame.node.as_ref() else {
        return;
    };
    let mut ways = Vec::new();
    node.ways(&mut Vec::new(), &mut Vec::new(), &mut ways);
    // What keeps the meaning may happen to any field.
    let is_harmless = matches!(harm, Harm::Last | Harm::Double(_) | Harm::Neighbour(_));
    ways.retain(|(_, way)| {
        is_harmless || !is_main(is_responses, frame, way, matches!(harm, Harm::Cut))
    });
    if ways.is_empty() {
        return;
    }
    let (places, way) = which.get(&ways).clone();
    let is_main = is_main(is_responses, frame, &way, false);
    let Some(node) = frame.node.as_mut() else {
        return;
    };
    let Some((fields, place)) = node.home(&places).zip(places.last().copied()) else {
        return;
    };
    // An error that becomes something is one.
    let is_error = way.ends_with("error");
    match harm {
        Harm::Null => fields[place].1 = Node::Leaf(Value::Null),
        Harm::Remove => drop(fields.remove(place)),
        Harm::Become(_) if is_error => {}
        Harm::Become(value) => fields[place].1 = value.clone().into(),
        Harm::Double(first) => {
            let (name, value) = fields[place].clone();
            let first = first.clone().filter(|_| !is_main);
            let first = first.map_or(value, Node::from);
            fields.insert(place, (name, first));
        }
        Harm::Last => {
            let field = fields.remove(place);
            fields.push(field);
        }
        Harm::Up => {
            let field = fields.remove(place);
            let is_loud = LOUD.contains(&field.0.as_str());
            if let Some(Node::Map(fields)) = frame.node.as_mut()
                && !is_loud
                && !fields.iter().any(|(name, _)| *name == field.0)
            {
                fields.push(field);
            }
        }
        Harm::Cut => match &mut fields[place].1 {
            Node::Leaf(Value::String(text)) => {
                *text = text.chars().take(text.chars().count() / 2).collect();
            }
            Node::List(entries) => entries.truncate(entries.len() / 2),
            Node::Map(fields) => fields.truncate(fields.len() / 2),
            Node::Leaf(_) => {}
        },
        Harm::Neighbour(value) => fields.insert(place, ("x_new".to_owned(), value.clone().into())),
    }
}

fn written(frames: &[Frame], noise: &[(Index, &'static str)], line_end: &str) -> String {
    let mut parts: VecDeque<String> = frames
        .iter()
        .map(|frame| {
            let mut data = frame.data.clone();
            if let Some(node) = &frame.node {
                data.clear();
                node.write(&mut data);
            }
            match data.as_str() {
                "" => frame.before.clone(),
                data => format!("{}data: {data}", frame.before),
            }
        })
        .collect();
    for (place, noise) in noise {
        parts.insert(place.index(parts.len()), (*noise).to_owned());
    }
    let text: String = parts
        .iter()
        .flat_map(|part| [part.as_str(), "\n\n"])
        .collect();
    text.replace('\n', line_end)
}

fn any_value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!([]),
        json!({}),
        json!([7]),
        json!([[null]]),
        json!({ "x": 7 }),
        json!([{ "x": { "y": [] } }]),
    ])
}

fn any_harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::Null),
        Just(Harm::Remove),
        any_value().prop_map(Harm::Become),
        prop::option::of(any_value()).prop_map(Harm::Double),
        Just(Harm::Last),
        Just(Harm::Up),
        Just(Harm::Cut),
        any_value().prop_map(Harm::Neighbour),
    ]
}

fn any_noise() -> impl Strategy<Value = (Index, &'static str)> {
    let noise = prop::sample::select(vec![
        ": ping",
        "event: ping\ndata: {}",
        "event: ping\ndata: {\"type\": \"ping\"}",
        "data:",
        "data: null",
        "data: []",
        "data: {\"choices\":[]}",
        "data: {\"choices\":null,\"error\":null}",
        "id: 7\nretry: 3000",
        "data: {\"type\":\"response.something.new\",\"delta\":\"x\"}",
        "event: response.queued\ndata: {\"response\":null}",
    ]);
    (any::<Index>(), noise)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_beside_them_the_text_and_the_call_stay_whole(
        which in any::<Index>(),
        harms in vec((any::<Index>(), any::<Index>(), any_harm()), 0..8),
        noise in vec(any_noise(), 0..4),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        size in 1_usize..300,
    ) {
        let (name, is_responses, trace) = *which.get(&all());
        let mut frames = frames(trace);
        for (place, field, what) in &harms {
            let place = place.index(frames.len());
            harm(is_responses, &mut frames[place], *field, what);
        }
        let trace = written(&frames, &noise, line_end);
        let heard = hear(is_responses, trace.as_bytes(), size);
        prop_assert_eq!(&heard.text, TEXT, "{}: {:?}\n{}", name, heard, trace);
        prop_assert_eq!(&heard.calls, &[(CALL.0.to_owned(), CALL.1.to_owned())], "{}: {}", name, trace);
        prop_assert!(heard.end.is_some() && heard.error.is_none(), "{name}: {heard:?}\n{trace}");
    }

    #[test]
    fn one_field_at_a_time(which in any::<Index>(), place in any::<Index>(), field in any::<Index>(), what in any_harm()) {
        let (name, is_responses, trace) = *which.get(&all());
        let mut frames = frames(trace);
        let place = place.index(frames.len());
        harm(is_responses, &mut frames[place], field, &what);
        let trace = written(&frames, &[], "\n");
        let heard = hear(is_responses, trace.as_bytes(), usize::MAX);
        prop_assert_eq!(&heard.text, TEXT, "{} {:?}\n{}", name, what, trace);
        prop_assert_eq!(&heard.calls, &[(CALL.0.to_owned(), CALL.1.to_owned())], "{} {:?}\n{}", name, what, trace);
        prop_assert!(heard.end.is_some() && heard.error.is_none(), "{name} {what:?}: {heard:?}\n{trace}");
    }
}
