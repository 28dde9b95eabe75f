//! The turn as a table of inputs and effects, and what holds for any order of inputs.

use std::{cell::Cell, collections::VecDeque};

use proptest::prelude::*;
use protocol::{Event, ItemUpdate, JsonObject, ThreadId, ThreadItem, ThreadMetadata, ThreadStatus};

use super::*;

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
        message: None,
        request: ModelRequest {
            model: "m".to_owned(),
            instructions: "be kind".to_owned(),
            input: vec![ModelInput::User("buy milk, please".into())],
            tools: Vec::new(),
            tool_choice: Some("add".to_owned()),
            locale: None,
            end_user: "u".to_owned(),
        },
        titles,
        limits: TurnLimits {
            tool_rounds: 2,
            tool_calls: 2,
            answer_bytes: 64,
            ..TurnLimits::default()
        },
    }
}

/// Plays inputs and collects the effects.
struct Play {
    turn: Turn,
    effects: Vec<Effect>,
}

impl Play {
    fn new(titles: Titles) -> Self {
        let mut out = VecDeque::new();
        let turn = Turn::start(start(titles), &mut out);
        Self {
            turn,
            effects: out.into(),
        }
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

    fn tool_done(self, output: &str) -> Self {
        self.on(Input::Tool(ToolEvent::Done {
            output: output.to_owned(),
            is_error: false,
        }))
    }

    /// One word an effect, so that a whole turn reads as a line.
    fn line(&self) -> String {
        self.effects.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn saved(&self) -> Vec<&ThreadItem> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Save(change) => Some(&change.put),
                _ => None,
            })
            .flatten()
            .collect()
    }

    fn saved_titles(&self) -> Vec<Option<&str>> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Save(Change {
                    title_if_none: Some(title),
                    ..
                }) => Some(Some(title.as_str())),
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
        Effect::Save(change) => format!(
            "save[{}{}]",
            change
                .put
                .iter()
                .map(|item| item.kind().as_str())
                .collect::<Vec<_>>()
                .join(","),
            if change.title_if_none.is_some() {
                "+thread"
            } else {
                ""
            }
        ),
        Effect::AskModel {
            may_use_tools: true,
            ..
        } => "ask".to_owned(),
        Effect::AskModel {
            may_use_tools: false,
            ..
        } => "ask-without-tools".to_owned(),
        Effect::AskTitle(_) => "ask-title".to_owned(),
        Effect::CallTool(call) => format!("call:{}", call.name),
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
                _ => "other-update",
            },
            Event::ItemDone { .. } => "done",
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
        "created options ask added part delta delta part-done save[assistant_message] done end"
    );
    let [ThreadItem::AssistantMessage(message)] = play.saved()[..] else {
        panic!("one message")
    };
    assert_eq!(message.content[0].text, "Hello");
    assert_eq!(message.thread_id, ThreadId::mint(1));
}

