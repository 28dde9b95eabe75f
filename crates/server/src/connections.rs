//! Who holds connections open, and who goes when there is no room for another.
//!
//! Two bounds: all connections, and those of one address (an IPv6 site has some more than one /64 of
//! it). At either, connections that wait for their client make room, those first that have waited
//! longest: idle ones, heads that never end, bodies that do not come. So nobody keeps others out by
//! holding on to connections and saying nothing, and a probe is answered however many are open.
//! Work that goes on is never cut off: when all connections are at work, further ones wait in the
//! kernel's queue, and an address that has its share is told so.
//!
//! A trusted proxy speaks for many, so its connections are not counted by address. Instead, the
//! requests of each of its clients are, while they are carried out.

use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use http_body::{Body, Frame, SizeHint};
use ipnet::IpNet;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::{
    client_ip::{ClientIp, SITE_FACTOR, Site, is_trusted},
    socket::Turns,
};

/// How long a connection may wait for its client before it has to make room: enough for a request
/// that is on its way.
const GRACE: Duration = Duration::from_secs(1);
/// The same in the middle of a body, where a slow network may pause.
const BODY_GRACE: Duration = Duration::from_secs(5);
/// When nobody could make room, it is looked again after this long at the latest.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How many connections may be open beyond what their address may hold: to answer probes, and to tell
/// the others.
const OVERFLOW: usize = 16;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// In all.
    pub(crate) in_all: usize,
    /// Of one address; 0 is no limit.
    pub(crate) per_address: u32,
}

/// All open connections.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Shared>);

struct Shared {
    limits: ConnectionLimits,
    trusted_proxies: Vec<IpNet>,
    began_at: Instant,
    open: Mutex<Open>,
    left: Notify,
    overflow: Arc<Semaphore>,
}

#[derive(Default)]
struct Open {
    seats: HashMap<u64, Arc<Seat>>,
    next_number: u64,
    connections: Counts,
    /// Requests that trusted proxies passed on and that are being carried out.
    requests: Counts,
}

/// How many of something each address has now. An address that has none has no entry.
#[derive(Default)]
struct Counts(HashMap<Block, u32>);

#[derive(PartialEq, Eq, Hash)]
enum Block {
    Client(ClientIp),
    Site(Site),
}

impl Block {
    fn of(client: ClientIp) -> impl Iterator<Item = (Self, u32)> {
        let site = client.site().map(|site| (Self::Site(site), SITE_FACTOR));
        [(Self::Client(client), 1)].into_iter().chain(site)
    }
}

impl Counts {
    fn is_full(&self, client: ClientIp, most: u32) -> bool {
        Block::of(client).any(|(block, factor)| {
            let most = most.saturating_mul(factor);
            self.0.get(&block).is_some_and(|count| *count >= most)
        })
    }

    fn add(&mut self, client: ClientIp) {
        for (block, _) in Block::of(client) {
            *self.0.entry(block).or_default() += 1;
        }
    }

    fn remove(&mut self, client: ClientIp) {
        for (block, _) in Block::of(client) {
            if let Some(count) = self.0.get_mut(&block) {
                *count -= 1;
                if *count == 0 {
                    self.0.remove(&block);
                }
            }
        }
    }
}

/// A connection, as the others see it.
struct Seat {
    shared: Arc<Shared>,
    /// By which address it is counted.
    client: Option<ClientIp>,
    /// When it has waited so long for its client that it may be asked to leave, in milliseconds since
    /// the server began; or [`AT_WORK`], or [`LEAVING`].
    may_leave_at: AtomicU64,
    leave: CancellationToken,
    turns: Turns,
    /// Whether something of the last request's body was left unread.
    is_left_unread: AtomicBool,
}

const AT_WORK: u64 = u64::MAX;
const LEAVING: u64 = 0;

impl Seat {
    fn state(&self) -> u64 {
        self.may_leave_at.load(Ordering::Acquire)
    }

    /// Changes the state, unless it has become another one.
    fn change(&self, from: u64, to: u64) -> bool {
        let (done, seen) = (Ordering::AcqRel, Ordering::Acquire);
        self.may_leave_at
            .compare_exchange(from, to, done, seen)
            .is_ok()
    }

    fn is_left_unread(&self) -> bool {
        self.is_left_unread.load(Ordering::Acquire)
    }

    /// The next bytes are the client's to send.
    fn wait(&self, grace: Duration) {
        self.change(AT_WORK, self.shared.milliseconds(Instant::now() + grace));
    }

    /// What was waited for is there.
    fn go_on(&self) {
        let state = self.state();
        if state != AT_WORK && state != LEAVING {
            self.change(state, AT_WORK);
        }
    }

