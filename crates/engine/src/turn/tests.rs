//! The turn as a table of inputs and effects, and what holds for any order of inputs.

use std::{cell::Cell, collections::VecDeque};

use proptest::prelude::*;
use protocol::{
    Event, ItemId, ItemUpdate, JsonObject, ThreadId, ThreadItem, ThreadMetadata, ThreadStatus,
    event::ErrorEvent,
    item::{InferenceOptions, UserContent, UserMessageItem},
};

use super::*;
use crate::{
    ports::{BuiltinEvent, BuiltinState, BuiltinWork, FileContent, ModelInput, Thought, ToolFile},
    words::Words,
};

mod activity;
mod agent;
mod words;

fn thread() -> ThreadMetadata {
    ThreadMetadata {
        id: ThreadId::mint(1),
        title: None,
        created_at: "2026-11-23T12:00:00Z".parse().expect("a time"),
        status: ThreadStatus::Active,
        allowed_image_domains: None,
        metadata: JsonObject::new(),
    }
}

fn start(titles: Titles) -> Start {
    Start {
        thread: thread(),
        is_new: true,
        told: Vec::new(),
        question: Question::Model {
            request: Box::new(ModelRequest {
                model: "m".to_owned(),
                instructions: "be kind".to_owned(),
                input: vec![ModelInput::User("buy milk, please".into())],
                tools: Vec::new(),
                tool_choice: Some("add".to_owned()),
                max_output_tokens: None,
                locale: None,
                end_user: "u".to_owned(),
                may_use_builtins: true,
            }),
            calls: Vec::new(),
            display: Display::default(),
        },
        titles,
        limits: TurnLimits {
            tool_rounds: 2,
            tool_calls: 2,
            answer_bytes: 64,
            tool_bytes: 64,
            ..TurnLimits::default()
        },
        language: Language::English,
    }
}

/// Plays inputs and collects the effects.
struct Play {
    turn: Turn,
    effects: Vec<Effect>,
    /// What the person says while tools run.
    said: Vec<ThreadItem>,
}

impl Play {
    fn new(titles: Titles) -> Self {
        Self::of(start(titles))
    }

    fn of(start: Start) -> Self {
        let mut out = VecDeque::new();
        let moment = || Moment {
            now: thread().created_at,
            id: 90,
        };
        let turn = Turn::start(start, &moment, &mut out);
        Self {
            turn,
            effects: out.into(),
            said: Vec::new(),
        }
    }

    /// Has the person say something, which is heard when the turn listens the next time.
    fn says(mut self, text: &str) -> Self {
        let message = UserMessageItem {
            id: ItemId::mint(50 + self.said.len() as u128),
            thread_id: thread().id,
            created_at: thread().created_at,
            content: vec![UserContent::Text {
                text: text.to_owned(),
            }],
            attachments: Vec::new(),
            quoted_text: None,
            inference_options: InferenceOptions::default(),
        };
        self.said.push(message.into());
        self
    }

    fn on(mut self, input: Input) -> Self {
        let mut out = VecDeque::new();
        let next = Cell::new(100 + self.effects.len() as u128);
        let moment = || {
            next.set(next.get() + 1);
            Moment {
                now: thread().created_at,
                id: next.get(),
            }
        };
        self.turn.on(input, &moment, &mut out);
        if out.back() == Some(&Effect::Listen) {
            let said = std::mem::take(&mut self.said);
            self.turn.on(Input::Heard(said), &moment, &mut out);
        }
        self.effects.extend(out);
        self
    }

    fn text(self, text: &str) -> Self {
        self.on(Input::Model(ModelEvent::TextDelta(text.to_owned())))
    }

    fn tool(self, name: &str) -> Self {
        self.on(Input::Model(ModelEvent::ToolCall(call(name))))
    }

    fn completed(self) -> Self {
        self.on(Input::Model(ModelEvent::Completed {
            is_truncated: false,
            usage: None,
        }))
    }

    fn tool_done(self, place: usize, output: &str) -> Self {
        self.on(Input::Tool(place, ToolEvent::done(output, false)))
    }

    /// One word an effect, so that a whole turn reads as a line.
    fn line(&self) -> String {
        self.effects.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// What stands in the thread: an item that is saved again takes its own place.
    fn saved(&self) -> Vec<&ThreadItem> {
        let mut saved: Vec<&ThreadItem> = Vec::new();
        for effect in &self.effects {
            let Effect::Save(change) = effect else {
                continue;
            };
            for item in &change.put {
                match saved.iter_mut().find(|other| other.id() == item.id()) {
                    Some(place) => *place = item,
                    None => saved.push(item),
                }
            }
        }
        saved
    }

    fn saved_titles(&self) -> Vec<Option<&str>> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Save(change) => change.title_if_none.as_deref().map(Some),
                _ => None,
            })
            .collect()
    }

    fn error(&self) -> Option<&ErrorEvent> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Emit(Event::Error(error)) => Some(error),
            _ => None,
        })
    }
}

