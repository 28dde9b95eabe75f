//! Runs that go on without their readers, follow one another, and are taken up again.

use std::{sync::Arc, time::Duration};

use engine::{Busy, Client, Error, Following, Reply, RequestKey, RunSettings};
use protocol::{Event, ItemUpdate, ThreadId, ThreadItem};
use serde_json::{Value, json};

use crate::house::*;

/// A client that comes back when its connection breaks.
pub(crate) fn resuming() -> Following {
    Following {
        client: Client {
            can_resume: true,
            reads_ids: true,
            ..Client::default()
        },
        ..Following::default()
    }
}

pub(crate) fn keyed(key: &str, fingerprint: &str) -> Following {
    Following {
        client: Client {
            can_resume: true,
            reads_ids: true,
            key: Some(RequestKey {
                key: key.into(),
                fingerprint: fingerprint.into(),
            }),
            after: None,
        },
        ..Following::default()
    }
}

pub(crate) fn add(thread: &ThreadId, text: &str) -> Value {
    json!({"type": "threads.add_user_message", "params": {"thread_id": thread, "input": input(text)}})
}

pub(crate) fn resume(thread: &ThreadId, after: Option<&str>) -> Value {
    json!({"type": "threads.resume", "params": {"thread_id": thread, "after": after}})
}

pub(crate) fn cancel(thread: &ThreadId, item: Option<&str>) -> Value {
    json!({"type": "threads.cancel", "params": {"thread_id": thread, "item_id": item}})
}

