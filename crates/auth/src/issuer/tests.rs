//! Whole tokens against whole issuers.

use serde_json::json;

use super::*;
use crate::{
    jwk::{Key, KeySource},
    testing::{NOW, TestFetch, TestKey, TestRandom, claims_with, good_claims, jwks, now},
};

const ISSUER: &str = "https://issuer.example";
const JWKS: &str = "https://issuer.example/jwks";

fn issuers_with(rows: Vec<Issuer>, fetch: &Arc<TestFetch>) -> Result<Issuers, ConfigError> {
    let fetch: Arc<dyn KeyFetch> = Arc::<TestFetch>::clone(fetch);
    let random: Arc<dyn Random> = Arc::new(TestRandom::default());
    Issuers::new(rows, KeyCacheLimits::default(), &fetch, &random)
}

fn row() -> Issuer {
    let keys = Keys::Jwks(Url::parse(JWKS).unwrap());
    Issuer::new(
        ISSUER,
        keys,
        &[Algorithm::EdDsa],
        Audience::aud(["https://chat.example"]),
    )
}

fn setup(keys: &[&TestKey]) -> (Issuers, Arc<TestFetch>) {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(
        JWKS,
        jwks(&keys.iter().map(|key| key.jwk("k")).collect::<Vec<_>>()),
    );
    (issuers_with(vec![row()], &fetch).unwrap(), fetch)
}

