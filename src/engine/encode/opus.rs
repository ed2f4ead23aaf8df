//! **The question:** how does a PcmBlock become an Opus packet? 20 ms, stereo, with in-band FEC; never DTX, for a
//! recorder must find no gap: anyone who is silent says so (`MixTick::silent`), and is not encoded at all.

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, PcmBlock, Pts};

/// Bits a second unless asked otherwise: speech and music well beyond transparency for a call.
pub const OPUS_BITRATE: u32 = 48_000;
/// Loss for which FEC is laid out unless asked otherwise, per cent.
const LOSS_PERCENT: u8 = 5;
/// libopus' complexity unless asked otherwise: 5 costs about 0.6 % of a core.
const COMPLEXITY: u8 = 5;
/// RFC 6716 section 3.2.1: one frame has at most 1,275 bytes, and 20 ms are one frame.
const PACKET_BYTES: usize = 1_276;

/// Why there is no encoder, or no packet.
#[derive(Debug, thiserror::Error)]
pub enum OpusEncodeError {
    /// libopus refused the set-up, or memory is out.
    #[error("no Opus encoder: {0}")]
    Create(#[source] opus::Error),
    /// libopus failed on a block.
    #[error("the block cannot be encoded: {0}")]
    Block(#[source] opus::Error),
}

/// What an encoder shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusEncoderConfig {
    /// Bits a second, 6,000 to 510,000.
    pub bitrate: u32,
    /// libopus' effort, 0 to 10.
    pub complexity: u8,
    /// Loss for which in-band FEC is laid out, per cent.
    pub loss_percent: u8,
}

impl Default for OpusEncoderConfig {
    fn default() -> Self {
        Self { bitrate: OPUS_BITRATE, complexity: COMPLEXITY, loss_percent: LOSS_PERCENT }
    }
}

/// The encoder of one mix.
#[derive(Debug)]
pub struct OpusEncoder {
    inner: opus::Encoder,
    packet: Box<[u8; PACKET_BYTES]>,
}

impl OpusEncoder {
    /// An encoder in its initial state.
    ///
    /// # Errors
    /// [`OpusEncodeError::Create`] for a bitrate out of range, or without memory.
    pub fn new(config: OpusEncoderConfig) -> Result<Self, OpusEncodeError> {
        let inner = configured(config).map_err(OpusEncodeError::Create)?;
        Ok(Self { inner, packet: Box::new([0; PACKET_BYTES]) })
    }

    /// One block to one packet of 20 ms.
    ///
    /// # Errors
    /// [`OpusEncodeError::Block`], which a block of finite samples never causes.
    pub fn encode(&mut self, block: &PcmBlock, pts: Pts) -> Result<EncodedFrame, OpusEncodeError> {
        let written =
            self.inner.encode_float(&block.samples[..], &mut self.packet[..]).map_err(OpusEncodeError::Block)?;
        let data = Bytes::copy_from_slice(&self.packet[..written]);
        Ok(EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true })
    }

    /// As [`Self::encode`], but the packet decodes right after packets of another encoder that heard the same until
    /// now: nothing in it is predicted from earlier packets, and what overlaps is the same sound.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_joint(&mut self, block: &PcmBlock, pts: Pts) -> Result<EncodedFrame, OpusEncodeError> {
        self.inner.set_prediction_disabled(true).map_err(OpusEncodeError::Block)?;
        let encoded = self.encode(block, pts);
        self.inner.set_prediction_disabled(false).map_err(OpusEncodeError::Block)?;
        encoded
    }

    /// Asks for another bitrate and another FEC from the next block on.
    ///
    /// # Errors
    /// [`OpusEncodeError::Create`] for values out of range.
    pub fn tune(&mut self, bitrate: u32, loss_percent: u8) -> Result<(), OpusEncodeError> {
        let bits = opus::Bitrate::Bits(i32::try_from(bitrate).unwrap_or(i32::MAX));
        self.inner.set_bitrate(bits).map_err(OpusEncodeError::Create)?;
        self.inner.set_packet_loss_perc(i32::from(loss_percent)).map_err(OpusEncodeError::Create)
    }

    /// Back to the initial state.
    pub fn reset(&mut self) {
        // OPUS_RESET_STATE has no failing path for a valid encoder.
        let _ = self.inner.reset_state();
    }
}

fn configured(config: OpusEncoderConfig) -> Result<opus::Encoder, opus::Error> {
    let mut encoder = opus::Encoder::new(limits::SAMPLE_RATE, opus::Channels::Stereo, opus::Application::Audio)?;
    encoder.set_bitrate(opus::Bitrate::Bits(i32::try_from(config.bitrate).unwrap_or(i32::MAX)))?;
    encoder.set_complexity(i32::from(config.complexity))?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(i32::from(config.loss_percent))?;
    encoder.set_dtx(false)?;
    encoder.set_vbr(true)?;
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::bitstream::opus as bitstream;

    #[test]
    fn silence_and_noise_become_full_packets_of_20_ms() {
        let mut encoder = OpusEncoder::new(OpusEncoderConfig::default()).unwrap();
        let mut block = PcmBlock::silence();
        for n in 0..100_u64 {
            if n == 50 {
                block.samples.iter_mut().enumerate().for_each(|(i, s)| *s = ((i * 7919) % 2000) as f32 / 1000.0 - 1.0);
            }
            let frame = encoder.encode(&block, Pts(n)).unwrap();
            assert_eq!(bitstream::packet_samples(&frame.data), Some(960));
            assert!(frame.data.len() > bitstream::DTX_BYTES, "no DTX, so no gap");
            assert_eq!(frame.pts, Pts(n));
        }
    }

    #[test]
    fn an_impossible_bitrate_is_refused() {
        assert!(matches!(
            OpusEncoder::new(OpusEncoderConfig { bitrate: 0, ..Default::default() }),
            Err(OpusEncodeError::Create(_))
        ));
    }
}
