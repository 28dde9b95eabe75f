//! The threads that speak with SQLite: one that writes, a few that read.
//!
//! SQLite's calls block and allow one writer, so the work comes to threads of its own through bounded queues.
//! The writer takes whatever has queued up and commits it as one transaction: under load many callers share one
//! commit, alone nobody waits for company. Work that fails takes nothing with it, and nobody hears of success before
//! the commit.
//!
//! Waking a thread costs as much as the work for one caller, and on a busy core the woken one takes the place of whoever
//! woke it. So a writer with company lets others go on before it looks what has queued up, and has a whole group answered
//! by the runtime, which is woken once for it (docs/decisions/0004).

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_channel::{Receiver, RecvError, Sender};
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::Durability;
use crate::error::Error;
use crate::sqlite::place::Place;

/// How much work may wait for each kind of thread; a request waits for at most one piece of it.
const QUEUE_LENGTH: usize = 1024;
/// How much work shares a commit. More would let the first in the group wait longer and gain nothing.
const GROUP_SIZE: usize = 128;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// One caller's work inside a group.
trait Write: Send {
    /// What it survives once it is acknowledged.
    fn durability(&self) -> Durability;
    /// Does the work, perhaps for the second time, and keeps its result.
    fn run(&mut self, connection: &Connection) -> Ran;
    /// Why the work could not be done, when it could not.
    fn error(&self) -> Option<&Error>;
    /// Keeps the reason why the work could not be done or is not there any more.
    fn fail(&mut self, error: Error);
    /// Tells the caller the result, once the commit is through.
    fn acknowledge(self: Box<Self>);
    /// Where the caller waits.
    fn runtime(&self) -> &Handle;
}

/// How a caller's work ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    Well,
    /// It was not to be done: what it wants is not there, or something else is.
    Refused,
    /// The database failed in the middle of it.
    Failed,
}

struct Task<T, W> {
    durability: Durability,
    work: W,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
    runtime: Handle,
}

impl<T: Send, W: Fn(&Connection) -> Result<T, Error> + Send> Write for Task<T, W> {
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, connection: &Connection) -> Ran {
        match self.result.insert(guarded(|| (self.work)(connection))) {
            Ok(_) => Ran::Well,
            Err(Error::NotFound | Error::Conflict) => Ran::Refused,
            Err(_) => Ran::Failed,
        }
    }

    fn error(&self) -> Option<&Error> {
        self.result.as_ref()?.as_ref().err()
    }

    fn fail(&mut self, error: Error) {
        self.result = Some(Err(error));
    }

    fn acknowledge(self: Box<Self>) {
        if let Some(result) = self.result {
            // A caller that has gone away does not hear the answer.
            drop(self.reply.send(result));
        }
    }

    fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// Does a caller's work, of which a defect takes its caller's answer and not the thread of everybody.
///
/// What is left half done is undone by whoever undoes what failed; a statement that was under way ends with its guard.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_said_already| {
        tracing::error!("a defect: work for the database panicked");
        Err(Error::internal(Panicked))
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the work panicked")]
struct Panicked;

/// The database's only writer.
pub(super) struct Writer {
    threads: Threads<Box<dyn Write>>,
}

impl Writer {
    /// Starts the thread. The connection is its own from now on.
    pub(super) fn start(
        connection: Connection,
        place: Place,
        patience: Duration,
    ) -> Result<Self, Error> {
        let database = Writable::new(connection, place)?;
        let threads = Threads::start(
            "store-writer",
            vec![database],
            patience,
            |database, queue| {
                let mut is_company_likely = false;
                while let Ok(first) = next_for_group(queue, is_company_likely) {
                    let mut group = vec![first];
                    while group.len() < GROUP_SIZE
                        && let Ok(next) = queue.try_recv()
                    {
                        group.push(next);
                    }
                    is_company_likely = group.len() > 1;
                    for mut group in by_durability(group) {
                        commit_group(database, &mut group);
                        Committed(group).acknowledge();
                    }
                }
            },
        )?;
        Ok(Self { threads })
    }

    /// Does the work in a transaction and answers after its commit, which survives what is asked for. An error undoes this work and no other. The work may
    /// be undone and done again, so it does nothing but speak with the database.
    ///
    /// Once it is queued it is done, even if the caller goes away: a write is never half wanted.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl Fn(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let task = Task {
            durability,
            work,
            result: None,
            reply,
            runtime: Handle::current(),
        };
        self.threads.push(Box::new(task)).await?;
        answer.await.map_err(Error::internal)?
    }
}

