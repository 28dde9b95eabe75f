//! Logout tokens, and everything that could be mistaken for one.

use std::sync::Arc;

use serde_json::json;
use url::Url;

use super::*;
use crate::{
    Environment, Issuer, UnixTime,
    issuer::Keys,
    jwks::KeyCacheLimits,
    jws::Algorithm,
    ports::{KeyFetch, Random},
    testing::{MemoryStore, NOW, TestFetch, TestKey, TestRandom, good_claims, jwks, now},
};

const JWKS: &str = "https://issuer.example/jwks";
const CLIENT: &str = "vestibule";

struct Setup {
    issuers: Issuers,
    store: MemoryStore,
}

fn setup(key: &TestKey, logout_audience: &[&str]) -> Setup {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(JWKS, jwks(&[key.jwk("k")]));
    let keys = Keys::Jwks(Url::parse(JWKS).unwrap());
    let audience = Audience::aud(["https://chat.example"]);
    let mut issuer = Issuer::new(
        "https://issuer.example",
        keys,
        &[Algorithm::EdDsa],
        audience,
    );
    issuer.logout_audience = logout_audience
        .iter()
        .map(|&name| name.to_owned())
        .collect();
    let fetch: Arc<dyn KeyFetch> = fetch;
    let random: Arc<dyn Random> = Arc::new(TestRandom::default());
    Setup {
        issuers: Issuers::new(vec![issuer], KeyCacheLimits::default(), &fetch, &random).unwrap(),
        store: MemoryStore::default(),
    }
}

fn good() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": CLIENT, "sub": "user-1", "sid": "login-1",
        "jti": "1", "iat": NOW.seconds() - 5, "exp": NOW.seconds() + 115,
        "events": { LOGOUT_EVENT: {} },
    })
}

fn with(changes: &Value) -> Value {
    let mut claims = good();
    let object = claims.as_object_mut().unwrap();
    object.extend(changes.as_object().unwrap().clone());
    object.retain(|_, value| !value.is_null());
    claims
}

fn signed(key: &TestKey, typ: Option<&str>, claims: &Value) -> String {
    let mut header = json!({ "alg": "EdDSA", "kid": "k" });
    if let Some(typ) = typ {
        header["typ"] = typ.into();
    }
    key.token_with(&header, claims.to_string())
}

async fn outcome(setup: &Setup, token: &str) -> Result<SignOut, Reason> {
    let signed_out = setup.issuers.sign_out(token, &setup.store, now()).await;
    signed_out
        .map(|(sign_out, _)| sign_out)
        .map_err(|error| match error {
            Error::Invalid(rejection) => rejection.reason(),
            other => panic!("{other:?}"),
        })
}

