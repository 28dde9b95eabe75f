//! A turn as a value: one input in, events and effects out; no clock, no network, no waiting.
//!
//! ```text
//!          ┌──────────── tool rounds ────────────┐
//!          v                                     │
//!   Asking ──Text──> Answering ──ToolCall──> Acting
//!          │             │
//!          └──Completed──┴──> Titling ──> Ended
//! ```
//!
//! Whatever happens (a failure, a time-out, the user's "Stop"), what stands so far goes into a
//! [`Effect::Save`] before the turn ends.
//!
//! A turn is finite whatever the model does: it asks the model once more than it has tool rounds, at
//! most, and what it keeps is bounded in items and bytes ([`TurnLimits`]).

mod tools;

use std::collections::VecDeque;

use protocol::{
    Event, ItemId, ItemUpdate, Page, Thread, ThreadItem, ThreadMetadata, Timestamp,
    event::{ErrorCode, ErrorEvent, NoticeEvent, NoticeLevel, StreamOptions},
    item::{Annotation, AssistantContent, AssistantMessageItem, SdkHiddenContextItem},
    source::{Source, UrlSource},
};

use self::tools::ToolUse;
use crate::{
    history,
    limits::TurnLimits,
    ports::{Change, ModelError, ModelEvent, ModelInput, ModelRequest, ToolCall, ToolEvent},
    title,
    workflow::Titles,
};

/// What a cancelled turn leaves in the thread, so that the model does not take it up again.
const CANCELLED_NOTE: &str =
    "The user stopped the answer above. Do not continue it unless asked to.";

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
    /// The tool that was called said something.
    Tool(ToolEvent),
    /// The tool's stream ended without a result.
    ToolEnded,
    /// A title was written, or could not be.
    Title(Option<String>),
    /// What was to be saved could not be.
    SaveFailed {
        /// Because there is no room left.
        is_storage_full: bool,
    },
    /// The turn took longer than it may.
    TimedOut,
    /// The user stopped it, or left.
    Cancelled,
}

/// What a turn wants done, in this order.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Tell the client.
    Emit(Event),
    /// Write to the store, and go on when it is written.
    Save(Change),
    /// Ask the model; its events come back as [`Input::Model`].
    AskModel {
        request: Box<ModelRequest>,
        /// Whether it is told about the workflow's tools.
        may_use_tools: bool,
    },
    /// Ask for a title beside the answer; it comes back as [`Input::Title`].
    AskTitle(Box<ModelRequest>),
    /// Run a tool; its events come back as [`Input::Tool`].
    CallTool(ToolCall),
    /// Give up whatever still runs; nothing comes after it.
    End,
}

/// The time and a fresh number, for an item that begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) id: u128,
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
    /// It asked for tools, which run one after the other.
    Acting,
    /// The answer stands and is saved; only the title is missing.
    Titling,
    Ended,
}

/// The state of one turn.
#[derive(Debug)]
pub(crate) struct Turn {
    thread: ThreadMetadata,
    request: ModelRequest,
    limits: TurnLimits,
    phase: Phase,
    /// The assistant's message while it grows.
    message: Option<AssistantMessageItem>,
    /// Bytes of text over all messages of this turn.
    answer_bytes: usize,
    is_reasoning: bool,
    tools: ToolUse,
    /// Items that are not in the store yet.
    unsaved: Vec<ThreadItem>,
    awaits_title: bool,
    is_thread_unsaved: bool,
    /// What the title falls back to.
    first_words: Option<String>,
}

