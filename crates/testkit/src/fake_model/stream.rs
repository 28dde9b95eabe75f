//! From the chunks of a reply to an HTTP body that holds, splits or breaks as the script says.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures::stream;
use tokio::sync::{Semaphore, watch};

/// A step of the body.
#[derive(Clone, Debug)]
pub(super) enum Chunk {
    /// Written at once.
    Bytes(Vec<u8>),
    /// Wait for the test.
    Hold,
    /// Break the connection: the client sees a body that ends in the middle.
    Break,
}

/// Tool arguments are streamed in pieces of a few characters, never as one delta.
pub(super) fn pieces_of_arguments(arguments: &str) -> impl Iterator<Item = String> + '_ {
    let mut characters = arguments.chars().peekable();
    std::iter::from_fn(move || {
        characters.peek()?;
        Some(characters.by_ref().take(5).collect())
    })
}

/// Cuts every run of bytes into pieces of at most `length` bytes.
pub(super) fn cut(chunks: Vec<Chunk>, length: usize) -> Vec<Chunk> {
    chunks
        .into_iter()
        .flat_map(|chunk| match chunk {
            Chunk::Bytes(bytes) => bytes
                .chunks(length)
                .map(|piece| Chunk::Bytes(piece.to_vec()))
                .collect::<Vec<_>>(),
            other => vec![other],
        })
        .collect()
}

/// Why a body can break: only because the script says so.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the script breaks the connection here")
    }
}

impl std::error::Error for Broken {}

/// Counts a body that was dropped before its last chunk, which is what a client's
/// disconnection looks like from here.
struct LeftEarly {
    finished: bool,
    count: watch::Sender<usize>,
}

impl LeftEarly {
    fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for LeftEarly {
    fn drop(&mut self) {
        if !self.finished {
            self.count.send_modify(|count| *count += 1);
        }
    }
}

/// The body of one reply. `gate` gets one permit for every hold that the test releases.
pub(super) fn body(
    chunks: Vec<Chunk>,
    gate: Arc<Semaphore>,
    left_early: watch::Sender<usize>,
) -> Body {
    let guard = LeftEarly {
        finished: false,
        count: left_early,
    };
    let state = (chunks.into_iter(), gate, guard);
    Body::from_stream(stream::unfold(
        state,
        |(mut chunks, gate, mut guard)| async move {
            loop {
                match chunks.next() {
                    None => {
                        guard.finish();
                        return None;
                    }
                    Some(Chunk::Bytes(bytes)) => {
                        // One turn of the scheduler between writes, so that each piece travels alone.
                        tokio::task::yield_now().await;
                        return Some((Ok(Bytes::from(bytes)), (chunks, gate, guard)));
                    }
                    Some(Chunk::Hold) => {
                        if let Ok(permit) = gate.acquire().await {
                            permit.forget();
                        }
                    }
                    Some(Chunk::Break) => {
                        guard.finish();
                        return Some((Err(Broken), (Vec::new().into_iter(), gate, guard)));
                    }
                }
            }
        },
    ))
}
