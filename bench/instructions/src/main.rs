//! The four fixed cases whose instructions are counted: no load, no clock, no chance.
//!
//! Each case prepares everything first and then does its work `iterations` times. The gate
//! (`bench/gate`) runs it twice under valgrind, with few and with many iterations; the difference is the
//! work alone, whatever starting and preparing cost, and however many threads share it.

mod page;
mod turn;
mod verify;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Does one case's work a number of times.
#[derive(Parser)]
struct Arguments {
    /// Which case.
    #[arg(long)]
    case: Case,
    /// How often; 0 prepares only.
    #[arg(long)]
    iterations: u32,
    /// A folder for the case's files; what an earlier run left there is used again.
    #[arg(long)]
    folder: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Case {
    /// A turn of 200 tokens: read the model's stream, play the turn, save it, write the frames.
    Turn,
    /// A signed token that is in the cache.
    VerifyWarm,
    /// A signed token that is seen for the first time.
    VerifyCold,
    /// A page of 20 threads from the middle of 2,000.
    Page,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.case {
        Case::Turn => turn::run(arguments.iterations).await,
        Case::VerifyWarm => verify::warm(arguments.iterations).await,
        Case::VerifyCold => verify::cold(arguments.iterations).await,
        Case::Page => page::run(&arguments.folder, arguments.iterations).await,
    }
}
