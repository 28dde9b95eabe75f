//! Habits of servers that readers of other clients have reported: what they stream, refuse and demand.

use testkit::fake_model::CapturedRequest;

use super::*;

fn chat(trace: &str) -> String {
    let decoder = chat_completions::Decoder::new(Secrets::default());
    stream::decode(decoder, trace.as_bytes(), 7)
}

fn responses(events: &[Value]) -> String {
    let events: Vec<String> = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let trace = events.concat();
    let decoder = responses::Decoder::new(Secrets::default(), None);
    stream::decode(decoder, trace.as_bytes(), 7)
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let chunk = json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
    format!("data: {chunk}\n\n")
}

fn stop() -> String {
    chunk(&json!({}), Some("stop")) + "data: [DONE]\n\n"
}

#[test]
fn an_event_with_a_second_mark_in_it_is_read_behind_that() {
    let whole = chunk(&json!({ "content": "Hel" }), None)
        + &chunk(&json!({ "content": "lo" }), None)
        + &stop();
    let twice = whole.replace("data: ", "data: data: ");
    for (what, trace) in [
        ("two marks", twice.clone()),
        (
            "two marks, and empty lines of data",
            twice.replace("\n\n", "\ndata:\ndata:\n\n"),
        ),
        (
            "an event that breaks off, and the next one in its line",
            whole.replacen(
                "data: ",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"adata: ",
                1,
            ),
        ),
    ] {
        let told = chat(&trace);
        assert!(
            told.starts_with("TextDelta(\"Hel\")\nTextDelta(\"lo\")\nCompleted"),
            "{what}: {told}"
        );
    }
    let event = json!({ "type": "response.output_text.delta", "delta": "Hi", "output_index": 0, "content_index": 0 });
    let trace = format!("data: data: {event}\n\ndata: data: [DONE]\n\n");
    let decoder = responses::Decoder::new(Secrets::default(), None);
    let told = stream::decode(decoder, trace.as_bytes(), 7);
    assert!(told.starts_with("TextDelta(\"Hi\")\nCompleted"), "{told}");
}

#[test]
fn an_end_is_one_however_it_is_written() {
    for end in [
        "data: [done]\n\n",
        "data: \"[DONE]\"\n\n",
        "event: done\ndata: {}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finishReason\":\"STOP\"}]}\n\n",
    ] {
        let told = chat(&(chunk(&json!({ "content": "Hi" }), None) + end));
        assert!(
            told.starts_with("TextDelta(\"Hi\")\nCompleted"),
            "{end}: {told}"
        );
    }
}

#[test]
fn arguments_are_read_under_the_names_that_templates_give_them() {
    for name in ["arguments", "parameters", "input"] {
        let function = json!({ "name": "default_api.x", name: { "n": 1 } });
        let delta = json!({ "tool_calls": [{ "index": 0, "id": "a", "function": function }] });
        let told = chat(&(chunk(&delta, None) + &stop()));
        assert!(
            told.contains("name: \"x\", arguments: \"{\\\"n\\\":1}\""),
            "{told}"
        );
    }
}

#[test]
fn a_call_is_told_by_its_id_where_its_number_is_wrong() {
    let piece = |index: u32, id: &str, name: Option<&str>, arguments: &str| {
        let function = json!({ "name": name, "arguments": arguments });
        let call = json!({ "index": index, "id": id, "function": function });
        chunk(&json!({ "tool_calls": [call] }), None)
    };
    for (what, pieces, expected) in [
        (
            "the same call at two places",
            [
                piece(0, "a", Some("x"), ""),
                piece(0, "a", None, "{\"n\":1}"),
                piece(1, "a", Some("x"), "{\"n\":1}"),
            ],
            vec!["a x {\"n\":1}"],
        ),
        (
            "a second call that begins at the place of the first one",
            [
                piece(0, "a", Some("x"), "{\"n\":1}"),
                piece(0, "b", Some("x"), "{\"n\":"),
                piece(1, "b", None, "2}"),
            ],
            vec!["a x {\"n\":1}", "b x {\"n\":2}"],
        ),
        (
            "two calls with one id",
            [
                piece(0, "a", Some("x"), "{\"n\":1}"),
                piece(1, "a", Some("x"), ""),
                piece(1, "a", None, "{\"n\":2}"),
            ],
            vec!["a x {\"n\":1}", "call_1 x {\"n\":2}"],
        ),
    ] {
        let decoder = chat_completions::Decoder::new(Secrets::default());
        let trace = pieces.concat() + &stop();
        let calls: Vec<String> = stream::told(decoder, trace.as_bytes(), 7)
            .filter_map(|event| match event.unwrap() {
                ModelEvent::ToolCall(call) => {
                    Some(format!("{} {} {}", call.call_id, call.name, call.arguments))
                }
                _ => None,
            })
            .collect();
        assert_eq!(calls, expected, "{what}");
    }
}

