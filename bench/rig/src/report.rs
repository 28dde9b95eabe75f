//! What the load client counts, as the driver reads it.

use std::collections::BTreeMap;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Value, json};

/// A distribution of microseconds, from 1 µs to two minutes, to three digits.
pub struct Micros(Histogram<u64>);

impl Micros {
    /// An empty distribution.
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 120_000_000, 3)?))
    }

    /// Adds one value; longer than two minutes counts as two minutes.
    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    /// Count, quantiles and maximum in µs; `null` when nothing was recorded.
    pub fn summary(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        json!({
            "count": self.0.len(),
            "p50": self.0.value_at_quantile(0.50),
            "p90": self.0.value_at_quantile(0.90),
            "p99": self.0.value_at_quantile(0.99),
            "max": self.0.max(),
        })
    }
}

/// Requests that failed, by reason.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct Failures(BTreeMap<String, u64>);

impl Failures {
    /// Counts one failure.
    pub fn add(&mut self, error: &anyhow::Error) {
        *self.0.entry(format!("{error:#}")).or_default() += 1;
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }
}
