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

use auth::{ports::Quotas, rule::Terms};
use engine::Words;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::{InMemoryState, NotKeyed},
};
use http::Method;
use moka::sync::Cache;

use crate::{
    client_ip::{ClientIp, SITE_FACTOR, Site},
    connections::AddressIsFull,
    error::ApiError,
    refused_origins::RefusedOrigins,
};

/// How many keys one limit remembers at most.
const MAX_KEYS: u64 = 100_000;
/// When to try again while too many turns run; nobody knows how long they take.
const RUNNING_TURNS_PAUSE: Duration = Duration::from_secs(5);

/// When to try again while an address has too much open.
const FULL_PAUSE: Duration = Duration::from_secs(5);
/// Addresses by which the process is watched.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

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

/// A rate of each address, and of each IPv6 site with more room.
struct PerAddress {
    rate: Rate,
    clients: Limiter<ClientIp>,
    sites: Limiter<Site>,
}

impl PerAddress {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            clients: Limiter::new(rate.period),
            sites: Limiter::new(rate.period),
        }
    }

    fn take(&self, client: ClientIp) -> Result<(), Duration> {
        self.clients.take(client, self.rate)?;
        let Some(site) = client.site() else {
            return Ok(());
        };
        let count = self.rate.count.saturating_mul(SITE_FACTOR);
        self.sites.take(site, Rate { count, ..self.rate })
    }
}

/// By whom running turns are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Person(Arc<str>),
    Address(ClientIp),
    Server,
}

/// How many turns run now, by holder. A holder without one has no entry, so there are never more
/// entries than connections.
#[derive(Debug, Clone, Default)]
struct RunningTurns(Arc<Mutex<HashMap<Holder, usize>>>);

impl RunningTurns {
    /// Counts one more for each holder, unless one of them has as many as it may; then nothing is
    /// counted, and that one is the answer. 0 is no limit.
    fn begin(&self, holders: Vec<(Holder, usize)>) -> Result<RunningTurn, Holder> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = holders.iter().find(|(holder, most)| {
            *most > 0 && running.get(holder).is_some_and(|count| count >= most)
        });
        if let Some((holder, _)) = full {
            return Err(holder.clone());
        }
        let holders: Vec<Holder> = holders.into_iter().map(|(holder, _)| holder).collect();
        for holder in &holders {
            *running.entry(holder.clone()).or_default() += 1;
        }
        Ok(RunningTurn {
            holders,
            all: self.clone(),
        })
    }

    fn end(&self, holders: &[Holder]) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in holders {
            if let Some(count) = running.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    running.remove(holder);
                }
            }
        }
    }
}

/// A turn that runs; it counts until this is dropped, so the answer's body holds it.
#[derive(Debug)]
pub(crate) struct RunningTurn {
    holders: Vec<Holder>,
    all: RunningTurns,
}

impl Drop for RunningTurn {
    fn drop(&mut self) {
        self.all.end(&self.holders);
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
    /// Turns from one address that run at once; 0 switches the limit off.
    pub turns_at_once_per_ip: usize,
    /// Turns of everybody that run at once; 0 switches the limit off.
    pub turns_at_once_in_all: usize,
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
            // An office behind one address; a small machine's worth of streams.
            turns_at_once_per_ip: 256,
            turns_at_once_in_all: 4_000,
        }
    }
}

/// All limits of one server.
pub struct Limits {
    rates: Rates,
    requests: PerAddress,
    preflights: PerAddress,
    secrets: Limiter<Arc<str>>,
    turns: Limiter<Arc<str>>,
    running_turns: RunningTurns,
    visitors: Limiter<(String, ClientIp)>,
    token_visitors: Limiter<String>,
    visitor_messages: Limiter<Arc<str>>,
    address_messages: Limiter<(String, ClientIp)>,
    token_messages: Limiter<String>,
    session_requests: Limiter<String>,
    pub(crate) refused_origins: RefusedOrigins,
}

impl Limits {
    /// Empty buckets for the configured rates.
    pub fn new(rates: Rates) -> Self {
        let hour = Duration::from_hours(1);
        Self {
            requests: PerAddress::new(rates.requests_per_ip),
            preflights: PerAddress::new(rates.requests_per_ip),
            secrets: Limiter::new(rates.secrets_per_user.period),
            turns: Limiter::new(rates.turns_per_user.period),
            running_turns: RunningTurns::default(),
            visitors: Limiter::new(hour),
            token_visitors: Limiter::new(hour),
            visitor_messages: Limiter::new(hour),
            address_messages: Limiter::new(hour * 24),
            token_messages: Limiter::new(hour * 24),
            session_requests: Limiter::new(Duration::from_mins(1)),
            refused_origins: RefusedOrigins::default(),
            rates,
        }
    }