    /// Asks the connection to leave, if it still waits as it was seen to.
    fn dismiss(&self, seen: u64) -> bool {
        let is_dismissed = self.change(seen, LEAVING);
        if is_dismissed {
            self.leave.cancel();
        }
        is_dismissed
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never 0, which means something else.
    fn milliseconds(&self, time: Instant) -> u64 {
        let milliseconds = time.duration_since(self.began_at).as_millis();
        u64::try_from(milliseconds).unwrap_or(AT_WORK - 1).max(1)
    }

    /// Asks so many to leave, those first that have waited longest. Whether there were any.
    fn dismiss(&self, open: &Open, count: usize, is_meant: impl Fn(&Seat) -> bool) -> bool {
        let now = self.milliseconds(Instant::now());
        let seats = open.seats.values().filter(|seat| is_meant(seat));
        let mut waiting: Vec<(u64, &Arc<Seat>)> = seats
            .map(|seat| (seat.state(), seat))
            .filter(|(state, _)| *state != LEAVING && *state <= now)
            .collect();
        if waiting.len() > count {
            waiting.select_nth_unstable_by_key(count, |(state, _)| *state);
            waiting.truncate(count);
        }
        let dismissed = waiting.iter().filter(|(state, seat)| seat.dismiss(*state));
        dismissed.count() > 0
    }
}

impl Connections {
    /// None yet.
    pub(crate) fn new(limits: ConnectionLimits, trusted_proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Shared {
            limits,
            trusted_proxies,
            began_at: Instant::now(),
            open: Mutex::default(),
            left: Notify::new(),
            overflow: Arc::new(Semaphore::new(OVERFLOW)),
        }))
    }

    /// A place for a connection from there, as soon as there is one; `None` when its address has more
    /// than it may. Called by one task only. The connection is asked to leave when `stop` is.
    pub(crate) async fn enter(&self, peer: SocketAddr, stop: &CancellationToken) -> Option<Place> {
        let Shared {
            limits,
            trusted_proxies,
            overflow,
            ..
        } = &*self.0;
        let is_proxy = is_trusted(peer.ip(), trusted_proxies);
        let client = (limits.per_address > 0 && !is_proxy).then(|| ClientIp::of_peer(peer.ip()));
        if client.is_some_and(|client| self.is_full(client)) {
            let permit = overflow.clone().try_acquire_owned().ok()?;
            return Some(self.place(None, peer, PlaceKind::Overflow(permit), stop));
        }
        self.room().await;
        let kind = if is_proxy && limits.per_address > 0 {
            PlaceKind::Proxy
        } else {
            PlaceKind::Client
        };
        Some(self.place(client, peer, kind, stop))
    }

    /// Whether an address has as many connections as it may, all of them at work.
    fn is_full(&self, client: ClientIp) -> bool {
        let open = self.0.open();
        open.connections
            .is_full(client, self.0.limits.per_address)
            // Many people behind one address have many idle connections.
            && !self
                .0
                .dismiss(&open, 1, |seat| is_neighbour(seat.client, client))
    }

    /// Waits until there is room for one more.
    async fn room(&self) {
        loop {
            let mut left = pin!(self.0.left.notified());
            left.as_mut().enable();
            {
                let open = self.0.open();
                let count = open.seats.len();
                if count < self.0.limits.in_all {
                    return;
                }
                // Some at once, since whoever comes now is hardly the last.
                self.0.dismiss(&open, count / 64 + 1, |_| true);
            }
            // Whether it was the time or somebody who left, the answer is to look again.
            let _ = tokio::time::timeout(LOOK_AGAIN, left).await;
        }
    }

    fn place(
        &self,
        client: Option<ClientIp>,
        peer: SocketAddr,
        kind: PlaceKind,
        stop: &CancellationToken,
    ) -> Place {
        let may_leave_at = self.0.milliseconds(Instant::now() + GRACE);
        let seat = Arc::new(Seat {
            shared: self.0.clone(),
            client,
            may_leave_at: AtomicU64::new(may_leave_at),
            leave: stop.child_token(),
            turns: Turns::default(),
            is_left_unread: AtomicBool::new(false),
        });
        let mut open = self.0.open();
        let number = open.next_number;
        if !matches!(kind, PlaceKind::Overflow(_)) {
            open.next_number += 1;
            open.seats.insert(number, seat.clone());
        }
        if let Some(client) = client {
            open.connections.add(client);
        }
        drop(open);
        Place {
            seat,
            number,
            peer,
            kind,
        }
    }
}

/// Whether the connection counts for the address that has too many, or for its site.
fn is_neighbour(seat: Option<ClientIp>, client: ClientIp) -> bool {
    seat.is_some_and(|other| {
        other == client || (client.site().is_some() && other.site() == client.site())
    })
}

/// The place of an open connection; dropping it leaves it.
pub(crate) struct Place {
    seat: Arc<Seat>,
    number: u64,
    peer: SocketAddr,
    kind: PlaceKind,
}

