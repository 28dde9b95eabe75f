//! The fake model against a plain HTTP client: what is scripted arrives, what is wrong is refused.

use futures::StreamExt;
use serde_json::{Value, json};

use super::{Api, FakeModel, Reply};

#[expect(
    clippy::disallowed_methods,
    reason = "a bare client: the product's own limits are not under test"
)]
fn client() -> reqwest::Client {
    reqwest::Client::new()
}

async fn post(model: &FakeModel, path: &str, body: &Value) -> reqwest::Response {
    let url = format!("{}/{path}", model.base_url());
    client()
        .post(url)
        .bearer_auth("key")
        .json(body)
        .send()
        .await
        .expect("the fake model answers")
}

fn question() -> Value {
    json!({ "model": "m", "stream": true, "input": "hello" })
}

fn chat_question() -> Value {
    json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "hello" }] })
}

/// The JSON of every `data:` line, without `[DONE]`.
fn frames(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).expect("a frame holds JSON"))
        .collect()
}

#[tokio::test]
async fn responses_stream_has_numbered_events_and_the_whole_output() {
    let model = FakeModel::scripted([Reply::empty()
        .and_reasoning(["Think", "ing"])
        .and_text(["Hel", "lo"])
        .and_tool_call("call_1", "add_task", &json!({ "title": "buy milk" }))])
    .await
    .unwrap();
    let body = post(&model, "responses", &question())
        .await
        .text()
        .await
        .unwrap();
    let frames = frames(&body);
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame["sequence_number"], index);
    }
    let deltas: String = frames
        .iter()
        .filter(|frame| frame["type"] == "response.output_text.delta")
        .filter_map(|frame| frame["delta"].as_str())
        .collect();
    assert_eq!(deltas, "Hello");
    let arguments: String = frames
        .iter()
        .filter(|frame| frame["type"] == "response.function_call_arguments.delta")
        .filter_map(|frame| frame["delta"].as_str())
        .collect();
    assert_eq!(arguments, r#"{"title":"buy milk"}"#);
    let last = frames.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"].as_array().unwrap().len(), 3);
    assert_eq!(model.requests()[0].bearer(), Some("key"));
    assert_eq!(
        model.requests()[0].last_text("user").as_deref(),
        Some("hello")
    );
    model.assert_all_used();
}

#[tokio::test]
async fn completions_stream_ends_with_reason_usage_and_done() {
    let call = Reply::text(["Hi"]).and_tool_call("c", "list_tasks", &json!({}));
    let model = FakeModel::scripted([call, Reply::text(["a"]).out_of_tokens()])
        .await
        .unwrap();
    let body = post(&model, "chat/completions", &chat_question())
        .await
        .text()
        .await
        .unwrap();
    assert!(body.ends_with("data: [DONE]\n\n"));
    let first = frames(&body);
    assert_eq!(
        first[first.len() - 2]["choices"][0]["finish_reason"],
        "tool_calls"
    );
    assert_eq!(first[first.len() - 1]["usage"]["total_tokens"], 18);
    let body = post(&model, "chat/completions", &chat_question())
        .await
        .text()
        .await
        .unwrap();
    assert!(
        frames(&body)
            .iter()
            .any(|frame| frame["choices"][0]["finish_reason"] == "length")
    );
}

#[tokio::test]
async fn both_formats_answer_without_a_stream() {
    let model = FakeModel::scripted([Reply::text(["A ", "title"]), Reply::text(["A ", "title"])])
        .await
        .unwrap();
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
    let answer: Value = post(&model, "chat/completions", &body)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "A title");
    let answer: Value = post(&model, "responses", &json!({ "model": "m", "input": "x" }))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(answer["output"][0]["content"][0]["text"], "A title");
}

