//! Whether the server can do its work: it can keep what it acknowledges, knows whom to believe, and is not stopping.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::app::App;

/// For how long an answer holds: whoever asks more often gets the last one, so that nobody makes the disk busy by asking.
const HOLDS: Duration = Duration::from_secs(1);
/// How long the store may take to keep something.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was found when it was last looked.
#[derive(Debug, Default)]
pub struct Readiness {
    is_draining: AtomicBool,
    last: Mutex<Option<Look>>,
}

#[derive(Debug)]
struct Look {
    at: Instant,
    problems: Vec<String>,
}

impl Readiness {
    /// From now on the server is not ready: it stops.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`drain`](Self::drain) was called.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// What keeps the server from its work, in words for the operator; nothing when it is ready. What changes is logged.
    pub(crate) async fn problems(&self, app: &App) -> Vec<String> {
        // Those who ask at once wait for the one who looks.
        let mut last = self.last.lock().await;
        let now = app.now().monotonic;
        let mut problems = match &*last {
            Some(look) if now.saturating_duration_since(look.at) < HOLDS => look.problems.clone(),
            _ => {
                let problems = look(app).await;
                let before = last.replace(Look {
                    at: now,
                    problems: problems.clone(),
                });
                log_change(
                    &before.map(|look| look.problems).unwrap_or_default(),
                    &problems,
                );
                problems
            }
        };
        if self.is_draining() {
            problems.push("the server is stopping".to_owned());
        }
        problems
    }
}

async fn look(app: &App) -> Vec<String> {
    let mut problems = Vec::new();
    let probed = tokio::time::timeout(PATIENCE, app.engine.store.probe()).await;
    metrics::gauge!("vestibule_store_up").set(f64::from(u8::from(matches!(probed, Ok(Ok(()))))));
    match probed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => problems.push(format!(
            "the store cannot keep anything: {}",
            causes(&error)
        )),
        Err(_) => problems.push(format!(
            "the store did not answer within {} s",
            PATIENCE.as_secs()
        )),
    }
    for (issuer, health) in app.issuers.health(app.now()) {
        if health.keys == 0 {
            let why = health
                .last_error
                .unwrap_or_else(|| "they have not come yet".to_owned());
            problems.push(format!("there are no keys of the issuer {issuer}: {why}"));
        }
    }
    problems
}

fn log_change(before: &[String], problems: &[String]) {
    if before == problems {
        return;
    }
    if problems.is_empty() {
        tracing::info!("ready again");
    } else {
        tracing::error!(problems = problems.join("; "), "not ready");
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
