//! A long file on its way through a bucket, and how much of it is in memory. In a process of its own, so that nobody
//! else's memory is measured.
#![cfg(test)]

use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use engine::ports::{FileId, Files};
use futures::{StreamExt, stream};
use store::{Bucket, FilesPlace};
use testkit::services::SeaweedFs;
use tokio_util::task::TaskTracker;

/// Five parts.
const SIZE: usize = 40 << 20;
const CHUNK: usize = 64 << 10;

#[tokio::test]
async fn a_long_file_goes_in_parts_and_is_never_held() {
    let server = SeaweedFs::start().await.unwrap();
    let files = bucket(&server);
    let before = most_memory();
    // Made as it is read.
    let mut bytes = stream::iter((0..SIZE / CHUNK).map(|number| Ok(Bytes::from(chunk(number)))));
    let kept = files.put(FileId(7), &mut bytes).await.unwrap();
    assert_eq!(kept.size, SIZE as u64);

    let mut sha256 = digest::Context::new(&digest::SHA256);
    let mut bytes = files.get(FileId(7)).await.unwrap();
    while let Some(chunk) = bytes.next().await {
        sha256.update(&chunk.unwrap());
    }
    assert_eq!(sha256.finish().as_ref(), kept.sha256);
    let grown = most_memory() - before;
    println!("{} MiB more than before", grown >> 20);
    assert!(grown < 30 << 20, "{grown} bytes more than before");
    let name = format!("files/07/{}", FileId(7));
    assert_eq!(server.everything().await.unwrap(), [name]);
}

fn bucket(server: &SeaweedFs) -> Bucket {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client that the composition root hands in is in a crate beside this one"
    )]
    let client = reqwest::Client::builder()
        .read_timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let place = format!("s3://{}/files", SeaweedFs::BUCKET);
    let FilesPlace::Bucket(place) = place.parse().unwrap() else {
        panic!("{place} is a bucket");
    };
    let variables = server.variables();
    let variables = variables.iter().map(|(name, value)| (&**name, &**value));
    Bucket::new(place, variables, client, TaskTracker::new()).unwrap()
}

fn chunk(number: usize) -> Vec<u8> {
    number.to_le_bytes().repeat(CHUNK / 8)
}

/// The most memory that this process had, in bytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.unwrap().parse::<u64>().unwrap() << 10
}
