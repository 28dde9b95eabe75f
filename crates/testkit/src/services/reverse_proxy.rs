//! Reverse proxies, from the distribution's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::process::Running;

/// A program that passes requests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReverseProxyKind {
    Nginx,
    HaProxy,
    Caddy,
}

/// A running reverse proxy.
pub struct ReverseProxy {
    _running: Running,
    _folder: TempDir,
}

impl ReverseProxy {
    /// Starts it with this configuration, which has it listen on this port of the loopback interface. For nginx, what
    /// stands in `http`.
    pub async fn start(kind: ReverseProxyKind, config: &str, port: u16) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (mut command, stop_signal) = match kind {
            ReverseProxyKind::Nginx => (nginx(folder.path(), config)?, "QUIT"),
            ReverseProxyKind::HaProxy => (haproxy(folder.path(), config)?, "TERM"),
            ReverseProxyKind::Caddy => (caddy(folder.path(), config)?, "TERM"),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running::start("the proxy", &mut command, stop_signal)?;
        running
            .until_ready(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok())
            .await
            .with_context(|| format!("{kind:?} with\n{config}"))?;
        Ok(Self {
            _running: running,
            _folder: folder,
        })
    }
}

fn nginx(folder: &Path, config: &str) -> anyhow::Result<Command> {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};\n"))
        .concat();
    let whole = format!(
        "daemon off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{config}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, whole)?;
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder).arg("-c").arg(file);
    command.arg("-e").arg(folder.join("error.log"));
    Ok(command)
}

fn haproxy(folder: &Path, config: &str) -> anyhow::Result<Command> {
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, config)?;
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}

fn caddy(folder: &Path, config: &str) -> anyhow::Result<Command> {
    let file = folder.join("Caddyfile");
    std::fs::write(&file, config)?;
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]);
    command.arg(file).env("HOME", folder);
    Ok(command)
}
