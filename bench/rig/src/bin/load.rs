//! The load client: reads every stream to the last byte and reports one line of JSON.
//!
//! An answer that is not faithful counts as failed, however fast it came.

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};
use rig::client::{Connection, Observer, Request};
use rig::clock::now_micros;
use rig::fidelity::Format;
use rig::report::{Failures, Micros};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::task::{JoinHandle, LocalSet};

/// Puts load on a server on this machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Streams to their end, again and again.
    Stream(StreamArguments),
    /// Opens streams, keeps them open until standard input ends, then drops them all at once.
    Hold(HoldArguments),
    /// Small requests over kept-alive connections.
    Call(CallArguments),
    /// Client secrets, each exchanged for the next one.
    Refresh(RefreshArguments),
}

#[derive(Args)]
struct Target {
    /// The server, on loopback.
    #[arg(long)]
    address: SocketAddr,
    /// The path.
    #[arg(long)]
    path: String,
    /// A bearer token.
    #[arg(long)]
    bearer: Option<String>,
}

#[derive(Args)]
struct StreamTarget {
    #[command(flatten)]
    target: Target,
    /// The JSON body of each request.
    #[arg(long)]
    body: String,
    /// What the server speaks.
    #[arg(long)]
    format: Format,
    /// How many tokens belong to each stream.
    #[arg(long)]
    tokens: u32,
}

#[derive(Args)]
struct StreamArguments {
    #[command(flatten)]
    stream: StreamTarget,
    /// Streams at a time.
    #[arg(long)]
    concurrency: usize,
    /// Streams in all.
    #[arg(long, default_value_t = u64::MAX)]
    streams: u64,
    /// Begin no stream after this many seconds.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Give up on streams that are still running this many seconds after that.
    #[arg(long, default_value_t = 15.0)]
    grace: f64,
    /// Workers that begin a second; all at once when left out.
    #[arg(long)]
    ramp: Option<f64>,
    /// All streams of a worker over one connection.
    #[arg(long)]
    keep_alive: bool,
}

#[derive(Args)]
struct HoldArguments {
    #[command(flatten)]
    stream: StreamTarget,
    /// How many streams.
    #[arg(long)]
    streams: usize,
    /// Streams opened a second.
    #[arg(long)]
    ramp: f64,
}

#[derive(Args)]
struct CallArguments {
    #[command(flatten)]
    target: Target,
    /// The JSON body of a POST; a GET when left out.
    #[arg(long)]
    body: Option<String>,
    /// A file with bearer tokens, one a line: each is sent once, and the run ends with the last one.
    #[arg(long, conflicts_with = "bearer")]
    bearers: Option<PathBuf>,
    /// Begins with the first token again after the last one.
    #[arg(long, requires = "bearers")]
    again: bool,
    /// The statuses of which every answer must have one.
    #[arg(long, value_delimiter = ',', default_value = "200")]
    status: Vec<u16>,
    /// Connections.
    #[arg(long)]
    concurrency: usize,
    /// For how long at most.
    #[arg(long)]
    seconds: f64,
    /// Requests a second in all; as many as go through when left out.
    #[arg(long)]
    rate: Option<f64>,
}

#[derive(Args)]
struct RefreshArguments {
    #[command(flatten)]
    target: Target,
    /// Where the first secret of each connection comes from.
    #[arg(long)]
    start: String,
    /// Connections.
    #[arg(long)]
    concurrency: usize,
    /// For how long.
    #[arg(long)]
    seconds: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let local = LocalSet::new();
    local
        .run_until(async {
            match Arguments::parse().command {
                Command::Stream(arguments) => stream(arguments).await,
                Command::Hold(arguments) => hold(arguments).await,
                Command::Call(arguments) => call(arguments).await,
                Command::Refresh(arguments) => refresh(arguments).await,
            }
        })
        .await
}

fn print(report: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}")?;
    Ok(out.flush()?)
}

/// What all workers count together.
struct Counts {
    head: Micros,
    first_token: Micros,
    token: Micros,
    whole: Micros,
    tokens: u64,
    completed: u64,
    failures: Failures,
}

impl Counts {
    fn new() -> Result<Rc<RefCell<Self>>> {
        Ok(Rc::new(RefCell::new(Self {
            head: Micros::new()?,
            first_token: Micros::new()?,
            token: Micros::new()?,
            whole: Micros::new()?,
            tokens: 0,
            completed: 0,
            failures: Failures::default(),
        })))
    }

