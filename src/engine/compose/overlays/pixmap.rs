//! **The question:** how do shapes and letters land on a still? An RGBA sheet, alpha straight, painted over and over.

use crate::base::media::{Bitmap, Size};
use crate::core::scene::Rgb;

/// Something drawn on: sRGB, straight alpha, at first all transparent.
pub(super) struct Sheet {
    size: Size,
    rgba: Vec<u8>,
}

/// A shape as its signed distance in pixels at a point, negative inside (so that one pixel of ramp smooths its edge).
pub(super) trait Shape: Fn(f32, f32) -> f32 {}
impl<F: Fn(f32, f32) -> f32> Shape for F {}

impl Sheet {
    pub(super) fn new(size: Size) -> Self {
        Self { size, rgba: vec![0; size.width as usize * size.height as usize * 4] }
    }

    pub(super) fn into_bitmap(self) -> Bitmap {
        Bitmap::new(self.size, self.rgba)
    }

    /// Puts `colour` over the pixel at `x`, `y` by `cover` of 255; beyond the edges nothing happens.
    pub(super) fn put(&mut self, x: i32, y: i32, colour: [u8; 3], cover: u8) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if cover > 0 && x < self.size.width && y < self.size.height {
            let at = (y as usize * self.size.width as usize + x as usize) * 4;
            over(&mut self.rgba[at..at + 4], colour, cover);
        }
    }

    /// Fills `shape` with `colour`, `opacity` of 255.
    #[expect(clippy::cast_precision_loss, reason = "sheets are far below 2^23 wide")]
    pub(super) fn fill(&mut self, colour: Rgb, opacity: u8, shape: impl Shape) {
        let colour = [colour.red, colour.green, colour.blue];
        let width = self.size.width as usize;
        for (y, row) in self.rgba.chunks_exact_mut(width * 4).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
                let cover = coverage(shape(x as f32 + 0.5, y as f32 + 0.5));
                if cover > 0 {
                    over(pixel, colour, mul(cover, opacity));
                }
            }
        }
    }

    /// Lays `picture` on it, its upper left corner at `x`, `y`, seen where `shape` (in pixels of this sheet) is.
    #[expect(clippy::cast_precision_loss, reason = "sheets are far below 2^23 wide")]
    pub(super) fn lay(&mut self, picture: &Bitmap, x: i32, y: i32, shape: impl Shape) {
        let width = picture.size().width as usize;
        for (row, line) in (y..).zip(picture.rgba().chunks_exact(width * 4)) {
            for (column, pixel) in (x..).zip(line.chunks_exact(4)) {
                let cover = coverage(shape(column as f32 + 0.5, row as f32 + 0.5));
                self.put(column, row, [pixel[0], pixel[1], pixel[2]], mul(cover, pixel[3]));
            }
        }
    }
}

/// A rectangle between `x0`, `y0` and `x1`, `y1` with corners rounded by `radius`.
pub(super) fn rounded(x0: f32, y0: f32, x1: f32, y1: f32, radius: f32) -> impl Shape + Copy {
    let radius = radius.min((x1 - x0) / 2.0).min((y1 - y0) / 2.0);
    move |x, y| {
        let dx = (x0 - x).max(x - x1) + radius;
        let dy = (y0 - y).max(y - y1) + radius;
        dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
    }
}

/// A disc.
pub(super) fn disc(x: f32, y: f32, radius: f32) -> impl Shape + Copy {
    move |px, py| (px - x).hypot(py - y) - radius
}

/// A straight stroke with round ends, `width` thick.
pub(super) fn stroke(from: (f32, f32), to: (f32, f32), width: f32) -> impl Shape + Copy {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let square = (dx * dx + dy * dy).max(f32::EPSILON);
    move |x, y| {
        let along = (((x - from.0) * dx + (y - from.1) * dy) / square).clamp(0.0, 1.0);
        (x - from.0 - along * dx).hypot(y - from.1 - along * dy) - width / 2.0
    }
}

/// Coverage from a signed distance: one pixel of ramp.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn coverage(distance: f32) -> u8 {
    ((0.5 - distance).clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

fn mul(a: u8, b: u8) -> u8 {
    u8::try_from((u32::from(a) * u32::from(b) + 127) / 255).expect("a product of shares is a share")
}

/// Source over destination with straight alpha (Porter and Duff 1984).
fn over(pixel: &mut [u8], colour: [u8; 3], cover: u8) {
    let (above, below) = (u32::from(cover), u32::from(pixel[3]) * u32::from(255 - cover) / 255);
    let sum = above + below;
    if sum == 0 {
        return;
    }
    for (under, over) in pixel.iter_mut().zip(colour) {
        *under = u8::try_from((u32::from(over) * above + u32::from(*under) * below + sum / 2) / sum).expect("a mean");
    }
    pixel[3] = u8::try_from(sum.min(255)).expect("clamped");
}