fn call(name: &str) -> ToolCall {
    ToolCall {
        call_id: format!("call-{name}"),
        name: name.to_owned(),
        arguments: "{}".to_owned(),
    }
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Save(change) => {
            let items = change.put.iter().map(|item| item.kind().as_str());
            let title = change.title_if_none.as_ref().map(|_| "+title");
            let end = change.end.map(|_| "+end");
            let words: Vec<_> = items.chain(title).chain(end).collect();
            format!("save[{}]", words.join(",").replace(",+", "+"))
        }
        Effect::AskModel {
            may_use_tools: true,
            ..
        } => "ask".to_owned(),
        Effect::AskModel {
            may_use_tools: false,
            ..
        } => "ask-without-tools".to_owned(),
        Effect::AskTitle(_) => "ask-title".to_owned(),
        Effect::AskAgent(_) => "ask-agent".to_owned(),
        Effect::CallTools { calls, .. } => {
            let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
            format!("call:{}", names.join("+"))
        }
        Effect::KeepImage(..) => "keep-image".to_owned(),
        Effect::DropImage(_) => "drop-image".to_owned(),
        Effect::Ask(asked) => format!("ask {}", asked.asking.server),
        Effect::Listen => "listen".to_owned(),
        Effect::Owe(end) => format!("owe {end:?}"),
        Effect::End => "end".to_owned(),
        Effect::Emit(event) => match event {
            Event::ThreadCreated { .. } => "created",
            Event::ThreadUpdated { .. } => "thread",
            Event::ItemAdded { .. } => "added",
            Event::ItemUpdated { update, .. } => match update {
                ItemUpdate::ContentPartAdded { .. } => "part",
                ItemUpdate::TextDelta { .. } => "delta",
                ItemUpdate::AnnotationAdded { .. } => "cite",
                ItemUpdate::ContentPartDone { .. } => "part-done",
                ItemUpdate::TaskAdded { .. } => "task",
                ItemUpdate::TaskUpdated { .. } => "task-changed",
                _ => "other-update",
            },
            Event::ItemDone { .. } => "done",
            Event::ItemRemoved { .. } => "removed",
            Event::StreamOptions { .. } => "options",
            Event::ProgressUpdate { .. } => "progress",
            Event::Error(_) => "error",
            Event::Notice(_) => "notice",
            _ => "other",
        }
        .to_owned(),
    }
}

#[test]
fn an_answer_is_saved_before_it_is_called_done() {
    let play = Play::new(Titles::Off).text("Hel").text("lo").completed();
    assert_eq!(
        play.line(),
        "created options ask added part delta delta part-done save[assistant_message+end] done end"
    );
    let [ThreadItem::AssistantMessage(message)] = play.saved()[..] else {
        panic!("one message")
    };
    assert_eq!(message.content[0].text, "Hello");
    assert_eq!(message.thread_id, ThreadId::mint(1));
}

#[test]
fn tools_run_beside_each_other_and_are_told_as_one_answer() {
    let play = Play::new(Titles::Off)
        .text("Let me see.")
        .tool("add")
        .tool("list")
        .completed()
        .on(Input::Tool(1, ToolEvent::Progress("half way".to_owned())))
        .tool_done(1, "milk")
        .on(Input::ToolEnded(1))
        .tool_done(1, "more milk")
        .tool_done(0, "added")
        .text("Done.")
        .completed();
    assert_eq!(
        play.line(),
        "created options ask added part delta part-done \
         save[assistant_message,hidden_context_item,hidden_context_item] done \
         added task task call:add+list progress task-changed save[hidden_context_item] \
         task-changed save[hidden_context_item] listen ask save[workflow] done \
         added part delta part-done save[assistant_message+end] done end"
    );
    let asked = play.effects.iter().rev().find_map(|effect| match effect {
        Effect::AskModel { request, .. } => Some(request),
        _ => None,
    });
    let asked = asked.expect("a second question");
    assert_eq!(
        asked.tool_choice, None,
        "the user's choice holds for the first round"
    );
    let output = |name: &str, output: &str| ModelInput::ToolOutput {
        call_id: format!("call-{name}"),
        output: output.to_owned(),
        files: Vec::new(),
    };
    let text = || ModelInput::Assistant("Let me see.".to_owned());
    let [add, list] = ["add", "list"].map(|name| ModelInput::ToolCall(call(name)));
    let [added, milk] = [output("add", "added"), output("list", "milk")];
    assert_eq!(
        asked.input[1..],
        [
            text(),
            add.clone(),
            list.clone(),
            added.clone(),
            milk.clone()
        ],
        "in the model's order, whichever was faster"
    );
    let kept: Vec<ThreadItem> = play.saved().into_iter().cloned().collect();
    assert_eq!(
        history::model_input(&kept)[..5],
        [text(), add, list, added, milk],
        "a later turn is told the same"
    );
}

