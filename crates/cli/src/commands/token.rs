//! `vestibule token`: public tokens, the door for visitors.

use auth::{
    ports::{PublicTokenRecord, Quotas},
    public_token::NewPublicToken,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    commands::{
        output::table,
        workplace::{EnvironmentArgument, Workplace, date, pages_of},
    },
    compose::{check_workflow, now},
    telemetry::say,
};

/// What to do with public tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Token {
    /// Makes a public token and prints it, once
    #[command(
        after_help = "Examples:\n  vestibule token create --origin https://www.example.com\n  vestibule token create --env test --workflow wf_support --label \"docs site\""
    )]
    Create {
        /// A page that may use it; repeat for more. Is registered as with `domain add`
        #[arg(long, value_name = "ORIGIN")]
        origin: Vec<String>,
        /// Which pages it is for: live ones that people use, or those under development (all of localhost)
        #[arg(long, default_value = "live")]
        env: EnvironmentArgument,
        /// The workflow that answers; the configured default when absent
        #[arg(long, value_name = "WF_ID")]
        workflow: Option<String>,
        /// What it is for, in your words
        #[arg(long, default_value = "")]
        label: String,
        /// New visitors per hour from one address
        #[arg(long, value_name = "N", default_value_t = Quotas::default().visitors_per_ip_per_hour)]
        visitors_per_ip_per_hour: u32,
        /// New visitors per hour through the whole token
        #[arg(long, value_name = "N", default_value_t = Quotas::default().visitors_per_token_per_hour)]
        visitors_per_token_per_hour: u32,
        /// Messages per hour from one visitor
        #[arg(long, value_name = "N", default_value_t = Quotas::default().messages_per_visitor_per_hour)]
        messages_per_visitor_per_hour: u32,
        /// Messages per day from one address; a tenth of what the whole token may have when absent
        #[arg(long, value_name = "N")]
        messages_per_ip_per_day: Option<u32>,
        /// Messages per day through the whole token
        #[arg(long, value_name = "N", default_value_t = Quotas::default().messages_per_token_per_day)]
        messages_per_token_per_day: u32,
    },
    /// Lists public tokens by their first characters
    #[command(after_help = "Examples:\n  vestibule token list\n  vestibule token list --json")]
    List,
    /// Revokes a token; its visitors' sessions end at once
    #[command(after_help = "Example:\n  vestibule token revoke pkt_…")]
    Revoke {
        /// The id as it is listed, `pkt_…`
        id: String,
    },
}

/// Carries it out.
pub(crate) async fn run(command: Token, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let operator = workplace.operator().await?;
    match command {
        Token::Create {
            origin: origins,
            env,
            workflow,
            label,
            visitors_per_ip_per_hour,
            visitors_per_token_per_hour,
            messages_per_visitor_per_hour,
            messages_per_ip_per_day,
            messages_per_token_per_day,
        } => {
            if let Some(workflow) = &workflow {
                check_workflow(&workplace.config, workflow)?;
            }
            let quotas = Quotas {
                visitors_per_ip_per_hour,
                visitors_per_token_per_hour,
                messages_per_visitor_per_hour,
                messages_per_ip_per_day,
                messages_per_token_per_day,
            };
            let new = NewPublicToken {
                label,
                environment: env.into(),
                origins,
                workflow,
                quotas,
            };
            let (token, record) = operator.create_token(new, now()).await?;
            let mut value = describe(&record);
            value["token"] = json!(token.expose_secret());
            let pages = if record.origins.is_empty() {
                pages_of(record.environment).to_owned()
            } else {
                format!("{}, which is registered now", record.origins.join(" and "))
            };
            value["for"] = json!(pages);
            workplace
                .output
                .print(&value, |_| token.expose_secret().to_owned())?;
            if !workplace.output.is_json() {
                say(&format!("a {} token, for {pages}", record.environment));
            }
            Ok(())
        }
        Token::List => {
            let records = operator.tokens().await?;
            let value = json!({"tokens": records.iter().map(describe).collect::<Vec<_>>()});
            workplace.output.print(&value, |_| {
                table(
                    ["ID", "TOKEN", "ENV", "ORIGINS", "STATE", "LABEL"],
                    records.iter().map(|token| {
                        [
                            token.id.clone(),
                            token.hint.clone(),
                            token.environment.to_string(),
                            token.origins.join(" "),
                            if token.revoked_at.is_some() { "revoked" } else { "live" }.to_owned(),
                            token.label.clone(),
                        ]
                    }),
                    "There is no public token. Make one:\n  vestibule token create --origin https://www.example.com",
                )
            })
        }
        Token::Revoke { id } => {
            let is_revoked = operator.revoke_token(&id, now()).await?;
            anyhow::ensure!(
                is_revoked,
                "there is no live token {id}; see `vestibule token list`"
            );
            workplace
                .output
                .print(&json!({"id": id, "revoked": true}), |_| {
                    format!("revoked {id}")
                })
        }
    }
}

fn describe(token: &PublicTokenRecord) -> Value {
    json!({
        "id": token.id,
        "hint": token.hint,
        "label": token.label,
        "environment": token.environment,
        "origins": token.origins,
        "workflow": token.workflow,
        "quotas": token.quotas,
        "created_at": date(token.created_at),
        "revoked_at": token.revoked_at.map(date),
    })
}
