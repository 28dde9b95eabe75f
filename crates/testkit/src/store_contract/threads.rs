//! Threads and items: order, replacement, whole changes, many callers.

use engine::WorkflowId;
use engine::ports::{BeginRun, Change, Store, StoreError};
use futures::future::join_all;
use protocol::request::{FeedbackKind, Order};
use protocol::{ThreadItem, ThreadMetadata, ThreadPatch, ThreadStatus};
use serde_json::{Map, json};

use super::TestDatabase;
use super::sample::{
    all_items, at, begin, first, item, item_id, items, owner, thread, thread_id, titled,
};

fn numbers(items: &[ThreadItem]) -> Vec<String> {
    items.iter().map(|item| item.id().to_string()).collect()
}

fn ids(numbers: impl IntoIterator<Item = u128>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| item_id(number).to_string())
        .collect()
}

async fn put(store: &dyn Store, name: &str, thread: u128, put: Vec<ThreadItem>) {
    let change = Change {
        put,
        ..Change::default()
    };
    store
        .apply(&owner(name), &thread_id(thread), &change)
        .await
        .unwrap();
}

pub(super) async fn a_new_thread_is_there_with_its_items(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let thread = ThreadMetadata {
        title: Some("Fruit".to_owned()),
        status: ThreadStatus::Locked {
            reason: Some("lunch".to_owned()),
        },
        allowed_image_domains: Some(vec!["images.example".to_owned()]),
        metadata: Map::from_iter([("note".to_owned(), json!({"deep": [1, null, "x"]}))]),
        ..thread(1)
    };
    let first_items = items(1, 1..=3);
    store
        .create_thread(&owner("a"), &thread, &Change::of(&first_items))
        .await
        .unwrap();

    assert_eq!(
        store.thread(&owner("a"), &thread_id(1)).await.unwrap(),
        thread
    );
    assert_eq!(all_items(&*store, &owner("a"), 1).await, first_items);
    let one = store.item(&owner("a"), &thread_id(1), &item_id(2)).await;
    assert_eq!(one.unwrap(), first_items[1]);
    let missing = store.item(&owner("a"), &thread_id(1), &item_id(9)).await;
    assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
}

pub(super) async fn a_thread_that_exists_is_not_made_again(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=2)))
        .await
        .unwrap();
    let again = store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 3..=4)))
        .await;
    assert!(matches!(again, Err(StoreError::Exists)), "{again:?}");
    assert_eq!(
        numbers(&all_items(&*store, &owner("a"), 1).await),
        ids(1..=2)
    );
}

pub(super) async fn items_keep_the_order_in_which_they_were_put(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 50..=51)))
        .await
        .unwrap();
    // Neither the ids nor anybody else's items in between decide the order.
    store
        .create_thread(&owner("a"), &thread(2), &Change::of(&items(2, 1..=1)))
        .await
        .unwrap();
    put(&*store, "a", 1, items(1, 7..=8)).await;
    put(&*store, "a", 2, items(2, 2..=2)).await;
    put(&*store, "a", 1, items(1, 3..=3)).await;

    let expected = ids([50, 51, 7, 8, 3]);
    assert_eq!(numbers(&all_items(&*store, &owner("a"), 1).await), expected);
    let newest_first = store
        .items(&owner("a"), &thread_id(1), &first(100, Order::Desc))
        .await
        .unwrap();
    let reversed: Vec<_> = expected.into_iter().rev().collect();
    assert_eq!(numbers(&newest_first.data), reversed);
}

pub(super) async fn a_replaced_item_stays_in_its_place(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=3)))
        .await
        .unwrap();
    let changed = item(1, 2, "another text");
    put(&*store, "a", 1, vec![changed.clone(), item(1, 4, "new")]).await;

    let all = all_items(&*store, &owner("a"), 1).await;
    assert_eq!(numbers(&all), ids(1..=4));
    assert_eq!(all[1], changed);
}

pub(super) async fn truncating_keeps_the_item_and_what_came_before(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    for thread_number in [1, 2] {
        store
            .create_thread(
                &owner("a"),
                &thread(thread_number),
                &Change::of(&items(thread_number, 1..=5)),
            )
            .await
            .unwrap();
    }
    let change = Change {
        truncate_after: Some(item_id(3)),
        ..Change::default()
    };
    store
        .apply(&owner("a"), &thread_id(1), &change)
        .await
        .unwrap();
    assert_eq!(
        numbers(&all_items(&*store, &owner("a"), 1).await),
        ids(1..=3)
    );
    // Another thread's items of the same names are not touched.
    assert_eq!(
        numbers(&all_items(&*store, &owner("a"), 2).await),
        ids(1..=5)
    );
}

