//! **The question:** how long does the next try wait? Floor 2: pauses that double up to a bound, each by a share of its
//! own, so that a server that comes back is not met by everybody at once (Brooker, "Exponential Backoff and Jitter",
//! 2015).
//!
//! Doors: [`Backoff::pause`], [`Backoff::reset`].

use std::time::Duration;

/// The pauses of one who tries again.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    /// Pauses since it was last reset.
    in_a_row: u32,
    /// Of the pauses' shares.
    dice: u64,
}

impl Backoff {
    /// The first pause is `first` at most, none is longer than `most`; `seed` tells its pauses from those of others.
    #[must_use]
    pub const fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, in_a_row: 0, dice: seed }
    }

    /// It went well: the next pause is short again.
    pub const fn reset(&mut self) {
        self.in_a_row = 0;
    }

    /// How long the next try waits: half of a span that doubles, and a share of the other half.
    pub fn pause(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.in_a_row.min(16));
        let half = doubled.min(self.most) / 2;
        self.in_a_row = self.in_a_row.saturating_add(1);
        // SplitMix64 (Steele, Lea, Flood, OOPSLA 2014); its high bits are the share.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        half + half * ((mixed >> 56) as u32) / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_success() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(30));
        let mut backoff = Backoff::new(first, most, 7);
        for n in 0..40 {
            let (whole, pause) = (first.saturating_mul(1 << n.min(16)).min(most), backoff.pause());
            assert!(pause >= whole / 2 && pause < whole, "{n}: {pause:?}");
        }
        backoff.reset();
        assert!(backoff.pause() < first);
        let of = |seed| Backoff::new(first, most, seed).pause();
        assert_ne!(of(1), of(2), "no two wait alike");
    }
}
