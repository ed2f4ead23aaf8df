//! **The question:** how does a packet of several Opus streams become stereo? Surround and the like (RFC 7845 section
//! 5.1.1), as files carry it; packets of one stream go the way of every voice.

use crate::base::limits;
use crate::core::bitstream::opus::LONGEST_PACKET_SAMPLES;
use crate::core::bitstream::opus_head::{OpusChannels, OpusHead};
use crate::engine::decode::opus::{OpusDecodeError, OpusDecoder};

/// Sample pairs of the longest packet.
const PACKET_PAIRS: usize = LONGEST_PACKET_SAMPLES as usize;

/// The decoder of a file's sound, always 48 kHz stereo out.
#[derive(Debug)]
pub struct OpusFileDecoder {
    streams: Streams,
    /// What its header wants it multiplied by.
    gain: f32,
    stereo: Vec<f32>,
}

#[derive(Debug)]
enum Streams {
    One(OpusDecoder),
    Many {
        inner: opus::MSDecoder,
        /// How loud each channel is on either side.
        gains: Vec<[f32; 2]>,
        /// Where libopus writes, interleaved.
        samples: Vec<f32>,
    },
}

impl OpusFileDecoder {
    /// A decoder for packets as `head` describes them.
    ///
    /// # Errors
    /// [`OpusDecodeError::Create`] when memory is out.
    pub fn new(head: &OpusHead) -> Result<Self, OpusDecodeError> {
        let streams = if head.channels == OpusChannels::Plain {
            Streams::One(OpusDecoder::new()?)
        } else {
            let inner = opus::MSDecoder::new(limits::SAMPLE_RATE, head.streams, head.coupled, &head.mapping)
                .map_err(OpusDecodeError::Create)?;
            let samples = vec![0.0; PACKET_PAIRS * head.mapping.len()];
            Streams::Many { inner, gains: head.stereo_gains(), samples }
        };
        // 20 log10, of 256ths of a decibel.
        let gain = 10_f32.powf(f32::from(head.gain) / (20.0 * 256.0));
        Ok(Self { streams, gain, stereo: Vec::with_capacity(PACKET_PAIRS * 2) })
    }

    /// Decodes a packet of 2.5 to 120 ms to interleaved stereo samples.
    ///
    /// # Errors
    /// [`OpusDecodeError::Packet`] or [`OpusDecodeError::Empty`]; the decoder stays usable.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], OpusDecodeError> {
        if packet.is_empty() {
            return Err(OpusDecodeError::Empty);
        }
        self.stereo.clear();
        match &mut self.streams {
            Streams::One(decoder) => self.stereo.extend_from_slice(decoder.decode(packet)?),
            Streams::Many { inner, gains, samples } => {
                let pairs = inner.decode_float(packet, samples, false).map_err(OpusDecodeError::Packet)?;
                for frame in samples.chunks_exact(gains.len()).take(pairs) {
                    let side = |side: usize| -> f32 {
                        frame.iter().zip(&*gains).map(|(sample, gain)| sample * gain[side]).sum()
                    };
                    self.stereo.extend([side(0), side(1)]);
                }
            }
        }
        if (self.gain - 1.0).abs() > f32::EPSILON {
            self.stereo.iter_mut().for_each(|sample| *sample *= self.gain);
        }
        Ok(&self.stereo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of a tone of 1 kHz in one of `channels`, all of which are streams of their own.
    fn packets(mapping: &[u8], sounding: usize, samples: usize) -> Vec<Vec<u8>> {
        let streams = u8::try_from(mapping.len()).unwrap();
        let mut encoder =
            opus::MSEncoder::new(48_000, streams, 0, mapping, opus::Application::Audio).expect("an encoder");
        let wave = |n: usize| (n as f32 / 48.0 * std::f32::consts::TAU).sin() * 0.5;
        let channel = |n: usize, channel: usize| if channel == sounding { wave(n) } else { 0.0 };
        let packet = |p: usize| {
            let pcm: Vec<f32> = (0..samples * mapping.len())
                .map(|at| channel(p * samples + at / mapping.len(), at % mapping.len()))
                .collect();
            encoder.encode_vec_float(&pcm, 4_000).unwrap()
        };
        (0..20).map(packet).collect()
    }

    /// Root mean square of the left and right side of the last packet.
    fn loudness(head: &OpusHead, packets: &[Vec<u8>]) -> [f32; 2] {
        let mut decoder = OpusFileDecoder::new(head).unwrap();
        let mut last = Vec::new();
        packets.iter().for_each(|packet| last = decoder.decode(packet).unwrap().to_vec());
        [0, 1].map(|side| {
            let power: f32 = last.iter().skip(side).step_by(2).map(|sample| sample * sample).sum();
            (power / (last.len() / 2) as f32).sqrt()
        })
    }

    #[test]
    fn case_39_a_tone_in_the_middle_of_six_is_heard_on_both_sides() {
        let mapping = [0, 1, 2, 3, 4, 5];
        let head = OpusHead::of(6, 312, 0, 1, Some(&[6, 0, 0, 1, 2, 3, 4, 5])).unwrap();
        let expected = 0.374_107 * 0.5 * 0.5_f32.sqrt();
        let heard = loudness(&head, &packets(&mapping, 1, 960));
        assert!(heard.iter().all(|side| (side / expected - 1.0).abs() < 0.1), "{heard:?}, not {expected}");
        let [left, right] = loudness(&head, &packets(&mapping, 0, 960));
        assert!(left > 0.15 && right < 0.01, "{left}, {right}");
    }

    #[test]
    fn case_39_channels_without_a_name_and_ambisonics_are_heard() {
        for family in [255, 2] {
            let head = OpusHead::of(4, 312, 0, family, Some(&[4, 0, 0, 1, 2, 3])).unwrap();
            let [left, right] = loudness(&head, &packets(&[0, 1, 2, 3], 0, 960));
            assert!(left > 0.1 && (left - right).abs() < 0.01, "{family}: {left}, {right}");
        }
    }

    #[test]
    fn case_27_every_legal_frame_size_of_a_file_is_decoded_and_its_gain_applied() {
        for samples in [120, 240, 480, 960, 1_920, 2_880] {
            let head = OpusHead::of(2, 312, 0, 255, Some(&[2, 0, 0, 1])).unwrap();
            let plain = loudness(&head, &packets(&[0, 1], 0, samples))[0];
            // 6.02 dB.
            let louder = loudness(&OpusHead { gain: 1541, ..head }, &packets(&[0, 1], 0, samples))[0];
            assert!(plain > 0.2 && (louder / plain - 2.0).abs() < 0.01, "{samples}: {plain}, {louder}");
        }
    }

    #[test]
    fn what_is_no_packet_is_an_error() {
        let head = OpusHead::of(2, 312, 0, 255, Some(&[2, 0, 0, 1])).unwrap();
        let mut decoder = OpusFileDecoder::new(&head).unwrap();
        assert!(matches!(decoder.decode(&[]), Err(OpusDecodeError::Empty)));
        assert!(matches!(decoder.decode(&[0xff]), Err(OpusDecodeError::Packet(_))));
        assert!(decoder.decode(&packets(&[0, 1], 0, 960)[0]).is_ok());
    }
}
