//! The real clock and the real chance.

use auth::{
    UnixTime,
    ports::{Random, SystemRandom},
};
use engine::ports::{Clock, Ids};
use protocol::Timestamp;

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everything else takes as an argument"
        )]
        let now = jiff::Timestamp::now();
        now.into()
    }
}

/// Now, in seconds, for commands.
pub(crate) fn now() -> UnixTime {
    UnixTime::from_seconds(SystemClock.now().as_jiff().as_second())
}

/// UUIDs of version 7: they begin with the time, and are never the same twice.
pub(crate) struct SystemIds;

impl Ids for SystemIds {
    fn next(&self) -> u128 {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the source that everything else takes as an argument"
        )]
        let id = uuid::Uuid::now_v7();
        id.as_u128()
    }
}

/// 32 random bytes.
pub(crate) fn new_seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRandom.fill(&mut seed)?;
    Ok(seed)
}
