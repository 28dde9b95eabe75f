//! What a run adds to its thread, as a value: the items that grow, and what is not in the store yet.
//!
//! Everything is saved before it is called done. What is still growing is saved now and then as a
//! checkpoint, so that a process that is killed takes little of it along.

use std::collections::VecDeque;

use protocol::{
    Event, ItemId, ItemUpdate, NotApplicable, Page, Thread, ThreadId, ThreadItem, ThreadMetadata,
    ThreadPatch, Timestamp,
    item::{Annotation, AssistantContent, AssistantMessageItem, SdkHiddenContextItem},
    source::Source,
    task::StatusIndicator,
};

use crate::{
    ports::{Change, Moment, RunEnd},
    turn::Effect,
};

/// What grows is saved when this much is new, and in a long answer when an eighth is: a checkpoint writes the whole
/// item, and one after every few words of a long one would write it hundreds of times.
const CHECKPOINT_BYTES: usize = 4096;
const CHECKPOINT_SHARE: usize = 8;
/// What an update counts that is no text, in bytes.
const UPDATE_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct Transcript {
    thread: ThreadMetadata,
    /// Items that readers know and that are not done, in the order in which they began.
    growing: Vec<Growing>,
    /// Bytes of text over all messages of this run.
    answer_bytes: usize,
    /// Items that are complete and not in the store yet.
    unsaved: Vec<ThreadItem>,
    /// Items that are gone and may be in the store.
    removed: Vec<ItemId>,
    patch: ThreadPatch,
    /// Whether the thread got a title that the store does not have, and that gives way to a person's.
    is_title_unsaved: bool,
}

/// An item that is not done yet.
#[derive(Debug)]
struct Growing {
    item: ThreadItem,
    /// How much has come, about, in bytes.
    grown: usize,
    /// How much of that is in the store; `None` where the item itself is not.
    stored: Option<usize>,
    /// Whether it was done before, and only changes: nobody is told once more that it is.
    was_done: bool,
}

impl Growing {
    fn unsaved(&self) -> usize {
        self.grown - self.stored.unwrap_or(0)
    }

    /// Whether there is nothing in it that anybody would miss.
    fn is_blank(&self) -> bool {
        match &self.item {
            ThreadItem::AssistantMessage(message) => {
                let mut parts = message.content.iter();
                parts.all(|part| part.text.trim().is_empty())
            }
            ThreadItem::Workflow(item) => item.workflow.tasks.is_empty(),
            // One that is half made is not kept.
            ThreadItem::GeneratedImage(_) => true,
            _ => false,
        }
    }
}

impl Transcript {
    pub(crate) fn new(thread: ThreadMetadata) -> Self {
        Self {
            thread,
            growing: Vec::new(),
            answer_bytes: 0,
            unsaved: Vec::new(),
            removed: Vec::new(),
            patch: ThreadPatch::default(),
            is_title_unsaved: false,
        }
    }

    pub(crate) fn thread(&self) -> &ThreadMetadata {
        &self.thread
    }

    /// The thread as its owner's browser is told.
    pub(crate) fn thread_for_client(&self) -> Thread {
        Thread::for_client(self.thread.clone(), Page::default())
    }

    /// Names the thread, unless a person has; the store is told with the next save.
    pub(crate) fn name(&mut self, title: String) {
        self.thread.title = Some(title);
        self.is_title_unsaved = true;
    }

    /// Changes the thread; the store is told with the next save.
    pub(crate) fn change_thread(&mut self, patch: ThreadPatch) {
        if patch.title.is_some() {
            self.is_title_unsaved = false;
        }
        self.thread.apply(patch.clone());
        self.patch.extend(patch);
    }

    /// Whether a message grows.
    pub(crate) fn is_saying(&self) -> bool {
        self.message().is_some()
    }

    /// The message that grows: the last item that does.
    fn message(&self) -> Option<&AssistantMessageItem> {
        match &self.growing.last()?.item {
            ThreadItem::AssistantMessage(message) => Some(message),
            _ => None,
        }
    }

    /// The text of the message that grows, where it may have been a thought: one whose code is over.
    pub(crate) fn take_thought(&mut self) -> Option<(ItemId, String)> {
        let message = self.message()?;
        let [part] = message.content.as_slice() else {
            return None;
        };
        let fences = part.text.lines().filter(|line| line.starts_with("```"));
        if fences.count() % 2 == 1 {
            return None;
        }
        let (id, text) = (message.id.clone(), part.text.clone());
        self.answer_bytes = self.answer_bytes.saturating_sub(text.len());
        Some((id, text))
    }