fn kinds(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            serde_json::to_value(event).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

pub(crate) fn last_words(events: &[Event]) -> String {
    match events.last() {
        Some(Event::Notice(notice)) => notice.message.clone(),
        Some(Event::Error(error)) => error.message.clone().unwrap_or_default(),
        other => panic!("the last event says nothing: {other:?}"),
    }
}

impl House {
    pub(crate) async fn follow(
        &self,
        request: Value,
        following: Following,
    ) -> Result<Reply, Error> {
        self.ask_as("ada", request, following).await
    }

    pub(crate) async fn read(&self, request: Value) -> Reading {
        Reading::of(stream(self.follow(request, resuming()).await))
    }

    /// Begins a conversation whose first answer has said something and hangs.
    pub(crate) async fn hanging(&self) -> (ThreadId, Reading) {
        let mut reading = self.read(create("one")).await;
        let created = reading.next().await.expect("thread.created");
        let thread = crate::created(&[created]).id;
        while !matches!(
            reading.next().await,
            Some(Event::ItemUpdated {
                update: ItemUpdate::TextDelta { .. },
                ..
            })
        ) {}
        (thread, reading)
    }

    pub(crate) async fn shown(&self, thread: &ThreadId) -> Vec<String> {
        texts(&self.items("ada", thread).await)
    }
}

pub(crate) fn say(text: &'static str) -> Vec<Step> {
    vec![Step::Say(text), Step::Done]
}

pub(crate) fn hang(text: &'static str) -> Vec<Step> {
    vec![Step::Say(text), Step::Hang]
}

#[tokio::test]
async fn five_messages_at_once_are_answered_one_after_the_other_in_their_order() {
    let house = House::new((0..6).map(|_| say("answer"))).await;
    let thread = crate::created(&house.turn("ada", create("zero")).await).id;
    let messages = ["one", "two", "three", "four", "five"];
    let mut readings = Vec::new();
    for text in messages {
        readings.push(house.read(add(&thread, text)).await);
    }
    for reading in &mut readings {
        let events = reading.rest().await;
        assert!(
            matches!(events.last(), Some(Event::ItemDone { .. })),
            "{events:?}"
        );
    }
    let mut expected = vec!["user: zero".to_owned(), "assistant: answer".to_owned()];
    for text in messages {
        expected.extend([format!("user: {text}"), "assistant: answer".to_owned()]);
    }
    assert_eq!(house.shown(&thread).await, expected);
    // Each was told all that came before it: none was asked before the one before had its answer.
    let told: Vec<usize> = house
        .model
        .asked()
        .iter()
        .map(|asked| asked.input.len())
        .collect();
    assert_eq!(told, [2, 4, 6, 8, 10, 12]);
}

#[tokio::test]
async fn a_message_that_waits_is_acknowledged_at_once_and_can_be_taken_back() {
    let house = House::new([hang("half"), say("to three")]).await;
    let (thread, mut first) = house.hanging().await;
    let two = stream(house.follow(add(&thread, "two"), resuming()).await);
    let item = two.queued().expect("it waits").to_string();
    let mut two = Reading::of(two);
    let mut three = house.read(add(&thread, "three")).await;
    let done = two.next().await.expect("an event");
    assert!(matches!(&done, Event::ItemDone { item: done } if done.id().as_str() == item));
    assert_eq!(
        house.shown(&thread).await,
        ["user: one"],
        "it is no item yet"
    );
    let engine::Answer::Thread(loaded) = house.json("ada", get(&thread)).await else {
        panic!("a thread")
    };
    let metadata = loaded.thread.thread.metadata;
    assert_eq!(
        metadata["vestibule_run"].as_str(),
        loaded.run.as_ref().map(protocol::RunId::as_str)
    );
    assert_eq!(metadata["vestibule_queued"][0]["id"], item.as_str());
    assert_eq!(metadata["vestibule_queued"].as_array().unwrap().len(), 2);

    for who in ["eve", "ada"] {
        let reply = house
            .ask_as(who, cancel(&thread, Some(&item)), resuming())
            .await;
        assert_eq!(reply.is_ok(), who == "ada");
    }
    let rest = two.rest().await;
    assert_eq!(kinds(&rest)[2..], ["thread.item.removed", "notice"]);
    let again = house.follow(cancel(&thread, Some(&item)), resuming()).await;
    assert!(matches!(again, Err(Error::NotQueued)));

    house.json("ada", cancel(&thread, None)).await;
    assert!(last_words(&first.rest().await).contains("You stopped"));
    assert!(matches!(
        three.rest().await.last(),
        Some(Event::ItemDone { .. })
    ));
    assert_eq!(
        house.shown(&thread).await,
        [
            "user: one",
            "assistant: half",
            "user: three",
            "assistant: to three"
        ]
    );
}

fn get(thread: &ThreadId) -> Value {
    json!({"type": "threads.get_by_id", "params": {"thread_id": thread}})
}

#[tokio::test]
async fn a_person_is_spoken_to_in_their_language_while_they_wait_and_when_they_are_refused() {
    for (locale, waiting, stopped, refused) in [
        (
            "de-AT",
            "Wartet auf die Antwort davor …",
            "Sie haben die Antwort angehalten. Was schon da ist, bleibt erhalten.",
            "Die Nachricht ist leer; schreiben Sie zuerst etwas.",
        ),
        (
            "ja",
            "前の回答を待っています…",
            "回答を停止しました。ここまでの内容は保存されています。",
            "メッセージが空です。まず何か入力してください。",
        ),
        (
            "ar-EG",
            "في انتظار الإجابة السابقة…",
            "تم إيقاف الإجابة بطلب منك. ما وصل حتى الآن محفوظ.",
            "الرسالة فارغة؛ يُرجى كتابة شيء أولًا.",
        ),
        (
            "tlh",
            "Waiting for the answer before this one…",
            "You stopped the answer. What came so far is kept.",
            "the message is empty; write something first",
        ),
    ] {
        let house = House::new([hang("half"), say("to two")]).await;
        let mut first = Reading::of(stream(house.ask_in(locale, create("one")).await));
        let thread = loop {
            if let Event::ThreadCreated { thread } = first.next().await.expect("an event") {
                break thread.thread.id;
            }
        };
        while !matches!(first.next().await, Some(Event::ItemUpdated { .. })) {}
        let mut two = Reading::of(stream(house.ask_in(locale, add(&thread, "two")).await));
        let said = loop {
            if let Event::ProgressUpdate { text, .. } = two.next().await.expect("an event") {
                break text;
            }
        };
        assert_eq!(said, waiting);
        let empty = house.ask_in(locale, add(&thread, " ")).await;
        let error = empty.err().expect("refused");
        let language = engine::Language::of(Some(locale));
        assert_eq!(error.message().text(language), refused);
        house.json("ada", cancel(&thread, None)).await;
        assert_eq!(last_words(&first.rest().await), stopped);
        assert!(matches!(
            two.rest().await.last(),
            Some(Event::ItemDone { .. })
        ));
    }
}

#[tokio::test]
async fn eight_messages_wait_and_the_ninth_is_refused_in_words() {
    let house = House::new([hang("half")]).await;
    let (thread, _first) = house.hanging().await;
    let mut waiting = Vec::new();
    for number in 0..8 {
        waiting.push(house.read(add(&thread, &number.to_string())).await);
    }
    let ninth = house.follow(add(&thread, "ninth"), resuming()).await;
    assert!(
        matches!(ninth, Err(Error::ThreadBusy(words)) if words.to_string().contains("8 messages wait"))
    );
}

#[tokio::test]
async fn a_run_is_read_again_from_any_place_while_it_goes_on_and_after_its_end() {
    let house = House::new([hang("half an answer"), say("never")]).await;
    let (thread, first) = house.hanging().await;
    let run = first.run_id().to_string();
    drop(first);
    for (after, rest) in [(0, "half an answer"), (5 + 5, "an answer"), (5 + 14, "")] {
        let after = format!("{run}:{after}");
        let mut reading = house.read(resume(&thread, Some(&after))).await;
        let mut said = String::new();
        while said.len() < rest.len() {
            if let Some(Event::ItemUpdated {
                update: ItemUpdate::TextDelta { delta, .. },
                ..
            }) = reading.next().await
            {
                said.push_str(&delta);
            }
        }
        assert_eq!(said, rest);
    }
    let other = house.ask_as("eve", resume(&thread, None), resuming()).await;
    assert!(matches!(other, Err(Error::NotFound)));
    let ahead = house
        .follow(resume(&thread, Some(&format!("{run}:999"))), resuming())
        .await;
    assert!(matches!(ahead, Err(Error::Invalid { .. })));

    let mut live = house.read(resume(&thread, None)).await;
    house.json("ada", cancel(&thread, None)).await;
    let to_the_end = live.rest().await;
    assert_eq!(kinds(&to_the_end)[0], "thread.created");
    let late = house
        .read(resume(&thread, Some(&format!("{run}:5"))))
        .await
        .rest()
        .await;
    assert_eq!(
        kinds(&late),
        ["thread.item.done", "notice"],
        "the message is whole, and comes once"
    );
    let none = house.follow(resume(&thread, None), resuming()).await;
    assert!(
        matches!(none, Err(Error::NoRun)),
        "nothing lives here any more"
    );
}

/// On one thread the run and its reader take turns, and a model that has all of its answer ready never makes the run
/// wait.
#[tokio::test]
async fn who_reads_along_hears_every_word_of_an_answer_that_comes_all_at_once() {
    let words = vec![Step::Say("twenty letters long "); 5_000];
    let answer = || words.iter().cloned().chain([Step::Done]).collect();
    let house = Arc::new(House::new((0..10).map(|_| answer())).await);
    for _ in 0..10 {
        // As a task: what a runtime blocks on is polled last.
        let of = Arc::clone(&house);
        let turn = async move { of.turn("ada", create("all of it")).await };
        let events = house.engine.tasks.spawn(turn).await.expect("no panic");
        let mut said = String::new();
        let mut done = String::new();
        for event in &events {
            match event {
                Event::ItemUpdated {
                    update: ItemUpdate::TextDelta { delta, .. },
                    ..
                } => said.push_str(delta),
                Event::ItemDone {
                    item: ThreadItem::AssistantMessage(message),
                } => done.extend(message.content.iter().map(|part| &*part.text)),
                _ => {}
            }
        }
        assert_eq!(done.len(), 100_000);
        assert!(said == done, "{} of {} bytes", said.len(), done.len());
    }
}

#[tokio::test]
async fn closing_is_stop_for_those_who_cannot_come_back_unless_the_operator_says_otherwise() {
    let house = House::new([hang("half")]).await;
    let (thread, first) = house.hanging().await;
    let second = Reading::of(stream(
        house
            .follow(resume(&thread, None), Following::default())
            .await,
    ));
    drop(second);
    drop(first);
    assert_eq!(
        house.engine.runs.count(),
        1,
        "the one who can come back may"
    );
    let mut third = Reading::of(stream(
        house
            .follow(resume(&thread, None), Following::default())
            .await,
    ));
    third.next().await;
    drop(third);
    house.settle().await;
    assert_eq!(house.shown(&thread).await, ["user: one", "assistant: half"]);

    let settings = RunSettings {
        goes_on_unread: true,
        ..RunSettings::default()
    };
    let house = House::running(
        [vec![Step::Pause(50), Step::Say("whole"), Step::Done]],
        settings,
    )
    .await;
    let reader = stream(house.follow(create("one"), Following::default()).await);
    drop(reader);
    house.settle().await;
    let engine::Answer::Threads(threads) = house
        .json("ada", json!({"type": "threads.list", "params": {}}))
        .await
    else {
        panic!("threads")
    };
    assert_eq!(
        house.shown(&threads.data[0].thread.id).await,
        ["user: one", "assistant: whole"]
    );
}

#[tokio::test]
async fn an_interruption_keeps_the_partial_answer_and_tells_its_reader() {
    let house = House::new([hang("half"), say("whole")])
        .await
        .busy(Busy::Interrupt);
    let (thread, mut first) = house.hanging().await;
    let second = house.read(add(&thread, "two")).await.rest().await;
    assert!(last_words(&first.rest().await).contains("newer message"));
    assert!(matches!(second.last(), Some(Event::ItemDone { .. })));
    assert_eq!(
        house.shown(&thread).await,
        [
            "user: one",
            "assistant: half",
            "user: two",
            "assistant: whole"
        ]
    );
    let told = &house.model.asked()[1].input;
    assert!(
        matches!(&told[3], engine::ports::ModelInput::Context(note) if note.contains("sent another message")),
        "{told:?}"
    );
}

#[tokio::test]
async fn who_is_refused_changes_nothing() {
    let house = House::new([hang("half")]).await.busy(Busy::Reject);
    let (thread, _first) = house.hanging().await;
    let message = house.items("ada", &thread).await[0].id().to_string();
    let retry = json!({"type": "threads.retry_after_item", "params": {"thread_id": thread, "item_id": message}});
    for request in [add(&thread, "two"), retry] {
        let refused = house.follow(request, resuming()).await;
        assert!(
            matches!(refused, Err(Error::ThreadBusy(words)) if words.to_string().contains("still being answered"))
        );
    }
    assert_eq!(house.engine.runs.count(), 1);
    assert_eq!(house.shown(&thread).await, ["user: one"]);
}

#[tokio::test]
async fn a_message_that_steers_is_heard_before_the_model_is_asked_again_and_its_reader_reads_on() {
    let house = House::new([
        vec![Step::Call("whoami"), Step::Pause(200), Step::Done],
        say("as you wish"),
    ])
    .await
    .busy(Busy::Steer);
    let mut first = house.read(create("one")).await;
    let thread = crate::created(&[first.next().await.expect("thread.created")]).id;
    let steering = stream(house.follow(add(&thread, "in French"), resuming()).await);
    let mut steering = Reading::of(steering);
    let heard = steering.rest().await;
    let all = first.rest().await;
    assert_eq!(
        steering.run_id(),
        first.run_id(),
        "it goes on in the run that took it up"
    );
    assert_eq!(heard.last(), all.last());
    assert_eq!(
        kinds(&heard[..3]),
        [
            "thread.item.done", // saved, and waiting
            "stream_options",
            "progress_update",
        ]
    );
    // How an answer grew, a reader who is late is not told; but nobody is told what was before their own message.
    let answer = heard.last().expect("the answer");
    let Event::ItemDone { item: answer } = answer else {
        panic!("{answer:?}")
    };
    assert!(heard[3..].iter().all(|event| match event {
        Event::ItemAdded { item } | Event::ItemDone { item } => item.id() == answer.id(),
        Event::ItemUpdated { item_id, .. } => item_id == answer.id(),
        _ => false,
    }));
    assert_eq!(
        house.shown(&thread).await,
        [
            "user: one",
            "workflow: Used whoami",
            "user: in French",
            "assistant: as you wish"
        ]
    );
    assert_eq!(house.model.asked().len(), 2);
}

#[tokio::test]
async fn a_request_that_is_sent_twice_is_carried_out_once() {
    let house = House::new([say("once"), say("never")]).await;
    let both = tokio::join!(
        house.follow(create("one"), keyed("k", "body")),
        house.follow(create("one"), keyed("k", "body"))
    );
    let (mut one, mut other) = (Reading::of(stream(both.0)), Reading::of(stream(both.1)));
    assert_eq!(one.run_id(), other.run_id());
    let events = one.rest().await;
    assert_eq!(other.rest().await, events);
    let thread = crate::created(&events).id;
    assert_eq!(house.shown(&thread).await, ["user: one", "assistant: once"]);
    assert_eq!(house.model.asked().len(), 1);

    let reused = house
        .follow(create("two"), keyed("k", "another body"))
        .await;
    assert!(matches!(reused, Err(Error::KeyReused)));
    let eves = house.ask_as("eve", create("one"), keyed("k", "body")).await;
    let eves = Reading::of(stream(eves)).rest().await;
    assert_ne!(
        crate::created(&eves).id,
        thread,
        "keys are each person's own"
    );
}

#[tokio::test]
async fn a_request_whose_log_is_gone_is_answered_with_what_is_stored() {
    let settings = RunSettings {
        readable: Duration::ZERO,
        ..RunSettings::default()
    };
    let house = House::running([say("once"), say("second")], settings).await;
    let mut first = Reading::of(stream(
        house.follow(create("one"), keyed("k", "body")).await,
    ));
    let thread = crate::created(&first.rest().await).id;
    house.read(add(&thread, "two")).await.rest().await;
    let mut again = Reading::of(stream(
        house.follow(create("one"), keyed("k", "body")).await,
    ));
    let events = again.rest().await;
    assert_eq!(
        kinds(&events),
        ["thread.created", "thread.item.done", "thread.item.done"]
    );
    assert_ne!(first.run_id(), again.run_id());
    assert_eq!(house.model.asked().len(), 2);
}

#[tokio::test]
async fn what_waits_outlives_the_process_and_is_answered_when_somebody_comes_back() {
    let house = House::new([hang("half"), say("to two"), say("to three"), say("to four")]).await;
    let (thread, mut first) = house.hanging().await;
    let mut two = house.read(add(&thread, "two")).await;
    let mut three = house.read(add(&thread, "three")).await;
    house.engine.runs.shut_down();
    assert!(last_words(&first.rest().await).contains("restarted"));
    assert!(last_words(&two.rest().await).contains("kept"));
    assert!(last_words(&three.rest().await).contains("kept"));

    let house = house.restarted().await;
    assert_eq!(
        house.engine.mark_interrupted().await.unwrap(),
        0,
        "all have ended in order"
    );
    let mut four = house.read(add(&thread, "four")).await;
    assert!(matches!(
        four.rest().await.last(),
        Some(Event::ItemDone { .. })
    ));
    assert_eq!(
        house.shown(&thread).await,
        [
            "user: one",
            "assistant: half",
            "user: two",
            "assistant: to two",
            "user: three",
            "assistant: to three",
            "user: four",
            "assistant: to four",
        ]
    );
    let none = house.follow(resume(&thread, None), resuming()).await;
    assert!(matches!(none, Err(Error::NoRun)));
}

#[tokio::test]
async fn a_thread_whose_process_was_killed_says_so_and_is_answered_anew_where_that_is_wanted() {
    for recoveries in [0, 1] {
        let settings = RunSettings {
            recoveries,
            ..RunSettings::default()
        };
        let house = House::running([hang(LONG), say("whole")], settings).await;
        let (thread, first) = house.hanging().await;
        // A checkpoint has been written by now: the text is long.
        while house.shown(&thread).await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let before = house.restarted().await;
        assert_eq!(before.engine.mark_interrupted().await.unwrap(), 1);
        assert_eq!(before.engine.mark_interrupted().await.unwrap(), 0);
        drop(first);
        let engine::Answer::Thread(loaded) = before.json("ada", get(&thread)).await else {
            panic!("a thread")
        };
        let message = before.items("ada", &thread).await[0].id().to_string();
        assert_eq!(
            loaded.thread.thread.metadata["vestibule_interrupted"],
            message.as_str()
        );
        let resumed = before.follow(resume(&thread, None), resuming()).await;
        if recoveries == 0 {
            assert!(matches!(resumed, Err(Error::NoRun)));
            continue;
        }
        Reading::of(stream(resumed)).rest().await;
        assert_eq!(
            before.shown(&thread).await,
            ["user: one", "assistant: whole"]
        );
        let told = before.model.asked().last().unwrap().input.clone();
        assert!(
            told.iter()
                .any(|said| matches!(said, engine::ports::ModelInput::User(_)))
        );
        let engine::Answer::Thread(loaded) = before.json("ada", get(&thread)).await else {
            panic!("a thread")
        };
        assert!(loaded.thread.thread.metadata.is_empty());
    }
}

/// More than is said between two checkpoints.
const LONG: &str = match std::str::from_utf8(&[b'x'; 5000]) {
    Ok(text) => text,
    Err(_) => "",
};

#[tokio::test]
async fn a_run_that_was_overtaken_writes_nothing_and_says_so() {
    let house = House::new([
        vec![
            Step::Say("half"),
            Step::Pause(1_500),
            Step::Say(" more"),
            Step::Done,
        ],
        say("whole"),
    ])
    .await;
    let (thread, mut first) = house.hanging().await;
    // Another process takes the thread over.
    let other = house.restarted().await;
    other.read(add(&thread, "two")).await.rest().await;
    assert!(last_words(&first.rest().await).contains("Another answer has begun"));
    assert_eq!(
        house.shown(&thread).await,
        ["user: one", "user: two", "assistant: whole"]
    );
}

#[tokio::test]
async fn a_deleted_thread_ends_its_run_in_words_and_leaves_nothing() {
    let house = House::new([hang("half")]).await;
    let (thread, mut first) = house.hanging().await;
    let mut waits = house.read(add(&thread, "two")).await;
    house
        .json(
            "ada",
            json!({"type": "threads.delete", "params": {"thread_id": thread}}),
        )
        .await;
    assert!(last_words(&first.rest().await).contains("was deleted"));
    assert!(last_words(&waits.rest().await).contains("was deleted"));
    house.settle().await;
    assert_eq!(house.engine.runs.count(), 0);
    let gone = house.follow(get(&thread), resuming()).await;
    assert!(matches!(gone, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_revoked_credential_ends_its_run() {
    let house = House::new([hang("half")]).await;
    let (revoke, revoked) = tokio::sync::oneshot::channel::<()>();
    let following = Following {
        revoked: Some(Box::pin(async { drop(revoked.await) })),
        ..resuming()
    };
    let mut reading = Reading::of(stream(house.follow(create("one"), following).await));
    reading.next().await;
    revoke.send(()).unwrap();
    assert!(last_words(&reading.rest().await).contains("session was ended"));
}

#[tokio::test]
async fn a_permit_is_kept_as_long_as_its_run_lives() {
    let house = House::new([hang("half")]).await;
    let permit = Arc::new(());
    let following = Following {
        permit: Some(Box::new(Arc::clone(&permit))),
        ..resuming()
    };
    let mut reading = Reading::of(stream(house.follow(create("one"), following).await));
    let thread = crate::created(&[reading.next().await.unwrap()]).id;
    drop(reading);
    assert_eq!(Arc::strong_count(&permit), 2);
    house.json("ada", cancel(&thread, None)).await;
    house.settle().await;
    assert_eq!(Arc::strong_count(&permit), 1);
}

#[tokio::test]
async fn the_title_that_is_told_is_the_one_that_is_stored() {
    let house = House::with([say("a"), say("a"), say("a")], engine::Titles::FirstMessage).await;
    let thread = crate::created(&house.turn("ada", create("hello")).await).id;
    house
        .json(
            "ada",
            json!({"type": "threads.update", "params": {"thread_id": thread, "title": "Mine"}}),
        )
        .await;
    house.read(add(&thread, "two")).await.rest().await;
    let engine::Answer::Thread(loaded) = house.json("ada", get(&thread)).await else {
        panic!("a thread")
    };
    assert_eq!(loaded.thread.thread.title.as_deref(), Some("Mine"));
}

#[tokio::test]
async fn a_run_that_has_the_thread_and_cannot_answer_leaves_no_run_behind() {
    let house = House::new([hang("half"), say("whole")]).await;
    let (thread, mut first) = house.hanging().await;
    let mut waits = house.read(add(&thread, "two")).await;
    let locked = engine::ports::Change {
        patch: serde_json::from_value(json!({"status": {"type": "locked", "reason": "audit"}}))
            .unwrap(),
        ..engine::ports::Change::default()
    };
    let owner = crate::house::context("ada").owner;
    house
        .engine
        .store
        .apply(&owner, &thread, &locked)
        .await
        .unwrap();
    house.json("ada", cancel(&thread, None)).await;
    first.rest().await;
    assert!(last_words(&waits.rest().await).contains("audit"));
    house.settle().await;
    let standing = house.engine.store.standing(&owner, &thread).await.unwrap();
    assert!(standing.run.is_some_and(|run| run.is_interrupted));
    assert!(standing.queued.is_empty());
}

#[tokio::test]
async fn what_was_begun_is_done_whole_when_whoever_asked_has_gone() {
    let house = House::new([hang("half")]).await;
    let (thread, mut first) = house.hanging().await;
    let delete = json!({"type": "threads.delete", "params": {"thread_id": thread}});
    let mut asking = Box::pin(house.ask("ada", delete));
    assert!(futures::poll!(&mut asking).is_pending());
    drop(asking);
    let rest = tokio::time::timeout(Duration::from_secs(10), first.rest()).await;
    assert!(last_words(&rest.expect("the run ends")).contains("was deleted"));
}
