//! `preset = "…"` of an issuer: which keys of the table each preset takes, and the issuers it makes.

use anyhow::{Context, bail, ensure};
use auth::{
    Issuer,
    issuer::preset::{KeycloakAudience, TokenUse},
};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value;

use super::parse_url;
use crate::config::{self, IssuerPreset, RawIssuer, RawTokenUse, Variables};

/// Why Auth.js is known and refused.
const AUTHJS: &str = "Auth.js (NextAuth) cannot be an issuer: its session is a token that is encrypted for its own \
     application (JWE), and its documentation says that nobody else is meant to read it. Have your \
     Auth.js application call POST /v1/chatkit/sessions with a server key (`vestibule key create`), or \
     pass on the token of the provider that signs your users in, and configure that provider here; \
     or sign short-lived JWTs in a route of your own, with `jwks_uri` here";

/// Keys that every table takes.
const COMMON: &[&str] = &[
    "preset",
    "environment",
    "required_claims",
    "machine_tokens",
    "leeway_seconds",
    "max_token_age_seconds",
    "logout_audience",
    "introspection_url",
    "introspection_client_id",
    "introspection_client_secret_env",
    "introspection_client_secret_file",
    "introspection_auth_method",
    "introspection_audience_claim",
    "introspection_audience",
    "introspection_seconds",
    "opaque_token_prefix",
    "introspect_unprefixed",
    "exchange_client_id",
    "exchange_client_secret_env",
    "exchange_client_secret_file",
    "exchange_auth_method",
    "exchange_url",
    "allow_insecure_http",
];

/// The issuers that a preset makes: one, except for the tenants of Entra ID.
pub(super) fn issuers(
    preset: IssuerPreset,
    raw: &RawIssuer,
    variables: &Variables,
) -> anyhow::Result<Vec<Issuer>> {
    ensure!(preset != IssuerPreset::Authjs, AUTHJS);
    refuse_other_keys(Some(preset), raw)?;
    if preset == IssuerPreset::Entra {
        ensure!(
            !raw.tenants.is_empty(),
            needs(preset, "tenants", "the ids of those that may enter")
        );
        let audience = audience(preset, raw)?;
        let issuers = raw
            .tenants
            .iter()
            .map(|tenant| Issuer::entra(tenant, audience));
        return Ok(issuers.collect::<Result<_, _>>()?);
    }
    one(preset, raw, variables).map(|issuer| vec![issuer])
}

fn one(preset: IssuerPreset, raw: &RawIssuer, variables: &Variables) -> anyhow::Result<Issuer> {
    let url = |what| parse_url("url", text(preset, "url", raw.url.as_deref(), what)?);
    let domain = |what| text(preset, "domain", raw.domain.as_deref(), what);
    Ok(match preset {
        IssuerPreset::BetterAuth => Issuer::better_auth(&url("the address of the server")?)?,
        IssuerPreset::BetterAuthOauth => {
            Issuer::better_auth_oauth(&url("the address of the server")?, audience(preset, raw)?)?
        }
        IssuerPreset::Auth0 => {
            Issuer::auth0(domain("the tenant's domain")?, audience(preset, raw)?)?
        }
        IssuerPreset::Clerk => {
            let parties = &raw.authorized_parties;
            ensure!(
                !parties.is_empty(),
                needs(
                    preset,
                    "authorized_parties",
                    "the origins of the pages that users sign in on"
                )
            );
            Issuer::clerk(domain("the address of the Frontend API")?, parties)?
        }
        IssuerPreset::Supabase => Issuer::supabase(supabase_project(preset, raw)?)?,
        IssuerPreset::SupabaseLegacy => {
            let secret = config::secret(
                "hmac_secret",
                variables,
                raw.hmac_secret_env.as_deref(),
                raw.hmac_secret_file.as_deref(),
            )?;
            let secret = secret.with_context(|| {
                needs(
                    preset,
                    "hmac_secret_env",
                    "the variable with the project's JWT secret",
                )
            })?;
            let secret: SecretSlice<u8> = secret.expose_secret().as_bytes().to_vec().into();
            Issuer::supabase_legacy(supabase_project(preset, raw)?, &secret)?
        }
        IssuerPreset::Firebase => Issuer::firebase(text(
            preset,
            "project",
            raw.project.as_deref(),
            "the project's id",
        )?)?,
        IssuerPreset::Keycloak => {
            let audience = match (&raw.audience[..], &raw.client_ids[..]) {
                ([], []) => bail!(needs(
                    preset,
                    "audience",
                    "whom the tokens name in `aud`, or `client_ids`, which clients they name in `azp`"
                )),
                (audience, []) => KeycloakAudience::Audience(audience.to_vec()),
                ([], clients) => KeycloakAudience::Client(clients.to_vec()),
                _ => bail!("set `audience` or `client_ids`, not both"),
            };
            Issuer::keycloak(&url("the address of the realm")?, audience)?
        }
        IssuerPreset::Cognito => {
            let token_use = match raw.token_use {
                RawTokenUse::Access => TokenUse::Access,
                RawTokenUse::Id => TokenUse::Id,
            };
            let pool = text(
                preset,
                "pool",
                raw.pool.as_deref(),
                "the id of the user pool",
            )?;
            Issuer::cognito(pool, clients(preset, raw)?, token_use)?
        }
        IssuerPreset::Google => Issuer::google(clients(preset, raw)?, &raw.hosted_domains)?,
        IssuerPreset::Entra | IssuerPreset::Authjs => {
            bail!("the preset {} is not one issuer", name(preset))
        }
    })
}