#[test]
fn what_the_model_thought_is_told_where_it_came() {
    let thought = |text: &str| ModelEvent::Thought(Thought(text.to_owned()));
    let play = Play::new(Titles::Off)
        .on(Input::Model(thought("plan")))
        .text("Let me see.")
        .on(Input::Model(thought("first")))
        .tool("a")
        .on(Input::Model(thought("second")))
        .tool("b")
        .on(Input::Model(thought("leads to nothing")))
        .completed()
        .tool_done(0, "")
        .tool_done(1, "");
    let Some(Effect::AskModel { request, .. }) = play.effects.last() else {
        panic!("asks again")
    };
    let told: Vec<_> = request.input[1..]
        .iter()
        .map(|input| match input {
            ModelInput::Thought(thought) => thought.0.as_str(),
            ModelInput::Assistant(text) => text,
            ModelInput::ToolCall(call) => &call.name,
            _ => "output",
        })
        .collect();
    assert_eq!(
        told,
        [
            "plan",
            "Let me see.",
            "first",
            "a",
            "second",
            "b",
            "output",
            "output"
        ]
    );
    assert!(
        play.saved()
            .iter()
            .all(|item| !format!("{item:?}").contains("plan")),
        "it is not kept"
    );
    let huge = "x".repeat(2 << 20);
    let play = Play::new(Titles::Off)
        .on(Input::Model(thought(&huge)))
        .tool("a")
        .completed()
        .tool_done(0, "");
    let Some(Effect::AskModel { request, .. }) = play.effects.last() else {
        panic!("asks again")
    };
    assert_eq!(
        request.input.len(),
        3,
        "more than fits is not kept in memory"
    );
}

#[test]
fn rounds_and_calls_are_bounded() {
    let mut play = Play::new(Titles::Off);
    for _ in 0..2 {
        play = play
            .tool("a")
            .tool("b")
            .tool("c")
            .completed()
            .tool_done(0, "")
            .tool_done(1, "");
    }
    assert_eq!(
        play.line(),
        "created options ask \
         save[hidden_context_item,hidden_context_item] added task task call:a+b \
         task-changed save[hidden_context_item] task-changed save[hidden_context_item] listen ask \
         save[hidden_context_item,hidden_context_item] task task call:a+b \
         task-changed save[hidden_context_item] task-changed save[hidden_context_item] listen ask-without-tools"
    );
}

#[test]
fn calls_after_the_last_round_are_not_acted_on_and_the_person_reads_why() {
    let two_rounds = || {
        Play::new(Titles::Off)
            .tool("a")
            .completed()
            .tool_done(0, "")
            .tool("a")
            .completed()
            .tool_done(0, "")
    };
    let silent = two_rounds().tool("a").completed();
    assert!(
        silent
            .line()
            .ends_with("ask-without-tools save[workflow+end] done error end"),
        "{}",
        silent.line()
    );
    let error = silent.error().expect("an error event");
    assert!(!error.allow_retry, "the tools would act once more");
    let message = error.message.as_deref().unwrap_or_default();
    assert!(message.contains("tools as often as it may"), "{message}");

    let talkative = two_rounds().text("So far…").tool("a").completed();
    assert!(
        talkative
            .line()
            .ends_with("save[assistant_message+end] done notice end"),
        "{}",
        talkative.line()
    );
    let obedient = two_rounds().text("Done.").completed();
    assert!(
        obedient
            .line()
            .ends_with("save[assistant_message+end] done end"),
        "{}",
        obedient.line()
    );
}

#[test]
fn without_rounds_the_model_never_hears_of_tools() {
    let mut start = start(Titles::Off);
    start.limits.tool_rounds = 0;
    let play = Play::of(start).tool("a").completed();
    assert_eq!(
        play.line(),
        "created options ask-without-tools save[+end] error end"
    );
}

#[test]
fn results_are_cut_where_the_turn_has_no_more_room_and_end_the_use_of_tools() {
    let play = Play::new(Titles::Off)
        .tool("a")
        .completed()
        .tool_done(0, &"é".repeat(100));
    let Some(Effect::AskModel {
        request,
        may_use_tools: false,
    }) = play.effects.last()
    else {
        panic!("asks once more: {}", play.line())
    };
    let Some(ModelInput::ToolOutput { output, .. }) = request.input.last() else {
        panic!("the result comes last")
    };
    let (kept, note) = output.split_once('\n').expect("a note");
    assert_eq!(kept, "é".repeat(30), "64 bytes, less 3 for the call");
    assert!(note.contains("140 more bytes"), "{note}");
}

