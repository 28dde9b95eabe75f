//! Asking again before the first token: without what is refused, and after a pause; and never after it.

use std::num::NonZeroU32;

use testkit::fake_model::CapturedRequest;

use super::*;

/// As a server that is only compatible refuses a parameter.
fn refusal(words: &str) -> Reply {
    Reply::http_error(400, "", words)
}

/// A model that refuses, in these words, what has a field of this name.
async fn strict(name: &'static str, status: u16, words: &'static str) -> FakeModel {
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(move |request| {
        let is_sent = request.body.to_string().contains(&format!("\"{name}\":"));
        Some(if is_sent {
            Reply::http_error(status, "", words)
        } else {
            Reply::text(["fine"])
        })
    });
    model
}

/// A question with everything in it that may be left out.
fn full_request() -> ModelRequest {
    ModelRequest {
        max_output_tokens: NonZeroU32::new(100),
        ..rich_request()
    }
}

fn says_fine(told: &[String]) {
    assert_eq!(told.first().map(String::as_str), Some("fine"), "{told:?}");
}

#[tokio::test]
async fn what_a_server_refuses_by_its_name_is_left_out_once_and_for_all() {
    for (api, name, status, words) in [
        (
            1,
            "stream_options",
            400,
            "Extra inputs are not permitted, field: 'stream_options'",
        ),
        (
            1,
            "user",
            422,
            "[{'type': 'extra_forbidden', 'loc': ('body', 'user')}]",
        ),
        (
            1,
            "max_tokens",
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        ),
        (
            1,
            "parallel_tool_calls",
            400,
            "Unrecognized request argument supplied: parallel_tool_calls",
        ),
        (
            1,
            "tool_choice",
            400,
            "this model does not support this tool_choice: function 'add_task'",
        ),
        (
            1,
            "tool_choice",
            400,
            "tool_choice 'specified' is incompatible with thinking enabled",
        ),
        (
            1,
            "tool_choice",
            400,
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            0,
            "include",
            400,
            "Encrypted content is not supported with this model.",
        ),
        (
            0,
            "safety_identifier",
            400,
            "Unknown parameter: 'safety_identifier'.",
        ),
        (0, "strict", 400, "tools[0]: unknown field `strict`"),
    ] {
        let model = strict(name, status, words).await;
        let mut config = config(&model.base_url());
        config.options.parallel_tool_calls = Some(false);
        let (_, provider) = models(&config).into_iter().nth(api).unwrap();
        says_fine(&answer(&*provider, full_request()).await);
        assert_eq!(model.requests().len(), 2, "{name}");
        says_fine(&answer(&*provider, full_request()).await);
        let requests = model.requests();
        assert_eq!(requests.len(), 3, "{name} is remembered");
        let last = &requests[2].body;
        let length = ["max_tokens", "max_completion_tokens", "max_output_tokens"]
            .iter()
            .any(|field| last[field] == 100);
        assert!(length, "the length of an answer is always asked for");
        assert_eq!(
            last["tools"].as_array().unwrap().len(),
            2,
            "and all tools are offered"
        );
    }
}

/// Which API, whether a request has what is refused, and the refusal.
type Unknown = (usize, &'static str, fn(&Value) -> bool, u16, &'static str);

