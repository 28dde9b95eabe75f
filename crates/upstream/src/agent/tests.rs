//! What an agent is sent, and how its answers are read.

use std::{fmt::Write as _, sync::Arc};

use engine::ports::AgentEvent;
use protocol::{Timestamp, event::NoticeLevel};
use serde_json::json;

use super::*;
use crate::testing::{BareServer, answer, chunked, context};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-29T12:00:00Z".parse().unwrap()
    }
}

fn agent(server: &BareServer, secret: Option<&str>) -> HttpAgent {
    let config = AgentConfig {
        url: server.url("/agent").parse().unwrap(),
        secret: secret.map(Into::into),
        workflow: "wf_mine".to_owned(),
        silence: Duration::from_millis(300),
        document: Duration::from_millis(300),
        allow_insecure_http: false,
    };
    HttpAgent::new(config, Arc::new(Noon)).unwrap()
}

fn thread() -> ThreadMetadata {
    serde_json::from_value(json!({"id": "thr", "created_at": "2026-11-29T11:00:00Z",
        "metadata": {"ticket": 7}}))
    .unwrap()
}

fn respond() -> AgentRequest {
    let message: ThreadItem = serde_json::from_value(json!({"type": "user_message", "id": "msg",
        "thread_id": "thr", "created_at": "2026-11-29T11:00:00Z", "inference_options": {},
        "content": [{"type": "input_text", "text": "Hi"}]}))
    .unwrap();
    AgentRequest {
        call: AgentCall::Respond {
            item: Some(message.clone()),
        },
        thread: Some(thread()),
        items: vec![message],
    }
}

/// Everything that an agent says to these bytes.
async fn heard(answer: String) -> Vec<Result<AgentEvent, AgentError>> {
    let server = BareServer::start([answer]).await;
    match agent(&server, None).ask(&context(), respond()).await {
        Ok(stream) => stream.collect().await,
        Err(error) => vec![Err(error)],
    }
}

