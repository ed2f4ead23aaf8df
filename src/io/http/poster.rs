//! **The question:** what does a recording look like before it is played? One keyframe, decoded, scaled and written as
//! JPEG.

use std::ops::Range;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, PlaneRef, Size, VideoFrame};
use crate::core::fmp4::first_picture;
use crate::engine::decode::video_decoder;
use crate::engine::encode::jpeg;

/// The JPEG of a segment's first picture, at most `limits::POSTER_WIDTH` wide; `None` if the segment does not begin
/// with a keyframe that decodes.
pub(super) fn poster(segment: Vec<u8>) -> Option<Vec<u8>> {
    let segment = Bytes::from(segment);
    let picture = first_picture(&segment).filter(|picture| picture.sync)?;
    let data = segment.slice(picture.at);
    let frame = CodedFrame { codec: Codec::Av1, data: &data, keyframe: true, arrival: None, colour: None };
    let mut shown = Vec::new();
    video_decoder(Codec::Av1).ok()?.decode(frame, &mut shown).ok()?;
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
