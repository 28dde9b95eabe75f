//! Runs: one epoch after the other, messages that wait, and requests that are not carried out twice.

use engine::Owner;
use engine::ports::{
    BeginRun, Change, Epoch, RequestRecord, RunEnd, RunRecord, Standing, Store, StoreError,
};
use protocol::ThreadItem;

use super::TestDatabase;
use super::sample::{
    all_items, at, attachment, begin, item, item_id, items, message, owner, thread, thread_id,
    titled,
};

const MOST: u32 = 8;

async fn create(store: &dyn Store, owner: &Owner, number: u128) {
    store
        .create_thread(owner, &thread(number), &Change::of(&[]))
        .await
        .unwrap();
}

fn beginning(number: u128) -> Change {
    Change {
        begin: Some(begin(number)),
        ..Change::default()
    }
}

fn ending(end: RunEnd) -> Change {
    Change {
        end: Some(end),
        ..Change::default()
    }
}

fn request(key: &str, item: u128, microseconds: i64) -> RequestRecord {
    RequestRecord {
        key: key.into(),
        fingerprint: "body".into(),
        item: item_id(item),
        at: at(microseconds),
    }
}

pub(super) async fn only_the_newest_epoch_writes(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    let change = Change {
        put: items(1, 1..=1),
        ..beginning(1)
    };
    let first = store
        .create_thread(&ada, &thread(1), &change)
        .await
        .unwrap();
    assert_eq!(first, Epoch(1));
    let write = async |epoch, number| {
        let change = Change {
            epoch: Some(epoch),
            put: vec![item(1, number, "written")],
            patch: titled(format!("by {number}")),
            ..Change::default()
        };
        store.apply(&ada, &thread_id(1), &change).await
    };
    assert_eq!(write(first, 2).await.unwrap(), first);
    let second = store
        .apply(&ada, &thread_id(1), &beginning(2))
        .await
        .unwrap();
    assert!(second > first);
    let late = write(first, 3).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let early = write(Epoch(second.0 + 1), 4).await;
    assert!(matches!(early, Err(StoreError::Fenced)), "{early:?}");
    write(second, 5).await.unwrap();
    // Who runs nothing, such as a person who renames the thread, needs no epoch.
    let renamed = Change {
        patch: titled("mine"),
        ..Change::default()
    };
    assert_eq!(
        store.apply(&ada, &thread_id(1), &renamed).await.unwrap(),
        second
    );
    let numbers: Vec<_> = all_items(&*store, &ada, 1)
        .await
        .iter()
        .map(|item| item.id().clone())
        .collect();
    assert_eq!(numbers, [item_id(1), item_id(2), item_id(5)]);
    let late = Change {
        epoch: Some(first),
        ..Change::default()
    };
    let gone = store.apply(&ada, &thread_id(9), &late).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
}

/// Handles that are one process count on; of two processes, the later one is told of the run that lives, and takes its place
/// only by its name.
pub(super) async fn of_two_that_begin_at_once_one_run_lives(database: &dyn TestDatabase) {
    let (one, other) = (database.open().await.threads, database.open().await.threads);
    let ada = owner("ada");
    create(&*one, &ada, 1).await;
    let id = thread_id(1);
    let begin_at = async |store: &dyn Store, number| {
        let mut change = beginning(number);
        let begun = store.apply(&ada, &id, &change).await;
        let Err(StoreError::Elsewhere(lives)) = begun else {
            return begun.unwrap();
        };
        assert_eq!(lives.epoch, Epoch(1));
        assert!(lives.node.is_some());
        change.begin.as_mut().unwrap().overtakes = Some(lives.run);
        store.apply(&ada, &id, &change).await.unwrap()
    };
    let mut epochs: [Epoch; 2] = tokio::join!(begin_at(&*one, 1), begin_at(&*other, 2)).into();
    epochs.sort_unstable();
    assert_eq!(epochs, [Epoch(1), Epoch(2)]);
    let live = one.standing(&ada, &id).await.unwrap().run.unwrap();
    assert_eq!(live.epoch, Epoch(2));
}

pub(super) async fn a_thread_knows_its_run_until_it_ends(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    create(&*store, &ada, 1).await;
    let standing = async || store.standing(&ada, &thread_id(1)).await.unwrap();
    assert_eq!(standing().await, Standing::default());
    let apply = async |change: Change| store.apply(&ada, &thread_id(1), &change).await.unwrap();
    let epoch = apply(beginning(1)).await;
    let mut run = RunRecord {
        run: begin(1).run,
        answers: begin(1).answers,
        epoch,
        is_interrupted: false,
        node: None,
    };
    assert_eq!(standing().await.run, Some(run.clone()));
    apply(ending(RunEnd::Interrupted)).await;
    run.is_interrupted = true;
    assert_eq!(standing().await.run, Some(run));
    apply(beginning(2)).await;
    assert!(!standing().await.run.unwrap().is_interrupted);
    apply(ending(RunEnd::Ended)).await;
    assert_eq!(standing().await, Standing::default());
}

