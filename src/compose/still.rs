//! **The question:** how does a still picture become samples of the canvas? Scaled by area, converted once, kept as I420 and a
//! mask of its alpha.

use std::sync::Arc;

use crate::compose::colour::Yuv;
use crate::compose::draw::{Mask, Shared};
use crate::media::{Bitmap, Size};
use crate::scene::{Fit, Rect, Rgb};

/// A still as operations use it.
#[derive(Debug, Clone)]
pub(super) struct Still {
    /// I420 of its rectangle.
    pub(super) samples: Shared<Vec<u8>>,
    /// Its alpha; `None` where all of it covers.
    pub(super) mask: Option<Shared<Mask>>,
}

/// A picture's extent within `rect` of the canvas: all of it seen and its shape kept, in the middle, even.
pub(super) fn contained(source: Size, rect: Rect) -> Rect {
    let (width, height) = (u64::from(source.width.max(1)), u64::from(source.height.max(1)));
    let (room_x, room_y) = (u64::from(rect.width), u64::from(rect.height));
    let even = |extent: u64, most: u32| (u32::try_from(extent).expect("at most the rect") & !1).clamp(2, most);
    let (inner_width, inner_height) = if width * room_y > height * room_x {
        (rect.width, even(height * room_x / width, rect.height))
    } else {
        (even(width * room_y / height, rect.width), rect.height)
    };
    Rect {
        x: rect.x + (((rect.width - inner_width) / 2) & !1),
        y: rect.y + (((rect.height - inner_height) / 2) & !1),
        width: inner_width,
        height: inner_height,
    }
}

/// `bitmap` drawn on a rectangle of `size` (even): with [`Fit::Cover`] what stands out is cut off, with [`Fit::Contain`] it is
/// stretched, for the rectangle was made for it.
pub(super) fn still(bitmap: &Bitmap, size: Size, fit: Fit) -> Still {
    let (from, rgba) = (bitmap.size(), bitmap.rgba());
    let crop = match fit {
        Fit::Contain => (0.0, 0.0, f64::from(from.width), f64::from(from.height)),
        Fit::Cover => {
            let scale =
                (f64::from(from.width) / f64::from(size.width)).min(f64::from(from.height) / f64::from(size.height));
            let (width, height) = (f64::from(size.width) * scale, f64::from(size.height) * scale);
            ((f64::from(from.width) - width) / 2.0, (f64::from(from.height) - height) / 2.0, width, height)
        }
    };
    let across = shares(crop.0, crop.2, size.width, from.width);
    let down = shares(crop.1, crop.3, size.height, from.height);
    let mut pixels = Vec::with_capacity((size.width * size.height) as usize);
    for rows in &down {
        pixels.extend(across.iter().map(|columns| mean(rgba, from.width, rows, columns)));
    }
    let samples = Shared(Arc::new(i420(&pixels, size.width as usize)));
    let alpha: Vec<u8> = pixels.iter().map(|pixel| pixel.1).collect();
    let mask = alpha.iter().any(|&alpha| alpha < 255).then(|| Shared(Arc::new(Mask::new(alpha, size.width))));
    Still { samples, mask }
}

/// Which inputs each output covers, and how much of it each fills.
fn shares(from: f64, length: f64, target: u32, source: u32) -> Vec<Vec<(u32, f32)>> {
    let step = length / f64::from(target);
    let position = |index: u32| {
        let centre = from + (f64::from(index) + 0.5) * step;
        // Growing weighs the two nearest inputs, shrinking all that are covered.
        let reach = step.max(1.0) / 2.0;
        let (left, right) = (centre - reach, centre + reach);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the source")]
        let (first, last) = (left.floor().max(0.0) as u32, (right.ceil() as u32).clamp(1, source));
        let mut parts: Vec<(u32, f32)> = (first.min(source - 1)..last)
            .map(|n| (n, (right.min(f64::from(n) + 1.0) - left.max(f64::from(n))).max(0.0)))
            .filter(|(_, share)| *share > 0.0)
            .map(|(n, share)| {
                #[expect(clippy::cast_possible_truncation, reason = "a share of one")]
                (n, share as f32)
            })
            .collect();
        if parts.is_empty() {
            parts.push((first.min(source - 1), 1.0));
        }
        let sum: f32 = parts.iter().map(|(_, share)| share).sum();
        parts.iter_mut().for_each(|(_, share)| *share /= sum);
        parts
    };
    (0..target).map(position).collect()
}

