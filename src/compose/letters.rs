//! **The question:** how is someone without a picture drawn? A rounded panel in their colour, on it a disc with their initials,
//! or with a silhouette when the name gives none. Coverage masks, antialiased; drawn once and then left alone.

use std::sync::OnceLock;

use fontdue::{Font, FontSettings};

use crate::compose::draw::Mask;
use crate::media::Size;
use crate::scene::{Identity, Rgb};

/// DejaVu Sans Bold, cut down to Latin, Greek and Cyrillic; its licence lies beside it.
static FONT: &[u8] = include_bytes!("font/DejaVuSans-Bold-subset.ttf");

const WHITE: Rgb = Rgb::new(0xf4, 0xf6, 0xf8);
/// How much of a person's colour the panel behind the disc keeps, of 256.
const PANEL_SHADE: u32 = 88;

/// One layer of a placeholder: a colour, seen where its mask covers.
pub(super) struct Layer {
    pub(super) colour: Rgb,
    pub(super) mask: Mask,
}

fn font() -> &'static Font {
    static PARSED: OnceLock<Font> = OnceLock::new();
    PARSED.get_or_init(|| Font::from_bytes(FONT, FontSettings::default()).expect("the embedded font is valid"))
}

/// The placeholder of `identity` on a tile of `size`: panel, disc, initials or silhouette, from the lowest to the highest. The
/// panel's corners are rounded by `radius`, or by a little where the tile itself is square.
pub(super) fn placeholder(size: Size, radius: u32, identity: &Identity) -> [Layer; 3] {
    let disc = Disc::on(size);
    let initials = &identity.initials;
    let known = !initials.is_empty() && initials.chars().all(|letter| font().has_glyph(letter));
    let layer = |colour, paint: &dyn Fn(&mut [u8])| {
        let mut mask = vec![0; size.width as usize * size.height as usize];
        paint(&mut mask);
        Layer { colour, mask: Mask::new(mask, size.width) }
    };
    #[expect(clippy::cast_precision_loss, reason = "canvas extents are far below 2^23")]
    let radius = if radius > 0 { radius as f32 } else { (size.height as f32 / 14.0).clamp(2.0, 20.0) };
    [
        layer(shaded(identity.colour), &|mask| round_corners(mask, size, radius)),
        layer(identity.colour, &|mask| fill_disc(mask, size, disc)),
        layer(WHITE, &|mask| {
            if known { write_initials(mask, size, disc, initials) } else { draw_silhouette(mask, size, disc) }
        }),
    ]
}

/// Coverage of a rectangle of `size` whose corners are rounded by `radius`, less the one that lies `inset` inside it: a filled
/// shape if `inset` is `None`, a frame otherwise.
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

/// A line of text with capitals of about 0.73 of `pixels`, on a mask of `height` rows; its width is even and at most `room`. What does
/// not fit is cut at a letter; `None` if nothing can be written.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "extents of a line"
)]
pub(super) fn written(text: &str, pixels: u32, room: u32, height: u32) -> Option<(Vec<u8>, u32)> {
    let pixels = pixels as f32;
    let mut glyphs = Vec::new();
    let mut pen = 0.0_f32;
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        let (metrics, ink) = font().rasterize(letter, pixels);
        if pen + metrics.advance_width > room as f32 {
            break;
        }
        glyphs.push((pen, metrics, ink));
        pen += metrics.advance_width;
    }
    let width = (pen.ceil() as u32).next_multiple_of(2).min(room & !1);
    if width == 0 {
        return None;
    }
    let size = Size::new(width, height);
    let mut mask = vec![0; (width * height) as usize];
    let baseline = (height as f32 / 2.0 + 0.729 * pixels / 2.0).round() as i32;
    for (pen, metrics, ink) in &glyphs {
        let (left, top) = (pen.round() as i32 + metrics.xmin, baseline - metrics.ymin - metrics.height as i32);
        stamp(&mut mask, size, left, top, metrics.width, ink);
    }
    Some((mask, width))
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
fn round_corners(mask: &mut [u8], size: Size, radius: f32) {
    let (half_width, half_height) = (size.width as f32 / 2.0, size.height as f32 / 2.0);
    let radius = radius.min(half_width).min(half_height);
    paint(mask, size, |x, y| {
        corner_distance((x - half_width).abs() - half_width, (y - half_height).abs() - half_height, radius)
    });
}

/// Signed distance to a rectangle's edge, negative inside: `dx` and `dy` are the distances to its nearer sides, its corners are
/// rounded by `radius`.
fn corner_distance(dx: f32, dy: f32, radius: f32) -> f32 {
    let (out_x, out_y) = (dx + radius, dy + radius);
    out_x.max(0.0).hypot(out_y.max(0.0)) + out_x.max(out_y).min(0.0) - radius
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
