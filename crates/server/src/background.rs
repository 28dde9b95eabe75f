//! What goes on beside requests: keys that are refreshed before anybody waits for them, sessions that
//! were ended, and rows that nobody needs any more.

use std::time::Duration;

use crate::app::AppState;

/// Shortest pause between two looks at the issuers' keys, whatever they say.
const SHORTEST_KEY_PAUSE: Duration = Duration::from_secs(5);
/// How often expired sessions are removed.
const PURGE_PAUSE: Duration = Duration::from_mins(10);

/// Runs for ever; end it by dropping it.
pub async fn background(app: AppState) {
    tokio::join!(
        refresh_keys(&app),
        purge(&app),
        app.revocations.run(&*app.credentials)
    );
}

async fn refresh_keys(app: &AppState) {
    loop {
        let next = app.issuers.refresh_due(app.now()).await;
        tokio::time::sleep(next.max(SHORTEST_KEY_PAUSE)).await;
    }
}

async fn purge(app: &AppState) {
    loop {
        match app.client_secrets.purge(app.now().wall).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "removed expired chat sessions"),
            Err(error) => tracing::warn!(%error, "cannot remove expired chat sessions"),
        }
        tokio::time::sleep(PURGE_PAUSE).await;
    }
}