pub(super) async fn what_a_process_left_behind_is_found_once(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let (ada, grace) = (owner("ada"), owner("grace"));
    for (owner, number) in [(&ada, 1), (&ada, 2), (&grace, 3)] {
        store
            .create_thread(owner, &thread(number), &beginning(number))
            .await
            .unwrap();
    }
    let end = ending(RunEnd::Ended);
    store.apply(&ada, &thread_id(2), &end).await.unwrap();
    // The process ends, which others may find out a little later.
    drop(store);
    let store = database.open().await.threads;
    let mut left = store.left_behind(10).await.unwrap();
    for _ in 0..300 {
        if left.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        left = store.left_behind(10).await.unwrap();
    }
    left.sort_by_key(|(_, thread, _)| thread.to_string());
    let found: Vec<_> = left
        .iter()
        .map(|(owner, thread, run)| (owner.clone(), thread.clone(), run.run.clone()))
        .collect();
    assert_eq!(
        found,
        [
            (ada.clone(), thread_id(1), begin(1).run),
            (grace.clone(), thread_id(3), begin(3).run)
        ]
    );
    assert_eq!(store.left_behind(1).await.unwrap().len(), 1);
    for (owner, thread, run) in left {
        let change = Change {
            epoch: Some(run.epoch),
            ..ending(RunEnd::Interrupted)
        };
        store.apply(&owner, &thread, &change).await.unwrap();
    }
    assert!(store.left_behind(10).await.unwrap().is_empty());
}

pub(super) async fn messages_wait_in_order_and_as_many_as_may(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    create(&*store, &ada, 1).await;
    let id = thread_id(1);
    // The newest id comes first: it is the order of coming that counts.
    let messages: Vec<ThreadItem> = (1..=3).rev().map(|n| message(1, n, &[])).collect();
    for message in &messages {
        store.enqueue(&ada, &id, message, None, 3).await.unwrap();
    }
    let one_more = message(1, 4, &[]);
    let full = store.enqueue(&ada, &id, &one_more, None, 3).await;
    assert!(matches!(full, Err(StoreError::Exists)), "{full:?}");
    // They are no items, and another node sees them.
    assert!(all_items(&*store, &ada, 1).await.is_empty());
    let store = database.open().await.threads;
    assert_eq!(store.standing(&ada, &id).await.unwrap().queued, messages);

    let take = async |message: &ThreadItem, put: Vec<ThreadItem>| {
        let change = Change {
            unqueue: Some(message.id().clone()),
            put,
            ..Change::default()
        };
        store.apply(&ada, &id, &change).await
    };
    take(&messages[0], vec![messages[0].clone()]).await.unwrap();
    assert_eq!(all_items(&*store, &ada, 1).await, messages[..1]);
    take(&messages[1], Vec::new()).await.unwrap();
    let again = take(&messages[1], vec![messages[1].clone()]).await;
    assert!(matches!(again, Err(StoreError::NotFound)), "{again:?}");
    assert_eq!(
        all_items(&*store, &ada, 1).await,
        messages[..1],
        "nothing of it was written"
    );
    assert_eq!(
        store.standing(&ada, &id).await.unwrap().queued,
        messages[2..]
    );
}

/// Whoever asks for what: a message that came earlier is answered earlier.
pub(super) async fn nothing_begins_before_an_earlier_message(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    create(&*store, &ada, 1).await;
    let id = thread_id(1);
    for number in [2, 1] {
        let waiting = message(1, number, &[]);
        store
            .enqueue(&ada, &id, &waiting, None, MOST)
            .await
            .unwrap();
    }
    let answer = async |number, waits: bool, goes_first| {
        let begin = BeginRun {
            goes_first,
            ..begin(number)
        };
        let change = Change {
            begin: Some(begin),
            unqueue: waits.then(|| item_id(number)),
            put: vec![message(1, number, &[])],
            end: Some(RunEnd::Ended),
            ..Change::default()
        };
        store.apply(&ada, &id, &change).await
    };
    for (number, waits) in [(1, true), (3, false)] {
        let refused = answer(number, waits, false).await;
        assert!(matches!(refused, Err(StoreError::Behind)), "{refused:?}");
    }
    assert!(all_items(&*store, &ada, 1).await.is_empty());
    let gone = answer(4, true, false).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    for (number, waits, goes_first) in [(5, false, true), (2, true, false), (1, true, false)] {
        answer(number, waits, goes_first).await.unwrap();
    }
    answer(3, false, false).await.unwrap();
    let expected: Vec<ThreadItem> = [5, 2, 1, 3].map(|n| message(1, n, &[])).into();
    assert_eq!(all_items(&*store, &ada, 1).await, expected);
}

