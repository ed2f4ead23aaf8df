//! **The question:** how does sound go from the node's 48 kHz to others' rates, and back? Windowed-sinc low-passes
//! (Kaiser and Schafer, 1980). For the telephone's 8 kHz one of 6 ms, in six phases: flat to 3.4 kHz, the telephone's
//! band (ITU-T G.712), and 60 dB down from 4 kHz on. For recognisers of speech, at 16 kHz, one of 4 ms: flat to 7 kHz,
//! and 60 dB down from 8 kHz on.

use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::base::limits;

/// Samples of ours for each of the telephone's.
const PHASES: usize = (limits::SAMPLE_RATE / limits::TELEPHONE_RATE) as usize;
/// Taps of each phase, so many samples at 8 kHz.
const TAPS: usize = 48;
/// Taps at 48 kHz.
const LENGTH: usize = PHASES * TAPS;
/// Where the filter is 6 dB down, Hz.
const CUTOFF: f64 = 3_700.0;
/// Samples of ours for each of a recogniser's.
const SPEECH_RATIO: usize = (limits::SAMPLE_RATE / limits::SPEECH_RATE) as usize;
/// Taps of its low-pass at 48 kHz: a transition of 1 kHz takes 174 of them by Kaiser's formula.
const SPEECH_LENGTH: usize = 192;
/// Where that is 6 dB down, Hz.
const SPEECH_CUTOFF: f64 = 7_500.0;
/// The Kaiser window's shape: 60 dB of stop-band attenuation.
const BETA: f64 = 5.65;

static FILTER: LazyLock<[f32; LENGTH]> = LazyLock::new(|| low_pass(CUTOFF));
static SPEECH_FILTER: LazyLock<[f32; SPEECH_LENGTH]> = LazyLock::new(|| low_pass(SPEECH_CUTOFF));

/// A low-pass at 48 kHz, 6 dB down at `cutoff` Hz; its values sum up to 1, and it reads the same from both ends.
fn low_pass<const N: usize>(cutoff: f64) -> [f32; N] {
    let mut taps = [0.0_f64; N];
    let middle = (N - 1) as f64 / 2.0;
    for (at, tap) in taps.iter_mut().enumerate() {
        let off = at as f64 - middle;
        let x = 2.0 * cutoff / f64::from(limits::SAMPLE_RATE) * off;
        let window = bessel(BETA * (1.0 - (off / (middle + 0.5)).powi(2)).sqrt());
        // No tap lies in the middle itself, for their number is even.
        *tap = (PI * x).sin() / (PI * x) * window;
    }
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| (tap / sum) as f32)
}

/// The modified Bessel function of the first kind, order 0, by its power series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// 8 kHz to 48 kHz, one channel; 3 ms late.
#[derive(Debug, Clone)]
pub struct Upsampler {
    /// The last samples, newest last.
    recent: [f32; TAPS],
}

impl Default for Upsampler {
    fn default() -> Self {
        Self { recent: [0.0; TAPS] }
    }
}

impl Upsampler {
    /// Appends six samples for each of `samples`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        for sample in samples {
            self.recent.copy_within(1.., 0);
            self.recent[TAPS - 1] = *sample;
            for phase in 0..PHASES {
                let taps = FILTER.iter().skip(phase).step_by(PHASES);
                let sum: f32 = self.recent.iter().rev().zip(taps).map(|(sample, tap)| sample * tap).sum();
                out.push(sum * PHASES as f32);
            }
        }
    }
}

/// 48 kHz to 8 kHz, one channel; 3 ms late.
pub type Downsampler = Decimator<PHASES, LENGTH>;
/// 48 kHz to 16 kHz, one channel; 2 ms late.
pub type SpeechDownsampler = Decimator<SPEECH_RATIO, SPEECH_LENGTH>;

/// 48 kHz to a `RATIO`th of it, one channel, through a low-pass of `TAPS` taps.
#[derive(Debug, Clone)]
pub struct Decimator<const RATIO: usize, const TAPS: usize> {
    filter: &'static [f32; TAPS],
    /// The last samples, newest last.
    recent: [f32; TAPS],
    /// How many of them came since the last one that was put out.
    fresh: usize,
}

impl Default for Downsampler {
    fn default() -> Self {
        Self { filter: &FILTER, recent: [0.0; LENGTH], fresh: 0 }
    }
}

impl Default for SpeechDownsampler {
    fn default() -> Self {
        Self { filter: &SPEECH_FILTER, recent: [0.0; SPEECH_LENGTH], fresh: 0 }
    }
}

