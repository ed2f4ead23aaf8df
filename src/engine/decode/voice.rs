//! **The question:** how does a packet of a voice become samples, whatever its codec? Always 48 kHz stereo out.

use crate::base::media::{Codec, CodedFrame};
use crate::engine::decode::g711::G711Decoder;
use crate::engine::decode::opus::{OpusDecodeError, OpusDecoder};

/// One voice's decoder; it is made by the first packet, and made anew by one of another codec.
#[derive(Debug, Default)]
pub struct VoiceDecoder(State);

#[derive(Debug, Default)]
enum State {
    #[default]
    Nothing,
    Opus(OpusDecoder),
    G711(Box<G711Decoder>),
}

impl VoiceDecoder {
    /// Decodes a packet to interleaved stereo samples.
    ///
    /// # Errors
    /// As [`OpusDecoder::decode`]; [`OpusDecodeError::Empty`] for what is no sound. G.711 never fails.
    pub fn decode(&mut self, packet: CodedFrame<'_>) -> Result<&[f32], OpusDecodeError> {
        match (packet.codec, &self.0) {
            (Codec::Av1 | Codec::H264 | Codec::Vp8 | Codec::Vp9, _) => return Err(OpusDecodeError::Empty),
            (Codec::Opus, State::Opus(_)) | (Codec::G711(_), State::G711(_)) => {}
            (Codec::Opus, _) => self.0 = State::Opus(OpusDecoder::new()?),
            (Codec::G711(_), _) => self.0 = State::G711(Box::default()),
        }
        match (&mut self.0, packet.codec) {
            (State::Opus(decoder), _) => decoder.decode(packet.data),
            (State::G711(decoder), Codec::G711(law)) => Ok(decoder.decode(law, packet.data)),
            (State::G711(_) | State::Nothing, _) => unreachable!("the decoder was made for the packet's codec above"),
        }
    }

    /// Makes up `frames` sample pairs for what was lost; none before the first packet.
    ///
    /// # Errors
    /// As [`OpusDecoder::conceal`].
    pub fn conceal(&mut self, frames: usize) -> Result<&[f32], OpusDecodeError> {
        match &mut self.0 {
            State::Nothing => Ok(&[]),
            State::Opus(decoder) => decoder.conceal(frames),
            State::G711(decoder) => Ok(decoder.conceal(frames)),
        }
    }

    /// Restores what was lost right before `next`, if that carries it; conceals otherwise.
    ///
    /// # Errors
    /// As [`OpusDecoder::restore`].
    pub fn restore(&mut self, next: &[u8], frames: usize) -> Result<&[f32], OpusDecodeError> {
        match &mut self.0 {
            State::Opus(decoder) => decoder.restore(next, frames),
            State::Nothing => Ok(&[]),
            State::G711(decoder) => Ok(decoder.conceal(frames)),
        }
    }

    /// Back to the initial state.
    pub fn reset(&mut self) {
        match &mut self.0 {
            State::Nothing => {}
            State::Opus(decoder) => decoder.reset(),
            State::G711(decoder) => decoder.reset(),
        }
    }
}
