//! `vestibule domain`: which pages may embed the chat.

use auth::ports::DomainRecord;
use serde_json::json;

use crate::{
    commands::{
        output::table,
        workplace::{EnvironmentArgument, Workplace, date},
    },
    compose::now,
};

/// What to do with the allowlist.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Domain {
    /// Registers an origin and prints its domain key; twice gives the same key
    #[command(
        after_help = "Examples:\n  vestibule domain add https://app.example.com --env live\n  vestibule domain add https://preview.example.com --env test"
    )]
    Add {
        /// Scheme, host and port as the browser's address bar shows them, like `https://app.example.com`
        #[arg(value_name = "ORIGIN")]
        origin: String,
        /// Which environment it is for
        #[arg(long)]
        env: EnvironmentArgument,
    },
    /// Lists registered origins, and those that were refused lately
    #[command(after_help = "Examples:\n  vestibule domain list\n  vestibule domain list --json")]
    List,
    /// Removes an origin; its key works no more, from the next request on
    #[command(
        after_help = "Example:\n  vestibule domain remove https://app.example.com --env live"
    )]
    Remove {
        /// The origin as it is listed
        #[arg(value_name = "ORIGIN")]
        origin: String,
        /// Which environment it was for
        #[arg(long)]
        env: EnvironmentArgument,
    },
}

/// Carries it out.
pub(crate) async fn run(command: Domain, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let operator = workplace.operator().await?;
    match command {
        Domain::Add { origin, env } => {
            let domain = operator.add_domain(&origin, env.into(), now()).await?;
            workplace
                .output
                .print(&describe(&domain), |_| domain.key.clone())
        }
        Domain::List => {
            let registered = operator.domains().await?;
            let refused = operator.refused_origins().await?;
            let value = json!({
                "domains": registered.iter().map(describe).collect::<Vec<_>>(),
                "refused": refused.iter().map(|refusal| json!({
                    "origin": refusal.origin,
                    "environment": refusal.environment,
                    "count": refusal.count,
                    "last_seen_at": date(refusal.last_seen_at),
                })).collect::<Vec<_>>(),
            });
            workplace.output.print(&value, |_| {
                let mut text = table(
                    ["ORIGIN", "ENV", "DOMAIN KEY"],
                    registered.iter().map(|domain| {
                        [domain.origin.clone(), domain.environment.to_string(), domain.key.clone()]
                    }),
                    "No origin is registered. Register one:\n  vestibule domain add https://app.example.com --env live",
                );
                if !refused.is_empty() {
                    text.push_str("\n\nRefused lately (to allow one: vestibule domain add ORIGIN --env ENV):\n");
                    text.push_str(&table(
                        ["ORIGIN", "ENV", "TIMES", "LAST"],
                        refused.iter().map(|refusal| {
                            [
                                refusal.origin.clone(),
                                refusal.environment.to_string(),
                                refusal.count.to_string(),
                                date(refusal.last_seen_at),
                            ]
                        }),
                        "",
                    ));
                }
                text
            })
        }
        Domain::Remove { origin, env } => {
            let is_removed = operator.remove_domain(&origin, env.into(), now()).await?;
            anyhow::ensure!(
                is_removed,
                "{origin} is not registered for this environment; see `vestibule domain list`"
            );
            workplace
                .output
                .print(&json!({"origin": origin, "removed": true}), |_| {
                    format!("removed {origin}")
                })
        }
    }
}

fn describe(domain: &DomainRecord) -> serde_json::Value {
    json!({
        "origin": domain.origin,
        "environment": domain.environment,
        "domain_key": domain.key,
        "created_at": date(domain.created_at),
    })
}
