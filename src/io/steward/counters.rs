//! **The question:** what is counted of a steward's dealings with a cluster?

use crate::engine::flow::{Counter, Level};

/// Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct StewardCounters {
    /// 1 while the cluster's API answers.
    pub reachable: Level,
    /// Pods that it listed.
    pub pods: Level,
    /// Requests to it.
    pub requests: Counter,
    /// Marks that it took.
    pub marked: Counter,
    /// Pods that were gone, or others by then, when they were marked.
    pub gone: Counter,
    /// Pods that somebody else changed at the same moment.
    pub conflicts: Counter,
    /// Times that it asked to be asked later.
    pub throttled: Counter,
    /// Times that it did not know the token.
    pub unauthorized: Counter,
    /// Times that it forbade what was asked.
    pub forbidden: Counter,
    /// Times that nothing came, or nothing that can be read.
    pub failed: Counter,
}
