//! The ways in which servers cut calls into pieces.

use serde_json::json;

use super::*;

fn put_together(pieces: &[Value]) -> Vec<(String, String, String)> {
    put_together_for(&[], pieces)
}

fn put_together_for(tools: &[&str], pieces: &[Value]) -> Vec<(String, String, String)> {
    let tools = tools.iter().map(|name| (*name).to_owned()).collect();
    let mut calls = Calls::new(tools);
    for piece in pieces {
        calls.push(piece).unwrap();
    }
    calls
        .finish()
        .unwrap()
        .0
        .into_iter()
        .map(|call| (call.call_id, call.name, call.arguments))
        .collect()
}

macro_rules! piece {
    ($index:tt, $id:tt, $name:tt, $arguments:tt $(,)?) => {
        json!({ "index": $index, "id": $id, "function": { "name": $name, "arguments": $arguments } })
    };
}

fn expected(calls: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    calls
        .iter()
        .map(|(id, name, arguments)| {
            (
                (*id).to_owned(),
                (*name).to_owned(),
                (*arguments).to_owned(),
            )
        })
        .collect()
}

#[test]
fn parallel_calls_are_told_apart_however_they_are_numbered() {
    let (rome, oslo) = (r#"{"city":"Rome"}"#, r#"{"city":"Oslo"}"#);
    let two = expected(&[("a", "weather", rome), ("b", "weather", oslo)]);
    for pieces in [
        // As the API has it.
        vec![
            piece!(0, "a", "weather", rome),
            piece!(1, "b", "weather", ""),
            piece!(1, null, null, oslo),
        ],
        // All of them number 0 (Gemini).
        vec![
            piece!(0, "a", "weather", rome),
            piece!(0, "b", "weather", oslo),
        ],
        // Numbers as text, arguments as objects.
        vec![
            piece!(
                "0",
                "a",
                "weather",
                { "city": "Rome" },
            ),
            piece!(
                "1",
                "b",
                "weather",
                { "city": "Oslo" },
            ),
        ],
        // No numbers, id and name on each piece.
        vec![
            piece!(null, "a", "weather", r#"{"city":"#,),
            piece!(null, "a", "weather", r#""Rome"}"#,),
            piece!(null, "b", "weather", oslo),
        ],
        // In turns.
        vec![
            piece!(0, "a", "weather", ""),
            piece!(1, "b", "weather", ""),
            piece!(0, null, null, rome),
            piece!(1, null, null, oslo),
        ],
    ] {
        assert_eq!(put_together(&pieces), two, "{pieces:?}");
    }
}

#[test]
fn every_call_gets_an_id_of_its_own() {
    let calls = put_together(&[
        piece!(0, "", "x", "{}"),
        piece!(0, "", "x", "{}"),
        piece!(1, "call_0", "x", "{}"),
        piece!(2, "call_0", "x", "{}"),
    ]);
    let ids: HashSet<&str> = calls.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!((calls.len(), ids.len()), (4, 4), "{calls:?}");
    assert!(ids.contains("call_0"));
}

#[test]
fn a_piece_without_a_name_goes_on_with_the_last_call() {
    for pieces in [
        [
            piece!(null, null, "x", "{\"n\":"),
            piece!(0, "a", null, "1}"),
        ],
        [piece!(0, "a", "x", "{\"n\":"), piece!(1, null, null, "1}")],
    ] {
        let calls = put_together(&pieces);
        assert_eq!(
            (calls.len(), calls[0].2.as_str()),
            (1, "{\"n\":1}"),
            "{calls:?}"
        );
    }
}

#[test]
fn an_empty_object_that_comes_first_is_no_beginning_of_the_arguments() {
    for pieces in [
        [
            piece!(0, "a", "x", "{}"),
            piece!(0, null, null, "{\"n\":1}"),
        ],
        [
            piece!(null, "a", "x", "{}"),
            piece!(null, "a", "", "{\"n\":1}"),
        ],
    ] {
        assert_eq!(put_together(&pieces), expected(&[("a", "x", "{\"n\":1}")]));
    }
}

#[test]
fn a_call_that_is_repeated_at_the_end_is_one_call() {
    assert_eq!(
        put_together(&[
            piece!(0, "a", "x", "{\"n\":"),
            piece!(0, null, null, "1}"),
            piece!(0, "a", "x", "{ \"n\": 1 }"),
        ]),
        expected(&[("a", "x", "{\"n\":1}")])
    );
    // Two that differ are two.
    let two = put_together(&[
        piece!(0, "a", "x", "{\"n\":1}"),
        piece!(0, "a", "x", "{\"n\":2}"),
    ]);
    assert_eq!(two.len(), 2, "{two:?}");
}

#[test]
fn pieces_with_an_id_each_are_one_call() {
    assert_eq!(
        put_together(&[
            piece!(0, "a", "x", ""),
            piece!(0, "b", null, "{\"n\":"),
            piece!(0, "c", "", "1}"),
        ]),
        expected(&[("a", "x", "{\"n\":1}")])
    );
}

#[test]
fn a_name_in_pieces_is_joined_and_one_that_is_repeated_is_not() {
    for (tools, pieces, expected) in [
        (
            &["get_weather"][..],
            &["get_", "weather"][..],
            "get_weather",
        ),
        (
            &["get_weather"],
            &["g", "et", "_", "weather"],
            "get_weather",
        ),
        (&["get", "get_weather"], &["get", "_weather"], "get_weather"),
        (
            &["weather", "get_weather"],
            &["get_", "weather"],
            "get_weather",
        ),
        (&["get"], &["functions", ".", "get"], "get"),
        (&["haha"], &["ha", "ha"], "haha"),
        // Repeated.
        (&["get"], &["get", "get", "get"], "get"),
        (&["ha", "haha"], &["ha", "ha"], "ha"),
        (&["get"], &["functions.get", "functions.get"], "get"),
        (&["get"], &["get", "get<|channel|>commentary"], "get"),
        // All of it so far, with each piece.
        (&["get_weather"], &["get_", "get_weather"], "get_weather"),
        // Nothing is known of these.
        (&["get"], &["set", "set"], "set"),
        (&[], &["set", "set"], "set"),
    ] {
        for (index, id) in [
            (json!(0), json!("a")),
            (json!(0), Value::Null),
            (Value::Null, Value::Null),
        ] {
            let mut parts: Vec<Value> = pieces
                .iter()
                .map(|name| json!({ "index": index, "id": id, "function": { "name": name, "arguments": "" } }))
                .collect();
            for arguments in ["{\"n\":", "1}"] {
                // Servers that repeat the name do so to the end.
                let name = if pieces[0] == expected { expected } else { "" };
                parts.push(json!({ "index": index, "id": id, "function": { "name": name, "arguments": arguments } }));
            }
            let calls = put_together_for(tools, &parts);
            assert_eq!(calls.len(), 1, "{pieces:?}: {calls:?}");
            assert_eq!(
                (calls[0].1.as_str(), calls[0].2.as_str()),
                (expected, "{\"n\":1}"),
                "{pieces:?}"
            );
        }
    }
    let parts = [
        piece!(0, "a", "get_", ""),
        piece!(1, "b", "get_", ""),
        piece!(0, null, "weather", ""),
        piece!(1, null, "time", "{}"),
        piece!(0, null, null, "{}"),
    ];
    assert_eq!(
        put_together_for(&["get_time", "get_weather"], &parts),
        expected(&[("a", "get_weather", "{}"), ("b", "get_time", "{}")])
    );
}