/// What comes behind the issuer's name in the address of its introspection endpoint.
pub(super) fn introspection_path(preset: Option<IssuerPreset>) -> Option<&'static str> {
    match preset? {
        IssuerPreset::BetterAuthOauth => Some("/oauth2/introspect"),
        IssuerPreset::Keycloak => Some("/protocol/openid-connect/token/introspect"),
        _ => None,
    }
}

/// Which keys belong to a table beside those that belong to all.
fn own_keys(preset: Option<IssuerPreset>) -> &'static [&'static str] {
    match preset {
        None => &[
            "issuer",
            "jwks_uri",
            "discovery",
            "hmac_secret_env",
            "hmac_secret_file",
            "audience_claim",
            "audience",
            "algorithms",
            "subject_claim",
            "token_type",
            "kid_required",
        ],
        Some(IssuerPreset::BetterAuth) => &["url"],
        Some(IssuerPreset::BetterAuthOauth) => &["url", "audience"],
        Some(IssuerPreset::Auth0) => &["domain", "audience"],
        Some(IssuerPreset::Clerk) => &["domain", "authorized_parties"],
        Some(IssuerPreset::Supabase) => &["project", "url"],
        Some(IssuerPreset::SupabaseLegacy) => {
            &["project", "url", "hmac_secret_env", "hmac_secret_file"]
        }
        Some(IssuerPreset::Firebase) => &["project"],
        Some(IssuerPreset::Keycloak) => &["url", "audience", "client_ids"],
        Some(IssuerPreset::Cognito) => &["pool", "client_ids", "token_use"],
        Some(IssuerPreset::Entra) => &["tenants", "audience"],
        Some(IssuerPreset::Google) => &["client_ids", "hosted_domains"],
        Some(IssuerPreset::Authjs) => &[],
    }
}

/// A key that means nothing here would be taken for a rule that holds, so it is an error.
pub(super) fn refuse_other_keys(
    preset: Option<IssuerPreset>,
    raw: &RawIssuer,
) -> anyhow::Result<()> {
    let (set, unset) = (
        serde_json::to_value(raw)?,
        serde_json::to_value(RawIssuer::default())?,
    );
    let own = own_keys(preset);
    let other = set.as_object().into_iter().flatten().find(|(key, value)| {
        unset.get(key.as_str()) != Some(*value)
            && !COMMON.contains(&key.as_str())
            && !own.contains(&key.as_str())
    });
    let Some((key, _)) = other else {
        return Ok(());
    };
    let own = own.join("`, `");
    match preset {
        Some(preset) => bail!(
            "`{key}` means nothing with preset {}; it takes `{own}`",
            name(preset)
        ),
        None => bail!("`{key}` belongs to a `preset`; without one an issuer takes `{own}`"),
    }
}

fn text<'raw>(
    preset: IssuerPreset,
    key: &str,
    value: Option<&'raw str>,
    what: &str,
) -> anyhow::Result<&'raw str> {
    value.with_context(|| needs(preset, key, what))
}

fn audience(preset: IssuerPreset, raw: &RawIssuer) -> anyhow::Result<&[String]> {
    let what = "whom the tokens are meant for (the API, as the issuer knows it)";
    ensure!(!raw.audience.is_empty(), needs(preset, "audience", what));
    Ok(&raw.audience)
}

fn clients(preset: IssuerPreset, raw: &RawIssuer) -> anyhow::Result<&[String]> {
    let what = "the ids of the applications that users sign in with";
    ensure!(
        !raw.client_ids.is_empty(),
        needs(preset, "client_ids", what)
    );
    Ok(&raw.client_ids)
}

fn supabase_project(preset: IssuerPreset, raw: &RawIssuer) -> anyhow::Result<&str> {
    match (&raw.project, &raw.url) {
        (Some(project), None) => Ok(project),
        (None, Some(url)) => Ok(url),
        _ => bail!(needs(
            preset,
            "project",
            "the project's reference, or `url`, the address of its API"
        )),
    }
}

fn needs(preset: IssuerPreset, key: &str, what: &str) -> String {
    format!("preset {} needs `{key}`, {what}", name(preset))
}

/// The preset as it is written.
fn name(preset: IssuerPreset) -> String {
    serde_json::to_value(preset)
        .as_ref()
        .map_or_else(|_| String::new(), Value::to_string)
}
