//! **The question:** how is someone without a picture drawn? A rounded panel in their colour, on it a disc with their initials,
//! or with a silhouette when the name gives none. Coverage masks, antialiased; drawn once and then left alone.

use std::sync::OnceLock;

use fontdue::{Font, FontSettings};

use crate::compose::cpu::canvas::Canvas;
use crate::compose::cpu::colour::Yuv;
use crate::compose::cpu::place;
use crate::media::Size;
use crate::scene::{Rect, Rgb, Tile};

/// DejaVu Sans Bold, cut down to Latin, Greek and Cyrillic; its licence lies beside it.
static FONT: &[u8] = include_bytes!("../font/DejaVuSans-Bold-subset.ttf");

const WHITE: Rgb = Rgb::new(0xf4, 0xf6, 0xf8);
/// How much of a person's colour the panel behind the disc keeps, of 256.
const PANEL_SHADE: u32 = 88;

/// Draws placeholders; keeps its masks' memory.
pub(super) struct Letters {
    mask: Vec<u8>,
    chroma_mask: Vec<u8>,
}

fn font() -> &'static Font {
    static PARSED: OnceLock<Font> = OnceLock::new();
    PARSED.get_or_init(|| Font::from_bytes(FONT, FontSettings::default()).expect("the embedded font is valid"))
}

impl Letters {
    pub(super) fn new() -> Self {
        Self { mask: Vec::new(), chroma_mask: Vec::new() }
    }

    /// Draws `tile`'s placeholder over all of its rect.
    pub(super) fn draw_placeholder(&mut self, canvas: &mut Canvas, tile: &Tile, background: Yuv) {
        let rect = &tile.rect;
        let size = Size::new(rect.width, rect.height);
        canvas.fill(rect, background);
        self.draw(canvas, rect, shaded(tile.identity.colour), |mask| round_corners(mask, size));
        let disc = Disc::on(size);
        self.draw(canvas, rect, tile.identity.colour, |mask| fill_disc(mask, size, disc));
        let initials = &tile.identity.initials;
        let known = !initials.is_empty() && initials.chars().all(|letter| font().has_glyph(letter));
        self.draw(canvas, rect, WHITE, |mask| {
            if known { write_initials(mask, size, disc, initials) } else { draw_silhouette(mask, size, disc) }
        });
    }

    /// Mixes `colour` into `rect` by the mask that `paint` makes (one byte a luma sample, 255 covers).
    fn draw(&mut self, canvas: &mut Canvas, rect: &Rect, colour: Rgb, paint: impl FnOnce(&mut [u8])) {
        let width = rect.width as usize;
        self.mask.clear();
        self.mask.resize(width * rect.height as usize, 0);
        paint(&mut self.mask);
        halve(&self.mask, width, &mut self.chroma_mask);
        let colour = Yuv::from(colour);
        for index in 0..3 {
            let plane = canvas.plane(index);
            let area = plane.area(rect);
            let mask = if index == 0 { &self.mask } else { &self.chroma_mask };
            place::blend(plane, area, mask, colour.sample(index));
        }
    }
}

/// The coloured disc in the middle of a panel, in pixels of the panel.
#[derive(Debug, Clone, Copy)]
struct Disc {
    x: f32,
    y: f32,
    radius: f32,
}

impl Disc {
    #[expect(clippy::cast_precision_loss, reason = "canvas extents are far below 2^23")]
    fn on(size: Size) -> Self {
        let (width, height) = (size.width as f32, size.height as f32);
        Self { x: width / 2.0, y: height / 2.0, radius: 0.31 * width.min(height) }
    }

    /// Signed distance of a pixel's centre to the disc's edge, negative inside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        (x - self.x).hypot(y - self.y) - self.radius
    }
}

fn shaded(colour: Rgb) -> Rgb {
    let shade = |channel: u8| u8::try_from(u32::from(channel) * PANEL_SHADE / 256 + 14).expect("darker than a byte");
    Rgb::new(shade(colour.red), shade(colour.green), shade(colour.blue))
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
fn round_corners(mask: &mut [u8], size: Size) {
    let (half_width, half_height) = (size.width as f32 / 2.0, size.height as f32 / 2.0);
    let radius = (size.height as f32 / 14.0).clamp(2.0, 20.0);
    paint(mask, size, |x, y| {
        let dx = ((x - half_width).abs() - half_width + radius).max(0.0);
        let dy = ((y - half_height).abs() - half_height + radius).max(0.0);
        dx.hypot(dy) - radius
    });
}

fn fill_disc(mask: &mut [u8], size: Size, disc: Disc) {
    paint(mask, size, |x, y| disc.distance(x, y));
}

/// A head and shoulders, cut off by the disc.
fn draw_silhouette(mask: &mut [u8], size: Size, disc: Disc) {
    let head = Disc { y: disc.y - 0.22 * disc.radius, radius: 0.36 * disc.radius, ..disc };
    let body = Disc { y: disc.y + 0.98 * disc.radius, radius: 0.66 * disc.radius, ..disc };
    let rim = Disc { radius: 0.94 * disc.radius, ..disc };
    paint(mask, size, |x, y| head.distance(x, y).min(body.distance(x, y)).max(rim.distance(x, y)));
}

/// Initials centred on the disc by their ink, side by side on one baseline.
#[expect(clippy::cast_possible_truncation, reason = "glyphs are smaller than the canvas")]
fn write_initials(mask: &mut [u8], size: Size, disc: Disc, initials: &str) {
    let pixels = (disc.radius * 0.92).max(7.0);
    let glyphs: Vec<_> = initials.chars().map(|letter| font().rasterize(letter, pixels)).collect();
    let advance: f32 = glyphs.iter().map(|(metrics, _)| metrics.advance_width).sum();
    // Capitals of this face are 0.729 em high.
    let baseline = (disc.y + 0.729 * pixels / 2.0).round() as i32;
    let mut pen = disc.x - advance / 2.0;
    for (metrics, ink) in &glyphs {
        let left = pen.round() as i32 + metrics.xmin;
        let top = baseline - metrics.ymin - metrics.height as i32;
        stamp(mask, size, left, top, metrics.width, ink);
        pen += metrics.advance_width;
    }
}

/// Adds a glyph's coverage to the mask, clipped.
fn stamp(mask: &mut [u8], size: Size, left: i32, top: i32, width: usize, ink: &[u8]) {
    for (row, line) in (top..).zip(ink.chunks_exact(width.max(1))) {
        for (column, &cover) in (left..).zip(line) {
            let (Ok(x), Ok(y)) = (u32::try_from(column), u32::try_from(row)) else { continue };
            if x < size.width && y < size.height {
                let at = &mut mask[(y * size.width + x) as usize];
                *at = at.saturating_add(cover);
            }
        }
    }
}

/// Means of 2×2, for the chroma planes.
fn halve(mask: &[u8], width: usize, halved: &mut Vec<u8>) {
    halved.clear();
    for rows in mask.chunks_exact(2 * width) {
        let (upper, lower) = rows.split_at(width);
        for (above, below) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
            let sum = u16::from(above[0]) + u16::from(above[1]) + u16::from(below[0]) + u16::from(below[1]);
            halved.push(u8::try_from((sum + 2) / 4).expect("a mean of bytes is a byte"));
        }
    }
}
