//! Opaque tokens, which their issuer is asked about (RFC 7662).

use std::{net::IpAddr, sync::Arc, time::Duration};

use auth::{
    Error, Issuer, Now, Reason,
    claims::Audience,
    introspection::{IntrospectionRule, OpaqueShape},
    issuer::Keys,
    jws::Algorithm,
    ports::ClientAuthMethod,
};
use serde_json::{Value, json};
use testkit::oidc::{CLIENT_ID, CLIENT_SECRET, OidcServer, SigningKey};
use url::Url;

use crate::{API, SECONDS, issuers, now, outcome, times, try_issuers, with};

/// An issuer with opaque tokens, all of them when they have no prefix; its JWTs are never asked about.
fn opaque(name: &str, prefix: &str) -> Issuer {
    let keys = Keys::Jwks(Url::parse(&format!("{name}/keys")).unwrap());
    let mut issuer = Issuer::new(name, keys, &[Algorithm::EdDsa], Audience::aud([API]));
    issuer.introspection = Some(IntrospectionRule {
        address: Url::parse(&format!("{name}/introspect")).unwrap(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.into(),
        auth_method: ClientAuthMethod::Basic,
        audience: Audience::aud([API]),
        shape: match prefix {
            "" => OpaqueShape::Any,
            prefix => OpaqueShape::Prefix(prefix.to_owned()),
        },
        believed_for: Duration::from_secs(30),
    });
    issuer
}

fn active(changes: Value) -> Value {
    let good = json!({
        "active": true, "sub": "1", "aud": API, "iss": "https://id.example", "token_type": "Bearer",
        "exp": SECONDS + 600, "iat": SECONDS - 1, "client_id": "app", "scope": "chat",
    });
    with(&good, changes)
}

#[tokio::test]
async fn an_opaque_token_is_what_its_issuer_says() {
    let server = OidcServer::start().await.unwrap();
    let issuers = issuers(&server, vec![opaque("https://id.example", "")]);
    for (token, answer, expected) in [
        (
            "good",
            active(json!({})),
            Ok("https://id.example 1".to_owned()),
        ),
        (
            "no-iss",
            active(json!({ "iss": null })),
            Ok("https://id.example 1".to_owned()),
        ),
        (
            "inactive",
            json!({ "active": false }),
            Err(Reason::Inactive),
        ),
        (
            "text",
            active(json!({ "active": "true" })),
            Err(Reason::Inactive),
        ),
        (
            "absent",
            active(json!({ "active": null })),
            Err(Reason::Inactive),
        ),
        (
            "other-aud",
            active(json!({ "aud": "https://other.example" })),
            Err(Reason::WrongAudience),
        ),
        (
            "no-aud",
            active(json!({ "aud": null })),
            Err(Reason::MissingAudience),
        ),
        (
            "other-iss",
            active(json!({ "iss": "https://other.example" })),
            Err(Reason::WrongClaim),
        ),
        (
            "expired",
            active(json!({ "exp": SECONDS - 31 })),
            Err(Reason::Expired),
        ),
        (
            "no-exp",
            active(json!({ "exp": null })),
            Err(Reason::MissingExpiry),
        ),
        (
            "nobody",
            active(json!({ "sub": null })),
            Err(Reason::BadSubject),
        ),
        (
            "refresh",
            active(json!({ "token_type": "refresh_token" })),
            Err(Reason::WrongClaim),
        ),
        (
            "bound",
            active(json!({ "cnf": { "jkt": "x" } })),
            Err(Reason::SenderConstrained),
        ),
    ] {
        server.know(token, answer);
        assert_eq!(outcome(&issuers, token).await, expected, "{token}");
    }
    assert_eq!(outcome(&issuers, "unknown").await, Err(Reason::Inactive));
}

#[tokio::test]
async fn an_issuer_is_asked_about_its_own_opaque_tokens_and_nothing_else() {
    let server = OidcServer::start().await.unwrap();
    let issuers = issuers(
        &server,
        vec![
            opaque("https://id.example", "one_"),
            opaque("https://two.example", "two_"),
        ],
    );
    server.know("two_1", active(json!({ "iss": "https://two.example" })));
    assert_eq!(
        outcome(&issuers, "two_1").await,
        Ok("https://two.example 1".to_owned())
    );
    assert_eq!(server.asked("https://id.example/introspect"), 0);
    assert_eq!(server.asked("https://two.example/introspect"), 1);
    assert_eq!(outcome(&issuers, "three_1").await, Err(Reason::NotCompact));
    // JWTs, signed by whomever, and encrypted tokens.
    let stranger = SigningKey::ed25519("k").unwrap();
    let jwt = stranger
        .token(None, &times(json!({ "iss": "https://else.example" })))
        .unwrap();
    assert_eq!(outcome(&issuers, &jwt).await, Err(Reason::UnknownIssuer));
    assert_eq!(
        outcome(&issuers, "one_a.b.c.d.e").await,
        Err(Reason::Encrypted)
    );
    assert_eq!(
        outcome(&issuers, "one_a.b.c").await,
        Err(Reason::BadEncoding)
    );
    assert_eq!(server.asked_in_all(), 1);
}

#[tokio::test]
async fn answers_are_kept_for_a_short_while_and_asked_for_once() {
    let server = OidcServer::start().await.unwrap();
    let issuers = Arc::new(issuers(&server, vec![opaque("https://id.example", "")]));
    let asked = || server.asked("https://id.example/introspect");
    server.know("good", active(json!({})));
    let start = now();
    let at_once = (0..50).map(|_| issuers.authenticate("good", start));
    for result in futures::future::join_all(at_once).await {
        result.unwrap();
    }
    assert_eq!(asked(), 1);
    issuers
        .authenticate("good", start.plus(Duration::from_secs(29)))
        .await
        .unwrap();
    assert_eq!(asked(), 1);
    // Revoked at the issuer.
    server.know("good", json!({ "active": false }));
    let later = start.plus(Duration::from_secs(31));
    assert!(issuers.authenticate("good", later).await.is_err());
    assert!(
        issuers
            .authenticate("good", later.plus(Duration::from_secs(4)))
            .await
            .is_err()
    );
    assert_eq!(asked(), 2);

    // Past `exp` nothing is believed any more, however fresh.
    server.know("short", active(json!({ "exp": SECONDS + 40 })));
    issuers.authenticate("short", later).await.unwrap();
    assert!(
        issuers
            .authenticate("short", start.plus(Duration::from_secs(71)))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_makes_nobody_a_stranger() {
    let server = OidcServer::start().await.unwrap();
    let issuers_of = |rule| issuers(&server, vec![rule]);
    let issuers = issuers_of(opaque("https://id.example", ""));
    server.know("good", active(json!({})));
    server.fail(Some((503, 7)));
    match issuers.authenticate("good", now()).await {
        Err(Error::Unavailable { retry_after, .. }) => {
            assert_eq!(retry_after, Duration::from_secs(7));
        }
        other => panic!("{other:?}"),
    }
    server.fail(None);
    assert!(issuers.authenticate("good", now()).await.is_ok());

    // Our own credentials are wrong: the operator's fault, and not the user's.
    let mut rule = opaque("https://id.example", "");
    rule.introspection.as_mut().unwrap().client_secret = "wrong".into();
    match issuers_of(rule).authenticate("good", now()).await {
        Err(Error::Unavailable { message, .. }) => {
            assert!(message.contains("client id and secret"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_client_says_who_it_is_where_the_issuer_looks() {
    use ClientAuthMethod::{Basic, Post};
    let server = OidcServer::start().await.unwrap();
    server.know("good", active(json!({})));
    for (taken, sent) in [(Basic, Basic), (Basic, Post), (Post, Basic), (Post, Post)] {
        server.take_clients(taken);
        let mut rule = opaque("https://id.example", "");
        rule.introspection.as_mut().unwrap().auth_method = sent;
        let outcome = issuers(&server, vec![rule])
            .authenticate("good", now())
            .await;
        assert_eq!(outcome.is_ok(), taken == sent, "{taken:?} {sent:?}");
    }
}

#[tokio::test]
async fn two_issuers_without_prefixes_cannot_both_have_opaque_tokens() {
    let server = OidcServer::start().await.unwrap();
    let rules = vec![
        opaque("https://id.example", ""),
        opaque("https://two.example", ""),
    ];
    let message = try_issuers(&server, rules).unwrap_err().to_string();
    assert!(message.contains("opaque_token_prefix"), "{message}");
}

#[tokio::test]
async fn keys_of_other_makers_are_shown_to_nobody() {
    let server = OidcServer::start().await.unwrap();
    let issuers = issuers(&server, vec![opaque("https://id.example", "")]);
    for key in [
        "sk-proj-abcdefghijklmnopqrstuvwxyz",
        "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
        "sk_live_abcdefghijklmnopqrstuvwxyz",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "gho_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_abcdefghijklmnopqrstuvwxyz",
        "xoxb-1234-5678-abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "glpat-abcdefghijklmnopqrst",
    ] {
        server.know(key, active(json!({})));
        assert_eq!(
            outcome(&issuers, key).await,
            Err(Reason::ForeignKey),
            "{key}"
        );
    }
    assert_eq!(server.asked_in_all(), 0);
    // Nor can a prefix be set that would have them shown.
    for prefix in ["sk-", "sk-proj-", "ghp_", "xoxb-", "AKIA"] {
        let rules = vec![opaque("https://id.example", prefix)];
        let message = try_issuers(&server, rules).unwrap_err().to_string();
        assert!(message.contains("another service"), "{prefix}: {message}");
    }
}

#[tokio::test]
async fn a_clients_own_opaque_token_is_no_person() {
    let server = OidcServer::start().await.unwrap();
    let machine = active(json!({ "sub": "app", "client_id": "app" }));
    server.know("machine", machine.clone());
    server.know("person", with(&machine, json!({ "username": "app" })));
    let closed = issuers(&server, vec![opaque("https://id.example", "")]);
    assert_eq!(outcome(&closed, "machine").await, Err(Reason::MachineToken));
    assert!(outcome(&closed, "person").await.is_ok());
    let open = Issuer {
        are_machines_taken: true,
        ..opaque("https://id.example", "")
    };
    let open = issuers(&server, vec![open]);
    assert!(outcome(&open, "machine").await.is_ok());
}

#[tokio::test]
async fn r02_a_flood_of_made_up_tokens_floods_neither_the_issuer_nor_other_addresses() {
    let server = OidcServer::start().await.unwrap();
    let issuers = issuers(&server, vec![opaque("https://id.example", "")]);
    let asked = || server.asked("https://id.example/introspect");
    let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
    server.know("good", active(json!({})));
    server.know("other", active(json!({ "sub": "2" })));
    let flood = async |moment: Now| {
        for round in 0..50 {
            let tokens =
                (0..20).map(|number| format!("made-up-{round}-{number}-{:?}", moment.wall));
            let tokens: Vec<String> = tokens.collect();
            let asked = tokens
                .iter()
                .map(|token| issuers.authenticate_for(address(1), token, moment));
            let outcomes = futures::future::join_all(asked).await;
            assert!(outcomes.iter().all(Result::is_err));
        }
        let last = issuers
            .authenticate_for(address(1), "one-more", moment)
            .await;
        matches!(last, Err(Error::Unavailable { .. }))
    };
    let start = now();
    issuers
        .authenticate_for(address(1), "good", start)
        .await
        .unwrap();
    assert!(flood(start).await);
    // Those that were under way at once count as well; the rest is not asked about.
    assert!(asked() <= 1 + 60 + 8, "{}", asked());
    // Everybody else comes in as before, with tokens that were never seen, too.
    issuers
        .authenticate_for(address(2), "other", start)
        .await
        .unwrap();
    let unknown = issuers.authenticate_for(address(2), "unknown", start).await;
    assert!(matches!(unknown, Err(Error::Invalid(_))), "{unknown:?}");
    // The budget comes back by itself; and when it is used up, whoever was known before is asked
    // about all the same.
    let (before, later) = (asked(), start.plus(Duration::from_secs(31)));
    assert!(flood(later).await);
    assert!(
        (60..=68).contains(&(asked() - before)),
        "{}",
        asked() - before
    );
    let before = asked();
    issuers
        .authenticate_for(address(1), "good", later)
        .await
        .unwrap();
    assert_eq!(asked(), before + 1);
}
