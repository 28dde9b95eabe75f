//! Streams: to their end again and again, or held open.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use rig::client::{Connection, Request};
use rig::clock::now_micros;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;

use crate::counts::{Counts, Recorder, moments, print, turn};
use crate::{HoldArguments, StreamArguments, StreamTarget, lines};

/// What is sent, by the number of the stream.
struct Requests {
    addresses: Vec<SocketAddr>,
    path: String,
    bearers: Vec<String>,
    bodies: Vec<String>,
    keep_alive: bool,
}

impl Requests {
    fn new(stream: StreamTarget, keep_alive: bool) -> Result<Rc<Self>> {
        let StreamTarget {
            target,
            body,
            bodies,
            bearers,
            also,
            ..
        } = stream;
        let read =
            |file: Option<_>| file.map_or(Ok(Vec::new()), |file: std::path::PathBuf| lines(&file));
        let mut addresses = vec![target.address];
        addresses.extend(also);
        let mut all = Self {
            addresses,
            path: target.path,
            bearers: read(bearers)?,
            bodies: read(bodies)?,
            keep_alive,
        };
        all.bearers.extend(target.bearer);
        all.bodies.extend(body);
        Ok(Rc::new(all))
    }

    fn request(&self, number: usize) -> Result<Request> {
        let bearer = number
            .checked_rem(self.bearers.len())
            .map(|place| &*self.bearers[place]);
        // Each person comes to each server, also where their numbers have a divisor in common.
        let round = number.checked_div(self.bearers.len()).unwrap_or(0);
        let address = self.addresses[(number + round) % self.addresses.len()];
        let body = &self.bodies[number % self.bodies.len()];
        Request::new(address, &self.path, bearer, Some(body), self.keep_alive)
    }
}

pub(crate) async fn stream(arguments: StreamArguments) -> Result<()> {
    let (format, tokens) = (arguments.stream.format, arguments.stream.tokens);
    let requests = Requests::new(arguments.stream, arguments.keep_alive)?;
    let counts = Counts::new()?;
    let left = Rc::new(RefCell::new(arguments.streams));
    let sent = Rc::new(Cell::new(0));
    let started = now_micros();
    let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(arguments.seconds);
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    for worker in 0..arguments.concurrency {
        let (requests, counts) = (requests.clone(), counts.clone());
        let (left, sent) = (left.clone(), sent.clone());
        let (ramp, keep_alive) = (arguments.ramp, arguments.keep_alive);
        let mut ticks = arguments
            .rate
            .map(|rate| moments(rate, worker, arguments.concurrency));
        workers.push(tokio::task::spawn_local(async move {
            tokio::time::sleep(turn(ramp, worker)).await;
            let mut recorder = Recorder(counts.clone());
            let mut connection = None;
            loop {
                if let Some(ticks) = &mut ticks {
                    let Ok(due) = tokio::time::timeout_at(deadline, ticks.tick()).await else {
                        break;
                    };
                    let late = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                    counts.borrow_mut().late.record(late);
                }
                if tokio::time::Instant::now() >= deadline || !take_one(&left) {
                    break;
                }
                let number = sent.replace(sent.get() + 1);
                let begun = now_micros();
                let result = async {
                    let request = requests.request(number)?;
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

pub(crate) async fn hold(arguments: HoldArguments) -> Result<()> {
    let (format, tokens) = (arguments.stream.format, arguments.stream.tokens);
    let requests = Requests::new(arguments.stream, false)?;
    let counts = Counts::new()?;
    let started = now_micros();
    let mut opening = Vec::new();
    let (opened, mut all_opened) = tokio::sync::mpsc::unbounded_channel();
    for worker in 0..arguments.streams {
        let (requests, counts, opened) = (requests.clone(), counts.clone(), opened.clone());
        let ramp = arguments.ramp;
        opening.push(tokio::task::spawn_local(async move {
            tokio::time::sleep(turn(Some(ramp), worker)).await;
            let mut recorder = Recorder(counts.clone());
            let stream = async {
                let request = requests.request(worker)?;
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
