//! **The question:** what do recordings count on their way to the vault?

use std::fmt;

use crate::engine::flow::{Counter, Level};

/// What recordings count on their way to the vault; clones share it.
#[derive(Debug, Clone, Default)]
pub struct UploadCounters {
    /// Bytes stored, sealed.
    pub bytes: Counter,
    /// Tries that failed.
    pub errors: Counter,
    /// 1 while the last try failed.
    pub store_failing: Level,
    /// Segments for which no room was left: a recording lacks them.
    pub lost: Counter,
    /// Sealed bytes that wait on disk.
    pub spool_bytes: Level,
    /// 1 while the spool takes nothing more: its bound is reached, or its disk refuses.
    pub spool_full: Level,
    /// Times that the spool's disk refused.
    pub spool_errors: Counter,
}

impl UploadCounters {
    /// An object of `len` bytes is stored.
    pub(super) fn stored(&self, len: u64) {
        self.bytes.add(len);
        if self.store_failing.set(0) == 1 {
            tracing::info!("the store takes recordings again");
        }
    }

    /// A try failed.
    pub(super) fn failed(&self, error: &dyn fmt::Display) {
        self.errors.add(1);
        if self.store_failing.set(1) == 0 {
            tracing::warn!(%error, "objects of recordings could not be stored; trying again");
        }
    }
}
