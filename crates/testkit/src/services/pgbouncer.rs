//! A pooler before a database.

use std::process::Stdio;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::postgresql::{PostgreSqlDatabase, as_server_user, give_to_server_user};
use super::process::{Running, free_port};

/// A running `PgBouncer`.
pub struct PgBouncer {
    url: String,
    _running: Running,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one in a mode (`session`, `transaction`) that makes so many connections to the server.
    pub async fn start(
        database: &PostgreSqlDatabase,
        mode: &str,
        connections: u32,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let port = free_port().await?;
        let server = database.url();
        let place = server.split_once('@').context("an address with a user")?.1;
        let (host, name) = place.split_once('/').context("a database")?;
        let (host, server_port) = host.split_once(':').context("a port")?;
        let config = folder.path().join("pgbouncer.ini");
        std::fs::write(
            &config,
            format!(
                "[databases]\n\
                 {name} = host={host} port={server_port} dbname={name} user=vestibule\n\
                 [pgbouncer]\n\
                 listen_addr = 127.0.0.1\n\
                 listen_port = {port}\n\
                 unix_socket_dir =\n\
                 auth_type = any\n\
                 pool_mode = {mode}\n\
                 default_pool_size = {connections}\n"
            ),
        )?;
        give_to_server_user(folder.path())?;
        let mut command = as_server_user("/usr/sbin/pgbouncer".as_ref());
        command
            .arg("-q")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SIGTERM is an immediate shutdown: it does not wait for clients.
        let mut running = Running::start("pgbouncer", &mut command, "TERM")?;
        running
            .until_ready(|| async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() })
            .await?;
        Ok(Self {
            url: format!("postgres://vestibule@127.0.0.1:{port}/{name}"),
            _running: running,
            _folder: folder,
        })
    }

    /// The address of the database, by way of it.
    pub fn url(&self) -> &str {
        &self.url
    }
}
