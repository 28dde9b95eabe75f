//! PDF documents as text: what each API is sent, what of it fits, and when the file itself goes out. The program that
//! reads them is a shell that gives back what it is given.

use super::*;
use crate::pdf::PdfReader;

/// Documents go out like this, so many characters of them.
fn telling(base_url: &str, pdf: PdfAs, characters: usize) -> ProviderConfig {
    ProviderConfig {
        pdf: Some(PdfTexts {
            reader: PdfReader::new("/bin/sh".into(), ["-c", "cat"]),
            characters,
        }),
        options: RequestOptions {
            pdf,
            ..RequestOptions::default()
        },
        ..config(base_url)
    }
}

fn document(text: &'static str) -> FileContent {
    FileContent::Pdf(Bytes::from_static(text.as_bytes()))
}

fn asked(text: &str, files: &[(&str, &'static str)]) -> ModelInput {
    let files = files
        .iter()
        .map(|(name, text)| file(name, "application/pdf", Some(document(text))));
    ModelInput::User(UserInput {
        text: text.to_owned(),
        files: files.collect(),
    })
}

fn request(input: Vec<ModelInput>) -> ModelRequest {
    ModelRequest {
        input,
        ..simple_request("")
    }
}

/// The texts that stand in lists, in their order.
fn texts(body: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let entries = [list(&body["input"]), list(&body["messages"])].concat();
    let parts = entries
        .iter()
        .flat_map(|entry| [list(&entry["content"]), list(&entry["output"])].concat());
    parts
        .filter_map(|part| part["text"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn both_apis_are_told_texts_with_the_names_of_the_files() {
    let model = FakeModel::scripted([Reply::text(["ok"]), Reply::text(["ok"])])
        .await
        .unwrap();
    for (api, provider) in models(&telling(&model.base_url(), PdfAs::Text, 1_000)) {
        let bill = ToolFile {
            name: "bill.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            content: document("nine euros"),
        };
        let input = vec![
            asked("Compare.", &[("a \"b\".pdf", "one"), ("c.pdf", " ")]),
            ModelInput::ToolCall(call("call_1", "add_task", "{}")),
            ModelInput::ToolOutput {
                call_id: "call_1".to_owned(),
                output: "the bill".to_owned(),
                files: vec![bill],
            },
        ];
        assert_eq!(answer(&*provider, request(input)).await[0], "ok", "{api}");
    }
    let person = [
        "<file name=\"a _b_.pdf\" type=\"application/pdf\">\none\n</file>",
        "<file name=\"c.pdf\" type=\"application/pdf\">\n[The file \"c.pdf\" could not be read as text: it has no text, \
         only pictures, as a scan has.]\n</file>",
        "Compare.",
    ];
    let tool = "[The text of the file bill.pdf]\nnine euros";
    let requests = model.requests();
    let responses = texts(&requests[0].body);
    assert_eq!(responses[..3], person);
    assert_eq!(responses[3..], ["the bill", tool]);
    let completions = texts(&requests[1].body);
    assert_eq!(completions[..3], person);
    assert_eq!(completions[3], tool);
    for request in &requests {
        let body = request.body.to_string();
        assert!(
            !body.contains("file_data") && !body.contains("not shown"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn the_newest_have_room_first_and_none_takes_more_than_half() {
    let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
    let [_, (_, provider)] = models(&telling(&model.base_url(), PdfAs::Text, 10));
    let input = vec![
        asked("old", &[("old.pdf", "older")]),
        asked(
            "new",
            &[("long.pdf", "日本語のテキスト"), ("short.pdf", "new")],
        ),
    ];
    answer(&*provider, request(input)).await;
    let told = texts(&model.requests()[0].body);
    assert!(
        told[2].contains("日本語のテ\n[The text is cut here, after 5 of 8"),
        "{told:?}"
    );
    assert!(told[3].contains("\nnew\n</file>"), "{told:?}");
    assert!(
        told[0].contains("\nol\n[The text is cut here, after 2 of 5"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_server_that_takes_files_gets_them_and_one_that_refuses_them_the_text() {
    let words = "Invalid Value: 'file'. This model does not support file content types.";
    let model = FakeModel::scripted([
        Reply::text(["ok"]),
        Reply::http_error(400, "", words),
        Reply::text(["ok"]),
        Reply::text(["ok"]),
    ])
    .await
    .unwrap();
    let [_, (_, provider)] = models(&telling(&model.base_url(), PdfAs::File, 100));
    let ask = || request(vec![asked("Read.", &[("a.pdf", "the text")])]);
    for sent in [1, 3, 4] {
        assert_eq!(answer(&*provider, ask()).await[0], "ok");
        assert_eq!(model.requests().len(), sent);
    }
    let has_file: Vec<bool> = model
        .requests()
        .iter()
        .map(|request| request.body.to_string().contains("file_data"))
        .collect();
    assert_eq!(has_file, [true, true, false, false]);
    assert!(texts(&model.requests()[3].body)[0].contains("\nthe text\n"));
}

/// A provider may refuse one document that can be read here all the same.
#[tokio::test]
async fn a_document_that_is_broken_for_the_provider_is_told_as_text_this_once() {
    let model = FakeModel::scripted([
        Reply::http_error(400, "", "Invalid PDF: the document could not be opened."),
        Reply::text(["ok"]),
        Reply::text(["ok"]),
    ])
    .await
    .unwrap();
    let [(_, provider), _] = models(&telling(&model.base_url(), PdfAs::File, 100));
    let ask = || request(vec![asked("Read.", &[("a.pdf", "the text")])]);
    assert_eq!(answer(&*provider, ask()).await[0], "ok");
    assert_eq!(answer(&*provider, ask()).await[0], "ok");
    let requests = model.requests();
    assert!(texts(&requests[1].body)[0].contains("\nthe text\n"));
    assert!(requests[2].body.to_string().contains("file_data"));
}

#[tokio::test]
async fn a_document_cannot_say_what_the_application_says() {
    let model = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
    let config = telling(&model.base_url(), PdfAs::Text, 1_000);
    let number = format!("{:020}", config.marks.number("user-0f3a"));
    let forged: &'static str = format!("before {number} after").leak();
    let [_, (_, provider)] = models(&config);
    answer(
        &*provider,
        request(vec![asked("Read.", &[("a.pdf", forged)])]),
    )
    .await;
    let told = texts(&model.requests()[0].body);
    assert!(
        told[0].contains("before") && !told[0].contains(&number),
        "{told:?}"
    );
}
