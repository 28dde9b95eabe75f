//! Sessions and their secrets.

use std::future::Future;
use std::sync::Arc;

use auth::identity::Environment::Test;
use auth::identity::Identity;
use auth::ports::{
    ChatSessionFilter, ChatSessionRecord, CredentialStore, End, EndReason, OpenedBy,
    OpeningOutcome, RotationOutcome, SignOut, StoreError, UsedToken,
};
use futures::future::join_all;

use super::TestDatabase;
use super::openers::{public_token, server_key, visitor};
use super::sample::{digest, rotation, seconds, secret, session};

pub(super) const NO_LIMIT: u32 = 1_000;

pub(super) fn end(at: i64, reason: EndReason) -> End {
    End {
        at: seconds(at),
        reason,
    }
}

/// A logout token.
fn used(number: u64) -> UsedToken {
    UsedToken {
        digest: digest(number),
        until: seconds(1_800),
    }
}

/// Adds a session with a secret of the same number, which does not outlive it.
pub(super) async fn open(
    store: &dyn CredentialStore,
    session: &ChatSessionRecord,
    number: u64,
    limit: u32,
) -> u32 {
    let created_at = session.created_at.seconds() - seconds(0).seconds();
    let mut secret = secret(number, &session.id, created_at);
    secret.expires_at = secret.expires_at.min(session.ends_at);
    let outcome = store
        .insert_chat_session(session, &secret, limit)
        .await
        .unwrap();
    match outcome {
        OpeningOutcome::Opened { displaced } => displaced,
        OpeningOutcome::OpenerGone => panic!("the opener of {} is gone", session.id),
    }
}

pub(super) async fn ended(store: &dyn CredentialStore, id: &str) -> Option<End> {
    let found = store.find_chat_session(id).await.unwrap();
    found.expect("the session is there").ended
}

fn ada() -> Identity {
    owner_of(&session("any", "ada", 0))
}

fn owner_of(session: &ChatSessionRecord) -> Identity {
    let (issuer, subject) = (session.issuer.clone(), session.subject.clone());
    Identity::new(
        issuer,
        subject,
        Arc::new(session.claims.clone()),
        session.environment,
        seconds(0),
    )
    .unwrap()
}

fn rotated(session: &ChatSessionRecord) -> RotationOutcome {
    RotationOutcome::Rotated(Box::new(session.clone()))
}

fn ids(sessions: &[ChatSessionRecord]) -> Vec<&str> {
    sessions.iter().map(|session| session.id.as_str()).collect()
}

async fn conflicts(written: impl Future<Output = Result<(), StoreError>>) {
    let written = written.await;
    assert!(matches!(written, Err(StoreError::Conflict)), "{written:?}");
}

pub(super) async fn a_secret_is_found_with_its_session(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let sessions = [
        session("cksess_1", "ada", 0),
        ChatSessionRecord {
            environment: Test,
            origins: Vec::new(),
            opened_by: OpenedBy::ServerKey("key_1".to_owned()),
            ..session("cksess_2", "grace", 5)
        },
    ];
    store
        .insert_server_key(&server_key("key_1", 1))
        .await
        .unwrap();
    for (number, session) in (1..).zip(&sessions) {
        assert_eq!(open(&*store, session, number, NO_LIMIT).await, 0);
    }
    for ((number, session), created_at) in (1..).zip(sessions).zip([0, 5]) {
        let found = store.find_client_secret(&digest(number)).await.unwrap();
        let expected = (secret(number, &session.id, created_at), session.clone());
        assert_eq!(found, Some(expected));
        let found = store.find_chat_session(&session.id).await.unwrap();
        assert_eq!(found, Some(session));
    }
    assert_eq!(store.find_client_secret(&digest(3)).await.unwrap(), None);
    assert_eq!(store.find_chat_session("cksess_3").await.unwrap(), None);
}

