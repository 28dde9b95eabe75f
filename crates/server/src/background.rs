//! What goes on beside requests: keys that are refreshed before anybody waits for them, sessions that
//! were ended, and rows that nobody needs any more.

use std::time::Duration;

use crate::{app::AppState, error::Cause};

/// Shortest pause between two looks at the issuers' keys, whatever they say.
const SHORTEST_KEY_PAUSE: Duration = Duration::from_secs(5);
/// How often the server looks whether it can do its work.
const WATCH_PAUSE: Duration = Duration::from_secs(5);
/// How often what has run out is removed.
const PURGE_PAUSE: Duration = Duration::from_mins(10);

/// How often threads that were kept for long enough are looked for, which reads a line of each.
const RETENTION_PAUSE: Duration = Duration::from_hours(1);

/// Runs for ever; end it by dropping it.
pub async fn background(app: AppState) {
    tokio::join!(
        refresh_keys(&app),
        purge(&app),
        keep_no_longer(&app),
        watch(&app),
        mark_interrupted(&app),
        app.engine.attend_to_others(),
        app.revocations.run(&*app.credentials),
        app.audit.run(|| app.now().wall),
    );
}

async fn refresh_keys(app: &AppState) {
    loop {
        let next = app.issuers.refresh_due(app.now()).await;
        tokio::time::sleep(next.max(SHORTEST_KEY_PAUSE)).await;
    }
}

/// Looks whether the server can do its work, so that the log says so also where nobody asks.
async fn watch(app: &AppState) {
    loop {
        app.readiness.found(app).await;
        tokio::time::sleep(WATCH_PAUSE).await;
    }
}

/// Where several servers share a store, one that ended leaves answers behind that the others mark.
async fn mark_interrupted(app: &AppState) {
    let Some(lease) = app.engine.store.lease() else {
        return;
    };
    loop {
        tokio::time::sleep(lease / 3).await;
        match app.engine.mark_interrupted().await {
            Ok(0) => {}
            Ok(conversations) => tracing::warn!(
                conversations,
                "answers were cut off when another server ended without being asked to; their conversations say so"
            ),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "cannot look for answers that were cut off");
            }
        }
    }
}

async fn purge(app: &AppState) {
    loop {
        purge_once(app).await;
        tokio::time::sleep(PURGE_PAUSE).await;
    }
}

/// Removes threads that nobody has used for as long as they are kept.
async fn keep_no_longer(app: &AppState) {
    while app.engine.has_retention() {
        report(
            "conversations that nobody has used for long",
            app.engine.remove_idle_threads().await.map_err(Into::into),
        );
        tokio::time::sleep(RETENTION_PAUSE).await;
    }
}

/// Removes everything that has been kept for as long as it may be. A failure is logged, and the next
/// round tries again.
pub async fn purge_once(app: &AppState) {
    let now = app.now().wall;
    report(
        "expired chat sessions",
        app.client_secrets.purge(now).await.map_err(Into::into),
    );
    if let Some(kept) = app.settings.audit_kept {
        let purged = app.audit.purge(now.minus(kept)).await;
        report("audit entries", purged.map_err(Into::into));
    }
    if let Some(kept) = app.settings.visitors_kept {
        let purged = app.credentials.purge_visitors(now.minus(kept)).await;
        report("visitors who stayed away", purged.map_err(Into::into));
    }
    report(
        "files that were never sent",
        app.engine.purge_files().await.map_err(Into::into),
    );
}

fn report(what: &str, purged: Result<u64, Cause>) {
    match purged {
        Ok(0) => {}
        Ok(count) => tracing::debug!(what, count, "removed what has run out"),
        Err(error) => tracing::warn!(what, error = &*error, "cannot remove what has run out"),
    }
}
