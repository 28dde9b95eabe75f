//! Rate limits: how often one address, person, visitor or public token may do something.
//!
//! Each limit is a token bucket (GCRA, by `governor`) per key. The buckets live in a bounded cache,
//! so that a flood of keys costs memory once and no more; a bucket that nobody used for its whole
//! period is full again, so forgetting it changes nothing.
//! Counts are kept in memory and start anew with the process: they protect the machine and the
//! operator's bill, they are not accounting.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use auth::rule::Terms;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::{InMemoryState, NotKeyed},
};
use moka::sync::Cache;

use crate::{client_ip::ClientIp, error::ApiError};

/// How many keys one limit remembers at most.
const MAX_KEYS: u64 = 100_000;
/// When to try again while too many turns run; nobody knows how long they take.
const RUNNING_TURNS_PAUSE: Duration = Duration::from_secs(5);

/// `count` times in `period`; all of it may be used at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How often; 0 switches the limit off.
    pub count: u32,
    /// In which time.
    pub period: Duration,
}

impl Rate {
    /// `count` times a minute.
    pub const fn per_minute(count: u32) -> Self {
        Self {
            count,
            period: Duration::from_mins(1),
        }
    }

    /// `count` times an hour.
    pub const fn per_hour(count: u32) -> Self {
        Self {
            count,
            period: Duration::from_hours(1),
        }
    }

    /// `count` times a day.
    pub const fn per_day(count: u32) -> Self {
        Self {
            count,
            period: Duration::from_hours(24),
        }
    }

    fn quota(self) -> Option<Quota> {
        let burst = NonZeroU32::new(self.count)?;
        Quota::with_period(self.period / self.count).map(|quota| quota.allow_burst(burst))
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock>;

/// One bucket for each key.
struct Limiter<K> {
    buckets: Cache<K, Arc<Bucket>>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Send + Sync + 'static> Limiter<K> {
    /// `period` is the longest that any rate of this limiter has.
    fn new(period: Duration) -> Self {
        Self {
            buckets: Cache::builder()
                .max_capacity(MAX_KEYS)
                .time_to_idle(period)
                .build(),
            clock: DefaultClock::default(),
        }
    }

    /// Takes one from the key's bucket, or tells how long to wait.
    fn take(&self, key: K, rate: Rate) -> Result<(), Duration> {
        let Some(quota) = rate.quota() else {
            return Ok(());
        };
        self.buckets
            .get_with(key, || Arc::new(RateLimiter::direct(quota)))
            .check()
            .map_err(|denied| denied.wait_time_from(self.clock.now()))
    }
}

/// How many turns of each person run now. A person without one has no entry, so there are never more
/// entries than connections.
#[derive(Clone, Default)]
struct RunningTurns(Arc<Mutex<HashMap<Arc<str>, usize>>>);

impl RunningTurns {
    /// Counts one more, unless there are `most` of them; 0 is no limit.
    fn begin(&self, owner: &Arc<str>, most: usize) -> Option<RunningTurn> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(owner.clone()).or_default();
        if most > 0 && *count >= most {
            return None;
        }
        *count += 1;
        Some(RunningTurn {
            owner: owner.clone(),
            all: self.clone(),
        })
    }

    fn end(&self, owner: &Arc<str>) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                running.remove(owner);
            }
        }
    }
}

/// A person's turn that runs; it counts until this is dropped, so the answer's body holds it.
pub(crate) struct RunningTurn {
    owner: Arc<str>,
    all: RunningTurns,
}

impl Drop for RunningTurn {
    fn drop(&mut self) {
        self.all.end(&self.owner);
    }
}

/// The configured rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    /// Requests of any kind from one address.
    pub requests_per_ip: Rate,
    /// Secrets minted or refreshed by one person.
    pub secrets_per_user: Rate,
    /// Turns of one person.
    pub turns_per_user: Rate,
    /// Turns of one person that run at once; 0 switches the limit off.
    pub turns_at_once: usize,
}

impl Default for Rates {
    /// Far above what a person does by hand, and below what hurts a small machine.
    fn default() -> Self {
        Self {
            requests_per_ip: Rate::per_minute(1_200),
            secrets_per_user: Rate::per_minute(30),
            turns_per_user: Rate::per_minute(60),
            // A few pages, each with a turn or two.
            turns_at_once: 16,
        }
    }
}

/// All limits of one server.
pub struct Limits {
    rates: Rates,
    requests: Limiter<ClientIp>,
    secrets: Limiter<Arc<str>>,
    turns: Limiter<Arc<str>>,
    running_turns: RunningTurns,
    visitors: Limiter<(String, ClientIp)>,
    visitor_messages: Limiter<Arc<str>>,
    token_messages: Limiter<String>,
    session_requests: Limiter<String>,
}

impl Limits {
    /// Empty buckets for the configured rates.
    pub fn new(rates: Rates) -> Self {
        let hour = Duration::from_hours(1);
        Self {
            requests: Limiter::new(rates.requests_per_ip.period),
            secrets: Limiter::new(rates.secrets_per_user.period),
            turns: Limiter::new(rates.turns_per_user.period),
            running_turns: RunningTurns::default(),
            visitors: Limiter::new(hour),
            visitor_messages: Limiter::new(hour),
            token_messages: Limiter::new(hour * 24),
            session_requests: Limiter::new(Duration::from_mins(1)),
            rates,
        }
    }

