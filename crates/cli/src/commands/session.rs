//! `vestibule session`: chat sessions that client secrets opened.

use auth::{
    operator::Person,
    ports::{ChatSessionFilter, ChatSessionRecord, End, EndReason},
};
use serde_json::{Value, json};

use crate::{
    commands::{
        output::table,
        workplace::{Workplace, date},
    },
    compose::now,
};

/// How many sessions are listed at once.
const LISTED: u32 = 100;

/// What to do with chat sessions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Session {
    /// Lists sessions, newest first
    #[command(
        after_help = "Examples:\n  vestibule session list --live\n  vestibule session list --issuer https://id.example.com --subject 42"
    )]
    List {
        #[command(flatten)]
        user: UserFilter,
        /// Only sessions that can still be used
        #[arg(long)]
        live: bool,
        /// Only sessions that come after this one in the list, for the next page
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Ends a session, or every session of a user, at once
    #[command(
        after_help = "Examples:\n  vestibule session revoke cksess_…\n  vestibule session revoke --issuer https://id.example.com --subject 42"
    )]
    Revoke {
        /// The id as it is listed, `cksess_…`
        #[arg(required_unless_present = "issuer", conflicts_with = "issuer")]
        id: Option<String>,
        #[command(flatten)]
        user: UserFilter,
    },
}

/// A user, by who vouches for them and under which name.
#[derive(Debug, clap::Args)]
pub(crate) struct UserFilter {
    /// The issuer of the user's tokens (`iss`)
    #[arg(long, requires = "subject")]
    issuer: Option<String>,
    /// The issuer's name for the user (`sub`)
    #[arg(long, requires = "issuer")]
    subject: Option<String>,
}

impl UserFilter {
    fn owner(self) -> Option<(String, String)> {
        self.issuer.zip(self.subject)
    }
}

/// Carries it out.
pub(crate) async fn run(command: Session, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let operator = workplace.operator().await?;
    match command {
        Session::List { user, live, after } => {
            let filter = ChatSessionFilter {
                owner: user.owner(),
                live_at: live.then(now),
                after,
            };
            let sessions = operator.sessions(&filter, LISTED).await?;
            let value = json!({"sessions": sessions.iter().map(describe).collect::<Vec<_>>()});
            workplace.output.print(&value, |_| {
                table(
                    ["ID", "ISSUER", "SUBJECT", "WORKFLOW", "OPENED", "STATE"],
                    sessions.iter().map(|session| {
                        [
                            session.id.clone(),
                            session.issuer.clone(),
                            session.subject.clone(),
                            session.workflow.clone(),
                            date(session.created_at),
                            state(session).to_owned(),
                        ]
                    }),
                    "No session matches.",
                )
            })
        }
        Session::Revoke { id, user } => {
            let ended = match (id, user.owner()) {
                (Some(id), _) => {
                    let is_ended = operator.end_session(&id, now()).await?;
                    anyhow::ensure!(
                        is_ended,
                        "there is no live session {id}; see `vestibule session list --live`"
                    );
                    1
                }
                (None, Some((issuer, subject))) => {
                    let person = Person {
                        issuer: &issuer,
                        subject: &subject,
                    };
                    operator.end_sessions_of(person, now()).await?
                }
                (None, None) => {
                    anyhow::bail!("name a session, or a user by --issuer and --subject")
                }
            };
            workplace
                .output
                .print(&json!({"ended": ended}), |_| match ended {
                    0 => "no live session matched".to_owned(),
                    1 => "ended 1 session".to_owned(),
                    many => format!("ended {many} sessions"),
                })
        }
    }
}

fn state(session: &ChatSessionRecord) -> &'static str {
    match session.ended {
        Some(End {
            reason: EndReason::Revoked,
            ..
        }) => "revoked",
        Some(End {
            reason: EndReason::Reused,
            ..
        }) => "ended: a used secret was shown again",
        Some(End {
            reason: EndReason::Displaced,
            ..
        }) => "ended: too many sessions",
        Some(End {
            reason: EndReason::Denied,
            ..
        }) => "ended: the user may not go on",
        None if session.ends_at <= now() => "expired",
        None => "live",
    }
}

fn describe(session: &ChatSessionRecord) -> Value {
    json!({
        "id": session.id,
        "issuer": session.issuer,
        "subject": session.subject,
        "environment": session.environment,
        "workflow": session.workflow,
        "created_at": date(session.created_at),
        "ends_at": date(session.ends_at),
        "state": state(session),
    })
}
