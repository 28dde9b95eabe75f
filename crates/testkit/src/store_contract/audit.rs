//! The audit log: kept as it was written, found by what it says, removed only when it is old.

use auth::audit::{Actor, AuditEntry, AuditEvent, AuditQuery, AuditRecord, AuditStore, Door};
use auth::ports::EndReason;

use super::TestDatabase;
use super::sample::seconds;

const ISSUER: &str = "https://issuer.example";

fn refused(at: i64, reason: &str) -> AuditRecord {
    let event = AuditEvent::Refused {
        reason: reason.to_owned(),
        command: Some("vestibule domain add https://app.example --env live".to_owned()),
    };
    AuditRecord::new(seconds(at), event)
}

/// Entries of several kinds, oldest first.
fn samples() -> Vec<AuditRecord> {
    let opened = AuditEvent::SessionOpened {
        workflow: "wf_demo".to_owned(),
        displaced: 2,
    };
    let ended = AuditEvent::SessionEnded {
        reason: EndReason::Revoked,
        sessions: 3,
    };
    vec![
        AuditRecord {
            origin: Some("https://app.example".to_owned()),
            address: Some("192.0.2.1".to_owned()),
            ..AuditRecord::new(seconds(10), opened)
        }
        .about(ISSUER, "ada")
        .through(Some(Door::ClientSecret))
        .in_session("cksess_1"),
        AuditRecord {
            count: 12,
            address: Some("2001:db8::/64".to_owned()),
            ..refused(20, "bad_signature")
        }
        .through(Some(Door::Custom)),
        AuditRecord::new(seconds(30), AuditEvent::Entered)
            .about("https://other.example", "ada")
            .through(Some(Door::Custom)),
        AuditRecord::new(seconds(40), ended)
            .about(ISSUER, "ada")
            .by(Actor::Operator("grace (uid 7)".to_owned())),
        AuditRecord::new(seconds(50), AuditEvent::EventsDropped),
    ]
}

async fn list(store: &dyn AuditStore, query: &AuditQuery) -> Vec<AuditEntry> {
    store.list_audit(query, 1_000).await.unwrap()
}

async fn records(store: &dyn AuditStore, query: &AuditQuery) -> Vec<AuditRecord> {
    let entries = list(store, query).await;
    entries.into_iter().map(|entry| entry.record).collect()
}

pub(super) async fn audit_entries_come_back_as_they_were(database: &dyn TestDatabase) {
    let store = database.open().await.audit;
    let other_node = database.open().await.audit;
    store.append_audit(&samples()).await.unwrap();
    store.append_audit(&[]).await.unwrap();
    store.append_audit(&samples()).await.unwrap();
    let all = list(&*other_node, &AuditQuery::default()).await;
    let records: Vec<_> = all.iter().map(|entry| entry.record.clone()).collect();
    assert_eq!(records, [samples(), samples()].concat());
    let ids: Vec<u64> = all.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, (1..=10).collect::<Vec<u64>>(), "without gaps");
}

pub(super) async fn audit_entries_are_found_by_what_they_say(database: &dyn TestDatabase) {
    let store = database.open().await.audit;
    store.append_audit(&samples()).await.unwrap();
    let all = AuditQuery::default;
    for (name, query, expected) in [
        ("all", all(), vec![0, 1, 2, 3, 4]),
        (
            "newest first",
            AuditQuery {
                is_newest_first: true,
                ..all()
            },
            vec![4, 3, 2, 1, 0],
        ),
        (
            "time",
            AuditQuery {
                since: Some(seconds(20)),
                until: Some(seconds(40)),
                ..all()
            },
            vec![1, 2],
        ),
        (
            "kind",
            AuditQuery {
                kind: Some("refused".to_owned()),
                ..all()
            },
            vec![1],
        ),
        (
            "door",
            AuditQuery {
                door: Some(Door::Custom),
                ..all()
            },
            vec![1, 2],
        ),
        (
            "user",
            AuditQuery {
                subject: Some("ada".to_owned()),
                ..all()
            },
            vec![0, 2, 3],
        ),
        (
            "user of an issuer, newest first",
            AuditQuery {
                subject: Some("ada".to_owned()),
                issuer: Some(ISSUER.to_owned()),
                is_newest_first: true,
                ..all()
            },
            vec![3, 0],
        ),
        (
            "session",
            AuditQuery {
                session_id: Some("cksess_1".to_owned()),
                ..all()
            },
            vec![0],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|number| samples()[number].clone())
            .collect();
        assert_eq!(records(&*store, &query).await, expected, "{name}");
    }
}

pub(super) async fn audit_pages_put_together_are_the_log(database: &dyn TestDatabase) {
    let store = database.open().await.audit;
    let written: Vec<_> = (0..25).map(|at| refused(at, "expired")).collect();
    store.append_audit(&written).await.unwrap();
    for is_newest_first in [false, true] {
        let mut query = AuditQuery {
            is_newest_first,
            ..AuditQuery::default()
        };
        let mut all = Vec::new();
        loop {
            let page = store.list_audit(&query, 10).await.unwrap();
            assert!(page.len() <= 10);
            let Some(last) = page.last() else { break };
            query.after = Some(last.id);
            all.extend(page.into_iter().map(|entry| entry.record));
        }
        if is_newest_first {
            all.reverse();
        }
        assert_eq!(all, written);
    }
}

pub(super) async fn old_audit_entries_are_purged_with_their_people(database: &dyn TestDatabase) {
    let store = database.open().await.audit;
    // More than any engine would remove at once.
    let old: Vec<_> = (0..700)
        .map(|number| refused(0, "expired").about(ISSUER, &format!("user_{}", number % 50)))
        .collect();
    store.append_audit(&old).await.unwrap();
    store.append_audit(&samples()).await.unwrap();
    assert_eq!(store.purge_audit(seconds(0)).await.unwrap(), 0);
    assert_eq!(store.purge_audit(seconds(20)).await.unwrap(), 701);
    // A clock that goes back removes nothing more and harms nothing.
    assert_eq!(store.purge_audit(seconds(5)).await.unwrap(), 0);
    let left = records(&*store, &AuditQuery::default()).await;
    assert_eq!(left, samples()[1..]);
    // Numbers are not used again.
    store.append_audit(&[refused(60, "new")]).await.unwrap();
    let ids: Vec<u64> = list(&*store, &AuditQuery::default())
        .await
        .iter()
        .map(|entry| entry.id)
        .collect();
    assert_eq!(ids, [702, 703, 704, 705, 706]);
}
