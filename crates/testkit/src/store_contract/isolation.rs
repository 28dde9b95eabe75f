//! One owner's data is another's nothing.

use engine::Owner;
use engine::ports::{Change, RunEnd, Store, StoreError};
use protocol::ThreadId;
use protocol::request::{FeedbackKind, Order};

use super::TestDatabase;
use super::sample::{
    all_items, at, begin, first, item, item_id, items, owner, thread, thread_id, titled,
};

/// Every method that names a thread, with what it answers.
async fn everything_that_names_a_thread(
    store: &dyn Store,
    owner: &Owner,
    id: &ThreadId,
) -> Vec<(&'static str, Result<(), StoreError>)> {
    let changes = [
        ("apply nothing", Change::default()),
        (
            "apply truncate",
            Change {
                truncate_after: Some(item_id(1)),
                ..Change::default()
            },
        ),
        (
            "apply remove",
            Change {
                remove: vec![item_id(1)],
                ..Change::default()
            },
        ),
        (
            "apply put",
            Change {
                put: vec![item(1, 1, "overwritten"), item(1, 77, "added")],
                ..Change::default()
            },
        ),
        (
            "apply begin",
            Change {
                begin: Some(begin(1)),
                ..Change::default()
            },
        ),
        (
            "apply end",
            Change {
                end: Some(RunEnd::Ended),
                ..Change::default()
            },
        ),
        (
            "apply patch",
            Change {
                patch: titled("taken"),
                ..Change::default()
            },
        ),
        (
            "apply title if none",
            Change {
                title_if_none: Some("taken".to_owned()),
                ..Change::default()
            },
        ),
    ];
    let mut answers = vec![
        ("standing", store.standing(owner, id).await.map(drop)),
        (
            "enqueue",
            store
                .enqueue(owner, id, &item(1, 78, "waits"), None, 8)
                .await,
        ),
        ("thread", store.thread(owner, id).await.map(drop)),
        (
            "items",
            store
                .items(owner, id, &first(20, Order::Asc))
                .await
                .map(drop),
        ),
        ("item", store.item(owner, id, &item_id(1)).await.map(drop)),
        (
            "save_feedback",
            store
                .save_feedback(owner, id, &[item_id(1)], FeedbackKind::Positive, at(0))
                .await,
        ),
        (
            "save_feedback of nothing",
            store
                .save_feedback(owner, id, &[], FeedbackKind::Positive, at(0))
                .await,
        ),
    ];
    for (name, change) in changes {
        answers.push((name, store.apply(owner, id, &change).await.map(drop)));
    }
    answers.push(("delete_thread", store.delete_thread(owner, id).await));
    answers
}

pub(super) async fn a_foreign_thread_is_as_missing_as_one_that_never_was(
    database: &dyn TestDatabase,
) {
    let store = database.open().await.threads;
    let mine = items(1, 1..=3);
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&mine))
        .await
        .unwrap();
    store
        .create_thread(&owner("b"), &thread(2), &Change::of(&items(2, 1..=3)))
        .await
        .unwrap();

    // Names that begin alike, end alike or are written alike are still other names.
    let others = [
        owner("b"),
        owner("a "),
        owner("A"),
        owner("a%"),
        owner(""),
        Owner::new(""),
    ];
    for other in &others {
        for id in [thread_id(1), thread_id(404)] {
            for (method, answer) in everything_that_names_a_thread(&*store, other, &id).await {
                assert!(
                    matches!(answer, Err(StoreError::NotFound)),
                    "{method} of {id} by {other:?}: {answer:?}"
                );
            }
        }
    }

    assert_eq!(
        store.thread(&owner("a"), &thread_id(1)).await.unwrap(),
        thread(1)
    );
    assert_eq!(all_items(&*store, &owner("a"), 1).await, mine);
}

pub(super) async fn owners_may_use_the_same_ids(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    for (name, text) in [("a", "of a"), ("b", "of b")] {
        store
            .create_thread(&owner(name), &thread(1), &Change::of(&[item(1, 1, text)]))
            .await
            .unwrap();
    }
    store
        .delete_thread(&owner("b"), &thread_id(1))
        .await
        .unwrap();
    assert_eq!(
        all_items(&*store, &owner("a"), 1).await,
        [item(1, 1, "of a")]
    );
}

pub(super) async fn a_list_shows_only_the_owners_threads(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    for number in 1..=6 {
        let name = if number % 2 == 0 { "even" } else { "odd" };
        store
            .create_thread(&owner(name), &thread(number), &Change::of(&[]))
            .await
            .unwrap();
    }
    for order in [Order::Asc, Order::Desc] {
        let page = store
            .threads(&owner("even"), &first(2, order))
            .await
            .unwrap();
        let mut expected = [thread(2), thread(4), thread(6)];
        if order == Order::Desc {
            expected.reverse();
        }
        assert_eq!(page.data, expected[..2]);
        assert!(page.has_more);

        // Another owner's thread is no cursor.
        let mut query = first(2, order);
        query.after = Some(thread_id(3).to_string());
        let page = store.threads(&owner("even"), &query).await;
        assert!(matches!(page, Err(StoreError::NotFound)), "{page:?}");
    }
    let nobody = store
        .threads(&owner("nobody"), &first(20, Order::Desc))
        .await
        .unwrap();
    assert_eq!(nobody, protocol::Page::empty());
}
