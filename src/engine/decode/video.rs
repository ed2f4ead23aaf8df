//! **The question:** what does every decoder of pictures promise?

use crate::base::media::{CodedFrame, VideoFrame};

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
