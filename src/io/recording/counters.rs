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
}
