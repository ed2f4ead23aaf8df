//! **The question:** how does the node stand: what runs on it, and would it take another room?

use std::time::Instant;

use crate::app::control::thread::Control;
use crate::io::api::{DrainShown, NodeState, Standing};

impl Control {
    /// What `GET /v1/node` tells beside what stays.
    pub(super) fn node_state(&self, now: Instant) -> NodeState {
        let (rooms, people) = self.census();
        let state = match self.takes_room() {
            _ if self.drain.is_leaving() => Standing::Leaving,
            _ if self.drain.is_on() => Standing::Draining,
            Err(_) => Standing::Full,
            Ok(()) => Standing::Open,
        };
        let drain = self.drain.since().map(|since| DrainShown {
            since_s: now.saturating_duration_since(since).as_secs(),
            ends_in_s: self.left(now).map(|left| left.as_secs()),
        });
        let unsent_bytes = self.setup.counts.archive.upload.spool_bytes.get();
        NodeState { state, rooms, people, finishing: self.endings.len(), unsent_bytes, drain }
    }

    /// Rooms, and people in them.
    pub(super) fn census(&self) -> (usize, usize) {
        (self.rooms.len(), self.rooms.values().map(|entry| entry.room.people_count()).sum())
    }
}
