//! Files that tools give back: each API's way to show them, and models that do not take them.

use testkit::fake_model::CapturedRequest;

use super::*;

fn tool_file(name: &str, media_type: &str, content: FileContent) -> ToolFile {
    ToolFile {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        content,
    }
}

/// A round of two calls whose results have files, and what came of it in words.
fn shown() -> ModelRequest {
    let image = Bytes::from_static(b"PNG bytes");
    let plot = tool_file("image", "image/png", FileContent::Image(image));
    let bill = Bytes::from_static(b"%PDF");
    let bill = tool_file(
        "file:///bill.pdf",
        "application/pdf",
        FileContent::Pdf(bill),
    );
    let bell = Bytes::from_static(b"RIFF");
    let bell = tool_file("sound", "audio/wav", FileContent::Audio(bell));
    let output = |call_id: &str, files| ModelInput::ToolOutput {
        call_id: call_id.to_owned(),
        output: format!("result of {call_id}"),
        files,
    };
    ModelRequest {
        input: vec![
            ModelInput::User("Plot it.".into()),
            ModelInput::ToolCall(call("call_1", "add_task", "{}")),
            ModelInput::ToolCall(call("call_2", "list_tasks", "{}")),
            output("call_1", vec![plot]),
            output("call_2", vec![bill, bell]),
        ],
        ..rich_request()
    }
}

const IMAGE: &str = "data:image/png;base64,UE5HIGJ5dGVz";
const DOCUMENT: &str = "data:application/pdf;base64,JVBERg==";

/// What is in the results of the tools, and in the messages behind them.
fn sent(request: &CapturedRequest) -> Vec<Value> {
    let is_of_tools =
        |item: &&Value| item["role"] == "tool" || item["type"] == "function_call_output";
    let items = request.items();
    let first = items.iter().position(|item| is_of_tools(&item)).unwrap();
    items[first..]
        .iter()
        .map(|item| {
            let output = &item["output"];
            if output.is_null() {
                item["content"].clone()
            } else {
                output.clone()
            }
        })
        .collect()
}

#[tokio::test]
async fn each_api_is_shown_them_where_it_takes_them() {
    let model = FakeModel::scripted([Reply::text(["ok"]), Reply::text(["ok"])])
        .await
        .unwrap();
    for (_, provider) in models(&config(&model.base_url())) {
        assert_eq!(answer(&*provider, shown()).await[0], "ok");
    }
    let requests = model.requests();
    assert_eq!(
        sent(&requests[0]),
        [
            json!([
                {"type": "input_text", "text": "result of call_1"},
                {"type": "input_image", "image_url": IMAGE, "detail": "auto"},
            ]),
            json!([
                {"type": "input_text",
                 "text": "result of call_2\n[Not all files of this result can be shown to you.]"},
                {"type": "input_file", "filename": "file:///bill.pdf", "file_data": DOCUMENT},
            ]),
        ]
    );
    assert_eq!(
        sent(&requests[1]),
        [
            json!("result of call_1"),
            json!("result of call_2"),
            json!([
                {"type": "image_url", "image_url": {"url": IMAGE}},
                {"type": "file", "file": {"filename": "file:///bill.pdf", "file_data": DOCUMENT}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "text", "text": "[The files above came with the results of the tools, in their order, not from the user.]"},
            ]),
        ]
    );
}

/// A model that refuses, in these words, what has one of these in it.
async fn blind(parts: &'static [&'static str], status: u16, words: &'static str) -> FakeModel {
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(move |request| {
        let body = request.body.to_string();
        Some(if parts.iter().any(|part| body.contains(part)) {
            Reply::http_error(status, "", words)
        } else {
            Reply::text(["fine"])
        })
    });
    model
}

const IMAGES: &[&str] = &["image_url", "input_image"];
const FILES: &[&str] = &["image_url", "input_image", "file_data", "input_audio"];

