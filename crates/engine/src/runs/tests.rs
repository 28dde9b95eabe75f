//! Who lives, who waits, who is called, and what a reader's going away means.

use std::pin::pin;

use futures::poll;
use protocol::{
    Event, Position, Timestamp,
    item::{InferenceOptions, UserMessageItem},
};

use super::*;
use crate::turn;

fn owner() -> Owner {
    Owner::new("https://id.test ada")
}

fn thread() -> ThreadId {
    ThreadId::mint(1)
}

fn message(number: u128) -> ThreadItem {
    UserMessageItem {
        id: ItemId::mint(number),
        thread_id: thread(),
        created_at: "2026-11-29T12:00:00Z".parse::<Timestamp>().unwrap(),
        content: Vec::new(),
        attachments: Vec::new(),
        quoted_text: None,
        inference_options: InferenceOptions::default(),
    }
    .into()
}

/// A run with its message, and what ends it.
fn run(runs: &Runs, number: u128) -> (Arc<Run>, oneshot::Receiver<Why>) {
    let place = (thread(), ItemId::mint(number));
    Run::new(
        RunId::mint(number),
        owner(),
        place,
        None,
        Language::English,
        runs.settings(),
    )
}

fn enter(runs: &Runs, number: u128, busy: Busy) -> (Arc<Run>, oneshot::Receiver<Why>, Entered) {
    let (run, stopped) = run(runs, number);
    let entered = runs.enter(&run, busy, &message(number)).expect("a place");
    (run, stopped, entered)
}

fn now(entered: Entered) -> Place {
    match entered {
        Entered::Now(place) => {
            // Whoever has said nothing is forgotten at once.
            let said = Event::ProgressUpdate {
                icon: None,
                text: "hello".to_owned(),
            };
            let frames = bytes::Bytes::from_static(b"hello");
            place.run().log.append(vec![said], frames);
            place
        }
        Entered::Later(_) => panic!("the thread was free"),
    }
}

fn later(entered: Entered) -> oneshot::Receiver<Call> {
    match entered {
        Entered::Now(_) => panic!("the thread was taken"),
        Entered::Later(called) => called,
    }
}

async fn begins(called: oneshot::Receiver<Call>) -> Place {
    match called.await {
        Ok(Call::Begin(place)) => place,
        _ => panic!("it was to begin"),
    }
}

#[tokio::test]
async fn one_run_lives_at_a_time_and_the_others_begin_in_order() {
    let runs = Runs::default();
    let (_, _, first) = enter(&runs, 1, Busy::Queue);
    let mut place = now(first);
    let mut called: VecDeque<_> = (2..6)
        .map(|number| later(enter(&runs, number, Busy::Queue).2))
        .collect();
    assert_eq!(runs.count(), 5);
    for number in 2..6 {
        let next = called.pop_front().expect("one more");
        let mut next = pin!(begins(next));
        assert!(poll!(&mut next).is_pending(), "another one lives");
        drop(place);
        place = next.await;
        assert_eq!(place.run().id, RunId::mint(number));
        assert_eq!(
            runs.live(&owner(), &thread()).unwrap().id,
            RunId::mint(number)
        );
    }
    drop(place);
    assert_eq!(runs.count(), 0);
    assert!(runs.live(&owner(), &thread()).is_none());
}

#[tokio::test]
async fn who_came_earlier_is_let_pass() {
    let runs = Runs::default();
    let place = now(enter(&runs, 1, Busy::Queue).2);
    let second = later(enter(&runs, 2, Busy::Queue).2);
    let third = later(enter(&runs, 3, Busy::Queue).2);
    let Err(place) = place.let_pass(&ItemId::mint(7)) else {
        panic!("nobody waits with this one")
    };
    let first = place.let_pass(&ItemId::mint(3)).ok().expect("it waits");
    assert_eq!(runs.count(), 3);
    for (called, number) in [(third, 3), (first, 1), (second, 2)] {
        let place = begins(called).await;
        assert_eq!(place.run().id, RunId::mint(number));
        let live = runs.live(&owner(), &thread()).expect("it lives");
        assert_eq!(live.id, RunId::mint(number));
    }
    assert_eq!(runs.count(), 0);
}

#[tokio::test]
async fn whoever_stopped_waiting_passes_the_place_on() {
    let runs = Runs::default();
    let place = now(enter(&runs, 1, Busy::Queue).2);
    drop(later(enter(&runs, 2, Busy::Queue).2));
    let first = place.let_pass(&ItemId::mint(2)).ok().expect("it waits");
    assert_eq!(begins(first).await.run().id, RunId::mint(1));
}

