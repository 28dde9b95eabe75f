//! A turn that a model answers: asked, heard, given what its tools found, asked again.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use protocol::{
    Event, ItemId, ThreadItem, WidgetRoot,
    event::NoticeLevel,
    item::{ClientToolCallItem, ToolCallStatus, WidgetItem},
    source::{FileSource, Source, UrlSource},
};

use super::{
    Effect, Phase, Side, Turn,
    activity::Activity,
    drawing::Drawings,
    ending::{Failure, notice},
    progress,
    tools::{Kept, Outcome, ToolUse},
};
use crate::{
    approval,
    asking::{self, Filled},
    history,
    limits::TurnLimits,
    ports::{Change, ModelError, ModelEvent, ModelInput, ModelRequest, Moment, ToolEvent},
    runs::Asked,
    template::{self, WidgetTemplate},
    transcript::Closed,
    words::{Language, Words},
};

/// What is known of the model that answers.
#[derive(Debug)]
pub(super) struct ModelSide {
    request: ModelRequest,
    /// How many entries of the request's input come before the question, until some of them were left out because they
    /// were too many for the model.
    earlier: Option<usize>,
    tools: ToolUse,
    pub(super) activity: Activity,
    pub(super) drawings: Drawings,
    /// What asks the person about calls of this round, or for them.
    cards: Vec<ThreadItem>,
    display: Display,
}

/// What becomes of tools' results besides being told to the model.
#[derive(Debug, Default)]
pub(crate) struct Display {
    /// What is shown of them, by the tool's name.
    pub(crate) widgets: Arc<HashMap<String, WidgetTemplate>>,
    /// The widget that acted: what is shown of the tool that runs for it takes its place.
    pub(crate) sender: Option<ItemId>,
    /// Whether nobody answers when the tools that the turn began with have run.
    pub(crate) is_silent: bool,
}

impl ModelSide {
    pub(super) fn new(
        request: ModelRequest,
        display: Display,
        limits: &TurnLimits,
        language: Language,
    ) -> Self {
        let is_question = |input: &ModelInput| matches!(input, ModelInput::User(_));
        Self {
            earlier: request.input.iter().rposition(is_question),
            tools: ToolUse::new(limits),
            activity: Activity::new(language),
            drawings: Drawings::default(),
            cards: Vec::new(),
            display,
            request,
        }
    }

    /// What the model is told besides, when it is asked again.
    pub(super) fn hear(&mut self, input: ModelInput) {
        self.request.input.push(input);
    }

    /// Asks the model with what stands in the request.
    fn ask(&self, out: &mut VecDeque<Effect>) {
        out.push_back(Effect::AskModel {
            request: Box::new(self.request.clone()),
            may_use_tools: self.tools.is_offered(),
        });
    }
}

impl Turn {
    /// Asks the model, where one answers, or runs what is to run before.
    pub(super) fn begin_model(
        &mut self,
        calls: Vec<Kept>,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        if calls.is_empty() {
            return side.ask(out);
        }
        let calls = side.tools.resume_round(calls);
        side.activity
            .call(&calls, &mut self.transcript, moment, out);
        self.phase = Phase::Acting;
        out.push_back(Effect::CallTools {
            calls,
            are_approved: true,
        });
    }

    pub(super) fn on_model(
        &mut self,
        event: ModelEvent,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        match event {
            ModelEvent::TextDelta(mut delta) => {
                if !self.transcript.is_saying() {
                    if side.drawings.have_begun() {
                        // What parts it from the words before the picture.
                        delta = String::from(delta.trim_start());
                    }
                    // Many begin with a blank line. Alone it is no answer, and no provider takes it back as one.
                    if delta.trim().is_empty() {
                        return;
                    }
                    self.end_activity(moment, out);
                }
                self.transcript.say(delta, moment, out);
                self.check_length(moment, out);
            }
            ModelEvent::ReasoningDelta(delta) => {
                // What it thinks while it speaks is not shown: it would cut its words in two.
                if !self.transcript.is_saying() {
                    side.activity
                        .think(&delta, &mut self.transcript, moment, out);
                }
            }
            ModelEvent::ThoughtEnd(tag) => match self.transcript.take_thought() {
                Some((id, thought)) => {
                    self.transcript.remove(id, out);
                    side.activity
                        .think(&thought, &mut self.transcript, moment, out);
                }
                None => self.transcript.say(tag.to_owned(), moment, out),
            },
            ModelEvent::UrlCitation { url, title, index } => {
                let source = Source::Url(UrlSource {
                    title,
                    description: None,
                    timestamp: None,
                    group: None,
                    url,
                    attribution: None,
                });
                self.transcript.cite(source, index, out);
                self.check_length(moment, out);
            }
            ModelEvent::FileCitation { name, index, .. } => {
                let source = Source::File(FileSource {
                    title: name.clone(),
                    description: None,
                    timestamp: None,
                    group: None,
                    filename: name,
                });
                self.transcript.cite(source, index, out);
                self.check_length(moment, out);
            }
            ModelEvent::Builtin(event) => self.on_builtin(event, moment, out),
            ModelEvent::Thought(thought) => side.tools.think(thought, self.transcript.is_saying()),
            ModelEvent::ToolCall(call) => side.tools.want(call),
            ModelEvent::Completed {
                is_truncated,
                usage: _,
            } => {
                if is_truncated {
                    // The arguments of a call may have been cut off, too.
                    side.tools.drop_calls();
                }
                if side.tools.has_calls() {
                    self.give_up_drawings(out);
                    self.act(moment, out);
                } else {
                    self.complete(is_truncated, moment, out);
                }
            }
        }
    }

