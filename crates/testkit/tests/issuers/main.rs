//! Tokens of every kind of issuer. The provider is a local one that is asked over HTTP at the very
//! addresses that the presets make.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should say where"
)]

#[cfg(test)]
mod introspection;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod presets;

use std::{sync::Arc, time::Instant};

use auth::{
    Error, Issuer, Issuers, Now, Reason, UnixTime,
    issuer::ConfigError,
    jwks::KeyCacheLimits,
    ports::{KeyFetch, Random, SystemRandom},
};
use serde_json::{Map, Value, json};
use testkit::oidc::{OidcServer, SigningKey};
use upstream::{HttpClient, HttpKeyFetch, HttpPolicy, HttpTokenIntrospection};

const SECONDS: i64 = 1_800_000_000;
const API: &str = "https://chat.example.com";

fn now() -> Now {
    Now::new(UnixTime::from_seconds(SECONDS), Instant::now())
}

fn client() -> HttpClient {
    HttpClient::new(&HttpPolicy::DOCUMENT).unwrap()
}

fn issuers(server: &OidcServer, rules: Vec<Issuer>) -> Issuers {
    try_issuers(server, rules).unwrap()
}

fn try_issuers(server: &OidcServer, rules: Vec<Issuer>) -> Result<Issuers, ConfigError> {
    let fetch: Arc<dyn KeyFetch> = Arc::new(server.reroute(HttpKeyFetch::new(client())));
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let port = Arc::new(server.reroute(HttpTokenIntrospection::new(client())));
    Issuers::new(rules, KeyCacheLimits::default(), &fetch, &random)?.with_introspection(port)
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
