//! `jwt check`: why a token is or is not accepted.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{House, errors};

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

    assert!(house.run(&["doctor"]).contains("usable keys: 1"));
}

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
        let steps = told["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == "rule").unwrap();
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
