//! What the credential commands work on: the same database as the server's, while it runs.

use std::sync::Arc;

use auth::{Domains, Environment, PublicTokens, ServerKeys, UnixTime, ports::CredentialStore};
use store::Database;

use crate::{
    commands::output::Output,
    compose,
    config::{self, Overrides, RawConfig, Variables},
};

/// The configuration, and how to answer.
pub(crate) struct Workplace<'variables> {
    pub(crate) config: RawConfig,
    pub(crate) variables: &'variables Variables,
    pub(crate) output: Output,
}

impl<'variables> Workplace<'variables> {
    /// Reads the configuration as `serve` would.
    pub(crate) fn new(
        overrides: &Overrides,
        variables: &'variables Variables,
        output: Output,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            config: config::load(variables, overrides)?,
            variables,
            output,
        })
    }

    /// Opens the database.
    pub(crate) async fn database(&self) -> anyhow::Result<Arc<dyn Database>> {
        compose::open_store(&self.config).await
    }

    /// The database as the credentials' port.
    pub(crate) async fn credentials(&self) -> anyhow::Result<Arc<dyn CredentialStore>> {
        Ok(compose::credentials(&self.database().await?))
    }

    /// The domain allowlist.
    pub(crate) async fn domains(&self) -> anyhow::Result<Arc<Domains>> {
        Ok(compose::domains(&self.database().await?, Vec::new()))
    }

    /// Public tokens.
    pub(crate) async fn tokens(&self) -> anyhow::Result<PublicTokens> {
        let store = self.database().await?;
        let domains = compose::domains(&store, Vec::new());
        Ok(PublicTokens::new(
            compose::credentials(&store),
            compose::random(),
            domains,
        ))
    }

    /// Server keys.
    pub(crate) async fn keys(&self) -> anyhow::Result<ServerKeys> {
        Ok(ServerKeys::new(
            self.credentials().await?,
            compose::random(),
        ))
    }
}

/// A point in time as people read it.
pub(crate) fn date(time: UnixTime) -> String {
    jiff::Timestamp::from_second(time.seconds())
        .map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// `--env live|test`
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum EnvironmentArgument {
    /// Pages that people use.
    Live,
    /// Pages under development; every page on this machine is allowed.
    Test,
}

impl From<EnvironmentArgument> for Environment {
    fn from(argument: EnvironmentArgument) -> Self {
        match argument {
            EnvironmentArgument::Live => Self::Live,
            EnvironmentArgument::Test => Self::Test,
        }
    }
}