#[test]
fn pages_are_cited_however_they_are_listed() {
    let text = json!({ "content": "It rains." });
    let flat = json!({ "content": "It rains.", "annotations": [{ "type": "url_citation", "url": "https://example.com/a", "title": "A" }] });
    let listed = json!({ "choices": [{ "index": 0, "delta": text }], "web_search": [{ "refer": "ref_1", "title": "A", "link": "https://example.com/a", "content": "…" }] });
    for trace in [
        chunk(&flat, None) + &stop(),
        format!("data: {listed}\n\n") + &stop(),
    ] {
        let told = chat(&trace);
        let page = "UrlCitation { url: \"https://example.com/a\", title: \"A\"";
        assert_eq!(told.matches(page).count(), 1, "{told}");
    }
}

#[test]
fn thoughts_are_one_text_however_their_pieces_are_counted() {
    let delta = |kind: &str, index: u32, text: &str| json!({ "type": kind, "item_id": "m", "output_index": 0, "content_index": index, "summary_index": index, "delta": text });
    let done = |kind: &str| json!({ "type": kind, "item_id": "m", "output_index": 0, "content_index": 0, "text": "I think" });
    let end = json!({ "type": "response.completed", "response": { "status": "completed", "output": [] } });
    for (what, events, expected) in [
        (
            "a number for each piece",
            vec![
                delta("response.reasoning_text.delta", 0, "I"),
                delta("response.reasoning_text.delta", 1, " think"),
                done("response.reasoning_text.done"),
                end.clone(),
            ],
            &["I", " think"][..],
        ),
        (
            "paragraphs of a summary",
            vec![
                delta("response.reasoning_summary_text.delta", 0, "One"),
                delta("response.reasoning_summary_text.delta", 1, "Two"),
                end.clone(),
            ],
            &["One", "\\n\\nTwo"],
        ),
        (
            "whole",
            vec![done("response.reasoning_text.done"), end],
            &["I think"],
        ),
    ] {
        let told = responses(&events);
        let thoughts: Vec<&str> = told
            .lines()
            .filter_map(|line| line.strip_prefix("ReasoningDelta(\"")?.strip_suffix("\")"))
            .collect();
        assert_eq!(thoughts, expected, "{what}");
    }
}

#[test]
fn an_error_of_the_responses_api_is_one_under_either_name() {
    let event = json!({ "type": "response.error", "error": { "code": "rate_limit_exceeded" } });
    let told = responses(&[event]);
    assert!(told.contains("rate limit"), "{told}");
}

#[tokio::test]
async fn an_answer_without_a_word_is_asked_for_again() {
    let blank = chunk(&json!({ "role": "assistant", "content": "" }), None);
    let completed = json!({ "type": "response.completed", "response": { "status": "completed", "output": [], "usage": { "input_tokens": 9 } } });
    let chat = [
        String::new(),
        "data: [DONE]\n\n".to_owned(),
        blank + &stop(),
        json!({ "choices": [], "usage": { "prompt_tokens": 9 } }).to_string(),
        chunk(
            &json!({}),
            Some("function_call_filter: MALFORMED_FUNCTION_CALL"),
        ),
        chunk(&json!({}), Some("insufficient_system_resource")),
    ];
    let responses = [String::new(), format!("data: {completed}\n\n")];
    for (api, empties) in [(0, &responses[..]), (1, &chat[..])] {
        for empty in empties {
            let empty = || Reply::raw(empty.clone());
            let replies = [empty(), empty(), Reply::text(["fine"])];
            let model = FakeModel::scripted(replies).await.unwrap();
            let (_, provider) = models(&patient(&model.base_url()))
                .into_iter()
                .nth(api)
                .unwrap();
            let told = answer(&*provider, simple_request("hi")).await;
            assert_eq!(told.first().map(String::as_str), Some("fine"), "{told:?}");
            model.assert_all_used();
        }
    }
    // One that stays empty is an answer, and what was only thought is none that nobody has heard.
    let empty = Reply::raw("data: [DONE]\n\n".to_owned());
    let thought = Reply::empty().and_reasoning(["hm"]);
    let model = FakeModel::scripted([empty.clone(), empty.clone(), empty, thought])
        .await
        .unwrap();
    let [_, (_, provider)] = models(&patient(&model.base_url()));
    let told = answer(&*provider, simple_request("hi")).await;
    assert_eq!(told, ["end: truncated false, usage None"]);
    let told = answer(&*provider, simple_request("hi")).await;
    assert_eq!(told[0], "thinks: hm");
    model.assert_all_used();
}