#[tokio::test]
async fn nobody_else_sees_a_run() {
    let runs = Runs::default();
    let (_, _, entered) = enter(&runs, 1, Busy::Queue);
    let place = now(entered);
    let other = Owner::new("https://id.test eve");
    assert!(runs.live(&other, &thread()).is_none());
    assert!(runs.find(&other, None, |_| true).is_none());
    drop(place);
    assert!(runs.find(&other, None, |_| true).is_none());
    assert!(runs.find(&owner(), None, |_| true).is_some());
}

#[tokio::test]
async fn as_many_wait_as_may_and_none_where_that_is_refused() {
    let runs = Runs::default();
    let (_, _, first) = enter(&runs, 1, Busy::Queue);
    let _place = now(first);
    let (refused, _) = run(&runs, 2);
    let busy = runs.enter(&refused, Busy::Reject, &message(2));
    assert_eq!(busy.err(), Some(Refused::Busy));
    let mut waiting = Vec::new();
    for number in 3..11 {
        waiting.push(later(enter(&runs, number, Busy::Queue).2));
    }
    let (ninth, _) = run(&runs, 11);
    let full = runs.enter(&ninth, Busy::Queue, &message(11));
    assert_eq!(full.err(), Some(Refused::Full));
    assert_eq!(runs.count(), 9);
}

#[tokio::test]
async fn an_interruption_ends_the_run_that_lives_and_comes_before_those_that_wait() {
    let runs = Runs::default();
    let (_, stopped, first) = enter(&runs, 1, Busy::Queue);
    let place = now(first);
    let patient = later(enter(&runs, 2, Busy::Queue).2);
    let hasty = later(enter(&runs, 3, Busy::Interrupt).2);
    assert_eq!(stopped.await, Ok(Why::Interrupted));
    drop(place);
    let place = begins(hasty).await;
    drop(place);
    begins(patient).await;
}

#[tokio::test]
async fn who_does_not_wait_any_more_is_passed_over() {
    let runs = Runs::default();
    let (_, _, first) = enter(&runs, 1, Busy::Queue);
    let place = now(first);
    let (withdrawn, _, entered) = enter(&runs, 2, Busy::Queue);
    let _called = later(entered);
    let (_, _, gone) = enter(&runs, 3, Busy::Queue);
    drop(later(gone));
    let (last, _, entered) = enter(&runs, 4, Busy::Queue);
    let called = later(entered);
    assert!(runs.withdraw(&withdrawn).is_some());
    assert!(runs.withdraw(&withdrawn).is_none(), "once");
    drop(place);
    let place = begins(called).await;
    assert_eq!(place.run().id, last.id);
    assert!(runs.withdraw(&last).is_none(), "its turn has come");
}

#[tokio::test]
async fn only_those_who_steer_are_heard_and_nobody_overtakes() {
    let runs = Runs::default();
    let (live, _, first) = enter(&runs, 1, Busy::Queue);
    let _place = now(first);
    let one = later(enter(&runs, 2, Busy::Steer).2);
    let other = later(enter(&runs, 3, Busy::Steer).2);
    let _patient = later(enter(&runs, 4, Busy::Queue).2);
    let behind = later(enter(&runs, 5, Busy::Steer).2);
    drop(other);
    let heard = runs.heard(&live);
    let ids: Vec<_> = heard
        .iter()
        .map(|(message, _)| message.id().clone())
        .collect();
    assert_eq!(
        ids,
        [ItemId::mint(2)],
        "3 has gone, and 5 is behind one that waits"
    );
    let cursor = protocol::Cursor {
        run: live.id.clone(),
        position: Position(3),
    };
    for (_, call) in heard {
        assert!(call.send(Call::Joined(cursor.clone())).is_ok());
    }
    assert!(matches!(one.await, Ok(Call::Joined(joined)) if joined == cursor));
    drop(behind);
}

fn reader(runs: &Runs, run: &Arc<Run>, can_resume: bool) -> Reader {
    let client = Client {
        can_resume,
        ..Client::default()
    };
    Reader::new(runs, run, Position(0), &client)
}

