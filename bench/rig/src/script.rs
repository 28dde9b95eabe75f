//! What the fake upstream plays, as told by the model's name.

use std::time::Duration;

/// `fake-<tokens>-<delay_us>[-<stall_after>]`, for example `fake-200-20000` or `fake-3-0-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// How many tokens the answer has.
    pub tokens: u32,
    /// The pause before each token.
    pub delay: Duration,
    /// After this many tokens the answer stays open and says nothing more.
    pub stall_after: Option<u32>,
}

/// The most tokens one answer may have: a position has five digits.
const MAX_TOKENS: u32 = 99_999;

impl Script {
    /// Reads a model's name; a prefix up to the last `/` is not looked at.
    pub fn parse(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next()?;
        let mut parts = name.strip_prefix("fake-")?.split('-');
        let tokens = parts.next()?.parse().ok().filter(|n| *n <= MAX_TOKENS)?;
        let delay = Duration::from_micros(parts.next()?.parse().ok()?);
        let stall_after = match parts.next() {
            Some(stall) => Some(stall.parse().ok()?),
            None => None,
        };
        parts.next().is_none().then_some(Self {
            tokens,
            delay,
            stall_after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        assert_eq!(
            Script::parse("openai/fake-200-20000"),
            Some(Script {
                tokens: 200,
                delay: Duration::from_millis(20),
                stall_after: None
            })
        );
        assert_eq!(
            Script::parse("fake-3-0-1").and_then(|script| script.stall_after),
            Some(1)
        );
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "gpt-4",
            "fake",
            "fake-1",
            "fake-x-1",
            "fake-100000-0",
            "fake-1-0-1-1",
        ] {
            assert_eq!(Script::parse(name), None, "{name}");
        }
    }
}