    /// Adds an answer to a small request.
    fn called(&mut self, begun: u64) {
        self.completed += 1;
        self.whole.record(now_micros() - begun);
    }

    fn report(&self, elapsed_micros: u64) -> Value {
        json!({
            "elapsed_us": elapsed_micros,
            "completed": self.completed,
            "failed": self.failures.count(),
            "failures": self.failures,
            "tokens": self.tokens,
            "head_us": self.head.summary(),
            "first_token_us": self.first_token.summary(),
            "token_us": self.token.summary(),
            "whole_us": self.whole.summary(),
        })
    }
}

/// Each event borrows the counts only for itself: workers share one thread but take turns.
struct Recorder(Rc<RefCell<Counts>>);

impl Observer for Recorder {
    fn head(&mut self, micros: u64) {
        self.0.borrow_mut().head.record(micros);
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

fn request(stream: &StreamTarget, keep_alive: bool) -> Result<Rc<Request>> {
    let target = &stream.target;
    let bearer = target.bearer.as_deref();
    Request::new(
        target.address,
        &target.path,
        bearer,
        Some(&stream.body),
        keep_alive,
    )
    .map(Rc::new)
}

fn turn(ramp: Option<f64>, worker: usize) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are far fewer than 2^52 workers"
    )]
    ramp.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(worker as f64 / rate)
    })
}

async fn stream(arguments: StreamArguments) -> Result<()> {
    let request = request(&arguments.stream, arguments.keep_alive)?;
    let counts = Counts::new()?;
    let left = Rc::new(RefCell::new(arguments.streams));
    let started = now_micros();
    let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(arguments.seconds);
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    for worker in 0..arguments.concurrency {
        let (request, counts, left) = (request.clone(), counts.clone(), left.clone());
        let (format, tokens) = (arguments.stream.format, arguments.stream.tokens);
        let (ramp, keep_alive) = (arguments.ramp, arguments.keep_alive);
        workers.push(tokio::task::spawn_local(async move {
            tokio::time::sleep(turn(ramp, worker)).await;
            let mut recorder = Recorder(counts.clone());
            let mut connection = None;
            while tokio::time::Instant::now() < deadline && take_one(&left) {
                let begun = now_micros();
                let result = async {
                    let mut open = match connection.take() {
                        Some(open) => open,
                        None => Connection::open(&request).await?,
                    };
                    open.stream(&request, format, tokens, &mut recorder).await?;
                    anyhow::Ok(open)
                };
                match result.await {
                    Ok(open) => {
                        connection = keep_alive.then_some(open);
                        let mut counts = counts.borrow_mut();
                        counts.completed += 1;
                        counts.whole.record(now_micros() - begun);
                    }
                    Err(error) => counts.borrow_mut().failures.add(&error),
                }
            }
        }));
    }
    let all = async {
        for worker in workers {
            worker.await?;
        }
        anyhow::Ok(())
    };
    let grace = Duration::from_secs_f64(arguments.grace);
    let unfinished = tokio::time::timeout_at(deadline + grace, all)
        .await
        .is_err();
    let counts = counts.borrow();
    let mut report = counts.report(now_micros() - started);
    report["unfinished"] = unfinished.into();
    print(&report)
}

