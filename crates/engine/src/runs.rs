//! The runs that live, wait or have just ended: who is next in each thread, and who reads.
//!
//! One run of a thread lives at a time. What comes meanwhile waits in line, and is called when the one
//! before it has written its last word. The store has the last say: it counts each beginning (an
//! [`Epoch`](crate::ports::Epoch)) and refuses what an earlier run still writes.

mod asked;
mod log;
mod mouth;
mod reader;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use protocol::{Cursor, Event, ItemId, RunId, ThreadId, ThreadItem, frame};
use tokio::{runtime::Handle, sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;

use self::asked::AskedCalls;
pub(crate) use self::asked::{Asked, Settled};
pub(crate) use self::log::Next;
use self::log::RunLog;
pub(crate) use self::mouth::Mouth;
pub use self::reader::Reader;
use crate::{
    context::Owner,
    ports::{Node, RunRecord},
    turn::Why,
    words::Language,
    workflow::Busy,
};

/// How many messages may wait in a thread.
pub(crate) const MOST_WAITING: u32 = 8;
/// How much the logs of ended runs may hold in memory, about. The oldest go first.
const ENDED_BYTES: usize = 32 << 20;

/// How runs go on without their readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSettings {
    /// How long a run goes on when its last reader, who can come back, has gone.
    pub detached: Duration,
    /// Whether the run goes on when its last reader has gone and knows no way to come back. It is stopped otherwise.
    pub goes_on_unread: bool,
    /// How long an ended run can be read.
    pub readable: Duration,
    /// How often an answer that was interrupted is asked for anew, when somebody comes back for it; 0 for never.
    pub recoveries: u32,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            detached: Duration::from_mins(2),
            goes_on_unread: false,
            readable: Duration::from_mins(1),
            recoveries: 0,
        }
    }
}

/// One answer in the making.
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) owner: Owner,
    pub(crate) thread: ThreadId,
    /// The person's message that it answers.
    pub(crate) message: ItemId,
    /// The client's name for the request that began it.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) log: RunLog,
    /// What its person reads.
    pub(crate) language: Language,
    /// Which other process plays it, where this is a copy.
    pub(crate) node: Option<Node>,
    /// Ends it, once.
    stop: Mutex<Option<oneshot::Sender<Why>>>,
    /// When everything of it is written.
    pub(crate) ended: CancellationToken,
    readers: Mutex<Readers>,
    settings: RunSettings,
    /// Where time is kept for a run that nobody reads: a body may be dropped outside of the runtime.
    runtime: Handle,
}

#[derive(Default)]
struct Readers {
    count: usize,
    /// How often somebody came, so that who waits for nobody to come knows when somebody did.
    arrivals: u64,
}

impl Run {
    /// A run, and what ends it.
    pub(crate) fn new(
        id: RunId,
        owner: Owner,
        place: (ThreadId, ItemId),
        key: Option<Arc<str>>,
        language: Language,
        settings: RunSettings,
    ) -> (Arc<Self>, oneshot::Receiver<Why>) {
        let (run, stopped) = Self::plain(id, owner, place, language, settings);
        (Arc::new(Self { key, ..run }), stopped)
    }

    /// A copy of a run that another process plays, and what asks for that one's end. Its readers are counted there.
    pub(crate) fn copy_of(
        record: &RunRecord,
        owner: &Owner,
        thread: &ThreadId,
        language: Language,
    ) -> (Arc<Self>, oneshot::Receiver<Why>) {
        let place = (thread.clone(), record.answers.clone());
        let settings = RunSettings::default();
        let (run, stopped) =
            Self::plain(record.run.clone(), owner.clone(), place, language, settings);
        let node = record.node;
        (Arc::new(Self { node, ..run }), stopped)
    }

    fn plain(
        id: RunId,
        owner: Owner,
        (thread, message): (ThreadId, ItemId),
        language: Language,
        settings: RunSettings,
    ) -> (Self, oneshot::Receiver<Why>) {
        let (stop, stopped) = oneshot::channel();
        let run = Self {
            id,
            owner,
            thread,
            message,
            key: None,
            log: RunLog::default(),
            language,
            node: None,
            stop: Mutex::new(Some(stop)),
            ended: CancellationToken::new(),
            readers: Mutex::default(),
            settings,
            runtime: Handle::current(),
        };
        (run, stopped)
    }

