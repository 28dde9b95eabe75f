//! What opens sessions: public tokens with their visitors, and server keys.

use auth::identity::Environment::{Live, Test};
use auth::ports::{
    ChatSessionRecord, CredentialStore, EarlierResume, EndReason, OpenedBy, OpeningOutcome,
    Openings, PublicTokenRecord, Quotas, ServerKeyRecord, VisitorRecord,
};
use engine::Owner;
use futures::future::join_all;
use protocol::request::Order;

use super::TestDatabase;
use super::credentials::{NO_LIMIT, end, ended, open};
use super::sample::{digest, first, items, seconds, secret, session, thread};

pub(super) fn public_token(id: &str, number: u64) -> PublicTokenRecord {
    PublicTokenRecord {
        id: id.to_owned(),
        digest: digest(number),
        hint: "pk_live_abcd".to_owned(),
        label: "the \"shop\"".to_owned(),
        environment: Live,
        origins: vec!["https://shop.example".to_owned()],
        workflow: Some("wf_shop".to_owned()),
        quotas: Quotas::default(),
        created_at: seconds(0),
        revoked_at: None,
    }
}

pub(super) fn server_key(id: &str, number: u64) -> ServerKeyRecord {
    ServerKeyRecord {
        id: id.to_owned(),
        digest: digest(number),
        hint: "sk_abcd".to_owned(),
        label: String::new(),
        project: "default".to_owned(),
        environment: Test,
        created_at: seconds(0),
        revoked_at: None,
    }
}

pub(super) fn visitor(id: &str, number: u64) -> VisitorRecord {
    VisitorRecord {
        id: id.to_owned(),
        public_token_id: "pkt_1".to_owned(),
        resume_digest: digest(number),
        resume_since: seconds(0),
        earlier: None,
        created_at: seconds(0),
        last_seen_at: seconds(0),
    }
}

pub(super) async fn a_revoked_public_token_ends_what_it_opened(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let other_node = database.open().await.credentials;
    let tokens = [public_token("pkt_1", 1), public_token("pkt_2", 2)];
    for (number, token) in (1..).zip(&tokens) {
        store.insert_public_token(token).await.unwrap();
        let id = format!("vis_{number}");
        let visitor = VisitorRecord {
            public_token_id: token.id.clone(),
            ..visitor(&id, number)
        };
        store.insert_visitor(&visitor).await.unwrap();
        let session = ChatSessionRecord {
            opened_by: OpenedBy::PublicToken(token.id.clone()),
            ..session(&format!("of_{}", token.id), &id, 0)
        };
        open(&*store, &session, number, NO_LIMIT).await;
    }
    // A server key of the same id is another credential.
    store
        .insert_server_key(&server_key("pkt_1", 9))
        .await
        .unwrap();
    let session = ChatSessionRecord {
        opened_by: OpenedBy::ServerKey("pkt_1".to_owned()),
        ..session("of_key", "vis_1", 0)
    };
    open(&*store, &session, 3, NO_LIMIT).await;
    assert_eq!(
        store.list_public_tokens().await.unwrap(),
        [tokens[1].clone(), tokens[0].clone()]
    );
    assert_eq!(store.find_public_token(&digest(3)).await.unwrap(), None);

    assert!(
        store
            .revoke_public_token("pkt_1", seconds(7))
            .await
            .unwrap()
    );
    assert!(
        !store
            .revoke_public_token("pkt_1", seconds(8))
            .await
            .unwrap()
    );
    assert!(
        !store
            .revoke_public_token("pkt_9", seconds(8))
            .await
            .unwrap()
    );
    let revoked = PublicTokenRecord {
        revoked_at: Some(seconds(7)),
        ..tokens[0].clone()
    };
    assert_eq!(
        other_node.find_public_token(&digest(1)).await.unwrap(),
        Some(revoked)
    );
    assert_eq!(
        other_node.find_public_token(&digest(2)).await.unwrap(),
        Some(tokens[1].clone())
    );
    assert_eq!(
        ended(&*other_node, "of_pkt_1").await,
        Some(end(7, EndReason::Revoked))
    );
    assert_eq!(ended(&*other_node, "of_pkt_2").await, None);
    assert_eq!(ended(&*other_node, "of_key").await, None);
    // And those who let others in for a while learn of it, of many at once.
    let mut asked = Openings {
        sessions: [
            "of_pkt_1",
            "of_pkt_2",
            "of_nobody",
            "of_key",
            "of_pkt_1",
            "\0",
        ]
        .map(str::to_owned)
        .into(),
        public_tokens: (1..=3).map(digest).collect(),
    };
    let mut found = other_node.ended_among(&asked).await.unwrap();
    asked
        .sessions
        .retain(|id| !matches!(&**id, "of_pkt_2" | "of_key"));
    asked.public_tokens.remove(1);
    for ended in [&mut asked, &mut found] {
        ended.sessions.sort_unstable();
        ended.public_tokens.sort_unstable();
    }
    assert_eq!(found, asked);
    let nothing = Openings::default();
    assert_eq!(store.ended_among(&nothing).await.unwrap(), nothing);
}

