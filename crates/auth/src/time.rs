//! Time as an argument: wall-clock seconds for claims and expiries, and a monotonic instant for
//! cache ages.
//!
//! Nothing in this crate reads a clock.
//! The two clocks travel together in [`Now`] because they answer different questions:
//! whether a token has expired is a matter of the calendar, whether a cached key set is old is a
//! matter of elapsed time, and a wall clock that is set back must not make old keys young again.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z, as in the `NumericDate` of RFC 7519 §2.
///
/// Arithmetic saturates, so no input can make it wrap around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(i64);

impl UnixTime {
    /// A time from whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This time and a duration later, whole seconds only.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_seconds(duration)))
    }

    /// This time and a duration earlier, whole seconds only.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_seconds(duration)))
    }

    /// How long it is from `earlier` until this time; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let seconds = self.0.saturating_sub(earlier.0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The calendar, for `exp`, `nbf`, `iat` and every stored expiry.
    pub wall: UnixTime,
    /// The stopwatch, for ages of caches and budgets.
    pub monotonic: Instant,
}

impl Now {
    /// Both clocks, read by the caller at the same moment.
    pub const fn new(wall: UnixTime, monotonic: Instant) -> Self {
        Self { wall, monotonic }
    }

    /// Both clocks moved forward by the same amount.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self {
            wall: self.wall.plus(duration),
            monotonic: self.monotonic + duration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j06_arithmetic_saturates_instead_of_wrapping() {
        let start = UnixTime::from_seconds(5);
        assert_eq!(start.minus(Duration::from_secs(30)).seconds(), -25);
        assert_eq!(start.plus(Duration::MAX).seconds(), i64::MAX);
        assert_eq!(
            UnixTime::from_seconds(i64::MIN)
                .minus(Duration::MAX)
                .seconds(),
            i64::MIN
        );
        assert_eq!(start.since(UnixTime::from_seconds(9)), Duration::ZERO);
        assert_eq!(
            start.since(UnixTime::from_seconds(2)),
            Duration::from_secs(3)
        );
    }
}
