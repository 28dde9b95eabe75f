//! `conformance-seed DATABASE`: puts the session and the thread that OpenAI's own tests name into a
//! database, as if they had been made by an earlier run of the product.
//!
//! The tests cancel and delete what they name, so this puts it back: what is there of an earlier
//! seeding goes first. It works while the server runs, like every command, and through the same
//! ports; the server knows nothing of these ids.

use std::{env, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use auth::{
    Identity, UnixTime,
    ports::{ChatSessionRecord, ClientSecretRecord, OpenedBy, ServerKeyRecord},
    server_key,
};
use engine::{
    Owner,
    ports::{AttachmentRecord, FileId, Kept, Quota, StoreError},
};
use protocol::{ThreadId, ThreadItem, ThreadMetadata, ThreadStatus, item::UserMessageItem};
use serde_json::Map;
use store::{Database, Options};

/// What the tests call the session that they cancel.
const SESSION: &str = "cksess_123";
/// What the tests call the thread that they read and delete.
const THREAD: &str = "cthr_123";
/// Whose both are.
const USER: &str = "x";
/// One item of each kind that the hosted API can show, and one that it must not show.
const ITEMS: &str = include_str!("thread.json");

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let url = env::args()
        .nth(1)
        .context("usage: conformance-seed DATABASE")?;
    let database = store::connect(&url, Options::default()).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "this is a program of its own: its clock is read here, once"
    )]
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .context("the clock stands before 1970")?;
    let now = UnixTime::from_seconds(i64::try_from(now.as_secs())?);

    let keys = database.list_server_keys().await?;
    let key = keys
        .first()
        .context("there is no server key: run `vestibule key import` first")?;
    ensure!(keys.len() == 1, "there is more than one server key");
    // Longer than any session, so that nothing ends in the middle of a slow run.
    let until = now.plus(Duration::from_hours(24));
    let identity = server_key::user_of(key, USER, until)?;
    seed_session(&*database, key, &identity, now, until).await?;
    seed_thread(&*database, &Owner::new(identity.owner_key())).await?;
    Ok(ExitCode::SUCCESS)
}

async fn seed_session(
    store: &dyn Database,
    key: &ServerKeyRecord,
    identity: &Identity,
    now: UnixTime,
    until: UnixTime,
) -> anyhow::Result<()> {
    // Every session goes: there is no way to take back a cancellation, and there should be none.
    store
        .purge_chat_sessions(until.plus(Duration::from_secs(1)))
        .await?;
    let session = ChatSessionRecord {
        id: SESSION.to_owned(),
        issuer: identity.issuer().to_owned(),
        subject: identity.subject().to_owned(),
        claims: Map::new(),
        environment: identity.environment(),
        workflow: "id".to_owned(),
        origins: Vec::new(),
        state: Map::new(),
        opened_by: OpenedBy::ServerKey(key.id.clone()),
        created_at: now,
        ends_at: until,
        ended: None,
    };
    let secret = ClientSecretRecord {
        // No text has this digest, so nobody can use the session.
        digest: [0; 32],
        session_id: session.id.clone(),
        created_at: now,
        expires_at: until,
        rotation: None,
    };
    store
        .insert_chat_session(&session, &secret, u32::MAX)
        .await?;
    Ok(())
}

async fn seed_thread(store: &dyn Database, owner: &Owner) -> anyhow::Result<()> {
    let id: ThreadId = THREAD.parse()?;
    match store.delete_thread(owner, &id).await {
        Ok(()) | Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let items: Vec<ThreadItem> =
        serde_json::from_str(ITEMS).context("failed to read thread.json")?;
    let created_at = items.first().context("thread.json is empty")?.created_at();
    for item in &items {
        if let ThreadItem::UserMessage(message) = item {
            seed_files(store, owner, message).await?;
        }
    }
    let thread = ThreadMetadata {
        id,
        title: Some("Lisbon".to_owned()),
        created_at,
        status: ThreadStatus::Active,
        allowed_image_domains: None,
        metadata: Map::new(),
    };
    store
        .create_thread(owner, &thread, &engine::ports::Change::of(&items))
        .await?;
    Ok(())
}

/// A message can hold only what has been uploaded. Nobody asks for the bytes, so there are none.
async fn seed_files(
    store: &dyn Database,
    owner: &Owner,
    message: &UserMessageItem,
) -> anyhow::Result<()> {
    for (number, attachment) in (1..).zip(&message.attachments) {
        let record = AttachmentRecord {
            id: attachment.id().clone(),
            file: FileId(number),
            name: attachment.name().to_owned(),
            media_type: attachment.mime_type().to_owned(),
            size: 0,
            sha256: None,
            created_at: message.created_at,
            session: None,
            thread_id: None,
        };
        let quota = Quota {
            bytes: u64::MAX,
            session_files: None,
            unsent_files: u32::MAX,
        };
        store.announce(owner, &record, quota).await?;
        let kept = Kept {
            size: 0,
            sha256: [0; 32],
        };
        store.complete(owner, &record.id, kept).await?;
    }
    Ok(())
}
