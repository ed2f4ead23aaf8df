//! **The question:** what is counted of the fleet?

use crate::engine::flow::{Counter, Level};

/// Of this node's dealings with the fleet; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct FleetCounters {
    /// 1 while this node's records stand in etcd.
    pub registered: Level,
    /// Nodes that are known, this one included.
    pub nodes: Level,
    /// Rooms that are known, of all nodes.
    pub rooms: Level,
    /// New rooms that came here.
    pub placed_here: Counter,
    /// New rooms that went to another node.
    pub placed_elsewhere: Counter,
    /// Rooms that were asked for and had a node already.
    pub found: Counter,
    /// Rooms that no node took.
    pub nowhere: Counter,
    /// Rooms about which others were faster each time.
    pub conflicts: Counter,
    /// Transactions that were asked again, because others were faster.
    pub retries: Counter,
    /// Rooms that were not placed because etcd did not answer.
    pub away: Counter,
    /// Clients sent on to another node.
    pub redirects: Counter,
    /// Rooms that ended here because another node had them by a newer fence.
    pub rooms_lost: Counter,
    /// Rooms that went to another node while people were in them.
    pub rooms_moved: Counter,
    /// Rooms that came so.
    pub rooms_taken_up: Counter,
    /// Times that a room was to go and stayed.
    pub moves_failed: Counter,
    /// Requests to etcd.
    pub requests: Counter,
    /// Of those, without an answer.
    pub requests_failed: Counter,
    /// Microseconds that they took together.
    pub request_us: Counter,
    /// Times that this node's lease was over and it told all anew.
    pub leases_lost: Counter,
}

impl FleetCounters {
    /// So many nodes and rooms are known.
    pub fn see(&self, (nodes, rooms): (usize, usize)) {
        self.nodes.set(nodes as u64);
        self.rooms.set(rooms as u64);
    }
}
