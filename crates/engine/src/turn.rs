//! A turn as a value: one input in, events and effects out; no clock, no network, no waiting.
//!
//! ```text
//!          ┌─────────────────── tool rounds ──────────────────┐
//!          v                                                  │
//!   Asking ──Text──> Answering ──ToolCall──> Acting ──> Listening
//!          │             │                     │
//!          └──Completed──┴──> Titling ──> Ended <── for the person to approve, or for the page to run
//! ```
//!
//! What answers is a model (`turn/model.rs`) or an agent of the application's own (`turn/agent.rs`); how a turn
//! begins, ends and is titled is the same for both.
//!
//! Whatever happens (a failure, a time-out, the user's "Stop"), what stands so far goes into a
//! [`Effect::Save`] before the turn ends, and the last event says why it did.
//!
//! A turn is finite whatever the model does: it asks the model once more than it has tool rounds, at
//! most, and once again where the conversation is too long for the model; and what it keeps is bounded
//! in items and bytes ([`TurnLimits`]).

mod activity;
mod agent;
mod drawing;
mod ending;
mod model;
mod tools;

use std::collections::VecDeque;

use protocol::{AttachmentId, Event, ItemId, ThreadItem, ThreadMetadata, event::StreamOptions};

pub(crate) use self::{
    activity::fenced,
    ending::{NotSaved, Why, lost_from_queue, read_elsewhere, taken_back, unanswered},
    model::{Display, widget},
    tools::{Kept, Outcome},
};
use self::{agent::AgentSide, ending::Failure, model::ModelSide};
use crate::{
    history,
    limits::TurnLimits,
    pictures::NotKept,
    ports::{
        AgentError, AgentEvent, AgentRequest, Change, GeneratedImage, ModelError, ModelEvent,
        ModelRequest, Moment, RunEnd, ToolCall, ToolEvent,
    },
    runs::Asked,
    title::{self, Titles},
    transcript::{Closed, Transcript},
    words::Language,
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
    /// The agent said something.
    Agent(AgentEvent),
    /// The agent's stream failed, or never began.
    AgentFailed(AgentError),
    /// The agent has said everything.
    AgentEnded,
    /// A title was written, or could not be.
    Title(Option<String>),
    /// What the person has said since the model was asked last, for [`Effect::Listen`].
    Heard(Vec<ThreadItem>),
    /// The file of a picture was kept for this item, or could not be.
    ImageKept {
        item: ItemId,
        is_partial: bool,
        kept: Result<AttachmentId, NotKept>,
    },
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
    /// Keep the file of a picture for this item, and go on when it is kept; what came of it comes back as
    /// [`Input::ImageKept`].
    KeepImage(ItemId, Box<GeneratedImage>),
    /// Remove the file of a picture that is not shown any more.
    DropImage(AttachmentId),
    /// Ask the model; its events come back as [`Input::Model`].
    AskModel {
        request: Box<ModelRequest>,
        /// Whether it is told about the workflow's tools.
        may_use_tools: bool,
    },
    /// Ask the agent; its events come back as [`Input::Agent`].
    AskAgent(Box<AgentRequest>),
    /// Ask for a title beside the answer; it comes back as [`Input::Title`].
    AskTitle(Box<ModelRequest>),
    /// Run these tools, all at once; their events come back as [`Input::Tool`].
    CallTools {
        calls: Vec<ToolCall>,
        /// Whether the person has approved them.
        are_approved: bool,
    },
    /// Keep this call until the person has answered what its server asks; from when its form is told.
    Ask(Box<Asked>),
    /// The thread is still to be told that the run has ended, and how: that could not be saved.
    Owe(RunEnd),
    /// Has the person said something meanwhile that the model should hear now? It comes back as [`Input::Heard`].
    Listen,
    /// Give up whatever still runs; nothing comes after it.
    End,
}