    /// Bytes of text that were said so far, citations included.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    /// The hot path: one event a token, and nothing else.
    pub(crate) fn say(
        &mut self,
        delta: String,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        if !self.is_saying() {
            let Moment { now, id } = moment();
            let id = ItemId::mint(id);
            let message = AssistantMessageItem {
                id: id.clone(),
                thread_id: self.thread.id.clone(),
                created_at: now,
                content: Vec::new(),
            };
            self.begin(message.into(), out);
            let content = AssistantContent::default();
            let begun = ItemUpdate::ContentPartAdded {
                content_index: 0,
                content,
            };
            // A part that is added to a message always fits.
            let _ = self.update(&id, begun, out);
        }
        let Some(Growing { item, grown, .. }) = self.growing.last_mut() else {
            return;
        };
        let ThreadItem::AssistantMessage(message) = item else {
            return;
        };
        if let Some(part) = message.content.first_mut() {
            part.text.push_str(&delta);
        }
        *grown += delta.len();
        self.answer_bytes += delta.len();
        out.push_back(Effect::Emit(Event::ItemUpdated {
            item_id: message.id.clone(),
            update: ItemUpdate::TextDelta {
                content_index: 0,
                delta,
            },
        }));
    }

    /// Adds a source to the message that grows, where there is one: at a character of its text, or at its end.
    pub(crate) fn cite(&mut self, source: Source, index: Option<u32>, out: &mut VecDeque<Effect>) {
        let Some(message) = self.message() else {
            return;
        };
        let Some(part) = message.content.first() else {
            return;
        };
        let id = message.id.clone();
        let index = index.or_else(|| u32::try_from(part.text.chars().count()).ok());
        let update = ItemUpdate::AnnotationAdded {
            content_index: 0,
            annotation_index: u32::try_from(part.annotations.len()).unwrap_or(u32::MAX),
            annotation: Box::new(Annotation { source, index }),
        };
        // It is a message, and the part is there.
        let _ = self.update(&id, update, out);
    }

    /// Begins an item that is going to grow.
    pub(crate) fn begin(&mut self, item: ThreadItem, out: &mut VecDeque<Effect>) {
        out.push_back(Effect::Emit(Event::ItemAdded { item: item.clone() }));
        // Mostly one at a time, in many answers at once: room for four would be a kilobyte in each.
        self.growing.reserve_exact(1);
        self.growing.push(Growing {
            item,
            grown: 0,
            stored: None,
            was_done: false,
        });
    }

    /// Lets an item change that was done before, in the store as for readers.
    pub(crate) fn reopen(&mut self, item: ThreadItem) {
        self.growing.push(Growing {
            item,
            grown: 0,
            stored: Some(0),
            was_done: true,
        });
    }

    /// Lets an item grow. One that does not grow, or that the update does not fit, stays as it is.
    pub(crate) fn update(
        &mut self,
        id: &ItemId,
        update: ItemUpdate,
        out: &mut VecDeque<Effect>,
    ) -> Result<(), NotApplicable> {
        let growing = self.growing.iter_mut().rfind(|one| one.item.id() == id);
        let Growing { item, grown, .. } = growing.ok_or(NotApplicable)?;
        item.apply(&update)?;
        let bytes = size_of(&update);
        *grown += bytes;
        if matches!(item, ThreadItem::AssistantMessage(_)) {
            self.answer_bytes += bytes;
        }
        out.push_back(Effect::Emit(Event::ItemUpdated {
            item_id: id.clone(),
            update,
        }));
        Ok(())
    }

    /// When this item began, while it grows.
    pub(crate) fn began(&self, id: &ItemId) -> Option<Timestamp> {
        let growing = self.growing.iter().find(|one| one.item.id() == id)?;
        Some(growing.item.created_at())
    }

    /// Whether this item grows.
    pub(crate) fn is_growing(&self, id: &ItemId) -> bool {
        self.growing.iter().any(|one| one.item.id() == id)
    }

    /// The item of this id, while it grows.
    pub(crate) fn growing_mut(&mut self, id: &ItemId) -> Option<&mut ThreadItem> {
        let growing = self.growing.iter_mut().rfind(|one| one.item.id() == id)?;
        Some(&mut growing.item)
    }

    /// Keeps an item for the next save.
    pub(crate) fn keep(&mut self, item: ThreadItem) {
        self.unsaved.push(item);
    }

