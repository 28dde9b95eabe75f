//! Points in time as ChatKit writes them.

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use jiff::tz::Offset;
use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

/// A point in time, in microseconds.
///
/// Written as RFC 3339 in UTC with an explicit `Z` (`2026-01-23T16:15:25.515839Z`).
/// Read with any offset, or with none: the official SDK writes naive local times, which we take as UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

/// A string that is not a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a date and time such as 2026-01-23T16:15:25.515839Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The moment itself, for arithmetic.
    pub const fn as_jiff(self) -> jiff::Timestamp {
        self.0
    }

    /// Microseconds since 1970, for storage.
    pub fn as_microsecond(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Reads back what [`as_microsecond`](Self::as_microsecond) wrote.
    pub fn from_microsecond(microseconds: i64) -> Result<Self, InvalidTimestamp> {
        jiff::Timestamp::from_microsecond(microseconds)
            .map(Self)
            .map_err(|_out_of_range| InvalidTimestamp)
    }
}

impl From<jiff::Timestamp> for Timestamp {
    /// Cuts off below microseconds, so that what is written is what is read back.
    fn from(moment: jiff::Timestamp) -> Self {
        let cut = jiff::Timestamp::from_microsecond(moment.as_microsecond());
        Self(cut.unwrap_or(moment))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let moment = match text.parse::<jiff::Timestamp>() {
            Ok(zoned) => zoned,
            Err(_no_offset) => text
                .parse::<civil::DateTime>()
                .and_then(|naive| Offset::UTC.to_timestamp(naive))
                .map_err(|_neither| InvalidTimestamp)?,
        };
        Ok(moment.into())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.6}", self.0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a date and time (a string)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        text.parse::<Timestamp>().expect("a time").to_string()
    }

    #[test]
    fn always_written_in_utc_with_microseconds() {
        assert_eq!(
            read("2026-01-23T16:15:25.515839Z"),
            "2026-01-23T16:15:25.515839Z"
        );
        assert_eq!(read("2026-01-23T16:15:25Z"), "2026-01-23T16:15:25.000000Z");
        assert_eq!(
            read("2026-01-23T18:15:25.5+02:00"),
            "2026-01-23T16:15:25.500000Z"
        );
        assert_eq!(
            read("2026-01-23T16:15:25.515839999Z"),
            "2026-01-23T16:15:25.515839Z"
        );
    }

    #[test]
    fn naive_times_are_utc() {
        assert_eq!(
            read("2026-01-23T16:15:25.515839"),
            "2026-01-23T16:15:25.515839Z"
        );
        assert_eq!(read("2026-01-23T16:15:25"), "2026-01-23T16:15:25.000000Z");
    }

    #[test]
    fn storage_form_keeps_every_digit() {
        let time: Timestamp = "2026-01-23T16:15:25.515839Z".parse().expect("a time");
        assert_eq!(Timestamp::from_microsecond(time.as_microsecond()), Ok(time));
        assert_eq!(Timestamp::from_microsecond(i64::MAX), Err(InvalidTimestamp));
    }

    #[test]
    fn other_strings_are_refused() {
        for text in ["", "now", "2026-13-01T00:00:00Z", "1760045715"] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text:?}");
        }
    }
}
