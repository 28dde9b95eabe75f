//! The domain allowlist, and the origins that were refused.

use auth::identity::Environment::{Live, Test};
use auth::ports::{CredentialStore, DomainRecord, StoreError};
use auth::time::UnixTime;
use futures::future::join_all;

use super::TestDatabase;
use super::sample::seconds;

fn domain(origin: &str, environment: auth::identity::Environment, key: &str) -> DomainRecord {
    DomainRecord {
        origin: origin.to_owned(),
        environment,
        key: key.to_owned(),
        created_at: seconds(0),
    }
}

pub(super) async fn an_origin_is_registered_once_for_each_environment(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let live = domain("https://b.example", Live, "dk_live_1");
    let test = domain("https://b.example", Test, "dk_test_1");
    let other = domain("https://a.example", Live, "dk_live_2");
    for domain in [&live, &test, &other] {
        assert_eq!(&store.insert_domain(domain).await.unwrap(), domain);
    }
    // The key that was given out first stays.
    let again = domain("https://b.example", Live, "dk_live_3");
    assert_eq!(store.insert_domain(&again).await.unwrap(), live);
    let same_key = domain("https://c.example", Live, "dk_live_1");
    let same_key = store.insert_domain(&same_key).await;
    assert!(
        matches!(same_key, Err(StoreError::Conflict)),
        "{same_key:?}"
    );

    assert_eq!(
        store.list_domains().await.unwrap(),
        [other.clone(), live.clone(), test.clone()]
    );
    let find =
        async |origin: &str, environment| store.find_domain(origin, environment).await.unwrap();
    assert_eq!(find("https://b.example", Live).await, Some(live.clone()));
    assert_eq!(find("https://b.example", Test).await, Some(test));
    assert_eq!(find("https://a.example", Test).await, None);
    // Exactly this origin and no other.
    for origin in [
        "https://b.example/",
        "https://B.example",
        "http://b.example",
        "https://b.example:443",
        "https://x.b.example",
        "https://_.example",
        "https://%.example",
        "",
    ] {
        assert_eq!(find(origin, Live).await, None, "{origin}");
    }
    assert_eq!(
        store.find_domain_by_key("dk_live_1").await.unwrap(),
        Some(live)
    );
    assert_eq!(store.find_domain_by_key("dk_live_3").await.unwrap(), None);
}

pub(super) async fn a_removed_domain_is_gone_on_every_node(database: &dyn TestDatabase) {
    let nodes = [
        database.open().await.credentials,
        database.open().await.credentials,
    ];
    // What one node does, the other sees with its very next call; both have looked before.
    for round in 0..10 {
        let (writer, reader) = (&nodes[round % 2], &nodes[(round + 1) % 2]);
        let find = async |node: &dyn CredentialStore| {
            node.find_domain("https://a.example", Live).await.unwrap()
        };
        let registered = domain("https://a.example", Live, &format!("dk_live_{round}"));
        assert_eq!(find(&**reader).await, None);
        writer.insert_domain(&registered).await.unwrap();
        assert_eq!(find(&**reader).await, Some(registered.clone()));
        assert_eq!(find(&**writer).await, Some(registered));
        assert!(
            writer
                .remove_domain("https://a.example", Live)
                .await
                .unwrap()
        );
        assert!(
            !reader
                .remove_domain("https://a.example", Live)
                .await
                .unwrap()
        );
        assert_eq!(find(&**reader).await, None);
        assert_eq!(find(&**writer).await, None);
    }
}

pub(super) async fn refusals_are_counted_and_bounded(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let record = async |origin: &str, now: UnixTime| {
        store.record_refusal(origin, Live, now, 3).await.unwrap();
    };
    let list = async || -> Vec<(String, u64, UnixTime, UnixTime)> {
        let refusals = store.list_refusals().await.unwrap();
        refusals
            .into_iter()
            .map(|refusal| {
                (
                    refusal.origin,
                    refusal.count,
                    refusal.first_seen_at,
                    refusal.last_seen_at,
                )
            })
            .collect()
    };
    let entry = |origin: &str, count, first, last| {
        (origin.to_owned(), count, seconds(first), seconds(last))
    };

    record("https://a.example", seconds(1)).await;
    record("https://b.example", seconds(2)).await;
    record("https://a.example", seconds(3)).await;
    assert_eq!(
        list().await,
        [
            entry("https://a.example", 2, 1, 3),
            entry("https://b.example", 1, 2, 2)
        ]
    );
    // A flood of origins that come once pushes out neither what just came nor what keeps coming.
    for number in 0..10 {
        record(&format!("https://{number}.example"), seconds(4)).await;
    }
    assert_eq!(
        list().await,
        [
            entry("https://9.example", 1, 4, 4),
            entry("https://8.example", 1, 4, 4),
            entry("https://a.example", 2, 1, 3)
        ]
    );
    // Counts are exact, however many come at once.
    join_all((0..50).map(|_| record("https://9.example", seconds(5)))).await;
    assert_eq!(list().await[0], entry("https://9.example", 51, 4, 5));

    // An origin has one entry, whatever it was refused for.
    store
        .record_refusal("https://9.example", Test, seconds(6), 3)
        .await
        .unwrap();
    assert_eq!(list().await[0], entry("https://9.example", 52, 4, 6));
    // Registering an origin forgets its refusal, if it was for that environment.
    store
        .insert_domain(&domain("https://9.example", Live, "dk_live_1"))
        .await
        .unwrap();
    let left = store.list_refusals().await.unwrap();
    let left: Vec<_> = left
        .iter()
        .map(|refusal| (refusal.origin.as_str(), refusal.environment))
        .collect();
    assert_eq!(
        left,
        [
            ("https://9.example", Test),
            ("https://8.example", Live),
            ("https://a.example", Live)
        ]
    );
    let registered = domain("https://9.example", Test, "dk_test_1");
    store.insert_domain(&registered).await.unwrap();
    assert_eq!(store.list_refusals().await.unwrap().len(), 2);
}
