//! Issuers that people know by name, from what their users know about them: a domain, a project, a
//! realm.
//!
//! Each function writes down what is particular about that issuer's tokens: how `iss` is spelled,
//! which claim names the audience, what tells an access token from its siblings under the same key.
//! The sources are the issuers' own documentation; what they get wrong about one another is why
//! there is one function for each.

use secrecy::SecretSlice;
use serde_json::{Value, json};
use url::Url;

use crate::{
    claims::{Audience, ClaimRule},
    issuer::{ConfigError, Issuer, Keys, TypRule},
    jwk::Key,
    jwks::KeySet,
    jws::Algorithm,
    session::SessionRule,
};

/// What Better Auth can be configured to sign with.
const BETTER_AUTH_ALGORITHMS: [Algorithm; 5] = [
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Es512,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

/// Which of its two kinds of token an application sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// The access token.
    Access,
    /// The ID token.
    Id,
}

/// How a Keycloak realm says for whom a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeycloakAudience {
    /// By `aud`, which needs an audience mapper.
    Audience(Vec<String>),
    /// By `azp`, the client that asked for the token: without a mapper the client is in no `aud`.
    Client(Vec<String>),
}

impl Issuer {
    /// Better Auth's JWT plugin, by the `baseURL` of its configuration.
    ///
    /// It puts the origin alone into `iss` and `aud`, and serves its routes under the base URL's
    /// path, or under
    /// `/api/auth` when that is empty. Its tokens have a `kid` always and a `typ` never.
    pub fn better_auth(base_url: &Url) -> Result<Self, ConfigError> {
        let (origin, base) = better_auth_base(base_url)?;
        Ok(Self {
            is_key_id_required: true,
            session: Some(SessionRule::better_auth(address(&format!(
                "{base}/get-session?disableCookieCache=true"
            ))?)),
            ..Self::new(
                origin.clone(),
                Keys::Jwks(address(&format!("{base}/jwks"))?),
                &BETTER_AUTH_ALGORITHMS,
                Audience::aud([origin]),
            )
        })
    }

    /// Better Auth's OAuth provider (`@better-auth/oauth-provider`), by the `baseURL` of its
    /// configuration: access tokens (RFC 9068) for one of these resources (RFC 8707).
    ///
    /// Its issuer is the base address, not the origin that the JWT plugin of the same server uses.
    pub fn better_auth_oauth(base_url: &Url, resources: &[String]) -> Result<Self, ConfigError> {
        let (_, base) = better_auth_base(base_url)?;
        Ok(Self {
            is_key_id_required: true,
            typ: TypRule::AccessToken,
            ..Self::new(
                base,
                Keys::Discovery,
                &BETTER_AUTH_ALGORITHMS,
                Audience::aud(resources),
            )
        })
    }

    /// Auth0, by the tenant's domain and the identifiers of the API.
    ///
    /// `iss` ends in a slash. With the token profile of RFC 9068 `typ` is `at+jwt`, else `JWT`; ID
    /// tokens have the client in `aud`, never the API.
    pub fn auth0(domain: &str, audience: &[String]) -> Result<Self, ConfigError> {
        let origin = origin(domain)?;
        Ok(Self {
            is_key_id_required: true,
            typ: TypRule::JwtOrAccessToken,
            ..Self::new(
                format!("{origin}/"),
                Keys::Jwks(address(&format!("{origin}/.well-known/jwks.json"))?),
                &[Algorithm::Rs256, Algorithm::Ps256],
                Audience::aud(audience),
            )
        })
    }