pub(super) async fn a_message_that_waits_takes_room_once(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    create(&*store, &ada, 1).await;
    let bytes = async || store.message_bytes(&ada).await.unwrap();
    let waiting = message(1, 1, &[]);
    let id = thread_id(1);
    store
        .enqueue(&ada, &id, &waiting, None, MOST)
        .await
        .unwrap();
    let one = bytes().await;
    assert!(one > 0);
    let promote = Change {
        unqueue: Some(item_id(1)),
        put: vec![waiting.clone()],
        ..Change::default()
    };
    store.apply(&ada, &id, &promote).await.unwrap();
    assert_eq!(bytes().await, one);
    let other = message(1, 2, &[]);
    store.enqueue(&ada, &id, &other, None, MOST).await.unwrap();
    assert_eq!(bytes().await, 2 * one);
    let take_back = Change {
        unqueue: Some(item_id(2)),
        ..Change::default()
    };
    store.apply(&ada, &id, &take_back).await.unwrap();
    assert_eq!(bytes().await, one);
    store.enqueue(&ada, &id, &other, None, MOST).await.unwrap();
    store.delete_thread(&ada, &id).await.unwrap();
    assert_eq!(bytes().await, 0);
}

pub(super) async fn files_wait_with_their_message(database: &dyn TestDatabase) {
    let stores = database.open().await;
    let (threads, files) = (&stores.threads, &stores.attachments);
    let ada = owner("ada");
    create(&**threads, &ada, 1).await;
    let quota = engine::ports::Quota {
        bytes: u64::MAX,
        session_files: None,
        unsent_files: u32::MAX,
    };
    for number in 1..=2 {
        let record = attachment(number, 5);
        files.announce(&ada, &record, quota).await.unwrap();
        let kept = engine::ports::Kept {
            size: 5,
            sha256: [9; 32],
        };
        files.complete(&ada, &record.id, kept).await.unwrap();
    }
    let (one, two) = (message(1, 1, &[1]), message(1, 2, &[2]));
    let id = thread_id(1);
    for message in [&one, &two] {
        threads
            .enqueue(&ada, &id, message, None, MOST)
            .await
            .unwrap();
    }
    // They are taken: by age, by deleting, and by another message.
    assert_eq!(files.purge_unsent(at(1_000_000_000_000)).await.unwrap(), 0);
    let record = files.attachment(&ada, &attachment(1, 5).id).await.unwrap();
    assert_eq!(record.thread_id, Some(id.clone()));
    assert!(files.discard(&ada, &record.id).await.is_err());
    let thief = message(1, 3, &[1]);
    assert!(
        threads
            .enqueue(&ada, &id, &thief, None, MOST)
            .await
            .is_err()
    );
    assert!(
        threads
            .apply(&ada, &id, &Change::of(&[thief]))
            .await
            .is_err()
    );

    let promote = Change {
        unqueue: Some(item_id(1)),
        put: vec![one],
        ..Change::default()
    };
    threads.apply(&ada, &id, &promote).await.unwrap();
    let take_back = Change {
        unqueue: Some(item_id(2)),
        ..Change::default()
    };
    threads.apply(&ada, &id, &take_back).await.unwrap();
    let kept = files.attachment(&ada, &attachment(1, 5).id).await.unwrap();
    assert_eq!(kept.thread_id, Some(id));
    let gone = files.attachment(&ada, &attachment(2, 5).id).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    let removed = files.removed_files(None).await.unwrap();
    assert_eq!(removed, [attachment(2, 5).file]);
}

pub(super) async fn a_request_is_remembered_for_its_owner(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let (ada, grace) = (owner("ada"), owner("grace"));
    let sent = request("key", 1, 0);
    let change = Change {
        request: Some(sent.clone()),
        ..Change::of(&[message(1, 1, &[])])
    };
    store
        .create_thread(&ada, &thread(1), &change)
        .await
        .unwrap();
    let found = store.request(&ada, "key").await.unwrap();
    assert_eq!(found, Some((thread_id(1), sent.clone())));
    assert_eq!(store.request(&ada, "other").await.unwrap(), None);
    assert_eq!(store.request(&grace, "key").await.unwrap(), None);
    // The same key is another request's for somebody else, and nobody's for whoever used it.
    store
        .create_thread(&grace, &thread(1), &change)
        .await
        .unwrap();
    let again = store.create_thread(&ada, &thread(2), &change).await;
    assert!(matches!(again, Err(StoreError::Exists)), "{again:?}");
    assert!(matches!(
        store.thread(&ada, &thread_id(2)).await,
        Err(StoreError::NotFound)
    ));
    let queued = store
        .enqueue(&ada, &thread_id(1), &message(1, 2, &[]), Some(&sent), MOST)
        .await;
    assert!(matches!(queued, Err(StoreError::Exists)), "{queued:?}");
    assert!(
        store
            .standing(&ada, &thread_id(1))
            .await
            .unwrap()
            .queued
            .is_empty()
    );
    store.delete_thread(&ada, &thread_id(1)).await.unwrap();
    assert_eq!(store.request(&ada, "key").await.unwrap(), None);
    assert!(store.request(&grace, "key").await.unwrap().is_some());
}

