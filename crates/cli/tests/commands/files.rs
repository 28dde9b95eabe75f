//! The binary with files in an object store: two nodes without a folder in common, and what commands do about a bucket.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::services::{PostgreSqlDatabase, SeaweedFs};

use crate::{
    harness::{House, Server, errors},
    postgresql::secret,
};

/// A picture by its first letters, which is all that anybody looks at before it is shown.
const PICTURE: &str = "GIF89a with a few more letters";

fn configure(house: &House, url: &str, files: &str) {
    let config = format!("[storage]\nurl = \"{url}\"\nfiles = \"{files}\"\n");
    std::fs::write(house.path("vestibule.toml"), config).unwrap();
}

fn serve(house: &House, store: &SeaweedFs) -> Server {
    let arguments = ["serve", "--dev", "--listen", "127.0.0.1:0"];
    Server::start(house.command(&arguments).envs(store.variables()))
}

/// Runs a command with these variables: whether it succeeded, and all that it printed.
fn run(house: &House, arguments: &[&str], variables: Vec<(String, String)>) -> (bool, String) {
    let output = house.command(arguments).envs(variables).output().unwrap();
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        errors(&output)
    );
    for secret in [SeaweedFs::SECRET, "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    (output.status.success(), printed)
}

/// The header of a person of the development issuer.
fn ada(server: &Server) -> String {
    let (_, token) = server.post("/dev/token", &[], &json!({ "user": "ada" }));
    let token: Value = serde_json::from_str(&token).unwrap();
    format!("Bearer {}", token["token"].as_str().unwrap())
}

fn upload(server: &Server, bearer: &str) -> String {
    let headers = [("Authorization", bearer)];
    server.upload_file(&headers, ("cat.gif", "image/gif"), PICTURE.as_bytes())
}

fn message(attachment: &str) -> Value {
    json!({"type": "threads.create", "params": {"input": {
        "content": [{"type": "input_text", "text": "look"}], "attachments": [attachment], "inference_options": {} } } })
}

/// What a text says between two words, of which the first is the first one there.
fn between<'text>(text: &'text str, start: &str, end: &str) -> &'text str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{text}"));
    rest.split_once(end).unwrap().0
}

/// Head and body.
fn get(url: &str) -> (String, String) {
    let (address, path) = url.split_once("://").unwrap().1.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_takes_another_one_shows_and_deletes() {
    let store = SeaweedFs::start().await.unwrap();
    let database = PostgreSqlDatabase::new().await.unwrap();
    let house = House::empty();
    let place = format!("s3://{}/files", SeaweedFs::BUCKET);
    configure(&house, &database.url(), &place);
    house.run(&["migrate"]);
    let key = house.run(&["key", "create", "--env", "test"]);
    let (one, two) = (serve(&house, &store), serve(&house, &store));
    let bearer = format!("Bearer {}", secret(&one, &key, "ada"));
    let attachment = upload(&one, &bearer);
    let kept = store.everything().await.unwrap();
    assert!(kept.len() == 1 && kept[0].starts_with("files/"), "{kept:?}");

    let ask = |server: &Server, body: &Value| {
        let headers = [("Authorization", &*bearer)];
        let (status, answer) = server.post("/v1/chatkit/conversation", &headers, body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let answer = ask(&two, &message(&attachment));
    assert!(answer.contains("thread.item.done"), "{answer}");
    let (head, body) = get(between(&answer, "\"preview_url\":\"", "\""));
    assert!(body == PICTURE, "{head}\n{body}");
    assert!(head.contains("content-type: image/gif"), "{head}");
    assert!(head.contains("nosniff"), "{head}");

    let thread = format!("cthr_{}", between(&answer, "\"id\":\"cthr_", "\""));
    ask(
        &one,
        &json!({"type": "threads.delete", "params": {"thread_id": thread}}),
    );
    let begun = Instant::now();
    while !store.everything().await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!house.path("data/files").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_use_a_bucket_or_say_what_to_do() {
    let mut store = SeaweedFs::start().await.unwrap();
    let place = format!("s3://{}", SeaweedFs::BUCKET);
    let good = store.variables();
    let house = House::new();
    let old = "sqlite://data/vestibule.db";
    let server = serve(&house, &store);
    let bearer = ada(&server);
    let attachment = upload(&server, &bearer);
    server.post(
        "/api/chat",
        &[("Authorization", &bearer)],
        &message(&attachment),
    );
    server.stop();
    house.run(&["backup", "backups/folder"]);

    // It moves, and what has moved is found.
    let copy = [
        "copy",
        "--from",
        old,
        "--to",
        "sqlite://new.db",
        "--files-from",
        "data/files",
        "--files-to",
        &*place,
    ];
    let (is_done, said) = run(&house, &copy, good.clone());
    assert!(is_done && said.contains("1 files"), "{said}");
    assert_eq!(store.everything().await.unwrap().len(), 1);
    let (is_done, said) = run(&house, &[&copy[..], &["--resume"]].concat(), good.clone());
    assert!(is_done && said.contains("0 files"), "{said}");
    configure(&house, "sqlite://new.db", &place);
    let (_, printed) = run(&house, &["config", "print"], good.clone());
    assert!(
        printed.contains(&format!("files = \"{place}\"")),
        "{printed}"
    );
    let issuer = between(&bearer_claims(&bearer), "\"iss\":\"", "\"").to_owned();
    let subject = between(&bearer_claims(&bearer), "\"sub\":\"", "\"").to_owned();
    let export = [
        "user",
        "export",
        "--issuer",
        &*issuer,
        "--subject",
        &*subject,
        "--files",
        "export",
    ];
    let (is_done, said) = run(&house, &export, good.clone());
    assert!(is_done, "{said}");
    let exported = std::fs::read_to_string(house.path("export").join(&attachment)).unwrap();
    assert_eq!(exported, PICTURE);

    // A backup holds the database alone, and one of a folder leaves its files to other tools.
    let (is_done, said) = run(&house, &["backup", "backups/bucket"], good.clone());
    assert!(
        is_done && said.contains("versioning") && said.contains("0 files"),
        "{said}"
    );
    let restore = |from: &str| run(&house, &["restore", from, "--force"], good.clone());
    let (is_done, said) = restore("backups/bucket");
    assert!(is_done && !said.contains("left where they are"), "{said}");
    let (is_done, said) = restore("backups/folder");
    assert!(is_done && said.contains("aws s3 sync"), "{said}");

    // What is wrong is told, and no key.
    let (_, said) = run(&house, &["doctor"], good.clone());
    assert!(
        said.contains("an object was written, read and removed"),
        "{said}"
    );
    assert_eq!(store.everything().await.unwrap().len(), 1);
    let wrong = store.variables_of(SeaweedFs::KEY_ID, "hunter2");
    let (is_done, said) = run(&house, &["doctor"], wrong);
    assert!(
        !is_done && said.contains("SignatureDoesNotMatch") && said.contains("s3:PutObject"),
        "{said}"
    );
    let half = vec![("AWS_SECRET_ACCESS_KEY".to_owned(), "hunter2".to_owned())];
    let (is_done, said) = run(&house, &["config", "check"], half);
    assert!(!is_done && said.contains(&place), "{said}");
    store.kill();
    let (is_done, said) = run(&house, &["doctor"], good);
    assert!(!is_done && said.contains("cannot be reached"), "{said}");
}

/// What a token says, as the text that it is.
fn bearer_claims(bearer: &str) -> String {
    use base64::Engine as _;
    let claims = bearer.split('.').nth(1).unwrap();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(claims);
    String::from_utf8(claims.unwrap()).unwrap()
}