/// What the writer has of the database.
struct Writable {
    connection: Connection,
    place: Place,
    /// What the next commit survives.
    durability: Cell<Durability>,
}

impl Writable {
    fn new(connection: Connection, place: Place) -> Result<Self, Error> {
        set_durability(&connection, Durability::Power)?;
        Ok(Self {
            connection,
            place,
            durability: Cell::new(Durability::Power),
        })
    }

    /// Makes sure that what is committed next is found again.
    fn prepare(&self, durability: Durability) -> Result<(), Error> {
        self.place.check()?;
        if self.durability.get() != durability {
            set_durability(&self.connection, durability)?;
            self.durability.set(durability);
        }
        Ok(())
    }
}

/// What later commits of a connection survive. Not inside of a transaction.
pub(super) fn set_durability(connection: &Connection, durability: Durability) -> Result<(), Error> {
    let synchronous = match durability {
        // The log of recent writes reaches the disk when it is copied to its places.
        Durability::Process => "normal",
        // It reaches the disk with each commit.
        Durability::Power => "full",
    };
    Ok(connection.pragma_update(None, "synchronous", synchronous)?)
}

/// Takes a group apart by what its work survives, so that nobody waits for the disk because of somebody else. What waits
/// comes last, and has the rest reach the disk with it.
fn by_durability(group: Vec<Box<dyn Write>>) -> impl Iterator<Item = Vec<Box<dyn Write>>> {
    let (process, power): (Vec<_>, Vec<_>) = group
        .into_iter()
        .partition(|work| work.durability() == Durability::Process);
    [process, power]
        .into_iter()
        .filter(|group| !group.is_empty())
}

/// The first work of the next group. When it had to be waited for, whoever is about to queue more on this core does so
/// before the group is closed; a lone caller's work does not give its place to others.
fn next_for_group<Job>(queue: &Receiver<Job>, is_company_likely: bool) -> Result<Job, RecvError> {
    queue.try_recv().or_else(|_| {
        let first = queue.recv_blocking()?;
        if is_company_likely {
            thread::yield_now();
        }
        Ok(first)
    })
}

/// A group whose commit is over, one way or the other. Its callers hear of it when this is dropped, so also when the
/// runtime that was to tell them is no more.
struct Committed(Vec<Box<dyn Write>>);

impl Committed {
    /// Has the runtime of the first caller tell them all; a single one is told from here.
    fn acknowledge(self) {
        if let [first, _, ..] = &self.0[..] {
            let runtime = first.runtime().clone();
            runtime.spawn(async move { drop(self) });
        }
    }
}

impl Drop for Committed {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Write::acknowledge);
    }
}

/// Does the work of a group and commits it.
///
/// A savepoint copies each page that is touched, for each caller, in case the work ends half-way. That is rare: work that
/// is refused has nearly always changed nothing yet. So the group runs without, and again with savepoints if need be.
fn commit_group(database: &Writable, group: &mut [Box<dyn Write>]) {
    let connection = &database.connection;
    let durability = group
        .first()
        .map_or(Durability::Power, |work| work.durability());
    let committed = database
        .prepare(durability)
        .and_then(|()| run_together(connection, group))
        .and_then(|outcome| match outcome {
            Outcome::Whole => Ok(()),
            Outcome::HalfDone => {
                execute(connection, "ROLLBACK")?;
                run_apart(connection, group)
            }
        })
        .and_then(|()| still_in_transaction(connection, None))
        .and_then(|()| execute(connection, "COMMIT"));
    if let Err(error) = committed {
        for work in group {
            work.fail(error.clone());
        }
        if !connection.is_autocommit()
            && let Err(error) = execute(connection, "ROLLBACK")
        {
            tracing::error!(error = &error as &dyn std::error::Error, "rollback failed");
        }
    }
}

/// What a group that ran without savepoints has left.
enum Outcome {
    /// What is good has been done, and what was refused has changed nothing.
    Whole,
    /// Something was refused after it had changed something; or the database failed, and then its counter of changes
    /// proves nothing.
    HalfDone,
}

fn run_together(connection: &Connection, group: &mut [Box<dyn Write>]) -> Result<Outcome, Error> {
    begin(connection)?;
    for work in group {
        let changes = connection.total_changes();
        let ran = work.run(connection);
        still_in_transaction(connection, work.error())?;
        let is_whole = match ran {
            Ran::Well => true,
            Ran::Refused => connection.total_changes() == changes,
            Ran::Failed => false,
        };
        if !is_whole {
            return Ok(Outcome::HalfDone);
        }
    }
    Ok(Outcome::Whole)
}

