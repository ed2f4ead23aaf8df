//! **The question:** what do recordings count, over all rooms of the node?

use crate::engine::flow::Counter;

/// What recordings count; clones share it.
#[derive(Debug, Clone, Default)]
pub struct RecordCounters {
    /// Milliseconds of recordings that lack something (`record_gap_ms`).
    pub gap_ms: Counter,
    /// Bytes stored (`record_bytes`).
    pub bytes: Counter,
    /// Writes that failed (`record_errors`).
    pub errors: Counter,
    /// Times that keepers let no recording, or no next part of one, begin (`recordings_refused`).
    pub refused: Counter,
    /// Times that a recording that ran could store nothing (`recordings_stalled`).
    pub stalled: Counter,
    /// Recordings ended by a fault of ours (`recordings_failed`).
    pub failed: Counter,
}
