//! The binary over PostgreSQL: the same commands, a server that is killed, and a move from SQLite and back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::services::{PostgreSqlDatabase, Redis};

use crate::harness::{House, Server};

/// A house whose configuration names a new database, and a password that nobody asks for.
async fn house() -> (House, PostgreSqlDatabase, String) {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let url = database.url().replace("vestibule@", "vestibule:hunter2@");
    let house = House::empty();
    configure(&house, &url);
    (house, database, url)
}

fn configure(house: &House, url: &str) {
    let config = format!("[storage]\nurl = \"{url}\"\npool_size = 4\n");
    std::fs::write(house.path("vestibule.toml"), config).unwrap();
}

/// A client secret of a session of this user, opened with this key.
pub(crate) fn secret(server: &Server, key: &str, user: &str) -> String {
    let bearer = format!("Bearer {key}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("OpenAI-Beta", "chatkit_beta=v1"),
    ];
    let session = json!({
        "user": user, "workflow": {"id": "wf_demo"},
        "chatkit_configuration": {"file_upload": {"enabled": true}},
    });
    let (status, body) = server.post("/v1/chatkit/sessions", &headers, &session);
    assert_eq!(status, 200, "{body}");
    let session: Value = serde_json::from_str(&body).unwrap();
    session["client_secret"].as_str().unwrap().to_owned()
}

fn ask(server: &Server, secret: &str, body: &Value) -> String {
    let bearer = format!("Bearer {secret}");
    let (status, text) = server.post(
        "/v1/chatkit/conversation",
        &[("Authorization", &bearer)],
        body,
    );
    assert_eq!(status, 200, "{text}");
    text
}

