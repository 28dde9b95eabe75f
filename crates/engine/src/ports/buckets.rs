//! Counting for all processes at once: how often something may be done, wherever it is asked for.

use std::{num::NonZeroU32, time::Duration};

use async_trait::async_trait;

/// How much a bucket holds, and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRate {
    /// How much may be taken at once.
    pub burst: NonZeroU32,
    /// After how long one more may be taken.
    pub refill: Duration,
}

/// Token buckets that all processes share. A bucket that nobody has taken from is full.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// Takes one from a bucket, or says how long to wait; `None` where nobody can tell at this moment, and nothing is
    /// counted.
    async fn take(&self, bucket: &str, rate: BucketRate) -> Option<Result<(), Duration>>;
}