    /// Asks it to end; the first who asks says why.
    pub(crate) fn cancel(&self, why: Why) {
        if let Some(stop) = lock(&self.stop).take() {
            // A run that has ended does not listen any more.
            let _ = stop.send(why);
        }
    }

    /// Ends what is read of it in words. Those of a copy have no place in the run, which says something else there: they
    /// are for every reader, also for one who has read further elsewhere.
    pub(crate) fn end_in(self: &Arc<Self>, words: Event) {
        if self.node.is_some() {
            return self.log.end_with(Some(alone(&words)));
        }
        let mut mouth = Mouth::new(Arc::clone(self));
        mouth.say(words);
        mouth.speak();
        self.log.end();
    }

    fn arrive(&self) {
        let mut readers = lock(&self.readers);
        readers.count += 1;
        readers.arrivals += 1;
    }

    fn has_one_reader(&self) -> bool {
        lock(&self.readers).count == 1
    }

    /// A reader has gone. The last one stops the run, or leaves it running for a while, or to its end.
    fn leave(self: &Arc<Self>, can_resume: bool) {
        let arrivals = {
            let mut readers = lock(&self.readers);
            readers.count -= 1;
            if readers.count > 0 {
                return;
            }
            readers.arrivals
        };
        if self.ended.is_cancelled() || self.node.is_some() {
            return;
        }
        if !can_resume {
            if !self.settings.goes_on_unread {
                self.cancel(Why::Stopped);
            }
            return;
        }
        let run = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::select! {
                () = run.ended.cancelled() => return,
                () = tokio::time::sleep(run.settings.detached) => {}
            }
            if lock(&run.readers).arrivals == arrivals {
                run.cancel(Why::Abandoned);
            }
        });
    }
}

/// Somebody who reads a run without being a [`Reader`], and may come back.
pub(crate) struct Audience(Arc<Run>);

impl Audience {
    pub(crate) fn of(run: &Arc<Run>) -> Self {
        run.arrive();
        Self(Arc::clone(run))
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        self.0.leave(true);
    }
}

/// What a run that waits is told.
pub(crate) enum Call {
    /// It is its turn.
    Begin(Place),
    /// The run that lives has taken its message up; what it says from this position is the answer.
    Joined(Cursor),
    /// Its message was taken back.
    TakenBack,
}

/// A run's place in its thread. Dropped when everything of it is written; then the next one is called.
pub(crate) struct Place {
    runs: Runs,
    run: Arc<Run>,
}

/// What came of a wish to run.
pub(crate) enum Entered {
    /// At once.
    Now(Place),
    /// When it is called.
    Later(oneshot::Receiver<Call>),
}

/// Why a run may not even wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// One is running, and another one must not.
    Busy,
    /// As many wait as may.
    Full,
}

/// All runs of this process.
#[derive(Clone, Default)]
pub struct Runs {
    state: Arc<Mutex<State>>,
    settings: RunSettings,
    /// Calls that wait for a person, between two runs.
    pub(crate) asked: AskedCalls,
}

#[derive(Default)]
struct State {
    lines: HashMap<ThreadId, Line>,
    ended: VecDeque<Ended>,
    ended_bytes: usize,
    is_closing: bool,
}

/// How much goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs that live.
    pub living: usize,
    /// Messages that wait for their turn.
    pub waiting: usize,
    /// Those who read either.
    pub readers: usize,
}

/// The run that lives in a thread, and those that wait.
struct Line {
    live: Arc<Run>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    run: Arc<Run>,
    call: oneshot::Sender<Call>,
    /// The message, where the run that lives may take it up.
    steers: Option<ThreadItem>,
}

/// A run that can still be read.
struct Ended {
    run: Arc<Run>,
    at: Instant,
    bytes: usize,
}

impl Runs {
    /// No run yet.
    pub fn new(settings: RunSettings) -> Self {
        Self {
            state: Arc::default(),
            settings,
            asked: AskedCalls::default(),
        }
    }

