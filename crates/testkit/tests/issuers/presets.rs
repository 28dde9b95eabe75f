//! Every issuer with a preset, with tokens shaped as its own: the good one is accepted, and each of
//! the known traps is refused for its own reason.

use auth::{
    Issuer, Issuers, Reason,
    claims::Audience,
    issuer::{
        Keys,
        preset::{KeycloakAudience, TokenUse},
    },
    jws::Algorithm,
};
use serde_json::{Value, json};
use testkit::oidc::{OidcServer, SigningKey};
use url::Url;

use crate::{API, SECONDS, issuers, jwks, now, outcome, times, with};

/// One issuer's good token and its traps.
struct Case {
    issuers: Issuers,
    key: SigningKey,
    typ: Option<&'static str>,
    good: Value,
    owner: &'static str,
}

impl Case {
    async fn is_accepted(&self) {
        let token = self.key.token(self.typ, &self.good).unwrap();
        assert_eq!(
            outcome(&self.issuers, &token).await,
            Ok(self.owner.to_owned())
        );
    }

    async fn is_accepted_with(&self, changes: Value) {
        let token = self
            .key
            .token(self.typ, &with(&self.good, changes.clone()))
            .unwrap();
        assert_eq!(
            outcome(&self.issuers, &token).await,
            Ok(self.owner.to_owned()),
            "{changes}"
        );
    }

    async fn is_refused_with(&self, changes: Value, reason: Reason) {
        let token = self
            .key
            .token(self.typ, &with(&self.good, changes.clone()))
            .unwrap();
        assert_eq!(
            outcome(&self.issuers, &token).await,
            Err(reason),
            "{changes}"
        );
    }
}

#[tokio::test]
async fn j07_auth0() {
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::rs256("a").unwrap();
    // They say to expect several keys.
    let old = SigningKey::rs256("b").unwrap();
    let jwks_address = "https://example.eu.auth0.com/.well-known/jwks.json";
    server.publish(jwks_address, &jwks(&[&old, &key])).unwrap();
    let issuer = Issuer::auth0("example.eu.auth0.com", &[API.to_owned()]).unwrap();
    let case = Case {
        issuers: issuers(&server, vec![issuer]),
        key,
        typ: Some("JWT"),
        good: times(json!({
            "iss": "https://example.eu.auth0.com/", "sub": "auth0|1", "azp": "client",
            "aud": [API, "https://example.eu.auth0.com/userinfo"], "scope": "openid",
        })),
        owner: "https://example.eu.auth0.com/ auth0|1",
    };
    case.is_accepted().await;
    case.is_refused_with(
        json!({ "iss": "https://example.eu.auth0.com" }),
        Reason::UnknownIssuer,
    )
    .await;
    // An ID token: the client is the audience.
    case.is_refused_with(json!({ "aud": "client" }), Reason::WrongAudience)
        .await;

    // The profile of RFC 9068, with everything that it demands, or `azp` for the client and no `jti`.
    let access = with(&case.good, json!({ "client_id": "client", "jti": "1" }));
    let usual = json!({ "client_id": null, "jti": null });
    for (changes, is_good) in [
        (json!({}), true),
        (usual, true),
        (json!({ "client_id": null, "azp": null }), false),
        (json!({ "iat": null }), false),
        (json!({ "sub": null }), false),
    ] {
        let claims = with(&access, changes.clone());
        let token = case.key.token(Some("at+jwt"), &claims).unwrap();
        let outcome = outcome(&case.issuers, &token).await;
        assert_eq!(outcome.is_ok(), is_good, "{changes}");
    }

    // Without `audience` in the request its tokens are opaque, or encrypted.
    assert_eq!(
        outcome(&case.issuers, "rT4Cq1W").await,
        Err(Reason::NotCompact)
    );
    let encrypted = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y2lwaGVy.dGFn";
    assert_eq!(
        outcome(&case.issuers, encrypted).await,
        Err(Reason::Encrypted)
    );
    let sentence = Reason::Encrypted.sentence();
    assert!(
        sentence.contains("Auth0") && sentence.contains("`audience`"),
        "{sentence}"
    );
    assert_eq!(server.asked(jwks_address), 1);
}

