//! Ends streams whose session was ended, or whose public token was revoked, while they ran.
//!
//! What a credential's end means for a stream that began before it:
//! - an *expiry* lets the answer finish. A secret's time bounds when a turn may start; a turn itself is
//!   bounded by the workflow, and cutting an answer in half at the minute of a refresh helps nobody;
//! - a *revocation* ends it within a second, with an `error` event.
//!
//! One task asks the store once a second for the credentials that streams run for. Streams wait on a
//! channel and cost nothing meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use auth::ports::{CredentialStore, Digest, PublicTokenRecord, StoreError};
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

/// How often the store is asked.
const TICK: Duration = Duration::from_secs(1);

/// The credential that a stream runs for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Watched {
    /// A chat session, by its id.
    Session(String),
    /// A public token whose visitor asked without a session, by what it is looked up by.
    PublicToken(Digest),
}

impl Watched {
    async fn holds(&self, store: &dyn CredentialStore) -> Result<bool, StoreError> {
        Ok(match self {
            Self::Session(id) => store
                .find_chat_session(id)
                .await?
                .is_some_and(|session| session.ended.is_none()),
            Self::PublicToken(digest) => store
                .find_public_token(digest)
                .await?
                .is_some_and(|token| token.revoked_at.is_none()),
        })
    }
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
        for credential in self.live() {
            match credential.holds(store).await {
                Ok(true) => {}
                Ok(false) => self.end(&credential),
                // The next tick asks again; a store that is away revokes nobody.
                Err(error) => tracing::warn!(%error, "cannot tell whether a stream was revoked"),
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