    /// Clerk's session tokens, by the address of the Frontend API and the origins of the pages that
    /// users sign in on.
    ///
    /// They have no `aud`; `azp` is the origin. A `sid` tells them from tokens of a template, which
    /// the same key signs, and `sts` is `pending` while a step of signing in is missing.
    pub fn clerk(domain: &str, authorized_parties: &[String]) -> Result<Self, ConfigError> {
        let origin = origin(domain)?;
        if let Some(party) = authorized_parties.iter().find(|party| party.ends_with('/')) {
            return Err(ConfigError::new(
                party,
                "the tokens name origins in `azp`, which have no slash at the end: leave it out of `authorized_parties`",
            ));
        }
        Ok(Self {
            is_key_id_required: true,
            required_claims: vec![
                ClaimRule::Present("sid".to_owned()),
                ClaimRule::Not("sts".to_owned(), json!("pending")),
            ],
            ..Self::new(
                origin.clone(),
                Keys::Jwks(address(&format!("{origin}/.well-known/jwks.json"))?),
                &[Algorithm::Rs256],
                Audience::in_claim("azp", authorized_parties),
            )
        })
    }

    /// Supabase with signing keys, by the project's reference or the address of its API.
    pub fn supabase(project: &str) -> Result<Self, ConfigError> {
        let name = supabase_issuer(project)?;
        let keys = Keys::Jwks(address(&format!("{name}/.well-known/jwks.json"))?);
        let algorithms = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa];
        Ok(Self {
            is_key_id_required: true,
            ..supabase_user(name, keys, &algorithms)
        })
    }

    /// Supabase with the legacy JWT secret.
    ///
    /// The `anon` and `service_role` API keys are tokens under the same secret; only `role` tells
    /// them from users.
    pub fn supabase_legacy(project: &str, secret: &SecretSlice<u8>) -> Result<Self, ConfigError> {
        let name = supabase_issuer(project)?;
        let key = Key::from_secret(secret, Algorithm::Hs256, None)
            .map_err(|problem| ConfigError::new(&name, &problem.to_string()))?;
        let keys = Keys::Configured(KeySet::from_keys([key]));
        Ok(supabase_user(name, keys, &[Algorithm::Hs256]))
    }

    /// Firebase Authentication, by the project's id. Its keys come as a map of certificates.
    pub fn firebase(project: &str) -> Result<Self, ConfigError> {
        let name = format!("https://securetoken.google.com/{}", word(project)?);
        Ok(Self {
            is_key_id_required: true,
            required_claims: vec![ClaimRule::InPast("auth_time".to_owned())],
            ..Self::new(
                name,
                Keys::X509Map(address(
                    "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com",
                )?),
                &[Algorithm::Rs256],
                Audience::aud([project]),
            )
        })
    }

    /// A Keycloak realm, by its address (`https://host/realms/NAME`).
    ///
    /// All kinds of its tokens have `typ: JWT` in the header; the claim `typ` tells them apart.
    pub fn keycloak(realm: &Url, audience: KeycloakAudience) -> Result<Self, ConfigError> {
        let name = realm.as_str().trim_end_matches('/').to_owned();
        let is_realm = |(_, realm): (&str, &str)| !realm.is_empty() && !realm.contains('/');
        if !name.rsplit_once("/realms/").is_some_and(is_realm) {
            return Err(ConfigError::new(
                &name,
                "the address of a realm ends in its name, like https://id.example.com/realms/shop",
            ));
        }
        let keys = Keys::Jwks(address(&format!("{name}/protocol/openid-connect/certs"))?);
        let audience = match audience {
            KeycloakAudience::Audience(audience) => Audience::aud(audience),
            KeycloakAudience::Client(clients) => Audience::in_claim("azp", clients),
        };
        let algorithms = [
            Algorithm::Rs256,
            Algorithm::Ps256,
            Algorithm::Es256,
            Algorithm::EdDsa,
        ];
        Ok(Self {
            is_key_id_required: true,
            required_claims: vec![one_of("typ", "Bearer")],
            typ: TypRule::JwtOrAccessToken,
            ..Self::new(name, keys, &algorithms, audience)
        })
    }

    /// An Amazon Cognito user pool, by its id (`eu-central-1_AbCdEfGhI`) and its app clients.
    ///
    /// Access tokens have no `aud`; `client_id` is there instead.
    pub fn cognito(
        pool: &str,
        clients: &[String],
        token_use: TokenUse,
    ) -> Result<Self, ConfigError> {
        let region = word(pool)?
            .split_once('_')
            .map(|(region, _)| region)
            .ok_or_else(|| {
                ConfigError::new(pool, "a pool's id looks like eu-central-1_AbCdEfGhI")
            })?;
        let name = format!("https://cognito-idp.{region}.amazonaws.com/{pool}");
        let (audience, word) = match token_use {
            TokenUse::Access => (Audience::in_claim("client_id", clients), "access"),
            TokenUse::Id => (Audience::aud(clients), "id"),
        };
        Ok(Self {
            is_key_id_required: true,
            required_claims: vec![one_of("token_use", word)],
            ..Self::new(
                name.clone(),
                Keys::Jwks(address(&format!("{name}/.well-known/jwks.json"))?),
                &[Algorithm::Rs256],
                audience,
            )
        })
    }

    /// One tenant of Microsoft Entra ID, by its id, and the application's id or App ID URI.
    ///
    /// There is no issuer for "any tenant": each tenant that may enter is named, and is an issuer
    /// of its own, so that `{tenantid}` never has to be read out of a token. Tokens of version 1 have
    /// another `iss` and are the same people. `sub` differs from application to application; `oid`
    /// is the user.
    pub fn entra(tenant: &str, audience: &[String]) -> Result<Self, ConfigError> {
        if !is_guid(tenant) {
            return Err(ConfigError::new(
                tenant,
                "a tenant's id is a GUID like 11111111-2222-3333-4444-555555555555, whole (Entra ID's overview page \
                 shows it as Tenant ID); `common`, `organizations` and domain names are not accepted",
            ));
        }
        let tenant = tenant.to_ascii_lowercase();
        Ok(Self {
            is_key_id_required: true,
            aliases: vec![format!("https://sts.windows.net/{tenant}/")],
            required_claims: vec![one_of("tid", &tenant)],
            subject_claim: "oid".to_owned(),
            ..Self::new(
                format!("https://login.microsoftonline.com/{tenant}/v2.0"),
                Keys::Jwks(address(&format!(
                    "https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys"
                ))?),
                &[Algorithm::Rs256],
                Audience::aud(audience),
            )
        })
    }

    /// Google's ID tokens, by the OAuth client ids; `hosted_domains` are the organisations whose
    /// members may enter, and empty lets every Google account in.
    ///
    /// Some of Google's tokens leave the scheme out of `iss`.
    pub fn google(clients: &[String], hosted_domains: &[String]) -> Result<Self, ConfigError> {
        let mut required_claims = Vec::new();
        if !hosted_domains.is_empty() {
            let domains = hosted_domains.iter().map(|domain| json!(domain)).collect();
            required_claims.push(ClaimRule::OneOf("hd".to_owned(), domains));
        }
        Ok(Self {
            is_key_id_required: true,
            aliases: vec!["accounts.google.com".to_owned()],
            required_claims,
            ..Self::new(
                "https://accounts.google.com",
                Keys::Discovery,
                &[Algorithm::Rs256],
                Audience::aud(clients),
            )
        })
    }
}

