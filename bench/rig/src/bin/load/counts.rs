//! What the workers of a load count together, and how those of small requests are run.

use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use rig::client::Observer;
use rig::clock::now_micros;
use rig::report::{Failures, Micros};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Interval;

/// Prints a report as one line.
pub(crate) fn print(report: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}")?;
    Ok(out.flush()?)
}

/// What all workers count together.
pub(crate) struct Counts {
    head: Micros,
    first_event: Micros,
    first_token: Micros,
    token: Micros,
    pub(crate) whole: Micros,
    /// How much later than they were due the requests were sent.
    pub(crate) late: Micros,
    tokens: u64,
    pub(crate) completed: u64,
    pub(crate) failures: Failures,
}

impl Counts {
    pub(crate) fn new() -> Result<Rc<RefCell<Self>>> {
        Ok(Rc::new(RefCell::new(Self {
            head: Micros::new()?,
            first_event: Micros::new()?,
            first_token: Micros::new()?,
            token: Micros::new()?,
            whole: Micros::new()?,
            late: Micros::new()?,
            tokens: 0,
            completed: 0,
            failures: Failures::default(),
        })))
    }

    /// Adds an answer to a small request.
    pub(crate) fn called(&mut self, begun: u64) {
        self.completed += 1;
        self.whole.record(now_micros() - begun);
    }

    pub(crate) fn report(&self, elapsed_micros: u64) -> Value {
        json!({
            "elapsed_us": elapsed_micros,
            "completed": self.completed,
            "failed": self.failures.count(),
            "failures": self.failures,
            "tokens": self.tokens,
            "head_us": self.head.summary(),
            "first_event_us": self.first_event.summary(),
            "first_token_us": self.first_token.summary(),
            "token_us": self.token.summary(),
            "whole_us": self.whole.summary(),
            "late_us": self.late.summary(),
        })
    }
}

/// Each event borrows the counts only for itself: workers share one thread but take turns.
pub(crate) struct Recorder(pub(crate) Rc<RefCell<Counts>>);

impl Observer for Recorder {
    fn head(&mut self, micros: u64) {
        self.0.borrow_mut().head.record(micros);
    }

    fn first_event(&mut self, micros: u64) {
        self.0.borrow_mut().first_event.record(micros);
    }

    fn first_token(&mut self, micros: u64) {
        self.0.borrow_mut().first_token.record(micros);
    }

    fn token(&mut self, micros: u64) {
        let mut counts = self.0.borrow_mut();
        counts.token.record(micros);
        counts.tokens += 1;
    }
}

/// Runs `work` so many times at once, each with a number and until a deadline, and reports what they counted.
pub(crate) async fn workers<W>(concurrency: usize, seconds: f64, work: W) -> Result<()>
where
    W: AsyncFn(usize, Rc<RefCell<Counts>>, u64) -> Result<()> + Clone + 'static,
{
    let counts = Counts::new()?;
    let started = now_micros();
    let deadline = started + u64::try_from(Duration::from_secs_f64(seconds).as_micros())?;
    let mut running: Vec<JoinHandle<()>> = Vec::new();
    for worker in 0..concurrency {
        let (work, counts) = (work.clone(), counts.clone());
        running.push(tokio::task::spawn_local(async move {
            if let Err(error) = work(worker, counts.clone(), deadline).await {
                counts.borrow_mut().failures.add(&error);
            }
        }));
    }
    for worker in running {
        worker.await?;
    }
    let counts = counts.borrow();
    print(&counts.report(now_micros() - started))
}

/// The moments at which one of several workers begins something, so that all of them together do so at `rate` a second.
/// A moment that has passed is made up for at once.
pub(crate) fn moments(rate: f64, worker: usize, workers: usize) -> Interval {
    let start = tokio::time::Instant::now() + turn(Some(rate), worker);
    tokio::time::interval_at(start, turn(Some(rate), workers))
}

/// When a worker begins of those of whom so many begin a second.
pub(crate) fn turn(ramp: Option<f64>, worker: usize) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are far fewer than 2^52 workers"
    )]
    ramp.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(worker as f64 / rate)
    })
}
