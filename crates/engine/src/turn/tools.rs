//! What a turn lets the model do with tools: how often, how many, and how much of their results it
//! keeps.

use std::{collections::VecDeque, fmt::Write as _};

use crate::{
    limits::TurnLimits,
    ports::{Moment, ToolCall},
};

/// The use of tools in one turn. Its bounds are those of [`TurnLimits`].
#[derive(Debug)]
pub(super) struct ToolUse {
    tool_rounds: u32,
    tool_calls: usize,
    /// Bytes that are left for calls and results.
    bytes_left: usize,
    rounds: u32,
    /// Whether the model was told about tools when it was asked last. If not, what it calls all the
    /// same is not acted on.
    is_offered: bool,
    /// Whether the model called a tool that was not acted on.
    has_refused: bool,
    /// Asked for and not yet run; in a round, the first one is running.
    calls: VecDeque<ToolCall>,
    /// When the one that runs began, and under which id it is kept.
    record: Option<Moment>,
}

/// A call that has run.
pub(super) struct Finished {
    pub(super) call: ToolCall,
    /// See [`ToolUse::start`].
    pub(super) record: Moment,
}

impl ToolUse {
    pub(super) fn new(limits: &TurnLimits) -> Self {
        Self {
            tool_rounds: limits.tool_rounds,
            tool_calls: limits.tool_calls,
            bytes_left: limits.tool_bytes,
            rounds: 0,
            is_offered: limits.tool_rounds > 0,
            has_refused: false,
            calls: VecDeque::new(),
            record: None,
        }
    }

    /// Whether the model is told about tools now.
    pub(super) fn is_offered(&self) -> bool {
        self.is_offered
    }

    /// Takes a call that the model asks for, if it may have one more.
    pub(super) fn want(&mut self, call: ToolCall) {
        let bytes = call.name.len() + call.arguments.len();
        match self.bytes_left.checked_sub(bytes) {
            Some(left) if self.is_offered && self.calls.len() < self.tool_calls => {
                self.bytes_left = left;
                self.calls.push_back(call);
            }
            _ => self.has_refused = true,
        }
    }

    /// The call that is to run now.
    pub(super) fn current(&self) -> Option<&ToolCall> {
        self.calls.front()
    }

    /// The call that is to run now, and the moment under which it is kept: before it runs, and with its result.
    pub(super) fn start(&mut self, moment: &dyn Fn() -> Moment) -> Option<(ToolCall, Moment)> {
        let call = self.calls.front()?.clone();
        let record = moment();
        self.record = Some(record);
        Some((call, record))
    }

    /// Gives up what was asked for.
    pub(super) fn drop_calls(&mut self) {
        self.calls.clear();
    }

    /// Whether something was asked for in vain since the last round.
    pub(super) fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// Begins to run what was asked for.
    pub(super) fn begin_round(&mut self) {
        self.rounds += 1;
        // Some calls may have been left out; the model goes on with the others.
        self.has_refused = false;
    }

    /// Ends a round: the model is asked again, without tools when it has used up its rounds or the
    /// room for their results, so that it has to answer with what it has.
    pub(super) fn end_round(&mut self) {
        self.is_offered = self.rounds < self.tool_rounds && self.bytes_left > 0;
    }

    /// Ends the call that runs. Its result is cut to what there is room for, and says so.
    pub(super) fn finish(&mut self, output: &mut String) -> Option<Finished> {
        let record = self.record.take()?;
        let call = self.calls.pop_front()?;
        let end = output.floor_char_boundary(self.bytes_left);
        let over = output.len() - end;
        if over == 0 {
            self.bytes_left -= end;
            return Some(Finished { call, record });
        }
        self.bytes_left = 0;
        output.truncate(end);
        // Writing to a string cannot fail.
        let _ = write!(
            output,
            "\n[cut off here: {over} more bytes; there is no room for further results in this answer]"
        );
        Some(Finished { call, record })
    }
}
