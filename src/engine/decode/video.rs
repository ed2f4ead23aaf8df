//! **The question:** what does every decoder of pictures promise?

use crate::base::limits;
use crate::base::media::{CodedFrame, Size, VideoFrame};

/// Temporal units in, pictures out. One per track; owned by one thread.
pub trait VideoDecoder: Send {
    /// Decodes one temporal unit and pushes what became visible onto `out` (usually one picture, never more than a
    /// few).
    ///
    /// # Errors
    /// [`DecodeError::Bitstream`] and [`DecodeError::Unsupported`]: the track shows its placeholder and the caller asks
    /// for a keyframe; the decoder has forgotten everything and accepts the next keyframe.
    /// [`DecodeError::AwaitingKeyframe`]: nothing was decoded, because decoding cannot start here.
    fn decode(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError>;
}

/// Why a temporal unit gave no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The library could not make a decoder.
    #[error("no decoder could be opened: {0}")]
    Open(String),
    /// Nothing here decodes pictures of this codec.
    #[error("there is no decoder for {0}")]
    Codec(&'static str),
    /// Not a valid bitstream.
    #[error("the bitstream is broken: {0}")]
    Bitstream(String),
    /// Valid, but not what the node shows; another keyframe of the same kind would not help.
    #[error("this kind of picture is not supported: {0}")]
    Unsupported(String),
    /// The decoders of the node hold as many pixels as they may; a smaller picture may find room, and so may this one
    /// later.
    #[error("the node decodes as many pixels as it may; send a smaller picture, or try again later")]
    NoRoom,
    /// Decoding starts at a keyframe only.
    #[error("decoding starts at a keyframe")]
    AwaitingKeyframe,
}

/// Whether pictures of this size are taken; the error says what is.
///
/// # Errors
/// [`DecodeError::Unsupported`].
pub fn check_size(size: Size) -> Result<(), DecodeError> {
    let Size { width, height } = size;
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) <= limits::INGEST_SIDE_MAX && pixels <= limits::INGEST_PIXELS_MAX.into() {
        return Ok(());
    }
    let (side, most) = (limits::INGEST_SIDE_MAX, limits::INGEST_PIXELS_MAX);
    let what = format!("{width}×{height} pixels; send at most {most}, and {side} on a side");
    Err(DecodeError::Unsupported(what))
}

/// Whether a coded frame of this length is decoded at all.
///
/// # Errors
/// [`DecodeError::Bitstream`].
pub fn check_coded(data: &[u8]) -> Result<(), DecodeError> {
    if (1..=limits::INGEST_FRAME_LEN_MAX).contains(&data.len()) {
        return Ok(());
    }
    Err(DecodeError::Bitstream(format!("a coded frame of {} bytes", data.len())))
}
