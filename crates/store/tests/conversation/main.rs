//! Whole conversations: requests in, events out, a real SQLite store in between, and models and
//! tools that follow a script.
#![cfg(test)]

mod asks;
mod deeds;
mod handing;
mod house;
mod line;
mod nodes;
mod runs;

use std::{sync::Arc, time::Duration};

use engine::{
    Answer, Error, Following, Reply, RequestContext, Titles, TurnLimits, Workflow,
    ports::{ModelInput, ToolCall, ToolEvent, ToolSpec, ToolStream, Tools},
};
use protocol::{Event, ThreadId, ThreadItem};
use serde_json::{Value, json};

use crate::house::*;

#[tokio::test]
async fn a_conversation_is_told_kept_and_remembered() {
    let house = House::new([
        vec![Step::Say("Hel"), Step::Say("lo"), Step::Done],
        vec![Step::Say("Fine"), Step::Done],
    ])
    .await;
    let events = house.turn("ada", create("hi")).await;
    let thread = created(&events).id;
    assert!(matches!(
        events[1],
        Event::ItemDone {
            item: ThreadItem::UserMessage(_)
        }
    ));
    assert!(matches!(events[2], Event::StreamOptions { .. }));
    assert!(matches!(
        events.last(),
        Some(Event::ItemDone {
            item: ThreadItem::AssistantMessage(_)
        })
    ));

    let more = json!({"type": "threads.add_user_message", "params": {"thread_id": thread, "input": input("how are you?")}});
    house.turn("ada", more).await;
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        [
            "user: hi",
            "assistant: Hello",
            "user: how are you?",
            "assistant: Fine"
        ]
    );
    let asked = house.model.asked();
    assert_eq!(
        asked[1].input,
        [
            ModelInput::Context("Plan: gold.".to_owned()),
            ModelInput::User("hi".into()),
            ModelInput::Assistant("Hello".to_owned()),
            ModelInput::User("how are you?".into()),
        ]
    );
    assert_eq!(asked[1].instructions, "be kind");
    assert_eq!(asked[1].tools.len(), 1);
}

#[tokio::test]
async fn tools_act_as_the_user_and_stay_hidden_from_the_page() {
    let house = House::new([
        vec![Step::Call("whoami"), Step::Done],
        vec![Step::Say("You are Ada."), Step::Done],
    ])
    .await;
    let events = house.turn("ada", create("who am I?")).await;
    let thread = created(&events).id;
    let progress: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::ProgressUpdate { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(progress, ["looking"]);
    assert!(events.iter().all(Event::is_visible_to_user));
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        [
            "user: who am I?",
            "workflow: Used whoami",
            "assistant: You are Ada."
        ]
    );
    let told = house.model.asked()[1].input.last().cloned();
    let output = "ada asked for whoami".to_owned();
    assert_eq!(
        told,
        Some(ModelInput::ToolOutput {
            call_id: "call-whoami".to_owned(),
            output,
            files: Vec::new(),
        })
    );
}

/// Tools of which none ends before all have begun.
struct Together(tokio::sync::Barrier);

#[async_trait::async_trait]
impl Tools for Together {
    async fn list(&self, _context: &RequestContext) -> Vec<ToolSpec> {
        Vec::new()
    }

    async fn call(
        &self,
        _context: &RequestContext,
        call: ToolCall,
        _is_approved: bool,
    ) -> ToolStream {
        self.0.wait().await;
        let done = ToolEvent::done(call.name, false);
        Box::pin(futures::stream::iter([done]))
    }
}

