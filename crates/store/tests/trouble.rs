//! A disk that is full, a database that is taken away, one that does not belong to its log, and the way back.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests fail like tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use engine::Owner;
use engine::ports::{
    Announced, AttachmentRecord, Change, FileId, Files, FilesError, PageQuery, Quota, StoreError,
};
use protocol::item::{AssistantContent, AssistantMessageItem};
use protocol::request::Order;
use protocol::{
    AttachmentId, ItemId, ThreadId, ThreadItem, ThreadMetadata, ThreadStatus, Timestamp,
};
use rusqlite::Connection;
use store::{
    BackupError, Database, Error, LocalFiles, Options, backup, connect, export_user, restore,
};

fn owner() -> Owner {
    Owner::new("https://issuer.example ada")
}

fn at() -> Timestamp {
    "2026-01-23T16:15:25Z".parse().unwrap()
}

fn thread(number: u128) -> ThreadMetadata {
    ThreadMetadata {
        id: ThreadId::mint(number),
        title: None,
        created_at: at(),
        status: ThreadStatus::Active,
        allowed_image_domains: None,
        metadata: serde_json::Map::new(),
    }
}

fn item(thread: u128, number: u128, text: String) -> ThreadItem {
    AssistantMessageItem {
        id: ItemId::mint(number),
        thread_id: ThreadId::mint(thread),
        created_at: at(),
        content: vec![AssistantContent::new(text)],
    }
    .into()
}

fn url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

async fn open(path: &Path) -> Arc<dyn Database> {
    connect(&url(path), Options::default()).await.unwrap()
}

async fn threads(database: &dyn Database) -> usize {
    let query = PageQuery {
        limit: PageQuery::MAX_LIMIT,
        order: Order::Asc,
        after: None,
        before: None,
    };
    database.threads(&owner(), &query).await.unwrap().data.len()
}