fn reason(outcome: Result<Arc<Identity>, Error>) -> Result<String, Reason> {
    match outcome {
        Ok(identity) => Ok(identity.owner_key().to_owned()),
        Err(Error::Invalid(rejection)) => Err(rejection.reason()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_token_becomes_an_identity() {
    let key = TestKey::ed25519();
    let (issuers, _) = setup(&[&key]);
    let identity = issuers
        .authenticate(&key.token("k", &good_claims()), now())
        .await
        .unwrap();
    assert_eq!(identity.owner_key(), "https://issuer.example user-1");
    assert_eq!(identity.expires_at(), NOW.plus(Duration::from_mins(15)));
    assert_eq!(identity.environment(), Environment::Live);
    assert_eq!(identity.claims()["aud"], "https://chat.example");
}

#[tokio::test]
async fn j01_iss_is_compared_byte_by_byte_before_any_key_is_looked_for() {
    let key = TestKey::ed25519();
    let (issuers, fetch) = setup(&[&key]);
    for (iss, expected) in [
        (json!("https://issuer.example/"), Reason::UnknownIssuer),
        (json!("https://ISSUER.example"), Reason::UnknownIssuer),
        (json!("http://issuer.example"), Reason::UnknownIssuer),
        (json!(""), Reason::UnknownIssuer),
        (json!(["https://issuer.example"]), Reason::MissingIssuer),
        (json!(1), Reason::MissingIssuer),
        (json!(null), Reason::MissingIssuer),
    ] {
        let token = key.token("k", &Value::Object(claims_with("iss", iss.clone())));
        assert_eq!(
            reason(issuers.authenticate(&token, now()).await),
            Err(expected),
            "{iss}"
        );
    }
    assert_eq!(fetch.fetches(), 0);
}

#[tokio::test]
async fn r02_cheap_checks_come_before_keys_and_signatures() {
    let key = TestKey::ed25519();
    let (issuers, fetch) = setup(&[&key]);
    for (token, expected) in [
        (
            key.token("k", &Value::Object(claims_with("exp", json!(1)))),
            Reason::Expired,
        ),
        (
            key.token("k", &Value::Object(claims_with("aud", json!("x")))),
            Reason::WrongAudience,
        ),
        (
            TestKey::of(Algorithm::Es256).token("k", &good_claims()),
            Reason::AlgorithmNotAllowed,
        ),
        (
            TestKey::of(Algorithm::Hs256).token("k", &good_claims()),
            Reason::AlgorithmNotAllowed,
        ),
        (
            key.token_with(&json!({ "alg": "EdDSA", "kid": "k" }), "not json"),
            Reason::MalformedClaims,
        ),
        (
            key.token_with(
                &json!({ "alg": "EdDSA", "kid": "k" }),
                r#"{"iss":"a","iss":"a"}"#,
            ),
            Reason::DuplicateMember,
        ),
        (
            key.token_with(
                &json!({ "alg": "EdDSA", "kid": "k" }),
                r#"{"x":{"y":1,"y":1}}"#,
            ),
            Reason::DuplicateMember,
        ),
    ] {
        assert_eq!(
            reason(issuers.authenticate(&token, now()).await),
            Err(expected)
        );
    }
    assert_eq!(fetch.fetches(), 0);
}

#[tokio::test]
async fn t08_typ_is_what_the_issuer_is_configured_for() {
    let key = TestKey::ed25519();
    let (issuers, _) = setup(&[&key]);
    let token = |typ: &str| {
        key.token_with(
            &json!({ "alg": "EdDSA", "kid": "k", "typ": typ }),
            good_claims().to_string(),
        )
    };
    for typ in ["JWT", "jwt", "application/jwt", "Application/JWT"] {
        assert!(
            issuers.authenticate(&token(typ), now()).await.is_ok(),
            "{typ}"
        );
    }
    let strange = [
        "better-auth.session-cache+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "at+jwt",
        "application/at+jwt",
        "JWS",
        "",
        "application/application/jwt",
        "text/jwt",
    ];
    for typ in strange {
        assert_eq!(
            reason(issuers.authenticate(&token(typ), now()).await),
            Err(Reason::WrongType),
            "{typ}"
        );
    }
    for typ in [json!(1), json!(null), json!(["JWT"])] {
        let token = key.token_with(
            &json!({ "alg": "EdDSA", "kid": "k", "typ": typ }),
            good_claims().to_string(),
        );
        assert_eq!(
            reason(issuers.authenticate(&token, now()).await),
            Err(Reason::WrongType),
            "{typ}"
        );
    }
}

#[test]
fn t08_a_refused_typ_is_told_with_what_can_be_set() {
    for (rule, typ, expected) in [
        (
            TypRule::AbsentOrJwt,
            Some("at+jwt"),
            "set `token_type = \"either\"`",
        ),
        (
            TypRule::AbsentOrJwt,
            Some("logout+jwt"),
            "its `typ` is \"logout+jwt\", expected none or JWT",
        ),
        (
            TypRule::AccessToken,
            None,
            "its `typ` is none, expected at+jwt (`token_type = \"at+jwt\"`)",
        ),
        (
            TypRule::AccessToken,
            Some("JWT"),
            "an ID token is not meant for this server",
        ),
        (
            TypRule::JwtOrAccessToken,
            Some("dpop+jwt"),
            "`token_type = \"either\"`",
        ),
    ] {
        let text = rule.check(typ).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
        // Only a plain access token is something that could be meant.
        assert_eq!(
            text.contains("; if the issuer's access"),
            typ == Some("at+jwt"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn j08_a_logout_token_is_no_login_whatever_its_typ() {
    let key = TestKey::ed25519();
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(JWKS, jwks(&[key.jwk("k")]));
    for typ in [
        TypRule::AbsentOrJwt,
        TypRule::JwtOrAccessToken,
        TypRule::AccessToken,
    ] {
        let issuers = issuers_with(vec![Issuer { typ, ..row() }], &fetch).unwrap();
        for header in [None, Some("JWT"), Some("at+jwt"), Some("logout+jwt")] {
            let mut claims = claims_with(
                "events",
                json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
            );
            let texts = [("client_id", "app"), ("jti", "1"), ("sid", "s")];
            claims.extend(texts.map(|(name, value)| (name.to_owned(), json!(value))));
            let mut protected = json!({ "alg": "EdDSA", "kid": "k" });
            if let Some(typ) = header {
                protected["typ"] = typ.into();
            }
            let token = key.token_with(&protected, Value::Object(claims).to_string());
            assert_eq!(
                reason(issuers.authenticate(&token, now()).await),
                Err(Reason::WrongType),
                "{header:?}"
            );
        }
    }
}

#[tokio::test]
async fn j08_access_and_id_tokens_of_one_key_are_not_mixed_up() {
    let key = TestKey::ed25519();
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(JWKS, jwks(&[key.jwk("k")]));
    let access = Issuer {
        typ: TypRule::AccessToken,
        ..row()
    };
    let issuers = issuers_with(vec![access], &fetch).unwrap();
    let token = |typ: Option<&str>, aud: &str| {
        let mut header = json!({ "alg": "EdDSA", "kid": "k" });
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        let mut claims = claims_with("aud", json!(aud));
        claims.extend([("client_id", "app"), ("jti", "1")].map(|(k, v)| (k.to_owned(), json!(v))));
        key.token_with(&header, Value::Object(claims).to_string())
    };
    for (token, expected) in [
        (
            token(Some("at+jwt"), "https://chat.example"),
            Ok("https://issuer.example user-1".to_owned()),
        ),
        (
            token(Some("application/AT+JWT"), "https://chat.example"),
            Ok("https://issuer.example user-1".to_owned()),
        ),
        (token(None, "https://chat.example"), Err(Reason::WrongType)),
        (
            token(Some("JWT"), "https://chat.example"),
            Err(Reason::WrongType),
        ),
        (
            token(Some("at+jwt"), "client-1"),
            Err(Reason::WrongAudience),
        ),
    ] {
        assert_eq!(reason(issuers.authenticate(&token, now()).await), expected);
    }
}

#[tokio::test]
async fn w09_without_keys_the_answer_is_unavailable_and_not_invalid() {
    let fetch = Arc::new(TestFetch::default());
    fetch.fail(JWKS, Some(Duration::from_secs(9)));
    let issuers = issuers_with(vec![row()], &fetch).unwrap();
    let outcome = issuers
        .authenticate(&TestKey::ed25519().token("k", &good_claims()), now())
        .await;
    match outcome {
        Err(Error::Unavailable {
            retry_after,
            message,
        }) => {
            assert_eq!(retry_after, Duration::from_secs(9));
            assert!(message.contains(ISSUER), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn w10_keys_of_one_issuer_say_nothing_about_another() {
    let (one, other) = (TestKey::ed25519(), TestKey::ed25519());
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(JWKS, jwks(&[one.jwk("k")]));
    fetch.answer("https://other.example/jwks", jwks(&[other.jwk("k")]));
    let second = Issuer {
        issuer: "https://other.example".to_owned(),
        keys: Keys::Jwks(Url::parse("https://other.example/jwks").unwrap()),
        ..row()
    };
    let issuers = issuers_with(vec![row(), second], &fetch).unwrap();
    let foreign = one.token(
        "k",
        &Value::Object(claims_with("iss", json!("https://other.example"))),
    );
    assert_eq!(
        reason(issuers.authenticate(&foreign, now()).await),
        Err(Reason::BadSignature)
    );
    let own = one.token("k", &good_claims());
    assert!(issuers.authenticate(&own, now()).await.is_ok());
}

#[tokio::test]
async fn b05_verified_tokens_are_believed_for_a_minute_at_most() {
    let key = TestKey::ed25519();
    let (issuers, fetch) = setup(&[&key]);
    let start = now();
    let token = key.token("k", &good_claims());
    let first = issuers.authenticate(&token, start).await.unwrap();
    let again = issuers
        .authenticate(&token, start.plus(Duration::from_secs(59)))
        .await
        .unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let later = issuers
        .authenticate(&token, start.plus(Duration::from_secs(61)))
        .await
        .unwrap();
    assert!(!Arc::ptr_eq(&first, &later));
    assert_eq!(fetch.fetches(), 1);

    let short = key.token(
        "k",
        &Value::Object(claims_with("exp", json!(NOW.seconds() + 5))),
    );
    let first = issuers.authenticate(&short, start).await.unwrap();
    // Past `exp` only the full check may accept, with its leeway.
    let again = issuers
        .authenticate(&short, start.plus(Duration::from_secs(6)))
        .await
        .unwrap();
    assert!(!Arc::ptr_eq(&first, &again));
    assert_eq!(
        reason(
            issuers
                .authenticate(&short, start.plus(Duration::from_secs(36)))
                .await
        ),
        Err(Reason::Expired)
    );
}

#[tokio::test]
async fn b05_verified_tokens_take_a_bounded_room() {
    let key = TestKey::ed25519();
    let (issuers, _) = setup(&[&key]);
    let long = "x".repeat(MAX_TOKEN_BYTES * 5 / 8);
    for number in 0..1_500 {
        let claims = claims_with("note", json!(format!("{number} {long}")));
        let token = key.token("k", &Value::Object(claims));
        issuers.authenticate(&token, now()).await.unwrap();
    }
    issuers.verified.run_pending_tasks();
    let room = issuers.verified.weighted_size();
    assert!(
        (VERIFIED_BYTES / 2..=VERIFIED_BYTES).contains(&room),
        "{room} bytes"
    );
}

#[tokio::test]
async fn b05_a_removed_key_ends_what_it_verified() {
    let key = TestKey::ed25519();
    let (issuers, fetch) = setup(&[&key]);
    let start = now();
    let token = key.token("k", &good_claims());
    assert!(issuers.authenticate(&token, start).await.is_ok());
    fetch.replace(JWKS, jwks(&[TestKey::ed25519().jwk("other")]));
    let other = TestKey::ed25519().token("other", &good_claims());
    let _ = issuers
        .authenticate(&other, start.plus(Duration::from_secs(1)))
        .await;
    let outcome = issuers
        .authenticate(&token, start.plus(Duration::from_secs(2)))
        .await;
    assert_eq!(reason(outcome), Err(Reason::UnknownKey));
}

#[tokio::test]
async fn w02_a_key_that_was_replaced_under_its_name_or_without_one_is_noticed() {
    for kid in [Some("k"), None] {
        let set = |key: &TestKey| {
            let mut jwk = key.jwk("k");
            if kid.is_none() {
                jwk.as_object_mut().unwrap().remove("kid");
            }
            jwks(&[jwk])
        };
        let token = |key: &TestKey| match kid {
            Some(kid) => key.token(kid, &good_claims()),
            None => key.token_with(&json!({ "alg": "EdDSA" }), good_claims().to_string()),
        };
        let (old, new) = (TestKey::ed25519(), TestKey::ed25519());
        let fetch = Arc::new(TestFetch::default());
        fetch.answer(JWKS, set(&old));
        let issuers = issuers_with(vec![row()], &fetch).unwrap();
        let start = now();
        let at = |seconds| start.plus(Duration::from_secs(seconds));
        assert!(issuers.authenticate(&token(&old), start).await.is_ok());
        fetch.replace(JWKS, set(&new));
        // A set that came just now is what the issuer has.
        let early = issuers.authenticate(&token(&new), at(9)).await;
        assert_eq!(reason(early), Err(Reason::BadSignature), "{kid:?}");
        assert_eq!(fetch.fetches(), 1);
        let fresh = token(&new);
        let waiting = (0..10).map(|_| issuers.authenticate(&fresh, at(10)));
        for outcome in join_all(waiting).await {
            assert!(outcome.is_ok(), "{kid:?}: {outcome:?}");
        }
        assert_eq!(fetch.fetches(), 2);
        // What the old key made is worth nothing any more, although it was believed before.
        let outcome = issuers.authenticate(&token(&old), at(11)).await;
        assert_eq!(reason(outcome), Err(Reason::BadSignature), "{kid:?}");
    }
}

#[tokio::test]
async fn w02_wrong_signatures_ask_within_the_budget_of_unknown_keys() {
    let key = TestKey::ed25519();
    let (issuers, fetch) = setup(&[&key]);
    let start = now();
    let good = key.token("k", &good_claims());
    assert!(issuers.authenticate(&good, start).await.is_ok());
    let forged = TestKey::ed25519().token("k", &good_claims());
    for number in 0..10_000_u64 {
        let moment = start.plus(Duration::from_millis(10_000 + number));
        let outcome = issuers.authenticate(&forged, moment).await;
        assert_eq!(reason(outcome), Err(Reason::BadSignature));
        if number % 10 == 0 {
            let unknown = key.token(&format!("forged-{number}"), &good_claims());
            assert!(issuers.authenticate(&unknown, moment).await.is_err());
        }
    }
    assert!(fetch.fetches() <= 8, "{} fetches in 10 s", fetch.fetches());
    // Now that it cannot be asked, a wrong signature is still that, and a good one is, too.
    let late = start.plus(Duration::from_secs(50));
    fetch.replace(JWKS, "");
    for _ in 0..3 {
        let outcome = issuers.authenticate(&forged, late).await;
        assert_eq!(reason(outcome), Err(Reason::BadSignature));
        let fresh = key.token("k", &good_claims());
        assert!(issuers.authenticate(&fresh, late).await.is_ok());
    }
    assert!(fetch.fetches() <= 9, "{}", fetch.fetches());
}

#[tokio::test]
async fn b05_forged_tokens_are_never_cached() {
    let key = TestKey::ed25519();
    let (issuers, _) = setup(&[&key]);
    for _ in 0..100 {
        let forged = TestKey::ed25519().token("k", &good_claims());
        assert_eq!(
            reason(issuers.authenticate(&forged, now()).await),
            Err(Reason::BadSignature)
        );
    }
    issuers.verified.run_pending_tasks();
    assert_eq!(issuers.verified.entry_count(), 0);
}

#[tokio::test]
async fn j09_rejections_name_the_token_without_holding_it() {
    let key = TestKey::ed25519();
    let (issuers, _) = setup(&[&key]);
    let forged = TestKey::ed25519().token("k", &good_claims());
    let Err(Error::Invalid(rejection)) = issuers.authenticate(&forged, now()).await else {
        panic!("accepted")
    };
    assert_eq!(rejection.key_id(), Some(r#""k""#));
    assert_eq!(rejection.issuer(), Some(r#""https://issuer.example""#));
    assert_eq!(rejection.token_hash().map(str::len), Some(8));
    let told = format!("{rejection} {rejection:?}");
    for part in forged.split('.') {
        assert!(!told.contains(part), "{told}");
    }
}

#[test]
fn configurations_that_would_let_others_in_are_refused() {
    let fetch = Arc::new(TestFetch::default());
    let secret = || Key::from_secret(&vec![7; 32].into(), Algorithm::Hs256, None).unwrap();
    for (name, rows) in [
        (
            "no audience",
            vec![Issuer {
                audience: Audience::aud(Vec::<String>::new()),
                ..row()
            }],
        ),
        (
            "empty audience",
            vec![Issuer {
                audience: Audience::aud([""]),
                ..row()
            }],
        ),
        (
            "no algorithm",
            vec![Issuer {
                algorithms: Vec::new(),
                ..row()
            }],
        ),
        (
            "k02 secrets and keys",
            vec![Issuer {
                algorithms: vec![Algorithm::Hs256, Algorithm::Rs256],
                ..row()
            }],
        ),
        (
            "k02 secrets by address",
            vec![Issuer {
                algorithms: vec![Algorithm::Hs256],
                ..row()
            }],
        ),
        (
            "no key",
            vec![Issuer {
                keys: Keys::Configured(KeySet::default()),
                ..row()
            }],
        ),
        (
            "key of another algorithm",
            vec![Issuer {
                keys: Keys::Configured(KeySet::from_keys([secret()])),
                ..row()
            }],
        ),
        (
            "leeway",
            vec![Issuer {
                leeway: Duration::from_secs(301),
                ..row()
            }],
        ),
        (
            "space",
            vec![Issuer {
                issuer: "https://a b".to_owned(),
                ..row()
            }],
        ),
        (
            "no subject",
            vec![Issuer {
                subject_claim: String::new(),
                ..row()
            }],
        ),
        ("twice", vec![row(), row()]),
        (
            "discovery",
            vec![Issuer {
                issuer: "not-a-url".to_owned(),
                keys: Keys::Discovery,
                ..row()
            }],
        ),
    ] {
        assert!(issuers_with(rows, &fetch).is_err(), "{name}");
    }
}

#[tokio::test]
async fn configured_secrets_verify_hs256_and_nothing_else() {
    let key = TestKey::of(Algorithm::Hs256);
    let fetch = Arc::new(TestFetch::default());
    let jwk = key.jwk("k");
    let secret = Key::from_jwk(
        jwk.as_object().unwrap(),
        &[Algorithm::Hs256],
        KeySource::Configured,
    )
    .unwrap();
    let issuer = Issuer {
        keys: Keys::Configured(KeySet::from_keys([secret])),
        algorithms: vec![Algorithm::Hs256],
        ..row()
    };
    let issuers = issuers_with(vec![issuer], &fetch).unwrap();
    assert!(
        issuers
            .authenticate(&key.token("k", &good_claims()), now())
            .await
            .is_ok()
    );
    let unnamed = key.token_with(&json!({ "alg": "HS256" }), good_claims().to_string());
    assert!(issuers.authenticate(&unnamed, now()).await.is_ok());
    assert_eq!(
        reason(
            issuers
                .authenticate(&key.token("x", &good_claims()), now())
                .await
        ),
        Err(Reason::UnknownKey)
    );
    assert_eq!(fetch.fetches(), 0);
    assert_eq!(issuers.refresh_due(now()).await, Duration::from_hours(1));
}

#[test]
fn better_auth_is_configured_by_its_base_url_alone() {
    for (base, issuer, jwks, session) in [
        (
            "http://localhost:3000",
            "http://localhost:3000",
            "http://localhost:3000/api/auth/jwks",
            "http://localhost:3000/api/auth/get-session?disableCookieCache=true",
        ),
        (
            "https://app.example.com/",
            "https://app.example.com",
            "https://app.example.com/api/auth/jwks",
            "https://app.example.com/api/auth/get-session?disableCookieCache=true",
        ),
        (
            "https://app.example.com:443/auth/",
            "https://app.example.com",
            "https://app.example.com/auth/jwks",
            "https://app.example.com/auth/get-session?disableCookieCache=true",
        ),
    ] {
        let row = Issuer::better_auth(&Url::parse(base).unwrap()).unwrap();
        assert_eq!(row.issuer, issuer);
        assert_eq!(row.audience, Audience::aud([issuer]));
        assert!(
            matches!(&row.keys, Keys::Jwks(address) if address.as_str() == jwks),
            "{:?}",
            row.keys
        );
        assert_eq!(row.session.unwrap().address.as_str(), session);
    }
    for base in ["ftp://a", "data:x", "http://user@a"] {
        assert!(
            Issuer::better_auth(&Url::parse(base).unwrap()).is_err(),
            "{base}"
        );
    }
}

/// Tokens, key sets and cookies that a real Better Auth server made.
fn recorded() -> Value {
    serde_json::from_str(include_str!("../../tests/data/better_auth.json")).unwrap()
}

#[tokio::test]
async fn recorded_better_auth_tokens_are_accepted_in_every_algorithm() {
    for (name, sample) in recorded().as_object().unwrap() {
        let base = Url::parse(sample["issuer"].as_str().unwrap()).unwrap();
        let fetch = Arc::new(TestFetch::default());
        fetch.answer(
            base.join("api/auth/jwks").unwrap().as_str(),
            sample["jwks"].to_string(),
        );
        let issuers = issuers_with(vec![Issuer::better_auth(&base).unwrap()], &fetch).unwrap();
        let issued_at = UnixTime::from_seconds(sample["issued_at"].as_i64().unwrap());
        let moment = Now::new(issued_at, Instant::now());
        let token = sample["token"].as_str().unwrap();
        let outcome = reason(issuers.authenticate(token, moment).await);
        if name == "session_cache" {
            // Signed with the very same key, but it is a cookie's content and holds the session
            // token in clear.
            assert!(
                matches!(outcome, Err(Reason::WrongType | Reason::MissingIssuer)),
                "{outcome:?}"
            );
            continue;
        }
        let subject = sample["subject"].as_str().unwrap();
        let expected = format!("{} {subject}", sample["issuer"].as_str().unwrap());
        assert_eq!(outcome, Ok(expected), "{name}");
        let expired = Now::new(issued_at.plus(Duration::from_mins(16)), Instant::now());
        assert_eq!(
            reason(issuers.authenticate(token, expired).await),
            Err(Reason::Expired),
            "{name}"
        );
    }
}