fn message(text: &str) -> Value {
    json!({"type": "threads.create", "params": {"input": {
        "content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {} } } })
}

fn list() -> Value {
    json!({"type": "threads.list", "params": {"limit": 20, "order": "desc"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_a_server_work_on_it_and_print_no_password() {
    let (house, _database, url) = house().await;
    let mut printed = house.run(&["migrate"]);
    let key = house.run(&["key", "create", "--env", "test"]);
    printed += &house.run(&["config", "print"]);
    printed += &house.run(&["config", "print", "--json"]);
    let report = house.run_with(&["doctor"], "");
    printed += &String::from_utf8_lossy(&report.stdout);
    assert!(
        printed.contains("postgres://vestibule@127.0.0.1"),
        "{printed}"
    );
    assert!(printed.contains("can be read and written"), "{printed}");
    let refused = house.refuse(&["backup", "backups/today"]);
    assert!(refused.contains("pg_dump"), "{refused}");
    let refused = house.refuse(&["restore", "backups/today"]);
    assert!(refused.contains("pg_restore"), "{refused}");
    printed += &refused;

    let server = house.serve(&["--dev"]);
    let ada = secret(&server, &key, "ada");
    let answer = ask(&server, &ada, &message("hello"));
    assert!(answer.contains("thread.item.done"), "{answer}");
    assert!(ask(&server, &ada, &list()).contains("cthr_"));
    let grace = secret(&server, &key, "grace");
    assert!(!ask(&server, &grace, &list()).contains("cthr_"));
    server.stop();

    let exported = house.run(&[
        "user",
        "export",
        "--issuer",
        "key:default:test",
        "--subject",
        "ada",
    ]);
    assert!(exported.contains("hello"), "{exported}");
    let forgotten = house.json(&[
        "user",
        "forget",
        "--issuer",
        "key:default:test",
        "--subject",
        "ada",
        "--yes",
    ]);
    assert_eq!(forgotten["threads"], 1, "{forgotten}");
    let wrong = url.replace("/test_", "/nothing_");
    configure(&house, &wrong);
    let refused = house.refuse(&["domain", "list"]);
    assert!(refused.contains("SQLSTATE 3D000"), "{refused}");
    printed += &refused;
    assert!(!printed.contains("hunter2"), "{printed}");
}

/// What nodes say to each other goes through Redis, where there is one; `doctor` and the server say whether.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_looked_at_and_named_without_its_password() {
    let (house, _database, _) = house().await;
    house.run(&["migrate"]);
    let redis = Redis::start().await.unwrap();
    let url = redis.url().replace("redis://", "redis://nobody:hunter2@");
    let doctor = |url: &str| {
        let mut command = house.command(&["doctor"]);
        let output = command.env("REDIS_URL", url).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let well = doctor(&redis.url());
    assert!(
        well.contains("can be talked and listened to, and counts"),
        "{well}"
    );
    // There is no such user.
    let refused = doctor(&url);
    assert!(
        refused.contains("nodes talk through the database"),
        "{refused}"
    );
    let gone = doctor("redis://127.0.0.1:1");
    assert!(gone.contains("storage.redis_url"), "{gone}");
    let mut serve = house.command(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let server = Server::start(serve.env("REDIS_URL", &url));
    assert!(server.say("hello").contains("thread.item.done"));
    let printed = house
        .command(&["config", "print"])
        .env("REDIS_URL", &url)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("redis://nobody@127.0.0.1"), "{printed}");
    for text in [well, refused, gone, printed] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

/// What a person may spend is counted over all nodes, and by each for itself while Redis is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_refused_at_every_node_once_they_have_spent_their_turns() {
    let (house, _database, _) = house().await;
    let mut config = std::fs::read_to_string(house.path("vestibule.toml")).unwrap();
    config += "[limits]\nturns_per_user_per_minute = 4\n";
    std::fs::write(house.path("vestibule.toml"), config).unwrap();
    house.run(&["migrate"]);
    let key = house.run(&["key", "create", "--env", "test"]);
    let redis = Redis::start().await.unwrap();
    let node = || {
        let mut serve = house.command(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
        Server::start(serve.env("REDIS_URL", redis.url()))
    };
    let (first, second) = (node(), node());
    let ask = |server: &Server, secret: &str| {
        let bearer = format!("Bearer {secret}");
        let headers = [("Authorization", bearer.as_str())];
        server.post("/v1/chatkit/conversation", &headers, &message("hello"))
    };
    let ada = secret(&first, &key, "ada");
    for server in [&first, &second, &first, &second] {
        let (status, body) = ask(server, &ada);
        assert_eq!(status, 200, "{body}");
    }
    for server in [&first, &second] {
        let (status, body) = ask(server, &ada);
        assert_eq!(status, 429, "{body}");
        assert!(body.contains("turns_per_user_per_minute"), "{body}");
    }
    let grace = secret(&first, &key, "grace");
    assert_eq!(ask(&second, &grace).0, 200, "nobody else is refused");
    drop(redis);
    // Each has counted three of hers itself, with the one that was refused.
    for server in [&first, &second] {
        assert_eq!([0; 3].map(|_| ask(server, &ada).0), [200, 429, 429]);
    }
}

/// Two servers over one database; one is killed in the middle of an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_server_was_saying_is_marked_by_another_one() {
    let (house, database, _) = house().await;
    house.run(&["migrate"]);
    let key = house.run(&["key", "create", "--env", "test"]);
    let (dies, lives) = (house.serve(&["--dev"]), house.serve(&["--dev"]));
    let ada = secret(&dies, &key, "ada");
    let bearer = format!("Bearer {ada}");
    // The demo model needs several seconds for this.
    let long = message(&"word ".repeat(400));
    let _stream = dies.begin(
        "/v1/chatkit/conversation",
        &[("Authorization", &bearer)],
        &long,
    );
    let begun = Instant::now();
    while database.sql("SELECT count(*) FROM runs").unwrap() != "1" {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    dies.signal("KILL");
    let begun = Instant::now();
    while database
        .sql("SELECT count(*) FROM runs WHERE is_interrupted")
        .unwrap()
        != "1"
    {
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody marks it");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let threads = ask(&lives, &ada, &list());
    assert!(threads.contains("cthr_"), "{threads}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_postgresql_and_back() {
    let before = House::new();
    let key = before.run(&["key", "create", "--env", "test"]);
    before.run(&["token", "create", "--env", "test"]);
    before.run(&["domain", "add", "https://app.example.com", "--env", "live"]);
    let server = before.serve(&["--dev"]);
    let ada = secret(&server, &key, "ada");
    ask(&server, &ada, &message("hello \u{10ffff} there"));
    let bearer = format!("Bearer {ada}");
    server.upload(&[("Authorization", &bearer)], "milk, bread");

    let database = PostgreSqlDatabase::new().await.unwrap();
    let (from, to) = ("sqlite://data/vestibule.db", database.url());
    let refused = before.refuse(&["copy", "--from", from, "--to", &to]);
    assert!(refused.contains("is in use"), "{refused}");
    server.stop();
    let there = ["copy", "--from", from, "--to", &to];
    let copied = before.json(
        &[
            &there[..],
            &["--files-from", "data/files", "--files-to", "files"],
        ]
        .concat(),
    );
    assert_eq!(copied["ok"], true, "{copied}");
    assert_eq!(copied["copied"]["files"], 1, "{copied}");
    let refused = before.refuse(&there);
    assert!(refused.contains("is not empty"), "{refused}");

    // A copy that was broken off: some rows are missing.
    database
        .sql("DELETE FROM audit_parties; DELETE FROM domains; DELETE FROM items")
        .unwrap();
    let resumed = before.json(&[&there[..], &["--resume"]].concat());
    assert_eq!(resumed["copied"]["tables"], copied["copied"]["tables"]);

    let after = House::empty();
    let url = format!(
        "[storage]\nurl = \"{to}\"\nfiles = \"{}\"\n",
        before.path("files").display()
    );
    std::fs::write(after.path("vestibule.toml"), url).unwrap();
    let server = after.serve(&["--dev"]);
    // The key, the session's secret and the conversation came along, and new rows find a place.
    assert!(ask(&server, &ada, &list()).contains("cthr_"));
    ask(&server, &secret(&server, &key, "ada"), &message("and now?"));
    assert!(after.run(&["domain", "list"]).contains("app.example.com"));
    let refused = after.refuse(&["copy", "--from", &to, "--to", "sqlite://back.db"]);
    assert!(refused.contains("is in use"), "{refused}");
    server.stop();

    // The target had something else: it does not pass for a copy.
    let refused = before.refuse(&[&there[..], &["--resume"]].concat());
    assert!(refused.contains("differs"), "{refused}");
    let back = after.json(&["copy", "--to", "sqlite://back.db"]);
    assert_eq!(back["ok"], true, "{back}");
    std::fs::write(
        after.path("vestibule.toml"),
        "[storage]\nurl = \"sqlite://back.db\"\n",
    )
    .unwrap();
    let server = after.serve(&["--dev"]);
    let threads = ask(&server, &ada, &list());
    assert_eq!(threads.matches("\"cthr_").count(), 2, "{threads}");
}
