//! A Redis server that keeps nothing.

use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::process::{Running, free_port};

/// A running Redis.
pub struct Redis {
    port: u16,
    _running: Running,
    _folder: TempDir,
}

impl Redis {
    /// Starts `redis-server` without persistence.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let port = free_port().await?;
        let mut command = Command::new("redis-server");
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut running = Running::start("redis-server", &mut command, "TERM")?;
        running
            .until_ready(|| async { is_answering(port).await.unwrap_or(false) })
            .await?;
        Ok(Self {
            port,
            _running: running,
            _folder: folder,
        })
    }

    /// `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` prints for a command.
    pub fn ask(&self, command: &[&str]) -> anyhow::Result<String> {
        let port = self.port.to_string();
        let mut cli = Command::new("redis-cli");
        let output = cli.args(["-p", &port]).args(command).output()?;
        anyhow::ensure!(output.status.success(), "redis-cli: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Whether it answers `PING` with `PONG`.
async fn is_answering(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"+PONG\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_and_is_gone_when_it_is_dropped() {
        let redis = Redis::start().await.unwrap();
        let port = redis.port;
        assert!(is_answering(port).await.unwrap());
        assert_eq!(redis.url(), format!("redis://127.0.0.1:{port}"));
        drop(redis);
        assert!(is_answering(port).await.is_err());
    }
}
