//! What asking an issuer may cost: token buckets, and places for questions that are shared out
//! among the clients on whose behalf they are asked.
//!
//! Anybody can make up a token, a cookie or a key id, and each one that is not known here becomes a
//! question to an issuer. So there is a bound on the questions that are asked at once, on those that
//! wait, and on those that were asked in vain. Every bound has a share for each address: a client
//! that floods us uses up its own share and leaves the rest to everybody else.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use moka::sync::Cache;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// `burst` times at once, and once more after each `refill`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) refill: Duration,
}

/// A token bucket (GCRA). All that has to be kept is the moment at which it will be full again.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: Option<Instant>,
}

impl Bucket {
    /// How long to wait before one more may be taken; none when one may be taken now.
    pub(crate) fn wait(&self, rate: Rate, now: Instant) -> Option<Duration> {
        let owed = self
            .full_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let after_one_more = owed.saturating_add(rate.refill);
        let room = rate.refill.saturating_mul(rate.burst);
        after_one_more
            .checked_sub(room)
            .filter(|wait| !wait.is_zero())
    }

    pub(crate) fn take(&mut self, rate: Rate, now: Instant) {
        let from = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(from + rate.refill);
    }
}

/// How often one client may bring something that turns out to be worth nothing.
const FAILURES: Rate = Rate {
    burst: 60,
    refill: Duration::from_millis(500),
};
/// One client gets one part in so many of the places.
const SHARES: usize = 4;
/// How many clients are remembered. One that is forgotten starts anew, within the bounds for all.
const MAX_CLIENTS: u64 = 10_000;
/// A client that has not asked for this long has its whole budget back, so it may be forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// A question cannot be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy {
    pub(crate) message: &'static str,
    pub(crate) retry_after: Duration,
}

impl Busy {
    fn new(message: &'static str) -> Self {
        Self {
            message,
            retry_after: Duration::from_secs(1),
        }
    }
}

impl From<AcquireError> for Busy {
    fn from(_: AcquireError) -> Self {
        Self::new("no more questions are asked")
    }
}

/// What one client has under way and has got wrong.
struct Asker {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    failures: Mutex<Bucket>,
}

impl Asker {
    fn check_failures(&self, now: Instant) -> Result<(), Busy> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.wait(FAILURES, now).map_or(Ok(()), |retry_after| {
            Err(Busy {
                message: "too many credentials from this address were worth nothing; it is asked again soon",
                retry_after,
            })
        })
    }
}

/// The places for one kind of question.
pub(crate) struct Questions {
    waiting: Semaphore,
    running: Semaphore,
    clients: Cache<Option<IpAddr>, Arc<Asker>>,
    most_waiting: usize,
    most_running: usize,
}

/// A place for one question; it is free again when this is dropped.
pub(crate) struct Place<'questions> {
    asker: Arc<Asker>,
    _of_client: (OwnedSemaphorePermit, OwnedSemaphorePermit),
    _of_all: (SemaphorePermit<'questions>, SemaphorePermit<'questions>),
}

impl Place<'_> {
    /// The answer was that the credential is worth nothing.
    pub(crate) fn was_in_vain(&self, now: Instant) {
        let failures = &self.asker.failures;
        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.take(FAILURES, now);
    }
}

impl Questions {
    /// At most so many at once, and so many that wait, the running ones included.
    pub(crate) fn new(most_running: usize, most_waiting: usize) -> Self {
        Self {
            waiting: Semaphore::new(most_waiting),
            running: Semaphore::new(most_running),
            clients: Cache::builder()
                .max_capacity(MAX_CLIENTS)
                .time_to_idle(FORGOTTEN_AFTER)
                .build(),
            most_waiting,
            most_running,
        }
    }

