//! The bytes of files in a local folder: the engine's `Files` port.
//!
//! A file's place is made from its number: `<folder>/<last two digits>/<32 digits>`. While it is written it ends in
//! `.part`; it gets its name once it is whole and on the disk. Whoever removes a file removes its `.part` too, so what a
//! crash leaves behind goes with its attachment.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::digest;
use engine::ports::{BytesIn, BytesOut, FileId, Files, FilesError, Kept};
use futures::StreamExt;
use tokio::fs::{self, DirBuilder, File};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A folder of files. It is made when the first file comes.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    folder: PathBuf,
}

impl LocalFiles {
    /// The folder; absolute, or below the working directory.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The last digits are random, so the folders fill evenly.
    fn folder_of(&self, file: FileId) -> PathBuf {
        self.folder.join(format!("{:02x}", file.0 & 0xff))
    }
}

#[async_trait]
impl Files for LocalFiles {
    async fn put(&self, file: FileId, bytes: &mut BytesIn<'_>) -> Result<Kept, FilesError> {
        let folder = self.folder_of(file);
        make_folder(&folder).await.map_err(failed)?;
        let whole = folder.join(file.to_string());
        let (part, mut output) = Part::create(folder.join(format!("{file}.part"))).await?;
        // Asked once the part is ours: from now on nobody else can put the whole there.
        if fs::try_exists(&whole).await.map_err(failed)? {
            return Err(FilesError::Exists);
        }
        let mut sha256 = digest::Context::new(&digest::SHA256);
        let mut size = 0;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            sha256.update(&chunk);
            size += chunk.len() as u64;
            output.write_all(&chunk).await.map_err(failed)?;
        }
        output.flush().await.map_err(failed)?;
        output.sync_all().await.map_err(failed)?;
        part.becomes(&whole).await.map_err(failed)?;
        // A name is on the disk when its folder is.
        if cfg!(unix) {
            let folder = File::open(&folder).await.map_err(failed)?;
            folder.sync_all().await.map_err(failed)?;
        }
        let sha256 = sha256.finish();
        let sha256 = sha256
            .as_ref()
            .try_into()
            .map_err(|error| FilesError::Internal(Box::new(error)))?;
        Ok(Kept { size, sha256 })
    }

    async fn get(&self, file: FileId) -> Result<BytesOut, FilesError> {
        let whole = self.folder_of(file).join(file.to_string());
        match File::open(whole).await {
            Ok(file) => Ok(ReaderStream::with_capacity(file, READ_BYTES).boxed()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(FilesError::NotFound),
            Err(error) => Err(failed(error)),
        }
    }

    async fn delete(&self, file: FileId) -> Result<(), FilesError> {
        let folder = self.folder_of(file);
        for name in [file.to_string(), format!("{file}.part")] {
            match fs::remove_file(folder.join(name)).await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                _gone => {}
            }
        }
        Ok(())
    }
}

/// A file that is being written. It is removed when nothing comes of it.
struct Part(Option<PathBuf>);

impl Part {
    /// Makes the file, for this user only. Fails where there is one: somebody else is writing it.
    async fn create(path: PathBuf) -> Result<(Self, File), FilesError> {
        // Both in one piece of work: when nobody waits for it any more, its result is dropped, and the file goes.
        let created = tokio::task::spawn_blocking(move || {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                options.mode(0o600);
            }
            let file = options.open(&path)?;
            Ok((Self(Some(path)), File::from_std(file)))
        });
        match created.await {
            Ok(Ok(created)) => Ok(created),
            Ok(Err(error)) if io::Error::kind(&error) == ErrorKind::AlreadyExists => {
                Err(FilesError::Exists)
            }
            Ok(Err(error)) => Err(failed(error)),
            Err(error) => Err(FilesError::Internal(Box::new(error))),
        }
    }

    async fn becomes(mut self, whole: &Path) -> io::Result<()> {
        if let Some(part) = &self.0 {
            fs::rename(part, whole).await?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // One system call; a file that is gone already is what was wanted.
        if let Some(part) = &self.0
            && let Err(error) = std::fs::remove_file(part)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, part = %part.display(), "cannot remove what is left of a broken-off upload");
        }
    }
}

/// Makes a folder for this user only. What exists keeps the rights that the operator gave it.
async fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await
}

fn failed(error: io::Error) -> FilesError {
    FilesError::Internal(Box::new(error))
}

#[cfg(test)]
mod tests;
