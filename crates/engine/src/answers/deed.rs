//! What a person, or their page, does in a thread instead of writing: a tool of the page answers, a form is filled in,
//! a button of a widget is pressed.

use std::sync::Arc;

use protocol::{
    Event, ItemId, JsonObject, ThreadId, ThreadItem,
    action::Action,
    event::{ErrorCode, ErrorEvent, NoticeEvent, NoticeLevel},
    item::{
        StructuredAnswer, StructuredInput, StructuredInputItem, StructuredInputStatus,
        ToolCallStatus, WidgetItem,
    },
    request::{
        CustomAction, Order, StructuredInputSubmission, SubmissionStatus,
        ThreadsAddClientToolOutput, ThreadsAddStructuredInput,
    },
};
use serde_json::Value;

use super::{Begins, check_open};
use crate::{
    approval::{self, Decision},
    asking::{self, Verdict},
    context::{Owner, RequestContext},
    engine::Engine,
    error::Error,
    history,
    nodes::Handing,
    ports::{Done, Moment, PageQuery, Room},
    runs::{Following, Reader, Settled},
    turn::{Display, Kept, Outcome},
    words::Words,
    workflow::Workflow,
};

/// How many of the newest items are looked at for what waits for the person or the page.
pub(crate) const LOOKED_AT: Room = Room {
    items: 40,
    bytes: 8 << 20,
};

/// What was done.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// A tool of the page has answered.
    ToolOutput(Value),
    /// A form was filled in, or passed over.
    Form {
        item: ItemId,
        input: StructuredInputSubmission,
    },
    /// A widget or the page asks for something.
    Action {
        action: Action,
        sender: Option<ItemId>,
        /// Under which it is kept…
        record: Moment,
        /// …and the call that it stands for.
        call: Moment,
    },
}

impl Deed {
    /// The same for another process, where calls may wait for it.
    fn for_others(&self, thread: &ThreadId) -> Option<Done> {
        match self {
            Self::ToolOutput(_) => None,
            Self::Form { item, input } => Some(Done::Form(ThreadsAddStructuredInput {
                thread_id: thread.clone(),
                item_id: item.clone(),
                input: input.clone(),
            })),
            Self::Action { action, sender, .. } => Some(Done::Action(CustomAction {
                thread_id: thread.clone(),
                item_id: sender.clone(),
                action: action.clone(),
            })),
        }
    }
}

/// What follows from a deed.
pub(super) struct Plan {
    /// The item that is answered.
    pub(super) anchor: ThreadItem,
    pub(super) put: Vec<ThreadItem>,
    pub(super) remove: Vec<ItemId>,
    /// What readers are told of it.
    pub(super) told: Vec<Event>,
    pub(super) next: Next,
    /// What is to be noted of a call that waits for the person.
    pub(super) settled: Option<Settled>,
    /// The records of calls that were to go on and do not wait here.
    missed: Vec<ItemId>,
}

/// Who goes on.
pub(super) enum Next {
    /// Whoever answers in this workflow; a model after these calls have run.
    Answer {
        calls: Vec<Kept>,
        /// The records of those that have begun and go on with what the person has answered.
        resumed: Vec<ItemId>,
        /// The widget that acted, and whether nobody answers.
        display: Display,
    },
    /// The application's agent, with the action.
    Act {
        action: Action,
        sender: Option<ThreadItem>,
    },
    /// Nobody.
    Nobody,
}

impl Next {
    /// Whoever answers in this workflow.
    pub(super) fn answer() -> Self {
        Self::Answer {
            calls: Vec::new(),
            resumed: Vec::new(),
            display: Display::default(),
        }
    }
}

impl Engine {
    pub(crate) async fn add_client_tool_output(
        &self,
        context: RequestContext,
        params: ThreadsAddClientToolOutput,
        following: Following,
    ) -> Result<Reader, Error> {
        let ThreadsAddClientToolOutput { thread_id, result } = params;
        self.do_it(context, thread_id, Deed::ToolOutput(result), following)
            .await
    }

