//! A page of a long history, by the key of the page before it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use engine::Owner;
use engine::ports::{Change, PageQuery};
use protocol::ThreadMetadata;
use protocol::request::Order;
use serde_json::json;

const THREADS: u32 = 2_000;
const PAGE: u32 = 20;

fn id(number: u32) -> String {
    format!("thr_{number:032x}")
}

fn thread(number: u32) -> Result<ThreadMetadata> {
    Ok(serde_json::from_value(json!({
        "id": id(number),
        "title": format!("Conversation number {number}"),
        "created_at": format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + number / 1440, number / 60 % 24, number % 60),
    }))?)
}

/// Asks for the page in the middle. The database is made by the first run in a folder.
pub(crate) async fn run(folder: &Path, iterations: u32) -> Result<()> {
    let file = folder.join("page.db");
    let is_new = !file.exists();
    let url = format!("sqlite://{}", file.display());
    let store = store::connect(&url, store::Options::default()).await?;
    let owner = Owner::new("owner");
    if is_new {
        for number in 0..THREADS {
            store
                .create_thread(&owner, &thread(number)?, &Change::of(&[]))
                .await?;
        }
    }
    let query = PageQuery {
        limit: PAGE,
        order: Order::Desc,
        after: Some(id(THREADS / 2)),
        before: None,
    };
    for _ in 0..iterations {
        let page = store.threads(&owner, &query).await?;
        let first = page.data.first().context("the page is empty")?;
        ensure!(
            first.id.as_str() == id(THREADS / 2 - 1),
            "this is another page"
        );
        ensure!(page.data.len() == PAGE as usize, "the page is not full");
    }
    Ok(())
}
