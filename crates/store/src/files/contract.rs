//! The promises of the `Files` port, which every place for files keeps.

use bytes::Bytes;
use engine::ports::Interrupted;
use futures::{TryStreamExt, stream};

use super::*;

/// Files that are nothing, a piece, several, a whole part, and more than one.
const SIZES: [usize; 5] = [0, 11, 70_000, 8 << 20, (8 << 20) + 1];

/// Holds all of it against a place where none of these files is.
pub(super) async fn holds(files: &dyn Files) {
    for (number, size) in SIZES.into_iter().enumerate() {
        bytes_come_back(files, file(0x100 + number as u128), size).await;
    }
    for (number, size) in SIZES.into_iter().enumerate() {
        a_broken_off_file_leaves_nothing(files, file(0x200 + number as u128), size).await;
        a_name_is_used_once(files, file(0x300 + number as u128), size).await;
        what_is_deleted_is_gone(files, file(0x400 + number as u128), size).await;
    }
    a_name_that_is_deleted_may_be_used_again(files, file(0x500)).await;
}

fn file(number: u128) -> FileId {
    FileId(0x0123_4567_89ab_cdef_0123_0000_0000_0000 + number)
}

/// Bytes that differ from place to place, in pieces that fit nothing.
pub(super) fn pieces(size: usize) -> Vec<Bytes> {
    let bytes: Vec<u8> = (0..=250).cycle().step_by(31).take(size).collect();
    let bytes = Bytes::from(bytes);
    (0..size)
        .step_by(60_001)
        .map(|from| bytes.slice(from..size.min(from + 60_001)))
        .collect()
}

async fn put(files: &dyn Files, file: FileId, size: usize) -> Result<Kept, FilesError> {
    let empty = [Ok(Bytes::new())];
    let pieces = pieces(size).into_iter().map(Ok).chain(empty);
    files.put(file, &mut stream::iter(pieces)).await
}

pub(super) async fn get(files: &dyn Files, file: FileId) -> Result<Vec<u8>, FilesError> {
    let chunks = files.get(file).await?;
    let all: Vec<Bytes> = chunks.try_collect().await.map_err(failed)?;
    Ok(all.concat())
}

async fn bytes_come_back(files: &dyn Files, file: FileId, size: usize) {
    let kept = put(files, file, size).await.unwrap();
    let sent = pieces(size).concat();
    assert_eq!(kept.size, size as u64);
    let expected = digest::digest(&digest::SHA256, &sent);
    assert_eq!(kept.sha256, expected.as_ref());
    assert!(get(files, file).await.unwrap() == sent, "{size} bytes");
}

async fn a_broken_off_file_leaves_nothing(files: &dyn Files, file: FileId, size: usize) {
    let end = [Err(Interrupted::BrokeOff)];
    let pieces = pieces(size).into_iter().map(Ok).chain(end);
    let result = files.put(file, &mut stream::iter(pieces)).await;
    assert!(
        matches!(result, Err(FilesError::Interrupted(_))),
        "{result:?}"
    );
    assert!(matches!(get(files, file).await, Err(FilesError::NotFound)));
}

async fn a_name_is_used_once(files: &dyn Files, file: FileId, size: usize) {
    put(files, file, 11).await.unwrap();
    let again = put(files, file, size).await;
    assert!(matches!(again, Err(FilesError::Exists)), "{again:?}");
    assert_eq!(get(files, file).await.unwrap(), pieces(11).concat());
}

async fn what_is_deleted_is_gone(files: &dyn Files, file: FileId, size: usize) {
    files.delete(file).await.unwrap();
    put(files, file, size).await.unwrap();
    files.delete(file).await.unwrap();
    assert!(matches!(get(files, file).await, Err(FilesError::NotFound)));
    files.delete(file).await.unwrap();
}

async fn a_name_that_is_deleted_may_be_used_again(files: &dyn Files, file: FileId) {
    put(files, file, 11).await.unwrap();
    files.delete(file).await.unwrap();
    bytes_come_back(files, file, 12).await;
}
