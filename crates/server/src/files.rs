//! Files over HTTP: which ones a caller may send, how their bytes come in, and addresses that carry
//! their own permission.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use auth::{
    FileLinks, UnixTime,
    file_link::{Claim, Purpose},
};
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use engine::{
    MediaTypes, Owner, UploadRules,
    ports::{Interrupted, Links},
};
use futures::{FutureExt, Stream, StreamExt};
use protocol::{
    AttachmentId, Timestamp,
    attachment::{UploadDescriptor, UploadMethod},
};
use serde::Deserialize;
use tokio::time::Sleep;
use url::Url;

use crate::caller::{Caller, Entry};

/// How long an address for sending bytes is good.
const WRITE_SECONDS: i64 = 600;
/// How long an address for reading bytes is good at least.
const READ_SECONDS: i64 = 3_600;
/// Reading addresses that are made within this time of each other are the same, so that browsers
/// need not get a picture again.
const READ_STEP_SECONDS: i64 = 900;
/// Most bytes of a form before its file begins, and after it ends.
pub(crate) const FORM_BYTES: u64 = 256 * 1024;
/// A session's sizes are in megabytes of this many bytes.
const MEGABYTE: u64 = 1 << 20;

/// What the configuration says about files.
#[derive(Debug, Clone)]
pub struct UploadSettings {
    /// Whether signed-in people may send files.
    pub is_enabled: bool,
    /// Whether anonymous visitors may, too.
    pub visitors: bool,
    /// Largest file, in bytes.
    pub max_file_bytes: u64,
    /// Most files of one message.
    pub max_files: usize,
    /// Most bytes of all files of one person.
    pub max_bytes_per_user: u64,
    /// Most files of one person that no message holds yet.
    pub max_unsent_files: u32,
    /// Which types.
    pub media_types: MediaTypes,
    /// How long one file may take to arrive.
    pub duration: Duration,
}

impl UploadSettings {
    /// What a caller may send: what the configuration allows, less what their session does not.
    pub(crate) fn rules_for(&self, caller: &Caller) -> UploadRules {
        let of_session = caller.settings().file_upload;
        let session = match caller.entry() {
            Entry::ClientSecret(session) => Some(session.record.id.clone()),
            Entry::Visitor(_) | Entry::UserToken | Entry::SessionCookie => None,
        };
        let session_bytes = of_session
            .max_file_size
            .map_or(u64::MAX, |megabytes| u64::from(megabytes) * MEGABYTE);
        UploadRules {
            is_enabled: self.is_enabled
                && of_session.enabled
                && (self.visitors || !caller.is_visitor()),
            max_file_bytes: self.max_file_bytes.min(session_bytes),
            max_files: self.max_files,
            max_owner_bytes: self.max_bytes_per_user,
            media_types: self.media_types.clone(),
            session,
            max_session_files: of_session.max_files,
            max_unsent_files: self.max_unsent_files,
        }
    }
}

/// Makes and checks addresses of files.
#[derive(Debug)]
pub struct FileAddresses {
    links: Arc<FileLinks>,
    /// Where browsers reach this server, without a slash at the end.
    base: String,
}

/// The part of such an address that carries the permission.
#[derive(Debug, Deserialize)]
pub(crate) struct Permission {
    expires: i64,
    signature: String,
}

impl Permission {
    /// For how long it says to be good; 0 when it has ended.
    pub(crate) fn seconds_left(&self, now: UnixTime) -> u64 {
        let left = self.expires.saturating_sub(now.seconds());
        u64::try_from(left).unwrap_or(0)
    }
}

impl FileAddresses {
    /// Addresses below the one where browsers reach this server.
    pub fn new(links: impl Into<Arc<FileLinks>>, public_url: &Url) -> Self {
        Self {
            links: links.into(),
            base: public_url.as_str().trim_end_matches('/').to_owned(),
        }
    }

    /// Whether a permission is good for this file of this owner.
    pub(crate) fn is_good(
        &self,
        purpose: Purpose,
        (owner, id): (&Owner, &AttachmentId),
        permission: &Permission,
        now: UnixTime,
    ) -> bool {
        let claim = Claim {
            purpose,
            owner: owner.as_str(),
            id: id.as_str(),
            expires_at: UnixTime::from_seconds(permission.expires),
        };
        self.links.is_good(claim, &permission.signature, now)
    }

    fn address(&self, purpose: Purpose, owner: &Owner, id: &AttachmentId, expires: i64) -> String {
        let signature = self.links.sign(Claim {
            purpose,
            owner: owner.as_str(),
            id: id.as_str(),
            expires_at: UnixTime::from_seconds(expires),
        });
        let base = &self.base;
        format!("{base}/v1/chatkit/files/{id}/content?expires={expires}&signature={signature}")
    }
}

impl Links for FileAddresses {
    fn preview(&self, owner: &Owner, id: &AttachmentId, now: Timestamp) -> String {
        let now = now.as_jiff().as_second();
        let step = now - now.rem_euclid(READ_STEP_SECONDS) + READ_STEP_SECONDS;
        self.address(Purpose::Read, owner, id, step + READ_SECONDS)
    }