impl<const RATIO: usize, const TAPS: usize> Decimator<RATIO, TAPS> {
    /// Appends a sample for every `RATIO`th of `samples`, counted over all calls.
    pub fn push(&mut self, samples: impl IntoIterator<Item = f32>, out: &mut impl Extend<f32>) {
        for sample in samples {
            // Written to the place that moves to the end when all of them are there.
            if self.fresh == 0 {
                self.recent.copy_within(RATIO.., 0);
            }
            self.recent[TAPS - RATIO + self.fresh] = sample;
            self.fresh = (self.fresh + 1) % RATIO;
            if self.fresh == 0 {
                out.extend([self.recent.iter().zip(self.filter).map(|(sample, tap)| sample * tap).sum()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, count: usize) -> Vec<f32> {
        (0..count).map(|n| (2.0 * PI * hz * n as f64 / f64::from(rate)).sin() as f32).collect()
    }

    /// The level of `hz` in the second half of `samples`, decibels of a full-scale sine.
    fn level(samples: &[f32], hz: f64, rate: u32) -> f64 {
        let steady = &samples[samples.len() / 2..];
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in steady.iter().enumerate() {
            let (sin, cos) = (2.0 * PI * hz * n as f64 / f64::from(rate)).sin_cos();
            // A Hann window keeps a tone out of its neighbours.
            let weight = 1.0 - (2.0 * PI * n as f64 / steady.len() as f64).cos();
            re += f64::from(*sample) * cos * weight;
            im += f64::from(*sample) * sin * weight;
        }
        20.0 * (2.0 * re.hypot(im) / steady.len() as f64).max(1e-9).log10()
    }

    #[test]
    fn upwards_the_band_is_flat_and_has_no_images() {
        for hz in [300.0, 1000.0, 2000.0, 3000.0, 3400.0] {
            let mut wide = Vec::new();
            Upsampler::default().push(&tone(hz, 8_000, 8_000), &mut wide);
            assert_eq!(wide.len(), 48_000);
            let kept = level(&wide, hz, 48_000);
            assert!(kept.abs() < 0.1, "{hz} Hz: {kept} dB");
            for image in [8_000.0 - hz, 8_000.0 + hz, 16_000.0 - hz, 24_000.0 - hz] {
                let image_level = level(&wide, image, 48_000);
                assert!(image_level < -58.0, "{hz} Hz at {image}: {image_level} dB");
            }
        }
    }

    #[test]
    fn downwards_the_band_is_flat_and_nothing_folds_into_it() {
        for hz in [300.0, 1000.0, 3000.0, 3400.0] {
            let mut narrow = Vec::new();
            Downsampler::default().push(tone(hz, 48_000, 48_000), &mut narrow);
            assert_eq!(narrow.len(), 8_000);
            let kept = level(&narrow, hz, 8_000);
            assert!(kept.abs() < 0.1, "{hz} Hz: {kept} dB");
        }
        for (hz, folded) in
            [(4_600.0, 3_400.0), (5_000.0, 3_000.0), (7_000.0, 1_000.0), (9_000.0, 1_000.0), (20_000.0, 4_000.0)]
        {
            let mut narrow = Vec::new();
            Downsampler::default().push(tone(hz, 48_000, 48_000), &mut narrow);
            let left = level(&narrow, folded, 8_000);
            assert!(left < -58.0, "{hz} Hz at {folded}: {left} dB");
        }
    }

    #[test]
    fn for_recognisers_the_band_is_flat_and_nothing_folds_into_it() {
        for hz in [100.0, 300.0, 1000.0, 3400.0, 5000.0, 7000.0] {
            let mut narrow = Vec::new();
            SpeechDownsampler::default().push(tone(hz, 48_000, 48_000), &mut narrow);
            assert_eq!(narrow.len(), 16_000);
            let kept = level(&narrow, hz, 16_000);
            assert!(kept.abs() < 0.1, "{hz} Hz: {kept} dB");
        }
        for (hz, folded) in [(9_000.0, 7_000.0), (10_000.0, 6_000.0), (15_000.0, 1_000.0), (23_000.0, 7_000.0)] {
            let mut narrow = Vec::new();
            SpeechDownsampler::default().push(tone(hz, 48_000, 48_000), &mut narrow);
            let left = level(&narrow, folded, 16_000);
            assert!(left < -58.0, "{hz} Hz at {folded}: {left} dB");
        }
    }

    #[test]
    fn calls_of_any_length_are_one_sound() {
        let samples = tone(440.0, 48_000, 4_800);
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Downsampler::default().push(samples.clone(), &mut whole);
        let mut downsampler = Downsampler::default();
        for piece in samples.chunks(7) {
            downsampler.push(piece.iter().copied(), &mut pieces);
        }
        assert_eq!(whole, pieces);
    }
}
