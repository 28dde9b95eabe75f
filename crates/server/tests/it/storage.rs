//! What clients and operators are told when the server cannot keep anything.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::harness::{Options, TestApp, events, new_message};

async fn readiness(app: &TestApp, proxy: Option<&str>) -> (u16, Value) {
    let mut request = app.get("/readyz");
    if let Some(header) = proxy {
        request = request.header(header, "for=192.0.2.1");
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The one event of a stream that could not begin.
async fn refused_stream(app: &TestApp, user: &str) -> String {
    let (status, stream) = app.chat(user, &new_message("hello")).await;
    assert_eq!(status, 200, "{stream}");
    let events = events(&stream);
    assert_eq!(events.len(), 1, "{stream}");
    assert_eq!(events[0]["type"], "error", "{stream}");
    events[0]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_server_that_can_do_its_work_is_ready() {
    let app = TestApp::start().await;
    assert_eq!(
        readiness(&app, None).await,
        (200, json!({"status": "ready"}))
    );
}

#[tokio::test]
async fn a_server_that_stops_is_alive_and_not_ready() {
    let app = TestApp::start().await;
    app.state.readiness.drain();
    let (status, body) = readiness(&app, None).await;
    assert_eq!(status, 503);
    assert_eq!(body["problems"], json!(["the server is stopping"]));
    let alive = app.get("/healthz").send().await.unwrap();
    assert_eq!(alive.status(), 200);
}

#[cfg(unix)]
#[tokio::test]
async fn a_lost_database_is_told_at_once_and_nothing_is_acknowledged() {
    let app = TestApp::start().await;
    if !app.is_sqlite() {
        return; // It is about a file.
    }
    let (thread, _, _) = app.new_thread("ada", "hello").await;
    fs::remove_file(app.folder().join("test.db")).unwrap();

    let (status, body) = readiness(&app, None).await;
    assert_eq!(status, 503, "{body}");
    let problem = body["problems"][0].as_str().unwrap();
    assert!(
        problem.contains("test.db was removed or replaced"),
        "{problem}"
    );
    for proxy in [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-real-ip",
        "via",
    ] {
        let told = readiness(&app, Some(proxy)).await;
        assert_eq!(told, (503, json!({"status": "not ready"})), "{proxy}");
    }
    assert_eq!(app.get("/healthz").send().await.unwrap().status(), 200);

    let words = refused_stream(&app, "ada").await;
    assert!(words.contains("lost its database"), "{words}");
    let rename = json!({"type": "threads.update", "params": {"thread_id": thread, "title": "x"}});
    let (status, answer) = app.chat("ada", &rename).await;
    assert_eq!(status, 507, "{answer}");
    assert!(answer.contains("storage_lost"), "{answer}");
    let start = app
        .post("/api/chatkit/start")
        .bearer_auth(app.token("ada"))
        .send()
        .await
        .unwrap();
    assert_eq!(start.status(), 507);
}

/// A file system of a few megabytes; unmounted when dropped.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .output();
        done.is_ok_and(|output| output.status.success())
            .then(|| Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_told_as_full_and_nobody_is_asked_to_try_again_at_once() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: a full disk needs root, for a small tmpfs");
        return;
    };
    let app = TestApp::with(Options {
        folder: Some(disk.path().to_owned()),
        ..Options::default()
    })
    .await;
    if !app.is_sqlite() {
        return; // It is about a file.
    }
    let (thread, _, _) = app.new_thread("ada", "hello").await;
    // Takes what is left, whatever that is.
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![0; 8 << 20]).unwrap_err();

    let update = |title: &str| json!({"type": "threads.update", "params": {"thread_id": thread, "title": title}});
    // The log may have a little room of its own.
    let mut full = None;
    for _ in 0..200 {
        let (status, answer) = app.chat("ada", &update(&"x".repeat(40))).await;
        if status != 200 {
            full = Some((status, answer));
            break;
        }
    }
    let (status, answer) = full.expect("the disk is full");
    assert_eq!(status, 507, "{answer}");
    assert!(answer.contains("storage is full"), "{answer}");
    let words = refused_stream(&app, "ada").await;
    assert!(words.contains("storage is full"), "{words}");
    let (status, body) = readiness(&app, None).await;
    assert_eq!(status, 503);
    assert!(body.to_string().contains("the storage is full"), "{body}");
    let secret = app.token("ada");
    let (status, body) = app
        .upload(&secret, "a.txt", "text/plain", b"some text")
        .await;
    assert_eq!(status, 507, "{body}");

    fs::remove_file(filler).unwrap();
    assert_eq!(app.chat("ada", &update("there is room")).await.0, 200);
    app.new_thread("ada", "hello again").await;
}

#[tokio::test]
async fn a_person_whose_conversations_take_all_their_room_is_told_what_to_delete() {
    let app = TestApp::with(Options {
        max_message_bytes: 300,
        ..Options::default()
    })
    .await;
    let (thread, _, _) = app
        .new_thread("ada", "a first message, and its answer")
        .await;
    let (status, answer) = app.chat("ada", &new_message("one more")).await;
    assert_eq!(status, 409, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["error"]["code"], "storage_limit_reached");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("300 bytes") && message.contains("delete"),
        "{message}"
    );
    // Others have room of their own, and what is deleted makes room.
    app.new_thread("grace", "hello").await;
    let delete = json!({"type": "threads.delete", "params": {"thread_id": thread}});
    assert_eq!(app.chat("ada", &delete).await.0, 200);
    app.new_thread("ada", "one more").await;
}
