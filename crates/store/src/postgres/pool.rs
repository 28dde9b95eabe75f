//! Connections to the server, and what is run on them.
//!
//! A write is a transaction, which goes to the server in as few messages as its decisions allow: statements that need no
//! answer of one another are sent together. It is made again from the start where the server has undone it (a deadlock, a
//! serialisation failure), or where the connection ended before anything was to be committed. Where the end of a
//! connection leaves open whether it was committed, the caller is told [`Error::Busy`], and never a wrong answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use futures::future::{BoxFuture, join_all};
use futures::{StreamExt, pin_mut};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use crate::error::Error;
use crate::postgres::address::Server;
use crate::postgres::tls;
use crate::postgres::trouble::{
    Again, Trouble, again, from_pool, is_broken_off, may_connect_later, spoils_connection,
};
use crate::{Durability, Options};

/// A statement that takes longer is stopped by the server; no statement of ours takes nearly as long.
const STATEMENT: Duration = Duration::from_secs(30);
/// When the server should have answered, or stopped the statement.
const ANSWER: Duration = Duration::from_secs(35);
/// How often a transaction is made at most.
const ATTEMPTS: u32 = 6;
/// Statements that are sent together. The rest follows when they are answered.
const TOGETHER: usize = 24;
/// How long is waited before a server that cannot be reached is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// A parameter of a statement.
pub(super) type Param<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// The parameters of a statement.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as $crate::postgres::pool::Param<'_>),*]
    };
}
pub(super) use params;

/// What one statement gave.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The rows that it gave.
    pub(super) rows: Vec<Row>,
    /// How many it wrote or gave.
    pub(super) count: u64,
}

/// Statements that are sent together, and carried out one after the other.
#[derive(Default)]
pub(super) struct Batch<'a> {
    steps: Vec<(Cow<'static, str>, Vec<Param<'a>>)>,
}

impl<'a> Batch<'a> {
    /// Adds a statement; gives its place among the outcomes.
    pub(super) fn add(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        params: Vec<Param<'a>>,
    ) -> usize {
        self.steps.push((sql.into(), params));
        self.steps.len() - 1
    }

    /// One statement.
    pub(super) fn of(sql: impl Into<Cow<'static, str>>, params: Vec<Param<'a>>) -> Self {
        let mut batch = Self::default();
        batch.add(sql, params);
        batch
    }
}

/// The connections of a process.
pub(super) struct Connections {
    pool: Pool,
    patience: Duration,
}

