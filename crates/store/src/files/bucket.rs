//! The bytes of files in a bucket of an object store that speaks S3: the engine's `Files` port.
//!
//! A file's name there is that of its place below a folder. A file of one part is sent whole; a longer one in parts, one
//! at a time, which become an object together or not at all. What is begun is taken back when it comes to nothing: by
//! whoever sends it, or, where that one was killed, by whoever removes the file.

mod trouble;

use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use engine::ports::{BytesIn, BytesOut, FileId, Files, FilesError, Kept};
use futures::{StreamExt, TryStreamExt};
use object_store::{
    BackoffConfig, ClientOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode,
    PutPayload, PutPayloadMut, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    client::{HttpClient, HttpConnector},
    multipart::MultipartStore,
    path::Path,
    signer::{SignedUrlOptions, Signer},
};
use reqwest::{Method, StatusCode};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

pub use self::trouble::BucketError;
use self::trouble::{Answer, Outcome, between, failed};
use super::{BucketPlace, sum};

/// How much is held at a time, and sent in one request. All parts but the last have to be of one size (Cloudflare R2),
/// and of 5 MiB at least (S3); of ten thousand of them a file may have 80 GB.
const PART_BYTES: usize = 8 << 20;
/// What is copied together of the pieces that come.
const BLOCK_BYTES: usize = 256 << 10;
/// After so long no request is made again. Nothing waits longer than this and the client's own time-outs.
const RETRY_FOR: Duration = Duration::from_secs(15);
const MOST_RETRIES: usize = 3;
/// Of an answer that lists uploads no more is read.
const LIST_BYTES: usize = 1 << 20;
/// For how long the address of such a list is good.
const LIST_LIVES: Duration = Duration::from_mins(1);

/// A bucket of files.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: AmazonS3,
    client: reqwest::Client,
    place: BucketPlace,
    tasks: TaskTracker,
    /// Whether the store has answered that it cannot see to it by itself that a name is used once.
    overwrites: Arc<AtomicBool>,
}

