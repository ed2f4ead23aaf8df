//! **The question:** how does a pure core answer without a caller forgetting to drain?

use std::vec::Drain;

/// Where a core puts its effects. The caller owns it, reuses it, and drains it after each `handle`.
#[derive(Debug)]
pub struct Outbox<T> {
    items: Vec<T>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T> Outbox<T> {
    /// An empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one effect; called by cores only.
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Takes every effect in order; the memory stays for the next round.
    pub fn drain(&mut self) -> Drain<'_, T> {
        self.items.drain(..)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What waits, in order, without taking it.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }
}
