//! Pages: whatever was written and removed, the pages of a list put together are the list.

use std::sync::atomic::{AtomicU32, Ordering};

use engine::Owner;
use engine::ports::{Change, PageQuery, Room, Store, StoreError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use protocol::item::{AssistantContent, AssistantMessageItem};
use protocol::request::Order;
use protocol::{ItemId, Page, ThreadId, ThreadItem, ThreadMetadata};
use tokio::runtime::Handle;

use super::TestDatabase;
use super::sample::{at, first, item, item_id, items, owner, thread, thread_id};

/// Histories to try; each is a few dozen calls to the database.
const HISTORIES: u32 = 48;

/// One thing that happens to the threads of an owner. Small numbers, so that they meet often.
#[derive(Debug, Clone)]
enum Step {
    Create { thread: u128, created_at: i64 },
    Delete { thread: u128 },
    Put { thread: u128, items: Vec<u128> },
    Remove { thread: u128, item: u128 },
    Truncate { thread: u128, item: u128 },
}

fn step() -> impl Strategy<Value = Step> {
    let thread = || 0..6_u128;
    let item = || 0..12_u128;
    prop_oneof![
        3 => (thread(), 0..3_i64)
            .prop_map(|(thread, created_at)| Step::Create { thread, created_at }),
        1 => thread().prop_map(|thread| Step::Delete { thread }),
        4 => (thread(), prop::collection::vec(item(), 0..6))
            .prop_map(|(thread, items)| Step::Put { thread, items }),
        1 => (thread(), item()).prop_map(|(thread, item)| Step::Remove { thread, item }),
        1 => (thread(), item()).prop_map(|(thread, item)| Step::Truncate { thread, item }),
    ]
}

/// What the store should hold: plain lists, nothing clever.
#[derive(Default)]
struct Model {
    threads: Vec<(ThreadMetadata, Vec<ThreadItem>)>,
}

impl Model {
    fn find(&mut self, number: u128) -> Option<&mut (ThreadMetadata, Vec<ThreadItem>)> {
        let id = thread_id(number);
        self.threads.iter_mut().find(|(thread, _)| thread.id == id)
    }

    fn sorted(&self) -> Vec<ThreadMetadata> {
        let mut threads: Vec<_> = self
            .threads
            .iter()
            .map(|(thread, _)| thread.clone())
            .collect();
        threads.sort_by(|one, other| {
            (one.created_at, one.id.as_str()).cmp(&(other.created_at, other.id.as_str()))
        });
        threads
    }
}

/// Does the step in both places and checks that both say the same about success.
async fn take(step: &Step, count: usize, store: &dyn Store, owner: &Owner, model: &mut Model) {
    let text = format!("written in step {count}");
    let (written, expected) = match step {
        Step::Create {
            thread: number,
            created_at,
        } => {
            if model.find(*number).is_some() {
                return;
            }
            let thread = ThreadMetadata {
                created_at: at(*created_at),
                ..thread(*number)
            };
            model.threads.push((thread.clone(), Vec::new()));
            (
                store
                    .create_thread(owner, &thread, &Change::of(&[]))
                    .await
                    .map(drop),
                true,
            )
        }
        Step::Delete { thread } => {
            let before = model.threads.len();
            let id = thread_id(*thread);
            model.threads.retain(|(thread, _)| thread.id != id);
            let written = store.delete_thread(owner, &id).await;
            (written, model.threads.len() < before)
        }
        Step::Put { thread, items } => {
            let put: Vec<_> = items
                .iter()
                .map(|number| item(*thread, *number, &text))
                .collect();
            let entry = model.find(*thread);
            let expected = entry.is_some();
            for new in put.iter().filter(|_| expected) {
                let (_, stored) = model.find(*thread).expect("checked above");
                match stored.iter_mut().find(|old| old.id() == new.id()) {
                    Some(old) => *old = new.clone(),
                    None => stored.push(new.clone()),
                }
            }
            let change = Change {
                put,
                ..Change::default()
            };
            (
                store
                    .apply(owner, &thread_id(*thread), &change)
                    .await
                    .map(drop),
                expected,
            )
        }
        Step::Remove { thread, item } => {
            let entry = model.find(*thread);
            let expected = entry.is_some();
            if let Some((_, stored)) = entry {
                stored.retain(|old| *old.id() != item_id(*item));
            }
            let change = Change {
                remove: vec![item_id(*item)],
                ..Change::default()
            };
            (
                store
                    .apply(owner, &thread_id(*thread), &change)
                    .await
                    .map(drop),
                expected,
            )
        }
        Step::Truncate { thread, item } => {
            let mut expected = false;
            if let Some((_, stored)) = model.find(*thread)
                && let Some(place) = stored.iter().position(|old| *old.id() == item_id(*item))
            {
                stored.truncate(place + 1);
                expected = true;
            }
            let change = Change {
                truncate_after: Some(item_id(*item)),
                ..Change::default()
            };
            (
                store
                    .apply(owner, &thread_id(*thread), &change)
                    .await
                    .map(drop),
                expected,
            )
        }
    };
    match written {
        Ok(()) => assert!(expected, "{step:?} should have found nothing"),
        Err(StoreError::NotFound) => assert!(!expected, "{step:?} should have been done"),
        Err(error) => panic!("{step:?}: {error:?}"),
    }
}

/// Reads page after page and checks that each says truly whether it is the last.
async fn read_all<T, F>(limit: u32, order: Order, id: fn(&T) -> String, read: F) -> Vec<T>
where
    F: AsyncFn(PageQuery) -> Result<Page<T>, StoreError>,
{
    let mut all = Vec::new();
    let mut query = first(limit, order);
    loop {
        let page = read(query.clone()).await.unwrap();
        assert!(page.data.len() <= limit as usize);
        let last = page.data.last().map(id);
        all.extend(page.data);
        if !page.has_more {
            assert_eq!(page.after, None);
            return all;
        }
        assert!(last.is_some(), "an empty page cannot have more after it");
        assert_eq!(page.after, last);
        query.after = last;
    }
}

async fn check_history(store: &dyn Store, owner: &Owner, steps: &[Step], limit: u32) {
    let mut model = Model::default();
    for (count, step) in steps.iter().enumerate() {
        take(step, count, store, owner, &mut model).await;
    }
    for order in [Order::Asc, Order::Desc] {
        let threads = read_all(
            limit,
            order,
            |thread: &ThreadMetadata| thread.id.to_string(),
            async |query| store.threads(owner, &query).await,
        )
        .await;
        let mut expected = model.sorted();
        if order == Order::Desc {
            expected.reverse();
        }
        assert_eq!(threads, expected);

        for (thread, stored) in &model.threads {
            let items = read_all(
                limit,
                order,
                |item: &ThreadItem| item.id().to_string(),
                async |query| store.items(owner, &thread.id, &query).await,
            )
            .await;
            let mut expected = stored.clone();
            if order == Order::Desc {
                expected.reverse();
            }
            assert_eq!(items, expected);
        }
    }
}

pub(super) async fn pages_put_together_are_the_list(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    // Each history has an owner of its own, so that one database does for all.
    let histories = AtomicU32::new(0);
    let mut runner = TestRunner::new(Config {
        cases: HISTORIES,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = (prop::collection::vec(step(), 0..40), 1..8_u32);
    let handle = Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&strategy, |(steps, limit)| {
            let history = histories.fetch_add(1, Ordering::Relaxed);
            let owner = owner(&history.to_string());
            handle.block_on(check_history(&*store, &owner, &steps, limit));
            Ok(())
        })
    })
    .unwrap();
}