#[tokio::test]
async fn what_a_model_knows_nothing_of_is_told_in_another_way() {
    let has_tools = |body: &Value| {
        body["tools"]
            .as_array()
            .is_some_and(|tools| !tools.is_empty())
    };
    let has_role = |body: &Value| body["messages"].to_string().contains("\"role\":\"system\"");
    let has_empty = |body: &Value| body["messages"].to_string().contains("\"content\":\"\"");
    let cases: [Unknown; 15] = [
        (
            1,
            "tools",
            has_tools,
            500,
            "tools param requires --jinja flag",
        ),
        (
            1,
            "tools",
            has_tools,
            400,
            "Function calling is not enabled for this model",
        ),
        (
            1,
            "tools",
            has_tools,
            400,
            "InternalError.Algo.InvalidParameter: The tool call is not supported.",
        ),
        (
            1,
            "tools",
            has_tools,
            400,
            "Unrecognized request argument supplied: tools",
        ),
        (
            1,
            "a system message",
            has_role,
            500,
            "Jinja Exception: System role not supported",
        ),
        (
            1,
            "tools",
            has_tools,
            400,
            "registry.ollama.ai/library/gemma3 does not support tools",
        ),
        (
            1,
            "tools",
            has_tools,
            400,
            "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
        ),
        (
            1,
            "tools",
            has_tools,
            404,
            "No endpoints found that support tool use.",
        ),
        (
            0,
            "tools",
            has_tools,
            400,
            "This model does not support tools.",
        ),
        (
            1,
            "a system message",
            has_role,
            400,
            "System role not supported",
        ),
        (
            1,
            "a system message",
            has_role,
            400,
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        ),
        (
            1,
            "an empty text",
            has_empty,
            400,
            "messages.2: text content blocks must be non-empty",
        ),
        (
            1,
            "a stream",
            |body| body["stream"] == true,
            400,
            "Your organization must be verified to stream this model.",
        ),
        (
            0,
            "a stream",
            |body| body["stream"] == true,
            400,
            "Your organization must be verified to stream this model.",
        ),
        (
            1,
            "an empty description",
            |body| body["tools"].to_string().contains("\"description\":\"\""),
            400,
            "tools.0: the description is too short",
        ),
    ];
    for (api, what, is_sent, status, words) in cases {
        let model = FakeModel::scripted([]).await.unwrap();
        model.answer_when(move |request| {
            Some(if is_sent(&request.body) {
                Reply::http_error(status, "", words)
            } else {
                Reply::text(["fine"])
            })
        });
        let (_, provider) = models(&config(&model.base_url()))
            .into_iter()
            .nth(api)
            .unwrap();
        let mut request = full_request();
        request.tools[0].description.clear();
        // So that nothing is said beside the calls.
        request
            .input
            .retain(|input| !matches!(input, ModelInput::Assistant(_)));
        let told = answer(&*provider, request.clone()).await;
        assert_eq!(told[0], "fine", "{what}: {words}");
        let first = model.requests().len();
        says_fine(&answer(&*provider, request).await);
        let requests = model.requests();
        assert_eq!(
            requests.len(),
            first + 1,
            "{what} is remembered to be refused"
        );
        let last = requests[first].body.to_string();
        assert!(
            last.contains("1. milk"),
            "{what}: what tools have found is told in any case"
        );
    }
}

/// What stands in the way of what is meant must not be left out along with it, least of all for everybody and an hour.
#[tokio::test]
async fn what_is_refused_costs_nothing_else() {
    for (name, words) in [
        (
            "stream_options",
            "Input should be ChatCompletionSystemMessageParam, ChatCompletionUserMessageParam; stream_options: Extra inputs are not permitted",
        ),
        (
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model (nor are developer messages). Use 'max_completion_tokens' instead.",
        ),
        (
            "parallel_tool_calls",
            "This model does not support tool calling in parallel: parallel_tool_calls is not supported",
        ),
    ] {
        let model = strict(name, 400, words).await;
        let mut config = config(&model.base_url());
        config.options.parallel_tool_calls = Some(false);
        let [_, (_, provider)] = models(&config);
        for _ in 0..2 {
            says_fine(&answer(&*provider, full_request()).await);
        }
        let requests = model.requests();
        assert_eq!(requests.len(), 3, "{name}");
        let last = &requests[2].body;
        assert_eq!(last["tools"].as_array().unwrap().len(), 2, "{name}");
        assert_eq!(last["messages"][0]["role"], "system", "{name}");
    }
    // What nothing helps against has not been helped by anything.
    for words in [
        "blocked by our system policy; such messages are not allowed",
        "Unexpected system error while processing your message",
        "the 'system' is not supported today, tools are not supported either",
    ] {
        let model = FakeModel::scripted([]).await.unwrap();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        model.answer_when(move |_| {
            let count = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Some(if count < 6 {
                refusal(words)
            } else {
                Reply::text(["fine"])
            })
        });
        let [_, (_, provider)] = models(&config(&model.base_url()));
        while !answer(&*provider, full_request())
            .await
            .contains(&"fine".to_owned())
        {}
        let requests = model.requests();
        let last = &requests.last().unwrap().body;
        assert_eq!(last["tools"].as_array().unwrap().len(), 2, "{words}");
        assert_eq!(last["messages"][0]["role"], "system", "{words}");
    }
}

