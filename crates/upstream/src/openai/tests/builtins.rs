//! Tools of the provider's own and summaries of thoughts: asked for, and not where they are refused.

use testkit::fake_model::CapturedRequest;

use super::*;

fn responses(base_url: &str, builtin_tools: &[Value]) -> Responses {
    let options = ResponsesOptions {
        wants_reasoning_summary: true,
        builtin_tools: builtin_tools.to_vec(),
    };
    Responses::new(config(base_url), options).unwrap()
}

#[tokio::test]
async fn tools_of_the_provider_stand_behind_ours_and_what_they_find_is_asked_for() {
    let tools = [
        json!({ "type": "web_search" }),
        json!({ "type": "file_search", "vector_store_ids": ["vs_1"] }),
    ];
    let found = ["web_search_call.action.sources", "file_search_call.results"];
    let model = FakeModel::scripted([(); 3].map(|()| Reply::text(["ok"])))
        .await
        .unwrap();
    let provider = responses(&model.base_url(), &tools);
    answer(&provider, simple_request("hi")).await;
    answer(&provider, rich_request()).await;
    let title = ModelRequest {
        may_use_builtins: false,
        ..simple_request("hi")
    };
    answer(&provider, title).await;
    let [bare, rich, title] = &model.requests()[..] else {
        unreachable!()
    };
    for field in ["tools", "include"] {
        assert_eq!(title.body.get(field), None, "a title searches for nothing");
    }
    assert_eq!(bare.body["tools"], json!(tools));
    assert_eq!(bare.body["include"], json!(found));
    let sent = rich.body["tools"].as_array().unwrap();
    assert_eq!(sent[sent.len() - 2..], tools);
    assert!(sent[0]["type"] == "function");
    assert_eq!(
        rich.body["include"],
        json!(["reasoning.encrypted_content", found[0], found[1]])
    );
}

#[tokio::test]
async fn a_summary_is_asked_for_until_it_is_refused() {
    for words in [
        "Unsupported parameter: 'reasoning.summary' is not supported with this model.",
        "Your organization must be verified to generate reasoning summaries. Please go to: settings.",
        "Unknown parameter: 'reasoning'.",
    ] {
        let model = FakeModel::scripted([]).await.unwrap();
        model.answer_when(move |request: &CapturedRequest| {
            Some(match &request.body["reasoning"]["summary"] {
                Value::Null => Reply::text(["fine"]),
                _ => Reply::http_error(400, "unsupported_value", words).about("reasoning.summary"),
            })
        });
        let provider = responses(&model.base_url(), &[]);
        for asked in [2, 3] {
            assert_eq!(answer(&provider, simple_request("hi")).await[0], "fine");
            assert_eq!(model.requests().len(), asked, "{words}");
        }
    }
}

#[tokio::test]
async fn a_summary_that_is_not_streamed_is_told_whole() {
    let response = json!({ "status": "completed", "output": [
        { "type": "reasoning", "id": "rs_1", "summary": [
            { "type": "summary_text", "text": "First." }, { "type": "summary_text", "text": "Then." },
        ] },
        { "type": "message", "content": [{ "type": "output_text", "text": "Done.", "annotations": [
            { "type": "url_citation", "url": "https://example.com/", "title": "A", "end_index": 4 },
        ] }] },
    ] });
    let told = stream::decode(
        responses::Decoder::new(Secrets::default(), None),
        response.to_string().as_bytes(),
        7,
    );
    let expected = [
        r#"ReasoningDelta("First.")"#,
        r#"ReasoningDelta("\n\nThen.")"#,
        r#"TextDelta("Done.")"#,
        r#"UrlCitation { url: "https://example.com/", title: "A", index: Some(4) }"#,
    ];
    let lines: Vec<&str> = told.lines().take(4).collect();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn pictures_may_be_larger_than_any_other_event() {
    let image = "iVBORw0KGgo".to_owned() + &"A".repeat(5 * 1024 * 1024 + 1);
    let item = json!({ "type": "image_generation_call", "id": "ig_1", "status": "completed", "result": image });
    let done = json!({ "type": "response.output_item.done", "output_index": 0, "item": item });
    let end = json!({ "type": "response.completed", "response": { "output": [item], "status": "completed" } });
    let trace = format!("data: {done}\n\ndata: {end}\n\n");
    let server = BareServer::start([chunked("text/event-stream", &trace)]).await;
    for (tools, is_read) in [
        (vec![json!({ "type": "image_generation" })], true),
        (vec![], false),
    ] {
        let provider = responses(&server.url("/v1"), &tools);
        let told = answer(&provider, simple_request("a cat")).await;
        let pictures = told.iter().filter(|line| line.contains("GeneratedImage"));
        assert_eq!(pictures.count(), usize::from(is_read));
        let is_whole = told.last().is_some_and(|line| line.starts_with("end:"));
        assert_eq!(is_whole, is_read);
    }
}
