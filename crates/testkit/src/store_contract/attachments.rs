//! What is known about files: whose they are, how many, and when they go.

use engine::Owner;
use engine::ports::{
    Announced, AttachmentRecord, AttachmentStore, Change, FileId, Kept, Quota, StoreError,
};
use protocol::AttachmentId;

use super::sample::{all_items, at, attachment, item_id, message, owner, thread, thread_id};
use super::{Stores, TestDatabase};

const PLENTY: Quota = Quota {
    bytes: u64::MAX,
    session_files: None,
    unsent_files: u32::MAX,
};

fn kept(size: u64) -> Kept {
    Kept {
        size,
        sha256: [9; 32],
    }
}

async fn announce(store: &dyn AttachmentStore, owner: &Owner, record: &AttachmentRecord) {
    let announced = store.announce(owner, record, PLENTY).await.unwrap();
    assert_eq!(announced, Announced::Accepted);
}

async fn upload(store: &dyn AttachmentStore, owner: &Owner, number: u128) {
    let record = attachment(number, 5);
    announce(store, owner, &record).await;
    store.complete(owner, &record.id, kept(5)).await.unwrap();
}

async fn removed(store: &dyn AttachmentStore) -> Vec<u128> {
    let mut files: Vec<u128> = store
        .removed_files(None)
        .await
        .unwrap()
        .into_iter()
        .map(|file| file.0)
        .collect();
    files.sort_unstable();
    files
}

fn is_missing<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound))
}

pub(super) async fn the_bytes_of_an_attachment_come_once(database: &dyn TestDatabase) {
    let store = database.open().await.attachments;
    let ada = owner("ada");
    let record = AttachmentRecord {
        session: Some("cksess_1".to_owned()),
        ..attachment(1, 10)
    };
    announce(&*store, &ada, &record).await;
    assert_eq!(store.attachment(&ada, &record.id).await.unwrap(), record);

    store.complete(&ada, &record.id, kept(7)).await.unwrap();
    let complete = AttachmentRecord {
        size: 7,
        sha256: Some([9; 32]),
        ..record
    };
    // A second handle stands for another node, or for a restart.
    let other = database.open().await.attachments;
    let id = &complete.id;
    assert_eq!(other.attachment(&ada, id).await.unwrap(), complete);
    let linked = other.linked_attachment(id).await.unwrap();
    assert_eq!(linked, (ada.clone(), complete.clone()));
    assert!(is_missing(&other.complete(&ada, id, kept(8)).await));
    assert_eq!(other.attachment(&ada, id).await.unwrap(), complete);
}

pub(super) async fn a_foreign_attachment_is_as_missing_as_one_that_never_was(
    database: &dyn TestDatabase,
) {
    let store = database.open().await.attachments;
    let record = attachment(1, 10);
    announce(&*store, &owner("ada"), &record).await;
    for (who, id) in [
        (owner("grace"), record.id.clone()),
        (owner("ad"), record.id.clone()),
        (Owner::new(""), record.id.clone()),
        (owner("ada"), AttachmentId::mint(2)),
    ] {
        assert!(is_missing(&store.attachment(&who, &id).await), "{who:?}");
        assert!(is_missing(&store.complete(&who, &id, kept(1)).await));
        assert!(is_missing(&store.discard(&who, &id).await));
    }
    assert!(is_missing(
        &store.linked_attachment(&AttachmentId::mint(2)).await
    ));
    let unchanged = store.attachment(&owner("ada"), &record.id).await.unwrap();
    assert_eq!(unchanged, record);
    assert_eq!(removed(&*store).await, [] as [u128; 0]);
}

