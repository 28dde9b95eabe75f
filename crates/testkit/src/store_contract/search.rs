//! Looking for words in one's own threads.

use engine::Owner;
use engine::ports::{Change, Match, PageQuery, Store, StoreError};
use engine::search::Wanted;
use protocol::request::Order;
use protocol::{Page, ThreadItem};
use serde_json::json;

use super::TestDatabase;
use super::sample::{first, item, item_id, owner, thread, thread_id, titled};

async fn find_after(
    store: &dyn Store,
    owner: &Owner,
    words: &str,
    limit: u32,
    after: Option<String>,
) -> Result<Page<Match>, StoreError> {
    let wanted = Wanted::parse(words).expect("words");
    let query = PageQuery {
        after,
        ..first(limit, Order::Desc)
    };
    store.search(owner, &wanted, &query).await
}

/// The numbers of the threads that are found, newest first.
async fn find(store: &dyn Store, owner: &Owner, words: &str) -> Vec<u128> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = find_after(store, owner, words, 100, after).await.unwrap();
        found.extend(page.data.iter().map(number));
        assert_eq!(page.has_more, page.after.is_some());
        after = page.after;
        if after.is_none() {
            return found;
        }
    }
}

fn number(found: &Match) -> u128 {
    (0..1_000)
        .find(|number| thread_id(*number) == found.thread.id)
        .expect("one of the threads that were made")
}

async fn make(store: &dyn Store, owner: &Owner, number: u128, title: &str, items: Vec<ThreadItem>) {
    let change = Change {
        put: items,
        patch: titled(title),
        ..Change::default()
    };
    store
        .create_thread(owner, &thread(number), &change)
        .await
        .unwrap();
}

pub(super) async fn threads_are_found_by_their_titles_and_messages(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    make(&*store, &ada, 1, "Refund of an order", vec![]).await;
    let asked = json!({
        "type": "user_message", "id": item_id(1), "thread_id": thread_id(2), "attachments": [],
        "created_at": "2026-10-01T00:00:00Z", "inference_options": {},
        "content": [{ "type": "input_text", "text": "how do I get\na \"refund\"?" }],
    });
    let asked: ThreadItem = serde_json::from_value(asked).expect("an item");
    make(
        &*store,
        &ada,
        2,
        "Money",
        vec![asked, item(2, 2, "By post.")],
    )
    .await;
    make(&*store, &ada, 3, "Weather", vec![item(3, 1, "Rain.")]).await;
    assert_eq!(find(&*store, &ada, "refund").await, [2, 1]);
    assert_eq!(find(&*store, &ada, "get refund").await, [2]);
    assert_eq!(find(&*store, &ada, "\"refund\"?").await, [2]);
    // Of one text, not of several.
    assert_eq!(find(&*store, &ada, "refund post").await, []);
    assert_eq!(find(&*store, &ada, "a").await, [3, 2, 1]);
    assert_eq!(find(&*store, &ada, "100%").await, []);
    let page = find_after(&*store, &ada, "refund", 10, None).await.unwrap();
    let excerpts: Vec<_> = page.data.into_iter().map(|found| found.excerpt).collect();
    assert_eq!(
        excerpts,
        [Some("how do I get a \"refund\"?".to_owned()), None]
    );
}

pub(super) async fn words_are_found_in_every_language_and_case(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    let texts = [
        ("東京", "来週、東京都へ行きます"),
        ("退款", "我想申请退款，谢谢"),
        ("日", "日本"),
        ("환불", "주문을 환불해 주세요"),
        ("ÜBER", "Es geht über alles"),
        ("straße", "STRAẞE"),
        ("οδος", "ΟΔΟΣ"),
        ("привет", "ПРИВЕТ, мир"),
        ("istanbul", "İSTANBUL"),
        ("kelvin", "\u{212a}ELVIN"),
        ("فاتورة", "أين فاتورة الشهر"),
        ("ısı", "ISI"),
        ("🦀", "made with 🦀"),
        ("50%_^", "a 50%_^ mark"),
        ("c:\\new", "in C:\\new folder"),
        ("</b>", "<b>bold</b>"),
        ("tab", "a\u{1}b\ttab"),
    ];
    for (number, (_, text)) in (0..).zip(texts) {
        make(&*store, &ada, number, "-", vec![item(number, 1, text)]).await;
    }
    for (number, (words, text)) in (0..).zip(texts) {
        let found = find(&*store, &ada, words).await;
        assert!(found.contains(&number), "{words} in {text}: {found:?}");
    }
    for (number, (words, _)) in (100..).zip(texts) {
        make(&*store, &ada, number, words, vec![]).await;
        assert!(
            find(&*store, &ada, words).await.contains(&number),
            "{words}"
        );
    }
}