    pub(crate) async fn add_structured_input(
        &self,
        context: RequestContext,
        params: ThreadsAddStructuredInput,
        following: Following,
    ) -> Result<Reader, Error> {
        let ThreadsAddStructuredInput {
            thread_id,
            item_id: item,
            input,
        } = params;
        self.do_it(context, thread_id, Deed::Form { item, input }, following)
            .await
    }

    pub(crate) async fn custom_action(
        &self,
        context: RequestContext,
        params: CustomAction,
        following: Following,
    ) -> Result<Reader, Error> {
        let deed = Deed::Action {
            action: params.action,
            sender: params.item_id,
            record: self.moment(),
            call: self.moment(),
        };
        self.do_it(context, params.thread_id, deed, following).await
    }

    /// Begins the run that answers a deed. One that comes while another run lives waits for it, here and not in the
    /// store: whoever did it sees whether it has come to pass.
    async fn do_it(
        &self,
        context: RequestContext,
        thread_id: ThreadId,
        deed: Deed,
        following: Following,
    ) -> Result<Reader, Error> {
        if let Some(reader) = self.known(&context, &following.client, false).await? {
            return Ok(reader);
        }
        let thread = self.store.thread(&context.owner, &thread_id).await?;
        // What cannot come to pass is refused before anything begins; it is looked at again when its turn has come.
        let workflow = Arc::clone(self.workflow_of(&context)?);
        let plan = self.plan(&context, &workflow, &thread_id, &deed).await?;
        check_open(&thread.status)?;
        self.check_room(&context).await?;
        if !plan.missed.is_empty()
            && let Some(done) = deed.for_others(&thread_id)
        {
            let handing = Handing {
                thread: &thread_id,
                anchor: plan.anchor.id(),
                calls: plan.missed,
                done,
            };
            let handed = self.hand_over(&context, handing, &following.client);
            if let Some(run) = handed.await? {
                return Ok(self.follow(&run, following));
            }
        }
        self.begin(
            context,
            workflow,
            plan.anchor,
            Begins::Deed(deed),
            following,
        )
        .await
    }

    /// What follows from a deed, as the thread stands now.
    pub(super) async fn plan(
        &self,
        context: &RequestContext,
        workflow: &Workflow,
        thread: &ThreadId,
        deed: &Deed,
    ) -> Result<Plan, Error> {
        let owner = &context.owner;
        match deed {
            Deed::ToolOutput(result) => self.plan_tool_output(owner, thread, result).await,
            Deed::Form { item, input } => {
                let item = self.store.item(owner, thread, item).await?;
                let plan = plan_form(item, input)?;
                self.plan_answer(context, thread, plan).await
            }
            Deed::Action {
                action,
                sender,
                record,
                call,
            } => {
                let sender = match sender {
                    None => None,
                    Some(item) => Some(self.store.item(owner, thread, item).await?),
                };
                self.plan_action(
                    context,
                    workflow,
                    thread,
                    (action, sender),
                    (*record, *call),
                )
                .await
            }
        }
    }

    /// The page's tool has answered: the newest item that a person can see has to be its call.
    async fn plan_tool_output(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        result: &Value,
    ) -> Result<Plan, Error> {
        let newest = self
            .store
            .newest_items(owner, thread, None, LOOKED_AT)
            .await?;
        let mut pending = newest.items.iter().rev().filter_map(|item| match item {
            ThreadItem::ClientToolCall(call) if call.status == ToolCallStatus::Pending => {
                Some(call)
            }
            _ => None,
        });
        let last = newest
            .items
            .iter()
            .rfind(|item| item.is_visible_to_user())
            .map(ThreadItem::id);
        let call = pending
            .next()
            .filter(|call| last == Some(&call.id))
            .ok_or(Error::Conflict(Words::NoToolWaits))?;
        // There should be one at a time; calls that nobody has answered would confuse the model.
        let remove: Vec<ItemId> = pending.map(|call| call.id.clone()).collect();
        let mut call = call.clone();
        call.status = ToolCallStatus::Completed;
        call.output = Some(result.clone());
        let call = ThreadItem::from(call);
        let removed = remove.iter().cloned();
        Ok(Plan {
            anchor: call.clone(),
            put: vec![call],
            told: removed
                .map(|item_id| Event::ItemRemoved { item_id })
                .collect(),
            remove,
            next: Next::answer(),
            settled: None,
            missed: Vec::new(),
        })
    }

