//! The signing key that nodes share: in the database, encrypted or not, rotated while they run, and left alone where the
//! configuration names another one.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::services::PostgreSqlDatabase;

use crate::{
    harness::{House, Server, errors},
    postgresql::secret,
};

const SECRET: &str = "hunter2 hunter2 hunter2";
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A house over this database, with these lines below `[server]`, a folder for files that all nodes see, and nothing else
/// in common.
fn house(database: &PostgreSqlDatabase, files: &House, server: &str) -> House {
    let house = House::empty();
    let config = format!(
        "[server]\n{server}\n[storage]\nurl = \"{}\"\nfiles = \"{}\"\npool_size = 4\n",
        database.url(),
        files.path("files").display()
    );
    fs::write(house.path("vestibule.toml"), config).unwrap();
    house
}

fn command(house: &House, arguments: &[&str]) -> Command {
    let mut command = house.command(arguments);
    command.env("SECRET", SECRET).env("KEY", KEY);
    command
}

fn serve(house: &House) -> Server {
    let arguments = ["serve", "--dev", "--listen", "127.0.0.1:0"];
    Server::start(&mut command(house, &arguments))
}

/// What a `serve` that must not start says.
fn refuse(house: &House, secret: Option<&str>) -> String {
    let mut command = house.command(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    command.envs(secret.map(|secret| ("SECRET", secret)));
    let output = command.output().unwrap();
    assert!(!output.status.success());
    errors(&output)
}

fn run(house: &House, arguments: &[&str]) -> Value {
    let output = command(house, &[arguments, &["--json"]].concat()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("hunter2") && !text.contains(KEY), "{text}");
    serde_json::from_str(&text).unwrap()
}

fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let host = &server.address;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The names of the keys that a server publishes; the one that signs is the first.
fn published(server: &Server) -> Vec<String> {
    let answer = get(server, "/.well-known/jwks.json");
    let set: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until all of them publish just these.
async fn until_published(servers: &[&Server], expected: &[&str]) {
    let begun = Instant::now();
    while servers.iter().any(|server| published(server) != expected) {
        let told: Vec<_> = servers.iter().map(|server| published(server)).collect();
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{told:?} {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A person of a server key, with a file.
struct Person {
    bearer: String,
    file: String,
}

impl Person {
    fn with_a_file(house: &House, server: &Server) -> Self {
        let key = house.run(&["key", "create", "--env", "test"]);
        let bearer = format!("Bearer {}", secret(server, &key, "ada"));
        let headers = [("Authorization", &*bearer)];
        let picture = b"GIF89a with a few more letters";
        let file = server.upload_file(&headers, ("cat.gif", "image/gif"), picture);
        Self { bearer, file }
    }

    /// The path of the file's address, as a server signs it now.
    fn link(&self, server: &Server) -> String {
        let headers = [("Authorization", &*self.bearer)];
        let body = json!({"type": "threads.create", "params": {"input": {
            "content": [{"type": "input_text", "text": "look"}], "attachments": [self.file],
            "inference_options": {} } } });
        let list = json!({"type": "threads.list", "params": {"limit": 20, "order": "desc"}});
        let ask = |body: &Value| server.post("/v1/chatkit/conversation", &headers, body).1;
        let mut answer = ask(&list);
        if !answer.contains("cthr_") {
            answer = ask(&body);
        }
        let thread = between(&answer, "\"id\":\"cthr_", "\"");
        let read =
            json!({"type": "threads.get_by_id", "params": {"thread_id": format!("cthr_{thread}")}});
        let answer = ask(&read);
        let url = between(&answer, "\"preview_url\":\"", "\"");
        format!("/{}", url.splitn(4, '/').nth(3).unwrap())
    }
}

fn between<'text>(text: &'text str, start: &str, end: &str) -> &'text str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{text}"));
    rest.split_once(end).unwrap().0
}

fn opens(server: &Server, link: &str) -> bool {
    let answer = get(server, link);
    let is_there = answer.contains(" 200 ");
    assert_eq!(is_there, answer.contains("GIF89a"), "{answer}");
    is_there
}

/// Nothing but the database in common. Then a rotation: everybody publishes before anybody signs, and what the old key
/// signed opens until its time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_start_at_once_have_one_key_and_follow_its_rotation() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let files = House::empty();
    let houses = [(); 2].map(|()| house(&database, &files, ""));
    let [one, two] = std::thread::scope(|scope| {
        let starts = houses.each_ref().map(|house| scope.spawn(|| serve(house)));
        starts.map(|start| start.join().unwrap())
    });
    let both = [&one, &two];
    let [old] = &*published(&one) else { panic!() };
    assert_eq!(published(&two), std::slice::from_ref(old));
    for house in &houses {
        assert!(!house.path("data/signing.key").exists());
    }
    let made = |server: &Server| {
        server
            .said
            .iter()
            .filter(|line| line.contains("made a new signing key"))
            .count()
    };
    assert_eq!(made(&one) + made(&two), 1, "of two, one makes it");
    let ada = Person::with_a_file(&houses[0], &one);
    let link = ada.link(&one);
    assert!(opens(&two, &link), "{link}");
    let report = houses[0].run_with(&["doctor"], "");
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("in the database, in clear"), "{report}");

    let rotated = run(&houses[0], &["signing-key", "rotate"]);
    let new = rotated["id"].as_str().unwrap();
    let list = |states: [&str; 2]| {
        let list = run(&houses[0], &["signing-key", "list"]);
        let found: Vec<_> = list["keys"].as_array().unwrap().iter().collect();
        assert_eq!(found.len(), 2, "{list}");
        for ((key, id), state) in found.iter().zip([old, new]).zip(states) {
            assert_eq!(
                (&key["id"], &key["state"]),
                (&json!(id), &json!(state)),
                "{list}"
            );
        }
    };
    list(["signs", "next"]);
    until_published(&both, &[old, new]).await;
    let audit = houses[0].run(&["audit", "--kind", "signing_key_added"]);
    assert!(audit.contains("signing_key_added"), "{audit}");
    let refused = houses[0].refuse(&["signing-key", "rotate"]);
    assert!(refused.contains("is on its way"), "{refused}");
    let before = ada.link(&two);

    // Ten minutes later.
    let shift = |minutes: u32| {
        let by = minutes * 60_000;
        let sql = format!(
            "UPDATE signing_keys SET signs_from = signs_from - {by}, believed_until = believed_until - {by}"
        );
        database.sql(&sql).unwrap();
    };
    shift(10);
    until_published(&both, &[new, old]).await;
    list(["believed", "signs"]);
    let after = ada.link(&one);
    for server in both {
        for link in [&link, &before, &after] {
            assert!(opens(server, link), "{link}");
        }
    }
    // Two hours later.
    shift(120);
    until_published(&both, &[new]).await;
    for server in both {
        assert!(!opens(server, &before));
        assert!(opens(server, &after));
    }
    let begun = Instant::now();
    while database.sql("SELECT count(*) FROM signing_keys").unwrap() != "1" {
        assert!(begun.elapsed() < Duration::from_secs(20), "it stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // It has leaked.
    let rotated = run(&houses[1], &["signing-key", "rotate", "--forget-others"]);
    until_published(&both, &[rotated["id"].as_str().unwrap()]).await;
    assert!(!opens(&one, &after) && !opens(&two, &after));
    // Whoever cannot read the table goes on, and a node that is new says so.
    database
        .sql("UPDATE signing_keys SET seed = 'nonsense'")
        .unwrap();
    let refused = refuse(&houses[0], None);
    assert!(refused.contains("holds no signing key"), "{refused}");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(published(&one), published(&two));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_key_needs_its_secret() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let files = House::empty();
    // In clear at first.
    let clear = house(&database, &files, "");
    let server = serve(&clear);
    let key = published(&server);
    let ada = Person::with_a_file(&clear, &server);
    let link = ada.link(&server);
    let sealed = house(&database, &files, "signing_key_secret_env = \"SECRET\"");
    let refused = clear_text(&sealed, &["signing-key", "rotate"]);
    assert!(refused.contains("is not encrypted"), "{refused}");
    let other = serve(&sealed);
    assert_eq!(published(&other), key);
    assert!(opens(&other, &link));
    let stored = "SELECT is_sealed || ' ' || length(seed) FROM signing_keys";
    assert_eq!(database.sql(stored).unwrap(), "true 93");
    let list = run(&sealed, &["signing-key", "list"]);
    assert_eq!(list["keys"][0]["encrypted"], true, "{list}");
    // A node that was not told the secret yet goes on with what it knows.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(published(&server), key);

    for (house, secret, expected) in [
        (&clear, None, "there is no secret to read it"),
        (&sealed, None, "SECRET, which is not set"),
        (&sealed, Some("short"), "16 at least"),
        (
            &sealed,
            Some("wrong but long enough"),
            "encrypted with another one",
        ),
    ] {
        let refused = refuse(house, secret);
        assert!(refused.contains(expected), "{refused}");
        assert!(!refused.contains("wrong but"), "{refused}");
    }
    let report = command(&sealed, &["doctor"]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("in the database, encrypted"), "{report}");
    let report = clear.run_with(&["doctor"], "");
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("FAIL  signing key"), "{report}");
    let rotated = run(&sealed, &["signing-key", "rotate"]);
    let new = rotated["id"].as_str().unwrap();
    until_published(&[&other], &[&key[0], new]).await;
}

/// What a command with the secret complains about.
fn clear_text(house: &House, arguments: &[&str]) -> String {
    let output = command(house, arguments).output().unwrap();
    assert!(!output.status.success());
    errors(&output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_configuration_names_wins_and_a_file_from_before_stays_until_it_is_imported() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let files = House::empty();
    let kept = || database.sql("SELECT count(*) FROM signing_keys").unwrap();
    let of_variable = house(&database, &files, "signing_key_env = \"KEY\"");
    let variable = serve(&of_variable);
    let refused = clear_text(&of_variable, &["signing-key", "rotate"]);
    assert!(refused.contains("variable KEY"), "{refused}");
    let named = house(&database, &files, "signing_key_file = \"own.key\"");
    let file = serve(&named);
    assert!(named.path("own.key").exists());
    assert_ne!(published(&file), published(&variable));
    assert_eq!(
        run(&named, &["signing-key", "list"])["keys"][0]["id"],
        json!(published(&file)[0])
    );

    let before = house(&database, &files, "");
    fs::create_dir(before.path("data")).unwrap();
    fs::write(before.path("data/signing.key"), KEY).unwrap();
    let server = serve(&before);
    let said = server.said.join("\n");
    assert!(said.contains("signing-key import"), "{said}");
    assert!(!said.contains(KEY));
    assert_eq!(published(&server), published(&variable));
    assert_eq!(kept(), "0");
    let report = before.run_with(&["doctor"], "");
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("signing-key import"), "{report}");
    let imported = run(&before, &["signing-key", "import", "data/signing.key"]);
    assert_eq!(imported["id"], json!(published(&server)[0]));
    fs::remove_file(before.path("data/signing.key")).unwrap();
    let again = serve(&before);
    assert_eq!(
        published(&again),
        published(&server),
        "the same, without the file"
    );
    assert_eq!(kept(), "1");
    let refused = before.refuse(&["signing-key", "import", "data/signing.key"]);
    assert!(refused.contains("there is no file"), "{refused}");
}

/// SQLite has its file, and says what holds keys.
#[test]
fn a_database_that_is_a_file_has_a_key_in_a_file() {
    let house = House::new();
    let list = house.run(&["signing-key", "list"]);
    assert!(list.contains("no signing key yet"), "{list}");
    let server = house.serve(&["--dev"]);
    let list = house.run(&["signing-key", "list"]);
    assert!(list.contains(&published(&server)[0]), "{list}");
    assert!(list.contains("signing.key"), "{list}");
    let refused = house.refuse(&["signing-key", "rotate"]);
    assert!(refused.contains("is replaced there"), "{refused}");
    let refused = house.refuse(&["signing-key", "import", "data/signing.key"]);
    assert!(refused.contains("PostgreSQL does"), "{refused}");
}
