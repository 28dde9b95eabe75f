//! What a model does before it answers, as the person sees it, and what waits for the person or the page.

use protocol::task::{StatusIndicator, Task, WorkflowKind, WorkflowSummary};

use protocol::AttachmentId;

use super::*;
use crate::{
    approval, history,
    pictures::NotKept,
    ports::{BuiltinEvent, BuiltinState, BuiltinWork, GeneratedImage},
};

fn thinks(play: Play, text: &str) -> Play {
    play.on(Input::Model(ModelEvent::ReasoningDelta(text.to_owned())))
}

/// The workflows that stand in the thread.
fn workflows(play: &Play) -> Vec<&protocol::task::Workflow> {
    let items = play.saved().into_iter();
    items
        .filter_map(|item| match item {
            ThreadItem::Workflow(item) => Some(&item.workflow),
            _ => None,
        })
        .collect()
}

fn draws(play: Play, id: &str, image: Option<bool>, state: BuiltinState) -> Play {
    let image = image.map(|is_partial| GeneratedImage {
        bytes: "picture".into(),
        media_type: "image/png",
        is_partial,
    });
    play.on(Input::Model(ModelEvent::Builtin(BuiltinEvent {
        id: id.to_owned(),
        state,
        work: BuiltinWork::ImageGeneration { image },
    })))
}

/// The item that the last picture is kept for.
fn drawn(play: &Play) -> ItemId {
    let wanted = play.effects.iter().rev().find_map(|effect| match effect {
        Effect::KeepImage(item, _) => Some(item.clone()),
        _ => None,
    });
    wanted.expect("a picture")
}

fn kept(play: Play, is_partial: bool, number: u128) -> Play {
    let item = drawn(&play);
    play.on(Input::ImageKept {
        item,
        is_partial,
        kept: Ok(AttachmentId::mint(number)),
    })
}

#[test]
fn a_picture_is_an_item_of_its_own_between_what_is_said() {
    let play = draws(Play::new(Titles::Off), "a", None, BuiltinState::Working);
    let play = draws(play.text("Here: "), "a", Some(true), BuiltinState::Working);
    let play = kept(play, true, 1);
    let play = draws(play, "a", Some(true), BuiltinState::Working);
    let play = kept(play, true, 2);
    let play = draws(play, "a", Some(false), BuiltinState::Done);
    let play = kept(play, false, 3).text("\n\n").text("a cat.").completed();
    assert_eq!(
        play.line(),
        "created options ask added task save[workflow] done added part delta part-done \
         save[assistant_message] done added keep-image other-update keep-image other-update \
         drop-image keep-image save[generated_image] done drop-image added part delta part-done \
         save[assistant_message+end] done end"
    );
    let image = play.saved().into_iter().find_map(crate::pictures::kept_in);
    assert_eq!(image, Some(AttachmentId::mint(3)));
}

#[test]
fn a_picture_that_is_not_kept_or_never_finished_leaves_nothing() {
    let play = draws(Play::new(Titles::Off), "a", Some(false), BuiltinState::Done);
    let item = drawn(&play);
    let play = play.on(Input::ImageKept {
        item,
        is_partial: false,
        kept: Err(NotKept::TooLarge),
    });
    assert_eq!(
        play.line(),
        "created options ask added keep-image removed notice"
    );
    let play = draws(
        Play::new(Titles::Off),
        "a",
        Some(true),
        BuiltinState::Working,
    );
    let play = kept(play, true, 1).text("Sorry.").completed();
    assert!(
        play.line().contains("removed drop-image"),
        "{}",
        play.line()
    );
    assert!(
        play.saved()
            .iter()
            .all(|item| item.kind().as_str() != "generated_image")
    );
}

#[test]
fn thoughts_and_calls_are_one_list_that_is_over_before_the_answer() {
    let play = thinks(Play::new(Titles::Off), "I should ");
    let play = thinks(play, "look.")
        .tool("look")
        .completed()
        .tool_done(0, "```\nmilk");
    let play = thinks(play, "Milk, then.").text("Milk.").completed();
    assert_eq!(
        play.line(),
        "created options ask added task save[hidden_context_item] task-changed task call:look \
         task-changed save[hidden_context_item] listen ask task task-changed save[workflow] done \
         added part delta part-done save[assistant_message+end] done end"
    );
    let [workflow] = workflows(&play)[..] else {
        panic!("one list")
    };
    assert_eq!(workflow.kind, WorkflowKind::Reasoning);
    assert!(matches!(
        workflow.summary,
        Some(WorkflowSummary::Duration(time)) if time.duration >= 1
    ));
    let [
        Task::Thought(first),
        Task::Custom(call),
        Task::Thought(last),
    ] = &workflow.tasks[..]
    else {
        panic!("{:?}", workflow.tasks)
    };
    assert_eq!(first.content, "I should look.");
    assert_eq!(last.content, "Milk, then.");
    assert_eq!(call.title.as_deref(), Some("look"));
    assert_eq!(call.status_indicator, StatusIndicator::Complete);
    assert_eq!(
        call.content.as_deref(),
        Some("Took 0.0 s\n\n````\n```\nmilk\n````\n\n")
    );
}

#[test]
fn a_long_thought_is_told_a_bounded_number_of_times() {
    let mut play = Play::new(Titles::Off);
    for _ in 0..20_000 {
        play = thinks(play, "word ");
    }
    let play = play.text("So.").completed();
    let told = play.line().matches("task-changed").count();
    assert!((10..200).contains(&told), "{told}");
    let [workflow] = workflows(&play)[..] else {
        panic!("one list")
    };
    let [Task::Thought(thought)] = &workflow.tasks[..] else {
        panic!("one thought")
    };
    assert!(thought.content.len() <= 64 << 10, "it is bounded");
}

