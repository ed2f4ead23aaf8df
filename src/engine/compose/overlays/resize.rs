//! **The question:** how does a still picture become smaller or larger? By a triangle as wide as a target pixel (never
//! narrower than a source pixel), each axis by itself, alpha premultiplied so that clear pixels lend no colour.

use crate::base::media::{Bitmap, Size};

/// The part of a picture that is used, in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cut {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

/// `picture` at `size`, all of it, whatever its shape.
pub(super) fn stretched(picture: &Bitmap, size: Size) -> Bitmap {
    let whole = picture.size();
    resample(picture, Cut { x: 0.0, y: 0.0, width: real(whole.width), height: real(whole.height) }, size)
}

/// `picture` filling `size`; what stands out is cut off, the same on both sides.
pub(super) fn covering(picture: &Bitmap, size: Size) -> Bitmap {
    let (width, height) = (real(picture.size().width), real(picture.size().height));
    let scale = (width / real(size.width)).min(height / real(size.height));
    let (wide, high) = (real(size.width) * scale, real(size.height) * scale);
    resample(picture, Cut { x: (width - wide) / 2.0, y: (height - high) / 2.0, width: wide, height: high }, size)
}

/// The largest extent of `shape`'s proportions inside `room`, at least one pixel a side; nothing grows.
pub(super) fn fitting(shape: Size, room: Size) -> Size {
    let scale = (real(room.width) / real(shape.width)).min(real(room.height) / real(shape.height)).min(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and a picture's side")]
    let side = |extent: u32| (real(extent) * scale).round().max(1.0) as u32;
    Size::new(side(shape.width), side(shape.height))
}

#[expect(clippy::cast_precision_loss, reason = "pictures are far below 2^23 wide")]
fn real(extent: u32) -> f32 {
    extent as f32
}

/// For each target sample, its first source sample and the weights from there on, which sum to one.
fn weights(from: f32, span: f32, source: u32, target: u32) -> Vec<(usize, Vec<f32>)> {
    let step = span / real(target);
    let reach = step.max(1.0);
    let last = real(source - 1);
    (0..target)
        .map(|index| {
            let centre = from + (real(index) + 0.5) * step - 0.5;
            let (low, high) = ((centre - reach).ceil().clamp(0.0, last), (centre + reach).floor().clamp(0.0, last));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the source")]
            let (low, high) = (low as usize, high.max(low) as usize);
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            let weigh = |at: usize| (1.0 - (at as f32 - centre).abs() / reach).max(1e-6);
            let mut row: Vec<f32> = (low..=high).map(weigh).collect();
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight /= sum);
            (low, row)
        })
        .collect()
}

fn resample(picture: &Bitmap, cut: Cut, size: Size) -> Bitmap {
    let source = picture.size();
    if source == size && cut.width == real(size.width) && cut.height == real(size.height) {
        return picture.clone();
    }
    let across = weights(cut.x, cut.width, source.width, size.width);
    let down = weights(cut.y, cut.height, source.height, size.height);
    let mut rgba = Vec::with_capacity(size.width as usize * size.height as usize * 4);
    // A ring of source rows would save time; a still is scaled once.
    let mut rows: Vec<Option<Vec<[f32; 4]>>> = vec![None; source.height as usize];
    for (first, weights) in &down {
        rows.iter_mut().take(*first).for_each(|row| *row = None);
        let mut sum = vec![[0.0_f32; 4]; size.width as usize];
        for (at, weight) in (*first..).zip(weights) {
            let row = rows[at].get_or_insert_with(|| row_across(picture, at, &across));
            for (sum, pixel) in sum.iter_mut().zip(row) {
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += *value * weight;
                }
            }
        }
        rgba.extend(sum.into_iter().flat_map(straight));
    }
    Bitmap::new(size, rgba)
}

/// One source row, scaled across: red, green and blue times alpha, and alpha, of 255.
fn row_across(picture: &Bitmap, row: usize, across: &[(usize, Vec<f32>)]) -> Vec<[f32; 4]> {
    let width = picture.size().width as usize * 4;
    let source = &picture.rgba()[row * width..(row + 1) * width];
    let gather = |(first, weights): &(usize, Vec<f32>)| {
        let mut sum = [0.0_f32; 4];
        for (pixel, weight) in source[first * 4..].chunks_exact(4).zip(weights) {
            let alpha = f32::from(pixel[3]) * weight;
            for channel in 0..3 {
                sum[channel] += f32::from(pixel[channel]) * alpha / 255.0;
            }
            sum[3] += alpha;
        }
        sum
    };
    across.iter().map(gather).collect()
}

fn straight(pixel: [f32; 4]) -> [u8; 4] {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    let scale = if pixel[3] > 0.0 { 255.0 / pixel[3] } else { 0.0 };
    [byte(pixel[0] * scale), byte(pixel[1] * scale), byte(pixel[2] * scale), byte(pixel[3])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Bitmap {
        let rgba = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
        Bitmap::new(Size::new(width, height), rgba)
    }

    #[test]
    fn a_chessboard_becomes_grey_and_not_moire() {
        let board = picture(512, 512, |x, y| if (x + y) % 2 == 0 { [255; 4] } else { [0, 0, 0, 255] });
        let small = stretched(&board, Size::new(100, 100));
        assert!(small.rgba().chunks_exact(4).all(|p| p[0].abs_diff(128) <= 3 && p[3] == 255), "all grey");
    }

    #[test]
    fn clear_pixels_lend_no_colour() {
        let edge = picture(64, 2, |x, _| if x < 31 { [200, 10, 20, 255] } else { [0, 255, 0, 0] });
        let small = stretched(&edge, Size::new(8, 2));
        for pixel in small.rgba().chunks_exact(4).filter(|pixel| pixel[3] > 0) {
            assert_eq!(&pixel[..3], [200, 10, 20]);
        }
    }

    #[test]
    fn covering_cuts_both_sides_and_fitting_keeps_the_shape() {
        let bands = picture(300, 100, |x, _| if (100..200).contains(&x) { [9, 9, 9, 255] } else { [250, 0, 0, 255] });
        assert!(covering(&bands, Size::new(50, 50)).rgba().chunks_exact(4).filter(|p| p[0] == 9).count() >= 48 * 50);
        assert_eq!(fitting(Size::new(4000, 1000), Size::new(200, 200)), Size::new(200, 50));
        assert_eq!(fitting(Size::new(40, 10), Size::new(200, 200)), Size::new(40, 10));
        assert_eq!(fitting(Size::new(10_000, 1), Size::new(20, 20)), Size::new(20, 1));
    }
}
