//! Servers with habits of their own that were met in the field: what they list, refuse and forget.

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    wire::{Raw, bytes},
    *,
};

/// The schema of a tool's arguments, as a model is told.
fn schema(spec: &ToolSpec) -> Value {
    serde_json::from_str(spec.parameters.text()).unwrap()
}

#[tokio::test]
async fn a_server_that_misses_the_handshake_it_was_spared_is_offered_it() {
    let opened = std::sync::atomic::AtomicBool::new(false);
    let server = Raw::start(move |method, id, _| {
        use std::sync::atomic::Ordering;
        let answer = match method {
            "server/discover" => {
                let result = json!({ "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {} });
                json!({ "jsonrpc": "2.0", "id": id, "result": result })
            }
            "initialize" => {
                opened.store(true, Ordering::Relaxed);
                return None;
            }
            "tools/list" if !opened.load(Ordering::Relaxed) => {
                let error = json!({ "code": -32600, "message": "Bad Request: Server not initialized" });
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
            _ => return None,
        };
        Some(bytes(Some("application/json"), answer.to_string().into()))
    })
    .await;
    assert_eq!(server.called().await, ("ok".to_owned(), false));
}

#[tokio::test]
async fn a_server_that_gives_no_list_is_left_alone_for_a_while() {
    let server = Raw::start(|method, id, _| {
        let error = json!({ "code": -32603, "message": "the database is gone" });
        let answer = json!({ "jsonrpc": "2.0", "id": id, "error": error });
        (method == "tools/list").then(|| bytes(Some("application/json"), answer.to_string().into()))
    })
    .await;
    let (tools, ada) = (server.tools(), user("ada"));
    assert!(tools.list(&ada).await.is_empty());
    let asked = server.paths().len();
    assert!(tools.list(&ada).await.is_empty());
    assert_eq!(server.paths().len(), asked, "it is not asked again at once");
}

#[tokio::test]
async fn a_list_without_tools_is_one() {
    let answers: [fn(&Value) -> Value; 3] = [
        |id| json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": null } }),
        |id| json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
        |id| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "Method not found" } }),
    ];
    for answer in answers {
        let server = Raw::start(move |method, id, _| {
            let list = || bytes(Some("application/json"), answer(id).to_string().into());
            (method == "tools/list").then(list)
        })
        .await;
        let examined = server.tools().examine("raw", &user("ada")).await.unwrap();
        assert_eq!(examined.unwrap().tools, [], "{}", answer(&json!(1)));
    }
    let server = Raw::start(|method, id, _| {
        let other = json!({ "jsonrpc": "2.0", "id": id, "result": { "items": [] } });
        (method == "tools/list").then(|| bytes(Some("application/json"), other.to_string().into()))
    })
    .await;
    let examined = server.tools().examine("raw", &user("ada")).await.unwrap();
    assert!(examined.is_err(), "that is an answer to something else");
}