pub(super) async fn the_same_id_or_digest_twice_is_a_conflict(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    open(&*store, &session("cksess_1", "ada", 0), 1, NO_LIMIT).await;
    for (id, number) in [("cksess_1", 2), ("cksess_2", 1)] {
        let again = store
            .insert_chat_session(&session(id, "ada", 0), &secret(number, id, 0), NO_LIMIT)
            .await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    }
    // The half that would have fitted was not kept.
    assert_eq!(store.find_chat_session("cksess_2").await.unwrap(), None);
    assert_eq!(store.find_client_secret(&digest(2)).await.unwrap(), None);

    store
        .insert_public_token(&public_token("pkt_1", 10))
        .await
        .unwrap();
    conflicts(store.insert_public_token(&public_token("pkt_1", 11))).await;
    conflicts(store.insert_public_token(&public_token("pkt_2", 10))).await;
    store
        .insert_server_key(&server_key("key_1", 10))
        .await
        .unwrap();
    conflicts(store.insert_server_key(&server_key("key_1", 11))).await;
    conflicts(store.insert_server_key(&server_key("key_2", 10))).await;
    store.insert_visitor(&visitor("vis_1", 10)).await.unwrap();
    conflicts(store.insert_visitor(&visitor("vis_1", 11))).await;
    conflicts(store.insert_visitor(&visitor("vis_2", 10))).await;
}

pub(super) async fn sessions_beyond_the_limit_are_displaced_oldest_first(
    database: &dyn TestDatabase,
) {
    let store = database.open().await.credentials;
    // None of these counts as a live session of the user who opens the next ones.
    open(&*store, &session("foreign", "grace", 0), 1, 1).await;
    let other_environment = ChatSessionRecord {
        environment: Test,
        ..session("test", "ada", 0)
    };
    open(&*store, &other_environment, 2, 1).await;
    open(&*store, &session("ended", "ada", 0), 3, 1).await;
    let revoked = end(1, EndReason::Revoked);
    store.end_chat_session("ended", revoked).await.unwrap();
    let over = ChatSessionRecord {
        ends_at: seconds(20),
        ..session("over", "ada", 0)
    };
    open(&*store, &over, 4, 1).await;

    open(&*store, &session("old", "ada", 10), 5, 3).await;
    assert_eq!(ended(&*store, "over").await, None);
    // In one second, too, the one that came first is the oldest.
    open(&*store, &session("first", "ada", 20), 6, 3).await;
    open(&*store, &session("second", "ada", 20), 7, 3).await;
    assert_eq!(open(&*store, &session("third", "ada", 20), 8, 3).await, 1);
    assert_eq!(
        ended(&*store, "old").await,
        Some(end(20, EndReason::Displaced))
    );
    assert_eq!(open(&*store, &session("fourth", "ada", 20), 11, 3).await, 1);
    assert_eq!(
        ended(&*store, "first").await,
        Some(end(20, EndReason::Displaced))
    );
    assert_eq!(open(&*store, &session("only", "ada", 30), 9, 1).await, 3);
    for id in ["second", "third", "fourth"] {
        assert_eq!(
            ended(&*store, id).await,
            Some(end(30, EndReason::Displaced)),
            "{id}"
        );
    }
    for (id, expected) in [
        ("only", None),
        ("foreign", None),
        ("test", None),
        ("over", None),
        ("ended", Some(revoked)),
    ] {
        assert_eq!(ended(&*store, id).await, expected, "{id}");
    }
    // What counts is the order in which they were opened, whatever their clocks said.
    open(&*store, &session("ahead", "kay", 20), 12, 2).await;
    open(&*store, &session("behind", "kay", 10), 13, 2).await;
    assert_eq!(open(&*store, &session("next", "kay", 21), 14, 2).await, 1);
    assert_eq!(ended(&*store, "behind").await, None);

    // Secrets live for an hour: a session without a live one does not count either, and is left as it is.
    assert_eq!(
        open(&*store, &session("late", "ada", 4_000), 10, 1).await,
        0
    );
    assert_eq!(ended(&*store, "only").await, None);
}

