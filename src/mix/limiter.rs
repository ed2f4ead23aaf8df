//! **The question:** how does a sum of voices stay below full scale without clipping? A gain that falls within a block and
//! recovers slowly, and a smooth knee for what the gain was too late for.

/// Highest sample the gain aims at.
const CEILING: f32 = 0.95;
/// Below this the knee leaves samples as they are.
const KNEE: f32 = 0.8;
/// Sample pairs in which the gain falls: 2.5 ms.
const ATTACK_FRAMES: usize = 120;
/// How much of the way back to unity the gain goes in a block: 200 ms or so to recover.
const RELEASE: f32 = 0.1;

/// The limiter of one mix. Without memory of samples, so it adds no delay.
#[derive(Debug, Clone)]
pub struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// Brings a block of interleaved stereo within −1.0 to 1.0, exclusive. A block that is quiet enough stays as it is.
    pub fn apply(&mut self, samples: &mut [f32]) {
        let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        let allowed = if peak > CEILING { CEILING / peak } else { 1.0 };
        let recovered = self.gain + (1.0 - self.gain) * RELEASE;
        // What is left of a recovery below a thousandth of a decibel is none.
        let target = allowed.min(if recovered > 0.9999 { 1.0 } else { recovered });
        let (from, to) = (self.gain, target);
        self.gain = target;
        if from == 1.0 && to == 1.0 && peak <= KNEE {
            return;
        }
        let ramp = if to < from { ATTACK_FRAMES } else { samples.len() / 2 };
        for (n, pair) in samples.chunks_exact_mut(2).enumerate() {
            let along = (n.min(ramp) as f32) / (ramp as f32);
            let gain = from + (to - from) * along;
            pair[0] = knee(pair[0] * gain);
            pair[1] = knee(pair[1] * gain);
        }
    }

    /// The gain now, 0 to 1.
    #[must_use]
    pub fn gain(&self) -> f32 {
        self.gain
    }
}

/// Unity up to the knee, then bends towards 1.0 and never reaches it; slope and value are continuous.
fn knee(sample: f32) -> f32 {
    let magnitude = sample.abs();
    if magnitude <= KNEE {
        return sample;
    }
    let room = 1.0 - KNEE;
    let over = (magnitude - KNEE) / room;
    let bent = KNEE + room * (over / (1.0 + over));
    bent.min(1.0 - f32::EPSILON).copysign(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(amplitude: f32) -> Vec<f32> {
        (0..1920).map(|i| ((i / 2) as f32 * 0.07).sin() * amplitude).collect()
    }

    #[test]
    fn quiet_sound_is_untouched() {
        let mut limiter = Limiter::default();
        let mut samples = block(0.7);
        limiter.apply(&mut samples);
        assert_eq!(samples, block(0.7));
    }

    #[test]
    fn nothing_ever_reaches_full_scale_and_the_gain_recovers() {
        let mut limiter = Limiter::default();
        for amplitude in [6.0, 0.5, 100.0, 1.0, 6.0, f32::MAX / 1e6] {
            let mut samples = block(amplitude);
            limiter.apply(&mut samples);
            assert!(samples.iter().all(|s| s.abs() < 1.0 && s.is_finite()), "amplitude {amplitude}");
        }
        for _ in 0..200 {
            limiter.apply(&mut block(0.5));
        }
        assert_eq!(limiter.gain(), 1.0);
    }

    #[test]
    fn a_steady_loud_sound_is_turned_down_not_bent() {
        let mut limiter = Limiter::default();
        let mut samples = Vec::new();
        for _ in 0..10 {
            samples = block(3.0);
            limiter.apply(&mut samples);
        }
        // Where the turned-down sound stays below the knee, it is the input times the gain.
        let expected = block(3.0 * limiter.gain());
        let worst = samples.iter().zip(&expected).filter(|(_, e)| e.abs() < 0.75).map(|(s, e)| (s - e).abs());
        assert!(worst.fold(0.0, f32::max) < 1e-3);
    }
}
