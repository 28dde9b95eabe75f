//! The relay before a real model server, and before models that speak something else.

use std::time::Duration;

use testkit::fake_model::{FakeModel, Reply};

use serde_json::Value;

use super::{request::MAX_MESSAGES, *};
use crate::{
    Demo, ProviderConfig, Responses,
    openai::{MarkKey, responses::ResponsesOptions},
};

fn context() -> RelayContext {
    RelayContext {
        model: "gpt-test".to_owned(),
        end_user: "user-0f3a".to_owned(),
        answer_id: "chatcmpl-0f3a".to_owned(),
        created_at: 1_795_343_497,
        duration: Duration::from_mins(10),
        limits: RelayLimits {
            max_tokens: 1_000,
            choices: 2,
        },
    }
}

fn config(model: &FakeModel) -> ProviderConfig {
    ProviderConfig {
        api_key: Some("sk-test-key".into()),
        ..ProviderConfig::new(model.base_url().parse().unwrap(), MarkKey::new(&[7; 32]))
    }
}

fn pass_on(model: &FakeModel) -> Relay {
    Relay::PassOn(ChatCompletions::new(config(model)).unwrap())
}

fn body() -> String {
    json!({"messages": [{"role": "user", "content": "hi"}]}).to_string()
}

async fn frames(relay: &Relay, body: &str) -> Vec<String> {
    let frames = relay.answer(&context(), body.as_bytes()).await.unwrap();
    let frames = frames.map(|frame| String::from_utf8(frame.to_vec()).unwrap());
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
            "user": crate::openai::opaque_user("user-0f3a"), "temperature": 0.5, "stream": true,
            "max_tokens": 1_000})
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
        (
            r#"{"messages":[1],"service_tier":"priority"}"#,
            Some("service_tier"),
        ),
        (
            r#"{"messages":[1],"web_search_options":{}}"#,
            Some("web_search_options"),
        ),
        (r#"{"messages":[1]}"#, Some("messages[0]")),
        (
            r#"{"messages":[{"content":{}}]}"#,
            Some("messages[0].content"),
        ),
        (
            r#"{"messages":[{},{"content":[{"type":"text"},{"type":"input_audio"}]}]}"#,
            Some("messages[1].content[1].type"),
        ),
        (
            r#"{"messages":[{"content":[{"type":"file"}]}]}"#,
            Some("messages[0].content[0].type"),
        ),
        (
            r#"{"messages":[{}],"tools":[{"type":"function"},{"type":"web_search"}]}"#,
            Some("tools[1].type"),
        ),
        (r#"{"messages":[{}],"tools":{}}"#, Some("tools")),
        (
            r#"{"messages":[{}],"tool_choice":{"type":"custom"}}"#,
            Some("tool_choice"),
        ),
        (r#"{"messages":[{}],"n":0}"#, Some("n")),
        (r#"{"messages":[{}],"n":1.5}"#, Some("n")),
        (r#"{"messages":[{}],"max_tokens":-1}"#, Some("max_tokens")),
        (
            r#"{"messages":[{}],"max_completion_tokens":"all"}"#,
            Some("max_completion_tokens"),
        ),
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

/// A message with an image at each of these addresses.
fn with_images<'a>(addresses: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<Value> = addresses
        .into_iter()
        .map(|url| json!({"type": "image_url", "image_url": {"url": url}}))
        .collect();
    json!({"messages": [{"role": "user", "content": parts}]}).to_string()
}

#[tokio::test]
async fn an_image_is_sent_along_or_lies_at_a_public_https_address() {
    let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
    let relay = pass_on(&model);
    let long = format!("https://a.example/{}", "x".repeat(2_048));
    for address in [
        "",
        "http://a.example/cat.png",
        "file:///etc/passwd",
        "data:text/html,<p>",
        "https://127.0.0.1/cat.png",
        "https://[::1]/cat.png",
        "https://2130706433/cat.png",
        "https://metadata/cat.png",
        "https://localhost./cat.png",
        "https://a.localhost/cat.png",
        "https://user@a.example/cat.png",
        "gopher://a.example",
        long.as_str(),
    ] {
        let refused = relay
            .answer(&context(), with_images([address]).as_bytes())
            .await;
        let Some(RelayError::Invalid { param, .. }) = refused.err() else {
            panic!("{address:.60} was not refused");
        };
        let field = "messages[0].content[0].image_url.url";
        assert_eq!(param.as_deref(), Some(field), "{address:.60}");
    }
    let many = with_images([DATA_IMAGE; 17]);
    let refused = relay.answer(&context(), many.as_bytes()).await;
    let Some(RelayError::Invalid { param, .. }) = refused.err() else {
        panic!("17 images were not refused");
    };
    assert_eq!(param.as_deref(), Some("messages[0].content[16]"));
    frames(
        &relay,
        &with_images([DATA_IMAGE, "https://a.example/cat.png"]),
    )
    .await;
    model.assert_all_used();
}

const DATA_IMAGE: &str = "data:image/png;base64,iVBORw0KGgo=";

#[tokio::test]
async fn lengths_and_choices_are_cut_to_what_is_allowed() {
    for (asked, sent) in [
        (json!({}), json!({"max_tokens": 1_000})),
        (
            json!({"max_tokens": null, "n": null}),
            json!({"max_tokens": 1_000}),
        ),
        (json!({"max_tokens": 7}), json!({"max_tokens": 7})),
        (
            json!({"max_completion_tokens": u64::MAX, "n": 100}),
            json!({"max_completion_tokens": 1_000, "n": 2}),
        ),
        (
            json!({"max_tokens": 1_001, "max_completion_tokens": 5, "n": 1}),
            json!({"max_tokens": 1_000, "max_completion_tokens": 5, "n": 1}),
        ),
    ] {
        let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
        let mut body = asked.clone();
        body["messages"] = json!([{"role": "user", "content": "hi"}]);
        frames(&pass_on(&model), &body.to_string()).await;
        let request = model.requests().remove(0).body;
        let bounds: Value = ["max_tokens", "max_completion_tokens", "n"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), request.get(name)?.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(bounds, sent, "{asked}");
    }
}

#[tokio::test]
async fn lengths_are_cut_for_models_that_are_translated_too() {
    for (asked, sent) in [
        (json!({}), 1_000),
        (json!({"max_tokens": null}), 1_000),
        (json!({"max_tokens": 7}), 7),
        (json!({"max_completion_tokens": u64::MAX}), 1_000),
        (json!({"max_tokens": 9, "max_completion_tokens": 5}), 5),
    ] {
        let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
        let provider = Responses::new(config(&model), ResponsesOptions::default()).unwrap();
        let mut body = asked.clone();
        body["messages"] = json!([{"role": "user", "content": "hi"}]);
        frames(&Relay::Translate(Arc::new(provider)), &body.to_string()).await;
        let request = model.requests().remove(0).body;
        assert_eq!(request["max_output_tokens"], sent, "{asked}");
    }
}

/// A provider's stream can end without a word, or in the middle of one: that is told too.
#[tokio::test]
async fn an_answer_that_just_ends_is_told_to_be_broken() {
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let quoted = half.replace("Hel", "\\\"finish_reason\\\":\\\"stop\\\" [DONE]");
    let finished = "data: {\"choices\":[{\"delta\":{},\"finish_reason\": \"stop\"}]}\n\n";
    for (sent, is_whole) in [
        (half.to_owned(), false),
        (quoted, false),
        (format!("{half}data: {{\"choi"), false),
        (format!("{half}{finished}data: {{\"choi"), false),
        (String::new(), false),
        (format!("{half}{finished}"), true),
        (format!("{half}{finished}data: [DONE]\n\n"), true),
        (format!("{half}data: [DONE]\r\n\r\n"), true),
        (format!("{half}data: [DONE]"), true),
        (
            format!("{half}{finished}data: {{\"choices\":[],\"usage\":{{}}}}\n\n"),
            true,
        ),
    ] {
        let reply = Reply::raw(sent.clone()).without_ending();
        let model = FakeModel::scripted([reply]).await.unwrap();
        let frames = frames(&pass_on(&model), &body()).await;
        let whole = frames.concat();
        if is_whole {
            assert!(!whole.contains("stream_error"), "{sent}: {whole}");
            assert_eq!(whole.contains("[DONE]"), sent.contains("[DONE]"), "{whole}");
        } else {
            assert_eq!(
                last_error(&frames)["code"],
                "stream_error",
                "{sent}: {whole}"
            );
            assert!(!whole.ends_with("[DONE]\n\n"), "{whole}");
            assert!(!whole.contains("{\"choi\n"), "{whole}");
        }
    }
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
    let relay = Relay::PassOn(ChatCompletions::new(silent).unwrap());
    let late = relay.answer(&short, body().as_bytes()).await;
    assert!(matches!(
        late.err(),
        Some(RelayError::Model(ModelError::TimedOut))
    ));
}

#[tokio::test]
async fn a_server_that_is_not_to_know_who_asks_is_not_told() {
    let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
    let mut config = config(&model);
    config.options.end_user = false;
    let relay = Relay::PassOn(ChatCompletions::new(config).unwrap());
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "user": "me"});
    frames(&relay, &body.to_string()).await;
    assert_eq!(model.requests()[0].body.get("user"), None);
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
    answer.next().await.unwrap();
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
    assert_eq!(sent["max_output_tokens"], 1_000);
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

#[tokio::test]
async fn a_relayed_answer_has_a_place_until_it_ends() {
    let model = FakeModel::scripted([Reply::text(["Hel"]).and_hold()])
        .await
        .unwrap();
    let gate = Some(crate::openai::Gate::new(1, 0, Duration::from_secs(1)));
    let config = ProviderConfig {
        gate,
        ..config(&model)
    };
    let relay = Relay::PassOn(ChatCompletions::new(config).unwrap());
    let body = body();
    let mut held = relay.answer(&context(), body.as_bytes()).await.unwrap();
    assert!(held.next().await.is_some());
    let refused = relay.answer(&context(), body.as_bytes()).await.err();
    assert!(
        matches!(refused, Some(RelayError::Model(ModelError::RateLimited(_)))),
        "{refused:?}"
    );
    drop(held);
    model.push(Reply::text(["fine"]));
    assert!(frames(&relay, &body).await.concat().contains("fine"));
}