#[test]
fn what_is_thought_while_speaking_does_not_cut_the_words_in_two() {
    let play = thinks(Play::new(Titles::Off).text("One "), "hm")
        .text("sentence.")
        .completed();
    let [ThreadItem::AssistantMessage(message)] = play.saved()[..] else {
        panic!("one message: {}", play.line())
    };
    assert_eq!(message.content[0].text, "One sentence.");
}

#[test]
fn a_list_that_was_cut_has_nothing_under_way() {
    let play = Play::new(Titles::Off)
        .tool("slow")
        .completed()
        .on(Input::Cancelled(Why::Stopped));
    let [workflow] = workflows(&play)[..] else {
        panic!("one list")
    };
    let [Task::Custom(call)] = &workflow.tasks[..] else {
        panic!("one call")
    };
    assert_eq!(call.status_indicator, StatusIndicator::None);
}

#[test]
fn a_call_that_needs_consent_asks_and_ends_the_turn() {
    let play = Play::new(Titles::Off)
        .tool("delete")
        .tool("list")
        .completed()
        .on(Input::Tool(0, ToolEvent::NeedsApproval))
        .tool_done(1, "files");
    assert_eq!(
        play.line(),
        "created options ask save[hidden_context_item,hidden_context_item] added task task \
         call:delete+list task-changed save[hidden_context_item] task-changed save[hidden_context_item] \
         save[workflow] done save[widget] done save[+end] end"
    );
    let saved = play.saved();
    let kept: Vec<_> = saved
        .iter()
        .filter_map(|item| history::kept_call(item))
        .collect();
    let [(delete, waiting), (_, listed)] = &kept[..] else {
        panic!("two calls")
    };
    assert_eq!(listed.awaits, None);
    let card = saved.iter().find_map(|item| match item {
        ThreadItem::Widget(card) => Some(card),
        _ => None,
    });
    let card = card.expect("a card");
    assert_eq!(waiting.awaits.as_ref(), Some(&card.id));
    let shown = serde_json::to_value(&card.widget).expect("json");
    let action = serde_json::from_value(shown["confirm"]["action"].clone()).expect("an action");
    let (_, about) = approval::decision(&action).expect("a decision");
    assert_eq!(
        about, delete.record,
        "the card is about this call and no other"
    );
}

#[test]
fn an_allowed_call_runs_first_and_its_result_takes_its_place() {
    let kept = Kept {
        call: call("delete"),
        record: ItemId::mint(7),
        at: thread().created_at,
        round: None,
    };
    let outcome = Outcome {
        output: history::ALLOWED.to_owned(),
        is_error: true,
        awaits: None,
    };
    let mut start = start(Titles::Off);
    let Question::Model { request, calls, .. } = &mut start.question else {
        panic!("a model's turn")
    };
    let record = history::tool_record(&thread().id, &kept, &outcome);
    request.input.extend(history::model_input(&[record]));
    calls.push(kept.clone());
    let play = Play::of(start)
        .tool_done(0, "deleted")
        .text("Done.")
        .completed();
    assert_eq!(
        play.line(),
        "created options added task call:delete task-changed save[hidden_context_item] listen ask \
         save[workflow] done added part delta part-done save[assistant_message+end] done end"
    );
    assert!(play.effects.iter().any(|effect| matches!(
        effect,
        Effect::CallTools {
            are_approved: true,
            ..
        }
    )));
    let asked = play.effects.iter().find_map(|effect| match effect {
        Effect::AskModel { request, .. } => Some(&request.input[1..]),
        _ => None,
    });
    let output = ModelInput::ToolOutput {
        call_id: "call-delete".to_owned(),
        output: "deleted".to_owned(),
        files: Vec::new(),
    };
    assert_eq!(
        asked,
        Some(&[ModelInput::ToolCall(call("delete")), output][..])
    );
    let (again, result) = history::kept_call(play.saved()[0]).expect("the record");
    assert_eq!(
        (again.record, result.output),
        (kept.record, "deleted".to_owned())
    );
}

#[test]
fn the_page_runs_one_tool_and_the_turn_ends_with_its_call() {
    let arguments = JsonObject::from_iter([("to".to_owned(), "b".into())]);
    let for_page = || ToolEvent::ForPage(arguments.clone());
    let play = Play::new(Titles::Off)
        .tool("move")
        .tool("paint")
        .completed()
        .on(Input::Tool(0, for_page()))
        .on(Input::Tool(1, for_page()));
    assert!(
        play.line().ends_with(
            "task-changed save[hidden_context_item] save[workflow] done \
             save[client_tool_call] done save[+end] end"
        ),
        "{}",
        play.line()
    );
    let saved = play.saved();
    let Some(ThreadItem::ClientToolCall(call)) = saved.last() else {
        panic!("the page's call comes last")
    };
    assert_eq!((call.name.as_str(), &call.arguments), ("move", &arguments));
    let other = saved.iter().find_map(|item| {
        let (kept, outcome) = history::kept_call(item)?;
        (kept.call.name == "paint").then_some(outcome)
    });
    assert!(
        other
            .expect("the other call")
            .output
            .contains("one tool at a time"),
        "the model may ask for it again"
    );
    let forgotten = play.effects.iter().any(|effect| match effect {
        Effect::Save(change) => !change.remove.is_empty(),
        _ => false,
    });
    assert!(
        forgotten,
        "the page's call is kept once, as an item that people see"
    );
}
