//! **The question:** how does a G.711 packet become samples? Expanded by its law, lost ones repeated, brought to 48 kHz
//! stereo.

use crate::base::limits;
use crate::base::media::Law;
use crate::core::mix::Upsampler;
use crate::engine::decode::repeat::Repeater;

/// Sample pairs of ours for each sample of the telephone's.
const RATIO: usize = (limits::SAMPLE_RATE / limits::TELEPHONE_RATE) as usize;

/// One voice's decoder. Unlike Opus' it refuses nothing: every byte is a sample.
#[derive(Debug)]
pub struct G711Decoder {
    repeater: Repeater,
    upsampler: Upsampler,
    narrow: Vec<f32>,
    wide: Vec<f32>,
    stereo: Vec<f32>,
}

impl Default for G711Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl G711Decoder {
    /// A decoder in its initial state.
    #[must_use]
    pub fn new() -> Self {
        let (narrow, wide, stereo) = (Vec::new(), Vec::new(), Vec::new());
        Self { repeater: Repeater::new(), upsampler: Upsampler::default(), narrow, wide, stereo }
    }

    /// Decodes a packet to interleaved stereo samples at 48 kHz, both channels alike: twelve values for each byte.
    pub fn decode(&mut self, law: Law, packet: &[u8]) -> &[f32] {
        self.narrow.clear();
        self.narrow.extend(packet.iter().map(|byte| f32::from(law.expand(*byte)) / 32_768.0));
        self.repeater.came(&mut self.narrow);
        self.widen(usize::MAX)
    }

    /// Makes up `frames` sample pairs at 48 kHz for what was lost.
    pub fn conceal(&mut self, frames: usize) -> &[f32] {
        self.narrow.clear();
        self.repeater.conceal(frames.div_ceil(RATIO), &mut self.narrow);
        self.widen(frames)
    }

    /// Back to the initial state.
    pub fn reset(&mut self) {
        (self.repeater, self.upsampler) = (Repeater::new(), Upsampler::default());
    }

    fn widen(&mut self, frames_max: usize) -> &[f32] {
        self.wide.clear();
        self.stereo.clear();
        self.upsampler.push(&self.narrow, &mut self.wide);
        self.stereo.extend(self.wide.iter().take(frames_max).flat_map(|sample| [*sample, *sample]));
        &self.stereo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(samples: &[f32]) -> f32 {
        samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
    }

    #[test]
    fn a_packet_lasts_as_long_in_stereo_and_a_lost_one_is_concealed() {
        for law in [Law::A, Law::Mu] {
            let tone = |n: usize| (n as f32 * 440.0 / 8_000.0 * std::f32::consts::TAU).sin() * 16_000.0;
            let mut decoder = G711Decoder::new();
            for packet in 0..10 {
                let bytes: Vec<u8> = (0..160).map(|n| law.compress(tone(packet * 160 + n) as i16)).collect();
                let samples = decoder.decode(law, &bytes);
                assert_eq!(samples.len(), limits::PCM_SAMPLES);
                assert!(samples.chunks(2).all(|pair| pair[0] == pair[1]));
                assert!(packet == 0 || (power(samples) - 0.119).abs() < 0.01, "{}", power(samples));
            }
            assert!(power(decoder.conceal(480)) > 0.1, "the tone goes on");
            assert_eq!(decoder.conceal(241).len(), 482);
            decoder.reset();
            assert_eq!(power(decoder.conceal(960)), 0.0);
        }
    }
}