#[tokio::test]
async fn the_ids_of_calls_are_ours_where_a_server_refuses_others() {
    for words in [
        "Tool call id was tool_0_s__x but must be a-z, A-Z, 0-9, with a length of 9.",
        "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40.",
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ] {
        let model = FakeModel::scripted([]).await.unwrap();
        model.answer_when(move |request| {
            let is_given = request.body.to_string().contains("\"call_1\"");
            Some(if is_given {
                refusal(words)
            } else {
                Reply::text(["fine"])
            })
        });
        let [_, (_, provider)] = models(&config(&model.base_url()));
        says_fine(&answer(&*provider, full_request()).await);
        says_fine(&answer(&*provider, full_request()).await);
        let requests = model.requests();
        assert_eq!(requests.len(), 3, "{words}");
        let last = requests[2].body.to_string();
        assert_eq!(last.matches("\"call00001\"").count(), 2, "{last}");
        assert_eq!(last.matches("\"call00002\"").count(), 2, "{last}");
    }
}

#[tokio::test]
async fn calls_are_told_in_words_where_they_are_refused_without_tools() {
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(|request| {
        let has_calls = request
            .items()
            .iter()
            .any(|item| item["tool_calls"].is_array());
        Some(if has_calls && request.body["tools"].is_null() {
            refusal("Anthropic expects the `tools=` param to be passed in.")
        } else {
            Reply::text(["fine"])
        })
    });
    let [_, (_, provider)] = models(&config(&model.base_url()));
    let bare = ModelRequest {
        tools: Vec::new(),
        tool_choice: None,
        ..rich_request()
    };
    says_fine(&answer(&*provider, bare).await);
    let requests = model.requests();
    let last = requests[1].body.to_string();
    assert!(
        last.contains("[You have called the tool add_task with"),
        "{last}"
    );
    assert!(
        last.contains("does not come from the user:]\\n1. milk"),
        "{last}"
    );
    // Where tools are offered, they are calls.
    says_fine(&answer(&*provider, rich_request()).await);
    let requests = model.requests();
    assert!(
        requests[2]
            .items()
            .iter()
            .any(|item| item["tool_calls"].is_array())
    );
}

#[tokio::test]
async fn a_server_that_demands_a_thought_with_every_call_gets_one() {
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(|request| {
        let calls = request.items().iter().filter(|message| message["tool_calls"].is_array());
        let is_bare = |message: &Value| message["reasoning_content"].as_str().is_none_or(str::is_empty);
        let index = calls.into_iter().position(is_bare);
        Some(index.map_or_else(
            || Reply::text(["fine"]),
            |index| {
                refusal(&format!(
                    "thinking is enabled but reasoning_content is missing in assistant tool call message at index {index}"
                ))
            },
        ))
    });
    let [_, (_, provider)] = models(&config(&model.base_url()));
    let mut request = full_request();
    let thought = json!({ "message": { "reasoning_content": "hm" } }).to_string();
    request.input.extend([
        ModelInput::Thought(engine::ports::Thought(thought)),
        ModelInput::ToolCall(call("call_9", "list_tasks", "{}")),
        output("call_9", "none"),
    ]);
    says_fine(&answer(&*provider, request.clone()).await);
    says_fine(&answer(&*provider, request).await);
    let requests = model.requests();
    assert_eq!(requests.len(), 3, "and it is remembered");
    let thoughts: Vec<_> = requests[2]
        .items()
        .iter()
        .filter(|message| message["tool_calls"].is_array())
        .map(|message| &message["reasoning_content"])
        .collect();
    assert_eq!(thoughts, [" ", "hm"]);
}

