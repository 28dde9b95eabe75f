//! A child process that ends with its guard, and how to wait until it can be used.

use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

/// How long a service may take to become ready.
const READY: Duration = Duration::from_secs(30);
/// How long it may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A running program.
pub(super) struct Running {
    name: &'static str,
    child: Child,
    stop_signal: &'static str,
}

impl Running {
    /// Starts a program. `stop_signal` is the signal that makes it end in good order.
    pub(super) fn start(
        name: &'static str,
        command: &mut Command,
        stop_signal: &'static str,
    ) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| {
            format!("{name} cannot be started; `scripts/test-deps` installs what the tests need")
        })?;
        Ok(Self {
            name,
            child,
            stop_signal,
        })
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Asks again and again until the service answers or its program has ended.
    pub(super) async fn until_ready<F>(
        &mut self,
        mut is_ready: impl FnMut() -> F,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = bool>,
    {
        let looks = READY.as_millis() / PAUSE.as_millis();
        for _ in 0..looks {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it was ready: {status}", self.name);
            }
            if is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{} was not ready after {READY:?}", self.name)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A signal needs `kill`: the standard library can only kill at once, and a database that is
        // killed leaves shared memory behind.
        let pid = self.child.id().to_string();
        let is_asked = Command::new("kill")
            .args(["-s", self.stop_signal, &pid])
            .status()
            .is_ok_and(|status| status.success());
        for _ in 0..STOP.as_millis() / PAUSE.as_millis() {
            match self.child.try_wait() {
                Ok(None) if is_asked => std::thread::sleep(PAUSE),
                _ => break,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `npm ci`, once for all tests that start at the same moment.
pub(super) fn install(folder: &Path) -> anyhow::Result<()> {
    let lock: PathBuf = std::env::temp_dir().join("vestibule-testkit-npm.lock");
    let lock = File::create(lock)?;
    lock.lock()?;
    let (wanted, installed) = (
        folder.join("package-lock.json"),
        folder.join("node_modules/.installed"),
    );
    if std::fs::read(&installed).ok() == std::fs::read(&wanted).ok() {
        return Ok(());
    }
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .output()
        .context("npm cannot be run; the tests need Node 20 or newer")?;
    if !output.status.success() {
        bail!("npm ci failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::copy(wanted, installed)?;
    Ok(())
}

/// A port of the loopback interface that is free now.
pub async fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))
        .await?
        .local_addr()?
        .port())
}
