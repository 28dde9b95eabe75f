//! What `jwt check` says.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::{
    claims::Audience,
    issuer::{Issuer, Keys},
    jwks::KeyCacheLimits,
    ports::{KeyFetch, Random},
    testing::{TestFetch, TestKey, TestRandom, claims_with, good_claims, jwks, now},
};

fn access() -> WorkflowAccess {
    WorkflowAccess::new("wf_default", ["wf_open".to_owned()])
}

fn setup(key: &TestKey) -> Issuers {
    let fetch = Arc::new(TestFetch::default());
    let bad = json!({ "kty": "EC", "crv": "secp256k1", "kid": "old" });
    fetch.answer("https://issuer.example/jwks", jwks(&[key.jwk("k"), bad]));
    let (fetch, random): (Arc<dyn KeyFetch>, Arc<dyn Random>) =
        (fetch, Arc::new(TestRandom::default()));
    let keys = Keys::Jwks(Url::parse("https://issuer.example/jwks").unwrap());
    let row = Issuer::new(
        "https://issuer.example",
        keys,
        &[Algorithm::EdDsa],
        Audience::aud(["https://chat.example"]),
    );
    Issuers::new(vec![row], KeyCacheLimits::default(), &fetch, &random).unwrap()
}

#[tokio::test]
async fn it_agrees_with_the_real_check_and_names_every_step() {
    let (key, other) = (TestKey::ed25519(), TestKey::ed25519());
    let issuers = setup(&key);
    let token = |claims: Value| key.token("k", &claims);
    let with = |name: &str, value: Value| token(Value::Object(claims_with(name, value)));
    for (token, expected) in [
        (token(good_claims()), "accepted"),
        (with("exp", json!(5)), "expired"),
        (with("aud", json!("x")), "wrong_audience"),
        (with("iss", json!("x")), "unknown_issuer"),
        (with("sub", json!(null)), "bad_subject"),
        (with("cnf", json!({})), "sender_constrained"),
        (other.token("k", &good_claims()), "bad_signature"),
        (key.token("x", &good_claims()), "unknown_key"),
        (
            TestKey::of(Algorithm::Es256).token("k", &good_claims()),
            "algorithm_not_allowed",
        ),
        ("a.b.c.d.e".to_owned(), "encrypted"),
        ("opaque".to_owned(), "not_compact"),
    ] {
        let told = explain(&issuers, &EntryRules::default(), &access(), &token, now()).await;
        assert_eq!(told.reason, expected, "{:?}", told.steps);
        assert_eq!(told.ok, issuers.authenticate(&token, now()).await.is_ok());
        assert_eq!(told.ok, told.steps.iter().all(|step| step.ok));
        let text = serde_json::to_string(&told).unwrap();
        assert!(token.len() < 10 || !text.contains(&token), "{text}");
    }
}

