//! The tables' version: brings a database up to date, or says why it cannot be used.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, Config, GenericClient, NoTls, Row, SimpleQueryMessage};

use crate::MigrationPolicy;
use crate::error::Error;
use crate::postgres::address::{Encryption, Server};
use crate::postgres::tls;
use crate::postgres::trouble::Trouble;

/// A migration.
struct Step {
    sql: &'static str,
    /// The first version whose builds can use the tables afterwards: nodes of a release go on while those of the next one
    /// come, so a step only adds what the builds before it need not know, and takes away what none of them uses any more.
    works_from: i32,
}

/// In order, and never changed once released. The tables' version is how many of them have run.
const STEPS: &[Step] = &[
    Step {
        sql: include_str!("../../migrations/postgres/0001_everything.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("../../migrations/postgres/0002_retention.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("../../migrations/postgres/0003_signing_keys.sql"),
        works_from: 1,
    },
];
const LATEST: usize = STEPS.len();

/// Whoever migrates holds this lock (an arbitrary number, the same in every build).
const LOCK: i64 = 0x0076_6573_7469_626c;

/// How long the first question may go without an answer.
const ANSWER: Duration = Duration::from_secs(35);

/// How long a connection may take to be made, where the address does not say.
const CONNECT: Duration = Duration::from_secs(5);

/// Reads the version of the tables, 0 where there are none, and the first version whose builds can use them. The first
/// tables had no column for the latter.
const VERSION: &str = "SELECT coalesce(max(version), 0),
        coalesce(max((to_jsonb(vestibule_schema) ->> 'works_from')::integer), 0)
    FROM vestibule_schema";

/// Checks the version, and migrates where that is wanted, on a connection of its own: a migration may take long.
pub(crate) async fn prepare(server: &Server, policy: MigrationPolicy) -> Result<(), Error> {
    let mut client = connect(server).await?;
    // It has no time limit for a statement yet, and a pooler may let it wait.
    let found = timeout(ANSWER, version(&client)).await;
    let found = found.map_err(|_elapsed| Error::Unreachable(Arc::new(Trouble::Unserved)))??;
    match (found.check(), policy) {
        (Err(Error::Outdated { .. }), MigrationPolicy::Apply) => migrate(&mut client).await,
        (checked, _) => checked,
    }
}

/// The version of the tables.
pub(super) struct Version {
    found: i32,
    works_from: i32,
}

impl Version {
    /// Reads a row that has both.
    pub(super) fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            found: row.try_get(0)?,
            works_from: row.try_get(1)?,
        })
    }

    /// Refuses tables that this build cannot use.
    pub(super) fn check(&self) -> Result<(), Error> {
        let known = LATEST;
        let found = usize::try_from(self.found).map_err(Error::internal)?;
        let works_from = usize::try_from(self.works_from).map_err(Error::internal)?;
        match found.cmp(&known) {
            Ordering::Less => Err(Error::Outdated {
                found,
                needed: known,
            }),
            Ordering::Greater if works_from > known => Err(Error::TooNew { found, known }),
            Ordering::Equal | Ordering::Greater => Ok(()),
        }
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

async fn version(client: &Client) -> Result<Version, Error> {
    let known = client
        .query_one("SELECT to_regclass('vestibule_schema') IS NOT NULL", &[])
        .await?;
    if !known.try_get::<_, bool>(0)? {
        return Ok(Version {
            found: 0,
            works_from: 0,
        });
    }
    Version::read(&client.query_one(VERSION, &[]).await?)
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
                 );
                 ALTER TABLE vestibule_schema
                     ADD COLUMN IF NOT EXISTS works_from integer NOT NULL DEFAULT 1",
            )
            .await?;
        let found = Version::read(&transaction.query_one(VERSION, &[]).await?)?;
        let done = usize::try_from(found.found).map_err(Error::internal)?;
        let Some(step) = STEPS.get(done) else {
            transaction.commit().await?;
            return found.check();
        };
        if done == 0 {
            refuse_other_texts(&transaction).await?;
        }
        transaction.batch_execute(step.sql).await?;
        let version = found.found + 1;
        transaction
            .execute(
                "INSERT INTO vestibule_schema (version, works_from) VALUES ($1, $2)",
                &[&version, &step.works_from],
            )
            .await?;
        transaction.commit().await?;
        tracing::info!(version, "database migrated");
    }
}

/// A database in which not every text can be kept is found out before there is any.
async fn refuse_other_texts(client: &impl GenericClient) -> Result<(), Error> {
    let row = client
        .query_one("SELECT current_setting('server_encoding')", &[])
        .await?;
    let encoding: String = row.try_get(0)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(Error::Refused(Arc::new(Trouble::Encoding(encoding))))
}

/// Fails with [`Error::Pooled`] where a client's next transaction may be on another connection to the server, or another
/// client's on the same one.
pub(super) async fn refuse_pooler(server: &Server) -> Result<(), Error> {
    let one = connect(server).await?;
    let first = session(&one).await?;
    let other = connect(server).await?;
    other.batch_execute("BEGIN").await?;
    let second = session(&other).await?;
    // The other one is held fast meanwhile, so that this one gets its own, if it has any.
    if first == second || session(&one).await? != first {
        return Err(Error::Pooled);
    }
    Ok(())
}

/// Which session of the server's a client has, without a statement of its own that might be another one's.
async fn session(client: &Client) -> Result<Option<String>, Error> {
    let answer = client.simple_query("SELECT pg_backend_pid()").await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(row.and_then(|row| row.get(0)).map(str::to_owned))
}
