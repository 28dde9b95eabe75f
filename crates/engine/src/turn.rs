//! A turn as a value: one input in, events and effects out; no clock, no network, no waiting.
//!
//! ```text
//!          ┌─────────────────── tool rounds ──────────────────┐
//!          v                                                  │
//!   Asking ──Text──> Answering ──ToolCall──> Acting ──> Listening
//!          │             │
//!          └──Completed──┴──> Titling ──> Ended
//! ```
//!
//! Whatever happens (a failure, a time-out, the user's "Stop"), what stands so far goes into a
//! [`Effect::Save`] before the turn ends, and the last event says why it did.
//!
//! A turn is finite whatever the model does: it asks the model once more than it has tool rounds, at
//! most, and once again where the conversation is too long for the model; and what it keeps is bounded
//! in items and bytes ([`TurnLimits`]).

mod ending;
mod tools;

use std::collections::VecDeque;

use protocol::{
    Event, ThreadItem, ThreadMetadata,
    event::{NoticeEvent, NoticeLevel, StreamOptions},
};

pub(crate) use self::ending::{
    NotSaved, Why, lost_from_queue, read_elsewhere, taken_back, unanswered,
};
use self::{ending::Failure, tools::ToolUse};
use crate::{
    history,
    limits::TurnLimits,
    ports::{
        Change, ModelError, ModelEvent, ModelInput, ModelRequest, Moment, RunEnd, ToolCall,
        ToolEvent,
    },
    title::{self, Titles},
    transcript::{Closed, Transcript},
};

/// What a turn may be told. Whoever drives it also brings a source of [`Moment`]s, asked only when
/// something begins.
#[derive(Debug)]
pub(crate) enum Input {
    /// The model said something.
    Model(ModelEvent),
    /// The model's stream failed, or never began.
    ModelFailed(ModelError),
    /// The model's stream ended; only after [`ModelEvent::Completed`] is that no failure.
    ModelEnded,
    /// The tool at this place of [`Effect::CallTools`] said something.
    Tool(usize, ToolEvent),
    /// Its stream ended; only after [`ToolEvent::Done`] is that no failure.
    ToolEnded(usize),
    /// A title was written, or could not be.
    Title(Option<String>),
    /// What the person has said since the model was asked last, for [`Effect::Listen`].
    Heard(Vec<ThreadItem>),
    /// What was to be saved could not be.
    SaveFailed(NotSaved),
    /// The turn took longer than it may.
    TimedOut,
    /// Somebody or something ended it.
    Cancelled(Why),
}

/// What a turn wants done, in this order.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Tell the client.
    Emit(Event),
    /// Write to the store, and go on when it is written.
    Save(Box<Change>),
    /// Ask the model; its events come back as [`Input::Model`].
    AskModel {
        request: Box<ModelRequest>,
        /// Whether it is told about the workflow's tools.
        may_use_tools: bool,
    },
    /// Ask for a title beside the answer; it comes back as [`Input::Title`].
    AskTitle(Box<ModelRequest>),
    /// Run these tools, all at once; their events come back as [`Input::Tool`].
    CallTools(Vec<ToolCall>),
    /// Has the person said something meanwhile that the model should hear now? It comes back as [`Input::Heard`].
    Listen,
    /// Give up whatever still runs; nothing comes after it.
    End,
}

/// What a turn begins with. The user's message is in the store already.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) thread: ThreadMetadata,
    /// Whether `thread.created` is to be told.
    pub(crate) is_new: bool,
    /// The user's message, where this turn brought one.
    pub(crate) message: Option<ThreadItem>,
    /// What the model is asked first; later rounds grow its `input`.
    pub(crate) request: ModelRequest,
    pub(crate) titles: Titles,
    pub(crate) limits: TurnLimits,
}

#[derive(Debug, PartialEq)]
enum Phase {
    /// The model was asked or is answering.
    Answering,
    /// It asked for tools, which run beside each other.
    Acting,
    /// The tools are done; the model is asked again as soon as it is known what else it should hear.
    Listening,
    /// The answer stands and is saved; only the title is missing.
    Titling,
    Ended,
}

/// The state of one turn.
#[derive(Debug)]
pub(crate) struct Turn {
    transcript: Transcript,
    request: ModelRequest,
    limits: TurnLimits,
    phase: Phase,
    is_reasoning: bool,
    /// How many entries of the request's input come before the question, until some of them were left out because they
    /// were too many for the model.
    earlier: Option<usize>,
    tools: ToolUse,
    awaits_title: bool,
    /// What the title falls back to.
    first_words: Option<String>,
}