#[test]
fn files_of_a_result_are_shown_in_this_turn_as_far_as_there_is_room_and_not_kept() {
    let file = |name: &str, bytes: usize| ToolFile {
        name: name.to_owned(),
        media_type: "image/png".to_owned(),
        content: FileContent::Image(vec![0; bytes].into()),
    };
    let done = ToolEvent::Done {
        output: "a plot".to_owned(),
        is_error: false,
        files: vec![file("huge", 17 << 20), file("first", 9 << 20)],
    };
    let next = ToolEvent::Done {
        output: "another".to_owned(),
        is_error: false,
        files: vec![file("second", 7 << 20), file("third", 1)],
    };
    let play = Play::new(Titles::Off)
        .tool("a")
        .tool("b")
        .completed()
        .on(Input::Tool(0, done))
        .on(Input::Tool(1, next));
    let Some(Effect::AskModel { request, .. }) = play.effects.last() else {
        panic!("asks once more: {}", play.line())
    };
    let shown: Vec<_> = request
        .input
        .iter()
        .filter_map(|input| match input {
            ModelInput::ToolOutput { output, files, .. } => {
                let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
                Some((output.as_str(), names))
            }
            _ => None,
        })
        .collect();
    let note =
        |output: &str| format!("{output}\n[there is no room to show you all files of this result]");
    let (first, second) = (note("a plot"), note("another"));
    assert_eq!(
        shown,
        [(&*first, vec!["first"]), (&*second, vec!["second"])]
    );
    let kept: Vec<ThreadItem> = play.saved().into_iter().cloned().collect();
    let told = history::model_input(&kept);
    assert!(!told.is_empty());
    assert!(told.iter().all(|input| match input {
        ModelInput::ToolOutput { files, .. } => files.is_empty(),
        _ => true,
    }));
    let bytes: usize = kept.iter().map(|item| format!("{item:?}").len()).sum();
    assert!(bytes < 10_000, "{bytes}");
}

#[test]
fn what_was_cut_off_is_not_acted_on() {
    let truncated = || {
        Input::Model(ModelEvent::Completed {
            is_truncated: true,
            usage: None,
        })
    };
    let play = Play::new(Titles::Off)
        .text("I'll")
        .tool("a")
        .on(truncated());
    assert!(
        play.line()
            .ends_with("save[assistant_message+end] done notice end"),
        "{}",
        play.line()
    );
    // A model can use up all it may write by thinking.
    let play = Play::new(Titles::Off).on(truncated());
    assert_eq!(play.line(), "created options ask save[+end] error end");
    let message = play.error().and_then(|error| error.message.as_deref());
    assert!(
        message.is_some_and(|message| message.contains("length limit")),
        "{message:?}"
    );
}

#[test]
fn citations_count_as_part_of_the_answer() {
    let cite = || {
        Input::Model(ModelEvent::UrlCitation {
            url: "https://example.com/".to_owned(),
            title: "Example".to_owned(),
            index: None,
        })
    };
    let play = Play::new(Titles::Off)
        .text("See")
        .on(cite())
        .on(cite())
        .on(cite());
    assert!(
        play.line()
            .ends_with("cite cite part-done save[assistant_message+end] done notice end"),
        "{}",
        play.line()
    );
}

#[test]
fn what_the_person_says_while_tools_run_is_saved_and_heard_before_the_model_is_asked_again() {
    let play = Play::new(Titles::Off)
        .tool("a")
        .completed()
        .says("in French, please")
        .tool_done(0, "bread")
        .text("Du pain.")
        .completed();
    assert!(
        play.line().ends_with(
            "call:a task-changed save[hidden_context_item] listen save[workflow] done \
             save[user_message] done ask added part delta part-done save[assistant_message+end] done end"
        ),
        "{}",
        play.line()
    );
    let unqueued = play.effects.iter().find_map(|effect| match effect {
        Effect::Save(change) => change.unqueue.clone(),
        _ => None,
    });
    assert_eq!(
        unqueued,
        Some(ItemId::mint(50)),
        "it does not wait any more"
    );
    let asked = play.effects.iter().rev().find_map(|effect| match effect {
        Effect::AskModel { request, .. } => request.input.last(),
        _ => None,
    });
    assert_eq!(asked, Some(&ModelInput::User("in French, please".into())));
}

#[test]
fn a_call_is_in_the_thread_before_its_tool_runs() {
    let play = Play::new(Titles::Off).tool("pay").completed();
    let kept: Vec<ThreadItem> = play.saved().into_iter().cloned().collect();
    let [
        ModelInput::ToolCall(_),
        ModelInput::ToolOutput { output, .. },
    ] = &history::model_input(&kept)[..]
    else {
        panic!("a call and what is known of its result")
    };
    assert!(
        output.contains("may or may not have done its work"),
        "{output}"
    );
}

