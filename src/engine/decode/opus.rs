//! **The question:** how does an Opus packet become samples? Always 48 kHz stereo out: libopus itself turns mono into
//! stereo.

use crate::base::limits;
use crate::core::bitstream::opus::LONGEST_PACKET_SAMPLES;

/// Samples of the longest packet: 120 ms, two channels.
const PACKET_SAMPLES: usize = LONGEST_PACKET_SAMPLES as usize * 2;

/// Why a packet gave no samples.
#[derive(Debug, thiserror::Error)]
pub enum OpusDecodeError {
    /// The packet is empty, or malformed: libopus says how.
    #[error("the Opus packet cannot be decoded: {0}")]
    Packet(#[source] opus::Error),
    /// There is no decoder: out of memory.
    #[error("no Opus decoder: {0}")]
    Create(#[source] opus::Error),
    /// The packet holds nothing.
    #[error("the Opus packet is empty")]
    Empty,
}

/// One voice's decoder.
#[derive(Debug)]
pub struct OpusDecoder {
    inner: opus::Decoder,
    /// Where libopus writes; interleaved stereo.
    samples: Box<[f32; PACKET_SAMPLES]>,
}

impl OpusDecoder {
    /// A decoder in its initial state.
    ///
    /// # Errors
    /// [`OpusDecodeError::Create`] when memory is out.
    pub fn new() -> Result<Self, OpusDecodeError> {
        let inner = opus::Decoder::new(limits::SAMPLE_RATE, opus::Channels::Stereo).map_err(OpusDecodeError::Create)?;
        Ok(Self { inner, samples: Box::new([0.0; PACKET_SAMPLES]) })
    }

    /// Decodes a packet of 2.5 to 120 ms to interleaved stereo samples.
    ///
    /// # Errors
    /// [`OpusDecodeError::Packet`] or [`OpusDecodeError::Empty`]; the decoder stays usable.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], OpusDecodeError> {
        if packet.is_empty() {
            return Err(OpusDecodeError::Empty);
        }
        self.run(packet, PACKET_SAMPLES / 2, false)
    }

    /// Makes up `frames` sample pairs (a multiple of 120) for what was lost, from what came before.
    ///
    /// # Errors
    /// [`OpusDecodeError::Packet`] when `frames` is no such multiple or above 5,760.
    pub fn conceal(&mut self, frames: usize) -> Result<&[f32], OpusDecodeError> {
        self.run(&[], frames, false)
    }

    /// Restores the lost `frames` sample pairs right before `next` from its in-band FEC (RFC 6716 section 2.1.7);
    /// conceals where it carries none.
    ///
    /// # Errors
    /// As [`Self::conceal`], and when `next` is malformed.
    pub fn restore(&mut self, next: &[u8], frames: usize) -> Result<&[f32], OpusDecodeError> {
        self.run(next, frames, true)
    }

    /// Back to the initial state.
    pub fn reset(&mut self) {
        // OPUS_RESET_STATE has no failing path for a valid decoder.
        let _ = self.inner.reset_state();
    }

    fn run(&mut self, packet: &[u8], frames: usize, fec: bool) -> Result<&[f32], OpusDecodeError> {
        let room = (frames * 2).min(PACKET_SAMPLES);
        let output = &mut self.samples[..room];
        let written = self.inner.decode_float(packet, output, fec).map_err(OpusDecodeError::Packet)?;
        Ok(&self.samples[..written * 2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone_packets(frames: usize, count: usize) -> Vec<Vec<u8>> {
        let mut encoder =
            opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).expect("an encoder");
        encoder.set_inband_fec(true).unwrap();
        encoder.set_packet_loss_perc(20).unwrap();
        (0..count)
            .map(|n| {
                let pcm: Vec<f32> = (0..frames)
                    .map(|i| ((n * frames + i) as f32 * 440.0 / 48_000.0 * std::f32::consts::TAU).sin() * 0.5)
                    .collect();
                encoder.encode_vec_float(&pcm, 1500).unwrap()
            })
            .collect()
    }

    fn power(samples: &[f32]) -> f32 {
        samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
    }

    #[test]
    fn mono_of_every_duration_becomes_stereo() {
        for frames in [120, 240, 480, 960, 1920, 2880] {
            let packets = tone_packets(frames, 12);
            let mut decoder = OpusDecoder::new().unwrap();
            for packet in &packets {
                let samples = decoder.decode(packet).unwrap();
                assert_eq!(samples.len(), frames * 2);
                assert!(samples.chunks(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-6), "both channels alike");
            }
            let last = decoder.decode(packets.last().unwrap()).unwrap();
            assert!(power(last) > 0.02, "{frames}: {}", power(last));
        }
    }

    #[test]
    fn a_lost_packet_is_concealed_or_restored() {
        let packets = tone_packets(960, 30);
        let mut decoder = OpusDecoder::new().unwrap();
        for packet in &packets[..20] {
            decoder.decode(packet).unwrap();
        }
        assert!(power(decoder.conceal(960).unwrap()) > 0.01, "the tone goes on");
        for packet in &packets[21..25] {
            decoder.decode(packet).unwrap();
        }
        let restored = decoder.restore(&packets[26], 960).unwrap();
        assert_eq!(restored.len(), 1920);
        assert!(power(restored) > 0.02);
        decoder.reset();
        assert!(power(decoder.conceal(960).unwrap()) < 1e-9, "nothing to make it up from");
    }

    #[test]
    fn bad_packets_are_errors_and_the_decoder_goes_on() {
        let packets = tone_packets(960, 3);
        let mut decoder = OpusDecoder::new().unwrap();
        assert!(matches!(decoder.decode(&[]), Err(OpusDecodeError::Empty)));
        assert!(matches!(decoder.decode(&[0xff]), Err(OpusDecodeError::Packet(_))));
        assert!(decoder.conceal(961).is_err());
        assert!(decoder.conceal(100_000).is_ok_and(|s| s.len() <= PACKET_SAMPLES));
        assert!(decoder.decode(&packets[0]).is_ok());
    }
}
