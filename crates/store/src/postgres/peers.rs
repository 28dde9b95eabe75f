//! What processes say to each other, carried by `NOTIFY`.
//!
//! Each listens on a channel that is named after its number. A notification takes less than 8,000 bytes, so what is longer
//! goes in parts. Nothing of it is kept by the server: who does not listen at that moment does not hear it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::{Node, Peers, Word};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, future};
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::sleep;
use tokio_postgres::AsyncMessage;
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::postgres::address::{Encryption, Server};
use crate::postgres::pool::{Batch, Connections, params};
use crate::postgres::{Postgres, nodes, schema, tls};

/// How many bytes of text a part has at most: with what stands around it, and however it is escaped, it stays below 8,000.
const PART_BYTES: usize = 3_600;
/// How many words may be put together at the same time; more, and the oldest of them is given up.
const MOST_OPEN: usize = 64;
/// How many words may wait to be heard.
const MOST_UNHEARD: usize = 1024;
/// How long is waited before a connection that has ended is made again.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Notifications {
    server: Server,
    node: Arc<nodes::Node>,
    connections: Connections,
    /// How many words were said.
    said: AtomicU64,
    tasks: TaskTracker,
    /// How channels in a place are named that other databases use too.
    name: OnceCell<String>,
}

/// One notification.
#[derive(Serialize, Deserialize)]
struct Part<'a> {
    from: Node,
    /// Which word of its sender's it is a part of, and which part of how many; for a word that is whole, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<(u64, usize, usize)>,
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
}

impl Notifications {
    pub(super) fn new(postgres: &Postgres) -> Result<Self, Error> {
        let server = &postgres.server;
        Ok(Self {
            server: server.clone(),
            node: Arc::clone(&postgres.node),
            connections: Connections::new(server, postgres.options, 1)?,
            said: AtomicU64::new(0),
            tasks: postgres.tasks.clone(),
            name: OnceCell::new(),
        })
    }

    /// This process.
    pub(crate) async fn node(&self) -> Result<Node, Error> {
        self.node.key().await.map(Node)
    }

    /// What a process listens on where this is not the only database.
    pub(crate) async fn channel(&self, node: Node) -> Result<String, Error> {
        Ok(format!("{}:{}", self.namespace().await?, node.0))
    }

    /// A name that no other database gives.
    pub(crate) async fn namespace(&self) -> Result<&str, Error> {
        let naming = self.name.get_or_try_init(|| async {
            let named = Batch::of(
                "SELECT format('vestibule:%s:%s', oid, (SELECT extract(epoch FROM min(applied_at))
                     FROM vestibule_schema))
                 FROM pg_database WHERE datname = current_database()",
                params![],
            );
            let found = self.connections.read(&named).await?;
            let row = found.first().and_then(|outcome| outcome.rows.first());
            Ok::<_, Error>(row.ok_or(Error::NotFound)?.try_get(0)?)
        });
        naming.await.map(String::as_str)
    }

    /// What runs until the database is closed.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}

#[async_trait]
impl Peers for Notifications {
    async fn say(&self, to: Node, word: Word) {
        metrics::counter!("vestibule_node_words_total", "by" => "database").increment(1);
        let said = async {
            let from = self.node().await?;
            let text = serde_json::to_string(&word).map_err(Error::internal)?;
            let mut batch = Batch::default();
            for part in parts(from, self.said.fetch_add(1, Ordering::Relaxed), &text) {
                let payload = serde_json::to_string(&part).map_err(Error::internal)?;
                batch.add("SELECT pg_notify($1, $2)", params![channel(to), payload]);
            }
            self.connections.read(&batch).await.map(drop)
        };
        if let Err(error) = said.await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "another process was not told something");
        }
    }

    async fn others(&self) -> Vec<Node> {
        let living = async {
            let living = Batch::of(
                "SELECT key FROM nodes
                 WHERE key <> $1 AND seen_at >= clock_timestamp() - make_interval(secs => $2)",
                params![self.node().await?.0, nodes::LEASE.as_secs_f64()],
            );
            let found = self.connections.read(&living).await?;
            let rows = found.first().map_or(&[][..], |outcome| &outcome.rows);
            let keys = rows.iter().map(|row| Ok(Node(row.try_get(0)?)));
            keys.collect::<Result<Vec<_>, Error>>()
        };
        living.await.unwrap_or_else(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "the database did not say which other processes there are"
            );
            Vec::new()
        })
    }

    async fn hear(&self) -> BoxStream<'static, (Node, Word)> {
        let (tell, mut heard) = mpsc::channel(MOST_UNHEARD);
        let (server, node) = (self.server.clone(), Arc::clone(&self.node));
        self.tasks.spawn(async move {
            while !tell.is_closed() {
                let listened = tokio::select! {
                    () = tell.closed() => return,
                    listened = listen(&server, &node, &tell) => listened,
                };
                if let Err(error) = listened {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "other processes are not heard for a moment");
                }
                tokio::select! {
                    () = tell.closed() => return,
                    () = sleep(PAUSE) => {}
                }
            }
        });
        stream::poll_fn(move |context| heard.poll_recv(context)).boxed()
    }
}

