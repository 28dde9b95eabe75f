//! PostgreSQL: a server of its own, for as many nodes as there are.
//!
//! Nothing here takes itself for the only process. What has to be decided by one at a time is decided under a lock of the
//! database: of the thread's row, of the owner's name, or of the row that numbers the audit log.
//!
//! - `postgres/address.rs`, `postgres/tls.rs`: where the server is, and how far it is believed
//! - `postgres/pool.rs`, `postgres/trouble.rs`: connections, transactions, and what goes wrong with them
//! - `postgres/nodes.rs`, `postgres/peers.rs`: which processes live, and what they say to each other
//! - `postgres/threads.rs`, `postgres/change.rs`, `postgres/runs.rs`: conversations
//! - `postgres/search.rs`: looking for words in them
//! - `postgres/removal.rs`: how they go
//! - `postgres/attachments.rs`: what is known about files
//! - `postgres/credentials.rs`: what lets people in, with the SQL in the modules below it
//! - `postgres/signing_keys.rs`: what all nodes sign with
//! - `postgres/audit.rs`: what happened, append-only
//! - `postgres/upkeep.rs`, `postgres/export.rs`: what an operator needs
//! - `postgres/schema.rs`, `migrations/postgres/`: the tables

mod address;
mod attachments;
mod audit;
mod change;
mod credentials;
mod export;
mod nodes;
mod peers;
mod pool;
mod removal;
mod runs;
pub(crate) mod schema;
mod search;
mod signing_keys;
mod threads;
mod tls;
mod trouble;
mod upkeep;

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_util::task::TaskTracker;

use crate::error::Error;
pub(crate) use crate::postgres::address::Server;
use crate::postgres::nodes::Node;
pub(crate) use crate::postgres::peers::Notifications;
use crate::postgres::pool::{Batch, Connections, Outcome, Param, Repeated, Transaction};
use crate::search::Searches;
use crate::{Durability, MigrationPolicy, Options};

/// Searches at a time, each with a connection, of which they never have more than a quarter.
const SEARCHES: usize = 4;

/// A PostgreSQL database.
pub(crate) struct Postgres {
    connections: Arc<Connections>,
    node: Arc<Node>,
    /// Writes under way, which go on when their callers leave.
    tasks: TaskTracker,
    searches: Searches,
    server: Server,
    options: Options,
    /// What conversations survive; everything else survives a power cut.
    durability: Durability,
}

impl Postgres {
    /// Connects, and brings the tables up to date where that is wanted.
    pub(crate) async fn open(server: &Server, options: Options) -> Result<Self, Error> {
        schema::prepare(server, options.migrations).await?;
        let size = options.pool_size.max(1);
        let connections = Connections::new(server, options, size)?;
        // Said now, not to the first person who comes.
        drop(connections.get(Instant::now()).await?);
        if !server.passed_over.is_empty() {
            tracing::warn!(
                parameters = server.passed_over.join(", "),
                "parameters of the database address that other drivers know are passed over"
            );
        }
        tracing::info!(
            database = %server,
            encryption = ?server.encryption,
            connections = size,
            patience_ms = options.patience.as_millis(),
            "PostgreSQL is connected"
        );
        let tasks = TaskTracker::new();
        let postgres = Self {
            connections: Arc::new(connections),
            node: Arc::new(Node::new(
                Connections::new(server, options, 1)?,
                tasks.clone(),
            )),
            tasks,
            searches: Searches::new((size / 4).clamp(1, SEARCHES), options.patience),
            server: server.clone(),
            options,
            durability: options.durability,
        };
        if options.migrations == MigrationPolicy::Apply {
            postgres.finish_removals().await?;
        }
        Ok(postgres)
    }

    /// How its processes talk, over connections of their own.
    pub(crate) fn peers(&self) -> Result<Arc<Notifications>, Error> {
        Ok(Arc::new(Notifications::new(self)?))
    }

