//! `vestibule serve`: puts the server together, says in words what stands, and runs it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::{
    compose::{self, Composed},
    config::{self, Overrides, Variables},
    telemetry::{say, start_log},
};

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen, as ADDRESS:PORT (port 0 takes a free one).
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Starts with nothing configured: the demo model and a development issuer with two users who
    /// sign in by a click. Loopback only.
    #[arg(long)]
    dev: bool,
}

/// Runs the server until it is told to stop.
pub(crate) async fn run(
    file: Option<PathBuf>,
    options: Options,
    variables: &Variables,
) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        file,
        listen: options.listen,
        dev: options.dev,
    };
    let config = config::load(variables, &overrides)?;
    start_log(&config.log)?;
    let listener = TcpListener::bind(&config.server.listen)
        .await
        .with_context(|| format!("failed to listen on {}", config.server.listen))?;
    let address = listener.local_addr()?;
    if config.dev.enabled && !address.ip().is_loopback() {
        bail!(
            "the development issuer signs anybody in, so `--dev` listens on loopback only; use \
             `--listen 127.0.0.1:{}`, or configure an issuer of your own and leave `--dev` out",
            address.port()
        );
    }
    let Composed {
        app,
        serve_options,
        banner,
    } = compose::compose(config, address, variables).await?;
    say(&banner);
    let turns = app.engine.tasks.clone();
    let background = server::background(app.clone());
    let serving = server::serve(
        listener,
        server::router::router(&app),
        turns,
        serve_options,
        async {
            stop_signal().await;
            app.readiness.drain();
        },
    );
    tokio::select! {
        () = serving => {}
        () = background => {}
    }
    app.audit.close().await;
    say("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Ctrl-C, or SIGTERM where there is such a thing.
async fn stop_signal() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "cannot listen for Ctrl-C");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
