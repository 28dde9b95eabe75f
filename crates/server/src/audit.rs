//! What goes into the audit log, and how it gets there without keeping a request waiting.
//!
//! A request puts a record into a bounded queue; [`Audit::run`] writes the queue in batches. When the queue is full,
//! records are counted instead of kept, and the count becomes an entry of its own. Of identical refusals within a minute
//! the first is written like any other record and the rest become one entry with a count, so a flood of them makes the
//! log neither long nor slow.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use auth::{
    Identity, Origin, UnixTime,
    audit::{AuditEvent, AuditRecord, AuditStore, AuditUser, Door},
    client_secret::{Issuance, IssuedSecret},
    ports::StoreError,
};
use axum::extract::FromRequestParts;
use engine::Owner;
use http::{StatusCode, request::Parts};
use moka::sync::Cache;
use protocol::AttachmentId;
use tokio::sync::Notify;

use crate::{
    app::AppState,
    caller::{Caller, Trace},
    client_ip::ClientIp,
    cors::{PageCheck, PageOrigin},
    error::ErrorReport,
};

/// The most records that wait; about two megabytes.
const MAX_WAITING: usize = 4_096;
/// How many records share a write.
const BATCH: usize = 256;
/// How many different refusals are told apart within a minute; beyond that, only reason and door are.
const MAX_DIFFERENT: usize = 256;
/// How long a record waits for others to share its write, since each write is a commit.
const GATHERED_FOR: Duration = Duration::from_millis(20);
/// How often counted refusals are flushed when nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// How many logins are remembered, so that each is recorded once.
const MAX_LOGINS: u64 = 10_000;

/// How many addresses are remembered that forwarded a request without being trusted.
const MAX_STRANGERS: usize = 16;

/// A handle to the audit log.
pub struct Audit {
    store: Arc<dyn AuditStore>,
    waiting: Mutex<Waiting>,
    wake: Notify,
    /// One writer at a time, so that entries keep their order.
    writing: tokio::sync::Mutex<()>,
    logins: Cache<(Arc<str>, UnixTime), ()>,
    strangers: Mutex<HashSet<ClientIp>>,
}

impl Audit {
    /// A log kept in this store.
    pub fn new(store: Arc<dyn AuditStore>) -> Self {
        Self {
            store,
            waiting: Mutex::default(),
            wake: Notify::new(),
            writing: tokio::sync::Mutex::default(),
            logins: Cache::builder()
                .max_capacity(MAX_LOGINS)
                .time_to_live(Duration::from_hours(24))
                .build(),
            strangers: Mutex::default(),
        }
    }

    /// Queues a record. Never waits, never fails. `false` for a refusal already seen this minute, which is only counted.
    pub(crate) fn record(&self, record: AuditRecord) -> bool {
        let is_news = self.lock().add(record);
        if is_news {
            self.wake.notify_one();
        }
        is_news
    }

    /// Records that a user came in by door 3, once for each login. A login is recognised by its user and its expiry.
    pub(crate) fn entered(&self, source: &Source, caller: &Caller) {
        let login = (caller.owner().clone(), caller.identity().expires_at());
        if self.logins.contains_key(&login) {
            return;
        }
        self.logins.insert(login, ());
        self.record(source.note(AuditEvent::Entered, Door::Custom, caller.identity()));
    }

    /// Records that this address forwards requests and is not trusted to, once in the life of the process.
    /// `doctor` tells the operator, whose proxy it may be.
    pub(crate) fn forwarded_by_stranger(&self, at: UnixTime, address: ClientIp) {
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Anybody can be one, so there is a bound.
        if strangers.len() < MAX_STRANGERS && strangers.insert(address) {
            self.record(AuditRecord {
                address: Some(address.to_string()),
                ..AuditRecord::new(at, AuditEvent::UntrustedProxy)
            });
        }
    }

    /// Records what an admitted caller did.
    pub(crate) fn done(&self, source: &Source, caller: &Caller, event: AuditEvent) {
        let trace = caller.trace();
        let record = source.note(event, trace.door.unwrap_or(Door::Custom), caller.identity());
        self.record(AuditRecord {
            session_id: trace.session.map(|session| session.record.id.clone()),
            ..record
        });
    }

