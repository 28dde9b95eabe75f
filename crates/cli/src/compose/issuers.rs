//! `[[issuers]]`: from the configuration to the rules by which user tokens are believed.

mod preset;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use auth::{
    Environment, Issuer, Issuers,
    claims::{Audience, ClaimRule},
    introspection::{IntrospectionRule, OpaqueShape},
    issuer::{Keys, TypRule},
    jwk::Key,
    jwks::{KeyCacheLimits, KeySet},
    jws::Algorithm,
    ports::{ClientAuthMethod, KeyFetch, SessionLookup},
};
use secrecy::{ExposeSecret, SecretSlice};
use upstream::{
    ExchangeClient, HttpClient, HttpKeyFetch, HttpPolicy, HttpSessionLookup,
    HttpTokenIntrospection, TokenExchange,
};
use url::Url;

use crate::{
    compose::{development::DevelopmentParts, random},
    config::{
        self, EnvironmentName, IssuerPreset, RawClientAuthMethod, RawConfig, RawIssuer, TokenType,
        Variables,
    },
};

/// What is accepted from an issuer that names no algorithms.
const USUAL_ALGORITHMS: &[Algorithm] = &[
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

/// Everybody who may vouch for users.
pub(crate) struct BuiltIssuers {
    /// Their rules and keys.
    pub(crate) set: Arc<Issuers>,
    /// How their session cookies are looked up.
    pub(crate) sessions: Arc<dyn SessionLookup>,
}

/// Checks the configured issuers and adds the development one.
pub(crate) fn build(
    raw: &[RawIssuer],
    development: Option<&DevelopmentParts>,
    variables: &Variables,
) -> anyhow::Result<BuiltIssuers> {
    let mut issuers = rules(raw, variables)?;
    if let Some(development) = development {
        issuers.push(development.rules()?);
    }
    let http = client(raw)?;
    Ok(BuiltIssuers {
        set: Arc::new(over(issuers, &http)?),
        sessions: Arc::new(HttpSessionLookup::new(http)),
    })
}

/// Issuers by these rules, which ask for keys as the server would.
pub(crate) fn issuers_of(rules: Vec<Issuer>, config: &RawConfig) -> anyhow::Result<Issuers> {
    over(rules, &client(&config.issuers)?)
}

/// The client that asks the configured issuers.
pub(crate) fn client_of(config: &RawConfig) -> anyhow::Result<HttpClient> {
    client(&config.issuers)
}

/// One client for all issuers: an address that was not allowed was refused by [`rules`].
fn client(raw: &[RawIssuer]) -> anyhow::Result<HttpClient> {
    Ok(HttpClient::new(&HttpPolicy {
        allow_insecure_http: raw.iter().any(|issuer| issuer.allow_insecure_http),
        ..HttpPolicy::DOCUMENT
    })?)
}

/// Asks for keys as the server would.
pub(crate) fn key_fetch(config: &RawConfig) -> anyhow::Result<HttpKeyFetch> {
    Ok(HttpKeyFetch::new(client(&config.issuers)?))
}

fn over(rules: Vec<Issuer>, http: &HttpClient) -> anyhow::Result<Issuers> {
    let fetch: Arc<dyn KeyFetch> = Arc::new(HttpKeyFetch::new(http.clone()));
    let issuers = Issuers::new(rules, KeyCacheLimits::default(), &fetch, &random())?;
    Ok(issuers.with_introspection(Arc::new(HttpTokenIntrospection::new(http.clone())))?)
}

/// The rules of the configured issuers, checked.
pub(crate) fn rules(raw: &[RawIssuer], variables: &Variables) -> anyhow::Result<Vec<Issuer>> {
    let strict = HttpClient::new(&HttpPolicy::DOCUMENT)?;
    let mut issuers = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let of_table = of_table(raw, variables)
            .with_context(|| format!("failed to use [[issuers]] number {}", index + 1))?;
        for issuer in of_table {
            let introspection = issuer
                .introspection
                .as_ref()
                .map(|rule| rule.address.clone());
            for address in issuer.key_address()?.into_iter().chain(introspection) {
                if !raw.allow_insecure_http {
                    strict.check(&address)?;
                }
            }
            issuers.push(issuer);
        }
    }
    Ok(issuers)
}

