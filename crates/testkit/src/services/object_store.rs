//! An object store that speaks S3: `SeaweedFS`, with one bucket.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use super::process::{Running, free_port};

/// A running `SeaweedFS`.
pub struct SeaweedFs {
    s3: u16,
    filer: u16,
    // First, so that the folder is there as long as it runs.
    running: Option<Running>,
    /// It leaves these behind when it is killed, and cannot be told to put them elsewhere.
    sockets: Vec<PathBuf>,
    _folder: TempDir,
}

/// What a folder of it holds.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    entries: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    full_path: String,
    /// As in Go: the highest bit says that it is a folder.
    mode: u32,
}

impl Entry {
    fn is_folder(&self) -> bool {
        self.mode & (1 << 31) != 0
    }
}

impl SeaweedFs {
    /// The bucket that is there.
    pub const BUCKET: &str = "chat";
    /// A key that may do everything.
    pub const KEY_ID: &str = "AKTESTTESTTESTTEST00";
    /// Its secret.
    pub const SECRET: &str = "c2VjcmV0LW9mLXRlc3Rz-SECRET";
    /// A key that may only read, with the same secret.
    pub const READER_ID: &str = "AKTESTTESTTESTTEST01";

    /// Starts it and makes the bucket.
    pub async fn start() -> anyhow::Result<Self> {
        let program = program()?;
        let folder = TempDir::new()?;
        let (s3, filer) = (free_port().await?, free_port().await?);
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, identities())?;
        let mut command = Command::new(program);
        command
            .arg("server")
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
            .arg(format!("-dir={}", folder.path().display()))
            .arg(format!("-s3.config={}", keys.display()))
            .arg(format!("-s3.port={s3}"))
            .arg(format!("-filer.port={filer}"));
        let mut sockets = Vec::new();
        for part in ["s3", "filer", "master", "volume"] {
            let port = free_port().await?;
            command.arg(format!("-{part}.port.grpc={port}"));
            sockets.push(PathBuf::from(format!(
                "/tmp/seaweedfs-{part}-grpc-{port}.sock"
            )));
        }
        for part in ["master", "volume"] {
            command.arg(format!("-{part}.port={}", free_port().await?));
        }
        for socket in ["s3", "filer"] {
            let path = folder.path().join(format!("{socket}.sock"));
            command.arg(format!("-{socket}.localSocket={}", path.display()));
        }
        command
            // Neither of the two other protocols that it speaks beside S3, whose ports are always the same.
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"])
            .args([
                "-s3.autoCreateBucket=false",
                "-volume.max=20",
                "-volume.minFreeSpace=100MiB",
            ])
            .arg("-master.volumeSizeLimitMB=64")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut running = Running::start("weed (SeaweedFS)", &mut command, "KILL")?;
        running
            .until_ready(|| async { make_bucket(s3, filer).await.is_ok() })
            .await?;
        Ok(Self {
            s3,
            filer,
            running: Some(running),
            sockets,
            _folder: folder,
        })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.s3)
    }

    /// The variables of the environment that lead to it, with a key that may do everything.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.variables_of(Self::KEY_ID, Self::SECRET)
    }

    /// The same with another key.
    pub fn variables_of(&self, key: &str, secret: &str) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", &*self.url()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Everything that is in the bucket, parts of unfinished uploads too, as the store itself sees it.
    pub async fn everything(&self) -> anyhow::Result<Vec<String>> {
        let top = format!("/buckets/{}", Self::BUCKET);
        let mut folders = vec![top.clone()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            let url = format!("http://127.0.0.1:{}{folder}/?limit=10000", self.filer);
            let request = client()?.get(url).header("Accept", "application/json");
            let listing: Listing = request.send().await?.error_for_status()?.json().await?;
            for entry in listing.entries.unwrap_or_default() {
                if entry.is_folder() {
                    folders.push(entry.full_path.clone());
                }
                // Empty folders are cleared away by and by, and are none for S3; of an upload, it is what is pending.
                let is_upload = entry.full_path.contains("/.uploads/");
                if !entry.is_folder() || is_upload {
                    let name = entry.full_path.strip_prefix(&top).unwrap_or_default();
                    found.push(name.trim_start_matches('/').to_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Kills it, with everything that it was doing.
    pub fn kill(&mut self) {
        self.running = None;
    }
}

impl Drop for SeaweedFs {
    fn drop(&mut self) {
        self.running = None;
        for socket in &self.sockets {
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Where `scripts/test-deps` has put it.
fn program() -> anyhow::Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test says where other people's programs are by a variable"
    )]
    let folder = std::env::var("VESTIBULE_SEAWEEDFS");
    let folder = folder.context("VESTIBULE_SEAWEEDFS is not set; run `. scripts/test-env`")?;
    Ok(PathBuf::from(folder).join("bin/weed"))
}

fn identities() -> String {
    let identity = |name: &str, key: &str, actions: &[&str]| {
        serde_json::json!({
            "name": name,
            "credentials": [{ "accessKey": key, "secretKey": SeaweedFs::SECRET }],
            "actions": actions,
        })
    };
    serde_json::json!({ "identities": [
        identity("admin", SeaweedFs::KEY_ID, &["Admin", "Read", "List", "Tagging", "Write"]),
        identity("reader", SeaweedFs::READER_ID, &["Read", "List"]),
    ] })
    .to_string()
}

fn client() -> anyhow::Result<reqwest::Client> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests ask a server on this machine"
    )]
    let builder = reqwest::Client::builder();
    Ok(builder.no_proxy().build()?)
}

/// A bucket is a folder of the store's own file system. Fails until all parts of the store are there.
async fn make_bucket(s3: u16, filer: u16) -> anyhow::Result<()> {
    let client = client()?;
    // Refused without a signature, once it is there.
    let answer = client
        .get(format!("http://127.0.0.1:{s3}/{}", SeaweedFs::BUCKET))
        .send()
        .await?;
    ensure!(answer.status() == 403, "not ready");
    client
        .post(format!(
            "http://127.0.0.1:{filer}/buckets/{}/",
            SeaweedFs::BUCKET
        ))
        .send()
        .await?
        .error_for_status()
        .context("the bucket cannot be made")?;
    Ok(())
}
