//! `vestibule migrate`: makes the database, or brings its tables up to date.

use serde_json::json;

use crate::commands::workplace::Workplace;

/// Carries it out. Opening the database does the work; `serve` does the same at its start.
pub(crate) async fn run(workplace: &Workplace<'_>) -> anyhow::Result<()> {
    workplace.database_or_new().await?;
    let url = store::describe(&workplace.config.storage.url);
    workplace
        .output
        .print(&json!({"database": url, "up_to_date": true}), |_| {
            format!("{url} is up to date")
        })
}
