//! How much one turn may take, and how much less some callers get.

use std::{num::NonZeroU32, time::Duration};

use protocol::Request;

use crate::tokens;

/// The bounds of a turn. Whatever a model or a tool does, a turn stays within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    /// How many of the thread's earlier items the model is told, newest first.
    pub history_items: u32,
    /// How many tokens those earlier items may take, files included. Estimated: a
    /// token for every four bytes of text (`tokens.rs` says the rest).
    pub history_tokens: u32,
    /// How often the model may ask for tools. Once it has, it is asked a last time, without tools.
    pub tool_rounds: u32,
    /// How many tools it may ask for in one round.
    pub tool_calls: usize,
    /// How much all calls of a turn and their results may take, in bytes of UTF-8.
    pub tool_bytes: usize,
    /// How many tokens the model may write each time it is asked; `None` leaves it to the provider.
    pub max_output_tokens: Option<NonZeroU32>,
    /// How long an answer may get, in bytes of UTF-8.
    pub answer_bytes: usize,
    /// How long a whole turn may take.
    pub duration: Duration,
    /// How long a title may take once the answer stands.
    pub title_duration: Duration,
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self {
            history_items: 200,
            history_tokens: 32_000,
            tool_rounds: 10,
            tool_calls: 16,
            tool_bytes: 1 << 20,
            max_output_tokens: None,
            answer_bytes: 1 << 20,
            duration: Duration::from_mins(10),
            title_duration: Duration::from_secs(5),
        }
    }
}

/// What a caller gets less of than the workflow allows; nothing less by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallerLimits {
    /// The most that one request may [say](protocol::Request::said_bytes). What a tool of the page answers may take as
    /// much as the history.
    pub message_bytes: Option<usize>,
    /// See [`TurnLimits::history_tokens`].
    pub history_tokens: Option<u32>,
    /// See [`TurnLimits::max_output_tokens`].
    pub max_output_tokens: Option<NonZeroU32>,
}

impl CallerLimits {
    /// The most bytes that this request may say.
    pub(crate) fn said_bytes(&self, request: &Request) -> Option<usize> {
        let Request::ThreadsAddClientToolOutput(_) = request else {
            return self.message_bytes;
        };
        let tokens = u64::from(self.history_tokens?);
        usize::try_from(tokens * tokens::BYTES_PER_TOKEN).ok()
    }
}

impl TurnLimits {
    /// The limits that hold for this caller: the smaller ones of both.
    pub(crate) fn for_caller(mut self, caller: &CallerLimits) -> Self {
        if let Some(tokens) = caller.history_tokens {
            self.history_tokens = self.history_tokens.min(tokens);
        }
        if let Some(tokens) = caller.max_output_tokens {
            let most = self.max_output_tokens.map_or(tokens, |own| own.min(tokens));
            self.max_output_tokens = Some(most);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_can_only_get_less() {
        let workflow = TurnLimits {
            history_tokens: 100,
            max_output_tokens: NonZeroU32::new(100),
            ..TurnLimits::default()
        };
        for (caller, expected) in [(None, 100), (Some(50), 50), (Some(200), 100)] {
            let limits = workflow.for_caller(&CallerLimits {
                message_bytes: None,
                history_tokens: caller,
                max_output_tokens: caller.and_then(NonZeroU32::new),
            });
            assert_eq!(limits.history_tokens, expected);
            assert_eq!(limits.max_output_tokens, NonZeroU32::new(expected));
        }
        let unlimited = TurnLimits::default().for_caller(&CallerLimits {
            max_output_tokens: NonZeroU32::new(50),
            ..CallerLimits::default()
        });
        assert_eq!(unlimited.max_output_tokens, NonZeroU32::new(50));
    }
}