/// The clients that exchange users' tokens for those of tool servers.
pub(crate) fn token_exchange(
    raw: &[RawIssuer],
    variables: &Variables,
) -> anyhow::Result<TokenExchange> {
    let mut exchange = TokenExchange::default();
    for (index, raw) in raw.iter().enumerate() {
        let context = || format!("failed to use [[issuers]] number {}", index + 1);
        let Some(client) = exchange_client(raw, variables).with_context(context)? else {
            continue;
        };
        for issuer in of_table(raw, variables).with_context(context)? {
            exchange.add(issuer.issuer, client.clone());
        }
    }
    Ok(exchange)
}

fn exchange_client(
    raw: &RawIssuer,
    variables: &Variables,
) -> anyhow::Result<Option<ExchangeClient>> {
    let secret = config::secret(
        "exchange_client_secret",
        variables,
        raw.exchange_client_secret_env.as_deref(),
        raw.exchange_client_secret_file.as_deref(),
    )?;
    let (client_id, client_secret) = match (&raw.exchange_client_id, secret) {
        (Some(id), Some(secret)) => (id.clone(), secret),
        (None, None) if raw.exchange_url.is_none() => return Ok(None),
        _ => bail!(
            "token exchange needs `exchange_client_id` and `exchange_client_secret_env` or \
             `exchange_client_secret_file`: the issuer exchanges tokens for its clients only"
        ),
    };
    let http = HttpClient::new(&HttpPolicy {
        allow_insecure_http: raw.allow_insecure_http,
        ..HttpPolicy::DOCUMENT
    })?;
    let address = raw
        .exchange_url
        .as_deref()
        .map(|address| parse_url("exchange_url", address))
        .transpose()?;
    if let Some(address) = &address {
        http.check(address)?;
    }
    Ok(Some(ExchangeClient {
        address,
        client_id,
        client_secret,
        auth_method: auth_method(raw.exchange_auth_method),
        http,
    }))
}

fn auth_method(raw: RawClientAuthMethod) -> ClientAuthMethod {
    match raw {
        RawClientAuthMethod::Basic => ClientAuthMethod::Basic,
        RawClientAuthMethod::Post => ClientAuthMethod::Post,
    }
}

/// The issuers of one table: one, except for the tenants of Entra ID.
fn of_table(raw: &RawIssuer, variables: &Variables) -> anyhow::Result<Vec<Issuer>> {
    let mut issuers = match raw.preset {
        Some(preset) => preset::issuers(preset, raw, variables)?,
        None => vec![custom(raw, variables)?],
    };
    for issuer in &mut issuers {
        issuer.environment = match raw.environment {
            EnvironmentName::Live => Environment::Live,
            EnvironmentName::Test => Environment::Test,
        };
        issuer.leeway = Duration::from_secs(raw.leeway_seconds);
        issuer.max_token_age =
            (raw.max_token_age_seconds > 0).then(|| Duration::from_secs(raw.max_token_age_seconds));
        let required = raw.required_claims.iter();
        issuer.required_claims.extend(
            required.map(|(claim, value)| ClaimRule::OneOf(claim.clone(), vec![value.clone()])),
        );
        issuer.are_machines_taken = raw.machine_tokens;
        issuer.introspection = introspection(raw, issuer, variables)?;
        issuer.logout_audience.clone_from(&raw.logout_audience);
    }
    Ok(issuers)
}

/// How opaque tokens are checked, when the table says where to ask.
fn introspection(
    raw: &RawIssuer,
    issuer: &Issuer,
    variables: &Variables,
) -> anyhow::Result<Option<IntrospectionRule>> {
    let secret = config::secret(
        "introspection_client_secret",
        variables,
        raw.introspection_client_secret_env.as_deref(),
        raw.introspection_client_secret_file.as_deref(),
    )?;
    let known = preset::introspection_path(raw.preset);
    let address = match (&raw.introspection_url, known) {
        (Some(address), _) => address.clone(),
        (None, Some(path)) if raw.introspection_client_id.is_some() => {
            format!("{}{path}", issuer.issuer)
        }
        (None, _) => {
            ensure!(
                raw.introspection_client_id.is_none() && secret.is_none(),
                "`introspection_client_id` needs `introspection_url`, the address to ask"
            );
            ensure!(
                raw.introspection_auth_method == RawClientAuthMethod::Basic,
                "`introspection_auth_method` needs `introspection_client_id`, the client that asks, and \
                 `introspection_url` unless the preset knows it"
            );
            return Ok(None);
        }
    };
    let (Some(client_id), Some(client_secret)) = (raw.introspection_client_id.clone(), secret)
    else {
        bail!(
            "introspection needs `introspection_client_id` and `introspection_client_secret_env` or \
             `introspection_client_secret_file`: the issuer answers its clients only"
        );
    };
    let audience = match &raw.introspection_audience[..] {
        // Its opaque tokens are for no resource, and name the client in `azp`; so do not its refresh
        // tokens, which are active too.
        [] if raw.preset == Some(IssuerPreset::BetterAuthOauth) => {
            Audience::in_claim("azp", [client_id.clone()])
        }
        [] => issuer.audience.clone(),
        named => Audience::in_claim(&raw.introspection_audience_claim, named),
    };
    Ok(Some(IntrospectionRule {
        address: parse_url("introspection_url", &address)?,
        client_id,
        client_secret,
        auth_method: auth_method(raw.introspection_auth_method),
        audience,
        shape: opaque_shape(raw)?,
        believed_for: Duration::from_secs(raw.introspection_seconds),
    }))
}

