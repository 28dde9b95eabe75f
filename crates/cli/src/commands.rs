//! The command line: what it understands and who carries it out. One file for each command.

mod audit;
mod backup;
mod completions;
mod config;
mod copy;
mod doctor;
mod domain;
mod findings;
mod jwt;
mod key;
mod mcp;
mod metrics;
mod migrate;
mod output;
mod pdf_text;
mod reach;
pub(crate) mod serve;
mod session;
mod signing_key;
mod token;
mod user;
mod workplace;

use std::{ffi::OsStr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::{
    commands::{
        output::{Output, ReaderLeft, error_document},
        workplace::Workplace,
    },
    config::{Overrides, Variables},
    telemetry::say,
};

/// The ChatKit backend that you own.
#[derive(Debug, Parser)]
#[command(
    name = "vestibule",
    version,
    about,
    max_term_width = 100,
    after_help = "Begin with:\n  \
        vestibule serve --dev                 # a chat at http://127.0.0.1:8000, with nothing configured\n  \
        vestibule config print --default      # the manual: every key of vestibule.toml, explained\n  \
        vestibule doctor                      # what is wrong, and what to do about it\n\n\
        `vestibule COMMAND --help` has examples of each command."
)]
pub(crate) struct Cli {
    /// The configuration file (default: ./vestibule.toml, if it exists); relative paths in it are below its folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON instead of text; errors too, on standard error.
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
    /// The keys that this server signs with: addresses of files, and who the user is for tool servers.
    #[command(subcommand)]
    SigningKey(signing_key::SigningKey),
    /// Chat sessions that client secrets opened.
    #[command(subcommand)]
    Session(session::Session),
    /// A person's data: export it, forget it.
    #[command(subcommand)]
    User(user::User),
    /// Who came in, what was refused, and who changed what.
    Audit(audit::Audit),
    /// Tool servers (MCP): whether they work, what they offer, one call.
    #[command(subcommand)]
    Mcp(mcp::Mcp),
    /// Why a token is or is not accepted.
    #[command(subcommand)]
    Jwt(jwt::Jwt),
    /// The configuration: the manual, what is in force, whether it can work.
    #[command(subcommand)]
    Config(config::Config),
    /// Makes the database, or brings its tables up to date; `serve` does it, too.
    #[command(after_help = "Example:\n  vestibule migrate --config /etc/vestibule.toml")]
    Migrate,
    /// Copies the database and all files into a new folder, while the server runs; files in a bucket stay there.
    Backup(backup::Backup),
    /// Puts a backup in the place of the database and the files, while the server does not run.
    Restore(backup::Restore),
    /// Moves everything to another database: from SQLite to PostgreSQL, or back.
    Copy(copy::Copy),
    /// Looks at everything the server needs, and says what to mend.
    #[command(
        after_help = "Examples:\n  vestibule doctor\n  vestibule doctor --json   # exit code 1 when something is wrong"
    )]
    Doctor,
    /// Reads a PDF from standard input and writes its text to standard output; the server runs it.
    #[command(
        hide = true,
        after_help = "Example:\n  vestibule pdf-text < document.pdf"
    )]
    PdfText,
    /// Prints the completions of a shell.
    #[command(
        after_help = "Examples:\n  source <(vestibule completions bash)\n  vestibule completions fish > ~/.config/fish/completions/vestibule.fish"
    )]
    Completions(completions::Completions),
    /// Prints the manual page of the commands, or writes one for each into a folder.
    #[command(
        after_help = "Examples:\n  vestibule man | man -l -\n  vestibule man /usr/local/share/man/man1"
    )]
    Man(completions::Man),
}

impl Cli {
    /// Reads the command line of this process. What is wrong with it is told in the form that it asks for.
    pub(crate) fn of_process() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            let is_answer = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            if !is_answer && std::env::args_os().any(|argument| argument == OsStr::new("--json")) {
                let text = error.render().to_string();
                let text = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
                say(&error_document("usage", text).to_string());
            } else {
                // A closed terminal is no reason to fail.
                let _ = error.print();
            }
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        })
    }

    /// Carries out the one command that has to be alone in its process: without threads, and without the environment.
    pub(crate) fn run_alone(&self) -> Option<ExitCode> {
        matches!(self.command, Command::PdfText).then(pdf_text::run)
    }

    /// Carries out the command, and says what went wrong.
    pub(crate) async fn run(self, variables: Variables) -> ExitCode {
        let is_json = self.json;
        match self.carry_out(variables).await {
            Ok(code) => code,
            Err(error) if error.is::<ReaderLeft>() => ExitCode::SUCCESS,
            Err(error) => {
                let text = format!("{error:#}");
                say(&if is_json {
                    error_document("failed", &text).to_string()
                } else {
                    format!("error: {text}")
                });
                ExitCode::FAILURE
            }
        }
    }

    async fn carry_out(self, variables: Variables) -> anyhow::Result<ExitCode> {
        let options = match self.command {
            Command::Serve(options) => {
                return serve::run(self.config, options, &variables).await;
            }
            Command::Completions(options) => return completions::run(&options),
            Command::Man(options) => return completions::man(&options),
            other => other,
        };
        let overrides = Overrides {
            file: self.config,
            ..Overrides::default()
        };
        let workplace = Workplace::new(&overrides, &variables, Output::new(self.json))?;
        let is_good = match options {
            Command::Serve(_) | Command::PdfText | Command::Completions(_) | Command::Man(_) => {
                true
            }
            Command::Domain(command) => domain::run(command, &workplace).await.map(|()| true)?,
            Command::Token(command) => token::run(command, &workplace).await.map(|()| true)?,
            Command::Key(command) => key::run(command, &workplace).await.map(|()| true)?,
            Command::SigningKey(command) => {
                signing_key::run(command, &workplace).await.map(|()| true)?
            }
            Command::Session(command) => session::run(command, &workplace).await.map(|()| true)?,
            Command::User(command) => user::run(command, &workplace).await?,
            Command::Audit(command) => audit::run(command, &workplace).await.map(|()| true)?,
            Command::Mcp(command) => mcp::run(command, &workplace).await?,
            Command::Jwt(command) => jwt::run(command, &workplace).await?,
            Command::Config(command) => config::run(&command, &workplace).await?,
            Command::Migrate => migrate::run(&workplace).await.map(|()| true)?,
            Command::Backup(command) => backup::run(&command, &workplace).await?,
            Command::Restore(command) => {
                backup::restore(&command, &workplace).await.map(|()| true)?
            }
            Command::Copy(command) => copy::run(&command, &workplace).await?,
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

    #[test]
    fn every_command_shows_how_it_is_used() {
        let mut silent = Vec::new();
        let mut waiting = vec![Cli::command()];
        while let Some(command) = waiting.pop() {
            let is_leaf = command.get_subcommands().next().is_none();
            let help = command.get_after_help().map(ToString::to_string);
            if is_leaf && !help.is_some_and(|help| help.contains("vestibule ")) {
                silent.push(command.get_name().to_owned());
            }
            waiting.extend(command.get_subcommands().cloned());
        }
        assert!(silent.is_empty(), "no examples: {silent:?}");
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("serve --dev") && help.contains("config print --default"));
    }
}
