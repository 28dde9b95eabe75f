//! `backup` and `restore` beside a running server, and the key file that a backup leaves out.

use std::fs;

use serde_json::json;

use crate::harness::House;

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
    let house = House::empty();
    fs::create_dir(house.path("data")).unwrap();
    fs::write(house.path("data/signing.key"), "").unwrap();
    let refused = house.refuse(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(refused.contains("signing.key is empty"), "{refused}");
}