/// Which tokens the issuer is asked about: never everything by accident.
fn opaque_shape(raw: &RawIssuer) -> anyhow::Result<OpaqueShape> {
    match (&raw.opaque_token_prefix[..], raw.introspect_unprefixed) {
        ("", true) => Ok(OpaqueShape::Any),
        ("", false) => bail!(
            "introspection needs `opaque_token_prefix`, what the issuer's opaque tokens begin with, so that it is \
             shown no other token; if they have no prefix, `introspect_unprefixed = true` shows it everything that \
             is no JWT"
        ),
        (prefix, false) => Ok(OpaqueShape::Prefix(prefix.to_owned())),
        (_, true) => bail!("set `opaque_token_prefix` or `introspect_unprefixed`, not both"),
    }
}

fn custom(raw: &RawIssuer, variables: &Variables) -> anyhow::Result<Issuer> {
    let name = raw
        .issuer
        .as_deref()
        .context("set `issuer` to exactly the tokens' `iss`, or name a `preset`")?;
    preset::refuse_other_keys(None, raw)?;
    let secret = config::secret(
        "hmac_secret",
        variables,
        raw.hmac_secret_env.as_deref(),
        raw.hmac_secret_file.as_deref(),
    )?;
    let algorithms = algorithms(raw, secret.is_some())?;
    let keys = match (&raw.jwks_uri, raw.discovery, secret) {
        (Some(uri), false, None) => Keys::Jwks(parse_url("jwks_uri", uri)?),
        (None, true, None) => Keys::Discovery,
        (None, false, Some(secret)) => {
            let bytes: SecretSlice<u8> = secret.expose_secret().as_bytes().to_vec().into();
            let keys = algorithms
                .iter()
                .map(|algorithm| Key::from_secret(&bytes, *algorithm, None))
                .collect::<Result<Vec<_>, _>>()?;
            Keys::Configured(KeySet::from_keys(keys))
        }
        _ => bail!(
            "set exactly one of `jwks_uri`, `discovery = true`, and `hmac_secret_env` or `hmac_secret_file`"
        ),
    };
    let audience = Audience::in_claim(&raw.audience_claim, raw.audience.iter().cloned());
    let mut issuer = Issuer::new(name, keys, &algorithms, audience);
    issuer.subject_claim.clone_from(&raw.subject_claim);
    issuer.is_key_id_required = raw.kid_required;
    issuer.typ = match (raw.token_type, raw.discovery) {
        (Some(TokenType::Jwt), _) | (None, false) => TypRule::AbsentOrJwt,
        (Some(TokenType::AccessToken), _) => TypRule::AccessToken,
        // Whoever has a discovery document is an OAuth server, and most of those write `at+jwt`.
        (Some(TokenType::Either), _) | (None, true) => TypRule::JwtOrAccessToken,
    };
    Ok(issuer)
}

fn algorithms(raw: &RawIssuer, is_symmetric: bool) -> anyhow::Result<Vec<Algorithm>> {
    if raw.algorithms.is_empty() {
        return Ok(if is_symmetric {
            vec![Algorithm::Hs256]
        } else {
            USUAL_ALGORITHMS.to_vec()
        });
    }
    raw.algorithms
        .iter()
        .map(|name| {
            Algorithm::from_name(name)
                .with_context(|| format!("`algorithms` names {name}, which is not supported"))
        })
        .collect()
}

fn parse_url(key: &str, text: &str) -> anyhow::Result<Url> {
    Url::parse(text).with_context(|| format!("`{key}` {text} is not a web address"))
}

#[cfg(test)]
mod tests;