#[tokio::test]
async fn tools_of_one_answer_run_beside_each_other() {
    let names = ["a", "b", "c"];
    let mut calls: Vec<_> = names.map(Step::Call).to_vec();
    calls.push(Step::Done);
    let house = House::new([calls, vec![Step::Say("Done."), Step::Done]])
        .await
        .tools(Arc::new(Together(tokio::sync::Barrier::new(names.len()))));
    house.turn("ada", create("go")).await;
    let asked = house.model.asked();
    let told: Vec<_> = asked[1].input[2..]
        .iter()
        .map(|input| match input {
            ModelInput::ToolCall(call) => format!("call {}", call.name),
            ModelInput::ToolOutput { output, .. } => format!("output {output}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "call a", "call b", "call c", "output a", "output b", "output c"
        ]
    );
}

#[tokio::test]
async fn a_model_that_only_calls_tools_is_asked_once_more_than_it_has_rounds() {
    // It calls whether tools are offered or not, and one that nobody offered, too.
    let round = || vec![Step::Call("whoami"), Step::Call("unheard_of"), Step::Done];
    let limits = TurnLimits {
        tool_rounds: 3,
        ..TurnLimits::default()
    };
    let house = House::within((0..50).map(|_| round()), Titles::Off, limits).await;
    let events = house.turn("ada", create("who am I?")).await;
    let asked = house.model.asked();
    let offered: Vec<usize> = asked.iter().map(|request| request.tools.len()).collect();
    assert_eq!(offered, [1, 1, 1, 0]);
    let Some(Event::Error(error)) = events.last() else {
        panic!("the person reads why it ended: {events:?}")
    };
    let message = error.message.as_deref().unwrap_or_default();
    assert!(message.contains("as often as it may"), "{message}");
    assert!(!error.allow_retry);
}

#[tokio::test]
async fn a_long_conversation_is_told_from_its_newest_words_on() {
    let limits = TurnLimits {
        history_tokens: 100,
        ..TurnLimits::default()
    };
    let answer = |text| vec![Step::Say(text), Step::Done];
    let house = House::within(
        [answer("one"), answer("two"), answer("three")],
        Titles::Off,
        limits,
    )
    .await;
    let thread = created(&house.turn("ada", create(&"long ".repeat(100))).await).id;
    for text in ["short", &"long ".repeat(1_000)] {
        let more = json!({"type": "threads.add_user_message", "params": {"thread_id": thread, "input": input(text)}});
        house.turn("ada", more).await;
    }
    let told = house.model.asked()[2].input.clone();
    let [
        ModelInput::Context(plan),
        ModelInput::Context(note),
        rest @ ..,
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(plan, "Plan: gold.");
    assert!(note.contains("left out"), "{note}");
    assert_eq!(
        rest,
        [
            ModelInput::Assistant("one".to_owned()),
            ModelInput::User("short".into()),
            ModelInput::Assistant("two".to_owned()),
            // The question is told whole, however long.
            ModelInput::User(long_question()),
        ]
    );
    // An answer that is asked for again is told the same.
    let question = house
        .items("ada", &thread)
        .await
        .into_iter()
        .rfind(|item| matches!(item, ThreadItem::UserMessage(_)))
        .expect("the question");
    let retry = json!({"type": "threads.retry_after_item", "params": {"thread_id": thread, "item_id": question.id()}});
    house.turn("ada", retry).await;
    assert_eq!(house.model.asked()[3].input, told);
}

fn long_question() -> engine::ports::UserInput {
    "long ".repeat(1_000).into()
}

#[tokio::test]
async fn callers_with_less_get_less() {
    let house = House::new([vec![Step::Say("x"), Step::Done]]).await;
    let send = async |request: Value| {
        let body = serde_json::to_vec(&request).expect("JSON");
        let envelope =
            protocol::Envelope::parse(&body, &protocol::Limits::default()).expect("a request");
        let context = RequestContext {
            limits: engine::CallerLimits {
                message_bytes: Some(2_048),
                max_output_tokens: std::num::NonZeroU32::new(100),
                ..engine::CallerLimits::default()
            },
            ..context("ada")
        };
        house
            .engine
            .handle(context, envelope.request, Following::default())
            .await
    };
    let ask = async |text: &str| send(create(text)).await;
    let Err(Error::Invalid { message, param }) = ask(&"x".repeat(2_049)).await else {
        panic!("too long")
    };
    let message = message.to_string();
    assert!(message.contains("longer than the 2 KB"), "{message}");
    assert_eq!(param.as_deref(), Some("params.input"));
    // So does what the page adds to it for the model.
    let mut tagged = create("x");
    tagged["params"]["input"]["content"] = json!([{"type": "input_tag", "id": "1", "text": "a",
        "data": {"notes": "x".repeat(2_048)}, "interactive": false}]);
    let action = json!({"type": "threads.sync_custom_action", "params": {"thread_id": "cthr_1",
        "action": {"type": "note", "payload": "x".repeat(2_048)}}});
    for (request, place) in [(tagged, "params.input"), (action, "params.action")] {
        let Err(Error::Invalid { param, .. }) = send(request).await else {
            panic!("too long")
        };
        assert_eq!(param.as_deref(), Some(place));
    }
    let Ok(Reply::Stream(reader)) = ask(&"x".repeat(2_048)).await else {
        panic!("a stream")
    };
    Reading::of(reader).rest().await;
    let asked = house.model.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].max_output_tokens, std::num::NonZeroU32::new(100));
}

#[tokio::test]
async fn dropping_the_stream_is_stop_and_keeps_what_stands() {
    let house = House::new([
        vec![Step::Say("half an ans"), Step::Hang],
        vec![Step::Say("ok"), Step::Done],
    ])
    .await;
    let mut turn = Reading::of(stream(house.ask("ada", create("hi")).await));
    let mut thread = None;
    while let Some(event) = turn.next().await {
        match event {
            Event::ThreadCreated { thread: new } => thread = Some(new.thread.id),
            Event::ItemUpdated {
                update: protocol::ItemUpdate::TextDelta { .. },
                ..
            } => break,
            _ => {}
        }
    }
    drop(turn);
    house.engine.tasks.close();
    house.engine.tasks.wait().await;

    let thread = thread.expect("thread.created");
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        ["user: hi", "assistant: half an ans"]
    );
    let more = json!({"type": "threads.add_user_message", "params": {"thread_id": thread, "input": input("go on")}});
    house.turn("ada", more).await;
    let told = &house.model.asked()[1].input;
    assert!(
        matches!(&told[3], ModelInput::Context(note) if note.contains("stopped")),
        "the model is told that the user stopped it: {told:?}"
    );
}

