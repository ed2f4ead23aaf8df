//! **The question:** ComposedFrame or PcmBlock → EncodedFrame. Floor 2; codec pointers never leave their codec's file.

mod aom;
mod opus;
mod rav1e;

pub use opus::{OPUS_BITRATE, OpusEncodeError, OpusEncoder, OpusEncoderConfig};
