//! What a turn lets the model do with tools: how often, how many, and how much of their results it
//! keeps.

use std::fmt::Write as _;

use crate::{
    limits::TurnLimits,
    ports::{ModelInput, Moment, ToolCall},
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
    /// Asked for and not yet begun.
    calls: Vec<ToolCall>,
    /// The calls of this round, in the model's order.
    round: Vec<Running>,
}

/// A call that has begun.
#[derive(Debug)]
struct Running {
    call: ToolCall,
    /// When it began, and under which id it is kept.
    record: Moment,
    /// What came of it, once it has run.
    output: Option<String>,
}

/// A call that begins, or has run.
pub(super) struct Kept {
    pub(super) call: ToolCall,
    /// Under which it is kept: before it runs, and with its result.
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
            calls: Vec::new(),
            round: Vec::new(),
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
                self.calls.push(call);
            }
            _ => self.has_refused = true,
        }
    }

    /// Whether something was asked for that may run.
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Gives up what was asked for.
    pub(super) fn drop_calls(&mut self) {
        self.calls.clear();
    }

    /// Whether something was asked for in vain since the last round.
    pub(super) fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// Begins to run what was asked for, all of it at once.
    pub(super) fn begin_round(&mut self, moment: &dyn Fn() -> Moment) -> Vec<Kept> {
        self.rounds += 1;
        // Some calls may have been left out; the model goes on with the others.
        self.has_refused = false;
        let calls = std::mem::take(&mut self.calls);
        self.round = calls
            .into_iter()
            .map(|call| Running {
                call,
                record: moment(),
                output: None,
            })
            .collect();
        let begun = self.round.iter().map(|running| Kept {
            call: running.call.clone(),
            record: running.record,
        });
        begun.collect()
    }

    /// Ends the call at this place of the round; nothing, where none runs there any more. Its result is cut to what
    /// there is room for, and says so.
    pub(super) fn finish(&mut self, place: usize, mut output: String) -> Option<(Kept, &str)> {
        let running = self.round.get_mut(place)?;
        if running.output.is_some() {
            return None;
        }
        let end = output.floor_char_boundary(self.bytes_left);
        let over = output.len() - end;
        if over == 0 {
            self.bytes_left -= end;
        } else {
            self.bytes_left = 0;
            output.truncate(end);
            // Writing to a string cannot fail.
            let _ = write!(
                output,
                "\n[cut off here: {over} more bytes; there is no room for further results in this answer]"
            );
        }
        let kept = Kept {
            call: running.call.clone(),
            record: running.record,
        };
        Some((kept, running.output.insert(output)))
    }

    /// Whether a call of the round has no result yet.
    pub(super) fn is_running(&self) -> bool {
        self.round.iter().any(|running| running.output.is_none())
    }

    /// Ends a round: the model is asked again, without tools when it has used up its rounds or the
    /// room for their results, so that it has to answer with what it has. What it is told are its calls, and
    /// then their results: providers want those of one answer together.
    pub(super) fn end_round(&mut self) -> Vec<ModelInput> {
        self.is_offered = self.rounds < self.tool_rounds && self.bytes_left > 0;
        let round = std::mem::take(&mut self.round);
        let calls = round
            .iter()
            .map(|running| ModelInput::ToolCall(running.call.clone()));
        let mut told: Vec<ModelInput> = calls.collect();
        told.extend(round.into_iter().map(|running| ModelInput::ToolOutput {
            call_id: running.call.call_id,
            output: running.output.unwrap_or_default(),
        }));
        told
    }
}
