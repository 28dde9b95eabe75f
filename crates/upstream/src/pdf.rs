//! The text of PDF documents, for models that take no files.
//!
//! A document comes from a stranger, and whatever reads PDF can be made to panic, to loop and to eat memory. So it is
//! read by a process of its own, which has nothing and may do nothing but this: the program is our own, and bounds itself
//! before it reads (`crates/cli/src/commands/pdf_text.rs`); its time, its output and its number are bounded here.

use std::{
    convert::Infallible,
    ffi::OsString,
    fmt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest;
use bytes::Bytes;
use futures::FutureExt;
use moka::future::Cache;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    sync::Semaphore,
};

/// How many documents are read at once; others wait.
const AT_ONCE: usize = 2;
/// How long one waits for its place at most, so that a turn goes on without it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long one may be read, whether it computes or not.
const LONGEST_READ: Duration = Duration::from_secs(20);
/// Most bytes of text that are kept of a document: a novel.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Most bytes of all texts that are kept, so that the turns of a conversation do not read the same document again.
const KEPT_BYTES: u64 = 64 << 20;
/// How long a text is kept that nobody asks for.
const KEPT_FOR: Duration = Duration::from_mins(30);

/// How the program says why it has ended: its exit codes, besides 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The document wants a password.
    Password,
    /// It is no PDF, or too broken to be mended.
    Damaged,
    /// There is more text than [`MAX_TEXT_BYTES`].
    Cut,
}

impl Ending {
    const ALL: [Self; 3] = [Self::Password, Self::Damaged, Self::Cut];

    /// The exit code; those of panics and of wrong command lines are others.
    pub const fn code(self) -> u8 {
        match self {
            Self::Password => 10,
            Self::Damaged => 11,
            Self::Cut => 12,
        }
    }
}

/// Why not all of a document could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Ended(Ending),
    NoText,
    TooSlow,
    TooLarge,
    Crashed,
    Busy,
    NotStarted,
}

impl Trouble {
    /// Whether another attempt would come to the same.
    const fn lasts(self) -> bool {
        !matches!(self, Self::Busy | Self::NotStarted)
    }
}

/// For the model, so that it can tell the person what to do.
impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ended(Ending::Password) => "it is protected by a password",
            Self::Ended(Ending::Damaged) => "it is damaged, or no PDF",
            Self::Ended(Ending::Cut) => "it has more text than can be told",
            Self::NoText => "it has no text, only pictures, as a scan has",
            Self::TooSlow => "reading it takes too long",
            Self::TooLarge => "reading it takes too much memory",
            Self::Crashed => "it cannot be understood",
            Self::Busy => "too many documents are being read at the moment; later it may work",
            Self::NotStarted => "the server cannot read PDF at the moment",
        })
    }
}

/// What was read of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PdfText {
    text: String,
    trouble: Option<Trouble>,
}

impl PdfText {
    /// For the model, with so many characters of the text at most: what there is, and what is missing and why.
    pub(crate) fn tell(&self, name: &str, characters: usize) -> String {
        let Self { text, trouble } = self;
        if text.is_empty() {
            let trouble = trouble.unwrap_or(Trouble::NoText);
            // It stands between quotation marks on one line.
            let name = name.replace(|mark: char| mark == '"' || mark.is_control(), "_");
            return format!("[The file \"{name}\" could not be read as text: {trouble}.]");
        }
        match (text.char_indices().nth(characters), trouble) {
            (Some((end, _)), _) => {
                let told = text.get(..end).unwrap_or_default();
                let all = text.chars().count();
                format!(
                    "{told}\n[The text is cut here, after {characters} of {all} characters: there is no room for more.]"
                )
            }
            (None, Some(trouble)) => {
                format!("{text}\n[The rest of the file could not be read as text: {trouble}.]")
            }
            (None, None) => text.clone(),
        }
    }

    /// How many characters there are to tell.
    pub(crate) fn characters(&self) -> usize {
        self.text.chars().count()
    }

    fn of(text: &[u8], trouble: Option<Trouble>) -> Self {
        let text = String::from_utf8_lossy(text);
        // A cut may go through a letter.
        let text = text.trim_end_matches('\u{fffd}').trim().to_owned();
        let trouble = trouble.or_else(|| text.is_empty().then_some(Trouble::NoText));
        Self { text, trouble }
    }

    const fn nothing(trouble: Trouble) -> Self {
        Self {
            text: String::new(),
            trouble: Some(trouble),
        }
    }
}

/// Reads documents by a program of its own, and keeps what was read for a while. Clones share all of it.
#[derive(Debug, Clone)]
pub struct PdfReader {
    program: Arc<Program>,
    places: Arc<Semaphore>,
    /// By person and content: nobody can tell by the time it takes what others have sent.
    known: Cache<[u8; 32], Arc<PdfText>>,
    longest_read: Duration,
}