#[test]
fn every_end_is_told_to_the_person_and_to_the_model() {
    let table = [
        (Why::Stopped, "notice", "You stopped", "user stopped"),
        (Why::Abandoned, "notice", "nobody was waiting", "user left"),
        (
            Why::Interrupted,
            "notice",
            "newer message",
            "sent another message",
        ),
        (Why::Shutdown, "error", "restarted", "did not stop it"),
        (
            Why::Revoked,
            "error",
            "session was ended",
            "did not stop it",
        ),
        (Why::Deleted, "error", "was deleted", "did not stop it"),
    ];
    for (why, kind, words, note) in table {
        let play = Play::new(Titles::Off)
            .text("half")
            .on(Input::Cancelled(why));
        assert!(
            play.line().ends_with(&format!(
                "part-done save[assistant_message,sdk_hidden_context+end] done {kind} end"
            )),
            "{why:?}: {}",
            play.line()
        );
        let last = play.effects.iter().rev().nth(1);
        let said = match last {
            Some(Effect::Emit(Event::Notice(notice))) => notice.message.clone(),
            Some(Effect::Emit(Event::Error(error))) => error.message.clone().unwrap_or_default(),
            other => panic!("{why:?}: {other:?}"),
        };
        assert!(said.contains(words), "{why:?}: {said}");
        let told = play.saved();
        let Some(ThreadItem::SdkHiddenContext(told)) = told.last() else {
            panic!("{why:?}: a note")
        };
        assert!(told.content.contains(note), "{why:?}: {}", told.content);
    }
}

#[test]
fn a_checkpoint_is_the_message_so_far_under_its_id_and_only_what_is_new() {
    let mut play = Play::new(Titles::Off);
    assert_eq!(play.turn.checkpoint(), None);
    play = play.text("half");
    assert!(play.turn.has_unsaved_text());
    let change = play.turn.checkpoint().expect("something new");
    let [ThreadItem::AssistantMessage(partial)] = &change.put[..] else {
        panic!("the message")
    };
    assert_eq!(
        (partial.content[0].text.as_str(), change.end),
        ("half", None)
    );
    assert!(!play.turn.has_unsaved_text());
    assert_eq!(play.turn.checkpoint(), None, "nothing is new");
    let play = play.text(" and half").completed();
    let [ThreadItem::AssistantMessage(whole)] = play.saved()[..] else {
        panic!("one message")
    };
    assert_eq!(
        (&whole.id, whole.content[0].text.as_str()),
        (&partial.id, "half and half")
    );
}

#[test]
fn long_answers_are_saved_in_ever_larger_pieces() {
    let mut start = start(Titles::Off);
    start.limits.answer_bytes = 1 << 20;
    let mut play = Play::of(start);
    let mut written = 0;
    for _ in 0..1024 {
        play = play.text(&"x".repeat(256));
        if play.turn.is_checkpoint_due() {
            let change = play.turn.checkpoint().expect("something new");
            let [ThreadItem::AssistantMessage(partial)] = &change.put[..] else {
                panic!("the message")
            };
            written += partial.content[0].text.len();
        }
    }
    // 256 KiB in steps of 4 KiB would write 8 MiB.
    assert!((1 << 20..4 << 20).contains(&written), "{written}");
}

#[test]
fn a_tool_that_says_nothing_is_told_to_the_model() {
    let play = Play::new(Titles::Off)
        .tool("add")
        .completed()
        .on(Input::ToolEnded(0));
    let Some(Effect::AskModel { request, .. }) = play.effects.last() else {
        panic!("asks again")
    };
    assert!(
        matches!(request.input.last(), Some(ModelInput::ToolOutput { output, .. }) if output.contains("without a result"))
    );
}

#[test]
fn a_conversation_that_is_too_long_for_the_model_is_shortened_once() {
    let too_long = || Input::ModelFailed(ModelError::TooLong("413".into()));
    let long = || {
        let mut start = start(Titles::Off);
        let said = |text: &str| ModelInput::User(text.into());
        let earlier = [said("1st"), said("2nd"), said("3rd"), said("4th")];
        let Question::Model { request, .. } = &mut start.question else {
            panic!("a model's turn")
        };
        request.input.splice(0..0, earlier);
        Play::of(start)
    };
    let asked = |play: &Play| {
        let asked = play.effects.iter().rev().find_map(|effect| match effect {
            Effect::AskModel { request, .. } => Some(request.input.clone()),
            _ => None,
        });
        asked.expect("a question")
    };
    let play = long().on(too_long());
    let told = asked(&play);
    assert!(
        matches!(&told[0], ModelInput::Context(note) if note.contains("left out")),
        "{told:?}"
    );
    assert_eq!(
        told[1..],
        ["3rd", "4th", "buy milk, please"].map(|text| ModelInput::User(text.into()))
    );
    let play = play.text("Fine.").completed();
    assert!(play.error().is_none(), "{}", play.line());

    let twice = long().on(too_long()).on(too_long());
    assert!(
        twice.line().ends_with("ask ask save[+end] error end"),
        "{}",
        twice.line()
    );
    let after_text = long().text("Hel").on(too_long());
    assert!(after_text.error().is_some(), "{}", after_text.line());
    let between = long()
        .tool("a")
        .completed()
        .says("in French")
        .tool_done(0, "bread")
        .on(too_long());
    let told = asked(&between);
    assert!(told.contains(&ModelInput::User("buy milk, please".into())));
    assert!(!told.contains(&ModelInput::User("1st".into())), "{told:?}");
    let nothing_earlier = Play::new(Titles::Off).on(too_long());
    assert!(nothing_earlier.error().is_some());
}

