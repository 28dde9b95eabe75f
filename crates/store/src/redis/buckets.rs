//! What nodes count together, in Redis: a number for each bucket, which is gone when the bucket is full again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use engine::ports::{BucketRate, Buckets};
use redis::Cmd;

use super::Channels;
use crate::error::Error;

/// GCRA: all that is kept of a bucket is when it will be full, in microseconds of Redis's own clock. Answers how long to
/// wait, in microseconds.
const TAKE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + ARGV[1]
local wait = full - now - ARGV[1] * ARGV[2]
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0";

#[async_trait]
impl Buckets for Channels {
    async fn take(&self, bucket: &str, rate: BucketRate) -> Option<Result<(), Duration>> {
        let wait = match self.take_there(bucket, rate).await {
            Ok(wait) => wait?,
            Err(error) => {
                if self.is_counting.swap(false, Ordering::Relaxed) {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(
                        error,
                        "Redis does not count what people spend; each node counts for itself meanwhile"
                    );
                }
                return None;
            }
        };
        if !self.is_counting.swap(true, Ordering::Relaxed) {
            tracing::info!("Redis counts again");
        }
        Some(if wait.is_zero() { Ok(()) } else { Err(wait) })
    }
}

impl Channels {
    async fn take_there(&self, bucket: &str, rate: BucketRate) -> Result<Option<Duration>, Error> {
        let namespace = self.database.namespace().await?;
        let command = take(&format!("{namespace}:limit:{}", hidden(bucket)), rate);
        let wait: Option<u64> = self.ask(&command).await?;
        Ok(wait.map(Duration::from_micros))
    }
}

/// What takes one from the bucket of this key.
pub(super) fn take(key: &str, rate: BucketRate) -> Cmd {
    let refill = u64::try_from(rate.refill.as_micros()).unwrap_or(u64::MAX);
    let mut command = redis::cmd("EVAL");
    command
        .arg(TAKE)
        .arg(1)
        .arg(key)
        .arg(refill.max(1))
        .arg(rate.burst.get());
    command
}

/// A bucket's name tells who talks here and from where: Redis need not know.
fn hidden(bucket: &str) -> String {
    let hash = digest::digest(&digest::SHA256, bucket.as_bytes());
    let half = hash.as_ref().get(..16).unwrap_or_default();
    BASE64URL_NOPAD.encode(half)
}