pub(super) async fn quotas_count_what_is_announced(database: &dyn TestDatabase) {
    let store = database.open().await.attachments;
    let quota = Quota {
        bytes: 100,
        session_files: Some(2),
        unsent_files: u32::MAX,
    };
    let announce = async |who: &str, number, size, session: &str| {
        let record = AttachmentRecord {
            session: Some(session.to_owned()),
            ..attachment(number, size)
        };
        store.announce(&owner(who), &record, quota).await.unwrap()
    };
    assert_eq!(announce("ada", 1, 60, "s1").await, Announced::Accepted);
    assert_eq!(announce("ada", 2, 41, "s1").await, Announced::NoSpace);
    assert_eq!(announce("ada", 3, u64::MAX, "s1").await, Announced::NoSpace);
    assert_eq!(announce("ada", 4, 20, "s1").await, Announced::Accepted);
    assert_eq!(announce("ada", 5, 1, "s1").await, Announced::TooMany);
    assert_eq!(announce("ada", 6, 20, "s2").await, Announced::Accepted);
    // Another owner has space of their own.
    assert_eq!(announce("grace", 7, 100, "s1").await, Announced::Accepted);
    // A file that turns out smaller, or goes, gives its space back.
    let ada = owner("ada");
    store
        .complete(&ada, &AttachmentId::mint(1), kept(10))
        .await
        .unwrap();
    assert_eq!(announce("ada", 8, 50, "s2").await, Announced::Accepted);
    assert_eq!(announce("ada", 9, 1, "s3").await, Announced::NoSpace);
    store.discard(&ada, &AttachmentId::mint(8)).await.unwrap();
    assert_eq!(announce("ada", 10, 50, "s3").await, Announced::Accepted);
    for refused in [2, 3, 5, 9] {
        let found = store.attachment(&ada, &AttachmentId::mint(refused)).await;
        assert!(is_missing(&found), "{refused}");
    }
}

pub(super) async fn a_message_holds_its_owners_unused_uploads_only(database: &dyn TestDatabase) {
    let Stores {
        threads,
        attachments,
        ..
    } = database.open().await;
    let (ada, grace) = (owner("ada"), owner("grace"));
    for number in 1..=3 {
        upload(&*attachments, &ada, number).await;
    }
    upload(&*attachments, &grace, 4).await;
    announce(&*attachments, &ada, &attachment(5, 5)).await;
    let first = message(1, 1, &[1]);
    threads
        .create_thread(&ada, &thread(1), &Change::of(std::slice::from_ref(&first)))
        .await
        .unwrap();

    let put = async |number, ids: &[u128]| {
        let change = Change {
            put: vec![message(1, number, ids)],
            ..Change::default()
        };
        threads.apply(&ada, &thread_id(1), &change).await
    };
    // Sent before, another's, not uploaded, never there: all the same, and the good one stays free.
    for bad in [1, 4, 5, 99] {
        assert!(is_missing(&put(2, &[2, bad]).await), "{bad}");
        let new = threads
            .create_thread(&ada, &thread(2), &Change::of(&[message(2, 1, &[2, bad])]))
            .await;
        assert!(is_missing(&new), "{bad}");
        assert!(is_missing(&threads.thread(&ada, &thread_id(2)).await));
        let free = attachments
            .attachment(&ada, &AttachmentId::mint(2))
            .await
            .unwrap();
        assert_eq!(free.thread_id, None, "{bad}");
    }
    put(2, &[2, 3]).await.unwrap();
    // Written again, as it is: no error.
    put(2, &[2, 3]).await.unwrap();
    assert_eq!(
        all_items(&*threads, &ada, 1).await,
        [first, message(1, 2, &[2, 3])]
    );
    for number in 1..=3 {
        let id = AttachmentId::mint(number);
        let tied = attachments.attachment(&ada, &id).await.unwrap();
        assert_eq!(tied.thread_id, Some(thread_id(1)), "{number}");
        assert!(is_missing(&attachments.discard(&ada, &id).await));
    }
}

