//! What a model does before it answers, as a person sees it: thoughts and tool calls are the tasks of one `workflow`
//! item, which is over when the model begins to speak.

use std::{
    collections::{HashMap, VecDeque},
    fmt::Write as _,
    time::Duration,
};

use protocol::{
    ItemId, ItemUpdate, ThreadItem, Timestamp,
    item::WorkflowItem,
    source::{FileSource, UrlSource},
    task::{
        CustomSummary, CustomTask, DurationSummary, FileTask, ImageTask, SearchTask,
        StatusIndicator, Task, ThoughtTask, Workflow, WorkflowKind, WorkflowSummary,
    },
};

use super::{Effect, tools::Outcome};
use crate::{
    ports::{BuiltinEvent, BuiltinState, BuiltinWork, Moment, ToolCall, WebSource},
    transcript::Transcript,
};

/// A thought is shown again when this much of it is new, and in a long one when an eighth is: each update tells all of
/// it.
const THOUGHT_BYTES: usize = 80;
const THOUGHT_SHARE: usize = 8;
/// How much of all thoughts of a turn is shown, in bytes.
const MAX_THOUGHT_BYTES: usize = 64 << 10;
/// How much of a call's arguments and of its result is shown, in bytes.
const MAX_ARGUMENTS: usize = 2_000;
const MAX_RESULT: usize = 4_000;
/// How many uses of the provider's own tools are shown in one list, and how many sources of each.
const MAX_BUILTINS: usize = 100;
const MAX_SOURCES: usize = 50;
/// How many tools are named in the line that is left.
const MAX_NAMES: usize = 3;
/// Seconds are told rounded.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// The item that is under way, where there is one.
#[derive(Debug, Default)]
pub(super) struct Activity {
    open: Option<Open>,
    /// Bytes of thoughts that were shown.
    thought_bytes: usize,
}

#[derive(Debug)]
struct Open {
    item: ItemId,
    kind: WorkflowKind,
    began: Timestamp,
    /// How many tasks it has.
    tasks: u32,
    thought: Option<OpenThought>,
    /// The names of the tools that were used, in order.
    names: Vec<String>,
    /// The tasks of the round that runs, by place.
    calls: Vec<OpenCall>,
    /// The tasks of the provider's own tools, by the provider's ids.
    builtins: HashMap<String, u32>,
}

#[derive(Debug)]
struct OpenThought {
    task: u32,
    text: String,
    /// How much of it was told.
    told: usize,
}

#[derive(Debug)]
struct OpenCall {
    task: u32,
    title: String,
    arguments: String,
    began: Timestamp,
}

impl Activity {
    /// The model thinks.
    pub(super) fn think(
        &mut self,
        delta: &str,
        transcript: &mut Transcript,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let room = MAX_THOUGHT_BYTES.saturating_sub(self.thought_bytes);
        let delta = delta
            .get(..delta.floor_char_boundary(room))
            .unwrap_or_default();
        self.thought_bytes += delta.len();
        let has_begun = self
            .open
            .as_ref()
            .is_some_and(|open| open.thought.is_some());
        if delta.is_empty() || (!has_begun && delta.trim().is_empty()) {
            return;
        }
        let open = self.open(WorkflowKind::Reasoning, transcript, moment, out);
        match &mut open.thought {
            None => {
                let task = thought(delta, StatusIndicator::Loading);
                let place = open.add(task, transcript, out);
                open.thought = Some(OpenThought {
                    task: place,
                    text: delta.to_owned(),
                    told: delta.len(),
                });
            }
            Some(thinking) => {
                thinking.text.push_str(delta);
                let new = thinking.text.len() - thinking.told;
                if new >= THOUGHT_BYTES.max(thinking.told / THOUGHT_SHARE) {
                    thinking.told = thinking.text.len();
                    let task = thought(&thinking.text, StatusIndicator::Loading);
                    let place = thinking.task;
                    open.change(place, task, transcript, out);
                }
            }
        }
    }

