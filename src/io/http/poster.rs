//! **The question:** what does a recording look like before it is played? One keyframe, decoded, scaled and written as
//! JPEG.

use std::ops::Range;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, PlaneRef, Size, VideoFrame};
use crate::core::bitstream::stored::with_start_codes;
use crate::core::fmp4::{first_picture, parameter_sets};
use crate::engine::decode::video_decoder;
use crate::engine::encode::jpeg;

/// The JPEG of a segment's first picture, at most `limits::POSTER_WIDTH` wide, of a file that begins with `init`;
/// `None` if the segment does not begin with a keyframe that decodes.
pub(super) fn poster(init: &[u8], segment: Vec<u8>) -> Option<Vec<u8>> {
    let segment = Bytes::from(segment);
    let picture = first_picture(&segment).filter(|picture| picture.sync)?;
    let data = segment.slice(picture.at);
    let (codec, data) = match parameter_sets(init) {
        Some(sets) => (Codec::H264, Bytes::from([sets, with_start_codes(&data)?].concat())),
        None => (Codec::Av1, data),
    };
    let frame = CodedFrame { codec, data: &data, keyframe: true, arrival: None, colour: None };
    let mut shown = Vec::new();
    video_decoder(codec).ok()?.decode(frame, &mut shown).ok()?;
    let full = shown.first()?;
    let width = full.size.width.min(limits::POSTER_WIDTH);
    let size = Size::new(width, (full.size.height * width / full.size.width).max(1));
    Some(jpeg(size, &rgb(full, size)))
}

/// `frame` at `size`, which is no larger, three bytes a pixel: each the mean of the samples under it.
fn rgb(frame: &VideoFrame, size: Size) -> Vec<u8> {
    let [luma, blue, red] = [0, 1, 2].map(|plane| frame.picture.plane(plane));
    let (scale, chroma_scale, black) =
        if frame.full_range { (1.0, 1.0, 0.0) } else { (255.0 / 219.0, 255.0 / 224.0, 16.0) };
    #[expect(clippy::cast_possible_truncation, reason = "shares of one")]
    let [kr, kg, kb] = frame.matrix.weights().map(|share| share as f32);
    let mut rgb = Vec::with_capacity(size.width as usize * size.height as usize * 3);
    for y in 0..size.height {
        let rows = under(y, frame.size.height, size.height);
        for x in 0..size.width {
            let columns = under(x, frame.size.width, size.width);
            let level = (mean(&luma, &columns, &rows) - black) * scale;
            let halves = [&columns, &rows].map(|span| span.start / 2..span.end.div_ceil(2));
            let [b, r] = [&blue, &red].map(|plane| (mean(plane, &halves[0], &halves[1]) - 128.0) * chroma_scale);
            // A cast to u8 saturates.
            let (b, r) = (2.0 * (1.0 - kb) * b, 2.0 * (1.0 - kr) * r);
            rgb.extend([level + r, level - (kb * b + kr * r) / kg, level + b].map(|v| v.round() as u8));
        }
    }
    rgb
}

/// The samples of `whole` that lie under the `at`-th of `parts`, at least one.
fn under(at: u32, whole: u32, parts: u32) -> Range<usize> {
    let edge = |at: u32| (u64::from(at) * u64::from(whole) / u64::from(parts)) as usize;
    edge(at)..edge(at + 1).max(edge(at) + 1)
}

fn mean(plane: &PlaneRef<'_>, columns: &Range<usize>, rows: &Range<usize>) -> f32 {
    let row = |row: usize| &plane.data[row * plane.stride..][columns.clone()];
    let sum: u32 = rows.clone().flat_map(row).map(|sample| u32::from(*sample)).sum();
    sum as f32 / (columns.len() * rows.len()) as f32
}

#[cfg(test)]
#[cfg(feature = "h264")]
mod tests {
    use super::*;
    use crate::base::media::{ComposedFrame, Orientation, Pts, Wallclock};
    use crate::core::bitstream::stored::{StoredUnit, StreamHead};
    use crate::core::fmp4::{Fragment, InitSegment, SoundRun, VideoRun, VideoSample};
    use crate::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};

    #[test]
    fn a_recording_has_a_poster_in_either_codec() {
        for codec in [Codec::Av1, Codec::H264] {
            let setup = VideoEncoderSetup { codec, size: Size::new(320, 180), fps: 30, bitrate: 400_000, threads: 1 };
            let (mut encoder, mut out) = (video_encoder(EncoderChoice::Aom, setup).unwrap(), Vec::new());
            let frame = ComposedFrame::new(setup.size, Pts(0), vec![90; 320 * 180 * 3 / 2]);
            encoder.encode(&frame, true, &mut out).unwrap();
            let unit = StoredUnit::parse(codec, &out[0].data).unwrap();
            let pictures = StreamHead::parse(codec, &unit.head.unwrap()).unwrap();
            assert_eq!(pictures.size(), setup.size);
            let init =
                InitSegment { pictures, started: Wallclock(0), sound_skip: 0, orientation: Orientation::default() }
                    .encode();
            let sample = VideoSample { data: unit.data, duration: 3_000, sync: true };
            let video = VideoRun { start: 0, samples: vec![sample] };
            let segment = Fragment { number: 1, video, sound: SoundRun::default() }.encode();
            let jpeg = poster(&init.bytes, segment.to_vec()).expect("it is decoded");
            assert_eq!(jpeg[..2], [0xff, 0xd8]);
        }
    }
}