    /// Records a file that came through a link, which says whose it is but not which door was used.
    pub(crate) fn uploaded_by_link(&self, source: &Source, owner: &Owner, id: &AttachmentId) {
        let file_id = id.as_str().to_owned();
        let record = source.trace(AuditEvent::FileUploaded { file_id });
        self.record(record.about(owner.issuer(), owner.subject()));
    }

    /// Records that a secret was minted, rotated or repeated.
    pub(crate) fn issued(
        &self,
        source: &Source,
        door: Door,
        identity: &Identity,
        issued: &IssuedSecret,
    ) {
        let event = match issued.issuance {
            Issuance::Opened { displaced } => AuditEvent::SessionOpened {
                workflow: issued.session.workflow.clone(),
                displaced,
            },
            Issuance::Rotated => AuditEvent::SecretRotated,
            Issuance::Replayed => AuditEvent::SecretReplayed,
        };
        let record = source.note(event, door, identity);
        self.record(record.in_session(issued.session.id.as_str()));
    }

    /// Writes what is queued, and the counts of the minutes before `now`. What cannot be written stays queued.
    pub async fn write(&self, now: UnixTime) {
        self.write_until(Some(now)).await;
    }

    /// Writes everything that is left, when the process ends.
    pub async fn close(&self) {
        self.write_until(None).await;
    }

    async fn write_until(&self, now: Option<UnixTime>) {
        let _one = self.writing.lock().await;
        loop {
            let batch = self.lock().take(now);
            if batch.is_empty() {
                return;
            }
            if let Err(error) = self.store.append_audit(&batch).await {
                tracing::warn!(%error, entries = batch.len(), "cannot write the audit log; trying again");
                self.lock().put_back(batch);
                return;
            }
        }
    }

    /// Removes entries older than this, and returns how many.
    pub(crate) async fn purge(&self, before: UnixTime) -> Result<u64, StoreError> {
        self.store.purge_audit(before).await
    }

    /// Writes until it is dropped.
    pub(crate) async fn run(&self, now: impl Fn() -> UnixTime) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.wake.notified() => tokio::time::sleep(GATHERED_FOR).await,
                _ = ticks.tick() => {}
            }
            self.write(now()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records that have not been written yet.
#[derive(Default)]
struct Waiting {
    queue: VecDeque<AuditRecord>,
    /// Repeated refusals of a minute, by what they have in common.
    repeated: HashMap<AuditRecord, Repeated>,
    dropped: u32,
}

/// How often a refusal was repeated, and when last.
struct Repeated {
    count: u32,
    last_at: UnixTime,
}

impl Waiting {
    /// As [`Audit::record`].
    fn add(&mut self, record: AuditRecord) -> bool {
        if record.event.is_refusal() && !self.is_first_of_its_minute(&record) {
            return false;
        }
        if self.queue.len() < MAX_WAITING {
            self.queue.push_back(record);
        } else {
            self.dropped = self.dropped.saturating_add(record.count);
        }
        true
    }

    /// Counts a refusal already seen this minute.
    fn is_first_of_its_minute(&mut self, record: &AuditRecord) -> bool {
        let mut alike = AuditRecord {
            at: minute(record.at),
            ..record.clone()
        };
        if self.repeated.len() >= MAX_DIFFERENT && !self.repeated.contains_key(&alike) {
            // Somebody varies what they send. Reasons, limits and doors are our own words, so there are few of them.
            alike = AuditRecord::new(alike.at, alike.event.in_our_words()).through(alike.door);
        }
        if let Some(repeated) = self.repeated.get_mut(&alike) {
            repeated.count = repeated.count.saturating_add(1);
            repeated.last_at = record.at;
            return false;
        }
        let none = Repeated {
            count: 0,
            last_at: record.at,
        };
        self.repeated.insert(alike, none);
        true
    }

    /// The next batch to write, in order, including the counts of finished minutes; without a time, of all minutes.
    fn take(&mut self, now: Option<UnixTime>) -> Vec<AuditRecord> {
        let is_over = |alike: &AuditRecord| now.is_none_or(|now| alike.at < minute(now));
        for (alike, Repeated { count, last_at }) in
            self.repeated.extract_if(|alike, _| is_over(alike))
        {
            if count > 0 {
                self.queue.push_back(AuditRecord {
                    at: last_at,
                    count,
                    ..alike
                });
            }
        }
        let mut batch: Vec<_> = {
            let count = self.queue.len().min(BATCH);
            self.queue.drain(..count).collect()
        };
        if self.dropped > 0
            && let Some(last) = batch.last()
        {
            batch.push(AuditRecord {
                count: std::mem::take(&mut self.dropped),
                ..AuditRecord::new(last.at, AuditEvent::EventsDropped)
            });
        }
        batch
    }

    fn put_back(&mut self, batch: Vec<AuditRecord>) {
        for record in batch.into_iter().rev() {
            self.queue.push_front(record);
        }
    }
}

fn minute(time: UnixTime) -> UnixTime {
    UnixTime::from_seconds(time.seconds().div_euclid(60) * 60)
}

/// Where a request came from and when, for the records that its handler makes.
pub(crate) struct Source {
    at: UnixTime,
    address: Option<ClientIp>,
    page: PageOrigin,
}

impl FromRequestParts<AppState> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        Ok(Self {
            at: app.now().wall,
            address: parts.extensions.get().copied(),
            page: parts.extensions.get().cloned().unwrap_or_default(),
        })
    }
}