    /// How they go on.
    pub fn settings(&self) -> RunSettings {
        self.settings
    }

    /// Takes the thread for a run, or a place in its line. `message` is what it would be taken up with.
    pub(crate) fn enter(
        &self,
        run: &Arc<Run>,
        busy: Busy,
        message: &ThreadItem,
    ) -> Result<Entered, Refused> {
        let mut state = self.lock();
        state.admit(run);
        let Some(line) = state.lines.get_mut(&run.thread) else {
            return Ok(Entered::Now(self.first(&mut state, run)));
        };
        if busy == Busy::Reject {
            return Err(Refused::Busy);
        }
        if line.waiting.len() >= MOST_WAITING as usize {
            return Err(Refused::Full);
        }
        let (call, called) = oneshot::channel();
        let waiting = Waiting {
            run: Arc::clone(run),
            call,
            steers: (busy == Busy::Steer).then(|| message.clone()),
        };
        if busy == Busy::Interrupt {
            line.waiting.push_front(waiting);
            line.live.cancel(Why::Interrupted);
        } else {
            line.waiting.push_back(waiting);
        }
        Ok(Entered::Later(called))
    }

    /// Takes the thread for a copy of a run that lives elsewhere; where something lives there already, tells what.
    pub(crate) fn enter_copy(&self, copy: &Arc<Run>) -> Result<Place, Arc<Run>> {
        let mut state = self.lock();
        if let Some(line) = state.lines.get(&copy.thread) {
            return Err(Arc::clone(&line.live));
        }
        state.admit(copy);
        Ok(self.first(&mut state, copy))
    }

    /// The place of a run in a thread where nothing lives.
    fn first(&self, state: &mut State, run: &Arc<Run>) -> Place {
        let line = Line {
            live: Arc::clone(run),
            waiting: VecDeque::new(),
        };
        state.lines.insert(run.thread.clone(), line);
        Place {
            runs: self.clone(),
            run: Arc::clone(run),
        }
    }

    /// Whether somebody here reads a run, or waits for its end.
    pub(crate) fn is_awaited(&self, run: &Run) -> bool {
        let has_readers = lock(&run.readers).count > 0;
        has_readers
            || self
                .lock()
                .lines
                .get(&run.thread)
                .is_some_and(|line| !line.waiting.is_empty())
    }

    /// A run that this process plays, or has played, whosever it is: for another process, which has looked whose.
    pub(crate) fn by_id(&self, id: &RunId) -> Option<Arc<Run>> {
        let state = self.lock();
        let living = state.lines.values().map(|line| &line.live);
        let ended = state.ended.iter().map(|ended| &ended.run);
        living
            .chain(ended)
            .find(|run| run.id == *id && run.node.is_none())
            .cloned()
    }

    /// Takes a run out of the line that it waits in; nothing, where its turn has come. Who takes it out tells it why.
    pub(crate) fn withdraw(&self, run: &Arc<Run>) -> Option<oneshot::Sender<Call>> {
        let mut state = self.lock();
        let waiting = &mut state.lines.get_mut(&run.thread)?.waiting;
        let place = waiting
            .iter()
            .position(|waiting| Arc::ptr_eq(&waiting.run, run))?;
        Some(waiting.remove(place)?.call)
    }

    /// The messages that the run that lives should hear now, in the order in which they came, with what is to be told to
    /// those who sent them.
    pub(crate) fn heard(&self, live: &Run) -> Vec<(ThreadItem, oneshot::Sender<Call>)> {
        let mut state = self.lock();
        let Some(line) = state.lines.get_mut(&live.thread) else {
            return Vec::new();
        };
        let mut heard = Vec::new();
        // Whoever waits without steering keeps the order: nobody behind them comes first.
        while let Some(Waiting { call, steers, .. }) = line
            .waiting
            .pop_front_if(|waiting| waiting.steers.is_some() && !waiting.call.is_closed())
        {
            heard.extend(steers.map(|message| (message, call)));
        }
        heard
    }

