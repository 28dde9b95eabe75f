//! Keys of files and of the environment, and which place is the one that counts.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn a_signing_key_is_made_once_and_stays() {
    let signing_key = |config: &RawConfig| {
        let signing = at_start(config, &Variables::from_iter([]))?;
        anyhow::Ok(signing.signer)
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/signing.key");
    let mut config = RawConfig::default();
    config.server.signing_key_file = Some(path.clone());
    let first = signing_key(&config).unwrap();
    let second = signing_key(&config).unwrap();
    assert_eq!(first.key_id(), second.key_id());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    for (content, expected) in [("rubbish", "64 hexadecimal digits"), ("", "is empty")] {
        fs::write(&path, content).unwrap();
        let error = signing_key(&config).err().unwrap();
        let error = format!("{error:#}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_signing_key_of_the_environment_is_the_same_everywhere() {
    let mut config = RawConfig::default();
    config.server.signing_key_env = Some("KEY".to_owned());
    let key = |value: Option<&str>| {
        let variables = value.map(|value| ("KEY".to_owned(), value.to_owned()));
        let variables = variables.into_iter().collect();
        read(&config, &variables)
    };
    let digits = "0123456789abcdef".repeat(4);
    let show = |seed: &Seed| HEXLOWER.encode(seed.expose_secret());
    let seeds = key(Some(&format!(" {digits}\n"))).unwrap().unwrap();
    assert_eq!(show(&seeds.first), digits);
    assert!(seeds.others.is_empty());
    // While it is replaced.
    let next = "f".repeat(64);
    for between in [",", " , ", "\n", "\r\n"] {
        let seeds = key(Some(&format!("{next}{between}{digits}\n")));
        let seeds = seeds.unwrap().unwrap();
        assert_eq!(show(&seeds.first), next);
        assert_eq!(
            seeds.others.iter().map(show).collect::<Vec<_>>(),
            std::slice::from_ref(&digits)
        );
    }
    let missing = key(None).err().unwrap().to_string();
    assert!(missing.contains("openssl rand -hex 32"), "{missing}");
    for value in [
        "hunter2",
        ",",
        &format!("{digits},hunter2"),
        &format!("{digits} ").repeat(5),
    ] {
        let wrong = key(Some(value)).err().unwrap();
        let wrong = format!("{wrong:#} {wrong:?}");
        let says_why = ["64 hexadecimal digits", "more than 4 keys"];
        assert!(says_why.iter().any(|why| wrong.contains(why)), "{wrong}");
        assert!(
            !wrong.contains("hunter2") && !wrong.contains(&digits),
            "{wrong}"
        );
    }
}

#[test]
fn what_is_named_wins_then_a_file_that_is_there_then_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let usual = folder.path().join("signing.key");
    let mut config = RawConfig::default();
    config.server.usual_key_file = usual.clone();
    let file = |path, is_from_before| Place::File {
        path,
        is_from_before,
    };
    assert_eq!(place(&config), file(&*usual, false), "SQLite");
    config.storage.url = "postgres://vestibule@127.0.0.1/vestibule".to_owned();
    assert_eq!(place(&config), Place::Database);
    fs::write(&usual, "a key").unwrap();
    assert_eq!(place(&config), file(&*usual, true));
    // One that is yet to be made, too.
    let named = folder.path().join("other.key");
    config.server.signing_key_file = Some(named.clone());
    assert_eq!(place(&config), file(&*named, false));
    config.server.signing_key_env = Some("KEY".to_owned());
    assert_eq!(place(&config), Place::Variable("KEY"));
}

#[test]
fn a_secret_that_is_missing_or_short_is_named_at_the_start() {
    let mut config = RawConfig::default();
    config.server.usual_key_file = "/nowhere/signing.key".into();
    config.storage.url = "postgres://vestibule@127.0.0.1/vestibule".to_owned();
    config.server.signing_key_secret_env = Some("SECRET".to_owned());
    for (value, expected) in [
        (None, "SECRET, which is not set"),
        (Some("hunter2"), "16 at least"),
    ] {
        let variables = value.map(|value: &str| ("SECRET".to_owned(), value.to_owned()));
        let error = at_start(&config, &variables.into_iter().collect());
        let error = format!("{:#}", error.err().unwrap());
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{error}"
        );
    }
}
