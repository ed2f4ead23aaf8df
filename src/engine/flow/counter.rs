//! **The question:** how often did it happen, and how does it stand? Shared numbers that any thread may raise or set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A monotonic count; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that rises and falls; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Level(Arc<AtomicU64>);

impl Level {
    /// It stands at `n` from now on; what it stood at before.
    pub fn set(&self, n: u64) -> u64 {
        self.0.swap(n, Ordering::Relaxed)
    }

    /// It stands `n` higher.
    pub fn raise(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// It stands `n` lower, by what it was raised before.
    pub fn lower(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// Where it stands.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
