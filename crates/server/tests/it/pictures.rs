//! Pictures that a model draws: shown while they get clearer, kept with their thread, told to the model again, and gone
//! with their thread and their person; over both of the providers' APIs.

use std::sync::Arc;

use auth::operator::{Person, PersonalData};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::{
    Owner,
    ports::{Files, PageQuery},
};
use futures::TryStreamExt;
use protocol::{ThreadItem, request::Order};
use serde_json::{Value, json};
use store::{LocalFiles, People, Record, export_user};
use testkit::fake_model::{FakeModel, Reply};

use crate::{
    files::{kept, path, settled},
    harness::{ISSUER, Options, PNG, TestApp, answer_text, events, input, new_message},
    storage::SmallDisk,
};

/// A picture that is not finished.
const SKETCH: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR a sketch";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Chat,
    Responses,
}

const BOTH: [Wire; 2] = [Wire::Chat, Wire::Responses];

async fn start(wire: Wire, model: &FakeModel) -> TestApp {
    TestApp::with(options(wire, model)).await
}

fn options(wire: Wire, model: &FakeModel) -> Options {
    Options {
        model: Some(model.base_url()),
        draws: wire == Wire::Responses,
        ..Options::default()
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A picture as it looks so far, which only one of the two can tell.
fn partial(bytes: &[u8]) -> String {
    event(&json!({
        "type": "response.image_generation_call.partial_image", "output_index": 0, "item_id": "ig_1",
        "partial_image_index": 0, "partial_image_b64": STANDARD.encode(bytes),
    }))
}

/// A picture as it comes in the end; `data` is what should be Base64.
fn whole(wire: Wire, id: &str, data: &str) -> String {
    match wire {
        Wire::Chat => event(&json!({ "choices": [{ "index": 0, "delta": { "images": [
            { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{data}") } },
        ] } }] })),
        Wire::Responses => event(
            &json!({ "type": "response.output_item.done", "output_index": 0, "item": {
                "id": id, "type": "image_generation_call", "status": "completed", "result": data,
            } }),
        ),
    }
}

fn picture(wire: Wire) -> String {
    whole(wire, "ig_1", &STANDARD.encode(PNG))
}

/// The items of this kind that are done in a stream.
fn done<'a>(told: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let items = told
        .iter()
        .filter(|event| event["type"] == "thread.item.done");
    let items = items.map(|event| &event["item"]);
    items.filter(|item| item["type"] == kind).collect()
}

fn notices(told: &[Value]) -> Vec<&str> {
    let notices = told.iter().filter(|event| event["type"] == "notice");
    notices
        .filter_map(|event| event["message"].as_str())
        .collect()
}

async fn items(app: &TestApp, thread: &Value) -> Vec<Value> {
    let list = json!({ "type": "items.list", "params": { "thread_id": thread, "order": "asc" } });
    let (status, answer) = app.chat("ada", &list).await;
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_picture_is_shown_kept_told_again_and_gone_with_its_thread() {
    for wire in BOTH {
        let drawing = Reply::text(["Here: "])
            .and_raw(picture(wire))
            .and_text(["a cat."]);
        let replies = [drawing, Reply::text(["A cat."])];
        let model = FakeModel::scripted(replies).await.unwrap();
        let app = start(wire, &model).await;
        let (status, stream) = app.chat("ada", &new_message("draw a cat")).await;
        assert_eq!(status, 200, "{stream}");
        let told = events(&stream);
        let thread = &told[0]["thread"]["id"];
        let [shown] = done(&told, "generated_image")[..] else {
            panic!("{wire:?}: {stream}");
        };
        assert_eq!(answer_text(&told), "Here: a cat.", "{wire:?}");
        assert_eq!(notices(&told), [""; 0]);

        // What is listed later has an address as well, and stands in its place.
        let listed = items(&app, thread).await;
        let kinds: Vec<&str> = listed
            .iter()
            .map(|item| item["type"].as_str().unwrap())
            .filter(|kind| *kind != "workflow")
            .collect();
        let expected = [
            "user_message",
            "assistant_message",
            "generated_image",
            "assistant_message",
        ];
        assert_eq!(kinds, expected, "{wire:?}");
        let later = listed.iter().find(|item| item["type"] == "generated_image");
        for item in [shown, later.unwrap()] {
            let answer = app.get(&path(&item["image"]["url"])).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["content-type"], "image/png");
            assert_eq!(answer.bytes().await.unwrap(), PNG);
        }
        assert_eq!(kept(&app), 1);

        // The model sees what it has drawn.
        let more = json!({ "type": "threads.add_user_message",
            "params": { "thread_id": thread, "input": input("what is it?") } });
        assert_eq!(app.chat("ada", &more).await.0, 200);
        let asked = model.requests().pop().unwrap();
        assert_eq!(asked.violations, [""; 0], "{wire:?}");
        let asked = asked.body.to_string();
        assert!(asked.contains(&STANDARD.encode(PNG)), "{wire:?}: {asked}");
        assert!(asked.contains("You have drawn the image above"), "{asked}");

        // Nobody else finds it, and it is nobody's to send.
        let id = &shown["image"]["id"];
        let mut stolen = input("look");
        stolen["attachments"] = json!([id]);
        let stolen = json!({ "type": "threads.create", "params": { "input": stolen } });
        for user in ["bob", "ada"] {
            let (status, refusal) = app.chat(user, &stolen).await;
            assert_eq!(status, 400, "{user}: {refusal}");
        }
        let discard = json!({ "type": "attachments.delete", "params": { "attachment_id": id } });
        assert_eq!(app.chat("bob", &discard).await.0, 404);
        assert_eq!(app.chat("ada", &discard).await.0, 409);
        let changed = path(&shown["image"]["url"]).replace("signature=", "signature=A");
        assert_eq!(app.get(&changed).send().await.unwrap().status(), 404);

        let delete = json!({ "type": "threads.delete", "params": { "thread_id": thread } });
        assert_eq!(app.chat("ada", &delete).await.0, 200);
        settled(&app).await;
        assert_eq!(kept(&app), 0, "{wire:?}");
        let gone = app.get(&path(&shown["image"]["url"])).send().await.unwrap();
        assert_eq!(gone.status(), 404);
    }
}

#[tokio::test]
async fn a_picture_gets_clearer_and_one_file_of_it_is_left() {
    let wire = Wire::Responses;
    let drawing = Reply::empty()
        .and_raw(partial(SKETCH))
        .and_raw(partial(b"not a picture"))
        .and_raw(partial(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR clearer"))
        .and_raw(picture(wire));
    let model = FakeModel::scripted([drawing]).await.unwrap();
    let app = start(wire, &model).await;
    let (_, stream) = app.chat("ada", &new_message("draw")).await;
    let told = events(&stream);
    let of_image: Vec<&str> = told
        .iter()
        .filter(|event| {
            event["item"]["type"] == "generated_image"
                || event["update"]["type"] == "generated_image.updated"
        })
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let expected = [
        "thread.item.added",
        "thread.item.updated",
        "thread.item.updated",
        "thread.item.done",
    ];
    assert_eq!(of_image, expected, "{stream}");
    // What was shown on the way is taken away when it is not shown any more.
    settled(&app).await;
    assert_eq!(kept(&app), 1);
    let shown = done(&told, "generated_image")[0];
    let answer = app.get(&path(&shown["image"]["url"])).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), PNG);
}

#[tokio::test]
async fn what_is_no_whole_picture_is_not_kept_and_the_person_is_told() {
    let too_large = [PNG, &vec![0; 17 << 20]].concat();
    for wire in BOTH {
        for (what, data) in [
            ("bad Base64", "%%%".to_owned()),
            ("no bytes", String::new()),
            ("no picture", STANDARD.encode("<svg onload=alert(1)>")),
            ("too large", STANDARD.encode(&too_large)),
        ] {
            let reply = Reply::empty()
                .and_raw(whole(wire, "ig_1", &data))
                .and_text(["Sorry."]);
            let model = FakeModel::scripted([reply]).await.unwrap();
            let mut options = options(wire, &model);
            options.uploads.max_bytes_per_user = 100 << 20;
            let app = TestApp::with(options).await;
            let (_, stream) = app.chat("ada", &new_message("draw")).await;
            let told = events(&stream);
            let pictures = done(&told, "generated_image");
            assert!(pictures.is_empty(), "{wire:?}, {what}: {pictures:?}");
            assert_eq!(answer_text(&told), "Sorry.", "{wire:?}, {what}");
            let notices = notices(&told);
            assert_eq!(notices.len(), 1, "{wire:?}, {what}: {notices:?}");
            assert!(notices[0].contains("could not be kept"), "{notices:?}");
            settled(&app).await;
            assert_eq!(kept(&app), 0, "{wire:?}, {what}");
            let listed = items(&app, &told[0]["thread"]["id"]).await;
            assert!(listed.iter().all(|item| item["type"] != "generated_image"));
        }
    }
}

#[tokio::test]
async fn a_picture_at_another_address_is_not_fetched() {
    let elsewhere = FakeModel::scripted([]).await.unwrap();
    let address = format!("{}/cat.png", elsewhere.base_url());
    let image = json!({ "type": "image_url", "image_url": { "url": address } });
    let chunk = event(&json!({ "choices": [{ "index": 0, "delta": { "images": [image] } }] }));
    let reply = Reply::text(["Here."]).and_raw(chunk);
    let model = FakeModel::scripted([reply]).await.unwrap();
    let app = start(Wire::Chat, &model).await;
    let (_, stream) = app.chat("ada", &new_message("draw")).await;
    assert!(!stream.contains("cat.png"), "{stream}");
    assert_eq!(notices(&events(&stream)).len(), 1);
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_picture_that_is_never_finished_goes_with_its_answer() {
    for (reply, how) in [
        (
            Reply::empty()
                .and_raw(partial(SKETCH))
                .and_text(["That is all."]),
            "ended",
        ),
        (
            Reply::empty().and_raw(partial(SKETCH)).without_ending(),
            "broke off",
        ),
        (
            Reply::empty()
                .and_raw(partial(SKETCH))
                .failed("server_error", "no"),
            "failed",
        ),
    ] {
        let model = FakeModel::scripted([reply]).await.unwrap();
        let app = start(Wire::Responses, &model).await;
        let (_, stream) = app.chat("ada", &new_message("draw")).await;
        let told = events(&stream);
        let of = |kind: &str| told.iter().filter(|event| event["type"] == kind).count();
        assert!(done(&told, "generated_image").is_empty(), "{how}: {stream}");
        assert_eq!(of("thread.item.removed"), 1, "{how}: {stream}");
        settled(&app).await;
        assert_eq!(kept(&app), 0, "{how}");
        let listed = items(&app, &told[0]["thread"]["id"]).await;
        assert!(listed.iter().all(|item| item["type"] != "generated_image"));
    }
}

#[tokio::test]
async fn only_so_many_pictures_of_an_answer_and_of_a_person_are_kept() {
    for wire in BOTH {
        let mut reply = Reply::empty();
        for number in 0..12 {
            let bytes = [PNG, format!("{number}").as_bytes()].concat();
            let id = format!("ig_{number}");
            reply = reply.and_raw(whole(wire, &id, &STANDARD.encode(bytes)));
        }
        let model = FakeModel::scripted([reply]).await.unwrap();
        let app = start(wire, &model).await;
        let (_, stream) = app.chat("ada", &new_message("draw a lot")).await;
        let told = events(&stream);
        assert_eq!(done(&told, "generated_image").len(), 10, "{wire:?}");
        assert_eq!(notices(&told).len(), 1, "{wire:?}");
        assert_eq!(kept(&app), 10);

        let reply = Reply::text(["Here."]).and_raw(picture(wire));
        let model = FakeModel::scripted([reply]).await.unwrap();
        let mut options = options(wire, &model);
        options.uploads.max_bytes_per_user = 10;
        let app = TestApp::with(options).await;
        let (_, stream) = app.chat("ada", &new_message("draw")).await;
        let told = events(&stream);
        assert!(done(&told, "generated_image").is_empty());
        assert!(
            notices(&told)[0].contains("10 bytes"),
            "{:?}",
            notices(&told)
        );
        assert_eq!(kept(&app), 0);
    }
}

#[tokio::test]
async fn a_picture_is_an_answer_even_without_words() {
    for wire in BOTH {
        let model = FakeModel::scripted([Reply::empty().and_raw(picture(wire))])
            .await
            .unwrap();
        let app = start(wire, &model).await;
        let (_, stream) = app.chat("ada", &new_message("draw")).await;
        let told = events(&stream);
        assert_eq!(done(&told, "generated_image").len(), 1, "{wire:?}");
        assert!(
            told.iter().all(|event| event["type"] != "error"),
            "{stream}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_costs_the_picture_and_not_the_answer() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: a full disk needs root, for a small tmpfs");
        return;
    };
    let large = [PNG, &vec![7; 6 << 20]].concat();
    for wire in BOTH {
        let reply = Reply::empty()
            .and_raw(whole(wire, "ig_1", &STANDARD.encode(&large)))
            .and_text(["Done."]);
        let model = FakeModel::scripted([reply]).await.unwrap();
        let mut options = options(wire, &model);
        options.uploads.max_bytes_per_user = 100 << 20;
        let app = TestApp::with(options).await;
        std::os::unix::fs::symlink(disk.path(), app.folder().join("files")).unwrap();
        let (_, stream) = app.chat("ada", &new_message("draw")).await;
        let told = events(&stream);
        assert_eq!(answer_text(&told), "Done.", "{wire:?}: {stream}");
        assert_eq!(notices(&told).len(), 1, "{wire:?}");
        assert!(done(&told, "generated_image").is_empty());
        settled(&app).await;
        assert_eq!(kept(&app), 0, "nothing of it is left");
    }
}

#[tokio::test]
async fn a_picture_survives_a_restart_is_exported_and_is_forgotten_with_its_person() {
    let model = FakeModel::scripted([Reply::text(["Here."]).and_raw(picture(Wire::Chat))]);
    let model = model.await.unwrap();
    let app = start(Wire::Chat, &model).await;
    let (_, stream) = app.chat("ada", &new_message("draw")).await;
    let thread = events(&stream)[0]["thread"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    app.stop().await;

    // Another process opens what this one has left.
    let database = store::connect(&app.database_url(), store::Options::default())
        .await
        .unwrap();
    let files = Arc::new(LocalFiles::new(app.folder().join("files")));
    let owner = Owner::new(format!("{ISSUER} ada"));
    let page = PageQuery {
        limit: 100,
        order: Order::Asc,
        after: None,
        before: None,
    };
    let items = database.items(&owner, &thread, &page).await.unwrap();
    let is_image = |item: &&ThreadItem| matches!(item, ThreadItem::GeneratedImage(_));
    let image = items.data.iter().find(is_image).unwrap();
    let id = engine::pictures::kept_in(image).unwrap();
    let record = database.attachment(&owner, &id).await.unwrap();
    assert_eq!(record.thread_id, Some(thread));
    let bytes: Vec<_> = files
        .get(record.file)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(bytes.concat(), PNG);

    let mut exported = Vec::new();
    export_user(&*database, &owner, |record| {
        if let Ok(Record::Attachment { id, file, .. }) = record {
            exported.push((id, file));
        }
        Ok::<(), store::Error>(())
    })
    .await
    .unwrap();
    assert_eq!(exported, [(id, record.file)]);

    let people = People::new(database, files);
    let person = Person {
        issuer: ISSUER,
        subject: "ada",
    };
    let forgotten = people.forget(person).await.unwrap();
    assert_eq!((forgotten.attachments, forgotten.files), (1, 1));
    assert_eq!(kept(&app), 0);
}
