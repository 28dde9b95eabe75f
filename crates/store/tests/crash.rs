//! What was acknowledged is there after the process was killed in the midst of writes.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use engine::Owner;
use engine::ports::{Change, PageQuery};
use futures::future::join_all;
use protocol::item::{AssistantContent, AssistantMessageItem};
use protocol::request::Order;
use protocol::{ItemId, ThreadId, ThreadItem, ThreadMetadata, ThreadStatus, Timestamp};
use rusqlite::Connection;
use store::{Database, Options, connect};

/// Callers that write at once, each to a thread of its own.
const CALLERS: u128 = 8;
/// How many answers the parent waits for before it kills the child.
const ANSWERS: usize = 400;

fn owner() -> Owner {
    Owner::new("https://issuer.example ada")
}

fn at() -> Timestamp {
    "2026-01-23T16:15:25Z".parse().unwrap()
}

fn item(caller: u128, number: u128) -> ThreadItem {
    AssistantMessageItem {
        id: ItemId::mint(number),
        thread_id: ThreadId::mint(caller),
        created_at: at(),
        content: vec![AssistantContent::new("word ".repeat(200))],
    }
    .into()
}

async fn open(path: &Path) -> std::sync::Arc<dyn Database> {
    let url = format!("sqlite://{}", path.display());
    connect(&url, Options::default()).await.unwrap()
}

/// Not a test by itself: the process that `acknowledged_writes_survive_a_kill` starts and kills.
#[tokio::test]
#[ignore = "never ends; the test below starts it as a process of its own"]
async fn child() {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    let database = open(Path::new(path.trim())).await;
    join_all((0..CALLERS).map(async |caller| {
        let thread = ThreadMetadata {
            id: ThreadId::mint(caller),
            title: None,
            created_at: at(),
            status: ThreadStatus::Active,
            allowed_image_domains: None,
            metadata: serde_json::Map::new(),
        };
        database
            .create_thread(&owner(), &thread, &Change::of(&[]))
            .await
            .unwrap();
        for number in 0.. {
            let change = Change {
                put: vec![item(caller, number)],
                ..Change::default()
            };
            database.apply(&owner(), &thread.id, &change).await.unwrap();
            println!("saved {caller} {number}");
        }
    }))
    .await;
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vestibule.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", path.display()).unwrap();
    drop(stdin);

    // Highest number that each caller has been told is saved, up to the last word before the end.
    let mut saved: HashMap<u128, u128> = HashMap::new();
    let mut answers = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        if let ["saved", caller, number] = words[..]
            && let (Ok(caller), Ok(number)) = (caller.parse(), number.parse())
        {
            saved.insert(caller, number);
            answers += 1;
            if answers == ANSWERS {
                child.kill().unwrap(); // SIGKILL: no goodbye.
            }
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(answers >= ANSWERS, "{answers}");

    let database = open(&path).await;
    for (caller, last) in saved {
        let mut query = PageQuery {
            limit: PageQuery::MAX_LIMIT,
            order: Order::Asc,
            after: None,
            before: None,
        };
        let mut stored = Vec::new();
        loop {
            let page = database
                .items(&owner(), &ThreadId::mint(caller), &query)
                .await
                .unwrap();
            stored.extend(page.data);
            if !page.has_more {
                break;
            }
            query.after = page.after;
        }
        let expected: Vec<_> = (0..stored.len() as u128)
            .map(|number| item(caller, number))
            .collect();
        assert_eq!(stored, expected, "whole items, in order, without a gap");
        assert!(
            stored.len() as u128 > last,
            "caller {caller} was told that {last} is saved, but has {} items",
            stored.len()
        );
    }
    drop(database);
    let check: String = Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}
