//! What people and their pages do instead of writing: the page's tools, forms, widgets and consent; by a model and by an
//! agent of the application's own.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine::{
    ActionRule, Answer, Error, RequestContext, Workflow,
    ports::{
        Agent, AgentCall, AgentError, AgentEvent, AgentRequest, AgentStream, Change, ModelInput,
        Speech, ToolCall, ToolEvent, ToolSpec, ToolStream, Tools, Transcriber,
    },
    template::{ArgumentsTemplate, WidgetTemplate},
};
use futures::stream;
use protocol::{
    Event, ItemId, ThreadId, ThreadItem, ThreadMetadata, ThreadPatch, ThreadStatus,
    action::Action,
    event::ErrorCode,
    item::{StructuredInput, StructuredInputStatus, ToolCallStatus},
    request::{FeedbackKind, SyncCustomActionResponse, TranscriptionResult},
};
use serde_json::{Value, json};

use crate::{created, house::*};

fn output(thread: &ThreadId, result: &Value) -> Value {
    json!({"type": "threads.add_client_tool_output", "params": {"thread_id": thread, "result": result}})
}

fn answered(thread: &ThreadId, item: &ItemId, input: &Value) -> Value {
    json!({"type": "threads.add_structured_input",
        "params": {"thread_id": thread, "item_id": item, "input": input}})
}

fn acted(kind: &str, thread: &ThreadId, item: Option<&ItemId>, action: &Value) -> Value {
    json!({"type": kind, "params": {"thread_id": thread, "item_id": item, "action": action}})
}

fn refusal<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("expected a refusal"),
        Err(error) => error,
    }
}

/// Puts items into a thread as the application would.
async fn put(house: &House, thread: &ThreadId, items: &[Value]) -> Vec<ItemId> {
    let whole = |item: &Value| {
        let mut item = item.clone();
        item["thread_id"] = json!(thread);
        item["created_at"] = json!("2026-11-29T12:00:00Z");
        serde_json::from_value::<ThreadItem>(item).expect("an item")
    };
    let items: Vec<ThreadItem> = items.iter().map(whole).collect();
    let owner = context("ada").owner;
    let change = Change::of(&items);
    house
        .engine
        .store
        .apply(&owner, thread, &change)
        .await
        .expect("saved");
    items.iter().map(|item| item.id().clone()).collect()
}

fn page_tool(workflow: Workflow) -> Workflow {
    let client_tools = vec![ToolSpec {
        name: "paint".to_owned(),
        description: "paints the page".to_owned(),
        parameters: json!({"type": "object"}).into(),
    }];
    Workflow {
        client_tools,
        ..workflow
    }
}

#[tokio::test]
async fn a_tool_of_the_page_is_offered_asked_for_answered_and_told() {
    let house = House::new([
        vec![Step::Call("paint"), Step::Done],
        vec![Step::Say("Painted."), Step::Done],
    ])
    .await
    .with_workflow(page_tool);
    let events = house.turn("ada", create("paint it red")).await;
    let thread = created(&events).id;
    let Some(Event::ItemDone {
        item: ThreadItem::ClientToolCall(call),
    }) = events.last()
    else {
        panic!("the page is asked: {events:?}")
    };
    assert_eq!(
        (call.name.as_str(), call.status),
        ("paint", ToolCallStatus::Pending)
    );
    let offered: Vec<_> = house.model.asked()[0]
        .tools
        .iter()
        .map(|tool| tool.name.clone())
        .collect();
    assert_eq!(offered, ["whoami", "paint"]);

    let events = house
        .turn("ada", output(&thread, &json!({"done": true})))
        .await;
    assert!(
        matches!(events.first(), Some(Event::StreamOptions { .. })),
        "the page knows what it has said: {events:?}"
    );
    let told = house.model.asked()[1].input[1..].to_vec();
    assert_eq!(
        told,
        [
            ModelInput::User("paint it red".into()),
            ModelInput::ToolCall(ToolCall {
                call_id: "call-paint".to_owned(),
                name: "paint".to_owned(),
                arguments: "{}".to_owned(),
            }),
            ModelInput::ToolOutput {
                call_id: "call-paint".to_owned(),
                output: "{\"done\":true}".to_owned(),
                files: Vec::new(),
            },
        ]
    );
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        [
            "user: paint it red",
            "workflow: Used paint",
            "client_tool_call",
            "assistant: Painted."
        ]
    );
    // It has been answered.
    let again = house.ask("ada", output(&thread, &json!(1))).await;
    assert!(matches!(refusal(again), Error::Conflict(_)));
    let foreign = house.ask("bob", output(&thread, &json!(1))).await;
    assert!(matches!(refusal(foreign), Error::NotFound));
}

