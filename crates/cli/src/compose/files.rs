//! Where files are kept: a folder, or a bucket of an object store.

use std::sync::Arc;

use anyhow::{Context, bail};
use engine::ports::Files;
use store::{Bucket, BucketPlace, FilesPlace, LocalFiles};
use tokio_util::task::TaskTracker;
use upstream::{HttpClient, HttpPolicy};
use url::Url;

use crate::config::{RawConfig, Variables};

/// Where AWS's own tools look for another address of the object store, in this order.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];

/// The files of the configuration. What is done behind a caller's back is done in `tasks`.
pub(crate) fn files(
    config: &RawConfig,
    variables: &Variables,
    tasks: &TaskTracker,
) -> anyhow::Result<Arc<dyn Files>> {
    files_at(&config.storage.files, variables, tasks)
}

/// The files at a place.
pub(crate) fn files_at(
    place: &FilesPlace,
    variables: &Variables,
    tasks: &TaskTracker,
) -> anyhow::Result<Arc<dyn Files>> {
    Ok(match place {
        FilesPlace::Folder(folder) => Arc::new(LocalFiles::new(folder)),
        FilesPlace::Bucket(bucket) => {
            let opened = open_bucket(bucket.clone(), variables, tasks.clone());
            Arc::new(opened.with_context(|| format!("failed to use storage.files `{bucket}`"))?)
        }
    })
}

fn open_bucket(
    place: BucketPlace,
    variables: &Variables,
    tasks: TaskTracker,
) -> anyhow::Result<Bucket> {
    let policy = HttpPolicy {
        allow_insecure_http: may_be_plain(variables)?,
        ..HttpPolicy::BYTES
    };
    let client = HttpClient::new(&policy)?;
    for name in ENDPOINTS {
        let Some(endpoint) = variables.get(name) else {
            continue;
        };
        // Not repeated: somebody may have put a password into it.
        let url = Url::parse(endpoint)
            .with_context(|| format!("{name} is no web address like https://s3.example.com"))?;
        if let Err(error) = client.check(&url) {
            bail!("{name}: {error} (for an object store, that is AWS_ALLOW_HTTP=true)");
        }
    }
    let variables = variables.beginning_with("AWS_");
    Ok(Bucket::new(place, variables, client.inner(), tasks)?)
}

/// Whether the object store may be asked without TLS on another machine than this one.
fn may_be_plain(variables: &Variables) -> anyhow::Result<bool> {
    match variables.get("AWS_ALLOW_HTTP") {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => bail!("AWS_ALLOW_HTTP is \"true\" or \"false\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(variables: &[(&str, &str)]) -> Result<(), String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let place = "s3://chat/files".parse().unwrap();
        files_at(&place, &variables, &TaskTracker::new())
            .map(drop)
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_object_store_is_asked_over_tls_or_on_this_machine() {
        for endpoint in ["https://s3.example.com", "http://127.0.0.1:8333"] {
            assert_eq!(
                open(&[("AWS_ENDPOINT_URL", endpoint)]),
                Ok(()),
                "{endpoint}"
            );
        }
        let plain = ("AWS_ENDPOINT_URL_S3", "http://minio.internal:9000");
        let refusal = open(&[plain]).unwrap_err();
        assert!(refusal.contains("AWS_ALLOW_HTTP=true"), "{refusal}");
        assert_eq!(open(&[plain, ("AWS_ALLOW_HTTP", "true")]), Ok(()));
    }

    #[test]
    fn half_a_credential_is_refused_at_once_and_not_repeated() {
        let refusal = open(&[("AWS_SECRET_ACCESS_KEY", "hunter2")]).unwrap_err();
        assert!(
            refusal.contains("s3://chat/files") && !refusal.contains("hunter2"),
            "{refusal}"
        );
        let refusal = open(&[("AWS_ENDPOINT_URL", "https://ada:hunter2@example.com")]).unwrap_err();
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }
}
