//! What requests are read and what are refused.

use serde_json::json;

use super::*;

fn parse(body: impl AsRef<[u8]>) -> Result<Envelope, RequestError> {
    Envelope::parse(body.as_ref(), &Limits::default())
}

fn refusal(body: &Value) -> RequestError {
    parse(body.to_string()).expect_err("refused")
}

#[expect(clippy::needless_pass_by_value, reason = "json! gives values")]
fn create(input: Value) -> Value {
    json!({"type": "threads.create", "params": {"input": input}})
}

#[test]
fn a_first_message_as_the_official_element_sends_it() {
    let body = create(json!({
        "content": [{"type": "input_text", "text": "hi"}],
        "attachments": [],
        "quoted_text": "",
        "inference_options": {},
    }));
    let Envelope { request, metadata } = parse(body.to_string()).expect("a request");
    assert!(metadata.is_empty());
    assert!(request.is_streaming());
    let Request::ThreadsCreate(params) = request else {
        panic!("another request")
    };
    assert_eq!(
        params.input.content,
        [UserContent::Text {
            text: "hi".to_owned()
        }]
    );
    assert_eq!(params.input.quoted_text.as_deref(), Some(""));
}

#[test]
fn absent_and_null_mean_the_same_where_a_field_is_optional() {
    for params in [json!({}), json!({"limit": null, "after": null})] {
        let body = json!({"type": "threads.list", "params": params});
        let envelope = parse(body.to_string()).expect("a request");
        assert_eq!(
            envelope.request,
            Request::ThreadsList(ThreadsList::default())
        );
    }
}