#[tokio::test]
async fn only_the_newest_call_is_answered_and_leftovers_go() {
    let house = House::new([
        vec![Step::Say("Hi"), Step::Done],
        vec![Step::Say("Ok"), Step::Done],
    ])
    .await;
    let thread = created(&house.turn("ada", create("hi")).await).id;
    let call = |id: &str| json!({"type": "client_tool_call", "id": id, "call_id": id, "name": "paint", "arguments": {}});
    put(&house, &thread, &[call("old"), call("new")]).await;
    let events = house.turn("ada", output(&thread, &Value::Null)).await;
    assert!(matches!(
        &events[1],
        Event::ItemRemoved { item_id } if item_id.as_ref() == "old"
    ));
    let items = house.items("ada", &thread).await;
    let calls: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            ThreadItem::ClientToolCall(call) => Some((call.id.as_ref(), call.status)),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("new", ToolCallStatus::Completed)]);
    // A call that something was said after waits no more.
    put(
        &house,
        &thread,
        &[
            call("third"),
            json!({"type": "assistant_message", "id": "m", "content": []}),
        ],
    )
    .await;
    let late = house.ask("ada", output(&thread, &Value::Null)).await;
    assert!(matches!(refusal(late), Error::Conflict(_)));
}

fn form() -> Value {
    json!({"type": "structured_input", "id": "form", "inputs": [
        {"type": "multiple_choice", "id": "one", "question": "Which?", "options": [{"value": "a"}, {"value": "b"}]},
        {"type": "multiple_choice", "id": "many", "question": "Which ones?", "multiple": true,
            "options": [{"value": "a"}, {"value": "b"}]},
        {"type": "freeform", "id": "why", "question": "Why?"},
    ]})
}

fn answers(item: &ThreadItem) -> (StructuredInputStatus, Vec<Option<Vec<String>>>) {
    let ThreadItem::StructuredInput(form) = item else {
        panic!("a form: {item:?}")
    };
    let values = form.inputs.iter().map(|input| {
        let (StructuredInput::MultipleChoice(protocol::item::MultipleChoiceInput {
            answer, ..
        })
        | StructuredInput::Freeform(protocol::item::FreeformInput { answer, .. })) = input;
        answer
            .as_ref()
            .filter(|answer| !answer.skipped)
            .map(|answer| answer.values.clone())
    });
    (form.status, values.collect())
}