/// Which API, the status and the words of a refusal, and what is not refused.
type Refused = (usize, u16, &'static str, fn(&CapturedRequest) -> bool);

#[tokio::test]
async fn what_is_refused_in_other_words_is_left_out_as_well() {
    let has_no_role = |request: &CapturedRequest| request.body["messages"][0]["role"] != "system";
    let follows = |request: &CapturedRequest| {
        let items = request.items();
        let roles: Vec<&Value> = items.iter().map(|item| &item["role"]).collect();
        !roles
            .windows(2)
            .any(|pair| pair[0] == "tool" && pair[1] == "user")
    };
    let has_no_tools = |request: &CapturedRequest| request.tool_names().is_empty();
    let has_no_user = |request: &CapturedRequest| request.body["user"].is_null();
    let has_no_options = |request: &CapturedRequest| request.body["stream_options"].is_null();
    let has_no_blank = |request: &CapturedRequest| {
        let mut items = request.items().iter();
        items.all(|item| item["content"] != "")
    };
    let is_not_streamed = |request: &CapturedRequest| request.body["stream"] == false;
    let is_short = |request: &CapturedRequest| {
        let tools = request.body["tools"].as_array().unwrap();
        let descriptions = tools.iter().map(|tool| {
            let function = tool.get("function").unwrap_or(tool);
            function["description"].as_str().unwrap_or_default()
        });
        let mut lengths = descriptions.map(|text| text.chars().count());
        tools.len() == 2 && lengths.all(|length| length <= 1024)
    };
    let is_thoughtful = |request: &CapturedRequest| {
        let items = request.items();
        let calls = (0..items.len()).filter(|at| items[*at]["type"] == "function_call");
        calls.clone().count() == 2
            && calls
                .into_iter()
                .all(|at| items[at - 1]["type"] == "reasoning")
    };
    let cases: [Refused; 21] = [
        (1, 400, "Unexpected role 'user' after role 'tool'", follows),
        (
            1,
            400,
            "After the (optional) system message(s), user or tool message(s) should alternate with assistant message(s).",
            follows,
        ),
        (
            1,
            400,
            "After the (optional) system message(s), user and assistant roles should be alternating.",
            follows,
        ),
        (
            1,
            400,
            "Only user and assistant roles are supported!",
            has_no_role,
        ),
        (
            1,
            500,
            "Jinja Exception: Only user and assistant roles are supported!",
            has_no_role,
        ),
        (
            1,
            422,
            "messages[0].role: Input should be 'user' or 'assistant'",
            has_no_role,
        ),
        (
            1,
            400,
            "Invalid request: the message at position 2 with role 'assistant' must not be empty",
            has_no_blank,
        ),
        (
            1,
            400,
            "Unrecognized request argument supplied: user",
            has_no_user,
        ),
        (1, 400, "property user should not exist", has_no_user),
        (
            1,
            400,
            "property stream_options should not exist",
            has_no_options,
        ),
        (1, 400, "不支持参数 stream_options", has_no_options),
        (
            1,
            400,
            "Invalid argument: stream_options is not a valid parameter",
            has_no_options,
        ),
        (
            1,
            400,
            "Unsupported parameter: 'tools' is not supported with this model.",
            has_no_tools,
        ),
        (
            1,
            400,
            "tools is not supported in this model. For a list of supported models, refer to the documentation",
            has_no_tools,
        ),
        (
            1,
            400,
            "BedrockException - This model doesn't support tool use.",
            has_no_tools,
        ),
        (1, 500, "Unsupported param: tools", has_no_tools),
        (
            1,
            400,
            "`tool calling` is not supported with this model",
            has_no_tools,
        ),
        (1, 500, "Cannot use tools with stream", is_not_streamed),
        (
            0,
            400,
            "Invalid 'tools[0].description': string too long. Expected a string with maximum length 1024",
            is_short,
        ),
        (
            1,
            400,
            "Invalid 'tools[0].function.description': string too long. Expected a string with maximum length 1024, but got a string with length 2780 instead.",
            is_short,
        ),
        (
            0,
            400,
            "The `reasoning_text` in the thinking mode must be passed back to the API.",
            is_thoughtful,
        ),
    ];
    for (api, status, words, is_right) in cases {
        let model = FakeModel::scripted([]).await.unwrap();
        model.answer_when(move |request| {
            Some(if is_right(request) {
                Reply::text(["fine"])
            } else {
                Reply::http_error(status, "", words)
            })
        });
        let (_, provider) = models(&config(&model.base_url()))
            .into_iter()
            .nth(api)
            .unwrap();
        let mut request = rich_request();
        request.tool_choice = None;
        request.tools[0].description = "Adds a task. ".repeat(200);
        request
            .input
            .retain(|input| !matches!(input, ModelInput::Assistant(_)));
        for asked in [2, 3] {
            let told = answer(&*provider, request.clone()).await;
            assert_eq!(told.first().map(String::as_str), Some("fine"), "{words}");
            assert_eq!(model.requests().len(), asked, "{words}");
        }
    }
}

#[test]
fn an_address_may_name_its_endpoint() {
    for (base, expected) in [
        (
            "https://a.example/v1/chat/completions",
            "https://a.example/v1",
        ),
        (
            "https://a.example/v1/chat/completions/",
            "https://a.example/v1",
        ),
        (
            "https://a.example/v1/responses?v=1",
            "https://a.example/v1?v=1",
        ),
        ("https://a.example/v1/", "https://a.example/v1/"),
        ("https://a.example/", "https://a.example/"),
    ] {
        let told = without_endpoint(base.parse().unwrap());
        assert_eq!(told.as_str(), expected);
    }
}
