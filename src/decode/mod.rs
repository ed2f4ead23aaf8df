//! **The question:** EncodedFrame → VideoFrame or PcmBlock. Floor 2; codec pointers never leave their codec's file.

mod av1;
mod opus;

pub use opus::{OPUS_SAMPLES_MAX, OpusDecodeError, OpusDecoder};