#[tokio::test(start_paused = true)]
async fn closing_is_stop_only_for_the_last_reader_who_cannot_come_back() {
    let runs = Runs::default();
    let (run, mut stopped, entered) = enter(&runs, 1, Busy::Queue);
    let _place = now(entered);
    let (one, other) = (reader(&runs, &run, false), reader(&runs, &run, true));
    drop(one);
    assert!(stopped.try_recv().is_err(), "somebody else reads");
    drop(other);
    tokio::time::sleep(Duration::from_secs(119)).await;
    assert!(stopped.try_recv().is_err(), "it may come back");
    let back = reader(&runs, &run, true);
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(stopped.try_recv().is_err(), "it came back");
    drop(back);
    tokio::time::sleep(Duration::from_secs(121)).await;
    assert_eq!(stopped.try_recv(), Ok(Why::Abandoned));

    let (run, mut stopped) = super::tests::run(&runs, 2);
    drop(reader(&runs, &run, false));
    assert_eq!(stopped.try_recv(), Ok(Why::Stopped));
    let goes_on = Runs::new(RunSettings {
        goes_on_unread: true,
        ..RunSettings::default()
    });
    let (run, mut stopped) = super::tests::run(&goes_on, 3);
    drop(reader(&goes_on, &run, false));
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(stopped.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_ended_run_is_kept_for_a_while_and_within_bounds() {
    let runs = Runs::default();
    let find = |number: u128| {
        let id = RunId::mint(number);
        runs.find(&owner(), Some(&thread()), |run| run.id == id)
    };
    drop(now(enter(&runs, 1, Busy::Queue).2));
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(find(1).is_some());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(find(1).is_none());
    let megabyte = "x".repeat(1 << 20);
    for number in 2..50 {
        let (run, _, entered) = enter(&runs, number, Busy::Queue);
        let place = now(entered);
        let text = protocol::event::TextDelta {
            item_id: &ItemId::mint(number),
            content_index: 0,
            delta: &megabyte,
        };
        run.log
            .append(vec![Event::from(text)], bytes::Bytes::from_static(b"x"));
        drop(place);
    }
    assert!(find(49).is_some() && find(30).is_some());
    assert!(find(2).is_none(), "the oldest make room");
}

#[tokio::test]
async fn a_shutdown_ends_all_and_whatever_comes_later() {
    let runs = Runs::default();
    let (_, mut lives, entered) = enter(&runs, 1, Busy::Queue);
    let place = now(entered);
    let (_, mut waits, _called) = enter(&runs, 2, Busy::Queue);
    runs.shut_down();
    assert_eq!(lives.try_recv(), Ok(Why::Shutdown));
    assert_eq!(waits.try_recv(), Ok(Why::Shutdown));
    drop(place);
    let (_, mut late, _entered) = enter(&runs, 3, Busy::Queue);
    assert_eq!(late.try_recv(), Ok(Why::Shutdown));
}

#[tokio::test]
async fn a_reader_reads_on_in_the_run_that_took_its_message_up() {
    let runs = Runs::default();
    let (live, _, entered) = enter(&runs, 1, Busy::Queue);
    let place = now(entered);
    let (steering, _) = run(&runs, 2);
    let mut reader = reader(&runs, &steering, true);
    let say = |run: &Run, text: &'static str| {
        let event = Event::ProgressUpdate {
            icon: None,
            text: text.to_owned(),
        };
        run.log
            .append(vec![event], bytes::Bytes::from_static(text.as_bytes()));
    };
    say(&live, "before");
    say(&steering, "waiting");
    steering.log.join(protocol::Cursor {
        run: live.id.clone(),
        position: live.log.position(),
    });
    runs.retire(&steering);
    say(&live, "after");
    assert_eq!(reader.next().await.as_deref(), Some(&b"waiting"[..]));
    assert_eq!(reader.next().await.as_deref(), Some(&b"after"[..]));
    assert_eq!(reader.run_id(), &live.id);
    drop(place);
    assert_eq!(reader.next().await, None);
}

fn words(frames: Option<bytes::Bytes>) -> String {
    String::from_utf8(frames.expect("words").to_vec()).unwrap()
}

#[tokio::test]
async fn who_found_a_run_that_cannot_begin_is_told_so_and_nobody_finds_it_afterwards() {
    let runs = Runs::default();
    let (run, _stopped) = run(&runs, 1);
    let entered = runs.enter(&run, Busy::Queue, &message(1)).unwrap();
    let found = runs.live(&owner(), &thread()).expect("it lives");
    let mut reader = Reader::new(&runs, &found, Position(0), &Client::default());
    Runs::refuse(&run, turn::unanswered(run.language));
    drop(entered);
    assert!(words(reader.next().await).contains("\"type\":\"error\""));
    assert!(reader.next().await.is_none());
    assert!(runs.find(&owner(), None, |_| true).is_none());
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_late_to_where_a_message_was_taken_up_is_told_so() {
    let runs = Runs::default();
    let place = now(enter(&runs, 1, Busy::Queue).2);
    let (second, _stopped, entered) = enter(&runs, 2, Busy::Steer);
    let _called = later(entered);
    let (_, call) = runs.heard(place.run()).pop().expect("one steers");
    drop(call);
    let end = place.run().log.position();
    second.log.join(Cursor {
        run: place.run().id.clone(),
        position: end,
    });
    let mut reader = Reader::new(&runs, &second, Position(0), &Client::default());
    drop(place);
    tokio::time::sleep(runs.settings().readable + Duration::from_secs(1)).await;
    assert!(words(reader.next().await).contains("Reload the conversation"));
    assert!(reader.next().await.is_none());
}