fn take_one(left: &RefCell<u64>) -> bool {
    let mut left = left.borrow_mut();
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

async fn hold(arguments: HoldArguments) -> Result<()> {
    let request = request(&arguments.stream, false)?;
    let counts = Counts::new()?;
    let started = now_micros();
    let mut opening = Vec::new();
    let (opened, mut all_opened) = tokio::sync::mpsc::unbounded_channel();
    for worker in 0..arguments.streams {
        let (request, counts, opened) = (request.clone(), counts.clone(), opened.clone());
        let (format, tokens, ramp) = (
            arguments.stream.format,
            arguments.stream.tokens,
            arguments.ramp,
        );
        opening.push(tokio::task::spawn_local(async move {
            tokio::time::sleep(turn(Some(ramp), worker)).await;
            let mut recorder = Recorder(counts.clone());
            let stream = async {
                let mut connection = Connection::open(&request).await?;
                let open = connection
                    .stream_until(&request, format, tokens, &mut recorder)
                    .await?;
                anyhow::Ok((connection, open))
            };
            let result = stream.await;
            // The driver may have stopped listening; then nothing is counted any more.
            let _ = opened.send(());
            let result = match result {
                Ok((mut connection, mut open)) => {
                    counts.borrow_mut().completed += 1;
                    connection.drain(&mut open, &mut recorder).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                counts.borrow_mut().failures.add(&error);
            }
        }));
    }
    for _ in 0..arguments.streams {
        all_opened.recv().await;
    }
    print(&counts.borrow().report(now_micros() - started))?;
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    for worker in opening {
        worker.abort();
    }
    let failures = &counts.borrow().failures;
    print(&json!({"failed": failures.count(), "failures": failures}))
}

async fn call(arguments: CallArguments) -> Result<()> {
    let target = &arguments.target;
    let request = |bearer: Option<&str>| {
        let body = arguments.body.as_deref();
        Request::new(target.address, &target.path, bearer, body, true)
            .map(|request| request.expecting(&arguments.status))
    };
    let (requests, is_once) = match &arguments.bearers {
        Some(file) => {
            let lines = std::fs::read_to_string(file)?;
            let requests: Result<Vec<_>> = lines.lines().map(|line| request(Some(line))).collect();
            (requests?, !arguments.again)
        }
        None => (vec![request(target.bearer.as_deref())?], false),
    };
    ensure!(!requests.is_empty(), "there are no bearer tokens");
    let (requests, sent) = (Rc::new(requests), Rc::new(Cell::new(0)));
    // Each worker's share of the rate: as long as all of them take to begin one after the other.
    let interval = arguments
        .rate
        .map(|rate| turn(Some(rate), arguments.concurrency));
    let work = async move |counts: Rc<RefCell<Counts>>, deadline| {
        let mut ticks = interval.map(tokio::time::interval);
        let mut connection = None;
        while now_micros() < deadline {
            let number = sent.replace(sent.get() + 1);
            let place = if is_once {
                number
            } else {
                number % requests.len()
            };
            let Some(request) = requests.get(place) else {
                break;
            };
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let mut open = match connection.take() {
                Some(open) => open,
                None => Connection::open(request).await?,
            };
            let begun = now_micros();
            open.call(request).await?;
            counts.borrow_mut().called(begun);
            connection = Some(open);
        }
        anyhow::Ok(())
    };
    workers(arguments.concurrency, arguments.seconds, work).await
}

/// Each worker asks for a secret, and then again and again for the one that replaces it.
async fn refresh(arguments: RefreshArguments) -> Result<()> {
    let target = Rc::new(arguments.target);
    let start = Rc::new(arguments.start);
    let work = async move |counts: Rc<RefCell<Counts>>, deadline| {
        let request = |path: &str, body: &Value| {
            let bearer = target.bearer.as_deref();
            Request::new(target.address, path, bearer, Some(&body.to_string()), true)
        };
        let first = request(&start, &json!({}))?;
        let mut connection = Connection::open(&first).await?;
        let mut secret = secret_of(&connection.call(&first).await?)?;
        while now_micros() < deadline {
            let next = request(&target.path, &json!({"currentClientSecret": secret}))?;
            let begun = now_micros();
            secret = secret_of(&connection.call(&next).await?)?;
            counts.borrow_mut().called(begun);
        }
        anyhow::Ok(())
    };
    workers(arguments.concurrency, arguments.seconds, work).await
}

fn secret_of(answer: &[u8]) -> Result<String> {
    let answer: Value = serde_json::from_slice(answer)?;
    let secret = answer["client_secret"].as_str().context("no secret")?;
    Ok(secret.to_owned())
}

/// Runs `work` so many times at once, each until a deadline, and reports what they counted.
async fn workers<W>(concurrency: usize, seconds: f64, work: W) -> Result<()>
where
    W: AsyncFn(Rc<RefCell<Counts>>, u64) -> Result<()> + Clone + 'static,
{
    let counts = Counts::new()?;
    let started = now_micros();
    let deadline = started + u64::try_from(Duration::from_secs_f64(seconds).as_micros())?;
    let mut running: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..concurrency {
        let (work, counts) = (work.clone(), counts.clone());
        running.push(tokio::task::spawn_local(async move {
            if let Err(error) = work(counts.clone(), deadline).await {
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
