//! The socket of a connection: how long it waits for a request's head, and how it is left when its client still sends.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep},
};

/// How much of what nobody wants is read at once.
const THROWN_AWAY_BYTES: usize = 16 * 1024;

/// Whose turn it is: the client's, until a request's head is there; then ours, until its answer is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(
    /// How often it changed; even is the client's.
    Arc<AtomicU64>,
);

impl Turns {
    /// The other side's turn begins.
    pub(crate) fn change(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    /// From the first byte of a head to its last one; for the first head, from the connection's beginning.
    pub(crate) head: Duration,
    /// From an answer to the next head's first byte.
    pub(crate) idle: Duration,
}

/// A socket that fails to be read when its client takes longer.
///
/// hyper has one limit for both, and whoever keeps connections open for their next request (load balancers) wants to keep
/// them for longer than a head may dribble.
pub(crate) struct Waiting<S> {
    socket: S,
    limits: HeadLimits,
    turns: Turns,
    /// The turn that was looked at last.
    turn: u64,
    is_in_head: bool,
    due: Instant,
    /// It is not set anew for each request; what is due is looked at when it fires.
    timer: Pin<Box<Sleep>>,
}

impl<S> Waiting<S> {
    pub(crate) fn new(socket: S, limits: HeadLimits, turns: Turns) -> Self {
        let due = Instant::now() + limits.head;
        Self {
            socket,
            limits,
            turn: turns.count(),
            turns,
            is_in_head: true,
            due,
            timer: Box::pin(tokio::time::sleep_until(due)),
        }
    }

    /// Ready when the client has taken too long.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.due < self.timer.deadline() {
            self.timer.as_mut().reset(self.due);
        }
        loop {
            ready!(self.timer.as_mut().poll(context));
            if self.due <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.due);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Waiting<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.socket).poll_read(context, buffer);
        let turn = this.turns.count();
        if turn % 2 == 1 {
            return polled;
        }
        if turn != this.turn {
            (this.turn, this.is_in_head) = (turn, false);
            this.due = Instant::now() + this.limits.idle;
        }
        if polled.is_pending() {
            return this
                .poll_due(context)
                .map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        if !this.is_in_head && buffer.filled().len() > before {
            this.is_in_head = true;
            this.due = Instant::now() + this.limits.head;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Waiting<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

/// How much of what a client sends after its answer is read and thrown away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LingerLimits {
    /// Most bytes.
    pub(crate) bytes: u64,
    /// How long the client may be silent.
    pub(crate) silence: Duration,
    /// How long in all.
    pub(crate) duration: Duration,
}

/// Leaves a client that has its answer and still sends: says that nothing more comes, and reads on until the client is
/// gone too.
///
/// A socket that is closed with unread bytes in it is reset, and a reset takes the answer from the client's hands: proxies
/// tell 502 in its place. nginx calls this `lingering_close`.
pub(crate) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, limits: LingerLimits) {
    if socket.shutdown().await.is_err() {
        return;
    }
    let read = async {
        let mut bytes = vec![0; THROWN_AWAY_BYTES];
        let mut left = limits.bytes;
        while left > 0 {
            match tokio::time::timeout(limits.silence, socket.read(&mut bytes)).await {
                Ok(Ok(count)) if count > 0 => left = left.saturating_sub(count as u64),
                _ => return,
            }
        }
    };
    // Whether the client has gone or the time is up, the socket is closed now.
    let _ = tokio::time::timeout(limits.duration, read).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        head: Duration::from_secs(30),
        idle: Duration::from_secs(75),
    };

    fn waiting() -> (Waiting<DuplexStream>, DuplexStream, Turns) {
        let (ours, theirs) = duplex(1024);
        let turns = Turns::default();
        (Waiting::new(ours, LIMITS, turns.clone()), theirs, turns)
    }

    /// After how many seconds reading fails.
    async fn fails_after(socket: &mut Waiting<DuplexStream>) -> u64 {
        let began = Instant::now();
        let read = socket.read_u8().await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        began.elapsed().as_secs()
    }

    /// A request that is answered at once.
    async fn exchange(
        socket: &mut Waiting<DuplexStream>,
        client: &mut DuplexStream,
        turns: &Turns,
    ) {
        client.write_u8(b'x').await.unwrap();
        socket.read_u8().await.unwrap();
        turns.change();
        turns.change();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_has_the_time_of_a_head() {
        let (mut socket, _client, _) = waiting();
        assert_eq!(fails_after(&mut socket).await, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
        let (mut socket, mut client, turns) = waiting();
        for _ in 0..3 {
            exchange(&mut socket, &mut client, &turns).await;
            let read = tokio::time::timeout(Duration::from_secs(74), socket.read_u8());
            assert!(read.await.is_err(), "it waits");
        }
        exchange(&mut socket, &mut client, &turns).await;
        assert_eq!(fails_after(&mut socket).await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte_on_however_it_dribbles() {
        let (mut socket, mut client, turns) = waiting();
        exchange(&mut socket, &mut client, &turns).await;
        let read = tokio::time::timeout(Duration::from_secs(70), socket.read_u8());
        assert!(read.await.is_err(), "it waits");
        for _ in 0..5 {
            client.write_u8(b'x').await.unwrap();
            socket.read_u8().await.unwrap();
            let read = tokio::time::timeout(Duration::from_secs(5), socket.read_u8());
            assert!(read.await.is_err(), "it waits");
        }
        assert_eq!(fails_after(&mut socket).await, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_hurried_while_a_request_is_carried_out() {
        let (mut socket, mut client, turns) = waiting();
        client.write_u8(b'x').await.unwrap();
        socket.read_u8().await.unwrap();
        turns.change();
        let read = tokio::time::timeout(Duration::from_hours(1), socket.read_u8());
        assert!(read.await.is_err(), "it waits");
        turns.change();
        assert_eq!(fails_after(&mut socket).await, 75);
    }

    const LINGER: LingerLimits = LingerLimits {
        bytes: 100_000,
        silence: Duration::from_secs(5),
        duration: Duration::from_secs(30),
    };

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_silent_is_left_after_a_while() {
        let (ours, mut client) = duplex(1024);
        let began = Instant::now();
        let sending = async {
            client.write_all(&[0; 10_000]).await.unwrap();
            let read = client.read(&mut [0]).await.unwrap();
            assert_eq!(read, 0, "nothing more comes");
        };
        tokio::join!(linger(ours, LINGER), sending);
        assert_eq!(began.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_dribbles_is_left_after_a_while() {
        let (ours, mut client) = duplex(1024);
        let began = Instant::now();
        let sending = async {
            while client.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::join!(linger(ours, LINGER), sending);
        assert!((30..=31).contains(&began.elapsed().as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_stops_is_left_after_so_many_bytes() {
        let (ours, mut client) = duplex(1024);
        let mut sent = 0;
        let sending = async {
            while client.write_all(&[0; 1_000]).await.is_ok() {
                sent += 1_000;
            }
        };
        tokio::join!(linger(ours, LINGER), sending);
        assert!((100_000..=130_000).contains(&sent), "{sent}");
    }
}
