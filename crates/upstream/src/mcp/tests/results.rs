//! What a model is told of each kind of result.

use super::*;

/// The first bytes of an image, and of nothing that is known.
const PNG: &str = "iVBORw0KGgo=";
const OTHER: &str = "aGVsbG8gISE=";

/// What is told of this result, and whether it is an error, where a result may have so many bytes.
async fn told_within(max_result_bytes: usize, answer: Value) -> (String, bool) {
    let server = Server::start(&["answer"]).await;
    *server.shared.answer.lock().unwrap() = answer;
    let config = McpServer {
        max_result_bytes,
        ..server.config("todo", ForwardedIdentity::None)
    };
    let (_, output, is_error) = run(&tools(vec![config]), &user("ada"), "answer", "{}").await;
    (output, is_error)
}

async fn told(answer: Value) -> String {
    let (output, is_error) = told_within(64 * 1024, answer).await;
    assert!(!is_error);
    output
}

#[tokio::test]
async fn each_kind_of_content_is_told_in_words() {
    let kinds = [
        (json!({"type": "text", "text": "two\nlines"}), "two\nlines"),
        (
            json!({"type": "image", "data": PNG, "mimeType": "image/png"}),
            "[an image (image/png, 8 bytes), shown to you with this result]",
        ),
        (
            json!({"type": "image", "data": OTHER, "mimeType": "image/png"}),
            "[an image (image/png, 8 bytes), which you cannot see]",
        ),
        (
            json!({"type": "audio", "data": OTHER, "mimeType": "audio/wav"}),
            "[a sound (audio/wav, 8 bytes), which you cannot hear]",
        ),
        (
            json!({"type": "resource", "resource": {
                "uri": "file:///a.md", "mimeType": "text/markdown", "text": "# A",
            }}),
            "[the text of file:///a.md (text/markdown):]\n# A",
        ),
        (
            json!({"type": "resource", "resource": {
                "uri": "file:///a.pdf", "mimeType": "application/pdf", "blob": OTHER,
            }}),
            "[the file file:///a.pdf (application/pdf, 8 bytes), which you cannot read]",
        ),
        (
            json!({"type": "resource", "resource": {
                "uri": "file:///a.csv", "mimeType": "text/csv", "blob": OTHER,
            }}),
            "[the text of file:///a.csv (text/csv, 8 bytes):]\nhello !!",
        ),
        (
            json!({"type": "resource", "resource": {"uri": "file:///a", "blob": ""}}),
            "[the file file:///a (0 bytes), which you cannot read]",
        ),
        (
            json!({
                "type": "resource_link", "uri": "https://example.com/r", "name": "report",
                "title": "The\nreport", "description": "All of\n2026.", "mimeType": "text/csv",
                "size": 12,
            }),
            "[a link to \"The report\" (named report): https://example.com/r (text/csv, 12 bytes); \
             All of 2026.]",
        ),
        (
            json!({"type": "resource_link", "uri": "file:///a", "name": "file:///a"}),
            "[a link: file:///a]",
        ),
    ];
    let content: Vec<&Value> = kinds.iter().map(|(block, _)| block).collect();
    let words: Vec<&str> = kinds.iter().map(|(_, words)| *words).collect();
    let output = told(json!({ "content": content })).await;
    assert_eq!(output, words.join("\n"));
}