#[tokio::test]
async fn one_models_refusal_is_no_other_models() {
    let model = FakeModel::scripted([
        refusal("unknown field `stream_options`"),
        Reply::text(["fine"]),
        Reply::text(["fine"]),
    ])
    .await
    .unwrap();
    let [_, (_, provider)] = models(&config(&model.base_url()));
    answer(&*provider, simple_request("hi")).await;
    let other = ModelRequest {
        model: "other".to_owned(),
        ..simple_request("hi")
    };
    answer(&*provider, other).await;
    assert!(model.requests()[2].body["stream_options"].is_object());
}

/// Gives a tool another schema.
fn change(tool: &mut ToolSpec, edit: impl FnOnce(&mut Value)) {
    let mut schema = (*tool.parameters).clone();
    edit(&mut schema);
    tool.parameters = schema.into();
}

#[tokio::test]
async fn a_schema_that_has_a_parameters_name_inside_costs_the_tool_and_not_the_parameter() {
    let words = "Invalid schema for function 'add_task': In context=('properties', 'store'), array schema missing items.";
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(move |request: &CapturedRequest| {
        Some(if request.tool_names().contains(&"add_task") {
            Reply::http_error(400, "invalid_function_parameters", words)
        } else {
            Reply::text(["fine"])
        })
    });
    for (name, provider) in models(&config(&model.base_url())) {
        let mut request = full_request();
        change(&mut request.tools[0], |schema| {
            schema["properties"]["store"] = json!({"type": "array"});
        });
        says_fine(&answer(&*provider, request).await);
        let last = model.requests().pop().unwrap();
        assert_eq!(last.tool_names(), ["list_tasks"], "{name}");
        if name == "responses" {
            assert_eq!(last.body["store"], false, "nothing is kept at the provider");
        }
    }
}

#[tokio::test]
async fn a_models_own_slip_is_asked_again_and_costs_no_tool() {
    let words =
        "Failed to call a function: {\"function\": {\"name\": \"add_task\", \"parameters\": {}}}";
    let slip = Reply::http_error(400, "tool_use_failed", words);
    let model = FakeModel::scripted([slip, Reply::text(["fine"])])
        .await
        .unwrap();
    let mut config = config(&model.base_url());
    config.retries.times = 1;
    config.retries.pause = Duration::from_millis(1);
    let [_, (_, provider)] = models(&config);
    says_fine(&answer(&*provider, full_request()).await);
    let tools = model.requests().pop().unwrap().tool_names().len();
    assert_eq!(tools, 2);
}

/// What is asked of a request's body.
type Check = fn(&Value) -> bool;

/// Bare schemas where a grammar cannot be made of all of them together, and no tools where it cannot be made at all.
#[tokio::test]
async fn schemas_that_are_refused_without_a_name_are_told_in_words() {
    let has_schema = |body: &Value| body["tools"].to_string().contains("\"required\":");
    let has_tools = |body: &Value| body["tools"].is_array();
    let cases: [(u16, &str, Check, usize); 4] = [
        (
            400,
            "Failed to initialize samplers: failed to parse grammar",
            has_schema,
            2,
        ),
        (
            500,
            "JSON schema conversion failed: Unrecognized schema",
            has_schema,
            2,
        ),
        (
            400,
            "The provided JSON schema contains features not supported by xgrammar.",
            has_schema,
            2,
        ),
        (500, "failed to parse grammar", has_tools, 0),
    ];
    for (status, words, is_bad, tools) in cases {
        let model = FakeModel::scripted([]).await.unwrap();
        model.answer_when(move |request| {
            Some(if is_bad(&request.body) {
                Reply::http_error(status, "", words)
            } else {
                Reply::text(["fine"])
            })
        });
        for (name, provider) in models(&config(&model.base_url())) {
            says_fine(&answer(&*provider, rich_request()).await);
            let before = model.requests().len();
            says_fine(&answer(&*provider, rich_request()).await);
            let requests = model.requests();
            assert_eq!(requests.len(), before + 1, "{name}: {words} is remembered");
            let last = requests.last().unwrap();
            assert_eq!(last.tool_names().len(), tools, "{name}: {words}");
            let body = last.body.to_string();
            assert!(body.contains("1. milk"), "{name}: {words}");
            if tools > 0 {
                assert!(
                    body.contains("\\\"required\\\":[\\\"title\\\"]"),
                    "{name}: the model is told: {body}"
                );
            }
        }
    }
}

