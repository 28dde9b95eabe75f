//! The promises of the `Files` port on a real folder, and what is in that folder meanwhile.

use std::path::Path;

use bytes::Bytes;
use engine::ports::Interrupted;
use futures::stream;
use tempfile::TempDir;

use super::*;

const FILE: FileId = FileId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn folder() -> (TempDir, LocalFiles) {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFiles::new(folder.path().join("new/files"));
    (folder, files)
}

async fn put(files: &LocalFiles, chunks: &[&'static str]) -> Result<Kept, FilesError> {
    let chunks: Vec<_> = chunks
        .iter()
        .map(|chunk| match *chunk {
            "interrupted" => Err(Interrupted::BrokeOff),
            chunk => Ok(Bytes::from_static(chunk.as_bytes())),
        })
        .collect();
    files.put(FILE, &mut stream::iter(chunks)).await
}

async fn get(files: &LocalFiles) -> Result<Vec<u8>, FilesError> {
    contract::get(files, FILE).await
}

/// Every file below a folder.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn a_folder_keeps_the_promises_of_the_port() {
    let (_folder, files) = folder();
    contract::holds(&files).await;
}

#[tokio::test]
async fn bytes_come_back_with_their_size_and_hash() {
    let (folder, files) = folder();
    let kept = put(&files, &["hello ", "", "world"]).await.unwrap();
    assert_eq!(kept.size, 11);
    let expected = digest::digest(&digest::SHA256, b"hello world");
    assert_eq!(kept.sha256, expected.as_ref());
    assert_eq!(get(&files).await.unwrap(), b"hello world");
    let found = everything(folder.path());
    assert_eq!(
        found,
        [folder
            .path()
            .join("new/files/ef/0123456789abcdef0123456789abcdef")]
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for path in [found[0].as_path(), found[0].parent().unwrap()] {
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} {mode:o}", path.display());
        }
    }
}

#[tokio::test]
async fn a_broken_off_file_leaves_nothing() {
    let (folder, files) = folder();
    let result = put(&files, &["hello ", "interrupted"]).await;
    assert!(
        matches!(result, Err(FilesError::Interrupted(_))),
        "{result:?}"
    );
    assert_eq!(everything(folder.path()), [] as [PathBuf; 0]);
    assert!(matches!(get(&files).await, Err(FilesError::NotFound)));
}

#[tokio::test]
async fn a_writer_that_goes_away_takes_its_part_along() {
    let (folder, files) = folder();
    {
        let mut endless = stream::iter([Ok(Bytes::from_static(b"x"))]).chain(stream::pending());
        let mut writing = files.put(FILE, &mut endless);
        while everything(folder.path()).is_empty() {
            assert!(futures::poll!(&mut writing).is_pending());
            tokio::task::yield_now().await;
        }
        assert!(get(&files).await.is_err(), "half a file can be read");
    }
    // Where the file was only just made, it goes on its own thread.
    let gone = async {
        while !everything(folder.path()).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(10);
    tokio::time::timeout(patience, gone).await.unwrap();
}

#[tokio::test]
async fn deleting_takes_what_a_crash_left_too() {
    let (folder, files) = folder();
    files.delete(FILE).await.unwrap();
    put(&files, &["first"]).await.unwrap();
    let whole = everything(folder.path()).remove(0);
    std::fs::write(whole.with_extension("part"), "half").unwrap();
    files.delete(FILE).await.unwrap();
    assert_eq!(everything(folder.path()), [] as [PathBuf; 0]);
    assert!(matches!(get(&files).await, Err(FilesError::NotFound)));
}