impl Turn {
    /// Begins a turn and puts its first effects into `out`.
    pub(crate) fn start(start: Start, out: &mut VecDeque<Effect>) -> Self {
        let Start {
            thread,
            is_new,
            message,
            request,
            titles,
            limits,
        } = start;
        let mut transcript = Transcript::new(thread);
        let first_words = title::first_words(&request.input);
        let is_untitled = transcript.thread().title.is_none();
        let is_named = match (&first_words, titles) {
            (Some(words), Titles::FirstMessage) if is_untitled => {
                transcript.name(words.clone());
                true
            }
            _ => false,
        };
        if is_new {
            out.push_back(Effect::Emit(Event::ThreadCreated {
                thread: transcript.thread_for_client(),
            }));
        }
        if let Some(item) = message {
            out.push_back(Effect::Emit(Event::ItemDone { item }));
        }
        out.push_back(Effect::Emit(stream_options()));
        if is_named && !is_new {
            out.push_back(Effect::Emit(Event::ThreadUpdated {
                thread: transcript.thread_for_client(),
            }));
        }
        let awaits_title = is_untitled && titles == Titles::Model && first_words.is_some();
        if awaits_title {
            out.push_back(Effect::AskTitle(Box::new(title::request(&request))));
        }
        let is_question = |input: &ModelInput| matches!(input, ModelInput::User(_));
        let earlier = request.input.iter().rposition(is_question);
        let tools = ToolUse::new(&limits);
        out.push_back(Effect::AskModel {
            request: Box::new(request.clone()),
            may_use_tools: tools.is_offered(),
        });
        Self {
            transcript,
            request,
            limits,
            phase: Phase::Answering,
            is_reasoning: false,
            earlier,
            tools,
            awaits_title,
            first_words,
        }
    }

    /// Whether nothing more will come.
    pub(crate) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether only the title is still missing, so that its own time limit counts.
    pub(crate) fn is_titling(&self) -> bool {
        self.phase == Phase::Titling
    }