/// What a server wants besides, or cannot read, in a conversation with a call and what the model thought before it.
#[tokio::test]
async fn what_a_server_wants_of_thoughts_and_calls_it_gets() {
    let signed = |body: &Value| {
        let messages = body["messages"].as_array().unwrap();
        let mut calls = messages
            .iter()
            .filter(|message| message["tool_calls"].is_array());
        calls.all(|message| {
            message["tool_calls"][0]["extra_content"]["google"]["thought_signature"].is_string()
        })
    };
    let named = |body: &Value| {
        let messages = body["messages"].as_array().unwrap();
        let mut results = messages.iter().filter(|message| message["role"] == "tool");
        results.all(|message| message["name"] == "add_task" || message["name"] == "list_tasks")
    };
    let thoughtful = |body: &Value| body.to_string().matches("\"reasoning_content\":").count() == 2;
    let thoughtless = |body: &Value| !body.to_string().contains("\"reasoning_content\":");
    let unsealed = |body: &Value| !body.to_string().contains("\"encrypted_content\":");
    let said = |body: &Value| !body.to_string().contains("\"content\":\"\"");
    let nine = |body: &Value| !body.to_string().contains("\"call_1\"");
    let alternating = |body: &Value| body.to_string().contains("\"OK.\"");
    let cases: [(usize, u16, &'static str, Check, bool); 15] = [
        (
            0,
            400,
            "{\"message\":\"Unknown parameter: 'input[8].id'.\",\"param\":\"input[8].id\"}",
            unsealed,
            false,
        ),
        (
            1,
            400,
            "{\"message\":\"Function call is missing a thought_signature in functionCall parts.\"}",
            signed,
            true,
        ),
        (
            1,
            400,
            "{\"message\":\"contents[2].parts[0].function_response.name: Name cannot be empty.\"}",
            named,
            true,
        ),
        (
            1,
            400,
            "{\"message\":\"Param Incorrect\",\"param\":\"The reasoning_content in the thinking mode must be passed back to the API.\"}",
            thoughtful,
            true,
        ),
        (
            1,
            400,
            "{\"code\":400,\"message\":\"Provider returned error\",\"metadata\":{\"raw\":\"{\\\"error\\\":{\\\"message\\\":\\\"The `reasoning_content` in the thinking mode must be passed back\\\"}}\"}}",
            thoughtful,
            true,
        ),
        (
            1,
            400,
            "{\"message\":\"assistant message with tool_calls must include reasoning_content\"}",
            thoughtful,
            true,
        ),
        (
            1,
            400,
            "{\"message\":\"messages.1.content.0: Invalid `signature` in `thinking` block\"}",
            thoughtless,
            false,
        ),
        (
            1,
            500,
            "{\"message\":\"Cannot pass both content and thinking in an assistant message with tool calls!\"}",
            thoughtless,
            false,
        ),
        (
            0,
            400,
            "{\"code\":\"invalid_encrypted_content\",\"message\":\"The encrypted content could not be verified.\"}",
            unsealed,
            false,
        ),
        (
            0,
            404,
            "{\"message\":\"Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.\"}",
            unsealed,
            false,
        ),
        (
            0,
            400,
            "{\"message\":\"Invalid value: 'reasoning'. Supported values are: 'message'\",\"param\":\"input[1].type\"}",
            unsealed,
            false,
        ),
        (
            1,
            400,
            "{\"message\":\"The text field in the ContentBlock object at messages.1.content.0 is blank.\"}",
            said,
            true,
        ),
        (
            1,
            400,
            "{\"message\":\"messages.1.content: String should have at least 1 character\"}",
            said,
            true,
        ),
        (
            1,
            500,
            "{\"message\":\"Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9\"}",
            nine,
            true,
        ),
        (
            1,
            500,
            "{\"message\":\"Jinja Exception: conversation roles must alternate user/assistant/user\"}",
            alternating,
            true,
        ),
    ];
    for (api, status, error, is_right, is_remembered) in cases {
        let model = FakeModel::scripted([]).await.unwrap();
        model.answer_when(move |request| {
            Some(if is_right(&request.body) {
                Reply::text(["fine"])
            } else {
                let error: Value = serde_json::from_str(error).unwrap();
                let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                match error.get("metadata") {
                    // As OpenRouter says it once it has begun to stream.
                    Some(_) => Reply::raw(format!("data: {}\n\n", json!({ "error": error }))),
                    None => Reply::http_error(status, &text("code"), &text("message"))
                        .about(&text("param")),
                }
            })
        });
        let (_, provider) = models(&config(&model.base_url()))
            .into_iter()
            .nth(api)
            .unwrap();
        let mut request = rich_request();
        request
            .input
            .retain(|input| !matches!(input, ModelInput::Assistant(_)));
        let thought = if api == 0 {
            json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x" })
        } else {
            json!({ "message": { "reasoning_content": "hm" } })
        };
        let thought = ModelInput::Thought(engine::ports::Thought(thought.to_string()));
        request.input.extend([
            thought,
            ModelInput::ToolCall(call("call_9", "list_tasks", "{}")),
            output("call_9", "none"),
        ]);
        says_fine(&answer(&*provider, request.clone()).await);
        let before = model.requests().len();
        assert_eq!(before, 2, "{error}");
        says_fine(&answer(&*provider, request).await);
        let after = model.requests().len() - before;
        assert_eq!(after == 1, is_remembered, "{error}");
    }
}

#[tokio::test]
async fn a_refusal_that_names_nothing_of_ours_is_told() {
    for words in [
        "Item not found. Items are not persisted when `store` is set to false. Try again with `store` set to true.",
        "messages: user messages must not be empty",
        "max_tokens is too large: 100. This model supports at most 50.",
        "something is wrong",
    ] {
        let model = FakeModel::scripted([refusal(words)]).await.unwrap();
        let [_, (_, provider)] = models(&config(&model.base_url()));
        let told = answer(&*provider, full_request()).await;
        assert_eq!(
            told,
            ["refused: the model provider refused the configuration"]
        );
        assert_eq!(model.requests().len(), 1, "{words}");
    }
}

#[tokio::test]
async fn a_server_that_always_refuses_is_given_up() {
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(|_| {
        Some(refusal(
            "unsupported: stream_options, 'user', max_tokens, max_completion_tokens, 'add_task' tool, 'list_tasks' tool",
        ))
    });
    let [_, (_, provider)] = models(&config(&model.base_url()));
    let told = answer(&*provider, full_request()).await;
    assert_eq!(
        told,
        ["refused: the model provider refused the configuration"]
    );
    assert!(model.requests().len() <= 6);
    answer(&*provider, full_request()).await;
    let requests = model.requests();
    assert!(
        requests[requests.len() / 2].body["stream_options"].is_object(),
        "what has not helped is not remembered"
    );
}

#[tokio::test]
async fn one_tool_that_is_refused_is_left_out_alone_until_it_changes() {
    for words in [
        "Invalid schema for function 'add_task': schema must have type 'object'",
        "tools.0.custom.input_schema: JSON schema is invalid",
        r#"{"loc":["body","tools",0,"function","parameters"]}"#,
    ] {
        let model = FakeModel::scripted([]).await.unwrap();
        model.answer_when(move |request: &CapturedRequest| {
            let tool = &request.body["tools"][0];
            let is_bad =
                tool.to_string().contains("add_task") && !tool.to_string().contains("mended");
            Some(if is_bad {
                refusal(words)
            } else {
                Reply::text(["fine"])
            })
        });
        for (name, provider) in models(&config(&model.base_url())) {
            let before = model.requests().len();
            says_fine(&answer(&*provider, rich_request()).await);
            says_fine(&answer(&*provider, rich_request()).await);
            let requests = model.requests();
            assert_eq!(requests.len() - before, 3, "{name}: {words}");
            let last = requests.last().unwrap();
            assert_eq!(last.tool_names(), ["list_tasks"]);
            assert_eq!(
                last.body.get("tool_choice"),
                None,
                "a tool that is not offered cannot be demanded"
            );
            let mut mended = rich_request();
            change(&mut mended.tools[0], |schema| {
                schema["title"] = "mended".into();
            });
            says_fine(&answer(&*provider, mended).await);
            let requests = model.requests();
            assert_eq!(requests.last().unwrap().tool_names().len(), 2);
        }
    }
}

#[tokio::test]
async fn switches_spare_a_server_the_first_refusal() {
    let replies = [Reply::text(["ok"]), Reply::text(["ok"])];
    let model = FakeModel::scripted(replies).await.unwrap();
    let mut config = config(&model.base_url());
    config.options = RequestOptions {
        stream_options: false,
        end_user: false,
        thoughts: false,
        parallel_tool_calls: Some(false),
        alternating_roles: false,
        pdf: PdfAs::File,
        system_role: SystemRole::Developer,
        output_field: Some(OutputField::MaxCompletionTokens),
    };
    config.headers = vec![
        ("X-API-Key".to_owned(), "secret-of-ours".into()),
        ("authorization".to_owned(), "Basic abc".into()),
    ];
    for (_, provider) in models(&config) {
        answer(&*provider, full_request()).await;
    }
    let requests = model.requests();
    for request in &requests {
        assert_eq!(request.headers["x-api-key"], "secret-of-ours");
        assert_eq!(request.headers["authorization"], "Basic abc");
        assert_eq!(request.body["parallel_tool_calls"], false);
        for name in ["stream_options", "user", "safety_identifier", "include"] {
            assert_eq!(request.body.get(name), None);
        }
    }
    assert_eq!(requests[1].body["messages"][0]["role"], "developer");
    assert_eq!(requests[1].body["max_completion_tokens"], 100);
}

#[test]
fn headers_that_are_ours_or_none_are_refused() {
    for (name, value) in [
        ("Content-Type", "text/plain"),
        ("host", "x"),
        ("a b", "x"),
        ("x-key", "a\nb"),
    ] {
        let mut config = config("http://127.0.0.1:1/v1");
        config.headers = vec![(name.to_owned(), value.into())];
        let error = ChatCompletions::new(config).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains(value), "{error}");
    }
}

