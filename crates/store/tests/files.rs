//! The database as a file: made, upgraded, locked, forgotten from, and refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::Owner;
use engine::attachments::remove_files;
use engine::ports::{
    Announced, AttachmentRecord, BytesIn, BytesOut, Change, FileId, Files, FilesError, Kept,
    PageQuery, Quota, RequestRecord, StoreError,
};
use protocol::item::{AssistantContent, AssistantMessageItem};
use protocol::request::{FeedbackKind, Order};
use protocol::{
    AttachmentId, ItemId, ThreadId, ThreadItem, ThreadMetadata, ThreadStatus, Timestamp,
};
use rusqlite::Connection;
use store::{
    Database, Durability, Error, Forgotten, LocalFiles, MigrationPolicy, Options, Record, connect,
    export_user,
};
use tempfile::TempDir;

struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data/vestibule.db")
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    async fn open(&self) -> Arc<dyn Database> {
        connect(&self.url(), Options::default()).await.unwrap()
    }

    /// As another program would open it.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

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

fn item(thread: u128, number: u128, text: &str) -> ThreadItem {
    AssistantMessageItem {
        id: ItemId::mint(number),
        thread_id: ThreadId::mint(thread),
        created_at: at(),
        content: vec![AssistantContent::new(text)],
    }
    .into()
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    let file = File::new();
    let database = file.open().await;
    database
        .create_thread(&owner(), &thread(1), &Change::of(&[]))
        .await
        .unwrap();
    assert_eq!(mode(file.path().parent().unwrap().into()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", file.path().display());
        assert_eq!(mode(path.into()), 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn both_kinds_of_durability_keep_what_was_written() {
    for durability in [Durability::Process, Durability::Power] {
        let file = File::new();
        let options = Options {
            durability,
            ..Options::default()
        };
        let database = connect(&file.url(), options).await.unwrap();
        database
            .create_thread(&owner(), &thread(1), &Change::of(&[]))
            .await
            .unwrap();
        drop(database);
        let database = file.open().await;
        let found = database.thread(&owner(), &ThreadId::mint(1)).await.unwrap();
        assert_eq!(found, thread(1));
    }
}

#[tokio::test]
async fn a_database_of_a_newer_build_is_not_touched() {
    let file = File::new();
    drop(file.open().await);
    file.raw().pragma_update(None, "user_version", 99).unwrap();
    for migrations in [MigrationPolicy::Apply, MigrationPolicy::Require] {
        let options = Options {
            migrations,
            ..Options::default()
        };
        let Err(error) = connect(&file.url(), options).await else {
            panic!("opened")
        };
        assert!(
            matches!(error, Error::TooNew { found: 99, known } if known < 99),
            "{error:?}"
        );
        assert!(
            error.to_string().contains("start the newer vestibule"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn tables_are_changed_only_where_that_is_wanted() {
    let file = File::new();
    let require = Options {
        migrations: MigrationPolicy::Require,
        ..Options::default()
    };
    let Err(error) = connect(&file.url(), require).await else {
        panic!("opened")
    };
    assert!(
        matches!(error, Error::Outdated { found: 0, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("vestibule migrate"), "{error}");

    drop(file.open().await);
    connect(&file.url(), require).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_migrate_at_once_do_not_collide() {
    for _ in 0..10 {
        let file = File::new();
        let url = file.url();
        let opened = tokio::join!(
            connect(&url, Options::default()),
            connect(&url, Options::default()),
            connect(&url, Options::default()),
        );
        for database in [opened.0, opened.1, opened.2] {
            database.unwrap().check().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_cannot_be_opened_is_an_error() {
    let file = File::new();
    fs::create_dir_all(file.path()).unwrap();
    assert!(connect(&file.url(), Options::default()).await.is_err());

    let file = File::new();
    fs::create_dir_all(file.path().parent().unwrap()).unwrap();
    fs::write(
        file.path(),
        "not a database, but long enough to look like one".repeat(100),
    )
    .unwrap();
    assert!(connect(&file.url(), Options::default()).await.is_err());
}

#[tokio::test]
async fn a_locked_database_is_busy_and_loses_nothing() {
    let file = File::new();
    let options = Options {
        patience: Duration::from_millis(20),
        ..Options::default()
    };
    let database = connect(&file.url(), options).await.unwrap();
    database
        .create_thread(&owner(), &thread(1), &Change::of(&[item(1, 1, "before")]))
        .await
        .unwrap();

    let other_process = file.raw();
    other_process.execute_batch("BEGIN IMMEDIATE").unwrap();
    let change = Change {
        put: vec![item(1, 2, "meanwhile")],
        ..Change::default()
    };
    let id = ThreadId::mint(1);
    let owner = owner();
    let (one, two, check) = tokio::join!(
        database.apply(&owner, &id, &change),
        database.revoke_server_key("key_1", auth::UnixTime::from_seconds(0)),
        database.check(),
    );
    assert!(matches!(one, Err(StoreError::Busy(_))), "{one:?}");
    assert!(
        matches!(two, Err(auth::ports::StoreError::Unavailable(_))),
        "{two:?}"
    );
    assert!(matches!(check, Err(Error::Busy(_))), "{check:?}");
    // Reading goes on.
    let query = PageQuery {
        limit: 20,
        order: Order::Asc,
        after: None,
        before: None,
    };
    let page = database.items(&owner, &id, &query).await.unwrap();
    assert_eq!(page.data, [item(1, 1, "before")]);

    other_process.execute_batch("ROLLBACK").unwrap();
    database.check().await.unwrap();
    database.apply(&owner, &id, &change).await.unwrap();
    let page = database.items(&owner, &id, &query).await.unwrap();
    assert_eq!(page.data, [item(1, 1, "before"), item(1, 2, "meanwhile")]);
}

#[tokio::test]
async fn a_call_whose_caller_went_away_is_done_all_the_same() {
    let file = File::new();
    let database = file.open().await;
    let (owner, thread) = (owner(), thread(1));
    // Polled once, so that it is queued, then dropped, most likely before there is an answer.
    let nothing = Change::of(&[]);
    let write = database.create_thread(&owner, &thread, &nothing);
    let _answer = futures::poll!(Box::pin(write));
    // Writes are done in their order, so this one comes after it.
    database.check().await.unwrap();
    let found = database.thread(&owner, &thread.id).await.unwrap();
    assert_eq!(found, thread);
}

#[tokio::test]
async fn an_export_has_everything_of_the_user_and_nothing_of_others() {
    let file = File::new();
    let database = file.open().await;
    for (name, text) in [("ada", "of ada"), ("grace", "of grace")] {
        let owner = Owner::new(format!("https://issuer.example {name}"));
        for number in 1..=2 {
            // More than one page of items.
            let items: Vec<_> = (1..=150)
                .map(|item_number| item(number, item_number, text))
                .collect();
            database
                .create_thread(&owner, &thread(number), &Change::of(&items))
                .await
                .unwrap();
        }
        let judged = [ItemId::mint(3)];
        for kind in [FeedbackKind::Positive, FeedbackKind::Negative] {
            database
                .save_feedback(&owner, &ThreadId::mint(2), &judged, kind, at())
                .await
                .unwrap();
        }
        for number in 0..120 {
            open_session(&*database, "https://issuer.example", name, number).await;
        }
    }

    let mut records = Vec::new();
    export_user::<Error>(&*database, &owner(), |record| {
        records.push(record.unwrap());
        Ok(())
    })
    .await
    .unwrap();
    let text = serde_json::to_string(&records).unwrap();
    assert!(text.contains("of ada") && !text.contains("grace"));
    let count = |is_wanted: fn(&Record) -> bool| records.iter().filter(|r| is_wanted(r)).count();
    assert_eq!(
        count(|record| matches!(record, Record::ChatSession { .. })),
        120
    );
    assert_eq!(count(|record| matches!(record, Record::Thread { .. })), 2);
    assert_eq!(count(|record| matches!(record, Record::Item { .. })), 300);
    let last = records.last().unwrap();
    // The last thumb counts.
    let expected = Record::Feedback {
        thread_id: ThreadId::mint(2),
        item_id: ItemId::mint(3),
        kind: FeedbackKind::Negative,
        at: at(),
    };
    assert_eq!(last, &expected);

    // The receiver can stop it.
    let mut taken = 0;
    let stopped = export_user(&*database, &owner(), |_| {
        taken += 1;
        if taken == 5 {
            Err(Error::Conflict)
        } else {
            Ok(())
        }
    })
    .await;
    assert!(matches!(stopped, Err(Error::Conflict)), "{stopped:?}");
    assert_eq!(taken, 5);
}

async fn open_session(database: &dyn Database, issuer: &str, subject: &str, number: u8) {
    use auth::ports::{ChatSessionRecord, ClientSecretRecord, OpenedBy};
    let unique = format!("{issuer}|{subject}|{number}");
    let mut digest = [0; 32];
    for (slot, byte) in digest.iter_mut().zip(unique.bytes().rev()) {
        *slot = byte; // The texts differ at the end.
    }
    let session = ChatSessionRecord {
        id: unique.clone(),
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        claims: serde_json::Map::new(),
        environment: auth::Environment::Live,
        workflow: "wf_demo".to_owned(),
        origins: Vec::new(),
        state: serde_json::Map::new(),
        opened_by: OpenedBy::User,
        created_at: auth::UnixTime::from_seconds(1),
        ends_at: auth::UnixTime::from_seconds(100),
        ended: None,
    };
    let secret = ClientSecretRecord {
        digest,
        session_id: unique,
        created_at: auth::UnixTime::from_seconds(1),
        expires_at: auth::UnixTime::from_seconds(50),
        rotation: None,
    };
    database
        .insert_chat_session(&session, &secret, 1_000)
        .await
        .unwrap();
}

fn file_id(text: &str) -> FileId {
    FileId(text.len() as u128)
}

/// An upload that was never sent, with a name and bytes that hold this text.
async fn keep_file(database: &dyn Database, files: &dyn Files, owner: &Owner, text: &str) {
    let file = file_id(text);
    let record = AttachmentRecord {
        id: AttachmentId::mint(file.0),
        file,
        name: format!("{text}.txt"),
        media_type: "text/plain".to_owned(),
        size: 1_000,
        sha256: None,
        created_at: at(),
        session: None,
        thread_id: None,
    };
    let quota = Quota {
        bytes: 10_000,
        session_files: None,
        unsent_files: 100,
    };
    let announced = database.announce(owner, &record, quota).await.unwrap();
    assert_eq!(announced, Announced::Accepted);
    let mut bytes = futures::stream::iter([Ok(Bytes::copy_from_slice(text.as_bytes()))]);
    let kept = files.put(file, &mut bytes).await.unwrap();
    database.complete(owner, &record.id, kept).await.unwrap();
}

#[tokio::test]
async fn a_forgotten_user_is_gone_from_the_files_too() {
    const MARK: &str = "a sentence that nobody else writes";
    let file = File::new();
    let database = file.open().await;
    let files = LocalFiles::new(file.folder.path().join("files"));
    let token = "pkt_1";
    let visitor = auth::ports::VisitorRecord {
        id: "vis_1".to_owned(),
        public_token_id: token.to_owned(),
        resume_digest: [1; 32],
        resume_since: auth::UnixTime::from_seconds(1),
        earlier: None,
        created_at: auth::UnixTime::from_seconds(1),
        last_seen_at: auth::UnixTime::from_seconds(2),
    };
    database.insert_visitor(&visitor).await.unwrap();
    let forgotten_owner = Owner::new(format!("visitor:{token} vis_1"));
    for who in [&forgotten_owner, &owner()] {
        let text = if *who == forgotten_owner {
            MARK
        } else {
            "kept"
        };
        // More than one batch; long texts have pages of their own.
        for number in 1..=50 {
            let items = [item(number, 1, text), item(number, 2, &text.repeat(500))];
            database
                .create_thread(who, &thread(number), &Change::of(&items))
                .await
                .unwrap();
        }
        keep_file(&*database, &files, who, text).await;
    }
    open_session(&*database, "visitor:pkt_1", "vis_1", 1).await;
    open_session(&*database, "visitor:pkt_1", "vis_11", 1).await;
    let visitor_record = database.visitor(&forgotten_owner).await.unwrap();
    assert_eq!(visitor_record, Some(visitor));

    let forgotten = database.forget_user(&forgotten_owner).await.unwrap();
    let expected = Forgotten {
        threads: 50,
        chat_sessions: 1,
        visitors: 1,
        attachments: 1,
    };
    assert_eq!(forgotten, expected);
    assert_eq!(remove_files(&*database, &files).await.unwrap(), 1);
    assert_eq!(remove_files(&*database, &files).await.unwrap(), 0);
    for (text, is_kept) in [(MARK, false), ("kept", true)] {
        let bytes = files.get(file_id(text)).await;
        assert_eq!(bytes.is_ok(), is_kept, "{text}");
    }
    let mut left = Vec::new();
    export_user::<Error>(&*database, &forgotten_owner, |record| {
        left.push(record.unwrap());
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(left, []);
    for suffix in ["", "-wal"] {
        let path = format!("{}{suffix}", file.path().display());
        let bytes = fs::read(path).unwrap();
        let found = bytes
            .windows(MARK.len())
            .any(|window| window == MARK.as_bytes());
        assert!(!found, "still in the file{suffix}");
    }

    // Nobody else was touched, and once more finds nothing.
    let query = PageQuery {
        limit: 100,
        order: Order::Asc,
        after: None,
        before: None,
    };
    let page = database.threads(&owner(), &query).await.unwrap();
    assert_eq!(page.data.len(), 50);
    let again = database.forget_user(&forgotten_owner).await.unwrap();
    assert_eq!(again, Forgotten::default());
    let session = database.find_chat_session("visitor:pkt_1|vis_11|1").await;
    assert!(session.unwrap().is_some());
}

/// What becomes of a table when a person asks for their data, or to be forgotten.
enum Fate {
    /// Rows of the person go; the export tells them as records of this kind, where they say anything to the person.
    Goes(Option<&'static str>),
    /// Rows stay, for this reason.
    Stays(#[expect(dead_code, reason = "for whoever reads the list")] &'static str),
}

/// A new table has to be put on this list, and to be dealt with where it holds something of a person.
const TABLES: [(&str, Fate); 19] = [
    // A number, which the export's reader can count.
    ("message_bytes", Fate::Goes(None)),
    ("threads", Fate::Goes(Some("thread"))),
    ("items", Fate::Goes(Some("item"))),
    ("feedback", Fate::Goes(Some("feedback"))),
    ("queued_messages", Fate::Goes(Some("item"))),
    // Names that a client gave to what it sent, for a day.
    ("requests", Fate::Goes(None)),
    ("attachments", Fate::Goes(Some("attachment"))),
    ("chat_sessions", Fate::Goes(Some("chat_session"))),
    // Hashes of credentials: they say nothing to anybody.
    ("client_secrets", Fate::Goes(None)),
    ("visitors", Fate::Goes(Some("visitor"))),
    ("audit_parties", Fate::Goes(Some("audit"))),
    (
        "audit_log",
        Fate::Stays("names nobody once the party is gone"),
    ),
    ("audit_retention", Fate::Stays("one time for all")),
    (
        "removed_files",
        Fate::Stays("names of files on their way out"),
    ),
    ("public_tokens", Fate::Stays("the operator's")),
    ("server_keys", Fate::Stays("the operator's")),
    ("domains", Fate::Stays("the operator's")),
    ("refusals", Fate::Stays("origins of pages, of nobody")),
    (
        "used_tokens",
        Fate::Stays("hashes of what issuers sent, for half an hour"),
    ),
];

/// Fills every table that holds something of a person, for one visitor.
async fn fill(database: &dyn Database, files: &LocalFiles, owner: &Owner) {
    use auth::audit::{AuditEvent, AuditRecord};
    let (issuer, subject) = owner.as_str().split_once(' ').unwrap();
    let visitor = auth::ports::VisitorRecord {
        id: subject.to_owned(),
        public_token_id: "pkt_1".to_owned(),
        resume_digest: [1; 32],
        resume_since: auth::UnixTime::from_seconds(1),
        earlier: None,
        created_at: auth::UnixTime::from_seconds(1),
        last_seen_at: auth::UnixTime::from_seconds(2),
    };
    database.insert_visitor(&visitor).await.unwrap();
    open_session(database, issuer, subject, 1).await;
    database
        .create_thread(owner, &thread(1), &Change::of(&[item(1, 1, "hello")]))
        .await
        .unwrap();
    let items = [ItemId::mint(1)];
    database
        .save_feedback(
            owner,
            &ThreadId::mint(1),
            &items,
            FeedbackKind::Positive,
            at(),
        )
        .await
        .unwrap();
    let request = RequestRecord {
        key: "once".into(),
        fingerprint: "body".into(),
        item: ItemId::mint(2),
        at: at(),
    };
    let waits = item(1, 2, "waits");
    database
        .enqueue(owner, &ThreadId::mint(1), &waits, Some(&request), 8)
        .await
        .unwrap();
    keep_file(database, files, owner, "a file").await;
    let entry = AuditRecord {
        address: Some("192.0.2.77".to_owned()),
        ..AuditRecord::new(auth::UnixTime::from_seconds(1), AuditEvent::SecretRotated)
    };
    let entry = entry.about(issuer, subject).in_session("cksess_1");
    database.append_audit(&[entry]).await.unwrap();
}

#[tokio::test]
async fn every_table_is_exported_and_forgotten_or_has_a_reason() {
    let owner = Owner::new("visitor:pkt_1 vis_unmistakable");
    for is_asked_for in [true, false] {
        let file = File::new();
        let database = file.open().await;
        let files = LocalFiles::new(file.folder.path().join("files"));
        let raw = file.raw();
        let mut tables = raw
            .prepare(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            )
            .unwrap()
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        tables.sort();
        let mut listed: Vec<_> = TABLES.iter().map(|(table, _)| *table).collect();
        listed.sort_unstable();
        assert_eq!(tables, listed, "a table is not on the list of fates");

        fill(&*database, &files, &owner).await;
        let mut records = BTreeSet::new();
        export_user::<Error>(&*database, &owner, |record| {
            let record = serde_json::to_value(record.unwrap()).unwrap();
            records.insert(record["record"].as_str().unwrap().to_owned());
            Ok(())
        })
        .await
        .unwrap();
        let rows = |table: &str| {
            raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap()
        };
        for (table, fate) in &TABLES {
            if let Fate::Goes(record) = fate {
                assert!(rows(table) > 0, "the test puts nothing into {table}");
                let is_told = record.is_none_or(|record| records.contains(record));
                assert!(is_told, "{table} is not exported");
            }
        }

        if is_asked_for {
            database.forget_user(&owner).await.unwrap();
        } else {
            let later = auth::UnixTime::from_seconds(3);
            assert_eq!(database.purge_visitors(later).await.unwrap(), 1);
        }
        for (table, fate) in &TABLES {
            if matches!(fate, Fate::Goes(_)) {
                assert_eq!(rows(table), 0, "{table} keeps something");
            }
            // Whatever the columns: the person is not named, and not where they were.
            let mut statement = raw.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let mut left = statement.query([]).unwrap();
            while let Some(row) = left.next().unwrap() {
                for column in 0..columns {
                    let value = format!("{:?}", row.get_ref(column).unwrap());
                    for trace in ["vis_unmistakable", "192.0.2.77"] {
                        assert!(!value.contains(trace), "{table}: {value}");
                    }
                }
            }
        }
        assert_eq!(rows("audit_log"), 1, "the event itself stays");
        assert_eq!(remove_files(&*database, &files).await.unwrap(), 1);
    }
}

/// Files of which one is under a lock, and cannot be removed.
struct Locked {
    files: LocalFiles,
    locked: Option<FileId>,
}

#[async_trait::async_trait]
impl Files for Locked {
    async fn put(&self, file: FileId, bytes: &mut BytesIn<'_>) -> Result<Kept, FilesError> {
        self.files.put(file, bytes).await
    }

    async fn get(&self, file: FileId) -> Result<BytesOut, FilesError> {
        self.files.get(file).await
    }

    async fn delete(&self, file: FileId) -> Result<(), FilesError> {
        if self.locked == Some(file) {
            return Err(FilesError::Internal("it is locked".into()));
        }
        self.files.delete(file).await
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_is_in_the_way_of_no_other() {
    let file = File::new();
    let database = file.open().await;
    let mut files = Locked {
        files: LocalFiles::new(file.folder.path().join("files")),
        locked: Some(file_id("a")),
    };
    for text in ["a", "bb", "ccc"] {
        keep_file(&*database, &files, &owner(), text).await;
    }
    database.forget_user(&owner()).await.unwrap();
    let error = remove_files(&*database, &files).await.unwrap_err();
    let StoreError::Internal(source) = error else {
        panic!("{error}")
    };
    assert!(source.to_string().starts_with("1 files"), "{source}");
    for (text, is_there) in [("a", true), ("bb", false), ("ccc", false)] {
        assert_eq!(files.get(file_id(text)).await.is_ok(), is_there, "{text}");
    }
    files.locked = None;
    assert_eq!(remove_files(&*database, &files).await.unwrap(), 1);
    assert!(files.get(file_id("a")).await.is_err());
}

#[tokio::test]
async fn the_audit_log_can_only_grow_until_its_time_is_over() {
    use auth::audit::{AuditEvent, AuditRecord};
    let file = File::new();
    let database = file.open().await;
    let entry = |at| {
        AuditRecord::new(auth::UnixTime::from_seconds(at), AuditEvent::SecretReused)
            .about("https://issuer.example", "ada")
    };
    database
        .append_audit(&[entry(10), entry(20)])
        .await
        .unwrap();
    let before = auth::UnixTime::from_seconds(15);
    assert_eq!(database.purge_audit(before).await.unwrap(), 1);
    let raw = file.raw();
    for sql in [
        "UPDATE audit_log SET at = 1",
        "UPDATE audit_log SET data = '{}' WHERE key = 2",
        "DELETE FROM audit_log",
        "UPDATE audit_parties SET subject = 'grace'",
        "UPDATE audit_retention SET before = 0",
        "DELETE FROM audit_retention",
    ] {
        let error = raw.execute_batch(sql).unwrap_err().to_string();
        assert!(
            error.contains("audit entry") || error.contains("retention"),
            "{sql}: {error}"
        );
    }
    let left = database
        .list_audit(&auth::audit::AuditQuery::default(), 10)
        .await
        .unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id, &left[0].record), (2, &entry(20)));
}
