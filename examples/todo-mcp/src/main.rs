//! The command line of the example server.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use todo_mcp::identity::Verifier;
use todo_mcp::router;
use todo_mcp::tasks::Tasks;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use url::Url;

/// A task list as an MCP server: each person who talks to Vestibule has a list of their own.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Address and port to listen on.
    #[arg(long, env = "TODO_MCP_LISTEN", default_value = "127.0.0.1:9000")]
    listen: std::net::SocketAddr,

    /// SQLite file of the tasks; made when it is missing.
    #[arg(long, env = "TODO_MCP_DATABASE", default_value = "todo.db")]
    database: PathBuf,

    /// The public address of the Vestibule whose users are served.
    #[arg(long, env = "VESTIBULE_URL", default_value = "http://127.0.0.1:8000")]
    vestibule_url: Url,

    /// This server's address as Vestibule's configuration names it; tokens must be meant for it.
    /// Default: http://<listen>/mcp.
    #[arg(long, env = "TODO_MCP_URL")]
    url: Option<Url>,

    /// A Better Auth server whose users may read their own list at /tasks, for a page that shows it
    /// beside the chat. Without it there is no /tasks.
    #[arg(long, env = "BETTER_AUTH_URL")]
    better_auth_url: Option<Url>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let options = Options::parse();

    let tasks = Tasks::open(&options.database).with_context(|| {
        format!(
            "the database {} cannot be opened",
            options.database.display()
        )
    })?;
    let listener = TcpListener::bind(options.listen).await.with_context(|| {
        format!(
            "{} cannot be listened on; choose another with --listen",
            options.listen
        )
    })?;
    let address = listener.local_addr()?;
    let url = match options.url {
        Some(url) => url,
        None => Url::parse(&format!("http://{address}/mcp"))?,
    };
    let vestibule = Verifier::vestibule(&options.vestibule_url, url.as_str())?;
    let login = options
        .better_auth_url
        .as_ref()
        .map(Verifier::better_auth)
        .transpose()?;
    let router = router(Arc::new(tasks), vestibule, login, url.authority());
    tracing::info!(%url, vestibule = %options.vestibule_url, "ready");
    axum::serve(listener, router)
        .with_graceful_shutdown(asked_to_stop())
        .await?;
    Ok(())
}

/// Waits for Ctrl+C or a termination signal.
async fn asked_to_stop() {
    let mut terminate =
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(signal) => signal,
            Err(error) => {
                tracing::error!(%error, "cannot listen for the termination signal");
                return std::future::pending().await;
            }
        };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
