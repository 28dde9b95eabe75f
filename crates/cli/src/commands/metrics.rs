//! The listener for Prometheus, beside the server.

use anyhow::Context;
use server::{AppState, Metrics};
use tokio::net::TcpListener;

use crate::{
    commands::serve,
    config::{self, RawMetrics, Variables},
};

/// Begins to count, before there is anything to be counted, and takes the address; nothing, where none is configured.
pub(super) async fn begin(
    raw: &RawMetrics,
    variables: &Variables,
) -> anyhow::Result<Option<(Metrics, TcpListener)>> {
    let token = config::secret(
        "metrics.token",
        variables,
        raw.token_env.as_deref(),
        raw.token_file.as_deref(),
    )?;
    if let Some(token) = &token {
        config::check_bearer(token).context("metrics.token")?;
    }
    let Some(address) = &raw.listen else {
        return Ok(None);
    };
    let listener = serve::listen(address).await.context("metrics.listen")?;
    let is_open = token.is_none() && !listener.local_addr()?.ip().is_loopback();
    if is_open {
        tracing::warn!(
            address,
            "whoever reaches metrics.listen can read how much this server is used; set metrics.token_env"
        );
    }
    tracing::info!(address = %listener.local_addr()?, "Prometheus reads /metrics there");
    let metrics = Metrics::install(token).context("failed to begin to count")?;
    Ok(Some((metrics, listener)))
}

/// Answers whoever asks.
pub(super) async fn serve(begun: Option<(Metrics, TcpListener)>, app: AppState) {
    if let Some((metrics, listener)) = begun
        && let Err(error) = metrics.serve(listener, app).await
    {
        tracing::error!(%error, "Prometheus cannot be answered any more");
    }
}
