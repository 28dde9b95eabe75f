//! `vestibule user`: what a person may ask for by law, their data and to be forgotten.

use anyhow::ensure;
use auth::identity::owner_key;
use engine::Owner;
use serde_json::json;

use crate::commands::{output::line, workplace::Workplace};

/// What to do with a person's data.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum User {
    /// Prints everything that is kept about a person, one JSON record a line
    #[command(
        after_help = "Example:\n  vestibule user export --issuer https://id.example.com --subject 42 > ada.jsonl"
    )]
    Export(Person),
    /// Removes everything that is kept about a person, at once and for good
    #[command(
        after_help = "Example:\n  vestibule user forget --issuer https://id.example.com --subject 42 --yes"
    )]
    Forget {
        #[command(flatten)]
        person: Person,
        /// Says that you mean it: there is no way back
        #[arg(long)]
        yes: bool,
    },
}

/// A person, by who vouches for them and under which name.
#[derive(Debug, clap::Args)]
pub(crate) struct Person {
    /// The issuer of the person's tokens (`iss`); for a visitor `visitor:<token id>`
    #[arg(long)]
    issuer: String,
    /// The issuer's name for the person (`sub`); for a visitor `vis_…`
    #[arg(long)]
    subject: String,
}

/// Carries it out.
pub(crate) async fn run(command: User, workplace: &Workplace<'_>) -> anyhow::Result<()> {
    let database = workplace.database().await?;
    match command {
        User::Export(person) => {
            store::export_user(
                &*database,
                &owner(&person),
                |record| -> anyhow::Result<()> { line(&serde_json::to_string(&record)?) },
            )
            .await
        }
        User::Forget { person, yes } => {
            ensure!(
                yes,
                "this cannot be undone; say --yes to do it, or `user export` first"
            );
            let forgotten = database.forget_user(&owner(&person)).await?;
            let value = json!({
                "threads": forgotten.threads,
                "chat_sessions": forgotten.chat_sessions,
                "visitors": forgotten.visitors,
            });
            workplace.output.print(&value, |_| {
                format!(
                    "removed {} threads and {} chat sessions",
                    forgotten.threads, forgotten.chat_sessions
                )
            })
        }
    }
}

fn owner(person: &Person) -> Owner {
    Owner::new(owner_key(&person.issuer, &person.subject))
}