    /// Tools begin to run beside each other.
    pub(super) fn call(
        &mut self,
        calls: &[ToolCall],
        transcript: &mut Transcript,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let began = moment().now;
        let open = self.open(WorkflowKind::Custom, transcript, moment, out);
        open.end_thought(transcript, out);
        open.calls.clear();
        for call in calls {
            let arguments = match call.arguments.trim() {
                "" | "{}" => String::new(),
                arguments => fenced("json", arguments, MAX_ARGUMENTS),
            };
            let content = Some(arguments.clone()).filter(|text| !text.is_empty());
            let task = custom(call.name.clone(), content, StatusIndicator::Loading);
            let place = open.add(task, transcript, out);
            if !open.names.contains(&call.name) {
                open.names.push(call.name.clone());
            }
            open.calls.push(OpenCall {
                task: place,
                title: call.name.clone(),
                arguments,
                began,
            });
        }
    }

    /// The tool at this place of the round has come to its end.
    pub(super) fn called(
        &mut self,
        place: usize,
        outcome: &Outcome,
        transcript: &mut Transcript,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Some(open) = &self.open else {
            return;
        };
        let Some(call) = open.calls.get(place) else {
            return;
        };
        let took = between(call.began, moment().now).as_secs_f64();
        let mut content = call.arguments.clone();
        if outcome.awaits.is_none() {
            let verdict = if outcome.is_error {
                "Failed after"
            } else {
                "Took"
            };
            // Writing to a string cannot fail.
            let _ = write!(content, "{verdict} {took:.1} s\n\n");
        }
        content.push_str(&fenced("", &outcome.output, MAX_RESULT));
        let task = custom(call.title.clone(), Some(content), StatusIndicator::Complete);
        open.change(call.task, task, transcript, out);
    }

    /// A tool that the provider runs by itself has come this far.
    pub(super) fn builtin(
        &mut self,
        event: BuiltinEvent,
        transcript: &mut Transcript,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let open = self.open(WorkflowKind::Custom, transcript, moment, out);
        open.end_thought(transcript, out);
        let (name, task) = builtin_task(event.state, event.work);
        match open.builtins.get(&event.id) {
            Some(place) => open.change(*place, task, transcript, out),
            None if open.builtins.len() < MAX_BUILTINS => {
                let place = open.add(task, transcript, out);
                open.builtins.insert(event.id, place);
                if !open.names.iter().any(|other| other == name) {
                    open.names.push(name.to_owned());
                }
            }
            None => {}
        }
    }

    /// It is over: what is left is one line. The item, where there was one, is to be finished.
    pub(super) fn end(
        &mut self,
        transcript: &mut Transcript,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) -> Option<ThreadItem> {
        let mut open = self.open.take()?;
        open.end_thought(transcript, out);
        let summary = match open.kind {
            WorkflowKind::Reasoning => WorkflowSummary::Duration(DurationSummary {
                // A thought that took no time reads as a mistake.
                duration: (between(open.began, moment().now) + HALF_A_SECOND)
                    .as_secs()
                    .max(1),
            }),
            WorkflowKind::Custom => WorkflowSummary::Custom(CustomSummary {
                title: used(&open.names),
                icon: None,
            }),
        };
        let item = transcript.growing_mut(&open.item)?;
        if let ThreadItem::Workflow(item) = item {
            item.workflow.summary = Some(summary);
        }
        Some(item.clone())
    }

    fn open(
        &mut self,
        kind: WorkflowKind,
        transcript: &mut Transcript,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) -> &mut Open {
        self.open.get_or_insert_with(|| {
            let Moment { now, id } = moment();
            let item = WorkflowItem {
                id: ItemId::mint(id),
                thread_id: transcript.thread().id.clone(),
                created_at: now,
                workflow: Workflow {
                    kind,
                    tasks: Vec::new(),
                    summary: None,
                    expanded: false,
                },
            };
            let id = item.id.clone();
            transcript.begin(item.into(), out);
            Open {
                item: id,
                kind,
                began: now,
                tasks: 0,
                thought: None,
                names: Vec::new(),
                calls: Vec::new(),
                builtins: HashMap::new(),
            }
        })
    }
}

impl Open {
    /// Adds a task and gives its place.
    fn add(&mut self, task: Task, transcript: &mut Transcript, out: &mut VecDeque<Effect>) -> u32 {
        let task_index = self.tasks;
        self.tasks += 1;
        let update = ItemUpdate::TaskAdded { task_index, task };
        // It is a workflow, and it grows.
        let _ = transcript.update(&self.item, update, out);
        task_index
    }

    fn change(
        &self,
        task_index: u32,
        task: Task,
        transcript: &mut Transcript,
        out: &mut VecDeque<Effect>,
    ) {
        let update = ItemUpdate::TaskUpdated { task_index, task };
        // The task was added.
        let _ = transcript.update(&self.item, update, out);
    }