pub(super) async fn a_revoked_server_key_ends_what_it_opened(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let other_node = database.open().await.credentials;
    let keys = [server_key("key_1", 1), server_key("key_2", 2)];
    for (number, key) in (1..).zip(&keys) {
        store.insert_server_key(key).await.unwrap();
        let session = ChatSessionRecord {
            opened_by: OpenedBy::ServerKey(key.id.clone()),
            ..session(&format!("of_{}", key.id), "ada", 0)
        };
        open(&*store, &session, number, NO_LIMIT).await;
    }
    assert_eq!(
        store.list_server_keys().await.unwrap(),
        [keys[1].clone(), keys[0].clone()]
    );
    assert!(store.revoke_server_key("key_2", seconds(7)).await.unwrap());
    assert!(!store.revoke_server_key("key_2", seconds(8)).await.unwrap());
    let found = other_node.find_server_key(&digest(2)).await.unwrap();
    assert_eq!(found.unwrap().revoked_at, Some(seconds(7)));
    let found = other_node.find_server_key(&digest(1)).await.unwrap();
    assert_eq!(found, Some(keys[0].clone()));
    assert_eq!(ended(&*other_node, "of_key_1").await, None);
    assert_eq!(
        ended(&*other_node, "of_key_2").await,
        Some(end(7, EndReason::Revoked))
    );
}

/// Opens a session with an opener that may be gone.
async fn try_open(
    store: &dyn CredentialStore,
    opened_by: &OpenedBy,
    subject: &str,
    number: u64,
) -> OpeningOutcome {
    let id = format!("try_{number}");
    let session = ChatSessionRecord {
        opened_by: opened_by.clone(),
        ..session(&id, subject, 0)
    };
    store
        .insert_chat_session(&session, &secret(number, &id, 0), NO_LIMIT)
        .await
        .unwrap()
}

pub(super) async fn a_session_needs_an_opener_that_is_there(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let token = OpenedBy::PublicToken("pkt_1".to_owned());
    let key = OpenedBy::ServerKey("key_1".to_owned());
    let gone = OpeningOutcome::OpenerGone;
    let opened = OpeningOutcome::Opened { displaced: 0 };

    assert_eq!(try_open(&*store, &token, "vis_1", 1).await, gone, "unknown");
    assert_eq!(try_open(&*store, &key, "ada", 1).await, gone, "unknown");
    store
        .insert_public_token(&public_token("pkt_1", 1))
        .await
        .unwrap();
    assert_eq!(
        try_open(&*store, &token, "vis_1", 1).await,
        gone,
        "no visitor"
    );
    store.insert_visitor(&visitor("vis_1", 1)).await.unwrap();
    store
        .insert_server_key(&server_key("key_1", 1))
        .await
        .unwrap();
    assert_eq!(try_open(&*store, &token, "vis_1", 1).await, opened);
    assert_eq!(try_open(&*store, &key, "ada", 2).await, opened);

    store
        .revoke_public_token("pkt_1", seconds(7))
        .await
        .unwrap();
    store.revoke_server_key("key_1", seconds(7)).await.unwrap();
    for (opener, subject, number) in [(&token, "vis_1", 3), (&key, "ada", 4)] {
        assert_eq!(try_open(&*store, opener, subject, number).await, gone);
        let id = format!("try_{number}");
        assert_eq!(store.find_chat_session(&id).await.unwrap(), None);
        let secret = store.find_client_secret(&digest(number)).await.unwrap();
        assert_eq!(secret, None);
    }
}

pub(super) async fn no_session_outlives_the_end_of_its_opener(database: &dyn TestDatabase) {
    let nodes = [
        database.open().await.credentials,
        database.open().await.credentials,
    ];
    for round in 0..20 {
        let id = format!("key_{round}");
        let key = OpenedBy::ServerKey(id.clone());
        nodes[0]
            .insert_server_key(&server_key(&id, round))
            .await
            .unwrap();
        let first = round * 100;
        let (outcomes, revoked) = futures::join!(
            join_all((1..=8).map(|attempt| {
                let node = &*nodes[usize::try_from(attempt % 2).unwrap()];
                try_open(node, &key, "ada", first + attempt)
            })),
            nodes[1].revoke_server_key(&id, seconds(7)),
        );
        assert!(revoked.unwrap());
        for (attempt, outcome) in (1..).zip(outcomes) {
            let id = format!("try_{}", first + attempt);
            let found = nodes[0].find_chat_session(&id).await.unwrap();
            match outcome {
                OpeningOutcome::OpenerGone => assert_eq!(found, None),
                OpeningOutcome::Opened { .. } => assert_eq!(
                    found.and_then(|session| session.ended),
                    Some(end(7, EndReason::Revoked)),
                    "{id}"
                ),
            }
        }
    }
}