pub(super) async fn an_unknown_cursor_is_not_found(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    for number in [1, 2] {
        let own_items = items(number, number * 10..=number * 10 + 3);
        store
            .create_thread(&owner("a"), &thread(number), &Change::of(&own_items))
            .await
            .unwrap();
    }
    for order in [Order::Asc, Order::Desc] {
        for after in ["thr_404", "", "' OR 1=1 --"] {
            let mut query = first(20, order);
            query.after = Some(after.to_owned());
            let page = store.threads(&owner("a"), &query).await;
            assert!(matches!(page, Err(StoreError::NotFound)), "{page:?}");
        }
        // An item of another thread is no cursor either.
        for after in [item_id(20).to_string(), "msg_404".to_owned()] {
            let mut query = first(20, order);
            query.after = Some(after);
            let page = store.items(&owner("a"), &thread_id(1), &query).await;
            assert!(matches!(page, Err(StoreError::NotFound)), "{page:?}");
        }
    }
}

pub(super) async fn a_list_of_threads_can_be_read_while_it_is_deleted(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    // Two in each millisecond, as UUIDs of version 7.
    let created_at = |number: usize| at(i64::try_from(number).unwrap() * 500);
    let ids: Vec<ThreadId> = (0..7)
        .map(|number| {
            let milliseconds = u128::try_from(created_at(number).as_microsecond() / 1_000).unwrap();
            ThreadId::mint(milliseconds << 80 | 7 << 76 | 0b10 << 62 | number as u128)
        })
        .collect();
    for order in [Order::Asc, Order::Desc] {
        for (number, id) in ids.iter().enumerate() {
            let thread = ThreadMetadata {
                id: id.clone(),
                created_at: created_at(number),
                ..thread(0)
            };
            let created = store
                .create_thread(&owner("a"), &thread, &Change::of(&[]))
                .await;
            created.unwrap();
        }
        let mut query = first(2, order);
        let mut deleted = Vec::new();
        loop {
            let page = store.threads(&owner("a"), &query).await.unwrap();
            for thread in &page.data {
                store.delete_thread(&owner("a"), &thread.id).await.unwrap();
                deleted.push(thread.id.clone());
            }
            query.after = page.after;
            if query.after.is_none() {
                break;
            }
        }
        if order == Order::Desc {
            deleted.reverse();
        }
        assert_eq!(deleted, ids, "{order:?}");
    }
}