#[tokio::test]
async fn a_reader_that_leaves_between_threads_runtimes_still_gets_its_answer_saved() {
    let house = House::new([vec![Step::Say("half"), Step::Hang]]).await;
    let mut turn = Reading::of(stream(house.ask("ada", create("hi")).await));
    for _ in 0..6 {
        turn.next().await;
    }
    std::thread::spawn(move || drop(turn))
        .join()
        .expect("no panic outside of the runtime");
    house.engine.tasks.close();
    house.engine.tasks.wait().await;
    let Answer::Threads(threads) = house
        .json("ada", json!({"type": "threads.list", "params": {}}))
        .await
    else {
        panic!("threads")
    };
    assert_eq!(
        texts(&house.items("ada", &threads.data[0].thread.id).await).len(),
        2
    );
}

#[tokio::test]
async fn a_failing_model_loses_nothing_and_can_be_tried_again() {
    let house = House::new([
        vec![Step::Say("half"), Step::Fail],
        vec![Step::Say("whole"), Step::Done],
    ])
    .await;
    let events = house.turn("ada", create("hi")).await;
    assert!(matches!(events.last(), Some(Event::Error(error)) if error.allow_retry));
    let thread = created(&events).id;
    let items = house.items("ada", &thread).await;
    assert_eq!(texts(&items), ["user: hi", "assistant: half"]);

    let retry = json!({"type": "threads.retry_after_item", "params": {"thread_id": thread, "item_id": items[0].id()}});
    house.turn("ada", retry).await;
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        ["user: hi", "assistant: whole"]
    );
}

#[tokio::test]
async fn a_silent_model_ends_at_the_time_limit() {
    let house = House::new([vec![Step::Hang]]).await;
    if !house.is_alone() {
        // A server takes real time.
        return;
    }
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    let events = house.turn("ada", create("hi")).await;
    assert!(matches!(events.last(), Some(Event::Error(_))));
    assert_eq!(
        before.elapsed().as_secs(),
        TurnLimits::default().duration.as_secs()
    );
}

#[tokio::test]
async fn titles_come_beside_the_answer_and_do_not_hold_it_up() {
    // The scripts are taken in the order of the questions: first the answer, then the title.
    let house = House::with(
        [
            vec![Step::Say("Hello"), Step::Done],
            vec![Step::Say("A kind greeting"), Step::Done],
        ],
        Titles::Model,
    )
    .await;
    let events = house.turn("ada", create("hi there")).await;
    let thread = created(&events).id;
    let titled = async |id: &ThreadId| match house
        .json(
            "ada",
            json!({"type": "threads.get_by_id", "params": {"thread_id": id}}),
        )
        .await
    {
        Answer::Thread(thread) => thread.thread.thread.title,
        other => panic!("a thread, not {other:?}"),
    };
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::ThreadUpdated { .. }))
    );
    assert_eq!(titled(&thread).await.as_deref(), Some("A kind greeting"));

    let limits = TurnLimits {
        title_duration: Duration::from_millis(50),
        ..TurnLimits::default()
    };
    let answers = [vec![Step::Say("Hello"), Step::Done], vec![Step::Hang]];
    let house = House::within(answers, Titles::Model, limits).await;
    let before = tokio::time::Instant::now();
    let events = house.turn("ada", create("hi there")).await;
    assert!(
        before.elapsed() >= Duration::from_millis(50),
        "as long as a title may take"
    );
    assert!(matches!(
        events.last(),
        Some(Event::ThreadUpdated { thread }) if thread.thread.title.as_deref() == Some("hi there")
    ));
}

#[tokio::test]
async fn what_can_be_refused_is_refused_before_anything_is_written() {
    let house = House::new([]).await;
    let with = |key: &str, value: Value| {
        let mut input = input("hi");
        input[key] = value;
        json!({"type": "threads.create", "params": {"input": input}})
    };
    let table = [
        with("content", json!([{"type": "input_text", "text": "  "}])),
        with("attachments", json!(["atc_1"])),
        with("inference_options", json!({"model": "unknown"})),
        json!({"type": "input.transcribe", "params": {"audio_base64": "AAAA", "mime_type": "audio/webm"}}),
        json!({"type": "attachments.create", "params": {"name": "a.txt", "size": 1, "mime_type": "text/plain"}}),
    ];
    for request in table {
        let Err(error) = house.ask("ada", request.clone()).await else {
            panic!("{request}")
        };
        assert!(
            matches!(
                error,
                Error::Invalid { .. } | Error::Unsupported(_) | Error::UploadsDisabled
            ),
            "{request}: {error:?}"
        );
    }
    let Answer::Threads(threads) = house
        .json("ada", json!({"type": "threads.list", "params": {}}))
        .await
    else {
        panic!("threads")
    };
    assert!(threads.data.is_empty());
    assert!(house.model.asked().is_empty());
}

