//! Small requests over kept-alive connections, and client secrets that are exchanged for the next one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context as _, Result};
use rig::client::{Connection, Request};
use rig::clock::now_micros;
use serde_json::{Value, json};

use crate::counts::{Counts, moments, turn, workers};
use crate::{CallArguments, RefreshArguments, lines};

pub(crate) async fn call(arguments: CallArguments) -> Result<()> {
    let target = &arguments.target;
    let request = |bearer: Option<&str>, body: Option<&str>| {
        Request::new(target.address, &target.path, bearer, body, true)
            .map(|request| request.expecting(&arguments.status))
    };
    let read =
        |file: Option<&_>| file.map_or(Ok(Vec::new()), |file: &std::path::PathBuf| lines(file));
    let mut bearers = read(arguments.bearers.as_ref())?;
    let mut bodies = read(arguments.bodies.as_ref())?;
    bearers.extend(target.bearer.clone());
    bodies.extend(arguments.body.clone());
    let some = |list: &[String], place: usize| {
        let place = place.checked_rem(list.len())?;
        Some(list[place].clone())
    };
    let requests: Result<Vec<_>> = (0..bearers.len().max(bodies.len()).max(1))
        .map(|n| request(some(&bearers, n).as_deref(), some(&bodies, n).as_deref()))
        .collect();
    let is_once = arguments.bearers.is_some() && !arguments.again;
    let (requests, sent) = (Rc::new(requests?), Rc::new(Cell::new(0)));
    // Each worker's share of the rate: as long as all of them take to begin one after the other.
    let interval = arguments
        .rate
        .map(|rate| turn(Some(rate), arguments.concurrency));
    let even = arguments.rate.filter(|_| arguments.evenly);
    let work = async move |worker, counts: Rc<RefCell<Counts>>, deadline| {
        let mut ticks = match even {
            Some(rate) => Some(moments(rate, worker, arguments.concurrency)),
            None => interval.map(tokio::time::interval),
        };
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
                let due = ticks.tick().await;
                let late = u64::try_from(due.elapsed().as_micros())?;
                counts.borrow_mut().late.record(late);
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
pub(crate) async fn refresh(arguments: RefreshArguments) -> Result<()> {
    let target = Rc::new(arguments.target);
    let start = Rc::new(arguments.start);
    let work = async move |_, counts: Rc<RefCell<Counts>>, deadline| {
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
