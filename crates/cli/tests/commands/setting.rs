//! The configuration, the database and the address: what commands and the server start from.

use std::{fs, path::Path};

use serde_json::Value;

use crate::harness::{House, errors};

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

/// What was wrong with each of these came out with the first person, or never.
#[test]
fn what_cannot_work_is_refused_before_it_is_tried() {
    let house = House::empty();
    let model = |more: &str| {
        format!("[[models]]\nid = \"m\"\nkind = \"chat-completions\"\nmodel = \"m\"\n{more}\n")
    };
    let at = |address: &str| model(&format!("base_url = \"https://{address}\""));
    let keyed = model("base_url = \"https://api.example.com/v1\"\napi_key_env = \"K\"");
    let issuer = |text: &str| format!("[[issuers]]\n{text}\n");
    let shared = issuer("issuer = \"app\"\naudience = [\"chat\"]\nhmac_secret_env = \"K\"");
    let keycloak = |url: &str| {
        issuer(&format!(
            "preset = \"keycloak\"\naudience = [\"chat\"]\nurl = \"https://{url}\""
        ))
    };
    let clerk = |party: &str| {
        issuer(&format!(
            "preset = \"clerk\"\ndomain = \"clerk.example.com\"\nauthorized_parties = [\"{party}\"]"
        ))
    };
    let storage = |text: &str| format!("[storage]\n{text}\n");
    let long = "0123456789abcdefghijklmnopqrstuvwxyz0123456789";
    let quoted = format!("\"{long}\"");
    for (toml, value, expected) in [
        (
            &at("api.example.com/v1/chat/completions"),
            "",
            "set it to https://api.example.com/v1",
        ),
        (
            &at("api.example.com/v1/responses/"),
            "",
            "set it to https://api.example.com/v1",
        ),
        (&at("api.example.com/v1/"), "", ""),
        (&keyed, "sk-abc\n", ""),
        (&keyed, "sk-abc \r\n", ""),
        (&keyed, "\"sk-abc\"", "stands in quotes"),
        (&keyed, "Bearer sk-abc", "the word Bearer"),
        (&keyed, "sk- abc", "a space in it"),
        (&keyed, "sk-\nabc", "a character in it"),
        (&keyed, "sk-\u{e4}bc", "a character in it"),
        (&keyed, "sk-abc\u{200b}", "a character in it"),
        (&shared, &format!("{long}\n"), ""),
        (&shared, &quoted, "stands in quotes"),
        (&keycloak("id.example.com/realms/shop"), "", ""),
        (&keycloak("id.example.com"), "", "/realms/shop"),
        (&clerk("https://app.example.com"), "", ""),
        (
            &clerk("https://app.example.com/"),
            "",
            "no slash at the end",
        ),
        (&storage("redis_url = \"redis://localhost\""), "", ""),
        (&storage("redis_url = \"rubbish:hunter2\""), "", "REDIS_URL"),
        (&storage("url = \"sqlite://~/x.db\""), "", "home folder"),
        (&storage("files = \"~/files\""), "", "home folder"),
    ] {
        fs::write(house.path("vestibule.toml"), toml).unwrap();
        let output = house
            .command(&["config", "check"])
            .env("K", value)
            .output()
            .unwrap();
        let told = errors(&output);
        assert_eq!(
            output.status.success(),
            expected.is_empty(),
            "{toml} {value:?}: {told}"
        );
        assert!(told.contains(expected), "{toml} {value:?}: {told}");
        for secret in ["sk-abc", "hunter2", long] {
            assert!(!told.contains(secret), "{told}");
        }
    }
    fs::remove_file(house.path("vestibule.toml")).unwrap();
    let mut command = house.command(&["config", "check"]);
    let told = errors(&command.env("OPENAI_API_KEY", "'sk-abc'").output().unwrap());
    assert!(
        told.contains("quotes") && !told.contains("sk-abc"),
        "{told}"
    );
    assert!(!house.path("~").exists());
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_named() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let house = House::empty();
    for (name, is_read) in [("VESTIBULE_PUBLIC_URL", true), ("OTHER", false)] {
        let mut command = house.command(&["config", "check"]);
        command.env(name, OsStr::from_bytes(b"\xff"));
        let output = command.output().unwrap();
        assert_eq!(output.status.success(), !is_read, "{name}");
        assert_eq!(errors(&output).contains(name), is_read, "{name}");
    }
    let model =
        "[[models]]\nid = \"m\"\nkind = \"openai-responses\"\nmodel = \"m\"\napi_key_env = \"K\"\n";
    fs::write(house.path("vestibule.toml"), model).unwrap();
    let mut command = house.command(&["config", "check"]);
    let told = errors(
        &command
            .env("K", OsStr::from_bytes(b"\xff"))
            .output()
            .unwrap(),
    );
    assert!(
        told.contains("the variable K, which is not UTF-8"),
        "{told}"
    );
}

