//! How the real binary ends: in order, in time, at once, and without being asked.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use testkit::fake_model::{FakeModel, Reply};

use crate::harness::{self, Server};

/// A folder with a configuration and a database, and who may ask.
struct House {
    folder: harness::House,
    key: String,
    client: reqwest::Client,
}

impl House {
    fn new(model: &FakeModel, server: &str) -> Self {
        let folder = harness::House::empty();
        let config = format!(
            r#"
            [server]
            {server}

            [[models]]
            id = "fake"
            kind = "chat-completions"
            base_url = "{}"
            model = "fake"

            [[workflows]]
            id = "wf_stop"
            titles = "off"
            "#,
            model.base_url()
        );
        fs::write(folder.path("vestibule.toml"), config).unwrap();
        folder.run(&["migrate"]);
        Self {
            key: folder.run(&["key", "create"]),
            folder,
            #[expect(
                clippy::disallowed_methods,
                reason = "a bare client, as any page has one"
            )]
            client: reqwest::Client::new(),
        }
    }

    fn serve(&self) -> Server {
        self.folder.serve(&[])
    }

    async fn secret(&self, server: &Server) -> String {
        let session = json!({ "user": "ada", "workflow": { "id": "wf_stop" } });
        let answer = self
            .client
            .post(format!("http://{}/v1/chatkit/sessions", server.address))
            .header("openai-beta", "chatkit_beta=v1")
            .bearer_auth(&self.key)
            .json(&session)
            .send()
            .await
            .unwrap();
        let session: Value = answer.json().await.unwrap();
        session["client_secret"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, server: &Server, secret: &str, body: &Value) -> reqwest::Response {
        self.client
            .post(format!("http://{}/v1/chatkit/conversation", server.address))
            .header("vestibule-client", "resume")
            .bearer_auth(secret)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    async fn load(&self, server: &Server, secret: &str, thread: &str) -> Value {
        let body = json!({ "type": "threads.get_by_id", "params": { "thread_id": thread } });
        let answer = self.ask(server, secret, &body).await;
        answer.json().await.unwrap()
    }
}

fn message() -> Value {
    json!({ "type": "threads.create", "params": { "input": {
        "content": [{ "type": "input_text", "text": "tell me" }],
        "attachments": [], "inference_options": {} } } })
}

/// Of two servers over one file, each would take the other's answers for ones that were cut off.
#[test]
fn a_second_server_waits_for_the_end_of_the_first_one_and_not_for_ever() {
    let house = harness::House::empty();
    let config = "[server]\ngrace_seconds = 0\ndrain_seconds = 0\n";
    fs::write(house.path("vestibule.toml"), config).unwrap();
    let first = house.serve(&["--dev"]);
    let refused = house.refuse(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    assert!(
        refused.contains("another Vestibule serves from"),
        "{refused}"
    );
    assert!(refused.contains("vestibule.db"), "{refused}");
    // Commands work beside it.
    house.run(&["key", "create", "--env", "test"]);
    let mut second = house
        .command(&["serve", "--dev", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    let mut until = |text: &str| lines.by_ref().any(|line| line.unwrap().contains(text));
    assert!(until("waiting for its end"));
    drop(first);
    assert!(until("is ready: "));
    second.kill().unwrap();
    second.wait().unwrap();
}

async fn until(answer: &mut reqwest::Response, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        let chunk = answer.chunk().await.unwrap().expect("more");
        seen += std::str::from_utf8(&chunk).unwrap();
    }
    seen
}

fn thread_of(stream: &str) -> String {
    let data = stream.lines().find_map(|line| line.strip_prefix("data: "));
    let created: Value = serde_json::from_str(data.unwrap()).unwrap();
    created["thread"]["id"].as_str().unwrap().to_owned()
}

fn texts(thread: &Value) -> Vec<&str> {
    let items = thread["items"]["data"].as_array().unwrap();
    items
        .iter()
        .filter_map(|item| item["content"][0]["text"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_takes_requests_for_a_while_then_ends_streams_in_words_and_in_time() {
    let replies = [Reply::text(["half"]).and_hold(), Reply::text(["whole"])];
    let model = FakeModel::scripted(replies).await.unwrap();
    let house = House::new(&model, "grace_seconds = 2\ndrain_seconds = 3");
    let server = house.serve();
    let secret = house.secret(&server).await;
    let mut stream = house.ask(&server, &secret, &message()).await;
    let seen = until(&mut stream, "half").await;
    server.signal("TERM");
    // Not ready at once, and still at work.
    let ready = format!("http://{}/readyz", server.address);
    while house.client.get(&ready).send().await.unwrap().status() == 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let meanwhile = house.ask(&server, &secret, &message()).await;
    assert!(meanwhile.text().await.unwrap().contains("whole"));
    let ((status, took), rest) = tokio::join!(server.end(), stream.text());
    let rest = rest.unwrap();
    assert!(rest.contains("\"type\":\"thread.item.done\""), "{rest}");
    let last = rest.trim_end().rsplit("\n\n").next().unwrap();
    assert!(
        last.contains("being restarted") && last.contains("\"allow_retry\":true"),
        "{last}"
    );
    assert!(
        status.success() && took < Duration::from_secs(5),
        "{status} after {took:?}"
    );

    let server = house.serve();
    let loaded = house.load(&server, &secret, &thread_of(&seen)).await;
    assert_eq!(texts(&loaded), ["tell me", "half"]);
    assert_eq!(loaded["metadata"], json!({}), "it ended in order");
    server.signal("KILL");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_its_terminal_ends_it_in_order_unless_it_was_spared() {
    let house = harness::House::new();
    let server = house.serve(&["--dev"]);
    server.signal("HUP");
    let (status, _) = server.end().await;
    assert!(status.success(), "{status}");

    // As `nohup` does it.
    let binary = env!("CARGO_BIN_EXE_vestibule");
    let line = format!("trap '' HUP; exec '{binary}' serve --dev --listen 127.0.0.1:0");
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &line]).current_dir(house.folder.path());
    let server = Server::start(shell.env_clear());
    server.signal("HUP");
    assert!(server.say("table").contains("thread.item.done"));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_in_time_while_somebody_has_the_database_locked() {
    let model = FakeModel::scripted([Reply::text(["half"]).and_hold()])
        .await
        .unwrap();
    let house = House::new(&model, "grace_seconds = 0\ndrain_seconds = 2");
    let server = house.serve();
    let secret = house.secret(&server).await;
    let mut stream = house.ask(&server, &secret, &message()).await;
    until(&mut stream, "half").await;
    let file = house.folder.path("data/vestibule.db");
    let lock = rusqlite::Connection::open(file).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    server.signal("TERM");
    let ((status, took), rest) = tokio::join!(server.end(), stream.text());
    let rest = rest.unwrap_or_default();
    assert!(rest.contains("being restarted"), "it ends in words: {rest}");
    assert!(
        status.success() && took < Duration::from_secs(3),
        "{status} after {took:?}"
    );
    drop(lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_for_a_locked_database_does_not_hold_the_end_up() {
    let model = FakeModel::scripted([Reply::text(["whole"])]).await.unwrap();
    let house = House::new(&model, "grace_seconds = 0\ndrain_seconds = 2");
    let server = house.serve();
    let secret = house.secret(&server).await;
    let stream = house.ask(&server, &secret, &message()).await;
    let thread = thread_of(&stream.text().await.unwrap());
    let lock = rusqlite::Connection::open(house.folder.path("data/vestibule.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let rename =
        json!({ "type": "threads.update", "params": { "thread_id": thread, "title": "T" } });
    let renaming = async {
        let request = house
            .client
            .post(format!("http://{}/v1/chatkit/conversation", server.address))
            .bearer_auth(&secret)
            .json(&rename);
        drop(request.send().await);
    };
    let ending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.signal("TERM");
    };
    tokio::join!(renaming, ending);
    let (status, took) = server.end().await;
    assert!(
        status.success() && took < Duration::from_secs(2),
        "{status} after {took:?}"
    );
    drop(lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let model = FakeModel::scripted([Reply::text(["half"]).and_hold()])
            .await
            .unwrap();
        let house = House::new(&model, "grace_seconds = 60\ndrain_seconds = 60");
        let server = house.serve();
        let secret = house.secret(&server).await;
        let mut stream = house.ask(&server, &secret, &message()).await;
        until(&mut stream, "half").await;
        server.signal("TERM");
        let ready = format!("http://{}/readyz", server.address);
        while house.client.get(&ready).send().await.unwrap().status() == 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.signal(signal);
        let (status, took) = server.end().await;
        assert_eq!(status.code(), Some(code));
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_kept_what_it_said_a_second_ago_and_says_that_it_was_interrupted() {
    let model = FakeModel::scripted([Reply::text(["said before"]).and_hold()])
        .await
        .unwrap();
    let house = House::new(&model, "grace_seconds = 0");
    let server = house.serve();
    let secret = house.secret(&server).await;
    let mut stream = house.ask(&server, &secret, &message()).await;
    let seen = until(&mut stream, "said before").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.signal("KILL");
    server.end().await;

    let server = house.serve();
    let loaded = house.load(&server, &secret, &thread_of(&seen)).await;
    assert_eq!(texts(&loaded), ["tell me", "said before"]);
    let question = loaded["items"]["data"][0]["id"].as_str().unwrap();
    assert_eq!(loaded["metadata"]["vestibule_interrupted"], question);
    server.signal("KILL");
    server.end().await;
}
