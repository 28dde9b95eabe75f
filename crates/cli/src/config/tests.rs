//! The manual and the code say the same; mistakes are named in words.

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_manual_shows_the_defaults() {
    assert_eq!(parse(DEFAULT_TEXT).unwrap(), RawConfig::default());
}

/// The manual with its examples switched on: every `#key = …` and `#[[table]]` line.
fn manual_with_examples() -> String {
    DEFAULT_TEXT
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with("[[") || is_assignment(rest) => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_assignment(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

#[test]
fn the_manuals_examples_are_understood() {
    let config = parse(&manual_with_examples()).unwrap();
    assert_eq!(config.issuers.len(), 8);
    assert_eq!(config.rule.len(), 2);
    assert_eq!(config.models.len(), 1);
    assert_eq!(config.workflows.len(), 1);
    assert_eq!(config.mcp_servers.len(), 2);
}

#[test]
fn the_manual_names_every_key() {
    let config = parse(&manual_with_examples()).unwrap();
    let written = toml::Table::try_from(&config).unwrap();
    let mut missing = Vec::new();
    collect_missing(&written, &mut missing);
    assert!(
        missing.is_empty(),
        "not in config.default.toml: {missing:?}"
    );
}

fn collect_missing(table: &toml::Table, missing: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner)
                if ![
                    "required_claims",
                    "headers",
                    "agent",
                    "actions",
                    "widgets",
                    "env",
                ]
                .contains(&key.as_str()) =>
            {
                collect_missing(inner, missing);
            }
            // Conditions of a rule, tools of the page and of the provider stand on one line.
            toml::Value::Array(_)
                if ["when", "client_tools", "builtin_tools"].contains(&key.as_str()) => {}
            toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
                for entry in list.iter().filter_map(toml::Value::as_table) {
                    collect_missing(entry, missing);
                }
            }
            _ => {
                let is_named = DEFAULT_TEXT.lines().any(|line| {
                    line.trim_start_matches('#')
                        .starts_with(&format!("{key} = "))
                });
                if !is_named {
                    missing.push(key.clone());
                }
            }
        }
    }
}

#[test]
fn an_unknown_key_names_the_nearest_one_and_its_line() {
    for (text, expected) in [
        ("[server]\nlistn = \"x\"", "did you mean `listen`?"),
        ("[serve]\n", "did you mean `server`?"),
        (
            "[[workflows]]\nid = \"wf_a\"\ninstruction = \"x\"",
            "did you mean `instructions`?",
        ),
        (
            "[[models]]\nkind = \"chat-completion\"",
            "did you mean `chat-completions`?",
        ),
    ] {
        let message = format!("{:#}", parse(text).unwrap_err());
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("line "), "{message}");
    }
    let message = format!("{:#}", parse("[server]\nzzzzzz = 1").unwrap_err());
    assert!(!message.contains("did you mean"), "{message}");
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    fs::write(
        &file,
        "[server]\nlisten = \"127.0.0.1:1\"\n[storage]\nurl = \"sqlite://file.db\"",
    )
    .unwrap();
    let overrides = Overrides {
        file: Some(file),
        ..Overrides::default()
    };
    let environment = variables(&[
        ("VESTIBULE_LISTEN", "127.0.0.1:2"),
        ("DATABASE_URL", ""),
        ("BETTER_AUTH_URL", "http://127.0.0.1:3000"),
    ]);
    let config = load(&environment, &overrides).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:2");
    let url = format!("sqlite://{}/file.db", folder.path().display());
    assert_eq!(config.storage.url, url);
    assert_eq!(
        config.issuers[0].url.as_deref(),
        Some("http://127.0.0.1:3000")
    );
    let overrides = Overrides {
        listen: Some("127.0.0.1:3".to_owned()),
        dev: true,
        ..overrides
    };
    let config = load(&environment, &overrides).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:3");
    assert!(config.dev.enabled);
}

#[test]
fn a_missing_file_that_was_named_is_an_error_and_an_unnamed_one_is_not() {
    let overrides = Overrides {
        file: Some(PathBuf::from("/nonexistent/vestibule.toml")),
        ..Overrides::default()
    };
    assert!(load(&Variables::default(), &overrides).is_err());
}

