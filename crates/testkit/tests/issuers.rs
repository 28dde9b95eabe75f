//! Every issuer with a preset, with tokens shaped as its own: the good one is accepted, and each of
//! the known traps is refused for its own reason. The provider is a local one that is asked over
//! HTTP at the very addresses that the presets make.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should say where"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use auth::{
    Error, Issuer, Issuers, Now, Reason, UnixTime,
    claims::Audience,
    introspection::IntrospectionRule,
    issuer::{
        Keys,
        preset::{KeycloakAudience, TokenUse},
    },
    jwks::KeyCacheLimits,
    jws::Algorithm,
    ports::{ClientAuthMethod, KeyFetch, Random, SystemRandom},
};
use serde_json::{Map, Value, json};
use testkit::oidc::{CLIENT_ID, CLIENT_SECRET, OidcServer, SigningKey};
use upstream::{HttpClient, HttpKeyFetch, HttpPolicy, HttpTokenIntrospection};
use url::Url;

const SECONDS: i64 = 1_800_000_000;
const API: &str = "https://chat.example.com";

fn now() -> Now {
    Now::new(UnixTime::from_seconds(SECONDS), Instant::now())
}

fn client() -> HttpClient {
    HttpClient::new(&HttpPolicy::DOCUMENT).unwrap()
}

fn issuers(server: &OidcServer, rules: Vec<Issuer>) -> Issuers {
    let fetch: Arc<dyn KeyFetch> = Arc::new(server.reroute(HttpKeyFetch::new(client())));
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let issuers = Issuers::new(rules, KeyCacheLimits::default(), &fetch, &random).unwrap();
    let port = Arc::new(server.reroute(HttpTokenIntrospection::new(client())));
    issuers.with_introspection(port).unwrap()
}

/// The owner key of an accepted token, or why it was refused.
async fn outcome(issuers: &Issuers, token: &str) -> Result<String, Reason> {
    match issuers.authenticate(token, now()).await {
        Ok(identity) => Ok(identity.owner_key().to_owned()),
        Err(Error::Invalid(rejection)) => Err(rejection.reason()),
        Err(other) => panic!("{other:?}"),
    }
}

/// Claims with some of them replaced, or removed by null.
fn with(good: &Value, changes: Value) -> Value {
    let mut claims: Map<String, Value> = good.as_object().unwrap().clone();
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    claims.extend(changes);
    claims.retain(|_, value| !value.is_null());
    Value::Object(claims)
}

fn times(claims: Value) -> Value {
    with(
        &json!({ "iat": SECONDS - 10, "exp": SECONDS + 600 }),
        claims,
    )
}

fn jwks(keys: &[&SigningKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk().unwrap()).collect::<Vec<_>>() })
}

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

    // The profile of RFC 9068, with everything that it demands.
    let access = with(&case.good, json!({ "client_id": "client", "jti": "1" }));
    let token = case.key.token(Some("at+jwt"), &access).unwrap();
    assert!(outcome(&case.issuers, &token).await.is_ok());
    for missing in ["client_id", "jti", "iat", "sub"] {
        let claims = with(&access, json!({ missing: null }));
        let token = case.key.token(Some("at+jwt"), &claims).unwrap();
        assert!(outcome(&case.issuers, &token).await.is_err(), "{missing}");
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
    let health = case.issuers.health(now()).await;
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

/// An issuer with opaque tokens; its JWTs are never asked about.
fn opaque(name: &str, prefix: &str) -> Issuer {
    let keys = Keys::Jwks(Url::parse(&format!("{name}/keys")).unwrap());
    let mut issuer = Issuer::new(name, keys, &[Algorithm::EdDsa], Audience::aud([API]));
    issuer.introspection = Some(IntrospectionRule {
        address: Url::parse(&format!("{name}/introspect")).unwrap(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.into(),
        auth_method: ClientAuthMethod::Basic,
        audience: Audience::aud([API]),
        token_prefix: prefix.to_owned(),
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
    server.know("short", active(json!({ "exp": SECONDS + 5 })));
    issuers.authenticate("short", start).await.unwrap();
    assert!(
        issuers
            .authenticate("short", start.plus(Duration::from_secs(36)))
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

#[test]
fn two_issuers_without_prefixes_cannot_both_have_opaque_tokens() {
    let fetch: Arc<dyn KeyFetch> = Arc::new(HttpKeyFetch::new(client()));
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let rules = vec![
        opaque("https://id.example", ""),
        opaque("https://two.example", ""),
    ];
    let issuers = Issuers::new(rules, KeyCacheLimits::default(), &fetch, &random).unwrap();
    let port = Arc::new(HttpTokenIntrospection::new(client()));
    let message = issuers.with_introspection(port).unwrap_err().to_string();
    assert!(message.contains("opaque_token_prefix"), "{message}");
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_does_not_flood_the_issuer() {
    let server = OidcServer::start().await.unwrap();
    let issuers = issuers(&server, vec![opaque("https://id.example", "")]);
    let asked = || server.asked("https://id.example/introspect");
    server.know("good", active(json!({})));
    let flood = async |moment: Now| {
        let tokens = (0..1_000).map(|number| format!("made-up-{number}-{:?}", moment.wall));
        let tokens: Vec<String> = tokens.collect();
        let asked = tokens
            .iter()
            .map(|token| issuers.authenticate(token, moment));
        let outcomes = futures::future::join_all(asked).await;
        assert!(outcomes.iter().all(Result::is_err));
        outcomes
            .last()
            .is_some_and(|last| matches!(last, Err(Error::Unavailable { .. })))
    };
    let start = now();
    issuers.authenticate("good", start).await.unwrap();
    assert!(flood(start).await);
    // Those that were under way at once count as well; the rest is not asked about.
    assert!(asked() <= 1 + 100 + 32, "{}", asked());
    // The budget comes back by itself; and when it is used up, whoever was known before is asked
    // about all the same.
    let later = start.plus(Duration::from_secs(31));
    assert!(flood(later).await);
    let before = asked();
    assert!((150..=2 * 133).contains(&before), "{before}");
    issuers.authenticate("good", later).await.unwrap();
    assert_eq!(asked(), before + 1);
}