/// The one HTTP client of this process's policy, for whatever the library calls.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl Bucket {
    /// A bucket, as AWS's own tools would find it with these variables of the environment (those that do not begin with
    /// `AWS_` are left aside). What is to be done when a caller has gone is done in `tasks`.
    ///
    /// `client` has to have a time-out for connecting and one for silence, and must not unpack bodies.
    pub fn new<'variables>(
        place: BucketPlace,
        variables: impl IntoIterator<Item = (&'variables str, &'variables str)>,
        client: reqwest::Client,
        tasks: TaskTracker,
    ) -> Result<Self, BucketError> {
        let mut builder = AmazonS3Builder::new();
        for (name, value) in variables {
            let key = name.to_ascii_lowercase();
            if !key.starts_with("aws_") {
                continue;
            }
            if let Ok(key) = key.parse::<AmazonS3ConfigKey>()
                // Whoever may write without a signature may do anything.
                && key != AmazonS3ConfigKey::SkipSignature
            {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder
            .with_bucket_name(place.bucket())
            .with_http_connector(Connector(client.clone()))
            // Not every store has the call that removes many.
            .with_config(AmazonS3ConfigKey::DisableBulkDelete, "true")
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(2),
                    base: 2.0,
                },
                max_retries: MOST_RETRIES,
                retry_timeout: RETRY_FOR,
            })
            .build()
            .map_err(|error| BucketError::Settings(Box::new(error)))?;
        Ok(Self {
            store,
            client,
            place,
            tasks,
            overwrites: Arc::default(),
        })
    }

    /// Before anything else, so that who has no key is told so, and no error of a service that hands out keys, whose
    /// address may hold a token, gets any further.
    async fn sign_in(&self) -> Result<(), FilesError> {
        match self.store.credentials().get_credential().await {
            Ok(_) => Ok(()),
            Err(_) => Err(FilesError::Internal(Box::new(BucketError::NoCredentials))),
        }
    }

    async fn is_there(&self, key: &Path) -> Result<bool, FilesError> {
        match self.store.head(key).await.map_err(Outcome::from) {
            Ok(_) => Ok(true),
            Err(Outcome::Missing) => Ok(false),
            Err(outcome) => Err(outcome.into()),
        }
    }

    /// Sends a file that is one part.
    ///
    /// Where the first of two tries arrived and its answer did not, the second finds its own work and says
    /// [`FilesError::Exists`]: the upload counts as failed, and goes with its attachment.
    async fn put_whole(&self, key: &Path, bytes: PutPayload) -> Result<(), FilesError> {
        if !self.overwrites.load(Ordering::Relaxed) {
            let put = self
                .store
                .put_opts(key, bytes.clone(), PutMode::Create.into());
            match put.await.map_err(Outcome::from) {
                Ok(_) => return Ok(()),
                Err(Outcome::Unknown) => self.overwrites.store(true, Ordering::Relaxed),
                Err(outcome) => return Err(outcome.into()),
            }
        }
        // Between the look and the writing, another upload under the same name could come. Names are random and minted
        // once for one announced file, so that could only be its owner, who sends it twice at the same moment.
        if self.is_there(key).await? {
            return Err(FilesError::Exists);
        }
        self.store.put(key, bytes).await.map_err(failed)?;
        Ok(())
    }

    /// Sends bytes as they come; those that are left once there is no more are in the last part.
    async fn pour(
        &self,
        key: &Path,
        bytes: &mut BytesIn<'_>,
        sending: &mut Option<Sending>,
    ) -> Result<Kept, FilesError> {
        let mut sha256 = digest::Context::new(&digest::SHA256);
        let mut size = 0;
        let mut part = empty_part();
        while let Some(chunk) = bytes.next().await {
            let mut chunk = chunk?;
            sha256.update(&chunk);
            size += chunk.len() as u64;
            while !chunk.is_empty() {
                if part.content_length() == PART_BYTES {
                    self.begun(key, sending)
                        .await?
                        .send(mem::replace(&mut part, empty_part()))
                        .await?;
                }
                let room = PART_BYTES - part.content_length();
                let piece = chunk.split_to(room.min(chunk.len()));
                part.extend_from_slice(&piece);
            }
        }
        match sending {
            None => self.put_whole(key, part.freeze()).await?,
            Some(sending) => {
                sending.send(part).await?;
                // S3 has no way to say here that a name is used once which others understand, too. See `put_whole` for
                // who could come in between.
                if self.is_there(key).await? {
                    return Err(FilesError::Exists);
                }
                sending.complete().await?;
            }
        }
        Ok(Kept {
            size,
            sha256: sum(sha256)?,
        })
    }

    /// The upload in parts, begun where it is not yet.
    async fn begun<'sending>(
        &self,
        key: &Path,
        sending: &'sending mut Option<Sending>,
    ) -> Result<&'sending mut Sending, FilesError> {
        let begun = match sending.take() {
            Some(begun) => begun,
            None => Sending {
                upload: Some(self.store.put_multipart(key).await.map_err(failed)?),
                tasks: self.tasks.clone(),
            },
        };
        Ok(sending.insert(begun))
    }

    /// Takes back what a sender left behind that was killed.
    async fn remove_pending(&self, key: &Path) -> Result<(), FilesError> {
        for upload in self.pending(key).await? {
            match self
                .store
                .abort_multipart(key, &upload)
                .await
                .map_err(Outcome::from)
            {
                Ok(()) | Err(Outcome::Missing) => {}
                Err(outcome) => return Err(outcome.into()),
            }
        }
        Ok(())
    }

    /// The uploads in parts that were begun for a file, and neither completed nor taken back.
    async fn pending(&self, key: &Path) -> Result<Vec<String>, FilesError> {
        let options =
            SignedUrlOptions::default().with_query([("uploads", ""), ("prefix", key.as_ref())]);
        let bucket = Path::default();
        let signed = self
            .store
            .signed_url_opts(Method::GET, &bucket, LIST_LIVES, &options);
        // The address holds its signature.
        let answer = self.client.get(signed.await.map_err(failed)?).send().await;
        let answer = answer.map_err(unreachable)?;
        let status = answer.status();
        let text = read_text(answer).await?;
        if status != StatusCode::OK {
            return match Outcome::from(Answer::new(status.as_u16(), &text)) {
                Outcome::Missing | Outcome::Unknown => Ok(Vec::new()),
                Outcome::Failed(BucketError::Refused(answer)) => {
                    tracing::warn!(
                        %answer,
                        "the object store does not let us list unfinished uploads (s3:ListBucketMultipartUploads), so \
                         what a crash left of one stays there until a rule of the bucket removes it"
                    );
                    Ok(Vec::new())
                }
                outcome => Err(outcome.into()),
            };
        }
        Ok(text
            .split("<Upload>")
            .skip(1)
            .filter(|upload| between(upload, "<Key>", "</Key>") == Some(key.as_ref()))
            .filter_map(|upload| between(upload, "<UploadId>", "</UploadId>"))
            .map(str::to_owned)
            .collect())
    }
}