#[tokio::test]
async fn j07_clerk() {
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::rs256("ins_1").unwrap();
    server
        .publish(
            "https://clerk.example.com/.well-known/jwks.json",
            &jwks(&[&key]),
        )
        .unwrap();
    let issuer =
        Issuer::clerk("clerk.example.com", &["https://app.example.com".to_owned()]).unwrap();
    let case = Case {
        issuers: issuers(&server, vec![issuer]),
        key,
        typ: Some("JWT"),
        good: json!({
            "iss": "https://clerk.example.com", "sub": "user_1", "sid": "sess_1", "sts": "active",
            "azp": "https://app.example.com", "v": 2,
            "iat": SECONDS - 5, "nbf": SECONDS - 15, "exp": SECONDS + 55,
        }),
        owner: "https://clerk.example.com user_1",
    };
    case.is_accepted().await;
    case.is_accepted_with(json!({ "sts": null })).await;
    case.is_refused_with(
        json!({ "azp": "https://evil.example.com" }),
        Reason::WrongAudience,
    )
    .await;
    case.is_refused_with(json!({ "azp": null }), Reason::MissingAudience)
        .await;
    // A token of a template.
    case.is_refused_with(json!({ "sid": null }), Reason::WrongClaim)
        .await;
    case.is_refused_with(json!({ "sts": "pending" }), Reason::WrongClaim)
        .await;
    case.is_refused_with(json!({ "nbf": SECONDS + 60 }), Reason::NotYetValid)
        .await;
}

#[tokio::test]
async fn j07_supabase() {
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::es256("s").unwrap();
    server
        .publish(
            "https://abc.supabase.co/auth/v1/.well-known/jwks.json",
            &jwks(&[&key]),
        )
        .unwrap();
    let case = Case {
        issuers: issuers(&server, vec![Issuer::supabase("abc").unwrap()]),
        key,
        typ: Some("JWT"),
        good: times(json!({
            "iss": "https://abc.supabase.co/auth/v1", "sub": "u-1", "aud": "authenticated",
            "role": "authenticated", "session_id": "1", "aal": "aal1",
        })),
        owner: "https://abc.supabase.co/auth/v1 u-1",
    };
    case.is_accepted().await;
    case.is_refused_with(json!({ "role": "service_role" }), Reason::WrongClaim)
        .await;
    case.is_refused_with(json!({ "aud": "anon" }), Reason::WrongAudience)
        .await;
    // The legacy secret is no key of the new kind.
    let legacy = SigningKey::hs256("s", b"0123456789abcdef0123456789abcdef");
    let token = legacy.token(Some("JWT"), &case.good).unwrap();
    assert_eq!(
        outcome(&case.issuers, &token).await,
        Err(Reason::AlgorithmNotAllowed)
    );
}

#[tokio::test]
async fn j07_supabase_legacy() {
    let server = OidcServer::start().await.unwrap();
    let secret = b"super-secret-jwt-token-with-at-least-32-characters".to_vec();
    let issuer = Issuer::supabase_legacy("abc", &secret.clone().into()).unwrap();
    let case = Case {
        issuers: issuers(&server, vec![issuer]),
        key: SigningKey::hs256("legacy", &secret),
        typ: Some("JWT"),
        good: times(json!({
            "iss": "https://abc.supabase.co/auth/v1", "sub": "u-1", "aud": "authenticated",
            "role": "authenticated",
        })),
        owner: "https://abc.supabase.co/auth/v1 u-1",
    };
    // The secret has no name; tokens of this kind have no `kid` either.
    let token = |claims: &Value| {
        case.key
            .sign(&json!({ "alg": "HS256", "typ": "JWT" }), claims)
            .unwrap()
    };
    assert_eq!(
        outcome(&case.issuers, &token(&case.good)).await,
        Ok(case.owner.to_owned())
    );
    // The project's API keys are tokens under the same secret; these live for ten years.
    for role in ["anon", "service_role"] {
        let key = json!({
            "iss": "supabase", "ref": "abc", "role": role, "iat": SECONDS - 10, "exp": SECONDS + 315_360_000,
        });
        assert_eq!(
            outcome(&case.issuers, &token(&key)).await,
            Err(Reason::UnknownIssuer),
            "{role}"
        );
        for claims in [
            with(&case.good, json!({ "role": role })),
            with(&case.good, json!({ "role": null })),
        ] {
            assert_eq!(
                outcome(&case.issuers, &token(&claims)).await,
                Err(Reason::WrongClaim)
            );
        }
        let nobody = with(&case.good, json!({ "sub": null }));
        assert_eq!(
            outcome(&case.issuers, &token(&nobody)).await,
            Err(Reason::BadSubject)
        );
    }
    assert!(Issuer::supabase_legacy("abc", &b"short".to_vec().into()).is_err());
    assert_eq!(server.asked_in_all(), 0);
}

