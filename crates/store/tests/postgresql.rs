//! What only PostgreSQL can do to us: a server that goes and comes back, one that is slow, one that poses as another.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::ports::{End, EndReason};
use auth::time::UnixTime;
use engine::WorkflowId;
use engine::ports::{BeginRun, BucketRate, Buckets, Change, PageQuery, RunEnd, StoreError};
use engine::search::Wanted;
use futures::future::join_all;
use protocol::request::Order;
use protocol::{ItemId, RunId, ThreadId, ThreadPatch, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use store::{Database, Error, MigrationPolicy, Options, connect};
use testkit::services::{PostgreSql, PostgreSqlDatabase, Redis};
use testkit::store_contract::sample::{item, owner, thread};

fn small() -> Options {
    Options {
        pool_size: 4,
        ..Options::default()
    }
}

async fn open(url: &str) -> Arc<dyn Database> {
    connect(url, small()).await.unwrap()
}

fn page(limit: u32) -> PageQuery {
    PageQuery {
        limit,
        order: Order::Asc,
        after: None,
        before: None,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_under_load_loses_nothing_that_was_acknowledged() {
    let mut server = PostgreSql::start_with(&["fsync=on"], &[]).await.unwrap();
    let database = open(&server.url()).await;
    let ada = owner("ada");
    database
        .create_thread(&ada, &thread(1), &Change::default())
        .await
        .unwrap();
    let writers = (0..4_u128).map(|writer| {
        let (database, ada) = (Arc::clone(&database), ada.clone());
        async move {
            let mut kept = Vec::new();
            for number in 0..150 {
                let number = writer * 1_000 + number;
                let change = Change::of(&[item(1, number, "kept")]);
                match database.apply(&ada, &ThreadId::mint(1), &change).await {
                    Ok(_) => kept.push(ItemId::mint(number)),
                    Err(StoreError::Busy(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(other) => panic!("{}", chain(&other)),
                }
            }
            kept
        }
    });
    let restart = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            server.stop();
            server.go_on().await.unwrap();
        }
    };
    let (kept, ()) = tokio::join!(join_all(writers), restart);
    let kept: Vec<_> = kept.into_iter().flatten().collect();
    assert!(!kept.is_empty());
    for id in &kept {
        database
            .item(&ada, &ThreadId::mint(1), id)
            .await
            .expect("what was acknowledged is there");
    }
    database.probe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_ended_are_made_again_and_nothing_is_half_written() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let store = open(&database.url()).await;
    let ada = owner("ada");
    let end_all = || {
        database
            .sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .unwrap();
    };
    for number in 0..20_u128 {
        // Idle ones: nobody notices.
        end_all();
        let written = async {
            let change = Change::of(&[item(number, 1, "one"), item(number, 2, "two")]);
            store.create_thread(&ada, &thread(number), &change).await
        };
        let killed = async {
            // Under way: it is made again, or told to be busy.
            tokio::time::sleep(Duration::from_millis(u64::try_from(number).unwrap() / 2)).await;
            end_all();
        };
        match tokio::join!(written, killed).0 {
            Ok(_) | Err(StoreError::Busy(_)) => {}
            Err(other) => panic!("{}", chain(&other)),
        }
    }
    for found in store.threads(&ada, &page(100)).await.unwrap().data {
        let items = store.items(&ada, &found.id, &page(10)).await.unwrap();
        assert_eq!(
            items.data.len(),
            2,
            "a thread has both items, or is not there"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_without_a_free_connection_and_a_locked_row_are_busy_in_time() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let options = Options {
        pool_size: 1,
        patience: Duration::from_millis(500),
        ..Options::default()
    };
    let store = connect(&database.url(), options).await.unwrap();
    let ada = owner("ada");
    store
        .create_thread(&ada, &thread(1), &Change::default())
        .await
        .unwrap();
    let url = database.url();
    // Holds the thread's row until it is ended.
    let mut holder = std::process::Command::new("psql")
        .args(["-X", "-q", &url, "-c"])
        .arg("BEGIN; SELECT 1 FROM threads FOR UPDATE; SELECT pg_sleep(60)")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let is_held = || {
        let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'
                      AND state = 'active' AND pid <> pg_backend_pid()
                      AND wait_event = 'PgSleep'";
        database.sql(sleeps).unwrap() == "1"
    };
    while !is_held() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let title = Change {
        patch: ThreadPatch {
            title: Some("new".to_owned()),
            ..ThreadPatch::default()
        },
        ..Change::default()
    };
    let id = ThreadId::mint(1);
    let both = async {
        tokio::join!(
            store.apply(&ada, &id, &title),
            store.apply(&ada, &id, &title)
        )
    };
    let (one, other) = tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .expect("nobody waits for ever");
    for outcome in [one, other] {
        assert!(matches!(outcome, Err(StoreError::Busy(_))), "{outcome:?}");
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    database
        .sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE wait_event = 'PgSleep' AND datname = current_database()",
        )
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    store.apply(&ada, &id, &title).await.unwrap();
}

/// However many search, and however long it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_leave_everybody_else_their_connections() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let store = open(&database.url()).await;
    let ada = owner("ada");
    store
        .create_thread(&ada, &thread(1), &Change::of(&[item(1, 1, "a needle")]))
        .await
        .unwrap();
    // Nobody reads a message until this one ends.
    let mut holder = std::process::Command::new("psql")
        .args(["-X", "-q", &database.url(), "-c"])
        .arg("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                  AND wait_event = 'PgSleep'";
    while database.sql(sleeps).unwrap() != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let wanted = Wanted::parse("needle").unwrap();
    let tasks = tokio_util::task::TaskTracker::new();
    let searches = join_all((0..32).map(|_| {
        let (store, ada, wanted) = (Arc::clone(&store), ada.clone(), wanted.clone());
        tasks.spawn(async move { store.search(&ada, &wanted, &page(10)).await.map(drop) })
    }));
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 0..3 {
        store.probe().await.unwrap();
        assert_eq!(store.find_chat_session("nobody").await.unwrap(), None);
    }
    // Each of them was stopped, or found no place in time.
    for outcome in searches.await {
        let outcome = outcome.unwrap();
        assert!(matches!(outcome, Err(StoreError::Busy(_))), "{outcome:?}");
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE wait_event = 'PgSleep' AND datname = current_database()";
    database.sql(end).unwrap();
    let found = store.search(&ada, &wanted, &page(10)).await.unwrap();
    assert_eq!(found.data.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_another_version_are_migrated_or_refused_and_two_may_migrate_at_once() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let url = database.url();
    let strict = Options {
        migrations: MigrationPolicy::Require,
        ..small()
    };
    let refused = connect(&url, strict).await.map(drop);
    assert!(
        matches!(refused, Err(Error::Outdated { found: 0, .. })),
        "{refused:?}"
    );
    let both = join_all((0..4).map(|_| connect(&url, small()))).await;
    for opened in both {
        opened.unwrap().check().await.unwrap();
    }
    let store = connect(&url, strict).await.unwrap();
    // A node of a later release has come, whose tables only have more.
    database
        .sql(
            "INSERT INTO vestibule_schema (version, works_from) VALUES (1000, 1);
             ALTER TABLE threads ADD COLUMN mood text",
        )
        .unwrap();
    let beside = connect(&url, small()).await.unwrap();
    for store in [&store, &beside] {
        store.probe().await.unwrap();
    }
    // And one whose tables this build does not understand.
    database
        .sql("INSERT INTO vestibule_schema (version, works_from) VALUES (1001, 1001)")
        .unwrap();
    let refused = connect(&url, small()).await.map(drop);
    assert!(
        matches!(refused, Err(Error::TooNew { found: 1001, .. })),
        "{refused:?}"
    );
    assert!(store.probe().await.is_err(), "it is not ready any more");
}

/// The tables of the first build, as it wrote down that they are there.
const FIRST: &str = concat!(
    "CREATE TABLE vestibule_schema (
         version    integer PRIMARY KEY,
         applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
     );
     INSERT INTO vestibule_schema (version) VALUES (1);",
    include_str!("../migrations/postgres/0001_everything.sql")
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_were_there_before_the_upgrade_count_as_used_with_it() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    database.sql(FIRST).unwrap();
    let insert = |id: &str| {
        let insert = "INSERT INTO threads (owner, id, created_at, version, data) VALUES ('ada', ";
        database
            .sql(&format!("{insert} '{id}', 0, 1, '{{}}')"))
            .unwrap()
    };
    insert("old");
    open(&database.url()).await.probe().await.unwrap();
    insert("new");
    let ages = "SELECT id || ' ' || coalesce((active_at / 1000000 > extract(epoch FROM now()) - 60)::text, 'none')
                FROM threads ORDER BY key";
    assert_eq!(database.sql(ages).unwrap().trim(), "old true\nnew none");
}

/// While nodes of a release are replaced one after the other, those of the release before write into tables that are newer:
/// what they know is still there, and what they do not know needs no value from them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_tables_serve_the_builds_before_them() {
    // Each column with its type, and whether a row may do without a value for it.
    const COLUMNS: &str = "SELECT table_name || '.' || column_name || ' ' || data_type || '|' ||
            (is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES')
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'vestibule_schema'";
    let (old, new) = (
        PostgreSqlDatabase::new().await.unwrap(),
        PostgreSqlDatabase::new().await.unwrap(),
    );
    old.sql(FIRST).unwrap();
    open(&new.url()).await;
    let read = |database: &PostgreSqlDatabase| -> BTreeMap<String, bool> {
        let lines = database.sql(COLUMNS).unwrap();
        let columns = lines.lines().map(|line| {
            let (column, is_free) = line.rsplit_once('|').unwrap();
            (column.to_owned(), is_free == "true")
        });
        columns.collect()
    };
    let (before, after) = (read(&old), read(&new));
    assert!(before.len() > 50, "{before:?}");
    let tables = |columns: &BTreeMap<String, bool>| -> BTreeSet<String> {
        let names = columns.keys().filter_map(|column| column.split_once('.'));
        names.map(|(table, _)| table.to_owned()).collect()
    };
    let old_tables = tables(&before);
    for (column, is_free) in &before {
        let now = after.get(column);
        assert!(now.is_some(), "{column} is gone, or of another type");
        assert!(*is_free <= *now.unwrap(), "{column} must be given now");
    }
    for (column, is_free) in &after {
        let is_known = column
            .split_once('.')
            .is_some_and(|(table, _)| old_tables.contains(table));
        assert!(
            *is_free || !is_known || before.contains_key(column),
            "{column} is new and must be given"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_thread_goes_when_another_process_opens_the_database() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let ada = owner("ada");
    let store = open(&database.url()).await;
    store
        .create_thread(&ada, &thread(1), &Change::default())
        .await
        .unwrap();
    // As a process leaves it that ended after the first step.
    database
        .sql(
            "INSERT INTO items (thread, id, version, data)
             SELECT 1, 'cti_' || n, 1, '{}' FROM generate_series(1, 1200) AS n;
             UPDATE threads SET gone_from = owner, owner = ' ' || key",
        )
        .unwrap();
    let count = "SELECT (SELECT count(*) FROM threads) || ' ' || (SELECT count(*) FROM items)
                     || ' ' || (SELECT count(*) FROM message_bytes)";
    assert_eq!(database.sql(count).unwrap(), "1 1200 1");
    let found = store.thread(&ada, &ThreadId::mint(1)).await;
    assert!(matches!(found, Err(StoreError::NotFound)), "{found:?}");
    open(&database.url()).await;
    assert_eq!(database.sql(count).unwrap(), "0 0 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hard_to_keep_comes_back_as_it_was() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let store = open(&database.url()).await;
    let ada = owner("ada");
    let million = "🦀".repeat(1 << 18);
    let texts = [
        "a\0b",
        "\u{10ffff}\u{fffe}",
        "\u{1F469}\u{200D}\u{1F680}",
        "'; DROP TABLE items; --",
        &million,
    ];
    let items: Vec<_> = (0..)
        .zip(texts)
        .map(|(number, text)| item(1, number, text))
        .collect();
    let mut metadata = thread(1);
    metadata.title = Some("a\0title".to_owned());
    store
        .create_thread(&ada, &metadata, &Change::of(&items))
        .await
        .unwrap();
    assert_eq!(
        store.thread(&ada, &ThreadId::mint(1)).await.unwrap(),
        metadata
    );
    for item in &items {
        let found = store.item(&ada, &ThreadId::mint(1), item.id()).await;
        assert!(found.unwrap() == *item);
    }
    // What nothing can be called is not found, and is no fault of ours.
    for strange in ["a\0", "\u{10ffff}", &"x".repeat(10_000)] {
        let query = PageQuery {
            after: Some(strange.to_owned()),
            ..page(10)
        };
        let threads = store.threads(&ada, &query).await;
        assert!(matches!(threads, Err(StoreError::NotFound)), "{threads:?}");
        let items = store.items(&ada, &ThreadId::mint(1), &query).await;
        assert!(matches!(items, Err(StoreError::NotFound)));
        assert_eq!(store.request(&ada, strange).await.unwrap(), None);
        assert_eq!(store.find_chat_session(strange).await.unwrap(), None);
        let end = End {
            at: UnixTime::from_seconds(1),
            reason: EndReason::Revoked,
        };
        assert!(!store.end_chat_session(strange, end).await.unwrap());
    }
}

/// A run of a process that has ended is marked by one other, once; a run of one that lives by nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_left_is_taken_by_one_of_the_others() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let url = database.url();
    let (dies, lives) = (open(&url).await, open(&url).await);
    let (one, other) = (open(&url).await, open(&url).await);
    let ada = owner("ada");
    for (store, number) in [(&dies, 1), (&lives, 2)] {
        store
            .create_thread(&ada, &thread(number), &begin(number))
            .await
            .unwrap();
    }
    assert!(one.left_behind(10).await.unwrap().is_empty());
    // It is killed: no word, and no more signs of life.
    database
        .sql(
            "UPDATE nodes SET seen_at = clock_timestamp() - interval '16 s'
             WHERE key = (SELECT node FROM runs ORDER BY thread LIMIT 1)",
        )
        .unwrap();
    let (seen, also) = tokio::join!(one.left_behind(10), other.left_behind(10));
    let (seen, also) = (seen.unwrap(), also.unwrap());
    assert_eq!(seen.len(), 1);
    assert_eq!(seen, also);
    let (ada, id, run) = &seen[0];
    let mark = |number| Change {
        epoch: Some(run.epoch),
        put: vec![item(1, number, "cut off")],
        end: Some(RunEnd::Interrupted),
        ..Change::default()
    };
    let (first, second) = (mark(10), mark(11));
    let marked = tokio::join!(one.apply(ada, id, &first), other.apply(ada, id, &second));
    let outcomes = [marked.0.is_ok(), marked.1.is_ok()];
    assert!(
        outcomes[0] != outcomes[1],
        "one of them marks it: {marked:?}"
    );
    let items = one.items(ada, id, &page(10)).await.unwrap();
    assert_eq!(items.data.len(), 1);
    assert!(one.left_behind(10).await.unwrap().is_empty());
}

/// Plans, not times: what a page costs does not grow with what is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_read_from_an_index_and_never_sorted() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let _store = open(&database.url()).await;
    database
        .sql(
            "INSERT INTO threads (owner, id, created_at, version, data)
             SELECT 'issuer ada', 'thr_' || n, n, 1, '{}' FROM generate_series(1, 20000) AS n",
        )
        .unwrap();
    database.sql("ANALYZE threads").unwrap();
    let plan = database
        .sql(
            "EXPLAIN SELECT version, data FROM threads
             WHERE owner = 'issuer ada' AND (created_at, id) < (10000, 'thr_10000')
             ORDER BY created_at DESC, id DESC LIMIT 21",
        )
        .unwrap();
    assert!(plan.contains("threads_by_time"), "{plan}");
    assert!(!plan.contains("Sort"), "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_checked_as_far_as_the_address_says() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let server = PostgreSql::start_with(
        &[
            "ssl=on",
            "ssl_cert_file=server.crt",
            "ssl_key_file=server.key",
        ],
        &[
            ("server.crt", &leaf.pem()),
            ("server.key", &key.serialize_pem()),
        ],
    )
    .await
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let own = write("ca.pem", &authority.pem());
    let foreign = CertificateParams::new(Vec::new()).unwrap();
    let foreign = foreign.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let foreign = write("foreign.pem", &foreign.pem());
    let none = write("none.pem", "");
    let attempt = async |host: &str, query: String| {
        let port = server.port();
        let url = format!("postgres://vestibule@{host}:{port}/vestibule?{query}");
        let options = Options {
            patience: Duration::from_secs(2),
            ..small()
        };
        connect(&url, options).await.map(drop)
    };
    for (host, query, is_let_in) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), true),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        (
            "127.0.0.1",
            format!("sslmode=require&sslrootcert={foreign}"),
            false,
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={own}"),
            true,
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={foreign}"),
            false,
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={own}"),
            true,
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={own}"),
            false,
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={foreign}"),
            false,
        ),
        ("localhost", "sslmode=verify-full".to_owned(), false),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={none}"),
            false,
        ),
    ] {
        let outcome = attempt(host, query.clone()).await;
        assert_eq!(outcome.is_ok(), is_let_in, "{host} {query}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_is_told_why_and_no_password() {
    let server = PostgreSql::start_with(
        &[],
        &[(
            "pg_hba.conf",
            "host all vestibule 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )],
    )
    .await
    .unwrap();
    let port = server.port();
    for (url, expected) in [
        (
            format!("postgres://nobody:hunter2@127.0.0.1:{port}/vestibule"),
            "SQLSTATE 28P01",
        ),
        (
            format!("postgres://vestibule:hunter2@127.0.0.1:{port}/elsewhere"),
            "SQLSTATE 3D000",
        ),
        (
            "postgres://vestibule:hunter2@127.0.0.1:1/vestibule".to_owned(),
            "cannot be reached",
        ),
    ] {
        let options = Options {
            patience: Duration::from_millis(300),
            ..small()
        };
        let error = connect(&url, options).await.map(drop).unwrap_err();
        let text = chain(&error);
        assert!(text.contains(expected), "{text}");
        assert!(
            !format!("{text} {error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
}

fn begin(number: u128) -> Change {
    Change {
        begin: Some(BeginRun {
            workflow: WorkflowId::new("wf_demo"),
            at: Timestamp::from_microsecond(0).unwrap(),
            overtakes: None,
            goes_first: false,
            run: RunId::mint(number),
            answers: ItemId::mint(number),
        }),
        ..Change::default()
    }
}

/// One run a thread, over all processes: a second one is told of the first, and takes its place only by its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_does_not_begin_while_another_process_plays_one() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let (here, there) = (open(&database.url()).await, open(&database.url()).await);
    let ada = owner("ada");
    let thread = thread(1);
    let id = &thread.id;
    here.create_thread(&ada, &thread, &begin(1)).await.unwrap();
    assert_eq!(
        here.standing(&ada, id).await.unwrap().run.unwrap().node,
        None
    );
    let seen = there.standing(&ada, id).await.unwrap().run.unwrap();
    assert!(seen.node.is_some());

    let refused = there.apply(&ada, id, &begin(2)).await;
    let Err(StoreError::Elsewhere(lives)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*lives, seen);
    let mut overtaking = begin(3);
    let overtake = |change: &mut Change, number| {
        change.begin.as_mut().unwrap().overtakes = Some(RunId::mint(number));
    };
    overtake(&mut overtaking, 7);
    let refused = there.apply(&ada, id, &overtaking).await;
    assert!(
        matches!(refused, Err(StoreError::Elsewhere(_))),
        "{refused:?}"
    );
    overtake(&mut overtaking, 1);
    there.apply(&ada, id, &overtaking).await.unwrap();
    // The same process has its runs one after the other by itself.
    there.apply(&ada, id, &begin(4)).await.unwrap();
}

/// What a process counts together with others that use this database and this Redis.
async fn buckets(database: &PostgreSqlDatabase, redis: &str) -> Arc<dyn Buckets> {
    let store = open(&database.url()).await;
    let shared = store.shared(Some(redis)).unwrap().unwrap();
    shared.buckets.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_count_together_in_redis_and_nobody_else_does() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let other = PostgreSqlDatabase::new().await.unwrap();
    let redis = Redis::start().await.unwrap();
    let one = buckets(&database, &redis.url()).await;
    let two = buckets(&database, &redis.url()).await;
    let rate = BucketRate {
        burst: NonZeroU32::new(3).unwrap(),
        refill: Duration::from_secs(20),
    };
    for node in [&one, &two, &one] {
        assert_eq!(node.take("ada", rate).await, Some(Ok(())));
    }
    for node in [&one, &two] {
        let wait = node.take("ada", rate).await.unwrap().unwrap_err();
        let expected = Duration::from_secs(15)..=rate.refill;
        assert!(expected.contains(&wait), "{wait:?}");
        assert_eq!(node.take("grace", rate).await, Some(Ok(())));
    }
    let elsewhere = buckets(&other, &redis.url()).await;
    assert_eq!(elsewhere.take("ada", rate).await, Some(Ok(())));

    // Taken all at once, by both.
    let all = (0..40).map(|number| [&one, &two][number % 2].take("crowd", rate));
    let taken = join_all(all).await;
    let count = taken.iter().filter(|taken| **taken == Some(Ok(()))).count();
    assert_eq!(count, 3, "{taken:?}");

    // No faster than it fills, and no slower.
    let quick = BucketRate {
        burst: NonZeroU32::MIN,
        refill: Duration::from_millis(300),
    };
    assert_eq!(one.take("quick", quick).await, Some(Ok(())));
    let begun = Instant::now();
    while let Some(Err(wait)) = two.take("quick", quick).await {
        tokio::time::sleep(wait).await;
    }
    assert!(begun.elapsed() > Duration::from_millis(200), "{begun:?}");

    let keys = redis.ask(&["KEYS", "*"]).unwrap();
    for name in ["ada", "grace", "crowd"] {
        assert!(!keys.contains(name), "{keys}");
    }
    let namespace = keys.split_once("vestibule:").unwrap().1;
    let key = format!("vestibule:{}", namespace.split_whitespace().next().unwrap());
    let left = redis.ask(&["PTTL", &key]).unwrap();
    let left: i64 = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left} ms");

    // Whoever may do less than counting is refused, and is not taken for somebody who is away: allowed, it counts at once.
    let may = |rights: &[&str]| redis.ask(&[&["ACL", "SETUSER", "node"], rights].concat());
    let talks = [
        "on",
        ">pw",
        "&vestibule:*",
        "~vestibule:*",
        "+publish",
        "+subscribe",
    ];
    may(&[&talks[..], &["+ping", "+client", "+hello"]].concat()).unwrap();
    let url = redis.url().replace("redis://", "redis://node:pw@");
    let node = buckets(&database, &url).await;
    assert_eq!(node.take("ada", rate).await, None);
    may(&["+eval", "+time", "+get", "+set"]).unwrap();
    assert!(matches!(node.take("ada", rate).await, Some(Err(_))));

    drop(redis);
    let begun = Instant::now();
    assert_eq!(one.take("ada", rate).await, None);
    assert_eq!(one.take("ada", rate).await, None);
    assert!(begun.elapsed() < Duration::from_secs(3));
}
