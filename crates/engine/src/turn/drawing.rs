//! Pictures that the model draws while it answers: each is an item of its own, which shows what it looks like so far and
//! is kept when it is finished.

use std::collections::{HashMap, VecDeque};

use protocol::{
    AttachmentId, ItemId, ItemUpdate, ThreadItem, event::NoticeLevel, item::GeneratedImageItem,
};

use super::{Effect, Phase, Side, Turn, ending::notice};
use crate::{
    history,
    pictures::{self, NotKept},
    ports::{BuiltinEvent, BuiltinState, BuiltinWork, GeneratedImage, Moment},
    words::Words,
};

/// How many pictures of one turn are kept.
const MAX_IMAGES: usize = 10;

/// The pictures of one turn.
#[derive(Debug, Default)]
pub(super) struct Drawings {
    /// By the provider's ids.
    begun: HashMap<String, Drawing>,
    /// Whether one was kept.
    has_kept: bool,
    /// Whether the person knows that there are more than are kept.
    has_told_of_more: bool,
}

#[derive(Debug)]
struct Drawing {
    item: ItemId,
    /// The file that shows what it looks like so far.
    partial: Option<AttachmentId>,
    is_over: bool,
}

impl Drawings {
    /// Whether the turn has a picture to show for itself.
    pub(super) fn has_kept(&self) -> bool {
        self.has_kept
    }

    /// Whether anything was drawn.
    pub(super) fn have_begun(&self) -> bool {
        !self.begun.is_empty()
    }
}

impl Turn {
    /// A tool that the provider runs by itself has come this far.
    pub(super) fn on_builtin(
        &mut self,
        mut event: BuiltinEvent,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        if let BuiltinWork::ImageGeneration { image } = &mut event.work {
            if let Some(image) = image.take() {
                return self.draw(event.id, image, moment, out);
            }
            let has_begun = side.drawings.begun.contains_key(&event.id);
            let is_without = match event.state {
                BuiltinState::Working => false,
                BuiltinState::Done => true,
                BuiltinState::Failed => has_begun,
            };
            if is_without {
                self.give_up_drawing(&event.id, out);
                self.tell_not_kept(&Words::PictureNotKept, out);
            }
            if has_begun {
                return;
            }
        }
        if !self.transcript.is_saying()
            && let Side::Model(side) = &mut self.side
        {
            side.activity
                .builtin(event, &mut self.transcript, moment, out);
        }
    }

    /// Shows a picture as it is now, after what was said and done before it.
    fn draw(
        &mut self,
        id: String,
        image: GeneratedImage,
        moment: &dyn Fn() -> Moment,
        out: &mut VecDeque<Effect>,
    ) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        if let Some(drawing) = side.drawings.begun.get(&id) {
            if !drawing.is_over {
                let item = drawing.item.clone();
                out.push_back(Effect::KeepImage(item, Box::new(image)));
            }
            return;
        }
        if side.drawings.begun.len() >= MAX_IMAGES {
            if !std::mem::replace(&mut side.drawings.has_told_of_more, true) {
                self.tell_not_kept(&Words::PictureNotKept, out);
            }
            return;
        }
        self.end_activity(moment, out);
        if self.transcript.is_saying() {
            let closed = self.transcript.close_message(out);
            self.transcript.save(closed, None, out);
        }
        let Moment { now, id: number } = moment();
        let item = GeneratedImageItem {
            id: ItemId::mint(number),
            thread_id: self.transcript.thread().id.clone(),
            created_at: now,
            image: None,
        };
        let place = item.id.clone();
        self.transcript.begin(item.into(), out);
        if let Side::Model(side) = &mut self.side {
            let drawing = Drawing {
                item: place.clone(),
                partial: None,
                is_over: false,
            };
            side.drawings.begun.insert(id, drawing);
        }
        out.push_back(Effect::KeepImage(place, Box::new(image)));
    }

    /// A form of a picture was kept, or could not be.
    pub(super) fn on_image(
        &mut self,
        item: &ItemId,
        is_partial: bool,
        kept: Result<AttachmentId, NotKept>,
        out: &mut VecDeque<Effect>,
    ) {
        let is_answering = self.phase == Phase::Answering;
        let drawing = match &mut self.side {
            Side::Model(side) if is_answering => {
                let mut drawings = side.drawings.begun.values_mut();
                drawings.find(|drawing| drawing.item == *item && !drawing.is_over)
            }
            _ => None,
        };
        let Some(drawing) = drawing else {
            out.extend(kept.ok().map(Effect::DropImage));
            return;
        };
        let (id, before) = match kept {
            Ok(id) if is_partial => {
                let before = drawing.partial.replace(id.clone());
                let update = ItemUpdate::GeneratedImageUpdated {
                    image: pictures::shown(&id),
                    progress: None,
                };
                // It is an image, and it grows.
                let _ = self.transcript.update(item, update, out);
                return out.extend(before.map(Effect::DropImage));
            }
            // The next form of it may be.
            Err(_) if is_partial => return,
            Ok(id) => (Ok(id), drawing.partial.take()),
            Err(why) => (Err(why), drawing.partial.take()),
        };
        drawing.is_over = true;
        match id {
            Ok(id) => {
                if let Some(ThreadItem::GeneratedImage(shown)) = self.transcript.growing_mut(item) {
                    shown.image = Some(pictures::shown(&id));
                    let done = shown.clone().into();
                    let closed = self.transcript.finish(done);
                    self.transcript.save(closed, None, out);
                }
                if let Side::Model(side) = &mut self.side {
                    side.drawings.has_kept = true;
                    side.hear(history::drawn(id));
                }
            }
            Err(why) => {
                self.transcript.remove(item.clone(), out);
                self.tell_not_kept(&why.words(), out);
            }
        }
        out.extend(before.map(Effect::DropImage));
    }

    /// Takes away what is not finished and will not be any more.
    pub(super) fn give_up_drawings(&mut self, out: &mut VecDeque<Effect>) {
        let Side::Model(side) = &self.side else {
            return;
        };
        let open = side.drawings.begun.iter();
        let open = open.filter(|(_, drawing)| !drawing.is_over);
        for id in open.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.give_up_drawing(&id, out);
        }
    }

    fn give_up_drawing(&mut self, id: &str, out: &mut VecDeque<Effect>) {
        let Side::Model(side) = &mut self.side else {
            return;
        };
        if let Some(drawing) = side.drawings.begun.get_mut(id)
            && !std::mem::replace(&mut drawing.is_over, true)
        {
            self.transcript.remove(drawing.item.clone(), out);
            out.extend(drawing.partial.take().map(Effect::DropImage));
        }
    }

    fn tell_not_kept(&self, words: &Words, out: &mut VecDeque<Effect>) {
        let told = notice(NoticeLevel::Warning, words, self.language);
        out.push_back(Effect::Emit(told));
    }
}
