//! Tool servers that are programs of this machine, spoken to over their standard input and output.
//!
//! A server has one process, which all users share, so it cannot know who the user is. The process is started on first
//! use, started again after it has ended (with a pause that grows while it keeps ending early), and ends with us,
//! together with everything that it has started: its process group.

use std::{
    collections::VecDeque,
    fmt,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmcp::{RoleClient, transport::async_rw::AsyncRwTransport};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream},
    process::{Child, ChildStdin, Command},
    sync::watch,
    task::JoinSet,
    time::Instant,
};

use super::{
    Slot, failure::Failure, lines::Lines, pipes::Pipes as Correlated, session::MAX_MESSAGE_BYTES,
};

/// A process that ends sooner than this after its start has failed.
const EARLY: Duration = Duration::from_mins(1);
/// The longest pause before a process is started again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long a process may take to end after each way of asking it to.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest line of a program's standard error that is told, in bytes.
const MAX_WORDS_BYTES: usize = 1_000;
/// As many of its last lines are remembered. Programs in JavaScript put four between what is wrong and the end.
const MAX_WORDS: usize = 8;
/// How much of what a program says waits to be read.
const PIPE_BYTES: usize = 64 * 1024;

/// What is spoken over.
pub(super) type Pipes = Correlated<AsyncRwTransport<RoleClient, DuplexStream, ChildStdin>>;

/// A program and how it is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its path, or its name in the `PATH` of `variables`.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All of its environment.
    pub variables: Vec<(String, SecretString)>,
    /// Where it runs; the folder of this process by default.
    pub folder: Option<PathBuf>,
}

/// The place of a program's process. Servers of the same place share it.
pub struct Host {
    program: Program,
    state: SyncMutex<State>,
    words: Words,
}

/// The last lines that a program has printed which are no messages, for whoever looks what is wrong.
#[derive(Clone, Default)]
struct Words(Arc<SyncMutex<VecDeque<String>>>);

impl Words {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a line, where it says something. Where in a program something went wrong is of use to its author alone.
    fn remember(&self, line: &str) {
        if line.trim().is_empty() || line.trim_start().starts_with("at ") {
            return;
        }
        let mut words = self.lock();
        if words.len() == MAX_WORDS {
            words.pop_front();
        }
        words.push_back(line.to_owned());
    }
}

struct State {
    slot: Arc<Slot>,
    /// How often in a row the process has ended early.
    early_ends: u32,
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.program.fmt(formatter)
    }
}

impl Host {
    /// The place for a program that does not run yet.
    pub fn new(program: Program) -> Arc<Self> {
        Arc::new(Self {
            program,
            state: SyncMutex::new(State {
                slot: Arc::new(Slot::shared(None)),
                early_ends: 0,
            }),
            words: Words::default(),
        })
    }

    /// The program's slot: the one at hand, or a new one where its process has ended.
    pub(super) fn slot(&self, now: Instant) -> Arc<Slot> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let opened_at = match state.slot.session.get() {
            Some(session) if session.is_closed() => session.opened_at,
            _ => return Arc::clone(&state.slot),
        };
        state.early_ends = if now.duration_since(opened_at) < EARLY {
            state.early_ends.saturating_add(1)
        } else {
            0
        };
        let until = pause(state.early_ends).map(|pause| now + pause);
        state.slot = Arc::new(Slot::shared(until));
        Arc::clone(&state.slot)
    }

    /// What the program printed last beside its messages.
    pub(super) fn last_words(&self) -> Vec<String> {
        self.words.lock().iter().cloned().collect()
    }

    /// Starts the process.
    pub(super) fn start(&self, server: &str) -> Result<(Pipes, Running), Failure> {
        let Program {
            command,
            arguments,
            variables,
            folder,
        } = &self.program;
        let mut process = Command::new(command);
        process
            .args(arguments)
            .env_clear()
            .envs(
                variables
                    .iter()
                    .map(|(name, value)| (name, value.expose_secret())),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(folder) = folder {
            process.current_dir(folder);
        }
        #[cfg(unix)]
        process.process_group(0);
        let mut child = process.spawn().map_err(|error| {
            Failure::program(format!("`{command}` could not be started: {error}"))
        })?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Failure::program("its standard input and output are taken"));
        };
        self.words.lock().clear();
        let (ended, watched) = watch::channel(None);
        let mut running = Running {
            group: child.id(),
            ended: watched,
            tasks: JoinSet::new(),
        };
        let (to_us, ours) = tokio::io::duplex(PIPE_BYTES);
        let words = self.words.clone();
        running.tasks.spawn(pass_on(output, to_us, words.clone()));
        running
            .tasks
            .spawn(listen(server.to_owned(), errors, words));
        running.tasks.spawn(wait(server.to_owned(), child, ended));
        let transport =
            AsyncRwTransport::new_client(ours, input).with_max_line_length(MAX_MESSAGE_BYTES + 1);
        Ok((Correlated::new(transport), running))
    }

    /// Has the process end in order, with everything that it has started.
    pub(super) async fn close(&self) {
        if let Some(session) = self.current().session.get() {
            session.close().await;
        }
    }

    /// Has it end at once.
    pub(super) fn kill(&self) {
        if let Some(session) = self.current().session.get() {
            session.kill();
        }
    }

    fn current(&self) -> Arc<Slot> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.slot)
    }
}

