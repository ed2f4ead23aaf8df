//! **The question:** EncodedFrame → VideoFrame or PcmBlock. Floor 2; codec pointers never leave their codec's file.
//!
//! Doors: [`av1_decoder`] makes a [`VideoDecoder`]; [`VoiceDecoder`] reads voices ([`OpusDecoder`], [`G711Decoder`]), [`announcement()`] whole files of sound.

mod announcement;
mod av1;
mod av1_sequence;
mod g711;
mod opus;
mod repeat;
mod voice;

pub use announcement::{AnnouncementError, announcement};
pub use av1::av1_decoder;
pub use g711::G711Decoder;
pub use opus::{OPUS_SAMPLES_MAX, OpusDecodeError, OpusDecoder};
pub use voice::VoiceDecoder;

use crate::base::media::{EncodedFrame, VideoFrame};

/// Temporal units in, pictures out. One per track; owned by one thread.
pub trait VideoDecoder: Send {
    /// Decodes one temporal unit and pushes what became visible onto `out` (usually one picture, never more than a few).
    ///
    /// # Errors
    /// [`DecodeError::Bitstream`] and [`DecodeError::Unsupported`]: the track shows its placeholder and the caller asks for a
    /// keyframe; the decoder has forgotten everything and accepts the next keyframe.
    /// [`DecodeError::AwaitingKeyframe`]: nothing was decoded, because decoding cannot start here.
    fn decode(&mut self, frame: &EncodedFrame, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError>;
}

/// Why a temporal unit gave no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The library could not make a decoder.
    #[error("no decoder could be opened: {0}")]
    Open(String),
    /// Not a valid bitstream, or larger than `limits::INGEST_PIXELS_MAX`.
    #[error("the bitstream is broken: {0}")]
    Bitstream(String),
    /// Valid, but not what the node composites: 8-bit 4:2:0 within `limits::INGEST_SIDE_MAX`.
    #[error("this kind of picture is not supported: {0}")]
    Unsupported(String),
    /// Decoding starts at a keyframe only.
    #[error("decoding starts at a keyframe")]
    AwaitingKeyframe,
    /// `EncodedFrame::ingest` is missing: only frames that came over the wire carry the arrival time a picture needs.
    #[error("the frame does not say when it arrived")]
    NoArrival,
}
