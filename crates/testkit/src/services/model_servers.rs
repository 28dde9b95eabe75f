//! Model servers that nobody here wrote: llama.cpp's, and `LiteLLM`'s proxy in front of it.
//!
//! They serve a model whose answer is known; see `conformance/models`.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{ChildStdin, Command, Stdio},
};

use anyhow::Context as _;
use serde::Deserialize;
use tempfile::TempDir;

use super::process::Running;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../conformance/models/serve.py"
);

/// Running model servers.
pub struct ModelServers {
    addresses: Addresses,
    // In this order: they end in good order when their input does.
    _input: ChildStdin,
    _running: Running,
    _folder: TempDir,
}

#[derive(Deserialize)]
struct Addresses {
    llama: String,
    litellm: Option<String>,
}

impl ModelServers {
    /// The name of the model that answers [`ANSWER`](Self::ANSWER), or calls the tool `light` where tools are offered
    /// and none has answered.
    pub const MODEL: &str = "tiny";
    /// What it says.
    pub const ANSWER: &str = "Hello from a tiny model, 日本語🙂! It says this to everybody.";
    /// What it says in sixteen tokens.
    pub const BEGINNING: &str = "Hello from a tiny model, 日本語🙂! It says this";
    /// `LiteLLM`'s key.
    pub const KEY: &str = "sk-test-0123456789";

    /// Starts llama.cpp's server, and `LiteLLM` where it is wanted. `folder` has the Python environment that
    /// `conformance/models/setup` makes.
    pub fn start(folder: &Path, with_litellm: bool) -> anyhow::Result<Self> {
        let files = TempDir::new()?;
        let mut command = Command::new(folder.join("bin/python"));
        command
            .arg(SCRIPT)
            .arg(files.path())
            .args(with_litellm.then_some("--litellm"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = Running::start("the model servers", &mut command, "TERM")?;
        let child = running.child();
        let input = child.stdin.take().context("no input")?;
        let output = child.stdout.take().context("no output")?;
        let errors = child.stderr.take().context("no errors")?;
        // Read to its end, or the servers would wait for room.
        let errors = std::thread::spawn(move || std::io::read_to_string(errors));
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let addresses = serde_json::from_str(&line).with_context(|| {
            let said = errors.join().ok().and_then(Result::ok);
            format!("no addresses: {}", said.unwrap_or_default())
        })?;
        Ok(Self {
            addresses,
            _input: input,
            _running: running,
            _folder: files,
        })
    }

    /// The base URL of llama.cpp's server.
    pub fn llama(&self) -> &str {
        &self.addresses.llama
    }

    /// The base URL of `LiteLLM`, where it was started.
    pub fn litellm(&self) -> &str {
        self.addresses.litellm.as_deref().unwrap_or_default()
    }
}
