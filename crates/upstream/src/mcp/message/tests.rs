//! Which messages are understood, however they are written.

use super::*;

fn question(is_handshake: bool) -> Question {
    Question {
        id: Some(RequestId::Number(7)),
        is_handshake,
        progress: None,
    }
}

/// What is read in answer to request 7, as the library would write it.
fn read_as(data: &[u8]) -> Option<Value> {
    let message = read_one(data, &question(false))?;
    Some(serde_json::to_value(message).unwrap())
}

fn told(message: &Value) -> Option<Value> {
    read_as(message.to_string().as_bytes())
}

#[test]
fn an_answer_is_read_in_whatever_it_is_wrapped() {
    let right = json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": [], "isError": false } });
    let result = &right["result"];
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/a" });
    for answer in [
        right.clone(),
        json!({ "id": 7, "result": result }),
        json!({ "jsonrpc": 2, "id": 7, "result": result }),
        json!({ "jsonrpc": "1.0", "id": 7, "result": result, "error": null }),
        json!({ "jsonrpc": "2.0", "id": 7, "result": result, "error": null }),
        json!({ "jsonrpc": "2.0", "id": 7, "result": result, "error": false, "method": null }),
        json!({ "jsonrpc": "2.0", "id": null, "result": result }),
        json!({ "jsonrpc": "2.0", "result": result }),
        json!([right]),
        json!([notification, { "id": 8, "result": {} }, right]),
        json!([3, null, { "id": 7, "result": result }]),
        json!([{ "result": "alive" }, right]),
        // What it answers is repeated.
        json!({ "jsonrpc": "2.0", "id": 7, "result": result, "method": "tools/call" }),
        json!({ "id": 7, "result": result, "method": "tools/call", "params": { "name": "s" } }),
        // An error that says nothing.
        json!({ "jsonrpc": "2.0", "id": 7, "result": result, "error": {} }),
        json!({ "jsonrpc": "2.0", "id": 7, "result": result, "error": "" }),
        json!({ "id": 7, "result": result, "error": "" }),
        json!({ "jsonrpc": "2.0", "id": 7, "result": result, "error": { "code": 0, "message": "" } }),
        json!({ "jsonrpc": "2.0", "id": 7, "result": result, "error": { "code": 0, "message": "", "data": null } }),
    ] {
        assert_eq!(told(&answer), Some(right.clone()), "{answer}");
    }
}

#[test]
fn an_answer_is_found_among_other_things() {
    let right = json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": [], "isError": false } });
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/a" });
    let asked = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {} });
    for said in [
        format!("[50] added a handler {right}"),
        format!("2026-01-01 INFO {{worker}} {right}\r"),
        format!("\x1b[32m{right}\x1b[0m"),
        format!("{note}{right}"),
        format!("{note}\n{right}\n"),
        format!("<b>Warning</b>: undefined variable {{$a}} in a.php\n{right}"),
        format!("event: message\ndata: {right}\n\n"),
        // What we asked may be in a log.
        format!("got {asked}\nsaid {right}"),
    ] {
        assert_eq!(read_as(said.as_bytes()), Some(right.clone()), "{said}");
    }
    for said in [
        format!("got {asked}"),
        "an answer has \"jsonrpc\", as in {\"jsonrpc\": …}".to_owned(),
        format!("{}{right}", "{ ".repeat(MAX_BEGINNINGS)),
        format!("said {}", json!({ "id": 7, "result": {} })),
    ] {
        assert_eq!(read_as(said.as_bytes()), None, "{said}");
    }
}