pub(super) async fn a_change_is_applied_in_the_order_of_its_fields(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=4)))
        .await
        .unwrap();
    let renamed = ThreadMetadata {
        title: Some("Renamed".to_owned()),
        metadata: Map::from_iter([("ticket".to_owned(), json!(7))]),
        status: ThreadStatus::Locked { reason: None },
        allowed_image_domains: Some(vec!["images.example".to_owned()]),
        ..thread(1)
    };
    let change = Change {
        truncate_after: Some(item_id(3)),
        remove: vec![item_id(2)],
        // Removed, then put again: at the end. Beyond the cut, then put again: kept.
        put: vec![item(1, 2, "back"), item(1, 4, "again")],
        patch: ThreadPatch {
            title: Some("Renamed".to_owned()),
            metadata: Some(Map::from_iter([("ticket".to_owned(), json!(7))])),
            status: Some(ThreadStatus::Locked { reason: None }),
            allowed_image_domains: Some(vec!["images.example".to_owned()]),
        },
        // Too late: the thread has a title by now.
        title_if_none: Some("Automatic".to_owned()),
        ..Change::default()
    };
    store
        .apply(&owner("a"), &thread_id(1), &change)
        .await
        .unwrap();
    assert_eq!(
        numbers(&all_items(&*store, &owner("a"), 1).await),
        ids([1, 3, 2, 4])
    );
    assert_eq!(
        store.thread(&owner("a"), &thread_id(1)).await.unwrap(),
        renamed
    );
}

pub(super) async fn a_title_is_given_only_where_there_is_none(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let untitled = ThreadMetadata {
        title: None,
        ..thread(1)
    };
    store
        .create_thread(&owner("a"), &untitled, &Change::of(&items(1, 1..=1)))
        .await
        .unwrap();
    for (offered, kept) in [("First", "First"), ("Second", "First")] {
        let change = Change {
            title_if_none: Some(offered.to_owned()),
            ..Change::default()
        };
        store
            .apply(&owner("a"), &thread_id(1), &change)
            .await
            .unwrap();
        let thread = store.thread(&owner("a"), &thread_id(1)).await.unwrap();
        assert_eq!(thread.title.as_deref(), Some(kept));
    }
}

pub(super) async fn a_change_that_fails_changes_nothing(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=3)))
        .await
        .unwrap();
    let change = Change {
        truncate_after: Some(item_id(99)),
        remove: vec![item_id(1)],
        put: items(1, 4..=5),
        patch: titled("Never"),
        begin: Some(begin(9)),
        ..Change::default()
    };
    let applied = store.apply(&owner("a"), &thread_id(1), &change).await;
    assert!(matches!(applied, Err(StoreError::NotFound)), "{applied:?}");
    assert_eq!(
        numbers(&all_items(&*store, &owner("a"), 1).await),
        ids(1..=3)
    );
    assert_eq!(
        store.thread(&owner("a"), &thread_id(1)).await.unwrap(),
        thread(1)
    );

    // Half of the feedback is not kept either: the second item does not exist.
    let saved = store
        .save_feedback(
            &owner("a"),
            &thread_id(1),
            &[item_id(1), item_id(99)],
            FeedbackKind::Positive,
            at(0),
        )
        .await;
    assert!(matches!(saved, Err(StoreError::NotFound)), "{saved:?}");
}

pub(super) async fn removing_an_item_that_is_gone_is_no_error(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=2)))
        .await
        .unwrap();
    let change = Change {
        remove: vec![item_id(9), item_id(1), item_id(1)],
        ..Change::default()
    };
    for _ in 0..2 {
        store
            .apply(&owner("a"), &thread_id(1), &change)
            .await
            .unwrap();
    }
    assert_eq!(numbers(&all_items(&*store, &owner("a"), 1).await), ids([2]));
}

pub(super) async fn a_new_title_touches_nothing_else_of_the_thread(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let closed = ThreadMetadata {
        title: Some("Before".to_owned()),
        status: ThreadStatus::Closed { reason: None },
        allowed_image_domains: Some(vec!["images.example".to_owned()]),
        metadata: Map::from_iter([("note".to_owned(), json!(1))]),
        ..thread(1)
    };
    store
        .create_thread(&owner("a"), &closed, &Change::of(&items(1, 1..=1)))
        .await
        .unwrap();
    name(&*store, Some("After"), None).await;
    let expected = ThreadMetadata {
        title: Some("After".to_owned()),
        ..closed
    };
    assert_eq!(
        store.thread(&owner("a"), &thread_id(1)).await.unwrap(),
        expected
    );
    assert_eq!(numbers(&all_items(&*store, &owner("a"), 1).await), ids([1]));
}

