//! What commands work on: the configuration, and the same database as the server's, while it runs.

use std::{path::PathBuf, sync::Arc};

use anyhow::ensure;
use auth::{
    Environment, Operator, Seeds, UnixTime,
    operator::{self, Person},
};
use store::{Database, People};
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

use crate::{
    commands::output::Output,
    compose::{
        self,
        signing::{self, Place},
    },
    config::{self, Overrides, RawConfig, Variables},
};

/// The configuration, and how to answer.
pub(crate) struct Workplace<'variables> {
    pub(crate) config: RawConfig,
    pub(crate) variables: &'variables Variables,
    pub(crate) output: Output,
    /// The configuration file that was read.
    file: Option<PathBuf>,
    database: OnceCell<Arc<dyn Database>>,
}

impl<'variables> Workplace<'variables> {
    /// Reads the configuration as `serve` would.
    pub(crate) fn new(
        overrides: &Overrides,
        variables: &'variables Variables,
        output: Output,
    ) -> anyhow::Result<Self> {
        let config = config::load(variables, overrides)?;
        compose::outgoing::apply(&config, variables)?;
        Ok(Self {
            config,
            variables,
            output,
            file: config::find_file(variables, overrides),
            database: OnceCell::new(),
        })
    }

    /// The database, opened once. A command makes none: one that was started in another folder than the server
    /// would print keys that the server does not know.
    pub(crate) async fn database(&self) -> anyhow::Result<Arc<dyn Database>> {
        let open = async || {
            self.check_database_is_there()?;
            compose::open_store(&self.config).await
        };
        self.database.get_or_try_init(open).await.cloned()
    }

    /// Says what to do when the database is not there yet, or somewhere else.
    pub(crate) fn check_database_is_there(&self) -> anyhow::Result<()> {
        let Some(path) = compose::missing_database(&self.config)? else {
            return Ok(());
        };
        let source = if self.variables.get("DATABASE_URL").is_some() {
            "as DATABASE_URL says".to_owned()
        } else {
            match &self.file {
                Some(file) => format!("as {} says", file.display()),
                None => "the usual place in the working folder, as no configuration file was read"
                    .to_owned(),
            }
        };
        anyhow::bail!(
            "there is no database at {} ({source}); name the server's configuration by --config FILE or its database by \
             DATABASE_URL, or make a new one with `vestibule serve` or `vestibule migrate`",
            path.display()
        )
    }

    /// The database, made when it is not there yet.
    pub(crate) async fn database_or_new(&self) -> anyhow::Result<Arc<dyn Database>> {
        let open = async || compose::make_store(&self.config).await;
        self.database.get_or_try_init(open).await.cloned()
    }

    /// What the server signs with, where there is such a key already; the database is opened where it holds it.
    pub(crate) async fn seeds(&self) -> anyhow::Result<Option<Seeds>> {
        let store = match signing::place(&self.config) {
            Place::Database => Some(self.database().await?),
            Place::Variable(_) | Place::File { .. } => None,
        };
        signing::at_hand(&self.config, self.variables, store.as_ref()).await
    }

    /// Whoever is at the command line, at work on the database.
    pub(crate) async fn operator(&self) -> anyhow::Result<Operator> {
        let database = self.database().await?;
        let files = compose::files(&self.config, self.variables, &TaskTracker::new())?;
        let ports = operator::Ports {
            credentials: database.clone(),
            audit: database.clone(),
            people: Arc::new(People::new(database, files)),
            random: compose::random(),
        };
        Ok(Operator::new(ports, name_of_operator(self.variables)))
    }
}

/// A person, by who vouches for them and under which name.
#[derive(Debug, clap::Args)]
pub(crate) struct PersonArguments {
    /// The issuer of the person's tokens (`iss`); for a visitor `visitor:<token id>`
    #[arg(long)]
    issuer: String,
    /// The issuer's name for the person (`sub`); for a visitor `vis_…`
    #[arg(long)]
    subject: String,
}

impl PersonArguments {
    /// Who it is.
    pub(crate) fn person(&self) -> Person<'_> {
        Person {
            issuer: &self.issuer,
            subject: &self.subject,
        }
    }
}

/// Who is at the command line, as the machine knows them. The number cannot be made up; the name is for people.
fn name_of_operator(variables: &Variables) -> String {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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

/// Where a credential of an environment works, in words.
pub(crate) fn pages_of(environment: Environment) -> &'static str {
    match environment {
        Environment::Live => {
            "pages registered with `vestibule domain add ORIGIN --env live`; not for pages on localhost"
        }
        Environment::Test => {
            "pages on this machine (localhost), and those registered with `vestibule domain add ORIGIN --env test`"
        }
    }
}

/// Refuses what is not in the environment for trying out.
pub(crate) fn only_for_test(flag: &str, environment: EnvironmentArgument) -> anyhow::Result<()> {
    ensure!(
        environment == EnvironmentArgument::Test,
        "{flag} is for trying out only; say --env test, too"
    );
    Ok(())
}
