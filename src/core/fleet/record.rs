//! **The question:** what do nodes say of themselves and of their rooms, and what does a room need?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::{Label, Pod};

/// By what a room's owner is told from whoever owned it before: the revision at which its key came to be, or what was
/// written into it when it moved. Of two owners the one with the greater fence is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Fence(pub i64);

/// A record as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<T> {
    /// What it says.
    pub value: T,
    /// The revision at which its key came to be.
    pub created: i64,
    /// The revision at which it was written last.
    pub changed: i64,
}

impl Known<RoomRecord> {
    /// The fence of the room of which it is the record.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence(self.value.fence.unwrap_or(0).max(self.created))
    }
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeRecord {
    /// Where clients reach it, without a slash at its end.
    pub url: String,
    /// Where it stands.
    #[serde(default)]
    pub region: Option<Label>,
    /// Media units that its machine has.
    pub units: u64,
    /// Of those, what rooms reserve.
    pub reserved: u64,
    /// Rooms of a hundred people that fit beside them.
    pub free_room100_slots: u64,
    /// It begins no room: it is about to go down.
    #[serde(default)]
    pub draining: bool,
    /// It begins no room: what runs on it does not keep up, or it has as many as it may.
    #[serde(default)]
    pub full: bool,
    /// The lease under which keys of its rooms stand.
    pub lease: i64,
    /// The pod that it runs in, where a cluster says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
}

/// What is said of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomRecord {
    /// The node that has it.
    pub owner: Label,
    /// Where that one is reached.
    pub url: String,
    /// Where that one stands.
    #[serde(default)]
    pub region: Option<Label>,
    /// Media units that are reserved for it.
    pub units: u64,
    /// Its fence, where it moved to its owner: a key that is written anew keeps the revision at which it came to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
}

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Longer than any of ours.
    #[error("a record of {0} bytes")]
    Long(usize),
    /// No JSON, or of something else.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads a record.
pub(super) fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, RecordError> {
    if bytes.len() > limits::FLEET_RECORD_LEN_MAX {
        return Err(RecordError::Long(bytes.len()));
    }
    serde_json::from_slice(bytes).map_err(|error| RecordError::Unreadable(error.to_string()))
}

impl NodeRecord {
    /// The one that these bytes hold.
    ///
    /// # Errors
    /// When they hold none.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        read(bytes)
    }

    /// As it is written.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }

    /// What a room would reserve here, with so much `more` reserved than it says, if it fits: what it needs, of a node
    /// that has less and no room all that it has.
    pub(super) fn takes(&self, need: &Need, more: u64) -> Option<u64> {
        let is_there = need.region.is_none() || need.region == self.region;
        if self.draining || self.full || !is_there {
            return None;
        }
        let reserved = self.reserved.checked_add(more)?;
        if reserved == 0 {
            return Some(need.units.min(self.units));
        }
        (reserved.checked_add(need.units)? <= self.units).then_some(need.units)
    }
}

impl RoomRecord {
    /// The one that these bytes hold.
    ///
    /// # Errors
    /// When they hold none.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        read(bytes)
    }

    /// As it is written.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }
}

/// What a room needs that is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub room: RoomId,
    /// What is reserved for it at first, media units.
    pub units: u64,
    /// Where it has to be; `None`: anywhere.
    pub region: Option<Label>,
    /// The node that takes it if it can, because whoever asks cannot go to another.
    pub prefers: Option<Label>,
}