#[test]
fn what_answers_this_question_alone_may_have_another_number() {
    let result = json!({ "content": [] });
    let right = json!({ "jsonrpc": "2.0", "id": 7, "result": result });
    for id in [json!(1), json!("server-1")] {
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
        assert_eq!(told(&answer).unwrap()["id"], 7);
        // In a stream, the right one may still come.
        let text = answer.to_string();
        let passed = rewritten(text.as_bytes(), &question(false));
        assert!(passed.messages.is_empty(), "{answer}");
        let kept: Value = serde_json::from_slice(&passed.unaddressed.unwrap()).unwrap();
        assert_eq!(kept, right);
        // Where nothing is known of a question, it may be anybody's.
        let passed = rewritten(text.as_bytes(), &Question::default());
        assert_eq!(passed.messages, [text.as_bytes()]);
    }
    let text = json!({ "jsonrpc": "2.0", "id": "7", "result": result }).to_string();
    let passed = rewritten(text.as_bytes(), &question(false));
    assert_eq!(passed.messages, [text.as_bytes()], "the library reads that");
}

#[test]
fn a_report_of_progress_is_read_however_it_is_written() {
    let asked = Question {
        progress: Some(ProgressToken(NumberOrString::Number(3))),
        ..question(false)
    };
    let right = json!({ "progressToken": 3, "progress": 2.0, "total": 5.0, "message": "halfway" });
    for (params, differs) in [
        (
            json!({ "progressToken": "3", "progress": 2.0, "total": 5.0, "message": "halfway" }),
            json!({}),
        ),
        (
            json!({ "progressToken": 3, "progress": "2", "total": "5", "message": "halfway" }),
            json!({}),
        ),
        (
            json!({ "progressToken": "tool-call-7", "progress": 2.0, "total": 5.0, "message": "halfway" }),
            json!({}),
        ),
        (
            json!({ "progress": 2.0, "total": 5.0, "message": "halfway" }),
            json!({}),
        ),
        (
            json!({ "progressToken": 3, "total": 5.0, "message": "halfway" }),
            json!({ "progress": 0.0 }),
        ),
        (
            json!({ "progressToken": 3, "progress": 2.0, "total": "many", "message": 7 }),
            json!({ "total": null, "message": "7" }),
        ),
        (
            json!({ "progressToken": 3, "progress": null, "total": null, "message": null }),
            json!({ "progress": 0.0, "total": null, "message": null }),
        ),
    ] {
        let said =
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })
                .to_string();
        let passed = rewritten(said.as_bytes(), &asked);
        let read: ServerJsonRpcMessage = serde_json::from_slice(&passed.messages[0]).unwrap();
        let read = serde_json::to_value(read).unwrap();
        for field in ["progressToken", "progress", "total", "message"] {
            let expected = differs.get(field).unwrap_or(&right[field]);
            assert_eq!(&read["params"][field], expected, "{field} of {said}");
        }
    }
    // Where it is not known whose it is, a name that is a number is ours.
    let report = |token: Value| {
        let params = json!({ "progressToken": token, "progress": 1.0 });
        json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })
            .to_string()
    };
    for (token, expected) in [
        (json!("3"), json!(3)),
        (json!(3), json!(3)),
        (json!("a"), json!("a")),
    ] {
        let said = report(token);
        let passed = rewritten(said.as_bytes(), &Question::default());
        let read: Value = serde_json::from_slice(&passed.messages[0]).unwrap();
        assert_eq!(read["params"]["progressToken"], expected);
    }
}

