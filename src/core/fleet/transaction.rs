//! **The question:** what is written at once or not at all? Each record together with what was known of it, so that
//! nobody else's word is lost.

use crate::base::media::RoomId;
use crate::core::fleet::{Known, Label, NodeRecord, RoomRecord};

/// What is asked of the store: if every record of it is as it was seen, all of it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Nodes' records.
    pub nodes: Vec<NodeWrite>,
    /// Rooms' records.
    pub rooms: Vec<RoomWrite>,
}

/// One node's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeWrite {
    /// Whose.
    pub id: Label,
    /// The revision at which it was written last; `None`: there is none.
    pub seen: Option<i64>,
    /// What it says from now on. It stands under the lease that it names.
    pub record: NodeRecord,
}

/// One room's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomWrite {
    /// Which room's.
    pub room: RoomId,
    /// The revision at which it was written last; `None`: there is none.
    pub seen: Option<i64>,
    /// What it says from now on, and the lease of its owner; `None`: the room is over.
    pub record: Option<(RoomRecord, i64)>,
}

/// What the store answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All of it is written, at this revision.
    Done(i64),
    /// Nothing is; at this revision it stood so with each node and each room of the transaction.
    Changed {
        /// When.
        revision: i64,
        /// Its nodes.
        nodes: Vec<(Label, Option<Known<NodeRecord>>)>,
        /// Its rooms.
        rooms: Vec<(RoomId, Option<Known<RoomRecord>>)>,
    },
}