#[test]
fn secrets_come_from_exactly_one_place() {
    use secrecy::{ExposeSecret, SecretString};

    let environment = variables(&[("KEY", "from-env")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "from-file\n").unwrap();
    let read = |variable, file| secret("api_key", &environment, variable, file);
    let text = |result: anyhow::Result<Option<SecretString>>| {
        result
            .unwrap()
            .map(|secret| secret.expose_secret().to_owned())
    };
    assert_eq!(text(read(Some("KEY"), None)).as_deref(), Some("from-env"));
    assert_eq!(text(read(None, Some(&file))).as_deref(), Some("from-file"));
    assert_eq!(text(read(None, None)), None);
    // What editors, shells and env files leave around it.
    let lines = variables(&[("ENDED", "of a line\r\n"), ("QUOTED", "'of an env file'")]);
    let found = secret("api_key", &lines, Some("ENDED"), None);
    assert_eq!(text(found).as_deref(), Some("of a line"));
    fs::write(&file, "\u{feff}of an editor \r\n").unwrap();
    assert_eq!(
        text(read(None, Some(&file))).as_deref(),
        Some("of an editor")
    );
    let refused = secret("api_key", &lines, Some("QUOTED"), None)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("QUOTED") && refused.contains("quotes"),
        "{refused}"
    );
    assert!(!refused.contains("env file'"), "{refused}");
    assert!(read(Some("KEY"), Some(&file)).is_err());
    let message = read(Some("ABSENT"), None).unwrap_err().to_string();
    assert!(message.contains("ABSENT"), "{message}");
}

#[test]
fn a_login_server_on_this_machine_has_users_of_the_test_environment() {
    for (url, environment) in [
        ("http://localhost:3000", EnvironmentName::Test),
        ("http://127.0.0.1:3000/api/auth", EnvironmentName::Test),
        ("https://app.example.com", EnvironmentName::Live),
        ("https://localhost.example.com", EnvironmentName::Live),
    ] {
        let config = load(
            &variables(&[("BETTER_AUTH_URL", url)]),
            &Overrides::default(),
        )
        .unwrap();
        assert_eq!(config.issuers[0].environment, environment, "{url}");
    }
}

/// A key that names a file and is not in `paths` fails here.
#[test]
fn relative_paths_are_below_the_configuration_files_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    let manual: Vec<String> = manual_with_examples()
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((key, _)) if key.ends_with("_file") => format!("{key} = \"./secrets/{key}\""),
            _ => line.to_owned(),
        })
        .collect();
    fs::write(&file, manual.join("\n")).unwrap();
    let overrides = Overrides {
        file: Some(file),
        ..Overrides::default()
    };
    let config = load(&Variables::default(), &overrides).unwrap();
    let url = format!("sqlite://{}/data/vestibule.db", folder.path().display());
    assert_eq!(config.storage.url, url);
    assert_eq!(
        config.storage.files.folder(),
        Some(&folder.path().join("data/files"))
    );
    let mut seen = 0;
    for line in toml::to_string(&config).unwrap().lines() {
        if let Some((key, value)) = line.split_once(" = ")
            && key.ends_with("_file")
        {
            let expected = folder.path().join("secrets").join(key);
            assert_eq!(value.trim_matches('"'), expected.to_str().unwrap(), "{key}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");

    let elsewhere = variables(&[("DATABASE_URL", "sqlite:///var/lib/vestibule.db")]);
    let config = load(&elsewhere, &overrides).unwrap();
    assert_eq!(config.storage.url, "sqlite:///var/lib/vestibule.db");
    let none = load(&Variables::default(), &Overrides::default()).unwrap();
    assert_eq!(none.storage.url, "sqlite://./data/vestibule.db");
}

#[test]
fn numbers_that_nothing_can_be_reckoned_with_are_refused_by_name() {
    for (text, place) in [
        (
            "[server]\nkeep_alive_seconds = 9223372036854775807",
            "server.keep_alive_seconds",
        ),
        ("[server]\nidle_seconds = 316224001", "server.idle_seconds"),
        (
            "[uploads]\nmax_file_bytes = 9223372036854775807",
            "uploads.max_file_bytes",
        ),
        (
            "[uploads]\nseconds = 9223372036854775807",
            "uploads.seconds",
        ),
        (
            "[[models]]\nid = \"m\"\nkind = \"demo\"\nidle_timeout_seconds = 9223372036854775807",
            "models.idle_timeout_seconds",
        ),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(&format!("{place} is ")), "{error}");
        assert!(error.contains("at most"), "{error}");
    }
    parse("[server]\nidle_seconds = 316224000").unwrap();
}