#[tokio::test]
async fn j07_firebase() {
    const MAP: &str =
        "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com";
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::rs256("f1").unwrap();
    let expired = SigningKey::rs256("f0").unwrap();
    let future = SigningKey::rs256("f2").unwrap();
    // The time of these tests is January 2027.
    let map = json!({
        "f0": expired.certificate(2020, 2021).unwrap(),
        "f1": key.certificate(2026, 2028).unwrap(),
        "f2": future.certificate(2028, 2029).unwrap(),
        "broken": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "strange": 1,
    });
    server.publish(MAP, &map).unwrap();
    let case = Case {
        issuers: issuers(&server, vec![Issuer::firebase("my-project").unwrap()]),
        key,
        typ: Some("JWT"),
        good: times(json!({
            "iss": "https://securetoken.google.com/my-project", "aud": "my-project",
            "sub": "uid1", "user_id": "uid1", "auth_time": SECONDS - 100,
        })),
        owner: "https://securetoken.google.com/my-project uid1",
    };
    case.is_accepted().await;
    case.is_refused_with(json!({ "aud": "other" }), Reason::WrongAudience)
        .await;
    case.is_refused_with(json!({ "sub": "" }), Reason::BadSubject)
        .await;
    case.is_refused_with(json!({ "auth_time": SECONDS + 100 }), Reason::WrongClaim)
        .await;
    case.is_refused_with(json!({ "auth_time": null }), Reason::WrongClaim)
        .await;
    // A session cookie of the same project.
    let cookie = json!({ "iss": "https://session.firebase.google.com/my-project" });
    case.is_refused_with(cookie, Reason::UnknownIssuer).await;
    for stranger in [expired, future] {
        let token = stranger.token(Some("JWT"), &case.good).unwrap();
        assert_eq!(
            outcome(&case.issuers, &token).await,
            Err(Reason::UnknownKey)
        );
    }
    let health = case.issuers.health(now());
    assert_eq!(
        (health[0].1.keys, health[0].1.skipped.len()),
        (1, 4),
        "{health:?}"
    );
}