    /// Counts a request of an address. Probes are not counted and always let through: whoever watches
    /// the server comes from an address like any other.
    pub(crate) fn request<B>(
        &self,
        client: ClientIp,
        request: &http::Request<B>,
    ) -> Result<(), ApiError> {
        if PROBES.contains(&request.uri().path()) {
            return Ok(());
        }
        if request.extensions().get::<AddressIsFull>().is_some() {
            return Err(ApiError::too_many(Words::TooManyOpenRequests, FULL_PAUSE)
                .with_param("max_connections_per_ip"));
        }
        // Preflights have a bucket of their own, of the same size. A page sends at most one for a
        // request, so it is always the request that is refused, and its answer can be read.
        let limit = match *request.method() {
            Method::OPTIONS => &self.preflights,
            _ => &self.requests,
        };
        limit.take(client).map_err(|wait| {
            ApiError::too_many(Words::TooManyRequests, wait)
                .with_param("requests_per_ip_per_minute")
        })
    }

    /// Counts a client secret that a person gets.
    pub(crate) fn secret(&self, owner: &Arc<str>) -> Result<(), ApiError> {
        self.secrets
            .take(owner.clone(), self.rates.secrets_per_user)
            .map_err(|wait| {
                ApiError::too_many(Words::TooManySessions, wait)
                    .with_param("secrets_per_user_per_minute")
            })
    }