#[tokio::test]
async fn a_model_that_does_not_take_a_kind_is_not_shown_it_again() {
    for (api, parts, status, words, left) in [
        // OpenAI, DeepSeek, vLLM, LM Studio, Mistral.
        (
            1,
            IMAGES,
            400,
            "Invalid content type. image_url is only supported by certain models.",
            2,
        ),
        (
            1,
            IMAGES,
            422,
            "messages[4]: unknown variant `image_url`, expected `text`",
            2,
        ),
        (
            1,
            IMAGES,
            400,
            "At most 0 image(s) may be provided in one request.",
            2,
        ),
        (
            0,
            IMAGES,
            400,
            "Model does not support images. Please use a model that does.",
            1,
        ),
        (
            1,
            IMAGES,
            400,
            "Image input is not enabled for this model",
            2,
        ),
        // OpenRouter, llama.cpp.
        (
            1,
            IMAGES,
            404,
            "No endpoints found that support image input",
            2,
        ),
        (
            1,
            IMAGES,
            500,
            "image input is not supported - hint: if this is unexpected, provide the mmproj",
            2,
        ),
        // Groq, and what wants texts and nothing else.
        (
            1,
            FILES,
            400,
            "'messages.4' : for 'role:user' the following must be satisfied[('messages.4.content' : value must be a string)]",
            0,
        ),
        (
            0,
            FILES,
            400,
            "input[4].output: Input should be a valid string",
            0,
        ),
        (
            1,
            &["input_audio"],
            400,
            "This model does not support audio inputs.",
            2,
        ),
    ] {
        let model = blind(parts, status, words).await;
        let (_, provider) = models(&config(&model.base_url()))
            .into_iter()
            .nth(api)
            .unwrap();
        let told = answer(&*provider, shown()).await;
        assert_eq!(told[0], "fine", "{words}: {told:?}");
        let tries = model.requests().len();
        assert!((2..=4).contains(&tries), "{words}: {tries}");
        answer(&*provider, shown()).await;
        let requests = model.requests();
        assert_eq!(requests.len(), tries + 1, "{words} is remembered");
        let last = requests.last().unwrap();
        let body = last.body.to_string();
        let shown = FILES.iter().filter(|part| {
            body.contains(&format!("\"{part}\":")) || body.contains(&format!("\"type\":\"{part}\""))
        });
        assert!(
            body.contains("[Not all files of this result can be shown to you.]"),
            "{words}"
        );
        assert_eq!(shown.count(), left, "{words}: {body}");
    }
}

#[tokio::test]
async fn a_server_whose_results_take_no_lists_is_shown_files_in_a_message() {
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(|request| {
        let has_list = request.items().iter().any(|item| item["output"].is_array());
        Some(if has_list {
            Reply::http_error(400, "", "input[4].output: Input should be a valid string")
        } else {
            Reply::text(["fine"])
        })
    });
    let [(_, provider), _] = models(&config(&model.base_url()));
    assert_eq!(answer(&*provider, shown()).await[0], "fine");
    let requests = model.requests();
    let told = sent(&requests[1]);
    assert_eq!(told[0], "result of call_1");
    assert_eq!(told[2][0]["image_url"], IMAGE);
    assert_eq!(told[2][1]["file_data"], DOCUMENT);
}

/// One tool's broken image is no reason to show nobody any.
#[tokio::test]
async fn a_broken_image_costs_this_question_its_files_and_no_other() {
    let words = "Invalid image data: could not be decoded.";
    let model = blind(IMAGES, 400, words).await;
    let [_, (_, provider)] = models(&config(&model.base_url()));
    for asked in [2, 4] {
        assert_eq!(answer(&*provider, shown()).await[0], "fine");
        assert_eq!(model.requests().len(), asked);
    }
    let first = &model.requests()[2];
    assert!(first.body.to_string().contains(IMAGE));
}

#[tokio::test]
async fn a_persons_image_that_the_model_cannot_see_is_named() {
    let words = "Invalid content type. image_url is only supported by certain models.";
    let model = blind(IMAGES, 400, words).await;
    let [_, (_, provider)] = models(&config(&model.base_url()));
    let photo = FileContent::Image(Bytes::from_static(b"PNG bytes"));
    let request = ModelRequest {
        input: vec![ModelInput::User(UserInput {
            text: "What is it?".to_owned(),
            files: vec![file("photo.png", "image/png", Some(photo))],
        })],
        ..simple_request("")
    };
    assert_eq!(answer(&*provider, request).await[0], "fine");
    let sent = &model.requests()[1].body["messages"][0]["content"];
    assert_eq!(
        sent[0]["text"],
        "<file name=\"photo.png\" type=\"image/png\">(not shown)</file>"
    );
}
