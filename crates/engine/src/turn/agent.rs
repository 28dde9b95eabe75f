//! A turn that an agent of the application's own answers: its events, under our ids, saved before they are called done.
//!
//! What an event does is what the official Python server does with it; what that would fail at is left out instead.

use std::collections::{HashMap, HashSet, VecDeque};

use protocol::{Event, ItemId, ThreadItem, ThreadPatch};

use super::{Effect, Phase, Side, Turn, ending::Failure};
use crate::{
    ports::{AgentCall, AgentEvent, AgentRequest, Moment},
    transcript::Closed,
};

/// How many items an agent may add in one turn.
const MAX_ITEMS: usize = 500;

/// What is known of the agent that answers.
#[derive(Debug)]
pub(super) struct AgentSide {
    /// Its names for the items that it made, and ours. It may use a name again.
    ours: HashMap<ItemId, ItemId>,
    /// Items of the thread that it was told of.
    known: HashSet<ItemId>,
    items: usize,
    /// Whether it has to say something: a person waits for an answer.
    must_speak: bool,
}

impl AgentSide {
    pub(super) fn new(request: &AgentRequest) -> Self {
        let mut known: HashSet<ItemId> =
            request.items.iter().map(|item| item.id().clone()).collect();
        if let AgentCall::Action {
            sender: Some(sender),
            ..
        } = &request.call
        {
            known.insert(sender.id().clone());
        }
        Self {
            ours: HashMap::new(),
            known,
            items: 0,
            must_speak: matches!(request.call, AgentCall::Respond { .. }),
        }
    }

    /// Our name for an item that the agent speaks of; nothing, where it cannot know of such an item.
    fn find(&self, id: &ItemId) -> Option<ItemId> {
        let ours = self.ours.get(id).cloned();
        ours.or_else(|| self.known.contains(id).then(|| id.clone()))
    }

    /// Gives an item that begins our name and time; false, where there are too many.
    fn adopt(&mut self, item: &mut ThreadItem, moment: &dyn Fn() -> Moment) -> bool {
        if self.items >= MAX_ITEMS {
            return false;
        }
        self.items += 1;
        let Moment { now, id } = moment();
        let id = ItemId::mint(id);
        self.ours.insert(item.id().clone(), id.clone());
        let thread = item.thread_id().clone();
        item.set_identity(id, thread, now);
        true
    }
}

impl Turn {
    pub(super) fn on_agent(
        &mut self,
        event: AgentEvent,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let event = match event {
            AgentEvent::Said(event) => *event,
            AgentEvent::Patch(patch) => return self.patch_thread(patch, out),
        };
        let Side::Agent(side) = &mut self.side else {
            return;
        };
        side.must_speak &= matches!(event, Event::StreamOptions { .. });
        match event {
            Event::ItemAdded { mut item } => {
                if may_add(&item) && side.adopt(&mut item, moment) {
                    self.transcript.begin(self.of_thread(item), out);
                }
            }
            Event::ItemUpdated { item_id, update } => {
                if let Some(id) = side.find(&item_id)
                    // One that does not fit is left out: what the agent says in the end counts.
                    && self.transcript.update(&id, update, out).is_ok()
                    && self.transcript.answer_bytes() > self.limits.answer_bytes
                {
                    self.fail(&Failure::TOO_LONG, moment, out);
                }
            }
            Event::ItemDone { mut item } => {
                match side.find(item.id()) {
                    // A name that is used again is another item, unless this is the one that grows.
                    Some(id) if self.transcript.is_growing(&id) || side.known.contains(&id) => {
                        let created_at = self.transcript.began(&id).unwrap_or(item.created_at());
                        let thread = item.thread_id().clone();
                        item.set_identity(id, thread, created_at);
                    }
                    _ if may_add(&item) && side.adopt(&mut item, moment) => {}
                    _ => return,
                }
                let item = self.of_thread(item);
                let closed = self.transcript.finish(item);
                self.transcript.save(closed, None, out);
            }
            Event::ItemRemoved { item_id } => {
                if let Some(id) = side.find(&item_id) {
                    self.transcript.remove(id, out);
                    self.transcript.save(Closed::NOTHING, None, out);
                }
            }
            Event::ItemReplaced { mut item } => {
                if let Some(id) = side.find(item.id()) {
                    let (thread, created_at) = (item.thread_id().clone(), item.created_at());
                    item.set_identity(id, thread, created_at);
                    let item = self.of_thread(item);
                    self.transcript.replace(item, out);
                }
            }
            Event::ThreadUpdated { thread } => {
                let told = thread.thread;
                self.patch_thread(
                    ThreadPatch {
                        title: told.title,
                        // The browser's form of a thread has none, so none is meant.
                        metadata: None,
                        status: Some(told.status),
                        allowed_image_domains: told.allowed_image_domains,
                    },
                    out,
                );
            }
            Event::Error(error) => self.fail_with(Effect::Emit(error.into()), moment, out),
            event @ (Event::StreamOptions { .. }
            | Event::ProgressUpdate { .. }
            | Event::ClientEffect { .. }
            | Event::Notice(_)) => out.push_back(Effect::Emit(event)),
            // The thread is there, and who has asked knows of it.
            Event::ThreadCreated { .. } => {}
        }
    }

    pub(super) fn on_agent_ended(
        &mut self,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Side::Agent(side) = &self.side else {
            return;
        };
        if side.must_speak {
            return self.fail(&Failure::SILENT_AGENT, moment, out);
        }
        self.finish(None, out);
    }

    /// An item of this thread, whichever the agent has called it.
    fn of_thread(&self, mut item: ThreadItem) -> ThreadItem {
        let (id, created_at) = (item.id().clone(), item.created_at());
        item.set_identity(id, self.transcript.thread().id.clone(), created_at);
        item
    }

    fn patch_thread(&mut self, patch: ThreadPatch, out: &mut VecDeque<Effect>) {
        if self.phase != Phase::Answering || patch.is_empty() {
            return;
        }
        self.transcript.change_thread(patch);
        self.transcript.save(Closed::NOTHING, None, out);
        out.push_back(Effect::Emit(Event::ThreadUpdated {
            thread: self.transcript.thread_for_client(),
        }));
    }
}

/// Whether an agent may add such an item: what people say, only they do.
fn may_add(item: &ThreadItem) -> bool {
    !matches!(item, ThreadItem::UserMessage(_))
}
