//! Tools that the provider runs by itself: what their events and items say of them.
//!
//! Source: the "Web search", "File search", "Code interpreter" and "Image generation" guides of OpenAI's API, and the
//! "Streaming events" page of its reference.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use engine::ports::{BuiltinEvent, BuiltinState, BuiltinWork, ModelEvent, WebSource};
use serde_json::Value;

use super::text::Place;
use crate::openai::{lenient, pictures, stream::Events};

/// More calls than this in one answer are not shown.
const MAX_CALLS: usize = 256;
/// More queries, sources, files or logs than this of one call are not shown.
const MAX_ENTRIES: usize = 64;

/// The types of their items, with the fields that are given back with calls of our own tools: a thought is refused
/// without what it led to.
const ITEMS: [(&str, &[&str]); 4] = [
    ("web_search_call", &["type", "id", "status", "action"]),
    (
        "file_search_call",
        &["type", "id", "status", "queries", "results"],
    ),
    (
        "code_interpreter_call",
        &["type", "id", "status", "code", "container_id", "outputs"],
    ),
    ("image_generation_call", &["type", "id", "status", "result"]),
];

/// The calls of one answer, by their ids.
#[derive(Debug, Default)]
pub(super) struct Builtins(HashMap<String, Known>);

/// What was told last of a call.
#[derive(Debug)]
struct Known {
    state: BuiltinState,
    /// Without its picture.
    work: BuiltinWork,
    /// A fingerprint of the picture.
    picture: Option<u64>,
}

/// The fields to give back of an item that is the call of such a tool.
pub(super) fn fields(item: &Value) -> Option<&'static [&'static str]> {
    let kind = item["type"].as_str()?;
    let known = ITEMS.iter().find(|(name, _)| *name == kind);
    known.map(|(_, fields)| *fields)
}

impl Builtins {
    /// An event whose type is `response.<item>.<what>`, or one about an item's program. Whether it is such an event.
    pub(super) fn event(&mut self, kind: &str, event: &Value, events: &mut Events) -> bool {
        let Some((name, what)) = kind
            .strip_prefix("response.")
            .and_then(|rest| rest.split_once('.'))
        else {
            return false;
        };
        let Some(mut work) = empty(name) else {
            return false;
        };
        let mut state = match what {
            "completed" => BuiltinState::Done,
            "failed" => BuiltinState::Failed,
            _ => BuiltinState::Working,
        };
        match (&mut work, what) {
            // Programs are shown when they are written.
            (BuiltinWork::CodeInterpreter { .. }, "delta") => return true,
            (BuiltinWork::CodeInterpreter { code, .. }, "done") => {
                *code = lenient::text(&event["code"]).into_owned();
            }
            (BuiltinWork::ImageGeneration { image }, "partial_image") => {
                *image = pictures::read(&event["partial_image_b64"], true);
            }
            // The picture comes with the item.
            (BuiltinWork::ImageGeneration { .. }, "completed") => state = BuiltinState::Working,
            _ => {}
        }
        self.tell(&Place::of(event), state, work, events);
        true
    }

    /// An item that was announced, or is complete.
    pub(super) fn item(&mut self, place: &Place, item: &Value, is_done: bool, events: &mut Events) {
        let Some(mut work) = item["type"].as_str().and_then(empty) else {
            return;
        };
        let texts = |list: &Value| {
            let texts = lenient::list(list).iter().map(lenient::text);
            let texts = texts.filter(|text| !text.is_empty()).take(MAX_ENTRIES);
            texts.map(std::borrow::Cow::into_owned).collect::<Vec<_>>()
        };
        match &mut work {
            BuiltinWork::WebSearch { queries, sources } => {
                let action = &item["action"];
                *queries = texts(&action["queries"]);
                for name in ["query", "pattern"] {
                    let text = lenient::text(&action[name]);
                    if queries.is_empty() && !text.is_empty() {
                        queries.push(text.into_owned());
                    }
                }
                let pages = std::iter::once(action).chain(lenient::list(&action["sources"]));
                for page in pages.take(MAX_ENTRIES) {
                    let url = lenient::text(&page["url"]);
                    if !url.is_empty() {
                        sources.push(WebSource {
                            url: url.into_owned(),
                            title: lenient::text(&page["title"]).into_owned(),
                        });
                    }
                }
            }
            BuiltinWork::FileSearch { queries, files } => {
                *queries = texts(&item["queries"]);
                for result in lenient::list(&item["results"]).iter().take(MAX_ENTRIES) {
                    let name = lenient::text(&result["filename"]).into_owned();
                    if !name.is_empty() && !files.contains(&name) {
                        files.push(name);
                    }
                }
            }
            BuiltinWork::CodeInterpreter { code, logs } => {
                *code = lenient::text(&item["code"]).into_owned();
                for output in lenient::list(&item["outputs"]).iter().take(MAX_ENTRIES) {
                    let text = lenient::text(&output["logs"]);
                    if !text.is_empty() {
                        logs.push(text.into_owned());
                    }
                }
            }
            BuiltinWork::ImageGeneration { image } => {
                *image = pictures::read(&item["result"], false);
            }
        }
        let state = match item["status"].as_str() {
            Some("failed" | "incomplete" | "cancelled") => BuiltinState::Failed,
            _ if is_done => BuiltinState::Done,
            _ => BuiltinState::Working,
        };
        self.tell(place, state, work, events);
    }

