//! One clock for every process of a run.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds of the machine's monotonic clock.
///
/// `std::time::Instant` reads the same clock but hides its value, and a send time has to travel from the
/// upstream to the load client inside a token.
pub fn now_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds * 1_000_000 + nanos / 1_000
}
