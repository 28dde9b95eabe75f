//! Whatever an operator changes is written down under their name; what changed nothing is not.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::*;
use crate::testing::{MemoryStore, NOW, TestRandom};

/// An audit log in memory, which can be made to fail.
#[derive(Default)]
struct Log {
    records: Mutex<Vec<AuditRecord>>,
    is_broken: AtomicBool,
}

#[async_trait]
impl AuditStore for Log {
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(StoreError::Internal("the log is broken".into()));
        }
        self.records.lock().unwrap().extend_from_slice(records);
        Ok(())
    }

    async fn list_audit(&self, _: &AuditQuery, _: u32) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn purge_audit(&self, _: UnixTime) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// Knows one person, with two threads.
struct OnePerson;

#[async_trait]
impl PersonalData for OnePerson {
    async fn forget(&self, person: Person<'_>) -> Result<Forgotten, StoreError> {
        assert_eq!(person, ADA);
        Ok(Forgotten {
            threads: 2,
            ..Forgotten::default()
        })
    }
}

const ADA: Person<'_> = Person {
    issuer: "https://id.example.com",
    subject: "ada",
};

fn operator() -> (Operator, Arc<Log>) {
    let log = Arc::new(Log::default());
    let ports = Ports {
        credentials: Arc::new(MemoryStore::default()),
        audit: log.clone(),
        people: Arc::new(OnePerson),
        random: Arc::new(TestRandom::default()),
    };
    (Operator::new(ports, "grace".to_owned()), log)
}

/// The kinds that were written since the last look; every entry names the operator.
fn kinds(log: &Log) -> Vec<&'static str> {
    let records = std::mem::take(&mut *log.records.lock().unwrap());
    let by = Some(Actor::Operator("grace".to_owned()));
    assert!(records.iter().all(|record| record.actor == by));
    records.iter().map(|record| record.event.kind()).collect()
}

fn token(origins: &[&str]) -> NewPublicToken {
    NewPublicToken {
        label: String::new(),
        environment: Environment::Live,
        origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        workflow: None,
        quotas: crate::ports::Quotas::default(),
    }
}

#[tokio::test]
async fn every_change_is_written_down_once_and_what_changed_nothing_is_not() {
    let (operator, log) = operator();
    let live = Environment::Live;
    for expected in [&["domain_added"][..], &[]] {
        let added = operator.add_domain("https://a.example", live, NOW).await;
        added.unwrap();
        assert_eq!(kinds(&log), expected);
    }
    let (_, record) = operator
        .create_token(token(&["https://a.example", "https://b.example"]), NOW)
        .await
        .unwrap();
    assert_eq!(
        kinds(&log),
        ["domain_added", "token_created"],
        "b.example is new, a.example is not"
    );
    for (is_first, expected) in [(true, &["token_revoked"][..]), (false, &[])] {
        let revoked = operator.revoke_token(&record.id, NOW).await.unwrap();
        assert_eq!(revoked, is_first);
        assert_eq!(kinds(&log), expected);
    }
    let (_, record) = operator.create_key("", "shop", live, NOW).await.unwrap();
    assert_eq!(kinds(&log), ["key_created"]);
    for (is_first, expected) in [(true, &["key_revoked"][..]), (false, &[])] {
        let revoked = operator.revoke_key(&record.id, NOW).await.unwrap();
        assert_eq!(revoked, is_first);
        assert_eq!(kinds(&log), expected);
    }
    for (is_first, expected) in [(true, &["domain_removed"][..]), (false, &[])] {
        let removed = operator.remove_domain("https://a.example", live, NOW).await;
        assert_eq!(removed.unwrap(), is_first);
        assert_eq!(kinds(&log), expected);
    }
    assert_eq!(operator.end_sessions_of(ADA, NOW).await.unwrap(), 0);
    assert!(!operator.end_session("cksess_none", NOW).await.unwrap());
    assert_eq!(kinds(&log), [""; 0]);
}

#[tokio::test]
async fn what_was_refused_is_not_written_down() {
    let (operator, log) = operator();
    let refused = operator
        .add_domain("http://a.example", Environment::Live, NOW)
        .await;
    assert!(matches!(refused, Err(OperatorError::Unusable(_))));
    let refused = operator.create_token(token(&[]), NOW).await;
    assert!(matches!(refused, Err(OperatorError::Unusable(_))));
    assert_eq!(kinds(&log), [""; 0]);
}

#[tokio::test]
async fn who_was_forgotten_is_not_written_down_and_who_was_exported_is() {
    let (operator, log) = operator();
    operator.forget(ADA, NOW).await.unwrap();
    operator.exported(ADA, NOW).await.unwrap();
    let records = log.records.lock().unwrap().clone();
    assert_eq!(records[0].user, None);
    assert!(matches!(
        records[0].event,
        AuditEvent::UserForgotten { threads: 2, .. }
    ));
    assert_eq!(records[1].user.as_ref().unwrap().subject, "ada");
}

#[tokio::test]
async fn what_was_done_and_not_written_down_says_both() {
    let (operator, log) = operator();
    log.is_broken.store(true, Ordering::SeqCst);
    let outcome = operator
        .create_key("", "shop", Environment::Live, NOW)
        .await
        .map(|(_, record)| record);
    let Err(OperatorError::NotRecorded(_)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(operator.keys().await.unwrap().len(), 1, "it was done");
}
