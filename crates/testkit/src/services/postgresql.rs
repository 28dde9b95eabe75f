//! A PostgreSQL server with one empty database, and new databases of one that tests share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::process::{Running, free_port};

/// A running PostgreSQL.
pub struct PostgreSql {
    port: u16,
    /// None while it is stopped.
    running: Option<Running>,
    programs: PathBuf,
    options: Vec<String>,
    folder: TempDir,
}

impl PostgreSql {
    /// Makes a cluster in a temporary folder and starts it, without waiting for disks.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[], &[]).await
    }

    /// The same with settings (`name=value`), and with files that are put into its data folder first.
    pub async fn start_with(settings: &[&str], files: &[(&str, &str)]) -> anyhow::Result<Self> {
        let programs = programs()?;
        let folder = TempDir::new()?;
        let data = folder.path().join("data");
        give_to_server_user(folder.path())?;
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
        for (name, text) in files {
            let path = data.join(name);
            std::fs::write(&path, text)?;
            done(Command::new("chmod").arg("600").arg(&path))?;
            give_to_server_user(&path)?;
        }
        let mut server = Self {
            port: free_port().await?,
            running: None,
            programs,
            options: settings
                .iter()
                .flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()])
                .collect(),
            folder,
        };
        server.go_on().await?;
        done(server.program("createdb").arg("vestibule"))?;
        Ok(server)
    }

    /// Starts it again, where it was stopped.
    pub async fn go_on(&mut self) -> anyhow::Result<()> {
        let mut command = as_server_user(&self.programs.join("postgres"));
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-F", "-k"])
            .arg(self.folder.path())
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SIGQUIT is PostgreSQL's immediate shutdown: it does not wait for clients.
        let mut running = Running::start("postgres", &mut command, "QUIT")?;
        let ready = || self.program("pg_isready");
        running
            .until_ready(|| async {
                let status = ready().arg("-q").status();
                status.is_ok_and(|status| status.success())
            })
            .await?;
        self.running = Some(running);
        Ok(())
    }

    /// Stops it at once, as a crash would.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// `postgres://vestibule@127.0.0.1:<port>/vestibule`; no password.
    pub fn url(&self) -> String {
        format!("postgres://vestibule@127.0.0.1:{}/vestibule", self.port)
    }

    /// Its port on the loopback interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// One of PostgreSQL's programs, which knows where the server is.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        let port = self.port.to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "-U", "vestibule"]);
        command
    }
}

/// A new, empty database of a server that tests share: the one that `VESTIBULE_TEST_POSTGRESQL` names, or else one of
/// this process, which stops with the last database of it. It is gone when it is dropped.
pub struct PostgreSqlDatabase {
    /// The server's own database.
    admin: String,
    name: String,
    /// Outlives the database.
    _server: Option<Arc<PostgreSql>>,
}

static SERVER: Mutex<Weak<PostgreSql>> = Mutex::const_new(Weak::new());
static COUNT: AtomicU32 = AtomicU32::new(0);

impl PostgreSqlDatabase {
    /// Makes one.
    pub async fn new() -> anyhow::Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the environment says which services tests are to use"
        )]
        let shared = std::env::var("VESTIBULE_TEST_POSTGRESQL");
        let (admin, server) = if let Ok(url) = shared {
            (url, None)
        } else {
            let mut known = SERVER.lock().await;
            let server = match known.upgrade() {
                Some(server) => server,
                None => Arc::new(PostgreSql::start().await?),
            };
            *known = Arc::downgrade(&server);
            (server.url(), Some(server))
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let database = Self {
            admin,
            name,
            _server: server,
        };
        database.admin(&format!("CREATE DATABASE {}", database.name))?;
        Ok(database)
    }

    /// Makes one where tests that have a SQLite database otherwise are to run on PostgreSQL
    /// (`VESTIBULE_TEST_STORE=postgresql`).
    pub async fn where_wanted() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            clippy::expect_used,
            reason = "the environment says which services tests are to use; a test without its service fails"
        )]
        match std::env::var("VESTIBULE_TEST_STORE").as_deref() {
            Ok("postgresql") => Some(Self::new().await.expect("a PostgreSQL")),
            _ => None,
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        let (server, _) = self.admin.rsplit_once('/').unwrap_or((&self.admin, ""));
        format!("{server}/{}", self.name)
    }

    /// Runs SQL in it; gives the first column of the rows, one a line.
    pub fn sql(&self, sql: &str) -> anyhow::Result<String> {
        psql(&self.url(), sql)
    }

    /// All of it as SQL.
    pub fn dump(&self) -> anyhow::Result<Vec<u8>> {
        let output = Command::new(programs()?.join("pg_dump"))
            .arg("--no-sync")
            .arg(self.url())
            .output()?;
        if !output.status.success() {
            bail!(
                "pg_dump failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(output.stdout)
    }

    fn admin(&self, sql: &str) -> anyhow::Result<String> {
        psql(&self.admin, sql)
    }
}

impl Drop for PostgreSqlDatabase {
    fn drop(&mut self) {
        // A server that was stopped has taken it along.
        let _ = self.admin(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn psql(url: &str, sql: &str) -> anyhow::Result<String> {
    let output = Command::new("psql")
        .args(["-X", "-v", "ON_ERROR_STOP=1", "-tAc", sql, url])
        .output()
        .context("psql cannot be run; `scripts/test-deps` installs it")?;
    if !output.status.success() {
        bail!("psql failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
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

pub(super) fn give_to_server_user(path: &Path) -> anyhow::Result<()> {
    if is_root() {
        done(Command::new("chown").arg("postgres").arg(path))?;
    }
    Ok(())
}

/// PostgreSQL refuses to run as root; Debian's package brings a user for it.
pub(super) fn as_server_user(program: &Path) -> Command {
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