    /// Counts a turn of a person, which runs until the answer is dropped. What the person's terms
    /// leave open is as for everybody.
    pub(crate) fn turn(
        &self,
        owner: &Arc<str>,
        client: Option<ClientIp>,
        terms: &Terms,
    ) -> Result<RunningTurn, ApiError> {
        let most = terms.turns_at_once.unwrap_or(self.rates.turns_at_once);
        // A bucket keeps its size, so people whose terms change get another one.
        let (bucket, rate) = match terms.turns_per_minute {
            Some(count) => (format!("{owner}\n{count}").into(), Rate::per_minute(count)),
            None => (owner.clone(), self.rates.turns_per_user),
        };
        let per_ip = self.rates.turns_at_once_per_ip;
        let mut holders = vec![
            (Holder::Person(owner.clone()), most),
            (Holder::Server, self.rates.turns_at_once_in_all),
        ];
        holders.extend(client.map(|client| (Holder::Address(client), per_ip)));
        let running = self.running_turns.begin(holders).map_err(|full| {
            let (limit, message) = match full {
                Holder::Person(_) => ("turns_per_user_at_once", Words::TooManyAnswersForPerson),
                Holder::Address(_) => ("turns_per_ip_at_once", Words::TooManyAnswersForAddress),
                Holder::Server => ("turns_at_once", Words::TooManyAnswersInAll),
            };
            ApiError::too_many(message, RUNNING_TURNS_PAUSE).with_param(limit)
        })?;
        self.turns.take(bucket, rate).map_err(|wait| {
            ApiError::too_many(Words::TooManyMessages, wait).with_param("turns_per_user_per_minute")
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
                    Words::SessionMessagesPerMinute {
                        most: per_minute.get(),
                    },
                    wait,
                )
                .with_param("max_requests_per_1_minute")
            })
    }

    /// Counts a new visitor of a public token, first against their address's quota, then against the
    /// token's.
    pub(crate) fn visitor(
        &self,
        token_id: &str,
        client: ClientIp,
        quotas: &Quotas,
    ) -> Result<(), ApiError> {
        self.visitors
            .take(
                (token_id.to_owned(), client),
                Rate::per_hour(quotas.visitors_per_ip_per_hour),
            )
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyVisitorsOfAddress, wait)
                    .with_code("quota_exceeded")
                    .with_param("visitors_per_ip_per_hour")
            })?;
        self.token_visitors
            .take(
                token_id.to_owned(),
                Rate::per_hour(quotas.visitors_per_token_per_hour),
            )
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyVisitorsOfChat, wait)
                    .with_code("quota_exceeded")
                    .with_param("visitors_per_token_per_hour")
            })
    }

    /// Counts a message of a visitor: first against their own quota, then against their address's, then
    /// against the token's, so that whoever is refused takes nothing from those who share the next.
    pub(crate) fn visitor_message(
        &self,
        owner: &Arc<str>,
        client: Option<ClientIp>,
        token_id: &str,
        quotas: &Quotas,
    ) -> Result<(), ApiError> {
        self.visitor_messages
            .take(
                owner.clone(),
                Rate::per_hour(quotas.messages_per_visitor_per_hour),
            )
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyMessagesOfVisitor, wait)
                    .with_code("quota_exceeded")
                    .with_param("messages_per_visitor_per_hour")
            })?;
        if let Some(client) = client {
            self.address_messages
                .take(
                    (token_id.to_owned(), client),
                    Rate::per_day(quotas.messages_per_ip_per_day()),
                )
                .map_err(|wait| {
                    ApiError::too_many(Words::TooManyMessagesOfAddress, wait)
                        .with_code("quota_exceeded")
                        .with_param("messages_per_ip_per_day")
                })?;
        }
        self.token_messages
            .take(
                token_id.to_owned(),
                Rate::per_day(quotas.messages_per_token_per_day),
            )
            .map_err(|wait| {
                ApiError::too_many(Words::TooManyMessagesOfChat, wait)
                    .with_code("quota_exceeded")
                    .with_param("messages_per_token_per_day")
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
    fn r01_turns_at_once_are_counted_by_person_address_and_server_until_they_end() {
        let address = |text: &str| {
            let headers = http::HeaderMap::new();
            Holder::Address(ClientIp::find(text.parse().unwrap(), &headers, &[]))
        };
        let person = |name: &str| Holder::Person(name.into());
        // (what runs, its limit), then how many of them can run at once, and what stops the next.
        for (name, holders, expected, full) in [
            (
                "person",
                vec![(person("ada"), 2), (Holder::Server, 9)],
                2,
                person("ada"),
            ),
            (
                "address",
                vec![
                    (person("ada"), 0),
                    (address("2001:db8::1"), 3),
                    (Holder::Server, 9),
                ],
                3,
                address("2001:db8::ffff"),
            ),
            (
                "server",
                vec![(person("ada"), 9), (Holder::Server, 4)],
                4,
                Holder::Server,
            ),
        ] {
            let turns = RunningTurns::default();
            let mut running = Vec::new();
            let stopped = loop {
                match turns.begin(holders.clone()) {
                    Ok(turn) => running.push(turn),
                    Err(full) => break full,
                }
            };
            assert_eq!((running.len(), &stopped), (expected, &full), "{name}");
            // Nothing was counted for the one that was refused: each end makes room for one.
            running.pop();
            running.push(turns.begin(holders.clone()).unwrap());
            assert!(turns.begin(holders).is_err(), "{name}");
            let other = vec![(person("grace"), 1), (address("192.0.2.1"), 1)];
            assert!(turns.begin(other).is_ok(), "{name}: others are not touched");
            drop(running);
            assert!(turns.0.lock().unwrap().is_empty(), "{name}");
        }
        let free = RunningTurns::default();
        let many: Vec<_> = (0..1_000)
            .map(|_| free.begin(vec![(Holder::Server, 0)]))
            .collect();
        assert!(many.iter().all(Result::is_ok), "0 is no limit");
    }

    #[test]
    fn r01_an_ipv6_site_has_more_room_than_one_network_of_it_and_not_for_all_of_them() {
        let limit = PerAddress::new(Rate::per_hour(2));
        let client =
            |network: u32| ClientIp::of_peer(format!("2001:db8:1:{network}::1").parse().unwrap());
        let taken = |network| limit.take(client(network)).is_ok();
        assert!(taken(0) && taken(0) && !taken(0));
        let others = (1..100).filter(|network| taken(*network)).count();
        // The one that was refused never reached the site's bucket.
        assert_eq!(others, 2 * SITE_FACTOR as usize - 2);
        let elsewhere = ClientIp::of_peer("2001:db8:2::1".parse().unwrap());
        assert!(limit.take(elsewhere).is_ok());
        for number in 0..100_u8 {
            let address = ClientIp::of_peer([192, 0, 2, number].into());
            assert!(limit.take(address).is_ok(), "IPv4 has no sites");
        }
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
