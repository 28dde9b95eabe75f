//! What processes over one database say to each other about the runs that live in one of them.
//!
//! Nothing depends on a word to arrive: each is a copy of what its sender has, or a wish that is told again. What holds is
//! in the store.

use async_trait::async_trait;
use futures::stream::BoxStream;
use protocol::{Position, RunId};
use serde::{Deserialize, Serialize};

/// A process, by the number that the store knows it by. No two ever have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Node(pub i64);

/// What one process says to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Word {
    /// Wants to hear what a run says, for some seconds from now.
    Follow {
        /// The run.
        run: RunId,
        /// From this position on; without one, on from where it was told last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Position>,
    },
    /// What a run said between two positions.
    Said {
        /// The run.
        run: RunId,
        /// Where it begins.
        start: Position,
        /// Where it ends.
        end: Position,
        /// Whole frames of an event stream, with their ids.
        frames: String,
    },
    /// A run has ended.
    Ended {
        /// The run.
        run: RunId,
        /// Where; none where nothing is known of it any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Position>,
    },
    /// Wants a run to end.
    Stop {
        /// The run.
        run: RunId,
        /// Whether it makes room for another message; else its person stopped it.
        is_interruption: bool,
    },
}

/// How processes talk.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Says something to one process, which hears it once, twice or never. Gives back when it is on its way.
    async fn say(&self, to: Node, word: Word);

    /// What others say to this process, with who does; it ends with the process. Asked for once.
    async fn hear(&self) -> BoxStream<'static, (Node, Word)>;
}
