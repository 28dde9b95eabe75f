//! A turn that an agent of the application's own answers: its events, under our ids, saved before they are called done.
//!
//! What an event does is what the official Python server does with it; what that would fail at is left out instead.

use std::collections::{HashMap, HashSet, VecDeque};

use protocol::{Event, ItemId, JsonObject, ThreadId, ThreadItem, ThreadPatch, ThreadStatus};

use super::{Effect, Phase, Side, Turn, ending::Failure};
use crate::{
    pictures,
    ports::{AgentCall, AgentEvent, AgentRequest, Moment},
    transcript::Closed,
};

/// How many items an agent may add in one turn.
const MAX_ITEMS: usize = 500;
/// How many characters a title or a reason may have; what is longer is cut.
const MAX_TITLE_CHARS: usize = 200;
const MAX_REASON_CHARS: usize = 1_000;
/// Largest notes about a thread, as JSON in bytes: they are read with the thread, each time.
const MAX_METADATA_BYTES: usize = 64 << 10;
/// Most hosts that images may come from.
const MAX_IMAGE_DOMAINS: usize = 100;

/// What is known of the agent that answers.
#[derive(Debug)]
pub(super) struct AgentSide {
    /// Its names for the items that it made, and ours. It may use a name again.
    ours: HashMap<ItemId, ItemId>,
    /// Items of the thread that it was told of.
    known: HashSet<ItemId>,
    /// Those of them, and of its own that are done, that may still change bit by bit.
    standing: HashMap<ItemId, ThreadItem>,
    items: usize,
    /// Whether it has to say something: a person waits for an answer.
    must_speak: bool,
}

impl AgentSide {
    pub(super) fn new(request: &AgentRequest) -> Self {
        let mut side = Self {
            ours: HashMap::new(),
            known: HashSet::new(),
            standing: HashMap::new(),
            items: 0,
            must_speak: matches!(request.call, AgentCall::Respond { .. }),
        };
        let sender = match &request.call {
            AgentCall::Action { sender, .. } => sender.as_ref(),
            AgentCall::Respond { .. } => None,
        };
        for item in request.items.iter().chain(sender) {
            side.known.insert(item.id().clone());
            side.stand(item);
        }
        side
    }

    /// Remembers an item that is done, where parts of it may change.
    fn stand(&mut self, item: &ThreadItem) {
        if matches!(item, ThreadItem::Widget(_) | ThreadItem::Workflow(_)) {
            self.standing.insert(item.id().clone(), item.clone());
        }
    }

    /// Our name for an item that the agent speaks of; nothing, where it cannot know of such an item.
    fn find(&self, id: &ItemId) -> Option<ItemId> {
        let ours = self.ours.get(id).cloned();
        ours.or_else(|| self.known.contains(id).then(|| id.clone()))
    }

