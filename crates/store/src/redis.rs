//! What processes say to each other, carried by Redis or Valkey, and what they count together. Nothing that must last is
//! kept there.
//!
//! The database could carry it all, and does whenever Redis cannot be reached or nobody listens there; but a notification
//! costs it a commit, and it has other things to do.
//!
//! - `redis/buckets.rs`: what is counted together

mod buckets;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{BucketRate, Node, Peers, Word};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, IntoConnectionInfo, RedisError};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::error::Error;
use crate::postgres::Notifications;

/// How long Redis may take for anything. What is said waits for no longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long is waited before it is tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// A channel on which nobody listens, and a bucket from which nobody else takes.
const LOOK: &str = "vestibule:doctor";
/// How many words may wait to be heard.
const MOST_UNHEARD: usize = 1024;

/// Redis, and the database behind it.
pub(crate) struct Channels {
    listening: Arc<Listening>,
    asking: ConnectionManager,
    database: Arc<Notifications>,
    /// Whether it counts, as said in the log last.
    is_counting: AtomicBool,
    /// Until when it is not tried again.
    away_until: Mutex<Option<Instant>>,
}

struct Listening {
    client: Client,
    database: Arc<Notifications>,
    /// As said in the log last.
    is_heard: AtomicBool,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    from: Node,
    word: Word,
}

impl Channels {
    /// Redis at this address. It is not looked for before something is said or heard.
    pub(crate) fn new(url: &str, database: Arc<Notifications>) -> Result<Self, Error> {
        let info = url.into_connection_info().map_err(|_| WRONG_ADDRESS)?;
        let client = Client::open(info).map_err(|_| WRONG_ADDRESS)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let asking = ConnectionManager::new_lazy_with_config(client.clone(), config);
        Ok(Self {
            asking: asking.map_err(|_| WRONG_ADDRESS)?,
            listening: Arc::new(Listening {
                client,
                database: Arc::clone(&database),
                is_heard: AtomicBool::new(true),
            }),
            database,
            is_counting: AtomicBool::new(true),
            away_until: Mutex::new(None),
        })
    }

    /// Whether somebody heard it there.
    async fn publish(&self, to: Node, word: &Word) -> Result<bool, Error> {
        let from = self.database.node().await?;
        let channel = self.database.channel(to).await?;
        let envelope = Envelope {
            from,
            word: word.clone(),
        };
        let text = serde_json::to_string(&envelope).map_err(Error::internal)?;
        let hearers: Option<u64> = self.ask(&Cmd::publish(channel, text)).await?;
        let is_heard = hearers.is_some_and(|hearers| hearers > 0);
        metrics::counter!("vestibule_node_words_total", "by" => "redis")
            .increment(u64::from(is_heard));
        Ok(is_heard)
    }

    /// What Redis answers; nothing, where it has just been away.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<Option<T>, Error> {
        let until = *lock(&self.away_until);
        if until.is_some_and(|until| Instant::now() < until) {
            return Ok(None);
        }
        let mut asking = self.asking.clone();
        // The manager's own patience begins anew with each try.
        match timeout(PATIENCE, command.query_async(&mut asking)).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            // Whoever refuses one thing is there for others.
            Ok(Err(error)) if error.code().is_some() => Err(Error::busy(error)),
            Ok(Err(error)) => Err(self.away(error)),
            Err(_elapsed) => Err(self.away(Silent)),
        }
    }

    fn away(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        *lock(&self.away_until) = Some(Instant::now() + PAUSE);
        Error::busy(error)
    }
}

/// Whether it is an address of Redis.
pub(crate) fn check(url: &str) -> Result<(), Error> {
    url.into_connection_info()
        .map(drop)
        .map_err(|_| WRONG_ADDRESS)
}

/// Whether Redis at this address can be talked and listened to, and counts.
pub(crate) async fn look(url: &str) -> Result<(), Error> {
    let client = Client::open(url).map_err(|_| WRONG_ADDRESS)?;
    let looking = async {
        let mut pubsub = client.get_async_pubsub().await?;
        pubsub.subscribe(LOOK).await?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let _: u64 = Cmd::publish(LOOK, "").query_async(&mut connection).await?;
        let rate = BucketRate {
            burst: NonZeroU32::MAX,
            refill: Duration::from_micros(1),
        };
        buckets::take(LOOK, rate)
            .query_async::<u64>(&mut connection)
            .await
    };
    match timeout(PATIENCE, looking).await {
        Ok(Ok(_wait)) => Ok(()),
        Ok(Err(error)) => Err(Error::busy(error)),
        Err(_elapsed) => Err(Error::busy(Silent)),
    }
}