    /// Keeps a note that the model is told the next time, and nobody else.
    pub(crate) fn keep_note(&mut self, text: &str, moment: &dyn Fn() -> Moment) {
        let note = note(&self.thread.id, text, moment());
        self.keep(note);
    }

    /// Takes an item as it is in the end, whether or not it has grown before, and hands it on to the next save. Nobody is
    /// told that it is done before [`Transcript::save`].
    pub(crate) fn finish(&mut self, item: ThreadItem) -> Closed {
        let place = self
            .growing
            .iter()
            .position(|one| one.item.id() == item.id());
        // What began before it, and has something in it, stands before it.
        self.checkpoint_before(place.unwrap_or(self.growing.len()));
        if let Some(place) = place {
            self.growing.remove(place);
        }
        self.unsaved.push(item.clone());
        Closed(vec![item])
    }

    /// Takes an item away from whoever knows it, and from the store.
    pub(crate) fn remove(&mut self, id: ItemId, out: &mut VecDeque<Effect>) {
        self.growing.retain(|one| *one.item.id() != id);
        self.unsaved.retain(|item| *item.id() != id);
        self.removed.push(id.clone());
        out.push_back(Effect::Emit(Event::ItemRemoved { item_id: id }));
    }

    /// Takes an item out of the store that nobody was told of.
    pub(crate) fn forget(&mut self, id: ItemId) {
        self.unsaved.retain(|item| *item.id() != id);
        self.removed.push(id);
    }

    /// Puts an item in the place of one of the same id.
    pub(crate) fn replace(&mut self, item: ThreadItem, out: &mut VecDeque<Effect>) {
        self.growing.retain(|one| one.item.id() != item.id());
        self.unsaved.push(item.clone());
        self.save(Closed::NOTHING, None, out);
        out.push_back(Effect::Emit(Event::ItemReplaced { item }));
    }

    /// Takes what grows, and hands it on to the next save. Nobody is told that it is done before [`Transcript::save`].
    pub(crate) fn close(&mut self, out: &mut VecDeque<Effect>) -> Closed {
        self.close_from(0, out)
    }

    /// As [`Transcript::close`], for the message that grows alone.
    pub(crate) fn close_message(&mut self, out: &mut VecDeque<Effect>) -> Closed {
        let others = self.growing.len() - usize::from(self.is_saying());
        self.close_from(others, out)
    }

    fn close_from(&mut self, first: usize, out: &mut VecDeque<Effect>) -> Closed {
        let mut closed = Vec::with_capacity(self.growing.len() - first);
        for Growing { item, was_done, .. } in self.growing.drain(first..) {
            if was_done {
                self.unsaved.push(item);
                continue;
            }
            if let ThreadItem::AssistantMessage(message) = &item {
                for (index, content) in (0..).zip(&message.content) {
                    out.push_back(Effect::Emit(Event::ItemUpdated {
                        item_id: message.id.clone(),
                        update: ItemUpdate::ContentPartDone {
                            content_index: index,
                            content: content.clone(),
                        },
                    }));
                }
            }
            closed.push(item);
        }
        self.unsaved.extend(closed.iter().cloned());
        Closed(closed)
    }

    /// As [`Transcript::close`], for a run that was cut: an item with nothing in it yet goes away, and so does a widget or
    /// an image that is half made. What was under way in a list of tasks is not any more.
    pub(crate) fn close_cut(&mut self, out: &mut VecDeque<Effect>) -> Closed {
        for mut growing in std::mem::take(&mut self.growing) {
            let is_kept = !growing.is_blank()
                && matches!(
                    growing.item,
                    ThreadItem::AssistantMessage(_) | ThreadItem::Workflow(_)
                );
            if !is_kept && !growing.was_done {
                let item_id = growing.item.id().clone();
                if growing.stored.is_some() {
                    self.removed.push(item_id.clone());
                }
                out.push_back(Effect::Emit(Event::ItemRemoved { item_id }));
                continue;
            }
            settle(&mut growing.item);
            self.growing.push(growing);
        }
        self.close(out)
    }