    /// Tells what is new.
    fn tell(&mut self, place: &Place, state: BuiltinState, work: BuiltinWork, events: &mut Events) {
        let id = match (&place.item, place.output) {
            (Some(id), _) => id.clone(),
            (None, Some(output)) => format!("item_{output}"),
            (None, None) => return,
        };
        let known = self.0.get(&id);
        if known.is_none() && self.0.len() >= MAX_CALLS {
            return;
        }
        let mut event = BuiltinEvent { id, state, work };
        let mut picture = fingerprint(&event.work);
        if let Some(known) = known {
            // What has ended does not begin again.
            if known.state != BuiltinState::Working {
                event.state = known.state;
            }
            keep(&mut event.work, &known.work);
            let has_news = picture.is_some() && picture != known.picture;
            if known.state == event.state && !has_news && without_picture(&event.work) == known.work
            {
                return;
            }
            picture = picture.or(known.picture);
        }
        let known = Known {
            state: event.state,
            work: without_picture(&event.work),
            picture,
        };
        self.0.insert(event.id.clone(), known);
        events.push_back(ModelEvent::Builtin(event));
    }
}

fn fingerprint(work: &BuiltinWork) -> Option<u64> {
    let BuiltinWork::ImageGeneration { image: Some(image) } = work else {
        return None;
    };
    let mut hasher = DefaultHasher::new();
    (&image.bytes, image.is_partial).hash(&mut hasher);
    Some(hasher.finish())
}

fn without_picture(work: &BuiltinWork) -> BuiltinWork {
    match work {
        BuiltinWork::ImageGeneration { .. } => BuiltinWork::ImageGeneration { image: None },
        other => other.clone(),
    }
}

/// Work of which nothing is known, by the name of its item.
fn empty(name: &str) -> Option<BuiltinWork> {
    Some(match name {
        "web_search_call" => BuiltinWork::WebSearch {
            queries: Vec::new(),
            sources: Vec::new(),
        },
        "file_search_call" => BuiltinWork::FileSearch {
            queries: Vec::new(),
            files: Vec::new(),
        },
        "code_interpreter_call" | "code_interpreter_call_code" => BuiltinWork::CodeInterpreter {
            code: String::new(),
            logs: Vec::new(),
        },
        "image_generation_call" => BuiltinWork::ImageGeneration { image: None },
        _ => return None,
    })
}

/// What is known already and not said again.
fn keep(new: &mut BuiltinWork, known: &BuiltinWork) {
    fn fill<T: Clone>(new: &mut Vec<T>, known: &[T]) {
        if new.is_empty() {
            *new = known.to_vec();
        }
    }
    match (new, known) {
        (
            BuiltinWork::WebSearch { queries, sources },
            BuiltinWork::WebSearch {
                queries: known_queries,
                sources: known_sources,
            },
        ) => {
            fill(queries, known_queries);
            fill(sources, known_sources);
        }
        (
            BuiltinWork::FileSearch { queries, files },
            BuiltinWork::FileSearch {
                queries: known_queries,
                files: known_files,
            },
        ) => {
            fill(queries, known_queries);
            fill(files, known_files);
        }
        (
            BuiltinWork::CodeInterpreter { code, logs },
            BuiltinWork::CodeInterpreter {
                code: known_code,
                logs: known_logs,
            },
        ) => {
            if code.is_empty() {
                code.clone_from(known_code);
            }
            fill(logs, known_logs);
        }
        // A picture comes once for each of its forms.
        _ => {}
    }
}
