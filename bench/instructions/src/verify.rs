//! Who a signed token speaks for, with and without the cache.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use auth::claims::Audience;
use auth::issuer::Keys;
use auth::jwk::KeySource;
use auth::jwks::{KeyCacheLimits, KeySet};
use auth::jws::Algorithm;
use auth::ports::{FetchError, FetchedKeys, KeyFetch, Random, SystemRandom};
use auth::{Issuer, Issuers, Now, UnixTime};
use url::Url;

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://chat.example.com";
const SECONDS: u32 = 1_800_000_000;
/// More than any gate's iterations, so that every run prepares the same.
const TOKENS: u32 = 100;

/// The keys are configured, so nothing is ever fetched.
struct NoFetch;

#[async_trait::async_trait]
impl KeyFetch for NoFetch {
    async fn fetch(&self, url: &Url) -> Result<FetchedKeys, FetchError> {
        let message = format!("{url} is not to be fetched");
        Err(FetchError {
            message,
            retry_after: None,
        })
    }
}

struct Setup {
    issuers: Issuers,
    tokens: Vec<String>,
    now: Now,
}

fn prepare() -> Result<Setup> {
    let signer = rig::issuer::Issuer::from_seed(ISSUER, &[7; 32])?;
    let algorithms = [Algorithm::EdDsa];
    let keys = KeySet::parse(
        signer.jwks().to_string().as_bytes(),
        &algorithms,
        KeySource::Configured,
    )?;
    let issuer = Issuer::new(
        ISSUER,
        Keys::Configured(keys),
        &algorithms,
        Audience::aud([AUDIENCE.to_owned()]),
    );
    let fetch: Arc<dyn KeyFetch> = Arc::new(NoFetch);
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    Ok(Setup {
        issuers: Issuers::new(vec![issuer], KeyCacheLimits::default(), &fetch, &random)?,
        tokens: (0..TOKENS)
            .map(|number| signer.token(&format!("user-{number:03}"), AUDIENCE, SECONDS.into()))
            .collect(),
        now: Now::new(UnixTime::from_seconds(SECONDS.into()), Instant::now()),
    })
}

/// The same token again and again.
pub(crate) async fn warm(iterations: u32) -> Result<()> {
    let setup = prepare()?;
    let token = &setup.tokens[0];
    setup.issuers.authenticate(token, setup.now).await?;
    for _ in 0..iterations {
        let identity = setup.issuers.authenticate(token, setup.now).await?;
        ensure!(identity.subject() == "user-000", "the wrong user came out");
    }
    Ok(())
}

/// Another token each time.
pub(crate) async fn cold(iterations: u32) -> Result<()> {
    ensure!(iterations <= TOKENS, "there are {TOKENS} tokens");
    let setup = prepare()?;
    for token in setup.tokens.iter().take(iterations as usize) {
        setup.issuers.authenticate(token, setup.now).await?;
    }
    Ok(())
}
