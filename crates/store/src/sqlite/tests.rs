//! What each statement costs, asked from SQLite itself: no whole tables, and no page dearer than the first.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use engine::ports::PageQuery;
use protocol::ItemId;
use protocol::request::Order;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, StatementStatus};
use tempfile::TempDir;
use testkit::store_contract::{CASES, Stores, TestDatabase};

use crate::sqlite::{Sqlite, threads};
use crate::{Database, Options, export_user};

/// Every statement that any connection of this process has run.
static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Makes a connection write down what it runs.
pub(super) fn record_statements_of(connection: &Connection) {
    fn record(event: TraceEvent<'_>) {
        if let TraceEvent::Stmt(statement, _) = event {
            let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
            statements.insert(statement.sql().into_owned());
        }
    }
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(record));
}

struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn open(&self) -> Arc<Sqlite> {
        let path = self.folder.path().join("test.db");
        Arc::new(Sqlite::open_file(&path, Options::default()).unwrap())
    }
}

#[async_trait]
impl TestDatabase for File {
    async fn open(&self) -> Stores {
        let database = File::open(self);
        Stores {
            threads: database.clone(),
            attachments: database.clone(),
            audit: database.clone(),
            credentials: database,
        }
    }
}

#[tokio::test]
async fn what_is_left_of_a_thread_goes_when_the_database_is_opened_again() {
    let file = File::new();
    let owner = engine::Owner::new("https://issuer.example ada");
    let fill = || async {
        let database = file.open();
        let thread = serde_json::from_value(serde_json::json!({
            "id": "cthr_1", "created_at": "2026-10-01T00:00:00Z", "status": { "type": "active" }, "metadata": {},
        }));
        let change = engine::ports::Change::default();
        engine::ports::Store::create_thread(&*database, &owner, &thread.unwrap(), &change)
            .await
            .unwrap();
    };
    fill().await;
    let path = file.folder.path().join("test.db");
    let count = |table: &str| -> i64 {
        let connection = Connection::open(&path).unwrap();
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    {
        // As a process leaves it that ended after the first step.
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200)
                 INSERT INTO items (thread, id, version, data) SELECT 1, 'cti_' || n, 1, '{}' FROM numbers;
                 UPDATE threads SET gone_from = owner, owner = ' ' || key;",
            )
            .unwrap();
    }
    assert_eq!((count("items"), count("message_bytes")), (1_200, 1));
    // The name is free for a new one meanwhile.
    fill().await;
    assert_eq!(
        (count("threads"), count("items"), count("message_bytes")),
        (1, 0, 0)
    );
}

/// Lists that an operator asks for, of tables that only an operator fills (or that are bounded), wanted whole.
const WANTED_WHOLE: [&str; 14] = [
    // The index holds nothing but what is looked for.
    "FROM threads WHERE gone_from IS NOT NULL LIMIT 1",
    // An upgrade, once.
    "FROM items JOIN threads ON threads.key = items.thread GROUP BY threads.owner",
    // The index holds nothing but what is looked for.
    "FROM threads WHERE run IS NOT NULL AND run_interrupted = 0 ORDER BY key LIMIT ?1",
    // All that is kept about one person, found by the person, then put in order.
    "FROM threads WHERE owner = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
    "FROM chat_sessions WHERE issuer = ?1 AND subject = ?2 AND key > ?3 ORDER BY key LIMIT ?4",
    "WHERE party.issuer = ?1 AND party.subject = ?2 AND log.key > ?3 ORDER BY log.key LIMIT ?4",
    // One person's audit entries and sessions, found by the person, then put in order.
    "AND party.subject = :subject",
    "FROM chat_sessions AS session WHERE key < :before AND issuer = :issuer AND subject = :subject",
    "FROM domains ORDER BY origin, environment",
    "FROM public_tokens ORDER BY key DESC",
    "FROM server_keys ORDER BY key DESC",
    "FROM refusals ORDER BY key DESC",
    "(SELECT key FROM refusals WHERE key <> last_insert_rowid() ORDER BY count, key",
    "SELECT 1 FROM threads LIMIT 1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_finds_its_rows_by_an_index() {
    // The contract calls every method of the ports; the rest is called here.
    for (_, case) in CASES {
        case(&File::new()).await;
    }
    let file = File::new();
    let database: Arc<dyn Database> = file.open();
    for owner in ["visitor:pkt_1 vis_1", "https://issuer.example ada"] {
        let owner = engine::Owner::new(owner);
        let thread: protocol::ThreadMetadata = serde_json::from_value(serde_json::json!({
            "id": "thr_1", "created_at": "2026-01-01T00:00:00Z"
        }))
        .unwrap();
        database
            .create_thread(&owner, &thread, &engine::ports::Change::of(&[]))
            .await
            .unwrap();
        database.check().await.unwrap();
        export_user::<crate::Error>(&*database, &owner, |_| Ok(()))
            .await
            .unwrap();
        database.forget_user(&owner).await.unwrap();
    }

    let plans = Connection::open(file.folder.path().join("test.db")).unwrap();
    let statements = STATEMENTS.lock().unwrap().clone();
    let mut looked_at = 0;
    let mut used = String::new();
    for sql in &statements {
        let squeezed = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_query = ["SELECT", "UPDATE", "DELETE", "INSERT"]
            .iter()
            .any(|verb| squeezed.starts_with(verb));
        if !is_query || squeezed.contains("sqlite_") {
            continue; // Transactions, settings and migrations.
        }
        looked_at += 1;
        for step in plan(&plans, sql) {
            used.push_str(&step);
            used.push('\n');
            let is_whole = step.starts_with("SCAN") && !step.starts_with("SCAN CONSTANT ROW");
            if is_whole || step.contains("TEMP B-TREE") {
                assert!(
                    WANTED_WHOLE.iter().any(|part| squeezed.contains(part)),
                    "{step}\n  in: {squeezed}"
                );
            }
        }
    }
    // Fewer would mean that the statements are not seen.
    assert!(looked_at > 45, "{looked_at} statements: {statements:#?}");
    // An index costs something at each write, so it has to find something for somebody. (Those that stand for a
    // constraint have no text.)
    let indexes = plans
        .prepare("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    assert!(indexes.len() > 5, "{indexes:?}");
    for index in indexes {
        let is_used = used
            .lines()
            .any(|step| step.split_whitespace().any(|word| word == index));
        assert!(is_used, "no statement uses the index {index}");
    }
}

#[tokio::test]
async fn an_audit_entry_cannot_be_replaced() {
    use auth::audit::{AuditEvent, AuditQuery, AuditRecord, AuditStore};
    let file = File::new();
    let database = file.open();
    let entry = AuditRecord::new(auth::UnixTime::from_seconds(10), AuditEvent::SecretReused);
    let entries = [entry];
    database.append_audit(&entries).await.unwrap();
    let replaced = database.write(|connection| {
        let sql = "INSERT OR REPLACE INTO audit_log (key, at, kind, version, data)
                   VALUES (1, 1, 'x', 1, '{}')";
        Ok(connection.execute(sql, [])?)
    });
    let error = format!("{:?}", replaced.await.unwrap_err());
    assert!(error.contains("audit entry"), "{error}");
    let query = AuditQuery::default();
    let left = database.list_audit(&query, 10).await.unwrap();
    assert_eq!(left[0].record, entries[0]);
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    // The values do not matter for the plan; what is not bound is null.
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    steps
}

/// Steps of SQLite's virtual machine, of connections that are counted.
static VM_STEPS: AtomicI32 = AtomicI32::new(0);

fn count_steps_of(connection: &Connection) {
    fn count(event: TraceEvent<'_>) {
        if let TraceEvent::Profile(statement, _) = event {
            let steps = statement.get_status(StatementStatus::VmStep);
            VM_STEPS.fetch_add(steps, Ordering::Relaxed);
        }
    }
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(count));
}

