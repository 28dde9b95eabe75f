//! Where a reader stands in a run: the `id` of a server-sent event, and what `Last-Event-ID` and `after` name.
//!
//! Positions count what happened. An event takes one; a text delta takes as many as its text has bytes of UTF-8. So text
//! that was sent in many pieces can be sent again in one, or from the middle, and nobody reads a letter twice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::event::{Event, ItemUpdate};
use crate::id::RunId;

/// A place in a run: everything up to it has been read. Written `run_…:17`.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub struct Cursor {
    pub run: RunId,
    pub position: Position,
}

/// How much of a run has happened; 0 is its beginning.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

/// A string that is no place in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the `id` of an event, such as run_0123456789abcdef:17")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.run, self.position.0)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (run, position) = text.rsplit_once(':').ok_or(InvalidCursor)?;
        // `parse` alone would take a sign.
        if !position.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidCursor);
        }
        Ok(Self {
            run: run.parse().map_err(|_| InvalidCursor)?,
            position: Position(position.parse().map_err(|_| InvalidCursor)?),
        })
    }
}

impl Event {
    /// How many positions it takes.
    pub const fn span(&self) -> u64 {
        match self {
            Self::ItemUpdated {
                update: ItemUpdate::TextDelta { delta, .. },
                ..
            } => delta.len() as u64,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = Cursor {
            run: RunId::mint(7),
            position: Position(18),
        };
        let text = cursor.to_string();
        assert_eq!(text, "run_00000000000000000000000000000007:18");
        assert_eq!(text.parse(), Ok(cursor));
        for wrong in [
            "", ":", "run_1", "run_1:", "run_1:x", "run_1:+1", "run_1:-1", "a b:1", ":1",
        ] {
            assert_eq!(wrong.parse::<Cursor>(), Err(InvalidCursor), "{wrong}");
        }
        let too_far = format!("run_1:{}0", u64::MAX);
        assert_eq!(too_far.parse::<Cursor>(), Err(InvalidCursor));
    }
}