    fn upload(&self, owner: &Owner, id: &AttachmentId, now: Timestamp) -> UploadDescriptor {
        let expires = now.as_jiff().as_second() + WRITE_SECONDS;
        UploadDescriptor {
            url: self.address(Purpose::Write, owner, id, expires),
            method: UploadMethod::Put,
            headers: [].into(),
        }
    }
}

/// A request's body as it comes: bounded in size and time, and one chunk at a time.
///
/// The last is for the form reader, which would collect whatever is ready before it gives any of it on:
/// with a fast client that is the whole file.
pub(crate) struct IncomingBytes {
    body: BodyDataStream,
    deadline: Pin<Box<Sleep>>,
    is_resting: bool,
    read: u64,
    allowance: Allowance,
}

/// How many bytes may be read in all; it can be raised while they are read.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// May be more from now on.
    pub(crate) fn raise_to(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl IncomingBytes {
    /// At most `bytes` within `duration`.
    pub(crate) fn new(body: Body, bytes: u64, duration: Duration) -> (Self, Allowance) {
        let allowance = Allowance(Arc::new(AtomicU64::new(bytes)));
        let incoming = Self {
            body: body.into_data_stream(),
            deadline: Box::pin(tokio::time::sleep(duration)),
            is_resting: false,
            read: 0,
            allowance: allowance.clone(),
        };
        (incoming, allowance)
    }
}

impl Stream for IncomingBytes {
    type Item = Result<Bytes, Interrupted>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Interrupted>>> {
        let this = &mut *self;
        if this.deadline.poll_unpin(context).is_ready() {
            return Poll::Ready(Some(Err(Interrupted::TooSlow)));
        }
        if std::mem::take(&mut this.is_resting) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.body.poll_next_unpin(context).map(|chunk| {
            this.is_resting = true;
            chunk.map(|chunk| {
                let chunk = chunk.map_err(|_closed| Interrupted::BrokeOff)?;
                this.read += chunk.len() as u64;
                let limit = this.allowance.0.load(Ordering::Relaxed);
                if this.read > limit {
                    return Err(Interrupted::TooLarge { limit });
                }
                Ok(chunk)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    fn addresses() -> FileAddresses {
        let links = FileLinks::from_seed(&SecretBox::new(Box::new([1; 32])));
        FileAddresses::new(links, &Url::parse("https://chat.example.com/").unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microsecond(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn a_preview_keeps_its_address_for_a_while_and_works_for_an_hour_at_least() {
        let (owner, id) = (Owner::new("i ada"), AttachmentId::mint(1));
        let addresses = addresses();
        let preview = |now| addresses.preview(&owner, &id, at(now));
        assert_eq!(preview(900_000), preview(900_899));
        assert_ne!(preview(900_000), preview(900_900));
        for now in [900_000, 900_001, 900_899] {
            let url = Url::parse(&preview(now)).unwrap();
            let query = url.query().unwrap();
            let permission: Permission = serde_json::from_value(url.query_pairs().fold(
                serde_json::json!({}),
                |mut all, (name, value)| {
                    all[&*name] = match value.parse::<i64>() {
                        Ok(number) => number.into(),
                        Err(_) => (*value).into(),
                    };
                    all
                },
            ))
            .unwrap();
            let is_good = |owner: &Owner, later: i64| {
                let now = UnixTime::from_seconds(now + later);
                addresses.is_good(Purpose::Read, (owner, &id), &permission, now)
            };
            assert!(is_good(&owner, 3_600), "{query}");
            assert!(!is_good(&owner, 4_501), "{query}");
            assert!(!is_good(&Owner::new("i grace"), 0), "{query}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_takes_all_that_is_ready_gets_one_chunk_at_a_time() {
        let chunks = futures::stream::iter([Ok::<_, Interrupted>("one"), Ok("two"), Ok("three")]);
        let body = Body::from_stream(chunks);
        let (mut incoming, _) = IncomingBytes::new(body, 100, Duration::from_mins(1));
        let mut rounds = Vec::new();
        loop {
            let mut ready = Vec::new();
            let is_over = loop {
                match futures::poll!(incoming.next()) {
                    Poll::Ready(Some(chunk)) => ready.push(chunk.unwrap()),
                    Poll::Ready(None) => break true,
                    Poll::Pending => break false,
                }
            };
            rounds.extend((!ready.is_empty()).then_some(ready));
            if is_over {
                break;
            }
        }
        assert_eq!(rounds, [["one"], ["two"], ["three"]]);
    }

    #[tokio::test]
    async fn more_than_the_allowance_is_refused_until_it_is_raised() {
        for (raised, expected) in [
            (
                None,
                vec![Ok("1234".into()), Err(Interrupted::TooLarge { limit: 4 })],
            ),
            (Some(8), vec![Ok("1234".into()), Ok("5678".into())]),
        ] {
            let chunks = futures::stream::iter([Ok::<_, Interrupted>("1234"), Ok("5678")]);
            let (incoming, allowance) =
                IncomingBytes::new(Body::from_stream(chunks), 4, Duration::from_mins(1));
            if let Some(bytes) = raised {
                allowance.raise_to(bytes);
            }
            let got: Vec<Result<Bytes, Interrupted>> = incoming.collect().await;
            assert_eq!(got, expected);
        }
    }
}
