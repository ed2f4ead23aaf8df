//! **The question:** what is done to one heard voice before it is mixed? Noise suppression if asked, levelling, its
//! volume.

use nnnoiseless::DenoiseState;

use crate::base::limits;
use crate::base::media::{PcmBlock, TrackKind};
use crate::core::mix::{Activity, Leveller, SoundKind};

/// RNNoise works on 16-bit values.
const SIXTEEN_BITS: f32 = 32_768.0;

/// What is done to voices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Treatment {
    pub levelling: bool,
    pub noise_suppression: bool,
}

/// One voice's channel strip.
pub(super) struct ChannelStrip {
    kind: SoundKind,
    leveller: Leveller,
    /// Made when the voice is first heard; a voice that ends being heard begins afresh.
    denoiser: Option<Box<DenoiseState<'static>>>,
    block: PcmBlock,
}

impl std::fmt::Debug for ChannelStrip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Strip").field("kind", &self.kind).field("leveller", &self.leveller).finish_non_exhaustive()
    }
}

impl ChannelStrip {
    pub(super) fn new(kind: TrackKind) -> Self {
        let kind = if kind == TrackKind::Microphone { SoundKind::Speech } else { SoundKind::Programme };
        Self { kind, leveller: Leveller::default(), denoiser: None, block: PcmBlock::silence() }
    }

    pub(super) fn kind(&self) -> SoundKind {
        self.kind
    }

    /// A factor, 1 for as it is.
    pub(super) fn set_volume(&mut self, volume: f32) {
        self.leveller.set_volume(volume);
    }

    /// Treats one tick of the voice. Shared screens are left as they were made, but for their volume.
    pub(super) fn treat(&mut self, block: &PcmBlock, activity: &Activity, begins: bool, treatment: Treatment) {
        self.block.samples.copy_from_slice(&block.samples[..]);
        let voice = self.kind == SoundKind::Speech;
        if voice && treatment.noise_suppression {
            if begins {
                self.denoiser = None;
            }
            denoise(self.denoiser.get_or_insert_with(DenoiseState::new), &mut self.block.samples);
        }
        let speech = (voice && treatment.levelling).then(|| (activity.is_speech(), activity.floor()));
        self.leveller.apply(&mut self.block.samples, speech);
    }

    /// The voice as it is mixed.
    pub(super) fn block(&self) -> &PcmBlock {
        &self.block
    }
}

/// RNNoise hears one channel, so the voice becomes mono; it is late by 10 ms.
fn denoise(state: &mut DenoiseState<'static>, samples: &mut [f32; limits::PCM_SAMPLES]) {
    let (mut input, mut output) = ([0.0; DenoiseState::FRAME_SIZE], [0.0; DenoiseState::FRAME_SIZE]);
    for half in samples.chunks_exact_mut(DenoiseState::FRAME_SIZE * 2) {
        for (mono, pair) in input.iter_mut().zip(half.chunks_exact(2)) {
            *mono = (pair[0] + pair[1]) * 0.5 * SIXTEEN_BITS;
        }
        state.process_frame(&mut output, &input);
        for (pair, mono) in half.chunks_exact_mut(2).zip(&output) {
            pair.fill(mono / SIXTEEN_BITS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::mix::Loudness;

    #[test]
    fn noise_is_suppressed_and_a_volume_of_nothing_is_silence() {
        let mut strip = ChannelStrip::new(TrackKind::Microphone);
        let treatment = Treatment { levelling: false, noise_suppression: true };
        let (mut seed, mut less) = (1_u32, 0.0);
        for n in 0..100 {
            let mut noise = PcmBlock::silence();
            for pair in noise.samples.chunks_exact_mut(2) {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                pair.fill((seed as f32 / u32::MAX as f32 - 0.5) * 0.1);
            }
            strip.treat(&noise, &Activity::default(), n == 0, treatment);
            let loudness = |block: &PcmBlock| Loudness::of_samples(&block.samples[..]).0;
            less += if n < 50 { 0.0 } else { (loudness(&noise) - loudness(strip.block())) / 50.0 };
        }
        println!("white noise is suppressed by {less:.0} dB");
        assert!(less > 3.0, "{less} dB");
        strip.set_volume(0.0);
        let loud = PcmBlock { samples: Box::new([0.5; limits::PCM_SAMPLES]) };
        let plain = Treatment { levelling: false, noise_suppression: false };
        strip.treat(&loud, &Activity::default(), false, plain);
        strip.treat(&loud, &Activity::default(), false, plain);
        assert!(strip.block().samples.iter().all(|s| *s == 0.0));
    }
}