impl Connections {
    /// Makes none yet.
    pub(super) fn new(server: &Server, options: Options, size: usize) -> Result<Self, Error> {
        let mut config = server.config.clone();
        if config.get_application_name().is_none() {
            config.application_name("vestibule");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.patience);
        }
        // A server that is gone without a word is noticed.
        config.keepalives_idle(Duration::from_secs(15));
        config.keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
        config.tcp_user_timeout(ANSWER);
        let manager = Manager::from_config(
            config,
            tls::connector(server)?,
            ManagerConfig {
                // A connection that has ended is known to have; asking before each use would be one more round trip.
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let (prepare, patience) = (prepare_session(options.patience), options.patience);
        let pool = Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.patience))
            .create_timeout(Some(options.patience))
            .post_create(Hook::async_fn(move |client, _| {
                let prepare = prepare.clone();
                Box::pin(async move {
                    // A pooler lets everybody in, and serves them when it has a connection.
                    let prepared = timeout(patience, client.batch_execute(&prepare)).await;
                    let prepared = prepared.map_err(|_elapsed| HookError::message("no answer"))?;
                    prepared.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(Error::internal)?;
        Ok(Self {
            pool,
            patience: options.patience,
        })
    }

    /// Tells Prometheus how many there are, what they do, and how many wait for one.
    pub(super) fn measure(&self) {
        let status = self.pool.status();
        let gauge = |state: &'static str, count: usize| {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            metrics::gauge!("vestibule_postgresql_connections", "state" => state).set(count);
        };
        gauge("idle", status.available);
        gauge("used", status.size.saturating_sub(status.available));
        let waiting = u32::try_from(status.waiting).unwrap_or(u32::MAX);
        metrics::gauge!("vestibule_postgresql_waiting").set(waiting);
    }

    /// A connection, as soon as there is one. A server that is just starting is waited for.
    pub(super) async fn get(&self, until: Instant) -> Result<Object, Error> {
        loop {
            match self.pool.get().await.map_err(from_pool) {
                Ok(client) => return Ok(client),
                Err(error) if may_connect_later(&error) && Instant::now() + PAUSE < until => {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads. Each statement sees what was committed before it began.
    pub(super) async fn read(&self, batch: &Batch<'_>) -> Result<Vec<Outcome>, Error> {
        self.read_between(None, batch, None).await
    }

    /// The same, but the server breaks it off after a time; nothing then.
    pub(super) async fn read_within(
        &self,
        time: Duration,
        batch: &Batch<'_>,
    ) -> Result<Option<Vec<Outcome>>, Error> {
        let milliseconds = time.as_millis().max(1);
        let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds}");
        let read = self.read_between(Some(&begin), batch, Some("COMMIT"));
        match read.await {
            Err(error) if is_broken_off(&error) => Ok(None),
            read => read.map(Some),
        }
    }

    async fn read_between(
        &self,
        begin: Option<&str>,
        batch: &Batch<'_>,
        end: Option<&str>,
    ) -> Result<Vec<Outcome>, Error> {
        let until = Instant::now() + self.patience;
        let mut attempt = 1;
        loop {
            let client = self.get(until).await?;
            let error = match send(&client, begin, batch, end).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            if spoils_connection(&error) {
                drop(Object::take(client));
            }
            if again(&error) == Again::No || attempt >= ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Runs a transaction, and makes it again where that is safe and worth it.
    pub(super) async fn write<D, T>(
        &self,
        repeated: Repeated,
        durability: Durability,
        data: &D,
        work: impl for<'a> Fn(&'a mut Transaction, &'a D) -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<T, Error> {
        let until = Instant::now() + self.patience;
        let mut attempt = 1;
        loop {
            let mut transaction = Transaction {
                client: Some(self.get(until).await?),
                stage: Stage::New,
                durability,
            };
            let error = match work(&mut transaction, data).await {
                Ok(value) => match transaction.commit().await {
                    Ok(()) => return Ok(value),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let may_be_committed = transaction.stage == Stage::Committing;
            transaction.give_back(&error).await;
            let is_safe = match again(&error) {
                Again::No => false,
                Again::Undone => true,
                Again::Unless => !may_be_committed || repeated == Repeated::IsTheSame,
            };
            if !is_safe || attempt >= ATTEMPTS {
                return Err(error);
            }
            // Two that got in each other's way are not to meet at the same moment again.
            sleep(Duration::from_millis(u64::from(attempt) * 3)).await;
            attempt += 1;
        }
    }

    /// Ends all connections, the ones in use when they are given back.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// What a new connection is told first. An operator who set `synchronous_commit = off` for the whole database has not
/// thought of credentials; whoever wants to lose the last moment of conversations says so in our configuration.
fn prepare_session(patience: Duration) -> String {
    let locks = patience.as_millis();
    let statement = STATEMENT.as_millis();
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {locks}; \
         SET idle_in_transaction_session_timeout = {statement}; SET client_encoding = 'UTF8'; \
         SET standard_conforming_strings = on; SET default_transaction_isolation = 'read committed'; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'"
    )
}

/// What it means to make a transaction again that may have been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeated {
    /// It may be refused for what it has done itself, or be done twice.
    MayBeWrong,
    /// It finds that it was made, and gives what it gave.
    IsTheSame,
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Open,
    /// `COMMIT` was sent: without an answer, nobody knows.
    Committing,
    Over,
}

/// A transaction under way.
pub(super) struct Transaction {
    /// None once it was given back.
    client: Option<Object>,
    stage: Stage,
    durability: Durability,
}

impl Transaction {
    /// Sends statements, and gives what came of each. The first one that fails is told, and undoes the transaction.
    pub(super) async fn run(&mut self, batch: Batch<'_>) -> Result<Vec<Outcome>, Error> {
        self.send(&batch, false).await
    }

    /// The same for the last statements, whose outcome decides nothing any more: the end of the transaction goes along.
    pub(super) async fn finish(&mut self, batch: Batch<'_>) -> Result<Vec<Outcome>, Error> {
        self.send(&batch, true).await
    }

    /// One statement.
    pub(super) async fn query(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        params: Vec<Param<'_>>,
    ) -> Result<Outcome, Error> {
        let mut outcomes = self.run(Batch::of(sql, params)).await?;
        outcomes.pop().ok_or(Error::NotFound)
    }

    async fn send(&mut self, batch: &Batch<'_>, is_last: bool) -> Result<Vec<Outcome>, Error> {
        let Some(client) = &self.client else {
            return Err(Error::internal(Ended));
        };
        let begin = (self.stage == Stage::New).then_some(match self.durability {
            Durability::Power => "BEGIN",
            Durability::Process => "BEGIN; SET LOCAL synchronous_commit = off",
        });
        if self.stage == Stage::Over {
            return Err(Error::internal(Ended));
        }
        self.stage = if is_last {
            Stage::Committing
        } else {
            Stage::Open
        };
        let outcomes = send(client, begin, batch, is_last.then_some("COMMIT")).await?;
        if is_last {
            self.stage = Stage::Over;
        }
        Ok(outcomes)
    }

    /// Undoes all of it; what is told was decided by looking alone.
    pub(super) async fn undo(&mut self) -> Result<(), Error> {
        let Some(client) = &self.client else {
            return Err(Error::internal(Ended));
        };
        if self.stage == Stage::Open {
            timeout(ANSWER, client.batch_execute("ROLLBACK"))
                .await
                .map_err(|_elapsed| Error::Busy(Arc::new(Trouble::Silent)))??;
        }
        self.stage = Stage::Over;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        match self.stage {
            Stage::New | Stage::Over => Ok(()),
            Stage::Open | Stage::Committing => self.finish(Batch::default()).await.map(drop),
        }
    }

    /// Leaves the connection as the next one wants it.
    async fn give_back(mut self, error: &Error) {
        let Some(client) = self.client.take() else {
            return;
        };
        if spoils_connection(error) || client.is_closed() {
            drop(Object::take(client));
            return;
        }
        if matches!(self.stage, Stage::Open | Stage::Committing) {
            let undone = timeout(ANSWER, client.batch_execute("ROLLBACK")).await;
            if !matches!(undone, Ok(Ok(()))) {
                drop(Object::take(client));
            }
        }
    }
}

/// A transaction that is not over goes with its connection: nobody may find it open.
impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(client) = self.client.take()
            && matches!(self.stage, Stage::Open | Stage::Committing)
        {
            drop(Object::take(client));
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a transaction was used after its end")]
struct Ended;

/// Sends statements in their order without waiting in between, and waits for all answers; tells the first error.
async fn send(
    client: &Object,
    begin: Option<&str>,
    batch: &Batch<'_>,
    end: Option<&str>,
) -> Result<Vec<Outcome>, Error> {
    let answered = async {
        // Before anything is sent: one that has to be prepared first would come after those behind it.
        let prepared = join_all(
            batch
                .steps
                .iter()
                .map(|(sql, _)| client.prepare_cached(sql)),
        )
        .await;
        let mut statements = prepared.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut steps = batch.steps.iter().map(|(_, params)| params);
        let mut outcomes = Vec::with_capacity(statements.len());
        let mut begin = begin;
        let mut rest = statements.split_off(statements.len().min(TOGETHER));
        loop {
            let is_last = rest.is_empty();
            let starts = async {
                match begin.take() {
                    Some(sql) => client.batch_execute(sql).await,
                    None => Ok(()),
                }
            };
            let some = statements
                .iter()
                .zip(steps.by_ref())
                .map(|(statement, params)| run(client, statement, params));
            let ends = async {
                match end.filter(|_| is_last) {
                    Some(sql) => client.batch_execute(sql).await,
                    None => Ok(()),
                }
            };
            // Each of them sends when it is first polled, and `join` polls in this order.
            let (started, some, ended) = futures::join!(starts, join_all(some), ends);
            started?;
            for outcome in some {
                outcomes.push(outcome?);
            }
            ended?;
            if is_last {
                return Ok::<_, tokio_postgres::Error>(outcomes);
            }
            let after = rest.split_off(rest.len().min(TOGETHER));
            statements = std::mem::replace(&mut rest, after);
        }
    };
    match timeout(ANSWER, answered).await {
        Ok(outcomes) => Ok(outcomes?),
        Err(_elapsed) => Err(Error::Busy(Arc::new(Trouble::Silent))),
    }
}

async fn run(
    client: &Object,
    statement: &Statement,
    params: &[Param<'_>],
) -> Result<Outcome, tokio_postgres::Error> {
    let params = params.iter().map(|param| &**param as &(dyn ToSql + Sync));
    let stream = client.query_raw(statement, params).await?;
    pin_mut!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.next().await {
        rows.push(row?);
    }
    let count = stream.rows_affected().unwrap_or_default();
    Ok(Outcome { rows, count })
}
