//! **The question:** is there too much of it at once?

use std::time::{Duration, Instant};

/// A leaky bucket as a moment: when all that was said will have run out (the generic cell rate algorithm).
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    empty_at: Option<Instant>,
}

impl Bucket {
    /// Whether `cost` more goes in of a `burst` that grows by one each `spacing`. What costs more than all of it goes
    /// in when it is empty.
    #[must_use]
    pub fn has_room(&self, now: Instant, cost: u32, (burst, spacing): (u32, Duration)) -> bool {
        let filled = self.empty_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        filled + spacing * cost.min(burst) <= spacing * burst
    }

    /// It goes in.
    pub fn take(&mut self, now: Instant, cost: u32, spacing: Duration) {
        self.empty_at = Some(self.empty_at.map_or(now, |at| at.max(now)) + spacing * cost);
    }

    /// One more goes in, if there is room; whether there was.
    pub fn pay(&mut self, now: Instant, (burst, spacing): (u32, Duration)) -> bool {
        let has_room = self.has_room(now, 1, (burst, spacing));
        if has_room {
            self.take(now, 1, spacing);
        }
        has_room
    }
}