#[tokio::test]
async fn it_goes_on_after_a_failure_and_names_keys_that_are_not_used() {
    let key = TestKey::ed25519();
    let mut claims = good_claims();
    claims["exp"] = json!(5);
    claims["aud"] = json!("x");
    let told = explain(
        &setup(&key),
        &EntryRules::default(),
        &access(),
        &key.token("old", &claims),
        now(),
    )
    .await;
    let failed: Vec<&str> = told
        .steps
        .iter()
        .filter(|step| !step.ok)
        .map(|step| step.name)
        .collect();
    assert_eq!(failed, ["audience", "times", "key", "key"]);
    assert!(
        told.steps
            .last()
            .unwrap()
            .detail
            .contains(r#"key "old" of the set is not used"#),
        "{:?}",
        told.steps
    );
}

#[test]
fn signatures_are_checked_whatever_the_payload_is() {
    let key = TestKey::ed25519();
    let set = jwks(&[key.jwk("k")]);
    let header = json!({ "alg": "EdDSA", "kid": "k" });
    for payload in ["", "foo", "{}", "\u{0}"] {
        assert!(
            check_signature(&key.token_with(&header, payload), &set).ok,
            "{payload:?}"
        );
    }
    // A single key is as good as a set, and a token without a name takes the only key that fits.
    let single = key.jwk("k").to_string();
    assert!(
        check_signature(
            &key.token_with(&json!({ "alg": "EdDSA" }), "foo"),
            single.as_bytes()
        )
        .ok
    );
    let good = key.token_with(&header, "foo");
    let detached = good.replacen(".Zm9v.", "..", 1);
    for (token, set, expected) in [
        (detached.as_str(), set.as_slice(), "detached_payload: "),
        (
            r#"{"payload":"Zm9v","signature":"x"}"#,
            &set,
            "json_serialization: ",
        ),
        (
            &TestKey::ed25519().token_with(&header, "foo"),
            &set,
            "bad_signature: ",
        ),
        (&good, b"{}", "bad_key_set: "),
        (&good, b"{\"keys\":[]}", "bad_key_set: the key set is empty"),
        (
            &good,
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "k" })
                .to_string()
                .as_bytes(),
            "unknown_key: ",
        ),
    ] {
        let checked = check_signature(token, set);
        assert!(
            !checked.ok && checked.reason.starts_with(expected),
            "{}",
            checked.reason
        );
    }
}

#[tokio::test]
async fn it_says_which_rule_speaks() {
    use crate::rule::{Condition, EntryRule, Outcome, Terms, Test};

    let key = TestKey::ed25519();
    let issuers = setup(&key);
    let rule = |name: &str, role: &str, outcome| EntryRule {
        name: name.to_owned(),
        issuer: None,
        conditions: vec![Condition {
            path: vec!["role".to_owned()],
            test: Test::OneOf(vec![json!(role)]),
        }],
        outcome,
    };
    let terms = Terms {
        workflow: Some("wf_staff".to_owned()),
        turns_per_minute: Some(7),
        ..Terms::default()
    };
    let added = Terms {
        workflows: vec!["wf_expert".to_owned()],
        ..Terms::default()
    };
    let rules = EntryRules::new(vec![
        rule(
            "guests",
            "guest",
            Outcome::Deny("ask for an account".to_owned()),
        ),
        rule("staff", "staff", Outcome::Enter(terms)),
        rule("experts", "expert", Outcome::Enter(added)),
    ]);
    for (role, is_good, reason, words, workflows) in [
        (
            "guest",
            false,
            "entry_denied",
            &["guests", "ask for an account"][..],
            None,
        ),
        (
            "staff",
            true,
            "accepted",
            &["staff", "workflow wf_staff", "turns per minute 7"],
            Some("wf_staff (rule \"staff\" pins it, and leaves no other)"),
        ),
        (
            "expert",
            true,
            "accepted",
            &["experts", "adds wf_expert"],
            Some(
                "wf_default (the default), wf_open (open to everybody who signs in), \
                 wf_expert (rule \"experts\" adds it)",
            ),
        ),
        (
            "other",
            true,
            "accepted",
            &["none speaks"],
            Some("wf_default (the default), wf_open (open to everybody who signs in)"),
        ),
    ] {
        let mut claims = good_claims();
        claims["role"] = json!(role);
        let told = explain(&issuers, &rules, &access(), &key.token("k", &claims), now()).await;
        assert_eq!((told.ok, &*told.reason), (is_good, reason));
        let step = |name| told.steps.iter().find(|step| step.name == name);
        let reached = step("workflows").map(|step| &*step.detail);
        assert_eq!(reached, workflows, "{role}");
        let step = step("rule").unwrap();
        for word in words {
            assert!(step.detail.contains(word), "{}", step.detail);
        }
    }
    // No rule speaks about a token that does not hold.
    let told = explain(
        &issuers,
        &rules,
        &access(),
        &TestKey::ed25519().token("k", &good_claims()),
        now(),
    )
    .await;
    assert!(told.steps.iter().all(|step| step.name != "rule"));
}
