//! **The question:** which pixels does a rounded shape cover? Antialiased coverage, one byte a luma sample.

use crate::base::media::Size;

/// Coverage of a rectangle of `size` whose corners are rounded by `radius`, less the one that lies `inset` inside it: a
/// filled shape if `inset` is `None`, a frame otherwise.
pub(super) fn rounded(size: Size, radius: u32, inset: Option<u32>) -> Vec<u8> {
    #[expect(clippy::cast_precision_loss, reason = "canvas extents are far below 2^23")]
    let real = |value: u32| value as f32;
    let mut mask = vec![0; size.width as usize * size.height as usize];
    round_corners(&mut mask, size, real(radius));
    if let Some(inset) = inset {
        let (half_width, half_height) = (real(size.width) / 2.0, real(size.height) / 2.0);
        let inner = real(radius.saturating_sub(inset));
        for (y, row) in mask.chunks_exact_mut(size.width as usize).enumerate() {
            for (x, cover) in row.iter_mut().enumerate() {
                let (x, y) =
                    (real(u32::try_from(x).expect("a column")) + 0.5, real(u32::try_from(y).expect("a row")) + 0.5);
                let (dx, dy) = ((x - half_width).abs() - half_width, (y - half_height).abs() - half_height);
                let hole = corner_distance(dx + real(inset), dy + real(inset), inner);
                *cover = cover.saturating_sub(coverage(hole));
            }
        }
    }
    mask
}

/// Coverage from a signed distance to an edge in pixels: one pixel of ramp.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn coverage(distance: f32) -> u8 {
    ((0.5 - distance).clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Sets each mask byte from the signed distance of its pixel's centre.
#[expect(clippy::cast_precision_loss, reason = "canvas extents are far below 2^23")]
fn paint(mask: &mut [u8], size: Size, distance: impl Fn(f32, f32) -> f32) {
    for (y, row) in mask.chunks_exact_mut(size.width as usize).enumerate() {
        for (x, cover) in row.iter_mut().enumerate() {
            *cover = coverage(distance(x as f32 + 0.5, y as f32 + 0.5));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "canvas extents are far below 2^23")]
fn round_corners(mask: &mut [u8], size: Size, radius: f32) {
    let (half_width, half_height) = (size.width as f32 / 2.0, size.height as f32 / 2.0);
    let radius = radius.min(half_width).min(half_height);
    paint(mask, size, |x, y| {
        corner_distance((x - half_width).abs() - half_width, (y - half_height).abs() - half_height, radius)
    });
}

/// Signed distance to a rectangle's edge, negative inside: `dx` and `dy` are the distances to its nearer sides, its
/// corners are rounded by `radius`.
fn corner_distance(dx: f32, dy: f32, radius: f32) -> f32 {
    let (out_x, out_y) = (dx + radius, dy + radius);
    out_x.max(0.0).hypot(out_y.max(0.0)) + out_x.max(out_y).min(0.0) - radius
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_cut_and_frames_are_hollow() {
        let size = Size::new(40, 20);
        let at = |mask: &[u8], x: usize, y: usize| mask[y * 40 + x];
        let shape = rounded(size, 8, None);
        assert_eq!((at(&shape, 0, 0), at(&shape, 39, 19), at(&shape, 20, 10), at(&shape, 20, 0)), (0, 0, 255, 255));
        let frame = rounded(size, 8, Some(2));
        assert_eq!((at(&frame, 0, 0), at(&frame, 20, 0), at(&frame, 20, 1), at(&frame, 20, 2)), (0, 255, 255, 0));
        assert_eq!((at(&frame, 0, 10), at(&frame, 1, 10), at(&frame, 2, 10)), (255, 255, 0));
        assert!(rounded(size, 0, None).iter().all(|&cover| cover == 255), "no radius, no corner");
        assert!(rounded(size, 1000, None)[20] == 255, "a radius beyond the shape is the largest one");
    }
}
