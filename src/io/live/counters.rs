//! **The question:** what does live HLS count?

use crate::engine::flow::{Counter, Level};

/// Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct LiveCounters {
    /// Parts made, all rungs.
    pub parts: Counter,
    /// Who watches, as far as their requests tell.
    pub viewers: Level,
    /// Requests refused because as many wait as may, of all or of one network.
    pub refused: Counter,
}
