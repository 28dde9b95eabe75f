//! What is read in results of any shape.

use proptest::prelude::*;

use super::*;
use crate::mcp::result::told;

const NOTHING: &str = "The tool has done its work and answered nothing.";

/// What a model is told, and whether it is an error.
fn read_as(result: Value) -> (String, bool) {
    let result = read(result).unwrap();
    let (output, _) = told(&result, 64 * 1024);
    (output, result.is_error.unwrap_or(false))
}

#[test]
fn a_result_is_read_whatever_it_is_wrapped_in() {
    let ok = json!({ "type": "text", "text": "ok" });
    for (result, expected) in [
        (json!({ "content": "Hello", "isError": false }), "Hello"),
        (json!({ "content": ok }), "ok"),
        (json!({ "content": ["ok"] }), "ok"),
        (json!({ "content": [ok, "and", 7] }), "ok\nand\n7"),
        (json!({ "content": 42 }), "42"),
        (
            json!({ "success": true, "rows": [1] }),
            r#"{"rows":[1],"success":true}"#,
        ),
        (
            json!({ "success": true, "content": null, "_meta": {} }),
            r#"{"success":true}"#,
        ),
        (json!({ "toolResult": "old form" }), "old form"),
        (json!({ "toolResult": { "content": [ok] } }), "ok"),
        (json!({ "toolResult": { "a": 1 } }), r#"{"a":1}"#),
        (json!("ok"), "ok"),
        (json!([ok, ok]), "ok\nok"),
        (json!([{ "text": "ok" }]), "ok"),
        (json!([1, 2]), "[1,2]"),
        (json!([{ "id": 1 }]), r#"[{"id":1}]"#),
        (json!(42), "42"),
        (json!(true), "true"),
        (json!(null), NOTHING),
        (json!({}), NOTHING),
        (json!({ "resultType": "complete", "_meta": 7 }), NOTHING),
        (
            json!({ "content": [], "structuredContent": null, "_meta": 7 }),
            NOTHING,
        ),
        (
            json!({ "content": [{ "type": "text", "text": "Two." }, 1], "structuredContent": { "rows": 2 } }),
            "Two.\n1\n[the answer as data:]\n{\"rows\":2}",
        ),
    ] {
        assert_eq!(
            read_as(result.clone()),
            (expected.to_owned(), false),
            "{result}"
        );
    }
}

#[test]
fn one_odd_block_leaves_the_others() {
    let nothing = "[content of an unknown kind, which cannot be shown here]";
    for (block, expected) in [
        (json!(null), ""),
        (json!({ "type": "text", "text": null }), ""),
        (json!({ "type": "text", "text": 42 }), "42"),
        (
            json!({ "type": "text", "text": { "rows": [1] } }),
            r#"{"rows":[1]}"#,
        ),
        (json!({ "type": "text", "text": ["a"] }), r#"["a"]"#),
        (json!({ "text": "a" }), "a"),
        (json!({ "type": "output_text", "text": "a" }), "a"),
        (
            json!({ "type": "text", "text": "a", "annotations": { "audience": ["everyone"], "priority": 5, "lastModified": "yesterday" } }),
            "a",
        ),
        (
            json!({ "type": "text", "text": "a", "annotations": "b", "_meta": 7 }),
            "a",
        ),
        (
            json!({ "type": "chart", "spec": { "a": 1 } }),
            r#"{"spec":{"a":1},"type":"chart"}"#,
        ),
        (json!({ "type": 7 }), r#"{"type":7}"#),
        (json!({ "type": "text" }), r#"{"type":"text"}"#),
        // As those say it who pass on what they would tell a model.
        (
            json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aGk=" } }),
            "[an image (image/png, 2 bytes), which you cannot see]",
        ),
        (
            json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } }),
            "[an image (image/png, 2 bytes), which you cannot see]",
        ),
        (
            json!({ "type": "image_url", "image_url": "https://a.example/b.png" }),
            "[a link: https://a.example/b.png]",
        ),
        (
            json!({ "type": "image", "data": "aGk=" }),
            "[an image (2 bytes), which you cannot see]",
        ),
        (
            json!({ "type": "image", "data": "aGk=", "mime_type": "image/png" }),
            "[an image (image/png, 2 bytes), which you cannot see]",
        ),
        (
            json!({ "type": "audio", "data": "aGk=", "mimeType": null }),
            "[a sound (2 bytes), which you cannot hear]",
        ),
        (
            json!({ "type": "image", "data": null, "mimeType": "image/png" }),
            nothing,
        ),
        (
            json!({ "type": "resource", "resource": { "text": "hello there" } }),
            "[the text of a file without a name:]\nhello there",
        ),
        (
            json!({ "type": "resource", "resource": { "uri": "file:///a", "text": { "a": 1 }, "mimeType": 7 } }),
            "[the text of file:///a:]\n{\"a\":1}",
        ),
        (
            json!({ "type": "resource", "resource": { "uri": null, "blob": "aGk=" } }),
            "[the file a file without a name (2 bytes), which you cannot read]",
        ),
        (
            json!({ "type": "resource", "resource": { "uri": "file:///a" } }),
            nothing,
        ),
        (
            json!({ "type": "resource", "resource": "file:///a" }),
            nothing,
        ),
        (
            json!({ "type": "resource_link", "uri": "https://e.x/a" }),
            "[a link: https://e.x/a]",
        ),
        (
            json!({ "type": "resource_link", "uri": "https://e.x/a", "name": 7, "title": "A", "size": "big", "icons": 1 }),
            "[a link to \"A\": https://e.x/a]",
        ),
        (
            json!({ "type": "resource_link", "uri": "https://e.x/a", "name": "a", "size": -1 }),
            "[a link to \"a\": https://e.x/a]",
        ),
        (json!({ "type": "resource_link", "name": "a" }), nothing),
    ] {
        let ok = json!({ "type": "text", "text": "ok" });
        let expected = if expected.is_empty() {
            "ok".to_owned()
        } else {
            format!("{expected}\nok")
        };
        let told = read_as(json!({ "content": [block, ok] }));
        assert_eq!(told, (expected, false), "{block}");
    }
}

#[test]
fn an_error_is_one_however_that_is_written() {
    for (flag, expected) in [
        (json!(true), true),
        (json!("true"), true),
        (json!("True"), true),
        (json!(1), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(""), false),
        (json!(0), false),
        (json!(null), false),
        (json!({}), false),
    ] {
        let result = json!({ "content": [{ "type": "text", "text": "boom" }], "isError": flag });
        assert_eq!(read_as(result), ("boom".to_owned(), expected), "{flag}");
    }
}

#[test]
fn what_says_that_it_is_no_result_is_none() {
    for kind in ["input_required", "task", "later"] {
        assert!(read(json!({ "resultType": kind, "content": "a" })).is_none());
    }
}

/// Any JSON, with names in it that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "text|image|resource|resource_link|true|aGk=|[a-z]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = "type|text|data|content|isError|structuredContent|toolResult|resource|uri|blob|resultType|[a-z]{1,3}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn something_is_said_of_any_json(value in any_json()) {
        if let Some(result) = read(value) {
            prop_assert!(!told(&result, 1_000).0.is_empty());
        }
    }

    #[test]
    fn every_text_of_a_result_is_told(texts in prop::collection::vec("[a-z]{1,8}", 1..5), odd in any_json()) {
        let mut content: Vec<Value> = texts.iter().map(|text| json!({ "type": "text", "text": text })).collect();
        content.insert(texts.len() / 2, odd);
        let (output, _) = read_as(json!({ "content": content }));
        for text in &texts {
            prop_assert!(output.lines().any(|line| line == text), "{output}");
        }
    }
}