#[derive(Debug)]
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl PdfReader {
    /// Reads by this program: it is given a document on its standard input, writes text, and ends by an [`Ending`].
    pub fn new<Argument: Into<OsString>>(
        path: PathBuf,
        arguments: impl IntoIterator<Item = Argument>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        let bytes = |_: &[u8; 32], text: &Arc<PdfText>| {
            u32::try_from(text.text.len() + 128).unwrap_or(u32::MAX)
        };
        Self {
            program: Arc::new(Program { path, arguments }),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            known: Cache::builder()
                .max_capacity(KEPT_BYTES)
                .weigher(bytes)
                .time_to_idle(KEPT_FOR)
                .build(),
            longest_read: LONGEST_READ,
        }
    }

    /// The text of a document that this person may read. It never fails; what is missing is said.
    pub(crate) async fn read(&self, person: &str, file: &Bytes) -> Arc<PdfText> {
        let key = key(person, file);
        // Once for all who wait: a person may ask in several conversations at once.
        let read = self.known.try_get_with(key, async {
            // Boxed: the cache's future is deep enough.
            let text = self.read_now(file).boxed().await;
            match text.trouble {
                Some(trouble) if !trouble.lasts() => Err(text),
                _ => Ok(Arc::new(text)),
            }
        });
        read.await.unwrap_or_else(|text| Arc::new((*text).clone()))
    }

    async fn read_now(&self, file: &Bytes) -> PdfText {
        let waited = tokio::time::timeout(LONGEST_WAIT, self.places.acquire()).await;
        let Ok(Ok(_place)) = waited else {
            return PdfText::nothing(Trouble::Busy);
        };
        let mut text = Vec::new();
        let trouble = match self.run(file, &mut text).await {
            Ok(trouble) => trouble,
            Err(error) => {
                tracing::warn!(%error, "the program that reads PDF cannot be run");
                Some(Trouble::NotStarted)
            }
        };
        if let Some(trouble) = trouble {
            tracing::info!(bytes = file.len(), %trouble, "a PDF could not be read as text");
        }
        PdfText::of(&text, trouble)
    }

    /// Runs the program, which ends with this future at the latest.
    async fn run(&self, file: &Bytes, text: &mut Vec<u8>) -> std::io::Result<Option<Trouble>> {
        let mut command = Command::new(&self.program.path);
        command
            .args(&self.program.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What it says about a document, a person has written.
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // A terminal's Ctrl+C is for the server, which lets turns end.
        #[cfg(unix)]
        command.process_group(0).current_dir("/");
        let mut child = command.spawn()?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("it has no standard input and output"));
        };
        let most = u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX);
        let mut output = output.take(most);
        let work = async {
            let give = async {
                // It may have seen enough before it has seen all.
                let _ = input.write_all(file).await;
                drop(input);
                std::future::pending::<Infallible>().await
            };
            let read = tokio::select! {
                read = output.read_to_end(text) => read?,
                never = give => match never {},
            };
            if read == MAX_TEXT_BYTES {
                return Ok(Some(Trouble::Ended(Ending::Cut)));
            }
            Ok(trouble_of(child.wait().await?))
        };
        let ended = tokio::time::timeout(self.longest_read, work).await;
        // Nothing of it is left when the next one has its place.
        let _ = child.kill().await;
        ended.unwrap_or(Ok(Some(Trouble::TooSlow)))
    }
}

/// What the end of the program means.
fn trouble_of(status: ExitStatus) -> Option<Trouble> {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match code {
        Some(0) => None,
        Some(code) => {
            let ending = Ending::ALL.into_iter().find(|ending| ending.code() == code);
            Some(ending.map_or(Trouble::Crashed, Trouble::Ended))
        }
        None => Some(trouble_of_signal(status)),
    }
}

#[cfg(unix)]
fn trouble_of_signal(status: ExitStatus) -> Trouble {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::Signal;
    match status.signal().and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => Trouble::TooSlow,
        // What Rust does where there is no memory, or no stack; and what a system does that has none left.
        Some(Signal::ABORT | Signal::KILL) => Trouble::TooLarge,
        _ => Trouble::Crashed,
    }
}

#[cfg(not(unix))]
fn trouble_of_signal(_status: ExitStatus) -> Trouble {
    Trouble::Crashed
}

fn key(person: &str, file: &[u8]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&person.len().to_le_bytes());
    hash.update(person.as_bytes());
    hash.update(file);
    let mut key = [0; 32];
    key.copy_from_slice(hash.finish().as_ref());
    key
}

#[cfg(test)]
mod tests;