impl Turn {
    /// Begins a turn and puts its first effects into `out`.
    pub(crate) fn start(start: Start, out: &mut VecDeque<Effect>) -> Self {
        let Start {
            mut thread,
            is_new,
            message,
            request,
            titles,
            limits,
        } = start;
        let first_words = title::first_words(&request.input);
        let mut is_thread_unsaved = false;
        if thread.title.is_none() && titles == Titles::FirstMessage {
            thread.title.clone_from(&first_words);
            is_thread_unsaved = thread.title.is_some();
        }
        if is_new {
            out.push_back(Effect::Emit(Event::ThreadCreated {
                thread: for_client(&thread),
            }));
        }
        if let Some(item) = message {
            out.push_back(Effect::Emit(Event::ItemDone { item }));
        }
        out.push_back(Effect::Emit(Event::StreamOptions {
            stream_options: StreamOptions { allow_cancel: true },
        }));
        if is_thread_unsaved && !is_new {
            out.push_back(Effect::Emit(Event::ThreadUpdated {
                thread: for_client(&thread),
            }));
        }
        let awaits_title =
            thread.title.is_none() && titles == Titles::Model && first_words.is_some();
        if awaits_title {
            out.push_back(Effect::AskTitle(Box::new(title::request(&request))));
        }
        let tools = ToolUse::new(&limits);
        out.push_back(Effect::AskModel {
            request: Box::new(request.clone()),
            may_use_tools: tools.is_offered(),
        });
        Self {
            thread,
            request,
            limits,
            phase: Phase::Answering,
            message: None,
            answer_bytes: 0,
            is_reasoning: false,
            tools,
            unsaved: Vec::new(),
            awaits_title,
            is_thread_unsaved,
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

    /// Takes an input and puts what follows from it into `out`.
    pub(crate) fn on(
        &mut self,
        input: Input,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        match (input, &self.phase) {
            (Input::SaveFailed { is_storage_full }, _) => {
                self.on_save_failed(is_storage_full, out);
            }
            (_, Phase::Ended) => {}
            (Input::Model(event), Phase::Answering) => self.on_model(event, moment, out),
            (Input::ModelFailed(error), Phase::Answering) => self.fail(&Failure::from(&error), out),
            (Input::ModelEnded, Phase::Answering) => self.fail(&Failure::BROKEN_OFF, out),
            (Input::Tool(event), Phase::Acting) => self.on_tool(event, moment, out),
            (Input::ToolEnded, Phase::Acting) => {
                let output = "the tool stopped without a result".to_owned();
                self.on_tool(
                    ToolEvent::Done {
                        output,
                        is_error: true,
                    },
                    moment,
                    out,
                );
            }
            (Input::Title(title), _) => self.on_title(title, out),
            (Input::TimedOut, Phase::Titling) => self.on_title(None, out),
            (Input::TimedOut, _) => self.fail(&Failure::TOO_SLOW, out),
            (Input::Cancelled, _) => self.cancel(moment, out),
            // A stream that was given up may still have something to say.
            (
                Input::Model(_)
                | Input::ModelFailed(_)
                | Input::ModelEnded
                | Input::Tool(_)
                | Input::ToolEnded,
                _,
            ) => {}
        }
    }

    /// What could not be saved is not tried again, and nothing that depends on it is said.
    fn on_save_failed(&mut self, is_storage_full: bool, out: &mut VecDeque<Effect>) {
        let is_item_due = out
            .iter()
            .any(|effect| matches!(effect, Effect::Emit(Event::ItemDone { .. })));
        if self.phase == Phase::Ended && !is_item_due {
            // Only the title was lost; the end of the turn stands in the queue.
            return;
        }
        out.clear();
        self.unsaved.clear();
        self.message = None;
        self.is_thread_unsaved = false;
        self.awaits_title = false;
        let failure = if is_storage_full {
            Failure::STORAGE_FULL
        } else {
            Failure::NOT_SAVED
        };
        self.fail(&failure, out);
    }

    fn on_model(
        &mut self,
        event: ModelEvent,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        match event {
            ModelEvent::TextDelta(delta) => self.on_text(delta, moment, out),
            ModelEvent::ReasoningDelta(_) => {
                if !self.is_reasoning {
                    self.is_reasoning = true;
                    out.push_back(progress("Thinking…".to_owned()));
                }
            }
            ModelEvent::UrlCitation { url, title, index } => {
                let Some(message) = &mut self.message else {
                    return;
                };
                let Some(part) = message.content.first_mut() else {
                    return;
                };
                // Citations are kept with the answer, so they count as part of it.
                self.answer_bytes += url.len() + title.len();
                if self.answer_bytes > self.limits.answer_bytes {
                    return self.cut_answer(out);
                }
                let annotation = Annotation {
                    source: Source::Url(UrlSource {
                        title,
                        description: None,
                        timestamp: None,
                        group: None,
                        url,
                        attribution: None,
                    }),
                    index: index.or_else(|| u32::try_from(part.text.chars().count()).ok()),
                };
                let update = ItemUpdate::AnnotationAdded {
                    content_index: 0,
                    annotation_index: u32::try_from(part.annotations.len()).unwrap_or(u32::MAX),
                    annotation: annotation.clone(),
                };
                part.annotations.push(annotation);
                let item_id = message.id.clone();
                out.push_back(Effect::Emit(Event::ItemUpdated { item_id, update }));
            }
            ModelEvent::ToolCall(call) => self.tools.want(call),
            ModelEvent::Completed {
                is_truncated,
                usage: _,
            } => {
                self.close_message(out);
                if is_truncated {
                    // The arguments of a call may have been cut off, too.
                    self.tools.drop_calls();
                }
                if self.tools.current().is_some() {
                    self.act(out);
                } else {
                    self.complete(is_truncated, out);
                }
            }
        }
    }

    /// The hot path: one event a token, and nothing else.
    fn on_text(&mut self, delta: String, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        let message = if let Some(message) = &mut self.message {
            message
        } else {
            let Moment { now, id } = moment();
            let mut message = AssistantMessageItem {
                id: ItemId::mint(id),
                thread_id: self.thread.id.clone(),
                created_at: now,
                content: Vec::new(),
            };
            out.push_back(Effect::Emit(Event::ItemAdded {
                item: message.clone().into(),
            }));
            out.push_back(Effect::Emit(Event::ItemUpdated {
                item_id: message.id.clone(),
                update: ItemUpdate::ContentPartAdded {
                    content_index: 0,
                    content: AssistantContent::default(),
                },
            }));
            message.content.push(AssistantContent::default());
            self.message.insert(message)
        };
        if let Some(part) = message.content.first_mut() {
            part.text.push_str(&delta);
        }
        self.answer_bytes += delta.len();
        out.push_back(Effect::Emit(Event::ItemUpdated {
            item_id: message.id.clone(),
            update: ItemUpdate::TextDelta {
                content_index: 0,
                delta,
            },
        }));
        if self.answer_bytes > self.limits.answer_bytes {
            self.cut_answer(out);
        }
    }

    /// Ends an answer that has grown too long.
    fn cut_answer(&mut self, out: &mut VecDeque<Effect>) {
        self.tools.drop_calls();
        self.close_message(out);
        self.complete(true, out);
    }

    /// Finishes the assistant's message, where one is open: saved before it is called done.
    fn close_message(&mut self, out: &mut VecDeque<Effect>) {
        let Some(message) = self.message.take() else {
            return;
        };
        if let Some(content) = message.content.first() {
            self.request
                .input
                .push(ModelInput::Assistant(content.text.clone()));
            out.push_back(Effect::Emit(Event::ItemUpdated {
                item_id: message.id.clone(),
                update: ItemUpdate::ContentPartDone {
                    content_index: 0,
                    content: content.clone(),
                },
            }));
        }
        self.unsaved.push(message.clone().into());
        // The last message of a turn is saved with everything else that is new by then.
        self.save(out);
        out.push_back(Effect::Emit(Event::ItemDone {
            item: message.into(),
        }));
    }

    /// Writes what is not in the store yet.
    fn save(&mut self, out: &mut VecDeque<Effect>) {
        let change = Change {
            put: std::mem::take(&mut self.unsaved),
            title_if_none: std::mem::take(&mut self.is_thread_unsaved)
                .then(|| self.thread.title.clone())
                .flatten(),
            ..Change::default()
        };
        if !change.is_empty() {
            out.push_back(Effect::Save(change));
        }
    }

    /// Starts the tools the model asked for.
    fn act(&mut self, out: &mut VecDeque<Effect>) {
        self.tools.begin_round();
        self.phase = Phase::Acting;
        self.call_next(out);
    }

    fn call_next(&mut self, out: &mut VecDeque<Effect>) {
        if let Some(call) = self.tools.current() {
            out.push_back(progress(format!("Using {}…", call.name)));
            out.push_back(Effect::CallTool(call.clone()));
            return;
        }
        self.save(out);
        // The user's choice of a tool is fulfilled by the first round.
        self.request.tool_choice = None;
        self.phase = Phase::Answering;
        self.tools.end_round();
        out.push_back(Effect::AskModel {
            request: Box::new(self.request.clone()),
            may_use_tools: self.tools.is_offered(),
        });
    }

    fn on_tool(
        &mut self,
        event: ToolEvent,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        match event {
            ToolEvent::Progress(text) => out.push_back(progress(text)),
            ToolEvent::Done {
                mut output,
                is_error,
            } => {
                let Some(call) = self.tools.finish(&mut output) else {
                    return;
                };
                self.unsaved.push(history::tool_record(
                    &self.thread.id,
                    moment(),
                    &call,
                    &output,
                    is_error,
                ));
                let call_id = call.call_id.clone();
                self.request.input.push(ModelInput::ToolCall(call));
                self.request
                    .input
                    .push(ModelInput::ToolOutput { call_id, output });
                self.call_next(out);
            }
        }
    }

    fn on_title(&mut self, title: Option<String>, out: &mut VecDeque<Effect>) {
        if !std::mem::take(&mut self.awaits_title) {
            return;
        }
        let title = title
            .and_then(|title| title::clean(&title))
            .or(self.first_words.take());
        if title.is_some() {
            self.thread.title = title;
            self.is_thread_unsaved = true;
            out.push_back(Effect::Emit(Event::ThreadUpdated {
                thread: for_client(&self.thread),
            }));
        }
        if self.phase == Phase::Titling {
            self.save(out);
            self.end(out);
        }
    }

    /// The answer is complete: says so if it is empty or cut, and waits for the title if need be.
    fn complete(&mut self, is_truncated: bool, out: &mut VecDeque<Effect>) {
        let has_more_to_do = self.tools.has_refused();
        if self.answer_bytes == 0 {
            return self.fail(
                &match (is_truncated, has_more_to_do) {
                    (true, _) => Failure::NO_ROOM,
                    (false, true) => Failure::NO_ROUNDS,
                    (false, false) => Failure::EMPTY,
                },
                out,
            );
        }
        if is_truncated {
            out.push_back(notice(
                "The answer was cut off at its length limit. Ask to continue it.",
            ));
        } else if has_more_to_do {
            out.push_back(notice(
                "The answer ended here because it has used its tools as often as it may. Ask to go on.",
            ));
        }
        self.save(out);
        if self.awaits_title {
            self.phase = Phase::Titling;
        } else {
            self.end(out);
        }
    }

    /// Keeps what stands, tells the user in a sentence, and ends.
    fn fail(&mut self, failure: &Failure, out: &mut VecDeque<Effect>) {
        self.close_message(out);
        self.name_by_first_words();
        self.save(out);
        out.push_back(Effect::Emit(Event::Error(ErrorEvent {
            code: ErrorCode::Custom,
            message: Some(failure.message.to_owned()),
            allow_retry: failure.allow_retry,
        })));
        self.end(out);
    }

    /// Keeps what stands and a note for the model; nobody is listening any more.
    fn cancel(&mut self, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        if self.phase != Phase::Titling {
            if let Some(message) = self.message.take()
                && message
                    .content
                    .iter()
                    .any(|part| !part.text.trim().is_empty())
            {
                self.unsaved.push(message.into());
            }
            let Moment { now, id } = moment();
            self.unsaved.push(
                SdkHiddenContextItem {
                    id: ItemId::mint(id),
                    thread_id: self.thread.id.clone(),
                    created_at: now,
                    content: CANCELLED_NOTE.to_owned(),
                }
                .into(),
            );
        }
        self.name_by_first_words();
        self.save(out);
        self.end(out);
    }

    /// A thread whose title will not come any more is named by its first words.
    fn name_by_first_words(&mut self) {
        if std::mem::take(&mut self.awaits_title) && self.first_words.is_some() {
            self.thread.title = self.first_words.take();
            self.is_thread_unsaved = true;
        }
    }

    fn end(&mut self, out: &mut VecDeque<Effect>) {
        self.phase = Phase::Ended;
        out.push_back(Effect::End);
    }
}

fn for_client(thread: &ThreadMetadata) -> Thread {
    Thread::for_client(thread.clone(), Page::default())
}

fn notice(message: &str) -> Effect {
    Effect::Emit(Event::Notice(NoticeEvent {
        level: NoticeLevel::Warning,
        message: message.to_owned(),
        title: None,
    }))
}

fn progress(text: String) -> Effect {
    Effect::Emit(Event::ProgressUpdate { icon: None, text })
}

/// What the user reads when a turn fails: what happened, and what to do.
#[derive(Debug)]
struct Failure {
    message: &'static str,
    allow_retry: bool,
}

impl Failure {
    const BROKEN_OFF: Self = Self {
        message: "The answer broke off. What came so far is kept; try again.",
        allow_retry: true,
    };
    const EMPTY: Self = Self {
        message: "The model gave an empty answer. Try again, or put the question differently.",
        allow_retry: true,
    };
    /// Models that think before they write can use up all they may write by thinking.
    const NO_ROOM: Self = Self {
        message: "The model reached its length limit before it could answer. Put the question more \
                  narrowly, or ask for one part of it.",
        allow_retry: false,
    };
    /// Trying again would do once more what the tools have done.
    const NO_ROUNDS: Self = Self {
        message: "The model has used its tools as often as it may in one answer, without coming to an \
                  end. What was done so far is kept; ask to go on, or for less at once.",
        allow_retry: false,
    };
    const TOO_SLOW: Self = Self {
        message: "The answer took longer than it may. What came so far is kept; try again.",
        allow_retry: true,
    };
    const NOT_SAVED: Self = Self {
        message: "The answer could not be saved. Copy what you need, and try again in a moment.",
        allow_retry: true,
    };
    const STORAGE_FULL: Self = Self {
        message: "The answer could not be saved: the server's storage is full. Copy what you need, and tell whoever runs this chat.",
        allow_retry: false,
    };
}

impl From<&ModelError> for Failure {
    fn from(error: &ModelError) -> Self {
        let (message, allow_retry) = match error {
            ModelError::Unavailable(_) => (
                "The model cannot be reached at the moment. Try again in a little while.",
                true,
            ),
            ModelError::RateLimited(_) => (
                "The model is receiving too many requests. Wait a minute, then try again.",
                true,
            ),
            ModelError::Misconfigured(_) => (
                "The model refused this server's configuration. Please tell whoever runs this chat.",
                false,
            ),
            ModelError::TooLong(_) => (
                "This conversation has grown too long for the model. Start a new chat to go on.",
                false,
            ),
            ModelError::Declined(_) => (
                "The model declined to answer this. Put the question differently.",
                false,
            ),
            ModelError::TimedOut => (
                "The model did not answer in time. What came so far is kept; try again.",
                true,
            ),
            ModelError::Malformed(_) => return Self::BROKEN_OFF,
        };
        Self {
            message,
            allow_retry,
        }
    }
}

#[cfg(test)]
mod tests;
