//! Where files are kept, as `storage.files` says it: a folder, or a bucket of an object store.

use std::{fmt, path::PathBuf, str::FromStr};

use engine::ports::FileId;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

/// Where files are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum FilesPlace {
    /// A folder of this machine, or one that several of them see.
    Folder(PathBuf),
    /// A bucket behind the S3 protocol.
    Bucket(BucketPlace),
}

impl FilesPlace {
    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket(_) => None,
        }
    }
}

/// `s3://BUCKET/PREFIX`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlace {
    bucket: String,
    prefix: Path,
}

impl BucketPlace {
    /// The name of the bucket.
    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Where a file is. The same places as below a folder, so that any tool that copies folders to buckets moves an
    /// installation.
    pub(super) fn key_of(&self, file: FileId) -> Path {
        self.prefix
            .clone()
            .join(super::folder_name(file))
            .join(file.to_string())
    }
}

/// What is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// It has another scheme.
    #[error(
        "storage.files is a folder, or s3://BUCKET/PREFIX; `{0}` is neither (other object stores speak S3, too: \
         AWS_ENDPOINT_URL says where they are)"
    )]
    Scheme(String),
    /// The name of the bucket is none.
    #[error(
        "`{0}` names no bucket: storage.files is s3://BUCKET or s3://BUCKET/PREFIX, and credentials and addresses are in \
         AWS_… variables"
    )]
    Bucket(String),
    /// What follows the bucket cannot be the beginning of names.
    #[error("`{0}` has an empty part, a dot or a query after the bucket; write s3://BUCKET/PREFIX")]
    Prefix(String),
}

impl FromStr for FilesPlace {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Folder(PathBuf::from(text)));
        };
        if scheme != "s3" {
            return Err(InvalidPlace::Scheme(text.to_owned()));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let may_be_in_a_name =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        // Somebody may have put a key in front of an `@`, so the address is not repeated.
        if bucket.is_empty() || !bucket.bytes().all(may_be_in_a_name) {
            let place = if bucket.contains('@') {
                "s3://…"
            } else {
                text
            };
            return Err(InvalidPlace::Bucket(place.to_owned()));
        }
        let prefix = Path::parse(prefix)
            .ok()
            .filter(|_| !prefix.starts_with('/') && !prefix.contains(['?', '#', '%']))
            .ok_or_else(|| InvalidPlace::Prefix(text.to_owned()))?;
        Ok(Self::Bucket(BucketPlace {
            bucket: bucket.to_owned(),
            prefix,
        }))
    }
}

impl fmt::Display for FilesPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(formatter),
            Self::Bucket(bucket) => bucket.fmt(formatter),
        }
    }
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}", self.bucket)?;
        if self.prefix.as_ref().is_empty() {
            return Ok(());
        }
        write!(formatter, "/{}", self.prefix)
    }
}

impl TryFrom<String> for FilesPlace {
    type Error = InvalidPlace;

    fn try_from(text: String) -> Result<Self, InvalidPlace> {
        text.parse()
    }
}

impl From<FilesPlace> for String {
    fn from(place: FilesPlace) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_its_prefix_are_read_and_written() {
        for (text, shown, key) in [
            ("s3://chat", "s3://chat", "bc/"),
            ("s3://chat/", "s3://chat", "bc/"),
            ("s3://chat/a/b", "s3://chat/a/b", "a/b/bc/"),
            ("s3://chat/a/b/", "s3://chat/a/b", "a/b/bc/"),
        ] {
            let place: FilesPlace = text.parse().unwrap();
            assert_eq!(place.to_string(), shown);
            let FilesPlace::Bucket(bucket) = place else {
                panic!("{text} is a bucket");
            };
            let file = FileId(0xabc);
            assert_eq!(bucket.key_of(file).as_ref(), format!("{key}{file}"));
        }
    }

    #[test]
    fn anything_without_a_scheme_is_a_folder() {
        for text in ["data/files", "/var/lib/files", "./s3", r"C:\files"] {
            let place: FilesPlace = text.parse().unwrap();
            assert_eq!(place, FilesPlace::Folder(text.into()));
            assert_eq!(place.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_and_no_key_repeated() {
        for text in [
            "gs://chat",
            "https://chat.s3.amazonaws.com",
            "s3://",
            "s3:///a",
            "s3://chat//a",
            "s3://chat/../a",
            "s3://chat/a?b",
            "s3://AKIA:hunter2@chat/a",
        ] {
            let refusal = text.parse::<FilesPlace>().unwrap_err().to_string();
            assert!(refusal.contains("s3://"), "{refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