pub(super) async fn only_what_a_person_reads_is_looked_through(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    let hidden = json!({
        "type": "hidden_context_item", "id": item_id(2), "thread_id": thread_id(1),
        "created_at": "2026-10-01T00:00:00Z", "content": "the password is swordfish",
    });
    let hidden: ThreadItem = serde_json::from_value(hidden).expect("an item");
    // Many, of which each has those names in its form.
    let mut items: Vec<_> = (3..300).map(|number| item(1, number, "More.")).collect();
    items.extend([item(1, 1, "Hello."), hidden]);
    make(&*store, &ada, 1, "-", items).await;
    // Names of our own form are no texts either.
    for words in [
        "swordfish",
        "assistant_message",
        "content",
        "created_at",
        "cthr_",
    ] {
        assert_eq!(find(&*store, &ada, words).await, [], "{words}");
    }
}

pub(super) async fn nobody_finds_what_is_somebody_elses(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let (ada, grace) = (owner("ada"), owner("grace"));
    make(&*store, &ada, 1, "A secret", vec![item(1, 1, "secret")]).await;
    make(&*store, &grace, 2, "Mine", vec![item(2, 1, "no secret")]).await;
    assert_eq!(find(&*store, &grace, "secret").await, [2]);
    // A thread of somebody else's is no place to go on from, as one that never was.
    let mut outcomes = Vec::new();
    for after in [1, 77] {
        let after = Some(thread_id(after).to_string());
        let page = find_after(&*store, &grace, "secret", 10, after).await;
        outcomes.push(
            page.map(|page| page.data.len())
                .map_err(|error| error.to_string()),
        );
    }
    assert_eq!(outcomes.first(), outcomes.last());
}

pub(super) async fn pages_of_matches_put_together_are_all_of_them(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    for number in 0..25 {
        let text = if number % 3 == 0 { "needle" } else { "hay" };
        make(&*store, &ada, number, "-", vec![item(number, 1, text)]).await;
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = find_after(&*store, &ada, "needle", 2, after).await.unwrap();
        assert!(page.data.len() <= 2);
        found.extend(page.data.iter().map(number));
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [24, 21, 18, 15, 12, 9, 6, 3, 0]);
}

pub(super) async fn a_deleted_or_changed_text_is_found_no_more(database: &dyn TestDatabase) {
    let store = database.open().await.threads;
    let ada = owner("ada");
    make(
        &*store,
        &ada,
        1,
        "-",
        vec![item(1, 1, "first"), item(1, 2, "second")],
    )
    .await;
    make(&*store, &ada, 2, "-", vec![item(2, 1, "first")]).await;
    store.delete_thread(&ada, &thread_id(2)).await.unwrap();
    assert_eq!(find(&*store, &ada, "first").await, [1]);
    let change = Change {
        put: vec![item(1, 1, "other")],
        remove: vec![item_id(2)],
        patch: titled("third"),
        ..Change::default()
    };
    store.apply(&ada, &thread_id(1), &change).await.unwrap();
    assert_eq!(find(&*store, &ada, "first").await, []);
    assert_eq!(find(&*store, &ada, "second").await, []);
    assert_eq!(find(&*store, &ada, "other").await, [1]);
    assert_eq!(find(&*store, &ada, "third").await, [1]);
}