#[test]
fn a_database_in_memory_is_said_to_be_one() {
    let house = House::empty();
    let config = "[storage]\nurl = \"sqlite::memory:\"\n";
    fs::write(house.path("vestibule.toml"), config).unwrap();
    let said = house.log_until(&["serve", "--listen", "127.0.0.1:0"], "next    ");
    assert!(
        said.iter().any(|line| line.contains("in memory")),
        "{said:?}"
    );
}

#[test]
fn development_mode_stays_on_this_machine() {
    let house = House::new();
    let error = house.refuse(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert!(error.contains("loopback"), "{error}");
}

#[test]
fn a_database_is_migrated_and_named_when_it_cannot_be_opened() {
    let house = House::empty();
    let output = house.run_with(&["migrate"], "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("up to date"));
    assert!(
        errors(&output).contains("made a new database: /"),
        "{}",
        errors(&output)
    );
    let again = house.run_with(&["migrate"], "");
    assert_eq!(errors(&again), "", "it is new only once");
    assert!(Path::exists(&house.path("data/vestibule.db")));
    fs::write(
        house.path("vestibule.toml"),
        "[storage]\nurl = \"mysql://localhost/x\"\n",
    )
    .unwrap();
    let error = house.refuse(&["migrate"]);
    assert!(
        error.contains("or postgres://user:password@host"),
        "{error}"
    );
    assert!(
        !error.contains("mysql"),
        "what is no address may hold a password: {error}"
    );
}

#[test]
fn a_command_makes_no_database_and_says_where_it_looked() {
    let house = House::empty();
    for arguments in [
        &["domain", "list"][..],
        &["token", "create", "--env", "test"],
        &["key", "create"],
        &["session", "list"],
        &["audit"],
        &["user", "export", "--issuer", "a", "--subject", "b"],
        &["doctor"],
    ] {
        let output = house.run_with(arguments, "");
        assert!(!output.status.success(), "{arguments:?}");
        let said = errors(&output) + &String::from_utf8_lossy(&output.stdout);
        let place = house.path("data/vestibule.db");
        for word in [
            place.to_str().unwrap(),
            "--config",
            "DATABASE_URL",
            "vestibule serve",
        ] {
            assert!(said.contains(word), "{arguments:?}: {said}");
        }
        assert!(!house.path("data").exists(), "{arguments:?}");
    }
}

#[test]
fn a_command_from_another_folder_finds_the_servers_database() {
    let house = House::empty();
    fs::create_dir(house.path("etc")).unwrap();
    fs::write(house.path("etc/vestibule.toml"), "").unwrap();
    let config = house.path("etc/vestibule.toml");
    let config = ["--config", config.to_str().unwrap()];
    let server = house.serve(&[&["--dev"], &config[..]].concat());
    assert!(house.path("etc/data/vestibule.db").exists());
    assert!(house.path("etc/data/signing.key").exists());
    let key = house.run(&[&["key", "create"], &config[..]].concat());
    assert!(
        !house.path("data").exists(),
        "nothing below the working folder"
    );
    let bearer = format!("Bearer {key}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("OpenAI-Beta", "chatkit_beta=v1"),
    ];
    let session = serde_json::json!({"user": "ada", "workflow": {"id": "wf_demo"}});
    let (status, body) = server.post("/v1/chatkit/sessions", &headers, &session);
    assert_eq!(status, 200, "{body}");
}

#[test]
fn an_address_that_is_taken_is_told_with_a_next_step() {
    let house = House::new();
    let server = house.serve(&["--dev"]);
    let error = house.refuse(&["serve", "--dev", "--listen", &server.address]);
    assert!(error.contains("another program listens there"), "{error}");
    assert!(error.contains("--listen"), "{error}");
}

#[test]
fn with_json_errors_are_json_of_one_shape() {
    let house = House::new();
    for (arguments, kind) in [
        (
            &["domain", "add", "nonsense", "--env", "live"][..],
            "failed",
        ),
        (&["token", "revoke", "pkt_none"], "failed"),
        (&["domain", "add"], "usage"),
        (&["nonsense"], "usage"),
        (&["key", "list", "--config", "/nonexistent.toml"], "failed"),
    ] {
        let output = house.run_with(&[arguments, &["--json"]].concat(), "");
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let text = errors(&output);
        let error: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(error["error"]["type"], kind, "{text}");
        assert!(!error["error"]["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn shells_and_readers_get_their_files() {
    let house = House::empty();
    let completions = house.run(&["completions", "bash"]);
    assert!(completions.contains("_vestibule"), "{completions}");
    assert!(house.run(&["man"]).contains(".TH vestibule"));
    let folder = house.path("man");
    house.run(&["man", folder.to_str().unwrap()]);
    assert!(folder.join("vestibule-domain-add.1").exists());
    assert!(!house.path("data").exists());
}

#[test]
fn what_answers_is_said_as_it_is() {
    let house = House::new();
    let check = |key: Option<&str>| {
        let mut command = house.command(&["config", "check"]);
        command.envs(key.map(|key| ("OPENAI_API_KEY", key)));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let said = check(Some("sk-test"));
    assert!(said.contains("answers with gpt-5-mini"), "{said}");
    assert!(said.contains("because OPENAI_API_KEY is set"), "{said}");
    assert!(!said.contains("wf_demo answers"), "{said}");
    let said = check(None);
    assert!(
        said.contains("answers with the built-in demo model"),
        "{said}"
    );
}

#[test]
fn a_check_shows_what_a_preset_sets() {
    let house = House::new();
    let write = |table: &str| {
        let config = format!("[[models]]\nid = \"m\"\nmodel = \"x\"\n{table}\n");
        fs::write(house.path("vestibule.toml"), config).unwrap();
    };
    write("preset = \"ollama\"\nend_user = true");
    let said = house.run(&["config", "check"]);
    let expected = "the preset of [[models]] `m` sets kind = \"chat-completions\", base_url = \
                    \"http://127.0.0.1:11434/v1\", stream_options = true, ";
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("end_user"), "{said}");
    let json: Value = serde_json::from_str(&house.run(&["config", "check", "--json"])).unwrap();
    assert!(
        json["presets"][0].as_str().unwrap().contains("base_url"),
        "{json}"
    );
    let printed = house.run(&["config", "print"]);
    assert!(printed.contains("preset = \"ollama\""), "{printed}");
    assert!(
        printed.contains("base_url = \"http://127.0.0.1:11434/v1\""),
        "{printed}"
    );

    write("preset = \"groq\"");
    let error = house.refuse(&["config", "check"]);
    assert!(error.contains("GROQ_API_KEY, which is not set"), "{error}");
    write("preset = \"azure\"");
    let error = house.refuse(&["config", "check"]);
    assert!(
        error.contains("`azure-openai`") && error.contains("`openrouter`"),
        "{error}"
    );
}

#[test]
fn tool_servers_are_configured_without_giving_tokens_away() {
    let house = House::new();
    let check = |table: &str| {
        let config = format!(
            "[[mcp_servers]]\nname = \"one\"\nurl = \"http://one.example.com/mcp\"\n\
             allow_insecure_http = true\n[[mcp_servers]]\nname = \"two\"\n{table}\n"
        );
        fs::write(house.path("vestibule.toml"), config).unwrap();
        house.run_with(&["config", "check"], "")
    };
    let local = "url = \"http://127.0.0.1:9000/mcp\"\n";
    for (table, words) in [
        ("url = \"http://two.example.com/mcp\"", "two.example.com"),
        (
            &format!("{local}passthrough = \"i-know\""),
            "identity = \"token\"",
        ),
        (
            &format!("{local}identity = \"token\"\npassthrough = \"yes\""),
            "i-know",
        ),
        (
            &format!("{local}identity = \"exchange\""),
            "exchange_client_id",
        ),
    ] {
        let error = errors(&check(table));
        assert!(error.contains(words), "{table}: {error}");
    }
    let allowed = check(&format!(
        "{local}identity = \"token\"\npassthrough = \"i-know\""
    ));
    assert!(allowed.status.success(), "{}", errors(&allowed));
}

#[test]
fn the_banner_says_what_each_door_waits_for_and_nothing_that_only_the_log_needs() {
    let house = House::new();
    let start = || {
        let mut child = house
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
        let mut said = String::new();
        for line in lines.map_while(Result::ok) {
            said.push_str(&line);
            said.push('\n');
            if line.contains("next  ") {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        said
    };
    let said = start();
    for line in [
        "client secret    waits for a login (an issuer)",
        "public token     waits for a token",
        "custom endpoint  waits for a login (an issuer)",
    ] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("enough files"), "{said}");
    house.run(&["token", "create", "--env", "test"]);
    let said = start();
    assert!(said.contains("public token     open"), "{said}");
}