fn progress(event: &Result<AgentEvent, AgentError>) -> &str {
    match event {
        Ok(AgentEvent::Said(event)) => match &**event {
            Event::ProgressUpdate { text, .. } => text,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_says_who_asks_what_and_is_signed() {
    let server = BareServer::start([chunked("text/event-stream", "")]).await;
    let agent = agent(&server, Some("s3cret"));
    let stream = agent.ask(&context(), respond()).await.unwrap();
    assert_eq!(stream.count().await, 0);
    let request = server.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let sent: Value = serde_json::from_str(body).unwrap();
    assert_eq!(sent["type"], "respond");
    assert_eq!(sent["thread"]["metadata"]["ticket"], 7);
    assert_eq!(sent["item"]["content"][0]["text"], "Hi");
    assert_eq!(sent["items"][0]["id"], "msg");
    assert_eq!(
        sent["user"],
        json!({"id": "ada", "issuer": "https://id.test", "claims": {"plan": "gold"}})
    );
    assert_eq!(
        (
            &sent["locale"],
            &sent["workflow"],
            &sent["state_variables"]["city"]
        ),
        (&json!("de"), &json!("wf_mine"), &json!("Oslo"))
    );
    assert!(!request.contains("never sent"));
    assert!(head.contains("accept-language: de"), "{head}");
    // Reckoned with Python's hmac over the same bytes would give the same: HMAC-SHA-256 of "t.body".
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret");
    let now = 1_795_953_600;
    let tag = hmac::sign(&key, format!("{now}.{body}").as_bytes());
    let expected = format!("{SIGNATURE}: t={now},v1={}", HEXLOWER.encode(tag.as_ref()));
    assert!(head.contains(&expected), "{head}\n{expected}");
}

#[tokio::test]
async fn other_calls_have_the_shapes_of_their_kind() {
    let server = BareServer::start([answer("200 OK", "", "{\"text\":\"Hello\"}")]).await;
    let agent = agent(&server, None);
    let action: Action =
        serde_json::from_value(json!({"type": "vote", "payload": {"n": 1}})).unwrap();
    let acted = agent.act(&context(), thread(), action.clone(), None).await;
    assert_eq!(acted.unwrap(), SyncCustomActionResponse::default());
    let ids = vec!["msg".parse().unwrap()];
    agent
        .judge(&context(), thread(), ids, FeedbackKind::Positive)
        .await
        .unwrap();
    let speech = Speech {
        audio_base64: "AAAA".to_owned(),
        mime_type: "audio/webm".to_owned(),
    };
    let written = agent.transcribe(&context(), speech).await.unwrap();
    assert_eq!(written.text, "Hello");
    let request = AgentRequest {
        call: AgentCall::Action {
            action,
            sender: None,
        },
        ..respond()
    };
    // A document is no stream of events, and no failure either: it says nothing that is known.
    let said = agent.ask(&context(), request).await.unwrap();
    assert_eq!(said.count().await, 0);
    let sent: Vec<Value> = server
        .requests()
        .iter()
        .map(|request| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect();
    let kinds: Vec<&Value> = sent.iter().map(|sent| &sent["type"]).collect();
    assert_eq!(kinds, ["sync_action", "feedback", "transcribe", "action"]);
    assert_eq!(sent[0]["action"]["payload"]["n"], 1);
    assert_eq!(
        (&sent[1]["item_ids"][0], &sent[1]["kind"]),
        (&json!("msg"), &json!("positive"))
    );
    assert_eq!(sent[2]["mime_type"], "audio/webm");
    assert_eq!(sent[3]["sender"], Value::Null);
    assert_eq!(server.connections(), 4, "none is used twice");
}

#[tokio::test]
async fn events_are_read_however_they_are_framed_and_what_is_none_is_skipped() {
    let body = concat!(
        "\u{feff}: hello\r\n\r\n",
        "event: message\ndata: {\"type\":\"progress_update\",\"text\":\"one\"}\n\n",
        "data: \n\n",
        "data: not json\n\n",
        "data: {\"type\":\"thread.exploded\"}\n\n",
        "data: {\"type\":\"thread.patch\",\"patch\":{\"title\":\"Milk\"}}\n\n",
        "data: {\"type\":\"notice\",\"level\":\"info\",\ndata: \"message\":\"two\"}\n\n",
        "data: {\"type\":\"progress_update\",\"text\":\"last\"}",
    );
    let heard = heard(chunked("application/json", body)).await;
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert_eq!(progress(&heard[0]), "one");
    assert!(
        matches!(&heard[1], Ok(AgentEvent::Patch(patch)) if patch.title.as_deref() == Some("Milk"))
    );
    assert!(matches!(
        &heard[2],
        Ok(AgentEvent::Said(event)) if matches!(&**event, Event::Notice(notice) if notice.level == NoticeLevel::Info)
    ));
    assert_eq!(progress(&heard[3]), "last");
}

#[tokio::test]
async fn a_text_that_was_cut_inside_a_character_costs_at_most_that_character() {
    let event =
        |text: &str| format!("data: {{\"type\":\"progress_update\",\"text\":\"{text}\"}}\n\n");
    let body = [
        event(r"a\ud83d b"),
        // Cut between two events, it is one character; a half that a whole event follows is none.
        event(r"c\ud83d"),
        event(r"\ude00d"),
        event(r"e\ud83d"),
        event("f"),
        event(r"\ude00g"),
        "data: {\"type\":\"thread.patch\",\"patch\":{\"title\":\"Milk\\ud83d.\"}}\n\n".to_owned(),
        "data: \u{feff}{\"type\":\"progress_update\",\"text\":\"h\",\"x\":NaN}\n\n".to_owned(),
    ];
    let mut heard = heard(chunked("text/event-stream", &body.concat())).await;
    let patch = heard.remove(6);
    let texts: Vec<&str> = heard.iter().map(progress).collect();
    assert_eq!(
        texts,
        ["a\u{fffd} b", "c", "😀d", "e", "f", "\u{fffd}g", "h"]
    );
    assert!(
        matches!(&patch, Ok(AgentEvent::Patch(patch)) if patch.title.as_deref() == Some("Milk\u{fffd}.")),
        "{patch:?}"
    );
}

#[tokio::test]
async fn a_document_is_read_as_well_as_an_event() {
    let document = "\u{feff}{\"text\":\"a\\ud83d b\"}";
    let server = BareServer::start([answer("200 OK", "", document)]).await;
    let speech = Speech {
        audio_base64: "AAAA".to_owned(),
        mime_type: "audio/webm".to_owned(),
    };
    let written = agent(&server, None).transcribe(&context(), speech).await;
    assert_eq!(written.unwrap().text, "a\u{fffd} b");
}

#[tokio::test]
async fn items_may_be_called_whatever_the_agent_likes() {
    let long = "n".repeat(300);
    let mut body = String::new();
    for id in ["", "an id with spaces", "日本", &long, "m_1"] {
        let item = json!({"type": "assistant_message", "id": id, "thread_id": id,
            "created_at": "2026-11-29T11:00:00Z", "content": []});
        for event in [
            json!({"type": "thread.item.added", "item": item}),
            json!({"type": "thread.item.removed", "item_id": id}),
        ] {
            writeln!(body, "data: {event}\n").unwrap();
        }
    }
    let heard = heard(chunked("text/event-stream", &body)).await;
    let names: Vec<ItemId> = heard
        .into_iter()
        .map(|event| match event {
            Ok(AgentEvent::Said(event)) => match *event {
                Event::ItemAdded { item } => item.id().clone(),
                Event::ItemRemoved { item_id } => item_id,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names.len(), 10);
    for pair in names.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
    let different: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(different.len(), 5);
    assert_eq!(names[8].as_str(), "m_1");
}

#[tokio::test]
async fn nothing_counts_after_the_word_that_ends_it() {
    let body = concat!(
        "data: {\"type\":\"progress_update\",\"text\":\"one\"}\n\n",
        "data: [DONE]\n\ndata: {\"type\":\"progress_update\",\"text\":\"two\"}\n\n",
    );
    assert_eq!(heard(chunked("text/event-stream", body)).await.len(), 1);
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (status, expected) in [
        ("503 Service Unavailable", "Unavailable"),
        ("429 Too Many Requests", "Unavailable"),
        ("401 Unauthorized", "Refused"),
        ("302 Found", "Refused"),
    ] {
        let heard = heard(answer(status, "", "because")).await;
        let [Err(error)] = &heard[..] else {
            panic!("{status}: {heard:?}")
        };
        let shown = format!("{error:?}");
        assert!(shown.starts_with(expected), "{status}: {shown}");
        assert!(shown.contains("because"), "the operator reads why: {shown}");
    }
    let hung_up = heard(String::new()).await;
    assert!(
        matches!(hung_up[..], [Err(AgentError::Unavailable(_))]),
        "{hung_up:?}"
    );
    let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n";
    let stalled = heard(cut.to_owned()).await;
    assert!(
        matches!(stalled[..], [Err(AgentError::TimedOut)]),
        "{stalled:?}"
    );
}
