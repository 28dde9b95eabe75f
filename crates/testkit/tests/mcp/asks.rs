//! Servers that ask the person something in the middle of a call, in both forms.

use std::time::Duration;

use engine::ports::{Asking, Reply, Waiting};
use serde_json::{Value, json};

use super::*;

fn answering(peer: &McpPeer) -> McpTools {
    at(peer).with_audience()
}

/// What a call asks, and the call.
async fn asked(events: &mut ToolStream) -> (Asking, Waiting) {
    loop {
        match events.next().await.unwrap() {
            ToolEvent::Asks(asking, waiting) => return (*asking, waiting),
            ToolEvent::Progress(_) => {}
            other => panic!("a question: {other:?}"),
        }
    }
}

fn accept(content: &Value) -> Reply {
    Reply::Accept(content.as_object().unwrap().clone())
}

#[tokio::test]
async fn server_everything_gets_a_form_with_every_kind_of_field() {
    let peer = McpPeer::everything().await.unwrap();
    let tools = answering(&peer);
    let mut events = tools
        .call(&ada(), call("trigger-elicitation-request", "{}"), true)
        .await;
    let (asking, waiting) = asked(&mut events).await;
    assert_eq!(asking.server, "peer");
    assert!(asking.message.starts_with("Please provide inputs"));
    assert_eq!(asking.fields.len(), 13);
    assert_eq!(asking.fields[0].name, "name", "in the server's order");
    assert_eq!(asking.defaults(), Reply::Decline, "a name is required");
    let content = json!({"name": "Ada", "check": true, "email": "ada@example.com", "integer": 7, "number": 2.5});
    let told = end_of(waiting.answer(accept(&content)).unwrap()).await;
    assert!(!told.is_error, "{told:?}");
    for words in [
        "- Name: Ada",
        "Agreed to terms: true",
        "Favorite Integer: 7",
        "Favorite Number: 2.5",
    ] {
        assert!(told.output.contains(words), "{words}: {}", told.output);
    }
    let mut events = tools
        .call(&ada(), call("trigger-elicitation-request", "{}"), true)
        .await;
    let (_, waiting) = asked(&mut events).await;
    let told = end_of(waiting.answer(Reply::Decline).unwrap()).await;
    assert!(told.output.contains("User declined"), "{}", told.output);
}

#[tokio::test]
async fn the_time_of_the_person_is_not_the_tool_s() {
    let peer = McpPeer::everything().await.unwrap();
    let server = McpServer {
        identity: ForwardedIdentity::None,
        call_timeout: Duration::from_secs(3),
        total_timeout: Duration::from_secs(3),
        ..McpServer::new("peer", peer.url().parse().unwrap())
    };
    let tools = tools(server).with_audience();
    let name = "trigger-elicitation-request";
    let mut events = tools.call(&ada(), call(name, "{}"), true).await;
    let (_, waiting) = asked(&mut events).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let content = json!({"name": "Ada"});
    let told = end_of(waiting.answer(accept(&content)).unwrap()).await;
    assert!(told.output.contains("- Name: Ada"), "{told:?}");
}

#[tokio::test]
async fn a_result_that_asks_is_answered_by_another_call_with_its_state() {
    let peer = McpPeer::modern().await.unwrap();
    let tools = answering(&peer);
    let mut events = tools.call(&ada(), call("book", "{}"), true).await;
    let (asking, waiting) = asked(&mut events).await;
    assert_eq!(asking.message, "How many seats?");
    let told = end_of(waiting.answer(accept(&json!({"seats": 3}))).unwrap()).await;
    assert_eq!(told.output, "booked 3 (sealed)");
    let mut events = tools.call(&ada(), call("book", "{}"), true).await;
    let (_, waiting) = asked(&mut events).await;
    let told = end_of(waiting.answer(Reply::Decline).unwrap()).await;
    assert_eq!(told.output, "not booked");
}

#[tokio::test]
async fn a_question_that_is_dropped_cancels_the_call() {
    let peer = McpPeer::everything().await.unwrap();
    let tools = answering(&peer);
    let name = "trigger-elicitation-request";
    let mut events = tools.call(&ada(), call(name, "{}"), true).await;
    let (_, waiting) = asked(&mut events).await;
    drop(waiting);
    // The session goes on.
    let echoed = said(&tools, "echo", r#"{"message":"hi"}"#).await;
    assert!(echoed.contains("hi"), "{echoed}");
}

#[tokio::test]
async fn whoever_cannot_answer_is_not_asked() {
    let everything = McpPeer::everything().await.unwrap();
    let program = everything_program().with_audience();
    let modern = McpPeer::modern().await.unwrap();
    let name = "trigger-elicitation-request";
    for (tools, why) in [
        (at(&everything), "nobody is there"),
        (program, "all users share a program"),
    ] {
        let offered = tools.list(&ada()).await;
        assert!(offered.iter().all(|tool| tool.name != name), "{why}");
        tools.close().await;
    }
    let told = run(&at(&modern), "book", "{}").await;
    assert!(told.is_error, "{told:?}");
}