/// The mean colour, weighed by alpha, and the mean alpha.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "means of bytes")]
fn mean(rgba: &[u8], width: u32, rows: &[(u32, f32)], columns: &[(u32, f32)]) -> (Rgb, u8) {
    let (mut colour, mut alpha) = ([0.0_f32; 3], 0.0_f32);
    for &(row, down) in rows {
        for &(column, across) in columns {
            let at = ((row * width + column) * 4) as usize;
            let seen = down * across * f32::from(rgba[at + 3]);
            alpha += seen;
            for (sum, &channel) in colour.iter_mut().zip(&rgba[at..at + 3]) {
                *sum += seen * f32::from(channel);
            }
        }
    }
    let [red, green, blue] = colour.map(|sum| if alpha > 0.0 { (sum / alpha).round() as u8 } else { 0 });
    (Rgb::new(red, green, blue), alpha.round() as u8)
}

fn i420(pixels: &[(Rgb, u8)], width: usize) -> Vec<u8> {
    let luma = pixels.iter().map(|(colour, _)| Yuv::from(*colour).luma);
    let mut samples: Vec<u8> = luma.collect();
    for index in [1, 2] {
        for rows in pixels.chunks_exact(width * 2) {
            for column in (0..width).step_by(2) {
                let four = [rows[column], rows[column + 1], rows[width + column], rows[width + column + 1]];
                // What is not seen must not tint what is.
                let weight = |pixel: &(Rgb, u8)| u32::from(pixel.1) + 1;
                let sample = |pixel: &(Rgb, u8)| u32::from(Yuv::from(pixel.0).samples()[index]) * weight(pixel);
                let (sum, whole) = (four.iter().map(sample).sum::<u32>(), four.iter().map(weight).sum::<u32>());
                samples.push(u8::try_from((sum + whole / 2) / whole).expect("a mean of bytes is a byte"));
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bitmap(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Bitmap {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Bitmap::new(Size::new(width, height), pixels.flat_map(|(x, y)| pixel(x, y)).collect())
    }

    #[test]
    fn a_flat_picture_stays_flat_at_any_size_and_shows_its_alpha() {
        let red = bitmap(7, 5, |_, _| [255, 0, 0, 255]);
        for (width, height) in [(2, 2), (6, 4), (64, 36)] {
            let Still { samples, mask } = still(&red, Size::new(width, height), Fit::Cover);
            let luma = (width * height) as usize;
            assert!(mask.is_none());
            assert!(samples.0[..luma].iter().all(|&sample| sample == 63));
            assert!(samples.0[luma..luma + luma / 4].iter().all(|&sample| sample == 102));
            assert!(samples.0[luma + luma / 4..].iter().all(|&sample| sample == 240));
        }
        let half = bitmap(8, 8, |x, _| [255, 255, 255, if x < 4 { 255 } else { 0 }]);
        let Still { mask, .. } = still(&half, Size::new(4, 4), Fit::Contain);
        assert_eq!(mask.unwrap().0.luma[..4], [255, 255, 0, 0]);
    }

    #[test]
    fn covering_cuts_the_same_on_both_sides() {
        let stripes = bitmap(12, 4, |x, _| if (4..8).contains(&x) { [255; 4] } else { [0, 0, 0, 255] });
        let Still { samples, .. } = still(&stripes, Size::new(4, 4), Fit::Cover);
        assert!(samples.0[..16].iter().all(|&sample| sample == 235));
        let rect = Rect { x: 10, y: 20, width: 100, height: 50 };
        assert_eq!(contained(Size::new(100, 100), rect), Rect { x: 34, y: 20, width: 50, height: 50 });
    }
}