    /// Removes what an ended process has left of threads that were deleted.
    pub(crate) async fn finish_removals(&self) -> Result<(), Error> {
        while self
            .write((), |transaction, ()| {
                Box::pin(removal::finish_some(transaction))
            })
            .await?
        {}
        Ok(())
    }

    /// Runs a transaction of a conversation, which survives what the operator chose. It is carried out whether the caller
    /// still waits or not.
    async fn write<D, T>(
        &self,
        data: D,
        work: impl for<'a> Fn(&'a mut Transaction, &'a D) -> BoxFuture<'a, Result<T, Error>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, Error>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write_durably(Repeated::MayBeWrong, self.durability, data, work)
            .await
    }

    /// The same for what must survive a power cut whatever the operator chose: a key that was handed out, a revocation, a
    /// person who was forgotten.
    async fn write_for_good<D, T>(
        &self,
        data: D,
        work: impl for<'a> Fn(&'a mut Transaction, &'a D) -> BoxFuture<'a, Result<T, Error>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, Error>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write_durably(Repeated::MayBeWrong, Durability::Power, data, work)
            .await
    }

    async fn write_durably<D, T>(
        &self,
        repeated: Repeated,
        durability: Durability,
        data: D,
        work: impl for<'a> Fn(&'a mut Transaction, &'a D) -> BoxFuture<'a, Result<T, Error>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, Error>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        let began = Instant::now();
        let connections = Arc::clone(&self.connections);
        let written = self
            .tasks
            .spawn(async move { connections.write(repeated, durability, &data, work).await });
        let written = written.await.map_err(Error::internal)?;
        metrics::histogram!("vestibule_store_seconds", "kind" => "write").record(began.elapsed());
        written
    }

    /// Reads with several statements, which are sent together.
    async fn read_all(&self, batch: Batch<'_>) -> Result<Vec<Outcome>, Error> {
        let began = Instant::now();
        let read = self.connections.read(&batch).await;
        metrics::histogram!("vestibule_store_seconds", "kind" => "read").record(began.elapsed());
        read
    }

    /// The rows of one statement.
    async fn read(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: Vec<Param<'_>>,
    ) -> Result<Vec<Row>, Error> {
        let outcomes = self.read_all(Batch::of(sql, params)).await?;
        Ok(outcomes
            .into_iter()
            .next()
            .map_or_else(Vec::new, |one| one.rows))
    }

    /// The first row of one statement.
    async fn read_first(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: Vec<Param<'_>>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.read(sql, params).await?.into_iter().next())
    }
}

/// A text as PostgreSQL takes it, which knows no NUL. What people and issuers named may have one, and then it stands there
/// as U+10FFFF, which is no character; that one itself is doubled, so that no two texts become the same.
///
/// For texts that are looked for and not read back. (Messages are JSON, in which a NUL is escaped anyway.)
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\u{10ffff}']) {
        return Cow::Borrowed(text);
    }
    let mut taken = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => taken.push_str("\u{10ffff}0"),
            '\u{10ffff}' => taken.push_str("\u{10ffff}\u{10ffff}"),
            other => taken.push(other),
        }
    }
    Cow::Owned(taken)
}

/// The text that [`name`] took.
pub(crate) fn name_back(taken: &str) -> String {
    let mut text = String::with_capacity(taken.len());
    let mut characters = taken.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{10ffff}' => match characters.next() {
                Some('0') => text.push('\0'),
                other => text.extend(other),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_are_taken_for_the_same() {
        let texts = [
            "a",
            "a\0",
            "a\u{10ffff}",
            "a\u{10ffff}0",
            "a\0\0",
            "a\u{10ffff}\0",
        ];
        let names: std::collections::BTreeSet<_> = texts.iter().map(|text| name(text)).collect();
        assert_eq!(names.len(), texts.len());
        assert!(names.iter().all(|name| !name.contains('\0')));
        for text in texts {
            assert_eq!(name_back(&name(text)), text);
        }
    }
}
