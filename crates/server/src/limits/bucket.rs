//! Token buckets (GCRA, by `governor`): those of one process, and those that nodes share.

use std::{hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

use engine::ports::{BucketRate, Buckets};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::{InMemoryState, NotKeyed},
};
use moka::sync::Cache;

use crate::client_ip::{ClientIp, SITE_FACTOR, Site};

/// How many keys one limit remembers at most.
const MAX_KEYS: u64 = 100_000;

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
pub(super) struct Limiter<K> {
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
pub(super) struct PerAddress {
    rate: Rate,
    clients: Limiter<ClientIp>,
    sites: Limiter<Site>,
}

impl PerAddress {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            clients: Limiter::new(rate.period),
            sites: Limiter::new(rate.period),
        }
    }

    pub(super) fn take(&self, client: ClientIp) -> Result<(), Duration> {
        self.clients.take(client, self.rate)?;
        let Some(site) = client.site() else {
            return Ok(());
        };
        let count = self.rate.count.saturating_mul(SITE_FACTOR);
        self.sites.take(site, Rate { count, ..self.rate })
    }
}

/// What is counted by all nodes where they can, and by each for itself where not.
pub(super) struct Shared {
    /// Tells its buckets from others.
    name: &'static str,
    here: Limiter<Arc<str>>,
}

impl Shared {
    /// `period` is the longest that any rate of this limiter has.
    pub(super) fn new(name: &'static str, period: Duration) -> Self {
        let here = Limiter::new(period);
        Self { name, here }
    }

    /// Takes one from the key's bucket, here and then at all nodes, or tells how long to wait.
    pub(super) async fn take(
        &self,
        everywhere: Option<&dyn Buckets>,
        key: Arc<str>,
        rate: Rate,
    ) -> Result<(), Duration> {
        // Whoever is over the limit here is over it everywhere: a flood goes no further.
        self.here.take(Arc::clone(&key), rate)?;
        let (Some(buckets), Some(burst)) = (everywhere, NonZeroU32::new(rate.count)) else {
            return Ok(());
        };
        let refill = rate.period / rate.count;
        let bucket = format!("{}\n{key}", self.name);
        let taken = buckets.take(&bucket, BucketRate { burst, refill }).await;
        taken.unwrap_or(Ok(()))
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
