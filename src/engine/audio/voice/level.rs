//! **The question:** is a sender's stated level true? A voice that is heard is decoded anyway, so what it states (RFC
//! 6464) is compared with what it sounds like. One who states wrongly for long is measured from then on; a burst that
//! is much louder than stated is turned down until then.

use crate::core::mix::Loudness;

/// Senders measure before their encoders, with their own windows: so much apart is still true, dB.
const TRUE_WITHIN: f32 = 12.0;
/// Believed again once it is closer than this, dB.
const BELIEVED_WITHIN: f32 = 6.0;
/// What a tick counts in the average: half a second or so.
const WEIGHT: f32 = 0.05;
/// Louder than stated by more than this is turned down, dB.
const SURGE: f32 = 20.0;
/// Below this nothing is compared: −60 dBov.
const AUDIBLE: f32 = 67.0;
/// Ticks whose stated levels count for one measurement: decoders delay, and packets reach over ticks.
const TICKS: usize = 3;

/// What is known of one sender's levels.
#[derive(Debug)]
pub(super) struct LevelCheck {
    stated: [f32; TICKS],
    measured: [f32; TICKS],
    /// How much louder the voice is than stated, dB, averaged.
    bias: f32,
    is_lying: bool,
    gain: f32,
}

impl LevelCheck {
    pub(super) fn new() -> Self {
        Self { stated: [0.0; TICKS], measured: [0.0; TICKS], bias: 0.0, is_lying: false, gain: 1.0 }
    }

    /// What is stated is not to be believed.
    pub(super) fn is_lying(&self) -> bool {
        self.is_lying
    }

    /// Nothing is stated any more, or another sender begins.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Compares a tick, and answers with the gains at its begin and end.
    pub(super) fn compare(&mut self, stated: Loudness, measured: Loudness) -> (f32, f32) {
        let said = loudest(&mut self.stated, stated);
        let sounded = loudest(&mut self.measured, measured);
        if said.max(sounded) >= AUDIBLE {
            // What is stated as silent and sounds silent is apart by what silence means, not by a lie.
            let redacted = sounded.max(AUDIBLE - TRUE_WITHIN) - said.max(AUDIBLE - TRUE_WITHIN);
            self.bias += (redacted - self.bias) * WEIGHT;
        }
        let limit = if self.is_lying { BELIEVED_WITHIN } else { TRUE_WITHIN };
        self.is_lying = self.bias.abs() > limit;
        let surge = measured.0 - said - SURGE;
        let target = if self.is_lying || surge <= 0.0 { 1.0 } else { 10_f32.powf(-surge / 20.0) };
        let from = self.gain;
        // Down at once, up slowly.
        self.gain = if target < from { target } else { (from * 1.25).min(target) };
        (from.min(self.gain), self.gain)
    }

    /// A probe of a voice that states silence and yet sends much: true if it should be measured from now on.
    pub(super) fn probe(&mut self, stated: Loudness, measured: Loudness) -> bool {
        if measured.0 >= AUDIBLE && measured.0 - stated.0 > SURGE {
            self.bias = self.bias.max(TRUE_WITHIN * 2.0);
            self.is_lying = true;
        }
        self.is_lying
    }
}

/// Puts `level` in the place of the oldest and answers with the highest of all.
fn loudest(recent: &mut [f32; TICKS], level: Loudness) -> f32 {
    recent.rotate_right(1);
    recent[0] = level.0;
    recent.iter().fold(0.0, |most, level| most.max(*level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_sender_is_believed_whatever_it_says() {
        let mut check = LevelCheck::new();
        for n in 0..1000 {
            let level = 40.0 + (n % 17) as f32 * 4.0;
            let gains = check.compare(Loudness(level), Loudness(level - 5.0));
            assert_eq!(gains, (1.0, 1.0));
        }
        assert!(!check.is_lying());
    }

    #[test]
    fn a_liar_is_found_within_a_second_and_believed_again_when_honest() {
        let mut check = LevelCheck::new();
        let ticks = (1..200).find(|_| {
            check.compare(Loudness(127.0), Loudness(20.0));
            check.is_lying()
        });
        assert!(ticks.is_some_and(|n| n <= 50), "{ticks:?}");
        (0..200).for_each(|_| {
            check.compare(Loudness(100.0), Loudness(98.0));
        });
        assert!(!check.is_lying());
    }

    #[test]
    fn a_burst_is_turned_down_to_what_was_stated() {
        let mut check = LevelCheck::new();
        for _ in 0..50 {
            check.compare(Loudness(75.0), Loudness(75.0));
        }
        let (_, gain) = check.compare(Loudness(75.0), Loudness(120.0));
        assert!((20.0 * gain.log10() + 25.0).abs() < 0.1, "{gain}");
        let after: Vec<_> = (0..20).map(|_| check.compare(Loudness(75.0), Loudness(75.0)).1).collect();
        assert!(after.windows(2).all(|w| w[1] >= w[0]) && after[19] == 1.0, "{after:?}");
    }

    #[test]
    fn a_probe_finds_who_speaks_and_states_silence() {
        let mut check = LevelCheck::new();
        assert!(!check.probe(Loudness(0.0), Loudness(50.0)), "a quiet room's noise");
        assert!(check.probe(Loudness(0.0), Loudness(100.0)));
    }
}
