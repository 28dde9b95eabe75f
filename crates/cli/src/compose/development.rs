//! What `--dev` adds: an issuer with two people, and a token and a key for the demo page.

use std::{fs, io, path::Path, sync::Arc};

use anyhow::Context;
use auth::{
    Domains, Environment, Issuer, Origin, PublicTokens, Signer, claims::Audience, credential,
    issuer::Keys, jwk::KeySource, jwks::KeySet, jws::Algorithm, ports::Quotas,
    public_token::NewPublicToken,
};
use secrecy::ExposeSecret;
use server::{Development, DevelopmentUser};
use url::Url;

use crate::compose::{signing, system::now};

/// Where the demo page's public token is kept, so that visitors come back after a restart. Public
/// tokens are no secret.
const TOKEN_FILE: &str = "development-public-token";

/// The development issuer, seen from both sides.
pub(crate) struct DevelopmentParts {
    issuer: Development,
}

impl DevelopmentParts {
    /// The side that signs.
    pub(crate) fn into_issuer(self) -> Development {
        self.issuer
    }

    /// The side that verifies. Its users are of the test environment: pages on this machine may come.
    pub(crate) fn rules(&self) -> anyhow::Result<Issuer> {
        let keys = KeySet::parse(
            self.issuer.signer.jwks().to_string().as_bytes(),
            &[Algorithm::EdDsa],
            KeySource::Fetched,
        )?;
        let mut issuer = Issuer::new(
            self.issuer.issuer.clone(),
            Keys::Configured(keys),
            &[Algorithm::EdDsa],
            Audience::aud([self.issuer.audience.clone()]),
        );
        issuer.environment = Environment::Test;
        Ok(issuer)
    }
}

/// The development issuer as others see it, while a server with this address runs: its keys are asked for there.
pub(crate) fn rules_from_outside(own: &Origin) -> anyhow::Result<Issuer> {
    let keys = Url::parse(&format!("{own}/dev/jwks.json"))?;
    let mut issuer = Issuer::new(
        format!("{own}/dev"),
        Keys::Jwks(keys),
        &[Algorithm::EdDsa],
        Audience::aud([own.to_string()]),
    );
    issuer.environment = Environment::Test;
    Ok(issuer)
}

/// A new development issuer. Its key lives as long as the process; pages fetch new tokens by themselves.
pub(crate) fn issuer(own: &Origin) -> anyhow::Result<DevelopmentParts> {
    let signer = Signer::from_seed(&signing::throwaway()?)?;
    Ok(DevelopmentParts {
        issuer: Development {
            signer: Arc::new(signer),
            issuer: format!("{own}/dev"),
            audience: own.to_string(),
            users: DevelopmentUser::both(),
        },
    })
}

/// The demo page's public token: the one of the last start if it still holds, else a new one.
pub(crate) async fn public_token(
    tokens: &PublicTokens,
    folder: Option<&Path>,
) -> anyhow::Result<String> {
    let path = folder.unwrap_or(Path::new(".")).join(TOKEN_FILE);
    if let Ok(text) = fs::read_to_string(&path) {
        let digest = credential::digest(text.trim());
        let known = tokens.list().await?;
        if known
            .iter()
            .any(|token| token.digest == digest && token.revoked_at.is_none())
        {
            return Ok(text.trim().to_owned());
        }
    }
    let new = NewPublicToken {
        label: "the demo page".to_owned(),
        environment: Environment::Test,
        origins: Vec::new(),
        workflow: None,
        quotas: Quotas::default(),
    };
    let (token, _record) = tokens.create(new, now()).await?;
    // What is there is a token of a database that is gone.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("failed to replace {}", path.display()));
        }
        _ => {}
    }
    store::write_new_file(&path, format!("{}\n", token.expose_secret()).as_bytes())
        .with_context(|| format!("failed to write {}", path.display()))?;
    Ok(token.expose_secret().to_owned())
}

/// The demo page's domain key.
pub(crate) async fn domain_key(domains: &Domains, own: &Origin) -> anyhow::Result<String> {
    let record = domains.add(own.as_str(), Environment::Test, now()).await?;
    Ok(record.key)
}
