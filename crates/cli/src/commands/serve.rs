//! `vestibule serve`: puts the server together, says in words what stands, and runs it.

use std::{io::ErrorKind, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::bail;
use engine::ports::Tools as _;
use futures::future::join_all;
use server::Served;
use tokio::{net::TcpListener, sync::oneshot};
use upstream::McpTools;

use crate::{
    commands::{metrics, reach},
    compose::{self, Composed, signing::Follower},
    config::{self, Overrides, Variables},
    open_files,
    telemetry::{say, start_log},
};

/// How long the audit log may take to be written down at the end.
const CLOSING: Duration = Duration::from_millis(300);

/// Options of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    vestibule serve --dev                                    # try it out, with nothing configured\n  \
    BETTER_AUTH_URL=http://localhost:3000 vestibule serve    # with your own login\n  \
    vestibule serve --config /etc/vestibule.toml --listen 0.0.0.0:8000\n\n\
    `vestibule config print --default` prints the manual.")]
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
    let mut config = config::load(variables, &overrides)?;
    start_log(&config.log)?;
    open_files::provide(&mut config);
    compose::outgoing::apply(&config, variables)?;
    let listener = listen(&config.server.listen).await?;
    let address = listener.local_addr()?;
    let metrics = metrics::begin(&config.metrics, variables).await?;
    if config.dev.enabled && !address.ip().is_loopback() {
        bail!(
            "the development issuer signs anybody in, so `--dev` listens on loopback only; use \
             `--listen 127.0.0.1:{}`, or configure an issuer of your own and leave `--dev` out",
            address.port()
        );
    }
    let Composed {
        // Let go after everything that writes.
        hold: _hold,
        app,
        serve_options,
        banner,
        tools,
        keys,
    } = compose::compose(config, address, variables).await?;
    let interrupted = app.engine.mark_interrupted().await?;
    if interrupted > 0 {
        tracing::warn!(
            conversations = interrupted,
            "answers were cut off when the server ended without being asked to; their conversations say so"
        );
    }
    // Before anybody can know that it runs, and stop it.
    let mut signals = StopSignals::listen();
    say(&banner);
    let (ask, asked) = oneshot::channel::<()>();
    let signals = async {
        signals.next().await;
        // Nobody waits for it any more where the server has ended by itself.
        let _ = ask.send(());
        signals.next().await
    };
    let background = async {
        tokio::join!(
            server::background(app.clone()),
            look_at_tools(&tools),
            metrics::serve(metrics, app.clone()),
            follow(keys),
        );
    };
    let serving = server::serve(
        listener,
        server::router::router(&app),
        app.engine.clone(),
        serve_options,
        async {
            let _ = asked.await;
            app.readiness.drain();
        },
    );
    let served = tokio::select! {
        served = serving => served,
        () = background => Served::Whole,
        code = signals => {
            say("stopped at once: a second request to stop came");
            for tools in &tools {
                tools.kill();
            }
            leave(code);
        }
    };
    let (closed, ()) = tokio::join!(
        tokio::time::timeout(CLOSING, app.audit.close()),
        close(&tools),
    );
    say("stopped");
    if served == Served::GivenUp || closed.is_err() {
        tracing::warn!(
            "the time to stop was over: connections that were left were cut, and what the database had not taken is lost"
        );
        leave(0);
    }
    Ok(ExitCode::SUCCESS)
}

/// Has the log say, before anybody asks for them, which tool servers cannot be reached and which tools are left out.
async fn look_at_tools(tools: &[Arc<McpTools>]) {
    let nobody = reach::nobody();
    join_all(tools.iter().map(|tools| tools.list(&nobody))).await;
}

/// Keeps the signing keys those of the database, where they are there.
async fn follow(keys: Option<Follower>) {
    if let Some(keys) = keys {
        keys.run().await;
    }
}

/// Ends the programs that are tool servers.
async fn close(tools: &[Arc<McpTools>]) {
    join_all(tools.iter().map(|tools| tools.close())).await;
}

/// Ends the process without waiting for what still hangs: the database may be locked by somebody for minutes.
#[expect(
    clippy::exit,
    reason = "returning would wait for the thread that writes the database"
)]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}

/// Takes the address, or says what can be done about it.
pub(super) async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
        let hint = match error.kind() {
            ErrorKind::AddrInUse => format!(
                "another program listens there (`lsof -i :{port}` names it; perhaps Vestibule is running already); stop it, \
                 or take another port: --listen 127.0.0.1:0 takes a free one"
            ),
            ErrorKind::PermissionDenied => "ports below 1024 are for the system's own programs; take a higher one by --listen, \
                 and put a proxy before it"
                .to_owned(),
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address; 127.0.0.1 is for this machine alone, 0.0.0.0 for all of its addresses"
                    .to_owned()
            }
            _ => "it must be ADDRESS:PORT, like 127.0.0.1:8000".to_owned(),
        };
        anyhow::Error::from(error).context(format!("failed to listen on {address}: {hint}"))
    })
}

/// Requests to stop: Ctrl-C, and, where there are such things, SIGTERM and the end of the terminal (SIGHUP).
struct StopSignals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    hang_up: Option<tokio::signal::unix::Signal>,
}

impl StopSignals {
    fn listen() -> Self {
        #[cfg(unix)]
        let listen = |kind: tokio::signal::unix::SignalKind| {
            tokio::signal::unix::signal(kind)
                .inspect_err(|error| tracing::error!(%error, ?kind, "cannot listen for a signal"))
                .ok()
        };
        Self {
            #[cfg(unix)]
            terminate: listen(tokio::signal::unix::SignalKind::terminate()),
            // Who listens is no longer among those that `nohup` has had spared.
            #[cfg(unix)]
            hang_up: (!is_spared_hang_up())
                .then(|| listen(tokio::signal::unix::SignalKind::hangup()))
                .flatten(),
        }
    }

    /// Waits for the next one, and tells the exit code of a process that it ends: 128 and the signal's number.
    async fn next(&mut self) -> i32 {
        let interrupt = async {
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::error!(%error, "cannot listen for Ctrl-C");
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        let (terminate, hang_up) = (of(&mut self.terminate), of(&mut self.hang_up));
        #[cfg(not(unix))]
        let (terminate, hang_up) = (std::future::pending::<()>(), std::future::pending::<()>());
        tokio::select! {
            () = interrupt => 130,
            () = terminate => 143,
            () = hang_up => 129,
        }
    }
}

/// The next signal of these, where anybody listens for them.
#[cfg(unix)]
async fn of(signals: &mut Option<tokio::signal::unix::Signal>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether whoever started this process had it ignore SIGHUP, as `nohup` does, as far as the system says.
#[cfg(unix)]
fn is_spared_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signals are numbered from 1, and this is the first.
    ignored.is_some_and(|mask| mask & 1 != 0)
}