/// Listens until the connection ends.
async fn listen(
    server: &Server,
    node: &nodes::Node,
    tell: &mpsc::Sender<(Node, Word)>,
) -> Result<(), Error> {
    let channel = channel(Node(node.key().await?));
    let mut config = schema::config(server);
    // A server that is gone without a word is noticed.
    config.keepalives_idle(Duration::from_secs(15));
    if server.encryption == Encryption::Disable {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        hear_all(&client, connection, &channel, tell).await
    } else {
        let (client, connection) = config.connect(tls::connector(server)?).await?;
        hear_all(&client, connection, &channel, tell).await
    }
}

async fn hear_all<S, T>(
    client: &tokio_postgres::Client,
    mut connection: tokio_postgres::Connection<S, T>,
    channel: &str,
    tell: &mpsc::Sender<(Node, Word)>,
) -> Result<(), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let mut open = Open::default();
    let listening = async {
        let begun = client.batch_execute(&format!("LISTEN \"{channel}\"")).await;
        begun?;
        // The connection ends when there is nothing more to come.
        future::pending::<Result<(), Error>>().await
    };
    tokio::pin!(listening);
    loop {
        let message = tokio::select! {
            biased;
            message = messages.next() => message,
            failed = &mut listening => return failed,
        };
        let Some(message) = message else {
            return Ok(());
        };
        let AsyncMessage::Notification(notification) = message? else {
            continue;
        };
        if let Some(word) = open.add(notification.payload())
            && tell.try_send(word).is_err()
        {
            tracing::debug!("more is said than is heard");
        }
    }
}

/// The channel that a process listens on.
fn channel(node: Node) -> String {
    format!("vestibule_{}", node.0)
}

/// A word in parts that fit.
fn parts(from: Node, number: u64, text: &str) -> Vec<Part<'_>> {
    let mut texts = Vec::new();
    let mut rest = text;
    while rest.len() > PART_BYTES {
        let (part, more) = rest.split_at(rest.floor_char_boundary(PART_BYTES));
        texts.push(part);
        rest = more;
    }
    texts.push(rest);
    let count = texts.len();
    let parts = texts.into_iter().enumerate().map(|(place, text)| Part {
        from,
        of: (count > 1).then_some((number, place, count)),
        text: text.into(),
    });
    parts.collect()
}

/// Words of which not all has come.
#[derive(Default)]
struct Open(BTreeMap<(u64, Node), String>);

impl Open {
    /// Takes a part; gives the word that is whole with it. Parts come in their order, or not at all.
    fn add(&mut self, payload: &str) -> Option<(Node, Word)> {
        let Part { from, of, text } = serde_json::from_str(payload).ok()?;
        let Some((number, place, count)) = of else {
            return read(from, &text);
        };
        let key = (number, from);
        if place == 0 {
            while self.0.len() >= MOST_OPEN {
                self.0.pop_first();
            }
            self.0.insert(key, String::new());
        }
        let whole = self.0.get_mut(&key)?;
        whole.push_str(&text);
        if place + 1 < count {
            return None;
        }
        let whole = self.0.remove(&key)?;
        read(from, &whole)
    }
}

fn read(from: Node, text: &str) -> Option<(Node, Word)> {
    serde_json::from_str(text).ok().map(|word| (from, word))
}

#[cfg(test)]
mod tests {
    use protocol::{Position, RunId};

    use super::*;

    fn said(frames: &str) -> Word {
        Word::Said {
            run: RunId::mint(1),
            start: Position(0),
            end: Position(7),
            frames: frames.to_owned(),
        }
    }

    #[test]
    fn a_word_of_any_length_comes_whole() {
        let control = "\u{1}\"\\\n".repeat(9_000);
        for frames in ["", "short", &"語🙂".repeat(20_000), &control] {
            let text = serde_json::to_string(&said(frames)).unwrap();
            let mut open = Open::default();
            let mut heard = Vec::new();
            for part in parts(Node(3), 1, &text) {
                let payload = serde_json::to_string(&part).unwrap();
                assert!(payload.len() < 8_000, "{}", payload.len());
                heard.extend(open.add(&payload));
            }
            assert_eq!(heard, [(Node(3), said(frames))]);
            assert!(open.0.is_empty());
        }
    }

    #[test]
    fn what_is_lost_on_the_way_takes_no_room_for_ever() {
        let text = serde_json::to_string(&said(&"x".repeat(10_000))).unwrap();
        let mut open = Open::default();
        for number in 0..200 {
            let first = serde_json::to_string(&parts(Node(3), number, &text)[0]).unwrap();
            assert_eq!(open.add(&first), None);
        }
        assert_eq!(open.0.len(), MOST_OPEN);
        assert_eq!(open.add("what is this?"), None);
    }
}