/// A file system of two megabytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(at)
            .output();
        done.is_ok_and(|output| output.status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.display());
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_called_full_and_works_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("SKIPPED: a full disk needs root, for a small tmpfs");
        return;
    };
    let database = open(&disk.0.join("data/vestibule.db")).await;
    database
        .create_thread(&owner(), &thread(1), &Change::of(&[]))
        .await
        .unwrap();
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![0; 1 << 20]).unwrap();
    let save = async |number| {
        let change = Change {
            put: vec![item(1, number, "word ".repeat(20_000))],
            ..Change::default()
        };
        database.apply(&owner(), &ThreadId::mint(1), &change).await
    };
    let mut saved = 0;
    let full = loop {
        match save(saved).await {
            Ok(_epoch) => saved += 1,
            Err(error) => break error,
        }
        assert!(saved < 1_000, "the disk is never full");
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert!(matches!(save(saved).await, Err(StoreError::Full(_))));
    let files = LocalFiles::new(disk.0.join("files"));
    let mut upload = futures::stream::iter([Ok(Bytes::from(vec![1; 2 << 20]))]);
    let refused = files.put(FileId(1), &mut upload).await;
    assert!(matches!(refused, Err(FilesError::Full(_))), "{refused:?}");
    // What was there can be read, and nothing is left of what failed.
    assert_eq!(threads(&*database).await, 1);
    fs::remove_file(filler).unwrap();
    save(saved).await.unwrap();
    database.probe().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_was_taken_away_acknowledges_nothing_more() {
    for suffix in ["", "-wal", "-shm"] {
        for is_replaced in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("vestibule.db");
            let database = open(&path).await;
            database
                .create_thread(&owner(), &thread(1), &Change::of(&[]))
                .await
                .unwrap();
            database.probe().await.unwrap();
            let taken = folder.path().join(format!("vestibule.db{suffix}"));
            let bytes = fs::read(&taken).unwrap();
            fs::rename(&taken, folder.path().join("elsewhere")).unwrap();
            if is_replaced {
                fs::write(&taken, bytes).unwrap();
            }
            let probed = database.probe().await;
            assert!(matches!(probed, Err(StoreError::Lost(_))), "{probed:?}");
            let saved = database
                .create_thread(&owner(), &thread(2), &Change::of(&[]))
                .await;
            assert!(matches!(saved, Err(StoreError::Lost(_))), "{saved:?}");
            let end = database
                .end_chat_sessions_of(
                    "i",
                    "s",
                    auth::ports::End {
                        at: auth::UnixTime::from_seconds(1),
                        reason: auth::ports::EndReason::Revoked,
                    },
                )
                .await;
            assert!(
                matches!(end, Err(auth::ports::StoreError::Lost(_))),
                "{end:?}"
            );
            // Put back, it goes on.
            fs::rename(folder.path().join("elsewhere"), &taken).unwrap();
            database
                .create_thread(&owner(), &thread(2), &Change::of(&[]))
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn tables_of_another_build_are_noticed_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vestibule.db");
    let database = open(&path).await;
    let raw = Connection::open(&path).unwrap();
    let version: u32 = raw
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    for other in [version - 1, version + 1] {
        raw.pragma_update(None, "user_version", other).unwrap();
        assert!(database.probe().await.is_err(), "{other}");
    }
    raw.pragma_update(None, "user_version", version).unwrap();
    database.probe().await.unwrap();
}

/// A database with two threads, a sent file and one that never came.
async fn fill(folder: &Path) -> (Arc<dyn Database>, LocalFiles) {
    let database = open(&folder.join("data/vestibule.db")).await;
    let files = LocalFiles::new(folder.join("data/files"));
    for number in [1, 2] {
        database
            .create_thread(
                &owner(),
                &thread(number),
                &Change::of(&[item(number, 1, "hello".to_owned())]),
            )
            .await
            .unwrap();
    }
    for number in [1, 2] {
        let record = AttachmentRecord {
            id: AttachmentId::mint(number),
            file: FileId(number),
            name: "a.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            size: 6,
            sha256: None,
            created_at: at(),
            session: None,
            thread_id: None,
        };
        let quota = Quota {
            bytes: 1_000,
            session_files: None,
            unsent_files: 9,
        };
        let announced = database.announce(&owner(), &record, quota).await.unwrap();
        assert_eq!(announced, Announced::Accepted);
        if number == 1 {
            let mut upload = futures::stream::iter([Ok(Bytes::from_static(b"a file"))]);
            let kept = files.put(record.file, &mut upload).await.unwrap();
            database.complete(&owner(), &record.id, kept).await.unwrap();
        }
    }
    (database, files)
}

#[tokio::test]
async fn a_backup_of_a_running_database_is_restored_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (database, files) = fill(folder.path()).await;
    let to = folder.path().join("backups/today");
    let made = backup(&*database, Some(&files), &to).await.unwrap();
    assert_eq!((made.threads, made.items, made.files), (2, 2, 1));
    assert_eq!((made.file_bytes, made.damaged.len()), (6, 0));
    // What comes after it is not in it, and it is not made twice.
    database
        .create_thread(&owner(), &thread(3), &Change::of(&[]))
        .await
        .unwrap();
    let again = backup(&*database, Some(&files), &to).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    let left: Vec<_> = fs::read_dir(folder.path().join("backups"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    #[cfg(unix)]
    for (path, mode) in [(to.clone(), 0o700), (to.join("vestibule.db"), 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }

    let place = folder.path().join("new/vestibule.db");
    let new_files = folder.path().join("new/files");
    let restored = restore(&to, &url(&place), Some(&new_files), None)
        .await
        .unwrap();
    assert_eq!((restored.backup, restored.moved.len()), (made, 0));
    let database = open(&place).await;
    assert_eq!(threads(&*database).await, 2);
    let bytes = LocalFiles::new(&new_files).get(FileId(1)).await;
    let bytes: Vec<Bytes> = futures::TryStreamExt::try_collect(bytes.unwrap())
        .await
        .unwrap();
    assert_eq!(bytes.concat(), b"a file");
}

#[tokio::test]
async fn a_restore_replaces_nothing_unasked_and_nothing_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (database, files) = fill(folder.path()).await;
    let to = folder.path().join("backup");
    backup(&*database, Some(&files), &to).await.unwrap();
    database
        .create_thread(&owner(), &thread(3), &Change::of(&[]))
        .await
        .unwrap();
    let (place, kept) = (
        folder.path().join("data/vestibule.db"),
        folder.path().join("data/files"),
    );
    let refused = restore(&to, &url(&place), Some(&kept), None).await;
    assert!(
        matches!(refused, Err(BackupError::Occupied(_))),
        "{refused:?}"
    );
    let refused = restore(&to, &url(&place), Some(&kept), Some(".old")).await;
    assert!(matches!(refused, Err(BackupError::InUse(_))), "{refused:?}");
    assert_eq!(threads(&*database).await, 3);
    drop(database);
    let restored = restore(&to, &url(&place), Some(&kept), Some(".old"))
        .await
        .unwrap();
    assert!(!restored.moved.is_empty());
    assert_eq!(threads(&*open(&place).await).await, 2);
    let old = folder.path().join("data/vestibule.db.old");
    assert_eq!(threads(&*open(&old).await).await, 3);
    // A log without its database is in the way, too.
    let place = folder.path().join("other.db");
    fs::write(folder.path().join("other.db-wal"), "a log").unwrap();
    let refused = restore(&to, &url(&place), Some(&folder.path().join("f")), None).await;
    assert!(
        matches!(refused, Err(BackupError::Occupied(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_restore_that_cannot_move_everything_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (database, files) = fill(folder.path()).await;
    let to = folder.path().join("backup");
    backup(&*database, Some(&files), &to).await.unwrap();
    drop(database);
    let place = folder.path().join("data/vestibule.db");
    let kept = folder.path().join("data/files");
    // A folder cannot take the name of one that holds something.
    fs::create_dir(folder.path().join("data/files.old")).unwrap();
    fs::write(folder.path().join("data/files.old/something"), "").unwrap();
    let refused = restore(&to, &url(&place), Some(&kept), Some(".old")).await;
    assert!(
        matches!(refused, Err(BackupError::Io { .. })),
        "{refused:?}"
    );
    assert!(place.exists());
    assert!(!folder.path().join("data/vestibule.db.old").exists());
    assert_eq!(threads(&*open(&place).await).await, 2);
}

#[tokio::test]
async fn a_spoiled_backup_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (database, files) = fill(folder.path()).await;
    for spoil in ["vestibule.db", "backup.json", "files", "vestibule.db-wal"] {
        let to = folder.path().join(format!("backup of {spoil}"));
        backup(&*database, Some(&files), &to).await.unwrap();
        let path = to.join(spoil);
        match spoil {
            "files" => fs::remove_dir_all(path).unwrap(),
            "vestibule.db" => {
                let mut bytes = fs::read(&path).unwrap();
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                fs::write(path, bytes).unwrap();
            }
            _ => fs::write(path, "rubbish").unwrap(),
        }
        let place = folder.path().join("target/vestibule.db");
        let refused = restore(
            &to,
            &url(&place),
            Some(&folder.path().join("target/files")),
            None,
        )
        .await;
        assert!(refused.is_err(), "{spoil}");
        assert!(!place.exists(), "{spoil}");
    }
}

#[tokio::test]
async fn what_is_missing_beside_the_database_is_named_by_the_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (database, files) = fill(folder.path()).await;
    files.delete(FileId(1)).await.unwrap();
    let to = folder.path().join("backup");
    let made = backup(&*database, Some(&files), &to).await.unwrap();
    assert_eq!(made.damaged, [AttachmentId::mint(1).as_str()]);
    let place = folder.path().join("target/vestibule.db");
    restore(
        &to,
        &url(&place),
        Some(&folder.path().join("target/files")),
        None,
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_log_of_another_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (database, files) = fill(folder.path()).await;
    let to = folder.path().join("backup");
    backup(&*database, Some(&files), &to).await.unwrap();
    // A crash leaves the log behind; then somebody copies a backup over the database by hand.
    let place = folder.path().join("by hand.db");
    fs::copy(
        folder.path().join("data/vestibule.db-wal"),
        folder.path().join("by hand.db-wal"),
    )
    .unwrap();
    fs::copy(to.join("vestibule.db"), &place).unwrap();
    let refused = connect(&url(&place), Options::default()).await.err();
    assert!(
        matches!(refused, Some(Error::ForeignLog { .. })),
        "{refused:?}"
    );
    fs::remove_file(folder.path().join("by hand.db-wal")).unwrap();
    assert_eq!(threads(&*open(&place).await).await, 2);
}

#[tokio::test]
async fn one_unreadable_row_does_not_end_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _files) = fill(folder.path()).await;
    let raw = Connection::open(folder.path().join("data/vestibule.db")).unwrap();
    raw.execute("UPDATE threads SET data = 'rubbish' WHERE key = 1", [])
        .unwrap();
    raw.execute("UPDATE items SET version = 99 WHERE key = 2", [])
        .unwrap();
    raw.execute("UPDATE attachments SET data = '' WHERE key = 1", [])
        .unwrap();
    let (mut good, mut bad) = (0, Vec::new());
    export_user::<Error>(&*database, &owner(), |record| {
        match record {
            Ok(_) => good += 1,
            Err(error) => bad.push(error.to_string()),
        }
        Ok(())
    })
    .await
    .unwrap();
    // The other thread, the other message and the other attachment.
    assert_eq!(good, 3);
    let expected = [
        format!(
            "the attachment {} cannot be read",
            AttachmentId::mint(1).as_str()
        ),
        format!(
            "the conversation {} cannot be read",
            ThreadId::mint(1).as_str()
        ),
        format!("the message {} cannot be read", ItemId::mint(1).as_str()),
    ];
    assert_eq!(bad, expected);
}
