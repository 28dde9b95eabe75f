//! What processes over one database say to each other about the runs that live in one of them.
//!
//! Nothing depends on a word to arrive: each is a copy of what its sender has, or a wish that is told again. What holds is
//! in the store.

use async_trait::async_trait;
use futures::stream::BoxStream;
use protocol::{
    ItemId, Position, RunId, ThreadId,
    request::{CustomAction, ThreadsAddStructuredInput},
};
use serde::{Deserialize, Serialize};

/// A process, by the number that the store knows it by. No two ever have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Node(pub i64);

/// What one process says to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// A person has done something for calls that wait in a process. Whoever has them begins the run.
    Hand(Box<Handed>),
    /// What has become of that.
    Taken {
        /// The run.
        run: RunId,
        /// What has.
        taken: Taken,
    },
}

/// What a person has done for calls that wait in another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handed {
    /// The run that is to go on with them.
    pub run: RunId,
    /// Whose the thread is.
    pub owner: String,
    /// The records of the calls.
    pub calls: Vec<ItemId>,
    /// What was done.
    pub done: Done,
    /// The client's name for the request, and what tells its body from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<(String, String)>,
}

/// What calls may wait for, as it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// A form was filled in, or passed over.
    Form(ThreadsAddStructuredInput),
    /// A call was allowed or refused, and calls of the same answer wait for that.
    Action(CustomAction),
}

impl Done {
    /// Where.
    pub const fn thread(&self) -> &ThreadId {
        match self {
            Self::Form(params) => &params.thread_id,
            Self::Action(params) => &params.thread_id,
        }
    }
}

/// What has become of something that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// The run has begun.
    Begun,
    /// None of the calls waits there.
    Unknown,
    /// It cannot begin now.
    Refused,
}

/// How processes talk.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Says something to one process, which hears it once, twice or never. Gives back when it is on its way.
    async fn say(&self, to: Node, word: Word);

    /// The other processes that live, as far as the store knows.
    async fn others(&self) -> Vec<Node>;

    /// What others say to this process, with who does; it ends with the process. Asked for once.
    async fn hear(&self) -> BoxStream<'static, (Node, Word)>;
}
