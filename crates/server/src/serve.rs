//! Accepts connections and stops in order.
//!
//! Our own loop rather than `axum::serve`, because every connection needs what that one does not
//! set: no Nagle delay (40 ms on the first token over a kept-alive connection), a time-out for the
//! request head (a client that sends one byte a minute must not hold a socket), another for a write
//! that nobody reads, a bound on the number of connections, and a hard end to a shutdown.

use std::{future::Future, iter, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures::{StreamExt, stream::FuturesUnordered};
use http::Request;
use http_body::Body as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

/// The largest request head in bytes, credentials included; hyper answers 431 above it.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait after an accept that failed, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeOptions {
    /// How long a client may take for a request's head; also how long an idle connection is kept.
    pub head_timeout: Duration,
    /// How long a write may wait without the client reading a byte; then the connection ends, and
    /// with it the turn whose answer nobody reads.
    pub write_timeout: Duration,
    /// How many connections are open at most; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// How long streams may go on once a shutdown has begun.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            max_connections: 10_000,
            drain: Duration::from_secs(20),
        }
    }
}

/// Serves until `shutdown` resolves, then in two steps: no new connection and no new request on an
/// open one (soft), and after [`ServeOptions::drain`] the end of every stream that is left (hard).
/// Returns when every connection is closed and every turn is saved.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    turns: TaskTracker,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let connections = TaskTracker::new();
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((socket, peer, permit)) = accepted else {
            continue;
        };
        let connection = connection(
            socket,
            peer,
            router.clone(),
            options,
            soft.clone(),
            hard.clone(),
        );
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    tracing::info!(
        connections = connections.len(),
        "shutting down: no new connections"
    );
    soft.cancel();
    connections.close();
    if tokio::time::timeout(options.drain, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            "ending the streams that are left"
        );
        hard.cancel();
        connections.wait().await;
    }
    turns.close();
    turns.wait().await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, peer)) => {
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "cannot switch off Nagle's algorithm");
            }
            Some((socket, peer, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    options: ServeOptions,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                Body::empty()
            } else {
                Body::new(body)
            }
        });
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let mut socket = TimeoutWriter::new(socket);
    socket.set_timeout(Some(options.write_timeout));
    tokio::pin!(socket);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    // The set polls what is in it only when that has something to say. Polled with every token,
    // the token of cancellation would each time take a lock that all connections share.
    let mut stopping: FuturesUnordered<_> = iter::once(soft.cancelled()).collect();
    let result = tokio::select! {
        result = connection.as_mut() => result,
        Some(()) = stopping.next() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection.as_mut() => result,
                () = hard.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        // A browser that closed its tab ends here: everyday life, not a fault.
        tracing::debug!(%error, "connection ended early");
    }
}
