//! **The question:** how does an H.264 access unit become a picture? By OpenH264, built from the source in its crate:
//! one thread, no delay, no concealment of what is missing.

use std::sync::Arc;

use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use crate::base::media::{Codec, CodedFrame, Colour, Size, VideoFrame};
use crate::core::bitstream::h264::Sps;
use crate::engine::decode::arena::Arena;
use crate::engine::decode::flat::{Covers, Deep, Flattener};
use crate::engine::decode::video::{DecodeError, VideoDecoder, check_coded, check_size};

/// A decoder for one H.264 track, its pictures in `arena` if there is one.
///
/// # Errors
/// [`DecodeError::Open`] if the library refuses (out of memory).
pub(super) fn decoder(arena: Option<&Arc<Arena>>) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    Ok(Box::new(H264Decoder {
        decoder: open()?,
        awaiting_keyframe: true,
        stated: Colour::default(),
        flattener: Flattener::new(arena),
    }))
}

struct H264Decoder {
    decoder: Decoder,
    awaiting_keyframe: bool,
    /// What the newest parameter set says of colours.
    stated: Colour,
    /// The library's picture is gone with the next one, so each is copied.
    flattener: Flattener,
}

fn open() -> Result<Decoder, DecodeError> {
    let config = DecoderConfig::new().flush_after_decode(Flush::Flush);
    Decoder::with_api_config(OpenH264API::from_source(), config).map_err(|error| DecodeError::Open(error.to_string()))
}

impl VideoDecoder for H264Decoder {
    fn decode(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        assert_eq!(frame.codec, Codec::H264, "the caller sorts frames by codec");
        if self.awaiting_keyframe && !frame.keyframe {
            return Err(DecodeError::AwaitingKeyframe);
        }
        let result = self.decode_unit(frame, out);
        self.awaiting_keyframe = result.is_err();
        if result.is_err() {
            // Nothing of the broken past is left.
            self.decoder = open()?;
        }
        result
    }
}

impl H264Decoder {
    fn decode_unit(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        check_coded(frame.data)?;
        if let Some(sps) = Sps::find(frame.data) {
            check_size(sps.size)?;
            check_kind(&sps)?;
            self.stated = Colour::of(sps.matrix.map_or(2, u32::from), sps.full_range.unwrap_or(false));
        }
        let decoded = self.decoder.decode(frame.data).map_err(|error| DecodeError::Bitstream(error.to_string()))?;
        let Some(picture) = decoded else { return Ok(()) };
        let (width, height) = picture.dimensions();
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let size = Size::new(side(width), side(height));
        check_size(size)?;
        let strides = picture.strides();
        let plane = |data, stride| Deep { data, stride, bits: 8 };
        let chroma = [plane(picture.u(), strides.1), plane(picture.v(), strides.2)];
        let covers = Covers { across: 2, down: 2 };
        let picture = self.flattener.flatten(size, plane(picture.y(), strides.0), Some((chroma, covers)))?;
        let Colour { matrix, full_range } = frame.colour.unwrap_or(self.stated);
        out.push(VideoFrame { size, full_range, matrix, arrival: frame.arrival, picture });
        Ok(())
    }
}

/// OpenH264 decodes Baseline, Main and High: 8 bits, 4:2:0.
fn check_kind(sps: &Sps) -> Result<(), DecodeError> {
    if sps.bit_depth == 8 && sps.chroma_format == 1 {
        return Ok(());
    }
    let chroma = ["no chroma", "4:2:0", "4:2:2", "4:4:4"][usize::from(sps.chroma_format.min(3))];
    Err(DecodeError::Unsupported(format!("H.264 of {} bits and {chroma}; send 8 bits and 4:2:0", sps.bit_depth)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::core::bitstream::h264::nal_units;
    use crate::engine::decode::tests::{expect_healing, expect_red};

    /// FFmpeg's `color=red:size=64x48:rate=10` by libx264, Constrained Baseline, three access units.
    const CLIP: &[u8] = include_bytes!("clips/red.h264");

    /// The clip's access units: each slice, with what stands before it.
    fn units() -> Vec<Bytes> {
        let (mut units, mut open) = (Vec::new(), Vec::new());
        for nal in nal_units(CLIP) {
            open.extend([&[0, 0, 0, 1], nal].concat());
            if matches!(nal[0] & 0x1f, 1 | 5) {
                units.push(std::mem::take(&mut open).into());
            }
        }
        units
    }

    #[test]
    fn each_access_unit_is_a_picture_at_once() {
        let units = units();
        let idr = |unit: &Bytes| nal_units(unit).any(|nal| nal[0] & 0x1f == 5);
        assert_eq!(units.iter().map(idr).collect::<Vec<_>>(), [true, false, false]);
        expect_red(Codec::H264, &units);
    }

    #[test]
    fn hostile_access_units_of_h264_never_panic_and_the_next_keyframe_heals() {
        expect_healing(Codec::H264, &units(), 11);
    }
}