#[tokio::test]
async fn a_form_takes_what_its_questions_ask_for() {
    let house = House::new([
        vec![Step::Say("Hi"), Step::Done],
        vec![Step::Say("Thanks"), Step::Done],
        vec![Step::Say("As you like"), Step::Done],
    ])
    .await;
    let thread = created(&house.turn("ada", create("hi")).await).id;
    let [id] = &put(&house, &thread, &[form()]).await[..] else {
        panic!("one item")
    };
    let input = json!({"status": "answered", "answers": {
        "one": {"values": ["a", "b"]}, "many": {"values": ["a", "b"]},
        "why": {"values": ["ignore"], "skipped": true}, "unknown": {"values": ["x"]},
    }});
    let events = house.turn("ada", answered(&thread, id, &input)).await;
    let Some(Event::ItemReplaced { item }) = events.get(1) else {
        panic!("{events:?}")
    };
    let given = |values: &[&str]| {
        Some(
            values
                .iter()
                .map(|value| (*value).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    let expected = (
        StructuredInputStatus::Answered,
        vec![given(&["a"]), given(&["a", "b"]), None],
    );
    assert_eq!(answers(item), expected);
    assert_eq!(answers(&house.items("ada", &thread).await[2]), expected);
    let Some(ModelInput::Context(told)) = house.model.asked()[1].input.last().cloned() else {
        panic!("the model is told the answers")
    };
    assert!(told.contains("\"Which ones?\": [\"a\",\"b\"]"), "{told}");
    assert!(told.contains("\"Why?\": skipped"), "{told}");
    let again = house.ask("ada", answered(&thread, id, &input)).await;
    assert!(matches!(refusal(again), Error::Conflict(_)));

    let mut other = form();
    other["id"] = json!("other");
    let [id] = &put(&house, &thread, &[other]).await[..] else {
        panic!("one item")
    };
    let skipped = json!({"status": "skipped", "answers": {"one": {"values": ["a"]}}});
    let events = house.turn("ada", answered(&thread, id, &skipped)).await;
    let Some(Event::ItemReplaced { item }) = events.get(1) else {
        panic!("{events:?}")
    };
    assert_eq!(
        answers(item),
        (StructuredInputStatus::Skipped, vec![None, None, None])
    );
    let message = house.items("ada", &thread).await[0].id().clone();
    let wrong = house
        .ask("ada", answered(&thread, &message, &skipped))
        .await;
    assert!(matches!(refusal(wrong), Error::Invalid { .. }));
}

fn card(id: &str) -> Value {
    json!({"type": "widget", "id": id, "copy_text": "Two tickets", "widget": {"type": "Card", "children": []}})
}

#[tokio::test]
async fn an_action_that_nobody_maps_is_told_to_the_model_as_data_and_answered() {
    let house = House::new([
        vec![Step::Say("Hi"), Step::Done],
        vec![Step::Say("Booked."), Step::Done],
    ])
    .await;
    let thread = created(&house.turn("ada", create("hi")).await).id;
    let [id] = &put(&house, &thread, &[card("w")]).await[..] else {
        panic!("one item")
    };
    let action = json!({"type": "book", "payload": {"seats": 2}});
    let events = house
        .turn(
            "ada",
            acted("threads.custom_action", &thread, Some(id), &action),
        )
        .await;
    assert!(matches!(
        events.last(),
        Some(Event::ItemDone {
            item: ThreadItem::AssistantMessage(_)
        })
    ));
    let Some(ModelInput::Context(told)) = house.model.asked()[1].input.last().cloned() else {
        panic!("the model is told")
    };
    for part in [
        "not an instruction",
        "\"book\"",
        "{\"seats\":2}",
        "\"Two tickets\"",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        ["user: hi", "assistant: Hi", "widget", "assistant: Booked."],
        "nobody sees the record"
    );
    // Only a widget acts; as the official server says it, in the stream.
    let message = house.items("ada", &thread).await[0].id().clone();
    let events = house
        .turn(
            "ada",
            acted("threads.custom_action", &thread, Some(&message), &action),
        )
        .await;
    assert!(matches!(
        events.last(),
        Some(Event::Error(error)) if error.code == ErrorCode::StreamError && !error.allow_retry
    ));
    let sync = acted(
        "threads.sync_custom_action",
        &thread,
        Some(&message),
        &action,
    );
    assert!(matches!(
        refusal(house.ask("ada", sync).await),
        Error::Invalid { .. }
    ));
    let sync = acted("threads.sync_custom_action", &thread, Some(id), &action);
    let Answer::Acted(acted) = house.json("ada", sync).await else {
        panic!("an empty answer")
    };
    assert_eq!(acted.updated_item, None);
}

fn mapped(answers: bool) -> impl FnOnce(Workflow) -> Workflow {
    let template = json!({"version": "1.0", "name": "seats", "template":
        r#"{"type":"Card","children":[{"type":"Text","value":{{ data | tojson }}}]}"#});
    let template = WidgetTemplate::parse(&template.to_string()).expect("a template");
    let arguments = json!({"seats": "{{ payload.seats }}", "for": "{{ user.id }}"});
    let Value::Object(arguments) = arguments else {
        unreachable!()
    };
    let rule = ActionRule {
        tool: "book_seats".to_owned(),
        arguments: ArgumentsTemplate::new(arguments).expect("a template"),
        answers,
    };
    move |workflow| Workflow {
        widgets: Arc::new([("book_seats".to_owned(), template)].into()),
        actions: [("book".to_owned(), rule)].into(),
        ..workflow
    }
}

fn shown(items: &[ThreadItem]) -> Vec<(String, Value)> {
    let widgets = items.iter().filter_map(|item| match item {
        ThreadItem::Widget(widget) => Some((
            widget.id.to_string(),
            serde_json::to_value(&widget.widget).expect("json")["children"][0]["value"].clone(),
        )),
        _ => None,
    });
    widgets.collect()
}

#[tokio::test]
async fn a_tools_result_is_shown_by_its_template() {
    let house = House::new([
        vec![Step::Call("book_seats"), Step::Done],
        vec![Step::Say("Booked."), Step::Done],
    ])
    .await
    .tools(Arc::new(Careful::default()))
    .with_workflow(mapped(true));
    let thread = created(&house.turn("ada", create("two, please")).await).id;
    let items = house.items("ada", &thread).await;
    assert_eq!(shown(&items)[0].1, "book_seats did its work");
    assert_eq!(
        texts(&items),
        [
            "user: two, please",
            "workflow: Used book_seats",
            "widget",
            "assistant: Booked."
        ]
    );
}

#[tokio::test]
async fn an_action_runs_the_tool_that_it_is_mapped_to_and_its_widget_changes() {
    for answers in [true, false] {
        let tools = Arc::new(Careful::default());
        let house = House::new([
            vec![Step::Say("Hi"), Step::Done],
            vec![Step::Say("Booked."), Step::Done],
        ])
        .await
        .tools(tools.clone())
        .with_workflow(mapped(answers));
        let thread = created(&house.turn("ada", create("hi")).await).id;
        let [id] = &put(&house, &thread, &[card("w")]).await[..] else {
            panic!("one item")
        };
        let action = json!({"type": "book", "payload": {"seats": 2}});
        let request = acted("threads.custom_action", &thread, Some(id), &action);
        let events = house.turn("ada", request).await;
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::ItemReplaced { item } if item.id() == id)),
            "{events:?}"
        );
        let call = tools.0.lock().expect("a lock")[0].clone();
        assert_eq!(
            serde_json::from_str::<Value>(&call.arguments).expect("json"),
            json!({"seats": 2, "for": "ada"})
        );
        let items = house.items("ada", &thread).await;
        assert_eq!(
            shown(&items),
            [("w".to_owned(), json!("book_seats did its work"))]
        );
        let last = if answers {
            "assistant: Booked."
        } else {
            "workflow: Used book_seats"
        };
        assert_eq!(texts(&items).last().map(String::as_str), Some(last));
        if answers {
            let told = house.model.asked()[1].input.last().cloned();
            assert!(matches!(
                told,
                Some(ModelInput::ToolOutput { output, .. }) if output == "book_seats did its work"
            ));
        }
        // What it does not bring is refused before anything runs.
        let empty = acted(
            "threads.custom_action",
            &thread,
            Some(id),
            &json!({"type": "book", "payload": {}}),
        );
        assert!(matches!(
            refusal(house.ask("ada", empty).await),
            Error::Invalid { .. }
        ));
        // The same without a stream.
        let sync = acted("threads.sync_custom_action", &thread, Some(id), &action);
        let Answer::Acted(response) = house.json("ada", sync).await else {
            panic!("the widget")
        };
        assert!(response.updated_item.is_some());
        assert_eq!(tools.0.lock().expect("a lock").len(), 2);
    }
}

/// One tool that takes consent, and counts how often it has run.
#[derive(Default)]
struct Careful(Mutex<Vec<ToolCall>>);

#[async_trait]
impl Tools for Careful {
    async fn list(&self, _context: &RequestContext) -> Vec<ToolSpec> {
        Vec::new()
    }

    async fn call(
        &self,
        _context: &RequestContext,
        call: ToolCall,
        is_approved: bool,
    ) -> ToolStream {
        let needs_consent = call.name.starts_with("delete");
        let event = if needs_consent && !is_approved {
            ToolEvent::NeedsApproval
        } else {
            let output = format!("{} did its work", call.name);
            self.0.lock().expect("a lock").push(call);
            ToolEvent::done(output, false)
        };
        Box::pin(stream::iter([event]))
    }
}

fn buttons(items: &[ThreadItem]) -> Vec<(ItemId, Value, Value)> {
    let cards = items.iter().filter_map(|item| match item {
        ThreadItem::Widget(card) => Some((
            card.id.clone(),
            serde_json::to_value(&card.widget).expect("json"),
        )),
        _ => None,
    });
    cards
        .filter(|(_, card)| card.get("confirm").is_some())
        .map(|(id, card)| {
            (
                id,
                card["confirm"]["action"].clone(),
                card["cancel"]["action"].clone(),
            )
        })
        .collect()
}

/// The action that a click sends: what the card declares, without how it is shown.
fn click(button: &Value) -> Value {
    json!({"type": button["type"], "payload": button["payload"]})
}

#[tokio::test]
async fn consent_is_asked_for_survives_a_restart_and_runs_what_was_shown() {
    let tools = Arc::new(Careful::default());
    let house = House::new([
        vec![
            Step::Call("delete_a"),
            Step::Call("look"),
            Step::Call("delete_b"),
            Step::Done,
        ],
        vec![Step::Say("a is gone, b stays."), Step::Done],
    ])
    .await
    .tools(tools.clone());
    let events = house.turn("ada", create("tidy up")).await;
    let thread = created(&events).id;
    let items = house.items("ada", &thread).await;
    let [(first, allow, _), (second, _, refuse)] = &buttons(&items)[..] else {
        panic!("two cards: {items:?}")
    };
    let ran = || {
        let calls = tools.0.lock().expect("a lock");
        calls
            .iter()
            .map(|call| call.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ran(), ["look"]);

    let house = house.restarted().await;
    // A card speaks for its own call alone, and nobody else presses it.
    let crossed = acted(
        "threads.custom_action",
        &thread,
        Some(second),
        &click(allow),
    );
    assert!(matches!(
        refusal(house.ask("ada", crossed).await),
        Error::Conflict(_)
    ));
    let foreign = acted("threads.custom_action", &thread, Some(first), &click(allow));
    assert!(matches!(
        refusal(house.ask("bob", foreign).await),
        Error::NotFound
    ));

    let allowed = acted("threads.custom_action", &thread, Some(first), &click(allow));
    let events = house.turn("ada", allowed.clone()).await;
    assert!(
        matches!(events.get(1), Some(Event::ItemReplaced { .. })),
        "{events:?}"
    );
    assert_eq!(ran(), ["look"], "the other call is not decided yet");
    assert!(
        matches!(refusal(house.ask("ada", allowed).await), Error::Conflict(_)),
        "once"
    );

    // However much comes between, all calls of the answer are found.
    let between: Vec<Value> = (0..50)
        .map(|n| json!({"type": "task", "id": format!("t{n}"), "task": {"type": "custom", "title": "x"}}))
        .collect();
    put(&house, &thread, &between).await;
    let refused = acted(
        "threads.custom_action",
        &thread,
        Some(second),
        &click(refuse),
    );
    let events = house.turn("ada", refused).await;
    assert_eq!(ran(), ["look", "delete_a"]);
    let told: Vec<String> = house.model.asked()[1]
        .input
        .iter()
        .filter_map(|input| match input {
            ModelInput::ToolOutput { output, .. } => Some(output.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told[0], "delete_a did its work");
    assert_eq!(told[1], "look did its work");
    assert!(told[2].contains("the user refused"), "{told:?}");
    let items = house.items("ada", &thread).await;
    assert!(buttons(&items).is_empty(), "no card asks any more");
    let Some(Event::ItemDone { item: answer }) = events.last() else {
        panic!("an answer: {events:?}")
    };
    assert_eq!(
        texts(std::slice::from_ref(answer)),
        ["assistant: a is gone, b stays."]
    );
}

#[tokio::test]
async fn a_message_instead_of_consent_is_answered_and_the_model_knows_what_has_not_run() {
    let house = House::new([
        vec![Step::Call("delete_a"), Step::Done],
        vec![Step::Say("Fine."), Step::Done],
    ])
    .await
    .tools(Arc::new(Careful::default()));
    let thread = created(&house.turn("ada", create("tidy up")).await).id;
    let more = json!({"type": "threads.add_user_message", "params": {"thread_id": thread, "input": input("never mind")}});
    house.turn("ada", more).await;
    let asked = house.model.asked();
    assert!(asked[1].input.iter().any(|input| matches!(
        input,
        ModelInput::ToolOutput { output, .. } if output.contains("has not answered")
    )));
}

/// An agent that says what it is told to, and remembers what it was asked.
#[derive(Default)]
struct Mine {
    says: Vec<AgentEvent>,
    asked: Mutex<Vec<AgentRequest>>,
    judged: Mutex<Vec<FeedbackKind>>,
}

#[async_trait]
impl Agent for Mine {
    async fn ask(
        &self,
        _context: &RequestContext,
        request: AgentRequest,
    ) -> Result<AgentStream, AgentError> {
        self.asked.lock().expect("a lock").push(request);
        Ok(Box::pin(stream::iter(
            self.says.clone().into_iter().map(Ok),
        )))
    }

    async fn act(
        &self,
        _context: &RequestContext,
        _thread: ThreadMetadata,
        action: Action,
        _sender: Option<ThreadItem>,
    ) -> Result<SyncCustomActionResponse, AgentError> {
        let mut item = card("named_by_the_agent");
        item["thread_id"] = json!("elsewhere");
        item["created_at"] = json!("2026-11-29T12:00:00");
        item["copy_text"] = json!(action.name);
        Ok(SyncCustomActionResponse {
            updated_item: Some(serde_json::from_value(item).expect("an item")),
        })
    }

    async fn judge(
        &self,
        _context: &RequestContext,
        _thread: ThreadMetadata,
        _items: Vec<ItemId>,
        kind: FeedbackKind,
    ) -> Result<(), AgentError> {
        self.judged.lock().expect("a lock").push(kind);
        Err(AgentError::TimedOut)
    }
}

#[async_trait]
impl Transcriber for Mine {
    async fn transcribe(
        &self,
        _context: &RequestContext,
        speech: Speech,
    ) -> Result<TranscriptionResult, AgentError> {
        Ok(TranscriptionResult {
            text: format!("heard {}", speech.mime_type),
        })
    }
}

#[tokio::test]
async fn an_agent_of_ones_own_answers_every_request() {
    let said = json!({"type": "thread.item.done", "item": {"type": "assistant_message", "id": "x",
        "thread_id": "x", "created_at": "2026-11-29T12:00:00",
        "content": [{"type": "output_text", "text": "Mine", "annotations": []}]}});
    let agent = Arc::new(Mine {
        says: vec![
            AgentEvent::Patch(ThreadPatch {
                metadata: Some(serde_json::Map::from_iter([("step".to_owned(), json!(2))])),
                ..ThreadPatch::default()
            }),
            AgentEvent::Said(serde_json::from_value(said).expect("an event")),
        ],
        ..Mine::default()
    });
    let house = House::new([]).await.with_workflow(|workflow| Workflow {
        agent: Some(agent.clone()),
        transcriber: Some(agent.clone()),
        ..workflow
    });
    let thread = created(&house.turn("ada", create("hi")).await).id;
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        ["user: hi", "assistant: Mine"]
    );
    let [form_id, card_id] = &put(&house, &thread, &[form(), card("w")]).await[..] else {
        panic!("two items")
    };
    let action = json!({"type": "book", "payload": null});
    house
        .turn(
            "ada",
            answered(&thread, form_id, &json!({"status": "skipped"})),
        )
        .await;
    house
        .turn(
            "ada",
            acted("threads.custom_action", &thread, Some(card_id), &action),
        )
        .await;
    house
        .turn(
            "ada",
            acted("threads.custom_action", &thread, None, &action),
        )
        .await;
    {
        let asked = agent.asked.lock().expect("a lock");
        let calls: Vec<&str> = asked
            .iter()
            .map(|request| match &request.call {
                AgentCall::Respond { item: Some(_) } => "message",
                AgentCall::Respond { item: None } => "other",
                AgentCall::Action {
                    sender: Some(_), ..
                } => "widget",
                AgentCall::Action { sender: None, .. } => "page",
            })
            .collect();
        assert_eq!(calls, ["message", "other", "widget", "page"]);
        assert_eq!(
            texts(&asked[0].items),
            ["user: hi"],
            "with the message that it is asked to answer"
        );
        let notes = |request: &AgentRequest| {
            request
                .thread
                .as_ref()
                .expect("a thread")
                .metadata
                .get("step")
                .cloned()
        };
        assert_eq!((notes(&asked[0]), notes(&asked[1])), (None, Some(json!(2))));
        assert!(
            asked
                .iter()
                .all(|request| request.items.iter().all(ThreadItem::is_visible_to_user))
        );
    }
    let sync = acted(
        "threads.sync_custom_action",
        &thread,
        Some(card_id),
        &action,
    );
    let Answer::Acted(response) = house.json("ada", sync).await else {
        panic!("an answer to the action")
    };
    let Some(ThreadItem::Widget(updated)) = response.updated_item else {
        panic!("the widget")
    };
    assert_eq!(
        (&updated.id, &updated.thread_id),
        (card_id, &thread),
        "our names, not the agent's"
    );
    let stored = house.items("ada", &thread).await;
    assert!(stored.contains(&updated.into()));
    let item = stored[1].id().clone();
    let judge = json!({"type": "items.feedback", "params": {"thread_id": thread, "item_ids": [item], "kind": "positive"}});
    house.json("ada", judge).await;
    assert_eq!(
        *agent.judged.lock().expect("a lock"),
        [FeedbackKind::Positive]
    );
    let dictate = json!({"type": "input.transcribe", "params": {"audio_base64": "AA==", "mime_type": "audio/webm"}});
    let Answer::Transcribed(text) = house.json("ada", dictate.clone()).await else {
        panic!("a text")
    };
    assert_eq!(text.text, "heard audio/webm");
    let deaf = House::new([]).await;
    assert!(matches!(
        refusal(deaf.ask("ada", dictate).await),
        Error::Unsupported(_)
    ));
}

#[tokio::test]
async fn a_locked_thread_takes_nothing() {
    let house = House::new([vec![Step::Say("Hi"), Step::Done]]).await;
    let thread = created(&house.turn("ada", create("hi")).await).id;
    let call = json!({"type": "client_tool_call", "id": "c", "call_id": "c", "name": "paint", "arguments": {}});
    let ids = put(&house, &thread, &[form(), card("w"), call]).await;
    let change = Change {
        patch: ThreadPatch {
            status: Some(ThreadStatus::Locked {
                reason: Some("a person takes over".to_owned()),
            }),
            ..ThreadPatch::default()
        },
        ..Change::default()
    };
    let owner = context("ada").owner;
    house
        .engine
        .store
        .apply(&owner, &thread, &change)
        .await
        .expect("locked");
    let action = json!({"type": "book"});
    for request in [
        json!({"type": "threads.add_user_message", "params": {"thread_id": thread, "input": input("hi")}}),
        output(&thread, &json!(1)),
        answered(&thread, &ids[0], &json!({"status": "skipped"})),
        acted("threads.custom_action", &thread, Some(&ids[1]), &action),
        acted(
            "threads.sync_custom_action",
            &thread,
            Some(&ids[1]),
            &action,
        ),
    ] {
        let error = refusal(house.ask("ada", request.clone()).await);
        assert!(
            matches!(&error, Error::Conflict(words) if words.to_string().contains("a person takes over")),
            "{request}: {error}"
        );
    }
}

#[tokio::test]
async fn an_interrupted_answer_to_a_form_can_be_given_again_and_one_to_a_message_of_the_model_cannot()
 {
    let house = House::new([
        vec![Step::Say("Hi"), Step::Done],
        vec![Step::Say("half"), Step::Hang],
        vec![Step::Say("Whole."), Step::Done],
    ])
    .await;
    let thread = created(&house.turn("ada", create("hi")).await).id;
    let [id] = &put(&house, &thread, &[form()]).await[..] else {
        panic!("one item")
    };
    let skipped = json!({"status": "skipped"});
    // It is read to the end of the test: the run that it belongs to is one of a process that is gone.
    let _reader = crate::house::stream(house.ask("ada", answered(&thread, id, &skipped)).await);
    let house = house.restarted().await;
    assert_eq!(house.engine.mark_interrupted().await.expect("marked"), 1);
    let again = |item: &ItemId| json!({"type": "threads.retry_after_item", "params": {"thread_id": thread, "item_id": item}});
    let other = house.items("ada", &thread).await[1].id().clone();
    assert!(matches!(
        refusal(house.ask("ada", again(&other)).await),
        Error::Invalid { .. }
    ));
    house.turn("ada", again(id)).await;
    assert_eq!(
        texts(&house.items("ada", &thread).await),
        [
            "user: hi",
            "assistant: Hi",
            "structured_input",
            "assistant: Whole."
        ]
    );
    assert!(
        matches!(
            refusal(house.ask("ada", again(id)).await),
            Error::Invalid { .. }
        ),
        "it is whole by now"
    );
}

/// Asks for consent, and then never ends.
struct Endless;

#[async_trait]
impl Tools for Endless {
    async fn list(&self, _context: &RequestContext) -> Vec<ToolSpec> {
        Vec::new()
    }

    async fn call(
        &self,
        _context: &RequestContext,
        _call: ToolCall,
        is_approved: bool,
    ) -> ToolStream {
        if is_approved {
            return Box::pin(stream::pending());
        }
        Box::pin(stream::iter([ToolEvent::NeedsApproval]))
    }
}

#[tokio::test]
async fn that_an_allowed_call_is_about_to_run_is_known_before_it_does() {
    let house = House::new([vec![Step::Call("delete_a"), Step::Done]])
        .await
        .tools(Arc::new(Endless));
    let thread = created(&house.turn("ada", create("tidy up")).await).id;
    let items = house.items("ada", &thread).await;
    let [(card, allow, _)] = &buttons(&items)[..] else {
        panic!("one card: {items:?}")
    };
    let allowed = acted("threads.custom_action", &thread, Some(card), &click(allow));
    let _reader = crate::house::stream(house.ask("ada", allowed).await);
    let record: ItemId = allow["payload"]["call"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let owner = context("ada").owner;
    let kept = house
        .engine
        .store
        .item(&owner, &thread, &record)
        .await
        .expect("the record");
    let kept = serde_json::to_string(&kept).expect("json");
    assert!(
        kept.contains("may or may not have done its work"),
        "should the process end now, nobody takes it for one that never ran: {kept}"
    );
}
