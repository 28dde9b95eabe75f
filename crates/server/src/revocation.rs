//! Ends streams whose session was ended while they ran.
//!
//! What a credential's end means for a stream that began before it:
//! - an *expiry* lets the answer finish. A secret's time bounds when a turn may start; a turn itself is
//!   bounded by the workflow, and cutting an answer in half at the minute of a refresh helps nobody;
//! - a *revocation* ends it within a second, with an `error` event.
//!
//! One task asks the store once a second for the sessions that streams run for. Streams wait on a
//! channel and cost nothing meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use auth::ports::CredentialStore;
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

/// How often the store is asked.
const TICK: Duration = Duration::from_secs(1);

/// The sessions that streams run for at the moment.
#[derive(Clone, Default)]
pub struct Revocations {
    watched: Arc<Mutex<HashMap<String, watch::Sender<bool>>>>,
}

impl Revocations {
    /// A future that resolves when the session is found to be ended.
    pub(crate) fn of(&self, session_id: &str) -> BoxFuture<'static, ()> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut receiver = watched
            .entry(session_id.to_owned())
            .or_insert_with(|| watch::channel(false).0)
            .subscribe();
        async move {
            // An error means that nobody watches any more, which is no revocation.
            if receiver.wait_for(|is_ended| *is_ended).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }

    /// Asks the store for ever, once a tick.
    pub async fn run(&self, store: &dyn CredentialStore) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(store).await;
        }
    }

    /// Asks the store once about every session that a stream runs for.
    pub async fn look(&self, store: &dyn CredentialStore) {
        for id in self.live() {
            match store.find_chat_session(&id).await {
                Ok(Some(session)) if session.ended.is_none() => {}
                Ok(_) => self.end(&id),
                // The next tick asks again; a store that is away revokes nobody.
                Err(error) => tracing::warn!(%error, "cannot tell whether a session was ended"),
            }
        }
    }

    /// The sessions with a stream; forgets the others.
    fn live(&self) -> Vec<String> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().cloned().collect()
    }

    fn end(&self, id: &str) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watched.remove(id) {
            sender.send_replace(true);
        }
    }
}