#[tokio::test]
async fn j07_keycloak() {
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::rs256("kc").unwrap();
    let mut encryption = SigningKey::rs256("enc").unwrap().jwk().unwrap();
    encryption["use"] = json!("enc");
    encryption["alg"] = json!("RSA-OAEP");
    let set = json!({ "keys": [encryption, key.jwk().unwrap()] });
    server
        .publish(
            "https://id.example.com/realms/shop/protocol/openid-connect/certs",
            &set,
        )
        .unwrap();
    let realm = Url::parse("https://id.example.com/realms/shop/").unwrap();
    let by = |audience| issuers(&server, vec![Issuer::keycloak(&realm, audience).unwrap()]);
    let case = Case {
        issuers: by(KeycloakAudience::Client(vec!["web".to_owned()])),
        key,
        typ: Some("JWT"),
        good: times(json!({
            "iss": "https://id.example.com/realms/shop", "sub": "k-1", "typ": "Bearer",
            "azp": "web", "aud": "account", "sid": "s", "jti": "1",
        })),
        owner: "https://id.example.com/realms/shop k-1",
    };
    case.is_accepted().await;
    case.is_accepted_with(json!({ "aud": null })).await;
    case.is_refused_with(json!({ "azp": "other" }), Reason::WrongAudience)
        .await;
    case.is_refused_with(json!({ "azp": null }), Reason::MissingAudience)
        .await;
    for kind in [json!("ID"), json!("Refresh"), json!("Logout"), json!(null)] {
        case.is_refused_with(json!({ "typ": kind }), Reason::WrongClaim)
            .await;
    }
    case.is_refused_with(
        json!({ "iss": "https://id.example.com/realms/other" }),
        Reason::UnknownIssuer,
    )
    .await;

    // With a mapper, by `aud`: the usual `account` is not us.
    let case = Case {
        issuers: by(KeycloakAudience::Audience(vec![API.to_owned()])),
        ..case
    };
    case.is_accepted_with(json!({ "aud": ["account", API] }))
        .await;
    case.is_refused_with(json!({}), Reason::WrongAudience).await;
    case.is_refused_with(json!({ "aud": null }), Reason::MissingAudience)
        .await;
}

#[tokio::test]
async fn j07_cognito() {
    const POOL: &str = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC";
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::rs256("c").unwrap();
    server
        .publish(&format!("{POOL}/.well-known/jwks.json"), &jwks(&[&key]))
        .unwrap();
    let by = |token_use| {
        let clients = ["app1".to_owned()];
        issuers(
            &server,
            vec![Issuer::cognito("eu-central-1_AbC", &clients, token_use).unwrap()],
        )
    };
    let case = Case {
        issuers: by(TokenUse::Access),
        key,
        typ: None,
        good: times(json!({
            "iss": POOL, "sub": "c-1", "client_id": "app1", "token_use": "access", "jti": "1",
        })),
        owner: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC c-1",
    };
    case.is_accepted().await;
    case.is_refused_with(json!({ "client_id": "app2" }), Reason::WrongAudience)
        .await;
    let id_token = json!({ "client_id": null, "aud": "app1", "token_use": "id" });
    case.is_refused_with(id_token.clone(), Reason::MissingAudience)
        .await;
    case.is_refused_with(json!({ "token_use": "id" }), Reason::WrongClaim)
        .await;
    let case = Case {
        issuers: by(TokenUse::Id),
        ..case
    };
    case.is_accepted_with(id_token).await;
    case.is_refused_with(json!({ "aud": "app1" }), Reason::WrongClaim)
        .await;
}

#[tokio::test]
async fn j07_entra() {
    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    const OTHER: &str = "99999999-2222-3333-4444-555555555555";
    let keys_of =
        |tenant| format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys");
    let name = |tenant| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::rs256("e1").unwrap();
    let foreign = SigningKey::rs256("e2").unwrap();
    // No `alg`; `x5c` and an `issuer`, which binds a key to tenants.
    let entra_jwk = |key: &SigningKey, issuer: &str| {
        let mut jwk = key.jwk().unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk["x5c"] = json!(["MIIC"]);
        jwk["issuer"] = json!(issuer);
        jwk
    };
    let set = json!({ "keys": [entra_jwk(&key, &name("{tenantid}")), entra_jwk(&foreign, &name(OTHER))] });
    server.publish(&keys_of(TENANT), &set).unwrap();
    let issuer = Issuer::entra(TENANT, &["api://chat".to_owned()]).unwrap();
    let case = Case {
        issuers: issuers(&server, vec![issuer]),
        key,
        typ: Some("JWT"),
        good: times(json!({
            "iss": name(TENANT), "tid": TENANT, "aud": "api://chat", "oid": "object-1",
            "sub": "pairwise", "ver": "2.0", "nbf": SECONDS - 10,
        })),
        owner: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0 object-1",
    };
    case.is_accepted().await;
    // Version 1 of the token is the same person.
    case.is_accepted_with(
        json!({ "iss": format!("https://sts.windows.net/{TENANT}/"), "ver": "1.0" }),
    )
    .await;
    case.is_refused_with(
        json!({ "iss": name(OTHER), "tid": OTHER }),
        Reason::UnknownIssuer,
    )
    .await;
    case.is_refused_with(json!({ "iss": name("{tenantid}") }), Reason::UnknownIssuer)
        .await;
    case.is_refused_with(json!({ "tid": OTHER }), Reason::WrongClaim)
        .await;
    case.is_refused_with(json!({ "tid": null }), Reason::WrongClaim)
        .await;
    case.is_refused_with(json!({ "oid": null }), Reason::BadSubject)
        .await;
    case.is_refused_with(
        json!({ "aud": "00000003-0000-0000-c000-000000000000" }),
        Reason::WrongAudience,
    )
    .await;
    let token = foreign.token(Some("JWT"), &case.good).unwrap();
    assert_eq!(
        outcome(&case.issuers, &token).await,
        Err(Reason::UnknownKey)
    );
}

