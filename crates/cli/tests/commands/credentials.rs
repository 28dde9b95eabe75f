//! Domains, public tokens and server keys: made, listed, revoked, and counting at once.

use std::{
    fs,
    io::{BufRead, BufReader},
};

use serde_json::{Value, json};

use crate::harness::{House, errors};

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
    let error = house.refuse(&["domain", "add", "http://app.example.com", "--env", "live"]);
    assert!(error.contains("https"), "{error}");
    house.run(&["domain", "add", "http://app.example.com", "--env", "test"]);
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
    let key = "sk-proj-T3vB9kQx7LmZ2pRw8HnYc5JdF1sG6aKe4UoXi0Mt";
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
    let empty = house.run_with(&["key", "import"], "\n");
    assert!(!empty.status.success());
    assert!(
        errors(&empty).contains("nothing came in on standard input"),
        "{}",
        errors(&empty)
    );
    let error = house.refuse(&["key", "import", key]);
    assert!(error.contains("unexpected argument"), "{error}");
    for (pasted, word) in [
        (format!("\"{key}\""), "quotes"),
        (format!("OPENAI_API_KEY={key}"), "variable"),
        (format!("Bearer {key}"), "Bearer"),
    ] {
        let refused = errors(&house.run_with(&["key", "import"], &pasted));
        assert!(
            refused.contains(word) && !refused.contains(key),
            "{refused}"
        );
    }

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
    let (_, body) = server.post(
        "/api/chatkit/start",
        &[("Authorization", &bearer)],
        &json!({}),
    );
    let other: Value = serde_json::from_str(&body).unwrap();
    let by_other = format!("Bearer {}", other["client_secret"].as_str().unwrap());
    let by_other = [("Authorization", by_other.as_str())];
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
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for (path, mode) in [(folder.join(&file), 0o600), (folder.clone(), 0o700)] {
            let found = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "what a person sent is nobody else's");
        }
    }
    // Nothing is written over, and what cannot be read keeps nothing else back.
    std::fs::write(folder.join(&file), "another").unwrap();
    let other = server.upload(&by_other, "cheese");
    for (path, word) in [(None, "already"), (Some("data/files"), "skipped")] {
        if let Some(path) = path {
            std::fs::remove_dir_all(house.path(path)).unwrap();
            std::fs::remove_file(folder.join(&other)).unwrap();
        }
        let arguments = [&["user", "export"], &person[..], &files[..]].concat();
        let output = house.run_with(&arguments, "");
        assert!(!output.status.success());
        let said = errors(&output);
        assert!(said.contains(word) && said.contains("left out"), "{said}");
        let kept = std::fs::read_to_string(folder.join(&file)).unwrap();
        assert_eq!(kept, "another");
        assert_eq!(folder.join(&other).exists(), path.is_none());
    }

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
fn a_token_is_made_for_a_workflow_that_there_is() {
    let house = House::new();
    let refused = house.refuse(&["token", "create", "--env", "test", "--workflow", "wf_nope"]);
    assert!(
        refused.contains("wf_nope") && refused.contains("wf_demo"),
        "{refused}"
    );
    house.run(&["token", "create", "--env", "test", "--workflow", "wf_demo"]);
}

#[test]
fn a_token_that_registers_its_page_says_so() {
    let house = House::new();
    let create = ["token", "create", "--origin", "https://www.example.com"];
    let said = errors(&house.run_with(&create, ""));
    assert!(
        said.contains("for https://www.example.com, which is registered now")
            && !said.contains("domain add"),
        "{said}"
    );
    let said = errors(&house.run_with(&["token", "create", "--env", "test"], ""));
    assert!(said.contains("pages on this machine"), "{said}");
}

#[test]
fn a_session_that_is_not_there_cannot_be_revoked() {
    let house = House::new();
    let told = house.refuse(&["session", "revoke", "nope"]);
    assert!(told.contains("no live session nope"), "{told}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let house = House::new();
    for arguments in [
        &["completions", "bash"][..],
        &["config", "print", "--default"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = house
            .command(arguments)
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap();
        let said = errors(&output);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}

#[test]
fn a_key_that_could_be_guessed_is_imported_for_trying_out_only() {
    let house = House::new();
    let import = |more: &[&str]| house.run_with(&[&["key", "import"], more].concat(), "My API Key");
    let refused = import(&[]);
    assert!(!refused.status.success());
    let told = errors(&refused);
    assert!(
        told.contains("128") && told.contains("of its 10 characters"),
        "{told}"
    );
    assert!(!told.contains("My API Key"), "{told}");
    let refused = errors(&import(&["--weak"]));
    assert!(refused.contains("--env test"), "{refused}");
    let taken = import(&["--weak", "--env", "test", "--json"]);
    let key: Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert_eq!(key["environment"], "test");
}

#[test]
fn a_key_says_which_pages_it_is_for() {
    let house = House::new();
    for (environment, word) in [
        ("live", "not for pages on localhost"),
        ("test", "localhost"),
    ] {
        let output = house.run_with(&["key", "create", "--env", environment], "");
        let key = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(key.starts_with("sk_") && key.lines().count() == 1, "{key}");
        let said = errors(&output);
        assert!(said.contains(environment) && said.contains(word), "{said}");
        let value = house.json(&["key", "create", "--env", environment]);
        assert!(value["for"].as_str().unwrap().contains(word), "{value}");
    }
}

#[test]
fn what_others_wrote_cannot_draw_on_the_terminal() {
    let house = House::new();
    let label = "shop \u{202e}evil\u{200b}";
    house.run(&["key", "create", "--label", label]);
    let table = house.run(&["key", "list"]);
    assert!(table.contains("\\u{202e}evil"), "{table}");
    assert!(
        !table.contains('\u{202e}') && !table.contains('\u{200b}'),
        "{table}"
    );
    house.run(&["key", "create", "--label", &"long ".repeat(40)]);
    let table = house.run(&["key", "list"]);
    // Only the last column may be as long as it is.
    assert!(table.contains("long long"), "{table}");
    let whole = house.json(&["key", "list"]);
    assert_eq!(whole["keys"][0]["label"], "long ".repeat(40));
}

#[test]
fn a_development_server_starts_when_its_database_was_removed() {
    let house = House::empty();
    let token = || std::fs::read_to_string(house.path("data/development-public-token")).unwrap();
    drop(house.serve(&["--dev"]));
    let first = token();
    drop(house.serve(&["--dev"]));
    assert_eq!(token(), first, "visitors come back");
    for entry in std::fs::read_dir(house.path("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("vestibule.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    drop(house.serve(&["--dev"]));
    assert_ne!(token(), first, "the new database knows the new token");
}