    pub(super) fn on_model_failed(
        &mut self,
        error: &ModelError,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        if matches!(error, ModelError::TooLong(_)) && self.has_shortened() {
            if let Side::Model(side) = &self.side {
                side.ask(out);
            }
        } else {
            self.fail(&Failure::from(error), moment, out);
        }
    }

    /// Leaves out half of what was said earlier, once and before the model has said anything. How much fits into a model
    /// only its provider knows; the budget is an estimate.
    fn has_shortened(&mut self) -> bool {
        let Side::Model(side) = &mut self.side else {
            return false;
        };
        if self.transcript.is_saying() || side.tools.has_calls() || side.drawings.have_begun() {
            return false;
        }
        // It thinks anew.
        side.tools.forget();
        let earlier = side.earlier.take();
        earlier.is_some_and(|earlier| history::shorten(&mut side.request.input, earlier))
    }

    /// Ends an answer that has grown too long.
    fn check_length(&mut self, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        if self.transcript.answer_bytes() > self.limits.answer_bytes
            && let Side::Model(side) = &mut self.side
        {
            side.tools.drop_calls();
            self.complete(true, moment, out);
        }
    }

    /// What the model did before it spoke is over, and saved.
    pub(super) fn end_activity(&mut self, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        if let Some(item) = self.sum_up(moment, out) {
            let closed = self.transcript.finish(item);
            self.transcript.save(closed, None, out);
        }
    }

    /// What the model did is over: one line says what it was. The item, where there is one, still grows.
    pub(super) fn sum_up(
        &mut self,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) -> Option<ThreadItem> {
        let Side::Model(side) = &mut self.side else {
            return None;
        };
        side.activity.end(&mut self.transcript, moment, out)
    }

    /// Starts the tools the model asked for. That they are about to run is in the store before they run: if the process
    /// ends meanwhile, nobody takes them for ones that never ran.
    fn act(&mut self, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        let closed = self.transcript.close_message(out);
        self.phase = Phase::Acting;
        let mut calls = Vec::new();
        for kept in side.tools.begin_round(closed.text(), moment) {
            let item = kept.item(&self.transcript, &Outcome::unknown());
            self.transcript.keep(item);
            calls.push(kept.call);
        }
        self.transcript.save(closed, None, out);
        side.activity
            .call(&calls, &mut self.transcript, moment, out);
        out.push_back(Effect::CallTools {
            calls,
            are_approved: false,
        });
    }

    /// A result is saved as soon as it is there; the model hears of all of them together.
    pub(super) fn on_tool(
        &mut self,
        place: usize,
        event: ToolEvent,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        let mut shown = Vec::new();
        let outcome = match event {
            ToolEvent::Progress(text) => return out.push_back(progress(text)),
            ToolEvent::Done {
                output,
                is_error,
                files,
            } => {
                shown = files;
                Outcome {
                    output,
                    is_error,
                    awaits: None,
                }
            }
            ToolEvent::NeedsApproval => {
                let Some(kept) = side.tools.kept(place) else {
                    return;
                };
                let card =
                    approval::card(&self.transcript.thread().id, &kept, moment(), self.language);
                let awaits = Some(card.id().clone());
                side.cards.push(card);
                Outcome {
                    output: history::AWAITING.to_owned(),
                    is_error: true,
                    awaits,
                }
            }
            ToolEvent::Asks(question, waiting) => {
                let Some(kept) = side.tools.kept(place) else {
                    return;
                };
                let thread = &self.transcript.thread().id;
                let filled = Filled::default();
                let card = asking::card(thread, &question, moment(), self.language);
                let form = asking::form(thread, (&question, &filled), moment(), self.language);
                let awaits = form.id().clone();
                out.push_back(Effect::Ask(Box::new(Asked {
                    thread: thread.clone(),
                    form: awaits.clone(),
                    record: kept.record,
                    asking: *question,
                    filled,
                    language: self.language,
                    waiting,
                })));
                side.cards.extend([card, form]);
                Outcome {
                    output: history::ASKED.to_owned(),
                    is_error: true,
                    awaits: Some(awaits),
                }
            }
            ToolEvent::ForPage(arguments) => match side.tools.give_to_page(place, arguments) {
                None => return,
                Some(Err(outcome)) => outcome,
                Some(Ok(record)) => {
                    self.transcript.forget(record);
                    return self.end_round(moment, out);
                }
            },
        };
        let Some((kept, outcome)) = side.tools.finish(place, outcome, shown) else {
            return;
        };
        let item = kept.item(&self.transcript, outcome);
        side.activity
            .called(place, outcome, &mut self.transcript, moment, out);
        self.transcript.keep(item);
        let widget = widget(&side.display, &kept, outcome);
        let sender = side.display.sender.clone();
        match widget {
            Some(widget) => self.show(widget, sender, moment, out),
            None => self.transcript.save(Closed::NOTHING, None, out),
        }
        self.end_round(moment, out);
    }