    /// Counts a request of an address.
    pub(crate) fn request(&self, client: ClientIp) -> Result<(), ApiError> {
        self.requests
            .take(client, self.rates.requests_per_ip)
            .map_err(|wait| {
                ApiError::too_many(
                    "too many requests from this network address; wait a little and try again",
                    wait,
                )
            })
    }

    /// Counts a client secret that a person gets.
    pub(crate) fn secret(&self, owner: &Arc<str>) -> Result<(), ApiError> {
        self.secrets
            .take(owner.clone(), self.rates.secrets_per_user)
            .map_err(|wait| {
                ApiError::too_many(
                    "too many chat sessions were started or refreshed; wait a little and try again",
                    wait,
                )
            })
    }

    /// Counts a turn of a person, which runs until the answer is dropped. What the person's terms
    /// leave open is as for everybody.
    pub(crate) fn turn(&self, owner: &Arc<str>, terms: &Terms) -> Result<RunningTurn, ApiError> {
        let most = terms.turns_at_once.unwrap_or(self.rates.turns_at_once);
        // A bucket keeps its size, so people whose terms change get another one.
        let (bucket, rate) = match terms.turns_per_minute {
            Some(count) => (format!("{owner}\n{count}").into(), Rate::per_minute(count)),
            None => (owner.clone(), self.rates.turns_per_user),
        };
        let running = self.running_turns.begin(owner, most).ok_or_else(|| {
            ApiError::too_many(
                "too many answers are being written for you at once; wait until one is complete, \
                 or stop one",
                RUNNING_TURNS_PAUSE,
            )
        })?;
        self.turns.take(bucket, rate).map_err(|wait| {
            ApiError::too_many("too many messages in a short time; wait a little", wait)
        })?;
        Ok(running)
    }

    /// Counts a turn of a chat session that was opened with a limit of its own.
    pub(crate) fn session_request(
        &self,
        session_id: &str,
        per_minute: NonZeroU32,
    ) -> Result<(), ApiError> {
        self.session_requests
            .take(session_id.to_owned(), Rate::per_minute(per_minute.get()))
            .map_err(|wait| {
                ApiError::too_many(
                    format!(
                        "this chat takes {per_minute} messages in a minute; wait a little and send it again"
                    ),
                    wait,
                )
            })
    }

    /// Counts a new visitor of a public token from an address.
    pub(crate) fn visitor(
        &self,
        token_id: &str,
        client: ClientIp,
        per_hour: u32,
    ) -> Result<(), ApiError> {
        self.visitors
            .take((token_id.to_owned(), client), Rate::per_hour(per_hour))
            .map_err(|wait| {
                ApiError::too_many(
                    "too many new visitors from this network address; try again later",
                    wait,
                )
                .with_code("quota_exceeded")
            })
    }

    /// Counts a message of a visitor, first against their own quota, then against their token's.
    pub(crate) fn visitor_message(
        &self,
        owner: &Arc<str>,
        token_id: &str,
        quotas: &auth::ports::Quotas,
    ) -> Result<(), ApiError> {
        self.visitor_messages
            .take(
                owner.clone(),
                Rate::per_hour(quotas.messages_per_visitor_per_hour),
            )
            .map_err(|wait| {
                ApiError::too_many(
                    "you have sent as many messages as this public chat takes in an hour; come \
                     back a little later",
                    wait,
                )
                .with_code("quota_exceeded")
            })?;
        self.token_messages
            .take(
                token_id.to_owned(),
                Rate::per_day(quotas.messages_per_token_per_day),
            )
            .map_err(|wait| {
                ApiError::too_many(
                    "this public chat has taken as many messages as it may in a day; come back \
                     later",
                    wait,
                )
                .with_code("quota_exceeded")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r01_each_key_has_its_own_bucket() {
        let limiter = Limiter::new(Duration::from_mins(1));
        let rate = Rate::per_minute(2);
        assert!(limiter.take("a", rate).is_ok());
        assert!(limiter.take("a", rate).is_ok());
        let wait = limiter.take("a", rate).unwrap_err();
        assert!(wait <= Duration::from_secs(30), "{wait:?}");
        assert!(limiter.take("b", rate).is_ok());
    }

    #[test]
    fn r01_turns_at_once_are_counted_by_person_until_they_end() {
        let turns = RunningTurns::default();
        let (ada, grace) = (Arc::from("ada"), Arc::from("grace"));
        let mut running: Vec<_> = std::iter::from_fn(|| turns.begin(&ada, 16)).collect();
        assert_eq!(running.len(), 16);
        assert!(turns.begin(&grace, 16).is_some());
        running.pop();
        running.extend(turns.begin(&ada, 16));
        assert_eq!(running.len(), 16);
        assert!(turns.begin(&ada, 16).is_none());
        assert!(turns.begin(&ada, 0).is_some(), "0 is no limit");
        drop(running);
        assert!(turns.0.lock().unwrap().is_empty());
    }

    #[test]
    fn zero_switches_a_limit_off() {
        let limiter = Limiter::new(Duration::from_mins(1));
        for _ in 0..10_000 {
            assert!(limiter.take("a", Rate::per_minute(0)).is_ok());
        }
    }

    #[test]
    fn r01_the_number_of_keys_is_bounded() {
        let limiter = Limiter::new(Duration::from_mins(1));
        for key in 0..MAX_KEYS + 50_000 {
            limiter.take(key, Rate::per_minute(1)).unwrap();
        }
        limiter.buckets.run_pending_tasks();
        assert!(limiter.buckets.entry_count() <= MAX_KEYS);
    }
}