fn supabase_user(name: String, keys: Keys, algorithms: &[Algorithm]) -> Issuer {
    Issuer {
        required_claims: vec![one_of("role", "authenticated")],
        ..Issuer::new(name, keys, algorithms, Audience::aud(["authenticated"]))
    }
}

fn supabase_issuer(project: &str) -> Result<String, ConfigError> {
    let origin = if project.contains("://") {
        origin(project)?
    } else {
        origin(&format!("{}.supabase.co", word(project)?))?
    };
    Ok(format!("{origin}/auth/v1"))
}

/// The origin, and the address under which the routes are.
fn better_auth_base(base_url: &Url) -> Result<(String, String), ConfigError> {
    if !matches!(base_url.scheme(), "http" | "https") || !base_url.username().is_empty() {
        return Err(ConfigError::new(
            base_url.as_str(),
            "give an address like https://app.example.com",
        ));
    }
    let origin = base_url.origin().ascii_serialization();
    let path = match base_url.path().trim_end_matches('/') {
        "" => "/api/auth",
        path => path,
    };
    let base = format!("{origin}{path}");
    Ok((origin, base))
}

/// `https://host` from a domain, with or without the scheme in front of it.
fn origin(domain: &str) -> Result<String, ConfigError> {
    let text = if domain.contains("://") {
        domain.to_owned()
    } else {
        format!("https://{domain}")
    };
    Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
        .map(|url| url.origin().ascii_serialization())
        .ok_or_else(|| {
            ConfigError::new(
                domain,
                "give a domain like login.example.com, without a path",
            )
        })
}

