//! Accepts connections and stops in order.
//!
//! Our own loop rather than `axum::serve`, because every connection needs what that one does not
//! set: no Nagle delay (40 ms on the first token over a kept-alive connection), a time-out for the
//! request head (a client that sends one byte a minute must not hold a socket), another for an idle
//! connection, another for a write that nobody reads, an end that lets a client read why its request
//! was refused before it was read ([`crate::socket`]), bounds on the number of connections
//! ([`crate::connections`]), and a hard end to a shutdown.

use std::{convert::Infallible, future::Future, iter, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use engine::Engine;
use futures::{
    StreamExt,
    future::{Either, ready},
    stream::FuturesUnordered,
};
use http::{HeaderValue, Request, header};
use http_body::Body as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

use crate::{
    base_path::BasePath,
    connections::{ConnectionLimits, Connections, Place},
    seldom::Seldom,
    socket::{HeadLimits, LingerLimits, Waiting, linger},
};

/// The largest request head in bytes, credentials included; hyper answers 431 above it.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait after an accept that failed, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Which part of the drain is kept for last words, and at most a second; and for the bytes of them to leave.
const LAST_WORDS: u32 = 3;
const LAST_BYTES: u32 = 10;
/// What is left of the drain for whoever called, to close what it has opened.
const LEAVING: Duration = Duration::from_millis(400);
/// How long a connection beyond its address's share may take for its one request, and again to leave.
const OVERFLOW_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that has its answer and still sends the request is listened to for so long in all, and so long without a word.
const LINGER: Duration = Duration::from_secs(30);
const LINGER_SILENCE: Duration = Duration::from_secs(5);

/// Bounds of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// How long a client may take for a request's head.
    pub head_timeout: Duration,
    /// How long an idle connection is kept for its next request.
    pub idle_timeout: Duration,
    /// How many bytes of a request are thrown away at most that was answered before it was read.
    pub max_unread_bytes: u64,
    /// How long a write may wait without the client reading a byte; then the connection ends, and
    /// with it the turn whose answer nobody reads.
    pub write_timeout: Duration,
    /// How many connections are open at most; idle ones make room for further ones, which else wait
    /// in the kernel's queue.
    pub max_connections: usize,
    /// How many of them one address may hold; 0 is no limit.
    pub max_connections_per_ip: u32,
    /// The path below which it is.
    pub base_path: BasePath,
    /// Proxies whose connections are not counted by address, but by their clients' requests.
    pub trusted_proxies: Vec<IpNet>,
    /// How long new requests are still taken once a shutdown has begun: load balancers need a while to notice.
    pub grace: Duration,
    /// How long everything else may take after that.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            max_unread_bytes: 64 << 20,
            write_timeout: Duration::from_mins(1),
            max_connections: 10_000,
            max_connections_per_ip: 256,
            base_path: BasePath::default(),
            trusted_proxies: Vec::new(),
            grace: Duration::from_secs(5),
            drain: Duration::from_secs(20),
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Every connection is closed and every run is saved.
    Whole,
    /// The time was up: what was still being read or written was cut off.
    GivenUp,
}

/// Serves until `shutdown` resolves, then in steps: requests are still taken for a while
/// ([`ServeOptions::grace`]); then no new connection and no new request on an open one, and runs may come to their end;
/// when [`ServeOptions::drain`] is nearly over, those that are left end in words; when it is over, everything does.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    engine: Engine,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Served {
    let limits = ConnectionLimits {
        in_all: options.max_connections,
        per_address: options.max_connections_per_ip,
    };
    let open = Connections::new(limits, options.trusted_proxies.clone());
    let connections = TaskTracker::new();
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let mut acceptor = Acceptor::new(listener, open, soft.clone());
    let grace = options.grace;
    let end = async {
        shutdown.await;
        tracing::info!(
            seconds = grace.as_secs(),
            "shutting down: further requests are taken for a while"
        );
        tokio::time::sleep(grace).await;
    };
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = acceptor.accept() => accepted,
        };
        if let Some((socket, place)) = accepted {
            connections.spawn(connection(
                socket,
                place,
                router.clone(),
                options.clone(),
                hard.clone(),
            ));
        }
    }
    drop(acceptor);
    let Engine { tasks, runs, .. } = &engine;
    tracing::info!(
        connections = connections.len(),
        runs = runs.count(),
        "shutting down: no new connections"
    );
    soft.cancel();
    connections.close();
    tasks.close();
    let all = async {
        connections.wait().await;
        tasks.wait().await;
    };
    tokio::pin!(all);
    let (for_words, for_bytes) = (options.drain / LAST_WORDS, options.drain / LAST_BYTES);
    let for_words = for_words.min(Duration::from_secs(1));
    let for_bytes = for_bytes.min(Duration::from_millis(200));
    let until_words = options
        .drain
        .saturating_sub(for_words + for_bytes + LEAVING);
    if tokio::time::timeout(until_words, &mut all).await.is_ok() {
        return Served::Whole;
    }
    tracing::warn!(
        connections = connections.len(),
        runs = runs.count(),
        "ending the runs that are left; what they said so far is saved"
    );
    runs.shut_down();
    if tokio::time::timeout(for_words, &mut all).await.is_ok() {
        return Served::Whole;
    }
    let left = runs.count();
    if left > 0 {
        tracing::error!(
            runs = left,
            "the last words of these could not be saved in time; their conversations say that they were interrupted"
        );
        runs.give_up();
    }
    if tokio::time::timeout(for_bytes, &mut all).await.is_ok() {
        return Served::Whole;
    }
    hard.cancel();
    Served::GivenUp
}