    /// Writes what is not in the store yet, then tells that what was closed is done.
    pub(crate) fn save(&mut self, closed: Closed, end: Option<RunEnd>, out: &mut VecDeque<Effect>) {
        let change = Change {
            remove: std::mem::take(&mut self.removed),
            put: std::mem::take(&mut self.unsaved),
            patch: std::mem::take(&mut self.patch),
            title_if_none: std::mem::take(&mut self.is_title_unsaved)
                .then(|| self.thread.title.clone())
                .flatten(),
            end,
            ..Change::default()
        };
        if !change.is_empty() {
            out.push_back(Effect::Save(Box::new(change)));
        }
        for item in closed.0 {
            out.push_back(Effect::Emit(Event::ItemDone { item }));
        }
    }

    /// What cannot be saved is given up.
    pub(crate) fn give_up(&mut self) {
        self.unsaved.clear();
        self.removed.clear();
        self.growing.clear();
        self.patch = ThreadPatch::default();
        self.is_title_unsaved = false;
    }

    /// Whether so much is new that it should be saved, whenever that was done last.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        let grown: usize = self.growing.iter().map(|one| one.grown).sum();
        self.unsaved_bytes() >= CHECKPOINT_BYTES.max(grown / CHECKPOINT_SHARE)
    }

    /// Whether something has grown since it was stored.
    pub(crate) fn has_unsaved_text(&self) -> bool {
        self.unsaved_bytes() > 0
    }

    fn unsaved_bytes(&self) -> usize {
        self.growing.iter().map(Growing::unsaved).sum()
    }

    /// What grows, as far as it has grown, where that is more than the store has. It is saved under its id, and replaced
    /// by what comes later.
    pub(crate) fn checkpoint(&mut self) -> Option<Change> {
        if !self.has_unsaved_text() {
            return None;
        }
        self.checkpoint_before(self.growing.len());
        Some(Change {
            put: std::mem::take(&mut self.unsaved),
            ..Change::default()
        })
    }

    /// Keeps the first of what grows for the next save. What was said before it stands before it.
    fn checkpoint_before(&mut self, place: usize) {
        for growing in self.growing.iter_mut().take(place) {
            if growing.unsaved() > 0 && !growing.is_blank() {
                growing.stored = Some(growing.grown);
                // Should the process end now, nothing of it is under way any more.
                let mut item = growing.item.clone();
                settle(&mut item);
                self.unsaved.push(item);
            }
        }
    }
}

/// Has nothing of it under way any more.
fn settle(item: &mut ThreadItem) {
    let ThreadItem::Workflow(item) = item else {
        return;
    };
    for task in &mut item.workflow.tasks {
        let status = task.status_indicator_mut();
        if *status == StatusIndicator::Loading {
            *status = StatusIndicator::None;
        }
    }
}

/// How much an update adds, about, in bytes.
fn size_of(update: &ItemUpdate) -> usize {
    match update {
        // What is said in parts has been counted, and an empty part is nothing.
        ItemUpdate::ContentPartAdded { content, .. } => content.text.len(),
        ItemUpdate::ContentPartDone { .. } | ItemUpdate::GeneratedImageUpdated { .. } => 0,
        ItemUpdate::TextDelta { delta, .. } | ItemUpdate::WidgetTextDelta { delta, .. } => {
            delta.len()
        }
        // Citations are kept with the answer, so they count as part of it.
        ItemUpdate::AnnotationAdded { annotation, .. } => match &annotation.source {
            Source::Url(source) => source.url.len() + source.title.len(),
            _ => UPDATE_BYTES,
        },
        _ => UPDATE_BYTES,
    }
}

/// Items that are complete and not saved yet.
#[must_use = "they have to be saved before anybody is told that they are done"]
pub(crate) struct Closed(Vec<ThreadItem>);

impl Closed {
    pub(crate) const NOTHING: Self = Self(Vec::new());

    /// What was said in them.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|item| match item {
            ThreadItem::AssistantMessage(message) => Some(message.content.first()?.text.as_str()),
            _ => None,
        })
    }
}

/// What the model is told of an answer that ended with the process.
pub(crate) const INTERRUPTED: &str =
    "The answer above was cut off because the server stopped; the user did not stop it.";

/// A note that the model is told, and nobody else.
pub(crate) fn note(thread: &ThreadId, text: &str, Moment { now, id }: Moment) -> ThreadItem {
    SdkHiddenContextItem {
        id: ItemId::mint(id),
        thread_id: thread.clone(),
        created_at: now,
        content: text.to_owned(),
    }
    .into()
}

/// Whether an item says that an answer ended with the process.
pub(crate) fn is_interruption(item: &ThreadItem) -> bool {
    matches!(item, ThreadItem::SdkHiddenContext(note) if note.content == INTERRUPTED)
}