    async fn plan_action(
        &self,
        context: &RequestContext,
        workflow: &Workflow,
        thread: &ThreadId,
        (action, sender): (&Action, Option<ThreadItem>),
        (record, call): (Moment, Moment),
    ) -> Result<Plan, Error> {
        let sender = match sender {
            None => None,
            Some(ThreadItem::Widget(widget)) => Some(widget),
            Some(other) => return Ok(refused(other)),
        };
        if let Some(widget) = &sender
            && let Some((decision, call)) = approval::decision(action)
        {
            return self
                .plan_decision(context, thread, widget, (decision, &call))
                .await;
        }
        let anchor = history::action_record(thread, record, action, sender.as_ref());
        let (put, next) = match (&workflow.agent, workflow.actions.get(&action.name)) {
            (Some(_), _) => (
                Vec::new(),
                Next::Act {
                    action: action.clone(),
                    sender: sender.map(Into::into),
                },
            ),
            (None, None) => (vec![anchor.clone()], Next::answer()),
            (None, Some(rule)) => {
                let kept = Kept {
                    call: self.call_of(context, rule, (thread, action, sender.as_ref()))?,
                    record: ItemId::mint(call.id),
                    at: call.now,
                    round: None,
                };
                let begun = history::tool_record(thread, &kept, &Outcome::unknown());
                let display = Display {
                    sender: sender.map(|widget| widget.id),
                    is_silent: !rule.answers,
                    ..Display::default()
                };
                let calls = vec![kept];
                let next = Next::Answer {
                    calls,
                    resumed: Vec::new(),
                    display,
                };
                (vec![anchor.clone(), begun], next)
            }
        };
        Ok(Plan {
            anchor,
            put,
            remove: Vec::new(),
            told: Vec::new(),
            next,
            settled: None,
            missed: Vec::new(),
        })
    }

    /// A person has allowed or refused a call. It runs as it was shown, once all calls of its answer are decided.
    async fn plan_decision(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        card: &WidgetItem,
        (decision, call): (Decision, &ItemId),
    ) -> Result<Plan, Error> {
        let owner = &context.owner;
        let item = self.store.item(owner, thread, call).await?;
        let (kept, mut outcome) = history::kept_call(&item)
            .filter(|(_, outcome)| outcome.awaits.as_ref() == Some(&card.id))
            .ok_or(Error::Conflict(Words::DecidedAlready))?;
        outcome.awaits = None;
        let told = match decision {
            Decision::Allow => history::ALLOWED,
            Decision::Refuse => history::REFUSED,
        };
        told.clone_into(&mut outcome.output);
        let shown = approval::decided(card, &kept, decision, context.language());
        let mut put = vec![history::tool_record(thread, &kept, &outcome), shown.clone()];
        let next = self.after(owner, thread, (kept, outcome), &mut put).await?;
        let missed = match &next {
            Next::Answer { resumed, .. } => {
                let is_missed = |record: &&ItemId| !self.runs.asked.has(record);
                resumed.iter().filter(is_missed).cloned().collect()
            }
            _ => Vec::new(),
        };
        Ok(Plan {
            anchor: item,
            put,
            remove: Vec::new(),
            told: vec![Event::ItemReplaced { item: shown }],
            next,
            settled: None,
            missed,
        })
    }
}

