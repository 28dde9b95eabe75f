//! The commands as people run them: the real binary, a real database, and a real server beside it.
#![cfg(test)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder to run in, with a database of its own.
struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        command
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command that must succeed, and gives what it printed.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.run_with(arguments, "");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            errors(&output)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Runs a command that must fail, and gives what it complained about.
    fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.run_with(arguments, "");
        assert!(!output.status.success(), "{arguments:?} succeeded");
        errors(&output)
    }

    fn serve(&self, arguments: &[&str]) -> Server {
        let mut child = self
            .command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("is ready: http://")
                    .map(|(_, address)| address.to_owned())
            })
            .expect("the server says where it is");
        // Keeps the pipe open and empty, so that the server never waits for a reader of its log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Server { child, address }
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running server, stopped when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// One HTTP/1.1 exchange by hand: status and body.
    fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String) {
        let mut stream = self.begin(path, headers, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    /// Sends a text file as the element does; its id.
    fn upload(&self, headers: &[(&str, &str)], text: &str) -> String {
        let form = format!(
            "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"list.txt\"\r\n\
             Content-Type: text/plain\r\n\r\n{text}\r\n--cut--\r\n"
        );
        let kind = "multipart/form-data; boundary=cut";
        let mut stream = self.send("/v1/chatkit/files", headers, kind, &form);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        let file: Value = serde_json::from_str(body).unwrap();
        file["id"].as_str().unwrap().to_owned()
    }

    /// Sends a request; the answer is there to be read as it comes.
    fn begin(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> TcpStream {
        self.send(path, headers, "application/json", &body.to_string())
    }

    fn send(&self, path: &str, headers: &[(&str, &str)], kind: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        stream
            .write_all(format!("{request}\r\n{body}").as_bytes())
            .unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_domain_is_registered_listed_and_removed() {
    let house = House::new();
    let key = house.run(&["domain", "add", "https://app.example.com", "--env", "live"]);
    assert!(key.starts_with("dk_live_"), "{key}");
    let again = house.run(&["domain", "add", "https://app.example.com", "--env", "live"]);
    assert_eq!(key, again, "twice gives the same key");
    let listed = house.json(&["domain", "list"]);
    assert_eq!(listed["domains"][0]["origin"], "https://app.example.com");
    assert_eq!(listed["domains"][0]["domain_key"], key);
    house.run(&[
        "domain",
        "remove",
        "https://app.example.com",
        "--env",
        "live",
    ]);
    assert!(
        house
            .run(&["domain", "list"])
            .contains("vestibule domain add")
    );
    let error = house.refuse(&[
        "domain",
        "remove",
        "https://app.example.com",
        "--env",
        "live",
    ]);
    assert!(error.contains("not registered"), "{error}");
}

#[test]
fn a_wrong_origin_is_refused_with_the_corrected_form() {
    let house = House::new();
    for (wrong, corrected) in [
        ("https://App.Example.com/", "https://app.example.com"),
        ("https://app.example.com/chat", "https://app.example.com"),
        ("app.example.com", "https://app.example.com"),
        ("https://*.example.com", ""),
    ] {
        let error = house.refuse(&["domain", "add", wrong, "--env", "live"]);
        assert!(error.contains(corrected), "{wrong}: {error}");
    }
    let error = house.refuse(&["domain", "add", "http://localhost:3000", "--env", "live"]);
    assert!(error.contains("--env test"), "{error}");
}

#[test]
fn tokens_and_keys_are_shown_once_and_revoked() {
    let house = House::new();
    let token = house.run(&["token", "create", "--origin", "https://www.example.com"]);
    assert!(token.starts_with("pk_live_"), "{token}");
    let key = house.run(&["key", "create", "--label", "shop"]);
    assert!(key.starts_with("sk_"), "{key}");
    for (kind, secret, list) in [("token", token, "tokens"), ("key", key, "keys")] {
        let listed = house.json(&[kind, "list"]);
        assert!(
            !listed.to_string().contains(&secret),
            "{kind}: a secret is listed"
        );
        let id = listed[list][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(listed[list][0]["revoked_at"], Value::Null);
        house.run(&[kind, "revoke", &id]);
        assert!(house.json(&[kind, "list"])[list][0]["revoked_at"].is_string());
        assert!(
            house.refuse(&[kind, "revoke", &id]).contains("no live"),
            "{kind}"
        );
    }
    let database = fs::read(house.path("data/vestibule.db")).unwrap();
    assert!(!database.is_empty());
    let error = house.refuse(&["token", "create"]);
    assert!(error.contains("--origin"), "{error}");
}

#[test]
fn a_key_from_elsewhere_is_read_from_standard_input_and_opens_sessions() {
    let house = House::new();
    let key = "sk-proj-made-elsewhere-0123456789";
    let output = house.run_with(&["key", "import", "--label", "moved"], &format!("{key}\n"));
    assert!(output.status.success(), "{}", errors(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("imported sk-proj-…"), "{printed}");
    assert!(!house.json(&["key", "list"]).to_string().contains(key));
    let again = house.run_with(&["key", "import"], key);
    assert!(
        errors(&again).contains("here already"),
        "{}",
        errors(&again)
    );
    let error = house.refuse(&["key", "import", key]);
    assert!(error.contains("unexpected argument"), "{error}");

    let server = house.serve(&["--dev"]);
    let session = json!({"user": "ada", "workflow": {"id": "wf_demo"}});
    let bearer = format!("Bearer {key}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("OpenAI-Beta", "chatkit_beta=v1"),
    ];
    let (status, body) = server.post("/v1/chatkit/sessions", &headers, &session);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"client_secret\":\"ek_"), "{body}");
}

/// The command is another process than the server: what ends the stream is the store they share.
#[test]
fn s11_a_revoked_key_ends_the_streams_of_its_sessions() {
    let house = House::new();
    let key = house.run(&["key", "create"]);
    let id = house.json(&["key", "list"])["keys"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let server = house.serve(&["--dev"]);
    let bearer = format!("Bearer {key}");
    let by_key = [
        ("Authorization", bearer.as_str()),
        ("OpenAI-Beta", "chatkit_beta=v1"),
    ];
    let open = json!({"user": "ada", "workflow": {"id": "wf_demo"}});
    let (_, body) = server.post("/v1/chatkit/sessions", &by_key, &open);
    let session: Value = serde_json::from_str(&body).unwrap();
    let by_secret = format!("Bearer {}", session["client_secret"].as_str().unwrap());
    let by_secret = [("Authorization", by_secret.as_str())];
    // The demo model needs several seconds for this.
    let ask = json!({"type": "threads.create", "params": {"input": {
        "content": [{"type": "input_text", "text": "long"}],
        "attachments": [], "inference_options": {},
    }}});
    let mut lines =
        BufReader::new(server.begin("/v1/chatkit/conversation", &by_secret, &ask)).lines();
    let has_begun = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("text_delta"));
    assert!(has_begun);
    house.run(&["key", "revoke", &id]);
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let last = rest
        .iter()
        .rfind(|line| line.starts_with("data: "))
        .unwrap();
    assert!(
        last.contains(r#""type":"error""#) && last.contains("session was ended"),
        "{last}"
    );
    let (status, body) = server.post("/v1/chatkit/conversation", &by_secret, &ask);
    assert_eq!(status, 401, "{body}");
    let (status, body) = server.post("/v1/chatkit/sessions", &by_key, &open);
    assert_eq!(status, 401, "{body}");
}

#[test]
fn nothing_usable_lies_in_the_files() {
    let house = House::new();
    let secrets = [
        house.run(&["token", "create", "--env", "test"]),
        house.run(&["key", "create"]),
    ];
    for entry in fs::read_dir(house.path("data")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in &secrets {
            assert!(
                !text.contains(secret.as_str()),
                "a secret is at rest in clear"
            );
        }
    }
}

#[test]
fn commands_work_while_the_server_runs_and_count_from_the_next_request() {
    let house = House::new();
    let server = house.serve(&["--dev"]);
    let (_, body) = server.post("/dev/token", &[], &json!({"user": "ada"}));
    let token = serde_json::from_str::<Value>(&body).unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {token}");
    let from_page = [
        ("Authorization", bearer.as_str()),
        ("Origin", "https://app.example.com"),
    ];
    let list = json!({"type": "threads.list", "params": {}});

    let (status, body) = server.post("/api/chat", &from_page, &list);
    assert_eq!(status, 403, "{body}");
    assert!(
        body.contains("vestibule domain add https://app.example.com --env test"),
        "{body}"
    );
    assert!(house.run(&["domain", "list"]).contains("Refused lately"));
    house.run(&["domain", "add", "https://app.example.com", "--env", "test"]);
    let (status, body) = server.post("/api/chat", &from_page, &list);
    assert_eq!(status, 200, "{body}");

    let (_, body) = server.post(
        "/api/chatkit/start",
        &[("Authorization", &bearer)],
        &json!({}),
    );
    let secret = serde_json::from_str::<Value>(&body).unwrap()["client_secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let by_secret = format!("Bearer {secret}");
    let by_secret = [("Authorization", by_secret.as_str())];
    let create = json!({"type": "threads.create", "params": {"input": {
        "content": [{"type": "input_text", "text": "table"}],
        "attachments": [], "quoted_text": "", "inference_options": {},
    }}});
    let (status, body) = server.post("/v1/chatkit/conversation", &by_secret, &create);
    assert!(
        status == 200 && body.contains("thread.item.done"),
        "{status} {body}"
    );
    let file = server.upload(&by_secret, "milk, bread");
    let sessions = house.json(&["session", "list", "--live"]);
    let id = sessions["sessions"][0]["id"].as_str().unwrap();
    assert!(house.run(&["session", "revoke", id]).contains("ended 1"));
    let (status, body) = server.post("/v1/chatkit/conversation", &by_secret, &list);
    assert_eq!(status, 401, "{body}");

    let issuer = sessions["sessions"][0]["issuer"].as_str().unwrap();
    let person = ["--issuer", issuer, "--subject", "ada"];
    let export = || house.run(&[&["user", "export"], &person[..]].concat());
    assert!(export().contains(r#""record":"thread""#) && export().contains("user_message"));
    let folder = house.folder.path().join("export");
    let files = ["--files", folder.to_str().unwrap()];
    house.run(&[&["user", "export"], &person[..], &files[..]].concat());
    let kept = std::fs::read_to_string(folder.join(&file)).unwrap();
    assert_eq!(kept, "milk, bread", "the file itself, under its id");

    let error = house.refuse(&[&["user", "forget"], &person[..]].concat());
    assert!(error.contains("--yes"), "{error}");
    house.run(&[&["user", "forget"], &person[..], &["--yes"]].concat());
    // Nothing for the file that it goes to, and a word for the person who asked.
    let output = house.run_with(&[&["user", "export"], &person[..]].concat(), "");
    assert!(output.status.success() && output.stdout.is_empty());
    let said = errors(&output);
    assert!(said.contains("Nothing is kept about ada"), "{said}");
}

#[test]
fn a_token_is_explained_step_by_step() {
    let house = House::new();
    let server = house.serve(&["--dev"]);
    let (_, body) = server.post("/dev/token", &[], &json!({"user": "ada"}));
    let token = serde_json::from_str::<Value>(&body).unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();

    let output = house.run_with(&["jwt", "check"], &token);
    assert!(!output.status.success());
    assert!(
        errors(&output).contains("--issuer URL"),
        "{}",
        errors(&output)
    );

    fs::write(
        house.path("vestibule.toml"),
        format!(
            "[[issuers]]\nissuer = \"http://{0}/dev\"\naudience = [\"http://{0}\"]\njwks_uri = \"http://{0}/dev/jwks.json\"\n",
            server.address
        ),
    )
    .unwrap();
    let output = house.run_with(&["jwt", "check", "--json"], &token);
    assert!(output.status.success(), "{}", errors(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["ok"], true, "{told}");

    let (signed, _signature) = token.rsplit_once('.').unwrap();
    let tampered = format!("{signed}.{}", "A".repeat(86));
    let output = house.run_with(&["jwt", "check", "--json"], &tampered);
    assert!(!output.status.success());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["ok"], false);
    assert!(
        !told.to_string().contains(&tampered),
        "the token is not repeated"
    );

    assert!(house.run(&["doctor"]).contains("1 usable keys"));
}

/// RFC 7515, appendix A.1: a token whose payload is JSON, and its key.
#[test]
fn signatures_are_checked_line_by_line() {
    let house = House::new();
    let key = r#"{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    fs::write(house.path("keys.json"), format!("{{\"keys\":[{key}]}}")).unwrap();
    let good = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let input = format!("{good}\nnot a token\n{good}x\r\n{good}");
    let output = house.run_with(
        &["jwt", "check", "--jwks", "keys.json", "--signature-only"],
        &input,
    );
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let verdicts: Vec<bool> = lines
        .iter()
        .map(|line| line["ok"].as_bool().unwrap())
        .collect();
    assert_eq!(verdicts, [true, false, false, true], "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| !line["reason"].as_str().unwrap().is_empty())
    );
}

#[test]
fn the_configuration_is_the_manual() {
    let house = House::new();
    let manual = house.run(&["config", "print", "--default"]);
    fs::write(house.path("vestibule.toml"), &manual).unwrap();
    house.run(&["config", "check"]);
    let schema: Value = serde_json::from_str(&house.run(&["config", "schema"])).unwrap();
    assert!(schema["properties"]["workflows"].is_object(), "{schema}");

    fs::write(
        house.path("vestibule.toml"),
        "[server]\nlistn = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    let error = house.refuse(&["config", "check"]);
    assert!(error.contains("did you mean `listen`"), "{error}");
    let error = house.refuse(&[
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--dev",
        "--config",
        "/nonexistent.toml",
    ]);
    assert!(error.contains("/nonexistent.toml"), "{error}");
}

#[test]
fn development_mode_stays_on_this_machine() {
    let house = House::new();
    let error = house.refuse(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert!(error.contains("loopback"), "{error}");
}

#[test]
fn a_database_is_migrated_and_named_when_it_cannot_be_opened() {
    let house = House::new();
    assert!(house.run(&["migrate"]).contains("up to date"));
    assert!(Path::exists(&house.path("data/vestibule.db")));
    fs::write(
        house.path("vestibule.toml"),
        "[storage]\nurl = \"mysql://localhost/x\"\n",
    )
    .unwrap();
    let error = house.refuse(&["migrate"]);
    assert!(error.contains("mysql"), "{error}");
}

#[test]
fn jwt_check_says_which_rule_speaks_and_config_check_why_authjs_cannot_be() {
    // HS256 with the secret below, `role` is "guest", good until 2100.
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwiYXVkIjoiY2hhdCIsInN1YiI6ImFkYSIsImV4cCI6NDEwMjQ0NDgwMCwicm9sZSI6Imd1ZXN0In0.zUrIHnvMOL_4gOVc5N8uIG2qX2xCwbshx75opGem6ik";
    let house = House::new();
    let issuer = "[[issuers]]\nissuer = \"https://id.example.com\"\nhmac_secret_file = \"secret\"\naudience = [\"chat\"]\n";
    let rule = "[[rule]]\nname = \"guests\"\nwhen = [{ claim = \"role\", equals = \"guest\" }]\n";
    fs::write(house.path("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    for (outcome, is_good, expected) in [
        (
            "deny = \"ask for an account\"",
            false,
            "\"guests\" refuses entry: ask for an account",
        ),
        (
            "turns_per_minute = 5",
            true,
            "\"guests\" speaks: turns per minute 5",
        ),
    ] {
        fs::write(
            house.path("vestibule.toml"),
            format!("{issuer}{rule}{outcome}\n"),
        )
        .unwrap();
        let output = house.run_with(&["jwt", "check", "--json"], TOKEN);
        assert_eq!(output.status.success(), is_good);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let step = told["steps"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&step["name"], &step["detail"]),
            (&json!("rule"), &json!(expected))
        );
    }
    for (text, expected) in [
        (
            format!("{issuer}{rule}issuer = \"https://id.example.com/\"\ndeny = \"no\"\n"),
            "no issuer is configured as",
        ),
        (
            "[[issuers]]\npreset = \"authjs\"\n".to_owned(),
            "encrypted for its own",
        ),
    ] {
        fs::write(house.path("vestibule.toml"), text).unwrap();
        let message = house.refuse(&["config", "check"]);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_audit_log_says_who_changed_what_and_forgets_whom_it_should() {
    let house = House::new();
    // It goes on by itself while others work.
    let mut follower = house
        .command(&["audit", "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut followed = BufReader::new(follower.stdout.take().unwrap()).lines();

    house.run(&["domain", "add", "https://app.example.com", "--env", "live"]);
    house.run(&["domain", "add", "https://app.example.com", "--env", "live"]);
    let token = house.run(&["token", "create", "--env", "test"]);
    let key = house.run(&["key", "create"]);
    let id = house.json(&["key", "list"])["keys"][0]["id"].clone();
    house.run(&["key", "revoke", id.as_str().unwrap()]);

    let server = house.serve(&["--dev"]);
    let (_, body) = server.post("/dev/token", &[], &json!({"user": "ada"}));
    let jwt = serde_json::from_str::<Value>(&body).unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {jwt}");
    let (status, _) = server.post(
        "/api/chatkit/start",
        &[("Authorization", &bearer)],
        &json!({}),
    );
    assert_eq!(status, 200);
    let (status, _) = server.post("/api/chatkit/start", &[], &json!({}));
    assert_eq!(status, 401);

    let lines: Vec<Value> = followed
        .by_ref()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .take_while(|entry| entry["kind"] != "refused")
        .collect();
    follower.kill().unwrap();
    follower.wait().unwrap();
    let kinds: Vec<&str> = lines
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds[..4],
        [
            "domain_added",
            "token_created",
            "key_created",
            "key_revoked"
        ]
    );
    assert_eq!(kinds.last(), Some(&"session_opened"));
    assert_eq!(lines[0]["domain"], "https://app.example.com");
    assert_eq!(lines[0]["actor"]["kind"], "operator");
    assert_eq!(lines[3]["id"].as_u64(), Some(4), "ids rise without gaps");

    let opened = house.run(&["audit", "--user", "ada", "--since", "1h", "--json"]);
    let opened: Value = serde_json::from_str(&opened).unwrap();
    assert_eq!(opened["door"], "client_secret");
    assert!(opened["at"].as_str().unwrap().ends_with('Z'), "{opened}");
    let issuer = opened["user"]["issuer"].as_str().unwrap().to_owned();
    let table = house.run(&["audit", "--door", "client_secret", "--limit", "2"]);
    assert!(
        table.starts_with("ID") && table.lines().count() == 3,
        "{table}"
    );
    assert!(table.contains("reason=missing_credentials"), "{table}");

    let person = ["--issuer", &issuer, "--subject", "ada"];
    let export = house.run(&[&["user", "export"], &person[..]].concat());
    assert!(export.contains(r#""record":"audit""#), "{export}");
    house.run(&[&["user", "forget"], &person[..], &["--yes"]].concat());
    assert_eq!(house.run(&["audit", "--user", "ada", "--json"]), "");
    let all = house.run(&["audit", "--json"]);
    assert!(
        all.contains("session_opened") && all.contains("user_forgotten"),
        "{all}"
    );
    for gone in ["\"ada\"", &jwt, &key, &token] {
        assert!(!all.contains(gone), "{gone} in {all}");
    }
    let error = house.refuse(&["audit", "--kind", "rubbish"]);
    assert!(error.contains("session_opened"), "{error}");
}

#[test]
fn a_backup_is_made_while_the_server_runs_and_restored_when_it_does_not() {
    let house = House::new();
    let server = house.serve(&[]);
    house.run(&["domain", "add", "https://app.example.com", "--env", "live"]);
    let made = house.json(&["backup", "backups/today"]);
    assert_eq!(made["ok"], true, "{made}");
    let refused = house.refuse(&["backup", "backups/today"]);
    assert!(refused.contains("nothing is ever overwritten"), "{refused}");

    house.run(&["domain", "add", "https://late.example.com", "--env", "live"]);
    let refused = house.refuse(&["restore", "backups/today"]);
    assert!(refused.contains("--force"), "{refused}");
    let refused = house.refuse(&["restore", "backups/today", "--force"]);
    assert!(refused.contains("stop the server first"), "{refused}");
    drop(server);
    let restored = house.json(&["restore", "backups/today", "--force"]);
    assert_ne!(restored["moved"], json!([]), "{restored}");
    let domains = house.run(&["domain", "list"]);
    assert!(domains.contains("app.example.com"), "{domains}");
    assert!(!domains.contains("late.example.com"), "{domains}");
}

#[test]
fn an_empty_signing_key_is_named_at_the_start() {
    let house = House::new();
    fs::create_dir(house.path("data")).unwrap();
    fs::write(house.path("data/signing.key"), "").unwrap();
    let refused = house.refuse(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(refused.contains("signing.key is empty"), "{refused}");
}
