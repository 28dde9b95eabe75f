//! What a model thought goes back to it with its calls.

use super::*;

/// Asks once, answers the calls, and asks again: the request for the second time.
async fn asked_again(model: &dyn Model) -> Vec<ModelInput> {
    let mut request = simple_request("go");
    request.tools = rich_request().tools;
    let mut events = model.respond(request.clone()).await.unwrap();
    let mut outputs = Vec::new();
    while let Some(event) = events.next().await {
        match event.unwrap() {
            ModelEvent::Thought(thought) => request.input.push(ModelInput::Thought(thought)),
            ModelEvent::ToolCall(call) => {
                outputs.push(output(&call.call_id, "done"));
                request.input.push(ModelInput::ToolCall(call));
            }
            _ => {}
        }
    }
    request.input.extend(outputs);
    let input = request.input.clone();
    answer(model, request).await;
    input
}

#[tokio::test]
async fn what_the_model_thought_goes_back_with_its_calls() {
    let call = || {
        Reply::empty()
            .and_reasoning(["I need ", "both"])
            .and_tool_call("c1", "add_task", &json!({}))
            .and_tool_call("c2", "list_tasks", &json!({}))
    };
    let replies = [call(), Reply::text(["fine"]), call(), Reply::text(["fine"])];
    let model = FakeModel::scripted(replies).await.unwrap();
    for (_, provider) in models(&config(&model.base_url())) {
        asked_again(&*provider).await;
    }
    model.assert_all_used();
    let requests = model.requests();
    assert_eq!(
        requests[0].body["include"],
        json!(["reasoning.encrypted_content"])
    );
    let types: Vec<_> = requests[1]
        .items()
        .iter()
        .map(|item| &item["type"])
        .collect();
    assert_eq!(
        types,
        [
            "message",
            "reasoning",
            "function_call",
            "function_call",
            "function_call_output",
            "function_call_output"
        ]
    );
    assert_eq!(
        requests[1].items()[1],
        json!({ "type": "reasoning", "id": "rs_fake0", "encrypted_content": "sealed: I need both",
            "summary": [{ "type": "summary_text", "text": "I need both" }] })
    );
    let message = &requests[3].items()[1];
    assert_eq!(message["reasoning_content"], "I need both");
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_question_without_tools_asks_for_no_thoughts() {
    let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
    let [(_, provider), _] = models(&config(&model.base_url()));
    answer(&*provider, simple_request("hi")).await;
    assert_eq!(model.requests()[0].body.get("include"), None);
}

#[test]
fn only_thoughts_that_can_be_given_back_are_kept() {
    let told = |item: Value| {
        let done = json!({ "type": "response.output_item.done", "output_index": 0, "item": item });
        let end = json!({ "type": "response.completed",
            "response": { "status": "completed", "output": [item] } });
        let trace = format!("data: {done}\n\ndata: {end}\n\n");
        let decoder = responses::Decoder::new(Secrets::default(), None);
        let told = stream::decode(decoder, trace.as_bytes(), usize::MAX);
        told.matches("Thought(Thought(").count()
    };
    let text = json!([{ "type": "reasoning_text", "text": "hm" }]);
    for (item, kept) in [
        (
            json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e", "status": null }),
            1,
        ),
        (
            json!({ "type": "reasoning", "summary": [], "content": text }),
            1,
        ),
        (
            json!({ "type": "reasoning", "id": "rs_1", "summary": [] }),
            0,
        ),
        (
            json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": null, "content": [] }),
            0,
        ),
    ] {
        assert_eq!(told(item.clone()), kept, "{item}");
    }
}

#[test]
fn a_signed_call_goes_back_signed() {
    let signature = json!({ "google": { "thought_signature": "s" } });
    let chunk = json!({ "choices": [{ "index": 0, "finish_reason": "tool_calls", "delta": {
        "tool_calls": [
            { "index": 0, "id": "a", "function": { "name": "x", "arguments": "{}" }, "extra_content": signature },
            { "index": 1, "id": "b", "function": { "name": "x", "arguments": "{}" } },
        ] } }] });
    let trace = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    let told = stream::decode(
        chat_completions::Decoder::new(Secrets::default()),
        trace.as_bytes(),
        usize::MAX,
    );
    let first = told.lines().next().unwrap();
    assert!(
        first.starts_with("Thought(") && first.contains("thought_signature"),
        "{told}"
    );
}