    /// Waits for a place. `client` is the address that limits go by (an IPv6 address stands for its
    /// /64), and `None` is this machine itself, which shares with nobody. What was good before
    /// (`was_good`) is asked about however often this client was wrong.
    pub(crate) async fn place(
        &self,
        client: Option<IpAddr>,
        was_good: bool,
        now: Instant,
    ) -> Result<Place<'_>, Busy> {
        let asker = self.clients.get_with(client, || {
            let share = |of_all: usize| match client {
                Some(_) => (of_all / SHARES).max(1),
                None => of_all,
            };
            Arc::new(Asker {
                waiting: Arc::new(Semaphore::new(share(self.most_waiting))),
                running: Arc::new(Semaphore::new(share(self.most_running))),
                failures: Mutex::default(),
            })
        });
        if !was_good {
            asker.check_failures(now)?;
        }
        let too_many = || Busy::new("too many requests wait");
        let own_place = Arc::clone(&asker.waiting)
            .try_acquire_owned()
            .map_err(|_| too_many())?;
        let place = self.waiting.try_acquire().map_err(|_| too_many())?;
        // A client's own turn comes first: what waits for it keeps nobody else waiting.
        let own_turn = Arc::clone(&asker.running).acquire_owned().await?;
        let turn = self.running.acquire().await?;
        // Once more: what waited may have seen others fail.
        if !was_good {
            asker.check_failures(now)?;
        }
        Ok(Place {
            asker,
            _of_client: (own_place, own_turn),
            _of_all: (place, turn),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        refill: Duration::from_secs(10),
    };

    fn address(last: u8) -> Option<IpAddr> {
        Some(Ipv4Addr::new(192, 0, 2, last).into())
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_after_each_refill() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(bucket.wait(RATE, start), None);
            bucket.take(RATE, start);
        }
        assert_eq!(bucket.wait(RATE, start), Some(RATE.refill));
        assert_eq!(bucket.wait(RATE, at(9)), Some(Duration::from_secs(1)));
        assert_eq!(bucket.wait(RATE, at(10)), None);
        bucket.take(RATE, at(10));
        assert_eq!(bucket.wait(RATE, at(11)), Some(Duration::from_secs(9)));
        // However long it rests, it holds its burst and no more.
        for _ in 0..3 {
            assert_eq!(bucket.wait(RATE, at(10_000)), None);
            bucket.take(RATE, at(10_000));
        }
        assert!(bucket.wait(RATE, at(10_000)).is_some());
    }

    #[tokio::test]
    async fn r02_one_address_that_is_always_wrong_shuts_out_itself_alone() {
        let (questions, now) = (Questions::new(8, 16), Instant::now());
        for _ in 0..FAILURES.burst {
            let place = questions.place(address(1), false, now).await.unwrap();
            place.was_in_vain(now);
        }
        let refused = questions.place(address(1), false, now).await.err().unwrap();
        assert_eq!(refused.retry_after, FAILURES.refill);
        assert!(questions.place(address(2), false, now).await.is_ok());
        assert!(questions.place(None, false, now).await.is_ok());
        // Whom it knew before it still asks about.
        assert!(questions.place(address(1), true, now).await.is_ok());
        let later = now + FAILURES.refill;
        assert!(questions.place(address(1), false, later).await.is_ok());
    }

    #[tokio::test]
    async fn r02_one_address_holds_its_share_of_the_places_and_no_more() {
        let (questions, now) = (Questions::new(8, 16), Instant::now());
        let held = [
            questions.place(address(1), false, now).await.unwrap(),
            questions.place(address(1), false, now).await.unwrap(),
        ];
        // Two more wait for their turn, without holding up others; a fifth is sent away.
        let mut third = Box::pin(questions.place(address(1), false, now));
        let mut fourth = Box::pin(questions.place(address(1), false, now));
        tokio::select! {
            biased;
            _ = &mut third => panic!("more than its share"),
            _ = &mut fourth => panic!("more than its share"),
            fifth = questions.place(address(1), false, now) => assert!(fifth.is_err()),
        }
        for last in 2..=4 {
            let place = questions.place(address(last), false, now).await;
            assert!(place.is_ok(), "{last}");
        }
        drop(held);
        assert!(third.await.is_ok());
        assert!(fourth.await.is_ok());
    }
}
