//! `vestibule user`: what a person may ask for by law, their data and to be forgotten.

use anyhow::ensure;
use auth::{identity::owner_key, ports::ChatSessionFilter};
use engine::{Owner, ports::PageQuery};
use protocol::request::Order;
use serde_json::{Value, json};
use store::Database;

use crate::commands::workplace::{Workplace, date};

/// Sessions in one export at most; a user has a few dozen.
const EXPORTED_SESSIONS: u32 = 1_000;

/// What to do with a person's data.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum User {
    /// Prints everything that is kept about a person, as one JSON document
    #[command(
        after_help = "Example:\n  vestibule user export --issuer https://id.example.com --subject 42 > ada.json"
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
            let value = export(&*database, &person).await?;
            workplace.output.print(&value, |value| format!("{value:#}"))
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

async fn export(database: &dyn Database, person: &Person) -> anyhow::Result<Value> {
    let owner = owner(person);
    let mut threads = Vec::new();
    let mut after = None;
    loop {
        let page = database.threads(&owner, &page(after)).await?;
        for thread in &page.data {
            let mut items = Vec::new();
            let mut after = None;
            loop {
                let page = database
                    .items(&owner, &thread.id, &self::page(after))
                    .await?;
                items.extend(page.data);
                after = page.after.filter(|_| page.has_more);
                if after.is_none() {
                    break;
                }
            }
            let feedback = database.feedback(&owner, &thread.id).await?;
            threads.push(json!({
                "thread": thread,
                "items": items,
                "feedback": feedback.iter().map(|thumb| json!({
                    "item_id": thumb.item_id, "kind": thumb.kind, "at": thumb.at,
                })).collect::<Vec<_>>(),
            }));
        }
        after = page.after.filter(|_| page.has_more);
        if after.is_none() {
            break;
        }
    }
    let filter = ChatSessionFilter {
        owner: Some((person.issuer.clone(), person.subject.clone())),
        ..ChatSessionFilter::default()
    };
    let sessions = database
        .list_chat_sessions(&filter, EXPORTED_SESSIONS)
        .await?;
    let visitor = database.visitor(&owner).await?;
    Ok(json!({
        "issuer": person.issuer,
        "subject": person.subject,
        "threads": threads,
        "chat_sessions": sessions.iter().map(|session| json!({
            "id": session.id,
            "claims": session.claims,
            "workflow": session.workflow,
            "created_at": date(session.created_at),
            "ends_at": date(session.ends_at),
        })).collect::<Vec<_>>(),
        "visitor": visitor.map(|visitor| json!({
            "id": visitor.id,
            "created_at": date(visitor.created_at),
            "last_seen_at": date(visitor.last_seen_at),
        })),
    }))
}

fn page(after: Option<String>) -> PageQuery {
    PageQuery {
        limit: PageQuery::MAX_LIMIT,
        order: Order::Asc,
        after,
    }
}