#[test]
fn tools_run_one_after_the_other_and_their_calls_are_kept_with_their_outputs() {
    let play = Play::new(Titles::Off)
        .text("Let me see.")
        .tool("add")
        .tool("list")
        .completed()
        .on(Input::Tool(ToolEvent::Progress("half way".to_owned())))
        .tool_done("added")
        .tool_done("milk")
        .text("Done.")
        .completed();
    assert_eq!(
        play.line(),
        "created options ask added part delta part-done save[assistant_message] done \
         progress call:add progress progress call:list \
         save[hidden_context_item,hidden_context_item] ask \
         added part delta part-done save[assistant_message] done end"
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
    assert_eq!(
        asked.input[1..],
        [
            ModelInput::Assistant("Let me see.".to_owned()),
            ModelInput::ToolCall(call("add")),
            ModelInput::ToolOutput {
                call_id: "call-add".to_owned(),
                output: "added".to_owned()
            },
            ModelInput::ToolCall(call("list")),
            ModelInput::ToolOutput {
                call_id: "call-list".to_owned(),
                output: "milk".to_owned()
            },
        ]
    );
    let kept: Vec<ThreadItem> = play.saved().into_iter().cloned().collect();
    let told_again = history::model_input(&kept);
    assert!(
        told_again[..5] == asked.input[1..],
        "the thread tells the model the same later"
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
            .tool_done("")
            .tool_done("");
    }
    assert_eq!(
        play.line(),
        "created options ask \
         progress call:a progress call:b save[hidden_context_item,hidden_context_item] ask \
         progress call:a progress call:b save[hidden_context_item,hidden_context_item] ask-without-tools"
    );
}

#[test]
fn a_tool_that_says_nothing_is_told_to_the_model() {
    let play = Play::new(Titles::Off)
        .tool("add")
        .completed()
        .on(Input::ToolEnded);
    let Some(Effect::AskModel { request, .. }) = play.effects.last() else {
        panic!("asks again")
    };
    assert!(
        matches!(request.input.last(), Some(ModelInput::ToolOutput { output, .. }) if output.contains("without a result"))
    );
}

#[test]
fn an_answer_that_grows_too_long_is_cut_kept_and_said_so() {
    let play = Play::new(Titles::Off)
        .text(&"x".repeat(40))
        .text(&"y".repeat(40));
    assert_eq!(
        play.line(),
        "created options ask added part delta delta part-done save[assistant_message] done notice end"
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
            play.line()
                .ends_with("part-done save[assistant_message] done error end"),
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
    let play = Play::new(Titles::Off).completed();
    assert_eq!(play.line(), "created options ask error end");
}

#[test]
fn stop_keeps_the_partial_answer_and_a_note_for_the_model() {
    let play = Play::new(Titles::Off).text("half").on(Input::Cancelled);
    assert!(
        play.line()
            .ends_with("delta save[assistant_message,sdk_hidden_context] end"),
        "{}",
        play.line()
    );

    let blank = Play::new(Titles::Off).text(" \n").on(Input::Cancelled);
    assert!(
        blank.line().ends_with("delta save[sdk_hidden_context] end"),
        "{}",
        blank.line()
    );

    let between = Play::new(Titles::Off)
        .tool("a")
        .tool("b")
        .completed()
        .tool_done("x")
        .on(Input::Cancelled);
    assert!(
        between
            .line()
            .ends_with("save[hidden_context_item,sdk_hidden_context] end"),
        "what a tool did is kept: {}",
        between.line()
    );
}

#[test]
fn what_cannot_be_saved_is_told() {
    let play = Play::new(Titles::Off).text("half").on(Input::SaveFailed {
        is_storage_full: false,
    });
    assert!(play.line().ends_with("delta error end"), "{}", play.line());
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
        play.turn.on(
            Input::SaveFailed {
                is_storage_full: false,
            },
            &moment,
            &mut waiting,
        );
        play.effects.extend(waiting);
        assert!(
            play.line()
                .ends_with("part-done save[assistant_message] error end"),
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
         save[assistant_message+thread] done end"
    );
    assert_eq!(early.saved_titles(), [Some("Buying milk")]);

    let late = Play::new(Titles::Model).text("a").completed().on(title());
    assert_eq!(
        late.line(),
        "created options ask-title ask added part delta part-done \
         save[assistant_message] done thread save[+thread] end"
    );
    assert_eq!(late.saved_titles(), [Some("Buying milk")]);
}

#[test]
fn a_title_that_does_not_come_is_made_of_the_first_words() {
    let table: [fn(Play) -> Play; 4] = [
        |play| play.text("a").completed().on(Input::TimedOut),
        |play| play.text("a").completed().on(Input::Title(None)),
        |play| play.text("a").on(Input::Cancelled),
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
        2 => any::<bool>().prop_map(|is_truncated| Input::Model(ModelEvent::Completed { is_truncated, usage: None })),
        1 => made(|| Input::Model(ModelEvent::UrlCitation { url: String::new(), title: String::new(), index: None })),
        1 => made(|| Input::ModelFailed(ModelError::TimedOut)),
        1 => made(|| Input::ModelEnded),
        1 => made(|| Input::Tool(ToolEvent::Progress("p".to_owned()))),
        2 => any::<bool>().prop_map(|is_error| Input::Tool(ToolEvent::Done { output: "o".to_owned(), is_error })),
        1 => made(|| Input::ToolEnded),
        1 => prop::option::of("[a-z]{0,9}").prop_map(Input::Title),
        1 => made(|| Input::SaveFailed { is_storage_full: false }),
        1 => made(|| Input::TimedOut),
        1 => made(|| Input::Cancelled),
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
                Effect::Save(change) => {
                    prop_assert!(!change.is_empty());
                    for item in &change.put {
                        prop_assert!(!saved.contains(item.id()), "saved twice: {}", play.line());
                        saved.push(item.id().clone());
                    }
                }
                Effect::End => ends += 1,
                _ => {}
            }
        }
        prop_assert_eq!(play.turn.is_ended(), ends == 1);
    }
}