pub(super) async fn visitors_who_stay_away_are_purged_with_all_that_is_theirs(
    database: &dyn TestDatabase,
) {
    let stores = database.open().await;
    let store = &*stores.credentials;
    store
        .insert_public_token(&public_token("pkt_1", 1))
        .await
        .unwrap();
    let owner_of = |id: &str| Owner::new(format!("visitor:pkt_1 {id}"));
    for (number, id) in (1..).zip(["vis_gone", "vis_gone_too", "vis_back", "vis_new"]) {
        store.insert_visitor(&visitor(id, number)).await.unwrap();
        let session = ChatSessionRecord {
            issuer: "visitor:pkt_1".to_owned(),
            opened_by: OpenedBy::PublicToken("pkt_1".to_owned()),
            ..session(&format!("of_{id}"), id, 0)
        };
        open(store, &session, number, NO_LIMIT).await;
        // More than any engine would remove at once.
        for thread_number in 1..=50 {
            stores
                .threads
                .create_thread(
                    &owner_of(id),
                    &thread(thread_number),
                    &engine::ports::Change::of(&items(thread_number, 1..=2)),
                )
                .await
                .unwrap();
        }
    }
    store.touch_visitor("vis_back", seconds(100)).await.unwrap();
    store.touch_visitor("vis_new", seconds(101)).await.unwrap();

    assert_eq!(store.purge_visitors(seconds(0)).await.unwrap(), 0);
    assert_eq!(store.purge_visitors(seconds(100)).await.unwrap(), 2);
    assert_eq!(store.purge_visitors(seconds(100)).await.unwrap(), 0);
    for (number, id, is_left) in [
        (1, "vis_gone", false),
        (2, "vis_gone_too", false),
        (3, "vis_back", true),
        (4, "vis_new", true),
    ] {
        let visitor = store.find_visitor(&digest(number)).await.unwrap();
        assert_eq!(visitor.is_some(), is_left, "{id}");
        let secret = store.find_client_secret(&digest(number)).await.unwrap();
        assert_eq!(secret.is_some(), is_left, "{id}");
        let threads = stores
            .threads
            .threads(&owner_of(id), &first(100, Order::Asc))
            .await
            .unwrap();
        assert_eq!(threads.data.len(), if is_left { 50 } else { 0 }, "{id}");
    }
}

pub(super) async fn of_two_replacements_of_a_resume_token_one_counts(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    let other_node = database.open().await.credentials;
    store.insert_visitor(&visitor("vis_1", 1)).await.unwrap();
    let replace = |number: u64, nonce: u8, next: u64| {
        let node = if next.is_multiple_of(2) {
            &store
        } else {
            &other_node
        };
        async move {
            let (current, next) = (digest(number), digest(next));
            node.replace_resume(&current, &[nonce; 32], &next, seconds(50))
                .await
                .unwrap();
        }
    };
    replace(1, 7, 2).await;
    replace(1, 8, 3).await;
    let earlier = |until| {
        Some(EarlierResume {
            digest: digest(1),
            nonce: [7; 32],
            until,
        })
    };
    let mut expected = VisitorRecord {
        resume_digest: digest(2),
        resume_since: seconds(50),
        earlier: earlier(None),
        ..visitor("vis_1", 1)
    };
    for number in [1, 2] {
        let found = store.find_visitor(&digest(number)).await.unwrap();
        assert_eq!(found.as_ref(), Some(&expected));
    }
    assert_eq!(store.find_visitor(&digest(3)).await.unwrap(), None);

    // Its end is noted when the present one comes back, once.
    for (present, until) in [(1, 60), (2, 70), (2, 80)] {
        let present = digest(present);
        let noted = store.end_earlier_resume(&present, seconds(until));
        noted.await.unwrap();
    }
    expected.earlier = earlier(Some(seconds(70)));
    let found = store.find_visitor(&digest(1)).await.unwrap();
    assert_eq!(found, Some(expected));

    replace(2, 9, 4).await;
    assert_eq!(store.find_visitor(&digest(1)).await.unwrap(), None);
    let found = store.find_visitor(&digest(2)).await.unwrap().unwrap();
    assert_eq!(found.earlier.unwrap().until, None);
}

pub(super) async fn visitors_come_back_and_go(database: &dyn TestDatabase) {
    let store = database.open().await.credentials;
    store.insert_visitor(&visitor("vis_1", 1)).await.unwrap();
    store.insert_visitor(&visitor("vis_2", 2)).await.unwrap();
    for (now, expected) in [(50, 50), (40, 50), (60, 60)] {
        store.touch_visitor("vis_1", seconds(now)).await.unwrap();
        let found = store.find_visitor(&digest(1)).await.unwrap();
        let expected = VisitorRecord {
            last_seen_at: seconds(expected),
            ..visitor("vis_1", 1)
        };
        assert_eq!(found, Some(expected));
    }
    store.touch_visitor("vis_9", seconds(1)).await.unwrap();
    assert!(store.remove_visitor("vis_1").await.unwrap());
    assert!(!store.remove_visitor("vis_1").await.unwrap());
    assert_eq!(store.find_visitor(&digest(1)).await.unwrap(), None);
    assert_eq!(
        store.find_visitor(&digest(2)).await.unwrap(),
        Some(visitor("vis_2", 2))
    );
}