#[test]
fn an_error_is_one_whatever_its_code_and_its_words_are() {
    for (error, code, message) in [
        (json!({ "code": -32602, "message": "a" }), -32602, "a"),
        (json!({ "code": "E_QUOTA", "message": "a" }), -32000, "a"),
        (json!({ "code": "-32602", "message": "a" }), -32602, "a"),
        (json!({ "code": null, "message": "a" }), -32000, "a"),
        (json!({ "code": 1.5, "message": "a" }), -32000, "a"),
        (
            json!({ "code": 9_000_000_000_i64, "message": "a" }),
            -32000,
            "a",
        ),
        (json!({ "message": "a" }), -32000, "a"),
        (json!({ "code": 3, "message": { "a": 1 } }), 3, r#"{"a":1}"#),
        (
            json!({ "code": 3, "detail": "a" }),
            3,
            r#"{"code":3,"detail":"a"}"#,
        ),
        (json!("quota used up"), -32000, "quota used up"),
        (json!(["a"]), -32000, r#"["a"]"#),
    ] {
        for result in [None, Some(Value::Null), Some(json!({}))] {
            let mut answer = json!({ "jsonrpc": "2.0", "id": 7, "error": error });
            if let Some(result) = result {
                answer["result"] = result;
            }
            let told = told(&answer).unwrap();
            assert_eq!(told["id"], 7, "{answer}");
            assert_eq!(told["error"]["code"], code, "{answer}");
            assert_eq!(told["error"]["message"], message, "{answer}");
        }
    }
    // Where there is no result beside it, one that says nothing is one as well, and so is one that repeats the method.
    for answer in [
        json!({ "jsonrpc": "2.0", "id": 7, "error": {} }),
        json!({ "jsonrpc": "2.0", "id": 7, "error": "", "result": null }),
        json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": 0, "message": "" } }),
        json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": 3, "message": "a" }, "method": "tools/call" }),
    ] {
        assert!(told(&answer).unwrap()["error"].is_object(), "{answer}");
    }
    assert_eq!(
        told(&json!({ "id": 7, "error": "a" })).unwrap()["error"]["message"],
        "a"
    );
    let answer = json!({ "id": 7, "error": { "message": "a", "data": [1] } });
    assert_eq!(told(&answer).unwrap()["error"]["data"], json!([1]));
}

#[test]
fn what_a_server_asks_or_says_by_itself_is_read_as_well() {
    for (message, expected) in [
        (
            json!({ "id": 1, "method": "ping", "params": null }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }),
        ),
        (
            // Another question than ours.
            json!({ "id": 1, "method": "ping", "result": {}, "error": {} }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }),
        ),
        (
            json!({ "id": 7, "method": "ping", "result": null }),
            json!({ "jsonrpc": "2.0", "id": 7, "method": "ping" }),
        ),
        (
            json!({ "id": null, "method": "notifications/tools/list_changed", "params": [] }),
            json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }),
        ),
    ] {
        assert_eq!(told(&message), Some(expected), "{message}");
    }
}

#[test]
fn what_is_no_message_is_none() {
    for data in [
        "",
        "hello",
        "null",
        "7",
        "[]",
        "{}",
        "[1]",
        r#"{"id":7}"#,
        r#"{"error":"Not Found"}"#,
        "<html>",
    ] {
        assert!(read_as(data.as_bytes()).is_none(), "{data}");
        let passed = rewritten(data.as_bytes(), &Question::default());
        assert!(
            passed.messages.is_empty() && passed.unaddressed.is_none(),
            "{data}"
        );
    }
}

/// A handshake as the library takes it: what it is called, its version, and what it can do.
fn introduced(result: &Value) -> (String, String, Value) {
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": result });
    let data = answer.to_string();
    let message = read_one(data.as_bytes(), &question(true)).unwrap();
    let JsonRpcMessage::Response(response) = message else {
        panic!("{answer}")
    };
    let ServerResult::InitializeResult(result) = response.result else {
        panic!("{answer}")
    };
    let capabilities = serde_json::to_value(result.capabilities).unwrap();
    let info = result.server_info;
    (info.name, info.version, capabilities)
}

