//! The command line: what it understands and who carries it out. One file for each command.

mod audit;
mod backup;
mod config;
mod doctor;
mod domain;
mod jwt;
mod key;
mod migrate;
mod output;
pub(crate) mod serve;
mod session;
mod token;
mod user;
mod workplace;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    commands::{output::Output, workplace::Workplace},
    config::{Overrides, Variables},
};

/// The ChatKit backend that you own.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// The configuration file (default: ./vestibule.toml, if it exists).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::Options),
    /// Which pages may embed the chat.
    #[command(subcommand)]
    Domain(domain::Domain),
    /// Public tokens: the door for visitors.
    #[command(subcommand)]
    Token(token::Token),
    /// Server keys: for servers that know their users themselves.
    #[command(subcommand)]
    Key(key::Key),
    /// Chat sessions that client secrets opened.
    #[command(subcommand)]
    Session(session::Session),
    /// A person's data: export it, forget it.
    #[command(subcommand)]
    User(user::User),
    /// Who came in, what was refused, and who changed what.
    Audit(audit::Audit),
    /// Why a token is or is not accepted.
    #[command(subcommand)]
    Jwt(jwt::Jwt),
    /// The configuration: the manual, what is in force, whether it can work.
    #[command(subcommand)]
    Config(config::Config),
    /// Brings the database's tables up to date; `serve` does it, too.
    Migrate,
    /// Copies the database and all files into a new folder, while the server runs.
    Backup(backup::Backup),
    /// Puts a backup in the place of the database and the files, while the server does not run.
    Restore(backup::Restore),
    /// Looks at everything the server needs, and says what to mend.
    Doctor,
}

impl Cli {
    /// Carries out the command.
    pub(crate) async fn run(self, variables: Variables) -> anyhow::Result<ExitCode> {
        let options = match self.command {
            Command::Serve(options) => {
                return serve::run(self.config, options, &variables).await;
            }
            other => other,
        };
        let overrides = Overrides {
            file: self.config,
            ..Overrides::default()
        };
        let workplace = Workplace::new(&overrides, &variables, Output::new(self.json))?;
        let is_good = match options {
            Command::Serve(_) => true,
            Command::Domain(command) => domain::run(command, &workplace).await.map(|()| true)?,
            Command::Token(command) => token::run(command, &workplace).await.map(|()| true)?,
            Command::Key(command) => key::run(command, &workplace).await.map(|()| true)?,
            Command::Session(command) => session::run(command, &workplace).await.map(|()| true)?,
            Command::User(command) => user::run(command, &workplace).await?,
            Command::Audit(command) => audit::run(command, &workplace).await.map(|()| true)?,
            Command::Jwt(command) => jwt::run(command, &workplace).await?,
            Command::Config(command) => config::run(&command, &workplace).map(|()| true)?,
            Command::Migrate => migrate::run(&workplace).await.map(|()| true)?,
            Command::Backup(command) => backup::run(&command, &workplace).await?,
            Command::Restore(command) => {
                backup::restore(&command, &workplace).await.map(|()| true)?
            }
            Command::Doctor => doctor::run(&workplace).await?,
        };
        Ok(if is_good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