/// What a turn begins with. What the person said or did is in the store already.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) thread: ThreadMetadata,
    /// Whether `thread.created` is to be told.
    pub(crate) is_new: bool,
    /// What has come of the request that brought this turn: the message that it saved, the item that it changed.
    pub(crate) told: Vec<Event>,
    pub(crate) question: Question,
    pub(crate) titles: Titles,
    pub(crate) limits: TurnLimits,
    /// What the person reads.
    pub(crate) language: Language,
}

/// Who is asked what.
#[derive(Debug)]
pub(crate) enum Question {
    /// A model; later rounds grow the request's `input`.
    Model {
        request: Box<ModelRequest>,
        /// Tools that run first: calls that the person has approved, or asked for by a click.
        calls: Vec<Kept>,
        display: Display,
    },
    /// An agent of the application's own.
    Agent(Box<AgentRequest>),
    /// Nobody: what came of the request is all there is to tell.
    Nobody,
}

#[derive(Debug, PartialEq)]
enum Phase {
    /// The model or agent was asked or is answering.
    Answering,
    /// The model asked for tools, which run beside each other.
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
    limits: TurnLimits,
    language: Language,
    phase: Phase,
    side: Side,
    awaits_title: bool,
    /// What the title falls back to.
    first_words: Option<String>,
}

/// What is known of who answers.
#[derive(Debug)]
enum Side {
    Model(Box<ModelSide>),
    Agent(AgentSide),
    Nobody,
}