impl Source {
    /// The address that limits are counted against.
    pub(crate) fn address(&self) -> Option<ClientIp> {
        self.address
    }

    /// A record of something that this user did or that happened to them.
    pub(crate) fn note(&self, event: AuditEvent, door: Door, identity: &Identity) -> AuditRecord {
        AuditRecord {
            user: Some(user_of(identity)),
            door: Some(door),
            ..self.trace(event)
        }
    }

    /// A record of something that happened.
    fn trace(&self, event: AuditEvent) -> AuditRecord {
        AuditRecord {
            origin: origin_of(&self.page),
            address: self.address.map(|address| address.to_string()),
            ..AuditRecord::new(self.at, event)
        }
    }
}

/// Records the answer if it is a refusal. Returns whether it is the first of its kind this minute.
pub(crate) fn refusal(
    app: &AppState,
    report: &ErrorReport,
    page_check: &PageCheck,
    client: ClientIp,
    trace: Option<&Trace>,
) -> bool {
    let code = report.code.unwrap_or("unknown").to_owned();
    let event = match report.status {
        // A page that asks about itself is answered with a 400, and is refused all the same.
        status
            if report.origin.is_some()
                || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) =>
        {
            AuditEvent::Refused {
                reason: code,
                command: report.origin.as_ref().and_then(|refusal| refusal.command()),
            }
        }
        StatusCode::TOO_MANY_REQUESTS => AuditEvent::LimitReached {
            limit: report.param.clone().unwrap_or(code),
        },
        _ => return true,
    };
    app.audit.record(AuditRecord {
        user: trace.map(|trace| user_of(&trace.identity)),
        door: trace
            .and_then(|trace| trace.door)
            .or_else(|| door_at(page_check.path()?)),
        session_id: trace.and_then(|trace| Some(trace.session.as_ref()?.record.id.clone())),
        origin: origin_of(page_check.page()),
        address: Some(client.to_string()),
        ..AuditRecord::new(app.now().wall, event)
    })
}

fn user_of(identity: &Identity) -> AuditUser {
    AuditUser {
        issuer: identity.issuer().to_owned(),
        subject: identity.subject().to_owned(),
    }
}

/// The page, if the `Origin` header names one; no other text is ever recorded.
fn origin_of(page: &PageOrigin) -> Option<String> {
    match page.values()[..] {
        [origin] => Origin::parse(origin)
            .ok()
            .map(|origin| origin.as_str().to_owned()),
        _ => None,
    }
}

/// The door that an address belongs to, if it belongs to one only.
fn door_at(path: &str) -> Option<Door> {
    match path {
        "/api/chatkit/start" | "/api/chatkit/refresh" => Some(Door::ClientSecret),
        "/api/chatkit/visitor" => Some(Door::PublicToken),
        "/api/chat" | "/chatkit" => Some(Door::Custom),
        path if path.starts_with("/v1/chatkit/sessions")
            || path.starts_with("/v1/chatkit/threads") =>
        {
            Some(Door::ServerKey)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
