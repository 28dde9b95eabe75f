//! `vestibule pdf-text`: a PDF on standard input, its text on standard output. The server runs it for documents that a
//! model cannot take as files (`crates/upstream/src/pdf.rs`), once for each.
//!
//! The document is a stranger's, and may break what reads it. So this process first gives up all that it does not need:
//! then the worst that it can do is to end early, with the text that it has written until then.

mod page;

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use hayro_interpret::{
    Context, InterpreterCache, InterpreterSettings,
    hayro_syntax::{DecryptionError, LoadPdfError, Pdf},
    interpret_page,
    kurbo::{Affine, Rect},
};
use upstream::pdf::{Ending, MAX_TEXT_BYTES};

use self::page::PageText;

/// Whoever sends more has a file that may not be uploaded.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Reads the document. All that went wrong is in the exit code, because nobody reads anything else.
pub(crate) fn run() -> ExitCode {
    if let Err(error) = confine() {
        crate::telemetry::say(&format!("cannot bound this process: {error}"));
        return ExitCode::FAILURE;
    }
    match read(io::stdin().lock(), io::stdout().lock()) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(ending)) => ending.code().into(),
        // The server has left.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Bounds of this process, for good.
#[cfg(unix)]
fn confine() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Bytes of address space, the program itself included.
    const MEMORY: u64 = 512 << 20;
    /// Seconds of the processor's time.
    const SECONDS: u64 = 10;

    for (resource, most) in [
        (Resource::Core, 0),
        // No file, no socket and no process can be opened; what is open stays open.
        (Resource::Nofile, 0),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        (Resource::Cpu, SECONDS),
        // macOS knows it and refuses it.
        #[cfg(not(target_vendor = "apple"))]
        (Resource::As, MEMORY),
    ] {
        // Where less is allowed already, nobody but root may ask for more.
        let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        // The signal at the lower one says what it was; the one at the upper could be of anything.
        let last = if resource == Resource::Cpu {
            most + 1
        } else {
            most
        };
        let limit = Rlimit {
            current: Some(most.min(allowed)),
            maximum: Some(last.min(allowed)),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// The server's clock is the only bound.
#[cfg(not(unix))]
fn confine() -> io::Result<()> {
    Ok(())
}

/// Writes the text page by page, so that what is readable of a document has been said before the rest breaks.
fn read(input: impl Read, mut output: impl Write) -> io::Result<Option<Ending>> {
    let mut file = Vec::new();
    input.take(MAX_FILE_BYTES).read_to_end(&mut file)?;
    let pdf = match Pdf::new(file) {
        Ok(pdf) => pdf,
        Err(LoadPdfError::Decryption(
            DecryptionError::PasswordProtected | DecryptionError::UnsupportedAlgorithm,
        )) => return Ok(Some(Ending::Password)),
        Err(LoadPdfError::Decryption(_) | LoadPdfError::Invalid) => {
            return Ok(Some(Ending::Damaged));
        }
    };
    let cache = InterpreterCache::new();
    let mut room = MAX_TEXT_BYTES;
    for (place, page) in pdf.pages().iter().enumerate() {
        let mut context = Context::new(
            Affine::IDENTITY,
            Rect::new(0.0, 0.0, 1.0, 1.0),
            &cache,
            pdf.xref(),
            InterpreterSettings::default(),
        );
        let mut text = PageText::new(room);
        interpret_page(page, &mut context, &mut text);
        let is_cut = text.is_full();
        let text = text.into_text();
        if text.is_empty() {
            continue;
        }
        let text = format!("[page {}]\n{text}\n\n", place + 1);
        output.write_all(text.as_bytes())?;
        output.flush()?;
        room = room.saturating_sub(text.len());
        if is_cut || room == 0 {
            return Ok(Some(Ending::Cut));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