#[test]
fn an_answer_that_grows_too_long_is_cut_kept_and_said_so() {
    let play = Play::new(Titles::Off)
        .text(&"x".repeat(40))
        .text(&"y".repeat(40));
    assert_eq!(
        play.line(),
        "created options ask added part delta delta part-done save[assistant_message+end] done notice end"
    );
}

#[test]
fn every_failure_keeps_what_stands_and_says_what_to_do() {
    let source = || Box::<dyn std::error::Error + Send + Sync>::from("secret detail sk-123");
    let table = [
        (Input::ModelEnded, true),
        (Input::TimedOut, true),
        (Input::ModelFailed(ModelError::TimedOut), true),
        (Input::ModelFailed(ModelError::Unavailable(source())), true),
        (Input::ModelFailed(ModelError::RateLimited(source())), true),
        (Input::ModelFailed(ModelError::Malformed(source())), true),
        (
            Input::ModelFailed(ModelError::Misconfigured(source())),
            false,
        ),
        (Input::ModelFailed(ModelError::TooLong(source())), false),
        (Input::ModelFailed(ModelError::Declined(source())), false),
    ];
    for (input, allow_retry) in table {
        let name = format!("{input:?}");
        let play = Play::new(Titles::Off).text("half an ans").on(input);
        assert!(
            play.line().ends_with(
                "part-done save[assistant_message,sdk_hidden_context+end] done error end"
            ),
            "{name}: {}",
            play.line()
        );
        let error = play.error().expect("an error event");
        let message = error.message.as_deref().unwrap_or_default();
        assert_eq!(error.allow_retry, allow_retry, "{name}");
        assert!(
            message.ends_with('.') && !message.contains("sk-123"),
            "{name}: {message}"
        );
    }
}

#[test]
fn an_empty_answer_is_a_failure() {
    let nothing = "created options ask save[+end] error end";
    let play = Play::new(Titles::Off).completed();
    assert_eq!(play.line(), nothing);
    // A blank line is none, however many there are.
    let play = Play::new(Titles::Off).text("\n\n").text(" ").completed();
    assert_eq!(play.line(), nothing);
}