/// An id that becomes a part of an address.
fn word(id: &str) -> Result<&str, ConfigError> {
    let is_good = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_good.then_some(id).ok_or_else(|| {
        ConfigError::new(
            id,
            "an id has letters, digits, hyphens and underscores only",
        )
    })
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn address(text: &str) -> Result<Url, ConfigError> {
    Url::parse(text).map_err(|_| ConfigError::new(text, "this is not a web address"))
}

fn one_of(claim: &str, value: &str) -> ClaimRule {
    ClaimRule::OneOf(claim.to_owned(), vec![Value::from(value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_taken_with_and_without_its_scheme_and_never_with_more() {
        for good in [
            "t.example.com",
            "https://t.example.com",
            "https://T.example.com/",
        ] {
            let issuer = Issuer::auth0(good, &["api".to_owned()]).unwrap();
            assert_eq!(issuer.issuer, "https://t.example.com/", "{good}");
        }
        for bad in [
            "",
            "t.example.com/path",
            "https://u:p@t.example.com",
            "ftp://t",
            "t?x",
            "a b",
        ] {
            assert!(Issuer::auth0(bad, &["api".to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_would_fit_no_token_is_refused() {
        let keycloak = |realm: &str| {
            let audience = KeycloakAudience::Client(vec!["chat".to_owned()]);
            Issuer::keycloak(&Url::parse(realm).unwrap(), audience)
        };
        for realm in [
            "https://id.example.com/realms/shop",
            "https://id.example.com/auth/realms/shop/",
        ] {
            assert!(keycloak(realm).is_ok(), "{realm}");
        }
        for bad in [
            "https://id.example.com",
            "https://id.example.com/auth",
            "https://id.example.com/realms/",
            "https://id.example.com/realms/shop/account",
        ] {
            let refusal = keycloak(bad).unwrap_err().to_string();
            assert!(refusal.contains("/realms/shop"), "{refusal}");
        }
        let clerk = |party: &str| Issuer::clerk("clerk.example.com", &[party.to_owned()]);
        assert!(clerk("https://app.example.com").is_ok());
        let refusal = clerk("https://app.example.com/").unwrap_err().to_string();
        assert!(refusal.contains("no slash at the end"), "{refusal}");
    }

    #[test]
    fn ids_that_would_change_an_address_are_refused() {
        for bad in ["", "a/b", "a.evil.example", "a?b", "a b", "../x", "ä"] {
            assert!(Issuer::firebase(bad).is_err(), "{bad}");
            assert!(Issuer::supabase(bad).is_err(), "{bad}");
            assert!(
                Issuer::cognito(bad, &[], TokenUse::Access).is_err(),
                "{bad}"
            );
        }
        assert!(Issuer::cognito("nounderscore", &[], TokenUse::Access).is_err());
    }

    #[test]
    fn a_tenant_is_named_by_its_guid_only() {
        let guid = "11111111-2222-3333-4444-55555555555A";
        let issuer = Issuer::entra(guid, &["app".to_owned()]).unwrap();
        assert_eq!(
            issuer.issuer,
            "https://login.microsoftonline.com/11111111-2222-3333-4444-55555555555a/v2.0"
        );
        for bad in [
            "common",
            "organizations",
            "consumers",
            "contoso.onmicrosoft.com",
            "{tenantid}",
            "11111111222233334444555555555555",
            "11111111-2222-3333-4444-55555555555g",
        ] {
            assert!(Issuer::entra(bad, &["app".to_owned()]).is_err(), "{bad}");
        }
    }
}
