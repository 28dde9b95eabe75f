//! Readers that come at any position and at any time, and what they have read in the end.

use proptest::prelude::*;
use protocol::{
    Timestamp,
    item::{AssistantContent, AssistantMessageItem},
};
use serde_json::Value;

use super::*;

fn run() -> RunId {
    RunId::mint(1)
}

fn item(number: u128) -> ItemId {
    ItemId::mint(number)
}

fn text(number: u128, delta: &str) -> Event {
    TextDelta {
        item_id: &item(number),
        content_index: 0,
        delta,
    }
    .into()
}

fn message(number: u128, text: &str) -> ThreadItem {
    AssistantMessageItem {
        id: item(number),
        thread_id: protocol::ThreadId::mint(1),
        created_at: "2026-11-29T12:00:00Z".parse::<Timestamp>().unwrap(),
        content: vec![AssistantContent {
            text: text.to_owned(),
            annotations: Vec::new(),
        }],
    }
    .into()
}

fn progress(text: &str) -> Event {
    Event::ProgressUpdate {
        icon: None,
        text: text.to_owned(),
    }
}

/// A run that says events, several at a time.
struct Speaker {
    log: RunLog,
    frames: FrameWriter,
    end: Position,
}

impl Speaker {
    fn new() -> Self {
        Self {
            log: RunLog::default(),
            frames: FrameWriter::new(&run()),
            end: Position(0),
        }
    }

    fn say(&mut self, events: &[Event]) {
        let mut frames = Vec::new();
        for event in events {
            self.end.0 += event.span();
            write(&mut self.frames, event, self.end, &mut frames);
        }
        self.log.append(events.to_vec(), frames.into());
    }
}

/// What a reader has read: the position after each event, and the event.
fn read(log: &RunLog, mut position: Position) -> Vec<(Position, Value)> {
    let mut read = Vec::new();
    while let Next::Frames(frames, end) = log.after(&run(), position) {
        assert!(end > position, "it goes on");
        for frame in std::str::from_utf8(&frames)
            .unwrap()
            .split_terminator("\n\n")
        {
            let (id, data) = frame.split_once("\ndata: ").expect("an id and data");
            let cursor: Cursor = id.strip_prefix("id: ").unwrap().parse().unwrap();
            read.push((cursor.position, serde_json::from_str(data).unwrap()));
        }
        position = end;
        assert_eq!(read.last().unwrap().0, position);
    }
    read
}

fn delta(event: &Value) -> Option<&str> {
    event["update"]["delta"].as_str()
}

/// A whole answer: words before it, the message in pieces, words in between, and more.
fn answer(pieces: &[String]) -> Vec<Event> {
    let whole = pieces.concat();
    let mut events = vec![progress("thinking")];
    events.push(Event::ItemAdded {
        item: message(7, ""),
    });
    events.extend(pieces.iter().map(|piece| text(7, piece)));
    events.push(Event::ItemDone {
        item: message(7, &whole),
    });
    events.push(progress("using a tool"));
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever comes while the message grows, at any position that was ever handed out and whatever was let go: their
    /// positions add up, and what they have read in the end is the text from there, each letter once.
    #[test]
    fn a_late_reader_reads_each_letter_once(
        pieces in prop::collection::vec("[a-zäß😀]{1,12}", 1..60),
        at_once in 1..5_usize,
        long in any::<bool>(),
        released in 0..1_000_u64,
    ) {
        let pieces: Vec<String> = pieces
            .into_iter()
            .map(|piece| if long { piece.repeat(300) } else { piece })
            .collect();
        let mut speaker = Speaker::new();
        let added = [Event::ItemAdded { item: message(7, "") }];
        speaker.say(&added);
        for pieces in pieces.chunks(at_once) {
            let events: Vec<Event> = pieces.iter().map(|piece| text(7, piece)).collect();
            speaker.say(&events);
        }
        speaker.log.release(Position(released));
        let whole = pieces.concat();
        let mut at = 1;
        for piece in &pieces {
            let mut position = Position(at);
            let mut said = String::new();
            for (end, event) in read(&speaker.log, position) {
                let delta = delta(&event).expect("text");
                position.0 += delta.len() as u64;
                prop_assert_eq!(end, position, "positions add up");
                said.push_str(delta);
            }
            let from = usize::try_from(at).unwrap() - 1;
            prop_assert_eq!(&said, &whole[from..]);
            prop_assert_eq!(position, speaker.end);
            at += piece.len() as u64;
        }
    }

    /// Once the message is done, whoever missed any of it gets it whole; nobody gets a piece of it after that.
    #[test]
    fn after_the_end_of_a_message_everybody_has_all_of_it(
        pieces in prop::collection::vec("[a-z]{1,9}", 1..20),
        from in 0..40_u64,
    ) {
        let mut speaker = Speaker::new();
        speaker.say(&answer(&pieces));
        // One more, so that nobody can be served with what went out.
        let from = Position(from.min(speaker.end.0 - 1).max(1));
        let read = read(&speaker.log, from);
        let whole = pieces.concat();
        let kinds: Vec<&str> = read.iter().map(|(_, event)| event["type"].as_str().unwrap()).collect();
        let done = 2 + whole.len() as u64 + 1;
        if from.0 < done {
            prop_assert_eq!(&kinds[..], ["thread.item.done", "progress_update"]);
            prop_assert_eq!(read[0].0, Position(done));
            prop_assert_eq!(read[0].1["item"]["content"][0]["text"].as_str(), Some(&*whole));
        } else {
            prop_assert_eq!(&kinds[..], ["progress_update"]);
        }
    }
}