pub(super) async fn attachments_go_with_their_message(database: &dyn TestDatabase) {
    let Stores {
        threads,
        attachments,
        ..
    } = database.open().await;
    let ada = owner("ada");
    for number in 1..=4 {
        upload(&*attachments, &ada, number).await;
    }
    let messages = [1, 2, 3, 4].map(|number| message(1, number, &[number]));
    threads
        .create_thread(&ada, &thread(1), &Change::of(&messages))
        .await
        .unwrap();
    let change = Change {
        truncate_after: Some(item_id(3)),
        remove: vec![item_id(1)],
        ..Change::default()
    };
    threads.apply(&ada, &thread_id(1), &change).await.unwrap();
    assert_eq!(removed(&*attachments).await, [1, 4]);
    threads.delete_thread(&ada, &thread_id(1)).await.unwrap();
    assert_eq!(removed(&*attachments).await, [1, 2, 3, 4]);
    for number in 1..=4 {
        let gone = attachments
            .attachment(&ada, &AttachmentId::mint(number))
            .await;
        assert!(is_missing(&gone), "{number}");
    }
    attachments
        .forget_removed_files(&[FileId(2), FileId(3), FileId(77)])
        .await
        .unwrap();
    assert_eq!(removed(&*attachments).await, [1, 4]);
}

pub(super) async fn unsent_attachments_are_purged(database: &dyn TestDatabase) {
    let Stores {
        threads,
        attachments,
        ..
    } = database.open().await;
    let ada = owner("ada");
    for number in 1..=250 {
        announce(&*attachments, &ada, &attachment(number, 5)).await;
    }
    for number in [1, 2] {
        let id = AttachmentId::mint(number);
        attachments.complete(&ada, &id, kept(5)).await.unwrap();
    }
    threads
        .create_thread(&ada, &thread(1), &Change::of(&[message(1, 1, &[1])]))
        .await
        .unwrap();
    // Number 240 was announced at 240.
    assert_eq!(attachments.purge_unsent(at(240)).await.unwrap(), 238);
    for (number, stays) in [(1, true), (2, false), (239, false), (240, true)] {
        let found = attachments
            .attachment(&ada, &AttachmentId::mint(number))
            .await;
        assert_eq!(!is_missing(&found), stays, "{number}");
    }
    // In their order, so that whoever passes over one comes to those behind it.
    let mut bytes_to_go = Vec::new();
    let mut last = None;
    loop {
        let some = attachments.removed_files(last).await.unwrap();
        last = some.last().copied();
        if last.is_none() {
            break;
        }
        bytes_to_go.extend(some.iter().map(|file| file.0));
    }
    assert_eq!(bytes_to_go, (2..240).collect::<Vec<_>>());
    let all: Vec<FileId> = bytes_to_go.into_iter().map(FileId).collect();
    attachments.forget_removed_files(&all).await.unwrap();
    assert_eq!(attachments.removed_files(None).await.unwrap(), []);
}

pub(super) async fn unsent_attachments_are_bounded(database: &dyn TestDatabase) {
    let stores = database.open().await;
    let store = stores.attachments;
    let ada = owner("ada");
    let quota = Quota {
        unsent_files: 2,
        ..PLENTY
    };
    let announce = async |who: &str, number| {
        store
            .announce(&owner(who), &attachment(number, 5), quota)
            .await
            .unwrap()
    };
    assert_eq!(announce("ada", 1).await, Announced::Accepted);
    assert_eq!(announce("ada", 2).await, Announced::Accepted);
    assert_eq!(announce("ada", 3).await, Announced::TooManyUnsent);
    assert_eq!(announce("grace", 4).await, Announced::Accepted);
    // One that was sent is a message's, and one that was removed is nobody's.
    store
        .complete(&ada, &AttachmentId::mint(1), kept(5))
        .await
        .unwrap();
    assert_eq!(announce("ada", 5).await, Announced::TooManyUnsent);
    stores
        .threads
        .create_thread(&ada, &thread(1), &Change::of(&[message(1, 1, &[1])]))
        .await
        .unwrap();
    assert_eq!(announce("ada", 6).await, Announced::Accepted);
    store.discard(&ada, &AttachmentId::mint(2)).await.unwrap();
    assert_eq!(announce("ada", 7).await, Announced::Accepted);
}
