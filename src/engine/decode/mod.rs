//! **The question:** CodedFrame → VideoFrame or PcmBlock. Floor 3; codec pointers never leave their codec's file.
//!
//! Doors: [`video_decoder`] makes the [`VideoDecoder`] of a codec, [`video_decoder_within`] one of many that share a
//! [`PixelBudget`], [`video_decoder_in`] one whose pictures lie in an [`Arena`]; [`VoiceDecoder`] reads voices
//! ([`OpusDecoder`], [`G711Decoder`]), [`OpusFileDecoder`] the sound of files whatever its channels, [`announcement()`]
//! whole files of sound; [`Reshaper`] turns, cuts and stretches what was decoded as its file says,
//! [`Turner`] turns it as its sender holds their phone.

mod announcement;
mod arena;
mod av1;
mod budget;
mod flat;
mod g711;
#[cfg(feature = "h264")]
mod h264;
mod opus;
mod opus_streams;
mod packed;
mod repeat;
mod reshape;
#[cfg(test)]
mod tests;
mod turner;
mod video;
mod voice;
#[cfg(feature = "vpx")]
mod vpx;
mod wav;

pub use announcement::{AnnouncementError, announcement};
pub use arena::Arena;
pub use budget::{PixelBudget, PixelShare};
pub use flat::copy_into;
pub use g711::G711Decoder;
pub use opus::{OpusDecodeError, OpusDecoder};
pub use opus_streams::OpusFileDecoder;
pub use reshape::{Cut, Reshape, Reshaper};
pub use turner::Turner;
pub use video::{DecodeError, VideoDecoder, check_coded, check_size};
pub use voice::VoiceDecoder;
pub use wav::WavError;

use std::sync::Arc;

use crate::base::media::Codec;

/// Whether this program was built to decode pictures of `codec`.
#[must_use]
pub const fn decodes(codec: Codec) -> bool {
    match codec {
        Codec::Av1 => true,
        Codec::H264 => cfg!(feature = "h264"),
        Codec::Vp8 | Codec::Vp9 => cfg!(feature = "vpx"),
        Codec::Opus | Codec::G711(_) => false,
    }
}

/// A decoder for one track of pictures.
///
/// # Errors
/// [`DecodeError::Open`] if the library refuses (out of memory), [`DecodeError::Codec`] for what codes no pictures.
pub fn video_decoder(codec: Codec) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    video_decoder_in(codec, None)
}

/// A decoder for one track of pictures, which lie in `arena` if there is one; some kinds may still lie elsewhere.
///
/// # Errors
/// As [`video_decoder`].
pub fn video_decoder_in(codec: Codec, arena: Option<&Arc<Arena>>) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    match codec {
        Codec::Av1 => av1::decoder(arena),
        #[cfg(feature = "h264")]
        Codec::H264 => h264::decoder(arena),
        #[cfg(feature = "vpx")]
        Codec::Vp8 | Codec::Vp9 => vpx::decoder(codec, arena),
        #[cfg(not(feature = "h264"))]
        Codec::H264 => Err(DecodeError::Codec(codec.name())),
        #[cfg(not(feature = "vpx"))]
        Codec::Vp8 | Codec::Vp9 => Err(DecodeError::Codec(codec.name())),
        Codec::Opus | Codec::G711(_) => Err(DecodeError::Codec(codec.name())),
    }
}

/// A decoder for one track of pictures, of many that together hold no more than `budget`.
///
/// # Errors
/// As [`video_decoder`].
pub fn video_decoder_within(codec: Codec, budget: &PixelBudget) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    video_decoder(codec).map(|decoder| budget.bound(decoder))
}