pub(super) async fn a_rotation_replaces_the_secret_once(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let session = session("cksess_1", "ada", 0);
    open(&*store, &session, 1, NO_LIMIT).await;

    let next = secret(2, "cksess_1", 60);
    let outcome = store
        .rotate_client_secret(
            &digest(1),
            &ada(),
            Some("wf_demo"),
            &rotation(2, 60),
            next.expires_at,
        )
        .await
        .unwrap();
    assert_eq!(outcome, rotated(&session));
    let (old, _) = store.find_client_secret(&digest(1)).await.unwrap().unwrap();
    assert_eq!(old.rotation, Some(rotation(2, 60)));
    let new = store.find_client_secret(&digest(2)).await.unwrap();
    assert_eq!(new, Some((next, session.clone())));

    // The second attempt is told what the first one left, to replay it or to call it reuse.
    let outcome = store
        .rotate_client_secret(
            &digest(1),
            &ada(),
            Some("wf_demo"),
            &rotation(3, 70),
            seconds(3_670),
        )
        .await
        .unwrap();
    assert_eq!(
        outcome,
        RotationOutcome::Unchanged(Box::new((old, session.clone())))
    );
    assert_eq!(store.find_client_secret(&digest(3)).await.unwrap(), None);

    // The new one can be replaced in its turn.
    let outcome = store
        .rotate_client_secret(
            &digest(2),
            &ada(),
            Some("wf_demo"),
            &rotation(3, 80),
            seconds(3_680),
        )
        .await
        .unwrap();
    assert_eq!(outcome, rotated(&session));

    let outcome = store
        .rotate_client_secret(
            &digest(9),
            &ada(),
            Some("wf_demo"),
            &rotation(4, 80),
            seconds(3_680),
        )
        .await
        .unwrap();
    assert_eq!(outcome, RotationOutcome::NotFound);
    assert_eq!(store.find_client_secret(&digest(4)).await.unwrap(), None);
}

pub(super) async fn a_rotation_renews_the_session_by_the_login_that_asked(
    database: &dyn TestDatabase,
) {
    let store = database.open().await.credentials;
    let login = |sid: &str, role: &str| {
        let claims = serde_json::json!({ "sid": sid, "role": role });
        ChatSessionRecord {
            claims: claims.as_object().unwrap().clone(),
            ..session("cksess_1", "ada", 0)
        }
    };
    open(&*store, &login("first", "staff"), 1, NO_LIMIT).await;
    let second = ChatSessionRecord {
        workflow: "wf_next".to_owned(),
        ..login("second", "member")
    };
    let outcome = store
        .rotate_client_secret(
            &digest(1),
            &owner_of(&second),
            Some("wf_next"),
            &rotation(2, 60),
            seconds(3_660),
        )
        .await
        .unwrap();
    assert_eq!(outcome, rotated(&second));
    let found = store.find_chat_session("cksess_1").await.unwrap();
    assert_eq!(found, Some(second));

    // A login that is bound to no workflow leaves the session where it is.
    let stays = |session: ChatSessionRecord| ChatSessionRecord {
        workflow: "wf_next".to_owned(),
        ..session
    };
    let again = stays(login("second", "guest"));
    let outcome = store
        .rotate_client_secret(
            &digest(2),
            &owner_of(&again),
            None,
            &rotation(3, 70),
            seconds(3_670),
        )
        .await
        .unwrap();
    assert_eq!(outcome, rotated(&again));
    let found = store.find_chat_session("cksess_1").await.unwrap();
    assert_eq!(found, Some(again));

    // A retry brings a login and no new secret.
    let third = stays(login("third", "member"));
    let owner = owner_of(&third);
    let renew = |id: &'static str| store.renew_chat_session(id, &owner, None);
    assert!(renew("cksess_1").await.unwrap());
    let found = store.find_chat_session("cksess_1").await.unwrap();
    assert_eq!(found, Some(third.clone()));
    assert!(!renew("cksess_9").await.unwrap());

    // The login that counts is the latest one.
    let sign_out = |sid: &str| SignOut {
        issuer: third.issuer.clone(),
        subject: Some("ada".to_owned()),
        session: Some(sid.to_owned()),
    };
    for (number, sid, expected) in [(1, "first", 0), (2, "second", 0), (3, "third", 1)] {
        let (sign_out, denied) = (sign_out(sid), end(90, EndReason::Denied));
        let ended = store.end_chat_sessions_of_login(&sign_out, used(number), denied);
        assert_eq!(ended.await.unwrap(), expected, "{sid}");
    }
    let ended = store.find_chat_session("cksess_1").await.unwrap().unwrap();
    assert_eq!(ended.ended, Some(end(90, EndReason::Denied)));
    let is_renewed = renew("cksess_1").await.unwrap();
    assert!(!is_renewed, "what has ended stays as it was");
}

