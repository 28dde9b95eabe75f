//! `vestibule config`: the manual, what is in force, and whether it can work.

use serde_json::json;

use crate::{
    commands::{findings::Findings, output::line, reach, workplace::Workplace},
    compose,
    config::DEFAULT_TEXT,
};

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Config {
    /// Reads the configuration and says whether the server would start with it
    #[command(
        after_help = "Examples:\n  vestibule config check\n  vestibule config check --online   # and whether issuers, models and tools answer"
    )]
    Check {
        /// Also asks issuers for their keys, models for a word and MCP servers for their tools
        #[arg(long)]
        online: bool,
    },
    /// Prints the configuration in force: the file, then the environment. Secrets are never in it
    #[command(
        after_help = "Examples:\n  vestibule config print --default > vestibule.toml   # the manual, to begin with\n  vestibule config print"
    )]
    Print {
        /// Prints the whole default file with comments instead: it is the manual
        #[arg(long)]
        default: bool,
    },
    /// Prints the JSON Schema of the configuration, for editors
    #[command(after_help = "Example:\n  vestibule config schema > vestibule.schema.json")]
    Schema,
}

/// Carries it out. Whether everything is well.
pub(crate) async fn run(command: &Config, workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    match command {
        Config::Check { online } => check(*online, workplace).await,
        Config::Print { default: true } => line(DEFAULT_TEXT.trim_end()).map(|()| true),
        Config::Print { default: false } => {
            let text = toml::to_string(&workplace.config)?;
            workplace
                .output
                .print(&workplace.config, |_| text.trim_end().to_owned())?;
            Ok(true)
        }
        Config::Schema => {
            let schema = schemars::schema_for!(crate::config::RawConfig);
            line(&serde_json::to_string_pretty(&schema)?).map(|()| true)
        }
    }
}

async fn check(is_online: bool, workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let built = compose::check(&workplace.config, workplace.variables)?;
    let mut findings = Findings::new(workplace.output);
    if is_online {
        reach::look(&mut findings, workplace, &built).await;
    }
    let is_well = findings.are_good();
    let presets: Vec<String> = workplace
        .config
        .models
        .iter()
        .filter(|model| model.preset.is_some())
        .map(|model| {
            let set = match &*model.preset_sets {
                [] => "nothing, as the file sets all of it".to_owned(),
                set => set.join(", "),
            };
            format!("the preset of [[models]] `{}` sets {set}", model.id)
        })
        .collect();
    let mut value = json!({"ok": is_well, "workflows": built.summary});
    if !presets.is_empty() {
        value["presets"] = json!(presets);
    }
    if is_online {
        value["findings"] = json!(findings);
    }
    workplace.output.print(&value, |_| {
        let summary = [&*built.summary, &*presets].concat().join("\n  ");
        let mut text = format!("the configuration is good\n  {summary}");
        if is_online {
            text.push_str("\n\n");
            text.push_str(&findings.describe());
        }
        text
    })?;
    Ok(is_well)
}
