//! The load client: reads every stream to the last byte and reports one line of JSON.
//!
//! An answer that is not faithful counts as failed, however fast it came.

mod call;
mod counts;
mod stream;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};
use rig::fidelity::Format;
use tokio::task::LocalSet;

/// Puts load on a server on this machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Streams to their end, again and again.
    Stream(StreamArguments),
    /// Opens streams, keeps them open until standard input ends, then drops them all at once.
    Hold(HoldArguments),
    /// Small requests over kept-alive connections.
    Call(CallArguments),
    /// Client secrets, each exchanged for the next one.
    Refresh(RefreshArguments),
}

#[derive(Args)]
struct Target {
    /// The server, on loopback.
    #[arg(long)]
    address: SocketAddr,
    /// The path.
    #[arg(long)]
    path: String,
    /// A bearer token.
    #[arg(long)]
    bearer: Option<String>,
}

#[derive(Args)]
struct StreamTarget {
    #[command(flatten)]
    target: Target,
    /// The JSON body of each request.
    #[arg(long, required_unless_present = "bodies")]
    body: Option<String>,
    /// A file with bodies, one a line, which are sent in turn.
    #[arg(long, conflicts_with = "body")]
    bodies: Option<PathBuf>,
    /// A file with bearer tokens, one a line, which are sent in turn: the first with the first body.
    #[arg(long, conflicts_with = "bearer")]
    bearers: Option<PathBuf>,
    /// Another server beside the first one, on loopback: each stream goes to the next.
    #[arg(long)]
    also: Vec<SocketAddr>,
    /// What the server speaks.
    #[arg(long)]
    format: Format,
    /// How many tokens belong to each stream.
    #[arg(long)]
    tokens: u32,
}

#[derive(Args)]
struct StreamArguments {
    #[command(flatten)]
    stream: StreamTarget,
    /// Streams at a time.
    #[arg(long)]
    concurrency: usize,
    /// Streams in all.
    #[arg(long, default_value_t = u64::MAX)]
    streams: u64,
    /// Begin no stream after this many seconds.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Give up on streams that are still running this many seconds after that.
    #[arg(long, default_value_t = 15.0)]
    grace: f64,
    /// Workers that begin a second; all at once when left out.
    #[arg(long)]
    ramp: Option<f64>,
    /// Streams that begin a second in all, evenly, whether earlier ones have ended or not, as long as there are workers;
    /// when left out, each worker begins the next one when its last one has ended.
    #[arg(long, conflicts_with = "ramp")]
    rate: Option<f64>,
    /// All streams of a worker over one connection.
    #[arg(long)]
    keep_alive: bool,
}

#[derive(Args)]
struct HoldArguments {
    #[command(flatten)]
    stream: StreamTarget,
    /// How many streams.
    #[arg(long)]
    streams: usize,
    /// Streams opened a second.
    #[arg(long)]
    ramp: f64,
}

#[derive(Args)]
struct CallArguments {
    #[command(flatten)]
    target: Target,
    /// The JSON body of a POST; a GET when left out.
    #[arg(long)]
    body: Option<String>,
    /// A file with bearer tokens, one a line: each is sent once, and the run ends with the last one.
    #[arg(long, conflicts_with = "bearer")]
    bearers: Option<PathBuf>,
    /// A file with bodies, one a line, which are sent in turn: the first with the first token.
    #[arg(long, conflicts_with = "body")]
    bodies: Option<PathBuf>,
    /// Begins with the first token again after the last one.
    #[arg(long, requires = "bearers")]
    again: bool,
    /// The statuses of which every answer must have one.
    #[arg(long, value_delimiter = ',', default_value = "200")]
    status: Vec<u16>,
    /// Connections.
    #[arg(long)]
    concurrency: usize,
    /// For how long at most.
    #[arg(long)]
    seconds: f64,
    /// Requests a second in all; as many as go through when left out.
    #[arg(long)]
    rate: Option<f64>,
    /// The connections' requests are spread over the time, instead of one of each at once.
    #[arg(long, requires = "rate")]
    evenly: bool,
}

#[derive(Args)]
struct RefreshArguments {
    #[command(flatten)]
    target: Target,
    /// Where the first secret of each connection comes from.
    #[arg(long)]
    start: String,
    /// Connections.
    #[arg(long)]
    concurrency: usize,
    /// For how long.
    #[arg(long)]
    seconds: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let local = LocalSet::new();
    local
        .run_until(async {
            match Arguments::parse().command {
                Command::Stream(arguments) => stream::stream(arguments).await,
                Command::Hold(arguments) => stream::hold(arguments).await,
                Command::Call(arguments) => call::call(arguments).await,
                Command::Refresh(arguments) => call::refresh(arguments).await,
            }
        })
        .await
}

/// The lines of a file, of which there must be one at least.
fn lines(file: &Path) -> Result<Vec<String>> {
    let lines: Vec<String> = std::fs::read_to_string(file)?
        .lines()
        .map(str::to_owned)
        .collect();
    ensure!(!lines.is_empty(), "{} is empty", file.display());
    Ok(lines)
}
