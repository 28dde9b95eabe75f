//! MCP servers that others wrote: the one that the protocol's authors keep for tests, their TypeScript SDK, and
//! FastMCP (Python).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use tokio::net::TcpStream;

use super::process::{Running, free_port, install};

/// A server over HTTP.
pub struct McpPeer {
    url: String,
    _running: Running,
}

impl McpPeer {
    /// `server-everything`, which has a tool of each shape: with a handshake, over streamable HTTP.
    pub async fn everything() -> anyhow::Result<Self> {
        let folder = mcp_folder()?;
        let mut command = Command::new("node");
        command.arg(folder.join(EVERYTHING)).arg("streamableHttp");
        Self::start("server-everything", command, "/mcp").await
    }

    /// The same over HTTP+SSE, the transport before that.
    pub async fn everything_of_old() -> anyhow::Result<Self> {
        let folder = mcp_folder()?;
        let mut command = Command::new("node");
        command.arg(folder.join(EVERYTHING)).arg("sse");
        Self::start("server-everything", command, "/sse").await
    }

    /// The TypeScript SDK, told to refuse a handshake.
    pub async fn modern() -> anyhow::Result<Self> {
        let folder = mcp_folder()?;
        let mut command = Command::new("node");
        command.arg(folder.join("modern.mjs"));
        Self::start("the TypeScript SDK", command, "/mcp").await
    }

    /// FastMCP: `stateful`, with sessions and streams, or `stateless`, with neither.
    pub async fn fast(state: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(mcp_python()?);
        command.arg(fixtures().join("fast.py")).arg(state);
        Self::start("FastMCP", command, "/mcp").await
    }

    async fn start(name: &'static str, mut command: Command, path: &str) -> anyhow::Result<Self> {
        let port = free_port().await?;
        command
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut running = Running::start(name, &mut command, "TERM")?;
        let is_ready = || async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() };
        running.until_ready(is_ready).await?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}{path}"),
            _running: running,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Where `server-everything` is, below [`mcp_folder`].
const EVERYTHING: &str = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mcp")
}

/// The folder of the servers and of the suite for clients; the first call on a machine installs their npm packages.
pub fn mcp_folder() -> anyhow::Result<PathBuf> {
    let folder = fixtures();
    install(&folder)?;
    Ok(folder)
}

/// A Python with FastMCP.
pub fn mcp_python() -> anyhow::Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told where the packages are"
    )]
    std::env::var("VESTIBULE_MCP_PYTHON").context(
        "VESTIBULE_MCP_PYTHON is not set; `make test-deps` installs FastMCP, and `. scripts/test-env` says where",
    )
}
