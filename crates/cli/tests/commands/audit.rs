//! The audit log: who changed what, and who is forgotten.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};

use crate::harness::House;

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