async fn name(store: &dyn Store, title: Option<&str>, title_if_none: Option<&str>) {
    let change = Change {
        patch: ThreadPatch {
            title: title.map(str::to_owned),
            ..ThreadPatch::default()
        },
        title_if_none: title_if_none.map(str::to_owned),
        ..Change::default()
    };
    store
        .apply(&owner("a"), &thread_id(1), &change)
        .await
        .unwrap();
}

pub(super) async fn a_title_that_a_person_gave_is_never_lost(database: &dyn TestDatabase) {
    let nodes = [database.open().await.threads, database.open().await.threads];
    // A turn that begins names the thread in the background, while its user renames it.
    for _ in 0..20 {
        nodes[0]
            .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=1)))
            .await
            .unwrap();
        join_all((0..8).map(|writer| {
            let node = &*nodes[writer % 2];
            async move {
                match writer {
                    5 => name(node, Some("The person's"), None).await,
                    _ => name(node, None, Some("Automatic")).await,
                }
            }
        }))
        .await;
        let kept = nodes[1].thread(&owner("a"), &thread_id(1)).await.unwrap();
        assert_eq!(kept.title.as_deref(), Some("The person's"));
        nodes[0]
            .delete_thread(&owner("a"), &thread_id(1))
            .await
            .unwrap();
    }
}

pub(super) async fn a_deleted_thread_takes_its_items_along(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=3)))
        .await
        .unwrap();
    store
        .save_feedback(
            &owner("a"),
            &thread_id(1),
            &[item_id(1)],
            FeedbackKind::Negative,
            at(0),
        )
        .await
        .unwrap();
    store
        .delete_thread(&owner("a"), &thread_id(1))
        .await
        .unwrap();
    let again = store.delete_thread(&owner("a"), &thread_id(1)).await;
    assert!(matches!(again, Err(StoreError::NotFound)), "{again:?}");

    // A new thread of the same name begins empty.
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 8..=8)))
        .await
        .unwrap();
    assert_eq!(numbers(&all_items(&*store, &owner("a"), 1).await), ids([8]));
}

pub(super) async fn a_long_thread_goes_without_holding_others_up(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let (ada, grace) = (owner("ada"), owner("grace"));
    for (owner, number) in [(&ada, 1), (&ada, 2), (&grace, 1)] {
        store
            .create_thread(owner, &thread(number), &Change::default())
            .await
            .unwrap();
    }
    for first in (0..4_000).step_by(1_000) {
        let change = Change::of(&items(1, first..=first + 999));
        store.apply(&ada, &thread_id(1), &change).await.unwrap();
    }
    let id = thread_id(1);
    let deleting = store.delete_thread(&ada, &id);
    futures::pin_mut!(deleting);
    let mut written = 0;
    let deleted = loop {
        // Somebody else's, and its owner's own.
        let (owner, number) = if written % 2 == 0 {
            (&grace, 1)
        } else {
            (&ada, 2)
        };
        let change = Change::of(&[item(number, 7_000 + number, "meanwhile")]);
        let other = thread_id(number);
        let write = store.apply(owner, &other, &change);
        tokio::select! {
            biased;
            deleted = &mut deleting => break deleted,
            result = write => result.map(drop).unwrap(),
        }
        written += 1;
    };
    deleted.unwrap();
    let found = store.thread(&ada, &id).await;
    assert!(matches!(found, Err(StoreError::NotFound)), "{found:?}");
    assert!(written > 3, "{written} writes came between");
    assert_eq!(all_items(&*store, &grace, 1).await.len(), 1);
    assert_eq!(all_items(&*store, &ada, 2).await.len(), 1);
    store.delete_thread(&ada, &thread_id(2)).await.unwrap();
    assert_eq!(store.message_bytes(&ada).await.unwrap(), 0);
    assert!(store.message_bytes(&grace).await.unwrap() > 0);
}

