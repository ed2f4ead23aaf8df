//! **The question:** what does a recording look like before it is played? One keyframe, decoded, scaled and written as
//! JPEG.

use std::io::Cursor;

use bytes::Bytes;
use image::imageops::thumbnail;
use image::{ImageFormat, Rgb, RgbImage};

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, VideoFrame};
use crate::core::fmp4::first_picture;
use crate::engine::decode::video_decoder;

/// The JPEG of a segment's first picture, at most `limits::POSTER_WIDTH` wide; `None` if the segment does not begin
/// with a keyframe that decodes.
pub(super) fn poster(segment: Vec<u8>) -> Option<Vec<u8>> {
    let segment = Bytes::from(segment);
    let picture = first_picture(&segment).filter(|picture| picture.sync)?;
    let data = segment.slice(picture.at);
    let frame = CodedFrame { codec: Codec::Av1, data: &data, keyframe: true, arrival: None };
    let mut shown = Vec::new();
    video_decoder(Codec::Av1).ok()?.decode(frame, &mut shown).ok()?;
    let full = rgb(shown.first()?);
    let (width, height) = full.dimensions();
    let small_width = width.min(limits::POSTER_WIDTH);
    let small = thumbnail(&full, small_width, (height * small_width / width).max(1));
    let mut jpeg = Cursor::new(Vec::new());
    small.write_to(&mut jpeg, ImageFormat::Jpeg).ok()?;
    Some(jpeg.into_inner())
}

// BT.709 (ITU-T H.273, MatrixCoefficients 1): what the composite is written in.
fn rgb(frame: &VideoFrame) -> RgbImage {
    let [luma, blue, red] = [0, 1, 2].map(|plane| frame.picture.plane(plane));
    let (scale, chroma_scale, black) =
        if frame.full_range { (1.0, 1.0, 0.0) } else { (255.0 / 219.0, 255.0 / 224.0, 16.0) };
    RgbImage::from_fn(frame.size.width, frame.size.height, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let level = (f32::from(luma.data[y * luma.stride + x]) - black) * scale;
        let at = |plane: &crate::base::media::PlaneRef<'_>| {
            (f32::from(plane.data[y / 2 * plane.stride + x / 2]) - 128.0) * chroma_scale
        };
        let (b, r) = (at(&blue), at(&red));
        // A cast to u8 saturates.
        Rgb([level + 1.5748 * r, level - 0.1873 * b - 0.4681 * r, level + 1.8556 * b].map(|value| value.round() as u8))
    })
}