#[tokio::test]
async fn files_that_models_know_are_shown_as_what_they_are() {
    let server = Server::start(&["answer"]).await;
    let tools = tools(vec![server.config("todo", ForwardedIdentity::None)]);
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let wav = encode(b"RIFF\x24\0\0\0WAVEfmt ");
    let pdf = encode(b"%PDF-1.7\n%%EOF");
    // As old programs write it, and called something else.
    let lines = "iVBOR\nw0KGgo";
    let large = {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.resize((5 << 20) + 1, 0);
        encode(&bytes)
    };
    let content = json!([
        {"type": "image", "data": large, "mimeType": "image/png"},
        {"type": "image", "data": "no Base64!", "mimeType": "image/png"},
        {"type": "image", "data": "https://a.example/b.png", "mimeType": "image/png"},
        {"type": "image", "data": lines, "mimeType": "image/jpeg"},
        {"type": "image", "data": format!("data:image/png;base64,{PNG}"), "mimeType": "image/png"},
        {"type": "image", "data": URL_SAFE_NO_PAD.encode(b"\xff\xd8\xff\xef\xff"), "mimeType": "image/jpeg"},
        {"type": "audio", "data": wav, "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "file:///bill.pdf", "blob": pdf}},
    ]);
    *server.shared.answer.lock().unwrap() = json!({ "content": content });
    let (_, output, _, files) = run_with_files(&tools, &user("ada"), "answer", "{}").await;
    let told: Vec<_> = output
        .lines()
        .map(|line| line.ends_with("with this result]"))
        .collect();
    assert_eq!(
        told,
        [false, false, false, true, true, true, true, true],
        "{output}"
    );
    assert!(output.contains("[an image, which is at https://a.example/b.png]"));
    let shown: Vec<_> = files
        .iter()
        .map(|file| (file.name.as_str(), file.media_type.as_str(), file.len()))
        .collect();
    assert_eq!(
        shown,
        [
            ("image", "image/png", 8),
            ("image", "image/png", 8),
            ("image", "image/jpeg", 5),
            ("sound", "audio/wav", 16),
            ("file:///bill.pdf", "application/pdf", 14)
        ]
    );
    let [image, _, _, sound, document] = &files[..] else {
        panic!()
    };
    assert!(matches!(image.content, FileContent::Image(_)));
    assert!(matches!(sound.content, FileContent::Audio(_)));
    assert!(matches!(document.content, FileContent::Pdf(_)));

    let many = vec![json!({"type": "image", "data": PNG, "mimeType": "image/png"}); 9];
    *server.shared.answer.lock().unwrap() = json!({ "content": many });
    let (_, output, _, files) = run_with_files(&tools, &user("ada"), "answer", "{}").await;
    assert_eq!(files.len(), 8);
    assert!(output.ends_with("which you cannot see]"), "{output}");
}

#[tokio::test]
async fn data_is_told_where_no_text_holds_it() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let data = json!({"sum": 5});
    for (content, data, expected) in [
        (json!([]), data.clone(), r#"{"sum":5}"#),
        (json!([text(" ")]), data.clone(), r#"{"sum":5}"#),
        (
            json!([text("{ \"sum\": 5 }")]),
            data.clone(),
            "{ \"sum\": 5 }",
        ),
        (
            json!([text("Five.")]),
            data.clone(),
            "Five.\n[the answer as data:]\n{\"sum\":5}",
        ),
        (
            json!([image]),
            data,
            "[an image (image/png, 8 bytes), shown to you with this result]\n[the answer as data:]\n\
             {\"sum\":5}",
        ),
        // What FastMCP makes of a number, a text and a list.
        (json!([text("5")]), json!({"result": 5}), "5"),
        (json!([text("five")]), json!({"result": "five"}), "five"),
        (
            json!([text("a"), text("2")]),
            json!({"result": ["a", 2]}),
            "a\n2",
        ),
    ] {
        let answer = json!({"content": content, "structuredContent": data});
        assert_eq!(told(answer.clone()).await, expected, "{answer}");
    }
}

#[tokio::test]
async fn nothing_is_said_to_be_nothing_and_errors_stay_errors() {
    for content in [json!([]), json!([{"type": "text", "text": "\n"}])] {
        let output = told(json!({ "content": content })).await;
        assert_eq!(output, "The tool has done its work and answered nothing.");
        let failed = told_within(1_000, json!({"content": content, "isError": true})).await;
        let expected = "The tool failed and did not say why.".to_owned();
        assert_eq!(failed, (expected, true));
    }
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let (output, is_error) = told_within(1_000, json!({"content": [image], "isError": true})).await;
    assert!(is_error && output.starts_with("[an image"), "{output}");
}

#[tokio::test]
async fn what_is_too_long_is_cut_and_says_so() {
    let long = "é".repeat(3_000);
    let text = json!({"type": "resource", "resource": {"uri": "file:///a", "text": long}});
    let (output, _) = told_within(100, json!({ "content": [text] })).await;
    let (told, note) = output.rsplit_once('\n').unwrap();
    assert!(told.len() <= 100 && told.ends_with('é'), "{output}");
    assert_eq!(
        note,
        format!(
            "[cut off here: {} more bytes]",
            "[the text of file:///a:]\n".len() + 6_000 - told.len()
        )
    );
    let (output, _) = told_within(100, json!({"content": [], "structuredContent": [long]})).await;
    assert!(output.contains("[cut off here: "), "{output}");
    // A name is no place for a text.
    let link = json!({"type": "resource_link", "uri": "file:///a", "name": long});
    let (output, _) = told_within(64 * 1024, json!({ "content": [link] })).await;
    assert!(
        output.len() < 2_100 && output.ends_with("…\": file:///a]"),
        "{output}"
    );
}