#[async_trait]
impl Files for Bucket {
    async fn put(&self, file: FileId, bytes: &mut BytesIn<'_>) -> Result<Kept, FilesError> {
        self.sign_in().await?;
        let key = self.place.key_of(file);
        let mut sending = None;
        let kept = self.pour(&key, bytes, &mut sending).await;
        if let Some(mut sending) = sending
            && kept.is_err()
        {
            // In the caller's time, so that a command that ends with this error has cleaned up.
            sending.abort().await;
        }
        kept
    }

    async fn get(&self, file: FileId) -> Result<BytesOut, FilesError> {
        self.sign_in().await?;
        let found = self.store.get(&self.place.key_of(file)).await;
        let bytes = found.map_err(failed)?.into_stream();
        Ok(bytes
            .map_err(|error| io::Error::other(failed(error)))
            .boxed())
    }

    async fn delete(&self, file: FileId) -> Result<(), FilesError> {
        self.sign_in().await?;
        let key = self.place.key_of(file);
        if !self.is_there(&key).await? {
            return self.remove_pending(&key).await;
        }
        match self.store.delete(&key).await.map_err(Outcome::from) {
            Ok(()) | Err(Outcome::Missing) => Ok(()),
            Err(outcome) => Err(outcome.into()),
        }
    }
}

/// An upload in parts, taken back when it is dropped before it is complete. One that is dropped before the store has said
/// which upload it is goes when the file is removed.
struct Sending {
    upload: Option<Box<dyn MultipartUpload>>,
    tasks: TaskTracker,
}

impl Sending {
    async fn send(&mut self, part: PutPayloadMut) -> Result<(), FilesError> {
        match &mut self.upload {
            Some(upload) => upload.put_part(part.freeze()).await.map_err(failed),
            None => Ok(()),
        }
    }

    async fn complete(&mut self) -> Result<(), FilesError> {
        if let Some(upload) = &mut self.upload {
            upload.complete().await.map_err(failed)?;
        }
        self.upload = None;
        Ok(())
    }

    async fn abort(&mut self) {
        if let Some(upload) = &mut self.upload {
            take_back(upload).await;
        }
        self.upload = None;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        // Without a runtime the process is at its end, and the file's removal takes the upload back.
        if let Some(mut upload) = self.upload.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let task = async move { take_back(&mut upload).await };
            self.tasks.spawn_on(task, &runtime);
        }
    }
}

/// What cannot be taken back now goes when the file is removed.
async fn take_back(upload: &mut Box<dyn MultipartUpload>) {
    match upload.abort().await.map_err(Outcome::from) {
        Ok(()) | Err(Outcome::Missing) => {}
        Err(outcome) => {
            let error = FilesError::from(outcome);
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an upload that was broken off cannot be taken back now"
            );
        }
    }
}

fn empty_part() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(BLOCK_BYTES)
}

fn unreachable(error: reqwest::Error) -> FilesError {
    let error = error.without_url();
    let error = if error.is_timeout() {
        BucketError::TimedOut
    } else {
        BucketError::Unreachable(Box::new(error))
    };
    FilesError::Internal(Box::new(error))
}

async fn read_text(mut answer: reqwest::Response) -> Result<String, FilesError> {
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        let chunk: Bytes = chunk;
        if text.len() + chunk.len() > LIST_BYTES {
            break;
        }
        text.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests;
