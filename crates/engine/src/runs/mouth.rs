//! What a run says, on its way to the log: encoded once, and gathered for a moment where it is text
//! (docs/decisions/0015).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::{Event, ItemUpdate, Position, frame::FrameWriter};
use tokio::time::Instant;

use super::{Run, log};

/// How long after words were handed out further text is gathered before the next ones. Text that comes after a longer
/// pause than this leaves at once, and so does everything that is not text, taking along what waits.
const GATHER: Duration = Duration::from_millis(8);
/// How much room is kept for what will be said next, in bytes: enough for some words.
const IDLE_BYTES: usize = 256;
/// What waits is handed out when it takes this much, in bytes.
const MOST_WAITING: usize = 16 * 1024;

/// What a run says, on its way to the log.
pub(crate) struct Mouth {
    run: Arc<Run>,
    frames: FrameWriter,
    /// Said and not handed out yet.
    events: Vec<Event>,
    words: Vec<u8>,
    end: Position,
    /// Whether something else than text waits.
    is_pressing: bool,
    last_spoken: Instant,
    /// What kind of event was said last, for whoever counts.
    last_word: &'static str,
}

impl Mouth {
    pub(crate) fn new(run: Arc<Run>) -> Self {
        let now = Instant::now();
        Self {
            frames: FrameWriter::new(&run.id),
            events: Vec::new(),
            words: Vec::new(),
            end: run.log.position(),
            run,
            is_pressing: false,
            last_spoken: now.checked_sub(GATHER).unwrap_or(now),
            last_word: "nothing",
        }
    }

    /// Says something, unless it is hidden from people; it is handed out by the next [`Mouth::speak`].
    pub(crate) fn say(&mut self, event: Event) {
        if !event.is_visible_to_user() {
            return;
        }
        self.end.0 += event.span();
        self.is_pressing |= !is_text(&event);
        self.last_word = match event {
            Event::Error(_) => "error",
            Event::Notice(_) => "notice",
            _ => "answer",
        };
        log::write(&mut self.frames, &event, self.end, &mut self.words);
        self.events.push(event);
        if self.words.len() >= MOST_WAITING {
            self.speak();
        }
    }

    /// Hands out what was said.
    pub(crate) fn speak(&mut self) {
        if !self.has_words() {
            return;
        }
        // The log keeps its part for long, and many runs say nothing for long: neither keeps room to spare.
        let words = Bytes::copy_from_slice(&self.words);
        self.words.clear();
        self.words.shrink_to(IDLE_BYTES);
        self.run.log.append(std::mem::take(&mut self.events), words);
        self.is_pressing = false;
        self.last_spoken = Instant::now();
    }

    /// `answer`, or in which other words it ended.
    pub(crate) const fn last_word(&self) -> &'static str {
        self.last_word
    }

    pub(crate) fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// When what waits is handed out at the latest, where something does.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.has_words().then(|| self.last_spoken + GATHER)
    }

    /// Whether what waits has waited long enough, or must not wait.
    pub(crate) fn must_speak(&self) -> bool {
        self.due()
            .is_some_and(|due| self.is_pressing || due <= Instant::now())
    }
}

/// Whether it is the event of which there are as many as tokens, and which may wait a moment.
fn is_text(event: &Event) -> bool {
    let Event::ItemUpdated { update, .. } = event else {
        return false;
    };
    matches!(update, ItemUpdate::TextDelta { .. })
}

#[cfg(test)]
mod tests {
    use protocol::{
        ItemId, RunId, ThreadId, ThreadItem, event::TextDelta, item::HiddenContextItem,
    };

    use super::*;
    use crate::{context::Owner, runs::RunSettings, words::Language};

    fn mouth() -> Mouth {
        let place = (ThreadId::mint(1), ItemId::mint(1));
        let owner = Owner::new("https://id.test ada");
        let settings = RunSettings::default();
        let (run, _stopped) = Run::new(
            RunId::mint(1),
            owner,
            place,
            None,
            Language::English,
            settings,
        );
        Mouth::new(run)
    }

    fn text(delta: &str) -> Event {
        TextDelta {
            item_id: &ItemId::mint(7),
            content_index: 0,
            delta,
        }
        .into()
    }

    fn hidden() -> ThreadItem {
        HiddenContextItem {
            id: ItemId::mint(8),
            thread_id: ThreadId::mint(1),
            created_at: "2026-11-23T12:00:00Z".parse().expect("a time"),
            content: "for the model".into(),
        }
        .into()
    }

    #[tokio::test]
    async fn what_is_hidden_from_people_is_not_said() {
        let mut mouth = mouth();
        for event in [
            Event::ItemAdded { item: hidden() },
            Event::ItemDone { item: hidden() },
            Event::ItemReplaced { item: hidden() },
        ] {
            mouth.say(event);
        }
        assert!(!mouth.has_words());
        assert_eq!(mouth.end, mouth.run.log.position());
        mouth.say(progress());
        assert!(mouth.has_words());
    }

    fn progress() -> Event {
        Event::ProgressUpdate {
            icon: None,
            text: "looking".to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn text_right_after_other_text_waits_a_moment_and_nothing_else_does() {
        let mut mouth = mouth();
        assert!(!mouth.must_speak(), "nothing to say");
        mouth.say(text("one "));
        assert!(mouth.must_speak(), "the first words are never late");
        mouth.speak();
        mouth.say(text("two "));
        assert!(!mouth.must_speak());
        assert_eq!(mouth.due(), Some(Instant::now() + GATHER));
        mouth.say(text("three"));
        mouth.say(progress());
        assert!(mouth.must_speak(), "it takes along what waits");
        mouth.speak();
        assert!(!mouth.has_words());
        mouth.say(text("four"));
        tokio::time::sleep(GATHER).await;
        assert!(mouth.must_speak(), "a slow model's text leaves at once");
        assert_eq!(mouth.run.log.position(), Position(14));
        mouth.speak();
        assert_eq!(mouth.run.log.position(), Position(18));
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let mut mouth = mouth();
        mouth.say(text("first"));
        mouth.speak();
        for _ in 0..100 {
            mouth.say(text(&"x".repeat(1000)));
            assert!(mouth.words.len() < MOST_WAITING);
        }
    }
}