    fn end_thought(&mut self, transcript: &mut Transcript, out: &mut VecDeque<Effect>) {
        if let Some(thinking) = self.thought.take() {
            let task = thought(thinking.text.trim_end(), StatusIndicator::Complete);
            self.change(thinking.task, task, transcript, out);
        }
    }
}

/// A tool of the provider's own, by what people call it, as a task.
fn builtin_task(state: BuiltinState, work: BuiltinWork) -> (&'static str, Task) {
    let status_indicator = match state {
        BuiltinState::Working => StatusIndicator::Loading,
        BuiltinState::Done => StatusIndicator::Complete,
        BuiltinState::Failed => StatusIndicator::None,
    };
    match work {
        BuiltinWork::WebSearch { queries, sources } => {
            let url = |source: WebSource| UrlSource {
                title: if source.title.is_empty() {
                    source.url.clone()
                } else {
                    source.title
                },
                description: None,
                timestamp: None,
                group: None,
                url: source.url,
                attribution: None,
            };
            let task = SearchTask {
                status_indicator,
                title: None,
                title_query: queries.first().cloned(),
                queries,
                sources: sources.into_iter().take(MAX_SOURCES).map(url).collect(),
            };
            ("web search", task.into())
        }
        BuiltinWork::FileSearch { queries, files } => {
            let file = |name: String| FileSource {
                title: name.clone(),
                description: None,
                timestamp: None,
                group: None,
                filename: name,
            };
            let task = FileTask {
                status_indicator,
                title: queries.first().cloned(),
                sources: files.into_iter().take(MAX_SOURCES).map(file).collect(),
            };
            ("file search", task.into())
        }
        BuiltinWork::CodeInterpreter { code, logs } => {
            let mut content = String::new();
            if !code.is_empty() {
                content.push_str(&fenced("python", &code, MAX_RESULT));
            }
            if !logs.is_empty() {
                content.push_str(&fenced("", &logs.join("\n"), MAX_RESULT));
            }
            let content = Some(content).filter(|text| !text.is_empty());
            let name = "code interpreter";
            (name, custom(name.to_owned(), content, status_indicator))
        }
        BuiltinWork::ImageGeneration { .. } => {
            let name = "image generation";
            let task = ImageTask {
                status_indicator,
                title: Some(name.to_owned()),
            };
            (name, task.into())
        }
    }
}

fn thought(content: &str, status_indicator: StatusIndicator) -> Task {
    ThoughtTask {
        status_indicator,
        title: None,
        content: content.to_owned(),
    }
    .into()
}

fn custom(title: String, content: Option<String>, status_indicator: StatusIndicator) -> Task {
    CustomTask {
        status_indicator,
        title: Some(title),
        icon: None,
        content,
    }
    .into()
}

fn between(began: Timestamp, now: Timestamp) -> Duration {
    let micros = now.as_microsecond().saturating_sub(began.as_microsecond());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// "Used a, b and 2 more".
fn used(names: &[String]) -> String {
    let named = names.iter().take(MAX_NAMES);
    let mut text = format!(
        "Used {}",
        named.map(String::as_str).collect::<Vec<_>>().join(", ")
    );
    if let Some(more) = names.len().checked_sub(MAX_NAMES).filter(|more| *more > 0) {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {more} more");
    }
    text
}

/// A block of code that nothing in the text can end.
pub(crate) fn fenced(language: &str, text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most);
    let (shown, cut) = match text.get(..end) {
        Some(shown) if end < text.len() => (shown, "\n…"),
        _ => (text, ""),
    };
    let mut longest = 2;
    let mut run = 0;
    for character in shown.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence}{language}\n{shown}{cut}\n{fence}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_inside_ends_a_block_of_code() {
        assert_eq!(fenced("json", "{}", 10), "```json\n{}\n```\n\n");
        assert_eq!(fenced("", "a ```` b", 10), "`````\na ```` b\n`````\n\n");
        assert_eq!(fenced("", "äöü", 3), "```\nä\n…\n```\n\n");
    }

    #[test]
    fn the_line_that_is_left_names_few_tools() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(used(&names[..1]), "Used a");
        assert_eq!(used(&names), "Used a, b, c and 2 more");
    }
}
