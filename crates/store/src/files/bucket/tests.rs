//! The promises of the `Files` port at a real object store, and what it does when that one or the sender fails.

use std::{
    sync::atomic::AtomicUsize,
    time::{Duration, Instant},
};

use engine::ports::Interrupted;
use futures::stream;
use testkit::services::SeaweedFs;

use super::*;
use crate::files::{FilesPlace, contract};

const FILE: FileId = FileId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
/// Longer than two parts.
const LONG: usize = 20 << 20;

fn bucket_of(variables: &[(String, String)], name: &str) -> Bucket {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client that the composition root hands in is in a crate beside this one"
    )]
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(30))
        .no_gzip()
        .build()
        .unwrap();
    let FilesPlace::Bucket(place) = format!("s3://{name}/some/files").parse().unwrap() else {
        panic!("{name} is a bucket");
    };
    let variables = variables.iter().map(|(name, value)| (&**name, &**value));
    Bucket::new(place, variables, client, TaskTracker::new()).unwrap()
}

fn bucket(server: &SeaweedFs) -> Bucket {
    bucket_of(&server.variables(), SeaweedFs::BUCKET)
}

/// A file that is made as it is read.
fn endless() -> impl Iterator<Item = Result<Bytes, Interrupted>> {
    (0_u64..).map(|number| Ok(Bytes::from(number.to_le_bytes().repeat(8 << 10))))
}

fn long(size: usize) -> impl Iterator<Item = Result<Bytes, Interrupted>> {
    endless().take(size / (64 << 10))
}

fn text(error: &FilesError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_bucket_keeps_the_promises_of_the_port() {
    let server = SeaweedFs::start().await.unwrap();
    contract::holds(&bucket(&server)).await;
    let left = server.everything().await.unwrap();
    assert!(
        left.iter().all(|name| name.starts_with("some/files/")),
        "{left:?}"
    );
}

/// The store clears away what is no upload any more a moment after it has said so.
async fn nothing_is_left(server: &SeaweedFs, files: &Bucket) {
    let begun = Instant::now();
    loop {
        let pending = files.pending(&files.place.key_of(FILE)).await.unwrap();
        let left = server.everything().await.unwrap();
        if pending.is_empty() && left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_upload_that_is_broken_off_leaves_nothing() {
    let server = SeaweedFs::start().await.unwrap();
    let files = bucket(&server);

    // By whoever sends it.
    let mut bytes = stream::iter(long(LONG).chain([Err(Interrupted::TooSlow)]));
    let result = files.put(FILE, &mut bytes).await;
    assert!(
        matches!(result, Err(FilesError::Interrupted(Interrupted::TooSlow))),
        "{result:?}"
    );
    nothing_is_left(&server, &files).await;

    // By whoever waits for it, once the store has said which upload it is; what is broken off before that goes with the
    // file, as below.
    {
        let sent = AtomicUsize::new(0);
        let counted = long(LONG).inspect(|_| {
            sent.fetch_add(64 << 10, Ordering::Relaxed);
        });
        let mut bytes = stream::iter(counted).chain(stream::pending());
        let mut putting = files.put(FILE, &mut bytes);
        while sent.load(Ordering::Relaxed) < LONG {
            assert!(futures::poll!(&mut putting).is_pending());
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            contract::get(&files, FILE).await,
            Err(FilesError::NotFound)
        ));
    }
    files.tasks.close();
    files.tasks.wait().await;
    nothing_is_left(&server, &files).await;

    // By the end of the process: nothing of ours runs any more, and the removal of the file has to find it.
    let key = files.place.key_of(FILE);
    let mut upload = files.store.put_multipart(&key).await.unwrap();
    let part = PutPayload::from(vec![7; PART_BYTES]);
    upload.put_part(part).await.unwrap();
    drop(upload);
    assert_ne!(server.everything().await.unwrap(), [] as [String; 0]);
    files.delete(FileId(FILE.0 + 1)).await.unwrap();
    assert_ne!(server.everything().await.unwrap(), [] as [String; 0]);
    files.delete(FILE).await.unwrap();
    nothing_is_left(&server, &files).await;
}

#[tokio::test]
async fn a_store_that_dies_is_told_and_not_waited_for() {
    let mut server = SeaweedFs::start().await.unwrap();
    let files = bucket(&server);
    let begun = Instant::now();
    let mut sent = 0;
    let bytes = endless().inspect(|_| {
        sent += 64 << 10;
        if sent == LONG {
            server.kill();
        }
    });
    let error = files.put(FILE, &mut stream::iter(bytes)).await.unwrap_err();
    let said = text(&error);
    assert!(said.contains("cannot be reached"), "{said}");
    for error in [
        files.get(FILE).await.map(drop).unwrap_err(),
        files.delete(FILE).await.unwrap_err(),
    ] {
        let said = text(&error);
        assert!(said.contains("cannot be reached"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_mins(1), "{begun:?}");
}

#[tokio::test]
async fn what_is_refused_is_told_without_a_secret() {
    let server = SeaweedFs::start().await.unwrap();
    let wrong = server.variables_of(SeaweedFs::KEY_ID, "wrong-hunter2-wrong");
    let unknown = server.variables_of("AKUNKNOWN", SeaweedFs::SECRET);
    let reader = server.variables_of(SeaweedFs::READER_ID, SeaweedFs::SECRET);
    for (variables, size, expected) in [
        (&wrong, 10, "refuses us (HTTP 403, SignatureDoesNotMatch)"),
        (&wrong, LONG, "refuses us (HTTP 403, SignatureDoesNotMatch)"),
        (&unknown, 10, "refuses us (HTTP 403, InvalidAccessKeyId)"),
        (&reader, 10, "refuses us (HTTP 403, AccessDenied)"),
    ] {
        let files = bucket_of(variables, SeaweedFs::BUCKET);
        let bytes = long(size).chain([Ok(Bytes::from_static(b"some"))]);
        let error = files.put(FILE, &mut stream::iter(bytes)).await.unwrap_err();
        let said = format!("{} {error:?}", text(&error));
        assert!(said.contains(expected), "{said}");
        for secret in ["hunter2", SeaweedFs::SECRET] {
            assert!(!said.contains(secret), "{said}");
        }
    }

    let files = bucket_of(&server.variables(), "another");
    for error in [
        files.get(FILE).await.map(drop).unwrap_err(),
        files
            .put(FILE, &mut stream::iter(long(64 << 10)))
            .await
            .unwrap_err(),
    ] {
        let said = text(&error);
        assert!(said.contains("no such bucket"), "{said}");
    }
    assert_eq!(server.everything().await.unwrap(), [] as [String; 0]);
}
