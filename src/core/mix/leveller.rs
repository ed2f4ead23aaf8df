//! **The question:** how much louder or quieter should this voice be, so that all are heard alike? A slow gain towards
//! a target, moved by speech only, so that pauses are not pumped up.

use crate::base::limits;
use crate::core::mix::Loudness;

/// Where speech shall lie: −20 dBov, some 7 dB above what R 128 asks of programmes; calls are heard on small speakers.
const TARGET: f32 = 127.0 - 20.0;
/// The most a quiet voice is raised, dB.
const HIGHEST_RAISE: f32 = 18.0;
/// The most a loud voice is lowered, dB.
const DEEPEST_CUT: f32 = 14.0;
/// A voice's noise is not raised above −50 dBov.
const LOUDEST_NOISE: f32 = 127.0 - 50.0;
/// dB a tick that the gain rises: 6 dB a second.
const RISE: f32 = 0.12;
/// dB a tick that it falls: 25 dB a second, for too loud is worse than too quiet.
const FALL: f32 = 0.5;
/// Share of a tick of speech in the loudness that is known: a second or so.
const SMOOTHING: f32 = 0.02;
/// Ticks of speech that teach faster, when a voice is new.
const FIRST_TICKS: f32 = 25.0;
/// Within so many dB of the target nothing is changed.
const CLOSE: f32 = 1.0;

/// The gain of one voice.
#[derive(Debug, Clone, Copy)]
pub struct Leveller {
    /// Mean power of the voice's speech.
    power: f32,
    /// Ticks of speech heard, at most `FIRST_TICKS`.
    ticks: f32,
    gain_db: f32,
    /// What people asked for, a factor.
    volume: f32,
    /// The factor at the last tick's end.
    applied: f32,
}

impl Default for Leveller {
    fn default() -> Self {
        Self { power: 0.0, ticks: 0.0, gain_db: 0.0, volume: 1.0, applied: 1.0 }
    }
}

impl Leveller {
    /// Sets the volume that people asked for, a factor from 0 to 4; it is reached within a tick.
    pub fn set_volume(&mut self, volume: f32) {
        self.volume = volume.clamp(0.0, 4.0);
    }

    /// Levels one tick. `speech` and `floor` are what the voice's activity says of it; `None` leaves the level as it is
    /// and sets the volume only.
    pub fn apply(&mut self, block: &mut [f32; limits::PCM_SAMPLES], speech: Option<(bool, Loudness)>) {
        if let Some((true, floor)) = speech {
            self.learn(block, floor);
        }
        let to = self.volume * if speech.is_some() { amplitude(self.gain_db) } else { 1.0 };
        let from = std::mem::replace(&mut self.applied, to);
        scale(block, from, to);
    }

    /// dB by which the voice is raised now.
    #[must_use]
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    fn learn(&mut self, block: &[f32; limits::PCM_SAMPLES], floor: Loudness) {
        let power = block.iter().map(|s| s * s).sum::<f32>() / block.len() as f32;
        if !power.is_finite() {
            return;
        }
        self.ticks = (self.ticks + 1.0).min(FIRST_TICKS);
        let share = if self.ticks < FIRST_TICKS { 1.0 / self.ticks } else { SMOOTHING };
        self.power += (power - self.power) * share;
        let known = Loudness::of_power(self.power).0;
        let quiet_noise = (LOUDEST_NOISE - floor.0).max(0.0);
        let wanted = (TARGET - known).clamp(-DEEPEST_CUT, HIGHEST_RAISE.min(quiet_noise));
        let step = wanted - self.gain_db;
        if step.abs() > CLOSE {
            self.gain_db += step.clamp(-FALL, RISE);
        }
    }
}

/// Scales a block by a factor that goes from one value to another within it.
pub(super) fn scale(block: &mut [f32; limits::PCM_SAMPLES], from: f32, to: f32) {
    if from == 1.0 && to == 1.0 {
        return;
    }
    let step = (to - from) / limits::PCM_FRAMES as f32;
    for (n, pair) in block.chunks_exact_mut(2).enumerate() {
        let gain = from + step * (n + 1) as f32;
        pair[0] *= gain;
        pair[1] *= gain;
    }
}

/// Decibels as a factor.
pub(super) fn amplitude(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(amplitude: f32) -> [f32; limits::PCM_SAMPLES] {
        std::array::from_fn(|n| ((n / 2) as f32 * 0.05).sin() * amplitude)
    }

    fn level(leveller: &mut Leveller, amplitude: f32, ticks: usize) -> f32 {
        let mut block = speech(amplitude);
        for _ in 0..ticks {
            block = speech(amplitude);
            leveller.apply(&mut block, Some((true, Loudness(50.0))));
        }
        Loudness::of_samples(&block).0 - 127.0
    }

    #[test]
    fn quiet_and_loud_voices_end_up_alike() {
        let (mut quiet, mut loud) = (Leveller::default(), Leveller::default());
        let (quiet, loud) = (level(&mut quiet, 0.02, 300), level(&mut loud, 0.5, 300));
        assert!((quiet - loud).abs() < 3.0, "{quiet} and {loud} dBov from -34 and -6");
        assert!((quiet + 20.0).abs() < 2.0, "{quiet}");
    }

    #[test]
    fn silence_moves_nothing_and_noise_is_not_raised() {
        let mut leveller = Leveller::default();
        level(&mut leveller, 0.05, 100);
        let before = leveller.gain_db();
        for _ in 0..500 {
            let mut block = speech(0.001);
            leveller.apply(&mut block, Some((false, Loudness(50.0))));
        }
        assert_eq!(leveller.gain_db(), before);
        let mut noisy = Leveller::default();
        for _ in 0..500 {
            noisy.apply(&mut speech(0.02), Some((true, Loudness(LOUDEST_NOISE - 3.0))));
        }
        assert!(noisy.gain_db() <= 3.1, "{}", noisy.gain_db());
    }

    #[test]
    fn the_gain_is_bounded_and_never_jumps() {
        let mut leveller = Leveller::default();
        for amplitude in [1.0, 0.001, 1.0, 0.0, f32::NAN] {
            for _ in 0..400 {
                let before = leveller.gain_db();
                leveller.apply(&mut speech(amplitude), Some((true, Loudness(47.0))));
                assert!((leveller.gain_db() - before).abs() <= FALL + 1e-6);
                assert!((-DEEPEST_CUT..=HIGHEST_RAISE).contains(&leveller.gain_db()));
            }
        }
    }

    #[test]
    fn a_volume_is_reached_within_a_tick_and_without_a_step() {
        let mut leveller = Leveller::default();
        leveller.set_volume(0.5);
        let mut block = [0.8; limits::PCM_SAMPLES];
        leveller.apply(&mut block, None);
        assert!((block[0] - 0.8).abs() < 0.001 && (block[1919] - 0.4).abs() < 1e-6);
        let mut block = [0.8; limits::PCM_SAMPLES];
        leveller.apply(&mut block, None);
        assert!(block.iter().all(|s| (s - 0.4).abs() < 1e-6));
    }
}
