//! A project is everybody whom its keys' servers speak for, and nobody else.

use engine::ports::{Change, PageQuery, Store, StoreError};
use engine::{Owner, Project};
use protocol::request::Order;
use protocol::{ThreadId, ThreadMetadata};

use super::TestDatabase;
use super::sample::{at, first, item, owner, thread, thread_id};

fn user(project: &str, name: &str) -> Owner {
    Owner::new(format!("key:{project} {name}"))
}

fn project(name: &str) -> Project {
    Project::new(format!("key:{name}"))
}

/// Threads with these numbers, in this order of time, that take turns in having two owners.
async fn fill(store: &dyn Store, name: &str, numbers: std::ops::RangeInclusive<u128>) {
    for number in numbers {
        let owner = user(name, if number % 2 == 0 { "even" } else { "odd" });
        store
            .create_thread(&owner, &thread(number), &Change::of(&[]))
            .await
            .unwrap();
    }
}

fn ids(page: &[(Owner, ThreadMetadata)]) -> Vec<ThreadId> {
    page.iter().map(|(_, thread)| thread.id.clone()).collect()
}

pub(super) async fn a_project_sees_the_threads_of_all_its_users(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    fill(&*store, "shop", 1..=6).await;
    let page = store
        .threads_in(&project("shop"), &first(20, Order::Asc))
        .await
        .unwrap();
    let expected: Vec<_> = (1..=6).map(thread_id).collect();
    assert_eq!((ids(&page.data), page.has_more), (expected, false));
    for (owner, thread) in &page.data {
        assert_eq!(
            store.owner_in(&project("shop"), &thread.id).await.unwrap(),
            *owner
        );
        assert_eq!(store.thread(owner, &thread.id).await.unwrap(), *thread);
    }
    assert_eq!(page.data[0].0, user("shop", "odd"));
}

pub(super) async fn a_project_sees_nothing_of_others(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    fill(&*store, "shop", 1..=2).await;
    // Names that begin alike, end alike or are written alike are still other names.
    let others = [
        "shop:test",
        "shop2",
        "sho",
        "Shop",
        "shop%",
        "",
        "shop even",
        "_hop",
    ];
    for (number, name) in (10..).zip(others) {
        let owner = user(name, "even");
        store
            .create_thread(&owner, &thread(number), &Change::of(&[]))
            .await
            .unwrap();
    }
    for (number, owner) in (100..).zip([
        owner("a"),
        Owner::new("key"),
        Owner::new("key:"),
        Owner::new("key:shop"),
        Owner::new("visitor:shop even"),
        Owner::new("xkey:shop even"),
    ]) {
        store
            .create_thread(&owner, &thread(number), &Change::of(&[]))
            .await
            .unwrap();
    }
    let own = store
        .threads_in(&project("shop"), &first(20, Order::Asc))
        .await
        .unwrap();
    // The owner `key:shop even even` is a user called `even even`.
    let expected = [thread_id(1), thread_id(2), thread_id(16)];
    assert_eq!(ids(&own.data), expected);
    for foreign in (10..16).chain([17]).chain(100..106).map(thread_id) {
        let answer = store.owner_in(&project("shop"), &foreign).await;
        assert!(matches!(answer, Err(StoreError::NotFound)), "{foreign}");
        for (after, before) in [(Some(&foreign), None), (None, Some(&foreign))] {
            let query = PageQuery {
                after: after.map(ToString::to_string),
                before: before.map(ToString::to_string),
                ..first(20, Order::Asc)
            };
            let page = store.threads_in(&project("shop"), &query).await;
            assert!(matches!(page, Err(StoreError::NotFound)), "{page:?}");
        }
    }
    for name in ["issuer.example", "nobody"] {
        let page = store
            .threads_in(&project(name), &first(20, Order::Desc))
            .await
            .unwrap();
        assert!(page.data.is_empty(), "{page:?}");
    }
    let issuers = Project::new("https://issuer.example");
    let page = store.threads_in(&issuers, &first(20, Order::Desc)).await;
    assert!(page.unwrap().data.is_empty(), "an issuer is no project");
}

/// How many entries the lists have that are looked at piece by piece.
const COUNT: u128 = 7;

/// What a list in memory has there, and whether there is more.
fn expected(
    order: Order,
    after: Option<u128>,
    before: Option<u128>,
    limit: usize,
) -> (Vec<u128>, bool) {
    let mut all: Vec<u128> = (1..=COUNT).collect();
    if order == Order::Desc {
        all.reverse();
    }
    let place = |number: u128| all.iter().position(|other| *other == number).unwrap();
    let start = after.map_or(0, |number| place(number) + 1);
    let end = before.map_or(all.len(), place);
    let between = all.get(start..end).unwrap_or_default();
    let has_more = between.len() > limit;
    let page = if after.is_none() && before.is_some() {
        &between[between.len().saturating_sub(limit)..]
    } else {
        &between[..between.len().min(limit)]
    };
    (page.to_vec(), has_more)
}

/// Whatever the bounds and the direction: what a page has is what a list in memory has there.
pub(super) async fn pages_between_two_places_are_the_list_between_them(
    database: &dyn TestDatabase,
) {
    let store = database.open().await.threads;
    let owner = user("shop", "ada");
    for number in 1..=COUNT {
        // Two threads share each moment, so that the id decides.
        let thread = ThreadMetadata {
            created_at: at(i64::try_from(number / 2).unwrap()),
            ..thread(number)
        };
        let items: Vec<_> = (1..=COUNT)
            .map(|place| item(number, place, "text"))
            .collect();
        store
            .create_thread(&owner, &thread, &Change::of(&items))
            .await
            .unwrap();
    }
    let places = || std::iter::once(None).chain((1..=COUNT).map(Some));
    for order in [Order::Asc, Order::Desc] {
        for (after, before) in places().flat_map(|a| places().map(move |b| (a, b))) {
            for limit in [1, 2, 5, 20] {
                let numbers = expected(order, after, before, limit as usize);
                let query = |id: fn(u128) -> String| PageQuery {
                    after: after.map(id),
                    before: before.map(id),
                    ..first(limit, order)
                };
                let told = format!("{order:?} after {after:?} before {before:?} limit {limit}");

                let by_thread = query(|number| thread_id(number).to_string());
                let threads: Vec<_> = numbers.0.iter().copied().map(thread_id).collect();
                let page = store.threads(&owner, &by_thread).await.unwrap();
                let found: Vec<_> = page.data.into_iter().map(|thread| thread.id).collect();
                assert_eq!(
                    (found, page.has_more),
                    (threads.clone(), numbers.1),
                    "{told}"
                );
                let page = store
                    .threads_in(&project("shop"), &by_thread)
                    .await
                    .unwrap();
                assert_eq!(
                    (ids(&page.data), page.has_more),
                    (threads, numbers.1),
                    "{told}"
                );

                let by_item = query(|number| super::sample::item_id(number).to_string());
                let page = store.items(&owner, &thread_id(1), &by_item).await.unwrap();
                let found: Vec<_> = page.data.iter().map(|item| item.id().clone()).collect();
                let items: Vec<_> = numbers
                    .0
                    .iter()
                    .copied()
                    .map(super::sample::item_id)
                    .collect();
                assert_eq!((found, page.has_more), (items, numbers.1), "{told}");
            }
        }
    }
}