#[test]
fn a_handshake_is_read_however_little_it_says() {
    let version = "2025-06-18";
    let tools = json!({ "tools": {} });
    let info = json!({ "name": "x", "version": "1" });
    let with = |capabilities: Value| json!({ "protocolVersion": version, "serverInfo": info, "capabilities": capabilities });
    for (result, expected) in [
        (with(tools.clone()), ("x", "1", tools.clone())),
        (
            json!({ "protocolVersion": version, "capabilities": tools }),
            ("", "", tools.clone()),
        ),
        (
            json!({ "protocolVersion": version, "capabilities": tools, "serverInfo": { "name": "x" } }),
            ("x", "", tools.clone()),
        ),
        (
            json!({ "protocolVersion": version, "capabilities": tools, "serverInfo": { "name": 3, "version": 1, "icons": "x" } }),
            ("3", "1", tools.clone()),
        ),
        (
            json!({ "protocolVersion": version, "capabilities": tools, "serverInfo": "x" }),
            ("x", "", tools.clone()),
        ),
        (
            json!({ "protocolVersion": version, "serverInfo": info }),
            ("x", "1", json!({})),
        ),
        (
            json!({ "protocolVersion": 2, "serverInfo": info, "capabilities": [] }),
            ("x", "1", json!({})),
        ),
        (
            json!({ "serverInfo": info, "capabilities": tools }),
            ("x", "1", tools.clone()),
        ),
        (
            json!({ "protocolVersion": version, "serverInfo": info, "capabilities": tools, "instructions": ["a"], "_meta": 1 }),
            ("x", "1", tools.clone()),
        ),
        (
            with(json!({ "tools": true, "resources": null, "prompts": false, "logging": [] })),
            ("x", "1", json!({ "tools": {}, "logging": {} })),
        ),
        (
            with(
                json!({ "tools": { "listChanged": "yes" }, "experimental": { "a": true, "b": {} } }),
            ),
            (
                "x",
                "1",
                json!({ "tools": {}, "experimental": { "b": {} } }),
            ),
        ),
    ] {
        let (name, version, capabilities) = introduced(&result);
        let (expected_name, expected_version, expected_capabilities) = expected;
        assert_eq!(
            (&*name, &*version),
            (expected_name, expected_version),
            "{result}"
        );
        assert_eq!(capabilities, expected_capabilities, "{result}");
    }
}

#[test]
fn a_server_that_knows_no_handshake_may_say_as_little() {
    let result = json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": true } });
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": result }).to_string();
    let Some(JsonRpcMessage::Response(response)) = read_one(answer.as_bytes(), &question(true))
    else {
        panic!()
    };
    assert!(matches!(response.result, ServerResult::DiscoverResult(_)));
}

#[test]
fn only_what_answers_a_handshake_is_made_one() {
    for result in [
        json!({ "serverInfo": { "name": "db" }, "capabilities": { "cpu": 4 }, "rows": [1] }),
        json!({ "protocolVersion": "x", "temperature": 5 }),
        json!({ "supportedVersions": ["a"], "rows": [1] }),
    ] {
        for version in [json!("2.0"), json!(2)] {
            let answer = json!({ "jsonrpc": version, "id": 7, "result": result });
            let told = told(&answer).unwrap();
            assert_eq!(told["result"], result, "{answer}");
        }
    }
}

#[test]
fn what_does_not_say_what_it_answers_is_passed_on_apart() {
    for (data, expected) in [
        (
            r#"{"result":"alive"}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":"alive"}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"a"}}"#,
        ),
    ] {
        let passed = rewritten(data.as_bytes(), &question(false));
        assert!(passed.messages.is_empty(), "{data}");
        let told = String::from_utf8(passed.unaddressed.unwrap()).unwrap();
        assert_eq!(told, expected);
    }
    // A single answer is not said to be of the request: what it is about, the session knows.
    let answer = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": 1, "message": "a" } });
    assert_eq!(told(&answer).unwrap().get("id"), None);
}

#[test]
fn what_is_as_it_should_be_is_passed_on_as_it_came() {
    let data = br#"{ "jsonrpc": "2.0", "id": 7, "result": { "content": [], "x": "y" } }"#;
    assert_eq!(rewritten(data, &question(false)).messages, [&data[..]]);
    let list = br#"[{"id":7,"result":{}},{"method":"notifications/tools/list_changed"}]"#;
    let written = rewritten(list, &question(false)).messages;
    let written: Vec<&str> = written
        .iter()
        .map(|message| std::str::from_utf8(message).unwrap())
        .collect();
    assert_eq!(
        written,
        [
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#
        ]
    );
}
