//! A PostgreSQL server with one empty database.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::process::{Running, free_port};

/// A running PostgreSQL.
pub struct PostgreSql {
    port: u16,
    _running: Running,
    _folder: TempDir,
}

impl PostgreSql {
    /// Makes a cluster in a temporary folder and starts it, without waiting for disks.
    pub async fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let folder = TempDir::new()?;
        let data = folder.path().join("data");
        if is_root() {
            done(Command::new("chown").arg("postgres").arg(folder.path()))?;
        }
        done(
            as_server_user(&programs.join("initdb"))
                .args([
                    "--auth=trust",
                    "--username=vestibule",
                    "--encoding=UTF8",
                    "--no-sync",
                    "--pgdata",
                ])
                .arg(&data),
        )?;
        let port = free_port().await?;
        let mut command = as_server_user(&programs.join("postgres"));
        command
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F", "-k"])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SIGQUIT is PostgreSQL's immediate shutdown: it does not wait for clients.
        let mut running = Running::start("postgres", &mut command, "QUIT")?;
        let is_ready = programs.join("pg_isready");
        running
            .until_ready(|| async {
                let mut command = Command::new(&is_ready);
                command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
                command.status().is_ok_and(|status| status.success())
            })
            .await?;
        let create = programs.join("createdb");
        done(Command::new(create).args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-U",
            "vestibule",
            "vestibule",
        ]))?;
        Ok(Self {
            port,
            _running: running,
            _folder: folder,
        })
    }

    /// `postgres://vestibule@127.0.0.1:<port>/vestibule`; no password.
    pub fn url(&self) -> String {
        format!("postgres://vestibule@127.0.0.1:{}/vestibule", self.port)
    }
}

/// Where the newest installed PostgreSQL keeps its programs; Debian puts them outside of `PATH`.
fn programs() -> anyhow::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb")
                .exists()
                .then(|| (version, path.join("bin")))
        })
        .collect();
    found.sort();
    let newest = found
        .pop()
        .context("PostgreSQL is not installed; `scripts/test-deps` installs it")?;
    Ok(newest.1)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

/// PostgreSQL refuses to run as root; Debian's package brings a user for it.
fn as_server_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} cannot be run"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_queries_and_is_gone_when_it_is_dropped() {
        let server = PostgreSql::start().await.unwrap();
        let url = server.url();
        let ask = || {
            Command::new("psql")
                .args([&url, "-tAc", "select 6 * 7"])
                .output()
                .unwrap()
        };
        assert_eq!(ask().stdout, b"42\n");
        drop(server);
        assert!(!ask().status.success());
    }
}