/// How long to wait before a process is started again that has ended early this often in a row; the first time it may
/// have been an accident.
fn pause(early_ends: u32) -> Option<Duration> {
    let doublings = early_ends.checked_sub(2)?;
    let pause = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(doublings));
    Some(pause.min(LONGEST_PAUSE))
}

/// A process that runs. Dropping this kills it and its whole group.
pub(super) struct Running {
    /// Its id, which is its group's, too.
    group: Option<u32>,
    /// How it ended, in words.
    ended: watch::Receiver<Option<String>>,
    tasks: JoinSet<()>,
}

impl Running {
    /// How the process ended, in words; waits a moment for one that is about to.
    pub(super) async fn end(&self) -> Option<String> {
        let mut ended = self.ended.clone();
        let end = tokio::time::timeout(PATIENCE, ended.wait_for(Option::is_some)).await;
        end.ok()?.ok()?.clone()
    }

    /// Asks it to end, in ways that cannot be overheard in the end. Its standard input is closed already.
    pub(super) async fn stop(&self) {
        if self.end().await.is_none() {
            signal(self.group, false);
        }
        if self.end().await.is_none() {
            signal(self.group, true);
            self.end().await;
        }
    }
}

impl Running {
    /// Kills it with its group.
    pub(super) fn kill(&self) {
        // An id of a process that has ended may be another's by now.
        if self.ended.borrow().is_none() {
            signal(self.group, true);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process group: to end, or to be gone.
#[cfg(unix)]
fn signal(group: Option<u32>, is_final: bool) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = group.and_then(|group| Pid::from_raw(i32::try_from(group).ok()?));
    if let Some(group) = group {
        let signal = if is_final { Signal::KILL } else { Signal::TERM };
        // There may be nobody left.
        let _ = kill_process_group(group, signal);
    }
}

/// The process itself is killed by its guard.
#[cfg(not(unix))]
fn signal(_group: Option<u32>, _is_final: bool) {}

/// Takes note of the end of a process, and ends what it has left behind.
async fn wait(server: String, mut child: Child, ended: watch::Sender<Option<String>>) {
    let group = child.id();
    let end = match child.wait().await {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::info!(server, end, "a tool server's program has ended");
    signal(group, true);
    reap(group).await;
    ended.send_replace(Some(end));
}

/// Where this process is the first one of a container, what programs leave behind becomes its child, and nobody else
/// asks how it has ended.
#[cfg(unix)]
async fn reap(group: Option<u32>) {
    use rustix::process::{Pid, WaitOptions, waitpgid};
    let group = group.and_then(|group| Pid::from_raw(i32::try_from(group).ok()?));
    let Some(group) = group else { return };
    for _ in 0..50 {
        match waitpgid(group, WaitOptions::NOHANG) {
            // None of our children is left in the group.
            Err(_) => return,
            Ok(Some(_)) => {}
            Ok(None) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[cfg(not(unix))]
async fn reap(_group: Option<u32>) {}

/// Passes on what the program says, line by line, with an answer that is too long replaced by an error. What it says
/// beside that is remembered until it has introduced itself: some print there why they cannot begin.
async fn pass_on(output: impl AsyncRead + Unpin, mut to: DuplexStream, words: Words) {
    let mut output = BufReader::new(output);
    let mut lines = Lines::new(MAX_MESSAGE_BYTES);
    let mut piece = vec![0; 16 * 1024];
    loop {
        // The last line may lack its end.
        let length = output.read(&mut piece).await.unwrap_or_default();
        let said = match length {
            0 => lines.pass(b"\n"),
            length => lines.pass(piece.get(..length).unwrap_or_default()),
        };
        for line in lines.beside() {
            words.remember(&told(&line));
        }
        if to.write_all(&said).await.is_err() || length == 0 {
            return;
        }
    }
}

/// The beginning of a line that a program printed.
fn told(line: &[u8]) -> String {
    let line = line.get(..MAX_WORDS_BYTES).unwrap_or(line);
    String::from_utf8_lossy(line).trim_end().to_owned()
}

/// Reads what the program prints about itself, so that it never waits for a reader. It may be about people, so the log
/// shows it where the filter names it.
async fn listen(server: String, errors: impl AsyncRead + Unpin, words: Words) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    let mut piece = vec![0; 4 * 1024];
    let tell = |line: &mut Vec<u8>| {
        let text = told(line);
        line.clear();
        tracing::debug!(target: "mcp_stderr", server, text);
        words.remember(&text);
    };
    while let Ok(length @ 1..) = errors.read(&mut piece).await {
        for byte in piece.get(..length).unwrap_or_default() {
            if *byte == b'\n' {
                tell(&mut line);
            } else if line.len() < MAX_WORDS_BYTES {
                line.push(*byte);
            }
        }
    }
    // The last line may lack its end.
    tell(&mut line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_keeps_ending_is_left_alone_for_longer_and_longer() {
        let seconds = |ends| pause(ends).map(|pause| pause.as_secs());
        assert_eq!(
            [0, 1, 2, 3, 4, 9, 40].map(seconds),
            [None, None, Some(1), Some(2), Some(4), Some(60), Some(60)]
        );
    }
}
