//! What the credential commands work on: the same database as the server's, while it runs.

use std::sync::Arc;

use anyhow::Context;
use auth::{
    Domains, Environment, PublicTokens, ServerKeys, UnixTime,
    audit::{Actor, AuditEvent, AuditRecord},
    ports::CredentialStore,
};
use store::Database;
use tokio::sync::OnceCell;

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
    database: OnceCell<Arc<dyn Database>>,
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
            database: OnceCell::new(),
        })
    }

    /// The database, opened once.
    pub(crate) async fn database(&self) -> anyhow::Result<Arc<dyn Database>> {
        let open = || compose::open_store(&self.config);
        self.database.get_or_try_init(open).await.cloned()
    }

    /// Writes into the audit log what was just done, and who did it.
    pub(crate) async fn record(&self, record: AuditRecord) -> anyhow::Result<()> {
        let record = record.by(Actor::Operator(operator(self.variables)));
        self.database()
            .await?
            .append_audit(&[record])
            .await
            .context("it was done, but could not be written into the audit log")
    }

    /// The same about an event that concerns no user.
    pub(crate) async fn record_event(&self, event: AuditEvent) -> anyhow::Result<()> {
        self.record(AuditRecord::new(compose::now(), event)).await
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

/// Who is at the command line, as the machine knows them. The number cannot be made up; the name is for people.
fn operator(variables: &Variables) -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|variable| variables.get(variable))
        .unwrap_or("somebody");
    let name: String = name
        .chars()
        .filter(|character| !character.is_control())
        .take(64)
        .collect();
    #[cfg(unix)]
    let name = format!("{name} (uid {})", rustix::process::getuid().as_raw());
    name
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