    /// The run that lives in a thread.
    pub(crate) fn live(&self, owner: &Owner, thread: &ThreadId) -> Option<Arc<Run>> {
        let state = self.lock();
        let live = &state.lines.get(thread)?.live;
        (live.owner == *owner).then(|| Arc::clone(live))
    }

    /// A run that can be read, by its id or otherwise.
    pub(crate) fn find(
        &self,
        owner: &Owner,
        thread: Option<&ThreadId>,
        is_meant: impl Fn(&Run) -> bool,
    ) -> Option<Arc<Run>> {
        let mut state = self.lock();
        state.forget_old(self.settings.readable);
        let lines: Vec<&Line> = match thread {
            Some(thread) => state.lines.get(thread).into_iter().collect(),
            None => state.lines.values().collect(),
        };
        let open = lines.into_iter().flat_map(|line| {
            let waiting = line.waiting.iter().map(|waiting| &waiting.run);
            std::iter::once(&line.live).chain(waiting)
        });
        let ended = state.ended.iter().rev().map(|ended| &ended.run);
        let is_there = |run: &Run| thread.is_none_or(|thread| run.thread == *thread);
        open.chain(ended)
            .find(|run| run.owner == *owner && is_there(run) && is_meant(run))
            .cloned()
    }

    /// Ends what runs in a thread, and what waits there.
    pub(crate) fn cancel_all(&self, thread: &ThreadId, why: Why) {
        self.asked.forget(thread);
        if let Some(line) = self.lock().lines.get(thread) {
            line.live.cancel(why);
            for waiting in &line.waiting {
                waiting.run.cancel(why);
            }
        }
    }

    /// How many runs live or wait.
    pub fn count(&self) -> usize {
        let Counts {
            living, waiting, ..
        } = self.counts();
        living + waiting
    }

    /// How much goes on.
    pub fn counts(&self) -> Counts {
        let state = self.lock();
        let mut counts = Counts::default();
        for line in state.lines.values() {
            let waiting = line.waiting.iter().map(|waiting| &waiting.run);
            counts.living += usize::from(line.live.node.is_none());
            counts.waiting += line.waiting.len();
            counts.readers += std::iter::once(&line.live)
                .chain(waiting)
                .map(|run| lock(&run.readers).count)
                .sum::<usize>();
        }
        counts
    }

    /// Whether the process is ending.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    /// Ends every run in words, and those that come.
    pub fn shut_down(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        for line in state.lines.values() {
            line.live.cancel(Why::Shutdown);
            for waiting in &line.waiting {
                waiting.run.cancel(Why::Shutdown);
            }
        }
    }

    /// Says a last word in every run that has not ended, for a process that cannot wait any longer: their last saves
    /// hang. What was saved by then stands, and their threads say that their answers were interrupted.
    pub fn give_up(&self) {
        let state = self.lock();
        for line in state.lines.values() {
            let waiting = line.waiting.iter().map(|waiting| &waiting.run);
            for run in std::iter::once(&line.live).chain(waiting) {
                run.end_in(Why::Shutdown.words(true, run.language));
            }
        }
    }

    /// Ends a run that cannot begin, in words for those who found it meanwhile. Nobody finds it any more: whoever asks
    /// again, begins anew.
    pub(crate) fn refuse(run: &Arc<Run>, words: Event) {
        run.end_in(words);
        run.ended.cancel();
    }

