//! The `vestibule` binary: reads the environment once, runs a command, says what went wrong.

mod commands;
mod compose;
mod config;
mod open_files;
mod rights;
mod telemetry;

use std::process::ExitCode;

use crate::{commands::Cli, config::Variables};

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::of_process() {
        Ok(cli) => cli.run_alone().unwrap_or_else(|| run(cli)),
        Err(code) => code,
    }
}

#[tokio::main]
async fn run(cli: Cli) -> ExitCode {
    cli.run(Variables::of_process()).await
}