/// Takes connections in, as far as there are places.
struct Acceptor {
    listener: TcpListener,
    open: Connections,
    /// Asks all connections to leave.
    soft: CancellationToken,
    failures: Seldom,
    refusals: Seldom,
}

impl Acceptor {
    fn new(listener: TcpListener, open: Connections, soft: CancellationToken) -> Self {
        Self {
            listener,
            open,
            soft,
            failures: Seldom::default(),
            refusals: Seldom::default(),
        }
    }

    /// The next connection, once there is a place for it. Nothing, when it failed or may not stay.
    async fn accept(&mut self) -> Option<(TcpStream, Place)> {
        let (socket, peer) = match self.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(left_out) = self.failures.is_due(Instant::now()) {
                    tracing::warn!(%error, left_out, "cannot accept a connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return None;
            }
        };
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch off Nagle's algorithm");
        }
        let place = self.open.enter(peer, &self.soft).await;
        if place.as_ref().is_none_or(Place::is_overflow)
            && let Some(left_out) = self.refusals.is_due(Instant::now())
        {
            tracing::warn!(
                address = %peer.ip(),
                left_out,
                "an address has as many connections at work as it may (server.max_connections_per_ip); \
                 if it is a proxy of yours, add it to server.trusted_proxies"
            );
        }
        Some((socket, place?))
    }
}

async fn connection(
    socket: TcpStream,
    place: Place,
    router: Router,
    options: ServeOptions,
    hard: CancellationToken,
) {
    let service = service_fn(|mut request: Request<Incoming>| {
        let at_work = place.begin(&mut request);
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                Body::empty()
            } else {
                Body::new(at_work.arriving(body))
            }
        });
        request.extensions_mut().insert(ConnectInfo(place.peer()));
        let answer = match options.base_path.enter(&mut request) {
            Some(elsewhere) => Either::Left(ready(Ok(elsewhere))),
            None => Either::Right(router.clone().call(request)),
        };
        async move {
            let mut response = answer.await?;
            if at_work.is_left_unread() {
                // Said, so that nobody sends their next request into a connection that is about to close.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(response.map(|body| at_work.leaving(body)))
        }
    });
    let most = if place.is_overflow() {
        OVERFLOW_TIMEOUT
    } else {
        Duration::MAX
    };
    let head_limits = HeadLimits {
        head: options.head_timeout.min(most),
        idle: options.idle_timeout,
    };
    let socket = Waiting::new(socket, head_limits, place.turns());
    let mut socket = TimeoutWriter::new(socket);
    socket.set_timeout(Some(options.write_timeout));
    tokio::pin!(socket);
    let result = {
        let connection = http1::Builder::new()
            // `Waiting` has its own.
            .header_read_timeout(None)
            .keep_alive(!place.is_overflow())
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(socket.as_mut()), service);
        tokio::pin!(connection);
        // The set polls what is in it only when that has something to say. Polled with every token,
        // the token of cancellation would each time take its lock.
        let mut stopping: FuturesUnordered<_> = iter::once(place.leave()).collect();
        tokio::select! {
            result = connection.as_mut() => result,
            Some(()) = stopping.next() => {
                if place.is_given_up() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    result = connection.as_mut() => result,
                    () = hard.cancelled() => Ok(()),
                }
            }
        }
    };
    // hyper answers a head that it cannot read, and reads no further.
    let may_still_send = match &result {
        Ok(()) => place.is_left_unread(),
        Err(error) => error.is_parse(),
    };
    if let Err(error) = result {
        // A browser that closed its tab ends here: everyday life, not a fault.
        tracing::debug!(%error, "connection ended early");
    }
    if may_still_send {
        let limits = LingerLimits {
            bytes: options.max_unread_bytes,
            silence: LINGER_SILENCE,
            duration: LINGER.min(most),
        };
        // It waits for its client, so it is asked to leave when its place is needed.
        tokio::select! {
            () = linger(socket, limits) => {}
            () = place.leave() => {}
        }
    }
}