#[tokio::test]
async fn requests_that_a_provider_would_refuse_are_refused() {
    let cases = [
        (
            "responses",
            json!({ "model": "m", "input": [
            { "type": "function_call_output", "call_id": "x", "output": "1" }] }),
            "no tool call found",
        ),
        (
            "responses",
            json!({ "model": "m", "input": [
            { "type": "function_call", "call_id": "x", "name": "f", "arguments": "{}" }] }),
            "no tool output found",
        ),
        (
            "responses",
            json!({ "model": "m", "input": [
            { "role": "tool", "content": "x" }] }),
            "role 'tool' is not known",
        ),
        (
            "responses",
            json!({ "model": "m", "input": [
            { "role": "assistant", "content": [{ "type": "input_text", "text": "x" }] }] }),
            "cannot hold",
        ),
        (
            "responses",
            json!({ "model": "m", "input": "x", "thread": 1 }),
            "unknown parameter 'thread'",
        ),
        ("responses", json!({ "input": "x" }), "'model' is missing"),
        (
            "responses",
            json!({ "model": "m", "input": "x", "tools": [
            { "type": "function", "name": "a b", "parameters": { "type": "object" } }] }),
            "does not match",
        ),
        (
            "chat/completions",
            json!({ "model": "m", "messages": [] }),
            "'messages' is missing",
        ),
        (
            "chat/completions",
            json!({ "model": "m", "messages": [
            { "role": "tool", "tool_call_id": "x", "content": "1" }] }),
            "no tool call found",
        ),
        (
            "chat/completions",
            json!({ "model": "m", "messages": [
            { "role": "assistant", "tool_calls": [
                { "id": "x", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
            { "role": "user", "content": "and?" }] }),
            "have no answer",
        ),
        ("chat/completions", json!([]), "not a JSON object"),
    ];
    for (path, body, sentence) in cases {
        let model = FakeModel::scripted([Reply::text(["unused"])])
            .await
            .unwrap();
        let response = post(&model, path, &body).await;
        assert_eq!(response.status(), 400, "{body}");
        assert!(
            model.violations()[0].contains(sentence),
            "{:?} for {body}",
            model.violations()
        );
    }
}

#[tokio::test]
async fn a_tool_round_trip_is_accepted_and_can_be_read_back() {
    let model = FakeModel::scripted([Reply::text(["done"]), Reply::text(["done"])])
        .await
        .unwrap();
    let call =
        json!({ "id": "x", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let chat = json!({ "model": "m", "stream": true, "messages": [
        { "role": "user", "content": "go" },
        { "role": "assistant", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "x", "content": "7" }] });
    assert_eq!(post(&model, "chat/completions", &chat).await.status(), 200);
    let responses = json!({ "model": "m", "stream": true, "input": [
        { "role": "user", "content": [{ "type": "input_text", "text": "go" }] },
        { "type": "function_call", "call_id": "x", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "x", "output": "7" }] });
    assert_eq!(post(&model, "responses", &responses).await.status(), 200);
    for request in model.requests() {
        assert_eq!(request.tool_output("x"), Some(&json!("7")));
        assert_eq!(request.last_text("user").as_deref(), Some("go"));
    }
    assert_eq!(model.requests()[0].api, Api::ChatCompletions);
    model.assert_all_used();
}

#[tokio::test]
async fn http_errors_carry_the_providers_shape() {
    let limit = Reply::http_error(429, "rate_limit_exceeded", "slow down")
        .retry_after(std::time::Duration::from_secs(2));
    let model = FakeModel::scripted([limit, Reply::http_error(401, "invalid_api_key", "no")])
        .await
        .unwrap();
    let response = post(&model, "responses", &question()).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "2");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
    assert_eq!(post(&model, "responses", &question()).await.status(), 401);
}

#[tokio::test]
async fn a_broken_reply_breaks_and_a_missing_ending_just_stops() {
    let model = FakeModel::scripted([
        Reply::text(["Hel"]).broken(),
        Reply::text(["Hel"]).without_ending(),
    ])
    .await
    .unwrap();
    assert!(
        post(&model, "responses", &question())
            .await
            .text()
            .await
            .is_err()
    );
    let body = post(&model, "responses", &question())
        .await
        .text()
        .await
        .unwrap();
    assert!(!body.contains("response.completed"));
}

#[tokio::test]
async fn failures_inside_the_stream_are_in_the_format_of_each_api() {
    let failed = || Reply::text(["Hel"]).failed("server_error", "the model stumbled");
    let model = FakeModel::scripted([failed(), failed()]).await.unwrap();
    let body = post(&model, "responses", &question())
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(
        frames(&body).last().unwrap()["response"]["error"]["code"],
        "server_error"
    );
    let body = post(&model, "chat/completions", &chat_question())
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(
        frames(&body).last().unwrap()["error"]["message"],
        "the model stumbled"
    );
    assert!(!body.contains("[DONE]"));
}

#[tokio::test]
async fn raw_bytes_and_small_pieces_arrive_unchanged() {
    let rubbish = b"data: {not json\n\n\xff\xfe".to_vec();
    let model = FakeModel::scripted([
        Reply::raw(rubbish.clone()),
        Reply::raw(rubbish.clone()).in_pieces_of(1),
        Reply::text(["h\u{e9}llo"]).in_pieces_of(3),
    ])
    .await
    .unwrap();
    for path in ["responses", "chat/completions"] {
        let body = if path == "responses" {
            question()
        } else {
            chat_question()
        };
        assert_eq!(
            post(&model, path, &body).await.bytes().await.unwrap(),
            rubbish
        );
    }
    let body = post(&model, "responses", &question())
        .await
        .text()
        .await
        .unwrap();
    assert!(body.contains("h\u{e9}llo"));
}

#[tokio::test]
async fn a_held_reply_waits_for_the_test_and_a_client_that_leaves_is_noticed() {
    let held = || Reply::text(["before"]).and_hold().and_text(["after"]);
    let model = FakeModel::scripted([held(), held()]).await.unwrap();
    let mut stream = post(&model, "chat/completions", &chat_question())
        .await
        .bytes_stream();
    let mut seen = String::new();
    while !seen.contains("before") {
        seen.push_str(&String::from_utf8_lossy(
            &stream.next().await.unwrap().unwrap(),
        ));
    }
    assert!(!seen.contains("after"));
    model.release();
    while let Some(piece) = stream.next().await {
        seen.push_str(&String::from_utf8_lossy(&piece.unwrap()));
    }
    assert!(seen.contains("after"));
    assert_eq!(model.disconnects(), 0);

    let left = post(&model, "chat/completions", &chat_question()).await;
    drop(left);
    model.wait_for_disconnects(1).await;
}

#[tokio::test]
async fn rules_answer_before_the_script() {
    let model = FakeModel::scripted([Reply::text(["answer"])])
        .await
        .unwrap();
    model.answer_when(|request| {
        request
            .last_text("user")?
            .contains("title")
            .then(|| Reply::text(["Groceries"]))
    });
    let body = json!({ "model": "m", "input": "a title for this" });
    let answer: Value = post(&model, "responses", &body).await.json().await.unwrap();
    assert_eq!(answer["output"][0]["content"][0]["text"], "Groceries");
    assert_eq!(post(&model, "responses", &question()).await.status(), 200);
    assert_eq!(model.wait_for_requests(2).await.len(), 2);
    let late = post(&model, "responses", &question()).await;
    assert_eq!(late.status(), 400);
    assert!(model.violations()[0].contains("no reply left"));
}
