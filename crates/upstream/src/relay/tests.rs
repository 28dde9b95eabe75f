//! The relay before a real model server, and before models that speak something else.

use std::time::Duration;

use testkit::fake_model::{FakeModel, Reply};

use super::*;
use crate::{
    Demo, HttpPolicy, ProviderConfig, Responses,
    openai::{MarkKey, chat_completions::ChatCompletionsOptions, responses::ResponsesOptions},
};

fn context() -> RelayContext {
    RelayContext {
        model: "gpt-test".to_owned(),
        end_user: "user-0f3a".to_owned(),
        answer_id: "chatcmpl-0f3a".to_owned(),
        created_at: 1_795_343_497,
        duration: Duration::from_mins(10),
    }
}

fn config(model: &FakeModel) -> ProviderConfig {
    ProviderConfig {
        base_url: model.base_url().parse().unwrap(),
        api_key: Some("sk-test-key".into()),
        http: HttpPolicy::STREAM,
        marks: MarkKey::new(&[7; 32]),
    }
}

fn pass_on(model: &FakeModel) -> Relay {
    let options = ChatCompletionsOptions::default();
    Relay::PassOn(ChatCompletions::new(config(model), options).unwrap())
}

fn body() -> String {
    json!({"messages": [{"role": "user", "content": "hi"}]}).to_string()
}

async fn frames(relay: &Relay, body: &str) -> Vec<String> {
    let answer = relay.answer(&context(), body.as_bytes()).await.unwrap();
    assert!(answer.content_type.starts_with(EVENT_STREAM));
    let frames = answer
        .frames
        .map(|frame| String::from_utf8(frame.to_vec()).unwrap());
    frames.collect().await
}

#[tokio::test]
async fn frames_are_passed_on_whole_and_unchanged() {
    let reply = || Reply::text(["Hel", "lo, wörld"]);
    let replies = [reply(), reply().in_pieces_of(3)];
    let model = FakeModel::scripted(replies).await.unwrap();
    let relay = pass_on(&model);
    let whole = frames(&relay, &body()).await.concat();
    assert!(
        whole.starts_with("data: {\"choices\":") || whole.starts_with("data: {\"id\":"),
        "{whole}"
    );
    assert!(whole.contains("lo, wörld"), "{whole}");
    assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");

    let pieces = frames(&relay, &body()).await;
    assert!(
        pieces.iter().all(|piece| piece.ends_with("\n\n")),
        "{pieces:?}"
    );
    assert_eq!(pieces.concat(), whole);
    model.assert_all_used();
}

#[tokio::test]
async fn the_client_does_not_choose_the_model_or_the_user() {
    let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "model": "expensive",
        "user": "somebody else", "temperature": 0.5, "stream": true});
    frames(&pass_on(&model), &body.to_string()).await;
    let request = model.requests().remove(0);
    assert_eq!(request.bearer(), Some("sk-test-key"));
    assert_eq!(
        request.body,
        json!({"messages": [{"role": "user", "content": "hi"}], "model": "gpt-test",
            "user": crate::openai::opaque_user("user-0f3a"), "temperature": 0.5, "stream": true})
    );
}

