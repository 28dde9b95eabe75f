//! Whether the server can do its work: it can keep what it acknowledges, knows whom to believe, and is not stopping.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use auth::jwks::KeyHealth;
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
    found: Found,
}

/// What was found, in words for the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// What keeps the server from its work; nothing when it is ready.
    pub(crate) problems: Vec<String>,
    /// What is wrong beside that.
    pub(crate) remarks: Vec<String>,
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

    /// What is wrong. What changes is logged.
    pub(crate) async fn found(&self, app: &App) -> Found {
        // Those who ask at once wait for the one who looks.
        let mut last = self.last.lock().await;
        let now = app.now().monotonic;
        let mut found = match &*last {
            Some(look) if now.saturating_duration_since(look.at) < HOLDS => look.found.clone(),
            _ => {
                let found = look(app).await;
                let before = last.replace(Look {
                    at: now,
                    found: found.clone(),
                });
                log_change(&before.map(|look| look.found).unwrap_or_default(), &found);
                found
            }
        };
        if self.is_draining() {
            let stopping = "the server is stopping".to_owned();
            found.problems.push(stopping);
        }
        found
    }
}

async fn look(app: &App) -> Found {
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
    let mut found = of_issuers(app.issuers.health(app.now()));
    problems.append(&mut found.problems);
    Found { problems, ..found }
}

/// What is to be said of issuers whose users cannot sign in. It keeps the server from its work when there is no other
/// issuer: the people of one are not helped by a server that is taken away from those of the others.
fn of_issuers(health: Vec<(String, KeyHealth)>) -> Found {
    let has_keys = |(_, health): &(String, KeyHealth)| health.keys > 0;
    let (with, without): (Vec<_>, Vec<_>) = health.into_iter().partition(has_keys);
    let words = without.into_iter().map(|(issuer, health)| {
        let why = health
            .last_error
            .unwrap_or_else(|| "they have not come yet".to_owned());
        format!("there are no keys of the issuer {issuer}: {why}")
    });
    let words = words.collect();
    if with.is_empty() {
        Found {
            problems: words,
            remarks: Vec::new(),
        }
    } else {
        Found {
            problems: Vec::new(),
            remarks: words,
        }
    }
}

fn log_change(before: &Found, found: &Found) {
    if before.problems != found.problems {
        if found.problems.is_empty() {
            tracing::info!("ready again");
        } else {
            tracing::error!(problems = found.problems.join("; "), "not ready");
        }
    }
    if before.remarks != found.remarks && !found.remarks.is_empty() {
        tracing::warn!(
            remarks = found.remarks.join("; "),
            "not everybody is served"
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(name: &str, keys: usize) -> (String, KeyHealth) {
        let health = KeyHealth {
            keys,
            skipped: Vec::new(),
            age: None,
            last_error: Some("it does not answer".to_owned()),
        };
        (name.to_owned(), health)
    }

    #[test]
    fn one_issuer_of_several_does_not_keep_the_others_people_out() {
        let words = |name| format!("there are no keys of the issuer {name}: it does not answer");
        for (issuers, problems, remarks) in [
            (vec![], vec![], vec![]),
            (vec![issuer("a", 1), issuer("b", 2)], vec![], vec![]),
            (
                vec![issuer("a", 1), issuer("b", 0)],
                vec![],
                vec![words("b")],
            ),
            (vec![issuer("a", 0)], vec![words("a")], vec![]),
            (
                vec![issuer("a", 0), issuer("b", 0)],
                vec![words("a"), words("b")],
                vec![],
            ),
        ] {
            assert_eq!(of_issuers(issuers), Found { problems, remarks });
        }
    }
}