#[tokio::test]
async fn j07_google() {
    let server = OidcServer::start().await.unwrap();
    let key = SigningKey::rs256("g").unwrap();
    let document = json!({ "issuer": "https://accounts.google.com", "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs" });
    server
        .publish(
            "https://accounts.google.com/.well-known/openid-configuration",
            &document,
        )
        .unwrap();
    server
        .publish("https://www.googleapis.com/oauth2/v3/certs", &jwks(&[&key]))
        .unwrap();
    let by = |domains: &[String]| {
        let clients = ["1-a.apps.googleusercontent.com".to_owned()];
        issuers(&server, vec![Issuer::google(&clients, domains).unwrap()])
    };
    let case = Case {
        issuers: by(&[]),
        key,
        typ: Some("JWT"),
        good: times(json!({
            "iss": "https://accounts.google.com", "aud": "1-a.apps.googleusercontent.com",
            "azp": "1-a.apps.googleusercontent.com", "sub": "1098", "email": "ada@example.com",
        })),
        owner: "https://accounts.google.com 1098",
    };
    case.is_accepted().await;
    case.is_accepted_with(json!({ "iss": "accounts.google.com" }))
        .await;
    case.is_refused_with(
        json!({ "aud": "2-b.apps.googleusercontent.com" }),
        Reason::WrongAudience,
    )
    .await;
    let case = Case {
        issuers: by(&["example.com".to_owned()]),
        ..case
    };
    case.is_accepted_with(json!({ "hd": "example.com" })).await;
    case.is_refused_with(json!({ "hd": "evil.example" }), Reason::WrongClaim)
        .await;
    // A private account, whatever address it has.
    case.is_refused_with(json!({}), Reason::WrongClaim).await;
}

#[tokio::test]
async fn the_same_subject_at_two_issuers_is_two_people() {
    let server = OidcServer::start().await.unwrap();
    let mut rules = Vec::new();
    let mut tokens = Vec::new();
    for name in ["https://one.example", "https://two.example"] {
        let key = SigningKey::ed25519("k").unwrap();
        let jwks_uri = format!("{name}/keys");
        let document = json!({ "issuer": name, "jwks_uri": jwks_uri });
        server
            .publish(
                &format!("{name}/.well-known/openid-configuration"),
                &document,
            )
            .unwrap();
        server.publish(&jwks_uri, &jwks(&[&key])).unwrap();
        rules.push(Issuer::new(
            name,
            Keys::Discovery,
            &[Algorithm::EdDsa],
            Audience::aud([API]),
        ));
        let claims = times(json!({ "iss": name, "aud": API, "sub": "1" }));
        tokens.push(key.token(None, &claims).unwrap());
    }
    let issuers = issuers(&server, rules);
    let mut owners = Vec::new();
    for token in &tokens {
        owners.push(outcome(&issuers, token).await.unwrap());
    }
    assert_eq!(owners, ["https://one.example 1", "https://two.example 1"]);
}