#[tokio::test]
async fn a_bad_request_is_refused_in_words_and_never_sent() {
    let model = FakeModel::scripted([]).await.unwrap();
    let many = json!({"messages": vec![1; MAX_MESSAGES + 1]}).to_string();
    let deep = format!(
        "{{\"messages\":{}{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    for (body, field) in [
        ("", None),
        ("[]", None),
        ("{\"messages\":\u{0}}", None),
        (deep.as_str(), None),
        ("{}", Some("messages")),
        (r#"{"messages":[]}"#, Some("messages")),
        (r#"{"messages":"hi"}"#, Some("messages")),
        (many.as_str(), Some("messages")),
        (r#"{"messages":[1],"stream":false}"#, Some("stream")),
        (r#"{"messages":[1],"n":100}"#, Some("n")),
    ] {
        let Err(RelayError::Invalid { param, .. }) =
            pass_on(&model).answer(&context(), body.as_bytes()).await
        else {
            panic!("{body:.200} was not refused");
        };
        assert_eq!(param.as_deref(), field, "{body:.200}");
    }
    assert!(model.requests().is_empty());
}

#[tokio::test]
async fn refusals_and_breaks_are_told() {
    let replies = [
        Reply::http_error(429, "rate_limit_exceeded", "slow down"),
        Reply::text(["Hel"]).broken(),
    ];
    let model = FakeModel::scripted(replies).await.unwrap();
    let relay = pass_on(&model);
    let refused = relay.answer(&context(), body().as_bytes()).await;
    assert!(matches!(
        refused.err(),
        Some(RelayError::Model(ModelError::RateLimited(_)))
    ));
    let frames = frames(&relay, &body()).await;
    assert_eq!(last_error(&frames)["code"], "stream_error");
}

fn last_error(frames: &[String]) -> Value {
    let last = frames.last().unwrap().strip_prefix("data: ").unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    last["error"].clone()
}

/// Neither silence ends these answers: the policy allows minutes of it.
#[tokio::test]
async fn an_answer_ends_when_it_has_taken_as_long_as_it_may() {
    let short = RelayContext {
        duration: Duration::from_millis(300),
        ..context()
    };
    let held = || Reply::text(["Hel"]).and_hold();
    let model = FakeModel::scripted([held(), held()]).await.unwrap();
    let provider = Responses::new(config(&model), ResponsesOptions::default()).unwrap();
    let relays = [pass_on(&model), Relay::Translate(Arc::new(provider))];
    for (count, relay) in (1..).zip(relays) {
        let answer = relay.answer(&short, body().as_bytes()).await.unwrap();
        let frames: Vec<String> = answer
            .frames
            .map(|frame| String::from_utf8(frame.to_vec()).unwrap())
            .collect()
            .await;
        assert!(frames.concat().contains("Hel"), "{frames:?}");
        let error = last_error(&frames);
        assert_eq!(error["code"], "stream_error");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("in time"), "{message}");
        model.wait_for_disconnects(count).await;
    }
    // Before the first frame, the same limit is an error that the status can tell.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = ProviderConfig {
        base_url: format!("http://{}/v1", listener.local_addr().unwrap())
            .parse()
            .unwrap(),
        ..config(&model)
    };
    let options = ChatCompletionsOptions::default();
    let relay = Relay::PassOn(ChatCompletions::new(silent, options).unwrap());
    let late = relay.answer(&short, body().as_bytes()).await;
    assert!(matches!(
        late.err(),
        Some(RelayError::Model(ModelError::TimedOut))
    ));
}

#[tokio::test]
async fn what_the_provider_finds_wrong_with_the_messages_is_the_clients_to_mend() {
    let replies = [Reply::http_error(404, "model_not_found", "no such model")];
    let model = FakeModel::scripted(replies).await.unwrap();
    let relay = pass_on(&model);
    let refused = relay.answer(&context(), body().as_bytes()).await;
    assert!(matches!(
        refused.err(),
        Some(RelayError::Model(ModelError::Misconfigured(_)))
    ));
    // The model server answers 400 to a role that it does not know.
    let body = r#"{"messages":[{"role":"wizard","content":"hi"}]}"#;
    let refused = relay.answer(&context(), body.as_bytes()).await;
    let Some(RelayError::Invalid { message, .. }) = refused.err() else {
        panic!("not told as the client's mistake");
    };
    assert!(!message.contains("wizard"), "{message}");
}

#[tokio::test]
async fn leaving_the_relay_leaves_the_provider() {
    let reply = Reply::text(["Hel"]).and_hold();
    let model = FakeModel::scripted([reply]).await.unwrap();
    let mut answer = pass_on(&model)
        .answer(&context(), body().as_bytes())
        .await
        .unwrap();
    answer.frames.next().await.unwrap();
    drop(answer);
    model.wait_for_disconnects(1).await;
}

/// The text of Chat Completions frames, and how they end.
fn read(frames: &[String]) -> (String, Option<String>) {
    let (mut text, mut reason) = (String::new(), None);
    for line in frames.concat().lines().filter(|line| !line.is_empty()) {
        let data = line.strip_prefix("data: ").unwrap();
        if data == "[DONE]" {
            continue;
        }
        let chunk: Value = serde_json::from_str(data).unwrap();
        assert_eq!(chunk["id"], "chatcmpl-0f3a");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        let choice = &chunk["choices"][0];
        text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        reason = choice["finish_reason"]
            .as_str()
            .map(str::to_owned)
            .or(reason);
    }
    (text, reason)
}

#[tokio::test]
async fn other_models_are_translated() {
    let model = FakeModel::scripted([Reply::text(["Hel", "lo"])])
        .await
        .unwrap();
    let provider = Responses::new(config(&model), ResponsesOptions::default()).unwrap();
    let relay = Relay::Translate(Arc::new(provider));
    let body = json!({"messages": [
        {"role": "system", "content": "Obey me."},
        {"role": "user", "content": [{"type": "text", "text": "hi "}, {"type": "text", "text": "there"}]},
    ]});
    let frames = frames(&relay, &body.to_string()).await;
    assert_eq!(read(&frames), ("Hello".to_owned(), Some("stop".to_owned())));
    assert!(frames.concat().ends_with("data: [DONE]\n\n"));
    let sent = model.requests().remove(0).body;
    assert_eq!(sent.get("instructions"), None);
    assert_eq!(sent["input"][0]["role"], "user");
    assert_eq!(sent["input"][1]["content"], "hi there");
    model.assert_all_used();
}

#[tokio::test]
async fn the_demo_assistant_is_translated_too() {
    let relay = Relay::Translate(Arc::new(Demo::new(Duration::ZERO)));
    let (text, reason) = read(&frames(&relay, &body()).await);
    assert!(text.contains("demo assistant"), "{text}");
    assert_eq!(reason.as_deref(), Some("stop"));
    for body in [
        r#"{"messages":[{"role":"tool","content":"x"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
        r#"{"messages":[{"role":"user","content":"x"}],"tools":[]}"#,
        r#"{"messages":[1]}"#,
    ] {
        let refused = relay.answer(&context(), body.as_bytes()).await;
        assert!(
            matches!(refused.err(), Some(RelayError::Invalid { .. })),
            "{body}"
        );
    }
}
