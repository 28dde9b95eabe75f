//! What the server does, in numbers for Prometheus (docs/metrics.md).
//!
//! Whoever does something counts it, by the macros of the `metrics` crate; without a recorder they do nothing. Here is the
//! recorder, what has to be looked at when somebody asks, and the listener that answers.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, header};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;

use crate::{app::AppState, error::ApiError};

/// Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How often what was measured is put into buckets, so that it does not pile up where nobody asks.
const UPKEEP_PAUSE: Duration = Duration::from_secs(5);
/// Bounds in seconds: from a store in memory to an answer of minutes.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    120.0,
];

/// The recorder of this process. One process has one.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    /// What whoever asks has to bring; nothing, where everybody who reaches the listener may ask.
    token: Option<Arc<SecretString>>,
}

impl Metrics {
    /// Begins to count. Fails where somebody in this process counts already.
    pub fn install(token: Option<SecretString>) -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .install_recorder()?;
        describe();
        let token = token.map(Arc::new);
        Ok(Self { handle, token })
    }

    fn is_open_to(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let brought = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        brought.is_some_and(|brought| brought.ct_eq(token.expose_secret().as_bytes()).into())
    }

    /// Answers `GET /metrics` on a listener of its own, for ever; end it by dropping it.
    pub async fn serve(self, listener: TcpListener, app: AppState) -> io::Result<()> {
        let upkeep = {
            let handle = self.handle.clone();
            async move {
                loop {
                    tokio::time::sleep(UPKEEP_PAUSE).await;
                    handle.run_upkeep();
                }
            }
        };
        let router = Router::new()
            .route("/metrics", get(answer))
            .fallback(|| async { ApiError::unknown_path(None) })
            .with_state((self, app));
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served,
            () = upkeep => Ok(()),
        }
    }
}

async fn answer(State((metrics, app)): State<(Metrics, AppState)>, headers: HeaderMap) -> Response {
    if !metrics.is_open_to(&headers) {
        return ApiError::metrics_token_needed().into_response();
    }
    look(&app).await;
    let text = metrics.handle.render();
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response()
}

/// Sets what is a state and not an event.
async fn look(app: &AppState) {
    let found = app.readiness.found(app).await;
    gauge!("vestibule_ready").set(if found.problems.is_empty() { 1.0 } else { 0.0 });
    let counts = app.engine.runs.counts();
    gauge!("vestibule_runs").set(float(counts.living));
    gauge!("vestibule_waiting_messages").set(float(counts.waiting));
    gauge!("vestibule_readers").set(float(counts.readers));
    for (issuer, health) in app.issuers.health(app.now()) {
        let issuer: Arc<str> = issuer.into();
        gauge!("vestibule_issuer_keys", "issuer" => Arc::clone(&issuer)).set(float(health.keys));
        if let Some(age) = health.age {
            gauge!("vestibule_issuer_keys_age_seconds", "issuer" => issuer).set(age.as_secs_f64());
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here is counted beyond 2^52"
)]
fn float(count: usize) -> f64 {
    count as f64
}

/// Counts an answer of the server: by the row of the table that it came from, so that there are as many series as rows.
pub(crate) fn answered(
    method: &http::Method,
    path: Option<&'static str>,
    status: http::StatusCode,
    took: Duration,
) {
    let path = path.unwrap_or("none");
    let method = match *method {
        http::Method::GET => "GET",
        http::Method::POST => "POST",
        http::Method::PUT => "PUT",
        http::Method::DELETE => "DELETE",
        http::Method::OPTIONS => "OPTIONS",
        http::Method::HEAD => "HEAD",
        _ => "other",
    };
    counter!("vestibule_requests_total", "method" => method, "path" => path, "status" => status.as_str().to_owned())
        .increment(1);
    histogram!("vestibule_request_seconds", "path" => path).record(took);
}

/// Counts a refusal by its code.
pub(crate) fn refused(code: Option<&'static str>, status: http::StatusCode) {
    let status = status.as_str().to_owned();
    counter!("vestibule_refusals_total", "code" => code.unwrap_or("none"), "status" => status)
        .increment(1);
}

fn describe() {
    describe_counter!(
        "vestibule_requests_total",
        "Answered requests, by method, path of the table and status"
    );
    describe_histogram!(
        "vestibule_request_seconds",
        Unit::Seconds,
        "Time from a request's head to its answer's head"
    );
    describe_counter!(
        "vestibule_refusals_total",
        "Answers that are errors, by their code and status"
    );
    describe_gauge!(
        "vestibule_ready",
        "Whether the server can do its work, as /readyz says"
    );
    describe_gauge!(
        "vestibule_store_up",
        "1 while the database keeps what it is given"
    );
    describe_gauge!(
        "vestibule_postgresql_connections",
        "Connections to PostgreSQL, by what they do"
    );
    describe_gauge!(
        "vestibule_postgresql_waiting",
        "Requests that wait for a connection to PostgreSQL"
    );
    describe_counter!("vestibule_node_words_total", "What was said to other nodes");
    describe_gauge!(
        "vestibule_redis_up",
        "1 while other nodes are heard through Redis"
    );
    describe_gauge!("vestibule_runs", "Answers in the making");
    describe_gauge!(
        "vestibule_waiting_messages",
        "Messages that wait for their turn in a thread with an answer in the making"
    );
    describe_gauge!("vestibule_readers", "Streams that follow an answer");
    describe_counter!(
        "vestibule_runs_total",
        "Answers that ended, by what their streams said last"
    );
    describe_gauge!(
        "vestibule_issuer_keys",
        "Keys of an issuer that verify tokens"
    );
    describe_gauge!(
        "vestibule_issuer_keys_age_seconds",
        Unit::Seconds,
        "How long ago an issuer's keys were fetched"
    );
    describe_counter!(
        "vestibule_model_answers_total",
        "Answers of models, by how they ended"
    );
    describe_histogram!(
        "vestibule_model_first_token_seconds",
        Unit::Seconds,
        "Time from a question to the first token"
    );
    describe_histogram!(
        "vestibule_model_token_gap_seconds",
        Unit::Seconds,
        "Time between two pieces of an answer"
    );
    describe_counter!(
        "vestibule_model_tokens_total",
        "Tokens read and written, as the provider counts them"
    );
    describe_counter!(
        "vestibule_tool_calls_total",
        "Calls of tools, by how they ended"
    );
    describe_histogram!(
        "vestibule_tool_call_seconds",
        Unit::Seconds,
        "Time that a call of a tool took"
    );
    describe_histogram!(
        "vestibule_store_seconds",
        Unit::Seconds,
        "Time that the database took, waiting included"
    );
}