/// An address without its password.
pub(crate) fn describe(url: &str) -> Option<String> {
    let info = url.into_connection_info().ok()?;
    let user = info.redis_settings().username();
    let user = user.map_or_else(String::new, |user| format!("{user}@"));
    let place = info.addr();
    let database = info.redis_settings().db();
    let scheme = if url.starts_with("rediss") {
        "rediss"
    } else {
        "redis"
    };
    Some(format!("{scheme}://{user}{place}/{database}"))
}

const WRONG_ADDRESS: Error = Error::Address(
    "storage.redis_url is no address of Redis: it looks like redis://user:password@host:6379/0, or rediss:// with TLS",
);

#[derive(Debug, thiserror::Error)]
#[error("Redis did not answer in time")]
struct Silent;

#[async_trait]
impl Peers for Channels {
    async fn say(&self, to: Node, word: Word) {
        match self.publish(to, &word).await {
            Ok(true) => return,
            // Whoever is meant may just not have Redis at this moment.
            Ok(false) => {}
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, "the database carries what Redis does not");
            }
        }
        self.database.say(to, word).await;
    }

    async fn others(&self) -> Vec<Node> {
        self.database.others().await
    }

    async fn hear(&self) -> BoxStream<'static, (Node, Word)> {
        let (tell, mut heard) = mpsc::channel(MOST_UNHEARD);
        let listening = Arc::clone(&self.listening);
        self.database.tasks().spawn(async move {
            tokio::select! {
                () = tell.closed() => {}
                () = listening.run(&tell) => {}
            }
        });
        let heard = stream::poll_fn(move |context| heard.poll_recv(context));
        stream::select(heard, self.database.hear().await).boxed()
    }
}

impl Listening {
    /// Listens for ever, and says in the log when it cannot, and when it can again.
    async fn run(&self, tell: &mpsc::Sender<(Node, Word)>) {
        loop {
            let ended = self.listen(tell).await;
            metrics::gauge!("vestibule_redis_up").set(0.0);
            if self.is_heard.swap(false, Ordering::Relaxed) {
                let error = ended
                    .as_ref()
                    .err()
                    .map(|error| error as &dyn std::error::Error);
                tracing::warn!(
                    error,
                    "Redis cannot be reached; the database carries what the nodes say to each other meanwhile"
                );
            }
            sleep(PAUSE).await;
        }
    }

    async fn listen(&self, tell: &mpsc::Sender<(Node, Word)>) -> Result<(), Error> {
        let node = self.database.node().await?;
        let channel = self.database.channel(node).await?;
        let connecting = async {
            let mut pubsub = self.client.get_async_pubsub().await?;
            pubsub.subscribe(channel).await?;
            Ok::<_, RedisError>(pubsub)
        };
        let connected = timeout(PATIENCE, connecting).await;
        let pubsub = connected
            .map_err(|_elapsed| Error::busy(Silent))?
            .map_err(Error::busy)?;
        metrics::gauge!("vestibule_redis_up").set(1.0);
        if !self.is_heard.swap(true, Ordering::Relaxed) {
            tracing::info!("Redis is there again");
        }
        let mut messages = pubsub.into_on_message();
        while let Some(message) = messages.next().await {
            let read = serde_json::from_slice::<Envelope>(message.get_payload_bytes());
            if let Ok(Envelope { from, word }) = read
                && tell.try_send((from, word)).is_err()
            {
                tracing::debug!("more is said than is heard");
            }
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379/0"),
            ("redis://:hunter2@cache:6380/3", "redis://cache:6380/3"),
            ("rediss://chat:hunter2@cache", "rediss://chat@cache:6379/0"),
        ] {
            assert_eq!(describe(url).as_deref(), Some(shown));
        }
        assert_eq!(describe("hunter2"), None);
    }
}
