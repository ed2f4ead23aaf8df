//! **The question:** what is counted of pushes?

use crate::engine::flow::{Counter, Level};

/// Of all rooms; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct PushCounters {
    /// Pushes that were asked for and not ended.
    pub pushes: Level,
    /// Those of them that are up.
    pub live: Level,
    /// How often another server was asked.
    pub tries: Counter,
    /// How often that failed, or what came of it broke.
    pub failures: Counter,
}