#[test]
fn who_keeps_up_shares_what_went_out_and_its_bound_holds() {
    let mut speaker = Speaker::new();
    let mut position = Position(0);
    for _ in 0..1000 {
        speaker.say(&[text(7, "sixteen letters.")]);
        let Next::Frames(frames, end) = speaker.log.after(&run(), position) else {
            panic!("something new")
        };
        let Next::Frames(shared, _) = speaker.log.after(&run(), position) else {
            panic!("something new")
        };
        assert_eq!(frames.as_ptr(), shared.as_ptr(), "one copy for all readers");
        assert_eq!(end.0 - position.0, 16);
        position = end;
    }
    assert!(matches!(speaker.log.after(&run(), position), Next::Nothing));
    // The text once, and what went out last.
    assert!(
        speaker.log.bytes() < 16_000 + RECENT_BYTES + 1024,
        "{}",
        speaker.log.bytes()
    );
    let late = read(&speaker.log, Position(0));
    assert_eq!(late.len(), 1, "a thousand pieces are one");
    assert_eq!(delta(&late[0].1).unwrap().len(), 16_000);
}

#[test]
fn what_is_released_is_said_anew_to_who_comes_later_and_the_rest_goes_out_as_it_was() {
    let mut speaker = Speaker::new();
    for word in ["one ", "two ", "three"] {
        speaker.say(&[text(7, word)]);
    }
    let before = speaker.log.bytes();
    speaker.log.release(Position(8));
    assert!(
        speaker.log.bytes() < before - 2 * 100,
        "two frames are gone"
    );
    let deltas = |log: &RunLog, from| -> Vec<String> {
        let read = read(log, Position(from)).into_iter();
        read.map(|(_, event)| delta(&event).expect("text").to_owned())
            .collect()
    };
    assert_eq!(deltas(&speaker.log, 0), ["one two three"]);
    assert_eq!(deltas(&speaker.log, 4), ["two three"]);
    assert_eq!(deltas(&speaker.log, 8), ["three"]);
    speaker.log.release(speaker.end);
    speaker.say(&[text(7, ", four")]);
    assert_eq!(deltas(&speaker.log, 8), ["three, four"]);
    assert_eq!(deltas(&speaker.log, 13), [", four"]);
}

/// Who has still to read the last words of an answer reads them before it is said whole.
#[test]
fn a_long_answer_that_ends_leaves_its_last_words_to_be_read() {
    let mut speaker = Speaker::new();
    let pieces: Vec<String> = (0..RECENT_BYTES / 30)
        .map(|number| format!("the word of number {number:>3}, and some more, "))
        .collect();
    for piece in &pieces {
        speaker.say(&[text(7, piece)]);
    }
    let last = pieces.last().expect("a piece");
    let almost = Position(speaker.end.0 - last.len() as u64);
    let whole = pieces.concat();
    speaker.say(&[Event::ItemUpdated {
        item_id: ItemId::mint(7),
        update: ItemUpdate::ContentPartDone {
            content_index: 0,
            content: AssistantContent::new(&*whole),
        },
    }]);
    let item = message(7, &whole);
    speaker.say(&[Event::ItemDone { item }]);
    let read = read(&speaker.log, almost);
    assert_eq!(delta(&read[0].1), Some(&**last));
    assert_eq!(read.last().unwrap().1["type"], "thread.item.done");
    assert_eq!(read.len(), 3);
}

#[test]
fn a_long_answer_is_given_again_in_pieces_of_bounded_size() {
    let mut speaker = Speaker::new();
    speaker.say(&[text(7, &"ü".repeat(100_000))]);
    speaker.say(&[progress("and on")]);
    let mut position = Position(1);
    let mut chunks = 0;
    while let Next::Frames(frames, end) = speaker.log.after(&run(), position) {
        assert!(frames.len() < CHUNK_BYTES + 1024, "{}", frames.len());
        (position, chunks) = (end, chunks + 1);
    }
    assert_eq!((position, chunks), (speaker.end, 7));
}

#[test]
fn what_a_later_event_replaces_is_left_out() {
    let mut speaker = Speaker::new();
    speaker.say(&[progress("one"), progress("two")]);
    speaker.say(&[
        Event::ItemAdded {
            item: message(7, ""),
        },
        text(7, " "),
        Event::ItemRemoved { item_id: item(7) },
        progress("three"),
    ]);
    let kinds: Vec<Value> = read(&speaker.log, Position(1))
        .into_iter()
        .map(|(_, event)| event["type"].clone())
        .collect();
    assert_eq!(kinds, ["thread.item.removed", "progress_update"]);
}

#[tokio::test]
async fn readers_wake_when_something_is_said_and_at_the_end() {
    let log = RunLog::default();
    let said = log.changed();
    assert!(matches!(log.after(&run(), Position(0)), Next::Nothing));
    log.append(vec![progress("a")], Bytes::from_static(b"a"));
    said.await;
    let ended = log.changed();
    log.end();
    ended.await;
    assert!(matches!(log.after(&run(), Position(0)), Next::Frames(..)));
    assert!(matches!(log.after(&run(), Position(1)), Next::End(None)));
    log.append(vec![progress("late")], Bytes::from_static(b"late"));
    assert!(
        matches!(log.after(&run(), Position(1)), Next::End(None)),
        "the end is the end"
    );
}

#[test]
fn a_position_that_was_made_up_breaks_nothing() {
    let mut speaker = Speaker::new();
    speaker.say(&[text(7, "äöü")]);
    speaker.say(&[progress("on")]);
    for position in 0..20 {
        read(&speaker.log, Position(position));
    }
}