impl Engine {
    /// Who goes on when one call of an answer is decided: nobody, until all of them are; then those that may run, and what
    /// waits for what the person has answered.
    async fn after(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        (kept, outcome): (Kept, Outcome),
        put: &mut Vec<ThreadItem>,
    ) -> Result<Next, Error> {
        let mut round = self.others_of_round(owner, thread, &kept).await?;
        round.push((kept, outcome));
        if round.iter().any(|(_, outcome)| outcome.awaits.is_some()) {
            return Ok(Next::Nobody);
        }
        round.retain(|(_, outcome)| {
            outcome.output == history::ALLOWED || outcome.output == history::ANSWERED
        });
        round.sort_by(|(one, _), (other, _)| one.record.as_ref().cmp(other.record.as_ref()));
        let is_resumed = |(kept, outcome): &(Kept, Outcome)| {
            (outcome.output == history::ANSWERED).then(|| kept.record.clone())
        };
        let resumed = round.iter().filter_map(is_resumed).collect();
        let calls: Vec<Kept> = round.into_iter().map(|(kept, _)| kept).collect();
        // That they are about to run is known before they do.
        put.extend(
            calls
                .iter()
                .map(|kept| history::tool_record(thread, kept, &Outcome::unknown())),
        );
        Ok(Next::Answer {
            calls,
            resumed,
            display: Display::default(),
        })
    }

    /// What follows from the answers of a form, where a tool's server has asked: the call goes on, or something is asked
    /// for once more. Where nothing waits for them any more, the person is told, and the model.
    async fn plan_answer(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        mut plan: Plan,
    ) -> Result<Plan, Error> {
        let ThreadItem::StructuredInput(form) = &plan.anchor else {
            return Ok(plan);
        };
        let owner = &context.owner;
        let asked = self.runs.asked.of_form(&form.id);
        let record = match &asked {
            Some(asked) => Some(self.store.item(owner, thread, &asked.record).await?),
            None => self.record_that_awaits(owner, thread, &form.id).await?,
        };
        let Some((kept, mut outcome)) = record.as_ref().and_then(history::kept_call) else {
            return Ok(plan);
        };
        outcome.awaits = None;
        let Some(asked) = asked else {
            history::GONE.clone_into(&mut outcome.output);
            let words = Words::ToolStoppedWaiting.text(context.language());
            plan.told.push(Event::Notice(NoticeEvent {
                level: NoticeLevel::Info,
                message: words.into_owned(),
                title: None,
            }));
            plan.put.push(history::tool_record(thread, &kept, &outcome));
            plan.missed.push(kept.record.clone());
            plan.next = self
                .after(owner, thread, (kept, outcome), &mut plan.put)
                .await?;
            return Ok(plan);
        };
        let verdict = asking::read((&asked.asking, &asked.filled), form, asked.language);
        let mut settled = Settled {
            form: form.id.clone(),
            next: None,
            verdict,
        };
        if let Verdict::Again(filled) = &settled.verdict {
            let again = (&asked.asking, filled);
            let again = asking::form(thread, again, self.moment(), asked.language);
            outcome.awaits = Some(again.id().clone());
            settled.next = Some(again.id().clone());
            plan.put.push(history::tool_record(thread, &kept, &outcome));
            plan.put.push(again.clone());
            plan.told.push(Event::ItemDone { item: again });
            plan.next = Next::Nobody;
        } else {
            history::ANSWERED.clone_into(&mut outcome.output);
            plan.put.push(history::tool_record(thread, &kept, &outcome));
            plan.next = self
                .after(owner, thread, (kept, outcome), &mut plan.put)
                .await?;
        }
        plan.settled = Some(settled);
        Ok(plan)
    }

    /// The record of the call that waits, or has waited, for the answers of this form.
    async fn record_that_awaits(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        form: &ItemId,
    ) -> Result<Option<ThreadItem>, Error> {
        let before = self
            .store
            .newest_items(owner, thread, Some(form), LOOKED_AT)
            .await?;
        let awaits = |item: &ThreadItem| {
            history::kept_call(item)
                .is_some_and(|(_, outcome)| outcome.awaits.as_ref() == Some(form))
        };
        Ok(before.items.into_iter().rev().find(awaits))
    }