#[test]
fn the_output_of_a_tool_may_be_null_but_not_absent() {
    let body = |params: Value| json!({"type": "threads.add_client_tool_output", "params": params});
    let envelope = parse(body(json!({"thread_id": "thr_1", "result": null})).to_string());
    let Ok(Request::ThreadsAddClientToolOutput(params)) = envelope.map(|envelope| envelope.request)
    else {
        panic!("null is an output")
    };
    assert_eq!(params.result, Value::Null);
    assert_eq!(
        refusal(&body(json!({"thread_id": "thr_1"}))).to_string(),
        "`params` is not right: missing field `result`"
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let body = json!({"type": "threads.delete", "params": {"thread_id": "t", "soft": 1}, "v": 2});
    assert!(parse(body.to_string()).is_ok());
}

#[test]
fn unknown_types_are_refused_with_the_known_ones() {
    let error = refusal(&json!({"type": "threads.explode", "params": {}}));
    assert_eq!(error.code(), "unknown_request_type");
    assert_eq!(error.param(), Some("type"));
    let message = error.to_string();
    assert!(message.starts_with("there is no request of type `threads.explode`; send one of: "));
    assert_eq!(Request::TYPES.len(), 19);
    assert!(Request::TYPES.iter().all(|name| message.contains(name)));
}

#[test]
fn seven_requests_stream() {
    let streaming = RequestKind::ALL.iter().filter(|kind| kind.is_streaming());
    assert_eq!(
        streaming.map(|kind| kind.as_str()).collect::<Vec<_>>(),
        [
            "threads.create",
            "threads.add_user_message",
            "threads.add_client_tool_output",
            "threads.add_structured_input",
            "threads.retry_after_item",
            "threads.custom_action",
            "threads.resume",
        ]
    );
}

#[test]
fn an_error_names_the_field_and_what_it_should_be() {
    let cases = [
        (
            json!(["threads.list", {}, {}]),
            "`body` is not right: expected an object",
        ),
        (
            json!({"type": "threads.create", "params": {"input": 7}}),
            "`params.input` is not right: expected an object",
        ),
        (
            json!({"type": "items.feedback", "params": {"thread_id": "t", "item_ids": 7}}),
            "`params.item_ids` is not right: expected a list",
        ),
        (json!([]), "`body` is not right: expected an object"),
        (
            json!({"params": {}}),
            "`body` is not right: missing field `type`",
        ),
        (
            json!({"type": 3, "params": {}}),
            "`type` is not right: expected a string",
        ),
        (
            json!({"type": "threads.list"}),
            "`body` is not right: missing field `params`",
        ),
        (
            json!({"type": "threads.list", "params": []}),
            "`params` is not right: expected an object",
        ),
        (
            json!({"type": "threads.list", "params": {"limit": -1}}),
            "`params.limit` is not right: expected a whole number, 0 or more",
        ),
        (
            json!({"type": "threads.list", "params": {"order": "up"}}),
            "`params.order` is not right: expected `asc` or `desc`",
        ),
        (
            json!({"type": "threads.list", "params": {}, "metadata": null}),
            "`metadata` is not right: expected an object",
        ),
        (
            json!({"type": "threads.delete", "params": {"thread_id": "a b"}}),
            "`params.thread_id` is not right: expected an identifier of 1 to 128 letters, digits, \
             '-', '_', '.' or ':'",
        ),
        (
            create(
                json!({"content": [{"type": "input_text"}], "attachments": [],
                "inference_options": {}}),
            ),
            "`params.input.content[0]` is not right: missing field `text`",
        ),
        (
            create(
                json!({"content": [{"type": "input_audio"}], "attachments": [],
                "inference_options": {}}),
            ),
            "`params.input.content[0].type` is not right: expected `input_text` or `input_tag`",
        ),
        (
            create(json!({"content": [], "attachments": ["atc_1", 2], "inference_options": {}})),
            "`params.input.attachments[1]` is not right: expected an identifier (a string)",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(refusal(&body).to_string(), expected, "{body}");
    }
}

#[test]
fn an_error_never_repeats_a_value() {
    let secret = "ek_live_do_not_repeat_me";
    let wrong = [
        json!(secret),
        json!({"metadata": secret, "type": "threads.list", "params": {}}),
        json!({"type": "threads.list", "params": secret}),
        json!({"type": "threads.list", "params": {"limit": secret}}),
        json!({"type": "threads.list", "params": {"order": secret}}),
        json!({"type": "threads.delete", "params": {"thread_id": format!("{secret} ")}}),
        json!({"type": "items.feedback", "params": {"thread_id": "t", "item_ids": secret}}),
        create(json!({"content": secret, "attachments": [], "inference_options": {}})),
        create(json!({"content": [{"type": secret}], "attachments": [], "inference_options": {}})),
        create(
            json!({"content": [{"type": "input_text", "text": [secret]}], "attachments": [],
            "inference_options": {}}),
        ),
    ];
    for body in wrong {
        let message = refusal(&body).to_string();
        assert!(!message.contains(secret), "{message}");
    }
}

#[test]
fn bytes_that_are_no_json() {
    assert_eq!(
        parse(b"{\"type\": \"\xff\"}"),
        Err(RequestError::NotUtf8 { position: 10 })
    );
    assert_eq!(parse(""), Err(RequestError::NotJson { line: 1, column: 0 }));
    assert_eq!(
        parse("{\n  type"),
        Err(RequestError::NotJson { line: 2, column: 3 })
    );
    for body in [
        "{} {}",
        "nul",
        "{\"a\":}",
        "[1,]",
        "\u{feff}{}",
        "{'a': 1}",
        "NaN",
        "1e999",
    ] {
        assert!(
            matches!(parse(body), Err(RequestError::NotJson { .. })),
            "{body}"
        );
    }
}

#[test]
fn a_key_twice_in_one_object_is_refused_at_any_depth() {
    let twice = |key: &str| {
        Err(RequestError::DuplicateKey {
            key: key.to_owned(),
        })
    };
    assert_eq!(
        parse(r#"{"type": "threads.list", "type": "threads.delete"}"#),
        twice("type")
    );
    assert_eq!(
        parse(r#"{"type": "threads.list", "params": {}, "metadata": {"a": [{"b": 1, "b": 1}]}}"#),
        twice("b")
    );
    assert_eq!(parse(r#"{"a": 1, "\u0061": 2}"#), twice("a"));
    let long = "x".repeat(1000);
    let error = parse(format!(r#"{{"{long}": 1, "{long}": 2}}"#)).expect_err("twice");
    assert!(error.to_string().len() < 200, "{error}");
}

#[test]
fn nul_is_refused_everywhere() {
    for body in [
        r#"{"type": "threads.update", "params": {"thread_id": "t", "title": "a\u0000b"}}"#,
        r#"{"type": "threads.list", "params": {}, "metadata": {"a\u0000": 1}}"#,
    ] {
        assert!(
            matches!(parse(body), Err(RequestError::Invalid { .. })),
            "{body}"
        );
    }
}

#[test]
fn depth_is_limited_before_anything_is_built() {
    let nested = |levels: usize| {
        // The envelope and its metadata are two levels.
        let inner = format!("{}{}", "[".repeat(levels - 2), "]".repeat(levels - 2));
        format!(r#"{{"type": "threads.list", "params": {{}}, "metadata": {{"a": {inner}}}}}"#)
    };
    assert!(parse(nested(64)).is_ok());
    assert_eq!(parse(nested(65)), Err(RequestError::TooDeep { limit: 64 }));
    assert_eq!(
        parse("[".repeat(1_000_000)),
        Err(RequestError::TooDeep { limit: 64 })
    );
}

#[test]
fn sizes_are_limited_by_type() {
    let limits = Limits {
        request_bytes: 200,
        audio_request_bytes: 400,
        ..Limits::default()
    };
    let transcribe = |bytes: usize| {
        json!({"type": "input.transcribe",
            "params": {"audio_base64": "A".repeat(bytes), "mime_type": "audio/webm"}})
        .to_string()
    };
    let too_large = |limit| Err(RequestError::TooLarge { limit });
    assert!(Envelope::parse(transcribe(250).as_bytes(), &limits).is_ok());
    assert_eq!(
        Envelope::parse(transcribe(400).as_bytes(), &limits),
        too_large(400)
    );
    let update = json!({"type": "threads.update",
        "params": {"thread_id": "t", "title": "A".repeat(200)}});
    assert_eq!(
        Envelope::parse(update.to_string().as_bytes(), &limits),
        too_large(200)
    );
}

#[test]
fn counts_and_lengths_are_limited() {
    let limits = Limits {
        message_bytes: 8,
        content_parts: 2,
        attachments: 1,
        entries: 1,
        name_bytes: 4,
        ..Limits::default()
    };
    let text = |text: &str| json!({"type": "input_text", "text": text});
    let message = |content: Value, attachments: Value, options: Value| {
        create(
            json!({"content": content, "attachments": attachments, "quoted_text": "1234",
            "inference_options": options}),
        )
    };
    let long_name = "12345";
    let structured = |answers: Value| {
        json!({"type": "threads.add_structured_input",
            "params": {"thread_id": "t", "item_id": "i", "input": {"answers": answers}}})
    };
    let cases = [
        (
            message(json!([text("1234")]), json!(["a"]), json!({})),
            None,
        ),
        (
            message(json!([text("12345")]), json!([]), json!({})),
            Some("params.input"),
        ),
        (
            message(json!([text(""), text(""), text("")]), json!([]), json!({})),
            Some("params.input.content"),
        ),
        (
            message(json!([]), json!(["a", "b"]), json!({})),
            Some("params.input.attachments"),
        ),
        (
            message(json!([]), json!([]), json!({"model": long_name})),
            Some("params.input.inference_options.model"),
        ),
        (
            message(
                json!([]),
                json!([]),
                json!({"tool_choice": {"id": long_name}}),
            ),
            Some("params.input.inference_options.tool_choice.id"),
        ),
        // What a tag carries is told to the model, too.
        (
            message(
                json!([{"type": "input_tag", "id": "1", "text": "2", "data": {}, "group": null}]),
                json!([]),
                json!({}),
            ),
            None,
        ),
        (
            message(
                json!([{"type": "input_tag", "id": "1", "text": "2", "data": {"a": 1}}]),
                json!([]),
                json!({}),
            ),
            Some("params.input"),
        ),
        (structured(json!({"a": {"values": ["1"]}})), None),
        (
            structured(json!({"a": {}, "b": {}})),
            Some("params.input.answers"),
        ),
        (
            structured(json!({"a": {"values": ["1", "2"]}})),
            Some("params.input.answers"),
        ),
        (
            structured(json!({"a": {"values": ["123456789"]}})),
            Some("params.input.answers"),
        ),
        (
            json!({"type": "items.feedback",
                "params": {"thread_id": "t", "item_ids": ["a", "b"], "kind": "positive"}}),
            Some("params.item_ids"),
        ),
        (
            json!({"type": "threads.update", "params": {"thread_id": "t", "title": long_name}}),
            Some("params.title"),
        ),
        (
            json!({"type": "attachments.create",
                "params": {"name": long_name, "size": 1, "mime_type": "a/b"}}),
            Some("params.name"),
        ),
        (
            json!({"type": "attachments.create",
                "params": {"name": "n", "size": 1, "mime_type": long_name}}),
            Some("params.mime_type"),
        ),
        (
            json!({"type": "threads.sync_custom_action",
                "params": {"thread_id": "t", "action": {"type": long_name}}}),
            Some("params.action.type"),
        ),
        (
            json!({"type": "threads.custom_action",
                "params": {"thread_id": "t", "action": {"type": "1234", "payload": [1]}}}),
            None,
        ),
        (
            json!({"type": "threads.sync_custom_action",
                "params": {"thread_id": "t", "action": {"type": "1234", "payload": "123"}}}),
            Some("params.action"),
        ),
    ];
    for (body, field) in cases {
        let error = Envelope::parse(body.to_string().as_bytes(), &limits).err();
        assert_eq!(
            error.as_ref().and_then(RequestError::param),
            field,
            "{body}"
        );
    }
}