pub(super) async fn of_two_rotations_at_once_one_wins(database: &dyn TestDatabase) {
    let nodes = [
        database.open().await.credentials,
        database.open().await.credentials,
    ];
    for round in 0..20 {
        let id = format!("cksess_{round}");
        let first = round * 100;
        open(&*nodes[0], &session(&id, "ada", 0), first, NO_LIMIT).await;
        let outcomes = join_all((1..=8).map(|attempt| {
            let node = &nodes[usize::try_from(attempt % 2).unwrap()];
            async move {
                let (owner, rotation) = (ada(), rotation(first + attempt, 60));
                let outcome = node
                    .rotate_client_secret(
                        &digest(first),
                        &owner,
                        Some("wf_demo"),
                        &rotation,
                        seconds(3_660),
                    )
                    .await;
                (first + attempt, outcome.unwrap())
            }
        }))
        .await;

        let mut winners = Vec::new();
        let mut told = Vec::new();
        for outcome in outcomes {
            match outcome {
                (number, RotationOutcome::Rotated(_)) => winners.push(number),
                (_, RotationOutcome::Unchanged(records)) => told.push(records.0.rotation),
                (_, RotationOutcome::NotFound) => panic!("the secret was there"),
            }
        }
        let [winner] = winners[..] else {
            panic!("exactly one wins, not {winners:?}")
        };
        assert_eq!(told, vec![Some(rotation(winner, 60)); 7]);
        for number in first + 1..=first + 8 {
            let found = nodes[0].find_client_secret(&digest(number)).await.unwrap();
            assert_eq!(found.is_some(), number == winner);
        }
    }
}

pub(super) async fn a_rotation_outlives_a_restart(database: &dyn TestDatabase) {
    let before = database.open().await.credentials;
    open(&*before, &session("cksess_1", "ada", 0), 1, NO_LIMIT).await;
    before
        .rotate_client_secret(
            &digest(1),
            &ada(),
            Some("wf_demo"),
            &rotation(2, 60),
            seconds(3_660),
        )
        .await
        .unwrap();
    drop(before);

    let after = database.open().await.credentials;
    let outcome = after
        .rotate_client_secret(
            &digest(1),
            &ada(),
            Some("wf_demo"),
            &rotation(3, 65),
            seconds(3_665),
        )
        .await
        .unwrap();
    let RotationOutcome::Unchanged(records) = outcome else {
        panic!("rotated twice: {outcome:?}")
    };
    assert_eq!(records.0.rotation, Some(rotation(2, 60)));
    assert!(
        after
            .find_client_secret(&digest(2))
            .await
            .unwrap()
            .is_some()
    );
}