enum PlaceKind {
    Client,
    /// The connection of a trusted proxy, whose clients are counted by their requests.
    Proxy,
    /// Beyond what its address may hold.
    Overflow(#[expect(dead_code, reason = "it counts while it is held")] OwnedSemaphorePermit),
}

/// Mark of a request whose address has as many connections or requests at work as it may: nothing but
/// a probe is answered. See [`crate::limits::Limits::request`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressIsFull;

impl Place {
    /// Whether it is beyond what its address may hold.
    pub(crate) fn is_overflow(&self) -> bool {
        matches!(self.kind, PlaceKind::Overflow(_))
    }

    /// The other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Until the connection is asked to leave.
    pub(crate) fn leave(&self) -> WaitForCancellationFuture<'_> {
        self.seat.leave.cancelled()
    }

    /// Whether it was asked to leave, to make room, and nothing has come since.
    pub(crate) fn is_given_up(&self) -> bool {
        self.seat.state() == LEAVING
    }

    /// Whose turn it is at this connection.
    pub(crate) fn turns(&self) -> Turns {
        self.seat.turns.clone()
    }

    /// Whether something of the last request's body was left unread, so that its client may still be sending it.
    pub(crate) fn is_left_unread(&self) -> bool {
        self.seat.is_left_unread()
    }

    /// A request is here: the connection is at work until the guard is dropped.
    pub(crate) fn begin<B>(&self, request: &mut Request<B>) -> AtWork {
        self.seat.may_leave_at.swap(AT_WORK, Ordering::AcqRel);
        self.seat.turns.change();
        self.seat.is_left_unread.store(false, Ordering::Release);
        let proxied = match self.kind {
            PlaceKind::Client => None,
            PlaceKind::Proxy => self.begin_proxied(request),
            PlaceKind::Overflow(_) => {
                request.extensions_mut().insert(AddressIsFull);
                None
            }
        };
        AtWork {
            seat: self.seat.clone(),
            proxied,
        }
    }

    /// Counts a request by the client that the proxy names, unless it has as many as it may.
    fn begin_proxied<B>(&self, request: &mut Request<B>) -> Option<ClientIp> {
        let shared = &self.seat.shared;
        let client = ClientIp::find(self.peer.ip(), request.headers(), &shared.trusted_proxies);
        if client == ClientIp::of_peer(self.peer.ip()) {
            // The proxy's own, or it does not say whose.
            return None;
        }
        let mut open = shared.open();
        if open.requests.is_full(client, shared.limits.per_address) {
            drop(open);
            request.extensions_mut().insert(AddressIsFull);
            return None;
        }
        open.requests.add(client);
        Some(client)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_overflow() {
            return;
        }
        let shared = &self.seat.shared;
        let mut open = shared.open();
        open.seats.remove(&self.number);
        if let Some(client) = self.seat.client {
            open.connections.remove(client);
        }
        drop(open);
        shared.left.notify_one();
    }
}

/// A request that is being carried out, until its answer is sent.
pub(crate) struct AtWork {
    seat: Arc<Seat>,
    proxied: Option<ClientIp>,
}

impl AtWork {
    /// A request's body, for which the connection waits while it does not come.
    pub(crate) fn arriving<B: Body>(&self, body: B) -> Arriving<B> {
        Arriving {
            body,
            seat: self.seat.clone(),
            is_over: false,
        }
    }

    /// Whether something of the request's body was left unread so far.
    pub(crate) fn is_left_unread(&self) -> bool {
        self.seat.is_left_unread()
    }

    /// An answer's body, which ends the work with its last byte.
    pub(crate) fn leaving<B>(self, body: B) -> Leaving<B> {
        Leaving {
            body,
            _at_work: self,
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.seat.wait(GRACE);
        self.seat.turns.change();
        if let Some(client) = self.proxied {
            self.seat.shared.open().requests.remove(client);
        }
    }
}

/// See [`AtWork::arriving`].
pub(crate) struct Arriving<B: Body> {
    body: B,
    seat: Arc<Seat>,
    is_over: bool,
}

impl<B: Body + Unpin> Body for Arriving<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match polled {
            Poll::Pending => self.seat.wait(BODY_GRACE),
            Poll::Ready(_) => self.seat.go_on(),
        }
        self.is_over = matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body> Drop for Arriving<B> {
    fn drop(&mut self) {
        self.seat.go_on();
        if !self.is_over && !self.body.is_end_stream() {
            self.seat.is_left_unread.store(true, Ordering::Release);
        }
    }
}

/// See [`AtWork::leaving`].
pub(crate) struct Leaving<B> {
    body: B,
    _at_work: AtWork,
}

impl<B: Body + Unpin> Body for Leaving<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
