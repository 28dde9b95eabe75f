//! The bytes of files in a local folder: the engine's `Files` port. In [`bucket`] they are in an object store.
//!
//! A file's place is made from its number: `<folder>/<last two digits>/<32 digits>`. While it is written it ends in
//! `.part`; it gets its name once it is whole and on the disk. Whoever removes a file removes its `.part` too, so what a
//! crash leaves behind goes with its attachment.

mod bucket;
mod place;

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use async_trait::async_trait;
use aws_lc_rs::digest;
use engine::ports::{BytesIn, BytesOut, FileId, Files, FilesError, Kept};
use futures::StreamExt;
use tempfile::NamedTempFile;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use crate::durable;
pub use crate::files::bucket::{Bucket, BucketError};
pub use crate::files::place::{BucketPlace, FilesPlace, InvalidPlace};

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

    /// Where the whole of a file is.
    pub(crate) fn place_of(&self, file: FileId) -> PathBuf {
        self.folder_of(file).join(file.to_string())
    }

    fn folder_of(&self, file: FileId) -> PathBuf {
        self.folder.join(folder_name(file))
    }
}

/// The last digits are random, so the folders fill evenly.
fn folder_name(file: FileId) -> String {
    format!("{:02x}", file.0 & 0xff)
}

fn sum(sha256: digest::Context) -> Result<[u8; 32], FilesError> {
    let sum = sha256.finish();
    sum.as_ref()
        .try_into()
        .map_err(|error| FilesError::Internal(Box::new(error)))
}

#[async_trait]
impl Files for LocalFiles {
    async fn put(&self, file: FileId, bytes: &mut BytesIn<'_>) -> Result<Kept, FilesError> {
        let folder = self.folder_of(file);
        let whole = self.place_of(file);
        let (part, mut output) = create_part(folder, file).await?;
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
        blocking(move || durable::publish(part, &whole)).await?;
        Ok(Kept {
            size,
            sha256: sum(sha256)?,
        })
    }

    async fn get(&self, file: FileId) -> Result<BytesOut, FilesError> {
        let whole = self.place_of(file);
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

/// A file that is being written, and a handle to write it with; it is removed when nothing comes of it. For this user only.
/// Fails where there is one: somebody else is writing it.
async fn create_part(folder: PathBuf, file: FileId) -> Result<(NamedTempFile, File), FilesError> {
    // All in one piece of work: when nobody waits for it any more, its result is dropped, and the file goes.
    blocking(move || {
        durable::make_folder(&folder)?;
        let part = tempfile::Builder::new()
            .prefix(&file.to_string())
            .suffix(".part")
            .rand_bytes(0)
            .tempfile_in(folder)?;
        let output = File::from_std(part.as_file().try_clone()?);
        Ok((part, output))
    })
    .await
}

/// Does what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FilesError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(failed),
        Err(error) => Err(FilesError::Internal(Box::new(error))),
    }
}

fn failed(error: io::Error) -> FilesError {
    if durable::is_full(&error) {
        FilesError::Full(Box::new(error))
    } else if error.kind() == ErrorKind::AlreadyExists {
        FilesError::Exists
    } else {
        FilesError::Internal(Box::new(error))
    }
}

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;