    /// The other calls of the same answer: they were kept together, so they follow the first one, wherever that is by now.
    async fn others_of_round(
        &self,
        owner: &Owner,
        thread: &ThreadId,
        kept: &Kept,
    ) -> Result<Vec<(Kept, Outcome)>, Error> {
        let Some(first) = &kept.round else {
            return Ok(Vec::new());
        };
        let query = PageQuery {
            limit: PageQuery::MAX_LIMIT,
            order: Order::Asc,
            after: Some(first.to_string()),
            before: None,
        };
        let mut items = vec![self.store.item(owner, thread, first).await?];
        items.extend(self.store.items(owner, thread, &query).await?.data);
        let calls = items.iter().filter_map(history::kept_call);
        Ok(calls
            .filter(|(other, _)| other.round == kept.round && other.record != kept.record)
            .collect())
    }
}

/// The answers of a form, as far as its questions ask for them.
fn plan_form(item: ThreadItem, input: &StructuredInputSubmission) -> Result<Plan, Error> {
    let ThreadItem::StructuredInput(mut form) = item else {
        return Err(Error::Invalid {
            message: "only a form can be answered; name one in `item_id`".into(),
            param: Some("params.item_id".to_owned()),
        });
    };
    if form.status != StructuredInputStatus::Pending {
        return Err(Error::Conflict(Words::FormAnsweredAlready));
    }
    answer(&mut form, input);
    let form = ThreadItem::from(form);
    Ok(Plan {
        anchor: form.clone(),
        put: vec![form.clone()],
        remove: Vec::new(),
        told: vec![Event::ItemReplaced { item: form }],
        next: Next::answer(),
        settled: None,
        missed: Vec::new(),
    })
}

fn answer(form: &mut StructuredInputItem, input: &StructuredInputSubmission) {
    let is_skipped = input.status == SubmissionStatus::Skipped;
    let mut known = 0;
    for question in &mut form.inputs {
        let (id, place, most) = match question {
            StructuredInput::MultipleChoice(choice) => {
                let most = if choice.multiple { usize::MAX } else { 1 };
                (&choice.id, &mut choice.answer, most)
            }
            StructuredInput::Freeform(freeform) => (&freeform.id, &mut freeform.answer, usize::MAX),
        };
        let given = input.answers.get(id);
        known += usize::from(given.is_some());
        let given = given.filter(|given| !is_skipped && !given.skipped && !given.values.is_empty());
        *place = Some(match given {
            Some(given) => StructuredAnswer {
                values: given.values.iter().take(most).cloned().collect(),
                skipped: false,
            },
            None => StructuredAnswer {
                values: Vec::new(),
                skipped: true,
            },
        });
    }
    if known < input.answers.len() {
        tracing::warn!(
            unknown = input.answers.len() - known,
            "answers to questions that the form does not ask were left out"
        );
    }
    form.status = if is_skipped {
        StructuredInputStatus::Skipped
    } else {
        StructuredInputStatus::Answered
    };
}

/// As the official server has it: an event, for a page that speaks of the wrong item.
fn refused(sender: ThreadItem) -> Plan {
    Plan {
        anchor: sender,
        put: Vec::new(),
        remove: Vec::new(),
        told: vec![Event::Error(ErrorEvent {
            code: ErrorCode::StreamError,
            message: Some(not_a_widget().to_string()),
            allow_retry: false,
        })],
        next: Next::Nobody,
        settled: None,
        missed: Vec::new(),
    }
}

pub(super) fn not_a_widget() -> Error {
    Error::Invalid {
        message: "only a widget can act; name one in `item_id`, or leave it out".into(),
        param: Some("params.item_id".to_owned()),
    }
}

/// The arguments of a call that a page is to run.
pub(crate) fn arguments(text: &str) -> Option<JsonObject> {
    match text.trim() {
        "" => Some(JsonObject::new()),
        text => serde_json::from_str(text).ok(),
    }
}