    /// Ends a run's log, and keeps it for those who still read it, or will.
    pub(crate) fn retire(&self, run: &Arc<Run>) {
        // It was refused.
        if run.ended.is_cancelled() {
            return;
        }
        run.log.end();
        run.ended.cancel();
        let bytes = run.log.bytes();
        let mut state = self.lock();
        state.ended.push_back(Ended {
            run: Arc::clone(run),
            at: Instant::now(),
            bytes,
        });
        state.ended_bytes += bytes;
        state.forget_old(self.settings.readable);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Tells a run that comes while the process ends: it says so in its stream, and nothing has begun.
    fn admit(&self, run: &Run) {
        if self.is_closing {
            run.cancel(Why::Shutdown);
        }
    }

    fn forget_old(&mut self, readable: Duration) {
        while let Some(oldest) = self.ended.front() {
            if oldest.at.elapsed() < readable && self.ended_bytes <= ENDED_BYTES {
                break;
            }
            self.ended_bytes -= oldest.bytes;
            self.ended.pop_front();
        }
    }
}

impl Place {
    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Gives the place to another run: a copy of one that lives elsewhere, or one that answers an earlier message. Who had
    /// it is called next.
    pub(crate) fn give_way(mut self, to: &Arc<Run>) -> (Self, oneshot::Receiver<Call>) {
        let (call, called) = oneshot::channel();
        let mut state = self.runs.lock();
        state.admit(to);
        if let Some(line) = state.lines.get_mut(&self.run.thread) {
            line.live = Arc::clone(to);
            line.waiting.push_front(Waiting {
                run: Arc::clone(&self.run),
                call,
                steers: None,
            });
        }
        drop(state);
        self.run = Arc::clone(to);
        (self, called)
    }

    /// Calls the run that answers this message, where it waits in the same line. Who had the place is called next; where
    /// nobody waits with the message, it comes back.
    pub(crate) fn let_pass(mut self, message: &ItemId) -> Result<oneshot::Receiver<Call>, Self> {
        let mut state = self.runs.lock();
        let older = state.lines.get_mut(&self.run.thread).and_then(|line| {
            let is_meant = |waiting: &Waiting| waiting.run.message == *message;
            let place = line.waiting.iter().position(is_meant)?;
            let older = line.waiting.remove(place)?;
            let (call, called) = oneshot::channel();
            line.live = Arc::clone(&older.run);
            line.waiting.push_front(Waiting {
                run: Arc::clone(&self.run),
                call,
                steers: None,
            });
            Some((older, called))
        });
        drop(state);
        let Some((Waiting { run, call, .. }, called)) = older else {
            return Err(self);
        };
        self.run = run;
        // Where nobody listens, the place is dropped, and the next one is called.
        let _ = call.send(Call::Begin(self));
        Ok(called)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut state = self.runs.lock();
            let line = state.lines.get_mut(&self.run.thread);
            let next = line.and_then(|line| {
                let next = line.waiting.pop_front()?;
                line.live = Arc::clone(&next.run);
                Some(next)
            });
            if next.is_none() {
                state.lines.remove(&self.run.thread);
            }
            next
        };
        self.runs.retire(&self.run);
        if let Some(Waiting { run, call, .. }) = next {
            let runs = self.runs.clone();
            // Where nobody listens, the place comes back, is dropped, and the next one is called.
            let _ = call.send(Call::Begin(Place { runs, run }));
        }
    }
}

/// A frame that has no place in a run.
fn alone(event: &Event) -> Bytes {
    let mut frame = Vec::new();
    // An event of plain text can be written.
    let _ = frame::write_alone(event, &mut frame);
    frame.into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What holds for as long as a run lives: a count of it, say. Dropped with the run's last word.
pub type Permit = Box<dyn Send>;

/// How a client follows the run that its request begins or names.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Whether it can come back when its connection breaks; then closing it is no wish to stop.
    pub can_resume: bool,
    /// Whether its frames carry ids. Not everybody's do: some clients take a frame for one line of data, and some
    /// libraries take each comment after an id for an event without data.
    pub reads_ids: bool,
    /// Where it has read to.
    pub after: Option<Cursor>,
    /// Its name for the request, so that sending it again does not do it again.
    pub key: Option<RequestKey>,
}

/// A client, and what holds for a run that its request begins.
#[derive(Default)]
pub struct Following {
    /// Who follows.
    pub client: Client,
    /// Kept for as long as the run lives.
    pub permit: Option<Permit>,
    /// Resolves when the credential that begins the run is revoked.
    pub revoked: Option<BoxFuture<'static, ()>>,
    /// Whether the run must write nothing to the log.
    pub is_unreported: bool,
    /// The run's name, where another process has given it one.
    pub run: Option<RunId>,
}

/// A client's name for a request (`Idempotency-Key`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The name, unique for one owner.
    pub key: Arc<str>,
    /// Tells the request's body from others.
    pub fingerprint: Arc<str>,
}

#[cfg(test)]
mod tests;
