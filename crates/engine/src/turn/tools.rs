//! What a turn lets the model do with tools: how often, how many, and how much of their results it
//! keeps.

use std::fmt::Write as _;

use protocol::{ItemId, JsonObject, ThreadItem, Timestamp};

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
/// What the model is told of a call that the page would have to run beside another one.
const ONE_FOR_THE_PAGE: &str =
    "Not run: the page runs one tool at a time. Call it again, if it is still needed.";

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
    /// Whether the calls of this round stand in what the model was told already, with no result.
    is_resumed: bool,
    /// The call of this round that the page runs.
    for_page: Option<(ToolCall, JsonObject)>,
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
    record: ItemId,
    at: Timestamp,
    /// What came of it, once it has run.
    outcome: Option<Outcome>,
    /// The files of it.
    files: Vec<ToolFile>,
}

/// A call as the thread keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) call: ToolCall,
    /// The item that it is kept in: before it runs, and with its result.
    pub(crate) record: ItemId,
    pub(crate) at: Timestamp,
    /// The record of the first call of its answer, where that called several tools.
    pub(crate) round: Option<ItemId>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the model is told.
    pub(crate) output: String,
    pub(crate) is_error: bool,
    /// The item that asks the person whether it may run, as long as they have not answered.
    pub(crate) awaits: Option<ItemId>,
}

impl Outcome {
    /// Nobody knows yet.
    pub(crate) fn unknown() -> Self {
        Self {
            output: history::UNKNOWN_RESULT.to_owned(),
            is_error: true,
            awaits: None,
        }
    }
}

impl Kept {
    /// The call as it is kept in the thread, with what came of it.
    pub(super) fn item(&self, transcript: &Transcript, outcome: &Outcome) -> ThreadItem {
        history::tool_record(&transcript.thread().id, self, outcome)
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
            is_resumed: false,
            for_page: None,
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
        let calls = std::mem::take(&mut self.calls).into_iter();
        self.round = calls
            .map(|call| {
                let Moment { now, id } = moment();
                Running {
                    call,
                    record: ItemId::mint(id),
                    at: now,
                    outcome: None,
                    files: Vec::new(),
                }
            })
            .collect();
        self.round
            .iter()
            .map(|running| self.keep(running))
            .collect()
    }

    /// Takes up calls that stand in the thread, and in what the model was told, and have not run.
    pub(super) fn resume_round(&mut self, calls: Vec<Kept>) -> Vec<ToolCall> {
        self.rounds += 1;
        self.is_resumed = true;
        let resumed = calls.into_iter().map(|kept| Running {
            call: kept.call,
            record: kept.record,
            at: kept.at,
            outcome: None,
            files: Vec::new(),
        });
        self.round = resumed.collect();
        self.round
            .iter()
            .map(|running| running.call.clone())
            .collect()
    }

    fn keep(&self, running: &Running) -> Kept {
        Kept {
            call: running.call.clone(),
            record: running.record.clone(),
            at: running.at,
            round: self.round_id(),
        }
    }

    /// Ends the call at this place of the round; nothing, where none runs there any more. Its result is cut to what
    /// there is room for, and says so. Its files are the model's for this turn and not kept with the call.
    pub(super) fn finish(
        &mut self,
        place: usize,
        mut outcome: Outcome,
        mut files: Vec<ToolFile>,
    ) -> Option<(Kept, &Outcome)> {
        let running = self.round.get(place)?;
        if running.outcome.is_some() {
            return None;
        }
        let output = &mut outcome.output;
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
        let kept = self.keep(running);
        let running = self.round.get_mut(place)?;
        running.files = files;
        Some((kept, running.outcome.insert(outcome)))
    }

    /// Takes the call at this place out of the round, for the page to run it: gives the record that is not needed any
    /// more. Where there is one for the page already, this one comes to nothing.
    pub(super) fn give_to_page(
        &mut self,
        place: usize,
        arguments: JsonObject,
    ) -> Option<Result<ItemId, Outcome>> {
        let running = self.round.get_mut(place)?;
        if running.outcome.is_some() {
            return None;
        }
        if self.for_page.is_some() {
            return Some(Err(Outcome {
                output: ONE_FOR_THE_PAGE.to_owned(),
                is_error: true,
                awaits: None,
            }));
        }
        running.outcome = Some(Outcome::unknown());
        self.for_page = Some((running.call.clone(), arguments));
        Some(Ok(running.record.clone()))
    }

    /// The call that the page is to run now that the round is over.
    pub(super) fn take_for_page(&mut self) -> Option<(ToolCall, JsonObject)> {
        self.for_page.take()
    }

    /// The call at this place of the round as it is kept.
    pub(super) fn kept(&self, place: usize) -> Option<Kept> {
        Some(self.keep(self.round.get(place)?))
    }

    /// What the records of this round share.
    fn round_id(&self) -> Option<ItemId> {
        match &*self.round {
            [first, _, ..] => Some(first.record.clone()),
            _ => None,
        }
    }

    /// Whether a call of the round has no result yet.
    pub(super) fn is_running(&self) -> bool {
        self.round.iter().any(|running| running.outcome.is_none())
    }

    /// Ends a round: the model is asked again, without tools when it has used up its rounds or the
    /// room for their results, so that it has to answer with what it has. What it is told is its answer as it came, and
    /// then the results: providers want the calls of one answer together.
    pub(super) fn end_round(&mut self, told: &mut Vec<ModelInput>) {
        self.is_offered = self.rounds < self.tool_rounds && self.bytes_left > 0;
        let round = std::mem::take(&mut self.round);
        if std::mem::take(&mut self.is_resumed) {
            return tell_results(round, told);
        }
        // A thought that leads to no call is refused by providers, and of no more use.
        let calls = round.len();
        let mut thoughts = std::mem::take(&mut self.thoughts)
            .into_iter()
            .filter(|thought| thought.calls_before < calls)
            .peekable();
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
                output: running.outcome.unwrap_or_else(Outcome::unknown).output,
                files: running.files,
            });
            told.push(ModelInput::ToolCall(running.call));
        }
        told.extend(outputs);
    }
}

/// Puts results where the model was told that there are none yet.
fn tell_results(round: Vec<Running>, told: &mut [ModelInput]) {
    for running in round {
        let result = told.iter_mut().rev().find_map(|input| match input {
            ModelInput::ToolOutput {
                call_id,
                output,
                files,
            } if *call_id == running.call.call_id => Some((output, files)),
            _ => None,
        });
        if let (Some((output, files)), Some(outcome)) = (result, running.outcome) {
            *output = outcome.output;
            *files = running.files;
        }
    }
}