#[test]
fn what_turns_out_to_have_been_a_thought_is_shown_as_one() {
    let end = || Input::Model(ModelEvent::ThoughtEnd("</think>"));
    let play = Play::new(Titles::Off)
        .text("Let me see.\n")
        .on(end())
        .text("Hello")
        .completed();
    assert!(play.line().contains("delta removed"), "{}", play.line());
    let saved = serde_json::to_string(&play.saved()).unwrap();
    assert!(saved.contains(r#""text":"Hello""#), "{saved}");
    assert!(saved.contains("Let me see."), "{saved}");
    let last = serde_json::to_string(play.saved().last().unwrap()).unwrap();
    assert!(!last.contains("Let me see."), "{last}");
    // In code it is a word like any other.
    let play = Play::new(Titles::Off)
        .text("```html\n")
        .on(end())
        .text("\n```")
        .completed();
    let saved = serde_json::to_string(&play.saved()).unwrap();
    assert!(saved.contains(r"```html\n</think>\n```"), "{saved}");
}

#[test]
fn blank_lines_before_an_answer_or_a_call_are_no_part_of_it() {
    let play = Play::new(Titles::Off)
        .text("\n\n")
        .text("\n## Yes")
        .text("\n\nand\n")
        .completed();
    let saved = serde_json::to_string(play.saved()[0]).unwrap();
    assert!(saved.contains(r#""\n## Yes\n\nand\n""#), "{saved}");
    let play = Play::new(Titles::Off).text("\n\n").tool("a").completed();
    assert!(
        !play.line().contains("assistant_message"),
        "{}",
        play.line()
    );
}

#[test]
fn stop_keeps_the_partial_answer_and_a_note_for_the_model() {
    let play = Play::new(Titles::Off)
        .text("half")
        .on(Input::Cancelled(Why::Stopped));
    assert!(
        play.line().ends_with(
            "delta part-done save[assistant_message,sdk_hidden_context+end] done notice end"
        ),
        "{}",
        play.line()
    );

    let blank = Play::new(Titles::Off)
        .text(" \n")
        .on(Input::Cancelled(Why::Stopped));
    assert!(
        blank
            .line()
            .ends_with("ask save[sdk_hidden_context+end] notice end"),
        "{}",
        blank.line()
    );

    let between = Play::new(Titles::Off)
        .tool("a")
        .tool("b")
        .completed()
        .tool_done(0, "x")
        .on(Input::Cancelled(Why::Stopped));
    assert!(
        between.line().ends_with(
            "call:a+b task-changed save[hidden_context_item] \
             save[workflow,sdk_hidden_context+end] done notice end"
        ),
        "what a tool did is kept: {}",
        between.line()
    );
}

#[test]
fn what_cannot_be_saved_is_told() {
    let play = Play::new(Titles::Off)
        .text("half")
        .on(Input::SaveFailed(NotSaved::Failed));
    let line = play.line();
    assert!(line.ends_with("delta error owe Interrupted end"), "{line}");
}

/// A save fails while the effects behind it wait; the driver then tells the turn.
#[test]
fn an_answer_whose_last_save_fails_is_never_called_done() {
    for titles in [Titles::Off, Titles::Model] {
        let mut play = Play::new(titles).text("whole").completed();
        let save = play
            .effects
            .iter()
            .position(|effect| matches!(effect, Effect::Save(_)));
        let mut waiting: VecDeque<Effect> =
            play.effects.split_off(save.expect("a save") + 1).into();
        let moment = || Moment {
            now: thread().created_at,
            id: 7,
        };
        play.turn
            .on(Input::SaveFailed(NotSaved::Failed), &moment, &mut waiting);
        play.effects.extend(waiting);
        assert!(
            play.line().ends_with(if titles == Titles::Off {
                "part-done save[assistant_message+end] error owe Interrupted end"
            } else {
                "part-done save[assistant_message] error owe Interrupted end"
            }),
            "{}",
            play.line()
        );
    }
}

#[test]
fn a_title_comes_beside_the_answer_or_after_it() {
    let title = || Input::Title(Some("\"Buying milk\"".to_owned()));
    let early = Play::new(Titles::Model).text("a").on(title()).completed();
    assert_eq!(
        early.line(),
        "created options ask-title ask added part delta thread part-done \
         save[assistant_message+title+end] done end"
    );
    assert_eq!(early.saved_titles(), [Some("Buying milk")]);

    let late = Play::new(Titles::Model).text("a").completed().on(title());
    assert_eq!(
        late.line(),
        "created options ask-title ask added part delta part-done \
         save[assistant_message] done thread save[+title+end] end"
    );
    assert_eq!(late.saved_titles(), [Some("Buying milk")]);
}

#[test]
fn a_title_that_does_not_come_is_made_of_the_first_words() {
    let table: [fn(Play) -> Play; 4] = [
        |play| play.text("a").completed().on(Input::TimedOut),
        |play| play.text("a").completed().on(Input::Title(None)),
        |play| play.text("a").on(Input::Cancelled(Why::Stopped)),
        |play| play.on(Input::ModelEnded),
    ];
    for (row, script) in table.iter().enumerate() {
        let play = script(Play::new(Titles::Model));
        assert_eq!(
            play.saved_titles(),
            [Some("buy milk, please")],
            "row {row}: {}",
            play.line()
        );
        assert!(play.turn.is_ended());
    }
    assert_eq!(
        Play::new(Titles::FirstMessage)
            .text("a")
            .completed()
            .saved_titles(),
        [Some("buy milk, please")]
    );
    assert!(
        Play::new(Titles::Off)
            .text("a")
            .completed()
            .saved_titles()
            .is_empty()
    );
}

#[test]
fn citations_stand_where_the_text_is() {
    let cite = |index| {
        Input::Model(ModelEvent::UrlCitation {
            url: "https://example.com/".to_owned(),
            title: "Example".to_owned(),
            index,
        })
    };
    let play = Play::new(Titles::Off)
        .text("Grüße")
        .on(cite(None))
        .on(cite(Some(2)))
        .completed();
    let [ThreadItem::AssistantMessage(message)] = play.saved()[..] else {
        panic!("one message")
    };
    let positions: Vec<_> = message.content[0]
        .annotations
        .iter()
        .map(|cited| cited.index)
        .collect();
    assert_eq!(positions, [Some(5), Some(2)], "positions count characters");
    let before_any_text = Play::new(Titles::Off).on(cite(None));
    assert_eq!(before_any_text.line(), "created options ask");
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => "[a-z ]{1,12}".prop_map(|text| Input::Model(ModelEvent::TextDelta(text))),
        1 => made(|| Input::Model(ModelEvent::ReasoningDelta("hm".to_owned()))),
        1 => made(|| Input::Model(ModelEvent::ToolCall(call("t")))),
        1 => made(|| Input::Model(ModelEvent::Thought(Thought("t".to_owned())))),
        2 => any::<bool>().prop_map(|is_truncated| Input::Model(ModelEvent::Completed { is_truncated, usage: None })),
        1 => made(|| Input::Model(ModelEvent::UrlCitation { url: String::new(), title: String::new(), index: None })),
        1 => made(|| Input::ModelFailed(ModelError::TimedOut)),
        1 => made(|| Input::ModelEnded),
        1 => made(|| Input::Tool(0, ToolEvent::Progress("p".to_owned()))),
        2 => (0..3_usize, any::<bool>()).prop_map(|(place, is_error)| Input::Tool(place, ToolEvent::done("o", is_error))),
        1 => (0..3_usize).prop_map(Input::ToolEnded),
        1 => prop::option::of("[a-z]{0,9}").prop_map(Input::Title),
        1 => made(|| Input::SaveFailed(NotSaved::Failed)),
        1 => made(|| Input::TimedOut),
        1 => made(|| Input::Cancelled(Why::Stopped)),
        1 => made(|| Input::Cancelled(Why::Shutdown)),
    ]
}

/// A strategy for an input that cannot be cloned.
fn made(make: fn() -> Input) -> impl Strategy<Value = Input> {
    Just(()).prop_map(move |()| make())
}

proptest! {
    /// Whatever comes in whatever order: items are added before they are updated, updated before
    /// they are done, done once, saved before they are called done; the turn ends once and stays so.
    #[test]
    fn any_order_of_inputs_gives_a_valid_stream(
        titles in prop_oneof![Just(Titles::Off), Just(Titles::Model), Just(Titles::FirstMessage)],
        inputs in prop::collection::vec(any_input(), 0..40),
    ) {
        let mut play = Play::new(titles);
        for input in inputs {
            play = play.on(input);
        }
        let mut open = None;
        let mut saved = Vec::new();
        let mut ends = 0;
        for effect in &play.effects {
            prop_assert_eq!(ends, 0, "nothing comes after the end: {}", play.line());
            match effect {
                Effect::Emit(Event::ItemAdded { item }) => {
                    prop_assert_eq!(open.replace(item.id().clone()), None);
                }
                Effect::Emit(Event::ItemUpdated { item_id, .. }) => {
                    prop_assert_eq!(open.as_ref(), Some(item_id));
                }
                Effect::Emit(Event::ItemDone { item }) => {
                    prop_assert_eq!(open.take(), Some(item.id().clone()));
                    prop_assert!(saved.contains(item.id()));
                }
                Effect::Emit(Event::ItemRemoved { item_id }) => {
                    prop_assert_eq!(open.take(), Some(item_id.clone()));
                    prop_assert!(!saved.contains(item_id));
                }
                Effect::Save(change) => {
                    prop_assert!(!change.is_empty());
                    for item in &change.put {
                        // A call is saved before it runs, and again with its result.
                        let is_call = matches!(item, ThreadItem::HiddenContext(_));
                        prop_assert!(is_call || !saved.contains(item.id()), "saved twice: {}", play.line());
                        saved.push(item.id().clone());
                    }
                }
                Effect::End => ends += 1,
                _ => {}
            }
        }
        prop_assert_eq!(play.turn.is_ended(), ends == 1);
    }

    /// However a model behaves and whatever its tools give, a turn is finite: in questions to the
    /// model, in items and in bytes. A title is one question more, at most.
    #[test]
    fn no_model_and_no_tool_can_make_a_turn_larger_than_its_limits(
        tool_rounds in 0..4_u32,
        tool_calls in 0..4_usize,
        inputs in prop::collection::vec(
            prop_oneof![
                4 => "[a-z]{1,40}".prop_map(|name| Input::Model(ModelEvent::ToolCall(call(&name)))),
                3 => (0..4_usize, "[a-z]{0,40}").prop_map(|(place, output)| Input::Tool(place, ToolEvent::done(output, false))),
                2 => any_input(),
                3 => made(|| Input::Model(ModelEvent::Completed { is_truncated: false, usage: None })),
            ],
            0..120,
        ),
    ) {
        let mut start = start(Titles::Model);
        start.limits.tool_rounds = tool_rounds;
        start.limits.tool_calls = tool_calls;
        start.limits.tool_bytes = 500;
        let limits = start.limits;
        let mut play = Play::of(start);
        for input in inputs {
            play = play.on(input);
        }
        let count = |is: fn(&Effect) -> bool| play.effects.iter().filter(|effect| is(effect)).count();
        let rounds = tool_rounds as usize;
        let asked = count(|effect| matches!(effect, Effect::AskModel { .. }));
        prop_assert!(asked <= rounds + 1, "asked {asked} times");
        let titles = count(|effect| matches!(effect, Effect::AskTitle(_)));
        prop_assert!(titles <= 1);
        let called = |effect: &Effect| match effect {
            Effect::CallTools { calls, .. } => calls.len(),
            _ => 0,
        };
        let called: usize = play.effects.iter().map(called).sum();
        prop_assert!(called <= rounds * tool_calls, "called {called} tools");
        let saved = play.saved();
        // The calls, for each question a message and what was done before it, and a note that the person stopped it.
        prop_assert!(saved.len() <= rounds * tool_calls + 2 * (rounds + 1) + 1);
        let bytes: usize = saved
            .iter()
            .map(|item| match item {
                ThreadItem::AssistantMessage(message) => message.content.iter().map(|part| part.text.len()).sum(),
                ThreadItem::HiddenContext(hidden) => hidden.content.to_string().len(),
                _ => 0,
            })
            .sum();
        // JSON around each call, and the last delta of the answer.
        let around = saved.len() * 300;
        prop_assert!(bytes <= limits.tool_bytes + limits.answer_bytes + 12 + around, "{bytes}");
    }
}