pub(super) async fn threads_that_nobody_used_go_and_no_others(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let (ada, grace) = (owner("ada"), owner("grace"));
    // Made at 1, 2, 3; answered at 50 and 90.
    let used = |number, at_microseconds| Change {
        begin: Some(BeginRun {
            at: at(at_microseconds),
            workflow: WorkflowId::new(format!("wf_{number}")),
            ..begin(number)
        }),
        ..Change::default()
    };
    for (owner, number, change) in [
        (&ada, 1, Change::default()),
        (&ada, 2, used(2, 50)),
        (&grace, 3, used(3, 70)),
    ] {
        let thread = thread(number);
        store.create_thread(owner, &thread, &change).await.unwrap();
    }
    let (second, third) = (thread_id(2), thread_id(3));
    store.apply(&grace, &third, &used(4, 90)).await.unwrap();
    let renamed = Change {
        patch: titled("still the same age"),
        ..Change::default()
    };
    store.apply(&ada, &second, &renamed).await.unwrap();

    let uses = store.last_uses(0, 9).await.unwrap();
    let seen = uses.iter().map(|last| {
        let workflow = last.workflow.as_ref().map(WorkflowId::as_str);
        (&last.owner, &last.thread, workflow, last.at)
    });
    let made = thread(1).created_at;
    let expected = [
        (&ada, &thread_id(1), None, made),
        (&ada, &second, Some("wf_2"), at(50)),
        (&grace, &third, Some("wf_4"), at(90)),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    // Step by step they are the same.
    let mut after = 0;
    for last in &uses {
        let step = store.last_uses(after, 1).await.unwrap();
        assert_eq!(&step, std::slice::from_ref(last));
        after = last.number;
    }
    assert_eq!(store.last_uses(after, 1).await.unwrap(), []);

    let go = async |owner, thread, since| store.delete_idle_thread(owner, thread, at(since)).await;
    go(&ada, &second, 51).await.unwrap();
    for (owner, thread, since) in [
        (&grace, &third, 90),
        (&ada, &third, 99),
        (&ada, &second, 99),
    ] {
        let stays = go(owner, thread, since).await;
        assert!(matches!(stays, Err(StoreError::NotFound)), "{stays:?}");
    }
    assert!(store.thread(&ada, &second).await.is_err());
    store.thread(&grace, &third).await.unwrap();
    store.thread(&ada, &thread_id(1)).await.unwrap();
}

pub(super) async fn feedback_is_for_items_of_the_thread_only(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    for number in [1, 2] {
        let first_items = items(number, number..=number);
        store
            .create_thread(&owner("a"), &thread(number), &Change::of(&first_items))
            .await
            .unwrap();
    }
    for kind in [FeedbackKind::Positive, FeedbackKind::Negative] {
        store
            .save_feedback(&owner("a"), &thread_id(1), &[item_id(1)], kind, at(1))
            .await
            .unwrap();
    }
    let elsewhere = store
        .save_feedback(
            &owner("a"),
            &thread_id(1),
            &[item_id(2)],
            FeedbackKind::Positive,
            at(1),
        )
        .await;
    assert!(
        matches!(elsewhere, Err(StoreError::NotFound)),
        "{elsewhere:?}"
    );
}

pub(super) async fn writes_of_many_callers_are_all_kept(database: &dyn TestDatabase) {
    const CALLERS: u128 = 40;
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&[]))
        .await
        .unwrap();
    join_all((0..CALLERS).map(|caller| {
        let store = &*store;
        async move {
            for step in 0..5 {
                put(store, "a", 1, vec![item(1, caller * 5 + step, "text")]).await;
            }
        }
    }))
    .await;

    let all = all_items(&*store, &owner("a"), 1).await;
    let mut sorted = numbers(&all);
    sorted.sort();
    assert_eq!(sorted, ids(0..CALLERS * 5));
    // Each caller's own writes are in its own order.
    for caller in 0..CALLERS {
        let own = ids(caller * 5..caller * 5 + 5);
        let seen: Vec<_> = numbers(&all)
            .into_iter()
            .filter(|id| own.contains(id))
            .collect();
        assert_eq!(seen, own);
    }
}

pub(super) async fn a_failing_write_takes_no_other_with_it(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&[]))
        .await
        .unwrap();
    // At once, so that an engine that groups writes puts good and bad ones into the same group.
    let results = join_all((0..100).map(|number| {
        let store = &*store;
        async move {
            let change = Change {
                truncate_after: (number % 3 == 0).then(|| item_id(1_000)),
                put: vec![item(1, number, "text")],
                ..Change::default()
            };
            store.apply(&owner("a"), &thread_id(1), &change).await
        }
    }))
    .await;

    let (good, bad): (Vec<_>, Vec<_>) = (0..100_u128)
        .zip(results)
        .partition(|(_, result)| result.is_ok());
    assert!(bad.iter().all(|(number, _)| number % 3 == 0), "{bad:?}");
    let mut stored = numbers(&all_items(&*store, &owner("a"), 1).await);
    stored.sort();
    assert_eq!(stored, ids(good.into_iter().map(|(number, _)| number)));
}

