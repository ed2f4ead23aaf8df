//! **The question:** what became of a room, in figures?

use crate::base::media::{RoomId, Size};
use crate::engine::flow::Counter;
use crate::io::recording::RecordingSummary;

/// A room's own counts; clones share them.
#[derive(Debug, Clone, Default)]
pub struct RoomCounters {
    /// Video ticks that came due.
    pub ticks: Counter,
    /// Ticks whose picture was not encoded.
    pub ticks_skipped: Counter,
    /// Frames encoded.
    pub frames_encoded: Counter,
}

/// What a room was and did, told when it ends.
#[derive(Debug, Clone)]
pub struct RoomReport {
    /// Its name.
    pub room: RoomId,
    /// Its canvas.
    pub size: Size,
    /// Ticks a second.
    pub fps: u32,
    /// Who encoded.
    pub encoder: &'static str,
    /// Who composed.
    pub compositor: &'static str,
    /// Its counts.
    pub counters: RoomCounters,
    /// How long it lived, seconds.
    pub duration_s: f64,
    /// Its recording, if one was made.
    pub recording: Option<RecordingSummary>,
}