    /// Shows a widget: in the place of the one that acted, or as a new one.
    fn show(
        &mut self,
        widget: WidgetRoot,
        sender: Option<ItemId>,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Moment { now, id } = moment();
        let is_new = sender.is_none();
        let item = WidgetItem {
            id: sender.unwrap_or_else(|| ItemId::mint(id)),
            thread_id: self.transcript.thread().id.clone(),
            created_at: now,
            widget,
            copy_text: None,
        };
        if is_new {
            let closed = self.transcript.finish(item.into());
            self.transcript.save(closed, None, out);
        } else {
            self.transcript.replace(item.into(), out);
        }
    }

    /// Goes on, once all tools of the round have come to their end: with the model, or with the person, whose page or
    /// consent is needed.
    fn end_round(&mut self, moment: &dyn Fn() -> Moment, out: &mut VecDeque<Effect>) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        if side.tools.is_running() {
            return;
        }
        // What runs later has been asked for by the model.
        side.display.sender = None;
        if std::mem::take(&mut side.display.is_silent) && side.cards.is_empty() {
            self.sum_up(moment, out);
            return self.finish(None, out);
        }
        let for_page = side.tools.take_for_page();
        let cards = std::mem::take(&mut side.cards);
        if for_page.is_none() && cards.is_empty() {
            // The user's choice of a tool is fulfilled by the first round.
            side.request.tool_choice = None;
            side.tools.end_round(&mut side.request.input);
            self.phase = Phase::Listening;
            return out.push_back(Effect::Listen);
        }
        self.end_activity(moment, out);
        for card in cards {
            let closed = self.transcript.finish(card);
            self.transcript.save(closed, None, out);
        }
        if let Some((call, arguments)) = for_page {
            let Moment { now, id } = moment();
            let item = ClientToolCallItem {
                id: ItemId::mint(id),
                thread_id: self.transcript.thread().id.clone(),
                created_at: now,
                status: ToolCallStatus::Pending,
                call_id: call.call_id,
                name: call.name,
                arguments,
                output: None,
            };
            let closed = self.transcript.finish(item.into());
            self.transcript.save(closed, None, out);
        }
        self.finish(None, out);
    }

    /// The model is asked again, with what the person has said meanwhile.
    pub(super) fn on_heard(
        &mut self,
        messages: Vec<ThreadItem>,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        if !messages.is_empty() {
            // What was done before they were heard stands before them.
            self.end_activity(moment, out);
        }
        let Side::Model(side) = &mut self.side else {
            return;
        };
        for message in messages {
            side.request
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
        side.ask(out);
    }

    /// The answer is complete: says so if it is empty or cut, and waits for the title if need be.
    fn complete(
        &mut self,
        is_truncated: bool,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        let has_more_to_do = side.tools.has_refused();
        // A picture is an answer.
        let has_answered = self.transcript.answer_bytes() > 0 || side.drawings.has_kept();
        self.give_up_drawings(out);
        if !has_answered {
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
            Some(Words::CutOff)
        } else if has_more_to_do {
            Some(Words::EndedByToolLimit)
        } else {
            None
        };
        let notice = |words| notice(NoticeLevel::Warning, &words, self.language);
        self.finish(words.map(notice).map(Effect::Emit), out);
    }
}

/// What is shown of a tool's result, where something is.
pub(crate) fn widget(display: &Display, kept: &Kept, outcome: &Outcome) -> Option<WidgetRoot> {
    let template = display.widgets.get(&kept.call.name)?;
    if outcome.is_error {
        return None;
    }
    template
        .build(&template::data_of(&outcome.output))
        .inspect_err(|error| {
            tracing::warn!(
                tool = kept.call.name,
                error = error as &dyn std::error::Error,
                "a tool's result cannot be shown as a widget"
            );
        })
        .ok()
}
