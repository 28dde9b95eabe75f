//! Things to store.

use auth::identity::Environment;
use auth::ports::{ChatSessionRecord, ClientSecretRecord, Digest, OpenedBy, Rotation};
use auth::time::UnixTime;
use engine::ports::{AttachmentRecord, BeginRun, FileId, PageQuery, Store};
use engine::{Owner, WorkflowId};
use protocol::attachment::{Attachment, ImageAttachment};
use protocol::item::{AssistantContent, AssistantMessageItem, InferenceOptions, UserMessageItem};
use protocol::request::Order;
use protocol::{
    AttachmentId, ItemId, Page, RunId, ThreadId, ThreadItem, ThreadMetadata, ThreadPatch,
    ThreadStatus, Timestamp,
};
use serde_json::{Map, json};

/// A person.
pub fn owner(name: &str) -> Owner {
    Owner::new(format!("https://issuer.example {name}"))
}

pub(super) fn thread_id(number: u128) -> ThreadId {
    ThreadId::mint(number)
}

pub(super) fn item_id(number: u128) -> ItemId {
    ItemId::mint(number)
}

pub(super) fn at(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_790_000_000_000_000 + microseconds).expect("a valid time")
}

/// A thread whose time of creation follows its number.
pub fn thread(number: u128) -> ThreadMetadata {
    ThreadMetadata {
        id: thread_id(number),
        title: None,
        created_at: at(i64::try_from(number).expect("a small number")),
        status: ThreadStatus::Active,
        allowed_image_domains: None,
        metadata: Map::new(),
    }
}

/// A run, with the message that it answers.
pub(super) fn begin(number: u128) -> BeginRun {
    BeginRun {
        workflow: WorkflowId::new("wf_demo"),
        at: at(0),
        overtakes: None,
        goes_first: true,
        run: RunId::mint(number),
        answers: item_id(number),
    }
}

/// What names a thread.
pub(super) fn titled(title: impl Into<String>) -> ThreadPatch {
    ThreadPatch {
        title: Some(title.into()),
        ..ThreadPatch::default()
    }
}

/// A message of the assistant.
pub fn item(thread: u128, number: u128, text: &str) -> ThreadItem {
    AssistantMessageItem {
        id: item_id(number),
        thread_id: thread_id(thread),
        created_at: at(0),
        content: vec![AssistantContent::new(text)],
    }
    .into()
}

/// Messages with consecutive numbers.
pub(super) fn items(thread: u128, numbers: std::ops::RangeInclusive<u128>) -> Vec<ThreadItem> {
    numbers
        .map(|number| item(thread, number, &format!("item {number}")))
        .collect()
}

pub(super) fn first(limit: u32, order: Order) -> PageQuery {
    PageQuery {
        limit,
        order,
        after: None,
        before: None,
    }
}

/// All items of a thread, oldest first.
pub(super) async fn all_items(store: &dyn Store, owner: &Owner, thread: u128) -> Vec<ThreadItem> {
    let mut query = first(PageQuery::MAX_LIMIT, Order::Asc);
    let mut all = Vec::new();
    loop {
        let Page {
            data,
            has_more,
            after,
        } = store
            .items(owner, &thread_id(thread), &query)
            .await
            .expect("a page");
        all.extend(data);
        if !has_more {
            return all;
        }
        query.after = after;
    }
}

/// A time in seconds.
pub(super) fn seconds(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(1_790_000_000 + seconds)
}

/// A digest that is told apart from others by a number.
pub(super) fn digest(number: u64) -> Digest {
    let mut digest = [7; 32];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    digest
}

/// A session that lives from `created_at` for a day.
pub(super) fn session(id: &str, subject: &str, created_at: i64) -> ChatSessionRecord {
    ChatSessionRecord {
        id: id.to_owned(),
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        claims: Map::from_iter([("name".to_owned(), json!("Ada"))]),
        environment: Environment::Live,
        workflow: "wf_demo".to_owned(),
        origins: vec!["https://app.example".to_owned()],
        state: Map::from_iter([("plan".to_owned(), json!({"seats": 3}))]),
        opened_by: OpenedBy::User,
        created_at: seconds(created_at),
        ends_at: seconds(created_at + 86_400),
        ended: None,
    }
}

/// A secret that lives from `created_at` for an hour.
pub(super) fn secret(number: u64, session_id: &str, created_at: i64) -> ClientSecretRecord {
    ClientSecretRecord {
        digest: digest(number),
        session_id: session_id.to_owned(),
        created_at: seconds(created_at),
        expires_at: seconds(created_at + 3_600),
        rotation: None,
    }
}

/// A rotation to the secret of that number.
pub(super) fn rotation(next: u64, at: i64) -> Rotation {
    Rotation {
        at: seconds(at),
        nonce: digest(next + 1_000_000),
        next: digest(next),
    }
}

/// An attachment as it is announced.
pub(super) fn attachment(number: u128, size: u64) -> AttachmentRecord {
    AttachmentRecord {
        id: AttachmentId::mint(number),
        file: FileId(number),
        name: "märz.png".to_owned(),
        media_type: "image/png".to_owned(),
        size,
        sha256: None,
        created_at: at(i64::try_from(number).expect("a small number")),
        session: None,
        thread_id: None,
    }
}

/// A message of the user that holds attachments.
pub(super) fn message(thread: u128, number: u128, attachments: &[u128]) -> ThreadItem {
    let attachments = attachments.iter().map(|number| {
        Attachment::Image(ImageAttachment {
            id: AttachmentId::mint(*number),
            name: "märz.png".to_owned(),
            mime_type: "image/png".to_owned(),
            preview_url: String::new(),
            upload_descriptor: None,
            thread_id: Some(thread_id(thread)),
            metadata: None,
        })
    });
    UserMessageItem {
        id: item_id(number),
        thread_id: thread_id(thread),
        created_at: at(0),
        content: Vec::new(),
        attachments: attachments.collect(),
        quoted_text: None,
        inference_options: InferenceOptions::default(),
    }
    .into()
}