#[tokio::test]
async fn what_passes_before_the_first_token_is_asked_again() {
    for (name, trouble) in [
        (
            "429",
            Reply::http_error(429, "rate_limit_exceeded", "slow down"),
        ),
        ("502", Reply::http_error(502, "", "bad gateway")),
        ("503", Reply::http_error(503, "", "overloaded")),
        ("504", Reply::http_error(504, "", "")),
        ("522", Reply::http_error(522, "", "")),
        ("529", Reply::http_error(529, "overloaded_error", "")),
        (
            "inside the stream",
            Reply::empty().failed("429", "slow down"),
        ),
        ("a connection that breaks", Reply::empty().broken()),
    ] {
        let replies = || [trouble.clone(), trouble.clone(), Reply::text(["fine"])];
        let model = FakeModel::scripted(replies().into_iter().chain(replies()))
            .await
            .unwrap();
        for (api, provider) in models(&patient(&model.base_url())) {
            let told = answer(&*provider, simple_request("hi")).await;
            assert_eq!(
                told.first().map(String::as_str),
                Some("fine"),
                "{api}: {name} {told:?}"
            );
        }
        model.assert_all_used();
    }
}

#[tokio::test]
async fn what_does_not_pass_is_not_asked_again() {
    for trouble in [
        Reply::http_error(429, "insufficient_quota", "no money left"),
        Reply::http_error(500, "server_error", "boom"),
        Reply::http_error(401, "invalid_api_key", "no"),
        Reply::http_error(400, "context_length_exceeded", "too long"),
        Reply::text(["Hel"]).failed("429", "slow down"),
    ] {
        let model = FakeModel::scripted([]).await.unwrap();
        for (name, provider) in models(&patient(&model.base_url())) {
            model.push(trouble.clone());
            answer(&*provider, simple_request("hi")).await;
            model.assert_all_used();
            assert!(model.violations().is_empty(), "{name}");
        }
        assert_eq!(model.requests().len(), 2);
    }
}

