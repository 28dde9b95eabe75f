//! Files: in by a form or in two steps, tied to a message, shown by an address that ends, and gone with their thread.

use std::{path::Path, time::Duration};

use auth::audit::{AuditEvent, Door};
use reqwest::{
    Method, StatusCode, header,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use testkit::fake_model::{FakeModel, Reply};

use crate::harness::{
    APP_ORIGIN, FOREIGN_ORIGIN, Options, PNG, TestApp, answer_text, events, input,
};

fn with_files(text: &str, files: &[&str]) -> Value {
    let mut input = input(text);
    input["attachments"] = json!(files);
    json!({ "type": "threads.create", "params": { "input": input } })
}

/// Every file below the server's folder of files.
pub(crate) fn kept(app: &TestApp) -> usize {
    fn count(folder: &Path) -> usize {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return 0;
        };
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| if path.is_dir() { count(&path) } else { 1 })
            .sum()
    }
    count(&app.folder().join("files"))
}

/// Waits for what goes on beside the answers: files are removed there.
pub(crate) async fn settled(app: &TestApp) {
    let tasks = &app.state.engine.tasks;
    tasks.close();
    tokio::time::timeout(Duration::from_secs(10), tasks.wait())
        .await
        .unwrap();
    tasks.reopen();
}

/// Path and query of an address of this server.
pub(crate) fn path(url: &Value) -> String {
    let url = url::Url::parse(url.as_str().unwrap()).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn a_picture_goes_from_the_form_to_the_thread_and_back() {
    let app = TestApp::start().await;
    let secret = app.client_secret("ada").await;
    let (status, file) = app
        .upload(&secret, "C:\\pictures\\März.png", "image/png", PNG)
        .await;
    assert_eq!(status, 200, "{file}");
    assert!(file["id"].as_str().unwrap().starts_with("cfile_"));
    assert_eq!(file["name"], "März.png");
    assert_eq!(file["mime_type"], "image/png");
    assert_eq!(file["type"], "image");
    assert_eq!(file["upload_url"], Value::Null);

    // The message holds it, with an address that works.
    let id = file["id"].as_str().unwrap();
    let (status, stream) = app.chat("ada", &with_files("look", &[id])).await;
    assert_eq!(status, 200, "{stream}");
    let told = events(&stream);
    let thread = told[0]["thread"]["id"].clone();
    let attachment = &told[1]["item"]["attachments"][0];
    assert_eq!(attachment["thread_id"], thread);
    let said = answer_text(&told);
    assert!(
        said.contains(&format!(
            "`März.png` (image/png, {} bytes): an image",
            PNG.len()
        )),
        "{said}"
    );
    let page = json!({ "type": "threads.get_by_id", "params": { "thread_id": thread } });
    let (_, answer) = app.chat("ada", &page).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let list = json!({ "type": "items.list", "params": { "thread_id": thread } });
    let (_, items) = app.chat("ada", &list).await;
    let items: Value = serde_json::from_str(&items).unwrap();
    let message = items["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["type"] == "user_message")
        .unwrap();
    for url in [
        &file["preview_url"],
        &attachment["preview_url"],
        &answer["items"]["data"][0]["attachments"][0]["preview_url"],
        &message["attachments"][0]["preview_url"],
    ] {
        let picture = app.get(&path(url)).send().await.unwrap();
        assert_eq!(picture.status(), 200, "{url}");
        let headers = picture.headers().clone();
        assert_eq!(headers[header::CONTENT_TYPE], "image/png");
        assert_eq!(headers[header::CONTENT_LENGTH], PNG.len().to_string());
        assert_eq!(
            headers[header::CONTENT_DISPOSITION],
            "inline; filename*=UTF-8''M%C3%A4rz.png"
        );
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"));
        assert_eq!(picture.bytes().await.unwrap(), PNG);
    }
    // No address is kept.
    app.stop().await;
    let stored = app.rows("SELECT id FROM items WHERE data LIKE '%signature=%'");
    assert_eq!(stored, [""; 0]);
}

/// A form as it goes over the wire, with what stands around the file's name.
async fn send_form(app: &TestApp, disposition: &[u8], kind: &str, bytes: &[u8]) -> (u16, Value) {
    let head = format!("\r\nContent-Type: {kind}\r\n\r\n");
    let body = [
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; ",
        disposition,
        head.as_bytes(),
        bytes,
        b"\r\n--b--\r\n",
    ];
    let request = app
        .post("/v1/chatkit/files")
        .bearer_auth(app.token("ada"))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    let answer = request.body(body.concat()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn files_keep_their_names_and_are_what_they_are() {
    let app = TestApp::start().await;
    let utf16: Vec<u8> = "\u{feff}h\u{e9}llo"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (disposition, kind, bytes, name, media_type) in [
        (
            &b"filename*=UTF-8''%C3%9Cbersicht%20%E6%9D%B1.txt"[..],
            "text/plain",
            &b"x"[..],
            "\u{dc}bersicht \u{6771}.txt",
            "text/plain",
        ),
        (
            b"filename=\"\xdcbersicht.txt\"",
            "text/plain",
            b"x",
            "\u{dc}bersicht.txt",
            "text/plain",
        ),
        (
            "filename=\"a\u{202e}txt.exe.txt\"".as_bytes(),
            "text/plain",
            b"x",
            "atxt.exe.txt",
            "text/plain",
        ),
        (
            b"filename=\"a.jpg\"",
            "image/jpeg",
            PNG,
            "a.jpg",
            "image/png",
        ),
        (
            b"filename=\"a.ts\"",
            "video/mp2t",
            b"let a",
            "a.ts",
            "text/typescript",
        ),
        (
            b"filename=\"notes.txt\"",
            "text/plain",
            &utf16,
            "notes.txt",
            "text/plain",
        ),
    ] {
        let (status, file) = send_form(&app, disposition, kind, bytes).await;
        assert_eq!(status, 200, "{name}: {file}");
        assert_eq!(file["name"], name);
        assert_eq!(file["mime_type"], media_type, "{name}");
        let gone =
            json!({ "type": "attachments.delete", "params": { "attachment_id": file["id"] } });
        assert_eq!(app.chat("ada", &gone).await.0, 200);
    }
    let (status, refused) = send_form(&app, b"filename=\"a.txt\"", "text/plain", b"a\0b").await;
    assert_eq!(status, 400, "{refused}");
}

#[tokio::test]
async fn only_pictures_are_shown_and_everything_else_is_a_download() {
    let app = TestApp::start().await;
    let secret = app.client_secret("ada").await;
    let html = b"<!DOCTYPE html><script>alert(document.domain)</script>";
    let (status, file) = app.upload(&secret, "page.html", "text/html", html).await;
    assert_eq!(status, 200, "{file}");
    assert_eq!(file["type"], "file");
    assert_eq!(file["preview_url"], Value::Null);
    // A file has no preview; its bytes are had by the same kind of address.
    let id = file["id"].as_str().unwrap().parse().unwrap();
    let owner = engine::Owner::new(format!("{} ada", crate::harness::ISSUER));
    let now = app.state.engine.clock.now();
    let url = app.state.engine.attachments.links.preview(&owner, &id, now);
    let answer = app.get(&path(&url.into())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()[header::CONTENT_TYPE],
        "application/octet-stream"
    );
    assert_eq!(
        answer.headers()[header::CONTENT_DISPOSITION],
        "attachment; filename*=UTF-8''page.html"
    );
    assert_eq!(answer.bytes().await.unwrap(), &html[..]);
}

#[tokio::test]
async fn an_address_that_was_changed_or_has_ended_shows_nothing() {
    let app = TestApp::start().await;
    let secret = app.client_secret("ada").await;
    let (_, file) = app.upload(&secret, "a.png", "image/png", PNG).await;
    let (_, other) = app
        .upload(&app.token("grace"), "b.png", "image/png", PNG)
        .await;
    let good = path(&file["preview_url"]);
    let announced = json!({ "type": "attachments.create",
        "params": { "name": "c.png", "size": PNG.len(), "mime_type": "image/png" } });
    let (_, announced) = app.chat("ada", &announced).await;
    let announced: Value = serde_json::from_str(&announced).unwrap();
    let write = path(&announced["upload_descriptor"]["url"]);
    let (id, other_id) = (file["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    let expires = good.split("expires=").nth(1).unwrap();
    let expires = expires.split('&').next().unwrap().parse::<i64>().unwrap();
    let mut answers = Vec::new();
    for (method, bad) in [
        (Method::GET, good.replace(id, other_id)),
        (
            Method::GET,
            good.replace(id, "cfile_0000000000000000000000000000ffff"),
        ),
        (Method::GET, good.replace(id, "..%2f..%2fetc%2fpasswd")),
        (Method::GET, good.replace(id, "%ff")),
        (
            Method::GET,
            good.replace(&expires.to_string(), &(expires + 1).to_string()),
        ),
        (
            Method::GET,
            good.replace(&expires.to_string(), "9223372036854775807"),
        ),
        (Method::GET, good.replace(&expires.to_string(), "soon")),
        (Method::GET, good.split('&').next().unwrap().to_owned()),
        (Method::GET, good.split('?').next().unwrap().to_owned()),
        (Method::GET, format!("{good}A")),
        // What permits sending does not permit reading, nor the other way round.
        (Method::GET, write.clone()),
        (Method::PUT, good.clone()),
        (Method::POST, good.clone()),
    ] {
        let answer = app.request(method, &bad).body("x").send().await.unwrap();
        assert_eq!(answer.status(), 404, "{bad}");
        answers.push(answer.text().await.unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(app.get(&good).send().await.unwrap().status(), 200);
    app.clock.advance(2 * 3_600);
    assert_eq!(app.get(&good).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_file_comes_in_two_steps() {
    let app = TestApp::start().await;
    let announce = async |name: &str, size: usize, media_type: &str| {
        let request = json!({ "type": "attachments.create",
            "params": { "name": name, "size": size, "mime_type": media_type } });
        let (status, answer) = app.chat("ada", &request).await;
        (status, serde_json::from_str::<Value>(&answer).unwrap())
    };
    let form = || {
        let part = Part::bytes(PNG.to_vec())
            .file_name("x")
            .mime_str("text/html")
            .unwrap();
        Form::new().part("file", part)
    };
    for method in [Method::PUT, Method::POST] {
        for is_form in [false, true] {
            let (status, file) = announce("a.png", PNG.len(), "image/png").await;
            assert_eq!(status, 200, "{file}");
            assert_eq!(file["upload_descriptor"]["method"], "PUT");
            assert_eq!(file["upload_descriptor"]["headers"], json!({}));
            let id = file["id"].as_str().unwrap();
            let preview = path(&file["preview_url"]);
            assert_eq!(app.get(&preview).send().await.unwrap().status(), 404);
            let (status, refusal) = app.chat("ada", &with_files("look", &[id])).await;
            assert_eq!(status, 400);
            assert!(refusal.contains("not uploaded yet"), "{refusal}");

            let upload = path(&file["upload_descriptor"]["url"]);
            let send = || {
                let request = app.request(method.clone(), &upload);
                if is_form {
                    request.multipart(form())
                } else {
                    request.header(header::CONTENT_TYPE, "image/png").body(PNG)
                }
            };
            let answer = send().send().await.unwrap();
            assert_eq!(answer.status(), 200, "{method} form {is_form}");
            let done: Value = answer.json().await.unwrap();
            assert_eq!(done["id"], file["id"]);
            assert_eq!(done["name"], "a.png");
            assert!(done.get("upload_descriptor").is_none());
            // Once is enough: nobody puts other bytes in their place.
            let again = send().send().await.unwrap();
            assert_eq!(again.status(), StatusCode::CONFLICT);
            let picture = app.get(&preview).send().await.unwrap();
            assert_eq!(picture.bytes().await.unwrap(), PNG);
            let (status, _) = app.chat("ada", &with_files("look", &[id])).await;
            assert_eq!(status, 200);
        }
    }
    // More than announced, something else than announced: gone.
    for (size, bytes, status) in [
        (PNG.len() - 1, PNG, 413),
        (PNG.len(), &b"<html><script>"[..], 400),
    ] {
        let (_, file) = announce("a.png", size, "image/png").await;
        let upload = path(&file["upload_descriptor"]["url"]);
        // Without a length, so that it is noticed on the way.
        let body = reqwest::Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>(
            bytes.to_vec(),
        )]));
        let answer = app
            .request(Method::PUT, &upload)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
    }
    settled(&app).await;
    assert_eq!(kept(&app), 4);
    for (name, size, media_type, status) in [
        ("a.png", 1_000_001, "image/png", 413),
        ("a.exe", 10, "application/x-msdownload", 400),
    ] {
        let (answered, refusal) = announce(name, size, media_type).await;
        assert_eq!(answered, status, "{refusal}");
    }
}

#[tokio::test]
async fn what_may_not_be_sent_is_refused_in_words_and_leaves_nothing() {
    let app = TestApp::with(Options {
        uploads: server::UploadSettings {
            max_bytes_per_user: 1_500_000,
            ..Options::default().uploads
        },
        ..Options::default()
    })
    .await;
    let token = app.token("ada");
    let large = vec![b'a'; 1_000_001];
    let twice = vec![b'a'; 800_000];
    for (name, media_type, bytes, status, expected) in [
        (
            "a.svg",
            "image/svg+xml",
            &b"<svg/>"[..],
            400,
            "chatkit.file_upload_type_rejected",
        ),
        (
            "a.png",
            "image/png",
            b"<script>",
            400,
            "chatkit.file_upload_type_rejected",
        ),
        (
            "a.txt",
            "text/plain",
            PNG,
            400,
            "chatkit.file_upload_type_rejected",
        ),
        (
            "a.txt",
            "text/plain",
            b"good\0bad",
            400,
            "chatkit.file_upload_type_rejected",
        ),
        (
            "a.txt",
            "text/plain",
            &large,
            413,
            "chatkit.file_upload_too_large",
        ),
    ] {
        let (answered, refusal) = app.upload(&token, name, media_type, bytes).await;
        assert_eq!(answered, status, "{name} {media_type} {refusal}");
        assert_eq!(code(&refusal), expected, "{name} {media_type}");
    }
    settled(&app).await;
    assert_eq!(kept(&app), 0);
    // What was refused takes no space; what is kept does.
    let (status, _) = app.upload(&token, "a.txt", "text/plain", &twice).await;
    assert_eq!(status, 200);
    let (status, refusal) = app.upload(&token, "b.txt", "text/plain", &twice).await;
    assert_eq!(status, 400);
    assert_eq!(code(&refusal), "chatkit.file_upload_limit_reached");

    // Forms that are none.
    let post = || app.post("/v1/chatkit/files").bearer_auth(&token);
    let many_fields = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n".to_owned()
        + &"x".repeat(300 * 1024);
    for (request, expected) in [
        (post(), "invalid_form"),
        (post().json(&json!({ "file": "x" })), "invalid_form"),
        (
            post().multipart(Form::new().text("other", "x")),
            "missing_required_parameter",
        ),
        (
            post()
                .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
                .body("no form at all"),
            "invalid_form",
        ),
        (
            post()
                .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
                .body(many_fields),
            "invalid_form",
        ),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 400);
        let refusal: Value = answer.json().await.unwrap();
        assert_eq!(code(&refusal), expected);
    }
}

#[tokio::test]
async fn a_message_holds_a_few_files_of_its_sender_once() {
    let app = TestApp::start().await;
    let mut files = Vec::new();
    for _ in 0..4 {
        files.push(app.picture("ada").await);
    }
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    for (text, ids, said) in [
        ("x", &names[..], "3 files at most"),
        ("x", &[names[0], names[0]], "named twice"),
        ("x", &["cfile_1"], "not there"),
    ] {
        let (status, refusal) = app.chat("ada", &with_files(text, ids)).await;
        assert_eq!(status, 400);
        assert!(refusal.contains(said), "{refusal}");
    }
    // Files alone are a message.
    let (status, stream) = app.chat("ada", &with_files("", &names[..3])).await;
    assert_eq!(status, 200, "{stream}");
    let (status, refusal) = app.chat("ada", &with_files("x", &names[2..])).await;
    assert_eq!(status, 400);
    assert!(refusal.contains("part of another"), "{refusal}");
}

#[tokio::test]
async fn bytes_go_with_their_attachment_and_with_their_thread() {
    let app = TestApp::start().await;
    let (first, second, unsent) = (
        app.picture("ada").await,
        app.picture("ada").await,
        app.picture("ada").await,
    );
    let (_, stream) = app.chat("ada", &with_files("look", &[&first])).await;
    let told = events(&stream);
    let thread = told[0]["thread"]["id"].clone();
    let message = told[1]["item"]["id"].clone();
    let mut more = input("and this");
    more["attachments"] = json!([second]);
    let more = json!({ "type": "threads.add_user_message",
        "params": { "thread_id": thread, "input": more } });
    assert_eq!(app.chat("ada", &more).await.0, 200);
    settled(&app).await;
    assert_eq!(kept(&app), 3);

    let delete =
        |id: &str| json!({ "type": "attachments.delete", "params": { "attachment_id": id } });
    assert_eq!(app.chat("ada", &delete(&first)).await.0, 409);
    assert_eq!(
        app.chat("ada", &delete(&unsent)).await,
        (200, "{}".to_owned())
    );
    assert_eq!(app.chat("ada", &delete(&unsent)).await.0, 404);
    settled(&app).await;
    assert_eq!(kept(&app), 2);
    let traces = app.audit().await;
    let traces = traces
        .iter()
        .map(|entry| &entry.record)
        .filter(|record| record.event.kind().starts_with("file_"));
    let traces: Vec<_> = traces
        .map(|record| {
            let user = record.user.as_ref().unwrap();
            (record.event.clone(), user.subject.as_str(), record.door)
        })
        .collect();
    let uploaded = |file_id: &String| AuditEvent::FileUploaded {
        file_id: file_id.clone(),
    };
    let by_ada = |event| (event, "ada", Some(Door::Custom));
    let deleted = AuditEvent::FileDeleted {
        file_id: unsent.clone(),
    };
    assert_eq!(
        traces,
        [
            uploaded(&first),
            uploaded(&second),
            uploaded(&unsent),
            deleted
        ]
        .map(by_ada)
    );

    // Asked again, the thread forgets what came after the message, files too.
    let retry = json!({ "type": "threads.retry_after_item",
        "params": { "thread_id": thread, "item_id": message } });
    assert_eq!(app.chat("ada", &retry).await.0, 200);
    settled(&app).await;
    assert_eq!(kept(&app), 1);

    let delete = json!({ "type": "threads.delete", "params": { "thread_id": thread } });
    assert_eq!(app.chat("ada", &delete).await.0, 200);
    settled(&app).await;
    assert_eq!(kept(&app), 0);
    let preview = path(&told[1]["item"]["attachments"][0]["preview_url"]);
    assert_eq!(app.get(&preview).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_file_that_is_never_sent_is_gone_after_a_day() {
    let app = TestApp::start().await;
    app.picture("ada").await;
    app.clock.advance(86_399);
    server::purge_once(&app.state).await;
    assert_eq!(kept(&app), 1);
    app.clock.advance(2);
    server::purge_once(&app.state).await;
    assert_eq!(kept(&app), 0);
}

#[tokio::test]
async fn who_may_send_files_follows_the_configuration_and_the_session() {
    let app = TestApp::with(Options {
        uploads: server::UploadSettings {
            visitors: false,
            ..Options::default().uploads
        },
        ..Options::default()
    })
    .await;
    let visitor: Value = app
        .post("/api/chatkit/visitor")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, "http://localhost:3000")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let secret = visitor["client_secret"].as_str().unwrap();
    let (status, refusal) = app.upload(secret, "a.png", "image/png", PNG).await;
    assert_eq!(status, 400);
    assert_eq!(code(&refusal), "chatkit.file_upload_disabled");
    assert_eq!(
        refusal["error"]["message"],
        "File uploads are disabled for this session."
    );
    let (status, _) = app
        .upload(&app.token("ada"), "a.png", "image/png", PNG)
        .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_hosted_session_allows_less_than_the_server() {
    let app = TestApp::start().await;
    let open = async |file_upload: Value| {
        let answer = app
            .post("/v1/chatkit/sessions")
            .bearer_auth(&app.server_key)
            .header("openai-beta", "chatkit_beta=v1")
            .json(&json!({
                "workflow": { "id": "wf_test" },
                "user": "ada",
                "chatkit_configuration": { "file_upload": file_upload },
            }))
            .send()
            .await
            .unwrap();
        let session: Value = answer.json().await.unwrap();
        session["client_secret"].as_str().unwrap().to_owned()
    };
    let off = open(json!({})).await;
    let (status, refusal) = app.upload(&off, "a.png", "image/png", PNG).await;
    assert_eq!(status, 400);
    assert_eq!(code(&refusal), "chatkit.file_upload_disabled");
    let one = open(json!({ "enabled": true, "max_files": 1, "max_file_size": 512 })).await;
    let large = vec![b'a'; 1_000_001];
    let (status, _) = app.upload(&one, "a.txt", "text/plain", &large).await;
    assert_eq!(status, 413);
    let (status, _) = app.upload(&one, "a.png", "image/png", PNG).await;
    assert_eq!(status, 200);
    let (status, refusal) = app.upload(&one, "b.png", "image/png", PNG).await;
    assert_eq!(status, 400);
    assert_eq!(code(&refusal), "chatkit.file_upload_limit_reached");
}

#[tokio::test]
async fn a_page_that_is_not_allowed_can_send_nothing_even_with_a_link() {
    let app = TestApp::start().await;
    let request = json!({ "type": "attachments.create",
        "params": { "name": "a.png", "size": PNG.len(), "mime_type": "image/png" } });
    let (_, announced) = app.chat("ada", &request).await;
    let announced: Value = serde_json::from_str(&announced).unwrap();
    let upload = path(&announced["upload_descriptor"]["url"]);
    for (origin, status) in [(FOREIGN_ORIGIN, 403), (APP_ORIGIN, 200)] {
        let preflight = app
            .request(Method::OPTIONS, &upload)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
            .send()
            .await
            .unwrap();
        let allowed = preflight
            .headers()
            .get(header::ACCESS_CONTROL_ALLOW_METHODS);
        assert_eq!(
            allowed.is_some_and(|methods| methods.to_str().unwrap().contains("PUT")),
            status == 200
        );
        let answer = app
            .request(Method::PUT, &upload)
            .header(header::ORIGIN, origin)
            .body(PNG)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn an_upload_that_stalls_ends_and_leaves_nothing() {
    let app = TestApp::with(Options {
        uploads: server::UploadSettings {
            duration: Duration::from_millis(50),
            ..Options::default().uploads
        },
        ..Options::default()
    })
    .await;
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
                Content-Type: text/plain\r\n\r\n";
    let stalling = futures::StreamExt::chain(
        futures::stream::iter([Ok::<_, std::io::Error>(
            head.to_owned() + &"some text\n".repeat(200),
        )]),
        futures::stream::pending(),
    );
    let answer = app
        .post("/v1/chatkit/files")
        .bearer_auth(app.token("ada"))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .body(reqwest::Body::wrap_stream(stalling))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    settled(&app).await;
    assert_eq!(kept(&app), 0);
}

#[tokio::test]
async fn a_model_is_given_the_bytes_newest_first_as_many_as_it_may_have() {
    let model = FakeModel::scripted([Reply::text(["a picture"]), Reply::text(["a text"])])
        .await
        .unwrap();
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        ..Options::default()
    })
    .await;
    let picture = app.picture("ada").await;
    let (_, stream) = app
        .chat("ada", &with_files("What is it?", &[&picture]))
        .await;
    let thread = events(&stream)[0]["thread"]["id"].clone();
    let text = "x".repeat(999_990);
    let (_, file) = app
        .upload(&app.token("ada"), "x.txt", "text/plain", text.as_bytes())
        .await;
    let mut more = input("And this?");
    more["attachments"] = json!([file["id"]]);
    let more = json!({ "type": "threads.add_user_message",
        "params": { "thread_id": thread, "input": more } });
    assert_eq!(app.chat("ada", &more).await.0, 200);
    let requests = model.requests();
    let first = &requests[0].body["messages"][1]["content"];
    let url = first[0]["image_url"]["url"].as_str().unwrap();
    assert!(
        url.starts_with("data:image/png;base64,iVBORw0KGgo"),
        "{url}"
    );
    assert_eq!(first[1], json!({ "type": "text", "text": "What is it?" }));
    // The newest takes nearly all there is.
    let messages = requests[1].body["messages"].as_array().unwrap();
    let parts: Vec<&Value> = messages
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| &message["content"][0]["text"])
        .collect();
    assert_eq!(
        parts[0],
        "<file name=\"photo.png\" type=\"image/png\">(not shown)</file>"
    );
    assert_eq!(
        parts[1],
        &json!(format!(
            "<file name=\"x.txt\" type=\"text/plain\">\n{text}\n</file>"
        ))
    );
}