pub(super) async fn an_ended_session_rotates_no_more(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    open(&*store, &session("cksess_1", "ada", 0), 1, NO_LIMIT).await;
    let reused = end(5, EndReason::Reused);
    assert!(store.end_chat_session("cksess_1", reused).await.unwrap());
    let outcome = store
        .rotate_client_secret(
            &digest(1),
            &ada(),
            Some("wf_demo"),
            &rotation(2, 6),
            seconds(3_606),
        )
        .await
        .unwrap();
    let RotationOutcome::Unchanged(records) = outcome else {
        panic!("rotated after its end: {outcome:?}")
    };
    assert_eq!(records.0.rotation, None);
    assert_eq!(records.1.ended, Some(reused));
}

pub(super) async fn a_secret_is_replaced_for_its_owner_and_within_its_session(
    database: &dyn TestDatabase,
) {
    let store = database.open().await.credentials;
    let session = session("cksess_1", "ada", 0);
    open(&*store, &session, 1, NO_LIMIT).await;
    let end = session.ends_at.seconds() - seconds(0).seconds();
    let others = [
        ChatSessionRecord {
            subject: "grace".to_owned(),
            ..session.clone()
        },
        ChatSessionRecord {
            issuer: "https://other.example".to_owned(),
            ..session.clone()
        },
        ChatSessionRecord {
            environment: Test,
            ..session.clone()
        },
    ];
    let mut refused: Vec<_> = others.iter().map(|other| (owner_of(other), end)).collect();
    refused.push((ada(), end + 1));
    for (owner, expires_at) in refused {
        let outcome = store
            .rotate_client_secret(
                &digest(1),
                &owner,
                Some("wf_demo"),
                &rotation(2, 60),
                seconds(expires_at),
            )
            .await
            .unwrap();
        let records = (secret(1, "cksess_1", 0), session.clone());
        assert_eq!(outcome, RotationOutcome::Unchanged(Box::new(records)));
        assert_eq!(store.find_client_secret(&digest(2)).await.unwrap(), None);
    }
    let outcome = store
        .rotate_client_secret(
            &digest(1),
            &ada(),
            Some("wf_demo"),
            &rotation(2, 60),
            seconds(end),
        )
        .await
        .unwrap();
    assert_eq!(outcome, rotated(&session));
    let (replacement, _) = store.find_client_secret(&digest(2)).await.unwrap().unwrap();
    assert_eq!(replacement.expires_at, session.ends_at);
}