fn run_apart(connection: &Connection, group: &mut [Box<dyn Write>]) -> Result<(), Error> {
    begin(connection)?;
    for work in group {
        execute(connection, "SAVEPOINT step")?;
        let ran = work.run(connection);
        still_in_transaction(connection, work.error())?;
        if ran != Ran::Well {
            execute(connection, "ROLLBACK TO step")?;
        }
        execute(connection, "RELEASE step")?;
    }
    Ok(())
}

/// Takes the write lock now: a later upgrade from a read lock could fail half-way.
fn begin(connection: &Connection) -> Result<(), Error> {
    execute(connection, "BEGIN IMMEDIATE")
}

/// On a full disk or a read error SQLite itself gives up the transaction of the whole group. All of it is told why, where
/// the work in which it happened knows.
fn still_in_transaction(connection: &Connection, error: Option<&Error>) -> Result<(), Error> {
    if !connection.is_autocommit() {
        return Ok(());
    }
    Err(match error {
        Some(error @ Error::Full(_)) => error.clone(),
        _ => Error::internal(TransactionLost),
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the transaction was rolled back by the database")]
struct TransactionLost;

fn execute(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Threads that read, each with its own connection.
///
/// Threads that stay keep their prepared statements and page cache. Measured for a lookup by key: 16 µs this way, 41 µs
/// through the runtime's blocking pool, of which 5 µs are the query.
pub(super) struct Readers {
    threads: Threads<Read>,
}

impl Readers {
    /// Starts one thread for each connection.
    pub(super) fn start(connections: Vec<Connection>, patience: Duration) -> Result<Self, Error> {
        let threads = Threads::start(
            "store-reader",
            connections,
            patience,
            |connection, queue: &Receiver<Read>| {
                while let Ok(work) = queue.recv_blocking() {
                    work(connection);
                }
            },
        )?;
        Ok(Self { threads })
    }

    /// Does the work on the first thread that is free; not at all when the caller has gone away by then.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |connection| {
            if !reply.is_closed() {
                // The caller may still go away while we read.
                drop(reply.send(guarded(|| work(connection))));
            }
        });
        self.threads.push(job).await?;
        answer.await.map_err(Error::internal)?
    }
}

/// Threads that take work from one bounded queue until it is closed and empty.
struct Threads<Job> {
    queue: Sender<Job>,
    /// How long a caller waits for a place in the queue.
    patience: Duration,
    handles: Vec<JoinHandle<()>>,
}

impl<Job: Send + 'static> Threads<Job> {
    /// Starts one thread for each of what they work on.
    fn start<Tool: Send + 'static>(
        name: &str,
        tools: Vec<Tool>,
        patience: Duration,
        run: fn(&Tool, &Receiver<Job>),
    ) -> Result<Self, Error> {
        let (queue, jobs) = async_channel::bounded(QUEUE_LENGTH);
        let handles = tools
            .into_iter()
            .map(|tool| {
                let jobs = jobs.clone();
                thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || run(&tool, &jobs))
            })
            .collect::<Result<_, _>>()
            .map_err(Error::internal)?;
        Ok(Self {
            queue,
            patience,
            handles,
        })
    }

    async fn push(&self, job: Job) -> Result<(), Error> {
        tokio::time::timeout(self.patience, self.queue.send(job))
            .await
            .map_err(Error::busy)?
            // Only when the thread has died; the job itself is of no use to anybody.
            .map_err(|_job| Error::internal(ThreadGone))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the database thread has ended")]
struct ThreadGone;

impl<Job> Drop for Threads<Job> {
    /// Waits for work that was accepted, and for the connections to close, so that the file is whole and free.
    fn drop(&mut self) {
        self.queue.close();
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!("a database thread panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::future::join_all;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE numbers (number INTEGER)")
            .unwrap();
        connection
    }

    fn insert(connection: &Connection, number: u32) -> Result<(), Error> {
        connection.execute("INSERT INTO numbers VALUES (?1)", [number])?;
        Ok(())
    }

    async fn numbers(writer: &Writer) -> Vec<u32> {
        writer
            .run(Durability::Process, |connection| {
                let numbers = connection
                    .prepare("SELECT number FROM numbers ORDER BY number")?
                    .query_map([], |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                Ok(numbers)
            })
            .await
            .unwrap()
    }

    /// Runs the work of several callers as one group: the writer is held up until all of it is queued.
    async fn run_as_group<W>(writer: &Writer, work: Vec<W>) -> Vec<Result<(), Error>>
    where
        W: Fn(&Connection) -> Result<(), Error> + Send + 'static,
    {
        let (begin, mut begun) = unbounded_channel();
        let (release, held) = mpsc::channel::<()>();
        let hold = writer.run(Durability::Process, move |_| {
            begin.send(()).unwrap();
            held.recv().unwrap();
            Ok(())
        });
        let queue_then_release = async {
            begun.recv().await.unwrap();
            let mut calls = Box::pin(join_all(
                work.into_iter()
                    .map(|work| writer.run(Durability::Process, work)),
            ));
            assert!(futures::poll!(&mut calls).is_pending()); // Polled once: all are queued.
            release.send(()).unwrap();
            calls.await
        };
        let (held, results) = tokio::join!(hold, queue_then_release);
        held.unwrap();
        results
    }

    #[tokio::test]
    async fn one_that_fails_takes_no_other_of_its_group_with_it() {
        let writer = Writer::start(connection(), Place::default(), PATIENCE).unwrap();
        let work = (0..6)
            .map(|number| {
                move |connection: &Connection| {
                    insert(connection, number)?;
                    if number % 2 == 1 {
                        return Err(Error::NotFound);
                    }
                    Ok(())
                }
            })
            .collect();
        let results = run_as_group(&writer, work).await;
        for (number, result) in results.iter().enumerate() {
            match result {
                Ok(()) => assert_eq!(number % 2, 0),
                Err(error) => assert!(matches!(error, Error::NotFound), "{error:?}"),
            }
        }
        assert_eq!(numbers(&writer).await, [0, 2, 4]);
    }

    #[tokio::test]
    async fn a_group_runs_again_only_when_something_may_be_left() {
        let writer = Writer::start(connection(), Place::default(), PATIENCE).unwrap();
        let failed = Error::internal(ThreadGone);
        for (leaves_something, cause, runs) in [
            (false, Error::NotFound, 1),
            (true, Error::NotFound, 2),
            (false, failed, 2),
        ] {
            let (ran, mut all_runs) = unbounded_channel();
            let work = (0..3)
                .map(|number| {
                    let (ran, cause) = (ran.clone(), cause.clone());
                    move |connection: &Connection| {
                        ran.send(number).unwrap();
                        if number != 1 {
                            return insert(connection, number);
                        }
                        if leaves_something {
                            insert(connection, number)?;
                        }
                        Err(cause.clone())
                    }
                })
                .collect();
            let results = run_as_group(&writer, work).await;
            assert_eq!(
                results.iter().map(Result::is_ok).collect::<Vec<_>>(),
                [true, false, true]
            );
            drop(ran);
            let mut count = 0;
            while let Some(number) = all_runs.recv().await {
                count += usize::from(number == 0);
            }
            assert_eq!(count, runs, "of the first one's");
        }
        assert_eq!(numbers(&writer).await, [0, 0, 0, 2, 2, 2]);
    }

    #[tokio::test]
    async fn work_that_panics_takes_nobody_elses_with_it_and_no_thread() {
        let writer = Writer::start(connection(), Place::default(), PATIENCE).unwrap();
        let work = (0..3)
            .map(|number| {
                move |connection: &Connection| {
                    insert(connection, number)?;
                    assert_ne!(number, 1, "a defect");
                    Ok(())
                }
            })
            .collect();
        let results = run_as_group(&writer, work).await;
        let is_ok: Vec<_> = results.iter().map(Result::is_ok).collect();
        assert_eq!(is_ok, [true, false, true]);
        assert!(matches!(results[1], Err(Error::Internal(_))));
        assert_eq!(numbers(&writer).await, [0, 2]);

        let readers = Readers::start(vec![connection()], PATIENCE).unwrap();
        let defect = readers.run(|connection| {
            let mut statement = connection.prepare("SELECT count(*) FROM numbers")?;
            let count: u32 = statement.query_row([], |row| row.get(0))?;
            assert_ne!(count, 0, "a defect");
            Ok(count)
        });
        assert!(matches!(defect.await, Err(Error::Internal(_))));
        let read = readers.run(|connection| {
            let count: u32 =
                connection.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))?;
            Ok(count)
        });
        assert_eq!(read.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_commit_that_fails_is_told_to_the_whole_group() {
        let connection = connection();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = on;
                 CREATE TABLE parents (number INTEGER PRIMARY KEY);
                 CREATE TABLE children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED);",
            )
            .unwrap();
        let writer = Writer::start(connection, Place::default(), PATIENCE).unwrap();
        let work = (0..3)
            .map(|number| {
                move |connection: &Connection| {
                    if number == 1 {
                        connection.execute("INSERT INTO children VALUES (7)", [])?;
                    }
                    insert(connection, number)
                }
            })
            .collect();
        let results = run_as_group(&writer, work).await;
        assert!(results.iter().all(Result::is_err), "{results:?}");
        writer
            .run(Durability::Process, |connection| insert(connection, 7))
            .await
            .unwrap();
        assert_eq!(numbers(&writer).await, [7]);
    }

    #[tokio::test]
    async fn a_lost_transaction_is_told_to_the_whole_group() {
        let writer = Writer::start(connection(), Place::default(), PATIENCE).unwrap();
        let work = (0..5)
            .map(|number| {
                move |connection: &Connection| {
                    insert(connection, number)?;
                    if number == 2 {
                        // What SQLite does by itself when the disk is full.
                        connection.execute_batch("ROLLBACK")?;
                        return Err(Error::NotFound);
                    }
                    Ok(())
                }
            })
            .collect();
        let results = run_as_group(&writer, work).await;
        assert!(results.iter().all(Result::is_err), "{results:?}");
        assert_eq!(numbers(&writer).await, [0_u32; 0]);
        // And the next one works.
        writer
            .run(Durability::Process, |connection| insert(connection, 7))
            .await
            .unwrap();
        assert_eq!(numbers(&writer).await, [7]);
    }

    #[test]
    fn a_runtime_that_ends_keeps_nobody_elses_answer() {
        let runtime = || {
            tokio::runtime::Builder::new_multi_thread()
                .enable_time()
                .build()
                .unwrap()
        };
        let (first, second) = (runtime(), runtime());
        let writer =
            std::sync::Arc::new(Writer::start(connection(), Place::default(), PATIENCE).unwrap());
        let (begin, begun) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let call = |runtime: &tokio::runtime::Runtime, number| {
            let writer = writer.clone();
            runtime.spawn(async move {
                writer
                    .run(Durability::Process, move |c| insert(c, number))
                    .await
            })
        };
        let holder = writer.clone();
        second.spawn(async move {
            holder
                .run(Durability::Process, move |_| {
                    begin.send(()).unwrap();
                    held.recv().unwrap();
                    Ok(())
                })
                .await
        });
        begun.recv().unwrap(); // The writer is busy; the next two are a group, that of the first runtime ahead.
        drop(call(&first, 1));
        while writer.threads.queue.is_empty() {
            thread::yield_now();
        }
        let answer = call(&second, 2);
        while writer.threads.queue.len() < 2 {
            thread::yield_now();
        }
        first.shutdown_background();
        release.send(()).unwrap();
        second.block_on(answer).unwrap().unwrap();
        assert_eq!(second.block_on(numbers(&writer)), [1, 2]);
    }

    #[tokio::test]
    async fn work_waits_for_a_place_and_then_gives_up() {
        let writer =
            Writer::start(connection(), Place::default(), Duration::from_millis(10)).unwrap();
        let (begin, mut begun) = unbounded_channel();
        let (release, held) = mpsc::channel::<()>();
        let mut hold = Box::pin(writer.run(Durability::Process, move |_| {
            begin.send(()).unwrap();
            held.recv().unwrap();
            Ok(())
        }));
        assert!(futures::poll!(&mut hold).is_pending());
        begun.recv().await.unwrap(); // The thread is busy, and the queue empty.
        let calls = (0..QUEUE_LENGTH).map(|_| writer.run(Durability::Process, |_| Ok(())));
        let mut calls = Box::pin(join_all(calls));
        assert!(futures::poll!(&mut calls).is_pending());

        let one_too_many = writer.run(Durability::Process, |_| Ok(())).await;
        assert!(
            matches!(one_too_many, Err(Error::Busy(_))),
            "{one_too_many:?}"
        );
        release.send(()).unwrap();
        hold.await.unwrap();
        assert!(calls.await.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn what_was_queued_is_done_before_the_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let connection = Connection::open(file.path()).unwrap();
        connection
            .execute_batch("CREATE TABLE numbers (number INTEGER)")
            .unwrap();
        let writer = Writer::start(connection, Place::default(), PATIENCE).unwrap();
        {
            let calls =
                (0..50).map(|number| writer.run(Durability::Process, move |c| insert(c, number)));
            assert!(futures::poll!(Box::pin(join_all(calls))).is_pending());
        }
        drop(writer);
        let count: u32 = Connection::open(file.path())
            .unwrap()
            .query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 50);
    }
}