/// As a run does when the answer to a write was lost, and nobody knows whether it was made.
pub(super) async fn a_change_that_is_made_once_more_changes_nothing(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    let id = thread_id(1);
    let opening = Change {
        request: Some(request("first", 1, 0)),
        put: vec![message(1, 1, &[])],
        ..beginning(1)
    };
    for _ in 0..2 {
        let epoch = store.create_thread(&ada, &thread(1), &opening).await;
        assert_eq!(epoch.unwrap(), Epoch(1));
    }
    let other = Change {
        request: None,
        ..beginning(2)
    };
    let taken = store.create_thread(&ada, &thread(1), &other).await;
    assert!(matches!(taken, Err(StoreError::Exists)), "{taken:?}");

    // A message goes out of the queue and into the run that lives.
    let bytes = async || store.message_bytes(&ada).await.unwrap();
    let waits = message(1, 2, &[]);
    store.enqueue(&ada, &id, &waits, None, MOST).await.unwrap();
    let before = bytes().await;
    let steer = Change {
        epoch: Some(Epoch(1)),
        unqueue: Some(item_id(2)),
        put: vec![waits.clone()],
        ..Change::default()
    };
    for _ in 0..2 {
        let epoch = store.apply(&ada, &id, &steer).await;
        assert_eq!(epoch.unwrap(), Epoch(1));
    }
    assert_eq!(bytes().await, before);

    // No run begins with it: the one that lives has it.
    let late = Change {
        epoch: None,
        begin: Some(begin(9)),
        ..steer
    };
    let taken = store.apply(&ada, &id, &late).await;
    assert!(matches!(taken, Err(StoreError::NotFound)), "{taken:?}");

    // The next one begins, and another one waits by the time that it is asked for once more.
    let next = Change {
        request: Some(request("next", 3, 0)),
        put: vec![message(1, 3, &[])],
        begin: Some(BeginRun {
            goes_first: false,
            ..begin(3)
        }),
        ..Change::default()
    };
    assert_eq!(store.apply(&ada, &id, &next).await.unwrap(), Epoch(2));
    let behind = message(1, 4, &[]);
    store.enqueue(&ada, &id, &behind, None, MOST).await.unwrap();
    assert_eq!(store.apply(&ada, &id, &next).await.unwrap(), Epoch(2));
    let standing = store.standing(&ada, &id).await.unwrap();
    assert_eq!(standing.run.unwrap().run, begin(3).run);
    assert_eq!(standing.queued, [behind]);
    let expected: Vec<ThreadItem> = (1..=3).map(|n| message(1, n, &[])).collect();
    assert_eq!(all_items(&*store, &ada, 1).await, expected);

    // It is the run that is the same, and not what was asked for: who asks a second time is told so.
    let twice = Change {
        begin: Some(begin(5)),
        ..next
    };
    let taken = store.apply(&ada, &id, &twice).await;
    assert!(matches!(taken, Err(StoreError::Exists)), "{taken:?}");
}

pub(super) async fn a_request_is_forgotten_after_a_day(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    create(&*store, &ada, 1).await;
    let day = i64::try_from(RequestRecord::KEPT.as_micros()).unwrap();
    let remember = async |request: RequestRecord| {
        let change = Change {
            request: Some(request),
            ..Change::default()
        };
        store.apply(&ada, &thread_id(1), &change).await
    };
    for number in 0..40 {
        remember(request(&format!("key {number}"), 1, 0))
            .await
            .unwrap();
    }
    let early = remember(request("key 39", 2, day - 1)).await;
    assert!(matches!(early, Err(StoreError::Exists)), "{early:?}");
    remember(request("key 39", 2, day)).await.unwrap();
    let (_, found) = store.request(&ada, "key 39").await.unwrap().unwrap();
    assert_eq!(found.item, item_id(2));
    for number in 40..44 {
        remember(request(&format!("key {number}"), 1, day))
            .await
            .unwrap();
    }
    let mut left = 0;
    for number in 0..39 {
        left += usize::from(
            store
                .request(&ada, &format!("key {number}"))
                .await
                .unwrap()
                .is_some(),
        );
    }
    assert_eq!(left, 0, "old ones go with new ones that come");
}
