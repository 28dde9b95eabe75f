//! What a turn lets the model do with tools: how often, how many, and how much of their results it
//! keeps.

use std::fmt::Write as _;

use protocol::ThreadItem;

use crate::{
    history,
    limits::TurnLimits,
    ports::{ModelInput, Moment, Thought, ToolCall, ToolFile},
    transcript::Transcript,
};

/// How many bytes of what the model thought are given back in one turn; what comes after them is not.
const MAX_THOUGHT_BYTES: usize = 1 << 20;
/// How many bytes of files, images for example, the model is shown of the results of one turn.
const MAX_FILE_BYTES: usize = 16 << 20;

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
    /// What the model thought in this answer.
    thoughts: Vec<PlacedThought>,
    /// Bytes that are left for thoughts.
    thought_bytes_left: usize,
    /// Bytes that are left for files of results.
    file_bytes_left: usize,
    /// What the model said before the calls of this round.
    said: Option<String>,
    /// The calls of this round, in the model's order.
    round: Vec<Running>,
}

/// A thought, and where in the answer it came.
#[derive(Debug)]
struct PlacedThought {
    thought: Thought,
    is_after_text: bool,
    calls_before: usize,
}

/// A call that has begun.
#[derive(Debug)]
struct Running {
    call: ToolCall,
    /// When it began, and under which id it is kept.
    record: Moment,
    /// What came of it, once it has run.
    output: Option<String>,
    /// The files of it.
    files: Vec<ToolFile>,
}

/// A call that begins, or has run.
pub(super) struct Kept {
    pub(super) call: ToolCall,
    /// Under which it is kept: before it runs, and with its result.
    pub(super) record: Moment,
    /// The record of the first call of its answer, where that called several tools.
    pub(super) round: Option<u128>,
}

impl Kept {
    /// The call as it is kept in the thread, with what came of it.
    pub(super) fn item(&self, transcript: &Transcript, output: &str, is_error: bool) -> ThreadItem {
        let thread = &transcript.thread().id;
        history::tool_record(
            thread,
            self.record,
            self.round,
            &self.call,
            output,
            is_error,
        )
    }
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
            thoughts: Vec::new(),
            thought_bytes_left: MAX_THOUGHT_BYTES,
            file_bytes_left: MAX_FILE_BYTES,
            said: None,
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

    /// Remembers a thought for as long as the turn goes on.
    pub(super) fn think(&mut self, thought: Thought, is_after_text: bool) {
        if let Some(left) = self.thought_bytes_left.checked_sub(thought.0.len()) {
            self.thought_bytes_left = left;
            self.thoughts.push(PlacedThought {
                thought,
                is_after_text,
                calls_before: self.calls.len(),
            });
        }
    }

    /// Whether something was asked for that may run.
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Forgets what came of an answer that is asked for once more.
    pub(super) fn forget(&mut self) {
        self.thoughts.clear();
        self.has_refused = false;
    }

    /// Gives up what was asked for.
    pub(super) fn drop_calls(&mut self) {
        self.calls.clear();
    }

    /// Whether something was asked for in vain since the last round.
    pub(super) fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// Begins to run what was asked for, all of it at once; `said` is what the model said besides.
    pub(super) fn begin_round(
        &mut self,
        said: Option<&str>,
        moment: &dyn Fn() -> Moment,
    ) -> Vec<Kept> {
        self.rounds += 1;
        self.said = said.map(str::to_owned);
        // Some calls may have been left out; the model goes on with the others.
        self.has_refused = false;
        let calls = std::mem::take(&mut self.calls);
        self.round = calls
            .into_iter()
            .map(|call| Running {
                call,
                record: moment(),
                output: None,
                files: Vec::new(),
            })
            .collect();
        let round = self.round_id();
        let begun = self.round.iter().map(|running| Kept {
            call: running.call.clone(),
            record: running.record,
            round,
        });
        begun.collect()
    }

    /// Ends the call at this place of the round; nothing, where none runs there any more. Its result is cut to what
    /// there is room for, and says so. Its files are the model's for this turn and not kept with the call.
    pub(super) fn finish(
        &mut self,
        place: usize,
        mut output: String,
        mut files: Vec<ToolFile>,
    ) -> Option<(Kept, &str)> {
        let round = self.round_id();
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
        let wanted = files.len();
        files.retain(|file| {
            let left = self.file_bytes_left.checked_sub(file.len());
            self.file_bytes_left = left.unwrap_or(self.file_bytes_left);
            left.is_some()
        });
        if files.len() < wanted {
            output.push_str("\n[there is no room to show you all files of this result]");
        }
        running.files = files;
        let kept = Kept {
            call: running.call.clone(),
            record: running.record,
            round,
        };
        Some((kept, running.output.insert(output)))
    }

    /// What the records of this round share.
    fn round_id(&self) -> Option<u128> {
        match &*self.round {
            [first, _, ..] => Some(first.record.id),
            _ => None,
        }
    }

    /// Whether a call of the round has no result yet.
    pub(super) fn is_running(&self) -> bool {
        self.round.iter().any(|running| running.output.is_none())
    }

    /// Ends a round: the model is asked again, without tools when it has used up its rounds or the
    /// room for their results, so that it has to answer with what it has. What it is told is its answer as it came, and
    /// then the results: providers want the calls of one answer together.
    pub(super) fn end_round(&mut self) -> Vec<ModelInput> {
        self.is_offered = self.rounds < self.tool_rounds && self.bytes_left > 0;
        let round = std::mem::take(&mut self.round);
        // A thought that leads to no call is refused by providers, and of no more use.
        let calls = round.len();
        let mut thoughts = std::mem::take(&mut self.thoughts)
            .into_iter()
            .filter(|thought| thought.calls_before < calls)
            .peekable();
        let mut told = Vec::new();
        let first = |placed: &PlacedThought| !placed.is_after_text && placed.calls_before == 0;
        while let Some(placed) = thoughts.next_if(first) {
            told.push(ModelInput::Thought(placed.thought));
        }
        told.extend(self.said.take().map(ModelInput::Assistant));
        let mut outputs = Vec::with_capacity(round.len());
        for (place, running) in round.into_iter().enumerate() {
            while let Some(placed) = thoughts.next_if(|placed| placed.calls_before <= place) {
                told.push(ModelInput::Thought(placed.thought));
            }
            outputs.push(ModelInput::ToolOutput {
                call_id: running.call.call_id.clone(),
                output: running.output.unwrap_or_default(),
                files: running.files,
            });
            told.push(ModelInput::ToolCall(running.call));
        }
        told.extend(outputs);
        told
    }
}