#[tokio::test]
async fn a_logout_token_names_who_has_signed_out() {
    let key = TestKey::ed25519();
    let house = setup(&key, &[CLIENT]);
    for (number, (changes, subject, session)) in [
        (json!({}), Some("user-1"), Some("login-1")),
        (json!({ "sid": null }), Some("user-1"), None),
        (json!({ "sub": null }), None, Some("login-1")),
        (
            json!({ "aud": ["other", CLIENT] }),
            Some("user-1"),
            Some("login-1"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = with(&changes);
        claims["jti"] = json!(number.to_string());
        for typ in ["logout+jwt", "application/logout+jwt"] {
            claims["jti"] = json!(format!("{number} {typ}"));
            let sign_out = outcome(&house, &signed(&key, Some(typ), &claims))
                .await
                .unwrap();
            assert_eq!(sign_out.issuer, "https://issuer.example");
            assert_eq!(sign_out.subject.as_deref(), subject);
            assert_eq!(sign_out.session.as_deref(), session);
        }
    }
}

#[tokio::test]
async fn everything_else_is_refused_with_its_reason() {
    let key = TestKey::ed25519();
    let house = setup(&key, &[CLIENT]);
    for (changes, reason) in [
        (json!({ "aud": "other" }), Reason::WrongAudience),
        // The audience of access tokens is not the client.
        (
            json!({ "aud": "https://chat.example" }),
            Reason::WrongAudience,
        ),
        (json!({ "aud": null }), Reason::MissingAudience),
        (
            json!({ "iss": "https://other.example" }),
            Reason::UnknownIssuer,
        ),
        (json!({ "exp": null }), Reason::MissingExpiry),
        (json!({ "exp": NOW.seconds() - 31 }), Reason::Expired),
        (json!({ "iat": null }), Reason::TooOld),
        (json!({ "iat": NOW.seconds() - 700 }), Reason::TooOld),
        (json!({ "exp": NOW.seconds() + 3_600 }), Reason::TooOld),
        (json!({ "iat": NOW.seconds() + 60 }), Reason::IssuedInFuture),
        (json!({ "events": null }), Reason::NotALogout),
        (json!({ "events": { "other": {} } }), Reason::NotALogout),
        (json!({ "events": [LOGOUT_EVENT] }), Reason::NotALogout),
        (
            json!({ "events": { LOGOUT_EVENT: true } }),
            Reason::NotALogout,
        ),
        (json!({ "nonce": "n" }), Reason::NotALogout),
        (json!({ "nonce": "" }), Reason::NotALogout),
        (json!({ "jti": null }), Reason::NotALogout),
        (json!({ "jti": 7 }), Reason::NotALogout),
        (json!({ "sub": null, "sid": null }), Reason::NotALogout),
        (json!({ "sub": "" }), Reason::NotALogout),
        (json!({ "sid": ["login-1"] }), Reason::NotALogout),
    ] {
        let token = signed(&key, Some("logout+jwt"), &with(&changes));
        assert_eq!(
            outcome(&house, &token).await.unwrap_err(),
            reason,
            "{changes}"
        );
    }
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("secevent+jwt")] {
        let token = signed(&key, typ, &good());
        assert_eq!(
            outcome(&house, &token).await.unwrap_err(),
            Reason::WrongType,
            "{typ:?}"
        );
    }
    let forged = signed(&TestKey::ed25519(), Some("logout+jwt"), &good());
    assert_eq!(
        outcome(&house, &forged).await.unwrap_err(),
        Reason::BadSignature
    );
    // A forgery does not use up the id of the true one.
    let token = signed(&key, Some("logout+jwt"), &good());
    assert!(outcome(&house, &token).await.is_ok());
    assert_eq!(outcome(&house, &token).await.unwrap_err(), Reason::Replayed);
    let again = with(&json!({ "iat": NOW.seconds() - 4 }));
    let token = signed(&key, Some("logout+jwt"), &again);
    assert_eq!(outcome(&house, &token).await.unwrap_err(), Reason::Replayed);

    let unconfigured = setup(&key, &[]);
    let token = signed(&key, Some("logout+jwt"), &good());
    assert_eq!(
        outcome(&unconfigured, &token).await.unwrap_err(),
        Reason::LogoutNotConfigured
    );
}

#[tokio::test]
async fn logout_tokens_and_users_tokens_are_not_mixed_up() {
    let key = TestKey::ed25519();
    let house = setup(&key, &[CLIENT, "https://chat.example"]);
    // Even with an audience that both have, and everything that a user's token needs.
    let logout = signed(
        &key,
        Some("logout+jwt"),
        &with(&json!({ "aud": "https://chat.example" })),
    );
    assert!(house.issuers.authenticate(&logout, now()).await.is_err());
    let user = key.token("k", &good_claims());
    assert!(house.issuers.authenticate(&user, now()).await.is_ok());
    assert_eq!(outcome(&house, &user).await.unwrap_err(), Reason::WrongType);
}

#[test]
fn a_login_ends_with_its_session_and_one_without_with_its_user() {
    let identity = |issuer: &str, subject: &str, sid: Option<&str>| {
        let claims = sid
            .map(|sid| ("sid".to_owned(), json!(sid)))
            .into_iter()
            .collect();
        let until = UnixTime::from_seconds(1);
        Identity::new(issuer, subject, Arc::new(claims), Environment::Live, until).unwrap()
    };
    let sign_out = |subject: Option<&str>, session: Option<&str>| SignOut {
        issuer: "a".to_owned(),
        subject: subject.map(str::to_owned),
        session: session.map(str::to_owned),
    };
    for (sign_out, subject, sid, expected) in [
        (sign_out(Some("ada"), None), "ada", Some("1"), true),
        (sign_out(Some("ada"), None), "ada", None, true),
        (sign_out(Some("ada"), None), "grace", Some("1"), false),
        (sign_out(None, Some("1")), "ada", Some("1"), true),
        (sign_out(None, Some("1")), "ada", Some("2"), false),
        (sign_out(None, Some("1")), "ada", None, false),
        (sign_out(Some("ada"), Some("1")), "ada", Some("1"), true),
        (sign_out(Some("ada"), Some("1")), "ada", Some("2"), false),
        (sign_out(Some("ada"), Some("1")), "ada", None, true),
        (sign_out(Some("ada"), Some("1")), "grace", Some("1"), false),
        (sign_out(Some("ada"), Some("1")), "grace", None, false),
    ] {
        assert_eq!(
            sign_out.is_of(&identity("a", subject, sid)),
            expected,
            "{sign_out:?} {subject} {sid:?}"
        );
        assert!(!sign_out.is_of(&identity("b", subject, sid)));
    }
}
