//! Ends streams whose session was ended, or whose public token was revoked, while they ran.
//!
//! What a credential's end means for a stream that began before it:
//! - an *expiry* lets the answer finish. A secret's time bounds when a turn may start; a turn itself is
//!   bounded by the workflow, and cutting an answer in half at the minute of a refresh helps nobody;
//! - a *revocation* ends it within a second, with an `error` event.
//!
//! One task asks the store once a second for the credentials that streams run for, many at once. Streams
//! wait on a channel and cost nothing meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use auth::ports::{CredentialStore, Digest, Openings, PublicTokenRecord};
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

/// How often the store is asked.
const TICK: Duration = Duration::from_secs(1);
/// How many credentials it is asked about at once: some milliseconds of its time.
const TOGETHER: usize = 1000;

/// The credential that a stream runs for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Watched {
    /// A chat session, by its id.
    Session(String),
    /// A public token whose visitor asked without a session, by what it is looked up by.
    PublicToken(Digest),
}

/// The credentials that streams run for at the moment.
#[derive(Clone, Default)]
pub struct Revocations {
    watched: Arc<Mutex<HashMap<Watched, watch::Sender<bool>>>>,
}

impl Revocations {
    /// A future that resolves when the session is found to be ended.
    pub(crate) fn of_session(&self, id: &str) -> BoxFuture<'static, ()> {
        self.of(Watched::Session(id.to_owned()))
    }

    /// A future that resolves when the public token is found to be revoked.
    pub(crate) fn of_public_token(&self, token: &PublicTokenRecord) -> BoxFuture<'static, ()> {
        self.of(Watched::PublicToken(token.digest))
    }

    fn of(&self, credential: Watched) -> BoxFuture<'static, ()> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut receiver = watched
            .entry(credential)
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

    /// Asks the store once about every credential that a stream runs for.
    pub async fn look(&self, store: &dyn CredentialStore) {
        let live = self.live();
        for some in live.chunks(TOGETHER) {
            let mut asked = Openings::default();
            for credential in some {
                match credential {
                    Watched::Session(id) => asked.sessions.push(id.clone()),
                    Watched::PublicToken(digest) => asked.public_tokens.push(*digest),
                }
            }
            match store.ended_among(&asked).await {
                Ok(ended) => {
                    let sessions = ended.sessions.into_iter().map(Watched::Session);
                    let tokens = ended.public_tokens.into_iter().map(Watched::PublicToken);
                    sessions
                        .chain(tokens)
                        .for_each(|credential| self.end(&credential));
                }
                // The next tick asks again; a store that is away revokes nobody.
                Err(error) => {
                    tracing::warn!(%error, "cannot tell whether streams were revoked");
                    return;
                }
            }
        }
    }

    /// What has a stream; forgets the rest.
    fn live(&self) -> Vec<Watched> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().cloned().collect()
    }

    fn end(&self, credential: &Watched) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watched.remove(credential) {
            sender.send_replace(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_streams_than_are_asked_about_at_once_are_all_asked_about() {
        let revocations = Revocations::default();
        let ids = 0..TOGETHER + 1;
        let streams: Vec<_> = ids
            .map(|id| revocations.of_session(&id.to_string()))
            .collect();
        let store = store::connect("sqlite::memory:", store::Options::default()).await;
        // None of them is there.
        revocations.look(&*store.unwrap()).await;
        let all = futures::future::join_all(streams);
        let ended = tokio::time::timeout(Duration::from_secs(10), all).await;
        assert!(ended.is_ok());
    }
}