pub(super) async fn a_list_of_items_is_read_on_from_one_that_is_gone(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let owner = owner("a");
    // UUIDs of version 7; what an agent names its items says nothing about time.
    let at_millisecond =
        |number: u128| ItemId::mint((1_790_000_000_000 + number) << 80 | 7 << 76 | 0b10 << 62);
    let named = |id: ItemId| -> ThreadItem {
        AssistantMessageItem {
            id,
            thread_id: thread_id(1),
            created_at: at(0),
            content: vec![AssistantContent::new("text")],
        }
        .into()
    };
    let ours = |number| named(at_millisecond(number));
    let agents = |number: u128| named(format!("agent:{number}").parse().unwrap());
    let put = async |items: Vec<ThreadItem>| {
        let change = Change {
            put: items,
            ..Change::default()
        };
        store.apply(&owner, &thread_id(1), &change).await.unwrap();
    };
    let ids_of = |items: &[ThreadItem]| -> Vec<ItemId> {
        items.iter().map(|item| item.id().clone()).collect()
    };
    let read = async |order, after: Option<ItemId>, before: Option<ItemId>| {
        let query = PageQuery {
            after: after.map(|id| id.to_string()),
            before: before.map(|id| id.to_string()),
            ..first(3, order)
        };
        let page = store.items(&owner, &thread_id(1), &query).await.unwrap();
        (ids_of(&page.data), page.has_more)
    };
    store
        .create_thread(&owner, &thread(1), &Change::of(&[]))
        .await
        .unwrap();
    let all = vec![
        ours(10),
        agents(1),
        ours(20),
        agents(2),
        ours(30),
        ours(40),
        // Its message waited for the answer before it.
        ours(35),
        ours(50),
    ];
    put(all.clone()).await;
    let id = |place: usize| all[place].id().clone();
    let ids = |places: &[usize]| places.iter().map(|place| id(*place)).collect::<Vec<_>>();
    let change = Change {
        truncate_after: Some(id(3)),
        ..Change::default()
    };
    store.apply(&owner, &thread_id(1), &change).await.unwrap();

    for gone in [30, 35, 40, 50].map(at_millisecond) {
        // Nothing of what is older is passed over. What the agent named last may have come later.
        let older = read(Order::Desc, Some(gone.clone()), None).await;
        assert_eq!(older, (ids(&[3, 2, 1]), true), "{gone}");
        let newer = read(Order::Asc, Some(gone.clone()), None).await;
        assert_eq!(newer, (ids(&[3]), false), "{gone}");
        // A page right before it, in either order.
        let before = read(Order::Asc, None, Some(gone.clone())).await;
        assert_eq!(before.0, ids(&[1, 2, 3]), "{gone}");
        let before = read(Order::Desc, None, Some(gone.clone())).await;
        assert_eq!(before.0, ids(&[3]), "{gone}");
    }
    // The first one of all, and what was said in its place since.
    let before_all = at_millisecond(1);
    assert_eq!(
        read(Order::Desc, Some(before_all.clone()), None).await,
        (vec![], false)
    );
    let since = [ours(60), ours(55), agents(3)];
    put(since.to_vec()).await;
    let expected = vec![id(3), at_millisecond(60), at_millisecond(55)];
    for gone in [30, 50].map(at_millisecond) {
        let newer = read(Order::Asc, Some(gone.clone()), None).await;
        assert_eq!(newer, (expected.clone(), true), "{gone}");
        let older = read(Order::Desc, Some(gone.clone()), None).await;
        assert_eq!(older, (ids(&[3, 2, 1]), true), "{gone}");
    }
    assert_eq!(
        read(Order::Desc, Some(at_millisecond(70)), None).await.0,
        ids_of(&[since[2].clone(), since[1].clone(), since[0].clone()])
    );
    // Between two that are gone, and between one that is gone and one that is there.
    assert_eq!(
        read(
            Order::Asc,
            Some(at_millisecond(15)),
            Some(at_millisecond(30))
        )
        .await,
        (ids(&[1, 2, 3]), false)
    );
    assert_eq!(
        read(Order::Desc, Some(at_millisecond(30)), Some(id(1))).await,
        (ids(&[3, 2]), false)
    );
    // What says no time stood nowhere, and nobody else's thread has places.
    for (whose, thread, after) in [
        ("a", 1, "agent:404".to_owned()),
        ("a", 2, at_millisecond(30).to_string()),
        ("b", 1, at_millisecond(30).to_string()),
    ] {
        let query = PageQuery {
            after: Some(after),
            ..first(3, Order::Asc)
        };
        let page = store
            .items(&super::sample::owner(whose), &thread_id(thread), &query)
            .await;
        assert!(matches!(page, Err(StoreError::NotFound)), "{page:?}");
    }
}

