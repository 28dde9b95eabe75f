//! Whether a bucket can keep files. (A folder is a place on the disk like others.)

use engine::ports::{FileId, Files, FilesError, Ids as _};
use futures::{TryStreamExt, stream};
use store::FilesPlace;
use tokio_util::task::TaskTracker;

use crate::{
    commands::{findings::Findings, workplace::Workplace},
    compose::{self, SystemIds},
};

/// What is written, read, and removed again.
const TRIAL: &[u8] = b"written by `vestibule doctor`, and removed again";

/// Writes, reads and removes a small object.
pub(super) async fn look(findings: &mut Findings, workplace: &Workplace<'_>) {
    let FilesPlace::Bucket(bucket) = &workplace.config.storage.files else {
        return;
    };
    // What keeps it from being opened is a mistake of the configuration, which has been told.
    let Ok(files) = compose::files(&workplace.config, workplace.variables, &TaskTracker::new())
    else {
        return;
    };
    let file = FileId(SystemIds.next());
    let tried = try_out(&*files, file);
    let why = "people cannot send files, or do not see those that they sent";
    match findings.wait("the object store", tried).await {
        Some(Ok(())) => findings.good(
            "files",
            format!("{bucket}: an object was written, read and removed"),
        ),
        Some(Err((doing, error))) => findings.wrong(
            "files",
            format!(
                "{bucket}: a small object cannot be {doing}: {:#}",
                anyhow::Error::from(error)
            ),
            why,
            "see that the bucket is there and AWS_REGION and AWS_ENDPOINT_URL lead to it, and that the key or role may \
             s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and \
             s3:ListBucketMultipartUploads (docs/files.md)",
        ),
        None => findings.wrong(
            "files",
            format!("{bucket}: no answer"),
            why,
            "see that AWS_ENDPOINT_URL is the object store's address, and that nothing on the way swallows what is sent there",
        ),
    }
}

/// What could not be done, and why.
async fn try_out(files: &dyn Files, file: FileId) -> Result<(), (&'static str, FilesError)> {
    let mut bytes = stream::iter([Ok(TRIAL.into())]);
    files
        .put(file, &mut bytes)
        .await
        .map_err(|error| ("written", error))?;
    let read = read(files, file).await;
    // Whatever came of reading.
    let removed = files.delete(file).await;
    read.map_err(|error| ("read", error))?;
    removed.map_err(|error| ("removed", error))
}

async fn read(files: &dyn Files, file: FileId) -> Result<(), FilesError> {
    let bytes = files.get(file).await?;
    let read: Vec<_> = bytes
        .try_collect()
        .await
        .map_err(|error| FilesError::Internal(Box::new(error)))?;
    if read.concat() == TRIAL {
        return Ok(());
    }
    Err(FilesError::Internal(
        "what was read is not what was written".into(),
    ))
}
