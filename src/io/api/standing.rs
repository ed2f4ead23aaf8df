//! **The question:** how does this node stand now? What changes while it runs, beside what it is.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::ladder::Capacity;

/// How a node stands, as `GET /v1/node` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeState {
    /// Whether rooms begin.
    pub state: Standing,
    /// Rooms that run.
    pub rooms: usize,
    /// People in them.
    pub people: usize,
    /// Rooms that are over and whose recordings are being closed.
    pub finishing: usize,
    /// Bytes of recordings that wait for their store.
    pub unsent_bytes: u64,
    /// What the machine carries, and what is left of it.
    pub capacity: Capacity,
    /// The drain, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainShown>,
}

/// Whether a node begins rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Who asks for a new room gets one.
    Open,
    /// What runs here leaves no place for another room.
    Full,
    /// No room begins, until that is revoked.
    Draining,
    /// The process was asked to end, and waits for its last room.
    Leaving,
}

/// How a drain goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DrainShown {
    /// For how long it has been.
    pub since_s: u64,
    /// When the rooms that still run end; none: they may run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_in_s: Option<u64>,
    /// When those that still run go to other nodes of the fleet; none: they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moves_in_s: Option<u64>,
    /// Rooms that are on their way to another node.
    pub moving: usize,
    /// Rooms that went, since the drain began.
    pub moved: u64,
    /// Rooms that were to go and stayed; it is tried again.
    pub stayed: usize,
    /// Why the one of them stayed that was tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stayed_why: Option<String>,
}
