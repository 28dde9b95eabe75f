//! The tables' version: brings a database up to date, or says why it cannot be used.

use std::cmp::Ordering;
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use crate::MigrationPolicy;
use crate::error::Error;
use crate::postgres::address::{Encryption, Server};
use crate::postgres::tls;

/// In order, and never changed once released. The tables' version is how many of them have run.
const STEPS: &[&str] = &[include_str!(
    "../../migrations/postgres/0001_everything.sql"
)];
const LATEST: usize = STEPS.len();

/// Whoever migrates holds this lock (an arbitrary number, the same in every build).
const LOCK: i64 = 0x0076_6573_7469_626c;

/// How long a connection may take to be made, where the address does not say.
const CONNECT: Duration = Duration::from_secs(5);

/// Reads the version of the tables; 0 where there are none.
const VERSION: &str = "SELECT coalesce(max(version), 0) FROM vestibule_schema";

/// Checks the version, and migrates where that is wanted, on a connection of its own: a migration may take long.
pub(crate) async fn prepare(server: &Server, policy: MigrationPolicy) -> Result<(), Error> {
    let mut client = connect(server).await?;
    let found = version(&client).await?;
    match (found.cmp(&LATEST), policy) {
        (Ordering::Equal, _) => Ok(()),
        (Ordering::Greater, _) => Err(Error::TooNew {
            found,
            known: LATEST,
        }),
        (Ordering::Less, MigrationPolicy::Require) => Err(Error::Outdated {
            found,
            needed: LATEST,
        }),
        (Ordering::Less, MigrationPolicy::Apply) => migrate(&mut client).await,
    }
}

/// Refuses tables of another version than this build's, as a statement finds them.
pub(super) fn check(found: i32) -> Result<(), Error> {
    let found = usize::try_from(found).map_err(Error::internal)?;
    match found.cmp(&LATEST) {
        Ordering::Greater => Err(Error::TooNew {
            found,
            known: LATEST,
        }),
        Ordering::Less => Err(Error::Outdated {
            found,
            needed: LATEST,
        }),
        Ordering::Equal => Ok(()),
    }
}

/// How a connection without a pool is made.
pub(super) fn config(server: &Server) -> Config {
    let mut config = server.config.clone();
    config.application_name("vestibule");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config
}

/// A connection without a pool. It ends when the client is dropped.
pub(crate) async fn connect(server: &Server) -> Result<Client, Error> {
    let config = config(server);
    if server.encryption == Encryption::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(unreachable)?;
        drive(connection);
        return Ok(client);
    }
    let connector = tls::connector(server)?;
    let (client, connection) = config.connect(connector).await.map_err(unreachable)?;
    drive(connection);
    Ok(client)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a connection ends with its client, which is gone before the server stops"
)]
fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) {
    tokio::spawn(async move {
        // Whoever waits for an answer is told.
        let _ = connection.await;
    });
}

fn unreachable(error: tokio_postgres::Error) -> Error {
    super::trouble::from_pool(deadpool_postgres::PoolError::Backend(error))
}

async fn version(client: &Client) -> Result<usize, Error> {
    let known = client
        .query_one("SELECT to_regclass('vestibule_schema') IS NOT NULL", &[])
        .await?;
    if !known.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let row = client.query_one(VERSION, &[]).await?;
    usize::try_from(row.try_get::<_, i32>(0)?).map_err(Error::internal)
}

/// Step by step, each in a transaction that holds the lock: of several processes one takes a step, and the others find
/// that it was taken.
async fn migrate(client: &mut Client) -> Result<(), Error> {
    client
        .batch_execute(
            "SET statement_timeout = 0; SET lock_timeout = 0; SET synchronous_commit = on",
        )
        .await?;
    loop {
        let transaction = client.transaction().await?;
        transaction
            .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
            .await?;
        transaction
            .batch_execute(
                "SET LOCAL client_min_messages = warning;
                 CREATE TABLE IF NOT EXISTS vestibule_schema (
                     version    integer PRIMARY KEY,
                     applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
                 )",
            )
            .await?;
        let found: i32 = transaction.query_one(VERSION, &[]).await?.try_get(0)?;
        let done = usize::try_from(found).map_err(Error::internal)?;
        let Some(step) = STEPS.get(done) else {
            transaction.commit().await?;
            return check(found);
        };
        transaction.batch_execute(step).await?;
        let version = found + 1;
        transaction
            .execute(
                "INSERT INTO vestibule_schema (version) VALUES ($1)",
                &[&version],
            )
            .await?;
        transaction.commit().await?;
        tracing::info!(version, "database migrated");
    }
}
