//! What a run adds to its thread, as a value: the message that grows, and what is not in the store yet.
//!
//! Everything is saved before it is called done. Text that is still growing is saved now and then as a
//! checkpoint, so that a process that is killed takes little of it along.

use std::collections::VecDeque;

use protocol::{
    Event, ItemId, ItemUpdate, Page, Thread, ThreadId, ThreadItem, ThreadMetadata,
    item::{Annotation, AssistantContent, AssistantMessageItem, SdkHiddenContextItem},
    source::{Source, UrlSource},
};

use crate::{
    ports::{Change, Moment, RunEnd},
    turn::Effect,
};

/// Text is saved when this much is new, and in a long answer when an eighth is: a checkpoint writes the whole message,
/// and one after every few words of a long one would write it hundreds of times.
const CHECKPOINT_BYTES: usize = 4096;
const CHECKPOINT_SHARE: usize = 8;

#[derive(Debug)]
pub(crate) struct Transcript {
    thread: ThreadMetadata,
    /// The assistant's message while it grows.
    message: Option<AssistantMessageItem>,
    /// How much of that message's text is in the store.
    stored_bytes: usize,
    /// Bytes of text over all messages of this run.
    answer_bytes: usize,
    /// Items that are not in the store yet.
    unsaved: Vec<ThreadItem>,
    is_thread_unsaved: bool,
}

impl Transcript {
    pub(crate) fn new(thread: ThreadMetadata) -> Self {
        Self {
            thread,
            message: None,
            stored_bytes: 0,
            answer_bytes: 0,
            unsaved: Vec::new(),
            is_thread_unsaved: false,
        }
    }

    pub(crate) fn thread(&self) -> &ThreadMetadata {
        &self.thread
    }

    /// The thread as its owner's browser is told.
    pub(crate) fn thread_for_client(&self) -> Thread {
        Thread::for_client(self.thread.clone(), Page::default())
    }

    /// Names the thread; the store is told with the next save.
    pub(crate) fn name(&mut self, title: String) {
        self.thread.title = Some(title);
        self.is_thread_unsaved = true;
    }

    /// Whether a message grows.
    pub(crate) fn is_saying(&self) -> bool {
        self.message.is_some()
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
            self.stored_bytes = 0;
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
    }

    /// Adds a source to the message that grows, where there is one.
    pub(crate) fn cite(
        &mut self,
        url: String,
        title: String,
        index: Option<u32>,
        out: &mut VecDeque<Effect>,
    ) {
        let Some(message) = &mut self.message else {
            return;
        };
        let Some(part) = message.content.first_mut() else {
            return;
        };
        // Citations are kept with the answer, so they count as part of it.
        self.answer_bytes += url.len() + title.len();
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
            annotation: Box::new(annotation.clone()),
        };
        part.annotations.push(annotation);
        let item_id = message.id.clone();
        out.push_back(Effect::Emit(Event::ItemUpdated { item_id, update }));
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

    /// Takes the message that grows, where one is open, and hands it on to the next save. Nobody is told that it is done
    /// before [`Transcript::save`].
    pub(crate) fn close(&mut self, out: &mut VecDeque<Effect>) -> Closed {
        let Some(message) = self.message.take() else {
            return Closed(None);
        };
        if let Some(content) = message.content.first() {
            out.push_back(Effect::Emit(Event::ItemUpdated {
                item_id: message.id.clone(),
                update: ItemUpdate::ContentPartDone {
                    content_index: 0,
                    content: content.clone(),
                },
            }));
        }
        self.unsaved.push(message.clone().into());
        Closed(Some(message))
    }

    /// As [`Transcript::close`], for a run that was cut: a message in which nothing is said yet goes away.
    pub(crate) fn close_cut(&mut self, out: &mut VecDeque<Effect>) -> Closed {
        let is_blank = |message: &AssistantMessageItem| {
            message
                .content
                .iter()
                .all(|part| part.text.trim().is_empty())
        };
        if self.stored_bytes == 0
            && let Some(message) = self.message.take_if(|message| is_blank(message))
        {
            out.push_back(Effect::Emit(Event::ItemRemoved {
                item_id: message.id,
            }));
        }
        self.close(out)
    }

    /// Writes what is not in the store yet, then tells that the message is done.
    pub(crate) fn save(&mut self, closed: Closed, end: Option<RunEnd>, out: &mut VecDeque<Effect>) {
        let change = Change {
            put: std::mem::take(&mut self.unsaved),
            title_if_none: std::mem::take(&mut self.is_thread_unsaved)
                .then(|| self.thread.title.clone())
                .flatten(),
            end,
            ..Change::default()
        };
        if !change.is_empty() {
            out.push_back(Effect::Save(Box::new(change)));
        }
        if let Closed(Some(message)) = closed {
            out.push_back(Effect::Emit(Event::ItemDone {
                item: message.into(),
            }));
        }
    }

    /// What cannot be saved is given up.
    pub(crate) fn give_up(&mut self) {
        self.unsaved.clear();
        self.message = None;
        self.is_thread_unsaved = false;
    }

    /// Whether so much text is new that it should be saved, whenever that was done last.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        let said = self.said();
        said - self.stored_bytes >= CHECKPOINT_BYTES.max(said / CHECKPOINT_SHARE)
    }

    /// Whether the message has grown since it was stored.
    pub(crate) fn has_unsaved_text(&self) -> bool {
        self.said() > self.stored_bytes
    }

    /// The message as far as it has grown, where that is more than the store has. It is saved under its id, and replaced
    /// by what comes later.
    pub(crate) fn checkpoint(&mut self) -> Option<Change> {
        let said = self.said();
        let message = self.message.as_ref().filter(|_| said > self.stored_bytes)?;
        self.stored_bytes = said;
        // What was said before it stands before it.
        let mut put = std::mem::take(&mut self.unsaved);
        put.push(message.clone().into());
        Some(Change {
            put,
            ..Change::default()
        })
    }

    fn said(&self) -> usize {
        self.message
            .as_ref()
            .and_then(|message| message.content.first())
            .map_or(0, |part| part.text.len())
    }
}

/// A message that is complete and not saved yet.
#[must_use = "it has to be saved before anybody is told that it is done"]
pub(crate) struct Closed(Option<AssistantMessageItem>);

impl Closed {
    pub(crate) const NOTHING: Self = Self(None);

    /// What it says.
    pub(crate) fn text(&self) -> Option<&str> {
        let content = self.0.as_ref()?.content.first()?;
        Some(&content.text)
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
