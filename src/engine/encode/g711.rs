//! **The question:** how do samples become G.711? Both channels' mean, brought to 8 kHz, each sample a byte.

use crate::base::media::Law;
use crate::core::mix::Downsampler;

/// The encoder of one listener.
#[derive(Debug)]
pub struct G711Encoder {
    law: Law,
    downsampler: Downsampler,
    narrow: Vec<f32>,
}

impl G711Encoder {
    /// An encoder in its initial state.
    #[must_use]
    pub fn new(law: Law) -> Self {
        Self { law, downsampler: Downsampler::default(), narrow: Vec::new() }
    }

    /// Appends a byte for every six sample pairs of `stereo` (interleaved, 48 kHz); what is beyond full scale is
    /// clipped.
    pub fn encode(&mut self, stereo: &[f32], out: &mut Vec<u8>) {
        self.narrow.clear();
        let mono = stereo.chunks_exact(2).map(|pair| (pair[0] + pair[1]) / 2.0);
        self.downsampler.push(mono, &mut self.narrow);
        // The cast saturates, and takes what is no number for silence.
        out.extend(self.narrow.iter().map(|sample| self.law.compress((sample * 32_768.0).round() as i16)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits;
    use crate::engine::decode::G711Decoder;

    #[test]
    fn a_tone_comes_back_as_it_went_with_the_laws_own_noise() {
        for law in [Law::A, Law::Mu] {
            let tone = |n: f32| (n * 1_000.0 / 48_000.0 * std::f32::consts::TAU).sin() * 0.3;
            let stereo: Vec<f32> = (0..48_000).flat_map(|n| [tone(n as f32); 2]).collect();
            let (mut bytes, mut decoder) = (Vec::new(), G711Decoder::new());
            G711Encoder::new(law).encode(&stereo, &mut bytes);
            assert_eq!(bytes.len(), 8_000);
            let heard = decoder.decode(law, &bytes).to_vec();
            // Two filters of 288 taps: 287 samples late, and five more until the sixth of six is there.
            let (mut error, mut power) = (0.0, 0.0);
            for n in 4_800..40_000 {
                let sent = tone(n as f32);
                error += f64::from(heard[(n + 282) * 2] - sent).powi(2);
                power += f64::from(sent).powi(2);
            }
            let ratio = 10.0 * (power / error).log10();
            assert!(ratio > 33.0, "{law:?}: {ratio} dB (G.712 asks for 33 at this level)");
        }
    }

    #[test]
    fn too_loud_is_clipped_and_no_number_is_silence() {
        let mut bytes = Vec::new();
        G711Encoder::new(Law::Mu).encode(&[f32::NAN; limits::PCM_SAMPLES], &mut bytes);
        assert!(bytes.iter().all(|byte| Law::Mu.expand(*byte) == 0));
        bytes.clear();
        G711Encoder::new(Law::A).encode(&[7.0; limits::PCM_SAMPLES], &mut bytes);
        assert_eq!(Law::A.expand(bytes[159]), 32_256);
    }
}
