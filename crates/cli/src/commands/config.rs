//! `vestibule config`: the manual, what is in force, and whether it can work.

use serde_json::json;

use crate::{
    commands::{output::line, workplace::Workplace},
    compose,
    config::DEFAULT_TEXT,
};

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Config {
    /// Reads the configuration and says whether the server would start with it
    Check,
    /// Prints the configuration in force: the file, then the environment. Secrets are never in it
    Print {
        /// Prints the whole default file with comments instead: it is the manual
        #[arg(long)]
        default: bool,
    },
    /// Prints the JSON Schema of the configuration, for editors
    Schema,
}

/// Carries it out.
pub(crate) fn run(command: &Config, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    match command {
        Config::Check => {
            let built = compose::check(&workplace.config, workplace.variables)?;
            let value = json!({"ok": true, "workflows": built.summary});
            workplace.output.print(&value, |_| {
                format!(
                    "the configuration is good\n  {}",
                    built.summary.join("\n  ")
                )
            })
        }
        Config::Print { default: true } => line(DEFAULT_TEXT.trim_end()),
        Config::Print { default: false } => {
            let text = toml::to_string(&workplace.config)?;
            workplace
                .output
                .print(&workplace.config, |_| text.trim_end().to_owned())
        }
        Config::Schema => {
            let schema = schemars::schema_for!(crate::config::RawConfig);
            line(&serde_json::to_string_pretty(&schema)?)
        }
    }
}