pub(super) async fn limits_are_kept_within_bounds(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let most = u128::from(PageQuery::MAX_LIMIT);
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&items(1, 0..=most)))
        .await
        .unwrap();
    for (limit, expected) in [
        (0, 1),
        (1, 1),
        (PageQuery::MAX_LIMIT, PageQuery::MAX_LIMIT as usize),
        (u32::MAX, PageQuery::MAX_LIMIT as usize),
    ] {
        let page = store
            .items(&owner("a"), &thread_id(1), &first(limit, Order::Asc))
            .await
            .unwrap();
        assert_eq!((page.data.len(), page.has_more), (expected, true));
    }
}

pub(super) async fn a_page_ends_before_it_grows_too_large(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    // Three of them fit into a page; one is too large for any page, and is a page of its own.
    let third = usize::try_from(PageQuery::MAX_BYTES).unwrap() / 3 - 1_000;
    let texts = [third, third, third, third, 5 * third, third];
    let long: Vec<_> = (0..)
        .zip(texts)
        .map(|(number, bytes)| item(1, number, &"x".repeat(bytes)))
        .collect();
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&long))
        .await
        .unwrap();
    for (order, expected) in [(Order::Asc, [3, 1, 1, 1]), (Order::Desc, [1, 1, 3, 1])] {
        let mut query = first(20, order);
        let mut pages = Vec::new();
        loop {
            let page = store
                .items(&owner("a"), &thread_id(1), &query)
                .await
                .unwrap();
            pages.push(page.data.len());
            assert_eq!(page.has_more, page.after.is_some());
            query.after = page.after;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(pages, expected, "{order:?}");
    }
}

pub(super) async fn the_newest_items_are_read_as_far_as_they_fit(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let texts = [400, 10, 4_000, 20, 30];
    let all: Vec<_> = (0..)
        .zip(texts)
        .map(|(number, bytes)| item(1, number, &"x".repeat(bytes)))
        .collect();
    store
        .create_thread(&owner("a"), &thread(1), &Change::of(&all))
        .await
        .unwrap();
    let read = async |owner: &Owner, before: Option<u128>, items, bytes| {
        let before = before.map(item_id);
        store
            .newest_items(owner, &thread_id(1), before.as_ref(), Room { items, bytes })
            .await
    };
    for (before, most, bytes, expected, has_more) in [
        (None, 9, 1 << 20, 0..5, false),
        (None, 5, 1 << 20, 0..5, false),
        (None, 4, 1 << 20, 1..5, true),
        (None, 0, 1 << 20, 5..5, true),
        // What is too large ends it, and nothing behind that is taken in its place.
        (None, 9, 2_000, 3..5, true),
        (None, 9, 10, 5..5, true),
        (Some(3), 9, 1 << 20, 0..3, false),
        (Some(2), 1, 1 << 20, 1..2, true),
        (Some(0), 9, 1 << 20, 0..0, false),
    ] {
        let newest = read(&owner("a"), before, most, bytes).await.unwrap();
        assert_eq!(newest.items, all[expected], "{before:?} {most} {bytes}");
        assert_eq!(newest.has_more, has_more, "{before:?} {most} {bytes}");
    }
    for (owner, before) in [(owner("b"), None), (owner("a"), Some(404))] {
        let missing = read(&owner, before, 9, 1 << 20).await;
        assert!(matches!(missing, Err(StoreError::NotFound)), "{missing:?}");
    }
}
