//! A bounded queue in front of a model: so many questions at once, so many that wait, and so long.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use engine::ports::{ModelError, ModelEvent, ModelStream};
use futures::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many questions a model is asked at once, and who waits.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Hands places out in the order in which they were asked for.
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
}

/// Why a question was not asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Busy {
    #[error("as many questions as may (`max_waiting`) wait for this model already")]
    Full,
    #[error("no place came free for the question in time (`waiting_seconds`)")]
    Late,
}

/// A place among the questions that are asked at once; `None` where they are not counted.
pub(crate) type Place = Option<OwnedSemaphorePermit>;

impl Gate {
    /// At most `places` questions at once, and at most `most_waiting` that wait, each at most so long.
    pub fn new(places: usize, most_waiting: usize, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            most_waiting,
            patience,
        }))
    }

    /// Waits for a place.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, ModelError> {
        let places = &self.0.places;
        // Nobody is passed by: what is free is nobody's turn.
        if let Ok(place) = places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let busy = |busy: Busy| Err(ModelError::RateLimited(Box::new(busy)));
        let waiting = Waiting(&self.0.waiting);
        if self.0.waiting.fetch_add(1, Ordering::Relaxed) >= self.0.most_waiting {
            return busy(Busy::Full);
        }
        let entered = tokio::time::timeout(self.0.patience, places.clone().acquire_owned()).await;
        drop(waiting);
        match entered {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => busy(Busy::Late),
        }
    }
}

/// One of those that wait, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer that has a place until it ends or is dropped.
pub(super) struct Placed {
    answer: ModelStream,
    place: Place,
}

impl Placed {
    pub(super) fn stream(answer: ModelStream, place: Place) -> ModelStream {
        match place {
            None => answer,
            place => Box::pin(Self { answer, place }),
        }
    }
}

impl Stream for Placed {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let read = self.answer.as_mut().poll_next(context);
        // Nobody reads on after the end, and some keep what they have read.
        if let Poll::Ready(None | Some(Err(_) | Ok(ModelEvent::Completed { .. }))) = read {
            self.place = None;
        }
        read
    }
}