pub(super) async fn another_node_sees_a_write_at_once(database: &dyn TestDatabase) {
    let one = database.open().await.threads;
    let two = database.open().await.threads;
    one.create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=1)))
        .await
        .unwrap();
    for number in 2..20 {
        let (writer, reader) = if number % 2 == 0 {
            (&two, &one)
        } else {
            (&one, &two)
        };
        put(&**writer, "a", 1, vec![item(1, number, "text")]).await;
        assert_eq!(
            numbers(&all_items(&**reader, &owner("a"), 1).await),
            ids(1..=number)
        );
    }
}

pub(super) async fn a_restart_keeps_everything(database: &dyn TestDatabase) {
    let before = database.open().await.threads;
    before
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 1..=30)))
        .await
        .unwrap();
    drop(before);
    let after = database.open().await.threads;
    assert_eq!(
        after.thread(&owner("a"), &thread_id(1)).await.unwrap(),
        thread(1)
    );
    assert_eq!(all_items(&*after, &owner("a"), 1).await, items(1, 1..=30));
}

pub(super) async fn every_kind_of_text_comes_back_as_it_was(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let texts = [
        "",
        "zero \0 byte",
        "'; DROP TABLE items; --",
        "line\r\n\u{2028}separators",
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{202E}right to left",
        "\\u0000 \"quoted\" {{placeholder}} %s ?1 :owner",
        &"long ".repeat(50_000),
    ];
    let written: Vec<_> = (0..)
        .zip(texts)
        .map(|(number, text)| item(1, number, text))
        .collect();
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&written))
        .await
        .unwrap();
    assert_eq!(all_items(&*store, &owner("a"), 1).await, written);
}

pub(super) async fn bytes_of_messages_are_counted_whatever_adds_or_removes_them(
    database: &dyn TestDatabase,
) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    let bytes = async || store.message_bytes(&ada).await.unwrap();
    assert_eq!(bytes().await, 0);
    let short = items(1, 1..=3);
    store
        .create_thread(&ada, &thread(1), &Change::of(&short))
        .await
        .unwrap();
    let three = bytes().await;
    // Whatever the form costs, the text is in it.
    assert!(three >= 3 * "item 1".len() as u64, "{three}");
    // Another thread of the same owner adds to it, one of another owner does not.
    store
        .create_thread(&ada, &thread(2), &Change::of(&items(2, 1..=1)))
        .await
        .unwrap();
    let grace = owner("grace");
    store
        .create_thread(&grace, &thread(1), &Change::of(&short))
        .await
        .unwrap();
    let four = bytes().await;
    assert!(four > three, "{four}");
    assert_eq!(store.message_bytes(&grace).await.unwrap(), three);
    // A longer text in the same place counts by the difference.
    put(
        &*store,
        "ada",
        2,
        vec![item(
            2,
            1,
            "item 1, and a hundred more: ".repeat(10).as_str(),
        )],
    )
    .await;
    let longer = bytes().await;
    assert_eq!(longer - four, 280 - "item 1".len() as u64);
    put(&*store, "ada", 2, items(2, 1..=1)).await;
    assert_eq!(bytes().await, four);
    // What goes is given back: single items, the end of a thread, and whole threads.
    let change = Change {
        truncate_after: Some(item_id(2)),
        remove: vec![item_id(1)],
        ..Change::default()
    };
    store.apply(&ada, &thread_id(1), &change).await.unwrap();
    assert_eq!(bytes().await, four - 2 * (three / 3));
    store.delete_thread(&ada, &thread_id(1)).await.unwrap();
    assert_eq!(bytes().await, four - three);
    store.delete_thread(&ada, &thread_id(2)).await.unwrap();
    assert_eq!(bytes().await, 0);
    assert_eq!(store.message_bytes(&grace).await.unwrap(), three);
}

pub(super) async fn a_probe_finds_a_store_that_works(database: &dyn TestDatabase) {
    let stores = database.open().await;
    stores
        .threads
        .create_thread(&owner("a"), &thread(1), &Change::of(&[]))
        .await
        .unwrap();
    for _ in 0..3 {
        stores.threads.probe().await.unwrap();
    }
    assert!(
        stores
            .threads
            .thread(&owner("a"), &thread_id(1))
            .await
            .is_ok()
    );
}
