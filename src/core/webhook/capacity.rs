//! **The question:** when is it said that a node has little left, and when that it has enough again? Two thresholds and
//! a while between them, so that a node at its limit does not say one and the other in turn.

use std::time::Instant;

use crate::base::limits;

/// Percent of its units from which on a node has little left.
const LOW_PERCENT: u64 = 90;
/// Percent below which it has enough again.
const ENOUGH_PERCENT: u64 = 80;

/// How much is left, as was said last.
#[derive(Debug, Default)]
pub struct CapacityWatch {
    is_low: bool,
    /// Since when there is enough again of what was said to be low.
    calm_since: Option<Instant>,
}

impl CapacityWatch {
    /// Takes a look: the machine's units, those that are taken, and whether a room could begin. What is to be said, if
    /// anything: that there is little left, or that there is enough again.
    pub fn note(&mut self, now: Instant, units: u64, reserved: u64, takes_room: bool) -> Option<bool> {
        let share = |percent: u64| units.saturating_mul(percent) / 100;
        if !self.is_low {
            self.is_low = !takes_room || reserved >= share(LOW_PERCENT);
            self.calm_since = None;
            return self.is_low.then_some(true);
        }
        if !takes_room || reserved >= share(ENOUGH_PERCENT) {
            self.calm_since = None;
            return None;
        }
        let calm_since = *self.calm_since.get_or_insert(now);
        if now < calm_since + limits::WEBHOOK_CALM_SPAN {
            return None;
        }
        (self.is_low, self.calm_since) = (false, None);
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_said_at_once_and_enough_after_a_while_and_neither_twice() {
        let (now, mut watch) = (Instant::now(), CapacityWatch::default());
        assert_eq!(watch.note(now, 100, 89, true), None);
        assert_eq!(watch.note(now, 100, 90, true), Some(true));
        assert_eq!(watch.note(now, 100, 95, true), None, "once");
        assert_eq!(watch.note(now, 100, 79, true), None, "not yet");
        let later = now + limits::WEBHOOK_CALM_SPAN;
        assert_eq!(watch.note(later, 100, 80, true), None, "it begins anew");
        assert_eq!(watch.note(later, 100, 10, true), None);
        assert_eq!(watch.note(later + limits::WEBHOOK_CALM_SPAN, 100, 10, true), Some(false));
        assert_eq!(watch.note(later, 100, 10, false), Some(true), "none begins, whatever is free");
    }
}
