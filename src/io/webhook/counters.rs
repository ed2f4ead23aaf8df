//! **The question:** what is counted of webhooks?

use crate::engine::flow::{Counter, Level};

/// Of all servers; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct WebhookCounters {
    /// Messages that a server took.
    pub delivered: Counter,
    /// Messages that were tried for as long as any is, or that a server wants no more.
    pub given_up: Counter,
    /// Messages that found no place in a queue, or made way for newer ones.
    pub discarded: Counter,
    /// Tries that failed.
    pub failures: Counter,
    /// Messages that wait or are on their way.
    pub waiting: Level,
}
