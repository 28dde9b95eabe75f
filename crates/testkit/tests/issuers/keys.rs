//! Where keys are fetched from, and where they are not.

use std::time::Duration;

use auth::{Error, Issuer, Reason, claims::Audience, issuer::Keys, jws::Algorithm};
use serde_json::json;
use testkit::oidc::{OidcServer, SigningKey};
use url::Url;

use crate::{API, issuers, jwks, now, outcome, times, with};

/// What a forger writes into a token is never an address to us.
#[tokio::test]
async fn t07_w08_a_token_leads_to_no_address() {
    let server = OidcServer::start().await.unwrap();
    let (key, forger) = (
        SigningKey::ed25519("k").unwrap(),
        SigningKey::ed25519("forged").unwrap(),
    );
    let keys = "https://id.example/keys";
    server.publish(keys, &jwks(&[&key])).unwrap();
    let canary = format!("{}/keys", server.base_url());
    server.publish(&canary, &jwks(&[&forger])).unwrap();
    let rule = Issuer::new(
        "https://id.example",
        Keys::Jwks(Url::parse(keys).unwrap()),
        &[Algorithm::EdDsa],
        Audience::aud([API]),
    );
    let issuers = issuers(&server, vec![rule]);
    let claims = times(json!({ "iss": "https://id.example", "aud": API, "sub": "1" }));
    let honest = key.token(None, &claims).unwrap();
    assert!(outcome(&issuers, &honest).await.is_ok());
    for (header, changes, reason) in [
        (json!({ "jku": canary }), json!({}), Reason::BadSignature),
        (json!({ "x5u": canary }), json!({}), Reason::BadSignature),
        (
            json!({ "jku": canary }),
            json!({ "iss": server.base_url() }),
            Reason::UnknownIssuer,
        ),
    ] {
        let header = with(&json!({ "alg": "EdDSA", "kid": "k" }), header);
        let token = forger.sign(&header, &with(&claims, changes)).unwrap();
        assert_eq!(outcome(&issuers, &token).await, Err(reason), "{header}");
    }
    // A name that is an address is a name: an unknown one has the known address asked, and no other.
    let header = json!({ "alg": "EdDSA", "kid": canary });
    let token = forger.sign(&header, &claims).unwrap();
    assert_eq!(outcome(&issuers, &token).await, Err(Reason::UnknownKey));
    assert_eq!((server.asked(keys), server.asked_in_all()), (2, 2));
}

/// An issuer that is asked over TLS cannot send us to the plain addresses of our own machine.
#[tokio::test]
async fn w08_discovery_over_tls_names_keys_over_tls() {
    let key = SigningKey::ed25519("k").unwrap();
    for (issuer, address, is_asked) in [
        ("https://id.example", "https://keys.example/keys", true),
        ("https://id.example", "http://keys.example/keys", false),
        ("https://id.example", "http://127.0.0.1/keys", false),
        ("http://localhost", "http://127.0.0.1/keys", true),
        ("http://localhost", "https://keys.example/keys", true),
    ] {
        let server = OidcServer::start().await.unwrap();
        let document = json!({ "issuer": issuer, "jwks_uri": address });
        let discovery = format!("{issuer}/.well-known/openid-configuration");
        server.publish(&discovery, &document).unwrap();
        server.publish(address, &jwks(&[&key])).unwrap();
        let algorithms = [Algorithm::EdDsa];
        let rule = Issuer::new(issuer, Keys::Discovery, &algorithms, Audience::aud([API]));
        let issuers = issuers(&server, vec![rule]);
        let claims = times(json!({ "iss": issuer, "aud": API, "sub": "1" }));
        let token = key.token(None, &claims).unwrap();
        let answer = issuers.authenticate(&token, now()).await;
        assert_eq!(answer.is_ok(), is_asked, "{issuer} {address}: {answer:?}");
        assert_eq!(server.asked(address), usize::from(is_asked), "{address}");
    }
}

#[tokio::test]
async fn w09_discovery_of_another_issuer_is_not_believed_and_the_last_good_one_stays() {
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::ed25519("k").unwrap();
    let discovery = "https://id.example/.well-known/openid-configuration";
    let document =
        |issuer: &str| json!({ "issuer": issuer, "jwks_uri": "https://id.example/keys" });
    server
        .publish("https://id.example/keys", &jwks(&[&key]))
        .unwrap();
    let rule = || {
        Issuer::new(
            "https://id.example",
            Keys::Discovery,
            &[Algorithm::EdDsa],
            Audience::aud([API]),
        )
    };
    let claims = times(json!({ "iss": "https://id.example", "aud": API, "sub": "1" }));
    let token = key.token(None, &claims).unwrap();
    let is_unavailable =
        |result: Result<_, Error>| matches!(result, Err(Error::Unavailable { .. }));

    // Down at the start: that is no reason not to start, and nobody is told that their token is bad.
    let unlucky = issuers(&server, vec![rule()]);
    assert!(is_unavailable(unlucky.authenticate(&token, now()).await));
    for wrong in [
        "https://id.example/",
        "https://ID.example",
        "https://evil.example",
    ] {
        server.publish(discovery, &document(wrong)).unwrap();
        let issuers = issuers(&server, vec![rule()]);
        assert!(
            is_unavailable(issuers.authenticate(&token, now()).await),
            "{wrong}"
        );
    }
    assert_eq!(server.asked("https://id.example/keys"), 0);

    server
        .publish(discovery, &document("https://id.example"))
        .unwrap();
    let lucky = issuers(&server, vec![rule()]);
    assert!(lucky.authenticate(&token, now()).await.is_ok());
    // It comes back by itself, too.
    let later = now().plus(Duration::from_mins(1));
    assert!(unlucky.authenticate(&token, later).await.is_ok());

    // A new key while the document is wrong: the address of before is asked.
    server
        .publish(discovery, &document("https://evil.example"))
        .unwrap();
    let next = SigningKey::ed25519("k2").unwrap();
    server
        .publish("https://id.example/keys", &jwks(&[&key, &next]))
        .unwrap();
    let token = next.token(None, &claims).unwrap();
    assert!(lucky.authenticate(&token, now()).await.is_ok());
}
