//! **The question:** how loud is a voice? The scale of RFC 6464, turned round.

use crate::base::media::AudioLevel;

/// How loud a voice is: 0 is silence, 127 full scale; 127 − the RFC 6464 level.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Loudness(pub f32);

impl Loudness {
    /// Nothing to hear.
    pub const SILENCE: Self = Self(0.0);

    /// Of samples within −1.0 to 1.0, by their mean power (RFC 6464 section 3).
    #[must_use]
    pub fn of_samples(samples: &[f32]) -> Self {
        if samples.is_empty() {
            return Self::SILENCE;
        }
        Self::of_power(samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32)
    }

    /// Of the mean power of samples.
    #[must_use]
    pub fn of_power(power: f32) -> Self {
        // A sine at full scale has a power of one half and is 0 dBov.
        let dbov = 10.0 * (power * 2.0).max(1e-13).log10();
        Self((127.0 + dbov).clamp(0.0, 127.0))
    }

    /// The RFC 6464 level.
    #[must_use]
    pub fn level(self) -> AudioLevel {
        // In range by the clamp; NaN becomes silence.
        AudioLevel(127 - self.0.round().clamp(0.0, 127.0) as u8)
    }
}

impl From<AudioLevel> for Loudness {
    fn from(level: AudioLevel) -> Self {
        Self(127.0 - f32::from(level.0.min(127)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_of_samples_agrees_with_rfc_6464() {
        let sine: Vec<f32> = (0..960).map(|i| (i as f32 * 0.1309).sin()).collect();
        assert_eq!(Loudness::of_samples(&sine).level(), AudioLevel(0));
        let quiet: Vec<f32> = sine.iter().map(|s| s * 0.01).collect();
        assert_eq!(Loudness::of_samples(&quiet).level(), AudioLevel(40));
        assert_eq!(Loudness::of_samples(&[0.0; 960]).level(), AudioLevel(127));
        assert_eq!(Loudness::from(AudioLevel(30)).level(), AudioLevel(30));
    }
}