impl Turn {
    /// Begins a turn and puts its first effects into `out`.
    pub(crate) fn start(
        start: Start,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) -> Self {
        let Start {
            thread,
            is_new,
            told,
            question,
            titles,
            limits,
            language,
        } = start;
        let mut transcript = Transcript::new(thread);
        let first_words = match &question {
            Question::Model { request, .. } => title::first_words(&request.input),
            Question::Agent(request) => title::first_words(&history::model_input(&request.items)),
            Question::Nobody => None,
        };
        let titles = match (titles, &question) {
            // It has no model that could write one.
            (Titles::Model, Question::Agent(_)) => Titles::FirstMessage,
            (titles, _) => titles,
        };
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
        // As the official server has it: the message comes before the options, everything else after them.
        let is_message = |event: &Event| matches!(event, Event::ItemDone { .. });
        let (messages, others): (Vec<_>, Vec<_>) = told.into_iter().partition(is_message);
        out.extend(messages.into_iter().map(Effect::Emit));
        out.push_back(Effect::Emit(stream_options()));
        out.extend(others.into_iter().map(Effect::Emit));
        if is_named && !is_new {
            out.push_back(Effect::Emit(Event::ThreadUpdated {
                thread: transcript.thread_for_client(),
            }));
        }
        let awaits_title = is_untitled && titles == Titles::Model && first_words.is_some();
        let (side, calls) = match question {
            Question::Model {
                request,
                calls,
                display,
            } => {
                if awaits_title {
                    out.push_back(Effect::AskTitle(Box::new(title::request(&request))));
                }
                (
                    Side::Model(Box::new(ModelSide::new(
                        *request, display, &limits, language,
                    ))),
                    calls,
                )
            }
            Question::Agent(request) => {
                let side = AgentSide::new(&request);
                out.push_back(Effect::AskAgent(request));
                (Side::Agent(side), Vec::new())
            }
            Question::Nobody => (Side::Nobody, Vec::new()),
        };
        let mut turn = Self {
            transcript,
            limits,
            language,
            phase: Phase::Answering,
            side,
            awaits_title,
            first_words,
        };
        match turn.side {
            Side::Model(_) => turn.begin_model(calls, moment, out),
            Side::Agent(_) => {}
            Side::Nobody => turn.end(Closed::NOTHING, None, out),
        }
        turn
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
            (Input::Title(title), _) => self.on_title(title, out),
            (Input::TimedOut, Phase::Titling) => self.on_title(None, out),
            (Input::TimedOut, _) => self.fail(&Failure::TOO_SLOW, moment, out),
            (Input::Cancelled(why), _) => self.cancel(why, moment, out),
            (Input::Model(event), Phase::Answering) => self.on_model(event, moment, out),
            (Input::ModelFailed(error), Phase::Answering) => {
                self.on_model_failed(&error, moment, out);
            }
            (Input::ModelEnded, Phase::Answering) => self.fail(&Failure::BROKEN_OFF, moment, out),
            (Input::Tool(place, event), Phase::Acting) => self.on_tool(place, event, moment, out),
            (Input::ToolEnded(place), Phase::Acting) => {
                let done = ToolEvent::done("the tool stopped without a result", true);
                self.on_tool(place, done, moment, out);
            }
            (Input::Heard(messages), Phase::Listening) => self.on_heard(messages, moment, out),
            (Input::Agent(event), Phase::Answering) => self.on_agent(event, moment, out),
            (Input::AgentFailed(error), Phase::Answering) => {
                self.fail(&Failure::from(&error), moment, out);
            }
            (Input::AgentEnded, Phase::Answering) => self.on_agent_ended(moment, out),
            (
                Input::ImageKept {
                    item,
                    is_partial,
                    kept,
                },
                _,
            ) => self.on_image(&item, is_partial, kept, out),
            // A stream that was given up may still have something to say.
            (
                Input::Model(_)
                | Input::ModelFailed(_)
                | Input::ModelEnded
                | Input::Tool(..)
                | Input::ToolEnded(_)
                | Input::Heard(_)
                | Input::Agent(_)
                | Input::AgentFailed(_)
                | Input::AgentEnded,
                _,
            ) => {}
        }
    }

    /// What could not be saved is not tried again, and nothing that depends on it is said. The store is told later that the
    /// run has ended, and how.
    fn on_save_failed(&mut self, why: NotSaved, out: &mut VecDeque<Effect>) {
        let is_item_due = out
            .iter()
            .any(|effect| matches!(effect, Effect::Emit(Event::ItemDone { .. })));
        if self.phase == Phase::Ended && !is_item_due {
            // Only the title or a note was lost; the end of the turn stands in the queue.
            if out.iter().any(|effect| matches!(effect, Effect::End)) {
                out.push_front(Effect::Owe(RunEnd::Ended));
            }
            return;
        }
        self.phase = Phase::Ended;
        self.awaits_title = false;
        self.transcript.give_up();
        out.clear();
        out.push_back(Failure::from(why).event(self.language));
        out.push_back(Effect::Owe(RunEnd::Interrupted));
        out.push_back(Effect::End);
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

    /// Saves the answer, which is complete, and waits for the title if need be.
    fn finish(&mut self, words: Option<Effect>, out: &mut VecDeque<Effect>) {
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
        self.fail_with(failure.event(self.language), moment, out);
    }

    /// As [`Turn::fail`], in these words.
    fn fail_with(
        &mut self,
        words: Effect,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        self.sum_up(moment, out);
        self.give_up_drawings(out);
        let closed = self.transcript.close_cut(out);
        if closed.text().is_some() {
            self.transcript.keep_note(ending::FAILED_NOTE, moment);
        }
        self.name_by_first_words();
        self.end(closed, Some(words), out);
    }

    /// Keeps what stands and a note for the model, tells whoever still listens, and ends.
    fn cancel(&mut self, why: Why, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        self.name_by_first_words();
        if self.phase == Phase::Titling {
            // The answer stands, and is told as done.
            return self.end(Closed::NOTHING, None, out);
        }
        self.sum_up(moment, out);
        self.give_up_drawings(out);
        let closed = self.transcript.close_cut(out);
        self.transcript.keep_note(why.note(), moment);
        let words = why.words(closed.text().is_some(), self.language);
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

fn progress(text: String) -> Effect {
    Effect::Emit(Event::ProgressUpdate { icon: None, text })
}

#[cfg(test)]
mod tests;