    /// Gives an item that begins our name and time; false, where there are too many.
    fn adopt(
        &mut self,
        item: &mut ThreadItem,
        thread: &ThreadId,
        moment: &dyn Fn() -> Moment,
    ) -> bool {
        self.items += 1;
        if self.items > MAX_ITEMS {
            if self.items == MAX_ITEMS + 1 {
                tracing::warn!(
                    most = MAX_ITEMS,
                    "an agent has added more items than it may in one answer; the others are left out"
                );
            }
            return false;
        }
        let Moment { now, id } = moment();
        let id = ItemId::mint(id);
        self.ours.insert(item.id().clone(), id.clone());
        item.set_identity(id, thread.clone(), now);
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
            AgentEvent::Said(mut event) => {
                pictures::disown(&mut event);
                *event
            }
            AgentEvent::Patch(patch) => {
                if let Side::Agent(side) = &mut self.side {
                    side.must_speak &= patch.is_empty();
                }
                return self.patch_thread(patch, out);
            }
        };
        let Side::Agent(side) = &mut self.side else {
            return;
        };
        side.must_speak &= matches!(event, Event::StreamOptions { .. });
        // Whichever the agent has called it.
        let thread = self.transcript.thread().id.clone();
        match event {
            Event::ItemAdded { mut item } => {
                if may_add(&item) && side.adopt(&mut item, &thread, moment) {
                    self.transcript.begin(item, out);
                }
            }
            Event::ItemUpdated { item_id, update } => {
                let Some(id) = side.find(&item_id) else {
                    return;
                };
                if !self.transcript.is_growing(&id)
                    && let Some(item) = side.standing.remove(&id)
                {
                    self.transcript.reopen(item);
                }
                // One that does not fit is left out: what the agent says in the end counts.
                if self.transcript.update(&id, update, out).is_ok()
                    && self.transcript.answer_bytes() > self.limits.answer_bytes
                {
                    tracing::warn!(
                        most = self.limits.answer_bytes,
                        "an agent's answer is longer than it may be (`answer_bytes`)"
                    );
                    self.fail(&Failure::TOO_LONG, moment, out);
                }
            }
            Event::ItemDone { mut item } => {
                match side.find(item.id()) {
                    // A name that is used again is another item, unless this is the one that grows.
                    Some(id) if self.transcript.is_growing(&id) || side.known.contains(&id) => {
                        let created_at = self.transcript.began(&id).unwrap_or(item.created_at());
                        item.set_identity(id, thread, created_at);
                    }
                    _ if may_add(&item) && side.adopt(&mut item, &thread, moment) => {}
                    _ => return,
                }
                side.stand(&item);
                let closed = self.transcript.finish(item);
                self.transcript.save(closed, None, out);
            }
            Event::ItemRemoved { item_id } => {
                if let Some(id) = side.find(&item_id) {
                    side.standing.remove(&id);
                    self.transcript.remove(id, out);
                    self.transcript.save(Closed::NOTHING, None, out);
                }
            }
            Event::ItemReplaced { mut item } => {
                if let Some(id) = side.find(item.id()) {
                    let created_at = item.created_at();
                    item.set_identity(id, thread, created_at);
                    side.stand(&item);
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
            tracing::warn!("an agent has said nothing, which is no answer");
            return self.fail(&Failure::SILENT_AGENT, moment, out);
        }
        self.finish(None, out);
    }

    fn patch_thread(&mut self, patch: ThreadPatch, out: &mut VecDeque<Effect>) {
        let patch = bounded(patch);
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

/// What of a patch is kept, so that no thread outgrows its list.
fn bounded(mut patch: ThreadPatch) -> ThreadPatch {
    let cut = |text: &mut String, most: usize| {
        if let Some((end, _)) = text.char_indices().nth(most) {
            text.truncate(end);
        }
    };
    if let Some(title) = &mut patch.title {
        cut(title, MAX_TITLE_CHARS);
    }
    if let Some(
        ThreadStatus::Locked {
            reason: Some(reason),
        }
        | ThreadStatus::Closed {
            reason: Some(reason),
        },
    ) = &mut patch.status
    {
        cut(reason, MAX_REASON_CHARS);
    }
    if let Some(hosts) = &mut patch.allowed_image_domains {
        hosts.truncate(MAX_IMAGE_DOMAINS);
    }
    let is_too_large = |notes: &JsonObject| {
        serde_json::to_string(notes).is_ok_and(|text| text.len() > MAX_METADATA_BYTES)
    };
    if patch.metadata.as_ref().is_some_and(is_too_large) {
        tracing::warn!(
            most = MAX_METADATA_BYTES,
            "an agent's `metadata` of a thread is larger than it may be; the one before stays"
        );
        patch.metadata = None;
    }
    patch
}

/// Whether an agent may add such an item: what people say, only they do.
fn may_add(item: &ThreadItem) -> bool {
    !matches!(item, ThreadItem::UserMessage(_))
}
