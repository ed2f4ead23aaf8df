//! **The question:** how high does a wave rise between its samples? ITU-R BS.1770-4, annex 2: four times as many
//! samples, by the interpolating filter printed there.

use crate::base::limits;

/// Values of one phase of the filter.
pub(super) const TAPS: usize = 12;
/// The filter of annex 2, phases 0 and 1; phases 3 and 2 are the same backwards.
const PHASES: [[f32; TAPS]; 2] = [
    [
        0.001_708_984_4,
        0.010_986_328,
        -0.019_653_32,
        0.033_203_125,
        -0.059_448_242,
        0.137_329_1,
        0.972_167_97,
        -0.102_294_92,
        0.047_607_42,
        -0.026_611_328,
        0.014_892_578,
        -0.008_300_781,
    ],
    [
        -0.029_174_805,
        0.029_296_875,
        -0.051_757_813,
        0.089_111_33,
        -0.166_503_9,
        0.465_087_9,
        0.779_785_16,
        -0.200_317_38,
        0.101_562_5,
        -0.058_227_54,
        0.033_081_055,
        -0.018_920_898,
    ],
];
/// No phase raises a wave by more than the sum of its magnitudes.
pub(super) const PHASE_RISE: f32 = 2.03;

/// One channel's detector; remembers the last samples of the block before.
#[derive(Debug, Clone)]
pub(super) struct TruePeak {
    samples: Box<[f32; TAPS - 1 + limits::PCM_FRAMES]>,
    peaks: Box<[f32; limits::PCM_FRAMES]>,
}

impl TruePeak {
    pub(super) fn new() -> Self {
        Self { samples: Box::new([0.0; TAPS - 1 + limits::PCM_FRAMES]), peaks: Box::new([0.0; limits::PCM_FRAMES]) }
    }

    /// Takes the block's channel, `channel` 0 or 1, without looking for peaks.
    pub(super) fn take(&mut self, block: &[f32; limits::PCM_SAMPLES], channel: usize) {
        self.samples.copy_within(limits::PCM_FRAMES.., 0);
        for (sample, pair) in self.samples[TAPS - 1..].iter_mut().zip(block.chunks_exact(2)) {
            *sample = pair[channel];
        }
    }

    /// The highest of the samples that the next block's first peaks are made of.
    pub(super) fn tail_peak(&self) -> f32 {
        self.samples[limits::PCM_FRAMES..].iter().fold(0.0, |most, sample| most.max(sample.abs()))
    }

    /// The peak around each sample of the block taken last, late by up to `TAPS` samples; never below the sample
    /// itself.
    pub(super) fn peaks(&mut self) -> &[f32; limits::PCM_FRAMES] {
        let newest = &self.samples[TAPS - 1..];
        for (peak, sample) in self.peaks.iter_mut().zip(newest) {
            *peak = sample.abs();
        }
        for phase in &PHASES {
            raise(&self.samples, &mut self.peaks, phase);
            let mut backwards = *phase;
            backwards.reverse();
            raise(&self.samples, &mut self.peaks, &backwards);
        }
        &self.peaks
    }
}

fn raise(samples: &[f32; TAPS - 1 + limits::PCM_FRAMES], peaks: &mut [f32; limits::PCM_FRAMES], phase: &[f32; TAPS]) {
    for (at, window) in samples.windows(TAPS).enumerate() {
        // Annex 2 convolves, so the newest sample meets the first coefficient.
        let sum = (0..TAPS).fold(0.0, |sum, n| sum + phase[n] * window[TAPS - 1 - n]);
        peaks[at] = peaks[at].max(sum.abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_between_its_samples_is_found() {
        // A quarter of the sample rate, 45° off: every sample is 0.707 of the peak (BS.1770-4 annex 2's own example).
        let mut block = [0.0; limits::PCM_SAMPLES];
        for (n, pair) in block.chunks_exact_mut(2).enumerate() {
            pair[0] = (n as f32 * std::f32::consts::FRAC_PI_2 + std::f32::consts::FRAC_PI_4).sin();
        }
        let mut detector = TruePeak::new();
        detector.take(&block, 0);
        let peak = detector.peaks()[24..].iter().fold(0.0_f32, |most, p| most.max(*p));
        assert!((20.0 * peak.log10()).abs() < 0.3, "{peak}, within 0.3 dB of full scale");
        detector.take(&block, 1);
        assert!(detector.peaks()[24..].iter().all(|p| *p == 0.0), "the other channel is silent");
    }

    #[test]
    fn the_filter_rises_no_more_than_said() {
        for phase in &PHASES {
            assert!(phase.iter().map(|c| c.abs()).sum::<f32>() < PHASE_RISE);
        }
    }
}