#[tokio::test]
async fn a_client_may_pick_an_offered_model() {
    let house = House::new([vec![Step::Say("x"), Step::Done]]).await;
    let mut input = input("hi");
    input["inference_options"] = json!({"model": "other", "tool_choice": {"id": "not-a-tool"}});
    house
        .turn(
            "ada",
            json!({"type": "threads.create", "params": {"input": input}}),
        )
        .await;
    let asked = &house.model.asked()[0];
    assert_eq!(asked.model, "other");
    assert_eq!(
        asked.tool_choice, None,
        "a tool that is not offered is not asked for"
    );
}

#[tokio::test]
async fn threads_are_renamed_rated_and_deleted_by_their_owner_only() {
    let house = House::new([vec![Step::Say("x"), Step::Done]]).await;
    let thread = created(&house.turn("ada", create("hi")).await).id;
    let answer = house.items("ada", &thread).await[1].id().clone();
    let requests = [
        json!({"type": "threads.update", "params": {"thread_id": thread, "title": " Renamed "}}),
        json!({"type": "items.feedback", "params": {"thread_id": thread, "item_ids": [answer], "kind": "positive"}}),
        json!({"type": "threads.delete", "params": {"thread_id": thread}}),
    ];
    for request in &requests {
        assert!(
            matches!(
                house.ask("eve", request.clone()).await,
                Err(Error::NotFound)
            ),
            "{request}"
        );
    }
    let Answer::Thread(renamed) = house.json("ada", requests[0].clone()).await else {
        panic!("a thread")
    };
    assert_eq!(renamed.thread.thread.title.as_deref(), Some("Renamed"));
    assert_eq!(
        house.json("ada", requests[1].clone()).await,
        Answer::Done {}
    );
    assert_eq!(
        house.json("ada", requests[2].clone()).await,
        Answer::Done {}
    );
    assert!(matches!(
        house.ask("ada", requests[2].clone()).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn a_name_that_a_person_gave_meanwhile_stays() {
    let house = House::with(
        [vec![Step::Say("a"), Step::Hang], vec![Step::Hang]],
        Titles::Model,
    )
    .await;
    let mut turn = Reading::of(stream(house.ask("ada", create("hi there")).await));
    let first = turn.next().await.expect("thread.created");
    let thread = created(&[first]).id;
    house
        .json(
            "ada",
            json!({"type": "threads.update", "params": {"thread_id": thread, "title": "Mine"}}),
        )
        .await;
    drop(turn);
    house.engine.tasks.close();
    house.engine.tasks.wait().await;
    let Answer::Thread(thread) = house
        .json(
            "ada",
            json!({"type": "threads.get_by_id", "params": {"thread_id": thread}}),
        )
        .await
    else {
        panic!("a thread")
    };
    assert_eq!(thread.thread.thread.title.as_deref(), Some("Mine"));
}

/// The house's clock goes on by a second whenever somebody looks: three messages are a minute at most.
#[tokio::test]
async fn threads_go_when_nobody_has_used_them_for_as_long_as_they_are_kept() {
    let answer = || vec![Step::Say("yes"), Step::Done];
    let house = House::new([answer(), answer(), answer()]).await;
    let old = created(&house.turn("ada", create("long ago")).await).id;
    house.settle().await;
    let kept = Duration::from_hours(24);
    let house = house.with_workflow(|workflow| Workflow {
        kept: Some(kept),
        ..workflow
    });
    assert!(house.engine.has_retention());
    assert_eq!(house.engine.remove_idle_threads().await.unwrap(), 0);

    let later = house.later(kept);
    let used = created(&later.turn("grace", create("just now")).await).id;
    later.settle().await;
    assert_eq!(later.engine.remove_idle_threads().await.unwrap(), 1);
    assert_eq!(later.items("grace", &used).await.len(), 2);
    let load = json!({"type": "threads.get_by_id", "params": {"thread_id": old}});
    let gone = later.ask("ada", load).await;
    assert!(matches!(gone, Err(Error::NotFound)), "it is gone");
    // One without an end keeps all that it does not know.
    let kept_for_good = later.with_workflow(|workflow| Workflow {
        kept: None,
        ..workflow
    });
    assert!(!kept_for_good.engine.has_retention());
}