#[tokio::test]
async fn arguments_that_are_not_an_object_may_stand_for_one() {
    let server = Raw::start(|method, id, _| {
        let tools = json!([
            { "name": "empty", "inputSchema": [] },
            { "name": "twice", "inputSchema": "{\"properties\":{\"a\":{\"type\":\"string\"}}}" },
            { "name": "text", "inputSchema": "none" },
            { "name": "list", "inputSchema": [{}] },
        ]);
        let list = json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": tools } });
        (method == "tools/list").then(|| bytes(Some("application/json"), list.to_string().into()))
    })
    .await;
    let specs = server.tools().list(&user("ada")).await;
    let told: Vec<_> = specs
        .iter()
        .map(|spec| (&*spec.name, schema(spec)["properties"].to_string()))
        .collect();
    assert_eq!(
        told,
        [
            ("empty", "{}".to_owned()),
            ("twice", r#"{"a":{"type":"string"}}"#.to_owned())
        ]
    );
}

/// A list of so many tools in pages of two, the last of which may be refused.
async fn in_pages(count: usize, is_refused: bool) -> usize {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Raw::start(move |method, id, _| {
        if method != "tools/list" {
            return None;
        }
        // Pages come in the order in which they are asked for.
        let page = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let first = page * 2;
        let is_last = first + 2 >= count;
        let mut answer = json!({ "jsonrpc": "2.0", "id": id });
        if is_last && is_refused {
            answer["error"] = json!({ "code": -32602, "message": "Invalid cursor" });
        } else {
            let tool = |number: usize| json!({ "name": format!("t{number}"), "inputSchema": {} });
            answer["result"] = json!({ "tools": [tool(first), tool(first + 1)] });
            if !is_last {
                answer["result"]["nextCursor"] = json!(format!("after {page}"));
            }
        }
        Some(bytes(Some("application/json"), answer.to_string().into()))
    })
    .await;
    let examined = server.tools().examine("raw", &user("ada")).await.unwrap();
    examined.unwrap().tools.len()
}

#[tokio::test]
async fn pages_may_be_small_and_the_last_one_broken() {
    assert_eq!(in_pages(100, false).await, 100);
    assert_eq!(in_pages(10, true).await, 8);
}

#[tokio::test]
async fn a_notification_that_is_not_taken_does_not_end_the_session() {
    let answers: [fn() -> Response; 5] = [
        || StatusCode::BAD_REQUEST.into_response(),
        || StatusCode::NOT_FOUND.into_response(),
        || (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
        || bytes(Some("text/event-stream"), Vec::new()),
        // It never ends.
        || {
            Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>())
                .into_response()
        },
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let server =
            Raw::start(move |method, _, _| method.starts_with("notifications/").then(answer)).await;
        assert_eq!(server.called().await, ("ok".to_owned(), false), "{number}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_our_revision_is_offered_its_own() {
    let error = |data: Value| json!({ "code": -32602, "message": "Unsupported protocol version", "data": data });
    let words =
        "Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26)";
    for (status, error, expected) in [
        (
            200,
            error(json!({ "supported": ["2024-11-05", "2025-03-26"], "requested": "2025-11-25" })),
            "2025-03-26",
        ),
        (
            200,
            error(json!({ "expected": "2025-06-18" })),
            "2025-06-18",
        ),
        (200, error(json!(null)), "2024-11-05"),
        (
            400,
            json!({ "code": -32000, "message": words }),
            "2025-06-18",
        ),
        (400, json!(words), "2025-06-18"),
    ] {
        let shown = error.clone();
        let handshakes = std::sync::atomic::AtomicUsize::new(0);
        let server = Raw::start(move |method, id, _| {
            if method != "initialize" {
                return None;
            }
            let is_first = handshakes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            Some(match (is_first, error.as_str()) {
                (true, Some(words)) => (StatusCode::BAD_REQUEST, words.to_owned()).into_response(),
                (true, None) => {
                    let answer = json!({ "jsonrpc": "2.0", "id": id, "error": error });
                    let answer = bytes(Some("application/json"), answer.to_string().into());
                    (StatusCode::from_u16(status).unwrap(), answer).into_response()
                }
                // It says what it was offered.
                (false, _) => return None,
            })
        })
        .await;
        let examined = server.tools().examine("raw", &user("ada")).await.unwrap();
        assert!(examined.is_ok(), "{shown}: {examined:?}");
        let offered = server.offered();
        assert_eq!(
            offered.last().map(String::as_str),
            Some(expected),
            "{shown}: {offered:?}"
        );
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_is_told_with_what_is_known_of_it() {
    let json = Some("application/json");
    let unknown = "It may still have done its work";
    for (status, header, body, expected) in [
        (500, None, "Internal Server Error", unknown),
        (502, None, "<html>", unknown),
        (504, None, "", "HTTP 504"),
        (
            429,
            Some(("retry-after", "7")),
            "",
            "has done nothing. It can be used again after 7 seconds",
        ),
        (
            429,
            Some(("retry-after", "Tue, 08 Dec 2026 10:00:00 GMT")),
            "",
            "after a while",
        ),
        (
            400,
            None,
            "title is required",
            "(HTTP 400): title is required",
        ),
        (
            422,
            None,
            r#"{"detail":[{"msg":"field required"}]}"#,
            "field required",
        ),
        (413, None, "", "refused the call (HTTP 413)"),
        (
            404,
            None,
            "<html>no</html>",
            "refused the call (HTTP 404). Go on",
        ),
        (401, None, "", "does not let the user do this (401)"),
        (401, Some(("www-authenticate", "Bearer")), "", "(401)"),
        (403, None, "no", "(403)"),
        (
            403,
            Some(("www-authenticate", "Bearer scope=\"a\"")),
            "",
            "(403)",
        ),
        (200, None, "hello", unknown),
    ] {
        let server = Raw::start(move |method, _, _| {
            (method == "tools/call").then(|| {
                let mut answer = bytes(json, body.into());
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                if let Some((name, value)) = header {
                    answer.headers_mut().insert(name, value.parse().unwrap());
                }
                answer
            })
        })
        .await;
        let (output, is_error) = server.called().await;
        assert!(
            is_error && output.contains(expected),
            "{status} {body}: {output}"
        );
    }
}

#[tokio::test]
async fn a_result_is_one_whatever_its_status_is() {
    for status in [400, 404, 500] {
        let server = Raw::start(move |method, id, _| {
            let result = json!({ "content": "no such file", "isError": true });
            let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
            let answer = bytes(Some("application/json"), answer.to_string().into());
            let status = StatusCode::from_u16(status).unwrap();
            (method == "tools/call").then(|| (status, answer).into_response())
        })
        .await;
        let told = server.called().await;
        assert_eq!(told, ("no such file".to_owned(), true), "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_come_too_late() {
    let unknown = "It may still have done its work";
    for kind in ["application/json", "text/event-stream"] {
        let server = Raw::start(move |method, _, _| {
            let pieces = [Ok("{\"jsonrpc\""), Err(std::io::Error::other("gone"))];
            let body = Body::from_stream(futures::stream::iter(pieces));
            (method == "tools/call").then(|| ([("content-type", kind)], body).into_response())
        })
        .await;
        let (output, is_error) = server.called().await;
        assert!(is_error && output.contains(unknown), "{kind}: {output}");
    }
}

#[tokio::test]
async fn a_credential_that_is_not_taken_any_more_ends_the_session() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let server = Raw::start(move |method, _, _| {
        let is_first =
            method == "tools/call" && calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        is_first.then(|| StatusCode::UNAUTHORIZED.into_response())
    })
    .await;
    let (tools, ada) = (server.tools(), user("ada"));
    assert!(run(&tools, &ada, "s", "{}").await.2);
    assert_eq!(server.offered().len(), 1);
    assert_eq!(run(&tools, &ada, "s", "{}").await.1, "ok");
    assert_eq!(server.offered().len(), 2, "the session is a new one");
}

#[tokio::test]
async fn what_a_balancer_sets_comes_back_within_the_session() {
    let server = Raw::start(|method, id, _| {
        let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {} });
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string();
        (method == "initialize").then(|| {
            let mut answer = bytes(Some("application/json"), answer.into());
            let cookie = format!("node={id}; Path=/; HttpOnly");
            answer
                .headers_mut()
                .insert("set-cookie", cookie.parse().unwrap());
            answer
        })
    })
    .await;
    let tools = server.tools();
    run(&tools, &user("ada"), "s", "{}").await;
    let said: Vec<bool> = server.cookies().iter().map(Option::is_some).collect();
    assert_eq!(
        said[..2],
        [false, false],
        "the two questions before the session"
    );
    assert!(said[2..].iter().all(|said| *said), "{said:?}");
    let before = said.len();
    run(&tools, &user("bob"), "s", "{}").await;
    assert!(
        server.cookies()[before].is_none(),
        "another's session begins without"
    );
}

#[tokio::test]
async fn arguments_come_to_the_server_under_its_own_names() {
    let server = Raw::start(|method, id, _| {
        let schema = json!({ "properties": { "$filter": {}, "a": {} }, "required": ["$filter"] });
        let tools = json!([{ "name": "s", "inputSchema": schema }]);
        let list = json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": tools } });
        (method == "tools/list").then(|| bytes(Some("application/json"), list.to_string().into()))
    })
    .await;
    let (tools, ada) = (server.tools(), user("ada"));
    let specs = tools.list(&ada).await;
    let offered = schema(&specs[0]);
    assert_eq!(offered["required"], json!(["_filter"]));
    for given in [r#"{"_filter":"x","a":1}"#, r#"{"$filter":"x","a":1}"#] {
        run(&tools, &ada, "s", given).await;
        let came = server.shared.arguments.lock().unwrap().clone();
        assert_eq!(came, json!({ "$filter": "x", "a": 1 }), "{given}");
    }
}