#[tokio::test]
async fn a_deep_page_costs_what_the_first_one_costs() {
    const ROWS: u32 = 3_000;
    let file = File::new();
    drop(file.open());
    let connection = Connection::open(file.folder.path().join("test.db")).unwrap();
    connection
        .execute_batch(&format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
             INSERT INTO threads (owner, id, created_at, version, data)
             SELECT 'a', printf('cthr_%032x', n), n / 10, 1,
                 json_object('id', printf('cthr_%032x', n), 'created_at', '2026-01-01T00:00:00Z')
             FROM n;
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})
             INSERT INTO items (thread, id, version, data)
             SELECT 7, printf('cti_%032x', n), 1,
                 json_object('type', 'end_of_turn', 'id', 'msg_1', 'thread_id', 'thr_7',
                     'created_at', '2026-01-01T00:00:00Z')
             FROM n;"
        ))
        .unwrap();
    count_steps_of(&connection);

    let owner = engine::Owner::new("a");
    let steps_of = |read: &dyn Fn(&Connection)| {
        // A statement's own count goes on from run to run; a new one begins at nought.
        connection.flush_prepared_statement_cache();
        let before = VM_STEPS.load(Ordering::Relaxed);
        read(&connection);
        VM_STEPS.load(Ordering::Relaxed) - before
    };
    for order in [Order::Asc, Order::Desc] {
        let query = |after: Option<String>| PageQuery {
            limit: 20,
            order,
            after,
            before: None,
        };
        let threads = |after: Option<u128>| {
            let query = query(after.map(|number| protocol::ThreadId::mint(number).to_string()));
            steps_of(&|connection| {
                let page = threads::page_of_threads(connection, &owner, &query).unwrap();
                assert_eq!(page.data.len(), 20);
            })
        };
        let items = |after: Option<u128>| {
            let after = after.map(|number| ItemId::mint(number).to_string());
            let (thread, query) = (protocol::ThreadId::mint(7), query(after));
            steps_of(&|connection| {
                let page = threads::page_of_items(connection, &owner, &thread, &query).unwrap();
                assert_eq!(page.data.len(), 20);
            })
        };
        let end = u128::from(ROWS) - 30;
        let deep = if order == Order::Asc { end } else { 30 };
        for (more, first, deep) in [
            (150, threads(None), threads(Some(deep))),
            (100, items(None), items(Some(deep))),
        ] {
            // Looking up the cursor is a few dozen steps more, and so is comparing each of 20 threads with it, which the
            // first page need not do; reading over what lies before the cursor would be thousands.
            assert!(first > 100, "{first} steps are not counted");
            assert!(deep < first + more, "first page {first}, deep page {deep}");
        }
    }
}