    /// Whether so much was said since the last checkpoint that another one is due at once.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        self.transcript.is_checkpoint_due()
    }

    /// Whether something was said that is not in the store.
    pub(crate) fn has_unsaved_text(&self) -> bool {
        self.transcript.has_unsaved_text()
    }

    /// What a checkpoint writes; nothing, where nothing is new.
    pub(crate) fn checkpoint(&mut self) -> Option<Change> {
        self.transcript.checkpoint()
    }

    /// Takes an input and puts what follows from it into `out`.
    pub(crate) fn on(
        &mut self,
        input: Input,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        match (input, &self.phase) {
            (Input::SaveFailed(why), _) => self.on_save_failed(why, out),
            (_, Phase::Ended) => {}
            (Input::Model(event), Phase::Answering) => self.on_model(event, moment, out),
            (Input::ModelFailed(error), Phase::Answering) => {
                if matches!(error, ModelError::TooLong(_)) && self.has_shortened() {
                    self.ask(out);
                } else {
                    self.fail(&Failure::from(&error), moment, out);
                }
            }
            (Input::ModelEnded, Phase::Answering) => self.fail(&Failure::BROKEN_OFF, moment, out),
            (Input::Tool(place, event), Phase::Acting) => self.on_tool(place, event, out),
            (Input::ToolEnded(place), Phase::Acting) => {
                let output = "the tool stopped without a result".to_owned();
                let is_error = true;
                self.on_tool(place, ToolEvent::Done { output, is_error }, out);
            }
            (Input::Heard(messages), Phase::Listening) => self.on_heard(messages, out),
            (Input::Title(title), _) => self.on_title(title, out),
            (Input::TimedOut, Phase::Titling) => self.on_title(None, out),
            (Input::TimedOut, _) => self.fail(&Failure::TOO_SLOW, moment, out),
            (Input::Cancelled(why), _) => self.cancel(why, moment, out),
            // A stream that was given up may still have something to say.
            (
                Input::Model(_)
                | Input::ModelFailed(_)
                | Input::ModelEnded
                | Input::Tool(..)
                | Input::ToolEnded(_)
                | Input::Heard(_),
                _,
            ) => {}
        }
    }

    /// Leaves out half of what was said earlier, once and before the model has said anything. How much fits into a model
    /// only its provider knows; the budget is an estimate.
    fn has_shortened(&mut self) -> bool {
        if self.transcript.is_saying() || self.tools.has_calls() {
            return false;
        }
        // It thinks anew.
        self.tools.forget();
        let earlier = self.earlier.take();
        earlier.is_some_and(|earlier| history::shorten(&mut self.request.input, earlier))
    }

    /// Asks the model with what stands in the request.
    fn ask(&self, out: &mut VecDeque<Effect>) {
        out.push_back(Effect::AskModel {
            request: Box::new(self.request.clone()),
            may_use_tools: self.tools.is_offered(),
        });
    }

    /// What could not be saved is not tried again, and nothing that depends on it is said. Nor is the end saved: the
    /// thread goes on to say that its answer was interrupted, which is true.
    fn on_save_failed(&mut self, why: NotSaved, out: &mut VecDeque<Effect>) {
        let is_item_due = out
            .iter()
            .any(|effect| matches!(effect, Effect::Emit(Event::ItemDone { .. })));
        if self.phase == Phase::Ended && !is_item_due {
            // Only the title or a note was lost; the end of the turn stands in the queue.
            return;
        }
        self.phase = Phase::Ended;
        self.awaits_title = false;
        self.transcript.give_up();
        out.clear();
        out.push_back(Failure::from(why).event());
        out.push_back(Effect::End);
    }

    fn on_model(
        &mut self,
        event: ModelEvent,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        match event {
            ModelEvent::TextDelta(delta) => {
                self.transcript.say(delta, moment, out);
                self.check_length(moment, out);
            }
            ModelEvent::ReasoningDelta(_) => {
                if !self.is_reasoning {
                    self.is_reasoning = true;
                    out.push_back(progress("Thinking…".to_owned()));
                }
            }
            ModelEvent::UrlCitation { url, title, index } => {
                self.transcript.cite(url, title, index, out);
                self.check_length(moment, out);
            }
            // Nothing is shown of these.
            ModelEvent::FileCitation { .. } | ModelEvent::Builtin(_) => {}
            ModelEvent::Thought(thought) => self.tools.think(thought, self.transcript.is_saying()),
            ModelEvent::ToolCall(call) => self.tools.want(call),
            ModelEvent::Completed {
                is_truncated,
                usage: _,
            } => {
                if is_truncated {
                    // The arguments of a call may have been cut off, too.
                    self.tools.drop_calls();
                }
                if self.tools.has_calls() {
                    self.act(moment, out);
                } else {
                    self.complete(is_truncated, moment, out);
                }
            }
        }
    }

    /// Ends an answer that has grown too long.
    fn check_length(&mut self, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        if self.transcript.answer_bytes() > self.limits.answer_bytes {
            self.tools.drop_calls();
            self.complete(true, moment, out);
        }
    }

    /// Starts the tools the model asked for. That they are about to run is in the store before they run: if the process
    /// ends meanwhile, nobody takes them for ones that never ran.
    fn act(&mut self, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        let closed = self.transcript.close(out);
        self.phase = Phase::Acting;
        let mut calls = Vec::new();
        for kept in self.tools.begin_round(closed.text(), moment) {
            let item = kept.item(&self.transcript, history::UNKNOWN_RESULT, true);
            self.transcript.keep(item);
            calls.push(kept.call);
        }
        self.transcript.save(closed, None, out);
        let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
        out.push_back(progress(format!("Using {}…", names.join(", "))));
        out.push_back(Effect::CallTools(calls));
    }

    /// A result is saved as soon as it is there; the model hears of all of them together.
    fn on_tool(&mut self, place: usize, event: ToolEvent, out: &mut VecDeque<Effect>) {
        let (output, is_error) = match event {
            ToolEvent::Progress(text) => return out.push_back(progress(text)),
            ToolEvent::Done { output, is_error } => (output, is_error),
        };
        let Some((kept, output)) = self.tools.finish(place, output) else {
            return;
        };
        let item = kept.item(&self.transcript, output, is_error);
        self.transcript.keep(item);
        self.transcript.save(Closed::NOTHING, None, out);
        if !self.tools.is_running() {
            // The user's choice of a tool is fulfilled by the first round.
            self.request.tool_choice = None;
            let told = self.tools.end_round();
            self.request.input.extend(told);
            self.phase = Phase::Listening;
            out.push_back(Effect::Listen);
        }
    }

    /// The model is asked again, with what the person has said meanwhile.
    fn on_heard(&mut self, messages: Vec<ThreadItem>, out: &mut VecDeque<Effect>) {
        for message in messages {
            self.request
                .input
                .extend(history::model_input(std::slice::from_ref(&message)));
            out.push_back(Effect::Save(Box::new(Change {
                unqueue: Some(message.id().clone()),
                put: vec![message.clone()],
                ..Change::default()
            })));
            out.push_back(Effect::Emit(Event::ItemDone { item: message }));
        }
        self.phase = Phase::Answering;
        self.ask(out);
    }

    fn on_title(&mut self, title: Option<String>, out: &mut VecDeque<Effect>) {
        if !std::mem::take(&mut self.awaits_title) {
            return;
        }
        let title = title
            .and_then(|title| title::clean(&title))
            .or(self.first_words.take());
        if let Some(title) = title {
            self.transcript.name(title);
            out.push_back(Effect::Emit(Event::ThreadUpdated {
                thread: self.transcript.thread_for_client(),
            }));
        }
        if self.phase == Phase::Titling {
            self.end(Closed::NOTHING, None, out);
        }
    }

    /// The answer is complete: says so if it is empty or cut, and waits for the title if need be.
    fn complete(
        &mut self,
        is_truncated: bool,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let has_more_to_do = self.tools.has_refused();
        if self.transcript.answer_bytes() == 0 {
            return self.fail(
                &match (is_truncated, has_more_to_do) {
                    (true, _) => Failure::NO_ROOM,
                    (false, true) => Failure::NO_ROUNDS,
                    (false, false) => Failure::EMPTY,
                },
                moment,
                out,
            );
        }
        let words = if is_truncated {
            Some("The answer was cut off at its length limit. Ask to continue it.")
        } else if has_more_to_do {
            Some(
                "The answer ended here because it has used its tools as often as it may. Ask to go on.",
            )
        } else {
            None
        };
        let words = words.map(|words| notice(NoticeLevel::Warning, words));
        let closed = self.transcript.close(out);
        if self.awaits_title {
            self.transcript.save(closed, None, out);
            out.extend(words);
            self.phase = Phase::Titling;
        } else {
            self.end(closed, words, out);
        }
    }

    /// Keeps what stands, tells the user in a sentence, and ends.
    fn fail(&mut self, failure: &Failure, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        let closed = self.transcript.close_cut(out);
        if closed.text().is_some() {
            self.transcript.keep_note(ending::FAILED_NOTE, moment);
        }
        self.name_by_first_words();
        self.end(closed, Some(failure.event()), out);
    }

    /// Keeps what stands and a note for the model, tells whoever still listens, and ends.
    fn cancel(&mut self, why: Why, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        self.name_by_first_words();
        if self.phase == Phase::Titling {
            // The answer stands, and is told as done.
            return self.end(Closed::NOTHING, None, out);
        }
        let closed = self.transcript.close_cut(out);
        self.transcript.keep_note(why.note(), moment);
        let words = why.words(closed.text().is_some());
        self.end(closed, Some(Effect::Emit(words)), out);
    }

    /// A thread whose title will not come any more is named by its first words.
    fn name_by_first_words(&mut self) {
        if std::mem::take(&mut self.awaits_title)
            && let Some(words) = self.first_words.take()
        {
            self.transcript.name(words);
        }
    }

    /// Saves what is left together with the end, then says the last words.
    fn end(&mut self, closed: Closed, words: Option<Effect>, out: &mut VecDeque<Effect>) {
        self.phase = Phase::Ended;
        self.transcript.save(closed, Some(RunEnd::Ended), out);
        out.extend(words);
        out.push_back(Effect::End);
    }
}

/// What the browser is told before an answer begins.
pub(crate) fn stream_options() -> Event {
    Event::StreamOptions {
        stream_options: StreamOptions { allow_cancel: true },
    }
}

fn notice(level: NoticeLevel, message: &str) -> Effect {
    Effect::Emit(Event::Notice(NoticeEvent {
        level,
        message: message.to_owned(),
        title: None,
    }))
}

fn progress(text: String) -> Effect {
    Effect::Emit(Event::ProgressUpdate { icon: None, text })
}

#[cfg(test)]
mod tests;