#[tokio::test]
async fn nothing_is_asked_again_once_the_model_has_begun() {
    for begun in [
        Reply::text(["Hel"]),
        Reply::empty().and_reasoning(["hm"]),
        Reply::tool_call("c1", "add_task", &json!({})),
    ] {
        let model = FakeModel::scripted([]).await.unwrap();
        for (name, provider) in models(&patient(&model.base_url())) {
            model.push(begun.clone().and_hold().broken());
            let mut events = provider.respond(simple_request("hi")).await.unwrap();
            model.release();
            let mut last = String::new();
            while let Some(event) = events.next().await {
                last = line(event);
            }
            assert!(last.starts_with("error: "), "{name}: {last}");
            model.assert_all_used();
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_no_failure() {
    let trace = include_str!("../golden/chat-length.sse");
    let whole = chunked("text/event-stream", trace);
    // Twice in a row the connection is closed without an answer.
    let server = BareServer::start([String::new(), String::new(), whole]).await;
    let [_, (_, provider)] = models(&patient(&server.url("/v1")));
    let told = answer(&*provider, simple_request("hi")).await;
    assert!(
        told.iter().all(|line| !line.starts_with("refused")),
        "{told:?}"
    );
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn the_first_closed_connection_costs_neither_a_pause_nor_an_attempt() {
    let trace = include_str!("../golden/chat-length.sse");
    let whole = || chunked("text/event-stream", trace);
    let closed = String::new;
    for (answers, is_answered) in [
        (vec![closed(), whole()], true),
        (vec![closed(), closed(), whole()], false),
    ] {
        let server = BareServer::start(answers).await;
        let mut config = config(&server.url("/v1"));
        config.retries.times = 0;
        let [_, (_, provider)] = models(&config);
        let told = answer(&*provider, simple_request("hi")).await;
        let is_refused = told.iter().any(|line| line.starts_with("refused"));
        assert_eq!(!is_refused, is_answered, "{told:?}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn the_first_token_and_each_silence_have_times_of_their_own() {
    let held = || Reply::empty().and_hold();
    let model = FakeModel::scripted([held(), held()]).await.unwrap();
    let mut config = patient(&model.base_url());
    config.patience = Patience {
        first_token: Duration::from_millis(200),
        silence: Duration::from_mins(5),
    };
    for (name, provider) in models(&config) {
        let told = answer(&*provider, simple_request("hi")).await;
        assert_eq!(
            told,
            ["refused: the model did not answer in time"],
            "{name}"
        );
    }
    assert_eq!(model.requests().len(), 2, "who is slow is not asked again");
}

#[tokio::test]
async fn silence_after_the_last_word_is_the_end() {
    let chunk = |delta: &str, finish: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
    };
    let whole = chunk("{\"content\":\"fine\"}", "null") + &chunk("{}", "\"stop\"");
    let model = FakeModel::scripted([Reply::raw(whole).and_hold()])
        .await
        .unwrap();
    let mut config = config(&model.base_url());
    config.patience.silence = Duration::from_millis(200);
    let [_, (_, provider)] = models(&config);
    let told = answer(&*provider, simple_request("hi")).await;
    says_fine(&told);
    assert!(
        !told.iter().any(|line| line.contains("in time")),
        "nothing fails it: {told:?}"
    );
}

#[tokio::test]
async fn a_key_in_a_header_is_hidden_however_it_is_repeated() {
    for repeated in ["Bearer key-of-ours-123", "key-of-ours-123"] {
        let refusal = Reply::http_error(401, "", &format!("Incorrect API key: {repeated}."));
        let model = FakeModel::scripted([refusal]).await.unwrap();
        let mut config = config(&model.base_url());
        config.headers = vec![("Authorization".to_owned(), "Bearer key-of-ours-123".into())];
        let [_, (_, provider)] = models(&config);
        let Err(error) = provider.respond(simple_request("hi")).await else {
            panic!("it is refused");
        };
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.contains("Incorrect") && !source.contains("key-of-ours"),
            "{source}"
        );
    }
}