pub(super) async fn a_session_ends_once(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let other_node = database.open().await.credentials;
    open(&*store, &session("cksess_1", "ada", 0), 1, NO_LIMIT).await;
    let first = end(5, EndReason::Revoked);
    assert!(store.end_chat_session("cksess_1", first).await.unwrap());
    let (_, seen) = other_node
        .find_client_secret(&digest(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.ended, Some(first));

    let second = end(9, EndReason::Reused);
    assert!(
        !other_node
            .end_chat_session("cksess_1", second)
            .await
            .unwrap()
    );
    assert_eq!(ended(&*store, "cksess_1").await, Some(first));
    assert!(!store.end_chat_session("cksess_2", second).await.unwrap());
}

pub(super) async fn all_sessions_of_a_user_end_together(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let test = ChatSessionRecord {
        environment: Test,
        ..session("test", "ada", 0)
    };
    let same_name_elsewhere = ChatSessionRecord {
        issuer: "https://other.example".to_owned(),
        ..session("elsewhere", "ada", 0)
    };
    let sessions = [
        session("live", "ada", 0),
        test,
        session("done", "ada", 0),
        session("foreign", "grace", 0),
        same_name_elsewhere,
    ];
    for (number, session) in (1..).zip(&sessions) {
        open(&*store, session, number, NO_LIMIT).await;
    }
    let earlier = end(1, EndReason::Reused);
    store.end_chat_session("done", earlier).await.unwrap();

    let now = end(9, EndReason::Revoked);
    let count = store
        .end_chat_sessions_of("https://issuer.example", "ada", now)
        .await
        .unwrap();
    assert_eq!(count, 2);
    for (id, expected) in [
        ("live", Some(now)),
        ("test", Some(now)),
        ("done", Some(earlier)),
        ("foreign", None),
        ("elsewhere", None),
    ] {
        assert_eq!(ended(&*store, id).await, expected, "{id}");
    }
}

pub(super) async fn sessions_of_a_login_end_with_it(database: &dyn TestDatabase) {
    let login = |id: &str, subject: &str, sid: Option<&str>| {
        let mut login = session(id, subject, 0);
        let sid = sid.map(|sid| ("sid".to_owned(), sid.into()));
        login.claims.retain(|name, _| name != "sid");
        login.claims.extend(sid);
        login
    };
    let mut elsewhere = login("elsewhere", "ada", Some("1"));
    "https://other.example".clone_into(&mut elsewhere.issuer);
    let sessions = [
        login("one", "ada", Some("1")),
        login("two", "ada", Some("2")),
        login("plain", "ada", None),
        login("grace", "grace", Some("1")),
        login("bare", "grace", None),
        elsewhere,
    ];
    let mut number = 0;
    for (subject, session, expected) in [
        (Some("ada"), None, &["one", "two", "plain"][..]),
        (None, Some("1"), &["one", "grace"]),
        (Some("ada"), Some("1"), &["one", "plain"]),
        (Some("nobody"), Some("1"), &[]),
        (Some("nobody"), None, &[]),
        (None, Some("3"), &[]),
        (None, None, &[]),
    ] {
        let store = database.open().await.credentials;
        let sign_out = SignOut {
            issuer: "https://issuer.example".to_owned(),
            subject: subject.map(str::to_owned),
            session: session.map(str::to_owned),
        };
        let round = format!("{subject:?} {session:?}");
        for login in &sessions {
            let mut login = login.clone();
            login.id = format!("{} {round}", login.id);
            number += 1;
            open(&*store, &login, number, NO_LIMIT).await;
        }
        let now = end(9, EndReason::Revoked);
        let count = store
            .end_chat_sessions_of_login(&sign_out, used(number), now)
            .await
            .unwrap();
        for login in &sessions {
            let is_ended = ended(&*store, &format!("{} {round}", login.id))
                .await
                .is_some();
            assert_eq!(
                is_ended,
                expected.contains(&&*login.id),
                "{round}: {}",
                login.id
            );
        }
        let again = store
            .end_chat_sessions_of_login(&sign_out, used(number + 1_000), now)
            .await
            .unwrap();
        assert_eq!((count, again), (expected.len() as u64, 0), "{round}");
        // The next round begins without any.
        for subject in ["ada", "grace"] {
            for issuer in ["https://issuer.example", "https://other.example"] {
                store
                    .end_chat_sessions_of(issuer, subject, now)
                    .await
                    .unwrap();
            }
        }
    }
}

pub(super) async fn a_logout_token_works_once_at_all_nodes(database: &dyn TestDatabase) {
    let (here, there) = (
        database.open().await.credentials,
        database.open().await.credentials,
    );
    let sign_out = SignOut {
        issuer: "https://issuer.example".to_owned(),
        subject: Some("ada".to_owned()),
        session: None,
    };
    let end_at = async |store: &dyn CredentialStore, token, at| {
        let end = end(at, EndReason::Revoked);
        store
            .end_chat_sessions_of_login(&sign_out, token, end)
            .await
    };
    open(&*here, &session("one", "ada", 0), 1, NO_LIMIT).await;
    assert_eq!(end_at(&*here, used(7), 9).await.unwrap(), 1);
    open(&*here, &session("two", "ada", 10), 2, NO_LIMIT).await;
    for store in [&*here, &*there] {
        let again = end_at(store, used(7), 11).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    }
    assert_eq!(ended(&*here, "two").await, None);
    // Of several at once one is used, whichever node it comes to.
    let at_once = join_all((0..8).map(|number| {
        let store = if number % 2 == 0 { &here } else { &there };
        end_at(&**store, used(8), 12)
    }));
    let done: Vec<_> = at_once.await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(done, [1]);
    // What would be refused for its age is forgotten, with the next one.
    assert_eq!(end_at(&*there, used(9), 5_000).await.unwrap(), 0);
    assert_eq!(end_at(&*there, used(7), 5_001).await.unwrap(), 0);
}

pub(super) async fn sessions_are_listed_newest_first(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    for (number, (id, subject, created_at)) in (1..).zip([
        ("b", "ada", 10),
        ("a", "ada", 10),
        ("c", "ada", 20),
        ("d", "grace", 15),
        ("e", "ada", 5_000),
        ("f", "ada", 6_000),
    ]) {
        open(&*store, &session(id, subject, created_at), number, NO_LIMIT).await;
    }
    let revoked = end(6_500, EndReason::Revoked);
    store.end_chat_session("f", revoked).await.unwrap();

    let ada = ("https://issuer.example".to_owned(), "ada".to_owned());
    let everything = ChatSessionFilter::default();
    let of_ada = ChatSessionFilter {
        owner: Some(ada),
        ..everything.clone()
    };
    let live = ChatSessionFilter {
        live_at: Some(seconds(3_700)),
        ..everything.clone()
    };
    let live_of_ada = ChatSessionFilter {
        live_at: Some(seconds(3_615)),
        ..of_ada.clone()
    };
    for (filter, expected) in [
        (everything, vec!["f", "e", "d", "c", "a", "b"]),
        (of_ada, vec!["f", "e", "c", "a", "b"]),
        // Secrets live for an hour.
        (live, vec!["e"]),
        (live_of_ada, vec!["e", "c"]),
    ] {
        let all = store.list_chat_sessions(&filter, 100).await.unwrap();
        assert_eq!(ids(&all), expected, "{filter:?}");

        let mut paged = Vec::new();
        let mut next = filter.clone();
        loop {
            let page = store.list_chat_sessions(&next, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            next.after = Some(last.id.clone());
            paged.extend(page);
        }
        assert_eq!(ids(&paged), expected, "{filter:?} in pages of 2");
    }
    let after_nothing = ChatSessionFilter {
        after: Some("unknown".to_owned()),
        ..ChatSessionFilter::default()
    };
    let page = store.list_chat_sessions(&after_nothing, 10).await.unwrap();
    assert_eq!(ids(&page), Vec::<&str>::new());
}

pub(super) async fn expired_sessions_and_secrets_are_purged(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    // More than any engine would remove at once.
    for number in 0..700 {
        let old = ChatSessionRecord {
            ends_at: seconds(3_600),
            ..session(&format!("old_{number}"), "ada", 0)
        };
        open(&*store, &old, number, NO_LIMIT).await;
    }
    open(&*store, &session("rotated", "grace", 0), 1_000, NO_LIMIT).await;
    store
        .rotate_client_secret(
            &digest(1_000),
            &owner_of(&session("rotated", "grace", 0)),
            Some("wf_demo"),
            &rotation(1_001, 60),
            seconds(3_660),
        )
        .await
        .unwrap();

    assert_eq!(store.purge_chat_sessions(seconds(3_600)).await.unwrap(), 0);
    let purged = store.purge_chat_sessions(seconds(3_601)).await.unwrap();
    assert_eq!(purged, 700);
    assert_eq!(store.find_chat_session("old_699").await.unwrap(), None);
    assert_eq!(store.find_client_secret(&digest(699)).await.unwrap(), None);
    // Of the session that goes on, the expired secret stays: it must be known when it comes back.
    for number in [1_000, 1_001] {
        let found = store.find_client_secret(&digest(number)).await.unwrap();
        assert!(found.is_some(), "{number}");
    }
    assert_eq!(store.purge_chat_sessions(seconds(3_601)).await.unwrap(), 0);
}
