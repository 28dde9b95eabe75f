//! What is on the way to PostgreSQL, or in it already. What is not as it has to be is said at the start, with what to do.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::WorkflowId;
use engine::ports::{BeginRun, Change, Epoch};
use futures::future::join_all;
use protocol::{ItemId, RunId, Timestamp};
use store::{Error, Options, connect};
use testkit::services::{PgBouncer, PostgreSqlDatabase};
use testkit::store_contract::sample::{item, owner, thread};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

fn quick() -> Options {
    Options {
        pool_size: 4,
        patience: Duration::from_millis(500),
        ..Options::default()
    }
}

/// Why an address cannot be used.
async fn refused(url: &str) -> String {
    let error = connect(url, Options::default()).await.map(drop);
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_tables_of_another_application_a_schema_of_its_own_is_enough() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    database.sql("CREATE TABLE threads (id integer)").unwrap();
    let said = refused(&database.url()).await;
    assert!(
        said.contains("options=-c%20search_path%3Dvestibule"),
        "{said}"
    );
    let url = format!("{}?options=-c%20search_path%3Dvestibule", database.url());
    let said = refused(&url).await;
    assert!(said.contains("CREATE SCHEMA"), "{said}");
    database.sql("CREATE SCHEMA vestibule").unwrap();
    for _ in 0..2 {
        connect(&url, Options::default())
            .await
            .unwrap()
            .check()
            .await
            .unwrap();
    }
    let count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(database.sql(count).unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_rights_and_a_database_of_other_texts_are_told_apart() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let url = database.url();
    let name = url.rsplit_once('/').unwrap().1;
    let guest = format!("guest_of_{name}");
    database.sql(&format!("CREATE ROLE {guest} LOGIN")).unwrap();
    let said = refused(&url.replace("vestibule@", &format!("{guest}@"))).await;
    database.sql(&format!("DROP ROLE {guest}")).unwrap();
    assert!(said.contains("GRANT USAGE, CREATE ON SCHEMA"), "{said}");

    let make =
        format!("CREATE DATABASE {name}_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    database.sql(&make).unwrap();
    let said = refused(&format!("{url}_latin")).await;
    database
        .sql(&format!("DROP DATABASE {name}_latin WITH (FORCE)"))
        .unwrap();
    assert!(
        said.contains("LATIN1") && said.contains("ENCODING 'UTF8'"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_mixes_sessions_is_named_with_what_to_do() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let pooler = PgBouncer::start(&database, "transaction", 8).await.unwrap();
    let seen = match connect(pooler.url(), quick()).await {
        Ok(database) => database.check_way().await,
        // It has got in its own way already.
        Err(error) => Err(error),
    };
    let error = seen.expect_err("it is refused");
    assert!(
        error.to_string().contains("pool_mode = session"),
        "{error:?}"
    );

    let sessions = PgBouncer::start(&database, "session", 8).await.unwrap();
    for url in [sessions.url(), &database.url()] {
        connect(url, quick()).await.unwrap().check().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_has_too_few_connections_keeps_nobody_waiting_for_ever() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let pooler = PgBouncer::start(&database, "session", 2).await.unwrap();
    let store = connect(pooler.url(), quick()).await.unwrap();
    let asked = join_all((0..16).map(|_| store.find_chat_session("nobody")));
    let answers = tokio::time::timeout(Duration::from_secs(20), asked);
    let answers = answers.await.expect("everybody is answered");
    assert!(answers.iter().any(Result::is_ok), "{answers:?}");
    store.check_way().await.unwrap();
}

/// Passes everything on; once it is told to, the next answer to a `COMMIT` is lost with its connection.
async fn losing(database: &PostgreSqlDatabase, loses: Arc<AtomicBool>) -> String {
    let url = database.url();
    let (user, place) = url.split_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("{user}@{}/{name}", listener.local_addr().unwrap());
    let server = server.to_owned();
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tasks.spawn(pass_on(client, server, Arc::clone(&loses)));
        }
    });
    here
}

async fn pass_on(mut client: TcpStream, mut server: TcpStream, loses: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(length @ 1..) => server.write_all(&asked[..length]).await.unwrap(),
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(length @ 1..) => {
                    let is_committed = answered[..length].windows(7).any(|some| some == b"COMMIT\0");
                    if is_committed && loses.swap(false, Ordering::SeqCst) {
                        return;
                    }
                    if client.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

/// Else a question would stay without an answer, in a run that nobody plays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_began_is_told_to_have_begun_though_the_answer_was_lost() {
    let database = PostgreSqlDatabase::new().await.unwrap();
    let loses = Arc::new(AtomicBool::new(false));
    let url = losing(&database, Arc::clone(&loses)).await;
    let store = connect(&url, Options::default()).await.unwrap();
    let ada = owner("ada");
    for number in 1..=2 {
        let change = Change {
            begin: Some(BeginRun {
                run: RunId::mint(number),
                answers: ItemId::mint(number),
                workflow: WorkflowId::new("wf_demo"),
                at: Timestamp::from_microsecond(0).unwrap(),
                overtakes: None,
                goes_first: false,
            }),
            ..Change::of(&[item(number, number, "hello")])
        };
        // The first one gives this process its number as well.
        loses.store(number == 2, Ordering::SeqCst);
        let begun = store.create_thread(&ada, &thread(number), &change).await;
        assert_eq!(begun.unwrap(), Epoch(1));
        assert!(!loses.load(Ordering::SeqCst), "an answer was lost");
    }
}
